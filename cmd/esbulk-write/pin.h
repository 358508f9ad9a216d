#ifndef PIN_H
#define PIN_H

#include <stdbool.h>

#include <curl/curl.h>

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

/* Can it be checked?  NULL, or why not: libcurl may use another TLS library. */
const char *pin_unusable(void);

/*
 * Have it checked by this handle's connections, in place of other authorities; *missed is
 * set when no certificate that a node shows has it.  Both live as long as the handle.
 */
CURLcode pin_use(CURL *, const struct pin *, bool *missed) __attribute__((warn_unused_result));

#endif
