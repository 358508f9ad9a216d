#include <stdlib.h>
#include <string.h>

#include "expr_parser.h"
#include "utf8.h"

/* Deeper nesting is refused: all that walks an expression recurses. */
#define DEPTH_MAX 100

/*
 * Nodes
 */

void
expr_free(struct expr *e)
{
	if (e == NULL)
		return;
	for (size_t i = 0; i < e->args; i++)
		expr_free(e->arg[i]);
	free(e->arg);
	free(e->text);
	free(e);
}

struct expr *
parser_node(enum expr_op op, size_t offset)
{
	struct expr *e = xcalloc(1, sizeof(*e));

	e->op = op;
	e->offset = offset;
	e->depth = 1;
	return e;
}

struct expr *
parser_leaf(enum expr_op op, size_t offset, const struct buf *text)
{
	struct expr *e = parser_node(op, offset);

	e->text = xstrndup(text->data, text->len);
	e->len = text->len;
	return e;
}

struct expr *
parser_add(struct parser *p, struct expr *e, struct expr *arg)
{
	if (arg != NULL) {
		e->arg = xrealloc(e->arg, (e->args + 1) * sizeof(struct expr *));
		e->arg[e->args++] = arg;
		if (e->depth <= arg->depth)
			e->depth = arg->depth + 1;
		if (e->depth <= DEPTH_MAX)
			return e;
		expr_problem_set(p->problem, e->offset, "nested too deeply");
	}
	expr_free(e);
	return NULL;
}

/*
 * Tokens
 */

bool
parser_next(struct parser *p)
{
	return lexer_next(&p->lexer, &p->token, p->problem);
}

bool
parser_name(const struct parser *p, const char *name)
{
	return token_is(&p->token, TOKEN_NAME, name);
}

bool
parser_mark(const struct parser *p, const char *mark)
{
	return token_is(&p->token, TOKEN_MARK, mark);
}

void *
parser_unexpected(struct parser *p, const char *what)
{
	const struct token *t = &p->token;
	size_t n = 0, more;

	if (t->kind == TOKEN_END) {
		expr_problem_set(p->problem, t->offset, "%s, not the end", what);
		return NULL;
	}
	while (n < t->len && n < 40 && (more = utf8_char(t->start + n, t->len - n)) > 0)
		n += more;
	expr_problem_set(p->problem, t->offset, "%s, not %s%.*s%s%s", what,
	    *t->start == '"' || *t->start == '\'' ? "" : "\"", (int)n, t->start,
	    n < t->len ? "..." : "", *t->start == '"' || *t->start == '\'' ? "" : "\"");
	return NULL;
}

bool
parser_expect(struct parser *p, enum token_kind kind, const char *text, const char *what)
{
	if (token_is(&p->token, kind, text))
		return parser_next(p);
	parser_unexpected(p, what);
	return false;
}

/*
 * Operators
 */

static const struct {
	const char *text;
	enum expr_comparison compare;
} comparisons[] = { { "=", CMP_EQ }, { "<>", CMP_NE }, { "!=", CMP_NE }, { "<", CMP_LT },
	{ "<=", CMP_LE }, { ">", CMP_GT }, { ">=", CMP_GE } };

static bool
find_comparison(const struct token *t, enum expr_comparison *compare)
{
	for (size_t i = 0; i < sizeof(comparisons) / sizeof(comparisons[0]); i++) {
		if (!token_is(t, TOKEN_OPERATOR, comparisons[i].text))
			continue;
		*compare = comparisons[i].compare;
		return true;
	}
	return false;
}

static void
unknown_operator(struct parser *p)
{
	static const struct {
		const char *text, *meant;
	} hints[] = { { "==", "=" }, { "===", "=" }, { "=<", "<=" }, { "=>", ">=" },
		{ "!==", "<>" }, { "!", "not" }, { "&&", "and" }, { "&", "and" }, { "|", "or" },
		{ "~~", "like" }, { "~~*", "ilike" }, { "!~~", "not like" },
		{ "!~~*", "not ilike" } };
	const struct token *t = &p->token;
	size_t n = t->len < 40 ? t->len : 40;

	if (t->len == 1 && strchr("+-*/%^", *t->start) != NULL) {
		expr_problem_set(p->problem, t->offset,
		    "unknown operator \"%c\": there is no arithmetic", *t->start);
		return;
	}
	for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++) {
		if (!token_is(t, TOKEN_OPERATOR, hints[i].text))
			continue;
		expr_problem_set(p->problem, t->offset,
		    "unknown operator \"%.*s\"; did you mean \"%s\"?", (int)n, t->start,
		    hints[i].meant);
		return;
	}
	expr_problem_set(
	    p->problem, t->offset, "unknown operator \"%.*s\"", (int)n, t->start);
}

/* How tightly the token binds what is left of it; false: it is an operator that we lack. */
static bool
operator_level(struct parser *p, enum level *level)
{
	enum expr_comparison compare;

	*level = LEVEL_NONE;
	if (find_comparison(&p->token, &compare)) {
		*level = LEVEL_COMPARE;
	} else if (p->token.kind == TOKEN_OPERATOR) {
		unknown_operator(p);
		return false;
	} else if (parser_name(p, "or")) {
		*level = LEVEL_OR;
	} else if (parser_name(p, "and")) {
		*level = LEVEL_AND;
	} else if (parser_name(p, "is")) {
		*level = LEVEL_IS;
	} else if (parser_name(p, "not") || parser_name(p, "in") || parser_name(p, "between") ||
	    parser_name(p, "like") || parser_name(p, "ilike")) {
		*level = LEVEL_LIKE;
	} else if (parser_name(p, "isnull") || parser_name(p, "notnull")) {
		expr_problem_set(p->problem, p->token.offset, "%s is written IS %sNULL",
		    parser_name(p, "isnull") ? "ISNULL" : "NOTNULL",
		    parser_name(p, "isnull") ? "" : "NOT ");
		return false;
	}
	return true;
}

/* left and right, left or right: one node for a row of the same. */
static struct expr *
parse_logic(struct parser *p, struct expr *left, enum level level)
{
	enum expr_op op = level == LEVEL_OR ? EXPR_OR : EXPR_AND;
	struct expr *e = left;

	if (left->op != op)
		e = parser_add(p, parser_node(op, p->token.offset), left);
	if (e == NULL)
		return NULL;
	if (parser_next(p))
		return parser_add(p, e, parser_level(p, level));
	expr_free(e);
	return NULL;
}

/* A binary operator: p is at its last word, e has the left side. */
static struct expr *
parse_right(struct parser *p, struct expr *e, enum level level)
{
	if (parser_next(p))
		return parser_add(p, e, parser_level(p, level));
	expr_free(e);
	return NULL;
}

/* p is behind IS [NOT], e has the left side. */
static struct expr *
parse_is(struct parser *p, struct expr *e, enum level *last)
{
	static const struct {
		const char *word;
		enum expr_op op;
		enum expr_truth truth;
	} words[] = { { "null", EXPR_IS_NULL, EXPR_NULL }, { "true", EXPR_IS_BOOL, EXPR_TRUE },
		{ "false", EXPR_IS_BOOL, EXPR_FALSE }, { "unknown", EXPR_IS_BOOL, EXPR_NULL } };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (!parser_name(p, words[i].word))
			continue;
		e->op = words[i].op;
		e->truth = words[i].truth;
		if (parser_next(p))
			return e;
		expr_free(e);
		return NULL;
	}
	if (!parser_name(p, "distinct")) {
		parser_unexpected(p, "expected null, true, false, unknown or distinct from");
	} else if (parser_next(p)) {
		if (parser_name(p, "from")) {
			e->op = EXPR_DISTINCT;
			*last = LEVEL_IS;
			return parse_right(p, e, LEVEL_IS);
		}
		parser_unexpected(p, "expected from behind distinct");
	}
	expr_free(e);
	return NULL;
}

static struct expr *
parse_between(struct parser *p, struct expr *e)
{
	e->op = EXPR_BETWEEN;
	e = parse_right(p, e, LEVEL_LIKE);
	if (e == NULL)
		return NULL;
	if (parser_name(p, "and"))
		return parse_right(p, e, LEVEL_LIKE);
	parser_unexpected(p, "expected the \"and\" of between");
	expr_free(e);
	return NULL;
}

static struct expr *
parse_like(struct parser *p, struct expr *e)
{
	e->op = EXPR_LIKE;
	e->ignore_case = parser_name(p, "ilike");
	e = parse_right(p, e, LEVEL_LIKE);
	if (e != NULL && parser_name(p, "escape"))
		return parse_right(p, e, LEVEL_LIKE);
	return e;
}

/* IN, BETWEEN, LIKE and ILIKE: p is at that word, e has the left side. */
static struct expr *
parse_like_level(struct parser *p, struct expr *e, enum level *last)
{
	*last = LEVEL_LIKE;
	if (parser_name(p, "between"))
		return parse_between(p, e);
	if (parser_name(p, "like") || parser_name(p, "ilike"))
		return parse_like(p, e);
	if (!parser_name(p, "in")) {
		parser_unexpected(p, "expected in, between, like or ilike behind not");
	} else if (parser_next(p) &&
	    parser_expect(p, TOKEN_MARK, "(", "expected a list in parentheses behind in")) {
		e->op = EXPR_IN;
		*last = LEVEL_NONE; /* nothing of it is open to the right */
		return parser_list(p, e);
	}
	expr_free(e);
	return NULL;
}

/*
 * The operator that p is at, with left before it.  last becomes its level if another
 * operator of that level must not follow.
 */
static struct expr *
parse_operator(struct parser *p, struct expr *left, enum level level, enum level *last)
{
	struct expr *e;

	*last = LEVEL_NONE;
	if (level == LEVEL_OR || level == LEVEL_AND)
		return parse_logic(p, left, level);
	e = parser_add(p, parser_node(EXPR_COMPARE, p->token.offset), left);
	if (e == NULL)
		return NULL;
	if (level == LEVEL_COMPARE) {
		*last = LEVEL_COMPARE;
		if (find_comparison(&p->token, &e->compare))
			return parse_right(p, e, LEVEL_COMPARE);
	}
	if (level == LEVEL_IS && !parser_next(p))
		goto fail;
	e->negated = parser_name(p, "not");
	if (e->negated && !parser_next(p))
		goto fail;
	return level == LEVEL_IS ? parse_is(p, e, last) : parse_like_level(p, e, last);
fail:
	expr_free(e);
	return NULL;
}

struct expr *
parser_level(struct parser *p, enum level above)
{
	enum level level, last = LEVEL_NONE;
	struct expr *e = NULL;

	if (++p->depth > DEPTH_MAX)
		expr_problem_set(p->problem, p->token.offset, "nested too deeply");
	else
		e = parser_primary(p);
	while (e != NULL) {
		if (!operator_level(p, &level) || (level > above && level == last)) {
			if (level != LEVEL_NONE)
				expr_problem_set(p->problem, p->token.offset,
				    "two such operators in a row need parentheses");
			expr_free(e);
			e = NULL;
		} else if (level <= above) {
			break;
		} else {
			e = parse_operator(p, e, level, &last);
		}
	}
	p->depth--;
	return e;
}

struct expr *
expr_parse(const char *text, size_t len, struct expr_problem *problem)
{
	struct parser p = { .lexer = { .text = text, .len = len }, .problem = problem };
	struct expr *e = NULL;

	if (parser_next(&p))
		e = parser_level(&p, LEVEL_NONE);
	if (e != NULL && p.token.kind != TOKEN_END) {
		parser_unexpected(&p, "expected an operator");
		expr_free(e);
		e = NULL;
	}
	buf_free(&p.token.text);
	return e;
}

void
expr_columns(const struct expr *e,
    void (*tell)(void *ctx, const char *name, bool is_old, size_t offset), void *ctx)
{
	if (e->op == EXPR_COLUMN)
		tell(ctx, e->text, e->is_old, e->offset);
	for (size_t i = 0; i < e->args; i++)
		expr_columns(e->arg[i], tell, ctx);
}
