#ifndef DECIMAL_H
#define DECIMAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"

/*
 * Numbers in text form, of any number of digits, exactly.  Nothing is allocated: a decimal
 * points into the text that it was read from, which must stay.
 */

enum decimal_kind { /* in PostgreSQL's order */
	DECIMAL_MINUS_INFINITY,
	DECIMAL_FINITE,
	DECIMAL_INFINITY,
	DECIMAL_NAN,
};

struct decimal {
	enum decimal_kind kind;
	int sign; /* -1, 0, 1 */
	/* The digits from the first that is not 0 to the last, perhaps with a point in them. */
	const char *digit, *end;
	int64_t magnitude; /* power of ten of the first digit: 0 of 1 to 9 */
	int64_t scale;     /* digits that were written behind the point, at least 0 */
};

/*
 * Read a number as PostgreSQL's numeric takes it, but for blanks around it: 12, -1.50, .5,
 * 5., 1e-3, NaN, Infinity, -inf (in any case).  False: it is none.
 */
bool decimal_parse(struct decimal *, const char *, size_t) __attribute__((warn_unused_result));

/* Below, at or above 0 as a is less than, equal to or more than b; NaN is above all. */
int decimal_compare(const struct decimal *a, const struct decimal *b);
int decimal_compare_int(const struct decimal *a, int64_t b);

/* Round to an integer, halves away from 0.  False: it is none of 64 bits. */
bool decimal_int(const struct decimal *, int64_t *) __attribute__((warn_unused_result));

/*
 * Append it as PostgreSQL prints it: no exponent, no needless zeros in front, those behind
 * the point as written.  False: numeric has no such number, it is too large or too precise.
 */
bool decimal_print(struct buf *, const struct decimal *) __attribute__((warn_unused_result));

#endif
