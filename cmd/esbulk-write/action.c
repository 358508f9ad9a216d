#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "action.h"
#include "utf8.h"

#define MAX_ID    512 /* IndexRequest's limit, bytes */
#define MAX_INDEX 255 /* MetadataCreateIndexService's limit, bytes */

/* "Index name limitations" of the create index API. */
static bool
legal_index(struct frame_str s)
{
	if (s.len == 0 || s.len > MAX_INDEX || strchr("-_+", s.ptr[0]) != NULL)
		return false;
	if (s.ptr[0] == '.' && (s.len == 1 || (s.len == 2 && s.ptr[1] == '.')))
		return false;
	for (uint32_t i = 0; i < s.len; i++)
		if ((unsigned char)s.ptr[i] <= ' ' || strchr("\\/*?\"<>|,#:", s.ptr[i]) != NULL ||
		    (s.ptr[i] >= 'A' && s.ptr[i] <= 'Z'))
			return false;
	return true;
}

static const char *
check_more(const msgpack_object *more, struct action_line *l)
{
	for (uint32_t i = 0; i < more->via.map.size; i++) {
		const msgpack_object *k = &more->via.map.ptr[i].key;
		const msgpack_object *v = &more->via.map.ptr[i].val;

		if (k->type != MSGPACK_OBJECT_STR)
			return "X has a key in more that is no string";
		if (k->via.str.size == 8 && memcmp(k->via.str.ptr, "pipeline", 8) == 0) {
			if (v->type != MSGPACK_OBJECT_STR)
				return "X has a pipeline that is no string";
			l->pipeline = (struct frame_str) { v->via.str.ptr, v->via.str.size };
		} else if (k->via.str.size == 13 &&
		    memcmp(k->via.str.ptr, "require_alias", 13) == 0) {
			if (v->type != MSGPACK_OBJECT_BOOLEAN)
				return "X has a require_alias that is no boolean";
			l->require_alias = v->via.boolean;
		} else {
			return "X has something in more that this program does not know";
		}
	}
	return NULL;
}

const char *
action_check(const struct frame_action *a, struct action_line *l)
{
	l->pipeline = (struct frame_str) { 0 };
	l->require_alias = false;
	if (!legal_index(a->index))
		return "X has no legal index name: lower case, at most 255 bytes, without "
		       "\\/*?\"<>|,#: and blanks, not starting with - _ or +";
	if (a->id.ptr == NULL && (a->op == OP_UPDATE || a->op == OP_DELETE))
		return "X has no id, which update and delete need";
	if (a->id.ptr == NULL && a->op == OP_INDEX && a->versioned != VERSION_NONE)
		return "X has no id, which a version needs";
	if (a->id.ptr != NULL && (a->id.len == 0 || a->id.len > MAX_ID))
		return "X has an id that is empty or longer than 512 bytes";
	if (!utf8_valid(a->index.ptr, a->index.len) || !utf8_valid(a->id.ptr, a->id.len) ||
	    !utf8_valid(a->routing.ptr, a->routing.len))
		return "X has an index, id or routing that is not UTF-8";
	if (a->versioned == VERSION_GIVEN && a->op != OP_INDEX && a->op != OP_DELETE)
		return "X has a version, which only index and delete take";
	if (a->op == OP_DELETE) {
		if (a->body.ptr != NULL)
			return "X has a body, which delete does not take";
	} else {
		if (a->body.ptr == NULL || a->body.len == 0)
			return "X has no body";
		if (memchr(a->body.ptr, '\n', a->body.len) != NULL ||
		    memchr(a->body.ptr, '\r', a->body.len) != NULL)
			return "X has a body of more than one line";
	}
	return a->more != NULL ? check_more(a->more, l) : NULL;
}

static void
put_escaped(struct buf *b, struct frame_str s)
{
	uint32_t from = 0;

	for (uint32_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];
		char esc[8];

		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		buf_add(b, s.ptr + from, i - from);
		from = i + 1;
		if (c >= 0x20)
			snprintf(esc, sizeof(esc), "\\%c", c);
		else
			snprintf(esc, sizeof(esc), "\\u%04x", c);
		buf_adds(b, esc);
	}
	buf_add(b, s.ptr + from, s.len - from);
}

void
action_unescape(struct buf *b, const char *s, size_t n)
{
	b->len = 0;
	for (size_t i = 0; i < n; i++) {
		if (s[i] != '\\' || i + 1 == n) {
			buf_addc(b, s[i]);
		} else if (s[i + 1] == 'u' && i + 5 < n) {
			/* Control characters only: below U+0020. */
			buf_addc(b, (char)strtol((char[]) { s[i + 4], s[i + 5], '\0' }, NULL, 16));
			i += 5;
		} else {
			buf_addc(b, s[++i]);
		}
	}
}

static void
put_text(struct buf *b, const char *s, size_t n)
{
	buf_add(b, s, n);
}

#define PUT(b, literal) put_text(b, literal, sizeof(literal) - 1)

static void
put_uint(struct buf *b, uint64_t v)
{
	char tmp[20], *p = tmp + sizeof(tmp);

	do
		*--p = (char)('0' + v % 10);
	while ((v /= 10) > 0);
	buf_add(b, p, (size_t)(tmp + sizeof(tmp) - p));
}

void
action_build(struct action_line *l, const struct frame_action *a, bool versioned,
    uint64_t version)
{
	struct buf *b = &l->text;

	b->len = 0;
	PUT(b, "{\"");
	buf_adds(b, frame_op_names[a->op]);
	PUT(b, "\":{\"_index\":\"");
	l->index_at = (uint16_t)b->len;
	put_escaped(b, a->index);
	l->index_len = (uint16_t)(b->len - l->index_at);
	buf_addc(b, '"');
	l->id_at = l->id_len = 0;
	if (a->id.ptr != NULL) {
		PUT(b, ",\"_id\":\"");
		l->id_at = (uint16_t)b->len;
		put_escaped(b, a->id);
		l->id_len = (uint16_t)(b->len - l->id_at);
		buf_addc(b, '"');
	}
	if (a->routing.ptr != NULL) {
		PUT(b, ",\"routing\":\"");
		put_escaped(b, a->routing);
		buf_addc(b, '"');
	}
	if (versioned) {
		PUT(b, ",\"version\":");
		put_uint(b, version);
		PUT(b, ",\"version_type\":\"external_gte\"");
	}
	if (l->pipeline.ptr != NULL) {
		PUT(b, ",\"pipeline\":\"");
		put_escaped(b, l->pipeline);
		buf_addc(b, '"');
	}
	if (l->require_alias)
		PUT(b, ",\"require_alias\":true");
	PUT(b, "}}\n");
}

/* A multiply-and-fold hash over eight bytes a step; not against an attacker. */
static uint64_t
mix(uint64_t h, const char *p, size_t n)
{
	const uint64_t k = UINT64_C(0x9e3779b97f4a7c15);
	uint64_t w;

	while (n >= 8) {
		memcpy(&w, p, 8);
		h = (h ^ w) * k;
		h ^= h >> 29;
		p += 8;
		n -= 8;
	}
	w = n;
	for (size_t i = 0; i < n; i++)
		w = w << 8 | (unsigned char)p[i];
	h = (h ^ w) * k;
	return h ^ h >> 32;
}

uint64_t
action_document(struct frame_str index, struct frame_str id)
{
	uint64_t h = mix(UINT64_C(0x243f6a8885a308d3), index.ptr, index.len);

	h = mix(h, id.ptr, id.len);
	h *= UINT64_C(0xff51afd7ed558ccd);
	return h ^ h >> 33;
}
