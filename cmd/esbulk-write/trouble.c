#include <string.h>

#include "exitcode.h"
#include "lane.h"
#include "log.h"
#include "verdict.h"

#define DENIED_US       INT64_C(180000000)
#define UNREADABLE_MAX  8
#define UNREADABLE_US   INT64_C(60000000)
#define SAY_US          INT64_C(1000000)
#define MIN_BATCH_BYTES ((size_t)16 * 1024)

size_t
lane_put_back(struct lane *lane)
{
	size_t count = lane->sending.count;

	items_prepend(&lane->waiting, &lane->sending);
	return count;
}

void
lane_say_retry(struct lane *lane, const char *why, long status, const char *words, size_t len,
    size_t actions, int64_t now)
{
	struct delivery *d = lane->delivery;

	d->retries += actions;
	/* An outage is told once a second, not once a request. */
	if (now - d->said_at < SAY_US && !log_on(LOG_DEBUG))
		return;
	d->said_at = now;
	log_warn(why, kv_str("node", lane->node->url), kv_int("status", status),
	    kv_strn("reason", words, len), kv_uint("actions", actions),
	    kv_uint("failures", lane->failures),
	    kv_int("delay_ms", lane->backoff_until > now ? (lane->backoff_until - now) / 1000 : 0));
}

void
lane_back_off(struct lane *lane, int64_t now)
{
	lane->failures++;
	lane->backoff_until = now + backoff_us(lane->failures);
}

void
lane_node_trouble(struct lane *lane, int64_t now)
{
	struct delivery *d = lane->delivery;

	node_failed(lane->node, now);
	lane_back_off(lane, now);
	if (nodes_awake(&d->nodes, now))
		lane->backoff_until = now;
	/* A request that fails again and again may be too much for the cluster. */
	if (lane->failures % 4 == 0 && lane->max_bytes / 2 >= MIN_BATCH_BYTES)
		lane->max_bytes /= 2;
}

struct kv
lane_item_name(const char *key, const struct item *i, size_t at, size_t len, struct buf *b)
{
	action_unescape(b, i->text + at, len);
	return kv_strn(key, buf_cstr(b), b->len);
}

int
lane_unreadable(struct lane *lane, const char *problem, int64_t now)
{
	struct delivery *d = lane->delivery;
	size_t actions;

	if (lane->unreadable++ == 0)
		lane->unreadable_since = now;
	/* In front of a cluster that worked it may be a proxy that is restarted. */
	if (lane->unreadable >= UNREADABLE_MAX &&
	    (!d->ever_worked || now - lane->unreadable_since >= UNREADABLE_US)) {
		log_error("what answers is no Elasticsearch or OpenSearch",
		    kv_str("node", lane->node->url), kv_str("reason", problem));
		return EXIT_PERMANENT;
	}
	actions = lane_put_back(lane);
	lane_back_off(lane, now);
	lane_say_retry(lane, "an answer makes no sense: trying again", 200, problem,
	    strlen(problem), actions, now);
	return -1;
}

static int
denied(struct lane *lane, long status, int64_t now)
{
	struct delivery *d = lane->delivery;

	if (d->denied_since == 0)
		d->denied_since = now;
	if (d->ever_worked && now - d->denied_since < DENIED_US) {
		size_t actions = lane_put_back(lane);

		lane_back_off(lane, now);
		lane_say_retry(lane, "the cluster denies access: trying again", status,
		    lane->refusal.data, lane->refusal.len, actions, now);
		return -1;
	}
	log_error("the cluster denies access", kv_str("node", lane->node->url),
	    kv_int("status", status), kv_strn("reason", lane->refusal.data, lane->refusal.len),
	    kv_str("remedy", "check --user and its password, and that it may write to the index"));
	return d->ever_worked ? EXIT_TEMPORARY : EXIT_PERMANENT;
}

/* 413: the cluster, or a proxy before it, takes only smaller requests. */
static int
too_large(struct lane *lane, int64_t now)
{
	static struct buf index, id;
	const struct item *i = lane->sending.first;
	size_t actions;

	if (lane->sending.count == 1) {
		log_error("the cluster takes no request as large as this document",
		    kv_str("table", tables_name(&lane->delivery->tables, i->relid)),
		    lane_item_name("index", i, i->index_at, i->index_len, &index),
		    lane_item_name("id", i, i->id_at, i->id_len, &id), kv_lsn("lsn", i->lsn),
		    kv_uint("bytes", i->len),
		    kv_str("remedy", "raise http.max_content_length, or the proxy's limit"));
		return EXIT_PERMANENT;
	}
	lane->max_bytes = lane->sending.bytes / 2;
	actions = lane_put_back(lane);
	lane_say_retry(lane, "the cluster takes smaller requests only: halving", 413,
	    lane->refusal.data, lane->refusal.len, actions, now);
	return -1;
}

int
lane_refused(struct lane *lane, long status, int64_t now)
{
	const char *words = lane->refusal.data;
	size_t len = lane->refusal.len, actions = lane->sending.count;

	switch (verdict_request(status)) {
	case REQUEST_DENIED: return denied(lane, status, now);
	case REQUEST_TOO_LARGE: return too_large(lane, now);
	case REQUEST_RETRY:
		lane_put_back(lane);
		lane_node_trouble(lane, now);
		lane_say_retry(lane, "the cluster did not take a request: trying again", status,
		    words, len, actions, now);
		return -1;
	case REQUEST_ANSWERED:
	case REQUEST_FATAL: break;
	}
	log_error("the cluster refused a request", kv_str("node", lane->node->url),
	    kv_int("status", status), kv_strn("reason", words, len),
	    kv_lsn("lsn", lane->sending.first->lsn), kv_uint("actions", actions));
	return EXIT_PERMANENT;
}
