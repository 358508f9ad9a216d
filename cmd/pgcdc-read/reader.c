#include <sys/stat.h>

#include <bsd/stdlib.h>
#include <bsd/string.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "confirm.h"
#include "exitcode.h"
#include "fdio.h"
#include "filesink.h"
#include "frame.h"
#include "log.h"
#include "lsn.h"
#include "reader.h"
#include "session.h"
#include "sig.h"
#include "wire.h"

#define OUT_HIGH  ((size_t)256 * 1024) /* stop reading while so much waits for stdout */
#define OUT_FLUSH ((size_t)64 * 1024)
#define MESSAGES_A_TURN 20000

/*
 * So many messages a second are dense: then they are let gather for a moment, which saves
 * this program, the server and the stages behind it a wake-up for each.
 */
#define DENSE     20000
#define GATHER_MS 1

#define STATUS_MAX_US   (10 * SECOND_US)
#define SHUTDOWN_ASKS   200       /* so many reply requests in a row: two seconds of them */
#define TERM_IN_UNIT_US SECOND_US /* a unit may end that long after TERM */

/* WAL page header sizes, src/include/access/xlog_internal.h. */
#define WAL_PAGE      8192
#define WAL_LONG_HEAD 40

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
	if (r->stop_at != 0 && r->idle_lsn >= r->stop_at)
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
		if (r->stop_at != 0 && r->pgo.begin.lsn >= r->stop_at)
			end_stream(r, r->o->until_caught_up ? "caught-up" : "endpos");
		return -1;
	case PGOUTPUT_UNIT:
		if (r->sink != SINK_NONE)
			units_add(&r->units, r->pgo.seq, end_lsn);
		reached(r, end_lsn);
		return -1;
	case PGOUTPUT_EMPTY: reached(r, end_lsn); return -1;
	case PGOUTPUT_STOPPED: end_stream(r, "term"); return -1;
	case PGOUTPUT_LOST:
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
				return EXIT_TEMPORARY;
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

/* The server ended COPY, or the connection is gone. */
static int
stream_failed(struct reader *r)
{
	PGresult *res = PQgetResult(r->conn);
	enum pg_status status;

	if (res != NULL && PQresultStatus(res) != PGRES_FATAL_ERROR) {
		log_error("the server ended the stream");
		status = PG_TEMPORARY;
	} else {
		const char *words = res ? PQresultErrorMessage(res) : "";
		bool removed = strstr(words, "has already been removed") != NULL;
		const char *remedy = NULL;

		if (removed)
			remedy = "make the slot anew and load the tables anew";
		/* Catalogs are read as they were when the change was written. */
		if (pg_sqlstate_is(res, "42704"))
			remedy = "it did not exist when a change was written, even if it does "
			         "now: make the slot anew, behind the publication, and load the "
			         "tables anew";
		status = pg_failed(r->conn, res, "the replication connection failed", remedy);
		if (removed)
			status = PG_PERMANENT;
	}
	PQclear(res);
	return status == PG_PERMANENT ? EXIT_PERMANENT : EXIT_TEMPORARY;
}

static bool
may_read(const struct reader *r)
{
	return r->ended == NULL && fdout_pending(&r->out) < OUT_HIGH && !units_full(&r->units);
}

/* After the end, with all stored, nobody needs to listen any more. */
static bool
may_be_gone(const struct reader *r)
{
	return r->ended != NULL && r->sink == SINK_ACK && units_none_open(&r->units);
}

static int
flush_out(struct reader *r)
{
	if (fdout_pending(&r->out) == 0 || fdout_flush(&r->out) == 0)
		return -1;
	if (errno == EPIPE && may_be_gone(r)) {
		r->out.off = r->out.buf.len = 0;
		return -1;
	}
	log_error("cannot write to standard output or the file", kv_str("error", strerror(errno)));
	return errno == EBADF ? EXIT_PERMANENT : EXIT_TEMPORARY;
}

/* The next message of a transaction that was streamed before it committed. */
static int
replay(struct reader *r)
{
	uint64_t end_lsn = 0;
	enum pgoutput_event event = pgoutput_replay(&r->pgo, &end_lsn);

	r->messages++;
	return take_event(r, event, end_lsn);
}

/* The next message that has arrived. */
static int
receive(struct reader *r)
{
	char *msg;
	int n = PQgetCopyData(r->conn, &msg, 1), code;

	r->input_empty = n == 0;
	if (n == 0)
		return -1;
	if (n < 0)
		return stream_failed(r);
	code = take_message(r, msg, (size_t)n);
	PQfreemem(msg);
	r->messages++;
	return code;
}

/* Take what has arrived, as far as the output allows.  An exit status, or -1. */
static int
pump(struct reader *r)
{
	for (int i = 0; i < MESSAGES_A_TURN && may_read(r); i++) {
		int code = r->pgo.replay != NULL ? replay(r) : receive(r);

		if (code >= 0)
			return code;
		if (r->input_empty)
			break;
		if (fdout_pending(&r->out) >= OUT_FLUSH && (code = flush_out(r)) >= 0)
			return code;
	}
	return flush_out(r);
}

/*
 * The loop
 */

static int
take_acks(struct reader *r)
{
	uint64_t seq, lsn;

	for (;;) {
		switch (ack_next(&r->ack, &seq, &lsn)) {
		case ACK_NOTHING: return -1;
		case ACK_MOVED:
			if (units_stored(&r->units, seq, lsn) == 0)
				continue;
			log_error("the writer acknowledged what was not sent", kv_uint("seq", seq),
			    kv_lsn("lsn", lsn));
			return EXIT_TEMPORARY;
		case ACK_GONE:
			if (may_be_gone(r))
				return -1;
			log_error("the writer is gone");
			return EXIT_TEMPORARY;
		}
	}
}

/* The time until the next thing that is due, for poll. */
static int
poll_timeout(const struct reader *r, int64_t now)
{
	int64_t due = confirm_due(r), sync_due = r->ended != NULL ? now : r->last_sync + SECOND_US;

	if (may_read(r) && !r->input_empty)
		return 0;
	if (r->sink == SINK_FILE && !units_none_open(&r->units) && sync_due < due)
		due = sync_due;
	if (r->sink == SINK_ACK && r->ack.fd < 0 && now + SECOND_US < due)
		due = now + SECOND_US;
	if (r->ended != NULL && r->drain_until < due)
		due = r->drain_until;
	if (r->term_at != 0 && r->ended == NULL && r->term_at + TERM_IN_UNIT_US < due)
		due = r->term_at + TERM_IN_UNIT_US;
	return due <= now ? 0 : (int)((due - now + 999) / 1000);
}

static int
consume(struct reader *r)
{
	int code;

	r->input_empty = false;
	if (PQconsumeInput(r->conn))
		return -1;
	/* What arrived before the end tells why. */
	while (may_read(r)) {
		code = pump(r);
		if (code >= 0)
			return code;
		if (r->input_empty)
			break;
	}
	if (r->ended != NULL)
		return -1;
	return stream_failed(r);
}

/*
 * The second connection is idle: it has something to say when the server ends it.  While
 * stdout is blocked nothing else tells that the server wants to shut down.
 */
static bool
catalog_lost(PGconn *conn)
{
	return !PQconsumeInput(conn) || PQstatus(conn) == CONNECTION_BAD;
}

/* Let a dense stream gather; its socket is not looked at meanwhile. */
static bool
gathers(struct reader *r, int64_t now)
{
	bool dense = rate_add(&r->rate, r->messages, now, DENSE);
	bool gather = dense && r->messages > 0 && may_read(r) && r->input_empty;

	r->messages = 0;
	return gather;
}

static int
wait_events(struct reader *r, int64_t now)
{
	PGconn *catalog = r->ended == NULL ? r->pgo.relations.catalog.conn : NULL;
	struct pollfd p[6] = { { .fd = PQsocket(r->conn) },
		{ .fd = r->out.fd, .events = fdout_pending(&r->out) > 0 ? POLLOUT : 0 },
		{ .fd = r->sink == SINK_ACK ? r->ack.listen_fd : -1, .events = POLLIN },
		{ .fd = r->sink == SINK_ACK ? r->ack.fd : -1, .events = POLLIN },
		{ .fd = r->term_at == 0 ? r->wait.signal_fd : -1, .events = POLLIN },
		{ .fd = catalog ? PQsocket(catalog) : -1, .events = POLLIN } };
	int code = -1, timeout = poll_timeout(r, now);

	if (gathers(r, now)) {
		if (timeout > GATHER_MS)
			timeout = GATHER_MS;
		(void)poll(p + 1, 5, timeout);
		timeout = 0;
	}
	p[0].events = (short)((may_read(r) && r->pgo.replay == NULL ? POLLIN : 0) | (r->conn_pending ? POLLOUT : 0));
	/* Not reading, its end would be told again and again. */
	if (p[0].events == 0)
		p[0].fd = -1;
	/* The pipe's other end after the end of the stream is nobody's loss. */
	if (r->sink == SINK_FILE || (r->ended != NULL && fdout_pending(&r->out) == 0))
		p[1].fd = -1;
	if (poll(p, 6, timeout) <= 0)
		return -1;
	if ((p[1].revents & (POLLERR | POLLHUP | POLLNVAL)) != 0 && r->out.nonblocking &&
	    !may_be_gone(r)) {
		log_error("standard output is closed: the next stage is gone");
		return EXIT_TEMPORARY;
	}
	if (p[5].revents != 0 && catalog_lost(catalog)) {
		log_error("the server closed the second connection: is it shutting down?");
		return EXIT_TEMPORARY;
	}
	if (r->conn_pending && (p[0].revents & POLLOUT) != 0)
		(void)confirm_flush(r);
	if (p[2].revents != 0)
		ack_accept(&r->ack);
	if (p[3].revents != 0)
		code = take_acks(r);
	if (code < 0 && may_read(r) && r->pgo.replay == NULL && (p[0].revents & (POLLIN | POLLERR | POLLHUP)) != 0)
		code = consume(r);
	return code;
}

/* Signals and the file: what time and TERM bring about. */
static int
tick(struct reader *r, int64_t now)
{
	if (r->sink == SINK_ACK)
		ack_tick(&r->ack, now);
	if (sig_terms() > 0 && r->term_at == 0)
		r->term_at = now;
	if (r->term_at != 0 && r->ended == NULL &&
	    (!r->pgo.in_unit || now - r->term_at >= TERM_IN_UNIT_US))
		end_stream(r, "term");
	if (confirm_file(r, now, r->ended != NULL) != 0 || confirm_tick(r, now) != 0)
		return EXIT_TEMPORARY;
	return -1;
}

/* After E: is all written and stored, or the time for that over? */
static int
drained(struct reader *r, int64_t now)
{
	bool all = fdout_pending(&r->out) == 0 && units_none_open(&r->units);

	if (r->ended == NULL)
		return -1;
	if (all)
		return EXIT_DONE;
	if (now < r->drain_until)
		return -1;
	log_error("the last units were not stored in time", kv_uint("emitted", r->units.emitted),
	    kv_uint("stored", r->units.stored), kv_int("drain_ms", r->o->drain_ms));
	return EXIT_TEMPORARY;
}

static int
loop(struct reader *r)
{
	for (;;) {
		int64_t now = now_us();
		int code = tick(r, now);

		if (code < 0)
			code = pump(r);
		if (code < 0)
			code = drained(r, now);
		if (code < 0)
			code = wait_events(r, now);
		if (code >= 0)
			return code;
	}
}

/*
 * Starting
 */

/* While the catalog is asked, the replication connection must not fall silent. */
static void
catalog_tick(void *arg)
{
	/* A failure comes again, in the loop. */
	(void)!confirm_tick(arg, now_us());
}

/* Where frames go, and who says that they are stored. */
static int
open_sink(struct reader *r)
{
	struct stat st;
	bool permanent = false, file;

	r->out.fd = STDOUT_FILENO;
	file = r->o->out_path != NULL ||
	    (r->o->ack_path == NULL && fstat(STDOUT_FILENO, &st) == 0 && S_ISREG(st.st_mode));
	if (file) {
		r->out.fd = filesink_open(r->o->out_path, &permanent);
		if (r->out.fd < 0)
			return permanent ? EXIT_PERMANENT : EXIT_TEMPORARY;
		file = fstat(r->out.fd, &st) == 0 && S_ISREG(st.st_mode);
	}
	r->sink = r->o->ack_path ? SINK_ACK : file ? SINK_FILE : SINK_NONE;
	r->out.nonblocking = fd_prepare(r->out.fd);
	r->wait.out_fd = r->out.nonblocking ? r->out.fd : -1;
	if (r->sink == SINK_NONE)
		log_warn("nothing is confirmed to the server: the output is no regular file",
		    kv_str("remedy", "-a SOCKET with a writer, or -o FILE"));
	return -1;
}

static void
emit_hello(struct reader *r, const char *run)
{
	const struct options *o = r->o;
	const struct server *v = &r->server;
	static const char from[] = "pgcdc-read " PGCDC_VERSION;
	struct frame_hello h = { .run = { run, (uint32_t)strlen(run) },
		.from = { from, sizeof(from) - 1 },
		.system = { v->system, (uint32_t)strlen(v->system) }, .timeline = v->timeline,
		.database = { v->database, (uint32_t)strlen(v->database) },
		.slot = { o->slot, (uint32_t)strlen(o->slot) }, .server = v->version };

	frame_put_hello(&r->out.buf, &h, (const char *const *)o->publications, o->n_publications);
}

/* Everything is known: set the positions and intervals. */
static int
begin(struct reader *r)
{
	char run[33];
	unsigned char random[16];
	int64_t timeout = (int64_t)r->server.wal_sender_timeout_ms * 1000;
	bool permanent;

	arc4random_buf(random, sizeof(random));
	for (size_t i = 0; i < sizeof(random); i++)
		snprintf(run + 2 * i, 3, "%02x", random[i]);
	if (r->sink == SINK_ACK && ack_listen(&r->ack, r->o->ack_path, run, &permanent) != 0)
		return permanent ? EXIT_PERMANENT : EXIT_TEMPORARY;
	r->idle_lsn = r->flush_lsn = r->units.stored_lsn = r->server.start;
	r->status_interval = STATUS_MAX_US;
	if (timeout > 0 && timeout / 4 < STATUS_MAX_US)
		r->status_interval = timeout / 4 > 1000 ? timeout / 4 : 1000;
	r->last_save = now_us() - SECOND_US;
	r->stop_at = r->o->endpos;
	if (r->o->until_caught_up) {
		/* At a page's start the insert position is behind the page's header. */
		r->stop_at = r->server.insert_lsn;
		if (r->stop_at % WAL_PAGE <= WAL_LONG_HEAD)
			r->stop_at -= r->stop_at % WAL_PAGE;
	}
	strlcpy(r->state.system, r->server.system, sizeof(r->state.system));
	strlcpy(r->state.slot, r->o->slot, sizeof(r->state.slot));
	r->state.timeline = r->server.timeline;
	r->state.acked = r->flush_lsn;
	if (r->state.path != NULL && state_save(&r->state) != 0)
		return errno == EACCES || errno == ENOENT || errno == ENOTDIR || errno == EROFS
		    ? EXIT_PERMANENT
		    : EXIT_TEMPORARY;
	emit_hello(r, run);
	log_info("streaming", kv_str("slot", r->o->slot), kv_lsn("from", r->server.start),
	    kv_str("database", r->server.database), kv_uint("server", r->server.version));
	return -1;
}

/*
 * TERM before the stream began: nothing was emitted, and that is said in order.  A file has
 * the E of the run before.
 */
static int
stopped_early(struct reader *r)
{
	if (r->sink == SINK_FILE)
		return EXIT_DONE;
	frame_put_end(&r->out.buf, 0, "term");
	return fdout_flush(&r->out) == 0 ? EXIT_DONE : EXIT_TEMPORARY;
}

static int
connect_and_stream(struct reader *r)
{
	enum pg_status status;
	int code;

	status = pg_connect(&r->wait, r->o->conninfo, true, &r->conn);
	if (status == PG_OK)
		status = setup_start(&r->wait, r->conn, r->o, &r->state, &r->server);
	if (status == PG_STOPPED)
		return stopped_early(r);
	if (status != PG_OK)
		return status == PG_PERMANENT ? EXIT_PERMANENT : EXIT_TEMPORARY;
	code = begin(r);
	if (code < 0)
		code = loop(r);
	/* Also when time ran out: what is stored need not come again. */
	if (r->ended != NULL && PQstatus(r->conn) == CONNECTION_OK)
		confirm_goodbye(r);
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
	r.wait = (struct pg_wait) { .signal_fd = sig_init(), .out_fd = -1 };
	r.pgo.out = &r.out.buf;
	r.pgo.relations.catalog.conninfo = o->conninfo;
	r.pgo.relations.catalog.wait = (struct pg_wait) { .signal_fd = r.wait.signal_fd,
		.out_fd = -1, .tick = catalog_tick, .arg = &r };
	if (state_load(&r.state, o->state_path) != 0)
		return EXIT_PERMANENT;
	code = open_sink(&r);
	if (code < 0 && spools_init(&r.pgo.spools, o->spool_dir, o->spool_mem) != 0)
		code = EXIT_PERMANENT;
	if (code < 0)
		code = connect_and_stream(&r);
	PQfinish(r.conn);
	catalog_close(&r.pgo.relations.catalog);
	if (r.sink == SINK_FILE && r.out.fd != STDOUT_FILENO && close(r.out.fd) != 0 &&
	    code == EXIT_DONE)
		code = EXIT_TEMPORARY;
	return code;
}
