#include <bsd/stdlib.h>
#include <stdlib.h>

#include "buf.h"
#include "node.h"

#define BACKOFF_MIN_US INT64_C(50000)
#define BACKOFF_MAX_US INT64_C(10000000)

/*
 * Only what is looked at comes back, so an answer is short however large the batch; see
 * "Response Filtering" in the common options of both projects' REST APIs.
 */
#define BULK_PATH "/_bulk?filter_path=errors,items.*.status,items.*.error"

void
nodes_init(struct nodes *ns, const struct options *o)
{
	ns->n = o->n_urls;
	ns->next = 0;
	ns->node = xcalloc(ns->n, sizeof(*ns->node));
	for (size_t i = 0; i < ns->n; i++) {
		struct buf b = { 0 };

		buf_printf(&b, "%s%s", o->urls[i], BULK_PATH);
		ns->node[i].url = o->urls[i];
		ns->node[i].bulk_url = buf_cstr(&b);
	}
}

struct node *
nodes_pick(struct nodes *ns, int64_t now)
{
	struct node *first = NULL;

	for (size_t i = 0; i < ns->n; i++) {
		struct node *n = &ns->node[(ns->next + i) % ns->n];

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
		if (ns->node[i].rest_until <= now)
			return true;
	return false;
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
