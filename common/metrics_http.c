#include <sys/socket.h>

#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <microhttpd.h>

#include "fdio.h"
#include "log.h"
#include "metrics_http.h"

#define BACKLOG  64
#define CLIENTS  48 /* connections */
#define CROWDED  32 /* beyond so many the oldest make room */
#define LASTS_US INT64_C(10000000)
#define POOL     ((size_t)8 * 1024) /* of memory for a connection: a request's head */

/*
 * A page is made anew when it is so old.  Where several connections are open some may hold on to
 * what they were given, and pages can be large: then fewer of them are made.
 */
#define FRESH_US    INT64_C(100000)
#define FRESH_SLOW  INT64_C(2000000)
#define SLOW_CLIENTS 4

struct client {
	bool used;
	bool shut;
	int fd;
	int64_t since;
};

/* A page as it was made last. */
struct made {
	struct MHD_Response *response; /* NULL: not yet */
	unsigned status;
	int64_t at;
};

struct metrics_http {
	struct MHD_Daemon *daemon;
	int fd; /* epoll's */
	const struct metrics_page *page;
	size_t pages;
	void *arg;
	int64_t now;
	struct client client[CLIENTS];
	size_t clients;
	struct made made[METRICS_PAGES];
	struct MHD_Response *unknown, *refused;
};

/* libmicrohttpd has no call for this; it finds the connection's end, and cleans up behind it. */
static void
shut(struct client *c)
{
	(void)shutdown(c->fd, SHUT_RDWR);
	c->shut = true;
}

static void
make_room(struct metrics_http *h)
{
	struct client *oldest = NULL;
	size_t open = 0;

	for (size_t i = 0; i < CLIENTS; i++) {
		struct client *c = &h->client[i];

		if (!c->used || c->shut)
			continue;
		open++;
		if (oldest == NULL || c->since < oldest->since)
			oldest = c;
	}
	if (open > CROWDED)
		shut(oldest);
}

static void
came_or_went(void *arg, struct MHD_Connection *connection, void **context,
    enum MHD_ConnectionNotificationCode what)
{
	struct metrics_http *h = arg;
	const union MHD_ConnectionInfo *info;
	struct client *c = *context;

	if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
		if (c != NULL) {
			c->used = false;
			h->clients--;
		}
		return;
	}
	info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	for (size_t i = 0; i < CLIENTS && info != NULL; i++) {
		c = &h->client[i];
		if (c->used)
			continue;
		/* In the order in which they came, also those of one turn. */
		*c = (struct client) { .used = true, .fd = info->connect_fd, .since = h->now++ };
		*context = c;
		h->clients++;
		break;
	}
	make_room(h);
}

/* An answer closes its connection: nobody needs to keep one for the next. */
static struct MHD_Response *
response(const char *type, const char *text, size_t len, enum MHD_ResponseMemoryMode mode)
{
	struct MHD_Response *r = MHD_create_response_from_buffer(len, (void *)(uintptr_t)text, mode);

	if (r == NULL)
		oom();
	if (MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type) != MHD_YES ||
	    MHD_add_response_header(r, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store") != MHD_YES ||
	    MHD_add_response_header(r, MHD_HTTP_HEADER_CONNECTION, "close") != MHD_YES)
		oom();
	return r;
}

static struct MHD_Response *
short_response(const char *text)
{
	return response("text/plain; charset=utf-8", text, strlen(text), MHD_RESPMEM_PERSISTENT);
}

static const struct made *
make(struct metrics_http *h, size_t i)
{
	struct made *m = &h->made[i];
	int64_t fresh = h->clients > SLOW_CLIENTS ? FRESH_SLOW : FRESH_US;
	struct buf text = { 0 };

	if (m->response != NULL && h->now - m->at < fresh)
		return m;
	if (m->response != NULL)
		MHD_destroy_response(m->response);
	m->status = h->page[i].make(h->arg, &text);
	m->at = h->now;
	(void)buf_cstr(&text);
	m->response = response(h->page[i].type, text.data, text.len, MHD_RESPMEM_MUST_FREE);
	return m;
}

static enum MHD_Result
answer(void *arg, struct MHD_Connection *connection, const char *url, const char *method,
    const char *version, const char *upload, size_t *upload_size, void **context)
{
	struct metrics_http *h = arg;

	(void)version;
	(void)upload;
	(void)upload_size;
	(void)context;
	for (size_t i = 0; i < h->pages; i++) {
		const struct made *m;

		if (strcmp(url, h->page[i].path) != 0)
			continue;
		if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 &&
		    strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
			return MHD_queue_response(connection, MHD_HTTP_METHOD_NOT_ALLOWED, h->refused);
		m = make(h, i);
		return MHD_queue_response(connection, m->status, m->response);
	}
	return MHD_queue_response(connection, MHD_HTTP_NOT_FOUND, h->unknown);
}

/*
 * Where to listen
 */

/* Take it apart: host has size bytes, *port is a part of it.  false: it is no such thing. */
static bool
split(const char *where, char *host, size_t size, const char **port)
{
	const char *colon = strrchr(where, ':');
	size_t n = colon != NULL ? (size_t)(colon - where) : 0, digits;

	*port = colon != NULL ? colon + 1 : where;
	digits = strspn(*port, "0123456789");
	if (digits == 0 || digits > 5 || (*port)[digits] != '\0' || atoi(*port) > 65535)
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
		/* A connection of the reader before this one may linger. */
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
		if (bind(fd, list->ai_addr, list->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
			return fd;
		why = strerror(errno);
		close(fd);
	}
	return failed(where, why);
}

static int
open_socket(const char *where, bool *permanent)
{
	const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM,
		.ai_flags = AI_PASSIVE | AI_NUMERICSERV };
	struct addrinfo *list;
	const char *port;
	char host[NI_MAXHOST];
	int error, fd;

	*permanent = true;
	if (!split(where, host, sizeof(host), &port))
		return failed(where, "it must be PORT, ADDRESS:PORT or [IPV6]:PORT");
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

/* Clients that leave, or speak another language, are nobody's trouble. */
static void
say_nothing(void *arg, const char *fmt, va_list ap)
{
	(void)arg;
	(void)fmt;
	(void)ap;
}

struct metrics_http *
metrics_http_open(const char *where, const struct metrics_page *page, size_t n, void *arg,
    bool *permanent)
{
	struct metrics_http *h;
	int fd = open_socket(where, permanent);

	if (fd < 0)
		return NULL;
	h = xcalloc(1, sizeof(*h));
	h->page = page;
	h->pages = n;
	h->arg = arg;
	h->unknown = short_response("There are /metrics and /status.\n");
	h->refused = short_response("Only GET and HEAD.\n");
	if (MHD_add_response_header(h->refused, MHD_HTTP_HEADER_ALLOW, "GET, HEAD") != MHD_YES)
		oom();
	h->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_ERROR_LOG, 0, NULL, NULL, answer, h,
	    MHD_OPTION_EXTERNAL_LOGGER, say_nothing, NULL, MHD_OPTION_LISTEN_SOCKET, fd,
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT, POOL, MHD_OPTION_CONNECTION_LIMIT,
	    (unsigned)CLIENTS, MHD_OPTION_NOTIFY_CONNECTION, came_or_went, h, MHD_OPTION_END);
	if (h->daemon == NULL) {
		*permanent = false;
		(void)failed(where, "libmicrohttpd does not start");
		close(fd);
		metrics_http_close(h);
		return NULL;
	}
	h->fd = MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
	say_where(fd);
	return h;
}

int
metrics_http_fd(const struct metrics_http *h)
{
	return h->fd;
}

int64_t
metrics_http_due(const struct metrics_http *h, int64_t now)
{
	MHD_UNSIGNED_LONG_LONG ms;
	int64_t due = INT64_MAX;

	if (MHD_get_timeout(h->daemon, &ms) == MHD_YES)
		due = now + (ms < 1000 ? (int64_t)ms * 1000 : 1000000);
	for (size_t i = 0; i < CLIENTS && h->clients > 0; i++) {
		const struct client *c = &h->client[i];

		if (c->used && !c->shut && c->since + LASTS_US < due)
			due = c->since + LASTS_US;
	}
	return due;
}

void
metrics_http_run(struct metrics_http *h, int64_t now)
{
	h->now = now;
	for (size_t i = 0; i < CLIENTS && h->clients > 0; i++) {
		struct client *c = &h->client[i];

		if (c->used && !c->shut && c->since + LASTS_US <= now)
			shut(c);
	}
	(void)MHD_run(h->daemon);
}

void
metrics_http_close(struct metrics_http *h)
{
	if (h == NULL)
		return;
	if (h->daemon != NULL)
		MHD_stop_daemon(h->daemon);
	for (size_t i = 0; i < METRICS_PAGES; i++)
		if (h->made[i].response != NULL)
			MHD_destroy_response(h->made[i].response);
	MHD_destroy_response(h->unknown);
	MHD_destroy_response(h->refused);
	free(h);
}
