#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "exitcode.h"
#include "fdio.h"
#include "frame.h"
#include "inspect.h"
#include "log.h"
#include "mapper.h"
#include "mapping.h"
#include "options.h"
#include "sandbox.h"
#include "sig.h"

/* Output is written when this much waits, or nothing whole is left to map. */
#define FLUSH_SIZE ((size_t)64 * 1024)
/* More waiting output than this, and nothing is read. */
#define HIGH_WATER ((size_t)256 * 1024)
/* What was counted is told when nothing comes for so long. */
#define IDLE_MS 1000

struct stage {
	struct frame_in in;
	struct fdout out;
	struct mapper mapper;
	bool blocked; /* the last write did not take all */
};

/*
 * The loop
 */

static int
output_lost(int error)
{
	log_error("cannot write to standard output", kv_str("error", strerror(error)));
	return EXIT_TEMPORARY;
}

static int
flush(struct stage *s)
{
	if (fdout_flush(&s->out) != 0)
		return output_lost(errno);
	s->blocked = fdout_pending(&s->out) > 0;
	return -1;
}

/* Wait until something can be done; -1 to go on, else the exit status. */
static int
wait_ready(struct stage *s, bool read)
{
	size_t pending = fdout_pending(&s->out);
	struct pollfd fds[2] = { { .fd = STDOUT_FILENO, .events = pending > 0 ? POLLOUT : 0 },
		/* With no event asked for, a hang-up would still end every wait. */
		{ .fd = read ? STDIN_FILENO : -1, .events = POLLIN } };

	int n = poll(fds, 2, read && mapper_has_news(&s->mapper) ? IDLE_MS : -1);

	if (n < 0) {
		if (errno == EINTR)
			return -1;
		log_error("cannot poll", kv_str("error", strerror(errno)));
		return EXIT_TEMPORARY;
	}
	if (n == 0)
		mapper_tell(&s->mapper);
	if (fds[0].revents & (POLLERR | POLLHUP | POLLNVAL))
		return output_lost(EPIPE);
	if (fds[0].revents & POLLOUT)
		s->blocked = false;
	if (fds[1].revents != 0 && fdin_fill(&s->in.in, frame_missing(&s->in)) < 0 &&
	    errno != EAGAIN && errno != EINTR) {
		log_error("cannot read standard input", kv_str("error", strerror(errno)));
		return EXIT_TEMPORARY;
	}
	return -1;
}

/* Write all that is left, then give status, or what went wrong with that. */
static int
finish(struct stage *s, int status)
{
	while (fdout_pending(&s->out) > 0) {
		int rc = s->blocked ? wait_ready(s, false) : flush(s);

		if (rc >= 0)
			return rc;
	}
	if (close(STDOUT_FILENO) != 0 && status == EXIT_DONE)
		return output_lost(errno);
	return status;
}

static int
end_of_input(struct stage *s)
{
	if (s->mapper.ended)
		return finish(s, EXIT_DONE);
	log_error("standard input ended without E: its producer is gone",
	    kv_uint("offset", s->in.offset));
	return finish(s, EXIT_TEMPORARY);
}

/* Map what is buffered, while the output is not too far behind. */
static int
map_buffered(struct stage *s, bool *more)
{
	struct frame f;

	while (fdout_pending(&s->out) <= HIGH_WATER) {
		/* Nearly all are. */
		enum frame_result result = frame_next_row(&s->in, &f) ? FRAME_OK
								      : frame_next(&s->in, &f);

		switch (result) {
		case FRAME_OK:
			if (mapper_frame(&s->mapper, &s->in, &f) != 0)
				return finish(s, EXIT_PERMANENT);
			break;
		case FRAME_MORE: *more = true; return -1;
		case FRAME_EOF: return end_of_input(s);
		case FRAME_CUT:
			log_error("standard input ended inside a frame: its producer is gone",
			    kv_uint("offset", s->in.offset));
			return finish(s, EXIT_TEMPORARY);
		case FRAME_BAD:
			log_error(s->in.error, kv_uint("offset", s->in.offset));
			return finish(s, EXIT_PERMANENT);
		}
		if (!s->blocked && fdout_pending(&s->out) > FLUSH_SIZE) {
			int rc = flush(s);

			if (rc >= 0)
				return rc;
		}
	}
	return -1;
}

static int
run(const struct mapping *m)
{
	struct stage s = { .in.in.fd = STDIN_FILENO, .out.fd = STDOUT_FILENO };
	int rc;

	fd_prepare(STDIN_FILENO);
	s.out.nonblocking = fd_prepare(STDOUT_FILENO);
	mapper_init(&s.mapper, m, &s.out.buf);
	sandbox_enter(SANDBOX_FILTER);
	do {
		bool more = false;

		rc = map_buffered(&s, &more);
		if (rc < 0 && !s.blocked)
			rc = flush(&s);
		/* Else flushing made room, and there is more to map. */
		if (rc < 0 && (more || fdout_pending(&s.out) > HIGH_WATER))
			rc = wait_ready(&s, more);
	} while (rc < 0);
	mapper_free(&s.mapper);
	frame_in_free(&s.in);
	buf_free(&s.out.buf);
	return rc;
}

int
main(int argc, char **argv)
{
	struct options o = { 0 };
	struct mapping m;
	int rc = options_parse(argc, argv, &o);

	if (rc >= 0)
		return rc;
	log_init("pgcdc-map", o.verbose);
	/* Else the mapping file would be opened in their place. */
	if (fcntl(STDIN_FILENO, F_GETFD) < 0 || fcntl(STDOUT_FILENO, F_GETFD) < 0) {
		log_error("standard input or output is closed");
		return EXIT_PERMANENT;
	}
	/* For ? in patterns: one character, not one byte. */
	setlocale(LC_CTYPE, "C.UTF-8");
	sig_init();
	if (options_inspects(&o))
		return inspect(&o);
	if (inspect_load(&o, &m) != 0)
		return EXIT_PERMANENT;
	rc = run(&m);
	mapping_free(&m);
	return rc;
}
