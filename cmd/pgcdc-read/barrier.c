#include <stdlib.h>

#include "barrier.h"
#include "link.h"
#include "log.h"
#include "lsn.h"
#include "session.h"

#define LOOK_US INT64_C(100000) /* how often transactions are looked at */
#define SAY_US  (5 * SECOND_US) /* so long a wait is said */

/*
 * Who has written, or may write, to tables: rows of the table's OID, the transaction's xid, and
 * its process, or null for a prepared one.  A subtransaction's xid can be among them.  A
 * transaction without an xid has written nothing yet.
 */
enum { HOLDS_TABLE, HOLDS_XID, HOLDS_PID };

static enum pg_status
list_holders(struct catalog *c, PGresult **res)
{
	/*
	 * The locks are looked at once, not once for each part of the join: a transaction that is
	 * prepared in between changes its name.
	 */
	return catalog_query(c,
	    "WITH locks AS MATERIALIZED (SELECT * FROM pg_catalog.pg_locks WHERE granted)"
	    " SELECT DISTINCT l.relation, x.transactionid, l.pid FROM locks l JOIN locks x"
	    " ON x.virtualtransaction = l.virtualtransaction AND x.pid IS NOT DISTINCT FROM l.pid"
	    " AND x.locktype = 'transactionid' AND x.mode = 'ExclusiveLock'"
	    " WHERE l.locktype = 'relation' AND l.database = (SELECT oid FROM pg_catalog.pg_database"
	    " WHERE datname = pg_catalog.current_database())"
	    " AND l.mode NOT IN ('AccessShareLock', 'RowShareLock', 'SIReadLock')",
	    "cannot look who holds locks", res);
}

/* Who holds the tables that nobody has looked at yet? */
static int
find_holders(struct reader *r)
{
	struct snapshot *s = &r->snapshot;
	PGresult *res;
	enum pg_status status = list_holders(&r->pgo.relations.catalog, &res);

	if (status != PG_OK || res == NULL)
		return link_failed(r, status);
	for (size_t i = s->first; i < s->tables; i++)
		if (s->table[i]->state == TABLE_BARRED && !s->table[i]->looked)
			s->table[i]->holders = 0;
	for (int i = 0; i < PQntuples(res); i++) {
		uint32_t relid = (uint32_t)strtoul(PQgetvalue(res, i, HOLDS_TABLE), NULL, 10);
		uint32_t xid = (uint32_t)strtoul(PQgetvalue(res, i, HOLDS_XID), NULL, 10);
		struct table *t = oidmap_get(&s->by_heap, relid);

		if (t == NULL || t->state != TABLE_BARRED || t->looked)
			continue;
		log_debug("a transaction holds a table that is to be loaded",
		    kv_str("table", t->name), kv_uint("xid", xid),
		    kv_str("pid", PQgetisnull(res, i, HOLDS_PID) ? "prepared"
								    : PQgetvalue(res, i, HOLDS_PID)));
		t->holder = xrealloc(t->holder, (t->holders + 1) * sizeof(*t->holder));
		t->holder[t->holders++] = xid;
	}
	PQclear(res);
	for (size_t i = s->first; i < s->tables; i++)
		s->table[i]->looked = s->table[i]->looked || s->table[i]->state == TABLE_BARRED;
	return GO_ON;
}

static void
say_waiting(struct table *t, int64_t now)
{
	if (t->said_at == 0)
		t->said_at = now;
	if (now - t->said_at < SAY_US)
		return;
	t->said_at = INT64_MAX;
	log_info("a table is not loaded before a transaction is over that had it when loading began",
	    kv_str("table", t->name), kv_uint("xid", t->holder[0]),
	    kv_uint("transactions", t->holders),
	    kv_str("look", "SELECT * FROM pg_stat_activity WHERE backend_xid is that, or "
	                   "pg_prepared_xacts"));
}

/*
 * Does the server take a table for unpublished as long as the connection lives, when it sent past
 * changes of it from before it was published?  14 looks once; later ones got it wrong where a
 * transaction was open meanwhile, up to their releases of May 2025.
 */
static bool
forgets_publications(uint64_t version)
{
	return version < 150013 || (version >= 160000 && version < 160009) ||
	    (version >= 170000 && version < 170005);
}

/*
 * Then a new connection is needed, when the stream is behind all such transactions; and another
 * barrier, for what this connection did not bring.
 */
static int
connect_anew(struct reader *r, int64_t now)
{
	struct snapshot *s = &r->snapshot;
	bool wanted = false;
	enum pg_status status;
	PGresult *res;

	for (size_t i = s->first; i < s->tables; i++) {
		const struct table *t = s->table[i];

		wanted = wanted || (t->state == TABLE_BARRED && t->looked && t->holders == 0);
	}
	if (!wanted)
		return GO_ON;
	/* By then all is on disk that was committed before, also asynchronously. */
	if (s->connect_at == 0)
		s->connect_at = now + SECOND_US + 3000 * (int64_t)r->server.wal_writer_delay_ms;
	if (now < s->connect_at)
		return GO_ON;
	if (s->connect_lsn == 0) {
		status = catalog_query(&r->pgo.relations.catalog,
		    "SELECT pg_catalog.pg_current_wal_flush_lsn()",
		    "cannot look at the end of the log", &res);
		if (status != PG_OK || res == NULL)
			return link_failed(r, status);
		if (lsn_parse(PQgetvalue(res, 0, 0), (size_t)PQgetlength(res, 0, 0),
		        &s->connect_lsn) != 0)
			s->connect_lsn = 0;
		PQclear(res);
	}
	if (r->idle_lsn < s->connect_lsn || r->pgo.in_transaction || r->pgo.stream != NULL)
		return GO_ON;
	for (size_t i = s->first; i < s->tables; i++)
		if (s->table[i]->state == TABLE_BARRED && s->table[i]->looked &&
		    s->table[i]->holders == 0)
			s->table[i]->fresh = false;
	log_debug("connecting anew for tables that may be new in the publication");
	link_lost(r, true);
	return GO_ON;
}

/* Are they over? */
static int
await_holders(struct reader *r, int64_t now)
{
	struct snapshot *s = &r->snapshot;
	struct visible seen;
	char *text;
	enum pg_status status = catalog_snapshot(&r->pgo.relations.catalog, &text);

	if (status != PG_OK || text == NULL)
		return link_failed(r, status);
	visible_parse(&seen, text);
	for (size_t i = s->first; i < s->tables; i++) {
		struct table *t = s->table[i];
		size_t n = 0;

		if (t->state != TABLE_BARRED || !t->looked)
			continue;
		for (size_t k = 0; k < t->holders; k++)
			if (!visible_over(&seen, t->holder[k]))
				t->holder[n++] = t->holder[k];
		t->holders = n;
		if (n > 0)
			say_waiting(t, now);
		else if (!t->fresh || !forgets_publications(r->server.version))
			t->state = TABLE_UNKNOWN;
	}
	free(text);
	return GO_ON;
}

int
barrier_pass(struct reader *r, int64_t now)
{
	struct snapshot *s = &r->snapshot;
	bool barred = false, unlooked = false;
	int code = GO_ON;

	for (size_t i = s->first; i < s->tables; i++) {
		barred = barred || s->table[i]->state == TABLE_BARRED;
		unlooked = unlooked || (s->table[i]->state == TABLE_BARRED && !s->table[i]->looked);
	}
	if (!barred || (!unlooked && now < s->look_at))
		return GO_ON;
	if (unlooked)
		code = find_holders(r);
	s->look_at = now + LOOK_US;
	if (code == GO_ON)
		code = await_holders(r, now);
	return code == GO_ON ? connect_anew(r, now) : code;
}
