#include <stdlib.h>
#include <string.h>

#include "plan.h"
#include "relation.h"

static void
shape_free(struct shape *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->fields; i++) {
		free(s->field[i].name);
		shape_free(s->field[i].shape);
	}
	free(s->field);
	free(s);
}

/* Of a base that frame_get_relation has checked. */
static struct shape *
shape_new(const msgpack_object *base)
{
	struct shape *s = xcalloc(1, sizeof(*s));

	if (base->type == MSGPACK_OBJECT_POSITIVE_INTEGER)
		s->oid = (uint32_t)base->via.u64;
	if (base->type != MSGPACK_OBJECT_MAP)
		return s;
	s->fields = base->via.map.size;
	s->field = xcalloc(s->fields, sizeof(*s->field));
	for (size_t i = 0; i < s->fields; i++) {
		const msgpack_object_kv *kv = &base->via.map.ptr[i];

		s->field[i].len = kv->key.via.str.size;
		s->field[i].name = xstrndup(kv->key.via.str.ptr, s->field[i].len);
		s->field[i].shape = shape_new(&kv->val);
	}
	return s;
}

void
relation_free(struct relation *rel)
{
	if (rel == NULL)
		return;
	plan_free(rel->plan);
	for (uint32_t i = 0; i < rel->columns; i++) {
		free(rel->column[i].name);
		free(rel->column[i].type);
		shape_free(rel->column[i].shape);
	}
	free(rel->column);
	free(rel->key);
	free(rel->schema);
	free(rel->table);
	free(rel->name);
	free(rel);
}

static void
set_column(struct relation_column *column, const struct frame_column *c)
{
	column->name = xstrndup(c->name.ptr, c->name.len);
	column->type = xstrndup(c->type.ptr, c->type.len);
	column->type_oid = column->base_oid = c->type_oid;
	column->in_identity = c->in_identity;
	if (c->base == NULL)
		return;
	if (c->base->type == MSGPACK_OBJECT_MAP)
		column->shape = shape_new(c->base);
	else
		column->base_oid = (uint32_t)c->base->via.u64;
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
		set_column(&rel->column[i], &c);
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
