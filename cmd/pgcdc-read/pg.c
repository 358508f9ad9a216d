#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "fdio.h"
#include "log.h"
#include "pg.h"
#include "sig.h"

#define TICK_MS 100
#define CONNECT_S 30

/* Wait until fd is ready for events, ticking; PG_TEMPORARY: it is not in that time. */
static enum pg_status
wait_fd(const struct pg_wait *w, int fd, short events, int64_t within_us)
{
	int64_t until = within_us > 0 ? now_us() + within_us : INT64_MAX;

	for (;;) {
		struct pollfd p[2] = { { .fd = fd, .events = events },
			{ .fd = w->signal_fd, .events = POLLIN } };
		int n = poll(p, 2, TICK_MS);

		if (sig_terms() > 0 || (w->tick != NULL && w->tick(w->arg) != 0))
			return PG_STOPPED;
		if (n > 0 && p[0].revents != 0)
			return PG_OK;
		if (now_us() > until)
			return PG_TEMPORARY;
	}
}

enum pg_status
pg_wait_ms(const struct pg_wait *w, int ms)
{
	struct pollfd p = { .fd = w->signal_fd, .events = POLLIN };

	while (ms > 0) {
		int slice = ms < TICK_MS ? ms : TICK_MS;

		(void)poll(&p, 1, slice);
		if (sig_terms() > 0 || (w->tick != NULL && w->tick(w->arg) != 0))
			return PG_STOPPED;
		ms -= slice;
	}
	return PG_OK;
}

/* The first line of a message without its severity: what fits a log line's value. */
static void
log_server_words(enum log_level level, const char *what, const char *words, const char *remedy)
{
	size_t n = strlen(words);

	while (n > 0 && words[n - 1] == '\n')
		n--;
	log_at(level, what, kv_strn("server", words, n), kv_str("remedy", remedy));
}

static bool
has_any(const char *words, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strstr(words, list[i]) != NULL)
			return true;
	return false;
}

/*
 * libpq 15 gives no SQLSTATE for a failed connection, so it is told by the text.  A restart
 * cannot help where the server says FATAL for another reason than its state or its load, or
 * where libpq finds fault with what it was given; what the network does may pass.  PQping
 * knows a server that starts or stops in every language, but asks only now.
 */
enum pg_status
pg_connect_judge(PGconn *conn, const char *conninfo, bool second)
{
	static const char *const permanent[] = { "FATAL:", "invalid", "missing \"=\"",
		"unterminated", "unrecognized", "could not match", "definition of service",
		"service file", "no password supplied", "does not support SSL",
		"certificate", "requires" };
	static const char *const encryption[] = { "server does not support SSL",
		"certificate verify failed", "server certificate for", "root certificate" };
	/* conninfo may be a database's name alone; a host that is silent shall not hold us. */
	const char *const keys[] = { "dbname", "connect_timeout", NULL };
	const char *const values[] = { conninfo, "5", NULL };
	static const char *const temporary[] = { "too many connections", "too many clients",
		"remaining connection slots", "max_wal_senders", "starting up", "shutting down",
		"recovery mode", "timeout expired", "accepting connections",
		"recovery state", "terminating connection", "read-only", "hot standby",
		/* One of several hosts. */
		"Connection refused", "timed out", "unreachable", "No route" };
	const char *words = PQerrorMessage(conn);
	enum pg_status status = PG_TEMPORARY;
	PGPing ping;

	/* CONNECTION LIMIT of a role or database, which does not count walsenders. */
	if (second && strstr(words, "too many connections for") != NULL) {
		status = PG_PERMANENT;
	} else if (has_any(words, permanent, sizeof(permanent) / sizeof(permanent[0])) &&
	    !has_any(words, temporary, sizeof(temporary) / sizeof(temporary[0]))) {
		status = PG_PERMANENT;
		/* To PQping a server whose encryption will not do is as good as none. */
		ping = has_any(words, encryption, sizeof(encryption) / sizeof(encryption[0]))
		    ? PQPING_OK
		    : PQpingParams(keys, values, 1);
		if (ping == PQPING_REJECT || ping == PQPING_NO_RESPONSE)
			status = PG_TEMPORARY;
	}
	return status;
}

enum pg_status
pg_connect_failed(PGconn *conn, const char *conninfo, bool second)
{
	enum pg_status status = pg_connect_judge(conn, conninfo, second);
	const char *words = PQerrorMessage(conn), *remedy = NULL;

	if (strstr(words, "replication role") != NULL || strstr(words, "WAL sender") != NULL)
		remedy = "as a superuser: ALTER ROLE the_user REPLICATION";
	else if (strstr(words, "password authentication failed") != NULL)
		remedy = "check the user and the password (PGPASSWORD, PGPASSFILE, service file)";
	else if (strstr(words, "no password supplied") != NULL)
		remedy = "give the password by PGPASSWORD, PGPASSFILE or a service file";
	else if (strstr(words, "pg_hba.conf") != NULL)
		remedy = "add a line for this user, database and address to pg_hba.conf and "
		         "reload";
	else if (strstr(words, "max_wal_senders") != NULL)
		remedy = "raise max_wal_senders in postgresql.conf and restart the server";
	else if (strstr(words, "database \"") != NULL && strstr(words, "does not exist") != NULL)
		remedy = "name the database to read from by dbname= or PGDATABASE";
	log_server_words(second ? LOG_WARN : LOG_ERROR,
	    second ? "cannot connect to PostgreSQL a second time" : "cannot connect to PostgreSQL",
	    words, remedy);
	return status;
}

/* The settings of a replication connection are part of what it prints. */
const char pg_settings[] =
    "SELECT pg_catalog.set_config(n, v, false) FROM (VALUES"
    " ('datestyle', 'ISO, YMD'), ('intervalstyle', 'iso_8601'), ('timezone', 'UTC'),"
    " ('extra_float_digits', '3'), ('bytea_output', 'hex'), ('search_path', ''),"
    " ('row_security', 'off'), ('quote_all_identifiers', 'off'),"
    /* A query that waits for a lock must not outlive us; only Linux has it everywhere. */
    " ('client_connection_check_interval',"
    " CASE WHEN pg_catalog.version() LIKE '%linux%' THEN '10s' ELSE '0' END),"
    " ('array_nulls', 'on'), ('statement_timeout', '0'), ('lock_timeout', '0'),"
    " ('idle_in_transaction_session_timeout', '0'), ('idle_session_timeout', '0'),"
    /* Where the database does not know its encoding, asking for UTF-8 is an error at the
     * first byte that is none. */
    " ('client_encoding', CASE pg_catalog.current_setting('server_encoding')"
    " WHEN 'SQL_ASCII' THEN 'SQL_ASCII' ELSE 'UTF8' END)) AS s (n, v)";

static enum pg_status
set_session(const struct pg_wait *w, PGconn *conn)
{
	PGresult *res;
	/* A walsender's query needs no catalog but functions: the same statement serves. */
	enum pg_status status =
	    pg_query(w, conn, pg_settings, "cannot set the session's settings", &res);

	PQclear(res);
	return status;
}

/* What the server says beside its answers; libpq would write it to standard error. */
static void
take_notice(void *arg, const PGresult *res)
{
	(void)arg;
	pg_notice(res);
}

bool
pg_is_warning(const PGresult *res)
{
	const char *severity = PQresultErrorField(res, PG_DIAG_SEVERITY_NONLOCALIZED);

	return severity != NULL && strcmp(severity, "WARNING") == 0;
}

void
pg_notice(const PGresult *res)
{
	log_at(pg_is_warning(res) ? LOG_WARN : LOG_DEBUG, "the server says",
	    kv_str("server", PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY)));
}

/*
 * A host that took the connection and says nothing; one that does not take it is the kernel's
 * business (tcp_user_timeout), for only then libpq goes on to the next host.
 */
static int64_t
connect_patience(PGconn *conn)
{
	PQconninfoOption *options = PQconninfo(conn);
	int64_t seconds = 0;

	for (PQconninfoOption *o = options; o != NULL && o->keyword != NULL; o++)
		if (strcmp(o->keyword, "connect_timeout") == 0 && o->val != NULL)
			seconds = (int)strtol(o->val, NULL, 10);
	PQconninfoFree(options);
	return (seconds > 0 ? seconds : CONNECT_S) * INT64_C(1000000);
}

PGconn *
pg_connect_begin(const char *conninfo, bool replication, const PGconn *peer, const char *name)
{
	/*
	 * Later ones win, and dbname is expanded where it stands.  A status update that nobody
	 * acknowledges for a minute and a half means that the network is cut.
	 */
	const char *const keys[] = { "tcp_user_timeout", "dbname", "replication",
		"client_encoding", "fallback_application_name", peer ? "host" : NULL, "hostaddr",
		"port", "target_session_attrs", NULL };
	const char *const values[] = { "90000", conninfo, replication ? "database" : "false",
		"UTF8", name, peer ? PQhost(peer) : NULL,
		peer ? PQhostaddr(peer) : NULL, peer ? PQport(peer) : NULL, "any", NULL };
	PGconn *conn = PQconnectStartParams(keys, values, 1);

	if (conn == NULL)
		oom();
	(void)PQsetNoticeReceiver(conn, take_notice, NULL);
	return conn;
}

enum pg_status
pg_connect(const struct pg_wait *w, const char *conninfo, bool replication, const PGconn *peer,
    PGconn **out)
{
	PGconn *conn = pg_connect_begin(
	    conninfo, replication, peer, replication ? "pgcdc-read" : "pgcdc-read catalog");
	PostgresPollingStatusType poll_for = PGRES_POLLING_WRITING;
	enum pg_status status;

	*out = NULL;
	while (PQstatus(conn) != CONNECTION_BAD && poll_for != PGRES_POLLING_OK &&
	    poll_for != PGRES_POLLING_FAILED) {
		status = wait_fd(w, PQsocket(conn),
		    poll_for == PGRES_POLLING_READING ? POLLIN : POLLOUT,
		    PQstatus(conn) == CONNECTION_STARTED ? 0 : connect_patience(conn));
		if (status == PG_TEMPORARY)
			log_at(peer != NULL ? LOG_WARN : LOG_ERROR,
			    "cannot connect to PostgreSQL: no answer", kv_str("host", PQhost(conn)),
			    kv_str("port", PQport(conn)));
		if (status != PG_OK) {
			PQfinish(conn);
			return status;
		}
		poll_for = PQconnectPoll(conn);
	}
	if (PQstatus(conn) != CONNECTION_OK) {
		status = pg_connect_failed(conn, conninfo, peer != NULL);
		PQfinish(conn);
		return status;
	}
	if (PQsetnonblocking(conn, 1) != 0) {
		status = pg_failed(conn, NULL, "cannot make the connection non-blocking", NULL);
		PQfinish(conn);
		return status;
	}
	status = set_session(w, conn);
	if (status != PG_OK) {
		PQfinish(conn);
		return status;
	}
	*out = conn;
	return PG_OK;
}

static enum pg_status
flush_query(const struct pg_wait *w, PGconn *conn)
{
	int n;

	while ((n = PQflush(conn)) > 0) {
		enum pg_status status = wait_fd(w, PQsocket(conn), POLLOUT | POLLIN, w->answer_us);

		if (status != PG_OK)
			return status;
		if (!PQconsumeInput(conn))
			return PG_TEMPORARY;
	}
	return n == 0 ? PG_OK : PG_TEMPORARY;
}

enum pg_status
pg_exec(const struct pg_wait *w, PGconn *conn, const char *sql, PGresult **out)
{
	enum pg_status status;
	PGresult *res;

	*out = NULL;
	/* TERM stopped the query before, which goes on; so this one is as good as stopped. */
	if (sig_terms() > 0 && PQtransactionStatus(conn) == PQTRANS_ACTIVE)
		return PG_STOPPED;
	if (!PQsendQuery(conn, sql))
		return PG_OK; /* no result: pg_failed tells by the connection */
	status = flush_query(w, conn);
	if (status == PG_STOPPED)
		return status;
	for (;;) {
		while (PQisBusy(conn)) {
			status = wait_fd(w, PQsocket(conn), POLLIN, w->answer_us);
			if (status == PG_TEMPORARY)
				log_error("the server does not answer");
			if (status != PG_OK) {
				PQclear(*out);
				*out = NULL;
				return status;
			}
			if (!PQconsumeInput(conn))
				break;
		}
		res = PQgetResult(conn);
		if (res == NULL)
			return PG_OK;
		PQclear(*out);
		*out = res;
		/* A COPY goes on with its data, not with another result. */
		if (PQresultStatus(res) == PGRES_COPY_BOTH ||
		    PQresultStatus(res) == PGRES_COPY_OUT)
			return PG_OK;
		if (PQstatus(conn) == CONNECTION_BAD)
			return PG_OK;
	}
}

/*
 * Connection trouble, a shutdown, a lack of resources, a conflict with another session:
 * what may be over when tried again.  See errcodes.txt of PostgreSQL's sources.
 */
static bool
temporary_sqlstate(const char *s)
{
	return strncmp(s, "08", 2) == 0 || strncmp(s, "57", 2) == 0 || strncmp(s, "40", 2) == 0 ||
	    strncmp(s, "58", 2) == 0 || strcmp(s, "55006") == 0 || strcmp(s, "55P03") == 0 ||
	    (strncmp(s, "53", 2) == 0 && strcmp(s, "53400") != 0);
}

enum pg_status
pg_judge(PGconn *conn, const PGresult *res)
{
	const char *sqlstate = res ? PQresultErrorField(res, PG_DIAG_SQLSTATE) : NULL;

	if (sqlstate == NULL || PQstatus(conn) == CONNECTION_BAD)
		return PG_TEMPORARY;
	return temporary_sqlstate(sqlstate) ? PG_TEMPORARY : PG_PERMANENT;
}

enum pg_status
pg_failed(PGconn *conn, const PGresult *res, const char *what, const char *remedy)
{
	const char *words = res ? PQresultErrorMessage(res) : PQerrorMessage(conn);

	log_server_words(LOG_ERROR, what, words, remedy);
	return pg_judge(conn, res);
}

bool
pg_sqlstate_is(const PGresult *res, const char *sqlstate)
{
	const char *s = res ? PQresultErrorField(res, PG_DIAG_SQLSTATE) : NULL;

	return s != NULL && strcmp(s, sqlstate) == 0;
}

char *
pg_literal(PGconn *conn, const char *s)
{
	char *p = PQescapeLiteral(conn, s, strlen(s));

	if (p == NULL)
		oom();
	return p;
}

char *
pg_identifier(PGconn *conn, const char *s)
{
	char *p = PQescapeIdentifier(conn, s, strlen(s));

	if (p == NULL)
		oom();
	return p;
}

enum pg_status
pg_query(const struct pg_wait *w, PGconn *conn, const char *sql, const char *what, PGresult **res)
{
	enum pg_status status = pg_exec(w, conn, sql, res);

	if (status != PG_OK)
		return status;
	if (PQresultStatus(*res) == PGRES_TUPLES_OK)
		return PG_OK;
	status = pg_failed(conn, *res, what, NULL);
	PQclear(*res);
	*res = NULL;
	return status;
}
