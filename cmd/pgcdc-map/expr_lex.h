#ifndef EXPR_LEX_H
#define EXPR_LEX_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"
#include "expr.h"

/*
 * The words of an expression.
 */

enum token_kind {
	TOKEN_END,
	TOKEN_NAME,   /* not quoted: a keyword, a function, a column */
	TOKEN_QUOTED, /* "Column" */
	TOKEN_STRING,
	TOKEN_NUMBER,
	TOKEN_OPERATOR, /* = <> < <= > >= - + and those that are none */
	TOKEN_MARK,     /* ( ) , . :: */
};

struct token {
	enum token_kind kind;
	size_t offset;
	const char *start; /* as it was written */
	size_t len;
	struct buf text; /* names folded, quotes undone; with a NUL behind it */
};

struct lexer {
	const char *text;
	size_t len;
	size_t at;
};

/* The next token, in place of the one before.  False: problem says why. */
bool lexer_next(struct lexer *, struct token *, struct expr_problem *)
    __attribute__((warn_unused_result));

/* Is it this one, as it was written? */
bool token_is(const struct token *, enum token_kind, const char *);

#endif
