#ifndef REJECT_H
#define REJECT_H

#include "delivery.h"

/*
 * Actions that the cluster, or this program, will never take: they become dead letters, or
 * end the program.
 */

/* Why. */
struct reject {
	const char *what; /* for the log */
	int status;       /* of the answer; 0: there was none */
	const char *type; /* "" where there is none */
	const char *reason;
	size_t reason_len;
	const char *remedy; /* or NULL */
};

/*
 * The action in the lane's hands, in no list.  -1: its letter will be on the disk with the
 * next dead_flush, and it is let go of.  Else an exit status (logged), and it stays.
 */
int reject_item(struct delivery *, struct item *, const struct reject *)
    __attribute__((warn_unused_result));

/* The same for an action of the open unit that never became an item. */
int reject_action(struct delivery *, const struct frame_begin *, const struct frame_action *,
    const struct reject *) __attribute__((warn_unused_result));

/* Errors that an answer gave for some of its items, packed, in order. */
void reject_note(struct buf *, const struct answer_error *);
/* Take the one at *at, and move on. */
void reject_noted(const struct buf *, size_t *at, struct answer_error *);

#endif
