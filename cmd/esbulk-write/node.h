#ifndef NODE_H
#define NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "options.h"
#include "target.h"

/*
 * The cluster's nodes: taken in turn; one that failed rests for a while.  A node lives as
 * long as the program, for requests know it.
 */
struct node {
	struct target target;
	const char *url;   /* for messages */
	const char *base;  /* what requests' paths are put behind */
	char *bulk_url;
	bool given;        /* on the command line, not found by asking */
	bool used;
	bool hopeless;     /* it cannot be spoken to, as its certificate is another's */
	unsigned failures; /* in a row */
	int64_t rest_until;
};

struct nodes {
	struct node **node;
	size_t n, next;
};

void nodes_init(struct nodes *, const struct options *);

/*
 * Those that the cluster says it has: known ones stay as they are, new ones are added, and
 * those that are gone are no longer picked.  Those that were given always stay: an address
 * that the cluster tells may be none from here.  Between nodes_begin and nodes_end each is
 * found; -1: it is no address of a node.
 */
void nodes_begin(struct nodes *);
int nodes_found(struct nodes *, const char *url) __attribute__((warn_unused_result));
void nodes_end(struct nodes *);

/* The next node that does not rest; or of those that do, the one that is back first. */
struct node *nodes_pick(struct nodes *, int64_t now);

/* Is there one that does not rest? */
bool nodes_awake(const struct nodes *, int64_t now);

/* Are they all? */
bool nodes_hopeless(const struct nodes *);

/* It could not be reached, or had trouble of its own. */
void node_failed(struct node *, int64_t now);
void node_worked(struct node *);

/* Microseconds to wait after so many failures in a row: doubling, capped, with jitter. */
int64_t backoff_us(unsigned failures);

#endif
