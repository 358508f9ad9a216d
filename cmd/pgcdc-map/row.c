#include <string.h>

#include "row.h"

/* The longest id that the search servers take, in bytes. */
#define ID_MAX 512

/* The row at hand. */
struct row {
	const msgpack_object *new, *old; /* values by column, or NULL */
	bool update;
};

/* Why a row cannot be mapped. */
enum failure_kind {
	FAIL_VALUE,  /* result says what is wrong with column's value */
	FAIL_UNSEEN, /* nobody knows whether column changed */
	FAIL_EMPTY,
	FAIL_LONG,
};

struct failure {
	enum failure_kind kind;
	enum render_result result;
	const char *what; /* "id", "index", "routing", or a field's name */
	uint32_t column;
	bool old; /* the value was looked for in the old row */
};

/*
 * The value of a column.  What the server did not send with the new row because it is
 * unchanged (TOAST) is as it was in the old one, if that is there.
 */
static const msgpack_object *
value_of(const struct row *row, uint32_t column)
{
	const msgpack_object *o;

	if (row->new == NULL)
		return &row->old[column];
	o = &row->new[column];
	if (frame_is_absent(o) && row->old != NULL)
		o = &row->old[column];
	return o;
}

/*
 * Texts
 */

/* A part of a composite key: a bar between parts must not look like one inside. */
static void
escape_key(struct buf *b, size_t start, struct buf *scratch)
{
	size_t n = b->len - start;
	const char *s = b->data + start;

	if (n == 0 || (memchr(s, '|', n) == NULL && memchr(s, '\\', n) == NULL))
		return;
	scratch->len = 0;
	buf_add(scratch, s, n);
	b->len = start;
	for (size_t i = 0; i < n; i++) {
		if (scratch->data[i] == '|' || scratch->data[i] == '\\')
			buf_addc(b, '\\');
		buf_addc(b, scratch->data[i]);
	}
}

/* Append a text; nulls fail. */
static bool
add_text(struct row_writer *w, const struct plan *plan, const struct plan_text *t,
    const struct row *row, struct buf *b, struct failure *why)
{
	for (size_t i = 0; i < t->pieces; i++) {
		const struct plan_piece *piece = &t->piece[i];
		enum render_result r;
		size_t start;

		buf_add(b, piece->before, piece->before_len);
		start = b->len;
		r = render_text(b, value_of(row, piece->column), piece->class, plan->policy);
		if (r != RENDER_OK) {
			*why = (struct failure) { .kind = FAIL_VALUE,
				.result = r,
				.what = t->what,
				.column = piece->column,
				.old = row->new == NULL };
			return false;
		}
		if (t->escape)
			escape_key(b, start, &w->text);
	}
	buf_add(b, t->tail, t->tail_len);
	return true;
}

/* Append index, id or routing, which must not be empty. */
static bool
add_identity(struct row_writer *w, const struct plan *plan, const struct plan_text *t,
    const struct row *row, struct buf *b, struct failure *why)
{
	size_t start = b->len;

	if (!add_text(w, plan, t, row, b, why))
		return false;
	*why = (struct failure) { .kind = FAIL_EMPTY, .what = t->what };
	if (b->len == start)
		return false;
	why->kind = FAIL_LONG;
	return t != &plan->id || b->len - start <= ID_MAX;
}

/* The same as a string of a frame. */
static bool
put_identity(struct row_writer *w, const struct plan *plan, const struct plan_text *t,
    const struct row *row, struct failure *why)
{
	size_t start = frame_str_begin(w->out, 1);

	if (!add_identity(w, plan, t, row, w->out, why))
		return false;
	frame_str_end(w->out, start, 1);
	return true;
}

/*
 * Rejects
 */

static void
describe_value(struct buf *b, const struct plan *plan, const struct failure *why)
{
	const struct relation *rel = plan->relation;
	const char *column = rel->column[why->column].name;

	buf_printf(b, "%s: column \"%s\" ", why->what, column);
	switch (why->result) {
	case RENDER_NULL: buf_adds(b, "is null"); break;
	case RENDER_ABSENT:
		if (why->old)
			buf_printf(b,
			    "is not in the old row that the server sent; "
			    "ALTER TABLE %s REPLICA IDENTITY FULL makes it send all of it",
			    rel->name);
		else
			buf_printf(b,
			    "is large and unchanged, so the server did not send it; "
			    "ALTER TABLE %s REPLICA IDENTITY FULL makes it do so",
			    rel->name);
		break;
	case RENDER_NAN:
		buf_adds(b, "is NaN, which JSON does not have; "
			    "\"nan: null\" or \"nan: string\" in defaults lets it pass");
		break;
	case RENDER_INFINITY:
		buf_adds(b, "is infinite, which JSON does not have; "
			    "\"infinity: null\" or \"infinity: string\" in defaults lets it pass");
		break;
	case RENDER_OK:
	case RENDER_UNKNOWN: buf_adds(b, "has a value of an unknown kind"); break;
	}
}

/* Turn what began at start into a reject.  row says what is known of the document. */
static void
reject(struct row_writer *w, struct plan *plan, const struct row *row, size_t start,
    struct failure why)
{
	const struct plan_text *texts[] = { &plan->index, &plan->id, &plan->routing };
	struct buf *b = w->out, *reason = &w->reason;
	struct failure ignored;

	w->rejected++;
	b->len = start;
	reason->len = 0;
	buf_printf(reason, "table %s: ", plan->relation->name);
	switch (why.kind) {
	case FAIL_EMPTY: buf_printf(reason, "%s is empty", why.what); break;
	case FAIL_LONG: buf_printf(reason, "id is longer than %d bytes", ID_MAX); break;
	case FAIL_UNSEEN:
		buf_printf(reason,
		    "index, id or routing need column \"%s\", and an update does not tell whether "
		    "it changed: it is outside the replica identity; "
		    "ALTER TABLE %s REPLICA IDENTITY FULL makes the server tell",
		    plan->relation->column[why.column].name, plan->relation->name);
		break;
	case FAIL_VALUE: describe_value(reason, plan, &why); break;
	}
	frame_put_action_start(b, OP_REJECT, true, plan->relation->relid);
	for (size_t i = 0; i < 3; i++) {
		if (i == 2)
			frame_put_nil(b); /* the version */
		start = b->len;
		if ((i == 2 && !plan->has_routing) ||
		    !put_identity(w, plan, texts[i], row, &ignored)) {
			b->len = start;
			frame_put_nil(b);
		}
	}
	frame_put_str(b, reason->data, reason->len);
}

/*
 * Documents
 */

/* A string of several parts; a null is nothing in it. */
static enum render_result
add_string(struct row_writer *w, const struct plan *plan, const struct plan_text *t,
    const struct row *row, struct buf *b, uint32_t *column)
{
	w->text.len = 0;
	for (size_t i = 0; i < t->pieces; i++) {
		const struct plan_piece *piece = &t->piece[i];
		enum render_result r;

		buf_add(&w->text, piece->before, piece->before_len);
		r = render_text(
		    &w->text, value_of(row, piece->column), piece->class, plan->policy);
		if (r != RENDER_OK && r != RENDER_NULL) {
			*column = piece->column;
			return r;
		}
	}
	buf_add(&w->text, t->tail, t->tail_len);
	render_string(b, w->text.data, w->text.len);
	return RENDER_OK;
}

static enum render_result
add_old(struct buf *b, const struct plan *plan, const struct plan_field *f,
    const struct row *row)
{
	const msgpack_object *o = NULL;

	if (row->old != NULL && f->column != PLAN_NO_COLUMN)
		o = &row->old[f->column];
	if (o == NULL || frame_is_absent(o)) {
		buf_add(b, "null", 4);
		return RENDER_OK;
	}
	return render_json(b, o, f->class, plan->policy);
}

static bool
add_body(struct row_writer *w, const struct plan *plan, const struct row *row,
    struct failure *why)
{
	struct buf *b = w->out;
	size_t start = b->len;

	for (const struct plan_field *f = plan->field; f < plan->field + plan->fields; f++) {
		enum render_result r = RENDER_OK;
		uint32_t column = f->column;

		if (f->kind == PLAN_OLD && !row->update)
			continue;
		buf_add(b, f->before, f->before_len);
		switch (f->kind) {
		case PLAN_NEW:
			r = render_json(b, value_of(row, column), f->class, plan->policy);
			break;
		case PLAN_OLD: r = add_old(b, plan, f, row); break;
		case PLAN_TEXT: r = add_string(w, plan, &f->text, row, b, &column); break;
		case PLAN_CONSTANT: break;
		}
		if (r != RENDER_OK) {
			*why = (struct failure) { .kind = FAIL_VALUE,
				.result = r,
				.what = f->name,
				.column = column };
			return false;
		}
	}
	/* Each field began with a comma. */
	if (b->len == start)
		buf_addc(b, '{');
	else
		b->data[start] = '{';
	buf_addc(b, '}');
	return true;
}

/* Append an index or a delete, or the reject that it turns out to be. */
static void
put_action(struct row_writer *w, struct plan *plan, enum frame_op op, const struct row *row)
{
	struct buf *b = w->out;
	size_t start = b->len, body;
	struct failure why;

	frame_put_action_start(b, op, true, plan->relation->relid);
	if (!put_identity(w, plan, &plan->index, row, &why) ||
	    !put_identity(w, plan, &plan->id, row, &why))
		goto rejected;
	frame_put_nil(b); /* the writer makes the version */
	if (!plan->has_routing)
		frame_put_nil(b);
	else if (!put_identity(w, plan, &plan->routing, row, &why))
		goto rejected;
	if (op == OP_DELETE) {
		frame_put_nil(b);
		w->deleted++;
		return;
	}
	body = frame_str_begin(b, plan->body_head);
	if (!add_body(w, plan, row, &why))
		goto rejected;
	plan->body_head = frame_str_end(b, body, plan->body_head);
	w->indexed++;
	return;
rejected:
	reject(w, plan, row, start, why);
}

void
row_index(struct row_writer *w, struct plan *plan, const msgpack_object *new)
{
	const struct row row = { .new = new };

	put_action(w, plan, OP_INDEX, &row);
}

void
row_delete(struct row_writer *w, struct plan *plan, const msgpack_object *old)
{
	const struct row row = { .old = old };

	put_action(w, plan, OP_DELETE, &row);
}

/*
 * Updates that move the document
 */

static bool
same_value(const msgpack_object *a, const msgpack_object *b)
{
	if (a->type == MSGPACK_OBJECT_POSITIVE_INTEGER && b->type == a->type)
		return a->via.u64 == b->via.u64;
	if (a->type == MSGPACK_OBJECT_STR && b->type == a->type)
		return a->via.str.size == b->via.str.size &&
		    memcmp(a->via.str.ptr, b->via.str.ptr, a->via.str.size) == 0;
	return msgpack_object_equal(*a, *b);
}

/* Did a column change that index, id or routing are made of? */
static bool
may_move(const struct plan *plan, const struct row *row)
{
	for (size_t i = 0; i < plan->identities; i++) {
		uint32_t column = plan->identity[i];

		/* Unchanged, says the server. */
		if (frame_is_absent(&row->new[column]))
			continue;
		if (!same_value(&row->new[column], &row->old[column]))
			return true;
	}
	return false;
}

/* Put index, id and routing of a row into b[3]; routing stays empty where there is none. */
static bool
make_identity(struct row_writer *w, const struct plan *plan, const struct row *row,
    struct buf b[static 3], struct failure *why)
{
	b[0].len = b[1].len = b[2].len = 0;
	return add_identity(w, plan, &plan->index, row, &b[0], why) &&
	    add_identity(w, plan, &plan->id, row, &b[1], why) &&
	    (!plan->has_routing || add_identity(w, plan, &plan->routing, row, &b[2], why));
}

static bool
same_identity(const struct row_writer *w)
{
	for (int i = 0; i < 3; i++)
		if (w->was[i].len != w->is[i].len ||
		    (w->is[i].len > 0 &&
		        memcmp(w->was[i].data, w->is[i].data, w->is[i].len) != 0))
			return false;
	return true;
}

void
row_update(struct row_writer *w, struct plan *plan, const msgpack_object *new,
    const msgpack_object *old)
{
	const struct row row = { .new = new, .old = old, .update = true };
	const struct row before = { .old = old };
	struct failure why;
	size_t start;

	if (old == NULL && plan->unseen != PLAN_NO_COLUMN) {
		why = (struct failure) { .kind = FAIL_UNSEEN, .column = plan->unseen };
		reject(w, plan, &row, w->out->len, why);
		return;
	}
	if (old == NULL || !may_move(plan, &row)) {
		put_action(w, plan, OP_INDEX, &row);
		return;
	}
	start = w->out->len;
	if (!make_identity(w, plan, &row, w->is, &why)) {
		reject(w, plan, &row, start, why);
		return;
	}
	if (make_identity(w, plan, &before, w->was, &why)) {
		if (!same_identity(w))
			put_action(w, plan, OP_DELETE, &before);
	} else if (why.kind == FAIL_VALUE && why.result != RENDER_NULL) {
		reject(w, plan, &row, start, why);
		return;
	}
	/* Else the old row had no document: it was rejected for what its identity was. */
	put_action(w, plan, OP_INDEX, &row);
}

void
row_writer_free(struct row_writer *w)
{
	buf_free(&w->text);
	buf_free(&w->reason);
	for (int i = 0; i < 3; i++) {
		buf_free(&w->was[i]);
		buf_free(&w->is[i]);
	}
}
