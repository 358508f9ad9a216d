#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "datetime.h"

#define DAY_MICROS INT64_C(86400000000)
/* Where PostgreSQL's dates begin, -4713-11-24, in days since 1970; and the last year. */
#define FIRST_DAY INT64_C(-2440588)
#define LAST_YEAR 5874897

static bool
is_leap(int64_t year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int
days_of_month(int64_t year, int month)
{
	static const int days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return days[month - 1] + (month == 2 && is_leap(year));
}

static int64_t
floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/*
 * Days since 1970.  Years are counted from March, so that the leap day is their last, and
 * in eras of 400, of 146097 days each.
 */
static int64_t
days_of(int64_t year, int month, int day)
{
	int64_t y = year - (month <= 2), era = floor_div(y, 400), of_era = y - era * 400;
	int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void
date_of(struct datetime *d, int64_t days)
{
	int64_t z = days + 719468, era = floor_div(z, 146097), of_era = z - era * 146097;
	int64_t y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * y + y / 4 - y / 100), m = (5 * of_year + 2) / 153;

	d->day = (int)(of_year - (153 * m + 2) / 5 + 1);
	d->month = (int)(m < 10 ? m + 3 : m - 9);
	d->year = y + era * 400 + (d->month <= 2);
}

/*
 * Reading
 */

/* Exactly n digits; NULL when there are not. */
static const char *
take_digits(const char *p, const char *end, int n, int *v)
{
	*v = 0;
	for (; n > 0; n--, p++) {
		if (p == end || *p < '0' || *p > '9')
			return NULL;
		*v = *v * 10 + (*p - '0');
	}
	return p;
}

static const char *
take_date(struct datetime *d, const char *p, const char *end)
{
	const char *from = p;
	int year = 0;

	for (; p < end && *p >= '0' && *p <= '9'; p++) {
		if (p - from == 7)
			return NULL;
		year = year * 10 + (*p - '0');
	}
	if (p - from < 4 || year == 0)
		return NULL;
	d->year = year;
	if (p == end || *p != '-' || (p = take_digits(p + 1, end, 2, &d->month)) == NULL)
		return NULL;
	if (p == end || *p != '-')
		return NULL;
	return take_digits(p + 1, end, 2, &d->day);
}

/*
 * The digits behind the point; more than six are rounded as PostgreSQL does it (dt_common's
 * ParseFractionalSecond), by a double, perhaps to 1000000.
 */
static const char *
take_fraction(struct datetime *d, const char *p, const char *end)
{
	const char *from = p;
	int unit = 100000;
	char text[32] = "0.";

	for (; p < end && *p >= '0' && *p <= '9'; p++) {
		d->micros += (*p - '0') * unit;
		unit /= 10;
		if (p - from < 24)
			text[2 + (p - from)] = *p;
	}
	if (p - from > 6)
		d->micros = (int)rint(strtod(text, NULL) * 1000000);
	return p == from ? NULL : p;
}

static const char *
take_time(struct datetime *d, const char *p, const char *end)
{
	p = take_digits(p, end, 2, &d->hour);
	if (p == NULL || p == end || *p != ':')
		return NULL;
	p = take_digits(p + 1, end, 2, &d->minute);
	if (p != NULL && p < end && *p == ':') {
		p = take_digits(p + 1, end, 2, &d->second);
		if (p != NULL && p < end && *p == '.')
			p = take_fraction(d, p + 1, end);
	}
	if (p == NULL || d->hour > 24 || d->minute > 59 || d->second > 60)
		return NULL;
	if (d->second == 60 && d->micros > 0)
		return NULL;
	if (d->hour == 24 && (d->minute > 0 || d->second > 0 || d->micros > 0))
		return NULL;
	d->has_time = true;
	return p;
}

static const char *
take_zone(struct datetime *d, const char *p, const char *end)
{
	int hours, minutes = 0, seconds = 0, sign = *p == '-' ? -1 : 1;

	d->has_zone = true;
	if (*p == 'Z' || *p == 'z')
		return p + 1;
	p = take_digits(p + 1, end, 2, &hours);
	if (p != NULL && p < end && *p == ':') {
		p = take_digits(p + 1, end, 2, &minutes);
		if (p != NULL && p < end && *p == ':')
			p = take_digits(p + 1, end, 2, &seconds);
	} else if (p != NULL && p < end && *p >= '0' && *p <= '9') {
		p = take_digits(p, end, 2, &minutes);
	}
	/* PostgreSQL's limit. */
	if (p == NULL || hours > 15 || minutes > 59 || seconds > 59)
		return NULL;
	d->zone_s = sign * (hours * 3600 + minutes * 60 + seconds);
	return p;
}

static bool
is_word(const char *s, size_t n, const char *word)
{
	return n == strlen(word) && strncasecmp(s, word, n) == 0;
}

bool
datetime_parse(struct datetime *d, const char *s, size_t len)
{
	const char *p = s, *end = s + len;

	*d = (struct datetime) { 0 };
	if (is_word(s, len, "infinity") || is_word(s, len, "-infinity")) {
		d->infinity = *s == '-' ? -1 : 1;
		return true;
	}
	p = take_date(d, p, end);
	if (p != NULL && end - p >= 5 && (*p == 'T' || *p == 't' || *p == ' ') && p[1] != 'B' &&
	    p[1] != 'b') {
		p = take_time(d, p + 1, end);
		if (p != NULL && p < end && strchr("Zz+-", *p) != NULL)
			p = take_zone(d, p, end);
	}
	if (p == NULL)
		return false;
	if (is_word(p, (size_t)(end - p), " BC")) {
		d->year = 1 - d->year;
		p = end;
	}
	if (p != end || d->month < 1 || d->month > 12 || d->day < 1 ||
	    d->day > days_of_month(d->year, d->month))
		return false;
	return d->year <= LAST_YEAR && days_of(d->year, d->month, d->day) >= FIRST_DAY;
}

/*
 * As numbers
 */

int64_t
datetime_days(const struct datetime *d)
{
	if (d->infinity != 0)
		return d->infinity < 0 ? INT64_MIN : INT64_MAX;
	return days_of(d->year, d->month, d->day);
}

void
datetime_of_days(struct datetime *d, int64_t days)
{
	*d = (struct datetime) { 0 };
	if (days == INT64_MIN || days == INT64_MAX)
		d->infinity = days < 0 ? -1 : 1;
	else
		date_of(d, days);
}

int64_t
datetime_micros(const struct datetime *d)
{
	int64_t days = datetime_days(d), micros;

	if (d->infinity != 0)
		return days;
	micros = (d->hour * 3600 + d->minute * 60 + d->second - d->zone_s) * INT64_C(1000000) +
	    d->micros;
	if (__builtin_mul_overflow(days, DAY_MICROS, &days) ||
	    __builtin_add_overflow(days, micros, &micros))
		return d->year < 1970 ? INT64_MIN + 1 : INT64_MAX - 1;
	return micros == INT64_MAX ? micros - 1 : micros == INT64_MIN ? micros + 1 : micros;
}

void
datetime_of_micros(struct datetime *d, int64_t micros)
{
	int64_t days = floor_div(micros, DAY_MICROS), second;

	*d = (struct datetime) { .has_time = true };
	if (micros == INT64_MIN || micros == INT64_MAX) {
		d->infinity = micros < 0 ? -1 : 1;
		return;
	}
	date_of(d, days);
	micros -= days * DAY_MICROS;
	second = micros / 1000000;
	d->hour = (int)(second / 3600);
	d->minute = (int)(second / 60 % 60);
	d->second = (int)(second % 60);
	d->micros = (int)(micros % 1000000);
}

/*
 * Writing
 */

/* Carry what 24:00, a sixtieth second and a rounded fraction make too much. */
static void
carry(struct datetime *d)
{
	int64_t second = d->hour * 3600 + d->minute * 60 + d->second + d->micros / 1000000;

	if (d->micros < 1000000 && d->second < 60 && d->hour < 24)
		return;
	date_of(d, days_of(d->year, d->month, d->day) + second / 86400);
	second %= 86400;
	d->hour = (int)(second / 3600);
	d->minute = (int)(second / 60 % 60);
	d->second = (int)(second % 60);
	d->micros %= 1000000;
}

const char *
datetime_format_problem(const char *format, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (format[i] != '%')
			continue;
		if (++i == len)
			return "a % at the end (a % itself is written %%)";
		if (format[i] == '\0' || strchr("YymdjGVuHMSf%", format[i]) == NULL)
			return "a % with a letter that is none of Y y m d j G V u H M S f";
	}
	return NULL;
}

static void
put_year(struct buf *b, int64_t year)
{
	if (year < 0)
		buf_printf(b, "-%04lld", -(long long)year);
	else
		buf_printf(b, year > 9999 ? "+%lld" : "%04lld", (long long)year);
}

static int
day_of_year(const struct datetime *d)
{
	return (int)(days_of(d->year, d->month, d->day) - days_of(d->year, 1, 1)) + 1;
}

/* From Monday, 1: the first day of 1970 was a Thursday. */
static int
weekday(int64_t days)
{
	return (int)(days + 3 - floor_div(days + 3, 7) * 7) + 1;
}

/* The week of ISO 8601 belongs to the year that its Thursday is in. */
static int
week(const struct datetime *d, int64_t *year)
{
	int64_t days = days_of(d->year, d->month, d->day);
	struct datetime thursday = { 0 };

	date_of(&thursday, days + 4 - weekday(days));
	*year = thursday.year;
	return (day_of_year(&thursday) - 1) / 7 + 1;
}

static void
put_field(struct buf *b, const struct datetime *d, char letter)
{
	int64_t year = d->year;
	int n = 0, digits = 2;

	switch (letter) {
	case 'Y': put_year(b, year); return;
	case 'G':
		week(d, &year);
		put_year(b, year);
		return;
	case 'V': n = week(d, &year); break;
	case 'y': n = (int)(year - floor_div(year, 100) * 100); break;
	case 'm': n = d->month; break;
	case 'd': n = d->day; break;
	case 'j':
		n = day_of_year(d);
		digits = 3;
		break;
	case 'u':
		n = weekday(days_of(d->year, d->month, d->day));
		digits = 1;
		break;
	case 'H': n = d->hour; break;
	case 'M': n = d->minute; break;
	case 'S': n = d->second; break;
	case 'f':
		n = d->micros;
		digits = 6;
		break;
	default: buf_addc(b, letter); return;
	}
	buf_printf(b, "%0*d", digits, n);
}

void
datetime_format(struct buf *b, const struct datetime *d, const char *format, size_t len)
{
	struct datetime carried = *d;

	if (d->infinity != 0) {
		buf_adds(b, d->infinity < 0 ? "-infinity" : "infinity");
		return;
	}
	carry(&carried);
	for (size_t i = 0; i < len; i++) {
		if (format[i] == '%' && i + 1 < len)
			put_field(b, &carried, format[++i]);
		else
			buf_addc(b, format[i]);
	}
}

void
datetime_iso(struct buf *b, const char *s, size_t len)
{
	struct datetime d;
	const char *month;

	/* Nearly all: four digits of a year, and no BC. */
	if ((len >= 5 && s[4] == '-' && s[len - 1] != 'C') || !datetime_parse(&d, s, len) ||
	    d.infinity != 0) {
		buf_add(b, s, len);
		return;
	}
	month = memchr(s, '-', len);
	if (s[len - 1] == 'C')
		len -= 3;
	put_year(b, d.year);
	buf_add(b, month, len - (size_t)(month - s));
}
