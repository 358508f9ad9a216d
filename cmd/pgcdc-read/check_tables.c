#include <stdlib.h>
#include <string.h>

#include "catalog.h"
#include "check.h"
#include "published.h"

#define COLUMN_LISTS 150000

void
check_put_publication(const struct check *c, struct buf *b, const char *name)
{
	const char *tables = c->o->create_publication;
	char *quoted = pg_identifier(c->conn, name);

	buf_printf(b, "CREATE PUBLICATION %s FOR ", quoted);
	if (tables == NULL || strcmp(tables, "*") == 0)
		buf_adds(b, "ALL TABLES;");
	else
		buf_printf(b, "TABLE %s;", tables);
	PQfreemem(quoted);
}

/* The names in a list of SQL. */
static void
put_publications(const struct check *c, struct buf *b)
{
	for (size_t i = 0; i < c->o->n_publications; i++) {
		char *literal = pg_literal(c->conn, c->o->publications[i]);

		buf_printf(b, "%s%s", i ? "," : "", literal);
		PQfreemem(literal);
	}
}

static void
missing(struct check *c, const char *name)
{
	struct buf remedy = { 0 };

	buf_adds(&remedy, "SQL: ");
	check_put_publication(c, &remedy, name);
	if (c->o->create_publication == NULL)
		buf_adds(&remedy, "\nor FOR TABLE and their names");
	buf_adds(&remedy, "\nbefore the slot is made");
	finding(&c->f, FINDING_ERROR, "publication", buf_cstr(&remedy),
	    "there is no publication %s in database %s", name, c->database);
	buf_free(&remedy);
}

static void
check_publication(struct check *c, const char *name)
{
	char *literal = pg_literal(c->conn, name);
	struct buf sql = { 0 }, remedy = { 0 };
	PGresult *res;

	buf_printf(&sql,
	    "SELECT pg_catalog.concat_ws(', ', CASE WHEN pubinsert THEN 'inserts' END,"
	    " CASE WHEN pubupdate THEN 'updates' END, CASE WHEN pubdelete THEN 'deletes' END,"
	    " CASE WHEN pubtruncate THEN 'truncates' END), (SELECT count(*)"
	    " FROM pg_catalog.pg_publication_tables t WHERE t.pubname = p.pubname),"
	    " pg_catalog.quote_ident(pubname) FROM pg_catalog.pg_publication p WHERE pubname = %s",
	    literal);
	PQfreemem(literal);
	res = check_ask(c, "publication", buf_cstr(&sql));
	if (res != NULL && PQntuples(res) == 0) {
		missing(c, name);
	} else if (res != NULL && strtol(PQgetvalue(res, 0, 1), NULL, 10) == 0) {
		if (c->o->create_publication != NULL && strcmp(c->o->create_publication, "*") != 0)
			buf_printf(&remedy, "SQL: ALTER PUBLICATION %s ADD TABLE %s;",
			    PQgetvalue(res, 0, 2), c->o->create_publication);
		else
			buf_printf(&remedy, "ALTER PUBLICATION %s ADD TABLE, and the tables' names",
			    PQgetvalue(res, 0, 2));
		finding(&c->f, FINDING_WARNING, "publication", buf_cstr(&remedy),
		    "publication %s has no tables", name);
	} else if (res != NULL) {
		finding(&c->f, FINDING_OK, "publication", NULL, "%s has %s of %s table%s", name,
		    *PQgetvalue(res, 0, 0) != '\0' ? PQgetvalue(res, 0, 0) : "nothing",
		    PQgetvalue(res, 0, 1), strtol(PQgetvalue(res, 0, 1), NULL, 10) == 1 ? "" : "s");
	}
	buf_free(&remedy);
	buf_free(&sql);
	PQclear(res);
}

/* What publications of many tables leave out in silence. */
static void
check_unlogged(struct check *c)
{
	struct buf sql = { 0 };
	PGresult *res;

	buf_adds(&sql,
	    "SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) FROM pg_catalog.pg_class c"
	    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
	    " WHERE c.relkind = 'r' AND c.relpersistence = 'u' AND c.oid >= 16384 AND"
	    " (EXISTS (SELECT FROM pg_catalog.pg_publication p WHERE p.puballtables AND pubname IN (");
	put_publications(c, &sql);
	buf_adds(&sql, "))");
	if (c->version >= COLUMN_LISTS) {
		buf_adds(&sql,
		    " OR EXISTS (SELECT FROM pg_catalog.pg_publication p"
		    " JOIN pg_catalog.pg_publication_namespace pn ON pn.pnpubid = p.oid"
		    " WHERE pn.pnnspid = c.relnamespace AND pubname IN (");
		put_publications(c, &sql);
		buf_adds(&sql, "))");
	}
	buf_adds(&sql,
	    " OR EXISTS (SELECT FROM pg_catalog.pg_partition_ancestors(c.oid) a"
	    " JOIN pg_catalog.pg_publication_rel r ON r.prrelid = a.relid"
	    " JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid WHERE pubname IN (");
	put_publications(c, &sql);
	buf_adds(&sql, "))) ORDER BY 1");
	res = check_ask(c, "unlogged tables", buf_cstr(&sql));
	for (int i = 0; res != NULL && i < PQntuples(res); i++) {
		struct buf remedy = { 0 };

		buf_printf(&remedy, "SQL: ALTER TABLE %s SET LOGGED;", PQgetvalue(res, i, 0));
		finding(&c->f, FINDING_WARNING, "unlogged tables", buf_cstr(&remedy),
		    "the changes of %s are nowhere: it is unlogged", PQgetvalue(res, i, 0));
		buf_free(&remedy);
	}
	PQclear(res);
	buf_free(&sql);
}

void
check_publications(struct check *c)
{
	for (size_t i = 0; i < c->o->n_publications; i++)
		check_publication(c, c->o->publications[i]);
	check_unlogged(c);
}

/*
 * Rights, where tables are read
 */

/*
 * The heaps that are published, as published_list has them, and what the role lacks of each.
 * 0: schema, 1: table, 2: USAGE lacks, 3: SELECT lacks, 4: its rows are hidden by policies.
 */
static PGresult *
ask_rights(struct check *c)
{
	struct catalog catalog = { .conninfo = c->o->conninfo, .wait = check_patience, .conn = c->conn };
	struct buf sql = { 0 };
	enum pg_status status;
	PGresult *heaps, *res;

	/* Why there is none any more was said; it is not to be made anew. */
	if (c->silent || PQstatus(c->conn) != CONNECTION_OK)
		return NULL;
	status = published_list(&catalog, c->version, c->o->publications, c->o->n_publications, &heaps);
	c->conn = catalog.conn;
	if (status != PG_OK || heaps == NULL) {
		c->silent = status == PG_TEMPORARY;
		finding(&c->f, c->silent ? FINDING_TEMPORARY : FINDING_ERROR, "rights", NULL, "the published tables cannot be listed");
		return NULL;
	}
	buf_adds(&sql, "WITH heap (oid, root) AS (VALUES (0::oid, 0::oid)");
	for (int i = 0; i < PQntuples(heaps); i++)
		buf_printf(&sql, ", (%s::oid, %s::oid)", PQgetvalue(heaps, i, PUBLISHED_HEAP),
		    PQgetvalue(heaps, i, PUBLISHED_AS));
	PQclear(heaps);
	buf_adds(&sql,
	    ") SELECT pg_catalog.quote_ident(n.nspname),"
	    " pg_catalog.format('%I.%I', n.nspname, c.relname),"
	    " NOT pg_catalog.has_schema_privilege(n.oid, 'USAGE'),"
	    " NOT pg_catalog.has_table_privilege(c.oid, 'SELECT') AND EXISTS (SELECT"
	    " FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0"
	    " AND NOT a.attisdropped AND a.attgenerated = ''"
	    " AND NOT pg_catalog.has_column_privilege(c.oid, a.attnum, 'SELECT')");
	if (c->version >= COLUMN_LISTS) {
		buf_adds(&sql,
		    " AND EXISTS (SELECT FROM pg_catalog.pg_publication_tables t"
		    " JOIN pg_catalog.pg_class tc ON tc.relname = t.tablename"
		    " JOIN pg_catalog.pg_namespace tn ON tn.oid = tc.relnamespace"
		    " AND tn.nspname = t.schemaname WHERE tc.oid = heap.root"
		    " AND (t.attnames IS NULL OR a.attname = ANY (t.attnames)) AND t.pubname IN (");
		put_publications(c, &sql);
		buf_adds(&sql, "))");
	}
	buf_adds(&sql,
	    "), pg_catalog.row_security_active(c.oid)"
	    " FROM heap JOIN pg_catalog.pg_class c ON c.oid = heap.oid"
	    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace ORDER BY 2");
	res = check_ask(c, "rights", buf_cstr(&sql));
	buf_free(&sql);
	return res;
}

/* Those with this lack, once each, with commas between. */
static size_t
put_lacking(const PGresult *res, int lack, int name, struct buf *b)
{
	const char *last = "";
	size_t n = 0;

	for (int i = 0; i < PQntuples(res); i++) {
		if (*PQgetvalue(res, i, lack) != 't' || strcmp(PQgetvalue(res, i, name), last) == 0)
			continue;
		last = PQgetvalue(res, i, name);
		buf_printf(b, "%s%s", n++ > 0 ? ", " : "", last);
	}
	return n;
}

void
check_rights(struct check *c)
{
	const char *why = c->o->snapshot != SNAPSHOT_NEVER ? "to load tables"
	    : c->o->toast_fetch                            ? "to fetch large values"
	                                                   : NULL;
	char *user = pg_identifier(c->conn, c->user);
	struct buf names = { 0 }, remedy = { 0 };
	static const char *const lacks[] = { "USAGE ON SCHEMA", "SELECT ON" };
	PGresult *res = NULL;
	bool any = false;

	if (why == NULL)
		finding(&c->f, FINDING_OK, "rights", NULL,
		    "none on the tables are needed, for none is loaded");
	else
		res = ask_rights(c);
	for (int i = 0; res != NULL && i < 2; i++) {
		names.len = remedy.len = 0;
		if (put_lacking(res, 2 + i, i, &names) == 0)
			continue;
		any = true;
		buf_printf(&remedy, "SQL: GRANT %s %s TO %s;", lacks[i], buf_cstr(&names), user);
		finding(&c->f, FINDING_ERROR, "rights", buf_cstr(&remedy),
		    "%s, role %s lacks %s %s", why, c->user, lacks[i], buf_cstr(&names));
	}
	names.len = remedy.len = 0;
	if (res != NULL && put_lacking(res, 4, 1, &names) > 0) {
		any = true;
		buf_printf(&remedy, "SQL: ALTER ROLE %s BYPASSRLS;", user);
		finding(&c->f, FINDING_ERROR, "rights", buf_cstr(&remedy),
		    "%s: policies for rows hold for role %s on %s", why, c->user, buf_cstr(&names));
	}
	if (res != NULL && !any)
		finding(&c->f, FINDING_OK, "rights", NULL, "%s: role %s has them on %d table%s", why,
		    c->user, PQntuples(res), PQntuples(res) == 1 ? "" : "s");
	PQclear(res);
	PQfreemem(user);
	buf_free(&names);
	buf_free(&remedy);
}
