#ifndef VISIBLE_H
#define VISIBLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Which transactions does a snapshot of the server see?  With synchronous replication, and in
 * a small moment without it, a commit is in the log, and streamed, before others see it: locks
 * and the list of running transactions are given up behind it (src/backend/access/transam/
 * xact.c, CommitTransaction).
 */

/* pg_snapshot's text, xmin:xmax:running,..., which it points into.  xids have 64 bits. */
struct visible {
	uint64_t xmin, xmax;
	const char *running; /* from the first separator on */
};

/* Take the text; it must stay. */
void visible_parse(struct visible *, const char *text);

/*
 * Was that transaction, of 32 bits and not a subtransaction, over when the snapshot was taken:
 * its work is seen, or never will be?
 */
bool visible_over(const struct visible *, uint32_t xid);

/*
 * Transactions that every snapshot from some point on must see: those that the stream brought.
 * Zeroed memory is an empty list.
 */
struct visible_list {
	uint32_t *xid;
	size_t n, cap;
	uint64_t dropped; /* how many went out in front: places are counted from the first ever */
};

/* Add one behind the others, unless it is the last one. */
void visible_add(struct visible_list *, uint32_t xid);

/* The place behind the last one. */
uint64_t visible_end(const struct visible_list *);

/* Are all below that place over for the snapshot?  Else *xid is one that is not. */
bool visible_all(const struct visible_list *, uint64_t end, const struct visible *, uint32_t *xid);

/* Drop those below that place that are over for the snapshot, from the front. */
void visible_drop(struct visible_list *, uint64_t end, const struct visible *);

/*
 * Drop all that are over for the snapshot, from anywhere.  Places from before are worth nothing
 * then: only where nobody has one.
 */
void visible_compact(struct visible_list *, const struct visible *);

void visible_free(struct visible_list *);

#endif
