#ifndef SETUP_H
#define SETUP_H

#include "options.h"

/*
 * --setup and --drop: index templates of one owner, the name that these options are given.  They
 * carry it in their _meta, so that only such templates are replaced and removed.  Each returns
 * the exit status.
 */
int setup_run(const struct options *);
int drop_run(const struct options *);

#endif
