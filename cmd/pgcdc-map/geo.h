#ifndef GEO_H
#define GEO_H

#include <stddef.h>

#include "buf.h"

/*
 * Places and shapes: PostgreSQL's geometric types as it prints them, and PostGIS's, which
 * are printed as EWKB in hexadecimal digits, as JSON that search servers take for
 * geo_point and geo_shape.  x is the longitude, y the latitude.
 *
 * Coordinates keep the digits that PostgreSQL printed; those of EWKB are doubles, and
 * have the fewest digits that read back as the same.  NaN, infinities and spatial
 * reference systems other than 4326 (or none) are errors.  Whether they are on the globe
 * is not looked at.  A shape that is EMPTY becomes null (RFC 7946, section 3.1); within
 * another it is left out.
 *
 * The functions return 0; or -1 with a problem, and then what they had appended stays.
 */
struct geo_problem {
	char what[96];
};

/*
 * A place as {"lat":y,"lon":x}, of
 *	(x,y)		PostgreSQL's point
 *	lat,lon		any text; in this order, which the search servers have for it
 *	EWKB		of a POINT; Z and M are left out
 */
int geo_point(struct buf *, const char *text, size_t len, struct geo_problem *)
    __attribute__((warn_unused_result));

/*
 * A GeoJSON geometry (RFC 7946), of
 *	(x,y)			point: a Point
 *	[(x,y),(x,y)...]	lseg, open path: a LineString
 *	((x,y),(x,y)...)	polygon, closed path: a Polygon, closed where it is not
 *	(x,y),(x,y)		box, the upper right corner first, as PostgreSQL prints
 *it: a Polygon, counter-clockwise
 *	EWKB			of points, lines, polygons, several of each, and
 *collections, 32 in one another at most; Z is kept, M left out Circles and lines without
 *ends are errors: GeoJSON has none.  So are lines of one point and rings of fewer than
 *three.
 */
int geo_json(struct buf *, const char *text, size_t len, struct geo_problem *)
    __attribute__((warn_unused_result));

/* Say what the problem is, printf-style; returns -1. */
int geo_fail(struct geo_problem *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
