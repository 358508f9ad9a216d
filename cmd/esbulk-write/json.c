#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "hex.h"
#include "json.h"

/* Deeper is no document: Jackson stops at 1000, and before that limit at its stack. */
#define MAX_DEPTH 16384

/* Behind blanks and comments; end when nothing else follows. */
static const char *
skip_blanks(const char *p, const char *end)
{
	while (p < end) {
		if (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r') {
			p++;
		} else if (*p == '/' && end - p > 1 && p[1] == '/') {
			while (p < end && *p != '\n' && *p != '\r')
				p++;
		} else if (*p == '/' && end - p > 1 && p[1] == '*') {
			const char *close = memmem(p + 2, (size_t)(end - p) - 2, "*/", 2);

			if (close == NULL)
				return end;
			p = close + 2;
		} else {
			break;
		}
	}
	return p;
}

/* Behind the string whose opening quote p is at; NULL when it has no end. */
static const char *
skip_string(const char *p, const char *end)
{
	for (p++; p < end; p++) {
		if (*p == '"')
			return p + 1;
		if (*p == '\\')
			p++;
	}
	return NULL;
}

static bool
is_scalar(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	    c == '-' || c == '+' || c == '.';
}

/* Behind the value that p is at; NULL: there is none, or it is damaged. */
static const char *
skip_value(const char *p, const char *end)
{
	uint64_t square[MAX_DEPTH / 64];
	size_t depth = 0;

	do {
		/* Commas and colons are not judged: only brackets and strings must fit. */
		while (depth > 0 && (p = skip_blanks(p, end)) < end && (*p == ',' || *p == ':'))
			p++;
		if (p == end)
			return NULL;
		if (*p == '{' || *p == '[') {
			uint64_t bit = UINT64_C(1) << depth % 64;

			if (depth == MAX_DEPTH)
				return NULL;
			square[depth / 64] = (depth % 64 == 0 ? 0 : square[depth / 64] & ~bit) |
			    (*p == '[' ? bit : 0);
			depth++;
			p++;
		} else if (*p == '}' || *p == ']') {
			if (depth == 0)
				return NULL;
			depth--;
			if ((square[depth / 64] >> depth % 64 & 1) != (*p == ']'))
				return NULL;
			p++;
		} else if (*p == '"') {
			if ((p = skip_string(p, end)) == NULL)
				return NULL;
		} else if (is_scalar(*p)) {
			while (p < end && is_scalar(*p))
				p++;
		} else {
			return NULL;
		}
	} while (depth > 0);
	return p;
}

struct json_text
json_trim(struct json_text t)
{
	const char *end = t.p + t.n;
	const char *p = skip_blanks(t.p, end);
	const char *last = skip_value(p, end);

	/* Comments behind a value can only be known from its start. */
	if (last != NULL && skip_blanks(last, end) == end)
		end = last;
	return (struct json_text) { p, (size_t)(end - p) };
}

bool
json_valid(struct json_text t)
{
	const char *end = t.p + t.n;
	const char *p = skip_value(skip_blanks(t.p, end), end);

	return p != NULL && skip_blanks(p, end) == end;
}

struct json_walk
json_open(struct json_text t)
{
	struct json_walk w = { .end = t.p + t.n, .first = true };

	w.p = skip_blanks(t.p, w.end);
	if (w.p < w.end && (*w.p == '{' || *w.p == '['))
		w.close = *w.p++ == '{' ? '}' : ']';
	return w;
}

int
json_next(struct json_walk *w, struct json_text *name, struct json_text *value)
{
	const char *p = w->p;

	if (w->close == 0 || (p = skip_blanks(p, w->end)) == w->end)
		return -1;
	if (*p == w->close)
		return skip_blanks(p + 1, w->end) == w->end ? 0 : -1;
	if (!w->first) {
		if (*p != ',')
			return -1;
		p = skip_blanks(p + 1, w->end);
	}
	w->first = false;
	*name = (struct json_text) { 0 };
	if (w->close == '}') {
		const char *start = p;

		if (p == w->end || *p != '"' || (p = skip_string(p, w->end)) == NULL)
			return -1;
		*name = (struct json_text) { start + 1, (size_t)(p - start) - 2 };
		p = skip_blanks(p, w->end);
		if (p == w->end || *p != ':')
			return -1;
		p = skip_blanks(p + 1, w->end);
	}
	value->p = p;
	if ((p = skip_value(p, w->end)) == NULL)
		return -1;
	value->n = (size_t)(p - value->p);
	w->p = p;
	return 1;
}

struct json_text
json_member(struct json_text object, const char *name)
{
	struct json_text found = { 0 }, n, value;
	struct json_walk w = json_open(object);

	while (w.close == '}' && json_next(&w, &n, &value) > 0)
		if (json_is(n, name, strlen(name)))
			found = value;
	return found;
}

static int
hex(const char *p)
{
	int v = 0;

	for (int i = 0; i < 4; i++) {
		int c = hex_digit(p[i]);

		if (c < 0)
			return -1;
		v = v << 4 | c;
	}
	return v;
}

/*
 * The character that the escape at p stands for, as UTF-8; *len says how many bytes, the
 * result is how many the escape has.  What is none is taken as it stands.
 */
static size_t
unescape(const char *p, size_t n, char to[4], size_t *len)
{
	static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
	const char *simple = n > 1 && p[1] != '\0' ? strchr(from, p[1]) : NULL;
	int c, low;

	*len = 1;
	to[0] = p[0];
	if (simple != NULL) {
		to[0] = into[simple - from];
		return 2;
	}
	if (n < 6 || p[1] != 'u' || (c = hex(p + 2)) < 0)
		return 1;
	if (c >= 0xd800 && c < 0xdc00 && n >= 12 && p[6] == '\\' && p[7] == 'u' &&
	    (low = hex(p + 8)) >= 0xdc00 && low < 0xe000) {
		c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
		to[0] = (char)(0xf0 | c >> 18);
		to[1] = (char)(0x80 | (c >> 12 & 0x3f));
		to[2] = (char)(0x80 | (c >> 6 & 0x3f));
		to[3] = (char)(0x80 | (c & 0x3f));
		*len = 4;
		return 12;
	}
	if (c < 0x80) {
		to[0] = (char)c;
	} else if (c < 0x800) {
		to[0] = (char)(0xc0 | c >> 6);
		to[1] = (char)(0x80 | (c & 0x3f));
		*len = 2;
	} else {
		to[0] = (char)(0xe0 | c >> 12);
		to[1] = (char)(0x80 | (c >> 6 & 0x3f));
		to[2] = (char)(0x80 | (c & 0x3f));
		*len = 3;
	}
	return 6;
}

bool
json_is(struct json_text w, const char *name, size_t len)
{
	if (memchr(w.p, '\\', w.n) == NULL)
		return w.n == len && memcmp(w.p, name, len) == 0;
	while (w.n > 0) {
		char c[4] = { w.p[0] };
		size_t n = 1, used = 1;

		if (w.p[0] == '\\')
			used = unescape(w.p, w.n, c, &n);
		if (n > len || memcmp(c, name, n) != 0)
			return false;
		name += n;
		len -= n;
		w.p += used;
		w.n -= used;
	}
	return len == 0;
}

void
json_unescape(struct buf *b, struct json_text s)
{
	const char *p = s.p + 1, *end = s.p + s.n - 1;

	while (p < end) {
		char c[4] = { *p };
		size_t n = 1;

		p += *p == '\\' ? unescape(p, (size_t)(end - p), c, &n) : 1;
		buf_add(b, c, n);
	}
}

void
json_put_line(struct buf *b, struct json_text v)
{
	const char *p = v.p, *end = v.p + v.n;

	if (memchr(p, '\n', v.n) == NULL && memchr(p, '\r', v.n) == NULL) {
		buf_add(b, p, v.n);
		return;
	}
	while (p < end) {
		const char *from = p;

		if (*p == '"') {
			p = skip_string(p, end);
			if (p == NULL)
				p = end;
			/* No JSON has a bare line end in a string; but nothing else may either. */
			for (; from < p; from++)
				if (*from == '\n' || *from == '\r')
					buf_adds(b, *from == '\n' ? "\\n" : "\\r");
				else
					buf_addc(b, *from);
		} else if ((p = skip_blanks(p, end)) > from) {
			size_t n = (size_t)(p - from);
			bool plain = memchr(from, '\n', n) == NULL &&
			    memchr(from, '\r', n) == NULL && memchr(from, '/', n) == NULL;

			buf_add(b, plain ? from : " ", plain ? n : 1);
		} else {
			buf_addc(b, *p++);
		}
	}
}

void
json_put_string(struct buf *b, const char *s, size_t n)
{
	size_t from = 0;

	buf_addc(b, '"');
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		buf_add(b, s + from, i - from);
		from = i + 1;
		if (c >= 0x20) {
			buf_addc(b, '\\');
			buf_addc(b, s[i]);
		} else {
			buf_printf(b, "\\u%04x", c);
		}
	}
	buf_add(b, s + from, n - from);
	buf_addc(b, '"');
}

struct frame_str
json_string(struct buf *b, struct json_text t)
{
	b->len = 0;
	if (t.p == NULL || *t.p != '"')
		return (struct frame_str) { 0 };
	json_unescape(b, t);
	return (struct frame_str) { buf_cstr(b), (uint32_t)b->len };
}

bool
json_uint(struct json_text t, uint64_t *n)
{
	*n = 0;
	for (size_t i = 0; i < t.n; i++) {
		uint64_t digit = (uint64_t)(t.p[i] - '0');

		if (t.p[i] < '0' || t.p[i] > '9')
			return false;
		*n = *n > (UINT64_MAX - digit) / 10 ? UINT64_MAX : *n * 10 + digit;
	}
	return t.n > 0;
}
