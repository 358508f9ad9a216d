#ifndef INTAKE_H
#define INTAKE_H

#include "action.h"
#include "delivery.h"
#include "dry.h"
#include "frame.h"
#include "version.h"

/*
 * Action frames into the lanes' items.
 */

struct intake {
	struct delivery *delivery;
	uint64_t version_epoch;
	struct frame_begin begin; /* of the open unit */
	int64_t live_since; /* as its time: what was committed then or later is new */
	struct dry dry;
	struct version_places places;
	uint64_t document; /* of the action that intake_check saw last */
	struct action_line line, gone; /* gone: of the delete behind a merge_from */
	struct buf more;               /* what a merge keeps behind its text */
	uint64_t actions;
};

/* NULL, or why the action cannot be sent.  To be asked before anything else. */
const char *intake_check(struct intake *, const struct frame_action *)
    __attribute__((warn_unused_result));

/*
 * It cannot, or the mapper said so: a dead letter, whose version is then set.  An exit status
 * (logged), or -1.
 */
int intake_reject(struct intake *, struct frame_action *, const char *what, const char *type,
    const char *reason, size_t len) __attribute__((warn_unused_result));

/*
 * Take an action of the open unit, which intake_check has just found good; NULL, or why that
 * cannot be.
 */
const char *intake_action(struct intake *, const struct frame_action *)
    __attribute__((warn_unused_result));

#endif
