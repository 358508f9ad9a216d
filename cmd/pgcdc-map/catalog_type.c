#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "catalog_query.h"
#include "type_query.h"

/* Types within types; a composite type cannot hold itself but by an array. */
#define MAX_DEPTH 32

/* PostgreSQL's own types are known by their OIDs (FirstNormalObjectId in access/transam.h). */
#define FIRST_OWN_OID 16384

static struct catalog_type *
find_or_add(struct catalog *c, uint32_t oid)
{
	struct catalog_type *t = oidmap_get(&c->types, oid);

	if (t != NULL)
		return t;
	t = xcalloc(1, sizeof(*t));
	*t = (struct catalog_type) { .oid = oid, .typmod = -1 };
	oidmap_put(&c->types, oid, t);
	c->unknown++;
	return t;
}

const struct catalog_type *
catalog_type(struct catalog *c, uint32_t oid)
{
	return find_or_add(c, oid);
}

static const char query[] = TYPE_QUERY " = ANY ($1::oid[])" TYPE_QUERY_ORDER;

static enum catalog_kind
kind_of(char letter)
{
	switch (letter) {
	case 'a': return TYPE_ARRAY;
	case 'c': return TYPE_COMPOSITE;
	case 'd': return TYPE_DOMAIN;
	case 'e': return TYPE_ENUM;
	case 'h': return TYPE_HSTORE;
	case 'm': return TYPE_MULTIRANGE;
	case 'r': return TYPE_RANGE;
	default: return TYPE_BASE;
	}
}

static int32_t
typmod_at(const PGresult *res, int row, int column)
{
	return (int32_t)strtol(pq.getvalue(res, row, column), NULL, 10);
}

/* Take the definition that begins in this row; returns the row behind it. */
static int
define(struct catalog *c, const PGresult *res, int row)
{
	uint32_t oid = catalog_oid(res, row, TYPE_QUERY_OID);
	struct catalog_type *t = find_or_add(c, oid);
	char *schema = catalog_text(res, row, TYPE_QUERY_SCHEMA), *own = catalog_text(res, row, TYPE_QUERY_NAME);
	struct buf name = { 0 };

	if (strcmp(schema, "pg_catalog") != 0)
		buf_printf(&name, "%s.", schema);
	buf_adds(&name, own);
	free(schema);
	free(own);
	free(t->name);
	t->name = buf_cstr(&name);
	t->kind = kind_of(*pq.getvalue(res, row, TYPE_QUERY_KIND));
	t->typmod = typmod_at(res, row, TYPE_QUERY_TYPMOD);
	if (!pq.getisnull(res, row, TYPE_QUERY_OF))
		t->of = find_or_add(c, catalog_oid(res, row, TYPE_QUERY_OF));
	else if (t->kind != TYPE_COMPOSITE && t->kind != TYPE_ENUM && t->kind != TYPE_HSTORE)
		t->kind = TYPE_BASE;
	for (; row < pq.ntuples(res) && catalog_oid(res, row, TYPE_QUERY_OID) == oid; row++) {
		if (pq.getisnull(res, row, TYPE_QUERY_FIELD))
			continue;
		t->field = xrealloc(t->field, (t->fields + 1) * sizeof(*t->field));
		t->field[t->fields++] =
		    (struct catalog_field) { .name = catalog_text(res, row, TYPE_QUERY_FIELD),
			    .type = find_or_add(c, catalog_oid(res, row, TYPE_QUERY_FIELD_TYPE)),
			    .typmod = typmod_at(res, row, TYPE_QUERY_FIELD_TYPMOD) };
	}
	return row;
}

/* The OIDs of those that are unknown, {1,2}; which are known from now on, as far as they are. */
static char *
take_unknown(struct catalog *c, struct buf *list)
{
	buf_addc(list, '{');
	for (size_t i = 0; i < c->types.cap; i++) {
		struct catalog_type *t = c->types.entry[i].thing;

		if (t == NULL || t->name != NULL)
			continue;
		buf_printf(list, "%s%u", list->len > 1 ? "," : "", t->oid);
		t->name = xstrdup("unknown");
	}
	buf_addc(list, '}');
	c->unknown = 0;
	return buf_cstr(list);
}

enum catalog_status
catalog_types_read(struct catalog *c)
{
	enum catalog_status status = CATALOG_OK;

	while (status == CATALOG_OK && c->unknown > 0) {
		struct buf list = { 0 };
		const char *values[] = { take_unknown(c, &list) };
		PGresult *res;

		status = catalog_query(c, query, "cannot look up types", 1, values, &res);
		for (int row = 0; res != NULL && row < pq.ntuples(res);)
			row = define(c, res, row);
		pq.clear(res);
		buf_free(&list);
	}
	return status;
}

/*
 * Bases
 */

static struct shape *
shape_of(const struct catalog_type *t, unsigned depth)
{
	struct shape *s = xcalloc(1, sizeof(*s));

	while (t->of != NULL && t->oid >= FIRST_OWN_OID)
		t = t->of;
	if (t->kind != TYPE_COMPOSITE) {
		s->oid = t->oid;
		return s;
	}
	if (depth == MAX_DEPTH)
		return s;
	s->field = xcalloc(t->fields, sizeof(*s->field));
	for (; s->fields < t->fields; s->fields++) {
		struct shape_field *f = &s->field[s->fields];

		f->name = xstrdup(t->field[s->fields].name);
		f->len = strlen(f->name);
		f->shape = shape_of(t->field[s->fields].type, depth + 1);
	}
	return s;
}

void
catalog_type_base(const struct catalog_type *t, struct relation_column *column)
{
	column->type_oid = column->base_oid = t->oid;
	while (t->of != NULL && t->oid >= FIRST_OWN_OID)
		t = t->of;
	if (t->kind == TYPE_COMPOSITE)
		column->shape = shape_of(t, 0);
	else
		column->base_oid = t->oid;
}

void
catalog_types_free(struct catalog *c)
{
	for (size_t i = 0; i < c->types.cap; i++) {
		struct catalog_type *t = c->types.entry[i].thing;

		if (t == NULL)
			continue;
		for (size_t k = 0; k < t->fields; k++)
			free(t->field[k].name);
		free(t->field);
		free(t->name);
		free(t);
	}
	oidmap_free(&c->types);
}
