#ifndef NUMBER_H
#define NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Numbers as text.  Each prints without a NUL and returns how many bytes it wrote.
 */

#define NUMBER_LEN 32 /* room enough for any of them */

size_t number_uint(char out[static NUMBER_LEN], uint64_t);
size_t number_int(char out[static NUMBER_LEN], int64_t);

/*
 * A finite double by the fewest digits that read back as the same one.  integral_point
 * adds ".0" to those that would look like integers, so that a search server that learns
 * a field's type from its first value does not take it for one.
 */
size_t number_double(char out[static NUMBER_LEN], double, bool integral_point);

/* Is the text a number in JSON's grammar (RFC 8259, section 6)? */
bool number_is_json(const char *, size_t len);

#endif
