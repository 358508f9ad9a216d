/* JSON text is recognised, cleaned by the policies, and taken apart, without a tree. */
#include <stdlib.h>

#include "json.h"
#include "tap.h"

static struct json_scratch scratch;
static struct json_problem problem;

/* A copy that ends where its memory does, so that a step beyond it shows. */
static char *
exactly(const char *s, size_t len)
{
	char *copy = xmalloc(len > 0 ? len : 1);

	if (len > 0)
		memcpy(copy, s, len);
	return copy;
}

static bool
valid(const char *text)
{
	char *copy = exactly(text, strlen(text));
	bool r = json_valid(copy, strlen(text), &problem);

	free(copy);
	return r;
}

static void
test_grammar(void)
{
	static const char *const good[] = { "{}", "[]", " [ ] ", "\t\r\n0 ", "\"\"",
		"true", "false", "null", "-0", "1E+5", "-1.5e-05", "{\"a\":1}",
		"{ \"a\" : [ 1 , { } , [ ] ] }",
		"[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uD83D\\uDE00\\ud800\"]",
		"[\"\x7f \xc3\xa9\"]", "{\"\":0,\"\":1}",
		"[1,2,\"x\",null,true,false,{}]" };
	static const struct {
		const char *text;
		size_t offset;
	} bad[] = { { "", 0 }, { " ", 1 }, { "[", 1 }, { "[1", 2 }, { "[1,", 3 },
		{ "[1,]", 3 }, { "[,1]", 1 }, { "[1 2]", 3 }, { "[1}", 2 }, { "{]", 1 },
		{ "{", 1 }, { "{\"a\"", 4 }, { "{\"a\":", 5 }, { "{\"a\":1", 6 },
		{ "{\"a\":1,", 7 }, { "{\"a\":1,}", 7 }, { "{\"a\" 1}", 5 },
		{ "{a:1}", 1 }, { "{1:1}", 1 }, { "{,}", 1 }, { "{\"a\":}", 5 },
		{ "]", 0 }, { "\"", 0 }, { "[\"a]", 1 }, { "\"\\", 1 }, { "\"\\\"", 0 },
		{ "\"\\x\"", 1 }, { "\"\\u12\"", 1 }, { "\"\\u12g4\"", 1 },
		{ "\"\\u123", 1 }, { "\"a\nb\"", 2 }, { "\"\x01\"", 1 }, { "\"\t\"", 1 },
		{ "01", 0 }, { "+1", 0 }, { "1.", 0 }, { ".5", 0 }, { "-", 0 },
		{ "1e", 0 }, { "[1-2]", 1 }, { "1 2", 2 }, { "tru", 0 }, { "True", 0 },
		{ "nul", 0 }, { "truex", 4 }, { "nan", 0 }, { "{}{}", 2 }, { "[1]x", 3 },
		{ "'a'", 0 }, { "[1]//", 3 }, { "\xef\xbb\xbf[]", 0 }, { "\f[]", 0 } };

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		ok(valid(good[i]), "JSON: text %zu", i);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ok(!valid(bad[i].text) && problem.what != NULL && problem.name == NULL &&
			problem.offset == bad[i].offset,
		    "no JSON: text %zu, and where", i);
		if (problem.offset != bad[i].offset)
			printf("# %s: at %zu\n", bad[i].text, problem.offset);
	}
	ok(!json_valid("[\0]", 3, &problem) && problem.offset == 1, "a NUL is no end");
	ok(json_valid("[1]2", 3, &problem), "the length is");
}

/* All that a text begins with is no more than the text. */
static void
test_every_beginning(void)
{
	static const char text[] =
	    "{\"a\\u00e9\\n\":[1.5e+3,true,false,null,\"x\"],\"\":{\"b\":{}},\"\":[[]]}";
	bool good = true;

	for (size_t n = 0; n < sizeof(text) - 1; n++) {
		char *copy = exactly(text, n);
		struct buf out = { 0 };

		good &= !json_valid(copy, n, &problem) && problem.offset <= n;
		good &= json_clean(&scratch, &out, copy, n, JSON_DUPLICATES_LAST,
			    JSON_EMPTY_DROP, &problem) == -1 &&
			out.len == 0 && problem.offset <= n;
		free(copy);
		buf_free(&out);
	}
	ok(good && valid(text), "no beginning of a text is one");
}

static void
add_times(struct buf *b, const char *s, size_t n)
{
	while (n-- > 0)
		buf_adds(b, s);
}

static void
test_depth(void)
{
	struct buf b = { 0 }, out = { 0 };
	struct json_members all;
	struct json_member member;

	add_times(&b, "{\"a\":[", JSON_DEPTH / 2);
	add_times(&b, "]}", JSON_DEPTH / 2);
	ok(json_valid(b.data, b.len, &problem), "arrays and objects 1000 deep");
	ok(json_clean(&scratch, &out, b.data, b.len, JSON_DUPLICATES_LAST,
	       JSON_EMPTY_DROP, &problem) == 0 &&
		out.len == b.len && memcmp(out.data, b.data, b.len) == 0,
	    "cleaned, too");
	all = json_members(b.data, b.len);
	ok(json_next(&all, &scratch, &member, &problem) == 1, "taken apart, too");
	ok(json_next(&all, &scratch, &member, &problem) == 0, "to its end");
	b.len = 0;
	add_times(&b, "{\"a\":[", JSON_DEPTH / 2);
	buf_adds(&b, "{}");
	add_times(&b, "]}", JSON_DEPTH / 2);
	ok(!json_valid(b.data, b.len, &problem) && problem.offset == 6 * JSON_DEPTH / 2,
	    "not one more");
	all = json_members(b.data, b.len);
	ok(json_next(&all, &scratch, &member, &problem) == -1, "taken apart neither");
	b.len = 0;
	add_times(&b, "[", 1000000);
	ok(!json_valid(b.data, b.len, &problem), "nor a million");
	buf_free(&b);
	buf_free(&out);
}

static void
test_one_line(void)
{
	struct buf b = { 0 };

	buf_adds(&b, "x\n");
	json_one_line(&b, "\n{\r\n\"a\\n\":\n1}\r", 14);
	is(buf_cstr(&b), "x\n {  \"a\\n\": 1} ",
	    "line breaks become blanks, escapes stay");
	json_one_line(&b, NULL, 0);
	ok(b.len == 16, "nothing to append");
	b.len = 0;
	json_one_line(&b, "no\nJSON\r", 8);
	is(buf_cstr(&b), "no JSON ", "also in what is no JSON");
	b.len = 0;
	ok(json_clean(&scratch, &b, "{\n\"a\r", 5, JSON_DUPLICATES_KEEP, JSON_EMPTY_KEEP,
	       &problem) == 0 &&
		strcmp(buf_cstr(&b), "{ \"a ") == 0,
	    "without policies cleaning is no more than that");
	buf_free(&b);
}

/* The name that the last problem had; it ends with its text. */
static char rejected_name[32];

static void
cleaned(const char *text, enum json_duplicates duplicates, enum json_empty empty,
    const char *want)
{
	char *copy = exactly(text, strlen(text));
	struct buf b = { 0 };
	char name[128];

	snprintf(name, sizeof(name), "%.100s", text);
	for (char *p = name; *p != '\0'; p++)
		if (*p == '\n' || *p == '\r')
			*p = '|';
	if (json_clean(&scratch, &b, copy, strlen(text), duplicates, empty, &problem) !=
	    0) {
		ok(want == NULL && b.len == 0, "rejected: %s", name);
		snprintf(rejected_name, sizeof(rejected_name), "%.*s",
		    problem.name != NULL ? (int)problem.name_len : 4,
		    problem.name != NULL ? problem.name : "NULL");
		if (want != NULL)
			printf("# %s at %zu\n", problem.what, problem.offset);
	} else {
		is(buf_cstr(&b), want, name);
	}
	free(copy);
	buf_free(&b);
}

static void
test_last(void)
{
	static const char *const cases[][2] = {
		{ "{}", "{}" },
		{ "{\"a\":1,\"b\":2}", "{\"a\":1,\"b\":2}" },
		{ "{\"a\":1,\"a\":2}", "{\"a\":2}" },
		{ "{\"a\":1,\"b\":2,\"a\":3}", "{\"b\":2,\"a\":3}" },
		{ "{\"b\":2,\"a\":1,\"a\":3,\"c\":4}", "{\"b\":2,\"a\":3,\"c\":4}" },
		{ "{\"a\":1,\"a\":2,\"a\":3,\"b\":4,\"b\":5}", "{\"a\":3,\"b\":5}" },
		{ "{\"x\":0,\"a\":1,\"b\":2,\"y\":0,\"b\":3,\"a\":4,\"z\":0}",
		    "{\"x\":0,\"y\":0,\"b\":3,\"a\":4,\"z\":0}" },
		{ " { \"a\" : 1 , \"b\" : 2\n, \"a\" : 3 } ",
		    " { \"b\" : 2 , \"a\" : 3 } " },
		{ "{ \"b\" : 0 , \"a\" : 1 , \"a\" : 3 }", "{ \"b\" : 0 , \"a\" : 3 }" },
		{ "{\"a\":1,\"\\u0061\":2}", "{\"\\u0061\":2}" },
		{ "{\"\\u00e9\":1,\"\xc3\xa9\":2}", "{\"\xc3\xa9\":2}" },
		{ "{\"\xf0\x9f\x98\x80\":1,\"\\ud83d\\uDE00\":2}",
		    "{\"\\ud83d\\uDE00\":2}" },
		{ "{\"/\":1,\"\\/\":2,\"\\\\/\":3,\"\\\"\":4,\"\\u0022\":5}",
		    "{\"\\/\":2,\"\\\\/\":3,\"\\u0022\":5}" },
		{ "{\"\\b\\f\\n\\r\\t\":1,\"\\u0008\\u000c\\u000A\\u000d\\u0009\":2}",
		    "{\"\\u0008\\u000c\\u000A\\u000d\\u0009\":2}" },
		{ "{\"\\u0061\":{\"\\u0062\":1},\"\\u0062\":2,\"a\":3}",
		    "{\"\\u0062\":2,\"a\":3}" },
		/* Lone halves are names of their own. */
		{ "{\"\\ud800\":1,\"\\ud801\":2,\"\\ufffd\":3,\"\\uD800\":4}",
		    "{\"\\ud801\":2,\"\\ufffd\":3,\"\\uD800\":4}" },
		{ "{\"\\ud800\\ud800\":1,\"\\ud800\\udc00\":2,\"\\udc00\\ud800\":3}",
		    "{\"\\ud800\\ud800\":1,\"\\ud800\\udc00\":2,\"\\udc00\\ud800\":3}" },
		{ "{\"a\\u0000\":1,\"a\":2,\"a\\u0000b\":3}",
		    "{\"a\\u0000\":1,\"a\":2,\"a\\u0000b\":3}" },
		{ "{\"a\":{\"a\":1},\"b\":{\"a\":1}}",
		    "{\"a\":{\"a\":1},\"b\":{\"a\":1}}" },
		{ "[{\"a\":1,\"a\":2},{\"a\":1,\"b\":[{\"c\":1,\"c\":[{\"d\":1,\"d\":2}]}"
		  "]}]",
		    "[{\"a\":2},{\"a\":1,\"b\":[{\"c\":[{\"d\":2}]}]}]" },
		{ "{\"a\":{\"b\":1,\"b\":2},\"a\":{\"c\":1,\"c\":2,\"d\":{\"e\":1,\"e\":"
		  "2}}}",
		    "{\"a\":{\"c\":2,\"d\":{\"e\":2}}}" },
		{ "{\"z\":0,\"a\":{\"b\":1,\"b\":2},\"a\":3}", "{\"z\":0,\"a\":3}" },
		{ "{\"\":1,\"\":2}", "{\"\":2}" },
		{ "\"a\"", "\"a\"" },
		{ "{\"a\":1,\"a\":}", NULL },
		{ "{\"a\":1,\"a\":2", NULL },
		{ "{\"a\":1} {", NULL },
	};

	/* The first has no members, and finds no memory either. */
	json_scratch_free(&scratch);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		cleaned(cases[i][0], JSON_DUPLICATES_LAST, JSON_EMPTY_KEEP, cases[i][1]);
}

static void
test_empty(void)
{
	static const char text[] = "{\"\":1,\"a\":{\"\":[{\"\":{}}],\"b\":\"\"},\"\":2}";

	cleaned(text, JSON_DUPLICATES_KEEP, JSON_EMPTY_KEEP, text);
	cleaned(text, JSON_DUPLICATES_KEEP, JSON_EMPTY_DROP, "{\"a\":{\"b\":\"\"}}");
	cleaned(text, JSON_DUPLICATES_KEEP, JSON_EMPTY_UNDERSCORE,
	    "{\"_\":1,\"a\":{\"_\":[{\"_\":{}}],\"b\":\"\"},\"_\":2}");
	cleaned(text, JSON_DUPLICATES_KEEP, JSON_EMPTY_REJECT, NULL);
	ok(problem.offset == 1 && strcmp(rejected_name, "") == 0, "says where");
	cleaned("{\"\":1}", JSON_DUPLICATES_KEEP, JSON_EMPTY_DROP, "{}");
	cleaned("[{ \"\" : {\"\":2}, \"\":3\n}]", JSON_DUPLICATES_KEEP, JSON_EMPTY_DROP,
	    "[{  }]");
	cleaned("{\"a\":1 , \"\":2 , \"b\":3}", JSON_DUPLICATES_KEEP, JSON_EMPTY_DROP,
	    "{\"a\":1 , \"b\":3}");
	cleaned("{\"\\u0000\":1,\" \":2}", JSON_DUPLICATES_KEEP, JSON_EMPTY_REJECT,
	    "{\"\\u0000\":1,\" \":2}");
	cleaned("\n{\n\"\"\n:\n1}", JSON_DUPLICATES_KEEP, JSON_EMPTY_UNDERSCORE,
	    " { \"_\" : 1}");
	cleaned("{\"\":}", JSON_DUPLICATES_KEEP, JSON_EMPTY_DROP, NULL);
}

static void
test_both(void)
{
	static const char both[] = "{\"\":1,\"_\":2,\"\":{\"\":3}}";

	cleaned(both, JSON_DUPLICATES_KEEP, JSON_EMPTY_UNDERSCORE,
	    "{\"_\":1,\"_\":2,\"_\":{\"_\":3}}");
	cleaned(both, JSON_DUPLICATES_LAST, JSON_EMPTY_UNDERSCORE, "{\"_\":{\"_\":3}}");
	cleaned(both, JSON_DUPLICATES_REJECT, JSON_EMPTY_UNDERSCORE, NULL);
	ok(problem.offset == 6 && strcmp(rejected_name, "_") == 0,
	    "what is renamed is a duplicate");
	cleaned("{\"_\":1,\"\":2}", JSON_DUPLICATES_REJECT, JSON_EMPTY_UNDERSCORE, NULL);
	ok(problem.offset == 7 && strcmp(rejected_name, "_") == 0,
	    "and has its new name then");
	cleaned(both, JSON_DUPLICATES_REJECT, JSON_EMPTY_DROP, "{\"_\":2}");
	cleaned(both, JSON_DUPLICATES_LAST, JSON_EMPTY_REJECT, NULL);
	cleaned("{\"a\":{\"\":1},\"a\":2,\"\":3,\"b\":4,\"a\":5,\"\":{}}",
	    JSON_DUPLICATES_LAST, JSON_EMPTY_DROP, "{\"b\":4,\"a\":5}");
	cleaned("{\"a\":{\"\":1},\"a\":2}", JSON_DUPLICATES_LAST, JSON_EMPTY_UNDERSCORE,
	    "{\"a\":2}");
}

static void
rejected(const char *text, size_t offset, const char *name)
{
	cleaned(text, JSON_DUPLICATES_REJECT, JSON_EMPTY_KEEP, NULL);
	ok(problem.offset == offset, "at %zu", offset);
	if (problem.offset != offset)
		printf("# at %zu\n", problem.offset);
	is(rejected_name, name, "and which");
}

static void
test_reject(void)
{
	struct buf b = { 0 };
	static const char text[] = "{\"x\":[{\"\\u0061\\ud800\":1,\"a\\uD800\":2}]}";

	cleaned("{\"a\":{\"a\":[{\"a\":1}]},\"b\":1}", JSON_DUPLICATES_REJECT,
	    JSON_EMPTY_KEEP, "{\"a\":{\"a\":[{\"a\":1}]},\"b\":1}");
	rejected("{\"ab\":1,\"c\":2,\"ab\":3,\"c\":4}", 14, "ab");
	rejected("[{\"c\":1,\"b\":2,\"b\":3,\"c\":4,\"c\":5}]", 14, "b");
	rejected("{\"a\":1,\"a\":2", 12, "NULL");
	rejected("{\"\":1,\"\":2}", 6, "");
	ok(json_clean(&scratch, &b, text, sizeof(text) - 1, JSON_DUPLICATES_REJECT,
	       JSON_EMPTY_KEEP, &problem) == -1 &&
		problem.offset == 24 && problem.name_len == 4 &&
		memcmp(problem.name, "a\xef\xbf\xbd", 4) == 0,
	    "the name is unescaped, and can be shown");
	buf_free(&b);
}

/* Many members: by numbers that are all different, in no order, twice. */
static void
test_many(void)
{
	enum { MANY = 100000 };
	struct buf b = { 0 }, want = { 0 }, out = { 0 };

	buf_addc(&b, '{');
	buf_addc(&want, '{');
	for (unsigned i = 0; i < 2 * MANY; i++) {
		/* 7 and the number have no common divisor. */
		unsigned n = i * 7 % MANY;

		buf_printf(&b, "%s\"a name that begins like all others %u\":%u",
		    i > 0 ? "," : "", n, i);
		if (i >= MANY)
			buf_printf(&want,
			    "%s\"a name that begins like all others %u\":%u",
			    i > MANY ? "," : "", n, i);
	}
	buf_addc(&b, '}');
	buf_addc(&want, '}');
	ok(json_clean(&scratch, &out, b.data, b.len, JSON_DUPLICATES_LAST,
	       JSON_EMPTY_KEEP, &problem) == 0 &&
		out.len == want.len && memcmp(out.data, want.data, want.len) == 0,
	    "an object of 200000 members, half of them duplicates");
	out.len = 0;
	ok(json_clean(&scratch, &out, want.data, want.len, JSON_DUPLICATES_REJECT,
	       JSON_EMPTY_KEEP, &problem) == 0,
	    "one of 100000 without");
	b.len = out.len = 0;
	add_times(&b, "{\"a\":1,\"a\":[", JSON_DEPTH / 2);
	add_times(&b, "0,", 1000000);
	buf_addc(&b, '0');
	add_times(&b, "]}", JSON_DEPTH / 2);
	want.len = 0;
	add_times(&want, "{\"a\":[", JSON_DEPTH / 2);
	add_times(&want, "0,", 1000000);
	buf_addc(&want, '0');
	add_times(&want, "]}", JSON_DEPTH / 2);
	ok(json_clean(&scratch, &out, b.data, b.len, JSON_DUPLICATES_LAST,
	       JSON_EMPTY_KEEP, &problem) == 0 &&
		out.len == want.len && memcmp(out.data, want.data, want.len) == 0,
	    "duplicates at every depth, around much text");
	buf_free(&b);
	buf_free(&want);
	buf_free(&out);
}

static void
test_kind(void)
{
	static const struct {
		const char *text;
		enum json_kind kind;
	} cases[] = { { " {}", JSON_OBJECT }, { "\n[]", JSON_ARRAY },
		{ "\t\"x\"", JSON_STRING }, { "0", JSON_NUMBER }, { "-1", JSON_NUMBER },
		{ "9", JSON_NUMBER }, { "true", JSON_TRUE }, { "\rfalse", JSON_FALSE },
		{ "null", JSON_NULL }, { "", JSON_NONE }, { " ", JSON_NONE },
		{ "x", JSON_NONE }, { "]", JSON_NONE } };
	bool good = true;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		good &= json_kind(cases[i].text, strlen(cases[i].text)) == cases[i].kind;
	ok(good, "kinds of values");
}

/* name=value; for each member, then what is wrong. */
static void
apart(const char *text, const char *want)
{
	char *copy = exactly(text, strlen(text));
	struct json_members all = json_members(copy, strlen(text));
	struct json_member m;
	struct buf b = { 0 };
	int r;

	while ((r = json_next(&all, &scratch, &m, &problem)) > 0) {
		buf_add(&b, m.name, m.name_len);
		buf_addc(&b, '=');
		buf_add(&b, m.value, m.value_len);
		buf_addc(&b, ';');
	}
	if (r < 0)
		buf_printf(&b, "%zu: %s", problem.offset, problem.what);
	else if (json_next(&all, &scratch, &m, &problem) != 0)
		buf_adds(&b, "another");
	is(buf_cstr(&b), want, text);
	free(copy);
	buf_free(&b);
}

static void
test_members(void)
{
	apart("{}", "");
	apart(" { } ", "");
	apart("{\"a\":1}", "a=1;");
	apart("{ \"a\" : {\"b\":[1, 2]} , \"\":\"x\" }", "a={\"b\":[1, 2]};=\"x\";");
	apart("{\"a\":1,\"a\":null,\"\\u0062\\\"\\ud83d\\ude00\\udc00x\":[]}",
	    "a=1;a=null;b\"\xf0\x9f\x98\x80\xef\xbf\xbdx=[];");
	apart("[1]", "0: no object");
	apart("", "0: no object");
	apart("{", "1: no name where a member should be");
	apart("{,}", "1: no name where a member should be");
	apart("{\"a\":1,}", "a=1;7: no name where a member should be");
	apart("{\"a\":1", "a=1;6: it ends too early");
	apart("{\"a\":1]", "a=1;6: no comma where one should be");
	apart("{\"a\":1}x", "a=1;7: more text behind the value");
	apart("{}{}", "2: more text behind the value");
	apart("{\"a\":[1}", "7: no comma where one should be");
	apart("{\"a\"1}", "4: no colon behind a name");
}

int
main(void)
{
	test_grammar();
	test_every_beginning();
	test_depth();
	test_one_line();
	test_last();
	test_empty();
	test_both();
	test_reject();
	test_many();
	test_kind();
	test_members();
	json_scratch_free(&scratch);
	return done_testing();
}
