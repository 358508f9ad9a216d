/* Transactions in progress: what was added comes back, from memory and from files. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "spool.h"
#include "tap.h"

/* Message i of a transaction: its size and bytes follow from both. */
static size_t
message(uint32_t xid, uint32_t i, char *out, size_t largest)
{
	size_t n = (i * 2654435761u + xid) % largest;

	for (size_t k = 0; k < n; k++)
		out[k] = (char)(i + k * xid);
	return n;
}

static int
fill(struct spools *ss, uint32_t xid, uint32_t from, uint32_t to, size_t largest)
{
	char *p = xmalloc(largest);
	int r = 0;

	for (uint32_t i = from; i < to && r == 0; i++)
		r = spool_add(ss, spools_open(ss, xid), (char)('A' + i % 26), p,
		    message(xid, i, p, largest));
	free(p);
	return r;
}

/* How many messages come back as they were, until one does not. */
static uint32_t
drain(struct spools *ss, uint32_t xid, size_t largest)
{
	struct spool *s = spools_find(ss, xid);
	char *p = xmalloc(largest);
	const char *msg;
	size_t len, n;
	uint32_t i = 0;

	while (spool_next(s, &msg, &len) == 1) {
		n = message(xid, i, p, largest);
		if (len != n + 1 || msg[0] != (char)('A' + i % 26) || memcmp(msg + 1, p, n) != 0)
			break;
		i++;
	}
	free(p);
	return i;
}

static void
test_limit(const char *dir, size_t limit, size_t largest, uint32_t n, bool filed)
{
	struct spools ss;
	size_t most = 0;
	bool whole = true, file = false;

	ok(spools_init(&ss, "what", dir, limit) == 0, "%zu bytes of memory, messages up to %zu", limit,
	    largest);
	/* Five of them, whose pieces interleave. */
	for (uint32_t i = 0; i < n; i += 10)
		for (uint32_t xid = 1; xid <= 5; xid++) {
			whole = whole && fill(&ss, xid, i, i + 10 < n ? i + 10 : n, largest) == 0;
			most = ss.memory > most ? ss.memory : most;
			file = file || spools_find(&ss, xid)->fd >= 0;
		}
	ok(whole, "all are taken");
	ok(most <= limit, "within the limit: %zu", most);
	ok(file == filed, "%s", filed ? "a file is needed" : "without a file");
	for (uint32_t xid = 1; xid <= 5; xid++)
		whole = whole && drain(&ss, xid, largest) == n;
	ok(whole, "and come back as they were");
	spools_clear(&ss);
	ok(ss.count == 0 && ss.memory == 0, "nothing is left");
}

static void
test_doubt(const char *dir)
{
	struct spools ss;
	const char *msg;
	size_t len;

	ok(spools_init(&ss, "what", dir, 1000) == 0 && fill(&ss, 7, 0, 100, 200) == 0, "a transaction");
	ok(spools_find(&ss, 7)->fd >= 0, "in a file");
	ok(spools_find(&ss, 8) == NULL, "another one is not there");
	spool_doubt(&ss, spools_find(&ss, 7));
	ok(spools_find(&ss, 7)->fd < 0 && ss.memory == 0, "in doubt nothing is kept");
	ok(fill(&ss, 7, 100, 200, 200) == 0 && ss.memory == 0, "nor what comes");
	ok(spool_next(spools_find(&ss, 7), &msg, &len) == 0, "so nothing comes back");
	spool_drop(&ss, spools_find(&ss, 7));
	ok(spools_find(&ss, 7) == NULL, "and then it is forgotten");
	spools_clear(&ss);
}

int
main(void)
{
	const char *dir = getenv("TMPDIR");
	struct spools ss;

	if (dir == NULL)
		dir = "/tmp";
	test_limit(dir, (size_t)1 << 20, 100, 1000, false);
	test_limit(dir, 10000, 100, 1000, true);
	test_limit(dir, 10000, 20000, 200, true);
	test_limit(dir, 5000, 5000, 500, true);
	test_limit(dir, 0, 300, 300, true);
	test_doubt(dir);
	ok(freopen("/dev/null", "w", stderr) != NULL, "the log goes nowhere");
	ok(spools_init(&ss, "what", "/nonexistent", 1000) != 0, "a folder that is not there");
	return done_testing();
}
