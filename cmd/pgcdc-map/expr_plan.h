#ifndef EXPR_PLAN_H
#define EXPR_PLAN_H

#include "expr_node.h"
#include "expr_text.h"

/*
 * A bound expression: what expr_bind makes and expr_test runs.  The same tree again, where
 * every step knows its type, implicit casts are steps, and what is constant is a value.
 */

struct step {
	enum expr_op op;
	bool constant; /* value it is; arguments that are still there only hold its text */
	enum expr_kind kind;
	size_t offset;
	struct step **arg;
	size_t args;
	enum expr_comparison compare;
	enum expr_truth truth;
	bool negated;
	struct like like;
	char *text; /* a column's name, a literal */
	uint32_t column;
	bool is_old, in_identity;
	struct expr_value value;
	struct buf scratch; /* text that the step makes */
};

struct expr_plan {
	struct step *root;
	const struct expr_row *row; /* while it is tested */
	/* The first column that was missed, and the first step that failed, if it mattered. */
	const struct step *absent, *fault;
	struct buf message;
};

/* Compute a step; constants need no row. */
struct expr_value expr_eval(struct expr_plan *, struct step *);

#endif
