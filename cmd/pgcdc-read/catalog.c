#include "buf.h"
#include "catalog.h"
#include "log.h"

/* CONNECTION LIMIT does not count walsenders; and one that is idle ends with the server. */
static enum pg_status
open_idle(struct catalog *c)
{
	if (c->idle_tried)
		return PG_OK;
	c->idle_tried = true;
	return pg_connect(&c->wait, c->conninfo, true, c->peer, &c->idle) == PG_STOPPED ? PG_STOPPED
	                                                                               : PG_OK;
}

enum pg_status
catalog_open(struct catalog *c)
{
	enum pg_status status;

	if (c->conninfo == NULL || (c->conn != NULL && PQstatus(c->conn) == CONNECTION_OK))
		return PG_OK;
	if (c->refused)
		return open_idle(c);
	catalog_close(c);
	status = pg_connect(&c->wait, c->conninfo, false, c->peer, &c->conn);
	if (status == PG_OK)
		c->said = false;
	if (status != PG_PERMANENT)
		return status;
	c->refused = true;
	if (!c->said)
		log_warn("the catalog cannot be asked: values of types that PostgreSQL does not bring "
		         "itself are text, and primary keys of several columns are not known",
		    kv_str("remedy",
		        "let the user connect a second time, other than for replication"));
	c->said = true;
	return open_idle(c);
}

enum pg_status
catalog_query(struct catalog *c, const char *sql, const char *what, PGresult **res)
{
	enum pg_status status = catalog_open(c);

	*res = NULL;
	if (status != PG_OK || c->conn == NULL)
		return status;
	return pg_query(&c->wait, c->conn, sql, what, res);
}

enum pg_status
catalog_snapshot(struct catalog *c, char **text)
{
	PGresult *res;
	enum pg_status status = catalog_query(c, "SELECT pg_catalog.pg_current_snapshot()",
	    "cannot look at what is committed", &res);

	*text = status == PG_OK && res != NULL ? xstrdup(PQgetvalue(res, 0, 0)) : NULL;
	PQclear(res);
	return status;
}

/* The one that tells of the server's end. */
static PGconn *
sentinel(const struct catalog *c)
{
	return c->conn != NULL ? c->conn : c->idle;
}

int
catalog_fd(const struct catalog *c)
{
	return sentinel(c) != NULL ? PQsocket(sentinel(c)) : -1;
}

bool
catalog_ended(struct catalog *c)
{
	if (PQconsumeInput(sentinel(c)) && PQstatus(sentinel(c)) == CONNECTION_OK)
		return false;
	log_warn("the server closed the second connection");
	return true;
}

void
catalog_close(struct catalog *c)
{
	PQfinish(c->conn);
	PQfinish(c->idle);
	c->conn = c->idle = NULL;
	c->idle_tried = false;
}
