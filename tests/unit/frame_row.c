/* Rows that are read at once are those that are found and decoded, and no others. */
#include <stdlib.h>

#include "frame.h"
#include "tap.h"

static uint32_t seed = 11;

static uint32_t
draw(uint32_t n)
{
	seed = seed * 1103515245u + 12345u;
	return (seed >> 8) % n;
}

static void
put_number(struct buf *b, unsigned n)
{
	while (n-- > 0)
		buf_addc(b, (char)draw(256));
}

static void
put_bytes(struct buf *b, uint32_t n)
{
	while (n-- > 0)
		buf_addc(b, (char)draw(256));
}

/* A value of any form, also those that nobody needs. */
static void
put_value(struct buf *b, unsigned depth)
{
	static const unsigned char fixed[][2] = { { 0xca, 4 }, { 0xcb, 8 }, { 0xcc, 1 }, { 0xcd, 2 },
		{ 0xce, 4 }, { 0xcf, 8 }, { 0xd0, 1 }, { 0xd1, 2 }, { 0xd2, 4 }, { 0xd3, 8 } };
	static const unsigned char sized[][2] = { { 0xd9, 1 }, { 0xda, 2 }, { 0xdb, 4 }, { 0xc4, 1 },
		{ 0xc5, 2 }, { 0xc6, 4 }, { 0xc7, 1 }, { 0xc8, 2 }, { 0xc9, 4 } };
	uint32_t kind = draw(depth > 0 ? 40 : 36), n = draw(40);
	const unsigned char *f;

	if (kind < 8) {
		buf_addc(b, (char)draw(128));
	} else if (kind < 10) {
		buf_addc(b, (char)(0xe0 + draw(32)));
	} else if (kind < 16) {
		n %= 32;
		buf_addc(b, (char)(0xa0 + n));
		put_bytes(b, n);
	} else if (kind < 19) {
		buf_addc(b, (char)(kind == 16 ? 0xc0 : kind == 17 ? 0xc2 : 0xc3));
	} else if (kind < 28) {
		f = fixed[draw(sizeof(fixed) / sizeof(fixed[0]))];
		buf_addc(b, (char)f[0]);
		put_number(b, f[1]);
	} else if (kind < 35) {
		f = sized[draw(sizeof(sized) / sizeof(sized[0]))];
		buf_addc(b, (char)f[0]);
		for (unsigned i = 1; i < f[1]; i++)
			buf_addc(b, '\0');
		buf_addc(b, (char)n);
		put_bytes(b, n + (f[0] >= 0xc7 && f[0] <= 0xc9));
	} else if (kind == 35) {
		n = 1u << draw(5);
		buf_addc(b, (char)(n == 1 ? 0xd4 : n == 2 ? 0xd5 : n == 4 ? 0xd6 : n == 8 ? 0xd7 : 0xd8));
		put_bytes(b, n + 1);
	} else {
		n = draw(4);
		buf_addc(b, (char)(0x90 + n));
		while (n-- > 0)
			put_value(b, depth - 1);
	}
}

static void
put_row(struct buf *b, bool nested)
{
	uint32_t n = draw(20);

	if (n < 16) {
		buf_addc(b, (char)(0x90 + n));
	} else {
		n = draw(300);
		buf_addc(b, '\xdc');
		buf_addc(b, (char)(n >> 8));
		buf_addc(b, (char)n);
	}
	while (n-- > 0)
		put_value(b, nested ? 2 : 0);
}

static void
put_frame(struct buf *b)
{
	char letter = "SIDUUXRC"[draw(8)];
	bool nested = draw(4) == 0;

	buf_addc(b, (char)(letter == 'U' ? 0x94 : 0x93));
	buf_addc(b, '\xa1');
	buf_addc(b, letter);
	put_value(b, 0);
	put_row(b, nested);
	if (letter == 'U' && draw(2) == 0)
		put_row(b, nested);
	else if (letter == 'U')
		buf_addc(b, '\xc0');
}

/* Where nothing is, it does not matter where. */
static bool
same_bytes(const char *a, uint32_t a_len, const char *b, uint32_t b_len)
{
	return a_len == b_len && (a == b || a_len == 0);
}

/* Bit by bit: what a union holds beside its value is of no interest. */
static bool
same(const msgpack_object *a, const msgpack_object *b)
{
	if (a->type != b->type)
		return false;
	switch (a->type) {
	case MSGPACK_OBJECT_STR:
		return same_bytes(a->via.str.ptr, a->via.str.size, b->via.str.ptr, b->via.str.size);
	case MSGPACK_OBJECT_EXT:
		return a->via.ext.type == b->via.ext.type &&
		    same_bytes(a->via.ext.ptr, a->via.ext.size, b->via.ext.ptr, b->via.ext.size);
	case MSGPACK_OBJECT_NIL: return true;
	case MSGPACK_OBJECT_BOOLEAN: return a->via.boolean == b->via.boolean;
	case MSGPACK_OBJECT_ARRAY:
		if (a->via.array.size != b->via.array.size)
			return false;
		for (uint32_t i = 0; i < a->via.array.size; i++)
			if (!same(&a->via.array.ptr[i], &b->via.array.ptr[i]))
				return false;
		return true;
	case MSGPACK_OBJECT_POSITIVE_INTEGER:
	case MSGPACK_OBJECT_NEGATIVE_INTEGER:
	case MSGPACK_OBJECT_FLOAT64: return a->via.u64 == b->via.u64;
	case MSGPACK_OBJECT_FLOAT32:
	case MSGPACK_OBJECT_BIN:
	case MSGPACK_OBJECT_MAP:
	default: return false; /* none that is read at once */
	}
}

static int taken, left, differ;

/* The first frame in what has arrived, both ways. */
static void
try(struct frame_in *quick, struct frame_in *slow, const struct buf *b, size_t n, bool eof)
{
	struct frame f, g;
	enum frame_result r;
	bool at_once;

	quick->in.buf.data = slow->in.buf.data = b->data;
	quick->in.buf.len = slow->in.buf.len = n;
	quick->in.off = slow->in.off = 0;
	quick->in.eof = slow->in.eof = eof;
	quick->offset = slow->offset = 7;
	quick->scanning = slow->scanning = false;
	at_once = frame_next_row(quick, &f);
	r = frame_next(slow, &g);
	if (!at_once) {
		left++;
		differ += quick->in.off != 0 || quick->offset != 7;
		return;
	}
	taken++;
	if (r != FRAME_OK || frame_decode(slow, &g) != 0 || f.letter != g.letter ||
	    f.raw != g.raw || f.len != g.len || f.offset != g.offset || f.fields != g.fields ||
	    quick->in.off != slow->in.off || quick->offset != slow->offset) {
		differ++;
		return;
	}
	for (uint32_t i = 0; i < f.fields; i++)
		differ += !same(&f.field[i], &g.field[i]);
}

static int
usual_rows(struct frame_in *quick)
{
	static const char rows[] = "\x93\xa1S\xcd\x40\x01\x93\x01\xc0\xa4" "name"
				   "\x94\xa1U\x01\x92\xc7\x00\x00\xcb\x3f\xf0\0\0\0\0\0\0\xc0"
				   "\x93\xa1I\x01\x91\xd3\x80\0\0\0\0\0\0\0"
				   "\x93\xa1" "D\x01\x91\xd0\xff";
	struct frame f;
	int n = 0;

	quick->in.buf.data = (char *)(uintptr_t)rows;
	quick->in.buf.len = sizeof(rows) - 1;
	quick->in.off = 0;
	while (frame_next_row(quick, &f)) {
		n++;
		if (f.letter == 'I' && f.field[1].via.array.ptr[0].via.i64 != INT64_MIN)
			return -1;
		if (f.letter == 'D' && f.field[1].via.array.ptr[0].via.i64 != -1)
			return -1;
	}
	return n;
}

int
main(void)
{
	struct frame_in quick = { .in.fd = -1 }, slow = { .in.fd = -1 };
	struct buf b = { 0 };

	ok(usual_rows(&quick) == 4, "what pgcdc-read writes is read at once");
	for (int i = 0; i < 20000; i++) {
		b.len = 0;
		put_frame(&b);
		put_frame(&b);
		try(&quick, &slow, &b, b.len, true);
	}
	ok(differ == 0 && taken > 1000 && left > 5000, "frames of all kinds");
	printf("# " "%d were read at once, %d left\n", taken, left);
	taken = left = 0;
	for (int i = 0; i < 300; i++) {
		b.len = 0;
		put_frame(&b);
		for (size_t n = 0; n <= b.len; n++)
			try(&quick, &slow, &b, n, draw(2) == 0);
	}
	ok(differ == 0 && taken > 20 && left > 5000, "cut at each byte");
	taken = left = 0;
	for (int i = 0; i < 100000; i++) {
		b.len = 0;
		put_frame(&b);
		for (uint32_t n = 1 + draw(3); n > 0; n--)
			b.data[draw(draw(2) ? (uint32_t)b.len : 8)] = (char)draw(256);
		try(&quick, &slow, &b, b.len, draw(2) == 0);
	}
	ok(differ == 0 && taken > 1000 && left > 5000, "damaged frames");
	printf("# " "%d were read at once, %d left\n", taken, left);
	quick.in.buf = slow.in.buf = (struct buf) { 0 };
	frame_in_free(&quick);
	frame_in_free(&slow);
	buf_free(&b);
	return done_testing();
}
