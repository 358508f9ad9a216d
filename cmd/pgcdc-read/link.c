#include <bsd/stdlib.h>
#include <bsd/string.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "confirm.h"
#include "exitcode.h"
#include "link.h"
#include "log.h"
#include "serve.h"

#define STATUS_MAX_US   SECOND_US /* a timeout that is made shorter is met at once */
#define RETRY_MIN_US    INT64_C(100000)
#define RETRY_MAX_US    (10 * SECOND_US)
#define STEADY_US       (10 * SECOND_US) /* after so long a connection was good for something */
#define SILENCE_US      (120 * SECOND_US) /* where the server has no wal_sender_timeout */
#define QUIET_US        (5 * SECOND_US) /* behind a large row, before its memory is given back */

void
link_set_timeout(struct reader *r)
{
	int64_t timeout = (int64_t)r->server.wal_sender_timeout_ms * 1000;

	r->status_interval = STATUS_MAX_US;
	if (timeout > 0 && timeout / 4 < STATUS_MAX_US)
		r->status_interval = timeout / 4 > 1000 ? timeout / 4 : 1000;
	if (r->patience == 0)
		r->patience = 2;
	r->silence_us = r->patience * (timeout > 0 ? timeout : SILENCE_US / 2);
}

/*
 * Up to 17 a publication that did not exist when a change was written is an error.  18 leaves
 * out its changes and sends a warning (LoadPublications in pgoutput.c).
 */
static void
take_notice(void *reader, const PGresult *res)
{
	struct reader *r = reader;

	if (!pg_is_warning(res) || !pg_sqlstate_is(res, "55000")) {
		pg_notice(res);
		return;
	}
	log_error("changes are missing from the stream",
	    kv_str("server", PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY)),
	    kv_str("remedy", setup_too_young));
	r->incomplete = true;
}

/* Connect and begin to stream. */
static enum pg_status
connect_and_stream(struct reader *r)
{
	enum pg_status status;

	status = pg_connect(&r->wait, r->o->conninfo, true, NULL, &r->conn);
	if (status == PG_OK)
		status = setup_start(&r->wait, r->conn, r->o, &r->state, &r->server);
	if (status != PG_OK) {
		PQfinish(r->conn);
		r->conn = NULL;
		return status;
	}
	(void)PQsetNoticeReceiver(r->conn, take_notice, r);
	r->pgo.relations.catalog.peer = r->conn;
	link_set_timeout(r);
	strlcpy(r->state.system, r->server.system, sizeof(r->state.system));
	strlcpy(r->state.slot, r->o->slot, sizeof(r->state.slot));
	r->state.timeline = r->server.timeline;
	r->received_at = now_us();
	r->last_status = 0;
	r->connected_at = r->received_at;
	r->connected_seq = r->pgo.seq;
	r->asks = 0;
	r->big_at = r->watch_at = 0;
	return PG_OK;
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

/* Everything is known: set the positions. */
static int
begin(struct reader *r)
{
	char run[33];
	unsigned char random[16];
	bool permanent;

	arc4random_buf(random, sizeof(random));
	for (size_t i = 0; i < sizeof(random); i++)
		snprintf(run + 2 * i, 3, "%02x", random[i]);
	if (r->sink == SINK_ACK && ack_listen(&r->ack, r->o->ack_path, run, &permanent) != 0)
		return permanent ? EXIT_PERMANENT : EXIT_TEMPORARY;
	r->idle_lsn = r->flush_lsn = r->units.stored_lsn = r->server.start;
	r->pgo.resume = r->server.start;
	r->last_save = now_us() - SECOND_US;
	r->stop_at = r->o->endpos;
	if (r->o->until_caught_up) {
		r->stop_at = pg_log_end(r->server.insert_lsn);
		/* By then all is on disk that was committed before, also asynchronously. */
		r->stop_check_at = now_us() + SECOND_US +
		    3000 * (int64_t)r->server.wal_writer_delay_ms;
	}
	/* What it takes for lost is lost in the file, too, before that says that nothing is. */
	snapshot_connected(r, false);
	r->state.acked = r->flush_lsn;
	if (state_save(&r->state) != 0)
		return errno == EACCES || errno == ENOENT || errno == ENOTDIR || errno == EROFS
		    ? EXIT_PERMANENT
		    : EXIT_TEMPORARY;
	emit_hello(r, run);
	r->started = true;
	log_info("streaming", kv_str("slot", r->o->slot), kv_lsn("from", r->server.start),
	    kv_str("database", r->server.database), kv_uint("server", r->server.version),
	    kv_int("proto", r->server.proto));
	return GO_ON;
}

/*
 * TERM before the stream began: nothing was emitted, and that is said in order.  A file has
 * the E of the run before.
 */
static int
stopped_early(struct reader *r)
{
	if (r->tick_code != GO_ON)
		return r->tick_code;
	if (r->sink == SINK_FILE)
		return EXIT_DONE;
	frame_put_end(&r->out.buf, 0, "term");
	return fdout_flush(&r->out) == 0 ? EXIT_DONE : EXIT_TEMPORARY;
}

int
link_start(struct reader *r)
{
	switch (connect_and_stream(r)) {
	case PG_OK: return begin(r);
	case PG_STOPPED: return stopped_early(r);
	case PG_TEMPORARY: return EXIT_TEMPORARY;
	case PG_PERMANENT: break;
	}
	return EXIT_PERMANENT;
}

/* Apart by chance: many readers may have lost one server. */
static int64_t
next_delay(struct reader *r)
{
	int64_t d = r->retry_delay;

	r->retry_delay = d < RETRY_MIN_US ? RETRY_MIN_US : d * 2 > RETRY_MAX_US ? RETRY_MAX_US : d * 2;
	return d / 2 + (int64_t)arc4random_uniform((uint32_t)(d / 2 + 1));
}

void
link_lost(struct reader *r, bool at_once)
{
	int64_t delay;

	catalog_close(&r->pgo.relations.catalog);
	r->pgo.relations.catalog.refused = false;
	snapshot_disconnected(r);
	PQfinish(r->conn);
	r->conn = NULL;
	r->pgo.relations.catalog.peer = NULL;
	r->conn_pending = false;
	/* Not for a keepalive: what is lacking may be lacking each time, such as a second connection. */
	if (r->pgo.seq > r->connected_seq || now_us() - r->connected_at > STEADY_US)
		r->retry_delay = RETRY_MIN_US;
	pgoutput_disconnected(&r->pgo, r->idle_lsn);
	delay = at_once ? 0 : next_delay(r);
	r->lost_at = now_us();
	r->retry_at = r->lost_at + delay;
	if (r->ended == NULL && !at_once)
		log_warn("connecting again", kv_lsn("from", r->idle_lsn),
		    kv_real("delay", (double)delay / 1e6));
}

void
link_do_without_streaming(struct reader *r)
{
	r->server.plain = true;
	link_lost(r, true);
}

/* Nothing is open that would have to be sent again. */
static bool
between_units(const struct reader *r)
{
	return !r->pgo.in_transaction && r->pgo.stream == NULL && r->pgo.spools.count == 0 &&
	    fdout_pending(&r->out) == 0;
}

bool
link_silent(const struct reader *r, int64_t now)
{
	if (now - r->received_at <= r->silence_us)
		return false;
	log_error("the server is silent", kv_real("seconds", (double)r->silence_us / 1e6));
	return true;
}

int
link_failed(const struct reader *r, enum pg_status status)
{
	switch (status) {
	case PG_OK: return GO_ON;
	case PG_STOPPED: return r->tick_code;
	case PG_TEMPORARY: return LOST;
	case PG_PERMANENT: break;
	}
	return EXIT_PERMANENT;
}

int
link_tick(struct reader *r, int64_t now)
{
	if (link_silent(r, now)) {
		/* Or is it busy, with what it has to begin again each time? */
		r->patience = r->idle_lsn == r->silent_lsn && r->patience < 64 ? r->patience * 2 : 2;
		r->silent_lsn = r->idle_lsn;
		return LOST;
	}
	/* libpq never gives back what it once needed for a message. */
	if (r->big_at != 0 && now - r->big_at > QUIET_US && between_units(r)) {
		log_debug("connecting anew to give memory back");
		link_lost(r, true);
	}
	return GO_ON;
}

int64_t
link_due(const struct reader *r)
{
	int64_t due = r->watch_at;

	if (r->ended != NULL)
		return INT64_MAX;
	if (r->conn == NULL)
		return r->retry_at;
	if (r->stop_check_at != 0 && r->stop_check_at < due)
		due = r->stop_check_at;
	if (r->reads && r->received_at + r->silence_us < due)
		due = r->received_at + r->silence_us;
	if (r->big_at != 0 && between_units(r) && r->big_at + QUIET_US < due)
		due = r->big_at + QUIET_US;
	return due;
}

/* The new connection may begin behind the old one's end: another reader moved the slot. */
static void
go_on(struct reader *r)
{
	uint64_t start = r->server.start;

	snapshot_connected(r, start > r->idle_lsn);
	if (start > r->idle_lsn)
		r->idle_lsn = start;
	if (r->server.confirmed_flush > r->flush_lsn)
		r->flush_lsn = r->server.confirmed_flush;
	r->sent_flush = 0;
	r->reconnects++;
	r->pgo.resume = r->idle_lsn;
	log_info("streaming again", kv_lsn("from", start), kv_uint("server", r->server.version));
}

int
link_retry(struct reader *r, int64_t now)
{
	if (r->conn != NULL || r->ended != NULL || now < r->retry_at)
		return GO_ON;
	r->server.emitted = r->idle_lsn;
	switch (connect_and_stream(r)) {
	case PG_OK: go_on(r); return GO_ON;
	case PG_STOPPED: return r->tick_code; /* or TERM, which the loop sees to */
	case PG_TEMPORARY:
		r->failures++;
		r->retry_at = now_us() + next_delay(r);
		return GO_ON;
	case PG_PERMANENT: break;
	}
	return EXIT_PERMANENT;
}

int
link_look_at_catalog(struct reader *r)
{
	struct catalog *c = &r->pgo.relations.catalog;

	if (!catalog_ended(c))
		return GO_ON;
	return c->conn != NULL ? link_failed(r, catalog_open(c)) : LOST;
}
