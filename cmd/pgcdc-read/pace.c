#include <stdlib.h>

#include "link.h"
#include "log.h"
#include "lsn.h"
#include "session.h"

/* Reading is ahead of the stream by so many chunks a worker, and all else by so many. */
#define AHEAD      2
#define MAX_CHUNKS ((size_t)1024)
#define OFF_DISK   ((size_t)64) /* so many chunks may wait for the log */

#define LAG_US  SECOND_US
#define SEEN_US INT64_C(200000)

/* Is the slot so far behind that nothing shall be added? */
static int
look_at_lag(struct reader *r, int64_t now)
{
	struct snapshot *s = &r->snapshot;
	uint64_t limit = r->o->snapshot_max_lag, end, lag,
		 stored = r->sink == SINK_NONE ? r->idle_lsn : r->flush_lsn;
	enum pg_status status;
	PGresult *res;

	if (limit == 0 || now < s->lag_at)
		return GO_ON;
	s->lag_at = now + LAG_US;
	status = catalog_query(&r->pgo.relations.catalog,
	    "SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN"
	    " pg_catalog.pg_last_wal_replay_lsn() ELSE pg_catalog.pg_current_wal_flush_lsn() END",
	    "cannot look at the end of the log", &res);
	if (status != PG_OK || res == NULL)
		return link_failed(r, status);
	if (lsn_parse(PQgetvalue(res, 0, 0), (size_t)PQgetlength(res, 0, 0), &end) != 0)
		end = 0;
	PQclear(res);
	lag = end > stored ? end - stored : 0;
	if (!s->lagging && lag > limit)
		log_info("the slot is behind: loading rests", kv_uint("bytes", lag),
		    kv_uint("limit", limit));
	else if (s->lagging && lag <= limit / 2)
		log_info("the slot came along: loading goes on", kv_uint("bytes", lag));
	s->lagging = lag > (s->lagging ? limit / 2 : limit);
	return GO_ON;
}

/* Has somebody sent a query whose snapshot is not known yet? */
static bool
awaits_snapshot(const struct snapshot *s)
{
	for (size_t i = 0; i < s->chunks; i++)
		if (s->chunk[i]->state == CHUNK_ASKED && !s->chunk[i]->found)
			return true;
	return false;
}

/* Transactions that all later snapshots see need not be kept. */
static int
drop_seen(struct reader *r, int64_t now)
{
	struct snapshot *s = &r->snapshot;
	struct visible seen;
	enum pg_status status;
	char *text;

	if (s->streamed.n < PACE_MAX_STREAMED / 4 || now < s->seen_at || awaits_snapshot(s))
		return GO_ON;
	s->seen_at = now + SEEN_US;
	status = catalog_snapshot(&r->pgo.relations.catalog, &text);
	if (status != PG_OK || text == NULL)
		return link_failed(r, status);
	visible_parse(&seen, text);
	visible_drop(&s->streamed, visible_end(&s->streamed), &seen);
	/* One that is not seen for long shall not keep all behind it. */
	if (s->streamed.n >= PACE_MAX_STREAMED / 4)
		visible_compact(&s->streamed, &seen);
	free(text);
	return GO_ON;
}

int
pace_look(struct reader *r, int64_t now)
{
	int code = look_at_lag(r, now);

	return code == GO_ON ? drop_seen(r, now) : code;
}

void
pace_charge(struct reader *r, struct chunk *c, double rows, int64_t now)
{
	struct snapshot *s = &r->snapshot;
	uint64_t rate = r->o->snapshot_max_rate;

	if (rate == 0)
		return;
	if (s->paced_at < now)
		s->paced_at = now;
	s->paced_at -= c->pace_us;
	c->pace_us = (int64_t)(rows * 1e6 / (double)rate);
	s->paced_at += c->pace_us;
}

bool
pace_allows(const struct reader *r, int64_t now)
{
	const struct snapshot *s = &r->snapshot;
	size_t off_disk = whole_off_disk(r);

	return !s->lagging && now >= s->paced_at && off_disk < OFF_DISK &&
	    s->unread - off_disk < AHEAD * s->workers &&
	    s->chunks < MAX_CHUNKS && s->streamed.n < PACE_MAX_STREAMED;
}
