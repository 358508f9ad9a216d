#ifndef CATALOG_QUERY_H
#define CATALOG_QUERY_H

#include <libpq-fe.h>

#include "catalog.h"

/*
 * What catalog.c and catalog_type.c share: the connection, and the types.
 */

enum catalog_status catalog_connect(struct catalog *, const char *conninfo)
    __attribute__((warn_unused_result));

/* Run a query that gives rows; what was looked up is for the message where it fails. */
enum catalog_status catalog_query(struct catalog *, const char *sql, const char *what, int n,
    const char *const *values, PGresult **) __attribute__((warn_unused_result));

uint32_t catalog_oid(const PGresult *, int row, int column);
bool catalog_bool(const PGresult *, int row, int column);

/* The type; its definition is there after catalog_types_read. */
const struct catalog_type *catalog_type(struct catalog *, uint32_t oid);

/* Look up those that are not known, and those that they are made of. */
enum catalog_status catalog_types_read(struct catalog *) __attribute__((warn_unused_result));

/* Set what pgcdc-frame(5) calls the base of a column of that type. */
void catalog_type_base(const struct catalog_type *, struct relation_column *);

void catalog_types_free(struct catalog *);

#endif
