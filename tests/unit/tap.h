#ifndef TAP_H
#define TAP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/*
 * Tests in C that speak TAP: a test program includes this once, calls ok and its kin, and
 * ends with `return done_testing();`.  Names are printf-style.
 */

static int tap_count, tap_failed;

static inline bool ok_at(const char *file, int line, bool pass, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

static inline bool
ok_at(const char *file, int line, bool pass, const char *fmt, ...)
{
	va_list ap;

	printf("%sok %d - ", pass ? "" : "not ", ++tap_count);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	if (!pass) {
		tap_failed++;
		printf("# failed at %s:%d\n", file, line);
	}
	fflush(stdout);
	return pass;
}

/* Compares strings; NULL equals NULL alone. */
static inline bool
is_at(const char *file, int line, const char *got, const char *want, const char *name)
{
	bool same = got == NULL || want == NULL ? got == want : strcmp(got, want) == 0;

	ok_at(file, line, same, "%s", name);
	if (!same)
		printf(
		    "# got:  %s\n# want: %s\n", got ? got : "NULL", want ? want : "NULL");
	return same;
}

#define ok(pass, ...)       ok_at(__FILE__, __LINE__, (pass), __VA_ARGS__)
#define is(got, want, name) is_at(__FILE__, __LINE__, (got), (want), (name))

/* Print the plan; the result is the exit status. */
static inline int
done_testing(void)
{
	printf("1..%d\n", tap_count);
	return tap_failed > 0;
}

#endif
