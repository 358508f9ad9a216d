#ifndef TEMPLATE_H
#define TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>

#include "problem.h"

/*
 * A text with columns in it, "orders-{tenant}": {column}, {schema} and {table}; {{ and }}
 * are the braces themselves; {"name"} is the column of exactly that name, also where it
 * is called schema or table or has a brace in it.
 */

enum template_kind { TEMPLATE_TEXT, TEMPLATE_COLUMN, TEMPLATE_SCHEMA, TEMPLATE_TABLE };

struct template_part {
	enum template_kind kind;
	char *text; /* the text itself, or a column's name */
	size_t len;
};

/* Owns its parts.  Zeroed memory is an empty template. */
struct template {
	struct template_part *part;
	size_t parts;
	struct mark at;
};

/*
 * Parse; NULL, or what is wrong as a sentence fragment (the template is empty then).
 */
const char *template_parse(struct template *, const char *text, size_t len)
    __attribute__((warn_unused_result));

/* Does it name a column? */
bool template_has_column(const struct template *);

void template_free(struct template *);

#endif
