#include "frame.h"

static void
put_pair(struct buf *b, const char *key, struct frame_str s)
{
	frame_put_cstr(b, key);
	frame_put_str_or_nil(b, s);
}

void
frame_put_hello(struct buf *b, const struct frame_hello *h, const char *const *publications,
    size_t n_publications)
{
	frame_put_head(b, FRAME_HELLO, 1);
	frame_put_map(b, 9);
	frame_put_cstr(b, "v");
	frame_put_uint(b, FRAME_VERSION);
	put_pair(b, "run", h->run);
	put_pair(b, "from", h->from);
	put_pair(b, "system", h->system);
	frame_put_cstr(b, "timeline");
	frame_put_uint(b, h->timeline);
	put_pair(b, "database", h->database);
	put_pair(b, "slot", h->slot);
	frame_put_cstr(b, "publications");
	frame_put_array(b, n_publications);
	for (size_t i = 0; i < n_publications; i++)
		frame_put_cstr(b, publications[i]);
	frame_put_cstr(b, "server");
	frame_put_uint(b, h->server);
}

void
frame_put_begin(struct buf *b, const struct frame_begin *f)
{
	frame_put_head(b, FRAME_BEGIN, 3);
	frame_put_uint(b, f->lsn);
	frame_put_int(b, f->time);
	if (f->has_xid)
		frame_put_uint(b, f->xid);
	else
		frame_put_nil(b);
}

void
frame_put_commit(struct buf *b, const struct frame_commit *c)
{
	frame_put_head(b, FRAME_COMMIT, 2);
	frame_put_uint(b, c->lsn);
	frame_put_uint(b, c->seq);
}

void
frame_put_end(struct buf *b, uint64_t lsn, const char *reason)
{
	frame_put_head(b, FRAME_END, 2);
	frame_put_uint(b, lsn);
	frame_put_cstr(b, reason);
}

void
frame_put_relation(struct buf *b, uint32_t relid, const char *schema, const char *table,
    char identity, size_t columns)
{
	frame_put_head(b, FRAME_RELATION, 6);
	frame_put_uint(b, relid);
	frame_put_cstr(b, schema);
	frame_put_cstr(b, table);
	frame_put_str(b, &identity, 1);
	frame_put_array(b, columns);
}

void
frame_put_column(struct buf *b, const struct frame_column *c, bool base_follows)
{
	frame_put_array(b, base_follows ? 6 : 5);
	frame_put_str_or_nil(b, c->name);
	frame_put_str_or_nil(b, c->type);
	frame_put_uint(b, c->type_oid);
	frame_put_int(b, c->typmod);
	frame_put_bool(b, c->in_identity);
}

void
frame_put_key(struct buf *b, const uint32_t *column, size_t n)
{
	if (n == 0) {
		frame_put_nil(b);
		return;
	}
	frame_put_array(b, n);
	for (size_t i = 0; i < n; i++)
		frame_put_uint(b, column[i]);
}

void
frame_put_message(struct buf *b, const struct frame_message *m)
{
	frame_put_head(b, FRAME_MESSAGE, 4);
	frame_put_str_or_nil(b, m->prefix);
	frame_put_bin(b, m->content.ptr, m->content.len);
	frame_put_uint(b, m->lsn);
	frame_put_bool(b, m->transactional);
}

void
frame_put_action(struct buf *b, const struct frame_action *a, size_t more_pairs)
{
	frame_put_head(b, FRAME_ACTION, more_pairs > 0 ? 8 : 7);
	frame_put_cstr(b, frame_op_names[a->op]);
	if (a->has_relid)
		frame_put_uint(b, a->relid);
	else
		frame_put_nil(b);
	frame_put_str_or_nil(b, a->index);
	frame_put_str_or_nil(b, a->id);
	switch (a->versioned) {
	case VERSION_FROM_UNIT: frame_put_nil(b); break;
	case VERSION_NONE: frame_put_bool(b, false); break;
	case VERSION_GIVEN: frame_put_uint(b, a->version); break;
	}
	frame_put_str_or_nil(b, a->routing);
	frame_put_str_or_nil(b, a->body);
	if (more_pairs > 0)
		frame_put_map(b, more_pairs);
}

void
frame_put_action_start(struct buf *b, enum frame_op op, bool has_relid, uint32_t relid)
{
	frame_put_head(b, FRAME_ACTION, 7);
	frame_put_cstr(b, frame_op_names[op]);
	if (has_relid)
		frame_put_uint(b, relid);
	else
		frame_put_nil(b);
}

size_t
frame_str_begin(struct buf *b, unsigned guess)
{
	buf_reserve(b, guess);
	b->len += guess;
	return b->len;
}

unsigned
frame_str_end(struct buf *b, size_t start, unsigned guess)
{
	size_t n = b->len - start, at = start - guess;
	unsigned head = n < 32 ? 1 : n < 256 ? 2 : n < 65536 ? 3 : 5;
	unsigned char *p;

	if (head > guess)
		buf_reserve(b, head - guess);
	p = (unsigned char *)b->data + at;
	if (head != guess)
		memmove(p + head, p + guess, n);
	b->len = at + head + n;
	switch (head) {
	case 1: p[0] = (unsigned char)(0xa0 | n); break;
	case 2: p[0] = 0xd9; break;
	case 3: p[0] = 0xda; break;
	default: p[0] = 0xdb; break;
	}
	for (unsigned i = head; i > 1; i--, n >>= 8)
		p[i - 1] = (unsigned char)n;
	return head;
}
