#ifndef TABLES_H
#define TABLES_H

#include <stddef.h>
#include <stdint.h>

#include "frame.h"

/* Names of tables by relid, for messages: actions carry the relid only. */
struct tables {
	struct table {
		uint32_t relid;
		char *name; /* schema.table */
	} *table;
	size_t n;
};

/* Keep, or replace, the name that an R frame gives. */
void tables_put(struct tables *, const struct frame_relation *);

/* Forget all names. */
void tables_clear(struct tables *);

/* The name, or NULL. */
const char *tables_name(const struct tables *, uint32_t relid);

#endif
