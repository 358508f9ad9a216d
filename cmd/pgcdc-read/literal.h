#ifndef LITERAL_H
#define LITERAL_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"

struct type;

/*
 * The text forms of values that are made of others: arrays, composite values, ranges,
 * multiranges, hstore.
 *
 * Append the value, inside of depth other arrays and maps.  False, with nothing appended,
 * where the text is not of its type's form or nests too deep.
 */
bool literal_put(struct buf *, const struct type *, const char *text, size_t len,
    unsigned depth) __attribute__((warn_unused_result));

#endif
