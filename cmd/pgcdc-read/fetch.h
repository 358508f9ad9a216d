#ifndef FETCH_H
#define FETCH_H

#include "toast.h"

/*
 * The queries of --toast fetch: toast.c queues rows and hands them over, this asks the table for
 * what they lack.
 */

enum fate {
	WANTED,
	FOUND,
	GONE,
	UNKNOWN, /* it cannot be looked up */
};

/* A queued row. */
struct queued {
	const char *msg;
	size_t len;
	bool lacking;
	struct relation *relation;
	size_t key, key_len; /* in keys */
	enum fate fate;
	bool other;   /* FOUND, but another transaction wrote what was */
	int64_t size; /* of what it lacks, as stored */
	const PGresult *res;
	int res_row;
};

/* A column of a table's identity, as SQL has to name it. */
struct key_column {
	size_t column; /* of the relation */
	char *type;
	char *equals; /* the operator of its index */
};

/* Rows that are looked up together, and the table that is being asked. */
struct fetch {
	struct toast *t;
	uint32_t xid; /* the transaction's */
	struct relations *rs;
	struct row row;
	struct queued *q;
	size_t n;
	struct buf keys;
	struct relation *relation; /* of the query that is being made */
	struct buf table;          /* its name, quoted; empty: it is gone, or another one */
	struct key_column *key;
	size_t key_columns;
	bool large; /* a value came for which libpq made a lot of room */
	bool *lacks;               /* its columns */
};

/* Read a queued row into w->row. */
void fetch_read(struct fetch *, const struct queued *);

/* Say, once for a table, that its values cannot be fetched. */
void fetch_warn(struct fetch *, const struct relation *, const char *reason);

/*
 * Wait until others see what the transaction did: with synchronous replication it is in the
 * stream before.  Where only tables that are being loaded need it, not for ever, for all that
 * is streamed waits, too, and that transaction perhaps for this reader: then *seen is false.
 */
enum pg_status fetch_await_visible(struct fetch *, uint32_t xid, bool *seen)
    __attribute__((warn_unused_result));

/*
 * Which of w->relation's rows that are WANTED are there, and how much will come of each?  They
 * are FOUND, GONE or UNKNOWN then.
 */
enum pg_status fetch_measure(struct fetch *) __attribute__((warn_unused_result));

/*
 * Fetch what w->relation's rows from .. to that are FOUND lack: their res and res_row, the
 * values behind the key, in the order of w->lacks, and whether they are another transaction's.
 * *res is to be PQcleared.
 */
enum pg_status fetch_rows(struct fetch *, size_t from, size_t to, PGresult **res)
    __attribute__((warn_unused_result));

/* Forget the table that was asked. */
void fetch_forget(struct fetch *);

#endif
