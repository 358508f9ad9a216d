/*
 * What the writer reads.  The input: a byte of flags, then a stream of frames.  Each action that is
 * good must become one line that says what the frame says, with nothing in it that would run as
 * another action.
 */
#include <string.h>

#include "action.h"
#include "buf.h"
#include "json.h"
#include "support.h"

enum { TYPED = 1, SAME_LINE = 2 };

static bool
same(struct frame_str s, const struct buf *b)
{
	return s.len == b->len && (s.len == 0 || memcmp(s.ptr, b->data, s.len) == 0);
}

static bool
one_line(const char *p, size_t n)
{
	return memchr(p, '\n', n) == NULL && memchr(p, '\r', n) == NULL;
}

static void
check_names(const struct action_line *l, const struct frame_action *a)
{
	struct buf b = { 0 };

	check((size_t)l->index_at + l->index_len < l->text.len);
	action_unescape(&b, l->text.data + l->index_at, l->index_len);
	check(same(a->index, &b));
	if (a->id.ptr != NULL) {
		b.len = 0;
		check((size_t)l->id_at + l->id_len < l->text.len);
		action_unescape(&b, l->text.data + l->id_at, l->id_len);
		check(same(a->id, &b));
	}
	buf_free(&b);
}

/* {"index":{...}} and a newline. */
static void
check_line(const struct action_line *l, const struct frame_action *a)
{
	struct json_text line = { l->text.data, l->text.len - 1 };
	struct json_text name, value = { 0 };
	struct json_walk w;

	check(l->text.len > 2 && l->text.data[l->text.len - 1] == '\n');
	check(one_line(line.p, line.n));
	w = json_open(line);
	check(json_next(&w, &name, &value) == 1);
	check(value.n >= 2 && value.p[0] == '{' && value.p[value.n - 1] == '}');
	check(json_member(value, "_index").p != NULL);
	check((json_member(value, "_id").p != NULL) == (a->id.ptr != NULL));
	check((json_member(value, "_type").p != NULL) == (l->type != NULL));
	check(json_next(&w, &name, &value) == 0);
}

static void
take(struct action_line *l, const struct frame_action *a)
{
	const char *why;
	bool versioned = a->versioned == VERSION_GIVEN;

	if (a->op == OP_REJECT)
		return;
	why = action_check(a, l);
	if (why != NULL) {
		check(strncmp(why, "X has ", 6) == 0);
		return;
	}
	if (l->truncate) {
		check(l->pattern.len > 0 && l->pattern.ptr[0] != '*');
		return;
	}
	check(a->body.ptr == NULL || one_line(a->body.ptr, a->body.len));
	if (a->op == OP_INDEX && a->id.ptr != NULL)
		versioned = a->versioned != VERSION_NONE;
	action_build(l, a, versioned, versioned ? a->version : 0);
	check_line(l, a);
	check_names(l, a);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct action_line l = { 0 }, fresh = { 0 };
	struct frame_in in;
	struct frame_action a;
	struct frame f;
	char *copy;

	if (size == 0)
		return 0;
	copy = xmalloc(size);
	memcpy(copy, data + 1, size - 1);
	in = (struct frame_in) { .in = { .buf = { .data = copy, .len = size - 1, .cap = size },
		                     .eof = true } };
	l.type = fresh.type = (data[0] & TYPED) != 0 ? "_doc" : NULL;
	while (frame_next(&in, &f) == FRAME_OK && frame_decode(&in, &f) == 0) {
		if (f.letter != FRAME_ACTION || frame_get_action(&f, &a) != NULL)
			continue;
		take(&l, &a);
		/* What is kept from one to the next changes nothing. */
		if ((data[0] & SAME_LINE) != 0 && a.op != OP_REJECT && action_check(&a, &l) == NULL &&
		    !l.truncate) {
			check(action_check(&a, &fresh) == NULL);
			action_build(&l, &a, false, 0);
			action_build(&fresh, &a, false, 0);
			check(l.text.len == fresh.text.len &&
			    memcmp(l.text.data, fresh.text.data, l.text.len) == 0);
			buf_free(&fresh.text);
			buf_free(&fresh.known.index);
			buf_free(&fresh.known.head);
			fresh = (struct action_line) { .type = l.type };
		}
	}
	frame_in_free(&in);
	for (struct action_line *x = &l;; x = &fresh) {
		buf_free(&x->text);
		buf_free(&x->known.index);
		buf_free(&x->known.head);
		if (x == &fresh)
			break;
	}
	return 0;
}
