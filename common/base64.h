#ifndef BASE64_H
#define BASE64_H

#include <stddef.h>

/* RFC 4648, section 4: the common alphabet, padded. */

#define BASE64_LEN(n) (((n) + 2) / 3 * 4)

/* Encode n bytes into BASE64_LEN(n) characters; no NUL. */
void base64_encode(const char *in, size_t n, char *out);

/* How many bytes n characters stand for; -1 when they are no base64 by their length. */
ptrdiff_t base64_size(const char *in, size_t n);

/* Decode into base64_size bytes.  0, or -1 when it is no base64. */
int
base64_decode(const char *in, size_t n, char *out) __attribute__((warn_unused_result));

#endif
