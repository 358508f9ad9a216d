#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "template.h"

#define FILE_MAX ((size_t)64 * 1024 * 1024)

/* All that is in the file, to be freed; NULL: it cannot be read, which was logged. */
static char *
read_all(const char *path)
{
	struct buf b = { 0 };
	FILE *f = fopen(path, "re");
	size_t n = 0;

	while (f != NULL && b.len < FILE_MAX &&
	    (n = fread(buf_reserve(&b, 65536), 1, 65536, f)) > 0)
		b.len += n;
	if (f == NULL || ferror(f) || b.len >= FILE_MAX) {
		log_error("cannot read index templates", kv_str("file", path),
		    kv_str("error", b.len >= FILE_MAX ? "it is too long" : strerror(errno)));
		if (f != NULL)
			fclose(f);
		buf_free(&b);
		return NULL;
	}
	fclose(f);
	return buf_cstr(&b);
}

static int
wrong(const char *file, const char *path, const char *why)
{
	log_error("a file of index templates is wrong", kv_str("file", file),
	    kv_str("template", path), kv_str("reason", why));
	return -1;
}

static int
add(struct templates *ts, const char *file, char *path, const char *body, size_t n)
{
	struct json_text text = json_trim((struct json_text) { body, n });

	if (text.n == 0 || *text.p != '{' || !json_valid(text))
		return wrong(file, path, "its body is no JSON object");
	ts->template = xrealloc(ts->template, (ts->n + 1) * sizeof(*ts->template));
	ts->template[ts->n++] = (struct template) { path, xstrndup(text.p, text.n) };
	return 0;
}

/* Letters, digits and a few more, so that it needs no escapes. */
static bool
plain_name(const char *s, size_t n)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789-._~%";

	return n > 0 && strspn(s, plain) >= n;
}

static bool
is_template_path(const char *p)
{
	static const char *const kinds[] = { "/_index_template/", "/_component_template/",
		"/_template/" };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		size_t n = strlen(kinds[i]);

		if (strncmp(p, kinds[i], n) == 0)
			return plain_name(p + n, strlen(p + n));
	}
	return false;
}

/* Where the next request's line begins, or the end. */
static char *
next_put(char *p)
{
	while (*p != '\0' && strncmp(p, "PUT ", 4) != 0) {
		p += strcspn(p, "\n");
		p += *p == '\n';
	}
	return p;
}

static int
read_requests(struct templates *ts, const char *file, char *text)
{
	char *p = next_put(text);

	if (*p == '\0' || text[strspn(text, " \t\r\n")] != 'P')
		return wrong(file, NULL,
		    "it does not begin with a line of PUT /_index_template/NAME; for a file "
		    "with a body alone give NAME=FILE");
	while (*p != '\0') {
		char *path = p + 4, *body, *end;

		path += strspn(path, " \t");
		end = path + strcspn(path, " \t\r\n");
		body = end + strcspn(end, "\n");
		p = next_put(body);
		path = xstrndup(path, (size_t)(end - path));
		if (!is_template_path(path))
			return wrong(file, path, "it is put to no place of templates");
		if (add(ts, file, path, body, (size_t)(p - body)) != 0)
			return -1;
	}
	return 0;
}

int
templates_read(struct templates *ts, const char *argument)
{
	const char *equals = strchr(argument, '=');
	struct buf path = { 0 };
	char *text;
	int rc;

	/* A name holds no slash, a path with = in it can have one before. */
	if (equals != NULL && plain_name(argument, (size_t)(equals - argument))) {
		buf_printf(&path, "/_index_template/%.*s", (int)(equals - argument), argument);
		argument = equals + 1;
	}
	text = read_all(argument);
	if (text == NULL)
		return -1;
	rc = path.len > 0 ? add(ts, argument, buf_cstr(&path), text, strlen(text))
	                  : read_requests(ts, argument, text);
	free(text);
	return rc;
}
