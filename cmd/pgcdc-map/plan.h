#ifndef PLAN_H
#define PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "expr.h"
#include "mapping.h"
#include "relation.h"
#include "render.h"

/*
 * A rule compiled for one relation: names are looked up and escaped once, so that a row
 * costs a walk over flat arrays.
 */

enum piece_kind { PIECE_COLUMN, PIECE_OP, PIECE_LSN, PIECE_SEQ, PIECE_TIME };

/* What a row or its change brings to a text, and what stands before it. */
struct plan_piece {
	char *before;
	size_t before_len;
	enum piece_kind kind;
	uint32_t column;
	struct value_class class;
	const struct filter *filter; /* the rule's */
	size_t filters;
};

/* A compiled template. */
struct plan_text {
	const char *what;         /* "id", "index", "routing", a field: for messages */
	struct plan_piece *piece; /* none: a constant, which is tail */
	size_t pieces;
	char *tail; /* behind the last piece */
	size_t tail_len;
	bool escape; /* the values' backslashes and bars: a composite key */
};

enum slot_kind {
	SLOT_NEW,      /* a column of the row */
	SLOT_OLD,      /* a column of the old row */
	SLOT_CONSTANT, /* all is in before */
	SLOT_TEXT,     /* a template: a string, or null where it is one part that is null */
};

/* A value in a document, and the JSON text before it. */
struct plan_slot {
	enum slot_kind kind;
	char *before;
	size_t before_len;
	uint32_t column; /* SLOT_NEW; SLOT_OLD, where it may be PLAN_NO_COLUMN */
	struct value_class class;
	const struct column_name *convert; /* the rule's, or NULL */
	struct plan_text text;
};

/* A member of a document: one slot, but for nested values of "set". */
struct plan_field {
	char *name;
	char *head; /* ,"name": which is what the first slot's before begins with */
	size_t head_len;
	struct plan_slot *slot;
	size_t slots;
	bool updates_only; /* from the old row */
};

struct plan_document {
	struct plan_field *field;
	size_t fields;
};

#define PLAN_NO_COLUMN UINT32_MAX

struct plan {
	struct plan *next; /* of the same relation, by a later rule */
	const struct rule *rule;
	const struct relation *relation;
	const struct value_policy *policy;
	/* Why the rule cannot be used for this table, a whole sentence; or NULL. */
	char *error;
	struct plan_text index, id, routing, pipeline;
	bool has_routing, has_pipeline;
	struct plan_document document, params, upsert;
	/* {"script":{"source":"…","lang":"…" of an update request; or NULL. */
	char *script;
	struct expr_plan *where, *delete_when; /* or NULL */
	bool looks_back;                       /* one of them has old values in it */
	char *truncate_index;                  /* a name or a pattern; or NULL */
	/* The columns that index, id and routing are made of. */
	uint32_t *identity;
	size_t identities;
	/*
	 * One of them that the replica identity does not have, or PLAN_NO_COLUMN: an update
	 * without an old row does not tell whether it moved the document.
	 */
	uint32_t unseen;
	bool reported;      /* that a snapshot's rows do not run its script */
	/* Those that the rule calls stable. */
	uint32_t *stable;
	size_t stables;
	struct buf head[OP_COUNT]; /* how actions begin, up to an index that is a constant */
	unsigned body_head; /* bytes that the last body's MessagePack head had: a guess */
};

/*
 * Compile.  What may be a slip is logged as a warning; what makes the rule useless for
 * this table is left in error, for the first row that needs it.  Where problems is not NULL
 * all of that is collected there instead, and nothing is logged.
 */
struct plan *plan_new(const struct mapping *, const struct rule *, const struct relation *,
    struct problems *);

/*
 * Compile all rules that take the relation; they hang together by next.  NULL: there is none.
 */
struct plan *plan_all(const struct mapping *, const struct relation *, struct problems *);

/* The text, or the pattern of all that it can be, with * for columns.  To be freed. */
char *plan_pattern(const struct plan_text *);

/* Free it, and those behind it. */
void plan_free(struct plan *);

#endif
