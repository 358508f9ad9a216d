#include <stdlib.h>
#include <string.h>

#include "tally.h"

#define SLOTS       4096 /* a power of two, and far more than indices */
#define PROBLEM_MAX ((size_t)512)

const char *const tally_causes[CAUSE_NAMED] = { [CAUSE_CONNECT] = "connect",
	[CAUSE_TIMEOUT] = "timeout", [CAUSE_LOST] = "lost", [CAUSE_UNREADABLE] = "unreadable",
	[CAUSE_PARTIAL] = "partial", [CAUSE_OTHER] = "other" };
const uint16_t tally_statuses[TALLY_STATUSES] = { 400, 401, 403, 404, 408, 409, 413, 429, 500,
	502, 503, 504 };

static uint32_t
hash(const char *name, size_t len)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < len; i++)
		h = (h ^ (unsigned char)name[i]) * 16777619u;
	return h ^ h >> 15;
}

static struct tally_index *
add(struct tally *t, const char *name, size_t len)
{
	struct tally_index *index = xcalloc(1, sizeof(*index));

	index->name = xstrndup(name, len);
	index->len = len;
	t->list[t->n++] = index;
	index->place = (uint16_t)t->n;
	return index;
}

struct tally_index *
tally_find(struct tally *t, const char *name, size_t len)
{
	static const char others[] = "_other"; /* no index has such a name */
	uint32_t at = hash(name, len) & (SLOTS - 1);

	if (t->list == NULL) {
		t->list = xcalloc(TALLY_INDICES + 1, sizeof(struct tally_index *));
		t->slot = xcalloc(SLOTS, sizeof(*t->slot));
	}
	for (; t->slot[at] != 0; at = (at + 1) & (SLOTS - 1)) {
		struct tally_index *index = t->list[t->slot[at] - 1];

		if (index->len == len && memcmp(index->name, name, len) == 0)
			return index;
	}
	if (t->n < TALLY_INDICES) {
		t->slot[at] = (uint16_t)(t->n + 1);
		return add(t, name, len);
	}
	return t->n > TALLY_INDICES ? t->list[TALLY_INDICES] : add(t, others, sizeof(others) - 1);
}

void
tally_rejected(struct tally *t, const char *name, size_t len)
{
	t->rejected++;
	if (t->on)
		tally_find(t, name != NULL ? name : "", name != NULL ? len : 0)->rejected++;
}

/* Its place among those that have counts of their own, or the one behind them. */
static size_t
status_at(long status)
{
	size_t i = 0;

	while (i < TALLY_STATUSES && tally_statuses[i] != status)
		i++;
	return i;
}

void
tally_retry(struct tally *t, enum tally_cause cause, long status)
{
	size_t at = status_at(status);

	if (cause != CAUSE_STATUS)
		t->cause[cause]++;
	else if (at < TALLY_STATUSES)
		t->status[at]++;
	else
		t->cause[status == 200 ? CAUSE_PARTIAL : CAUSE_OTHER]++;
}

void
tally_retry_action(struct tally *t, long status)
{
	t->answered[status_at(status)]++;
}

void
tally_problem(struct tally *t, const char *why, long status, const char *words, size_t len)
{
	t->problem.len = 0;
	buf_adds(&t->problem, why);
	if (status != 0)
		buf_printf(&t->problem, ": %ld", status);
	buf_adds(&t->problem, ": ");
	buf_add(&t->problem, words, len < PROBLEM_MAX ? len : PROBLEM_MAX);
}
