#include <stdlib.h>

#include "frame.h"
#include "frame_cursor.h"

/*
 * Rows are nearly all that a stream has, and their values are hardly ever nested: such frames
 * are found and decoded in one pass.  Whatever is of another form, or has not arrived whole, is
 * left to frame_next and its errors: nothing is taken here that it would not take.
 */

#define MAX_COLUMNS 4096 /* PostgreSQL has 1600 */

static bool
take_uint(struct cursor *c, unsigned n, msgpack_object *o)
{
	o->type = MSGPACK_OBJECT_POSITIVE_INTEGER;
	return cursor_number(c, n, &o->via.u64);
}

static bool
take_int(struct cursor *c, unsigned n, msgpack_object *o)
{
	uint64_t v, sign = UINT64_C(1) << (8 * n - 1);

	if (!cursor_number(c, n, &v))
		return false;
	if (v < sign) {
		o->type = MSGPACK_OBJECT_POSITIVE_INTEGER;
		o->via.u64 = v;
		return true;
	}
	o->type = MSGPACK_OBJECT_NEGATIVE_INTEGER;
	/* v - 2^(8n), without leaving the range of what it is computed in. */
	o->via.i64 = (int64_t)(v - sign) - (int64_t)(sign - 1) - 1;
	return true;
}

static bool
take_double(struct cursor *c, msgpack_object *o)
{
	uint64_t v;

	if (!cursor_number(c, 8, &v))
		return false;
	o->type = MSGPACK_OBJECT_FLOAT64;
	memcpy(&o->via.f64, &v, sizeof(v));
	return true;
}

static bool
take_str(struct cursor *c, uint64_t n, msgpack_object *o)
{
	o->type = MSGPACK_OBJECT_STR;
	o->via.str.size = (uint32_t)n;
	return cursor_bytes(c, n, &o->via.str.ptr);
}

static bool
take_ext(struct cursor *c, uint64_t n, msgpack_object *o)
{
	if (c->p == c->end)
		return false;
	o->type = MSGPACK_OBJECT_EXT;
	o->via.ext.type = (int8_t)*c->p++;
	o->via.ext.size = (uint32_t)n;
	return cursor_bytes(c, n, &o->via.ext.ptr);
}

/* A value that is no array or map, nor of a kind that pgcdc-read does not write. */
static bool
take_value(struct cursor *c, msgpack_object *o)
{
	unsigned char head;
	uint64_t n;

	if (!cursor_head(c, &head))
		return false;
	if (head < 0x80) {
		o->type = MSGPACK_OBJECT_POSITIVE_INTEGER;
		o->via.u64 = head;
		return true;
	}
	if (head >= 0xe0) {
		o->type = MSGPACK_OBJECT_NEGATIVE_INTEGER;
		o->via.i64 = (int)head - 0x100;
		return true;
	}
	if (head >= 0xa0 && head < 0xc0)
		return take_str(c, head & 0x1f, o);
	switch (head) {
	case 0xc0: o->type = MSGPACK_OBJECT_NIL; return true;
	case 0xc2:
	case 0xc3:
		o->type = MSGPACK_OBJECT_BOOLEAN;
		o->via.boolean = head == 0xc3;
		return true;
	case 0xc7: return cursor_number(c, 1, &n) && take_ext(c, n, o);
	case 0xc8: return cursor_number(c, 2, &n) && take_ext(c, n, o);
	case 0xc9: return cursor_number(c, 4, &n) && take_ext(c, n, o);
	case 0xcb: return take_double(c, o);
	case 0xcc: return take_uint(c, 1, o);
	case 0xcd: return take_uint(c, 2, o);
	case 0xce: return take_uint(c, 4, o);
	case 0xcf: return take_uint(c, 8, o);
	case 0xd0: return take_int(c, 1, o);
	case 0xd1: return take_int(c, 2, o);
	case 0xd2: return take_int(c, 4, o);
	case 0xd3: return take_int(c, 8, o);
	case 0xd9: return cursor_number(c, 1, &n) && take_str(c, n, o);
	case 0xda: return cursor_number(c, 2, &n) && take_str(c, n, o);
	case 0xdb: return cursor_number(c, 4, &n) && take_str(c, n, o);
	default: return false;
	}
}

static bool
take_count(struct cursor *c, uint64_t *n)
{
	if (c->p == c->end)
		return false;
	if (*c->p >= 0x90 && *c->p < 0xa0) {
		*n = *c->p++ & 0x0f;
		return true;
	}
	return *c->p++ == 0xdc && cursor_number(c, 2, n) && *n <= MAX_COLUMNS;
}

/* A row into element i of the frame; its values go to at. */
static bool
take_row(struct frame_in *r, struct cursor *c, size_t i, size_t *at)
{
	uint64_t n;

	if (!take_count(c, &n))
		return false;
	if (*at + n > r->values) {
		r->values = *at + (size_t)n;
		r->value = xrealloc(r->value, r->values * sizeof(*r->value));
	}
	r->value[i].type = MSGPACK_OBJECT_ARRAY;
	r->value[i].via.array.size = (uint32_t)n;
	for (msgpack_object *o = r->value + *at, *end = o + n; o < end; o++)
		if (!take_value(c, o))
			return false;
	*at += (size_t)n;
	return true;
}

bool
frame_next_row(struct frame_in *r, struct frame *f)
{
	size_t avail = r->in.buf.len - r->in.off, at = 3;
	struct cursor c;
	const char *raw;

	if (avail < 3)
		return false;
	raw = r->in.buf.data + r->in.off;
	if (raw[1] != '\xa1' ||
	    (raw[0] == '\x93' ? raw[2] != FRAME_INSERT && raw[2] != FRAME_SNAPSHOT_ROW &&
	                raw[2] != FRAME_DELETE
	                      : raw[0] != '\x94' || raw[2] != FRAME_UPDATE))
		return false;
	if (r->value == NULL) {
		r->values = 64;
		r->value = xrealloc(NULL, r->values * sizeof(*r->value));
	}
	c.p = (const unsigned char *)raw + 3;
	/* No frame is longer: what seems to go on behind that is for frame_next. */
	c.end = (const unsigned char *)raw + (avail < FRAME_MAX ? avail : FRAME_MAX);
	if (!take_value(&c, &r->value[0]) || !take_row(r, &c, 1, &at))
		return false;
	r->value[1].via.array.ptr = r->value + 3;
	*f = (struct frame) { .letter = raw[2], .raw = raw, .offset = r->offset, .fields = 2 };
	if (raw[2] == FRAME_UPDATE) {
		size_t old = at;

		f->fields = 3;
		r->value[2].type = MSGPACK_OBJECT_NIL;
		if (c.p < c.end && *c.p == 0xc0)
			c.p++;
		else if (!take_row(r, &c, 2, &at))
			return false;
		else
			r->value[2].via.array.ptr = r->value + old;
		/* It may have moved. */
		r->value[1].via.array.ptr = r->value + 3;
	}
	f->field = r->value;
	f->len = (size_t)((const char *)c.p - raw);
	r->in.off += f->len;
	r->offset += f->len;
	/* frame_next may have begun to scan it, before it had all arrived. */
	r->scanning = false;
	return true;
}
