/* The ring of units: acks are believed only where they can be true. */
#include <stdlib.h>

#include "tap.h"
#include "units.h"

/* The end of unit seq, in this test. */
static uint64_t
end_of(uint64_t seq)
{
	return 1000 + 40 * seq;
}

static void
test_acks(void)
{
	struct units u = { .stored_lsn = 1000 };

	ok(units_none_open(&u), "at first nothing is open");
	ok(units_stored(&u, 0, 1000) == 0, "an ack of nothing, with the start's position");
	ok(units_stored(&u, 0, 1001) != 0, "and with another one");
	ok(units_stored(&u, 1, end_of(1)) != 0, "an ack before there is a unit");
	for (uint64_t seq = 1; seq <= 3; seq++)
		units_add(&u, seq, end_of(seq), 0);
	ok(!units_none_open(&u), "three are open");
	ok(units_stored(&u, 4, end_of(4)) != 0, "an ack of the fourth");
	ok(units_stored(&u, 2, end_of(1)) != 0, "an ack with another's end");
	ok(u.stored == 0 && u.stored_lsn == 1000, "these moved nothing");
	ok(units_stored(&u, 2, end_of(2)) == 0, "an ack of two");
	ok(u.stored == 2 && u.stored_lsn == end_of(2), "moves to the second's end");
	ok(units_stored(&u, 2, end_of(2)) == 0, "again is no harm");
	ok(units_stored(&u, 2, end_of(3)) != 0, "but not with another end");
	ok(units_stored(&u, 1, end_of(1)) != 0, "nor backward");
	ok(units_stored(&u, 3, end_of(3)) == 0 && units_none_open(&u), "then the last one");
	free(u.lsn);
}

/* It grows while units are open, wherever its start is, and is full at some time. */
static void
test_growing(void)
{
	struct units u = { 0 };
	uint64_t seq = 0;
	int wrong = 0;

	for (; seq < 200; seq++)
		units_add(&u, seq + 1, end_of(seq + 1), 0);
	wrong += units_stored(&u, 150, end_of(150)) != 0;
	for (; !units_full(&u) && seq < 10000000; seq++)
		units_add(&u, seq + 1, end_of(seq + 1), 0);
	ok(seq == 150 + 256 * 1024, "it is full with 262144 open units");
	for (uint64_t s = 151; s <= seq; s += 7)
		wrong += units_stored(&u, s, end_of(s) + 1) == 0 ||
		    units_stored(&u, s, end_of(s)) != 0;
	ok(wrong == 0, "each is remembered");
	ok(!units_full(&u), "and there is room again");
	ok(u.cap * sizeof(*u.lsn) <= 4 << 20, "it needs little memory");
	free(u.lsn);
}

/* When the oldest open one was committed, where that is asked for. */
static void
test_times(void)
{
	struct units u = { .timed = true }, plain = { 0 };
	int wrong = 0;

	ok(units_oldest(&u) == 0, "at first there is no oldest");
	for (uint64_t seq = 1; seq <= 1000; seq++) {
		units_add(&u, seq, end_of(seq), 5000 + (int64_t)seq);
		if (seq % 3 == 0)
			wrong += units_stored(&u, seq / 3, end_of(seq / 3)) != 0;
		wrong += units_oldest(&u) != 5000 + (int64_t)(seq / 3) + 1;
	}
	ok(wrong == 0, "the oldest is the one behind what is stored, also while the ring grows");
	wrong += units_stored(&u, 1000, end_of(1000)) != 0;
	ok(wrong == 0 && units_oldest(&u) == 0, "none, when all are stored");
	units_add(&plain, 1, end_of(1), 5000);
	ok(units_oldest(&plain) == 0 && plain.time == NULL, "where nobody asks, nothing is kept");
	free(u.lsn);
	free(u.time);
	free(plain.lsn);
}

int
main(void)
{
	test_acks();
	test_growing();
	test_times();
	return done_testing();
}
