#include "count.h"
#include "handler.h"

/* What goes for an op: how its line begins, and its part of the answer. */
struct form {
	struct slice line;
	struct slice answer;
};

static const struct form forms[] = {
	[OP_INDEX] = { SLICE("{\"index\":{\"_index\":\""), SLICE(",{\"index\":{\"status\":201}}") },
	[OP_CREATE] = { SLICE("{\"create\":{\"_index\":\""),
	    SLICE(",{\"create\":{\"status\":201}}") },
	[OP_DELETE] = { SLICE("{\"delete\":{\"_index\":\""),
	    SLICE(",{\"delete\":{\"status\":200}}") },
};

struct counter {
	struct request *request;
	struct slice index; /* that the item before named */
	uint64_t items[4];
};

static bool
starts_with(struct slice line, struct slice start)
{
	return line.n > start.n && memcmp(line.p, start.p, start.n) == 0;
}

/* The line up to its newline, and move behind that. */
static bool
next_line(struct slice *body, struct slice *line)
{
	const char *end = memchr(body->p, '\n', body->n);

	if (end == NULL)
		return false;
	*line = (struct slice) { body->p, (size_t)(end - body->p) };
	*body = (struct slice) { end + 1, body->n - line->n - 1 };
	return true;
}

/* Can it be written to?  It is made, if it was not there. */
static bool
is_index(struct counter *c, struct slice name)
{
	struct index *x;

	if (slice_equal(name, c->index))
		return true;
	x = store_index(&c->request->standin->store, name, true);
	if (x->name_error != NULL || memchr(name.p, '\\', name.n) != NULL)
		return false;
	x->exists = true;
	c->index = name;
	return true;
}

static bool
count_item(struct counter *c, struct slice *body)
{
	struct buf *out = &c->request->answer.out;
	const struct form *form;
	enum bulk_op op = OP_INDEX;
	const char *from, *end;
	struct slice line;

	if (!next_line(body, &line))
		return false;
	if (starts_with(line, forms[OP_CREATE].line))
		op = OP_CREATE;
	else if (starts_with(line, forms[OP_DELETE].line))
		op = OP_DELETE;
	else if (!starts_with(line, forms[OP_INDEX].line))
		return false;
	form = &forms[op];
	from = line.p + form->line.n;
	end = memchr(from, '"', line.n - form->line.n);
	if (end == NULL || line.p[line.n - 2] != '}' || line.p[line.n - 1] != '}' ||
	    !is_index(c, (struct slice) { from, (size_t)(end - from) }))
		return false;
	if (op != OP_DELETE && (!next_line(body, &line) || line.n < 2 || line.p[0] != '{' ||
				   line.p[line.n - 1] != '}'))
		return false;
	c->items[op]++;
	memcpy(out->data + out->len, form->answer.p, form->answer.n);
	out->len += form->answer.n;
	return true;
}

static void
add_up(struct stats *s, const struct counter *c, size_t n)
{
	for (int op = 0; op < 4; op++)
		s->items[op] += c->items[op];
	s->created += c->items[OP_INDEX] + c->items[OP_CREATE];
	s->deleted += c->items[OP_DELETE];
	if (n > s->items_max)
		s->items_max = n;
}

bool
count_bulk(struct request *r)
{
	struct standin *si = r->standin;
	struct counter c = { .request = r };
	struct answer *a = &r->answer;
	struct slice body = r->content;

	filter_set(&si->filter, request_argument(r, "filter_path"));
	if (!filter_is_status(&si->filter) || si->faults.list != NULL || r->n_segments > 1)
		return false;
	answer_begin(a, &si->filter, false);
	/* An item's answer is shorter than its line. */
	buf_reserve(&a->out, body.n);
	while (body.n > 0) {
		if (!count_item(&c, &body))
			return false;
		a->items++;
	}
	if (a->items == 0)
		return false;
	add_up(&si->stats, &c, a->items);
	answer_end(a, 0);
	r->status = 200;
	r->text = (struct slice) { a->out.data + a->start, a->out.len - a->start };
	return true;
}
