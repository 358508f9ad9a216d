#ifndef ROW_H
#define ROW_H

#include <stdint.h>

#include "action.h"
#include "document.h"

/*
 * Rows to actions: what a rule does with a change.  Each call appends X frames: none where
 * the rule has no use for it, one, or two when an update moved the document.  A row that
 * cannot be mapped becomes a reject with the reason.
 */

/* A row that was inserted, or that a snapshot found; it has a value for each column. */
void row_new(struct action_writer *, struct plan *, const msgpack_object *new, enum change);

/* An update; old is NULL where the server sent no old row. */
void row_update(struct action_writer *, struct plan *, const msgpack_object *new,
    const msgpack_object *old);

void row_delete(struct action_writer *, struct plan *, const msgpack_object *old);

#endif
