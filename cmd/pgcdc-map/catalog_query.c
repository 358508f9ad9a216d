#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "catalog_query.h"
#include "fdio.h"
#include "log.h"
#include "utf8.h"

/* A catalog that is locked, or that so many tables make slow, is no reason to hang. */
#define STATEMENT_TIMEOUT "60s"
#define CONNECT_TIMEOUT "10"

/* A server that says nothing at all keeps no timeout: the first statement, and any other. */
#define FIRST_ANSWER_US  INT64_C(10000000)
#define ANSWER_US        INT64_C(70000000)

static bool
has_any(const char *text, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strstr(text, words[i]) != NULL)
			return true;
	return false;
}

static void
say(const char *what, const char *words)
{
	size_t n = strlen(words);

	while (n > 0 && words[n - 1] == '\n')
		n--;
	log_error(what, kv_strn("server", words, n));
}

/*
 * A connection that failed has no SQLSTATE in libpq up to 15.  What the server refuses for
 * another reason than its state or its load stays refused, and so does what libpq cannot read.
 */
static enum catalog_status
connect_failed(PGconn *conn)
{
	static const char *const passing[] = { "too many connections", "too many clients",
		"remaining connection slots", "starting up", "shutting down", "recovery mode",
		"accepting connections", "terminating connection", "timeout expired", "unexpected eof" };
	static const char *const lasting[] = { "FATAL:", "invalid", "missing \"=\"",
		"unterminated", "unrecognized", "could not match", "definition of service",
		"service file", "no password supplied", "does not support SSL", "certificate",
		"channel binding", "SSL error", "requires" };
	/* Before the words: names that the user gave, which may have any of them. */
	static const char *const prefixes[] = { "could not translate host name",
		"could not look up" };
	const char *words = pq.errorMessage(conn);
	bool permanent = has_any(words, lasting, sizeof(lasting) / sizeof(lasting[0])) &&
	    !has_any(words, passing, sizeof(passing) / sizeof(passing[0])) &&
	    !has_any(words, prefixes, sizeof(prefixes) / sizeof(prefixes[0]));

	say("cannot connect to PostgreSQL", words);
	return permanent ? CATALOG_PERMANENT : CATALOG_TEMPORARY;
}

static void
take_notice(void *arg, const PGresult *res)
{
	(void)arg;
	log_debug("the server says",
	    kv_str("server", pq.resultErrorField(res, PG_DIAG_MESSAGE_PRIMARY)));
}

/* Is a connect_timeout given, in conninfo or by the environment? */
static bool
has_timeout(const char *conninfo)
{
	PQconninfoOption *given = pq.conninfoParse(conninfo, NULL);
	bool has = getenv("PGCONNECT_TIMEOUT") != NULL;

	for (PQconninfoOption *o = given; o != NULL && o->keyword != NULL; o++)
		has |= strcmp(o->keyword, "connect_timeout") == 0 && o->val != NULL;
	pq.conninfoFree(given);
	return has;
}

enum catalog_status
catalog_connect(struct catalog *c, const char *conninfo)
{
	/* dbname is expanded where it stands; later ones win. */
	const char *keys[] = { "dbname", "client_encoding", "fallback_application_name",
		"connect_timeout", NULL };
	const char *const values[] = { conninfo, "UTF8", "pgcdc-map", CONNECT_TIMEOUT, NULL };
	enum catalog_status status;
	PGconn *conn;
	PGresult *res;

	if (!libpq_load())
		return CATALOG_PERMANENT;
	if (has_timeout(conninfo))
		keys[3] = NULL;
	conn = pq.connectdbParams(keys, values, 1);
	if (conn == NULL)
		oom();
	c->conn = conn;
	if (pq.status(conn) != CONNECTION_OK)
		return connect_failed(conn);
	pq.setNoticeReceiver(conn, take_notice, NULL);
	status = catalog_query(c,
	    "SELECT pg_catalog.set_config(n, v, false) FROM (VALUES ('search_path', ''),"
	    /* What the planner thinks of the catalog's functions would have all compiled. */
	    " ('statement_timeout', '" STATEMENT_TIMEOUT "'), ('jit', 'off'),"
	    /* As for the reader: a name that is no UTF-8 is none of the server's business. */
	    " ('client_encoding', CASE pg_catalog.current_setting('server_encoding')"
	    " WHEN 'SQL_ASCII' THEN 'SQL_ASCII' ELSE 'UTF8' END)) AS s (n, v)",
	    "cannot set the session's settings", 0, NULL, &res);
	pq.clear(res);
	if (status != CATALOG_OK)
		return status;
	/* All is to be of one moment: a table that is changed meanwhile is old or new in whole. */
	status = catalog_query(c, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
	    "cannot begin a transaction", 0, NULL, &res);
	pq.clear(res);
	return status;
}

/* Can the same query succeed later?  By the classes of src/backend/utils/errcodes.txt. */
static bool
is_passing(const char *sqlstate)
{
	static const char *const classes[] = { "08", "40", "53", "55", "57", "58" };

	/* Without one the connection is gone. */
	if (sqlstate == NULL)
		return true;
	/* ERRCODE_PROTOCOL_VIOLATION: a replication connection, which takes no such queries. */
	if (strcmp(sqlstate, "08P01") == 0)
		return false;
	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
		if (strncmp(sqlstate, classes[i], 2) == 0)
			return true;
	return false;
}

/* NULL: the connection is lost, or there is no answer in that time: silent, which was said. */
static PGresult *
exec_within(PGconn *conn, int64_t within_us, const char *sql, int n, const char *const *values,
    bool *silent)
{
	PGresult *res = NULL, *next;
	int64_t until = now_us() + within_us;

	if (!pq.sendQueryParams(conn, sql, n, NULL, values, NULL, NULL, 0))
		return NULL;
	while (pq.isBusy(conn)) {
		struct pollfd p = { .fd = pq.socket(conn), .events = POLLIN };
		int64_t left = until - now_us();

		if (left <= 0) {
			log_error("the server took the connection and does not answer");
			*silent = true;
			return NULL;
		}
		if (poll(&p, 1, (int)(left / 1000) + 1) > 0 && !pq.consumeInput(conn))
			break;
	}
	while ((next = pq.getResult(conn)) != NULL) {
		pq.clear(res);
		res = next;
	}
	return res;
}

enum catalog_status
catalog_query(struct catalog *c, const char *sql, const char *what, int n,
    const char *const *values, PGresult **res)
{
	bool passing, first = !c->answered, silent = false;

	*res = exec_within(c->conn, first ? FIRST_ANSWER_US : ANSWER_US, sql, n, values, &silent);
	c->answered |= *res != NULL;
	if (pq.resultStatus(*res) == PGRES_TUPLES_OK || pq.resultStatus(*res) == PGRES_COMMAND_OK)
		return CATALOG_OK;
	if (silent)
		return CATALOG_TEMPORARY;
	say(what, *res != NULL ? pq.resultErrorMessage(*res) : pq.errorMessage(c->conn));
	passing = is_passing(*res != NULL ? pq.resultErrorField(*res, PG_DIAG_SQLSTATE) : NULL);
	pq.clear(*res);
	*res = NULL;
	return passing ? CATALOG_TEMPORARY : CATALOG_PERMANENT;
}

char *
catalog_text(const PGresult *res, int row, int column)
{
	const char *s = pq.getvalue(res, row, column);
	size_t left = strlen(s);
	struct buf b = { 0 };

	buf_reserve(&b, 1);
	while (left > 0) {
		size_t n = utf8_char(s, left);

		if (n > 0)
			buf_add(&b, s, n);
		else
			buf_printf(&b, "\\x%02x", (unsigned char)*s);
		n += n == 0;
		s += n;
		left -= n;
	}
	return buf_cstr(&b);
}

uint32_t
catalog_oid(const PGresult *res, int row, int column)
{
	return (uint32_t)strtoul(pq.getvalue(res, row, column), NULL, 10);
}

bool
catalog_bool(const PGresult *res, int row, int column)
{
	return *pq.getvalue(res, row, column) == 't';
}
