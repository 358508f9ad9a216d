#ifndef FIELD_TYPE_H
#define FIELD_TYPE_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"
#include "catalog.h"
#include "plan.h"

/*
 * How a search server should index the fields of documents, as the columns' types and the
 * rule's conversions tell: what it is given must always fit, on Elasticsearch 7.17 to 9 and
 * OpenSearch 1.3 to 3.
 */

enum field_kind {
	FIELD_DYNAMIC, /* left to the server: nothing is known */
	FIELD_BOOLEAN,
	FIELD_SHORT, /* the numbers, from the narrowest to the widest */
	FIELD_INTEGER,
	FIELD_LONG,
	FIELD_DOUBLE,
	FIELD_NUMBER, /* a double, for numbers that can be out of its range */
	FIELD_DATE,
	FIELD_BINARY,
	FIELD_KEYWORD,
	FIELD_TEXT, /* with a subfield that is a keyword */
	FIELD_GEO_POINT,
	FIELD_GEO_SHAPE,
	FIELD_OPAQUE, /* kept, and not indexed: JSON of any form */
	FIELD_OBJECT,
};

/* Zeroed memory is a dynamic one without a name. */
struct field_type {
	char *name; /* owned */
	enum field_kind kind;
	struct field_type *member; /* FIELD_OBJECT */
	size_t members;
};

/* Of a field of the plan's document, into a dynamic one. */
void field_type_of(const struct plan *, const struct catalog_table *,
    const struct plan_field *, struct field_type *);

/* Add all fields of a document to an object. */
void field_type_document(const struct plan *, const struct catalog_table *,
    const struct plan_document *, struct field_type *object);

/*
 * Make one take what the other takes, too.  Tell each field of objects, by its whole name,
 * whose types differ; tell and its argument may be NULL.
 */
void field_type_merge(struct field_type *, const struct field_type *other,
    void (*tell)(void *arg, const char *name, enum field_kind, enum field_kind), void *arg);

/* As the servers count fields against index.mapping.total_fields.limit. */
size_t field_type_count(const struct field_type *);

/* "properties":{…} of an object, as mappings have it. */
void field_type_properties(const struct field_type *, struct buf *);

/* As the servers call it. */
const char *field_kind_name(enum field_kind);

/* The types to any depth, and the name. */
void field_type_free(struct field_type *);

#endif
