#ifndef CONNECTION_H
#define CONNECTION_H

#include <stdbool.h>
#include <stddef.h>

#include <curl/curl.h>

#include "buf.h"
#include "node.h"
#include "options.h"
#include "sigv4.h"
#include "tally.h"
#include "tls.h"

/*
 * All that is between a request and a node: TLS, logins, proxies, time limits; and what
 * went wrong there, in words that help.
 */
struct connection {
	CURL *easy;
	struct login *login;        /* shared by all, for it can change */
	struct curl_slist *headers; /* of the request in flight */
	unsigned generation;        /* of the login that it was sent with */
	struct tls tls;
	struct buf *answer; /* where bodies go, see connection_collect */
	size_t answer_max;
	char error[CURL_ERROR_SIZE];
};

/* Is all there that the options want?  Warns about what they give up.  -1: logged. */
int connection_check(const struct options *) __attribute__((warn_unused_result));

/* 0, or -1 when libcurl cannot be had or lacks something. */
int connection_init(struct connection *, const struct options *, struct login *)
    __attribute__((warn_unused_result));

/* Bodies of answers are appended there from now on; one with more than max bytes fails. */
void connection_collect(struct connection *, struct buf *, size_t max);

struct request_head {
	const char *method;
	const char *url; /* whole; the caller's, until the request is done */
	const char *content_type;
	bool gzip;
};

/* Must body be given to connection_begin? */
bool connection_signs(const struct connection *);

/* Say where a request goes and who sends it.  -1: there is no memory. */
int connection_begin(struct connection *, const struct node *, const struct request_head *,
    const char body[SHA256_HEX]) __attribute__((warn_unused_result));

/* Hash a body that is in one piece. */
void connection_hash(const char *, size_t, char hex[SHA256_HEX]);

/*
 * A request was denied.  True: the login is another one now than it was sent with, so it
 * is worth another try.
 */
bool connection_relogin(struct connection *);

/* Why a transfer failed, for those who count. */
enum tally_cause connection_cause(const struct connection *, CURLcode);

/* The same in words. */
const char *connection_problem(const struct connection *, CURLcode);

/* What may help; NULL: nothing is known. */
const char *connection_remedy(const struct connection *, const struct node *, CURLcode);

/* Is it trouble that another try cannot mend? */
bool connection_hopeless(const struct connection *, CURLcode);

/* Where a redirect leads, or NULL; libcurl's, until the next request. */
const char *connection_redirect(const struct connection *);

#endif
