#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "plan.h"

/* What compiles one plan. */
struct compiler {
	struct plan *plan;
	const char *file;
	const struct rule *rule;
	const struct relation *relation;
	struct buf place; /* file:line:col, for logs */
};

static const char *
place(struct compiler *c, struct mark at)
{
	c->place.len = 0;
	buf_printf(&c->place, "%s:%u:%u", c->file, at.line, at.column);
	return buf_cstr(&c->place);
}

/* Leave an error; the first one stays. */
static void __attribute__((format(printf, 3, 4)))
fail(struct compiler *c, struct mark at, const char *fmt, ...)
{
	struct buf b = { 0 };
	va_list ap;
	char *text;

	if (c->plan->error != NULL)
		return;
	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		oom();
	va_end(ap);
	buf_printf(&b, "%s: table %s: %s", place(c, at), c->relation->name, text);
	free(text);
	c->plan->error = buf_cstr(&b);
}

static void
warn_unknown(struct compiler *c, const char *key, const struct column_name *name)
{
	log_warn("the rule names a column that the table does not have",
	    kv_str("table", c->relation->name), kv_str("column", name->column),
	    kv_str("key", key), kv_str("rule", place(c, name->at)));
}

/* A column for a template, or an error. */
static bool
find_column(struct compiler *c, const char *name, struct mark at, uint32_t *column)
{
	int64_t i = relation_column(c->relation, name);

	if (i < 0) {
		fail(c, at, "no column \"%s\"", name);
		return false;
	}
	*column = (uint32_t)i;
	return true;
}

static struct value_class
class_of(const struct compiler *c, uint32_t column)
{
	return render_class(&c->relation->column[column]);
}

/*
 * Texts
 */

/* Add a column; literal, the text before it, is taken over and emptied. */
static void
add_piece(struct compiler *c, struct plan_text *t, struct buf *literal, uint32_t column)
{
	t->piece = xrealloc(t->piece, (t->pieces + 1) * sizeof(*t->piece));
	t->piece[t->pieces++] = (struct plan_piece) { .before = literal->data,
		.before_len = literal->len,
		.column = column,
		.class = class_of(c, column) };
	*literal = (struct buf) { 0 };
}

static void
add_literal(struct compiler *c, const struct template_part *part, struct buf *literal)
{
	switch (part->kind) {
	case TEMPLATE_TEXT: buf_add(literal, part->text, part->len); break;
	case TEMPLATE_SCHEMA: buf_adds(literal, c->relation->schema); break;
	case TEMPLATE_TABLE: buf_adds(literal, c->relation->table); break;
	case TEMPLATE_COLUMN: break;
	}
	if ((part->kind == TEMPLATE_SCHEMA || part->kind == TEMPLATE_TABLE) &&
	    relation_column(c->relation, part->text) >= 0)
		log_warn("a template names the table's or schema's name, not the column so called",
		    kv_str("table", c->relation->name), kv_str("column", part->text),
		    kv_str("rule", place(c, c->rule->at)));
}

static void
compile_text(struct compiler *c, const struct template *t, const char *what,
    struct plan_text *out)
{
	struct buf literal = { 0 };
	uint32_t column;

	*out = (struct plan_text) { .what = what };
	for (size_t i = 0; i < t->parts; i++) {
		if (t->part[i].kind != TEMPLATE_COLUMN)
			add_literal(c, &t->part[i], &literal);
		else if (find_column(c, t->part[i].text, t->at, &column))
			add_piece(c, out, &literal, column);
	}
	out->tail = literal.data;
	out->tail_len = literal.len;
}

static void
free_text(struct plan_text *t)
{
	for (size_t i = 0; i < t->pieces; i++)
		free(t->piece[i].before);
	free(t->piece);
	free(t->tail);
}

/* The primary key; a composite one with bars between its escaped parts. */
static void
compile_key(struct compiler *c, struct plan_text *out)
{
	const struct relation *rel = c->relation;
	struct buf literal = { 0 };

	*out = (struct plan_text) { .what = "id", .escape = rel->key_columns > 1 };
	if (rel->key_columns == 0)
		fail(c, c->rule->at,
		    "it has no primary key, so its rule needs an \"id\", such as id: \"{%s}\"",
		    rel->columns > 0 ? rel->column[0].name : "column");
	for (uint32_t i = 0; i < rel->key_columns; i++) {
		if (i > 0)
			buf_addc(&literal, '|');
		add_piece(c, out, &literal, rel->key[i]);
	}
}

static void
compile_index(struct compiler *c)
{
	struct plan_text *t = &c->plan->index;
	const char *why;

	compile_text(c, &c->rule->index, "index", t);
	/* The texts were checked when the file was read, the table's name was not. */
	if (t->pieces > 0)
		return;
	why = mapping_index_problem(t->tail, t->tail_len, true);
	if (why != NULL)
		fail(c, c->rule->index.at, "index \"%.*s\": %s", (int)t->tail_len, t->tail, why);
}

/* Which columns decide which document a row is? */
static void
collect_identity(struct compiler *c)
{
	struct plan *p = c->plan;
	const struct plan_text *texts[] = { &p->index, &p->id, &p->routing };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		for (size_t k = 0; k < texts[i]->pieces; k++) {
			uint32_t column = texts[i]->piece[k].column;
			size_t seen = 0;

			while (seen < p->identities && p->identity[seen] != column)
				seen++;
			if (seen < p->identities)
				continue;
			p->identity =
			    xrealloc(p->identity, (p->identities + 1) * sizeof(*p->identity));
			p->identity[p->identities++] = column;
		}
}

/* Deletes bring the replica identity only, and updates that leave it alone no old row. */
static void
check_identity(struct compiler *c)
{
	const struct relation *rel = c->relation;
	struct buf remedy = { 0 };

	c->plan->unseen = PLAN_NO_COLUMN;
	if ((rel->identity != 'd' && rel->identity != 'i') ||
	    (c->rule->ignore_update && c->rule->ignore_delete))
		return;
	for (size_t i = 0; i < c->plan->identities; i++) {
		const struct relation_column *column = &rel->column[c->plan->identity[i]];

		if (column->in_identity)
			continue;
		c->plan->unseen = c->plan->identity[i];
		remedy.len = 0;
		buf_printf(&remedy, "ALTER TABLE %s REPLICA IDENTITY FULL", rel->name);
		log_warn("index, id or routing needs a column outside the replica identity: "
			 "updates and deletes will be rejected",
		    kv_str("table", rel->name), kv_str("column", column->name),
		    kv_str("rule", place(c, c->rule->at)), kv_str("remedy", buf_cstr(&remedy)));
	}
	buf_free(&remedy);
}

/*
 * Fields
 */

static const struct column_name *
find_name(const struct column_names *names, const char *column)
{
	for (size_t i = 0; i < names->n; i++)
		if (strcmp(names->list[i].column, column) == 0)
			return &names->list[i];
	return NULL;
}

static bool
is_set(const struct rule *rule, const char *field)
{
	for (size_t i = 0; i < rule->sets; i++)
		if (strcmp(rule->set[i].field, field) == 0)
			return true;
	return false;
}

static struct plan_field *
add_field(struct compiler *c, enum plan_kind kind, const char *name, struct mark at)
{
	struct plan *p = c->plan;
	struct plan_field *f;
	struct buf before = { 0 };

	for (size_t i = 0; i < p->fields; i++)
		if (strcmp(p->field[i].name, name) == 0)
			fail(c, at, "two columns would become field \"%s\"", name);
	p->field = xrealloc(p->field, (p->fields + 1) * sizeof(*p->field));
	f = &p->field[p->fields++];
	buf_addc(&before, ',');
	render_string(&before, name, strlen(name));
	buf_addc(&before, ':');
	*f = (struct plan_field) { .kind = kind,
		.before = before.data,
		.before_len = before.len,
		.name = xstrdup(name) };
	return f;
}

static void
add_columns(struct compiler *c)
{
	const struct rule *rule = c->rule;

	for (uint32_t i = 0; i < c->relation->columns; i++) {
		const char *column = c->relation->column[i].name;
		const struct column_name *renamed = find_name(&rule->rename, column);
		const char *name = renamed != NULL ? renamed->field : column;
		struct plan_field *f;

		if (rule->has_include ? find_name(&rule->include, column) == NULL
		                      : find_name(&rule->exclude, column) != NULL)
			continue;
		/* set takes the place of a column's field. */
		if (is_set(rule, name))
			continue;
		f = add_field(c, PLAN_NEW, name, renamed != NULL ? renamed->at : rule->at);
		f->column = i;
		f->class = class_of(c, i);
	}
}

static void
add_old(struct compiler *c)
{
	for (size_t i = 0; i < c->rule->old.n; i++) {
		const struct column_name *name = &c->rule->old.list[i];
		struct plan_field *f = add_field(c, PLAN_OLD, name->field, name->at);
		int64_t column = relation_column(c->relation, name->column);

		f->column = column < 0 ? PLAN_NO_COLUMN : (uint32_t)column;
		if (column < 0)
			continue;
		f->class = class_of(c, f->column);
		if (!c->relation->column[column].in_identity)
			log_info("an old value is outside the replica identity: it will be null",
			    kv_str("table", c->relation->name), kv_str("column", name->column),
			    kv_str("rule", place(c, name->at)));
	}
}

static void
add_constant(struct plan_field *f, const char *json, size_t len)
{
	struct buf b = { 0 };

	buf_add(&b, f->before, f->before_len);
	buf_add(&b, json, len);
	free(f->before);
	f->before = b.data;
	f->before_len = b.len;
	f->kind = PLAN_CONSTANT;
}

static void
add_set(struct compiler *c)
{
	for (size_t i = 0; i < c->rule->sets; i++) {
		const struct set_field *set = &c->rule->set[i];
		struct plan_field *f = add_field(c, PLAN_TEXT, set->field, set->at);
		struct plan_text *t = &f->text;

		if (set->json != NULL) {
			add_constant(f, set->json, strlen(set->json));
			continue;
		}
		compile_text(c, &set->value, f->name, t);
		if (t->pieces == 0) {
			struct buf json = { 0 };

			render_string(&json, t->tail, t->tail_len);
			add_constant(f, json.data, json.len);
			buf_free(&json);
		} else if (set->value.parts == 1) {
			/* Nothing but one column keeps that column's type. */
			f->kind = PLAN_NEW;
			f->column = t->piece[0].column;
			f->class = t->piece[0].class;
		}
	}
}

static void
check_names(struct compiler *c, const char *key, const struct column_names *names)
{
	for (size_t i = 0; i < names->n; i++)
		if (relation_column(c->relation, names->list[i].column) < 0)
			warn_unknown(c, key, &names->list[i]);
}

struct plan *
plan_new(const struct mapping *m, const struct rule *rule, const struct relation *rel)
{
	struct plan *p = xcalloc(1, sizeof(*p));
	struct compiler c = { .plan = p, .file = m->file, .rule = rule, .relation = rel };

	p->rule = rule;
	p->relation = rel;
	p->policy = &m->policy;
	p->body_head = 2;
	compile_index(&c);
	if (rule->id.parts > 0)
		compile_text(&c, &rule->id, "id", &p->id);
	else
		compile_key(&c, &p->id);
	p->has_routing = rule->routing.parts > 0;
	if (p->has_routing)
		compile_text(&c, &rule->routing, "routing", &p->routing);
	collect_identity(&c);
	check_identity(&c);
	check_names(&c, "include", &rule->include);
	check_names(&c, "exclude", &rule->exclude);
	check_names(&c, "rename", &rule->rename);
	check_names(&c, "old", &rule->old);
	add_columns(&c);
	add_old(&c);
	add_set(&c);
	log_debug("table is mapped", kv_str("table", rel->name), kv_str("rule", place(&c, rule->at)));
	buf_free(&c.place);
	return p;
}

void
plan_free(struct plan *p)
{
	if (p == NULL)
		return;
	for (size_t i = 0; i < p->fields; i++) {
		free(p->field[i].before);
		free(p->field[i].name);
		free_text(&p->field[i].text);
	}
	free(p->field);
	free_text(&p->index);
	free_text(&p->id);
	free_text(&p->routing);
	free(p->identity);
	free(p->error);
	free(p);
}
