#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <microhttpd.h>

#include "handler.h"
#include "server.h"

enum { POOL = 64 << 10, BACKLOG = 512 };

struct server {
	struct handler handler;
	struct MHD_Daemon *daemons[2];
	unsigned n_daemons;
	int signals;
};

static void
daemon_log(void *cls, const char *fmt, va_list ap)
{
	(void)cls;
	(void)fmt;
	(void)ap; /* cut connections and clients that leave are what it is for */
}

static bool
add_daemon(struct server *s, int fd)
{
	struct MHD_Daemon *d;

	d = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG,
	    0, NULL, NULL, handler_access, &s->handler, MHD_OPTION_EXTERNAL_LOGGER,
	    daemon_log, NULL, MHD_OPTION_LISTEN_SOCKET, fd,
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)POOL, MHD_OPTION_CONNECTION_LIMIT,
	    4000U, MHD_OPTION_NOTIFY_COMPLETED, handler_completed, &s->handler,
	    MHD_OPTION_URI_LOG_CALLBACK, handler_uri, &s->handler, MHD_OPTION_END);
	if (d == NULL) {
		fprintf(stderr, "standin: cannot start the HTTP daemon\n");
		close(fd);
		return false;
	}
	s->daemons[s->n_daemons++] = d;
	return true;
}

static int
listen_on(int domain, const struct sockaddr *address, socklen_t n)
{
	int fd = socket(domain, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, address, n) != 0 || listen(fd, BACKLOG) != 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* The file appears with its content, or not at all. */
static bool
write_port_file(const char *path, int port)
{
	char *temporary;
	FILE *f;
	bool ok;

	if (asprintf(&temporary, "%s.new", path) < 0)
		oom();
	f = fopen(temporary, "w");
	ok = f != NULL && fprintf(f, "%d\n", port) > 0;
	if (f != NULL && fclose(f) != 0)
		ok = false;
	ok = ok && rename(temporary, path) == 0;
	if (!ok)
		fprintf(stderr, "standin: cannot write %s: %s\n", path, strerror(errno));
	free(temporary);
	return ok;
}

static bool
listen_tcp(struct server *s, const struct options *o)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)o->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(a);
	int fd = listen_on(AF_INET, (struct sockaddr *)&a, n);

	if (fd < 0 || getsockname(fd, (struct sockaddr *)&a, &n) != 0) {
		fprintf(stderr, "standin: cannot listen on 127.0.0.1:%d: %s\n", o->port,
		    strerror(errno));
		return false;
	}
	if (!add_daemon(s, fd))
		return false;
	if (o->port_file != NULL)
		return write_port_file(o->port_file, ntohs(a.sin_port));
	fprintf(stderr, "standin: listening on http://127.0.0.1:%d\n", ntohs(a.sin_port));
	return true;
}

static bool
listen_unix(struct server *s, const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(a.sun_path)) {
		fprintf(stderr, "standin: this path is too long for a socket: %s\n", path);
		return false;
	}
	strcpy(a.sun_path, path);
	unlink(path);
	fd = listen_on(AF_UNIX, (struct sockaddr *)&a, sizeof(a));
	if (fd < 0) {
		fprintf(
		    stderr, "standin: cannot listen on %s: %s\n", path, strerror(errno));
		return false;
	}
	return add_daemon(s, fd);
}

struct server *
server_start(struct standin *si)
{
	struct server *s = xcalloc(1, sizeof(*s));
	const struct options *o = &si->options;
	sigset_t ends;

	s->handler.standin = si;
	si->order.abandoned = handler_abandoned;
	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	s->signals = signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s->signals < 0 || (o->unix_path != NULL && !listen_unix(s, o->unix_path)) ||
	    (o->port >= 0 && !listen_tcp(s, o))) {
		server_stop(s);
		return NULL;
	}
	return s;
}

/* Milliseconds that the loop may sleep; -1: for good. */
static int
sleep_ms(struct server *s, int64_t wake_us)
{
	int64_t ms = wake_us < 0 ? -1 : (wake_us + 999) / 1000;
	MHD_UNSIGNED_LONG_LONG daemon_ms;

	for (unsigned i = 0; i < s->n_daemons; i++)
		if (MHD_get_timeout(s->daemons[i], &daemon_ms) == MHD_YES &&
		    (ms < 0 || (int64_t)daemon_ms < ms))
			ms = (int64_t)daemon_ms;
	return ms > 60000 ? 60000 : (int)ms;
}

void
server_run(struct server *s)
{
	struct pollfd fds[3];
	nfds_t n = 0;
	int64_t wake_us = -1;

	fds[n++] = (struct pollfd) { .fd = s->signals, .events = POLLIN };
	for (unsigned i = 0; i < s->n_daemons; i++)
		fds[n++] = (struct pollfd) { .fd = MHD_get_daemon_info(
						 s->daemons[i], MHD_DAEMON_INFO_EPOLL_FD)
						       ->epoll_fd,
			.events = POLLIN };
	for (;;) {
		if (poll(fds, n, sleep_ms(s, wake_us)) < 0 && errno != EINTR) {
			perror("standin: poll");
			exit(1);
		}
		if (fds[0].revents != 0)
			return;
		wake_us = handler_wake(&s->handler, monotonic_us());
		for (unsigned i = 0; i < s->n_daemons; i++)
			MHD_run(s->daemons[i]);
		/* What was put aside just now. */
		wake_us = handler_wake(&s->handler, monotonic_us());
	}
}

void
server_stop(struct server *s)
{
	/* The daemon must not be stopped while connections are suspended. */
	handler_drop(&s->handler);
	for (unsigned i = 0; i < s->n_daemons; i++)
		MHD_stop_daemon(s->daemons[i]);
	handler_free(&s->handler);
	if (s->signals >= 0)
		close(s->signals);
	if (s->handler.standin->options.unix_path != NULL)
		unlink(s->handler.standin->options.unix_path);
	free(s);
}
