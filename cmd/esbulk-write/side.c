#include <string.h>

#include "exitcode.h"
#include "fdio.h"
#include "json.h"
#include "log.h"
#include "side.h"
#include "verdict.h"

#define ANSWER_MAX ((size_t)16 * 1024 * 1024)
#define SHOWN      ((size_t)2048)
#define NODES_PATH "/_nodes/http?filter_path=nodes.%2A.http.publish_address%2Cnodes.%2A.roles"

bool
side_ready(const struct side *s)
{
	return s->put == s->o->templates.n && (s->o->sniff_us == 0 || s->sniffed);
}

static bool
puts_next(const struct side *s)
{
	return s->put < s->o->templates.n;
}

int
side_init(struct side *s, const struct options *o, CURLM *multi, struct nodes *nodes,
    struct login *login)
{
	*s = (struct side) { .o = o, .multi = multi, .nodes = nodes };
	if (connection_init(&s->connection, o, login) != 0)
		return -1;
	connection_collect(&s->connection, &s->answer, ANSWER_MAX);
	return 0;
}

int64_t
side_due(const struct side *s)
{
	int64_t due = puts_next(s) ? 0 : s->o->sniff_us > 0 ? s->sniff_at : INT64_MAX;

	if (s->busy)
		return INT64_MAX;
	return due < s->due ? s->due : due;
}

/* Set up what comes next. */
static int
begin(struct side *s)
{
	struct request_head head = { .content_type = "application/json" };
	CURL *e = s->connection.easy;
	const char *body = "";
	char hash[SHA256_HEX];

	s->url.len = s->answer.len = 0;
	buf_adds(&s->url, s->node->base);
	if (puts_next(s)) {
		const struct template *t = &s->o->templates.template[s->put];

		head.method = "PUT";
		body = t->body;
		buf_adds(&s->url, t->path);
		curl_easy_setopt(e, CURLOPT_POSTFIELDS, body);
		curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(body));
		curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, "PUT");
	} else {
		head.method = "GET";
		buf_adds(&s->url, NODES_PATH);
		curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, NULL);
		curl_easy_setopt(e, CURLOPT_HTTPGET, 1L);
	}
	head.url = buf_cstr(&s->url);
	if (connection_signs(&s->connection))
		connection_hash(body, strlen(body), hash);
	return connection_begin(&s->connection, s->node, &head, hash);
}

int
side_work(struct side *s, int64_t now)
{
	if (side_due(s) > now)
		return -1;
	s->node = nodes_pick(s->nodes, now);
	if (begin(s) != 0 || curl_multi_add_handle(s->multi, s->connection.easy) != CURLM_OK) {
		log_error("libcurl does not take a request");
		return EXIT_TEMPORARY;
	}
	s->busy = true;
	return -1;
}

/*
 * Answers
 */

/* A publish address: IP:PORT, or NAME/IP:PORT where a name was configured. */
static void
put_url(struct buf *b, const struct node *asked, struct json_text address)
{
	static struct buf text;
	char *slash;

	text.len = b->len = 0;
	json_unescape(&text, address);
	slash = strchr(buf_cstr(&text), '/');
	buf_adds(b, asked->target.tls ? "https://" : "http://");
	if (slash == NULL) {
		buf_adds(b, text.data);
	} else {
		/* Certificates are for names. */
		buf_add(b, text.data, (size_t)(slash - text.data));
		buf_adds(b, strrchr(slash, ':') != NULL ? strrchr(slash, ':') : "");
	}
	buf_cstr(b);
}

/* Those that manage the cluster alone are to be left in peace. */
static bool
takes_requests(struct json_text node)
{
	struct json_text roles = json_member(node, "roles"), name, role;
	struct json_walk w = json_open(roles);
	size_t n = 0, masters = 0;

	while (w.close == ']' && json_next(&w, &name, &role) == 1) {
		n++;
		masters += role.n > 2 &&
		    (json_is((struct json_text) { role.p + 1, role.n - 2 }, "master", 6) ||
		        json_is((struct json_text) { role.p + 1, role.n - 2 }, "cluster_manager", 15));
	}
	return n == 0 || masters < n;
}

/* What the cluster says about its nodes.  How many can be used. */
static size_t
take_nodes(struct side *s)
{
	struct json_text all = { buf_cstr(&s->answer), s->answer.len }, name, node;
	struct json_walk w;
	struct buf url = { 0 };
	size_t n = 0;

	if (!json_valid(all))
		return 0;
	w = json_open(json_member(all, "nodes"));
	if (w.close != '}')
		return 0;
	nodes_begin(s->nodes);
	while (json_next(&w, &name, &node) == 1) {
		struct json_text at = json_member(json_member(node, "http"), "publish_address");

		if (at.p == NULL || *at.p != '"' || !takes_requests(node))
			continue;
		put_url(&url, s->node, at);
		if (nodes_found(s->nodes, url.data) == 0)
			n++;
		else
			log_warn("a node has an address that is none", kv_str("address", url.data));
	}
	nodes_end(s->nodes);
	buf_free(&url);
	return n;
}

static void
sniffed(struct side *s, bool good, const char *why, int64_t now)
{
	size_t n = good ? take_nodes(s) : 0;

	s->sniffed = true;
	s->sniff_at = now + s->o->sniff_us;
	s->failures = 0;
	if (n > 0)
		log_debug("the cluster told its nodes", kv_uint("nodes", n));
	else
		log_warn("the cluster does not tell its nodes: going on with those that are known",
		    kv_str("node", s->node->url), kv_str("reason", why));
}

static void
try_again(struct side *s, long status, const char *why, int64_t now)
{
	node_failed(s->node, now);
	s->failures++;
	s->due = nodes_awake(s->nodes, now) ? now : now + backoff_us(s->failures);
	log_warn("the cluster did not take an index template: trying again",
	    kv_str("node", s->node->url), kv_int("status", status), kv_str("reason", why),
	    kv_str("template", s->o->templates.template[s->put].path),
	    kv_uint("failures", s->failures));
}

/* A template was put, or not. */
static int
answered(struct side *s, CURLcode rc, long status, const char *why, int64_t now)
{
	const char *to = s->o->templates.template[s->put].path, *redirect;
	enum request_verdict verdict;

	if (rc == CURLE_OK && (status == 200 || status == 201)) {
		log_info("an index template was put", kv_str("template", to));
		node_worked(s->node);
		s->put++;
		s->failures = 0;
		return -1;
	}
	if (rc != CURLE_OK) {
		const char *remedy = connection_remedy(&s->connection, s->node, rc);

		s->node->hopeless |= connection_hopeless(&s->connection, rc);
		if (!nodes_hopeless(s->nodes)) {
			try_again(s, status, why, now);
			return -1;
		}
		log_error("cannot connect to the cluster", kv_str("node", s->node->url),
		    kv_str("reason", why), kv_str("remedy", remedy));
		return EXIT_PERMANENT;
	}
	verdict = verdict_request(status, why);
	if (verdict == REQUEST_RETRY || verdict == REQUEST_ERROR) {
		try_again(s, status, why, now);
		return -1;
	}
	if (verdict == REQUEST_DENIED && connection_relogin(&s->connection))
		return -1;
	redirect = connection_redirect(&s->connection);
	log_error("the cluster refused an index template", kv_str("node", s->node->url),
	    kv_str("template", to), kv_int("status", status), kv_str("location", redirect),
	    kv_str("reason", why),
	    kv_str("remedy", status == 401 || status == 403
	            ? "check the login, and that it may manage index templates"
	            : "mend the template, or put it by hand and leave --template out"));
	return EXIT_PERMANENT;
}

int
side_finished(struct side *s, CURLcode rc, int64_t now)
{
	const char *why;
	long status = 0;

	curl_easy_getinfo(s->connection.easy, CURLINFO_RESPONSE_CODE, &status);
	curl_multi_remove_handle(s->multi, s->connection.easy);
	s->busy = false;
	if (rc == CURLE_OK) {
		login_scrub(s->connection.login, s->answer.data, s->answer.len);
		why = buf_cstr(&s->answer);
	} else {
		why = connection_problem(&s->connection, rc);
	}
	if (puts_next(s)) {
		if (s->answer.len > SHOWN && rc == CURLE_OK)
			s->answer.data[SHOWN] = '\0';
		return answered(s, rc, status, why, now);
	}
	if (rc == CURLE_OK && status == 200) {
		sniffed(s, true, "no addresses in its answer", now);
		return -1;
	}
	sniffed(s, false, why, now);
	return -1;
}
