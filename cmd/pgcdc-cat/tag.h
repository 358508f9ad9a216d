#ifndef TAG_H
#define TAG_H

#include <stdint.h>

#include "buf.h"

/*
 * The objects with one member that stand for what JSON has no form for, and the values
 * that text makes: pgcdc-frame(5) lists them.  print.c writes them, this reads them.
 */
enum tag {
	TAG_INT,
	TAG_FLOAT,
	TAG_BIN,
	TAG_STR,
	TAG_JSON,
	TAG_ABSENT,
	TAG_EXT,
	TAG_MAP,
	TAG_MSGPACK,
	TAG_COUNT,
};

/* Which tag a key is; TAG_COUNT: none. */
enum tag tag_find(const char *key, size_t n);

/* What it takes, as a sentence for an error message. */
const char *tag_wants(enum tag);

/*
 * Append the canonical encoding of a value.  NULL, or what is wrong with the text; then
 * something may have been appended.
 */
const char *tag_put_int(struct buf *, const char *s, size_t n);
const char *tag_put_float(struct buf *, const char *s, size_t n);
/* The string that a tag holds, or, of TAG_EXT, the data of an ext of the given type. */
const char *tag_put_string(struct buf *, enum tag, int8_t ext, const char *s, size_t n);

#endif
