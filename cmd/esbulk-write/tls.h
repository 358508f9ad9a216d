#ifndef TLS_H
#define TLS_H

#include <stdbool.h>

#include <curl/curl.h>

/*
 * What libcurl leaves to the TLS library, which must be OpenSSL for it.
 */

/*
 * The fingerprint of a certificate authority in place of its certificate, as Elasticsearch
 * prints it when it starts for the first time: the SHA-256 of the certificate in DER.  The
 * node must show that certificate in its chain, and only what it signed is trusted.
 */
struct pin {
	unsigned char sha256[32];
	bool set;
};

/* Hexadecimal, of either case, with or without colons.  -1: it is none. */
int pin_parse(struct pin *, const char *hex) __attribute__((warn_unused_result));

/* Can any of it be had?  NULL, or why not: libcurl may use another TLS library. */
const char *tls_unusable(void);

/* Of one handle's connections. */
struct tls {
	const struct pin *pin; /* or NULL; the caller's */
	bool pin_missed;       /* no certificate that a node showed has it */
	int alert;             /* by which a node ended a connection (RFC 8446, 6.2), or 0 */
};

/*
 * Have the pin checked, in place of other authorities, and alerts noted, which lives as long as
 * the handle; the caller clears what is noted.  By TLS 1.3 a node says that it does not like who
 * we are when we write already.  Then writing can fail before the alert was read: libcurl tells
 * of that failure alone, though it reads once more before it closes.
 */
CURLcode tls_watch(CURL *, struct tls *) __attribute__((warn_unused_result));

/* Was it an alert of a node that wants another client certificate, or one at all? */
bool tls_wants_certificate(const struct tls *);

/* The alert in words; NULL: there was none. */
const char *tls_alert(const struct tls *);

#endif
