#include "frame.h"

const char *const frame_op_names[OP_COUNT] = { "index", "create", "update", "delete",
	"reject" };

int
frame_lsn_field(char letter)
{
	switch (letter) {
	case FRAME_BEGIN:
	case FRAME_COMMIT:
	case FRAME_END: return 0;
	case FRAME_MESSAGE: return 2;
	default: return -1;
	}
}

static bool
is_uint(const msgpack_object *o, uint64_t max, uint64_t *v)
{
	if (o->type != MSGPACK_OBJECT_POSITIVE_INTEGER || o->via.u64 > max)
		return false;
	*v = o->via.u64;
	return true;
}

static bool
is_u32(const msgpack_object *o, uint32_t *v)
{
	uint64_t n;

	if (!is_uint(o, UINT32_MAX, &n))
		return false;
	*v = (uint32_t)n;
	return true;
}

static bool
is_int(const msgpack_object *o, int64_t min, int64_t max, int64_t *v)
{
	if (o->type == MSGPACK_OBJECT_POSITIVE_INTEGER && o->via.u64 <= (uint64_t)max)
		*v = (int64_t)o->via.u64;
	else if (o->type == MSGPACK_OBJECT_NEGATIVE_INTEGER && o->via.i64 >= min)
		*v = o->via.i64;
	else
		return false;
	return true;
}

static bool
is_str(const msgpack_object *o, struct frame_str *s)
{
	if (o->type != MSGPACK_OBJECT_STR)
		return false;
	s->ptr = o->via.str.ptr;
	s->len = o->via.str.size;
	return true;
}

static bool
is_str_or_nil(const msgpack_object *o, struct frame_str *s)
{
	*s = (struct frame_str) { 0 };
	return o->type == MSGPACK_OBJECT_NIL || is_str(o, s);
}

static bool
is_bool(const msgpack_object *o, bool *v)
{
	if (o->type != MSGPACK_OBJECT_BOOLEAN)
		return false;
	*v = o->via.boolean;
	return true;
}

static const msgpack_object *
map_get(const msgpack_object *map, const char *key)
{
	size_t n = strlen(key);

	for (uint32_t i = 0; i < map->via.map.size; i++) {
		const msgpack_object *k = &map->via.map.ptr[i].key;

		if (k->type == MSGPACK_OBJECT_STR && k->via.str.size == n &&
		    memcmp(k->via.str.ptr, key, n) == 0)
			return &map->via.map.ptr[i].val;
	}
	return NULL;
}

const char *
frame_get_hello(const struct frame *f, struct frame_hello *h)
{
	const struct {
		const char *key;
		struct frame_str *s;
	} strings[] = { { "run", &h->run }, { "from", &h->from }, { "system", &h->system },
		{ "database", &h->database }, { "slot", &h->slot } };
	const msgpack_object *map, *o;

	*h = (struct frame_hello) { 0 };
	if (f->fields < 1 || f->field[0].type != MSGPACK_OBJECT_MAP)
		return "H must hold a map";
	map = &f->field[0];
	o = map_get(map, "v");
	if (o == NULL || !is_uint(o, UINT64_MAX, &h->version))
		return "H says no version (v)";
	if (h->version != FRAME_VERSION)
		return "H has a version that this program does not know";
	for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++) {
		o = map_get(map, strings[i].key);
		if (o != NULL && !is_str_or_nil(o, strings[i].s))
			return "H has a run, from, system, database or slot that is no string";
	}
	o = map_get(map, "timeline");
	if (o != NULL && !is_uint(o, UINT64_MAX, &h->timeline))
		return "H has a timeline that is no number";
	o = map_get(map, "server");
	if (o != NULL && !is_uint(o, UINT64_MAX, &h->server))
		return "H has a server that is no number";
	o = map_get(map, "publications");
	if (o != NULL && o->type == MSGPACK_OBJECT_ARRAY)
		h->publications = o;
	return NULL;
}

/* What a type is made of; its depth is that of a frame's values. */
static bool
is_base(const msgpack_object *o)
{
	struct frame_str name;
	uint32_t oid;

	if (o->type == MSGPACK_OBJECT_NIL)
		return true;
	if (o->type != MSGPACK_OBJECT_MAP)
		return is_u32(o, &oid) && oid != 0;
	for (uint32_t i = 0; i < o->via.map.size; i++)
		if (!is_str(&o->via.map.ptr[i].key, &name) || !is_base(&o->via.map.ptr[i].val))
			return false;
	return true;
}

static const char *
check_column(const msgpack_object *o)
{
	struct frame_str s;
	uint32_t oid;
	int64_t typmod;
	bool key;

	if (o->type != MSGPACK_OBJECT_ARRAY || o->via.array.size < 5 || o->via.array.size > 6)
		return "R has a column that is no array of name, type, type_oid, typmod, "
		       "in_identity, and perhaps base";
	if (o->via.array.size == 6 && !is_base(&o->via.array.ptr[5]))
		return "R has a column whose base is neither an OID nor a map of names to such";
	o = o->via.array.ptr;
	if (!is_str(&o[0], &s) || !is_str(&o[1], &s) || !is_u32(&o[2], &oid) ||
	    !is_int(&o[3], INT32_MIN, INT32_MAX, &typmod) || !is_bool(&o[4], &key))
		return "R has a column whose name, type, type_oid, typmod or in_identity is "
		       "of the wrong kind";
	return NULL;
}

const char *
frame_get_relation(const struct frame *f, struct frame_relation *r)
{
	const msgpack_object *o = f->field;
	struct frame_str identity;

	if (f->fields < 6)
		return "R must hold relid, schema, table, identity, columns and primary key";
	if (!is_u32(&o[0], &r->relid))
		return "R has a relid that is no number";
	if (!is_str(&o[1], &r->schema) || !is_str(&o[2], &r->table))
		return "R has a schema or table that is no string";
	if (!is_str(&o[3], &identity) || identity.len != 1 ||
	    strchr("dfin", identity.ptr[0]) == NULL)
		return "R has an identity that is not d, f, i or n";
	r->identity = identity.ptr[0];
	if (o[4].type != MSGPACK_OBJECT_ARRAY)
		return "R has columns that are no array";
	r->columns = o[4].via.array.size;
	r->column = o[4].via.array.ptr;
	for (uint32_t i = 0; i < r->columns; i++) {
		const char *why = check_column(&r->column[i]);

		if (why != NULL)
			return why;
	}
	r->key_columns = 0;
	r->key = NULL;
	if (o[5].type == MSGPACK_OBJECT_NIL)
		return NULL;
	if (o[5].type != MSGPACK_OBJECT_ARRAY)
		return "R has a primary key that is neither an array nor nil";
	r->key_columns = o[5].via.array.size;
	r->key = o[5].via.array.ptr;
	for (uint32_t i = 0; i < r->key_columns; i++) {
		uint64_t n;

		if (!is_uint(&r->key[i], UINT32_MAX, &n) || n >= r->columns)
			return "R has a primary key with a column number that it does not have";
	}
	return NULL;
}

void
frame_get_column(const struct frame_relation *r, uint32_t i, struct frame_column *c)
{
	const msgpack_object *o = r->column[i].via.array.ptr;
	int64_t typmod = 0;

	/* frame_get_relation has checked them. */
	(void)(is_str(&o[0], &c->name) && is_str(&o[1], &c->type) && is_u32(&o[2], &c->type_oid));
	(void)(is_int(&o[3], INT32_MIN, INT32_MAX, &typmod) && is_bool(&o[4], &c->in_identity));
	c->typmod = (int32_t)typmod;
	c->base = NULL;
	if (r->column[i].via.array.size > 5 && o[5].type != MSGPACK_OBJECT_NIL)
		c->base = &o[5];
}

uint32_t
frame_get_key(const struct frame_relation *r, uint32_t i)
{
	return (uint32_t)r->key[i].via.u64;
}

const char *
frame_get_begin(const struct frame *f, struct frame_begin *b)
{
	const msgpack_object *o = f->field;

	if (f->fields < 3)
		return "B must hold lsn, time and xid";
	if (!is_uint(&o[0], UINT64_MAX, &b->lsn))
		return "B has an lsn that is no number";
	if (!is_int(&o[1], INT64_MIN, INT64_MAX, &b->time))
		return "B has a time that is no number";
	b->xid = 0;
	b->has_xid = o[2].type != MSGPACK_OBJECT_NIL;
	if (b->has_xid && !is_u32(&o[2], &b->xid))
		return "B has an xid that is neither a number nor nil";
	return NULL;
}

const char *
frame_get_row(const struct frame *f, struct frame_row *r)
{
	const msgpack_object *o = f->field;

	r->new = r->old = NULL;
	if (f->fields < 2 || (f->letter == FRAME_UPDATE && f->fields < 3))
		return "a row frame must hold relid and its rows";
	if (!is_u32(&o[0], &r->relid))
		return "a row frame has a relid that is no number";
	if (f->letter == FRAME_DELETE)
		r->old = &o[1];
	else
		r->new = &o[1];
	if (f->letter == FRAME_UPDATE && o[2].type != MSGPACK_OBJECT_NIL)
		r->old = &o[2];
	if ((r->new != NULL && r->new->type != MSGPACK_OBJECT_ARRAY) ||
	    (r->old != NULL && r->old->type != MSGPACK_OBJECT_ARRAY))
		return "a row frame has a row that is no array";
	return NULL;
}

const char *
frame_get_truncate(const struct frame *f, struct frame_truncate *t)
{
	const msgpack_object *o = f->field;

	if (f->fields < 3 || o[0].type != MSGPACK_OBJECT_ARRAY || !is_bool(&o[1], &t->cascade) ||
	    !is_bool(&o[2], &t->restart_identity))
		return "T must hold relids, cascade and restart_identity";
	t->relids = o[0].via.array.size;
	t->relid = o[0].via.array.ptr;
	for (uint32_t i = 0; i < t->relids; i++) {
		uint32_t relid;

		if (!is_u32(&t->relid[i], &relid))
			return "T has a relid that is no number";
	}
	return NULL;
}

const char *
frame_get_message(const struct frame *f, struct frame_message *m)
{
	const msgpack_object *o = f->field;

	if (f->fields < 4 || !is_str(&o[0], &m->prefix) || o[1].type != MSGPACK_OBJECT_BIN ||
	    !is_uint(&o[2], UINT64_MAX, &m->lsn) || !is_bool(&o[3], &m->transactional))
		return "M must hold prefix, content, lsn and transactional";
	m->content.ptr = o[1].via.bin.ptr;
	m->content.len = o[1].via.bin.size;
	return NULL;
}

const char *
frame_get_commit(const struct frame *f, struct frame_commit *c)
{
	if (f->fields < 2 || !is_uint(&f->field[0], UINT64_MAX, &c->lsn) ||
	    !is_uint(&f->field[1], UINT64_MAX, &c->seq))
		return "C must hold lsn and seq";
	return NULL;
}

static const char *
get_version(const msgpack_object *o, struct frame_action *a)
{
	a->version = 0;
	if (o->type == MSGPACK_OBJECT_NIL)
		a->versioned = VERSION_FROM_UNIT;
	else if (o->type == MSGPACK_OBJECT_BOOLEAN && !o->via.boolean)
		a->versioned = VERSION_NONE;
	else if (is_uint(o, (uint64_t)INT64_MAX, &a->version))
		a->versioned = VERSION_GIVEN;
	else
		return "X has a version that is neither nil, false nor a number below 2^63";
	return NULL;
}

const char *
frame_get_action(const struct frame *f, struct frame_action *a)
{
	const msgpack_object *o = f->field;
	struct frame_str op;
	int i;

	if (f->fields < 7)
		return "X must hold op, relid, index, id, version, routing and body";
	if (!is_str(&o[0], &op))
		return "X has an op that is no string";
	for (i = 0; i < OP_COUNT; i++)
		if (strlen(frame_op_names[i]) == op.len &&
		    memcmp(frame_op_names[i], op.ptr, op.len) == 0)
			break;
	if (i == OP_COUNT)
		return "X has an op that is not index, create, update, delete or reject";
	a->op = (enum frame_op)i;
	a->relid = 0;
	a->has_relid = o[1].type != MSGPACK_OBJECT_NIL;
	if (a->has_relid && !is_u32(&o[1], &a->relid))
		return "X has a relid that is neither a number nor nil";
	if (!is_str_or_nil(&o[2], &a->index))
		return "X has an index that is no string";
	if (!is_str_or_nil(&o[3], &a->id))
		return "X has an id that is neither a string nor nil";
	if (!is_str_or_nil(&o[5], &a->routing))
		return "X has a routing that is neither a string nor nil";
	if (!is_str_or_nil(&o[6], &a->body))
		return "X has a body that is neither a string nor nil";
	a->more = NULL;
	if (f->fields > 7 && o[7].type == MSGPACK_OBJECT_MAP)
		a->more = &o[7];
	else if (f->fields > 7 && o[7].type != MSGPACK_OBJECT_NIL)
		return "X has a more that is no map";
	return get_version(&o[4], a);
}

const char *
frame_get_end(const struct frame *f, struct frame_end *e)
{
	if (f->fields < 2 || !is_uint(&f->field[0], UINT64_MAX, &e->lsn) ||
	    !is_str(&f->field[1], &e->reason))
		return "E must hold lsn and reason";
	return NULL;
}
