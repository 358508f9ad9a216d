#ifndef COPYROW_H
#define COPYROW_H

#include "row.h"

/*
 * A line of COPY's text format as a tuple of the same texts that the stream would bring.
 *
 * Values are unescaped in place, and the tuple points to them; its column array is made as
 * large as it must be.  false: the line has not as many columns.
 */
bool copyrow_read(struct tuple *, size_t columns, char *line, size_t len)
    __attribute__((warn_unused_result));

#endif
