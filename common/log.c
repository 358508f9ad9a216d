#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "lsn.h"
#include "utf8.h"

/* Longer events are cut: a line must stay one write, whatever a server said. */
#define LINE_MAX_BYTES 4096

/* A reason that is longer takes up no more pairs. */
#define REASON_MAX_BYTES 1024

struct line {
	char text[LINE_MAX_BYTES];
	size_t len;
};

static const char *program_name = "pgcdc";
static enum log_level max_level = LOG_INFO;
static bool json;
static int reason_fd = -1;
static void (*before)(void *);
static void *before_arg;

static const char *const level_names[] = { "error", "warn", "info", "debug" };

void
log_init(const char *program, int verbose)
{
	const char *format = getenv("PGCDC_LOG"), *path = getenv("PGCDC_REASON");

	program_name = program;
	max_level = verbose > 0 ? LOG_DEBUG : LOG_INFO;
	json = format != NULL && strcmp(format, "json") == 0;
	/* Now, for a program in its sandbox opens nothing. */
	if (reason_fd >= 0)
		close(reason_fd);
	reason_fd = path == NULL || *path == '\0'
	    ? -1
	    : open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NONBLOCK, 0600);
}

void
log_before(void (*f)(void *), void *arg)
{
	before = f;
	before_arg = arg;
}

bool
log_on(enum log_level level)
{
	return level <= max_level;
}

/* Room is kept for what closes the line. */
static void
put(struct line *l, const char *s, size_t n)
{
	size_t room = sizeof(l->text) - 8 - l->len;

	if (n > room)
		n = room;
	memcpy(l->text + l->len, s, n);
	l->len += n;
}

static void
puts_line(struct line *l, const char *s)
{
	put(l, s, strlen(s));
}

/*
 * A string in quotes, JSON's escapes; they read well in plain text, too.  Bytes that are no
 * UTF-8 become U+FFFD, and where the line is full it ends between characters: also with a
 * row's bytes in it, JSON must stay JSON.
 */
static void
put_quoted(struct line *l, const char *s, size_t n)
{
	puts_line(l, "\"");
	for (size_t i = 0, len; i < n && l->len <= sizeof(l->text) - 24; i += len) {
		unsigned char c = (unsigned char)s[i];
		char esc[8];

		len = utf8_char(s + i, n - i);
		if (c == '"' || c == '\\') {
			snprintf(esc, sizeof(esc), "\\%c", c);
			puts_line(l, esc);
		} else if (c == '\n') {
			puts_line(l, "\\n");
		} else if (c < 0x20 || c == 0x7f) {
			snprintf(esc, sizeof(esc), "\\u%04x", c);
			puts_line(l, esc);
		} else if (len == 0) {
			puts_line(l, "\\ufffd");
			len = 1;
		} else {
			put(l, s + i, len);
		}
	}
	puts_line(l, "\"");
}

static bool
needs_quotes(const char *s, size_t n)
{
	if (n == 0)
		return true;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] <= ' ' || s[i] == '"' || s[i] == '=' ||
		    s[i] == '\\' || (unsigned char)s[i] >= 0x7f)
			return true;
	return false;
}

static void
put_string(struct line *l, const char *s, size_t n)
{
	if (json || needs_quotes(s, n))
		put_quoted(l, s, n);
	else
		put(l, s, n);
}

static void
put_value(struct line *l, const struct kv *kv)
{
	char tmp[64];

	switch (kv->type) {
	case KV_STR:
		put_string(l, kv->v.s, strlen(kv->v.s));
		return;
	case KV_STRN:
		put_string(l, kv->v.s, kv->len);
		return;
	case KV_LSN:
		lsn_print(kv->v.u, tmp);
		put_string(l, tmp, strlen(tmp));
		return;
	case KV_INT: snprintf(tmp, sizeof(tmp), "%lld", (long long)kv->v.i); break;
	case KV_UINT: snprintf(tmp, sizeof(tmp), "%llu", (unsigned long long)kv->v.u); break;
	case KV_REAL:
		snprintf(tmp, sizeof(tmp), "%.3f", isfinite(kv->v.d) ? kv->v.d : 0);
		break;
	case KV_END: return;
	}
	puts_line(l, tmp);
}

/* What is left of a string in a line that people read: no control characters. */
static void
put_plain(struct line *l, const char *s, size_t n)
{
	for (size_t i = 0, len; i < n && l->len <= sizeof(l->text) - 24; i += len) {
		unsigned char c = (unsigned char)s[i];

		len = utf8_char(s + i, n - i);
		if (len == 0)
			puts_line(l, "?");
		else if (c < 0x20 || c == 0x7f)
			puts_line(l, " ");
		else
			put(l, s + i, len);
		len = len == 0 ? 1 : len;
	}
}

void
log_reason(const char *msg, size_t n, const struct kv *kvs)
{
	struct line l = { .len = 0 };
	const char *between = " (";
	char lsn[64];

	if (reason_fd < 0)
		return;
	put_plain(&l, msg, n);
	for (const struct kv *kv = kvs; kv->type != KV_END; kv++) {
		if (kv->type == KV_STR && kv->v.s == NULL)
			continue;
		if (l.len > REASON_MAX_BYTES)
			break;
		puts_line(&l, between);
		puts_line(&l, kv->key);
		puts_line(&l, ": ");
		if (kv->type == KV_STR)
			put_plain(&l, kv->v.s, strlen(kv->v.s));
		else if (kv->type == KV_STRN)
			put_plain(&l, kv->v.s, kv->len);
		else if (kv->type == KV_LSN)
			put_plain(&l, lsn, strlen(lsn_print(kv->v.u, lsn)));
		else
			put_value(&l, kv);
		between = "; ";
	}
	if (*between == ';')
		puts_line(&l, ")");
	l.text[l.len++] = '\n';
	/* It is one more telling of what the log has: nothing is lost where it cannot be written. */
	if (ftruncate(reason_fd, 0) != 0 || pwrite(reason_fd, l.text, l.len, 0) < 0)
		errno = 0;
}

static void
put_time(struct line *l)
{
	struct timespec now;
	struct tm tm;
	char tmp[48];

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	snprintf(tmp, sizeof(tmp), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
	    (tm.tm_year + 1900) % 10000, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
	    tm.tm_sec, (int)(now.tv_nsec / 1000000));
	puts_line(l, tmp);
}

void
log_event(enum log_level level, const char *msg, const struct kv *kvs)
{
	struct line l;
	int saved = errno;

	if (!log_on(level))
		return;
	l.len = 0;
	if (json)
		puts_line(&l, "{\"time\":\"");
	put_time(&l);
	puts_line(&l, json ? "\",\"level\":\"" : " ");
	puts_line(&l, level_names[level]);
	puts_line(&l, json ? "\",\"program\":\"" : " ");
	puts_line(&l, program_name);
	puts_line(&l, json ? "\",\"msg\":" : " msg=");
	put_quoted(&l, msg, strlen(msg));
	for (const struct kv *kv = kvs; kv->type != KV_END; kv++) {
		if (kv->type == KV_STR && kv->v.s == NULL)
			continue;
		/* A pair that would not fit whole is left out: JSON must stay JSON. */
		if (l.len > sizeof(l.text) - 128)
			break;
		puts_line(&l, json ? ",\"" : " ");
		puts_line(&l, kv->key);
		puts_line(&l, json ? "\":" : "=");
		put_value(&l, kv);
	}
	if (json)
		puts_line(&l, "}");
	l.text[l.len++] = '\n';
	if (before != NULL)
		before(before_arg);
	/* There is nowhere left to report a log that cannot be written. */
	if (write(STDERR_FILENO, l.text, l.len) < 0)
		errno = saved;
	if (level == LOG_ERROR)
		log_reason(msg, strlen(msg), kvs);
	errno = saved;
}
