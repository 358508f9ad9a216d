#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "field_type.h"
#include "index_template.h"
#include "render.h"

/* Above the templates that Elasticsearch brings along, which have up to 200. */
#define PRIORITY 500
/* The servers' default of index.mapping.total_fields.limit. */
#define FIELD_LIMIT 1000

struct index_template {
	char *pattern;
	struct field_type type; /* FIELD_OBJECT */
	const struct rule *rule; /* the first that writes there */
};

static struct index_template *
find_or_add(struct index_templates *ts, char *pattern, const struct rule *rule)
{
	struct index_template *t;

	for (size_t i = 0; i < ts->n; i++)
		if (strcmp(ts->list[i].pattern, pattern) == 0) {
			free(pattern);
			return &ts->list[i];
		}
	ts->list = xrealloc(ts->list, (ts->n + 1) * sizeof(*ts->list));
	t = &ts->list[ts->n++];
	*t = (struct index_template) { .pattern = pattern,
		.type.kind = FIELD_OBJECT,
		.rule = rule };
	return t;
}

struct difference {
	const struct plan *plan;
	const char *pattern;
	struct problems *problems;
};

static void
tell_difference(void *arg, const char *name, enum field_kind a, enum field_kind b)
{
	const struct difference *d = arg;

	if (strcmp(field_kind_name(a), field_kind_name(b)) == 0)
		return;
	problem_warning(d->problems, d->plan->rule->at,
	    "table %s: field \"%s\" of index \"%s\" is %s here, and %s by another rule or table",
	    d->plan->relation->name, name, d->pattern, field_kind_name(b), field_kind_name(a));
}

static bool
writes_documents(const struct rule *rule)
{
	for (int i = 0; i < CHANGES; i++)
		if (rule->on[i] == DO_INDEX || rule->on[i] == DO_CREATE ||
		    rule->on[i] == DO_PARTIAL)
			return true;
	return false;
}

static void
add_plan(struct index_templates *ts, const struct catalog_table *table, const struct plan *plan,
    struct problems *problems)
{
	struct index_template *t = find_or_add(ts, plan_pattern(&plan->index), plan->rule);
	struct difference d = { .plan = plan, .pattern = t->pattern, .problems = problems };
	struct field_type own = { 0 }, upsert = { 0 };

	if (writes_documents(plan->rule)) {
		field_type_document(plan, table, &plan->document, &own);
		field_type_merge(&t->type, &own, tell_difference, &d);
		field_type_free(&own);
	}
	field_type_document(plan, table, &plan->upsert, &upsert);
	field_type_merge(&t->type, &upsert, tell_difference, &d);
	field_type_free(&upsert);
}

void
index_templates_make(
    struct index_templates *ts, const struct catalog *c, struct problems *problems)
{
	*ts = (struct index_templates) { 0 };
	for (size_t i = 0; i < c->tables; i++) {
		const struct plan *plan = c->table[i].relation->plan;

		for (; plan != NULL; plan = plan->next)
			add_plan(ts, &c->table[i], plan, problems);
	}
	for (size_t i = 0; i < ts->n; i++) {
		const struct index_template *t = &ts->list[i];
		size_t fields = field_type_count(&t->type);

		if (fields > FIELD_LIMIT)
			problem_warning(problems, t->rule->at,
			    "index \"%s\" gets %zu fields, and search servers allow an index %d by "
			    "default: index.mapping.total_fields.limit, which --template sets",
			    t->pattern, fields, FIELD_LIMIT);
	}
}

/* Without stars, which names of templates don't have, and safe in a URL. */
static void
put_name(struct buf *b, const char *pattern)
{
	static const char hex[] = "0123456789ABCDEF";

	buf_adds(b, "pgcdc-");
	for (; *pattern != '\0'; pattern++) {
		unsigned char c = (unsigned char)*pattern;

		if (c == '*')
			buf_addc(b, '_');
		else if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
		    c == '.')
			buf_addc(b, (char)c);
		else {
			buf_addc(b, '%');
			buf_addc(b, hex[c >> 4]);
			buf_addc(b, hex[c & 15]);
		}
	}
}

static void
put_template(struct buf *b, const struct index_template *t)
{
	size_t fields = field_type_count(&t->type), literal = 0;

	for (const char *p = t->pattern; *p != '\0'; p++)
		literal += *p != '*';
	buf_adds(b, "{\"index_patterns\":[");
	quote_string(b, t->pattern, strlen(t->pattern));
	/* Two patterns that take one index must differ in it: the more exact one wins. */
	buf_printf(b, "],\"priority\":%zu,\"template\":{", PRIORITY + literal);
	if (fields > FIELD_LIMIT)
		buf_printf(b, "\"settings\":{\"index.mapping.total_fields.limit\":%zu},",
		    (fields + FIELD_LIMIT) / FIELD_LIMIT * FIELD_LIMIT);
	buf_adds(b, "\"mappings\":{");
	field_type_properties(&t->type, b);
	buf_adds(b, "}}}\n");
}

/* By its pattern, else the longest pattern that takes it. */
static const struct index_template *
find(const struct index_templates *ts, const char *index)
{
	const struct index_template *found = NULL;

	for (size_t i = 0; i < ts->n; i++) {
		const struct index_template *t = &ts->list[i];

		if (strcmp(t->pattern, index) == 0)
			return t;
		if (fnmatch(t->pattern, index, FNM_NOESCAPE) == 0 &&
		    (found == NULL || strlen(found->pattern) < strlen(t->pattern)))
			found = t;
	}
	return found;
}

bool
index_templates_put(const struct index_templates *ts, const char *index, struct buf *b)
{
	const struct index_template *t;

	if (index != NULL) {
		t = find(ts, index);
		if (t != NULL)
			put_template(b, t);
		return t != NULL;
	}
	for (size_t i = 0; i < ts->n; i++) {
		buf_adds(b, "PUT /_index_template/");
		put_name(b, ts->list[i].pattern);
		buf_addc(b, '\n');
		put_template(b, &ts->list[i]);
	}
	return true;
}

void
index_templates_free(struct index_templates *ts)
{
	for (size_t i = 0; i < ts->n; i++) {
		free(ts->list[i].pattern);
		field_type_free(&ts->list[i].type);
	}
	free(ts->list);
	*ts = (struct index_templates) { 0 };
}
