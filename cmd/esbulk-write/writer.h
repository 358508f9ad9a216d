#ifndef WRITER_H
#define WRITER_H

#include "options.h"

/* Deliver the actions on standard input; returns the exit status. */
int writer_run(const struct options *);

#endif
