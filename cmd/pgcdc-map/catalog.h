#ifndef CATALOG_H
#define CATALOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "oidmap.h"
#include "relation.h"

/*
 * What PostgreSQL's catalog says of the published tables: read once, by blocking queries,
 * for --check, --explain and --template.  It takes no rights on the tables.
 */

enum catalog_kind {
	TYPE_BASE,
	TYPE_ARRAY,
	TYPE_COMPOSITE,
	TYPE_DOMAIN,
	TYPE_ENUM,
	TYPE_HSTORE,
	TYPE_RANGE,
	TYPE_MULTIRANGE,
};

struct catalog_type {
	uint32_t oid;
	enum catalog_kind kind;
	char *name; /* as in frames: int4, public.mood, text[] */
	/* An array's element, a domain's base, a range's subtype, a multirange's range. */
	const struct catalog_type *of;
	int32_t typmod; /* of a domain's base, or -1 */
	struct catalog_field {
		char *name;
		const struct catalog_type *type;
		int32_t typmod;
	} *field; /* TYPE_COMPOSITE */
	size_t fields;
};

struct catalog_column {
	int number; /* in the table, from 1 */
	const struct catalog_type *type;
	int32_t typmod;
	bool not_null;
	bool toastable; /* large values are stored out of line, and not sent when unchanged */
};

/* A unique index. */
struct catalog_index {
	char *name;
	bool primary, deferrable, valid, partial, expressions, nulls_not_distinct;
	uint32_t *column; /* numbers of the relation's columns */
	size_t columns;
	bool hidden; /* it has columns that are not published */
};

enum catalog_flaw_kind {
	FLAW_NONE,      /* there is no replica identity */
	FLAW_FULL_LIST, /* it is FULL, and a publication has a list of columns */
	FLAW_LIST,      /* columns of it are not published */
	FLAW_GENERATED, /* the same, generated ones, which is no matter before 18 */
	FLAW_FILTER,    /* a publication's row filter needs other columns */
	FLAW_PARTITION, /* a partition's lacks columns that the table's own has */
};

/*
 * What is wrong with a replica identity: of the table, or of partitions that are published
 * under its name.  PostgreSQL refuses updates or deletes then, but for FLAW_PARTITION.
 */
struct catalog_flaw {
	enum catalog_flaw_kind kind;
	char identity; /* as pg_class.relreplident */
	char *part;    /* a partition that has it, or NULL: the table */
	size_t parts;  /* so many partitions */
	char *publications, *columns; /* "a, b"; columns may be empty */
	bool update, delete; /* are published by those publications */
};

/* A published table. */
struct catalog_table {
	struct relation *relation; /* as its R frame would make it */
	struct catalog_column *column;
	struct catalog_index *index;
	size_t indexes;
	struct catalog_flaw *flaw;
	size_t flaws;
	char *publications; /* the names of those that have it, "a, b" */
	bool insert, update, delete, truncate; /* are published */
	bool partitioned;
	bool different_lists; /* of columns, in several publications */
};

struct catalog {
	struct catalog_table *table;
	size_t tables;
	struct oidmap by_relid; /* the same tables */
	struct oidmap types; /* struct catalog_type */
	size_t unknown;      /* those of them that are to be looked up */
	char **absent; /* publications of -p that do not exist */
	size_t absents;
	bool named; /* publications were */
	const char *publications; /* as they were named, or NULL */
	struct pg_conn *conn; /* libpq's */
	bool answered;        /* the server has, to a statement */
};

enum catalog_status {
	CATALOG_OK,
	CATALOG_TEMPORARY, /* it was said; a restart can help */
	CATALOG_PERMANENT, /* it was said */
};

/*
 * Read it.  publications: names with commas between them, or NULL for all of the database.
 * The connection stays open until catalog_free, which is due whatever came of it.
 */
enum catalog_status catalog_read(struct catalog *, const char *conninfo,
    const char *publications) __attribute__((warn_unused_result));

/* Why a table of this name is not among the published ones. */
enum catalog_absence {
	ABSENT_MISSING,       /* there is none of that name */
	ABSENT_UNPUBLISHED,   /* a table like others, in no such publication */
	ABSENT_PARTITION,     /* published under its root's name, other */
	ABSENT_ROOT,          /* published by its partitions, one of which is other */
	ABSENT_UNLOGGED,      /* so are temporary ones */
	ABSENT_VIEW,
	ABSENT_MATERIALIZED,
	ABSENT_FOREIGN,
	ABSENT_OTHER, /* a sequence, an index, a composite type */
};

/* *other is to be freed; NULL where the kind has none. */
enum catalog_status catalog_find(struct catalog *, const char *schema_table,
    enum catalog_absence *, char **other) __attribute__((warn_unused_result));

void catalog_free(struct catalog *);

#endif
