#ifndef NODE_H
#define NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "options.h"

/* The cluster's nodes: taken in turn; one that failed rests for a while. */
struct node {
	const char *url;
	char *bulk_url;
	unsigned failures; /* in a row */
	int64_t rest_until;
};

struct nodes {
	struct node *node;
	size_t n, next;
};

void nodes_init(struct nodes *, const struct options *);

/* The next node that does not rest; or of those that do, the one that is back first. */
struct node *nodes_pick(struct nodes *, int64_t now);

/* Is there one that does not rest? */
bool nodes_awake(const struct nodes *, int64_t now);

/* It could not be reached, or had trouble of its own. */
void node_failed(struct node *, int64_t now);
void node_worked(struct node *);

/* Microseconds to wait after so many failures in a row: doubling, capped, with jitter. */
int64_t backoff_us(unsigned failures);

#endif
