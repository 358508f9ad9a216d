#ifndef MAPPING_H
#define MAPPING_H

#include <stdbool.h>
#include <stddef.h>

#include "expr.h"
#include "json.h"
#include "problem.h"
#include "template.h"

/*
 * The mapping file, pgcdc-map(5), as data: which rules take which table, and what a rule
 * makes of a row.  Column names are not checked here: only a relation knows them (plan.h).
 */

/* What becomes of values that JSON or the search server have no form for. */
enum odd_value { ODD_REJECT, ODD_NULL, ODD_STRING, ODD_ISO };

/* Text that is not UTF-8, which a database with the encoding SQL_ASCII can hold. */
enum invalid_text { INVALID_BYTES, INVALID_REPLACE, INVALID_REJECT };

/* How values are written, "defaults:". */
struct value_policy {
	bool numeric_as_string;
	bool bytea_as_hex; /* else base64 */
	enum odd_value nan;
	enum odd_value infinity;
	enum odd_value bc; /* years before 1 and behind 9999 */
	enum invalid_text invalid_utf8;
	enum json_duplicates duplicate_keys;
	enum json_empty empty_keys;
	bool hash_long_id; /* else reject */
	bool skip_null_id; /* else reject */
};

/* A kind of change. */
enum change { CHANGE_INSERT, CHANGE_UPDATE, CHANGE_DELETE, CHANGE_SNAPSHOT, CHANGES };

/* What a rule makes of it. */
enum reaction { DO_INDEX, DO_CREATE, DO_DELETE, DO_PARTIAL, DO_SCRIPT, DO_IGNORE };

enum truncate_policy { TRUNCATE_IGNORE, TRUNCATE_DELETE, TRUNCATE_FAIL };

/* What becomes of a column that the server did not send (unchanged TOAST). */
enum toast_policy { TOAST_MERGE, TOAST_REJECT, TOAST_NULL, TOAST_OMIT };

/* "types:", and the other keys that give a column another form. */
enum conversion {
	CONVERT_NONE,
	CONVERT_NUMBER,
	CONVERT_STRING,
	CONVERT_BOOL,
	CONVERT_DATE,
	CONVERT_JSON,
	CONVERT_GEO_POINT,
	CONVERT_GEOJSON,
	CONVERT_SPLIT,   /* text: the separator */
	CONVERT_JOIN,    /* text: the separator */
	CONVERT_FLATTEN, /* text: what stands before the members' names */
};

/* A column that is named in the file, and what goes with it, if anything. */
struct column_name {
	char *column;
	char *text; /* the field of rename and old; a separator or prefix */
	enum conversion conversion;
	struct mark at;
};

struct column_names {
	struct column_name *list;
	size_t n;
};

/* A value that the file gives: of set, of a script's params... */
enum given_kind { GIVEN_CONSTANT, GIVEN_TEMPLATE, GIVEN_OBJECT, GIVEN_LIST };

struct given {
	enum given_kind kind;
	char *name; /* as a member; NULL in a list */
	char *json; /* GIVEN_CONSTANT: rendered */
	struct template template;
	struct given *child; /* GIVEN_OBJECT, GIVEN_LIST */
	size_t children;
	struct mark at;
};

struct script {
	char *source; /* NULL: there is none */
	char *lang;   /* NULL: painless */
	struct given params, upsert; /* objects, or without children */
	bool scripted_upsert;
	struct mark at;
};

/* An expression of the file. */
struct condition {
	struct expr *expr; /* NULL: none */
	char *text;
	struct mark at;
	bool plain; /* offsets in text are columns in the file */
};

struct rule {
	struct mark at;
	char *table; /* as written: schema.table, or a pattern */
	bool is_pattern;
	bool also; /* later rules are looked at as well */
	struct template index;
	struct template id;      /* no parts: the primary key */
	bool no_id;              /* the cluster makes one */
	struct template routing; /* no parts: none */
	struct template pipeline;
	bool require_alias;
	bool unversioned;
	struct condition where, delete_when;
	struct column_names stable;
	bool has_include;
	struct column_names include, exclude, rename, old, convert;
	struct given set;
	struct mark convert_at;
	struct script script;
	bool upsert;
	enum reaction on[CHANGES];
	enum truncate_policy truncate;
	struct mark truncate_at;
	char *truncate_query; /* JSON, or NULL */
	enum toast_policy toast;
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

/*
 * The first rule behind after (NULL: of all) that takes this table, or NULL.  Another one
 * is to be looked for only if it says "also".
 */
const struct rule *mapping_find(const struct mapping *, const char *schema_table,
    const struct rule *after);

/* The earlier rule that leaves this one no table, as far as their patterns' forms tell it; or NULL. */
const struct rule *mapping_shadow(const struct mapping *, const struct rule *);

/* Why the text cannot be (part of) an index's name, or NULL.  start: it begins the name. */
const char *mapping_index_problem(const char *text, size_t len, bool start);

/* The place of a byte of an expression, as far as it is known. */
struct mark condition_mark(const struct condition *, size_t offset);

void mapping_free(struct mapping *);

#endif
