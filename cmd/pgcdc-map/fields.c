#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "number.h"
#include "render.h"
#include "rule.h"

/* A table has at most 1600 columns (PostgreSQL's MaxHeapAttributeNumber), but a pattern can
 * take many tables. */
#define MAX_NAMES 10000
/* Values in values, as search servers limit them, too. */
#define MAX_DEPTH 20

/*
 * Columns' names
 */

static struct column_name *
add_name(struct column_names *names, const char *column, const char *text, struct mark at)
{
	struct column_name *new;

	names->list = xrealloc(names->list, (names->n + 1) * sizeof(*names->list));
	new = &names->list[names->n++];
	*new = (struct column_name) { .column = xstrdup(column), .at = at };
	if (text != NULL)
		new->text = xstrdup(text);
	return new;
}

const struct column_name *
fields_find(const struct column_names *names, const char *column)
{
	for (size_t i = 0; i < names->n; i++)
		if (strcmp(names->list[i].column, column) == 0)
			return &names->list[i];
	return NULL;
}

bool
fields_has_column(const struct column_names *names, const char *column)
{
	return fields_find(names, column) != NULL;
}

void
fields_free_names(struct column_names *names)
{
	for (size_t i = 0; i < names->n; i++) {
		free(names->list[i].column);
		free(names->list[i].text);
	}
	free(names->list);
}

static void
load_each(struct doc *d, const yaml_node_t *n, const char *what,
    void (*add)(struct doc *, const yaml_node_t *, const char *what, const char *column,
        struct column_names *),
    struct column_names *names)
{
	const yaml_node_t *item;

	if (!doc_is_list(d, n, what))
		return;
	for (size_t i = 0; (item = doc_item(d, n, i)) != NULL; i++) {
		const char *column = doc_text(d, item, "a column's name");

		if (column == NULL)
			continue;
		if (names->n == MAX_NAMES) {
			problem_error(d->problems, doc_mark(item), "%s has more than %d columns",
			    what, MAX_NAMES);
			return;
		}
		add(d, item, what, column, names);
	}
}

static void
add_listed(struct doc *d, const yaml_node_t *item, const char *what, const char *column,
    struct column_names *names)
{
	if (fields_has_column(names, column))
		problem_error(
		    d->problems, doc_mark(item), "%s names \"%s\" twice", what, column);
	else
		add_name(names, column, NULL, doc_mark(item));
}

void
fields_load_list(
    struct doc *d, const yaml_node_t *n, const char *what, struct column_names *names)
{
	load_each(d, n, what, add_listed, names);
}

static void
load_include(struct doc *d, const yaml_node_t *n, void *target)
{
	struct rule *rule = target;

	rule->has_include = true;
	fields_load_list(d, n, "include", &rule->include);
}

static void
load_exclude(struct doc *d, const yaml_node_t *n, void *target)
{
	fields_load_list(d, n, "exclude", &((struct rule *)target)->exclude);
}

static void
load_pair(struct doc *d, const yaml_node_t *key, const yaml_node_t *value, void *target)
{
	struct column_names *names = target;
	const char *field = doc_text(d, value, "a field's name");

	if (field == NULL)
		return;
	for (size_t i = 0; i < names->n; i++)
		if (strcmp(names->list[i].text, field) == 0)
			problem_error(d->problems, doc_mark(value),
			    "field \"%s\" already comes from column \"%s\"", field,
			    names->list[i].column);
	add_name(names, (const char *)key->data.scalar.value, field, doc_mark(key));
}

static void
load_rename(struct doc *d, const yaml_node_t *n, void *target)
{
	doc_names(d, n, "rename", load_pair, &((struct rule *)target)->rename);
}

static void
load_old(struct doc *d, const yaml_node_t *n, void *target)
{
	doc_names(d, n, "old", load_pair, &((struct rule *)target)->old);
}

/*
 * Columns in another form: types, split, join and flatten are told apart by conversion
 */

static void
add_conversion(struct doc *d, struct mark at, const char *column, enum conversion conversion,
    const char *text, struct column_names *names)
{
	static const char *const keys[] = { [CONVERT_SPLIT] = "split", [CONVERT_JOIN] = "join",
		[CONVERT_FLATTEN] = "flatten" };
	const struct column_name *other = fields_find(names, column);
	const char *key = conversion < CONVERT_SPLIT ? "types" : keys[conversion];

	if (other != NULL) {
		problem_error(d->problems, at,
		    "column \"%s\" is in %s, and already has another form at line %u", column,
		    key, other->at.line);
		return;
	}
	add_name(names, column, text, at)->conversion = conversion;
}

static void
load_type(struct doc *d, const yaml_node_t *key, const yaml_node_t *value, void *target)
{
	/* In the order of enum conversion, from CONVERT_NUMBER. */
	static const char *const words[] = { "number", "string", "bool", "date", "json",
		"geo_point", "geojson", NULL };
	int i = doc_word(d, value, "a type", words);

	if (i >= 0)
		add_conversion(d, doc_mark(key), (const char *)key->data.scalar.value,
		    (enum conversion)(CONVERT_NUMBER + i), NULL, target);
}

static void
load_types(struct doc *d, const yaml_node_t *n, void *target)
{
	doc_names(d, n, "types", load_type, &((struct rule *)target)->convert);
}

static void
load_separator(struct doc *d, const yaml_node_t *key, const yaml_node_t *value,
    enum conversion conversion, void *target)
{
	const char *text = doc_text(d, value, "a separator");

	if (text != NULL)
		add_conversion(d, doc_mark(key), (const char *)key->data.scalar.value, conversion,
		    text, target);
}

static void
load_split_pair(struct doc *d, const yaml_node_t *key, const yaml_node_t *value, void *target)
{
	load_separator(d, key, value, CONVERT_SPLIT, target);
}

static void
load_join_pair(struct doc *d, const yaml_node_t *key, const yaml_node_t *value, void *target)
{
	load_separator(d, key, value, CONVERT_JOIN, target);
}

static void
load_split(struct doc *d, const yaml_node_t *n, void *target)
{
	doc_names(d, n, "split", load_split_pair, &((struct rule *)target)->convert);
}

static void
load_join(struct doc *d, const yaml_node_t *n, void *target)
{
	doc_names(d, n, "join", load_join_pair, &((struct rule *)target)->convert);
}

static void
add_flat(struct doc *d, const yaml_node_t *item, const char *what, const char *column,
    struct column_names *names)
{
	(void)what;
	add_conversion(d, doc_mark(item), column, CONVERT_FLATTEN, "", names);
}

static void
load_prefix(struct doc *d, const yaml_node_t *key, const yaml_node_t *value, void *target)
{
	const char *prefix = doc_text(d, value, "a prefix");

	if (prefix != NULL)
		add_conversion(d, doc_mark(key), (const char *)key->data.scalar.value,
		    CONVERT_FLATTEN, prefix, target);
}

static void
load_flatten(struct doc *d, const yaml_node_t *n, void *target)
{
	struct column_names *names = &((struct rule *)target)->convert;

	if (n->type == YAML_MAPPING_NODE)
		doc_names(d, n, "flatten", load_prefix, names);
	else
		load_each(d, n, "flatten", add_flat, names);
}

/*
 * Values
 */

void
fields_load_template(struct doc *d, const yaml_node_t *n, const char *what, struct template *t)
{
	const char *text = doc_text(d, n, what);
	const char *why;

	t->at = doc_mark(n);
	if (text == NULL)
		return;
	if (doc_is_null(n)) {
		problem_error(d->problems, t->at, "%s is null: leave it out, or quote the word", what);
		return;
	}
	why = template_parse(t, text, n->data.scalar.length);
	if (why != NULL)
		problem_error(d->problems, t->at, "%s \"%s\": %s", what, text, why);
}

static void load_given(
    struct doc *, const yaml_node_t *, const char *what, unsigned depth, struct given *);

/* A member or item of what is being loaded. */
static struct given *
add_child(struct given *g)
{
	g->child = xrealloc(g->child, (g->children + 1) * sizeof(*g->child));
	g->child[g->children] = (struct given) { 0 };
	return &g->child[g->children++];
}

struct object {
	struct given *given;
	const char *what;
	unsigned depth;
};

static void
load_member(struct doc *d, const yaml_node_t *key, const yaml_node_t *value, void *target)
{
	struct object *o = target;
	struct given *new = add_child(o->given);

	load_given(d, value, o->what, o->depth + 1, new);
	new->name = xstrdup((const char *)key->data.scalar.value);
	new->at = doc_mark(key);
}

static void
load_scalar(struct doc *d, const yaml_node_t *n, const char *what, struct given *g)
{
	const char *word = doc_json_word(n);
	struct buf json = { 0 };

	g->kind = GIVEN_CONSTANT;
	if (word != NULL) {
		g->json = xstrdup(word);
		return;
	}
	if (n->data.scalar.length == 0) {
		g->json = xstrdup("\"\"");
		return;
	}
	fields_load_template(d, n, what, &g->template);
	g->kind = GIVEN_TEMPLATE;
	if (g->template.parts == 1 && g->template.part[0].kind == TEMPLATE_TEXT) {
		g->kind = GIVEN_CONSTANT;
		quote_string(&json, g->template.part[0].text, g->template.part[0].len);
		g->json = xstrndup(json.data, json.len);
		buf_free(&json);
	}
}

static void
load_given(struct doc *d, const yaml_node_t *n, const char *what, unsigned depth,
    struct given *g)
{
	struct object o = { .given = g, .what = what, .depth = depth };
	const yaml_node_t *item;

	*g = (struct given) { .kind = GIVEN_CONSTANT, .at = doc_mark(n) };
	if (!doc_value(d, n))
		return;
	if (depth > MAX_DEPTH) {
		problem_error(d->problems, g->at, "%s is nested more than %d deep", what, MAX_DEPTH);
		return;
	}
	switch (n->type) {
	case YAML_MAPPING_NODE:
		g->kind = GIVEN_OBJECT;
		doc_names(d, n, what, load_member, &o);
		break;
	case YAML_SEQUENCE_NODE:
		g->kind = GIVEN_LIST;
		if (!doc_is_list(d, n, what))
			return;
		for (size_t i = 0; (item = doc_item(d, n, i)) != NULL; i++)
			load_given(d, item, what, depth + 1, add_child(g));
		break;
	case YAML_SCALAR_NODE:
	case YAML_NO_NODE:
	default: load_scalar(d, n, what, g);
	}
}

void
fields_load_given(
    struct doc *d, const yaml_node_t *n, const char *what, bool object, struct given *g)
{
	struct object o = { .given = g, .what = "the value of a field" };

	if (!object) {
		load_given(d, n, what, 0, g);
		return;
	}
	*g = (struct given) { .kind = GIVEN_OBJECT, .at = doc_mark(n) };
	doc_names(d, n, what, load_member, &o);
}

void
fields_free_given(struct given *g)
{
	for (size_t i = 0; i < g->children; i++)
		fields_free_given(&g->child[i]);
	free(g->child);
	free(g->name);
	free(g->json);
	template_free(&g->template);
}

static void
load_set(struct doc *d, const yaml_node_t *n, void *target)
{
	fields_load_given(d, n, "set", true, &((struct rule *)target)->set);
}

/*
 * fields
 */

/* What a rule's fields say of each other. */
static void
check_fields(const struct rule *rule, struct problems *p)
{
	if (rule->has_include && rule->exclude.n > 0)
		problem_error(p, rule->exclude.list[0].at,
		    "include and exclude in one rule: include alone says what is taken");
	for (size_t i = 0; i < rule->rename.n; i++) {
		const struct column_name *one = &rule->rename.list[i];

		if (fields_has_column(&rule->exclude, one->column) ||
		    (rule->has_include && !fields_has_column(&rule->include, one->column)))
			problem_error(p, one->at, "column \"%s\" is renamed, but it is not included",
			    one->column);
	}
	for (size_t i = 0; i < rule->set.children; i++)
		for (size_t k = 0; k < rule->old.n; k++)
			if (strcmp(rule->set.child[i].name, rule->old.list[k].text) == 0)
				problem_error(p, rule->set.child[i].at,
				    "field \"%s\" is both in old and in set",
				    rule->set.child[i].name);
}

void
fields_load(struct doc *d, const yaml_node_t *n, void *target)
{
	static const struct doc_key keys[] = { { "include", load_include },
		{ "exclude", load_exclude }, { "rename", load_rename }, { "old", load_old },
		{ "set", load_set }, { "types", load_types }, { "split", load_split },
		{ "join", load_join }, { "flatten", load_flatten }, { NULL, NULL } };

	doc_map(d, n, "fields", keys, target);
	check_fields(target, d->problems);
}
