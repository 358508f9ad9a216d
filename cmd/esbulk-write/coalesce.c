#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "coalesce.h"

#define FIRST_CAP 1024

void
coalesce_begin(struct coalesce *c)
{
	/* 0 is what untouched slots say, so it is never a batch's number. */
	if (++c->batch == 0) {
		if (c->cap > 0)
			memset(c->slot, 0, c->cap * sizeof(*c->slot));
		c->batch = 1;
	}
	c->n = c->left_out = 0;
}

/* The document's slot, or a free one for it; with no slots NULL. */
static struct coalesce_slot *
find(const struct coalesce *c, uint64_t document)
{
	uint32_t tag = (uint32_t)(document >> 32);
	size_t at = document & (c->cap - 1);

	if (c->cap == 0)
		return NULL;
	while (c->slot[at].batch == c->batch &&
	    (c->slot[at].tag != tag || c->slot[at].item->document != document))
		at = (at + 1) & (c->cap - 1);
	return &c->slot[at];
}

static void
put(struct coalesce *c, struct coalesce_slot *s, struct item *item)
{
	c->n += s->batch != c->batch;
	*s = (struct coalesce_slot) { c->batch, (uint32_t)(item->document >> 32), item };
}

static void
grow(struct coalesce *c)
{
	struct coalesce old = *c;

	c->cap = c->cap > 0 ? c->cap * 2 : FIRST_CAP;
	c->slot = xcalloc(c->cap, sizeof(*c->slot));
	c->n = 0;
	for (size_t i = 0; i < old.cap; i++)
		if (old.slot[i].batch == c->batch)
			put(c, find(c, old.slot[i].item->document), old.slot[i].item);
	free(old.slot);
}

void
coalesce_add(struct coalesce *c, struct item *item)
{
	if (c->n >= c->cap / 2) {
		grow(c);
		c->asked = find(c, item->document);
	}
	put(c, c->asked, item);
}

static struct item *
in_batch(const struct coalesce *c, const struct coalesce_slot *s)
{
	return s != NULL && s->batch == c->batch ? s->item : NULL;
}

bool
coalesce_has(const struct coalesce *c, uint64_t document)
{
	return in_batch(c, find(c, document)) != NULL;
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

/*
 * Where the first of two is told to come again and the second is stored, the first comes
 * behind it.  A version holds it back then, but not an equal one, and not for longer than the
 * cluster remembers a delete; so only a delete may be the first.
 */
enum coalesce_how
coalesce_ask(struct coalesce *c, const struct item *item, struct item **other)
{
	struct item *o;

	c->asked = find(c, item->document);
	o = *other = in_batch(c, c->asked);
	if (o == NULL)
		return COALESCE_ALONE;
	/* A mapper's own versions may go back. */
	if (!is_plain(o) || !is_plain(item) || o->version > item->version)
		return COALESCE_LATER;
	if (alike(o, item))
		return COALESCE_REPLACES;
	return o->op == OP_DELETE && o->version < item->version ? COALESCE_BEHIND
								: COALESCE_LATER;
}

void
coalesce_leave_out(
    struct coalesce *c, struct items *batch, struct item *needless, struct item *by)
{
	struct item **end = &by->older;

	/* It may have some already, from a batch in which the needless one was not. */
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
