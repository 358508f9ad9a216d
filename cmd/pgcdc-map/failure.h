#ifndef FAILURE_H
#define FAILURE_H

#include "buf.h"
#include "plan.h"
#include "render.h"

/* The longest id that the search servers take, in bytes. */
#define FAILURE_ID_MAX 512

/* Why a row cannot be mapped. */
enum failure_kind {
	FAIL_NONE,
	FAIL_VALUE,     /* result says what is wrong with column's value */
	FAIL_UNSEEN,    /* nobody knows whether column changed */
	FAIL_CONDITION, /* result says what is wrong with where or delete_when */
	FAIL_MOVED, /* it cannot be taken over from a document that may be the new one, too */
	FAIL_EMPTY,
	FAIL_LONG,
};

struct failure {
	enum failure_kind kind;
	enum render_result result;
	const char *what; /* "id", "index", "routing", "where", or a field's name */
	uint32_t column;
	bool old; /* the value was looked for in the old row */
};

/* Append why, for the body of a reject.  fault: the renderer's words, for RENDER_FAULT. */
void failure_describe(
    const struct failure *, const struct plan *, const struct buf *fault, struct buf *);

#endif
