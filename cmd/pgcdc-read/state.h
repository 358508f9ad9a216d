#ifndef STATE_H
#define STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The state file: what the reader must know about where it was, beside what the slot
 * knows.  A few lines of text, "key value"; replaced atomically (written beside, fsynced,
 * renamed), and always before the position in it is confirmed to the server, so that the
 * server is never ahead of it by this reader's doing.
 */

/*
 * How far a snapshot of a table came, known by the table's OID: of partitions each has its own.
 * It stands in this file, not in one of its own, because it is worth something only together
 * with the position: what the table's blocks below had in them when they were read, and all
 * changes since that were streamed before the position, are stored.
 */
struct state_table {
	uint32_t relid;
	uint32_t filenode; /* whose blocks they are: a table that is rewritten gets another */
	uint32_t blocks;   /* those below are loaded */
	bool loaded;       /* all are */
	int64_t print;     /* what publications said of it, see published.h; not when loaded */
};

/*
 * Of a published table (by the OID in its frames): while the stream is before all, or moved, large
 * values that an update left alone are fetched, of all rows, or of those whose key changed; see
 * whole.c.  UINT64_MAX: before where the log ends, which nobody has looked at yet.
 */
struct state_bound {
	uint32_t relid;
	uint64_t all, moved;
};

struct state {
	const char *path; /* NULL: none is kept, and nothing below is ever set */
	bool exists;
	char system[32]; /* system identifier, decimal */
	char slot[64];
	uint64_t timeline;
	uint64_t acked;  /* everything before this LSN is stored */
	uint64_t seen;   /* the log's end that a loaded row came from, at most; 0: none */
	struct state_table *table; /* by OID, n of them */
	size_t n;
	struct state_bound *bound; /* few of them */
	size_t bounds;
};

/* Read path, if it exists, into what was free (state_free) or zero.  0, or -1 with the error logged: unreadable or damaged. */
int state_load(struct state *, const char *path) __attribute__((warn_unused_result));

/* Replace the file.  0, or -1 with the error logged; the old one is whole then. */
int state_save(struct state *) __attribute__((warn_unused_result));

/* The table's entry, or NULL. */
struct state_table *state_find(const struct state *, uint32_t relid);

/* The same; a new one where there is none.  Entries move. */
struct state_table *state_put(struct state *, uint32_t relid);

/* Forget the table. */
void state_remove(struct state *, uint32_t relid);

/* The published table's bound, or NULL. */
struct state_bound *state_find_bound(const struct state *, uint32_t relid);

/* The same; a new one where there is none.  They move. */
struct state_bound *state_put_bound(struct state *, uint32_t relid);

/* Forget bounds that lie before all that is stored and streamed. */
void state_drop_bounds(struct state *, uint64_t lsn);

/* Free what it holds; path stays. */
void state_free(struct state *);

#endif
