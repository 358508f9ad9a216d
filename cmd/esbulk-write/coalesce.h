#ifndef COALESCE_H
#define COALESCE_H

#include <stdbool.h>
#include <stdint.h>

#include "queue.h"

/*
 * The documents of a batch.  Of several index and delete actions on one document only the
 * last is sent, where nothing but its body and version tells it from the one before: the same
 * index, id, routing, pipeline and require_alias.  Between two of another routing nothing is
 * left out, or a document would stay under the old one.
 *
 * What is left out is the older action of the one that is sent: it is done when that is
 * stored, and sent after all when that is rejected.
 */
struct coalesce {
	uint32_t batch; /* of which the slots below are */
	/* The last item on each document, by its hash; open addressing. */
	struct coalesce_slot {
		uint32_t batch, tag;
		struct item *item;
	} *slot, *asked; /* asked: of the item that coalesce_ask was asked about last */
	size_t cap, n;   /* cap is a power of two */
	size_t left_out; /* of this batch */
};

enum coalesce_how {
	COALESCE_ALONE,    /* the first on its document: it may join the batch */
	COALESCE_BEHIND,   /* it may join it behind the other */
	COALESCE_REPLACES, /* it may join it, and the other need not be sent */
	COALESCE_LATER,    /* not before the other is stored */
};

/* A batch begins. */
void coalesce_begin(struct coalesce *);

/* The item will be asked about soon: have its place in the cache by then. */
static inline void
coalesce_expect(const struct coalesce *c, const struct item *item)
{
	if (c->cap > 0)
		__builtin_prefetch(&c->slot[item->document & (c->cap - 1)]);
}

/* Is there an action on that document in the batch? */
bool coalesce_has(const struct coalesce *, uint64_t document);

/* An item that comes behind all of the batch.  *other: the last on its document, if any. */
enum coalesce_how coalesce_ask(struct coalesce *, const struct item *, struct item **other);

/* It joined the batch: the one that was asked about just now. */
void coalesce_add(struct coalesce *, struct item *);

/* And replaces another, which is in the batch's list until coalesce_end. */
void coalesce_leave_out(struct coalesce *, struct items *batch, struct item *needless,
    struct item *by);

/* Take what is left out from the list. */
void coalesce_end(struct coalesce *, struct items *batch);

/* Take the older action, to be sent or let go of; NULL: there is none. */
struct item *coalesce_older(struct item *);

#endif
