#ifndef STANDIN_H
#define STANDIN_H

#include "answer.h"
#include "fault.h"
#include "order.h"
#include "store.h"

/*
 * What the stand-in is made of.  One thread does everything, so nothing here is
 * locked, and a bulk request is executed in one go.
 */

struct options {
	int port; /* -1: no TCP */
	const char *port_file;
	const char *unix_path;
	const char *number;       /* the version it claims to be */
	const char *distribution; /* "opensearch" or "elasticsearch" */
	char *authorization;      /* what the header must be, or NULL */
	size_t max_bytes;         /* of a body as sent */
	enum store_keep keep;
	unsigned shards;
	uint32_t gc_deletes_ms;
	uint64_t seed;
	bool auto_create; /* indexes */
	bool count;       /* look into bulk requests only if they are unusual */
};

struct stats {
	uint64_t bulk_requests;
	uint64_t other_requests;
	uint64_t items[4]; /* executed or failed, by enum bulk_op */
	uint64_t created;
	uint64_t updated;
	uint64_t deleted;
	uint64_t noop;
	uint64_t not_found;
	uint64_t conflicts;
	uint64_t errors;   /* items that failed otherwise */
	uint64_t injected; /* items failed by a fault; not in errors */
	uint64_t bytes;    /* of bodies, as sent */
	uint64_t in_flight;
	uint64_t in_flight_max;
	uint64_t items_max;
	uint64_t order_violations;
	int64_t scrolls; /* that were begun and not closed */
};

/* A file that lines are appended to, flushed once a request.  fd -1: none. */
struct line_file {
	int fd;
	struct buf text;
};

struct standin {
	struct options options;
	struct store store;
	struct order order;
	struct faults faults;
	struct stats stats;
	struct filter filter; /* of the last bulk request */
	struct line_file log;
	struct line_file stamp;
	uint64_t log_seq;
	uint64_t auto_id;
	struct outcome outcome; /* kept for its buffers */
};

#endif
