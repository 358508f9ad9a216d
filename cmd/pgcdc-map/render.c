#include <math.h>
#include <string.h>

#include "base64.h"
#include "datetime.h"
#include "frame.h"
#include "number.h"
#include "relation.h"
#include "render.h"
#include "utf8.h"

/* Type OIDs, as in PostgreSQL's src/include/catalog/pg_type.dat; they never change. */
enum {
	OID_BYTEA = 17,
	OID_BYTEA_ARRAY = 1001,
	OID_DATE = 1082,
	OID_TIMESTAMP = 1114,
	OID_TIMESTAMP_ARRAY = 1115,
	OID_DATE_ARRAY = 1182,
	OID_TIMESTAMPTZ = 1184,
	OID_TIMESTAMPTZ_ARRAY = 1185,
	OID_NUMERIC_ARRAY = 1231,
	OID_NUMERIC = 1700,
	OID_NUMRANGE = 3906,
	OID_NUMRANGE_ARRAY = 3907,
	OID_TSRANGE = 3908,
	OID_TSRANGE_ARRAY = 3909,
	OID_TSTZRANGE = 3910,
	OID_TSTZRANGE_ARRAY = 3911,
	OID_DATERANGE = 3912,
	OID_DATERANGE_ARRAY = 3913,
	OID_NUMMULTIRANGE = 4532,
	OID_TSMULTIRANGE = 4533,
	OID_TSTZMULTIRANGE = 4534,
	OID_DATEMULTIRANGE = 4535,
	OID_NUMMULTIRANGE_ARRAY = 6151,
	OID_TSMULTIRANGE_ARRAY = 6152,
	OID_TSTZMULTIRANGE_ARRAY = 6153,
	OID_DATEMULTIRANGE_ARRAY = 6155,
};

static const struct value_class plain = { CLASS_PLAIN, NULL };

static struct value_class
class_of(uint32_t oid)
{
	switch (oid) {
	case OID_BYTEA:
	case OID_BYTEA_ARRAY: return (struct value_class) { CLASS_BYTES, NULL };
	case OID_NUMERIC:
	case OID_NUMERIC_ARRAY:
	case OID_NUMRANGE:
	case OID_NUMRANGE_ARRAY:
	case OID_NUMMULTIRANGE:
	case OID_NUMMULTIRANGE_ARRAY: return (struct value_class) { CLASS_NUMERIC, NULL };
	case OID_DATE:
	case OID_DATE_ARRAY:
	case OID_TIMESTAMP:
	case OID_TIMESTAMP_ARRAY:
	case OID_TIMESTAMPTZ:
	case OID_TIMESTAMPTZ_ARRAY:
	case OID_TSRANGE:
	case OID_TSRANGE_ARRAY:
	case OID_TSTZRANGE:
	case OID_TSTZRANGE_ARRAY:
	case OID_DATERANGE:
	case OID_DATERANGE_ARRAY:
	case OID_TSMULTIRANGE:
	case OID_TSMULTIRANGE_ARRAY:
	case OID_TSTZMULTIRANGE:
	case OID_TSTZMULTIRANGE_ARRAY:
	case OID_DATEMULTIRANGE:
	case OID_DATEMULTIRANGE_ARRAY: return (struct value_class) { CLASS_TIME, NULL };
	default: return plain;
	}
}

struct value_class
render_class(const struct relation_column *c)
{
	if (c->shape != NULL)
		return (struct value_class) { CLASS_PLAIN, c->shape };
	return class_of(c->base_oid);
}

/*
 * Bytes
 */

static void
add_base64(struct buf *b, const char *bytes, size_t len)
{
	base64_encode(bytes, len, buf_reserve(b, BASE64_LEN(len)));
	b->len += BASE64_LEN(len);
}

static void
add_hex(struct buf *b, const char *bytes, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	char *o = buf_reserve(b, 2 * len);

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)bytes[i];

		*o++ = digits[c >> 4];
		*o++ = digits[c & 15];
	}
	b->len += 2 * len;
}

static void
add_bytes(struct buf *b, const msgpack_object_bin *bin, struct renderer *to)
{
	if (to->policy->bytea_as_hex)
		add_hex(b, bin->ptr, bin->size);
	else
		add_base64(b, bin->ptr, bin->size);
}

/*
 * JSON
 */

/* NaN or an infinity, whose name is text, as the policy says. */
static enum render_result
add_odd(struct buf *b, enum odd_value policy, enum render_result reject, const char *text,
    size_t len)
{
	switch (policy) {
	case ODD_NULL: buf_adds(b, "null"); return RENDER_OK;
	case ODD_ISO:
	case ODD_STRING: quote_string(b, text, len); return RENDER_OK;
	case ODD_REJECT:
	default: return reject;
	}
}

static bool
is_text(const msgpack_object_str *s, const char *text)
{
	return s->size == strlen(text) && memcmp(s->ptr, text, s->size) == 0;
}

static enum render_result
add_numeric(struct buf *b, const msgpack_object_str *s, struct renderer *to)
{
	if (s->size > 2 && s->ptr[0] != '0' && (s->ptr[0] == 'N' || s->ptr[0] == 'I' ||
	                                           (s->ptr[0] == '-' && s->ptr[1] == 'I'))) {
		if (is_text(s, "NaN"))
			return add_odd(b, to->policy->nan, RENDER_NAN, s->ptr, s->size);
		if (is_text(s, "Infinity") || is_text(s, "-Infinity"))
			return add_odd(b, to->policy->infinity, RENDER_INFINITY, s->ptr, s->size);
	}
	/* What is no number can only come from a producer that knows better. */
	if (to->policy->numeric_as_string || !number_is_json(s->ptr, s->size))
		quote_string(b, s->ptr, s->size);
	else
		buf_add(b, s->ptr, s->size);
	return RENDER_OK;
}

/* A date or timestamp.  Nearly all of them have four digits and then a hyphen. */
static enum render_result
add_time(struct buf *b, const msgpack_object_str *s, struct renderer *to)
{
	bool bc = s->size > 3 && memcmp(s->ptr + s->size - 3, " BC", 3) == 0;
	bool far = s->size > 4 && s->ptr[4] >= '0' && s->ptr[4] <= '9' && s->ptr[0] >= '0' &&
	    s->ptr[0] <= '9';

	if (is_text(s, "infinity") || is_text(s, "-infinity"))
		return add_odd(b, to->policy->infinity, RENDER_INFINITY, s->ptr, s->size);
	if (bc || far) {
		if (to->policy->bc != ODD_ISO)
			return add_odd(b, to->policy->bc, RENDER_BC, s->ptr, s->size);
		/* What is no date stays as it is, and needs escapes perhaps. */
		to->repaired.len = 0;
		datetime_iso(&to->repaired, s->ptr, s->size);
		quote_string(b, to->repaired.data, to->repaired.len);
		return RENDER_OK;
	}
	quote_string(b, s->ptr, s->size);
	return RENDER_OK;
}

static enum render_result
add_str(struct buf *b, const msgpack_object_str *s, struct value_class class,
    struct renderer *to)
{
	switch (class.scalar) {
	case CLASS_NUMERIC: return add_numeric(b, s, to);
	case CLASS_TIME:
		if (s->size > 4 && s->ptr[4] == '-' && s->ptr[s->size - 1] != 'C')
			break;
		return add_time(b, s, to);
	case CLASS_BYTES:
	case CLASS_PLAIN: break;
	}
	quote_string(b, s->ptr, s->size);
	return RENDER_OK;
}

static const char *
odd_name(double v)
{
	if (isnan(v))
		return "NaN";
	return v > 0 ? "Infinity" : "-Infinity";
}

static enum render_result
add_double(struct buf *b, double v, struct renderer *to)
{
	const char *name;

	if (isfinite(v)) {
		b->len += number_double(buf_reserve(b, NUMBER_LEN), v, true);
		return RENDER_OK;
	}
	name = odd_name(v);
	if (isnan(v))
		return add_odd(b, to->policy->nan, RENDER_NAN, name, strlen(name));
	return add_odd(b, to->policy->infinity, RENDER_INFINITY, name, strlen(name));
}

enum render_result
render_document(struct buf *b, const char *s, size_t len, struct renderer *to)
{
	struct json_problem problem;

	if (json_clean(&to->json, b, s, len, to->policy->duplicate_keys, to->policy->empty_keys,
	        &problem) == 0)
		return RENDER_OK;
	to->why.len = 0;
	if (problem.name == NULL) {
		buf_printf(&to->why, "is JSON that cannot be read: %s at byte %zu", problem.what,
		    problem.offset);
		return RENDER_FAULT;
	}
	buf_printf(&to->why, "is JSON with %s: \"", problem.what);
	quote_escaped(&to->why, problem.name, utf8_prefix(problem.name, problem.name_len, 60));
	buf_printf(&to->why, "\" at byte %zu; \"%s\" in defaults has other policies",
	    problem.offset,
	    problem.name_len == 0 && to->policy->empty_keys == JSON_EMPTY_REJECT
	        ? "empty_keys"
	        : "duplicate_keys");
	return RENDER_FAULT;
}

static enum render_result
add_ext(struct buf *b, const msgpack_object_ext *ext, struct renderer *to)
{
	if (ext->type == FRAME_EXT_ABSENT)
		return RENDER_ABSENT;
	if (ext->type != FRAME_EXT_JSON || ext->size == 0)
		return RENDER_UNKNOWN;
	return render_document(b, ext->ptr, ext->size, to);
}

/* With U+FFFD in the place of each byte that is no part of a character. */
static void
add_repaired(struct buf *b, const char *s, size_t len)
{
	while (len > 0) {
		size_t n = utf8_char(s, len);

		if (n > 0)
			buf_add(b, s, n);
		else
			buf_add(b, "\xef\xbf\xbd", 3);
		n = n > 0 ? n : 1;
		s += n;
		len -= n;
	}
}

/* Text that is not UTF-8, as the policy says; or bytes. */
static enum render_result
add_bin(struct buf *b, const msgpack_object_bin *bin, struct value_class class,
    struct renderer *to)
{
	if (class.scalar != CLASS_BYTES) {
		if (to->policy->invalid_utf8 == INVALID_REJECT)
			return RENDER_UTF8;
		if (to->policy->invalid_utf8 == INVALID_REPLACE) {
			add_repaired(b, bin->ptr, bin->size);
			return RENDER_OK;
		}
	}
	add_bytes(b, bin, to);
	return RENDER_OK;
}

/* The same as a JSON string. */
static enum render_result
add_bin_string(struct buf *b, const msgpack_object_bin *bin, struct value_class class,
    struct renderer *to)
{
	enum render_result r;

	if (class.scalar == CLASS_BYTES || to->policy->invalid_utf8 == INVALID_BYTES) {
		buf_addc(b, '"');
		add_bytes(b, bin, to);
		buf_addc(b, '"');
		return RENDER_OK;
	}
	to->repaired.len = 0;
	r = add_bin(&to->repaired, bin, class, to);
	if (r == RENDER_OK)
		quote_string(b, to->repaired.data, to->repaired.len);
	return r;
}

static enum render_result
add_array(struct buf *b, const msgpack_object_array *a, struct value_class class,
    struct renderer *to)
{
	buf_addc(b, '[');
	for (uint32_t i = 0; i < a->size; i++) {
		enum render_result r;

		if (i > 0)
			buf_addc(b, ',');
		r = render_json(b, &a->ptr[i], class, to);
		if (r != RENDER_OK)
			return r;
	}
	buf_addc(b, ']');
	return RENDER_OK;
}

static bool
is_empty(const msgpack_object *key)
{
	return key->type == MSGPACK_OBJECT_STR && key->via.str.size == 0;
}

/*
 * hstore: keys are strings.  Others, from a foreign producer, become their text; not those
 * with keys of their own, whose escapes would be escaped at each level.
 */
static enum render_result
add_key(struct buf *b, const msgpack_object *key, struct renderer *to)
{
	struct buf text = { 0 };
	enum render_result r;

	if (is_empty(key) && to->policy->empty_keys == JSON_EMPTY_UNDERSCORE) {
		buf_adds(b, "\"_\"");
		return RENDER_OK;
	}
	if (key->type == MSGPACK_OBJECT_STR) {
		quote_string(b, key->via.str.ptr, key->via.str.size);
		return RENDER_OK;
	}
	if (key->type == MSGPACK_OBJECT_ARRAY || key->type == MSGPACK_OBJECT_MAP)
		return RENDER_UNKNOWN;
	r = render_text(&text, key, plain, to);
	if (r == RENDER_OK)
		quote_string(b, text.data, text.len);
	buf_free(&text);
	return r == RENDER_NULL ? RENDER_UNKNOWN : r;
}

static bool
is_field(const struct shape_field *f, const msgpack_object_str *name)
{
	return f->len == name->size && memcmp(f->name, name->ptr, f->len) == 0;
}

/*
 * The class of a map's member i.  That of a composite value has the shape's names in the shape's
 * order.  Other members that have a class are a range's bounds.
 */
static struct value_class
member_class(const msgpack_object_map *m, uint32_t i, struct value_class class)
{
	const msgpack_object *key = &m->ptr[i].key;

	if ((class.scalar == CLASS_PLAIN && class.shape == NULL) ||
	    key->type != MSGPACK_OBJECT_STR)
		return plain;
	if (class.shape != NULL && i < class.shape->fields &&
	    is_field(&class.shape->field[i], &key->via.str)) {
		const struct shape *s = class.shape->field[i].shape;

		return s->fields > 0 ? (struct value_class) { CLASS_PLAIN, s } : class_of(s->oid);
	}
	return is_text(&key->via.str, "lower") || is_text(&key->via.str, "upper") ? class : plain;
}

static enum render_result
add_map(struct buf *b, const msgpack_object_map *m, struct value_class class,
    struct renderer *to)
{
	bool first = true;

	buf_addc(b, '{');
	for (uint32_t i = 0; i < m->size; i++) {
		enum render_result r;

		/* hstore has empty keys, too. */
		if (is_empty(&m->ptr[i].key)) {
			if (to->policy->empty_keys == JSON_EMPTY_DROP)
				continue;
			if (to->policy->empty_keys == JSON_EMPTY_REJECT) {
				to->why.len = 0;
				buf_adds(&to->why, "has an empty key; \"empty_keys\" in defaults "
						   "has other policies");
				return RENDER_FAULT;
			}
		}
		if (!first)
			buf_addc(b, ',');
		first = false;
		r = add_key(b, &m->ptr[i].key, to);
		if (r != RENDER_OK)
			return r;
		buf_addc(b, ':');
		r = render_json(b, &m->ptr[i].val, member_class(m, i, class), to);
		if (r != RENDER_OK)
			return r;
	}
	buf_addc(b, '}');
	return RENDER_OK;
}

enum render_result
render_json(struct buf *b, const msgpack_object *o, struct value_class class,
    struct renderer *to)
{
	switch (o->type) {
	case MSGPACK_OBJECT_STR: return add_str(b, &o->via.str, class, to);
	case MSGPACK_OBJECT_POSITIVE_INTEGER:
		b->len += number_uint(buf_reserve(b, NUMBER_LEN), o->via.u64);
		return RENDER_OK;
	case MSGPACK_OBJECT_NEGATIVE_INTEGER:
		b->len += number_int(buf_reserve(b, NUMBER_LEN), o->via.i64);
		return RENDER_OK;
	case MSGPACK_OBJECT_NIL: buf_add(b, "null", 4); return RENDER_OK;
	case MSGPACK_OBJECT_BOOLEAN: buf_adds(b, o->via.boolean ? "true" : "false"); return RENDER_OK;
	case MSGPACK_OBJECT_FLOAT32:
	case MSGPACK_OBJECT_FLOAT64: return add_double(b, o->via.f64, to);
	case MSGPACK_OBJECT_BIN: return add_bin_string(b, &o->via.bin, class, to);
	case MSGPACK_OBJECT_ARRAY: return add_array(b, &o->via.array, class, to);
	case MSGPACK_OBJECT_MAP: return add_map(b, &o->via.map, class, to);
	case MSGPACK_OBJECT_EXT: return add_ext(b, &o->via.ext, to);
	default: return RENDER_UNKNOWN;
	}
}

/*
 * JSON as text.  NaN and infinities have their names there, as they have alone: ids are made of
 * it, and rows that differ in them alone must not have one id.
 */
static enum render_result
add_json_text(struct buf *b, const msgpack_object *o, struct value_class class,
    struct renderer *to)
{
	const struct value_policy *policy = to->policy;
	struct value_policy named = *policy;
	enum render_result r;

	named.nan = named.infinity = named.bc = ODD_STRING;
	to->policy = &named;
	r = render_json(b, o, class, to);
	to->policy = policy;
	return r;
}

enum render_result
render_text(struct buf *b, const msgpack_object *o, struct value_class class,
    struct renderer *to)
{
	switch (o->type) {
	case MSGPACK_OBJECT_NIL: return RENDER_NULL;
	case MSGPACK_OBJECT_STR: buf_add(b, o->via.str.ptr, o->via.str.size); return RENDER_OK;
	case MSGPACK_OBJECT_BIN: return add_bin(b, &o->via.bin, class, to);
	case MSGPACK_OBJECT_FLOAT32:
	case MSGPACK_OBJECT_FLOAT64:
		if (isfinite(o->via.f64))
			b->len += number_double(buf_reserve(b, NUMBER_LEN), o->via.f64, false);
		else
			buf_adds(b, odd_name(o->via.f64));
		return RENDER_OK;
	case MSGPACK_OBJECT_ARRAY:
	case MSGPACK_OBJECT_MAP: return add_json_text(b, o, class, to);
	case MSGPACK_OBJECT_POSITIVE_INTEGER:
	case MSGPACK_OBJECT_NEGATIVE_INTEGER:
	case MSGPACK_OBJECT_BOOLEAN:
	case MSGPACK_OBJECT_EXT:
	default: return render_json(b, o, class, to);
	}
}

void
renderer_free(struct renderer *to)
{
	json_scratch_free(&to->json);
	buf_free(&to->why);
	buf_free(&to->text);
	buf_free(&to->flat);
	buf_free(&to->object);
	buf_free(&to->repaired);
	buf_free(&to->names);
}
