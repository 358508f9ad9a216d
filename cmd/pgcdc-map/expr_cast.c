#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "datetime.h"
#include "decimal.h"
#include "expr_type.h"
#include "number.h"

/* PostgreSQL's last year of a timestamp; its dates go further. */
#define TIMESTAMP_YEAR_MAX 294276

bool
expr_can_cast(enum expr_kind from, enum expr_kind to)
{
	if (from == to)
		return true;
	if (from >= KIND_ARRAY || to >= KIND_JSON)
		return false;
	if (from == KIND_UNKNOWN || expr_is_text(from) || expr_is_text(to))
		return true;
	if (expr_is_number(from) && expr_is_number(to))
		return true;
	if (expr_is_time(from) && expr_is_time(to))
		return true;
	return (from == KIND_BOOL && to == KIND_INT4) || (from == KIND_INT4 && to == KIND_BOOL);
}

/*
 * To text, as PostgreSQL prints it
 */

static void
set_text(struct expr_value *v, const struct buf *b)
{
	v->s.ptr = b->data;
	v->s.len = b->len;
}

/* The fewest digits; an exponent below 1e-4 and from 1e15 (float8out's choice). */
static void
put_float(struct buf *b, double d)
{
	char text[NUMBER_LEN], digits[NUMBER_LEN];
	const char *e;
	size_t n = 0;
	int precision = 0, exponent;

	if (isnan(d) || isinf(d)) {
		buf_adds(b, isnan(d) ? "NaN" : d < 0 ? "-Infinity" : "Infinity");
		return;
	}
	if (signbit(d))
		buf_addc(b, '-');
	d = fabs(d);
	do
		snprintf(text, sizeof(text), "%.*e", precision, d);
	while (strtod(text, NULL) != d && ++precision < 17);
	e = strchr(text, 'e');
	exponent = (int)strtol(e + 1, NULL, 10);
	for (const char *p = text; p < e; p++)
		if (*p != '.')
			digits[n++] = *p;
	if (exponent < -4 || exponent >= 15) {
		buf_adds(b, text);
		return;
	}
	if (exponent < 0)
		buf_adds(b, "0.");
	for (int i = exponent; i < -1; i++)
		buf_addc(b, '0');
	for (int i = 0; i < (int)n || i <= exponent; i++) {
		if (i > 0 && i == exponent + 1)
			buf_addc(b, '.');
		buf_addc(b, i < (int)n ? digits[i] : '0');
	}
}

static void
put_time(struct buf *b, const struct datetime *d, bool zone)
{
	if (d->infinity != 0) {
		buf_adds(b, d->infinity < 0 ? "-infinity" : "infinity");
		return;
	}
	buf_printf(b, "%04lld-%02d-%02d", (long long)(d->year > 0 ? d->year : 1 - d->year),
	    d->month, d->day);
	if (d->has_time) {
		buf_printf(b, " %02d:%02d:%02d", d->hour, d->minute, d->second);
		if (d->micros > 0) {
			buf_printf(b, ".%06d", d->micros);
			while (b->data[b->len - 1] == '0')
				b->len--;
		}
		if (zone)
			buf_adds(b, "+00");
	}
	if (d->year <= 0)
		buf_adds(b, " BC");
}

static void
put_bytes(struct buf *b, const char *p, size_t n)
{
	static const char digits[] = "0123456789abcdef";

	buf_adds(b, "\\x");
	for (size_t i = 0; i < n; i++) {
		buf_addc(b, digits[(unsigned char)p[i] >> 4]);
		buf_addc(b, digits[(unsigned char)p[i] & 15]);
	}
}

static void
to_text(struct expr_value *v, enum expr_kind from, struct buf *b)
{
	struct datetime d;

	b->len = 0;
	switch (from) {
	case KIND_BOOL: buf_adds(b, v->b ? "true" : "false"); break;
	case KIND_INT2:
	case KIND_INT4:
	case KIND_INT8:
	case KIND_OID: b->len = number_int(buf_reserve(b, NUMBER_LEN), v->i); break;
	case KIND_FLOAT: put_float(b, v->d); break;
	case KIND_DATE:
		datetime_of_days(&d, v->i);
		put_time(b, &d, false);
		break;
	case KIND_TIMESTAMP:
	case KIND_TIMESTAMPTZ:
		datetime_of_micros(&d, v->i);
		put_time(b, &d, from == KIND_TIMESTAMPTZ);
		break;
	case KIND_BYTEA: put_bytes(b, v->s.ptr, v->s.len); break;
	case KIND_BPCHAR:
		while (v->s.len > 0 && v->s.ptr[v->s.len - 1] == ' ')
			v->s.len--;
		return;
	case KIND_UNKNOWN:
	case KIND_NUMERIC:
	case KIND_TEXT:
	case KIND_UUID:
	case KIND_CLOCK:
	case KIND_JSON:
	case KIND_ARRAY:
	case KIND_RANGE:
	case KIND_COMPOSITE:
	case KIND_TIMETZ:
	default: return; /* text already, or no such cast */
	}
	buf_reserve(b, 1); /* so that data is not NULL */
	set_text(v, b);
}

/*
 * From text
 */

static bool
in_range(int64_t i, enum expr_kind kind)
{
	switch (kind) {
	case KIND_INT2: return i >= INT16_MIN && i <= INT16_MAX;
	case KIND_INT4: return i >= INT32_MIN && i <= INT32_MAX;
	case KIND_OID: return i >= 0 && i <= UINT32_MAX;
	default: return true;
	}
}

/* PostgreSQL takes what begins one of these words, and no other. */
static bool
text_to_bool(struct expr_value *v, const char *s, size_t n)
{
	static const struct {
		const char *word;
		size_t least;
		bool means;
	} words[] = { { "true", 1, true }, { "false", 1, false }, { "yes", 1, true },
		{ "no", 1, false }, { "on", 2, true }, { "off", 2, false }, { "1", 1, true },
		{ "0", 1, false } };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (n < words[i].least || n > strlen(words[i].word) ||
		    strncasecmp(s, words[i].word, n) != 0)
			continue;
		v->b = words[i].means;
		return true;
	}
	return false;
}

static bool
text_to_int(struct expr_value *v, const char *s, size_t n, enum expr_kind to)
{
	struct decimal d;

	for (size_t i = n > 0 && (*s == '+' || *s == '-'); i < n; i++)
		if (s[i] < '0' || s[i] > '9')
			return false;
	return decimal_parse(&d, s, n) && decimal_int(&d, &v->i) && in_range(v->i, to);
}

static bool
text_to_float(struct expr_value *v, const char *s, size_t n, struct buf *b)
{
	struct decimal d;

	if (!decimal_parse(&d, s, n))
		return false;
	b->len = 0;
	buf_add(b, s, n);
	errno = 0;
	v->d = strtod(buf_cstr(b), NULL);
	/* Too large is no number, and too small neither; but those below DBL_MIN are. */
	return errno != ERANGE || (v->d != 0 && !isinf(v->d));
}

static bool
text_to_numeric(struct expr_value *v, const char *s, size_t n, struct buf *b)
{
	struct decimal d;

	if (!decimal_parse(&d, s, n))
		return false;
	b->len = 0;
	if (!decimal_print(b, &d))
		return false;
	set_text(v, b);
	return true;
}

/* 32 digits in any of the forms that PostgreSQL takes, in the one that it prints. */
static bool
text_to_uuid(struct expr_value *v, const char *s, size_t n, struct buf *b)
{
	size_t digits = 0;

	b->len = 0;
	if (n > 2 && *s == '{' && s[n - 1] == '}') {
		s++;
		n -= 2;
	}
	for (size_t i = 0; i < n; i++) {
		char c = s[i] >= 'A' && s[i] <= 'F' ? (char)(s[i] - 'A' + 'a') : s[i];

		if (c == '-' && digits > 0 && digits % 4 == 0 && s[i - 1] != '-')
			continue;
		if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')) || digits++ == 32)
			return false;
		buf_addc(b, c);
		if (digits == 8 || digits == 12 || digits == 16 || digits == 20)
			buf_addc(b, '-');
	}
	if (digits < 32 || s[n - 1] == '-')
		return false;
	set_text(v, b);
	return true;
}

/* The time of a day, in the one form that PostgreSQL prints. */
static bool
text_to_clock(struct expr_value *v, const char *s, size_t n, struct buf *b)
{
	static const char day[] = "1970-01-01 ";
	struct datetime d;
	int64_t micros;

	b->len = 0;
	buf_add(b, day, sizeof(day) - 1);
	if (n > 1 && s[1] == ':')
		buf_addc(b, '0');
	buf_add(b, s, n);
	if (!datetime_parse(&d, b->data, b->len) || !d.has_time || d.has_zone)
		return false;
	micros = datetime_micros(&d);
	b->len = 0;
	buf_printf(b, "%02d:%02d:%02d", (int)(micros / 3600000000), (int)(micros / 60000000 % 60),
	    (int)(micros / 1000000 % 60));
	if (micros % 1000000 != 0) {
		buf_printf(b, ".%06d", (int)(micros % 1000000));
		while (b->data[b->len - 1] == '0')
			b->len--;
	}
	set_text(v, b);
	return true;
}

static bool
text_to_time(struct expr_value *v, const char *s, size_t n, enum expr_kind to)
{
	struct datetime d;

	if (!datetime_parse(&d, s, n))
		return false;
	if (to == KIND_DATE) {
		v->i = datetime_days(&d);
		return true;
	}
	/* A timestamp without a zone ignores the one that is given, says SQL. */
	if (to == KIND_TIMESTAMP)
		d.zone_s = 0;
	v->i = datetime_micros(&d);
	return d.year <= TIMESTAMP_YEAR_MAX;
}

static bool
from_text(struct expr_value *v, enum expr_kind to, struct buf *b)
{
	const char *s = v->s.ptr, *end = s + v->s.len;

	while (s < end && strchr(" \t\r\n\f\v", *s) != NULL && *s != '\0')
		s++;
	while (s < end && strchr(" \t\r\n\f\v", end[-1]) != NULL && end[-1] != '\0')
		end--;
	switch (to) {
	case KIND_BOOL: return text_to_bool(v, s, (size_t)(end - s));
	case KIND_INT2:
	case KIND_INT4:
	case KIND_INT8:
	case KIND_OID: return text_to_int(v, s, (size_t)(end - s), to);
	case KIND_NUMERIC: return text_to_numeric(v, s, (size_t)(end - s), b);
	case KIND_FLOAT: return text_to_float(v, s, (size_t)(end - s), b);
	case KIND_UUID: return text_to_uuid(v, s, (size_t)(end - s), b);
	case KIND_CLOCK: return text_to_clock(v, s, (size_t)(end - s), b);
	case KIND_DATE:
	case KIND_TIMESTAMP:
	case KIND_TIMESTAMPTZ: return text_to_time(v, s, (size_t)(end - s), to);
	case KIND_UNKNOWN:
	case KIND_TEXT:
	case KIND_BPCHAR:
	case KIND_JSON:
	case KIND_BYTEA:
	case KIND_ARRAY:
	case KIND_RANGE:
	case KIND_COMPOSITE:
	case KIND_TIMETZ:
	default: return true;
	}
}

/*
 * Between numbers, and between times
 */

static bool
float_to_int(struct expr_value *v, enum expr_kind to)
{
	double d = rint(v->d);

	/* Both bounds are exact as doubles. */
	if (!(d >= -0x1p63 && d < 0x1p63))
		return false;
	v->i = (int64_t)d;
	return in_range(v->i, to);
}

static bool
number_to_number(struct expr_value *v, enum expr_kind from, enum expr_kind to, struct buf *b)
{
	struct decimal d;
	char text[NUMBER_LEN];
	int n;

	if (expr_is_int(to)) {
		if (expr_is_int(from))
			return in_range(v->i, to);
		if (from == KIND_FLOAT)
			return float_to_int(v, to);
		return decimal_parse(&d, v->s.ptr, v->s.len) && decimal_int(&d, &v->i) &&
		    in_range(v->i, to);
	}
	if (to == KIND_FLOAT) {
		if (from == KIND_NUMERIC)
			return text_to_float(v, v->s.ptr, v->s.len, b);
		v->d = (double)v->i;
		return true;
	}
	if (expr_is_int(from)) {
		to_text(v, from, b);
		return true;
	}
	/* PostgreSQL's float8_numeric: the digits that every double has. */
	n = snprintf(text, sizeof(text), "%.15g", isnan(v->d) ? NAN : v->d);
	return text_to_numeric(v, text, (size_t)n, b);
}

static bool
time_to_time(struct expr_value *v, enum expr_kind from, enum expr_kind to)
{
	struct datetime d;

	if (to == KIND_DATE) {
		datetime_of_micros(&d, v->i);
		v->i = datetime_days(&d);
	} else if (from == KIND_DATE) {
		datetime_of_days(&d, v->i);
		v->i = datetime_micros(&d);
		return d.year <= TIMESTAMP_YEAR_MAX;
	}
	return true;
}

bool
expr_cast(struct expr_value *v, enum expr_kind from, enum expr_kind to, struct buf *scratch)
{
	if (from == to)
		return true;
	if (expr_is_text(to) && to != KIND_UUID && to != KIND_CLOCK) {
		to_text(v, from, scratch);
		return true;
	}
	if (from == KIND_UNKNOWN || expr_is_text(from))
		return from_text(v, to, scratch);
	if (expr_is_number(from) && expr_is_number(to))
		return number_to_number(v, from, to, scratch);
	if (expr_is_time(from) && expr_is_time(to))
		return time_to_time(v, from, to);
	if (from == KIND_BOOL && to == KIND_INT4) {
		v->i = v->b;
		return true;
	}
	if (from == KIND_INT4 && to == KIND_BOOL) {
		v->b = v->i != 0;
		return true;
	}
	return false;
}
