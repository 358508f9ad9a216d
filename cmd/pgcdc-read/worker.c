#include "fdio.h"
#include "log.h"
#include "worker.h"

#define CONNECT_US INT64_C(30000000)
#define LARGE      ((uint64_t)4 * 1024 * 1024) /* for so large a row libpq makes a lot of room */

void
worker_start(struct worker *w, const char *conninfo, const PGconn *peer, int64_t now)
{
	w->conn = pg_connect_begin(conninfo, false, peer, "pgcdc-read snapshot");
	w->state = WORKER_CONNECTS;
	w->writes = true;
	w->since = now;
	w->more = false;
}

/* Send what libpq holds, as far as it goes. */
static bool
flush(struct worker *w)
{
	int n = PQflush(w->conn);

	w->writes = n > 0;
	return n >= 0;
}

/* A statement whose answer is of no interest. */
static bool
send(struct worker *w, const char *sql)
{
	w->state = WORKER_SETS;
	return PQsendQuery(w->conn, sql) == 1 && flush(w);
}

bool
worker_give(struct worker *w, struct chunk *c, const struct chunk_context *x)
{
	if (!chunk_ask(c, x, w->conn, &w->prepared) || !flush(w))
		return false;
	w->chunk = c;
	w->state = WORKER_READS;
	return true;
}

void
worker_poll(const struct worker *w, struct pollfd *p)
{
	*p = (struct pollfd) { .fd = w->conn != NULL ? PQsocket(w->conn) : -1,
		.events = (short)((w->writes ? POLLOUT : 0) |
		    (w->state != WORKER_CONNECTS || !w->writes ? POLLIN : 0)) };
}

static enum worker_event
connect_on(struct worker *w, const char *conninfo, int64_t now)
{
	PostgresPollingStatusType want = PQconnectPoll(w->conn);

	w->writes = want == PGRES_POLLING_WRITING;
	if (want == PGRES_POLLING_OK && PQsetnonblocking(w->conn, 1) == 0 &&
	    send(w, pg_settings))
		return WORKER_NOTHING;
	if (want != PGRES_POLLING_FAILED && want != PGRES_POLLING_OK) {
		if (now - w->since <= CONNECT_US)
			return WORKER_NOTHING;
		log_warn("no answer to a snapshot's connection");
		return WORKER_LOST;
	}
	return pg_connect_failed(w->conn, conninfo, true) == PG_PERMANENT ? WORKER_REFUSED
									  : WORKER_LOST;
}

/* The settings, or the end of a transaction that failed. */
static enum worker_event
set_on(struct worker *w)
{
	while (!PQisBusy(w->conn)) {
		PGresult *res = PQgetResult(w->conn);
		ExecStatusType status = PQresultStatus(res);

		if (res == NULL) {
			w->state = WORKER_RESTS;
			return WORKER_NOTHING;
		}
		if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
			(void)pg_failed(w->conn, res, "a snapshot's connection failed", NULL);
			PQclear(res);
			return WORKER_LOST;
		}
		PQclear(res);
	}
	return WORKER_NOTHING;
}

static enum worker_event
read_on(struct worker *w, const struct chunk_context *x, bool broken, struct chunk **ended)
{
	if (!chunk_take(w->chunk, x, w->conn, &w->more)) {
		if (!broken || w->more)
			return WORKER_NOTHING;
		if (w->chunk->outcome == CHUNK_FINE) {
			log_warn("a snapshot's connection broke",
			    kv_str("server", PQerrorMessage(w->conn)));
			w->chunk->outcome = CHUNK_FAILED;
		}
	}
	*ended = w->chunk;
	w->chunk = NULL;
	w->state = WORKER_RESTS;
	if ((*ended)->outcome != CHUNK_FINE)
		w->prepared.len = 0;
	if (PQstatus(w->conn) == CONNECTION_OK && (*ended)->largest < LARGE) {
		if (PQtransactionStatus(w->conn) != PQTRANS_IDLE && !send(w, "ROLLBACK"))
			(void)worker_stop(w);
	} else {
		/* It is broken, or libpq never gives back what it once needed for a row. */
		(void)worker_stop(w);
	}
	return WORKER_CAME;
}

enum worker_event
worker_take(struct worker *w, const char *conninfo, const struct chunk_context *x, int64_t now,
    struct chunk **ended)
{
	bool broken = false;

	*ended = NULL;
	if (w->state == WORKER_CONNECTS)
		return connect_on(w, conninfo, now);
	if (w->writes && !flush(w))
		broken = true;
	/* What came before the end is still there to be taken. */
	if (!w->more && !PQconsumeInput(w->conn))
		broken = true;
	w->more = false;
	if (w->state == WORKER_READS)
		return read_on(w, x, broken, ended);
	if (w->state == WORKER_SETS && !broken)
		return set_on(w);
	if (!broken && PQstatus(w->conn) == CONNECTION_OK)
		return WORKER_NOTHING;
	log_warn("the server closed a snapshot's connection");
	return WORKER_LOST;
}

struct chunk *
worker_stop(struct worker *w)
{
	struct chunk *c = w->chunk;

	PQfinish(w->conn);
	w->conn = NULL;
	buf_free(&w->prepared);
	w->chunk = NULL;
	w->more = w->writes = false;
	w->state = WORKER_CONNECTS;
	return c;
}
