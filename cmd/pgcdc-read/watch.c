#include <stdlib.h>
#include <string.h>

#include "exitcode.h"
#include "link.h"
#include "log.h"
#include "lsn.h"
#include "watch.h"

#define WATCH_US (10 * SECOND_US)

enum { MISSING, TIMEOUT, SYNC_STATE, LOG_END, RETAINED, SAFE };

static void
build_query(struct reader *r, struct buf *sql)
{
	char *slot = pg_literal(r->conn, r->o->slot);

	buf_adds(sql, "SELECT (SELECT string_agg(n, ', ') FROM unnest(ARRAY[");
	for (size_t i = 0; i < r->o->n_publications; i++) {
		char *literal = pg_literal(r->conn, r->o->publications[i]);

		buf_printf(sql, "%s%s", i ? "," : "", literal);
		PQfreemem(literal);
	}
	buf_printf(sql,
	    "]::text[]) n WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_publication WHERE pubname = n)),"
	    " (SELECT setting FROM pg_catalog.pg_settings WHERE name = 'wal_sender_timeout'),"
	    " (SELECT sync_state FROM pg_catalog.pg_stat_replication WHERE pid = %d),"
	    " w.lsn, greatest(pg_catalog.pg_wal_lsn_diff(w.lsn, s.restart_lsn), 0), s.safe_wal_size"
	    " FROM (SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN"
	    " pg_catalog.pg_last_wal_replay_lsn() ELSE pg_catalog.pg_current_wal_lsn() END) w (lsn)"
	    " LEFT JOIN pg_catalog.pg_replication_slots s ON s.slot_name = %s",
	    PQbackendPID(r->conn), slot);
	PQfreemem(slot);
}

static void
take_note(struct watched *w, const PGresult *res)
{
	const char *safe = PQgetvalue(res, 0, SAFE);

	w->known = lsn_parse(PQgetvalue(res, 0, LOG_END), (size_t)PQgetlength(res, 0, LOG_END),
	               &w->lsn) == 0 && !PQgetisnull(res, 0, RETAINED);
	w->retained = strtoull(PQgetvalue(res, 0, RETAINED), NULL, 10);
	w->limited = !PQgetisnull(res, 0, SAFE);
	w->safe = *safe == '-' ? 0 : strtoull(safe, NULL, 10);
}

static int
judge(struct reader *r, const PGresult *res)
{
	const char *sync = PQgetvalue(res, 0, SYNC_STATE);
	int timeout = (int)strtol(PQgetvalue(res, 0, TIMEOUT), NULL, 10);

	take_note(&r->watched, res);
	if (!PQgetisnull(res, 0, MISSING)) {
		log_error("a publication does not exist any more",
		    kv_str("publication", PQgetvalue(res, 0, MISSING)),
		    kv_str("remedy", "make it anew, then the slot behind it, and load the tables "
		                     "anew"));
		return EXIT_PERMANENT;
	}
	if (timeout != r->server.wal_sender_timeout_ms) {
		r->server.wal_sender_timeout_ms = timeout;
		link_set_timeout(r);
	}
	if (*sync != '\0' && strcmp(sync, "async") != 0 && !r->standby_said) {
		r->standby_said = true;
		log_warn("the server takes this reader for a synchronous standby: commits wait for "
		         "the cluster", kv_str("sync_state", sync),
		    kv_str("remedy", "name the standbys in synchronous_standby_names, or give this "
		                     "reader another application_name"));
	}
	return GO_ON;
}

/*
 * The log's end at the start can be the work of a transaction that is open still, which the
 * server writes to disk, and sends, when it has a reason: that is not waited for.
 */
static int
check_stop(struct reader *r)
{
	enum pg_status status;
	PGresult *res;
	uint64_t flushed;

	r->stop_check_at = 0;
	status = catalog_query(&r->pgo.relations.catalog,
	    "SELECT pg_catalog.pg_current_wal_flush_lsn() WHERE NOT pg_catalog.pg_is_in_recovery()",
	    "cannot look at the end of the log", &res);
	if (status == PG_OK && res != NULL && PQntuples(res) == 1 &&
	    lsn_parse(PQgetvalue(res, 0, 0), (size_t)PQgetlength(res, 0, 0), &flushed) == 0 &&
	    flushed < r->stop_at)
		r->stop_at = flushed;
	PQclear(res);
	return link_failed(r, status);
}

int
watch_tick(struct reader *r, int64_t now)
{
	struct buf sql = { 0 };
	enum pg_status status;
	PGresult *res;
	int code = GO_ON;

	if (r->stop_check_at != 0 && now >= r->stop_check_at)
		return check_stop(r);
	if (now < r->watch_at)
		return GO_ON;
	r->watch_at = now + WATCH_US;
	build_query(r, &sql);
	status = catalog_query(&r->pgo.relations.catalog, buf_cstr(&sql),
	    "cannot look at the publications", &res);
	buf_free(&sql);
	if (status != PG_OK)
		return link_failed(r, status);
	if (res != NULL)
		code = judge(r, res);
	PQclear(res);
	return code;
}
