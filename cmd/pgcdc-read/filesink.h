#ifndef FILESINK_H
#define FILESINK_H

#include <stdbool.h>

/*
 * Frames into a regular file, which the reader confirms by itself once it has fsynced.
 */

/*
 * Open path (NULL: standard output) to append a run.  A file that a crash cut short is
 * truncated behind its last complete unit, and that run gets its E, so that what follows
 * is a stream as pgcdc-frame(5) has it.  Returns the descriptor, or -1 with the error
 * logged; *permanent says its kind.
 */
int filesink_open(const char *path, bool *permanent) __attribute__((warn_unused_result));

#endif
