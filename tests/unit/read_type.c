/* What is known of types without a catalog: their names, and where they are kept. */
#include "tap.h"
#include "type.h"

static struct types types;
static struct catalog nobody;

static void
look(const char *name)
{
	ok(types_lookup(&types, &nobody) == PG_OK && types.wanted == 0, "%s", name);
}

static void
test_names(void)
{
	const struct type *t = types_want(&types, 90000);

	ok(types_want(&types, 23) == type_builtin(23), "a type of PostgreSQL itself is built in");
	is(t->name, "90000", "a type that nobody named has its OID");
	types_told(&types, 90000, "public", "mood");
	is(t->name, "public.mood", "then the name that the stream tells");
	types_told(&types, 90001, "", "int4");
	is(types_want(&types, 90001)->name, "int4", "an empty schema is pg_catalog");
	types_told(&types, 23, "public", "other");
	is(types_want(&types, 23)->name, "int4", "those of PostgreSQL itself keep theirs");
	types_told(&types, 90000, "public", "humour");
	is(t->name, "public.humour", "a new name is taken");
}

static void
test_unknown(void)
{
	const struct type *t = types_want(&types, 90002);

	ok(types.wanted > 0, "it is wanted");
	look("a lookup without a catalog ends");
	ok(!t->known && t->kind == VALUE_TEXT, "and leaves it text");
	ok(types_want(&types, 90002) == t && types.wanted == 1,
	    "the next table that has it asks again");
	(void)types_want(&types, 90002);
	ok(types.wanted == 1, "once");
	look("looked up");
}

/* As when the catalog had told them: a rename in the stream makes it be asked again. */
static void
test_known(void)
{
	struct type *t = (struct type *)(uintptr_t)types_want(&types, 90003);

	types_told(&types, 90003, "public", "a");
	look("looked up");
	t->known = true;
	(void)types_want(&types, 90003);
	ok(types.wanted == 0, "a known type is not asked for");
	types_told(&types, 90003, "public", "a");
	(void)types_want(&types, 90003);
	ok(types.wanted == 0, "nor when its name comes again");
	types_told(&types, 90003, "public", "b");
	(void)types_want(&types, 90003);
	ok(types.wanted == 1, "one that was renamed is");
	look("looked up");

	t->known = true;
	type_outdated(t, 3);
	ok(types.outdated == t, "a value of three fields asks for another look");
	look("looked up");
	ok(types.outdated == NULL && types.wanted == 0, "which is taken");
	type_outdated(t, 3);
	ok(types.outdated == NULL, "once");
	type_outdated(t, 2);
	ok(types.outdated == t, "and again for two");
	look("looked up");
}

static void
test_many(void)
{
	static const struct type *at[5000];
	size_t same = 0;

	for (uint32_t i = 0; i < 5000; i++)
		at[i] = types_want(&types, 100000 + 64 * i);
	for (uint32_t i = 0; i < 5000; i++)
		same += types_want(&types, 100000 + 64 * i) == at[i] &&
		    at[i]->oid == 100000 + 64 * i;
	ok(same == 5000, "types stay where they are");
}

int
main(void)
{
	test_names();
	test_unknown();
	test_known();
	test_many();
	return done_testing();
}
