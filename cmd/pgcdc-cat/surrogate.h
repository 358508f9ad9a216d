#ifndef SURROGATE_H
#define SURROGATE_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Is every \uD800 to \uDFFF in this JSON text half of a pair?  yajl makes a question mark
 * of one that stands alone, and that would be a loss.  The text may be cut off anywhere.
 */
bool surrogates_paired(const char *json, size_t n);

#endif
