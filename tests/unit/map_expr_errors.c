/* What is wrong with an expression is said with its place, and what was meant. */
#include <stdlib.h>

#include "map_expr.h"

struct wrong {
	const char *text;
	size_t offset;
	const char *message;
};

static bool
all(const struct wrong *wrong, size_t n)
{
	bool good = true;

	for (size_t i = 0; i < n; i++) {
		struct expr_problem problem = { .offset = 999 };
		struct expr_plan *plan = prepare(wrong[i].text, &problem);

		if (plan == NULL && problem.offset == wrong[i].offset &&
		    strcmp(problem.message, wrong[i].message) == 0)
			continue;
		printf("# %s: got %zu: %s\n", wrong[i].text, problem.offset,
		    plan == NULL ? problem.message : "nothing");
		good = false;
		expr_plan_free(plan);
	}
	return good;
}

#define ALL(wrong) all(wrong, sizeof(wrong) / sizeof((wrong)[0]))

static void
test_words(void)
{
	static const struct wrong wrong[] = { { "id = 'x", 5, "a ' without its end" },
		{ "id = 'x''", 5, "a ' without its end" }, { "'", 0, "a ' without its end" },
		{ "\"id = 1", 0, "a \" without its end" }, { "\"\" = 1", 0, "\"\" is no name" },
		{ "id = 1x", 5, "a number that goes on as no number does" },
		{ "id = 1.2.3", 5, "a number that goes on as no number does" },
		{ "id = 0x10", 5, "a number that goes on as no number does" },
		{ "id = 1 -- one", 7, "there are no comments in expressions" },
		{ "id /* */ = 1", 3, "there are no comments in expressions" },
		{ "id = 1;", 6, "unexpected \";\"" }, { "id = {x}", 5, "unexpected \"{\"" },
		{ "id = $1", 5, "unexpected \"$\"" }, { "id : text", 3, "unexpected \":\"" },
		{ "id = \001", 5, "unexpected byte 0x01" },
		{ "id = e'x'", 5, "there are no strings with e before them" },
		{ "id == 1", 3, "unknown operator \"==\"; did you mean \"=\"?" },
		{ "id =< 1", 3, "unknown operator \"=<\"; did you mean \"<=\"?" },
		{ "id => 1", 3, "unknown operator \"=>\"; did you mean \">=\"?" },
		{ "id = 1 && flag", 7, "unknown operator \"&&\"; did you mean \"and\"?" },
		{ "name ~~ 'x'", 5, "unknown operator \"~~\"; did you mean \"like\"?" },
		{ "name ~ 'x'", 5, "unknown operator \"~\"" },
		{ "doc @> 'x'", 4, "unknown operator \"@>\"" },
		{ "flag || flag", 5, "unknown operator \"||\"" },
		{ "id + 1 = 2", 3, "unknown operator \"+\": there is no arithmetic" },
		{ "id-1 = 2", 2, "unknown operator \"-\": there is no arithmetic" },
		{ "id % 2 = 0", 3, "unknown operator \"%\": there is no arithmetic" },
		{ "-id = 1", 0, "there is no arithmetic: expected a number behind -" } };

	ok(ALL(wrong), "words that are none");
}

static void
test_grammar(void)
{
	static const struct wrong wrong[] = { { "", 0, "expected a value, not the end" },
		{ "  ", 2, "expected a value, not the end" },
		{ "id =", 4, "expected a value, not the end" },
		{ "id = = 1", 5, "expected a value, not \"=\"" },
		{ "id = 1 or", 9, "expected a value, not the end" },
		{ "and true", 0, "expected a value, not \"and\"" },
		{ "id 7", 3, "expected an operator, not \"7\"" },
		{ "7 'x'", 2, "expected an operator, not 'x'" },
		{ "id = 'a' 'b'", 9, "expected an operator, not 'b'" },
		{ "id = 1)", 6, "expected an operator, not \")\"" },
		{ "(id = 1", 7, "expected ), not the end" },
		{ "(id = 1 x)", 8, "expected ), not \"x\"" }, { "()", 1, "expected a value, not \")\"" },
		{ "id in 7", 6, "expected a list in parentheses behind in, not \"7\"" },
		{ "id in ()", 7, "expected a value, not \")\"" },
		{ "id in (1 2)", 9, "expected , or ), not \"2\"" },
		{ "id in (1,)", 9, "expected a value, not \")\"" },
		{ "id not 7", 7, "expected in, between, like or ilike behind not, not \"7\"" },
		{ "id between 1", 12, "expected the \"and\" of between, not the end" },
		{ "id between 1 or 2", 13, "expected the \"and\" of between, not \"or\"" },
		{ "id is 7", 6, "expected null, true, false, unknown or distinct from, not \"7\"" },
		{ "id is distinct 7", 15, "expected from behind distinct, not \"7\"" },
		{ "id isnull", 3, "ISNULL is written IS NULL" },
		{ "id notnull", 3, "NOTNULL is written IS NOT NULL" },
		{ "1 = 2 = flag", 6, "two such operators in a row need parentheses" },
		{ "now() = at", 0,
		    "unknown function \"now\"; there are lower, upper, length, coalesce and cast" },
		{ "lower(name, name) = ''", 0, "lower takes one argument" },
		{ "lower() = ''", 6, "expected a value, not \")\"" },
		{ "cast(id to text) = ''", 8, "expected AS and a type, not \"to\"" },
		{ "cast(id as text = ''", 16, "expected ), not \"=\"" },
		{ "id::7 = 1", 4, "expected a type, not \"7\"" },
		{ "id::money = 1", 4,
		    "unknown type \"money\"; there are text, int2, int4, int8, numeric, float8, bool, "
		    "date, timestamp and timestamptz" },
		{ "interval '1 day' = q", 0,
		    "unknown type \"interval\"; there are text, int2, int4, int8, numeric, float8, "
		    "bool, date, timestamp and timestamptz" },
		{ "price::numeric(10,2) = 1", 14,
		    "types have no length or precision here: expected an operator, not \"(\"" },
		{ "at = timestamp with zone 'x'", 20, "expected time, not \"zone\"" },
		{ "at = timestamp with time zone 7", 30, "expected a string behind the type, not \"7\"" },
		{ "new.id = 1", 0, "\"new.\": only old. can stand before a column" },
		{ "\"old\".id = 1", 0, "\"old.\": only old. can stand before a column" },
		{ "old.7 = 1", 3, "expected an operator, not \".7\"" },
		{ "old. = 1", 5, "expected a column behind old., not \"=\"" },
		{ "id = 1 x'0123456789012345678901234567890123456789'", 7,
		    "expected an operator, not \"x\"" },
		{ "id = 1 '0123456789012345678901234567890123456789'", 7,
		    "expected an operator, not '012345678901234567890123456789012345678..." },
		{ "case when flag then 1 end = 1", 0, "expected a value, not \"case\"" } };

	ok(ALL(wrong), "sentences that are none");
}

static void
test_types(void)
{
	static const struct wrong wrong[] = { { "nmae = 'x'", 0, "public.t has no column \"nmae\"" },
		{ "id = 1 and upper = 'x'", 11,
		    "public.t has no column \"upper\"; did you mean \"Upper\", with its quotes?" },
		{ "id = 'abc'", 5, "\"abc\" is no valid int4" },
		{ "id = '5000000000'", 5, "\"5000000000\" is no valid int4" },
		{ "small in ('1', '40000')", 15, "\"40000\" is no valid int2" },
		{ "price = 'x'", 8, "\"x\" is no valid numeric" },
		{ "ratio = '1e999'", 8, "\"1e999\" is no valid float8" },
		{ "flag = 'maybe'", 7, "\"maybe\" is no valid boolean" },
		{ "day = '2026-02-30'", 6, "\"2026-02-30\" is no valid date" },
		{ "at > 'yesterday'", 5, "\"yesterday\" is no valid timestamp" },
		{ "at > '294277-01-01'", 5, "\"294277-01-01\" is no valid timestamp" },
		{ "at_tz = timestamptz 'x'", 20, "\"x\" is no valid timestamptz" },
		{ "date '2026-02-30' = day", 5, "\"2026-02-30\" is no valid date" },
		{ "uuid = 'a0eebc99'", 7, "\"a0eebc99\" is no valid uuid" },
		{ "'x'::int = 1", 0, "\"x\" is no valid int4" },
		{ "id = ('x'::text)::int", 16, "cannot cast \"x\" to int4" },
		{ "ratio = 1e999", 8,
		    "cannot cast \"100000000000000000000000000000000000000000000000000000000000\"... "
		    "to float8" },
		{ "price = 1e999999", 8, "a number that numeric has no room for" },
		{ "name = 5", 5,
		    "text and int4 are not compared without a cast: cast the text, as in name::int4" },
		{ "5 < name", 2,
		    "int4 and text are not compared without a cast: cast the text, as in name::int4" },
		{ "code = day", 5,
		    "char and date are not compared without a cast: cast the text, as in code::date" },
		{ "'5'::text = oid", 10,
		    "text and oid are not compared without a cast: cast the text, as in x::int8" },
		{ "flag = 1", 5, "boolean and int4 are not compared" },
		{ "day = 1", 4, "date and int4 are not compared" },
		{ "id between 1 and day", 3, "int4 and date are not compared" },
		{ "id in (1, flag)", 3, "int4 and boolean are not compared" },
		{ "coalesce(id, flag)", 0, "int4 and boolean are not compared" },
		{ "id is distinct from flag", 3, "int4 and boolean are not compared" },
		{ "doc = '{}'", 0,
		    "json can only be tested by is [not] null; cast it to text for anything else, as "
		    "in doc::text" },
		{ "'x' < bytes", 6,
		    "bytea can only be tested by is [not] null; cast it to text for anything else, as "
		    "in bytes::text" },
		{ "list = '{}'", 0, "an array can only be tested by is [not] null" },
		{ "span is distinct from 'x'", 0, "a range can only be tested by is [not] null" },
		{ "id like '7%'", 0, "like takes text, and this is int4: cast it, as in id::text" },
		{ "list ilike '7%'", 0, "ilike takes text, and this is an array" },
		{ "name like 7", 10, "like takes text, and this is int4: cast it, as in x::text" },
		{ "name like 'a\\'", 10,
		    "the pattern ends with its escape, which stands before a character" },
		{ "name like 'a' escape 'ab'", 21,
		    "escape takes a literal of one character, or '' for none" },
		{ "name like 'a' escape name", 21,
		    "escape takes a literal of one character, or '' for none" },
		{ "name like 'a' escape null", 21,
		    "escape takes a literal of one character, or '' for none" },
		{ "lower(id) = '7'", 6, "lower takes text, and this is int4: cast it, as in id::text" },
		{ "length(list) = 7", 7, "length takes text, and this is an array" },
		{ "id and flag", 0, "and takes booleans, and this is int4" },
		{ "flag or 1", 8, "or takes booleans, and this is int4" },
		{ "flag or 'x'", 8, "\"x\" is no valid boolean" },
		{ "not name", 4, "not takes booleans, and this is text" },
		{ "name is not true", 0, "is true takes booleans, and this is text" },
		{ "name is unknown", 0, "is unknown takes booleans, and this is text" },
		{ "id::date = day", 2, "there is no cast from int4 to date" },
		{ "flag::int8 = 1", 4, "there is no cast from boolean to int8" },
		{ "doc::int = 1", 3, "there is no cast from json to int4, but to text and from there" },
		{ "list::text = ''", 4, "there is no cast from an array to text" },
		{ "name", 0, "the expression is text, and has to be a boolean" },
		{ "coalesce(id, 7)", 0, "the expression is int4, and has to be a boolean" },
		{ "'x'", 0, "\"x\" is no valid boolean" },
		{ "flag or 1 = 'x'", 12, "\"x\" is no valid int4" } };

	ok(ALL(wrong), "types that don't go together");
}

/* Text around one operand so often. */
static bool
nests(const char *before, const char *operand, const char *behind, int n, const char *want)
{
	struct expr_problem problem = { .message = "" };
	struct buf b = { 0 };
	struct expr *e;
	bool good;

	for (int i = 0; i < n; i++)
		buf_adds(&b, before);
	buf_adds(&b, operand);
	for (int i = 0; i < n; i++)
		buf_adds(&b, behind);
	e = expr_parse(b.data, b.len, &problem);
	good = want == NULL ? e != NULL : e == NULL && strcmp(problem.message, want) == 0;
	expr_free(e);
	buf_free(&b);
	return good;
}

static void
test_nesting(void)
{
	static const char deep[] = "nested too deeply";

	ok(nests("(", "true", ")", 90, NULL) && nests("not ", "true", "", 90, NULL) &&
	        nests("", "true", "::text", 90, NULL) && nests("", "true", " and true", 5000, NULL),
	    "expressions may be long, and nest");
	ok(nests("(", "true", ")", 100000, deep) && nests("not ", "true", "", 100000, deep) &&
	        nests("lower(", "''", ")", 100000, deep) &&
	        nests("", "true", "::text", 100000, deep) &&
	        nests("", "true", " is null", 100000, deep) &&
	        nests("coalesce(1 in (1,", "2", "))", 100000, deep),
	    "but not without end");
}

static void
tell(void *ctx, const char *name, bool is_old, size_t offset)
{
	buf_printf(ctx, "%s%s@%zu ", is_old ? "old." : "", name, offset);
}

static void
test_columns(void)
{
	static const char text[] = "A = 1 and (old.\"B\" is null or lower(c) in ('x', A)) and true";
	struct expr_problem problem;
	struct expr *e = expr_parse(text, strlen(text), &problem);
	struct buf b = { 0 };

	expr_columns(e, tell, &b);
	ok(strcmp(buf_cstr(&b), "a@0 old.B@11 c@36 a@48 ") == 0, "the columns that are used");
	expr_free(e);
	buf_free(&b);
}

static void
test_nul(void)
{
	struct expr_problem problem;

	ok(expr_parse("id = 'a\0'", 9, &problem) == NULL && problem.offset == 7 &&
	        strcmp(problem.message, "a NUL, which PostgreSQL has nowhere") == 0 &&
	        expr_parse("id\0= 1", 6, &problem) == NULL && problem.offset == 2,
	    "a NUL is in no expression");
}

int
main(void)
{
	msgpack_object row[COLUMNS];

	fill(row);
	test_words();
	test_grammar();
	test_types();
	test_nesting();
	test_columns();
	test_nul();
	printf("1..%d\n", tests);
	return failed > 0;
}
