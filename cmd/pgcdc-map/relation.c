#include <stdlib.h>
#include <string.h>

#include "plan.h"
#include "relation.h"

static void
relation_free(struct relation *rel)
{
	if (rel == NULL)
		return;
	plan_free(rel->plan);
	for (uint32_t i = 0; i < rel->columns; i++)
		free(rel->column[i].name);
	free(rel->column);
	free(rel->key);
	free(rel->schema);
	free(rel->table);
	free(rel->name);
	free(rel);
}

static struct relation *
relation_new(const struct frame_relation *f)
{
	struct relation *rel = xcalloc(1, sizeof(*rel));
	struct buf name = { 0 };

	rel->relid = f->relid;
	rel->schema = xstrndup(f->schema.ptr, f->schema.len);
	rel->table = xstrndup(f->table.ptr, f->table.len);
	buf_printf(&name, "%s.%s", rel->schema, rel->table);
	rel->name = buf_cstr(&name);
	rel->identity = f->identity;
	rel->columns = f->columns;
	rel->column = xcalloc(f->columns, sizeof(*rel->column));
	for (uint32_t i = 0; i < f->columns; i++) {
		struct frame_column c;

		frame_get_column(f, i, &c);
		rel->column[i].name = xstrndup(c.name.ptr, c.name.len);
		rel->column[i].type_oid = c.type_oid;
		rel->column[i].in_identity = c.in_identity;
	}
	rel->key_columns = f->key_columns;
	rel->key = xcalloc(f->key_columns, sizeof(*rel->key));
	for (uint32_t i = 0; i < f->key_columns; i++)
		rel->key[i] = frame_get_key(f, i);
	return rel;
}

struct relation *
relations_put(struct relations *r, const struct frame_relation *f)
{
	struct relation *rel = relation_new(f);

	relation_free(oidmap_get(&r->by_relid, f->relid));
	oidmap_put(&r->by_relid, f->relid, rel);
	r->last = rel;
	return rel;
}

struct relation *
relations_search(struct relations *r, uint32_t relid)
{
	struct relation *rel = oidmap_get(&r->by_relid, relid);

	if (rel != NULL)
		r->last = rel;
	return rel;
}

int64_t
relation_column(const struct relation *rel, const char *name)
{
	for (uint32_t i = 0; i < rel->columns; i++)
		if (strcmp(rel->column[i].name, name) == 0)
			return i;
	return -1;
}

void
relations_clear(struct relations *r)
{
	for (size_t i = 0; i < r->by_relid.cap; i++)
		relation_free(r->by_relid.entry[i].thing);
	oidmap_free(&r->by_relid);
	r->last = NULL;
}
