#ifndef TALLY_H
#define TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "metrics.h"

/*
 * What --metrics tells of actions and requests, counted where the work is done.
 */

enum tally_operation { /* those of enum frame_op, as far as they are sent, come first */
	TALLY_INDEX,
	TALLY_CREATE,
	TALLY_UPDATE,
	TALLY_DELETE,
	TALLY_TRUNCATE,
	TALLY_OPERATIONS
};

enum tally_ignored { TALLY_CONFLICT, TALLY_MISSING, TALLY_COALESCED, TALLY_IGNORED };

enum tally_request { TALLY_BULK, TALLY_READ, TALLY_STEP, TALLY_REQUESTS };

/* Why a request is tried again; beside these it is the status of an answer. */
enum tally_cause {
	CAUSE_STATUS,
	CAUSE_CONNECT,
	CAUSE_TIMEOUT,
	CAUSE_LOST,
	CAUSE_UNREADABLE,
	CAUSE_PARTIAL,
	CAUSE_OTHER,
	CAUSE_NAMED
};

#define TALLY_INDICES  1000 /* so many have counts of their own; then they share one */
#define TALLY_STATUSES 12

struct tally_index {
	char *name; /* as a request has it; "_other": of all that are beyond */
	size_t len;
	uint16_t place; /* in list, from 1 */
	uint64_t stored[TALLY_OPERATIONS];
	uint64_t rejected;
};

struct tally {
	bool on; /* somebody may ask: otherwise actions are not counted here */
	struct tally_index **list;
	size_t n;
	uint16_t *slot; /* 1 + place in list, by the name's hash; 0: none */
	uint64_t ignored[TALLY_IGNORED];
	uint64_t rejected; /* in all, also while it is off */
	uint64_t cause[CAUSE_NAMED], status[TALLY_STATUSES]; /* requests tried again */
	uint64_t answered[TALLY_STATUSES + 1]; /* actions, by their own answers; the last: others */
	uint64_t batches, batch_bytes;
	struct metrics_histogram took[TALLY_REQUESTS];
	bool asked;     /* a request has ended */
	bool connected; /* the last one was answered by the cluster */
	char distribution[32], version[32]; /* of the cluster; "" where it is not known */
	struct buf problem; /* why something was tried again last */
};

/* The names of causes, and the statuses that have counts of their own. */
extern const char *const tally_causes[CAUSE_NAMED];
extern const uint16_t tally_statuses[TALLY_STATUSES];

/* That of the index, or of the others; it stays where it is. */
struct tally_index *tally_find(struct tally *, const char *name, size_t len);

/* One is rejected; name may be NULL. */
void tally_rejected(struct tally *, const char *name, size_t len);

/* A request is tried again, with all of its actions or with some. */
void tally_retry(struct tally *, enum tally_cause, long status);

/* An action is, for the sake of its own answer in one for the whole request. */
void tally_retry_action(struct tally *, long status);

/* And that is why, in the log's words. */
void tally_problem(struct tally *, const char *why, long status, const char *words, size_t len);

#endif
