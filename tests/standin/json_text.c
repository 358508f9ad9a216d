/*
 * Work on JSON text that was checked before: walking, quoting, merging.
 */
#include <stdint.h>
#include <stdio.h>

#include "json.h"

struct json_walk
json_members(struct slice object)
{
	struct json_walk w = { object.p, object.p + object.n };

	while (w.p < w.end && *w.p++ != '{')
		; /* blanks may stand before it */
	return w;
}

struct json_walk
json_elements(struct slice array)
{
	return (struct json_walk) { array.p + 1, array.p + array.n };
}

static void
blanks(struct json_walk *w)
{
	while (w->p < w->end &&
	       (*w->p == ' ' || *w->p == '\t' || *w->p == '\r' || *w->p == '\n'))
		w->p++;
}

static struct slice
walk_string(struct json_walk *w)
{
	const char *start = ++w->p;

	while (w->p < w->end && *w->p != '"')
		w->p += *w->p == '\\' ? 2 : 1;
	w->p++;
	return (struct slice) { start, (size_t)(w->p - 1 - start) };
}

static struct slice
walk_value(struct json_walk *w)
{
	const char *start = w->p;
	unsigned depth = 0;

	if (*w->p == '"') {
		walk_string(w);
		return (struct slice) { start, (size_t)(w->p - start) };
	}
	if (*w->p != '{' && *w->p != '[') {
		while (w->p < w->end && strchr(",]} \t\r\n", *w->p) == NULL)
			w->p++;
		return (struct slice) { start, (size_t)(w->p - start) };
	}
	do {
		if (*w->p == '"') {
			walk_string(w);
			continue;
		}
		if (*w->p == '{' || *w->p == '[')
			depth++;
		else if (*w->p == '}' || *w->p == ']')
			depth--;
		w->p++;
	} while (depth > 0 && w->p < w->end);
	return (struct slice) { start, (size_t)(w->p - start) };
}

bool
json_member(struct json_walk *w, struct slice *raw_name, struct slice *value)
{
	blanks(w);
	if (w->p < w->end && *w->p == ',') {
		w->p++;
		blanks(w);
	}
	if (w->p >= w->end || *w->p != '"')
		return false;
	*raw_name = walk_string(w);
	blanks(w);
	w->p++; /* the colon */
	blanks(w);
	*value = walk_value(w);
	return true;
}

bool
json_element(struct json_walk *w, struct slice *value)
{
	blanks(w);
	if (w->p < w->end && *w->p == ',') {
		w->p++;
		blanks(w);
	}
	if (w->p >= w->end || *w->p == ']')
		return false;
	*value = walk_value(w);
	return true;
}

/* Do two raw strings say the same? */
static bool
same_text(struct slice a, struct slice b)
{
	struct buf ta = { 0 }, tb = { 0 };
	bool same;

	if (slice_equal(a, b))
		return true;
	if (memchr(a.p, '\\', a.n) == NULL && memchr(b.p, '\\', b.n) == NULL)
		return false;
	json_unescape(&ta, a);
	json_unescape(&tb, b);
	same = ta.len == tb.len && memcmp(ta.data, tb.data, ta.len) == 0;
	buf_free(&ta);
	buf_free(&tb);
	return same;
}

static bool
find(struct slice object, struct slice raw_name, struct slice *value)
{
	struct json_walk w = json_members(object);
	struct slice name;

	while (json_member(&w, &name, value))
		if (same_text(name, raw_name))
			return true;
	return false;
}

struct slice
json_find(struct slice object, const char *name)
{
	struct slice value;

	if (find(object, (struct slice) { name, strlen(name) }, &value))
		return value;
	return (struct slice) { NULL, 0 };
}

static unsigned
hex4(const char *p)
{
	unsigned v = 0;

	for (int i = 0; i < 4; i++)
		v = v << 4 | (unsigned)(p[i] <= '9' ? p[i] - '0' : (p[i] | 32) - 'a' + 10);
	return v;
}

static void
add_utf8(struct buf *out, unsigned ch)
{
	if (ch < 0x80) {
		buf_addc(out, (char)ch);
	} else if (ch < 0x800) {
		buf_addc(out, (char)(0xc0 | ch >> 6));
		buf_addc(out, (char)(0x80 | (ch & 63)));
	} else if (ch < 0x10000) {
		buf_addc(out, (char)(0xe0 | ch >> 12));
		buf_addc(out, (char)(0x80 | (ch >> 6 & 63)));
		buf_addc(out, (char)(0x80 | (ch & 63)));
	} else {
		buf_addc(out, (char)(0xf0 | ch >> 18));
		buf_addc(out, (char)(0x80 | (ch >> 12 & 63)));
		buf_addc(out, (char)(0x80 | (ch >> 6 & 63)));
		buf_addc(out, (char)(0x80 | (ch & 63)));
	}
}

void
json_unescape(struct buf *out, struct slice raw)
{
	static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
	const char *end = raw.p + raw.n, *at;
	unsigned ch;

	for (const char *p = raw.p; p < end; p++) {
		if (*p != '\\') {
			buf_addc(out, *p);
			continue;
		}
		p++;
		if (*p != 'u') {
			at = strchr(from, *p);
			buf_addc(out, at != NULL ? to[at - from] : *p);
			continue;
		}
		ch = hex4(p + 1);
		p += 4;
		if (ch >= 0xd800 && ch < 0xdc00 && end - p > 6 && p[1] == '\\' &&
		    p[2] == 'u' && (hex4(p + 3) & 0xfc00) == 0xdc00) {
			ch = 0x10000 + ((ch & 0x3ff) << 10) + (hex4(p + 3) & 0x3ff);
			p += 6;
		} else if ((ch & 0xf800) == 0xd800) {
			ch = '?'; /* half a pair, as Java encodes it */
		}
		add_utf8(out, ch);
	}
}

void
json_quote(struct buf *out, struct slice s)
{
	static const char hex[] = "0123456789abcdef";
	char *to = buf_reserve(out, s.n * 6 + 2), *start = to;

	*to++ = '"';
	for (size_t i = 0; i < s.n; i++) {
		unsigned char ch = (unsigned char)s.p[i];

		if (ch >= 0x20 && ch != '"' && ch != '\\') {
			*to++ = (char)ch;
			continue;
		}
		*to++ = '\\';
		if (ch == '"' || ch == '\\') {
			*to++ = (char)ch;
		} else if (ch == '\n') {
			*to++ = 'n';
		} else {
			memcpy(to, "u00", 3);
			to[3] = hex[ch >> 4];
			to[4] = hex[ch & 15];
			to += 5;
		}
	}
	*to++ = '"';
	out->len += (size_t)(to - start);
}

static unsigned
members(struct slice object)
{
	struct json_walk w = json_members(object);
	struct slice name, value;
	unsigned n = 0;

	while (json_member(&w, &name, &value))
		n++;
	return n;
}

/* Do two values say the same?  Members in any order; numbers by their text. */
static bool
same_value(struct slice a, struct slice b)
{
	struct json_walk wa, wb;
	struct slice name, va, vb;
	bool more;

	if (slice_equal(a, b))
		return true;
	if (*a.p != *b.p)
		return false;
	if (*a.p == '"')
		return same_text((struct slice) { a.p + 1, a.n - 2 },
		    (struct slice) { b.p + 1, b.n - 2 });
	if (*a.p == '{') {
		wa = json_members(a);
		while (json_member(&wa, &name, &va))
			if (!find(b, name, &vb) || !same_value(va, vb))
				return false;
		return members(a) == members(b);
	}
	if (*a.p == '[') {
		wa = json_elements(a);
		wb = json_elements(b);
		while (json_element(&wa, &va))
			if (!json_element(&wb, &vb) || !same_value(va, vb))
				return false;
		more = json_element(&wb, &vb);
		return !more;
	}
	return false;
}

static void
add_name(struct buf *out, struct slice raw, bool *first)
{
	if (!*first)
		buf_addc(out, ',');
	*first = false;
	buf_addc(out, '"');
	buf_add(out, raw.p, raw.n);
	buf_adds(out, "\":");
}

bool
json_merge(struct buf *out, struct slice old, struct slice change)
{
	struct json_walk w = json_members(old);
	struct slice name, value, new;
	bool changed = false, first = true;

	buf_addc(out, '{');
	while (json_member(&w, &name, &value)) {
		add_name(out, name, &first);
		if (!find(change, name, &new)) {
			buf_add(out, value.p, value.n);
		} else if (*value.p == '{' && *new.p == '{') {
			if (json_merge(out, value, new))
				changed = true;
		} else {
			buf_add(out, new.p, new.n);
			if (!same_value(value, new))
				changed = true;
		}
	}
	w = json_members(change);
	while (json_member(&w, &name, &new)) {
		if (find(old, name, &value))
			continue;
		add_name(out, name, &first);
		buf_add(out, new.p, new.n);
		changed = true;
	}
	buf_addc(out, '}');
	return changed;
}
