#include <stdint.h>
#include <string.h>

#include "utf8.h"

#define HIGH_BITS UINT64_C(0x8080808080808080)

static bool
is_tail(unsigned char c)
{
	return (c & 0xc0) == 0x80;
}

size_t
utf8_char(const char *s, size_t n)
{
	const unsigned char *p = (const unsigned char *)s;

	if (p[0] < 0x80)
		return 1;
	if (p[0] < 0xc2)
		return 0;
	if (p[0] < 0xe0)
		return n >= 2 && is_tail(p[1]) ? 2 : 0;
	if (p[0] < 0xf0) {
		if (n < 3 || !is_tail(p[1]) || !is_tail(p[2]))
			return 0;
		if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] >= 0xa0))
			return 0;
		return 3;
	}
	if (p[0] > 0xf4 || n < 4 || !is_tail(p[1]) || !is_tail(p[2]) || !is_tail(p[3]))
		return 0;
	if ((p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] >= 0x90))
		return 0;
	return 4;
}

bool
utf8_valid(const char *s, size_t n)
{
	const char *p = s, *end;

	/* What is empty may be nowhere. */
	if (n == 0)
		return true;
	end = s + n;
	while (p < end) {
		uint64_t word;
		size_t len;

		/* Most text is ASCII: eight at a time. */
		while (end - p >= 8) {
			memcpy(&word, p, 8);
			if ((word & HIGH_BITS) != 0)
				break;
			p += 8;
		}
		if (p == end)
			break;
		if (*(const unsigned char *)p < 0x80) {
			p++;
			continue;
		}
		len = utf8_char(p, (size_t)(end - p));
		if (len == 0)
			return false;
		p += len;
	}
	return true;
}

size_t
utf8_prefix(const char *s, size_t n, size_t max)
{
	size_t end = 0, more;

	while (end < n && (more = utf8_char(s + end, n - end)) > 0 && end + more <= max)
		end += more;
	return end;
}
