#include <stdlib.h>

#include "buf.h"
#include "tables.h"

static struct table *
find(const struct tables *t, uint32_t relid)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->table[i].relid == relid)
			return &t->table[i];
	return NULL;
}

void
tables_put(struct tables *t, const struct frame *f, const struct frame_relation *r)
{
	struct table *e = find(t, r->relid);
	struct buf name = { 0 };

	buf_add(&name, r->schema.ptr, r->schema.len);
	buf_addc(&name, '.');
	buf_add(&name, r->table.ptr, r->table.len);
	if (e == NULL) {
		t->table = xrealloc(t->table, (t->n + 1) * sizeof(*t->table));
		e = &t->table[t->n++];
		*e = (struct table) { .relid = r->relid };
	}
	free(e->name);
	e->name = buf_cstr(&name);
	e->frame.len = 0;
	buf_add(&e->frame, f->raw, f->len);
}

void
tables_clear(struct tables *t)
{
	while (t->n > 0) {
		struct table *e = &t->table[--t->n];

		free(e->name);
		buf_free(&e->frame);
	}
}

void
tables_put_frame(const struct tables *t, uint32_t relid, struct buf *b)
{
	const struct table *e = find(t, relid);

	if (e != NULL)
		buf_add(b, e->frame.data, e->frame.len);
}

const char *
tables_name(const struct tables *t, uint32_t relid)
{
	const struct table *e = find(t, relid);

	return e ? e->name : NULL;
}
