#ifndef PROBE_H
#define PROBE_H

#include <stdbool.h>

#include "buf.h"
#include "connection.h"
#include "finding.h"
#include "json.h"
#include "node.h"

/*
 * Single requests, one after the other, for --check, --setup and --drop: each waits for its
 * answer, and nothing is tried again.
 */
struct probe {
	const struct options *o;
	struct findings f;
	struct login login;
	struct connection connection;
	struct nodes nodes;
	struct node *node; /* whom to ask for what is the same on all; NULL: none is there */
	CURLcode rc;       /* of the last request */
	long status;       /* likewise; 0: there was no answer */
	bool give_up;      /* once that node gave no answer nobody is asked any more */
	struct buf answer; /* likewise, its body, as a C string; without secrets */
};

/* 0, or -1 when libcurl cannot be had. */
int probe_init(struct probe *, const struct options *) __attribute__((warn_unused_result));
void probe_free(struct probe *);

/*
 * Ask a node; body is JSON, or NULL.  The status, or 0: connection_problem says why, by rc.
 */
long probe_ask(struct probe *, struct node *, const char *method, const char *path,
    const char *body);

/* The answer, for json_member; p NULL: it is no JSON. */
struct json_text probe_json(struct probe *);

/* The string there, or ""; valid until the next call. */
const char *probe_string(struct json_text);

/*
 * Find a node that answers, without a word.  False, with a finding: none does.
 */
bool probe_any(struct probe *);

/* Does the last answer say that it may be otherwise in a moment? */
bool probe_passes(const struct probe *);

/* Say why the last request, to this node, came to nothing. */
void probe_failed(struct probe *, struct node *, const char *name);

/* Append the command that sends a request with curl, the login by its file or variable. */
void probe_put_curl(const struct probe *, struct buf *, const char *method, const char *path,
    const char *body);

/* The part of a path that stands for an index or pattern: escaped. */
void probe_put_name(struct buf *, const char *);

#endif
