#ifndef PGOUTPUT_H
#define PGOUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "frame.h"
#include "relation.h"

/*
 * Decode pgoutput, protocol version 1 ("Logical Replication Message Formats" in
 * PostgreSQL's manual), into frames.  A transaction becomes a unit once it shows a row;
 * an empty one leaves no trace.
 */

/* A column of a tuple as it stands in the message. */
struct tuple_column {
	char kind; /* 't' text, 'n' null, 'u' unchanged TOAST, 'a' absent */
	uint32_t len;
	const char *text;
};

struct tuple {
	struct tuple_column *column;
	size_t columns, cap;
};

struct pgoutput {
	struct relations relations;
	struct buf *out;          /* frames are appended here */
	bool in_transaction;      /* Begin was seen, Commit not yet */
	bool in_unit;             /* its B was emitted */
	struct frame_begin begin; /* of the transaction */
	uint64_t seq;             /* of the last unit emitted; counts from 1 */
	uint64_t rows;
	struct tuple new, old;
};

enum pgoutput_event {
	PGOUTPUT_NOTHING,
	PGOUTPUT_BEGIN, /* begin.lsn is known, nothing was emitted yet */
	PGOUTPUT_UNIT,  /* a unit is complete: seq, and end_lsn to be confirmed */
	PGOUTPUT_EMPTY, /* a transaction without a row ended at end_lsn */
	PGOUTPUT_STOPPED,
	PGOUTPUT_TEMPORARY, /* said on the log */
	PGOUTPUT_PERMANENT,
};

enum pgoutput_event pgoutput_take(struct pgoutput *, const char *msg, size_t len,
    uint64_t *end_lsn) __attribute__((warn_unused_result));

#endif
