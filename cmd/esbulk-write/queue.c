#include <stdlib.h>

#include "buf.h"
#include "queue.h"

#define CHUNK_SIZE ((size_t)64 * 1024)
#define ALIGN      _Alignof(struct item)

struct chunk {
	struct chunk *next; /* in the pool */
	size_t size, used;
	size_t live; /* items, and one for the lane that fills it */
	_Alignas(struct item) char data[];
};

bool
queue_full(const struct queue *q)
{
	return q->used + CHUNK_SIZE > q->limit;
}

/* With one reference, the caller's. */
static struct chunk *
new_chunk(struct queue *q, size_t size)
{
	struct chunk *c;

	if (size == CHUNK_SIZE && q->spare != NULL) {
		c = q->spare;
		q->spare = c->next;
	} else {
		c = xmalloc(size);
		c->size = size - sizeof(*c);
	}
	c->next = NULL;
	c->used = 0;
	c->live = 1;
	q->used += size;
	return c;
}

static void
unref(struct queue *q, struct chunk *c)
{
	size_t size = c->size + sizeof(*c);

	if (--c->live > 0)
		return;
	q->used -= size;
	if (size == CHUNK_SIZE) {
		c->next = q->spare;
		q->spare = c;
	} else {
		free(c);
	}
}

void
queue_close(struct queue *q, struct chunk **current)
{
	if (*current != NULL)
		unref(q, *current);
	*current = NULL;
}

struct item *
queue_add(struct queue *q, struct chunk **current, size_t text)
{
	size_t need = (sizeof(struct item) + text + ALIGN - 1) / ALIGN * ALIGN;
	struct chunk *c = *current;
	struct item *item;

	if (need > CHUNK_SIZE - sizeof(*c)) {
		/* One of its own, which goes with its only item. */
		c = new_chunk(q, need + sizeof(*c));
	} else {
		if (c == NULL || c->size - c->used < need) {
			queue_close(q, current);
			c = *current = new_chunk(q, CHUNK_SIZE);
		}
		c->live++;
	}
	item = (struct item *)(void *)(c->data + c->used);
	c->used += need;
	item->next = NULL;
	item->chunk = c;
	return item;
}

void
queue_done(struct queue *q, struct item *item)
{
	unref(q, item->chunk);
}

void
items_init(struct items *l)
{
	*l = (struct items) { 0 };
	l->end = &l->first;
}

void
items_append(struct items *l, struct item *item)
{
	item->next = NULL;
	*l->end = item;
	l->end = &item->next;
	l->count++;
	l->bytes += item->len;
}

void
items_prepend(struct items *l, struct items *front)
{
	if (front->first == NULL)
		return;
	*front->end = l->first;
	if (l->first == NULL)
		l->end = front->end;
	l->first = front->first;
	l->count += front->count;
	l->bytes += front->bytes;
	items_init(front);
}

struct item *
items_take(struct items *l)
{
	struct item *item = l->first;

	if (item == NULL)
		return NULL;
	l->first = item->next;
	if (l->first == NULL)
		l->end = &l->first;
	l->count--;
	l->bytes -= item->len;
	return item;
}

void
items_remove(struct items *l, struct item *item)
{
	struct item **at = &l->first;

	while (*at != item)
		at = &(*at)->next;
	*at = item->next;
	if (l->end == &item->next)
		l->end = at;
	l->count--;
	l->bytes -= item->len;
}
