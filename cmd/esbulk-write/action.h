#ifndef ACTION_H
#define ACTION_H

#include <stdint.h>

#include "buf.h"
#include "frame.h"

/*
 * An action frame as the lines of a bulk request.
 */

/*
 * The index that was found legal last, and a version: most actions go where the one before
 * went, and those of a unit have few versions.
 */
struct action_known {
	struct buf index;
	struct buf head; /* of such an action line, up to the id; empty: none was made yet */
	enum frame_op op;
	const char *type;
	uint16_t index_at, index_len;
	uint16_t tally; /* its place in struct tally; 0: not looked for */
	uint64_t version; /* whose digits these are, if there are any */
	char digits[20];
	uint8_t n_digits;
};

/* What the action line says beside the frame itself. */
struct action_line {
	struct buf text; /* reused: the line with its newline */
	struct action_known known; /* kept from one to the next */
	const char *type; /* set by the owner: the mapping type; NULL: none */
	uint16_t index_at, index_len, id_at, id_len; /* in text, escaped */
	uint64_t document;                           /* hash of index and id */
	/* The frame's own, from more. */
	struct frame_str pipeline;
	bool require_alias;
	const msgpack_object *merge;      /* an array of strings, or NULL */
	const msgpack_object *merge_from; /* an array, see pgcdc-frame(5); or NULL */
	bool truncate;
	struct frame_str pattern, query; /* of truncate */
};

/*
 * Check the frame as the cluster could not: a newline in a body would run as an action, an
 * index name may be taken for a pattern.  NULL, or what is wrong with it.
 */
const char *action_check(const struct frame_action *, struct action_line *);

/* Build the line; version counts where versioned says so. */
void action_build(struct action_line *, const struct frame_action *, bool versioned,
    uint64_t version);

/* A document as _mget wants it: {"_index":...,"_id":...,"routing":...} */
void action_put_document(struct buf *, struct frame_str index, struct frame_str id,
    struct frame_str routing);

/* A string or nil that action_check has seen. */
struct frame_str action_str(const msgpack_object *);

/* What put an index or id into the line, undone: for messages. */
void action_unescape(struct buf *, const char *, size_t);

/* Hash of index and id, the same in every run. */
uint64_t action_document(struct frame_str index, struct frame_str id);

#endif
