/* pgoutput's messages, also empty transactions and damaged ones, without a server. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "frame.h"
#include "pgoutput.h"
#include "tap.h"

#define RELID 16400

static struct buf out;
static struct pgoutput p = { .out = &out };

/*
 * Building messages: big-endian integers, strings with their NUL
 */

static void
put(struct buf *b, uint64_t v, int bytes)
{
	while (bytes-- > 0)
		buf_addc(b, (char)(v >> (8 * bytes)));
}

static void
put_string(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s) + 1);
}

static struct buf
begin(uint64_t lsn)
{
	struct buf b = { 0 };

	put(&b, 'B', 1);
	put(&b, lsn, 8);
	put(&b, 1000000, 8);
	put(&b, 77, 4);
	return b;
}

static struct buf
commit(uint64_t lsn)
{
	struct buf b = { 0 };

	put(&b, 'C', 1);
	put(&b, 0, 1);
	put(&b, lsn, 8);
	put(&b, lsn + 48, 8);
	put(&b, 1000000, 8);
	return b;
}

/* A table of two columns, id (the key) and one more. */
static struct buf
relation(const char *second)
{
	struct buf b = { 0 };

	put(&b, 'R', 1);
	put(&b, RELID, 4);
	put_string(&b, "public");
	put_string(&b, "t");
	put(&b, 'd', 1);
	put(&b, 2, 2);
	put(&b, 1, 1);
	put_string(&b, "id");
	put(&b, 23, 4);
	put(&b, UINT32_MAX, 4);
	put(&b, 0, 1);
	put_string(&b, second);
	put(&b, 25, 4);
	put(&b, UINT32_MAX, 4);
	return b;
}

/* A tuple of two columns: t a text, n null, u unchanged. */
static void
put_tuple(struct buf *b, char part, const char kinds[static 2])
{
	put(b, (unsigned char)part, 1);
	put(b, 2, 2);
	for (int i = 0; i < 2; i++) {
		put(b, (unsigned char)kinds[i], 1);
		if (kinds[i] == 't') {
			put(b, 1, 4);
			put(b, (unsigned char)('1' + i), 1);
		}
	}
}

static struct buf
row(char letter, const char *old, const char *new)
{
	struct buf b = { 0 };

	put(&b, (unsigned char)letter, 1);
	put(&b, RELID, 4);
	if (old != NULL)
		put_tuple(&b, old[0], old + 1);
	if (new != NULL)
		put_tuple(&b, 'N', new);
	return b;
}

static struct buf
truncate_of(uint32_t relid)
{
	struct buf b = { 0 };

	put(&b, 'T', 1);
	put(&b, 1, 4);
	put(&b, 3, 1);
	put(&b, relid, 4);
	return b;
}

static struct buf
message(bool transactional, uint64_t lsn)
{
	struct buf b = { 0 };

	put(&b, 'M', 1);
	put(&b, transactional, 1);
	put(&b, lsn, 8);
	put_string(&b, "prefix");
	put(&b, 2, 4);
	put(&b, 'x', 1);
	put(&b, 'y', 1);
	return b;
}

static struct buf
type_named(const char *schema)
{
	struct buf b = { 0 };

	put(&b, 'Y', 1);
	put(&b, 25, 4);
	put_string(&b, schema);
	put_string(&b, "mood");
	return b;
}

/* Take it, free it. */
static enum pgoutput_event
take(struct buf b, uint64_t *end_lsn)
{
	/* A copy of exactly its size, so that reading past it is noticed. */
	char *copy = xmalloc(b.len);
	enum pgoutput_event e;

	if (b.len > 0)
		memcpy(copy, b.data, b.len);
	e = pgoutput_take(&p, copy, b.len, end_lsn);
	free(copy);
	buf_free(&b);
	return e;
}

/* What was emitted: the frames' letters; the output is empty then. */
static const char *
letters(void)
{
	static char text[64];
	struct frame_in in = { .in = { .fd = -1, .buf = out, .eof = true } };
	struct frame f;
	size_t n = 0;

	while (n < sizeof(text) - 2 && frame_next(&in, &f) == FRAME_OK)
		text[n++] = f.letter;
	if (frame_next(&in, &f) != FRAME_EOF)
		text[n++] = '?';
	text[n] = '\0';
	out.len = 0;
	return text;
}

static void
test_units(void)
{
	uint64_t end = 0;

	ok(take(begin(100), &end) == PGOUTPUT_BEGIN && p.begin.lsn == 100, "Begin");
	ok(take(commit(100), &end) == PGOUTPUT_EMPTY && end == 148, "an empty transaction");
	is(letters(), "", "leaves no trace");
	ok(p.seq == 0, "and is not counted");

	ok(take(begin(200), &end) == PGOUTPUT_BEGIN, "Begin");
	ok(take(type_named("s"), &end) == PGOUTPUT_NOTHING, "Type");
	ok(take(relation("a"), &end) == PGOUTPUT_NOTHING, "Relation");
	is(letters(), "", "a definition alone makes no unit");
	ok(take(row('I', NULL, "tt"), &end) == PGOUTPUT_NOTHING, "Insert");
	ok(take(row('U', NULL, "tn"), &end) == PGOUTPUT_NOTHING, "Update");
	ok(take(row('D', "Ktn", NULL), &end) == PGOUTPUT_NOTHING, "Delete");
	ok(take(truncate_of(RELID), &end) == PGOUTPUT_NOTHING, "Truncate");
	ok(take(message(true, 210), &end) == PGOUTPUT_NOTHING, "Message");
	ok(take(commit(200), &end) == PGOUTPUT_UNIT && end == 248 && p.seq == 1, "Commit");
	is(letters(), "BRIUDTMC", "the unit");

	(void)take(begin(300), &end);
	(void)take(relation("a"), &end);
	(void)take(row('I', NULL, "tt"), &end);
	(void)take(relation("b"), &end);
	(void)take(row('I', NULL, "tt"), &end);
	(void)take(relation("a"), &end);
	(void)take(relation("b"), &end);
	(void)take(row('I', NULL, "tt"), &end);
	ok(take(commit(300), &end) == PGOUTPUT_UNIT && p.seq == 2, "another one");
	is(letters(), "BIRIIC", "R only where the definition differs from the last one emitted");

	ok(take(message(false, 400), &end) == PGOUTPUT_UNIT && end == 400 && p.seq == 3,
	    "a message that is no transaction's");
	is(letters(), "BMC", "is a unit");
}

/* These are errors, not crashes, and not rows. */
static void
test_damaged(void)
{
	uint64_t end;
	const struct {
		struct buf b;
		const char *name;
	} whole[] = { { relation("a"), "Relation" }, { row('I', NULL, "tt"), "Insert" },
		{ row('U', "Otu", "tt"), "Update" }, { row('D', "Ktn", NULL), "Delete" },
		{ truncate_of(RELID), "Truncate" }, { message(true, 1), "Message" },
		{ type_named("s"), "Type" } };

	ok(take(commit(1), &end) == PGOUTPUT_PERMANENT, "Commit without Begin");
	ok(take(row('I', NULL, "tt"), &end) == PGOUTPUT_PERMANENT, "a row without Begin");
	ok(take(truncate_of(RELID), &end) == PGOUTPUT_PERMANENT, "a truncate without Begin");
	ok(take(message(true, 1), &end) == PGOUTPUT_PERMANENT, "a message without its Begin");
	(void)take(begin(500), &end);
	ok(take(begin(501), &end) == PGOUTPUT_PERMANENT, "Begin twice");
	ok(take(message(false, 1), &end) == PGOUTPUT_PERMANENT, "a message that is not its");
	ok(take(truncate_of(1), &end) == PGOUTPUT_PERMANENT, "a truncate of an unknown table");
	ok(take(row('I', "Ktn", "tt"), &end) == PGOUTPUT_PERMANENT, "Insert with an old row");
	ok(take(row('D', NULL, "tt"), &end) == PGOUTPUT_PERMANENT, "Delete with a new row");
	ok(take(row('U', "Ktn", NULL), &end) == PGOUTPUT_PERMANENT, "Update without a new row");
	ok(take(row('I', NULL, "tb"), &end) == PGOUTPUT_PERMANENT, "a binary value");
	ok(take(row('Z', NULL, "tt"), &end) == PGOUTPUT_PERMANENT, "an unknown message");
	ok(take((struct buf) { 0 }, &end) == PGOUTPUT_PERMANENT, "an empty message");
	(void)letters();
	for (size_t m = 0; m < sizeof(whole) / sizeof(whole[0]); m++) {
		size_t taken = 0;

		for (size_t n = 1; n < whole[m].b.len; n++) {
			struct buf cut = { 0 };

			buf_add(&cut, whole[m].b.data, n);
			taken += take(cut, &end) != PGOUTPUT_PERMANENT;
		}
		ok(taken == 0, "%s, cut anywhere", whole[m].name);
		(void)take(relation("a"), &end);
	}
	for (size_t m = 0; m < sizeof(whole) / sizeof(whole[0]); m++)
		ok(take(whole[m].b, &end) == PGOUTPUT_NOTHING, "%s, whole", whole[m].name);
}

/* Bytes changed by chance: whatever comes, it ends in order. */
static void
test_noise(void)
{
	uint64_t end;
	unsigned seed = 1;

	for (int i = 0; i < 20000; i++) {
		struct buf b = i % 4 == 0 ? row('U', "Ott", "tn")
		    : i % 4 == 1          ? row('D', "Ktn", NULL)
		    : i % 4 == 2          ? truncate_of(RELID)
		                          : message(true, 1);

		/* Not its letter: a Relation could want the catalog, which is not here. */
		for (int k = 0; k < 3; k++)
			b.data[1 + (size_t)rand_r(&seed) % (b.len - 1)] = (char)rand_r(&seed);
		(void)take(b, &end);
		out.len = 0;
	}
	ok(true, "noise");
}

int
main(void)
{
	int err = dup(STDERR_FILENO), null = open("/dev/null", O_WRONLY);

	test_units();
	/* Each of these is said on the log. */
	(void)dup2(null, STDERR_FILENO);
	test_damaged();
	test_noise();
	(void)dup2(err, STDERR_FILENO);
	buf_free(&out);
	return done_testing();
}
