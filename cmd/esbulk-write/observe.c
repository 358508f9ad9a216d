#include <sys/stat.h>

#include "exitcode.h"
#include "fdio.h"
#include "lsn.h"
#include "metrics.h"
#include "observe.h"

static const char starting[] = "starting", idle[] = "idle", delivering[] = "delivering",
		  waiting[] = "waiting", ending[] = "ending";
const char *const observe_states[] = { starting, idle, delivering, waiting, ending, NULL };

/* Has the lane something that was not taken, and comes again? */
static bool
is_troubled(const struct lane *lane)
{
	return (lane->busy || lane->waiting.count > 0) &&
	    (lane->failures > 0 || lane->unreadable > 0 || lane->loud_since != 0);
}

static const char *
state(const struct writer *w)
{
	const struct delivery *d = &w->delivery;

	if (!side_ready(&d->side))
		return d->side.failures > 0 ? waiting : starting;
	for (size_t i = 0; i < d->lanes; i++)
		if (is_troubled(&d->lane[i]))
			return waiting;
	if (w->ended)
		return ending;
	if (d->waiting > 0)
		return delivering;
	return w->in.offset == 0 ? starting : idle;
}

/* Of the oldest row that is not stored. */
static double
oldest_seconds(const struct writer *w)
{
	const struct frontier *f = &w->delivery.frontier;
	const struct unit *u;
	int64_t now, since;

	if (f->first == f->end)
		return 0;
	u = frontier_unit(f, f->first);
	if (u->open == 0)
		return 0;
	now = u->time > 0 ? wall_us() : now_us();
	since = u->time > 0 ? u->time : w->stood_since;
	return now > since ? (double)(now - since) / 1e6 : 0;
}

void
observe_view(const struct writer *w, struct view *v)
{
	const struct delivery *d = &w->delivery;
	const struct nodes *nodes = &d->nodes;
	int64_t now = now_us();
	struct stat st;

	*v = (struct view) { .state = state(w), .oldest_seconds = oldest_seconds(w),
		.units_open = d->frontier.end - d->frontier.first, .stored = d->frontier.lsn,
		.acked = w->ack.path != NULL ? w->ack.sent_lsn : 0, .dead_bytes = -1 };
	for (size_t i = 0; i < nodes->n; i++) {
		v->nodes += nodes->node[i]->used;
		v->resting += nodes->node[i]->used && nodes->node[i]->rest_until > now;
	}
	if (d->dead.path != NULL && fstat(d->dead.fd, &st) == 0)
		v->dead_bytes = st.st_size;
}

/*
 * /status
 */

static void
put_lsn(struct buf *out, const char *name, uint64_t lsn)
{
	char text[LSN_STRLEN];

	if (lsn != 0)
		buf_printf(out, "\"%s\":\"%s\"", name, lsn_print(lsn, text));
	else
		buf_printf(out, "\"%s\":null", name);
}

static void
put_count(struct buf *out, const char *name, uint64_t n)
{
	buf_printf(out, ",\"%s\":%llu", name, (unsigned long long)n);
}

unsigned
observe_status(void *writer, struct buf *out)
{
	struct writer *w = writer;
	struct delivery *d = &w->delivery;
	struct tally *t = &d->tally;
	struct view v;

	observe_view(w, &v);
	buf_adds(out, "{\"state\":");
	metrics_put_json(out, v.state);
	buf_printf(out, ",\"connected\":%s,\"problem\":",
	    !t->asked ? "null" : t->connected ? "true" : "false");
	if (v.state == waiting)
		metrics_put_json(out, buf_cstr(&t->problem));
	else
		buf_adds(out, "null");
	buf_adds(out, ",\"lsn\":{");
	put_lsn(out, "received", w->received_lsn);
	buf_addc(out, ',');
	put_lsn(out, "stored", v.stored);
	buf_addc(out, ',');
	put_lsn(out, "acked", v.acked);
	buf_printf(out, "},\"oldest_unstored_seconds\":%.3f", v.oldest_seconds);
	put_count(out, "units_open", v.units_open);
	buf_printf(out, ",\"queue\":{\"bytes\":%zu,\"limit_bytes\":%zu,\"actions\":%zu}",
	    d->queue.used, d->queue.limit, d->waiting);
	put_count(out, "in_flight", d->busy);
	put_count(out, "lanes", d->pace.lanes);
	put_count(out, "stored", d->stored + d->coalesced);
	put_count(out, "ignored",
	    t->ignored[TALLY_CONFLICT] + t->ignored[TALLY_MISSING] + t->ignored[TALLY_COALESCED]);
	put_count(out, "rejected", t->rejected);
	put_count(out, "retries", d->retries);
	if (v.dead_bytes >= 0) {
		put_count(out, "dead_letters", d->dead_letters);
		put_count(out, "dead_letter_bytes", (uint64_t)v.dead_bytes);
	} else {
		buf_adds(out, ",\"dead_letters\":null,\"dead_letter_bytes\":null");
	}
	buf_adds(out, "}\n");
	return t->asked && !t->connected ? 503 : 200;
}

/*
 * Where to ask
 */

int
observe_open(struct writer *w)
{
	static const struct metrics_page pages[] = { { "/metrics", METRICS_TYPE, observe_metrics },
		{ "/status", "application/json", observe_status } };
	bool permanent;

	if (w->o->metrics.n == 0)
		return -1;
	/* What is there from the start can be seen to grow. */
	(void)tally_find(&w->delivery.tally, "", 0);
	w->metrics = metrics_http_open(
	    &w->o->metrics, pages, sizeof(pages) / sizeof(pages[0]), w, &permanent);
	if (w->metrics != NULL)
		return -1;
	return permanent ? EXIT_PERMANENT : EXIT_TEMPORARY;
}

int
observe_fd(const struct writer *w)
{
	return metrics_http_fd(w->metrics);
}

int64_t
observe_due(const struct writer *w, int64_t now)
{
	return w->metrics != NULL ? metrics_http_due(w->metrics, now) : INT64_MAX;
}

void
observe_look(struct writer *w, int64_t now)
{
	const struct frontier *f = &w->delivery.frontier;

	if (f->first == w->stood_at && f->first != f->end && w->stood_since != 0)
		return;
	w->stood_at = f->first;
	w->stood_since = now;
}

void
observe_run(struct writer *w)
{
	metrics_http_run(w->metrics, now_us());
}

void
observe_close(struct writer *w)
{
	metrics_http_close(w->metrics);
	w->metrics = NULL;
}
