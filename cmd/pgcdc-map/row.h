#ifndef ROW_H
#define ROW_H

#include <stdint.h>

#include "buf.h"
#include "frame.h"
#include "plan.h"

/*
 * Rows to actions: each call appends one X frame, or two when an update moved the
 * document, to out.  A row that cannot be mapped becomes a reject with the reason.
 */
struct row_writer {
	struct buf *out;
	uint64_t indexed, deleted, rejected; /* actions so far */
	/* Scratch, reused. */
	struct buf text, reason;
	struct buf was[3], is[3]; /* index, id, routing before and after */
};

/* A document for a new or snapshot row.  The row has a value for each column. */
void row_index(struct row_writer *, struct plan *, const msgpack_object *new);

/* The same for an update; old is NULL where the server sent no old row. */
void row_update(struct row_writer *, struct plan *, const msgpack_object *new,
    const msgpack_object *old);

void row_delete(struct row_writer *, struct plan *, const msgpack_object *old);

void row_writer_free(struct row_writer *);

#endif
