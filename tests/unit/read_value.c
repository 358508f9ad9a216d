/* What the text of a value becomes, also where it is not of its type's form. */
#include <stdio.h>

#include "frame.h"
#include "tap.h"
#include "type.h"

static void
check(enum value_kind kind, const char *text, size_t len, const char *want, const char *name)
{
	struct buf b = { 0 }, hex = { 0 };
	struct type type = { .kind = kind };

	/* In the middle of a buffer: what is there stays. */
	buf_add(&b, "\x01", 1);
	value_put(&b, &type, text, len);
	for (size_t i = 1; i < b.len; i++)
		buf_printf(&hex, "%02x", (unsigned char)b.data[i]);
	is(buf_cstr(&hex), want, name);
	if (b.data[0] != 1)
		ok(false, "%s: what stood before", name);
	buf_free(&b);
	buf_free(&hex);
}

#define value(kind, text, want) check(kind, text, sizeof(text) - 1, want, #kind " " text)
#define bytes(kind, text, want, name) check(kind, text, sizeof(text) - 1, want, name)

static void
test_numbers(void)
{
	value(VALUE_INT, "0", "00");
	value(VALUE_INT, "-1", "ff");
	value(VALUE_INT, "-32", "e0");
	value(VALUE_INT, "-33", "d0df");
	value(VALUE_INT, "127", "7f");
	value(VALUE_INT, "128", "cc80");
	value(VALUE_INT, "4294967295", "ceffffffff");
	value(VALUE_INT, "4294967296", "cf0000000100000000");
	value(VALUE_INT, "9223372036854775807", "cf7fffffffffffffff");
	value(VALUE_INT, "-9223372036854775808", "d38000000000000000");
	value(VALUE_INT, "-9223372036854775809", "b42d39323233333732303336383534373735383039");
	value(VALUE_INT, "", "a0");
	value(VALUE_INT, "-", "a12d");
	value(VALUE_INT, "12x", "a3313278");
	value(VALUE_INT, "10000000000000000000", "b43130303030303030303030303030303030303030");
	value(VALUE_FLOAT, "0.1", "cb3fb999999999999a");
	value(VALUE_FLOAT, "1", "cb3ff0000000000000");
	value(VALUE_FLOAT, "-0", "cb8000000000000000");
	value(VALUE_FLOAT, "NaN", "cb7ff8000000000000");
	value(VALUE_FLOAT, "-Infinity", "cbfff0000000000000");
	value(VALUE_FLOAT, "", "a0");
	value(VALUE_FLOAT, "1e", "a23165");
	value(VALUE_BOOL, "t", "c3");
	value(VALUE_BOOL, "f", "c2");
	value(VALUE_BOOL, "true", "a474727565");
}

static void
test_times(void)
{
	value(VALUE_TIMESTAMP, "2026-11-23 01:02:03", "b3323032362d31312d32335430313a30323a3033");
	value(VALUE_TIMESTAMP, "infinity", "a8696e66696e697479");
	value(VALUE_TIMESTAMP, "", "a0");
	value(VALUE_TIMESTAMPTZ, "2026-11-23 01:02:03+00",
	    "b4323032362d31312d32335430313a30323a30335a");
	value(VALUE_TIMESTAMPTZ, "0044-03-15 00:00:00+00 BC",
	    "b7303034342d30332d31355430303a30303a30305a204243");
	value(VALUE_TIMESTAMPTZ, "-infinity", "a92d696e66696e697479");
	value(VALUE_TIMESTAMPTZ, " ", "a154");
	value(VALUE_TIMESTAMPTZ, " BC", "a3544243");
}

static void
test_bytes(void)
{
	value(VALUE_BYTEA, "\\x", "c400");
	value(VALUE_BYTEA, "\\x00fF", "c40200f0");
	value(VALUE_BYTEA, "\\x0", "a35c7830");
	value(VALUE_BYTEA, "x", "a178");
	value(VALUE_BYTEA, "", "a0");
	value(VALUE_TEXT, "", "a0");
	bytes(VALUE_TEXT, "a\xc3\xa9", "a361c3a9", "text of UTF-8");
	bytes(VALUE_TEXT, "\xe9", "c401e9", "text of something else");
	bytes(VALUE_TEXT, "1234567\xed\xa0\x80", "c40a31323334353637eda080", "a surrogate");
	bytes(VALUE_TEXT, "12345678\xf4\x90\x80\x80", "c40c3132333435363738f4908080",
	    "beyond U+10FFFF");
	bytes(VALUE_JSON, "\"\xc3\xa9\"", "d60122c3a922", "json of UTF-8");
	bytes(VALUE_JSON, "\"\xe9\"", "c40322e922", "json of something else");
	value(VALUE_JSON, "1", "d40131");
}

/* The table of types is searched by halves: it must be in order. */
static void
test_types(void)
{
	uint32_t known = 0, whole = 0;

	for (uint32_t oid = 0; oid < 16384; oid++) {
		const struct type *t = type_builtin(oid);

		if (t == NULL)
			continue;
		known++;
		whole += t->oid == oid && t->known &&
		    (t->element != NULL) == (t->kind >= VALUE_VECTOR);
	}
	ok(known == 158, "every type of the table is found (%u)", known);
	ok(whole == known, "and has an element if it needs one");
	is(type_builtin(16)->name, "bool", "the first one");
	is(type_builtin(6157)->name, "int8multirange[]", "the last one");
	ok(type_builtin(15) == NULL, "one before");
	ok(type_builtin(6158) == NULL, "one behind");
}

int
main(void)
{
	test_numbers();
	test_times();
	test_bytes();
	test_types();
	return done_testing();
}
