#include <stdlib.h>
#include <string.h>

#include "action.h"
#include "delivery.h"
#include "exitcode.h"
#include "fdio.h"
#include "log.h"
#include "verdict.h"

#define REFUSAL_MAX     2048 /* bytes of a refusal that are kept for the log */
#define DENIED_US       INT64_C(180000000)
#define UNREADABLE_MAX  8
#define UNREADABLE_US   INT64_C(60000000)
#define SAY_US          INT64_C(1000000)
#define MIN_BATCH_BYTES ((size_t)16 * 1024)

/*
 * Requests
 */

/* libcurl asks for the request's body: the items' texts, one behind the other. */
static size_t
read_body(char *to, size_t size, size_t n, void *arg)
{
	struct lane *lane = arg;
	size_t room = size * n, done = 0;

	while (lane->cursor != NULL && done < room) {
		size_t left = lane->cursor->len - lane->cursor_off;
		size_t take = left < room - done ? left : room - done;

		memcpy(to + done, lane->cursor->text + lane->cursor_off, take);
		done += take;
		lane->cursor_off += take;
		if (take == left) {
			lane->cursor = lane->cursor->next;
			lane->cursor_off = 0;
		}
	}
	return done;
}

/* A kept connection was closed under the request: libcurl starts over on another. */
static int
rewind_body(void *arg, curl_off_t offset, int origin)
{
	struct lane *lane = arg;

	if (offset != 0 || origin != SEEK_SET)
		return CURL_SEEKFUNC_CANTSEEK;
	lane->cursor = lane->sending.first;
	lane->cursor_off = 0;
	return CURL_SEEKFUNC_OK;
}

static void
on_item(void *arg, struct item *item, const struct answer_error *e)
{
	struct lane *lane = arg;
	enum verdict v;

	if (e->status == 500 && item->errors < UINT8_MAX)
		item->errors++;
	v = verdict_item((enum frame_op)item->op, e->status, e->type, item->errors);
	item->status = (uint16_t)e->status;
	item->verdict = (uint8_t)v;
	if (v == VERDICT_FATAL && lane->fatal_item == NULL) {
		lane->fatal_item = item;
		lane->fatal = *e;
	} else if (v == VERDICT_RETRY && lane->retry.status == 0) {
		lane->retry = *e;
	}
}

static size_t
take_answer(char *p, size_t size, size_t n, void *arg)
{
	struct lane *lane = arg;
	long status = 0;

	curl_easy_getinfo(lane->easy, CURLINFO_RESPONSE_CODE, &status);
	if (verdict_request(status) == REQUEST_ANSWERED) {
		/* What is wrong with it is said at its end. */
		(void)!answer_feed(lane->answer, p, size * n);
	} else if (lane->refusal.len < REFUSAL_MAX) {
		size_t room = REFUSAL_MAX - lane->refusal.len;

		buf_add(&lane->refusal, p, size * n < room ? size * n : room);
	}
	return size * n;
}

/*
 * May the item go in the request with those before?  The cluster keeps the order inside a
 * request, but where one of two actions on a document is told to come again, only the
 * version keeps the other from overtaking it.
 */
static bool
may_join(struct lane *lane, const struct item *item)
{
	uint64_t *word = &lane->seen[item->document >> 6 & 63];
	uint64_t bit = UINT64_C(1) << (item->document & 63);
	bool met = (*word & bit) != 0;

	/* Without an id it makes a document of its own. */
	if (item->id_len == 0)
		return true;
	if (met && (lane->unversioned || !item->versioned))
		return false;
	*word |= bit;
	lane->unversioned |= !item->versioned;
	return true;
}

static void
form_batch(struct lane *lane)
{
	memset(lane->seen, 0, sizeof(lane->seen));
	lane->unversioned = false;
	while (lane->waiting.first != NULL && lane->sending.count < lane->max_docs) {
		struct item *item = lane->waiting.first;

		if (lane->sending.count > 0 &&
		    (lane->sending.bytes + item->len > lane->max_bytes || !may_join(lane, item)))
			return;
		if (lane->sending.count == 0)
			(void)may_join(lane, item);
		item = items_take(&lane->waiting);
		items_append(&lane->sending, item);
	}
}

int
lane_send(struct lane *lane, int64_t now)
{
	struct delivery *d = lane->delivery;

	form_batch(lane);
	lane->cursor = lane->sending.first;
	lane->cursor_off = 0;
	lane->refusal.len = 0;
	lane->fatal_item = NULL;
	lane->fatal.status = lane->retry.status = 0;
	lane->answer = answer_new(&lane->sending, on_item, lane);
	lane->node = nodes_pick(&d->nodes, now);
	if (curl_easy_setopt(lane->easy, CURLOPT_URL, lane->node->bulk_url) != CURLE_OK)
		oom();
	curl_easy_setopt(
	    lane->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)lane->sending.bytes);
	if (curl_multi_add_handle(d->multi, lane->easy) != CURLM_OK) {
		log_error("libcurl does not take a request");
		return EXIT_TEMPORARY;
	}
	lane->busy = true;
	d->busy++;
	d->requests++;
	return -1;
}

/*
 * Answers
 */

/* Everything that was in flight waits again, before what came since.  How much it was. */
static size_t
put_back(struct lane *lane)
{
	size_t count = lane->sending.count;

	items_prepend(&lane->waiting, &lane->sending);
	return count;
}

static void
say_retry(struct lane *lane, const char *why, long status, const char *words, size_t len,
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

static void
back_off(struct lane *lane, int64_t now)
{
	lane->failures++;
	lane->backoff_until = now + backoff_us(lane->failures);
}

/* The node is away or in trouble: another one, or later. */
static void
node_trouble(struct lane *lane, int64_t now)
{
	struct delivery *d = lane->delivery;

	node_failed(lane->node, now);
	back_off(lane, now);
	if (nodes_awake(&d->nodes, now))
		lane->backoff_until = now;
	/* A request that fails again and again may be too much for the cluster. */
	if (lane->failures % 4 == 0 && lane->max_bytes / 2 >= MIN_BATCH_BYTES)
		lane->max_bytes /= 2;
}

/* Name an item's document in an error; the buffers live as long as the program. */
static struct kv
item_name(const char *key, const struct item *i, size_t at, size_t len, struct buf *b)
{
	action_unescape(b, i->text + at, len);
	return kv_strn(key, buf_cstr(b), b->len);
}

static int
rejected(struct lane *lane)
{
	static struct buf index, id;
	const struct item *i = lane->fatal_item;
	const struct answer_error *e = &lane->fatal;

	log_error("the cluster rejected an action",
	    kv_str("table", tables_name(&lane->delivery->tables, i->relid)),
	    kv_str("op", frame_op_names[i->op]),
	    item_name("index", i, i->index_at, i->index_len, &index),
	    item_name("id", i, i->id_at, i->id_len, &id), kv_lsn("lsn", i->lsn),
	    kv_int("status", e->status), kv_str("type", e->type), kv_str("reason", e->reason),
	    kv_str("remedy", "mend the mapping, the index or the row, then start again: "
	                     "nothing behind it was confirmed"));
	return EXIT_PERMANENT;
}

static void
store(struct delivery *d, struct item *item)
{
	if (item->status == 409)
		d->conflicts++;
	d->stored++;
	d->waiting--;
	frontier_done(&d->frontier, item->unit);
	queue_done(&d->queue, item);
}

/* Every item has its answer: let go of what is stored, keep what must come again. */
static int
settle(struct lane *lane, int64_t now)
{
	struct delivery *d = lane->delivery;
	struct items again;
	struct item *item;
	unsigned tries = 0;
	int code = -1;

	if (lane->fatal_item != NULL)
		code = rejected(lane);
	items_init(&again);
	while ((item = items_take(&lane->sending)) != NULL) {
		if (item->verdict == VERDICT_STORED) {
			store(d, item);
		} else {
			if (item->tries < UINT8_MAX)
				item->tries++;
			if (item->tries > tries)
				tries = item->tries;
			items_append(&again, item);
		}
	}
	if (again.count > 0 && code < 0) {
		const struct answer_error *e = &lane->retry;
		struct buf words = { 0 };

		/* What else goes through does not make the cluster ready for these. */
		lane->failures = tries - 1;
		back_off(lane, now);
		buf_printf(&words, "%s: %s", e->type, e->reason);
		say_retry(lane, "the cluster did not take some actions: trying again", e->status,
		    words.data, words.len, again.count, now);
		buf_free(&words);
	} else {
		lane->failures = 0;
		if (lane->max_bytes < d->o->batch_bytes)
			lane->max_bytes += lane->max_bytes / 8;
		if (lane->max_bytes > d->o->batch_bytes)
			lane->max_bytes = d->o->batch_bytes;
	}
	items_prepend(&lane->waiting, &again);
	if (lane->waiting.count == 0)
		queue_close(&d->queue, &lane->chunk);
	return code;
}

/* The status says 200: does the body say the same? */
static int
answered(struct lane *lane, int64_t now)
{
	struct delivery *d = lane->delivery;
	const char *problem;
	size_t actions;

	if (answer_end(lane->answer) == 0) {
		node_worked(lane->node);
		d->ever_worked = true;
		d->denied_since = 0;
		lane->unreadable = 0;
		return settle(lane, now);
	}
	problem = answer_problem(lane->answer);
	if (lane->unreadable++ == 0)
		lane->unreadable_since = now;
	/* In front of a cluster that worked it may be a proxy that is restarted. */
	if (lane->unreadable >= UNREADABLE_MAX &&
	    (!d->ever_worked || now - lane->unreadable_since >= UNREADABLE_US)) {
		log_error("what answers is no Elasticsearch or OpenSearch",
		    kv_str("node", lane->node->url), kv_str("reason", problem));
		return EXIT_PERMANENT;
	}
	actions = put_back(lane);
	back_off(lane, now);
	say_retry(lane, "an answer makes no sense: trying again", 200, problem, strlen(problem),
	    actions, now);
	return -1;
}

static int
denied(struct lane *lane, long status, int64_t now)
{
	struct delivery *d = lane->delivery;

	if (d->denied_since == 0)
		d->denied_since = now;
	if (d->ever_worked && now - d->denied_since < DENIED_US) {
		size_t actions = put_back(lane);

		back_off(lane, now);
		say_retry(lane, "the cluster denies access: trying again", status,
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
		    item_name("index", i, i->index_at, i->index_len, &index),
		    item_name("id", i, i->id_at, i->id_len, &id), kv_lsn("lsn", i->lsn),
		    kv_uint("bytes", i->len),
		    kv_str("remedy", "raise http.max_content_length, or the proxy's limit"));
		return EXIT_PERMANENT;
	}
	lane->max_bytes = lane->sending.bytes / 2;
	actions = put_back(lane);
	say_retry(lane, "the cluster takes smaller requests only: halving", 413,
	    lane->refusal.data, lane->refusal.len, actions, now);
	return -1;
}

static int
refused(struct lane *lane, long status, int64_t now)
{
	const char *words = lane->refusal.data;
	size_t len = lane->refusal.len, actions = lane->sending.count;

	switch (verdict_request(status)) {
	case REQUEST_DENIED: return denied(lane, status, now);
	case REQUEST_TOO_LARGE: return too_large(lane, now);
	case REQUEST_RETRY:
		put_back(lane);
		node_trouble(lane, now);
		say_retry(lane, "the cluster did not take a request: trying again", status, words,
		    len, actions, now);
		return -1;
	case REQUEST_ANSWERED:
	case REQUEST_FATAL: break;
	}
	log_error("the cluster refused a request", kv_str("node", lane->node->url),
	    kv_int("status", status), kv_strn("reason", words, len),
	    kv_lsn("lsn", lane->sending.first->lsn), kv_uint("actions", actions));
	return EXIT_PERMANENT;
}

/* Trouble that another try cannot mend. */
static bool
permanent_curl(CURLcode rc)
{
	return rc == CURLE_PEER_FAILED_VERIFICATION || rc == CURLE_SSL_CACERT_BADFILE ||
	    rc == CURLE_URL_MALFORMAT || rc == CURLE_UNSUPPORTED_PROTOCOL ||
	    rc == CURLE_SSL_CERTPROBLEM || rc == CURLE_SSL_ISSUER_ERROR;
}

int
lane_finished(struct lane *lane, CURLcode rc, int64_t now)
{
	struct delivery *d = lane->delivery;
	long status = 0;
	int code = -1;

	curl_easy_getinfo(lane->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_multi_remove_handle(d->multi, lane->easy);
	lane->busy = false;
	d->busy--;
	/* Behind a 413 the connection is often closed at once, so its words may be cut. */
	if (rc == CURLE_OK || verdict_request(status) == REQUEST_TOO_LARGE) {
		code = verdict_request(status) == REQUEST_ANSWERED ? answered(lane, now)
		                                                   : refused(lane, status, now);
	} else if (permanent_curl(rc) && !d->ever_worked) {
		log_error("cannot connect to the cluster", kv_str("node", lane->node->url),
		    kv_str("reason", curl_easy_strerror(rc)),
		    kv_str("remedy", "check the URL, and --cacert for a certificate of one's own"));
		code = EXIT_PERMANENT;
	} else {
		const char *why = curl_easy_strerror(rc);
		size_t actions = put_back(lane);

		node_trouble(lane, now);
		say_retry(lane, "the cluster does not answer: trying again", status, why,
		    strlen(why), actions, now);
	}
	answer_free(lane->answer);
	lane->answer = NULL;
	return code;
}

/*
 * Setting up
 */

int
lane_init(struct lane *lane, struct delivery *d)
{
	const struct options *o = d->o;
	CURL *e = curl_easy_init();

	if (e == NULL)
		return -1;
	lane->delivery = d;
	lane->easy = e;
	lane->max_docs = o->batch_docs;
	lane->max_bytes = o->batch_bytes;
	items_init(&lane->waiting);
	items_init(&lane->sending);
	curl_easy_setopt(e, CURLOPT_PRIVATE, lane);
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_POST, 1L);
	curl_easy_setopt(e, CURLOPT_HTTPHEADER, d->headers);
	curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(e, CURLOPT_READFUNCTION, read_body);
	curl_easy_setopt(e, CURLOPT_READDATA, lane);
	curl_easy_setopt(e, CURLOPT_SEEKFUNCTION, rewind_body);
	curl_easy_setopt(e, CURLOPT_SEEKDATA, lane);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, take_answer);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, lane);
	curl_easy_setopt(e, CURLOPT_UPLOAD_BUFFERSIZE, 256L * 1024);
	curl_easy_setopt(e, CURLOPT_BUFFERSIZE, 64L * 1024);
	curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT, 10L);
	curl_easy_setopt(e, CURLOPT_TIMEOUT, o->timeout_s);
	curl_easy_setopt(e, CURLOPT_USERAGENT, "pgcdc/" PGCDC_VERSION);
	if (o->userpwd != NULL) {
		curl_easy_setopt(e, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
		if (curl_easy_setopt(e, CURLOPT_USERPWD, o->userpwd) != CURLE_OK)
			return -1;
	}
	if (o->cacert != NULL && curl_easy_setopt(e, CURLOPT_CAINFO, o->cacert) != CURLE_OK)
		return -1;
	return 0;
}
