#include <stdint.h>
#include <string.h>
#include <wctype.h>

#include "expr_text.h"
#include "utf8.h"

/* The character at s, and how many bytes it has. */
static uint32_t
take_char(const char *s, size_t n, size_t *len)
{
	const unsigned char *p = (const unsigned char *)s;

	*len = 1;
	if (p[0] < 0x80)
		return p[0];
	*len = utf8_char(s, n);
	switch (*len) {
	case 2: return (p[0] & 0x1fu) << 6 | (p[1] & 0x3fu);
	case 3: return (p[0] & 0x0fu) << 12 | (p[1] & 0x3fu) << 6 | (p[2] & 0x3fu);
	case 4:
		return (p[0] & 0x07u) << 18 | (p[1] & 0x3fu) << 12 | (p[2] & 0x3fu) << 6 |
		    (p[3] & 0x3fu);
	default:
		*len = 1;
		return 0x110000u + p[0]; /* no character: like nothing else */
	}
}

static size_t
char_len(const char *s, size_t n)
{
	size_t len = utf8_char(s, n);

	return len > 0 ? len : 1;
}

static uint32_t
lower(uint32_t c)
{
	if (c < 0x80)
		return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c;
	return c < 0x110000 ? (uint32_t)towlower((wint_t)c) : c;
}

static uint32_t
upper(uint32_t c)
{
	if (c < 0x80)
		return c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c;
	return c < 0x110000 ? (uint32_t)towupper((wint_t)c) : c;
}

static bool
is_escape(const struct like *like, const char *p, size_t n)
{
	return like->escape_len > 0 && n >= like->escape_len &&
	    memcmp(p, like->escape, like->escape_len) == 0;
}

bool
like_cut(const struct like *like, const char *pattern, size_t len)
{
	for (size_t i = 0; i < len;) {
		if (is_escape(like, pattern + i, len - i)) {
			i += like->escape_len;
			if (i == len)
				return true;
		}
		i += char_len(pattern + i, len - i);
	}
	return false;
}

/* One character of the pattern, p > 0 bytes of it, against one of the text. */
static bool
match_char(const struct like *like, const char *text, size_t n, const char *pattern, size_t p,
    size_t *text_taken, size_t *pattern_taken)
{
	uint32_t a = take_char(text, n, text_taken), b;
	size_t escaped = 0;

	if (is_escape(like, pattern, p)) {
		escaped = like->escape_len;
		if (escaped == p)
			return false;
	} else if (*pattern == '_') {
		*pattern_taken = 1;
		return true;
	}
	b = take_char(pattern + escaped, p - escaped, pattern_taken);
	*pattern_taken += escaped;
	return a == b || (like->ignore_case && lower(a) == lower(b));
}

/*
 * What stands between two % is found at its first place, for a later one could not do
 * better; so there is never more than the last % to come back to.
 */
bool
like_match(const struct like *like, const char *text, size_t len, const char *pattern,
    size_t pattern_len)
{
	size_t i = 0, j = 0, retry = 0, behind_percent = 0;
	bool percent = false;

	for (;;) {
		size_t n = 0, p = 0;
		bool left = j < pattern_len;

		if (left && pattern[j] == '%' && !is_escape(like, pattern + j, pattern_len - j)) {
			percent = true;
			behind_percent = ++j;
			retry = i;
			if (j == pattern_len)
				return true;
		} else if (i == len) {
			return !left;
		} else if (left &&
		    match_char(like, text + i, len - i, pattern + j, pattern_len - j, &n, &p)) {
			i += n;
			j += p;
		} else if (!percent) {
			return false;
		} else {
			retry += char_len(text + retry, len - retry);
			i = retry;
			j = behind_percent;
		}
	}
}

static void
put_char(struct buf *b, uint32_t c)
{
	char *o = buf_reserve(b, 4);

	if (c < 0x80) {
		o[0] = (char)c;
		b->len += 1;
	} else if (c < 0x800) {
		o[0] = (char)(0xc0 | c >> 6);
		o[1] = (char)(0x80 | (c & 0x3f));
		b->len += 2;
	} else if (c < 0x10000) {
		o[0] = (char)(0xe0 | c >> 12);
		o[1] = (char)(0x80 | (c >> 6 & 0x3f));
		o[2] = (char)(0x80 | (c & 0x3f));
		b->len += 3;
	} else {
		o[0] = (char)(0xf0 | c >> 18);
		o[1] = (char)(0x80 | (c >> 12 & 0x3f));
		o[2] = (char)(0x80 | (c >> 6 & 0x3f));
		o[3] = (char)(0x80 | (c & 0x3f));
		b->len += 4;
	}
}

void
text_case(struct buf *b, const char *s, size_t n, bool to_upper)
{
	for (size_t i = 0, len; i < n; i += len) {
		uint32_t c = take_char(s + i, n - i, &len);

		if (c < 0x110000)
			put_char(b, to_upper ? upper(c) : lower(c));
		else
			buf_addc(b, s[i]);
	}
}

size_t
text_length(const char *s, size_t n)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i += char_len(s + i, n - i))
		count++;
	return count;
}
