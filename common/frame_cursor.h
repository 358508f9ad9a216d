#ifndef FRAME_CURSOR_H
#define FRAME_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What frame_action.c and frame_row.c share: what is left of the bytes that have arrived. */
struct cursor {
	const unsigned char *p, *end;
};

/* The next value's first byte; false: it has not arrived. */
static inline bool
cursor_head(struct cursor *c, unsigned char *head)
{
	if (c->p == c->end)
		return false;
	*head = *c->p++;
	return true;
}

/* n bytes, most significant first. */
static inline bool
cursor_number(struct cursor *c, unsigned n, uint64_t *v)
{
	if ((size_t)(c->end - c->p) < n)
		return false;
	for (*v = 0; n > 0; n--)
		*v = *v << 8 | *c->p++;
	return true;
}

/* n bytes as they are. */
static inline bool
cursor_bytes(struct cursor *c, uint64_t n, const char **p)
{
	if ((uint64_t)(c->end - c->p) < n)
		return false;
	*p = (const char *)c->p;
	c->p += n;
	return true;
}

#endif
