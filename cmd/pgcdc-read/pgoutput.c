#include <stdlib.h>
#include <string.h>

#include "fdio.h"
#include "log.h"
#include "pgoutput.h"
#include "wire.h"

/* PostgreSQL counts from 2000-01-01 (src/include/datatype/timestamp.h). */
#define PG_EPOCH_US INT64_C(946684800000000)

static enum pgoutput_event
damaged(const char *what)
{
	log_error("the server sent a message that pgoutput does not have", kv_str("in", what));
	return PGOUTPUT_PERMANENT;
}

static void
open_unit(struct pgoutput *p)
{
	if (p->in_unit)
		return;
	frame_put_begin(p->out, &p->begin);
	p->in_unit = true;
}

static void
close_unit(struct pgoutput *p, uint64_t end_lsn)
{
	struct frame_commit c = { .lsn = end_lsn, .seq = ++p->seq };

	frame_put_commit(p->out, &c);
	p->in_unit = false;
}

static void
start_transaction(struct pgoutput *p)
{
	p->in_transaction = true;
	p->in_unit = false;
	p->skipping = p->begin.lsn < p->resume;
}

static enum pgoutput_event
take_begin(struct pgoutput *p, struct wire *w)
{
	p->begin.lsn = wire_u64(w);
	p->begin.time = (int64_t)wire_u64(w) + PG_EPOCH_US;
	p->begin.xid = wire_u32(w);
	p->begin.has_xid = true;
	if (w->bad || p->in_transaction)
		return damaged("Begin");
	start_transaction(p);
	return PGOUTPUT_BEGIN;
}

/* Commit was seen, or the last message of a replay. */
static enum pgoutput_event
end_transaction(struct pgoutput *p, uint64_t end_lsn)
{
	p->in_transaction = p->skipping = false;
	if (!p->in_unit)
		return PGOUTPUT_EMPTY;
	close_unit(p, end_lsn);
	return PGOUTPUT_UNIT;
}

static enum pgoutput_event
take_commit(struct pgoutput *p, struct wire *w, uint64_t *end_lsn)
{
	(void)wire_u8(w);  /* flags, unused */
	(void)wire_u64(w); /* LSN of the commit record: Begin has it */
	*end_lsn = wire_u64(w);
	if (w->bad || !p->in_transaction)
		return damaged("Commit");
	return end_transaction(p, *end_lsn);
}

/* Read a TupleData into t, which keeps pointing into the message. */
static void
read_tuple(struct tuple *t, struct wire *w)
{
	size_t n = wire_u16(w);

	if (n > t->cap) {
		t->column = xrealloc(t->column, n * sizeof(*t->column));
		t->cap = n;
	}
	t->columns = n;
	for (size_t i = 0; i < n && !w->bad; i++) {
		struct tuple_column *c = &t->column[i];

		c->kind = (char)wire_u8(w);
		switch (c->kind) {
		case 't':
			c->len = wire_u32(w);
			c->text = wire_bytes(w, c->len);
			break;
		case 'n':
		case 'u': break;
		default: w->bad = true; /* 'b' is not asked for */
		}
	}
}

/* Only the identity's columns are in a key tuple; the others look like nulls. */
static void
mark_absent(struct tuple *t, const struct relation *r)
{
	for (size_t i = 0; i < t->columns; i++)
		if (!r->column[i].in_identity)
			t->column[i].kind = 'a';
}

static void
put_tuple(struct buf *out, const struct relation *r, const struct tuple *t)
{
	frame_put_array(out, t->columns);
	for (size_t i = 0; i < t->columns; i++) {
		const struct tuple_column *c = &t->column[i];

		switch (c->kind) {
		case 't': value_put(out, r->column[i].kind, c->text, c->len); break;
		case 'n': frame_put_nil(out); break;
		default: frame_put_absent(out); break;
		}
	}
}

static void
put_relation(struct pgoutput *p, struct relation *r)
{
	if (!r->pending)
		return;
	buf_add(p->out, r->frame.data, r->frame.len);
	r->emitted.len = 0;
	buf_add(&r->emitted, r->frame.data, r->frame.len);
	r->pending = false;
}

/*
 * What the old row knows of columns whose TOAST did not change: all of them when it is full;
 * of a key, its own.
 */
static void
complete_from_old(struct tuple *new, const struct tuple *old)
{
	for (size_t i = 0; i < new->columns; i++)
		if (new->column[i].kind == 'u')
			new->column[i] = old->column[i];
}

/*
 * Insert: relid 'N' tuple.  Update: relid, 'K' or 'O' with the old tuple or neither, 'N'
 * tuple.  Delete: relid, 'K' or 'O' tuple.
 */
static enum pgoutput_event
take_row(struct pgoutput *p, struct wire *w, char letter)
{
	uint32_t relid = wire_u32(w);
	char part = (char)wire_u8(w), old_part = 0;
	struct relation *r = relations_find(&p->relations, relid);

	if (w->bad || r == NULL || !p->in_transaction)
		return damaged("a row of an unknown table, or outside a transaction");
	if (p->skipping)
		return PGOUTPUT_NOTHING;
	if (part == 'K' || part == 'O') {
		old_part = part;
		read_tuple(&p->old, w);
		if (w->bad || letter == 'I' || p->old.columns != r->columns)
			return damaged("an old tuple");
		if (part == 'K')
			mark_absent(&p->old, r);
		part = letter == 'U' ? (char)wire_u8(w) : 0;
	}
	if (letter != 'D') {
		if (part != 'N')
			return damaged("a new tuple");
		read_tuple(&p->new, w);
		if (w->bad || p->new.columns != r->columns)
			return damaged("a new tuple");
		if (old_part != 0)
			complete_from_old(&p->new, &p->old);
	} else if (old_part == 0) {
		return damaged("Delete");
	}
	open_unit(p);
	put_relation(p, r);
	frame_put_head(p->out, letter, letter == 'U' ? 3 : 2);
	frame_put_uint(p->out, relid);
	if (letter != 'D')
		put_tuple(p->out, r, &p->new);
	if (old_part != 0)
		put_tuple(p->out, r, &p->old);
	else if (letter == 'U')
		frame_put_nil(p->out);
	p->rows++;
	return PGOUTPUT_NOTHING;
}

static enum pgoutput_event
take_truncate(struct pgoutput *p, struct wire *w)
{
	uint32_t n = wire_u32(w);
	uint8_t options = wire_u8(w);
	struct wire relids = *w;

	if (w->bad || n > (size_t)(w->end - w->p) / 4 || !p->in_transaction)
		return damaged("Truncate");
	if (p->skipping)
		return PGOUTPUT_NOTHING;
	open_unit(p);
	for (uint32_t i = 0; i < n; i++) {
		struct relation *r = relations_find(&p->relations, wire_u32(w));

		if (r == NULL)
			return damaged("a truncate of an unknown table");
		put_relation(p, r);
	}
	frame_put_head(p->out, FRAME_TRUNCATE, 3);
	frame_put_array(p->out, n);
	for (uint32_t i = 0; i < n; i++)
		frame_put_uint(p->out, wire_u32(&relids));
	frame_put_bool(p->out, (options & 1) != 0);
	frame_put_bool(p->out, (options & 2) != 0);
	p->rows++;
	return PGOUTPUT_NOTHING;
}

/*
 * A transactional one belongs to its transaction; another is a unit of its own, whose
 * LSN is the end of its record (src/backend/replication/logical/decode.c,
 * logicalmsg_decode), and whose time nobody knows better than this clock.
 */
static enum pgoutput_event
take_message(struct pgoutput *p, struct wire *w, uint64_t *end_lsn)
{
	bool transactional = (wire_u8(w) & 1) != 0;
	uint64_t lsn = wire_u64(w);
	const char *prefix = wire_string(w);
	uint32_t n = wire_u32(w);
	const char *content = wire_bytes(w, n);
	struct frame_message m = { .prefix = { prefix, (uint32_t)strlen(prefix) },
		.content = { content, n }, .lsn = lsn, .transactional = transactional };

	if (w->bad || transactional != p->in_transaction)
		return damaged("Message");
	if (transactional ? p->skipping : lsn <= p->resume)
		return PGOUTPUT_NOTHING;
	if (!transactional)
		p->begin = (struct frame_begin) { .lsn = lsn, .time = wall_us(), .has_xid = true };
	open_unit(p);
	frame_put_message(p->out, &m);
	if (transactional)
		return PGOUTPUT_NOTHING;
	*end_lsn = lsn;
	close_unit(p, lsn);
	return PGOUTPUT_UNIT;
}

static enum pgoutput_event
from_status(enum pg_status status)
{
	switch (status) {
	case PG_OK: return PGOUTPUT_NOTHING;
	case PG_STOPPED: return PGOUTPUT_STOPPED;
	case PG_TEMPORARY: return PGOUTPUT_LOST;
	case PG_PERMANENT: break;
	}
	return PGOUTPUT_PERMANENT;
}

/* What a transaction consists of, and messages outside of one. */
static enum pgoutput_event
take_change(struct pgoutput *p, char letter, struct wire *w, uint64_t *end_lsn)
{
	switch (letter) {
	case 'I':
	case 'U':
	case 'D': return take_row(p, w, letter);
	case 'R': return from_status(relations_take(&p->relations, w->p, (size_t)(w->end - w->p)));
	case 'Y':
		return relations_take_type(&p->relations, w->p, (size_t)(w->end - w->p)) == 0
		    ? PGOUTPUT_NOTHING
		    : PGOUTPUT_PERMANENT;
	case 'T': return take_truncate(p, w);
	case 'M': return take_message(p, w, end_lsn);
	case 'O': return PGOUTPUT_NOTHING; /* where another server's change came from */
	default: return damaged("its first byte");
	}
}

/*
 * Transactions in progress
 */

static enum pgoutput_event
take_stream_start(struct pgoutput *p, struct wire *w)
{
	uint32_t xid = wire_u32(w);

	(void)wire_u8(w); /* whether it is the transaction's first piece */
	if (w->bad || p->in_transaction)
		return damaged("Stream Start");
	p->stream = spools_open(&p->spools, xid);
	return PGOUTPUT_NOTHING;
}

/* A message between Stream Start and Stop. */
static enum pgoutput_event
take_streamed(struct pgoutput *p, char letter, struct wire *w)
{
	uint32_t xid;

	if (letter == 'E') {
		p->stream = NULL;
		return PGOUTPUT_NOTHING;
	}
	/* It stands in all but Origin (src/backend/replication/logical/proto.c). */
	if (letter == 'O')
		return PGOUTPUT_NOTHING;
	xid = wire_u32(w);
	if (w->bad || letter == '\0' || strchr("RYIUDTM", letter) == NULL)
		return damaged("a transaction in progress");
	if (spool_add(&p->spools, p->stream, xid, letter, w->p, (size_t)(w->end - w->p)) != 0)
		return PGOUTPUT_TEMPORARY;
	return PGOUTPUT_NOTHING;
}

static enum pgoutput_event
take_stream_commit(struct pgoutput *p, struct wire *w)
{
	uint32_t xid = wire_u32(w);

	(void)wire_u8(w); /* flags, unused */
	p->begin.lsn = wire_u64(w);
	p->replay_end = wire_u64(w);
	p->begin.time = (int64_t)wire_u64(w) + PG_EPOCH_US;
	p->begin.xid = xid;
	p->begin.has_xid = true;
	if (w->bad || p->in_transaction)
		return damaged("Stream Commit");
	start_transaction(p);
	p->replay = spools_open(&p->spools, xid);
	return PGOUTPUT_BEGIN;
}

/* Parallel streaming, which is not asked for, would add where and when. */
static enum pgoutput_event
take_stream_abort(struct pgoutput *p, struct wire *w)
{
	uint32_t xid = wire_u32(w), subxid = wire_u32(w);
	struct spool *s = spools_find(&p->spools, xid);

	if (w->bad)
		return damaged("Stream Abort");
	if (s == NULL)
		return PGOUTPUT_NOTHING;
	if (xid == subxid)
		spool_drop(&p->spools, s);
	else if (spool_rollback(&p->spools, s, subxid) != 0)
		return PGOUTPUT_TEMPORARY;
	return PGOUTPUT_NOTHING;
}

enum pgoutput_event
pgoutput_take(struct pgoutput *p, const char *msg, size_t len, uint64_t *end_lsn)
{
	struct wire w = { .p = msg, .end = msg + len };
	char letter = (char)wire_u8(&w);

	if (p->stream != NULL)
		return take_streamed(p, letter, &w);
	switch (letter) {
	case 'B': return take_begin(p, &w);
	case 'C': return take_commit(p, &w, end_lsn);
	case 'S': return take_stream_start(p, &w);
	case 'c': return take_stream_commit(p, &w);
	case 'A': return take_stream_abort(p, &w);
	default: return take_change(p, letter, &w, end_lsn);
	}
}

enum pgoutput_event
pgoutput_replay(struct pgoutput *p, uint64_t *end_lsn)
{
	const char *msg;
	size_t len;
	int n = p->skipping ? 0 : spool_next(p->replay, &msg, &len);
	struct wire w;

	if (n < 0)
		return PGOUTPUT_TEMPORARY;
	if (n > 0) {
		w = (struct wire) { .p = msg + 1, .end = msg + len };
		return take_change(p, msg[0], &w, end_lsn);
	}
	spool_drop(&p->spools, p->replay);
	p->replay = NULL;
	*end_lsn = p->replay_end;
	return end_transaction(p, *end_lsn);
}

void
pgoutput_disconnected(struct pgoutput *p, uint64_t resume)
{
	p->in_transaction = p->in_unit = p->skipping = false;
	p->stream = p->replay = NULL;
	spools_clear(&p->spools);
	p->resume = resume;
}
