#ifndef UTF8_H
#define UTF8_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Is this UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing beyond
 * U+10FFFF?  PostgreSQL and the search servers draw the line at the same place.
 */
bool utf8_valid(const char *, size_t);

/* The bytes of the character that n > 0 bytes begin with, 1 to 4; 0 when it is none. */
size_t utf8_char(const char *, size_t n);

/* How many of n bytes are whole characters, up to max bytes. */
size_t utf8_prefix(const char *, size_t n, size_t max);

#endif
