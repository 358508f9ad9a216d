#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "spool.h"

/* A record is the length of a message, in four bytes, and the message. */
#define WINDOW ((size_t)256 * 1024)
#define CHUNK  ((size_t)256 * 1024)
#define SHARE  4 /* one transaction has a quarter of the memory */

static int
failed(const struct spools *ss, const char *what)
{
	int error = errno;

	log_error(what, kv_str("of", ss->of), kv_str("dir", ss->dir), kv_str("error", strerror(error)),
	    kv_str("remedy", "make room there, or name another folder by --spool-dir"));
	errno = error;
	return -1;
}

/* A file without a name. */
static int
make_file(const struct spools *ss)
{
	struct buf path = { 0 };
	int fd;

	buf_printf(&path, "%s/pgcdc-spool.XXXXXX", ss->dir);
	fd = mkostemp(buf_cstr(&path), O_CLOEXEC);
	if (fd < 0) {
		(void)failed(ss, "cannot make a file for the spool");
	} else if (unlink(path.data) != 0) {
		(void)failed(ss, "cannot remove the name of a file for the spool");
		close(fd);
		fd = -1;
	}
	buf_free(&path);
	return fd;
}

int
spools_init(struct spools *ss, const char *of, const char *dir, size_t limit)
{
	int fd;

	*ss = (struct spools) { .of = of, .dir = dir, .limit = limit, .own = limit / SHARE };
	fd = make_file(ss);
	return fd < 0 ? -1 : close(fd);
}

struct spool *
spools_find(const struct spools *ss, uint32_t xid)
{
	for (size_t i = 0; i < ss->count; i++)
		if (ss->list[i]->xid == xid)
			return ss->list[i];
	return NULL;
}

struct spool *
spools_open(struct spools *ss, uint32_t xid)
{
	struct spool *s = spools_find(ss, xid);

	if (s != NULL)
		return s;
	if (ss->count == ss->cap) {
		ss->cap = ss->cap ? ss->cap * 2 : 16;
		ss->list = xrealloc(ss->list, ss->cap * sizeof(*ss->list));
	}
	s = xcalloc(1, sizeof(*s));
	s->xid = xid;
	s->fd = -1;
	ss->list[ss->count++] = s;
	return s;
}

static int
write_at(const struct spools *ss, struct spool *s, const void *data, size_t n)
{
	const char *p = data;

	while (n > 0) {
		ssize_t w = pwrite(s->fd, p, n, (off_t)s->file_len);

		if (w < 0 && errno == EINTR)
			continue;
		if (w <= 0)
			return failed(ss, "cannot write to a file of the spool");
		s->file_len += (uint64_t)w;
		p += w;
		n -= (size_t)w;
	}
	return 0;
}

/* What is in memory goes to the file. */
static int
spill(struct spools *ss, struct spool *s)
{
	if (s->fd < 0 && (s->fd = make_file(ss)) < 0)
		return -1;
	if (write_at(ss, s, s->mem.data, s->mem.len) != 0)
		return -1;
	ss->memory -= s->mem.len;
	buf_free(&s->mem);
	return 0;
}

static int
spill_largest(struct spools *ss)
{
	struct spool *largest = ss->list[0];

	for (size_t i = 1; i < ss->count; i++)
		if (ss->list[i]->mem.len > largest->mem.len)
			largest = ss->list[i];
	return spill(ss, largest);
}

int
spool_add(struct spools *ss, struct spool *s, char letter, const char *body, size_t len)
{
	uint32_t n = (uint32_t)len + 1;
	size_t record = sizeof(n) + n, own = ss->own;

	if (s->doubtful)
		return 0;
	/* A large transaction needs no more than makes its writes large. */
	if (s->fd >= 0 && own > CHUNK)
		own = CHUNK;
	/* A row that is larger is not copied once more. */
	if (record > own) {
		if (spill(ss, s) != 0 || write_at(ss, s, &n, sizeof(n)) != 0 ||
		    write_at(ss, s, &letter, 1) != 0)
			return -1;
		return write_at(ss, s, body, len);
	}
	if (s->mem.len + record > own && spill(ss, s) != 0)
		return -1;
	while (ss->memory + record > ss->limit)
		if (spill_largest(ss) != 0)
			return -1;
	buf_reserve(&s->mem, record);
	buf_add(&s->mem, &n, sizeof(n));
	buf_addc(&s->mem, letter);
	buf_add(&s->mem, body, len);
	ss->memory += record;
	return 0;
}

static int
read_file(const struct spool *s, uint64_t at, void *out, size_t n)
{
	char *p = out;

	while (n > 0) {
		ssize_t r = pread(s->fd, p, n, (off_t)at);

		if (r < 0 && errno == EINTR)
			continue;
		if (r <= 0) {
			log_error("cannot read from a file of the spool",
			    kv_str("error", r < 0 ? strerror(errno) : "it is cut short"));
			return -1;
		}
		p += r;
		at += (uint64_t)r;
		n -= (size_t)r;
	}
	return 0;
}

/*
 * n bytes at pos, valid until the next call.  A record lies in the file or in memory, never
 * in both.  Of the file a window is kept.
 */
static const char *
bytes(struct spool *s, uint64_t pos, size_t n)
{
	uint64_t end = pos + (n > WINDOW ? n : WINDOW);

	if (pos >= s->file_len)
		return s->mem.data + (pos - s->file_len);
	if (pos >= s->window_at && pos + n <= s->window_at + s->window.len)
		return s->window.data + (pos - s->window_at);
	if (end > s->file_len)
		end = s->file_len;
	s->window.len = 0;
	if (n <= WINDOW)
		buf_trim(&s->window, WINDOW);
	(void)buf_reserve(&s->window, (size_t)(end - pos));
	if (read_file(s, pos, s->window.data, (size_t)(end - pos)) != 0)
		return NULL;
	s->window_at = pos;
	s->window.len = (size_t)(end - pos);
	return s->window.data;
}

/* Give back what it holds. */
static void
empty(struct spools *ss, struct spool *s)
{
	ss->memory -= s->mem.len;
	if (s->fd >= 0)
		(void)close(s->fd); /* nothing in it is needed */
	s->fd = -1;
	s->file_len = 0;
	buf_free(&s->mem);
	buf_free(&s->window);
}

void
spool_doubt(struct spools *ss, struct spool *s)
{
	empty(ss, s);
	s->doubtful = true;
}

int
spool_next(struct spool *s, const char **msg, size_t *len)
{
	const char *p;
	uint32_t n;

	if (s->pos == s->file_len + s->mem.len)
		return 0;
	p = bytes(s, s->pos, sizeof(n));
	if (p == NULL)
		return -1;
	memcpy(&n, p, sizeof(n));
	p = bytes(s, s->pos + sizeof(n), n);
	if (p == NULL)
		return -1;
	*msg = p;
	*len = n;
	s->pos += sizeof(n) + n;
	return 1;
}

void
spool_drop(struct spools *ss, struct spool *s)
{
	size_t i = 0;

	while (ss->list[i] != s)
		i++;
	ss->list[i] = ss->list[--ss->count];
	empty(ss, s);
	free(s);
}

void
spools_clear(struct spools *ss)
{
	while (ss->count > 0)
		spool_drop(ss, ss->list[ss->count - 1]);
	free(ss->list);
	ss->list = NULL;
	ss->cap = 0;
}
