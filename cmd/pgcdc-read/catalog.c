#include "catalog.h"
#include "log.h"

static enum pg_status
open_catalog(struct catalog *c)
{
	if (c->conninfo == NULL || c->refused ||
	    (c->conn != NULL && PQstatus(c->conn) == CONNECTION_OK))
		return PG_OK;
	catalog_close(c);
	return pg_connect(&c->wait, c->conninfo, false, &c->conn);
}

enum pg_status
catalog_query(struct catalog *c, const char *sql, const char *what, PGresult **res)
{
	enum pg_status status = open_catalog(c);

	*res = NULL;
	if (status != PG_OK || c->conn == NULL)
		return status;
	status = pg_exec(&c->wait, c->conn, sql, res);
	if (status == PG_OK && PQresultStatus(*res) != PGRES_TUPLES_OK)
		status = pg_failed(c->conn, *res, what, NULL);
	if (status != PG_OK) {
		PQclear(*res);
		*res = NULL;
	}
	return status;
}

void
catalog_close(struct catalog *c)
{
	PQfinish(c->conn);
	c->conn = NULL;
}
