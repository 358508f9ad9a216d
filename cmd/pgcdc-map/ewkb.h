#ifndef EWKB_H
#define EWKB_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"
#include "geo.h"

/*
 * PostGIS's geometries, as it prints them: EWKB in hexadecimal digits.  For geo.c, whose
 * header says what becomes of them.
 */

/* Can the text be EWKB, by how it begins? */
bool ewkb_begins(const char *, size_t len);

int ewkb_point(struct buf *, const char *, size_t len, struct geo_problem *)
    __attribute__((warn_unused_result));
int ewkb_json(struct buf *, const char *, size_t len, struct geo_problem *)
    __attribute__((warn_unused_result));

#endif
