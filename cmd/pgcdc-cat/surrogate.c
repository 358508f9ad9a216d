#include <stdlib.h>
#include <string.h>

#include "surrogate.h"

/* The value of \uXXXX at p, where n bytes are left; -1 when there is none. */
static long
unicode_escape(const char *p, size_t n)
{
	char hex[5] = { 0 };

	if (n < 6 || p[0] != '\\' || p[1] != 'u')
		return -1;
	memcpy(hex, p + 2, 4);
	return strspn(hex, "0123456789abcdefABCDEF") == 4 ? strtol(hex, NULL, 16) : -1;
}

/* Do the last n bytes begin an escape that is cut off? */
static bool
escape_is_cut(const char *p, size_t n)
{
	static const char begins[] = "\\u";

	for (size_t i = 0; i < n; i++)
		if (i < 2 ? p[i] != begins[i]
			  : memchr("0123456789abcdefABCDEF", p[i], 22) == NULL)
			return false;
	return n < 6;
}

/* In JSON a backslash stands nowhere but in strings, so no more need be known of it. */
bool
surrogates_paired(const char *p, size_t n)
{
	const char *end = p + n;

	while ((p = memchr(p, '\\', (size_t)(end - p))) != NULL && end - p >= 2) {
		long c = unicode_escape(p, (size_t)(end - p));

		if (c < 0xd800 || c > 0xdfff) {
			p += 2;
			continue;
		}
		p += 6;
		if (c >= 0xdc00)
			return false;
		if (escape_is_cut(p, (size_t)(end - p)))
			return true;
		c = unicode_escape(p, (size_t)(end - p));
		if (c < 0xdc00 || c > 0xdfff)
			return false;
		p += 6;
	}
	return true;
}
