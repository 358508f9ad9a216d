#ifndef EXPR_NODE_H
#define EXPR_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "expr.h"
#include "expr_type.h"

/*
 * Expressions as they were written: what expr_parse makes and expr_bind reads.
 */

enum expr_op {
	EXPR_OR,       /* two arguments or more */
	EXPR_AND,      /* the same */
	EXPR_NOT,
	EXPR_COMPARE,  /* two arguments, by compare */
	EXPR_DISTINCT, /* two: is distinct from */
	EXPR_IN,       /* the first, in the others */
	EXPR_BETWEEN,  /* the first, between the other two */
	EXPR_LIKE,     /* two, or three with escape */
	EXPR_IS_NULL,
	EXPR_IS_BOOL,  /* is true, false, unknown: truth */
	EXPR_CAST,     /* to type */
	EXPR_LOWER,
	EXPR_UPPER,
	EXPR_LENGTH,
	EXPR_COALESCE,
	EXPR_COLUMN,   /* text */
	EXPR_STRING,   /* text */
	EXPR_NUMBER,   /* text, with its sign */
	EXPR_BOOLEAN,  /* truth */
	EXPR_NOTHING,  /* null */
};

enum expr_comparison { CMP_EQ, CMP_NE, CMP_LT, CMP_LE, CMP_GT, CMP_GE };

struct expr {
	enum expr_op op;
	size_t offset; /* of the operator, or of what stands for itself */
	struct expr **arg;
	size_t args;
	unsigned depth; /* of the tree from here, 1 without arguments */
	char *text; /* with a NUL behind it, which len does not count */
	size_t len;
	enum expr_comparison compare;
	enum expr_truth truth;
	enum expr_kind type;
	bool negated;     /* not in, not between, not like, is not ... */
	bool ignore_case; /* ilike */
	bool is_old;      /* old.column */
};

/* Say what is wrong. */
void expr_problem_set(struct expr_problem *, size_t offset, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
