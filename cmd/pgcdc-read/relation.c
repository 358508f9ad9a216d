#include <bsd/string.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base.h"
#include "frame.h"
#include "log.h"
#include "relation.h"
#include "wire.h"

struct relation *
relations_find(struct relations *rs, uint32_t relid)
{
	if (rs->last != NULL && rs->last->relid == relid)
		return rs->last;
	rs->last = oidmap_get(&rs->by_relid, relid);
	return rs->last;
}

static struct relation *
find_or_add(struct oidmap *map, uint32_t relid)
{
	struct relation *r = oidmap_get(map, relid);

	if (r != NULL)
		return r;
	r = xcalloc(1, sizeof(*r));
	r->relid = relid;
	oidmap_put(map, relid, r);
	return r;
}

static void
clear_definition(struct relation *r)
{
	for (size_t i = 0; i < r->columns; i++)
		free(r->column[i].name);
	free(r->column);
	free(r->key);
	free(r->schema);
	free(r->table);
	r->column = NULL;
	r->key = NULL;
	r->columns = r->keys = 0;
	r->frame.len = 0;
}

int
relations_take_type(struct relations *rs, const char *msg, size_t len)
{
	struct wire w = { .p = msg, .end = msg + len };
	uint32_t oid = wire_u32(&w);
	const char *schema = wire_string(&w), *name = wire_string(&w);

	if (w.bad) {
		log_error("the server sent a damaged Type message");
		return -1;
	}
	types_told(&rs->types, oid, schema, name);
	return 0;
}

/*
 * The primary key's column names in key order; one null where the table has none, no row
 * where the table is gone.  Then: the xids that made the constraint and the table, the next xid,
 * and whether the table has partitions with another replica identity.  Functions that lock the
 * table are no good here: a transaction that is open can hold it for long.
 */
static enum pg_status
query_key(struct catalog *c, uint32_t relid, PGresult **res)
{
	char sql[1280];

	snprintf(sql, sizeof(sql),
	    "SELECT a.attname, con.xmin, t.xmin,"
	    " pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot()),"
	    " c.relkind = 'p' AND EXISTS (WITH RECURSIVE tree (oid) AS ("
	    "SELECT inhrelid FROM pg_catalog.pg_inherits WHERE inhparent = c.oid"
	    " UNION ALL SELECT i.inhrelid FROM pg_catalog.pg_inherits i JOIN tree"
	    " ON tree.oid = i.inhparent)"
	    " SELECT FROM tree JOIN pg_catalog.pg_class l ON l.oid = tree.oid"
	    " WHERE l.relkind = 'r' AND l.relreplident <> c.relreplident)"
	    " FROM pg_catalog.pg_class c"
	    " LEFT JOIN pg_catalog.pg_type t ON t.oid = c.reltype"
	    " LEFT JOIN pg_catalog.pg_index i ON i.indrelid = c.oid AND i.indisprimary"
	    " LEFT JOIN pg_catalog.pg_constraint con ON con.conindid = i.indexrelid"
	    " AND con.contype = 'p'"
	    " LEFT JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY k (attnum, place)"
	    " ON k.place <= i.indnkeyatts"
	    " LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum"
	    " WHERE c.oid = %u ORDER BY k.place",
	    relid);
	return catalog_query(c, sql, "cannot look up a primary key", res);
}

static uint32_t
xid_value(const PGresult *res, int column)
{
	return (uint32_t)strtoull(PQgetvalue(res, 0, column), NULL, 10);
}

/*
 * Was the constraint made, or touched, by a younger transaction than the one that is taken, and
 * not together with the table?  xids wrap around, so they are compared by how long ago they
 * were.  Their order is not that of commits: this is good for a warning.
 */
static bool
is_younger(const PGresult *res, uint32_t xid)
{
	uint32_t made = xid_value(res, 1), next = xid_value(res, 3);

	return !PQgetisnull(res, 0, 1) && xid != 0 && made != xid_value(res, 2) &&
	    next - made < next - xid;
}

size_t
relation_column(const struct relation *r, const char *name)
{
	size_t i = 0;

	while (i < r->columns && strcmp(r->column[i].name, name) != 0)
		i++;
	return i;
}

size_t
relation_identity(const struct relation *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->columns; i++)
		n += r->column[i].in_identity;
	return n;
}

/* What the catalog's key means for a table whose key had flagged columns when it was logged. */
enum key_state {
	KEY_KNOWN,
	KEY_NONE,
	KEY_PARTLY,  /* it has columns that are not published */
	KEY_CHANGED, /* it is another one now */
	KEY_GONE,    /* so is the table */
	KEY_UNASKED, /* there is no catalog */
	KEY_YOUNGER, /* known, but it may have been another one */
};

static enum key_state
match_key(const struct relation *r, const PGresult *res, uint32_t xid, uint32_t *key, size_t *n)
{
	size_t flagged = relation_identity(r), found = 0;
	enum key_state state = KEY_KNOWN;

	*n = 0;
	if (PQntuples(res) == 0)
		return KEY_GONE;
	if (PQgetisnull(res, 0, 0))
		return r->identity == 'd' ? KEY_CHANGED : KEY_NONE;
	for (int k = 0; k < PQntuples(res); k++) {
		size_t i = relation_column(r, PQgetvalue(res, k, 0));

		if (i == r->columns) {
			state = KEY_PARTLY;
			continue;
		}
		found += r->column[i].in_identity;
		key[(*n)++] = (uint32_t)i;
	}
	/* With identity "default" the flags tell which columns the key had then. */
	if (r->identity == 'd' && (found != flagged || found != *n))
		return KEY_CHANGED;
	if (state == KEY_KNOWN && r->identity != 'd' && is_younger(res, xid))
		return KEY_YOUNGER;
	return state;
}

/* Once for each thing, until it changes. */
static void
warn_of_key(struct relation *r, enum key_state state)
{
	static const char *const why[] = { [KEY_PARTLY] = "the primary key is not published whole",
		[KEY_CHANGED] = "the primary key was changed after these changes were made",
		[KEY_GONE] = "the table was dropped after these changes were made",
		[KEY_UNASKED] = "the catalog cannot be asked" };
	int say = (int)state << 1 | r->mixed;

	if (r->said == say)
		return;
	r->said = say;
	if (state == KEY_YOUNGER)
		log_warn("the primary key was made or touched after these changes were made: it is "
		         "taken as it is now", kv_str("schema", r->schema), kv_str("table", r->table),
		    kv_str("remedy", "if it was another one, load the table anew"));
	else if (state != KEY_NONE && state != KEY_KNOWN)
		log_warn("the primary key of a table is not known", kv_str("schema", r->schema),
		    kv_str("table", r->table), kv_str("reason", why[state]),
		    kv_str("remedy", "give the table's rule an id made of its columns"));
	if (r->mixed)
		log_warn("partitions have another replica identity than their root, so old rows "
		         "may lack columns, and changes of keys may not be seen",
		    kv_str("schema", r->schema), kv_str("table", r->table),
		    kv_str("remedy", "ALTER TABLE each partition REPLICA IDENTITY as the root's"));
}

/*
 * Find the key's column numbers.  With REPLICA IDENTITY FULL every column is flagged; with
 * DEFAULT those of the key, which the catalog puts in order, and of which it knows whether
 * they are all.  What is not known is no key: a guess would give two rows one id, or one
 * row two.
 */
static enum pg_status
find_key(struct relations *rs, struct relation *r, uint32_t *key, size_t *n)
{
	enum pg_status status;
	enum key_state state;
	size_t flagged = relation_identity(r);
	PGresult *res;

	*n = 0;
	r->mixed = false;
	if (r->identity == 'd' && flagged == 0)
		return PG_OK;
	status = query_key(&rs->catalog, r->relid, &res);
	if (status != PG_OK)
		return status;
	state = res != NULL ? match_key(r, res, rs->xid, key, n) : KEY_UNASKED;
	r->mixed = res != NULL && PQntuples(res) > 0 && *PQgetvalue(res, 0, 4) == 't';
	PQclear(res);
	if (state != KEY_KNOWN && state != KEY_YOUNGER) {
		*n = 0;
		key[0] = 0;
		/* A single one needs no order, and is the whole key but in rare cases. */
		if (r->identity == 'd' && flagged == 1 && state != KEY_PARTLY) {
			while (!r->column[key[0]].in_identity)
				key[0]++;
			*n = 1;
			state = KEY_KNOWN;
		}
	}
	warn_of_key(r, state);
	return PG_OK;
}

static bool
same(const struct buf *a, const struct buf *b)
{
	return a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

static void
build_frame(struct relation *r)
{
	struct buf schema = { 0 }, name = { 0 }, type = { 0 }, base = { 0 };

	r->frame.len = 0;
	frame_put_relation(&r->frame, r->relid, value_name(&schema, r->schema),
	    value_name(&name, r->table), r->identity, r->columns);
	for (size_t i = 0; i < r->columns; i++) {
		const struct column *c = &r->column[i];
		const char *column_name = value_name(&name, c->name);
		const char *type_name = value_name(&type, c->type->name);
		struct frame_column fc = { .name = { column_name, (uint32_t)strlen(column_name) },
			.type = { type_name, (uint32_t)strlen(type_name) }, .type_oid = c->type_oid,
			.typmod = c->typmod, .in_identity = c->in_identity };
		bool known = base_put(&base, c->type);

		frame_put_column(&r->frame, &fc, known);
		buf_add(&r->frame, base.data, base.len);
		base.len = 0;
	}
	buf_free(&schema);
	buf_free(&name);
	buf_free(&type);
	buf_free(&base);
	frame_put_key(&r->frame, r->key, r->keys);
	r->pending = !same(&r->frame, &r->emitted);
}

static void
build_frames(struct oidmap *map)
{
	for (size_t i = 0; i < map->cap; i++) {
		struct relation *r = map->entry[i].thing;

		if (r != NULL && r->frame.len > 0)
			build_frame(r);
	}
}

/* Types that tables were described with are others now. */
static void
take_changed_types(struct relations *rs)
{
	if (!rs->types.changed)
		return;
	rs->types.changed = false;
	build_frames(&rs->by_relid);
	build_frames(&rs->loaded);
}

static enum pg_status
take(struct relations *rs, struct oidmap *map, const char *msg, size_t len)
{
	struct wire w = { .p = msg, .end = msg + len };
	struct relation *r;
	enum pg_status status;
	uint32_t relid = wire_u32(&w);
	const char *schema = wire_string(&w), *table = wire_string(&w);
	char identity = (char)wire_u8(&w);
	size_t n = wire_u16(&w);

	/* A column has 10 bytes beside its name: looked at before memory is taken for them. */
	if (w.bad || (identity != 'd' && identity != 'f' && identity != 'i' && identity != 'n') ||
	    n * 10 > (size_t)(w.end - w.p)) {
		log_error("the server sent a damaged Relation message");
		return PG_PERMANENT;
	}
	r = find_or_add(map, relid);
	clear_definition(r);
	r->message.len = 0;
	buf_add(&r->message, msg, len);
	/* The server sends an empty schema for pg_catalog. */
	r->schema = xstrdup(*schema != '\0' ? schema : "pg_catalog");
	r->table = xstrdup(table);
	r->count = counts_of(&rs->counts, r->schema, r->table);
	r->identity = identity;
	r->column = xcalloc(n, sizeof(*r->column));
	for (; r->columns < n && !w.bad; r->columns++) {
		struct column *c = &r->column[r->columns];

		c->in_identity = (wire_u8(&w) & 1) != 0;
		c->name = xstrdup(wire_string(&w));
		c->type_oid = wire_u32(&w);
		c->typmod = (int32_t)wire_u32(&w);
		c->type = types_want(&rs->types, c->type_oid);
	}
	if (w.bad) {
		log_error("the server sent a damaged Relation message", kv_str("table", r->table));
		return PG_PERMANENT;
	}
	status = types_lookup(&rs->types, &rs->catalog);
	if (status != PG_OK)
		return status;
	r->key = xcalloc(n + 1, sizeof(*r->key));
	status = find_key(rs, r, r->key, &r->keys);
	if (status != PG_OK)
		return status;
	build_frame(r);
	take_changed_types(rs);
	return PG_OK;
}

enum pg_status
relations_take(struct relations *rs, const char *msg, size_t len)
{
	return take(rs, &rs->by_relid, msg, len);
}

enum pg_status
relations_take_loaded(struct relations *rs, const char *msg, size_t len, struct relation **out)
{
	struct wire w = { .p = msg, .end = msg + len };
	uint32_t relid = wire_u32(&w), xid = rs->xid;
	enum pg_status status;

	/* What is in the catalog now is no younger than what was found there. */
	rs->xid = 0;
	status = take(rs, &rs->loaded, msg, len);
	rs->xid = xid;
	*out = oidmap_get(&rs->loaded, relid);
	return status;
}

void
relation_put(struct buf *out, struct relation *r)
{
	if (!r->pending)
		return;
	buf_add(out, r->frame.data, r->frame.len);
	r->emitted.len = 0;
	buf_add(&r->emitted, r->frame.data, r->frame.len);
	r->pending = false;
}

void
relations_put_loaded(struct relations *rs, struct buf *out, const struct relation *loaded)
{
	/* The stream may not have told of the table yet. */
	struct relation *r = find_or_add(&rs->by_relid, loaded->relid);

	if (same(&loaded->frame, &r->emitted))
		return;
	buf_add(out, loaded->frame.data, loaded->frame.len);
	r->emitted.len = 0;
	buf_add(&r->emitted, loaded->frame.data, loaded->frame.len);
	r->pending = r->frame.len > 0 && !same(&r->frame, &r->emitted);
}

enum pg_status
relations_refresh(struct relations *rs)
{
	enum pg_status status = types_lookup(&rs->types, &rs->catalog);

	if (status == PG_OK)
		take_changed_types(rs);
	return status;
}

static void
free_all(struct oidmap *map)
{
	for (size_t i = 0; i < map->cap; i++) {
		struct relation *r = map->entry[i].thing;

		if (r == NULL)
			continue;
		clear_definition(r);
		buf_free(&r->frame);
		buf_free(&r->emitted);
		buf_free(&r->message);
		free(r);
	}
	oidmap_free(map);
}

void
relations_free(struct relations *rs)
{
	free_all(&rs->by_relid);
	free_all(&rs->loaded);
	types_free(&rs->types);
	counts_free(&rs->counts);
	*rs = (struct relations) { .catalog = rs->catalog };
}
