#include <string.h>

#include <curl/curl.h>

#include "buf.h"
#include "target.h"

/*
 * A path that every party takes for the same: no dots or double slashes, which libcurl,
 * proxies and signatures each treat in a way of their own.
 */
static bool
plain_path(const char *path)
{
	return strstr(path, "//") == NULL && strstr(path, "/./") == NULL &&
	    strstr(path, "/../") == NULL && strpbrk(path, "?#\\ \t\r\n") == NULL;
}

/* The Host header as libcurl makes it: the port only where it is not the scheme's. */
static char *
make_host(CURLU *u)
{
	struct buf b = { 0 };
	char *host = NULL, *port = NULL;

	if (curl_url_get(u, CURLUPART_HOST, &host, 0) != CURLUE_OK)
		return NULL;
	buf_adds(&b, host);
	if (curl_url_get(u, CURLUPART_PORT, &port, CURLU_NO_DEFAULT_PORT) == CURLUE_OK)
		buf_printf(&b, ":%s", port);
	curl_free(host);
	curl_free(port);
	return buf_cstr(&b);
}

static const char *
parse_unix(struct target *t, const char *path)
{
	/* sun_path's size; see unix(7). */
	if (path[0] != '/' || strlen(path) >= 108)
		return "unix: is followed by the path of a socket, at most 107 bytes, from /";
	t->unix_path = xstrdup(path);
	t->base = xstrdup("http://localhost");
	t->host = xstrdup("localhost");
	return NULL;
}

static const char *
parse_http(struct target *t)
{
	const char *rest = t->url + (t->tls ? 8 : 7);
	CURLU *u;
	size_t n = strlen(t->url);

	while (n > 0 && t->url[n - 1] == '/')
		t->url[--n] = '\0';
	if (*rest == '\0' || *rest == '/' || !plain_path(rest))
		return "not the URL of a node";
	u = curl_url();
	if (u == NULL)
		oom();
	if (curl_url_set(u, CURLUPART_URL, t->url, 0) == CURLUE_OK)
		t->host = make_host(u);
	curl_url_cleanup(u);
	if (t->host == NULL)
		return "not the URL of a node";
	t->base = xstrdup(t->url);
	return NULL;
}

const char *
target_parse(struct target *t, const char *text, bool *show)
{
	const char *rest;

	*t = (struct target) { .url = xstrdup(text) };
	*show = true;
	if (strncmp(text, "unix:", 5) == 0)
		return parse_unix(t, text + 5);
	t->tls = strncmp(text, "https://", 8) == 0;
	if (!t->tls && strncmp(text, "http://", 7) != 0)
		return "a URL starts with http://, https:// or unix:/";
	rest = text + (t->tls ? 8 : 7);
	/* What must not stand on a command line, where others see it, is not shown again. */
	*show = strchr(rest, '@') == NULL;
	if (!*show)
		return "no password on the command line: use --user and --password-file";
	return parse_http(t);
}
