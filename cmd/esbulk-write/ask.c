#include <string.h>

#include "exitcode.h"
#include "lane.h"
#include "reject.h"

/*
 * Requests other than bulk requests: their bodies are made here, and their answers are
 * kept whole.
 */

/*
 * How much of stored documents is read at a time: the number of documents follows their
 * size, and an answer that is far larger all the same is given up for fewer.  A document
 * alone may have any size.
 */
#define READ_AIM  ((size_t)512 * 1024)
#define READ_MAX  ((size_t)2 * 1024 * 1024)
#define MAX_READS ((size_t)1024)
#define PAGE_MAX  ((size_t)16 * 1024 * 1024) /* a page of hits without their documents */
#define KEPT      ((size_t)64 * 1024)
#define SAY_US    INT64_C(1000000)

static int
set_ask(struct lane *lane, enum lane_request request, const char *method)
{
	CURL *e = lane->connection.easy;
	const struct request_head head = { .method = method, .url = buf_cstr(&lane->url),
		.content_type = "application/json" };
	char hash[SHA256_HEX];

	lane->request = request;
	lane->got.len = 0;
	lane->overflowed = false;
	/*
	 * On a kept connection that closes libcurl sends a request again by itself; of a
	 * scroll that would be the next page, and one would be lost unseen.  So each has one of
	 * its own, which is not kept either: where a network goes silent, each that was kept
	 * costs a time limit before another is tried.
	 */
	curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, request == LANE_TRUNCATE ? 1L : 0L);
	curl_easy_setopt(e, CURLOPT_FORBID_REUSE, request == LANE_TRUNCATE ? 1L : 0L);
	curl_easy_setopt(e, CURLOPT_POSTFIELDS, buf_cstr(&lane->ask));
	curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)lane->ask.len);
	if (curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST,
	        strcmp(method, "POST") == 0 ? NULL : method) != CURLE_OK)
		return -1;
	if (connection_signs(&lane->connection))
		connection_hash(lane->ask.data, lane->ask.len, hash);
	return connection_begin(&lane->connection, lane->node, &head, hash);
}

int
lane_read(struct lane *lane)
{
	lane->url.len = lane->ask.len = 0;
	/* No filter_path: with it the servers write the sources anew, numbers and all. */
	buf_printf(&lane->url, "%s/_mget", lane->node->base);
	merge_ask(&lane->ask, &lane->sending);
	return set_ask(lane, LANE_READ, "POST");
}

int
lane_truncate(struct lane *lane)
{
	const char *method;

	lane->url.len = lane->ask.len = 0;
	buf_adds(&lane->url, lane->node->base);
	method = truncate_ask(&lane->delivery->truncate, &lane->url, &lane->ask);
	return set_ask(lane, LANE_TRUNCATE, method);
}

bool
lane_take_text(struct lane *lane, const char *p, size_t n)
{
	if ((lane->request == LANE_READ && lane->reads > 1 && lane->got.len + n > READ_MAX) ||
	    (lane->request == LANE_TRUNCATE && lane->got.len + n > PAGE_MAX)) {
		lane->overflowed = true;
		return false;
	}
	buf_add(&lane->got, p, n);
	queue_charge(&lane->delivery->queue, n);
	lane->charged += n;
	return true;
}

void
lane_ask_done(struct lane *lane)
{
	queue_release(&lane->delivery->queue, lane->charged);
	lane->charged = 0;
	if (lane->got.cap > KEPT)
		buf_free(&lane->got);
	if (lane->ask.cap > KEPT)
		buf_free(&lane->ask);
}

/*
 * Reading
 */

static int
missing(void *arg, struct item *i, bool document, size_t n)
{
	static struct buf index, id;
	static const char remedy[] = "ALTER TABLE ... REPLICA IDENTITY FULL, or pgcdc-read "
				     "--toast fetch; what is indexed so is whole after a reload";
	struct delivery *d = arg;
	const char *words = document ? "the stored document lacks them"
	                             : "there is no such document";
	struct reject why = { .what = "fields of a row that were to be merged are nowhere",
		.type = "", .reason = words, .reason_len = strlen(words), .remedy = remedy };
	int64_t now = now_us();

	d->merge_missing++;
	if (d->o->merge_reject) {
		int code = reject_item(d, i, &why);

		return code < 0 ? MERGE_GONE : code;
	}
	if (now - d->missing_said_at < SAY_US && !log_on(LOG_DEBUG))
		return -1;
	d->missing_said_at = now;
	log_warn("fields of a row that were to be merged are nowhere: indexed without them",
	    kv_str("table", tables_name(&d->tables, i->relid)),
	    lane_item_name("index", i, i->index_at, i->index_len, &index),
	    lane_item_name("id", i, i->id_at, i->id_len, &id), kv_lsn("lsn", i->lsn),
	    kv_uint("fields", n), kv_str("reason", words),
	    kv_uint("so_far", d->merge_missing), kv_str("remedy", remedy));
	return -1;
}

/* It cannot read what one of the items wants.  The others are tried again. */
static int
cannot_read(struct lane *lane, const struct merge_problem *p)
{
	struct reject why = {
		.what = "the cluster cannot read the document that an action merges",
		.type = p->error.type,
		.reason = p->error.reason,
		.reason_len = strlen(p->error.reason),
	};
	struct item *item = p->item;
	int code;

	items_remove(&lane->sending, item);
	code = reject_item(lane->delivery, item, &why);
	if (code >= 0)
		items_append(&lane->sending, item);
	(void)lane_put_back(lane);
	if (lane->waiting.count == 0)
		queue_close(&lane->delivery->queue, &lane->chunk);
	return code;
}

/* Not now, or not before somebody mends the cluster. */
static int
cannot_read_yet(struct lane *lane, const struct merge_problem *p, bool loud, int64_t now)
{
	struct buf words = { 0 };
	size_t actions = lane_put_back(lane);
	int code = -1;

	lane_back_off(lane, now);
	buf_printf(&words, "%s: %s", p->error.type, p->error.reason);
	if (loud)
		code = lane_loud(lane, p->item, 200, words.data, words.len, now);
	else
		lane_say_retry(lane, "the cluster could not read some documents: trying again",
		    200, words.data, words.len, actions, now);
	buf_free(&words);
	return code;
}

static void
set_max_reads(struct lane *lane)
{
	size_t each = lane->got.len / lane->reads + 1, fit = READ_AIM / each;

	if (fit > lane->max_reads * 2)
		fit = lane->max_reads * 2;
	if (fit > MAX_READS)
		fit = MAX_READS;
	lane->max_reads = fit > 0 ? fit : 1;
}

int
lane_was_read(struct lane *lane, int64_t now)
{
	struct delivery *d = lane->delivery;
	struct json_text answer = { buf_cstr(&lane->got), lane->got.len };
	struct merge_problem p;
	enum merge_result result;
	int code;

	result = merge_check(&lane->sending, answer, &p);
	switch (result) {
	case MERGE_UNREADABLE:
		return lane_unreadable(
		    lane, "it does not answer for the documents that were asked for", now);
	case MERGE_RETRY:
	case MERGE_LOUD:
		lane_scrub(lane, &p.error);
		lane_worked(lane);
		return cannot_read_yet(lane, &p, result == MERGE_LOUD, now);
	case MERGE_REJECT:
		lane_scrub(lane, &p.error);
		lane_worked(lane);
		return cannot_read(lane, &p);
	case MERGE_GOOD: break;
	}
	lane_worked(lane);
	lane->failures = 0;
	set_max_reads(lane);
	code = merge_apply(&lane->sending, answer, &d->queue, &lane->chunk, missing, d);
	/* They are formed into a batch anew, for they have grown. */
	(void)lane_put_back(lane);
	if (lane->waiting.count == 0)
		queue_close(&d->queue, &lane->chunk);
	return code;
}

/*
 * Truncating
 */

static void
end_truncate(struct lane *lane)
{
	struct delivery *d = lane->delivery;
	struct item *item = items_take(&lane->sending);

	log_debug("documents were deleted for a truncate", kv_uint("matched", d->truncate.matched),
	    kv_lsn("lsn", item->lsn));
	item->status = 200;
	truncate_end(&d->truncate);
	lane_store(d, item);
	if (lane->waiting.count == 0)
		queue_close(&d->queue, &lane->chunk);
}

/*
 * A try failed: what the lane knows of those in a row is of the truncate now.  That a step
 * works, or that other documents than those to be deleted are found, is no progress.
 */
static void
truncate_trouble(struct lane *lane)
{
	struct delivery *d = lane->delivery;
	struct truncate *t = &d->truncate;
	uint64_t deleted = d->stored - d->conflicts;

	if (deleted != t->deleted)
		t->failures = t->unreadable = t->errors = 0;
	t->deleted = deleted;
	lane->failures = t->failures++;
}

static int
truncate_unreadable(struct lane *lane, int64_t now)
{
	struct truncate *t = &lane->delivery->truncate;
	int code;

	truncate_trouble(lane);
	lane->unreadable = t->unreadable;
	lane->unreadable_since = t->unreadable_since;
	code = lane_unreadable(lane, "it is none to a search or refresh", now);
	t->unreadable = lane->unreadable;
	t->unreadable_since = lane->unreadable_since;
	return code;
}

int
lane_truncated(struct lane *lane, int64_t now)
{
	static const char why[] = "not all shards answered";
	struct delivery *d = lane->delivery;
	struct json_text answer = { buf_cstr(&lane->got), lane->got.len };

	switch (truncate_answer(&d->truncate, d, answer)) {
	case TRUNCATE_UNREADABLE: return truncate_unreadable(lane, now);
	case TRUNCATE_PARTIAL:
		lane_worked(lane);
		truncate_trouble(lane);
		d->truncate.unreadable = 0;
		(void)lane_put_back(lane);
		lane_back_off(lane, now);
		lane_say_retry(lane, "the cluster did not find all documents: trying again", 200,
		    why, sizeof(why) - 1, 1, now);
		return -1;
	case TRUNCATE_DONE:
		lane_worked(lane);
		end_truncate(lane);
		return -1;
	case TRUNCATE_GOES_ON: break;
	}
	lane_worked(lane);
	lane->failures = 0;
	(void)lane_put_back(lane);
	return -1;
}

bool
lane_ask_failed(struct lane *lane, long status, int64_t now, int *code)
{
	struct truncate *t = &lane->delivery->truncate;
	bool page = lane->request == LANE_TRUNCATE && t->step == TRUNCATE_NEXT;
	size_t actions = lane->sending.count;

	*code = -1;
	if (lane->request == LANE_TRUNCATE) {
		switch (truncate_failed(t)) {
		case TRUNCATE_DONE: end_truncate(lane); return true;
		case TRUNCATE_GOES_ON: (void)lane_put_back(lane); return true;
		default: truncate_trouble(lane);
		}
		/* A refresh that works is no success. */
		if (status == 500)
			lane->errors = t->errors++;
	}
	if (lane->request == LANE_TRUNCATE && lane->overflowed) {
		*code = truncate_unreadable(lane, now);
		return true;
	}
	if (page && status == 404) {
		/* The scroll was dropped, for the deletes took too long. */
		(void)lane_put_back(lane);
		lane_back_off(lane, now);
		lane_say_retry(lane, "the cluster dropped a search: beginning anew", status,
		    lane->refusal.data, lane->refusal.len, actions, now);
		return true;
	}
	if (lane->request == LANE_READ && lane->reads > 1 &&
	    (lane->overflowed || status == 413)) {
		lane->max_reads = lane->reads / 4 > 0 ? lane->reads / 4 : 1;
		(void)lane_put_back(lane);
		return true;
	}
	return false;
}
