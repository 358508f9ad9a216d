#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exitcode.h"
#include "log.h"
#include "utf8.h"
#include "wrap.h"

/* So much of a line is one event: with escapes it can be less that fits, which log.c
 * cuts. */
#define PIECE 2048

/* What was not an event of the line that came last. */
static char last[PIECE];
static size_t last_len;

/* Does it begin as the pattern has it?  0 is a digit. */
static bool
begins(const char *s, size_t n, const char *pattern)
{
	for (; *pattern != '\0'; pattern++, s++, n--)
		if (n == 0 ||
		    (*pattern == '0' ? !isdigit((unsigned char)*s) : *s != *pattern))
			return false;
	return true;
}

/* p is behind the opening quote.  Behind the closing one, or NULL: it is no JSON. */
static const char *
skip_string(const char *p, const char *end)
{
	for (; p < end && *p != '"'; p++) {
		if ((unsigned char)*p < 0x20)
			return NULL;
		if (*p != '\\')
			continue;
		if (++p == end || strchr("\"\\/bfnrtu", *p) == NULL || *p == '\0')
			return NULL;
		for (int i = *p == 'u' ? 4 : 0; i > 0; i--)
			if (++p == end || !isxdigit((unsigned char)*p))
				return NULL;
	}
	return p < end ? p + 1 : NULL;
}

static const char *
skip_digits(const char *p, const char *end)
{
	while (p < end && isdigit((unsigned char)*p))
		p++;
	return p;
}

/* A number, true, false or null, likewise. */
static const char *
skip_word(const char *p, const char *end)
{
	static const char *const words[] = { "true", "false", "null" };
	const char *from;

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (begins(p, (size_t)(end - p), words[i]))
			return p + strlen(words[i]);
	p += p < end && *p == '-';
	from = p;
	p = skip_digits(p, end);
	if (p == from || (*from == '0' && p > from + 1))
		return NULL;
	if (p < end && *p == '.') {
		from = ++p;
		if ((p = skip_digits(p, end)) == from)
			return NULL;
	}
	if (p < end && (*p == 'e' || *p == 'E')) {
		p++;
		p += p < end && (*p == '+' || *p == '-');
		from = p;
		if ((p = skip_digits(p, end)) == from)
			return NULL;
	}
	return p;
}

/* A whole JSON object as log.c has it: no blanks between, nothing nested. */
static bool
is_flat_object(const char *s, size_t n)
{
	const char *p = s, *end = s + n;

	if (!utf8_valid(s, n))
		return false;
	for (char before = '{'; p < end && *p == before; before = ',') {
		p++;
		if (p == end || *p != '"' || (p = skip_string(p + 1, end)) == NULL || p == end ||
		    *p++ != ':' || p == end)
			return false;
		p = *p == '"' ? skip_string(p + 1, end) : skip_word(p, end);
		if (p == NULL)
			return false;
	}
	return p == end - 1 && *p == '}';
}

static bool
is_event(const char *s, size_t n)
{
	static const char *const levels[] = { "error", "warn", "info", "debug" };
	const char *format = getenv("PGCDC_LOG");
	bool json = format != NULL && strcmp(format, "json") == 0;
	char head[64];

	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		snprintf(head, sizeof(head),
		    json ? "{\"time\":\"%s\",\"level\":\"%s\",\"program\":\"" : "%s %s ",
		    "0000-00-00T00:00:00.000Z", levels[i]);
		if (begins(s, n, head))
			return !json || is_flat_object(s, n);
	}
	return false;
}

/* As one event, or several. */
static void
take_text(const char *s, size_t n)
{
	for (size_t piece; n > 0; s += piece, n -= piece) {
		char text[PIECE + 1];

		piece = n < PIECE ? n : PIECE;
		/* Not within a character. */
		while (piece < n && piece > PIECE - 4 &&
		       ((unsigned char)s[piece] & 0xc0) == 0x80)
			piece--;
		memcpy(text, s, piece);
		for (size_t i = 0; i < piece; i++)
			if (text[i] == '\0')
				text[i] = ' ';
		text[piece] = '\0';
		log_info(text);
		memcpy(last, text, piece);
		last_len = piece;
	}
}

/* s[n] is the line's end, or may be written to. */
static void
take_line(char *s, size_t n)
{
	while (n > 0 && s[n - 1] == '\r')
		n--;
	if (n == 0)
		return;
	if (!is_event(s, n)) {
		take_text(s, n);
		return;
	}
	last_len = 0;
	s[n] = '\n';
	/* There is nowhere left to say that it cannot be written. */
	if (write(STDERR_FILENO, s, n + 1) < 0)
		errno = 0;
}

/* How much of a line that is yet to come in whole: no part of a character at its end. */
static size_t
whole(const char *s, size_t n)
{
	for (size_t back = 1; back < 4 && back < n; back++)
		if (((unsigned char)s[n - back] & 0xc0) == 0xc0)
			return n - back;
	return n;
}

int
wrap(void)
{
	/* An event has at most 4096 bytes; a line without an end is taken in pieces. */
	static char text[2 * 4096 + 1];
	size_t len = 0;
	ssize_t n;
	int code = EXIT_DONE;

	signal(SIGHUP, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	for (;;) {
		char *line = text, *end;

		n = read(STDIN_FILENO, text + len, sizeof(text) - 1 - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += (size_t)n;
		while ((end = memchr(line, '\n', len - (size_t)(line - text))) != NULL) {
			take_line(line, (size_t)(end - line));
			line = end + 1;
		}
		len -= (size_t)(line - text);
		memmove(text, line, len);
		if (len == sizeof(text) - 1) {
			size_t taken = whole(text, len);

			take_text(text, taken);
			len -= taken;
			memmove(text, text + taken, len);
		}
	}
	if (n < 0) {
		log_warn(
		    "cannot read what the mapper says", kv_str("error", strerror(errno)));
		code = EXIT_TEMPORARY;
	}
	take_line(text, len);
	if (last_len > 0)
		log_reason(last, last_len, (const struct kv[]){ { .key = 0 } });
	return code;
}
