#ifndef IDENTIFIER_H
#define IDENTIFIER_H

#include "buf.h"

/* Append a name in double quotes, as SQL has it: quotes inside are doubled. */
void identifier_put(struct buf *, const char *name);

#endif
