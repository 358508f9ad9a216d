#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "spool.h"

/*
 * A record is a head, the message, and its length again, so that it can be found from its
 * end, too.
 */
struct head {
	uint32_t len; /* of the message */
	uint32_t xid;
};

#define TAIL   sizeof(uint32_t)
#define WINDOW ((size_t)256 * 1024)

static int
failed(const struct spools *ss, const char *what)
{
	log_error(what, kv_str("dir", ss->dir), kv_str("error", strerror(errno)),
	    kv_str("remedy", "make room there, or name another folder by --spool-dir"));
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
		(void)failed(ss, "cannot make a file for transactions in progress");
	} else if (unlink(path.data) != 0) {
		(void)failed(ss, "cannot remove the name of a file for transactions in progress");
		close(fd);
		fd = -1;
	}
	buf_free(&path);
	return fd;
}

int
spools_init(struct spools *ss, const char *dir, size_t limit)
{
	int fd;

	*ss = (struct spools) { .dir = dir, .limit = limit };
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
			return failed(ss, "cannot write a transaction in progress to its file");
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
spool_add(struct spools *ss, struct spool *s, uint32_t subxid, char letter, const char *body,
    size_t len)
{
	struct head h = { .len = (uint32_t)len + 1, .xid = subxid };
	size_t record = sizeof(h) + h.len + TAIL;

	/* A row that is larger than all that memory may hold is not copied once more. */
	if (record > ss->limit) {
		if (spill(ss, s) != 0 || write_at(ss, s, &h, sizeof(h)) != 0 ||
		    write_at(ss, s, &letter, 1) != 0 || write_at(ss, s, body, len) != 0)
			return -1;
		return write_at(ss, s, &h.len, TAIL);
	}
	while (ss->memory + record > ss->limit)
		if (spill_largest(ss) != 0)
			return -1;
	buf_reserve(&s->mem, record);
	buf_add(&s->mem, &h, sizeof(h));
	buf_addc(&s->mem, letter);
	buf_add(&s->mem, body, len);
	buf_add(&s->mem, &h.len, TAIL);
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
			log_error("cannot read a transaction in progress from its file",
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
 * in both.  In the file a window is kept, which ends at the bytes asked for where the way
 * goes backward.
 */
static const char *
bytes(struct spool *s, uint64_t pos, size_t n, int backward)
{
	uint64_t from = pos, end;

	if (pos >= s->file_len)
		return s->mem.data + (pos - s->file_len);
	if (pos >= s->window_at && pos + n <= s->window_at + s->window.len)
		return s->window.data + (pos - s->window_at);
	if (backward)
		from = pos + n > WINDOW ? pos + n - WINDOW : 0;
	if (from > pos)
		from = pos;
	end = from + (n > WINDOW ? n : WINDOW);
	if (end < pos + n)
		end = pos + n;
	if (end > s->file_len)
		end = s->file_len;
	s->window.len = 0;
	if (n <= WINDOW)
		buf_trim(&s->window, WINDOW);
	(void)buf_reserve(&s->window, (size_t)(end - from));
	if (read_file(s, from, s->window.data, (size_t)(end - from)) != 0)
		return NULL;
	s->window_at = from;
	s->window.len = (size_t)(end - from);
	return s->window.data + (pos - from);
}

/* The record that ends at end: where it starts, its head and letter.  -1: cannot read. */
static int
record_before(struct spool *s, uint64_t end, uint64_t *start, struct head *h, char *letter)
{
	const char *p = bytes(s, end - TAIL, TAIL, 1);
	uint32_t len;

	if (p == NULL)
		return -1;
	memcpy(&len, p, sizeof(len));
	*start = end - TAIL - len - sizeof(*h);
	p = bytes(s, *start, sizeof(*h) + 1, 1);
	if (p == NULL)
		return -1;
	memcpy(h, p, sizeof(*h));
	*letter = p[sizeof(*h)];
	return 0;
}

/* What the server said about tables (Relation) and types (Type). */
static int
is_definition(char letter)
{
	return letter == 'R' || letter == 'Y';
}

/* The definitions from cut to end, as records. */
static int
save_definitions(struct spool *s, uint64_t cut, uint64_t end, struct buf *saved)
{
	struct head h;

	for (uint64_t pos = cut; pos < end; pos += sizeof(h) + h.len + TAIL) {
		const char *p = bytes(s, pos, sizeof(h) + 1, 0);

		if (p == NULL)
			return -1;
		memcpy(&h, p, sizeof(h));
		if (!is_definition(p[sizeof(h)]))
			continue;
		p = bytes(s, pos, sizeof(h) + h.len + TAIL, 0);
		if (p == NULL)
			return -1;
		buf_add(saved, p, sizeof(h) + h.len + TAIL);
	}
	return 0;
}

static int
cut_off(struct spools *ss, struct spool *s, uint64_t cut)
{
	if (cut >= s->file_len) {
		ss->memory -= s->mem.len - (size_t)(cut - s->file_len);
		s->mem.len = (size_t)(cut - s->file_len);
		return 0;
	}
	ss->memory -= s->mem.len;
	s->mem.len = 0;
	s->file_len = cut;
	s->window.len = 0;
	if (ftruncate(s->fd, (off_t)cut) != 0)
		return failed(ss, "cannot cut the file of a transaction in progress");
	return 0;
}

/*
 * A transaction works on one thing at a time, so from a subtransaction's begin to its end all
 * is its own or its subtransactions'.  These have higher xids than it has, and all that is
 * older has lower ones: what goes is the end of the spool, up to the last row of a lower xid.
 */
int
spool_rollback(struct spools *ss, struct spool *s, uint32_t subxid)
{
	uint64_t end = s->file_len + s->mem.len, pos = end, cut = end, start;
	struct buf saved = { 0 };
	struct head h;
	char letter;
	int r = -1;

	while (pos > 0) {
		if (record_before(s, pos, &start, &h, &letter) != 0)
			return -1;
		pos = start;
		if (is_definition(letter))
			continue;
		/* xids wrap around. */
		if ((int32_t)(h.xid - subxid) < 0)
			break;
		cut = start;
	}
	if (cut == end) {
		r = 0;
	} else if (save_definitions(s, cut, end, &saved) == 0 && cut_off(ss, s, cut) == 0) {
		buf_add(&s->mem, saved.data, saved.len);
		ss->memory += saved.len;
		r = 0;
	}
	/* There may be many such transactions at a time. */
	buf_free(&saved);
	buf_free(&s->window);
	return r;
}

int
spool_next(struct spool *s, const char **msg, size_t *len)
{
	struct head h;
	const char *p;

	if (s->pos == s->file_len + s->mem.len)
		return 0;
	p = bytes(s, s->pos, sizeof(h), 0);
	if (p == NULL)
		return -1;
	memcpy(&h, p, sizeof(h));
	p = bytes(s, s->pos + sizeof(h), h.len, 0);
	if (p == NULL)
		return -1;
	*msg = p;
	*len = h.len;
	s->pos += sizeof(h) + h.len + TAIL;
	return 1;
}

void
spool_drop(struct spools *ss, struct spool *s)
{
	size_t i = 0;

	while (ss->list[i] != s)
		i++;
	ss->list[i] = ss->list[--ss->count];
	ss->memory -= s->mem.len;
	if (s->fd >= 0)
		(void)close(s->fd); /* nothing in it is needed */
	buf_free(&s->mem);
	buf_free(&s->window);
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
