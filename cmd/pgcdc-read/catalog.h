#ifndef CATALOG_H
#define CATALOG_H

#include <stdbool.h>

#include "pg.h"

/*
 * The second connection: to the same server as the replication connection, for what its
 * stream does not tell.  It is opened at the first need.
 */
struct catalog {
	const char *conninfo; /* NULL: there is no catalog to be asked */
	const PGconn *peer;   /* the replication connection, whose server it must be */
	struct pg_wait wait;
	PGconn *conn;
	PGconn *idle; /* where refused: a walsender, never asked; its end tells of a shutdown */
	bool idle_tried;
	bool said;            /* that it is so, since it was open last */
	bool refused;         /* the server does not let us: said on the log */
};

/*
 * Open it where it is not.  A server that does not let us is no error: refused is set, with a
 * warning.
 */
enum pg_status catalog_open(struct catalog *) __attribute__((warn_unused_result));

/*
 * Run a query that gives rows.  On PG_OK *res is to be PQcleared, or NULL where there is no
 * catalog to be asked.  Otherwise it was said on the log; what says what failed.
 */
enum pg_status catalog_query(struct catalog *, const char *sql, const char *what,
    PGresult **res) __attribute__((warn_unused_result));

/*
 * What is committed now, for visible_parse: *text is to be freed, or NULL where there is no
 * catalog to be asked.
 */
enum pg_status catalog_snapshot(struct catalog *, char **text) __attribute__((warn_unused_result));

/* Its descriptor, for poll: readable when the server has ended it; -1: there is none. */
int catalog_fd(const struct catalog *);

/* When that is readable: did the server end it?  Then it is said on the log. */
bool catalog_ended(struct catalog *);

void catalog_close(struct catalog *);

#endif
