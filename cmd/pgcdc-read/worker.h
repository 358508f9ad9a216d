#ifndef WORKER_H
#define WORKER_H

#include <poll.h>

#include "chunk.h"
#include "pg.h"

/*
 * A connection that reads chunks, one at a time, and never waits.
 */

struct worker {
	PGconn *conn; /* NULL: none */
	enum { WORKER_CONNECTS, WORKER_SETS, WORKER_RESTS, WORKER_READS } state;
	bool writes;   /* its socket is to be looked at for writing */
	bool more;     /* libpq holds what is not taken yet */
	int64_t since; /* when it began to connect */
	int64_t retry_at;
	struct buf prepared; /* see chunk_ask */
	struct chunk *chunk; /* while it reads */
	struct chunk *ended; /* for who keeps it until it can be judged */
};

enum worker_event {
	WORKER_NOTHING,
	WORKER_CAME,    /* its chunk, which is taken off it, ended */
	WORKER_LOST,    /* its connection is; said on the log */
	WORKER_REFUSED, /* the server does not let it connect; said on the log */
};

/* Begin to connect to the server that peer is connected to. */
void worker_start(struct worker *, const char *conninfo, const PGconn *peer, int64_t now);

/* Give it a chunk, when it rests.  false: the connection is broken, and the chunk not taken. */
bool worker_give(struct worker *, struct chunk *, const struct chunk_context *)
    __attribute__((warn_unused_result));

/* What it waits for; fd -1: nothing. */
void worker_poll(const struct worker *, struct pollfd *);

/*
 * Go on, when its socket is ready or it has more; *ended is the chunk of WORKER_CAME.
 */
enum worker_event worker_take(struct worker *, const char *conninfo,
    const struct chunk_context *, int64_t now, struct chunk **ended)
    __attribute__((warn_unused_result));

/* Close its connection; its chunk is the caller's again. */
struct chunk *worker_stop(struct worker *);

#endif
