/*
 * /_standin/...: what tests tell it and ask it.
 */
#include <fnmatch.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "handler.h"

static void
wrong(struct request *r, const char *what)
{
	r->out.len = 0;
	buf_printf(&r->out, "{\"error\":\"%s\"}\n", what);
	request_answer(r, 400);
}

static void
done(struct request *r, const char *what, uint64_t n)
{
	buf_printf(&r->out, "{\"%s\":%" PRIu64 "}\n", what, n);
	request_answer(r, 200);
}

static double
cpu_seconds(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) * 1e-6;
}

static void
stats(struct handler *h, struct request *r)
{
	const struct standin *si = r->standin;
	const struct stats *s = &si->stats;
	uint64_t live = 0;
	const struct {
		const char *name;
		uint64_t value;
	} values[] = {
		{ "bulk_requests", s->bulk_requests },
		{ "other_requests", s->other_requests },
		{ "items", s->items[0] + s->items[1] + s->items[2] + s->items[3] },
		{ "index", s->items[OP_INDEX] },
		{ "create", s->items[OP_CREATE] },
		{ "update", s->items[OP_UPDATE] },
		{ "delete", s->items[OP_DELETE] },
		{ "created", s->created },
		{ "updated", s->updated },
		{ "deleted", s->deleted },
		{ "noop", s->noop },
		{ "not_found", s->not_found },
		{ "conflicts", s->conflicts },
		{ "errors", s->errors },
		{ "injected", s->injected },
		{ "bytes", s->bytes },
		{ "in_flight", s->in_flight },
		{ "in_flight_max", s->in_flight_max },
		{ "items_max", s->items_max },
		{ "order_violations", s->order_violations },
		{ "scrolls", (uint64_t)s->scrolls },
		{ "faults", si->faults.hits },
		{ "hanging", handler_hanging(h) },
	};

	for (uint32_t i = 0; i < si->store.n_indexes; i++)
		live += (uint64_t)si->store.indexes[i]->live;
	buf_addc(&r->out, '{');
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		buf_printf(&r->out, "\"%s\":%" PRIu64 ",", values[i].name, values[i].value);
	buf_printf(
	    &r->out, "\"docs\":%" PRIu64 ",\"cpu_seconds\":%.6f}\n", live, cpu_seconds());
	request_answer(r, 200);
}

/* All documents, one a line. */
static void
docs(struct request *r)
{
	const struct store *s = &r->standin->store;
	const char *glob = request_argument(r, "index");

	for (uint64_t i = 0; i < s->n_docs; i++) {
		const struct doc *d = store_nth(s, i);

		if (d->state != DOC_LIVE ||
		    (glob != NULL && fnmatch(glob, d->index->name.p, 0) != 0))
			continue;
		buf_adds(&r->out, "{\"_index\":");
		json_quote(&r->out, d->index->name);
		buf_adds(&r->out, ",\"_id\":");
		json_quote(&r->out, doc_id(d));
		if (d->has_routing) {
			buf_adds(&r->out, ",\"routing\":");
			json_quote(&r->out, doc_routing(d));
		}
		buf_printf(&r->out, ",\"_version\":%" PRId64, d->version);
		if (s->keep == KEEP_ALL) {
			buf_adds(&r->out, ",\"_source\":");
			buf_add(&r->out, doc_source(d).p, doc_source(d).n);
		}
		buf_adds(&r->out, "}\n");
	}
	r->content_type = "application/x-ndjson";
	request_answer(r, 200);
}

static enum MHD_Result
add_argument(void *cls, enum MHD_ValueKind kind, const char *key, const char *value)
{
	struct buf *out = cls;

	(void)kind;
	if (out->len > 1)
		buf_addc(out, ',');
	json_quote(out, (struct slice) { key, strlen(key) });
	buf_addc(out, ':');
	if (value == NULL)
		value = "";
	json_quote(out, (struct slice) { value, strlen(value) });
	return MHD_YES;
}

static void
add_fault(struct request *r)
{
	struct faults *f = &r->standin->faults;
	struct json_cursor c;
	struct slice object;
	struct buf made = { 0 };
	const char *error = NULL;

	if (r->content.n > 0) {
		json_cursor_init(&c, r->content);
		if (!json_value(&c, &object) || *object.p != '{')
			error = "the body is no JSON object";
	} else {
		buf_addc(&made, '{');
		MHD_get_connection_values(
		    r->connection, MHD_GET_ARGUMENT_KIND, add_argument, &made);
		buf_addc(&made, '}');
		object = (struct slice) { made.data, made.len };
	}
	if (error == NULL)
		error = fault_add_json(f, object);
	buf_free(&made);
	if (error != NULL)
		wrong(r, error);
	else
		done(r, "number", f->last_number);
}

static void
remove_faults(struct request *r)
{
	struct faults *f = &r->standin->faults;
	const char *number = request_argument(r, "number");
	const char *kind = request_argument(r, "kind");

	if (number == NULL)
		fault_clear(f, kind != NULL ? fault_kind(kind) : -1);
	else if (!fault_remove(f, (unsigned)strtoul(number, NULL, 10))) {
		wrong(r, "there is no fault of this number");
		return;
	}
	done(r, "cleared", 1);
}

/* When this is answered nobody can connect for a while, and whoever is connected is not. */
static void
down(struct request *r)
{
	const char *ms = request_argument(r, "ms");

	r->down_ms = ms != NULL ? (unsigned)strtoul(ms, NULL, 10) : 1000;
	done(r, "down", r->down_ms);
}

static void
reset(struct handler *h, struct request *r)
{
	struct standin *si = r->standin;
	const char *only = request_argument(r, "only");
	uint64_t in_flight = si->stats.in_flight;

	if (only == NULL || strcmp(only, "stats") == 0) {
		si->faults.hits = 0;
		si->stats =
		    (struct stats) { .in_flight = in_flight, .in_flight_max = in_flight };
	}
	if (only == NULL || strcmp(only, "faults") == 0)
		fault_clear(&si->faults, -1);
	if (only == NULL || strcmp(only, "docs") == 0) {
		/* Those put aside hold on to documents. */
		handler_drop(h);
		store_clear(&si->store);
	}
	done(r, "reset", 1);
}

static void
forget(struct request *r)
{
	const struct store *s = &r->standin->store;
	uint64_t n = 0;

	for (uint64_t i = 0; i < s->n_docs; i++)
		if (store_nth(s, i)->state == DOC_DELETED) {
			store_nth(s, i)->state = DOC_NONE;
			n++;
		}
	done(r, "forgotten", n);
}

static void
release(struct handler *h, struct request *r)
{
	if (!request_flag(r, "keep"))
		fault_clear(&r->standin->faults, FAULT_HANG);
	done(r, "released", handler_release(h));
}

void
control_request(struct handler *h, struct request *r)
{
	const char *what = r->n_segments == 2 ? r->segments[1] : "";
	bool get = request_is(r, "GET"), post = request_is(r, "POST");

	if (get && strcmp(what, "stats") == 0)
		stats(h, r);
	else if (get && strcmp(what, "docs") == 0)
		docs(r);
	else if (get && strcmp(what, "fault") == 0) {
		fault_list(&r->standin->faults, &r->out);
		buf_addc(&r->out, '\n');
		request_answer(r, 200);
	} else if (post && strcmp(what, "fault") == 0)
		add_fault(r);
	else if (request_is(r, "DELETE") && strcmp(what, "fault") == 0)
		remove_faults(r);
	else if (post && strcmp(what, "down") == 0)
		down(r);
	else if (post && strcmp(what, "release") == 0)
		release(h, r);
	else if (post && strcmp(what, "reset") == 0)
		reset(h, r);
	else if (post && strcmp(what, "forget") == 0)
		forget(r);
	else
		wrong(r, "no such control; see standin --help");
}
