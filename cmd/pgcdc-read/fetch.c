#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "fdio.h"
#include "fetch.h"
#include "log.h"
#include "visible.h"

#define VISIBLE_MS 10
#define VISIBLE_US INT64_C(5000000)
#define ANSWER_US  INT64_C(600000000)

void
fetch_read(struct fetch *w, const struct queued *q)
{
	struct wire wire = { .p = q->msg + 1, .end = q->msg + q->len };

	/* It was read once, and no table was redefined since. */
	if (row_read(&w->row, w->rs, q->msg[0], &wire) != NULL)
		abort();
}

void
fetch_warn(struct fetch *w, const struct relation *r, const char *reason)
{
	if (w->t->warned == r->relid)
		return;
	w->t->warned = r->relid;
	log_warn("large values that did not change cannot be fetched", kv_str("schema", r->schema),
	    kv_str("table", r->table), kv_str("reason", reason),
	    kv_str("remedy", "they stay absent; REPLICA IDENTITY FULL sends them"));
}

/*
 * Is the transaction over for others, too?  With synchronous replication it is in the stream
 * before.
 */
static bool
visible(struct toast *t, const char *snapshot, uint32_t xid)
{
	struct visible v;

	visible_parse(&v, snapshot);
	if (!visible_over(&v, xid))
		return false;
	t->all_below = v.xmin;
	return true;
}

/* It was waited for so long that it is said; and is it let go? */
static bool
lets_go(struct toast *t, uint32_t xid)
{
	if (!t->stalled)
		log_warn("a transaction is streamed, and not seen by others: it waits for a "
		         "synchronous standby",
		    kv_uint("xid", xid),
		    kv_str("then", t->fetch ? "large values can be fetched"
		                            : "its table is read once more"),
		    kv_str("remedy", "see synchronous_standby_names; this reader should not be one"));
	t->stalled = true;
	return !t->fetch;
}

enum pg_status
fetch_await_visible(struct fetch *w, uint32_t xid, bool *seen)
{
	struct toast *t = w->t;
	int64_t since = now_us();

	for (;;) {
		char *text;
		enum pg_status status = catalog_snapshot(&w->rs->catalog, &text);

		*seen = true;
		if (status != PG_OK)
			return status;
		if (text == NULL) {
			log_error("--toast fetch needs a second connection",
			    kv_str("remedy", "let the user connect twice, or --toast mark"));
			return PG_PERMANENT;
		}
		*seen = visible(t, text, xid);
		free(text);
		if (*seen) {
			t->stalled = false;
			return PG_OK;
		}
		if ((t->stalled || now_us() - since >= VISIBLE_US) && lets_go(t, xid))
			return PG_OK;
		status = pg_wait_ms(&w->rs->catalog.wait, VISIBLE_MS);
		if (status != PG_OK)
			return status;
	}
}

static void
put_identifier(struct buf *b, PGconn *conn, const char *name)
{
	char *quoted = pg_identifier(conn, name);

	buf_adds(b, quoted);
	PQfreemem(quoted);
}

/* SELECT and the columns of the key. */
static void
put_select(struct buf *sql, const struct fetch *w)
{
	const struct relation *r = w->relation;
	bool first = true;

	for (size_t i = 0; i < r->columns; i++) {
		if (!r->column[i].in_identity)
			continue;
		buf_adds(sql, first ? "SELECT " : ",");
		put_identifier(sql, w->rs->catalog.conn, r->column[i].name);
		first = false;
	}
}

/* Part i of a row's key, in the order of the relation's columns. */
static char *
key_text(const struct fetch *w, const struct queued *q, size_t column)
{
	const char *p = w->keys.data + q->key;
	uint32_t len;

	for (size_t i = 0; i < column; i++) {
		if (!w->relation->column[i].in_identity)
			continue;
		memcpy(&len, p, sizeof(len));
		p += sizeof(len) + len;
	}
	memcpy(&len, p, sizeof(len));
	return xstrndup(p + sizeof(len), len);
}

/*
 * The row's key, with types and operators by their full names: search_path is empty, and not
 * all of them are PostgreSQL's own.
 */
static void
put_key_value(struct buf *sql, const struct fetch *w, const struct queued *q)
{
	PGconn *conn = w->rs->catalog.conn;

	for (size_t i = 0; i < w->key_columns; i++) {
		const struct key_column *k = &w->key[i];
		char *text = key_text(w, q, k->column), *literal = pg_literal(conn, text);

		buf_adds(sql, i ? " AND " : "(");
		put_identifier(sql, conn, w->relation->column[k->column].name);
		buf_printf(sql, " OPERATOR(%s) %s::%s", k->equals, literal, k->type);
		PQfreemem(literal);
		free(text);
	}
	buf_addc(sql, ')');
}

/* Is it one of the rows from .. to that a query for w->relation is about? */
static bool
concerns(const struct fetch *w, const struct queued *q, enum fate fate)
{
	return q->lacking && q->relation == w->relation && q->fate == fate;
}

static void
put_where(struct buf *sql, struct fetch *w, size_t from, size_t to, enum fate fate)
{
	const char *before = " WHERE ";

	buf_printf(sql, " FROM %s", buf_cstr(&w->table));
	for (size_t i = from; i < to; i++) {
		if (!concerns(w, &w->q[i], fate))
			continue;
		buf_adds(sql, before);
		put_key_value(sql, w, &w->q[i]);
		before = " OR ";
	}
}

static bool
key_is(const struct fetch *w, const struct queued *q, const PGresult *res, int row)
{
	const char *p = w->keys.data + q->key, *end = p + q->key_len;

	for (int column = 0; p < end; column++) {
		uint32_t len;

		memcpy(&len, p, sizeof(len));
		p += sizeof(len);
		if ((uint32_t)PQgetlength(res, row, column) != len ||
		    memcmp(PQgetvalue(res, row, column), p, len) != 0)
			return false;
		p += len;
	}
	return true;
}

/* Which columns do its rows lack? */
static void
find_lacks(struct fetch *w, size_t from, size_t to, enum fate fate)
{
	size_t n = w->relation->columns;

	free(w->lacks);
	w->lacks = xcalloc(n + 1, sizeof(*w->lacks));
	for (size_t i = from; i < to; i++) {
		if (!concerns(w, &w->q[i], fate))
			continue;
		fetch_read(w, &w->q[i]);
		for (size_t c = 0; c < n; c++)
			w->lacks[c] |= w->row.new.column[c].kind == 'u';
	}
}

static void
set_unknown(struct fetch *w, size_t from, size_t to, enum fate fate)
{
	for (size_t i = from; i < to; i++)
		if (concerns(w, &w->q[i], fate))
			w->q[i].fate = UNKNOWN;
}

/*
 * Run a query about the rows.  What does not fit the table as it is now is no error: those rows
 * are UNKNOWN then, and *res is NULL.
 */
static enum pg_status
ask(struct fetch *w, struct buf *sql, size_t from, size_t to, enum fate fate, PGresult **res)
{
	struct catalog *c = &w->rs->catalog;
	struct pg_wait wait = c->wait;
	enum pg_status status;
	const char *state;

	/* The table may be locked. */
	wait.answer_us = ANSWER_US;
	status = pg_exec(&wait, c->conn, buf_cstr(sql), res);
	buf_free(sql);
	if (status != PG_OK || PQresultStatus(*res) == PGRES_TUPLES_OK)
		return status;
	state = *res ? PQresultErrorField(*res, PG_DIAG_SQLSTATE) : NULL;
	/* Names and types, values, what is not implemented; not a lack of rights. */
	if (state != NULL && strcmp(state, "42501") != 0 &&
	    (strncmp(state, "42", 2) == 0 || strncmp(state, "22", 2) == 0 ||
	        strncmp(state, "0A", 2) == 0)) {
		fetch_warn(w, w->relation, PQresultErrorField(*res, PG_DIAG_MESSAGE_PRIMARY));
		set_unknown(w, from, to, fate);
		status = PG_OK;
	} else {
		status = pg_failed(c->conn, *res, "cannot fetch large values from a table",
		    pg_sqlstate_is(*res, "42501") ? "GRANT SELECT on the table, and with row-level "
		                                    "security BYPASSRLS; or --toast mark" : NULL);
	}
	PQclear(*res);
	*res = NULL;
	return status;
}

void
fetch_forget(struct fetch *w)
{
	for (size_t i = 0; i < w->key_columns; i++) {
		free(w->key[i].type);
		free(w->key[i].equals);
	}
	free(w->key);
	w->key = NULL;
	w->key_columns = 0;
	w->table.len = 0;
}

/* A row of find_table's; false: the key is not the relation's. */
static bool
take_key_column(struct fetch *w, const PGresult *res, int row)
{
	const struct relation *r = w->relation;
	size_t i = relation_column(r, PQgetvalue(res, row, 1));

	if (i == r->columns || !r->column[i].in_identity)
		return false;
	w->key[w->key_columns++] = (struct key_column) { .column = i,
		.type = xstrdup(PQgetvalue(res, row, 2)),
		.equals = xstrdup(PQgetvalue(res, row, 3)) };
	return true;
}

/*
 * The table as it is now: its name, and of each column of its identity the type and the
 * operator that its index has for "equal" (btree's strategy 3).  A type modifier of -1 keeps
 * char(n) from being called "character", which is char(1).
 */
static enum pg_status
find_table(struct fetch *w)
{
	const struct relation *r = w->relation;
	struct buf sql = { 0 };
	PGresult *res;
	enum pg_status status;
	bool fits = true;

	fetch_forget(w);
	buf_printf(&sql,
	    "SELECT CASE c.relkind WHEN 'p' THEN '' ELSE 'ONLY ' END ||"
	    " pg_catalog.format('%%I.%%I', n.nspname, c.relname), a.attname,"
	    " pg_catalog.format_type(a.atttypid, -1),"
	    " pg_catalog.format('%%I.%%s', opn.nspname, op.oprname)"
	    " FROM pg_catalog.pg_class c"
	    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
	    " LEFT JOIN pg_catalog.pg_index i ON i.indrelid = c.oid AND i.%s"
	    " LEFT JOIN LATERAL unnest(i.indkey::int2[], i.indclass::oid[])"
	    " WITH ORDINALITY k (attnum, class, place) ON k.place <= i.indnkeyatts"
	    " LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum"
	    " LEFT JOIN pg_catalog.pg_opclass oc ON oc.oid = k.class"
	    " LEFT JOIN pg_catalog.pg_amop ao ON ao.amopfamily = oc.opcfamily"
	    " AND ao.amopstrategy = 3 AND ao.amoppurpose = 's'"
	    " AND ao.amoplefttype = oc.opcintype AND ao.amoprighttype = oc.opcintype"
	    " LEFT JOIN pg_catalog.pg_operator op ON op.oid = ao.amopopr"
	    " LEFT JOIN pg_catalog.pg_namespace opn ON opn.oid = op.oprnamespace"
	    " WHERE c.oid = %" PRIu32,
	    r->identity == 'd' ? "indisprimary" : "indisreplident", r->relid);
	status = catalog_query(&w->rs->catalog, buf_cstr(&sql), "cannot look up a table", &res);
	buf_free(&sql);
	if (status != PG_OK || res == NULL)
		return status;
	w->key = xcalloc((size_t)PQntuples(res) + 1, sizeof(*w->key));
	for (int row = 0; row < PQntuples(res) && fits; row++)
		fits = !PQgetisnull(res, row, 3) && take_key_column(w, res, row);
	if (PQntuples(res) == 0)
		fetch_warn(w, r, "the table was dropped since");
	else if (!fits || w->key_columns != relation_identity(r))
		fetch_warn(w, r, "the table's identity was changed since");
	else
		buf_adds(&w->table, PQgetvalue(res, 0, 0));
	PQclear(res);
	return status;
}

/*
 * Begin a query about the relation's rows: find the table, and what they lack.  Where there is
 * none any more they are UNKNOWN, and the table has no name.
 */
static enum pg_status
begin(struct fetch *w, size_t from, size_t to, enum fate fate, struct buf *sql)
{
	enum pg_status status = find_table(w);

	if (status != PG_OK)
		return status;
	if (w->table.len == 0) {
		set_unknown(w, from, to, fate);
		return PG_OK;
	}
	find_lacks(w, from, to, fate);
	put_select(sql, w);
	return PG_OK;
}

/* The result's row that has the queued one's key, or -1. */
static int
find_row(const struct fetch *w, const struct queued *q, const PGresult *res)
{
	for (int row = 0; row < PQntuples(res); row++)
		if (key_is(w, q, res, row))
			return row;
	return -1;
}

enum pg_status
fetch_measure(struct fetch *w)
{
	struct buf sql = { 0 };
	enum pg_status status = begin(w, 0, w->n, WANTED, &sql);
	PGresult *res;

	if (status != PG_OK || w->table.len == 0)
		return status;
	buf_adds(&sql, ", 0");
	for (size_t i = 0; i < w->relation->columns; i++)
		if (w->lacks[i]) {
			buf_adds(&sql, " + coalesce(pg_catalog.pg_column_size(");
			put_identifier(&sql, w->rs->catalog.conn, w->relation->column[i].name);
			buf_adds(&sql, "), 0)::bigint");
		}
	put_where(&sql, w, 0, w->n, WANTED);
	status = ask(w, &sql, 0, w->n, WANTED, &res);
	if (status != PG_OK || res == NULL)
		return status;
	for (size_t i = 0; i < w->n; i++) {
		struct queued *q = &w->q[i];
		int row;

		if (!concerns(w, q, WANTED))
			continue;
		row = find_row(w, q, res);
		q->fate = row < 0 ? GONE : FOUND;
		if (row >= 0)
			q->size = strtoll(PQgetvalue(res, row, (int)w->key_columns), NULL, 10);
	}
	PQclear(res);
	return PG_OK;
}

/* The last column is xmin.  It may be a subtransaction's, which is taken for another one. */
static uint32_t
wrote(const PGresult *res, int row)
{
	return (uint32_t)strtoul(PQgetvalue(res, row, PQnfields(res) - 1), NULL, 10);
}

enum pg_status
fetch_rows(struct fetch *w, size_t from, size_t to, PGresult **res)
{
	struct buf sql = { 0 };
	enum pg_status status = begin(w, from, to, FOUND, &sql);

	*res = NULL;
	if (status != PG_OK || w->table.len == 0)
		return status;
	for (size_t i = 0; i < w->relation->columns; i++)
		if (w->lacks[i]) {
			buf_addc(&sql, ',');
			put_identifier(&sql, w->rs->catalog.conn, w->relation->column[i].name);
		}
	buf_adds(&sql, ", xmin");
	put_where(&sql, w, from, to, FOUND);
	status = ask(w, &sql, from, to, FOUND, res);
	if (status != PG_OK || *res == NULL)
		return status;
	for (size_t i = from; i < to; i++) {
		struct queued *q = &w->q[i];

		if (!concerns(w, q, FOUND))
			continue;
		q->res_row = find_row(w, q, *res);
		q->fate = q->res_row < 0 ? GONE : FOUND;
		q->res = *res;
		q->other = q->res_row >= 0 && wrote(*res, q->res_row) != w->xid;
	}
	return PG_OK;
}
