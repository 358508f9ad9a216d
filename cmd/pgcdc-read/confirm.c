#include <sys/ioctl.h>

#include <linux/sockios.h>

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "confirm.h"
#include "exitcode.h"
#include "fdio.h"
#include "log.h"
#include "wire.h"

#define CONFIRM_US   SECOND_US      /* how often a new position is confirmed */
#define REPLY_MIN_US INT64_C(10000) /* a flood of reply requests gets no flood back */
#define ASK_US       INT64_C(200000)
#define GOODBYE_US   (5 * SECOND_US)
#define MAX_UNWEDGED 9 /* 16 KiB, doubled so often, are 8 MiB */

uint64_t
confirm_stored(const struct reader *r)
{
	uint64_t lsn = r->units.stored_lsn;

	if (r->sink == SINK_NONE)
		return r->flush_lsn;
	if (units_none_open(&r->units) && r->idle_lsn > lsn)
		lsn = r->idle_lsn;
	return lsn > r->flush_lsn ? lsn : r->flush_lsn;
}

/*
 * While this reader does not have the slot another one may have it, and keep the same file: what
 * that one stored stands.  This one may not know yet that it has the slot no more: it was stopped,
 * or the network between is.  So the server is asked, and only what comes from it a while later
 * says that the slot is still this reader's, and the file wrong.
 */
static bool
another_went_on(struct reader *r, uint64_t lsn, int64_t now)
{
	struct state file = { 0 };
	bool it_did;

	if (r->state.path == NULL)
		return false;
	it_did = state_load(&file, r->state.path) == 0 && file.exists && file.acked > lsn;
	state_free(&file);
	if (!it_did || !session_streams(r)) {
		r->ahead_since = 0;
		return it_did;
	}
	if (r->ahead_since == 0)
		r->ahead_since = now;
	if (r->received_at < r->ahead_since + SECOND_US)
		return true;
	log_warn("the state file is ahead, of which the server knows nothing: it is written anew",
	    kv_str("file", r->state.path), kv_lsn("acked", lsn));
	r->ahead_since = 0;
	return false;
}

/*
 * Move flush_lsn.  The state file is ahead of what the server is told, so that a slot
 * ahead of the file always is somebody else's doing.
 */
static int
move_flush(struct reader *r, int64_t now, bool at_once)
{
	uint64_t lsn = confirm_stored(r);

	if (lsn <= r->flush_lsn && !r->snapshot.dirty)
		return 0;
	if (r->state.path != NULL && !at_once && now - r->last_save < CONFIRM_US)
		return 0;
	r->last_save = now;
	if (another_went_on(r, lsn, now))
		return 0;
	r->state.acked = lsn;
	if (state_save(&r->state) != 0)
		return -1;
	r->snapshot.dirty = false;
	r->flush_lsn = lsn;
	return 0;
}

static void
put_u64(char *p, uint64_t v)
{
	v = __builtin_bswap64(v);
	memcpy(p, &v, 8);
}

int
confirm_flush(struct reader *r)
{
	int n = PQflush(r->conn);

	r->conn_pending = n > 0;
	return n < 0 ? -1 : 0;
}

/* Standby status update ("Streaming Replication Protocol" in PostgreSQL's manual). */
static int
send_status(struct reader *r, int64_t now, bool ask)
{
	char m[34] = { 'r' };
	uint64_t written = r->received_lsn > r->flush_lsn ? r->received_lsn : r->flush_lsn;

	/* What went before has not even left: the server cannot miss another one. */
	if (r->conn_pending)
		return confirm_flush(r);
	put_u64(m + 1, written);
	put_u64(m + 9, r->flush_lsn);
	put_u64(m + 17, r->flush_lsn);
	put_u64(m + 25, (uint64_t)wall_us() - PG_EPOCH_US);
	m[33] = ask ? 1 : 0;
	if (PQputCopyData(r->conn, m, sizeof(m)) < 0)
		return -1;
	r->last_status = now;
	r->sent_flush = r->flush_lsn;
	r->reply_wanted = false;
	return confirm_flush(r);
}

/* Nothing came for half of the time after which the connection is given up. */
static bool
is_silent(const struct reader *r, int64_t now)
{
	return now - r->received_at > r->silence_us / 2;
}

/* The server's answer is waited for. */
static bool
asks(const struct reader *r, int64_t now)
{
	return ((r->o->until_caught_up || r->snapshot.awaits_stream) && r->ended == NULL) ||
	    r->ahead_since != 0 || is_silent(r, now);
}

int64_t
confirm_due(const struct reader *r)
{
	bool news = confirm_stored(r) > r->sent_flush;
	int64_t due = r->last_status + r->status_interval;

	if (!session_streams(r))
		return confirm_stored(r) > r->flush_lsn || r->snapshot.dirty
		    ? r->last_save + CONFIRM_US
		    : INT64_MAX;
	if (r->snapshot.dirty && r->last_save + CONFIRM_US < due)
		due = r->last_save + CONFIRM_US;
	if (r->reply_wanted && r->last_status + REPLY_MIN_US < due)
		due = r->last_status + REPLY_MIN_US;
	if ((r->o->until_caught_up || r->snapshot.awaits_stream) && r->ended == NULL &&
	    r->last_status + ASK_US < due)
		due = r->last_status + ASK_US;
	if (news && r->last_status + CONFIRM_US < due)
		due = r->last_status + CONFIRM_US;
	return due;
}

/*
 * While nothing is read, small packets can fill the receive buffer beyond the window that was
 * promised; what arrives then is dropped together with its acknowledgement of what we sent,
 * and nothing gets through any more.  A little room brings the connection back.  What is read
 * is kept by libpq, which doubles its memory at most, so that is not done for ever: without it
 * the server may take the reader for dead, and it connects again.
 */
static void
unwedge(struct reader *r, int64_t now)
{
	int unacknowledged = 0;

	if (r->reads || now - r->last_status < ASK_US || r->unwedged >= MAX_UNWEDGED ||
	    ioctl(PQsocket(r->conn), SIOCOUTQ, &unacknowledged) != 0 || unacknowledged == 0)
		return;
	log_debug("reading a little for the connection's sake",
	    kv_int("unacknowledged", unacknowledged));
	r->unwedged++;
	(void)PQconsumeInput(r->conn);
}

int
confirm_tick(struct reader *r, int64_t now)
{
	if (now < confirm_due(r))
		return 0;
	if (move_flush(r, now, false) != 0)
		return -1;
	if (!session_streams(r))
		return 0;
	unwedge(r, now);
	(void)send_status(r, now, asks(r, now));
	return 0;
}

/* fsync a file at unit ends, at most every second; -1 when that fails. */
int
confirm_file(struct reader *r, int64_t now, bool at_once)
{
	if (r->sink != SINK_FILE || units_none_open(&r->units) || fdout_pending(&r->out) > 0)
		return 0;
	if (!at_once && now - r->last_sync < SECOND_US)
		return 0;
	if (fdatasync(r->out.fd) != 0) {
		log_error("cannot fsync the output file", kv_str("error", strerror(errno)));
		return -1;
	}
	r->last_sync = now;
	return units_stored(&r->units, r->units.emitted,
	    r->units.lsn[r->units.emitted & (r->units.cap - 1)]);
}

int
confirm_save(struct reader *r, int code)
{
	return move_flush(r, now_us(), true) == 0 || code != EXIT_DONE ? code : EXIT_TEMPORARY;
}

/*
 * Confirm for the last time and close in order: the server must have read the update
 * before the connection goes, so its answer to the end of COPY is waited for.
 */
void
confirm_goodbye(struct reader *r)
{
	int64_t until = now_us() + GOODBYE_US, now;
	char *msg;
	int n;

	(void)move_flush(r, now_us(), true);
	while (r->conn_pending && now_us() < until) {
		struct pollfd p = { .fd = PQsocket(r->conn), .events = POLLOUT };

		if (poll(&p, 1, 100) > 0 && confirm_flush(r) != 0)
			return;
	}
	if (send_status(r, now_us(), false) != 0 || PQputCopyEnd(r->conn, NULL) < 0)
		return;
	while ((now = now_us()) < until) {
		struct pollfd p = { .fd = PQsocket(r->conn), .events = POLLIN };

		if (confirm_flush(r) != 0)
			return;
		while ((n = PQgetCopyData(r->conn, &msg, 1)) > 0)
			PQfreemem(msg);
		if (n < 0)
			return;
		if (r->conn_pending)
			p.events |= POLLOUT;
		if (poll(&p, 1, (int)((until - now) / 1000) + 1) > 0 && !PQconsumeInput(r->conn))
			return;
	}
}
