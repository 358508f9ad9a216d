#ifndef EXPR_PARSER_H
#define EXPR_PARSER_H

#include "expr_lex.h"
#include "expr_node.h"

/*
 * What the two halves of the parser share: expr_parse.c has the operators, expr_operand.c
 * what stands between them.  Those that return a node return NULL after they have set the
 * problem.
 */

/* SQL's precedence, lowest first: the %nonassoc and %left lines of PostgreSQL's gram.y. */
enum level { LEVEL_NONE, LEVEL_OR, LEVEL_AND, LEVEL_NOT, LEVEL_IS, LEVEL_COMPARE, LEVEL_LIKE };

struct parser {
	struct lexer lexer;
	struct token token; /* the one to look at */
	struct expr_problem *problem;
	unsigned depth;
};

/* Go to the next token. */
bool parser_next(struct parser *) __attribute__((warn_unused_result));

/* Is the token this keyword, this mark? */
bool parser_name(const struct parser *, const char *);
bool parser_mark(const struct parser *, const char *);

/* Complain about the token; what is a fragment such as "expected a value". */
void *parser_unexpected(struct parser *, const char *what);

/* Step over a mark or a keyword that has to be there. */
bool parser_expect(struct parser *, enum token_kind, const char *text, const char *what)
    __attribute__((warn_unused_result));

struct expr *parser_node(enum expr_op, size_t offset);
struct expr *parser_leaf(enum expr_op, size_t offset, const struct buf *text);

/*
 * Append an argument, which e owns then.  When arg is NULL, or the tree becomes too deep, e
 * is freed and NULL returned.
 */
struct expr *parser_add(struct parser *, struct expr *e, struct expr *arg)
    __attribute__((warn_unused_result));

/* An expression of operators that bind more tightly than that. */
struct expr *parser_level(struct parser *, enum level) __attribute__((warn_unused_result));

/* One expression or more, and a closing parenthesis; appended to e as parser_add does. */
struct expr *parser_list(struct parser *, struct expr *e) __attribute__((warn_unused_result));

/* An operand and the casts behind it. */
struct expr *parser_primary(struct parser *) __attribute__((warn_unused_result));

#endif
