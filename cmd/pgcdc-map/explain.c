#include <string.h>

#include "explain.h"
#include "field_type.h"
#include "plan.h"

/* Where values begin, and fields' sources. */
#define TAB       14
#define FIELD_TAB 24

/*
 * Names of tables, columns and fields can have line feeds in them, so a line ends with a NUL
 * until all is there, and what then is a control character is of a name.
 */
static void
end_line(struct buf *b)
{
	buf_addc(b, '\0');
}

static void
put_visible(struct buf *b, const struct buf *lines)
{
	for (size_t i = 0; i < lines->len; i++) {
		unsigned char c = (unsigned char)lines->data[i];

		if (c == '\0')
			buf_addc(b, '\n');
		else
			problem_put_char(b, c);
	}
}

/* A line's name, and blanks up to the tab: tab columns behind the indent. */
static void
put_name(struct buf *b, unsigned indent, const char *name, unsigned tab)
{
	size_t len = strlen(name);

	buf_printf(b, "%*s%s%*s", (int)indent, "", name,
	    len + 1 < tab ? (int)(tab - len) : 1, "");
}

static void
put_line(struct buf *b, const char *name, const char *value)
{
	put_name(b, 4, name, TAB);
	for (; *value != '\0'; value++)
		buf_addc(b, *value == '\n' ? ' ' : *value);
	end_line(b);
}

static void
put_template(struct buf *b, const char *name, const struct template *t)
{
	if (t->parts == 0)
		return;
	put_name(b, 4, name, TAB);
	template_put(b, t);
	end_line(b);
}

/*
 * What a rule does
 */

static const char *
reaction_text(const struct rule *rule, enum change change)
{
	switch (rule->on[change]) {
	case DO_INDEX:
		if (change == CHANGE_UPDATE)
			return "index the new row; the document moves with index, id and routing";
		return change == CHANGE_DELETE ? "index the old row: the document stays"
					       : "index the row";
	case DO_CREATE:
		return change == CHANGE_DELETE ? "create a document of the old row"
					       : "create a document of the row";
	case DO_DELETE: return "delete the document";
	case DO_PARTIAL:
		return rule->upsert
		    ? "update the changed fields; a document that is not there is made"
		    : "update the changed fields of the document";
	case DO_SCRIPT: return "run the script on the document";
	case DO_IGNORE:
	default:
		if (change == CHANGE_SNAPSHOT && rule->on[CHANGE_INSERT] == DO_SCRIPT)
			return "nothing: scripts are for changes";
		return "nothing";
	}
}

static void
put_truncate(struct buf *b, const struct rule *rule)
{
	static const char *const texts[] = { [TRUNCATE_IGNORE] = "nothing: the documents stay",
		[TRUNCATE_DELETE] = "delete all documents of the index",
		[TRUNCATE_FAIL] = "stop" };

	put_name(b, 4, "truncate", TAB);
	if (rule->truncate_query != NULL)
		buf_printf(b, "delete the documents that match %s", rule->truncate_query);
	else
		buf_adds(b, texts[rule->truncate]);
	end_line(b);
}

static bool
has_versions(const struct rule *rule)
{
	for (int i = 0; i < CHANGES; i++)
		if (rule->on[i] == DO_INDEX || rule->on[i] == DO_DELETE)
			return !rule->unversioned;
	return false;
}

static void
put_rule(struct buf *b, const struct mapping *m, const struct rule *rule)
{
	static const char *const toasts[] = {
		[TOAST_MERGE] = "merge: taken over from the stored document",
		[TOAST_REJECT] = "reject: the row goes to the dead letters",
		[TOAST_NULL] = "null: they become null",
		[TOAST_OMIT] = "omit: the document loses them",
	};

	struct buf script = { 0 };

	buf_printf(b, "rule for %s (%s:%u:%u)", rule->table, m->file, rule->at.line,
	    rule->at.column);
	end_line(b);
	if (rule->also)
		put_line(b, "also", "later rules are looked at as well");
	put_template(b, "index", &rule->index);
	if (rule->no_id)
		put_line(b, "id", "none: the cluster makes one");
	else if (rule->id.parts == 0)
		put_line(b, "id", "the primary key");
	put_template(b, "id", &rule->id);
	put_template(b, "routing", &rule->routing);
	put_template(b, "pipeline", &rule->pipeline);
	if (rule->require_alias)
		put_line(b, "alias", "the index must be one");
	if (rule->where.text != NULL)
		put_line(b, "where", rule->where.text);
	if (rule->delete_when.text != NULL)
		put_line(b, "delete_when", rule->delete_when.text);
	put_line(b, "insert", reaction_text(rule, CHANGE_INSERT));
	put_line(b, "update", reaction_text(rule, CHANGE_UPDATE));
	put_line(b, "delete", reaction_text(rule, CHANGE_DELETE));
	put_truncate(b, rule);
	put_line(b, "snapshot", reaction_text(rule, CHANGE_SNAPSHOT));
	if (rule->script.source != NULL) {
		buf_printf(&script, "%s: %s",
		    rule->script.lang != NULL ? rule->script.lang : "painless", rule->script.source);
		put_line(b, "script", buf_cstr(&script));
		buf_free(&script);
	}
	put_line(b, "toast", toasts[rule->toast]);
	put_line(b, "versions",
	    has_versions(rule) ? "from the commit's LSN" : "none: at least once");
}

/*
 * Fields
 */

static void
put_conversion(struct buf *b, const struct column_name *name)
{
	/* From CONVERT_NUMBER on. */
	static const char *const words[] = { "number", "string", "bool", "date", "json",
		"geo_point", "geojson" };

	if (name == NULL)
		return;
	switch (name->conversion) {
	case CONVERT_NONE: break;
	case CONVERT_SPLIT: buf_printf(b, ", split at \"%s\"", name->text); break;
	case CONVERT_JOIN: buf_printf(b, ", joined by \"%s\"", name->text); break;
	case CONVERT_FLATTEN: buf_adds(b, ", its members"); break;
	default: buf_printf(b, ", as %s", words[name->conversion - CONVERT_NUMBER]); break;
	}
}

static void
put_given(struct buf *b, const struct given *g)
{
	switch (g->kind) {
	case GIVEN_CONSTANT: buf_adds(b, g->json); return;
	case GIVEN_TEMPLATE: template_put(b, &g->template); return;
	case GIVEN_OBJECT:
	case GIVEN_LIST: break;
	}
	buf_addc(b, g->kind == GIVEN_LIST ? '[' : '{');
	for (size_t i = 0; i < g->children; i++) {
		buf_adds(b, i > 0 ? ", " : " ");
		if (g->kind == GIVEN_OBJECT)
			buf_printf(b, "%s: ", g->child[i].name);
		put_given(b, &g->child[i]);
	}
	buf_adds(b, g->kind == GIVEN_LIST ? " ]" : " }");
}

static const struct given *
find_set(const struct rule *rule, const char *field)
{
	for (size_t i = 0; i < rule->set.children; i++)
		if (strcmp(rule->set.child[i].name, field) == 0)
			return &rule->set.child[i];
	return NULL;
}

static void
put_field(struct buf *b, const struct plan *plan, const struct plan_field *f)
{
	const struct given *given = find_set(plan->rule, f->name);
	const struct plan_slot *slot = &f->slot[0];
	const struct relation *rel = plan->relation;
	bool flat = slot->convert != NULL && slot->convert->conversion == CONVERT_FLATTEN;
	struct buf name = { 0 };

	if (flat)
		buf_printf(&name, "%s*", slot->convert->text);
	else
		buf_adds(&name, f->name);
	put_name(b, 8, buf_cstr(&name), FIELD_TAB);
	buf_free(&name);
	if (given != NULL) {
		put_given(b, given);
	} else if (slot->column == PLAN_NO_COLUMN) {
		buf_adds(b, "null: there is no such column");
	} else {
		const struct relation_column *column = &rel->column[slot->column];

		buf_printf(b, "%s%s %s", slot->kind == SLOT_OLD ? "old " : "", column->name,
		    column->type);
		put_conversion(b, slot->convert);
		if (slot->kind == SLOT_OLD && !column->in_identity)
			buf_adds(b, ": null, for it is outside the replica identity");
	}
	end_line(b);
}

static void
put_identity(struct buf *b, const struct relation *rel)
{
	const char *before = "";

	switch (rel->identity) {
	case 'f': buf_adds(b, "full"); return;
	case 'n': buf_adds(b, "nothing"); return;
	default: break;
	}
	buf_printf(b, "%s (", rel->identity == 'i' ? "index" : "default");
	for (uint32_t i = 0; i < rel->columns; i++)
		if (rel->column[i].in_identity) {
			buf_printf(b, "%s%s", before, rel->column[i].name);
			before = ", ";
		}
	buf_adds(b, *before == '\0' ? "no columns)" : ")");
}

static void
put_table(struct buf *b, const struct catalog_table *t, const struct plan *plan)
{
	const struct relation *rel = t->relation;

	buf_printf(b, "    table %s", rel->name);
	end_line(b);
	put_name(b, 6, "publication", TAB);
	buf_printf(b, "%s:%s%s%s%s", t->publications, t->insert ? " insert" : "",
	    t->update ? " update" : "", t->delete ? " delete" : "",
	    t->truncate ? " truncate" : "");
	end_line(b);
	put_name(b, 6, "identity", TAB);
	put_identity(b, rel);
	end_line(b);
	if (plan->rule->id.parts == 0 && !plan->rule->no_id) {
		put_name(b, 6, "id", TAB);
		for (size_t i = 0; i < plan->id.pieces; i++)
			buf_printf(b, "%s{%s}", i > 0 ? "|" : "",
			    rel->column[plan->id.piece[i].column].name);
		end_line(b);
	}
	buf_adds(b, "      fields");
	end_line(b);
	for (size_t i = 0; i < plan->document.fields; i++)
		put_field(b, plan, &plan->document.field[i]);
}

/*
 * Without tables
 */

static void
put_names(struct buf *b, const char *what, const struct column_names *names)
{
	buf_adds(b, what);
	for (size_t i = 0; i < names->n; i++)
		buf_printf(b, "%s%s", i > 0 ? ", " : "", names->list[i].column);
}

static void
put_pair(struct buf *b, const char *field, const char *before, const struct column_name *name,
    bool conversion)
{
	put_name(b, 6, field, FIELD_TAB);
	buf_printf(b, "%s%s", before, name->column);
	if (conversion)
		put_conversion(b, name);
	end_line(b);
}

static void
put_rule_fields(struct buf *b, const struct rule *rule)
{
	put_name(b, 4, "fields", TAB);
	if (rule->has_include)
		put_names(b, rule->include.n > 0 ? "of columns " : "of no columns", &rule->include);
	else
		put_names(b, rule->exclude.n > 0 ? "of all columns but " : "of all columns",
		    &rule->exclude);
	end_line(b);
	for (size_t i = 0; i < rule->rename.n; i++)
		put_pair(b, rule->rename.list[i].text, "", &rule->rename.list[i], false);
	for (size_t i = 0; i < rule->old.n; i++)
		put_pair(b, rule->old.list[i].text, "old ", &rule->old.list[i], false);
	for (size_t i = 0; i < rule->convert.n; i++)
		put_pair(b, "column", "", &rule->convert.list[i], true);
	for (size_t i = 0; i < rule->set.children; i++) {
		put_name(b, 6, rule->set.child[i].name, FIELD_TAB);
		put_given(b, &rule->set.child[i]);
		end_line(b);
	}
}

/*
 * All of it
 */

static void
put_tables(struct buf *b, const struct catalog *c, const struct rule *rule)
{
	bool any = false;

	for (size_t i = 0; i < c->tables; i++) {
		const struct plan *plan = c->table[i].relation->plan;

		for (; plan != NULL; plan = plan->next)
			if (plan->rule == rule) {
				put_table(b, &c->table[i], plan);
				any = true;
			}
	}
	if (!any) {
		buf_adds(b, "    no published table");
		end_line(b);
	}
}

static void
put_left(struct buf *b, const struct catalog *c)
{
	bool first = true;

	for (size_t i = 0; i < c->tables; i++) {
		if (c->table[i].relation->plan != NULL)
			continue;
		if (first) {
			buf_adds(b, "no rule, so that rows are dropped");
			end_line(b);
		}
		first = false;
		buf_printf(b, "    table %s", c->table[i].relation->name);
		end_line(b);
	}
}

void
explain(struct buf *b, const struct mapping *m, const struct catalog *c)
{
	struct buf lines = { 0 };

	for (size_t i = 0; i < m->rules; i++) {
		put_rule(&lines, m, &m->rule[i]);
		if (c != NULL)
			put_tables(&lines, c, &m->rule[i]);
		else
			put_rule_fields(&lines, &m->rule[i]);
	}
	if (c != NULL)
		put_left(&lines, c);
	put_visible(b, &lines);
	buf_free(&lines);
}
