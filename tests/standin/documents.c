/*
 * What a cluster answers besides bulk requests: reading documents, counting,
 * indexes, and who it is.
 */
#include <stdio.h>
#include <stdlib.h>

#include "request.h"
#include "search.h"
#include "source.h"

static struct slice
text(const char *s)
{
	return (struct slice) { s, s != NULL ? strlen(s) : 0 };
}

/* The inner part of an error on an index that is not there. */
static void
add_missing(struct buf *out, struct slice index, const char *kind)
{
	buf_adds(
	    out, "\"type\":\"index_not_found_exception\",\"reason\":\"no such index [");
	buf_add(out, index.p, index.n);
	buf_adds(out, "]\",\"index\":");
	json_quote(out, index);
	buf_adds(out, ",\"resource.id\":");
	json_quote(out, index);
	buf_printf(out, ",\"resource.type\":\"%s\",\"index_uuid\":\"_na_\"", kind);
}

void
documents_missing(struct request *r, struct slice index, const char *kind)
{
	buf_adds(&r->out, "{\"error\":{\"root_cause\":[{");
	add_missing(&r->out, index, kind);
	buf_adds(&r->out, "}],");
	add_missing(&r->out, index, kind);
	buf_adds(&r->out, "},\"status\":404}");
	request_answer(r, 404);
}

struct index *
documents_existing(struct request *r, struct slice name)
{
	struct index *x = store_index(&r->standin->store, name, false);

	return x != NULL && x->exists ? x : NULL;
}

static struct doc *
live_doc(struct request *r, struct index *x, struct slice id, struct slice routing)
{
	struct store *s = &r->standin->store;
	struct doc *d = store_doc(s, x, store_hash(s, x, id, routing), id, false);

	return d != NULL && d->state == DOC_LIVE ? d : NULL;
}

/* A document as get and mget show it; source NULL: without, "": whole. */
static void
add_doc(struct request *r, struct slice index, struct slice id, const struct doc *d,
    const char *source)
{
	struct buf *out = &r->out;
	bool word = !r->plan.garbled || r->plan.garble != GARBLE_NO_FOUND;

	buf_adds(out, "{\"_index\":");
	json_quote(out, index);
	buf_adds(out, ",\"_id\":");
	json_quote(out, id);
	if (r->plan.garbled && r->plan.garble == GARBLE_OTHER_ID) {
		out->len--;
		buf_adds(out, "?\"");
	}
	if (d == NULL) {
		buf_adds(out, word ? ",\"found\":false}" : "}");
		return;
	}
	buf_printf(out, ",\"_version\":%lld,\"_seq_no\":%lld,\"_primary_term\":1",
	    (long long)d->version, (long long)d->seq_no);
	if (d->has_routing) {
		buf_adds(out, ",\"_routing\":");
		json_quote(out, doc_routing(d));
	}
	if (word)
		buf_adds(out, ",\"found\":true");
	if (source != NULL) {
		buf_adds(out, ",\"_source\":");
		source_filtered(out, doc_source(d), source);
	}
	buf_addc(out, '}');
}

/* /{index}/_doc/{id} and /{index}/_source/{id} */
static void
get_doc(struct request *r)
{
	struct slice index = text(r->segments[0]), id = text(r->segments[2]);
	struct index *x = documents_existing(r, index);
	struct doc *d;

	if (x == NULL) {
		documents_missing(r, index, "index_expression");
		return;
	}
	d = live_doc(r, x, id, text(request_argument(r, "routing")));
	if (strcmp(r->segments[1], "_doc") == 0) {
		add_doc(r, index, id, d, search_source(r));
		request_answer(r, d != NULL ? 200 : 404);
	} else if (d == NULL) {
		failure_set(&r->failure, 404, "resource_not_found_exception",
		    "Document not found [%s]/[%s]", r->segments[0], r->segments[2]);
		request_fail(r);
	} else {
		source_filtered(&r->out, doc_source(d), search_source(r));
		request_answer(r, 200);
	}
}

/* Turn the _source of an mget's document into patterns; NULL for none. */
static const char *
source_patterns(struct buf *out, struct slice value, const char *otherwise)
{
	struct json_walk w;
	struct slice part;

	if (value.p == NULL)
		return otherwise;
	if (*value.p == 't' || *value.p == 'f')
		return *value.p == 't' ? "" : NULL;
	if (*value.p == '{') {
		part = json_find(value, "includes");
		return source_patterns(
		    out, part.p != NULL ? part : json_find(value, "include"), "");
	}
	out->len = 0;
	if (*value.p == '"')
		json_unescape(out, (struct slice) { value.p + 1, value.n - 2 });
	else {
		w = json_elements(value);
		while (json_element(&w, &part)) {
			if (out->len > 0)
				buf_addc(out, ',');
			json_unescape(out, (struct slice) { part.p + 1, part.n - 2 });
		}
	}
	return buf_cstr(out);
}

/* A string or number of an object as text in a buffer; p NULL when it is not there. */
static struct slice
plain_text(struct buf *out, struct slice object, const char *name)
{
	struct slice v = json_find(object, name);

	if (v.p == NULL || *v.p == 'n')
		return (struct slice) { NULL, 0 };
	out->len = 0;
	if (*v.p == '"')
		json_unescape(out, (struct slice) { v.p + 1, v.n - 2 });
	else
		buf_add(out, v.p, v.n);
	buf_cstr(out);
	return (struct slice) { out->data, out->len };
}

/* One document of an mget: an object, or with ids_only an id. */
static void
mget_one(struct request *r, struct slice want, bool ids_only)
{
	static struct buf index_text, id_text, routing_text, patterns;
	struct slice index = { NULL, 0 }, id, routing = { NULL, 0 };
	const char *source = search_source(r);
	struct index *x;

	if (ids_only) {
		id_text.len = 0;
		json_unescape(&id_text, (struct slice) { want.p + 1, want.n - 2 });
		id = (struct slice) { id_text.data, id_text.len };
	} else {
		index = plain_text(&index_text, want, "_index");
		id = plain_text(&id_text, want, "_id");
		routing = plain_text(&routing_text, want, "routing");
		if (routing.p == NULL)
			routing = plain_text(&routing_text, want, "_routing");
		source = source_patterns(&patterns, json_find(want, "_source"), source);
	}
	if (index.p == NULL)
		index = text(r->n_segments > 1 ? r->segments[0] : "");
	x = documents_existing(r, index);
	if (x != NULL) {
		add_doc(r, index, id, live_doc(r, x, id, routing), source);
		return;
	}
	buf_adds(&r->out, "{\"_index\":");
	json_quote(&r->out, index);
	buf_adds(&r->out, ",\"_id\":");
	json_quote(&r->out, id);
	buf_adds(&r->out, ",\"error\":{\"root_cause\":[{");
	add_missing(&r->out, index, "index_expression");
	buf_adds(&r->out, "}],");
	add_missing(&r->out, index, "index_expression");
	buf_adds(&r->out, "}}");
}

static void
mget(struct request *r)
{
	struct json_cursor c;
	struct slice body, docs, one;
	struct json_walk w;
	bool ids_only = false, any = false;

	json_cursor_init(&c, r->content);
	if (!json_value(&c, &body) || *body.p != '{') {
		failure_json(&r->failure, &c.error);
		request_fail(r);
		return;
	}
	docs = json_find(body, "docs");
	if (docs.p == NULL) {
		docs = json_find(body, "ids");
		ids_only = true;
	}
	buf_adds(&r->out, "{\"docs\":[");
	if (docs.p != NULL && *docs.p == '[') {
		w = json_elements(docs);
		for (; json_element(&w, &one); any = true) {
			if (any)
				buf_addc(&r->out, ',');
			mget_one(r, one, ids_only);
		}
	}
	buf_adds(&r->out, "]}");
	if (any) {
		request_answer(r, 200);
		return;
	}
	failure_set(&r->failure, 400, "action_request_validation_exception",
	    "Validation Failed: 1: no documents to get;");
	request_fail(r);
}

static void
count_docs(struct request *r)
{
	struct store *s = &r->standin->store;
	const char *e = search_expression(r);
	long long n = 0, shards = 0;

	if (e == NULL)
		return;
	for (uint32_t i = 0; i < s->n_indexes; i++)
		if (s->indexes[i]->exists && search_named(e, s->indexes[i])) {
			n += s->indexes[i]->live;
			shards += s->shards;
		}
	buf_printf(&r->out,
	    "{\"count\":%lld,\"_shards\":{\"total\":%lld,\"successful\":%lld,\"skipped\":0,"
	    "\"failed\":0}}",
	    n, shards, shards);
	request_answer(r, 200);
}

static void
refresh(struct request *r)
{
	if (search_expression(r) == NULL)
		return;
	buf_adds(&r->out, "{\"_shards\":{\"total\":2,\"successful\":1,\"failed\":0}}");
	request_answer(r, 200);
}

static void
health(struct request *r)
{
	buf_adds(&r->out,
	    "{\"cluster_name\":\"standin\",\"status\":\"green\",\"timed_out\":false,"
	    "\"number_of_nodes\":1,\"number_of_data_nodes\":1}");
	request_answer(r, 200);
}

static void
root(struct request *r)
{
	const struct options *o = &r->standin->options;
	bool opensearch = strcmp(o->distribution, "opensearch") == 0;

	buf_printf(&r->out,
	    "{\"name\":\"standin\",\"cluster_name\":\"standin\","
	    "\"cluster_uuid\":\"AAAAAAAAAAAAAAAAAAAAAA\",\"version\":{%s\"number\":\"%s\","
	    "\"build_type\":\"standin\",\"build_snapshot\":false},\"tagline\":\"%s\"}\n",
	    opensearch ? "\"distribution\":\"opensearch\","
		       : "\"build_flavor\":\"default\",",
	    o->number,
	    opensearch ? "The OpenSearch Project: https://opensearch.org/"
		       : "You Know, for Search");
	request_answer(r, 200);
}

/* /{index} by PUT, GET, HEAD, DELETE */
static void
whole_index(struct request *r)
{
	struct slice name = text(r->segments[0]);
	struct index *x = documents_existing(r, name);

	if (request_is(r, "PUT")) {
		if (x != NULL)
			failure_set(&r->failure, 400, "resource_already_exists_exception",
			    "index [%s/%s] already exists", r->segments[0], x->uuid);
		else {
			x = store_index(&r->standin->store, name, true);
			if (x->name_error != NULL)
				failure_set(&r->failure, 400,
				    "invalid_index_name_exception",
				    "Invalid index name [%s], %s", r->segments[0],
				    x->name_error);
		}
		if (r->failure.status != 0) {
			request_fail(r);
			return;
		}
		x->exists = true;
		buf_adds(&r->out,
		    "{\"acknowledged\":true,\"shards_acknowledged\":true,\"index\":");
		json_quote(&r->out, name);
		buf_addc(&r->out, '}');
	} else if (x == NULL) {
		documents_missing(r, name, "index_or_alias");
		return;
	} else if (request_is(r, "DELETE")) {
		store_drop_index(&r->standin->store, x);
		buf_adds(&r->out, "{\"acknowledged\":true}");
	} else {
		buf_addc(&r->out, '{');
		json_quote(&r->out, name);
		buf_printf(&r->out,
		    ":{\"aliases\":{},\"mappings\":{},\"settings\":{\"index\":{"
		    "\"number_of_shards\":\"%u\",\"uuid\":\"%s\"}}}}",
		    r->standin->store.shards, x->uuid);
	}
	request_answer(r, 200);
}

static bool
is_template(const char *kind)
{
	return strcmp(kind, "_index_template") == 0 || strcmp(kind, "_template") == 0 ||
	       strcmp(kind, "_component_template") == 0;
}

void
documents_request(struct request *r)
{
	bool reads = request_is(r, "GET") || request_is(r, "HEAD");
	bool asks = reads || request_is(r, "POST");
	unsigned n = r->n_segments;
	const char *last = n > 0 ? r->segments[n - 1] : "";

	if (n == 0 && reads)
		root(r);
	else if (n == 3 && reads &&
		 (request_path(r, 3, 1, "_doc") || request_path(r, 3, 1, "_source")))
		get_doc(r);
	else if (n <= 2 && asks && strcmp(last, "_mget") == 0)
		mget(r);
	else if (n <= 2 && asks && strcmp(last, "_count") == 0)
		count_docs(r);
	else if (n <= 2 && asks && strcmp(last, "_search") == 0)
		search_request(r);
	else if (n == 2 && request_path(r, 2, 0, "_search") && strcmp(last, "scroll") == 0)
		search_on(r);
	else if (n <= 2 && asks && strcmp(last, "_refresh") == 0)
		refresh(r);
	else if (reads && n >= 2 && strcmp(r->segments[0], "_cluster") == 0 &&
		 strcmp(r->segments[1], "health") == 0)
		health(r);
	else if (n == 2 && request_is(r, "PUT") && is_template(r->segments[0])) {
		/* Taken, and forgotten: no index is made by them. */
		buf_adds(&r->out, "{\"acknowledged\":true}");
		request_answer(r, 200);
	} else if (n == 1 && *r->segments[0] != '_' && !request_is(r, "POST"))
		whole_index(r);
	else {
		buf_printf(&r->out,
		    "{\"error\":\"no handler found for uri [%s] and method [%s]\"}",
		    r->path, r->method);
		request_answer(r, 400);
	}
}
