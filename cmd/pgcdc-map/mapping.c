#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "doc.h"
#include "mapping.h"
#include "number.h"
#include "render.h"

/* More are no mapping file; each is compared with all others.  A table has at most 1600
 * columns (PostgreSQL's MaxHeapAttributeNumber), but a pattern can take many tables. */
#define MAX_RULES 10000
#define MAX_NAMES 10000

/*
 * Templates
 */

static void
load_template(struct doc *d, const yaml_node_t *n, const char *what, struct template *t)
{
	const char *text = doc_text(d, n, what);
	const char *why;

	t->at = doc_mark(n);
	if (text == NULL)
		return;
	why = template_parse(t, text, n->data.scalar.length);
	if (why != NULL)
		problem_error(d->problems, t->at, "%s \"%s\": %s", what, text, why);
}

const char *
mapping_index_problem(const char *text, size_t len, bool start)
{
	if (start && len > 0 && strchr("-_+", text[0]) != NULL)
		return "an index name starts with neither -, _ nor +";
	for (size_t i = 0; i < len; i++) {
		if (text[i] >= 'A' && text[i] <= 'Z')
			return "index names are lower case";
		if (strchr("\\/*?\"<>| ,#:", text[i]) != NULL)
			return "an index name has no blank and none of \\ / * ? \" < > | , # :";
	}
	return NULL;
}

static void
load_index(struct doc *d, const yaml_node_t *n, void *target)
{
	struct template *t = &((struct rule *)target)->index;

	load_template(d, n, "index", t);
	for (size_t i = 0; i < t->parts; i++) {
		const struct template_part *part = &t->part[i];
		const char *why = NULL;

		if (part->kind == TEMPLATE_TEXT)
			why = mapping_index_problem(part->text, part->len, i == 0);
		if (why != NULL)
			problem_error(d->problems, t->at, "index \"%s\": %s",
			    (const char *)n->data.scalar.value, why);
	}
}

static void
load_id(struct doc *d, const yaml_node_t *n, void *target)
{
	struct template *t = &((struct rule *)target)->id;

	load_template(d, n, "id", t);
	if (t->parts > 0 && !template_has_column(t))
		problem_error(d->problems, t->at,
		    "id \"%s\" names no column: all rows would be one document; "
		    "a column is written {name}",
		    (const char *)n->data.scalar.value);
}

static void
load_routing(struct doc *d, const yaml_node_t *n, void *target)
{
	load_template(d, n, "routing", &((struct rule *)target)->routing);
}

static void
load_table(struct doc *d, const yaml_node_t *n, void *target)
{
	struct rule *rule = target;
	const char *text = doc_text(d, n, "table");

	if (text == NULL)
		return;
	rule->table = xstrdup(text);
	rule->is_pattern = strpbrk(text, "*?[\\") != NULL;
	if (strchr(text, '.') == NULL && strchr(text, '*') == NULL)
		problem_error(d->problems, doc_mark(n),
		    "table \"%s\" names no schema; write \"public.%s\" or \"*.%s\"", text, text,
		    text);
}

/*
 * fields
 */

static struct column_name *
add_name(struct column_names *names, const char *column, const char *field, struct mark at)
{
	struct column_name *new;

	names->list = xrealloc(names->list, (names->n + 1) * sizeof(*names->list));
	new = &names->list[names->n++];
	*new = (struct column_name) { .column = xstrdup(column), .at = at };
	if (field != NULL)
		new->field = xstrdup(field);
	return new;
}

static bool
has_column(const struct column_names *names, const char *column)
{
	for (size_t i = 0; i < names->n; i++)
		if (strcmp(names->list[i].column, column) == 0)
			return true;
	return false;
}

static void
load_list(struct doc *d, const yaml_node_t *n, const char *what, struct column_names *names)
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
		if (has_column(names, column))
			problem_error(d->problems, doc_mark(item), "%s names \"%s\" twice", what,
			    column);
		else
			add_name(names, column, NULL, doc_mark(item));
	}
}

static void
load_include(struct doc *d, const yaml_node_t *n, void *target)
{
	struct rule *rule = target;

	rule->has_include = true;
	load_list(d, n, "include", &rule->include);
}

static void
load_exclude(struct doc *d, const yaml_node_t *n, void *target)
{
	load_list(d, n, "exclude", &((struct rule *)target)->exclude);
}

static void
load_pair(struct doc *d, const yaml_node_t *key, const yaml_node_t *value, void *target)
{
	struct column_names *names = target;
	const char *field = doc_text(d, value, "a field's name");

	if (field == NULL)
		return;
	for (size_t i = 0; i < names->n; i++)
		if (strcmp(names->list[i].field, field) == 0)
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

/* A plain scalar that YAML (1.2, core schema) takes for null or a boolean, or JSON for a
 * number: as JSON.  NULL: it is a string. */
static const char *
json_word(const yaml_node_t *n)
{
	static const char *const words[][2] = { { "", "null" }, { "~", "null" },
		{ "null", "null" }, { "Null", "null" }, { "NULL", "null" }, { "true", "true" },
		{ "True", "true" }, { "TRUE", "true" }, { "false", "false" }, { "False", "false" },
		{ "FALSE", "false" } };
	const char *s = (const char *)n->data.scalar.value;

	if (n->type != YAML_SCALAR_NODE || n->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
		return NULL;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(words[i][0], s) == 0)
			return words[i][1];
	return number_is_json(s, n->data.scalar.length) ? s : NULL;
}

static void
load_set_field(struct doc *d, const yaml_node_t *key, const yaml_node_t *value, void *target)
{
	struct rule *rule = target;
	struct set_field *new;
	struct buf json = { 0 };
	const char *word;

	rule->set = xrealloc(rule->set, (rule->sets + 1) * sizeof(*rule->set));
	new = &rule->set[rule->sets++];
	*new = (struct set_field) { .field = xstrdup((const char *)key->data.scalar.value),
		.at = doc_mark(key) };
	word = json_word(value);
	if (word != NULL) {
		new->json = xstrdup(word);
		return;
	}
	if (value->type == YAML_SCALAR_NODE && value->data.scalar.length == 0) {
		new->json = xstrdup("\"\"");
		return;
	}
	load_template(d, value, "the value of a field", &new->value);
	if (new->value.parts == 1 && new->value.part[0].kind == TEMPLATE_TEXT) {
		render_string(&json, new->value.part[0].text, new->value.part[0].len);
		new->json = xstrndup(json.data, json.len);
		buf_free(&json);
	}
}

static void
load_set(struct doc *d, const yaml_node_t *n, void *target)
{
	doc_names(d, n, "set", load_set_field, target);
}

static void
load_fields(struct doc *d, const yaml_node_t *n, void *target)
{
	static const struct doc_key keys[] = { { "include", load_include },
		{ "exclude", load_exclude }, { "rename", load_rename }, { "old", load_old },
		{ "set", load_set }, { NULL, NULL } };

	doc_map(d, n, "fields", keys, target);
}

/*
 * on
 */

static void
load_on_insert(struct doc *d, const yaml_node_t *n, void *target)
{
	static const char *const words[] = { "index", "ignore", NULL };

	((struct rule *)target)->ignore_insert = doc_word(d, n, "insert", words) == 1;
}

static void
load_on_update(struct doc *d, const yaml_node_t *n, void *target)
{
	static const char *const words[] = { "index", "ignore", NULL };

	((struct rule *)target)->ignore_update = doc_word(d, n, "update", words) == 1;
}

static void
load_on_delete(struct doc *d, const yaml_node_t *n, void *target)
{
	static const char *const words[] = { "delete", "ignore", NULL };

	((struct rule *)target)->ignore_delete = doc_word(d, n, "delete", words) == 1;
}

static void
load_on_truncate(struct doc *d, const yaml_node_t *n, void *target)
{
	static const char *const words[] = { "ignore", NULL };

	(void)target;
	if (doc_word(d, n, "truncate", words) < 0)
		return;
}

static void
load_on(struct doc *d, const yaml_node_t *n, void *target)
{
	static const struct doc_key keys[] = { { "insert", load_on_insert },
		{ "update", load_on_update }, { "delete", load_on_delete },
		{ "truncate", load_on_truncate }, { NULL, NULL } };

	doc_map(d, n, "on", keys, target);
}

/*
 * Rules
 */

/* What a rule's parts say of each other. */
static void
check_fields(const struct rule *rule, struct problems *p)
{
	if (rule->has_include && rule->exclude.n > 0)
		problem_error(p, rule->exclude.list[0].at,
		    "include and exclude in one rule: include alone says what is taken");
	for (size_t i = 0; i < rule->rename.n; i++) {
		const struct column_name *one = &rule->rename.list[i];

		if (has_column(&rule->exclude, one->column) ||
		    (rule->has_include && !has_column(&rule->include, one->column)))
			problem_error(p, one->at, "column \"%s\" is renamed, but it is not included",
			    one->column);
	}
	for (size_t i = 0; i < rule->sets; i++)
		for (size_t k = 0; k < rule->old.n; k++)
			if (strcmp(rule->set[i].field, rule->old.list[k].field) == 0)
				problem_error(p, rule->set[i].at,
				    "field \"%s\" is both in old and in set", rule->set[i].field);
}

static void
load_rule(struct doc *d, const yaml_node_t *n, struct rule *rule)
{
	static const struct doc_key keys[] = { { "table", load_table }, { "index", load_index },
		{ "id", load_id }, { "routing", load_routing }, { "fields", load_fields },
		{ "on", load_on }, { NULL, NULL } };
	size_t errors = d->problems->errors;

	*rule = (struct rule) { .at = doc_mark(n) };
	doc_map(d, n, "a rule", keys, rule);
	/* A misspelt key is said already; what it left out is not worth a second line. */
	if (d->problems->errors == errors && rule->table == NULL)
		problem_error(d->problems, rule->at, "a rule needs \"table\"");
	if (d->problems->errors == errors && rule->index.parts == 0)
		problem_error(d->problems, rule->at, "a rule needs \"index\"");
	check_fields(rule, d->problems);
}

static void
load_tables(struct doc *d, const yaml_node_t *n, void *target)
{
	struct mapping *m = target;
	const yaml_node_t *item;
	size_t count = 0;

	if (!doc_is_list(d, n, "tables"))
		return;
	while (count < MAX_RULES && doc_item(d, n, count) != NULL)
		count++;
	if (count == 0)
		problem_error(d->problems, doc_mark(n), "tables is empty: no table has a rule");
	if ((item = doc_item(d, n, count)) != NULL)
		problem_error(d->problems, doc_mark(item), "more than %d rules", MAX_RULES);
	m->rule = xcalloc(count, sizeof(*m->rule));
	for (; m->rules < count; m->rules++)
		load_rule(d, doc_item(d, n, m->rules), &m->rule[m->rules]);
}

/* Does pattern a, as far as its form is simple enough to tell, take all that b takes? */
static bool
covers(const struct rule *a, const struct rule *b)
{
	if (strcmp(a->table, b->table) == 0)
		return true;
	if (!a->is_pattern)
		return false;
	if (!b->is_pattern)
		return fnmatch(a->table, b->table, 0) == 0;
	/* Where a has only stars and b neither brackets nor escapes, b's own wildcards can
	 * be matched by nothing but a's stars. */
	return strpbrk(a->table, "?[\\") == NULL && strpbrk(b->table, "[\\") == NULL &&
	    fnmatch(a->table, b->table, 0) == 0;
}

static void
check_order(const struct mapping *m, struct problems *p)
{
	for (size_t i = 0; i < m->rules; i++)
		for (size_t k = 0; k < i; k++)
			if (m->rule[i].table != NULL && m->rule[k].table != NULL &&
			    covers(&m->rule[k], &m->rule[i])) {
				problem_warning(p, m->rule[i].at,
				    "the rule for \"%s\" is never used: the one for \"%s\" at "
				    "line %u comes first",
				    m->rule[i].table, m->rule[k].table, m->rule[k].at.line);
				break;
			}
}

/*
 * defaults
 */

static void
load_numeric(struct doc *d, const yaml_node_t *n, void *target)
{
	static const char *const words[] = { "number", "string", NULL };

	((struct mapping *)target)->policy.numeric_as_string =
	    doc_word(d, n, "numeric", words) == 1;
}

static void
load_bytea(struct doc *d, const yaml_node_t *n, void *target)
{
	static const char *const words[] = { "base64", "hex", NULL };

	((struct mapping *)target)->policy.bytea_as_hex = doc_word(d, n, "bytea", words) == 1;
}

static enum odd_value
odd_word(struct doc *d, const yaml_node_t *n, const char *what)
{
	/* In the order of enum odd_value. */
	static const char *const words[] = { "reject", "null", "string", NULL };
	int i = doc_word(d, n, what, words);

	return i < 0 ? ODD_REJECT : (enum odd_value)i;
}

static void
load_nan(struct doc *d, const yaml_node_t *n, void *target)
{
	((struct mapping *)target)->policy.nan = odd_word(d, n, "nan");
}

static void
load_infinity(struct doc *d, const yaml_node_t *n, void *target)
{
	((struct mapping *)target)->policy.infinity = odd_word(d, n, "infinity");
}

static void
load_defaults(struct doc *d, const yaml_node_t *n, void *target)
{
	static const struct doc_key keys[] = { { "numeric", load_numeric },
		{ "bytea", load_bytea }, { "nan", load_nan }, { "infinity", load_infinity },
		{ NULL, NULL } };

	doc_map(d, n, "defaults", keys, target);
}

/*
 * The file
 */

void
mapping_load(
    struct mapping *m, const char *file, const char *text, size_t len, struct problems *p)
{
	static const struct doc_key keys[] = { { "defaults", load_defaults },
		{ "tables", load_tables }, { NULL, NULL } };
	size_t errors = p->errors;
	const yaml_node_t *root;
	struct doc d;

	*m = (struct mapping) { .file = file };
	root = doc_load(&d, text, len, p);
	if (root == NULL)
		return;
	doc_map(&d, root, "the mapping file", keys, m);
	if (p->errors == errors && m->rules == 0)
		problem_error(p, doc_mark(root), "the mapping file needs \"tables\"");
	check_order(m, p);
	doc_free(&d);
	problems_sort(p);
}

const struct rule *
mapping_find(const struct mapping *m, const char *schema_table)
{
	for (size_t i = 0; i < m->rules; i++) {
		const struct rule *rule = &m->rule[i];

		if (rule->is_pattern ? fnmatch(rule->table, schema_table, 0) == 0
		                     : strcmp(rule->table, schema_table) == 0)
			return rule;
	}
	return NULL;
}

static void
free_names(struct column_names *names)
{
	for (size_t i = 0; i < names->n; i++) {
		free(names->list[i].column);
		free(names->list[i].field);
	}
	free(names->list);
}

void
mapping_free(struct mapping *m)
{
	for (size_t i = 0; i < m->rules; i++) {
		struct rule *rule = &m->rule[i];

		free(rule->table);
		template_free(&rule->index);
		template_free(&rule->id);
		template_free(&rule->routing);
		free_names(&rule->include);
		free_names(&rule->exclude);
		free_names(&rule->rename);
		free_names(&rule->old);
		for (size_t k = 0; k < rule->sets; k++) {
			free(rule->set[k].field);
			free(rule->set[k].json);
			template_free(&rule->set[k].value);
		}
		free(rule->set);
	}
	free(m->rule);
	*m = (struct mapping) { 0 };
}
