#include <sys/socket.h>
#include <sys/stat.h>

#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "log.h"
#include "metrics_place.h"
#include "usock.h"

#define BACKLOG 64

/* Take it apart: host has size bytes, *port is a part of it.  false: it is no such thing. */
static bool
split(const char *where, char *host, size_t size, const char **port)
{
	const char *colon = strrchr(where, ':');
	size_t n = colon != NULL ? (size_t)(colon - where) : 0, digits;

	*port = colon != NULL ? colon + 1 : where;
	digits = strspn(*port, "0123456789");
	if (digits == 0 || digits > 5 || (*port)[digits] != '\0' || strtol(*port, NULL, 10) > 65535)
		return false;
	if (colon == NULL) {
		where = "127.0.0.1";
		n = strlen(where);
	} else if (*where == '[') {
		if (n < 3 || where[n - 1] != ']')
			return false;
		where++;
		n -= 2;
	} else if (memchr(where, ':', n) != NULL) {
		return false;
	}
	if (n == 0 || n >= size)
		return false;
	memcpy(host, where, n);
	host[n] = '\0';
	return true;
}

static int
failed(const char *where, const char *why)
{
	log_error("cannot listen for requests for metrics", kv_str("address", where),
	    kv_str("error", why));
	return -1;
}

/* The first of the addresses that can be had. */
static int
listen_on(const char *where, const struct addrinfo *list)
{
	const char *why = "there is no such address";

	for (; list != NULL; list = list->ai_next) {
		int on = 1, fd = socket(list->ai_family,
				list->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, list->ai_protocol);

		if (fd < 0) {
			why = strerror(errno);
			continue;
		}
		/* A connection of the program before this one may linger. */
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
		if (bind(fd, list->ai_addr, list->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
			return fd;
		why = strerror(errno);
		close(fd);
	}
	return failed(where, why);
}

static int
open_port(const char *where, bool *permanent)
{
	const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_PASSIVE | AI_NUMERICSERV };
	struct addrinfo *list;
	const char *port;
	char host[NI_MAXHOST];
	int error, fd;

	*permanent = true;
	if (!split(where, host, sizeof(host), &port))
		return failed(where, "it must be PORT, ADDRESS:PORT, [IPV6]:PORT or the path of a socket");
	error = getaddrinfo(host, port, &hints, &list);
	if (error != 0) {
		*permanent = error != EAI_AGAIN && error != EAI_MEMORY;
		return failed(where, gai_strerror(error));
	}
	fd = listen_on(where, list);
	freeaddrinfo(list);
	return fd;
}

static void
say_where(int fd)
{
	struct sockaddr_storage a = { 0 };
	socklen_t n = sizeof(a);
	char host[NI_MAXHOST], port[NI_MAXSERV];

	if (getsockname(fd, (struct sockaddr *)&a, &n) == 0 &&
	    getnameinfo((struct sockaddr *)&a, n, host, sizeof(host), port, sizeof(port),
	        NI_NUMERICHOST | NI_NUMERICSERV) == 0)
		log_info("listening for requests for metrics", kv_str("address", host),
		    kv_str("port", port));
}

int
metrics_place_open(struct metrics_place *p, const char *where, bool *permanent)
{
	struct stat st;

	*p = (struct metrics_place) { .fd = -1 };
	if (strchr(where, '/') == NULL) {
		p->fd = open_port(where, permanent);
		if (p->fd >= 0)
			say_where(p->fd);
		return p->fd >= 0 ? 0 : -1;
	}
	p->fd = usock_listen(where, "metrics", permanent);
	if (p->fd < 0)
		return -1;
	p->path = where;
	if (lstat(where, &st) == 0) {
		p->dev = st.st_dev;
		p->ino = st.st_ino;
	}
	log_debug("listening for requests for metrics", kv_str("socket", where));
	return 0;
}

void
metrics_place_close(struct metrics_place *p)
{
	struct stat st;

	/* Another program may have put its own there. */
	if (p->path != NULL && lstat(p->path, &st) == 0 && st.st_dev == p->dev &&
	    st.st_ino == p->ino)
		(void)unlink(p->path);
	p->path = NULL;
}
