#ifndef PUBLISHED_H
#define PUBLISHED_H

#include "buf.h"
#include "catalog.h"

/*
 * The tables of publications, as the catalog has them now: the heaps that hold rows, which are
 * a published table's own, or a partitioned one's leaves.  The queries lock no table.
 */

/*
 * PUBLISHED_* are the columns of the result, a row for each heap, in the order of their names.
 * On PG_OK *res is to be PQcleared, and NULL where there is no catalog to be asked.
 */
enum {
	PUBLISHED_HEAP,     /* its OID */
	PUBLISHED_AS,       /* OID of the table that its rows are published as */
	PUBLISHED_NAME,     /* the heap's, for SQL */
	PUBLISHED_BY,       /* OIDs of the publications that say how, joined by commas */
	PUBLISHED_PRINT,    /* a number, another one when any of this changes, or is taken away
	                       and put back, or a name or primary key of it or its roots */
	PUBLISHED_UPDATES,  /* false: some of these publications leave out updates */
	PUBLISHED_PLACE,    /* the transaction that last changed the heap's schema, as its name */
	PUBLISHED_TROUBLE,  /* why it cannot be read, or null */
};
enum pg_status published_list(struct catalog *, uint64_t version, char *const *publications,
    size_t n, PGresult **res) __attribute__((warn_unused_result));

/* Of some heaps, in an SQL list, the names of those that are there, for SQL. */
enum pg_status published_there(struct catalog *, const char *heaps, PGresult **res)
    __attribute__((warn_unused_result));

/*
 * What tables are meant by names, each schema.table, with quotes as SQL has them, or as they
 * are, or without a schema, which means public?  A row for each heap with a name's number, from
 * 0, and the heap's OID; for a table that has none, a null and why.  Names are valid UTF-8.
 */
enum { NAMED_NUMBER, NAMED_HEAP, NAMED_TROUBLE };
enum pg_status published_named(struct catalog *, char *const *name, size_t n, PGresult **res)
    __attribute__((warn_unused_result));

/*
 * Names in a list, with commas or blanks between, split outside of double quotes; to be freed,
 * each and the array.  Returns how many.
 */
size_t published_split(const char *list, char ***name);
void published_free_names(char **name, size_t n);

/*
 * Append a query, for a transaction that has the heap locked, for how its rows are published: a
 * row for each published column in their order, or one with nulls where there is none.  heap,
 * as, name and by are published_list's.  DEFINED_PRINT is to be compared with what
 * that said before the rest is believed.
 */
enum {
	DEFINED_PRINT,    /* as PUBLISHED_PRINT; may be null */
	DEFINED_SNAPSHOT, /* pg_current_snapshot() */
	DEFINED_LOG_END,  /* an LSN behind all commits that it sees */
	DEFINED_FILENODE,
	DEFINED_HEAP,     /* the OID that the name means now */
	DEFINED_PLACE,    /* as PUBLISHED_PLACE */
	DEFINED_LEAVING,  /* who changes the schema again, or tried to; 0: nobody */
	DEFINED_BLOCKS,   /* of the heap */
	DEFINED_BYTES,    /* with what is stored apart */
	DEFINED_SCHEMA,   /* of the table that it is published as, as the rest */
	DEFINED_TABLE,
	DEFINED_IDENTITY,
	DEFINED_FILTER,   /* SQL, or null */
	DEFINED_UNSURE,   /* publications want different columns */
	DEFINED_KEY,      /* numbers of the primary key's columns, or null */
	DEFINED_COLUMN,
	DEFINED_TYPE,
	DEFINED_TYPMOD,
	DEFINED_IN_IDENTITY,
};
void published_define(struct buf *sql, PGconn *, uint64_t version, char *const *publications,
    size_t n, uint32_t heap, uint32_t as, const char *name, const char *by);

/* The same transaction, later: DEFINED_LEAVING alone. */
void published_place(struct buf *sql, uint32_t heap);

#endif
