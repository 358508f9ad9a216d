#ifndef EXPLAIN_H
#define EXPLAIN_H

#include "buf.h"
#include "catalog.h"
#include "mapping.h"

/*
 * What a mapping does, as plain text, rule by rule: with a catalog whose tables were checked,
 * for each published table; with NULL as far as the file tells.
 */
void explain(struct buf *, const struct mapping *, const struct catalog *);

#endif
