#ifndef LISTING_H
#define LISTING_H

#include "buf.h"
#include "catalog.h"
#include "mapping.h"

/*
 * What a mapping is about, for scripts: --list.
 */

/*
 * Append the tables of the database that rules take, published or not, as SQL has their names,
 * with commas between.  Of partitions whose root a rule takes the root alone.
 */
enum catalog_status listing_tables(const struct mapping *, const char *conninfo, struct buf *)
    __attribute__((warn_unused_result));

/*
 * Append the indexes that rules write to, one a line, or patterns where their names have columns
 * in them; as far as the file alone can tell.
 */
void listing_indexes(const struct mapping *, struct buf *);

#endif
