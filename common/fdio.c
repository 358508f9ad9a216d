#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "fdio.h"

#define READ_SIZE ((size_t)128 * 1024)
#define KEEP_SIZE ((size_t)512 * 1024)
#define PIPE_SIZE (1 << 20)

/* The standard descriptors that fd_prepare changed: others are nobody else's. */
static bool changed[3];

static void
restore(void)
{
	for (int fd = 0; fd < 3; fd++) {
		int flags;

		if (changed[fd] && (flags = fcntl(fd, F_GETFL)) >= 0)
			(void)fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
	}
}

static void
remember(int fd)
{
	static bool registered;

	if (fd < 0 || fd > 2)
		return;
	if (!registered && atexit(restore) != 0)
		return;
	registered = true;
	changed[fd] = true;
}

int
fd_open_standard(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 &&
		    open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
			return -1;
	return 0;
}

bool
fd_prepare(int fd)
{
	struct stat st;
	int flags;

	if (fstat(fd, &st) != 0 || (!S_ISFIFO(st.st_mode) && !S_ISSOCK(st.st_mode)))
		return false;
#ifdef F_SETPIPE_SZ
	if (S_ISFIFO(st.st_mode) && fcntl(fd, F_GETPIPE_SZ) < PIPE_SIZE)
		(void)fcntl(fd, F_SETPIPE_SZ, PIPE_SIZE);
#endif
	flags = fcntl(fd, F_GETFL);
	if (flags < 0)
		return false;
	if ((flags & O_NONBLOCK) != 0)
		return true;
	if (fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0)
		return false;
	remember(fd);
	return true;
}

ssize_t
fdin_fill(struct fdin *in, size_t want)
{
	struct buf *b = &in->buf;
	ssize_t n;

	if (in->off == b->len) {
		in->off = b->len = 0;
		if (b->cap > KEEP_SIZE)
			buf_trim(b, READ_SIZE);
	}
	/* Memory follows what arrived, not what a damaged length claims is to come. */
	if (want > b->len - in->off)
		want = b->len - in->off;
	if (want < READ_SIZE)
		want = READ_SIZE;
	if (in->off > 0 && b->cap - b->len < want) {
		memmove(b->data, b->data + in->off, b->len - in->off);
		b->len -= in->off;
		in->off = 0;
	}
	if (b->cap - b->len < READ_SIZE / 2 || want > READ_SIZE)
		buf_reserve(b, want);
	n = read(in->fd, b->data + b->len, b->cap - b->len);
	if (n > 0)
		b->len += (size_t)n;
	else if (n == 0)
		in->eof = true;
	return n;
}

int
fdout_flush(struct fdout *o)
{
	while (o->off < o->buf.len) {
		ssize_t n = write(o->fd, o->buf.data + o->off, o->buf.len - o->off);

		if (n < 0) {
			if (errno == EINTR)
				continue;
			if (errno == EAGAIN || errno == EWOULDBLOCK)
				break;
			return -1;
		}
		o->off += (size_t)n;
	}
	if (o->off == o->buf.len) {
		o->off = o->buf.len = 0;
		buf_trim(&o->buf, KEEP_SIZE);
	} else if (o->off > o->buf.cap / 2) {
		memmove(o->buf.data, o->buf.data + o->off, o->buf.len - o->off);
		o->buf.len -= o->off;
		o->off = 0;
	}
	return 0;
}

static int64_t
clock_us(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t
now_us(void)
{
	return clock_us(CLOCK_MONOTONIC);
}

int64_t
wall_us(void)
{
	return clock_us(CLOCK_REALTIME);
}
