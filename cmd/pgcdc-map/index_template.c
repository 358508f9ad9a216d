#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "field_type.h"
#include "index_template.h"
#include "render.h"

/* Above the templates that Elasticsearch brings along, which have up to 200. */
#define PRIORITY 500
/* Between the priorities of patterns, room for others that are as exact. */
#define RANKS 100
/* The servers' default of index.mapping.total_fields.limit. */
#define FIELD_LIMIT 1000

struct index_template {
	char *pattern;
	struct field_type type; /* FIELD_OBJECT */
	const struct rule *rule; /* the first that writes there */
	size_t literal; /* bytes of the pattern that are no stars */
	size_t rank;    /* among those that take the same indexes and have as many of them */
};

/* All indexes there are, those of others as well. */
static bool
is_catch_all(const struct index_template *t)
{
	return strcmp(t->pattern, "*") == 0;
}

/* Is there a name that both take?  can: what is left of each from i and k. */
static bool
overlap(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b);
	bool *can = xcalloc((n + 1) * (m + 1), sizeof(*can)), result;

	for (size_t i = n + 1; i-- > 0;)
		for (size_t k = m + 1; k-- > 0;) {
			bool *here = &can[i * (m + 1) + k];
			bool less_a = i < n && here[m + 1], less_b = k < m && here[1];

			if (a[i] == '*')
				*here = less_a || less_b;
			else if (b[k] == '*')
				*here = less_b || less_a;
			else
				*here = a[i] == b[k] && (i == n || here[m + 2]);
		}
	result = can[0];
	free(can);
	return result;
}

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
	for (const char *p = pattern; *p != '\0'; p++)
		t->literal += *p != '*';
	for (size_t i = 0; i + 1 < ts->n; i++)
		if (ts->list[i].literal == t->literal && ts->list[i].rank >= t->rank &&
		    overlap(ts->list[i].pattern, pattern))
			t->rank = ts->list[i].rank + 1;
	return t;
}

struct difference {
	const struct plan *plan;
	const char *pattern;
	const char *other; /* who has it otherwise */
	struct problems *problems;
};

static void
tell_difference(void *arg, const char *name, enum field_kind a, enum field_kind b)
{
	const struct difference *d = arg;

	if (strcmp(field_kind_name(a), field_kind_name(b)) == 0)
		return;
	problem_warning(d->problems, d->plan->rule->at,
	    "table %s: field \"%s\" of index \"%s\" is %s here, and %s %s",
	    d->plan->relation->name, name, d->pattern, field_kind_name(b), field_kind_name(a),
	    d->other);
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
	struct difference d = { .plan = plan,
		.pattern = t->pattern,
		.other = "in its documents",
		.problems = problems };
	struct field_type own = { .kind = FIELD_OBJECT }, upsert = { 0 };

	if (writes_documents(plan->rule))
		field_type_document(plan, table, &plan->document, &own);
	field_type_document(plan, table, &plan->upsert, &upsert);
	field_type_merge(&own, &upsert, tell_difference, &d);
	field_type_free(&upsert);
	d.other = "by another rule or table";
	field_type_merge(&t->type, &own, tell_difference, &d);
	field_type_free(&own);
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

		if (is_catch_all(t))
			problem_warning(problems, t->rule->index.at,
			    "the index has nothing but columns in its name, so that a template would be "
			    "for all indexes: --template makes none");
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
	size_t fields = field_type_count(&t->type);

	buf_adds(b, "{\"index_patterns\":[");
	quote_string(b, t->pattern, strlen(t->pattern));
	/* Two patterns that take one index must differ in it: the more exact one wins. */
	buf_printf(b, "],\"priority\":%zu,\"template\":{", PRIORITY + RANKS * t->literal + t->rank);
	if (fields > FIELD_LIMIT)
		buf_printf(b, "\"settings\":{\"index.mapping.total_fields.limit\":%zu},",
		    (fields + FIELD_LIMIT) / FIELD_LIMIT * FIELD_LIMIT);
	buf_adds(b, "\"mappings\":{");
	field_type_properties(&t->type, b);
	buf_adds(b, "}}}\n");
}

/* Is this the name of an earlier one, too?  "a-*" and "a-_" have one. */
static size_t
namesakes(const struct index_templates *ts, size_t n)
{
	struct buf own = { 0 }, other = { 0 };
	size_t found = 0;

	put_name(&own, ts->list[n].pattern);
	for (size_t i = 0; i < n; i++) {
		other.len = 0;
		put_name(&other, ts->list[i].pattern);
		found += !is_catch_all(&ts->list[i]) && strcmp(buf_cstr(&own), buf_cstr(&other)) == 0;
	}
	buf_free(&own);
	buf_free(&other);
	return found;
}

/* By its pattern, else the longest pattern that takes it. */
static const struct index_template *
find(const struct index_templates *ts, const char *index)
{
	const struct index_template *found = NULL;

	for (size_t i = 0; i < ts->n; i++) {
		const struct index_template *t = &ts->list[i];

		if (is_catch_all(t))
			continue;
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
		size_t same = namesakes(ts, i);

		if (is_catch_all(&ts->list[i]))
			continue;
		buf_adds(b, "PUT /_index_template/");
		put_name(b, ts->list[i].pattern);
		if (same > 0)
			buf_printf(b, ".%zu", same + 1);
		buf_addc(b, '\n');
		put_template(b, &ts->list[i]);
	}
	return true;
}

void
index_templates_list(const struct index_templates *ts, struct buf *b)
{
	for (size_t i = 0; i < ts->n; i++)
		buf_printf(b, "%s\n", ts->list[i].pattern);
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
