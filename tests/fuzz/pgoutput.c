/*
 * Decoding pgoutput.  The input: a byte that says how much memory spools have, then messages,
 * each behind its length in two bytes.  What comes out must be frames, in units, each row
 * with its table's columns, and its text UTF-8.
 */
#include "pgoutput.h"
#include "support.h"
#include "utf8.h"

/* From this first byte on spools go to files, which is slow. */
#define SPOOL_FILES 0xe0
/* In a length's place: the connection is lost, and another one goes on. */
#define LOST 0xffff

/* What frames so far have said. */
struct reading {
	bool in_unit;
	unsigned lost; /* connections, each of which may have begun a unit again */
	uint64_t seq;
	struct known {
		uint32_t relid, columns;
	} *known;
	size_t n, cap;
};

static void
know(struct reading *s, uint32_t relid, uint32_t columns)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->known[i].relid == relid) {
			s->known[i].columns = columns;
			return;
		}
	if (s->n == s->cap) {
		s->cap = s->cap ? s->cap * 2 : 16;
		s->known = xrealloc(s->known, s->cap * sizeof(*s->known));
	}
	s->known[s->n++] = (struct known) { relid, columns };
}

static const struct known *
find(const struct reading *s, uint64_t relid)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->known[i].relid == relid)
			return &s->known[i];
	return NULL;
}

static void
check_tuple(const msgpack_object *tuple, uint32_t columns)
{
	check(tuple->via.array.size == columns);
	for (uint32_t i = 0; i < columns; i++) {
		const msgpack_object *o = &tuple->via.array.ptr[i];

		if (o->type == MSGPACK_OBJECT_STR)
			check(utf8_valid(o->via.str.ptr, o->via.str.size));
		if (o->type == MSGPACK_OBJECT_EXT && o->via.ext.type == FRAME_EXT_JSON)
			check(utf8_valid(o->via.ext.ptr, o->via.ext.size));
	}
}

static void
check_row(const struct reading *s, const struct frame *f)
{
	const struct known *k;
	struct frame_row r;

	check(frame_get_row(f, &r) == NULL);
	k = find(s, r.relid);
	check(k != NULL);
	if (r.new != NULL)
		check_tuple(r.new, k->columns);
	if (r.old != NULL)
		check_tuple(r.old, k->columns);
}

static void
check_frame(struct reading *s, const struct frame *f)
{
	struct frame_relation r;
	struct frame_truncate t;
	struct frame_commit c;

	check(s->in_unit || f->letter == FRAME_BEGIN || f->letter == FRAME_RELATION);
	switch (f->letter) {
	case FRAME_BEGIN:
		check(!s->in_unit || s->lost-- > 0);
		s->in_unit = true;
		break;
	case FRAME_RELATION:
		check(frame_get_relation(f, &r) == NULL);
		know(s, r.relid, r.columns);
		break;
	case FRAME_INSERT:
	case FRAME_UPDATE:
	case FRAME_DELETE: check_row(s, f); break;
	case FRAME_TRUNCATE:
		check(frame_get_truncate(f, &t) == NULL);
		for (uint32_t i = 0; i < t.relids; i++)
			check(find(s, t.relid[i].via.u64) != NULL);
		break;
	case FRAME_COMMIT:
		check(frame_get_commit(f, &c) == NULL && c.seq == ++s->seq);
		s->in_unit = false;
		break;
	default: check(f->letter == FRAME_MESSAGE);
	}
}

/* Takes over the bytes. */
static void
check_frames(struct buf *out, unsigned lost)
{
	struct frame_in in = { .in = { .buf = *out, .eof = true } };
	struct reading s = { .lost = lost };
	enum frame_result result;
	struct frame f;

	while ((result = frame_next(&in, &f)) == FRAME_OK) {
		check(support_touch(&in, &f) == NULL);
		check_frame(&s, &f);
	}
	check(result == FRAME_EOF);
	free(s.known);
	frame_in_free(&in);
}

/* What the catalog would tell: types with the OIDs 1 to 4, which no server uses. */
static struct type *
teach(struct types *ts, uint32_t oid, enum value_kind kind, const struct type *element)
{
	struct type *t = (struct type *)(uintptr_t)types_want(ts, oid);

	t->known = true;
	t->kind = kind;
	t->element = element;
	t->delimiter = ',';
	return t;
}

static void
teach_all(struct types *ts)
{
	struct type *pair = teach(ts, 1, VALUE_COMPOSITE, NULL);

	pair->field = xcalloc(2, sizeof(*pair->field));
	pair->field[pair->fields++] = (struct type_field) { xstrdup("a"), type_builtin(1007) };
	pair->field[pair->fields++] = (struct type_field) { xstrdup("b"), type_builtin(25) };
	teach(ts, 2, VALUE_ARRAY, pair);
	teach(ts, 3, VALUE_DOMAIN, pair);
	teach(ts, 4, VALUE_HSTORE, NULL);
	ts->wanted = 0;
}

/* A message, and what is to be replayed after it.  False: the reader would end. */
static bool
take(struct pgoutput *p, const uint8_t *data, size_t n, uint64_t *resume)
{
	/* A copy of exactly its size, so that a step beyond it shows. */
	char *msg = xmalloc(n);
	enum pgoutput_event event;
	uint64_t end_lsn = 0, seq = p->seq;

	if (n > 0)
		memcpy(msg, data, n);
	event = pgoutput_take(p, msg, n, &end_lsn);
	free(msg);
	while (p->replay != NULL && (event == PGOUTPUT_NOTHING || event == PGOUTPUT_BEGIN))
		event = pgoutput_replay(p, &end_lsn);
	check(p->seq == seq + (event == PGOUTPUT_UNIT));
	if (event == PGOUTPUT_UNIT)
		*resume = end_lsn;
	return event != PGOUTPUT_TEMPORARY && event != PGOUTPUT_PERMANENT;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *dir = getenv("TMPDIR");
	struct buf out = { 0 };
	struct pgoutput p = { .out = &out };
	uint64_t resume = 0;
	unsigned lost = 0;

	if (size-- == 0)
		return 0;
	teach_all(&p.relations.types);
	p.spools.dir = dir != NULL ? dir : "/tmp";
	p.spools.limit = *data < SPOOL_FILES ? SIZE_MAX : (*data - SPOOL_FILES) * 32u;
	data++;
	while (size > 2) {
		size_t n = (size_t)data[0] << 8 | data[1];

		data += 2;
		size -= 2;
		if (n == LOST) {
			pgoutput_disconnected(&p, resume);
			lost++;
			continue;
		}
		if (n > size)
			n = size;
		/* The reader ends at what is none of pgoutput's. */
		if (!take(&p, data, n, &resume))
			break;
		data += n;
		size -= n;
	}
	pgoutput_free(&p);
	check_frames(&out, lost);
	return 0;
}
