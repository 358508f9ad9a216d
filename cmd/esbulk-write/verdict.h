#ifndef VERDICT_H
#define VERDICT_H

#include <stdbool.h>

#include "frame.h"

/*
 * What an answer of the cluster means for the action it answers.
 */

enum verdict {
	VERDICT_STORED, /* the cluster holds this, or something newer */
	VERDICT_RETRY,  /* it may work later */
	VERDICT_LOUD,   /* it may work when somebody mends the cluster: for a while */
	VERDICT_REJECT, /* it never will, and it is this action's fault */
	VERDICT_AGAIN,  /* not an answer's: rejected, and sent again at once to be told why */
};

/*
 * One item of a bulk answer: its HTTP status, its error's type and reason ("" without an
 * error).  errors counts the item's answers of 500 and the like, this one included.
 */
enum verdict verdict_item(enum frame_op, int status, const char *type, const char *reason,
    unsigned errors);

/* So many times a 500 is taken for a passing fault: of an item, and of a request. */
#define VERDICT_MAX_500 8

enum request_verdict {
	REQUEST_ANSWERED,  /* its items' answers count */
	REQUEST_RETRY,     /* as it is */
	REQUEST_TOO_LARGE, /* smaller */
	REQUEST_DENIED,    /* the login or its rights */
	REQUEST_REJECTED,  /* some action in it is wrong: which? */
	REQUEST_ERROR,     /* the same when it repeats, else as it is */
	REQUEST_MISDIRECTED, /* what answers is not what takes bulk requests */
};

/* A whole request, by its HTTP status and the start of its body, a C string. */
enum request_verdict verdict_request(long status, const char *body);

#endif
