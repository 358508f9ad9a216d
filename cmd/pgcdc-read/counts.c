#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "counts.h"

struct count *
counts_of(struct counts *cs, const char *schema, const char *table)
{
	struct count *c;

	for (size_t i = 0; i < cs->n; i++)
		if (strcmp(cs->list[i]->table, table) == 0 &&
		    strcmp(cs->list[i]->schema, schema) == 0)
			return cs->list[i];
	if (cs->n > COUNTS_TABLES)
		return cs->list[COUNTS_TABLES];
	if (cs->n == cs->cap) {
		cs->cap = cs->cap ? cs->cap * 2 : 16;
		cs->list = xrealloc(cs->list, cs->cap * sizeof(*cs->list));
	}
	c = xcalloc(1, sizeof(*c));
	/* The last one is for the others; no schema has this name. */
	c->schema = xstrdup(cs->n < COUNTS_TABLES ? schema : "");
	c->table = xstrdup(cs->n < COUNTS_TABLES ? table : "other");
	cs->list[cs->n++] = c;
	return c;
}

void
counts_free(struct counts *cs)
{
	for (size_t i = 0; i < cs->n; i++) {
		free(cs->list[i]->schema);
		free(cs->list[i]->table);
		free(cs->list[i]);
	}
	free(cs->list);
	*cs = (struct counts) { 0 };
}
