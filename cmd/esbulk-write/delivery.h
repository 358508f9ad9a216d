#ifndef DELIVERY_H
#define DELIVERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <curl/curl.h>

#include "answer.h"
#include "body.h"
#include "buf.h"
#include "coalesce.h"
#include "connection.h"
#include "dead.h"
#include "frontier.h"
#include "merge.h"
#include "node.h"
#include "options.h"
#include "pace.h"
#include "queue.h"
#include "rate.h"
#include "side.h"
#include "tables.h"
#include "tally.h"
#include "truncate.h"

/*
 * Lanes: the hash of (index, id) picks one of N, and each has one request in flight, so
 * that two actions on one document never are in flight together and keep their order.
 * An idle lane sends at once whatever it has; a busy one lets its batch grow.
 */

struct delivery;

/* What a lane's request is. */
enum lane_request {
	LANE_BULK,     /* the items, to be stored */
	LANE_READ,     /* documents that some of them merge */
	LANE_TRUNCATE, /* a step of a truncate, which is the only item */
};

struct lane {
	struct delivery *delivery;
	struct items waiting; /* to be sent, in order */
	struct items sending; /* the request in flight, in order */
	struct chunk *chunk;  /* where the next item goes */
	int64_t first_at;     /* when waiting's first came */
	int64_t sent_at;      /* the request in flight */
	struct connection connection;
	bool busy;
	struct node *node;
	enum lane_request request;
	struct body body; /* of a bulk request */
	struct answer *answer;
	struct buf refusal; /* the start of an answer that is no bulk answer */
	size_t max_docs, max_bytes; /* of a request, as the cluster takes them */
	size_t suspects;            /* see trouble.c: first of waiting, one of them is bad */
	unsigned errors;            /* requests answered by 500 in a row */
	unsigned failures;          /* in a row */
	unsigned unreadable;        /* answers in a row */
	int64_t unreadable_since;
	int64_t backoff_until;
	/* The answer's errors: first of those to be tried again, and all of rejected items. */
	const struct item *loud_item;
	struct answer_error loud, retry;
	size_t pushed_back; /* bytes of those that are 429 */
	struct buf rejects; /* see reject.h */
	int64_t loud_since; /* 0: the lane has nothing of the kind */
	/* Documents of items that were left waiting when the batch was formed. */
	uint64_t blocked[64];
	bool any_blocked, any_merged;
	bool stalled; /* all that waits waits for another lane */
	size_t folds;    /* actions for each that was sent, in the last batch; 1 at least */
	int64_t hold_us; /* what that lets a batch wait to grow, in a dense stream */
	size_t reads, max_reads; /* items of the batch that merge; documents at a time */
	/* Bodies of other requests than bulk requests, and their answers. */
	struct buf url, ask, got;
	size_t charged; /* to the queue, for got or a packed body */
	bool overflowed; /* the answer was given up for its size */
	enum tally_cause cause; /* of the retry that is said next */
};

struct delivery {
	const struct options *o;
	CURLM *multi;
	struct login login;
	struct nodes nodes;
	struct side side;
	struct queue queue;
	struct coalesce coalesce;
	struct frontier frontier;
	size_t units_charged; /* bytes of it, to the queue */
	struct tables tables;
	struct lane *lane;
	size_t lanes, busy;
	size_t next;         /* the lane that may send first */
	struct pace pace;
	size_t waiting;      /* items in all lanes, in flight included */
	uint64_t arrived;    /* since the last look at rate */
	struct rate rate;
	int64_t hold_us;     /* how long a batch may wait to grow, now */
	bool ever_worked;    /* the cluster took a request */
	int64_t denied_since; /* 0: not denied */
	int64_t said_at;      /* when a retry was logged last */
	int64_t loud_said_at; /* when one that somebody must look at was */
	int64_t missing_said_at; /* when a merge that found nothing was */
	struct truncate truncate;
	struct dead dead;
	uint64_t dead_letters;
	size_t dead_in_row;      /* without an action stored in between */
	int64_t dead_said_at;
	struct buf lone;         /* what the last request of one action was refused with */
	unsigned lone_equal;     /* how often, with no request taken in between */
	uint64_t stored, coalesced, conflicts, retries, requests;
	uint64_t live, live_conflicts; /* of late; see note_live in lane.c */
	bool live_said;
	uint64_t stored_bytes;  /* of text */
	uint64_t merge_missing; /* merges that lacked something */
	struct tally tally;
};

/*
 * What delivery.c does with a lane; lane.c has the requests and what their answers mean,
 * batch.c what goes into one.
 */

/* Bytes of a request at most, now. */
static inline size_t
lane_bytes(const struct lane *lane)
{
	size_t bytes = lane->delivery->pace.bytes;

	return lane->max_bytes < bytes ? lane->max_bytes : bytes;
}

/* Move what may go now from waiting to sending; it may be nothing. */
void lane_form_batch(struct lane *);

/* 0, or -1 when libcurl cannot be had. */
int lane_init(struct lane *, struct delivery *) __attribute__((warn_unused_result));

/* Send the next batch of an idle lane that has items.  An exit status (logged), or -1. */
int lane_send(struct lane *, int64_t now);

/* libcurl is done with the lane's request.  An exit status (logged), or -1. */
int lane_finished(struct lane *, CURLcode, int64_t now);

/* 0, or -1 when libcurl cannot be had. */
int delivery_init(struct delivery *, const struct options *) __attribute__((warn_unused_result));

/* The lane of a document, by the upper bits of its hash. */
struct lane *delivery_lane(struct delivery *, uint64_t document);

/* Memory for an item of text bytes in its lane; delivery_add puts it there. */
struct item *delivery_item(struct delivery *, struct lane *, size_t text);

/* Set what says whose action it is, as one of the open unit's.  len, lsn are the caller's. */
void delivery_fill(struct delivery *, struct item *, const struct action_line *,
    const struct frame_action *, uint64_t document, bool versioned, uint64_t version);
void delivery_add(struct delivery *, struct lane *, struct item *);

/*
 * Start requests on idle lanes, and let libcurl work.  hurry: don't linger, the queue is
 * full or the stream ended.  Returns an exit status (logged), or -1 to go on.
 */
int delivery_work(struct delivery *, bool hurry);

/* A batch was formed of so many actions, and so many were left out of it. */
void delivery_formed(struct lane *, size_t sent, size_t left_out);

/* When delivery_work must be called next for what libcurl does not know of. */
int64_t delivery_due(const struct delivery *);

/* The item's action is done for, however: forget it, and count it in its unit. */
void delivery_let_go(struct delivery *, struct item *);

/* The frontier's units count to the queue: many small ones need as much as their actions. */
static inline void
delivery_charge_units(struct delivery *d)
{
	size_t bytes = frontier_bytes(&d->frontier);

	d->queue.used += bytes - d->units_charged;
	d->units_charged = bytes;
}

/* Must some be stored before there is room for more? */
static inline bool
delivery_full(const struct delivery *d)
{
	return queue_full(&d->queue) ||
	    (frontier_full(&d->frontier) &&
	        d->queue.used + 2 * frontier_bytes(&d->frontier) > d->queue.limit);
}

static inline bool
delivery_empty(const struct delivery *d)
{
	return d->waiting == 0 && side_ready(&d->side);
}

#endif
