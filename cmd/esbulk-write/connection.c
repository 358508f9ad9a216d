#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "connection.h"
#include "log.h"
#include "tls.h"

/* X509_verify_cert_error_string's numbers, as CURLINFO_SSL_VERIFYRESULT has them. */
enum { NOT_YET_VALID = 9, EXPIRED = 10 };

int
connection_check(const struct options *o)
{
	const char *why = o->pin.set ? tls_unusable() : NULL;

	if (why != NULL) {
		log_error("the fingerprint of the authority cannot be checked",
		    kv_str("option", "--ca-fingerprint"), kv_str("reason", why));
		return -1;
	}
	if (o->insecure)
		log_warn("the nodes' certificates are not checked: whoever is on the way can "
		         "read and change everything, and takes the login",
		    kv_str("option", "--insecure"));
	return 0;
}

static CURLcode
set_text(CURL *e, CURLoption option, const char *value)
{
	return value != NULL ? curl_easy_setopt(e, option, value) : CURLE_OK;
}

static int
set_tls(struct connection *c, const struct options *o)
{
	CURL *e = c->easy;

	if (o->insecure) {
		curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 0L);
		curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 0L);
	}
	if (o->pin.set) {
		/* No other authority is looked at. */
		curl_easy_setopt(e, CURLOPT_CAINFO, NULL);
		curl_easy_setopt(e, CURLOPT_CAPATH, NULL);
		c->tls.pin = &o->pin;
	}
	if (tls_unusable() == NULL && tls_watch(e, &c->tls) != CURLE_OK)
		return -1;
	return set_text(e, CURLOPT_CAINFO, o->cacert) == CURLE_OK &&
	        set_text(e, CURLOPT_SSLCERT, o->cert) == CURLE_OK &&
	        set_text(e, CURLOPT_SSLKEY, o->key) == CURLE_OK &&
	        set_text(e, CURLOPT_KEYPASSWD, o->key_password) == CURLE_OK
	    ? 0
	    : -1;
}

int
connection_init(struct connection *c, const struct options *o, struct login *login)
{
	CURL *e = curl_easy_init();

	*c = (struct connection) { .easy = e, .login = login };
	if (e == NULL)
		return -1;
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, c->error);
	curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT, o->connect_timeout_s);
	curl_easy_setopt(e, CURLOPT_TIMEOUT, o->timeout_s);
	/* Less than a byte a second is silence. */
	curl_easy_setopt(e, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(e, CURLOPT_LOW_SPEED_TIME, o->idle_timeout_s);
	/* A name may have many addresses: each connection may go to another. */
	curl_easy_setopt(e, CURLOPT_DNS_SHUFFLE_ADDRESSES, 1L);
	/* A redirect could lead the documents and the login to anybody. */
	curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
	/* Proxies get headers of their own, and no login of the cluster's. */
	curl_easy_setopt(e, CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE);
	curl_easy_setopt(e, CURLOPT_USERAGENT, "pgcdc/" PGCDC_VERSION);
	if (o->gzip && curl_easy_setopt(e, CURLOPT_ACCEPT_ENCODING, "gzip") != CURLE_OK)
		return -1;
	return set_tls(c, o);
}

static size_t
take_answer(char *p, size_t size, size_t n, void *arg)
{
	struct connection *c = arg;

	if (c->answer->len + size * n > c->answer_max)
		return 0;
	buf_add(c->answer, p, size * n);
	return size * n;
}

void
connection_collect(struct connection *c, struct buf *answer, size_t max)
{
	c->answer = answer;
	c->answer_max = max;
	curl_easy_setopt(c->easy, CURLOPT_WRITEFUNCTION, take_answer);
	curl_easy_setopt(c->easy, CURLOPT_WRITEDATA, c);
}

/*
 * Requests
 */

bool
connection_signs(const struct connection *c)
{
	return c->login->kind == LOGIN_AWS;
}

void
connection_hash(const char *p, size_t n, char hex[SHA256_HEX])
{
	struct sha256 *s = sha256_new();

	sha256_add(s, p, n);
	sha256_end(s, hex);
}

static struct curl_slist *
add(struct curl_slist *list, const char *line)
{
	struct curl_slist *l = curl_slist_append(list, line);

	if (l == NULL)
		oom();
	return l;
}

static struct curl_slist *
signed_by(struct curl_slist *list, const struct connection *c, const struct node *node,
    const struct request_head *head, const char *body)
{
	const char *path = strchr(strstr(head->url, "://") + 3, '/');
	const struct sigv4_request r = { .method = head->method, .host = node->target.host,
		.target = path != NULL ? path : "/", .content_type = head->content_type,
		.body = body, .now = time(NULL) };

	list = sigv4_headers(list, c->login, &r);
	if (list == NULL)
		oom();
	return list;
}

int
connection_begin(struct connection *c, const struct node *node, const struct request_head *head,
    const char body[SHA256_HEX])
{
	CURL *e = c->easy;
	struct curl_slist *list = NULL;
	char type[80] = "Content-Type: ";

	strncat(type, head->content_type, sizeof(type) - strlen(type) - 1);
	list = add(list, type);
	list = add(list, "Accept: application/json");
	list = add(list, "Expect:");
	if (head->gzip)
		list = add(list, "Content-Encoding: gzip");
	if (connection_signs(c))
		list = signed_by(list, c, node, head, body);
	else if (c->login->authorization != NULL)
		list = add(list, c->login->authorization);
	c->generation = c->login->generation;
	c->error[0] = '\0';
	c->tls.pin_missed = false;
	c->tls.alert = 0;
	if (curl_easy_setopt(e, CURLOPT_HTTPHEADER, list) != CURLE_OK ||
	    curl_easy_setopt(e, CURLOPT_URL, head->url) != CURLE_OK ||
	    curl_easy_setopt(e, CURLOPT_UNIX_SOCKET_PATH, node->target.unix_path) != CURLE_OK)
		return -1;
	curl_slist_free_all(c->headers);
	c->headers = list;
	return 0;
}

bool
connection_relogin(struct connection *c)
{
	/* Another request that was denied may have led to it. */
	return c->generation != c->login->generation || login_reload(c->login);
}

/*
 * What went wrong
 */

static bool
says(const struct connection *c, const char *words)
{
	return strcasestr(c->error, words) != NULL;
}

const char *
connection_problem(const struct connection *c, CURLcode rc)
{
	if (c->tls.pin_missed)
		return "no certificate that the node shows has the fingerprint of "
		       "--ca-fingerprint";
	if (c->tls.alert != 0 && !says(c, "alert")) {
		static struct buf words;

		words.len = 0;
		buf_printf(&words, "TLS alert of the node: %s", tls_alert(&c->tls));
		return buf_cstr(&words);
	}
	return c->error[0] != '\0' ? c->error : curl_easy_strerror(rc);
}

enum tally_cause
connection_cause(const struct connection *c, CURLcode rc)
{
	curl_off_t connected = 0;

	curl_easy_getinfo(c->easy, CURLINFO_PRETRANSFER_TIME_T, &connected);
	if (connected == 0)
		return CAUSE_CONNECT;
	return rc == CURLE_OPERATION_TIMEDOUT ? CAUSE_TIMEOUT : CAUSE_LOST;
}

/* The node wants to know who we are, and closes the connection because we don't say. */
static bool
wants_certificate(const struct connection *c, CURLcode rc)
{
	return rc == CURLE_SSL_CLIENTCERT || tls_wants_certificate(&c->tls) ||
	    says(c, "certificate required") || says(c, "alert handshake failure") ||
	    says(c, "alert bad certificate") || says(c, "alert unknown ca");
}

static bool
is_no_tls(const struct connection *c, CURLcode rc)
{
	return rc == CURLE_SSL_CONNECT_ERROR &&
	    (says(c, "wrong version number") || says(c, "packet length too long") ||
	        says(c, "record layer failure") || says(c, "unknown protocol"));
}

static const char *
certificate_remedy(const struct connection *c)
{
	long result = 0;

	if (c->tls.pin_missed)
		return "compare it with the one that Elasticsearch printed, or that openssl x509 "
		       "-fingerprint -sha256 prints of its CA certificate";
	curl_easy_getinfo(c->easy, CURLINFO_SSL_VERIFYRESULT, &result);
	if (result == EXPIRED || says(c, "expired"))
		return "the node's certificate, or its authority's, has expired: renew it";
	if (result == NOT_YET_VALID)
		return "the node's certificate is not valid yet: check the clock here and there";
	if (says(c, "subject name") || says(c, "does not match") || says(c, "altname"))
		return "the certificate is for another host: use a URL with a name that it is "
		       "for, or give it this one";
	return "give the certificate of the authority that signed the node's: --cacert FILE, or "
	       "--ca-fingerprint HEX";
}

const char *
connection_remedy(const struct connection *c, const struct node *node, CURLcode rc)
{
	if (rc == CURLE_PEER_FAILED_VERIFICATION || rc == CURLE_SSL_ISSUER_ERROR)
		return certificate_remedy(c);
	if (rc == CURLE_SSL_CACERT_BADFILE)
		return "check the file of --cacert";
	if (rc == CURLE_SSL_CERTPROBLEM)
		return "check the files of --cert and --key, and the key's password";
	if (is_no_tls(c, rc))
		return "the node does not speak TLS there: the URL starts with http://";
	if (node->target.tls && wants_certificate(c, rc))
		return "the node wants a client certificate that it trusts: --cert and --key";
	if (!node->target.tls && node->target.unix_path == NULL &&
	    (rc == CURLE_UNSUPPORTED_PROTOCOL || rc == CURLE_GOT_NOTHING ||
	        rc == CURLE_RECV_ERROR || rc == CURLE_WEIRD_SERVER_REPLY))
		return "if the node speaks TLS there, the URL starts with https://";
	return NULL;
}

bool
connection_hopeless(const struct connection *c, CURLcode rc)
{
	switch (rc) {
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CLIENTCERT:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_URL_MALFORMAT: return true;
	default: return is_no_tls(c, rc) || wants_certificate(c, rc);
	}
}

const char *
connection_redirect(const struct connection *c)
{
	static struct buf shown;
	char *url = NULL;
	long status = 0;

	curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status < 300 || status > 399)
		return NULL;
	curl_easy_getinfo(c->easy, CURLINFO_REDIRECT_URL, &url);
	if (url == NULL)
		return NULL;
	shown.len = 0;
	buf_adds(&shown, url);
	login_scrub(c->login, shown.data, shown.len);
	return buf_cstr(&shown);
}
