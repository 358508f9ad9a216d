#ifndef WIRE_H
#define WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* PostgreSQL counts from 2000-01-01 (src/include/datatype/timestamp.h). */
#define PG_EPOCH_US UINT64_C(946684800000000)

/*
 * A cursor over a message of the server: integers are big-endian, strings end with a
 * NUL.  Reading past the end sets bad and gives zeros, so one check behind a whole
 * message is enough.
 */
struct wire {
	const char *p, *end;
	bool bad;
};

static inline const char *
wire_bytes(struct wire *w, size_t n)
{
	const char *p = w->p;

	if ((size_t)(w->end - w->p) < n) {
		w->bad = true;
		return NULL;
	}
	w->p += n;
	return p;
}

static inline uint8_t
wire_u8(struct wire *w)
{
	const char *p = wire_bytes(w, 1);

	return p ? (uint8_t)*p : 0;
}

static inline uint16_t
wire_u16(struct wire *w)
{
	const unsigned char *p = (const unsigned char *)wire_bytes(w, 2);

	if (p == NULL)
		return 0;
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t
wire_u32(struct wire *w)
{
	const char *p = wire_bytes(w, 4);
	uint32_t v;

	if (p == NULL)
		return 0;
	memcpy(&v, p, 4);
	return __builtin_bswap32(v);
}

static inline uint64_t
wire_u64(struct wire *w)
{
	uint64_t hi = wire_u32(w);

	return hi << 32 | wire_u32(w);
}

/* A string; "" where it does not end. */
static inline const char *
wire_string(struct wire *w)
{
	const char *p = w->p, *nul = NULL;

	if (p != w->end)
		nul = memchr(p, '\0', (size_t)(w->end - p));
	if (nul == NULL) {
		w->bad = true;
		return "";
	}
	w->p = nul + 1;
	return p;
}

#endif
