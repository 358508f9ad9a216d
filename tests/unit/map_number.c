/* Numbers are printed as PostgreSQL and JSON have them, and doubles lose nothing. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hex.h"
#include "number.h"

static int tests, failed;

static void
ok(bool good, const char *name)
{
	printf("%sok %d - %s\n", good ? "" : "not ", ++tests, name);
	failed += !good;
}

static bool
is_double(double v, bool point, const char *want)
{
	char got[NUMBER_LEN + 1];

	got[number_double(got, v, point)] = '\0';
	if (strcmp(got, want) != 0)
		printf("# got %s, want %s\n", got, want);
	return strcmp(got, want) == 0;
}

static void
test_known_doubles(void)
{
	static const struct {
		double v;
		const char *json, *text;
	} cases[] = { { 0.0, "0.0", "0" }, { -0.0, "-0.0", "-0" }, { 1, "1.0", "1" },
		{ 0.1, "0.1", "0.1" }, { -1.5, "-1.5", "-1.5" }, { 100, "100.0", "100" },
		{ 0.3, "0.3", "0.3" }, { 0.1 + 0.2, "0.30000000000000004", "0.30000000000000004" },
		{ 1e300, "1e+300", "1e+300" }, { 5e-324, "5e-324", NULL },
		{ 123456.789, "123456.789", NULL }, { 0.000001, "0.000001", NULL },
		{ 1e-7, "1e-07", NULL }, { 999999999999999.0, "999999999999999.0", NULL },
		{ 9007199254740993.0, "9007199254740992.0", "9007199254740992" },
		{ 1.7976931348623157e308, "1.7976931348623157e+308", NULL } };
	bool good = true;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		good &= is_double(cases[i].v, true, cases[i].json);
		if (cases[i].text != NULL)
			good &= is_double(cases[i].v, false, cases[i].text);
	}
	ok(good, "known doubles have their shortest form, integral ones a point in JSON");
}

static bool
reads_back(double v)
{
	char text[NUMBER_LEN + 1];
	double back;

	text[number_double(text, v, true)] = '\0';
	back = strtod(text, NULL);
	if (memcmp(&back, &v, sizeof(v)) == 0 && number_is_json(text, strlen(text)))
		return true;
	printf("# %a became %s\n", v, text);
	return false;
}

static uint64_t state = 88172645463325252;

static uint64_t
next_random(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

/* How many digits a number's text has, without zeros at either end. */
static size_t
digits(const char *text)
{
	char only[NUMBER_LEN + 1];
	size_t n = 0, skip = 0;

	for (; *text != '\0' && *text != 'e'; text++)
		if (*text >= '0' && *text <= '9')
			only[n++] = *text;
	while (skip < n && only[skip] == '0')
		skip++;
	while (n > skip && only[n - 1] == '0')
		n--;
	return n - skip;
}

/* Is it as short as the C library can make it? */
static bool
is_shortest(double v)
{
	char got[NUMBER_LEN + 1], want[512];
	int precision = 1;

	got[number_double(got, v, true)] = '\0';
	do
		snprintf(want, sizeof(want), "%.*g", precision++, v);
	while (strtod(want, NULL) != v);
	if (digits(got) <= digits(want))
		return true;
	printf("# got %s, want %s\n", got, want);
	return false;
}

static void
test_any_double(void)
{
	bool bits = true, decimals = true, shortest = true, computed = true;

	for (int i = 0; i < 100000; i++) {
		uint64_t r = next_random();
		char want[64];
		double v;

		memcpy(&v, &r, sizeof(v));
		if (isfinite(v))
			bits &= reads_back(v) && is_shortest(v);
		/* What people store: a decimal of up to 15 digits. */
		snprintf(want, sizeof(want), "%llu.%02u5",
		    (unsigned long long)(r >> 20) % 100000000000ULL, (unsigned)(r % 100));
		v = strtod(want, NULL);
		decimals &= reads_back(v) && is_double(v, true, want);
		/* What they compute, and sums of tenths. */
		v = (double)(r >> 11) * ldexp(1, -(int)(r % 73));
		computed &= reads_back(v) && is_shortest(v);
		v = (double)(r % 1000) * 0.1;
		shortest &= reads_back(v) && is_shortest(v);
	}
	for (int e = -1074; e < 1024; e++)
		bits &= reads_back(ldexp(1, e)) && reads_back(nextafter(ldexp(1, e), 0));
	ok(bits, "any double reads back as the same bits, by the fewest digits");
	ok(decimals, "decimals of up to 15 digits are printed as they were written");
	ok(computed, "numbers of common size and full precision read back");
	ok(shortest, "sums of tenths have the fewest digits that tell them apart");
}

static bool
is_int(int64_t v)
{
	char got[NUMBER_LEN + 1], want[32];

	got[number_int(got, v)] = '\0';
	snprintf(want, sizeof(want), "%lld", (long long)v);
	return strcmp(got, want) == 0;
}

static void
test_integers(void)
{
	bool good = is_int(INT64_MIN) && is_int(INT64_MAX) && is_int(0) && is_int(-1);
	char text[NUMBER_LEN + 1];

	for (int shift = 0; shift < 64; shift++)
		good &= is_int((int64_t)(next_random() >> shift)) &&
		    is_int(-(int64_t)(next_random() >> shift));
	text[number_uint(text, UINT64_MAX)] = '\0';
	ok(good && strcmp(text, "18446744073709551615") == 0, "integers of all sizes");
}

static void
test_grammar(void)
{
	static const char *const good[] = { "0", "-0", "12", "0.5", "-10.25", "1e5", "1E-5",
		"1.5e+300", "123456789012345678901234567890.123456789" };
	static const char *const bad[] = { "", "-", "01", "+1", ".5", "5.", "1e", "1e+", "NaN",
		"0x1", "1 ", " 1", "1,5", "--1", "1.2.3", "Infinity" };
	bool all = true;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		all &= number_is_json(good[i], strlen(good[i]));
	ok(all, "JSON's numbers are recognised");
	all = true;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		all &= !number_is_json(bad[i], strlen(bad[i]));
	ok(all, "what only looks like a number is not taken for one");
}

static void
test_hex(void)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";
	bool all = true;

	for (int c = 0; c < 256; c++) {
		const char *digit = c != 0 ? strchr(digits, c) : NULL;

		all &= hex_digit((char)c) == (digit == NULL ? -1 : (int)((digit - digits) % 16));
	}
	ok(all, "hexadecimal digits, and no other characters");
}

int
main(void)
{
	test_known_doubles();
	test_any_double();
	test_integers();
	test_grammar();
	test_hex();
	printf("1..%d\n", tests);
	return failed > 0;
}
