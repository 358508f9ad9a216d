#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "delivery.h"
#include "exitcode.h"
#include "fdio.h"
#include "log.h"

/*
 * So many actions a second are dense: then a batch waits for a moment, since a request costs
 * as much as some hundred actions in it, here and in the cluster.
 */
#define DENSE      20000
#define HOLD_US    INT64_C(4000)
#define HOLD_BYTES ((size_t)256 * 1024)

/* And longer where it has the same documents again and again, of which only the last goes. */
#define HOLD_MAX_US INT64_C(64000)

int
delivery_init(struct delivery *d, const struct options *o)
{

	*d = (struct delivery) { .o = o, .lanes = o->lanes, .queue.limit = o->queue_bytes,
		.login = o->login, .truncate.line.type = o->type, .tally.on = o->metrics.n > 0 };
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return -1;
	d->multi = curl_multi_init();
	if (d->multi == NULL)
		return -1;
	nodes_init(&d->nodes, o);
	pace_init(&d->pace, o->lanes, o->batch_bytes, o->fixed);
	if (side_init(&d->side, o, d->multi, &d->nodes, &d->login) != 0)
		return -1;
	d->lane = xcalloc(d->lanes, sizeof(*d->lane));
	for (size_t i = 0; i < d->lanes; i++)
		if (lane_init(&d->lane[i], d) != 0)
			return -1;
	return 0;
}

struct lane *
delivery_lane(struct delivery *d, uint64_t document)
{
	return &d->lane[(document >> 48) % d->lanes];
}

struct item *
delivery_item(struct delivery *d, struct lane *lane, size_t text)
{
	return queue_add(&d->queue, &lane->chunk, text);
}

void
delivery_fill(struct delivery *d, struct item *item, const struct action_line *l,
    const struct frame_action *a, uint64_t document, bool versioned, uint64_t version)
{
	item->unit = frontier_add(&d->frontier);
	item->document = document;
	item->relid = a->relid;
	item->index_at = l->index_at;
	item->index_len = l->index_len;
	item->id_at = l->id_at;
	item->id_len = l->id_len;
	item->tally = l->known.tally;
	item->op = (uint8_t)a->op;
	item->versioned = versioned;
	item->live = item->resent = false;
	item->version = version;
	item->older = NULL;
	item->state = ITEM_PLAIN;
}

void
delivery_add(struct delivery *d, struct lane *lane, struct item *item)
{
	if (lane->waiting.count == 0)
		lane->first_at = now_us();
	item->errors = item->tries = 0;
	items_append(&lane->waiting, item);
	lane->stalled = false;
	d->waiting++;
	d->arrived++;
}

void
delivery_let_go(struct delivery *d, struct item *item)
{
	d->waiting--;
	if (item->state == ITEM_TRUNCATE) {
		truncate_end(&d->truncate);
	} else if (item->state == ITEM_MERGE || item->state == ITEM_MERGED) {
		struct item *old = merge_of(item)->old;

		/* Nothing holds what is moved but the old document: it stays. */
		if (old != NULL) {
			old->state = ITEM_VOID;
			delivery_lane(d, old->document)->stalled = false;
		}
	}
	frontier_done(&d->frontier, item->unit);
	delivery_charge_units(d);
	queue_done(&d->queue, item);
	if (d->truncate.item != NULL && d->waiting == 1)
		d->lane[0].stalled = false;
}

/* How long may the lane's batch wait to grow?  Longer where most of it is left out. */
static int64_t
hold_us(const struct lane *lane)
{
	const struct delivery *d = lane->delivery;

	return d->rate.dense && lane->hold_us > d->hold_us ? lane->hold_us : d->hold_us;
}

static bool
ready(const struct lane *lane, bool hurry, int64_t now)
{
	const struct delivery *d = lane->delivery;
	size_t count = lane->waiting.count / lane->folds, bytes = lane->waiting.bytes / lane->folds;

	if (lane->busy || lane->stalled || lane->waiting.count == 0 ||
	    lane->backoff_until > now)
		return false;
	if (hurry || count >= lane->max_docs || bytes >= lane_bytes(lane) ||
	    now - lane->first_at >= hold_us(lane))
		return true;
	return d->o->linger_us == 0 && bytes >= HOLD_BYTES;
}

/* How long may a batch wait to grow? */
static void
set_hold(struct delivery *d, int64_t now)
{
	d->hold_us = d->o->linger_us;
	if (rate_add(&d->rate, d->arrived, now, DENSE) && d->hold_us < HOLD_US)
		d->hold_us = HOLD_US;
	d->arrived = 0;
}

void
delivery_formed(struct lane *lane, size_t sent, size_t left_out)
{
	bool many = left_out > sent / 4;

	lane->folds = sent > 0 ? left_out / sent + 1 : 1;
	if (!many)
		lane->hold_us /= 2;
	else if (lane->hold_us < HOLD_US)
		lane->hold_us = HOLD_US;
	else if (lane->hold_us < HOLD_MAX_US)
		lane->hold_us *= 2;
}

static int
start_ready(struct delivery *d, bool hurry, int64_t now)
{
	int side = side_work(&d->side, now);

	if (side >= 0 || !side_ready(&d->side))
		return side;
	for (size_t i = 0, first = d->next; i < d->lanes; i++) {
		struct lane *lane = &d->lane[(first + i) % d->lanes];
		int code;

		if (!ready(lane, hurry, now))
			continue;
		/* Where not all may send at a time, they do in turn. */
		if (!pace_admits(&d->pace, d->busy))
			break;
		d->next = (first + i + 1) % d->lanes;
		if ((code = lane_send(lane, now)) >= 0)
			return code;
	}
	return -1;
}

/* What answers say of who made them: "OpenSearch/3.1.0 (opensearch)", say. */
static void
note_cluster(struct tally *t, CURL *easy)
{
	struct curl_header *h;
	const char *slash;
	size_t n;

	if (t->distribution[0] != '\0')
		return;
	if (curl_easy_header(easy, "X-elastic-product", 0, CURLH_HEADER, -1, &h) == CURLHE_OK) {
		snprintf(t->distribution, sizeof(t->distribution), "%s", h->value);
	} else if (curl_easy_header(easy, "X-OpenSearch-Version", 0, CURLH_HEADER, -1, &h) ==
	    CURLHE_OK) {
		slash = strchr(h->value, '/');
		n = slash != NULL ? (size_t)(slash - h->value) : strlen(h->value);
		snprintf(t->distribution, sizeof(t->distribution), "%.*s", (int)n, h->value);
		if (slash != NULL)
			snprintf(t->version, sizeof(t->version), "%.*s",
			    (int)strcspn(slash + 1, " "), slash + 1);
	}
	for (char *p = t->distribution; *p != '\0'; p++)
		*p = (char)tolower((unsigned char)*p);
}

/* A request has ended. */
static void
note_request(struct tally *t, CURL *easy, CURLcode rc)
{
	long status = 0;

	curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
	t->asked = true;
	/* What is given up here for its length is an answer; a proxy's word of nobody is none. */
	t->connected = (rc == CURLE_OK || rc == CURLE_WRITE_ERROR) && status != 0 &&
	    (status < 502 || status > 504);
	if (t->on && t->connected)
		note_cluster(t, easy);
}

static int
finished(struct delivery *d, CURL *easy, CURLcode rc, int64_t now)
{
	static const enum tally_request kinds[] = { [LANE_BULK] = TALLY_BULK,
		[LANE_READ] = TALLY_READ, [LANE_TRUNCATE] = TALLY_STEP };
	struct lane *lane;
	char *private;

	note_request(&d->tally, easy, rc);
	if (easy == d->side.connection.easy)
		return side_finished(&d->side, rc, now);
	curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);
	lane = (struct lane *)(void *)private;
	metrics_observe(&d->tally.took[kinds[lane->request]], now - lane->sent_at);
	return lane_finished(lane, rc, now);
}

int
delivery_work(struct delivery *d, bool hurry)
{
	int64_t now = now_us();
	int code, running, left;
	CURLMsg *m;

	set_hold(d, now);
	code = start_ready(d, hurry, now);

	if (code >= 0 || d->busy + d->side.busy == 0)
		return code;
	if (curl_multi_perform(d->multi, &running) != CURLM_OK) {
		log_error("libcurl failed");
		return EXIT_TEMPORARY;
	}
	if ((size_t)running == d->busy + d->side.busy)
		return -1;
	now = now_us();
	while ((m = curl_multi_info_read(d->multi, &left)) != NULL) {
		int c;

		if (m->msg != CURLMSG_DONE)
			continue;
		c = finished(d, m->easy_handle, m->data.result, now);
		/* The others' answers count as well before the program ends. */
		if (c >= 0 && code != EXIT_PERMANENT)
			code = c;
	}
	return code >= 0 ? code : start_ready(d, hurry, now);
}

int64_t
delivery_due(const struct delivery *d)
{
	int64_t due = side_due(&d->side);

	/* An answer comes first. */
	if (!side_ready(&d->side) || d->busy >= d->pace.lanes)
		return due;
	for (size_t i = 0; i < d->lanes; i++) {
		const struct lane *lane = &d->lane[i];
		int64_t at;

		if (lane->busy || lane->stalled || lane->waiting.count == 0)
			continue;
		at = lane->first_at + hold_us(lane);
		if (lane->backoff_until > at)
			at = lane->backoff_until;
		if (at < due)
			due = at;
	}
	return due;
}
