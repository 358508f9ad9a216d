#include <string.h>
#include <strings.h>

#include "decimal.h"
#include "number.h"

/* Exponents past this are all the same: no text has as many digits. */
#define EXPONENT_MAX INT64_C(1000000000000)
/* What numeric holds before and behind the point (its weight and its dscale). */
#define WHOLE_MAX    131072
#define FRACTION_MAX 16383

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_word(const char *s, size_t n, const char *word)
{
	return n == strlen(word) && strncasecmp(s, word, n) == 0;
}

static bool
parse_special(struct decimal *d, int sign, const char *s, size_t n, bool has_sign)
{
	d->digit = d->end = s;
	d->sign = sign;
	if (is_word(s, n, "nan") && !has_sign)
		d->kind = DECIMAL_NAN;
	else if (is_word(s, n, "infinity") || is_word(s, n, "inf"))
		d->kind = sign < 0 ? DECIMAL_MINUS_INFINITY : DECIMAL_INFINITY;
	else
		return false;
	return true;
}

/* Behind an e; false when that is no exponent. */
static bool
parse_exponent(const char *p, const char *end, int64_t *exponent)
{
	bool minus = false;
	int64_t v = 0;

	if (p < end && (*p == '+' || *p == '-'))
		minus = *p++ == '-';
	if (p == end)
		return false;
	for (; p < end; p++) {
		if (!is_digit(*p))
			return false;
		if (v < EXPONENT_MAX)
			v = v * 10 + (*p - '0');
	}
	*exponent = minus ? -v : v;
	return true;
}

bool
decimal_parse(struct decimal *d, const char *s, size_t len)
{
	const char *p = s, *end = s + len, *from, *point = NULL, *first = NULL, *last = NULL;
	int64_t exponent = 0, written = 0;

	*d = (struct decimal) { .kind = DECIMAL_FINITE };
	d->sign = p < end && *p == '-' ? -1 : 1;
	if (p < end && (*p == '+' || *p == '-'))
		p++;
	if (p == end || (!is_digit(*p) && *p != '.'))
		return parse_special(d, d->sign, p, (size_t)(end - p), p > s);
	for (from = p; p < end && (is_digit(*p) || (*p == '.' && point == NULL)); p++) {
		if (*p == '.') {
			point = p;
			continue;
		}
		written++;
		if (*p != '0') {
			if (first == NULL)
				first = p;
			last = p;
		}
	}
	if (written == 0)
		return false;
	if (point == NULL)
		point = p;
	else
		d->scale = p - point - 1;
	if (p < end) {
		if ((*p != 'e' && *p != 'E') || !parse_exponent(p + 1, end, &exponent))
			return false;
		d->scale = d->scale > exponent ? d->scale - exponent : 0;
	}
	if (first == NULL) {
		d->sign = 0;
		d->digit = d->end = from;
		return true;
	}
	d->digit = first;
	d->end = last + 1;
	d->magnitude = exponent + (first < point ? point - first - 1 : point - first);
	return true;
}

/* The next digit, and 0 for ever behind the last. */
static char
next_digit(const char **p, const char *end)
{
	if (*p < end && **p == '.')
		(*p)++;
	return *p < end ? *(*p)++ : '0';
}

static int
compare_digits(const struct decimal *a, const struct decimal *b)
{
	const char *p = a->digit, *q = b->digit;

	if (a->magnitude != b->magnitude)
		return a->magnitude < b->magnitude ? -1 : 1;
	while (p < a->end || q < b->end) {
		int difference = next_digit(&p, a->end) - next_digit(&q, b->end);

		if (difference != 0)
			return difference;
	}
	return 0;
}

int
decimal_compare(const struct decimal *a, const struct decimal *b)
{
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	if (a->kind != DECIMAL_FINITE)
		return 0;
	if (a->sign != b->sign)
		return a->sign < b->sign ? -1 : 1;
	return a->sign == 0 ? 0 : a->sign < 0 ? compare_digits(b, a) : compare_digits(a, b);
}

int
decimal_compare_int(const struct decimal *a, int64_t b)
{
	char text[NUMBER_LEN];
	struct decimal d;

	if (!decimal_parse(&d, text, number_int(text, b)))
		return 0; /* cannot be */
	return decimal_compare(a, &d);
}

bool
decimal_int(const struct decimal *d, int64_t *v)
{
	const char *p = d->digit;
	uint64_t sum = 0, limit = (uint64_t)INT64_MAX + (d->sign < 0);

	*v = 0;
	if (d->kind != DECIMAL_FINITE || (d->sign != 0 && d->magnitude > 18))
		return false;
	if (d->sign == 0 || d->magnitude < -1)
		return true;
	for (int64_t i = d->magnitude; i >= 0; i--)
		sum = sum * 10 + (uint64_t)(next_digit(&p, d->end) - '0');
	sum += next_digit(&p, d->end) >= '5';
	if (sum > limit)
		return false;
	*v = (int64_t)(d->sign < 0 ? 0 - sum : sum);
	return true;
}

bool
decimal_print(struct buf *b, const struct decimal *d)
{
	const char *p = d->digit;
	int64_t at = d->sign == 0 || d->magnitude < 0 ? 0 : d->magnitude;

	if (d->kind != DECIMAL_FINITE) {
		buf_adds(b, d->kind == DECIMAL_NAN ? "NaN" :
		        d->kind == DECIMAL_INFINITY ? "Infinity" : "-Infinity");
		return true;
	}
	if (at >= WHOLE_MAX || d->scale > FRACTION_MAX)
		return false;
	if (d->sign < 0)
		buf_addc(b, '-');
	for (; at >= -d->scale; at--) {
		if (at == -1)
			buf_addc(b, '.');
		buf_addc(b, d->sign == 0 || at > d->magnitude ? '0' : next_digit(&p, d->end));
	}
	return true;
}
