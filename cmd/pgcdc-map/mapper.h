#ifndef MAPPER_H
#define MAPPER_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "frame.h"
#include "mapping.h"
#include "relation.h"
#include "row.h"

/*
 * The filter itself, a frame at a time: row frames become actions, everything else is
 * passed on.  No descriptors here.
 */

/* What the s frames tell; since the program's start. */
struct mapper_counters {
	uint64_t inserts, updates, deletes, snapshot_rows;
	uint64_t unmapped_rows; /* no rule takes their table */
	uint64_t ignored_truncates;
};

struct mapper {
	const struct mapping *mapping;
	struct buf *out;
	struct relations relations;
	struct action_writer writer;
	struct buf later; /* of a row that several rules take: all but the deletes */
	struct mapper_counters counters;
	int64_t begin_time; /* of the unit at hand, microseconds */
	int64_t stats_time; /* the begin_time that the last s frame was due for */
	bool has_stats_time;
	bool news;    /* something was counted since the last s frame */
	bool in_unit;
	bool ended; /* E was the last frame */
	/* Tables that were reported once, so that H does not make them new. */
	char **said;
	size_t n_said;
};

/* Actions go to out; mapping and out must outlive the mapper. */
void mapper_init(struct mapper *, const struct mapping *, struct buf *out);

/*
 * Take the frame that frame_next or frame_next_row gave.  0, or -1 when the stream or the
 * mapping is wrong in a way that no restart heals; that was logged then, and out holds whole
 * frames only.
 */
int mapper_frame(struct mapper *, struct frame_in *, struct frame *)
    __attribute__((warn_unused_result));

/*
 * Nothing comes for a while: is there something that no s frame has told yet?  If so, and nothing
 * comes for a second, mapper_tell writes one.
 */
bool mapper_has_news(const struct mapper *);
void mapper_tell(struct mapper *);

void mapper_free(struct mapper *);

#endif
