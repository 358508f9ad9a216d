#ifndef RELATION_H
#define RELATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frame.h"
#include "oidmap.h"

struct plan;

/*
 * The tables that a stream has described so far, by relid.
 */

/*
 * What a composite type, or a field of one, is made of: the OID of a type of PostgreSQL itself,
 * or fields; neither: nobody knows.
 */
struct shape {
	uint32_t oid;
	struct shape_field {
		char *name;
		size_t len; /* of the name, bytes */
		struct shape *shape;
	} *field;
	size_t fields;
};

struct relation_column {
	char *name;
	char *type; /* its name, such as "int4", "public.mood" */
	uint32_t type_oid;
	uint32_t base_oid;   /* what a domain, or a range or array of it, is of; else type_oid */
	struct shape *shape; /* of a composite type, its arrays, ranges and domains; or NULL */
	bool in_identity;
};

struct relation {
	uint32_t relid;
	char *schema, *table;
	char *name; /* schema.table */
	char identity;
	struct relation_column *column;
	uint32_t columns;
	uint32_t *key; /* column numbers of the primary key */
	uint32_t key_columns;
	struct plan *plan; /* what the mapping makes of it, or NULL: no rule takes it */
	bool reported;     /* that no rule takes it */
};

/* Zeroed memory is an empty set. */
struct relations {
	struct oidmap by_relid;
	struct relation *last; /* found last: rows of one table come in runs */
};

/*
 * Take over a definition, in place of an earlier one of that relid.  The set owns it, and
 * its plan once that is set.
 */
struct relation *relations_put(struct relations *, const struct frame_relation *);

struct relation *relations_search(struct relations *, uint32_t relid);

/* The relation, or NULL when it was not described; valid until put or clear. */
static inline struct relation *
relations_get(struct relations *r, uint32_t relid)
{
	if (r->last != NULL && r->last->relid == relid)
		return r->last;
	return relations_search(r, relid);
}

/* The number of a column, or -1. */
int64_t relation_column(const struct relation *, const char *name);

/* Free one that is in no set, with its plan; NULL is none. */
void relation_free(struct relation *);

void relations_clear(struct relations *);

#endif
