#include <stdlib.h>
#include <string.h>

#include "field_type.h"
#include "json.h"
#include "render.h"

/* As in pg_type.dat; they never change. */
enum {
	OID_BOOL = 16,
	OID_BYTEA = 17,
	OID_CHAR = 18,
	OID_NAME = 19,
	OID_INT8 = 20,
	OID_INT2 = 21,
	OID_INT2VECTOR = 22,
	OID_INT4 = 23,
	OID_TEXT = 25,
	OID_OID = 26,
	OID_OIDVECTOR = 30,
	OID_JSON = 114,
	OID_FLOAT4 = 700,
	OID_FLOAT8 = 701,
	OID_BPCHAR = 1042,
	OID_VARCHAR = 1043,
	OID_DATE = 1082,
	OID_TIMESTAMP = 1114,
	OID_TIMESTAMPTZ = 1184,
	OID_NUMERIC = 1700,
	OID_JSONB = 3802,
};

/* Composite types in one another; deeper ones are kept as they are. */
#define MAX_DEPTH 10

static struct field_type *
add_member(struct field_type *object, const char *name)
{
	object->kind = FIELD_OBJECT;
	object->member =
	    xrealloc(object->member, (object->members + 1) * sizeof(*object->member));
	object->member[object->members] = (struct field_type) { .name = xstrdup(name) };
	return &object->member[object->members++];
}

/*
 * Types
 */

/* numeric(p, s): a long holds 18 digits whatever they are. */
static enum field_kind
numeric_kind(int32_t typmod, const struct value_policy *policy)
{
	int32_t precision, scale;

	/* A string among numbers is refused, "NaN" too. */
	if (policy->numeric_as_string || policy->nan == ODD_STRING ||
	    policy->infinity == ODD_STRING)
		return FIELD_KEYWORD;
	if (typmod < 4)
		return FIELD_NUMBER;
	/* As numeric.c has it in numeric_typmod_precision and numeric_typmod_scale. */
	precision = (typmod - 4) >> 16 & 0xffff;
	scale = (((typmod - 4) & 0x7ff) ^ 1024) - 1024;
	if (scale <= 0 && precision - scale <= 18)
		return FIELD_LONG;
	return precision - scale <= 300 ? FIELD_DOUBLE : FIELD_NUMBER;
}

static enum field_kind
base_kind(const struct catalog_type *t, int32_t typmod, const struct value_policy *policy)
{
	switch (t->oid) {
	case OID_BOOL: return FIELD_BOOLEAN;
	case OID_BYTEA: return policy->bytea_as_hex ? FIELD_KEYWORD : FIELD_BINARY;
	case OID_INT2:
	case OID_INT2VECTOR: return FIELD_SHORT;
	case OID_INT4: return FIELD_INTEGER;
	case OID_INT8:
	case OID_OID:
	case OID_OIDVECTOR: return FIELD_LONG;
	case OID_CHAR:
	case OID_NAME:
	case OID_TEXT:
	case OID_BPCHAR:
	case OID_VARCHAR: return FIELD_TEXT;
	case OID_JSON:
	case OID_JSONB: return FIELD_OPAQUE;
	case OID_FLOAT4:
	case OID_FLOAT8:
		return policy->nan == ODD_STRING || policy->infinity == ODD_STRING
		    ? FIELD_KEYWORD
		    : FIELD_DOUBLE;
	case OID_DATE:
	case OID_TIMESTAMP:
	case OID_TIMESTAMPTZ:
		return policy->bc == ODD_STRING || policy->infinity == ODD_STRING
		    ? FIELD_KEYWORD
		    : FIELD_DATE;
	case OID_NUMERIC: return numeric_kind(typmod, policy);
	default: break;
	}
	/* Of an extension, so its OID may be any. */
	if (strlen(t->name) >= 7 && strcmp(t->name + strlen(t->name) - 7, ".citext") == 0)
		return FIELD_TEXT;
	return FIELD_KEYWORD;
}

static void of_type(const struct catalog_type *, int32_t typmod, const struct value_policy *,
    unsigned depth, struct field_type *);

static void
of_range(const struct catalog_type *t, const struct value_policy *policy, unsigned depth,
    struct field_type *out)
{
	of_type(t->of, -1, policy, depth + 1, add_member(out, "lower"));
	of_type(t->of, -1, policy, depth + 1, add_member(out, "upper"));
	add_member(out, "bounds")->kind = FIELD_KEYWORD;
	add_member(out, "empty")->kind = FIELD_BOOLEAN;
}

/* A name with a dot is a path to the servers, and would have to be a good one. */
static bool
has_plain_names(const struct catalog_type *t)
{
	for (size_t i = 0; i < t->fields; i++)
		if (strchr(t->field[i].name, '.') != NULL)
			return false;
	return t->fields > 0;
}

static void
of_type(const struct catalog_type *t, int32_t typmod, const struct value_policy *policy,
    unsigned depth, struct field_type *out)
{
	switch (depth > MAX_DEPTH ? TYPE_HSTORE : t->kind) {
	case TYPE_ARRAY:
		of_type(t->of, typmod, policy, depth + 1, out);
		break;
	case TYPE_DOMAIN:
		of_type(t->of, t->typmod >= 0 ? t->typmod : typmod, policy, depth + 1, out);
		break;
	case TYPE_RANGE: of_range(t, policy, depth, out); break;
	case TYPE_MULTIRANGE: of_range(t->of, policy, depth, out); break;
	case TYPE_COMPOSITE:
		out->kind = FIELD_OPAQUE;
		for (size_t i = 0; has_plain_names(t) && i < t->fields; i++)
			of_type(t->field[i].type, t->field[i].typmod, policy, depth + 1,
			    add_member(out, t->field[i].name));
		break;
	case TYPE_ENUM: out->kind = FIELD_KEYWORD; break;
	case TYPE_HSTORE: out->kind = FIELD_OPAQUE; break;
	case TYPE_BASE: out->kind = base_kind(t, typmod, policy); break;
	}
}

/* Is it a number, date... whose own type is as good as any? */
static bool
is_number(enum field_kind kind)
{
	return kind >= FIELD_SHORT && kind <= FIELD_NUMBER;
}

/*
 * Fields
 */

static void
free_members(struct field_type *t)
{
	for (size_t i = 0; i < t->members; i++)
		field_type_free(&t->member[i]);
	free(t->member);
	t->member = NULL;
	t->members = 0;
}

static void
of_column(const struct plan *plan, const struct catalog_table *table,
    const struct plan_slot *slot, struct field_type *out)
{
	struct value_policy policy = *plan->policy;
	const struct catalog_column *c;

	if (slot->column == PLAN_NO_COLUMN)
		return;
	c = &table->column[slot->column];
	/* A number is what types asks for, whatever the policy. */
	if (slot->convert != NULL && slot->convert->conversion == CONVERT_NUMBER)
		policy.numeric_as_string = false;
	of_type(c->type, c->typmod, &policy, 0, out);
	if (slot->convert == NULL || slot->convert->conversion == CONVERT_NONE)
		return;
	switch (slot->convert->conversion) {
	case CONVERT_NUMBER:
		if (is_number(out->kind) || slot->class.scalar == CLASS_NUMERIC)
			return;
		break;
	case CONVERT_DATE:
		if (slot->class.scalar == CLASS_TIME)
			return;
		break;
	default: break;
	}
	free_members(out);
	switch (slot->convert->conversion) {
	case CONVERT_NUMBER: out->kind = FIELD_NUMBER; break;
	case CONVERT_BOOL: out->kind = FIELD_BOOLEAN; break;
	case CONVERT_DATE: out->kind = FIELD_DATE; break;
	case CONVERT_JSON: out->kind = FIELD_OPAQUE; break;
	case CONVERT_GEO_POINT: out->kind = FIELD_GEO_POINT; break;
	case CONVERT_GEOJSON: out->kind = FIELD_GEO_SHAPE; break;
	case CONVERT_STRING:
	case CONVERT_SPLIT:
	case CONVERT_JOIN: out->kind = FIELD_TEXT; break;
	case CONVERT_NONE:
	case CONVERT_FLATTEN: out->kind = FIELD_DYNAMIC; break;
	}
}

static void
of_constant(const char *json, size_t len, struct field_type *out)
{
	switch (json_kind(json, len)) {
	case JSON_STRING: out->kind = FIELD_TEXT; break;
	case JSON_TRUE:
	case JSON_FALSE: out->kind = FIELD_BOOLEAN; break;
	case JSON_NUMBER:
		out->kind = FIELD_NUMBER;
		/* 2 today may be 2.5 tomorrow, but not where other rules give it otherwise. */
		if (len <= 18 && memchr(json, '.', len) == NULL && memchr(json, 'e', len) == NULL &&
		    memchr(json, 'E', len) == NULL)
			out->kind = FIELD_LONG;
		break;
	case JSON_ARRAY:
	case JSON_OBJECT:
	case JSON_NULL:
	default: break;
	}
}

void
field_type_of(const struct plan *plan, const struct catalog_table *table,
    const struct plan_field *f, struct field_type *out)
{
	const struct plan_slot *slot = &f->slot[0];

	/* What stands in an object or a list has more slots than one, or more text before it. */
	if (f->slots != 1 || (slot->kind != SLOT_CONSTANT && slot->before_len != f->head_len))
		return;
	switch (slot->kind) {
	case SLOT_NEW:
	case SLOT_OLD: of_column(plan, table, slot, out); break;
	case SLOT_TEXT: out->kind = FIELD_TEXT; break;
	case SLOT_CONSTANT:
		of_constant(slot->before + f->head_len, slot->before_len - f->head_len, out);
		break;
	}
}

/* The members of a composite value are known; those of JSON and hstore nobody knows. */
static void
add_flattened(const struct plan *plan, const struct catalog_table *table,
    const struct plan_slot *slot, struct field_type *object)
{
	const struct catalog_column *c = &table->column[slot->column];
	const struct catalog_type *t = c->type;
	struct buf name = { 0 };

	while (t->kind == TYPE_DOMAIN)
		t = t->of;
	if (t->kind != TYPE_COMPOSITE)
		return;
	for (size_t i = 0; i < t->fields; i++) {
		name.len = 0;
		buf_printf(&name, "%s%s", slot->convert->text, t->field[i].name);
		of_type(t->field[i].type, t->field[i].typmod, plan->policy, 0,
		    add_member(object, buf_cstr(&name)));
	}
	buf_free(&name);
}

void
field_type_document(const struct plan *plan, const struct catalog_table *table,
    const struct plan_document *doc, struct field_type *object)
{
	object->kind = FIELD_OBJECT;
	for (size_t i = 0; i < doc->fields; i++) {
		const struct plan_field *f = &doc->field[i];

		if (f->slot[0].convert != NULL &&
		    f->slot[0].convert->conversion == CONVERT_FLATTEN) {
			add_flattened(plan, table, &f->slot[0], object);
			continue;
		}
		field_type_of(plan, table, f, add_member(object, f->name));
	}
}

void
field_type_free(struct field_type *t)
{
	free_members(t);
	free(t->name);
	*t = (struct field_type) { 0 };
}
