#include <stdlib.h>

#include "frame.h"

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
	size_t avail = r->in.buf.len - r->in.off;
	const unsigned char *p;
	const char *why;

	if (!r->scanning && avail == 0)
		return r->in.eof ? FRAME_EOF : FRAME_MORE;
	p = (const unsigned char *)r->in.buf.data + r->in.off;
	if (!r->scanning) {
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
	free(r->value);
	r->value = NULL;
	r->values = 0;
}
