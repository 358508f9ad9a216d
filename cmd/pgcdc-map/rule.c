#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "rule.h"

/*
 * Which documents
 */

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

	fields_load_template(d, n, "index", t);
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
	struct rule *rule = target;
	struct template *t = &rule->id;

	t->at = doc_mark(n);
	if (doc_is_null(n)) {
		rule->no_id = true;
		return;
	}
	fields_load_template(d, n, "id", t);
	if (t->parts > 0 && !template_has(t, TEMPLATE_COLUMN) &&
	    !(template_has(t, TEMPLATE_LSN) && template_has(t, TEMPLATE_SEQ)))
		problem_error(d->problems, t->at,
		    "id \"%s\" names no column: all rows would be one document; "
		    "a column is written {name}",
		    (const char *)n->data.scalar.value);
}

static void
load_routing(struct doc *d, const yaml_node_t *n, void *target)
{
	fields_load_template(d, n, "routing", &((struct rule *)target)->routing);
}

static void
load_pipeline(struct doc *d, const yaml_node_t *n, void *target)
{
	fields_load_template(d, n, "pipeline", &((struct rule *)target)->pipeline);
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

static void
load_also(struct doc *d, const yaml_node_t *n, void *target)
{
	((struct rule *)target)->also = doc_bool(d, n, "also") == 1;
}

static void
load_require_alias(struct doc *d, const yaml_node_t *n, void *target)
{
	((struct rule *)target)->require_alias = doc_bool(d, n, "require_alias") == 1;
}

static void
load_version(struct doc *d, const yaml_node_t *n, void *target)
{
	((struct rule *)target)->unversioned = doc_bool(d, n, "version") == 0;
}

static void
load_stable(struct doc *d, const yaml_node_t *n, void *target)
{
	fields_load_list(d, n, "stable", &((struct rule *)target)->stable);
}

/*
 * Conditions
 */

struct mark
condition_mark(const struct condition *c, size_t offset)
{
	struct mark at = c->at;

	if (c->plain)
		at.column += (uint32_t)offset;
	return at;
}

static void
load_condition(struct doc *d, const yaml_node_t *n, const char *what, struct condition *c)
{
	const char *text = doc_text(d, n, what);
	struct expr_problem problem;

	c->at = doc_mark(n);
	if (text == NULL)
		return;
	if (doc_is_null(n)) {
		problem_error(d->problems, c->at, "%s is null: leave it out", what);
		return;
	}
	/* On one line and without escapes, each byte stands where it seems to. */
	c->plain = n->start_mark.line == n->end_mark.line &&
	    (n->data.scalar.style == YAML_PLAIN_SCALAR_STYLE ||
	        n->end_mark.index - n->start_mark.index == n->data.scalar.length + 2);
	if (c->plain && n->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
		c->at.column++;
	c->text = xstrdup(text);
	c->expr = expr_parse(text, n->data.scalar.length, &problem);
	if (c->expr == NULL)
		problem_error(d->problems, condition_mark(c, problem.offset), "%s: %s", what,
		    problem.message);
}

static void
load_where(struct doc *d, const yaml_node_t *n, void *target)
{
	load_condition(d, n, "where", &((struct rule *)target)->where);
}

static void
load_delete_when(struct doc *d, const yaml_node_t *n, void *target)
{
	load_condition(d, n, "delete_when", &((struct rule *)target)->delete_when);
}

/*
 * on
 */

static void
load_on_insert(struct doc *d, const yaml_node_t *n, void *target)
{
	static const char *const words[] = { "index", "create", "script", "ignore", NULL };
	static const enum reaction reactions[] = { DO_INDEX, DO_CREATE, DO_SCRIPT, DO_IGNORE };
	struct rule *rule = target;
	int i = doc_word(d, n, "insert", words);

	if (i < 0)
		return;
	rule->on[CHANGE_INSERT] = reactions[i];
	/* Rows that are there already happened once, perhaps long ago: no script counts them. */
	rule->on[CHANGE_SNAPSHOT] = reactions[i] == DO_SCRIPT ? DO_IGNORE : reactions[i];
}

static void
load_on_update(struct doc *d, const yaml_node_t *n, void *target)
{
	static const char *const words[] = { "index", "create", "partial", "script", "ignore",
		NULL };
	static const enum reaction reactions[] = { DO_INDEX, DO_CREATE, DO_PARTIAL, DO_SCRIPT,
		DO_IGNORE };
	int i = doc_word(d, n, "update", words);

	if (i >= 0)
		((struct rule *)target)->on[CHANGE_UPDATE] = reactions[i];
}

static void
load_on_delete(struct doc *d, const yaml_node_t *n, void *target)
{
	static const char *const words[] = { "delete", "index", "create", "script", "ignore",
		NULL };
	static const enum reaction reactions[] = { DO_DELETE, DO_INDEX, DO_CREATE, DO_SCRIPT,
		DO_IGNORE };
	int i = doc_word(d, n, "delete", words);

	if (i >= 0)
		((struct rule *)target)->on[CHANGE_DELETE] = reactions[i];
}

static void
load_on_truncate(struct doc *d, const yaml_node_t *n, void *target)
{
	/* In the order of enum truncate_policy. */
	static const char *const words[] = { "ignore", "delete", "fail", NULL };
	int i = doc_word(d, n, "truncate", words);
	struct rule *rule = target;

	if (i < 0)
		return;
	rule->truncate = (enum truncate_policy)i;
	rule->truncate_at = doc_mark(n);
}

static void
load_on(struct doc *d, const yaml_node_t *n, void *target)
{
	static const struct doc_key keys[] = { { "insert", load_on_insert },
		{ "update", load_on_update }, { "delete", load_on_delete },
		{ "truncate", load_on_truncate }, { NULL, NULL } };

	doc_map(d, n, "on", keys, target);
}

static void
load_truncate_query(struct doc *d, const yaml_node_t *n, void *target)
{
	struct rule *rule = target;
	struct buf json = { 0 };

	if (n->type != YAML_MAPPING_NODE) {
		problem_error(d->problems, doc_mark(n),
		    "truncate_query is a mapping, the query's, this is %s", doc_kind(n));
		return;
	}
	doc_json(d, n, "truncate_query", &json);
	free(rule->truncate_query);
	rule->truncate_query = buf_cstr(&json);
}

static void
load_toast(struct doc *d, const yaml_node_t *n, void *target)
{
	/* In the order of enum toast_policy. */
	static const char *const words[] = { "merge", "reject", "null", "omit", NULL };
	int i;

	/* The word, not the value. */
	if (doc_is_null(n) && n->data.scalar.length > 0) {
		((struct rule *)target)->toast = TOAST_NULL;
		return;
	}
	i = doc_word(d, n, "toast", words);
	if (i >= 0)
		((struct rule *)target)->toast = (enum toast_policy)i;
}

/*
 * Scripts
 */

static void
load_source(struct doc *d, const yaml_node_t *n, void *target)
{
	const char *text = doc_text(d, n, "source");

	if (text != NULL)
		((struct rule *)target)->script.source = xstrdup(text);
}

static void
load_lang(struct doc *d, const yaml_node_t *n, void *target)
{
	const char *text = doc_text(d, n, "lang");

	if (text != NULL)
		((struct rule *)target)->script.lang = xstrdup(text);
}

static void
load_params(struct doc *d, const yaml_node_t *n, void *target)
{
	fields_load_given(d, n, "params", true, &((struct rule *)target)->script.params);
}

static void
load_script_upsert(struct doc *d, const yaml_node_t *n, void *target)
{
	fields_load_given(d, n, "upsert", true, &((struct rule *)target)->script.upsert);
}

static void
load_scripted_upsert(struct doc *d, const yaml_node_t *n, void *target)
{
	((struct rule *)target)->script.scripted_upsert =
	    doc_bool(d, n, "scripted_upsert") == 1;
}

static void
load_script(struct doc *d, const yaml_node_t *n, void *target)
{
	static const struct doc_key keys[] = { { "source", load_source }, { "lang", load_lang },
		{ "params", load_params }, { "upsert", load_script_upsert },
		{ "scripted_upsert", load_scripted_upsert }, { NULL, NULL } };
	struct rule *rule = target;
	size_t errors = d->problems->errors;

	rule->script.at = doc_mark(n);
	doc_map(d, n, "script", keys, rule);
	if (d->problems->errors == errors && rule->script.source == NULL)
		problem_error(d->problems, rule->script.at, "a script needs \"source\"");
}

static void
load_upsert(struct doc *d, const yaml_node_t *n, void *target)
{
	((struct rule *)target)->upsert = doc_bool(d, n, "upsert") == 1;
}

/*
 * What the parts of a rule say of each other
 */

static bool
reacts(const struct rule *rule, enum reaction reaction)
{
	return rule->on[CHANGE_INSERT] == reaction || rule->on[CHANGE_UPDATE] == reaction ||
	    rule->on[CHANGE_DELETE] == reaction;
}

/* Is every change an event of its own, not a new state of a document? */
static bool
only_creates(const struct rule *rule)
{
	for (int i = 0; i < CHANGES; i++)
		if (rule->on[i] != DO_CREATE && rule->on[i] != DO_IGNORE)
			return false;
	return true;
}

static void
check_identity(struct rule *rule, struct problems *p)
{
	const struct {
		const struct template *t;
		const char *name;
	} texts[] = { { &rule->index, "index" }, { &rule->id, "id" },
		{ &rule->routing, "routing" } };

	if (only_creates(rule))
		return;
	if (rule->no_id)
		problem_error(p, rule->id.at,
		    "without an id no update or delete finds the document: "
		    "on: { insert: create, update: ignore, delete: ignore }");
	for (size_t i = 0; i < 3; i++)
		if (template_of_change(texts[i].t))
			problem_error(p, texts[i].t->at,
			    "%s has {op}, {lsn}, {seq} or {commit_time} in it, so that the next change of "
			    "the row would not find the document; that needs create for all changes",
			    texts[i].name);
}

static void
check_reactions(struct rule *rule, struct problems *p)
{
	bool scripts = reacts(rule, DO_SCRIPT), partial = reacts(rule, DO_PARTIAL);

	if (scripts && rule->script.source == NULL)
		problem_error(p, rule->at, "on says script, so the rule needs \"script\"");
	if (!scripts && rule->script.source != NULL)
		problem_error(p, rule->script.at,
		    "the script is never run: \"on\" says for what, as in "
		    "on: { insert: script, update: ignore, delete: ignore }");
	for (size_t i = 0; partial && i < rule->convert.n; i++)
		if (rule->convert.list[i].conversion == CONVERT_FLATTEN)
			problem_error(p, rule->convert.list[i].at,
			    "flatten in a rule with update: partial: members that the row loses would "
			    "stay in the document");
	if (rule->upsert && !partial)
		problem_error(p, rule->at,
		    "upsert is for on: { update: partial }; a script has an upsert of its own");
	/* What the cluster counts up itself and what we make of an LSN don't mix. */
	if (scripts || partial)
		rule->unversioned = true;
}

static void
check_truncate(struct rule *rule, struct problems *p)
{
	const struct template *t = &rule->index;

	if (rule->truncate != TRUNCATE_DELETE) {
		if (rule->truncate_query != NULL)
			problem_error(p, rule->at, "truncate_query is for on: { truncate: delete }");
		return;
	}
	if (t->parts > 0 && t->part[0].kind != TEMPLATE_TEXT && t->part[0].kind != TEMPLATE_TABLE &&
	    t->part[0].kind != TEMPLATE_SCHEMA)
		problem_error(p, rule->truncate_at,
		    "truncate: delete needs an index that begins with text: \"%s\" could be any",
		    t->part[0].text);
}

/*
 * Rules
 */

void
rule_load(struct doc *d, const yaml_node_t *n, struct rule *rule)
{
	static const struct doc_key keys[] = { { "table", load_table }, { "also", load_also },
		{ "index", load_index }, { "id", load_id }, { "routing", load_routing },
		{ "where", load_where }, { "delete_when", load_delete_when },
		{ "stable", load_stable }, { "fields", fields_load }, { "on", load_on },
		{ "toast", load_toast }, { "script", load_script }, { "upsert", load_upsert },
		{ "pipeline", load_pipeline }, { "require_alias", load_require_alias },
		{ "version", load_version }, { "truncate_query", load_truncate_query },
		{ NULL, NULL } };
	size_t errors = d->problems->errors;

	*rule = (struct rule) { .at = doc_mark(n), .on[CHANGE_DELETE] = DO_DELETE };
	doc_map(d, n, "a rule", keys, rule);
	/* A misspelt key is said already; what it left out is not worth a second line. */
	if (d->problems->errors != errors)
		return;
	if (rule->table == NULL)
		problem_error(d->problems, rule->at, "a rule needs \"table\"");
	if (rule->index.parts == 0)
		problem_error(d->problems, rule->at, "a rule needs \"index\"");
	check_identity(rule, d->problems);
	check_reactions(rule, d->problems);
	check_truncate(rule, d->problems);
}

static void
free_condition(struct condition *c)
{
	expr_free(c->expr);
	free(c->text);
}

void
rule_free(struct rule *rule)
{
	free(rule->table);
	template_free(&rule->index);
	template_free(&rule->id);
	template_free(&rule->routing);
	template_free(&rule->pipeline);
	free_condition(&rule->where);
	free_condition(&rule->delete_when);
	fields_free_names(&rule->stable);
	fields_free_names(&rule->include);
	fields_free_names(&rule->exclude);
	fields_free_names(&rule->rename);
	fields_free_names(&rule->old);
	fields_free_names(&rule->convert);
	fields_free_given(&rule->set);
	free(rule->script.source);
	free(rule->script.lang);
	fields_free_given(&rule->script.params);
	fields_free_given(&rule->script.upsert);
	free(rule->truncate_query);
}
