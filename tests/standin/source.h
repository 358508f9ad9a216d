#ifndef SOURCE_H
#define SOURCE_H

#include "buf.h"
#include "slice.h"

/*
 * Append a document's source with what a list of dotted patterns leaves of it.
 * As on a real server this parses and prints it again: numbers with a fraction
 * or an exponent come out as the double nearest to them, so digits get lost.  An
 * empty list leaves the source as it was stored.
 */
void source_filtered(struct buf *, struct slice source, const char *patterns);

#endif
