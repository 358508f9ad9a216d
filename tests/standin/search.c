#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>

#include "search.h"
#include "source.h"

/*
 * Where a search goes on.  As on a real server an answer that is lost takes its page along:
 * the same id then gives the next one.  But what comes later is seen here, too.
 */
struct page {
	unsigned long long from, size; /* documents of the store; hits */
	bool version, seq;
	char source[256];          /* "-": none, "+": all */
	char expression[300];      /* "+": all indexes */
	char field[128], value[256]; /* raw; "": all documents */
};

/* Scrolls by their id, the oldest are dropped. */
enum { SCROLLS = 64 };
static struct page scrolls[SCROLLS];
static unsigned long last_scroll;

bool
search_named(const char *expression, const struct index *x)
{
	char part[300];

	if (*expression == '\0' || strcmp(expression, "_all") == 0)
		return true;
	while (*expression != '\0') {
		size_t n = strcspn(expression, ",");

		snprintf(part, sizeof(part), "%.*s", (int)n, expression);
		if (fnmatch(part, x->name.p, 0) == 0)
			return true;
		expression += n + (expression[n] == ',');
	}
	return false;
}

const char *
search_expression(struct request *r)
{
	const char *e = r->n_segments > 1 ? r->segments[0] : "", *at = e;

	while (*at != '\0') {
		size_t n = strcspn(at, ",");
		struct slice one = { at, n };

		if (memchr(at, '*', n) == NULL && !slice_is(one, "_all") &&
		    documents_existing(r, one) == NULL &&
		    !request_flag(r, "ignore_unavailable")) {
			documents_missing(r, one, "index_or_alias");
			return NULL;
		}
		at += n + (at[n] == ',');
	}
	return e;
}

const char *
search_source(const struct request *r)
{
	const char *s = request_argument(r, "_source");

	if (s != NULL && strcmp(s, "false") == 0)
		return NULL;
	if (s != NULL && strcmp(s, "true") != 0)
		return s;
	s = request_argument(r, "_source_includes");
	return s != NULL ? s : "";
}

static void
copy(char *to, size_t size, struct slice s)
{
	snprintf(to, size, "%.*s", (int)s.n, s.p);
}

/* {"term":{"field":value}}; anything else matches all documents. */
static void
set_query(struct page *p, struct slice body)
{
	struct json_cursor c;
	struct slice all, query, term, field, value;
	struct json_walk w;

	json_cursor_init(&c, body);
	if (body.n == 0 || !json_value(&c, &all) || *all.p != '{')
		return;
	query = json_find(all, "query");
	if (query.p == NULL || *query.p != '{')
		return;
	term = json_find(query, "term");
	if (term.p == NULL || *term.p != '{')
		return;
	w = json_members(term);
	if (json_member(&w, &field, &value)) {
		copy(p->field, sizeof(p->field), field);
		copy(p->value, sizeof(p->value), value);
	}
}

static bool
matches(const struct page *p, const struct doc *d)
{
	struct json_walk w;
	struct slice name, value;

	if (d->state != DOC_LIVE || !d->index->exists ||
	    !search_named(*p->expression == '+' ? "" : p->expression, d->index))
		return false;
	if (*p->field == '\0')
		return true;
	w = json_members(doc_source(d));
	while (json_member(&w, &name, &value))
		if (slice_is(name, p->field))
			return slice_is(value, p->value);
	return false;
}

static void
add_hit(struct buf *out, const struct page *p, const struct doc *d)
{
	buf_adds(out, "{\"_index\":");
	json_quote(out, d->index->name);
	buf_adds(out, ",\"_id\":");
	json_quote(out, doc_id(d));
	if (p->version)
		buf_printf(out, ",\"_version\":%lld", (long long)d->version);
	if (p->seq)
		buf_printf(out, ",\"_seq_no\":%lld,\"_primary_term\":1",
		    (long long)d->seq_no);
	buf_adds(out, ",\"_score\":1.0");
	if (d->has_routing) {
		buf_adds(out, ",\"_routing\":");
		json_quote(out, doc_routing(d));
	}
	if (*p->source != '-') {
		buf_adds(out, ",\"_source\":");
		source_filtered(out, doc_source(d), *p->source == '+' ? "" : p->source);
	}
	buf_addc(out, '}');
}

/*
 * Answer with the page; from moves behind it.  scroll 0: it is no scroll.  Returns whether
 * there is anything to search.
 */
static bool
answer_page(struct request *r, struct page *p, unsigned long scroll)
{
	static struct buf hits;
	struct store *s = &r->standin->store;
	bool partial = r->plan.garbled && r->plan.garble == GARBLE_PARTIAL;
	unsigned long long left = p->size;
	long long total = 0, indexes = 0;

	hits.len = 0;
	for (uint32_t i = 0; i < s->n_indexes; i++)
		indexes += s->indexes[i]->exists &&
			   search_named(*p->expression == '+' ? "" : p->expression, s->indexes[i]);
	for (uint64_t i = 0; i < s->n_docs; i++)
		total += matches(p, store_nth(s, i));
	for (; p->from < s->n_docs && left > 0; p->from++) {
		const struct doc *d = store_nth(s, p->from);

		if (!matches(p, d) || (partial && p->from % 2 == 0))
			continue;
		if (hits.len > 0)
			buf_addc(&hits, ',');
		add_hit(&hits, p, d);
		left--;
	}
	buf_addc(&r->out, '{');
	/* A real one has nothing to go on with then. */
	if (scroll > 0 && indexes > 0)
		buf_printf(&r->out, "\"_scroll_id\":\"%lu\",", scroll);
	buf_printf(&r->out,
	    "\"took\":0,\"timed_out\":false,"
	    "\"_shards\":{\"total\":%d,\"successful\":1,\"skipped\":0,"
	    "\"failed\":0},\"hits\":{"
	    "\"total\":{\"value\":%lld,\"relation\":\"eq\"},\"max_score\":1.0,"
	    "\"hits\":[",
	    partial ? 2 : 1, total);
	buf_add(&r->out, hits.data, hits.len);
	buf_adds(&r->out, "]}}");
	request_answer(r, 200);
	return indexes > 0;
}

void
search_request(struct request *r)
{
	const char *e = search_expression(r), *size = request_argument(r, "size");
	const char *source = search_source(r);
	struct page p = { .version = request_flag(r, "version"),
		.seq = request_flag(r, "seq_no_primary_term") };

	if (e == NULL)
		return;
	p.size = size != NULL ? strtoull(size, NULL, 10) : UINT32_MAX;
	snprintf(p.source, sizeof(p.source), "%s",
	    source == NULL ? "-" : *source == '\0' ? "+" : source);
	snprintf(p.expression, sizeof(p.expression), "%s", *e == '\0' ? "+" : e);
	set_query(&p, r->content);
	if (request_argument(r, "scroll") == NULL) {
		answer_page(r, &p, 0);
		return;
	}
	scrolls[++last_scroll % SCROLLS] = p;
	r->standin->stats.scrolls +=
	    answer_page(r, &scrolls[last_scroll % SCROLLS], last_scroll);
}

void
search_on(struct request *r)
{
	struct json_cursor c;
	struct slice body, text = { NULL, 0 };
	unsigned long id;

	if (request_is(r, "DELETE")) {
		r->standin->stats.scrolls--;
		buf_adds(&r->out, "{\"succeeded\":true,\"num_freed\":1}");
		request_answer(r, 200);
		return;
	}
	json_cursor_init(&c, r->content);
	if (r->content.n > 0 && json_value(&c, &body) && *body.p == '{')
		text = json_find(body, "scroll_id");
	id = text.p != NULL && *text.p == '"' ? strtoul(text.p + 1, NULL, 10) : 0;
	if (id == 0 || id > last_scroll || id + SCROLLS <= last_scroll) {
		failure_set(&r->failure, 404, "search_context_missing_exception",
		    "No search context found for id [%lu]", id);
		request_fail(r);
		return;
	}
	answer_page(r, &scrolls[id % SCROLLS], id);
}
