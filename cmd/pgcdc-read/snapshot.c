#include <stdlib.h>
#include <string.h>

#include "barrier.h"
#include "link.h"
#include "log.h"
#include "session.h"

/* In memory there is place for two chunks of twice the usual size. */
#define SPOOL_MEM ((size_t)4 * 1024 * 1024)
#define CHUNK_MEM (SPOOL_MEM / 2)

#define CATALOG_US (10 * SECOND_US)

/* How many heaps of a published table are not in the stream yet. */
struct open {
	int heaps;
};

/* Is it being loaded? */
static bool
is_open(const struct snapshot *s, uint32_t relid)
{
	const struct open *open = oidmap_get(&s->open, relid);

	/* Until the tables are listed it may be any. */
	return s->active && (s->unlisted || (open != NULL && open->heaps > 0));
}

static bool
wants_whole_rows(void *reader, uint32_t relid, bool moved)
{
	const struct reader *r = reader;

	return is_open(&r->snapshot, relid) || whole_fetches(r, relid, moved);
}

/* Is the relation one whose rows count: which the stream brings while it is loaded? */
static bool
concerned(struct reader *r, uint32_t relid, uint32_t xid)
{
	if (!is_open(&r->snapshot, relid))
		return false;
	visible_add(&r->snapshot.streamed, xid);
	return true;
}

/* Chunks that were asked for before now are worth nothing. */
static void
distrust(struct reader *r, uint32_t relid)
{
	struct snapshot *s = &r->snapshot;

	s->touched.now++;
	for (size_t i = s->first; i < s->tables; i++)
		if (s->table[i]->published == relid)
			s->table[i]->untrusted = s->touched.now;
}

static void
touch(struct reader *r, const struct relation *rel, const struct tuple *tuple)
{
	struct snapshot *s = &r->snapshot;
	struct touched_key key;
	uint64_t oldest = UINT64_MAX;

	if (!touched_key(&s->touched, rel, tuple, &key)) {
		distrust(r, rel->relid);
		return;
	}
	if (touched_add(&s->touched, &key))
		return;
	/* What no chunk needs makes room; else the chunks are read again, smaller. */
	for (size_t i = 0; i < s->chunks; i++)
		if (s->chunk[i]->state != CHUNK_EMITTED && s->chunk[i]->asked_at < oldest)
			oldest = s->chunk[i]->asked_at;
	touched_forget(&s->touched, oldest);
	if (touched_add(&s->touched, &key))
		return;
	touched_forget(&s->touched, s->touched.now);
	for (size_t i = s->first; i < s->tables; i++)
		s->table[i]->untrusted = s->touched.now;
}

static void
on_row(void *reader, const struct row *row, uint32_t xid)
{
	struct reader *r = reader;
	const struct relation *rel = row->relation;
	const struct relation *loaded;

	if (!concerned(r, rel->relid, xid) || r->snapshot.unread == 0)
		return;
	loaded = oidmap_get(&r->pgo.relations.loaded, rel->relid);
	if (loaded == NULL)
		return;
	/* Of partitions with another identity a change of the key may not show. */
	if ((rel->mixed && row->letter != 'I') || !touched_alike(rel, loaded)) {
		distrust(r, rel->relid);
		return;
	}
	if (row->letter != 'D')
		touch(r, rel, &row->new);
	if (row->old_part != 0)
		touch(r, rel, &row->old);
}

static void
on_truncate(void *reader, uint32_t relid, uint32_t xid)
{
	if (concerned(reader, relid, xid))
		distrust(reader, relid);
}

static void
on_relation(void *reader, const struct relation *rel)
{
	struct reader *r = reader;
	const struct relation *loaded = oidmap_get(&r->pgo.relations.loaded, rel->relid);

	if (r->snapshot.active && loaded != NULL &&
	    (loaded->frame.len != rel->frame.len ||
	        memcmp(loaded->frame.data, rel->frame.data, rel->frame.len) != 0))
		distrust(r, rel->relid);
}

int
snapshot_init(struct reader *r)
{
	struct snapshot *s = &r->snapshot;

	touched_init(&s->touched);
	r->pgo.watch = (struct pgoutput_watch) { .row = on_row, .truncate = on_truncate,
		.relation = on_relation, .arg = r };
	r->pgo.toast.wants = wants_whole_rows;
	r->pgo.toast.wants_arg = r;
	r->pgo.toast.late = whole_late;
	r->pgo.toast.unknown = whole_unknown;
	s->workers = r->o->snapshot_workers;
	s->worker = xcalloc(s->workers, sizeof(*s->worker));
	s->all_wanted = r->o->snapshot != SNAPSHOT_NEVER;
	if (s->all_wanted && r->o->state_path == NULL)
		log_warn("without --state every start loads the tables anew");
	if (spools_init(&s->spools, "what is loaded", r->o->spool_dir, SPOOL_MEM) != 0)
		return -1;
	s->spools.own = CHUNK_MEM;
	return 0;
}

void
snapshot_unit(struct reader *r, uint64_t begin, uint64_t end)
{
	struct snapshot *s = &r->snapshot;

	s->commit_lsn = end;
	/*
	 * A message outside a transaction has the LSN of its end, which may be where the next
	 * commit record begins.
	 */
	if (r->pgo.begin.xid != 0 && begin > s->base_lsn)
		s->base_lsn = begin;
}

/* Wait for whoever may hold the tables now. */
static void
bar(struct snapshot *s)
{
	for (size_t i = s->first; i < s->tables; i++) {
		struct table *t = s->table[i];

		if (t->state > TABLE_READING)
			continue;
		t->state = TABLE_BARRED;
		t->looked = false;
		t->said_at = 0;
	}
}

/* What is there to be done, by the state file?  Another reader may have replaced it until now. */
static void
begin(struct reader *r)
{
	struct snapshot *s = &r->snapshot;
	bool loading = false;

	/* What was stored is not worth much any more. */
	if (r->server.gap && r->o->accept_gap) {
		state_free(&r->state);
		r->state.seen = 0;
	}
	for (size_t i = 0; i < r->state.n; i++)
		loading = loading || !r->state.table[i].loaded;
	s->again = r->o->snapshot_again;
	s->active = s->unlisted = s->all_wanted || loading;
	s->commit_lsn = r->server.start;
}

/*
 * Somebody else had the slot, and did not know of what is only half loaded, or not stored.  Blocks
 * that came to be meanwhile were not streamed to this reader, so tables are measured, too.
 */
static void
forget_halves(struct reader *r)
{
	struct snapshot *s = &r->snapshot;

	for (size_t i = 0; i < r->state.n; i++)
		if (!r->state.table[i].loaded)
			r->state.table[i].blocks = 0;
	for (size_t i = 0; i < s->tables; i++) {
		struct table *t = s->table[i];

		if (t->state == TABLE_READ) {
			snapshot_open(s, t->published, 1);
			t->state = TABLE_BARRED;
			s->first = i < s->first ? i : s->first;
			s->active = true;
		}
		if (t->state < TABLE_READ)
			snapshot_begin_again(r, t);
	}
	s->dirty = true;
}

void
snapshot_begin_again(struct reader *r, struct table *t)
{
	struct state_table *known = state_find(&r->state, t->heap);

	if (known != NULL && !known->loaded && known->blocks > 0) {
		known->blocks = 0;
		r->snapshot.dirty = true;
	}
	/* Whatever is under way was asked for before. */
	t->untrusted = ++r->snapshot.touched.now;
	t->ranges = 0;
	t->measured = false;
	if (t->state == TABLE_READING)
		t->state = TABLE_UNKNOWN;
}

void
snapshot_connected(struct reader *r, bool moved)
{
	struct snapshot *s = &r->snapshot;
	uint64_t start = r->server.start;

	/* No commit record that the stream brings begins before it, and each is so long. */
	if (start > 40 && start - 40 > s->base_lsn)
		s->base_lsn = start - 40;
	if (s->commit_lsn == 0)
		begin(r);
	s->connect_at = 0;
	s->connect_lsn = 0;
	if (r->server.gap || moved)
		forget_halves(r);
	bar(s);
}

void
snapshot_disconnected(struct reader *r)
{
	struct snapshot *s = &r->snapshot;

	for (size_t i = 0; i < s->workers; i++) {
		struct chunk *c = worker_stop(&s->worker[i]);

		if (c != NULL)
			snapshot_repeat_chunk(r, c);
		if (s->worker[i].ended != NULL)
			snapshot_repeat_chunk(r, s->worker[i].ended);
		s->worker[i].ended = NULL;
		s->worker[i].retry_at = 0;
	}
	for (size_t i = s->chunks; i-- > 0;)
		if (s->chunk[i]->state == CHUNK_READ)
			snapshot_repeat_chunk(r, s->chunk[i]);
	s->flushed = 0;
	bar(s);
	/* What was streamed and is not seen yet holds its locks: the barrier finds it. */
	visible_free(&s->streamed);
	touched_forget(&s->touched, s->touched.now);
}

void
snapshot_open(struct snapshot *s, uint32_t published, int heaps)
{
	struct open *open = oidmap_get(&s->open, published);

	if (open == NULL) {
		open = xcalloc(1, sizeof(*open));
		oidmap_put(&s->open, published, open);
	}
	open->heaps += heaps;
}

bool
snapshot_is_open(const struct snapshot *s, uint32_t published)
{
	const struct open *open = oidmap_get(&s->open, published);

	return open != NULL && open->heaps > 0;
}

void
snapshot_close_table(struct reader *r, struct table *t, enum table_state state)
{
	struct snapshot *s = &r->snapshot;

	if (t->state < TABLE_READ && state >= TABLE_READ)
		snapshot_open(s, t->published, -1);
	t->state = state;
	if (state == TABLE_FAILED) {
		s->failed++;
		state_remove(&r->state, t->heap);
		s->dirty = true;
	}
	while (s->first < s->tables && s->table[s->first]->state >= TABLE_READ)
		s->first++;
}

/*
 * Sessions of connections that were cut may have the place of the one to the catalog, without which
 * nothing goes on: it comes before those that read.
 */
static int
await_catalog(struct reader *r, int64_t now, bool *there)
{
	struct catalog *c = &r->pgo.relations.catalog;
	struct snapshot *s = &r->snapshot;
	int code;

	*there = true;
	/* At first, for the listing, it is an error. */
	if (s->tables == 0)
		return GO_ON;
	if (c->refused && now >= s->catalog_at) {
		c->refused = false;
		s->catalog_at = now + CATALOG_US;
	}
	code = link_failed(r, catalog_open(c));
	*there = !c->refused;
	return code;
}

int
snapshot_tick(struct reader *r, int64_t now)
{
	struct snapshot *s = &r->snapshot;
	int code = GO_ON;
	bool there;

	if (s->chunks > 0)
		emit_stored(r);
	if ((code = whole_tick(r, now)) != GO_ON)
		return code;
	if (!s->active || !session_streams(r) || r->ended != NULL)
		return GO_ON;
	if ((code = await_catalog(r, now, &there)) != GO_ON || !there)
		return code;
	if (s->unlisted && now >= s->list_at)
		code = listing_make(r, now);
	if (code == GO_ON && !s->unlisted)
		code = barrier_pass(r, now);
	if (code == GO_ON && !s->unlisted && session_streams(r))
		code = load_tick(r, now);
	if (code != GO_ON)
		return code;
	progress_tick(r, now);
	if (snapshot_all_emitted(s)) {
		s->active = s->all_wanted = false;
		visible_free(&s->streamed);
		touched_forget(&s->touched, s->touched.now);
		for (size_t i = 0; i < s->workers; i++)
			(void)worker_stop(&s->worker[i]);
		log_debug("all tables are in the stream");
	}
	return GO_ON;
}

void
snapshot_free(struct reader *r)
{
	struct snapshot *s = &r->snapshot;

	progress_end(r);
	for (size_t i = 0; i < s->workers; i++)
		(void)worker_stop(&s->worker[i]);
}
