#ifndef SNAPSHOT_H
#define SNAPSHOT_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chunk.h"
#include "oidmap.h"
#include "touched.h"
#include "visible.h"
#include "worker.h"

/*
 * Tables are loaded while their changes stream: the first time, after they were asked for, or
 * where an earlier reader was stopped.
 *
 * A table is read in chunks of blocks, each in a transaction of its own (chunk.h), and what was
 * read enters the stream between its transactions, as units whose version is that of the last
 * transaction before them.  Why every row ends as its table has it:
 *
 * - What is streamed behind such a unit overwrites it, by order and by version.
 * - What was streamed before the chunk was asked for is seen by its snapshot (chunk_take).
 * - Of what was streamed between, the keys are known, and such rows left out (touched.h): the
 *   stream has brought them, and all of each, see below.  Where that cannot be told by keys, the
 *   chunk is read again.
 * - What was committed but is never streamed is over before the first chunk (barrier.h).  So
 *   also whatever is in blocks that the table had not yet when it was measured, which is later,
 *   is streamed.
 * - An update may move a row from a block that is yet to be read to one that was read before.
 *   The stream brings it, but for large values that the update left alone: so until a table is
 *   in the stream as a whole, they are fetched (toast.h).  The stream may be far behind what the
 *   chunks saw: it must come there, too (whole.c).
 * - The stream must tell of all that happens to the table's rows meanwhile, under its name: each
 *   chunk compares what the publications say of it, its name and its key, and the table begins
 *   again where that is something else (published.h).  Where they leave out updates, which may move rows, the table
 *   is one chunk.
 *
 * listing.c finds the tables; barrier.c lets them wait; load.c reads chunks; emit.c puts them
 * into the stream, and sees to it that what is stored is known as such; snapshot.c looks what the
 * stream does to them meanwhile.
 */

struct reader;

struct snapshot {
	bool active;      /* a table is yet to be in the stream as a whole, or it is not known */
	bool unlisted;    /* the tables are to be listed (again) */
	bool again;       /* those that are loaded, too, once */
	bool all_wanted;  /* those that the state file says nothing of, too */
	bool dirty;       /* the state file is to be replaced */
	struct table **table;
	size_t tables, first; /* those before first are in the stream */
	struct oidmap by_heap;
	struct oidmap open;   /* by published table, how many heaps of it are not in the stream */
	uint32_t *asked;      /* heaps that are to be loaded, whatever the state file says */
	size_t n_asked;
	struct worker *worker;
	size_t workers;
	struct chunk **chunk; /* in the order in which they were asked for */
	size_t chunks, cap;
	size_t unread;        /* of these, those that are not in the stream yet */
	size_t unstored;      /* tables that are in the stream as a whole, and not stored */
	bool awaits_stream;   /* a table waits for the stream to come along */
	uint32_t serial;      /* of the last spool */
	struct touched touched;
	struct visible_list streamed;
	struct spools spools;
	struct row row;       /* for emit.c */
	uint64_t base_lsn;    /* a unit of a snapshot is as new as a transaction committed there */
	uint64_t commit_lsn;  /* the lsn of the last C, or where the stream began */
	uint64_t definitions;
	uint64_t turn;        /* the stream had so many messages when the last chunk had its turn */
	uint64_t flushed;     /* so much of the log is on disk, by what is known */
	int64_t flushed_at;   /* when that may be asked again */
	int64_t bound_at;     /* when the log's end may be, for bounds */
	int64_t list_at, look_at, lag_at, seen_at, paced_at, said_at;
	int64_t catalog_at;   /* when it may be tried to connect to the catalog again */
	bool lagging;
	bool said_missing;    /* which of --snapshot-tables are not there */
	int64_t connect_at;   /* for a new connection that old servers need; see snapshot.c */
	uint64_t connect_lsn;
	int failed;           /* tables that were given up */
	uint64_t repeated;    /* chunks that are read once more */
	uint64_t said_rows;
	bool on_terminal, on_line;
};

/* Set up; 0, or -1: the spool cannot be made, said on the log. */
int snapshot_init(struct reader *) __attribute__((warn_unused_result));

/* The stream begins; moved: somebody else had the slot, and moved it, meanwhile. */
void snapshot_connected(struct reader *, bool moved);

/* It is interrupted: what is being read is forgotten. */
void snapshot_disconnected(struct reader *);

/* A transaction's unit was emitted: the LSNs of its B and C. */
void snapshot_unit(struct reader *, uint64_t begin, uint64_t end);

/* Are tables still to come into the stream? */
static inline bool
snapshot_busy(const struct snapshot *s)
{
	return s->active;
}

/* What time brings about.  An exit status, LOST, or GO_ON, as the next two. */
int snapshot_tick(struct reader *, int64_t now) __attribute__((warn_unused_result));
int64_t snapshot_due(const struct reader *, int64_t now);

/* Have workers something that no descriptor tells of? */
bool snapshot_waits(const struct reader *);

/* For poll: as many entries as there are workers. */
void snapshot_poll(const struct reader *, struct pollfd *);
int snapshot_serve(struct reader *, const struct pollfd *) __attribute__((warn_unused_result));

/*
 * While something else is waited for: take what comes, so that no transaction of a chunk stays
 * open meanwhile.
 */
void snapshot_idle(struct reader *);

/* Is a piece of a chunk there to be emitted? */
bool snapshot_pending(const struct reader *);

/* Is a piece of a chunk due now, between two transactions? */
bool snapshot_ready(const struct reader *);
int snapshot_emit(struct reader *) __attribute__((warn_unused_result));

/*
 * Load these tables, too, or again, by names as published_named takes them.  false: why stands
 * in *trouble, to be freed, and nothing is done; *code may be an exit status or LOST then.
 * *n is the number of heaps.
 */
bool snapshot_ask(struct reader *, char **name, size_t names, size_t *n, char **trouble, int *code);

void snapshot_free(struct reader *);

/*
 * Between the files
 */

/* The table is in the stream as a whole, given up, or gone. */
void snapshot_close_table(struct reader *, struct table *, enum table_state);

/* All of it is to be read, behind what was streamed until now. */
void snapshot_begin_again(struct reader *, struct table *);

/* Is it, and is it stored? */
void snapshot_check_table(struct reader *, struct table *);

/* A chunk saw what was committed before that LSN. */
void whole_saw(struct table *, uint64_t log_end, int64_t now);

/*
 * Of a published table, a row was gone already when its large values were fetched, or another
 * transaction had changed it.
 */
void whole_late(void *reader, uint32_t relid, bool gone);

/* Are large values of the table's rows fetched?  moved: of a row whose key changed. */
bool whole_fetches(const struct reader *, uint32_t relid, bool moved);

/* Or it could not be fetched, and is streamed without them. */
void whole_unknown(void *reader, uint32_t relid);

/* Is all on disk that the chunk saw committed, so that the server does not lose it? */
bool whole_on_disk(const struct reader *, const struct chunk *);

/* Chunks that were read and wait for that. */
size_t whole_off_disk(const struct reader *);

/* Look at all tables that wait for the stream, or to be stored.  LOST, or GO_ON, or a status. */
int whole_tick(struct reader *, int64_t now) __attribute__((warn_unused_result));

/* So many heaps more of a published table are not in the stream. */
void snapshot_open(struct snapshot *, uint32_t published, int heaps);
/* Are there any? */
bool snapshot_is_open(const struct snapshot *, uint32_t published);

static inline bool
snapshot_all_emitted(const struct snapshot *s)
{
	return !s->unlisted && s->first == s->tables;
}

/* List the tables that are to be loaded. */
int listing_make(struct reader *, int64_t now) __attribute__((warn_unused_result));

/* Take the chunk out of the list and free it. */
void snapshot_drop_chunk(struct reader *, struct chunk *);

/* Its blocks are to be read again. */
void snapshot_repeat_chunk(struct reader *, struct chunk *);

/* Connect workers, and give them chunks. */
int load_tick(struct reader *, int64_t now) __attribute__((warn_unused_result));

/*
 * Is the slot too far behind (lagging)?  And which of the streamed transactions do all see by now?
 * Nothing is asked for while there are too many of which that is not known.
 */
#define PACE_MAX_STREAMED ((size_t)64 * 1024)
int pace_look(struct reader *, int64_t now) __attribute__((warn_unused_result));

/* A chunk brings so many rows: nothing more is asked for as long as they last. */
void pace_charge(struct reader *, struct chunk *, double rows, int64_t now);

/* May another chunk be asked for? */
bool pace_allows(const struct reader *, int64_t now);

/* Take note of the chunks that are stored. */
void emit_stored(struct reader *);

/* Tell how far it is; at the end, all. */
void progress_tick(struct reader *, int64_t now);
void progress_loaded(struct reader *, const struct table *);
/* A line of progress on a terminal comes to its end. */
void progress_end(struct reader *);

/* Blocks before that are stored. */
uint32_t emit_done(const struct snapshot *, const struct table *);

#endif
