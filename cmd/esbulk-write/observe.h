#ifndef OBSERVE_H
#define OBSERVE_H

#include "session.h"

/*
 * --metrics: how the writer is, for whoever asks over HTTP.  All of this does nothing where the
 * option was not given.
 */

/* How it is as a whole. */
struct view {
	const char *state;
	uint64_t units_open;
	double oldest_seconds;  /* age of the oldest row that is not stored; 0: there is none */
	uint64_t stored, acked; /* LSNs; 0: nothing yet, or nobody is told */
	size_t nodes, resting;
	int64_t dead_bytes;     /* of the file; -1: there is none */
};

/* All states, in the order of which NULL is the end. */
extern const char *const observe_states[];

void observe_view(const struct writer *, struct view *);

/* The pages; each returns an HTTP status. */
unsigned observe_metrics(void *writer, struct buf *);
unsigned observe_status(void *writer, struct buf *);

/* Listen; -1, or an exit status with the error logged. */
int observe_open(struct writer *) __attribute__((warn_unused_result));

/* To be polled for input.  And when to run also without any. */
int observe_fd(const struct writer *);
int64_t observe_due(const struct writer *, int64_t now);

/* To be called in each turn of the loop, when requests were looked at. */
void observe_look(struct writer *, int64_t now);

/* Answer as far as it goes, without waiting. */
void observe_run(struct writer *);

void observe_close(struct writer *);

#endif
