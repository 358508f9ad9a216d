#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "compiler.h"
#include "expr_node.h"
#include "rule.h"

struct check {
	const struct catalog_table *table;
	const struct relation *relation;
	const struct plan *plan;
	const struct rule *rule;
	struct problems *problems;
	char *full; /* the statement that makes old rows whole */
};

static bool
is_full(const struct check *c)
{
	return c->relation->identity == 'f';
}

/* Is something done with updates (deletes), and do they come? */
static bool
has_updates(const struct check *c)
{
	return c->table->update && c->rule->on[CHANGE_UPDATE] != DO_IGNORE;
}

static bool
has_deletes(const struct check *c)
{
	return c->table->delete && c->rule->on[CHANGE_DELETE] != DO_IGNORE;
}

/*
 * What is published
 */

static void
check_published(const struct check *c)
{
	const struct catalog_table *t = c->table;
	const char *missing = NULL, *effect = NULL;

	if (!t->insert && c->rule->on[CHANGE_INSERT] != DO_IGNORE) {
		missing = "inserts";
		effect = "new rows make no documents";
	} else if (!t->update && c->rule->on[CHANGE_UPDATE] != DO_IGNORE) {
		missing = t->delete || c->rule->on[CHANGE_DELETE] == DO_IGNORE ? "updates"
									       : "updates and deletes";
		effect = "documents stay as they were first";
	} else if (!t->delete && c->rule->on[CHANGE_DELETE] != DO_IGNORE) {
		missing = "deletes";
		effect = "documents of deleted rows stay";
	}
	if (missing != NULL)
		problem_warning(c->problems, c->rule->at,
		    "table %s: publication %s has no %s of it: %s; ALTER PUBLICATION … SET (publish = "
		    "…), or say ignore in \"on\"",
		    c->relation->name, t->publications, missing, effect);
	if (!t->truncate && c->rule->truncate != TRUNCATE_IGNORE)
		problem_warning(c->problems, c->rule->truncate_at,
		    "table %s: publication %s does not have its TRUNCATE", c->relation->name,
		    t->publications);
}

/*
 * The id
 */

/* Does this filter make one text of two? */
static bool
is_lossy(const struct filter *f)
{
	return f->kind != FILTER_STRING && f->kind != FILTER_HASH && f->kind != FILTER_DEFAULT;
}

static const struct plan_piece *
id_piece(const struct plan *plan, uint32_t column, bool whole)
{
	for (size_t i = 0; i < plan->id.pieces; i++) {
		const struct plan_piece *piece = &plan->id.piece[i];
		bool lossy = false;

		if (piece->kind != PIECE_COLUMN || piece->column != column)
			continue;
		for (size_t k = 0; k < piece->filters; k++)
			lossy |= is_lossy(&piece->filter[k]);
		if (!whole || !lossy)
			return piece;
	}
	return NULL;
}

static bool
has_default(const struct plan_piece *piece)
{
	for (size_t k = 0; k < piece->filters; k++)
		if (piece->filter[k].kind == FILTER_DEFAULT)
			return true;
	return false;
}

/* Why this index does not keep ids apart; NULL: it does.  Empty: it has other columns. */
static const char *
index_flaw(const struct check *c, const struct catalog_index *index)
{
	bool nullable = false;

	if (index->hidden || index->columns == 0)
		return "";
	for (size_t i = 0; i < index->columns; i++) {
		const struct plan_piece *piece = id_piece(c->plan, index->column[i], true);

		if (piece == NULL)
			return "";
		/* Where null is no id, it is no matter that nulls are distinct. */
		nullable |= !c->table->column[index->column[i]].not_null && has_default(piece);
	}
	if (index->expressions)
		return "";
	if (index->deferrable)
		return "is deferrable";
	if (index->partial)
		return "is partial";
	if (!index->valid)
		return "is not valid";
	if (nullable && !index->nulls_not_distinct)
		return "takes nulls for distinct";
	return NULL;
}

/* Are all its texts of one length? */
static bool
is_fixed(const struct check *c, const struct plan_piece *piece)
{
	const struct filter *last = piece->filters > 0 ? &piece->filter[piece->filters - 1] : NULL;

	return last != NULL ? last->kind == FILTER_HASH
	                    : strcmp(c->table->column[piece->column].type->name, "uuid") == 0;
}

/* 1 and 11 have the text of 11 and 1. */
static void
check_separators(const struct check *c)
{
	for (size_t i = 1; i < c->plan->id.pieces; i++) {
		const struct plan_piece *piece = &c->plan->id.piece[i], *before = piece - 1;

		if (piece->before_len > 0 || piece->kind != PIECE_COLUMN ||
		    before->kind != PIECE_COLUMN || is_fixed(c, piece) || is_fixed(c, before))
			continue;
		problem_warning(c->problems, c->rule->id.at,
		    "table %s: nothing stands between {%s} and {%s} in the id, so that several rows "
		    "can have one; {%s}|{%s}",
		    c->relation->name, c->relation->column[before->column].name,
		    c->relation->column[piece->column].name,
		    c->relation->column[before->column].name,
		    c->relation->column[piece->column].name);
	}
}

static void
check_unique(const struct check *c)
{
	const struct catalog_index *flawed = NULL;
	const char *flaw = NULL;

	if (c->rule->no_id || c->plan->id.pieces == 0 || template_of_change(&c->rule->id))
		return;
	for (size_t i = 0; i < c->table->indexes; i++) {
		const char *why = index_flaw(c, &c->table->index[i]);

		if (why == NULL) {
			check_separators(c);
			return;
		}
		if (*why == '\0' || flawed != NULL)
			continue;
		flawed = &c->table->index[i];
		flaw = why;
	}
	if (flawed != NULL)
		problem_warning(c->problems,
		    c->rule->id.parts > 0 ? c->rule->id.at : c->rule->at,
		    "table %s: the unique index of the id's columns, \"%s\", %s: several rows may pass "
		    "through one id, and the document of one be lost",
		    c->relation->name, flawed->name, flaw);
	else
		problem_warning(c->problems, c->rule->id.at,
		    "table %s: no unique index makes sure that the id is of one row: those with one "
		    "id share a document",
		    c->relation->name);
}

/* Does the condition let no row pass whose column is null? */
static bool
excludes_null(const struct expr *e, const char *column)
{
	if (e == NULL)
		return false;
	for (size_t i = 0; e->op == EXPR_AND && i < e->args; i++)
		if (excludes_null(e->arg[i], column))
			return true;
	return e->op == EXPR_IS_NULL && e->negated && e->arg[0]->op == EXPR_COLUMN &&
	    !e->arg[0]->is_old && strcmp(e->arg[0]->text, column) == 0;
}

/* A null is no id, no index and no routing. */
static void
check_nulls(const struct check *c, const struct plan_text *t, struct mark at)
{
	for (size_t i = 0; i < t->pieces; i++) {
		const struct plan_piece *piece = &t->piece[i];

		if (piece->kind != PIECE_COLUMN || has_default(piece) ||
		    c->table->column[piece->column].not_null ||
		    excludes_null(c->rule->where.expr, c->relation->column[piece->column].name))
			continue;
		problem_warning(c->problems, at,
		    "table %s: column \"%s\" may be null, and a row without %s is %s; NOT NULL, or "
		    "{%s|default:…}",
		    c->relation->name, c->relation->column[piece->column].name, t->what,
		    t == &c->plan->id && c->plan->policy->skip_null_id ? "left out" : "rejected",
		    c->relation->column[piece->column].name);
	}
}

/*
 * Lengths
 */

/* As all search servers have it. */
#define INDEX_MAX 255
#define ID_MAX    512

static void
check_index_length(const struct check *c)
{
	size_t len = c->plan->index.tail_len;

	for (size_t i = 0; i < c->plan->index.pieces; i++)
		len += c->plan->index.piece[i].before_len;
	if (len > INDEX_MAX)
		problem_error(c->problems, c->rule->index.at,
		    "table %s: the index has %zu bytes without its columns, and search servers take "
		    "%d",
		    c->relation->name, len, INDEX_MAX);
}

/* Text of any length, or of varchar(n), whose characters have four bytes at most. */
static bool
may_be_long(const struct check *c, const struct plan_piece *piece)
{
	const struct catalog_column *column = &c->table->column[piece->column];
	const struct catalog_type *t = column->type;
	int32_t typmod = column->typmod;

	for (size_t k = 0; k < piece->filters; k++)
		if (piece->filter[k].kind == FILTER_HASH ||
		    (piece->filter[k].kind == FILTER_LEFT && piece->filter[k].count <= ID_MAX / 4))
			return false;
	for (; t->kind == TYPE_DOMAIN; t = t->of)
		typmod = t->typmod;
	if (t->kind != TYPE_BASE)
		return t->kind != TYPE_ENUM;
	if (strcmp(t->name, "varchar") == 0 || strcmp(t->name, "bpchar") == 0)
		return typmod < 4 || typmod - 4 > ID_MAX / 4;
	return strcmp(t->name, "text") == 0 || strcmp(t->name, "bytea") == 0 ||
	    strcmp(t->name, "json") == 0 || strcmp(t->name, "jsonb") == 0 ||
	    strcmp(t->name, "xml") == 0 || strcmp(t->name, "numeric") == 0;
}

static void
check_id_length(const struct check *c)
{
	for (size_t i = 0; !c->rule->no_id && i < c->plan->id.pieces; i++) {
		const struct plan_piece *piece = &c->plan->id.piece[i];

		if (piece->kind != PIECE_COLUMN || !may_be_long(c, piece))
			continue;
		problem_note(c->problems, c->rule->id.parts > 0 ? c->rule->id.at : c->rule->at,
		    "table %s: column \"%s\" can make an id longer than %d bytes, which then %s, by "
		    "\"long_id\"",
		    c->relation->name, c->relation->column[piece->column].name, ID_MAX,
		    c->plan->policy->hash_long_id ? "is hashed" : "makes the row a reject");
		return;
	}
}

/*
 * What updates and deletes leave out
 */

static bool
may_be_absent(const struct check *c, uint32_t column)
{
	return c->table->column[column].toastable && !c->relation->column[column].in_identity &&
	    !is_full(c) && has_updates(c);
}

static void
check_toast(const struct check *c)
{
	static const char *const effects[] = { [TOAST_MERGE] = "is taken over from the document",
		[TOAST_REJECT] = "makes it a reject", [TOAST_NULL] = "is null in the document",
		[TOAST_OMIT] = "is missing in the document" };
	struct buf names = { 0 };
	size_t n = 0;

	if (c->rule->on[CHANGE_UPDATE] == DO_PARTIAL || c->rule->on[CHANGE_UPDATE] == DO_SCRIPT)
		return;
	for (size_t i = 0; i < c->plan->document.fields; i++) {
		const struct plan_slot *slot = &c->plan->document.field[i].slot[0];

		if (slot->kind != SLOT_NEW || !may_be_absent(c, slot->column))
			continue;
		buf_printf(&names, "%s\"%s\"", n++ > 0 ? ", " : "",
		    c->relation->column[slot->column].name);
	}
	if (n > 0 && c->rule->toast == TOAST_MERGE &&
	    (c->plan->where != NULL || c->plan->delete_when != NULL))
		problem_warning(c->problems, c->rule->at,
		    "table %s: a row that begins to match has no document that large values of %s, "
		    "which the update leaves alone, could be taken over from: they will be missing; %s",
		    c->relation->name, buf_cstr(&names), c->full);
	else if (n > 0 && c->rule->toast == TOAST_MERGE)
		problem_note(c->problems, c->rule->at,
		    "table %s: a large value of %s that an update leaves alone %s by esbulk-write",
		    c->relation->name, buf_cstr(&names), effects[c->rule->toast]);
	else if (n > 0)
		problem_warning(c->problems, c->rule->at,
		    "table %s: a large value of %s that an update leaves alone %s, by \"toast\"; %s",
		    c->relation->name, buf_cstr(&names), effects[c->rule->toast], c->full);
	buf_free(&names);
}

struct condition_check {
	const struct check *check;
	const struct condition *condition;
	const char *what;
};

static void
check_condition_column(void *arg, const char *name, bool is_old, size_t offset)
{
	const struct condition_check *cc = arg;
	const struct check *c = cc->check;
	int64_t column = relation_column(c->relation, name);

	/* Of old ones the compiler says it. */
	if (column < 0 || is_old)
		return;
	if (may_be_absent(c, (uint32_t)column))
		problem_warning(c->problems, condition_mark(cc->condition, offset),
		    "table %s: %s needs column \"%s\": an update that leaves a large value of it "
		    "alone is rejected; %s",
		    c->relation->name, cc->what, name, c->full);
	if (c->relation->identity != 'f' && !c->relation->column[column].in_identity &&
	    has_deletes(c) && c->rule->on[CHANGE_DELETE] != DO_DELETE)
		problem_warning(c->problems, condition_mark(cc->condition, offset),
		    "table %s: %s needs column \"%s\", which deletes do not bring: they are "
		    "rejected; %s",
		    c->relation->name, cc->what, name, c->full);
}

static void
check_condition(const struct check *c, const struct condition *condition, const char *what)
{
	struct condition_check cc = { .check = c, .condition = condition, .what = what };

	if (condition->expr != NULL)
		expr_columns(condition->expr, check_condition_column, &cc);
}

/* Those that never change are enough for an update, if they come; of others the compiler says it. */
static void
check_stable(const struct check *c)
{
	for (size_t i = 0; i < c->plan->identities; i++) {
		uint32_t column = c->plan->identity[i];
		const char *name = c->relation->column[column].name;

		if (fields_has_column(&c->rule->stable, name) && may_be_absent(c, column))
			problem_warning(c->problems, c->rule->at,
			    "table %s: index, id or routing needs column \"%s\": an update that leaves "
			    "a large value of it alone is rejected; %s",
			    c->relation->name, name, c->full);
	}
}

static void
check_old_rows(const struct check *c)
{
	enum reaction delete = c->rule->on[CHANGE_DELETE];

	if (is_full(c))
		return;
	if (c->rule->on[CHANGE_UPDATE] == DO_PARTIAL && has_updates(c))
		problem_warning(c->problems, c->rule->at,
		    "table %s: without an old row nobody knows what an update changed: a partial "
		    "update sends all columns that came; %s",
		    c->relation->name, c->full);
	if ((delete == DO_INDEX || delete == DO_CREATE) && has_deletes(c))
		problem_warning(c->problems, c->rule->at,
		    "table %s: a deleted row's document can have the columns of the replica identity "
		    "alone; %s",
		    c->relation->name, c->full);
}

void
check_plan(const struct catalog_table *t, const struct plan *plan, struct problems *p)
{
	struct check c = { .table = t,
		.relation = t->relation,
		.plan = plan,
		.rule = plan->rule,
		.problems = p,
		.full = compiler_full_remedy(t->relation) };

	check_published(&c);
	check_unique(&c);
	check_index_length(&c);
	check_id_length(&c);
	check_nulls(&c, &plan->index, c.rule->index.at);
	if (c.rule->id.parts > 0)
		check_nulls(&c, &plan->id, c.rule->id.at);
	check_nulls(&c, &plan->routing, c.rule->routing.at);
	check_toast(&c);
	check_stable(&c);
	check_condition(&c, &c.rule->where, "where");
	check_condition(&c, &c.rule->delete_when, "delete_when");
	check_old_rows(&c);
	check_fields(t, plan, p);
	check_values(t, plan, p);
	free(c.full);
}
