/* Dates and times are read strictly, counted rightly, and written in any format. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "datetime.h"

static int tests, failed;

static void
ok(bool good, const char *name)
{
	printf("%sok %d - %s\n", good ? "" : "not ", ++tests, name);
	failed += !good;
}

static bool
parse(struct datetime *d, const char *text)
{
	return datetime_parse(d, text, strlen(text));
}

static bool
formats(const char *text, const char *format, const char *want)
{
	struct buf b = { 0 };
	struct datetime d;
	bool good;

	if (!parse(&d, text))
		return false;
	datetime_format(&b, &d, format, strlen(format));
	good = strcmp(buf_cstr(&b), want) == 0;
	if (!good)
		printf("# got %s, want %s\n", b.data, want);
	buf_free(&b);
	return good;
}

static void
test_reading(void)
{
	static const struct {
		const char *text;
		int64_t micros;
	} cases[] = { { "1970-01-01", 0 }, { "1970-01-01T00:00:00Z", 0 },
		{ "1970-01-02 00:00", 86400000000 }, { "1970-01-01T00:00:00.000001", 1 },
		{ "1970-01-01t00:00:01.5z", 1500000 }, { "1970-01-01 02:00:00+02", 0 },
		{ "1969-12-31 20:30:00-03:30", 0 }, { "1970-01-01 02:00:00+0200", 0 },
		{ "1970-01-01 01:00:30+01:00:30", 0 }, { "1969-12-31T24:00:00", 0 },
		{ "1969-12-31T23:59:60", 0 }, { "1969-12-31T23:59:59.9999995", 0 },
		{ "1969-12-31T23:59:59.9999994", -1 }, { "1970-01-01T00:00:00.1234565", 123456 }, { "1970-01-01T00:00:00.1234575", 123458 },
		{ "1970-01-01T00:00:00.12345649999", 123456 },
		{ "2026-11-23T01:02:03.4Z", 1795395723400000 },
		{ "2000-02-29", 951782400000000 }, { "0001-01-01", -62135596800000000 },
		{ "0001-12-31 BC", -62135683200000000 },
		{ "0044-03-15T12:00:00.5Z BC", -63517780799500000 },
		{ "10000-01-01", 253402300800000000 },
		{ "4714-11-24 BC", -210866803200000000 },
		{ "294246-12-31T23:59:59.999999Z", 9223371244799999999 },
		{ "294276-12-31", INT64_MAX - 1 }, { "5874897-12-31", INT64_MAX - 1 },
		{ "infinity", INT64_MAX }, { "-infinity", INT64_MIN }, { "Infinity", INT64_MAX } };
	struct datetime d;
	bool good = true;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (parse(&d, cases[i].text) && datetime_micros(&d) == cases[i].micros)
			continue;
		printf("# %s became %lld\n", cases[i].text, (long long)datetime_micros(&d));
		good = false;
	}
	ok(good, "dates and times are microseconds since 1970");
	ok(parse(&d, "2026-11-23 01:02:03+02") && d.has_time && d.has_zone && d.zone_s == 7200 &&
	        d.hour == 1,
	    "the fields are those of the zone that is given");
	ok(parse(&d, "2026-12-31T23:59:60") && datetime_days(&d) == 20818 &&
	        formats("2026-12-31T23:59:60", "%Y-%m-%d %H:%M:%S", "2027-01-01 00:00:00") &&
	        formats("2026-12-31T24:00", "%j %H", "001 00") &&
	        formats("2026-12-31T23:59:59.9999999", "%Y %S.%f", "2027 00.000000"),
	    "a sixtieth second leaves the day, and is written as the next one's first");
	ok(parse(&d, "0044-03-15 BC") && d.year == -43 && !d.has_time && !d.has_zone,
	    "years BC are counted with a year 0");
}

static void
test_refused(void)
{
	static const char *const bad[] = { "", "2026", "2026-11", "2026-1-1", "26-11-23",
		"2026-13-01", "2026-00-01", "2026-01-00", "2026-02-29", "2100-02-29", "2026-04-31",
		"2000-02-30", "0001-02-29 BC2", "0002-02-29 BC", "0000-01-01", "-0043-03-15",
		"+10000-01-01", "2026-11-23T", "2026-11-23 ", "2026-11-23T1:02", "2026-11-23T01",
		"2026-11-23T25:00", "2026-11-23T24:00:01", "2026-11-23T24:01", "2026-11-23T23:60",
		"2026-11-23T23:59:61", "2026-11-23T23:59:60.5", "2026-11-23T01:02:03.",
		"2026-11-23T01:02:03+", "2026-11-23T01:02:03+1", "2026-11-23T01:02:03+16",
		"2026-11-23T01:02:03+01:60", "2026-11-23T01:02:03ZZ", "2026-11-23 UTC",
		"2026-11-23Z", " 2026-11-23", "2026-11-23  01:02", "2026/11/23", "20261123",
		"4714-11-23 BC", "4715-01-01 BC", "5874898-01-01", "12345678-01-01", "infinit",
		"+infinity", "now", "12:00:00", "2026-11-23T01:02:03 BC x" };
	struct datetime d;
	bool good = true;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (parse(&d, bad[i])) {
			printf("# %s was taken\n", bad[i]);
			good = false;
		}
	ok(good, "what is no date is refused");
	ok(parse(&d, "0001-02-29 BC"), "1 BC had a leap day");
}

/* Every day of some thousand years, and what the C library says of those after 1900. */
static void
test_calendar(void)
{
	bool days = true, formats = true;
	struct buf b = { 0 };

	for (int64_t day = -2440588; day < 1000000; day += day < -800000 ? 17 : 1) {
		struct datetime d;
		time_t t = (time_t)day * 86400;
		struct tm tm;
		char want[64];

		datetime_of_days(&d, day);
		days &= datetime_days(&d) == day && datetime_micros(&d) == day * 86400000000;
		if (gmtime_r(&t, &tm) == NULL || tm.tm_year + 1900 < 1000 ||
		    tm.tm_year + 1900 > 9998)
			continue;
		strftime(want, sizeof(want), "%Y %m %d %j %G %V %u %y %H%M%S", &tm);
		b.len = 0;
		datetime_format(&b, &d, "%Y %m %d %j %G %V %u %y %H%M%S", 30);
		if (strcmp(buf_cstr(&b), want) == 0)
			continue;
		if (formats)
			printf("# got %s, want %s\n", b.data, want);
		formats = false;
	}
	ok(days, "days are counted without gaps from 4714 BC");
	ok(formats, "days are what the C library says, in all formats");
	buf_free(&b);
}

static void
test_formats(void)
{
	static const char *const bad[] = { "%", "a%", "%Q", "%Y-%", "%b", "%-d", "%%%" };
	static const char *const good[] = { "", "x", "%%", "%Y.%m.%d", "%G-W%V-%u %H:%M:%S.%f%j%y" };
	struct datetime d;
	struct buf b = { 0 };
	bool all = true;

	ok(formats("2026-11-03T04:05:06.000789Z", "%Y.%m.%d %H:%M:%S.%f %%%j %y",
	       "2026.11.03 04:05:06.000789 %307 26"),
	    "every field of a time");
	ok(formats("2027-01-01", "%G-W%V-%u", "2026-W53-5"), "weeks of ISO 8601");
	ok(formats("0044-03-15 BC", "%Y %y", "-0043 57") &&
	        formats("0001-03-15 BC", "%Y", "0000") && formats("12026-01-02", "%Y", "+12026"),
	    "years BC and past 9999");
	ok(formats("-infinity", "%Y.%m", "-infinity") && formats("infinity", "%d", "infinity"),
	    "infinities have one format");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		all &= datetime_format_problem(bad[i], strlen(bad[i])) != NULL;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		all &= datetime_format_problem(good[i], strlen(good[i])) == NULL;
	ok(all && datetime_format_problem("%\0", 2) != NULL, "unknown formats are refused");
	datetime_of_micros(&d, -1);
	datetime_format(&b, &d, "%Y-%m-%d %H:%M:%S.%f", 20);
	ok(strcmp(buf_cstr(&b), "1969-12-31 23:59:59.999999") == 0, "before 1970");
	datetime_of_micros(&d, INT64_MIN);
	ok(d.infinity == -1, "an infinity comes back");
	buf_free(&b);
}

static void
test_iso(void)
{
	static const char *const cases[][2] = { { "2026-11-23", "2026-11-23" },
		{ "2026-11-23T01:02:03.4Z", "2026-11-23T01:02:03.4Z" },
		{ "0044-03-15 BC", "-0043-03-15" }, { "0001-01-01 BC", "0000-01-01" },
		{ "0044-03-15T01:02:03.4Z BC", "-0043-03-15T01:02:03.4Z" },
		{ "10000-01-01", "+10000-01-01" },
		{ "294276-12-31T23:59:59.999999Z", "+294276-12-31T23:59:59.999999Z" },
		{ "infinity", "infinity" }, { "-infinity", "-infinity" }, { "", "" },
		{ "some BC", "some BC" }, { "1", "1" }, { "12345-99-99", "12345-99-99" } };
	struct buf b = { 0 };
	bool good = true;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		b.len = 0;
		datetime_iso(&b, cases[i][0], strlen(cases[i][0]));
		if (strcmp(buf_cstr(&b), cases[i][1]) == 0)
			continue;
		printf("# %s became %s\n", cases[i][0], b.data);
		good = false;
	}
	ok(good, "ISO 8601 of what frames hold");
	buf_free(&b);
}

int
main(void)
{
	test_reading();
	test_refused();
	test_calendar();
	test_formats();
	test_iso();
	printf("1..%d\n", tests);
	return failed > 0;
}
