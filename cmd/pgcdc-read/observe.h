#ifndef OBSERVE_H
#define OBSERVE_H

#include "session.h"

/*
 * --metrics: how the reader is, for whoever asks over HTTP.  All of this does nothing where the
 * option was not given.  And its state, for a supervisor.
 */

/* How it is as a whole. */
struct view {
	const char *state;
	bool connected; /* changes stream */
	bool standby;   /* another reader has the slot: nothing is known of what is behind */
	bool begun;     /* positions are known */
	bool stores;    /* somebody says what is stored */
	uint64_t received, emitted, stored, confirmed, server; /* LSNs */
	uint64_t lag_bytes;
	double lag_seconds;
};

/* All states, in the order of which NULL is the end. */
extern const char *const observe_states[];

void observe_view(const struct reader *, struct view *);

/* The pages; each returns an HTTP status. */
unsigned observe_metrics(void *reader, struct buf *);
unsigned observe_status(void *reader, struct buf *);

/* Listen; GO_ON, or an exit status with the error logged. */
int observe_open(struct reader *) __attribute__((warn_unused_result));

/* To be polled for input; -1: nothing is.  And when to run also without any. */
int observe_fd(const struct reader *);
int64_t observe_due(const struct reader *, int64_t now);

/* Answer as far as it goes, without waiting. */
void observe_run(struct reader *);

void observe_close(struct reader *);

/*
 * To the descriptor that PGCDC_STATE_FD names, if there is one: a line "state WORD" whenever the
 * state is another one.  It never waits: what cannot be told now is told at the next call.
 */
void observe_tell_open(struct reader *);
void observe_tell(struct reader *);

#endif
