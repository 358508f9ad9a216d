#ifndef SIGV4_H
#define SIGV4_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include <curl/curl.h>

#include "secret.h"

/*
 * AWS Signature Version 4: "Create a signed AWS API request" in the IAM user guide.
 *
 * libcurl's own (CURLOPT_AWS_SIGV4) is of no use here: in 7.88 it signs the hash of an
 * empty body where the body comes from a callback, takes query strings as they are, and
 * knows nothing of session tokens.
 */

#define SHA256_HEX 65 /* with the NUL */

/* The hash of a body that comes in parts. */
struct sha256;
struct sha256 *sha256_new(void) __attribute__((warn_unused_result));
void sha256_add(struct sha256 *, const void *, size_t);
/* Write the hash in lower case, and free it. */
void sha256_end(struct sha256 *, char hex[SHA256_HEX]);

struct sigv4_request {
	const char *method;
	const char *host;         /* the header as it is sent */
	const char *target;       /* path and query as they are sent: escaped, whole */
	const char *content_type; /* the header's value */
	const char *body;         /* the body's hash */
	time_t now;
};

/*
 * Append the headers that sign the request: Authorization, X-Amz-Date,
 * X-Amz-Content-Sha256 and X-Amz-Security-Token.  NULL: there is no memory.
 */
struct curl_slist *sigv4_headers(struct curl_slist *, const struct login *,
    const struct sigv4_request *) __attribute__((warn_unused_result));

#endif
