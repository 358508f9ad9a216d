#ifndef TABLE_H
#define TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relation.h"

/*
 * A heap that a snapshot loads, and which of its blocks are yet to be read.
 */

struct range {
	uint32_t from, to; /* blocks; to is behind the last one */
};

enum table_state {
	TABLE_BARRED,  /* transactions are waited for; or nobody has looked yet which */
	TABLE_UNKNOWN, /* it is to be measured */
	TABLE_READING,
	TABLE_READ,    /* all of it is in the stream, see whole.c */
	TABLE_LOADED,  /* and stored */
	TABLE_FAILED,  /* given up: it was said why */
};

struct table {
	uint32_t heap;      /* its OID */
	uint32_t published; /* that of the table that its rows are published as */
	char *name;         /* as SQL has it, schema.table */
	char *by;           /* OIDs of the publications that say how */
	int64_t print;      /* PUBLISHED_PRINT, of all this */
	uint32_t place;     /* PUBLISHED_PLACE, of the name */
	bool at_once;       /* in one chunk: an update that moves a row may not be streamed */
	enum table_state state;
	bool asked;         /* while the reader ran: it is no reason to end the program */
	bool listed;        /* by the last look at the catalog */
	bool fresh;         /* old servers may not stream it on this connection: barrier.c */
	bool looked;        /* which transactions hold it is known */
	bool measured;      /* filenode and blocks are */
	uint32_t *holder;   /* xids that are waited for */
	size_t holders;
	int64_t said_at;    /* when that was said, or the wait began */
	uint32_t filenode;
	uint32_t blocks;
	uint32_t begun;     /* the first one that this run reads */
	struct range *todo; /* in their order, and apart */
	size_t ranges;
	uint32_t going;     /* chunks of it that are not stored yet */
	uint32_t unread;    /* of these, those that are not in the stream yet */
	uint64_t untrusted; /* touches up to this one count as touching every row */
	uint32_t shrink;    /* chunks are smaller by 2 to the power of this */
	double block_bytes; /* that a block brings, by what is known so far */
	double block_rows;  /* that a block may have at most */
	struct relation *relation; /* how rows are read; shared by all that are published alike */
	uint64_t definition; /* its arrived, when that was found */
	char *filter;
	unsigned restarts;  /* for large values that could not be fetched */
	unsigned refusals;  /* one behind the other */
	unsigned lockouts;
	int64_t retry_at;
	uint64_t log_end;   /* the stream must come there; UINT64_MAX: to the log's end of now */
	int64_t log_end_at; /* when that was found */
	bool log_flushed;   /* it is on disk since, or was put back to what is */
	uint64_t unit;      /* seq of the last unit before the table became TABLE_READ */
	uint64_t rows, bytes; /* put into the stream */
	int64_t since;      /* when reading began */
};

/*
 * Forget what is known of it, and how often what failed: it is loaded from its first block on,
 * after its barrier.  Chunks that were asked for before touch "now" are not its own any more.
 */
void table_restart(struct table *, uint64_t now);

/* All blocks from that one on are to be read. */
void table_reset(struct table *, uint32_t from);

/* Take so many blocks at most from the front: false when there are none. */
bool table_take(struct table *, uint32_t blocks, struct range *);

/* They are to be read after all. */
void table_give_back(struct table *, struct range);

/* Free what it holds; the relation is not the table's. */
void table_free(struct table *);

#endif
