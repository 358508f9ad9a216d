#ifndef METRICS_H
#define METRICS_H

#include <stdint.h>

#include "buf.h"

/*
 * Counters and gauges in Prometheus' text format ("Exposition formats" in its manual, version
 * 0.0.4).  A family comes first, then its samples, all in one place:
 *
 *	metrics_family(&m, METRICS_COUNTER, "pgcdc_read_rows_total", "Rows that were written.");
 *	metrics_uint(&m, METRICS_LABELS({ "operation", "insert" }), rows);
 */

#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

enum metrics_type { METRICS_COUNTER, METRICS_GAUGE, METRICS_HISTOGRAM };

struct metrics {
	struct buf *out;  /* the page so far */
	const char *name; /* of the family that samples belong to */
};

struct metrics_label {
	const char *name, *value; /* the value may hold anything */
};

/* At least one. */
#define METRICS_LABELS(...) ((const struct metrics_label[]) { __VA_ARGS__, { 0 } })

/*
 * A family begins.  The name of a counter ends in _total, one with a unit in _bytes, _seconds.
 * help is one line without backslashes.
 */
void metrics_family(struct metrics *, enum metrics_type, const char *name, const char *help);

/* A sample of it; labels may be NULL. */
void metrics_uint(struct metrics *, const struct metrics_label *, uint64_t);
void metrics_real(struct metrics *, const struct metrics_label *, double);

/* How long something took, from a millisecond to two minutes. */
#define METRICS_BUCKETS 16

struct metrics_histogram {
	uint64_t count[METRICS_BUCKETS + 1]; /* of each bucket alone; the last: what is beyond */
	uint64_t sum;                        /* microseconds */
};

void metrics_observe(struct metrics_histogram *, int64_t us);

/* All samples of one; labels may be NULL, and are four at most. */
void metrics_histogram(struct metrics *, const struct metrics_label *,
    const struct metrics_histogram *);

/* A family of one sample. */
void metrics_gauge(struct metrics *, const char *name, const char *help, uint64_t);
void metrics_counter(struct metrics *, const char *name, const char *help, uint64_t);

/*
 * What begins a program's page: PREFIX_build_info, and PREFIX_state, which is 1 for state and 0 for
 * the others of states, whose end is NULL.  who is the program in the help.
 */
void metrics_head(struct metrics *, const char *prefix, const char *who, const char *const *states,
    const char *state);

/* What Prometheus' own libraries say of a process: when it began, its CPU time and memory. */
void metrics_process(struct metrics *);

/* Append a string as JSON has it, quoted; what is no UTF-8 becomes U+FFFD. */
void metrics_put_json(struct buf *, const char *);

#endif
