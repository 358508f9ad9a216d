#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "catalog_query.h"

/*
 * Tables
 */

/* Where one publication has a partition and another its root, the root's name counts. */
static const char tables_sql[] = CATALOG_PUBLISHED
    " SELECT c.oid, n.nspname, c.relname, c.relreplident, c.relkind,"
    " pg_catalog.string_agg(pt.pubname, ', ' ORDER BY pt.pubname),"
    " pg_catalog.bool_or(pubinsert), pg_catalog.bool_or(pubupdate),"
    " pg_catalog.bool_or(pubdelete), pg_catalog.bool_or(pubtruncate),"
    " pg_catalog.count(DISTINCT attnames) > 1"
    " FROM pt JOIN pg_catalog.pg_class c ON c.oid = pt.relid"
    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_partition_ancestors(c.oid) a (relid)"
    " JOIN pt r ON r.relid = a.relid WHERE a.relid <> c.oid)"
    " GROUP BY c.oid, n.nspname, c.relname, c.relreplident, c.relkind"
    " ORDER BY n.nspname, c.relname";

enum { T_OID, T_SCHEMA, T_NAME, T_IDENTITY, T_KIND, T_PUBLICATIONS, T_INSERT, T_UPDATE, T_DELETE,
	T_TRUNCATE, T_LISTS };

/* Generated columns are published by 18 only, and then attnames has them. */
static const char columns_sql[] = CATALOG_PUBLISHED
    " SELECT a.attrelid, a.attnum, a.attname, a.atttypid, a.atttypmod, a.attnotnull,"
    /* MAIN, too, but for numeric, inet and cidr, which have it by themselves and are short. */
    " a.attlen = -1 AND (a.attstorage IN ('x', 'e')"
    " OR a.attstorage = 'm' AND a.atttypid NOT IN (1700, 869, 650))"
    " FROM pg_catalog.pg_attribute a"
    " WHERE a.attnum > 0 AND NOT a.attisdropped AND EXISTS (SELECT FROM pt"
    " WHERE pt.relid = a.attrelid AND (pt.attnames IS NULL OR a.attname = ANY (pt.attnames)))"
    " AND (a.attgenerated = '' OR %s) ORDER BY a.attrelid, a.attnum";

enum { C_TABLE, C_NUMBER, C_NAME, C_TYPE, C_TYPMOD, C_NOT_NULL, C_TOAST };

static const char indexes_sql[] = CATALOG_PUBLISHED
    " SELECT i.indrelid, c.relname, i.indisprimary, NOT i.indimmediate,"
    " i.indisvalid AND i.indisready, i.indpred IS NOT NULL, i.indexprs IS NOT NULL, %s,"
    " i.indisreplident, pg_catalog.array_to_string((i.indkey::int2[])[0:i.indnkeyatts - 1], ' ')"
    " FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid"
    " WHERE i.indisunique AND EXISTS (SELECT FROM pt WHERE pt.relid = i.indrelid)"
    " ORDER BY i.indrelid, NOT i.indisprimary, c.relname";

enum { I_TABLE, I_NAME, I_PRIMARY, I_DEFERRABLE, I_VALID, I_PARTIAL, I_EXPRESSIONS, I_NULLS,
	I_IDENTITY, I_COLUMNS };

struct catalog_table *
catalog_table(const struct catalog *c, uint32_t relid)
{
	return oidmap_get(&c->by_relid, relid);
}

static void
take_table(struct catalog_table *t, const PGresult *res, int row)
{
	struct relation *rel = xcalloc(1, sizeof(*rel));
	struct buf name = { 0 };

	*t = (struct catalog_table) { .relation = rel,
		.publications = catalog_text(res, row, T_PUBLICATIONS),
		.insert = catalog_bool(res, row, T_INSERT),
		.update = catalog_bool(res, row, T_UPDATE),
		.delete = catalog_bool(res, row, T_DELETE),
		.truncate = catalog_bool(res, row, T_TRUNCATE),
		.different_lists = catalog_bool(res, row, T_LISTS),
		.partitioned = *pq.getvalue(res, row, T_KIND) == 'p' };
	rel->relid = catalog_oid(res, row, T_OID);
	rel->schema = catalog_text(res, row, T_SCHEMA);
	rel->table = catalog_text(res, row, T_NAME);
	buf_printf(&name, "%s.%s", rel->schema, rel->table);
	rel->name = buf_cstr(&name);
	rel->identity = *pq.getvalue(res, row, T_IDENTITY);
}

static void
take_column(struct catalog *c, const PGresult *res, int row)
{
	struct catalog_table *t = catalog_table(c, catalog_oid(res, row, C_TABLE));
	struct relation *rel;
	uint32_t n;

	/* A partition whose root is published, or a table made just now. */
	if (t == NULL)
		return;
	rel = t->relation;
	n = rel->columns++;
	rel->column = xrealloc(rel->column, rel->columns * sizeof(*rel->column));
	t->column = xrealloc(t->column, rel->columns * sizeof(*t->column));
	rel->column[n] =
	    (struct relation_column) { .name = catalog_text(res, row, C_NAME),
		    .in_identity = rel->identity == 'f' };
	t->column[n] = (struct catalog_column) { .number = (int)strtol(pq.getvalue(res, row, C_NUMBER), NULL, 10),
		.type = catalog_type(c, catalog_oid(res, row, C_TYPE)),
		.typmod = (int32_t)strtol(pq.getvalue(res, row, C_TYPMOD), NULL, 10),
		.not_null = catalog_bool(res, row, C_NOT_NULL),
		.toastable = catalog_bool(res, row, C_TOAST) };
}

/* The columns of an index, by their numbers in the table, which list has. */
static void
take_index_columns(const struct catalog_table *t, const char *list, struct catalog_index *index)
{
	char *end;

	for (long number; (number = strtol(list, &end, 10)), end != list; list = end) {
		uint32_t i = 0;

		while (i < t->relation->columns && t->column[i].number != number)
			i++;
		if (i == t->relation->columns) {
			/* 0 is an expression. */
			index->hidden |= number != 0;
			continue;
		}
		index->column =
		    xrealloc(index->column, (index->columns + 1) * sizeof(*index->column));
		index->column[index->columns++] = i;
	}
}

static void
take_index(struct catalog *c, const PGresult *res, int row)
{
	struct catalog_table *t = catalog_table(c, catalog_oid(res, row, I_TABLE));
	struct catalog_index *index;
	struct relation *rel;
	bool identity;

	if (t == NULL)
		return;
	rel = t->relation;
	t->index = xrealloc(t->index, (t->indexes + 1) * sizeof(*t->index));
	index = &t->index[t->indexes++];
	*index = (struct catalog_index) { .name = catalog_text(res, row, I_NAME),
		.primary = catalog_bool(res, row, I_PRIMARY),
		.deferrable = catalog_bool(res, row, I_DEFERRABLE),
		.valid = catalog_bool(res, row, I_VALID),
		.partial = catalog_bool(res, row, I_PARTIAL),
		.expressions = catalog_bool(res, row, I_EXPRESSIONS),
		.nulls_not_distinct = catalog_bool(res, row, I_NULLS) };
	take_index_columns(t, pq.getvalue(res, row, I_COLUMNS), index);
	/* As RelationGetIndexList has it: a deferrable key identifies nothing. */
	identity = rel->identity == 'd' ? index->primary && !index->deferrable
					: rel->identity == 'i' && catalog_bool(res, row, I_IDENTITY);
	for (size_t i = 0; identity && i < index->columns; i++)
		rel->column[index->column[i]].in_identity = true;
	/* The reader takes a key that is published in part for none. */
	if (index->primary && !index->hidden && index->columns > 0) {
		rel->key_columns = (uint32_t)index->columns;
		rel->key = xcalloc(index->columns, sizeof(*rel->key));
		memcpy(rel->key, index->column, index->columns * sizeof(*rel->key));
	}
}

/*
 * Reading
 */

static enum catalog_status
read_tables(struct catalog *c, const char *const *publications, const char *attnames)
{
	enum catalog_status status;
	struct buf sql = { 0 };
	PGresult *res;

	buf_printf(&sql, tables_sql, attnames);
	status = catalog_query(
	    c, buf_cstr(&sql), "cannot look up the published tables", 1, publications, &res);
	c->table = xcalloc(status == CATALOG_OK ? (size_t)pq.ntuples(res) : 0, sizeof(*c->table));
	for (int row = 0; res != NULL && row < pq.ntuples(res); row++) {
		struct catalog_table *t = &c->table[c->tables++];

		take_table(t, res, row);
		oidmap_put(&c->by_relid, t->relation->relid, t);
	}
	pq.clear(res);
	buf_free(&sql);
	return status;
}

static enum catalog_status
read_rows(struct catalog *c, const char *const *publications, const char *attnames,
    const char *sql_format, const char *by_version, const char *what,
    void (*take)(struct catalog *, const PGresult *, int row))
{
	enum catalog_status status;
	struct buf sql = { 0 };
	PGresult *res;

	buf_printf(&sql, sql_format, attnames, by_version);
	status = catalog_query(c, buf_cstr(&sql), what, 1, publications, &res);
	for (int row = 0; res != NULL && row < pq.ntuples(res); row++)
		take(c, res, row);
	pq.clear(res);
	buf_free(&sql);
	return status;
}

/* The publications that were asked for by name, and are not there. */
static enum catalog_status
read_absent(struct catalog *c, const char *const *publications)
{
	static const char sql[] =
	    "SELECT DISTINCT n FROM pg_catalog.unnest(pg_catalog.string_to_array($1::text, ',')) n"
	    " WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_publication WHERE pubname = n) ORDER BY n";
	PGresult *res;
	enum catalog_status status =
	    catalog_query(c, sql, "cannot look up the publications", 1, publications, &res);

	for (int row = 0; res != NULL && row < pq.ntuples(res); row++) {
		c->absent = xrealloc(c->absent, (c->absents + 1) * sizeof(*c->absent));
		c->absent[c->absents++] = catalog_text(res, row, 0);
	}
	pq.clear(res);
	return status;
}

static void
set_types(struct catalog *c)
{
	for (size_t i = 0; i < c->tables; i++)
		for (uint32_t k = 0; k < c->table[i].relation->columns; k++) {
			struct relation_column *column = &c->table[i].relation->column[k];
			const struct catalog_type *type = c->table[i].column[k].type;

			column->type = xstrdup(type->name);
			catalog_type_base(type, column);
		}
}

enum catalog_status
catalog_read(struct catalog *c, const char *conninfo, const char *publications)
{
	const char *const values[] = { publications };
	enum catalog_status status;
	const char *attnames;
	int version;

	*c = (struct catalog) { .named = publications != NULL, .publications = publications };
	status = catalog_connect(c, conninfo);
	if (status != CATALOG_OK)
		return status;
	version = pq.serverVersion(c->conn);
	attnames = version >= 150000 ? "t.attnames" : "NULL::name[]";
	status = read_absent(c, values);
	if (status == CATALOG_OK)
		status = read_tables(c, values, attnames);
	if (status == CATALOG_OK)
		status = read_rows(c, values, attnames, columns_sql,
		    version >= 180000 ? "true" : "false", "cannot look up columns", take_column);
	if (status == CATALOG_OK)
		status = read_rows(c, values, attnames, indexes_sql,
		    version >= 150000 ? "i.indnullsnotdistinct" : "false", "cannot look up indexes",
		    take_index);
	if (status == CATALOG_OK)
		status = catalog_flaws_read(c, values, attnames);
	if (status == CATALOG_OK)
		status = catalog_types_read(c);
	if (status == CATALOG_OK)
		set_types(c);
	return status;
}

/*
 * Other tables
 */

static enum catalog_absence
absence_of(const struct catalog *c, const PGresult *res, const char **other)
{
	for (int row = 0; row < pq.ntuples(res); row++) {
		const struct catalog_table *t = pq.getisnull(res, row, 2)
		    ? NULL
		    : catalog_table(c, catalog_oid(res, row, 2));

		if (t == NULL)
			continue;
		*other = t->relation->name;
		return catalog_bool(res, row, 3) ? ABSENT_PARTITION : ABSENT_ROOT;
	}
	switch (*pq.getvalue(res, 0, 0)) {
	case 'r':
	case 'p': break;
	case 'v': return ABSENT_VIEW;
	case 'm': return ABSENT_MATERIALIZED;
	case 'f': return ABSENT_FOREIGN;
	default: return ABSENT_OTHER;
	}
	return *pq.getvalue(res, 0, 1) == 'p' ? ABSENT_UNPUBLISHED : ABSENT_UNLOGGED;
}

enum catalog_status
catalog_find(struct catalog *c, const char *schema_table, enum catalog_absence *absence,
    char **other)
{
	static const char sql[] =
	    "SELECT c.relkind, c.relpersistence, r.relid, r.up FROM pg_catalog.pg_class c"
	    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
	    " LEFT JOIN LATERAL (SELECT relid::oid, true AS up"
	    " FROM pg_catalog.pg_partition_ancestors(c.oid) a (relid)"
	    " UNION ALL SELECT relid::oid, false FROM pg_catalog.pg_partition_tree(c.oid)) r"
	    " ON r.relid <> c.oid WHERE n.nspname || '.' || c.relname = $1 ORDER BY r.relid";
	const char *const values[] = { schema_table };
	const char *name = NULL;
	PGresult *res;
	enum catalog_status status =
	    catalog_query(c, sql, "cannot look up a table", 1, values, &res);

	*other = NULL;
	if (status != CATALOG_OK)
		return status;
	*absence = pq.ntuples(res) > 0 ? absence_of(c, res, &name) : ABSENT_MISSING;
	if (name != NULL)
		*other = xstrdup(name);
	pq.clear(res);
	return CATALOG_OK;
}

void
catalog_free(struct catalog *c)
{
	for (size_t i = 0; i < c->tables; i++) {
		struct catalog_table *t = &c->table[i];

		for (size_t k = 0; k < t->indexes; k++) {
			free(t->index[k].name);
			free(t->index[k].column);
		}
		for (size_t k = 0; k < t->flaws; k++) {
			free(t->flaw[k].part);
			free(t->flaw[k].publications);
			free(t->flaw[k].columns);
		}
		free(t->index);
		free(t->flaw);
		free(t->column);
		free(t->publications);
		relation_free(t->relation);
	}
	free(c->table);
	oidmap_free(&c->by_relid);
	for (size_t i = 0; i < c->absents; i++)
		free(c->absent[i]);
	free(c->absent);
	catalog_types_free(c);
	if (c->conn != NULL)
		pq.finish(c->conn);
	*c = (struct catalog) { 0 };
}
