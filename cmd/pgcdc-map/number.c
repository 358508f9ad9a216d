#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "number.h"

static const char digit_pairs[] = "00010203040506070809101112131415161718192021222324"
				  "25262728293031323334353637383940414243444546474849"
				  "50515253545556575859606162636465666768697071727374"
				  "75767778798081828384858687888990919293949596979899";

static size_t
count_digits(uint64_t v)
{
	static const uint64_t least[] = { 0, 10, 100, 1000, 10000, 100000, 1000000, 10000000,
		100000000, 1000000000, 10000000000, 100000000000, 1000000000000, 10000000000000,
		100000000000000, 1000000000000000, 10000000000000000, 100000000000000000,
		1000000000000000000, 10000000000000000000U };
	/* By its bits, 1233/4096 being the logarithm of 2: as many, or one less. */
	size_t n = (size_t)(64 - __builtin_clzll(v | 1)) * 1233 >> 12;

	return n + (v >= least[n]);
}

static size_t
put_uint(char *out, uint64_t v)
{
	size_t n = count_digits(v), at = n;

	while (v >= 100) {
		at -= 2;
		memcpy(out + at, digit_pairs + 2 * (v % 100), 2);
		v /= 100;
	}
	if (at == 2)
		memcpy(out, digit_pairs + 2 * v, 2);
	else
		out[0] = (char)('0' + v);
	return n;
}

size_t
number_uint(char out[static NUMBER_LEN], uint64_t v)
{
	return put_uint(out, v);
}

size_t
number_int(char out[static NUMBER_LEN], int64_t v)
{
	if (v >= 0)
		return put_uint(out, (uint64_t)v);
	out[0] = '-';
	/* Negated as unsigned, for INT64_MIN has no positive counterpart. */
	return 1 + put_uint(out + 1, 0 - (uint64_t)v);
}

/* Powers of ten, up to the last that 64 bits of mantissa hold exactly. */
static const long double powers[] = { 1e0L, 1e1L, 1e2L, 1e3L, 1e4L, 1e5L, 1e6L, 1e7L, 1e8L,
	1e9L, 1e10L, 1e11L, 1e12L, 1e13L, 1e14L, 1e15L, 1e16L, 1e17L, 1e18L, 1e19L, 1e20L,
	1e21L, 1e22L, 1e23L, 1e24L, 1e25L, 1e26L, 1e27L };

/*
 * Is there an m such that "m e-k" reads back as v?  By doubles, where m has at most 15
 * digits and k is at most 22: m and 10^k are exact then, so that one correctly rounded
 * division says what reading would give (Clinger's fast path).
 */
static bool
digits_of_short(double v, int k, uint64_t *m)
{
	*m = (uint64_t)(v * (double)powers[k] + 0.5);
	return (double)*m / (double)powers[k] == v;
}

/*
 * The same for up to 17 digits, by the wider mantissa that long double has on most
 * machines: "m e-k" reads back as v if it is strictly between the middles to v's
 * neighbours.  Those are exact, so rounding the quotient cannot move it across one.  1 when
 * it does, 0 when not, -1 where this is not precise enough to tell.
 */
static int
digits_of_long(double v, int k, uint64_t *m)
{
#if LDBL_MANT_DIG >= 64
	long double scaled = v * powers[k], rest, quotient, low, high;
	double above, below;
	uint64_t bits;

	*m = (uint64_t)scaled;
	rest = scaled - (long double)*m;
	if (rest > 0.49L && rest < 0.51L)
		return -1;
	if (rest > 0.5L)
		(*m)++;
	quotient = (long double)*m / powers[k];
	memcpy(&bits, &v, sizeof(bits));
	bits++;
	memcpy(&above, &bits, sizeof(bits));
	bits -= 2;
	memcpy(&below, &bits, sizeof(bits));
	low = ((long double)v + below) / 2;
	high = ((long double)v + above) / 2;
	if (quotient == low || quotient == high)
		return -1;
	return quotient > low && quotient < high;
#else
	(void)v;
	(void)k;
	(void)m;
	return -1;
#endif
}

/* m * 10^-k, without zeros at the end. */
static size_t
put_decimal(char *out, uint64_t m, int k)
{
	char digits[NUMBER_LEN];
	size_t n, whole;

	while (k > 0 && m % 10 == 0) {
		m /= 10;
		k--;
	}
	n = put_uint(digits, m);
	if (k == 0) {
		memcpy(out, digits, n);
		return n;
	}
	if (n > (size_t)k) {
		whole = n - (size_t)k;
		memcpy(out, digits, whole);
		out[whole] = '.';
		memcpy(out + whole + 1, digits + whole, (size_t)k);
		return n + 1;
	}
	out[0] = '0';
	out[1] = '.';
	memset(out + 2, '0', (size_t)k - n);
	memcpy(out + 2 + (size_t)k - n, digits, n);
	return 2 + (size_t)k;
}

/*
 * Doubles of common size without the C library, which takes a microsecond for each.  15
 * digits are nearly all that people store; decimals of so many never share a double, so
 * without the zeros at the end they are the shortest.  Then 16, then 17, which always do.
 */
static size_t
common_double(char *out, double v)
{
	uint64_t m;
	int k = 0;

	while (v * (double)powers[k + 1] < 1e15)
		k++;
	if (digits_of_short(v, k, &m))
		return put_decimal(out, m, k);
	for (int more = 1; more <= 2; more++) {
		int r = digits_of_long(v, k + more, &m);

		if (r > 0)
			return put_decimal(out, m, k + more);
		if (r < 0)
			break;
	}
	return 0;
}

static size_t
any_double(char *out, double v)
{
	int n = 0;

	/* The smallest have less precision, so fewer digits can do. */
	for (int precision = v < DBL_MIN ? 1 : 15; precision <= 17; precision++) {
		n = snprintf(out, NUMBER_LEN, "%.*g", precision, v);
		if (strtod(out, NULL) == v)
			break;
	}
	return (size_t)n;
}

size_t
number_double(char out[static NUMBER_LEN], double v, bool integral_point)
{
	size_t sign = 0, n = 0;

	if (signbit(v)) {
		out[sign++] = '-';
		v = -v;
	}
	if (v == 0)
		out[sign + n++] = '0';
	else if (v >= 1e-6 && v < 1e15)
		n = common_double(out + sign, v);
	if (n == 0) {
		char text[NUMBER_LEN];

		n = any_double(text, v);
		memcpy(out + sign, text, n);
	}
	n += sign;
	if (integral_point && memchr(out, '.', n) == NULL && memchr(out, 'e', n) == NULL) {
		out[n++] = '.';
		out[n++] = '0';
	}
	return n;
}

static const char *
skip_digits(const char *p, const char *end)
{
	while (p < end && *p >= '0' && *p <= '9')
		p++;
	return p;
}

bool
number_is_json(const char *s, size_t len)
{
	const char *p = s, *end = s + len, *from;

	if (p < end && *p == '-')
		p++;
	from = p;
	p = skip_digits(p, end);
	if (p == from || (*from == '0' && p - from > 1))
		return false;
	if (p < end && *p == '.') {
		from = ++p;
		p = skip_digits(p, end);
		if (p == from)
			return false;
	}
	if (p < end && (*p == 'e' || *p == 'E')) {
		p++;
		if (p < end && (*p == '+' || *p == '-'))
			p++;
		from = p;
		p = skip_digits(p, end);
		if (p == from)
			return false;
	}
	return p == end;
}
