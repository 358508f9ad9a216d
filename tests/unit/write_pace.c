/* How much is sent at a time, to clusters of several kinds, by a clock of the test's own. */
#include "pace.h"
#include "tap.h"

#define LIMIT ((size_t)4 << 20)
#define MS    INT64_C(1000)

/* A cluster: requests share its cores, and it refuses those that are too much. */
struct cluster {
	double cores;       /* requests that it works on without one slowing the others */
	int64_t byte_ns;    /* for each byte, of one request alone */
	size_t max_busy;    /* more in flight are refused */
	size_t max_bytes;   /* in all of them */
};

struct run {
	struct pace p;
	int64_t now;
	size_t busy, in_flight; /* requests, and their bytes */
	size_t least_part;      /* they are smaller than the limit by so much; 0: not */
	struct {
		int64_t sent_at, ends_at;
		size_t bytes;
		bool refused;
	} request[PACE_MAX_LANES];
	/* What came of it. */
	unsigned answers, refused;
	uint64_t done;
	size_t lanes_least, lanes_most, bytes_least;
};

static void
start(struct run *r, const struct cluster *c)
{
	size_t i = r->busy++, bytes = r->least_part > 0 ? LIMIT / r->least_part : r->p.bytes;
	double share = (double)r->busy / c->cores;
	int64_t takes = (int64_t)bytes * c->byte_ns / 1000;

	r->in_flight += bytes;
	r->request[i].sent_at = r->now;
	r->request[i].bytes = bytes;
	r->request[i].refused = (c->max_busy > 0 && r->busy > c->max_busy) ||
	    (c->max_bytes > 0 && r->in_flight > c->max_bytes);
	r->request[i].ends_at = r->now +
	    (r->request[i].refused ? MS : (int64_t)((double)takes * (share > 1 ? share : 1)));
}

static void
end_first(struct run *r)
{
	size_t first = 0;
	struct pace_answer a;

	for (size_t i = 1; i < r->busy; i++)
		if (r->request[i].ends_at < r->request[first].ends_at)
			first = i;
	r->now = r->request[first].ends_at;
	a = (struct pace_answer) { .sent_at = r->request[first].sent_at,
		.bytes = r->request[first].bytes, .refused = r->request[first].refused };
	a.done = a.refused ? 0 : a.bytes;
	r->in_flight -= a.bytes;
	r->request[first] = r->request[--r->busy];
	r->answers++;
	r->refused += a.refused;
	r->done += a.done;
	(void)pace_answered(&r->p, &a, r->now);
	if (r->p.lanes < r->lanes_least)
		r->lanes_least = r->p.lanes;
	if (r->p.lanes > r->lanes_most)
		r->lanes_most = r->p.lanes;
	if (r->p.bytes < r->bytes_least)
		r->bytes_least = r->p.bytes;
}

/* So many requests; more than the cluster takes are always there. */
static void
go(struct run *r, const struct cluster *c, unsigned requests)
{
	r->answers = r->refused = 0;
	r->done = 0;
	r->lanes_least = PACE_MAX_LANES;
	r->lanes_most = 0;
	r->bytes_least = SIZE_MAX;
	while (r->answers < requests) {
		while (pace_admits(&r->p, r->busy))
			start(r, c);
		end_first(r);
	}
}

static struct run *
begin(size_t lanes, bool fixed)
{
	static struct run r;

	r = (struct run) { .now = 1000000 };
	pace_init(&r.p, lanes, LIMIT, fixed);
	return &r;
}

int
main(void)
{
	const struct cluster large = { .cores = 64, .byte_ns = 20 };
	const struct cluster small = { .cores = 1, .byte_ns = 20 };
	const struct cluster narrow = { .cores = 2, .byte_ns = 20, .max_busy = 3 };
	const struct cluster tight = { .cores = 2, .byte_ns = 20, .max_bytes = LIMIT / 4 };
	const struct cluster slow = { .cores = 1, .byte_ns = 400 };
	const struct cluster crawling = { .cores = 1, .byte_ns = 100000 };
	struct run *r = begin(8, false);
	size_t bytes;

	go(r, &large, 5000);
	ok(r->lanes_least == 8 && r->bytes_least == LIMIT, "a large cluster gets all at once");
	go(r, &small, 5000);
	ok(r->refused == 0 && r->bytes_least == LIMIT, "a smaller one is not refused");

	r = begin(8, false);
	go(r, &narrow, 1000);
	go(r, &narrow, 10000);
	printf("# %u of 10000 refused, %zu to %zu lanes\n", r->refused, r->lanes_least, r->lanes_most);
	ok(r->lanes_most <= 4, "one that takes three requests gets few");
	ok(r->refused > 0 && r->refused < 100, "and is asked for more, but seldom");
	go(r, &large, 5000);
	ok(r->p.lanes == 8, "until it takes more");
	go(r, &large, 1000);
	ok(r->lanes_least == 8, "which it then gets");

	r = begin(4, false);
	go(r, &tight, 1000);
	go(r, &tight, 10000);
	printf("# %u of 10000 refused, %zu bytes at least\n", r->refused, r->bytes_least);
	ok(r->p.lanes == 1 && r->p.bytes <= LIMIT / 4 + LIMIT / 16, "one that takes few bytes gets few");
	ok(r->bytes_least >= LIMIT / 16, "and not too few");
	ok(r->refused < 10000 / 10, "most of it is taken");
	go(r, &large, 5000);
	ok(r->p.lanes == 4 && r->p.bytes == LIMIT, "until it takes more");

	r = begin(4, false);
	go(r, &small, 500);
	go(r, &slow, 500);
	ok(r->lanes_least < 4, "one that becomes slow gets less at a time");
	ok(r->bytes_least == LIMIT, "in requests as large as ever");
	go(r, &large, 5000);
	ok(r->p.lanes == 4, "until it is fast");

	/* Requests far below the limit, as where the queue or the number of actions ends them. */
	r = begin(4, false);
	r->least_part = 8;
	go(r, &small, 500);
	go(r, &slow, 500);
	ok(r->lanes_least < 4, "also where its requests are small");

	r = begin(4, false);
	go(r, &crawling, 100);
	ok(r->p.lanes == 1 && r->p.bytes < LIMIT / 4, "one that crawls gets little");
	ok((int64_t)r->p.bytes * crawling.byte_ns / 1000 < 20000 * MS, "which it can do in a while");
	bytes = r->bytes_least;
	ok(bytes >= PACE_MIN_BYTES, "but not nothing");

	r = begin(4, true);
	go(r, &narrow, 1000);
	ok(r->lanes_least == 4 && r->bytes_least == LIMIT && r->refused > 200, "what is fixed stays");

	/* All in flight are refused: that is one refusal. */
	r = begin(64, false);
	while (pace_admits(&r->p, r->busy))
		start(r, &large);
	for (int i = 0; i < 64; i++) {
		r->request[i].refused = true;
		r->request[i].ends_at = r->now + MS + i;
	}
	while (r->busy > 0)
		end_first(r);
	ok(r->p.lanes == 32, "refusals at one time count once");

	/* Where little is to be done nothing has to wait: lanes come back unasked. */
	r = begin(4, false);
	go(r, &narrow, 40);
	ok(r->p.lanes < 4, "lanes are few");
	for (int i = 0; i < 2000; i++) {
		start(r, &large);
		r->now += 50 * MS;
		while (r->busy > 0)
			end_first(r);
	}
	ok(r->p.lanes == 4, "and come back where nothing waits for them");
	return done_testing();
}
