#ifndef EXPR_H
#define EXPR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <msgpack.h>

#include "relation.h"

/*
 * Conditions on rows, in the part of SQL that pgcdc-map(5) describes: parsed once, bound to
 * each relation, and tested on each row.
 *
 * Beside SQL's true, false and null there is absent, for what the server did not send.  It
 * behaves as a null of which we know that it could be anything: false and absent is false,
 * true or absent is true, and else absent wins, over null too.  A fault is a cast that the
 * value at hand does not allow; it wins over absent.
 */

struct expr;
struct expr_plan;

struct expr_problem {
	size_t offset; /* bytes into the expression */
	char message[256];
};

/* NULL: problem says why.  The text need not stay. */
struct expr *expr_parse(const char *text, size_t len, struct expr_problem *)
    __attribute__((warn_unused_result));

void expr_free(struct expr *);

/* Tell each column that is named, in the order of the text; twice where it is twice. */
void expr_columns(const struct expr *,
    void (*tell)(void *ctx, const char *name, bool is_old, size_t offset), void *ctx);

/*
 * Look its columns up, check the types as SQL does, and compute what is constant.  NULL:
 * problem says why.  Neither the expression nor the relation is needed afterwards.
 */
struct expr_plan *expr_bind(const struct expr *, const struct relation *,
    struct expr_problem *) __attribute__((warn_unused_result));

void expr_plan_free(struct expr_plan *);

enum expr_truth { EXPR_FALSE, EXPR_TRUE, EXPR_NULL, EXPR_ABSENT, EXPR_FAULT };

/*
 * A row, which has a value for each column of the relation.  Of an update old is the old
 * row, or NULL where the server sent none; of a delete row and old are the same.
 *
 * c is row[c], or what old has where row[c] is absent.  old.c is null when the row was
 * inserted; else old[c]; without an old row it is row[c] where c is in the replica identity,
 * for that did not change then, and else absent.
 */
struct expr_row {
	const msgpack_object *row, *old;
	bool inserted; /* also: a snapshot's */
};

/* LC_CTYPE must be a UTF-8 locale for ilike, lower and upper. */
enum expr_truth expr_test(struct expr_plan *, const struct expr_row *);

/* After EXPR_ABSENT: the number of the column that was missed. */
uint32_t expr_absent_column(const struct expr_plan *, bool *is_old);

/* After EXPR_FAULT: what went wrong with which value, until the next test. */
const char *expr_fault(const struct expr_plan *);

#endif
