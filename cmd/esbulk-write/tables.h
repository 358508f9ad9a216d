#ifndef TABLES_H
#define TABLES_H

#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "frame.h"

/*
 * Tables by relid: names for messages, and the frames themselves for dead letters.  Actions
 * carry the relid only.
 */
struct tables {
	struct table {
		uint32_t relid;
		char *name; /* schema.table */
		struct buf frame;
	} *table;
	size_t n;
};

/* Keep, or replace, what an R frame says; r is f's. */
void tables_put(struct tables *, const struct frame *f, const struct frame_relation *r);

/* Forget all. */
void tables_clear(struct tables *);

/* Append the R frame, if there is one. */
void tables_put_frame(const struct tables *, uint32_t relid, struct buf *);

/* The name, or NULL. */
const char *tables_name(const struct tables *, uint32_t relid);

#endif
