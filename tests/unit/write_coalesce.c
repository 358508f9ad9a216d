/* Which actions of a batch are left out for a later one on the same document. */
#include <stdlib.h>

#include "action.h"
#include "coalesce.h"
#include "tap.h"

static struct queue queue = { .limit = SIZE_MAX };
static struct chunk *chunk;
static struct coalesce coalesce;
static struct items batch;
static enum coalesce_how how; /* of the last that joined */

/* Documents are told apart by their hashes alone, here: the id's first letter. */
static struct item *
action(enum frame_op op, const char *id, const char *routing, uint64_t version)
{
	static struct action_line line;
	struct frame_action a = { .op = op, .index = { "i", 1 }, .id = { id, (uint32_t)strlen(id) } };
	struct item *i;

	if (routing != NULL)
		a.routing = (struct frame_str) { routing, (uint32_t)strlen(routing) };
	action_build(&line, &a, version > 0, version);
	i = queue_add(&queue, &chunk, line.text.len);
	memcpy(i->text, line.text.data, line.text.len);
	i->len = (uint32_t)line.text.len;
	i->index_at = line.index_at;
	i->index_len = line.index_len;
	i->id_at = line.id_at;
	i->id_len = line.id_len;
	i->document = (uint64_t)(unsigned char)*id << 12;
	i->op = (uint8_t)op;
	i->versioned = version > 0;
	i->version = version;
	i->state = ITEM_PLAIN;
	i->older = NULL;
	return i;
}

/* Put it into the batch as batch.c does. */
static struct item *
join(struct item *item)
{
	struct item *other;

	how = coalesce_ask(&coalesce, item, &other);
	if (how == COALESCE_LATER)
		return item;
	items_append(&batch, item);
	if (how == COALESCE_REPLACES)
		coalesce_leave_out(&coalesce, &batch, other, item);
	coalesce_add(&coalesce, item);
	return item;
}

static void
begin(void)
{
	coalesce_begin(&coalesce);
	items_init(&batch);
}

/* End the batch: does it hold just these? */
static bool
holds(struct item *const *want, size_t n)
{
	size_t i = 0, bytes = 0;

	coalesce_end(&coalesce, &batch);
	for (const struct item *item = batch.first; item != NULL; item = item->next, i++) {
		if (want == NULL || i == n || item != want[i])
			return false;
		bytes += item->len;
	}
	return i == n && batch.count == n && batch.bytes == bytes &&
	    *batch.end == NULL && (n == 0 || batch.end == &want[n - 1]->next);
}

#define HOLDS(...)                                                                          \
	holds((struct item *[]) { __VA_ARGS__ },                                            \
	    sizeof((struct item *[]) { __VA_ARGS__ }) / sizeof(struct item *))

static void
test_pairs(void)
{
	static const struct {
		const char *name;
		enum frame_op op1;
		const char *id1, *routing1;
		uint64_t version1;
		enum frame_op op2;
		const char *id2, *routing2;
		uint64_t version2;
		enum coalesce_how how;
	} pairs[] = {
		{ "an index before an index", OP_INDEX, "a", NULL, 1, OP_INDEX, "a", NULL, 2, COALESCE_REPLACES },
		{ "an index before a delete", OP_INDEX, "a", NULL, 1, OP_DELETE, "a", NULL, 2, COALESCE_REPLACES },
		{ "a delete before an index", OP_DELETE, "a", NULL, 9, OP_INDEX, "a", NULL, 10, COALESCE_REPLACES },
		{ "the same routing", OP_INDEX, "a", "r", 1, OP_INDEX, "a", "r", 2, COALESCE_REPLACES },
		{ "the same version", OP_INDEX, "a", NULL, 2, OP_INDEX, "a", NULL, 2, COALESCE_REPLACES },
		{ "a lower version", OP_INDEX, "a", NULL, 2, OP_INDEX, "a", NULL, 1, COALESCE_LATER },
		{ "another routing", OP_INDEX, "a", "r", 1, OP_INDEX, "a", "s", 2, COALESCE_LATER },
		{ "a routing that came", OP_INDEX, "a", NULL, 1, OP_INDEX, "a", "s", 2, COALESCE_LATER },
		{ "one that went", OP_INDEX, "a", "r", 1, OP_DELETE, "a", NULL, 2, COALESCE_LATER },
		{ "one hash, two ids", OP_INDEX, "ab", NULL, 1, OP_INDEX, "ac", NULL, 2, COALESCE_LATER },
		{ "one hash, ids of two lengths", OP_INDEX, "a", NULL, 1, OP_INDEX, "ac", NULL, 2,
		    COALESCE_LATER },
		{ "an id that looks like a version", OP_INDEX, "a\",\"version\":1", NULL, 1, OP_INDEX,
		    "a\",\"version\":2", NULL, 2, COALESCE_LATER },
		{ "the first without a version", OP_INDEX, "a", NULL, 0, OP_INDEX, "a", NULL, 2, COALESCE_LATER },
		{ "the second without", OP_INDEX, "a", NULL, 1, OP_INDEX, "a", NULL, 0, COALESCE_LATER },
		{ "an update", OP_INDEX, "a", NULL, 1, OP_UPDATE, "a", NULL, 0, COALESCE_LATER },
		{ "a delete and another routing", OP_DELETE, "a", "r", 1, OP_INDEX, "a", "s", 2,
		    COALESCE_BEHIND },
		{ "of the same version", OP_DELETE, "a", "r", 2, OP_INDEX, "a", "s", 2,
		    COALESCE_LATER },
		{ "a create", OP_CREATE, "a", NULL, 0, OP_INDEX, "a", NULL, 1, COALESCE_LATER },
	};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		struct item *one, *two;

		begin();
		one = join(action(pairs[i].op1, pairs[i].id1, pairs[i].routing1, pairs[i].version1));
		two = join(action(pairs[i].op2, pairs[i].id2, pairs[i].routing2, pairs[i].version2));
		ok(how == pairs[i].how &&
		        (how == COALESCE_REPLACES ? HOLDS(two) && two->older == one
		            : how == COALESCE_BEHIND ? HOLDS(one, two) && two->older == NULL
		                                     : HOLDS(one) && two->older == NULL),
		    "%s", pairs[i].name);
	}
}

static void
test_chains(void)
{
	struct item *a[4], *b, *c;

	begin();
	a[0] = join(action(OP_INDEX, "a", NULL, 1));
	b = join(action(OP_INDEX, "b", NULL, 1));
	a[1] = join(action(OP_DELETE, "a", NULL, 2));
	a[2] = join(action(OP_INDEX, "a", NULL, 3));
	ok(HOLDS(b, a[2]) && a[2]->older == a[1] && a[1]->older == a[0] && a[0]->older == NULL,
	    "of three the last goes, and knows the others");
	ok(coalesce_older(a[2]) == a[1] && a[2]->older == NULL && a[1]->state == ITEM_PLAIN &&
	        coalesce_older(a[1]) == a[0] && coalesce_older(a[0]) == NULL,
	    "which are taken from the newest to the oldest");

	begin();
	a[0] = join(action(OP_INDEX, "a", "r", 1));
	a[1] = join(action(OP_DELETE, "a", "r", 2));
	a[2] = join(action(OP_INDEX, "a", "s", 3));
	a[3] = join(action(OP_INDEX, "a", "s", 4));
	ok(HOLDS(a[1], a[3]), "a routing change keeps its delete");

	begin();
	a[0] = action(OP_INDEX, "a", NULL, 1);
	a[0]->state = ITEM_MERGED;
	join(a[0]);
	a[1] = join(action(OP_INDEX, "a", NULL, 2));
	ok(HOLDS(a[0]) && how == COALESCE_LATER, "a merge is not left out");

	begin();
	a[0] = join(action(OP_INDEX, "a", NULL, 1));
	(void)HOLDS(a[0]);
	begin();
	a[1] = join(action(OP_INDEX, "a", NULL, 2));
	ok(HOLDS(a[1]) && a[1]->older == NULL, "batches don't know of each other");

	/* Put back after a failure, each with what was left out for it. */
	begin();
	a[0] = join(action(OP_INDEX, "a", NULL, 1));
	a[1] = join(action(OP_INDEX, "a", NULL, 2));
	(void)HOLDS(a[1]);
	begin();
	a[2] = join(action(OP_INDEX, "a", NULL, 3));
	a[3] = join(action(OP_INDEX, "a", NULL, 4));
	(void)HOLDS(a[3]);
	begin();
	join(a[1]);
	join(a[3]);
	ok(HOLDS(a[3]) && a[3]->older == a[2] && a[2]->older == a[1] && a[1]->older == a[0] &&
	        a[0]->older == NULL,
	    "those that were left out are known from the newest to the oldest");

	/* Others in the same slot, and more than there are slots. */
	begin();
	for (uint64_t i = 0; i < 5000; i++) {
		c = action(i % 2 ? OP_DELETE : OP_INDEX, "a", NULL, i + 1);
		c->document = i / 2 << (i / 2 % 3 * 20);
		if (i == 5)
			a[0] = c;
		join(c);
	}
	ok(batch.count == 2500 && coalesce_has(&coalesce, a[0]->document), "many documents");
	ok(!coalesce_has(&coalesce, 12345678), "and none that was not there");
	a[1] = action(OP_INDEX, "a", NULL, 9999);
	a[1]->document = a[0]->document;
	join(a[1]);
	ok(batch.count == 2500 && a[1]->older == a[0], "each is found");
	coalesce_end(&coalesce, &batch);

	coalesce.batch = UINT32_MAX;
	begin();
	a[0] = join(action(OP_INDEX, "a", NULL, 1));
	a[1] = join(action(OP_INDEX, "a", NULL, 2));
	ok(HOLDS(a[1]), "the batches' number may start over");
	begin();
	ok(holds(NULL, 0), "an empty batch");
}

int
main(void)
{
	test_pairs();
	test_chains();
	return done_testing();
}
