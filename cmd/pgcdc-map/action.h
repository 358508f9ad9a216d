#ifndef ACTION_H
#define ACTION_H

#include <stdint.h>

#include "buf.h"
#include "document.h"
#include "frame.h"
#include "plan.h"

/*
 * X frames.
 */

/* Since the program's start. */
struct action_counters {
	uint64_t index, create, update, delete, truncate, reject;
	uint64_t ignored;   /* rows: their rule's "on" says so */
	uint64_t filtered;  /* rows: where or delete_when leave them no document */
	uint64_t unchanged; /* rows: an update that changed nothing of the document */
	uint64_t skipped;   /* rows without an id, where that is no reject */
};

struct action_writer {
	struct buf *out;
	/*
	 * Where deletes go, before what is in out: the same, but where several rules take one
	 * row, and none is to delete what another has just written.
	 */
	struct buf *deletes;
	struct document_writer document;
	struct action_counters counters;
	/* Scratch, reused. */
	struct buf reason, body;
	struct buf old; /* a row's values */
	struct buf was[3], is[3]; /* index, id, routing before and after */
};

/* Is it not known which document it is, because a value was not sent? */
bool action_is_unknown(const struct failure *);

/* Append index, id and routing to b[3], emptied first; routing stays empty without one. */
bool action_identity(struct action_writer *, const struct plan *, const struct row *,
    struct buf b[static 3], struct failure *) __attribute__((warn_unused_result));

/*
 * Append an action, or the reject that it turns out to be.  from: index, id and routing of
 * the document that this one takes the place of, whose delete is the same action then where
 * something is to be taken over from it, and else one of its own before; or NULL.
 */
void action_index(
    struct action_writer *, struct plan *, const struct row *, const struct buf *from);
void action_create(struct action_writer *, struct plan *, const struct row *);

/* The same; nothing where the row cannot have a document, for what its id would be. */
void action_delete(struct action_writer *, struct plan *, const struct row *);

/* The same; nothing where no field changed. */
void action_partial(struct action_writer *, struct plan *, const struct row *);
void action_script(struct action_writer *, struct plan *, const struct row *);

/* Delete all documents of the table. */
void action_truncate(struct action_writer *, const struct plan *);

/* Append a reject. */
void action_reject(
    struct action_writer *, const struct plan *, const struct row *, const struct failure *);

void action_writer_free(struct action_writer *);

#endif
