#ifndef SETUP_H
#define SETUP_H

#include <stdbool.h>
#include <stdint.h>

#include "options.h"
#include "pg.h"
#include "state.h"

/*
 * What happens between connecting and streaming: is this the server, are publication and
 * slot as they must be, is the slot free, where does it go on?  Everything that can be
 * wrong is said with its remedy.
 */

struct server {
	char system[32];
	char database[64];
	uint64_t timeline;
	uint64_t version;         /* server_version_num, 150018 */
	int proto;                /* pgoutput's, as it was asked for */
	int wal_sender_timeout_ms; /* 0: none */
	int wal_writer_delay_ms;
	bool plain;               /* given: do without that */
	bool streaming;           /* transactions come before they are committed */
	uint64_t confirmed_flush; /* of the slot, when it was taken */
	uint64_t emitted;         /* given: everything before it was emitted; 0: nothing was */
	uint64_t start;           /* where streaming goes on */
	uint64_t insert_lsn;      /* the end of the server's log then */
	bool standby;             /* somebody else has the slot now: it is waited for */
	bool gap;                 /* changes came to somebody else, or are missing */
};

/* What the steps share; resume.c is one of them. */
struct setup {
	const struct pg_wait *wait;
	PGconn *conn;
	const struct options *o;
	struct state *state;
	struct server *server;
};

/*
 * Bring conn (a replication connection) to streaming; waits while the slot is busy.
 * On PG_OK the connection is in COPY mode.
 */
enum pg_status setup_start(const struct pg_wait *, PGconn *conn, const struct options *,
    struct state *, struct server *) __attribute__((warn_unused_result));

/* The remedy for a publication that is missing in the WAL that is decoded. */
extern const char setup_too_young[];

/*
 * Say why streaming could not begin, or ended, by the server's result (NULL: the connection
 * is gone), with the remedy.
 */
enum pg_status setup_stream_failed(PGconn *conn, const PGresult *, const char *what);

#endif
