#ifndef CHECK_H
#define CHECK_H

#include "probe.h"

/*
 * --check: is the cluster there, does it take the login, and will it take the actions?  It reads
 * from the cluster and the disk, and changes neither.
 */
int check_run(const struct options *);

/* Of the indices that --check names, one by one. */
void check_indices(struct probe *);

/* The number at the front of a version, 9 of 9.1.0; the last answer's to GET /, or 0. */
struct check_version {
	unsigned major, minor;
	bool opensearch, known;
};

#endif
