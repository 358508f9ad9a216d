#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "confirm.h"
#include "exitcode.h"
#include "fdio.h"
#include "frame.h"
#include "link.h"
#include "log.h"
#include "lsn.h"
#include "observe.h"
#include "reader.h"
#include "serve.h"
#include "session.h"
#include "sig.h"
#include "watch.h"
#include "wire.h"

#define OUT_FLUSH ((size_t)64 * 1024)
#define MESSAGES_A_TURN 20000
#define POLLED 7 /* descriptors, besides those of snapshots */

/*
 * So many messages a second are dense: then they are let gather for a moment, which saves
 * this program, the server and the stages behind it a wake-up for each.  The moment is as long
 * as so many take to come, or so many bytes.  The server sends each in a packet of its own.  Of a
 * Unix socket 278 small ones are the whole buffer, 93 of a kilobyte, 49 of two, behind which the
 * server waits.  By TCP they flow together as soon as a hundred are on their way, which saves
 * the server half of its work.  libpq reads at most 16 kB at once; what is left in the socket
 * then is read without a pause.
 */
#define DENSE        20000
#define GATHER_LOCAL 60
#define GATHER_TCP   1000
#define GATHER_BYTES ((size_t)64 * 1024)
#define GATHER_MIN   50000 /* nanoseconds */
#define GATHER_MAX   1000000
#define READ_ON      8192 /* bytes in the socket */

#define SHUTDOWN_ASKS   200       /* so many reply requests in a row: two seconds of them */
#define TERM_IN_UNIT_US SECOND_US /* a unit may end that long after TERM */

#define MISSING_TRIES 3
#define BIG         (16 * 1024 * 1024) /* for so large a message libpq made a lot of room */
#define MAX_WAIT_US (60 * SECOND_US)

/*
 * The stream
 */

static void
end_stream(struct reader *r, const char *reason)
{
	uint64_t lsn = r->idle_lsn;

	if (r->ended != NULL)
		return;
	r->ended = reason;
	r->drain_until = now_us() + (int64_t)r->o->drain_ms * 1000;
	frame_put_end(&r->out.buf, lsn, reason);
	log_debug("the stream ends", kv_str("reason", reason), kv_lsn("lsn", lsn),
	    kv_uint("units", r->pgo.seq), kv_uint("rows", r->pgo.rows));
}

static void
reached(struct reader *r, uint64_t lsn)
{
	if (lsn > r->idle_lsn)
		r->idle_lsn = lsn;
	/* Tables that are being loaded come whole, whatever is streamed meanwhile. */
	if (r->stop_at != 0 && r->idle_lsn >= r->stop_at && !snapshot_busy(&r->snapshot))
		end_stream(r, r->o->until_caught_up ? "caught-up" : "endpos");
	else if (r->term_at != 0)
		end_stream(r, "term");
}

/* Returns an exit status, or -1 to go on. */
static int
take_event(struct reader *r, enum pgoutput_event event, uint64_t end_lsn)
{
	switch (event) {
	case PGOUTPUT_NOTHING: return -1;
	case PGOUTPUT_BEGIN:
		if (r->stop_at != 0 && r->pgo.begin.lsn >= r->stop_at &&
		    !snapshot_busy(&r->snapshot))
			end_stream(r, r->o->until_caught_up ? "caught-up" : "endpos");
		return -1;
	case PGOUTPUT_UNIT:
		if (r->sink != SINK_NONE)
			units_add(&r->units, r->pgo.seq, end_lsn, r->pgo.begin.time);
		snapshot_unit(r, r->pgo.begin.lsn, end_lsn);
		reached(r, end_lsn);
		return -1;
	case PGOUTPUT_EMPTY: reached(r, end_lsn); return -1;
	case PGOUTPUT_STOPPED:
		if (r->tick_code == GO_ON)
			end_stream(r, "term");
		return r->tick_code;
	case PGOUTPUT_DOUBTFUL:
		log_info("a large transaction with a part that was rolled back is read again, and "
		         "large transactions come when they are committed from now on",
		    kv_lsn("lsn", r->pgo.begin.lsn), kv_uint("xid", r->pgo.begin.xid));
		link_do_without_streaming(r);
		return GO_ON;
	case PGOUTPUT_LOST: return LOST;
	case PGOUTPUT_TEMPORARY: return EXIT_TEMPORARY;
	case PGOUTPUT_PERMANENT: break;
	}
	return EXIT_PERMANENT;
}

/*
 * A server that shuts down waits until all that it sent is confirmed, and asks as fast as it
 * gets replies (src/backend/replication/walsender.c, WalSndDone).  What is not stored yet can
 * take long: it is let go, for it will send that again.
 */
static bool
shuts_down(struct reader *r, uint64_t lsn)
{
	int64_t now = now_us();

	if (lsn != r->asked_lsn || now - r->asked_at > SECOND_US)
		r->asks = 0;
	r->asked_lsn = lsn;
	r->asked_at = now;
	return ++r->asks >= SHUTDOWN_ASKS;
}

static int
take_message(struct reader *r, const char *msg, size_t len)
{
	struct wire w = { .p = msg, .end = msg + len };
	char kind = (char)wire_u8(&w);
	uint64_t lsn = wire_u64(&w), end_lsn = 0;
	enum pgoutput_event event;

	if (lsn > r->received_lsn && (kind == 'w' || kind == 'k'))
		r->received_lsn = lsn;
	(void)wire_u64(&w); /* sent at; of XLogData: the end of the server's log */
	if (kind == 'w') {
		(void)wire_u64(&w);
		r->asks = 0;
		if (!w.bad) {
			event = pgoutput_take(&r->pgo, w.p, (size_t)(w.end - w.p), &end_lsn);
			return take_event(r, event, end_lsn);
		}
	} else if (kind == 'k') {
		if (wire_u8(&w) != 0) {
			r->reply_wanted = true;
			if (shuts_down(r, lsn)) {
				log_error("the server is shutting down and waits for what is not "
				          "stored yet", kv_lsn("lsn", lsn));
				return LOST;
			}
		}
		/*
		 * Inside a transaction it tells how far decoding came, not what was sent.
		 * It can go backward, too: reached() keeps the highest.
		 */
		if (!w.bad && !r->pgo.in_transaction && r->pgo.stream == NULL)
			reached(r, lsn);
	}
	if (w.bad || (kind != 'w' && kind != 'k')) {
		log_error("the server sent a message that the replication protocol does not have");
		return EXIT_PERMANENT;
	}
	return -1;
}

/*
 * A file of the server's log is missing (58P01 by WalSndSegmentOpen in walsender.c, XX000 by
 * CheckXLogRemoved in xlog.c).  Is that worth another try?  A server forgets what it is reading
 * when it takes up what an earlier connection left behind: at our first confirmation it moves the
 * slot's restart_lsn to where that one had been, which it has not read up to again yet
 * (LogicalConfirmReceivedLocation in logical.c), and a checkpoint then removes what is between.
 * The next connection begins behind it.
 */
static bool
may_be_there_again(struct reader *r, const PGresult *res)
{
	if (!pg_sqlstate_is(res, "58P01") && !pg_sqlstate_is(res, "XX000"))
		return false;
	if (r->missing_seq != r->pgo.seq)
		r->missing = 0;
	r->missing_seq = r->pgo.seq;
	return r->missing++ < MISSING_TRIES;
}

/* The server ended COPY, or the connection is gone. */
static int
stream_failed(struct reader *r)
{
	PGresult *res = PQgetResult(r->conn);
	enum pg_status status = PG_TEMPORARY;
	bool internal = pg_sqlstate_is(res, "XX000");

	if (res != NULL && PQresultStatus(res) != PGRES_FATAL_ERROR)
		log_error("the server ended the stream");
	else if (may_be_there_again(r, res))
		log_warn("the server failed, perhaps for lack of its log: trying again",
		    kv_str("server", PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY)));
	else
		status = setup_stream_failed(r->conn, res, "the replication connection failed");
	PQclear(res);
	/* What the server stumbles over may be of its streaming (see pgoutput.c). */
	if (internal && r->server.streaming) {
		log_warn("trying without streaming of transactions in progress");
		link_do_without_streaming(r);
		return GO_ON;
	}
	return status == PG_PERMANENT ? EXIT_PERMANENT : LOST;
}

static bool
may_read(const struct reader *r)
{
	return r->conn != NULL && r->ended == NULL && fdout_pending(&r->out) < OUT_HIGH &&
	    !units_full(&r->units);
}

/* The next message of a transaction that was streamed before it committed. */
static int
replay(struct reader *r)
{
	uint64_t end_lsn = 0;
	enum pgoutput_event event = pgoutput_replay(&r->pgo, &end_lsn);

	r->messages++;
	r->taken++;
	return take_event(r, event, end_lsn);
}

/* The next message that has arrived. */
static int
receive(struct reader *r)
{
	char *msg;
	int n = PQgetCopyData(r->conn, &msg, 1), code;

	r->input_empty = n == 0;
	if (r->incomplete) {
		if (n > 0)
			PQfreemem(msg);
		return EXIT_PERMANENT;
	}
	if (n == 0)
		return GO_ON;
	if (n < 0)
		return stream_failed(r);
	code = take_message(r, msg, (size_t)n);
	PQfreemem(msg);
	r->messages++;
	r->batch_bytes += (size_t)n;
	r->taken++;
	if (n >= BIG)
		r->big_at = now_us();
	return code;
}

/* Take what has arrived, as far as the output allows.  An exit status, or -1. */
static int
pump(struct reader *r)
{
	for (int i = 0; i < MESSAGES_A_TURN && may_read(r); i++) {
		int code = snapshot_ready(r) ? snapshot_emit(r)
		    : r->pgo.replay != NULL  ? replay(r)
		                             : receive(r);

		if (code != GO_ON)
			return code;
		if (r->input_empty && !snapshot_ready(r))
			break;
		if (fdout_pending(&r->out) >= OUT_FLUSH && (code = serve_flush(r)) != GO_ON)
			return code;
	}
	return serve_flush(r);
}

/*
 * The loop
 */

/*
 * Is the connection to be looked at?  Not while libpq holds something that is yet to be taken: it
 * would make room for whatever else has come, without a limit.
 */
static bool
reads(const struct reader *r)
{
	return may_read(r) && r->pgo.replay == NULL && r->input_empty;
}

/* The time until the next thing that is due, for poll. */
static int
poll_timeout(const struct reader *r, int64_t now)
{
	int64_t due = confirm_due(r), sync_due = r->ended != NULL ? now : r->last_sync + SECOND_US;

	if (may_read(r) && (!r->input_empty || snapshot_pending(r)))
		return 0;
	if (snapshot_due(r, now) < due)
		due = snapshot_due(r, now);
	if (link_due(r) < due)
		due = link_due(r);
	if (observe_due(r, now) < due)
		due = observe_due(r, now);
	if (r->sink == SINK_FILE && !units_none_open(&r->units) && sync_due < due)
		due = sync_due;
	if (r->sink == SINK_ACK && r->ack.fd < 0 && now + SECOND_US < due)
		due = now + SECOND_US;
	if (r->ended != NULL && r->drain_until < due)
		due = r->drain_until;
	if (r->term_at != 0 && r->ended == NULL && r->term_at + TERM_IN_UNIT_US < due)
		due = r->term_at + TERM_IN_UNIT_US;
	if (due - now > MAX_WAIT_US)
		due = now + MAX_WAIT_US;
	return due <= now ? 0 : (int)((due - now + 999) / 1000);
}

static int
consume(struct reader *r)
{
	int code;

	r->input_empty = false;
	r->unwedged = 0;
	r->received_at = now_us();
	if (PQconsumeInput(r->conn))
		return -1;
	/* What arrived before the end tells why. */
	while (may_read(r)) {
		code = pump(r);
		if (code != GO_ON)
			return code;
		if (r->input_empty)
			break;
	}
	if (r->ended != NULL || r->conn == NULL)
		return GO_ON;
	return stream_failed(r);
}

/* How many bytes has the socket, as the kernel counts them? */
static int
in_socket(const struct reader *r)
{
	int n = 0;

	return ioctl(PQsocket(r->conn), FIONREAD, &n) == 0 ? n : 0;
}

/*
 * How long is a dense stream to gather?  Its socket is not looked at meanwhile.  Nanoseconds.
 * The time follows what came since the last pause; a rate would not do, for it falls when the
 * server has to wait for us.
 */
static long
gathers(struct reader *r, int64_t now)
{
	bool dense = rate_add(&r->rate, r->messages, now, DENSE);
	long ns = r->gather_ns != 0 ? r->gather_ns : GATHER_MIN;
	size_t messages, bytes, upto;

	r->batch += r->messages;
	r->messages = 0;
	if (!dense)
		r->batch = r->batch_bytes = 0;
	if (r->batch == 0 || !may_read(r) || !r->input_empty || in_socket(r) >= READ_ON)
		return 0;
	messages = r->batch;
	bytes = r->batch_bytes;
	r->batch = r->batch_bytes = 0;
	upto = *PQhost(r->conn) == '/' || *PQhost(r->conn) == '@' ? GATHER_LOCAL : GATHER_TCP;
	if (messages > upto || bytes > GATHER_BYTES)
		ns -= ns / 4;
	else if (messages < upto / 2 && bytes < GATHER_BYTES / 2)
		ns += ns / 4;
	r->gather_ns = ns < GATHER_MIN ? GATHER_MIN : ns > GATHER_MAX ? GATHER_MAX : ns;
	return r->gather_ns;
}

static int
wait_events(struct reader *r, int64_t now)
{
	struct pollfd p[POLLED + CONTROL_POLLED + 16] = { { .fd = r->conn ? PQsocket(r->conn) : -1 },
		{ .fd = r->out.fd, .events = fdout_pending(&r->out) > 0 ? POLLOUT : 0 },
		{ .fd = r->sink == SINK_ACK ? r->ack.listen_fd : -1, .events = POLLIN },
		{ .fd = r->sink == SINK_ACK ? r->ack.fd : -1, .events = POLLIN },
		{ .fd = r->term_at == 0 ? r->wait.signal_fd : -1, .events = POLLIN },
		{ .fd = r->ended == NULL ? catalog_fd(&r->pgo.relations.catalog) : -1,
		    .events = POLLIN },
		{ .fd = observe_fd(r), .events = POLLIN } };
	nfds_t n = POLLED + CONTROL_POLLED + r->snapshot.workers;
	int code = -1, timeout = poll_timeout(r, now);
	struct timespec a_moment = { 0 };

	control_poll(r, p + POLLED);
	snapshot_poll(r, p + POLLED + CONTROL_POLLED);

	a_moment.tv_nsec = gathers(r, now);
	if (a_moment.tv_nsec > 0) {
		if (timeout > 0)
			(void)ppoll(p + 1, n - 1, &a_moment, NULL);
		timeout = 0;
	}
	p[0].events = (short)((reads(r) ? POLLIN : 0) | (r->conn_pending ? POLLOUT : 0));
	/* Not reading, its end would be told again and again. */
	if (p[0].events == 0)
		p[0].fd = -1;
	/* The pipe's other end after the end of the stream is nobody's loss. */
	if (r->sink == SINK_FILE || (r->ended != NULL && fdout_pending(&r->out) == 0))
		p[1].fd = -1;
	code = poll(p, n, timeout);
	if (p[6].revents != 0)
		observe_run(r);
	r->looked = r->looked || (p[0].events & POLLIN) != 0;
	if (code <= 0 && !snapshot_waits(r))
		return GO_ON;
	code = GO_ON;
	if ((p[1].revents & (POLLERR | POLLHUP | POLLNVAL)) != 0 && r->out.nonblocking &&
	    !serve_may_be_gone(r))
		return serve_output_closed();
	if (p[5].revents != 0 && (code = link_look_at_catalog(r)) != GO_ON)
		return code;
	if (r->conn_pending && (p[0].revents & POLLOUT) != 0)
		(void)confirm_flush(r);
	if (p[2].revents != 0)
		ack_accept(&r->ack);
	if (p[3].revents != 0)
		code = serve_acks(r);
	if (code == GO_ON && reads(r) && (p[0].revents & (POLLIN | POLLERR | POLLHUP)) != 0)
		code = consume(r);
	if (code == GO_ON)
		code = control_serve(r, p + POLLED);
	return code == GO_ON ? snapshot_serve(r, p + POLLED + CONTROL_POLLED) : code;
}

/* Signals and the file: what time and TERM bring about. */
static int
tick(struct reader *r, int64_t now)
{
	int code;

	r->reads = reads(r);
	if (!r->reads)
		r->received_at = now;
	if (r->sink == SINK_ACK)
		ack_tick(&r->ack, now);
	if (sig_terms() > 0 && r->term_at == 0)
		r->term_at = now;
	if (r->term_at != 0 && r->ended == NULL &&
	    (!r->pgo.in_unit || now - r->term_at >= TERM_IN_UNIT_US))
		end_stream(r, "term");
	observe_tell(r);
	if (now >= observe_due(r, now))
		observe_run(r);
	if (confirm_file(r, now, r->ended != NULL) != 0 || confirm_tick(r, now) != 0)
		return EXIT_TEMPORARY;
	if ((code = snapshot_tick(r, now)) != GO_ON)
		return code;
	if (!snapshot_busy(&r->snapshot) && r->conn != NULL && !r->pgo.in_transaction) {
		if (r->o->snapshot == SNAPSHOT_ONLY)
			end_stream(r, "snapshot");
		reached(r, 0);
	}
	if (r->conn != NULL && r->ended == NULL && (code = link_tick(r, now)) != GO_ON)
		return code;
	return r->conn != NULL && r->ended == NULL ? watch_tick(r, now) : GO_ON;
}

static int
loop(struct reader *r)
{
	for (;;) {
		int64_t now = now_us();
		int code = tick(r, now);

		if (code == GO_ON)
			code = link_retry(r, now);
		if (code == GO_ON)
			code = pump(r);
		if (code == GO_ON)
			code = serve_drained(r, now);
		if (code == GO_ON)
			code = wait_events(r, now);
		if (code >= 0)
			return code;
		if (code == LOST)
			link_lost(r, false);
	}
}

static int
stream(struct reader *r)
{
	int code = link_start(r);

	if (code == GO_ON)
		code = loop(r);
	/* Also when time ran out: what is stored need not come again. */
	if (r->ended != NULL && r->conn != NULL && PQstatus(r->conn) == CONNECTION_OK)
		confirm_goodbye(r);
	else if (r->started)
		code = confirm_save(r, code);
	if (r->sink == SINK_ACK)
		ack_close(&r->ack);
	return code;
}

int
reader_run(const struct options *o)
{
	/* Static, for what it holds is held to the end: a leak checker shall find the rest. */
	static struct reader r = { .ack = { .listen_fd = -1, .fd = -1 } };
	int code;

	r.o = o;
	r.tick_code = GO_ON;
	observe_tell_open(&r);
	r.wait = (struct pg_wait) { .signal_fd = sig_init(), .tick = serve_tick,
		.arg = &r, .answer_us = 60 * SECOND_US };
	r.pgo.out = &r.out.buf;
	r.pgo.toast.fetch = o->toast_fetch;
	r.pgo.relations.catalog.conninfo = o->conninfo;
	r.pgo.relations.catalog.wait = r.wait;
	r.pgo.toast.room = serve_room;
	r.pgo.toast.room_arg = &r;
	if (state_load(&r.state, o->state_path) != 0)
		return EXIT_PERMANENT;
	code = serve_open(&r);
	if (code == GO_ON && spools_init(&r.pgo.spools, "transactions in progress", o->spool_dir, o->spool_mem) != 0)
		code = errno == ENOSPC || errno == EDQUOT || errno == EMFILE || errno == ENFILE
		    ? EXIT_TEMPORARY
		    : EXIT_PERMANENT;
	if (code == GO_ON)
		code = observe_open(&r);
	if (code == GO_ON)
		code = control_open(&r);
	if (code == GO_ON && snapshot_init(&r) != 0)
		code = EXIT_TEMPORARY;
	if (code == GO_ON)
		code = stream(&r);
	snapshot_free(&r);
	control_close(&r);
	observe_close(&r);
	PQfinish(r.conn);
	catalog_close(&r.pgo.relations.catalog);
	if (r.sink == SINK_FILE && r.out.fd != STDOUT_FILENO && close(r.out.fd) != 0 &&
	    code == EXIT_DONE)
		code = EXIT_TEMPORARY;
	return code;
}
