/* The queue's memory is bounded, known, and given back; lists keep their order. */
#include <stdlib.h>

#include "queue.h"
#include "tap.h"

#define LIMIT ((size_t)1 << 20)

/* The names that the items carry, in order. */
static bool
holds(const struct items *l, const char *names)
{
	const struct item *i = l->first;
	size_t n = 0, bytes = 0;

	for (; i != NULL && names[n] != '\0'; i = i->next, n++) {
		if (i->unit != (unsigned char)names[n])
			return false;
		bytes += i->len;
	}
	return i == NULL && names[n] == '\0' && l->count == n && l->bytes == bytes;
}

static struct item *
add(struct queue *q, struct chunk **lane, char name, uint32_t text)
{
	struct item *i = queue_add(q, lane, text);

	i->unit = (unsigned char)name;
	i->len = text;
	memset(i->text, name, text);
	return i;
}

static void
test_lists(void)
{
	static struct queue q = { .limit = LIMIT };
	static struct chunk *lane;
	struct items l, front, none;
	struct item *i;

	items_init(&l);
	items_init(&front);
	items_init(&none);
	ok(items_take(&l) == NULL, "an empty list has no first");
	for (const char *p = "abc"; *p != '\0'; p++)
		items_append(&l, add(&q, &lane, *p, 10));
	ok(holds(&l, "abc"), "a list keeps the order");
	i = items_take(&l);
	ok(i->unit == 'a' && holds(&l, "bc"), "the first is taken");
	items_append(&front, i);
	items_append(&front, add(&q, &lane, 'x', 7));
	items_prepend(&l, &front);
	ok(holds(&l, "axbc") && holds(&front, ""), "a list goes before another");
	items_append(&l, add(&q, &lane, 'd', 3));
	ok(holds(&l, "axbcd"), "and the end is still the end");
	items_prepend(&l, &none);
	ok(holds(&l, "axbcd"), "an empty one changes nothing");
	items_prepend(&none, &l);
	items_append(&none, add(&q, &lane, 'e', 3));
	ok(holds(&none, "axbcde") && holds(&l, ""), "an empty one takes all");
	while (items_take(&none) != NULL)
		;
	items_append(&none, add(&q, &lane, 'z', 1));
	ok(holds(&none, "z"), "an emptied list works again");
}

static void
test_limit(void)
{
	static struct queue q = { .limit = LIMIT };
	static struct chunk *lane;
	static struct items l;
	struct item *i;
	size_t n = 0, text = 0, most;
	bool good = true;

	items_init(&l);
	while (!queue_full(&q) && n < 100000) {
		items_append(&l, add(&q, &lane, (char)('a' + n % 26), (uint32_t)(n % 3000)));
		text += n % 3000;
		n++;
	}
	ok(q.used <= LIMIT, "the limit holds");
	ok(text > LIMIT * 8 / 10, "most of it holds text (%zu of %zu bytes)", text, LIMIT);
	most = q.used;
	for (size_t k = 0; (i = items_take(&l)) != NULL; k++) {
		for (uint32_t at = 0; at < i->len; at++)
			good &= i->text[at] == (char)('a' + k % 26);
		queue_done(&q, i);
	}
	ok(good, "no item overwrites another");
	ok(q.used > 0, "the chunk that a lane fills stays its own");
	queue_close(&q, &lane);
	ok(q.used == 0 && lane == NULL, "until it is closed: then all is given back");
	queue_close(&q, &lane);
	ok(q.used == 0, "closing no chunk is nothing");
	for (size_t k = 0; k < n; k++)
		items_append(&l, add(&q, &lane, 'b', (uint32_t)(k % 3000)));
	ok(q.used == most, "and used again");
}

/* Half-filled chunks of many lanes are given back as soon as their items are done. */
static void
test_lanes(void)
{
	static struct queue q = { .limit = LIMIT };
	struct chunk *lane[15] = { NULL };
	struct item *i[15];

	for (int k = 0; k < 15; k++)
		i[k] = add(&q, &lane[k], 'a', 10);
	ok(queue_full(&q) || q.used > LIMIT / 2, "lanes with an item each fill the queue");
	for (int k = 0; k < 15; k++) {
		queue_done(&q, i[k]);
		queue_close(&q, &lane[k]);
	}
	ok(q.used == 0, "which is empty when these are done");
}

static void
test_large(void)
{
	static struct queue q = { .limit = LIMIT };
	static struct chunk *lane;
	struct item *small, *large, *edge[200];
	size_t before;

	small = add(&q, &lane, 's', 10);
	before = q.used;
	large = add(&q, &lane, 'l', 3 << 20);
	ok(q.used >= before + (3 << 20) && queue_full(&q), "a large one counts and fills it");
	queue_done(&q, large);
	ok(q.used == before && !queue_full(&q), "and is given back");
	queue_done(&q, small);
	queue_close(&q, &lane);
	/* Around the size where an item gets a chunk of its own. */
	for (uint32_t k = 0; k < 200; k++)
		edge[k] = add(&q, &lane, 'e', 64 * 1024 - 199 + k);
	for (uint32_t k = 0; k < 200; k++)
		queue_done(&q, edge[k]);
	queue_close(&q, &lane);
	ok(q.used == 0, "sizes around that of a chunk are given back");
}

int
main(void)
{
	test_lists();
	test_limit();
	test_lanes();
	test_large();
	return done_testing();
}
