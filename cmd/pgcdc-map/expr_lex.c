#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "expr_lex.h"
#include "expr_node.h"
#include "utf8.h"

#define OPERATORS "+-*/<>=~!@#%^&|`?"

void
expr_problem_set(struct expr_problem *problem, size_t offset, const char *fmt, ...)
{
	va_list ap;

	problem->offset = offset;
	va_start(ap, fmt);
	vsnprintf(problem->message, sizeof(problem->message), fmt, ap);
	va_end(ap);
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* As in PostgreSQL's scan.l: bytes past ASCII are letters. */
static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c & 0x80) != 0;
}

static bool
is_name(char c)
{
	return is_letter(c) || is_digit(c) || c == '$';
}

static bool
fail(struct expr_problem *problem, size_t offset, const char *why)
{
	expr_problem_set(problem, offset, "%s", why);
	return false;
}

/* 'text' or "name", doubled where it is meant. */
static bool
lex_quoted(struct lexer *l, struct token *t, struct expr_problem *problem)
{
	char quote = l->text[l->at++];
	bool closed = false;

	t->kind = quote == '"' ? TOKEN_QUOTED : TOKEN_STRING;
	for (; l->at < l->len; l->at++) {
		char c = l->text[l->at];

		if (c == '\0')
			return fail(problem, l->at, "a NUL, which PostgreSQL has nowhere");
		if (c == quote) {
			l->at++;
			closed = l->at == l->len || l->text[l->at] != quote;
			if (closed)
				break;
		}
		buf_addc(&t->text, c);
	}
	if (!closed)
		return fail(problem, t->offset,
		    quote == '"' ? "a \" without its end" : "a ' without its end");
	if (quote == '"' && t->text.len == 0)
		return fail(problem, t->offset, "\"\" is no name");
	return true;
}

static void
skip_digits(struct lexer *l)
{
	while (l->at < l->len && is_digit(l->text[l->at]))
		l->at++;
}

static bool
lex_number(struct lexer *l, struct token *t, struct expr_problem *problem)
{
	t->kind = TOKEN_NUMBER;
	skip_digits(l);
	if (l->at < l->len && l->text[l->at] == '.') {
		l->at++;
		skip_digits(l);
	}
	if (l->at < l->len && (l->text[l->at] == 'e' || l->text[l->at] == 'E')) {
		size_t at = l->at + 1;

		if (at < l->len && (l->text[at] == '+' || l->text[at] == '-'))
			at++;
		if (at < l->len && is_digit(l->text[at])) {
			l->at = at;
			skip_digits(l);
		}
	}
	if (l->at < l->len && (is_name(l->text[l->at]) || l->text[l->at] == '.'))
		return fail(problem, t->offset, "a number that goes on as no number does");
	buf_add(&t->text, l->text + t->offset, l->at - t->offset);
	return true;
}

/*
 * The longest run of such characters; but + and - end no operator of SQL's own, so that
 * a=-1 is what it looks like.
 */
static bool
lex_operator(struct lexer *l, struct token *t)
{
	bool special = false;

	t->kind = TOKEN_OPERATOR;
	for (; l->at < l->len && l->text[l->at] != '\0'; l->at++) {
		if (strchr(OPERATORS, l->text[l->at]) == NULL)
			break;
		special |= strchr("~!@#%^&|`?", l->text[l->at]) != NULL;
	}
	while (!special && l->at - t->offset > 1 &&
	    (l->text[l->at - 1] == '-' || l->text[l->at - 1] == '+'))
		l->at--;
	buf_add(&t->text, l->text + t->offset, l->at - t->offset);
	return true;
}

static bool
lex_name(struct lexer *l, struct token *t)
{
	t->kind = TOKEN_NAME;
	for (; l->at < l->len && is_name(l->text[l->at]); l->at++) {
		char c = l->text[l->at];

		buf_addc(&t->text, c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c);
	}
	return true;
}

static bool
lex(struct lexer *l, struct token *t, struct expr_problem *problem)
{
	char c = l->text[l->at], next = l->at + 1 < l->len ? l->text[l->at + 1] : '\0';

	if (c == '\'' || c == '"')
		return lex_quoted(l, t, problem);
	if (is_digit(c) || (c == '.' && is_digit(next)))
		return lex_number(l, t, problem);
	if (is_letter(c))
		return lex_name(l, t);
	if (c != '\0' && strchr("(),.", c) != NULL) {
		t->kind = TOKEN_MARK;
		l->at++;
		return true;
	}
	if (c == ':' && next == ':') {
		t->kind = TOKEN_MARK;
		l->at += 2;
		return true;
	}
	if ((c == '-' && next == '-') || (c == '/' && next == '*'))
		return fail(problem, l->at, "there are no comments in expressions");
	if (c != '\0' && strchr(OPERATORS, c) != NULL)
		return lex_operator(l, t);
	if (c < ' ' || c == 0x7f)
		expr_problem_set(problem, l->at, "unexpected byte 0x%02x", (unsigned char)c);
	else
		expr_problem_set(problem, l->at, "unexpected \"%c\"", c);
	return false;
}

bool
lexer_next(struct lexer *l, struct token *t, struct expr_problem *problem)
{
	bool good = true;

	while (l->at < l->len && l->text[l->at] != '\0' &&
	    strchr(" \t\r\n\f\v", l->text[l->at]) != NULL)
		l->at++;
	t->text.len = 0;
	t->kind = TOKEN_END;
	t->offset = l->at;
	if (l->at < l->len)
		good = lex(l, t, problem);
	t->start = l->text + t->offset;
	t->len = l->at - t->offset;
	buf_cstr(&t->text);
	return good;
}

bool
token_is(const struct token *t, enum token_kind kind, const char *text)
{
	if (t->kind != kind)
		return false;
	if (kind == TOKEN_NAME)
		return strcmp(t->text.data, text) == 0;
	return t->len == strlen(text) && memcmp(t->start, text, t->len) == 0;
}
