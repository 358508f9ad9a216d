#ifndef CHECK_H
#define CHECK_H

#include "catalog.h"
#include "mapping.h"
#include "plan.h"
#include "problem.h"

/*
 * A mapping held against the catalog: what will go wrong is said before it does.
 */

/*
 * Compile the rules for all published tables, whose relations own the plans then, and add
 * what is wrong, or hardly as meant, to problems.
 */
enum catalog_status check_tables(const struct mapping *, struct catalog *, struct problems *)
    __attribute__((warn_unused_result));

/* Has the relation a plan of this rule? */
bool check_takes(const struct rule *, const struct relation *);

/*
 * For check.c: one rule and one table, check_plan.c; of that the fields, check_field.c, and
 * the values, check_value.c.
 */
void check_plan(const struct catalog_table *, const struct plan *, struct problems *);
void check_fields(const struct catalog_table *, const struct plan *, struct problems *);
void check_values(const struct catalog_table *, const struct plan *, struct problems *);

#endif
