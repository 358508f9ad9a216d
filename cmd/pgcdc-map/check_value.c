#include <string.h>

#include "check.h"
#include "rule.h"

/*
 * Forms that no value of a type can be given: what convert.c and filter.c make of the text
 * of every one of them is a reject.
 */

enum {
	CAN_NUMBER = 1,
	CAN_BOOL = 2,
	CAN_DATE = 4,
	CAN_JSON = 8,
	CAN_PLACE = 16,
	CAN_SHAPE = 32,
	CAN_SPLIT = 64,
	CAN_FORMAT = 128,
	CAN_ALL = 255,
};

#define NUMBERS (CAN_NUMBER | CAN_BOOL | CAN_JSON)

/* Types of PostgreSQL whose values have forms that are known; text can be anything. */
static unsigned
base_can(const char *type)
{
	static const struct {
		const char *type;
		unsigned can;
	} known[] = { { "bool", NUMBERS }, { "int2", NUMBERS | CAN_DATE },
		{ "int4", NUMBERS | CAN_DATE }, { "int8", NUMBERS | CAN_DATE },
		{ "oid", NUMBERS | CAN_DATE }, { "int2vector", NUMBERS | CAN_DATE },
		{ "oidvector", NUMBERS | CAN_DATE }, { "float4", NUMBERS | CAN_DATE | CAN_SPLIT },
		{ "float8", NUMBERS | CAN_DATE | CAN_SPLIT },
		{ "numeric", NUMBERS | CAN_DATE | CAN_SPLIT }, { "money", CAN_NUMBER | CAN_SPLIT },
		{ "bit", NUMBERS | CAN_SPLIT }, { "varbit", NUMBERS | CAN_SPLIT },
		{ "date", CAN_DATE | CAN_FORMAT | CAN_SPLIT },
		{ "timestamp", CAN_DATE | CAN_FORMAT | CAN_SPLIT },
		{ "timestamptz", CAN_DATE | CAN_FORMAT | CAN_SPLIT }, { "time", CAN_SPLIT },
		{ "timetz", CAN_SPLIT }, { "interval", CAN_SPLIT }, { "uuid", CAN_SPLIT },
		{ "inet", CAN_SPLIT }, { "cidr", CAN_SPLIT }, { "macaddr", CAN_SPLIT },
		{ "macaddr8", CAN_SPLIT }, { "pg_lsn", CAN_SPLIT }, { "json", NUMBERS },
		{ "jsonb", NUMBERS }, { "bytea", CAN_JSON | CAN_PLACE | CAN_SHAPE },
		{ "xml", CAN_SPLIT }, { "point", CAN_PLACE | CAN_SHAPE | CAN_SPLIT },
		{ "lseg", CAN_SHAPE | CAN_SPLIT }, { "path", CAN_SHAPE | CAN_SPLIT },
		{ "box", CAN_SHAPE | CAN_SPLIT }, { "polygon", CAN_SHAPE | CAN_SPLIT },
		{ "line", CAN_SPLIT }, { "circle", CAN_SPLIT } };

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(known[i].type, type) == 0)
			return known[i].can;
	return CAN_ALL;
}

static unsigned
type_can(const struct catalog_type *t)
{
	switch (t->kind) {
	case TYPE_DOMAIN: return type_can(t->of);
	/* Element by element; but a template has all of it. */
	case TYPE_ARRAY: return type_can(t->of) & ~(unsigned)CAN_FORMAT;
	case TYPE_MULTIRANGE: return type_can(t->of);
	case TYPE_RANGE:
		/* Its bounds are dates already. */
		return CAN_JSON | (type_can(t->of) & CAN_FORMAT ? CAN_DATE : 0);
	case TYPE_COMPOSITE:
	case TYPE_HSTORE: return CAN_JSON;
	case TYPE_ENUM: return CAN_ALL;
	case TYPE_BASE:
	default: return base_can(t->name);
	}
}

static void
check_type(const struct catalog_table *t, const struct column_name *name,
    const struct catalog_type *type, struct problems *p)
{
	static const struct {
		unsigned can;
		const char *word;
	} wants[] = { [CONVERT_NUMBER] = { CAN_NUMBER, "a number" },
		[CONVERT_BOOL] = { CAN_BOOL, "true or false" },
		[CONVERT_DATE] = { CAN_DATE, "a date" },
		[CONVERT_JSON] = { CAN_JSON, "JSON" },
		[CONVERT_GEO_POINT] = { CAN_PLACE, "a place" },
		[CONVERT_GEOJSON] = { CAN_SHAPE, "a shape" } };

	if (name->conversion < sizeof(wants) / sizeof(wants[0]) &&
	    wants[name->conversion].can & ~type_can(type))
		problem_error(p, name->at,
		    "table %s: column \"%s\", whose type is %s, has no value that is %s: rows with one "
		    "are rejected",
		    t->relation->name, name->column, type->name, wants[name->conversion].word);
	else if (name->conversion == CONVERT_SPLIT && !(type_can(type) & CAN_SPLIT))
		problem_warning(p, name->at,
		    "table %s: split of column \"%s\", whose type %s is no text",
		    t->relation->name, name->column, type->name);
}

/* flatten and join of what has no members or elements, and types. */
static void
check_conversion(const struct catalog_table *t, const struct column_name *name,
    const struct catalog_type *type, struct problems *p)
{
	const struct catalog_type *base = type;
	bool good = true;

	while (base->kind == TYPE_DOMAIN)
		base = base->of;
	if (name->conversion == CONVERT_FLATTEN)
		good = base->kind == TYPE_COMPOSITE || base->kind == TYPE_HSTORE ||
		    base->kind == TYPE_RANGE || strcmp(base->name, "json") == 0 ||
		    strcmp(base->name, "jsonb") == 0;
	else if (name->conversion == CONVERT_JOIN)
		good = base->kind == TYPE_ARRAY;
	if (!good)
		problem_warning(p, name->at, "table %s: %s of column \"%s\", whose type %s has no %s",
		    t->relation->name, name->conversion == CONVERT_JOIN ? "join" : "flatten",
		    name->column, type->name,
		    name->conversion == CONVERT_JOIN ? "elements" : "members");
	check_type(t, name, type, p);
}

/*
 * Formats of dates
 */

static void
check_text(const struct catalog_table *t, const struct plan_text *text, struct mark at,
    struct problems *p)
{
	for (size_t i = 0; i < text->pieces; i++) {
		const struct plan_piece *piece = &text->piece[i];
		const struct catalog_type *type;

		if (piece->kind != PIECE_COLUMN)
			continue;
		type = t->column[piece->column].type;
		for (size_t k = 0; k < piece->filters; k++)
			if (piece->filter[k].kind == FILTER_FORMAT && !(type_can(type) & CAN_FORMAT))
				problem_error(p, at,
				    "table %s: a format is for dates, and column \"%s\", whose type is %s, "
				    "has none: rows with a value are rejected",
				    t->relation->name, t->relation->column[piece->column].name,
				    type->name);
	}
}

static void
check_document(const struct catalog_table *t, const struct plan_document *doc,
    const struct given *given, struct problems *p)
{
	for (size_t i = 0; i < doc->fields; i++)
		for (size_t k = 0; k < doc->field[i].slots; k++)
			for (size_t g = 0; g < given->children; g++)
				if (doc->field[i].slot[k].kind == SLOT_TEXT &&
				    strcmp(given->child[g].name, doc->field[i].name) == 0)
					check_text(t, &doc->field[i].slot[k].text,
					    given->child[g].at, p);
}

void
check_values(const struct catalog_table *t, const struct plan *plan, struct problems *p)
{
	const struct rule *rule = plan->rule;

	for (size_t i = 0; i < rule->convert.n; i++) {
		const struct column_name *name = &rule->convert.list[i];
		int64_t column = relation_column(t->relation, name->column);

		if (column >= 0)
			check_conversion(t, name, t->column[column].type, p);
	}
	check_text(t, &plan->index, rule->index.at, p);
	check_text(t, &plan->id, rule->id.at, p);
	check_text(t, &plan->routing, rule->routing.at, p);
	check_text(t, &plan->pipeline, rule->pipeline.at, p);
	check_document(t, &plan->document, &rule->set, p);
	check_document(t, &plan->params, &rule->script.params, p);
	check_document(t, &plan->upsert, &rule->script.upsert, p);
}
