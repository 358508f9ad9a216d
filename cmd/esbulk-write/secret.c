#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base64.h"
#include "log.h"
#include "secret.h"

#define FILE_MAX ((size_t)64 * 1024) /* tokens can be long */

static void
forget(char *secret)
{
	if (secret == NULL)
		return;
	explicit_bzero(secret, strlen(secret));
	free(secret);
}

/* The whole file, to be forgotten; NULL: logged. */
static char *
read_file(const char *path, const char *what)
{
	char *text = xmalloc(FILE_MAX + 1);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : 0;
	size_t len = 0;

	/* A pipe may give it in parts. */
	while (fd >= 0 && len < FILE_MAX && (n = read(fd, text + len, FILE_MAX - len)) > 0)
		len += (size_t)n;
	if (n < 0)
		log_error("cannot read a secret", kv_str("what", what), kv_str("file", path),
		    kv_str("error", strerror(errno)));
	else if (len == FILE_MAX)
		log_error("a secret's file is too long", kv_str("what", what),
		    kv_str("file", path));
	if (fd >= 0)
		close(fd);
	text[len] = '\0';
	if (n >= 0 && len < FILE_MAX)
		return text;
	forget(text);
	return NULL;
}

char *
secret_line(const char *path, const char *what)
{
	char *text = read_file(path, what);

	if (text == NULL)
		return NULL;
	text[strcspn(text, "\r\n")] = '\0';
	if (text[0] != '\0')
		return text;
	log_error("a secret's file has an empty first line", kv_str("what", what),
	    kv_str("file", path));
	free(text);
	return NULL;
}

static char *
from_environment(const char *name, const char *what)
{
	const char *value = getenv(name);

	if (value != NULL && value[0] != '\0')
		return xstrdup(value);
	log_error("a secret is missing", kv_str("what", what), kv_str("environment", name));
	return NULL;
}

/*
 * Basic, API key and bearer: one header for all requests
 */

static void
put_base64(struct buf *b, const char *s, size_t n)
{
	base64_encode(s, n, buf_reserve(b, BASE64_LEN(n)));
	b->len += BASE64_LEN(n);
}

/* No blanks, and nothing that could start another header. */
static bool
is_token(const char *s)
{
	for (; *s != '\0'; s++)
		if (*s <= ' ' || *s >= 0x7f)
			return false;
	return true;
}

static char *
make_authorization(const struct login *l, const char *secret)
{
	struct buf b = { 0 }, plain = { 0 };

	switch (l->kind) {
	case LOGIN_BASIC:
		buf_printf(&plain, "%s:%s", l->user, secret);
		buf_adds(&b, "Authorization: Basic ");
		put_base64(&b, plain.data, plain.len);
		explicit_bzero(plain.data, plain.len);
		buf_free(&plain);
		break;
	case LOGIN_API_KEY:
		buf_adds(&b, "Authorization: ApiKey ");
		/* As "id:api_key", or already encoded, as the cluster's answer has it. */
		if (strchr(secret, ':') != NULL)
			put_base64(&b, secret, strlen(secret));
		else
			buf_adds(&b, secret);
		break;
	case LOGIN_BEARER: buf_printf(&b, "Authorization: Bearer %s", secret); break;
	case LOGIN_AWS:
	case LOGIN_NONE: break;
	}
	return buf_cstr(&b);
}

static const struct {
	const char *what, *environment;
} sources[] = {
	[LOGIN_BASIC] = { "password", "ESBULK_PASSWORD" },
	[LOGIN_API_KEY] = { "API key", "ESBULK_API_KEY" },
	[LOGIN_BEARER] = { "bearer token", "ESBULK_BEARER_TOKEN" },
};

/* 1: another one than before; 0: the same; -1: logged. */
static int
load_line(struct login *l)
{
	const char *what = sources[l->kind].what;
	char *s = l->file != NULL ? secret_line(l->file, what)
	                          : from_environment(sources[l->kind].environment, what);

	if (s == NULL)
		return -1;
	if (l->kind != LOGIN_BASIC && !is_token(s)) {
		log_error("a secret holds blanks or characters that no header takes",
		    kv_str("what", what), kv_str("file", l->file));
		forget(s);
		return -1;
	}
	if (l->secret != NULL && strcmp(l->secret, s) == 0) {
		forget(s);
		return 0;
	}
	forget(l->secret);
	forget(l->authorization);
	l->secret = s;
	l->authorization = make_authorization(l, s);
	return 1;
}

/*
 * AWS
 */

static void
forget_keys(struct aws_keys *k)
{
	forget(k->id);
	forget(k->secret);
	forget(k->token);
	*k = (struct aws_keys) { 0 };
}

static char *
trim(char *s)
{
	size_t n;

	s += strspn(s, " \t");
	n = strlen(s);
	while (n > 0 && strchr(" \t\r", s[n - 1]) != NULL)
		s[--n] = '\0';
	return s;
}

/* "Configuration and credential file settings" of the AWS command line: an ini file. */
static void
take_setting(struct aws_keys *k, char *line)
{
	static const char *const names[] = { "aws_access_key_id", "aws_secret_access_key",
		"aws_session_token" };
	char **values[] = { &k->id, &k->secret, &k->token };
	char *equals = strchr(line, '='), *name;

	if (equals == NULL)
		return;
	*equals = '\0';
	name = trim(line);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(name, names[i]) == 0) {
			forget(*values[i]);
			*values[i] = xstrdup(trim(equals + 1));
		}
}

static int
keys_from_file(struct aws_keys *k, const char *path)
{
	const char *profile = getenv("AWS_PROFILE");
	char *text = read_file(path, "AWS credentials"), *rest = text, *line;
	bool mine = false;

	if (text == NULL)
		return -1;
	if (profile == NULL || *profile == '\0')
		profile = "default";
	while ((line = strsep(&rest, "\n")) != NULL) {
		line = trim(line);
		if (*line == '[') {
			line[strcspn(line, "]")] = '\0';
			mine = strcmp(trim(line + 1), profile) == 0;
		} else if (mine && *line != '#' && *line != ';') {
			take_setting(k, line);
		}
	}
	explicit_bzero(text, FILE_MAX);
	free(text);
	if (k->id != NULL && k->secret != NULL)
		return 0;
	log_error("the AWS credentials lack aws_access_key_id or aws_secret_access_key",
	    kv_str("file", path), kv_str("profile", profile));
	return -1;
}

static int
keys_from_environment(struct aws_keys *k)
{
	const char *token = getenv("AWS_SESSION_TOKEN");

	k->id = from_environment("AWS_ACCESS_KEY_ID", "AWS access key");
	k->secret = from_environment("AWS_SECRET_ACCESS_KEY", "AWS secret key");
	if (token != NULL && *token != '\0')
		k->token = xstrdup(token);
	return k->id != NULL && k->secret != NULL ? 0 : -1;
}

static bool
same(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static int
load_keys(struct login *l)
{
	struct aws_keys k = { 0 };
	int rc = l->file != NULL ? keys_from_file(&k, l->file) : keys_from_environment(&k);

	if (rc == 0 && (!is_token(k.id) || (k.token != NULL && !is_token(k.token)))) {
		log_error("an AWS key or token holds blanks or characters that no header takes",
		    kv_str("file", l->file));
		rc = -1;
	}
	if (rc == 0 && (!same(k.id, l->keys.id) || !same(k.secret, l->keys.secret) ||
	        !same(k.token, l->keys.token))) {
		forget_keys(&l->keys);
		l->keys = k;
		return 1;
	}
	forget_keys(&k);
	return rc;
}

/*
 * Both
 */

static int
load(struct login *l)
{
	int rc = l->kind == LOGIN_AWS ? load_keys(l) : load_line(l);

	l->generation += rc == 1;
	return rc;
}

int
login_load(struct login *l)
{
	return l->kind == LOGIN_NONE || load(l) >= 0 ? 0 : -1;
}

bool
login_reload(struct login *l)
{
	if (l->kind == LOGIN_NONE || l->file == NULL || load(l) != 1)
		return false;
	log_info("the login has changed: its file was read again", kv_str("file", l->file));
	return true;
}

const char *
login_remedy(const struct login *l)
{
	switch (l->kind) {
	case LOGIN_API_KEY:
		return "check the API key: that it is valid, and may write to the index";
	case LOGIN_BEARER:
		return "check the bearer token: that it is valid, and may write to the index";
	case LOGIN_AWS:
		return "check the AWS keys, the clock, --aws-sigv4 REGION:SERVICE, and that "
		       "the access policy allows es:ESHttpPost or aoss:APIAccessAll";
	case LOGIN_NONE:
	case LOGIN_BASIC: break;
	}
	return "check --user and its password, and that it may write to the index";
}

static void
scrub(const char *secret, char *text, size_t len)
{
	size_t n = secret != NULL ? strlen(secret) : 0;
	char *p;

	/* What is so short is in any text. */
	if (n < 4)
		return;
	while ((p = memmem(text, len, secret, n)) != NULL)
		memset(p, '*', n);
}

void
login_scrub(const struct login *l, char *text, size_t len)
{
	if (len == 0)
		return;
	scrub(l->secret, text, len);
	if (l->authorization != NULL)
		scrub(strrchr(l->authorization, ' ') + 1, text, len);
	scrub(l->keys.secret, text, len);
	scrub(l->keys.token, text, len);
}
