#include <limits.h>

#include "frame.h"

const char *const frame_op_names[OP_COUNT] = { "index", "create", "update", "delete",
	"reject" };

/*
 * Scanning finds where a frame ends without decoding it, and goes on where it stopped
 * when more bytes came: one counter of values to come is all the state that
 * MessagePack's format needs.
 */

/* How a value of leading byte 0xc0 to 0xdf goes on. */
enum tail {
	TAIL_NONE,
	TAIL_BAD,
	TAIL_FIXED, /* n bytes */
	TAIL_BYTES, /* a length of n bytes, then as many bytes (and extra ones) */
	TAIL_ARRAY, /* a count of n bytes */
	TAIL_MAP,
};

struct format {
	uint8_t tail;
	uint8_t n;
	uint8_t extra;
};

static const struct format formats[32] = {
	{ TAIL_NONE, 0, 0 },   /* c0 nil */
	{ TAIL_BAD, 0, 0 },    /* c1 never used */
	{ TAIL_NONE, 0, 0 },   /* c2 false */
	{ TAIL_NONE, 0, 0 },   /* c3 true */
	{ TAIL_BYTES, 1, 0 },  /* c4 bin 8 */
	{ TAIL_BYTES, 2, 0 },  /* c5 bin 16 */
	{ TAIL_BYTES, 4, 0 },  /* c6 bin 32 */
	{ TAIL_BYTES, 1, 1 },  /* c7 ext 8 */
	{ TAIL_BYTES, 2, 1 },  /* c8 ext 16 */
	{ TAIL_BYTES, 4, 1 },  /* c9 ext 32 */
	{ TAIL_FIXED, 4, 0 },  /* ca float 32 */
	{ TAIL_FIXED, 8, 0 },  /* cb float 64 */
	{ TAIL_FIXED, 1, 0 },  /* cc uint 8 */
	{ TAIL_FIXED, 2, 0 },  /* cd uint 16 */
	{ TAIL_FIXED, 4, 0 },  /* ce uint 32 */
	{ TAIL_FIXED, 8, 0 },  /* cf uint 64 */
	{ TAIL_FIXED, 1, 0 },  /* d0 int 8 */
	{ TAIL_FIXED, 2, 0 },  /* d1 int 16 */
	{ TAIL_FIXED, 4, 0 },  /* d2 int 32 */
	{ TAIL_FIXED, 8, 0 },  /* d3 int 64 */
	{ TAIL_FIXED, 2, 0 },  /* d4 fixext 1 */
	{ TAIL_FIXED, 3, 0 },  /* d5 fixext 2 */
	{ TAIL_FIXED, 5, 0 },  /* d6 fixext 4 */
	{ TAIL_FIXED, 9, 0 },  /* d7 fixext 8 */
	{ TAIL_FIXED, 17, 0 }, /* d8 fixext 16 */
	{ TAIL_BYTES, 1, 0 },  /* d9 str 8 */
	{ TAIL_BYTES, 2, 0 },  /* da str 16 */
	{ TAIL_BYTES, 4, 0 },  /* db str 32 */
	{ TAIL_ARRAY, 2, 0 },  /* dc array 16 */
	{ TAIL_ARRAY, 4, 0 },  /* dd array 32 */
	{ TAIL_MAP, 2, 0 },    /* de map 16 */
	{ TAIL_MAP, 4, 0 },    /* df map 32 */
};

static uint64_t
big_endian(const unsigned char *p, unsigned n)
{
	uint64_t v = 0;

	while (n-- > 0)
		v = v << 8 | *p++;
	return v;
}

/*
 * Step over the value at p, of which avail bytes are there: how many bytes it has and
 * how many values follow inside it.  0 when its head is cut, -1 when it is none.
 */
static int
scan_value(const unsigned char *p, size_t avail, size_t *bytes, uint64_t *inside)
{
	const struct format *f;
	unsigned char c = p[0];
	uint64_t count;

	*inside = 0;
	*bytes = 1;
	if (c < 0x80 || c >= 0xe0)
		return 1;
	if (c < 0x90) {
		*inside = 2 * (c & 0x0f);
		return 1;
	}
	if (c < 0xa0) {
		*inside = c & 0x0f;
		return 1;
	}
	if (c < 0xc0) {
		*bytes = 1 + (c & 0x1f);
		return 1;
	}
	f = &formats[c - 0xc0];
	switch ((enum tail)f->tail) {
	case TAIL_NONE: return 1;
	case TAIL_BAD: return -1;
	case TAIL_FIXED: *bytes = 1u + f->n; return 1;
	case TAIL_BYTES:
	case TAIL_ARRAY:
	case TAIL_MAP: break;
	}
	if (avail < 1u + f->n)
		return 0;
	count = big_endian(p + 1, f->n);
	*bytes = 1u + f->n;
	if (f->tail == TAIL_BYTES)
		*bytes += f->extra + (size_t)count;
	else
		*inside = f->tail == TAIL_MAP ? 2 * count : count;
	return 1;
}

static enum frame_result
bad(struct frame_in *r, const char *why)
{
	r->error = why;
	return FRAME_BAD;
}

/* A frame's head: an array of 1 to 15 elements, or more, and a one-letter string. */
static const char *
check_head(const unsigned char *p, size_t len, char *letter)
{
	size_t head = 1;

	if (p[0] == 0xdc)
		head = 3;
	else if (p[0] == 0xdd)
		head = 5;
	else if (p[0] <= 0x90 || p[0] > 0x9f)
		return "not a frame: it is no array";
	if (len < head + 2 || p[head] != 0xa1 ||
	    !((p[head + 1] >= 'A' && p[head + 1] <= 'Z') ||
	        (p[head + 1] >= 'a' && p[head + 1] <= 'z')))
		return "not a frame: its first element is no one-letter string";
	*letter = (char)p[head + 1];
	return NULL;
}

enum frame_result
frame_next(struct frame_in *r, struct frame *f)
{
	const unsigned char *p = (const unsigned char *)r->in.buf.data + r->in.off;
	size_t avail = r->in.buf.len - r->in.off;
	const char *why;

	if (!r->scanning) {
		if (avail == 0)
			return r->in.eof ? FRAME_EOF : FRAME_MORE;
		/* Said at the first byte, not after waiting for what a wrong length claims. */
		if (p[0] <= 0x90 || (p[0] > 0x9f && p[0] != 0xdc && p[0] != 0xdd))
			return bad(r, "not a frame: it is no array");
		r->pos = 0;
		r->need = 1;
		r->scanning = true;
	}
	while (r->need > 0 && r->pos < avail) {
		uint64_t inside;
		size_t bytes;
		int n = scan_value(p + r->pos, avail - r->pos, &bytes, &inside);

		if (n < 0)
			return bad(r, "not MessagePack");
		if (n == 0)
			break;
		r->pos += bytes;
		r->need += inside - 1;
		if (r->pos > FRAME_MAX || r->need > FRAME_MAX)
			return bad(r, "a frame of more than 2 GiB");
	}
	if (r->need > 0 || r->pos > avail)
		return r->in.eof ? FRAME_CUT : FRAME_MORE;
	if ((why = check_head(p, r->pos, &f->letter)) != NULL)
		return bad(r, why);
	f->raw = (const char *)p;
	f->len = r->pos;
	f->offset = r->offset;
	f->field = NULL;
	f->fields = 0;
	r->in.off += r->pos;
	r->offset += r->pos;
	r->scanning = false;
	return FRAME_OK;
}

size_t
frame_missing(const struct frame_in *r)
{
	size_t avail = r->in.buf.len - r->in.off;

	return r->scanning && r->pos > avail ? r->pos - avail : 0;
}

/*
 * msgpack-c keeps a stack of fixed size (unpack_define.h), and says that memory ran out when
 * it is full; that must not be taken for something that a restart can help.
 */
#define DEPTH_MAX 32

static bool
is_too_deep(const struct frame *f)
{
	const unsigned char *p = (const unsigned char *)f->raw, *end = p + f->len;
	uint64_t left[DEPTH_MAX], inside;
	size_t depth = 0, bytes;

	while (p < end && scan_value(p, (size_t)(end - p), &bytes, &inside) > 0) {
		bool container = (*p >= 0x80 && *p < 0xa0) || (*p >= 0xdc && *p < 0xe0);

		if (container && depth == DEPTH_MAX)
			return true;
		p += bytes;
		if (inside > 0) {
			left[depth++] = inside;
			continue;
		}
		while (depth > 0 && --left[depth - 1] == 0)
			depth--;
	}
	return false;
}

int
frame_decode(struct frame_in *r, struct frame *f)
{
	msgpack_object o;
	size_t off = 0;

	if (!r->zone_ready) {
		if (!msgpack_zone_init(&r->zone, 16 * 1024))
			oom();
		r->zone_ready = true;
	}
	msgpack_zone_clear(&r->zone);
	switch (msgpack_unpack(f->raw, f->len, &off, &r->zone, &o)) {
	case MSGPACK_UNPACK_SUCCESS: break;
	case MSGPACK_UNPACK_NOMEM_ERROR:
		if (!is_too_deep(f))
			oom();
		r->error = "a frame that nests values too deep";
		return -1;
	case MSGPACK_UNPACK_EXTRA_BYTES:
	case MSGPACK_UNPACK_CONTINUE:
	case MSGPACK_UNPACK_PARSE_ERROR:
	default: r->error = "a frame whose values cannot be decoded"; return -1;
	}
	f->field = o.via.array.ptr + 1;
	f->fields = o.via.array.size - 1;
	return 0;
}

void
frame_in_free(struct frame_in *r)
{
	buf_free(&r->in.buf);
	if (r->zone_ready)
		msgpack_zone_destroy(&r->zone);
	r->zone_ready = false;
}

/*
 * Elements
 */

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

static const char *
check_column(const msgpack_object *o)
{
	struct frame_str s;
	uint32_t oid;
	int64_t typmod;
	bool key;

	if (o->type != MSGPACK_OBJECT_ARRAY || o->via.array.size < 5)
		return "R has a column that is no array of name, type, type_oid, typmod, "
		       "in_identity";
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

/*
 * Writing
 */

static void
put_pair(struct buf *b, const char *key, struct frame_str s)
{
	frame_put_cstr(b, key);
	frame_put_str_or_nil(b, s);
}

void
frame_put_hello(struct buf *b, const struct frame_hello *h, const char *const *publications,
    size_t n_publications)
{
	frame_put_head(b, FRAME_HELLO, 1);
	frame_put_map(b, 9);
	frame_put_cstr(b, "v");
	frame_put_uint(b, FRAME_VERSION);
	put_pair(b, "run", h->run);
	put_pair(b, "from", h->from);
	put_pair(b, "system", h->system);
	frame_put_cstr(b, "timeline");
	frame_put_uint(b, h->timeline);
	put_pair(b, "database", h->database);
	put_pair(b, "slot", h->slot);
	frame_put_cstr(b, "publications");
	frame_put_array(b, n_publications);
	for (size_t i = 0; i < n_publications; i++)
		frame_put_cstr(b, publications[i]);
	frame_put_cstr(b, "server");
	frame_put_uint(b, h->server);
}

void
frame_put_begin(struct buf *b, const struct frame_begin *f)
{
	frame_put_head(b, FRAME_BEGIN, 3);
	frame_put_uint(b, f->lsn);
	frame_put_int(b, f->time);
	if (f->has_xid)
		frame_put_uint(b, f->xid);
	else
		frame_put_nil(b);
}

void
frame_put_commit(struct buf *b, const struct frame_commit *c)
{
	frame_put_head(b, FRAME_COMMIT, 2);
	frame_put_uint(b, c->lsn);
	frame_put_uint(b, c->seq);
}

void
frame_put_end(struct buf *b, uint64_t lsn, const char *reason)
{
	frame_put_head(b, FRAME_END, 2);
	frame_put_uint(b, lsn);
	frame_put_cstr(b, reason);
}

void
frame_put_relation(struct buf *b, uint32_t relid, const char *schema, const char *table,
    char identity, size_t columns)
{
	frame_put_head(b, FRAME_RELATION, 6);
	frame_put_uint(b, relid);
	frame_put_cstr(b, schema);
	frame_put_cstr(b, table);
	frame_put_str(b, &identity, 1);
	frame_put_array(b, columns);
}

void
frame_put_column(struct buf *b, const struct frame_column *c)
{
	frame_put_array(b, 5);
	frame_put_str_or_nil(b, c->name);
	frame_put_str_or_nil(b, c->type);
	frame_put_uint(b, c->type_oid);
	frame_put_int(b, c->typmod);
	frame_put_bool(b, c->in_identity);
}

void
frame_put_key(struct buf *b, const uint32_t *column, size_t n)
{
	if (n == 0) {
		frame_put_nil(b);
		return;
	}
	frame_put_array(b, n);
	for (size_t i = 0; i < n; i++)
		frame_put_uint(b, column[i]);
}

void
frame_put_message(struct buf *b, const struct frame_message *m)
{
	frame_put_head(b, FRAME_MESSAGE, 4);
	frame_put_str_or_nil(b, m->prefix);
	frame_put_bin(b, m->content.ptr, m->content.len);
	frame_put_uint(b, m->lsn);
	frame_put_bool(b, m->transactional);
}

void
frame_put_action(struct buf *b, const struct frame_action *a, size_t more_pairs)
{
	frame_put_head(b, FRAME_ACTION, more_pairs > 0 ? 8 : 7);
	frame_put_cstr(b, frame_op_names[a->op]);
	if (a->has_relid)
		frame_put_uint(b, a->relid);
	else
		frame_put_nil(b);
	frame_put_str_or_nil(b, a->index);
	frame_put_str_or_nil(b, a->id);
	switch (a->versioned) {
	case VERSION_FROM_UNIT: frame_put_nil(b); break;
	case VERSION_NONE: frame_put_bool(b, false); break;
	case VERSION_GIVEN: frame_put_uint(b, a->version); break;
	}
	frame_put_str_or_nil(b, a->routing);
	frame_put_str_or_nil(b, a->body);
	if (more_pairs > 0)
		frame_put_map(b, more_pairs);
}

void
frame_put_action_start(struct buf *b, enum frame_op op, bool has_relid, uint32_t relid)
{
	frame_put_head(b, FRAME_ACTION, 7);
	frame_put_cstr(b, frame_op_names[op]);
	if (has_relid)
		frame_put_uint(b, relid);
	else
		frame_put_nil(b);
}

size_t
frame_str_begin(struct buf *b, unsigned guess)
{
	buf_reserve(b, guess);
	b->len += guess;
	return b->len;
}

unsigned
frame_str_end(struct buf *b, size_t start, unsigned guess)
{
	size_t n = b->len - start, at = start - guess;
	unsigned head = n < 32 ? 1 : n < 256 ? 2 : n < 65536 ? 3 : 5;
	unsigned char *p;

	if (head > guess)
		buf_reserve(b, head - guess);
	p = (unsigned char *)b->data + at;
	if (head != guess)
		memmove(p + head, p + guess, n);
	b->len = at + head + n;
	switch (head) {
	case 1: p[0] = (unsigned char)(0xa0 | n); break;
	case 2: p[0] = 0xd9; break;
	case 3: p[0] = 0xda; break;
	default: p[0] = 0xdb; break;
	}
	for (unsigned i = head; i > 1; i--, n >>= 8)
		p[i - 1] = (unsigned char)n;
	return head;
}
