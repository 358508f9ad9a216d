#ifndef BASE_H
#define BASE_H

#include <stdbool.h>

#include "buf.h"
#include "type.h"

/*
 * What a type that is not PostgreSQL's own is made of in terms of those that are, as R tells
 * it; pgcdc-frame(5) says how.
 *
 * Append it.  False, with nothing appended, for PostgreSQL's own types and where nothing is
 * known.
 */
bool base_put(struct buf *, const struct type *);

#endif
