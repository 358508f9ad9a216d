#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "catalog_query.h"

/*
 * As RelationBuildPublicationDesc and CheckCmdReplicaIdentity have it: rows are changed in
 * tables and leaves, and each of their publications must be content.  Column numbers are the
 * published table's, and its partitions may have others.  In what is stored of a filter a
 * column is "{VAR :varno 1 :varattno 2 ...", and strings are lists of bytes.
 *
 * %s: attnames; the filter, whether there is a list, and whether generated columns count.
 */
static const char sql_format[] = CATALOG_PUBLISHED
    ", part AS (SELECT pt.*, c.oid AS leaf, n.nspname || '.' || c.relname AS name, c.relreplident,"
    " %s AS filter, %s AS listed FROM pt CROSS JOIN LATERAL (SELECT pt.relid AS leaf"
    " UNION SELECT relid FROM pg_catalog.pg_partition_tree(pt.relid) WHERE isleaf) l"
    " JOIN pg_catalog.pg_class c ON c.oid = l.leaf AND c.relkind = 'r'"
    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " LEFT JOIN pg_catalog.pg_publication_rel r ON r.prpubid = pt.pubid AND r.prrelid = pt.relid"
    " WHERE pt.pubupdate OR pt.pubdelete),"
    " ident AS (SELECT c.oid AS relid, c.relreplident AS kind, a.attname, a.attnum, a.attgenerated"
    " FROM (SELECT leaf AS relid FROM part UNION SELECT relid FROM pt) x"
    " JOIN pg_catalog.pg_class c ON c.oid = x.relid JOIN pg_catalog.pg_attribute a"
    " ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
    " WHERE c.relreplident = 'f' OR EXISTS (SELECT FROM pg_catalog.pg_index i"
    " WHERE i.indrelid = c.oid AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1])"
    " AND CASE c.relreplident WHEN 'i' THEN i.indisreplident"
    " WHEN 'd' THEN i.indisprimary AND i.indimmediate END))"
    " SELECT part.relid, flaw.kind, part.relreplident,"
    " pg_catalog.min(part.name) FILTER (WHERE part.leaf <> part.relid),"
    " pg_catalog.count(DISTINCT part.leaf),"
    " pg_catalog.string_agg(DISTINCT part.pubname, ', '), flaw.names,"
    " pg_catalog.bool_or(part.pubupdate), pg_catalog.bool_or(part.pubdelete)"
    " FROM part CROSS JOIN LATERAL ("
    "SELECT 'n' AS kind, '' AS names"
    " WHERE NOT EXISTS (SELECT FROM ident WHERE ident.relid = part.leaf)"
    " UNION ALL SELECT 'F', '' WHERE part.listed AND part.relreplident = 'f'"
    " UNION ALL SELECT CASE WHEN part.listed THEN 'l' ELSE 'g' END,"
    " pg_catalog.string_agg('\"' || attname || '\"', ', ' ORDER BY attnum) FROM ident"
    " WHERE ident.relid = part.leaf AND NOT (part.listed AND part.relreplident = 'f')"
    " AND (part.listed OR attgenerated <> '' AND %s) AND NOT attname = ANY (part.attnames)"
    " HAVING pg_catalog.count(*) > 0"
    " UNION ALL SELECT 'w', pg_catalog.string_agg(DISTINCT '\"' || a.attname || '\"', ', ')"
    " FROM pg_catalog.regexp_matches(part.filter, ':varattno ([0-9]+)', 'g') AS f (number)"
    " JOIN pg_catalog.pg_attribute a ON a.attrelid = part.relid AND a.attnum = number[1]::int2"
    " WHERE NOT EXISTS (SELECT FROM ident WHERE ident.relid = part.leaf"
    " AND ident.attname = a.attname) HAVING pg_catalog.count(*) > 0"
    " UNION ALL SELECT 'p', CASE WHEN pg_catalog.bool_or(i.kind = 'f') THEN ''"
    " ELSE pg_catalog.string_agg('\"' || i.attname || '\"', ', ' ORDER BY i.attnum) END"
    " FROM ident i WHERE i.relid = part.relid AND part.leaf <> part.relid"
    " AND NOT EXISTS (SELECT FROM ident WHERE ident.relid = part.leaf"
    " AND ident.attname = i.attname) HAVING pg_catalog.count(*) > 0"
    ") flaw WHERE flaw.kind = 'n'"
    " OR EXISTS (SELECT FROM ident WHERE ident.relid = part.leaf)"
    " GROUP BY part.relid, flaw.kind, part.relreplident, flaw.names ORDER BY 1, 2, 3, 7";

enum { TABLE, KIND, IDENTITY, PART, PARTS, PUBLICATIONS, COLUMNS, UPDATE, DELETE };

static enum catalog_flaw_kind
kind_of(char letter)
{
	switch (letter) {
	case 'F': return FLAW_FULL_LIST;
	case 'l': return FLAW_LIST;
	case 'g': return FLAW_GENERATED;
	case 'w': return FLAW_FILTER;
	case 'p': return FLAW_PARTITION;
	default: return FLAW_NONE;
	}
}

static void
take(struct catalog *c, const PGresult *res, int row)
{
	struct catalog_table *t = catalog_table(c, catalog_oid(res, row, TABLE));

	/* A partition whose root is published, too. */
	if (t == NULL)
		return;
	t->flaw = xrealloc(t->flaw, (t->flaws + 1) * sizeof(*t->flaw));
	t->flaw[t->flaws++] =
	    (struct catalog_flaw) { .kind = kind_of(*pq.getvalue(res, row, KIND)),
		    .identity = *pq.getvalue(res, row, IDENTITY),
		    .part = pq.getisnull(res, row, PART) ? NULL : catalog_text(res, row, PART),
		    .parts = strtoul(pq.getvalue(res, row, PARTS), NULL, 10),
		    .publications = catalog_text(res, row, PUBLICATIONS),
		    .columns = catalog_text(res, row, COLUMNS),
		    .update = catalog_bool(res, row, UPDATE),
		    .delete = catalog_bool(res, row, DELETE) };
}

enum catalog_status
catalog_flaws_read(struct catalog *c, const char *const *publications, const char *attnames)
{
	int version = pq.serverVersion(c->conn);
	enum catalog_status status;
	struct buf sql = { 0 };
	PGresult *res;

	buf_printf(&sql, sql_format, attnames,
	    version >= 150000 ? "r.prqual::text" : "NULL::text",
	    version >= 150000 ? "r.prattrs IS NOT NULL" : "false",
	    version >= 180000 ? "true" : "false");
	status = catalog_query(
	    c, buf_cstr(&sql), "cannot look up replica identities", 1, publications, &res);
	for (int row = 0; res != NULL && row < pq.ntuples(res); row++)
		take(c, res, row);
	pq.clear(res);
	buf_free(&sql);
	return status;
}
