#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "mapstats.h"

#define NAME_MAX_LEN 128

static bool
is_name(const msgpack_object *o)
{
	return o->type == MSGPACK_OBJECT_STR && o->via.str.size > 0 &&
	    o->via.str.size <= NAME_MAX_LEN && memchr(o->via.str.ptr, '\0', o->via.str.size) == NULL;
}

static bool
is_same(const char *name, const msgpack_object *o)
{
	return strlen(name) == o->via.str.size && memcmp(name, o->via.str.ptr, o->via.str.size) == 0;
}

static struct mapstats_program *
find_program(struct mapstats *s, const msgpack_object *name)
{
	struct mapstats_program *p;

	for (size_t i = 0; i < s->n; i++)
		if (is_same(s->program[i]->name, name))
			return s->program[i];
	if (s->n == MAPSTATS_PROGRAMS)
		return NULL;
	p = xcalloc(1, sizeof(*p));
	p->name = xstrndup(name->via.str.ptr, name->via.str.size);
	s->program[s->n++] = p;
	return p;
}

static void
set(struct mapstats_program *p, const msgpack_object_kv *kv)
{
	size_t i = 0;

	if (!is_name(&kv->key) || kv->val.type != MSGPACK_OBJECT_POSITIVE_INTEGER)
		return;
	while (i < p->n && !is_same(p->counter[i].name, &kv->key))
		i++;
	if (i == MAPSTATS_COUNTERS)
		return;
	if (i == p->n)
		p->counter[p->n++].name = xstrndup(kv->key.via.str.ptr, kv->key.via.str.size);
	p->counter[i].value = kv->val.via.u64;
}

void
mapstats_take(struct mapstats *s, const struct frame *f)
{
	struct mapstats_program *p;

	if (f->fields < 2 || !is_name(&f->field[0]) || f->field[1].type != MSGPACK_OBJECT_MAP ||
	    (p = find_program(s, &f->field[0])) == NULL)
		return;
	for (uint32_t i = 0; i < f->field[1].via.map.size; i++)
		set(p, &f->field[1].via.map.ptr[i]);
}
