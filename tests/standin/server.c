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
	int port; /* that it listens on; 0: none yet */
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
bind_to(int domain, const struct sockaddr *address, socklen_t n)
{
	int fd = socket(domain, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, address, n) != 0) {
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

/* The port is then s->port.  -1 after saying why not. */
static int
bind_tcp(struct server *s, int port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(a);
	int fd = bind_to(AF_INET, (struct sockaddr *)&a, n);

	if (fd < 0 || getsockname(fd, (struct sockaddr *)&a, &n) != 0) {
		fprintf(stderr, "standin: cannot listen on 127.0.0.1:%d: %s\n", port,
		    strerror(errno));
		return -1;
	}
	s->port = ntohs(a.sin_port);
	return fd;
}

static int
bind_unix(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(a.sun_path)) {
		fprintf(stderr, "standin: this path is too long for a socket: %s\n", path);
		return -1;
	}
	strcpy(a.sun_path, path);
	unlink(path);
	fd = bind_to(AF_UNIX, (struct sockaddr *)&a, sizeof(a));
	if (fd < 0)
		fprintf(
		    stderr, "standin: cannot listen on %s: %s\n", path, strerror(errno));
	return fd;
}

/* Sockets that are not listened on yet: to whoever connects nobody is there. */
static bool
bind_all(struct server *s, int fds[2])
{
	const struct options *o = &s->handler.standin->options;

	fds[0] = fds[1] = -1;
	if (o->unix_path != NULL && (fds[0] = bind_unix(o->unix_path)) < 0)
		return false;
	return o->port < 0 || (fds[1] = bind_tcp(s, s->port > 0 ? s->port : o->port)) >= 0;
}

static bool
listen_all(struct server *s, const int fds[2])
{
	for (int i = 0; i < 2; i++) {
		if (fds[i] < 0)
			continue;
		if (listen(fds[i], BACKLOG) != 0) {
			perror("standin: listen");
			return false;
		}
		if (!add_daemon(s, fds[i]))
			return false;
	}
	return true;
}

static bool
say_port(const struct server *s)
{
	const struct options *o = &s->handler.standin->options;

	if (o->port < 0)
		return true;
	if (o->port_file != NULL)
		return write_port_file(o->port_file, s->port);
	fprintf(stderr, "standin: listening on http://127.0.0.1:%d\n", s->port);
	return true;
}

struct server *
server_start(struct standin *si)
{
	struct server *s = xcalloc(1, sizeof(*s));
	sigset_t ends;
	int fds[2];

	s->handler.standin = si;
	si->order.abandoned = handler_abandoned;
	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	s->signals = signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s->signals < 0 || !bind_all(s, fds) || !listen_all(s, fds) || !say_port(s)) {
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

static void
stop_daemons(struct server *s)
{
	/* They must not be stopped while connections are suspended. */
	handler_drop(&s->handler);
	for (unsigned i = 0; i < s->n_daemons; i++)
		MHD_stop_daemon(s->daemons[i]);
	s->n_daemons = 0;
}

/* Away for as long as the handler was told.  The ports stay taken meanwhile. */
static void
go_down(struct server *s)
{
	struct pollfd signals = { .fd = s->signals, .events = POLLIN };
	int fds[2];

	stop_daemons(s);
	if (!bind_all(s, fds))
		exit(1);
	(void)poll(&signals, 1, (int)s->handler.down_ms);
	s->handler.down_ms = 0;
	if (!listen_all(s, fds))
		exit(1);
}

static nfds_t
watch(const struct server *s, struct pollfd fds[3])
{
	nfds_t n = 0;

	fds[n++] = (struct pollfd) { .fd = s->signals, .events = POLLIN };
	for (unsigned i = 0; i < s->n_daemons; i++)
		fds[n++] = (struct pollfd) { .fd = MHD_get_daemon_info(
						 s->daemons[i], MHD_DAEMON_INFO_EPOLL_FD)
						       ->epoll_fd,
			.events = POLLIN };
	return n;
}

void
server_run(struct server *s)
{
	struct pollfd fds[3];
	nfds_t n = watch(s, fds);
	int64_t wake_us = -1;

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
		if (s->handler.down_ms > 0) {
			go_down(s);
			n = watch(s, fds);
		}
		/* What was put aside just now. */
		wake_us = handler_wake(&s->handler, monotonic_us());
	}
}

void
server_stop(struct server *s)
{
	stop_daemons(s);
	handler_free(&s->handler);
	if (s->signals >= 0)
		close(s->signals);
	if (s->handler.standin->options.unix_path != NULL)
		unlink(s->handler.standin->options.unix_path);
	free(s);
}
