#ifndef DRY_H
#define DRY_H

#include <stdbool.h>

#include "action.h"
#include "fdio.h"

/*
 * --dry-run: what bulk requests would hold goes to standard output, and nothing to a cluster.
 */
struct dry {
	bool on;
	struct fdout out;
};

/* An action's line, and its body if it has one. */
void dry_put(struct dry *, const struct action_line *, struct frame_str body);

/* Write what was put; it waits where nobody reads.  An exit status (logged), or -1. */
int dry_flush(struct dry *) __attribute__((warn_unused_result));

#endif
