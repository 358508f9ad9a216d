#ifndef PROBLEM_H
#define PROBLEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What is wrong with a mapping file: collected, so that one run shows everything.
 */

/* A place in the mapping file, both from 1; line 0 is no place. */
struct mark {
	uint32_t line, column;
};

struct problem {
	struct mark at;
	bool warning; /* the file works, but hardly as meant */
	char *what;
};

/* Zeroed memory is an empty list. */
struct problems {
	struct problem *list;
	size_t n;
	size_t errors; /* those that are no warnings, the ones past the limit too */
};

/* Add one; behind the hundredth they are only counted. */
void problem_error(struct problems *, struct mark, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void problem_warning(struct problems *, struct mark, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Order them by place: some are found late. */
void problems_sort(struct problems *);

void problems_free(struct problems *);

#endif
