#ifndef FRONTIER_H
#define FRONTIER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Which units are stored: the units that were read, in order, each with how many of its
 * actions are not yet done.  The frontier is the last unit of which, and of all before
 * which, everything is stored; only that is acknowledged.  A unit without open actions
 * is folded into the one before, so there are never more than open actions plus one.
 */

struct unit {
	uint64_t seq, lsn;
	uint64_t open; /* actions not yet done */
	int64_t time;  /* of its B, as xid and has_xid */
	uint32_t xid;
	bool has_xid;
	bool complete; /* its C was read */
	bool dropped;  /* its C will never come: nothing is acknowledged for it */
};

struct frontier {
	struct unit *ring;
	size_t cap;          /* a power of two */
	uint64_t first, end; /* serial numbers of the units in the ring: [first, end) */
	bool in_unit;
	uint64_t seq, lsn;   /* what may be acknowledged; seq 0: nothing yet */
};

/* B: open a unit, or begin the open one again; its open actions stay counted. */
void frontier_begin(struct frontier *);

/* What the open unit's B says, for whom its items concern. */
void frontier_about(struct frontier *, int64_t time, bool has_xid, uint32_t xid);

/* The unit of an item that is not done. */
const struct unit *frontier_unit(const struct frontier *, uint64_t unit);

/* An action of the open unit was taken; returns what its item keeps as unit. */
uint64_t frontier_add(struct frontier *);

/* Bytes that the units take. */
static inline size_t
frontier_bytes(const struct frontier *f)
{
	return f->cap * sizeof(*f->ring);
}

/* Does the next unit need more of them, twice as many? */
static inline bool
frontier_full(const struct frontier *f)
{
	return !f->in_unit && f->cap > 0 && f->end - f->first == f->cap;
}

/* C: the open unit is complete. */
void frontier_commit(struct frontier *, uint64_t seq, uint64_t lsn);

/* A run ended inside a unit: it stays without ack.  No-op outside. */
void frontier_drop(struct frontier *);

/* An action is stored. */
void frontier_done(struct frontier *, uint64_t unit);

/* Is there a complete unit that is not stored yet? */
bool frontier_pending(const struct frontier *);

/* H: seq starts over.  Units of the run before stay until they are done. */
void frontier_restart(struct frontier *);

#endif
