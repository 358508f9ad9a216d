#ifndef CONFIRM_H
#define CONFIRM_H

#include "session.h"

/*
 * What is stored, told to the server by status updates, and kept in the state file before.
 */

/* The position before which everything is stored, or never needs to be. */
uint64_t confirm_stored(const struct reader *);

/* Write what libpq holds, as far as it goes; -1: the connection is broken. */
int confirm_flush(struct reader *);

/* When the next status update is due (now_us). */
int64_t confirm_due(const struct reader *);

/*
 * Send a status update when one is due; -1: the state file cannot be written, said on the
 * log.  A broken connection is noticed by who reads from it.
 */
int confirm_tick(struct reader *, int64_t now) __attribute__((warn_unused_result));

/* fsync an output file at unit ends, at most every second; -1 when that fails, logged. */
int confirm_file(struct reader *, int64_t now, bool at_once) __attribute__((warn_unused_result));

/*
 * At the end without a connection: what is stored goes to the state file.  code, or
 * EXIT_TEMPORARY where that fails.
 */
int confirm_save(struct reader *, int code) __attribute__((warn_unused_result));

/*
 * Confirm for the last time and close in order: the server must have read the update
 * before the connection goes, so its answer to the end of COPY is waited for, 5 s at most.
 */
void confirm_goodbye(struct reader *);

#endif
