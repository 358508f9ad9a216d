#ifndef CHECK_H
#define CHECK_H

#include "finding.h"
#include "options.h"
#include "pg.h"

/*
 * --check: everything that this program needs, held against how things are, and each lack said
 * with its remedy.  Nothing is changed, the slot is not touched, and it works beside a reader that
 * streams.  --setup makes what is missing, and --drop takes it away.  All of them use plain
 * connections.
 */
struct check {
	const struct options *o;
	struct findings f;
	PGconn *conn;
	unsigned version; /* server_version_num */
	bool standby;     /* the server is one */
	char *database, *user;
	PGresult *slot; /* a row of CHECK_SLOT_*, or none; see check_slot.c */
	bool silent;    /* the server did not answer in time: it is asked no more */
	bool ours;      /* a reader like this one streams from it */
};

enum {
	CHECK_SLOT_PLUGIN,
	CHECK_SLOT_DATABASE,
	CHECK_SLOT_WAL,     /* wal_status */
	CHECK_SLOT_PID,     /* 0: not active */
	CHECK_SLOT_FLUSH,   /* confirmed_flush_lsn */
	CHECK_SLOT_LAG,     /* bytes behind it; may be null */
	CHECK_SLOT_KEPT,    /* bytes of the log that are kept for it; may be null */
	CHECK_SLOT_SAFE,    /* safe_wal_size, or null */
	CHECK_SLOT_REASON,  /* why it was invalidated, or '' */
	CHECK_SLOT_APP,     /* application_name of who streams, or '' */
	CHECK_SLOT_LOG_END, /* of the server; behind it: is that application this one? */
};

/* The three; each returns the exit status. */
int check_run(const struct options *);
int check_setup(const struct options *);
int check_drop(const struct options *);

/*
 * A query; NULL where it failed, which is a finding of that name then.  The result is to be
 * PQcleared.
 */
PGresult *check_ask(struct check *, const char *name, const char *sql) __attribute__((warn_unused_result));

/* How long the server may take for a query that looks. */
extern const struct pg_wait check_patience;

/* Connect; false: a finding says why. */
bool check_connect(struct check *);

/* The slot's row: false where it cannot be asked for. */
bool check_find_slot(struct check *);

/* Has the role what slots need?  By the catalog. */
bool check_may_replicate(struct check *);

/* The parts of --check. */
void check_server(struct check *);      /* after check_find_slot */
void check_replication(struct check *); /* a connection for it */
void check_publications(struct check *);
void check_rights(struct check *);
void check_slot(struct check *);
void check_state(struct check *);

/* CREATE PUBLICATION as --create-publication has it, and the statement that makes the slot. */
void check_put_publication(const struct check *, struct buf *, const char *name);
void check_put_slot(const struct check *, struct buf *);

/* "lines of" SQL that make a role fit: ALTER ROLE ... REPLICATION, or what stands for it. */
void check_put_replication(const struct check *, struct buf *);

#endif
