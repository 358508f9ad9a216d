/* What a snapshot keeps in mind: who is seen, which rows were touched, what is yet to be read. */
#include <stdlib.h>

#include "copyrow.h"
#include "table.h"
#include "tap.h"
#include "touched.h"
#include "visible.h"

static void
test_visible(void)
{
	struct visible v;

	visible_parse(&v, "100:110:100,105,108");
	ok(visible_over(&v, 99) && visible_over(&v, 3), "below xmin all are over");
	ok(!visible_over(&v, 100) && !visible_over(&v, 105) && !visible_over(&v, 108),
	    "those that run are not");
	ok(visible_over(&v, 101) && visible_over(&v, 109), "others are");
	ok(!visible_over(&v, 110) && !visible_over(&v, 2000000), "from xmax on none is");
	visible_parse(&v, "7:7:");
	ok(visible_over(&v, 6) && !visible_over(&v, 7), "nothing runs");
	visible_parse(&v, "4294967290:4294967300:4294967295,4294967299");
	ok(visible_over(&v, 4294967294u), "behind the wrap: an older one of before");
	ok(!visible_over(&v, 4294967295u) && !visible_over(&v, 3), "those that run");
	ok(visible_over(&v, 2) && !visible_over(&v, 4), "those that do not, and later ones");
	visible_parse(&v, "4294967290:4294967292:");
	ok(visible_over(&v, 4294967291u) && !visible_over(&v, 5), "before the wrap: one of behind it");
}

static void
test_list(void)
{
	struct visible_list l = { 0 };
	struct visible v;
	uint32_t xid = 0;
	uint64_t middle;

	ok(visible_all(&l, visible_end(&l), &v, &xid), "of nobody all are seen");
	for (uint32_t i = 1; i <= 300; i++) {
		visible_add(&l, i);
		visible_add(&l, i);
	}
	middle = visible_end(&l);
	visible_add(&l, 400);
	ok(middle == 300, "one behind itself counts once");
	visible_parse(&v, "301:401:400");
	ok(visible_all(&l, middle, &v, &xid), "all before a place are seen");
	ok(!visible_all(&l, visible_end(&l), &v, &xid) && xid == 400, "one behind it is not");
	visible_drop(&l, visible_end(&l), &v);
	ok(l.n == 1 && visible_end(&l) == 301, "those that are seen go; places stay");
	ok(visible_all(&l, middle, &v, &xid) && !visible_all(&l, 301, &v, &xid), "and mean the same");
	visible_free(&l);
}

static void
relation_free(struct relation *r)
{
	for (size_t i = 0; i < r->columns; i++)
		free(r->column[i].name);
	free(r->column);
	free(r);
}

/* Columns k1, v, k2; k1 and k2 are the identity, if it is one. */
static struct relation *
relation(char identity, size_t keys)
{
	static const char *const names[] = { "k1", "v", "k2" };
	static uint32_t key[] = { 2, 0 };
	struct relation *r = xcalloc(1, sizeof(*r));

	r->relid = 7;
	r->identity = identity;
	r->columns = 3;
	r->column = xcalloc(3, sizeof(*r->column));
	for (size_t i = 0; i < 3; i++) {
		r->column[i].name = xstrdup(names[i]);
		r->column[i].in_identity = identity == 'f' || (identity != 'n' && i != 1);
	}
	r->key = key;
	r->keys = keys;
	return r;
}

static void
set(struct tuple *t, const char *a, const char *b, const char *c)
{
	const char *const text[] = { a, b, c };

	t->columns = 3;
	for (size_t i = 0; i < 3; i++)
		t->column[i] = (struct tuple_column) { .kind = text[i] ? 't' : 'n',
			.text = text[i], .len = text[i] ? (uint32_t)strlen(text[i]) : 0 };
}

static bool
same_key(const struct touched *t, const struct relation *a, const char *const one[3],
    const struct relation *b, const char *const other[3])
{
	struct tuple_column column[3];
	struct tuple tuple = { .column = column, .cap = 3 };
	struct touched_key k1, k2;
	bool found;

	set(&tuple, one[0], one[1], one[2]);
	found = touched_key(t, a, &tuple, &k1);
	set(&tuple, other[0], other[1], other[2]);
	found = touched_key(t, b, &tuple, &k2) && found;
	return found && memcmp(&k1, &k2, sizeof(k1)) == 0;
}

#define ROW(...) ((const char *const[3]) { __VA_ARGS__ })

static void
test_keys(void)
{
	struct touched t = { 0 };
	struct relation *d = relation('d', 2), *i = relation('i', 0), *f = relation('f', 2),
			*whole = relation('f', 0), *mixed = relation('f', 2);
	struct tuple_column column[3];
	struct tuple tuple = { .column = column, .cap = 3 };
	struct touched_key key;

	mixed->mixed = true;
	touched_init(&t);
	ok(same_key(&t, d, ROW("1", "a", "2"), d, ROW("1", "b", "2")), "known by the identity");
	ok(!same_key(&t, d, ROW("1", "a", "2"), d, ROW("2", "a", "1")), "in its order");
	ok(!same_key(&t, d, ROW("12", "a", "3"), d, ROW("1", "a", "23")), "each value by itself");
	ok(same_key(&t, f, ROW("1", "a", "2"), f, ROW("1", NULL, "2")), "FULL: by the primary key");
	ok(!same_key(&t, whole, ROW("1", "a", "2"), whole, ROW("1", NULL, "2")), "or by all");
	ok(!same_key(&t, whole, ROW("1", "", "2"), whole, ROW("1", NULL, "2")), "null is not empty");
	ok(!same_key(&t, mixed, ROW("1", "a", "2"), mixed, ROW("1", "b", "2")),
	    "partitions with other identities: by all");
	ok(touched_alike(d, i) && touched_alike(f, f), "alike");
	ok(!touched_alike(d, f) && !touched_alike(f, whole) && !touched_alike(mixed, f), "not alike");
	set(&tuple, "1", "a", "2");
	column[1].kind = 'u';
	ok(touched_key(&t, d, &tuple, &key), "what is not of the key may be absent");
	ok(!touched_key(&t, whole, &tuple, &key), "what is of it may not");
	column[0].kind = 'a';
	ok(!touched_key(&t, d, &tuple, &key), "nor here");
	relation_free(d);
	relation_free(i);
	relation_free(f);
	relation_free(whole);
	relation_free(mixed);
}

static void
test_touched(void)
{
	struct touched t = { 0 };
	struct touched_key key = { { 1, 1 } };
	uint64_t half = 0;
	uint32_t n = 0;
	bool right = true;

	ok(touched_at(&t, &key) == 0, "nothing is touched");
	for (;; n++) {
		/* All in one place of the table, which then are neighbours. */
		key = (struct touched_key) { { n % 64, n } };
		if (!touched_add(&t, &key))
			break;
		if (n == 1000)
			half = t.now;
		if (n == 3000)
			break;
	}
	ok(n == 3000, "there is room");
	for (uint32_t i = 0; i <= n; i++) {
		key = (struct touched_key) { { i % 64, i } };
		right = right && touched_at(&t, &key) == i + 1;
	}
	ok(right, "each is found, with its time");
	touched_forget(&t, half);
	for (uint32_t i = 0; i <= n; i++) {
		key = (struct touched_key) { { i % 64, i } };
		right = right && touched_at(&t, &key) == (i <= 1000 ? 0 : i + 1);
	}
	ok(right && t.n == 2000, "the older half is forgotten");
	/* Neighbours around the table's end, whose size is a power of two; each third is forgotten. */
	touched_forget(&t, t.now);
	for (uint32_t i = 0; i < 300; i++) {
		key = (struct touched_key) { { UINT64_MAX - i % 7, i } };
		right = right && touched_add(&t, &key);
	}
	half = t.now;
	for (uint32_t i = 0; i < 300; i++) {
		key = (struct touched_key) { { UINT64_MAX - i % 7, i } };
		right = right && (i % 3 == 0 || touched_add(&t, &key));
	}
	touched_forget(&t, half);
	for (uint32_t i = 0; i < 300; i++) {
		key = (struct touched_key) { { UINT64_MAX - i % 7, i } };
		right = right && (touched_at(&t, &key) > half) == (i % 3 != 0);
	}
	ok(right && t.n == 200, "so are some of many");
	key = (struct touched_key) { { 1, 1 } };
	for (n = 0; n < 100000; n++) {
		key = (struct touched_key) { { (uint64_t)n * 2654435761u, n } };
		if (!touched_add(&t, &key))
			break;
	}
	ok(n < 100000, "there is an end");
	touched_forget(&t, t.now);
	ok(t.n == 0 && touched_add(&t, &key) && touched_at(&t, &key) == t.now, "and a new beginning");
	touched_free(&t);
}

static void
test_ranges(void)
{
	struct table t = { .blocks = 10 };
	struct range r, s;

	ok(!table_take(&t, 5, &r), "nothing to read");
	table_reset(&t, 2);
	ok(table_take(&t, 3, &r) && r.from == 2 && r.to == 5, "the first blocks");
	ok(table_take(&t, 3, &s) && s.from == 5 && s.to == 8, "the next");
	table_give_back(&t, r);
	ok(t.ranges == 2 && t.todo[0].from == 2 && t.todo[1].from == 8, "one is given back");
	table_give_back(&t, s);
	ok(t.ranges == 1 && t.todo[0].from == 2 && t.todo[0].to == 10, "and the one between");
	ok(table_take(&t, 100, &r) && r.to == 10 && !table_take(&t, 1, &s), "all at once");
	table_reset(&t, 10);
	ok(t.ranges == 0, "the end");
	table_free(&t);
}

/* A table that was given up can be asked for again. */
static void
test_restart(void)
{
	struct table t = { .state = TABLE_FAILED, .restarts = 31, .refusals = 61, .lockouts = 4,
		.shrink = 3, .retry_at = INT64_MAX };

	table_restart(&t, 1);
	ok(t.state == TABLE_BARRED && t.untrusted == 1, "a table begins again");
	ok(t.restarts == 0 && t.refusals == 0 && t.lockouts == 0, "with all its attempts");
	ok(t.shrink == 0 && t.retry_at == 0, "at once");
}

static bool
reads_as(const char *line, size_t columns, const char *expected)
{
	struct tuple t = { 0 };
	struct buf got = { 0 };
	char *copy = xstrdup(line);
	bool read = copyrow_read(&t, columns, copy, strlen(copy)), right;

	for (size_t i = 0; read && i < columns; i++) {
		buf_addc(&got, t.column[i].kind);
		buf_add(&got, t.column[i].text, t.column[i].kind == 't' ? t.column[i].len : 0);
		buf_addc(&got, '|');
	}
	right = expected == NULL ? !read : read && strcmp(buf_cstr(&got), expected) == 0;
	buf_free(&got);
	free(copy);
	free(t.column);
	return right;
}

static void
test_copyrow(void)
{
	ok(reads_as("a\tb\tc", 3, "ta|tb|tc|"), "plain");
	ok(reads_as("", 1, "t|") && reads_as("\t", 2, "t|t|") && reads_as("", 0, ""), "empty");
	ok(reads_as("\\N\tx\t\\N", 3, "n|tx|n|"), "nulls");
	ok(reads_as("\\\\N\tN\t\\\\", 3, "t\\N|tN|t\\|"), "and what only looks so");
	ok(reads_as("a\\tb\\nc\\\\d\\re\\bf\\fg\\v\tx\\\\", 2, "ta\tb\nc\\d\re\bf\fg\v|tx\\|"), "escapes");
	ok(reads_as("x\ty", 3, NULL) && reads_as("x", 0, NULL), "too few columns, too many");
}

int
main(void)
{
	test_visible();
	test_list();
	test_keys();
	test_touched();
	test_ranges();
	test_restart();
	test_copyrow();
	return done_testing();
}
