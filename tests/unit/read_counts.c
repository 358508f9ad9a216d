/* Rows are counted by table; tables beyond a limit share one count. */
#include <stdio.h>
#include <stdlib.h>

#include "counts.h"
#include "tap.h"

int
main(void)
{
	struct counts cs = { 0 };
	struct count *a = counts_of(&cs, "s", "a"), *other;
	char name[32];
	int wrong = 0;

	counts_add(a, COUNT_INSERT);
	counts_add(a, counts_letter('U'));
	counts_add(a, counts_letter('D'));
	counts_add(a, counts_letter('D'));
	counts_add(NULL, COUNT_INSERT);
	ok(a->rows[COUNT_INSERT] == 1 && a->rows[COUNT_UPDATE] == 1 && a->rows[COUNT_DELETE] == 2,
	    "each in its place");
	ok(counts_of(&cs, "s", "a") == a, "a table is known again by its name");
	ok(counts_of(&cs, "t", "a") != a && counts_of(&cs, "s", "b") != a, "and by all of it");
	for (int i = 3; i < COUNTS_TABLES; i++) {
		snprintf(name, sizeof(name), "t%d", i);
		wrong += counts_of(&cs, "s", name) != cs.list[i];
	}
	ok(wrong == 0 && strcmp(cs.list[COUNTS_TABLES - 1]->table, "t999") == 0,
	    "a thousand have one each");
	other = counts_of(&cs, "s", "x");
	ok(counts_of(&cs, "s", "y") == other && counts_of(&cs, "z", "z") == other, "then all share one");
	is(other->schema, "", "without a schema");
	is(other->table, "other", "of that name");
	ok(counts_of(&cs, "s", "a") == a && a->rows[COUNT_DELETE] == 2 && cs.n == COUNTS_TABLES + 1,
	    "the first ones keep theirs");
	counts_free(&cs);
	ok(cs.n == 0 && cs.list == NULL, "nothing is left");
	return done_testing();
}
