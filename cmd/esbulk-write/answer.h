#ifndef ANSWER_H
#define ANSWER_H

#include <stdbool.h>
#include <stddef.h>

#include "queue.h"

/*
 * Read the answer to a bulk request as it arrives, without keeping it: each item's
 * status goes into the item it answers, the errors of a few are kept for the log.
 */

#define ANSWER_TYPE_MAX   64
#define ANSWER_REASON_MAX 512

/* How an item failed. */
struct answer_error {
	int status;
	char type[ANSWER_TYPE_MAX];
	char reason[ANSWER_REASON_MAX]; /* with "; cause" behind it when there is one */
};

/*
 * Called for each item in order, when its part of the answer was read.  error->type is
 * "" where the item has no error.
 */
typedef void answer_item_fn(void *arg, struct item *, struct answer_error *error);

struct answer;

/* Items are those of the request, in order. */
struct answer *answer_new(const struct items *, answer_item_fn *, void *arg);

/* The next bytes.  -1: this is no bulk answer. */
int answer_feed(struct answer *, const char *p, size_t n) __attribute__((warn_unused_result));

/* All bytes came.  -1: the answer is cut short, or has another number of items. */
int answer_end(struct answer *) __attribute__((warn_unused_result));

/* Why feed or end failed. */
/* Is that that it is far too long? */
bool answer_endless(const struct answer *);

const char *answer_problem(const struct answer *);

void answer_free(struct answer *);

#endif
