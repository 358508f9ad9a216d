#ifndef FDIO_H
#define FDIO_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"

/*
 * Buffered input and output on descriptors that must not block the program.
 */

/* Input: bytes [off, buf.len) of buf are read and not yet consumed. */
struct fdin {
	int fd;
	struct buf buf;
	size_t off;
	bool eof;
};

/* Output: bytes [off, buf.len) of buf are not yet written. */
struct fdout {
	int fd;
	struct buf buf;
	size_t off;
	bool nonblocking; /* fd_prepare made it so */
};

/*
 * A standard descriptor that is closed would be given to the next file that is opened: put
 * one in its place with which reading or writing fails (EBADF).  To be called first of all.
 * -1: not even that could be done.
 */
int fd_open_standard(void) __attribute__((warn_unused_result));

/*
 * Make a pipe or socket non-blocking and, best effort, a pipe roomy (1 MiB: fewer
 * context switches).  Other kinds are left alone: a terminal's flags are shared with
 * the shell, a file never blocks for long.  Returns whether fd is non-blocking.
 * exit(3) makes it blocking again where fd_prepare did it: programs that come after on the
 * same pipe, as in { pgcdc-cat f; cat g; } | ..., don't expect EAGAIN.
 */
bool fd_prepare(int fd);

/*
 * Read once.  want says how many bytes the caller knows to be missing (0: no idea).
 * Returns the bytes read, 0 at end of file (eof is set), -1 with errno; EAGAIN and
 * EINTR mean nothing was there.
 */
ssize_t fdin_fill(struct fdin *, size_t want) __attribute__((warn_unused_result));

/*
 * Write what is buffered, as far as it goes without blocking.  Returns 0 (ask
 * fdout_pending whether all went), or -1 with errno.  A buffer that a large frame
 * made large is given back once empty.
 */
int fdout_flush(struct fdout *) __attribute__((warn_unused_result));

static inline size_t
fdout_pending(const struct fdout *o)
{
	return o->buf.len - o->off;
}

/* Monotonic time in microseconds. */
int64_t now_us(void);

/* Wall clock in microseconds since 1970 UTC. */
int64_t wall_us(void);

#endif
