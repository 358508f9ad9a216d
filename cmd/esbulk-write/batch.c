#include <string.h>

#include "delivery.h"

#define PASSED_OVER 1000 /* items that may be, at least */
#define AHEAD       8    /* so many items earlier the memory for one is asked for */

/*
 * What goes into a lane's next request.  The documents of what must wait are bits by their
 * hash: where two share one, the later only waits without need.
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
	return !coalesce_has(&lane->delivery->coalesce, document) &&
	    !marked(lane->blocked, document);
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

/* Put the first that waits into the batch. */
static enum turn
join(struct lane *lane)
{
	struct coalesce *c = &lane->delivery->coalesce;
	struct items *batch = &lane->sending;
	struct item *item = lane->waiting.first, *other = NULL;
	size_t count = batch->count + 1, bytes = batch->bytes + item->len;
	enum coalesce_how how = COALESCE_ALONE;

	/* Without an id it makes a document of its own. */
	if (item->id_len > 0)
		how = coalesce_ask(c, item, &other);
	/* Which of the suspects is bad shows only where none is left out. */
	if (how == COALESCE_LATER || (how == COALESCE_REPLACES && lane->suspects > 0))
		return TURN_LATER;
	if (how == COALESCE_REPLACES) {
		count--;
		bytes -= other->len;
	}
	if (batch->count > 0 && (count > lane->max_docs || bytes > lane_bytes(lane)))
		return TURN_END;
	items_append(batch, items_take(&lane->waiting));
	if (how == COALESCE_REPLACES)
		coalesce_leave_out(c, batch, other, item);
	if (item->id_len > 0)
		coalesce_add(c, item);
	return TURN_NOW;
}

/* Most of what costs time here is to wait for memory. */
static void
expect(const struct coalesce *c, struct item **ahead)
{
	if (*ahead == NULL)
		return;
	coalesce_expect(c, *ahead);
	*ahead = (*ahead)->next;
}

void
lane_form_batch(struct lane *lane)
{
	struct coalesce *c = &lane->delivery->coalesce;
	size_t pass = lane->delivery->o->batch_docs;
	struct item *ahead = lane->waiting.first;
	struct items later;

	if (pass < PASSED_OVER)
		pass = PASSED_OVER;
	coalesce_begin(c);
	memset(lane->blocked, 0, sizeof(lane->blocked));
	lane->any_blocked = lane->any_merged = false;
	lane->reads = 0;
	items_init(&later);
	for (int i = 0; i < AHEAD; i++)
		expect(c, &ahead);
	while (lane->waiting.first != NULL && later.count < pass) {
		struct item *item = lane->waiting.first;
		enum turn t = item->state == ITEM_PLAIN && !lane->any_blocked
		    ? TURN_NOW
		    : turn(lane, item);

		expect(c, &ahead);
		if (t == TURN_NEVER) {
			delivery_let_go(lane->delivery, items_take(&lane->waiting));
			continue;
		}
		if (t == TURN_NOW && (t = join(lane)) == TURN_NOW) {
			lane->reads += item->state == ITEM_MERGE;
			continue;
		}
		if (t == TURN_END)
			break;
		/* A truncate waits for all, and its own deletes come behind it. */
		if (item->state != ITEM_TRUNCATE) {
			mark(lane->blocked, item->document);
			lane->any_blocked = true;
		}
		items_append(&later, items_take(&lane->waiting));
	}
	delivery_formed(lane, lane->sending.count, c->left_out);
	coalesce_end(c, &lane->sending);
	items_prepend(&lane->waiting, &later);
}
