/* /metrics of a reader that is made up: names taken apart, and more tables than are shown. */
#include <stdio.h>
#include <stdlib.h>

#include "observe.h"
#include "tap.h"

#define TABLES 1003

static struct options options = { .slot = "s\"" };
static struct reader r = { .o = &options };
static struct table table[TABLES];
static struct table *list[TABLES];

static bool
has(const char *page, const char *line)
{
	const char *p = strstr(page, line);

	return p != NULL && (p == page || p[-1] == '\n') && p[strlen(line)] == '\n';
}

static size_t
count(const char *page, const char *what)
{
	size_t n = 0;

	for (const char *p = page; (p = strstr(p, what)) != NULL; p++)
		n++;
	return n;
}

static void
test_tables(void)
{
	static char names[TABLES][32], odd[] = "\"a.\"\"b\".\"C\\\n\"\"\"";
	struct buf page = { 0 };

	for (uint32_t i = 0; i < TABLES; i++) {
		snprintf(names[i], sizeof(names[i]), "public.t%u", i);
		table[i] = (struct table) { .heap = 20000 + i, .name = names[i],
			.state = i % 2 ? TABLE_LOADED : TABLE_READING, .measured = true,
			.blocks = 10 + i, .rows = 5, .bytes = 50 };
		list[i] = &table[i];
	}
	table[0].name = odd;
	table[1].measured = false;
	r.snapshot.table = list;
	r.snapshot.tables = TABLES;
	ok(observe_metrics(&r, &page) == 200, "a page");
	(void)buf_cstr(&page);
	ok(has(page.data, "pgcdc_read_snapshot_blocks{schema=\"a.\\\"b\",table=\"C\\\\\\n\\\"\","
	                  "oid=\"20000\"} 10"),
	    "a name in quotes, with all that must be escaped");
	ok(has(page.data,
	       "pgcdc_read_snapshot_blocks{schema=\"public\",table=\"t1\",oid=\"20001\"} 0"),
	    "what was not measured has no blocks");
	ok(has(page.data, "pgcdc_read_snapshot_blocks{schema=\"public\",table=\"t999\","
	                  "oid=\"20999\"} 1009"),
	    "the thousandth");
	ok(has(page.data,
	       "pgcdc_read_snapshot_blocks{schema=\"\",table=\"other\",oid=\"\"} 3033"),
	    "the others together");
	ok(has(page.data,
	       "pgcdc_read_snapshot_rows_total{schema=\"\",table=\"other\",oid=\"\"} 15"),
	    "and their rows");
	ok(count(page.data, "\npgcdc_read_snapshot_blocks{") == 1001, "no more than that");
	ok(has(page.data, "pgcdc_read_snapshot_tables{state=\"loaded\"} 501") &&
	        has(page.data, "pgcdc_read_snapshot_tables{state=\"loading\"} 502"),
	    "all of them are counted");
	ok(count(page.data, "_lsn ") == 0 && count(page.data, "_lag_") == 0,
	    "what is not known yet is not there");
	ok(has(page.data, "pgcdc_read_state{state=\"connecting\"} 1"), "connecting");
	buf_free(&page);
	ok(observe_status(&r, &page) == 503, "which is no health");
	ok(strstr(buf_cstr(&page), "\"slot\":\"s\\\"\"") != NULL, "JSON is escaped");
	page.len = 0;
	r.server.standby = true;
	ok(observe_status(&r, &page) == 200 && strstr(buf_cstr(&page), "\"standby\"") != NULL,
	    "standing by is");
	buf_free(&page);
}

int
main(void)
{
	test_tables();
	return done_testing();
}
