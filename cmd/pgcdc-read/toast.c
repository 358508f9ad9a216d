#include <stdlib.h>
#include <string.h>

#include "fetch.h"

#define MAX_LACKING 256                    /* rows in one query */
#define MAX_QUEUE   ((size_t)1024 * 1024)  /* bytes of messages that wait */
#define MAX_GROUP   ((int64_t)1024 * 1024) /* bytes of values, as stored, that come at a time */
#define LARGE       (4 * 1024 * 1024)      /* for so large a value libpq makes a lot of room */

void
toast_add(struct toast *t, const struct row *row, char letter, const char *body, size_t len)
{
	uint32_t n = (uint32_t)len + 1;
	bool lacking = toast_completes(t, row);

	buf_add(&t->queue, &n, sizeof(n));
	buf_addc(&t->queue, lacking);
	buf_addc(&t->queue, letter);
	buf_add(&t->queue, body, len);
	t->rows++;
	t->lacking += lacking;
}

bool
toast_full(const struct toast *t)
{
	return t->lacking >= MAX_LACKING || t->queue.len >= MAX_QUEUE;
}

void
toast_clear(struct toast *t)
{
	t->queue.len = 0;
	buf_trim(&t->queue, MAX_QUEUE);
	t->rows = t->lacking = 0;
}

/* The row's key, as length and text of each column of its identity; 0: it has none. */
static size_t
put_key(struct buf *b, const struct row *row)
{
	const struct relation *r = row->relation;
	size_t start = b->len;

	if (r->identity != 'd' && r->identity != 'i')
		return 0;
	for (size_t i = 0; i < r->columns; i++) {
		const struct tuple_column *c = &row->new.column[i];

		if (!r->column[i].in_identity)
			continue;
		if (c->kind != 't') {
			b->len = start;
			return 0;
		}
		buf_add(b, &c->len, sizeof(c->len));
		buf_add(b, c->text, c->len);
	}
	return b->len - start;
}

/* List what is queued. */
static void
list(struct fetch *w)
{
	const char *p = w->t->queue.data, *end = p + w->t->queue.len;

	w->q = xcalloc(w->t->rows, sizeof(*w->q));
	while (p < end) {
		struct queued *q = &w->q[w->n++];
		uint32_t len;

		memcpy(&len, p, sizeof(len));
		q->lacking = p[sizeof(len)] != 0;
		q->msg = p + sizeof(len) + 1;
		q->len = len;
		p = q->msg + len;
		if (!q->lacking)
			continue;
		fetch_read(w, q);
		q->relation = w->row.relation;
		q->key = w->keys.len;
		q->key_len = put_key(&w->keys, &w->row);
		q->fate = q->key_len > 0 ? WANTED : UNKNOWN;
		if (q->fate == UNKNOWN)
			fetch_warn(w, q->relation, "the row has no key");
	}
}

/* Its missing values; they stand behind the key, in the order of the columns. */
static void
complete(struct row *row, const struct queued *q, const bool *lacks, bool *large)
{
	const struct relation *r = row->relation;
	int column = (int)relation_identity(r);

	for (size_t i = 0; i < r->columns; i++) {
		struct tuple_column *c = &row->new.column[i];

		if (!lacks[i])
			continue;
		if (c->kind == 'u') {
			c->kind = PQgetisnull(q->res, q->res_row, column) ? 'n' : 't';
			c->text = PQgetvalue(q->res, q->res_row, column);
			c->len = (uint32_t)PQgetlength(q->res, q->res_row, column);
			*large = *large || c->len >= LARGE;
		}
		column++;
	}
}

static void
hand_over(struct fetch *w, const struct queued *q, void (*emit)(void *, struct row *), void *arg)
{
	struct row *row = &w->row;
	bool lacking = q->lacking && q->relation != NULL; /* one has the other */

	fetch_read(w, q);
	if (lacking && w->t->late != NULL &&
	    (q->fate == GONE || (q->fate == FOUND && q->other)))
		w->t->late(w->t->wants_arg, q->relation->relid, q->fate == GONE);
	if (lacking && q->fate == FOUND)
		complete(row, q, w->lacks, &w->large);
	if (lacking && q->fate == GONE) {
		if (row->old_part == 0)
			return;
		row->letter = 'D';
	}
	if (lacking && q->fate == UNKNOWN && w->t->unknown != NULL)
		w->t->unknown(w->t->wants_arg, q->relation->relid);
	emit(arg, row);
}

/*
 * From the first row on, as many as bring little enough, and lack something in one table only.
 */
static size_t
group_end(struct fetch *w, size_t from)
{
	int64_t size = 0;
	size_t i;

	w->relation = NULL;
	for (i = from; i < w->n; i++) {
		struct queued *q = &w->q[i];

		if (!q->lacking || q->fate != FOUND)
			continue;
		if (w->relation != NULL && (q->relation != w->relation || size + q->size > MAX_GROUP))
			break;
		w->relation = q->relation;
		size += q->size;
	}
	return i;
}

static enum pg_status
resolve(struct fetch *w, uint32_t xid, void (*emit)(void *, struct row *), void *arg)
{
	enum pg_status status = PG_OK;
	size_t from = 0, to;
	bool seen = true;

	list(w);
	if (w->t->all_below == 0 || (int32_t)(xid - (uint32_t)w->t->all_below) >= 0)
		status = fetch_await_visible(w, xid, &seen);
	for (size_t i = 0; i < w->n && !seen; i++)
		w->q[i].fate = w->q[i].fate == WANTED ? UNKNOWN : w->q[i].fate;
	for (size_t i = 0; i < w->n && status == PG_OK; i++) {
		if (!w->q[i].lacking || w->q[i].fate != WANTED)
			continue;
		w->relation = w->q[i].relation;
		status = fetch_measure(w);
	}
	for (; from < w->n && status == PG_OK; from = to) {
		PGresult *res = NULL;

		to = group_end(w, from);
		if (w->relation != NULL)
			status = fetch_rows(w, from, to, &res);
		for (size_t i = from; i < to && status == PG_OK; i++)
			hand_over(w, &w->q[i], emit, arg);
		PQclear(res);
		if (status == PG_OK && to < w->n && w->t->room != NULL)
			status = w->t->room(w->t->room_arg);
	}
	return status;
}

enum pg_status
toast_resolve(struct toast *t, struct relations *rs, uint32_t xid,
    void (*emit)(void *, struct row *), void *arg)
{
	struct fetch w = { .t = t, .rs = rs, .xid = xid };
	enum pg_status status;

	if (t->rows == 0)
		return PG_OK;
	status = resolve(&w, xid, emit, arg);
	/* libpq never gives back what it once needed for a value. */
	if (w.large)
		catalog_close(&rs->catalog);
	fetch_forget(&w);
	row_free(&w.row);
	free(w.q);
	free(w.lacks);
	buf_free(&w.keys);
	buf_free(&w.table);
	toast_clear(t);
	return status;
}
