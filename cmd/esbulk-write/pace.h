#ifndef PACE_H
#define PACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * How much is sent at a time: requests in flight, and bytes in each.  Both begin at their
 * limits.  Where the cluster refuses (429) or lets wait, there are fewer requests, and when
 * there is one, smaller ones.  What was taken before comes back when a while went well, and
 * what was refused once is tried again now and then: it stays if more is stored so.
 */

#define PACE_MAX_LANES 64
#define PACE_MIN_BYTES ((size_t)64 * 1024)

struct pace {
	bool fixed; /* nothing changes */
	size_t lanes, max_lanes; /* requests in flight */
	size_t bytes, max_bytes; /* in a request */
	size_t safe;    /* so many lanes were taken without a refusal */
	size_t refused; /* so many bytes were not */
	int64_t cut_at; /* microseconds, as all times */
	unsigned good;  /* answers since, or since lanes came back */
	bool denied;    /* since the last answer something had to wait for another request */
	/* The answers that are looked at together. */
	struct {
		int64_t since;
		unsigned answers, denied, full;
		uint64_t done;    /* bytes of actions that were stored, left out ones too */
		double cost, took; /* sums of microseconds a byte, and of these, of full requests */
	} epoch;
	size_t large;   /* bytes of a request, of late */
	double least[PACE_MAX_LANES + 1]; /* such cost, by lanes; 0: not known */
	/* Does one lane more help? */
	bool probing;
	double rate;      /* of the epoch before it */
	unsigned wait, back_off; /* epochs until the next, and the more that did not help */
};

/* What an answer to a bulk request tells. */
struct pace_answer {
	int64_t sent_at;
	size_t bytes;  /* of the request */
	uint64_t done; /* of which, and of what was left out for it, so much is stored */
	bool refused;  /* for there is too much to do */
};

/* lanes is PACE_MAX_LANES at most. */
void pace_init(struct pace *, size_t lanes, size_t bytes, bool fixed);

/* May another request go, with so many in flight?  Asked when there is one to send. */
bool pace_admits(struct pace *, size_t busy);

/* A request has its answer.  True: lanes or bytes changed. */
bool pace_answered(struct pace *, const struct pace_answer *, int64_t now);

#endif
