#ifndef CATALOG_QUERY_H
#define CATALOG_QUERY_H

#include "catalog.h"
#include "libpq.h"

/*
 * What catalog.c, catalog_identity.c and catalog_type.c share: the connection, the tables
 * and the types.
 */

/* $1: the publications, or NULL for all.  %s: what attnames are, which 14 does not have. */
#define CATALOG_PUBLISHED                                                               \
	"WITH pt AS (SELECT p.oid AS pubid, p.pubname, p.pubinsert, p.pubupdate, p.pubdelete," \
	" p.pubtruncate, c.oid AS relid, %s AS attnames FROM pg_catalog.pg_publication p" \
	" JOIN pg_catalog.pg_publication_tables t ON t.pubname = p.pubname"             \
	" JOIN pg_catalog.pg_namespace n ON n.nspname = t.schemaname"                   \
	" JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = t.tablename" \
	" WHERE $1::text IS NULL"                                                       \
	" OR p.pubname = ANY (pg_catalog.string_to_array($1::text, ',')))"

enum catalog_status catalog_connect(struct catalog *, const char *conninfo)
    __attribute__((warn_unused_result));

/* Run a query that gives rows; what was looked up is for the message where it fails. */
enum catalog_status catalog_query(struct catalog *, const char *sql, const char *what, int n,
    const char *const *values, PGresult **) __attribute__((warn_unused_result));

/* The published table, or NULL. */
struct catalog_table *catalog_table(const struct catalog *, uint32_t relid);

/*
 * Read what is wrong with the tables' replica identities, which are known.  attnames: as for
 * CATALOG_PUBLISHED.
 */
enum catalog_status catalog_flaws_read(struct catalog *, const char *const *publications,
    const char *attnames) __attribute__((warn_unused_result));

/*
 * A text, to be freed.  Bytes of names that are no UTF-8, which a database with the encoding
 * SQL_ASCII can have, are \xNN, as pgcdc-read writes them.
 */
char *catalog_text(const PGresult *, int row, int column) __attribute__((warn_unused_result));

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
