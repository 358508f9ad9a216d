#ifndef RATE_H
#define RATE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Is a stream dense?  Where thousands of small things come each second, waking up for every
 * one costs more than the work on it, in each program of a pipe; letting them gather for a
 * moment costs latency that nobody sees then.  Where little comes, nothing must wait.
 */
struct rate {
	int64_t since; /* microseconds, monotonic */
	uint64_t count;
	bool dense; /* the last full window was */
};

/* n things came; says whether the stream is dense. */
static inline bool
rate_add(struct rate *r, uint64_t n, int64_t now, uint64_t dense_per_second)
{
	const int64_t window = 4000;
	int64_t passed = now - r->since;

	r->count += n;
	if (passed >= window) {
		r->dense = r->count * 1000000 / (uint64_t)passed >= dense_per_second;
		r->since = now;
		r->count = 0;
	}
	return r->dense;
}

#endif
