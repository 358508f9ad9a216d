#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "convert.h"
#include "datetime.h"
#include "frame.h"
#include "geo.h"
#include "number.h"
#include "utf8.h"

/* Why it cannot be done, as in: column "x" <why>.  The text is shown, as far as it is short. */
static enum render_result
fault(struct renderer *r, const char *why, const char *text, size_t len)
{
	r->why.len = 0;
	buf_adds(&r->why, why);
	if (text != NULL) {
		size_t shown = utf8_prefix(text, len, 60);

		buf_adds(&r->why, ": \"");
		quote_escaped(&r->why, text, shown);
		buf_adds(&r->why, shown == len ? "\"" : "\"…");
	}
	return RENDER_FAULT;
}

/* The value's text, in the renderer's scratch. */
static enum render_result
take_text(const msgpack_object *o, struct value_class class, struct renderer *r)
{
	r->text.len = 0;
	buf_reserve(&r->text, 1);
	return render_text(&r->text, o, class, r);
}

struct text {
	const char *p;
	size_t n;
};

static struct text
trimmed(const struct buf *text)
{
	const char *s = text->data, *end = s + text->len;

	while (s < end && (*s == ' ' || (*s >= '\t' && *s <= '\r')))
		s++;
	while (s < end && (end[-1] == ' ' || (end[-1] >= '\t' && end[-1] <= '\r')))
		end--;
	return (struct text) { s, (size_t)(end - s) };
}

/*
 * number
 */

/* '$1,234.50' and '-$5.00', which money is in the reader's session, without what is no digit. */
static void
strip_money(struct buf *text)
{
	size_t to = 0;

	for (size_t i = 0; i < text->len; i++)
		if (text->data[i] != '$' && text->data[i] != ',')
			text->data[to++] = text->data[i];
	text->len = to;
}

/* "+5", ".5", "5.", "007" are numbers to people, and JSON has another form for each. */
static void
put_json_form(struct buf *b, const char *s, size_t len)
{
	const char *end = s + len;

	if (s < end && (*s == '+' || *s == '-')) {
		if (*s == '-')
			buf_addc(b, '-');
		s++;
	}
	while (end - s > 1 && *s == '0' && s[1] >= '0' && s[1] <= '9')
		s++;
	if (s < end && *s == '.')
		buf_addc(b, '0');
	for (; s < end; s++)
		if (*s != '.' || (s + 1 < end && s[1] >= '0' && s[1] <= '9'))
			buf_addc(b, *s);
}

static enum render_result
put_number_text(struct buf *b, struct renderer *r)
{
	struct text t = trimmed(&r->text);
	size_t start = b->len;

	put_json_form(b, t.p, t.n);
	if (number_is_json(b->data + start, b->len - start))
		return RENDER_OK;
	return fault(r, "is no number", r->text.data, r->text.len);
}

static enum render_result
put_number(struct buf *b, const msgpack_object *o, struct value_class class, struct renderer *r)
{
	enum render_result result;

	switch (o->type) {
	case MSGPACK_OBJECT_BOOLEAN: buf_addc(b, o->via.boolean ? '1' : '0'); return RENDER_OK;
	case MSGPACK_OBJECT_STR:
		/* NaN and infinities by their policies. */
		if (class.scalar == CLASS_NUMERIC && !number_is_json(o->via.str.ptr, o->via.str.size))
			return render_json(b, o, class, r);
		/* fallthrough */
	case MSGPACK_OBJECT_EXT:
		result = take_text(o, class, r);
		if (result != RENDER_OK)
			return result;
		if (memchr(r->text.data, '$', r->text.len) != NULL)
			strip_money(&r->text);
		return put_number_text(b, r);
	case MSGPACK_OBJECT_POSITIVE_INTEGER:
	case MSGPACK_OBJECT_NEGATIVE_INTEGER:
	case MSGPACK_OBJECT_FLOAT32:
	case MSGPACK_OBJECT_FLOAT64: return render_json(b, o, class, r);
	case MSGPACK_OBJECT_NIL:
	case MSGPACK_OBJECT_BIN:
	case MSGPACK_OBJECT_ARRAY:
	case MSGPACK_OBJECT_MAP:
	default: return fault(r, "is no number", NULL, 0);
	}
}

/*
 * bool
 */

static enum render_result
put_bool(struct buf *b, const msgpack_object *o, struct value_class class, struct renderer *r)
{
	/* What PostgreSQL takes for them: parts of these words, and blanks around them. */
	static const struct {
		const char *word;
		size_t least;
		bool value;
	} words[] = { { "true", 1, true }, { "yes", 1, true }, { "on", 2, true }, { "1", 1, true },
		{ "false", 1, false }, { "no", 1, false }, { "off", 2, false }, { "0", 1, false } };
	enum render_result result = take_text(o, class, r);
	struct text t;

	if (result != RENDER_OK)
		return result;
	t = trimmed(&r->text);
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (t.n >= words[i].least && t.n <= strlen(words[i].word) &&
		    strncasecmp(t.p, words[i].word, t.n) == 0) {
			buf_adds(b, words[i].value ? "true" : "false");
			return RENDER_OK;
		}
	return fault(r, "is neither true nor false", r->text.data, r->text.len);
}

/*
 * date
 */

static void
put_datetime(struct buf *b, const struct datetime *d)
{
	static const char day[] = "%Y-%m-%d", time[] = "T%H:%M:%S", fraction[] = ".%f";

	datetime_format(b, d, day, sizeof(day) - 1);
	if (!d->has_time)
		return;
	datetime_format(b, d, time, sizeof(time) - 1);
	if (d->micros != 0)
		datetime_format(b, d, fraction, sizeof(fraction) - 1);
	if (d->has_zone)
		buf_addc(b, 'Z');
}

/* Seconds since 1970, which may have a fraction. */
static enum render_result
put_epoch(struct buf *b, double seconds, struct renderer *r)
{
	struct datetime d;

	/* The years that PostgreSQL has. */
	if (!(seconds > -3e11 && seconds < 1e13))
		return fault(r, "is no number of seconds since 1970 that is a date", NULL, 0);
	datetime_of_micros(&d, (int64_t)llround(seconds * 1e6));
	d.has_time = d.has_zone = true;
	buf_addc(b, '"');
	put_datetime(b, &d);
	buf_addc(b, '"');
	return RENDER_OK;
}

static enum render_result
put_date(struct buf *b, const msgpack_object *o, struct value_class class, struct renderer *r)
{
	enum render_result result;
	struct datetime d;
	char number[64];

	if (class.scalar == CLASS_TIME)
		return render_json(b, o, class, r);
	if (o->type == MSGPACK_OBJECT_POSITIVE_INTEGER)
		return put_epoch(b, (double)o->via.u64, r);
	if (o->type == MSGPACK_OBJECT_NEGATIVE_INTEGER)
		return put_epoch(b, (double)o->via.i64, r);
	if (o->type == MSGPACK_OBJECT_FLOAT64 || o->type == MSGPACK_OBJECT_FLOAT32)
		return put_epoch(b, o->via.f64, r);
	result = take_text(o, class, r);
	if (result != RENDER_OK)
		return result;
	if (class.scalar == CLASS_NUMERIC && r->text.len < sizeof(number)) {
		memcpy(number, r->text.data, r->text.len);
		number[r->text.len] = '\0';
		return put_epoch(b, strtod(number, NULL), r);
	}
	if (!datetime_parse(&d, r->text.data, r->text.len) || d.infinity != 0)
		return fault(r, "is no date or time", r->text.data, r->text.len);
	if (d.has_zone && d.zone_s != 0) {
		datetime_of_micros(&d, datetime_micros(&d));
		d.has_time = d.has_zone = true;
		d.zone_s = 0;
	}
	buf_addc(b, '"');
	put_datetime(b, &d);
	buf_addc(b, '"');
	return RENDER_OK;
}

/*
 * json, geo_point, geojson
 */

static enum render_result
not_json(struct renderer *r, const struct json_problem *problem)
{
	r->why.len = 0;
	buf_printf(&r->why, "is no JSON text: %s at byte %zu", problem->what, problem->offset);
	return RENDER_FAULT;
}

static enum render_result
put_json_text(
    struct buf *b, const msgpack_object *o, struct value_class class, struct renderer *r)
{
	struct json_problem problem;
	enum render_result result;

	if (o->type != MSGPACK_OBJECT_STR)
		return render_json(b, o, class, r);
	result = take_text(o, class, r);
	if (result != RENDER_OK)
		return result;
	if (!json_valid(r->text.data, r->text.len, &problem))
		return not_json(r, &problem);
	return render_document(b, r->text.data, r->text.len, r);
}

static enum render_result
put_geo(struct buf *b, const msgpack_object *o, struct value_class class, struct renderer *r,
    int (*put)(struct buf *, const char *, size_t, struct geo_problem *))
{
	enum render_result result = take_text(o, class, r);
	struct geo_problem problem;

	if (result != RENDER_OK)
		return result;
	if (put(b, r->text.data, r->text.len, &problem) != 0)
		return fault(r, problem.what, r->text.data, r->text.len);
	return RENDER_OK;
}

/*
 * split and join
 */

static enum render_result
put_split(struct buf *b, const msgpack_object *o, struct value_class class,
    const char *separator, struct renderer *r)
{
	enum render_result result = take_text(o, class, r);
	const char *s, *end;
	bool first = true;

	if (result != RENDER_OK)
		return result;
	s = r->text.data;
	end = s + r->text.len;
	buf_addc(b, '[');
	while (s <= end) {
		const char *next = memmem(s, (size_t)(end - s), separator, strlen(separator));
		const char *to = next != NULL ? next : end;
		const char *from = s;

		while (from < to && *from == ' ')
			from++;
		while (to > from && to[-1] == ' ')
			to--;
		if (to > from) {
			if (!first)
				buf_addc(b, ',');
			first = false;
			quote_string(b, from, (size_t)(to - from));
		}
		if (next == NULL)
			break;
		s = next + strlen(separator);
	}
	buf_addc(b, ']');
	return RENDER_OK;
}

/* The elements' texts, of all dimensions; nulls are left out. */
static enum render_result
join(const msgpack_object *o, struct value_class class, const char *separator, bool *first,
    struct renderer *r)
{
	if (o->type == MSGPACK_OBJECT_NIL)
		return RENDER_OK;
	if (o->type != MSGPACK_OBJECT_ARRAY) {
		if (!*first)
			buf_adds(&r->text, separator);
		*first = false;
		return render_text(&r->text, o, class, r);
	}
	for (uint32_t i = 0; i < o->via.array.size; i++) {
		enum render_result result = join(&o->via.array.ptr[i], class, separator, first, r);

		if (result != RENDER_OK)
			return result;
	}
	return RENDER_OK;
}

static enum render_result
put_join(struct buf *b, const msgpack_object *o, struct value_class class,
    const char *separator, struct renderer *r)
{
	bool first = true;
	enum render_result result;

	r->text.len = 0;
	buf_reserve(&r->text, 1);
	result = join(o, class, separator, &first, r);
	if (result == RENDER_OK)
		quote_string(b, r->text.data, r->text.len);
	return result;
}

static enum render_result
put_string(struct buf *b, const msgpack_object *o, struct value_class class, struct renderer *r)
{
	enum render_result result = take_text(o, class, r);

	if (result == RENDER_OK)
		quote_string(b, r->text.data, r->text.len);
	return result;
}

enum render_result
convert_json(struct buf *b, const msgpack_object *o, struct value_class class,
    const struct column_name *name, struct renderer *r)
{
	if (o->type == MSGPACK_OBJECT_NIL || frame_is_absent(o))
		return render_json(b, o, class, r);
	if (name->conversion == CONVERT_JOIN)
		return put_join(b, o, class, name->text, r);
	if (o->type == MSGPACK_OBJECT_ARRAY && name->conversion != CONVERT_FLATTEN) {
		buf_addc(b, '[');
		for (uint32_t i = 0; i < o->via.array.size; i++) {
			enum render_result result;

			if (i > 0)
				buf_addc(b, ',');
			result = convert_json(b, &o->via.array.ptr[i], class, name, r);
			if (result != RENDER_OK)
				return result;
		}
		buf_addc(b, ']');
		return RENDER_OK;
	}
	switch (name->conversion) {
	case CONVERT_NUMBER: return put_number(b, o, class, r);
	case CONVERT_STRING: return put_string(b, o, class, r);
	case CONVERT_BOOL: return put_bool(b, o, class, r);
	case CONVERT_DATE: return put_date(b, o, class, r);
	case CONVERT_JSON: return put_json_text(b, o, class, r);
	case CONVERT_GEO_POINT: return put_geo(b, o, class, r, geo_point);
	case CONVERT_GEOJSON: return put_geo(b, o, class, r, geo_json);
	case CONVERT_SPLIT: return put_split(b, o, class, name->text, r);
	case CONVERT_NONE:
	case CONVERT_JOIN:
	case CONVERT_FLATTEN: break;
	}
	return render_json(b, o, class, r);
}

/*
 * flatten
 */

/* ,"prefix name": or a fault, for another field has that name. */
static enum render_result
put_member_name(struct buf *b, const char *prefix, const char *name, size_t len,
    const struct plan_document *doc, const struct plan_field *self, struct renderer *r)
{
	struct buf *full = &r->text;
	struct flat_name flat;

	full->len = 0;
	buf_adds(full, prefix);
	buf_add(full, name, len);
	if (full->len == 0)
		return fault(r, "has a member without a name, which cannot be a field", NULL, 0);
	for (const struct plan_field *f = doc->field; f < doc->field + doc->fields; f++)
		if (f != self && strlen(f->name) == full->len &&
		    memcmp(f->name, full->data, full->len) == 0)
			return fault(r, "has a member that is another field's name", full->data,
			    full->len);
	buf_addc(b, ',');
	flat.at = b->len + 1;
	quote_string(b, full->data, full->len);
	flat.len = b->len - 1 - flat.at;
	flat.from = self;
	buf_add(&r->names, &flat, sizeof(flat));
	buf_addc(b, ':');
	return RENDER_OK;
}

static const char *compared; /* the document that compare_names is about */

static int
compare_names(const void *a, const void *b)
{
	const struct flat_name *x = a, *y = b;
	size_t n = x->len < y->len ? x->len : y->len;
	int order = memcmp(compared + x->at, compared + y->at, n);

	if (order != 0)
		return order;
	if (x->len != y->len)
		return x->len < y->len ? -1 : 1;
	return 0;
}

enum render_result
convert_check_flat(const struct buf *b, struct renderer *r)
{
	struct flat_name *name = (struct flat_name *)(void *)r->names.data;
	size_t n = r->names.len / sizeof(*name);
	bool several = false;

	for (size_t i = 1; i < n && !several; i++)
		several = name[i].from != name[0].from;
	if (!several)
		return RENDER_OK;
	compared = b->data;
	qsort(name, n, sizeof(*name), compare_names);
	for (size_t i = 1; i < n; i++)
		if (name[i].from != name[i - 1].from && compare_names(&name[i], &name[i - 1]) == 0)
			return fault(r, "two columns have a member of one name",
			    b->data + name[i].at, name[i].len);
	return RENDER_OK;
}

static enum render_result
flatten_json(struct buf *b, const char *text, size_t len, const struct plan_document *doc,
    const struct plan_field *self, struct renderer *r)
{
	struct json_members all;
	struct json_member member;
	struct json_problem problem;
	size_t start;
	int rc;

	/* By the policies first, at one depth and all: in scratch of its own. */
	r->flat.len = 0;
	if (render_document(&r->flat, text, len, r) != RENDER_OK)
		return RENDER_FAULT;
	all = json_members(r->flat.data, r->flat.len);
	start = b->len;
	while ((rc = json_next(&all, &r->json, &member, &problem)) > 0) {
		enum render_result result = put_member_name(b, self->slot[0].convert->text,
		    member.name, member.name_len, doc, self, r);

		if (result != RENDER_OK)
			return result;
		buf_add(b, member.value, member.value_len);
	}
	if (rc == 0)
		return RENDER_OK;
	b->len = start;
	return fault(r, "is no JSON text", text, len);
}

enum render_result
convert_flatten(struct buf *b, const msgpack_object *o, const struct plan_document *doc,
    const struct plan_field *self, struct renderer *r)
{
	const struct plan_slot *s = &self->slot[0];

	if (o->type == MSGPACK_OBJECT_NIL)
		return RENDER_OK;
	if (o->type == MSGPACK_OBJECT_EXT && o->via.ext.type == FRAME_EXT_JSON) {
		enum json_kind kind = json_kind(o->via.ext.ptr, o->via.ext.size);

		if (kind == JSON_OBJECT)
			return flatten_json(b, o->via.ext.ptr, o->via.ext.size, doc, self, r);
		if (kind == JSON_NULL)
			return RENDER_OK;
	}
	if (o->type == MSGPACK_OBJECT_MAP) {
		/* As an object first: the members' types are known there. */
		struct buf object = r->object;
		enum render_result result;

		object.len = 0;
		result = render_json(&object, o, s->class, r);
		r->object = object;
		if (result != RENDER_OK)
			return result;
		return flatten_json(b, object.data, object.len, doc, self, r);
	}
	if (frame_is_absent(o))
		return RENDER_ABSENT;
	buf_add(b, s->before, s->before_len);
	return render_json(b, o, s->class, r);
}
