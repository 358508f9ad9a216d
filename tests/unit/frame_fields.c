/* Frames of each kind come back as they were written, and wrong ones are refused. */

#include <stdlib.h>

#include "frame.h"
#include "tap.h"

/* Input that is in memory. */
static void
feed(struct frame_in *r, const char *p, size_t n)
{
	buf_add(&r->in.buf, p, n);
}

static struct buf w;

/*
 * Shapes: each element of each frame is replaced by a value of every kind, and only
 * those that the frame's layout allows are taken.
 */

/* A kind of value, by a character. */
static void
put_kind(struct buf *b, char kind, const char *str)
{
	switch (kind) {
	case 'n': frame_put_nil(b); break;
	case 'f': frame_put_bool(b, false); break;
	case 't': frame_put_bool(b, true); break;
	case '-': frame_put_int(b, -7); break;
	case 'u': frame_put_uint(b, 5); break;
	case 'U': frame_put_uint(b, UINT64_C(1) << 40); break;
	case 'M': frame_put_uint(b, UINT64_MAX); break;
	case 'd': frame_put_float(b, 1.0); break;
	case 's': frame_put_cstr(b, str); break;
	case 'b': frame_put_bin(b, "x", 1); break;
	case 'a': frame_put_array(b, 0); break;
	case 'A':
		frame_put_array(b, 1);
		frame_put_cstr(b, "x");
		break;
	case 'm': frame_put_map(b, 0); break;
	case 'e': frame_put_absent(b); break;
	}
}

#define KINDS      "nft-uUMdsbaAme"
#define FIELDS_MAX 8

struct shape {
	char letter;
	unsigned required; /* elements */
	struct {
		const char *takes; /* kinds; the first is what stands there otherwise */
		const char *str;
	} field[FIELDS_MAX];
};

static const struct shape shapes[] = {
	{ 'H', 1, { { "m", "" } } },
	{ 'R', 6,
	    { { "u", "" }, { "s", "public" }, { "s", "t" }, { "s", "d" }, { "a", "" },
		{ "na", "" } } },
	{ 'B', 3, { { "uUM", "" }, { "uU-", "" }, { "nu", "" } } },
	{ 'I', 2, { { "u", "" }, { "aA", "" } } },
	{ 'U', 3, { { "u", "" }, { "aA", "" }, { "naA", "" } } },
	{ 'D', 2, { { "u", "" }, { "aA", "" } } },
	{ 'S', 2, { { "u", "" }, { "aA", "" } } },
	{ 'T', 3, { { "a", "" }, { "ft", "" }, { "tf", "" } } },
	{ 'M', 4, { { "s", "p" }, { "b", "" }, { "uUM", "" }, { "ft", "" } } },
	{ 'C', 2, { { "uUM", "" }, { "uUM", "" } } },
	{ 'X', 7,
	    { { "s", "index" }, { "un", "" }, { "sn", "i" }, { "sn", "id" },
		{ "nfuU", "" }, { "ns", "r" }, { "sn", "{}" }, { "mn", "" } } },
	{ 'E', 2, { { "uUM", "" }, { "s", "why" } } },
};

static const char *
get_any(const struct frame *f)
{
	union {
		struct frame_relation r;
		struct frame_begin b;
		struct frame_row row;
		struct frame_truncate t;
		struct frame_message m;
		struct frame_commit c;
		struct frame_action a;
		struct frame_end e;
		struct frame_hello h;
	} u;

	switch (f->letter) {
	case FRAME_HELLO: {
		const char *why = frame_get_hello(f, &u.h);

		/* The empty map of the shapes. */
		return why != NULL && strstr(why, "no version") != NULL ? NULL : why;
	}
	case FRAME_RELATION: return frame_get_relation(f, &u.r);
	case FRAME_BEGIN: return frame_get_begin(f, &u.b);
	case FRAME_TRUNCATE: return frame_get_truncate(f, &u.t);
	case FRAME_MESSAGE: return frame_get_message(f, &u.m);
	case FRAME_COMMIT: return frame_get_commit(f, &u.c);
	case FRAME_ACTION: return frame_get_action(f, &u.a);
	case FRAME_END: return frame_get_end(f, &u.e);
	default: return frame_get_row(f, &u.row);
	}
}

/* What get_any says to a frame of these bytes. */
static const char *
judge(const struct buf *b)
{
	struct frame_in r = { 0 };
	struct frame f;
	const char *why = "no frame";

	feed(&r, b->data, b->len);
	if (frame_next(&r, &f) == FRAME_OK && frame_decode(&r, &f) == 0)
		why = get_any(&f);
	frame_in_free(&r);
	return why;
}

static const char *
judge_shape(const struct shape *s, unsigned fields, unsigned replaced, char kind)
{
	struct buf b = { 0 };
	const char *why;

	frame_put_head(&b, s->letter, fields);
	for (unsigned i = 0; i < fields; i++) {
		const char *str =
		    i < FIELDS_MAX && s->field[i].str ? s->field[i].str : "";

		if (i == replaced)
			put_kind(&b, kind, str);
		else if (i < FIELDS_MAX && s->field[i].takes != NULL)
			put_kind(&b, s->field[i].takes[0], str);
		else
			frame_put_nil(&b);
	}
	why = judge(&b);
	buf_free(&b);
	return why;
}

static void
test_shape(const struct shape *s)
{
	unsigned n = s->required;

	while (n < FIELDS_MAX && s->field[n].takes != NULL)
		n++;
	is(judge_shape(s, n, n, 0), NULL, "a well-formed frame is taken");
	ok(judge_shape(s, n + 2, n + 2, 0) == NULL, "%c may have more elements",
	    s->letter);
	ok(judge_shape(s, s->required, n, 0) == NULL, "%c needs %u", s->letter,
	    s->required);
	ok(judge_shape(s, s->required - 1, n, 0) != NULL, "%c with fewer is refused",
	    s->letter);
	for (unsigned i = 0; i < n; i++) {
		const char *wrong = NULL;

		for (const char *k = KINDS; *k != '\0' && wrong == NULL; k++) {
			bool takes = judge_shape(s, n, i, *k) == NULL;

			if (takes != (strchr(s->field[i].takes, *k) != NULL))
				wrong = k;
		}
		ok(wrong == NULL,
		    "%c's element %u takes what it should, and nothing else", s->letter,
		    i);
		if (wrong != NULL)
			printf("# not so with kind '%c'\n", *wrong);
	}
}

/*
 * Contents
 */

/* Written, read back and decoded: the frame's reader, to be freed. */
static struct frame_in
reread(struct frame *f)
{
	struct frame_in r = { 0 };

	feed(&r, w.data, w.len);
	w.len = 0;
	if (frame_next(&r, f) != FRAME_OK || frame_decode(&r, f) != 0)
		ok(false, "a frame that was written can be read");
	return r;
}

static bool
is_str(struct frame_str s, const char *want)
{
	if (want == NULL)
		return s.ptr == NULL;
	return s.ptr != NULL && s.len == strlen(want) && memcmp(s.ptr, want, s.len) == 0;
}

static struct frame_str
str(const char *s)
{
	return (struct frame_str){ s, (uint32_t)strlen(s) };
}

static void
test_hello(void)
{
	static const char *const publications[] = { "p1", "p2" };
	struct frame_hello h = { .run = str("r"),
		.from = str("pgcdc-read 0.1.0"),
		.system = str("7123456789012345678"),
		.database = str("db"),
		.slot = str("s"),
		.timeline = 3,
		.server = 150018 };
	struct frame f;
	struct frame_in r;

	frame_put_hello(&w, &h, publications, 2);
	h = (struct frame_hello){ 0 };
	r = reread(&f);
	is(frame_get_hello(&f, &h), NULL, "H comes back");
	ok(h.version == FRAME_VERSION && is_str(h.run, "r") &&
		is_str(h.from, "pgcdc-read 0.1.0") &&
		is_str(h.system, "7123456789012345678") && is_str(h.database, "db") &&
		is_str(h.slot, "s") && h.timeline == 3 && h.server == 150018 &&
		h.publications->via.array.size == 2,
	    "with all that it held");
	frame_in_free(&r);

	for (int i = 0; i < 4; i++) {
		static const char *const words[] = { "version", NULL, "string",
			"number" };

		frame_put_head(&w, 'H', 1);
		frame_put_map(&w, 2);
		frame_put_cstr(&w, "v");
		frame_put_uint(&w, i == 0 ? 2 : 1);
		frame_put_cstr(&w, i == 3 ? "server" : i == 2 ? "run" : "later");
		frame_put_array(&w, 0);
		r = reread(&f);
		if (words[i] == NULL)
			is(frame_get_hello(&f, &h), NULL,
			    "what H may say later is ignored");
		else
			ok(frame_get_hello(&f, &h) != NULL &&
				strstr(frame_get_hello(&f, &h), words[i]) != NULL,
			    "H with a wrong member is refused: %s", words[i]);
		frame_in_free(&r);
	}
}

static void
test_relation(void)
{
	const struct frame_column id = { .name = str("id"),
		.type = str("int4"),
		.type_oid = 23,
		.typmod = -1,
		.in_identity = true };
	struct frame_column c;
	struct frame_relation rel;
	uint32_t key[] = { 1, 0 };
	struct frame f;
	struct frame_in r;

	for (uint32_t columns = 2; columns > 0; columns--) {
		frame_put_relation(&w, 16385, "public", "users", 'f', columns);
		frame_put_column(&w, &id, false);
		if (columns == 2)
			frame_put_column(&w, &(struct frame_column){ str("name"),
						 str("text"), 25, 7, false, NULL }, false);
		frame_put_key(&w, key, 2);
		r = reread(&f);
		if (columns == 1) {
			ok(frame_get_relation(&f, &rel) != NULL,
			    "R's key names columns that there are");
			frame_in_free(&r);
			continue;
		}
		is(frame_get_relation(&f, &rel), NULL, "R comes back");
		ok(rel.relid == 16385 && is_str(rel.schema, "public") &&
			is_str(rel.table, "users") && rel.identity == 'f' &&
			rel.columns == 2,
		    "its table");
		frame_get_column(&rel, 1, &c);
		ok(is_str(c.name, "name") && is_str(c.type, "text") && c.type_oid == 25 &&
			c.typmod == 7 && !c.in_identity,
		    "its second column");
		frame_get_column(&rel, 0, &c);
		ok(is_str(c.name, "id") && c.typmod == -1 && c.in_identity && c.base == NULL,
		    "its first column");
		ok(rel.key_columns == 2 && frame_get_key(&rel, 0) == 1 &&
			frame_get_key(&rel, 1) == 0,
		    "its primary key, in key order");
		frame_in_free(&r);
	}
	frame_put_relation(&w, 1, "s", "t", 'n', 0);
	frame_put_key(&w, NULL, 0);
	r = reread(&f);
	ok(frame_get_relation(&f, &rel) == NULL && rel.key_columns == 0 &&
		rel.columns == 0,
	    "a table without columns or key");
	frame_in_free(&r);
	frame_put_relation(&w, 1, "s", "t", 'x', 0);
	frame_put_key(&w, NULL, 0);
	r = reread(&f);
	ok(frame_get_relation(&f, &rel) != NULL,
	    "an identity that nobody knows is refused");
	frame_in_free(&r);
}

/* Columns, with one element at a time of a wrong kind. */
static void
test_columns(void)
{
	static const char good[] = "ssu-t";
	struct frame_relation rel;
	struct frame f;
	struct frame_in r;
	bool refused = true;

	for (int i = 0; i < 5; i++) {
		frame_put_relation(&w, 1, "s", "t", 'd', 1);
		frame_put_array(&w, 5);
		for (int j = 0; j < 5; j++)
			put_kind(&w, j == i ? 'a' : good[j], "x");
		frame_put_key(&w, NULL, 0);
		r = reread(&f);
		refused = refused && frame_get_relation(&f, &rel) != NULL;
		frame_in_free(&r);
	}
	ok(refused, "a column with a wrong element is refused");
	frame_put_relation(&w, 1, "s", "t", 'd', 1);
	frame_put_array(&w, 4);
	for (int j = 0; j < 4; j++)
		put_kind(&w, good[j], "x");
	frame_put_key(&w, NULL, 0);
	r = reread(&f);
	ok(frame_get_relation(&f, &rel) != NULL, "a column with an element too few, too");
	frame_in_free(&r);
}

/*
 * A column with a base: a kind; or for '(' maps around it, for ':' one whose key is of the
 * first kind.  more elements follow.
 */
static const char *
judge_base(const char *base, unsigned more, struct frame_column *c, struct frame_in *r)
{
	static struct frame_relation rel;
	const struct frame_column column = {
		.name = str("c"), .type = str("public.t"), .type_oid = 16400, .typmod = -1
	};
	struct frame f;
	const char *why;
	size_t start;

	frame_put_relation(&w, 1, "s", "t", 'd', 1);
	start = w.len;
	frame_put_column(&w, &column, true);
	w.data[start] = (char)(w.data[start] + (int)more);
	for (; *base == '(' || *base == ':'; base++) {
		frame_put_map(&w, 2);
		frame_put_cstr(&w, "first");
		frame_put_nil(&w);
		if (*base == '(')
			frame_put_cstr(&w, "second");
		else
			put_kind(&w, *++base, "x");
	}
	if (*base == '0')
		frame_put_uint(&w, 0);
	else
		put_kind(&w, *base, "x");
	for (unsigned i = 0; i < more; i++)
		frame_put_nil(&w);
	frame_put_key(&w, NULL, 0);
	*r = reread(&f);
	why = frame_get_relation(&f, &rel);
	if (why == NULL)
		frame_get_column(&rel, 0, c);
	return why;
}

static void
test_base(void)
{
	static const char deepest[] = "(((((((((((((((((((((((((((((u";
	struct frame_column c;
	struct frame_in r;

	is(judge_base("u", 0, &c, &r), NULL, "a column with a base comes back");
	ok(c.base != NULL && c.base->via.u64 == 5 && c.type_oid == 16400 && !c.in_identity,
	    "which is there");
	frame_in_free(&r);
	is(judge_base("n", 0, &c, &r), NULL, "it may be nil");
	ok(c.base == NULL, "which is none");
	frame_in_free(&r);
	is(judge_base("((u", 0, &c, &r), NULL, "or maps");
	ok(c.base != NULL && c.base->type == MSGPACK_OBJECT_MAP && c.base->via.map.size == 2 &&
		is_str((struct frame_str){ c.base->via.map.ptr[1].key.via.str.ptr,
			   c.base->via.map.ptr[1].key.via.str.size },
		    "second") &&
		c.base->via.map.ptr[1].val.via.map.ptr[1].val.via.u64 == 5,
	    "inside of each other");
	frame_in_free(&r);
	is(judge_base(deepest, 0, &c, &r), NULL, "as deep as frames nest");
	frame_in_free(&r);
	for (const char *k = KINDS "0"; *k != '\0'; k++) {
		char base[] = { *k, '\0' }, inside[] = { '(', '(', *k, '\0' };
		char key[] = { ':', *k, 'u', '\0' };
		bool good = strchr("num", *k) != NULL;

		ok((judge_base(base, 0, &c, &r) == NULL) == good, "a base of the kind %c: %s",
		    *k, good ? "taken" : "refused");
		frame_in_free(&r);
		ok((judge_base(inside, 0, &c, &r) == NULL) == good, "so inside of maps");
		frame_in_free(&r);
		if (*k == '0')
			continue;
		ok((judge_base(key, 0, &c, &r) == NULL) == (*k == 's'),
		    "a key of the kind %c: %s", *k, *k == 's' ? "taken" : "refused");
		frame_in_free(&r);
	}
	ok(judge_base("u", 1, &c, &r) != NULL, "a column with an element too many is refused");
	frame_in_free(&r);
}

static void
test_unit(void)
{
	struct frame_begin b = { .lsn = UINT64_C(0x16B374D848),
		.time = -5,
		.has_xid = true,
		.xid = UINT32_MAX };
	struct frame_commit c = { .lsn = 77, .seq = 3 };
	struct frame_message m = {
		.prefix = str("p"), .content = str("c"), .lsn = 9, .transactional = true
	};
	struct frame_end e;
	struct frame f;
	struct frame_in r;

	frame_put_begin(&w, &b);
	b = (struct frame_begin){ 0 };
	r = reread(&f);
	ok(frame_get_begin(&f, &b) == NULL && b.lsn == UINT64_C(0x16B374D848) &&
		b.time == -5 && b.has_xid && b.xid == UINT32_MAX,
	    "B comes back");
	frame_in_free(&r);
	b.has_xid = false;
	frame_put_begin(&w, &b);
	r = reread(&f);
	ok(frame_get_begin(&f, &b) == NULL && !b.has_xid,
	    "B of a snapshot's chunk has no xid");
	frame_in_free(&r);
	frame_put_commit(&w, &c);
	r = reread(&f);
	ok(frame_get_commit(&f, &c) == NULL && c.lsn == 77 && c.seq == 3, "C comes back");
	frame_in_free(&r);
	frame_put_message(&w, &m);
	r = reread(&f);
	ok(frame_get_message(&f, &m) == NULL && is_str(m.prefix, "p") &&
		is_str(m.content, "c") && m.lsn == 9 && m.transactional,
	    "M comes back");
	frame_in_free(&r);
	frame_put_end(&w, 8, "terminated");
	r = reread(&f);
	ok(frame_get_end(&f, &e) == NULL && e.lsn == 8 && is_str(e.reason, "terminated"),
	    "E comes back");
	frame_in_free(&r);
}

static void
test_row(void)
{
	struct frame_row row;
	struct frame f;
	struct frame_in r;

	for (const char *letter = "IUDS"; *letter != '\0'; letter++) {
		bool update = *letter == 'U';

		frame_put_head(&w, *letter, update ? 3 : 2);
		frame_put_uint(&w, 16385);
		frame_put_array(&w, 2);
		frame_put_uint(&w, 1);
		frame_put_absent(&w);
		if (update)
			frame_put_array(&w, 0);
		r = reread(&f);
		ok(frame_get_row(&f, &row) == NULL && row.relid == 16385, "%c comes back",
		    *letter);
		ok((row.new != NULL) == (*letter != 'D') &&
			(row.old != NULL) == (update || *letter == 'D'),
		    "%c has the rows that it should", *letter);
		frame_in_free(&r);
	}
	frame_put_head(&w, 'I', 2);
	frame_put_uint(&w, 1);
	frame_put_array(&w, 3);
	frame_put_absent(&w);
	frame_put_nil(&w);
	frame_put_ext(&w, FRAME_EXT_JSON, "1", 1);
	r = reread(&f);
	ok(frame_is_absent(&f.field[1].via.array.ptr[0]) &&
		!frame_is_absent(&f.field[1].via.array.ptr[1]) &&
		!frame_is_absent(&f.field[1].via.array.ptr[2]),
	    "absent is neither nil nor JSON");
	frame_in_free(&r);
}

static void
test_action(void)
{
	struct frame_action a, b;
	struct frame f;
	struct frame_in r;

	for (int op = 0; op < OP_COUNT; op++) {
		a = (struct frame_action){ .op = (enum frame_op)op,
			.has_relid = op % 2 == 0,
			.relid = 7,
			.index = str("i"),
			.id = str("1"),
			.versioned = (enum frame_versioned)(op % 3),
			.version = 12 };
		if (op != OP_DELETE) {
			a.body = str("{}");
			a.routing = str("r");
		}
		frame_put_action(&w, &a, op == OP_INDEX);
		if (op == OP_INDEX) {
			frame_put_cstr(&w, "pipeline");
			frame_put_cstr(&w, "p");
		}
		r = reread(&f);
		ok(frame_get_action(&f, &b) == NULL && b.op == a.op &&
			b.has_relid == a.has_relid && b.relid == (a.has_relid ? 7 : 0) &&
			is_str(b.index, "i") && is_str(b.id, "1") &&
			is_str(b.routing, op == OP_DELETE ? NULL : "r") &&
			is_str(b.body, op == OP_DELETE ? NULL : "{}") &&
			b.versioned == a.versioned &&
			b.version == (a.versioned == VERSION_GIVEN ? 12 : 0) &&
			(b.more != NULL) == (op == OP_INDEX),
		    "X %s comes back", frame_op_names[op]);
		frame_in_free(&r);
	}
	frame_put_head(&w, 'X', 7);
	frame_put_cstr(&w, "upsert");
	for (int i = 0; i < 6; i++)
		frame_put_nil(&w);
	r = reread(&f);
	ok(frame_get_action(&f, &b) != NULL, "an op that nobody knows is refused");
	frame_in_free(&r);
}

static void
test_lsn_fields(void)
{
	bool none = true;

	ok(frame_lsn_field('B') == 0 && frame_lsn_field('C') == 0 &&
		frame_lsn_field('E') == 0 && frame_lsn_field('M') == 2,
	    "the elements that are LSNs");
	for (const char *p = "HRIUDSTXasz"; *p != '\0'; p++)
		none = none && frame_lsn_field(*p) == -1;
	ok(none, "and the frames without one");
}

int
main(void)
{
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++)
		test_shape(&shapes[i]);
	test_hello();
	test_relation();
	test_columns();
	test_base();
	test_unit();
	test_row();
	test_action();
	test_lsn_fields();
	buf_free(&w);
	return done_testing();
}
