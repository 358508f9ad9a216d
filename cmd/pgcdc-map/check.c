#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "plan.h"
#include "quote.h"

/* Not in the file. */
static const struct mark nowhere = { 0, 0 };

/*
 * Tables
 */

/* What is wrong with whose replica identity, in front of "PostgreSQL refuses...". */
static void
put_flaw(struct buf *b, const struct catalog_table *t, const struct catalog_flaw *f)
{
	buf_printf(b, "table %s", t->relation->name);
	if (f->part != NULL && f->parts > 1)
		buf_printf(b, ": %zu partitions, such as %s,", f->parts, f->part);
	else if (f->part != NULL)
		buf_printf(b, ": partition %s", f->part);
	switch (f->kind) {
	case FLAW_NONE:
		buf_printf(b, " %s %s, and publication %s has its updates or deletes",
		    f->part != NULL && f->parts > 1 ? "have" : "has",
		    f->identity == 'n'       ? "REPLICA IDENTITY NOTHING"
		        : f->identity == 'i' ? "a replica identity whose index is gone"
		                             : "no replica identity, for want of a primary key "
		                               "that is not deferrable",
		    f->publications);
		break;
	case FLAW_FULL_LIST:
		buf_printf(b, ": REPLICA IDENTITY FULL, and publication %s has a list of columns",
		    f->publications);
		break;
	case FLAW_LIST:
	case FLAW_GENERATED:
		buf_printf(b, ": publication %s leaves out %s of the replica identity",
		    f->publications, f->columns);
		break;
	case FLAW_FILTER:
		buf_printf(b, ": the row filter of publication %s needs %s, outside the replica "
		    "identity", f->publications, f->columns);
		break;
	case FLAW_PARTITION:
		buf_printf(b, " %s less in %s replica identity than the table's own",
		    f->parts > 1 ? "have" : "has", f->parts > 1 ? "their" : "its");
		if (*f->columns != '\0')
			buf_printf(b, ", which has %s", f->columns);
		break;
	}
}

/* What PostgreSQL takes as the table's name, of schema.table. */
static void
put_sql_name(struct buf *b, const char *name)
{
	size_t n = strcspn(name, ".");
	char *schema = xstrndup(name, n);

	quote_identifier(b, schema);
	if (name[n] == '.') {
		buf_addc(b, '.');
		quote_identifier(b, name + n + 1);
	}
	free(schema);
}

static const char *
flaw_remedy(const struct catalog_flaw *f)
{
	switch (f->kind) {
	case FLAW_FULL_LIST:
		return "publish all columns, or give it another replica identity";
	case FLAW_LIST: return "publish them, too";
	case FLAW_GENERATED:
		return "ALTER PUBLICATION … SET (publish_generated_columns = stored)";
	case FLAW_FILTER: return "filter by \"where\" of a rule, or give it REPLICA IDENTITY FULL";
	case FLAW_NONE:
	case FLAW_PARTITION:
	default: return "give it a primary key, or REPLICA IDENTITY FULL";
	}
}

/*
 * Such updates and deletes PostgreSQL refuses itself, as soon as a publication has them
 * (CheckCmdReplicaIdentity in execReplication.c).
 */
static void
check_flaw(const struct catalog_table *t, const struct catalog_flaw *f, const struct plan *plan,
    struct problems *p)
{
	const struct rule *rule = plan != NULL ? plan->rule : NULL;
	struct mark at = rule != NULL ? rule->at : nowhere;
	struct buf b = { 0 };

	put_flaw(&b, t, f);
	if (f->kind == FLAW_PARTITION) {
		buf_adds(&b, ": old rows come without; ALTER TABLE ");
		put_sql_name(&b, f->part);
		problem_warning(p, at, "%s REPLICA IDENTITY %s", buf_cstr(&b),
		    t->relation->identity == 'f' ? "FULL" : "…");
		buf_free(&b);
		return;
	}
	buf_printf(&b, ": PostgreSQL refuses %s; ",
	    f->kind == FLAW_NONE ? "them"
	        : !f->delete     ? "updates"
	        : !f->update     ? "deletes"
	                         : "updates and deletes");
	if (f->kind == FLAW_NONE && f->parts < 2) {
		buf_adds(&b, "give it a primary key, or ALTER TABLE ");
		put_sql_name(&b, f->part != NULL ? f->part : t->relation->name);
		buf_adds(&b, " REPLICA IDENTITY FULL");
	} else {
		buf_adds(&b, flaw_remedy(f));
	}
	/* Rows that are only inserted do well without. */
	if (rule == NULL ||
	    (rule->on[CHANGE_UPDATE] == DO_IGNORE && rule->on[CHANGE_DELETE] == DO_IGNORE))
		problem_warning(p, at, "%s", buf_cstr(&b));
	else
		problem_error(p, at, "%s", buf_cstr(&b));
	buf_free(&b);
}

/* To the reader a key that is published in part is none. */
static void
check_key(const struct catalog_table *t, const struct plan *plan, struct problems *p)
{
	for (size_t i = 0; i < t->indexes; i++)
		if (t->index[i].primary && t->index[i].hidden)
			problem_warning(p, plan != NULL ? plan->rule->at : nowhere,
			    "table %s: publication %s leaves columns of the primary key out, so it has "
			    "none here",
			    t->relation->name, t->publications);
}

static void
check_table(const struct mapping *m, struct catalog_table *t, struct problems *p)
{
	struct relation *rel = t->relation;

	rel->plan = plan_all(m, rel, p);
	if (rel->plan == NULL)
		problem_warning(p, nowhere,
		    "table %s is in publication %s, and no rule takes it: its rows are dropped",
		    rel->name, t->publications);
	check_key(t, rel->plan, p);
	for (size_t i = 0; i < t->flaws; i++)
		check_flaw(t, &t->flaw[i], rel->plan, p);
	if (t->different_lists)
		problem_error(p, rel->plan != NULL ? rel->plan->rule->at : nowhere,
		    "table %s has different columns in publications %s, which PostgreSQL refuses",
		    rel->name, t->publications);
	for (const struct plan *plan = rel->plan; plan != NULL; plan = plan->next)
		check_plan(t, plan, p);
}

/*
 * Rules
 */

bool
check_takes(const struct rule *rule, const struct relation *rel)
{
	for (const struct plan *plan = rel->plan; plan != NULL; plan = plan->next)
		if (plan->rule == rule)
			return true;
	return false;
}

/* What a rule says of a table by its name, and that is not there. */
static void
tell_absence(const struct rule *rule, enum catalog_absence absence, const char *other,
    const char *publication, struct problems *p)
{
	struct buf b = { 0 };

	switch (absence) {
	case ABSENT_MISSING:
		problem_error(p, rule->at, "table \"%s\" does not exist", rule->table);
		break;
	case ABSENT_UNPUBLISHED:
		buf_adds(&b, "ALTER PUBLICATION ");
		if (publication != NULL && strchr(publication, ',') == NULL)
			quote_identifier(&b, publication);
		else
			buf_adds(&b, "…");
		buf_adds(&b, " ADD TABLE ");
		put_sql_name(&b, rule->table);
		problem_warning(p, rule->at, "table \"%s\" is in no publication that is read; %s",
		    rule->table, buf_cstr(&b));
		buf_free(&b);
		break;
	case ABSENT_PARTITION:
		problem_error(p, rule->at,
		    "\"%s\" is a partition that is published under its root's name: the rule is to "
		    "be for \"%s\"",
		    rule->table, other);
		break;
	case ABSENT_ROOT:
		problem_error(p, rule->at,
		    "\"%s\" is published under the names of its partitions, such as \"%s\": ALTER "
		    "PUBLICATION … SET (publish_via_partition_root = true), or a pattern",
		    rule->table, other);
		break;
	case ABSENT_UNLOGGED:
		problem_error(p, rule->at,
		    "\"%s\" is unlogged or temporary, and cannot be published", rule->table);
		break;
	case ABSENT_VIEW:
		problem_error(p, rule->at,
		    "\"%s\" is a view, which has no changes of its own: the rules are to be for its "
		    "tables",
		    rule->table);
		break;
	case ABSENT_MATERIALIZED:
		problem_error(p, rule->at,
		    "\"%s\" is a materialized view, which cannot be published: the rules are to be "
		    "for its tables",
		    rule->table);
		break;
	case ABSENT_FOREIGN:
		problem_error(p, rule->at,
		    "\"%s\" is a foreign table, whose changes are logged where it is: publish it "
		    "there",
		    rule->table);
		break;
	case ABSENT_OTHER:
		problem_error(p, rule->at, "\"%s\" is no table", rule->table);
		break;
	}
}

/* An earlier rule has its table, or all of them. */
static bool
tell_earlier(const struct mapping *m, const struct catalog *c, const struct rule *rule,
    struct problems *p)
{
	for (size_t i = 0; i < c->tables; i++) {
		const struct relation *rel = c->table[i].relation;
		const struct rule *before = rule == m->rule ? NULL : rule - 1;

		if (mapping_find(m, rel->name, before) != rule || rel->plan == NULL)
			continue;
		/* Where patterns are enough to tell, it was said of the file alone. */
		if (mapping_shadow(m, rule) == NULL)
			problem_warning(p, rule->at,
			    "the rule is never used: earlier ones take the published tables like "
			    "\"%s\"",
			    rule->table);
		return true;
	}
	return false;
}

static enum catalog_status
check_rule(const struct mapping *m, struct catalog *c, const struct rule *rule,
    struct problems *p)
{
	enum catalog_absence absence;
	enum catalog_status status;
	char *other;

	for (size_t i = 0; i < c->tables; i++)
		if (check_takes(rule, c->table[i].relation))
			return CATALOG_OK;
	if (tell_earlier(m, c, rule, p))
		return CATALOG_OK;
	if (rule->is_pattern) {
		problem_warning(
		    p, rule->at, "no published table is like \"%s\"", rule->table);
		return CATALOG_OK;
	}
	status = catalog_find(c, rule->table, &absence, &other);
	if (status == CATALOG_OK)
		tell_absence(rule, absence, other, c->publications, p);
	free(other);
	return status;
}

enum catalog_status
check_tables(const struct mapping *m, struct catalog *c, struct problems *p)
{
	enum catalog_status status = CATALOG_OK;

	for (size_t i = 0; i < c->absents; i++)
		problem_error(p, nowhere, "publication \"%s\" does not exist in this database",
		    c->absent[i]);
	/* One misspelt name would make a long list of tables that are not published. */
	if (c->absents > 0)
		return CATALOG_OK;
	if (c->tables == 0)
		problem_warning(p, nowhere, "no table of this database is in a publication%s",
		    c->named ? " that was named" : "");
	for (size_t i = 0; i < c->tables; i++)
		check_table(m, &c->table[i], p);
	for (size_t i = 0; status == CATALOG_OK && i < m->rules; i++)
		status = check_rule(m, c, &m->rule[i], p);
	problems_sort(p);
	return status;
}
