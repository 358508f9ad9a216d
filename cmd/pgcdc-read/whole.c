#include "link.h"
#include "log.h"
#include "lsn.h"
#include "session.h"

#define FLUSHED_US INT64_C(20000) /* how often it is asked how much is on disk */
#define BOUND_US   INT64_C(100000)

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
 * What is fetched may be of a later time than the transaction that it completes, and that must be
 * made good before fetching ends:
 *
 * - A row that is gone is left out of the stream, for what happened to it follows.  That must be
 *   fetched, too, for there is no document to take values over from.
 * - A row that another transaction wrote may be another one, which has the key since.  The first
 *   one left the key, later in the stream; where it took another one, its values are not those of
 *   the document of the old key, so the values of rows whose keys change must be fetched.
 *
 * All that is before the log's end of when it was fetched.  That bound is in the state file before
 * the transaction counts as stored, so a restart knows it.  The table may be loaded long before.
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
whole_late(void *reader, uint32_t relid, bool gone)
{
	struct reader *r = reader;
	struct state_bound *b;

	/* With --toast fetch everything is. */
	if (r->pgo.toast.fetch)
		return;
	b = state_put_bound(&r->state, relid);
	if (gone)
		b->all = UINT64_MAX;
	else
		b->moved = UINT64_MAX;
	r->snapshot.dirty = true;
}

bool
whole_fetches(const struct reader *r, uint32_t relid, bool moved)
{
	const struct state_bound *b = state_find_bound(&r->state, relid);

	return b != NULL && (b->all > r->idle_lsn || (moved && b->moved > r->idle_lsn));
}

/*
 * A row that was streamed without a large value may be in no chunk that is read later, for a
 * chunk may have passed where it went.  One that is asked for from now on sees the update.
 */
void
whole_unknown(void *reader, uint32_t relid)
{
	struct reader *r = reader;
	struct snapshot *s = &r->snapshot;

	if (!s->active)
		return;
	/* It may be any. */
	for (size_t i = 0; s->unlisted && i < r->state.n; i++)
		if (!r->state.table[i].loaded) {
			r->state.table[i].blocks = 0;
			s->dirty = true;
		}
	for (size_t i = s->first; i < s->tables; i++) {
		struct table *t = s->table[i];

		if (t->published != relid || t->state >= TABLE_READ)
			continue;
		if (t->measured) {
			log_info("a table is read once more: a large value of a row that changed could "
			         "not be fetched", kv_str("table", t->name));
			t->restarts++;
			t->retry_at = now_us() + SECOND_US;
		}
		snapshot_begin_again(r, t);
	}
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

/* *lsn is UINT64_MAX where nobody can be asked now. */
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
		t->log_end = pg_log_end(end);
		t->log_end_at = now;
		t->log_flushed = false;
	}
	return GO_ON;
}

/* What was committed before that time is on disk, also asynchronously. */
static int64_t
settled(const struct reader *r, int64_t now)
{
	return now - SECOND_US - 3000 * (int64_t)r->server.wal_writer_delay_ms;
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
	int64_t before = settled(r, now);
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

/* Where does the log end now, for bounds? */
static int
look_for_bounds(struct reader *r, int64_t now)
{
	struct state *s = &r->state;
	bool wanted = false;
	uint64_t end;
	int code;

	state_drop_bounds(s, s->path != NULL && s->acked < r->idle_lsn ? s->acked : r->idle_lsn);
	for (size_t i = 0; i < s->bounds; i++)
		wanted = wanted || s->bound[i].all == UINT64_MAX || s->bound[i].moved == UINT64_MAX;
	if (!wanted || now < r->snapshot.bound_at)
		return GO_ON;
	r->snapshot.bound_at = now + BOUND_US;
	code = ask(r, "SELECT pg_catalog.pg_current_wal_insert_lsn()", &end);
	if (code != GO_ON || end == UINT64_MAX)
		return code;
	end = pg_log_end(end);
	for (size_t i = 0; i < s->bounds; i++) {
		if (s->bound[i].all == UINT64_MAX)
			s->bound[i].all = end;
		if (s->bound[i].moved == UINT64_MAX)
			s->bound[i].moved = end;
	}
	r->snapshot.dirty = true;
	return GO_ON;
}

bool
whole_on_disk(const struct reader *r, const struct chunk *c)
{
	return c->log_end <= r->idle_lsn || c->log_end <= r->snapshot.flushed;
}

size_t
whole_off_disk(const struct reader *r)
{
	const struct snapshot *s = &r->snapshot;
	size_t n = 0;

	for (size_t i = 0; i < s->chunks; i++)
		n += s->chunk[i]->state == CHUNK_READ && !whole_on_disk(r, s->chunk[i]);
	return n;
}

/*
 * A chunk sees what is committed asynchronously before that is on disk: a server that crashes
 * forgets it, and nothing would take such rows out again.
 */
static int
look_for_chunks(struct reader *r, int64_t now)
{
	struct snapshot *s = &r->snapshot;
	int64_t before = settled(r, now);
	uint64_t flushed;
	int code;

	if (now < s->flushed_at || whole_off_disk(r) == 0)
		return GO_ON;
	s->flushed_at = now + FLUSHED_US;
	code = ask(r, "SELECT pg_catalog.pg_current_wal_flush_lsn()", &flushed);
	if (code != GO_ON || flushed == UINT64_MAX)
		return code;
	if (flushed > s->flushed)
		s->flushed = flushed;
	/* As above: what is behind is nobody's commit. */
	for (size_t i = 0; i < s->chunks; i++)
		if (s->chunk[i]->state == CHUNK_READ && s->chunk[i]->read_at < before &&
		    s->chunk[i]->log_end > flushed)
			s->chunk[i]->log_end = flushed;
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
	if (!session_streams(r) || r->ended != NULL)
		return GO_ON;
	if (r->state.bounds > 0 && (code = look_for_bounds(r, now)) != GO_ON)
		return code;
	if (s->unread > 0 && (code = look_for_chunks(r, now)) != GO_ON)
		return code;
	if (!s->awaits_stream)
		return GO_ON;
	code = look_at_end(r, now);
	return code == GO_ON ? look_at_disk(r, now) : code;
}
