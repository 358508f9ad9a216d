#ifndef BULK_H
#define BULK_H

#include <stdint.h>

#include "failure.h"
#include "store.h"

/*
 * The body of a bulk request, parsed and checked as OpenSearch's
 * BulkRequestParser and the requests' validate() methods do it: one error
 * fails the whole request before any item runs.
 */

enum bulk_op { OP_INDEX, OP_CREATE, OP_UPDATE, OP_DELETE };
extern const char *const bulk_op_names[4];

enum version_type { VERSION_INTERNAL, VERSION_EXTERNAL, VERSION_EXTERNAL_GTE };

/* Versions and sequence numbers that say something else (Versions.java). */
#define VERSION_ANY  INT64_C(-3)
#define SEQ_NO_UNSET INT64_C(-2)

struct bulk_item {
	uint8_t op;           /* enum bulk_op */
	uint8_t version_type; /* enum version_type */
	bool require_alias;
	bool has_script;    /* an update by one */
	bool doc_as_upsert; /* an update that creates */
	bool detect_noop;
	uint32_t metadata_seen; /* parser's: which fields came */
	int64_t version;
	int64_t if_seq_no;
	int64_t if_primary_term;
	struct slice index_name;
	struct slice id; /* p NULL: none given */
	struct slice routing;
	struct slice source; /* an update's: its doc */
	struct slice upsert;
	/* Where it goes; set by the engine. */
	struct index *index;
	struct doc *doc;
	uint64_t hash;
};

/* Zero before the first use; the memory is used again by each parse. */
struct bulk {
	struct bulk_item *items;
	size_t n;
	size_t room;
	struct buf text;     /* strings without their escapes */
	struct buf problems; /* what validate() found */
	unsigned n_problems;
};

/* What the URL sets for items that don't say. */
struct bulk_defaults {
	struct slice index;
	struct slice routing;
	bool require_alias;
	bool types; /* _type is legal in an action: Elasticsearch up to 7 */
};

/* The items' slices point into body, the defaults and b. */
bool bulk_parse(struct bulk *, struct slice body, const struct bulk_defaults *,
    struct failure *) __attribute__((warn_unused_result));
void bulk_free(struct bulk *);

/*
 * For bulk.c: the action line at the cursor (blanks skipped) into a fresh item.
 * line counts from 1.
 */
bool action_parse(struct bulk *, struct json_cursor *, struct bulk_item *, size_t line,
    const struct bulk_defaults *, struct failure *) __attribute__((warn_unused_result));
/* The body of an update. */
bool action_parse_update(struct json_cursor *, struct bulk_item *, struct failure *)
    __attribute__((warn_unused_result));

#endif
