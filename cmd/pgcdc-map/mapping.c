#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "doc.h"
#include "mapping.h"
#include "rule.h"

/* More are no mapping file; each is compared with all others. */
#define MAX_RULES 10000

/*
 * Rules
 */

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
		rule_load(d, doc_item(d, n, m->rules), &m->rule[m->rules]);
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

const struct rule *
mapping_shadow(const struct mapping *m, const struct rule *rule)
{
	for (const struct rule *r = m->rule; r < rule; r++)
		if (r->table != NULL && rule->table != NULL && !r->also && covers(r, rule))
			return r;
	return NULL;
}

static void
check_order(const struct mapping *m, struct problems *p)
{
	for (size_t i = 0; i < m->rules; i++) {
		const struct rule *shadow = mapping_shadow(m, &m->rule[i]);

		if (shadow != NULL)
			problem_warning(p, m->rule[i].at,
			    "the rule for \"%s\" is never used: the one for \"%s\" at line %u comes "
			    "first (also: true would let it go on)",
			    m->rule[i].table, shadow->table, shadow->at.line);
	}
}

/* Is the index the same text, and made of no more than that? */
static bool
same_index(const struct rule *a, const struct rule *b)
{
	if (a->index.parts != 1 || b->index.parts != 1)
		return false;
	return a->index.part[0].kind == b->index.part[0].kind &&
	    strcmp(a->index.part[0].text, b->index.part[0].text) == 0;
}

/* TRUNCATE of one table must not take the documents of another. */
static void
check_truncates(const struct mapping *m, struct problems *p)
{
	for (size_t i = 0; i < m->rules; i++) {
		const struct rule *rule = &m->rule[i];

		if (rule->truncate != TRUNCATE_DELETE || rule->truncate_query != NULL)
			continue;
		if (rule->is_pattern && !template_has(&rule->index, TEMPLATE_TABLE))
			problem_error(p, rule->truncate_at,
			    "truncate: delete would delete the documents of all tables like \"%s\": "
			    "give the index a {table}, or the rule a \"truncate_query\"",
			    rule->table);
		for (size_t k = 0; k < m->rules; k++)
			if (k != i && same_index(rule, &m->rule[k])) {
				problem_error(p, rule->truncate_at,
				    "truncate: delete would delete the documents of the rule at line %u, "
				    "too: give this rule a \"truncate_query\"",
				    m->rule[k].at.line);
				break;
			}
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
	int i;

	if (doc_is_null(n) && n->data.scalar.length > 0)
		return ODD_NULL;
	i = doc_word(d, n, what, words);
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
load_bc(struct doc *d, const yaml_node_t *n, void *target)
{
	/* In the order of enum odd_value. */
	static const char *const words[] = { "reject", "null", "string", "iso", NULL };
	struct value_policy *policy = &((struct mapping *)target)->policy;
	int i;

	if (doc_is_null(n) && n->data.scalar.length > 0) {
		policy->bc = ODD_NULL;
		return;
	}
	i = doc_word(d, n, "bc", words);
	if (i >= 0)
		policy->bc = (enum odd_value)i;
}

static void
load_invalid_utf8(struct doc *d, const yaml_node_t *n, void *target)
{
	/* In the order of enum invalid_text. */
	static const char *const words[] = { "bytes", "replace", "reject", NULL };
	int i = doc_word(d, n, "invalid_utf8", words);

	if (i >= 0)
		((struct mapping *)target)->policy.invalid_utf8 = (enum invalid_text)i;
}

static void
load_duplicate_keys(struct doc *d, const yaml_node_t *n, void *target)
{
	static const char *const words[] = { "keep", "last", "reject", NULL };
	static const enum json_duplicates policies[] = { JSON_DUPLICATES_KEEP,
		JSON_DUPLICATES_LAST, JSON_DUPLICATES_REJECT };
	int i = doc_word(d, n, "duplicate_keys", words);

	if (i >= 0)
		((struct mapping *)target)->policy.duplicate_keys = policies[i];
}

static void
load_empty_keys(struct doc *d, const yaml_node_t *n, void *target)
{
	static const char *const words[] = { "keep", "drop", "underscore", "reject", NULL };
	static const enum json_empty policies[] = { JSON_EMPTY_KEEP, JSON_EMPTY_DROP,
		JSON_EMPTY_UNDERSCORE, JSON_EMPTY_REJECT };
	int i = doc_word(d, n, "empty_keys", words);

	if (i >= 0)
		((struct mapping *)target)->policy.empty_keys = policies[i];
}

static void
load_long_id(struct doc *d, const yaml_node_t *n, void *target)
{
	static const char *const words[] = { "reject", "hash", NULL };

	((struct mapping *)target)->policy.hash_long_id = doc_word(d, n, "long_id", words) == 1;
}

static void
load_null_id(struct doc *d, const yaml_node_t *n, void *target)
{
	static const char *const words[] = { "reject", "skip", NULL };

	((struct mapping *)target)->policy.skip_null_id = doc_word(d, n, "null_id", words) == 1;
}

static void
load_defaults(struct doc *d, const yaml_node_t *n, void *target)
{
	static const struct doc_key keys[] = { { "numeric", load_numeric },
		{ "bytea", load_bytea }, { "nan", load_nan }, { "infinity", load_infinity },
		{ "bc", load_bc }, { "invalid_utf8", load_invalid_utf8 },
		{ "duplicate_keys", load_duplicate_keys }, { "empty_keys", load_empty_keys },
		{ "long_id", load_long_id }, { "null_id", load_null_id }, { NULL, NULL } };

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

	*m = (struct mapping) { .file = file, .policy.bc = ODD_ISO };
	root = doc_load(&d, text, len, p);
	if (root == NULL)
		return;
	doc_map(&d, root, "the mapping file", keys, m);
	if (p->errors == errors && m->rules == 0)
		problem_error(p, doc_mark(root), "the mapping file needs \"tables\"");
	if (p->errors == errors)
		check_truncates(m, p);
	check_order(m, p);
	doc_free(&d);
	problems_sort(p);
}

const struct rule *
mapping_find(const struct mapping *m, const char *schema_table, const struct rule *after)
{
	for (size_t i = after != NULL ? (size_t)(after - m->rule) + 1 : 0; i < m->rules; i++) {
		const struct rule *rule = &m->rule[i];

		if (rule->is_pattern ? fnmatch(rule->table, schema_table, 0) == 0
		                     : strcmp(rule->table, schema_table) == 0)
			return rule;
	}
	return NULL;
}

void
mapping_free(struct mapping *m)
{
	for (size_t i = 0; i < m->rules; i++)
		rule_free(&m->rule[i]);
	free(m->rule);
	*m = (struct mapping) { 0 };
}
