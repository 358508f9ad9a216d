#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "log.h"
#include "lsn.h"
#include "resume.h"

/*
 * Where the server left that timeline on the way to its own, by the history's text: lines of
 * timeline, LSN and reason, tab-separated (src/backend/access/transam/timeline.c).  0: it never
 * was on it.
 */
static uint64_t
switch_point(char *history, uint64_t timeline)
{
	char *line;

	while ((line = strsep(&history, "\n")) != NULL) {
		char *end;
		uint64_t id = strtoull(line, &end, 10), lsn;
		size_t n;

		if (end == line || id != timeline)
			continue;
		end += strspn(end, " \t");
		n = strcspn(end, " \t\r");
		if (lsn_parse(end, n, &lsn) == 0)
			return lsn;
	}
	return 0;
}

/* Another timeline: did what was taken from the old one happen on this one, too? */
static enum pg_status
check_timeline(const struct setup *s, uint64_t furthest, bool accept)
{
	struct server *v = s->server;
	const struct state *st = s->state;
	enum pg_status status;
	uint64_t at = 0;
	char sql[64], *text;
	PGresult *res;

	if (st->timeline == v->timeline || st->timeline == 0)
		return PG_OK;
	if (st->timeline < v->timeline) {
		snprintf(sql, sizeof(sql), "TIMELINE_HISTORY %" PRIu64, v->timeline);
		status = pg_query(s->wait, s->conn, sql,
		    "cannot read the history of the server's timeline", &res);
		if (status != PG_OK)
			return status;
		text = xstrdup(PQgetvalue(res, 0, 1));
		PQclear(res);
		at = switch_point(text, st->timeline);
		free(text);
	}
	if (furthest <= at) {
		log_info("the server went to another timeline, and has all that was taken",
		    kv_uint("from", st->timeline), kv_uint("to", v->timeline),
		    kv_lsn("at", at), kv_lsn("taken", furthest));
		return PG_OK;
	}
	v->gap = accept;
	log_at(accept ? LOG_WARN : LOG_ERROR,
	    "the server went to another timeline before what was taken from the old one",
	    kv_uint("from", st->timeline), kv_uint("to", v->timeline), kv_lsn("at", at),
	    kv_lsn("taken", furthest), kv_str("state", st->path),
	    kv_str("remedy", "load the tables anew with a new version epoch, then start with "
	                     "--accept-gap"));
	return accept ? PG_OK : PG_PERMANENT;
}

/* A state file of another server or another slot. */
static enum pg_status
other_origin(const struct setup *s, bool accept)
{
	const struct state *st = s->state;

	s->server->gap = accept;
	if (accept) {
		log_warn("went on in spite of a state file of another server or slot",
		    kv_str("its_system", st->system), kv_str("system", s->server->system));
		return PG_OK;
	}
	log_error(s->server->emitted != 0 ? "this is another server than before"
	                                  : "the state file is of another server or slot",
	    kv_str("state", st->path), kv_str("its_system", st->system),
	    kv_str("system", s->server->system), kv_str("its_slot", st->slot),
	    kv_str("slot", s->o->slot),
	    kv_str("remedy", "load the tables anew with a new version epoch, then start with "
	                     "--accept-gap, or name another file"));
	return PG_PERMANENT;
}

/* What the state file, and this process, know must agree with this server and this slot. */
enum pg_status
resume_check(const struct setup *s)
{
	const struct state *st = s->state;
	struct server *v = s->server;
	bool accept = s->o->accept_gap && v->emitted == 0;
	uint64_t furthest = v->emitted > st->acked ? v->emitted : st->acked;
	/* Chunks of tables show what the stream may not have brought yet. */
	uint64_t taken = st->seen > furthest ? st->seen : furthest;
	enum pg_status status;

	v->start = v->confirmed_flush;
	v->gap = false;
	/* Without a file this process still knows what was, once it streamed. */
	if (!st->exists && v->emitted == 0)
		return PG_OK;
	if (strcmp(st->system, v->system) != 0 || strcmp(st->slot, s->o->slot) != 0)
		return other_origin(s, accept);
	status = check_timeline(s, taken, accept);
	if (status != PG_OK)
		return status;
	/* Streaming from there would leave out, in silence, what comes before. */
	if (taken > v->insert_lsn) {
		v->gap = accept;
		log_at(accept ? LOG_WARN : LOG_ERROR,
		    "the server's log ends before what was taken from it: it lost what it had",
		    kv_str("state", st->path), kv_lsn("acked", st->acked),
		    kv_lsn("taken", taken), kv_lsn("log_end", v->insert_lsn),
		    kv_str("remedy", "load the tables anew with a new version epoch, then start "
		                     "with --accept-gap"));
		return accept ? PG_OK : PG_PERMANENT;
	}
	if (v->confirmed_flush > st->acked) {
		bool stop = s->o->sole_owner && !accept;

		v->gap = true;
		log_at(stop ? LOG_ERROR : LOG_WARN,
		    "the slot is ahead of what was confirmed: another reader moved it, or it was "
		    "made anew and changes are missing",
		    kv_lsn("confirmed", v->confirmed_flush), kv_lsn("acked", st->acked),
		    kv_str("state", st->path));
		if (stop)
			return PG_PERMANENT;
	}
	/* A slot may have stepped back in a restart of its server: what is stored is skipped. */
	if (furthest > v->start)
		v->start = furthest;
	return PG_OK;
}
