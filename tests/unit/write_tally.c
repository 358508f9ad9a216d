/* Counts by index, of which so many have their own; what s frames say; causes of retries. */
#include <string.h>

#include "buf.h"
#include "frame.h"
#include "mapstats.h"
#include "tally.h"
#include "tap.h"

static void
test_indices(void)
{
	static struct tally t = { .on = true };
	struct tally_index *first, *last = NULL;
	char name[32];
	size_t found = 0;

	first = tally_find(&t, "i", 1);
	ok(first != NULL && tally_find(&t, "i", 1) == first, "an index is found again");
	ok(tally_find(&t, "ij", 2) != first && tally_find(&t, "", 0) != first,
	    "another is another, also one without a name");
	for (int i = 0; i < 3000; i++) {
		snprintf(name, sizeof(name), "index-%d", i);
		tally_find(&t, name, strlen(name))->stored[TALLY_DELETE]++;
	}
	ok(t.n == TALLY_INDICES + 1, "so many have counts of their own: %zu", t.n);
	is(t.list[TALLY_INDICES]->name, "_other", "the others share one");
	ok(t.list[TALLY_INDICES]->stored[TALLY_DELETE] == 3000 - (TALLY_INDICES - 3),
	    "which has all that is beyond");
	for (int i = 0; i < 3000; i++) {
		snprintf(name, sizeof(name), "index-%d", i);
		last = tally_find(&t, name, strlen(name));
		found += last->stored[TALLY_DELETE] == 1 && strcmp(last->name, name) == 0;
	}
	ok(last->place == t.n && t.list[last->place - 1] == last, "places are from 1");
	ok(found == TALLY_INDICES - 3, "each of the first has its own: %zu", found);
	tally_rejected(&t, NULL, 0);
	tally_rejected(&t, "i", 1);
	ok(t.rejected == 2 && first->rejected == 1 && tally_find(&t, "", 0)->rejected == 1,
	    "rejects");
	t.on = false;
	tally_rejected(&t, "i", 1);
	ok(t.rejected == 3 && first->rejected == 1, "of no index where nobody asks");
}

static void
test_causes(void)
{
	static struct tally t;

	tally_retry(&t, CAUSE_STATUS, 429);
	tally_retry(&t, CAUSE_STATUS, 429);
	tally_retry(&t, CAUSE_STATUS, 418);
	tally_retry(&t, CAUSE_STATUS, 200);
	tally_retry(&t, CAUSE_LOST, 429);
	ok(t.status[7] == 2 && tally_statuses[7] == 429, "a status");
	ok(t.cause[CAUSE_OTHER] == 1, "one that is rare");
	ok(t.cause[CAUSE_PARTIAL] == 1 && t.cause[CAUSE_LOST] == 1, "what has a name");
	tally_retry_action(&t, 429);
	tally_retry_action(&t, 418);
	ok(t.answered[7] == 1 && t.answered[TALLY_STATUSES] == 1 && t.status[7] == 2,
	    "actions are counted beside");
	tally_problem(&t, "why", 503, "words", 5);
	is(buf_cstr(&t.problem), "why: 503: words", "in words");
	tally_problem(&t, "why", 0, "words", 3);
	is(buf_cstr(&t.problem), "why: wor", "without a status");
}

/* ["s", program, {c1: 1, c2: 2, ...}] with n counters from first. */
static void
take(struct mapstats *s, const char *program, unsigned first, unsigned n)
{
	struct frame_in in = { .in.fd = -1 };
	struct frame f;
	struct buf b = { 0 };
	char name[16];

	frame_put_head(&b, FRAME_STATS, 2);
	frame_put_cstr(&b, program);
	frame_put_map(&b, n);
	for (unsigned i = first; i < first + n; i++) {
		snprintf(name, sizeof(name), "c%u", i);
		frame_put_cstr(&b, name);
		frame_put_uint(&b, i);
	}
	buf_add(&in.in.buf, b.data, b.len);
	if (frame_next(&in, &f) == FRAME_OK && frame_decode(&in, &f) == 0)
		mapstats_take(s, &f);
	frame_in_free(&in);
	buf_free(&b);
}

static void
test_stats(void)
{
	static struct mapstats s;
	char name[16];

	take(&s, "a", 1, 3);
	ok(s.n == 1 && s.program[0]->n == 3 && s.program[0]->counter[2].value == 3, "counters");
	take(&s, "a", 2, 3);
	ok(s.n == 1 && s.program[0]->n == 4, "what is left out later stays");
	take(&s, "a", 1, 500);
	ok(s.program[0]->n == MAPSTATS_COUNTERS, "not more than so many");
	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "p%d", i);
		take(&s, name, 1, 1);
	}
	ok(s.n == MAPSTATS_PROGRAMS, "programs likewise");
	take(&s, "a", 3, 1);
	ok(s.program[0]->counter[2].value == 3, "those that are known go on");
}

int
main(void)
{
	test_indices();
	test_causes();
	test_stats();
	return done_testing();
}
