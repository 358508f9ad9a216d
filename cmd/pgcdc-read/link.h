#ifndef LINK_H
#define LINK_H

#include "session.h"

/*
 * The replication connection: made, lost, and made again, while what is downstream goes on.
 * Each returns an exit status, or GO_ON.
 */

/* Connect, take the slot, begin to stream, and write H. */
int link_start(struct reader *) __attribute__((warn_unused_result));

/*
 * The connection is of no use any more; why was said on the log.  Another one will be made,
 * at once or after a delay that grows.
 */
void link_lost(struct reader *, bool at_once);

/*
 * Make a new connection at once, on which transactions come when they are committed, and so
 * all that follow.
 */
void link_do_without_streaming(struct reader *);

/* When it is time for that, make it: streaming goes on behind what was taken last. */
int link_retry(struct reader *, int64_t now) __attribute__((warn_unused_result));

/* The server's wal_sender_timeout is known, or changed: set what depends on it. */
void link_set_timeout(struct reader *);

/*
 * While connected: give up a connection that is silent, or whose buffers a large row made
 * large.
 */
int link_tick(struct reader *, int64_t now) __attribute__((warn_unused_result));

/* Did nothing come for too long?  It is said on the log then. */
bool link_silent(const struct reader *, int64_t now);

/* What a query on the second connection that came to this status means for the loop. */
int link_failed(const struct reader *, enum pg_status);

/*
 * The second connection is idle: it has something to say when the server ends it.  While
 * stdout is blocked nothing else tells that the server wants to shut down; it takes no new
 * connection then.  To be called when it is readable.
 */
int link_look_at_catalog(struct reader *) __attribute__((warn_unused_result));

/* When the next of these things is due, for poll. */
int64_t link_due(const struct reader *);

#endif
