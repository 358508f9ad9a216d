/* The text of arrays, composite values, ranges and hstore, also where it is none. */
#include <stdlib.h>

#include "frame.h"
#include "literal.h"
#include "tap.h"
#include "type.h"

static struct types types;

static const struct type mood = { .kind = VALUE_TEXT, .known = true };
static const struct type hstore = { .kind = VALUE_HSTORE };
static struct type_field pair_field[2];
static const struct type pair = { .oid = 90001,
	.kind = VALUE_COMPOSITE,
	.field = pair_field,
	.fields = 2,
	.set = &types };
static const struct type pairs = { .kind = VALUE_ARRAY, .delimiter = ',', .element = &pair };
static const struct type nothing = { .kind = VALUE_COMPOSITE, .set = &types };
static struct type_field one_field[1];
static const struct type one = { .kind = VALUE_COMPOSITE, .field = one_field, .fields = 1 };
static const struct type domain = { .kind = VALUE_DOMAIN, .element = &pairs };
static const struct type domains = { .kind = VALUE_ARRAY,
	.delimiter = ',',
	.element = &domain };

static void
add(struct buf *b, const msgpack_object *o)
{
	switch (o->type) {
	case MSGPACK_OBJECT_NIL: buf_adds(b, "nil"); break;
	case MSGPACK_OBJECT_BOOLEAN: buf_adds(b, o->via.boolean ? "true" : "false"); break;
	case MSGPACK_OBJECT_POSITIVE_INTEGER:
	case MSGPACK_OBJECT_NEGATIVE_INTEGER:
		buf_printf(b, "%lld", (long long)o->via.i64);
		break;
	case MSGPACK_OBJECT_FLOAT64: buf_printf(b, "%g", o->via.f64); break;
	case MSGPACK_OBJECT_STR:
	case MSGPACK_OBJECT_BIN: /* both begin alike in the union */
		buf_adds(b, o->type == MSGPACK_OBJECT_BIN ? "bin\"" : "\"");
		for (uint32_t i = 0; i < o->via.str.size; i++)
			buf_printf(b, strchr("\"\\", o->via.str.ptr[i]) ? "\\%c" : "%c",
			    o->via.str.ptr[i]);
		buf_addc(b, '"');
		break;
	case MSGPACK_OBJECT_EXT:
		buf_printf(b, "ext%d", o->via.ext.type);
		buf_add(b, o->via.ext.ptr, o->via.ext.size);
		break;
	case MSGPACK_OBJECT_ARRAY:
		buf_addc(b, '[');
		for (uint32_t i = 0; i < o->via.array.size; i++) {
			buf_adds(b, i > 0 ? ", " : "");
			add(b, &o->via.array.ptr[i]);
		}
		buf_addc(b, ']');
		break;
	case MSGPACK_OBJECT_MAP:
		buf_addc(b, '{');
		for (uint32_t i = 0; i < o->via.map.size; i++) {
			buf_adds(b, i > 0 ? ", " : "");
			add(b, &o->via.map.ptr[i].key);
			buf_adds(b, "=>");
			add(b, &o->via.map.ptr[i].val);
		}
		buf_addc(b, '}');
		break;
	default: buf_adds(b, "?");
	}
}

/* All values are in the shortest encoding, and behind what was there before. */
static char *
print(const struct type *t, const char *text, size_t len)
{
	static struct buf line;
	struct buf b = { 0 }, again = { 0 };
	msgpack_unpacked u;
	msgpack_packer pk;
	size_t off = 1;

	line.len = 0;
	buf_addc(&b, '\1');
	value_put(&b, t, text, len);
	msgpack_unpacked_init(&u);
	msgpack_packer_init(&pk, &again, frame_write);
	if (msgpack_unpack_next(&u, b.data, b.len, &off) != MSGPACK_UNPACK_SUCCESS ||
	    off != b.len) {
		buf_adds(&line, "not one value");
	} else {
		add(&line, &u.data);
		msgpack_pack_object(&pk, u.data);
		if (b.data[0] != '\1' || again.len != b.len - 1 ||
		    memcmp(again.data, b.data + 1, again.len) != 0) {
			line.len = 0;
			buf_adds(&line, "not canonical");
		}
	}
	msgpack_unpacked_destroy(&u);
	buf_free(&b);
	buf_free(&again);
	return buf_cstr(&line);
}

/* The text is copied to where reading behind it is an error that valgrind sees. */
static void
check(const struct type *t, const char *text, const char *want)
{
	size_t len = strlen(text);
	char *copy = xmalloc(len + 1);

	memcpy(copy, text, len);
	copy = xrealloc(copy, len > 0 ? len : 1);
	is(print(t, copy, len), want, text);
	free(copy);
}

/* It stays text, whole. */
static void
stays(const struct type *t, const char *text)
{
	struct buf want = { 0 };

	buf_printf(&want, "\"");
	for (const char *p = text; *p != '\0'; p++)
		buf_printf(&want, *p == '"' || *p == '\\' ? "\\%c" : "%c", *p);
	buf_printf(&want, "\"");
	check(t, text, buf_cstr(&want));
	buf_free(&want);
}

static const struct type *
own(uint32_t oid)
{
	return type_builtin(oid);
}

static void
test_arrays(void)
{
	const struct type *ints = own(1007), *texts = own(1009), *boxes = own(1020);

	check(ints, "{}", "[]");
	check(ints, "{1}", "[1]");
	check(ints, "{1,NULL,-3}", "[1, nil, -3]");
	check(ints, "{{1,2},{3,NULL}}", "[[1, 2], [3, nil]]");
	check(ints, "{{{{{{1}}}}}}", "[[[[[[1]]]]]]");
	check(ints, "[0:2]={1,2,3}", "[1, 2, 3]");
	check(ints, "[-1:0][5:5]={{1},{2}}", "[[1], [2]]");
	check(ints, "{1,2,3,4,5,6,7,8,9,10,11,12,13,14,15}",
	    "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]");
	check(ints, "{1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16}",
	    "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]");
	check(ints, "{1,x}", "[1, \"x\"]");
	check(texts, "{a,\"\",\"NULL\",NULL,\"null\"}", "[\"a\", \"\", \"NULL\", nil, \"null\"]");
	check(texts, "{\"a,b\",\"{}\",\"a b\"}", "[\"a,b\", \"{}\", \"a b\"]");
	check(texts, "{\"\\\"\",\"\\\\\",\"a\\\"b\\\\c\",\"\\\\\\\\\"}",
	    "[\"\\\"\", \"\\\\\", \"a\\\"b\\\\c\", \"\\\\\\\\\"]");
	check(boxes, "{(1,1),(0,0);(2,2),(1,1)}", "[\"(1,1),(0,0)\", \"(2,2),(1,1)\"]");
	check(own(1000), "{t,f,NULL}", "[true, false, nil]");
	check(own(1185), "{\"2026-11-23 01:02:03+00\",infinity}",
	    "[\"2026-11-23T01:02:03Z\", \"infinity\"]");
	check(own(1022), "{0.5,1e+22}", "[0.5, 1e+22]");
	check(own(1001), "{\"\\\\x41\",\"\\\\x\"}", "[bin\"A\", bin\"\"]");
	check(own(22), "1 2 -3", "[1, 2, -3]");
	check(own(22), "", "[]");
	check(own(1006), "{\"1 2\",3,\"\"}", "[[1, 2], [3], []]");
	for (const char *const *bad = (const char *const[]){ "", "{", "}", "{1", "{1,", "{1,}", "{,1}",
		 "{1}}", "{1} ", " {1}", "1", "{{1}", "{{1},2}", "{1,{2}}", "{\"", "{\"a", "{\"a\"",
		 "{\"a\\", "{\"a\\\"", "{\"a\"b}", "{a\"b\"}", "{a\\b}", "[0:1]", "[0:1]=", "[0:1=",
		 "[0:a]={1}", "=", "[]={", "{}{}", "{};", "{1;2", NULL };
	    *bad != NULL; bad++)
		stays(texts, *bad);
	stays(own(22), " ");
	stays(own(22), "1  2");
	stays(own(22), "1 ");
	stays(own(22), "1 x");
}

static void
test_composites(void)
{
	check(&pair, "(1,a)", "{\"a b\"=>1, \"v\"=>\"a\"}");
	check(&pair, "(,)", "{\"a b\"=>nil, \"v\"=>nil}");
	check(&pair, "(1,\"\")", "{\"a b\"=>1, \"v\"=>\"\"}");
	check(&pair, "(1,\"a\"\"b\\\\c,d)\")", "{\"a b\"=>1, \"v\"=>\"a\\\"b\\\\c,d)\"}");
	check(&pair, "(1,a\"b\"\"c\"d\\,e)", "{\"a b\"=>1, \"v\"=>\"ab\\\"cd,e\"}");
	check(&one, "()", "{\"x\"=>nil}");
	check(&one, "(a)", "{\"x\"=>\"a\"}");
	check(&nothing, "()", "{}");
	check(&pairs, "{\"(1,\\\"a b\\\")\",NULL,\"(2,)\"}",
	    "[{\"a b\"=>1, \"v\"=>\"a b\"}, nil, {\"a b\"=>2, \"v\"=>nil}]");
	check(&pairs, "{\"(1,2,3)\",\"(1,2)\"}", "[\"(1,2,3)\", {\"a b\"=>1, \"v\"=>\"2\"}]");
	check(&domain, "{\"(1,2)\"}", "[{\"a b\"=>1, \"v\"=>\"2\"}]");
	check(&domains, "{\"{\\\"(1,2)\\\"}\"}", "[[{\"a b\"=>1, \"v\"=>\"2\"}]]");
	for (const char *const *bad = (const char *const[]){ "", "(", ")", "(1", "(1,", "(1,2", "1,2)",
		 "(1,2)x", "(1,2))", "(1,\"", "(1,\"a", "(1,\"a\"", "(1,\\", "(1,2\\)", "(1)",
		 "(1,2,3)", "()", NULL };
	    *bad != NULL; bad++)
		stays(&pair, *bad);
	stays(&nothing, "(1)");

	/* A type that was altered is noticed, once for each number of fields. */
	types.outdated = NULL;
	stays(&pair, "(1,2");
	stays(&pair, "(1,2,3)x");
	ok(types.outdated == NULL, "damaged text is no other definition");
	stays(&pair, "(1,2,3)");
	ok(types.outdated == &pair && types.outdated_fields == 3, "three fields are");
}

static void
test_ranges(void)
{
	const struct type *ints = own(3904), *times = own(3908), *multi = own(4451);

	check(ints, "[1,5)", "{\"lower\"=>1, \"upper\"=>5, \"bounds\"=>\"[)\"}");
	check(ints, "(,)", "{\"lower\"=>nil, \"upper\"=>nil, \"bounds\"=>\"()\"}");
	check(ints, "(,5]", "{\"lower\"=>nil, \"upper\"=>5, \"bounds\"=>\"(]\"}");
	check(ints, "empty", "{\"empty\"=>true}");
	check(times, "[\"2026-11-23 01:02:03\",infinity]",
	    "{\"lower\"=>\"2026-11-23T01:02:03\", \"upper\"=>\"infinity\", \"bounds\"=>\"[]\"}");
	check(own(3910), "[\"2026-11-23 01:02:03+00\",)",
	    "{\"lower\"=>\"2026-11-23T01:02:03Z\", \"upper\"=>nil, \"bounds\"=>\"[)\"}");
	check(&(struct type){ .kind = VALUE_RANGE, .element = own(25) },
	    "[\"\",\"a\"\"\\\\,)]\")",
	    "{\"lower\"=>\"\", \"upper\"=>\"a\\\"\\\\,)]\", \"bounds\"=>\"[)\"}");
	check(multi, "{}", "[]");
	check(multi, "{[1,2),[5,)}",
	    "[{\"lower\"=>1, \"upper\"=>2, \"bounds\"=>\"[)\"}, "
	    "{\"lower\"=>5, \"upper\"=>nil, \"bounds\"=>\"[)\"}]");
	check(own(3905), "{\"[1,2)\",empty,NULL}",
	    "[{\"lower\"=>1, \"upper\"=>2, \"bounds\"=>\"[)\"}, {\"empty\"=>true}, nil]");
	check(own(6150), "{\"{[1,2)}\",\"{}\"}",
	    "[[{\"lower\"=>1, \"upper\"=>2, \"bounds\"=>\"[)\"}], []]");
	for (const char *const *bad = (const char *const[]){ "", "[", "[1", "[1,", "[1,2", "1,2)",
		 "[1)", "[1]", "[1,2,3)", "[1,2)x", "emptyx", "empt", "[\"1,2)", "[1,\\", "{[1,2)}",
		 NULL };
	    *bad != NULL; bad++)
		stays(ints, *bad);
	for (const char *const *bad = (const char *const[]){ "", "{", "{[1,2)", "{[1,2),}", "{[1,2)]",
		 "{1}", "[1,2)", "{}x", NULL };
	    *bad != NULL; bad++)
		stays(multi, *bad);
}

static void
test_hstore(void)
{
	check(&hstore, "", "{}");
	check(&hstore, "\"a\"=>\"1\"", "{\"a\"=>\"1\"}");
	check(&hstore, "\"a\"=>NULL, \"\"=>\"NULL\"", "{\"a\"=>nil, \"\"=>\"NULL\"}");
	check(&hstore, "\"a\\\"b\"=>\"\\\\\", \"=>\"=>\", \"",
	    "{\"a\\\"b\"=>\"\\\\\", \"=>\"=>\", \"}");
	for (const char *const *bad = (const char *const[]){ " ", "a", "\"a", "\"a\"", "\"a\"=",
		 "\"a\"=>", "\"a\"=>\"", "\"a\"=>1", "\"a\"=>NUL", "\"a\"=>\"1\",", "\"a\"=>\"1\", ",
		 "\"a\"=>\"1\",\"b\"=>\"2\"", "a=>\"1\"", "\"a\"=>\"1\"x", "\"a\\", NULL };
	    *bad != NULL; bad++)
		stays(&hstore, *bad);
}

/* The first byte of how an array of so many dimensions is printed. */
static char
nested(size_t depth)
{
	struct buf buf = { 0 }, *b = &buf;
	char first;

	for (size_t i = 0; i < depth; i++)
		buf_addc(b, '{');
	buf_addc(b, '1');
	for (size_t i = 0; i < depth; i++)
		buf_addc(b, '}');
	first = *print(own(1007), b->data, b->len);
	buf_free(b);
	return first;
}

/* What a program that reads frames can still take is structured; deeper, it is text. */
static void
test_depth(void)
{
	struct buf b = { 0 };
	struct type level[10] = { { .kind = VALUE_ARRAY, .delimiter = ',', .element = own(23) } };

	ok(nested(VALUE_DEPTH) == '[', "%d deep", VALUE_DEPTH);
	ok(nested(VALUE_DEPTH + 1) == '"', "one more");
	ok(nested(1000000) == '"', "many more");
	for (size_t i = 1; i < 10; i++) {
		level[i].kind = VALUE_COMPOSITE;
		level[i].fields = 1;
		level[i].field = xcalloc(1, sizeof(struct type_field));
		*level[i].field = (struct type_field){ .name = xstrdup("x"), .type = &level[i - 1] };
	}
	b.len = 0;
	buf_adds(&b, "{1}");
	for (size_t i = 1; i < 10; i++) {
		struct buf quoted = { 0 };

		buf_adds(&quoted, "(\"");
		for (size_t k = 0; k < b.len; k++)
			buf_printf(&quoted, b.data[k] == '"' ? "\"\"" : "%c", b.data[k]);
		buf_adds(&quoted, "\")");
		buf_free(&b);
		b = quoted;
	}
	is(print(&level[9], b.data, b.len),
	    "{\"x\"=>{\"x\"=>{\"x\"=>{\"x\"=>{\"x\"=>{\"x\"=>{\"x\"=>{\"x\"=>{\"x\"=>[1]}}}}}}}}}",
	    "composite in composite");
	for (size_t i = 1; i < 10; i++) {
		free(level[i].field->name);
		free(level[i].field);
	}
	buf_free(&b);
}

/* As many as each length of a head has. */
static void
test_sizes(void)
{
	static const size_t sizes[] = { 15, 16, 17, 255, 256, 65535, 65536, 70000 };
	bool good = true;

	for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
		struct buf text = { 0 }, out = { 0 };
		msgpack_unpacked u;
		size_t off = 0;

		buf_adds(&text, "{{");
		for (size_t i = 0; i < sizes[s]; i++)
			buf_printf(&text, "%s%zu", i > 0 ? "," : "", i);
		buf_adds(&text, "},{1}}");
		value_put(&out, own(1007), text.data, text.len);
		msgpack_unpacked_init(&u);
		good &= msgpack_unpack_next(&u, out.data, out.len, &off) ==
			MSGPACK_UNPACK_SUCCESS &&
		    off == out.len && u.data.via.array.size == 2;
		for (size_t i = 0; good && i < sizes[s]; i++)
			good = u.data.via.array.ptr[0].via.array.ptr[i].via.u64 == i;
		good &= u.data.via.array.ptr[0].via.array.size == sizes[s];
		msgpack_unpacked_destroy(&u);
		buf_free(&text);
		buf_free(&out);
	}
	ok(good, "arrays of 15 to 70000 elements");
}

/* Whatever comes is one value: never a crash, never half of one. */
static void
test_noise(void)
{
	static const char letters[] = "{}()[],;\"\"\\\\=>NULL 1a:empty\xc3";
	const struct type *of[] = { own(1007), own(1009), own(22), own(3904), own(4451), own(6150),
		&pair, &pairs, &domains, &hstore };
	unsigned seed = 1;
	size_t odd = 0, structured = 0;

	for (int i = 0; i < 200000; i++) {
		char text[24] = { 0 };
		size_t n = (size_t)rand_r(&seed) % sizeof(text);
		char *copy, *got;

		for (size_t k = 0; k < n; k++)
			text[k] = letters[(size_t)rand_r(&seed) % (sizeof(letters) - 1)];
		if (n > 1 && i % 4 > 0) {
			text[0] = "{([\""[i % 4];
			text[n - 1] = "})]\""[i % 4];
		}
		copy = xmalloc(n > 0 ? n : 1);
		memcpy(copy, text, n);
		got = print(of[i % 10], copy, n);
		odd += strncmp(got, "not ", 4) == 0;
		structured += got[0] == '[' || got[0] == '{';
		free(copy);
	}
	ok(odd == 0, "noise is one value each");
	ok(structured > 1000, "and some of it was structured (%zu)", structured);
}

int
main(void)
{
	pair_field[0] = (struct type_field){ .name = xstrdup("a b"), .type = own(23) };
	pair_field[1] = (struct type_field){ .name = xstrdup("v"), .type = &mood };
	one_field[0] = (struct type_field){ .name = xstrdup("x"), .type = &mood };
	test_arrays();
	test_composites();
	test_ranges();
	test_hstore();
	test_depth();
	test_sizes();
	test_noise();
	return done_testing();
}
