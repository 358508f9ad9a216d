#include <string.h>

#include "version.h"

#define EPOCH_BITS 56

void
version_begin(struct version_places *v)
{
	/* 0 is what untouched counters say, so it is never a unit's number. */
	if (++v->unit == 0) {
		memset(v, 0, sizeof(*v));
		v->unit = 1;
	}
	v->highest = v->floor = 0;
}

uint64_t
version_place(struct version_places *v, uint64_t document)
{
	size_t i = (document >> 32) % (sizeof(v->place) / sizeof(v->place[0]));
	uint8_t k;

	if (v->place[i].unit != v->unit) {
		v->place[i].unit = v->unit;
		v->place[i].next = 0;
	}
	k = v->place[i].next;
	if (k < v->floor)
		k = v->floor;
	v->place[i].next = (uint8_t)(k < VERSION_LAST_PLACE ? k + 1 : k);
	if (v->place[i].next > v->highest)
		v->highest = v->place[i].next;
	return k;
}

uint64_t
version_truncate(struct version_places *v)
{
	uint8_t k = v->highest;

	v->floor = v->highest = (uint8_t)(k < VERSION_LAST_PLACE ? k + 1 : k);
	return k;
}

int
version_of_unit(uint64_t epoch, uint64_t lsn, uint64_t place, uint64_t *version)
{
	if (lsn >= (UINT64_C(1) << EPOCH_BITS) - place)
		return -1;
	*version = (epoch << EPOCH_BITS) + lsn + place;
	return 0;
}
