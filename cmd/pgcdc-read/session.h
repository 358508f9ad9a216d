#ifndef SESSION_H
#define SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "ack.h"
#include "control.h"
#include "fdio.h"
#include "metrics_http.h"
#include "options.h"
#include "pg.h"
#include "pgoutput.h"
#include "rate.h"
#include "setup.h"
#include "snapshot.h"
#include "state.h"
#include "units.h"

/*
 * A reader at work: what reader.c, which streams, link.c, which connects, serve.c, which sees
 * to what is downstream, and confirm.c, which tells the server what is stored, have in common.
 */

#define SECOND_US INT64_C(1000000)

/* What a step says beside an exit status. */
#define GO_ON (-1)
#define LOST  (-2) /* a connection to the server is: it was said on the log */

#define OUT_HIGH ((size_t)256 * 1024) /* while so much waits for stdout, nothing is added */

enum sink {
	SINK_ACK,  /* the writer says what is stored */
	SINK_FILE, /* it is stored once fsynced */
	SINK_NONE, /* nobody knows: nothing is confirmed */
};

/* What the server says of itself every ten seconds. */
struct watched {
	bool known;
	uint64_t lsn;      /* the end of its log */
	uint64_t retained; /* bytes of the log that the slot holds */
	bool limited;      /* max_slot_wal_keep_size holds: so many bytes more, and it may be lost */
	uint64_t safe;
};

struct reader {
	const struct options *o;
	struct state state;
	struct server server;
	struct pg_wait wait;
	int tick_code;     /* why serve_tick ended a wait: an exit status, or GO_ON */
	bool started;      /* H was emitted */
	PGconn *conn;      /* NULL: lost, to be made again at retry_at */
	bool conn_pending; /* libpq holds output that did not go yet */
	int64_t retry_at, retry_delay;
	int64_t connected_at;  /* when it was made, and */
	uint64_t connected_seq; /* the last unit before */
	uint64_t received_lsn; /* the highest that the server told of */
	bool reads;            /* the connection is looked at: the output has room */
	int64_t received_at;   /* when something came last, or the reader did not look */
	int64_t silence_us;    /* so long without anything is the end of a connection */
	int patience;          /* how many wal_sender_timeouts that is */
	uint64_t silent_lsn;   /* idle_lsn when a connection was silent last */
	int missing;           /* so often in a row a part of the server's log was missing */
	uint64_t missing_seq;  /* the last unit then */
	int64_t big_at;        /* when a large message came, which libpq keeps room for */
	int64_t watch_at;      /* when the catalog is asked again how things are */
	bool standby_said;
	bool incomplete;       /* the server left something out: it was said on the log */
	struct pgoutput pgo;
	struct fdout out;
	enum sink sink;
	struct ack ack;
	struct units units;
	struct snapshot snapshot;
	struct control control;
	struct metrics_http *metrics; /* NULL: nobody asked for it */
	int tell_fd;           /* where its state is told, or -1 */
	const char *told;      /* that state */
	uint64_t reconnects, failures; /* connections made again, and attempts in vain */
	int64_t lost_at;       /* when the last one was lost */
	struct watched watched;

	uint64_t idle_lsn;  /* everything before it has been received whole */
	uint64_t flush_lsn; /* what is confirmed to the server */
	uint64_t sent_flush;
	int64_t last_status, last_save, last_sync;
	int64_t ahead_since;   /* the state file is ahead of what is to be saved; 0: it is not */
	int64_t status_interval;
	bool reply_wanted;
	uint64_t asked_lsn; /* of the last keepalive that wanted a reply */
	int64_t asked_at;
	int asks;           /* how many came one behind the other, that position unchanged */
	unsigned unwedged;  /* how often something was read though it is not taken, see confirm.c */

	int64_t stop_check_at; /* when stop_at may turn out to be too far; 0: never */
	uint64_t stop_at; /* the first commit record there or behind ends the stream */
	bool input_empty; /* libpq holds no complete message */
	bool looked;      /* the socket was looked at since the last piece of a snapshot */
	uint64_t messages; /* taken since the last look at rate */
	uint64_t taken;    /* in all */
	struct rate rate;
	uint64_t batch; /* taken since the last pause */
	size_t batch_bytes;
	long gather_ns; /* how long the last pause was; 0: there was none */
	int64_t term_at;  /* when TERM came; 0: not yet */
	const char *ended; /* reason of E; NULL: streaming */
	int64_t drain_until;
};

/* Is there a connection, and does it stream?  While it is set up it takes no status updates. */
static inline bool
session_streams(const struct reader *r)
{
	return r->conn != NULL && r->pgo.relations.catalog.peer == r->conn;
}

#endif
