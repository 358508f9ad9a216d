#include <math.h>
#include <stdint.h>
#include <string.h>

#include "ewkb.h"
#include "hex.h"
#include "number.h"

/* Geometries within one another. */
#define DEPTH 32

/* The only reference system whose coordinates are longitude and latitude. */
#define WGS84 4326

/*
 * EWKB is the standard's WKB (OGC 06-103r4, section 8) with the dimensions and the reference
 * system in flags of the type, see PostGIS' liblwgeom/lwin_wkb.c.  The standard's own codes
 * for dimensions, thousands of the type, are read, too.
 */

#define FLAG_Z    (UINT32_C(1) << 31)
#define FLAG_M    (UINT32_C(1) << 30)
#define FLAG_SRID (UINT32_C(1) << 29)

enum shape {
	ANY, /* for what a part may be */
	POINT,
	LINESTRING,
	POLYGON,
	MULTIPOINT,
	MULTILINESTRING,
	MULTIPOLYGON,
	COLLECTION,
};

static const struct {
	const char *name;
	enum shape part; /* of what it has several */
} shapes[] = {
	[POINT] = { "Point", ANY },
	[LINESTRING] = { "LineString", ANY },
	[POLYGON] = { "Polygon", ANY },
	[MULTIPOINT] = { "MultiPoint", POINT },
	[MULTILINESTRING] = { "MultiLineString", LINESTRING },
	[MULTIPOLYGON] = { "MultiPolygon", POLYGON },
	[COLLECTION] = { "GeometryCollection", ANY },
};

struct ewkb {
	const char *p, *end; /* hexadecimal digits */
	struct geo_problem *problem;
};

/* What a geometry begins with; its numbers have the same order of bytes. */
struct head {
	bool little;
	bool z, m;
	uint32_t shape;
};

/* What was added for a geometry. */
enum added {
	FAILED = -1,
	EMPTY, /* nothing */
	ADDED,
};

/* A number of up to eight bytes. */
static int
get(struct ewkb *e, bool little, unsigned bytes, uint64_t *v)
{
	*v = 0;
	if ((size_t)(e->end - e->p) < 2 * (size_t)bytes)
		return geo_fail(e->problem, "EWKB that ends too early");
	for (unsigned i = 0; i < bytes; i++, e->p += 2) {
		int high = hex_digit(e->p[0]), low = hex_digit(e->p[1]);

		if (high < 0 || low < 0)
			return geo_fail(
			    e->problem, "neither a geometric type's text nor EWKB");
		*v |= (uint64_t)(high << 4 | low) << 8 * (little ? i : bytes - 1 - i);
	}
	return 0;
}

static int
get_count(struct ewkb *e, const struct head *head, uint32_t *count)
{
	uint64_t v;

	if (get(e, head->little, 4, &v) != 0)
		return -1;
	*count = (uint32_t)v;
	return 0;
}

static int
get_head(struct ewkb *e, struct head *head)
{
	uint64_t order, type, srid = 0;

	if (get(e, true, 1, &order) != 0)
		return -1;
	if (order > 1)
		return geo_fail(e->problem, "neither a geometric type's text nor EWKB");
	head->little = order == 1;
	if (get(e, head->little, 4, &type) != 0)
		return -1;
	if ((type & FLAG_SRID) != 0 && get(e, head->little, 4, &srid) != 0)
		return -1;
	if (srid != 0 && srid != WGS84)
		return geo_fail(e->problem,
		    "coordinates of SRID %u, not longitude and latitude (4326)",
		    (unsigned)srid);
	head->z = (type & FLAG_Z) != 0;
	head->m = (type & FLAG_M) != 0;
	type &= ~(uint64_t)(FLAG_Z | FLAG_M | FLAG_SRID);
	if (type < 4000) {
		head->z |= type / 1000 == 1 || type / 1000 == 3;
		head->m |= type / 1000 >= 2;
		type %= 1000;
	}
	if (type < POINT || type > COLLECTION)
		return geo_fail(e->problem,
		    "a geometry of type %u, which GeoJSON does not have", (unsigned)type);
	head->shape = (uint32_t)type;
	return 0;
}

/* One point's. */
struct position {
	double v[3];
	unsigned n;
};

static int
get_position(struct ewkb *e, const struct head *head, struct position *position)
{
	uint64_t bits;

	position->n = head->z ? 3 : 2;
	for (unsigned i = 0; i < position->n; i++) {
		if (get(e, head->little, 8, &bits) != 0)
			return -1;
		memcpy(&position->v[i], &bits, sizeof(bits));
	}
	return head->m ? get(e, head->little, 8, &bits) : 0;
}

/* PostGIS writes POINT EMPTY, for which the standard has no form, so. */
static bool
is_empty(const struct position *position)
{
	for (unsigned i = 0; i < position->n; i++)
		if (!isnan(position->v[i]))
			return false;
	return true;
}

static void
add_double(struct buf *b, double v)
{
	b->len += number_double(buf_reserve(b, NUMBER_LEN), v, false);
}

/* Are they numbers?  At most three, n of them are looked at. */
static int
check_position(struct ewkb *e, const struct position *position, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (!isfinite(position->v[i]))
			return geo_fail(e->problem, "a coordinate is %s",
			    isnan(position->v[i]) ? "NaN" : "infinite");
	return 0;
}

static int
add_double_position(struct buf *b, struct ewkb *e, const struct position *position)
{
	if (check_position(e, position, position->n) != 0)
		return -1;
	for (unsigned i = 0; i < position->n; i++) {
		buf_addc(b, i == 0 ? '[' : ',');
		add_double(b, position->v[i]);
	}
	buf_addc(b, ']');
	return 0;
}

static enum added
add_point_position(struct buf *b, struct ewkb *e, const struct head *head)
{
	struct position position;

	if (get_position(e, head, &position) != 0)
		return FAILED;
	if (is_empty(&position))
		return EMPTY;
	return add_double_position(b, e, &position) != 0 ? FAILED : ADDED;
}

/* The points of a line or of a ring, which ends where it began. */
static enum added
add_line(struct buf *b, struct ewkb *e, const struct head *head, bool ring)
{
	struct position first = { 0 }, position = { 0 };
	uint32_t count;

	if (get_count(e, head, &count) != 0)
		return FAILED;
	if (count == 0)
		return EMPTY;
	if (!ring && count < 2)
		return (enum added)geo_fail(e->problem, "a line of one point");
	if (ring && count < 4)
		return (enum added)geo_fail(
		    e->problem, "a ring of fewer than three points");
	buf_addc(b, '[');
	for (uint32_t i = 0; i < count; i++) {
		if (get_position(e, head, &position) != 0)
			return FAILED;
		if (i == 0)
			first = position;
		else
			buf_addc(b, ',');
		if (add_double_position(b, e, &position) != 0)
			return FAILED;
	}
	for (unsigned i = 0; ring && i < position.n; i++)
		if (position.v[i] < first.v[i] || position.v[i] > first.v[i])
			return (enum added)geo_fail(
			    e->problem, "a ring that is not closed");
	buf_addc(b, ']');
	return ADDED;
}

static enum added
add_rings(struct buf *b, struct ewkb *e, const struct head *head)
{
	uint32_t count;

	if (get_count(e, head, &count) != 0)
		return FAILED;
	if (count == 0)
		return EMPTY;
	buf_addc(b, '[');
	for (uint32_t i = 0; i < count; i++) {
		enum added added;

		if (i > 0)
			buf_addc(b, ',');
		added = add_line(b, e, head, true);
		if (added == EMPTY)
			geo_fail(e->problem, "a ring of fewer than three points");
		if (added != ADDED)
			return FAILED;
	}
	buf_addc(b, ']');
	return ADDED;
}

static enum added add_geometry(struct buf *, struct ewkb *, unsigned depth);
static enum added
add_coordinates(struct buf *, struct ewkb *, const struct head *, unsigned depth);

/* One of several: only its coordinates, except in a collection. */
static enum added
add_part(struct buf *b, struct ewkb *e, enum shape shape, unsigned depth)
{
	struct head head = { 0 };

	if (shape == ANY)
		return add_geometry(b, e, depth);
	if (get_head(e, &head) != 0)
		return FAILED;
	if (head.shape != (uint32_t)shape)
		return (enum added)geo_fail(e->problem, "EWKB with a %s among %ss",
		    shapes[head.shape].name, shapes[shape].name);
	return add_coordinates(b, e, &head, depth);
}

static enum added
add_parts(struct buf *b, struct ewkb *e, const struct head *head, unsigned depth)
{
	enum added all = EMPTY;
	uint32_t count;

	if (get_count(e, head, &count) != 0)
		return FAILED;
	buf_addc(b, '[');
	for (uint32_t i = 0; i < count; i++) {
		size_t before = b->len;
		enum added added;

		if (all == ADDED)
			buf_addc(b, ',');
		added = add_part(b, e, shapes[head->shape].part, depth);
		if (added == FAILED)
			return FAILED;
		if (added == EMPTY)
			b->len = before;
		else
			all = ADDED;
	}
	buf_addc(b, ']');
	return all;
}

/* What was added for EMPTY is the caller's to take away. */
static enum added
add_coordinates(struct buf *b, struct ewkb *e, const struct head *head, unsigned depth)
{
	switch (head->shape) {
	case POINT: return add_point_position(b, e, head);
	case LINESTRING: return add_line(b, e, head, false);
	case POLYGON: return add_rings(b, e, head);
	default: return add_parts(b, e, head, depth);
	}
}

static enum added
add_geometry(struct buf *b, struct ewkb *e, unsigned depth)
{
	struct head head = { 0 };
	enum added added;

	if (depth == DEPTH)
		return (enum added)geo_fail(
		    e->problem, "more than %d geometries in one another", DEPTH);
	if (get_head(e, &head) != 0)
		return FAILED;
	if (head.shape == COLLECTION)
		buf_adds(b, "{\"type\":\"GeometryCollection\",\"geometries\":");
	else
		buf_printf(
		    b, "{\"type\":\"%s\",\"coordinates\":", shapes[head.shape].name);
	added = add_coordinates(b, e, &head, depth + 1);
	buf_addc(b, '}');
	return added;
}

static int
get_end(struct ewkb *e)
{
	return e->p == e->end ? 0 : geo_fail(e->problem, "EWKB with more behind it");
}

bool
ewkb_begins(const char *s, size_t len)
{
	return len >= 10 && s[0] == '0' && (s[1] == '0' || s[1] == '1') &&
	       memchr(s, ',', len) == NULL;
}

int
ewkb_json(struct buf *b, const char *s, size_t len, struct geo_problem *problem)
{
	struct ewkb e = { .p = s, .end = s + len, .problem = problem };
	size_t start = b->len;
	enum added added = add_geometry(b, &e, 0);

	if (added == FAILED)
		return -1;
	if (added == EMPTY) {
		b->len = start;
		buf_adds(b, "null");
	}
	return get_end(&e);
}

int
ewkb_point(struct buf *b, const char *s, size_t len, struct geo_problem *problem)
{
	struct ewkb e = { .p = s, .end = s + len, .problem = problem };
	struct position position;
	struct head head = { 0 };

	if (get_head(&e, &head) != 0)
		return -1;
	if (head.shape != POINT)
		return geo_fail(problem, "a %s, not a point", shapes[head.shape].name);
	if (get_position(&e, &head, &position) != 0)
		return -1;
	if (is_empty(&position)) {
		buf_adds(b, "null");
		return get_end(&e);
	}
	if (check_position(&e, &position, 2) != 0)
		return -1;
	buf_adds(b, "{\"lat\":");
	add_double(b, position.v[1]);
	buf_adds(b, ",\"lon\":");
	add_double(b, position.v[0]);
	buf_addc(b, '}');
	return get_end(&e);
}
