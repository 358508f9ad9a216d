/*
 * Reading the answer to a bulk request.  The input: how many items were sent, what they did,
 * what the sizes of the pieces are made of, then the answer.  It is read whole, in pieces, and
 * a byte at a time, where nothing is taken but by the parser; all must tell the same.
 */
#include "answer.h"
#include "support.h"

#define MAX_ITEMS 64

struct told {
	struct item *item;
	struct answer_error error;
};

struct reading {
	struct told told[MAX_ITEMS];
	size_t n;
	int result;
	const char *problem;
};

static struct item *item[MAX_ITEMS];
static struct items items;

static void
on_item(void *arg, struct item *i, struct answer_error *e)
{
	struct reading *r = arg;

	check(r->n < items.count && i == item[r->n]);
	check(e->status >= 100 && e->status <= 999);
	check(strlen(e->type) < sizeof(e->type) && strlen(e->reason) < sizeof(e->reason));
	r->told[r->n++] = (struct told) { i, *e };
}

/* In memory of just their size, so that a step beyond it shows. */
static int
feed(struct answer *a, const uint8_t *data, size_t n)
{
	char *p = xmalloc(n);
	int result;

	memcpy(p, data, n);
	result = answer_feed(a, p, n);
	free(p);
	return result;
}

/* piece 0: of sizes made of seed. */
static void
read_answer(struct reading *r, const uint8_t *data, size_t size, size_t piece, uint32_t seed)
{
	struct answer *a = answer_new(&items, on_item, r);

	r->n = 0;
	r->result = 0;
	for (size_t at = 0, n; at < size; at += n) {
		seed = seed * 1103515245u + 12345u;
		n = piece > 0 ? piece : 1 + (seed >> 16) % 80;
		if (n > size - at)
			n = size - at;
		if (feed(a, data + at, n) != 0)
			r->result = -1;
	}
	if (answer_end(a) != 0)
		r->result = -1;
	r->problem = answer_problem(a);
	check((r->result == 0) == (r->problem[0] == '\0'));
	check(r->result != 0 || r->n == items.count);
	answer_free(a);
}

static void
compare(const struct reading *a, const struct reading *b)
{
	check(a->n == b->n && a->result == b->result && strcmp(a->problem, b->problem) == 0);
	for (size_t i = 0; i < a->n; i++) {
		check(a->told[i].item == b->told[i].item);
		check(a->told[i].error.status == b->told[i].error.status);
		check(strcmp(a->told[i].error.type, b->told[i].error.type) == 0);
		check(strcmp(a->told[i].error.reason, b->told[i].error.reason) == 0);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct reading whole, pieces, bytes;

	if (size < 3)
		return 0;
	items_init(&items);
	for (size_t i = 0; i < data[0] % (MAX_ITEMS + 1); i++) {
		if (item[i] == NULL)
			item[i] = xcalloc(1, sizeof(*item[i]));
		/* Now and then another one than before. */
		item[i]->op = (uint8_t)((data[1] + (i % 7 == 6)) % OP_REJECT);
		items_append(&items, item[i]);
	}
	read_answer(&bytes, data + 3, size - 3, 1, 0);
	read_answer(&whole, data + 3, size - 3, size, 0);
	read_answer(&pieces, data + 3, size - 3, 0, data[2]);
	compare(&bytes, &whole);
	compare(&bytes, &pieces);
	return 0;
}
