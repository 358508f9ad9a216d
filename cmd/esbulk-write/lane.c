#include <stdlib.h>
#include <string.h>

#include "exitcode.h"
#include "lane.h"
#include "log.h"
#include "reject.h"
#include "verdict.h"

#define FIRST_READS 16   /* documents of a read, before their size is known */
#define REFUSAL_MAX 2048 /* bytes of a refusal that are kept for the log */
#define SECRET_MAX  8192 /* and so many are looked at, lest a part of a secret is left at the end */
#define LIVE_LOOK   100  /* changes that are looked at together, at least */
#define FEW         16   /* one in so many actions that a cluster refuses is not too much at a time */
#define REJECTS_MAX ((size_t)64 * 1024) /* bytes of what rejected items' answers say */

/*
 * Requests
 */

void
lane_scrub(const struct lane *lane, struct answer_error *e)
{
	const struct login *l = &lane->delivery->login;

	if (e->type[0] == '\0' && e->reason[0] == '\0')
		return;
	login_scrub(l, e->type, strlen(e->type));
	login_scrub(l, e->reason, strlen(e->reason));
}

static void
on_item(void *arg, struct item *item, struct answer_error *e)
{
	struct lane *lane = arg;
	enum verdict v;

	lane_scrub(lane, e);

	if ((e->status == 500 || e->status > 504) && item->errors < UINT8_MAX)
		item->errors++;
	v = verdict_item(
	    (enum frame_op)item->op, e->status, e->type, e->reason, item->errors);
	/* Too much to remember: it will be said once more. */
	if (v == VERDICT_REJECT && lane->rejects.len >= REJECTS_MAX)
		v = VERDICT_AGAIN;
	if (e->status == 429)
		lane->pushed_back += item->len;
	item->status = (uint16_t)e->status;
	item->verdict = (uint8_t)v;
	if (v == VERDICT_REJECT) {
		reject_note(&lane->rejects, e);
	} else if (v == VERDICT_LOUD && lane->loud_item == NULL) {
		lane->loud_item = item;
		lane->loud = *e;
	} else if (v == VERDICT_RETRY && lane->retry.status == 0) {
		lane->retry = *e;
	}
}

static size_t
take_answer(char *p, size_t size, size_t n, void *arg)
{
	struct lane *lane = arg;
	long status = 0;

	curl_easy_getinfo(lane->connection.easy, CURLINFO_RESPONSE_CODE, &status);
	if (status == HTTP_OK && lane->request != LANE_BULK) {
		if (!lane_take_text(lane, p, size * n))
			return 0;
	} else if (status == HTTP_OK) {
		/* What is wrong with it is said at its end, unless that never comes. */
		if (answer_feed(lane->answer, p, size * n) != 0 && answer_endless(lane->answer))
			return 0;
	} else if (lane->refusal.len < REFUSAL_MAX + SECRET_MAX) {
		size_t room = REFUSAL_MAX + SECRET_MAX - lane->refusal.len;

		buf_add(&lane->refusal, p, size * n < room ? size * n : room);
	}
	return size * n;
}

/* Set up a bulk request of the items. */
static int
set_bulk(struct lane *lane)
{
	struct connection *c = &lane->connection;
	const struct request_head head = { .method = "POST", .url = lane->node->bulk_url,
		.content_type = "application/x-ndjson", .gzip = lane->delivery->o->gzip };
	size_t len = body_begin(&lane->body, &lane->sending);
	char hash[SHA256_HEX];

	/* The one before was another. */
	if (lane->request != LANE_BULK) {
		curl_easy_setopt(c->easy, CURLOPT_CUSTOMREQUEST, NULL);
		curl_easy_setopt(c->easy, CURLOPT_FRESH_CONNECT, 0L);
		curl_easy_setopt(c->easy, CURLOPT_FORBID_REUSE, 0L);
		curl_easy_setopt(c->easy, CURLOPT_POSTFIELDS, NULL);
	}
	lane->request = LANE_BULK;
	lane->delivery->tally.batches++;
	lane->delivery->tally.batch_bytes += lane->sending.bytes;
	lane->charged = lane->body.packed.len;
	queue_charge(&lane->delivery->queue, lane->charged);
	lane->loud_item = NULL;
	lane->loud.status = lane->retry.status = 0;
	lane->rejects.len = 0;
	lane->pushed_back = 0;
	lane->answer = answer_new(&lane->sending, on_item, lane);
	if (connection_signs(c))
		body_hash(&lane->body, hash);
	curl_easy_setopt(c->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)len);
	return connection_begin(c, lane->node, &head, hash);
}

int
lane_send(struct lane *lane, int64_t now)
{
	struct delivery *d = lane->delivery;
	int rc;

	lane_form_batch(lane);
	if (lane->sending.count == 0) {
		lane->stalled = true;
		if (lane->waiting.count == 0)
			queue_close(&d->queue, &lane->chunk);
		return -1;
	}
	lane->refusal.len = 0;
	lane->node = nodes_pick(&d->nodes, now);
	if (lane->sending.first->state == ITEM_TRUNCATE)
		rc = lane_truncate(lane);
	else
		rc = lane->reads > 0 ? lane_read(lane) : set_bulk(lane);
	if (rc != 0)
		oom();
	if (curl_multi_add_handle(d->multi, lane->connection.easy) != CURLM_OK) {
		log_error("libcurl does not take a request");
		return EXIT_TEMPORARY;
	}
	lane->busy = true;
	lane->sent_at = now;
	d->busy++;
	d->requests++;
	return -1;
}

/*
 * Answers
 */

/* The item, in no list, got an answer that tells it off. */
static int
rejected(struct lane *lane, struct item *item, const struct answer_error *e)
{
	struct reject why = { .what = "the cluster rejected an action", .status = e->status,
		.type = e->type, .reason = e->reason, .reason_len = strlen(e->reason),
		.remedy = "mend the mapping, the index or the row, then start again: nothing "
			  "behind it was confirmed; or give --dead-letter" };

	return reject_item(lane->delivery, item, &why);
}

void
lane_instead(struct items *list, struct item *older)
{
	if (older == NULL)
		return;
	older->state = ITEM_PLAIN;
	older->resent = true;
	items_append(list, older);
}

/* A document is stored that was merged from another: the other's delete may go. */
static void
open_gate(struct delivery *d, const struct item *item)
{
	struct item *old = merge_of(item)->old;

	if (old == NULL)
		return;
	old->state = ITEM_PLAIN;
	delivery_lane(d, old->document)->stalled = false;
}

/*
 * A change of just now met a newer document.  One may, which went on two ways; where most do
 * the LSNs are lower than they were, and nothing else would tell.
 */
static void
note_live(struct delivery *d, const struct item *item)
{
	static struct buf index, id;

	d->live++;
	d->live_conflicts += item->status == 409;
	if (d->live < LIVE_LOOK)
		return;
	if (d->live_conflicts > d->live / 2 && !d->live_said) {
		d->live_said = true;
		log_warn("most changes meet documents of higher versions, and change nothing",
		    kv_uint("of", d->live), kv_uint("conflicts", d->live_conflicts),
		    kv_str("table", tables_name(&d->tables, item->relid)),
		    lane_item_name("index", item, item->index_at, item->index_len, &index),
		    lane_item_name("id", item, item->id_at, item->id_len, &id),
		    kv_lsn("lsn", item->lsn),
		    kv_str("remedy", "if the source's LSNs started over, as on a restored or a new "
				     "server, give a higher --version-epoch; if something else "
				     "writes to this index, it must not"));
	}
	d->live /= 2;
	d->live_conflicts /= 2;
}

/* An action of the item's index is done, by being stored or left out for one that is. */
static void
count(struct tally *t, const struct item *item, enum tally_operation operation)
{
	struct tally_index *index = item->tally != 0
	    ? t->list[item->tally - 1]
	    : tally_find(t, item->text + item->index_at, item->index_len);

	index->stored[operation]++;
}

static void
count_stored(struct tally *t, const struct item *item)
{
	if (!t->on)
		return;
	count(t, item,
	    item->state == ITEM_TRUNCATE ? TALLY_TRUNCATE : (enum tally_operation)item->op);
	if (item->status >= 400)
		t->ignored[item->status == 409 ? TALLY_CONFLICT : TALLY_MISSING]++;
}

static void
count_left_out(struct tally *t, const struct item *item)
{
	if (!t->on)
		return;
	t->ignored[TALLY_COALESCED]++;
	count(t, item, (enum tally_operation)item->op);
}

void
lane_store(struct delivery *d, struct item *item)
{
	struct item *older;

	if (item->state == ITEM_MERGED)
		open_gate(d, item);
	if (item->status == 409)
		d->conflicts++;
	if (item->live)
		note_live(d, item);
	count_stored(&d->tally, item);
	d->stored++;
	d->dead_in_row = 0;
	item->state = ITEM_PLAIN;
	while (item != NULL) {
		older = coalesce_older(item);
		d->coalesced += older != NULL;
		d->stored_bytes += item->len;
		delivery_let_go(d, item);
		if (older != NULL)
			count_left_out(&d->tally, older);
		item = older;
	}
}

void
lane_worked(struct lane *lane)
{
	node_worked(lane->node);
	lane->delivery->ever_worked = true;
	lane->delivery->denied_since = 0;
	lane->delivery->lone_equal = 0;
	lane->unreadable = lane->errors = 0;
}

/* What the cluster did not take waits again.  An exit status (logged), or -1. */
static int
again(struct lane *lane, struct items *items, unsigned tries, int64_t now)
{
	bool loud = lane->loud_item != NULL;
	const struct answer_error *e = loud ? &lane->loud : &lane->retry;
	struct buf words = { 0 };
	int code = -1;

	/* What else goes through does not make the cluster ready for these. */
	lane->failures = tries - 1;
	lane_back_off(lane, now);
	buf_printf(&words, "%s: %s", e->type, e->reason);
	if (loud)
		code = lane_loud(lane, lane->loud_item, e->status, words.data, words.len, now);
	else
		lane_say_retry(lane, "the cluster did not take some actions: trying again",
		    e->status, words.data, words.len, items->count, now);
	buf_free(&words);
	return code;
}

/* Every item has its answer: let go of what is done, keep what must come again. */
static int
settle(struct lane *lane, int64_t now)
{
	size_t sent = lane->sending.count, noted = 0;
	struct items left, instead;
	struct item *item;
	unsigned tries = 0;
	int code = -1;

	items_init(&left);
	items_init(&instead);
	while ((item = items_take(&lane->sending)) != NULL) {
		if (lane->sending.first != NULL)
			__builtin_prefetch(lane->sending.first->next, 1);
		if (item->verdict == VERDICT_STORED) {
			lane_store(lane->delivery, item);
			continue;
		}
		if (item->verdict == VERDICT_REJECT && code < 0) {
			struct item *older = item->older;
			struct answer_error e;

			reject_noted(&lane->rejects, &noted, &e);
			if ((code = rejected(lane, item, &e)) < 0) {
				lane_instead(&instead, older);
				continue;
			}
		}
		if (item->verdict == VERDICT_RETRY || item->verdict == VERDICT_LOUD)
			tally_retry_action(&lane->delivery->tally, item->status);
		if (item->verdict != VERDICT_AGAIN && item->tries < UINT8_MAX)
			item->tries++;
		if (item->verdict != VERDICT_AGAIN && item->tries > tries)
			tries = item->tries;
		items_append(&left, item);
	}
	if (lane->loud_item == NULL)
		lane->loud_since = 0;
	if (tries > 0 && code < 0) {
		code = again(lane, &left, tries, now);
	} else {
		lane->failures = 0;
		if (lane->max_bytes < lane->delivery->o->batch_bytes)
			lane->max_bytes += lane->max_bytes / 8;
		if (lane->max_bytes > lane->delivery->o->batch_bytes)
			lane->max_bytes = lane->delivery->o->batch_bytes;
	}
	lane_cleared(lane, sent - left.count);
	items_prepend(&lane->waiting, &instead);
	items_prepend(&lane->waiting, &left);
	if (lane->waiting.count == 0)
		queue_close(&lane->delivery->queue, &lane->chunk);
	return code;
}

/* The status says 200: does the body say the same? */
static int
answered(struct lane *lane, int64_t now)
{
	if (lane->request == LANE_READ)
		return lane_was_read(lane, now);
	if (lane->request == LANE_TRUNCATE)
		return lane_truncated(lane, now);
	if (answer_end(lane->answer) == 0) {
		lane_worked(lane);
		return settle(lane, now);
	}
	return lane_unreadable(lane, answer_problem(lane->answer), now);
}

/* No answer came, or only a part of one. */
static int
unanswered(struct lane *lane, CURLcode rc, long status, int64_t now)
{
	const char *why = connection_problem(&lane->connection, rc);
	const char *remedy = connection_remedy(&lane->connection, lane->node, rc);
	struct buf words = { 0 };
	size_t actions;

	lane->node->hopeless |= connection_hopeless(&lane->connection, rc);
	if (!lane->delivery->ever_worked && nodes_hopeless(&lane->delivery->nodes)) {
		log_error("cannot connect to the cluster", kv_str("node", lane->node->url),
		    kv_str("reason", why),
		    kv_str("remedy", remedy != NULL ? remedy : "check the URL"));
		return EXIT_PERMANENT;
	}
	actions = lane_put_back(lane);
	lane_node_trouble(lane, now);
	lane->cause = connection_cause(&lane->connection, rc);
	buf_adds(&words, why);
	if (remedy != NULL && !lane->delivery->ever_worked)
		buf_printf(&words, " (%s)", remedy);
	lane_say_retry(lane, "the cluster does not answer: trying again", status, words.data,
	    words.len, actions, now);
	buf_free(&words);
	return -1;
}

/* How much may be sent at a time follows what a bulk request met. */
static void
set_pace(struct lane *lane, CURLcode rc, long status, struct pace_answer *a, int64_t now)
{
	struct delivery *d = lane->delivery;
	curl_off_t connected = 0;

	switch (rc) {
	case CURLE_OK:
		if (status == HTTP_OK)
			a->refused = lane->pushed_back > a->bytes / FEW;
		else if (status == 429 || status == 503 || status == 504)
			a->refused = true;
		else
			return;
		break;
	case CURLE_OPERATION_TIMEDOUT:
		/* It does not say which of them. */
		curl_easy_getinfo(lane->connection.easy, CURLINFO_PRETRANSFER_TIME_T, &connected);
		if (connected == 0)
			return;
		a->refused = true;
		break;
	default: return;
	}
	if (pace_answered(&d->pace, a, now))
		log_debug("another pace", kv_uint("lanes", d->pace.lanes),
		    kv_uint("batch_bytes", d->pace.bytes));
}

int
lane_finished(struct lane *lane, CURLcode rc, int64_t now)
{
	struct delivery *d = lane->delivery;
	struct pace_answer paced = { .sent_at = lane->sent_at, .bytes = lane->sending.bytes };
	uint64_t stored = d->stored_bytes;
	bool bulk = lane->request == LANE_BULK;
	long status = 0;
	bool good;
	int code = -1;

	curl_easy_getinfo(lane->connection.easy, CURLINFO_RESPONSE_CODE, &status);
	/* What was given up for its length is an answer, too, if none that makes sense. */
	good = status == HTTP_OK && (rc == CURLE_OK || (rc == CURLE_WRITE_ERROR && bulk));
	curl_multi_remove_handle(d->multi, lane->connection.easy);
	login_scrub(&d->login, lane->refusal.data, lane->refusal.len);
	if (lane->refusal.len > REFUSAL_MAX)
		lane->refusal.len = REFUSAL_MAX;
	lane->busy = false;
	d->busy--;
	if (good) {
		code = answered(lane, now);
	} else if (lane->request != LANE_BULK && lane_ask_failed(lane, status, now, &code)) {
		/* That was all. */
	} else if (rc == CURLE_OK || status == HTTP_TOO_LARGE) {
		/* Behind a 413 the connection is often closed at once, its words may be cut. */
		code = lane_refused(lane, status, now);
	} else {
		code = unanswered(lane, rc, status, now);
	}
	paced.done = d->stored_bytes - stored;
	if (bulk)
		set_pace(lane, rc, status, &paced, now);
	answer_free(lane->answer);
	lane->answer = NULL;
	body_end(&lane->body);
	lane_ask_done(lane);
	return code;
}

/*
 * Setting up
 */

int
lane_init(struct lane *lane, struct delivery *d)
{
	const struct options *o = d->o;
	CURL *e;

	if (connection_init(&lane->connection, o, &d->login) != 0)
		return -1;
	e = lane->connection.easy;
	lane->delivery = d;
	lane->max_docs = o->batch_docs;
	lane->max_bytes = o->batch_bytes;
	lane->max_reads = FIRST_READS;
	lane->folds = 1;
	items_init(&lane->waiting);
	items_init(&lane->sending);
	body_init(&lane->body, o->gzip);
	curl_easy_setopt(e, CURLOPT_PRIVATE, lane);
	curl_easy_setopt(e, CURLOPT_POST, 1L);
	curl_easy_setopt(e, CURLOPT_READFUNCTION, body_read);
	curl_easy_setopt(e, CURLOPT_READDATA, &lane->body);
	curl_easy_setopt(e, CURLOPT_SEEKFUNCTION, body_seek);
	curl_easy_setopt(e, CURLOPT_SEEKDATA, &lane->body);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, take_answer);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, lane);
	curl_easy_setopt(e, CURLOPT_UPLOAD_BUFFERSIZE, 256L * 1024);
	curl_easy_setopt(e, CURLOPT_BUFFERSIZE, 64L * 1024);
	return 0;
}
