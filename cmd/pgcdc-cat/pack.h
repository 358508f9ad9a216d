#ifndef PACK_H
#define PACK_H

#include <stdbool.h>

#include "buf.h"

/*
 * JSON lines back to frames, in the canonical (shortest) encoding: the other direction
 * of print.h.
 */
struct packer;

/* The frames are appended to out. */
struct packer *pack_new(struct buf *out) __attribute__((warn_unused_result));

/*
 * Pack one line, which ends with its newline, unless it is the input's last.  Returns the
 * frames that were appended, 1, or 0 for a blank line, or -1: pack_error says why and out
 * is as before.  After -1 the packer is good for nothing more.
 */
int pack_line(struct packer *, const char *line, size_t len)
    __attribute__((warn_unused_result));

/* What was wrong with the line; valid until the packer is freed. */
const char *pack_error(const struct packer *);

/* Was the line wrong because a frame that began on it did not end? */
bool pack_is_cut(const struct packer *);

void pack_free(struct packer *);

#endif
