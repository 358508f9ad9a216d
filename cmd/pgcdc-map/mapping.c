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

/*
 * Truncates
 */

static void
put_star(struct buf *b)
{
	if (b->len == 0 || b->data[b->len - 1] != '*')
		buf_addc(b, '*');
}

/* A part of the rule's table: what is no plain text in a pattern is *. */
static void
put_glob(struct buf *b, const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (strchr("*?[\\", s[i]) == NULL) {
			buf_addc(b, s[i]);
			continue;
		}
		put_star(b);
		/* Where a bracket ends is fnmatch's to say. */
		if (s[i] == '[' || s[i] == '\\')
			return;
	}
}

/* The names that a rule's index can be, with * for what a table or row brings. */
static void
put_pattern(struct buf *b, const struct rule *rule)
{
	const char *dot = strchr(rule->table, '.');
	size_t schema = dot != NULL ? (size_t)(dot - rule->table) : 0;

	b->len = 0;
	for (size_t i = 0; i < rule->index.parts; i++) {
		const struct template_part *part = &rule->index.part[i];
		bool known = dot != NULL && part->filters == 0;

		if (part->kind == TEMPLATE_TEXT)
			buf_add(b, part->text, part->len);
		else if (part->kind == TEMPLATE_SCHEMA && known)
			put_glob(b, rule->table, schema);
		else if (part->kind == TEMPLATE_TABLE && known)
			put_glob(b, dot + 1, strlen(dot + 1));
		else
			put_star(b);
	}
	(void)buf_cstr(b);
}

/* Longer ones are no names of indices. */
#define MAX_PATTERN 512

/* Is there a name that both patterns match?  A table of whether their ends can meet. */
static bool
can_meet(const struct buf *a, const struct buf *b)
{
	bool row[MAX_PATTERN + 1], next[MAX_PATTERN + 1];

	if (a->len > MAX_PATTERN || b->len > MAX_PATTERN)
		return true;
	for (size_t i = a->len + 1; i-- > 0;) {
		for (size_t k = b->len + 1; k-- > 0;) {
			bool in_a = i < a->len, in_b = k < b->len;

			if (!in_a && !in_b)
				next[k] = true;
			else if (in_a && a->data[i] == '*')
				next[k] = row[k] || (in_b && next[k + 1]);
			else if (in_b && b->data[k] == '*')
				next[k] = next[k + 1] || (in_a && row[k]);
			else
				next[k] = in_a && in_b && a->data[i] == b->data[k] && row[k + 1];
		}
		memcpy(row, next, sizeof(row));
	}
	return row[0];
}

/* Does the index tell each table of a pattern apart from the others? */
static bool
is_of_one_table(const struct rule *rule)
{
	const char *dot = strchr(rule->table, '.');
	bool one_schema = dot != NULL && strcspn(rule->table, "*?[\\") > (size_t)(dot - rule->table);

	if (!rule->is_pattern)
		return true;
	for (size_t i = 0; i < rule->index.parts; i++) {
		const struct template_part *part = &rule->index.part[i];

		if (part->filters > 0 ||
		    (part->kind != TEMPLATE_TEXT && part->kind != TEMPLATE_TABLE &&
		        part->kind != TEMPLATE_SCHEMA))
			return false;
	}
	return template_has(&rule->index, TEMPLATE_TABLE) &&
	    (one_schema || template_has(&rule->index, TEMPLATE_SCHEMA));
}

/* TRUNCATE of one table must not take the documents of another. */
static void
check_truncate(const struct mapping *m, const struct rule *rule, struct problems *p)
{
	struct buf own = { 0 }, other = { 0 };

	if (!is_of_one_table(rule))
		problem_error(p, rule->truncate_at,
		    "truncate: delete could delete the documents of other tables like \"%s\", too: "
		    "make the index of {table} and text alone (with {schema}, where that is a "
		    "pattern), or give the rule a \"truncate_query\"",
		    rule->table);
	put_pattern(&own, rule);
	for (const struct rule *r = m->rule; r < m->rule + m->rules; r++) {
		if (r == rule)
			continue;
		put_pattern(&other, r);
		if (can_meet(&own, &other)) {
			problem_error(p, rule->truncate_at,
			    "truncate: delete would delete the documents of the rule at line %u, "
			    "too: give this rule a \"truncate_query\"",
			    r->at.line);
			break;
		}
	}
	buf_free(&own);
	buf_free(&other);
}

static void
check_truncates(const struct mapping *m, struct problems *p)
{
	for (const struct rule *r = m->rule; r < m->rule + m->rules; r++)
		if (r->truncate == TRUNCATE_DELETE && r->truncate_query == NULL)
			check_truncate(m, r, p);
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
