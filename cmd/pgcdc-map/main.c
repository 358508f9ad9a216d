#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <locale.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exitcode.h"
#include "fdio.h"
#include "frame.h"
#include "log.h"
#include "mapper.h"
#include "mapping.h"
#include "sig.h"

/* Output is written when this much waits, or nothing whole is left to map. */
#define FLUSH_SIZE ((size_t)64 * 1024)
/* More waiting output than this, and nothing is read. */
#define HIGH_WATER ((size_t)256 * 1024)
/* A longer file is no mapping file. */
#define MAPPING_MAX ((size_t)1024 * 1024)

struct options {
	const char *mapping;
	bool check;
	int verbose;
};

struct stage {
	struct frame_in in;
	struct fdout out;
	struct mapper mapper;
	bool blocked; /* the last write did not take all */
};

static const char usage_text[] =
    "usage: pgcdc-map -m FILE [--check] [-v]\n"
    "\n"
    "Turn row frames on standard input into action frames on standard output.\n"
    "\n"
    "  -m, --mapping FILE  the mapping file, pgcdc-map(5)\n"
    "      --check         check the mapping file and exit\n"
    "  -v, --verbose       log more\n"
    "  -h, --help          show this and exit\n"
    "  -V, --version       show the version and exit\n";

static int
usage_error(const char *msg)
{
	fprintf(stderr, "pgcdc-map: %s\n%s", msg, usage_text);
	return EXIT_PERMANENT;
}

static int
say(const char *text)
{
	if (fputs(text, stdout) == EOF || fclose(stdout) == EOF)
		return EXIT_TEMPORARY;
	return EXIT_DONE;
}

/* Take the options; -1 to go on, else the exit status. */
static int
parse_options(int argc, char **argv, struct options *o)
{
	enum { OPT_CHECK = 256 };
	static const struct option longopts[] = { { "mapping", required_argument, NULL, 'm' },
		{ "check", no_argument, NULL, OPT_CHECK }, { "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' }, { "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 } };
	int c;

	while ((c = getopt_long(argc, argv, "+m:vhV", longopts, NULL)) != -1) {
		switch (c) {
		case 'm': o->mapping = optarg; break;
		case OPT_CHECK: o->check = true; break;
		case 'v': o->verbose++; break;
		case 'h': return say(usage_text);
		case 'V': return say("pgcdc-map " PGCDC_VERSION "\n");
		default: fputs(usage_text, stderr); return EXIT_PERMANENT;
		}
	}
	if (optind < argc)
		return usage_error("there are no arguments but options");
	if (o->mapping == NULL)
		return usage_error("-m FILE is needed: which rows become which documents");
	return -1;
}

/*
 * The mapping file
 */

static int
read_file(const char *name, struct buf *b)
{
	FILE *f = fopen(name, "re");
	size_t n;

	if (f == NULL) {
		log_error("cannot open the mapping file", kv_str("file", name),
		    kv_str("error", strerror(errno)));
		return -1;
	}
	while ((n = fread(buf_reserve(b, 16384), 1, 16384, f)) > 0 && b->len <= MAPPING_MAX)
		b->len += n;
	if (ferror(f) || b->len > MAPPING_MAX) {
		log_error("cannot read the mapping file", kv_str("file", name),
		    kv_str("error", ferror(f) ? strerror(errno) : "longer than 1 MiB"));
		fclose(f);
		return -1;
	}
	fclose(f);
	return 0;
}

/*
 * Everything that is wrong, one line each.  --check writes them as compilers do, so that
 * editors find the place; in a pipeline they are log lines like all others.
 */
static void
report(const struct options *o, const struct problems *p)
{
	const char *format = getenv("PGCDC_LOG");
	bool plain = o->check && (format == NULL || strcmp(format, "json") != 0);

	for (size_t i = 0; i < p->n; i++) {
		const struct problem *one = &p->list[i];
		struct buf line = { 0 };

		buf_printf(&line, "%s:%u:%u: %s%s", o->mapping, one->at.line, one->at.column,
		    plain && one->warning ? "warning: " : "", one->what);
		if (plain)
			fprintf(stderr, "%s\n", buf_cstr(&line));
		else
			log_at(one->warning ? LOG_WARN : LOG_ERROR, buf_cstr(&line));
		buf_free(&line);
	}
	if (p->errors > 0 && p->n >= p->errors)
		return;
	if (p->errors > 0)
		log_error("there are more errors", kv_uint("errors", p->errors));
}

/*
 * What no file can tell, and each table can: said when a file is checked, not at each start.
 */
static void
check_old(const struct mapping *m, struct problems *p)
{
	for (size_t i = 0; i < m->rules; i++)
		if (m->rule[i].old.n > 0)
			problem_warning(p, m->rule[i].old.list[0].at,
			    "\"old\" needs REPLICA IDENTITY FULL on \"%s\": with another one, old "
			    "values outside the identity are null",
			    m->rule[i].table);
	problems_sort(p);
}

static int
load_mapping(const struct options *o, struct mapping *m)
{
	struct problems problems = { 0 };
	struct buf text = { 0 };
	int rc = -1;

	if (read_file(o->mapping, &text) != 0) {
		buf_free(&text);
		return -1;
	}
	mapping_load(m, o->mapping, text.data, text.len, &problems);
	if (o->check && problems.errors == 0)
		check_old(m, &problems);
	report(o, &problems);
	if (problems.errors == 0)
		rc = 0;
	else
		mapping_free(m);
	problems_free(&problems);
	buf_free(&text);
	return rc;
}

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

	if (poll(fds, 2, -1) < 0) {
		if (errno == EINTR)
			return -1;
		log_error("cannot poll", kv_str("error", strerror(errno)));
		return EXIT_TEMPORARY;
	}
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
		switch (frame_next(&s->in, &f)) {
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
	int rc = parse_options(argc, argv, &o);

	if (rc >= 0)
		return rc;
	log_init("pgcdc-map", o.verbose);
	/* Else the mapping file would be opened in their place. */
	if (fcntl(STDIN_FILENO, F_GETFD) < 0 || fcntl(STDOUT_FILENO, F_GETFD) < 0) {
		log_error("standard input or output is closed");
		return EXIT_PERMANENT;
	}
	if (load_mapping(&o, &m) != 0)
		return EXIT_PERMANENT;
	if (o.check) {
		log_debug("the mapping file is good", kv_uint("rules", m.rules));
		mapping_free(&m);
		return EXIT_DONE;
	}
	/* For ? in patterns: one character, not one byte. */
	setlocale(LC_CTYPE, "C.UTF-8");
	sig_init();
	rc = run(&m);
	mapping_free(&m);
	return rc;
}
