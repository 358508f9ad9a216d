#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "toast.h"

#define MAX_LACKING 256                   /* rows in one query */
#define MAX_QUEUE   ((size_t)1024 * 1024) /* bytes of messages that wait */
#define MAX_GROUP   ((int64_t)1024 * 1024) /* bytes of values, as stored, that come at a time */
#define VISIBLE_MS  10
#define ANSWER_US   INT64_C(600000000)
#define LARGE       (4 * 1024 * 1024) /* for so large a value libpq makes a lot of room */

enum fate {
	WANTED,
	FOUND,
	GONE,
	UNKNOWN, /* it cannot be looked up */
};

/* A queued row. */
struct queued {
	const char *msg;
	size_t len;
	bool lacking;
	struct relation *relation;
	size_t key, key_len; /* in keys */
	enum fate fate;
	int64_t size; /* of what it lacks, as stored */
	const PGresult *res;
	int res_row;
};

/* A column of a table's identity, as SQL has to name it. */
struct key_column {
	size_t column; /* of the relation */
	char *type;
	char *equals; /* the operator of its index */
};

/* What the steps share. */
struct work {
	struct toast *t;
	struct relations *rs;
	struct row row;
	struct queued *q;
	size_t n;
	struct buf keys;
	struct relation *relation; /* of the query that is being made */
	struct buf table;          /* its name, quoted; empty: it is gone, or another one */
	struct key_column *key;
	size_t key_columns;
	bool large; /* a value came for which libpq made a lot of room */
	bool *lacks;               /* its columns */
};

void
toast_add(struct toast *t, const struct row *row, char letter, const char *body, size_t len)
{
	uint32_t n = (uint32_t)len + 1;
	bool lacking = row_lacks(row);

	buf_add(&t->queue, &n, sizeof(n));
	buf_addc(&t->queue, lacking);
	buf_addc(&t->queue, letter);
	buf_add(&t->queue, body, len);
	t->rows++;
	t->lacking += lacking;
}

bool
toast_full(const struct toast *t)
{
	return t->lacking >= MAX_LACKING || t->queue.len >= MAX_QUEUE;
}

void
toast_clear(struct toast *t)
{
	t->queue.len = 0;
	buf_trim(&t->queue, MAX_QUEUE);
	t->rows = t->lacking = 0;
}

static void
read_queued(struct work *w, const struct queued *q)
{
	struct wire wire = { .p = q->msg + 1, .end = q->msg + q->len };

	/* It was read once, and no table was redefined since. */
	if (row_read(&w->row, w->rs, q->msg[0], &wire) != NULL)
		abort();
}

/* The row's key, as length and text of each column of its identity; 0: it has none. */
static size_t
put_key(struct buf *b, const struct row *row)
{
	const struct relation *r = row->relation;
	size_t start = b->len;

	if (r->identity != 'd' && r->identity != 'i')
		return 0;
	for (size_t i = 0; i < r->columns; i++) {
		const struct tuple_column *c = &row->new.column[i];

		if (!r->column[i].in_identity)
			continue;
		if (c->kind != 't') {
			b->len = start;
			return 0;
		}
		buf_add(b, &c->len, sizeof(c->len));
		buf_add(b, c->text, c->len);
	}
	return b->len - start;
}

static void
warn(struct work *w, const struct relation *r, const char *reason)
{
	if (w->t->warned == r->relid)
		return;
	w->t->warned = r->relid;
	log_warn("large values that did not change cannot be fetched", kv_str("schema", r->schema),
	    kv_str("table", r->table), kv_str("reason", reason),
	    kv_str("remedy", "they stay absent; REPLICA IDENTITY FULL sends them"));
}

/* List what is queued. */
static void
list(struct work *w)
{
	const char *p = w->t->queue.data, *end = p + w->t->queue.len;

	w->q = xcalloc(w->t->rows, sizeof(*w->q));
	while (p < end) {
		struct queued *q = &w->q[w->n++];
		uint32_t len;

		memcpy(&len, p, sizeof(len));
		q->lacking = p[sizeof(len)] != 0;
		q->msg = p + sizeof(len) + 1;
		q->len = len;
		p = q->msg + len;
		if (!q->lacking)
			continue;
		read_queued(w, q);
		q->relation = w->row.relation;
		q->key = w->keys.len;
		q->key_len = put_key(&w->keys, &w->row);
		q->fate = q->key_len > 0 ? WANTED : UNKNOWN;
		if (q->fate == UNKNOWN)
			warn(w, q->relation, "the row has no key");
	}
}

/*
 * Is the transaction over for others, too?  With synchronous replication it is in the stream
 * before.  A snapshot reads xmin:xmax:running,... in 64 bits.
 */
static bool
visible(struct toast *t, const char *snapshot, uint32_t xid)
{
	char *p;
	uint64_t xmin = strtoull(snapshot, &p, 10), xmax = strtoull(*p ? p + 1 : p, &p, 10);
	uint64_t wide = (xmax & ~UINT64_C(0xffffffff)) | xid;

	if (wide > xmax && wide - xmax > UINT64_C(1) << 31)
		wide -= UINT64_C(1) << 32;
	if (wide >= xmax)
		return false;
	for (*p == ':' ? p++ : p; *p != '\0'; p += *p == ',')
		if (strtoull(p, &p, 10) == wide)
			return false;
	t->all_below = xmin;
	return true;
}

static enum pg_status
await_visible(struct work *w, uint32_t xid)
{
	for (;;) {
		PGresult *res;
		enum pg_status status = catalog_query(&w->rs->catalog,
		    "SELECT pg_catalog.pg_current_snapshot()", "cannot look at what is committed",
		    &res);
		bool seen;

		if (status != PG_OK)
			return status;
		if (res == NULL) {
			log_error("--toast fetch needs a second connection",
			    kv_str("remedy", "let the user connect twice, or --toast mark"));
			return PG_PERMANENT;
		}
		seen = visible(w->t, PQgetvalue(res, 0, 0), xid);
		PQclear(res);
		if (seen)
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
put_select(struct buf *sql, const struct work *w)
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
key_text(const struct work *w, const struct queued *q, size_t column)
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
put_key_value(struct buf *sql, const struct work *w, const struct queued *q)
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
concerns(const struct work *w, const struct queued *q, enum fate fate)
{
	return q->lacking && q->relation == w->relation && q->fate == fate;
}

static void
put_where(struct buf *sql, struct work *w, size_t from, size_t to, enum fate fate)
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
key_is(const struct work *w, const struct queued *q, const PGresult *res, int row)
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
find_lacks(struct work *w, size_t from, size_t to, enum fate fate)
{
	size_t n = w->relation->columns;

	free(w->lacks);
	w->lacks = xcalloc(n + 1, sizeof(*w->lacks));
	for (size_t i = from; i < to; i++) {
		if (!concerns(w, &w->q[i], fate))
			continue;
		read_queued(w, &w->q[i]);
		for (size_t c = 0; c < n; c++)
			w->lacks[c] |= w->row.new.column[c].kind == 'u';
	}
}

static void
set_unknown(struct work *w, size_t from, size_t to, enum fate fate)
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
ask(struct work *w, struct buf *sql, size_t from, size_t to, enum fate fate, PGresult **res)
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
		warn(w, w->relation, PQresultErrorField(*res, PG_DIAG_MESSAGE_PRIMARY));
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

static void
forget_table(struct work *w)
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
take_key_column(struct work *w, const PGresult *res, int row)
{
	const struct relation *r = w->relation;
	size_t i = 0;

	while (i < r->columns && strcmp(r->column[i].name, PQgetvalue(res, row, 1)) != 0)
		i++;
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
find_table(struct work *w)
{
	const struct relation *r = w->relation;
	struct buf sql = { 0 };
	PGresult *res;
	enum pg_status status;
	size_t flagged = 0;
	bool fits = true;

	forget_table(w);
	for (size_t i = 0; i < r->columns; i++)
		flagged += r->column[i].in_identity;
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
		warn(w, r, "the table was dropped since");
	else if (!fits || w->key_columns != flagged)
		warn(w, r, "the table's identity was changed since");
	else
		buf_adds(&w->table, PQgetvalue(res, 0, 0));
	PQclear(res);
	return status;
}

/* Which of the relation's rows are there, and how much will come of each? */
static enum pg_status
measure(struct work *w)
{
	struct buf sql = { 0 };
	enum pg_status status = find_table(w);
	PGresult *res;

	if (status != PG_OK)
		return status;
	if (w->table.len == 0) {
		set_unknown(w, 0, w->n, WANTED);
		return PG_OK;
	}
	find_lacks(w, 0, w->n, WANTED);
	put_select(&sql, w);
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

		if (!concerns(w, q, WANTED))
			continue;
		q->fate = GONE;
		for (int row = 0; row < PQntuples(res) && q->fate == GONE; row++)
			if (key_is(w, q, res, row)) {
				q->fate = FOUND;
				q->size = atoll(PQgetvalue(res, row, (int)w->key_columns));
			}
	}
	PQclear(res);
	return PG_OK;
}

/* Fetch what the relation's rows from .. to lack. */
static enum pg_status
fetch(struct work *w, size_t from, size_t to, PGresult **res)
{
	struct buf sql = { 0 };
	enum pg_status status = find_table(w);

	*res = NULL;
	if (status != PG_OK)
		return status;
	if (w->table.len == 0) {
		set_unknown(w, from, to, FOUND);
		return PG_OK;
	}
	find_lacks(w, from, to, FOUND);
	put_select(&sql, w);
	for (size_t i = 0; i < w->relation->columns; i++)
		if (w->lacks[i]) {
			buf_addc(&sql, ',');
			put_identifier(&sql, w->rs->catalog.conn, w->relation->column[i].name);
		}
	put_where(&sql, w, from, to, FOUND);
	status = ask(w, &sql, from, to, FOUND, res);
	if (status != PG_OK || *res == NULL)
		return status;
	for (size_t i = from; i < to; i++) {
		struct queued *q = &w->q[i];

		if (!concerns(w, q, FOUND))
			continue;
		q->fate = GONE;
		for (int row = 0; row < PQntuples(*res) && q->res == NULL; row++)
			if (key_is(w, q, *res, row)) {
				q->fate = FOUND;
				q->res = *res;
				q->res_row = row;
			}
	}
	return PG_OK;
}

/* Its missing values; they stand behind the key, in the order of the columns. */
static void
complete(struct row *row, const struct queued *q, const bool *lacks, bool *large)
{
	const struct relation *r = row->relation;
	int column = 0;

	for (size_t i = 0; i < r->columns; i++)
		column += r->column[i].in_identity;
	for (size_t i = 0; i < r->columns; i++) {
		struct tuple_column *c = &row->new.column[i];

		if (!lacks[i])
			continue;
		if (c->kind == 'u') {
			c->kind = PQgetisnull(q->res, q->res_row, column) ? 'n' : 't';
			c->text = PQgetvalue(q->res, q->res_row, column);
			c->len = (uint32_t)PQgetlength(q->res, q->res_row, column);
			*large = *large || c->len >= LARGE;
		}
		column++;
	}
}

static void
hand_over(struct work *w, const struct queued *q, void (*emit)(void *, struct row *), void *arg)
{
	struct row *row = &w->row;

	read_queued(w, q);
	if (q->lacking && q->fate == FOUND)
		complete(row, q, w->lacks, &w->large);
	if (q->lacking && q->fate == GONE) {
		if (row->old_part == 0)
			return;
		row->letter = 'D';
	}
	emit(arg, row);
}

/*
 * From the first row on, as many as bring little enough, and lack something in one table only.
 */
static size_t
group_end(struct work *w, size_t from)
{
	int64_t size = 0;
	size_t i;

	w->relation = NULL;
	for (i = from; i < w->n; i++) {
		struct queued *q = &w->q[i];

		if (!q->lacking || q->fate != FOUND)
			continue;
		if (w->relation != NULL && (q->relation != w->relation || size + q->size > MAX_GROUP))
			break;
		w->relation = q->relation;
		size += q->size;
	}
	return i;
}

static enum pg_status
resolve(struct work *w, uint32_t xid, void (*emit)(void *, struct row *), void *arg)
{
	enum pg_status status = PG_OK;
	size_t from = 0, to;

	list(w);
	if (w->t->all_below == 0 || (int32_t)(xid - (uint32_t)w->t->all_below) >= 0)
		status = await_visible(w, xid);
	for (size_t i = 0; i < w->n && status == PG_OK; i++) {
		if (!w->q[i].lacking || w->q[i].fate != WANTED)
			continue;
		w->relation = w->q[i].relation;
		status = measure(w);
	}
	for (; from < w->n && status == PG_OK; from = to) {
		PGresult *res = NULL;

		to = group_end(w, from);
		if (w->relation != NULL)
			status = fetch(w, from, to, &res);
		for (size_t i = from; i < to && status == PG_OK; i++)
			hand_over(w, &w->q[i], emit, arg);
		PQclear(res);
		if (status == PG_OK && to < w->n && w->t->room != NULL)
			status = w->t->room(w->t->room_arg);
	}
	return status;
}

enum pg_status
toast_resolve(struct toast *t, struct relations *rs, uint32_t xid,
    void (*emit)(void *, struct row *), void *arg)
{
	struct work w = { .t = t, .rs = rs };
	enum pg_status status;

	if (t->rows == 0)
		return PG_OK;
	status = resolve(&w, xid, emit, arg);
	/* libpq never gives back what it once needed for a value. */
	if (w.large)
		catalog_close(&rs->catalog);
	forget_table(&w);
	row_free(&w.row);
	free(w.q);
	free(w.lacks);
	buf_free(&w.keys);
	buf_free(&w.table);
	toast_clear(t);
	return status;
}
