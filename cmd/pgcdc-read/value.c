#include <stdlib.h>
#include <string.h>

#include "frame.h"
#include "literal.h"
#include "type.h"
#include "utf8.h"
#include "value.h"

void
value_put_text(struct buf *b, const char *text, size_t len)
{
	if (utf8_valid(text, len))
		frame_put_str(b, text, len);
	else
		frame_put_bin(b, text, len);
}

bool
value_put_int(struct buf *b, const char *text, size_t len)
{
	bool negative = len > 0 && text[0] == '-';
	uint64_t n = 0;
	size_t i = negative ? 1 : 0;

	if (i == len || len - i > 19)
		return false;
	for (; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		n = n * 10 + (uint64_t)(text[i] - '0');
	}
	if (negative && n > (uint64_t)INT64_MAX + 1)
		return false;
	if (negative)
		frame_put_int(b, (int64_t)(0 - n));
	else
		frame_put_uint(b, n);
	return true;
}

static void
put_float(struct buf *b, const char *text, size_t len)
{
	char tmp[64], *end;
	double d;

	if (len == 0 || len >= sizeof(tmp)) {
		value_put_text(b, text, len);
		return;
	}
	memcpy(tmp, text, len);
	tmp[len] = '\0';
	/* float4 too: 0.1 shall stay 0.1, not become 0.10000000149011612. */
	d = strtod(tmp, &end);
	if (end != tmp + len)
		value_put_text(b, text, len);
	else
		frame_put_float(b, d);
}

/* "2026-11-23 01:02:03.4+00", "0044-03-15 00:00:00 BC", "infinity". */
static void
put_timestamp(struct buf *b, const char *text, size_t len, bool zone)
{
	const char *space = memchr(text, ' ', len);
	size_t at = space ? (size_t)(space - text) : 0, tail = 0;
	char tmp[64];

	if (space == NULL || len + 1 >= sizeof(tmp) || !utf8_valid(text, len)) {
		value_put_text(b, text, len);
		return;
	}
	memcpy(tmp, text, len);
	tmp[at] = 'T';
	if (len > 3 && memcmp(text + len - 3, " BC", 3) == 0)
		tail = 3;
	if (zone && len - tail > 3 && memcmp(text + len - tail - 3, "+00", 3) == 0) {
		tmp[len - tail - 3] = 'Z';
		memcpy(tmp + len - tail - 2, text + len - tail, tail);
		len -= 2;
	}
	frame_put_str(b, tmp, len);
}

static int
nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void
put_bytea(struct buf *b, const char *text, size_t len)
{
	msgpack_packer pk;
	size_t n;
	char *out;

	if (len < 2 || len % 2 != 0 || text[0] != '\\' || text[1] != 'x') {
		value_put_text(b, text, len);
		return;
	}
	n = (len - 2) / 2;
	msgpack_packer_init(&pk, b, frame_write);
	msgpack_pack_bin(&pk, n);
	out = buf_reserve(b, n);
	for (size_t i = 0; i < n; i++) {
		int hi = nibble(text[2 + 2 * i]), lo = nibble(text[3 + 2 * i]);

		/* The server writes nothing else: a digit that is none becomes 0. */
		out[i] = (char)((hi < 0 ? 0 : hi) << 4 | (lo < 0 ? 0 : lo));
	}
	b->len += n;
}

void
value_put_inside(struct buf *b, const struct type *t, const char *text, size_t len,
    unsigned depth)
{
	switch (t->kind) {
	case VALUE_TEXT: value_put_text(b, text, len); return;
	case VALUE_BOOL:
		if (len == 1 && (text[0] == 't' || text[0] == 'f'))
			frame_put_bool(b, text[0] == 't');
		else
			value_put_text(b, text, len);
		return;
	case VALUE_INT:
		if (!value_put_int(b, text, len))
			value_put_text(b, text, len);
		return;
	case VALUE_FLOAT: put_float(b, text, len); return;
	case VALUE_TIMESTAMP: put_timestamp(b, text, len, false); return;
	case VALUE_TIMESTAMPTZ: put_timestamp(b, text, len, true); return;
	case VALUE_JSON:
		if (utf8_valid(text, len))
			frame_put_ext(b, FRAME_EXT_JSON, text, len);
		else
			frame_put_bin(b, text, len);
		return;
	case VALUE_BYTEA: put_bytea(b, text, len); return;
	case VALUE_DOMAIN: value_put_inside(b, t->element, text, len, depth); return;
	case VALUE_VECTOR:
	case VALUE_ARRAY:
	case VALUE_COMPOSITE:
	case VALUE_RANGE:
	case VALUE_MULTIRANGE:
	case VALUE_HSTORE:
		if (!literal_put(b, t, text, len, depth))
			value_put_text(b, text, len);
		return;
	}
}

void
value_put(struct buf *b, const struct type *t, const char *text, size_t len)
{
	value_put_inside(b, t, text, len, 0);
}

const char *
value_name(struct buf *b, const char *name)
{
	size_t len = strlen(name);

	if (utf8_valid(name, len))
		return name;
	b->len = 0;
	while (len > 0) {
		size_t n = 1;

		/* The shortest run that is valid is one character. */
		while (n < 4 && n < len && !utf8_valid(name, n))
			n++;
		if (!utf8_valid(name, n)) {
			n = 1;
			buf_printf(b, "\\x%02x", (unsigned char)*name);
		} else {
			buf_add(b, name, n);
		}
		name += n;
		len -= n;
	}
	return buf_cstr(b);
}
