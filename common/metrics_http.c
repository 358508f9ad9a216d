#include <sys/epoll.h>
#include <sys/socket.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <microhttpd.h>

#include "fdio.h"
#include "log.h"
#include "metrics_http.h"
#include "metrics_place.h"

#define CLIENTS  48 /* connections to a place */
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

/* A place to ask at.  The crowd at one of them keeps nobody out of another. */
struct place {
	struct metrics_http *http;
	struct metrics_place at;
	struct MHD_Daemon *daemon;
	struct client client[CLIENTS];
	size_t clients;
};

struct metrics_http {
	struct place place[METRICS_PLACES];
	size_t places;
	int fd; /* of an epoll of the places' own */
	const struct metrics_page *page;
	size_t pages;
	void *arg;
	int64_t now;
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
make_room(struct place *p)
{
	struct client *oldest = NULL;
	size_t open = 0;

	for (size_t i = 0; i < CLIENTS; i++) {
		struct client *c = &p->client[i];

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
	struct place *p = arg;
	const union MHD_ConnectionInfo *info;
	struct client *c = *context;

	if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
		if (c != NULL) {
			c->used = false;
			p->clients--;
		}
		return;
	}
	info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	for (size_t i = 0; i < CLIENTS && info != NULL; i++) {
		c = &p->client[i];
		if (c->used)
			continue;
		/* In the order in which they came, also those of one turn. */
		*c = (struct client) { .used = true, .fd = info->connect_fd, .since = p->http->now++ };
		*context = c;
		p->clients++;
		break;
	}
	make_room(p);
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

static bool
is_crowded(const struct metrics_http *h)
{
	size_t clients = 0;

	for (size_t i = 0; i < h->places; i++)
		clients += h->place[i].clients;
	return clients > SLOW_CLIENTS;
}

static const struct made *
make(struct metrics_http *h, size_t i)
{
	struct made *m = &h->made[i];
	int64_t fresh = is_crowded(h) ? FRESH_SLOW : FRESH_US;
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
 * Opening and closing
 */

/* Clients that leave, or speak another language, are nobody's trouble. */
static void
say_nothing(void *arg, const char *fmt, va_list ap)
{
	(void)arg;
	(void)fmt;
	(void)ap;
}

/* -1: logged. */
static int
open_place(struct metrics_http *h, const char *where, bool *permanent)
{
	struct place *p = &h->place[h->places];
	struct epoll_event event = { .events = EPOLLIN };

	if (metrics_place_open(&p->at, where, permanent) != 0)
		return -1;
	p->http = h;
	h->places++;
	p->daemon = MHD_start_daemon(MHD_USE_EPOLL | MHD_USE_ERROR_LOG, 0, NULL, NULL, answer, h,
	    MHD_OPTION_EXTERNAL_LOGGER, say_nothing, NULL, MHD_OPTION_LISTEN_SOCKET, p->at.fd,
	    MHD_OPTION_CONNECTION_MEMORY_LIMIT, POOL, MHD_OPTION_CONNECTION_LIMIT,
	    (unsigned)CLIENTS, MHD_OPTION_NOTIFY_CONNECTION, came_or_went, p, MHD_OPTION_END);
	if (p->daemon != NULL &&
	    epoll_ctl(h->fd, EPOLL_CTL_ADD,
	        MHD_get_daemon_info(p->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd, &event) == 0)
		return 0;
	*permanent = false;
	log_error("cannot answer requests for metrics", kv_str("address", where),
	    kv_str("error", "libmicrohttpd does not start"));
	return -1;
}

struct metrics_http *
metrics_http_open(const struct metrics_where *where, const struct metrics_page *page, size_t n,
    void *arg, bool *permanent)
{
	struct metrics_http *h = xcalloc(1, sizeof(*h));

	h->page = page;
	h->pages = n;
	h->arg = arg;
	h->unknown = short_response("There are /metrics and /status.\n");
	h->refused = short_response("Only GET and HEAD.\n");
	if (MHD_add_response_header(h->refused, MHD_HTTP_HEADER_ALLOW, "GET, HEAD") != MHD_YES)
		oom();
	h->fd = epoll_create1(EPOLL_CLOEXEC);
	if (h->fd < 0)
		oom();
	for (size_t i = 0; i < where->n; i++)
		if (open_place(h, where->where[i], permanent) != 0) {
			metrics_http_close(h);
			return NULL;
		}
	return h;
}

int
metrics_http_fd(const struct metrics_http *h)
{
	return h->fd;
}

static int64_t
place_due(const struct place *p, int64_t now)
{
	MHD_UNSIGNED_LONG_LONG ms;
	int64_t due = INT64_MAX;

	if (MHD_get_timeout(p->daemon, &ms) == MHD_YES)
		due = now + (ms < 1000 ? (int64_t)ms * 1000 : 1000000);
	for (size_t i = 0; i < CLIENTS && p->clients > 0; i++) {
		const struct client *c = &p->client[i];

		if (c->used && !c->shut && c->since + LASTS_US < due)
			due = c->since + LASTS_US;
	}
	return due;
}

int64_t
metrics_http_due(const struct metrics_http *h, int64_t now)
{
	int64_t due = INT64_MAX;

	for (size_t i = 0; i < h->places; i++) {
		int64_t at = place_due(&h->place[i], now);

		if (at < due)
			due = at;
	}
	return due;
}

void
metrics_http_run(struct metrics_http *h, int64_t now)
{
	h->now = now;
	for (size_t i = 0; i < h->places; i++) {
		struct place *p = &h->place[i];

		for (size_t k = 0; k < CLIENTS && p->clients > 0; k++) {
			struct client *c = &p->client[k];

			if (c->used && !c->shut && c->since + LASTS_US <= now)
				shut(c);
		}
		(void)MHD_run(p->daemon);
	}
}

void
metrics_http_close(struct metrics_http *h)
{
	if (h == NULL)
		return;
	for (size_t i = 0; i < h->places; i++) {
		metrics_place_close(&h->place[i].at);
		/* It closes what it listens on, too. */
		if (h->place[i].daemon != NULL)
			MHD_stop_daemon(h->place[i].daemon);
		else
			close(h->place[i].at.fd);
	}
	close(h->fd);
	for (size_t i = 0; i < METRICS_PAGES; i++)
		if (h->made[i].response != NULL)
			MHD_destroy_response(h->made[i].response);
	MHD_destroy_response(h->unknown);
	MHD_destroy_response(h->refused);
	free(h);
}
