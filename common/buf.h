#ifndef BUF_H
#define BUF_H

#include <stddef.h>
#include <string.h>

/*
 * A growable run of bytes.  Zeroed memory is an empty one; buf_free makes it
 * so again.  The programs are crash-only: where memory runs out they say so and
 * exit 111 (see oom), so none of these can fail.
 */
struct buf {
	char *data;
	size_t len;
	size_t cap;
};

/* Say that memory ran out and exit 111. */
void oom(void) __attribute__((noreturn));

/* malloc, realloc and strndup that end the program instead of failing. */
void *xmalloc(size_t) __attribute__((malloc, warn_unused_result));
void *xcalloc(size_t, size_t) __attribute__((malloc, warn_unused_result));
void *xrealloc(void *, size_t) __attribute__((warn_unused_result));
char *xstrndup(const char *, size_t) __attribute__((malloc, warn_unused_result));
char *xstrdup(const char *) __attribute__((malloc, warn_unused_result));

void buf_free(struct buf *);

/* The content, in memory of just its size, to be freed; the buffer is empty then.  NULL
 * where there is none. */
char *buf_take(struct buf *) __attribute__((warn_unused_result));

/* Make room for more bytes behind len; slow path of buf_reserve. */
void buf_grow(struct buf *, size_t more);

/* Give memory back where more than keep is allocated; content must fit keep. */
void buf_trim(struct buf *, size_t keep);

/* Append printf-style text. */
void buf_printf(struct buf *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Make room for more bytes and return where they go. */
static inline char *
buf_reserve(struct buf *b, size_t more)
{
	/* Also for nothing: an empty one must point somewhere. */
	if (b->cap - b->len <= more)
		buf_grow(b, more);
	return b->data + b->len;
}

static inline void
buf_add(struct buf *b, const void *p, size_t n)
{
	if (n == 0)
		return;
	memcpy(buf_reserve(b, n), p, n);
	b->len += n;
}

static inline void
buf_addc(struct buf *b, char c)
{
	*buf_reserve(b, 1) = c;
	b->len++;
}

static inline void
buf_adds(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

/* Add a NUL that len does not count, so that data is a C string. */
static inline char *
buf_cstr(struct buf *b)
{
	*buf_reserve(b, 1) = '\0';
	return b->data;
}

#endif
