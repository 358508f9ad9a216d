/* PostgreSQL's and PostGIS's places and shapes become what search servers take. */
#include <stdlib.h>

#include "geo.h"
#include "json.h"
#include "tap.h"

typedef int convert(struct buf *, const char *, size_t, struct geo_problem *);

struct sample {
	const char *text;
	const char *want; /* the JSON; or after '!' the problem */
};

/* The text is copied into memory of exactly its size, so that a step beyond it shows. */
static void
convert_all(convert *f, const struct sample *samples, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t len = strlen(samples[i].text);
		char *copy = xmalloc(len > 0 ? len : 1);
		struct buf b = { 0 };
		struct geo_problem problem = { "" };
		struct json_problem invalid;

		memcpy(copy, samples[i].text, len);
		if (f(&b, copy, len, &problem) != 0) {
			b.len = 0;
			buf_printf(&b, "!%s", problem.what);
		} else if (!json_valid(b.data, b.len, &invalid)) {
			buf_printf(&b, " is no JSON: %s", invalid.what);
		}
		is(buf_cstr(&b), samples[i].want, samples[i].text);
		free(copy);
		buf_free(&b);
	}
}

#define CONVERT(f, samples) convert_all(f, samples, sizeof(samples) / sizeof(samples[0]))

#define NEITHER "!neither a geometric type's text nor EWKB"

static void
test_point_text(void)
{
	static const struct sample samples[] = {
		{ "(11.5,48.1)", "{\"lat\":48.1,\"lon\":11.5}" },
		{ "(-0.10,1e-05)", "{\"lat\":1e-05,\"lon\":-0.10}" },
		{ "(1e+20,-0)", "{\"lat\":-0,\"lon\":1e+20}" },
		{ "48.1,11.5", "{\"lat\":48.1,\"lon\":11.5}" },
		{ " 48.10 , -11.50\t", "{\"lat\":48.10,\"lon\":-11.50}" },
		{ " ( 1 , 2 ) ", "{\"lat\":2,\"lon\":1}" },
		{ "01.5,2", "!a coordinate is no number" },
		{ "0101000000,2", "!a coordinate is no number" },
		{ "(NaN,1)", "!a coordinate is NaN" },
		{ "(1,Infinity)", "!a coordinate is Infinity" },
		{ "-Infinity,1", "!a coordinate is -Infinity" },
		{ "(1,Infinity to no end)", "!a coordinate is Infinity" },
		{ "", "!a coordinate is no number" },
		{ "(", "!a coordinate is no number" },
		{ "(1", NEITHER },
		{ "(1,", "!a coordinate is no number" },
		{ "(1,2", NEITHER },
		{ "(1,2)x", NEITHER },
		{ "(1,2),(3,4)", NEITHER },
		{ "1,2,3", NEITHER },
		{ "1", NEITHER },
		{ "1,2)", NEITHER },
		{ "1,2x", "!a coordinate is no number" },
		{ "1 2", NEITHER },
		{ "Berlin", "!a coordinate is no number" },
		{ "POINT(1 2)", "!a coordinate is no number" },
	};

	CONVERT(geo_point, samples);
}

static void
test_shape_text(void)
{
	static const struct sample samples[] = {
		{ "(11.5,48.10)", "{\"type\":\"Point\",\"coordinates\":[11.5,48.10]}" },
		{ "[(0,0),(1,1e-05)]",
		    "{\"type\":\"LineString\",\"coordinates\":[[0,0],[1,1e-05]]}" },
		{ "[(0,0),(1,1),(0,0)]",
		    "{\"type\":\"LineString\",\"coordinates\":[[0,0],[1,1],[0,0]]}" },
		{ "((0,0),(4,0),(4,4))", "{\"type\":\"Polygon\",\"coordinates\":[[[0,0],["
					 "4,0],[4,4],[0,0]]]}" },
		{ "((0,0),(4,0),(4,4),(0,0))", "{\"type\":\"Polygon\",\"coordinates\":[[["
					       "0,0],[4,0],[4,4],[0,0]]]}" },
		{ "((0,0),(4,0),(4,4),(0,4),(0,1),(0,0.5))",
		    "{\"type\":\"Polygon\",\"coordinates\":"
		    "[[[0,0],[4,0],[4,4],[0,4],[0,1],[0,0.5],[0,0]]]}" },
		{ "(4,3),(1,-2)", "{\"type\":\"Polygon\",\"coordinates\":[[[1,-2],[4,-2],"
				  "[4,3],[1,3],[1,-2]]]}" },
		{ "<(0,0),2>", "!a circle, which GeoJSON does not have" },
		{ "{1,-1,0}", "!a line without ends, which GeoJSON does not have" },
		{ "[(0,0)]", "!a line of one point" },
		{ "((0,0))", "!a ring of fewer than three points" },
		{ "((0,0),(1,1))", "!a ring of fewer than three points" },
		{ "((0,0),(1,1),(0,0))", "!a ring of fewer than three points" },
		{ "[(0,0),(1,NaN)]", "!a coordinate is NaN" },
		{ "((0,0),(1,1),(-Infinity,2))", "!a coordinate is -Infinity" },
		{ "(1,2),(Infinity,2)", "!a coordinate is Infinity" },
		{ "", NEITHER },
		{ "[", NEITHER },
		{ "[]", NEITHER },
		{ "[(0,0),(1,1)", NEITHER },
		{ "[(0,0),(1,1))", NEITHER },
		{ "[(0,0),(1,1)]]", NEITHER },
		{ "[(0,0) (1,1)]", NEITHER },
		{ "[(0,0),]", NEITHER },
		{ "((0,0),(1,1),(2,2)", NEITHER },
		{ "((0,0),(1,1),(2,2)]", NEITHER },
		{ "(1,2),", NEITHER },
		{ "(1,2),(3,4),(5,6)", NEITHER },
		{ "1,2", NEITHER },
		{ "{\"type\":\"Point\"}", NEITHER },
	};

	CONVERT(geo_json, samples);
}

static void
test_point_ewkb(void)
{
	static const struct sample samples[] = {
		{ "01010000000000000000002740CDCCCCCCCC0C4840",
		    "{\"lat\":48.1,\"lon\":11.5}" },
		/* Big endian, SRID 4326. */
		{ "0020000001000010E6402700000000000040480CCCCCCCCCCD",
		    "{\"lat\":48.1,\"lon\":11.5}" },
		{ "0020000001000010e6402700000000000040480ccccccccccd",
		    "{\"lat\":48.1,\"lon\":11.5}" },
		/* Z, M, both; the standard's Z and both. */
		{ "01010000A0E6100000000000000000F03F00000000000000400000000000000840",
		    "{\"lat\":2,\"lon\":1}" },
		{ "0101000040000000000000F03F00000000000000400000000000002240",
		    "{\"lat\":2,\"lon\":1}" },
		{ "00C00000013FF000000000000040000000000000004008000000000000402200000000"
		  "0000",
		    "{\"lat\":2,\"lon\":1}" },
		{ "01E9030000000000000000F03F00000000000000400000000000000840",
		    "{\"lat\":2,\"lon\":1}" },
		{ "01B90B0000000000000000F03F00000000000000400000000000000840000000000000"
		  "2240",
		    "{\"lat\":2,\"lon\":1}" },
		/* EMPTY. */
		{ "0101000000000000000000F87F000000000000F87F", "null" },
		/* NaN, 1; -Infinity, 1. */
		{ "0101000000000000000000F87F000000000000F03F", "!a coordinate is NaN" },
		{ "0101000000000000000000F0FF000000000000F03F",
		    "!a coordinate is infinite" },
		{ "0101000020110F0000000000000000F03F0000000000000040",
		    "!coordinates of SRID 3857, not longitude and latitude (4326)" },
		{ "010200000000000000", "!a LineString, not a point" },
		{ "0102000000", "!a LineString, not a point" },
		{ "01010000000000000000002740CDCCCCCCCC0C48",
		    "!EWKB that ends too early" },
		{ "01010000000000000000002740CDCCCCCCCC0C4840F",
		    "!EWKB with more behind it" },
		{ "0101000000000000000000F87F000000000000F87F00",
		    "!EWKB with more behind it" },
		{ "01010000000000000000002740CDCCCCCCCC0C484x", NEITHER },
		{ "0101000020E61000", "!EWKB that ends too early" },
		{ "0108000000", "!a geometry of type 8, which GeoJSON does not have" },
		{ "0100000000", "!a geometry of type 0, which GeoJSON does not have" },
		{ "01A10F0000", "!a geometry of type 4001, which GeoJSON does not have" },
		{ "01FFFFFF1F",
		    "!a geometry of type 536870911, which GeoJSON does not have" },
		{ "0101000000", "!EWKB that ends too early" },
		{ "01010000", "!a coordinate is no number" },
	};

	CONVERT(geo_point, samples);
}

#define ZERO "0000000000000000"
#define ONE  "000000000000F03F"

static void
test_shape_ewkb(void)
{
	static const struct sample samples[] = {
		{ "01010000000000000000002740CDCCCCCCCC0C4840",
		    "{\"type\":\"Point\",\"coordinates\":[11.5,48.1]}" },
		{ "01010000A0E6100000000000000000F03F00000000000000400000000000000840",
		    "{\"type\":\"Point\",\"coordinates\":[1,2,3]}" },
		{ "00C00000013FF000000000000040000000000000004008000000000000402200000000"
		  "0000",
		    "{\"type\":\"Point\",\"coordinates\":[1,2,3]}" },
		{ "0101000040000000000000F03F00000000000000400000000000002240",
		    "{\"type\":\"Point\",\"coordinates\":[1,2]}" },
		{ "01D1070000000000000000F03F00000000000000400000000000002240",
		    "{\"type\":\"Point\",\"coordinates\":[1,2]}" },
		{ "0101000000000000000000F87F000000000000F87F", "null" },
		{ "0102000000020000000000000000000000000000000000000"
		  "09A9999999999B93F408CB5781DAF1544",
		    "{\"type\":\"LineString\",\"coordinates\":[[0,0],[0.1,1e+20]]}" },
		{ "010200000000000000", "null" },
		/* With a hole; big endian. */
		{ "0020000003000010E60000000200000004000000000000000000000000000000004010"
		  "0000000000"
		  "0000000000000000004010000000000000401000000000000000000000000000000000"
		  "0000000000"
		  "00000000043FF00000000000003FE000000000000040000000000000003FE000000000"
		  "0000400000"
		  "00000000003FF00000000000003FF00000000000003FE0000000000000",
		    "{\"type\":\"Polygon\",\"coordinates\":[[[0,0],[4,0],[4,4],[0,0]],"
		    "[[1,0.5],[2,0.5],[2,1],[1,0.5]]]}" },
		{ "010300000000000000", "null" },
		/* (1 2), EMPTY, (3 4) */
		{ "0104000000030000000101000000000000000000F03F00000000000000400101000000"
		  "000000000000"
		  "F87F000000000000F87F010100000000000000000008400000000000001040",
		    "{\"type\":\"MultiPoint\",\"coordinates\":[[1,2],[3,4]]}" },
		{ "010500000002000000010200000002000000" ZERO ZERO ONE ONE
		  "010200000002000000" ONE ONE ZERO ZERO,
		    "{\"type\":\"MultiLineString\",\"coordinates\":"
		    "[[[0,0],[1,1]],[[1,1],[0,0]]]}" },
		{ "0106000020E61000000200000001030000000100000004000000000000000000000000"
		  "00000000000000"
		  "000000000000F03F0000000000000000000000000000F03F000000000000F03F000000"
		  "0000000000"
		  "0000000000000000010300000001000000040000000000000000001440000000000000"
		  "1440000000"
		  "0000001840000000000000144000000000000018400000000000001840000000000000"
		  "1440000000"
		  "0000001440",
		    "{\"type\":\"MultiPolygon\",\"coordinates\":[[[[0,0],[1,0],[1,1],[0,"
		    "0]]],"
		    "[[[5,5],[6,5],[6,6],[5,5]]]]}" },
		{ "010600000001000000010300000000000000", "null" },
		/* EMPTY first: POLYGON EMPTY, POINT (0 1) */
		{ "0107000000020000000103000000000000000101000000" ZERO ONE,
		    "{\"type\":\"GeometryCollection\",\"geometries\":["
		    "{\"type\":\"Point\",\"coordinates\":[0,1]}]}" },
		/* POINT (1 2), POLYGON EMPTY, GEOMETRYCOLLECTION (LINESTRING (0 0, 1 1))
		 */
		{ "0107000000030000000101000000000000000000F03F00000000000000400103000000"
		  "000000000107"
		  "0000000100000001020000000200000000000000000000000000000000000000000000"
		  "00"
		  "0000F03F000000000000F03F",
		    "{\"type\":\"GeometryCollection\",\"geometries\":["
		    "{\"type\":\"Point\",\"coordinates\":[1,2]},"
		    "{\"type\":\"GeometryCollection\",\"geometries\":["
		    "{\"type\":\"LineString\",\"coordinates\":[[0,0],[1,1]]}]}]}" },
		{ "010700000000000000", "null" },
		{ "010700000001000000010700000000000000", "null" },
		{ "010200000001000000" ZERO ZERO, "!a line of one point" },
		{ "010200000002000000" ZERO ZERO ZERO "000000000000F87F",
		    "!a coordinate is NaN" },
		{ "010200000002000000" ZERO ZERO "000000000000F87F000000000000F87F",
		    "!a coordinate is NaN" },
		{ "01030000000100000003000000" ZERO ZERO ONE ONE ZERO ZERO,
		    "!a ring of fewer than three points" },
		{ "01030000000100000000000000", "!a ring of fewer than three points" },
		{ "01030000000100000004000000" ZERO ZERO ONE ZERO ONE ONE ZERO ONE,
		    "!a ring that is not closed" },
		{ "010400000001000000010200000000000000",
		    "!EWKB with a LineString among Points" },
		{ "0104000000FFFFFFFF", "!EWKB that ends too early" },
		{ "0102000000FFFFFFFF" ZERO ZERO, "!EWKB that ends too early" },
		{ "0101000020110F0000" ZERO ZERO,
		    "!coordinates of SRID 3857, not longitude and latitude (4326)" },
		/* In a part only. */
		{ "0107000000010000000101000020110F0000" ZERO ZERO,
		    "!coordinates of SRID 3857, not longitude and latitude (4326)" },
		{ "0107000000010000000111000000",
		    "!a geometry of type 17, which GeoJSON does not have" },
		{ "01070000000100000001", "!EWKB that ends too early" },
		{ "01070000000100000002", NEITHER },
		{ "010700000001000000020000000000000000", NEITHER },
		{ "01010000000000000000002740CDCCCCCCCC0C484000",
		    "!EWKB with more behind it" },
		{ "01020000000000000000", "!EWKB with more behind it" },
	};

	CONVERT(geo_json, samples);
}

/* depth collections around a point. */
static int
nested(int depth, struct buf *out)
{
	struct buf b = { 0 };
	struct geo_problem problem;
	int r;

	for (int i = 0; i < depth; i++)
		buf_adds(&b, "010700000001000000");
	buf_adds(&b, "0101000000" ZERO ONE);
	r = geo_json(out, b.data, b.len, &problem);
	buf_free(&b);
	return r;
}

static void
test_depth(void)
{
	struct buf out = { 0 };
	struct json_problem invalid;

	ok(nested(31, &out) == 0 && json_valid(out.data, out.len, &invalid),
	    "a geometry in 31 others");
	ok(nested(32, &out) == -1 && nested(100000, &out) == -1, "in more");
	buf_free(&out);
}

/* Every beginning of a geometry is an error, and reads nothing beyond it. */
static void
test_beginnings(void)
{
	static const char *const texts[] = {
		"0104000000030000000101000000000000000000F03F0000000000000040010100000000"
		"0000000000"
		"F87F000000000000F87F010100000000000000000008400000000000001040",
		"((0,0),(4,0),(4,4))", "[(0,0),(1,1)]"
	};
	bool good = true;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		for (size_t n = 0; n < strlen(texts[i]); n++) {
			char *copy = xmalloc(n > 0 ? n : 1);
			struct buf b = { 0 };
			struct geo_problem problem;

			memcpy(copy, texts[i], n);
			good &= geo_json(&b, copy, n, &problem) == -1;
			buf_free(&b);
			free(copy);
		}
	ok(good, "no beginning of a shape is one");
}

int
main(void)
{
	struct buf b = { 0 };
	struct geo_problem problem;

	test_point_text();
	test_shape_text();
	test_point_ewkb();
	test_shape_ewkb();
	test_depth();
	test_beginnings();
	buf_adds(&b, "x");
	ok(geo_json(&b, "010200000000000000", 18, &problem) == 0 &&
		geo_point(&b, "1,2", 3, &problem) == 0,
	    "both are appended");
	is(buf_cstr(&b), "xnull{\"lat\":1,\"lon\":2}", "to what was there");
	buf_free(&b);
	return done_testing();
}
