#include <stdlib.h>
#include <string.h>

#include "convert.h"
#include "datetime.h"
#include "document.h"
#include "lsn.h"
#include "number.h"

const msgpack_object *
document_value(const struct row *row, uint32_t column)
{
	const msgpack_object *o;

	if (row->new == NULL)
		return &row->old[column];
	o = &row->new[column];
	if (frame_is_absent(o) && row->old != NULL)
		o = &row->old[column];
	return o;
}

static bool
same_array(const msgpack_object_array *a, const msgpack_object_array *b)
{
	if (a->size != b->size)
		return false;
	for (uint32_t i = 0; i < a->size; i++)
		if (!document_same_value(&a->ptr[i], &b->ptr[i]))
			return false;
	return true;
}

static bool
same_map(const msgpack_object_map *a, const msgpack_object_map *b)
{
	if (a->size != b->size)
		return false;
	for (uint32_t i = 0; i < a->size; i++)
		if (!document_same_value(&a->ptr[i].key, &b->ptr[i].key) ||
		    !document_same_value(&a->ptr[i].val, &b->ptr[i].val))
			return false;
	return true;
}

bool
document_same_value(const msgpack_object *a, const msgpack_object *b)
{
	if (a->type != b->type)
		return false;
	switch (a->type) {
	case MSGPACK_OBJECT_POSITIVE_INTEGER: return a->via.u64 == b->via.u64;
	case MSGPACK_OBJECT_STR:
		return a->via.str.size == b->via.str.size &&
		    memcmp(a->via.str.ptr, b->via.str.ptr, a->via.str.size) == 0;
	/* By their bits: NaN is itself here, and 0 and -0 are written differently. */
	case MSGPACK_OBJECT_FLOAT32:
	case MSGPACK_OBJECT_FLOAT64:
		return memcmp(&a->via.f64, &b->via.f64, sizeof(a->via.f64)) == 0;
	case MSGPACK_OBJECT_ARRAY: return same_array(&a->via.array, &b->via.array);
	case MSGPACK_OBJECT_MAP: return same_map(&a->via.map, &b->via.map);
	case MSGPACK_OBJECT_NIL:
	case MSGPACK_OBJECT_BOOLEAN:
	case MSGPACK_OBJECT_NEGATIVE_INTEGER:
	case MSGPACK_OBJECT_BIN:
	case MSGPACK_OBJECT_EXT:
	default: return msgpack_object_equal(*a, *b);
	}
}

static bool
fail_value(struct failure *why, enum render_result result, const char *what, uint32_t column,
    const struct row *row)
{
	*why = (struct failure) { .kind = FAIL_VALUE,
		.result = result,
		.what = what,
		.column = column,
		.old = row->new == NULL };
	return false;
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

static void
add_time(struct buf *b, int64_t time)
{
	static const char format[] = "%Y-%m-%dT%H:%M:%S.%fZ";
	struct datetime d;

	datetime_of_micros(&d, time);
	datetime_format(b, &d, format, sizeof(format) - 1);
}

static void
add_lsn(struct buf *b, uint64_t lsn)
{
	char text[LSN_STRLEN];

	buf_adds(b, lsn_print(lsn, text));
}

/*
 * A row of a snapshot has no number that a second reading would give it again, and none that
 * a change at the same LSN has not: it is known by what is in it.
 */
static void
add_row_name(struct document_writer *w, const struct relation *rel, const struct row *row,
    struct buf *b)
{
	struct buf *all = &w->scratch;

	all->len = 0;
	for (uint32_t i = 0; i < rel->columns; i++) {
		/* Whatever it cannot write, it cannot write each time. */
		(void)!render_text(
		    all, document_value(row, i), render_class(&rel->column[i]), &w->renderer);
		buf_addc(all, '\0');
	}
	buf_reserve(all, 1);
	filter_hash(all, 0);
	buf_addc(b, 's');
	buf_add(b, all->data, 32);
}

/* A piece without its filters. */
static enum render_result
add_piece(struct document_writer *w, const struct plan *plan, const struct plan_piece *piece,
    const struct row *row, struct buf *b)
{
	static const char *const changes[CHANGES] = { "insert", "update", "delete", "snapshot" };

	switch (piece->kind) {
	case PIECE_COLUMN:
		return render_text(
		    b, document_value(row, piece->column), piece->class, &w->renderer);
	case PIECE_OP: buf_adds(b, changes[row->change]); break;
	case PIECE_LSN: add_lsn(b, w->unit.lsn); break;
	case PIECE_SEQ:
		if (row->change == CHANGE_SNAPSHOT)
			add_row_name(w, plan->relation, row, b);
		else
			b->len += number_uint(buf_reserve(b, NUMBER_LEN), w->unit.seq);
		break;
	case PIECE_TIME: add_time(b, w->unit.time); break;
	}
	return RENDER_OK;
}

static bool
is_infinite(const struct buf *b, size_t start)
{
	size_t sign = b->len > start && b->data[start] == '-';

	return b->len - start - sign == 8 && memcmp(b->data + start + sign, "infinity", 8) == 0;
}

static enum render_result
add_filtered(struct document_writer *w, const struct plan *plan, const struct plan_piece *piece,
    const struct row *row, struct buf *b)
{
	size_t start = b->len;
	enum render_result r = add_piece(w, plan, piece, row, b);
	const char *problem;
	bool null;

	if (piece->filters == 0 || (r != RENDER_OK && r != RENDER_NULL))
		return r;
	if (piece->filter[0].kind == FILTER_FORMAT && is_infinite(b, start)) {
		/* It has no year or day that could be written. */
		if (w->renderer.policy->infinity != ODD_NULL)
			return w->renderer.policy->infinity == ODD_STRING ? r : RENDER_INFINITY;
		b->len = start;
		r = RENDER_NULL;
	}
	null = filters_apply(
	    piece->filter, piece->filters, b, start, r == RENDER_NULL, &w->scratch, &problem);
	if (problem == NULL)
		return null ? RENDER_NULL : RENDER_OK;
	w->renderer.why.len = 0;
	buf_adds(&w->renderer.why, problem);
	return RENDER_FAULT;
}

bool
document_text(struct document_writer *w, const struct plan *plan, const struct plan_text *t,
    const struct row *row, bool nulls, struct buf *b, struct failure *why)
{
	for (size_t i = 0; i < t->pieces; i++) {
		const struct plan_piece *piece = &t->piece[i];
		enum render_result r;
		size_t start;

		buf_add(b, piece->before, piece->before_len);
		start = b->len;
		r = add_filtered(w, plan, piece, row, b);
		if (r != RENDER_OK && !(r == RENDER_NULL && nulls))
			return fail_value(why, r, t->what, piece->column, row);
		if (t->escape)
			escape_key(b, start, &w->scratch);
	}
	buf_add(b, t->tail, t->tail_len);
	return true;
}

/*
 * Fields
 */

static enum render_result
add_old(struct document_writer *w, const struct plan_slot *s, const struct row *row,
    struct buf *b)
{
	const msgpack_object *o = NULL;
	enum render_result r;
	size_t start = b->len;

	if (row->old != NULL && s->column != PLAN_NO_COLUMN)
		o = &row->old[s->column];
	if (o == NULL || frame_is_absent(o)) {
		buf_add(b, "null", 4);
		return RENDER_OK;
	}
	if (s->convert != NULL)
		r = convert_json(b, o, s->class, s->convert, &w->renderer);
	else
		r = render_json(b, o, s->class, &w->renderer);
	if (r != RENDER_OK) {
		/* It was rejected when it was new; the row as it is now has no fault. */
		b->len = start;
		buf_add(b, "null", 4);
	}
	return RENDER_OK;
}

/* A template's text as a JSON string; what is one part that is null is null. */
static bool
add_string(struct document_writer *w, const struct plan *plan, const struct plan_text *t,
    const struct row *row, struct buf *b, struct failure *why)
{
	bool alone = t->pieces == 1 && t->piece[0].before_len == 0 && t->tail_len == 0;

	w->text.len = 0;
	if (!document_text(w, plan, t, row, !alone, &w->text, why)) {
		if (why->result != RENDER_NULL)
			return false;
		buf_add(b, "null", 4);
		return true;
	}
	quote_string(b, w->text.data, w->text.len);
	return true;
}

static bool
add_slot(struct document_writer *w, const struct plan *plan, const struct plan_document *doc,
    const struct plan_field *f, const struct plan_slot *s, const struct row *row, struct buf *b,
    struct failure *why)
{
	enum render_result r = RENDER_OK;
	const msgpack_object *o;

	if (s->convert != NULL && s->kind == SLOT_NEW) {
		o = document_value(row, s->column);
		if (s->convert->conversion == CONVERT_FLATTEN) {
			r = convert_flatten(b, o, doc, f, &w->renderer);
		} else {
			buf_add(b, s->before, s->before_len);
			r = convert_json(b, o, s->class, s->convert, &w->renderer);
		}
		return r == RENDER_OK || fail_value(why, r, f->name, s->column, row);
	}
	buf_add(b, s->before, s->before_len);
	switch (s->kind) {
	case SLOT_NEW:
		r = render_json(b, document_value(row, s->column), s->class, &w->renderer);
		break;
	case SLOT_OLD: r = add_old(w, s, row, b); break;
	case SLOT_TEXT: return add_string(w, plan, &s->text, row, b, why);
	case SLOT_CONSTANT: break;
	}
	return r == RENDER_OK || fail_value(why, r, f->name, s->column, row);
}

static bool
add_field(struct document_writer *w, const struct plan *plan, const struct plan_document *doc,
    const struct plan_field *f, const struct row *row, struct buf *b, struct failure *why)
{
	for (const struct plan_slot *s = f->slot; s < f->slot + f->slots; s++)
		if (!add_slot(w, plan, doc, f, s, row, b, why))
			return false;
	return true;
}

/*
 * Which columns is a field made of?  Calls until one returns false; true when none does.  For
 * what differs from change to change, without a column, it is PLAN_NO_COLUMN.
 */
static bool
all_columns(const struct plan_field *f, const struct row *row,
    bool (*holds)(const struct row *, uint32_t column))
{
	for (const struct plan_slot *s = f->slot; s < f->slot + f->slots; s++) {
		if (s->kind == SLOT_NEW && !holds(row, s->column))
			return false;
		for (size_t i = 0; s->kind == SLOT_TEXT && i < s->text.pieces; i++)
			if (!holds(row, s->text.piece[i].column))
				return false;
	}
	return true;
}

static bool
is_absent(const struct row *row, uint32_t column)
{
	return column != PLAN_NO_COLUMN && frame_is_absent(document_value(row, column));
}

/* The server says so, or the old row does. */
static bool
is_unchanged(const struct row *row, uint32_t column)
{
	if (column == PLAN_NO_COLUMN)
		return false;
	if (frame_is_absent(&row->new[column]))
		return true;
	return row->old != NULL && !frame_is_absent(&row->old[column]) &&
	    document_same_value(&row->new[column], &row->old[column]);
}

static bool
is_flat(const struct plan_field *f)
{
	return f->slot[0].convert != NULL && f->slot[0].convert->conversion == CONVERT_FLATTEN;
}

static void
remember_merge(struct document_writer *w, const struct plan_field *f)
{
	if (w->merges == w->merge_cap) {
		w->merge_cap = w->merge_cap > 0 ? 2 * w->merge_cap : 16;
		w->merge = xrealloc(w->merge, w->merge_cap * sizeof(*w->merge));
	}
	w->merge[w->merges++] = f;
}

/* A column is absent: what becomes of the field, of which nothing is appended? */
static bool
add_absent(struct document_writer *w, const struct plan *plan, const struct plan_document *doc,
    const struct plan_field *f, const struct row *row, struct buf *b)
{
	switch (plan->rule->toast) {
	case TOAST_OMIT: return true;
	case TOAST_NULL:
		buf_add(b, f->head, f->head_len);
		buf_add(b, "null", 4);
		return true;
	case TOAST_MERGE:
		/* Nothing of it may have changed, and its name must be known. */
		if (w->creates || doc != &plan->document || is_flat(f) ||
		    !all_columns(f, row, is_absent))
			return false;
		remember_merge(w, f);
		return true;
	case TOAST_REJECT: break;
	}
	return false;
}

/* Each field began with a comma. */
static void
close_object(struct buf *b, size_t start)
{
	if (b->len == start)
		buf_addc(b, '{');
	else
		b->data[start] = '{';
	buf_addc(b, '}');
}

/* A column as it is, which nearly all fields are: that is worth a shorter way. */
static bool
is_column(const struct plan_field *f)
{
	return f->slots == 1 && f->slot[0].kind == SLOT_NEW && f->slot[0].convert == NULL;
}

static bool
add_column(struct document_writer *w, const struct plan_field *f, const struct row *row,
    struct buf *b, struct failure *why)
{
	const struct plan_slot *s = f->slot;
	enum render_result r;

	buf_add(b, s->before, s->before_len);
	r = render_json(b, document_value(row, s->column), s->class, &w->renderer);
	return r == RENDER_OK || fail_value(why, r, f->name, s->column, row);
}

bool
document_add(struct document_writer *w, const struct plan *plan,
    const struct plan_document *doc, const struct row *row, struct buf *b, struct failure *why)
{
	size_t start = b->len;

	w->merges = 0;
	w->renderer.names.len = 0;
	for (size_t i = 0; i < doc->fields; i++) {
		const struct plan_field *f = &doc->field[i];
		size_t here = b->len;

		if (is_column(f)) {
			if (add_column(w, f, row, b, why))
				continue;
		} else if (f->updates_only && row->change != CHANGE_UPDATE) {
			continue;
		} else if (add_field(w, plan, doc, f, row, b, why)) {
			continue;
		}
		b->len = here;
		if (why->kind != FAIL_VALUE || why->result != RENDER_ABSENT ||
		    !add_absent(w, plan, doc, f, row, b))
			return false;
	}
	close_object(b, start);
	if (w->renderer.names.len > 0 && convert_check_flat(b, &w->renderer) != RENDER_OK) {
		*why = (struct failure) { .kind = FAIL_VALUE,
			.result = RENDER_FAULT,
			.what = "flatten",
			.column = PLAN_NO_COLUMN };
		return false;
	}
	return true;
}

/* Is there more in it than what the file gives? */
static bool
is_constant(const struct plan_field *f)
{
	return f->slots == 1 && f->slot[0].kind == SLOT_CONSTANT;
}

/* Is the value that begins at start a JSON object?  JSON of a column may have blanks before it. */
static bool
is_object(const struct buf *b, size_t start)
{
	while (start < b->len && (b->data[start] == ' ' || b->data[start] == '\t'))
		start++;
	return start < b->len && b->data[start] == '{';
}

/*
 * Of a field that an update is to leave alone nothing was sent.  Where a part of it was sent
 * it may have changed, and cannot be told.
 */
static bool
leave_alone(const struct plan *plan, const struct plan_field *f, const struct row *row,
    struct buf *b)
{
	if (all_columns(f, row, is_absent) || plan->rule->toast == TOAST_OMIT)
		return true;
	if (plan->rule->toast != TOAST_NULL)
		return false;
	buf_add(b, f->head, f->head_len);
	buf_add(b, "null", 4);
	return true;
}

bool
document_changes(struct document_writer *w, const struct plan *plan, const struct row *row,
    struct buf *b, bool *objects, struct failure *why)
{
	const struct plan_document *doc = &plan->document;
	size_t start = b->len;
	bool any = false;

	*objects = false;
	for (size_t i = 0; i < doc->fields; i++) {
		const struct plan_field *f = &doc->field[i];
		size_t here = b->len;

		if (is_constant(f) || (!f->updates_only && all_columns(f, row, is_unchanged)))
			continue;
		if (!add_field(w, plan, doc, f, row, b, why)) {
			b->len = here;
			if (why->kind != FAIL_VALUE || why->result != RENDER_ABSENT ||
			    !leave_alone(plan, f, row, b))
				return false;
			if (b->len == here)
				continue;
		}
		any = any || (!f->updates_only && !all_columns(f, row, is_unchanged));
		*objects |= is_object(b, here + f->head_len);
	}
	if (!any)
		b->len = start;
	else
		close_object(b, start);
	return true;
}

void
document_writer_free(struct document_writer *w)
{
	renderer_free(&w->renderer);
	buf_free(&w->text);
	buf_free(&w->scratch);
	free(w->merge);
	w->merge = NULL;
}
