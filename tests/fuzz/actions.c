#include <locale.h>

#include "actions.h"
#include "json.h"
#include "utf8.h"

void
actions_locale(void)
{
	static bool done;

	if (!done)
		check(setlocale(LC_CTYPE, "C.UTF-8") != NULL);
	done = true;
}

void
actions_feed(struct frame_in *in, const uint8_t *data, size_t size)
{
	char *p = xmalloc(size > 0 ? size : 1);

	memcpy(p, data, size);
	*in = (struct frame_in) { .in = { .buf = { .data = p, .len = size, .cap = size },
		                      .eof = true } };
}

/*
 * What goes in
 */

/* Calls until one returns false; frame_decode's limit on nesting bounds this. */
static bool
all_values(const msgpack_object *o, bool (*holds)(const msgpack_object *))
{
	if (!holds(o))
		return false;
	if (o->type == MSGPACK_OBJECT_ARRAY)
		for (uint32_t i = 0; i < o->via.array.size; i++)
			if (!all_values(&o->via.array.ptr[i], holds))
				return false;
	if (o->type == MSGPACK_OBJECT_MAP)
		for (uint32_t i = 0; i < o->via.map.size; i++)
			if (!all_values(&o->via.map.ptr[i].key, holds) ||
			    !all_values(&o->via.map.ptr[i].val, holds))
				return false;
	return true;
}

static bool
frame_holds(const struct frame *f, bool (*holds)(const msgpack_object *))
{
	for (uint32_t i = 0; i < f->fields; i++)
		if (!all_values(&f->field[i], holds))
			return false;
	return true;
}

static bool
is_valid(const msgpack_object *o)
{
	struct json_problem problem;

	return o->type != MSGPACK_OBJECT_EXT || o->via.ext.type != FRAME_EXT_JSON ||
	    json_valid(o->via.ext.ptr, o->via.ext.size, &problem);
}

static bool
is_utf8(const msgpack_object *o)
{
	if (o->type == MSGPACK_OBJECT_STR)
		return utf8_valid(o->via.str.ptr, o->via.str.size);
	return o->type != MSGPACK_OBJECT_EXT || o->via.ext.type != FRAME_EXT_JSON ||
	    utf8_valid(o->via.ext.ptr, o->via.ext.size);
}

bool
actions_json_is_valid(const struct frame *f)
{
	return frame_holds(f, is_valid);
}

bool
actions_text_is_utf8(const struct frame *f)
{
	return frame_holds(f, is_utf8);
}

/*
 * What comes out
 */

static bool
one_line(struct frame_str s)
{
	return memchr(s.ptr, '\n', s.len) == NULL && memchr(s.ptr, '\r', s.len) == NULL;
}

static void
check_object(struct frame_str s, const struct actions_promise *promise)
{
	struct json_scratch scratch = { 0 };
	struct json_problem problem;
	struct buf b = { 0 };

	check(s.ptr != NULL && s.len >= 2 && s.ptr[0] == '{' && s.ptr[s.len - 1] == '}');
	check(one_line(s));
	if (promise->json)
		check(json_valid(s.ptr, s.len, &problem));
	if (promise->unique)
		check(json_clean(&scratch, &b, s.ptr, s.len, JSON_DUPLICATES_REJECT,
		          JSON_EMPTY_KEEP, &problem) == 0);
	buf_free(&b);
	json_scratch_free(&scratch);
}

static bool
is_key(const msgpack_object *o, const char *key)
{
	return o->type == MSGPACK_OBJECT_STR && o->via.str.size == strlen(key) &&
	    memcmp(o->via.str.ptr, key, o->via.str.size) == 0;
}

static void
check_query(const msgpack_object *o)
{
	struct json_problem problem;

	check(o->type == MSGPACK_OBJECT_STR);
	check(json_valid(o->via.str.ptr, o->via.str.size, &problem));
}

/* All documents of an index, which must not be all indices. */
static void
check_truncate(const struct frame_action *a)
{
	const msgpack_object *o;

	check(a->op == OP_DELETE && a->more != NULL && a->more->via.map.size == 1);
	check(is_key(&a->more->via.map.ptr[0].key, "truncate"));
	o = &a->more->via.map.ptr[0].val;
	check(o->type == MSGPACK_OBJECT_MAP && o->via.map.size >= 1);
	check(is_key(&o->via.map.ptr[0].key, "index"));
	check(o->via.map.ptr[0].val.type == MSGPACK_OBJECT_STR);
	check(o->via.map.ptr[0].val.via.str.size > 0);
	check(o->via.map.ptr[0].val.via.str.ptr[0] != '*');
	if (o->via.map.size > 1)
		check_query(&o->via.map.ptr[1].val);
}

static void
check_action(const struct frame *f, const struct actions_promise *promise)
{
	struct frame_action a;

	check(frame_get_action(f, &a) == NULL);
	check(a.has_relid && a.versioned != VERSION_GIVEN);
	if (a.op == OP_REJECT) {
		check(a.body.len > 0 && a.more == NULL);
		return;
	}
	if (a.index.ptr == NULL) {
		check_truncate(&a);
		return;
	}
	check(a.index.len > 0);
	check(a.id.ptr != NULL ? a.id.len > 0 && a.id.len <= FAILURE_ID_MAX
	                       : a.op == OP_CREATE);
	check(a.routing.ptr == NULL || a.routing.len > 0);
	if (a.op == OP_DELETE)
		check(a.body.ptr == NULL);
	else
		check_object(a.body, promise);
}

static struct action_counters
count(struct action_counters c, const struct frame *f)
{
	struct frame_action a;

	check(frame_get_action(f, &a) == NULL);
	switch (a.op) {
	case OP_INDEX: c.index++; break;
	case OP_CREATE: c.create++; break;
	case OP_UPDATE: c.update++; break;
	case OP_REJECT: c.reject++; break;
	case OP_DELETE:
		if (a.index.ptr == NULL)
			c.truncate++;
		else
			c.delete++;
		break;
	case OP_COUNT: check(false);
	}
	return c;
}

/* Actions, from that offset of the output. */
static void
check_actions(const struct mapper *m, size_t start, struct action_counters c,
    const struct actions_promise *promise)
{
	const struct action_counters *is = &m->writer.counters;
	struct frame_in in;
	struct frame f;
	enum frame_result r;

	if (m->out->len == start)
		return;
	actions_feed(&in, (const uint8_t *)m->out->data + start, m->out->len - start);
	while ((r = frame_next(&in, &f)) == FRAME_OK) {
		check(f.letter == FRAME_ACTION);
		check(frame_decode(&in, &f) == 0);
		check(!promise->utf8 || actions_text_is_utf8(&f));
		check_action(&f, promise);
		c = count(c, &f);
	}
	check(r == FRAME_EOF);
	check(c.index == is->index && c.create == is->create && c.update == is->update);
	check(c.delete == is->delete && c.truncate == is->truncate && c.reject == is->reject);
	frame_in_free(&in);
}

int
actions_take(struct mapper *m, struct frame_in *in, struct frame *f,
    const struct actions_promise *promise)
{
	const struct action_counters before = m->writer.counters;
	size_t start = m->out->len;
	int rc = mapper_frame(m, in, f);

	if (strchr("IUDST", f->letter) != NULL)
		check_actions(m, start, before, promise);
	else if (rc != 0)
		check(m->out->len == start);
	else
		check(m->out->len >= start + f->len &&
		    (memcmp(m->out->data + start, f->raw, f->len) == 0 ||
		        memcmp(m->out->data + m->out->len - f->len, f->raw, f->len) == 0));
	return rc;
}
