#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

#define REASONS 170000 /* pg_replication_slots.invalidation_reason */
#define FAILOVER 170000

bool
check_find_slot(struct check *c)
{
	char *literal = pg_literal(c->conn, c->o->slot);
	struct buf sql = { 0 };

	buf_printf(&sql,
	    "SELECT coalesce(s.plugin, ''), coalesce(s.database, ''), coalesce(s.wal_status, ''),"
	    " coalesce(s.active_pid, 0), coalesce(s.confirmed_flush_lsn, '0/0'),"
	    " pg_catalog.pg_wal_lsn_diff(e.lsn, s.confirmed_flush_lsn),"
	    " pg_catalog.pg_wal_lsn_diff(e.lsn, s.restart_lsn), s.safe_wal_size, %s,"
	    " coalesce(a.application_name, ''), e.lsn,"
	    " a.application_name = pg_catalog.current_setting('application_name')"
	    " FROM pg_catalog.pg_replication_slots s LEFT JOIN pg_catalog.pg_stat_activity a"
	    " ON a.pid = s.active_pid, (SELECT CASE WHEN pg_catalog.pg_is_in_recovery()"
	    " THEN pg_catalog.pg_last_wal_replay_lsn()"
	    " ELSE pg_catalog.pg_current_wal_insert_lsn() END AS lsn) e WHERE s.slot_name = %s",
	    c->version >= REASONS ? "coalesce(s.invalidation_reason, '')" : "''", literal);
	PQfreemem(literal);
	c->slot = check_ask(c, "slot", buf_cstr(&sql));
	buf_free(&sql);
	if (c->slot == NULL)
		return false;
	c->ours = PQntuples(c->slot) > 0 && *PQgetvalue(c->slot, 0, CHECK_SLOT_LOG_END + 1) == 't';
	return true;
}

void
check_put_slot(const struct check *c, struct buf *b)
{
	char *literal = pg_literal(c->conn, c->o->slot);

	buf_printf(b, "SELECT pg_create_logical_replication_slot(%s, 'pgoutput'%s);", literal,
	    c->o->failover && c->version >= FAILOVER ? ", failover => true" : "");
	PQfreemem(literal);
}

static void
put_anew(const struct check *c, struct buf *b)
{
	char *literal = pg_literal(c->conn, c->o->slot);

	buf_printf(b, "SQL: SELECT pg_drop_replication_slot(%s); ", literal);
	PQfreemem(literal);
	check_put_slot(c, b);
	if (c->o->state_path != NULL) {
		buf_adds(b, "\nrun: rm -f ");
		finding_put_word(b, c->o->state_path);
	}
	buf_adds(b, "\nthen load the tables anew: PGCDC_SNAPSHOT=initial, or --snapshot initial");
}

static bool
check_kind(struct check *c)
{
	const char *plugin = PQgetvalue(c->slot, 0, CHECK_SLOT_PLUGIN);
	const char *database = PQgetvalue(c->slot, 0, CHECK_SLOT_DATABASE);
	struct buf remedy = { 0 };

	if (strcmp(plugin, "pgoutput") != 0) {
		char *literal = pg_literal(c->conn, c->o->slot);

		buf_printf(&remedy, "SQL: SELECT pg_drop_replication_slot(%s); ", literal);
		PQfreemem(literal);
		check_put_slot(c, &remedy);
		buf_adds(&remedy, "\nif nobody else needs it; else name another one");
		finding(&c->f, FINDING_ERROR, "slot", buf_cstr(&remedy),
		    "slot %s is %s%s, and is to be a logical one of plugin pgoutput", c->o->slot,
		    *plugin != '\0' ? "one of plugin " : "physical", plugin);
	} else if (strcmp(database, c->database) != 0) {
		finding(&c->f, FINDING_ERROR, "slot",
		    "name that database by dbname= in PGCDC_CONNINFO, or another slot",
		    "slot %s is of database %s, and this one is %s", c->o->slot, database, c->database);
	} else {
		return true;
	}
	buf_free(&remedy);
	return false;
}

/* Does it still hold its part of the log? */
static bool
check_wal(struct check *c)
{
	const char *status = PQgetvalue(c->slot, 0, CHECK_SLOT_WAL);
	const char *why = PQgetvalue(c->slot, 0, CHECK_SLOT_REASON);
	struct buf remedy = { 0 };

	if (strcmp(status, "lost") == 0) {
		put_anew(c, &remedy);
		finding(&c->f, FINDING_ERROR, "slot", buf_cstr(&remedy),
		    "slot %s was invalidated (%s), so changes are missing", c->o->slot,
		    *why != '\0' ? why : "the log that it needs was removed");
		buf_free(&remedy);
		return false;
	}
	if (strcmp(status, "unreserved") == 0)
		finding(&c->f, FINDING_WARNING, "slot",
		    "SQL: ALTER SYSTEM SET max_slot_wal_keep_size = -1; SELECT pg_reload_conf();\n"
		    "and start the pipeline, which reads it, at once",
		    "slot %s is beyond max_slot_wal_keep_size: the next checkpoint invalidates it",
		    c->o->slot);
	return true;
}

static void
check_active(struct check *c)
{
	long pid = strtol(PQgetvalue(c->slot, 0, CHECK_SLOT_PID), NULL, 10);
	const char *kept = PQgetvalue(c->slot, 0, CHECK_SLOT_KEPT);
	const char *lag = PQgetvalue(c->slot, 0, CHECK_SLOT_LAG);
	const char *app = PQgetvalue(c->slot, 0, CHECK_SLOT_APP);
	char size[FINDING_SIZE], behind[FINDING_SIZE];
	struct buf remedy = { 0 };

	finding_size(size, strtoull(*kept != '-' ? kept : "0", NULL, 10));
	finding_size(behind, strtoull(*lag != '-' ? lag : "0", NULL, 10));
	if (pid != 0 && !c->ours) {
		buf_printf(&remedy, "SQL: SELECT pg_terminate_backend(%ld);\n"
		    "after its program is stopped, or name another slot", pid);
		finding(&c->f, FINDING_WARNING, "slot", buf_cstr(&remedy),
		    "slot %s is active: process %ld of the server streams from it to %s",
		    c->o->slot, pid, *app != '\0' ? app : "another role");
	} else if (pid == 0 && strcmp(PQgetvalue(c->slot, 0, CHECK_SLOT_WAL), "extended") == 0) {
		finding(&c->f, FINDING_WARNING, "slot",
		    "start the pipeline, which reads it; or drop it when it is needed no more: pgcdc "
		    "drop",
		    "nobody reads slot %s, and the server keeps %s of its log for it, beyond "
		    "max_wal_size", c->o->slot, size);
	} else {
		finding(&c->f, FINDING_OK, "slot", NULL,
		    "slot %s is %s, %s behind; the server keeps %s of its log for it", c->o->slot,
		    pid != 0 ? "active: a pipeline reads it" : "free", behind, size);
	}
	buf_free(&remedy);
}

/* How much it may keep. */
static void
check_keep(struct check *c)
{
	PGresult *res = check_ask(c, "max_slot_wal_keep_size",
	    "SELECT setting::int8, pg_catalog.current_setting('max_slot_wal_keep_size')"
	    " FROM pg_catalog.pg_settings WHERE name = 'max_slot_wal_keep_size'");
	const char *safe;
	struct buf remedy = { 0 };
	char size[FINDING_SIZE];
	uint64_t limit, left;

	if (res == NULL || PQntuples(res) == 0) {
		PQclear(res);
		return;
	}
	limit = strtoull(PQgetvalue(res, 0, 0), NULL, 10) * 1024 * 1024;
	safe = PQntuples(c->slot) > 0 ? PQgetvalue(c->slot, 0, CHECK_SLOT_SAFE) : "";
	left = *safe != '\0' && *safe != '-' ? strtoull(safe, NULL, 10) : 0;
	finding_size(size, left);
	if (*PQgetvalue(res, 0, 0) == '-') {
		finding(&c->f, FINDING_WARNING, "max_slot_wal_keep_size",
		    "SQL: ALTER SYSTEM SET max_slot_wal_keep_size = '50GB'; SELECT pg_reload_conf();\n"
		    "or as much as the disk of pg_wal can spare",
		    "nothing limits what slots keep: a pipeline that stands still fills the server's "
		    "disk");
	} else if (*safe != '\0' && left < limit / 4) {
		buf_printf(&remedy,
		    "SQL: ALTER SYSTEM SET max_slot_wal_keep_size = '%" PRIu64
		    "MB'; SELECT pg_reload_conf();\nand see why the pipeline is behind",
		    limit / 1024 / 1024 * 4);
		finding(&c->f, FINDING_WARNING, "max_slot_wal_keep_size", buf_cstr(&remedy),
		    "it is %s, and after %s more the slot is invalidated", PQgetvalue(res, 0, 1), size);
	} else {
		finding(&c->f, FINDING_OK, "max_slot_wal_keep_size", NULL, "%s%s%s",
		    PQgetvalue(res, 0, 1), *safe != '\0' ? ", of which the slot has left " : "",
		    *safe != '\0' ? size : "");
	}
	buf_free(&remedy);
	PQclear(res);
}

void
check_slot(struct check *c)
{
	struct buf remedy = { 0 };

	if (PQntuples(c->slot) == 0 && c->o->create_slot) {
		finding(&c->f, FINDING_OK, "slot", NULL,
		    "there is no slot %s, and --create-slot makes it", c->o->slot);
	} else if (PQntuples(c->slot) == 0) {
		buf_adds(&remedy, "SQL: ");
		check_put_slot(c, &remedy);
		buf_adds(&remedy, "\nafter the publication was made");
		finding(&c->f, FINDING_ERROR, "slot", buf_cstr(&remedy), "there is no slot %s",
		    c->o->slot);
	} else if (check_kind(c) && check_wal(c)) {
		check_active(c);
	}
	buf_free(&remedy);
	check_keep(c);
}
