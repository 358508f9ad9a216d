#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "table.h"

void
table_reset(struct table *t, uint32_t from)
{
	t->ranges = 0;
	t->begun = from;
	if (from < t->blocks)
		table_give_back(t, (struct range) { from, t->blocks });
}

void
table_restart(struct table *t, uint64_t now)
{
	t->fresh = true;
	t->untrusted = now;
	t->ranges = 0;
	t->measured = t->looked = false;
	t->said_at = t->retry_at = 0;
	t->restarts = t->refusals = t->lockouts = 0;
	t->shrink = 0;
	t->rows = t->bytes = 0;
	t->state = TABLE_BARRED;
}

bool
table_take(struct table *t, uint32_t blocks, struct range *out)
{
	struct range *r = &t->todo[0];

	if (t->ranges == 0)
		return false;
	*out = *r;
	if (r->to - r->from > blocks) {
		r->from += blocks;
		out->to = r->from;
	} else {
		t->ranges--;
		memmove(r, r + 1, t->ranges * sizeof(*r));
	}
	return true;
}

void
table_give_back(struct table *t, struct range r)
{
	size_t i = 0;

	if (r.from >= r.to)
		return;
	while (i < t->ranges && t->todo[i].from < r.from)
		i++;
	t->todo = xrealloc(t->todo, (t->ranges + 1) * sizeof(*t->todo));
	memmove(t->todo + i + 1, t->todo + i, (t->ranges - i) * sizeof(*t->todo));
	t->todo[i] = r;
	t->ranges++;
	/* Neighbours become one. */
	if (i + 1 < t->ranges && t->todo[i].to == t->todo[i + 1].from) {
		t->todo[i].to = t->todo[i + 1].to;
		t->ranges--;
		memmove(t->todo + i + 1, t->todo + i + 2, (t->ranges - i - 1) * sizeof(*t->todo));
	}
	if (i > 0 && t->todo[i - 1].to == t->todo[i].from) {
		t->todo[i - 1].to = t->todo[i].to;
		t->ranges--;
		memmove(t->todo + i, t->todo + i + 1, (t->ranges - i) * sizeof(*t->todo));
	}
}

void
table_free(struct table *t)
{
	free(t->name);
	free(t->by);
	free(t->holder);
	free(t->todo);
	free(t->filter);
}
