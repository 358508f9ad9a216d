#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "toast.h"

#define MAX_LACKING 256                   /* rows in one query */
#define MAX_QUEUE   ((size_t)1024 * 1024) /* bytes of messages that wait */
#define MAX_GROUP   ((int64_t)1024 * 1024) /* bytes of values, as stored, that come at a time */
#define VISIBLE_MS  10

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

/* What the steps share. */
struct work {
	struct toast *t;
	struct relations *rs;
	struct row row;
	struct queued *q;
	size_t n;
	struct buf keys;
	struct relation *relation; /* of the query that is being made */
	struct buf table;          /* its name, quoted */
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

/* The columns of the key, joined by commas. */
static void
put_key_columns(struct buf *sql, const struct work *w, const char *prefix)
{
	const struct relation *r = w->relation;
	bool first = true;

	for (size_t i = 0; i < r->columns; i++) {
		if (!r->column[i].in_identity)
			continue;
		buf_adds(sql, first ? prefix : ",");
		put_identifier(sql, w->rs->catalog.conn, r->column[i].name);
		first = false;
	}
}

static void
put_key_value(struct buf *sql, const struct work *w, const struct queued *q)
{
	const char *p = w->keys.data + q->key, *end = p + q->key_len;
	bool first = true;

	for (; p < end; first = false) {
		uint32_t len;
		char *text, *literal;

		memcpy(&len, p, sizeof(len));
		text = xstrndup(p + sizeof(len), len);
		p += sizeof(len) + len;
		literal = pg_literal(w->rs->catalog.conn, text);
		buf_printf(sql, "%s%s", first ? "(" : ",", literal);
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
	const char *before = " IN (";

	buf_printf(sql, " FROM %s WHERE ", buf_cstr(&w->table));
	put_key_columns(sql, w, "(");
	buf_addc(sql, ')');
	for (size_t i = from; i < to; i++) {
		if (!concerns(w, &w->q[i], fate))
			continue;
		buf_adds(sql, before);
		put_key_value(sql, w, &w->q[i]);
		before = ",";
	}
	buf_addc(sql, ')');
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

/*
 * Run a query about the rows.  What the table does not have any more is no error: those rows
 * are UNKNOWN then, and *res is NULL.
 */
static enum pg_status
ask(struct work *w, struct buf *sql, size_t from, size_t to, enum fate fate, PGresult **res)
{
	struct catalog *c = &w->rs->catalog;
	enum pg_status status = pg_exec(&c->wait, c->conn, buf_cstr(sql), res);

	buf_free(sql);
	if (status != PG_OK || PQresultStatus(*res) == PGRES_TUPLES_OK)
		return status;
	if (pg_sqlstate_is(*res, "42P01") || pg_sqlstate_is(*res, "42703") ||
	    pg_sqlstate_is(*res, "22P02")) {
		warn(w, w->relation, "the table was changed since");
		for (size_t i = from; i < to; i++)
			if (concerns(w, &w->q[i], fate))
				w->q[i].fate = UNKNOWN;
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

/* The table's name as it is now. */
static enum pg_status
find_table(struct work *w)
{
	char sql[200];
	PGresult *res;
	enum pg_status status;

	snprintf(sql, sizeof(sql),
	    "SELECT pg_catalog.format('%%I.%%I', n.nspname, c.relname) FROM pg_catalog.pg_class c"
	    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = %" PRIu32,
	    w->relation->relid);
	status = catalog_query(&w->rs->catalog, sql, "cannot look up a table", &res);
	w->table.len = 0;
	if (status == PG_OK && res != NULL && PQntuples(res) == 1)
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
	int keys = 0;
	PGresult *res;

	if (status != PG_OK)
		return status;
	if (w->table.len == 0)
		warn(w, w->relation, "the table was dropped since");
	find_lacks(w, 0, w->n, WANTED);
	put_key_columns(&sql, w, "SELECT ");
	for (size_t i = 0; i < w->relation->columns; i++)
		keys += w->relation->column[i].in_identity;
	buf_adds(&sql, ", 0");
	for (size_t i = 0; i < w->relation->columns; i++)
		if (w->lacks[i]) {
			buf_adds(&sql, " + coalesce(pg_catalog.pg_column_size(");
			put_identifier(&sql, w->rs->catalog.conn, w->relation->column[i].name);
			buf_adds(&sql, "), 0)::bigint");
		}
	if (w->table.len == 0) {
		buf_free(&sql);
		for (size_t i = 0; i < w->n; i++)
			if (concerns(w, &w->q[i], WANTED))
				w->q[i].fate = UNKNOWN;
		return PG_OK;
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
				q->size = atoll(PQgetvalue(res, row, keys));
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
	find_lacks(w, from, to, FOUND);
	put_key_columns(&sql, w, "SELECT ");
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
complete(struct row *row, const struct queued *q, const bool *lacks)
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
		complete(row, q, w->lacks);
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
	row_free(&w.row);
	free(w.q);
	free(w.lacks);
	buf_free(&w.keys);
	buf_free(&w.table);
	toast_clear(t);
	return status;
}
