#ifndef MAPPING_H
#define MAPPING_H

#include <stdbool.h>
#include <stddef.h>

#include "problem.h"
#include "template.h"

/*
 * The mapping file, pgcdc-map(5), as data: which rule takes which table, and what a rule
 * makes of a row.  Column names are not checked here: only a relation knows them (plan.h).
 */

/* What becomes of values that JSON or the search server have no form for. */
enum odd_value { ODD_REJECT, ODD_NULL, ODD_STRING };

/* How values are written, "defaults:". */
struct value_policy {
	bool numeric_as_string;
	bool bytea_as_hex; /* else base64 */
	enum odd_value nan;
	enum odd_value infinity;
};

/* A column that is named in the file, and the field it goes with, if any. */
struct column_name {
	char *column;
	char *field; /* rename, old */
	struct mark at;
};

struct column_names {
	struct column_name *list;
	size_t n;
};

/* A field of "set:". */
struct set_field {
	char *field;
	char *json; /* a constant, rendered; or NULL and */
	struct template value;
	struct mark at;
};

struct rule {
	struct mark at;
	char *table; /* as written: schema.table, or a pattern */
	bool is_pattern;
	struct template index;
	struct template id;      /* no parts: the primary key */
	struct template routing; /* no parts: none */
	bool has_include;
	struct column_names include, exclude, rename, old;
	struct set_field *set;
	size_t sets;
	bool ignore_insert, ignore_update, ignore_delete;
};

struct mapping {
	const char *file; /* its name, for messages; not owned */
	struct value_policy policy;
	struct rule *rule;
	size_t rules;
};

/*
 * Load text, which is file's content.  Whatever is wrong is added to problems; the
 * mapping is good for use only when that holds no errors, and is to be freed either way.
 */
void mapping_load(struct mapping *, const char *file, const char *text, size_t len,
    struct problems *);

/* The first rule that takes this table, or NULL. */
const struct rule *mapping_find(const struct mapping *, const char *schema_table);

/* Why the text cannot be (part of) an index's name, or NULL.  start: it begins the name. */
const char *mapping_index_problem(const char *text, size_t len, bool start);

void mapping_free(struct mapping *);

#endif
