#include <stdlib.h>
#include <string.h>

#include "compiler.h"
#include "log.h"
#include "rule.h"

static bool
is_set(const struct rule *rule, const char *field)
{
	for (size_t i = 0; i < rule->set.children; i++)
		if (strcmp(rule->set.child[i].name, field) == 0)
			return true;
	return false;
}

static void
put_name(struct buf *b, const char *name)
{
	quote_string(b, name, strlen(name));
	buf_addc(b, ':');
}

static struct plan_field *
add_field(struct compiler *c, struct plan_document *doc, const char *name, struct mark at)
{
	struct plan_field *f;
	struct buf head = { 0 };

	for (size_t i = 0; i < doc->fields; i++)
		if (strcmp(doc->field[i].name, name) == 0)
			compiler_fail(c, at, "two columns would become field \"%s\"", name);
	doc->field = xrealloc(doc->field, (doc->fields + 1) * sizeof(*doc->field));
	f = &doc->field[doc->fields++];
	buf_addc(&head, ',');
	put_name(&head, name);
	*f = (struct plan_field) { .head_len = head.len, .name = xstrdup(name) };
	f->head = buf_take(&head);
	return f;
}

/* Add a slot; before is taken over and emptied. */
static struct plan_slot *
add_slot(struct plan_field *f, enum slot_kind kind, struct buf *before)
{
	struct plan_slot *s;

	f->slot = xrealloc(f->slot, (f->slots + 1) * sizeof(*f->slot));
	s = &f->slot[f->slots++];
	*s = (struct plan_slot) { .kind = kind,
		.before_len = before->len,
		.column = PLAN_NO_COLUMN };
	s->before = buf_take(before);
	return s;
}

static void
set_column(struct compiler *c, struct plan_slot *s, uint32_t column)
{
	s->column = column;
	s->class = render_class(&c->relation->column[column]);
	s->convert = fields_find(&c->rule->convert, c->relation->column[column].name);
}

/* The slot of a field that is one column. */
static struct plan_slot *
add_column_slot(struct plan_field *f, enum slot_kind kind)
{
	struct buf before = { 0 };

	buf_add(&before, f->head, f->head_len);
	return add_slot(f, kind, &before);
}

/*
 * Values that the file gives
 */

static void
compile_template(
    struct compiler *c, struct plan_field *f, const struct given *g, struct buf *pending)
{
	struct plan_text text;
	struct plan_slot *s;

	compiler_text(c, &g->template, f->name, &text);
	if (text.pieces == 0) {
		quote_string(pending, text.tail, text.tail_len);
		compiler_free_text(&text);
		return;
	}
	s = add_slot(f, SLOT_TEXT, pending);
	s->text = text;
	/* Nothing but one column keeps that column's type. */
	if (g->template.parts == 1 && text.piece[0].kind == PIECE_COLUMN &&
	    text.piece[0].filters == 0) {
		s->kind = SLOT_NEW;
		set_column(c, s, text.piece[0].column);
		/* Its members are fields of the document, not of this one. */
		if (s->convert != NULL && s->convert->conversion == CONVERT_FLATTEN)
			s->convert = NULL;
	}
}

/* pending is text that has no slot yet. */
static void
compile_given(
    struct compiler *c, struct plan_field *f, const struct given *g, struct buf *pending)
{
	switch (g->kind) {
	case GIVEN_CONSTANT: buf_adds(pending, g->json); break;
	case GIVEN_TEMPLATE: compile_template(c, f, g, pending); break;
	case GIVEN_OBJECT:
	case GIVEN_LIST:
		buf_addc(pending, g->kind == GIVEN_LIST ? '[' : '{');
		for (size_t i = 0; i < g->children; i++) {
			if (i > 0)
				buf_addc(pending, ',');
			if (g->kind == GIVEN_OBJECT)
				put_name(pending, g->child[i].name);
			compile_given(c, f, &g->child[i], pending);
		}
		buf_addc(pending, g->kind == GIVEN_LIST ? ']' : '}');
		break;
	}
}

void
compiler_given(struct compiler *c, const struct given *object, struct plan_document *doc)
{
	for (size_t i = 0; i < object->children; i++) {
		const struct given *g = &object->child[i];
		struct plan_field *f = add_field(c, doc, g->name, g->at);
		struct buf pending = { 0 };

		buf_add(&pending, f->head, f->head_len);
		compile_given(c, f, g, &pending);
		if (pending.len > 0)
			add_slot(f, SLOT_CONSTANT, &pending);
	}
}

/*
 * Columns
 */

static void
add_columns(struct compiler *c)
{
	const struct rule *rule = c->rule;

	for (uint32_t i = 0; i < c->relation->columns; i++) {
		const char *column = c->relation->column[i].name;
		const struct column_name *renamed = fields_find(&rule->rename, column);
		const char *name = renamed != NULL ? renamed->text : column;
		struct plan_field *f;

		if (rule->has_include ? fields_find(&rule->include, column) == NULL
		                      : fields_find(&rule->exclude, column) != NULL)
			continue;
		/* set takes the place of a column's field. */
		if (is_set(rule, name))
			continue;
		f = add_field(c, &c->plan->document, name,
		    renamed != NULL ? renamed->at : rule->at);
		set_column(c, add_column_slot(f, SLOT_NEW), i);
	}
}

static void
warn_old(struct compiler *c, const struct column_name *name)
{
	char *remedy = compiler_full_remedy(c->relation);

	compiler_warn(c, LOG_INFO, name->at, remedy,
	    "the old value of \"%s\" is outside the replica identity: field \"%s\" is null",
	    name->column, name->text);
	free(remedy);
}

static void
add_old(struct compiler *c)
{
	for (size_t i = 0; i < c->rule->old.n; i++) {
		const struct column_name *name = &c->rule->old.list[i];
		struct plan_field *f = add_field(c, &c->plan->document, name->text, name->at);
		struct plan_slot *s = add_column_slot(f, SLOT_OLD);
		int64_t column = relation_column(c->relation, name->column);

		f->updates_only = true;
		if (column < 0)
			continue;
		set_column(c, s, (uint32_t)column);
		if (s->convert != NULL && s->convert->conversion == CONVERT_FLATTEN)
			s->convert = NULL;
		if (!c->relation->column[column].in_identity)
			warn_old(c, name);
	}
}

void
compiler_document(struct compiler *c)
{
	add_columns(c);
	add_old(c);
	compiler_given(c, &c->rule->set, &c->plan->document);
}

void
compiler_free_document(struct plan_document *doc)
{
	for (size_t i = 0; i < doc->fields; i++) {
		struct plan_field *f = &doc->field[i];

		for (size_t k = 0; k < f->slots; k++) {
			free(f->slot[k].before);
			compiler_free_text(&f->slot[k].text);
		}
		free(f->slot);
		free(f->head);
		free(f->name);
	}
	free(doc->field);
}
