#ifndef FAILURE_H
#define FAILURE_H

#include "buf.h"
#include "json.h"

/*
 * Why a whole request failed: an HTTP status and the server's exception, with
 * another below it where cause_type is set.  Zeroed: none.
 */
struct failure {
	int status;
	const char *type;
	struct buf reason;
	const char *cause_type;
	struct buf cause_reason;
};

void failure_free(struct failure *);

/* Set status, type and reason; returns false. */
bool failure_set(struct failure *, int status, const char *type, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* 400 illegal_argument_exception; returns false. */
bool failure_argument(struct failure *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* 400 with what the parser says; returns false. */
bool failure_json(struct failure *, const struct json_error *);

/* The exception's name for a parser's error. */
const char *failure_json_type(enum json_error_kind);

/* Append the parser's reason, with the place in Jackson's words. */
void failure_json_reason(struct buf *, const struct json_error *);

/* Append the answer's body. */
void failure_body(struct buf *, const struct failure *);

/* Append what real servers answer to a whole request with this status. */
void failure_typical(struct buf *, int status);

#endif
