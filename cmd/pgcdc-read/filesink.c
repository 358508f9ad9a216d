#include <sys/file.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "exitcode.h"
#include "filesink.h"
#include "frame.h"
#include "log.h"

static int
failed(const char *what, const char *name)
{
	log_error(what, kv_str("file", name), kv_str("error", strerror(errno)));
	return -1;
}

struct tail {
	uint64_t end;     /* behind the last C or E */
	uint64_t lsn;     /* of that C */
	bool ended;       /* it was an E, or there is none: no run to be closed */
};

/* Find where the last complete unit ends.  -1: not a file of frames, or unreadable. */
static int
find_tail(int fd, const char *name, struct tail *t)
{
	struct frame_in in = { .in.fd = fd };
	enum frame_result r;
	struct frame_commit c;
	struct frame f;

	*t = (struct tail) { .ended = true };
	for (;;) {
		r = frame_next(&in, &f);
		if (r == FRAME_MORE) {
			if (fdin_fill(&in.in, frame_missing(&in)) < 0 && errno != EINTR)
				break;
			continue;
		}
		if (r != FRAME_OK)
			break;
		if (f.letter != FRAME_COMMIT && f.letter != FRAME_END)
			continue;
		t->end = f.offset + f.len;
		t->ended = f.letter == FRAME_END;
		if (f.letter == FRAME_COMMIT && frame_decode(&in, &f) == 0 &&
		    frame_get_commit(&f, &c) == NULL)
			t->lsn = c.lsn;
	}
	frame_in_free(&in);
	if (r == FRAME_MORE)
		return failed("cannot read the file to append to", name);
	if (r == FRAME_BAD) {
		log_error("the file to append to holds something else than frames",
		    kv_str("file", name), kv_uint("offset", in.offset),
		    kv_str("what", in.error));
		return -1;
	}
	return 0;
}

/* Cut what a crash left behind the last complete unit and close that run. */
static int
mend(int fd, const char *name, off_t size)
{
	struct buf e = { 0 };
	struct tail t;
	ssize_t n;

	if (lseek(fd, 0, SEEK_SET) < 0 || find_tail(fd, name, &t) != 0)
		return -1;
	if ((uint64_t)size > t.end && ftruncate(fd, (off_t)t.end) != 0)
		return failed("cannot truncate the file to append to", name);
	if (lseek(fd, 0, SEEK_END) < 0)
		return failed("cannot seek in the file to append to", name);
	if ((uint64_t)size > t.end)
		log_warn("cut an incomplete unit off the file", kv_str("file", name),
		    kv_uint("bytes", (uint64_t)size - t.end));
	if (t.ended)
		return 0;
	frame_put_end(&e, t.lsn, "resumed");
	n = write(fd, e.data, e.len);
	if (n != (ssize_t)e.len) {
		buf_free(&e);
		return failed("cannot write to the file to append to", name);
	}
	buf_free(&e);
	return 0;
}

int
filesink_open(const char *path, bool *permanent)
{
	const char *name = path ? path : "standard output";
	struct stat st;
	int fd;

	/* By the shell it may be open for writing only: its end must be read, too. */
	fd = open(path ? path : "/dev/stdout", O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	*permanent = fd < 0 && (errno == EACCES || errno == ENOENT || errno == EISDIR);
	if (fd < 0)
		return failed("cannot open the output file", name);
	if (fstat(fd, &st) != 0) {
		failed("cannot look at the output file", name);
		close(fd);
		return -1;
	}
	/* Open for reading, too, nobody would notice that the other end is gone. */
	if (S_ISFIFO(st.st_mode)) {
		log_error("the output file is a pipe", kv_str("file", name),
		    kv_str("remedy", "redirect standard output to it, without -o"));
		*permanent = true;
		close(fd);
		return -1;
	}
	/* What another reader is just writing would look like cut short. */
	if (S_ISREG(st.st_mode) && flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
		log_error("another process writes to the output file", kv_str("file", name));
		close(fd);
		return -1;
	}
	if (S_ISREG(st.st_mode) && st.st_size > 0 && mend(fd, name, st.st_size) != 0) {
		*permanent = true;
		close(fd);
		return -1;
	}
	return fd;
}
