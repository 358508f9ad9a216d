#include <string.h>

#include "action.h"

/* Replaces whole fields, where a "doc" would merge objects into objects. */
#define PUT_ALL \
	"{\"script\":{\"source\":\"ctx._source.putAll(params.doc)\",\"lang\":\"painless\"," \
	"\"params\":{\"doc\":"

/*
 * Which document
 */

/* Append index, id or routing, which must not be empty. */
static bool
add_identity(struct action_writer *w, const struct plan *plan, const struct plan_text *t,
    const struct row *row, struct buf *b, struct failure *why)
{
	size_t start = b->len;

	if (!document_text(&w->document, plan, t, row, false, b, why))
		return false;
	if (b->len == start) {
		*why = (struct failure) { .kind = FAIL_EMPTY, .what = t->what };
		return false;
	}
	if (t != &plan->id || b->len - start <= FAILURE_ID_MAX)
		return true;
	if (plan->policy->hash_long_id) {
		filter_hash(b, start);
		return true;
	}
	*why = (struct failure) { .kind = FAIL_LONG, .what = t->what };
	return false;
}

bool
action_identity(struct action_writer *w, const struct plan *plan, const struct row *row,
    struct buf b[static 3], struct failure *why)
{
	b[0].len = b[1].len = b[2].len = 0;
	return add_identity(w, plan, &plan->index, row, &b[0], why) &&
	    (plan->rule->no_id || add_identity(w, plan, &plan->id, row, &b[1], why)) &&
	    (!plan->has_routing || add_identity(w, plan, &plan->routing, row, &b[2], why));
}

/* Is it the same for all rows, and not empty? */
static bool
is_constant(const struct plan_text *t)
{
	return t->pieces == 0 && t->tail_len > 0;
}

/* The same as a string of a frame. */
static bool
put_identity(struct action_writer *w, const struct plan *plan, const struct plan_text *t,
    const struct row *row, struct failure *why)
{
	size_t start;

	/* Most indices are constants. */
	if (is_constant(t) && t != &plan->id) {
		frame_put_str(w->out, t->tail, t->tail_len);
		return true;
	}
	start = frame_str_begin(w->out, 1);
	if (!add_identity(w, plan, t, row, w->out, why))
		return false;
	frame_str_end(w->out, start, 1);
	return true;
}

static void
put_version(struct buf *b, const struct plan *plan)
{
	if (plan->rule->unversioned)
		frame_put_bool(b, false);
	else
		frame_put_nil(b); /* the writer makes it */
}

/* An action up to its index; of most tables that is always the same. */
static bool
put_start(struct action_writer *w, struct plan *plan, enum frame_op op, const struct row *row,
    struct failure *why)
{
	struct buf *head = &plan->head[op];
	size_t start = w->out->len;

	if (head->len > 0) {
		buf_add(w->out, head->data, head->len);
		return true;
	}
	frame_put_action_start(w->out, op, true, plan->relation->relid);
	if (!put_identity(w, plan, &plan->index, row, why))
		return false;
	if (is_constant(&plan->index))
		buf_add(head, w->out->data + start, w->out->len - start);
	return true;
}

/* An action up to its body. */
static bool
put_head(struct action_writer *w, struct plan *plan, enum frame_op op, const struct row *row,
    struct failure *why)
{
	struct buf *b = w->out;

	if (!put_start(w, plan, op, row, why))
		return false;
	if (plan->rule->no_id)
		frame_put_nil(b);
	else if (!put_identity(w, plan, &plan->id, row, why))
		return false;
	if (op == OP_INDEX || op == OP_DELETE)
		put_version(b, plan);
	else
		frame_put_nil(b);
	if (!plan->has_routing)
		frame_put_nil(b);
	else if (!put_identity(w, plan, &plan->routing, row, why))
		return false;
	return true;
}

/*
 * Rejects
 */

void
action_reject(struct action_writer *w, const struct plan *plan, const struct row *row,
    const struct failure *why)
{
	const struct plan_text *texts[] = { &plan->index, &plan->id, &plan->routing };
	struct buf *b = w->out;
	struct failure ignored;

	w->counters.reject++;
	w->reason.len = 0;
	failure_describe(why, plan, &w->document.renderer.why, &w->reason);
	frame_put_action_start(b, OP_REJECT, true, plan->relation->relid);
	for (size_t i = 0; i < 3; i++) {
		size_t start;

		if (i == 2)
			frame_put_nil(b); /* the version */
		start = b->len;
		if ((i == 1 && plan->rule->no_id) || (i == 2 && !plan->has_routing) ||
		    !put_identity(w, plan, texts[i], row, &ignored)) {
			b->len = start;
			frame_put_nil(b);
		}
	}
	frame_put_str(b, w->reason.data, w->reason.len);
}

/* Is it a row without an id, where that is no reject? */
static bool
is_skipped(const struct plan *plan, const struct failure *why)
{
	return plan->policy->skip_null_id && why->what != NULL && why->what == plan->id.what &&
	    (why->kind == FAIL_EMPTY || (why->kind == FAIL_VALUE && why->result == RENDER_NULL));
}

/* What began at start failed: it is a reject, or a row without an id that may be skipped. */
static void
fail(struct action_writer *w, const struct plan *plan, const struct row *row, size_t start,
    const struct failure *why)
{
	w->out->len = start;
	if (is_skipped(plan, why))
		w->counters.skipped++;
	else
		action_reject(w, plan, row, why);
}

/*
 * What is rare
 */

static void
put_more_str(struct buf *b, const char *name, const struct buf *value)
{
	frame_put_cstr(b, name);
	frame_put_str(b, value->data, value->len);
}

static void
put_merge(struct action_writer *w)
{
	const struct document_writer *d = &w->document;

	frame_put_cstr(w->out, "merge");
	frame_put_array(w->out, d->merges);
	for (size_t i = 0; i < d->merges; i++)
		frame_put_cstr(w->out, d->merge[i]->name);
}

static void
put_merge_from(struct buf *b, const struct buf from[static 3], bool routing)
{
	frame_put_cstr(b, "merge_from");
	frame_put_array(b, 3);
	frame_put_str(b, from[0].data, from[0].len);
	frame_put_str(b, from[1].data, from[1].len);
	if (routing)
		frame_put_str(b, from[2].data, from[2].len);
	else
		frame_put_nil(b);
}

/* The action began at start. */
static bool
put_more(struct action_writer *w, const struct plan *plan, enum frame_op op,
    const struct row *row, const struct buf *from, size_t start, struct failure *why)
{
	bool merge = op == OP_INDEX && w->document.merges > 0;
	bool pipeline = plan->has_pipeline && (op == OP_INDEX || op == OP_CREATE);
	bool alias = plan->rule->require_alias && op != OP_DELETE;
	size_t pairs = (size_t)pipeline + (size_t)alias + (merge ? from != NULL ? 2 : 1 : 0);
	struct buf *b = w->out;

	if (pairs == 0)
		return true;
	/* One element more than was said. */
	b->data[start]++;
	frame_put_map(b, pairs);
	if (pipeline) {
		w->body.len = 0;
		if (!add_identity(w, plan, &plan->pipeline, row, &w->body, why))
			return false;
		put_more_str(b, "pipeline", &w->body);
	}
	if (alias) {
		frame_put_cstr(b, "require_alias");
		frame_put_bool(b, true);
	}
	if (merge)
		put_merge(w);
	if (merge && from != NULL)
		put_merge_from(b, from, plan->has_routing);
	return true;
}

/*
 * Documents
 */

static void
put_delete_of(struct action_writer *w, const struct plan *plan, const struct buf from[static 3])
{
	struct buf *b = w->deletes;

	frame_put_action_start(b, OP_DELETE, true, plan->relation->relid);
	frame_put_str(b, from[0].data, from[0].len);
	frame_put_str(b, from[1].data, from[1].len);
	put_version(b, plan);
	if (plan->has_routing)
		frame_put_str(b, from[2].data, from[2].len);
	else
		frame_put_nil(b);
	frame_put_nil(b);
	w->counters.delete++;
}

static bool
same(const struct buf *a, const struct buf *b)
{
	return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

/* An index or create, which counts. */
static void
put_document(struct action_writer *w, struct plan *plan, enum frame_op op,
    const struct row *row, const struct buf *from, uint64_t *counter)
{
	struct buf *b = w->out;
	size_t start = b->len, body;
	struct failure why;

	w->document.creates = op == OP_CREATE;
	if (!put_head(w, plan, op, row, &why))
		goto failed;
	body = frame_str_begin(b, plan->body_head);
	if (!document_add(&w->document, plan, &plan->document, row, b, &why))
		goto failed;
	plan->body_head = frame_str_end(b, body, plan->body_head);
	if (w->document.merges > 0 && from != NULL && plan->rule->unversioned &&
	    same(&from[0], &w->is[0]) && same(&from[1], &w->is[1])) {
		why = (struct failure) { .kind = FAIL_MOVED,
			.what = w->document.merge[0]->name,
			.column = PLAN_NO_COLUMN };
		goto failed;
	}
	if (!put_more(w, plan, op, row, from, start, &why))
		goto failed;
	(*counter)++;
	return;
failed:
	w->document.merges = 0;
	fail(w, plan, row, start, &why);
}

void
action_index(
    struct action_writer *w, struct plan *plan, const struct row *row, const struct buf *from)
{
	size_t start = w->out->len, end;

	put_document(w, plan, OP_INDEX, row, from, &w->counters.index);
	if (from == NULL || w->document.merges > 0)
		return;
	if (w->deletes != w->out) {
		put_delete_of(w, plan, from);
		return;
	}
	/* The delete comes first: the action goes behind it, whatever it turned out to be. */
	end = w->out->len;
	w->body.len = 0;
	buf_add(&w->body, w->out->data + start, end - start);
	w->out->len = start;
	put_delete_of(w, plan, from);
	buf_add(w->out, w->body.data, w->body.len);
}

void
action_create(struct action_writer *w, struct plan *plan, const struct row *row)
{
	put_document(w, plan, OP_CREATE, row, NULL, &w->counters.create);
}

bool
action_is_unknown(const struct failure *why)
{
	return why->kind == FAIL_UNSEEN ||
	    (why->kind == FAIL_VALUE && why->result == RENDER_ABSENT);
}

void
action_delete(struct action_writer *w, struct plan *plan, const struct row *row)
{
	struct buf *out = w->out;
	size_t start = w->deletes->len;
	struct failure why;
	bool good;

	w->out = w->deletes;
	good = put_head(w, plan, OP_DELETE, row, &why);
	if (good)
		frame_put_nil(w->out);
	else
		w->out->len = start;
	w->out = out;
	if (good)
		w->counters.delete++;
	else if (action_is_unknown(&why))
		action_reject(w, plan, row, &why);
	else if (is_skipped(plan, &why))
		w->counters.skipped++;
	else
		w->counters.filtered++; /* when it was new it was rejected for the same */
}

/*
 * Updates
 */

/* An update's body is in body. */
static void
put_update(struct action_writer *w, struct plan *plan, const struct row *row, size_t start,
    struct failure *why)
{
	if (!put_head(w, plan, OP_UPDATE, row, why)) {
		fail(w, plan, row, start, why);
		return;
	}
	frame_put_str(w->out, w->body.data, w->body.len);
	if (!put_more(w, plan, OP_UPDATE, row, NULL, start, why))
		fail(w, plan, row, start, why);
	else
		w->counters.update++;
}

/* ,"upsert": and the whole document. */
static bool
add_upsert(struct action_writer *w, const struct plan *plan, const struct row *row,
    struct failure *why)
{
	static const char head[] = ",\"upsert\":";

	buf_add(&w->body, head, sizeof(head) - 1);
	return document_add(&w->document, plan, &plan->document, row, &w->body, why);
}

void
action_partial(struct action_writer *w, struct plan *plan, const struct row *row)
{
	static const char doc[] = "{\"doc\":", all[] = PUT_ALL;
	struct buf *b = &w->body;
	size_t start = w->out->len;
	struct failure why = { 0 };
	bool objects;

	b->len = 0;
	w->document.creates = false;
	buf_add(b, doc, sizeof(doc) - 1);
	if (!document_changes(&w->document, plan, row, b, &objects, &why))
		goto failed;
	if (b->len == sizeof(doc) - 1) {
		w->counters.unchanged++;
		return;
	}
	if (objects) {
		size_t n = b->len - (sizeof(doc) - 1);

		buf_reserve(b, sizeof(all));
		memmove(b->data + sizeof(all) - 1, b->data + sizeof(doc) - 1, n);
		memcpy(b->data, all, sizeof(all) - 1);
		b->len = sizeof(all) - 1 + n;
		buf_adds(b, "}}");
	}
	w->document.merges = 0;
	if (plan->rule->upsert && !add_upsert(w, plan, row, &why))
		goto failed;
	if (w->document.merges > 0) {
		/* Half a document is none to begin with: the whole, with the rest of the old. */
		action_index(w, plan, row, NULL);
		return;
	}
	buf_addc(b, '}');
	put_update(w, plan, row, start, &why);
	return;
failed:
	fail(w, plan, row, start, &why);
}

void
action_script(struct action_writer *w, struct plan *plan, const struct row *row)
{
	struct buf *b = &w->body;
	size_t start = w->out->len;
	struct failure why = { 0 };

	b->len = 0;
	buf_adds(b, plan->script);
	if (plan->params.fields > 0) {
		buf_adds(b, ",\"params\":");
		if (!document_add(&w->document, plan, &plan->params, row, b, &why))
			goto failed;
	}
	buf_addc(b, '}');
	if (plan->rule->script.scripted_upsert)
		buf_adds(b, ",\"scripted_upsert\":true");
	if (plan->upsert.fields > 0 || plan->rule->script.scripted_upsert) {
		buf_adds(b, ",\"upsert\":");
		if (!document_add(&w->document, plan, &plan->upsert, row, b, &why))
			goto failed;
	}
	buf_addc(b, '}');
	put_update(w, plan, row, start, &why);
	return;
failed:
	fail(w, plan, row, start, &why);
}

void
action_truncate(struct action_writer *w, const struct plan *plan)
{
	const char *query = plan->rule->truncate_query;
	struct buf *b = w->out;
	size_t start = b->len;

	frame_put_action_start(b, OP_DELETE, true, plan->relation->relid);
	b->data[start]++;
	frame_put_nil(b);
	frame_put_nil(b);
	put_version(b, plan);
	frame_put_nil(b);
	frame_put_nil(b);
	frame_put_map(b, 1);
	frame_put_cstr(b, "truncate");
	frame_put_map(b, query != NULL ? 2 : 1);
	frame_put_cstr(b, "index");
	frame_put_cstr(b, plan->truncate_index);
	if (query != NULL) {
		frame_put_cstr(b, "query");
		frame_put_cstr(b, query);
	}
	w->counters.truncate++;
}

void
action_writer_free(struct action_writer *w)
{
	document_writer_free(&w->document);
	buf_free(&w->reason);
	buf_free(&w->body);
	buf_free(&w->old);
	for (int i = 0; i < 3; i++) {
		buf_free(&w->was[i]);
		buf_free(&w->is[i]);
	}
}
