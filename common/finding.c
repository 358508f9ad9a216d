#include <sys/stat.h>
#include <sys/statvfs.h>

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exitcode.h"
#include "finding.h"

/* Less free than this is worth a word, and than that is an error. */
#define SCARCE (UINT64_C(1024) * 1024 * 1024)
#define FULL   (UINT64_C(16) * 1024 * 1024)

static const char *const words[] = { [FINDING_OK] = "ok", [FINDING_WARNING] = "warning",
	[FINDING_ERROR] = "error", [FINDING_TEMPORARY] = "error" };

static void
put_field(const char *s)
{
	for (; *s != '\0'; s++) {
		switch (*s) {
		case '\n': fputs("\\n", stdout); break;
		case '\t': fputs("\\t", stdout); break;
		case '\\': fputs("\\\\", stdout); break;
		default: putchar((unsigned char)*s < ' ' ? ' ' : *s);
		}
	}
}

static void
put_lines(const char *s, const char *indent)
{
	fputs(indent, stdout);
	for (; *s != '\0'; s++) {
		putchar((unsigned char)*s < ' ' && *s != '\n' ? ' ' : *s);
		if (*s == '\n')
			fputs(indent, stdout);
	}
	putchar('\n');
}

void
finding(struct findings *f, enum finding_level level, const char *name, const char *remedy,
    const char *fmt, ...)
{
	struct buf text = { 0 };
	va_list ap;
	char *s;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) < 0)
		oom();
	va_end(ap);
	buf_adds(&text, s);
	free(s);
	f->warnings += level == FINDING_WARNING;
	f->errors += level == FINDING_ERROR;
	f->temporary += level == FINDING_TEMPORARY;
	if (f->fields) {
		printf("%s\t", words[level]);
		put_field(name);
		putchar('\t');
		put_field(buf_cstr(&text));
		putchar('\t');
		put_field(remedy != NULL ? remedy : "");
		putchar('\n');
	} else {
		printf("%-8s ", words[level]);
		fputs(name, stdout);
		fputs(": ", stdout);
		put_lines(buf_cstr(&text), "");
		if (remedy != NULL && *remedy != '\0')
			put_lines(remedy, "         ");
	}
	/* What comes next may take its time. */
	(void)fflush(stdout);
	buf_free(&text);
}

int
findings_exit(const struct findings *f)
{
	if (fflush(stdout) != 0 || ferror(stdout))
		return EXIT_TEMPORARY;
	return f->errors > 0 ? EXIT_PERMANENT : f->temporary > 0 ? EXIT_TEMPORARY : EXIT_DONE;
}

const char *
finding_size(char text[FINDING_SIZE], uint64_t bytes)
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB" };
	double d = (double)bytes / 1024;
	size_t u = 0;

	if (bytes < 1024) {
		snprintf(text, FINDING_SIZE, "%u bytes", (unsigned)bytes);
		return text;
	}
	for (; d >= 1000 && u + 1 < sizeof(units) / sizeof(units[0]); u++)
		d /= 1024;
	snprintf(text, FINDING_SIZE, "%.1f %s", d, units[u]);
	return text;
}

void
finding_put_word(struct buf *b, const char *s)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789-._/:=,@%+";

	if (*s != '\0' && s[strspn(s, plain)] == '\0') {
		buf_adds(b, s);
		return;
	}
	buf_addc(b, '\'');
	for (; *s != '\0'; s++) {
		if (*s == '\'')
			buf_adds(b, "'\\''");
		else
			buf_addc(b, *s);
	}
	buf_addc(b, '\'');
}

static void
not_writable(struct findings *f, const char *name, const char *directory, const char *what,
    const char *advice)
{
	int why = errno;
	const struct passwd *user = getpwuid(geteuid());
	struct buf b = { 0 };

	if (why == ENOENT)
		buf_adds(&b, "run: mkdir -p ");
	else if (why == EROFS)
		buf_adds(&b, "run: mount -o remount,rw --target ");
	else if (user != NULL)
		buf_printf(&b, "run: chown %s ", user->pw_name);
	else
		buf_printf(&b, "run: chown %u ", (unsigned)geteuid());
	finding_put_word(&b, directory);
	buf_printf(&b, "\nor %s", advice);
	finding(f, FINDING_ERROR, name, buf_cstr(&b), "%s: cannot make files in %s: %s", what,
	    directory, strerror(why));
	buf_free(&b);
}

void
finding_directory(struct findings *f, const char *name, const char *directory, const char *what,
    const char *advice)
{
	char size[FINDING_SIZE];
	struct statvfs fs;
	struct stat st;
	uint64_t bytes;
	struct buf b = { 0 };

	if (stat(directory, &st) == 0 && !S_ISDIR(st.st_mode))
		errno = ENOTDIR;
	else if (faccessat(AT_FDCWD, directory, W_OK | X_OK, AT_EACCESS) == 0)
		errno = 0;
	if (errno == ENOTDIR) {
		finding(f, FINDING_ERROR, name, advice, "%s: %s is no directory", what, directory);
		return;
	}
	if (errno != 0 || statvfs(directory, &fs) != 0) {
		not_writable(f, name, directory, what, advice);
		return;
	}
	bytes = (uint64_t)fs.f_bavail * fs.f_frsize;
	if (bytes < SCARCE) {
		buf_printf(&b, "make room on that disk, or %s", advice);
		finding(f, bytes < FULL ? FINDING_ERROR : FINDING_WARNING, name, buf_cstr(&b),
		    "%s: only %s are free in %s", what, finding_size(size, bytes), directory);
	} else {
		finding(f, FINDING_OK, name, NULL, "%s: %s free in %s", what,
		    finding_size(size, bytes), directory);
	}
	buf_free(&b);
}
