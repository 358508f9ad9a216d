#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exitcode.h"
#include "log.h"
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

static bool
is_event(const char *s, size_t n)
{
	static const char *const levels[] = { " error ", " warn ", " info ", " debug " };
	static const char time[] = "0000-00-00T00:00:00.000Z";
	const char *format = getenv("PGCDC_LOG");

	if (format != NULL && strcmp(format, "json") == 0)
		return begins(s, n, "{\"time\":\"0000-") && s[n - 1] == '}';
	if (!begins(s, n, time))
		return false;
	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
		if (begins(s + sizeof(time) - 1, n - (sizeof(time) - 1), levels[i]))
			return true;
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
