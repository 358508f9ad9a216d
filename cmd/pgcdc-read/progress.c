#include <sys/ioctl.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "log.h"
#include "session.h"
#include "utf8.h"

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

/* So many characters has a line; 0: nobody knows. */
static size_t
terminal_width(void)
{
	struct winsize w;

	return ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 ? w.ws_col : 0;
}

/*
 * So much of a name as fits in so many columns, without what moves a terminal's cursor: control
 * characters, and bytes that are no characters.  What is not Latin, Greek or the like may be wide.
 */
static void
put_name(struct buf *b, const char *name, size_t columns)
{
	size_t n = strlen(name);

	for (size_t i = 0, len; i < n; i += len) {
		unsigned char c = (unsigned char)name[i];
		bool plain;

		len = utf8_char(name + i, n - i);
		plain = len > 0 && c >= 0x20 && c != 0x7f && (c != 0xc2 || (unsigned char)name[i + 1] >= 0xa0);
		if (columns < (len > 2 ? 2 : 1))
			return;
		columns -= len > 2 ? 2 : 1;
		buf_add(b, plain ? name + i : "?", plain ? len : 1);
		len = len > 0 ? len : 1;
	}
}

/* The line of a terminal, over the one before; no longer than it, or it could not be. */
static void
show(struct snapshot *s, const char *name, const char *figures)
{
	size_t width = terminal_width(), figured = strlen(figures);
	struct buf b = { 0 };

	/* In the last column some go to the next line already. */
	width = width > 0 ? width - 1 : SIZE_MAX;
	figured = figured < width ? figured : width;
	buf_addc(&b, '\r');
	put_name(&b, name, width - figured);
	buf_add(&b, figures, figured);
	buf_adds(&b, "\033[K");
	(void)!write(STDERR_FILENO, b.data, b.len);
	buf_free(&b);
	s->on_line = true;
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
	char figures[160];
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
	(void)snprintf(figures, sizeof(figures), ": %u of %u blocks, %.0f%%, %.0f rows/s, %.0f s left",
	    done, t->blocks, 100 * part, rate, left);
	show(s, t->name, figures);
}

static void
end_line(void *snapshot)
{
	struct snapshot *s = snapshot;

	if (s->on_line)
		(void)!write(STDERR_FILENO, "\n", 1);
	s->on_line = false;
}

void
progress_end(struct reader *r)
{
	end_line(&r->snapshot);
}

void
progress_tick(struct reader *r, int64_t now)
{
	struct snapshot *s = &r->snapshot;
	bool said = false;

	if (s->said_at == 0) {
		s->on_terminal = isatty(STDERR_FILENO) == 1;
		if (s->on_terminal)
			log_before(end_line, s);
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
