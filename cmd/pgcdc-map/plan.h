#ifndef PLAN_H
#define PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mapping.h"
#include "relation.h"
#include "render.h"

/*
 * A rule compiled for one relation: names are looked up and escaped once, so that a row
 * costs a walk over flat arrays.
 */

/* One column of a text, and what stands before it. */
struct plan_piece {
	char *before;
	size_t before_len;
	uint32_t column;
	struct value_class class;
};

/* A compiled template. */
struct plan_text {
	const char *what;         /* "id", "index", "routing", for messages */
	struct plan_piece *piece; /* none: a constant, which is tail */
	size_t pieces;
	char *tail; /* behind the last column */
	size_t tail_len;
	bool escape; /* the values' backslashes and bars: a composite key */
};

enum plan_kind {
	PLAN_NEW,      /* a column of the row */
	PLAN_OLD,      /* a column of the old row; updates only */
	PLAN_CONSTANT, /* all is in before */
	PLAN_TEXT,     /* a template with several parts: a string */
};

/* One field of the document. */
struct plan_field {
	enum plan_kind kind;
	char *before; /* ,"name": and, of a constant, its value */
	size_t before_len;
	char *name;      /* of the field, for messages */
	uint32_t column; /* PLAN_NEW; PLAN_OLD, where it may be PLAN_NO_COLUMN */
	struct value_class class;
	struct plan_text text;
};

#define PLAN_NO_COLUMN UINT32_MAX

struct plan {
	const struct rule *rule;
	const struct relation *relation;
	const struct value_policy *policy;
	/* Why the rule cannot be used for this table, a whole sentence; or NULL. */
	char *error;
	struct plan_text index, id, routing;
	bool has_routing;
	struct plan_field *field;
	size_t fields;
	/* The columns that index, id and routing are made of. */
	uint32_t *identity;
	size_t identities;
	/*
	 * One of them that the replica identity does not have, or PLAN_NO_COLUMN: an update
	 * without an old row does not tell whether it moved the document.
	 */
	uint32_t unseen;
	unsigned body_head; /* bytes that the last body's MessagePack head had: a guess */
};

/*
 * Compile.  What may be a slip is logged as a warning; what makes the rule useless for
 * this table is left in error, for the first row that needs it.
 */
struct plan *plan_new(const struct mapping *, const struct rule *, const struct relation *);

void plan_free(struct plan *);

#endif
