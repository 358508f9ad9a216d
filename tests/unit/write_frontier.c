/* Only what is stored, and everything before it, is acknowledged. */
#include "frontier.h"
#include "tap.h"

static bool
at(const struct frontier *f, uint64_t seq)
{
	if (f->seq != seq)
		printf("# the frontier is at %llu, not at %llu\n", (unsigned long long)f->seq,
		    (unsigned long long)seq);
	return f->seq == seq && f->lsn == 100 * seq;
}

/* A whole unit with so many actions; returns what their items keep. */
static uint64_t
unit(struct frontier *f, uint64_t seq, int actions)
{
	uint64_t serial = 0;

	frontier_begin(f);
	while (actions-- > 0)
		serial = frontier_add(f);
	frontier_commit(f, seq, 100 * seq);
	return serial;
}

static void
test_order(void)
{
	static struct frontier f;
	uint64_t u1 = unit(&f, 1, 2), u2 = unit(&f, 2, 1), u3 = unit(&f, 3, 1);

	ok(at(&f, 0), "nothing is stored at first");
	frontier_done(&f, u2);
	frontier_done(&f, u1);
	ok(at(&f, 0), "a unit with an open action holds those behind it");
	frontier_done(&f, u1);
	ok(at(&f, 2), "its last action lets go of the stored ones behind it");
	frontier_done(&f, u3);
	ok(at(&f, 3), "and so on");
}

static void
test_open_unit(void)
{
	static struct frontier f;
	uint64_t u;

	frontier_begin(&f);
	u = frontier_add(&f);
	frontier_done(&f, u);
	ok(at(&f, 0) && f.in_unit, "a unit without its C is not stored");
	u = frontier_add(&f);
	frontier_commit(&f, 1, 100);
	ok(at(&f, 0) && !f.in_unit, "nor is one whose last action is open at its C");
	frontier_done(&f, u);
	ok(at(&f, 1), "but then it is");
}

static void
test_empty(void)
{
	static struct frontier f;
	uint64_t u;

	unit(&f, 1, 0);
	ok(at(&f, 1), "an empty unit is stored at once");
	u = unit(&f, 2, 1);
	for (uint64_t seq = 3; seq <= 100000; seq++)
		unit(&f, seq, 0);
	ok(at(&f, 1), "empty units behind an open one wait for it");
	ok(f.cap <= 64, "and take no memory");
	frontier_done(&f, u);
	ok(at(&f, 100000), "then all of them are stored");
}

static void
test_again(void)
{
	static struct frontier f;
	uint64_t first, second;

	frontier_begin(&f);
	first = frontier_add(&f);
	frontier_begin(&f);
	second = frontier_add(&f);
	frontier_commit(&f, 1, 100);
	frontier_done(&f, second);
	ok(at(&f, 0), "of a unit that began again, the first attempt counts too");
	frontier_done(&f, first);
	ok(at(&f, 1), "and it is stored when both attempts are");
}

static void
test_dropped(void)
{
	static struct frontier f;
	uint64_t u1 = unit(&f, 1, 1), cut, u2;

	frontier_begin(&f);
	cut = frontier_add(&f);
	frontier_drop(&f);
	frontier_drop(&f);
	ok(!f.in_unit, "a cut unit is closed, once or twice");
	u2 = unit(&f, 2, 1);
	frontier_done(&f, u1);
	frontier_done(&f, u2);
	ok(at(&f, 1), "its actions hold the units behind it");
	frontier_done(&f, cut);
	ok(at(&f, 2), "without being acknowledged itself");
	frontier_begin(&f);
	frontier_drop(&f);
	ok(at(&f, 2) && f.first == f.end, "nor is a cut one that is empty");
}

static void
test_pending(void)
{
	static struct frontier f;
	uint64_t u, cut;

	ok(!frontier_pending(&f), "nothing is pending at first");
	u = unit(&f, 1, 1);
	ok(frontier_pending(&f), "a complete unit with an open action is");
	frontier_begin(&f);
	cut = frontier_add(&f);
	frontier_drop(&f);
	ok(frontier_pending(&f), "also with a cut one behind it");
	frontier_done(&f, u);
	ok(!frontier_pending(&f), "a cut one alone is not");
	frontier_done(&f, cut);
	ok(!frontier_pending(&f), "nor is what is stored");
}

static void
test_restart(void)
{
	static struct frontier f;
	uint64_t u;

	unit(&f, 7, 0);
	frontier_begin(&f);
	u = frontier_add(&f);
	frontier_restart(&f);
	ok(at(&f, 0) && !f.in_unit, "a new run has nothing stored and no open unit");
	unit(&f, 1, 0);
	ok(at(&f, 0), "what its predecessor left open still holds it");
	frontier_done(&f, u);
	ok(at(&f, 1), "until that is stored");
}

/* Many open units, over several growths of the ring, done in an order of no sense. */
static void
test_many(void)
{
	enum { N = 5000, STEP = 1237 }; /* without a common divisor */
	static bool done[N];
	static struct frontier f;
	uint64_t first = 0, want = 0;
	bool good = true;

	/* So that the ring's start is not the array's. */
	for (uint64_t seq = 1; seq <= 50; seq++)
		unit(&f, seq, 0);
	for (uint64_t i = 0; i < N; i++) {
		uint64_t u = unit(&f, 51 + i, 1);

		if (i == 0)
			first = u;
	}
	for (uint64_t i = 0; i < N; i++) {
		uint64_t k = i * STEP % N;

		frontier_done(&f, first + k);
		done[k] = true;
		while (want < N && done[want])
			want++;
		good &= f.seq == 50 + want;
	}
	ok(good, "5,000 units in any order: the frontier is always at the first open one");
	ok(frontier_bytes(&f) < N * sizeof(struct unit), "their memory goes back");
	frontier_done(&f, unit(&f, 50 + N + 1, 1));
	ok(at(&f, 50 + N + 1), "and it goes on");
}

int
main(void)
{
	test_order();
	test_open_unit();
	test_empty();
	test_again();
	test_dropped();
	test_pending();
	test_restart();
	test_many();
	return done_testing();
}
