#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "buf.h"
#include "problem.h"

#define MAX_PROBLEMS 100

static void
add(struct problems *p, struct mark at, enum problem_level level, const char *fmt, va_list ap)
{
	size_t others = p->n - (p->errors < MAX_PROBLEMS ? p->errors : MAX_PROBLEMS);
	struct problem *new;
	char *what;

	if (level == PROBLEM_ERROR && p->errors++ >= MAX_PROBLEMS)
		return;
	if (level != PROBLEM_ERROR && others >= MAX_PROBLEMS) {
		p->dropped++;
		return;
	}
	if (vasprintf(&what, fmt, ap) < 0)
		oom();
	p->list = xrealloc(p->list, (p->n + 1) * sizeof(*p->list));
	new = &p->list[p->n++];
	*new = (struct problem) { .at = at, .level = level, .what = what };
}

void
problem_error(struct problems *p, struct mark at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(p, at, PROBLEM_ERROR, fmt, ap);
	va_end(ap);
}

void
problem_warning(struct problems *p, struct mark at, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(p, at, PROBLEM_WARNING, fmt, ap);
	va_end(ap);
}

void
problem_note(struct problems *p, struct mark at, const char *fmt, ...)
{
	va_list ap;

	if (!p->notes)
		return;
	va_start(ap, fmt);
	add(p, at, PROBLEM_NOTE, fmt, ap);
	va_end(ap);
}

static bool
before(struct mark a, struct mark b)
{
	return a.line < b.line || (a.line == b.line && a.column < b.column);
}

void
problems_sort(struct problems *p)
{
	/* By insertion: they are few, and those of one place keep their order. */
	for (size_t i = 1; i < p->n; i++) {
		struct problem one = p->list[i];
		size_t k = i;

		for (; k > 0 && before(one.at, p->list[k - 1].at); k--)
			p->list[k] = p->list[k - 1];
		p->list[k] = one;
	}
}

void
problem_put_char(struct buf *b, unsigned char c)
{
	if (c == '\n')
		buf_adds(b, "\\n");
	else if (c < 0x20 || c == 0x7f)
		buf_printf(b, "\\u%04x", c);
	else
		buf_addc(b, (char)c);
}

void
problems_free(struct problems *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->list[i].what);
	free(p->list);
	*p = (struct problems) { 0 };
}
