#ifndef TOAST_H
#define TOAST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "row.h"

/*
 * --toast fetch: large values that an update left alone, which the server does not send, are
 * read from the table by the row's key, for many rows at a time.  What follows such a row in
 * its transaction waits behind it.
 *
 * A value may be newer than the row that it completes: then another update comes later in the
 * stream and brings it again.
 */
struct toast {
	bool fetch;
	/* Or for this table alone, or of it only rows whose key changed (moved); NULL for none. */
	bool (*wants)(void *, uint32_t relid, bool moved);
	void *wants_arg;
	/*
	 * A row that lacked something was gone when it was looked for, or was not as the transaction
	 * had written it; or NULL.  Same argument.
	 */
	void (*late)(void *arg, uint32_t relid, bool gone);
	/* Or it could not be looked for, and stays as it is; or NULL.  Same argument. */
	void (*unknown)(void *arg, uint32_t relid);
	enum pg_status (*room)(void *); /* called between larger pieces; NULL for none */
	void *room_arg;
	struct buf queue;  /* rows in their order */
	size_t rows, lacking;
	uint64_t all_below; /* xids below it are over and seen: 64 bits */
	bool stalled;       /* the last transaction was not seen by others in time */
	uint32_t warned;    /* the table that a warning was about */
};

/* Is it to be completed? */
static inline bool
toast_completes(const struct toast *t, const struct row *row)
{
	return (t->fetch ||
	           (t->wants != NULL &&
	               t->wants(t->wants_arg, row->relation->relid, row->old_part == 'K'))) &&
	    row_lacks(row);
}

static inline bool
toast_wants(const struct toast *t, const struct row *row)
{
	/* What comes behind one that waits keeps its place. */
	return t->rows > 0 || toast_completes(t, row);
}

/* Queue a row by its message: its letter and what follows. */
void toast_add(struct toast *, const struct row *, char letter, const char *body, size_t len);

/* There are so many that they shall be resolved. */
bool toast_full(const struct toast *);

/*
 * Complete what is queued, of a transaction with this xid, and hand each row to emit, in
 * order, whose second argument is valid during the call.  A row that is gone is left out; but
 * of one whose key it changed, the delete of its old key remains.  Rows that cannot be looked
 * up are handed over as they are.
 */
enum pg_status toast_resolve(struct toast *, struct relations *, uint32_t xid,
    void (*emit)(void *, struct row *), void *arg) __attribute__((warn_unused_result));

/* Forget what is queued. */
void toast_clear(struct toast *);

#endif
