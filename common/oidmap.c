#include <stdlib.h>

#include "buf.h"
#include "oidmap.h"

/* Where it is, or the free entry where it belongs. */
static struct oidmap_entry *
find(const struct oidmap *m, uint32_t oid)
{
	size_t i = (oid * UINT32_C(2654435761)) & (m->cap - 1);

	while (m->entry[i].thing != NULL && m->entry[i].oid != oid)
		i = (i + 1) & (m->cap - 1);
	return &m->entry[i];
}

void *
oidmap_get(const struct oidmap *m, uint32_t oid)
{
	return m->cap > 0 ? find(m, oid)->thing : NULL;
}

static void
grow(struct oidmap *m)
{
	struct oidmap bigger = { .cap = m->cap ? 2 * m->cap : 64, .used = m->used };

	bigger.entry = xcalloc(bigger.cap, sizeof(*bigger.entry));
	for (size_t i = 0; i < m->cap; i++)
		if (m->entry[i].thing != NULL)
			*find(&bigger, m->entry[i].oid) = m->entry[i];
	free(m->entry);
	*m = bigger;
}

void
oidmap_put(struct oidmap *m, uint32_t oid, void *thing)
{
	struct oidmap_entry *e;

	if (2 * (m->used + 1) > m->cap)
		grow(m);
	e = find(m, oid);
	m->used += e->thing == NULL;
	*e = (struct oidmap_entry) { oid, thing };
}

void
oidmap_free(struct oidmap *m)
{
	free(m->entry);
	*m = (struct oidmap) { 0 };
}
