#include <string.h>

#include "copyrow.h"
#include "exitcode.h"
#include "link.h"
#include "log.h"
#include "session.h"

#define PIECE      ((size_t)128 * 1024) /* so large units; the stream goes on between them */
#define TURN       500                  /* and so many of its messages */
#define MAX_SHRINK 20

static struct chunk *
next_chunk(const struct reader *r)
{
	const struct snapshot *s = &r->snapshot;

	for (size_t i = 0; i < s->chunks; i++)
		if (s->chunk[i]->state == CHUNK_READ && whole_on_disk(r, s->chunk[i]))
			return s->chunk[i];
	return NULL;
}

bool
snapshot_pending(const struct reader *r)
{
	const struct snapshot *s = &r->snapshot;

	if (s->unread == 0 || r->pgo.in_transaction || r->pgo.in_unit || r->ended != NULL ||
	    units_full(&r->units) || fdout_pending(&r->out) >= OUT_HIGH || !session_streams(r))
		return false;
	return next_chunk(r) != NULL;
}

bool
snapshot_ready(const struct reader *r)
{
	/* That nothing came is known only where somebody looked since the last piece. */
	if ((!r->input_empty || !r->looked) && r->taken - r->snapshot.turn < TURN)
		return false;
	return snapshot_pending(r);
}

/* Is what was read still what the table has, but for rows whose keys are known? */
static bool
holds(const struct chunk *c)
{
	const struct table *t = c->table;

	return c->asked_at >= t->untrusted && c->filenode == t->filenode &&
	    t->relation == c->relation && c->definition == c->relation->arrived &&
	    t->state < TABLE_READ;
}

static bool
was_touched(const struct snapshot *s, const struct chunk *c)
{
	struct touched_key key;

	if (s->touched.n == 0)
		return false;
	/* All of a chunk's values are there. */
	return touched_key(&s->touched, c->relation, &s->row.new, &key) &&
	    touched_at(&s->touched, &key) > c->asked_at;
}

/* One row more; 0 at the end, -1: said on the log. */
static int
put_row(struct reader *r, struct chunk *c)
{
	struct snapshot *s = &r->snapshot;
	const char *msg;
	size_t len;
	int n = spool_next(c->spool, &msg, &len);

	if (n <= 0)
		return n;
	/* The spool's own memory, of which nobody needs this part any more. */
	if (!copyrow_read(&s->row.new, c->relation->columns, (char *)(uintptr_t)msg + 1, len - 1)) {
		log_error("the server sent a row with other columns than were asked for",
		    kv_str("table", c->table->name));
		return -1;
	}
	if (was_touched(s, c))
		return 1;
	if (!r->pgo.in_unit) {
		pgoutput_open_chunk(&r->pgo, s->base_lsn);
		relations_put_loaded(&r->pgo.relations, r->pgo.out, c->relation);
	}
	s->row.letter = 'S';
	s->row.relation = (struct relation *)(uintptr_t)c->relation;
	row_put(r->pgo.out, &s->row);
	c->table->rows++;
	c->table->bytes += len;
	counts_add(c->relation->count, COUNT_SNAPSHOT);
	return 1;
}

int
snapshot_emit(struct reader *r)
{
	struct snapshot *s = &r->snapshot;
	struct chunk *c = next_chunk(r);
	struct table *t = c->table;
	size_t start = r->out.buf.len;
	enum pg_status status;
	int n = 1;

	s->turn = r->taken;
	r->looked = false;
	status = relations_refresh(&r->pgo.relations);
	if (status != PG_OK)
		return link_failed(r, status);
	if (!holds(c)) {
		log_debug("a chunk is read again", kv_str("table", t->name),
		    kv_uint("from", c->range.from), kv_uint("to", c->range.to));
		if (c->asked_at < t->untrusted && t->shrink < MAX_SHRINK)
			t->shrink++;
		if (t->state == TABLE_READING &&
		    (t->relation != c->relation || c->definition != c->relation->arrived))
			t->state = TABLE_UNKNOWN;
		snapshot_repeat_chunk(r, c);
		snapshot_check_table(r, t);
		return GO_ON;
	}
	/* Before any of it is stored: a server that does not have that much lost some of it. */
	if (c->log_end > r->state.seen) {
		r->state.seen = c->log_end;
		if (r->sink != SINK_NONE && state_save(&r->state) != 0)
			return EXIT_TEMPORARY;
	}
	while (n == 1 && r->out.buf.len - start < PIECE)
		n = put_row(r, c);
	if (r->pgo.in_unit) {
		uint64_t seq = pgoutput_close_chunk(&r->pgo, s->commit_lsn);

		if (r->sink != SINK_NONE)
			units_add(&r->units, seq, s->commit_lsn, wall_us());
	}
	if (n < 0)
		return EXIT_TEMPORARY;
	if (n > 0)
		return GO_ON;
	/* Also of rows that were left out: who touched them is in the stream, and to be stored. */
	c->unit = r->pgo.seq;
	c->state = CHUNK_EMITTED;
	s->unread--;
	t->unread--;
	if (t->shrink > 0)
		t->shrink--;
	if (s->unread == 0)
		touched_forget(&s->touched, s->touched.now);
	spool_drop(&s->spools, c->spool);
	c->spool = NULL;
	emit_stored(r);
	snapshot_check_table(r, t);
	return GO_ON;
}

uint32_t
emit_done(const struct snapshot *s, const struct table *t)
{
	uint32_t done = t->ranges > 0 ? t->todo[0].from : t->blocks;

	for (size_t i = 0; t->going > 0 && i < s->chunks; i++)
		if (s->chunk[i]->table == t && s->chunk[i]->range.from < s->chunk[i]->range.to &&
		    s->chunk[i]->range.from < done)
			done = s->chunk[i]->range.from;
	return done;
}

void
emit_stored(struct reader *r)
{
	struct snapshot *s = &r->snapshot;

	for (size_t i = 0; i < s->chunks;) {
		struct chunk *c = s->chunk[i];
		struct table *t = c->table;
		bool current = c->filenode == t->filenode;
		struct state_table *entry;

		if (c->state != CHUNK_EMITTED ||
		    (r->sink != SINK_NONE && c->unit > r->units.stored)) {
			i++;
			continue;
		}
		snapshot_drop_chunk(r, c);
		if (r->sink != SINK_NONE && current && t->state < TABLE_LOADED && t->measured) {
			entry = state_put(&r->state, t->heap);
			*entry = (struct state_table) { .relid = t->heap,
				.filenode = t->filenode, .blocks = emit_done(s, t), .print = t->print };
			s->dirty = true;
		}
		snapshot_check_table(r, t);
	}
}
