#include <math.h>
#include <string.h>

#include "datetime.h"
#include "decimal.h"
#include "expr_plan.h"
#include "frame.h"
#include "utf8.h"

static struct expr_value
state(enum value_state s)
{
	return (struct expr_value) { .state = s };
}

static struct expr_value
truth(bool b)
{
	return (struct expr_value) { .state = VALUE_SET, .b = b };
}

static enum value_state
worse(enum value_state a, enum value_state b)
{
	return a > b ? a : b;
}

/* At most so many bytes of a value, and of those only whole characters. */
static void
put_shortened(struct buf *b, const char *s, size_t len)
{
	size_t n = 0, more;

	while (n < len && n < 60 && (more = utf8_char(s + n, len - n)) > 0)
		n += more;
	buf_addc(b, '"');
	buf_add(b, s, n);
	buf_adds(b, n < len ? "\"..." : "\"");
	buf_cstr(b);
}

/* Remember the first failure, which is the one to tell. */
static struct expr_value
fault(struct expr_plan *p, const struct step *s, const struct expr_value *v,
    enum expr_kind from)
{
	struct buf *b = &p->message, text = { 0 };
	struct expr_value copy = *v;

	if (p->fault != NULL)
		return state(VALUE_FAULT);
	p->fault = s;
	b->len = 0;
	buf_adds(b, "cannot cast ");
	if (expr_cast(&copy, from, KIND_TEXT, &text))
		put_shortened(b, copy.s.ptr, copy.s.len);
	buf_printf(b, " to %s", expr_kind_name(s->kind));
	buf_free(&text);
	return state(VALUE_FAULT);
}

/*
 * Columns
 */

/* A column's value as the types have it.  False: it is in no form of its type. */
static bool
load(struct expr_value *v, const msgpack_object *o, enum expr_kind kind)
{
	struct datetime d;
	struct decimal number;

	v->state = VALUE_SET;
	if (o->type == MSGPACK_OBJECT_STR || o->type == MSGPACK_OBJECT_BIN ||
	    o->type == MSGPACK_OBJECT_EXT) {
		v->s.ptr = o->type == MSGPACK_OBJECT_EXT ? o->via.ext.ptr : o->via.str.ptr;
		v->s.len = o->type == MSGPACK_OBJECT_EXT ? o->via.ext.size : o->via.str.size;
	}
	switch (kind) {
	case KIND_BOOL: v->b = o->via.boolean; return o->type == MSGPACK_OBJECT_BOOLEAN;
	case KIND_INT2:
	case KIND_INT4:
	case KIND_INT8:
	case KIND_OID:
		v->i = o->via.i64;
		return o->type == MSGPACK_OBJECT_NEGATIVE_INTEGER ||
		    (o->type == MSGPACK_OBJECT_POSITIVE_INTEGER && v->i >= 0);
	case KIND_FLOAT:
		v->d = o->via.f64;
		return o->type == MSGPACK_OBJECT_FLOAT64 || o->type == MSGPACK_OBJECT_FLOAT32;
	case KIND_NUMERIC:
		return o->type == MSGPACK_OBJECT_STR &&
		    decimal_parse(&number, v->s.ptr, v->s.len);
	case KIND_DATE:
	case KIND_TIMESTAMP:
	case KIND_TIMESTAMPTZ:
		if (o->type != MSGPACK_OBJECT_STR || !datetime_parse(&d, v->s.ptr, v->s.len))
			return false;
		v->i = kind == KIND_DATE ? datetime_days(&d) : datetime_micros(&d);
		return true;
	case KIND_JSON:
		return o->type == MSGPACK_OBJECT_EXT && o->via.ext.type == FRAME_EXT_JSON;
	case KIND_BYTEA: return o->type == MSGPACK_OBJECT_BIN;
	case KIND_UNKNOWN:
	case KIND_TEXT:
	case KIND_BPCHAR:
	case KIND_UUID:
	case KIND_CLOCK:
	case KIND_ARRAY:
	case KIND_RANGE:
	case KIND_COMPOSITE:
	case KIND_TIMETZ:
	default: return o->type == MSGPACK_OBJECT_STR || o->type == MSGPACK_OBJECT_BIN;
	}
}

/* Where a column's value is, see struct expr_row; NULL: nowhere. */
static const msgpack_object *
find_column(const struct expr_plan *p, const struct step *s)
{
	const msgpack_object *row = &p->row->row[s->column];
	const msgpack_object *old = p->row->old == NULL ? NULL : &p->row->old[s->column];

	if (s->is_old) {
		if (old == NULL && !s->in_identity)
			return NULL;
		row = old == NULL ? row : old;
	} else if (frame_is_absent(row) && old != NULL) {
		row = old;
	}
	return frame_is_absent(row) ? NULL : row;
}

/* The state of a column, and where it is set its object. */
static enum value_state
column_state(struct expr_plan *p, const struct step *s, const msgpack_object **o)
{
	if (s->is_old && p->row->inserted)
		return VALUE_NULL;
	*o = find_column(p, s);
	if (*o != NULL)
		return (*o)->type == MSGPACK_OBJECT_NIL ? VALUE_NULL : VALUE_SET;
	if (p->absent == NULL)
		p->absent = s;
	return VALUE_ABSENT;
}

static struct expr_value
eval_column(struct expr_plan *p, const struct step *s)
{
	const msgpack_object *o = NULL;
	struct expr_value v = state(column_state(p, s, &o));

	if (v.state != VALUE_SET || load(&v, o, s->kind))
		return v;
	if (p->fault != NULL)
		return state(VALUE_FAULT);
	p->fault = s;
	p->message.len = 0;
	buf_printf(&p->message, "the value of %s%s cannot be taken as %s",
	    s->is_old ? "old." : "", s->text, expr_kind_name(s->kind));
	return state(VALUE_FAULT);
}

/*
 * Comparisons
 */

static int
compare_text(struct expr_value *a, struct expr_value *b, bool padded)
{
	size_t n;
	int order;

	while (padded && a->s.len > 0 && a->s.ptr[a->s.len - 1] == ' ')
		a->s.len--;
	while (padded && b->s.len > 0 && b->s.ptr[b->s.len - 1] == ' ')
		b->s.len--;
	n = a->s.len < b->s.len ? a->s.len : b->s.len;
	order = n == 0 ? 0 : memcmp(a->s.ptr, b->s.ptr, n);
	return order != 0 ? order : (a->s.len > b->s.len) - (a->s.len < b->s.len);
}

/* NaN is equal to itself and above all else, as PostgreSQL has it. */
static int
compare_floats(double a, double b)
{
	if (isnan(a) || isnan(b))
		return !!isnan(a) - !!isnan(b);
	return (a > b) - (a < b);
}

/* Of two values that are set, of kinds that binding has made comparable. */
static int
compare_values(struct expr_value a, struct expr_value b, enum expr_kind kind)
{
	struct decimal x, y;

	switch (kind) {
	case KIND_BOOL: return a.b - b.b;
	case KIND_NUMERIC:
		if (!decimal_parse(&x, a.s.ptr, a.s.len) || !decimal_parse(&y, b.s.ptr, b.s.len))
			return 0; /* both were looked at when they were loaded or cast */
		return decimal_compare(&x, &y);
	case KIND_FLOAT: return compare_floats(a.d, b.d);
	case KIND_INT2:
	case KIND_INT4:
	case KIND_INT8:
	case KIND_OID:
	case KIND_DATE:
	case KIND_TIMESTAMP:
	case KIND_TIMESTAMPTZ: return (a.i > b.i) - (a.i < b.i);
	case KIND_BPCHAR: return compare_text(&a, &b, true);
	case KIND_UNKNOWN:
	case KIND_TEXT:
	case KIND_UUID:
	case KIND_CLOCK:
	case KIND_JSON:
	case KIND_BYTEA:
	case KIND_ARRAY:
	case KIND_RANGE:
	case KIND_COMPOSITE:
	case KIND_TIMETZ:
	default: return compare_text(&a, &b, false);
	}
}

static struct expr_value
compare(struct expr_value a, struct expr_value b, enum expr_kind kind, enum expr_comparison by)
{
	int order;

	if (a.state != VALUE_SET || b.state != VALUE_SET)
		return state(worse(a.state, b.state));
	order = compare_values(a, b, kind);
	switch (by) {
	case CMP_EQ: return truth(order == 0);
	case CMP_NE: return truth(order != 0);
	case CMP_LT: return truth(order < 0);
	case CMP_LE: return truth(order <= 0);
	case CMP_GT: return truth(order > 0);
	case CMP_GE:
	default: return truth(order >= 0);
	}
}

static struct expr_value
eval_distinct(struct expr_plan *p, const struct step *s)
{
	struct expr_value a = expr_eval(p, s->arg[0]), b = expr_eval(p, s->arg[1]);

	if (a.state > VALUE_NULL || b.state > VALUE_NULL)
		return state(worse(a.state, b.state));
	if (a.state == VALUE_NULL || b.state == VALUE_NULL)
		return truth(a.state != b.state);
	return compare(a, b, s->arg[0]->kind, CMP_NE);
}

/*
 * Logic
 */

/* Add one more to what a row of and (decisive false) or of or (decisive true) has so far. */
static void
combine(struct expr_value *sum, struct expr_value more, bool decisive)
{
	if (more.state == VALUE_SET && more.b == decisive)
		*sum = more;
	else if (sum->state != VALUE_SET || more.state != VALUE_SET)
		sum->state = worse(sum->state, more.state);
}

static bool
is_decided(const struct expr_value *v, bool decisive)
{
	return v->state == VALUE_SET && v->b == decisive;
}

static struct expr_value
eval_logic(struct expr_plan *p, const struct step *s)
{
	bool decisive = s->op == EXPR_OR;
	struct expr_value sum = truth(!decisive);

	for (size_t i = 0; i < s->args && !is_decided(&sum, decisive); i++)
		combine(&sum, expr_eval(p, s->arg[i]), decisive);
	return sum;
}

static struct expr_value
eval_in(struct expr_plan *p, const struct step *s)
{
	struct expr_value left = expr_eval(p, s->arg[0]), sum = truth(false);

	for (size_t i = 1; i < s->args && !is_decided(&sum, true); i++)
		combine(&sum,
		    compare(left, expr_eval(p, s->arg[i]), s->arg[0]->kind, CMP_EQ), true);
	return sum;
}

static struct expr_value
eval_between(struct expr_plan *p, const struct step *s)
{
	struct expr_value v = expr_eval(p, s->arg[0]), sum = truth(true);
	enum expr_kind kind = s->arg[0]->kind;

	combine(&sum, compare(v, expr_eval(p, s->arg[1]), kind, CMP_GE), false);
	if (!is_decided(&sum, false))
		combine(&sum, compare(v, expr_eval(p, s->arg[2]), kind, CMP_LE), false);
	return sum;
}

static struct expr_value
eval_is_null(struct expr_plan *p, struct step *s)
{
	const msgpack_object *o = NULL;
	enum value_state is;

	/* Also values that no other operator takes. */
	if (s->op == EXPR_COLUMN && !s->constant)
		is = column_state(p, s, &o);
	else
		is = expr_eval(p, s).state;
	return is > VALUE_NULL ? state(is) : truth(is == VALUE_NULL);
}

static struct expr_value
eval_is_bool(struct expr_plan *p, const struct step *s)
{
	struct expr_value v = expr_eval(p, s->arg[0]);

	if (v.state > VALUE_NULL)
		return v;
	if (s->truth == EXPR_NULL || v.state == VALUE_NULL)
		return truth(s->truth == EXPR_NULL && v.state == VALUE_NULL);
	return truth(v.b == (s->truth == EXPR_TRUE));
}

/*
 * Text and casts
 */

static struct expr_value
eval_like(struct expr_plan *p, const struct step *s)
{
	struct expr_value v = expr_eval(p, s->arg[0]), pattern = expr_eval(p, s->arg[1]);

	if (v.state != VALUE_SET || pattern.state != VALUE_SET)
		return state(worse(v.state, pattern.state));
	if (like_cut(&s->like, pattern.s.ptr, pattern.s.len)) {
		if (p->fault == NULL) {
			p->fault = s;
			p->message.len = 0;
			buf_adds(&p->message, "a pattern ends with its escape: ");
			put_shortened(&p->message, pattern.s.ptr, pattern.s.len);
		}
		return state(VALUE_FAULT);
	}
	return truth(
	    like_match(&s->like, v.s.ptr, v.s.len, pattern.s.ptr, pattern.s.len));
}

static struct expr_value
eval_function(struct expr_plan *p, struct step *s)
{
	struct expr_value v = expr_eval(p, s->arg[0]);

	if (v.state != VALUE_SET)
		return v;
	if (s->op == EXPR_LENGTH) {
		v.i = (int64_t)text_length(v.s.ptr, v.s.len);
		return v;
	}
	s->scratch.len = 0;
	text_case(&s->scratch, v.s.ptr, v.s.len, s->op == EXPR_UPPER);
	v.s.ptr = s->scratch.data;
	v.s.len = s->scratch.len;
	return v;
}

static struct expr_value
eval_cast(struct expr_plan *p, struct step *s)
{
	struct expr_value v = expr_eval(p, s->arg[0]), was = v;

	if (v.state != VALUE_SET || expr_cast(&v, s->arg[0]->kind, s->kind, &s->scratch))
		return v;
	return fault(p, s, &was, s->arg[0]->kind);
}

static struct expr_value
eval_coalesce(struct expr_plan *p, const struct step *s)
{
	struct expr_value v = state(VALUE_NULL);

	for (size_t i = 0; i < s->args && v.state == VALUE_NULL; i++)
		v = expr_eval(p, s->arg[i]);
	return v;
}

static struct expr_value
eval_step(struct expr_plan *p, struct step *s)
{
	switch (s->op) {
	case EXPR_OR:
	case EXPR_AND: return eval_logic(p, s);
	case EXPR_NOT: return expr_eval(p, s->arg[0]);
	case EXPR_COMPARE: {
		struct expr_value a = expr_eval(p, s->arg[0]), b = expr_eval(p, s->arg[1]);

		return compare(a, b, s->arg[0]->kind, s->compare);
	}
	case EXPR_DISTINCT: return eval_distinct(p, s);
	case EXPR_IN: return eval_in(p, s);
	case EXPR_BETWEEN: return eval_between(p, s);
	case EXPR_LIKE: return eval_like(p, s);
	case EXPR_IS_NULL: return eval_is_null(p, s->arg[0]);
	case EXPR_IS_BOOL: return eval_is_bool(p, s);
	case EXPR_CAST: return eval_cast(p, s);
	case EXPR_LOWER:
	case EXPR_UPPER:
	case EXPR_LENGTH: return eval_function(p, s);
	case EXPR_COALESCE: return eval_coalesce(p, s);
	case EXPR_COLUMN: return eval_column(p, s);
	case EXPR_STRING:
	case EXPR_NUMBER:
	case EXPR_BOOLEAN:
	case EXPR_NOTHING:
	default: return s->value;
	}
}

struct expr_value
expr_eval(struct expr_plan *p, struct step *s)
{
	const struct step *absent = p->absent, *faulted = p->fault;
	struct expr_value v;

	if (s->constant)
		return s->value;
	v = eval_step(p, s);
	if (v.state < VALUE_ABSENT) {
		/* Whatever was missing below did not matter. */
		p->absent = absent;
		p->fault = faulted;
	}
	if (v.state == VALUE_SET && s->negated)
		v.b = !v.b;
	return v;
}

enum expr_truth
expr_test(struct expr_plan *p, const struct expr_row *row)
{
	struct expr_value v;

	p->row = row;
	p->absent = p->fault = NULL;
	v = expr_eval(p, p->root);
	p->row = NULL;
	switch (v.state) {
	case VALUE_SET: return v.b ? EXPR_TRUE : EXPR_FALSE;
	case VALUE_NULL: return EXPR_NULL;
	case VALUE_ABSENT: return EXPR_ABSENT;
	case VALUE_FAULT:
	default: return EXPR_FAULT;
	}
}

uint32_t
expr_absent_column(const struct expr_plan *p, bool *is_old)
{
	*is_old = p->absent->is_old;
	return p->absent->column;
}

const char *
expr_fault(const struct expr_plan *p)
{
	return p->message.data;
}
