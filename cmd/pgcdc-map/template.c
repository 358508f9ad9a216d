#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "identifier.h"
#include "quote.h"
#include "template.h"

static struct template_part *
add_part(struct template *t, enum template_kind kind, const char *text, size_t len)
{
	t->part = xrealloc(t->part, (t->parts + 1) * sizeof(*t->part));
	t->part[t->parts] =
	    (struct template_part) { .kind = kind, .text = xstrndup(text, len), .len = len };
	return &t->part[t->parts++];
}

static void
add_text(struct template *t, struct buf *text)
{
	if (text->len > 0)
		add_part(t, TEMPLATE_TEXT, text->data, text->len);
	text->len = 0;
}

/* A part of what stands between braces that is no filter. */
static enum template_kind
kind_of(const char *name, size_t n)
{
	static const struct {
		const char *name;
		enum template_kind kind;
	} words[] = { { "schema", TEMPLATE_SCHEMA }, { "table", TEMPLATE_TABLE },
		{ "op", TEMPLATE_OP }, { "lsn", TEMPLATE_LSN },
		{ "seq", TEMPLATE_SEQ }, { "commit_time", TEMPLATE_TIME } };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strlen(words[i].name) == n && memcmp(words[i].name, name, n) == 0)
			return words[i].kind;
	return TEMPLATE_COLUMN;
}

/* {"name"…, where "" is a quote: p is behind the opening quote.  NULL when it never ends. */
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
	if (name.len == 0 || p >= end || p[-1] != '"')
		p = NULL;
	else
		add_part(t, TEMPLATE_COLUMN, name.data, name.len);
	buf_free(&name);
	return p;
}

/* :format and |filter|filter behind the name, up to the closing brace. */
static const char *
parse_filters(struct template_part *part, const char *p, const char *end)
{
	while (p < end) {
		bool is_format = *p == ':';
		const char *start = ++p, *why;

		while (p < end && *p != '|')
			p++;
		part->filter = xrealloc(part->filter, (part->filters + 1) * sizeof(*part->filter));
		part->filter[part->filters] = (struct filter) { 0 };
		why = (is_format ? filter_parse_format : filter_parse)(
		    &part->filter[part->filters++], start, (size_t)(p - start));
		if (why != NULL)
			return why;
	}
	return NULL;
}

/* What stands between braces; p is behind the opening one.  Returns the closing one. */
static const char *
parse_braces(struct template *t, const char *p, const char *end, const char **why)
{
	const char *name = p, *close;

	if (p < end && *p == '"') {
		p = parse_quoted(t, p + 1, end);
		if (p == NULL) {
			*why = "{\" without \" and }";
			return NULL;
		}
		if (*p != '}' && *p != ':' && *p != '|') {
			*why = "{\" without \"}";
			return NULL;
		}
	}
	close = memchr(p, '}', (size_t)(end - p));
	if (close == NULL) {
		*why = "{ without } (a brace itself is written {{)";
		return NULL;
	}
	if (memchr(p, '{', (size_t)(close - p)) != NULL) {
		*why = "{ inside { } (a column with a brace in its name is written {\"name\"})";
		return NULL;
	}
	if (p == name) {
		while (p < close && *p != ':' && *p != '|')
			p++;
		if (p == name) {
			*why = "{} names no column";
			return NULL;
		}
		add_part(t, kind_of(name, (size_t)(p - name)), name, (size_t)(p - name));
	}
	*why = parse_filters(&t->part[t->parts - 1], p, close);
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
			if (why != NULL)
				break;
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
template_has(const struct template *t, enum template_kind kind)
{
	for (size_t i = 0; i < t->parts; i++)
		if (t->part[i].kind == kind)
			return true;
	return false;
}

bool
template_of_change(const struct template *t)
{
	return template_has(t, TEMPLATE_OP) || template_has(t, TEMPLATE_LSN) || template_has(t, TEMPLATE_SEQ) ||
	    template_has(t, TEMPLATE_TIME);
}

/* A column's name, in quotes where it would be read as something else. */
static void
put_column(struct buf *b, const char *name)
{
	if (name[strcspn(name, "{}|:\" ")] == '\0' && kind_of(name, strlen(name)) == TEMPLATE_COLUMN) {
		buf_adds(b, name);
		return;
	}
	identifier_put(b, name);
}

static void
put_text(struct buf *b, const struct template_part *part)
{
	for (size_t i = 0; i < part->len; i++) {
		if (part->text[i] == '{' || part->text[i] == '}')
			buf_addc(b, part->text[i]);
		buf_addc(b, part->text[i]);
	}
}

void
template_put(struct buf *b, const struct template *t)
{
	for (size_t i = 0; i < t->parts; i++) {
		const struct template_part *part = &t->part[i];

		if (part->kind == TEMPLATE_TEXT) {
			put_text(b, part);
			continue;
		}
		buf_addc(b, '{');
		if (part->kind == TEMPLATE_COLUMN)
			put_column(b, part->text);
		else
			buf_adds(b, part->text);
		for (size_t k = 0; k < part->filters; k++)
			filter_put(b, &part->filter[k]);
		buf_addc(b, '}');
	}
}

void
template_free(struct template *t)
{
	for (size_t i = 0; i < t->parts; i++) {
		for (size_t k = 0; k < t->part[i].filters; k++)
			filter_free(&t->part[i].filter[k]);
		free(t->part[i].filter);
		free(t->part[i].text);
	}
	free(t->part);
	t->part = NULL;
	t->parts = 0;
}
