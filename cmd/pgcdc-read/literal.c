#include <string.h>

#include "frame.h"
#include "literal.h"
#include "type.h"
#include "value.h"

struct cursor {
	const char *p, *end;
};

/* A part of a literal, its quotes and escapes taken off. */
struct part {
	const char *text;
	size_t len;
};

/* Parts that had escapes, one for each level; kept, for rows are many. */
static struct buf unescaped[VALUE_DEPTH];
#define KEEP (1 << 20)

static bool
at(const struct cursor *c, char ch)
{
	return c->p < c->end && *c->p == ch;
}

static bool
take(struct cursor *c, const char *text)
{
	size_t n = strlen(text);

	if ((size_t)(c->end - c->p) < n || memcmp(c->p, text, n) != 0)
		return false;
	c->p += n;
	return true;
}

static void
put_part(struct buf *b, const struct type *t, struct part part, unsigned depth)
{
	value_put_inside(b, t, part.text, part.len, depth);
}

/*
 * An array or a map whose size shows only at its end.  open returns where its content
 * starts; its head has the shortest form that there is.
 */
static size_t
open_container(struct buf *b)
{
	buf_addc(b, 0);
	return b->len;
}

static void
close_container(struct buf *b, size_t start, size_t n, bool map)
{
	size_t more = n < 16 ? 0 : n < 65536 ? 2 : 4;
	size_t len = b->len - start;
	char *head;

	(void)buf_reserve(b, more);
	head = b->data + start - 1;
	if (more == 0) {
		*head = (char)((map ? 0x80 : 0x90) | n);
		return;
	}
	memmove(head + 1 + more, head + 1, len);
	*head++ = (char)((map ? 0xde : 0xdc) + (more == 4));
	for (size_t i = 0; i < more; i++)
		head[i] = (char)(n >> (8 * (more - 1 - i)));
	b->len += more;
}

/*
 * Something in quotes where only a backslash escapes: array_out in src/backend/utils/adt/
 * arrayfuncs.c, hstore_out in contrib/hstore/hstore_io.c.
 */
static bool
take_quoted(struct cursor *c, unsigned depth, struct part *part)
{
	struct buf *b = &unescaped[depth];
	const char *run;

	if (!take(c, "\""))
		return false;
	b->len = 0;
	for (run = c->p; c->p < c->end && *c->p != '"'; c->p++)
		if (*c->p == '\\') {
			buf_add(b, run, (size_t)(c->p - run));
			run = ++c->p;
			if (c->p == c->end)
				return false;
		}
	if (c->p == c->end)
		return false;
	*part = (struct part) { run, (size_t)(c->p - run) };
	c->p++;
	/* An escape at the very start leaves the rest in one piece. */
	if (b->len > 0) {
		buf_add(b, part->text, part->len);
		*part = (struct part) { b->data, b->len };
	}
	return true;
}

/*
 * Arrays
 */

static bool
take_element(struct cursor *c, char delimiter, unsigned depth, struct part *part, bool *null)
{
	const char *start = c->p;

	*null = false;
	if (at(c, '"'))
		return take_quoted(c, depth, part);
	for (; c->p < c->end && *c->p != delimiter && *c->p != '}'; c->p++)
		if (*c->p == '"' || *c->p == '\\' || *c->p == '{')
			return false;
	*part = (struct part) { start, (size_t)(c->p - start) };
	*null = part->len == 4 && memcmp(start, "NULL", 4) == 0;
	return part->len > 0;
}

/* One dimension: {1,NULL,"a b"} or {{...},{...}}. */
static bool
put_dimension(struct buf *b, const struct type *t, struct cursor *c, unsigned depth)
{
	size_t start, n = 0;
	bool inner;

	if (depth >= VALUE_DEPTH || !take(c, "{"))
		return false;
	start = open_container(b);
	inner = at(c, '{');
	if (take(c, "}")) {
		close_container(b, start, 0, false);
		return true;
	}
	do {
		struct part part;
		bool null;

		n++;
		if (inner) {
			if (!put_dimension(b, t, c, depth + 1))
				return false;
			continue;
		}
		if (!take_element(c, t->delimiter, depth, &part, &null))
			return false;
		if (null)
			frame_put_nil(b);
		else
			put_part(b, t->element, part, depth + 1);
	} while (at(c, t->delimiter) && c->p++);
	if (!take(c, "}"))
		return false;
	close_container(b, start, n, false);
	return true;
}

/* Bounds other than 1 stand before it, as in [0:2][-1:1]={...}. */
static bool
put_array(struct buf *b, const struct type *t, struct cursor *c, unsigned depth)
{
	if (at(c, '[')) {
		while (c->p < c->end && *c->p != '=') {
			if (strchr("[]:-+0123456789", *c->p) == NULL || *c->p == '\0')
				return false;
			c->p++;
		}
		if (!take(c, "="))
			return false;
	}
	return put_dimension(b, t, c, depth);
}

static bool
put_vector(struct buf *b, struct cursor *c, unsigned depth)
{
	size_t start, n = 0;

	if (depth >= VALUE_DEPTH)
		return false;
	start = open_container(b);
	while (c->p < c->end) {
		const char *number = c->p;

		while (c->p < c->end && *c->p != ' ')
			c->p++;
		if (!value_put_int(b, number, (size_t)(c->p - number)))
			return false;
		n++;
		if (c->p < c->end && ++c->p == c->end)
			return false;
	}
	close_container(b, start, n, false);
	return true;
}

/*
 * Composite values and ranges: quotes may begin anywhere, and inside them two quotes are one;
 * a backslash escapes everywhere (record_out in src/backend/utils/adt/rowtypes.c,
 * range_bound_escape in rangetypes.c).
 */

static bool
ends_part(char ch, bool range)
{
	return ch == ',' || ch == ')' || (range && ch == ']');
}

/* Up to what ends it, which must be there.  With nothing before it the part is null. */
static bool
take_part(struct cursor *c, bool range, unsigned depth, struct part *part, bool *null)
{
	struct buf *b = &unescaped[depth];
	const char *start = c->p;
	bool quoted = false;

	while (c->p < c->end && !ends_part(*c->p, range) && *c->p != '"' && *c->p != '\\')
		c->p++;
	*null = c->p == start;
	*part = (struct part) { start, (size_t)(c->p - start) };
	if (c->p < c->end && ends_part(*c->p, range))
		return true;
	b->len = 0;
	buf_add(b, start, part->len);
	for (; c->p < c->end && (quoted || !ends_part(*c->p, range)); c->p++) {
		*null = false;
		if (*c->p == '\\') {
			if (++c->p == c->end)
				return false;
		} else if (*c->p == '"') {
			if (!quoted || c->end - c->p < 2 || c->p[1] != '"') {
				quoted = !quoted;
				continue;
			}
			c->p++;
		}
		buf_addc(b, *c->p);
	}
	*part = (struct part) { b->len > 0 ? b->data : "", b->len };
	return c->p < c->end;
}

static bool
put_composite(struct buf *b, const struct type *t, struct cursor *c, unsigned depth)
{
	size_t n = 0;

	if (depth >= VALUE_DEPTH || !take(c, "("))
		return false;
	frame_put_map(b, t->fields);
	if (t->fields == 0 && take(c, ")"))
		return true;
	do {
		struct part part;
		bool null;

		if (!take_part(c, false, depth, &part, &null))
			return false;
		if (n < t->fields) {
			const struct type_field *f = &t->field[n];

			frame_put_cstr(b, f->name);
			if (null)
				frame_put_nil(b);
			else
				put_part(b, f->type, part, depth + 1);
		}
		n++;
	} while (take(c, ","));
	if (!take(c, ")"))
		return false;
	if (n == t->fields)
		return true;
	/* The type was altered; which field is which is not known. */
	if (c->p == c->end)
		type_outdated(t, n);
	return false;
}

static bool
put_bound(struct buf *b, const struct type *t, struct cursor *c, unsigned depth,
    const char *name)
{
	struct part part;
	bool null;

	if (!take_part(c, true, depth, &part, &null))
		return false;
	frame_put_cstr(b, name);
	if (null)
		frame_put_nil(b);
	else
		put_part(b, t->element, part, depth + 1);
	return true;
}

static bool
put_range(struct buf *b, const struct type *t, struct cursor *c, unsigned depth)
{
	char bounds[2];

	if (depth >= VALUE_DEPTH)
		return false;
	if (take(c, "empty")) {
		frame_put_map(b, 1);
		frame_put_cstr(b, "empty");
		frame_put_bool(b, true);
		return true;
	}
	if (!at(c, '[') && !at(c, '('))
		return false;
	bounds[0] = *c->p++;
	frame_put_map(b, 3);
	if (!put_bound(b, t, c, depth, "lower") || !take(c, ",") ||
	    !put_bound(b, t, c, depth, "upper") || at(c, ','))
		return false;
	bounds[1] = *c->p++;
	frame_put_cstr(b, "bounds");
	frame_put_str(b, bounds, sizeof(bounds));
	return true;
}

static bool
put_multirange(struct buf *b, const struct type *t, struct cursor *c, unsigned depth)
{
	size_t start, n = 0;

	if (depth >= VALUE_DEPTH || !take(c, "{"))
		return false;
	start = open_container(b);
	if (!at(c, '}'))
		do {
			if (!put_range(b, t->element, c, depth + 1))
				return false;
			n++;
		} while (take(c, ","));
	if (!take(c, "}"))
		return false;
	close_container(b, start, n, false);
	return true;
}

/*
 * hstore: "a"=>"1", "b"=>NULL
 */
static bool
put_hstore(struct buf *b, struct cursor *c, unsigned depth)
{
	size_t start, n = 0;

	if (depth >= VALUE_DEPTH)
		return false;
	start = open_container(b);
	while (c->p < c->end) {
		struct part part;

		if (n++ > 0 && !take(c, ", "))
			return false;
		if (!take_quoted(c, depth, &part))
			return false;
		value_put_text(b, part.text, part.len);
		if (!take(c, "=>"))
			return false;
		if (take(c, "NULL")) {
			frame_put_nil(b);
			continue;
		}
		if (!take_quoted(c, depth, &part))
			return false;
		value_put_text(b, part.text, part.len);
	}
	close_container(b, start, n, true);
	return true;
}

static bool
put_kind(struct buf *b, const struct type *t, struct cursor *c, unsigned depth)
{
	switch (t->kind) {
	case VALUE_VECTOR: return put_vector(b, c, depth);
	case VALUE_ARRAY: return put_array(b, t, c, depth);
	case VALUE_COMPOSITE: return put_composite(b, t, c, depth);
	case VALUE_RANGE: return put_range(b, t, c, depth);
	case VALUE_MULTIRANGE: return put_multirange(b, t, c, depth);
	case VALUE_HSTORE: return put_hstore(b, c, depth);
	default: return false;
	}
}

bool
literal_put(struct buf *b, const struct type *t, const char *text, size_t len, unsigned depth)
{
	struct cursor c = { .p = text, .end = text + len };
	size_t start = b->len;
	bool good = put_kind(b, t, &c, depth) && c.p == c.end;

	if (!good)
		b->len = start;
	if (depth < VALUE_DEPTH && unescaped[depth].cap > KEEP) {
		unescaped[depth].len = 0;
		buf_trim(&unescaped[depth], KEEP);
	}
	return good;
}
