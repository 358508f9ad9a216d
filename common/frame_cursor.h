#ifndef FRAME_CURSOR_H
#define FRAME_CURSOR_H

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

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

/* n bytes, which are 1, 2, 4 or 8, most significant first. */
static inline bool
cursor_number(struct cursor *c, unsigned n, uint64_t *v)
{
	uint16_t two;
	uint32_t four;

	if ((size_t)(c->end - c->p) < n)
		return false;
	switch (n) {
	case 1: *v = *c->p; break;
	case 2: *v = be16toh(*(const uint16_t *)memcpy(&two, c->p, n)); break;
	case 4: *v = be32toh(*(const uint32_t *)memcpy(&four, c->p, n)); break;
	default: *v = be64toh(*(const uint64_t *)memcpy(v, c->p, n));
	}
	c->p += n;
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
