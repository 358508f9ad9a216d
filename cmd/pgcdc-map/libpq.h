#ifndef LIBPQ_H
#define LIBPQ_H

#include <libpq-fe.h>
#include <stdbool.h>

/*
 * libpq's functions, as pq.NAME for PQNAME.  The library is loaded at the first look at a
 * catalog: mapping never takes one, and libpq brings some twenty libraries with it, whose data
 * are several MiB in a program that has little of its own.
 */
#define LIBPQ_FUNCTIONS(X)                                                                   \
	X(clear) X(connectdbParams) X(conninfoFree) X(conninfoParse) X(consumeInput)         \
	X(errorMessage) X(finish) X(getResult) X(getisnull) X(getvalue) X(isBusy) X(ntuples) \
	X(resultErrorField) X(resultErrorMessage) X(resultStatus) X(sendQueryParams)         \
	X(serverVersion) X(setNoticeReceiver) X(socket) X(status)

#define LIBPQ_MEMBER(name) __typeof__(PQ##name) *name;

struct libpq {
	LIBPQ_FUNCTIONS(LIBPQ_MEMBER)
};

/* NULL throughout until libpq_load has succeeded. */
extern struct libpq pq;

/*
 * Load it, if it is not; false: it cannot be, which was said; without memory for it the program
 * ends, with 111.  It stays until the program ends.
 */
bool libpq_load(void) __attribute__((warn_unused_result));

#endif
