#ifndef ENGINE_H
#define ENGINE_H

#include "standin.h"

/*
 * What the cluster's engine does with the items of a bulk request.
 */

/*
 * Find where the items go, and tell the order check that the request names their
 * documents.  ids holds what ids are made up and lives as long as the items.
 */
void engine_touch(struct standin *, struct bulk *, struct buf *ids, uint32_t serial);

/* Execute the first n items and write the answer's items. */
void engine_run(struct standin *, struct bulk *, size_t n, struct answer *);

/* Write out what a line_file holds. */
void line_file_flush(struct line_file *);

#endif
