#include <stdlib.h>
#include <string.h>

#include "plan.h"
#include "relation.h"

/* Where relid is, or the empty slot where it belongs. */
static struct relation **
find_slot(const struct relations *r, uint32_t relid)
{
	size_t i = relid * (uint32_t)2654435761U & (r->slots - 1);

	while (r->slot[i] != NULL && r->slot[i]->relid != relid)
		i = (i + 1) & (r->slots - 1);
	return &r->slot[i];
}

static void
grow(struct relations *r)
{
	struct relations bigger = { .slots = r->slots ? 2 * r->slots : 64, .n = r->n };

	bigger.slot = xcalloc(bigger.slots, sizeof(struct relation *));
	for (size_t i = 0; i < r->slots; i++)
		if (r->slot[i] != NULL)
			*find_slot(&bigger, r->slot[i]->relid) = r->slot[i];
	free(r->slot);
	*r = bigger;
}

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
	struct relation **at;

	if (2 * (r->n + 1) > r->slots)
		grow(r);
	at = find_slot(r, f->relid);
	if (*at == NULL)
		r->n++;
	relation_free(*at);
	*at = relation_new(f);
	r->last = *at;
	return *at;
}

struct relation *
relations_search(struct relations *r, uint32_t relid)
{
	struct relation *rel;

	if (r->slots == 0)
		return NULL;
	rel = *find_slot(r, relid);
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
	for (size_t i = 0; i < r->slots; i++)
		relation_free(r->slot[i]);
	free(r->slot);
	*r = (struct relations) { 0 };
}
