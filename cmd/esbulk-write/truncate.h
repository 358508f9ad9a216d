#ifndef TRUNCATE_H
#define TRUNCATE_H

#include "action.h"
#include "buf.h"
#include "json.h"
#include "queue.h"

struct delivery;
struct lane;

/*
 * Deleting all documents that an index pattern and a query match.  One runs at a time, and
 * nothing is read from the input meanwhile.  It is an item of the first lane, whose turn
 * comes when it is the only one left: to refresh the indexes, to search, and after each
 * page of hits, whose deletes go through the lanes as any others and are stored first, to
 * ask for the next.  After any failure it begins anew, for a page may be lost; what it had
 * opened is closed before.
 */
struct truncate {
	struct item *item; /* NULL: none runs */
	enum truncate_step {
		TRUNCATE_REFRESH,
		TRUNCATE_SEARCH,
		TRUNCATE_NEXT,
		TRUNCATE_CLOSE,
	} step;
	struct buf path; /* the pattern as a URL has it */
	struct buf query, scroll; /* scroll: what is open; empty: none */
	bool anew;                /* it begins anew when that is closed */
	bool versioned;
	uint64_t version; /* of the deletes */
	struct action_line line;
	struct buf index, id, routing;
	uint64_t matched;
	/* Since documents were deleted last, as in struct lane, whose own know only a step. */
	unsigned failures, unreadable, errors;
	int64_t unreadable_since;
	uint64_t deleted; /* then */
};

/* Begin.  The item is in its lane; pattern and query (ptr NULL: all) are copied. */
void truncate_begin(struct truncate *, struct item *, struct frame_str pattern,
    struct frame_str query, bool versioned, uint64_t version);

/*
 * The next request: append its body, and its path and arguments to url, which has the
 * node's own part.  Returns the method.
 */
const char *truncate_ask(const struct truncate *, struct buf *url, struct buf *body);

enum truncate_result {
	TRUNCATE_GOES_ON, /* with the next step, when the deletes are stored */
	TRUNCATE_DONE,
	TRUNCATE_PARTIAL,    /* a shard did not answer: begin anew */
	TRUNCATE_UNREADABLE, /* no answer to truncate_ask: begin anew */
};

/* The answer to the request, of status 200.  Deletes go to the lanes. */
enum truncate_result truncate_answer(struct truncate *, struct delivery *,
    struct json_text answer) __attribute__((warn_unused_result));

/* The request failed.  PARTIAL: it begins anew; else that does not matter. */
enum truncate_result truncate_failed(struct truncate *);

/* All is deleted and stored. */
void truncate_end(struct truncate *);

#endif
