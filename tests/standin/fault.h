#ifndef FAULT_H
#define FAULT_H

#include "bulk.h"

/*
 * Misbehaviour that was asked for.  Each fault has a kind, a chance p, and a
 * number of times that it happens (count) after a number of times that it is let
 * pass (skip).  Those that concern a request are decided at its headers and kept
 * in a plan, so that what happens to it does not change on its way.
 */

enum fault_kind {
	FAULT_STATUS, /* answer the request with a status */
	FAULT_ITEM,   /* fail single items */
	FAULT_HANG,   /* keep the request without an answer until released */
	FAULT_DELAY,  /* be slow */
	FAULT_CUT,    /* close the connection */
	FAULT_GARBLE, /* send something that is no answer, with status 200 */
	FAULT_SHORT,  /* leave the last item out of the answer */
	FAULT_DRIP,   /* send the answer slowly */
	FAULT_REQUEST, /* answer the request with a status for one of its items */
};

/* When, as seen from the execution of the items. */
enum fault_when {
	WHEN_HEADERS, /* before the body is read */
	WHEN_BODY,    /* in the middle of the body */
	WHEN_BEFORE,  /* the body is read, nothing is executed */
	WHEN_HALF,    /* the first half of the items is executed */
	WHEN_AFTER,   /* all are executed, nothing is answered */
	WHEN_ANSWER,  /* in the middle of the answer */
};

enum fault_garble {
	GARBLE_TRUNCATED,
	GARBLE_GARBAGE,
	GARBLE_HTML,
	GARBLE_EMPTY,
	/* What is JSON and nearly an answer: see search.c and documents.c. */
	GARBLE_PARTIAL, /* a search without some of its hits, as one of two shards is away */
	GARBLE_NO_FOUND, /* documents of an mget that don't say whether they are there */
	GARBLE_OTHER_ID, /* ... that have another id than was asked for */
};

struct fault {
	struct fault *next;
	unsigned number;
	enum fault_kind kind;
	enum fault_when when;
	double p;
	long count; /* times left, -1: no end */
	long skip;  /* times to let pass first */
	unsigned long hits;
	char *path;   /* glob on the URL's path */
	char *index;  /* glob, items only */
	char *id;     /* prefix, items only */
	char *op;     /* items only */
	char *type;   /* exception */
	char *reason; /* its text */
	char *body;   /* of the answer */
	char *retry_after;
	int status;
	long ms;
	long item_us;
	long bytes;
	bool reset; /* cut by RST */
	enum fault_garble garble;
};

struct faults {
	struct fault *list; /* in the order they were added */
	unsigned last_number;
	bool on_items; /* there are some of FAULT_ITEM */
	bool on_bulks; /* and of FAULT_REQUEST */
	uint64_t random;
	unsigned long hits;
};

/* What is going to happen to one request.  Zeroed: nothing. */
struct plan {
	int status;
	enum fault_when status_when;
	struct buf body;
	char retry_after[32];
	bool hang;
	enum fault_when hang_when;
	bool delay;
	enum fault_when delay_when;
	uint64_t delay_us;
	uint64_t item_us;
	bool cut;
	enum fault_when cut_when;
	bool reset;
	bool garbled;
	enum fault_garble garble;
	bool shorten;
	size_t drip_bytes; /* 0: none */
	uint64_t drip_us;
};

/*
 * Add a fault: from the members of a checked JSON object, or from "a=1&b=2" with
 * percent-escapes.  Returns NULL, or what is wrong with it (static text).
 */
const char *fault_add_json(struct faults *, struct slice object);
const char *fault_add_query(struct faults *, const char *query);

/* A kind by its name; -1: there is none. */
int fault_kind(const char *name);

/* Remove them all, or (kind >= 0) those of one kind. */
void fault_clear(struct faults *, int kind);

/* Remove the one of this number; false when there is none. */
bool fault_remove(struct faults *, unsigned number);

/* Append the list as JSON. */
void fault_list(const struct faults *, struct buf *);

/* Decide for a request; the plan must be zeroed but for its body's memory. */
void fault_plan(struct faults *, const char *path, struct plan *);

/* Plan what the request meets for one of its items, if it meets nothing else. */
void fault_bulk(struct faults *, const struct bulk *, struct plan *);

/* The fault that this item meets, or NULL. */
const struct fault *fault_item(struct faults *, const struct bulk_item *);

/* Undo percent-escapes (and, in a query, plus signs) in place. */
void percent_decode(char *, bool plus);

#endif
