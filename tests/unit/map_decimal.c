/* Numbers in text form are compared, rounded and printed as PostgreSQL does. */
#include <stdio.h>
#include <string.h>

#include "decimal.h"

static int tests, failed;

static void
ok(bool good, const char *name)
{
	printf("%sok %d - %s\n", good ? "" : "not ", ++tests, name);
	failed += !good;
}

static struct decimal
decimal(const char *text)
{
	struct decimal d = { 0 };

	if (!decimal_parse(&d, text, strlen(text)))
		printf("# %s is no number\n", text);
	return d;
}

static void
test_order(void)
{
	/* Each is less than the next; those on one line are equal. */
	static const char *const rising[][5] = { { "-Infinity", "-inf", "-INFINITY" },
		{ "-1e131071" }, { "-100.5" }, { "-100", "-1e2", "-100.000" }, { "-99.99999" },
		{ "-1" }, { "-0.00000000000000000000000000000000000000001" },
		{ "0", "-0", "0.000", ".0", "0e99999999999999999999" },
		{ "1e-99999999999999999999" }, { "1e-16383" },
		{ "0.1", ".1", "1e-1", "0.100", "00.1" }, { "0.11" }, { "0.9999999999999999999" },
		{ "1", "+1", "1.", "0.01e2", "100e-2" }, { "1.0000000000000000000000001" },
		{ "9" }, { "9.5" }, { "10", "1e1", "1E+1", "10.0" }, { "99" }, { "100.01" },
		{ "9223372036854775807" }, { "9223372036854775807.1" }, { "9223372036854775808" },
		{ "123456789012345678901234567890.1234567890123456789" },
		{ "123456789012345678901234567890.123456789012345679" }, { "1e131071" },
		{ "1e99999999999999999999" }, { "Infinity", "inf", "+Infinity" },
		{ "NaN", "nan" } };
	size_t n = sizeof(rising) / sizeof(rising[0]);
	bool good = true;

	for (size_t i = 0; i < n * 5; i++)
		for (size_t j = 0; j < n * 5; j++) {
			const char *a = rising[i / 5][i % 5], *b = rising[j / 5][j % 5];
			struct decimal x, y;
			int got, want = (i / 5 > j / 5) - (i / 5 < j / 5);

			if (a == NULL || b == NULL)
				continue;
			x = decimal(a);
			y = decimal(b);
			got = decimal_compare(&x, &y);
			if ((got > 0) - (got < 0) != want) {
				printf("# %s against %s: %d\n", a, b, got);
				good = false;
			}
		}
	ok(good, "numbers of all sizes are in their order, NaN above all");
}

static void
test_integers(void)
{
	static const struct {
		const char *text;
		int64_t i;
		int order;
	} cases[] = { { "7", 7, 0 }, { "7.0", 7, 0 }, { "7.01", 7, 1 }, { "-7.01", -7, -1 },
		{ "9223372036854775807", INT64_MAX, 0 }, { "9223372036854775808", INT64_MAX, 1 },
		{ "-9223372036854775808", INT64_MIN, 0 },
		{ "-9223372036854775808.5", INT64_MIN, -1 }, { "0", 0, 0 }, { "NaN", INT64_MAX, 1 },
		{ "-Infinity", INT64_MIN, -1 }, { "1e18", 1000000000000000000, 0 } };
	bool good = true;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct decimal d = decimal(cases[i].text);
		int got = decimal_compare_int(&d, cases[i].i);

		good &= (got > 0) - (got < 0) == cases[i].order;
	}
	ok(good, "numbers against integers");
}

static void
test_rounding(void)
{
	static const struct {
		const char *text;
		int64_t want;
	} fits[] = { { "0", 0 }, { "0.4999", 0 }, { "0.5", 1 }, { "-0.5", -1 }, { "1.5", 2 },
		{ "2.5", 3 }, { "-2.5", -3 }, { "12.3", 12 }, { "0.05", 0 }, { "-0.0", 0 },
		{ "1e3", 1000 }, { "12345e-2", 123 }, { "9223372036854775807", INT64_MAX },
		{ "9223372036854775807.4", INT64_MAX }, { "-9223372036854775808", INT64_MIN },
		{ "1e-99999999999", 0 } };
	static const char *const none[] = { "9223372036854775807.5", "9223372036854775808",
		"-9223372036854775809", "1e19", "1e99999999999", "NaN", "Infinity", "-Infinity" };
	int64_t got;
	bool good = true;

	for (size_t i = 0; i < sizeof(fits) / sizeof(fits[0]); i++) {
		struct decimal d = decimal(fits[i].text);

		if (!decimal_int(&d, &got) || got != fits[i].want) {
			printf("# %s became %lld\n", fits[i].text, (long long)got);
			good = false;
		}
	}
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		struct decimal d = decimal(none[i]);

		good &= !decimal_int(&d, &got);
	}
	ok(good, "rounding to integers, halves away from 0");
}

static void
test_printing(void)
{
	static const char *const cases[][2] = { { "007", "7" }, { "-0", "0" }, { "-0.00", "0.00" },
		{ ".5", "0.5" }, { "5.", "5" }, { "1.50", "1.50" }, { "1e3", "1000" },
		{ "1.5e-3", "0.0015" }, { "1.50e1", "15.0" }, { "1.50e5", "150000" },
		{ "-12.340", "-12.340" }, { "0e-3", "0.000" }, { "nan", "NaN" },
		{ "inf", "Infinity" }, { "-inf", "-Infinity" }, { "+1", "1" },
		{ "100e-2", "1.00" } };
	static const char *const none[] = { "1e131072", "1e-16384", "1e9999999999999999" };
	struct buf b = { 0 };
	bool good = true;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct decimal d = decimal(cases[i][0]);

		b.len = 0;
		if (decimal_print(&b, &d) && strcmp(buf_cstr(&b), cases[i][1]) == 0)
			continue;
		printf("# %s became %s\n", cases[i][0], buf_cstr(&b));
		good = false;
	}
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		struct decimal d = decimal(none[i]);

		good &= !decimal_print(&b, &d);
	}
	b.len = 0;
	ok(good, "printing as PostgreSQL does, and refusing what numeric does not hold");
	buf_free(&b);
}

static void
test_grammar(void)
{
	static const char *const bad[] = { "", "-", "+", ".", "e5", "1e", "1e+", "1..2", "1.2.3",
		"1x", " 1", "1 ", "--1", "0x10", "-NaN", "+NaN", "infinit", "1e5.5", "in" };
	struct decimal d;
	bool good = true;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (decimal_parse(&d, bad[i], strlen(bad[i]))) {
			printf("# %s was taken\n", bad[i]);
			good = false;
		}
	ok(good, "what is no number is refused");
}

int
main(void)
{
	test_order();
	test_integers();
	test_rounding();
	test_printing();
	test_grammar();
	printf("1..%d\n", tests);
	return failed > 0;
}
