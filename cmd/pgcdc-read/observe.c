#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "confirm.h"
#include "exitcode.h"
#include "lsn.h"
#include "metrics.h"
#include "observe.h"

static const char connecting[] = "connecting", standby[] = "standby", loading[] = "loading",
		  streaming[] = "streaming", ending[] = "ending";
const char *const observe_states[] = { connecting, standby, loading, streaming, ending, NULL };

static const char *
state(const struct reader *r)
{
	if (r->ended != NULL)
		return ending;
	if (session_streams(r))
		return snapshot_busy(&r->snapshot) ? loading : streaming;
	return r->server.standby ? standby : connecting;
}

static double
age(int64_t now, int64_t since)
{
	return now > since ? (double)(now - since) / 1e6 : 0;
}

/* Of the oldest row that is not stored. */
static double
lag_seconds(const struct reader *r)
{
	int64_t oldest = units_oldest(&r->units);
	double lag, lost;

	/* Where nobody says what is stored, or before its end, it is the unit at hand. */
	if (oldest == 0 && r->pgo.in_transaction && r->pgo.in_unit)
		oldest = r->pgo.begin.time;
	lag = oldest != 0 ? age(wall_us(), oldest) : 0;
	if (session_streams(r) || r->ended != NULL)
		return lag;
	/* Whatever was committed since then is not stored. */
	lost = age(now_us(), r->lost_at);
	return lost > lag ? lost : lag;
}

void
observe_view(const struct reader *r, struct view *v)
{
	uint64_t done;

	*v = (struct view) { .state = state(r), .connected = session_streams(r),
		.standby = r->server.standby, .begun = r->started, .stores = r->sink != SINK_NONE };
	if (!v->begun)
		return;
	v->emitted = r->snapshot.commit_lsn;
	v->received = r->received_lsn > v->emitted ? r->received_lsn : v->emitted;
	v->stored = confirm_stored(r);
	v->confirmed = r->sent_flush > r->server.confirmed_flush ? r->sent_flush
	                                                        : r->server.confirmed_flush;
	v->server = r->watched.lsn > v->received ? r->watched.lsn : v->received;
	done = v->stores ? v->stored : r->idle_lsn;
	v->lag_bytes = v->server > done ? v->server - done : 0;
	v->lag_seconds = lag_seconds(r);
}

/*
 * /status
 */

static void
put_lsn(struct buf *out, const char *name, uint64_t lsn, bool known)
{
	char text[LSN_STRLEN];

	if (known)
		buf_printf(out, "\"%s\":\"%s\"", name, lsn_print(lsn, text));
	else
		buf_printf(out, "\"%s\":null", name);
}

static void
put_snapshot(struct buf *out, const struct snapshot *s)
{
	size_t loaded = 0, failed = 0;
	uint64_t done = 0, total = 0;

	for (size_t i = 0; i < s->tables; i++) {
		const struct table *t = s->table[i];

		loaded += t->state == TABLE_LOADED;
		failed += t->state == TABLE_FAILED;
		if (t->measured) {
			done += emit_done(s, t);
			total += t->blocks;
		}
	}
	buf_printf(out,
	    "\"snapshot\":{\"tables\":%zu,\"loaded\":%zu,\"failed\":%zu,\"blocks_done\":%llu,"
	    "\"blocks_total\":%llu,\"paused\":%s}",
	    s->tables, loaded, failed, (unsigned long long)done, (unsigned long long)total,
	    s->active && s->lagging ? "true" : "false");
}

unsigned
observe_status(void *reader, struct buf *out)
{
	const struct reader *r = reader;
	struct view v;
	bool knows;

	observe_view(r, &v);
	knows = v.begun && !v.standby;
	buf_adds(out, "{\"state\":");
	metrics_put_json(out, v.state);
	buf_adds(out, ",\"slot\":");
	metrics_put_json(out, r->o->slot);
	buf_printf(out, ",\"connected\":%s,\"lsn\":{", v.connected ? "true" : "false");
	put_lsn(out, "received", v.received, v.begun);
	buf_addc(out, ',');
	put_lsn(out, "emitted", v.emitted, v.begun);
	buf_addc(out, ',');
	put_lsn(out, "stored", v.stored, v.begun && v.stores);
	buf_addc(out, ',');
	put_lsn(out, "confirmed", v.confirmed, v.begun);
	buf_addc(out, ',');
	put_lsn(out, "server", v.server, v.begun);
	buf_adds(out, "},");
	if (knows)
		buf_printf(out, "\"lag_bytes\":%llu,\"lag_seconds\":%.3f,",
		    (unsigned long long)v.lag_bytes, v.lag_seconds);
	else
		buf_adds(out, "\"lag_bytes\":null,\"lag_seconds\":null,");
	if (v.connected && r->watched.known)
		buf_printf(out, "\"retained_bytes\":%llu,", (unsigned long long)r->watched.retained);
	else
		buf_adds(out, "\"retained_bytes\":null,");
	buf_printf(out, "\"units\":%llu,\"units_open\":%llu,", (unsigned long long)r->pgo.seq,
	    (unsigned long long)(r->units.emitted - r->units.stored));
	put_snapshot(out, &r->snapshot);
	buf_adds(out, "}\n");
	return v.state == connecting ? 503 : 200;
}

/*
 * The port
 */

int
observe_open(struct reader *r)
{
	static const struct metrics_page pages[] = { { "/metrics", METRICS_TYPE, observe_metrics },
		{ "/status", "application/json", observe_status } };
	bool permanent;

	if (r->o->metrics.n == 0)
		return GO_ON;
	r->units.timed = true;
	r->metrics = metrics_http_open(&r->o->metrics, pages, sizeof(pages) / sizeof(pages[0]), r,
	    &permanent);
	if (r->metrics != NULL)
		return GO_ON;
	return permanent ? EXIT_PERMANENT : EXIT_TEMPORARY;
}

int
observe_fd(const struct reader *r)
{
	return r->metrics != NULL ? metrics_http_fd(r->metrics) : -1;
}

int64_t
observe_due(const struct reader *r, int64_t now)
{
	return r->metrics != NULL ? metrics_http_due(r->metrics, now) : INT64_MAX;
}

void
observe_run(struct reader *r)
{
	if (r->metrics != NULL)
		metrics_http_run(r->metrics, now_us());
}

void
observe_close(struct reader *r)
{
	metrics_http_close(r->metrics);
	r->metrics = NULL;
}

/*
 * The word for a supervisor
 */

void
observe_tell_open(struct reader *r)
{
	const char *text = getenv("PGCDC_STATE_FD");
	char *end = NULL;
	long fd = text != NULL ? strtol(text, &end, 10) : -1;

	r->tell_fd = -1;
	if (text == NULL || end == text || *end != '\0' || fd < 0 || fd > 65535 ||
	    fcntl((int)fd, F_SETFD, FD_CLOEXEC) != 0)
		return;
	r->tell_fd = (int)fd;
}

void
observe_tell(struct reader *r)
{
	struct pollfd p = { .fd = r->tell_fd, .events = POLLOUT };
	const char *now;
	char line[32];
	int n;

	if (r->tell_fd < 0 || (now = state(r)) == r->told || poll(&p, 1, 0) <= 0)
		return;
	n = snprintf(line, sizeof(line), "state %s\n", now);
	if (write(r->tell_fd, line, (size_t)n) == n)
		r->told = now;
	else if (errno != EAGAIN && errno != EINTR)
		r->tell_fd = -1;
}
