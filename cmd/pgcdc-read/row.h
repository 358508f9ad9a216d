#ifndef ROW_H
#define ROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "relation.h"
#include "wire.h"

/*
 * A row as pgoutput sends it (TupleData in "Logical Replication Message Formats" of
 * PostgreSQL's manual), and as a frame has it.
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

struct row {
	char letter; /* 'I', 'U' or 'D' */
	struct relation *relation;
	char old_part; /* 'K' the identity's columns, 'O' the whole row, 0 none */
	struct tuple new, old; /* memory is reused; row_free */
};

/*
 * Read what follows a message's letter; the row points into the message.  NULL, or what is
 * damaged.  Unchanged TOAST is completed from the old row, as far as that has it.
 */
const char *row_read(struct row *, struct relations *, char letter, struct wire *)
    __attribute__((warn_unused_result));

/* Does the new row lack a value that did not change? */
bool row_lacks(const struct row *);

/* Append the row's frame. */
void row_put(struct buf *, const struct row *);

void row_free(struct row *);

#endif
