/* Conditions are what SQL says, and absent values what is known of them. */
#include <math.h>
#include <stdlib.h>

#include "map_expr.h"

static msgpack_object row[COLUMNS];

struct sample {
	const char *text;
	char want;
};

static bool
all(const struct sample *samples, size_t n)
{
	const struct expr_row r = { .row = row };
	bool good = true;

	for (size_t i = 0; i < n; i++) {
		char got = test(samples[i].text, &r);

		if (got != samples[i].want)
			printf("# %s: got %c, want %c\n", samples[i].text, got, samples[i].want);
		good &= got == samples[i].want;
	}
	return good;
}

#define ALL(samples) all(samples, sizeof(samples) / sizeof((samples)[0]))

/* true, false, null, absent, and a fault: the value of a text that is cast to boolean. */
static void
set_truth(msgpack_object *o, int i)
{
	*o = i == 0 ? str("true") : i == 1 ? str("false") : i == 2 ? nil() :
	    i == 3 ? absent() : str("zz");
}

static bool
truth_table(const char *text, const char *const want[5])
{
	const struct expr_row r = { .row = row };
	struct expr_problem problem;
	struct expr_plan *plan = prepare(text, &problem);
	bool good = true;

	for (int i = 0; i < 25; i++) {
		char got;

		set_truth(&row[C_P], i / 5);
		set_truth(&row[C_Q], i % 5);
		got = letter(expr_test(plan, &r));
		if (got != want[i / 5][i % 5])
			printf("# %s, row %d, column %d: %c\n", text, i / 5, i % 5, got);
		good &= got == want[i / 5][i % 5];
	}
	expr_plan_free(plan);
	fill(row);
	return good;
}

static void
test_truth_tables(void)
{
	static const char *const and[] = { "tfna!", "fffff", "nfna!", "afaa!", "!f!!!" };
	static const char *const or[] = { "ttttt", "tfna!", "tnna!", "taaa!", "t!!!!" };
	static const char *const equal[] = { "tfna!", "ftna!", "nnna!", "aaaa!", "!!!!!" };
	static const char *const distinct[] = { "ftta!", "tfta!", "ttfa!", "aaaa!", "!!!!!" };
	static const char *const coalesce[] = { "ttttt", "fffff", "tfna!", "aaaaa", "!!!!!" };
	static const char *const not[] = { "fffff", "ttttt", "nnnnn", "aaaaa", "!!!!!" };
	static const char *const null[] = { "fffff", "fffff", "ttttt", "aaaaa", "!!!!!" };
	static const char *const is_true[] = { "ttttt", "fffff", "fffff", "aaaaa", "!!!!!" };
	static const char *const is_not_true[] = { "fffff", "ttttt", "ttttt", "aaaaa", "!!!!!" };
	static const char *const is_false[] = { "fffff", "ttttt", "fffff", "aaaaa", "!!!!!" };

	ok(truth_table("p::bool and q::bool", and), "and");
	ok(truth_table("p::bool or q::bool", or), "or");
	ok(truth_table("p::bool = q::bool", equal), "a comparison");
	ok(truth_table("p::bool is distinct from q::bool", distinct), "is distinct from");
	ok(truth_table("coalesce(p::bool, q::bool)", coalesce), "coalesce");
	ok(truth_table("not p::bool", not), "not");
	ok(truth_table("p::bool is null", null), "is null");
	ok(truth_table("p::bool is unknown", null), "is unknown");
	ok(truth_table("p::bool is true", is_true), "is true");
	ok(truth_table("p::bool is not true", is_not_true), "is not true");
	ok(truth_table("p::bool is false", is_false), "is false");
	ok(truth_table("p::bool between q::bool and q::bool", equal), "between");
	ok(truth_table("p::bool in (q::bool, q::bool)", equal), "in");
	ok(truth_table("not (p::bool not in (q::bool))", equal), "not in");
}

static void
test_precedence(void)
{
	static const struct sample samples[] = { { "true or false and false", 't' },
		{ "(true or false) and false", 'f' }, { "not false and false", 'f' },
		{ "not (false and false)", 't' }, { "not true or true", 't' },
		{ "not 1 = 2", 't' }, { "1 = 1 is null", 'f' }, { "1 = 2 = false", '?' },
		{ "(1 = 2) = false", 't' }, { "true = not false", 't' },
		{ "false = not false = true", 'f' }, { "null is null is null", 'f' },
		{ "not null is null", 'f' }, { "(not null) is null", 't' },
		{ "1 between 0 and 2 and false", 'f' }, { "true = 1 between 0 and 2", 't' },
		{ "1 in (1, 2) = true", 't' }, { "true = 1 in (2)", 'f' },
		{ "'a' like 'a' = true", 't' }, { "1 is distinct from 2 = true", '?' },
		{ "true is distinct from 1 = 2", 't' }, { "1 in (1) in (true)", 't' },
		{ "1 = 1 is true", 't' }, { "'1'::int = 1", 't' }, { "not not true", 't' },
		{ "-1::int = -1", 't' }, { "id=-7", 'f' }, { "1 < 2 or 1 < 2 < 3", '?' },
		{ "1 not between 0 and 2 or true", 't' }, { "NOT TRUE OR TRUE", 't' },
		{ "1 is distinct from 2 is null", '?' }, { "1 between 0 and 2 between 0 and 2", '?' },
		{ "1 = 1 is distinct from 2 = 2", 'f' } };

	ok(ALL(samples), "operators bind as in SQL");
}

static void
test_comparisons(void)
{
	static const struct sample samples[] = { { "id = 7", 't' }, { "id <> 7", 'f' },
		{ "id != 8", 't' }, { "id < 7", 'f' }, { "id <= 7", 't' }, { "id > 6", 't' },
		{ "id >= 8", 'f' }, { "id = 7.0", 't' }, { "id = 7.1", 'f' }, { "id < 7.1", 't' },
		{ "id = '7'", 't' }, { "id = ' 7 '", 't' }, { "7 = id", 't' }, { "'7' = id", 't' },
		{ "small < big", 't' }, { "big = 9223372036854775807", 't' },
		{ "big < 9223372036854775808", 't' }, { "big = 9223372036854775807::float8", 't' },
		{ "oid = 4000000000", 't' }, { "id = null", 'n' }, { "null = null", 'n' },
		{ "price = 12.5", 't' }, { "price = '12.500'", 't' }, { "price > 12", 't' },
		{ "price < id", 'f' }, { "price = 12.500000000000000000000000000000000001", 'f' },
		{ "price < 'NaN'", 't' }, { "price = 12.5::float8", 't' }, { "price = 125e-1", 't' },
		{ "ratio = 0.1", 't' }, { "ratio < 0.1000000001", 't' }, { "ratio < 'NaN'", 't' },
		{ "ratio > '-Infinity'", 't' }, { "ratio > id", 'f' },
		{ "'NaN'::float8 = 'NaN'", 't' }, { "'NaN'::float8 > 'Infinity'", 't' },
		{ "-0.0::float8 = 0", 't' }, { "name = 'Änne'", 't' }, { "name > 'Zoe'", 't' },
		{ "name < 'z'", 'f' }, { "name = name", 't' }, { "name > ''", 't' },
		{ "name > 'Änn'", 't' }, { "name < 'Ännen'", 't' }, { "flag = true", 't' },
		{ "flag > false", 't' }, { "flag = 'yes'", 't' }, { "flag", 't' },
		{ "'a' = 'b'", 'f' }, { "'it''s' = 'it''s'", 't' }, { "\"Upper\" = 'x'", 't' },
		{ "\"id\" = 7", 't' }, { "ID = 7", 't' }, { "mood = 'sad'", 't' },
		{ "code = 'ab'", 't' }, { "code = 'ab    '", 't' }, { "code = 'ab'::text", 't' },
		{ "code = 'ab '::text", 'f' }, { "code <> 'abc'", 't' },
		{ "uuid = 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'", 't' },
		{ "uuid = '{a0eebc999c0b4ef8bb6d6bb9bd380a11}'", 't' },
		{ "uuid < 'b0000000-0000-0000-0000-000000000000'", 't' } };
	static const struct sample times[] = { { "day = '2026-11-23'", 't' },
		{ "day = date '2026-11-23'", 't' }, { "day > '0044-03-15 BC'", 't' },
		{ "day < 'infinity'", 't' }, { "day > '-infinity'", 't' }, { "day < at", 't' },
		{ "day < '10000-01-01'", 't' }, { "at = '2026-11-23 01:02:03.400'", 't' },
		{ "at = '2026-11-23 01:02:03.4+05'", 't' }, { "at = at_tz", 't' },
		{ "at_tz = '2026-11-23 02:02:03.4+01'", 't' },
		{ "at_tz = timestamptz '2026-11-23T00:02:03.4-01'", 't' },
		{ "at_tz >= timestamp with time zone '2026-11-23'", 't' },
		{ "at::date = day", 't' }, { "at_tz::date = day", 't' },
		{ "day = timestamp '2026-11-23'", 't' },
		{ "at < timestamp without time zone '2026-11-24'", 't' },
		{ "day = date '2026-11-22' or day < timestamptz '2026-11-23T00:00:00.000001Z'", 't' } };

	ok(ALL(samples), "comparisons of all types");
	ok(ALL(times), "comparisons of dates and times");
}

static void
test_operators(void)
{
	static const struct sample samples[] = { { "id in (1, 7)", 't' }, { "id in (1, 2)", 'f' },
		{ "id not in (1, 7)", 'f' }, { "id not in (1, 2)", 't' }, { "id in (1, null)", 'n' },
		{ "id in (7, null)", 't' }, { "id not in (1, null)", 'n' }, { "q in ('a')", 'n' },
		{ "id in (7.0, 2.5)", 't' }, { "id in ('7', 2)", 't' }, { "'7' in (id, small)", 't' },
		{ "name in ('a', 'Änne')", 't' }, { "day in ('2026-11-23')", 't' },
		{ "id between 7 and 8", 't' }, { "id between 8 and 7", 'f' },
		{ "id not between 8 and 9", 't' }, { "id between null and 8", 'n' },
		{ "id between null and 6", 'f' }, { "id between 8 and null", 'f' },
		{ "day between '2026-11-01' and '2026-11-30'", 't' }, { "q is null", 't' },
		{ "name is null", 'f' }, { "name is not null", 't' }, { "doc is not null", 't' },
		{ "bytes is null", 'f' }, { "list is null", 'f' }, { "span is not null", 't' },
		{ "flag is true", 't' }, { "flag is not false", 't' }, { "flag is unknown", 'f' },
		{ "null::bool is not unknown", 'f' }, { "q is distinct from 'a'", 't' },
		{ "q is not distinct from null", 't' }, { "q is distinct from null", 'f' },
		{ "name is not distinct from 'Änne'", 't' }, { "id is distinct from 7.0", 'f' } };
	static const struct sample likes[] = { { "name like 'Ä%'", 't' }, { "name like '_nne'", 't' },
		{ "name like '__nne'", 'f' }, { "name like 'änne'", 'f' }, { "name ilike 'äNNE'", 't' },
		{ "name not ilike 'ä%'", 'f' }, { "name like '%'", 't' }, { "name like ''", 'f' },
		{ "'' like ''", 't' }, { "'' like '%%'", 't' }, { "'' like '_'", 'f' },
		{ "'abc' like 'a%c'", 't' }, { "'abc' like 'a%b'", 'f' }, { "'abc' like '%b%'", 't' },
		{ "'abc' like '%_c'", 't' }, { "'abab' like '%ab'", 't' }, { "'aab' like '%ab'", 't' },
		{ "'a%c' like 'a\\%c'", 't' }, { "'abc' like 'a\\%c'", 'f' },
		{ "'a_c' like 'a#_c' escape '#'", 't' }, { "'abc' like 'a#_c' escape '#'", 'f' },
		{ "'a\\c' like 'a\\c' escape ''", 't' }, { "'a\\c' like 'a\\\\c'", 't' },
		{ "'a%' like 'a%%' escape '%'", 't' }, { "'ab' like 'a%%' escape '%'", 'f' },
		{ "'a€' like 'a€€' escape '€'", 't' }, { "'a' not like 'b'", 't' },
		{ "q like '%'", 'n' }, { "name like q", 'n' }, { "name like name", 't' },
		{ "code like 'ab'", 'f' }, { "code like 'ab '", 't' }, { "mood like 's%'", 't' },
		{ "'ÀÉ' ilike 'àé'", 't' } };

	ok(ALL(samples), "in, between, is null, is true, is distinct from");
	ok(ALL(likes), "like and ilike");
}

static void
test_casts(void)
{
	static const struct sample samples[] = { { "id::text = '7'", 't' },
		{ "cast(id as text) = '7'", 't' }, { "big::text = '9223372036854775807'", 't' },
		{ "small::varchar = '-3'", 't' }, { "price::text = '12.50'", 't' },
		{ "ratio::text = '0.1'", 't' }, { "1e15::float8::text = '1e+15'", 't' },
		{ "123456789012345::float8::text = '123456789012345'", 't' },
		{ "0.0001::real::text = '0.0001'", 't' },
		{ "0.00001::double precision::text = '1e-05'", 't' },
		{ "12.5::float8::text = '12.5'", 't' }, { "100::float8::text = '100'", 't' },
		{ "'-inf'::float8::text = '-Infinity'", 't' }, { "'nan'::numeric::text = 'NaN'", 't' },
		{ "flag::text = 'true'", 't' }, { "day::text = '2026-11-23'", 't' },
		{ "at::text = '2026-11-23 01:02:03.4'", 't' },
		{ "at_tz::text = '2026-11-23 01:02:03.4+00'", 't' },
		{ "date '0044-03-15 BC'::text = '0044-03-15 BC'", 't' },
		{ "timestamptz '0001-03-15 01:02 BC'::text = '0001-03-15 01:02:00+00 BC'", 't' },
		{ "'infinity'::date::text = 'infinity'", 't' }, { "bytes::text = '\\x00ff'", 't' },
		{ "doc::text like '%\"a\"%'", 't' }, { "code::text = 'ab'", 't' },
		{ "p::bool", 't' }, { "' on '::boolean", 't' }, { "'0'::bool", 'f' },
		{ "flag::int = 1", 't' }, { "0::bool", 'f' }, { "1.5::int = 2", 't' },
		{ "2.5::int = 3", 't' }, { "2.5::float8::int = 2", 't' }, { "-2.5::bigint = -3", 't' },
		{ "price::int2 = 13", 't' }, { "ratio::integer = 0", 't' },
		{ "ratio::numeric = 0.1", 't' }, { "id::numeric::text = '7'", 't' },
		{ "'1e3'::numeric::text = '1000'", 't' }, { "day::timestamp = '2026-11-23'", 't' },
		{ "day::timestamptz::text = '2026-11-23 00:00:00+00'", 't' },
		{ "'12:00'::text::date is null or true", '?' }, { "name::int = 1", '!' },
		{ "big::int = 1", '!' }, { "big::int2 = 1", '!' }, { "id::int2 = 7", 't' },
		{ "null::int is null", 't' }, { "q::int is null", 't' }, { "name::date is null", '!' },
		{ "name::numeric = 1 or true", 't' }, { "name::uuid = ''", '?' } };
	static const struct sample functions[] = { { "lower(name) = 'änne'", 't' },
		{ "upper(name) = 'ÄNNE'", 't' }, { "length(name) = 4", 't' },
		{ "length(code) = 2", 't' }, { "lower(upper(code)) = 'ab'", 't' },
		{ "lower(q) is null", 't' }, { "length('') = 0", 't' }, { "coalesce(q, 'x') = 'x'", 't' },
		{ "coalesce(q, null, name) = 'Änne'", 't' }, { "coalesce(null, id) = 7", 't' },
		{ "coalesce(id, 1.5) = 7", 't' }, { "coalesce(null, null) is null", 't' },
		{ "coalesce(day, at) = timestamp '2026-11-23'", 't' },
		{ "coalesce(code, '') = 'ab'", 't' }, { "LOWER('ABC') = 'abc'", 't' } };

	ok(ALL(samples), "casts between all types that have them");
	ok(ALL(functions), "functions");
}

static char
test_on(const char *text, const msgpack_object *new, const msgpack_object *old, bool inserted)
{
	const struct expr_row r = { .row = new, .old = old, .inserted = inserted };

	return test(text, &r);
}

static void
test_old(void)
{
	msgpack_object old[COLUMNS];

	fill(old);
	old[C_ID] = integer(6);
	old[C_NAME] = absent();
	old[C_P] = str("before");
	ok(test_on("old.id is null and old.name is null", row, NULL, true) == 't',
	    "an inserted row has nulls before it");
	ok(test_on("old.id = 6 and id = 7", row, old, false) == 't', "the old row and the new");
	ok(test_on("old.name is null", row, old, false) == 'a', "the old row's absent values");
	ok(test_on("old.id = 7", row, NULL, false) == 't' &&
	        test_on("old.name = 'x'", row, NULL, false) == 'a',
	    "without an old row the identity is what it was, and the rest is not known");
	row[C_P] = absent();
	ok(test_on("p = 'before'", row, old, false) == 't', "a value unsent is the old row's");
	row[C_NAME] = absent();
	ok(test_on("name = 'x'", row, old, false) == 'a' &&
	        test_on("p = 'x'", row, NULL, false) == 'a',
	    "or absent where that has none");
	ok(test_on("id = 6 and old.id = 6", old, old, false) == 't', "a deleted row is its old one");
	ok(test_on("old.\"Upper\" = 'x'", row, old, false) == 't', "old.\"Column\"");
	fill(row);
}

static void
test_reasons(void)
{
	const struct expr_row r = { .row = row };
	struct expr_problem problem;
	struct expr_plan *plan = prepare("(p = 'a' and id = 8) or old.q = 'b'", &problem);
	bool is_old;

	row[C_P] = absent();
	ok(expr_test(plan, &r) == EXPR_ABSENT && expr_absent_column(plan, &is_old) == C_Q && is_old,
	    "the absent column that is told is one that mattered");
	expr_plan_free(plan);
	fill(row);
	row[C_P] = str("123456789012345678901234567890123456789012345678901234567890x");
	plan = prepare("(p::int = 1 and id = 8) or name::date = '2026-01-01' or big::int = 3", &problem);
	ok(expr_test(plan, &r) == EXPR_FAULT &&
	        strcmp(expr_fault(plan), "cannot cast \"Änne\" to date") == 0,
	    "and so is the cast");
	expr_plan_free(plan);
	plan = prepare("p::int = 1", &problem);
	ok(expr_test(plan, &r) == EXPR_FAULT &&
	        strcmp(expr_fault(plan),
	            "cannot cast "
	            "\"123456789012345678901234567890123456789012345678901234567890\"... to int4") ==
	            0,
	    "of a long value its beginning");
	expr_plan_free(plan);
	row[C_ID] = str("7x");
	plan = prepare("old.id is null or id = 7", &problem);
	ok(expr_test(plan, &r) == EXPR_FAULT &&
	        strcmp(expr_fault(plan), "the value of id cannot be taken as int4") == 0,
	    "a value in no form of its type");
	expr_plan_free(plan);
	fill(row);
	row[C_Q] = str("a\\");
	plan = prepare("name like q", &problem);
	ok(expr_test(plan, &r) == EXPR_FAULT &&
	        strcmp(expr_fault(plan), "a pattern ends with its escape: \"a\\\"") == 0,
	    "a pattern of a row that is none");
	expr_plan_free(plan);
	fill(row);
}

/* As many % as a pattern may have: with a naive matcher this would not end. */
static void
test_like_time(void)
{
	const struct expr_row r = { .row = row };
	char *text = xcalloc(1, 20001);
	struct expr_problem problem;
	struct expr_plan *plan =
	    prepare("p like '%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%a%b'", &problem);

	memset(text, 'a', 20000);
	row[C_P] = str(text);
	ok(expr_test(plan, &r) == EXPR_FALSE, "a pattern with many % takes no time");
	expr_plan_free(plan);
	free(text);
	fill(row);
}

/* The scratch of a plan is used again, for rows of all sizes. */
static void
test_again(void)
{
	const struct expr_row r = { .row = row };
	struct expr_problem problem;
	struct expr_plan *plan = prepare("upper(p) || '' = ''", &problem);
	bool good = plan == NULL;

	plan = prepare("upper(p) = upper(q) and price::float8 < 1000", &problem);
	for (int i = 0; i < 1000; i++) {
		char text[40];

		snprintf(text, sizeof(text), "%*d", i % 37, i);
		row[C_P] = str(text);
		row[C_Q] = str(i % 3 ? text : "other");
		good &= expr_test(plan, &r) == (i % 3 ? EXPR_TRUE : EXPR_FALSE);
	}
	ok(good, "a plan is used for many rows");
	expr_plan_free(plan);
	fill(row);
}

int
main(void)
{
	setlocale(LC_CTYPE, "C.UTF-8");
	fill(row);
	test_truth_tables();
	test_precedence();
	test_comparisons();
	test_operators();
	test_casts();
	test_old();
	test_reasons();
	test_like_time();
	test_again();
	printf("1..%d\n", tests);
	return failed > 0;
}
