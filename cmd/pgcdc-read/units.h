#ifndef UNITS_H
#define UNITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The units that were emitted and are not yet stored downstream: a ring of their end
 * LSNs by seq, so that an ack can be checked and the position only moves from the tail.
 */
struct units {
	bool timed;          /* when they were committed is kept, too */
	uint64_t *lsn;
	int64_t *time;       /* NULL where it is not */
	size_t cap;          /* a power of two */
	uint64_t emitted;    /* seq of the last one emitted, 0: none */
	uint64_t stored;     /* seq of the last one stored */
	uint64_t stored_lsn; /* where everything before is stored */
};

/* No more units may be emitted until some are stored: 2 MiB of them wait. */
bool units_full(const struct units *);

/* Unit seq (the next one) was emitted and ends at lsn; it was committed at time (wall_us). */
void units_add(struct units *, uint64_t seq, uint64_t lsn, int64_t time);

/* Everything up to seq is stored.  -1: seq and lsn are not a unit that was emitted. */
int units_stored(struct units *, uint64_t seq, uint64_t lsn) __attribute__((warn_unused_result));

/* All that was emitted is stored. */
static inline bool
units_none_open(const struct units *u)
{
	return u->stored == u->emitted;
}

/* When the oldest one that is not stored was committed; 0: there is none, or it was not kept. */
static inline int64_t
units_oldest(const struct units *u)
{
	return u->time == NULL || units_none_open(u) ? 0 : u->time[(u->stored + 1) & (u->cap - 1)];
}

#endif
