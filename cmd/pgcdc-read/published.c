#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "published.h"

#define COLUMN_LISTS      150000 /* and row filters, and schemas' tables */
#define GENERATED_COLUMNS 180000

static void
put_literals(struct buf *sql, PGconn *conn, char *const *text, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char *literal = pg_literal(conn, text[i]);

		buf_printf(sql, "%s%s", i ? "," : "", literal);
		PQfreemem(literal);
	}
}

/*
 * As the server decides it (get_rel_sync_entry in pgoutput.c): a publication has a heap when it
 * lists it or one of those that it is a partition of; one with publish_via_partition_root makes
 * it the uppermost that it lists.  Over all publications the uppermost counts, and of their
 * columns and filters those of the publications that say so.
 */
static const char pub[] =
    "WITH RECURSIVE pub AS (SELECT oid, xmin AS version, puballtables AS whole,"
    " pubviaroot AS root, pubupdate AS updates"
    " FROM pg_catalog.pg_publication WHERE pubname IN (";
static const char heap_of[] =
    ")), heap AS (SELECT oid, relispartition FROM pg_catalog.pg_class WHERE ";
static const char up[] =
    "), up (heap, oid, level, more, version) AS (SELECT oid, oid, 0, relispartition, '' FROM heap"
    " UNION ALL SELECT up.heap, c.oid, up.level + 1, c.relispartition, i.xmin::text FROM up"
    " JOIN pg_catalog.pg_inherits i ON i.inhrelid = up.oid AND up.more"
    " JOIN pg_catalog.pg_class c ON c.oid = i.inhparent)";
/*
 * All that the above follows from, and the rows of the catalog that say so: what left a
 * publication and came back is another row.  And what documents are named and known by.
 */
static const char prints_head[] =
    ", prints AS (SELECT up.heap, pg_catalog.hashtextextended(string_agg(pg_catalog.format("
    "'%s %s %s %s %I.%I %s %s %s', pub.oid, pub.version, up.oid, up.version, n.nspname, c.relname,"
    " i.indkey, pr.oid, ";
static const char prints_middle[] =
    "), ';' ORDER BY pub.oid, up.level), 0) AS print FROM up CROSS JOIN pub"
    " JOIN pg_catalog.pg_class c ON c.oid = up.oid"
    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " LEFT JOIN pg_catalog.pg_index i ON i.indrelid = up.oid AND i.indisprimary"
    " LEFT JOIN pg_catalog.pg_publication_rel pr ON pr.prpubid = pub.oid AND pr.prrelid = up.oid";
static const char prints_schemas[] =
    " LEFT JOIN pg_catalog.pg_publication_namespace pn ON pn.pnpubid = pub.oid"
    " AND pn.pnnspid = c.relnamespace";
static const char prints_tail[] = " GROUP BY up.heap)";
static const char listed[] =
    ", listed AS (SELECT up.heap, pub.oid AS pub, CASE WHEN pub.root THEN max(up.level) ELSE 0 END"
    " AS level FROM up JOIN pub ON pub.whole OR EXISTS (SELECT FROM pg_catalog.pg_publication_rel"
    " WHERE prpubid = pub.oid AND prrelid = up.oid)";
static const char list_schemas[] =
    " OR EXISTS (SELECT FROM pg_catalog.pg_publication_namespace n"
    " JOIN pg_catalog.pg_class c ON c.relnamespace = n.pnnspid"
    " WHERE n.pnpubid = pub.oid AND c.oid = up.oid)";
static const char list_tail[] =
    " GROUP BY up.heap, pub.oid, pub.root),"
    " top AS (SELECT heap, max(level) AS level FROM listed GROUP BY heap)"
    " SELECT top.heap, up.oid, pg_catalog.format('%I.%I', n.nspname, c.relname),"
    " string_agg(listed.pub::text, ',' ORDER BY listed.pub), prints.print,"
    " bool_and(pub.updates), max(n.xmin::text),"
    " CASE WHEN c.relkind = 'f' THEN 'it is a foreign table'"
    " WHEN c.relpersistence = 'u' THEN 'it is unlogged' END"
    " FROM top JOIN listed ON listed.heap = top.heap AND listed.level = top.level"
    " JOIN pub ON pub.oid = listed.pub JOIN prints ON prints.heap = top.heap"
    " JOIN up ON up.heap = top.heap AND up.level = top.level"
    " JOIN pg_catalog.pg_class c ON c.oid = top.heap"
    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    /* A publication of all tables is silent about those that it cannot have. */
    " WHERE c.relispartition OR (c.relkind = 'r' AND c.relpersistence = 'p')"
    " GROUP BY top.heap, up.oid, n.nspname, c.relname, c.relkind, c.relpersistence,"
    " prints.print ORDER BY n.nspname, c.relname";

/* The beginning of a query: pub, up and prints, of those heaps. */
static void
put_prints(struct buf *sql, PGconn *conn, uint64_t version, char *const *publications, size_t n,
    const char *heaps)
{
	bool schemas = version >= COLUMN_LISTS;

	buf_adds(sql, pub);
	put_literals(sql, conn, publications, n);
	buf_adds(sql, heap_of);
	buf_adds(sql, heaps);
	buf_adds(sql, up);
	buf_adds(sql, prints_head);
	buf_adds(sql, schemas ? "pn.oid" : "''");
	buf_adds(sql, prints_middle);
	if (schemas)
		buf_adds(sql, prints_schemas);
	buf_adds(sql, prints_tail);
}

enum pg_status
published_list(struct catalog *c, uint64_t version, char *const *publications, size_t n,
    PGresult **res)
{
	enum pg_status status = catalog_open(c);
	struct buf sql = { 0 };

	*res = NULL;
	if (status != PG_OK || c->conn == NULL)
		return status;
	put_prints(&sql, c->conn, version, publications, n,
	    "relkind IN ('r', 'f') AND oid >= 16384 AND relpersistence <> 't'");
	buf_adds(&sql, listed);
	if (version >= COLUMN_LISTS)
		buf_adds(&sql, list_schemas);
	buf_adds(&sql, list_tail);
	status = catalog_query(c, buf_cstr(&sql), "cannot list the published tables", res);
	buf_free(&sql);
	return status;
}

enum pg_status
published_there(struct catalog *c, const char *heaps, PGresult **res)
{
	struct buf sql = { 0 };
	enum pg_status status;

	buf_printf(&sql,
	    "SELECT pg_catalog.format('%%I.%%I', n.nspname, c.relname) FROM pg_catalog.pg_class c"
	    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid IN (%s)",
	    heaps);
	status = catalog_query(c, buf_cstr(&sql), "cannot look for tables", res);
	buf_free(&sql);
	return status;
}

/* A part of a name as SQL has it, with quotes or in lower case: its end, or NULL: it is none. */
static const char *
parse_part(const char *p, struct buf *part)
{
	if (*p == '"') {
		for (p++; *p != '"' || p[1] == '"'; p++) {
			if (*p == '\0')
				return NULL;
			p += *p == '"';
			buf_addc(part, *p);
		}
		p++;
	} else {
		for (; *p != '\0' && *p != '.'; p++) {
			if (strchr("\" \t\r\n\f\v", *p) != NULL)
				return NULL;
			buf_addc(part, *p >= 'A' && *p <= 'Z' ? (char)(*p - 'A' + 'a') : *p);
		}
	}
	return part->len > 0 ? p : NULL;
}

/* What names mean by SQL's rules, as rows of (place, name, schema, table); nulls: nothing. */
static void
put_names(struct buf *sql, PGconn *conn, char *const *name, size_t n)
{
	static char public[] = "public";

	for (size_t i = 0; i < n; i++) {
		struct buf part[2] = { { 0 }, { 0 } };
		const char *p = parse_part(name[i], &part[0]);
		bool has_schema = p != NULL && *p == '.';
		char *text[3] = { name[i], public, NULL };

		if (has_schema)
			p = parse_part(p + 1, &part[1]);
		text[1] = has_schema ? buf_cstr(&part[0]) : public;
		text[2] = buf_cstr(&part[has_schema]);
		buf_printf(sql, "%s(%zu,", i ? "," : "", i);
		put_literals(sql, conn, text, p != NULL && *p == '\0' ? 3 : 1);
		buf_adds(sql, p != NULL && *p == '\0' ? ")" : ",NULL,NULL)");
		buf_free(&part[0]);
		buf_free(&part[1]);
	}
}

enum pg_status
published_named(struct catalog *c, char *const *name, size_t n, PGresult **res)
{
	enum pg_status status = catalog_open(c);
	struct buf sql = { 0 };

	*res = NULL;
	if (status != PG_OK || c->conn == NULL)
		return status;
	/* Not by to_regclass, which makes errors of what the user must not look into. */
	buf_adds(&sql, "WITH RECURSIVE given (place, name, nsp, rel) AS (VALUES");
	put_names(&sql, c->conn, name, n);
	buf_adds(&sql, "), class AS (SELECT c.oid, n.nspname::text AS nsp, c.relname::text AS rel"
	    " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace),"
	    " candidate AS (SELECT place, oid, 1 AS rank FROM given JOIN class"
	    " ON class.nsp || '.' || class.rel = given.name"
	    " UNION ALL SELECT place, oid, 2 FROM given JOIN class"
	    " ON class.nsp = given.nsp::text AND class.rel = given.rel::text),"
	    " named AS (SELECT place, (array_agg(oid ORDER BY rank))[1] AS oid,"
	    " count(oid) FILTER (WHERE rank = 1) > 1 AS many"
	    " FROM given LEFT JOIN candidate USING (place) GROUP BY place),"
	    " down (place, oid, many) AS (SELECT place, oid, many FROM named UNION ALL"
	    " SELECT down.place, i.inhrelid, many FROM down JOIN pg_catalog.pg_class c"
	    " ON c.oid = down.oid AND c.relkind = 'p'"
	    " JOIN pg_catalog.pg_inherits i ON i.inhparent = c.oid)"
	    " SELECT down.place, CASE WHEN c.relkind = 'r' AND c.relpersistence = 'p' AND NOT many"
	    " THEN c.oid END, CASE WHEN many"
	    " THEN 'there are several of that name: put its parts into double quotes'"
	    " ELSE CASE c.relkind WHEN 'r' THEN CASE c.relpersistence WHEN 'u' THEN 'it is unlogged'"
	    " WHEN 't' THEN 'it is temporary' END WHEN 'f' THEN 'it is a foreign table'"
	    " WHEN 'v' THEN 'it is a view' WHEN 'm' THEN 'it is a materialized view'"
	    " WHEN 'p' THEN NULL ELSE CASE WHEN c.oid IS NULL THEN 'there is none of that name'"
	    " ELSE 'it is no table' END END END"
	    " FROM down LEFT JOIN pg_catalog.pg_class c ON c.oid = down.oid ORDER BY 1, 3, 2");
	status = catalog_query(c, buf_cstr(&sql), "cannot look for tables", res);
	buf_free(&sql);
	return status;
}

size_t
published_split(const char *list, char ***name)
{
	const char *p = list;
	size_t n = 0;

	*name = NULL;
	for (;;) {
		const char *start;
		bool quoted = false;

		p += strspn(p, ", \t");
		if (*p == '\0')
			return n;
		for (start = p; *p != '\0' && (quoted || strchr(", \t", *p) == NULL); p++)
			quoted ^= *p == '"';
		*name = xrealloc(*name, (n + 1) * sizeof(**name));
		(*name)[n++] = xstrndup(start, (size_t)(p - start));
	}
}

void
published_free_names(char **name, size_t n)
{
	while (n > 0)
		free(name[--n]);
	free(name);
}

/*
 * What the publications say of the table: whole, that one of them has all rows; filter, those of
 * the others; list, the columns that are wanted, null for all; lists, how many different ones;
 * generated, that generated columns come, too.
 */
static void
put_publications(struct buf *sql, uint64_t version, uint32_t as, const char *by)
{
	if (version < COLUMN_LISTS) {
		buf_adds(sql, "(SELECT NULL::text AS filter, NULL::int2[] AS list, 1 AS lists,"
		    " false AS generated)");
		return;
	}
	buf_printf(sql,
	    "(SELECT CASE WHEN NOT bool_or(whole OR pr.prqual IS NULL) THEN string_agg("
	    "'(' || pg_catalog.pg_get_expr(pr.prqual, %" PRIu32 ") || ')', ' OR ') END AS filter,"
	    " (array_agg(CASE WHEN listed THEN pr.prattrs::text END))[1] AS list,"
	    " count(DISTINCT coalesce(CASE WHEN listed THEN pr.prattrs::text END, '')) AS lists,"
	    " bool_or(generated) AS generated"
	    " FROM (SELECT p.oid, puballtables OR EXISTS (SELECT FROM"
	    " pg_catalog.pg_publication_namespace n WHERE n.pnpubid = p.oid AND n.pnnspid ="
	    " (SELECT relnamespace FROM pg_catalog.pg_class WHERE oid = %" PRIu32 ")) AS whole,"
	    " %s AS generated FROM pg_catalog.pg_publication p WHERE p.oid IN (%s)) p"
	    " LEFT JOIN pg_catalog.pg_publication_rel pr ON pr.prpubid = p.oid"
	    " AND pr.prrelid = %" PRIu32
	    /* A list of all columns is as good as none (pgoutput_column_list_init in pgoutput.c). */
	    " CROSS JOIN LATERAL (SELECT NOT whole AND pg_catalog.cardinality(pr.prattrs::int2[]) <>"
	    " (SELECT count(*) FROM pg_catalog.pg_attribute WHERE attrelid = %" PRIu32
	    " AND attnum > 0 AND NOT attisdropped AND attgenerated = '') AS listed) l)",
	    as, as, version >= GENERATED_COLUMNS ? "pubgencols = 's'" : "false", by, as, as);
}

void
published_define(struct buf *sql, PGconn *conn, uint64_t version, char *const *publications,
    size_t n, uint32_t heap, uint32_t as, const char *name, const char *by)
{
	char *literal = pg_literal(conn, name), only[32];

	(void)snprintf(only, sizeof(only), "oid = %" PRIu32, heap);
	put_prints(sql, conn, version, publications, n, only);
	buf_printf(sql,
	    " SELECT (SELECT print FROM prints), pg_catalog.pg_current_snapshot(),"
	    " pg_catalog.pg_current_wal_insert_lsn(),"
	    " pg_catalog.pg_relation_filenode(%" PRIu32 "),"
	    /* Not a constant, which would be looked up when the query is prepared. */
	    " pg_catalog.to_regclass(%s)::pg_catalog.oid, place.xmin, place.xmax,"
	    " pg_catalog.pg_relation_size(%" PRIu32 ")"
	    " / pg_catalog.current_setting('block_size')::int, pg_catalog.pg_table_size(%" PRIu32 "),"
	    " n.nspname, c.relname, c.relreplident, p.filter, p.lists > 1,"
	    " (SELECT indkey FROM pg_catalog.pg_index WHERE indrelid = c.oid AND indisprimary),"
	    " a.attname, a.atttypid, a.atttypmod,"
	    /* Which index is the identity: RelationGetIndexList in relcache.c. */
	    " c.relreplident = 'f' OR EXISTS (SELECT FROM pg_catalog.pg_index i"
	    " WHERE i.indrelid = c.oid AND i.indisvalid AND i.indimmediate AND i.indisunique"
	    " AND CASE c.relreplident WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident END"
	    " AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1]))"
	    " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
	    " LEFT JOIN (SELECT n.xmin, n.xmax FROM pg_catalog.pg_class h"
	    " JOIN pg_catalog.pg_namespace n ON n.oid = h.relnamespace WHERE h.oid = %" PRIu32
	    ") place ON true CROSS JOIN LATERAL ",
	    heap, literal, heap, heap, heap);
	PQfreemem(literal);
	put_publications(sql, version, as, by);
	buf_printf(sql,
	    " p LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0"
	    " AND NOT a.attisdropped AND CASE WHEN p.list IS NULL"
	    " THEN a.attgenerated = '' OR (p.generated AND a.attgenerated = 's')"
	    " ELSE a.attnum::text = ANY (pg_catalog.string_to_array(p.list::text, ' ')) END"
	    " WHERE c.oid = %" PRIu32 " ORDER BY a.attnum",
	    as);
}

void
published_place(struct buf *sql, uint32_t heap)
{
	buf_printf(sql,
	    "SELECT n.xmax FROM pg_catalog.pg_class h JOIN pg_catalog.pg_namespace n"
	    " ON n.oid = h.relnamespace WHERE h.oid = %" PRIu32 ";",
	    heap);
}
