#ifndef TEMPLATE_H
#define TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>

#include "filter.h"
#include "problem.h"

/*
 * A text with columns in it, "orders-{tenant|lower}": {column}, {schema}, {table}, and
 * {op}, {lsn}, {seq} and {commit_time} of the change, each with filters behind its name; {{ and }}
 * are the braces themselves; {"name"} is the column of exactly that name, also where it
 * is called schema or table or has a brace, a bar or a colon in it.
 */

enum template_kind {
	TEMPLATE_TEXT,
	TEMPLATE_COLUMN,
	TEMPLATE_SCHEMA,
	TEMPLATE_TABLE,
	TEMPLATE_OP,
	TEMPLATE_LSN,
	TEMPLATE_SEQ,
	TEMPLATE_TIME,
};

struct template_part {
	enum template_kind kind;
	char *text; /* the text itself, or a column's name */
	size_t len;
	struct filter *filter;
	size_t filters;
};

/* Owns its parts.  Zeroed memory is an empty template. */
struct template {
	struct template_part *part;
	size_t parts;
	struct mark at;
};

/*
 * Parse; NULL, or what is wrong as a sentence fragment, valid until the next call (the
 * template is empty then).
 */
const char *template_parse(struct template *, const char *text, size_t len)
    __attribute__((warn_unused_result));

/* Has it a part of that kind? */
bool template_has(const struct template *, enum template_kind);

/* Has it a part that differs from change to change of one row: op, lsn, seq, commit_time? */
bool template_of_change(const struct template *);

/* Append it as it is written in the file. */
void template_put(struct buf *, const struct template *);

void template_free(struct template *);

#endif
