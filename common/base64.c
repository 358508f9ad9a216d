#include <stdint.h>
#include <string.h>

#include "base64.h"

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void
base64_encode(const char *in, size_t n, char *out)
{
	const unsigned char *p = (const unsigned char *)in;

	for (; n >= 3; n -= 3, p += 3) {
		uint32_t v = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];

		*out++ = alphabet[v >> 18];
		*out++ = alphabet[v >> 12 & 63];
		*out++ = alphabet[v >> 6 & 63];
		*out++ = alphabet[v & 63];
	}
	if (n > 0) {
		uint32_t v = (uint32_t)p[0] << 16 | (n > 1 ? (uint32_t)p[1] << 8 : 0);

		*out++ = alphabet[v >> 18];
		*out++ = alphabet[v >> 12 & 63];
		*out++ = '=';
		*out++ = '=';
		if (n > 1)
			out[-2] = alphabet[v >> 6 & 63];
	}
}

ptrdiff_t
base64_size(const char *in, size_t n)
{
	size_t size = n / 4 * 3;

	if (n % 4 != 0)
		return -1;
	if (n > 0 && in[n - 1] == '=')
		size -= in[n - 2] == '=' ? 2 : 1;
	return (ptrdiff_t)size;
}

/* The six bits of each character, 64 for what is none. */
static const unsigned char *
table(void)
{
	static unsigned char bits[256];
	static int ready;

	if (!ready) {
		memset(bits, 64, sizeof(bits));
		for (unsigned char i = 0; i < 64; i++)
			bits[(unsigned char)alphabet[i]] = i;
		ready = 1;
	}
	return bits;
}

int
base64_decode(const char *in, size_t n, char *out)
{
	const unsigned char *p = (const unsigned char *)in, *bits = table();
	size_t left = (size_t)base64_size(in, n), whole = left / 3;
	uint32_t a, b, c, d;

	for (size_t i = 0; i < whole; i++, p += 4) {
		a = bits[p[0]], b = bits[p[1]], c = bits[p[2]], d = bits[p[3]];
		if ((a | b | c | d) > 63)
			return -1;
		*out++ = (char)(a << 2 | b >> 4);
		*out++ = (char)(b << 4 | c >> 2);
		*out++ = (char)(c << 6 | d);
	}
	left -= 3 * whole;
	if (left == 0)
		return 0;
	a = bits[p[0]], b = bits[p[1]], c = left == 2 ? bits[p[2]] : 0;
	/* Bits that no byte takes up must be 0: one text for one value. */
	if ((a | b | c) > 63 || (left == 1 ? b & 15 : c & 3) != 0)
		return -1;
	*out++ = (char)(a << 2 | b >> 4);
	if (left == 2)
		*out = (char)(b << 4 | c >> 2);
	return 0;
}
