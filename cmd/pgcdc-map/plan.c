#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compiler.h"
#include "log.h"
#include "rule.h"

const char *
compiler_place(struct compiler *c, struct mark at)
{
	c->place.len = 0;
	buf_printf(&c->place, "%s:%u:%u", c->file, at.line, at.column);
	return buf_cstr(&c->place);
}

void
compiler_fail(struct compiler *c, struct mark at, const char *fmt, ...)
{
	struct buf b = { 0 };
	va_list ap;
	char *text;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		oom();
	va_end(ap);
	if (c->problems != NULL)
		problem_error(c->problems, at, "table %s: %s", c->relation->name, text);
	if (c->plan->error == NULL) {
		buf_printf(&b, "%s: table %s: %s", compiler_place(c, at), c->relation->name, text);
		c->plan->error = buf_cstr(&b);
	}
	free(text);
}

void
compiler_warn(struct compiler *c, enum log_level level, struct mark at, const char *remedy,
    const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		oom();
	va_end(ap);
	if (c->problems == NULL)
		log_at(level, text, kv_str("table", c->relation->name),
		    kv_str("rule", compiler_place(c, at)), kv_str("remedy", remedy));
	else
		problem_warning(c->problems, at, "table %s: %s%s%s", c->relation->name, text,
		    remedy != NULL ? "; " : "", remedy != NULL ? remedy : "");
	free(text);
}

char *
compiler_full_remedy(const struct relation *rel)
{
	struct buf b = { 0 };

	buf_adds(&b, "ALTER TABLE ");
	quote_identifier(&b, rel->schema);
	buf_addc(&b, '.');
	quote_identifier(&b, rel->table);
	buf_adds(&b, " REPLICA IDENTITY FULL");
	return buf_cstr(&b);
}

/*
 * Texts
 */

/* Add a piece; literal, the text before it, is taken over and emptied. */
static struct plan_piece *
add_piece(struct plan_text *t, enum piece_kind kind, struct buf *literal)
{
	t->piece = xrealloc(t->piece, (t->pieces + 1) * sizeof(*t->piece));
	t->piece[t->pieces] = (struct plan_piece) { .kind = kind,
		.before_len = literal->len,
		.column = PLAN_NO_COLUMN };
	t->piece[t->pieces].before = buf_take(literal);
	return &t->piece[t->pieces++];
}

static void
add_column(struct compiler *c, struct plan_text *t, struct buf *literal, uint32_t column)
{
	struct plan_piece *piece = add_piece(t, PIECE_COLUMN, literal);

	piece->column = column;
	piece->class = render_class(&c->relation->column[column]);
}

/* {schema} or {table}: known now, filters and all. */
static void
add_name(struct compiler *c, const struct template *t, const struct template_part *part,
    struct buf *literal)
{
	const struct relation *rel = c->relation;
	size_t start = literal->len;
	struct buf scratch = { 0 };
	const char *why;

	buf_adds(literal, part->kind == TEMPLATE_SCHEMA ? rel->schema : rel->table);
	filters_apply(part->filter, part->filters, literal, start, false, &scratch, &why);
	buf_free(&scratch);
	if (why != NULL)
		compiler_fail(c, t->at, "{%s} %s", part->text, why);
}

/* A word that means something else than the column of that name. */
static void
warn_word(struct compiler *c, struct mark at, const struct template_part *part)
{
	if (relation_column(c->relation, part->text) >= 0)
		compiler_warn(c, LOG_WARN, at, NULL,
		    "{%s} has a meaning of its own, and there is a column of that name, which "
		    "would be {\"%s\"}",
		    part->text, part->text);
}

static void
add_part(struct compiler *c, const struct template *t, const struct template_part *part,
    struct plan_text *out, struct buf *literal)
{
	static const enum piece_kind kinds[] = { [TEMPLATE_COLUMN] = PIECE_COLUMN,
		[TEMPLATE_OP] = PIECE_OP, [TEMPLATE_LSN] = PIECE_LSN,
		[TEMPLATE_SEQ] = PIECE_SEQ,
		[TEMPLATE_TIME] = PIECE_TIME };
	int64_t column = 0;

	switch (part->kind) {
	case TEMPLATE_TEXT: buf_add(literal, part->text, part->len); return;
	case TEMPLATE_SCHEMA:
	case TEMPLATE_TABLE:
		warn_word(c, t->at, part);
		add_name(c, t, part, literal);
		return;
	case TEMPLATE_COLUMN:
		column = relation_column(c->relation, part->text);
		if (column < 0) {
			compiler_fail(c, t->at, "no column \"%s\"", part->text);
			return;
		}
		add_column(c, out, literal, (uint32_t)column);
		break;
	case TEMPLATE_OP:
	case TEMPLATE_LSN:
	case TEMPLATE_SEQ:
	case TEMPLATE_TIME:
		warn_word(c, t->at, part);
		add_piece(out, kinds[part->kind], literal);
		break;
	}
	out->piece[out->pieces - 1].filter = part->filter;
	out->piece[out->pieces - 1].filters = part->filters;
}

void
compiler_text(
    struct compiler *c, const struct template *t, const char *what, struct plan_text *out)
{
	struct buf literal = { 0 };

	*out = (struct plan_text) { .what = what };
	for (size_t i = 0; i < t->parts; i++)
		add_part(c, t, &t->part[i], out, &literal);
	out->tail_len = literal.len;
	out->tail = buf_take(&literal);
}

void
compiler_free_text(struct plan_text *t)
{
	for (size_t i = 0; i < t->pieces; i++)
		free(t->piece[i].before);
	free(t->piece);
	free(t->tail);
}

/*
 * Which document
 */

/* The primary key; a composite one with bars between its escaped parts. */
static void
compile_key(struct compiler *c, struct plan_text *out)
{
	const struct relation *rel = c->relation;
	struct buf literal = { 0 };

	*out = (struct plan_text) { .what = "id", .escape = rel->key_columns > 1 };
	if (rel->key_columns == 0)
		compiler_fail(c, c->rule->at,
		    "it has no primary key, so its rule needs an \"id\", such as id: \"{%s}\"",
		    rel->columns > 0 ? rel->column[0].name : "column");
	for (uint32_t i = 0; i < rel->key_columns; i++) {
		if (i > 0)
			buf_addc(&literal, '|');
		add_column(c, out, &literal, rel->key[i]);
	}
}

static void
compile_index(struct compiler *c)
{
	struct plan_text *t = &c->plan->index;
	const char *why;

	compiler_text(c, &c->rule->index, "index", t);
	/* The texts were checked when the file was read, the table's name was not. */
	if (t->pieces > 0)
		return;
	why = mapping_index_problem(t->tail, t->tail_len, true);
	if (why != NULL)
		compiler_fail(
		    c, c->rule->index.at, "index \"%.*s\": %s", (int)t->tail_len, t->tail, why);
}

char *
plan_pattern(const struct plan_text *t)
{
	struct buf b = { 0 };

	for (size_t i = 0; i < t->pieces; i++) {
		buf_add(&b, t->piece[i].before, t->piece[i].before_len);
		if (b.len == 0 || b.data[b.len - 1] != '*')
			buf_addc(&b, '*');
	}
	buf_add(&b, t->tail, t->tail_len);
	return buf_cstr(&b);
}

static void
compile_truncate(struct compiler *c)
{
	c->plan->truncate_index = plan_pattern(&c->plan->index);
	if (c->plan->truncate_index[0] == '*')
		compiler_fail(c, c->rule->truncate_at,
		    "truncate: delete needs an index that begins with text");
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
			if (seen < p->identities || column == PLAN_NO_COLUMN)
				continue;
			p->identity =
			    xrealloc(p->identity, (p->identities + 1) * sizeof(*p->identity));
			p->identity[p->identities++] = column;
		}
}

static void
compile_stable(struct compiler *c)
{
	const struct column_names *names = &c->rule->stable;
	struct plan *p = c->plan;

	if (names->n == 0)
		return;
	p->stable = xcalloc(names->n, sizeof(*p->stable));
	for (size_t i = 0; i < names->n; i++) {
		int64_t column = relation_column(c->relation, names->list[i].column);

		if (column >= 0)
			p->stable[p->stables++] = (uint32_t)column;
	}
}

/* Deletes bring the replica identity only, and updates that leave it alone no old row. */
static void
check_identity(struct compiler *c)
{
	const struct relation *rel = c->relation;
	const struct rule *rule = c->rule;
	bool moves = rule->on[CHANGE_UPDATE] == DO_INDEX || rule->on[CHANGE_UPDATE] == DO_PARTIAL;
	bool deletes = rule->on[CHANGE_DELETE] != DO_IGNORE;
	char *remedy;

	c->plan->unseen = PLAN_NO_COLUMN;
	if (rel->identity != 'd' && rel->identity != 'i')
		return;
	for (size_t i = 0; i < c->plan->identities; i++) {
		const struct relation_column *column = &rel->column[c->plan->identity[i]];
		bool unseen = moves && !fields_has_column(&rule->stable, column->name);

		if (column->in_identity || (!unseen && !deletes))
			continue;
		if (unseen)
			c->plan->unseen = c->plan->identity[i];
		remedy = compiler_full_remedy(rel);
		compiler_warn(c, LOG_WARN, rule->at, remedy,
		    "index, id or routing needs column \"%s\", which is outside the replica identity: "
		    "%s are rejected",
		    column->name,
		    !deletes     ? "updates without it"
		        : unseen ? "updates and deletes without it"
		                 : "deletes without it");
		free(remedy);
	}
}

/*
 * Conditions
 */

struct old_columns {
	struct compiler *c;
	const struct condition *condition;
};

/* An old value of a column that not all updates bring. */
static void
check_old_column(void *arg, const char *name, bool is_old, size_t offset)
{
	struct old_columns *o = arg;
	const struct relation *rel = o->c->relation;
	int64_t column = relation_column(rel, name);
	char *remedy;

	o->c->plan->looks_back |= is_old;
	if (!is_old || column < 0 || rel->column[column].in_identity || rel->identity == 'f')
		return;
	remedy = compiler_full_remedy(rel);
	compiler_warn(o->c, LOG_WARN, condition_mark(o->condition, offset), remedy,
	    "the condition needs old.%s, which is outside the replica identity: updates are "
	    "rejected where it decides",
	    name);
	free(remedy);
}

static struct expr_plan *
compile_condition(struct compiler *c, const struct condition *condition)
{
	struct old_columns old = { .c = c, .condition = condition };
	struct expr_problem problem;
	struct expr_plan *plan;

	if (condition->expr == NULL)
		return NULL;
	plan = expr_bind(condition->expr, c->relation, &problem);
	if (plan == NULL)
		compiler_fail(c, condition_mark(condition, problem.offset), "%s", problem.message);
	else
		expr_columns(condition->expr, check_old_column, &old);
	return plan;
}

/*
 * Scripts
 */

static void
compile_script(struct compiler *c)
{
	const struct script *script = &c->rule->script;
	const char *lang = script->lang != NULL ? script->lang : "painless";
	struct buf b = { 0 };

	if (script->source == NULL)
		return;
	buf_adds(&b, "{\"script\":{\"source\":");
	quote_string(&b, script->source, strlen(script->source));
	buf_adds(&b, ",\"lang\":");
	quote_string(&b, lang, strlen(lang));
	c->plan->script = buf_cstr(&b);
	compiler_given(c, &script->params, &c->plan->params);
	compiler_given(c, &script->upsert, &c->plan->upsert);
}

static void
check_names(struct compiler *c, const char *key, const struct column_names *names)
{
	for (size_t i = 0; i < names->n; i++)
		if (relation_column(c->relation, names->list[i].column) < 0)
			compiler_warn(c, LOG_WARN, names->list[i].at, NULL,
			    "%s names column \"%s\", a column that the table does not have", key,
			    names->list[i].column);
}

struct plan *
plan_new(const struct mapping *m, const struct rule *rule, const struct relation *rel,
    struct problems *problems)
{
	struct plan *p = xcalloc(1, sizeof(*p));
	struct compiler c = { .plan = p, .file = m->file, .rule = rule, .relation = rel,
		.problems = problems };

	p->rule = rule;
	p->relation = rel;
	p->policy = &m->policy;
	p->body_head = 2;
	compile_index(&c);
	if (rule->id.parts > 0)
		compiler_text(&c, &rule->id, "id", &p->id);
	else if (!rule->no_id)
		compile_key(&c, &p->id);
	p->has_routing = rule->routing.parts > 0;
	if (p->has_routing)
		compiler_text(&c, &rule->routing, "routing", &p->routing);
	p->has_pipeline = rule->pipeline.parts > 0;
	if (p->has_pipeline)
		compiler_text(&c, &rule->pipeline, "pipeline", &p->pipeline);
	if (rule->truncate == TRUNCATE_DELETE)
		compile_truncate(&c);
	collect_identity(&c);
	compile_stable(&c);
	check_identity(&c);
	check_names(&c, "include", &rule->include);
	check_names(&c, "exclude", &rule->exclude);
	check_names(&c, "rename", &rule->rename);
	check_names(&c, "old", &rule->old);
	check_names(&c, "types, split, join or flatten", &rule->convert);
	check_names(&c, "stable", &rule->stable);
	p->where = compile_condition(&c, &rule->where);
	p->delete_when = compile_condition(&c, &rule->delete_when);
	compiler_document(&c);
	compile_script(&c);
	if (problems == NULL)
		log_debug("table is mapped", kv_str("table", rel->name),
		    kv_str("rule", compiler_place(&c, rule->at)));
	buf_free(&c.place);
	return p;
}

struct plan *
plan_all(const struct mapping *m, const struct relation *rel, struct problems *problems)
{
	const struct rule *rule = NULL;
	struct plan *first = NULL, **end = &first;

	do {
		rule = mapping_find(m, rel->name, rule);
		if (rule == NULL)
			break;
		*end = plan_new(m, rule, rel, problems);
		end = &(*end)->next;
	} while (rule->also);
	return first;
}

void
plan_free(struct plan *p)
{
	while (p != NULL) {
		struct plan *next = p->next;

		compiler_free_document(&p->document);
		compiler_free_document(&p->params);
		compiler_free_document(&p->upsert);
		compiler_free_text(&p->index);
		compiler_free_text(&p->id);
		compiler_free_text(&p->routing);
		compiler_free_text(&p->pipeline);
		for (size_t i = 0; i < OP_COUNT; i++)
			buf_free(&p->head[i]);
		expr_plan_free(p->where);
		expr_plan_free(p->delete_when);
		free(p->script);
		free(p->truncate_index);
		free(p->identity);
		free(p->stable);
		free(p->error);
		free(p);
		p = next;
	}
}
