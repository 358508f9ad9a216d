#include <stdlib.h>
#include <string.h>

#include "fdio.h"
#include "log.h"
#include "pgoutput.h"
#include "wire.h"

static enum pgoutput_event
damaged(const char *what)
{
	log_error("the server sent a message that pgoutput does not have", kv_str("in", what));
	return PGOUTPUT_PERMANENT;
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
	p->relations.xid = p->begin.xid;
	p->skipping = p->begin.lsn < p->resume;
}

/* Unsigned, for a damaged time must not overflow. */
static int64_t
take_time(struct wire *w)
{
	return (int64_t)(wire_u64(w) + PG_EPOCH_US);
}

static enum pgoutput_event
take_begin(struct pgoutput *p, struct wire *w)
{
	p->begin.lsn = wire_u64(w);
	p->begin.time = take_time(w);
	p->begin.xid = wire_u32(w);
	p->begin.has_xid = true;
	if (w->bad || p->in_transaction)
		return damaged("Begin");
	start_transaction(p);
	return PGOUTPUT_BEGIN;
}

static enum pgoutput_event resolve(struct pgoutput *);

/* Commit was seen, or the last message of a replay. */
static enum pgoutput_event
end_transaction(struct pgoutput *p, uint64_t end_lsn)
{
	enum pgoutput_event event = resolve(p);

	if (event != PGOUTPUT_NOTHING)
		return event;
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

static void
emit_row(void *arg, struct row *row)
{
	struct pgoutput *p = arg;

	open_unit(p);
	relation_put(p->out, row->relation);
	row_put(p->out, row);
	p->rows++;
	counts_add(row->relation->count, counts_letter(row->letter));
}

/* Rows that wait for values from their tables. */
static enum pgoutput_event
resolve(struct pgoutput *p)
{
	return from_status(
	    toast_resolve(&p->toast, &p->relations, p->begin.xid, emit_row, p));
}

static enum pgoutput_event
take_row(struct pgoutput *p, struct wire *w, char letter)
{
	const char *body = w->p, *wrong = row_read(&p->row, &p->relations, letter, w);

	if (wrong != NULL)
		return damaged(wrong);
	if (!p->in_transaction)
		return damaged("a row outside a transaction");
	if (p->skipping)
		return PGOUTPUT_NOTHING;
	if (p->watch.row != NULL)
		p->watch.row(p->watch.arg, &p->row, p->begin.xid);
	if (!toast_wants(&p->toast, &p->row)) {
		emit_row(p, &p->row);
		return PGOUTPUT_NOTHING;
	}
	toast_add(&p->toast, &p->row, letter, body, (size_t)(w->end - body));
	return toast_full(&p->toast) ? resolve(p) : PGOUTPUT_NOTHING;
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
		relation_put(p->out, r);
		counts_add(r->count, COUNT_TRUNCATE);
		if (p->watch.truncate != NULL)
			p->watch.truncate(p->watch.arg, r->relid, p->begin.xid);
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
	struct buf name = { 0 };
	struct frame_message m = { .content = { content, n }, .lsn = lsn,
		.transactional = transactional };

	if (w->bad || transactional != p->in_transaction)
		return damaged("Message");
	if (transactional ? p->skipping : lsn <= p->resume)
		return PGOUTPUT_NOTHING;
	if (!transactional)
		p->begin = (struct frame_begin) { .lsn = lsn, .time = wall_us(), .has_xid = true };
	open_unit(p);
	m.prefix.ptr = value_name(&name, prefix);
	m.prefix.len = (uint32_t)strlen(m.prefix.ptr);
	frame_put_message(p->out, &m);
	buf_free(&name);
	if (transactional)
		return PGOUTPUT_NOTHING;
	*end_lsn = lsn;
	close_unit(p, lsn);
	return PGOUTPUT_UNIT;
}

/* arrived says how many definitions came before it from the server. */
static enum pgoutput_event
take_relation(struct pgoutput *p, const struct wire *w, uint64_t arrived)
{
	struct wire peek = *w;
	uint32_t relid = wire_u32(&peek);
	struct relation *r;
	enum pg_status status = relations_take(&p->relations, w->p, (size_t)(w->end - w->p));

	if (status == PG_OK && (r = relations_find(&p->relations, relid)) != NULL) {
		r->arrived = arrived;
		if (p->watch.relation != NULL)
			p->watch.relation(p->watch.arg, r);
	}
	return from_status(status);
}

/*
 * What the server says about a table holds from then on for all that it sends, whenever the
 * transaction is replayed in which it said so: a definition that arrived later is put back
 * behind it.
 */
static enum pgoutput_event
replay_relation(struct pgoutput *p, struct wire *w)
{
	const char *stamp = wire_bytes(w, sizeof(uint64_t));
	struct wire peek = *w;
	uint64_t arrived;
	uint32_t relid = wire_u32(&peek), len;
	struct relation *r = relations_find(&p->relations, relid);

	if (stamp == NULL || peek.bad)
		return damaged("Relation");
	memcpy(&arrived, stamp, sizeof(arrived));
	if (r != NULL && r->arrived > arrived) {
		len = (uint32_t)r->message.len;
		buf_add(&p->newer, &r->arrived, sizeof(r->arrived));
		buf_add(&p->newer, &len, sizeof(len));
		buf_add(&p->newer, r->message.data, len);
	}
	return take_relation(p, w, arrived);
}

/* What a transaction consists of, and messages outside of one. */
static enum pgoutput_event
take_change(struct pgoutput *p, char letter, struct wire *w, uint64_t *end_lsn)
{
	enum pgoutput_event event = PGOUTPUT_NOTHING;

	/* What waits was read with the definitions so far, and comes before. */
	if (p->toast.rows > 0 && letter != 'I' && letter != 'U' && letter != 'D')
		event = resolve(p);
	if (event != PGOUTPUT_NOTHING)
		return event;
	switch (letter) {
	case 'I':
	case 'U':
	case 'D': return take_row(p, w, letter);
	case 'R':
		return p->replay != NULL ? replay_relation(p, w)
		                         : take_relation(p, w, ++p->definitions);
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

/* With when it arrived before it. */
static enum pgoutput_event
spool_relation(struct pgoutput *p, const struct wire *w)
{
	struct buf b = { 0 };
	enum pgoutput_event event = PGOUTPUT_NOTHING;

	p->definitions++;
	buf_add(&b, &p->definitions, sizeof(p->definitions));
	buf_add(&b, w->p, (size_t)(w->end - w->p));
	if (spool_add(&p->spools, p->stream, 'R', b.data, b.len) != 0)
		event = PGOUTPUT_TEMPORARY;
	buf_free(&b);
	return event;
}

/* A message between Stream Start and Stop. */
static enum pgoutput_event
take_streamed(struct pgoutput *p, char letter, struct wire *w)
{
	if (letter == 'E') {
		p->stream = NULL;
		return PGOUTPUT_NOTHING;
	}
	/* It stands in all but Origin (src/backend/replication/logical/proto.c). */
	if (letter == 'O')
		return PGOUTPUT_NOTHING;
	(void)wire_u32(w);
	if (w->bad || letter == '\0' || strchr("RYIUDTM", letter) == NULL)
		return damaged("a transaction in progress");
	if (letter == 'R')
		return spool_relation(p, w);
	if (spool_add(&p->spools, p->stream, letter, w->p, (size_t)(w->end - w->p)) != 0)
		return PGOUTPUT_TEMPORARY;
	return PGOUTPUT_NOTHING;
}

static enum pgoutput_event
take_stream_commit(struct pgoutput *p, struct wire *w)
{
	uint32_t xid = wire_u32(w);
	struct spool *s;

	(void)wire_u8(w); /* flags, unused */
	p->begin.lsn = wire_u64(w);
	p->replay_end = wire_u64(w);
	p->begin.time = take_time(w);
	p->begin.xid = xid;
	p->begin.has_xid = true;
	if (w->bad || p->in_transaction)
		return damaged("Stream Commit");
	s = spools_open(&p->spools, xid);
	if (s->doubtful && p->begin.lsn >= p->resume)
		return PGOUTPUT_DOUBTFUL;
	start_transaction(p);
	p->replay = s;
	p->streamed++;
	return PGOUTPUT_BEGIN;
}

/*
 * Parallel streaming, which is not asked for, would add where and when.
 *
 * Of a transaction with a subtransaction that was rolled back the stream can be wrong, in
 * silence: when the server finds, while it streams, that the subtransaction is over already, it
 * forgets what it has to know of other transactions' DDL that came in between
 * (ReorderBufferResetTXN in reorderbuffer.c, seen on 14 to 18: rows come with the columns that
 * their table had before).  Such a transaction is to be read without streaming.
 */
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
	else
		spool_doubt(&p->spools, s);
	return PGOUTPUT_NOTHING;
}

enum pgoutput_event
pgoutput_take(struct pgoutput *p, const char *msg, size_t len, uint64_t *end_lsn)
{
	struct wire w = { .p = msg, .end = msg + len };
	char letter = (char)wire_u8(&w);

	if (p->stream != NULL)
		return take_streamed(p, letter, &w);
	if (letter == 'B' || letter == 'c') {
		enum pgoutput_event event = from_status(relations_refresh(&p->relations));

		if (event != PGOUTPUT_NOTHING)
			return event;
	}
	switch (letter) {
	case 'B': return take_begin(p, &w);
	case 'C': return take_commit(p, &w, end_lsn);
	case 'S': return take_stream_start(p, &w);
	case 'c': return take_stream_commit(p, &w);
	case 'A': return take_stream_abort(p, &w);
	default: return take_change(p, letter, &w, end_lsn);
	}
}

static enum pgoutput_event
put_newer_back(struct pgoutput *p)
{
	const char *at = p->newer.data, *end;
	enum pgoutput_event event = PGOUTPUT_NOTHING;

	if (p->newer.len == 0)
		return event;
	end = at + p->newer.len;
	while (at < end && event == PGOUTPUT_NOTHING) {
		struct wire w;
		uint64_t arrived;
		uint32_t len;

		memcpy(&arrived, at, sizeof(arrived));
		memcpy(&len, at + sizeof(arrived), sizeof(len));
		at += sizeof(arrived) + sizeof(len);
		w = (struct wire) { .p = at, .end = at + len };
		event = take_relation(p, &w, arrived);
		at += len;
	}
	buf_free(&p->newer);
	return event;
}

enum pgoutput_event
pgoutput_replay(struct pgoutput *p, uint64_t *end_lsn)
{
	const char *msg;
	size_t len;
	int n = spool_next(p->replay, &msg, &len);
	enum pgoutput_event event;
	struct wire w;

	if (n < 0)
		return PGOUTPUT_TEMPORARY;
	if (n > 0) {
		w = (struct wire) { .p = msg + 1, .end = msg + len };
		return take_change(p, msg[0], &w, end_lsn);
	}
	event = resolve(p);
	if (event == PGOUTPUT_NOTHING)
		event = put_newer_back(p);
	if (event != PGOUTPUT_NOTHING)
		return event;
	spool_drop(&p->spools, p->replay);
	p->replay = NULL;
	*end_lsn = p->replay_end;
	return end_transaction(p, *end_lsn);
}

void
pgoutput_open_chunk(struct pgoutput *p, uint64_t lsn)
{
	struct frame_begin begin = { .lsn = lsn, .time = wall_us() };

	frame_put_begin(p->out, &begin);
	p->in_unit = true;
}

uint64_t
pgoutput_close_chunk(struct pgoutput *p, uint64_t end_lsn)
{
	close_unit(p, end_lsn);
	p->chunks++;
	return p->seq;
}

void
pgoutput_disconnected(struct pgoutput *p, uint64_t resume)
{
	p->in_transaction = p->in_unit = p->skipping = false;
	p->stream = p->replay = NULL;
	spools_clear(&p->spools);
	toast_clear(&p->toast);
	buf_free(&p->newer);
	p->resume = resume;
}

void
pgoutput_free(struct pgoutput *p)
{
	pgoutput_disconnected(p, 0);
	relations_free(&p->relations);
	row_free(&p->row);
	buf_free(&p->toast.queue);
}
