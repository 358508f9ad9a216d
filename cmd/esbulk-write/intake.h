#ifndef INTAKE_H
#define INTAKE_H

#include "action.h"
#include "delivery.h"
#include "frame.h"
#include "version.h"

/*
 * Action frames into the lanes' items.
 */

struct intake {
	struct delivery *delivery;
	uint64_t version_epoch;
	struct frame_begin begin; /* of the open unit */
	struct version_places places;
	struct action_line line, gone; /* gone: of the delete behind a merge_from */
	struct buf more;               /* what a merge keeps behind its text */
	uint64_t actions;
};

/* Take an action of the open unit; NULL, or what is wrong with it. */
const char *intake_action(struct intake *, const struct frame_action *)
    __attribute__((warn_unused_result));

#endif
