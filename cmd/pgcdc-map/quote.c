#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "identifier.h"
#include "quote.h"

#define ONES (~(uint64_t)0 / 255)
#define TOPS (ONES * 0x80)

/* Is one of these eight bytes a control character, a quote or a backslash?  (x - ONES * n)
 * & ~x & TOPS has a bit set when a byte of x is below n, which is at most 0x80.) */
static inline bool
needs_escape(uint64_t x)
{
	uint64_t quote = x ^ (ONES * '"');
	uint64_t backslash = x ^ (ONES * '\\');

	return ((((x - ONES * 0x20) & ~x) | ((quote - ONES) & ~quote) |
	            ((backslash - ONES) & ~backslash)) &
	           TOPS) != 0;
}

/* The letter behind the backslash; 'u' for the long form, 0 for bytes that stay. */
static const char escapes[256] = { 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'b', 't', 'n', 'u',
	'f', 'r', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u', 'u',
	'u', 'u', ['"'] = '"', ['\\'] = '\\' };

/* A few bytes one by one.  o has room for six times as many. */
static char *
escape_bytes(char *o, const char *s, size_t n)
{
	static const char hex[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)s[i];

		if (escapes[c] == 0) {
			*o++ = (char)c;
			continue;
		}
		*o++ = '\\';
		*o++ = escapes[c];
		if (escapes[c] == 'u') {
			*o++ = '0';
			*o++ = '0';
			*o++ = hex[c >> 4];
			*o++ = hex[c & 15];
		}
	}
	return o;
}

void
quote_escaped(struct buf *b, const char *s, size_t len)
{
	/* Room for all as it is and for one more group in its longest form. */
	char *o = buf_reserve(b, len + 64);

	while (len >= 8) {
		uint64_t x;

		memcpy(&x, s, 8);
		if (!needs_escape(x)) {
			memcpy(o, s, 8);
			o += 8;
		} else {
			o = escape_bytes(o, s, 8);
			b->len = (size_t)(o - b->data);
			o = buf_reserve(b, len + 64);
		}
		s += 8;
		len -= 8;
	}
	o = escape_bytes(o, s, len);
	b->len = (size_t)(o - b->data);
}

void
quote_string(struct buf *b, const char *s, size_t len)
{
	buf_addc(b, '"');
	quote_escaped(b, s, len);
	buf_addc(b, '"');
}

void
quote_identifier(struct buf *b, const char *name)
{
	if (name[strspn(name, "abcdefghijklmnopqrstuvwxyz_0123456789")] == '\0' &&
	    (name[0] < '0' || name[0] > '9')) {
		buf_adds(b, name);
		return;
	}
	identifier_put(b, name);
}
