#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "template.h"

static void
add_part(struct template *t, enum template_kind kind, const char *text, size_t len)
{
	t->part = xrealloc(t->part, (t->parts + 1) * sizeof(*t->part));
	t->part[t->parts++] =
	    (struct template_part) { .kind = kind, .text = xstrndup(text, len), .len = len };
}

static void
add_text(struct template *t, struct buf *text)
{
	if (text->len > 0)
		add_part(t, TEMPLATE_TEXT, text->data, text->len);
	text->len = 0;
}

/* {"name"}, where "" is a quote: p is behind the opening quote.  NULL when it never ends. */
static const char *
parse_quoted(struct template *t, const char *p, const char *end)
{
	struct buf name = { 0 };

	for (; p < end; p++) {
		if (*p != '"') {
			buf_addc(&name, *p);
		} else if (p + 1 < end && p[1] == '"') {
			buf_addc(&name, *p++);
		} else {
			p++;
			break;
		}
	}
	if (name.len == 0 || p >= end || *p != '}')
		p = NULL;
	else
		add_part(t, TEMPLATE_COLUMN, name.data, name.len);
	buf_free(&name);
	return p;
}

/* What stands between braces; p is behind the opening one.  Returns the closing one. */
static const char *
parse_braces(struct template *t, const char *p, const char *end, const char **why)
{
	const char *close;
	size_t n;

	if (p < end && *p == '"') {
		close = parse_quoted(t, p + 1, end);
		if (close == NULL)
			*why = "{\" without \"}";
		return close;
	}
	close = memchr(p, '}', (size_t)(end - p));
	if (close == NULL) {
		*why = "{ without } (a brace itself is written {{)";
		return NULL;
	}
	n = (size_t)(close - p);
	if (n == 0) {
		*why = "{} names no column";
		return NULL;
	}
	if (memchr(p, '{', n) != NULL) {
		*why = "{ inside { } (a column with a brace in its name is written {\"name\"})";
		return NULL;
	}
	if (n == 6 && memcmp(p, "schema", n) == 0)
		add_part(t, TEMPLATE_SCHEMA, p, n);
	else if (n == 5 && memcmp(p, "table", n) == 0)
		add_part(t, TEMPLATE_TABLE, p, n);
	else
		add_part(t, TEMPLATE_COLUMN, p, n);
	return close;
}

const char *
template_parse(struct template *t, const char *text, size_t len)
{
	const char *end = text + len;
	const char *why = NULL;
	struct buf literal = { 0 };

	for (const char *p = text; p < end && why == NULL; p++) {
		if ((*p == '{' || *p == '}') && p + 1 < end && p[1] == *p) {
			buf_addc(&literal, *p++);
		} else if (*p == '{') {
			add_text(t, &literal);
			p = parse_braces(t, p + 1, end, &why);
		} else if (*p == '}') {
			why = "} without { (a brace itself is written }})";
		} else {
			buf_addc(&literal, *p);
		}
	}
	add_text(t, &literal);
	buf_free(&literal);
	if (why != NULL)
		template_free(t);
	return why;
}

bool
template_has_column(const struct template *t)
{
	for (size_t i = 0; i < t->parts; i++)
		if (t->part[i].kind == TEMPLATE_COLUMN)
			return true;
	return false;
}

void
template_free(struct template *t)
{
	for (size_t i = 0; i < t->parts; i++)
		free(t->part[i].text);
	free(t->part);
	t->part = NULL;
	t->parts = 0;
}
