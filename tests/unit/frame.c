/* Frames are found in a stream however it arrives, and written in the shortest form. */

#include <sys/resource.h>

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "frame.h"
#include "tap.h"

/* Input that is in memory. */
static void
feed(struct frame_in *r, const char *p, size_t n)
{
	buf_add(&r->in.buf, p, n);
}

static const char *
name_of(enum frame_result r)
{
	static const char *const names[] = { "ok", "more", "eof", "cut", "bad" };

	return names[r];
}

static void
is_result(enum frame_result got, enum frame_result want, const char *what)
{
	is(name_of(got), name_of(want), what);
}

/*
 * Every format of MessagePack, with the values that it holds.
 */

struct format {
	const char *name;
	const char *head;
	size_t head_len;
	size_t rest; /* bytes behind the head, of zeros: also zero integers as elements */
	msgpack_object_type type;
};

#define HEAD(s) s, sizeof(s) - 1

static const struct format formats[] = {
	{ "positive fixint", HEAD("\x7f"), 0, MSGPACK_OBJECT_POSITIVE_INTEGER },
	{ "negative fixint", HEAD("\xe0"), 0, MSGPACK_OBJECT_NEGATIVE_INTEGER },
	{ "fixmap", HEAD("\x82"), 4, MSGPACK_OBJECT_MAP },
	{ "fixarray", HEAD("\x93"), 3, MSGPACK_OBJECT_ARRAY },
	{ "fixstr", HEAD("\xbf"), 31, MSGPACK_OBJECT_STR },
	{ "nil", HEAD("\xc0"), 0, MSGPACK_OBJECT_NIL },
	{ "false", HEAD("\xc2"), 0, MSGPACK_OBJECT_BOOLEAN },
	{ "true", HEAD("\xc3"), 0, MSGPACK_OBJECT_BOOLEAN },
	{ "bin 8", HEAD("\xc4\x05"), 5, MSGPACK_OBJECT_BIN },
	{ "bin 16", HEAD("\xc5\x01\x00"), 256, MSGPACK_OBJECT_BIN },
	{ "bin 32", HEAD("\xc6\x00\x00\x01\x02"), 258, MSGPACK_OBJECT_BIN },
	{ "ext 8", HEAD("\xc7\x03\x07"), 3, MSGPACK_OBJECT_EXT },
	{ "ext 8, empty", HEAD("\xc7\x00\x00"), 0, MSGPACK_OBJECT_EXT },
	{ "ext 16", HEAD("\xc8\x01\x00\x07"), 256, MSGPACK_OBJECT_EXT },
	{ "ext 32", HEAD("\xc9\x00\x00\x00\x09\x07"), 9, MSGPACK_OBJECT_EXT },
	{ "float 32", HEAD("\xca"), 4, MSGPACK_OBJECT_FLOAT32 },
	{ "float 64", HEAD("\xcb"), 8, MSGPACK_OBJECT_FLOAT64 },
	{ "uint 8", HEAD("\xcc"), 1, MSGPACK_OBJECT_POSITIVE_INTEGER },
	{ "uint 16", HEAD("\xcd"), 2, MSGPACK_OBJECT_POSITIVE_INTEGER },
	{ "uint 32", HEAD("\xce"), 4, MSGPACK_OBJECT_POSITIVE_INTEGER },
	{ "uint 64", HEAD("\xcf"), 8, MSGPACK_OBJECT_POSITIVE_INTEGER },
	{ "int 8", HEAD("\xd0\xff"), 0, MSGPACK_OBJECT_NEGATIVE_INTEGER },
	{ "int 16", HEAD("\xd1\xff"), 1, MSGPACK_OBJECT_NEGATIVE_INTEGER },
	{ "int 32", HEAD("\xd2\xff"), 3, MSGPACK_OBJECT_NEGATIVE_INTEGER },
	{ "int 64", HEAD("\xd3\xff"), 7, MSGPACK_OBJECT_NEGATIVE_INTEGER },
	{ "fixext 1", HEAD("\xd4\x07"), 1, MSGPACK_OBJECT_EXT },
	{ "fixext 2", HEAD("\xd5\x07"), 2, MSGPACK_OBJECT_EXT },
	{ "fixext 4", HEAD("\xd6\x07"), 4, MSGPACK_OBJECT_EXT },
	{ "fixext 8", HEAD("\xd7\x07"), 8, MSGPACK_OBJECT_EXT },
	{ "fixext 16", HEAD("\xd8\x07"), 16, MSGPACK_OBJECT_EXT },
	{ "str 8", HEAD("\xd9\x05"), 5, MSGPACK_OBJECT_STR },
	{ "str 16", HEAD("\xda\x01\x00"), 256, MSGPACK_OBJECT_STR },
	{ "str 32", HEAD("\xdb\x00\x01\x00\x00"), 65536, MSGPACK_OBJECT_STR },
	{ "array 16", HEAD("\xdc\x00\x10"), 16, MSGPACK_OBJECT_ARRAY },
	{ "array 32", HEAD("\xdd\x00\x00\x00\x02"), 2, MSGPACK_OBJECT_ARRAY },
	{ "map 16", HEAD("\xde\x00\x10"), 32, MSGPACK_OBJECT_MAP },
	{ "map 32", HEAD("\xdf\x00\x00\x00\x01"), 2, MSGPACK_OBJECT_MAP },
};

/* A frame that holds the format's value, and a nil. */
static struct buf
frame_of(const struct format *f)
{
	struct buf b = { 0 };

	frame_put_head(&b, 'z', 2);
	buf_add(&b, f->head, f->head_len);
	memset(buf_reserve(&b, f->rest), 0, f->rest);
	b.len += f->rest;
	frame_put_nil(&b);
	return b;
}

/* Byte by byte, then what frame_next and frame_decode say. */
static void
test_format(const struct format *f)
{
	struct buf b = frame_of(f);
	struct frame_in r = { 0 };
	struct frame got;
	bool early = false, missing = true;

	for (size_t i = 0; i + 1 < b.len; i++) {
		feed(&r, b.data + i, 1);
		early = early || frame_next(&r, &got) != FRAME_MORE;
		missing = missing && frame_missing(&r) <= b.len - i - 1;
	}
	ok(!early && missing, "%s: there is no frame before its last byte", f->name);
	feed(&r, b.data + b.len - 1, 1);
	ok(frame_next(&r, &got) == FRAME_OK && got.letter == 'z' && got.len == b.len &&
		got.offset == 0 && memcmp(got.raw, b.data, b.len) == 0,
	    "%s: then it is whole", f->name);
	ok(frame_decode(&r, &got) == 0 && got.fields == 2 &&
		got.field[0].type == f->type && got.field[1].type == MSGPACK_OBJECT_NIL,
	    "%s: and decodes", f->name);
	ok(frame_next(&r, &got) == FRAME_MORE && r.offset == b.len, "%s: nothing is left",
	    f->name);
	frame_in_free(&r);
	buf_free(&b);
}

/* All formats in one stream, cut at every byte. */
static void
test_stream(void)
{
	const size_t n = sizeof(formats) / sizeof(formats[0]);
	struct frame_in r = { 0 };
	struct buf all = { 0 };
	struct frame f;
	uint64_t offset = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		struct buf b = frame_of(&formats[i]);

		buf_add(&all, b.data, b.len);
		buf_free(&b);
	}
	feed(&r, all.data, all.len);
	for (i = 0; frame_next(&r, &f) == FRAME_OK && f.offset == offset; i++)
		offset += f.len;
	ok(i == n && offset == all.len, "frames follow each other, each at its offset");
	r.in.eof = true;
	is_result(frame_next(&r, &f), FRAME_EOF, "the input ends behind a frame");
	frame_in_free(&r);

	r = (struct frame_in){ .in.eof = true };
	is_result(frame_next(&r, &f), FRAME_EOF, "an empty input ends, too");
	r = (struct frame_in){ 0 };
	is_result(frame_next(&r, &f), FRAME_MORE, "what has not arrived is no end");
	for (i = 1; i < 400; i++) {
		enum frame_result last;

		r = (struct frame_in){ .in.eof = true };
		feed(&r, all.data, i);
		while ((last = frame_next(&r, &f)) == FRAME_OK)
			;
		if (last != (r.offset == i ? FRAME_EOF : FRAME_CUT))
			break;
		frame_in_free(&r);
	}
	ok(i == 400, "an input that ends inside a frame is cut, wherever");
	buf_free(&all);
}

/*
 * Damage
 */

static void
refuses(const char *bytes, size_t n, const char *word, const char *what)
{
	struct frame_in r = { 0 };
	struct frame f;
	bool bad;

	/* No byte more than there is, so that a sanitizer sees one read behind it. */
	r.in.buf.data = xmalloc(n);
	memcpy(r.in.buf.data, bytes, n);
	r.in.buf.len = r.in.buf.cap = n;
	bad = frame_next(&r, &f) == FRAME_BAD;
	ok(bad && strstr(r.error, word) != NULL, "refuses %s", what);
	if (bad && strstr(r.error, word) == NULL)
		printf("# it says: %s\n", r.error);
	frame_in_free(&r);
}

/* A length that lies: the frame waits for the rest, and no memory is taken for it. */
static void
waits(const char *bytes, size_t n, size_t missing, const char *what)
{
	struct frame_in r = { 0 };
	struct frame f;

	feed(&r, bytes, n);
	ok(frame_next(&r, &f) == FRAME_MORE && frame_missing(&r) >= missing,
	    "waits for %s", what);
	ok(r.in.buf.cap <= 4096, "and memory does not follow it");
	r.in.eof = true;
	is_result(frame_next(&r, &f), FRAME_CUT, "and at the end it is cut");
	frame_in_free(&r);
}

static void
test_damage(void)
{
	struct frame_in r = { 0 };
	struct frame f;
	struct buf deep = { 0 };
	bool scanned = true, decoded = true, said = true;

	refuses(HEAD("hello\n"), "no array", "text");
	refuses(HEAD("\x1f\x8b"), "no array", "a compressed file");
	refuses(HEAD("\x90"), "no array", "an empty array");
	refuses(HEAD("\xdc\x00\x00"), "first element", "an empty array 16");
	refuses(HEAD("\xdd\x00\x00\x00\x00"), "first element", "an empty array 32");
	refuses(HEAD("\x80"), "no array", "a map");
	refuses(HEAD("\xc0"), "no array", "nil");
	refuses(HEAD("\xc1"), "no array", "the byte that is never used");
	refuses(HEAD("\x92\xa1H\xc1"), "not MessagePack", "it inside a frame, too");
	refuses(HEAD("\x91\x01"), "first element", "a number for a letter");
	refuses(HEAD("\x91\xa0"), "first element", "an empty letter");
	refuses(HEAD("\x91\xa2HH"), "first element", "two letters");
	refuses(HEAD("\x91\xa1"
		     "1"),
	    "first element", "a digit for a letter");
	refuses(HEAD("\x91\xc4\x01H"), "first element", "a bin for a letter");
	refuses(HEAD("\x92\xa1I\xdb\xff\xff\xff\xff"), "2 GiB", "a string of 4 GiB");
	refuses(HEAD("\x92\xa1I\xdd\xff\xff\xff\xff"), "2 GiB", "an array of 2^32 - 1");
	refuses(HEAD("\x92\xa1I\xdf\xff\xff\xff\xff"), "2 GiB", "a map of 2^32 - 1");
	refuses(HEAD("\xdd\xff\xff\xff\xff"), "2 GiB", "a frame of 2^32 - 1 elements");

	waits(HEAD("\x92\xa1I\xdb\x70\x00\x00\x00"), 0x70000000, "a string of 1.75 GiB");
	waits(HEAD("\x92\xa1I\xc6\x70\x00\x00\x00"), 0x70000000, "a bin of 1.75 GiB");
	waits(
	    HEAD("\x92\xa1I\xc9\x70\x00\x00\x00\x01"), 0x70000000, "an ext of 1.75 GiB");
	waits(HEAD("\x92\xa1I\xdd\x70\x00\x00\x00\xc0"), 0, "an array of 1.75 G values");
	waits(HEAD("\x92\xa1I\xdb\x70"), 0, "a length that is cut itself");

	/* Around the decoder's limit and far beyond it, the innermost empty and not. */
	for (int depth = 1; depth <= 100000; depth += depth < 40 ? 1 : 99960) {
		deep.len = 0;
		frame_put_head(&deep, 'z', 1);
		memset(buf_reserve(&deep, (size_t)depth), 0x91, (size_t)depth);
		deep.len += (size_t)depth;
		if (depth % 2 == 0)
			frame_put_array(&deep, 0);
		else
			frame_put_nil(&deep);
		feed(&r, deep.data, deep.len);
		scanned = scanned && frame_next(&r, &f) == FRAME_OK;
		decoded = decoded && frame_decode(&r, &f) == (depth < 32 ? 0 : -1);
		said = said && (depth < 32 ||
				   (r.error != NULL && strstr(r.error, "deep") != NULL));
	}
	ok(scanned, "scanning knows no depth");
	ok(decoded && said, "decoding does, and says so");
	frame_in_free(&r);
	buf_free(&deep);
}

/* A gibibyte is said to come through a pipe; a few bytes come. */
static void
test_claims_through_fd(void)
{
	struct frame_in r = { 0 };
	struct frame f;
	struct rusage before, after;
	int p[2];

	if (pipe(p) != 0 || write(p[1],
				"\x92\xa1I\xdb\x40\x00\x00\x00"
				"abc",
				11) != 11)
		exit(1);
	close(p[1]);
	r.in.fd = p[0];
	getrusage(RUSAGE_SELF, &before);
	while (frame_next(&r, &f) == FRAME_MORE)
		if (fdin_fill(&r.in, frame_missing(&r)) < 0)
			break;
	getrusage(RUSAGE_SELF, &after);
	is_result(
	    frame_next(&r, &f), FRAME_CUT, "a gibibyte that does not come is a cut");
	ok(r.in.buf.cap < 1 << 20 && after.ru_maxrss - before.ru_maxrss < 8192,
	    "read from a pipe memory follows what came");
	frame_in_free(&r);
	close(p[0]);
}

/*
 * Canonical encodings
 */

static struct buf w;

static void
written(const char *bytes, size_t n, const char *what)
{
	ok(w.len == n && memcmp(w.data, bytes, n) == 0, "the shortest form of %s", what);
	if (w.len != n || memcmp(w.data, bytes, n) != 0)
		for (size_t i = 0; i < w.len && i < 32; i++)
			printf("%s%02x%s", i == 0 ? "# " : " ", (unsigned char)w.data[i],
			    i + 1 == w.len || i == 31 ? "\n" : "");
	w.len = 0;
}

/* Only the head of what is long. */
static void
written_head(const char *bytes, size_t n, size_t content, const char *what)
{
	ok(w.len == n + content && memcmp(w.data, bytes, n) == 0,
	    "the shortest head of %s", what);
	w.len = 0;
}

static void
test_canonical_numbers(void)
{
	static const struct {
		uint64_t v;
		const char *bytes;
		size_t n;
	} u[] = {
		{ 0, HEAD("\x00") },
		{ 127, HEAD("\x7f") },
		{ 128, HEAD("\xcc\x80") },
		{ 255, HEAD("\xcc\xff") },
		{ 256, HEAD("\xcd\x01\x00") },
		{ 65535, HEAD("\xcd\xff\xff") },
		{ 65536, HEAD("\xce\x00\x01\x00\x00") },
		{ UINT32_MAX, HEAD("\xce\xff\xff\xff\xff") },
		{ (uint64_t)UINT32_MAX + 1,
		    HEAD("\xcf\x00\x00\x00\x01\x00\x00\x00\x00") },
		{ UINT64_MAX, HEAD("\xcf\xff\xff\xff\xff\xff\xff\xff\xff") },
	};
	static const struct {
		int64_t v;
		const char *bytes;
		size_t n;
	} i[] = {
		{ 1, HEAD("\x01") },
		{ -1, HEAD("\xff") },
		{ -32, HEAD("\xe0") },
		{ -33, HEAD("\xd0\xdf") },
		{ -128, HEAD("\xd0\x80") },
		{ -129, HEAD("\xd1\xff\x7f") },
		{ -32768, HEAD("\xd1\x80\x00") },
		{ -32769, HEAD("\xd2\xff\xff\x7f\xff") },
		{ INT32_MIN, HEAD("\xd2\x80\x00\x00\x00") },
		{ (int64_t)INT32_MIN - 1, HEAD("\xd3\xff\xff\xff\xff\x7f\xff\xff\xff") },
		{ INT64_MIN, HEAD("\xd3\x80\x00\x00\x00\x00\x00\x00\x00") },
		{ 200, HEAD("\xcc\xc8") },
		{ INT64_MAX, HEAD("\xcf\x7f\xff\xff\xff\xff\xff\xff\xff") },
	};
	char what[60];

	for (size_t k = 0; k < sizeof(u) / sizeof(u[0]); k++) {
		snprintf(what, sizeof(what), "%llu", (unsigned long long)u[k].v);
		frame_put_uint(&w, u[k].v);
		written(u[k].bytes, u[k].n, what);
	}
	for (size_t k = 0; k < sizeof(i) / sizeof(i[0]); k++) {
		snprintf(what, sizeof(what), "%lld", (long long)i[k].v);
		frame_put_int(&w, i[k].v);
		written(i[k].bytes, i[k].n, what);
	}
	frame_put_float(&w, 0.1);
	written(HEAD("\xcb\x3f\xb9\x99\x99\x99\x99\x99\x9a"), "0.1");
	frame_put_float(&w, 1.0);
	written(HEAD("\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00"), "1.0, a float 64");
	frame_put_float(&w, (double)NAN);
	written(HEAD("\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00"), "NaN");
}

static void
test_canonical_others(void)
{
	static char big[70000];

	frame_put_nil(&w);
	frame_put_bool(&w, false);
	frame_put_bool(&w, true);
	written(HEAD("\xc0\xc2\xc3"), "nil, false, true");
	frame_put_str(&w, "", 0);
	frame_put_cstr(&w, "ab");
	frame_put_str_or_nil(&w, (struct frame_str){ 0 });
	written(HEAD("\xa0\xa2"
		     "ab\xc0"),
	    "strings and none");
	frame_put_str(&w, big, 31);
	written_head(HEAD("\xbf"), 31, "str of 31");
	frame_put_str(&w, big, 32);
	written_head(HEAD("\xd9\x20"), 32, "str of 32");
	frame_put_str(&w, big, 256);
	written_head(HEAD("\xda\x01\x00"), 256, "str of 256");
	frame_put_str(&w, big, 65536);
	written_head(HEAD("\xdb\x00\x01\x00\x00"), 65536, "str of 65536");
	frame_put_bin(&w, big, 0);
	written(HEAD("\xc4\x00"), "an empty bin");
	frame_put_bin(&w, big, 255);
	written_head(HEAD("\xc4\xff"), 255, "bin of 255");
	frame_put_bin(&w, big, 256);
	written_head(HEAD("\xc5\x01\x00"), 256, "bin of 256");
	frame_put_bin(&w, big, 65536);
	written_head(HEAD("\xc6\x00\x01\x00\x00"), 65536, "bin of 65536");
	frame_put_array(&w, 15);
	frame_put_array(&w, 16);
	frame_put_array(&w, 65536);
	written(HEAD("\x9f\xdc\x00\x10\xdd\x00\x01\x00\x00"), "arrays of 15, 16, 65536");
	frame_put_map(&w, 15);
	frame_put_map(&w, 16);
	frame_put_map(&w, 65536);
	written(HEAD("\x8f\xde\x00\x10\xdf\x00\x01\x00\x00"), "maps of 15, 16, 65536");
	frame_put_absent(&w);
	written(HEAD("\xc7\x00\x00"), "absent");
	frame_put_ext(&w, 1, "1", 1);
	frame_put_ext(&w, 1, "[]", 2);
	frame_put_ext(&w, 1, "123", 3);
	frame_put_ext(&w, -1, "1234", 4);
	written(HEAD("\xd4\x01"
		     "1\xd5\x01[]\xc7\x03\x01"
		     "123\xd6\xff"
		     "1234"),
	    "exts");
	frame_put_ext(&w, 1, big, 16);
	written_head(HEAD("\xd8\x01"), 16, "ext of 16");
	frame_put_ext(&w, 1, big, 17);
	written_head(HEAD("\xc7\x11\x01"), 17, "ext of 17");
	frame_put_ext(&w, 1, big, 256);
	written_head(HEAD("\xc8\x01\x00\x01"), 256, "ext of 256");
	frame_put_ext(&w, 1, big, 65536);
	written_head(HEAD("\xc9\x00\x01\x00\x00\x01"), 65536, "ext of 65536");
}

int
main(void)
{
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		test_format(&formats[i]);
	test_stream();
	test_damage();
	test_claims_through_fd();
	test_canonical_numbers();
	test_canonical_others();
	buf_free(&w);
	return done_testing();
}
