#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "chunk.h"
#include "log.h"
#include "lsn.h"
#include "published.h"

#define ROWS_A_TURN  2000
#define BYTES_A_TURN ((uint64_t)512 * 1024)

static void
put_copy(struct buf *sql, const struct chunk *c, PGconn *conn)
{
	const struct table *t = c->table;

	buf_adds(sql, "COPY (SELECT ");
	for (size_t i = 0; i < t->relation->columns; i++) {
		char *name = pg_identifier(conn, t->relation->column[i].name);

		buf_printf(sql, "%s%s", i ? "," : "", name);
		PQfreemem(name);
	}
	buf_printf(sql, " FROM ONLY %s WHERE ctid >= '(%" PRIu32 ",0)'::pg_catalog.tid", t->name,
	    c->range.from);
	/* Whatever was moved behind its blocks since they were counted, too. */
	if (!t->at_once)
		buf_printf(sql, " AND ctid < '(%" PRIu32 ",0)'::pg_catalog.tid", c->range.to);
	if (t->filter != NULL)
		buf_printf(sql, " AND (%s)", t->filter);
	buf_adds(sql, ") TO STDOUT;");
}

static void
put_define(struct buf *sql, const struct chunk *c, const struct chunk_context *x, PGconn *conn,
    struct buf *prepared)
{
	const struct table *t = c->table;
	struct buf define = { 0 };

	published_define(&define, conn, x->version, x->publications, x->n_publications, t->heap,
	    t->published, t->name, t->by);
	if (define.len != prepared->len || memcmp(define.data, prepared->data, define.len) != 0) {
		buf_printf(sql, "DEALLOCATE ALL;PREPARE pgcdc_define AS %s;", buf_cstr(&define));
		prepared->len = 0;
		buf_add(prepared, define.data, define.len);
	}
	buf_adds(sql, "EXECUTE pgcdc_define;");
	buf_free(&define);
}

bool
chunk_ask(struct chunk *c, const struct chunk_context *x, PGconn *conn, struct buf *prepared)
{
	struct table *t = c->table;
	struct buf sql = { 0 };
	bool sent;

	buf_printf(&sql,
	    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;"
	    "SET LOCAL lock_timeout = '1s';"
	    "LOCK TABLE ONLY %s IN ACCESS SHARE MODE;",
	    t->name);
	put_define(&sql, c, x, conn, prepared);
	c->filenode = t->filenode;
	if (c->range.from < c->range.to) {
		c->relation = t->relation;
		c->definition = t->relation->arrived;
		put_copy(&sql, c, conn);
		published_place(&sql, t->heap);
	}
	buf_adds(&sql, "COMMIT");
	sent = PQsendQuery(conn, buf_cstr(&sql)) == 1;
	buf_free(&sql);
	return sent;
}

static void
put_u16(struct buf *b, size_t v)
{
	buf_addc(b, (char)(v >> 8));
	buf_addc(b, (char)v);
}

static void
put_u32(struct buf *b, uint32_t v)
{
	put_u16(b, v >> 16);
	put_u16(b, v & 0xffff);
}

static void
put_name(struct buf *b, const char *name)
{
	buf_add(b, name, strlen(name) + 1);
}

static uint32_t
number(const PGresult *res, int row, int column)
{
	return (uint32_t)strtoll(PQgetvalue(res, row, column), NULL, 10);
}

/*
 * As the stream would say it: "Relation" in "Logical Replication Message Formats".  Behind it the
 * primary key, which that does not always tell: with another one it is another definition.
 */
static void
make_message(struct chunk *c, const PGresult *res)
{
	struct buf *b = &c->message;
	int n = PQgetisnull(res, 0, DEFINED_COLUMN) ? 0 : PQntuples(res);

	b->len = 0;
	put_u32(b, c->table->published);
	put_name(b, PQgetvalue(res, 0, DEFINED_SCHEMA));
	put_name(b, PQgetvalue(res, 0, DEFINED_TABLE));
	buf_addc(b, *PQgetvalue(res, 0, DEFINED_IDENTITY));
	put_u16(b, (size_t)n);
	for (int i = 0; i < n; i++) {
		buf_addc(b, *PQgetvalue(res, i, DEFINED_IN_IDENTITY) == 't');
		put_name(b, PQgetvalue(res, i, DEFINED_COLUMN));
		put_u32(b, number(res, i, DEFINED_TYPE));
		put_u32(b, number(res, i, DEFINED_TYPMOD));
	}
	put_name(b, PQgetvalue(res, 0, DEFINED_KEY));
}

static bool
same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/* Is the table what it was when the query was made? */
static bool
as_expected(const struct chunk *c)
{
	const struct table *t = c->table;
	const struct buf *was = &c->relation->message;

	return c->new_filenode == c->filenode && c->definition == c->relation->arrived &&
	    was->len == c->message.len && memcmp(was->data, c->message.data, was->len) == 0 &&
	    same_text(c->filter, t->filter);
}

/*
 * Does somebody change the schema's row who may not be over?  Its xid may be a subtransaction's,
 * which no snapshot lists: all before the snapshot's first are over.
 */
static bool
is_leaving(const struct chunk *c, const struct visible *seen)
{
	return c->leaving != 0 && (int32_t)(c->leaving - (uint32_t)seen->xmin) >= 0;
}

/* What the transaction sees, and of what. */
static void
take_definition(struct chunk *c, const struct chunk_context *x, const PGresult *res)
{
	struct visible seen;

	if (PQntuples(res) == 0 || PQgetisnull(res, 0, DEFINED_FILENODE) ||
	    number(res, 0, DEFINED_HEAP) != c->table->heap ||
	    number(res, 0, DEFINED_PLACE) != c->table->place ||
	    strtoll(PQgetvalue(res, 0, DEFINED_PRINT), NULL, 10) != c->table->print) {
		c->outcome = CHUNK_CHANGED;
		return;
	}
	if (*PQgetvalue(res, 0, DEFINED_UNSURE) == 't') {
		log_error("the publications have different columns of a table",
		    kv_str("table", c->table->name),
		    kv_str("remedy", "give them the same column lists"));
		c->outcome = CHUNK_REFUSED;
		return;
	}
	visible_parse(&seen, PQgetvalue(res, 0, DEFINED_SNAPSHOT));
	c->leaving = number(res, 0, DEFINED_LEAVING);
	if (is_leaving(c, &seen)) {
		c->outcome = CHUNK_LOCKED;
		return;
	}
	if (!visible_all(x->streamed, c->streamed, &seen, &c->unseen)) {
		c->outcome = CHUNK_STALE;
		return;
	}
	if (lsn_parse(PQgetvalue(res, 0, DEFINED_LOG_END),
	        (size_t)PQgetlength(res, 0, DEFINED_LOG_END), &c->log_end) != 0)
		c->log_end = UINT64_MAX;
	c->log_end = pg_log_end(c->log_end);
	c->new_filenode = number(res, 0, DEFINED_FILENODE);
	c->blocks = number(res, 0, DEFINED_BLOCKS);
	c->table_bytes = strtoull(PQgetvalue(res, 0, DEFINED_BYTES), NULL, 10);
	make_message(c, res);
	free(c->filter);
	c->filter = PQgetisnull(res, 0, DEFINED_FILTER) ? NULL
							: xstrdup(PQgetvalue(res, 0, DEFINED_FILTER));
	c->found = true;
	if (c->range.from < c->range.to && !as_expected(c))
		c->outcome = CHUNK_CHANGED;
}

/* What was copied is what the name meant by then. */
static void
take_place(struct chunk *c, const PGresult *res)
{
	if (c->outcome != CHUNK_FINE || (PQntuples(res) > 0 && number(res, 0, 0) == c->leaving))
		return;
	log_debug("a table's schema was altered while the table was read",
	    kv_str("table", c->table->name));
	c->outcome = CHUNK_CHANGED;
	c->found = false;
}

/* Names and types that are not there: the table was altered, renamed or dropped. */
static bool
is_changed(const char *state)
{
	return strcmp(state, "42P01") == 0 || strcmp(state, "42703") == 0 ||
	    strcmp(state, "3F000") == 0 || strcmp(state, "42809") == 0 ||
	    strcmp(state, "42883") == 0 || strcmp(state, "42704") == 0;
}

static void
say_error(const struct chunk *c, PGconn *conn, const PGresult *res, const char *remedy)
{
	const char *words = res ? PQresultErrorMessage(res) : PQerrorMessage(conn);
	size_t n = strlen(words);
	bool again = c->outcome == CHUNK_FAILED;

	while (n > 0 && words[n - 1] == '\n')
		n--;
	log_at(again ? LOG_WARN : LOG_ERROR,
	    again ? "a part of a table could not be read, and is read again" : "cannot load a table",
	    kv_str("table", c->table->name), kv_strn("server", words, n), kv_str("remedy", remedy));
}

static void
take_error(struct chunk *c, PGconn *conn, const PGresult *res)
{
	const char *state = res ? PQresultErrorField(res, PG_DIAG_SQLSTATE) : NULL, *remedy = NULL;

	if (c->outcome != CHUNK_FINE)
		return;
	if (state != NULL && strcmp(state, "55P03") == 0) {
		c->outcome = CHUNK_LOCKED;
	} else if (state != NULL && is_changed(state)) {
		c->outcome = CHUNK_CHANGED;
		log_debug("a table is another one now", kv_str("table", c->table->name),
		    kv_str("server", PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY)));
	} else {
		if (state != NULL && strcmp(state, "42501") == 0)
			remedy = "GRANT SELECT on the table, of partitions on each, USAGE on its "
			         "schema, and with row-level security BYPASSRLS";
		log_debug("the chunk that failed", kv_str("table", c->table->name),
		    kv_uint("from", c->range.from), kv_uint("to", c->range.to));
		c->outcome = pg_judge(conn, res) == PG_PERMANENT ? CHUNK_REFUSED : CHUNK_FAILED;
		say_error(c, conn, res, remedy);
	}
}

/* A row of COPY.  It is kept as it is: what it needs, it needs when it is emitted. */
static void
take_row(struct chunk *c, const struct chunk_context *x, const char *line, size_t len)
{
	if (len > 0 && line[len - 1] == '\n')
		len--;
	c->rows++;
	c->bytes += len;
	if (len > c->largest)
		c->largest = len;
	if (c->outcome == CHUNK_FINE &&
	    spool_add(x->spools, c->spool, 'S', line, len) != 0)
		c->outcome = CHUNK_NO_ROOM;
}

/* The rows that have come, as many as a turn allows: 1 when that was not all. */
static int
take_rows(struct chunk *c, const struct chunk_context *x, PGconn *conn)
{
	uint64_t rows = c->rows + ROWS_A_TURN, bytes = c->bytes + BYTES_A_TURN;

	while (c->rows < rows && c->bytes < bytes) {
		char *line;
		int n = PQgetCopyData(conn, &line, 1);

		if (n == 0)
			return 0;
		if (n < 0) {
			c->copying = false;
			return 0;
		}
		take_row(c, x, line, (size_t)n);
		PQfreemem(line);
	}
	return 1;
}

bool
chunk_take(struct chunk *c, const struct chunk_context *x, PGconn *conn, bool *more)
{
	*more = false;
	for (;;) {
		PGresult *res;

		if (c->copying) {
			*more = take_rows(c, x, conn) == 1;
			if (c->copying)
				return false;
		}
		if (PQisBusy(conn))
			return false;
		res = PQgetResult(conn);
		if (res == NULL)
			break;
		switch (PQresultStatus(res)) {
		case PGRES_TUPLES_OK:
			if (c->copied)
				take_place(c, res);
			else
				take_definition(c, x, res);
			break;
		case PGRES_COPY_OUT: c->copying = c->copied = true; break;
		case PGRES_COMMAND_OK: break;
		default: take_error(c, conn, res);
		}
		PQclear(res);
		if (PQstatus(conn) == CONNECTION_BAD)
			break;
	}
	if (c->outcome == CHUNK_FINE && (!c->found || PQstatus(conn) == CONNECTION_BAD))
		take_error(c, conn, NULL);
	return true;
}

void
chunk_free(struct chunk *c, struct spools *ss)
{
	if (c->spool != NULL)
		spool_drop(ss, c->spool);
	buf_free(&c->message);
	free(c->filter);
	free(c);
}
