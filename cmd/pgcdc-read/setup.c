#include <bsd/string.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "log.h"
#include "lsn.h"
#include "resume.h"
#include "setup.h"

#define OLDEST_SERVER  140000
#define FIRST_CHECK_MS 200

static enum pg_status
query(const struct setup *s, const char *sql, const char *what, PGresult **res)
{
	return pg_query(s->wait, s->conn, sql, what, res);
}

static enum pg_status
identify(const struct setup *s)
{
	struct server *v = s->server;
	enum pg_status status;
	PGresult *res;

	status = query(s, "IDENTIFY_SYSTEM", "cannot identify the server", &res);
	if (status != PG_OK)
		return status;
	strlcpy(v->system, PQgetvalue(res, 0, 0), sizeof(v->system));
	v->timeline = strtoull(PQgetvalue(res, 0, 1), NULL, 10);
	strlcpy(v->database, PQgetvalue(res, 0, 3), sizeof(v->database));
	PQclear(res);
	status = query(s,
	    "SELECT pg_catalog.current_setting('server_version_num'),"
	    " pg_catalog.current_setting('wal_level'),"
	    " (SELECT setting FROM pg_catalog.pg_settings WHERE name = 'wal_sender_timeout'),"
	    " (SELECT setting FROM pg_catalog.pg_settings WHERE name = 'wal_writer_delay')",
	    "cannot read the server's settings", &res);
	if (status != PG_OK)
		return status;
	v->version = strtoull(PQgetvalue(res, 0, 0), NULL, 10);
	v->wal_sender_timeout_ms = (int)strtol(PQgetvalue(res, 0, 2), NULL, 10);
	v->wal_writer_delay_ms = (int)strtol(PQgetvalue(res, 0, 3), NULL, 10);
	if (strcmp(PQgetvalue(res, 0, 1), "logical") != 0) {
		log_error("the server's wal_level is not logical",
		    kv_str("wal_level", PQgetvalue(res, 0, 1)),
		    kv_str("remedy", "set wal_level = logical in postgresql.conf and restart "
		                     "the server"));
		status = PG_PERMANENT;
	}
	PQclear(res);
	return status;
}

/* What depends on the server's version. */
static enum pg_status
check_version(const struct setup *s)
{
	struct server *v = s->server;
	int newest = v->version < 150000 ? 2 : v->version < 160000 ? 3 : 4;
	const char *what = NULL, *remedy = NULL;

	v->proto = s->o->proto != 0 ? s->o->proto : newest;
	v->streaming = v->proto > 1 && !v->plain;
	if (v->version < OLDEST_SERVER) {
		what = "the server is too old";
		remedy = "PostgreSQL 14 or later";
	} else if (v->proto > newest) {
		what = "the server does not have that version of the protocol";
		remedy = "a lower --proto, or none: then the newest one is taken";
	} else if (s->o->no_origin && v->version < 160000) {
		what = "the server cannot tell changes by their origin";
		remedy = "PostgreSQL 16 or later, or --origin any";
	} else if (s->o->failover && v->version < 170000) {
		what = "the server does not synchronize slots to its standbys";
		remedy = "PostgreSQL 17 or later, or do without --failover";
	}
	if (what == NULL)
		return PG_OK;
	log_error(what, kv_uint("version", v->version), kv_str("remedy", remedy));
	return PG_PERMANENT;
}

/* "a,s.b,\"C d\"" is passed on as SQL's own list; "*" stands for all tables. */
static enum pg_status
create_publication(const struct setup *s, const char *name)
{
	char *quoted = pg_identifier(s->conn, name);
	struct buf sql = { 0 };
	enum pg_status status;
	PGresult *res;

	if (strcmp(s->o->create_publication, "*") == 0)
		buf_printf(&sql, "CREATE PUBLICATION %s FOR ALL TABLES", quoted);
	else
		buf_printf(&sql, "CREATE PUBLICATION %s FOR TABLE %s", quoted,
		    s->o->create_publication);
	PQfreemem(quoted);
	/* search_path is empty for what we print; here bare names mean public's. */
	status = query(s, "SELECT pg_catalog.set_config('search_path', 'public', false)",
	    "cannot set search_path", &res);
	if (status == PG_OK) {
		PQclear(res);
		status = pg_exec(s->wait, s->conn, buf_cstr(&sql), &res);
	}
	if (status == PG_OK) {
		if (PQresultStatus(res) == PGRES_COMMAND_OK) {
			log_info("made the publication", kv_str("publication", name),
			    kv_str("tables", s->o->create_publication));
		} else if (!pg_sqlstate_is(res, "42710")) { /* somebody else was first */
			status = pg_failed(s->conn, res, "cannot make the publication",
			    "let the tables' owner or a superuser make it");
		}
		PQclear(res);
	}
	buf_free(&sql);
	if (status != PG_OK)
		return status;
	status = query(s, "SELECT pg_catalog.set_config('search_path', '', false)",
	    "cannot set search_path", &res);
	PQclear(res);
	return status;
}

/* The server looks a publication up only at the first change, and 18 not even then. */
static enum pg_status
check_publication(const struct setup *s, const char *name)
{
	char *literal = pg_literal(s->conn, name);
	struct buf sql = { 0 };
	enum pg_status status;
	PGresult *res;
	bool found;

	buf_printf(&sql, "SELECT 1 FROM pg_catalog.pg_publication WHERE pubname = %s", literal);
	PQfreemem(literal);
	status = query(s, buf_cstr(&sql), "cannot look for the publication", &res);
	buf_free(&sql);
	if (status != PG_OK)
		return status;
	found = PQntuples(res) > 0;
	PQclear(res);
	if (found)
		return PG_OK;
	if (s->o->create_publication != NULL)
		return create_publication(s, name);
	log_error("the publication does not exist", kv_str("publication", name),
	    kv_str("database", s->server->database),
	    kv_str("remedy",
	        "CREATE PUBLICATION name FOR TABLE ..., before the slot is made, or "
	        "--create-publication"));
	return PG_PERMANENT;
}

static enum pg_status
create_slot(const struct setup *s)
{
	struct pg_wait wait = *s->wait;
	char *quoted = pg_identifier(s->conn, s->o->slot);
	struct buf sql = { 0 };
	enum pg_status status;
	PGresult *res;

	if (s->server->emitted != 0 || (s->state->exists && !s->o->accept_gap)) {
		log_error(s->server->emitted != 0
		        ? "the slot is gone, so changes are missing"
		        : "the slot is gone that the state file tells of, so changes are missing",
		    kv_str("slot", s->o->slot), kv_lsn("acked", s->state->acked),
		    kv_str("state", s->state->path),
		    kv_str("remedy", "load the tables anew, then start with --accept-gap"));
		PQfreemem(quoted);
		return PG_PERMANENT;
	}
	buf_printf(&sql, "CREATE_REPLICATION_SLOT %s LOGICAL pgoutput %s", quoted,
	    s->o->failover ? "(SNAPSHOT 'nothing', FAILOVER)" : "NOEXPORT_SNAPSHOT");
	PQfreemem(quoted);
	/* It waits for the transactions that are open, however long that takes. */
	wait.answer_us = 0;
	status = pg_exec(&wait, s->conn, buf_cstr(&sql), &res);
	buf_free(&sql);
	if (status != PG_OK)
		return status;
	if (PQresultStatus(res) == PGRES_TUPLES_OK)
		log_info("made the slot", kv_str("slot", s->o->slot),
		    kv_str("lsn", PQgetvalue(res, 0, 1)));
	else if (!pg_sqlstate_is(res, "42710")) /* somebody else was first */
		status = pg_failed(s->conn, res, "cannot make the slot", NULL);
	PQclear(res);
	return status;
}

static enum pg_status
slot_lost(const struct setup *s, const char *what, const char *value, const char *remedy)
{
	log_error(what, kv_str("slot", s->o->slot), kv_str("is", value), kv_str("remedy", remedy));
	return PG_PERMANENT;
}

/* Is the slot of the right kind, and does it still hold its WAL? */
static enum pg_status
check_slot_row(const struct setup *s, const PGresult *res)
{
	const char *plugin = PQgetvalue(res, 0, 0), *database = PQgetvalue(res, 0, 1);

	if (strcmp(plugin, "pgoutput") != 0)
		return slot_lost(s, "the slot is not a logical one of plugin pgoutput",
		    *plugin ? plugin : "physical",
		    "SELECT pg_create_logical_replication_slot('another', 'pgoutput')");
	if (strcmp(database, s->server->database) != 0)
		return slot_lost(s, "the slot belongs to another database", database,
		    "name that database by dbname= or PGDATABASE");
	if (strcmp(PQgetvalue(res, 0, 2), "lost") == 0) {
		const char *why = PQgetvalue(res, 0, 7);

		if (*why == '\0' || strcmp(why, "wal_removed") == 0)
			return slot_lost(s, "the slot lost the WAL it needs, so changes are missing",
			    "lost", "drop it, make it anew, load the tables anew, and raise "
			    "max_slot_wal_keep_size");
		return slot_lost(s, "the slot was invalidated, so changes are missing", why,
		    "drop it, make it anew, load the tables anew, and see to what invalidated it: "
		    "idle_replication_slot_timeout, wal_level, hot_standby_feedback");
	}
	return PG_OK;
}

static uint64_t
lsn_value(const PGresult *res, int column)
{
	const char *text = PQgetvalue(res, 0, column);
	uint64_t lsn;

	return lsn_parse(text, strlen(text), &lsn) == 0 ? lsn : 0;
}

/*
 * Look at the slot; *busy is the process that streams from it, or 0.  A missing one is
 * made where that was asked for, and looked at again by the caller (*made).
 */
static enum pg_status
check_slot(const struct setup *s, long *busy, bool *made)
{
	char *literal = pg_literal(s->conn, s->o->slot);
	struct buf sql = { 0 };
	enum pg_status status;
	PGresult *res;

	*busy = 0;
	*made = false;
	buf_printf(&sql,
	    "SELECT coalesce(plugin, ''), coalesce(database, ''), coalesce(wal_status, ''),"
	    " active, coalesce(active_pid, 0), coalesce(confirmed_flush_lsn, '0/0'),"
	    " CASE WHEN pg_catalog.pg_is_in_recovery() THEN"
	    " pg_catalog.pg_last_wal_replay_lsn() ELSE pg_catalog.pg_current_wal_insert_lsn()"
	    " END, %s FROM pg_catalog.pg_replication_slots WHERE slot_name = %s",
	    s->server->version >= 170000 ? "coalesce(invalidation_reason, '')" : "''", literal);
	PQfreemem(literal);
	status = query(s, buf_cstr(&sql), "cannot look for the slot", &res);
	buf_free(&sql);
	if (status != PG_OK)
		return status;
	if (PQntuples(res) == 0) {
		PQclear(res);
		*made = true;
		if (s->o->create_slot)
			return create_slot(s);
		log_error("the slot does not exist", kv_str("slot", s->o->slot),
		    kv_str("remedy",
		        "SELECT pg_create_logical_replication_slot('name', 'pgoutput'), or "
		        "--create-slot"));
		return PG_PERMANENT;
	}
	status = check_slot_row(s, res);
	if (*PQgetvalue(res, 0, 3) == 't') {
		*busy = strtol(PQgetvalue(res, 0, 4), NULL, 10);
		if (*busy == 0)
			*busy = -1;
	}
	s->server->confirmed_flush = lsn_value(res, 5);
	s->server->insert_lsn = lsn_value(res, 6);
	PQclear(res);
	return status;
}

const char setup_too_young[] =
    "it did not exist when a change was written, even if it does now: make the slot anew, behind "
    "the publication, and load the tables anew";

enum pg_status
setup_stream_failed(PGconn *conn, const PGresult *res, const char *what)
{
	/* A file of the server's log is missing (WalSndSegmentOpen in walsender.c). */
	if (pg_sqlstate_is(res, "58P01")) {
		(void)pg_failed(conn, res, what,
		    "WAL that the slot needs was removed: make the slot anew and load the tables "
		    "anew");
		return PG_PERMANENT;
	}
	/* Catalogs are read as they were when the change was written. */
	if (pg_sqlstate_is(res, "42704"))
		return pg_failed(conn, res, what, setup_too_young);
	return pg_failed(conn, res, what, NULL);
}

/* A literal as the replication commands have it: they know no escapes (repl_scanner.l). */
static char *
replication_literal(const char *text)
{
	struct buf b = { 0 };

	buf_addc(&b, '\'');
	for (; *text != '\0'; text++) {
		if (*text == '\'')
			buf_addc(&b, '\'');
		buf_addc(&b, *text);
	}
	buf_addc(&b, '\'');
	return buf_cstr(&b);
}

/* START_REPLICATION; *busy is set when somebody else was faster. */
static enum pg_status
start_streaming(const struct setup *s, bool *busy)
{
	const struct options *o = s->o;
	char *slot = pg_identifier(s->conn, o->slot), lsn[LSN_STRLEN], *quoted, *literal;
	struct buf sql = { 0 }, names = { 0 };
	enum pg_status status;
	PGresult *res;

	*busy = false;
	for (size_t i = 0; i < o->n_publications; i++) {
		quoted = pg_identifier(s->conn, o->publications[i]);
		buf_printf(&names, "%s%s", i ? "," : "", quoted);
		PQfreemem(quoted);
	}
	literal = replication_literal(buf_cstr(&names));
	buf_printf(&sql,
	    "START_REPLICATION SLOT %s LOGICAL %s (proto_version '%d', publication_names %s%s%s%s)",
	    slot, lsn_print(s->server->start, lsn), s->server->proto, literal,
	    s->server->streaming ? ", streaming 'on'" : "", o->messages ? ", messages 'true'" : "",
	    o->no_origin ? ", origin 'none'" : "");
	PQfreemem(slot);
	free(literal);
	status = pg_exec(s->wait, s->conn, buf_cstr(&sql), &res);
	buf_free(&sql);
	buf_free(&names);
	if (status != PG_OK)
		return status;
	if (PQresultStatus(res) != PGRES_COPY_BOTH) {
		*busy = pg_sqlstate_is(res, "55006");
		if (!*busy)
			status = setup_stream_failed(s->conn, res, "cannot start streaming");
	}
	PQclear(res);
	return status;
}

/* Take the slot, standing by while another reader has it. */
static enum pg_status
take_slot(const struct setup *s)
{
	bool said = false, made, busy;
	enum pg_status status;
	int wait = FIRST_CHECK_MS;
	long pid;

	for (;;) {
		status = check_slot(s, &pid, &made);
		if (status != PG_OK)
			return status;
		if (made)
			continue;
		if (pid == 0) {
			/* The one that had the slot may have kept the same file. */
			if (said && s->state->path != NULL) {
				state_free(s->state);
				if (state_load(s->state, s->state->path) != 0)
					return PG_PERMANENT;
			}
			status = resume_check(s);
			if (status != PG_OK)
				return status;
			status = start_streaming(s, &busy);
			if (status != PG_OK || !busy)
				return status;
		}
		if (!said)
			log_info("the slot is active elsewhere: standing by",
			    kv_str("slot", s->o->slot), kv_int("pid", pid),
			    kv_int("check_interval_ms", s->o->slot_check_ms));
		else
			log_debug("the slot is still active elsewhere", kv_int("pid", pid));
		said = s->server->standby = true;
		/* A walsender that is about to end does so soon. */
		if (wait > s->o->slot_check_ms)
			wait = s->o->slot_check_ms;
		status = pg_wait_ms(s->wait, wait);
		wait = s->o->slot_check_ms;
		if (status != PG_OK)
			return status;
	}
}

enum pg_status
setup_start(const struct pg_wait *w, PGconn *conn, const struct options *o, struct state *st,
    struct server *v)
{
	struct setup s = { .wait = w, .conn = conn, .o = o, .state = st, .server = v };
	enum pg_status status = identify(&s);

	if (status == PG_OK)
		status = check_version(&s);
	for (size_t i = 0; i < o->n_publications && status == PG_OK; i++)
		status = check_publication(&s, o->publications[i]);
	if (status == PG_OK)
		status = take_slot(&s);
	v->standby = false;
	return status;
}
