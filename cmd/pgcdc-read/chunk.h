#ifndef CHUNK_H
#define CHUNK_H

#include "spool.h"
#include "table.h"
#include "visible.h"

/*
 * A chunk of a table's blocks, from the query that reads it to the ack of its last row.  It is
 * one transaction, over before the first row is emitted, so that whatever is slow downstream
 * holds nothing on the server:
 *
 *	BEGIN (repeatable read)
 *	LOCK TABLE ... IN ACCESS SHARE MODE
 *	the snapshot S, the table's file, how its rows are published
 *	COPY of the blocks, into the spool
 *	is its schema still called as before?
 *	COMMIT
 *
 * The lock comes first: a table that was rewritten behind S looks empty to it, and now the
 * rewrite is either over before S, and shows by the file, or waits.  All of it is sent at once.
 *
 * LOCK and COPY look for the table by its name, one after the other.  A table that is locked
 * keeps its own, but nobody can lock a schema's: so it must be the one that the listing knew, by
 * the version of its row, from there to the end.
 *
 * To plan the query for the definition takes the server longer than to read some 10,000 rows, so
 * a connection keeps it prepared, for the table of its last chunk.
 */

enum chunk_state {
	CHUNK_ASKED,   /* its query was sent */
	CHUNK_READ,    /* it waits for its turn in the stream */
	CHUNK_EMITTED, /* it waits for its ack */
};

/* How it ended, if it did not become CHUNK_READ. */
enum chunk_outcome {
	CHUNK_FINE,
	CHUNK_STALE,   /* a transaction that was streamed is not seen: read it again */
	CHUNK_CHANGED, /* the table is defined or stored in another way than was thought */
	CHUNK_LOCKED,  /* somebody holds the table */
	CHUNK_FAILED,  /* said on the log; another connection, or another time, may help */
	CHUNK_REFUSED, /* said on the log; nothing helps */
	CHUNK_NO_ROOM, /* the disk for the spool is full: said on the log */
};

struct chunk {
	struct table *table;
	struct range range; /* empty: the table is measured only */
	enum chunk_state state;
	enum chunk_outcome outcome;
	uint64_t asked_at;   /* touches when its query was sent */
	uint64_t streamed;   /* place in the list of transactions then */
	uint32_t unseen;     /* the one that CHUNK_STALE is about */
	uint32_t filenode;   /* what the table should have */
	struct spool *spool;
	const struct relation *relation; /* how its rows are read */
	uint64_t definition;
	bool copying;
	bool copied;
	uint32_t leaving;    /* DEFINED_LEAVING */
	bool found;          /* the definition and S were looked at */
	uint32_t blocks;     /* what the table has now */
	uint64_t table_bytes;
	uint32_t new_filenode;
	uint64_t log_end;    /* all commits that its snapshot sees are before */
	int64_t pace_us;     /* so long do its rows last, by --snapshot-max-rate; at first a guess */
	int64_t read_at;     /* when it came whole */
	struct buf message;  /* the definition found, as a Relation message, and its key */
	char *filter;
	uint64_t rows, bytes; /* that came */
	uint64_t largest;
	uint64_t unit;       /* seq of the last unit with its rows, or who touched them */
};

/* Everything that a chunk's results are judged by. */
struct chunk_context {
	struct spools *spools;
	const struct visible_list *streamed;
	uint64_t version; /* the server's */
	char *const *publications;
	size_t n_publications;
};

/*
 * Send the query.  prepared is the text of what the connection has prepared, empty where that is
 * not known, as after a chunk that failed; it is set.  false: the connection is broken.
 */
bool chunk_ask(struct chunk *, const struct chunk_context *, PGconn *, struct buf *prepared)
    __attribute__((warn_unused_result));

/*
 * Take what came, up to a share, without waiting.  true: the chunk came to its end, with
 * outcome set; the connection is outside a transaction then, or broken.  *more: it must be
 * called again without waiting for the socket.
 */
bool chunk_take(struct chunk *, const struct chunk_context *, PGconn *, bool *more)
    __attribute__((warn_unused_result));

/* Free it, and what is spooled. */
void chunk_free(struct chunk *, struct spools *);

#endif
