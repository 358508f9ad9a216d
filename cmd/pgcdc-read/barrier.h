#ifndef BARRIER_H
#define BARRIER_H

#include <stdint.h>

struct reader;

/*
 * Transactions that the stream will never bring, and that a snapshot may not see yet: in the log
 * before the stream began, but waiting for a synchronous standby; streamed to a reader that was
 * here before; or older than the table is in the publication.  Each of them holds a lock on the
 * table until others see its work, so they are listed once the stream runs, and no chunk of the
 * table is read before all of them are over.
 *
 * Let tables that are TABLE_BARRED, and for which nobody is waited any more, become
 * TABLE_UNKNOWN.  An exit status, LOST, or GO_ON.
 */
int barrier_pass(struct reader *, int64_t now) __attribute__((warn_unused_result));

#endif
