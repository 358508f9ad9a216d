#ifndef EXPR_TEXT_H
#define EXPR_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"

/*
 * What expressions do with text, by characters of UTF-8; a byte that is none of one counts
 * as a character.  LC_CTYPE says what is upper and lower case.
 */

struct like {
	const char *escape; /* one character, or none */
	size_t escape_len;
	bool ignore_case;
};

/* Does the pattern end where a character must follow the escape? */
bool like_cut(const struct like *, const char *pattern, size_t len);

/* Takes time in proportion to both lengths at worst, and no memory. */
bool like_match(
    const struct like *, const char *text, size_t len, const char *pattern, size_t pattern_len);

/* Append the text in lower or upper case. */
void text_case(struct buf *, const char *, size_t, bool upper);

size_t text_length(const char *, size_t);

#endif
