#include <string.h>

#include "delivery.h"

/*
 * What goes into a lane's next request.  Sets of documents are bits by their hash: where
 * two share one, the later only waits without need.
 */

static bool
marked(const uint64_t *set, uint64_t document)
{
	return (set[document >> 6 & 63] >> (document & 63) & 1) != 0;
}

static void
mark(uint64_t *set, uint64_t document)
{
	set[document >> 6 & 63] |= UINT64_C(1) << (document & 63);
}

/*
 * May the item go in the request with those before?  The cluster keeps the order inside a
 * request, but where one of two actions on a document is told to come again, only the
 * version keeps the other from overtaking it.
 */
static bool
may_join(struct lane *lane, const struct item *item)
{
	bool met = marked(lane->seen, item->document);

	/* Without an id it makes a document of its own. */
	if (item->id_len == 0)
		return true;
	if (met && (lane->unversioned || !item->versioned))
		return false;
	mark(lane->seen, item->document);
	lane->unversioned |= !item->versioned;
	return true;
}

enum turn {
	TURN_NOW,
	TURN_LATER, /* and so what follows on its document */
	TURN_END,   /* in the next request, with all behind it */
	TURN_NEVER, /* forget it */
};

/* Is all stored that came before on the document? */
static bool
is_clear(const struct lane *lane, uint64_t document)
{
	return !marked(lane->seen, document) && !marked(lane->blocked, document);
}

/* The delete behind a merge_from. */
static enum turn
gate_turn(struct lane *lane, struct item *item)
{
	struct lane *reader = delivery_lane(lane->delivery, merge_gate(item)->document);

	/* In its own lane the merge, which is before it, looks for itself. */
	if (item->state == ITEM_GATED && reader != lane && is_clear(lane, item->document)) {
		item->state = ITEM_CLEAR;
		reader->stalled = false;
	}
	return TURN_LATER;
}

static enum turn
merge_turn(struct lane *lane, const struct item *item)
{
	struct item *old = merge_of(item)->old;

	/* What was read for goes first, so that little is held. */
	if (lane->any_merged || lane->reads >= lane->max_reads)
		return TURN_END;
	if (old != NULL) {
		if (old->state == ITEM_GATED &&
		    delivery_lane(lane->delivery, old->document) == lane &&
		    is_clear(lane, old->document))
			old->state = ITEM_CLEAR;
		if (old->state != ITEM_CLEAR)
			return TURN_LATER;
	} else if (!is_clear(lane, item->document)) {
		return TURN_LATER;
	}
	return TURN_NOW;
}

static enum turn
turn(struct lane *lane, struct item *item)
{
	if (lane->any_blocked && item->id_len > 0 && marked(lane->blocked, item->document))
		return TURN_LATER;
	switch ((enum item_state)item->state) {
	case ITEM_PLAIN:
	case ITEM_LEFT_OUT: return TURN_NOW; /* no such one waits */
	case ITEM_MERGED: lane->any_merged = true; return TURN_NOW;
	case ITEM_MERGE: return merge_turn(lane, item);
	case ITEM_GATED:
	case ITEM_CLEAR: return gate_turn(lane, item);
	case ITEM_VOID: return TURN_NEVER;
	case ITEM_TRUNCATE: return lane->delivery->waiting == 1 ? TURN_NOW : TURN_LATER;
	}
	return TURN_NOW;
}

/* Put the first that waits into the batch.  False: it must wait for the next one. */
static bool
join(struct lane *lane)
{
	struct coalesce *c = &lane->delivery->coalesce;
	struct items *batch = &lane->sending;
	struct item *item = lane->waiting.first;
	/* Which of the suspects is bad shows only where none is left out. */
	struct item *needless = lane->suspects == 0 ? coalesce_find(c, item) : NULL;
	size_t count = batch->count + 1, bytes = batch->bytes + item->len;

	if (needless != NULL) {
		count--;
		bytes -= needless->len;
	}
	if (batch->count > 0 && (count > lane->max_docs || bytes > lane_bytes(lane)))
		return false;
	if (needless == NULL && !may_join(lane, item))
		return false;
	items_append(batch, items_take(&lane->waiting));
	if (needless != NULL)
		coalesce_leave_out(c, batch, needless, item);
	return true;
}

void
lane_form_batch(struct lane *lane)
{
	struct coalesce *c = &lane->delivery->coalesce;
	struct items later;

	coalesce_begin(c);
	memset(lane->seen, 0, sizeof(lane->seen));
	memset(lane->blocked, 0, sizeof(lane->blocked));
	lane->unversioned = lane->any_blocked = lane->any_merged = false;
	lane->reads = 0;
	items_init(&later);
	while (lane->waiting.first != NULL) {
		struct item *item = lane->waiting.first;
		enum turn t = item->state == ITEM_PLAIN && !lane->any_blocked
		    ? TURN_NOW
		    : turn(lane, item);

		if (t == TURN_NEVER) {
			delivery_let_go(lane->delivery, items_take(&lane->waiting));
			continue;
		}
		if (t == TURN_LATER) {
			/* A truncate waits for all, and its own deletes come behind it. */
			if (item->state != ITEM_TRUNCATE) {
				mark(lane->blocked, item->document);
				lane->any_blocked = true;
			}
			items_append(&later, items_take(&lane->waiting));
			continue;
		}
		if (t == TURN_END || !join(lane))
			break;
		lane->reads += item->state == ITEM_MERGE;
	}
	delivery_formed(lane, lane->sending.count, c->left_out);
	coalesce_end(c, &lane->sending);
	items_prepend(&lane->waiting, &later);
}
