#ifndef ANSWER_H
#define ANSWER_H

#include "bulk.h"

/*
 * The answer to a bulk request, written item by item into a buffer that is used
 * again by the next one.
 */

/* What of an error stands behind its reason. */
enum error_place {
	PLACE_NONE,
	PLACE_SHARD,   /* index, shard and its uuid */
	PLACE_MISSING, /* an index that is not there */
	PLACE_INDEX,   /* the name of an index that cannot be, or is no alias */
};

/* How an item ended. */
struct outcome {
	int status;
	const char *result; /* NULL: an error */
	int64_t version;
	int64_t seq_no;
	const char *type;
	enum error_place place;
	const char *cause_type; /* NULL: none */
	struct buf reason;
	struct buf cause_reason;
};

/* What filter_path leaves of an answer. */
struct filter {
	struct buf text; /* the filter_path that this is made of */
	bool all;
	bool took;
	bool errors;
	unsigned fields[4]; /* per operation, bits of enum answer_field */
};

/* Make it of a filter_path, NULL for none; the one before is kept when it is equal. */
void filter_set(struct filter *, const char *path);

/* Does a list of dotted patterns, as in filter_path, leave the field at path? */
bool filter_leaves(const char *list, const char *path);

/* Does it ask for errors, and of items that did what they should for the status alone? */
bool filter_is_status(const struct filter *);

struct answer {
	struct buf out;
	size_t start; /* where the text starts in out */
	const struct filter *filter;
	bool forced_refresh;
	bool any_error;
	size_t items;
	size_t last_item; /* where the last item starts in out */
};

void answer_begin(struct answer *, const struct filter *, bool forced_refresh);
void answer_item(struct answer *, const struct bulk_item *, const struct outcome *);
/* Take the last item out again. */
void answer_drop_last(struct answer *);
/* Ready: the text is from out.data + start to out.data + out.len. */
void answer_end(struct answer *, int64_t took_ms);

#endif
