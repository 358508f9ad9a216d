#ifndef PG_H
#define PG_H

#include <stdbool.h>
#include <stdint.h>

#include <libpq-fe.h>

/*
 * libpq without its blocking calls: while a connection is made or a query runs, the
 * caller's tick goes on (status updates on the replication connection must), and TERM
 * ends the wait.
 */

struct pg_wait {
	int signal_fd;         /* from sig_init */
	/* Called at least every 100 ms while waiting; not 0 ends the wait.  NULL for none. */
	int (*tick)(void *);
	void *arg;
	int64_t answer_us; /* a query whose answer takes longer has failed; 0: any time */
};

enum pg_status {
	PG_OK,
	PG_STOPPED,   /* a signal came, or tick ended it */
	PG_TEMPORARY, /* said on the log; a restart can help */
	PG_PERMANENT, /* said on the log; it cannot */
};

/* Wait so long. */
enum pg_status pg_wait_ms(const struct pg_wait *, int ms) __attribute__((warn_unused_result));

/*
 * Connect; replication opens a walsender that also takes SQL.  peer, or NULL, is a connection
 * to the server that it must be, where conninfo has several.  *conn is NULL unless PG_OK.  All settings that change how values print are set: UTC, ISO dates and
 * intervals, all digits of floats, hex, UTF-8.
 */
enum pg_status pg_connect(const struct pg_wait *, const char *conninfo, bool replication,
    const PGconn *peer, PGconn **conn) __attribute__((warn_unused_result));

/*
 * In parts, for who waits in a loop of his own: the connection, to be polled by PQconnectPoll;
 * why it failed, said on the log; and the statement that is to be run on it first.
 */
PGconn *pg_connect_begin(const char *conninfo, bool replication, const PGconn *peer,
    const char *name);
enum pg_status pg_connect_failed(PGconn *, const char *conninfo, bool second);
/* The same without a word. */
enum pg_status pg_connect_judge(PGconn *, const char *conninfo, bool second);
extern const char pg_settings[];

/*
 * Run one statement.  *res is the last result, to be PQcleared by the caller, or NULL
 * after PG_STOPPED; with an error of the server it is kept for its SQLSTATE and
 * nothing is logged: see pg_failed.
 */
enum pg_status pg_exec(const struct pg_wait *, PGconn *, const char *sql, PGresult **res)
    __attribute__((warn_unused_result));

/*
 * The same for a query that must give rows: what says what failed where it does not.  On PG_OK
 * *res is to be PQcleared; else it is NULL.
 */
enum pg_status pg_query(const struct pg_wait *, PGconn *, const char *sql, const char *what,
    PGresult **res) __attribute__((warn_unused_result));

/*
 * Say that what failed with this result (NULL: the connection), with the server's own
 * words and an optional remedy; returns PG_TEMPORARY or PG_PERMANENT by its SQLSTATE.
 */
enum pg_status pg_failed(PGconn *, const PGresult *, const char *what, const char *remedy);

/* The same without a word. */
enum pg_status pg_judge(PGconn *, const PGresult *);

/* What the server says beside its answers: is it a warning?  Pass it on to the log. */
bool pg_is_warning(const PGresult *);
void pg_notice(const PGresult *);

/* Does the result carry this SQLSTATE? */
bool pg_sqlstate_is(const PGresult *, const char *sqlstate);

/* A literal or identifier quoted for SQL, to be PQfreemem'd. */
char *pg_literal(PGconn *, const char *);
char *pg_identifier(PGconn *, const char *);

/* WAL page header sizes, src/include/access/xlog_internal.h. */
#define PG_WAL_PAGE      8192
#define PG_WAL_LONG_HEAD 40

/*
 * The end of the last record before the insert position: at a page's start that is behind the
 * page's header, where no record ends.
 */
static inline uint64_t
pg_log_end(uint64_t insert)
{
	return insert % PG_WAL_PAGE <= PG_WAL_LONG_HEAD ? insert - insert % PG_WAL_PAGE : insert;
}

#endif
