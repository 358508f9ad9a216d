#include "frame.h"
#include "frame_cursor.h"

/*
 * Reading actions without decoding them into objects first.  What is not of the usual form
 * is left to frame_next and its errors: nothing is taken here that it would not take.
 */

static inline bool
take_nil(struct cursor *c)
{
	if (c->p == c->end || *c->p != 0xc0)
		return false;
	c->p++;
	return true;
}

static inline bool
take_uint(struct cursor *c, uint64_t max, uint64_t *v)
{
	if (c->p == c->end)
		return false;
	if (*c->p < 0x80)
		*v = *c->p++;
	else if (*c->p < 0xcc || *c->p > 0xcf || !cursor_number(c, 1u << (*c->p++ - 0xcc), v))
		return false;
	return *v <= max;
}

static inline bool
take_str(struct cursor *c, struct frame_str *s)
{
	uint64_t n;

	if (c->p == c->end)
		return false;
	if (*c->p >= 0xa0 && *c->p < 0xc0)
		n = *c->p++ & 0x1f;
	else if (*c->p < 0xd9 || *c->p > 0xdb || !cursor_number(c, 1u << (*c->p++ - 0xd9), &n))
		return false;
	s->len = (uint32_t)n;
	return cursor_bytes(c, n, &s->ptr);
}

static inline bool
take_str_or_nil(struct cursor *c, struct frame_str *s)
{
	*s = (struct frame_str) { 0 };
	return take_nil(c) || take_str(c, s);
}

static bool
take_op(struct cursor *c, enum frame_op *op)
{
	static const char usual[] = "\xa5index";
	struct frame_str s;

	if ((size_t)(c->end - c->p) >= sizeof(usual) - 1 &&
	    memcmp(c->p, usual, sizeof(usual) - 1) == 0) {
		c->p += sizeof(usual) - 1;
		*op = OP_INDEX;
		return true;
	}
	if (!take_str(c, &s))
		return false;
	for (int i = 0; i < OP_COUNT; i++)
		if (strlen(frame_op_names[i]) == s.len &&
		    memcmp(frame_op_names[i], s.ptr, s.len) == 0) {
			*op = (enum frame_op)i;
			return true;
		}
	return false;
}

static bool
take_version(struct cursor *c, struct frame_action *a)
{
	a->version = 0;
	a->versioned = VERSION_FROM_UNIT;
	if (take_nil(c))
		return true;
	if (c->p < c->end && *c->p == 0xc2) {
		c->p++;
		a->versioned = VERSION_NONE;
		return true;
	}
	a->versioned = VERSION_GIVEN;
	return take_uint(c, INT64_MAX, &a->version);
}

bool
frame_next_action(struct frame_in *r, struct frame *f, struct frame_action *a)
{
	/* An array of eight, and X. */
	static const unsigned char head[] = { 0x98, 0xa1, FRAME_ACTION };
	size_t avail = r->in.buf.len - r->in.off;
	uint64_t relid = 0;
	struct cursor c;
	const char *raw;

	if (avail < sizeof(head))
		return false;
	raw = r->in.buf.data + r->in.off;
	if (memcmp(raw, head, sizeof(head)) != 0)
		return false;
	c.p = (const unsigned char *)raw + sizeof(head);
	/* No frame is longer: what seems to go on behind that is for frame_next. */
	c.end = (const unsigned char *)raw + (avail < FRAME_MAX ? avail : FRAME_MAX);
	if (!take_op(&c, &a->op))
		return false;
	a->has_relid = !take_nil(&c);
	if (a->has_relid && !take_uint(&c, UINT32_MAX, &relid))
		return false;
	a->relid = (uint32_t)relid;
	if (!take_str_or_nil(&c, &a->index) || !take_str_or_nil(&c, &a->id) ||
	    !take_version(&c, a) || !take_str_or_nil(&c, &a->routing) ||
	    !take_str_or_nil(&c, &a->body))
		return false;
	a->more = NULL;
	*f = (struct frame) { .letter = FRAME_ACTION, .raw = raw,
		.len = (size_t)((const char *)c.p - raw), .offset = r->offset };
	r->in.off += f->len;
	r->offset += f->len;
	/* frame_next may have begun to scan it, before it had all arrived. */
	r->scanning = false;
	return true;
}
