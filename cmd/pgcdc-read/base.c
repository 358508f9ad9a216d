#include "base.h"
#include "frame.h"

/* Frames nest 32 deep: R, its columns and the column are around the maps. */
#define DEPTH 29
/* In all: a type can have another one twice, and that a third one twice... */
#define FIELDS_MAX 4096

#define NIL '\xc0' /* MessagePack's */

/* What domains, arrays and ranges are of, to any depth; or NULL. */
static const struct type *
innermost(const struct type *t)
{
	while (t != NULL && t->set != NULL &&
	    (t->kind == VALUE_DOMAIN || t->kind == VALUE_ARRAY || t->kind == VALUE_RANGE ||
	        t->kind == VALUE_MULTIRANGE))
		t = t->element;
	return t;
}

/*
 * Composite types cannot hold themselves, but their definitions of different times may: depth
 * ends that, too.
 */
static void
put(struct buf *b, const struct type *whole, unsigned depth, size_t *room)
{
	const struct type *t = innermost(whole);

	if (t != NULL && t->set == NULL) {
		frame_put_uint(b, t->oid);
		return;
	}
	if (t == NULL || t->kind != VALUE_COMPOSITE || depth == DEPTH ||
	    t->fields > *room) {
		frame_put_nil(b);
		return;
	}
	*room -= t->fields;
	frame_put_map(b, t->fields);
	for (size_t i = 0; i < t->fields; i++) {
		frame_put_cstr(b, t->field[i].name);
		put(b, t->field[i].type, depth + 1, room);
	}
}

bool
base_put(struct buf *b, const struct type *t)
{
	size_t room = FIELDS_MAX, start = b->len;

	if (t->set == NULL)
		return false;
	put(b, t, 0, &room);
	if (b->data[start] != NIL)
		return true;
	b->len = start;
	return false;
}
