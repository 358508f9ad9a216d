#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base64.h"
#include "frame.h"
#include "tag.h"
#include "value.h"

static const struct {
	const char *key;
	const char *wants;
} tags[TAG_COUNT] = {
	[TAG_INT] = { "$int", "$int takes the digits of an integer in a string" },
	[TAG_FLOAT] = { "$float",
	    "$float takes a number, NaN, Infinity or -Infinity in a string" },
	[TAG_BIN] = { "$bin", "$bin takes base64 in a string" },
	[TAG_STR] = { "$str", "$str takes base64 in a string" },
	[TAG_JSON] = { "$json", "$json takes JSON text in a string" },
	[TAG_ABSENT] = { "$absent", "$absent takes true" },
	[TAG_EXT] = { "$ext", "$ext takes [type, base64], the type from -128 to 127" },
	[TAG_MAP] = { "$map", "$map takes an array of [key, value]" },
	[TAG_MSGPACK] = { "$msgpack",
	    "$msgpack takes the base64 of one MessagePack value" },
};

static const char too_wide[] = "an integer of more than 64 bits";
static const char too_long[] = "a frame of more than 2 GiB";

enum tag
tag_find(const char *key, size_t n)
{
	enum tag t = 0;

	while (t < TAG_COUNT &&
	       (strlen(tags[t].key) != n || memcmp(tags[t].key, key, n) != 0))
		t++;
	return t;
}

const char *
tag_wants(enum tag t)
{
	return tags[t].wants;
}

const char *
tag_put_int(struct buf *b, const char *s, size_t n)
{
	bool negative = n > 0 && s[0] == '-';
	uint64_t u = 0;

	if (n == (size_t)negative)
		return tags[TAG_INT].wants;
	for (size_t i = negative; i < n; i++) {
		if (s[i] < '0' || s[i] > '9')
			return tags[TAG_INT].wants;
		if (u > (UINT64_MAX - (uint64_t)(s[i] - '0')) / 10)
			return too_wide;
		u = 10 * u + (uint64_t)(s[i] - '0');
	}
	if (negative && u > UINT64_C(1) << 63)
		return too_wide;
	if (negative)
		frame_put_int(b, (int64_t)(0 - u));
	else
		frame_put_uint(b, u);
	return NULL;
}

const char *
tag_put_float(struct buf *b, const char *s, size_t n)
{
	char tmp[64], *text = tmp, *end;
	bool whole;
	double d;

	for (size_t i = 0; i < n; i++)
		if (memchr("0123456789+-.eE", s[i], 15) == NULL)
			return tags[TAG_FLOAT].wants;
	if (n >= sizeof(tmp))
		text = xmalloc(n + 1);
	memcpy(text, s, n);
	text[n] = '\0';
	d = strtod(text, &end);
	whole = n > 0 && end == text + n;
	if (text != tmp)
		free(text);
	if (!whole)
		return tags[TAG_FLOAT].wants;
	if (isinf(d))
		return "a number beyond what a float holds";
	frame_put_float(b, d);
	return NULL;
}

static const char *
put_named_float(struct buf *b, const char *s, size_t n)
{
	if (n == 3 && memcmp(s, "NaN", 3) == 0)
		frame_put_float(b, (double)NAN);
	else if (n == 8 && memcmp(s, "Infinity", 8) == 0)
		frame_put_float(b, HUGE_VAL);
	else if (n == 9 && memcmp(s, "-Infinity", 9) == 0)
		frame_put_float(b, -HUGE_VAL);
	else
		return tag_put_float(b, s, n);
	return NULL;
}

/* The content is decoded in place, behind its head. */
static const char *
put_base64(struct buf *b, enum tag tag, int8_t ext, const char *s, size_t n)
{
	ptrdiff_t size = base64_size(s, n);
	msgpack_packer pk;
	const char *start;

	if (size < 0)
		return tags[tag].wants;
	if ((size_t)size > FRAME_MAX)
		return too_long;
	msgpack_packer_init(&pk, b, frame_write);
	if (tag == TAG_BIN)
		msgpack_pack_bin(&pk, (size_t)size);
	else if (tag == TAG_STR)
		msgpack_pack_str(&pk, (size_t)size);
	else if (tag == TAG_EXT)
		msgpack_pack_ext(&pk, (size_t)size, ext);
	start = buf_reserve(b, (size_t)size);
	if (base64_decode(s, n, b->data + b->len) != 0)
		return tags[tag].wants;
	b->len += (size_t)size;
	/* This goes into the frame as it is, so it must be whole, and one. */
	if (tag == TAG_MSGPACK && value_skip(start, start + size) != start + size)
		return tags[tag].wants;
	return NULL;
}

const char *
tag_put_string(struct buf *b, enum tag tag, int8_t ext, const char *s, size_t n)
{
	switch (tag) {
	case TAG_INT: return tag_put_int(b, s, n);
	case TAG_FLOAT: return put_named_float(b, s, n);
	case TAG_JSON: frame_put_ext(b, FRAME_EXT_JSON, s, n); return NULL;
	case TAG_BIN:
	case TAG_STR:
	case TAG_EXT:
	case TAG_MSGPACK: return put_base64(b, tag, ext, s, n);
	case TAG_ABSENT:
	case TAG_MAP:
	case TAG_COUNT: break;
	}
	return tags[tag].wants;
}
