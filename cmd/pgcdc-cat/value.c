#include <string.h>

#include "value.h"

static uint64_t
big_endian(const char *p, unsigned n)
{
	uint64_t v = 0;

	while (n-- > 0)
		v = v << 8 | (unsigned char)*p++;
	return v;
}

static void
set_int(struct value *v, int64_t i)
{
	if (i < 0) {
		v->kind = VALUE_NEGATIVE;
		v->i = i;
	} else {
		v->kind = VALUE_UINT;
		v->u = (uint64_t)i;
	}
}

/* Two's complement of n bytes. */
static int64_t
sign_extend(uint64_t u, unsigned n)
{
	unsigned shift = 64 - 8 * n;

	return (int64_t)(u << shift) >> shift;
}

static const char *
bytes(const char *p, const char *end, struct value *v, enum value_kind kind, uint64_t len)
{
	if ((uint64_t)(end - p) < len)
		return NULL;
	v->kind = kind;
	v->ptr = p;
	v->len = (uint32_t)len;
	return p + len;
}

static const char *
ext(const char *p, const char *end, struct value *v, uint64_t len)
{
	if (p == end)
		return NULL;
	v->ext = (int8_t)*p;
	return bytes(p + 1, end, v, VALUE_EXT, len);
}

/* The formats whose heads are a byte alone. */
static bool
read_short(unsigned char c, struct value *v)
{
	if (c < 0x80 || c >= 0xe0) {
		set_int(v, (int8_t)c);
	} else if (c < 0xa0) {
		v->kind = c < 0x90 ? VALUE_MAP : VALUE_ARRAY;
		v->len = c & 0x0f;
	} else if (c == 0xc0) {
		v->kind = VALUE_NIL;
	} else if (c == 0xc2 || c == 0xc3) {
		v->kind = VALUE_BOOL;
		v->b = c == 0xc3;
	} else {
		return false;
	}
	return true;
}

/* c4 to df: how many bytes of number follow the first byte; 0 for the fixext formats. */
static const unsigned char number_bytes[] = { 1, 2, 4, 1, 2, 4, 4, 8, 1, 2, 4, 8, 1, 2, 4,
	8, 0, 0, 0, 0, 0, 1, 2, 4, 2, 4, 2, 4 };

const char *
value_read(const char *p, const char *end, struct value *v)
{
	unsigned char c;
	unsigned n;
	uint64_t u;
	float f;

	if (p >= end)
		return NULL;
	c = (unsigned char)*p++;
	if (c >= 0xa0 && c < 0xc0)
		return bytes(p, end, v, VALUE_STR, c & 0x1f);
	if (read_short(c, v))
		return p;
	if (c == 0xc1)
		return NULL;
	n = number_bytes[c - 0xc4];
	if (end - p < (ptrdiff_t)n)
		return NULL;
	u = big_endian(p, n);
	p += n;
	switch (c) {
	case 0xc4:
	case 0xc5:
	case 0xc6: return bytes(p, end, v, VALUE_BIN, u);
	case 0xc7:
	case 0xc8:
	case 0xc9: return ext(p, end, v, u);
	case 0xca:
		u = u & UINT32_MAX;
		memcpy(&f, &(uint32_t){ (uint32_t)u }, sizeof(f));
		v->kind = VALUE_FLOAT;
		v->d = (double)f;
		return p;
	case 0xcb:
		v->kind = VALUE_FLOAT;
		memcpy(&v->d, &u, sizeof(v->d));
		return p;
	case 0xcc:
	case 0xcd:
	case 0xce:
	case 0xcf:
		v->kind = VALUE_UINT;
		v->u = u;
		return p;
	case 0xd0:
	case 0xd1:
	case 0xd2:
	case 0xd3: set_int(v, sign_extend(u, n)); return p;
	case 0xd4:
	case 0xd5:
	case 0xd6:
	case 0xd7:
	case 0xd8: return ext(p, end, v, UINT64_C(1) << (c - 0xd4));
	case 0xd9:
	case 0xda:
	case 0xdb: return bytes(p, end, v, VALUE_STR, u);
	default:
		v->kind = c < 0xde ? VALUE_ARRAY : VALUE_MAP;
		v->len = (uint32_t)u;
		return p;
	}
}

const char *
value_skip(const char *p, const char *end)
{
	uint64_t need = 1;
	struct value v;

	while (need > 0) {
		p = value_read(p, end, &v);
		if (p == NULL)
			return NULL;
		need--;
		if (v.kind == VALUE_ARRAY)
			need += v.len;
		else if (v.kind == VALUE_MAP)
			need += 2 * (uint64_t)v.len;
	}
	return p;
}
