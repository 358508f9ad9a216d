#ifndef INFLATE_H
#define INFLATE_H

#include "buf.h"
#include "slice.h"

/* Unpack gzip data into out; false when it is none or is damaged or cut short. */
bool inflate_gzip(struct buf *out, struct slice packed) __attribute__((warn_unused_result));

#endif
