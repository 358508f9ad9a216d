#ifndef QUOTE_H
#define QUOTE_H

#include <stddef.h>

#include "buf.h"

/*
 * Text in quotes, appended.
 */

/* A JSON string, quotes and all; the text is UTF-8. */
void quote_string(struct buf *, const char *, size_t len);

/* Its inside alone. */
void quote_escaped(struct buf *, const char *, size_t len);

/* A name as SQL has it, in double quotes where it must be: not all small letters, digits and
 * underscores. */
void quote_identifier(struct buf *, const char *);

#endif
