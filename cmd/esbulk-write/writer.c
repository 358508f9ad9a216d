#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exitcode.h"
#include "fdio.h"
#include "log.h"
#include "lsn.h"
#include "observe.h"
#include "session.h"
#include "sig.h"
#include "writer.h"

#define FRAMES_A_TURN 4096
#define POLL_MAX_MS   60000
#define GONE_US       INT64_C(10000000)

/*
 * Frames
 */

static int
bad_frame(struct writer *w, const struct frame *f, const char *why)
{
	log_error(why, kv_strn("frame", &f->letter, 1), kv_uint("offset", f->offset),
	    kv_lsn("unit", w->intake.begin.lsn));
	return EXIT_PERMANENT;
}

static int
take_hello(struct writer *w, const struct frame *f)
{
	struct frame_hello h;
	const char *why = frame_get_hello(f, &h);

	if (why != NULL)
		return bad_frame(w, f, why);
	w->intake.live_since = wall_us();
	/* The run before may have been cut off inside a unit. */
	frontier_restart(&w->delivery.frontier);
	tables_clear(&w->delivery.tables);
	w->hello = true;
	w->ended = false;
	w->intake.begin.lsn = 0;
	w->last = (struct frame_commit) { 0 };
	return ackclient_hello(&w->ack, h.run.ptr, h.run.len, now_us()) == 0 ? -1
	                                                                     : EXIT_PERMANENT;
}

static int
take_relation(struct writer *w, const struct frame *f)
{
	struct frame_relation r;
	const char *why = frame_get_relation(f, &r);

	if (why != NULL)
		return bad_frame(w, f, why);
	tables_put(&w->delivery.tables, f, &r);
	return -1;
}

static int
take_begin(struct writer *w, const struct frame *f)
{
	const char *why = frame_get_begin(f, &w->intake.begin);

	if (why != NULL)
		return bad_frame(w, f, why);
	if (w->ack.path != NULL && !w->hello)
		return bad_frame(w, f, "a unit before H, so nothing can be acknowledged");
	w->received_lsn = w->intake.begin.lsn;
	frontier_begin(&w->delivery.frontier);
	delivery_charge_units(&w->delivery);
	frontier_about(&w->delivery.frontier, w->intake.begin.time, w->intake.begin.has_xid,
	    w->intake.begin.xid);
	version_begin(&w->intake.places);
	return -1;
}

static int
take_commit(struct writer *w, const struct frame *f)
{
	struct frame_commit c;
	const char *why = frame_get_commit(f, &c);

	if (why != NULL)
		return bad_frame(w, f, why);
	if (!w->delivery.frontier.in_unit)
		return bad_frame(w, f, "C without B");
	/* The reader would not believe an ack that goes back. */
	if (w->ack.path != NULL && (c.seq <= w->last.seq || c.lsn < w->last.lsn))
		return bad_frame(w, f, "C has a seq or lsn that goes back");
	w->last = c;
	frontier_commit(&w->delivery.frontier, c.seq, c.lsn);
	return -1;
}

static const char behind_end[] = "something else than H behind E";

static int
take_action(struct writer *w, const struct frame *f, struct frame_action *a)
{
	const char *why;

	if (w->ended)
		return bad_frame(w, f, behind_end);
	if (!w->delivery.frontier.in_unit)
		return bad_frame(w, f, "X outside a unit");
	if (a->op == OP_REJECT)
		return intake_reject(&w->intake, a, "the mapper rejected a row", "",
		    a->body.ptr ? a->body.ptr : "", a->body.len);
	why = intake_check(&w->intake, a);
	if (why != NULL)
		return intake_reject(&w->intake, a, "an action cannot be sent", "illegal_action",
		    why, strlen(why));
	why = intake_action(&w->intake, a);
	return why != NULL ? bad_frame(w, f, why) : -1;
}

static int
take_other_action(struct writer *w, const struct frame *f)
{
	struct frame_action a;
	const char *why = frame_get_action(f, &a);

	return why != NULL ? bad_frame(w, f, why) : take_action(w, f, &a);
}

static int
take_end(struct writer *w, const struct frame *f)
{
	struct frame_end e;
	const char *why = frame_get_end(f, &e);

	if (why != NULL)
		return bad_frame(w, f, why);
	frontier_drop(&w->delivery.frontier);
	w->ended = true;
	w->flushing = true;
	return -1;
}

static int
take_frame(struct writer *w, struct frame *f)
{
	if (f->letter == FRAME_STATS && frame_decode(&w->in, f) == 0)
		mapstats_take(&w->mapstats, f);
	/* Other lower case is not for us, whatever it is. */
	if (f->letter >= 'a' && f->letter <= 'z')
		return -1;
	if (frame_decode(&w->in, f) != 0)
		return bad_frame(w, f, w->in.error);
	if (w->ended && f->letter != FRAME_HELLO && f->letter != FRAME_END)
		return bad_frame(w, f, behind_end);
	switch ((enum frame_letter)f->letter) {
	case FRAME_ACTION: return take_other_action(w, f);
	case FRAME_BEGIN: return take_begin(w, f);
	case FRAME_COMMIT: return take_commit(w, f);
	case FRAME_RELATION: return take_relation(w, f);
	case FRAME_HELLO: return take_hello(w, f);
	case FRAME_END: return take_end(w, f);
	case FRAME_MESSAGE: return -1;
	case FRAME_INSERT:
	case FRAME_UPDATE:
	case FRAME_DELETE:
	case FRAME_SNAPSHOT_ROW:
	case FRAME_TRUNCATE:
		return bad_frame(w, f, "a frame that a mapper turns into actions: is there none "
		                       "before this program?");
	case FRAME_ANSWER:
	case FRAME_STATS: return -1;
	}
	return bad_frame(w, f, "an unknown critical frame: made by a later version?");
}

/* May nothing be taken before more is stored? */
static bool
is_held(const struct writer *w)
{
	return w->flushing || w->delivery.truncate.item != NULL ||
	    delivery_full(&w->delivery);
}

/* Take what has arrived, as far as there is room.  An exit status, or -1. */
static int
take_frames(struct writer *w)
{
	struct frame_action a;
	struct frame f;

	for (int i = 0; i < FRAMES_A_TURN; i++) {
		int code;

		if (is_held(w))
			return -1;
		/* Nearly all are. */
		if (frame_next_action(&w->in, &f, &a)) {
			if ((code = take_action(w, &f, &a)) >= 0)
				return code;
			continue;
		}
		switch (frame_next(&w->in, &f)) {
		case FRAME_OK:
			if ((code = take_frame(w, &f)) >= 0)
				return code;
			continue;
		case FRAME_MORE: w->more_input = false; return -1;
		case FRAME_EOF: w->eof = true; return -1;
		case FRAME_CUT:
			w->eof = true;
			w->ended = false;
			log_warn("the input ends inside a frame", kv_uint("offset", w->in.offset));
			return -1;
		case FRAME_BAD:
			log_error(w->in.error, kv_uint("offset", w->in.offset));
			return EXIT_PERMANENT;
		}
	}
	return -1;
}

static int
read_input(struct writer *w)
{
	ssize_t n = fdin_fill(&w->in.in, frame_missing(&w->in));

	if (n < 0) {
		if (errno == EAGAIN || errno == EINTR)
			return -1;
		log_error("cannot read standard input", kv_str("error", strerror(errno)));
		return errno == EBADF || errno == EISDIR ? EXIT_PERMANENT : EXIT_TEMPORARY;
	}
	w->more_input = true;
	return -1;
}

/*
 * The loop
 */

static bool
wants_input(const struct writer *w)
{
	return !w->eof && !is_held(w);
}

static int
tell(struct writer *w, int64_t now, bool at_once)
{
	const struct frontier *f = &w->delivery.frontier;
	int code = dead_flush(&w->delivery.dead);

	/* What they stand for counts as stored. */
	if (code >= 0)
		return code;
	if (ackclient_tick(&w->ack, now) != 0)
		return EXIT_TEMPORARY;
	if (f->seq != 0 && ackclient_send(&w->ack, f->seq, f->lsn, now, at_once) != 0)
		return EXIT_TEMPORARY;
	return -1;
}

static int
finish(struct writer *w)
{
	log_debug("the input ended", kv_uint("actions", w->intake.actions),
	    kv_uint("stored", w->delivery.stored), kv_uint("conflicts", w->delivery.conflicts),
	    kv_uint("coalesced", w->delivery.coalesced),
	    kv_uint("retries", w->delivery.retries), kv_uint("requests", w->delivery.requests),
	    kv_uint("merge_missing", w->delivery.merge_missing));
	if (w->delivery.dead_letters > 0)
		log_warn("there are dead letters", kv_str("file", w->o->dead_letter),
		    kv_uint("dead_letters", w->delivery.dead_letters));
	if (w->ended)
		return EXIT_DONE;
	log_error("the input ended without E: the producer died",
	    kv_uint("offset", w->in.offset));
	return EXIT_TEMPORARY;
}

/* What is stored all, what is at its end?  An exit status, or -1. */
static int
progress(struct writer *w)
{
	if (!delivery_empty(&w->delivery) ||
	    !ackclient_done(&w->ack, w->delivery.frontier.seq))
		return -1;
	/* A new run begins behind E: acks of the old one are all told. */
	w->flushing = false;
	return w->eof ? finish(w) : -1;
}

static int
wait_events(struct writer *w, int64_t now)
{
	struct curl_waitfd fds[3] = { { .fd = STDIN_FILENO, .events = CURL_WAIT_POLLIN } };
	int64_t due = delivery_due(&w->delivery), ack_due = ackclient_due(&w->ack);
	int64_t asked_due = observe_due(w, now);
	bool input = wants_input(w), ack = w->ack.fd >= 0;
	unsigned n = 0, at_input = 0, at_ack = 0, at_asked = 0;
	int timeout = POLL_MAX_MS;

	if (!ackclient_done(&w->ack, w->delivery.frontier.seq) && ack_due < due)
		due = ack_due;
	if (w->ack.path != NULL && w->ack.fd < 0 && ack_due < due)
		due = ack_due;
	if (w->gone_at != 0 && !w->ended && w->gone_at + GONE_US < due)
		due = w->gone_at + GONE_US;
	if (asked_due < due)
		due = asked_due;
	if (due <= now || (input && w->more_input))
		timeout = 0;
	else if ((due - now + 999) / 1000 < timeout)
		timeout = (int)((due - now + 999) / 1000);
	if (input && !w->more_input)
		at_input = n++;
	if (ack) {
		at_ack = n++;
		fds[at_ack] = (struct curl_waitfd) { .fd = w->ack.fd, .events = CURL_WAIT_POLLIN };
		if (w->ack.out_len > 0)
			fds[at_ack].events |= CURL_WAIT_POLLOUT;
	}
	if (w->metrics != NULL) {
		at_asked = n++;
		fds[at_asked] = (struct curl_waitfd) { .fd = observe_fd(w),
			.events = CURL_WAIT_POLLIN };
	}
	if (curl_multi_poll(w->delivery.multi, fds, n, timeout, NULL) != CURLM_OK) {
		log_error("libcurl cannot wait");
		return EXIT_TEMPORARY;
	}
	if (w->metrics != NULL && (fds[at_asked].revents != 0 || asked_due <= now_us()))
		observe_run(w);
	if (ack && (fds[at_ack].revents & CURL_WAIT_POLLIN) != 0 && ackclient_read(&w->ack) != 0)
		w->gone_at = now_us(); /* not now: the wait may have been long */
	if (input && !w->more_input && fds[at_input].revents != 0)
		return read_input(w);
	return -1;
}

/*
 * Without a reader nobody learns what is stored, and its successor sends all that was not
 * acknowledged again.  But it also goes when it is done, and then its E may still be on
 * the way to us.
 */
static int
check_reader(struct writer *w, int64_t now)
{
	const struct frontier *f = &w->delivery.frontier;

	if (w->gone_at == 0)
		return -1;
	if (w->ended && !frontier_pending(f) && f->seq == w->ack.sent_seq) {
		/* At most a unit that E cut off is in flight; it comes again. */
		w->flushing = false;
		return w->eof ? finish(w) : -1;
	}
	if (!w->ended && wants_input(w) && now - w->gone_at < GONE_US)
		return -1;
	log_error("the reader is gone", kv_str("socket", w->ack.path));
	return EXIT_TEMPORARY;
}

static int
loop(struct writer *w)
{
	for (;;) {
		int64_t now;
		int code = take_frames(w);

		if (code >= 0) {
			(void)!dry_flush(&w->intake.dry);
			(void)tell(w, now_us(), true);
			return code;
		}
		if (w->o->dry_run)
			code = dry_flush(&w->intake.dry);
		else
			code = delivery_work(&w->delivery, w->eof || is_held(w));
		now = now_us();
		observe_look(w, now);
		if (code >= 0) {
			/* What is stored is told even so. */
			(void)tell(w, now, true);
			return code;
		}
		if ((code = tell(w, now, w->flushing || w->eof)) >= 0)
			return code;
		if ((code = progress(w)) >= 0)
			return code;
		if ((code = check_reader(w, now)) >= 0)
			return code;
		if ((code = wait_events(w, now)) >= 0)
			return code;
	}
}

int
writer_run(const struct options *o)
{
	/* Large, and there is only one. */
	static struct writer w;
	int code;

	w.o = o;
	w.intake.delivery = &w.delivery;
	w.intake.version_epoch = o->version_epoch;
	w.intake.live_since = wall_us();
	w.intake.dry = (struct dry) { .on = o->dry_run, .out.fd = STDOUT_FILENO };
	w.intake.line.type = w.intake.gone.type = o->type;
	w.ack = (struct ackclient) { .path = o->ack_path, .fd = -1 };
	w.in.in.fd = STDIN_FILENO;
	(void)sig_init();
	(void)fd_prepare(STDIN_FILENO);
	if (delivery_init(&w.delivery, o) != 0) {
		log_error("libcurl cannot be set up");
		return EXIT_TEMPORARY;
	}
	if ((code = dead_open(&w.delivery.dead, o->dead_letter)) >= 0 ||
	    (code = observe_open(&w)) >= 0)
		return code;
	code = loop(&w);
	observe_close(&w);
	return code;
}
