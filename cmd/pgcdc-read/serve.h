#ifndef SERVE_H
#define SERVE_H

#include "session.h"

/*
 * What lies downstream of a reader: standard output or a file, and the writer on the ack
 * socket.  It is served also while the server is waited for.  Each returns an exit status, or
 * GO_ON.
 */

/* Open the output, and decide who says that frames are stored. */
int serve_open(struct reader *) __attribute__((warn_unused_result));

/* Write what is pending, as far as it goes. */
int serve_flush(struct reader *) __attribute__((warn_unused_result));

/* Take the acks that have come. */
int serve_acks(struct reader *) __attribute__((warn_unused_result));

/* After the end, with all stored, nobody needs to listen any more. */
bool serve_may_be_gone(const struct reader *);

/* After E: is all written and stored, or the time for that over? */
int serve_drained(const struct reader *, int64_t now) __attribute__((warn_unused_result));

/* Standard output has no reader any more: say so. */
int serve_output_closed(void) __attribute__((warn_unused_result));

/*
 * Wait until the output has room, serving the rest: for what comes from the catalog in large
 * pieces.  PG_TEMPORARY: the second connection is lost meanwhile.
 */
enum pg_status serve_room(void *reader) __attribute__((warn_unused_result));

/*
 * For struct pg_wait: all of the above, and status updates on the replication connection
 * where there is one.  Not 0 ends the wait: tick_code is the exit status then.
 */
int serve_tick(void *reader);

#endif
