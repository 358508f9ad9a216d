#ifndef SIDE_H
#define SIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "connection.h"
#include "node.h"

/*
 * Requests beside the lanes', one at a time: index templates that are put before the first
 * write, and the question which nodes the cluster has.
 */

struct side {
	const struct options *o;
	CURLM *multi;
	struct nodes *nodes;
	struct connection connection;
	struct node *node; /* of the request in flight */
	bool busy;
	size_t put;        /* templates that the cluster has */
	bool sniffed;      /* it was asked once, whatever came of it */
	int64_t sniff_at;  /* when it is asked again; 0: at once */
	int64_t due;       /* a failed request is tried again */
	unsigned failures; /* in a row */
	struct buf url, answer;
};

/* 0, or -1 when libcurl cannot be had. */
int side_init(struct side *, const struct options *, CURLM *, struct nodes *, struct login *)
    __attribute__((warn_unused_result));

/* Nothing is written before this is true. */
bool side_ready(const struct side *);

/* Start a request when one is due.  An exit status (logged), or -1. */
int side_work(struct side *, int64_t now);

/* When side_work must be called next; INT64_MAX: never. */
int64_t side_due(const struct side *);

/* libcurl is done with its request.  An exit status (logged), or -1. */
int side_finished(struct side *, CURLcode, int64_t now);

#endif
