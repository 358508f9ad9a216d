#ifndef RELATION_H
#define RELATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "catalog.h"
#include "counts.h"
#include "oidmap.h"
#include "type.h"

/*
 * What the reader knows of each published table, as the server's Relation messages tell
 * it, with the primary key from the catalog: with REPLICA IDENTITY FULL the server flags
 * every column as part of the key.
 */

struct column {
	char *name;
	uint32_t type_oid;
	int32_t typmod;
	bool in_identity;
	const struct type *type;
};

struct relation {
	uint32_t relid;
	char *schema, *table;
	char identity;
	struct column *column;
	size_t columns;
	uint32_t *key;      /* the primary key's column numbers, in its order */
	size_t keys;        /* 0: there is none, or it is not known */
	struct buf frame;   /* its R frame; empty while its definition is not whole */
	struct buf emitted; /* the one that went out last; empty: none yet */
	bool pending;       /* frame must go out before the next row */
	bool mixed;         /* its partitions have other replica identities */
	int said;           /* what was warned about */
	struct buf message; /* its Relation message */
	uint64_t arrived;   /* when that came, as the caller counts; 0: it did not say */
	struct count *count; /* of its rows; NULL: its definition did not come yet */
};

struct relations {
	struct oidmap by_relid;
	struct oidmap loaded; /* as snapshots find them: what the stream says may be older */
	struct relation *last;
	struct catalog catalog;
	struct types types;
	struct counts counts;
	uint32_t xid; /* of the transaction that is taken */
};

/* The column of that name, or the number of columns. */
size_t relation_column(const struct relation *, const char *name);

/* How many columns are part of the replica identity. */
size_t relation_identity(const struct relation *);

/* Find it, or NULL. */
struct relation *relations_find(struct relations *, uint32_t relid);

/*
 * Take the body of a Relation message ('R' and what follows; see "Logical Replication
 * Message Formats" in PostgreSQL's manual).  PG_PERMANENT is a message that is none,
 * said on the log.
 */
enum pg_status relations_take(struct relations *, const char *msg, size_t len)
    __attribute__((warn_unused_result));

/*
 * The same for a definition that a snapshot found, apart from what the stream says; *out is it,
 * and stays where it is when a later one takes its place.
 */
enum pg_status relations_take_loaded(struct relations *, const char *msg, size_t len,
    struct relation **out) __attribute__((warn_unused_result));

/* Append its frame where that must go out before a row. */
void relation_put(struct buf *out, struct relation *);

/* Append the frame of a relation that a snapshot found, unless it went out last for its table. */
void relations_put_loaded(struct relations *, struct buf *out, const struct relation *);

/*
 * Ask the catalog again for a composite type that was altered: a value of it had another
 * number of fields than are known.  To be called where a transaction begins.  Tables that have
 * it are then described anew.  (A type that the catalog did not know, for its transaction was
 * not visible yet, needs nothing: behind such a transaction the server sends the Relation anew.)
 */
enum pg_status relations_refresh(struct relations *) __attribute__((warn_unused_result));

/* Take a Type message: the name of a type that is not PostgreSQL's own. */
int relations_take_type(struct relations *, const char *msg, size_t len)
    __attribute__((warn_unused_result));

/* Forget all of them; the catalog is the caller's. */
void relations_free(struct relations *);

#endif
