#include <sys/stat.h>

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "confirm.h"
#include "exitcode.h"
#include "fdio.h"
#include "filesink.h"
#include "link.h"
#include "log.h"
#include "observe.h"
#include "serve.h"
#include "sig.h"

#define ROOM_MS 100

int
serve_open(struct reader *r)
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
	if (r->sink == SINK_NONE)
		log_warn("nothing is confirmed to the server: the output is no regular file",
		    kv_str("remedy", "-a SOCKET with a writer, or -o FILE"));
	return GO_ON;
}

bool
serve_may_be_gone(const struct reader *r)
{
	return r->ended != NULL && r->sink == SINK_ACK && units_none_open(&r->units);
}

int
serve_flush(struct reader *r)
{
	if (fdout_pending(&r->out) == 0 || fdout_flush(&r->out) == 0)
		return GO_ON;
	if (errno == EPIPE && serve_may_be_gone(r)) {
		r->out.off = r->out.buf.len = 0;
		return GO_ON;
	}
	log_error("cannot write to standard output or the file", kv_str("error", strerror(errno)));
	return errno == EBADF ? EXIT_PERMANENT : EXIT_TEMPORARY;
}

int
serve_output_closed(void)
{
	log_error("standard output is closed: the next stage is gone");
	return EXIT_TEMPORARY;
}

int
serve_acks(struct reader *r)
{
	uint64_t seq, lsn;

	for (;;) {
		switch (ack_next(&r->ack, &seq, &lsn)) {
		case ACK_NOTHING: return GO_ON;
		case ACK_MOVED:
			if (units_stored(&r->units, seq, lsn) == 0)
				continue;
			log_error("the writer acknowledged what was not sent", kv_uint("seq", seq),
			    kv_lsn("lsn", lsn));
			return EXIT_TEMPORARY;
		case ACK_GONE:
			if (serve_may_be_gone(r))
				return GO_ON;
			log_error("the writer is gone");
			return EXIT_TEMPORARY;
		}
	}
}

int
serve_drained(const struct reader *r, int64_t now)
{
	bool all = fdout_pending(&r->out) == 0 && units_none_open(&r->units);

	if (r->ended == NULL)
		return GO_ON;
	if (all)
		return EXIT_DONE;
	if (now < r->drain_until)
		return GO_ON;
	log_error("the last units were not stored in time", kv_uint("emitted", r->units.emitted),
	    kv_uint("stored", r->units.stored), kv_int("drain_ms", r->o->drain_ms));
	return EXIT_TEMPORARY;
}

/* The output and the ack socket, as far as they are ready now. */
static int
look_downstream(struct reader *r)
{
	struct pollfd p[3] = { { .fd = r->out.nonblocking ? r->out.fd : -1 },
		{ .fd = r->sink == SINK_ACK ? r->ack.listen_fd : -1, .events = POLLIN },
		{ .fd = r->sink == SINK_ACK ? r->ack.fd : -1, .events = POLLIN } };

	if (poll(p, 3, 0) <= 0)
		return GO_ON;
	if ((p[0].revents & (POLLERR | POLLHUP | POLLNVAL)) != 0 && !serve_may_be_gone(r))
		return serve_output_closed();
	if (p[1].revents != 0)
		ack_accept(&r->ack);
	return p[2].revents != 0 ? serve_acks(r) : GO_ON;
}

/*
 * While something else is waited for, nobody reads from the replication connection: is there
 * something to read?  Where that is silent, the other answer will not come, either.
 */
static int
look_at_server(struct reader *r, int64_t now)
{
	struct pollfd p = { .events = POLLIN };

	if (!session_streams(r))
		return GO_ON;
	p.fd = PQsocket(r->conn);
	if (poll(&p, 1, 0) > 0)
		r->received_at = now;
	return link_silent(r, now) ? LOST : GO_ON;
}

int
serve_tick(void *reader)
{
	struct reader *r = reader;
	int64_t now = now_us();
	int code = look_downstream(r);

	if (code == GO_ON)
		code = serve_flush(r);
	if (code == GO_ON && r->started) {
		if (r->sink == SINK_ACK)
			ack_tick(&r->ack, now);
		if (confirm_file(r, now, false) != 0 || confirm_tick(r, now) != 0)
			code = EXIT_TEMPORARY;
	}
	snapshot_idle(r);
	observe_tell(r);
	observe_run(r);
	control_idle(r);
	if (code == GO_ON)
		code = look_at_server(r, now);
	r->tick_code = code;
	return code != GO_ON;
}

enum pg_status
serve_room(void *reader)
{
	struct reader *r = reader;
	struct catalog *catalog = &r->pgo.relations.catalog;

	while (fdout_pending(&r->out) >= OUT_HIGH) {
		struct pollfd p[3] = { { .fd = r->out.fd, .events = POLLOUT },
			{ .fd = r->wait.signal_fd, .events = POLLIN },
			{ .fd = catalog_fd(catalog), .events = POLLIN } };

		(void)poll(p, 3, ROOM_MS);
		if (sig_terms() > 0 || serve_tick(r) != 0)
			return PG_STOPPED;
		/* Its end tells of a shutdown. */
		if (p[2].revents != 0 && catalog_ended(catalog))
			return PG_TEMPORARY;
	}
	return PG_OK;
}
