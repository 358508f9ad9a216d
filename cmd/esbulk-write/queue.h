#ifndef QUEUE_H
#define QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frame.h"

/*
 * The memory of actions that wait or are in flight: chunks of one size from a pool with
 * a limit, so that nothing is allocated per action, nothing fragments, and the sum is
 * known.  A chunk goes back to the pool when its last item is done.
 */

/* What must happen before an item is sent; see merge.h and truncate.h. */
enum item_state {
	ITEM_PLAIN,  /* nothing */
	ITEM_MERGE,  /* members of a stored document are wanted in it */
	ITEM_MERGED, /* they are there */
	ITEM_GATED,  /* deletes what a merge is to read: for which everything before it must
	              * be stored */
	ITEM_CLEAR,  /* the same when it is: the merge may read, and must be stored itself */
	ITEM_VOID,   /* never: the action that it follows was rejected */
	ITEM_TRUNCATE, /* everything before it must be stored */
	ITEM_LEFT_OUT, /* not at all, unless the action that is sent in its place is rejected;
	                * see coalesce.h */
};

/*
 * One bulk action: its action line and its body stand behind it, newlines included, and
 * what merge.h has to say behind these.
 */
struct item {
	struct item *next;
	struct chunk *chunk;
	uint64_t unit;      /* see frontier.h */
	uint64_t lsn;       /* of the unit's commit record */
	uint64_t document;  /* hash of index and id */
	uint64_t version;   /* where it is versioned */
	struct item *older; /* left out for this one; or NULL */
	uint32_t relid;     /* 0: none */
	uint32_t len;       /* bytes of text */
	uint16_t index_at, index_len, id_at; /* in text, escaped as JSON has it */
	uint16_t id_len;
	uint16_t status;    /* of the last answer */
	uint16_t tally;     /* see tally.h: of its index; 0: not looked for */
	uint8_t op;         /* enum frame_op */
	uint8_t verdict;    /* enum verdict, of the last answer */
	uint8_t errors;     /* answers of 500, its request's too, saturating */
	uint8_t tries;      /* answers to try again in a row, saturating */
	bool versioned;
	bool resent;        /* it had been left out for one that was rejected */
	bool live;          /* a change of just now, with a version */
	uint8_t state;      /* enum item_state */
	char text[];
};

/* A first-in first-out list. */
struct items {
	struct item *first, **end;
	size_t count;
	size_t bytes; /* of their text */
};

struct queue {
	size_t limit;
	size_t used;         /* bytes of chunks that hold items */
	struct chunk *spare; /* chunks of the common size */
};

struct chunk;

/* No more may be taken: what is in there has to be stored first. */
bool queue_full(const struct queue *);

/*
 * Memory for an item with text bytes behind it, from the chunk that *current points
 * to, or a new one that it then points to.  Only what follows next is not yet set.
 */
struct item *queue_add(struct queue *, struct chunk **current, size_t text);

/* The item is done: its memory goes back. */
void queue_done(struct queue *, struct item *);

/* What belongs to its items but lies elsewhere for a while counts, too. */
static inline void
queue_charge(struct queue *q, size_t bytes)
{
	q->used += bytes;
}

static inline void
queue_release(struct queue *q, size_t bytes)
{
	q->used -= bytes;
}

/*
 * The lane puts nothing more into the chunk, so that it can go back.  A lane without
 * items must do so: half-filled chunks of idle lanes could be all that the limit allows.
 */
void queue_close(struct queue *, struct chunk **current);

void items_init(struct items *);
void items_append(struct items *, struct item *);
/* Put all of front before what list holds; front is empty then. */
void items_prepend(struct items *list, struct items *front);
/* Take one that is in the list. */
void items_remove(struct items *, struct item *);
/* Take the first; NULL when there is none. */
struct item *items_take(struct items *);

#endif
