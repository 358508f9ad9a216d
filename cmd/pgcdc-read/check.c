#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "identifier.h"

/*
 * Connecting
 */

static char *
one_line(const char *words)
{
	struct buf b = { 0 };
	size_t n = strlen(words);

	while (n > 0 && words[n - 1] == '\n')
		n--;
	for (size_t i = 0; i < n; i++)
		if (words[i] == '\n')
			buf_adds(&b, "; ");
		else if (words[i] != '\t')
			buf_addc(&b, words[i]);
	return buf_cstr(&b);
}

/* A word of pg_hba.conf, where a quoted one is never a keyword. */
static void
put_hba(struct buf *b, const char *word)
{
	static const char *const keywords[] = { "all", "replication", "sameuser", "samerole",
		"samegroup" };
	bool quote = *word == '\0' || *word == '+';

	for (size_t i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++)
		quote |= strcmp(word, keywords[i]) == 0;
	for (const char *p = word; *p != '\0'; p++)
		quote |= strchr(" \t,#@\"", *p) != NULL;
	buf_printf(b, quote ? "\"%s\"" : "%s", word);
}

/* The line that pg_hba.conf lacks, by what the server says that it looked for. */
static void
put_hba_remedy(struct buf *b, PGconn *conn, const char *words)
{
	const char *host = strstr(words, "host \"");
	size_t n;

	host = host != NULL ? host + 6 : "[local]";
	n = strcspn(host, "\"");
	if (strncmp(host, "[local]", 7) == 0)
		buf_adds(b, "pg_hba.conf: local ");
	else
		buf_printf(b, "pg_hba.conf: %s ", strstr(words, "SSL encryption") ? "hostssl" : "host");
	put_hba(b, PQdb(conn));
	buf_addc(b, ' ');
	put_hba(b, PQuser(conn));
	if (strncmp(host, "[local]", 7) != 0)
		buf_printf(b, " %.*s/%d", (int)n, host, memchr(host, ':', n) ? 128 : 32);
	buf_adds(b, " scram-sha-256\nSQL: SELECT pg_reload_conf();\nThe first line that fits counts: "
	            "put it above those for many.");
}

/* What to do about a connection that failed; "" where nothing is known. */
static void
put_remedy(const struct check *c, PGconn *conn, const char *words, struct buf *b)
{
	const char *user = PQuser(conn);

	if (strstr(words, "replication role") != NULL || strstr(words, "start WAL sender") != NULL) {
		check_put_replication(c, b);
	} else if (strstr(words, "exceeds max_wal_senders") != NULL) {
		buf_adds(b, "SQL: ALTER SYSTEM SET max_wal_senders = 20;\nthen restart the server");
	} else if (strstr(words, "pg_hba.conf") != NULL) {
		put_hba_remedy(b, conn, words);
	} else if (strstr(words, "role \"") != NULL && strstr(words, "does not exist") != NULL) {
		buf_adds(b, "SQL: CREATE ROLE ");
		identifier_put(b, user);
		buf_adds(b, " LOGIN REPLICATION;\nand give it a password: \\password in psql");
	} else if (strstr(words, "not permitted to log in") != NULL) {
		buf_adds(b, "SQL: ALTER ROLE ");
		identifier_put(b, user);
		buf_adds(b, " LOGIN;");
	} else if (strstr(words, "permission denied for database") != NULL) {
		buf_adds(b, "SQL: GRANT CONNECT ON DATABASE ");
		identifier_put(b, PQdb(conn));
		buf_adds(b, " TO ");
		identifier_put(b, user);
		buf_addc(b, ';');
	} else if (strstr(words, "too many connections for role") != NULL) {
		buf_adds(b, "SQL: ALTER ROLE ");
		identifier_put(b, user);
		buf_adds(b, " CONNECTION LIMIT -1;");
	} else if (strstr(words, "too many connections for database") != NULL) {
		buf_adds(b, "SQL: ALTER DATABASE ");
		identifier_put(b, PQdb(conn));
		buf_adds(b, " CONNECTION LIMIT -1;");
	} else if (strstr(words, "too many clients") != NULL ||
	    strstr(words, "remaining connection slots") != NULL) {
		buf_adds(b, "SQL: ALTER SYSTEM SET max_connections = 200;\nthen restart the server");
	} else if (strstr(words, "password authentication failed") != NULL) {
		buf_adds(b, "give the role's password by PGPASSFILE, PGPASSWORD or a service file");
	} else if (strstr(words, "no password supplied") != NULL) {
		buf_adds(b, "give the password by PGPASSFILE, PGPASSWORD or a service file");
	} else if (strstr(words, "database \"") != NULL && strstr(words, "does not exist") != NULL) {
		buf_adds(b, "name the database to read from by dbname= or PGDATABASE");
	} else if (strstr(words, "timeout expired") != NULL) {
		buf_adds(b, "something takes the connection and says nothing: see whether the server, "
		            "or what stands before it, hangs; else mend host and port");
	} else if (PQping(c->o->conninfo) == PQPING_NO_RESPONSE) {
		buf_adds(b, "start the server, or mend host and port of the connection string; "
		            "listen_addresses says where it listens");
	}
}

static void
ignore_notice(void *arg, const PGresult *res)
{
	(void)arg;
	(void)res;
}

/* NULL: a finding says why. */
static PGconn *
open_connection(struct check *c, const char *name, bool replication)
{
	/* dbname is expanded where it stands; later ones win. */
	bool timeout = getenv("PGCONNECT_TIMEOUT") == NULL;
	const char *const keys[] = { timeout ? "connect_timeout" : "dbname", "dbname", "replication",
		"client_encoding", "fallback_application_name", NULL };
	const char *const values[] = { timeout ? "10" : c->o->conninfo, c->o->conninfo,
		replication ? "database" : "false", "UTF8", "pgcdc-read", NULL };
	PGconn *conn = PQconnectdbParams(keys, values, 1);
	struct buf remedy = { 0 };
	enum pg_status status;
	char *words;

	if (conn == NULL)
		oom();
	(void)PQsetNoticeReceiver(conn, ignore_notice, NULL);
	if (PQstatus(conn) == CONNECTION_OK)
		return conn;
	words = one_line(PQerrorMessage(conn));
	status = pg_connect_judge(conn, c->o->conninfo, false);
	put_remedy(c, conn, words, &remedy);
	/* What somebody holds now he may let go. */
	finding(&c->f, status == PG_PERMANENT ? FINDING_ERROR : FINDING_TEMPORARY, name,
	    buf_cstr(&remedy), "cannot connect%s: %s", replication ? " for replication" : "", words);
	buf_free(&remedy);
	free(words);
	PQfinish(conn);
	return NULL;
}

const struct pg_wait check_patience = { .signal_fd = -1, .answer_us = INT64_C(30000000) };

PGresult *
check_ask(struct check *c, const char *name, const char *sql)
{
	PGresult *res;
	char *words;

	/* It will not begin to answer, and the connection still waits. */
	if (c->silent)
		return NULL;
	if (pg_exec(&check_patience, c->conn, sql, &res) != PG_OK) {
		c->silent = true;
		finding(&c->f, FINDING_TEMPORARY, name, "see whether the server, or what stands before "
		        "it, hangs", "the server took the connection and does not answer");
		return NULL;
	}
	if (PQresultStatus(res) == PGRES_TUPLES_OK)
		return res;
	words = one_line(PQerrorMessage(c->conn));
	finding(&c->f, pg_judge(c->conn, res) == PG_PERMANENT ? FINDING_ERROR : FINDING_TEMPORARY,
	    name, NULL, "the server cannot be asked: %s", words);
	free(words);
	PQclear(res);
	return NULL;
}

bool
check_connect(struct check *c)
{
	PGresult *res;

	c->conn = open_connection(c, "server", false);
	if (c->conn == NULL)
		return false;
	res = check_ask(c, "server",
	    "SELECT pg_catalog.current_setting('server_version_num'),"
	    " pg_catalog.pg_is_in_recovery(), pg_catalog.current_database(), current_user,"
	    " pg_catalog.set_config('search_path', '', false)");
	if (res == NULL)
		return false;
	c->version = (unsigned)strtoul(PQgetvalue(res, 0, 0), NULL, 10);
	c->standby = *PQgetvalue(res, 0, 1) == 't';
	c->database = xstrdup(PQgetvalue(res, 0, 2));
	c->user = xstrdup(PQgetvalue(res, 0, 3));
	PQclear(res);
	return true;
}

void
check_replication(struct check *c)
{
	PGconn *conn;

	conn = open_connection(c, "replication", true);
	if (conn == NULL)
		return;
	finding(&c->f, FINDING_OK, "replication", NULL,
	    "role %s may connect for replication to database %s", c->user, c->database);
	PQfinish(conn);
}

bool
check_may_replicate(struct check *c)
{
	PGresult *res = check_ask(c, "replication",
	    "SELECT rolsuper OR rolreplication OR coalesce((SELECT pg_catalog.pg_has_role(oid, 'USAGE')"
	    " FROM pg_catalog.pg_roles WHERE rolname = 'rds_replication'), false)"
	    " FROM pg_catalog.pg_roles WHERE rolname = current_user");
	bool may = res != NULL && PQntuples(res) > 0 && *PQgetvalue(res, 0, 0) == 't';

	PQclear(res);
	return may;
}

void
check_put_replication(const struct check *c, struct buf *b)
{
	PGresult *res = c->conn == NULL || c->silent
	    ? NULL
	    : PQexec(c->conn, "SELECT FROM pg_catalog.pg_roles WHERE rolname = 'rds_replication'");

	/* Where the provider keeps the attribute for itself a role stands for it. */
	if (res != NULL && PQntuples(res) > 0) {
		buf_adds(b, "SQL: GRANT rds_replication TO ");
		identifier_put(b, c->user);
		buf_addc(b, ';');
	} else {
		buf_adds(b, "SQL: ALTER ROLE ");
		identifier_put(b, c->user != NULL ? c->user : "");
		buf_adds(b, " REPLICATION;");
	}
	PQclear(res);
}

static void
end(struct check *c)
{
	PQclear(c->slot);
	PQfinish(c->conn);
	free(c->database);
	free(c->user);
}

int
check_run(const struct options *o)
{
	struct check c = { .o = o, .f.fields = o->findings };

	if (check_connect(&c) && check_find_slot(&c)) {
		check_server(&c);
		check_replication(&c);
		check_publications(&c);
		check_rights(&c);
		check_slot(&c);
	}
	check_state(&c);
	finding_directory(&c.f, "spool", o->spool_dir, "large transactions",
	    "name another: --spool-dir, or TMPDIR");
	end(&c);
	return findings_exit(&c.f);
}
