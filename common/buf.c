#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "buf.h"
#include "exitcode.h"
#include "log.h"

void
oom(void)
{
	log_error("out of memory");
	_exit(EXIT_TEMPORARY);
}

void *
xmalloc(size_t n)
{
	void *p = malloc(n ? n : 1);

	if (p == NULL)
		oom();
	return p;
}

void *
xcalloc(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size ? size : 1);

	if (p == NULL)
		oom();
	return p;
}

void *
xrealloc(void *old, size_t n)
{
	void *p = realloc(old, n ? n : 1);

	if (p == NULL)
		oom();
	return p;
}

char *
xstrndup(const char *s, size_t n)
{
	char *p = xmalloc(n + 1);

	memcpy(p, s, n);
	p[n] = '\0';
	return p;
}

char *
xstrdup(const char *s)
{
	return xstrndup(s, strlen(s));
}

void
buf_free(struct buf *b)
{
	free(b->data);
	*b = (struct buf) { 0 };
}

char *
buf_take(struct buf *b)
{
	char *data = b->len > 0 ? xrealloc(b->data, b->len) : NULL;

	if (data == NULL)
		free(b->data);
	*b = (struct buf) { 0 };
	return data;
}

void
buf_grow(struct buf *b, size_t more)
{
	size_t cap = b->cap ? b->cap : 256;

	if (more > SIZE_MAX / 4 || b->len > SIZE_MAX / 4)
		oom();
	while (cap - b->len < more)
		cap *= 2;
	/* Doubling a huge one would waste what doubling a small one saves. */
	if (cap > (size_t)64 << 20)
		cap = b->len + more + ((b->len + more) >> 3);
	b->data = xrealloc(b->data, cap);
	b->cap = cap;
}

void
buf_trim(struct buf *b, size_t keep)
{
	if (b->cap <= keep || b->len > keep)
		return;
	b->data = xrealloc(b->data, keep);
	b->cap = keep;
}

void
buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		oom();
	buf_reserve(b, (size_t)n + 1);
	va_start(ap, fmt);
	vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->len += (size_t)n;
}
