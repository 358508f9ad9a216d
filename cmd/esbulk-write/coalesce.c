#include <string.h>

#include "coalesce.h"

#define SLOTS (sizeof(((struct coalesce *)0)->slot) / sizeof(((struct coalesce *)0)->slot[0]))

void
coalesce_begin(struct coalesce *c)
{
	/* 0 is what untouched slots say, so it is never a batch's number. */
	if (++c->batch == 0) {
		memset(c->slot, 0, sizeof(c->slot));
		c->batch = 1;
	}
	c->left_out = 0;
}

/*
 * The action line from the index's name on, without the version: in two parts.  Quotes in
 * strings are escaped, so what looks like the member is it.
 */
static const char *
split_line(const struct item *i, size_t *before, size_t *behind)
{
	static const char member[] = ",\"version\":";
	const char *line = i->text + i->index_at;
	const char *end = memchr(line, '\n', i->len - i->index_at);
	const char *id_end = i->text + i->id_at + i->id_len;
	const char *p = memmem(id_end, (size_t)(end - id_end), member, sizeof(member) - 1);

	*before = (size_t)(p - line);
	p += sizeof(member) - 1;
	p += strspn(p, "0123456789");
	*behind = (size_t)(end - p);
	return p;
}

/* Are they alike but for op, version and body? */
static bool
alike(const struct item *a, const struct item *b)
{
	size_t a_before, b_before, a_behind, b_behind;
	const char *a_end, *b_end;

	if (a->document != b->document || a->index_len != b->index_len || a->id_len != b->id_len)
		return false;
	a_end = split_line(a, &a_before, &a_behind);
	b_end = split_line(b, &b_before, &b_behind);
	return a_before == b_before && a_behind == b_behind &&
	    memcmp(a->text + a->index_at, b->text + b->index_at, a_before) == 0 &&
	    memcmp(a_end, b_end, a_behind) == 0;
}

static bool
is_plain(const struct item *i)
{
	return i->state == ITEM_PLAIN && i->versioned && i->id_len > 0 &&
	    (i->op == OP_INDEX || i->op == OP_DELETE);
}

struct item *
coalesce_find(struct coalesce *c, struct item *item)
{
	size_t at = (item->document >> 12) % SLOTS;
	struct item *last = c->slot[at].batch == c->batch ? c->slot[at].item : NULL;

	c->slot[at].batch = c->batch;
	c->slot[at].item = item;
	/* A mapper's own versions may go back: then both must be sent. */
	if (last == NULL || !is_plain(last) || !is_plain(item) || last->version > item->version)
		return NULL;
	return alike(last, item) ? last : NULL;
}

void
coalesce_leave_out(
    struct coalesce *c, struct items *batch, struct item *needless, struct item *by)
{
	struct item **end = &by->older;

	/* It may have some already, from a batch in which the needless one was forgotten. */
	while (*end != NULL)
		end = &(*end)->older;
	*end = needless;
	needless->state = ITEM_LEFT_OUT;
	batch->count--;
	batch->bytes -= needless->len;
	c->left_out++;
}

void
coalesce_end(struct coalesce *c, struct items *batch)
{
	struct item **at = &batch->first;

	if (c->left_out == 0)
		return;
	while (*at != NULL)
		if ((*at)->state == ITEM_LEFT_OUT)
			*at = (*at)->next;
		else
			at = &(*at)->next;
	batch->end = at;
}

struct item *
coalesce_older(struct item *item)
{
	struct item *older = item->older;

	item->older = NULL;
	if (older != NULL)
		older->state = ITEM_PLAIN;
	return older;
}
