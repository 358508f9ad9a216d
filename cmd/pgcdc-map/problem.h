#ifndef PROBLEM_H
#define PROBLEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"

/*
 * What is wrong with a mapping file: collected, so that one run shows everything.
 */

/* A place in the mapping file, both from 1; line 0 is no place. */
struct mark {
	uint32_t line, column;
};

enum problem_level {
	PROBLEM_ERROR,
	PROBLEM_WARNING, /* the file works, but hardly as meant */
	PROBLEM_NOTE,    /* it works, and this is how */
};

struct problem {
	struct mark at;
	enum problem_level level;
	char *what;
};

/* Zeroed memory is an empty list. */
struct problems {
	struct problem *list;
	size_t n;
	bool notes;    /* notes are wanted; else they are dropped */
	size_t errors;  /* the ones past the limit too */
	size_t dropped; /* warnings and notes past it */
};

/* Add one; behind the hundredth error, and the hundredth of the others, they are only counted. */
void problem_error(struct problems *, struct mark, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void problem_warning(struct problems *, struct mark, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void problem_note(struct problems *, struct mark, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Order them by place: some are found late. */
void problems_sort(struct problems *);

/* Append a byte of a message: control characters, which names can have, as \n or \u0007. */
void problem_put_char(struct buf *, unsigned char);

void problems_free(struct problems *);

#endif
