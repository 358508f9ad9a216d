#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

#define OLDEST_SERVER  140000
#define OLDEST_STANDBY 160000

enum {
	VERSION,
	WAL_LEVEL,
	SENDERS,
	SENDERS_USED,
	SLOTS,
	SLOTS_USED,
	CONNECTIONS, /* for all but superusers */
	CONNECTIONS_USED,
	ROLE_LIMIT,
	ROLE_USED,
	DATABASE_LIMIT,
	DATABASE_USED,
	FEEDBACK,
	USER,
	DATABASE,
};

static const char settings[] =
    "SELECT pg_catalog.current_setting('server_version'),"
    " pg_catalog.current_setting('wal_level'),"
    " pg_catalog.current_setting('max_wal_senders'),"
    " (SELECT count(*) FROM pg_catalog.pg_stat_replication),"
    " pg_catalog.current_setting('max_replication_slots'),"
    " (SELECT count(*) FROM pg_catalog.pg_replication_slots),"
    " pg_catalog.current_setting('max_connections')::int"
    " - pg_catalog.current_setting('superuser_reserved_connections')::int"
    " - coalesce(pg_catalog.current_setting('reserved_connections', true), '0')::int,"
    " (SELECT sum(numbackends) - 1 FROM pg_catalog.pg_stat_database),"
    " r.rolconnlimit,"
    " (SELECT count(*) - 1 FROM pg_catalog.pg_stat_activity a WHERE a.usesysid = r.oid"
    " AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_replication s WHERE s.pid = a.pid)),"
    " d.datconnlimit,"
    " (SELECT count(*) - 1 FROM pg_catalog.pg_stat_activity a WHERE a.datid = d.oid"
    " AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_replication s WHERE s.pid = a.pid)),"
    " pg_catalog.current_setting('hot_standby_feedback'),"
    " pg_catalog.quote_ident(r.rolname), pg_catalog.quote_ident(d.datname)"
    " FROM pg_catalog.pg_roles r, pg_catalog.pg_database d"
    " WHERE r.rolname = current_user AND d.datname = pg_catalog.current_database()";

static long
number(const PGresult *res, int column)
{
	return strtol(PQgetvalue(res, 0, column), NULL, 10);
}

static void
check_version(struct check *c, const PGresult *res)
{
	const char *version = PQgetvalue(res, 0, VERSION);

	if (c->version < OLDEST_SERVER)
		finding(&c->f, FINDING_ERROR, "server", "upgrade the server to PostgreSQL 14 or later",
		    "PostgreSQL %s is too old", version);
	else if (c->standby && c->version < OLDEST_STANDBY)
		finding(&c->f, FINDING_ERROR, "server", "connect to its primary",
		    "it is a standby, and PostgreSQL %s decodes on the primary alone", version);
	else
		finding(&c->f, FINDING_OK, "server", NULL, "PostgreSQL %s%s, database %s, role %s",
		    version, c->standby ? ", a standby" : "", c->database, c->user);
	if (c->standby && c->version >= OLDEST_STANDBY && strcmp(PQgetvalue(res, 0, FEEDBACK), "on") != 0)
		finding(&c->f, FINDING_WARNING, "hot_standby_feedback",
		    "SQL: ALTER SYSTEM SET hot_standby_feedback = on; SELECT pg_reload_conf();",
		    "the primary may remove rows of its catalog that the slot needs, which "
		    "invalidates it");
}

static void
check_level(struct check *c, const PGresult *res)
{
	const char *level = PQgetvalue(res, 0, WAL_LEVEL);

	if (strcmp(level, "logical") == 0)
		finding(&c->f, FINDING_OK, "wal_level", NULL, "logical");
	else
		finding(&c->f, FINDING_ERROR, "wal_level",
		    "SQL: ALTER SYSTEM SET wal_level = logical;\nthen restart the server",
		    "it is %s%s: changes are not logged in a form that can be decoded", level,
		    c->standby ? ", here and on the primary" : "");
}

/* A setting that takes a restart, of which so many are in use, and needed. */
static void
check_room(struct check *c, const char *name, const char *what, long limit, long used, long need,
    long spare)
{
	struct buf remedy = { 0 };
	long left = limit - used;

	buf_printf(&remedy, "SQL: ALTER SYSTEM SET %s = %ld;\nthen restart the server", name,
	    used + need + spare + 8);
	if (left < need)
		finding(&c->f, FINDING_ERROR, name, buf_cstr(&remedy),
		    "%ld of %ld %s are in use, and this needs %ld", used, limit, what, need);
	else if (left < need + spare)
		finding(&c->f, FINDING_WARNING, name, buf_cstr(&remedy),
		    "%ld of %ld %s are in use: none is left to connect again before the server has "
		    "seen that a connection was lost", used, limit, what);
	else
		finding(&c->f, FINDING_OK, name, NULL, "%ld of %ld %s are in use", used, limit, what);
	buf_free(&remedy);
}

/* CONNECTION LIMIT, which does not count walsenders. */
static void
check_limit(struct check *c, const char *of, const char *quoted, long limit, long used, long need)
{
	struct buf remedy = { 0 };

	if (limit < 0 || limit - used >= need)
		return;
	buf_printf(&remedy, "SQL: ALTER %s %s CONNECTION LIMIT %ld;", of, quoted, used + need + 2);
	finding(&c->f, FINDING_ERROR, "connection limit", buf_cstr(&remedy),
	    "%s %s may have %ld connections, of which %ld are in use, and this needs %ld", of,
	    quoted, limit, used, need);
	buf_free(&remedy);
}

static void
check_connections(struct check *c, const PGresult *res)
{
	long left = number(res, CONNECTIONS) - number(res, CONNECTIONS_USED);
	/* The catalog's, and those that load. */
	long need = c->ours ? 0 : 1;
	struct buf remedy = { 0 };

	if (c->o->snapshot != SNAPSHOT_NEVER && !c->ours)
		need += (long)c->o->snapshot_workers;
	buf_printf(&remedy, "SQL: ALTER SYSTEM SET max_connections = %ld;\nthen restart the server",
	    number(res, CONNECTIONS) + need + 20);
	if (left < need)
		finding(&c->f, FINDING_WARNING, "max_connections", buf_cstr(&remedy),
		    "%ld connections are left, and this needs %ld beside that for replication",
		    left < 0 ? 0 : left, need);
	else
		finding(&c->f, FINDING_OK, "max_connections", NULL,
		    "%ld connections are left, and this needs %ld beside that for replication",
		    left, need);
	buf_free(&remedy);
	check_limit(c, "ROLE", PQgetvalue(res, 0, USER), number(res, ROLE_LIMIT),
	    number(res, ROLE_USED), need);
	check_limit(c, "DATABASE", PQgetvalue(res, 0, DATABASE), number(res, DATABASE_LIMIT),
	    number(res, DATABASE_USED), need);
}

void
check_server(struct check *c)
{
	bool exists = PQntuples(c->slot) > 0;
	bool active = exists && strtol(PQgetvalue(c->slot, 0, CHECK_SLOT_PID), NULL, 10) != 0;
	PGresult *res = check_ask(c, "server", settings);

	if (res == NULL || PQntuples(res) == 0) {
		PQclear(res);
		return;
	}
	check_version(c, res);
	check_level(c, res);
	check_room(c, "max_wal_senders", "walsenders", number(res, SENDERS),
	    number(res, SENDERS_USED), active ? 0 : 1, 1);
	check_room(c, "max_replication_slots", "slots", number(res, SLOTS), number(res, SLOTS_USED),
	    exists ? 0 : 1, 0);
	check_connections(c, res);
	PQclear(res);
}
