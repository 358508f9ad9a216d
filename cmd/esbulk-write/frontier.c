#include <assert.h>
#include <stdlib.h>

#include "buf.h"
#include "frontier.h"

#define KEPT_UNITS 4096

static struct unit *
at(const struct frontier *f, uint64_t serial)
{
	return &f->ring[serial & (f->cap - 1)];
}

/* Let go of the done units at the front. */
static void
advance(struct frontier *f)
{
	while (f->first < f->end) {
		struct unit *u = at(f, f->first);

		if (u->open > 0 || !(u->complete || u->dropped))
			return;
		if (u->complete) {
			f->seq = u->seq;
			f->lsn = u->lsn;
		}
		f->first++;
	}
	/* What many units once needed goes back. */
	if (f->first == f->end && f->cap > KEPT_UNITS) {
		free(f->ring);
		f->ring = NULL;
		f->cap = 0;
	}
}

void
frontier_begin(struct frontier *f)
{
	if (f->in_unit)
		return;
	if (f->end - f->first == f->cap) {
		size_t cap = f->cap ? f->cap * 2 : 64;
		struct unit *ring = xcalloc(cap, sizeof(*ring));

		for (uint64_t i = f->first; i < f->end; i++)
			ring[i & (cap - 1)] = *at(f, i);
		free(f->ring);
		f->ring = ring;
		f->cap = cap;
	}
	*at(f, f->end) = (struct unit) { 0 };
	f->end++;
	f->in_unit = true;
}

void
frontier_about(struct frontier *f, int64_t time, bool has_xid, uint32_t xid)
{
	struct unit *u = at(f, f->end - 1);

	u->time = time;
	u->has_xid = has_xid;
	u->xid = xid;
}

const struct unit *
frontier_unit(const struct frontier *f, uint64_t unit)
{
	assert(unit >= f->first && unit < f->end);
	return at(f, unit);
}

uint64_t
frontier_add(struct frontier *f)
{
	assert(f->in_unit);
	at(f, f->end - 1)->open++;
	return f->end - 1;
}

void
frontier_commit(struct frontier *f, uint64_t seq, uint64_t lsn)
{
	struct unit *u = at(f, f->end - 1), *before;

	assert(f->in_unit);
	f->in_unit = false;
	u->seq = seq;
	u->lsn = lsn;
	u->complete = true;
	if (u->open == 0 && f->end - f->first > 1) {
		before = at(f, f->end - 2);
		if (before->complete) {
			before->seq = seq;
			before->lsn = lsn;
			f->end--;
		}
	}
	advance(f);
}

void
frontier_drop(struct frontier *f)
{
	if (!f->in_unit)
		return;
	at(f, f->end - 1)->dropped = true;
	f->in_unit = false;
	advance(f);
}

void
frontier_done(struct frontier *f, uint64_t unit)
{
	struct unit *u = at(f, unit);

	assert(unit >= f->first && unit < f->end && u->open > 0);
	u->open--;
	if (u->open == 0 && unit == f->first)
		advance(f);
}

bool
frontier_pending(const struct frontier *f)
{
	for (uint64_t i = f->first; i < f->end; i++)
		if (at(f, i)->complete)
			return true;
	return false;
}

void
frontier_restart(struct frontier *f)
{
	frontier_drop(f);
	f->seq = 0;
	f->lsn = 0;
}
