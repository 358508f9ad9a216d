#include <string.h>

#include "action.h"
#include "json.h"
#include "utf8.h"

#define MAX_ID    512 /* IndexRequest's limit, bytes */
#define MAX_INDEX 255 /* MetadataCreateIndexService's limit, bytes */

/* "Index name limitations" of the create index API. */
static bool
legal_name(struct frame_str s, const char *forbidden)
{
	if (s.ptr == NULL || s.len == 0 || s.len > MAX_INDEX || strchr("-_+", s.ptr[0]) != NULL)
		return false;
	if (s.ptr[0] == '.' && (s.len == 1 || (s.len == 2 && s.ptr[1] == '.')))
		return false;
	for (uint32_t i = 0; i < s.len; i++)
		if ((unsigned char)s.ptr[i] <= ' ' || strchr(forbidden, s.ptr[i]) != NULL ||
		    (s.ptr[i] >= 'A' && s.ptr[i] <= 'Z'))
			return false;
	return true;
}

static bool
legal_index(struct frame_str s)
{
	return legal_name(s, "\\/*?\"<>|,#:");
}

static bool
legal_id(struct frame_str s)
{
	return s.len > 0 && s.len <= MAX_ID && utf8_valid(s.ptr, s.len);
}

/* With a start of its own, so that it takes in no index by accident, least a hidden one. */
static bool
legal_pattern(struct frame_str s)
{
	if (s.ptr == NULL || !legal_name(s, "\\/?\"<>|,#:") || s.ptr[0] == '*' ||
	    !utf8_valid(s.ptr, s.len))
		return false;
	return s.ptr[0] != '.' || memchr(s.ptr, '*', s.len) == NULL;
}

struct frame_str
action_str(const msgpack_object *o)
{
	if (o->type != MSGPACK_OBJECT_STR)
		return (struct frame_str) { 0 };
	return (struct frame_str) { o->via.str.ptr, o->via.str.size };
}

static bool
is_key(const msgpack_object *k, const char *name)
{
	return k->via.str.size == strlen(name) &&
	    memcmp(k->via.str.ptr, name, k->via.str.size) == 0;
}

static const char *
get_merge(const msgpack_object *v, struct action_line *l)
{
	if (v->type != MSGPACK_OBJECT_ARRAY)
		return "X has a merge that is no array";
	for (uint32_t i = 0; i < v->via.array.size; i++) {
		struct frame_str s = action_str(&v->via.array.ptr[i]);

		if (s.ptr == NULL || !utf8_valid(s.ptr, s.len))
			return "X has a merge with something else than names";
	}
	l->merge = v;
	return NULL;
}

static const char *
get_merge_from(const msgpack_object *v, struct action_line *l)
{
	const msgpack_object *o = v->via.array.ptr;
	struct frame_str routing;

	if (v->type != MSGPACK_OBJECT_ARRAY || v->via.array.size < 3 || v->via.array.size > 4 ||
	    (o[2].type != MSGPACK_OBJECT_NIL && o[2].type != MSGPACK_OBJECT_STR) ||
	    (v->via.array.size == 4 &&
	        (o[3].type != MSGPACK_OBJECT_POSITIVE_INTEGER || o[3].via.u64 > INT64_MAX)))
		return "X has a merge_from that is no array of index, id, routing or nil, and "
		       "perhaps a version";
	routing = action_str(&o[2]);
	if (!legal_index(action_str(&o[0])) || !legal_id(action_str(&o[1])) ||
	    !utf8_valid(routing.ptr, routing.len))
		return "X has a merge_from with no legal index, id or routing";
	l->merge_from = v;
	return NULL;
}

static const char *
get_truncate(const msgpack_object *v, struct action_line *l)
{
	if (v->type != MSGPACK_OBJECT_MAP)
		return "X has a truncate that is no map";
	for (uint32_t i = 0; i < v->via.map.size; i++) {
		const msgpack_object *k = &v->via.map.ptr[i].key, *o = &v->via.map.ptr[i].val;

		if (k->type == MSGPACK_OBJECT_STR && is_key(k, "index"))
			l->pattern = action_str(o);
		else if (k->type == MSGPACK_OBJECT_STR && is_key(k, "query") &&
		    (o->type == MSGPACK_OBJECT_NIL || o->type == MSGPACK_OBJECT_STR))
			l->query = action_str(o);
		else
			return "X has a truncate with something else than an index and a query, "
			       "strings both";
	}
	if (!legal_pattern(l->pattern))
		return "X has a truncate of no legal index: in it a * may stand, but neither "
		       "at the start nor behind a dot there";
	if (l->query.ptr != NULL &&
	    !json_valid((struct json_text) { l->query.ptr, l->query.len }))
		return "X has a truncate with a query that is no JSON";
	l->truncate = true;
	return NULL;
}

static const char *
check_more(const msgpack_object *more, struct action_line *l)
{
	for (uint32_t i = 0; i < more->via.map.size; i++) {
		const msgpack_object *k = &more->via.map.ptr[i].key;
		const msgpack_object *v = &more->via.map.ptr[i].val;
		const char *why = NULL;

		if (k->type != MSGPACK_OBJECT_STR)
			return "X has a key in more that is no string";
		if (is_key(k, "pipeline")) {
			if (v->type != MSGPACK_OBJECT_STR)
				return "X has a pipeline that is no string";
			l->pipeline = action_str(v);
		} else if (is_key(k, "require_alias")) {
			if (v->type != MSGPACK_OBJECT_BOOLEAN)
				return "X has a require_alias that is no boolean";
			l->require_alias = v->via.boolean;
		} else if (is_key(k, "merge")) {
			why = get_merge(v, l);
		} else if (is_key(k, "merge_from")) {
			why = get_merge_from(v, l);
		} else if (is_key(k, "truncate")) {
			why = get_truncate(v, l);
		} else {
			return "X has something in more that this program does not know";
		}
		if (why != NULL)
			return why;
	}
	return NULL;
}

static bool
same(struct frame_str a, struct frame_str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* The rest of what merge and merge_from must be, beside what an index action must. */
static const char *
check_merge(const struct frame_action *a, const struct action_line *l)
{
	const msgpack_object *o;
	struct json_text body;

	if (a->op != OP_INDEX)
		return "X has a merge, which only index takes";
	if (a->id.ptr == NULL)
		return "X has no id, which merge needs";
	body = (struct json_text) { a->body.ptr, a->body.len };
	if (json_open(body).close != '}')
		return "X has a merge into a body that is no object";
	if (l->merge_from == NULL)
		return NULL;
	o = l->merge_from->via.array.ptr;
	if (!same(action_str(&o[0]), a->index) || !same(action_str(&o[1]), a->id))
		return NULL;
	if (same(action_str(&o[2]), a->routing) &&
	    (o[2].type == MSGPACK_OBJECT_NIL) == (a->routing.ptr == NULL))
		return "X has a merge_from of its own document";
	/* Where both routings lead to one shard, only its version keeps the new document. */
	if (a->versioned == VERSION_NONE ||
	    (a->versioned == VERSION_GIVEN && a->version == 0))
		return "X has a merge_from with another routing alone, which needs a version";
	return NULL;
}

static const char *
check_truncate(const struct frame_action *a, const struct action_line *l)
{
	if (a->op != OP_DELETE || a->id.ptr != NULL || a->body.ptr != NULL ||
	    a->routing.ptr != NULL)
		return "X has a truncate, which is a delete without id, routing and body";
	if (a->index.ptr != NULL && !same(a->index, l->pattern))
		return "X has a truncate of another index than its own";
	if (l->pipeline.ptr != NULL || l->require_alias || l->merge != NULL ||
	    l->merge_from != NULL)
		return "X has more beside a truncate";
	return NULL;
}

static const char *
check_body(const struct frame_action *a)
{
	if (a->op == OP_DELETE)
		return a->body.ptr != NULL ? "X has a body, which delete does not take" : NULL;
	if (a->body.ptr == NULL || a->body.len == 0)
		return "X has no body";
	if (memchr(a->body.ptr, '\n', a->body.len) != NULL ||
	    memchr(a->body.ptr, '\r', a->body.len) != NULL)
		return "X has a body of more than one line";
	return NULL;
}

static bool
is_known(const struct action_known *k, struct frame_str index)
{
	return index.len > 0 && index.len == k->index.len &&
	    memcmp(index.ptr, k->index.data, index.len) == 0;
}

const char *
action_check(const struct frame_action *a, struct action_line *l)
{
	const char *why = NULL;
	bool known;

	l->pipeline = l->pattern = l->query = (struct frame_str) { 0 };
	l->require_alias = l->truncate = false;
	l->merge = l->merge_from = NULL;
	if (a->more != NULL && (why = check_more(a->more, l)) != NULL)
		return why;
	if (l->truncate)
		return check_truncate(a, l);
	known = is_known(&l->known, a->index);
	if (!known && !legal_index(a->index))
		return "X has no legal index name: lower case, at most 255 bytes, without "
		       "\\/*?\"<>|,#: and blanks, not starting with - _ or +";
	if (a->id.ptr == NULL && (a->op == OP_UPDATE || a->op == OP_DELETE))
		return "X has no id, which update and delete need";
	if (a->id.ptr == NULL && a->op == OP_INDEX && a->versioned != VERSION_NONE)
		return "X has no id, which a version needs";
	if (a->id.ptr != NULL && (a->id.len == 0 || a->id.len > MAX_ID))
		return "X has an id that is empty or longer than 512 bytes";
	if ((!known && !utf8_valid(a->index.ptr, a->index.len)) ||
	    !utf8_valid(a->id.ptr, a->id.len) || !utf8_valid(a->routing.ptr, a->routing.len))
		return "X has an index, id or routing that is not UTF-8";
	if (!known) {
		l->known.index.len = l->known.head.len = l->known.tally = 0;
		buf_add(&l->known.index, a->index.ptr, a->index.len);
	}
	if (a->versioned == VERSION_GIVEN && a->op != OP_INDEX && a->op != OP_DELETE)
		return "X has a version, which only index and delete take";
	if ((why = check_body(a)) != NULL)
		return why;
	return l->merge != NULL || l->merge_from != NULL ? check_merge(a, l) : NULL;
}

void
action_unescape(struct buf *b, const char *s, size_t n)
{
	b->len = 0;
	/* It stands between quotes there. */
	json_unescape(b, (struct json_text) { s - 1, n + 2 });
}

static void
put_text(struct buf *b, const char *s, size_t n)
{
	buf_add(b, s, n);
}

#define PUT(b, literal) put_text(b, literal, sizeof(literal) - 1)

static void
put_string(struct buf *b, struct frame_str s)
{
	json_put_string(b, s.ptr, s.len);
}

void
action_put_document(
    struct buf *b, struct frame_str index, struct frame_str id, struct frame_str routing)
{
	PUT(b, "{\"_index\":");
	put_string(b, index);
	PUT(b, ",\"_id\":");
	put_string(b, id);
	if (routing.ptr != NULL) {
		PUT(b, ",\"routing\":");
		put_string(b, routing);
	}
	buf_addc(b, '}');
}

/* The line up to the id, in a text that is empty. */
static void
put_head(struct action_line *l, const struct frame_action *a)
{
	struct buf *b = &l->text;

	PUT(b, "{\"");
	buf_adds(b, frame_op_names[a->op]);
	PUT(b, "\":{\"_index\":");
	l->index_at = (uint16_t)(b->len + 1);
	put_string(b, a->index);
	l->index_len = (uint16_t)(b->len - 1 - l->index_at);
	if (l->type != NULL) {
		PUT(b, ",\"_type\":\"");
		buf_adds(b, l->type);
		buf_addc(b, '"');
	}
}

/* The same, as it was put last where that was alike. */
static void
put_known_head(struct action_line *l, const struct frame_action *a)
{
	struct action_known *k = &l->known;

	if (!is_known(k, a->index)) {
		put_head(l, a);
	} else if (k->head.len > 0 && k->op == a->op && k->type == l->type) {
		buf_add(&l->text, k->head.data, k->head.len);
		l->index_at = k->index_at;
		l->index_len = k->index_len;
	} else {
		put_head(l, a);
		k->head.len = 0;
		buf_add(&k->head, l->text.data, l->text.len);
		k->op = a->op;
		k->type = l->type;
		k->index_at = l->index_at;
		k->index_len = l->index_len;
	}
}

/* A string with its quotes, where there is room for six bytes of each. */
static inline char *
add_string(char *to, struct frame_str s)
{
	*to++ = '"';
	for (uint32_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.ptr[i];

		if (c < 0x20) {
			static const char digits[] = "0123456789abcdef";

			to = stpcpy(to, "\\u00");
			*to++ = digits[c >> 4];
			*to++ = digits[c & 15];
			continue;
		}
		if (c == '"' || c == '\\')
			*to++ = '\\';
		*to++ = (char)c;
	}
	*to++ = '"';
	return to;
}

/* As above, where there is room for twenty digits. */
static char *
add_version(char *to, struct action_known *k, uint64_t version)
{
	if (k->n_digits == 0 || k->version != version) {
		char *end = k->digits + sizeof(k->digits), *p = end;
		uint64_t v = version;

		do
			*--p = (char)('0' + v % 10);
		while ((v /= 10) > 0);
		k->n_digits = (uint8_t)(end - p);
		memmove(k->digits, p, k->n_digits);
		k->version = version;
	}
	memcpy(to, k->digits, sizeof(k->digits));
	return to + k->n_digits;
}

#define ADD(to, literal) \
	(memcpy((to), (literal), sizeof(literal) - 1), (to) + sizeof(literal) - 1)
#define ADDED_MAX 160 /* all that is between the strings, and a number */

void
action_build(struct action_line *l, const struct frame_action *a, bool versioned,
    uint64_t version)
{
	struct buf *b = &l->text;
	size_t strings = (size_t)a->id.len + a->routing.len + l->pipeline.len;
	char *start, *to;

	b->len = 0;
	put_known_head(l, a);
	start = to = buf_reserve(b, ADDED_MAX + 6 * strings);
	l->id_at = l->id_len = 0;
	if (a->id.ptr != NULL) {
		to = ADD(to, ",\"_id\":");
		l->id_at = (uint16_t)(b->len + (size_t)(to - start) + 1);
		to = add_string(to, a->id);
		l->id_len = (uint16_t)(b->len + (size_t)(to - start) - 1 - l->id_at);
	}
	if (a->routing.ptr != NULL)
		to = add_string(ADD(to, ",\"routing\":"), a->routing);
	if (versioned) {
		to = add_version(ADD(to, ",\"version\":"), &l->known, version);
		to = ADD(to, ",\"version_type\":\"external_gte\"");
	}
	if (l->pipeline.ptr != NULL)
		to = add_string(ADD(to, ",\"pipeline\":"), l->pipeline);
	if (l->require_alias)
		to = ADD(to, ",\"require_alias\":true");
	to = ADD(to, "}}\n");
	b->len += (size_t)(to - start);
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
	/* What is left, some of it twice; its length tells how. */
	w = 0;
	if (n >= 4) {
		uint32_t first, last;

		memcpy(&first, p, 4);
		memcpy(&last, p + n - 4, 4);
		w = (uint64_t)first << 32 | last;
	} else if (n > 0) {
		w = (uint64_t)(unsigned char)p[0] << 16 | (uint64_t)(unsigned char)p[n / 2] << 8 |
		    (unsigned char)p[n - 1];
	}
	h = (h ^ w ^ n * k) * k;
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
