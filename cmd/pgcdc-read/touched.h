#ifndef TOUCHED_H
#define TOUCHED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "row.h"

/*
 * The keys of rows that units changed while chunks of their tables were read: such a row of a
 * chunk may be older than what the stream brought, so it is left out.  Leaving out a row that
 * was touched is always right, for the stream brings all that comes after the touch.
 *
 * Keys are known by a keyed hash of 128 bits (SipHash, "SipHash: a fast short-input PRF",
 * Aumasson and Bernstein): a row that is taken for another would be lost.
 */

struct touched_key {
	uint64_t hash[2];
};

struct touched_entry {
	struct touched_key key;
	uint64_t at; /* 0: the entry is free */
};

/* Zero it, then touched_init. */
struct touched {
	struct touched_entry *entry;
	size_t n;
	uint64_t now; /* touches so far */
	uint64_t secret[2];
};

void touched_init(struct touched *);

/*
 * What tells a row of this table from the others, by tuples of the columns that say it: the
 * replica identity's; with FULL the primary key's, if it is known; else all columns.  false: a
 * value that belongs to it was not sent.
 */
bool touched_key(const struct touched *, const struct relation *, const struct tuple *,
    struct touched_key *) __attribute__((warn_unused_result));

/* Are rows of both definitions known by the same columns? */
bool touched_alike(const struct relation *, const struct relation *);

/* Touch it now.  false: there are too many, and it was not taken. */
bool touched_add(struct touched *, const struct touched_key *) __attribute__((warn_unused_result));

/* When it was touched last; 0: not since the last touched_forget. */
uint64_t touched_at(const struct touched *, const struct touched_key *);

/* Forget what was touched at that time or before. */
void touched_forget(struct touched *, uint64_t at);

void touched_free(struct touched *);

#endif
