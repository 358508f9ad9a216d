#include <string.h>

#include "row.h"

/*
 * Which rows have a document
 */

enum match {
	MATCH_NO,
	MATCH_YES,
	MATCH_UNKNOWN, /* a value that decides was not sent, or cannot be cast */
};

static enum match
unknown(struct action_writer *w, struct expr_plan *e, enum expr_truth truth, const char *what,
    const struct expr_row *row, struct failure *why)
{
	bool old = false;

	*why = (struct failure) { .kind = FAIL_CONDITION,
		.what = what,
		.column = PLAN_NO_COLUMN,
		.result = RENDER_FAULT };
	if (truth == EXPR_ABSENT) {
		why->result = RENDER_ABSENT;
		why->column = expr_absent_column(e, &old);
		why->old = old || row->row == row->old;
	} else {
		w->document.renderer.why.len = 0;
		buf_adds(&w->document.renderer.why, expr_fault(e));
	}
	return MATCH_UNKNOWN;
}

static enum match
matches(struct action_writer *w, const struct plan *plan, const struct expr_row *row,
    struct failure *why)
{
	enum expr_truth where = EXPR_TRUE, gone = EXPR_FALSE;

	if (plan->where != NULL)
		where = expr_test(plan->where, row);
	if (where == EXPR_FALSE || where == EXPR_NULL)
		return MATCH_NO;
	if (plan->delete_when != NULL)
		gone = expr_test(plan->delete_when, row);
	if (gone == EXPR_TRUE)
		return MATCH_NO;
	if (where != EXPR_TRUE)
		return unknown(w, plan->where, where, "where", row, why);
	if (gone != EXPR_FALSE && gone != EXPR_NULL)
		return unknown(w, plan->delete_when, gone, "delete_when", row, why);
	return MATCH_YES;
}

static bool
has_condition(const struct plan *plan)
{
	return plan->where != NULL || plan->delete_when != NULL;
}

/*
 * Rows that are there
 */

static void
react(struct action_writer *w, struct plan *plan, enum reaction reaction, const struct row *row)
{
	switch (reaction) {
	case DO_INDEX: action_index(w, plan, row, NULL); break;
	case DO_CREATE: action_create(w, plan, row); break;
	case DO_DELETE: action_delete(w, plan, row); break;
	case DO_PARTIAL: action_partial(w, plan, row); break;
	case DO_SCRIPT: action_script(w, plan, row); break;
	case DO_IGNORE: w->counters.ignored++; break;
	}
}

void
row_new(struct action_writer *w, struct plan *plan, const msgpack_object *new,
    enum change change)
{
	const struct row row = { .new = new, .change = change };
	enum reaction reaction = plan->rule->on[change];
	struct failure why;

	if (has_condition(plan) && reaction != DO_IGNORE) {
		const struct expr_row values = { .row = new, .inserted = true };
		enum match match = matches(w, plan, &values, &why);

		if (match == MATCH_NO) {
			w->counters.filtered++;
			return;
		}
		if (match == MATCH_UNKNOWN) {
			action_reject(w, plan, &row, &why);
			return;
		}
	}
	react(w, plan, reaction, &row);
}

/*
 * Does what a row was like last tell whether it had a document?  Not where updates leave the
 * document alone, nor where it depends on what the row was like before.
 */
static bool
tells(const struct plan *plan)
{
	enum reaction update = plan->rule->on[CHANGE_UPDATE];

	return (update == DO_INDEX || update == DO_PARTIAL) && !plan->looks_back;
}

void
row_delete(struct action_writer *w, struct plan *plan, const msgpack_object *old)
{
	const struct row row = { .old = old, .change = CHANGE_DELETE };
	enum reaction reaction = plan->rule->on[CHANGE_DELETE];
	struct failure why;

	if (has_condition(plan) && reaction != DO_IGNORE) {
		const struct expr_row values = { .row = old, .old = old };
		enum match match = matches(w, plan, &values, &why);

		if (match == MATCH_NO && (reaction != DO_DELETE || tells(plan))) {
			w->counters.filtered++;
			return;
		}
		/* A document that is not there may be deleted; nothing else can be done. */
		if (match == MATCH_UNKNOWN && reaction != DO_DELETE) {
			action_reject(w, plan, &row, &why);
			return;
		}
	}
	react(w, plan, reaction, &row);
}

/*
 * Updates
 */

/* Did a column change that index, id or routing are made of? */
static bool
may_move(const struct plan *plan, const struct row *row)
{
	for (size_t i = 0; i < plan->identities; i++) {
		uint32_t column = plan->identity[i];

		/* Unchanged, says the server. */
		if (frame_is_absent(&row->new[column]))
			continue;
		if (!document_same_value(&row->new[column], &row->old[column]))
			return true;
	}
	return false;
}

static bool
same_identity(const struct action_writer *w)
{
	for (int i = 0; i < 3; i++)
		if (w->was[i].len != w->is[i].len ||
		    (w->is[i].len > 0 &&
		        memcmp(w->was[i].data, w->is[i].data, w->is[i].len) != 0))
			return false;
	return true;
}

enum moved { MOVED_NOT, MOVED, MOVED_FROM_NOWHERE, MOVED_UNKNOWN };

/* Did the document move?  Then was has where it was. */
static enum moved
find_move(struct action_writer *w, const struct plan *plan, const struct row *row,
    struct failure *why)
{
	const struct row before = { .old = row->old, .change = CHANGE_UPDATE };

	if (row->old == NULL && plan->unseen != PLAN_NO_COLUMN) {
		*why = (struct failure) { .kind = FAIL_UNSEEN, .column = plan->unseen };
		return MOVED_UNKNOWN;
	}
	if (row->old == NULL || !may_move(plan, row))
		return MOVED_NOT;
	if (action_identity(w, plan, &before, w->was, why)) {
		struct failure ignored;

		/* What is wrong with the new one is said when its action is made. */
		return action_identity(w, plan, row, w->is, &ignored) && same_identity(w)
		    ? MOVED_NOT
		    : MOVED;
	}
	/* Else the old row had no document: it was rejected for what its identity was. */
	return action_is_unknown(why) ? MOVED_UNKNOWN : MOVED_FROM_NOWHERE;
}

/* Had the old row a document? */
static enum match
had_document(struct action_writer *w, const struct plan *plan, const struct row *row)
{
	const struct expr_row values = { .row = row->old, .old = row->old };
	struct failure ignored;

	if (!has_condition(plan))
		return MATCH_YES;
	return row->old == NULL || !tells(plan) ? MATCH_UNKNOWN
	                                        : matches(w, plan, &values, &ignored);
}

/* An update of a row whose document is to be as the row is. */
static void
follow(struct action_writer *w, struct plan *plan, enum reaction reaction,
    const struct row *row, bool has)
{
	struct failure why;
	enum moved moved = find_move(w, plan, row, &why);
	enum match had = had_document(w, plan, row);

	if (moved == MOVED_UNKNOWN) {
		action_reject(w, plan, row, &why);
	} else if (!has) {
		/* Where nobody knows: a delete too many is harmless. */
		if (had == MATCH_NO || moved == MOVED_FROM_NOWHERE)
			w->counters.filtered++;
		else if (moved == MOVED)
			action_delete(w, plan, &(struct row) { .old = row->old,
			                           .change = CHANGE_UPDATE });
		else
			action_delete(w, plan, row);
	} else if (moved == MOVED && had != MATCH_NO) {
		action_index(w, plan, row, w->was);
	} else if (moved != MOVED_NOT || had != MATCH_YES) {
		/* The whole document: there may be none to be updated in part. */
		action_index(w, plan, row, NULL);
	} else {
		react(w, plan, reaction, row);
	}
}

/* The old row with the values that were not sent with it, but which the rule says never change. */
static const msgpack_object *
with_stable(struct action_writer *w, const struct plan *plan, const msgpack_object *new,
    const msgpack_object *old)
{
	uint32_t columns = plan->relation->columns;

	if (old == NULL || plan->stables == 0)
		return old;
	w->old.len = 0;
	buf_add(&w->old, (const char *)old, columns * sizeof(*old));
	for (size_t i = 0; i < plan->stables; i++) {
		uint32_t column = plan->stable[i];

		if (frame_is_absent(&old[column]))
			memcpy(w->old.data + column * sizeof(*old), &new[column], sizeof(*old));
	}
	return (const msgpack_object *)(const void *)w->old.data;
}

void
row_update(struct action_writer *w, struct plan *plan, const msgpack_object *new,
    const msgpack_object *sent)
{
	const msgpack_object *old = with_stable(w, plan, new, sent);
	const struct row row = { .new = new, .old = old, .change = CHANGE_UPDATE };
	enum reaction reaction = plan->rule->on[CHANGE_UPDATE];
	enum match match = MATCH_YES;
	struct failure why;

	if (has_condition(plan) && reaction != DO_IGNORE) {
		const struct expr_row values = { .row = new, .old = old };

		match = matches(w, plan, &values, &why);
	}
	if (match == MATCH_UNKNOWN)
		action_reject(w, plan, &row, &why);
	else if (reaction == DO_INDEX || reaction == DO_PARTIAL)
		follow(w, plan, reaction, &row, match == MATCH_YES);
	else if (match == MATCH_NO)
		w->counters.filtered++;
	else
		react(w, plan, reaction, &row);
}
