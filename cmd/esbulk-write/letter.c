#include <string.h>

#include "json.h"
#include "letter.h"
#include "utf8.h"

static void
put_text(struct buf *b, const char *key, const char *s, size_t n)
{
	frame_put_cstr(b, key);
	if (utf8_valid(s, n))
		frame_put_str(b, s, n);
	else
		frame_put_bin(b, s, n);
}

static void
put_start(struct buf *b, const struct delivery *d, uint32_t relid, const struct frame_begin *f)
{
	frame_put_head(b, FRAME_HELLO, 1);
	frame_put_map(b, 3);
	frame_put_cstr(b, "v");
	frame_put_uint(b, FRAME_VERSION);
	frame_put_cstr(b, "run");
	frame_put_cstr(b, LETTER_RUN);
	frame_put_cstr(b, "from");
	frame_put_cstr(b, "esbulk-write");
	tables_put_frame(&d->tables, relid, b);
	frame_put_begin(b, f);
}

static void
put_end(struct buf *b, uint64_t lsn, struct frame_str index, struct frame_str id,
    const struct reject *why)
{
	struct frame_commit c = { .lsn = lsn, .seq = 1 };
	size_t n = why->reason_len;

	/* A reason that was cut may end inside a character. */
	for (unsigned i = 0; i < 3 && n > 0 && !utf8_valid(why->reason, n); i++)
		n--;
	frame_put_head(b, FRAME_ANSWER, 1);
	frame_put_map(b, 6);
	frame_put_cstr(b, "status");
	if (why->status != 0)
		frame_put_uint(b, (uint64_t)why->status);
	else
		frame_put_nil(b);
	put_text(b, "type", why->type, strlen(why->type));
	put_text(b, "reason", why->reason, utf8_valid(why->reason, n) ? n : why->reason_len);
	frame_put_cstr(b, "index");
	frame_put_str_or_nil(b, index);
	frame_put_cstr(b, "id");
	frame_put_str_or_nil(b, id);
	frame_put_cstr(b, "time");
	frame_put_int(b, wall_us());
	frame_put_commit(b, &c);
	frame_put_end(b, lsn, "dead letter");
}

/* What the item's more had: pairs of a map. */
struct more {
	size_t pairs;
	struct buf text;
};

static void
add_merge(struct more *more, const struct item *item)
{
	const struct merge *m = merge_of(item);
	const char *p = m->data + m->wanted;
	struct buf *b = &more->text;
	struct buf docs = { 0 }, part = { 0 };
	struct json_text name, old;
	struct json_walk w;

	if (m->names > 0) {
		more->pairs++;
		frame_put_cstr(b, "merge");
		frame_put_array(b, m->names);
		for (uint32_t i = 0; i < m->names; i++) {
			uint32_t len;

			memcpy(&len, p, sizeof(len));
			frame_put_str(b, p + sizeof(len), len);
			p += sizeof(len) + len;
		}
	}
	if (m->old == NULL)
		return;
	buf_addc(&docs, '[');
	buf_add(&docs, m->data, m->wanted);
	buf_addc(&docs, ']');
	w = json_open((struct json_text) { docs.data, docs.len });
	if (json_next(&w, &name, &old) == 1) {
		/* That of one id under another routing follows from the action's. */
		bool numbered = item->versioned && m->old->document != item->document;

		more->pairs++;
		frame_put_cstr(b, "merge_from");
		frame_put_array(b, numbered ? 4 : 3);
		frame_put_str_or_nil(b, json_string(&part, json_member(old, "_index")));
		frame_put_str_or_nil(b, json_string(&part, json_member(old, "_id")));
		frame_put_str_or_nil(b, json_string(&part, json_member(old, "routing")));
		if (numbered)
			frame_put_uint(b, m->old_version);
	}
	buf_free(&docs);
	buf_free(&part);
}

/* The item's lines, undone. */
static void
put_item(struct buf *b, const struct item *item, struct frame_str *index, struct frame_str *id)
{
	static struct buf index_text, id_text, routing_text, part;
	static struct more more;
	const char *end = memchr(item->text, '\n', item->len);
	struct json_text line = { item->text, (size_t)(end - item->text) }, name, value, head;
	struct json_walk w = json_open(line);
	struct frame_action a = { .op = (enum frame_op)item->op, .relid = item->relid,
		.has_relid = item->relid != 0 };

	a.versioned = a.op == OP_INDEX || a.op == OP_DELETE ? VERSION_NONE : VERSION_FROM_UNIT;
	more.pairs = more.text.len = 0;
	if (json_next(&w, &name, &head) == 1)
		w = json_open(head);
	while (json_next(&w, &name, &value) == 1) {
		if (json_is(name, "_index", 6)) {
			a.index = json_string(&index_text, value);
		} else if (json_is(name, "_id", 3)) {
			a.id = json_string(&id_text, value);
		} else if (json_is(name, "routing", 7)) {
			a.routing = json_string(&routing_text, value);
		} else if (json_is(name, "version", 7)) {
			a.versioned = VERSION_GIVEN;
			(void)json_uint(value, &a.version);
		} else if (json_is(name, "pipeline", 8)) {
			struct frame_str s = json_string(&part, value);

			more.pairs++;
			frame_put_cstr(&more.text, "pipeline");
			frame_put_str_or_nil(&more.text, s);
		} else if (json_is(name, "require_alias", 13)) {
			more.pairs++;
			frame_put_cstr(&more.text, "require_alias");
			frame_put_bool(&more.text, *value.p == 't');
		}
	}
	if (item->state == ITEM_MERGE || item->state == ITEM_MERGED)
		add_merge(&more, item);
	if (end + 1 < item->text + item->len)
		a.body = (struct frame_str) { end + 1,
			(uint32_t)(item->text + item->len - 1 - (end + 1)) };
	frame_put_action(b, &a, more.pairs);
	buf_add(b, more.text.data, more.text.len);
	*index = a.index;
	*id = a.id;
}

static void
put_truncate(struct buf *b, const struct truncate *t, const struct item *item,
    struct frame_str pattern)
{
	struct frame_action a = { .op = OP_DELETE, .relid = item->relid,
		.has_relid = item->relid != 0,
		.versioned = t->versioned ? VERSION_GIVEN : VERSION_NONE,
		.version = t->version };

	frame_put_action(b, &a, 1);
	frame_put_cstr(b, "truncate");
	frame_put_map(b, t->query.len > 0 ? 2 : 1);
	frame_put_cstr(b, "index");
	frame_put_str_or_nil(b, pattern);
	if (t->query.len > 0) {
		frame_put_cstr(b, "query");
		frame_put_str(b, t->query.data, t->query.len);
	}
}

void
letter_of_item(
    struct buf *b, const struct delivery *d, const struct item *item, const struct reject *why)
{
	const struct unit *u = frontier_unit(&d->frontier, item->unit);
	struct frame_begin begin = { .lsn = item->lsn, .time = u->time, .has_xid = u->has_xid,
		.xid = u->xid };
	struct frame_str index, id = { 0 };

	put_start(b, d, item->relid, &begin);
	if (item->state == ITEM_TRUNCATE) {
		index = (struct frame_str) { item->text + item->index_at, item->index_len };
		put_truncate(b, &d->truncate, item, index);
	} else {
		put_item(b, item, &index, &id);
	}
	put_end(b, item->lsn, index, id, why);
}

void
letter_of_action(struct buf *b, const struct delivery *d, const struct frame_begin *begin,
    const struct frame_action *a, const struct reject *why)
{
	size_t pairs = a->more != NULL ? a->more->via.map.size : 0;
	msgpack_packer pk;

	put_start(b, d, a->relid, begin);
	frame_put_action(b, a, pairs);
	msgpack_packer_init(&pk, b, frame_write);
	for (size_t i = 0; i < pairs; i++) {
		msgpack_pack_object(&pk, a->more->via.map.ptr[i].key);
		msgpack_pack_object(&pk, a->more->via.map.ptr[i].val);
	}
	put_end(b, begin->lsn, a->index, a->id, why);
}
