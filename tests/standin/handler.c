#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>

#include "handler.h"
#include "inflate.h"

/*
 * How often a request that is put aside is looked at for its client's leaving,
 * for the daemon does not watch its connection then.
 */
enum { LOOK_US = 50000, KEEP_BYTES = 16 << 20 };

uint64_t
monotonic_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* The path's segments, decoded one by one: an id may hold an escaped slash. */
static void
split_path(struct request *r)
{
	char *rest, *segment;

	r->split = xstrdup(r->path);
	rest = r->split;
	while ((segment = strsep(&rest, "/")) != NULL && r->n_segments < MAX_SEGMENTS) {
		if (*segment == '\0')
			continue;
		percent_decode(segment, false);
		r->segments[r->n_segments++] = segment;
	}
}

/* The request line has come, the headers not yet: only here the path is not decoded. */
void *
handler_uri(void *cls, const char *uri, struct MHD_Connection *c)
{
	struct handler *h = cls;
	struct request *r = h->spare, old = { 0 };

	if (r != NULL) {
		h->spare = r->next;
		old = *r;
	} else
		r = xmalloc(sizeof(*r));
	*r = (struct request) { .standin = h->standin,
		.connection = c,
		.body = old.body,
		.plain = old.plain,
		.bulk = old.bulk,
		.ids = old.ids,
		.answer = old.answer,
		.out = old.out };
	r->failure.reason = old.failure.reason;
	r->failure.cause_reason = old.failure.cause_reason;
	r->plan.body = old.plan.body;
	r->body.len = r->plain.len = r->out.len = r->plan.body.len = 0;
	r->path = xstrndup(uri, strcspn(uri, "?"));
	split_path(r);
	r->bulk_path =
	    r->n_segments > 0 && strcmp(r->segments[r->n_segments - 1], "_bulk") == 0;
	r->next = h->first;
	if (h->first != NULL)
		h->first->prev = r;
	h->first = r;
	return r;
}

static void
request_free(struct request *r)
{
	buf_free(&r->body);
	buf_free(&r->plain);
	buf_free(&r->ids);
	buf_free(&r->out);
	buf_free(&r->answer.out);
	buf_free(&r->plan.body);
	failure_free(&r->failure);
	bulk_free(&r->bulk);
	free(r);
}

/*
 * For the check of order the request is over.  That is when its answer is handed over: once
 * it has left, the client may send the next to another of our sockets, and that can be
 * looked at before the daemon says that this one is completed.
 */
static void
order_over(struct request *r, bool left)
{
	if (r->serial != 0 && !r->over)
		order_end(&r->standin->order, r->serial, left);
	r->over = true;
}

void
handler_completed(void *cls, struct MHD_Connection *c, void **request,
    enum MHD_RequestTerminationCode why)
{
	struct handler *h = cls;
	struct request *r = *request;

	(void)c;
	if (r == NULL)
		return;
	*request = NULL;
	if (r->serial != 0) {
		order_over(r,
		    r->gone || r->dropped || why == MHD_REQUEST_TERMINATED_CLIENT_ABORT ||
			why == MHD_REQUEST_TERMINATED_READ_ERROR);
		h->standin->stats.in_flight--;
	}
	if (r->down_ms > 0)
		h->down_ms = r->down_ms;
	if (r->prev != NULL)
		r->prev->next = r->next;
	else
		h->first = r->next;
	if (r->next != NULL)
		r->next->prev = r->prev;
	free(r->path);
	free(r->split);
	if (r->body.cap > KEEP_BYTES)
		buf_free(&r->body);
	r->next = h->spare;
	h->spare = r;
}

void
handler_free(struct handler *h)
{
	struct request *r;

	while ((r = h->spare) != NULL) {
		h->spare = r->next;
		request_free(r);
	}
}

static int
socket_of(const struct request *r)
{
	const union MHD_ConnectionInfo *i =
	    MHD_get_connection_info(r->connection, MHD_CONNECTION_INFO_CONNECTION_FD);

	return i != NULL ? i->connect_fd : -1;
}

bool
handler_abandoned(void *request)
{
	struct request *r = request;
	struct pollfd p = { .fd = socket_of(r), .events = POLLRDHUP };

	if (!r->gone && !r->dropped)
		r->gone = poll(&p, 1, 0) > 0 &&
			  (p.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
	return r->gone || r->dropped;
}

/* Put the request aside; wake_us 0: until it is released. */
static void
suspend(struct request *r, uint64_t wake_us)
{
	r->suspended = true;
	r->hanging = wake_us == 0;
	r->wake_us = wake_us;
	MHD_suspend_connection(r->connection);
}

static void
resume(struct request *r)
{
	r->suspended = r->hanging = false;
	MHD_resume_connection(r->connection);
}

int64_t
handler_wake(struct handler *h, uint64_t now)
{
	int64_t wait = -1, left;

	for (struct request *r = h->first, *next; r != NULL; r = next) {
		next = r->next;
		if (!r->suspended)
			continue;
		if (handler_abandoned(r)) {
			r->dropped = true;
			resume(r);
			wait = 0;
			continue;
		}
		if (!r->hanging && r->wake_us <= now) {
			resume(r);
			wait = 0;
			continue;
		}
		left = LOOK_US;
		if (!r->hanging && (int64_t)(r->wake_us - now) < left)
			left = (int64_t)(r->wake_us - now);
		if (wait < 0 || left < wait)
			wait = left;
	}
	return wait;
}

unsigned
handler_release(struct handler *h)
{
	unsigned n = 0;

	for (struct request *r = h->first; r != NULL; r = r->next)
		if (r->hanging) {
			resume(r);
			n++;
		}
	return n;
}

void
handler_drop(struct handler *h)
{
	for (struct request *r = h->first; r != NULL; r = r->next)
		if (r->suspended) {
			r->dropped = true;
			resume(r);
		} else if (r->stage == STAGE_READY)
			r->dropped = true; /* just woken, not yet called */
}

unsigned
handler_hanging(const struct handler *h)
{
	unsigned n = 0;

	for (const struct request *r = h->first; r != NULL; r = r->next)
		n += r->hanging;
	return n;
}

/* Close the connection without an answer, by RST when the plan says so. */
static enum MHD_Result
cut(const struct request *r)
{
	struct linger now = { 1, 0 };

	if (r->plan.reset)
		setsockopt(socket_of(r), SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	return MHD_NO;
}

/* A piece of an answer that drips, or is cut off in its middle. */
static ssize_t
send_piece(void *cls, uint64_t at, char *to, size_t max)
{
	struct request *r = cls;
	size_t left = r->text.n - (size_t)at, n = left;

	if (r->dropped)
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (r->plan.drip_bytes > 0) {
		if (at > 0 && r->dripped == at) {
			/* The piece before has gone out: wait, and be asked again. */
			r->dripped++;
			suspend(r, monotonic_us() + r->plan.drip_us);
			return 0;
		}
		n = r->plan.drip_bytes;
		r->dripped = (size_t)at + (n < left ? n : left);
	}
	if (r->plan.cut && r->plan.cut_when == WHEN_ANSWER) {
		size_t half = r->text.n / 2;

		if (at >= half) {
			cut(r);
			return MHD_CONTENT_READER_END_WITH_ERROR;
		}
		if (n > half - at)
			n = half - at;
	}
	if (n > left)
		n = left;
	if (n > max)
		n = max;
	memcpy(to, r->text.p + at, n);
	if (n == left)
		order_over(r, false);
	return (ssize_t)n;
}

/* Make the answer into what is no answer. */
static void
garble(struct request *r)
{
	static const struct slice texts[] = { [GARBLE_GARBAGE] =
						  SLICE("\x01\xff{]\"items\":nope"),
		[GARBLE_HTML] = SLICE("<html><body>It works!</body></html>\n"),
		[GARBLE_EMPTY] = SLICE("") };

	/* Others were written so. */
	if (r->plan.garble > GARBLE_EMPTY)
		return;
	r->status = 200;
	if (r->plan.garble == GARBLE_TRUNCATED)
		r->text.n /= 2;
	else
		r->text = texts[r->plan.garble];
}

/* What the servers say of themselves: Elasticsearch since 7.14, OpenSearch since 3. */
static void
add_product(struct MHD_Response *m, const struct options *o)
{
	char text[64];

	if (strcmp(o->distribution, "opensearch") != 0) {
		MHD_add_response_header(m, "X-elastic-product", "Elasticsearch");
	} else if (atoi(o->number) >= 3) {
		snprintf(text, sizeof(text), "OpenSearch/%s (opensearch)", o->number);
		MHD_add_response_header(m, "X-OpenSearch-Version", text);
	}
}

static enum MHD_Result
send_answer(struct request *r)
{
	struct MHD_Response *m;
	enum MHD_Result ok;

	if (r->plan.garbled)
		garble(r);
	/* An empty text must not be NULL for the daemon. */
	if (r->text.n == 0)
		r->text.p = "";
	if (r->plan.drip_bytes > 0 || (r->plan.cut && r->plan.cut_when == WHEN_ANSWER)) {
		m = MHD_create_response_from_callback(r->text.n, 4096, send_piece, r, NULL);
	} else {
		m = MHD_create_response_from_buffer(
		    r->text.n, (void *)(uintptr_t)r->text.p, MHD_RESPMEM_PERSISTENT);
		order_over(r, false);
	}
	if (m == NULL)
		oom();
	if (r->text.n > 0)
		MHD_add_response_header(m, "content-type", r->content_type);
	add_product(m, &r->standin->options);
	if (r->plan.retry_after[0] != '\0')
		MHD_add_response_header(m, "Retry-After", r->plan.retry_after);
	if (r->status == 401)
		MHD_add_response_header(
		    m, "WWW-Authenticate", "Basic realm=\"security\" charset=\"UTF-8\"");
	ok = MHD_queue_response(r->connection, (unsigned)r->status, m);
	MHD_destroy_response(m);
	return ok;
}

static bool
authorized(struct request *r)
{
	const char *want = r->standin->options.authorization, *have;

	if (want == NULL)
		return true;
	have = MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, "Authorization");
	return have != NULL && strcmp(have, want) == 0;
}

/* The body is complete: unpack it and find out what is asked. */
static bool
prepare(struct request *r)
{
	const char *encoding;

	r->stage = STAGE_READY;
	r->standin->stats.bytes += r->received;
	buf_cstr(&r->body);
	r->content = (struct slice) { r->body.data, r->body.len };
	encoding =
	    MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, "Content-Encoding");
	if (encoding != NULL && strcasecmp(encoding, "gzip") == 0) {
		/* A real node closes the connection on a body that is no gzip. */
		if (!inflate_gzip(&r->plain, r->content))
			return false;
		buf_cstr(&r->plain);
		r->content = (struct slice) { r->plain.data, r->plain.len };
	}
	if (!authorized(r)) {
		failure_set(&r->failure, 401, "security_exception",
		    "missing authentication credentials for REST request [%s]", r->path);
		request_fail(r);
	} else if (r->bulk_path)
		bulk_request_parse(r);
	return true;
}

/* Does the plan make it wait at this point?  Then it is put aside. */
static bool
waits(struct request *r, enum fault_when when)
{
	uint64_t us;

	if (r->plan.hang && r->plan.hang_when == when) {
		r->plan.hang = false;
		suspend(r, 0);
		return true;
	}
	if (r->plan.delay && r->plan.delay_when == when) {
		r->plan.delay = false;
		us = r->plan.delay_us + r->plan.item_us * r->bulk.n;
		if (us == 0)
			return false;
		suspend(r, monotonic_us() + us);
		return true;
	}
	return false;
}

static void
execute(struct handler *h, struct request *r)
{
	r->stage = STAGE_ANSWER;
	if (r->bulk_path)
		bulk_request_run(r);
	else if (r->status == 0 && r->n_segments > 0 &&
		 strcmp(r->segments[0], "_standin") == 0)
		control_request(h, r);
	else if (r->status == 0)
		documents_request(r);
	if (r->plan.status == 0)
		return;
	r->status = r->plan.status;
	r->text = (struct slice) { r->plan.body.data, r->plan.body.len };
	r->content_type = r->text.n > 0 && *r->text.p == '<'
			      ? "text/html"
			      : "application/json; charset=UTF-8";
}

/* Everything from the end of the body on; called again after each wait. */
static enum MHD_Result
advance(struct handler *h, struct request *r)
{
	if (r->stage == STAGE_BODY && !prepare(r))
		return MHD_NO;
	if (r->stage == STAGE_READY) {
		if (r->plan.cut && r->plan.cut_when == WHEN_BEFORE)
			return cut(r);
		if (waits(r, WHEN_BEFORE))
			return MHD_YES;
		execute(h, r);
	}
	if (waits(r, WHEN_AFTER))
		return MHD_YES;
	if (r->plan.cut && r->plan.cut_when == WHEN_AFTER)
		return cut(r);
	return send_answer(r);
}

static bool
too_large(const struct request *r)
{
	uint64_t max = r->standin->options.max_bytes;

	return r->expected > max || r->received > max;
}

/* The headers are there. */
static enum MHD_Result
begin(struct handler *h, struct request *r, const char *method)
{
	struct stats *s = &h->standin->stats;
	const char *length =
	    MHD_lookup_connection_value(r->connection, MHD_HEADER_KIND, "Content-Length");

	snprintf(r->method, sizeof(r->method), "%s", method);
	r->expected = length != NULL ? strtoull(length, NULL, 10) : 0;
	r->stage = STAGE_HEADERS;
	r->content_type = "application/json; charset=UTF-8";
	if (r->bulk_path) {
		s->bulk_requests++;
		if (++s->in_flight > s->in_flight_max)
			s->in_flight_max = s->in_flight;
		r->serial = order_begin(&h->standin->order, r);
	} else if (r->n_segments == 0 || strcmp(r->segments[0], "_standin") != 0)
		s->other_requests++;
	if (r->n_segments == 0 || strcmp(r->segments[0], "_standin") != 0)
		fault_plan(&h->standin->faults, r->path, &r->plan);
	if (r->plan.cut && r->plan.cut_when == WHEN_HEADERS)
		return cut(r);
	if (too_large(r)) {
		r->status = 413;
		return send_answer(r);
	}
	if (r->expected > 0)
		buf_reserve(&r->body, (size_t)r->expected + 8);
	if (!waits(r, WHEN_HEADERS))
		r->stage = STAGE_BODY;
	return MHD_YES;
}

enum MHD_Result
handler_access(void *cls, struct MHD_Connection *c, const char *url, const char *method,
    const char *version, const char *data, size_t *data_size, void **request)
{
	struct handler *h = cls;
	struct request *r = *request;

	(void)c;
	(void)url;
	(void)version;
	if (r->stage == STAGE_NEW)
		return begin(h, r, method);
	if (r->dropped)
		return MHD_NO;
	if (r->stage == STAGE_HEADERS) {
		/* It hung before its body, and has been released. */
		r->stage = STAGE_BODY;
		if (*data_size == 0)
			return MHD_YES;
	}
	if (*data_size == 0) {
		if (!r->too_large)
			return advance(h, r);
		r->status = 413;
		return send_answer(r);
	}
	r->received += *data_size;
	r->too_large = r->too_large || too_large(r);
	if (!r->too_large)
		buf_add(&r->body, data, *data_size);
	*data_size = 0;
	if (r->plan.cut && r->plan.cut_when == WHEN_BODY && r->received * 2 >= r->expected)
		return cut(r);
	return MHD_YES;
}
