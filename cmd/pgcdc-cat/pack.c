#include <stdlib.h>
#include <string.h>

#include <yajl/yajl_parse.h>

#include "frame.h"
#include "lsn.h"
#include "pack.h"
#include "surrogate.h"
#include "tag.h"
#include "utf8.h"
#include "yajl_memory.h"

#define LONG_LINE ((size_t)1 << 20)

/* What is open, and what may come in it. */
enum level_kind {
	LEVEL_ARRAY,
	LEVEL_OBJECT, /* no key yet: a map or a tag */
	LEVEL_MAP,
	LEVEL_TAG,
	LEVEL_PAIRS, /* {"$map":[ */
	LEVEL_PAIR,  /* {"$map":[[ */
	LEVEL_EXT,   /* {"$ext":[ */
};

struct level {
	enum level_kind kind;
	enum tag tag;   /* LEVEL_TAG */
	uint32_t count; /* values, or keys, so far */
	size_t start;   /* of the head's first byte in out: an array or map */
};

struct packer {
	struct buf *out;
	size_t base; /* where this line's frame starts in out */
	yajl_handle yajl;
	struct level *level;
	size_t depth, cap;
	unsigned frames; /* of this line */
	int lsn_field; /* as frame_lsn_field has it */
	int8_t ext;    /* the type in {"$ext":[type */
	bool cut;
	struct buf error;
};

/* Remember the first error and stop yajl. */
static int
fail(struct packer *k, const char *why)
{
	if (k->error.len == 0)
		buf_adds(&k->error, why);
	return 0;
}

static struct level *
top(struct packer *k)
{
	return k->depth == 0 ? NULL : &k->level[k->depth - 1];
}

static struct level *
push(struct packer *k, enum level_kind kind)
{
	if (k->depth == k->cap) {
		k->cap = k->cap ? 2 * k->cap : 32;
		k->level = xrealloc(k->level, k->cap * sizeof(*k->level));
	}
	k->level[k->depth] = (struct level){ .kind = kind, .start = k->out->len };
	return &k->level[k->depth++];
}

/*
 * A head of one byte was put where an array or map starts.  Now that the count is known,
 * make it the real one: seldom is it longer, and then what is inside moves up.
 */
static void
put_count(struct buf *b, size_t start, uint32_t count, bool map)
{
	size_t more = count <= 15 ? 0 : count <= UINT16_MAX ? 2 : 4;
	size_t inside = b->len - start - 1;
	char *p;

	buf_reserve(b, more);
	p = b->data + start;
	if (more == 0) {
		*p = (char)((map ? 0x80 : 0x90) | count);
		return;
	}
	memmove(p + 1 + more, p + 1, inside);
	b->len += more;
	*p++ = (char)((map ? 0xde : 0xdc) + (more == 4));
	for (size_t i = more; i-- > 0;)
		*p++ = (char)(count >> (8 * i));
}

/* The JSON value that the callback brings. */
enum brings {
	BRINGS_NULL,
	BRINGS_BOOL,
	BRINGS_NUMBER,
	BRINGS_STRING,
	BRINGS_ARRAY,
	BRINGS_OBJECT
};

/* May this come here?  Counts it. */
static int
arrives(struct packer *k, enum brings what)
{
	struct level *l = top(k);

	if (k->out->len - k->base > FRAME_MAX)
		return fail(k, "a frame of more than 2 GiB");
	if (l == NULL) {
		if (what != BRINGS_ARRAY)
			return fail(k, "not a frame: it is no array");
		if (k->frames++ > 0)
			return fail(k, "more than one frame on the line");
		return 1;
	}
	l->count++;
	switch (l->kind) {
	case LEVEL_ARRAY:
		if (k->depth == 1 && l->count == 1 && what != BRINGS_STRING)
			return fail(
			    k, "not a frame: its first element is no one-letter string");
		return 1;
	case LEVEL_TAG:
		if (l->tag == TAG_ABSENT)
			return what == BRINGS_BOOL ? 1 : fail(k, tag_wants(l->tag));
		if (l->tag == TAG_EXT || l->tag == TAG_MAP)
			return what == BRINGS_ARRAY ? 1 : fail(k, tag_wants(l->tag));
		if (what == BRINGS_NUMBER && (l->tag == TAG_INT || l->tag == TAG_FLOAT))
			return 1;
		return what == BRINGS_STRING ? 1 : fail(k, tag_wants(l->tag));
	case LEVEL_PAIRS: return what == BRINGS_ARRAY ? 1 : fail(k, tag_wants(TAG_MAP));
	case LEVEL_EXT:
		if (what != (l->count == 1 ? BRINGS_NUMBER : BRINGS_STRING))
			return fail(k, tag_wants(TAG_EXT));
		return 1;
	case LEVEL_PAIR:
	case LEVEL_OBJECT:
	case LEVEL_MAP: break;
	}
	return 1;
}

/*
 * Values
 */

/* What a tag_ function found wrong. */
static int
put(struct packer *k, const char *wrong)
{
	return wrong == NULL ? 1 : fail(k, wrong);
}

static bool
is_letter(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* An element of the frame itself: its letter, an LSN, or a string like others. */
static int
put_element(struct packer *k, const char *s, size_t n)
{
	uint32_t i = k->level[0].count - 1;
	uint64_t lsn;

	if (i == 0) {
		if (n != 1 || !is_letter(s[0]))
			return fail(
			    k, "not a frame: its first element is no one-letter string");
		k->lsn_field = frame_lsn_field(s[0]);
	} else if (k->lsn_field >= 0 && i == (uint32_t)k->lsn_field + 1) {
		if (lsn_parse(s, n, &lsn) != 0)
			return fail(
			    k, "a string that is no LSN where the frame's LSN stands");
		frame_put_uint(k->out, lsn);
		return 1;
	}
	frame_put_str(k->out, s, n);
	return 1;
}

/*
 * What yajl calls
 */

static int
on_null(void *ctx)
{
	if (!arrives(ctx, BRINGS_NULL))
		return 0;
	frame_put_nil(((struct packer *)ctx)->out);
	return 1;
}

static int
on_boolean(void *ctx, int v)
{
	struct packer *k = ctx;

	if (!arrives(k, BRINGS_BOOL))
		return 0;
	if (top(k)->kind != LEVEL_TAG)
		frame_put_bool(k->out, v != 0);
	else if (v)
		frame_put_absent(k->out);
	else
		return fail(k, tag_wants(TAG_ABSENT));
	return 1;
}

/* The type in {"$ext":[type */
static int
take_ext_type(struct packer *k, const char *s, size_t n)
{
	char tmp[8] = { 0 }, *end;
	long type;

	if (n >= sizeof(tmp))
		return fail(k, tag_wants(TAG_EXT));
	memcpy(tmp, s, n);
	type = strtol(tmp, &end, 10);
	if (*end != '\0' || type < -128 || type > 127)
		return fail(k, tag_wants(TAG_EXT));
	k->ext = (int8_t)type;
	return 1;
}

static int
on_number(void *ctx, const char *s, size_t n)
{
	struct packer *k = ctx;
	const struct level *l;
	bool integer = memchr(s, '.', n) == NULL && memchr(s, 'e', n) == NULL &&
		       memchr(s, 'E', n) == NULL;

	if (!arrives(k, BRINGS_NUMBER))
		return 0;
	l = top(k);
	if (l->kind == LEVEL_EXT)
		return take_ext_type(k, s, n);
	/* What is tagged is what the tag says, whatever it looks like. */
	if (l->kind == LEVEL_TAG)
		integer = l->tag == TAG_INT;
	return put(k, integer ? tag_put_int(k->out, s, n) : tag_put_float(k->out, s, n));
}

static int
on_string(void *ctx, const unsigned char *text, size_t n)
{
	struct packer *k = ctx;
	const char *s = (const char *)text;
	const struct level *l;

	if (!arrives(k, BRINGS_STRING))
		return 0;
	if (!utf8_valid(s, n))
		return fail(k, "a string that is not UTF-8");
	if (n > FRAME_MAX)
		return fail(k, "a frame of more than 2 GiB");
	l = top(k);
	if (l->kind == LEVEL_TAG)
		return put(k, tag_put_string(k->out, l->tag, 0, s, n));
	if (l->kind == LEVEL_EXT)
		return put(k, tag_put_string(k->out, TAG_EXT, k->ext, s, n));
	if (k->depth == 1)
		return put_element(k, s, n);
	frame_put_str(k->out, s, n);
	return 1;
}

static int
on_start_array(void *ctx)
{
	struct packer *k = ctx;
	const struct level *l = top(k);
	enum level_kind kind = LEVEL_ARRAY;

	if (!arrives(k, BRINGS_ARRAY))
		return 0;
	if (l != NULL && l->kind == LEVEL_TAG)
		kind = l->tag == TAG_MAP ? LEVEL_PAIRS : LEVEL_EXT;
	else if (l != NULL && l->kind == LEVEL_PAIRS)
		kind = LEVEL_PAIR;
	push(k, kind);
	/* A place for the head, which put_count fills in. */
	if (kind == LEVEL_ARRAY || kind == LEVEL_PAIRS)
		buf_addc(k->out, '\0');
	return 1;
}

static int
on_end_array(void *ctx)
{
	struct packer *k = ctx;
	struct level l = *top(k);

	switch (l.kind) {
	case LEVEL_PAIR:
		if (l.count != 2)
			return fail(k, tag_wants(TAG_MAP));
		break;
	case LEVEL_EXT:
		if (l.count != 2)
			return fail(k, tag_wants(TAG_EXT));
		break;
	default:
		if (k->depth == 1 && l.count == 0)
			return fail(k, "not a frame: it is empty");
		put_count(k->out, l.start, l.count, l.kind == LEVEL_PAIRS);
		break;
	}
	k->depth--;
	return 1;
}

static int
on_start_map(void *ctx)
{
	if (!arrives(ctx, BRINGS_OBJECT))
		return 0;
	push(ctx, LEVEL_OBJECT);
	return 1;
}

static int
open_tag(struct packer *k, struct level *l, const char *s, size_t n)
{
	enum tag tag = tag_find(s, n);

	if (tag < TAG_COUNT) {
		l->kind = LEVEL_TAG;
		l->tag = tag;
		return 1;
	}
	return fail(k,
	    "a key that starts with $ and is no tag: write {\"$map\":[[key,value],...]}");
}

static int
on_map_key(void *ctx, const unsigned char *key, size_t n)
{
	struct packer *k = ctx;
	struct level *l = top(k);
	const char *s = (const char *)key;
	bool dollar = n > 0 && s[0] == '$';

	if (l->kind == LEVEL_TAG)
		return fail(k, "a tag with a second key beside it");
	if (l->kind == LEVEL_OBJECT && dollar)
		return open_tag(k, l, s, n);
	if (dollar)
		return fail(k, "a key that starts with $ beside others: "
			       "write {\"$map\":[[key,value],...]}");
	if (!utf8_valid(s, n))
		return fail(k, "a key that is not UTF-8");
	if (l->kind == LEVEL_OBJECT) {
		l->kind = LEVEL_MAP;
		buf_addc(k->out, '\0');
	}
	frame_put_str(k->out, s, n);
	return 1;
}

static int
on_end_map(void *ctx)
{
	struct packer *k = ctx;
	struct level l = *top(k);

	if (l.kind == LEVEL_OBJECT)
		frame_put_map(k->out, 0);
	else if (l.kind == LEVEL_MAP)
		put_count(k->out, l.start, l.count, true);
	k->depth--;
	return 1;
}

static const yajl_callbacks callbacks = {
	.yajl_null = on_null,
	.yajl_boolean = on_boolean,
	.yajl_number = on_number,
	.yajl_string = on_string,
	.yajl_start_map = on_start_map,
	.yajl_map_key = on_map_key,
	.yajl_end_map = on_end_map,
	.yajl_start_array = on_start_array,
	.yajl_end_array = on_end_array,
};

/*
 * Lines
 */

/* yajl's words, on one line. */
static void
yajl_says(struct packer *k, const char *line, size_t len)
{
	unsigned char *why;

	if (k->error.len > 0)
		return; /* a callback said why */
	why = yajl_get_error(k->yajl, 0, (const unsigned char *)line, len);
	buf_adds(&k->error, why == NULL ? "not JSON" : (const char *)why);
	while (k->error.len > 0 && k->error.data[k->error.len - 1] == '\n')
		k->error.len--;
	if (why != NULL)
		yajl_free_error(k->yajl, why);
}

static void
start_yajl(struct packer *k)
{
	k->yajl = yajl_alloc(&callbacks, &yajl_memory, k);
	if (k->yajl == NULL)
		oom();
	yajl_config(k->yajl, yajl_allow_multiple_values, 1);
	/* utf8_valid does that, more strictly. */
	yajl_config(k->yajl, yajl_dont_validate_strings, 1);
}

struct packer *
pack_new(struct buf *out)
{
	struct packer *k = xcalloc(1, sizeof(*k));

	k->out = out;
	start_yajl(k);
	return k;
}

int
pack_line(struct packer *k, const char *line, size_t len)
{
	k->base = k->out->len;
	k->depth = 0;
	k->frames = 0;
	k->error.len = 0;
	k->cut = false;
	if (!surrogates_paired(line, len))
		fail(k, "half a surrogate pair");
	else if (yajl_parse(k->yajl, (const unsigned char *)line, len) != yajl_status_ok)
		yajl_says(k, line, len);
	else if (k->depth > 0)
		k->cut = true;
	else if (k->out->len - k->base > FRAME_MAX)
		fail(k, "a frame of more than 2 GiB");
	if (k->cut)
		fail(k, "a frame that does not end on its line");
	if (k->error.len > 0) {
		k->out->len = k->base;
		return -1;
	}
	if (len > LONG_LINE) {
		/* yajl would keep what the longest string took. */
		yajl_free(k->yajl);
		start_yajl(k);
	}
	return (int)k->frames;
}

const char *
pack_error(const struct packer *k)
{
	return buf_cstr((struct buf *)&k->error);
}

bool
pack_is_cut(const struct packer *k)
{
	return k->cut;
}

void
pack_free(struct packer *k)
{
	if (k == NULL)
		return;
	yajl_free(k->yajl);
	free(k->level);
	buf_free(&k->error);
	free(k);
}
