#include "link.h"
#include "log.h"
#include "lsn.h"
#include "session.h"

/*
 * When is a table in the stream as a whole?
 *
 * Not with its last chunk: a row may have been moved, by an update that a chunk saw, from a block
 * that was read later to one that was read before, and is in no chunk then.  The update brings
 * it, without large values that it left alone, and the stream may be far from there yet.  So the
 * stream must have come to where the log ended when the last snapshot was taken; until then large
 * values are fetched.  And the state file must not say that the table is loaded before that much
 * is stored, or a restart would have such an update streamed again and nothing fetched.
 *
 * A row that is gone when its large values are to be fetched is left out of the stream, for what
 * happened to it follows.  That must be fetched, too: it is before the log's end of then.
 */

void
whole_saw(struct table *t, uint64_t log_end, int64_t now)
{
	if (log_end > t->log_end || !t->measured)
		t->log_end = log_end;
	t->log_end_at = now;
	t->log_flushed = false;
}

void
whole_gone(void *reader, uint32_t relid)
{
	struct reader *r = reader;
	struct snapshot *s = &r->snapshot;

	for (size_t i = s->first; i < s->tables; i++)
		if (s->table[i]->published == relid)
			s->table[i]->log_end = UINT64_MAX;
}

static bool
waits(const struct table *t)
{
	return t->state == TABLE_READING && t->ranges == 0 && t->unread == 0;
}

void
snapshot_check_table(struct reader *r, struct table *t)
{
	struct state_table *entry;

	if (waits(t) && r->idle_lsn >= t->log_end) {
		t->unit = r->units.emitted;
		r->snapshot.unstored++;
		snapshot_close_table(r, t, TABLE_READ);
	}
	if (t->state != TABLE_READ || t->going > 0 ||
	    (r->sink != SINK_NONE && r->units.stored < t->unit))
		return;
	t->state = TABLE_LOADED;
	progress_loaded(r, t);
	if (r->sink == SINK_NONE)
		return;
	entry = state_put(&r->state, t->heap);
	*entry = (struct state_table) { .relid = t->heap, .filenode = t->filenode,
		.blocks = t->blocks, .loaded = true };
	r->snapshot.dirty = true;
}

static int
ask(struct reader *r, const char *query, uint64_t *lsn)
{
	PGresult *res;
	enum pg_status status =
	    catalog_query(&r->pgo.relations.catalog, query, "cannot look at the end of the log", &res);

	*lsn = UINT64_MAX;
	if (status != PG_OK || res == NULL)
		return link_failed(r, status);
	if (lsn_parse(PQgetvalue(res, 0, 0), (size_t)PQgetlength(res, 0, 0), lsn) != 0)
		*lsn = UINT64_MAX;
	PQclear(res);
	return GO_ON;
}

/* Where does the log end now, for those that want to know? */
static int
look_at_end(struct reader *r, int64_t now)
{
	struct snapshot *s = &r->snapshot;
	uint64_t end = 0;
	int code;

	for (size_t i = s->first; i < s->tables; i++) {
		struct table *t = s->table[i];

		if (!waits(t) || t->log_end != UINT64_MAX)
			continue;
		if (end == 0 && (code = ask(r, "SELECT pg_catalog.pg_current_wal_insert_lsn()",
		        &end)) != GO_ON)
			return code;
		t->log_end = end;
		t->log_end_at = now;
		t->log_flushed = false;
	}
	return GO_ON;
}

/*
 * The end of the log may be the work of a transaction that is open still, which the server writes
 * to disk, and sends, when it has a reason.  That is not waited for: after a while all is on disk
 * that was committed before, also asynchronously.
 */
static int
look_at_disk(struct reader *r, int64_t now)
{
	struct snapshot *s = &r->snapshot;
	int64_t before = now - SECOND_US - 3000 * (int64_t)r->server.wal_writer_delay_ms;
	uint64_t flushed = 0;
	int code;

	for (size_t i = s->first; i < s->tables; i++) {
		struct table *t = s->table[i];

		if (!waits(t) || t->log_flushed || t->log_end_at >= before)
			continue;
		if (flushed == 0 && (code = ask(r, "SELECT pg_catalog.pg_current_wal_flush_lsn()",
		        &flushed)) != GO_ON)
			return code;
		t->log_flushed = true;
		if (flushed < t->log_end)
			t->log_end = flushed;
	}
	return GO_ON;
}

int
whole_tick(struct reader *r, int64_t now)
{
	struct snapshot *s = &r->snapshot;
	int code;

	s->awaits_stream = false;
	for (size_t i = s->first; s->active && i < s->tables; i++) {
		if (waits(s->table[i]))
			snapshot_check_table(r, s->table[i]);
		s->awaits_stream = s->awaits_stream || waits(s->table[i]);
	}
	if (s->unstored > 0) {
		s->unstored = 0;
		for (size_t i = 0; i < s->tables; i++) {
			if (s->table[i]->state == TABLE_READ)
				snapshot_check_table(r, s->table[i]);
			s->unstored += s->table[i]->state == TABLE_READ;
		}
	}
	if (!s->awaits_stream || !session_streams(r) || r->ended != NULL)
		return GO_ON;
	code = look_at_end(r, now);
	return code == GO_ON ? look_at_disk(r, now) : code;
}
