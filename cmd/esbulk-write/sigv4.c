#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "sigv4.h"

#define HASH 32

static void
to_hex(const unsigned char *h, char hex[SHA256_HEX])
{
	for (size_t i = 0; i < HASH; i++)
		snprintf(hex + 2 * i, 3, "%02x", h[i]);
}

struct sha256 *
sha256_new(void)
{
	EVP_MD_CTX *c = EVP_MD_CTX_new();

	if (c == NULL || EVP_DigestInit_ex(c, EVP_sha256(), NULL) != 1)
		oom();
	return (struct sha256 *)(void *)c;
}

void
sha256_add(struct sha256 *s, const void *p, size_t n)
{
	if (EVP_DigestUpdate((EVP_MD_CTX *)(void *)s, p, n) != 1)
		oom();
}

void
sha256_end(struct sha256 *s, char hex[SHA256_HEX])
{
	unsigned char h[HASH];

	if (EVP_DigestFinal_ex((EVP_MD_CTX *)(void *)s, h, NULL) != 1)
		oom();
	EVP_MD_CTX_free((EVP_MD_CTX *)(void *)s);
	to_hex(h, hex);
}

static void
hmac(const void *key, size_t n, const char *text, unsigned char out[HASH])
{
	if (HMAC(EVP_sha256(), key, (int)n, (const unsigned char *)text, strlen(text), out,
	        NULL) == NULL)
		oom();
}

/*
 * Of every service but S3 the path is escaped once more than it is sent.  Dots and double
 * slashes, which would be taken out, are in no path of ours.
 */
static void
put_path(struct buf *b, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (isalnum((unsigned char)p[i]) || strchr("-._~/", p[i]) != NULL)
			buf_addc(b, p[i]);
		else
			buf_printf(b, "%%%02X", (unsigned char)p[i]);
}

struct part {
	const char *p;
	size_t n;
};

static int
by_name(const void *x, const void *y)
{
	const struct part *a = x, *b = y;
	size_t an = strcspn(a->p, "=&"), bn = strcspn(b->p, "=&");
	int c = memcmp(a->p, b->p, an < bn ? an : bn);

	if (c != 0)
		return c;
	return an == bn ? 0 : an < bn ? -1 : 1;
}

/* The query is escaped as it must be, but to be sorted; a name without = gets one. */
static void
put_query(struct buf *b, const char *q)
{
	struct part parts[16] = { 0 };
	size_t n = 0;

	while (*q != '\0' && n < sizeof(parts) / sizeof(parts[0])) {
		parts[n] = (struct part) { q, strcspn(q, "&") };
		q += parts[n].n;
		q += *q == '&';
		n++;
	}
	qsort(parts, n, sizeof(parts[0]), by_name);
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			buf_addc(b, '&');
		buf_add(b, parts[i].p, parts[i].n);
		if (memchr(parts[i].p, '=', parts[i].n) == NULL)
			buf_addc(b, '=');
	}
}

/* The headers that are signed: their lines, and their names. */
static const char *
put_headers(struct buf *b, const struct login *l, const struct sigv4_request *r, const char *when)
{
	buf_printf(b, "content-type:%s\n", r->content_type);
	buf_adds(b, "host:");
	for (const char *p = r->host; *p != '\0'; p++)
		buf_addc(b, *p);
	buf_printf(b, "\nx-amz-content-sha256:%s\nx-amz-date:%s\n", r->body, when);
	if (l->keys.token == NULL)
		return "content-type;host;x-amz-content-sha256;x-amz-date";
	buf_printf(b, "x-amz-security-token:%s\n", l->keys.token);
	return "content-type;host;x-amz-content-sha256;x-amz-date;x-amz-security-token";
}

/* The key is made of the secret, the day, the region and the service. */
static void
sign(const struct login *l, const char *day, const char *text, char hex[SHA256_HEX])
{
	unsigned char k[HASH];
	struct buf start = { 0 };

	buf_printf(&start, "AWS4%s", l->keys.secret);
	hmac(start.data, start.len, day, k);
	explicit_bzero(start.data, start.len);
	buf_free(&start);
	hmac(k, HASH, l->region, k);
	hmac(k, HASH, l->service, k);
	hmac(k, HASH, "aws4_request", k);
	hmac(k, HASH, text, k);
	to_hex(k, hex);
	explicit_bzero(k, sizeof(k));
}

static struct curl_slist *
add(struct curl_slist *list, struct buf *line)
{
	list = list != NULL ? curl_slist_append(list, buf_cstr(line)) : NULL;
	line->len = 0;
	return list;
}

struct curl_slist *
sigv4_headers(struct curl_slist *list, const struct login *l, const struct sigv4_request *r)
{
	size_t path = strcspn(r->target, "?");
	const char *query = r->target[path] == '?' ? r->target + path + 1 : "";
	struct buf b = { 0 };
	char when[32], day[16], hash[SHA256_HEX], signature[SHA256_HEX];
	const char *names;
	struct sha256 *s;
	struct tm tm;

	gmtime_r(&r->now, &tm);
	strftime(when, sizeof(when), "%Y%m%dT%H%M%SZ", &tm);
	strftime(day, sizeof(day), "%Y%m%d", &tm);
	buf_printf(&b, "%s\n", r->method);
	put_path(&b, path > 0 ? r->target : "/", path > 0 ? path : 1);
	buf_addc(&b, '\n');
	put_query(&b, query);
	buf_addc(&b, '\n');
	names = put_headers(&b, l, r, when);
	buf_printf(&b, "\n%s\n%s", names, r->body);
	s = sha256_new();
	sha256_add(s, b.data, b.len);
	sha256_end(s, hash);
	b.len = 0;
	buf_printf(&b, "AWS4-HMAC-SHA256\n%s\n%s/%s/%s/aws4_request\n%s", when, day, l->region,
	    l->service, hash);
	sign(l, day, buf_cstr(&b), signature);
	b.len = 0;
	buf_printf(&b, "Authorization: AWS4-HMAC-SHA256 Credential=%s/%s/%s/%s/aws4_request, "
	               "SignedHeaders=%s, Signature=%s",
	    l->keys.id, day, l->region, l->service, names, signature);
	list = add(list, &b);
	buf_printf(&b, "X-Amz-Date: %s", when);
	list = add(list, &b);
	buf_printf(&b, "X-Amz-Content-Sha256: %s", r->body);
	list = add(list, &b);
	if (l->keys.token != NULL) {
		buf_printf(&b, "X-Amz-Security-Token: %s", l->keys.token);
		list = add(list, &b);
	}
	buf_free(&b);
	return list;
}
