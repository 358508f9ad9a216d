#include <sys/file.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dead.h"
#include "exitcode.h"
#include "frame.h"
#include "letter.h"
#include "log.h"

#define KEPT ((size_t)64 * 1024)

static volatile sig_atomic_t hups;

static void
on_hup(int signo)
{
	(void)signo;
	hups = 1;
}

static int
failed(const struct dead *d, const char *what)
{
	log_error(what, kv_str("file", d->path), kv_str("error", strerror(errno)));
	return EXIT_TEMPORARY;
}

/* A file that was made is there after a crash only when its directory is on the disk, too. */
static int
sync_directory(const struct dead *d)
{
	char *copy = xstrdup(d->path);
	int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = fd < 0 ? -1 : fsync(fd);

	if (fd >= 0)
		close(fd);
	free(copy);
	return rc;
}

static bool
is_letter(struct frame_in *in, struct frame *f)
{
	struct frame_hello h;

	return frame_decode(in, f) == 0 && frame_get_hello(f, &h) == NULL &&
	    h.run.len == strlen(LETTER_RUN) && memcmp(h.run.ptr, LETTER_RUN, h.run.len) == 0;
}

/*
 * How far the file holds whole records; -1: it cannot be read; -2: it is something else.
 * What is behind the last record may be a part of one, or the zeros that a file system
 * leaves where it had not written yet.
 */
static int64_t
whole_records(int fd)
{
	struct frame_in in = { .in.fd = fd };
	enum frame_result r;
	struct frame f;
	int64_t whole = 0;
	bool zeros;
	off_t at;

	for (;;) {
		while ((r = frame_next(&in, &f)) == FRAME_OK) {
			uint64_t end = f.offset + f.len;
			bool last = f.letter == FRAME_END;

			/* Somebody's captured frames must not be taken for letters, and cut. */
			if (f.letter == FRAME_HELLO ? !is_letter(&in, &f) : f.offset == 0) {
				frame_in_free(&in);
				return -2;
			}
			if (last)
				whole = (int64_t)end;
		}
		if (r != FRAME_MORE)
			break;
		if (fdin_fill(&in.in, frame_missing(&in)) < 0 && errno != EINTR) {
			frame_in_free(&in);
			return -1;
		}
	}
	zeros = r == FRAME_BAD;
	at = (off_t)in.offset;
	frame_in_free(&in);
	while (zeros) {
		char block[4096];
		ssize_t n = pread(fd, block, sizeof(block), at);

		if (n < 0)
			return -1;
		for (ssize_t i = 0; i < n; i++)
			if (block[i] != '\0')
				return -2;
		if (n == 0)
			break;
		at += n;
	}
	return whole;
}

static int
mend(const struct dead *d, off_t size)
{
	int64_t whole = whole_records(d->fd);

	if (whole == -1)
		return failed(d, "cannot read the dead letters");
	if (whole == -2) {
		log_error("the file for dead letters holds something else, or is damaged",
		    kv_str("file", d->path), kv_str("remedy", "move it away"));
		return EXIT_PERMANENT;
	}
	if (whole == size)
		return -1;
	log_warn("the dead letters end inside a record, which is cut off: it comes again",
	    kv_str("file", d->path), kv_int("bytes", size - whole));
	if (ftruncate(d->fd, (off_t)whole) != 0 || fsync(d->fd) != 0)
		return failed(d, "cannot cut the dead letters");
	return -1;
}

static int
open_file(struct dead *d)
{
	struct stat st;

	d->fd = open(d->path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0600);
	if (d->fd < 0) {
		int why = errno;

		(void)failed(d, "cannot open the file for dead letters");
		return why == EACCES || why == EISDIR || why == ENOENT ||
		        why == ENOTDIR || why == EROFS || why == EPERM || why == ENXIO
		    ? EXIT_PERMANENT
		    : EXIT_TEMPORARY;
	}
	if (fstat(d->fd, &st) != 0)
		return failed(d, "cannot look at the dead letters");
	if (!S_ISREG(st.st_mode)) {
		log_error("dead letters need a regular file", kv_str("file", d->path));
		return EXIT_PERMANENT;
	}
	/* Cutting would harm what another is about to write. */
	if (flock(d->fd, LOCK_EX | LOCK_NB) != 0)
		return failed(d, "another program holds the dead letters");
	if (sync_directory(d) != 0)
		return failed(d, "cannot sync the dead letters' directory");
	return mend(d, st.st_size);
}

int
dead_open(struct dead *d, const char *path)
{
	struct sigaction sa = { .sa_handler = on_hup, .sa_flags = SA_RESTART };

	d->path = path;
	d->fd = -1;
	if (path == NULL)
		return -1;
	sigemptyset(&sa.sa_mask);
	sigaction(SIGHUP, &sa, NULL);
	/* A file that may not grow further is an error of the write, as a full disk is. */
	sa.sa_handler = SIG_IGN;
	sigaction(SIGXFSZ, &sa, NULL);
	return open_file(d);
}

static int
write_out(struct dead *d)
{
	off_t before = lseek(d->fd, 0, SEEK_END);
	size_t done = 0;

	/* One write, as a rule; what a full disk left of it is cut off. */
	while (done < d->out.len) {
		ssize_t n = write(d->fd, d->out.data + done, d->out.len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			int saved = errno;

			if (before >= 0 && ftruncate(d->fd, before) != 0)
				log_warn("a part of a dead letter stays in the file",
				    kv_str("file", d->path));
			errno = saved;
			return failed(d, "cannot write dead letters");
		}
		done += (size_t)n;
	}
	if (fsync(d->fd) != 0)
		return failed(d, "cannot sync the dead letters");
	d->out.len = 0;
	if (d->out.cap > KEPT)
		buf_free(&d->out);
	return -1;
}

int
dead_flush(struct dead *d)
{
	if (d->path == NULL)
		return -1;
	if (hups != 0) {
		hups = 0;
		close(d->fd);
		/* Where the first was, and may be again. */
		if (open_file(d) >= 0)
			return EXIT_TEMPORARY;
		log_info("the file for dead letters was opened anew", kv_str("file", d->path));
	}
	return d->out.len > 0 ? write_out(d) : -1;
}
