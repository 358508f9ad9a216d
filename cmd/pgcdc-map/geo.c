#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "ewkb.h"
#include "geo.h"
#include "number.h"

int
geo_fail(struct geo_problem *problem, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(problem->what, sizeof(problem->what), fmt, ap);
	va_end(ap);
	return -1;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/*
 * PostgreSQL's geometric types
 */

struct text {
	const char *p, *end;
	struct geo_problem *problem;
};

struct number {
	const char *s;
	size_t len;
};

struct pair {
	struct number x, y;
};

static void
skip_blanks(struct text *t)
{
	while (t->p < t->end && is_blank(*t->p))
		t->p++;
}

/* Is this character next?  It is taken then, and the blanks behind it. */
static bool
take(struct text *t, char c)
{
	if (t->p == t->end || *t->p != c)
		return false;
	t->p++;
	skip_blanks(t);
	return true;
}

/* The number up to a comma, a parenthesis or the end, and the blanks behind it. */
static int
take_number(struct text *t, struct number *n)
{
	const char *word;

	n->s = t->p;
	while (t->p < t->end && *t->p != ',' && *t->p != ')' && !is_blank(*t->p))
		t->p++;
	n->len = (size_t)(t->p - n->s);
	skip_blanks(t);
	if (number_is_json(n->s, n->len))
		return 0;
	word = n->len > 0 && *n->s == '-' ? n->s + 1 : n->s;
	if (word < n->s + n->len && (*word == 'N' || *word == 'I'))
		return geo_fail(t->problem, "a coordinate is %.*s",
		    n->len > 9 ? 9 : (int)n->len, n->s);
	return geo_fail(t->problem, "a coordinate is no number");
}

static int
malformed(struct text *t)
{
	return geo_fail(t->problem, "neither a geometric type's text nor EWKB");
}

/* x,y */
static int
take_numbers(struct text *t, struct number *first, struct number *second)
{
	if (take_number(t, first) != 0)
		return -1;
	if (!take(t, ','))
		return malformed(t);
	return take_number(t, second);
}

/* (x,y) */
static int
take_pair(struct text *t, struct pair *pair)
{
	if (!take(t, '('))
		return malformed(t);
	if (take_numbers(t, &pair->x, &pair->y) != 0)
		return -1;
	return take(t, ')') ? 0 : malformed(t);
}

static int
take_end(struct text *t)
{
	return t->p == t->end ? 0 : malformed(t);
}

static void
add_position(struct buf *b, const struct number *x, const struct number *y)
{
	buf_addc(b, '[');
	buf_add(b, x->s, x->len);
	buf_addc(b, ',');
	buf_add(b, y->s, y->len);
	buf_addc(b, ']');
}

static void
add_place(struct buf *b, const struct number *lat, const struct number *lon)
{
	buf_adds(b, "{\"lat\":");
	buf_add(b, lat->s, lat->len);
	buf_adds(b, ",\"lon\":");
	buf_add(b, lon->s, lon->len);
	buf_addc(b, '}');
}

static void
add_type(struct buf *b, const char *type)
{
	buf_adds(b, "{\"type\":\"");
	buf_adds(b, type);
	buf_adds(b, "\",\"coordinates\":");
}

static bool
same_number(const struct number *a, const struct number *b)
{
	return a->len == b->len && memcmp(a->s, b->s, a->len) == 0;
}

/* (x,y),(x,y)... up to a closing bracket.  Returns how many, or -1. */
static int
add_pairs(
    struct buf *b, struct text *t, char close, struct pair *first, struct pair *last)
{
	int n = 0;

	do {
		if (take_pair(t, last) != 0)
			return -1;
		if (n == 0)
			*first = *last;
		else
			buf_addc(b, ',');
		add_position(b, &last->x, &last->y);
		/* Two are more than one, three more than two: no more is asked. */
		if (n < 4)
			n++;
	} while (take(t, ','));
	if (!take(t, close))
		return malformed(t);
	return n;
}

/* Behind the opening bracket of an lseg or an open path. */
static int
add_open_path(struct buf *b, struct text *t)
{
	struct pair first = { 0 }, last = { 0 };
	int n;

	add_type(b, "LineString");
	buf_addc(b, '[');
	n = add_pairs(b, t, ']', &first, &last);
	if (n < 0 || take_end(t) != 0)
		return -1;
	if (n < 2)
		return geo_fail(t->problem, "a line of one point");
	buf_adds(b, "]}");
	return 0;
}

/* Behind the outer parenthesis of a polygon or a closed path. */
static int
add_ring(struct buf *b, struct text *t)
{
	struct pair first = { 0 }, last = { 0 };
	int n;

	add_type(b, "Polygon");
	buf_adds(b, "[[");
	n = add_pairs(b, t, ')', &first, &last);
	if (n < 0 || take_end(t) != 0)
		return -1;
	if (!same_number(&first.x, &last.x) || !same_number(&first.y, &last.y)) {
		buf_addc(b, ',');
		add_position(b, &first.x, &first.y);
		n++;
	}
	if (n < 4)
		return geo_fail(t->problem, "a ring of fewer than three points");
	buf_adds(b, "]]}");
	return 0;
}

/* A point, or the first corner of a box. */
static int
add_point_or_box(struct buf *b, struct text *t)
{
	struct pair high = { 0 }, low = { 0 };

	if (take_pair(t, &high) != 0)
		return -1;
	if (!take(t, ',')) {
		add_type(b, "Point");
		add_position(b, &high.x, &high.y);
		buf_addc(b, '}');
		return take_end(t);
	}
	if (take_pair(t, &low) != 0 || take_end(t) != 0)
		return -1;
	add_type(b, "Polygon");
	buf_adds(b, "[[");
	add_position(b, &low.x, &low.y);
	buf_addc(b, ',');
	add_position(b, &high.x, &low.y);
	buf_addc(b, ',');
	add_position(b, &high.x, &high.y);
	buf_addc(b, ',');
	add_position(b, &low.x, &high.y);
	buf_addc(b, ',');
	add_position(b, &low.x, &low.y);
	buf_adds(b, "]]}");
	return 0;
}

/*
 * What the text is
 */

/* The text without blanks around it. */
static struct text
trimmed(const char *s, size_t len, struct geo_problem *problem)
{
	struct text t = { .p = s, .end = s + len, .problem = problem };

	skip_blanks(&t);
	while (t.end > t.p && is_blank(t.end[-1]))
		t.end--;
	return t;
}

int
geo_point(struct buf *b, const char *s, size_t len, struct geo_problem *problem)
{
	struct text t = trimmed(s, len, problem);
	size_t n = (size_t)(t.end - t.p);
	struct pair pair = { 0 };

	if (ewkb_begins(t.p, n))
		return ewkb_point(b, t.p, n, problem);
	if (t.p < t.end && *t.p == '(') {
		if (take_pair(&t, &pair) != 0)
			return -1;
	} else if (take_numbers(&t, &pair.y, &pair.x) != 0) {
		return -1;
	}
	if (take_end(&t) != 0)
		return -1;
	add_place(b, &pair.y, &pair.x);
	return 0;
}

int
geo_json(struct buf *b, const char *s, size_t len, struct geo_problem *problem)
{
	struct text t = trimmed(s, len, problem);
	size_t n = (size_t)(t.end - t.p);

	if (ewkb_begins(t.p, n))
		return ewkb_json(b, t.p, n, problem);
	if (take(&t, '['))
		return add_open_path(b, &t);
	if (take(&t, '<'))
		return geo_fail(problem, "a circle, which GeoJSON does not have");
	if (take(&t, '{') && t.p < t.end && *t.p != '"')
		return geo_fail(
		    problem, "a line without ends, which GeoJSON does not have");
	if (t.end - t.p >= 2 && t.p[0] == '(' && t.p[1] == '(') {
		t.p++;
		return add_ring(b, &t);
	}
	return add_point_or_box(b, &t);
}
