#ifndef FILTER_H
#define FILTER_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"

/*
 * What a template does to a value's text: {name|lower}, {created_on:%Y.%m}.
 */

enum filter_kind {
	FILTER_FORMAT, /* of a date or time: {created_on:%Y.%m} */
	FILTER_LOWER,
	FILTER_UPPER,
	FILTER_TRIM,
	FILTER_STRING,  /* text, whatever it was */
	FILTER_DEFAULT, /* in the place of null and of nothing */
	FILTER_LEFT,    /* so many characters */
	FILTER_HASH,    /* SHA-256 in hexadecimal digits */
	FILTER_SLUG,
};

/* Owns its argument. */
struct filter {
	enum filter_kind kind;
	char *arg; /* FILTER_FORMAT, FILTER_DEFAULT */
	size_t len;
	size_t count; /* FILTER_LEFT */
};

/*
 * Parse "name" or "name:argument".  NULL, or what is wrong as a sentence fragment, valid
 * until the next call.
 */
const char *filter_parse(struct filter *, const char *text, size_t len)
    __attribute__((warn_unused_result));

/* The same for the format behind a colon. */
const char *filter_parse_format(struct filter *, const char *text, size_t len)
    __attribute__((warn_unused_result));

/*
 * Apply all of them to the text that begins at start.  null: there is no text, the value is
 * null; what remains null after a default that it may have is told by returning so.  NULL in
 * problem, or why it cannot be done, as in: column "x" <problem>.
 */
bool filters_apply(const struct filter *, size_t n, struct buf *text, size_t start, bool null,
    struct buf *scratch, const char **problem);

/* The SHA-256 of the text that begins at start, as 64 digits in its place. */
void filter_hash(struct buf *text, size_t start);

/* Append it as it is written behind a name: |lower, :%Y. */
void filter_put(struct buf *, const struct filter *);

void filter_free(struct filter *);

#endif
