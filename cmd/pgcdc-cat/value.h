#ifndef VALUE_H
#define VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * MessagePack values read in place, head by head.  Nothing is allocated and no depth is
 * too deep, which is why this program does not decode frames with msgpack-c: it must
 * show whatever a stream holds.
 */
enum value_kind {
	VALUE_NIL,
	VALUE_BOOL,
	VALUE_UINT,
	VALUE_NEGATIVE,
	VALUE_FLOAT,
	VALUE_STR,
	VALUE_BIN,
	VALUE_EXT,
	VALUE_ARRAY, /* len values follow */
	VALUE_MAP,   /* len pairs follow */
};

struct value {
	enum value_kind kind;
	int8_t ext;      /* VALUE_EXT: its type */
	uint32_t len;    /* bytes at ptr, values or pairs */
	const char *ptr; /* VALUE_STR, _BIN and _EXT */
	bool b;
	uint64_t u;
	int64_t i;
	double d;
};

/*
 * Read the head of the value at p.  Returns what is behind it (the first value inside of
 * an array or map), or NULL when there is no whole head, or no MessagePack, before end.
 */
const char *value_read(const char *p, const char *end, struct value *);

/* What is behind the value at p and all it holds; NULL when it is not whole before end.
 */
const char *value_skip(const char *p, const char *end);

#endif
