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
	VERDICT_FATAL,  /* it never will: somebody must look */
};

/*
 * One item of a bulk answer: its HTTP status and its error's type ("" without an error).
 * errors counts the item's answers of 500, this one included.
 */
enum verdict verdict_item(enum frame_op, int status, const char *type, unsigned errors);

enum request_verdict {
	REQUEST_ANSWERED,  /* its items' answers count */
	REQUEST_RETRY,     /* as it is */
	REQUEST_TOO_LARGE, /* smaller */
	REQUEST_DENIED,    /* the login or its rights */
	REQUEST_FATAL,
};

/* A whole request, by its HTTP status. */
enum request_verdict verdict_request(long status);

#endif
