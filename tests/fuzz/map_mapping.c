/*
 * Any bytes as a mapping file.  Where it has no errors, it is used: on a few tables with
 * columns of many types, and each kind of change.
 */
#include <math.h>

#include "actions.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static const struct {
	const char *name, *type;
	uint32_t oid;
	bool in_identity;
} columns[] = {
	{ "id", "int4", 23, true },
	{ "tenant", "text", 25, true },
	{ "name", "text", 25, false },
	{ "total", "numeric", 1700, false },
	{ "deleted_at", "timestamptz", 1184, false },
	{ "created_on", "date", 1082, false },
	{ "prefs", "jsonb", 3802, false },
	{ "attrs", "hstore", 90001, false },
	{ "words", "text[]", 1009, false },
	{ "ints", "int4[]", 1007, false },
	{ "at", "point", 600, false },
	{ "area", "box", 603, false },
	{ "geom", "geometry", 90002, false },
	{ "price", "money", 790, false },
	{ "open", "bool", 16, false },
	{ "since", "int8", 20, false },
	{ "f", "float8", 701, false },
	{ "blob", "bytea", 17, false },
	{ "during", "tsrange", 3908, false },
	{ "op", "varchar", 1043, false },
};

/* How a row differs from others. */
enum form { FORM_PLAIN, FORM_OTHER, FORM_NULLS, FORM_ODD, FORM_ABSENT, FORM_KEY, FORMS };

static void
put_json(struct buf *b, const char *text)
{
	frame_put_ext(b, FRAME_EXT_JSON, text, strlen(text));
}

static void
put_values(struct buf *b, bool other)
{
	frame_put_cstr(b, other ? "Anna" : "Ann \"B.\"\n");
	frame_put_cstr(b, other ? "10" : "12.50");
	if (other)
		frame_put_cstr(b, "2026-11-23T01:02:03.4Z");
	else
		frame_put_nil(b);
	frame_put_cstr(b, other ? "2026-12-01" : "2026-11-23");
	put_json(b, other ? "{\"a\": 2}" : "{\"a\":\n 1, \"id\": [true, {\"b\": \"\xc3\xbc\"}]}");
	frame_put_map(b, 2);
	frame_put_cstr(b, "k");
	frame_put_cstr(b, other ? "w" : "v");
	frame_put_cstr(b, "l");
	frame_put_nil(b);
	frame_put_array(b, 3);
	frame_put_cstr(b, "a");
	frame_put_nil(b);
	frame_put_cstr(b, other ? "c" : "b");
	frame_put_array(b, 2);
	frame_put_int(b, -1);
	frame_put_uint(b, 12345678901);
	frame_put_cstr(b, "(13.4,52.5)");
	frame_put_cstr(b, "(2,1),(0,0)");
	frame_put_cstr(b, "0101000000000000000000F03F0000000000000040");
	frame_put_cstr(b, "-$1,234.50");
	frame_put_bool(b, !other);
	frame_put_int(b, 1795395723);
	frame_put_float(b, other ? 1 : 0.1);
	frame_put_bin(b, "\0\xff\n", 3);
	frame_put_map(b, 3);
	frame_put_cstr(b, "lower");
	frame_put_cstr(b, "2026-11-23T01:02:03");
	frame_put_cstr(b, "upper");
	frame_put_nil(b);
	frame_put_cstr(b, "bounds");
	frame_put_cstr(b, "[)");
	frame_put_cstr(b, other ? "yes" : "red, green,,\xe2\x82\xac");
}

/* As many values as put_values has, which are hard to bear. */
static void
put_odd(struct buf *b)
{
	static const char *const texts[] = { "infinity", "0044-03-15 BC", NULL, NULL, NULL, NULL,
		"(NaN,1)", "(1,1),(1,1)", "00", "$", NULL, NULL, NULL, NULL, NULL,
		"10000-01-01" };

	frame_put_bin(b, "a\xff\xe2\x82", 4);
	frame_put_cstr(b, "NaN");
	for (size_t i = 0; i < N(texts); i++)
		if (texts[i] != NULL)
			frame_put_cstr(b, texts[i]);
		else if (i == 2)
			put_json(b, "[{\"\": 1, \"a\": 2}, 1e400, \"\\ud800\"]");
		else if (i == 12)
			frame_put_float(b, -HUGE_VAL);
		else
			frame_put_nil(b);
}

static void
put_row(struct buf *b, enum form form, int id)
{
	char text[600];

	memset(text, 'x', sizeof(text));
	frame_put_array(b, N(columns));
	frame_put_int(b, id);
	frame_put_str(b, form == FORM_ODD ? text : "ac|me & Co.", form == FORM_ODD ? 600 : 11);
	if (form == FORM_PLAIN || form == FORM_OTHER)
		put_values(b, form == FORM_OTHER);
	else if (form == FORM_ODD)
		put_odd(b);
	for (size_t i = 2; form != FORM_PLAIN && form != FORM_OTHER && form != FORM_ODD &&
	     i < N(columns);
	     i++) {
		/* Of those that are not sent, some are. */
		if (form == FORM_KEY || (form == FORM_ABSENT && (i == 2 || (i > 5 && i < 10))))
			frame_put_absent(b);
		else
			frame_put_nil(b);
	}
}

/* Of an update or delete old is the old row, or FORMS: none. */
static void
put_change(struct buf *b, char letter, uint32_t relid, int id, enum form form, int old_id,
    enum form old)
{
	frame_put_head(b, letter, letter == FRAME_UPDATE ? 3 : 2);
	frame_put_uint(b, relid);
	put_row(b, form, id);
	if (letter != FRAME_UPDATE)
		return;
	if (old == FORMS)
		frame_put_nil(b);
	else
		put_row(b, old, old_id);
}

static void
put_table(struct buf *b, uint32_t relid, const char *table, char identity, size_t key)
{
	static const uint32_t keys[] = { 0, 1 };
	bool full = identity == 'f';

	frame_put_relation(b, relid, "public", table, identity, N(columns));
	for (size_t i = 0; i < N(columns); i++) {
		struct frame_column c = { .name = { columns[i].name,
			                      (uint32_t)strlen(columns[i].name) },
			.type = { columns[i].type, (uint32_t)strlen(columns[i].type) },
			.type_oid = columns[i].oid,
			.typmod = -1,
			.in_identity = full || columns[i].in_identity };

		frame_put_column(b, &c, false);
	}
	frame_put_key(b, keys, key);
	put_change(b, FRAME_INSERT, relid, 1, FORM_PLAIN, 0, FORMS);
	put_change(b, FRAME_SNAPSHOT_ROW, relid, 2, FORM_OTHER, 0, FORMS);
	put_change(b, FRAME_INSERT, relid, 3, FORM_NULLS, 0, FORMS);
	put_change(b, FRAME_INSERT, relid, -4, FORM_ODD, 0, FORMS);
	put_change(b, FRAME_UPDATE, relid, 1, FORM_OTHER, 0, FORMS);
	put_change(b, FRAME_UPDATE, relid, 1, FORM_ABSENT, 0, FORMS);
	put_change(b, FRAME_UPDATE, relid, 1, FORM_PLAIN, 1, full ? FORM_OTHER : FORM_KEY);
	put_change(b, FRAME_UPDATE, relid, 2, FORM_PLAIN, 1, full ? FORM_PLAIN : FORM_KEY);
	put_change(b, FRAME_UPDATE, relid, 1, FORM_ABSENT, 2, full ? FORM_OTHER : FORM_KEY);
	put_change(b, FRAME_DELETE, relid, 1, full ? FORM_OTHER : FORM_KEY, 0, FORMS);
}

static void
build(struct buf *b)
{
	frame_put_begin(b, &(struct frame_begin) { .lsn = 0x16b374d848,
	                       .time = 1795395723456789,
	                       .has_xid = true,
	                       .xid = 742 });
	put_table(b, 1, "users", 'd', 1);
	put_table(b, 2, "orders_eu", 'f', 2);
	put_table(b, 3, "users_old", 'n', 0);
	frame_put_head(b, FRAME_TRUNCATE, 3);
	frame_put_array(b, 3);
	for (unsigned i = 1; i <= 3; i++)
		frame_put_uint(b, i);
	frame_put_bool(b, false);
	frame_put_bool(b, false);
	frame_put_commit(b, &(struct frame_commit) { .lsn = 0x16b374d880, .seq = 1 });
	frame_put_end(b, 0x16b374d880, "done");
}

/* What cannot be used for one table may be for the next, so errors do not end it. */
static void
use(const struct mapping *mapping)
{
	static const struct actions_promise promise = { .json = true, .utf8 = true,
		.unique = true };
	static struct buf frames;
	struct buf out = { 0 };
	struct frame_in in;
	struct mapper m;
	struct frame f;

	if (frames.len == 0)
		build(&frames);
	actions_feed(&in, (const uint8_t *)frames.data, frames.len);
	mapper_init(&m, mapping, &out);
	while (frame_next(&in, &f) == FRAME_OK)
		(void)actions_take(&m, &in, &f, &promise);
	check(m.ended);
	mapper_free(&m);
	frame_in_free(&in);
	buf_free(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct problems problems = { 0 };
	struct mapping mapping;
	char *text = xmalloc(size + 1);

	actions_locale();
	memcpy(text, data, size);
	/* In memory of that size. */
	text = xrealloc(text, size > 0 ? size : 1);
	mapping_load(&mapping, "m.yml", text, size, &problems);
	free(text);
	for (size_t i = 0; i < problems.n; i++)
		check(problems.list[i].what[0] != '\0');
	if (problems.errors == 0)
		use(&mapping);
	mapping_free(&mapping);
	problems_free(&problems);
	return 0;
}
