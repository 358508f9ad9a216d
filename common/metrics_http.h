#ifndef METRICS_HTTP_H
#define METRICS_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"

/*
 * Pages for Prometheus and for health checks, on TCP ports of their own and on Unix sockets.  It runs in the program's
 * own loop, in the steps of metrics_http_run, of which none waits.  Whoever connects gets one
 * answer to a GET or HEAD; a connection lasts for ten seconds at most, and when there are too
 * many the oldest make room, so that others who say nothing, or never read, keep nobody out.
 *
 * There is no login, and no encryption.
 */

struct metrics_page {
	const char *path; /* such as /metrics */
	const char *type; /* of its content */
	/*
	 * Append it and return the status of the answer.  It is called within metrics_http_run, and
	 * not more often than every tenth of a second.
	 */
	unsigned (*make)(void *arg, struct buf *);
};

#define METRICS_PAGES  4 /* at most */
#define METRICS_PLACES 4

struct metrics_http;

/* Where to listen; see metrics_place.h.  The strings live as long as this. */
struct metrics_where {
	const char *where[METRICS_PLACES];
	size_t n;
};

/* false: there is no room for more. */
static inline bool
metrics_where_add(struct metrics_where *w, const char *where)
{
	if (w->n == METRICS_PLACES)
		return false;
	w->where[w->n++] = where;
	return true;
}

/*
 * Listen at all of these.  page has n pages and lives as long as this.  NULL with the error
 * logged; *permanent says its kind.
 */
struct metrics_http *metrics_http_open(const struct metrics_where *,
    const struct metrics_page *page, size_t n, void *arg, bool *permanent)
    __attribute__((warn_unused_result));

/* To be polled for input. */
int metrics_http_fd(const struct metrics_http *);

/* When it wants to run, also without input (now_us). */
int64_t metrics_http_due(const struct metrics_http *, int64_t now);

/* Do what can be done now. */
void metrics_http_run(struct metrics_http *, int64_t now);

/* Let go of all; NULL is nothing. */
void metrics_http_close(struct metrics_http *);

#endif
