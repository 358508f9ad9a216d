#ifndef REQUEST_H
#define REQUEST_H

#include <microhttpd.h>

#include "standin.h"

/*
 * One HTTP request on its way.  server.c moves it through its stages; bulk_request.c,
 * documents.c and control.c write its answer.
 */
enum { MAX_SEGMENTS = 5 };

enum request_stage {
	STAGE_NEW,     /* only its first line is known */
	STAGE_HEADERS, /* known by its headers, the body not yet wanted */
	STAGE_BODY,    /* the body is coming */
	STAGE_READY,   /* read, parsed, not yet executed */
	STAGE_ANSWER,  /* executed, the answer is ready */
};

struct request {
	struct request *next;
	struct request *prev;
	struct standin *standin;
	struct MHD_Connection *connection;
	enum request_stage stage;
	uint32_t serial; /* bulk requests': see order.h */
	bool bulk_path;
	bool suspended;
	bool hanging; /* suspended until released */
	bool gone;    /* the client has closed the connection */
	bool dropped; /* close it without a word */
	bool too_large;
	bool over; /* for the check of order */
	unsigned down_ms; /* go away for so long once it is answered */
	uint64_t wake_us;  /* when a suspended one goes on (monotonic) */
	uint64_t expected; /* bytes, by its headers; 0: not known */
	uint64_t received;
	char method[8];
	char *path;                   /* as it came */
	char *split;                  /* the copy that the segments are in */
	char *segments[MAX_SEGMENTS]; /* decoded */
	unsigned n_segments;
	struct buf body;
	struct buf plain;     /* the body unpacked, when it came packed */
	struct slice content; /* the one of the two that counts */
	struct bulk bulk;
	struct buf ids;
	struct failure failure;
	struct plan plan;
	/* The answer: text points into answer.out, out, or static memory. */
	int status;
	const char *content_type;
	struct slice text;
	struct answer answer;
	struct buf out;
	size_t dripped; /* how far the answer was sent when it drips */
};

/* An argument of the query, or NULL; "" without a value. */
const char *request_argument(const struct request *, const char *name);
/* Is a flag set by the query: "x", "x=", "x=true"? */
bool request_flag(const struct request *, const char *name);
bool request_is(const struct request *, const char *method);
/* Does the path have n segments, number at (from 0) being this? */
bool request_path(const struct request *, unsigned n, unsigned at, const char *segment);

/* Answer with out, in JSON. */
void request_answer(struct request *, int status);
/* Answer with the request's failure. */
void request_fail(struct request *);

/* The body is there: find out what to do, and fail if that is already clear. */
void bulk_request_parse(struct request *);
/* Execute and write the answer (unless it failed already). */
void bulk_request_run(struct request *);

/* Everything else that a cluster answers; writes the answer. */
void documents_request(struct request *);

/* /_standin/...; writes the answer. */
struct handler;
void control_request(struct handler *, struct request *);

#endif
