/*
 * Checking of whole values and documents.
 */
#include <stdint.h>
#include <stdio.h>

#include "json.h"

enum { MAX_DEPTH = 1000, MAPPING_DEPTH = 20 };

/* A name seen in an object that is still open, for the check for doubles. */
struct name {
	uint32_t hash;
	struct slice text;
};

struct checker {
	struct json_cursor *c;
	struct buf names;   /* of struct name, those of the open objects */
	struct buf scratch; /* names without their escapes */
	unsigned depth;
	unsigned object_depth;
	unsigned array_depth;
	bool mapper; /* judge as the mapper does, too */
};

/* Kept between calls, so that nothing is allocated per document. */
static struct checker checker;

static uint32_t
name_hash(struct slice s)
{
	uint64_t h = s.n, w;

	for (; s.n >= 8; s.p += 8, s.n -= 8) {
		memcpy(&w, s.p, 8);
		h = (h ^ w) * 0x9fb21c651e98df25U;
		h ^= h >> 29;
	}
	w = 0;
	for (size_t i = 0; i < s.n; i++)
		w |= (uint64_t)(unsigned char)s.p[i] << (8 * i);
	h = (h ^ w) * 0x9fb21c651e98df25U;
	return (uint32_t)(h >> 32);
}

/*
 * Note a name of the object whose names start at base (bytes in k->names);
 * false when it was there.  seen has a bit for each hash noted, so that most
 * names are told from the others without looking at them.
 */
static bool
note_name(struct checker *k, size_t base, uint64_t *seen, struct slice raw)
{
	struct name name = { name_hash(raw), raw };
	uint64_t bit = (uint64_t)1 << (name.hash & 63);

	if (*seen & bit)
		for (size_t at = base; at < k->names.len; at += sizeof(name)) {
			struct name other;

			memcpy(&other, k->names.data + at, sizeof(other));
			if (other.hash == name.hash && slice_equal(other.text, raw))
				return false;
		}
	*seen |= bit;
	buf_add(&k->names, &name, sizeof(name));
	return true;
}

static bool check_value(struct checker *);

/* The name of a member and its colon. */
static bool
check_name(struct checker *k, size_t base, uint64_t *seen)
{
	struct json_cursor *c = k->c;
	struct slice raw;
	char text[160];
	bool escaped;

	if (c->p == c->end || *c->p != '"')
		return json_unexpected(c, "double-quote to start field name");
	if (!json_string(c, &raw, &escaped))
		return false;
	if (escaped) {
		/* Only names with escapes are copied: they must compare as what they say. */
		size_t at = k->scratch.len;

		/* Reserved for a whole document beforehand, so that slices stay good. */
		json_unescape(&k->scratch, raw);
		raw = (struct slice) { k->scratch.data + at, k->scratch.len - at };
	}
	if (k->mapper && raw.n == 0)
		return json_fail(
		    c, JSON_EMPTY_NAME, "field name cannot be an empty string");
	if (!note_name(k, base, seen, raw)) {
		snprintf(text, sizeof(text), "Duplicate field '%.*s'",
		    raw.n < 100 ? (int)raw.n : 100, raw.p);
		return json_fail(c, JSON_DUPLICATE, text);
	}
	json_blanks(c);
	if (c->p == c->end || *c->p != ':')
		return json_unexpected(c, "a colon to separate field name and value");
	c->p++;
	return true;
}

static bool
check_object(struct checker *k)
{
	struct json_cursor *c = k->c;
	size_t base = k->names.len;
	uint64_t seen = 0;

	if (k->mapper && ++k->object_depth > MAPPING_DEPTH)
		return json_fail(c, JSON_OBJECT_DEPTH,
		    "The depth of the field has exceeded the allowed limit of [20]. This limit can "
		    "be set by changing the [index.mapping.depth.limit] index level setting.");
	c->p++;
	json_blanks(c);
	if (c->p < c->end && *c->p == '}') {
		c->p++;
		k->object_depth--;
		return true;
	}
	for (;;) {
		if (!check_name(k, base, &seen) || !check_value(k))
			return false;
		json_blanks(c);
		if (c->p < c->end && *c->p == ',') {
			c->p++;
			json_blanks(c);
			continue;
		}
		if (c->p == c->end || *c->p != '}')
			return json_unexpected(c, "comma to separate Object entries");
		c->p++;
		k->names.len = base;
		k->object_depth--;
		return true;
	}
}

static bool
check_array(struct checker *k)
{
	struct json_cursor *c = k->c;

	if (k->mapper && ++k->array_depth > MAPPING_DEPTH)
		return json_fail(c, JSON_ARRAY_DEPTH,
		    "The depth of the nested array field has exceeded the allowed limit of [20]. "
		    "This limit can be set by changing the [index.mapping.depth.limit] setting.");
	c->p++;
	json_blanks(c);
	if (c->p < c->end && *c->p == ']') {
		c->p++;
		k->array_depth--;
		return true;
	}
	for (;;) {
		if (!check_value(k))
			return false;
		json_blanks(c);
		if (c->p < c->end && *c->p == ',') {
			c->p++;
			continue;
		}
		if (c->p == c->end || *c->p != ']')
			return json_unexpected(c, "comma to separate Array entries");
		c->p++;
		k->array_depth--;
		return true;
	}
}

static bool
check_value(struct checker *k)
{
	struct json_cursor *c = k->c;
	struct slice raw;
	bool escaped, ok;

	json_blanks(c);
	if (c->p == c->end)
		return json_fail(c, JSON_EOF, "Unexpected end-of-input");
	switch (*c->p) {
	case '"': return json_string(c, &raw, &escaped);
	case '{':
	case '[':
		if (++k->depth > MAX_DEPTH)
			return json_fail(c, JSON_SYNTAX,
			    "Document nesting depth exceeds the maximum allowed (1000)");
		ok = *c->p == '{' ? check_object(k) : check_array(k);
		k->depth--;
		return ok;
	default: return json_scalar(c, &raw);
	}
}

/* A value at the cursor. */
static bool
check(struct json_cursor *c, bool mapper)
{
	checker.c = c;
	checker.names.len = checker.scratch.len = 0;
	checker.depth = checker.object_depth = checker.array_depth = 0;
	checker.mapper = mapper;
	/* Names without their escapes are never longer than the text. */
	if (memchr(c->p, '\\', (size_t)(c->end - c->p)) != NULL)
		buf_reserve(&checker.scratch, (size_t)(c->end - c->p));
	return check_value(&checker);
}

bool
json_value(struct json_cursor *c, struct slice *raw)
{
	json_blanks(c);
	raw->p = c->p;
	if (!check(c, false))
		return false;
	raw->n = (size_t)(c->p - raw->p);
	return true;
}

bool
json_document(struct slice text, struct json_error *error)
{
	struct json_cursor c;
	struct slice raw;
	bool ok;

	json_cursor_init(&c, text);
	ok = check(&c, true);
	if (ok) {
		json_blanks(&c);
		if (c.p < c.end && *c.p == '{') {
			ok = json_fail(&c, JSON_TRAILING,
			    "Malformed content, found extra data after parsing: START_OBJECT");
		} else if (c.p < c.end) {
			ok = false;
			if (!json_scalar(&c, &raw))
				; /* it says what this is */
			else
				json_fail(&c, JSON_SYNTAX, "extra data after the document");
		}
	}
	*error = c.error;
	return ok;
}

void
json_release(void)
{
	buf_free(&checker.names);
	buf_free(&checker.scratch);
}
