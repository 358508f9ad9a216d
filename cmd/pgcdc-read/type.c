#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "fdio.h"
#include "type.h"
#include "type_query.h"

#define AGAIN_US INT64_C(1000000)
#define RETRY_MS 50

/*
 * Built in
 */

enum {
#define SCALAR(oid, name, kind) T_##name,
#define ARRAY(oid, element, delimiter) A_##element,
#define OF(oid, name, kind, element) T_##name,
#include "type_list.h"
#undef SCALAR
#undef ARRAY
#undef OF
	BUILTIN
};

static const struct type builtin[BUILTIN] = {
#define SCALAR(o, n, k) { .oid = o, .kind = k, .name = #n, .known = true },
#define ARRAY(o, e, d) \
	{ .oid = o, .kind = VALUE_ARRAY, .delimiter = d, .name = #e "[]", \
		.element = &builtin[T_##e], .known = true },
#define OF(o, n, k, e) \
	{ .oid = o, .kind = k, .name = #n, .element = &builtin[T_##e], .known = true },
#include "type_list.h"
#undef SCALAR
#undef ARRAY
#undef OF
};

const struct type *
type_builtin(uint32_t oid)
{
	size_t lo = 0, hi = BUILTIN;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;

		if (builtin[mid].oid == oid)
			return &builtin[mid];
		if (builtin[mid].oid < oid)
			lo = mid + 1;
		else
			hi = mid;
	}
	return NULL;
}

/*
 * The others
 */

static void
set_name(struct type *t, const char *name)
{
	char *old = (char *)(uintptr_t)t->name;

	t->name = xstrdup(name);
	free(old);
}

static struct type *
find_or_add(struct types *ts, uint32_t oid)
{
	struct type *t = oidmap_get(&ts->by_oid, oid);
	char digits[16];

	if (t != NULL)
		return t;
	t = xcalloc(1, sizeof(*t));
	t->oid = oid;
	t->set = ts;
	snprintf(digits, sizeof(digits), "%u", oid);
	set_name(t, digits);
	oidmap_put(&ts->by_oid, oid, t);
	return t;
}

static void
want(struct types *ts, struct type *t)
{
	ts->wanted += !t->wanted;
	t->wanted = true;
}

const struct type *
types_want(struct types *ts, uint32_t oid)
{
	const struct type *own = type_builtin(oid);
	struct type *t;

	if (own != NULL)
		return own;
	t = find_or_add(ts, oid);
	if (!t->known)
		want(ts, t);
	return t;
}

void
types_told(struct types *ts, uint32_t oid, const char *schema, const char *name)
{
	struct type *t;
	struct buf full = { 0 };

	if (type_builtin(oid) != NULL)
		return;
	t = find_or_add(ts, oid);
	if (*schema != '\0')
		buf_printf(&full, "%s.", schema);
	buf_adds(&full, name);
	(void)buf_cstr(&full);
	if (t->told != NULL && strcmp(t->told, full.data) == 0) {
		buf_free(&full);
		return;
	}
	if (t->told != NULL)
		t->known = false;
	if (!t->known)
		set_name(t, full.data);
	free(t->told);
	t->told = full.data;
}

/*
 * The catalog
 */

static enum value_kind
kind_of(char letter)
{
	switch (letter) {
	case 'a': return VALUE_ARRAY;
	case 'c': return VALUE_COMPOSITE;
	case 'd': return VALUE_DOMAIN;
	case 'h': return VALUE_HSTORE;
	case 'm': return VALUE_MULTIRANGE;
	case 'r': return VALUE_RANGE;
	default: return VALUE_TEXT; /* enums, and what extensions bring */
	}
}

static uint32_t
oid_at(const PGresult *res, int row, int column)
{
	return (uint32_t)strtoul(PQgetvalue(res, row, column), NULL, 10);
}

/* Take the definition that begins in this row; returns the row behind it. */
static int
define(struct types *ts, const PGresult *res, int row)
{
	uint32_t oid = oid_at(res, row, TYPE_QUERY_OID);
	struct type *t = find_or_add(ts, oid);
	const char *schema = PQgetvalue(res, row, TYPE_QUERY_SCHEMA);
	struct buf name = { 0 };

	if (strcmp(schema, "pg_catalog") != 0)
		buf_printf(&name, "%s.", schema);
	buf_adds(&name, PQgetvalue(res, row, TYPE_QUERY_NAME));
	set_name(t, buf_cstr(&name));
	for (size_t i = 0; i < t->fields; i++)
		free(t->field[i].name);
	free(t->field);
	t->field = NULL;
	t->fields = 0;
	ts->changed = ts->changed || t->looked_up;
	t->known = true;
	t->kind = kind_of(*PQgetvalue(res, row, TYPE_QUERY_KIND));
	t->delimiter = *PQgetvalue(res, row, TYPE_QUERY_DELIMITER);
	t->element = PQgetisnull(res, row, TYPE_QUERY_OF) ? NULL
						    : types_want(ts, oid_at(res, row, TYPE_QUERY_OF));
	/* A range whose pg_range is not there is one that is being dropped. */
	if (t->element == NULL && t->kind != VALUE_COMPOSITE && t->kind != VALUE_HSTORE)
		t->kind = VALUE_TEXT;
	for (; row < PQntuples(res) && oid_at(res, row, TYPE_QUERY_OID) == oid; row++) {
		if (PQgetisnull(res, row, TYPE_QUERY_FIELD))
			continue;
		t->field = xrealloc(t->field, (t->fields + 1) * sizeof(*t->field));
		t->field[t->fields++] = (struct type_field) {
			.name = xstrdup(value_name(&name, PQgetvalue(res, row, TYPE_QUERY_FIELD))),
			.type = types_want(ts, oid_at(res, row, TYPE_QUERY_FIELD_TYPE)),
		};
	}
	buf_free(&name);
	return row;
}

/* The query for all that are wanted, which then are no more. */
static char *
make_query(struct types *ts, struct buf *sql)
{
	buf_adds(sql, TYPE_QUERY " IN (");
	for (size_t i = 0; i < ts->by_oid.cap; i++) {
		struct type *t = ts->by_oid.entry[i].thing;

		if (t == NULL)
			continue;
		t->asking = t->wanted;
		t->wanted = false;
		if (t->asking)
			buf_printf(sql, "%u,", t->oid);
	}
	ts->wanted = 0;
	sql->data[sql->len - 1] = ')';
	buf_adds(sql, TYPE_QUERY_ORDER);
	return buf_cstr(sql);
}

/*
 * What was asked for and is not known: asked for again, if it is for the first time.  A
 * commit is in the log a moment before others see it.
 */
static bool
ask_again(struct types *ts)
{
	bool again = false;

	for (size_t i = 0; i < ts->by_oid.cap; i++) {
		struct type *t = ts->by_oid.entry[i].thing;

		if (t == NULL || !t->asking)
			continue;
		t->asking = false;
		t->looked_up = true;
		if (t->known || t->missed)
			continue;
		t->missed = again = true;
		want(ts, t);
	}
	return again;
}

enum pg_status
types_lookup(struct types *ts, struct catalog *catalog)
{
	enum pg_status status = PG_OK;

	if (ts->outdated != NULL) {
		struct type *t = oidmap_get(&ts->by_oid, ts->outdated->oid);

		t->asked_for = ts->outdated_fields;
		t->asked_at = now_us();
		ts->outdated = NULL;
		want(ts, t);
	}
	while (status == PG_OK && ts->wanted > 0) {
		struct buf sql = { 0 };
		PGresult *res;

		status = catalog_query(
		    catalog, make_query(ts, &sql), "cannot look up types", &res);
		for (int row = 0; res != NULL && row < PQntuples(res);)
			row = define(ts, res, row);
		if (status == PG_OK && res != NULL && ask_again(ts))
			status = pg_wait_ms(&catalog->wait, RETRY_MS);
		PQclear(res);
		buf_free(&sql);
	}
	return status;
}

void
type_outdated(const struct type *t, size_t fields)
{
	/*
	 * Rows from before the change still come after it, and the change may not be visible
	 * yet: for the same number the catalog is asked from time to time.
	 */
	if (t->set == NULL || (t->asked_for == fields && now_us() - t->asked_at < AGAIN_US))
		return;
	t->set->outdated = t;
	t->set->outdated_fields = fields;
}

void
types_free(struct types *ts)
{
	for (size_t i = 0; i < ts->by_oid.cap; i++) {
		struct type *t = ts->by_oid.entry[i].thing;

		if (t == NULL)
			continue;
		for (size_t k = 0; k < t->fields; k++)
			free(t->field[k].name);
		free(t->field);
		free((char *)(uintptr_t)t->name);
		free(t->told);
		free(t);
	}
	oidmap_free(&ts->by_oid);
	*ts = (struct types) { 0 };
}
