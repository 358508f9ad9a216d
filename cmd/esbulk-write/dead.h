#ifndef DEAD_H
#define DEAD_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"

/*
 * The file of dead letters: records, each a run of frames of its own.  What is appended to
 * the buffer counts only when dead_flush has come back; it writes whole records.
 */
struct dead {
	const char *path; /* NULL: there is no such file */
	int fd;
	struct buf out;   /* records that are not written yet */
};

/*
 * Open the file, and make it if need be.  It is locked, and a record at its end that a
 * crash left in part is cut off.  An exit status (logged), or -1.  SIGHUP makes the next
 * dead_flush open it anew.
 */
int dead_open(struct dead *, const char *path) __attribute__((warn_unused_result));

/*
 * All records are on the disk: to be called before anything is acknowledged.  An exit
 * status (logged), or -1.
 */
int dead_flush(struct dead *) __attribute__((warn_unused_result));

#endif
