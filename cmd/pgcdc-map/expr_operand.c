#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "expr_parser.h"

/*
 * Values
 */

/* Where a type's name goes on: the words behind its first. */
static const struct {
	const char *first, *rest;
} type_words[] = { { "double", "precision" }, { "character", "varying" },
	{ "timestamp", "with time zone" }, { "timestamp", "without time zone" } };

/* The words of rest, as far as they are there: all, none, or a syntax error (-1). */
static int
take_words(struct parser *p, const char *rest, struct buf *name)
{
	char what[32], *word = what + strlen("expected ");
	int taken = 0;

	while (*rest != '\0') {
		size_t n = strcspn(rest, " ");

		snprintf(what, sizeof(what), "expected %.*s", (int)n, rest);
		if (!parser_name(p, word)) {
			if (taken > 0)
				parser_unexpected(p, what);
			return -taken;
		}
		buf_printf(name, " %s", word);
		if (!parser_next(p))
			return -1;
		taken = 1;
		rest += n + (rest[n] == ' ');
	}
	return taken;
}

/* What is behind the first word of a type's name. */
static bool
type_rest(struct parser *p, struct buf *name, size_t offset, enum expr_kind *kind)
{
	int taken = 0;

	for (size_t i = 0; i < sizeof(type_words) / sizeof(type_words[0]) && taken == 0; i++) {
		/* "with" and "without" are told apart by the first word. */
		if (strcmp(name->data, type_words[i].first) == 0)
			taken = take_words(p, type_words[i].rest, name);
	}
	if (taken < 0)
		return false;
	if (!expr_kind_named(buf_cstr(name), kind)) {
		expr_problem_set(p->problem, offset,
		    "unknown type \"%.60s\"; there are text, int2, int4, int8, numeric, float8, "
		    "bool, date, timestamp and timestamptz",
		    name->data);
		return false;
	}
	if (parser_mark(p, "(")) {
		parser_unexpected(p, "types have no length or precision here: expected an operator");
		return false;
	}
	return true;
}

static bool
parse_type(struct parser *p, enum expr_kind *kind)
{
	struct buf name = { 0 };
	size_t offset = p->token.offset;
	bool good = p->token.kind == TOKEN_NAME;

	if (!good)
		parser_unexpected(p, "expected a type");
	else
		buf_add(&name, p->token.text.data, p->token.text.len);
	buf_cstr(&name);
	good = good && parser_next(p) && type_rest(p, &name, offset, kind);
	buf_free(&name);
	return good;
}

/* cast(x as type): p is behind the parenthesis. */
static struct expr *
parse_cast(struct parser *p, size_t offset)
{
	struct expr *e = parser_add(p, parser_node(EXPR_CAST, offset), parser_level(p, LEVEL_NONE));

	if (e == NULL)
		return NULL;
	if (parser_expect(p, TOKEN_NAME, "as", "expected AS and a type") && parse_type(p, &e->type) &&
	    parser_expect(p, TOKEN_MARK, ")", "expected )"))
		return e;
	expr_free(e);
	return NULL;
}

/* One expression or more, and a closing parenthesis, into e. */
struct expr *
parser_list(struct parser *p, struct expr *e)
{
	while (e != NULL) {
		e = parser_add(p, e, parser_level(p, LEVEL_NONE));
		if (e == NULL || !parser_mark(p, ","))
			break;
		if (!parser_next(p)) {
			expr_free(e);
			return NULL;
		}
	}
	if (e == NULL || parser_expect(p, TOKEN_MARK, ")", "expected , or )"))
		return e;
	expr_free(e);
	return NULL;
}

static struct expr *
parse_call(struct parser *p, const char *name, size_t offset)
{
	static const struct {
		const char *name;
		enum expr_op op;
	} functions[] = { { "lower", EXPR_LOWER }, { "upper", EXPR_UPPER },
		{ "length", EXPR_LENGTH }, { "coalesce", EXPR_COALESCE } };
	struct expr *e;

	if (!parser_next(p))
		return NULL;
	if (strcmp(name, "cast") == 0)
		return parse_cast(p, offset);
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
		if (strcmp(name, functions[i].name) != 0)
			continue;
		e = parser_list(p, parser_node(functions[i].op, offset));
		if (e == NULL || e->args == 1 || e->op == EXPR_COALESCE)
			return e;
		expr_problem_set(p->problem, offset, "%s takes one argument", name);
		expr_free(e);
		return NULL;
	}
	expr_problem_set(p->problem, offset,
	    "unknown function \"%.60s\"; there are lower, upper, length, coalesce and cast", name);
	return NULL;
}

/* type 'literal': p is behind the first word of the type. */
static struct expr *
parse_typed(struct parser *p, struct buf *name, size_t offset)
{
	enum expr_kind kind;
	struct expr *e;

	if (strcmp(name->data, "e") == 0 || strcmp(name->data, "b") == 0 ||
	    strcmp(name->data, "x") == 0 || strcmp(name->data, "n") == 0) {
		expr_problem_set(p->problem, offset, "there are no strings with %s before them",
		    name->data);
		return NULL;
	}
	if (!type_rest(p, name, offset, &kind))
		return NULL;
	if (p->token.kind != TOKEN_STRING)
		return parser_unexpected(p, "expected a string behind the type");
	e = parser_node(EXPR_CAST, offset);
	e->type = kind;
	e = parser_add(p, e, parser_leaf(EXPR_STRING, p->token.offset, &p->token.text));
	if (parser_next(p))
		return e;
	expr_free(e);
	return NULL;
}

/* old.column: p is at the point. */
static struct expr *
parse_old(struct parser *p, const struct buf *name, bool quoted, size_t offset)
{
	struct expr *e;

	if (quoted || strcmp(name->data, "old") != 0) {
		expr_problem_set(p->problem, offset,
		    "\"%.60s.\": only old. can stand before a column", name->data);
		return NULL;
	}
	if (!parser_next(p))
		return NULL;
	if (p->token.kind != TOKEN_NAME && p->token.kind != TOKEN_QUOTED)
		return parser_unexpected(p, "expected a column behind old.");
	e = parser_leaf(EXPR_COLUMN, offset, &p->token.text);
	e->is_old = true;
	if (parser_next(p))
		return e;
	expr_free(e);
	return NULL;
}

static struct expr *
behind_name(struct parser *p, struct buf *name, bool quoted, size_t offset)
{
	if (parser_mark(p, "."))
		return parse_old(p, name, quoted, offset);
	if (!quoted && parser_mark(p, "("))
		return parse_call(p, name->data, offset);
	if (!quoted &&
	    (p->token.kind == TOKEN_STRING || parser_name(p, "with") || parser_name(p, "without") ||
	        parser_name(p, "precision") || parser_name(p, "varying")))
		return parse_typed(p, name, offset);
	return parser_leaf(EXPR_COLUMN, offset, name);
}

static struct expr *
parse_name(struct parser *p)
{
	static const char *const reserved[] = { "or", "and", "in", "between", "like", "ilike", "is",
		"distinct", "from", "as", "case", "select", "exists", "array", "any", "all" };
	bool quoted = p->token.kind == TOKEN_QUOTED;
	size_t offset = p->token.offset;
	struct expr *e = NULL;
	struct buf name = { 0 };

	for (size_t i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
		if (parser_name(p, reserved[i]))
			return parser_unexpected(p, "expected a value");
	if (parser_name(p, "null")) {
		e = parser_node(EXPR_NOTHING, offset);
	} else if (parser_name(p, "true") || parser_name(p, "false")) {
		e = parser_node(EXPR_BOOLEAN, offset);
		e->truth = parser_name(p, "true") ? EXPR_TRUE : EXPR_FALSE;
	}
	if (e != NULL) {
		if (parser_next(p))
			return e;
		expr_free(e);
		return NULL;
	}
	buf_add(&name, p->token.text.data, p->token.text.len);
	buf_cstr(&name);
	if (parser_next(p))
		e = behind_name(p, &name, quoted, offset);
	buf_free(&name);
	return e;
}

/* A number, perhaps with a sign. */
static struct expr *
parse_number(struct parser *p)
{
	size_t offset = p->token.offset;
	struct expr *e = NULL;
	struct buf text = { 0 };

	if (p->token.kind == TOKEN_OPERATOR) {
		buf_add(&text, p->token.start, 1);
		if (!parser_next(p))
			goto out;
		if (p->token.kind != TOKEN_NUMBER) {
			expr_problem_set(p->problem, offset,
			    "there is no arithmetic: expected a number behind %c", text.data[0]);
			goto out;
		}
	}
	buf_add(&text, p->token.text.data, p->token.text.len);
	if (parser_next(p))
		e = parser_leaf(EXPR_NUMBER, offset, &text);
out:
	buf_free(&text);
	return e;
}

static struct expr *
parse_operand(struct parser *p)
{
	const struct token *t = &p->token;
	struct expr *e = NULL;

	if (parser_name(p, "not")) {
		e = parser_node(EXPR_NOT, t->offset);
		if (parser_next(p))
			return parser_add(p, e, parser_level(p, LEVEL_NOT));
		expr_free(e);
		return NULL;
	}
	if (parser_mark(p, "(")) {
		if (!parser_next(p) || (e = parser_level(p, LEVEL_NONE)) == NULL)
			return NULL;
		if (parser_expect(p, TOKEN_MARK, ")", "expected )"))
			return e;
	} else if (t->kind == TOKEN_NAME || t->kind == TOKEN_QUOTED) {
		return parse_name(p);
	} else if (t->kind == TOKEN_NUMBER || token_is(t, TOKEN_OPERATOR, "-") ||
	    token_is(t, TOKEN_OPERATOR, "+")) {
		return parse_number(p);
	} else if (t->kind == TOKEN_STRING) {
		e = parser_leaf(EXPR_STRING, t->offset, &t->text);
		if (parser_next(p))
			return e;
	} else {
		return parser_unexpected(p, "expected a value");
	}
	expr_free(e);
	return NULL;
}

/* An operand and the casts behind it. */
struct expr *
parser_primary(struct parser *p)
{
	struct expr *e = parse_operand(p);

	while (e != NULL && parser_mark(p, "::")) {
		e = parser_add(p, parser_node(EXPR_CAST, p->token.offset), e);
		if (e == NULL)
			return NULL;
		if (!parser_next(p) || !parse_type(p, &e->type)) {
			expr_free(e);
			return NULL;
		}
	}
	return e;
}
