#include <stdio.h>
#include <stdlib.h>

#include "buf.h"
#include "names.h"

enum { MAX_NAME = 255 };

static bool
has_any(struct slice s, const char *set)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] != '\0' && strchr(set, s.p[i]) != NULL)
			return true;
	return false;
}

char *
index_name_error(struct slice s)
{
	char *text;

	if (has_any(s, " \"*\\<|,>/?"))
		return xstrdup(
		    "must not contain the following characters [ , \", *, \\, <, |, ,, >, "
		    "/, ?]");
	if (s.n == 0)
		return xstrdup("must not be empty");
	if (has_any(s, "#"))
		return xstrdup("must not contain '#'");
	if (has_any(s, ":"))
		return xstrdup("must not contain ':'");
	if (strchr("_-+", *s.p) != NULL)
		return xstrdup("must not start with '_', '-', or '+'");
	if (s.n > MAX_NAME) {
		if (asprintf(&text, "index name is too long, (%zu > %d)", s.n,
			(int)MAX_NAME) < 0)
			oom();
		return text;
	}
	if (slice_is(s, ".") || slice_is(s, ".."))
		return xstrdup("must not be '.' or '..'");
	if (has_any(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
		return xstrdup("must be lowercase");
	return NULL;
}
