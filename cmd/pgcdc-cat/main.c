/*
 * pgcdc-cat: frames to JSON lines, and back.
 */

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exitcode.h"
#include "log.h"
#include "pack.h"
#include "print.h"
#include "sig.h"

struct cat {
	struct stream out;
	int wake; /* readable after a TERM or INT */
	bool pack;
};

struct input {
	const char *name;
	struct fdin *in;
};

static const char usage_text[] = "usage: pgcdc-cat [-hVv] [--pack] [file ...]\n";

/* A device that is gone or full may come back, a name that is wrong will not. */
static int
exit_code(int error)
{
	switch (error) {
	case ENOENT:
	case ENOTDIR:
	case EISDIR:
	case EACCES:
	case EPERM:
	case ELOOP:
	case ENAMETOOLONG: return EXIT_PERMANENT;
	default: return EXIT_TEMPORARY;
	}
}

/* The output's state as an exit code. */
static int
check_output(const struct cat *c)
{
	const char *what = "cannot write the output";

	if (c->out.error == 0)
		return EXIT_DONE;
	if (c->out.error == EINTR)
		what = "stopped by a signal";
	else if (c->out.error == EPIPE)
		what = "the output's reader is gone";
	log_error(
	    what, kv_str("error", c->out.error == EINTR ? NULL : strerror(c->out.error)));
	return EXIT_TEMPORARY;
}

/*
 * Read once more, want as fdin_fill has it; what was put out so far is shown first.
 * Returns EXIT_DONE, also at end of file, or what the program ends with.
 */
static int
more_input(struct cat *c, struct input *f, size_t want)
{
	int code;

	stream_flush(&c->out);
	for (;;) {
		if (c->out.error == 0)
			stream_wait(&c->out, f->in->fd);
		if ((code = check_output(c)) != EXIT_DONE)
			return code;
		if (fdin_fill(f->in, want) >= 0)
			return EXIT_DONE;
		if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
			break;
	}
	code = exit_code(errno);
	log_error(
	    "cannot read", kv_str("file", f->name), kv_str("error", strerror(errno)));
	return code;
}

static int
bad_frame(const struct input *f, const char *what, uint64_t offset, int code)
{
	log_error(what, kv_str("file", f->name), kv_uint("offset", offset));
	return code;
}

static int
print_file(struct cat *c, struct input *f)
{
	struct frame_in r = { .in = *f->in };
	struct printer p = { .out = &c->out };
	struct frame frame = { 0 };
	int code = EXIT_DONE;
	bool end = false;

	f->in = &r.in;
	while (code == EXIT_DONE && !end) {
		switch (frame_next(&r, &frame)) {
		case FRAME_OK:
			if (print_frame(&p, &frame) != 0)
				code = bad_frame(f, "a frame that cannot be read",
				    frame.offset, EXIT_PERMANENT);
			else
				code = check_output(c);
			break;
		case FRAME_MORE: code = more_input(c, f, frame_missing(&r)); break;
		case FRAME_EOF:
			if (frame.letter != FRAME_END)
				log_debug("the stream does not end with E",
				    kv_str("file", f->name));
			end = true;
			break;
		case FRAME_CUT:
			code = bad_frame(f, "the stream ends inside a frame", r.offset,
			    EXIT_TEMPORARY);
			break;
		case FRAME_BAD:
			code = bad_frame(f, r.error, r.offset, EXIT_PERMANENT);
			break;
		}
	}
	f->in = NULL;
	frame_in_free(&r);
	print_free(&p);
	return code;
}

static int
bad_line(const struct input *f, uint64_t line, const char *what, int code)
{
	struct buf msg = { 0 };

	buf_printf(&msg, "%s:%llu: %s", f->name, (unsigned long long)line, what);
	log_error(buf_cstr(&msg));
	buf_free(&msg);
	return code;
}

static int
pack_one(struct cat *c, struct input *f, struct packer *k, uint64_t line, size_t len)
{
	if (pack_line(k, f->in->buf.data + f->in->off, len) < 0)
		return bad_line(f, line, pack_error(k), EXIT_PERMANENT);
	f->in->off += len;
	stream_room(&c->out);
	return check_output(c);
}

/* The last line has no newline: whole it is as good, but a part of a frame was cut off.
 */
static int
pack_rest(const struct input *f, struct packer *k, uint64_t line)
{
	size_t len = f->in->buf.len - f->in->off;
	int n = 0;

	if (len > 0)
		n = pack_line(k, f->in->buf.data + f->in->off, len);
	/* A scalar at the end needs the newline to be complete, and wrong. */
	if (n == 0)
		n = pack_line(k, "\n", 1);
	if (n >= 0)
		return EXIT_DONE;
	if (pack_is_cut(k))
		return bad_line(f, line, "the input ends inside a frame", EXIT_TEMPORARY);
	return bad_line(f, line, pack_error(k), EXIT_PERMANENT);
}

static int
pack_file(struct cat *c, struct input *f)
{
	struct packer *k = pack_new(&c->out.o.buf);
	struct fdin in = *f->in;
	size_t seen = 0; /* bytes of the line that hold no newline */
	uint64_t line = 1;
	int code = EXIT_DONE;

	f->in = &in;
	while (code == EXIT_DONE && !in.eof) {
		const char *p = in.buf.data + in.off, *newline = NULL;
		size_t avail = in.buf.len - in.off;

		if (avail > seen)
			newline = memchr(p + seen, '\n', avail - seen);
		if (newline != NULL) {
			code = pack_one(c, f, k, line++, (size_t)(newline - p) + 1);
			seen = 0;
		} else {
			seen = avail;
			code = more_input(c, f, 0);
		}
	}
	if (code == EXIT_DONE)
		code = pack_rest(f, k, line);
	f->in = NULL;
	buf_free(&in.buf);
	pack_free(k);
	return code;
}

static int
cat_file(struct cat *c, const char *name)
{
	bool standard = strcmp(name, "-") == 0;
	struct fdin in = { .fd = STDIN_FILENO };
	struct input f = { .name = standard ? "stdin" : name, .in = &in };
	struct stat st;
	int code;

	if (!standard)
		in.fd = open(name, O_RDONLY | O_CLOEXEC);
	if (in.fd < 0 || fstat(in.fd, &st) != 0) {
		code = exit_code(errno);
		log_error("cannot open", kv_str("file", f.name),
		    kv_str("error", strerror(errno)));
		return code;
	}
	/* Somebody else ends a pipe, and TERM waits for that; it ends the rest at once.
	 */
	c->out.wake = S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode) ? -1 : c->wake;
	(void)fd_prepare(in.fd);
	code = c->pack ? pack_file(c, &f) : print_file(c, &f);
	if (!standard)
		close(in.fd);
	return code;
}

static int
usage(void)
{
	fputs(usage_text, stderr);
	return EXIT_PERMANENT;
}

/* What -h and -V say; also standard output may be full. */
static int
say(const char *s)
{
	if (fputs(s, stdout) == EOF || fflush(stdout) != 0) {
		log_error("cannot write the output", kv_str("error", strerror(errno)));
		return EXIT_TEMPORARY;
	}
	return EXIT_DONE;
}

static int
parse_options(struct cat *c, int argc, char **argv)
{
	static const struct option longopts[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "pack", no_argument, NULL, 'p' },
		{ 0 },
	};
	int verbose = 0, ch;

	while ((ch = getopt_long(argc, argv, "hVv", longopts, NULL)) != -1) {
		switch (ch) {
		case 'h': exit(say(usage_text));
		case 'V': exit(say("pgcdc-cat " PGCDC_VERSION "\n"));
		case 'v': verbose++; break;
		case 'p': c->pack = true; break;
		default: return usage();
		}
	}
	log_init("pgcdc-cat", verbose);
	return EXIT_DONE;
}

/*
 * Write what is left, and learn what only closing tells: of a copy, for exit still has to
 * do with the descriptor (fd_prepare).
 */
static int
finish_output(struct cat *c)
{
	int copy;

	stream_flush(&c->out);
	if (c->out.error == 0) {
		copy = fcntl(c->out.o.fd, F_DUPFD_CLOEXEC, 3);
		if (copy < 0 || close(copy) != 0)
			c->out.error = errno;
	}
	return check_output(c);
}

int
main(int argc, char **argv)
{
	struct cat c = { .out = { .o = { .fd = STDOUT_FILENO } } };
	int code;

	log_init("pgcdc-cat", 0);
	if ((code = parse_options(&c, argc, argv)) != EXIT_DONE)
		return code;
	if (fd_open_standard() != 0)
		return EXIT_TEMPORARY;
	c.wake = sig_init();
	c.out.o.nonblocking = fd_prepare(STDOUT_FILENO);
	if (optind == argc)
		code = cat_file(&c, "-");
	for (int i = optind; i < argc && code == EXIT_DONE; i++)
		code = cat_file(&c, argv[i]);
	/* What is complete is shown, also before an error. */
	if (c.out.error == 0 && finish_output(&c) != EXIT_DONE)
		code = EXIT_TEMPORARY;
	buf_free(&c.out.o.buf);
	return code;
}
