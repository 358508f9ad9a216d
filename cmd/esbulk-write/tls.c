#include <stdlib.h>
#include <string.h>

#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include "buf.h"
#include "hex.h"
#include "tls.h"

int
pin_parse(struct pin *pin, const char *hex)
{
	size_t n = 0;

	while (*hex != '\0') {
		int high = hex_digit(hex[0]), low = high < 0 ? -1 : hex_digit(hex[1]);

		if (low < 0 || n == sizeof(pin->sha256))
			return -1;
		pin->sha256[n++] = (unsigned char)(high << 4 | low);
		hex += 2;
		if (*hex == ':' && hex[1] != '\0')
			hex++;
	}
	pin->set = n == sizeof(pin->sha256);
	return pin->set ? 0 : -1;
}

/* The library that is linked here must be the one that libcurl uses. */
const char *
tls_unusable(void)
{
	const char *tls = curl_version_info(CURLVERSION_NOW)->ssl_version;
	char *end;

	if (tls == NULL || strncmp(tls, "OpenSSL/", 8) != 0 ||
	    strtoul(tls + 8, &end, 10) != OPENSSL_version_major() || *end != '.')
		return "libcurl here uses another TLS library than OpenSSL: give --cacert";
	return NULL;
}

static X509 *
pinned_of(const struct pin *pin, const STACK_OF(X509) * chain, X509 *leaf)
{
	unsigned char h[EVP_MAX_MD_SIZE];
	unsigned n;

	for (int i = -1; i < sk_X509_num(chain); i++) {
		X509 *x = i < 0 ? leaf : sk_X509_value(chain, i);

		if (x != NULL && X509_digest(x, EVP_sha256(), h, &n) == 1 &&
		    n == sizeof(pin->sha256) && memcmp(h, pin->sha256, n) == 0)
			return x;
	}
	return NULL;
}

/*
 * In place of OpenSSL's own check of the chain: the same, with the one certificate as all
 * that is trusted.  Names and dates are checked as ever.
 */
static int
verify(X509_STORE_CTX *store, void *arg)
{
	struct tls *t = arg;
	X509 *pinned = pinned_of(t->pin, X509_STORE_CTX_get0_untrusted(store),
	    X509_STORE_CTX_get0_cert(store));
	STACK_OF(X509) * trusted;
	int ok;

	if (pinned == NULL) {
		t->pin_missed = true;
		X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
		return 0;
	}
	trusted = sk_X509_new_null();
	if (trusted == NULL || sk_X509_push(trusted, pinned) == 0) {
		X509_STORE_CTX_set_error(store, X509_V_ERR_OUT_OF_MEM);
		sk_X509_free(trusted);
		return 0;
	}
	X509_STORE_CTX_set0_trusted_stack(store, trusted);
	/* It may be an intermediate authority's. */
	X509_STORE_CTX_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN);
	ok = X509_verify_cert(store);
	X509_STORE_CTX_set0_trusted_stack(store, NULL);
	sk_X509_free(trusted);
	return ok > 0;
}

static void
on_alert(const SSL *ssl, int where, int alert)
{
	struct tls *t = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

	if (t != NULL && where == SSL_CB_READ_ALERT && alert >> 8 == SSL3_AL_FATAL)
		t->alert = alert & 0xff;
}

static CURLcode
on_context(CURL *easy, void *context, void *arg)
{
	struct tls *t = arg;

	(void)easy;
	if (t->pin != NULL)
		SSL_CTX_set_cert_verify_callback(context, verify, t);
	SSL_CTX_set_app_data(context, t);
	SSL_CTX_set_info_callback(context, on_alert);
	return CURLE_OK;
}

CURLcode
tls_watch(CURL *easy, struct tls *t)
{
	CURLcode rc = curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_context);

	return rc == CURLE_OK ? curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, t) : rc;
}

bool
tls_wants_certificate(const struct tls *t)
{
	return t->alert == SSL_AD_CERTIFICATE_REQUIRED || t->alert == SSL_AD_HANDSHAKE_FAILURE ||
	    t->alert == SSL_AD_BAD_CERTIFICATE || t->alert == SSL_AD_UNKNOWN_CA;
}

const char *
tls_alert(const struct tls *t)
{
	if (t->alert == 0)
		return NULL;
	/* OpenSSL 3.0 has no words for this one. */
	return t->alert == SSL_AD_CERTIFICATE_REQUIRED ? "certificate required"
	                                               : SSL_alert_desc_string_long(t->alert);
}
