#include <stdlib.h>
#include <string.h>

#include "exitcode.h"
#include "link.h"
#include "log.h"
#include "published.h"
#include "session.h"
#include "utf8.h"

#define LIST_US INT64_C(1000000) /* how often the tables are listed at most */

/* A table that is to be loaded now. */
static struct table *
add_table(struct reader *r, uint32_t heap)
{
	struct snapshot *s = &r->snapshot;
	struct table *t = xcalloc(1, sizeof(*t));

	t->heap = heap;
	s->table = xrealloc(s->table, (s->tables + 1) * sizeof(*s->table));
	s->table[s->tables++] = t;
	oidmap_put(&s->by_heap, heap, t);
	return t;
}

static bool
is_asked(const struct snapshot *s, uint32_t heap)
{
	for (size_t i = 0; i < s->n_asked; i++)
		if (s->asked[i] == heap)
			return true;
	return false;
}

static void
set_text(char **to, const char *text)
{
	free(*to);
	*to = xstrdup(text);
}

/*
 * From its first block on, also where it is being loaded now, or was: whatever is under way was
 * asked for before.
 */
static void
reopen(struct reader *r, struct table *t, uint32_t as)
{
	struct snapshot *s = &r->snapshot;

	if (t->state < TABLE_READ)
		snapshot_open(s, t->published, -1);
	snapshot_open(s, as, 1);
	t->published = as;
	t->relation = NULL;
	table_restart(t, ++s->touched.now);
	for (size_t i = 0; i < s->first; i++)
		if (s->table[i] == t)
			s->first = i;
	*state_put(&r->state, t->heap) = (struct state_table) { .relid = t->heap };
	s->dirty = true;
}

static const char published_changed[] = "what publications say of a table, its name or its key "
                                        "changed: its snapshot begins again";

/*
 * It is published in another way, or it was out for a while: some of its changes may not be
 * streamed, or not as that table's.  Or its rows would be other documents than those that are in
 * the stream already; so also where it was read, as long as others are not that are published as
 * the same table.
 */
static void
look_at_print(struct reader *r, struct table *t, uint32_t as, int64_t print, const char *name)
{
	if (t->print == print ||
	    (t->state >= TABLE_READ &&
	        (t->state == TABLE_FAILED || !snapshot_is_open(&r->snapshot, t->published))))
		return;
	log_warn(published_changed, kv_str("table", name), kv_str("was", t->name));
	reopen(r, t, as);
}

/*
 * Of a table in one transaction all rows are there; not so of several: between them an update may
 * move a row to a partition that was read, which nothing tells.
 */
static void
warn_of_moves(const struct snapshot *s, const struct table *t, const PGresult *res)
{
	int leaves = 0;

	for (size_t i = 0; s->table[i] != t; i++)
		if (s->table[i]->published == t->published)
			return; /* said */
	for (int i = 0; i < PQntuples(res); i++)
		leaves += strtoul(PQgetvalue(res, i, PUBLISHED_AS), NULL, 10) == t->published;
	if (leaves > 1)
		log_warn("rows that an update moves between partitions can be missed while they are "
		         "loaded: not all updates are published",
		    kv_uint("partitions", (uint64_t)leaves), kv_str("first", t->name));
}

/* A row of published_list: is the table to be loaded, and how is it called now? */
static int
take_listed(struct reader *r, const PGresult *res, int row, const uint32_t *only, size_t n_only)
{
	struct snapshot *s = &r->snapshot;
	uint32_t heap = (uint32_t)strtoul(PQgetvalue(res, row, PUBLISHED_HEAP), NULL, 10);
	uint32_t as = (uint32_t)strtoul(PQgetvalue(res, row, PUBLISHED_AS), NULL, 10);
	struct table *t = oidmap_get(&s->by_heap, heap);
	struct state_table *known = state_find(&r->state, heap);
	int64_t print = strtoll(PQgetvalue(res, row, PUBLISHED_PRINT), NULL, 10);
	bool named = only == NULL, new = t == NULL, wanted;

	for (size_t i = 0; i < n_only && !named; i++)
		named = only[i] == heap;
	if (known != NULL && s->again && named) {
		*known = (struct state_table) { .relid = heap };
		s->dirty = true;
	}
	if (t != NULL) {
		look_at_print(r, t, as, print, PQgetvalue(res, row, PUBLISHED_NAME));
		known = state_find(&r->state, heap);
	}
	wanted = (s->all_wanted && known == NULL && named) || (known != NULL && !known->loaded) ||
	    is_asked(s, heap);
	if (!wanted || (t != NULL && t->state >= TABLE_READ))
		return GO_ON;
	if (!PQgetisnull(res, row, PUBLISHED_TROUBLE)) {
		log_error("a published table cannot be loaded",
		    kv_str("table", PQgetvalue(res, row, PUBLISHED_NAME)),
		    kv_str("reason", PQgetvalue(res, row, PUBLISHED_TROUBLE)),
		    kv_str("remedy", "name those that can be by --snapshot-tables"));
		return EXIT_PERMANENT;
	}
	if (new) {
		if (known != NULL && known->blocks > 0 && known->print != print) {
			log_warn(published_changed,
			    kv_str("table", PQgetvalue(res, row, PUBLISHED_NAME)));
			known->blocks = 0;
			s->dirty = true;
		}
		t = add_table(r, heap);
		t->published = as;
		t->fresh = known == NULL || known->blocks == 0;
		t->asked = is_asked(s, heap) || !s->all_wanted;
		snapshot_open(s, as, 1);
		if (state_find(&r->state, heap) == NULL) {
			(void)state_put(&r->state, heap);
			s->dirty = true;
		}
	}
	t->print = print;
	t->place = (uint32_t)strtoul(PQgetvalue(res, row, PUBLISHED_PLACE), NULL, 10);
	t->at_once = r->o->no_origin || *PQgetvalue(res, row, PUBLISHED_UPDATES) == 'f';
	set_text(&t->name, PQgetvalue(res, row, PUBLISHED_NAME));
	set_text(&t->by, PQgetvalue(res, row, PUBLISHED_BY));
	t->listed = true;
	if (new && t->at_once)
		warn_of_moves(s, t, res);
	return GO_ON;
}

/* Each once: names may overlap. */
static void
add_heap(uint32_t **heap, size_t *n, uint32_t new)
{
	for (size_t i = 0; i < *n; i++)
		if ((*heap)[i] == new)
			return;
	*heap = xrealloc(*heap, (*n + 1) * sizeof(**heap));
	(*heap)[(*n)++] = new;
}

/* Tables by their names, as heaps.  An exit status, LOST, or GO_ON. */
static int
find_named(struct reader *r, char **name, size_t names, uint32_t **heap, size_t *n,
    char **trouble)
{
	PGresult *res;
	enum pg_status status;
	struct buf why = { 0 };

	*heap = NULL;
	*trouble = NULL;
	*n = 0;
	for (size_t i = 0; i < names; i++)
		if (!utf8_valid(name[i], strlen(name[i]))) {
			*trouble = xstrdup("a table's name is not UTF-8");
			return GO_ON;
		}
	status = published_named(&r->pgo.relations.catalog, name, names, &res);
	if (status != PG_OK)
		return link_failed(r, status);
	*heap = xcalloc(1, sizeof(**heap));
	for (int i = 0; res != NULL && i < PQntuples(res); i++) {
		if (PQgetisnull(res, i, NAMED_HEAP)) {
			if (!PQgetisnull(res, i, NAMED_TROUBLE) && why.len == 0)
				buf_printf(&why, "%s: %s",
				    name[strtoul(PQgetvalue(res, i, NAMED_NUMBER), NULL, 10)],
				    PQgetvalue(res, i, NAMED_TROUBLE));
			continue;
		}
		add_heap(heap, n, (uint32_t)strtoul(PQgetvalue(res, i, NAMED_HEAP), NULL, 10));
	}
	if (res == NULL)
		buf_adds(&why, "a snapshot needs a second connection");
	PQclear(res);
	if (why.len > 0) {
		*trouble = xstrdup(buf_cstr(&why));
		free(*heap);
		*heap = NULL;
		*n = 0;
	}
	buf_free(&why);
	return GO_ON;
}

static bool
is_listed(const PGresult *res, uint32_t heap)
{
	for (int i = 0; i < PQntuples(res); i++)
		if ((uint32_t)strtoul(PQgetvalue(res, i, PUBLISHED_HEAP), NULL, 10) == heap)
			return true;
	return false;
}

/* A table of --snapshot-tables that is not there, or not published. */
static int
miss(const struct snapshot *s, bool first, const char *reason)
{
	if (first) {
		log_error("a table cannot be loaded", kv_str("table", reason));
		return EXIT_PERMANENT;
	}
	if (!s->said_missing)
		log_warn("a table of --snapshot-tables is left out", kv_str("table", reason));
	return GO_ON;
}

/*
 * --snapshot-tables, without those that are gone since the first start, or that have another name
 * or no publication: a load that has begun goes on.
 */
static int
find_only(struct reader *r, const PGresult *listed, uint32_t **only, size_t *n)
{
	struct snapshot *s = &r->snapshot;
	bool first = r->state.n == 0 && s->tables == 0, missing = s->said_missing;
	char **name, *trouble;
	size_t names = published_split(r->o->snapshot_tables, &name);
	int code = GO_ON;

	*only = xcalloc(1, sizeof(**only));
	for (size_t i = 0; i < names && code == GO_ON; i++) {
		uint32_t *heap;
		size_t heaps;

		code = find_named(r, &name[i], 1, &heap, &heaps, &trouble);
		missing = missing || trouble != NULL;
		if (code == GO_ON && trouble != NULL)
			code = miss(s, first, trouble);
		for (size_t k = 0; k < heaps && code == GO_ON; k++) {
			struct buf why = { 0 };

			if (is_listed(listed, heap[k])) {
				add_heap(only, n, heap[k]);
				continue;
			}
			buf_printf(&why, "%s: it is not published: ALTER PUBLICATION ... ADD TABLE",
			    name[i]);
			code = miss(s, first, buf_cstr(&why));
			missing = true;
			buf_free(&why);
		}
		free(heap);
		free(trouble);
	}
	published_free_names(name, names);
	s->said_missing = missing;
	return code;
}

/* Tables that are gone, or not published any more. */
static void
forget_unlisted(struct reader *r)
{
	struct snapshot *s = &r->snapshot;

	for (size_t i = 0; i < s->tables; i++) {
		struct table *t = s->table[i];

		if (t->listed || t->state >= TABLE_READ)
			continue;
		log_warn("a table is gone or not published any more: it is not loaded",
		    kv_str("table", t->name));
		/* Its chunks are dropped when their turn comes. */
		t->untrusted = ++s->touched.now;
		t->ranges = 0;
		t->blocks = 0;
		snapshot_close_table(r, t, TABLE_FAILED);
	}
}

/*
 * A standby knows neither who holds locks on its primary nor, by pg_current_snapshot(), what runs
 * there (src/backend/utils/adt/xid8funcs.c), so who is to be waited for cannot be told.
 */
static int
look_for_standby(struct reader *r, bool *standby)
{
	PGresult *res;
	enum pg_status status = catalog_query(&r->pgo.relations.catalog,
	    "SELECT pg_catalog.pg_is_in_recovery()", "cannot ask whether this is a standby", &res);

	*standby = status == PG_OK && res != NULL && *PQgetvalue(res, 0, 0) == 't';
	PQclear(res);
	return link_failed(r, status);
}

/* The state file, too, has tables that are gone: they would be half loaded for ever. */
static void
forget_gone(struct reader *r, const PGresult *res)
{
	struct snapshot *s = &r->snapshot;
	bool loading = false;

	for (size_t i = r->state.n; i-- > 0;) {
		uint32_t heap = r->state.table[i].relid;

		if (r->state.table[i].loaded)
			continue;
		if (is_listed(res, heap) || oidmap_get(&s->by_heap, heap) != NULL) {
			loading = true;
			continue;
		}
		log_warn("a table that was loaded in part is gone or not published any more",
		    kv_uint("oid", heap));
		state_remove(&r->state, heap);
		s->dirty = true;
	}
	/* Once: where it was begun, and interrupted, it goes on. */
	s->again = s->again && !loading;
}

/*
 * Loaded tables, too: what happens to their rows while they are not published is not streamed, so
 * they are loaded again if they come back.  (That a publication is there was looked at, setup.c.)
 */
static int
forget_loaded(struct reader *r, const PGresult *listed)
{
	struct buf heaps = { 0 };
	PGresult *res = NULL;
	enum pg_status status = PG_OK;

	for (size_t i = 0; i < r->state.n; i++)
		if (r->state.table[i].loaded && !is_listed(listed, r->state.table[i].relid))
			buf_printf(&heaps, "%s%u", heaps.len > 0 ? "," : "", r->state.table[i].relid);
	/* Of those that were dropped, as partitions are every day, nobody needs to know. */
	if (heaps.len > 0)
		status = published_there(&r->pgo.relations.catalog, buf_cstr(&heaps), &res);
	buf_free(&heaps);
	if (status != PG_OK || res == NULL)
		return link_failed(r, status);
	for (int i = 0; i < PQntuples(res); i++)
		log_warn("a loaded table is not published any more: if it is again, it is loaded again",
		    kv_str("table", PQgetvalue(res, i, 0)));
	PQclear(res);
	for (size_t i = r->state.n; i-- > 0;)
		if (r->state.table[i].loaded && !is_listed(listed, r->state.table[i].relid)) {
			state_remove(&r->state, r->state.table[i].relid);
			r->snapshot.dirty = true;
		}
	return GO_ON;
}

static int
take_rows(struct reader *r, const PGresult *res, const uint32_t *only, size_t n_only)
{
	struct snapshot *s = &r->snapshot;
	int code = forget_loaded(r, res);

	if (code == GO_ON)
		forget_gone(r, res);
	for (size_t i = 0; i < s->tables; i++)
		s->table[i]->listed = false;
	for (int i = 0; i < PQntuples(res) && code == GO_ON; i++)
		code = take_listed(r, res, i, r->o->snapshot_tables ? only : NULL, n_only);
	return code;
}

int
listing_make(struct reader *r, int64_t now)
{
	struct snapshot *s = &r->snapshot;
	uint32_t *only = NULL;
	size_t n_only = 0, before = s->tables;
	PGresult *res;
	bool standby;
	int code = look_for_standby(r, &standby);
	enum pg_status status;

	s->list_at = now + LIST_US;
	if (code != GO_ON)
		return code;
	if (standby) {
		log_error("tables cannot be loaded from a standby",
		    kv_str("remedy", "load them from the primary, then read from the standby with "
		                     "--snapshot never"));
		return EXIT_PERMANENT;
	}
	status = published_list(&r->pgo.relations.catalog, r->server.version,
	    r->o->publications, r->o->n_publications, &res);
	if (status != PG_OK)
		return link_failed(r, status);
	if (res == NULL) {
		log_error("a snapshot needs a second connection",
		    kv_str("remedy", "let the user connect twice, other than for replication"));
		return EXIT_PERMANENT;
	}
	if (r->o->snapshot_tables != NULL)
		code = find_only(r, res, &only, &n_only);
	if (code == GO_ON)
		code = take_rows(r, res, only, n_only);
	PQclear(res);
	free(only);
	if (code != GO_ON)
		return code;
	forget_unlisted(r);
	s->unlisted = s->again = false;
	if (s->tables > before)
		log_info("loading tables", kv_uint("tables", s->tables - before));
	return GO_ON;
}

/* Why the heap cannot be loaded, to be freed, or NULL. */
static char *
trouble_with(const PGresult *res, uint32_t heap)
{
	struct buf why = { 0 };

	for (int i = 0; i < PQntuples(res); i++) {
		if ((uint32_t)strtoul(PQgetvalue(res, i, PUBLISHED_HEAP), NULL, 10) != heap)
			continue;
		if (PQgetisnull(res, i, PUBLISHED_TROUBLE))
			return NULL;
		buf_printf(&why, "%s: %s", PQgetvalue(res, i, PUBLISHED_NAME),
		    PQgetvalue(res, i, PUBLISHED_TROUBLE));
		return buf_cstr(&why);
	}
	return xstrdup("a table is not in the publication: ALTER PUBLICATION ... ADD TABLE");
}

/* By a request. */
static void
load_again(struct reader *r, uint32_t heap)
{
	struct snapshot *s = &r->snapshot;
	struct table *t = oidmap_get(&s->by_heap, heap);

	if (!is_asked(s, heap)) {
		s->asked = xrealloc(s->asked, (s->n_asked + 1) * sizeof(*s->asked));
		s->asked[s->n_asked++] = heap;
	}
	if (t == NULL) {
		*state_put(&r->state, heap) = (struct state_table) { .relid = heap };
		return;
	}
	t->asked = true;
	reopen(r, t, t->published);
}

bool
snapshot_ask(struct reader *r, char **name, size_t names, size_t *n, char **trouble, int *code)
{
	struct snapshot *s = &r->snapshot;
	uint32_t *heap = NULL;
	PGresult *res = NULL;
	enum pg_status status;
	bool standby = false;

	*trouble = NULL;
	*n = 0;
	*code = GO_ON;
	if (!session_streams(r) || r->ended != NULL) {
		*trouble = xstrdup(r->server.standby
		        ? "another reader has the slot: ask that one"
		        : "there is no connection to the server now");
		return false;
	}
	*code = look_for_standby(r, &standby);
	if (standby)
		*trouble = xstrdup("tables cannot be loaded from a standby");
	if (*code == GO_ON && !standby)
		*code = find_named(r, name, names, &heap, n, trouble);
	if (*code == GO_ON && *trouble == NULL && heap != NULL) {
		status = published_list(&r->pgo.relations.catalog, r->server.version,
		    r->o->publications, r->o->n_publications, &res);
		*code = status == PG_OK ? GO_ON : link_failed(r, status);
	}
	for (size_t i = 0; res != NULL && i < *n && *trouble == NULL; i++)
		*trouble = trouble_with(res, heap[i]);
	/* What the server refuses is the request's fault: the stream goes on. */
	if (*code == EXIT_PERMANENT && *trouble == NULL) {
		*trouble = xstrdup("the server refuses to tell: the log says why");
		*code = GO_ON;
	}
	if (res == NULL && *trouble == NULL)
		*trouble = xstrdup("the server cannot be asked now");
	PQclear(res);
	for (size_t i = 0; heap != NULL && *trouble == NULL && i < *n; i++)
		load_again(r, heap[i]);
	free(heap);
	if (*trouble != NULL)
		return false;
	s->active = s->unlisted = true;
	s->list_at = 0;
	/* What was promised is done also after a crash. */
	if (state_save(&r->state) != 0)
		*code = EXIT_TEMPORARY;
	return true;
}
