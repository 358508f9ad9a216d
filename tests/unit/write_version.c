/* Versions count the actions on a document within a unit, and never reach the next one. */
#include "tap.h"
#include "version.h"

static struct version_places places;

/* Hashes as two documents have them whose counters are not shared. */
#define DOC_A UINT64_C(0x0000000100000007)
#define DOC_B UINT64_C(0x0000000200000007)

static void
test_places(void)
{
	bool good = true;

	version_begin(&places);
	ok(version_place(&places, DOC_A) == 0, "the first action on a document is 0");
	ok(version_place(&places, DOC_A) == 1, "the second is 1");
	ok(version_place(&places, DOC_B) == 0, "another document has a counter of its own");
	for (uint64_t k = 2; k <= 639; k++)
		good &= version_place(&places, DOC_A) == k;
	ok(good, "it counts to 639");
	for (int i = 0; i < 1000; i++)
		good &= version_place(&places, DOC_A) == VERSION_LAST_PLACE;
	ok(good, "and stays there");
	version_begin(&places);
	ok(version_place(&places, DOC_A) == 0 && version_place(&places, DOC_B) == 0,
	    "a unit starts at 0");
	version_place(&places, DOC_A);
	version_begin(&places);
	ok(version_place(&places, DOC_A) == 0, "so does one that begins again");
}

static void
test_truncate(void)
{
	version_begin(&places);
	ok(version_truncate(&places) == 0, "a truncate before all is 0");
	ok(version_place(&places, DOC_A) == 1 && version_place(&places, DOC_B) == 1,
	    "what follows, on any document, is 1");
	version_place(&places, DOC_A);
	ok(version_truncate(&places) == 3, "another is what the next action on A would be");
	ok(version_place(&places, DOC_B) == 4 && version_place(&places, DOC_A) == 4 &&
	        version_place(&places, DOC_A) == 5,
	    "and they go on from there");
	for (int i = 0; i < 650; i++)
		version_truncate(&places);
	ok(version_truncate(&places) == VERSION_LAST_PLACE &&
	        version_place(&places, DOC_B) == VERSION_LAST_PLACE,
	    "to 639");
	version_begin(&places);
	ok(version_place(&places, DOC_B) == 0 && version_truncate(&places) == 1,
	    "a unit starts at 0 again");
}

/* The mark by which counters are known to be old ones comes round. */
static void
test_wrap(void)
{
	static struct version_places p;

	version_begin(&p);
	version_place(&p, DOC_A);
	p.unit = UINT32_MAX >> 10; /* the last */
	version_begin(&p);
	ok(version_place(&p, DOC_A) == 0 && version_place(&p, DOC_B) == 0,
	    "the unit's number may wrap: the first unit's counters are not taken for its own");
	ok(version_place(&p, DOC_A) == 1, "and counting goes on");
}

static void
test_of_unit(void)
{
	uint64_t v = 0;

	ok(version_of_unit(0, 0x16B374D848, 0, &v) == 0 && v == 0x16B374D8480,
	    "a version is the commit's LSN, with room behind it");
	ok(version_of_unit(0, 1000, 639, &v) == 0 && v == 16639, "and the place");
	ok(version_of_unit(3, 1000, 2, &v) == 0 && v == (UINT64_C(3) << 60) + 16002,
	    "and the epoch times 2^60");
	ok(version_of_unit(VERSION_LAST_EPOCH, (UINT64_C(1) << 56) - 40, 639, &v) == 0 &&
	        v == (UINT64_C(7) << 60) - 1,
	    "up to the highest");
	ok(version_of_unit(0, UINT64_C(1) << 56, 0, &v) != 0,
	    "an LSN from 2^56 on would be another epoch's");
	ok(version_of_unit(0, UINT64_MAX, 639, &v) != 0, "one that overflows is seen");
	ok(version_of_unit(0, (UINT64_C(1) << 56) - 39, 639, &v) != 0,
	    "also when only the place makes it");
}

int
main(void)
{
	test_places();
	test_truncate();
	test_wrap();
	test_of_unit();
	return done_testing();
}
