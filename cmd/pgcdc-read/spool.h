#ifndef SPOOL_H
#define SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"

/*
 * Transactions that the server streams before they commit: what came of each is kept until
 * its end is known, in memory up to a limit over all of them, beyond it in files that have no
 * name, so that nothing of them outlives the program.
 *
 * What is kept are the server's messages, not frames: a table or a type that the transaction
 * made itself is in nobody else's catalog before the commit.
 */

struct spool {
	uint32_t xid;      /* of the whole transaction */
	bool doubtful;     /* what is kept is not to be relied on: nothing is */
	int fd;            /* -1: all of it is in memory */
	uint64_t file_len; /* bytes in the file; what is in memory comes behind */
	struct buf mem;
	/* Reading. */
	uint64_t pos;
	uint64_t window_at; /* where in the file the window is from */
	struct buf window;
};

struct spools {
	const char *of; /* what they are, for the log */
	const char *dir;
	size_t limit;  /* bytes in memory, over all */
	size_t own;    /* and of a single one: at first a quarter of that */
	size_t memory; /* bytes in memory now */
	struct spool **list;
	size_t count, cap;
};

/* Can files be made in dir?  0, or -1 with the error logged, and errno. */
int spools_init(struct spools *, const char *of, const char *dir, size_t limit)
    __attribute__((warn_unused_result));

/* The transaction's spool, or NULL. */
struct spool *spools_find(const struct spools *, uint32_t xid);

/* The same; a new one where there is none. */
struct spool *spools_open(struct spools *, uint32_t xid);

/*
 * Append a message: its letter and what follows behind the xid.  -1: the disk is full, or
 * fails; said on the log.
 */
int spool_add(struct spools *, struct spool *, char letter, const char *body, size_t len)
    __attribute__((warn_unused_result));

/* Keep nothing of it, neither what came nor what will; only that it was there. */
void spool_doubt(struct spools *, struct spool *);

/*
 * The next message, from the first on, valid until the next call: 1; 0 at the end; -1 with
 * the error logged.  Nothing is to be added any more.
 */
int spool_next(struct spool *, const char **msg, size_t *len) __attribute__((warn_unused_result));

/* The transaction came to its end: forget it. */
void spool_drop(struct spools *, struct spool *);

/* Forget all, with the connection. */
void spools_clear(struct spools *);

#endif
