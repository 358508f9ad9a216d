#include <stdlib.h>
#include <string.h>

#include "catalog_query.h"
#include "listing.h"

enum catalog_status
listing_tables(const struct mapping *m, const char *conninfo, struct buf *b)
{
	static const char sql[] =
	    "SELECT n.nspname || '.' || c.relname, pg_catalog.format('%I.%I', n.nspname, c.relname),"
	    " rn.nspname || '.' || r.relname FROM pg_catalog.pg_class c"
	    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
	    " LEFT JOIN pg_catalog.pg_class r ON c.relispartition"
	    " AND r.oid = pg_catalog.pg_partition_root(c.oid)"
	    " LEFT JOIN pg_catalog.pg_namespace rn ON rn.oid = r.relnamespace"
	    " WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p' AND c.oid >= 16384"
	    " ORDER BY 2";
	struct catalog c = { 0 };
	enum catalog_status status = catalog_connect(&c, conninfo);
	bool any = false;
	PGresult *res = NULL;
	int rows = 0;

	if (status == CATALOG_OK)
		status = catalog_query(&c, sql, "cannot look up tables", 0, NULL, &res);
	if (status == CATALOG_OK)
		rows = pq.ntuples(res);
	for (int i = 0; i < rows; i++) {
		if (mapping_find(m, pq.getvalue(res, i, 0), NULL) == NULL ||
		    (!pq.getisnull(res, i, 2) && mapping_find(m, pq.getvalue(res, i, 2), NULL) != NULL))
			continue;
		buf_printf(b, "%s%s", any ? ", " : "", pq.getvalue(res, i, 1));
		any = true;
	}
	if (any)
		buf_addc(b, '\n');
	if (res != NULL)
		pq.clear(res);
	catalog_free(&c);
	return status;
}

/* The template with stars for all that is no text. */
static char *
pattern(const struct template *t)
{
	struct buf b = { 0 };

	for (size_t i = 0; i < t->parts; i++)
		if (t->part[i].kind == TEMPLATE_TEXT)
			buf_add(&b, t->part[i].text, t->part[i].len);
		else if (b.len == 0 || b.data[b.len - 1] != '*')
			buf_addc(&b, '*');
	return buf_cstr(&b);
}

void
listing_indexes(const struct mapping *m, struct buf *b)
{
	char **seen = xcalloc(m->rules + 1, sizeof(*seen));
	size_t n = 0;

	for (size_t i = 0; i < m->rules; i++) {
		size_t k = 0;

		seen[n] = pattern(&m->rule[i].index);
		while (k < n && strcmp(seen[k], seen[n]) != 0)
			k++;
		if (k < n)
			free(seen[n]);
		else
			buf_printf(b, "%s\n", seen[n++]);
	}
	while (n > 0)
		free(seen[--n]);
	free(seen);
}
