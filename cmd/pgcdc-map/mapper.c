#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "mapper.h"
#include "plan.h"

#define STATS_INTERVAL 1000000 /* microseconds of the stream's own time */

void
mapper_init(struct mapper *m, const struct mapping *mapping, struct buf *out)
{
	*m = (struct mapper) { .mapping = mapping,
		.out = out,
		.writer = { .out = out,
		        .deletes = out, .document.renderer.policy = &mapping->policy } };
}

static int
damaged(const struct frame *f, const char *why)
{
	const char letter[2] = { f->letter, '\0' };

	log_error(why, kv_str("frame", letter), kv_uint("offset", f->offset));
	return -1;
}

/* Has something about this table been said already?  It has from now on. */
static bool
was_said(struct mapper *m, const char *what, const char *table)
{
	struct buf key = { 0 };

	buf_printf(&key, "%s %s", what, table);
	for (size_t i = 0; i < m->n_said; i++)
		if (strcmp(m->said[i], buf_cstr(&key)) == 0) {
			buf_free(&key);
			return true;
		}
	m->said = xrealloc(m->said, (m->n_said + 1) * sizeof(*m->said));
	m->said[m->n_said++] = buf_cstr(&key);
	return false;
}

static int
take_hello(struct mapper *m, struct frame_in *in, struct frame *f)
{
	struct frame_hello h;
	const char *why;

	if (frame_decode(in, f) != 0)
		return damaged(f, in->error);
	why = frame_get_hello(f, &h);
	if (why != NULL)
		return damaged(f, why);
	relations_clear(&m->relations);
	return 0;
}

static int
take_relation(struct mapper *m, struct frame_in *in, struct frame *f)
{
	struct frame_relation r;
	struct relation *rel;
	const char *why;

	if (frame_decode(in, f) != 0)
		return damaged(f, in->error);
	why = frame_get_relation(f, &r);
	if (why != NULL)
		return damaged(f, why);
	rel = relations_put(&m->relations, &r);
	rel->plan = plan_all(m->mapping, rel, NULL);
	return 0;
}

static int
take_begin(struct mapper *m, struct frame_in *in, struct frame *f)
{
	struct frame_begin b;
	const char *why;

	if (frame_decode(in, f) != 0)
		return damaged(f, in->error);
	why = frame_get_begin(f, &b);
	if (why != NULL)
		return damaged(f, why);
	m->begin_time = b.time;
	m->writer.document.unit = (struct unit) { .lsn = b.lsn, .time = b.time };
	/* A clock that was set back, or another run, starts the second anew. */
	if (!m->has_stats_time || b.time < m->stats_time) {
		m->stats_time = b.time;
		m->has_stats_time = true;
	}
	return 0;
}

static void
put_counter(struct buf *b, const char *name, uint64_t v)
{
	frame_put_cstr(b, name);
	frame_put_uint(b, v);
}

static void
put_stats(struct mapper *m)
{
	const struct mapper_counters *c = &m->counters;
	const struct action_counters *a = &m->writer.counters;
	struct buf *b = m->out;

	m->news = false;
	frame_put_head(b, FRAME_STATS, 2);
	frame_put_cstr(b, "pgcdc-map");
	frame_put_map(b, 16);
	put_counter(b, "inserts", c->inserts);
	put_counter(b, "updates", c->updates);
	put_counter(b, "deletes", c->deletes);
	put_counter(b, "snapshot_rows", c->snapshot_rows);
	put_counter(b, "unmapped_rows", c->unmapped_rows);
	put_counter(b, "ignored_rows", a->ignored);
	put_counter(b, "filtered_rows", a->filtered);
	put_counter(b, "unchanged_rows", a->unchanged);
	put_counter(b, "skipped_rows", a->skipped);
	put_counter(b, "ignored_truncates", c->ignored_truncates);
	put_counter(b, "index_actions", a->index);
	put_counter(b, "create_actions", a->create);
	put_counter(b, "update_actions", a->update);
	put_counter(b, "delete_actions", a->delete);
	put_counter(b, "truncate_actions", a->truncate);
	put_counter(b, "rejects", a->reject);
}

static void
unmapped(struct mapper *m, struct relation *rel)
{
	m->counters.unmapped_rows++;
	if (rel->reported)
		return;
	rel->reported = true;
	if (!was_said(m, "unmapped", rel->name))
		log_warn("no rule takes this table: its rows are dropped",
		    kv_str("table", rel->name), kv_str("mapping", m->mapping->file));
}

static const msgpack_object *
values(const msgpack_object *array)
{
	return array != NULL ? array->via.array.ptr : NULL;
}

/* Rows that were there before are not counted up: they may have been, by an earlier run. */
static void
warn_uncounted(struct mapper *m, struct plan *plan)
{
	if (plan->rule->on[CHANGE_INSERT] != DO_SCRIPT || plan->reported)
		return;
	plan->reported = true;
	if (!was_said(m, "uncounted", plan->relation->name))
		log_warn("scripts do not run for the rows of a snapshot: they are ignored",
		    kv_str("table", plan->relation->name));
}

static void
map_row(struct mapper *m, struct plan *plan, char letter, const struct frame_row *row)
{
	switch (letter) {
	case FRAME_UPDATE:
		row_update(&m->writer, plan, values(row->new), values(row->old));
		break;
	case FRAME_DELETE: row_delete(&m->writer, plan, values(row->old)); break;
	case FRAME_SNAPSHOT_ROW:
		warn_uncounted(m, plan);
		row_new(&m->writer, plan, values(row->new), CHANGE_SNAPSHOT);
		break;
	default: row_new(&m->writer, plan, values(row->new), CHANGE_INSERT); break;
	}
}

/* Several rules: one may put a document where another has none, so deletes come first. */
static void
map_row_by_all(struct mapper *m, struct plan *plan, char letter, const struct frame_row *row)
{
	m->later.len = 0;
	m->writer.out = &m->later;
	for (; plan != NULL; plan = plan->next)
		map_row(m, plan, letter, row);
	m->writer.out = m->out;
	buf_add(m->out, m->later.data, m->later.len);
}

static bool
has_columns(const msgpack_object *array, uint32_t n)
{
	return array == NULL || array->via.array.size == n;
}

static int
take_row(struct mapper *m, struct frame_in *in, struct frame *f)
{
	struct relation *rel;
	struct frame_row row;
	const char *why;

	/* frame_next_row has decoded it already. */
	if (f->field == NULL && frame_decode(in, f) != 0)
		return damaged(f, in->error);
	why = frame_get_row(f, &row);
	if (why != NULL)
		return damaged(f, why);
	rel = relations_get(&m->relations, row.relid);
	if (rel == NULL)
		return damaged(f, "a row comes before the relation (R) that describes it");
	if (!has_columns(row.new, rel->columns) || !has_columns(row.old, rel->columns))
		return damaged(f, "a row has more or fewer values than its relation has columns");
	m->writer.document.unit.seq++;
	m->news = true;
	switch (f->letter) {
	case FRAME_INSERT: m->counters.inserts++; break;
	case FRAME_UPDATE: m->counters.updates++; break;
	case FRAME_DELETE: m->counters.deletes++; break;
	default: m->counters.snapshot_rows++; break;
	}
	if (rel->plan == NULL) {
		unmapped(m, rel);
		return 0;
	}
	for (struct plan *plan = rel->plan; plan != NULL; plan = plan->next)
		if (plan->error != NULL) {
			log_error(plan->error, kv_uint("offset", f->offset));
			return -1;
		}
	if (rel->plan->next == NULL)
		map_row(m, rel->plan, f->letter, &row);
	else
		map_row_by_all(m, rel->plan, f->letter, &row);
	return 0;
}

static int
truncate_table(struct mapper *m, const struct plan *plan, const struct frame *f)
{
	const char *table = plan->relation->name;

	switch (plan->rule->truncate) {
	case TRUNCATE_FAIL:
		log_error("the table was truncated, and its rule says \"truncate: fail\"",
		    kv_str("table", table), kv_lsn("lsn", m->writer.document.unit.lsn),
		    kv_uint("offset", f->offset),
		    kv_str("remedy", "empty its index, then let the rule say ignore until this is past"));
		return -1;
	case TRUNCATE_DELETE:
		if (plan->error != NULL) {
			log_error(plan->error, kv_uint("offset", f->offset));
			return -1;
		}
		action_truncate(&m->writer, plan);
		return 0;
	case TRUNCATE_IGNORE: break;
	}
	m->counters.ignored_truncates++;
	if (!was_said(m, "truncated", table))
		log_warn("TRUNCATE is ignored: the documents of its rows stay",
		    kv_str("table", table),
		    kv_str("remedy", "on: { truncate: delete } in its rule"));
	return 0;
}

static int
take_truncate(struct mapper *m, struct frame_in *in, struct frame *f)
{
	struct frame_truncate t;
	const char *why;

	if (frame_decode(in, f) != 0)
		return damaged(f, in->error);
	why = frame_get_truncate(f, &t);
	if (why != NULL)
		return damaged(f, why);
	m->news = true;
	for (uint32_t i = 0; i < t.relids; i++) {
		uint32_t relid = (uint32_t)t.relid[i].via.u64;
		const struct relation *rel = relations_get(&m->relations, relid);
		struct plan *plan = rel != NULL ? rel->plan : NULL;

		for (; plan != NULL; plan = plan->next)
			if (truncate_table(m, plan, f) != 0)
				return -1;
	}
	return 0;
}

static void
pass(struct mapper *m, const struct frame *f)
{
	buf_add(m->out, f->raw, f->len);
}

int
mapper_frame(struct mapper *m, struct frame_in *in, struct frame *f)
{
	bool critical = f->letter >= 'A' && f->letter <= 'Z';

	if (m->ended && critical && f->letter != FRAME_HELLO)
		return damaged(f, "a frame after E: only H may follow");
	switch (f->letter) {
	case FRAME_INSERT:
	case FRAME_UPDATE:
	case FRAME_DELETE:
	case FRAME_SNAPSHOT_ROW: return take_row(m, in, f);
	case FRAME_TRUNCATE: return take_truncate(m, in, f);
	case FRAME_HELLO:
		if (take_hello(m, in, f) != 0)
			return -1;
		m->ended = m->in_unit = false;
		break;
	case FRAME_RELATION:
		if (take_relation(m, in, f) != 0)
			return -1;
		break;
	case FRAME_BEGIN:
		if (take_begin(m, in, f) != 0)
			return -1;
		m->in_unit = true;
		break;
	case FRAME_COMMIT:
		m->in_unit = false;
		pass(m, f);
		if (m->has_stats_time && m->begin_time - m->stats_time >= STATS_INTERVAL) {
			put_stats(m);
			m->stats_time = m->begin_time;
		}
		return 0;
	case FRAME_END:
		put_stats(m);
		m->ended = true;
		break;
	case FRAME_MESSAGE:
	case FRAME_ACTION: break;
	default:
		if (critical)
			return damaged(f, "a frame that this version does not know");
		break;
	}
	pass(m, f);
	return 0;
}

bool
mapper_has_news(const struct mapper *m)
{
	return m->news && !m->in_unit;
}

void
mapper_tell(struct mapper *m)
{
	put_stats(m);
}

void
mapper_free(struct mapper *m)
{
	relations_clear(&m->relations);
	action_writer_free(&m->writer);
	buf_free(&m->later);
	for (size_t i = 0; i < m->n_said; i++)
		free(m->said[i]);
	free(m->said);
	m->said = NULL;
	m->n_said = 0;
}
