#ifndef COUNT_H
#define COUNT_H

#include <stdbool.h>

#include "request.h"

/*
 * Bulk requests that are counted and not looked into: for benches, in which what the
 * stand-in does is at the cost of what is measured.
 */

/*
 * Answer a bulk request of index, create and delete actions, one line each with what follows
 * it, as if all of them did what they say.  Only the shape of lines is looked at, and the
 * index they name.  False: something else is in it, or asked for, or there are faults; nothing
 * was counted.
 */
bool count_bulk(struct request *) __attribute__((warn_unused_result));

#endif
