#include "log.h"
#include "support.h"

void __wrap_log_event(enum log_level level, const char *msg, const struct kv *kvs);

const char *support_error;
static char error[1024];

/* Where it goes, so that no compiler leaves reading it out. */
static volatile unsigned char seen;

static void
touch_bytes(const char *p, size_t n)
{
	unsigned char all = 0;

	for (size_t i = 0; i < n; i++)
		all ^= (unsigned char)p[i];
	seen = all;
}

static void
touch_str(struct frame_str s)
{
	check(s.ptr != NULL || s.len == 0);
	touch_bytes(s.ptr, s.len);
}

void
__wrap_log_event(enum log_level level, const char *msg, const struct kv *kvs)
{
	/* The program would end with a status that libFuzzer takes for an orderly end. */
	check(strcmp(msg, "out of memory") != 0);
	if (level == LOG_ERROR) {
		snprintf(error, sizeof(error), "%s", msg); /* which does not outlive the call */
		support_error = error;
	}
	for (const struct kv *kv = kvs; kv->type != KV_END; kv++) {
		if (kv->type == KV_STRN)
			touch_bytes(kv->v.s, kv->len);
		else if (kv->type == KV_STR && kv->v.s != NULL)
			touch_bytes(kv->v.s, strlen(kv->v.s));
	}
}

/* frame_decode's limit on nesting bounds this. */
static void
touch_value(const msgpack_object *o)
{
	switch (o->type) {
	case MSGPACK_OBJECT_STR: touch_bytes(o->via.str.ptr, o->via.str.size); break;
	case MSGPACK_OBJECT_BIN: touch_bytes(o->via.bin.ptr, o->via.bin.size); break;
	case MSGPACK_OBJECT_EXT:
		touch_bytes(o->via.ext.ptr, o->via.ext.size);
		seen = frame_is_absent(o);
		break;
	case MSGPACK_OBJECT_ARRAY:
		for (uint32_t i = 0; i < o->via.array.size; i++)
			touch_value(&o->via.array.ptr[i]);
		break;
	case MSGPACK_OBJECT_MAP:
		for (uint32_t i = 0; i < o->via.map.size; i++) {
			touch_value(&o->via.map.ptr[i].key);
			touch_value(&o->via.map.ptr[i].val);
		}
		break;
	case MSGPACK_OBJECT_NIL:
	case MSGPACK_OBJECT_BOOLEAN:
	case MSGPACK_OBJECT_POSITIVE_INTEGER:
	case MSGPACK_OBJECT_NEGATIVE_INTEGER:
	case MSGPACK_OBJECT_FLOAT32:
	case MSGPACK_OBJECT_FLOAT64:
	default: break;
	}
}

static const char *
touch_hello(const struct frame *f)
{
	struct frame_hello h;
	const char *why = frame_get_hello(f, &h);

	if (why != NULL)
		return why;
	touch_str(h.run);
	touch_str(h.from);
	touch_str(h.system);
	touch_str(h.database);
	touch_str(h.slot);
	if (h.publications != NULL)
		touch_value(h.publications);
	return NULL;
}

static const char *
touch_relation(const struct frame *f)
{
	struct frame_relation r;
	struct frame_column c;
	const char *why = frame_get_relation(f, &r);

	if (why != NULL)
		return why;
	touch_str(r.schema);
	touch_str(r.table);
	for (uint32_t i = 0; i < r.columns; i++) {
		frame_get_column(&r, i, &c);
		touch_str(c.name);
		touch_str(c.type);
		if (c.base != NULL)
			touch_value(c.base);
		seen = c.in_identity;
	}
	for (uint32_t i = 0; i < r.key_columns; i++)
		check(frame_get_key(&r, i) < r.columns);
	return NULL;
}

static const char *
touch_row(const struct frame *f)
{
	struct frame_row r;
	const char *why = frame_get_row(f, &r);

	if (why != NULL)
		return why;
	check(f->letter == FRAME_DELETE ? r.new == NULL && r.old != NULL : r.new != NULL);
	if (r.new != NULL)
		touch_value(r.new);
	if (r.old != NULL)
		touch_value(r.old);
	return NULL;
}

static const char *
touch_truncate(const struct frame *f)
{
	struct frame_truncate t;
	const char *why = frame_get_truncate(f, &t);

	for (uint32_t i = 0; why == NULL && i < t.relids; i++)
		check(t.relid[i].via.u64 <= UINT32_MAX);
	return why;
}

static const char *
touch_message(const struct frame *f)
{
	struct frame_message m;
	const char *why = frame_get_message(f, &m);

	if (why != NULL)
		return why;
	touch_str(m.prefix);
	touch_str(m.content);
	return NULL;
}

static const char *
touch_action(const struct frame *f)
{
	struct frame_action a;
	const char *why = frame_get_action(f, &a);

	if (why != NULL)
		return why;
	check(a.op < OP_COUNT && a.version <= (uint64_t)INT64_MAX);
	touch_str(a.index);
	touch_str(a.id);
	touch_str(a.routing);
	touch_str(a.body);
	if (a.more != NULL)
		touch_value(a.more);
	return NULL;
}

static const char *
touch_end(const struct frame *f)
{
	struct frame_end e;
	const char *why = frame_get_end(f, &e);

	if (why == NULL)
		touch_str(e.reason);
	return why;
}

const char *
support_touch(struct frame_in *in, struct frame *f)
{
	struct frame_begin b;
	struct frame_commit c;

	if (frame_decode(in, f) != 0)
		return in->error;
	for (uint32_t i = 0; i < f->fields; i++)
		touch_value(&f->field[i]);
	check(frame_lsn_field(f->letter) < 4);
	switch (f->letter) {
	case FRAME_HELLO: return touch_hello(f);
	case FRAME_RELATION: return touch_relation(f);
	case FRAME_BEGIN: return frame_get_begin(f, &b);
	case FRAME_INSERT:
	case FRAME_UPDATE:
	case FRAME_DELETE:
	case FRAME_SNAPSHOT_ROW: return touch_row(f);
	case FRAME_TRUNCATE: return touch_truncate(f);
	case FRAME_MESSAGE: return touch_message(f);
	case FRAME_COMMIT: return frame_get_commit(f, &c);
	case FRAME_ACTION: return touch_action(f);
	case FRAME_END: return touch_end(f);
	default: return NULL; /* answers and stats have no form */
	}
}

struct support_action
support_try_action(const struct frame_in *in)
{
	struct frame_in copy = *in;
	struct support_action t = { 0 };

	t.taken = frame_next_action(&copy, &t.f, &t.a);
	check(t.taken || memcmp(&copy, in, sizeof(copy)) == 0);
	check(!t.taken || !copy.scanning);
	t.off = copy.in.off;
	return t;
}

static bool
same_str(struct frame_str a, struct frame_str b)
{
	/* Where an empty one stands does not matter. */
	return a.len == b.len && (a.len > 0 ? a.ptr == b.ptr : !a.ptr == !b.ptr);
}

void
support_check_action(const struct support_action *t, struct frame_in *in,
    enum frame_result result, const struct frame *f)
{
	struct frame decoded;
	struct frame_action a;

	if (result != FRAME_OK) {
		check(!t->taken);
		return;
	}
	decoded = *f;
	if (f->letter != FRAME_ACTION || frame_decode(in, &decoded) != 0 ||
	    frame_get_action(&decoded, &a) != NULL) {
		check(!t->taken);
		return;
	}
	if (!t->taken)
		return;
	check(t->off == in->in.off && t->f.letter == f->letter && t->f.raw == f->raw);
	check(t->f.len == f->len && t->f.offset == f->offset);
	check(decoded.fields == 7 && a.more == NULL && t->a.more == NULL);
	check(t->a.op == a.op && t->a.has_relid == a.has_relid && t->a.relid == a.relid);
	check(t->a.versioned == a.versioned && t->a.version == a.version);
	check(same_str(t->a.index, a.index) && same_str(t->a.id, a.id));
	check(same_str(t->a.routing, a.routing) && same_str(t->a.body, a.body));
}
