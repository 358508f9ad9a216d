#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base64.h"
#include "lsn.h"
#include "print.h"
#include "utf8.h"
#include "value.h"

/* Every integer up to here is a float, too. */
#define INT_EXACT (UINT64_C(1) << 53)

/*
 * jq 1.6 refuses text nested 256 deep, where an object counts twice (its key is a level).
 * What stands deeper than this is printed as MessagePack.  The tags inside add a few.
 */
#define DEPTH_MAX 240

/* Text is put piece by piece, so that a large value is never held twice. */
#define PIECE ((size_t)48 * 1024)

static const char *
print_value(struct printer *, const char *at, const char *end, unsigned depth);

static struct buf *
text(struct printer *p)
{
	return &p->out->o.buf;
}

static void
put_uint(struct buf *b, uint64_t u)
{
	char tmp[20];
	size_t n = sizeof(tmp);

	do
		tmp[--n] = (char)('0' + u % 10);
	while ((u /= 10) > 0);
	buf_add(b, tmp + n, sizeof(tmp) - n);
}

static void
put_escape(struct buf *b, unsigned char c)
{
	switch (c) {
	case '"': buf_add(b, "\\\"", 2); break;
	case '\\': buf_add(b, "\\\\", 2); break;
	case '\n': buf_add(b, "\\n", 2); break;
	case '\r': buf_add(b, "\\r", 2); break;
	case '\t': buf_add(b, "\\t", 2); break;
	default: buf_printf(b, "\\u%04x", c); break;
	}
}

/* The characters that JSON wants escaped, and DEL, which terminals don't show. */
static bool
is_plain(unsigned char c)
{
	return c >= 0x20 && c != '"' && c != '\\' && c != 0x7f;
}

/* A string that is known to be UTF-8. */
static void
put_string(struct printer *p, const char *s, size_t n)
{
	buf_addc(text(p), '"');
	while (n > 0) {
		size_t piece = n < PIECE ? n : PIECE, run = 0;

		while (run < piece && is_plain((unsigned char)s[run]))
			run++;
		buf_add(text(p), s, run);
		if (run < piece)
			put_escape(text(p), (unsigned char)s[run++]);
		s += run;
		n -= run;
		stream_room(p->out);
	}
	buf_addc(text(p), '"');
}

static void
put_base64(struct printer *p, const char *s, size_t n)
{
	struct buf *b = text(p);

	buf_addc(b, '"');
	while (n > 0) {
		/* Three divide PIECE: padding comes at the end alone. */
		size_t piece = n < PIECE ? n : PIECE;

		base64_encode(s, piece, buf_reserve(b, BASE64_LEN(piece)));
		b->len += BASE64_LEN(piece);
		s += piece;
		n -= piece;
		stream_room(p->out);
	}
	buf_addc(b, '"');
}

static void
put_tagged_base64(struct printer *p, const char *tag, const char *s, size_t n)
{
	buf_adds(text(p), tag);
	put_base64(p, s, n);
	buf_addc(text(p), '}');
}

static void
print_int(struct printer *p, const struct value *v)
{
	bool negative = v->kind == VALUE_NEGATIVE;
	uint64_t u = negative ? -(uint64_t)v->i : v->u;
	bool tagged = u > INT_EXACT;

	if (tagged)
		buf_adds(text(p), "{\"$int\":\"");
	if (negative)
		buf_addc(text(p), '-');
	put_uint(text(p), u);
	if (tagged)
		buf_adds(text(p), "\"}");
}

/* The fewest digits that come back as the same float. */
static void
put_float(struct buf *b, double d)
{
	/* 15 digits always survive, but for those below the normal range. */
	int precision = fabs(d) < DBL_MIN ? 1 : 15;
	char tmp[40];

	for (; precision <= 17; precision++) {
		snprintf(tmp, sizeof(tmp), "%.*g", precision, d);
		if (strtod(tmp, NULL) == d)
			break;
	}
	buf_adds(b, tmp);
}

/* at: where the value stands, for those of which JSON text cannot tell everything. */
static void
print_float(struct printer *p, double d, const char *at, const char *behind)
{
	static const unsigned char nan_bytes[] = { 0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0 };
	struct buf *b = text(p);

	if (isnan(d)) {
		/* A NaN has bits that nobody names; the usual one has a name. */
		if (*at == '\xcb' && memcmp(at, nan_bytes, sizeof(nan_bytes)) != 0)
			put_tagged_base64(p, "{\"$msgpack\":", at, (size_t)(behind - at));
		else
			buf_adds(b, "{\"$float\":\"NaN\"}");
	} else if (isinf(d)) {
		buf_adds(b,
		    d < 0 ? "{\"$float\":\"-Infinity\"}" : "{\"$float\":\"Infinity\"}");
	} else if (d == floor(d)) {
		buf_adds(b, "{\"$float\":\"");
		put_float(b, d);
		buf_adds(b, "\"}");
	} else {
		put_float(b, d);
	}
}

static void
print_str(struct printer *p, const struct value *v)
{
	if (utf8_valid(v->ptr, v->len))
		put_string(p, v->ptr, v->len);
	else
		put_tagged_base64(p, "{\"$str\":", v->ptr, v->len);
}

static void
print_ext(struct printer *p, const struct value *v)
{
	struct buf *b = text(p);

	if (v->ext == FRAME_EXT_ABSENT && v->len == 0) {
		buf_adds(b, "{\"$absent\":true}");
	} else if (v->ext == FRAME_EXT_JSON && utf8_valid(v->ptr, v->len)) {
		buf_adds(b, "{\"$json\":");
		put_string(p, v->ptr, v->len);
		buf_addc(b, '}');
	} else {
		buf_printf(b, "{\"$ext\":[%d,", v->ext);
		put_base64(p, v->ptr, v->len);
		buf_adds(b, "]}");
	}
}

static int
compare_keys(const void *a, const void *b)
{
	const struct frame_str *x = a, *y = b;
	int d = memcmp(x->ptr, y->ptr, x->len < y->len ? x->len : y->len);

	return d != 0 ? d : (x->len > y->len) - (x->len < y->len);
}

/*
 * Can this map's keys be an object's?  They are, unless one is no string, is not UTF-8,
 * looks like a tag, or comes twice.  -1: the map is not whole.
 */
static int
is_object(struct printer *p, const char *at, const char *end, uint32_t pairs)
{
	struct value k;

	for (uint32_t i = 0; i < pairs; i++) {
		at = value_read(at, end, &k);
		if (at == NULL)
			return -1;
		if (k.kind != VALUE_STR || (k.len > 0 && k.ptr[0] == '$') ||
		    !utf8_valid(k.ptr, k.len))
			return 0;
		if (i == p->keys_cap) {
			p->keys_cap = i == 0 ? 64 : 2 * (size_t)i;
			p->keys = xrealloc(p->keys, p->keys_cap * sizeof(*p->keys));
		}
		p->keys[i] = (struct frame_str){ k.ptr, k.len };
		at = value_skip(at, end);
		if (at == NULL)
			return -1;
	}
	if (pairs < 2)
		return 1;
	qsort(p->keys, pairs, sizeof(*p->keys), compare_keys);
	for (uint32_t i = 1; i < pairs; i++)
		if (compare_keys(&p->keys[i - 1], &p->keys[i]) == 0)
			return 0;
	return 1;
}

static const char *
print_map(
    struct printer *p, const char *at, const char *end, uint32_t pairs, unsigned depth)
{
	struct buf *b = text(p);
	int object = is_object(p, at, end, pairs);

	if (object < 0)
		return NULL;
	depth += object ? 2 : 4;
	buf_adds(b, object ? "{" : "{\"$map\":[");
	for (uint32_t i = 0; i < pairs && at != NULL; i++) {
		if (i > 0)
			buf_addc(b, ',');
		if (!object)
			buf_addc(b, '[');
		at = print_value(p, at, end, depth);
		if (at == NULL)
			return NULL;
		buf_addc(b, object ? ':' : ',');
		at = print_value(p, at, end, depth);
		if (!object)
			buf_addc(b, ']');
	}
	buf_adds(b, object ? "}" : "]}");
	return at;
}

static const char *
print_array(
    struct printer *p, const char *at, const char *end, uint32_t n, unsigned depth)
{
	buf_addc(text(p), '[');
	for (uint32_t i = 0; i < n && at != NULL; i++) {
		if (i > 0)
			buf_addc(text(p), ',');
		at = print_value(p, at, end, depth + 1);
	}
	buf_addc(text(p), ']');
	return at;
}

/* depth: the levels of JSON that are open.  Returns what is behind the value, or NULL. */
static const char *
print_value(struct printer *p, const char *at, const char *end, unsigned depth)
{
	const char *head = at;
	struct value v;

	at = value_read(at, end, &v);
	if (at == NULL)
		return NULL;
	if ((v.kind == VALUE_ARRAY || v.kind == VALUE_MAP) && depth >= DEPTH_MAX) {
		at = value_skip(head, end);
		if (at != NULL)
			put_tagged_base64(p, "{\"$msgpack\":", head, (size_t)(at - head));
		return at;
	}
	switch (v.kind) {
	case VALUE_NIL: buf_adds(text(p), "null"); break;
	case VALUE_BOOL: buf_adds(text(p), v.b ? "true" : "false"); break;
	case VALUE_UINT:
	case VALUE_NEGATIVE: print_int(p, &v); break;
	case VALUE_FLOAT: print_float(p, v.d, head, at); break;
	case VALUE_STR: print_str(p, &v); break;
	case VALUE_BIN: put_tagged_base64(p, "{\"$bin\":", v.ptr, v.len); break;
	case VALUE_EXT: print_ext(p, &v); break;
	case VALUE_ARRAY: at = print_array(p, at, end, v.len, depth); break;
	case VALUE_MAP: at = print_map(p, at, end, v.len, depth); break;
	}
	stream_room(p->out);
	return at;
}

/* An LSN as PostgreSQL prints it.  A string in its place is tagged, not to be taken for
 * one. */
static const char *
print_lsn(struct printer *p, const char *at, const char *end)
{
	char lsn[LSN_STRLEN];
	const char *behind;
	struct value v;

	behind = value_read(at, end, &v);
	if (behind != NULL && v.kind == VALUE_UINT) {
		buf_printf(text(p), "\"%s\"", lsn_print(v.u, lsn));
		return behind;
	}
	if (behind != NULL && v.kind == VALUE_STR) {
		put_tagged_base64(p, "{\"$str\":", v.ptr, v.len);
		return behind;
	}
	return print_value(p, at, end, 1);
}

int
print_frame(struct printer *p, const struct frame *f)
{
	const char *at = f->raw, *end = f->raw + f->len;
	int lsn_field = frame_lsn_field(f->letter);
	struct value v;

	at = value_read(at, end, &v);
	if (at == NULL || v.kind != VALUE_ARRAY)
		return -1;
	buf_addc(text(p), '[');
	for (uint32_t i = 0; i < v.len && at != NULL; i++) {
		if (i > 0)
			buf_addc(text(p), ',');
		if (lsn_field >= 0 && i == (uint32_t)lsn_field + 1)
			at = print_lsn(p, at, end);
		else
			at = print_value(p, at, end, 1);
	}
	buf_add(text(p), "]\n", 2);
	stream_room(p->out);
	return at == NULL ? -1 : 0;
}

void
print_free(struct printer *p)
{
	free(p->keys);
	*p = (struct printer){ 0 };
}
