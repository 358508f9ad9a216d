#include <stdlib.h>
#include <string.h>

#include "exitcode.h"
#include "link.h"
#include "log.h"
#include "session.h"

#define SPARSE      16 /* of blocks that bring little, so many times the bytes are looked through */
#define BLOCK       8192
#define BLOCK_ROWS  291 /* one of 8 KiB has no more (MaxHeapTuplesPerPage in htup_details.h) */

#define AGAIN_US    INT64_C(20000)
#define LOCKED_US   INT64_C(500000)
#define RETRY_US    INT64_C(1000000)
#define REFUSED_US  INT64_C(60000000)
#define STALE_US    INT64_C(10000000)
#define MAX_RESTARTS 30

#define SAY_US      (10 * SECOND_US)

static struct chunk_context
context(struct reader *r)
{
	return (struct chunk_context) { .spools = &r->snapshot.spools,
		.streamed = &r->snapshot.streamed, .version = r->server.version,
		.publications = r->o->publications, .n_publications = r->o->n_publications };
}

static bool
reads(const struct chunk *c)
{
	return c->range.from < c->range.to;
}

void
snapshot_drop_chunk(struct reader *r, struct chunk *c)
{
	struct snapshot *s = &r->snapshot;
	size_t i = 0;

	while (s->chunk[i] != c)
		i++;
	s->chunks--;
	memmove(s->chunk + i, s->chunk + i + 1, (s->chunks - i) * sizeof(*s->chunk));
	c->table->going--;
	if (c->state == CHUNK_ASKED)
		s->paced_at -= c->pace_us;
	if (c->state != CHUNK_EMITTED) {
		c->table->unread--;
		s->unread--;
	}
	if (s->unread == 0)
		touched_forget(&s->touched, s->touched.now);
	chunk_free(c, &s->spools);
}

void
snapshot_repeat_chunk(struct reader *r, struct chunk *c)
{
	struct table *t = c->table;

	/* Of another file its blocks mean nothing. */
	if (reads(c) && c->filenode == t->filenode && t->state < TABLE_READ) {
		table_give_back(t, c->range);
		r->snapshot.repeated++;
	}
	snapshot_drop_chunk(r, c);
}

/*
 * Asking
 */

static uint32_t
blocks_of_chunk(const struct reader *r, const struct table *t)
{
	double least = (double)BLOCK / SPARSE, rate = (double)r->o->snapshot_max_rate;
	double blocks = (double)r->o->snapshot_chunk /
	    (t->block_bytes > least ? t->block_bytes : least);
	uint32_t n;

	if (t->at_once)
		return UINT32_MAX;
	/* No more than a second's, even if these blocks are full where others were empty. */
	if (rate > 0 && blocks * t->block_rows > rate)
		blocks = rate / t->block_rows;
	n = (uint32_t)blocks;
	return n >> t->shrink > 0 ? n >> t->shrink : 1;
}

/* A table with something to read or to be measured; its blocks, or none. */
static struct table *
find_work(struct reader *r, int64_t now, struct range *range)
{
	struct snapshot *s = &r->snapshot;

	for (size_t i = s->first; i < s->tables; i++) {
		struct table *t = s->table[i];

		if (now < t->retry_at)
			continue;
		*range = (struct range) { 0, 0 };
		/* One at a time: the second would find what the first does. */
		if (t->state == TABLE_UNKNOWN && t->unread == 0)
			return t;
		if (t->state == TABLE_READING && table_take(t, blocks_of_chunk(r, t), range))
			return t;
	}
	return NULL;
}

/* Give a worker that rests something to do; false: there is nothing. */
static bool
ask(struct reader *r, struct worker *w, int64_t now)
{
	struct snapshot *s = &r->snapshot;
	struct chunk_context x = context(r);
	struct range range;
	struct table *t = find_work(r, now, &range);
	struct chunk *c;

	if (t == NULL)
		return false;
	c = xcalloc(1, sizeof(*c));
	c->table = t;
	c->range = range;
	c->asked_at = s->touched.now;
	c->streamed = visible_end(&s->streamed);
	c->spool = spools_open(&s->spools, ++s->serial);
	if (reads(c) && !t->at_once)
		pace_charge(r, c, t->block_rows * (range.to - range.from), now);
	if (s->chunks == s->cap) {
		s->cap = s->cap ? s->cap * 2 : 16;
		s->chunk = xrealloc(s->chunk, s->cap * sizeof(*s->chunk));
	}
	s->chunk[s->chunks++] = c;
	s->unread++;
	t->going++;
	t->unread++;
	if (worker_give(w, c, &x))
		return true;
	c->filenode = t->filenode;
	snapshot_repeat_chunk(r, c);
	log_warn("a snapshot's connection broke", kv_str("server", PQerrorMessage(w->conn)));
	(void)worker_stop(w);
	w->retry_at = now + RETRY_US;
	return true;
}

/*
 * Judging
 */

/* How the table is published: what chunks that are under way thought of it may be wrong now. */
static int
define(struct reader *r, struct table *t, struct chunk *c)
{
	struct relations *rs = &r->pgo.relations;
	struct relation *known = oidmap_get(&rs->loaded, t->published);
	enum pg_status status;

	if (known == NULL || known->frame.len == 0 || known->message.len != c->message.len ||
	    memcmp(known->message.data, c->message.data, c->message.len) != 0) {
		status = relations_take_loaded(rs, c->message.data, c->message.len, &known);
		if (known != NULL)
			known->arrived = ++r->snapshot.definitions;
		if (status != PG_OK)
			return link_failed(r, status);
	}
	t->relation = known;
	if ((c->filter == NULL) != (t->filter == NULL) ||
	    (c->filter != NULL && strcmp(c->filter, t->filter) != 0)) {
		free(t->filter);
		t->filter = c->filter;
		c->filter = NULL;
		t->untrusted = ++r->snapshot.touched.now;
	}
	return GO_ON;
}

/* Nothing helps. */
static int
refused(struct reader *r, struct table *t)
{
	if (!t->asked)
		return EXIT_PERMANENT;
	log_error("the snapshot of a table is given up", kv_str("table", t->name));
	t->ranges = 0;
	t->untrusted = ++r->snapshot.touched.now;
	snapshot_close_table(r, t, TABLE_FAILED);
	return GO_ON;
}

/* The table was looked at under a lock: which of its blocks are to be read? */
static int
measured(struct reader *r, struct chunk *c, int64_t now)
{
	struct table *t = c->table;
	const struct state_table *known = state_find(&r->state, t->heap);
	uint32_t from = 0;
	int code = define(r, t, c);

	if (code != GO_ON)
		return code;
	if (t->restarts > MAX_RESTARTS) {
		log_error("large values of a table cannot be fetched while it is loaded",
		    kv_str("table", t->name),
		    kv_str("remedy", "REPLICA IDENTITY FULL for the time of loading; and with "
		                     "synchronous replication, name the standbys, without this reader"));
		return refused(r, t);
	}
	if (!t->measured || t->filenode != c->new_filenode) {
		if (t->measured)
			log_warn("a table was rewritten or truncated: its snapshot begins again",
			    kv_str("table", t->name));
		else if (known != NULL && known->filenode == c->new_filenode && !known->loaded &&
		    !t->at_once)
			from = known->blocks;
		t->filenode = c->new_filenode;
		t->blocks = c->blocks;
		t->measured = true;
		table_reset(t, from);
		t->block_bytes = c->blocks ? (double)c->table_bytes / c->blocks : 1;
		t->block_rows = BLOCK_ROWS;
		t->since = now;
		t->shrink = 0;
		if (t->at_once)
			log_info("a table is read in one transaction: not all of its updates are published",
			    kv_str("table", t->name));
		log_debug("a table is to be read", kv_str("table", t->name),
		    kv_uint("from", from), kv_uint("blocks", t->blocks),
		    kv_uint("filenode", t->filenode));
	}
	t->state = TABLE_READING;
	return GO_ON;
}

static void
say_delay(struct table *t, const char *why, int64_t now, uint32_t xid)
{
	if (t->said_at == INT64_MAX || t->said_at == 0) {
		t->said_at = now;
		log_debug(why, kv_str("table", t->name));
	}
	if (now - t->said_at < SAY_US)
		return;
	t->said_at = now;
	if (xid != 0)
		log_info(why, kv_str("table", t->name), kv_uint("xid", xid));
	else
		log_info(why, kv_str("table", t->name));
}

static int
changed(struct reader *r, const struct chunk *c, int64_t now)
{
	struct table *t = c->table;

	/* Its name, or how it is published, may be another one; see listing.c. */
	if (!c->found)
		r->snapshot.unlisted = true;
	if (t->state == TABLE_READING)
		t->state = TABLE_UNKNOWN;
	t->retry_at = now + (++t->refusals > 3 ? RETRY_US : AGAIN_US);
	if (t->refusals <= 60)
		return GO_ON;
	log_error("a table cannot be read as the catalog says", kv_str("table", t->name));
	return refused(r, t);
}

static void
came_whole(struct reader *r, struct chunk *c, int64_t now)
{
	struct table *t = c->table;
	uint32_t blocks = c->range.to - c->range.from;

	c->state = CHUNK_READ;
	c->read_at = now;
	t->refusals = t->lockouts = 0;
	t->said_at = 0;
	t->block_bytes = (t->block_bytes + (double)c->bytes / blocks) / 2;
	if (t->block_rows < (double)c->rows / blocks)
		t->block_rows = (double)c->rows / blocks;
	pace_charge(r, c, (double)c->rows, now);
}

/* A chunk's query ended. */
static int
judge(struct reader *r, struct chunk *c, int64_t now)
{
	struct table *t = c->table;
	int code = GO_ON;

	if (t->state >= TABLE_READ)
		c->outcome = CHUNK_FINE; /* given up meanwhile */
	switch (c->outcome) {
	case CHUNK_FINE:
		if (t->state >= TABLE_READ)
			break;
		whole_saw(t, c->log_end, now);
		if (reads(c)) {
			came_whole(r, c, now);
			return GO_ON;
		}
		t->refusals = 0;
		/* It may have been smaller then than what is streamed from now on. */
		if (c->asked_at >= t->untrusted)
			code = measured(r, c, now);
		break;
	case CHUNK_STALE:
		t->retry_at = now + AGAIN_US;
		say_delay(t, "a chunk waits until a transaction that was streamed is seen by others",
		    now, c->unseen);
		break;
	case CHUNK_CHANGED: code = changed(r, c, now); break;
	case CHUNK_LOCKED:
		t->retry_at = now + (LOCKED_US << (t->lockouts < 4 ? t->lockouts++ : 4));
		say_delay(t, "a table cannot be read while somebody has it locked", now, 0);
		break;
	case CHUNK_FAILED: t->retry_at = now + RETRY_US; break;
	case CHUNK_REFUSED: code = refused(r, t); break;
	case CHUNK_NO_ROOM: return EXIT_TEMPORARY;
	}
	snapshot_repeat_chunk(r, c);
	snapshot_check_table(r, t);
	return code;
}

int
load_tick(struct reader *r, int64_t now)
{
	struct snapshot *s = &r->snapshot;
	bool work = true;
	int code = pace_look(r, now);

	if (code != GO_ON)
		return code;
	for (size_t i = 0; i < s->workers; i++) {
		struct worker *w = &s->worker[i];

		if (w->conn == NULL && now >= w->retry_at && s->first < s->tables)
			worker_start(w, r->o->conninfo, r->conn, now);
		while (work && w->conn != NULL && w->state == WORKER_RESTS && w->ended == NULL &&
		    pace_allows(r, now))
			work = ask(r, w, now);
	}
	return GO_ON;
}

void
snapshot_poll(const struct reader *r, struct pollfd *p)
{
	for (size_t i = 0; i < r->snapshot.workers; i++)
		worker_poll(&r->snapshot.worker[i], &p[i]);
}

/*
 * Are there sessions of connections that were cut?  The server may take hours to see that.  Those of
 * another reader look the same.
 */
static int
look_for_stale(struct reader *r, bool *stale)
{
	PGresult *res;
	enum pg_status status = catalog_query(&r->pgo.relations.catalog,
	    "SELECT FROM pg_catalog.pg_stat_activity WHERE usename = current_user"
	    " AND pid <> pg_catalog.pg_backend_pid() AND backend_type = 'client backend'"
	    " AND application_name IN"
	    " ('pgcdc-read snapshot', pg_catalog.current_setting('application_name'))",
	    "cannot look who is connected", &res);

	*stale = res == NULL || PQntuples(res) > 0;
	PQclear(res);
	return link_failed(r, status);
}

/* Its connection is gone: its blocks are read by another one, later. */
static int
lost(struct reader *r, struct worker *w, enum worker_event event, int64_t now)
{
	static const char remedy[] =
	    "let the user connect as often as --snapshot-workers says, and once more, beside the "
	    "replication connection (CONNECTION LIMIT)";
	struct chunk *c = worker_stop(w);
	bool stale;
	int code;

	if (c != NULL)
		snapshot_repeat_chunk(r, c);
	w->retry_at = now + RETRY_US;
	if (event != WORKER_REFUSED)
		return GO_ON;
	/* Fewer will do, if there is one. */
	w->retry_at = now + REFUSED_US;
	for (size_t i = 0; i < r->snapshot.workers; i++)
		if (r->snapshot.worker[i].conn != NULL)
			return GO_ON;
	if (r->o->snapshot == SNAPSHOT_NEVER)
		return GO_ON;
	if ((code = look_for_stale(r, &stale)) != GO_ON)
		return code;
	if (stale) {
		w->retry_at = now + STALE_US;
		log_warn("a snapshot's connections wait for sessions of before, or of another reader, to end",
		    kv_str("remedy", remedy));
		return GO_ON;
	}
	log_error("a snapshot needs connections of its own, and the server refuses the first one",
	    kv_str("remedy", remedy));
	return EXIT_PERMANENT;
}

int
snapshot_serve(struct reader *r, const struct pollfd *p)
{
	struct snapshot *s = &r->snapshot;
	struct chunk_context x = context(r);
	int64_t now = now_us();
	int code = GO_ON;

	for (size_t i = 0; i < s->workers && code == GO_ON; i++) {
		struct worker *w = &s->worker[i];
		enum worker_event event;
		struct chunk *c = w->ended;

		w->ended = NULL;
		if (c != NULL)
			code = judge(r, c, now);
		if (code != GO_ON || w->conn == NULL || (p[i].revents == 0 && !w->more))
			continue;
		event = worker_take(w, r->o->conninfo, &x, now, &c);
		if (event == WORKER_CAME)
			code = judge(r, c, now);
		else if (event != WORKER_NOTHING)
			code = lost(r, w, event, now);
	}
	return code;
}

void
snapshot_idle(struct reader *r)
{
	struct chunk_context x = context(r);
	struct pollfd p;

	for (size_t i = 0; i < r->snapshot.workers; i++) {
		struct worker *w = &r->snapshot.worker[i];

		if (w->conn == NULL || w->state != WORKER_READS || w->ended != NULL)
			continue;
		worker_poll(w, &p);
		if (w->more || poll(&p, 1, 0) > 0)
			(void)!worker_take(w, r->o->conninfo, &x, now_us(), &w->ended);
	}
}

int64_t
snapshot_due(const struct reader *r, int64_t now)
{
	const struct snapshot *s = &r->snapshot;
	int64_t due = now + SECOND_US;

	if (!s->active)
		return INT64_MAX;
	if (snapshot_all_emitted(s))
		return now;
	for (size_t i = 0; i < s->workers; i++) {
		if (s->worker[i].more || s->worker[i].ended != NULL)
			return now;
		if (s->worker[i].conn == NULL && s->worker[i].retry_at < due)
			due = s->worker[i].retry_at;
	}
	for (size_t i = s->first; i < s->tables; i++) {
		const struct table *t = s->table[i];
		int64_t at = t->retry_at;

		if (t->state == TABLE_BARRED)
			at = t->looked ? s->look_at : now;
		/* What is due already waits for something else. */
		if (at > now && at < due)
			due = at;
	}
	if (s->paced_at > now && s->paced_at < due)
		due = s->paced_at;
	if (whole_off_disk(r) > 0 && s->flushed_at < due)
		due = s->flushed_at;
	return due > now ? due : now + 1000;
}

bool
snapshot_waits(const struct reader *r)
{
	for (size_t i = 0; i < r->snapshot.workers; i++)
		if (r->snapshot.worker[i].more || r->snapshot.worker[i].ended != NULL)
			return true;
	return false;
}
