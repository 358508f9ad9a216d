#ifndef SLICE_H
#define SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* Bytes that belong to somebody else.  p NULL: there is no value. */
struct slice {
	const char *p;
	size_t n;
};

#define SLICE(literal) ((struct slice) { (literal), sizeof(literal) - 1 })

static inline bool
slice_equal(struct slice a, struct slice b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* Is it this C string? */
static inline bool
slice_is(struct slice a, const char *s)
{
	return a.n == strlen(s) && memcmp(a.p, s, a.n) == 0;
}

#endif
