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
tables_put(struct tables *t, const struct frame_relation *r)
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
}

void
tables_clear(struct tables *t)
{
	while (t->n > 0)
		free(t->table[--t->n].name);
}

const char *
tables_name(const struct tables *t, uint32_t relid)
{
	const struct table *e = find(t, relid);

	return e ? e->name : NULL;
}
