/*
 * Makes one call of the C library fail, once; LD_PRELOAD of tests/faults.py.
 *
 *	FAULT=CALL:N[:short]	the Nth CALL fails; or, short, moves one byte at most
 *	FAULT_COUNT=FILE	so many calls were made of each: numbers of 64 bits, in the
 *				order of faults_names, in a file that must be there
 *
 * All calls count, those of the libraries, too.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);

enum call {
	MALLOC, READ, RECV, WRITE, SEND, PWRITE, FSYNC, OPEN, CONNECT, POLL, SOCKET, RENAME,
	FTRUNCATE, CLOSE, CALLS
};

static const char *const names[CALLS] = { "malloc", "read", "recv", "write", "send", "pwrite",
	"fsync", "open", "connect", "poll", "socket", "rename", "ftruncate", "close" };
static const int errors[CALLS] = { ENOMEM, EIO, ECONNRESET, EIO, EPIPE, ENOSPC, EIO, EMFILE,
	ECONNREFUSED, ENOMEM, EMFILE, EIO, EIO, EIO };

static uint64_t own[CALLS];
static uint64_t *count = own;
static uint64_t at;
static enum call which = CALLS;
static bool is_short;
static bool ready;

/* The function of that name behind this one, which is looked up once. */
#define REAL(type, name, ...)                                                                 \
	static type (*real)(__VA_ARGS__);                                                     \
	if (real == NULL)                                                                     \
	real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

static void
prepare(void)
{
	const char *fault, *file;
	size_t n;
	int fd;

	if (ready || environ == NULL)
		return;
	ready = true;
	file = getenv("FAULT_COUNT");
	fault = getenv("FAULT");
	if (file != NULL) {
		REAL(int, "open", const char *, int, ...);

		fd = real(file, O_RDWR);
		if (fd >= 0) {
			void *p = mmap(NULL, sizeof(own), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

			if (p != MAP_FAILED)
				count = p;
		}
	}
	if (fault == NULL)
		return;
	n = strcspn(fault, ":");
	for (int i = 0; i < CALLS; i++)
		if (strlen(names[i]) == n && strncmp(names[i], fault, n) == 0 && fault[n] == ':')
			which = (enum call)i;
	at = which != CALLS ? strtoull(fault + n + 1, NULL, 10) : 0;
	is_short = strstr(fault, ":short") != NULL;
}

/* Is it this one's turn? */
static bool
turn(enum call call)
{
	prepare();
	return __atomic_add_fetch(&count[call], 1, __ATOMIC_RELAXED) == at && call == which;
}

static bool
fails(enum call call)
{
	if (!turn(call) || is_short)
		return false;
	errno = errors[call];
	return true;
}

/* Of those that move bytes: how many then? */
static bool
fails_or(enum call call, size_t *n)
{
	if (!turn(call))
		return false;
	if (is_short) {
		*n = *n > 1 ? 1 : *n;
		return false;
	}
	errno = errors[call];
	return true;
}

void *
malloc(size_t n)
{
	return fails(MALLOC) ? NULL : __libc_malloc(n);
}

void *
calloc(size_t n, size_t size)
{
	return fails(MALLOC) ? NULL : __libc_calloc(n, size);
}

void *
realloc(void *p, size_t n)
{
	return fails(MALLOC) ? NULL : __libc_realloc(p, n);
}

ssize_t
read(int fd, void *p, size_t n)
{
	REAL(ssize_t, "read", int, void *, size_t);

	return fails_or(READ, &n) ? -1 : real(fd, p, n);
}

/* A connection of which the kernel says so is over, in both directions. */
static ssize_t
lost(int fd)
{
	int error = errno;

	shutdown(fd, SHUT_RDWR);
	errno = error;
	return -1;
}

ssize_t
recv(int fd, void *p, size_t n, int flags)
{
	REAL(ssize_t, "recv", int, void *, size_t, int);

	return fails_or(RECV, &n) ? lost(fd) : real(fd, p, n, flags);
}

ssize_t
write(int fd, const void *p, size_t n)
{
	REAL(ssize_t, "write", int, const void *, size_t);

	return fails_or(WRITE, &n) ? -1 : real(fd, p, n);
}

ssize_t
writev(int fd, const struct iovec *v, int n)
{
	REAL(ssize_t, "writev", int, const struct iovec *, int);

	return fails(WRITE) ? -1 : real(fd, v, n);
}

ssize_t
send(int fd, const void *p, size_t n, int flags)
{
	REAL(ssize_t, "send", int, const void *, size_t, int);

	return fails_or(SEND, &n) ? lost(fd) : real(fd, p, n, flags);
}

ssize_t
pread(int fd, void *p, size_t n, off_t offset)
{
	REAL(ssize_t, "pread", int, void *, size_t, off_t);

	return fails_or(READ, &n) ? -1 : real(fd, p, n, offset);
}

ssize_t
pwrite(int fd, const void *p, size_t n, off_t offset)
{
	REAL(ssize_t, "pwrite", int, const void *, size_t, off_t);

	return fails_or(PWRITE, &n) ? -1 : real(fd, p, n, offset);
}

int
fsync(int fd)
{
	REAL(int, "fsync", int);

	return fails(FSYNC) ? -1 : real(fd);
}

int
fdatasync(int fd)
{
	REAL(int, "fdatasync", int);

	return fails(FSYNC) ? -1 : real(fd);
}

int
open(const char *path, int flags, ...)
{
	REAL(int, "open", const char *, int, ...);
	mode_t mode = 0;
	va_list ap;

	va_start(ap, flags);
	if (flags & (O_CREAT | O_TMPFILE))
		mode = va_arg(ap, mode_t);
	va_end(ap);
	return fails(OPEN) ? -1 : real(path, flags, mode);
}

FILE *
fopen(const char *path, const char *mode)
{
	REAL(FILE *, "fopen", const char *, const char *);

	return fails(OPEN) ? NULL : real(path, mode);
}

int
mkostemp(char *path, int flags)
{
	REAL(int, "mkostemp", char *, int);

	return fails(OPEN) ? -1 : real(path, flags);
}

int
connect(int fd, const struct sockaddr *a, socklen_t n)
{
	REAL(int, "connect", int, const struct sockaddr *, socklen_t);

	return fails(CONNECT) ? -1 : real(fd, a, n);
}

int
poll(struct pollfd *p, nfds_t n, int ms)
{
	REAL(int, "poll", struct pollfd *, nfds_t, int);

	return fails(POLL) ? -1 : real(p, n, ms);
}

int
ppoll(struct pollfd *p, nfds_t n, const struct timespec *t, const sigset_t *s)
{
	REAL(int, "ppoll", struct pollfd *, nfds_t, const struct timespec *, const sigset_t *);

	return fails(POLL) ? -1 : real(p, n, t, s);
}

int
accept4(int fd, struct sockaddr *a, socklen_t *n, int flags)
{
	REAL(int, "accept4", int, struct sockaddr *, socklen_t *, int);

	return fails(SOCKET) ? -1 : real(fd, a, n, flags);
}

int
epoll_wait(int fd, struct epoll_event *e, int n, int ms)
{
	REAL(int, "epoll_wait", int, struct epoll_event *, int, int);

	return fails(POLL) ? -1 : real(fd, e, n, ms);
}

int
socket(int domain, int type, int protocol)
{
	REAL(int, "socket", int, int, int);

	return fails(SOCKET) ? -1 : real(domain, type, protocol);
}

int
rename(const char *from, const char *to)
{
	REAL(int, "rename", const char *, const char *);

	return fails(RENAME) ? -1 : real(from, to);
}

int
ftruncate(int fd, off_t length)
{
	REAL(int, "ftruncate", int, off_t);

	return fails(FTRUNCATE) ? -1 : real(fd, length);
}

/* As on Linux: it is closed, whatever it says. */
int
close(int fd)
{
	REAL(int, "close", int);
	int result = real(fd);

	return fails(CLOSE) ? -1 : result;
}
