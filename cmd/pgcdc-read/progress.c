#include <stdio.h>
#include <unistd.h>

#include "log.h"
#include "session.h"

#define LOG_US      (10 * SECOND_US)
#define TERMINAL_US (SECOND_US / 2)

/* So much of a table is in the stream. */
static uint32_t
blocks_done(const struct snapshot *s, const struct table *t)
{
	uint32_t left = 0;

	for (size_t i = 0; i < t->ranges; i++)
		left += t->todo[i].to - t->todo[i].from;
	for (size_t i = 0; i < s->chunks; i++)
		if (s->chunk[i]->table == t && s->chunk[i]->state != CHUNK_EMITTED)
			left += s->chunk[i]->range.to - s->chunk[i]->range.from;
	return left < t->blocks ? t->blocks - left : 0;
}

static double
seconds(const struct table *t, int64_t now)
{
	return now > t->since ? (double)(now - t->since) / 1e6 : 1e-6;
}

static void
say(struct reader *r, const struct table *t, int64_t now)
{
	struct snapshot *s = &r->snapshot;
	uint32_t done = blocks_done(s, t), now_done = done > t->begun ? done - t->begun : 0;
	double part = t->blocks ? (double)done / t->blocks : 1, rate = (double)t->rows / seconds(t, now);
	/* Rows and time are this run's. */
	double left = now_done > 0 ? seconds(t, now) * (t->blocks - done) / now_done : 0;

	if (!s->on_terminal) {
		log_info("loading", kv_str("table", t->name), kv_uint("blocks", done),
		    kv_uint("of", t->blocks), kv_uint("percent", 100 * part),
		    kv_uint("rows", t->rows), kv_uint("rows_s", rate), kv_uint("left_s", left));
		return;
	}
	(void)fprintf(stderr, "\r%s: %u of %u blocks, %.0f%%, %.0f rows/s, %.0f s left\033[K", t->name,
	    done, t->blocks, 100 * part, rate, left);
	s->on_line = true;
}

void
progress_end(struct reader *r)
{
	if (r->snapshot.on_line)
		(void)fputc('\n', stderr);
	r->snapshot.on_line = false;
}

void
progress_tick(struct reader *r, int64_t now)
{
	struct snapshot *s = &r->snapshot;
	bool said = false;

	if (s->said_at == 0) {
		s->on_terminal = isatty(STDERR_FILENO) == 1;
		s->said_at = now;
	}
	if (now - s->said_at < (s->on_terminal ? TERMINAL_US : LOG_US))
		return;
	s->said_at = now;
	for (size_t i = s->first; i < s->tables; i++) {
		const struct table *t = s->table[i];

		/* Of many partitions, those at hand; a terminal has one line. */
		if (t->state != TABLE_READING || (t->unread == 0 && t->rows == 0) ||
		    (said && s->on_terminal))
			continue;
		say(r, t, now);
		said = true;
	}
}

void
progress_loaded(struct reader *r, const struct table *t)
{
	int64_t now = now_us();

	progress_end(r);
	log_info("a table is loaded", kv_str("table", t->name), kv_uint("rows", t->rows),
	    kv_uint("blocks", t->blocks), kv_real("seconds", seconds(t, now)));
}
