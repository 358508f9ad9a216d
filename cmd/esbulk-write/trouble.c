#include <string.h>

#include "exitcode.h"
#include "lane.h"
#include "log.h"
#include "reject.h"
#include "verdict.h"

#define UNREADABLE_MAX  8
#define UNREADABLE_US   INT64_C(60000000)
#define SAY_US          INT64_C(1000000)
#define REPEATS_500     4 /* in a row before a request is halved */
#define LONE_MAX        8 /* refusals of one action that say the same, in a row */
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

	d->retries++;
	tally_retry(&d->tally, lane->cause, status);
	tally_problem(&d->tally, why, status, words, len);
	lane->cause = CAUSE_STATUS;
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
	lane->cause = CAUSE_UNREADABLE;
	lane_say_retry(lane, "an answer makes no sense: trying again", 200, problem,
	    strlen(problem), actions, now);
	return -1;
}

/*
 * Until when is to be tried what somebody has to mend?  *since is 0 at first.  An exit status,
 * or -1 to go on.
 */
static int
patience(const struct lane *lane, int64_t *since, int64_t now)
{
	const struct delivery *d = lane->delivery;

	if (*since == 0)
		*since = now;
	return now - *since < d->o->give_up_us ? -1 : EXIT_TEMPORARY;
}

int
lane_loud(struct lane *lane, const struct item *i, long status, const char *words, size_t len,
    int64_t now)
{
	static struct buf index, id;
	struct delivery *d = lane->delivery;
	int code = patience(lane, &lane->loud_since, now);

	d->retries++;
	tally_retry(&d->tally, CAUSE_STATUS, status);
	tally_problem(&d->tally, "the cluster cannot take actions before somebody mends it", status,
	    words, len);
	if (code < 0 && now - d->loud_said_at < SAY_US && !log_on(LOG_DEBUG))
		return -1;
	d->loud_said_at = now;
	log_error(code < 0 ? "the cluster cannot take actions before somebody mends it: trying again"
	                   : "the cluster cannot take actions before somebody mends it",
	    kv_str("table", tables_name(&d->tables, i->relid)), kv_str("op", frame_op_names[i->op]),
	    lane_item_name("index", i, i->index_at, i->index_len, &index),
	    lane_item_name("id", i, i->id_at, i->id_len, &id), kv_lsn("lsn", i->lsn),
	    kv_int("status", status), kv_strn("reason", words, len),
	    kv_int("for_s", (now - lane->loud_since) / 1000000),
	    kv_int("gives_up_s", d->o->give_up_us / 1000000));
	return code;
}

static int
denied(struct lane *lane, long status, int64_t now)
{
	struct delivery *d = lane->delivery;

	if (connection_relogin(&lane->connection)) {
		size_t actions = lane_put_back(lane);

		lane_say_retry(lane, "the cluster denies access: trying another login", status,
		    lane->refusal.data, lane->refusal.len, actions, now);
		return -1;
	}
	if (d->ever_worked && patience(lane, &d->denied_since, now) < 0) {
		size_t actions = lane_put_back(lane);

		lane_back_off(lane, now);
		lane_say_retry(lane, "the cluster denies access: trying again", status,
		    lane->refusal.data, lane->refusal.len, actions, now);
		return -1;
	}
	log_error("the cluster denies access", kv_str("node", lane->node->url),
	    kv_int("status", status), kv_strn("reason", lane->refusal.data, lane->refusal.len),
	    kv_str("remedy", login_remedy(&d->login)));
	return d->ever_worked ? EXIT_TEMPORARY : EXIT_PERMANENT;
}

/* No bulk requests are taken there: a wrong path, or a proxy that changed. */
static int
misdirected(struct lane *lane, long status, int64_t now)
{
	const struct item *first = lane->sending.first;
	const char *to = connection_redirect(&lane->connection);
	size_t actions = lane->sending.count;

	if (lane->delivery->ever_worked) {
		if (to != NULL)
			buf_printf(&lane->refusal, " (redirects to %s)", to);
		lane_put_back(lane);
		lane_back_off(lane, now);
		return lane_loud(lane, first, status, lane->refusal.data, lane->refusal.len, now);
	}
	log_error(status >= 300 && status < 400
	        ? "the node answers with a redirect, which is not followed: it could lead the "
	          "login to anybody"
	        : "the cluster refused a request",
	    kv_str("node", lane->node->url), kv_int("status", status),
	    kv_str("location", to), kv_strn("reason", lane->refusal.data, lane->refusal.len),
	    kv_lsn("lsn", first->lsn), kv_uint("actions", actions));
	return EXIT_PERMANENT;
}

/*
 * A whole request is refused for one of its actions.  Which one shows when requests are
 * halved: the suspects are those of the smallest one that failed, and wait before all
 * others.  Part of what failed may have been stored, but that is so after any failure: a
 * version makes it harmless, and what has none is sent at least once.
 */

void
lane_cleared(struct lane *lane, size_t done)
{
	if (lane->suspects == 0)
		return;
	lane->suspects -= done < lane->suspects ? done : lane->suspects;
	lane->max_docs = lane->suspects > 0 ? (lane->suspects + 1) / 2
	                                    : lane->delivery->o->batch_docs;
}

static int
halve(struct lane *lane, long status, int64_t now)
{
	size_t actions = lane->sending.count;

	lane->suspects = actions;
	lane->max_docs = actions / 2;
	lane_put_back(lane);
	lane->failures = 0;
	lane_say_retry(lane, "the cluster refused a request: halving, to find what is wrong",
	    status, lane->refusal.data, lane->refusal.len, actions, now);
	return -1;
}

/* The lane's only action was refused with its request. */
static int
refuse_lone(struct lane *lane, const struct reject *why)
{
	struct delivery *d = lane->delivery;
	struct item *item = items_take(&lane->sending), *older = item->older;
	int code;

	if (d->lone_equal > 0 && d->lone.len == why->reason_len &&
	    (why->reason_len == 0 || memcmp(d->lone.data, why->reason, why->reason_len) == 0)) {
		d->lone_equal++;
	} else {
		d->lone.len = 0;
		buf_add(&d->lone, why->reason, why->reason_len);
		d->lone_equal = 1;
	}
	if (d->lone_equal < LONE_MAX) {
		if ((code = reject_item(d, item, why)) < 0) {
			lane->failures = lane->errors = 0;
			lane_cleared(lane, 1);
			lane_instead(&lane->sending, older);
			(void)lane_put_back(lane);
			if (lane->waiting.count == 0)
				queue_close(&d->queue, &lane->chunk);
			return -1;
		}
	} else {
		log_error("whatever is sent is refused for the same reason",
		    kv_str("node", lane->node->url), kv_int("status", why->status),
		    kv_strn("reason", why->reason, why->reason_len),
		    kv_uint("requests", d->lone_equal), kv_lsn("lsn", item->lsn));
		/* A server that fails may be mended by itself. */
		code = why->status == 500 ? EXIT_TEMPORARY : EXIT_PERMANENT;
	}
	items_append(&lane->sending, item);
	(void)lane_put_back(lane);
	return code;
}

/*
 * Is it one that somebody has to mend the cluster for?  Elasticsearch 6 refuses a whole
 * request for what later servers tell of an item, an alias without a write index.
 */
static bool
refused_loudly(const struct lane *lane, long status)
{
	struct json_text error = { lane->refusal.data, lane->refusal.len };
	struct buf type = { 0 }, reason = { 0 };
	bool loud = false;

	if (json_valid(error) && (error = json_member(error, "error")).p != NULL &&
	    json_string(&type, json_member(error, "type")).ptr != NULL &&
	    json_string(&reason, json_member(error, "reason")).ptr != NULL)
		loud = verdict_item((enum frame_op)lane->sending.first->op, (int)status,
		           buf_cstr(&type), buf_cstr(&reason), 0) == VERDICT_LOUD;
	buf_free(&type);
	buf_free(&reason);
	return loud;
}

static int
refused(struct lane *lane, long status, int64_t now)
{
	const struct item *first = lane->sending.first;
	struct reject why = { .what = "the cluster rejected an action, and its request with it",
		.status = (int)status, .type = "", .reason = lane->refusal.data,
		.reason_len = lane->refusal.len,
		.remedy = "mend the row, the mapping or the cluster, then start again: nothing "
			  "behind it was confirmed; or give --dead-letter" };

	if (lane->sending.count > 1)
		return halve(lane, status, now);
	if (status != 400 || !refused_loudly(lane, status))
		return refuse_lone(lane, &why);
	(void)lane_put_back(lane);
	lane_back_off(lane, now);
	return lane_loud(lane, first, status, lane->refusal.data, lane->refusal.len, now);
}

/* 500: a passing fault, until it repeats. */
static int
failed(struct lane *lane, int64_t now)
{
	struct item *first = lane->sending.first;
	size_t actions = lane->sending.count;

	if (actions == 1 && first->errors < UINT8_MAX)
		first->errors++;
	if (++lane->errors >= REPEATS_500 &&
	    (actions > 1 || first->errors >= VERDICT_MAX_500)) {
		node_failed(lane->node, now);
		return refused(lane, 500, now);
	}
	lane_put_back(lane);
	lane_node_trouble(lane, now);
	lane_say_retry(lane, "the cluster did not take a request: trying again", 500,
	    lane->refusal.data, lane->refusal.len, actions, now);
	return -1;
}

/* 413: the cluster, or a proxy before it, takes only smaller requests. */
static int
too_large(struct lane *lane, int64_t now)
{
	struct reject why = { .what = "the cluster takes no request as large as this document",
		.status = HTTP_TOO_LARGE, .type = "", .reason = lane->refusal.data,
		.reason_len = lane->refusal.len,
		.remedy = "raise http.max_content_length, or the proxy's limit; or give "
			  "--dead-letter" };
	size_t actions;

	if (lane->sending.count == 1)
		return refuse_lone(lane, &why);
	lane->max_bytes = lane->sending.bytes / 2;
	actions = lane_put_back(lane);
	lane_say_retry(lane, "the cluster takes smaller requests only: halving", HTTP_TOO_LARGE,
	    lane->refusal.data, lane->refusal.len, actions, now);
	return -1;
}

int
lane_refused(struct lane *lane, long status, int64_t now)
{
	size_t actions = lane->sending.count;

	switch (verdict_request(status, buf_cstr(&lane->refusal))) {
	case REQUEST_DENIED: return denied(lane, status, now);
	case REQUEST_TOO_LARGE: return too_large(lane, now);
	case REQUEST_REJECTED: return refused(lane, status, now);
	case REQUEST_ERROR: return failed(lane, now);
	case REQUEST_RETRY:
		lane_put_back(lane);
		lane_node_trouble(lane, now);
		lane_say_retry(lane, "the cluster did not take a request: trying again", status,
		    lane->refusal.data, lane->refusal.len, actions, now);
		return -1;
	case REQUEST_ANSWERED:
	case REQUEST_MISDIRECTED: break;
	}
	return misdirected(lane, status, now);
}
