#ifndef PGOUTPUT_H
#define PGOUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "frame.h"
#include "relation.h"
#include "row.h"
#include "spool.h"
#include "toast.h"

/*
 * Decode pgoutput, protocol versions 1 to 4 ("Logical Replication Message Formats" in
 * PostgreSQL's manual), into frames.  A transaction becomes a unit once it shows a row;
 * an empty one leaves no trace.  One that is streamed before it commits is spooled, and
 * replayed when it did; parallel streaming and two_phase are not asked for.
 */

/* Who is told, before it is emitted, what the transaction that is taken does; NULLs for nobody. */
struct pgoutput_watch {
	void (*row)(void *, const struct row *, uint32_t xid);
	void (*truncate)(void *, uint32_t relid, uint32_t xid);
	/* A table's definition came. */
	void (*relation)(void *, const struct relation *);
	void *arg;
};

struct pgoutput {
	struct relations relations;
	struct spools spools;
	struct buf *out;          /* frames are appended here */
	bool in_transaction;      /* Begin was seen, Commit not yet */
	bool in_unit;             /* its B was emitted */
	bool skipping;            /* the transaction was emitted before */
	struct frame_begin begin; /* of the transaction */
	uint64_t resume;          /* commits before it were emitted, or never will be */
	struct spool *stream;     /* inside Stream Start ... Stream Stop */
	struct spool *replay;     /* committed: its messages are taken now */
	uint64_t replay_end;      /* end of its commit */
	uint64_t definitions;     /* Relation messages that arrived so far */
	struct buf newer;         /* those that a replay must not undo */
	uint64_t seq;             /* of the last unit emitted; counts from 1 */
	uint64_t chunks;          /* units of them that are a snapshot's */
	uint64_t streamed;        /* transactions that came before they were committed */
	uint64_t rows;
	struct row row;
	struct toast toast;
	struct pgoutput_watch watch;
};

enum pgoutput_event {
	PGOUTPUT_NOTHING,
	PGOUTPUT_BEGIN, /* begin.lsn is known, nothing was emitted yet */
	PGOUTPUT_UNIT,  /* a unit is complete: seq, and end_lsn to be confirmed */
	PGOUTPUT_EMPTY, /* a transaction without a row ended at end_lsn */
	PGOUTPUT_DOUBTFUL, /* a streamed transaction is to be read again, without streaming */
	PGOUTPUT_STOPPED,
	PGOUTPUT_LOST,      /* a connection is; said on the log */
	PGOUTPUT_TEMPORARY, /* the disk is full, or the like; said on the log */
	PGOUTPUT_PERMANENT,
};

/* Take a message of the server.  Not while replay is set. */
enum pgoutput_event pgoutput_take(struct pgoutput *, const char *msg, size_t len,
    uint64_t *end_lsn) __attribute__((warn_unused_result));

/* While replay is set: take the next message of that transaction. */
enum pgoutput_event pgoutput_replay(struct pgoutput *, uint64_t *end_lsn)
    __attribute__((warn_unused_result));

/*
 * A unit of a snapshot: its B, whose lsn is what versions are made of, rows that the caller
 * appends to out, and its C, whose seq is returned.  Only between transactions.
 */
void pgoutput_open_chunk(struct pgoutput *, uint64_t lsn);
uint64_t pgoutput_close_chunk(struct pgoutput *, uint64_t end_lsn);

/*
 * The connection is gone.  Another one will send again what comes behind resume: an open
 * unit is begun again, spools are dropped.
 */
void pgoutput_disconnected(struct pgoutput *, uint64_t resume);

/* Forget everything; out and the catalog are the caller's. */
void pgoutput_free(struct pgoutput *);

#endif
