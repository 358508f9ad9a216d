#include <string.h>

#include "probe.h"

#define ANSWER_MAX ((size_t)64 * 1024 * 1024)
#define SHOWN      300

int
probe_init(struct probe *p, const struct options *o)
{
	*p = (struct probe) { .o = o, .f.fields = o->findings, .login = o->login };
	nodes_init(&p->nodes, o);
	if (connection_init(&p->connection, o, &p->login) != 0)
		return -1;
	connection_collect(&p->connection, &p->answer, ANSWER_MAX);
	/* Somebody waits for it. */
	curl_easy_setopt(p->connection.easy, CURLOPT_TIMEOUT, 30L);
	return 0;
}

void
probe_free(struct probe *p)
{
	curl_easy_cleanup(p->connection.easy);
	curl_slist_free_all(p->connection.headers);
	buf_free(&p->answer);
}

long
probe_ask(struct probe *p, struct node *node, const char *method, const char *path,
    const char *body)
{
	CURL *e = p->connection.easy;
	struct request_head head = { .method = method, .content_type = "application/json" };
	struct buf url = { 0 };
	char hash[SHA256_HEX];

	p->answer.len = 0;
	p->status = 0;
	(void)buf_cstr(&p->answer);
	if (p->give_up && p->rc != CURLE_OK)
		return 0;
	buf_printf(&url, "%s%s", node->base, path);
	head.url = buf_cstr(&url);
	curl_easy_setopt(e, CURLOPT_HTTPGET, 1L);
	if (body != NULL) {
		curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(body));
		curl_easy_setopt(e, CURLOPT_POSTFIELDS, body);
	}
	curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, method);
	if (connection_signs(&p->connection))
		connection_hash(body != NULL ? body : "", body != NULL ? strlen(body) : 0, hash);
	p->rc = connection_begin(&p->connection, node, &head, hash) == 0 ? curl_easy_perform(e)
	                                                                 : CURLE_OUT_OF_MEMORY;
	if (p->rc == CURLE_OK)
		curl_easy_getinfo(e, CURLINFO_RESPONSE_CODE, &p->status);
	login_scrub(&p->login, p->answer.data, p->answer.len);
	(void)buf_cstr(&p->answer);
	buf_free(&url);
	return p->status;
}

struct json_text
probe_json(struct probe *p)
{
	struct json_text t = json_trim((struct json_text) { buf_cstr(&p->answer), p->answer.len });

	return t.n > 0 && json_valid(t) ? t : (struct json_text) { 0 };
}

const char *
probe_string(struct json_text t)
{
	static struct buf b[4];
	static unsigned next;
	struct buf *s = &b[next++ % 4];

	s->len = 0;
	if (t.p != NULL && *t.p == '"')
		json_unescape(s, t);
	else if (t.p != NULL)
		buf_add(s, t.p, t.n);
	return buf_cstr(s);
}

/* What the answer says, cut short. */
static const char *
reason(struct probe *p)
{
	struct json_text error = json_member(probe_json(p), "error");
	struct json_text words = json_member(error, "reason");

	if (p->answer.len > SHOWN && words.p == NULL)
		p->answer.data[SHOWN] = '\0';
	return words.p != NULL ? probe_string(words)
	    : error.p != NULL && *error.p == '"' ? probe_string(error)
	                                         : p->answer.data;
}

bool
probe_passes(const struct probe *p)
{
	return p->status >= 500 || p->status == 429;
}

void
probe_failed(struct probe *p, struct node *node, const char *name)
{
	const char *remedy, *redirect = connection_redirect(&p->connection);

	if (p->rc != CURLE_OK) {
		remedy = connection_remedy(&p->connection, node, p->rc);
		finding(&p->f,
		    connection_hopeless(&p->connection, p->rc) ? FINDING_ERROR : FINDING_TEMPORARY,
		    name, remedy != NULL ? remedy : "start the node, or mend its URL",
		    "%s: %s", node->url, connection_problem(&p->connection, p->rc));
	} else if (p->status == 401 || p->status == 403) {
		finding(&p->f, FINDING_ERROR, name, login_remedy(&p->login),
		    "%s: the login is denied (%ld): %s", node->url, p->status, reason(p));
	} else if (redirect != NULL) {
		finding(&p->f, FINDING_ERROR, name, "give the URL where it leads, if that is the node's",
		    "%s: it leads elsewhere, to %s", node->url, redirect);
	} else {
		finding(&p->f, p->status >= 500 || p->status == 429 ? FINDING_TEMPORARY : FINDING_ERROR,
		    name, NULL, "%s: status %ld: %s", node->url, p->status, reason(p));
	}
}

bool
probe_any(struct probe *p)
{
	for (size_t i = 0; p->node == NULL && i < p->nodes.n; i++)
		if (probe_ask(p, p->nodes.node[i], "GET", "/", NULL) > 0 && p->status < 500 &&
		    p->status != 401)
			p->node = p->nodes.node[i];
	if (p->node == NULL)
		probe_failed(p, p->nodes.node[p->nodes.n - 1], "node");
	return p->node != NULL;
}

/*
 * The same by hand
 */

static void
put_secret(struct buf *b, const struct login *l, const char *variable)
{
	if (l->file == NULL) {
		buf_printf(b, "$%s", variable);
		return;
	}
	buf_adds(b, "$(head -n 1 ");
	finding_put_word(b, l->file);
	buf_addc(b, ')');
}

static void
put_login(struct buf *b, const struct login *l)
{
	switch (l->kind) {
	case LOGIN_NONE: return;
	case LOGIN_BASIC:
		buf_adds(b, " -u ");
		finding_put_word(b, l->user);
		buf_adds(b, ":\"");
		put_secret(b, l, "ESBULK_PASSWORD");
		break;
	case LOGIN_API_KEY:
		buf_adds(b, " -H \"Authorization: ApiKey ");
		put_secret(b, l, "ESBULK_API_KEY");
		break;
	case LOGIN_BEARER:
		buf_adds(b, " -H \"Authorization: Bearer ");
		put_secret(b, l, "ESBULK_BEARER_TOKEN");
		break;
	case LOGIN_AWS:
		buf_printf(b, " --aws-sigv4 aws:amz:%s:%s -u \"$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY",
		    l->region, l->service);
		break;
	}
	buf_addc(b, '"');
}

static void
put_file(struct buf *b, const char *option, const char *file)
{
	if (file == NULL)
		return;
	buf_printf(b, " %s ", option);
	finding_put_word(b, file);
}

void
probe_put_curl(const struct probe *p, struct buf *b, const char *method, const char *path,
    const char *body)
{
	const struct node *node = p->node != NULL ? p->node : p->nodes.node[0];
	struct buf url = { 0 };

	buf_printf(b, "curl -sS --fail-with-body -X %s", method);
	put_login(b, &p->login);
	put_file(b, "--cacert", p->o->cacert);
	put_file(b, "--cert", p->o->cert);
	put_file(b, "--key", p->o->key);
	put_file(b, "--unix-socket", node->target.unix_path);
	if (p->o->insecure)
		buf_adds(b, " --insecure");
	buf_printf(&url, "%s%s", node->base, path);
	buf_addc(b, ' ');
	finding_put_word(b, buf_cstr(&url));
	if (body != NULL) {
		buf_adds(b, " -H 'Content-Type: application/json' -d ");
		finding_put_word(b, body);
	}
	buf_free(&url);
}

void
probe_put_name(struct buf *b, const char *name)
{
	for (; *name != '\0'; name++) {
		unsigned char c = (unsigned char)*name;

		if (strchr("/?#%\"<>\\^`{|} ", c) != NULL || c <= ' ' || c >= 0x7f)
			buf_printf(b, "%%%02X", c);
		else
			buf_addc(b, (char)c);
	}
}
