#ifndef COALESCE_H
#define COALESCE_H

#include <stdbool.h>
#include <stdint.h>

#include "queue.h"

/*
 * Of several index and delete actions on one document that would share a request only the
 * last is sent, where nothing but its body and version tells it from the one before: the
 * same index, id, routing, pipeline and require_alias.  Between two of another routing
 * nothing is left out, or a document would stay under the old one.
 *
 * What is left out is the older action of the one that is sent: it is done when that is
 * stored, and sent after all when that is rejected.
 */
struct coalesce {
	uint32_t batch; /* of which the slots below are */
	/* The last item on a document; two that share a slot forget each other. */
	struct {
		uint32_t batch;
		struct item *item;
	} slot[16384];
	size_t left_out; /* of this batch */
};

/* A batch begins. */
void coalesce_begin(struct coalesce *);

/*
 * The item of the batch that this one, which comes behind all of it, makes needless; or
 * NULL.  The next on the document that joins the batch must be this one.
 */
struct item *coalesce_find(struct coalesce *, struct item *);

/* It joined: leave the other, which is in the batch's list until coalesce_end, out. */
void coalesce_leave_out(struct coalesce *, struct items *batch, struct item *needless,
    struct item *by);

/* Take what is left out from the list. */
void coalesce_end(struct coalesce *, struct items *batch);

/* Take the older action, to be sent or let go of; NULL: there is none. */
struct item *coalesce_older(struct item *);

#endif
