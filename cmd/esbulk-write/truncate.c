#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "delivery.h"
#include "truncate.h"

/*
 * Hits of a page: as many deletes are then in the queue.  A scroll is what all servers have,
 * and lives from page to page; see "Scroll" in the search API of both projects.
 */
#define PAGE      "1000"
#define KEEP      "5m"
#define NO_INDEX  "ignore_unavailable=true&allow_no_indices=true"

static void
put_path(struct buf *b, struct frame_str s)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz0123456789-._~";

	for (uint32_t i = 0; i < s.len; i++)
		if (s.ptr[i] != '\0' && strchr(plain, s.ptr[i]) != NULL)
			buf_addc(b, s.ptr[i]);
		else
			buf_printf(b, "%%%02X", (unsigned char)s.ptr[i]);
}

void
truncate_begin(struct truncate *t, struct item *item, struct frame_str pattern,
    struct frame_str query, bool versioned, uint64_t version)
{
	t->item = item;
	t->step = TRUNCATE_REFRESH;
	t->path.len = t->query.len = 0;
	put_path(&t->path, pattern);
	if (query.ptr != NULL)
		json_put_line(&t->query, (struct json_text) { query.ptr, query.len });
	t->scroll.len = 0;
	t->anew = false;
	t->versioned = versioned;
	t->version = version;
	t->matched = 0;
	t->failures = t->unreadable = 0;
}

const char *
truncate_ask(const struct truncate *t, struct buf *url, struct buf *body)
{
	switch (t->step) {
	case TRUNCATE_REFRESH:
		buf_addc(url, '/');
		buf_add(url, t->path.data, t->path.len);
		buf_adds(url, "/_refresh?" NO_INDEX);
		return "POST";
	case TRUNCATE_SEARCH:
		buf_addc(url, '/');
		buf_add(url, t->path.data, t->path.len);
		buf_adds(url, "/_search?scroll=" KEEP "&size=" PAGE
			      "&sort=_doc&_source=false&" NO_INDEX);
		if (t->query.len > 0) {
			buf_adds(body, "{\"query\":");
			buf_add(body, t->query.data, t->query.len);
			buf_addc(body, '}');
		}
		return "POST";
	case TRUNCATE_NEXT:
	case TRUNCATE_CLOSE: break;
	}
	buf_adds(url, "/_search/scroll");
	buf_adds(body, t->step == TRUNCATE_NEXT ? "{\"scroll\":\"" KEEP "\",\"scroll_id\":"
	                                        : "{\"scroll_id\":");
	buf_add(body, t->scroll.data, t->scroll.len);
	buf_addc(body, '}');
	return t->step == TRUNCATE_NEXT ? "POST" : "DELETE";
}

/* Put the delete of a hit into its lane. */
static int
delete_hit(struct truncate *t, struct delivery *d, struct json_text hit)
{
	struct frame_action a = { .op = OP_DELETE };
	struct action_line *l = &t->line;
	struct lane *lane;
	struct item *item;

	a.index = json_string(&t->index, json_member(hit, "_index"));
	a.id = json_string(&t->id, json_member(hit, "_id"));
	a.routing = json_string(&t->routing, json_member(hit, "_routing"));
	if (a.index.ptr == NULL || a.id.ptr == NULL)
		return -1;
	action_build(l, &a, t->versioned, t->version);
	t->matched++;
	a.relid = t->item->relid;
	lane = delivery_lane(d, action_document(a.index, a.id));
	item = delivery_item(d, lane, l->text.len);
	memcpy(item->text, l->text.data, l->text.len);
	delivery_fill(
	    d, item, l, &a, action_document(a.index, a.id), t->versioned, t->version);
	item->len = (uint32_t)l->text.len;
	item->lsn = t->item->lsn;
	delivery_add(d, lane, item);
	return 0;
}

/*
 * Did all shards answer?  OpenSearch doesn't count one as failed of which no copy is
 * assigned.  The total of a refresh counts replicas, too, which may be unassigned for good.
 */
static bool
whole(const struct truncate *t, struct json_text answer)
{
	struct json_text shards = json_member(answer, "_shards");
	struct json_text failed = json_member(shards, "failed");
	struct json_text total = json_member(shards, "total");
	struct json_text good = json_member(shards, "successful");
	struct json_text late = json_member(answer, "timed_out");

	if (failed.n != 1 || *failed.p != '0' || (late.p != NULL && *late.p != 'f'))
		return false;
	return t->step == TRUNCATE_REFRESH ||
	    (total.p != NULL && total.n == good.n && memcmp(total.p, good.p, total.n) == 0);
}

/* What the next request goes on with, or closes. */
static void
take_scroll(struct truncate *t, struct json_text answer)
{
	struct json_text scroll = json_member(answer, "_scroll_id");

	if (scroll.p == NULL || *scroll.p != '"')
		return;
	t->scroll.len = 0;
	buf_add(&t->scroll, scroll.p, scroll.n);
}

/* From the refresh, when what is open is closed. */
static void
begin_anew(struct truncate *t)
{
	t->anew = t->scroll.len > 0;
	t->step = t->anew ? TRUNCATE_CLOSE : TRUNCATE_REFRESH;
}

/* Closed, or not to be closed. */
static enum truncate_result
closed(struct truncate *t)
{
	bool anew = t->anew;

	t->anew = false;
	t->scroll.len = 0;
	t->step = TRUNCATE_REFRESH;
	return anew ? TRUNCATE_GOES_ON : TRUNCATE_DONE;
}

static enum truncate_result
take_page(struct truncate *t, struct delivery *d, struct json_text answer)
{
	struct json_text name, hit, hits = json_member(json_member(answer, "hits"), "hits");
	struct json_walk w = json_open(hits);
	size_t n = 0;
	int more;

	if (w.close != ']')
		return TRUNCATE_UNREADABLE;
	/* There are no such indexes: then there is no scroll. */
	if (t->scroll.len == 0)
		return json_next(&w, &name, &hit) == 0 ? TRUNCATE_DONE : TRUNCATE_UNREADABLE;
	while ((more = json_next(&w, &name, &hit)) == 1) {
		if (delete_hit(t, d, hit) != 0)
			return TRUNCATE_UNREADABLE;
		n++;
	}
	t->step = n > 0 ? TRUNCATE_NEXT : TRUNCATE_CLOSE;
	return more == 0 ? TRUNCATE_GOES_ON : TRUNCATE_UNREADABLE;
}

enum truncate_result
truncate_answer(struct truncate *t, struct delivery *d, struct json_text answer)
{
	enum truncate_result r;

	if (t->step == TRUNCATE_CLOSE)
		return closed(t);
	if (json_valid(answer) && t->step != TRUNCATE_REFRESH)
		take_scroll(t, answer);
	if (!json_valid(answer) || json_member(answer, "_shards").p == NULL)
		r = TRUNCATE_UNREADABLE;
	else if (!whole(t, answer))
		r = TRUNCATE_PARTIAL;
	else if (t->step == TRUNCATE_REFRESH)
		r = TRUNCATE_GOES_ON;
	else
		r = take_page(t, d, answer);
	if (r != TRUNCATE_GOES_ON)
		begin_anew(t);
	else if (t->step == TRUNCATE_REFRESH)
		t->step = TRUNCATE_SEARCH;
	return r;
}

enum truncate_result
truncate_failed(struct truncate *t)
{
	/* The cluster drops what is not closed after a while. */
	if (t->step == TRUNCATE_CLOSE)
		return closed(t);
	begin_anew(t);
	return TRUNCATE_PARTIAL;
}

void
truncate_end(struct truncate *t)
{
	t->item = NULL;
	buf_free(&t->query);
	buf_free(&t->scroll);
}
