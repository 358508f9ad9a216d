#ifndef READER_H
#define READER_H

#include "options.h"

/*
 * Stream until the end that the options or a signal set; returns the exit status.
 */
int reader_run(const struct options *);

#endif
