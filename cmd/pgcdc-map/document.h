#ifndef DOCUMENT_H
#define DOCUMENT_H

#include "buf.h"
#include "failure.h"
#include "frame.h"
#include "plan.h"

/*
 * The texts and documents that a plan makes of a row.
 */

/* The change at hand. */
struct row {
	/* Values by column, or NULL; of a delete, new is NULL. */
	const msgpack_object *new, *old;
	enum change change;
};

/* What the unit brings to templates. */
struct unit {
	uint64_t lsn; /* of the commit record */
	uint64_t seq; /* of the row in the unit, from 1 */
	int64_t time; /* microseconds since 1970 */
};

/* What rendering needs and keeps; zeroed but for policy, which is the mapping's. */
struct document_writer {
	struct renderer renderer;
	struct unit unit;
	struct buf text, scratch;
	bool creates; /* no document is there yet from which something could be taken over */
	/* Fields that the last document lacks, for the writer to take over. */
	const struct plan_field **merge;
	size_t merges, merge_cap;
};

/*
 * The value of a column.  What the server did not send with the new row because it is
 * unchanged (TOAST) is as it was in the old one, if that is there.
 */
const msgpack_object *document_value(const struct row *, uint32_t column);

/*
 * Append a text as it is.  Nulls are a failure, or nothing where nulls is true.
 */
bool document_text(struct document_writer *, const struct plan *, const struct plan_text *,
    const struct row *, bool nulls, struct buf *, struct failure *)
    __attribute__((warn_unused_result));

/*
 * Append a document, {…}, with what the rule's toast policy makes of absent columns; those
 * to be merged are in merge then.  What was appended before a failure stays.
 */
bool document_add(struct document_writer *, const struct plan *, const struct plan_document *,
    const struct row *, struct buf *, struct failure *) __attribute__((warn_unused_result));

/*
 * The same with the fields alone that an update changed, or may have changed where there is
 * no old row.  *objects: one of them is a JSON object.  Nothing is appended when there is
 * none.
 */
bool document_changes(struct document_writer *, const struct plan *, const struct row *,
    struct buf *, bool *objects, struct failure *) __attribute__((warn_unused_result));

/* Are two values of frames the same, to the last bit?  -0 is not 0. */
bool document_same_value(const msgpack_object *, const msgpack_object *);

void document_writer_free(struct document_writer *);

#endif
