#include "pace.h"

#define SLOW_US        INT64_C(10000000) /* a request should not take longer */
#define EPOCH_ANSWERS  32
#define EPOCH_US       INT64_C(200000) /* at least */
#define SAFE_ANSWERS   8 /* for each lane, before one comes back */
#define HELPS          1.03 /* so much more is stored in a time */
#define GREW           3.0  /* a byte takes so much longer than at best */
#define MAX_WAIT       64   /* epochs */
#define PATIENT_US     INT64_C(100000) /* for faster answers it does not matter */
#define FORGET         1.02 /* what was best grows dearer, an epoch */

static void
begin_epoch(struct pace *p, int64_t now)
{
	p->epoch.since = now;
	p->epoch.answers = p->epoch.denied = p->epoch.full = 0;
	p->epoch.done = 0;
	p->epoch.cost = p->epoch.took = 0;
}

void
pace_init(struct pace *p, size_t lanes, size_t bytes, bool fixed)
{
	*p = (struct pace) { .fixed = fixed, .lanes = lanes, .max_lanes = lanes, .safe = lanes,
		.bytes = bytes, .max_bytes = bytes, .back_off = 1 };
}

bool
pace_admits(struct pace *p, size_t busy)
{
	if (busy < p->lanes)
		return true;
	p->denied = true;
	return false;
}

/* Go to so many lanes; what is known of the time before is of no use then. */
static void
set_lanes(struct pace *p, size_t lanes, int64_t now)
{
	p->lanes = lanes;
	p->good = 0;
	begin_epoch(p, now);
}

static void
wait_longer(struct pace *p)
{
	p->wait = p->back_off;
	if (p->back_off < MAX_WAIT)
		p->back_off *= 2;
}

static bool
cut(struct pace *p, size_t lanes, int64_t now)
{
	p->cut_at = now;
	if (p->probing)
		wait_longer(p);
	else
		p->wait = p->back_off;
	p->probing = false;
	p->safe = p->lanes > 1 ? p->lanes - 1 : 1;
	if (p->lanes > 1) {
		set_lanes(p, lanes, now);
		return true;
	}
	begin_epoch(p, now);
	if (p->bytes / 2 < PACE_MIN_BYTES)
		return false;
	p->refused = p->bytes;
	p->bytes /= 2;
	return true;
}

/* What was taken before comes back.  True: it was that. */
static bool
come_back(struct pace *p, const struct pace_answer *a, int64_t now)
{
	/* Slowly where it was refused, and fast up to there, and when that is past. */
	bool near = p->bytes > p->refused / 4 * 3 && p->bytes < p->refused / 4 * 5;

	if (p->bytes < p->max_bytes && a->bytes >= p->bytes / 2) {
		p->bytes += p->bytes / (near ? 64 : 8);
		if (p->bytes > p->max_bytes)
			p->bytes = p->max_bytes;
		begin_epoch(p, now);
		return true;
	}
	if (p->lanes >= p->safe || ++p->good < SAFE_ANSWERS * p->lanes)
		return false;
	set_lanes(p, p->lanes + 1, now);
	return true;
}

/* Does a byte take much longer than it did with so many lanes? */
static bool
dearer(struct pace *p)
{
	double *least = &p->least[p->lanes];
	double cost = p->epoch.full > 0 ? p->epoch.cost / p->epoch.full : 0;

	if (cost <= 0)
		return false;
	if (*least > 0 && cost > *least * GREW && p->epoch.took / p->epoch.full > PATIENT_US) {
		/* If it stays so, that is how it is. */
		*least = cost;
		return true;
	}
	if (*least <= 0 || cost < *least)
		*least = cost;
	else
		*least *= FORGET;
	return false;
}

static bool
end_epoch(struct pace *p, int64_t now)
{
	size_t lanes = p->lanes;
	double rate = (double)p->epoch.done / (double)(now - p->epoch.since);
	bool pressed = p->epoch.denied >= p->epoch.answers - p->epoch.answers / 4;

	if (dearer(p) && lanes > 1)
		return cut(p, lanes - 1, now);
	begin_epoch(p, now);
	if (p->probing) {
		p->probing = false;
		if (rate < p->rate * HELPS && pressed) {
			wait_longer(p);
			lanes--;
		} else {
			p->back_off = 1;
			p->safe = lanes;
		}
	} else if (lanes < p->max_lanes && p->wait > 0) {
		p->wait--;
	} else if (lanes < p->max_lanes) {
		/* Where nothing has to wait, it costs nothing to let more go. */
		p->probing = pressed;
		p->rate = rate;
		lanes++;
	}
	if (lanes == p->lanes)
		return false;
	set_lanes(p, lanes, now);
	return true;
}

bool
pace_answered(struct pace *p, const struct pace_answer *a, int64_t now)
{
	bool denied = p->denied;

	p->denied = false;
	if (p->fixed)
		return false;
	/* What was sent before the last cut says nothing of the time after it. */
	if (a->refused || now - a->sent_at > SLOW_US)
		return a->sent_at >= p->cut_at && cut(p, (p->lanes + 1) / 2, now);
	if (come_back(p, a, now))
		return true;
	if (p->epoch.answers == 0 && p->epoch.since == 0)
		p->epoch.since = a->sent_at;
	p->epoch.answers++;
	p->epoch.denied += denied;
	p->epoch.done += a->done;
	/* Small ones among them cost more a byte. */
	p->large = a->bytes > p->large ? a->bytes : p->large - p->large / 64;
	if (a->bytes > p->large / 2) {
		p->epoch.full++;
		p->epoch.took += (double)(now - a->sent_at);
		p->epoch.cost += (double)(now - a->sent_at) / (double)a->bytes;
	}
	if (p->epoch.answers < EPOCH_ANSWERS || now - p->epoch.since < EPOCH_US)
		return false;
	return end_epoch(p, now);
}
