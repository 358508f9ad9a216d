#include <stdlib.h>
#include <string.h>

#include "field_type.h"
#include "render.h"

/* See field_type.h: this half is about whole mappings. */

/*
 * Merging
 */

struct merging {
	void (*tell)(void *arg, const char *name, enum field_kind, enum field_kind);
	void *arg;
	struct buf name; /* of the field at hand, with those around it */
};

static void
copy(struct field_type *to, const struct field_type *from)
{
	*to = (struct field_type) { .name = xstrdup(from->name), .kind = from->kind };
	if (from->members == 0)
		return;
	to->member = xcalloc(from->members, sizeof(*to->member));
	for (; to->members < from->members; to->members++)
		copy(&to->member[to->members], &from->member[to->members]);
}

/* What holds values of both. */
static enum field_kind
wider(enum field_kind a, enum field_kind b)
{
	enum field_kind low = a < b ? a : b, high = a < b ? b : a;

	if (low == FIELD_DYNAMIC || low == high)
		return high;
	if (low >= FIELD_SHORT && high <= FIELD_NUMBER)
		return high;
	/* Everything that is one JSON token can be a string's field. */
	if (high <= FIELD_TEXT)
		return high == FIELD_TEXT ? FIELD_TEXT : FIELD_KEYWORD;
	return FIELD_OPAQUE;
}

static void merge(struct merging *, struct field_type *, const struct field_type *other);

static void
merge_members(struct merging *m, struct field_type *t, const struct field_type *other)
{
	for (size_t i = 0; i < other->members; i++) {
		const struct field_type *from = &other->member[i];
		size_t k = 0, len = m->name.len;

		while (k < t->members && strcmp(t->member[k].name, from->name) != 0)
			k++;
		if (k == t->members) {
			t->member = xrealloc(t->member, (t->members + 1) * sizeof(*t->member));
			copy(&t->member[t->members++], from);
			continue;
		}
		buf_printf(&m->name, "%s%s", len > 0 ? "." : "", from->name);
		merge(m, &t->member[k], from);
		m->name.len = len;
	}
}

static void
merge(struct merging *m, struct field_type *t, const struct field_type *other)
{
	enum field_kind kind = wider(t->kind, other->kind);

	if (t->kind != other->kind && t->kind != FIELD_DYNAMIC &&
	    other->kind != FIELD_DYNAMIC && m->tell != NULL)
		m->tell(m->arg, buf_cstr(&m->name), t->kind, other->kind);
	t->kind = kind;
	if (kind == FIELD_OBJECT)
		merge_members(m, t, other);
}

void
field_type_merge(struct field_type *t, const struct field_type *other,
    void (*tell)(void *arg, const char *name, enum field_kind, enum field_kind), void *arg)
{
	struct merging m = { .tell = tell, .arg = arg };

	merge(&m, t, other);
	buf_free(&m.name);
}

/*
 * JSON
 */

/* In the order of enum field_kind. */
static const struct {
	const char *name;
	const char *json;
} kinds[] = {
	[FIELD_DYNAMIC] = { "dynamic", NULL },
	[FIELD_BOOLEAN] = { "boolean", "{\"type\":\"boolean\"}" },
	[FIELD_SHORT] = { "short", "{\"type\":\"short\"}" },
	[FIELD_INTEGER] = { "integer", "{\"type\":\"integer\"}" },
	[FIELD_LONG] = { "long", "{\"type\":\"long\"}" },
	[FIELD_DOUBLE] = { "double", "{\"type\":\"double\"}" },
	[FIELD_NUMBER] = { "double", "{\"type\":\"double\",\"ignore_malformed\":true}" },
	[FIELD_DATE] = { "date", "{\"type\":\"date\",\"format\":\"strict_date_optional_time\","
				 "\"ignore_malformed\":true}" },
	[FIELD_BINARY] = { "binary", "{\"type\":\"binary\"}" },
	/* A term of more than 32766 bytes is refused; a character has four at most. */
	[FIELD_KEYWORD] = { "keyword", "{\"type\":\"keyword\",\"ignore_above\":8191}" },
	[FIELD_TEXT] = { "text", "{\"type\":\"text\",\"fields\":{\"keyword\":"
				 "{\"type\":\"keyword\",\"ignore_above\":256}}}" },
	[FIELD_GEO_POINT] = { "geo_point", "{\"type\":\"geo_point\",\"ignore_malformed\":true}" },
	[FIELD_GEO_SHAPE] = { "geo_shape", "{\"type\":\"geo_shape\",\"ignore_malformed\":true}" },
	[FIELD_OPAQUE] = { "object that is not indexed", "{\"type\":\"object\",\"enabled\":false}" },
	[FIELD_OBJECT] = { "object", NULL },
};

const char *
field_kind_name(enum field_kind kind)
{
	return kinds[kind].name;
}

size_t
field_type_count(const struct field_type *t)
{
	size_t n = 0;

	for (size_t i = 0; i < t->members; i++)
		n += 1 + (t->member[i].kind == FIELD_OBJECT ? field_type_count(&t->member[i])
							     : t->member[i].kind == FIELD_TEXT);
	return n;
}

void
field_type_properties(const struct field_type *t, struct buf *b)
{
	bool first = true;

	buf_adds(b, "\"properties\":{");
	for (size_t i = 0; i < t->members; i++) {
		const struct field_type *m = &t->member[i];

		if (m->kind == FIELD_DYNAMIC)
			continue;
		if (!first)
			buf_addc(b, ',');
		first = false;
		quote_string(b, m->name, strlen(m->name));
		buf_addc(b, ':');
		if (m->kind == FIELD_OBJECT) {
			buf_addc(b, '{');
			field_type_properties(m, b);
			buf_addc(b, '}');
		} else {
			buf_adds(b, kinds[m->kind].json);
		}
	}
	buf_addc(b, '}');
}
