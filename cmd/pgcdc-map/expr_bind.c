#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "decimal.h"
#include "expr_plan.h"
#include "utf8.h"

struct binder {
	const struct relation *relation;
	struct expr_problem *problem;
	struct expr_plan *plan; /* to compute constants in */
};

static struct step *bind_step(struct binder *, const struct expr *);

/* What a column's values are.  What an array of a type of one's own is of is its base. */
static enum expr_kind
kind_of(const struct relation_column *c)
{
	size_t n = c->type != NULL ? strlen(c->type) : 0;

	if (n > 2 && strcmp(c->type + n - 2, "[]") == 0)
		return KIND_ARRAY;
	return c->shape != NULL ? KIND_COMPOSITE : expr_kind_of(c->base_oid);
}

/*
 * Steps
 */

static void
step_free(struct step *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->args; i++)
		step_free(s->arg[i]);
	free(s->arg);
	free(s->text);
	buf_free(&s->scratch);
	free(s);
}

static struct step *
step_new(enum expr_op op, size_t offset, size_t args)
{
	struct step *s = xcalloc(1, sizeof(*s));

	s->op = op;
	s->offset = offset;
	s->kind = KIND_BOOL;
	s->args = args;
	s->arg = xcalloc(args, sizeof(struct step *));
	return s;
}

/* A literal of a problem's message, short enough for it. */
static int
shown(const struct expr_value *v)
{
	size_t n = 0, more;

	while (n < v->s.len && n < 60 &&
	    (more = utf8_char(v->s.ptr + n, v->s.len - n)) > 0)
		n += more;
	return (int)n;
}

/* Compute s now if nothing of it depends on a row.  False: it cannot be computed. */
static bool
fold(struct binder *b, struct step *s)
{
	bool all = true;

	for (size_t i = 0; i < s->args; i++) {
		const struct step *arg = s->arg[i];

		all &= arg->constant;
		/* One of these decides alone. */
		if ((s->op == EXPR_AND || s->op == EXPR_OR) && arg->constant &&
		    arg->value.state == VALUE_SET && arg->value.b == (s->op == EXPR_OR)) {
			s->value = arg->value;
			s->constant = true;
			return true;
		}
		/* So does null, as PostgreSQL folds it. */
		if (s->op == EXPR_COMPARE && arg->constant && arg->value.state == VALUE_NULL) {
			s->value = arg->value;
			s->constant = true;
			return true;
		}
	}
	if (!all)
		return true;
	b->plan->absent = b->plan->fault = NULL;
	s->value = expr_eval(b->plan, s);
	s->constant = true;
	if (s->value.state != VALUE_FAULT)
		return true;
	expr_problem_set(b->problem, b->plan->fault->offset, "%s", buf_cstr(&b->plan->message));
	return false;
}

/*
 * Types
 */

/* Give a literal that has no type yet this one.  False: it is none of it. */
static bool
give_type(struct binder *b, struct step *s, enum expr_kind kind)
{
	struct expr_value was = s->value;

	s->kind = kind;
	if (s->value.state != VALUE_SET ||
	    expr_cast(&s->value, KIND_UNKNOWN, kind, &s->scratch))
		return true;
	expr_problem_set(b->problem, s->offset, "\"%.*s\" is no valid %s", shown(&was),
	    was.s.ptr, expr_kind_name(kind));
	return false;
}

/* Make *s one of kind, by a cast where its values are others. */
static bool
coerce(struct binder *b, struct step **s, enum expr_kind kind)
{
	struct step *cast;

	if ((*s)->kind == KIND_UNKNOWN)
		return give_type(b, *s, kind);
	if ((*s)->kind == kind || (expr_is_int((*s)->kind) && expr_is_int(kind)) ||
	    (((*s)->kind == KIND_UUID || (*s)->kind == KIND_CLOCK) && kind == KIND_TEXT) ||
	    ((*s)->kind == KIND_TIMESTAMP && kind == KIND_TIMESTAMPTZ))
		return true;
	cast = step_new(EXPR_CAST, (*s)->offset, 1);
	cast->kind = kind;
	cast->arg[0] = *s;
	*s = cast;
	return fold(b, cast);
}

/* The type that both have when they are compared; false: there is none without a cast. */
static bool
common_of_two(enum expr_kind a, enum expr_kind b, enum expr_kind *common)
{
	*common = a;
	if (a == b || b == KIND_UNKNOWN)
		return true;
	*common = a > b ? a : b;
	if (a == KIND_UNKNOWN)
		return true;
	if (expr_is_text(a) && expr_is_text(b)) {
		*common = KIND_TEXT;
		return true;
	}
	/* Numbers and times stand in the order in which one is made of the other. */
	return (expr_is_number(a) && expr_is_number(b)) || (expr_is_time(a) && expr_is_time(b));
}

/* The hint: text becomes what the other is. */
static void
no_common_type(struct binder *b, const struct step *s, enum expr_kind one, enum expr_kind other)
{
	enum expr_kind to = one == KIND_TEXT || one == KIND_BPCHAR ? other : one;
	const char *name = "x";

	for (size_t i = 0; i < s->args; i++)
		if (s->arg[i]->op == EXPR_COLUMN && expr_is_text(s->arg[i]->kind))
			name = s->arg[i]->text;
	if (to == KIND_OID)
		to = KIND_INT8;
	if ((one == KIND_TEXT || one == KIND_BPCHAR) != (other == KIND_TEXT || other == KIND_BPCHAR))
		expr_problem_set(b->problem, s->offset,
		    "%s and %s are not compared without a cast: cast the text, as in %.63s::%s",
		    expr_kind_name(one), expr_kind_name(other), name, expr_kind_name(to));
	else
		expr_problem_set(b->problem, s->offset, "%s and %s are not compared",
		    expr_kind_name(one), expr_kind_name(other));
}

/* Values of a kind that nothing but IS NULL takes. */
static void
not_comparable(struct binder *b, const struct step *x)
{
	if (expr_can_cast(x->kind, KIND_TEXT))
		expr_problem_set(b->problem, x->offset,
		    "%s can only be tested by is [not] null; cast it to text for anything else, "
		    "as in %.60s::text",
		    expr_kind_name(x->kind), x->op == EXPR_COLUMN ? x->text : "x");
	else
		expr_problem_set(b->problem, x->offset,
		    "%s can only be tested by is [not] null", expr_kind_name(x->kind));
}

/* Bring all arguments of s to one type, and return that in kind. */
static bool
unify(struct binder *b, struct step *s, enum expr_kind *kind)
{
	enum expr_kind all = KIND_UNKNOWN;

	for (size_t i = 0; i < s->args; i++) {
		enum expr_kind before = all;

		if (s->arg[i]->kind >= KIND_JSON) {
			not_comparable(b, s->arg[i]);
			return false;
		}
		if (!common_of_two(before, s->arg[i]->kind, &all)) {
			no_common_type(b, s, before, s->arg[i]->kind);
			return false;
		}
	}
	if (all == KIND_UNKNOWN)
		all = KIND_TEXT;
	for (size_t i = 0; i < s->args; i++)
		if (!coerce(b, &s->arg[i], all))
			return false;
	*kind = all;
	return true;
}

/* All arguments have to be boolean. */
static bool
want_bool(struct binder *b, struct step *s, const char *what)
{
	for (size_t i = 0; i < s->args; i++) {
		struct step *arg = s->arg[i];

		if (arg->kind == KIND_UNKNOWN && !give_type(b, arg, KIND_BOOL))
			return false;
		if (arg->kind == KIND_BOOL)
			continue;
		expr_problem_set(b->problem, arg->offset, "%s takes booleans, and this is %s", what,
		    expr_kind_name(arg->kind));
		return false;
	}
	return true;
}

/* Argument i has to be text, and is without padding if that is asked for. */
static bool
want_text(struct binder *b, struct step *s, size_t i, const char *what, bool unpadded)
{
	struct step *arg = s->arg[i];

	if (arg->kind == KIND_UNKNOWN)
		return give_type(b, arg, KIND_TEXT);
	if (arg->kind == KIND_BPCHAR && unpadded)
		return coerce(b, &s->arg[i], KIND_TEXT);
	if (expr_is_text(arg->kind))
		return true;
	if (expr_can_cast(arg->kind, KIND_TEXT))
		expr_problem_set(b->problem, arg->offset,
		    "%s takes text, and this is %s: cast it, as in %.60s::text", what,
		    expr_kind_name(arg->kind), arg->op == EXPR_COLUMN ? arg->text : "x");
	else
		expr_problem_set(b->problem, arg->offset, "%s takes text, and this is %s", what,
		    expr_kind_name(arg->kind));
	return false;
}

/*
 * One step each
 */

static bool
bind_column(struct binder *b, struct step *s, const struct expr *e)
{
	const struct relation *rel = b->relation;
	int64_t n = relation_column(rel, e->text);

	if (n >= 0) {
		s->column = (uint32_t)n;
		s->kind = kind_of(&rel->column[n]);
		s->in_identity = rel->column[n].in_identity;
		s->is_old = e->is_old;
		s->text = xstrdup(e->text);
		return true;
	}
	for (uint32_t i = 0; i < rel->columns; i++) {
		if (strcasecmp(rel->column[i].name, e->text) != 0)
			continue;
		expr_problem_set(b->problem, e->offset,
		    "%.63s has no column \"%.63s\"; did you mean \"%.63s\", with its quotes?",
		    rel->name, e->text, rel->column[i].name);
		return false;
	}
	expr_problem_set(b->problem, e->offset, "%.63s has no column \"%.63s\"", rel->name, e->text);
	return false;
}

static bool
bind_number(struct binder *b, struct step *s, const struct expr *e)
{
	struct decimal d;

	s->text = xstrndup(e->text, e->len);
	s->constant = true;
	if (!decimal_parse(&d, s->text, e->len) || !decimal_print(&s->scratch, &d)) {
		expr_problem_set(b->problem, e->offset, "a number that numeric has no room for");
		return false;
	}
	s->kind = KIND_NUMERIC;
	s->value.state = VALUE_SET;
	if (strpbrk(s->text, ".eE") == NULL && decimal_int(&d, &s->value.i)) {
		s->kind = s->value.i >= INT32_MIN && s->value.i <= INT32_MAX ? KIND_INT4 :
		                                                               KIND_INT8;
		return true;
	}
	s->value.s.ptr = s->scratch.data;
	s->value.s.len = s->scratch.len;
	return true;
}

static void
bind_literal(struct step *s, const struct expr *e)
{
	s->constant = true;
	s->value.state = VALUE_SET;
	s->kind = KIND_UNKNOWN;
	if (e->op == EXPR_BOOLEAN) {
		s->kind = KIND_BOOL;
		s->value.b = e->truth == EXPR_TRUE;
	} else if (e->op == EXPR_STRING) {
		s->text = xstrndup(e->text, e->len);
		s->value.s.ptr = s->text;
		s->value.s.len = e->len;
	} else {
		s->value.state = VALUE_NULL;
	}
}

static bool
bind_cast(struct binder *b, struct step *s, const struct expr *e)
{
	struct step *arg = s->arg[0];

	s->kind = e->type;
	if (arg->kind == KIND_UNKNOWN)
		return give_type(b, arg, e->type);
	if (expr_can_cast(arg->kind, e->type))
		return true;
	expr_problem_set(b->problem, s->offset, "there is no cast from %s to %s%s",
	    expr_kind_name(arg->kind), expr_kind_name(e->type),
	    arg->kind == KIND_JSON ? ", but to text and from there" : "");
	return false;
}

/* The escape character has to be known now; it leaves the arguments. */
static bool
bind_escape(struct binder *b, struct step *s)
{
	struct step *e;
	size_t len;

	s->like.escape = "\\";
	s->like.escape_len = 1;
	if (s->args < 3)
		return true;
	if (!want_text(b, s, 2, "escape", false))
		return false;
	e = s->arg[2];
	len = e->value.s.len;
	if (!e->constant || e->value.state != VALUE_SET ||
	    (len > 0 && utf8_char(e->value.s.ptr, len) != len)) {
		expr_problem_set(b->problem, e->offset,
		    "escape takes a literal of one character, or '' for none");
		return false;
	}
	s->text = xstrndup(e->value.s.ptr, len);
	s->like.escape = s->text;
	s->like.escape_len = len;
	step_free(e);
	s->args = 2;
	return true;
}

static bool
bind_like(struct binder *b, struct step *s, const struct expr *e)
{
	const struct step *pattern;
	const char *what = e->ignore_case ? "ilike" : "like";

	s->like.ignore_case = e->ignore_case;
	if (!want_text(b, s, 0, what, false) || !want_text(b, s, 1, what, false) ||
	    !bind_escape(b, s))
		return false;
	pattern = s->arg[1];
	if (!pattern->constant || pattern->value.state != VALUE_SET ||
	    !like_cut(&s->like, pattern->value.s.ptr, pattern->value.s.len))
		return true;
	expr_problem_set(b->problem, pattern->offset,
	    "the pattern ends with its escape, which stands before a character");
	return false;
}

/* What an operator or function asks of its arguments. */
static bool
bind_operator(struct binder *b, struct step *s, const struct expr *e)
{
	static const char *const functions[] = { [EXPR_LOWER] = "lower", [EXPR_UPPER] = "upper",
		[EXPR_LENGTH] = "length" };
	enum expr_kind kind;

	switch (e->op) {
	case EXPR_OR: return want_bool(b, s, "or");
	case EXPR_AND: return want_bool(b, s, "and");
	case EXPR_NOT: s->negated = true; return want_bool(b, s, "not");
	case EXPR_IS_BOOL:
		return want_bool(b, s,
		    e->truth == EXPR_TRUE      ? "is true" :
		        e->truth == EXPR_FALSE ? "is false" :
		                                 "is unknown");
	case EXPR_COMPARE:
	case EXPR_IN:
	case EXPR_BETWEEN: return unify(b, s, &kind);
	case EXPR_DISTINCT: s->negated = e->negated; return unify(b, s, &kind);
	case EXPR_COALESCE: return unify(b, s, &s->kind);
	case EXPR_LIKE: return bind_like(b, s, e);
	case EXPR_CAST: return bind_cast(b, s, e);
	case EXPR_LOWER:
	case EXPR_UPPER:
		s->kind = KIND_TEXT;
		return want_text(b, s, 0, functions[e->op], true);
	case EXPR_LENGTH:
		s->kind = KIND_INT4;
		return want_text(b, s, 0, functions[e->op], true);
	case EXPR_IS_NULL:
	default: return true;
	}
}

static struct step *
bind_step(struct binder *b, const struct expr *e)
{
	struct step *s = step_new(e->op, e->offset, e->args);
	bool good = true;

	s->compare = e->compare;
	s->truth = e->truth;
	s->negated = e->negated;
	for (size_t i = 0; i < e->args && good; i++) {
		s->arg[i] = bind_step(b, e->arg[i]);
		good = s->arg[i] != NULL;
	}
	if (e->op == EXPR_COLUMN)
		good = bind_column(b, s, e);
	else if (e->op == EXPR_NUMBER)
		good = bind_number(b, s, e);
	else if (e->args == 0)
		bind_literal(s, e);
	else
		good = good && bind_operator(b, s, e) && fold(b, s);
	if (good)
		return s;
	step_free(s);
	return NULL;
}

struct expr_plan *
expr_bind(const struct expr *e, const struct relation *rel, struct expr_problem *problem)
{
	struct expr_plan *plan = xcalloc(1, sizeof(*plan));
	struct binder b = { .relation = rel, .problem = problem, .plan = plan };

	plan->root = bind_step(&b, e);
	if (plan->root != NULL &&
	    (plan->root->kind == KIND_BOOL ||
	        (plan->root->kind == KIND_UNKNOWN && give_type(&b, plan->root, KIND_BOOL))))
		return plan;
	if (plan->root != NULL && plan->root->kind != KIND_BOOL)
		expr_problem_set(problem, plan->root->offset,
		    "the expression is %s, and has to be a boolean",
		    expr_kind_name(plan->root->kind));
	expr_plan_free(plan);
	return NULL;
}

void
expr_plan_free(struct expr_plan *plan)
{
	if (plan == NULL)
		return;
	step_free(plan->root);
	buf_free(&plan->message);
	free(plan);
}
