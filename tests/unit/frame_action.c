/* Actions that are read at once are those that are found and decoded, and no others. */
#include <stdlib.h>

#include "frame.h"
#include "tap.h"

static uint32_t seed = 7;

static uint32_t
draw(uint32_t n)
{
	seed = seed * 1103515245u + 12345u;
	return (seed >> 8) % n;
}

static bool
same_str(struct frame_str a, struct frame_str b)
{
	return a.len == b.len && (a.ptr == NULL) == (b.ptr == NULL) &&
	    (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static bool
same_action(const struct frame_action *a, const struct frame_action *b)
{
	return a->op == b->op && a->has_relid == b->has_relid && a->relid == b->relid &&
	    a->versioned == b->versioned && a->version == b->version &&
	    same_str(a->index, b->index) && same_str(a->id, b->id) &&
	    same_str(a->routing, b->routing) && same_str(a->body, b->body);
}

static int taken, refused;

/* Do both ways of reading make the same of these bytes, as far as the quick one takes them? */
static bool
agree(const char *p, size_t n)
{
	struct frame_in quick = { 0 }, slow = { 0 };
	struct frame_action a, b;
	struct frame f, g;
	bool took, good, same = true;

	buf_add(&quick.in.buf, p, n);
	buf_add(&slow.in.buf, p, n);
	took = frame_next_action(&quick, &f, &a);
	good = frame_next(&slow, &g) == FRAME_OK && g.letter == FRAME_ACTION &&
	    frame_decode(&slow, &g) == 0 && frame_get_action(&g, &b) == NULL;
	taken += took;
	refused += !took;
	if (took)
		same = good && b.more == NULL && a.more == NULL && same_action(&a, &b) &&
		    f.letter == FRAME_ACTION && f.len == g.len && f.offset == 0 &&
		    quick.in.off == slow.in.off && quick.offset == slow.offset;
	else
		same = quick.in.off == 0 && quick.offset == 0;
	frame_in_free(&quick);
	frame_in_free(&slow);
	return same;
}

static char text[70000];

static struct frame_str
any_str(bool nil)
{
	static const uint32_t sizes[] = { 0, 1, 31, 32, 255, 256, 65535, 65536 };
	uint32_t n = draw(20) == 0 ? sizes[draw(8)] : draw(40);

	if (nil && draw(3) == 0)
		return (struct frame_str) { 0 };
	return (struct frame_str) { text, n };
}

static struct frame_action
any_action(void)
{
	static const uint64_t numbers[] = { 0, 127, 128, 255, 256, 65535, 65536, UINT32_MAX,
		(uint64_t)UINT32_MAX + 1, INT64_MAX };
	struct frame_action a = { .op = (enum frame_op)draw(OP_COUNT),
		.has_relid = draw(2) == 0, .index = any_str(true), .id = any_str(true),
		.routing = any_str(true), .body = any_str(true),
		.versioned = (enum frame_versioned)draw(3) };

	if (a.has_relid)
		a.relid = (uint32_t)numbers[draw(8)];
	if (a.versioned == VERSION_GIVEN)
		a.version = numbers[draw(10)];
	return a;
}

/* Are actions as they are written taken, each with what follows behind it? */
static void
test_good(void)
{
	struct buf b = { 0 };
	bool good = true;

	taken = 0;
	for (int i = 0; i < 3000; i++) {
		struct frame_action a = any_action();
		size_t n;

		b.len = 0;
		frame_put_action(&b, &a, 0);
		n = b.len;
		buf_adds(&b, "more");
		good &= agree(b.data, b.len) && agree(b.data, n);
	}
	ok(good && taken == 6000, "actions are what they are, and %d of 6000 read at once", taken);
	buf_free(&b);
}

static void
test_cut(void)
{
	struct frame_action a = { .op = OP_INDEX, .has_relid = true, .relid = 70000,
		.index = { text, 40 }, .id = { text, 3 }, .versioned = VERSION_GIVEN,
		.version = 1 << 20, .routing = { text, 300 }, .body = { text, 66000 } };
	struct buf b = { 0 };
	bool good = true;

	frame_put_action(&b, &a, 0);
	taken = 0;
	for (size_t n = 0; n < b.len; n += n < 500 ? 1 : 997)
		good &= agree(b.data, n);
	ok(good && taken == 0, "one that is cut anywhere is not taken");
	buf_free(&b);
}

/* A frame that frame_next has begun to scan can be read at once when all of it has come. */
static void
test_begun(void)
{
	struct frame_action a = { .op = OP_DELETE, .index = { text, 4 }, .id = { text, 3 } }, b;
	struct frame_in r = { 0 };
	struct buf w = { 0 };
	struct frame f;
	size_t n;

	frame_put_action(&w, &a, 0);
	n = w.len;
	frame_put_commit(&w, &(struct frame_commit) { .lsn = 70000, .seq = 1 });
	buf_add(&r.in.buf, w.data, n - 2);
	ok(frame_next(&r, &f) == FRAME_MORE && !frame_next_action(&r, &f, &b),
	    "one that has not all come is left");
	buf_add(&r.in.buf, w.data + n - 2, w.len - n + 2);
	ok(frame_next_action(&r, &f, &b) && same_action(&a, &b) && f.len == n,
	    "and read when it has");
	ok(frame_next(&r, &f) == FRAME_OK && f.len == w.len - n && f.offset == n,
	    "and so is what follows, the other way");
	r.in.eof = true;
	ok(!frame_next_action(&r, &f, &b) && frame_next(&r, &f) == FRAME_EOF, "to the end");
	frame_in_free(&r);
	buf_free(&w);
}

/* Damaged, and in forms that nobody writes. */
static void
test_mutated(void)
{
	struct buf b = { 0 };
	bool good = true;

	taken = refused = 0;
	for (int i = 0; i < 200000; i++) {
		struct frame_action a = any_action();

		b.len = 0;
		frame_put_action(&b, &a, draw(10) == 0);
		for (uint32_t n = 1 + draw(3); n > 0; n--)
			b.data[draw(b.len < 60 ? (uint32_t)b.len : 60)] =
			    draw(2) == 0 ? (char)draw(256) : (char)(0xc0 + draw(32));
		good &= agree(b.data, b.len);
	}
	ok(good && taken > 1000 && refused > 1000,
	    "damaged ones are what they are otherwise (%d of them actions)", taken);
	buf_free(&b);
}

static void
test_forms(void)
{
	static const struct {
		const char *bytes;
		size_t n;
		bool takes;
	} cases[] = {
#define CASE(s, takes) { s, sizeof(s) - 1, takes }
		CASE("\x98\xa1X\xa6"
		     "delete\xc0\xc0\xc0\xc0\xc0\xc0",
		    true),
		CASE("\x98\xa1X\xd9\x06"
		     "delete\xcf\0\0\0\0\0\0\0\1\xda\0\1i\xdb\0\0\0\1i\xcc\1\xc0\xc0",
		    true),
		CASE("\x98\xa1X\xa6"
		     "delete\xcf\0\0\0\1\0\0\0\0\xc0\xc0\xc0\xc0\xc0",
		    false),
		CASE("\x98\xa1X\xa6"
		     "delete\xc0\xc0\xc0\xcf\x80\0\0\0\0\0\0\0\xc0\xc0",
		    false),
		CASE("\x98\xa1X\xa6"
		     "delete\xc0\xc0\xc0\xc3\xc0\xc0",
		    false),
		CASE("\x98\xa1X\xa6"
		     "delete\xc0\xc0\xc0\xff\xc0\xc0",
		    false),
		CASE("\x98\xa1X\xa6"
		     "delete\xc0\xc4\1i\xc0\xc0\xc0\xc0",
		    false),
		CASE("\x98\xa1X\xa6"
		     "delete\xc0\xc0\xc0\xc0\xc0\xdb\xff\xff\xff\xff",
		    false),
		CASE("\x98\xa1X\xa6"
		     "remove\xc0\xc0\xc0\xc0\xc0\xc0",
		    false),
		CASE("\x98\xa1x\xa6"
		     "delete\xc0\xc0\xc0\xc0\xc0\xc0",
		    false),
		CASE("\x97\xa1X\xa6"
		     "delete\xc0\xc0\xc0\xc0\xc0",
		    false),
	};
	bool good = true;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		taken = 0;
		good &= agree(cases[i].bytes, cases[i].n) && taken == cases[i].takes;
	}
	ok(good, "longer forms are taken, wrong ones are not");
}

int
main(void)
{
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)('a' + i % 26);
	test_good();
	test_cut();
	test_begun();
	test_mutated();
	test_forms();
	return done_testing();
}
