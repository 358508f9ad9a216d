#ifndef INSPECT_H
#define INSPECT_H

#include "mapping.h"
#include "options.h"

/*
 * Load the mapping file that the options name, for a stream.  0; or -1, when what is wrong
 * was said and there is nothing to be freed.
 */
int inspect_load(const struct options *, struct mapping *) __attribute__((warn_unused_result));

/* --check, --explain and --template; the exit status. */
int inspect(const struct options *);

#endif
