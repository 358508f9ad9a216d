#include <string.h>

#include "version.h"

#define EPOCH_BITS 60
#define LSN_BITS   56
#define PLACE_BITS 4 /* an LSN's share of the places: 16 for each byte of the log */

/* A counter: the unit's number, and behind it what is counted. */
#define COUNT_BITS 10
#define COUNT_MAX  ((1u << COUNT_BITS) - 1)
#define UNIT_MAX   (UINT32_MAX >> COUNT_BITS)

_Static_assert(VERSION_LAST_PLACE <= COUNT_MAX, "a counter holds every place");
_Static_assert((VERSION_LAST_PLACE + 1) == VERSION_COMMIT_APART << PLACE_BITS,
    "the last place is just below the next commit's first");

void
version_begin(struct version_places *v)
{
	/* 0 is what untouched counters say, so it is never a unit's number. */
	if (++v->unit > UNIT_MAX) {
		memset(v->place, 0, sizeof(v->place));
		v->unit = 1;
	}
	v->highest = v->floor = 0;
}

uint64_t
version_place(struct version_places *v, uint64_t document)
{
	uint32_t *place = &v->place[version_place_of(document)];
	uint16_t k = 0, next;

	if (*place >> COUNT_BITS == v->unit)
		k = *place & COUNT_MAX;
	if (k < v->floor)
		k = v->floor;
	next = (uint16_t)(k < VERSION_LAST_PLACE ? k + 1 : k);
	*place = v->unit << COUNT_BITS | next;
	if (next > v->highest)
		v->highest = next;
	return k;
}

uint64_t
version_truncate(struct version_places *v)
{
	uint16_t k = v->highest;

	v->floor = v->highest = (uint16_t)(k < VERSION_LAST_PLACE ? k + 1 : k);
	return k;
}

int
version_of_unit(uint64_t epoch, uint64_t lsn, uint64_t place, uint64_t *version)
{
	uint64_t of_lsn;

	if (lsn >= UINT64_C(1) << LSN_BITS)
		return -1;
	of_lsn = (lsn << PLACE_BITS) + place;
	if (of_lsn >= UINT64_C(1) << EPOCH_BITS)
		return -1;
	*version = (epoch << EPOCH_BITS) + of_lsn;
	return 0;
}
