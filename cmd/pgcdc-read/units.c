#include <stdlib.h>

#include "buf.h"
#include "units.h"

#define MAX_OPEN ((size_t)256 * 1024)

bool
units_full(const struct units *u)
{
	return u->emitted - u->stored >= MAX_OPEN;
}

/* The ring in twice the memory; what it holds goes to its new places. */
static void *
grow(const struct units *u, void *old, size_t cap)
{
	uint64_t *bigger = xmalloc(cap * sizeof(*bigger));

	for (uint64_t i = u->stored + 1; i <= u->emitted; i++)
		bigger[i & (cap - 1)] = ((const uint64_t *)old)[i & (u->cap - 1)];
	free(old);
	return bigger;
}

void
units_add(struct units *u, uint64_t seq, uint64_t lsn, int64_t time)
{
	if (u->emitted - u->stored == u->cap) {
		size_t cap = u->cap ? u->cap * 2 : 256;

		u->lsn = grow(u, u->lsn, cap);
		if (u->timed)
			u->time = grow(u, u->time, cap);
		u->cap = cap;
	}
	u->emitted = seq;
	u->lsn[seq & (u->cap - 1)] = lsn;
	if (u->timed)
		u->time[seq & (u->cap - 1)] = time;
}

int
units_stored(struct units *u, uint64_t seq, uint64_t lsn)
{
	if (seq == u->stored)
		return lsn == u->stored_lsn ? 0 : -1;
	if (seq < u->stored || seq > u->emitted || u->lsn[seq & (u->cap - 1)] != lsn)
		return -1;
	u->stored = seq;
	u->stored_lsn = lsn;
	return 0;
}
