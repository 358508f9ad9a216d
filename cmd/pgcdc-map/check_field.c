#include <string.h>

#include "check.h"
#include "field_type.h"

/*
 * The fields of documents: names that search servers refuse, or that meet one another.
 */

struct field_check {
	const struct catalog_table *table;
	const struct relation *relation;
	const struct plan *plan;
	const struct rule *rule;
	struct problems *problems;
};

/* With dots a name is a path, whose parts must have something to them. */
static bool
has_bad_part(const char *name)
{
	bool path = strchr(name, '.') != NULL;

	for (;; name++) {
		size_t len = strcspn(name, ".");

		if (len == 0 || (path && strspn(name, " \t\n\v\f\r") >= len))
			return true;
		name += len;
		if (*name == '\0')
			return false;
	}
}

static void
check_name(const struct field_check *c, const char *name)
{
	/* As documents of Elasticsearch 7 to 9 and OpenSearch 1 to 3 must not have them. */
	static const char *const taken[] = { "_id", "_index", "_source", "_type", "_routing",
		"_version", "_seq_no", "_primary_term", "_field_names", "_ignored", "_nested_path",
		"_doc_count", "_feature", "_data_stream_timestamp" };

	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		if (strcmp(name, taken[i]) == 0) {
			problem_error(c->problems, c->rule->at,
			    "table %s: search servers refuse a field \"%s\", which is a name of their "
			    "own; fields: { rename: { %s: another } }",
			    c->relation->name, name, name);
			return;
		}
	if (has_bad_part(name))
		problem_error(c->problems, c->rule->at,
		    "table %s: search servers refuse a field \"%s\": with dots it is a path, whose "
		    "parts are neither empty nor blank; give it another name by \"rename\"",
		    c->relation->name, name);
	else if (strchr(name, '.') != NULL)
		problem_warning(c->problems, c->rule->at,
		    "table %s: field \"%s\" is a path to search servers: \"%.*s\" becomes an object",
		    c->relation->name, name, (int)strcspn(name, "."), name);
	else if (name[0] == '_')
		problem_warning(c->problems, c->rule->at,
		    "table %s: field \"%s\" begins as search servers' own names do",
		    c->relation->name, name);
}

/* "a" and "a.b": the first one must be an object. */
static void
check_paths(const struct field_check *c, const struct plan_field *f)
{
	for (size_t i = 0; i < c->plan->document.fields; i++) {
		const struct plan_field *around = &c->plan->document.field[i];
		size_t len = strlen(around->name);
		struct field_type type = { 0 };

		if (len == 0 || strncmp(f->name, around->name, len) != 0 || f->name[len] != '.')
			continue;
		field_type_of(c->plan, c->table, around, &type);
		if (type.kind != FIELD_OBJECT && type.kind != FIELD_OPAQUE &&
		    type.kind != FIELD_DYNAMIC)
			problem_error(c->problems, c->rule->at,
			    "table %s: field \"%s\" would be in field \"%s\", which is no object; "
			    "give it another name by \"rename\"",
			    c->relation->name, f->name, around->name);
		for (size_t k = 0; k < type.members; k++)
			if (strcmp(type.member[k].name, f->name + len + 1) == 0)
				problem_error(c->problems, c->rule->at,
				    "table %s: field \"%s\" would be twice in a document: field \"%s\" "
				    "has a member of that name; give it another name",
				    c->relation->name, f->name, around->name);
		field_type_free(&type);
	}
}

/*
 * The members of flattened composite values
 */

/* NULL: it is not flattened, or its members are not known. */
static const struct catalog_type *
flattened(const struct field_check *c, const struct plan_field *f)
{
	const struct plan_slot *slot = &f->slot[0];
	const struct catalog_type *t;

	if (slot->convert == NULL || slot->convert->conversion != CONVERT_FLATTEN)
		return NULL;
	t = c->table->column[slot->column].type;
	while (t->kind == TYPE_DOMAIN)
		t = t->of;
	return t->kind == TYPE_COMPOSITE ? t : NULL;
}

/* Is there such a field before end, or such a member of another column? */
static bool
is_field(const struct field_check *c, const char *name, const struct plan_field *self)
{
	const struct plan_document *doc = &c->plan->document;

	for (const struct plan_field *f = doc->field; f < doc->field + doc->fields; f++) {
		const struct catalog_type *t = flattened(c, f);
		size_t prefix = t != NULL ? strlen(f->slot[0].convert->text) : 0;

		/* The mapper looks at all other names, of flattened columns too. */
		if (f != self && strcmp(f->name, name) == 0)
			return true;
		if (f >= self || t == NULL || strncmp(name, f->slot[0].convert->text, prefix) != 0)
			continue;
		for (size_t k = 0; k < t->fields; k++)
			if (strcmp(t->field[k].name, name + prefix) == 0)
				return true;
	}
	return false;
}

static void
check_members(const struct field_check *c, const struct plan_field *f)
{
	const struct catalog_type *t = flattened(c, f);
	const struct column_name *convert = f->slot[0].convert;
	struct buf name = { 0 };

	for (size_t i = 0; t != NULL && i < t->fields; i++) {
		name.len = 0;
		buf_printf(&name, "%s%s", convert->text, t->field[i].name);
		check_name(c, buf_cstr(&name));
		if (is_field(c, buf_cstr(&name), f))
			problem_error(c->problems, convert->at,
			    "table %s: flatten of column \"%s\" has a member \"%s\", and there is such a "
			    "field: no document can have both; give the members another prefix",
			    c->relation->name, convert->column, buf_cstr(&name));
	}
	buf_free(&name);
}

/* JSON's objects can have what documents cannot. */
static void
check_json(const struct field_check *c, const struct plan_field *f)
{
	static const char *const twice[] = { [JSON_DUPLICATES_KEEP] = "stay, which servers can refuse",
		[JSON_DUPLICATES_LAST] = "have their last value",
		[JSON_DUPLICATES_REJECT] = "make the row a reject" };
	static const char *const empty[] = { [JSON_EMPTY_KEEP] = "stay, which servers can refuse",
		[JSON_EMPTY_DROP] = "are left out", [JSON_EMPTY_UNDERSCORE] = "become \"_\"",
		[JSON_EMPTY_REJECT] = "make the row a reject" };
	const struct plan_slot *slot = &f->slot[0];
	const struct catalog_type *t;

	if (slot->kind != SLOT_NEW || f->slots != 1)
		return;
	t = c->table->column[slot->column].type;
	while (t->kind == TYPE_DOMAIN || t->kind == TYPE_ARRAY)
		t = t->of;
	if (strcmp(t->name, "json") == 0)
		problem_note(c->problems, c->rule->at,
		    "table %s: in \"%s\", keys that an object has twice %s, by \"duplicate_keys\", empty "
		    "ones %s, by \"empty_keys\", and line breaks between values are left out",
		    c->relation->name, f->name, twice[c->plan->policy->duplicate_keys],
		    empty[c->plan->policy->empty_keys]);
	else if (strcmp(t->name, "jsonb") == 0)
		problem_note(c->problems, c->rule->at,
		    "table %s: in \"%s\", empty keys of objects %s, by \"empty_keys\"",
		    c->relation->name, f->name, empty[c->plan->policy->empty_keys]);
}

void
check_fields(const struct catalog_table *t, const struct plan *plan, struct problems *p)
{
	const struct field_check all = { .table = t,
		.relation = t->relation,
		.plan = plan,
		.rule = plan->rule,
		.problems = p };
	const struct field_check *c = &all;
	bool creates = c->rule->on[CHANGE_INSERT] == DO_CREATE, timestamp = false;

	for (size_t i = 0; i < c->plan->document.fields; i++) {
		const struct plan_field *f = &c->plan->document.field[i];
		const struct column_name *convert = f->slot[0].convert;

		timestamp |= strcmp(f->name, "@timestamp") == 0;
		check_json(c, f);
		if (convert != NULL && convert->conversion == CONVERT_FLATTEN) {
			check_members(c, f);
			continue;
		}
		check_name(c, f->name);
		check_paths(c, f);
	}
	if (creates && !timestamp)
		problem_note(c->problems, c->rule->at,
		    "table %s: no field is called \"@timestamp\", which documents of a data stream "
		    "must have",
		    c->relation->name);
}
