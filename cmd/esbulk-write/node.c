#include <bsd/stdlib.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "node.h"

#define BACKOFF_MIN_US INT64_C(50000)
#define BACKOFF_MAX_US INT64_C(10000000)

/*
 * Only what is looked at comes back, so an answer is short however large the batch; see
 * "Response Filtering" in the common options of both projects' REST APIs.  Escaped as a
 * signature wants it.
 */
#define BULK_PATH "/_bulk?filter_path=errors%2Citems.%2A.status%2Citems.%2A.error"

static struct node *
add_node(struct nodes *ns, const struct target *t)
{
	struct node *n = xcalloc(1, sizeof(*n));
	struct buf b = { 0 };

	*n = (struct node) { .target = *t, .url = t->url, .base = t->base, .used = true };
	buf_adds(&b, n->base);
	buf_adds(&b, BULK_PATH);
	n->bulk_url = buf_cstr(&b);
	ns->node = xrealloc(ns->node, (ns->n + 1) * sizeof(struct node *));
	ns->node[ns->n++] = n;
	return n;
}

void
nodes_init(struct nodes *ns, const struct options *o)
{
	*ns = (struct nodes) { 0 };
	for (size_t i = 0; i < o->n_targets; i++)
		add_node(ns, &o->targets[i])->given = true;
}

void
nodes_begin(struct nodes *ns)
{
	for (size_t i = 0; i < ns->n; i++)
		ns->node[i]->used = false;
}

int
nodes_found(struct nodes *ns, const char *url)
{
	struct target t;
	bool show;

	for (size_t i = 0; i < ns->n; i++)
		if (strcmp(ns->node[i]->url, url) == 0) {
			ns->node[i]->used = true;
			return 0;
		}
	if (target_parse(&t, url, &show) != NULL)
		return -1;
	add_node(ns, &t);
	return 0;
}

void
nodes_end(struct nodes *ns)
{
	for (size_t i = 0; i < ns->n; i++)
		ns->node[i]->used |= ns->node[i]->given;
}

struct node *
nodes_pick(struct nodes *ns, int64_t now)
{
	struct node *first = NULL;

	for (size_t i = 0; i < ns->n; i++) {
		struct node *n = ns->node[(ns->next + i) % ns->n];

		if (!n->used)
			continue;
		if (n->rest_until <= now) {
			ns->next = (ns->next + i + 1) % ns->n;
			return n;
		}
		if (first == NULL || n->rest_until < first->rest_until)
			first = n;
	}
	return first;
}

bool
nodes_awake(const struct nodes *ns, int64_t now)
{
	for (size_t i = 0; i < ns->n; i++)
		if (ns->node[i]->used && ns->node[i]->rest_until <= now)
			return true;
	return false;
}

bool
nodes_hopeless(const struct nodes *ns)
{
	for (size_t i = 0; i < ns->n; i++)
		if (ns->node[i]->used && !ns->node[i]->hopeless)
			return false;
	return true;
}

int64_t
backoff_us(unsigned failures)
{
	int64_t us = BACKOFF_MIN_US;

	while (failures-- > 1 && us < BACKOFF_MAX_US)
		us *= 2;
	if (us > BACKOFF_MAX_US)
		us = BACKOFF_MAX_US;
	return us / 2 + (int64_t)arc4random_uniform((uint32_t)(us / 2));
}

void
node_failed(struct node *n, int64_t now)
{
	/* Lanes fail together; together they count once. */
	if (n->rest_until > now)
		return;
	n->failures++;
	n->rest_until = now + backoff_us(n->failures);
}

void
node_worked(struct node *n)
{
	n->failures = 0;
	n->rest_until = 0;
}
