/* Strings are escaped for JSON exactly, wherever in them the odd bytes are. */
#include <stdio.h>
#include <string.h>

#include "frame.h"
#include "relation.h"
#include "render.h"

static const struct value_class plain;
static int tests, failed;

static void
ok(bool good, const char *name)
{
	printf("%sok %d - %s\n", good ? "" : "not ", ++tests, name);
	failed += !good;
}

/* By the letter of RFC 8259, section 7. */
static void
escape_slowly(struct buf *b, const char *s, size_t n)
{
	static const char short_forms[] = "\bb\tt\nn\ff\rr\"\"\\\\";

	for (size_t i = 0; i < n; i++) {
		const char *two = memchr(short_forms, s[i], sizeof(short_forms) - 1);
		unsigned char c = (unsigned char)s[i];

		while (two != NULL && (two - short_forms) % 2 != 0)
			two = memchr(two + 1, s[i],
			    sizeof(short_forms) - 1 - (size_t)(two + 1 - short_forms));
		if (two != NULL)
			buf_printf(b, "\\%c", two[1]);
		else if (c < 0x20)
			buf_printf(b, "\\u%04x", c);
		else
			buf_addc(b, s[i]);
	}
}

static bool
same(const char *s, size_t n)
{
	struct buf got = { 0 }, want = { 0 };
	bool good;

	quote_escaped(&got, s, n);
	escape_slowly(&want, s, n);
	good = got.len == want.len && (n == 0 || memcmp(got.data, want.data, got.len) == 0);
	if (!good)
		printf("# %zu bytes: got %.*s, want %.*s\n", n, (int)got.len, got.data,
		    (int)want.len, want.data);
	buf_free(&got);
	buf_free(&want);
	return good;
}

static void
test_every_byte_everywhere(void)
{
	bool good = true;

	for (size_t n = 0; n <= 40; n++)
		for (size_t at = 0; at < n; at++)
			for (int c = 0; c < 256; c++) {
				char s[40];

				memset(s, 'x', sizeof(s));
				s[at] = (char)c;
				good &= same(s, n);
			}
	ok(good, "every byte at every place of strings up to 40 bytes");
}

static void
test_all_escaped(void)
{
	char s[5000];
	bool good = true;

	for (int c = 0; c < 256; c++) {
		memset(s, c, sizeof(s));
		good &= same(s, sizeof(s));
	}
	for (size_t i = 0; i < sizeof(s); i++)
		s[i] = (char)(i * 7 + i / 256);
	ok(good && same(s, sizeof(s)), "long strings of one byte, and of all bytes mixed");
}

/* Arrays and maps inside of each other, as deep as frames nest. */
static void
test_nested(void)
{
	static const struct value_policy policy;
	struct renderer to = { .policy = &policy };
	struct buf packed = { 0 }, got = { 0 }, want = { 0 };
	msgpack_unpacked u;
	size_t off = 0;
	bool good;

	for (int i = 0; i < 15; i++) {
		frame_put_map(&packed, 2);
		frame_put_cstr(&packed, "n\"");
		frame_put_nil(&packed);
		frame_put_uint(&packed, 7);
		frame_put_array(&packed, 2);
		frame_put_ext(&packed, FRAME_EXT_JSON, "{}", 2);
		buf_adds(&want, "{\"n\\\"\":null,\"7\":[{},");
	}
	frame_put_bin(&packed, "\377", 1);
	buf_adds(&want, "\"/w==\"");
	for (int i = 0; i < 15; i++)
		buf_adds(&want, "]}");
	msgpack_unpacked_init(&u);
	good = msgpack_unpack_next(&u, packed.data, packed.len, &off) == MSGPACK_UNPACK_SUCCESS &&
	    render_json(&got, &u.data, plain, &to) == RENDER_OK &&
	    got.len == want.len && memcmp(got.data, want.data, got.len) == 0;
	ok(good, "maps and arrays, 30 deep");
	got.len = 0;
	ok(good && render_text(&got, &u.data, plain, &to) == RENDER_OK &&
	        got.len == want.len,
	    "and as text, for ids, they are JSON, too");
	msgpack_unpacked_destroy(&u);
	buf_free(&packed);
	buf_free(&got);
	buf_free(&want);
}

/* Shapes, and values of theirs. */

static struct shape numeric = { .oid = 1700 }, moments = { .oid = 1185 }, text = { .oid = 25 },
		    range = { .oid = 3908 }, unknown;
static struct shape_field inner_field[] = { { (char[]) { "n" }, 1, &numeric },
	{ (char[]) { "t" }, 1, &moments }, { (char[]) { "u" }, 1, &unknown } };
static struct shape inner = { .field = inner_field, .fields = 3 };
static struct shape_field outer_field[] = { { (char[]) { "a" }, 1, &inner },
	{ (char[]) { "lower" }, 5, &text }, { (char[]) { "r" }, 1, &range },
	{ (char[]) { "n" }, 1, &numeric } };
static struct shape outer = { .field = outer_field, .fields = 4 };

/* put FORM: {kv kv} is a map, [] an array, a word in it a str; _ is nil. */
static void
put(struct buf *b, const char **form)
{
	const char *p = *form;
	char open = *p;
	struct buf in = { 0 };
	size_t n = 0;

	if (open != '{' && open != '[') {
		size_t len = strcspn(p, " ]}");

		if (len == 1 && *p == '_')
			frame_put_nil(b);
		else
			frame_put_str(b, p, len);
		*form = p + len;
		return;
	}
	for (*form = p + 1; **form != '}' && **form != ']'; n++) {
		put(&in, form);
		*form += strspn(*form, " ");
	}
	(*form)++;
	if (open == '{')
		frame_put_map(b, n / 2);
	else
		frame_put_array(b, n);
	buf_add(b, in.data, in.len);
	buf_free(&in);
}

static void
becomes(struct relation_column column, const char *form, const char *want, const char *name)
{
	static const struct value_policy policy = { .nan = ODD_NULL, .infinity = ODD_NULL };
	struct renderer to = { .policy = &policy };
	struct buf packed = { 0 }, got = { 0 };
	msgpack_unpacked u;
	size_t off = 0;
	bool good;

	put(&packed, &form);
	msgpack_unpacked_init(&u);
	good = msgpack_unpack_next(&u, packed.data, packed.len, &off) == MSGPACK_UNPACK_SUCCESS &&
	    render_json(&got, &u.data, render_class(&column), &to) == RENDER_OK &&
	    strcmp(buf_cstr(&got), want) == 0;
	ok(good, name);
	if (!good)
		printf("# got %s\n", got.len > 0 ? buf_cstr(&got) : "nothing");
	msgpack_unpacked_destroy(&u);
	buf_free(&packed);
	buf_free(&got);
}

static void
test_shapes(void)
{
	static const uint32_t numbers[] = { 3906, 3907, 4532, 6151, 1700, 1231 };
	static const uint32_t times[] = { 3908, 3909, 3910, 3911, 3912, 3913, 4533, 4534, 4535,
		6152, 6153, 6155, 1082, 1114, 1184, 1115, 1182, 1185 };

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		becomes((struct relation_column) { .type_oid = 9, .base_oid = numbers[i] },
		    "[{lower 1.50 upper NaN bounds 1.0} {empty 1} _ 2]",
		    "[{\"lower\":1.50,\"upper\":null,\"bounds\":\"1.0\"},{\"empty\":\"1\"},null,2]",
		    "bounds of numbers");
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
		becomes((struct relation_column) { .type_oid = 1700, .base_oid = times[i] },
		    "[{lower 1 upper infinity bounds infinity} -infinity]",
		    "[{\"lower\":\"1\",\"upper\":null,\"bounds\":\"infinity\"},null]",
		    "bounds of moments");
	becomes((struct relation_column) { .base_oid = 3904 }, "{lower 1 upper infinity}",
	    "{\"lower\":\"1\",\"upper\":\"infinity\"}", "bounds of others");
	becomes((struct relation_column) { .base_oid = 1700, .shape = &inner },
	    "{n 1.0 t [infinity 1] u 2}", "{\"n\":1.0,\"t\":[null,\"1\"],\"u\":\"2\"}",
	    "a composite value");
	becomes((struct relation_column) { .shape = &inner },
	    "[_ [{n [1.0 [2.0]] t _ u [infinity]}] 3]",
	    "[null,[{\"n\":[1.0,[2.0]],\"t\":null,\"u\":[\"infinity\"]}],\"3\"]",
	    "an array of composite values");
	becomes((struct relation_column) { .shape = &outer },
	    "{a {n 1 t _ u _} lower 2.0 r {lower infinity upper _ bounds 1} n 3}",
	    "{\"a\":{\"n\":1,\"t\":null,\"u\":null},\"lower\":\"2.0\","
	    "\"r\":{\"lower\":null,\"upper\":null,\"bounds\":\"1\"},\"n\":3}",
	    "composite values and ranges in one");
	becomes((struct relation_column) { .shape = &inner },
	    "{lower {n 1.0 t infinity u _} upper _ bounds 1}",
	    "{\"lower\":{\"n\":1.0,\"t\":null,\"u\":null},\"upper\":null,\"bounds\":\"1\"}",
	    "a range of composite values");
	becomes((struct relation_column) { .shape = &inner }, "{t 1 nn 2 n 3 more 4}",
	    "{\"t\":\"1\",\"nn\":\"2\",\"n\":\"3\",\"more\":\"4\"}",
	    "a map that is none of its shape is as it is");
	becomes((struct relation_column) { .shape = &unknown }, "{n 1}", "{\"n\":\"1\"}",
	    "a type of no fields");
}

/* A key of keys would be escaped at each level, which doubles it. */
static void
test_keys(const char *form, const char *name)
{
	static const struct value_policy policy;
	struct renderer to = { .policy = &policy };
	struct buf packed = { 0 }, got = { 0 };
	msgpack_unpacked u;
	size_t off = 0;

	put(&packed, &form);
	msgpack_unpacked_init(&u);
	ok(msgpack_unpack_next(&u, packed.data, packed.len, &off) == MSGPACK_UNPACK_SUCCESS &&
	        render_json(&got, &u.data, plain, &to) == RENDER_UNKNOWN,
	    name);
	msgpack_unpacked_destroy(&u);
	buf_free(&packed);
	buf_free(&got);
}

int
main(void)
{
	test_every_byte_everywhere();
	test_all_escaped();
	test_nested();
	test_shapes();
	test_keys("{{a 1} 2}", "a map is no key");
	test_keys("{[a] 2}", "nor is an array");
	test_keys("{_ 2}", "nor is null");
	printf("1..%d\n", tests);
	return failed > 0;
}
