/* Members of JSON texts are found and taken over as they are written. */
#include <stdlib.h>

#include "json.h"
#include "tap.h"

static struct json_text
text(const char *s)
{
	return (struct json_text) { s, strlen(s) };
}

static void
is_text(struct json_text got, const char *want, const char *name)
{
	bool same = got.p == NULL || want == NULL
	    ? got.p == NULL && want == NULL
	    : got.n == strlen(want) && memcmp(got.p, want, got.n) == 0;

	ok(same, "%s", name);
	if (!same)
		printf("# got:  %.*s\n# want: %s\n", (int)got.n, got.p ? got.p : "none",
		    want ? want : "none");
}

static void
test_member(void)
{
	static const struct {
		const char *object, *name, *want;
	} cases[] = {
		{ "{\"a\":1}", "a", "1" },
		{ "{\"a\":1}", "b", NULL },
		{ "{}", "a", NULL },
		{ " { \"a\" : -1.50e+3 , \"b\":2}", "a", "-1.50e+3" },
		{ "{\"a\":{\"b\":1},\"b\":2}", "b", "2" },
		{ "{\"a\":[{\"b\":1},\"b\"],\"b\":[ ]}", "b", "[ ]" },
		{ "{\"a\":\"}\\\"\",\"b\":\"x\"}", "b", "\"x\"" },
		{ "{\"a\":\"\\\\\",\"b\":\"x\"}", "b", "\"x\"" },
		{ "{\"a\":1,\"a\":2}", "a", "2" },
		{ "{\"\\u0061b\":1}", "ab", "1" },
		{ "{\"a\\/b\":1}", "a/b", "1" },
		{ "{\"\\u00e9\":1}", "\xc3\xa9", "1" },
		{ "{\"\xc3\xa9\":1}", "\xc3\xa9", "1" },
		{ "{\"\\ud83d\\uDE00\":1}", "\xf0\x9f\x98\x80", "1" },
		{ "{\"\\ud83d\":1}", "\xf0\x9f\x98\x80", NULL },
		{ "{\"a.b\":1}", "a.b", "1" },
		{ "{\"\":1}", "", "1" },
		{ "{\"a\\\"b\":1}", "a\"b", "1" },
		{ "{\"ab\":1}", "a", NULL },
		{ "{\"a\":1}", "ab", NULL },
		{ "{\"\\u0061\":1}", "", NULL },
		{ "{/* \"a\":0, */\"a\":/**/1//\n}", "a", "1" },
		{ "{\"a\":\n\t{\r\n\"x\":1}\n}", "a", "{\r\n\"x\":1}" },
		{ "[1]", "a", NULL },
		{ "1", "a", NULL },
		{ "", "a", NULL },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		is_text(json_member(text(cases[i].object), cases[i].name), cases[i].want,
		    cases[i].object);
}

static void
test_valid(void)
{
	static const char *const good[] = { "{}", "[]", "1", "\"a\"", " {\"a\":[1,2]} ",
		"{\"a\":{}} // x", "/* x */ null", "[[[{}]]]" };
	static const char *const bad[] = { "", " ", "{", "}", "[", "{]", "[}", "{\"a\":[}]",
		"\"a", "\"a\\", "{} {}", "{}}", "{\"a\":\"}", "/*", "{/*}", "<html>", "{\"a\":;}" };
	char *deep = malloc(60001);

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		ok(json_valid(text(good[i])), "one value: %s", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ok(!json_valid(text(bad[i])), "none: %s", bad[i]);
	for (size_t n = 1; n <= 60; n++) {
		/* Every cut of a text is damaged. */
		const char *t = "{\"a\":[1,{\"b\":\"x\\\"]\"}],\"c\":{\"d\":[[],{}]},\"e\":\"\\u0041\"}";

		if (n < strlen(t) && json_valid((struct json_text) { t, n }))
			ok(false, "cut at %zu", n);
	}
	memset(deep, '[', 30000);
	memset(deep + 30000, ']', 30000);
	ok(!json_valid((struct json_text) { deep, 60000 }), "far too deep is damaged");
	ok(json_valid((struct json_text) { deep + 20000, 20000 }), "10000 deep is not");
	free(deep);
}

static void
test_walk(void)
{
	struct json_text name, value = { 0 };
	struct json_walk w = json_open(text("[1, \"a\" ,{}]x"));

	ok(w.close == ']' && json_next(&w, &name, &value) == 1 && name.p == NULL, "an array");
	is_text(value, "1", "its first element");
	ok(json_next(&w, &name, &value) == 1, "another");
	is_text(value, "\"a\"", "its second element");
	ok(json_next(&w, &name, &value) == 1, "and the third");
	ok(json_next(&w, &name, &value) == -1, "something behind it is damage");
	w = json_open(text("{\"a\":1 \"b\":2}"));
	ok(json_next(&w, &name, &value) == 1, "a member");
	ok(json_next(&w, &name, &value) == -1, "a comma is needed");
	w = json_open(text("{\"a\" 1}"));
	ok(json_next(&w, &name, &value) == -1, "a colon is needed");
	w = json_open(text("{a:1}"));
	ok(json_next(&w, &name, &value) == -1, "quotes are needed");
	is_text(json_trim(text(" /*x*/ {\"a\":1} // y")), "{\"a\":1}", "trimmed");
}

static void
test_texts(void)
{
	struct buf b = { 0 };

	json_unescape(&b, text("\"a\\n\\u0041\\\\\\ud83d\\ude00\\u20ac\""));
	is(buf_cstr(&b), "a\nA\\\xf0\x9f\x98\x80\xe2\x82\xac", "unescaped");
	b.len = 0;
	json_put_string(&b, "a\"\\\n\x01\xc3\xa9", 7);
	is(buf_cstr(&b), "\"a\\\"\\\\\\u000a\\u0001\xc3\xa9\"", "escaped");
	b.len = 0;
	json_put_line(&b, text("{ \"a\" : \"x  y\" }"));
	is(buf_cstr(&b), "{ \"a\" : \"x  y\" }", "one line stays as it is");
	b.len = 0;
	json_put_line(&b, text("{\n  \"a\":  [1.50,\r\n 2], // c\n \"b // x\":\"/* \\n */\" /* d\n */}"));
	is(buf_cstr(&b), "{ \"a\":  [1.50, 2], \"b // x\":\"/* \\n */\" }",
	    "several become one, without comments");
	b.len = 0;
	json_put_line(&b, text("\"a\nb\rc\""));
	is(buf_cstr(&b), "\"a\\nb\\rc\"", "also inside of strings");
	buf_free(&b);
}

int
main(void)
{
	test_member();
	test_valid();
	test_walk();
	test_texts();
	return done_testing();
}
