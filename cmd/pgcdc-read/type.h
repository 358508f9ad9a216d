#ifndef TYPE_H
#define TYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "catalog.h"
#include "oidmap.h"
#include "value.h"

/*
 * What the reader knows of types.  PostgreSQL's own are built in; of the others the server
 * tells the name alone, and what they are made of is looked up in the catalog, once.
 */

struct type_field {
	char *name; /* UTF-8 */
	const struct type *type;
};

struct type {
	uint32_t oid;
	enum value_kind kind;
	char delimiter;             /* between an array's elements */
	const char *name;           /* "int4", "text[]", "public.mood", "public.mood[]" */
	const struct type *element; /* a range's subtype, a multirange's range, a domain's base */
	struct type_field *field;   /* of a composite type */
	size_t fields;
	/* The rest is for those that are not built in. */
	struct types *set;
	bool known;       /* the catalog had it */
	bool looked_up;   /* before, whether or not the catalog had it */
	bool wanted;      /* the next lookup asks for it */
	bool asking;      /* it is asking now */
	bool missed;      /* the catalog did not have it */
	char *told;       /* its name in the stream */
	size_t asked_for; /* the number of fields that it was looked up again for; 0: never */
	int64_t asked_at; /* and when */
};

/*
 * The types that are not built in, by OID.  Zeroed memory is an empty set.  A type stays
 * where it is, also when its definition is replaced by a newer one.
 */
struct types {
	struct oidmap by_oid;
	size_t wanted;
	const struct type *outdated; /* a value of it had another number of fields, */
	size_t outdated_fields;      /* this one */
	bool changed;                /* one that was looked up before is another now */
};

/* A type of PostgreSQL itself, or NULL. */
const struct type *type_builtin(uint32_t oid);

/*
 * The type of that OID, which the next lookup will ask for if it is not known; until then,
 * and when nobody knows it, its values are text.
 */
const struct type *types_want(struct types *, uint32_t oid);

/*
 * The stream tells a type's name; an empty schema stands for pg_catalog.  One that has been
 * renamed since will be looked up again when it is wanted.
 */
void types_told(struct types *, uint32_t oid, const char *schema, const char *name);

/*
 * Look up all that are wanted, and what they are made of, and a composite type of which a
 * value had another number of fields.  A type that the catalog does not have stays unknown
 * until it is wanted again; so do all, where there is no catalog to be asked.  changed is for
 * the caller to take back.
 */
enum pg_status types_lookup(struct types *, struct catalog *)
    __attribute__((warn_unused_result));

/* A value of this composite type had so many fields, not as many as are known. */
void type_outdated(const struct type *, size_t fields);

/* Forget all of them. */
void types_free(struct types *);

#endif
