#ifndef INDEX_TEMPLATE_H
#define INDEX_TEMPLATE_H

#include "buf.h"
#include "catalog.h"
#include "mapping.h"
#include "problem.h"

/*
 * Composable index templates (PUT /_index_template) for all indexes that the rules write to:
 * one for each name, or pattern where the name has columns in it.
 */

struct index_template;

struct index_templates {
	struct index_template *list;
	size_t n;
};

/*
 * Make them of the tables' plans.  Fields that two rules write in different ways, and what
 * else does not fit, are warned about.
 */
void index_templates_make(
    struct index_templates *, const struct catalog *, struct problems *);

/*
 * Append them: for each a line PUT /_index_template/NAME and one of JSON; or, where index is
 * not NULL, the JSON alone of the one for that index or pattern.  False: there is none.
 */
bool index_templates_put(const struct index_templates *, const char *index, struct buf *);

/* Append their patterns, one a line. */
void index_templates_list(const struct index_templates *, struct buf *);

void index_templates_free(struct index_templates *);

#endif
