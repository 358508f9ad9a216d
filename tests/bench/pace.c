/*
 * pace RATE UNIT SECONDS: inserts RATE rows a second into item, UNIT of them in a transaction,
 * at even distances, and writes a line for each transaction: its first row, its last one, and
 * when its commit had returned, in microseconds since 1970.  The server is that of libpq's
 * environment.
 *
 * A transaction that takes longer than its distance makes later ones late, and they follow
 * without a pause until the pace is regained.
 */
#include <errno.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>

static void die(PGconn *connection)
{
	fprintf(stderr, "pace: %s", PQerrorMessage(connection));
	exit(1);
}

static long long now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (long long)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void wait_until(long long at)
{
	struct timespec t = { .tv_sec = at / 1000000000, .tv_nsec = at % 1000000000 };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
		;
}

static void must(PGconn *connection, PGresult *result)
{
	if (PQresultStatus(result) != PGRES_COMMAND_OK)
		die(connection);
	PQclear(result);
}

static void insert(PGconn *connection, long first, long last)
{
	char texts[2][24];
	const char *const values[2] = { texts[0], texts[1] };

	snprintf(texts[0], sizeof texts[0], "%ld", first);
	snprintf(texts[1], sizeof texts[1], "%ld", last);
	must(connection, PQexecPrepared(connection, "rows", 2, values, NULL, NULL, 0));
}

int main(int argc, char **argv)
{
	long rate, unit, rows;
	PGconn *connection;
	long long began;

	if (argc != 4) {
		fprintf(stderr, "usage: pace RATE UNIT SECONDS\n");
		return 2;
	}
	rate = atol(argv[1]);
	unit = atol(argv[2]);
	rows = rate * atol(argv[3]);
	if (rate <= 0 || unit <= 0 || rows <= 0 || rows % unit != 0) {
		fprintf(stderr, "pace: these numbers don't fit\n");
		return 2;
	}
	connection = PQconnectdb("");
	if (PQstatus(connection) != CONNECTION_OK)
		die(connection);
	must(connection,
	    PQprepare(connection, "rows",
		"INSERT INTO item SELECT i, i % 1000, 'name of ' || i"
		" FROM generate_series($1::int, $2::int) i",
		0, NULL));
	prctl(PR_SET_TIMERSLACK, 1000UL, 0UL, 0UL, 0UL);
	began = now(CLOCK_MONOTONIC);
	for (long first = 1; first <= rows; first += unit) {
		wait_until(began + (long long)((double)first / (double)rate * 1e9));
		insert(connection, first, first + unit - 1);
		printf("%ld %ld %lld\n", first, first + unit - 1, now(CLOCK_REALTIME) / 1000);
	}
	PQfinish(connection);
	return fflush(stdout) == 0 ? 0 : 1;
}
