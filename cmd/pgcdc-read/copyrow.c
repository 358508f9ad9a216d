#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "copyrow.h"

/* What a backslash and this make ("COPY" in PostgreSQL's manual); COPY TO writes no others. */
static char
unescaped(char c)
{
	switch (c) {
	case 'b': return '\b';
	case 'f': return '\f';
	case 'n': return '\n';
	case 'r': return '\r';
	case 't': return '\t';
	case 'v': return '\v';
	default: return c;
	}
}

/* Unescape a value that has a backslash at escape; returns its length. */
static size_t
unescape(char *text, char *escape, char *end)
{
	char *to = escape, *from = escape;

	while (from < end) {
		char *next;

		if (*from == '\\' && end - from > 1) {
			*to++ = unescaped(from[1]);
			from += 2;
		}
		next = memchr(from, '\\', (size_t)(end - from));
		if (next == NULL || next == end - 1)
			next = end;
		memmove(to, from, (size_t)(next - from));
		to += next - from;
		from = next;
	}
	return (size_t)(to - text);
}

bool
copyrow_read(struct tuple *t, size_t columns, char *line, size_t len)
{
	char *p = line, *end = line + len;
	/* Most rows have none: then a value needs no look of its own. */
	char *escape = memchr(line, '\\', len);

	if (columns > t->cap) {
		t->column = xrealloc(t->column, columns * sizeof(*t->column));
		t->cap = columns;
	}
	t->columns = columns;
	for (size_t i = 0; i < columns; i++) {
		struct tuple_column *c = &t->column[i];
		char *tab = i + 1 < columns ? memchr(p, '\t', (size_t)(end - p)) : end;

		if (tab == NULL)
			return false;
		c->kind = 't';
		c->text = p;
		c->len = (uint32_t)(tab - p);
		if (escape != NULL && escape < tab) {
			if (tab - p == 2 && p[0] == '\\' && p[1] == 'N')
				c->kind = 'n';
			else
				c->len = (uint32_t)unescape(p, escape, tab);
			escape = memchr(tab, '\\', (size_t)(end - tab));
		}
		p = tab + 1;
	}
	return columns > 0 || len == 0;
}
