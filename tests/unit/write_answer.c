/* Answers are read as they arrive, wherever they are cut; what is none is seen. */
#include <stdlib.h>

#include "answer.h"
#include "buf.h"
#include "tap.h"

#define MAX_ITEMS 5

/* What on_item was told. */
static struct {
	int index;
	struct answer_error error;
} told[MAX_ITEMS];
static int n_told;

static struct item *item[MAX_ITEMS];
static struct items items;

static void
on_item(void *arg, struct item *i, struct answer_error *e)
{
	int *calls = arg;

	(*calls)++;
	for (int k = 0; k < MAX_ITEMS; k++)
		if (item[k] == i)
			told[n_told].index = k;
	told[n_told++].error = *e;
}

/* Read text in pieces for so many items; 0, or -1. */
static int
read_answer(const char *text, size_t len, int count, size_t piece, struct buf *problem)
{
	struct answer *a;
	int calls = 0, result = 0;

	items_init(&items);
	for (int k = 0; k < count; k++)
		items_append(&items, item[k]);
	n_told = 0;
	a = answer_new(&items, on_item, &calls);
	for (size_t at = 0; at < len; at += piece)
		if (answer_feed(a, text + at, len - at < piece ? len - at : piece) != 0)
			result = -1;
	if (answer_end(a) != 0)
		result = -1;
	problem->len = 0;
	buf_adds(problem, answer_problem(a));
	buf_cstr(problem);
	answer_free(a);
	return calls == n_told ? result : -1;
}

static const char full[] =
    "{\"took\":3,\"errors\":true,\"items\":["
    "{\"index\":{\"_index\":\"i\",\"_id\":\"items\",\"_version\":25000000000000000,"
    "\"status\":201,\"stat\":999,\"_shards\":{\"status\":999,\"error\":\"no\","
    "\"type\":\"no\",\"reason\":\"no\"}}},"
    "{\"delete\":{\"status\":404,\"result\":\"not_found\"}},"
    "{\"index\":{\"error\":{\"type\":\"mapper_parsing_exception\",\"reason\":\"failed "
    "to \\\"parse\\\" \\u00e9\",\"more\":{\"reason\":\"no\"},"
    "\"caused_by\":{\"type\":\"illegal\",\"reason\":\"For input string\","
    "\"caused_by\":{\"reason\":\"deeper\",\"type\":\"t\"}},\"index\":\"i\"},"
    "\"status\":400}},"
    "{\"create\":{\"error\":\"a proxy's word\",\"status\":503}},"
    "{\"update\":{\"status\":200,\"get\":{\"_source\":{\"items\":[{\"index\":{\"status\":1}}],"
    "\"error\":{\"type\":\"x\",\"reason\":\"y\"}}}}}"
    "],\"items2\":[{}],\"ingest_took\":0}";

static bool
full_is_right(void)
{
	static const int status[] = { 201, 404, 400, 503, 200 };
	bool good = n_told == 5;

	for (int k = 0; good && k < 5; k++)
		good = told[k].index == k && told[k].error.status == status[k];
	return good && strcmp(told[0].error.type, "") == 0 && strcmp(told[1].error.type, "") == 0 &&
	    strcmp(told[2].error.type, "mapper_parsing_exception") == 0 &&
	    strcmp(told[2].error.reason, "failed to \"parse\" \xc3\xa9; For input string") == 0 &&
	    strcmp(told[3].error.type, "unknown") == 0 &&
	    strcmp(told[3].error.reason, "a proxy's word") == 0 &&
	    strcmp(told[4].error.type, "") == 0 && strcmp(told[4].error.reason, "") == 0;
}

static void
test_full(struct buf *problem)
{
	static const enum frame_op sent[] = { OP_INDEX, OP_DELETE, OP_INDEX, OP_CREATE, OP_UPDATE };
	bool good = true;

	for (int k = 0; k < 5; k++)
		item[k]->op = (uint8_t)sent[k];
	ok(read_answer(full, sizeof(full) - 1, 5, sizeof(full), problem) == 0 && full_is_right(),
	    "each item gets its own status and error");
	for (size_t piece = 1; piece < 40; piece++)
		good &= read_answer(full, sizeof(full) - 1, 5, piece, problem) == 0 &&
		    full_is_right();
	ok(good, "in pieces of any size");
	good = true;
	for (size_t len = 0; len < sizeof(full) - 1; len++)
		good &= read_answer(full, len, 5, 64, problem) == -1 && problem->len > 0;
	ok(good, "cut anywhere, it is no answer");
	for (int k = 0; k < 5; k++)
		item[k]->op = OP_INDEX;
}

static void
test_count(struct buf *problem)
{
	static const char half[] =
	    "{\"items\":[{\"index\":{\"status\":201}},{\"index\":{\"_id\":\"1\"}}]}";
	static const char two[] =
	    "{\"errors\":false,\"items\":[{\"index\":{\"status\":201}},{\"index\":{\"status\":200}}]}";

	ok(read_answer(two, sizeof(two) - 1, 2, 1000, problem) == 0, "two items for two");
	ok(read_answer(two, sizeof(two) - 1, 3, 1000, problem) == -1, "two items for three");
	is(problem->data, "it answers fewer actions than were sent", "are too few");
	ok(read_answer(two, sizeof(two) - 1, 1, 1000, problem) == -1 && n_told == 1,
	    "two items for one");
	is(problem->data, "it answers more actions than were sent", "are too many");
	ok(read_answer(half, sizeof(half) - 1, 2, 1000, problem) == -1 && n_told == 1,
	    "an item's status is not the next one's");
	is(problem->data, "it has an item without a status", "which has none");
	ok(read_answer("{}", 2, 1, 1000, problem) == -1, "an object without items");
	is(problem->data, "it has no items", "has none");
}

static void
test_none(struct buf *problem)
{
	static const struct {
		const char *text, *what;
	} cases[] = {
		{ "", "nothing" },
		{ "{\"errors\":false}", "errors alone" },
		{ "{\"items\":{}}", "items that are no array" },
		{ "{\"items\":[]}", "no items at all" },
		{ "[{\"index\":{\"status\":201}}]", "an array" },
		{ "{\"items\":[{\"index\":{\"status\":201}}]}x", "something behind it" },
		{ "{\"items\":[{\"index\":{\"status\":201}}]}{}", "another object behind it" },
		{ "{\"items\":[{\"index\":{\"_id\":\"1\"}}]}", "an item without a status" },
		{ "{\"items\":[{\"index\":{\"status\":\"201\"}}]}", "a status that is a string" },
		{ "{\"items\":[{\"index\":{\"status\":7}}]}", "a status that is none" },
		{ "{\"items\":[{\"index\":201}]}", "an item that is no object" },
		{ "{\"items\":[{}]}", "an item without a result" },
		{ "{\"items\":[{\"create\":{\"status\":201}}]}", "an item of another action" },
		{ "{\"items\":[{\"index\":{\"status\":201},\"index\":{\"status\":200}}]}",
		    "an item with two results" },
		{ "{\"items\":[null]}", "an item that is null" },
		{ "{\"items\":[],\"items\":[{\"index\":{\"status\":201}}]}", "two lists of items" },
		{ "{\"x\":{\"items\":[{\"index\":{\"status\":201}}]}}", "items further in" },
		{ "<html>It works!</html>", "a page" },
		{ "\x01\xff{]", "garbage" },
		{ "null", "null" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ok(read_answer(cases[i].text, strlen(cases[i].text), 1, 1000, problem) == -1 &&
		        problem->len > 0,
		    "%s is no answer: %s", cases[i].what, problem->data);
}

/* Whatever an error looks like, the item is not stored. */
static void
test_odd_errors(struct buf *problem)
{
	static const char *const errors[] = { "{\"reason\":\"r\"}", "{}", "[]", "\"\"",
		"{\"type\":1}", "{\"type\":{}}" };
	struct buf text = { 0 };

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		text.len = 0;
		buf_printf(&text, "{\"items\":[{\"index\":{\"error\":%s,\"status\":201}}]}",
		    errors[i]);
		ok(read_answer(text.data, text.len, 1, 7, problem) == 0 &&
		        strcmp(told[0].error.type, "unknown") == 0,
		    "an error of the form %s is one", errors[i]);
	}
	ok(read_answer("{\"items\":[{\"index\":{\"error\":null,\"status\":201}}]}", 49, 1, 7,
	       problem) == 0 && told[0].error.type[0] == '\0',
	    "null is none");
	buf_free(&text);
}

static void
test_long(struct buf *problem)
{
	struct buf text = { 0 };

	buf_adds(&text, "{\"items\":[{\"index\":{\"status\":400,\"error\":{\"type\":\"");
	for (int i = 0; i < 5000; i++)
		buf_addc(&text, 't');
	buf_adds(&text, "\",\"reason\":\"");
	for (int i = 0; i < 5000; i++)
		buf_addc(&text, 'r');
	buf_adds(&text, "\",\"caused_by\":{\"reason\":\"");
	for (int i = 0; i < 5000; i++)
		buf_addc(&text, 'c');
	buf_adds(&text, "\"}}}}]}");
	ok(read_answer(text.data, text.len, 1, 1000, problem) == 0 &&
	        strlen(told[0].error.type) == ANSWER_TYPE_MAX - 1 &&
	        strlen(told[0].error.reason) == ANSWER_REASON_MAX - 1,
	    "long words are cut to what there is room for");
	/* A piece for each would take minutes. */
	text.len = 0;
	buf_adds(&text, "{\"items\":[{\"index\":{\"error\":\"");
	for (int i = 0; i < 500000; i++)
		buf_addc(&text, '}');
	buf_adds(&text, "\",\"status\":400}},{\"index\":{\"status\":201}},{\"index\":"
	                "{\"status\":200}}]}");
	ok(read_answer(text.data, text.len, 3, 300000, problem) == 0 && n_told == 3 &&
	        told[0].error.status == 400 && told[1].error.status == 201 &&
	        told[2].error.status == 200,
	    "words that are full of braces are read in time");
	buf_free(&text);
}

/*
 * Plain elements are not seen by the parser where they come whole; a byte at a time, all is.
 * Whatever the answer, both ways must tell the same, of all items and at the end.
 */

static uint32_t seed = 3;

static uint32_t
draw(uint32_t n)
{
	seed = seed * 1103515245u + 12345u;
	return (seed >> 8) % n;
}

/* What is told of the text, read in such pieces (0: of any size), as text. */
static void
tell(struct buf *to, const char *text, size_t len, int count, size_t piece)
{
	struct answer *a;
	int calls = 0, result = 0;

	items_init(&items);
	for (int k = 0; k < count; k++)
		items_append(&items, item[k]);
	n_told = 0;
	a = answer_new(&items, on_item, &calls);
	for (size_t at = 0, n; at < len; at += n) {
		n = piece > 0 ? piece : 1 + draw(60);
		if (n > len - at)
			n = len - at;
		if (answer_feed(a, text + at, n) != 0)
			result = -1;
	}
	if (answer_end(a) != 0)
		result = -1;
	to->len = 0;
	for (int k = 0; k < n_told; k++)
		buf_printf(to, "%d %d %s %s\n", told[k].index, told[k].error.status,
		    told[k].error.type, told[k].error.reason);
	buf_printf(to, "%d %s", result, answer_problem(a));
	answer_free(a);
}

static bool
tells_the_same(const char *text, size_t len, int count)
{
	static struct buf slow, quick;
	bool same = true;

	tell(&slow, text, len, count, 1);
	for (int way = 0; way < 3; way++) {
		tell(&quick, text, len, count, way == 0 ? len + 1 : way == 1 ? 0 : 40);
		same &= slow.len == quick.len && memcmp(slow.data, quick.data, slow.len) == 0;
	}
	if (!same)
		printf("# %.*s\n# a byte at a time: %.*s\n", (int)len, text, (int)slow.len,
		    slow.data);
	return same;
}

static void
put_element(struct buf *b, enum frame_op op)
{
	static const char *const forms[] = {
		"{\"@\":{\"status\":404}}",
		"{\"@\":{\"status\":429,\"error\":{\"type\":\"t\",\"reason\":\"}}r\"}}}",
		"{\"@\":{\"error\":\"e\",\"status\":201}}",
		"{\"@\":{\"status\":201,\"status\":500}}",
		"{\"@\":{\"status\":201},\"@\":{\"status\":201}}",
		"{\"@\":{\"status\":201},\"\":{}}",
		"{\"@\":{\"status\" : 201 }}",
		"{\"@\":{\"status\":2010}}",
		"{\"@\":{\"status\":20}}",
		"{\"@\":{\"status\":021}}",
		"{\"@\":{\"status\":099}}",
		"{\"@\":{\"status\":1e2}}",
		"{\"@\":{\"_index\":\"i\",\"_id\":\"},{\",\"status\":201,\"_shards\":{\"failed\":0}}}",
		"{\"@\":[{\"status\":201}]}",
		"201",
		"[{\"@\":{\"status\":201}}]",
	};

	const char *p = draw(2) == 0 ? "{\"@\":{\"status\":201}}" : "{\"@\":{\"status\":200}}";

	if (draw(3) == 0)
		p = forms[draw(sizeof(forms) / sizeof(forms[0]))];
	for (; *p != '\0'; p++)
		if (*p == '@')
			buf_adds(b, frame_op_names[op]);
		else
			buf_addc(b, *p);
}

/* An answer to count items; most have what they should. */
static void
make_answer(struct buf *b, int count)
{
	static const char *const heads[] = { "{\"items\":[", "{\"errors\":false,\"items\":[",
		"{\"errors\":true,\"x\":{\"items\":[{}]},\"items\":[", "[{\"items\":[",
		"{\"items\":[[" };
	static const char *const tails[] = { "]}", "],\"took\":3}", "]}}", "]", ",]}", "",
		"],\"items\":[]}" };

	b->len = 0;
	buf_adds(b, heads[draw(8) > 0 ? draw(2) : 2 + draw(3)]);
	for (int k = 0; k < count; k++) {
		if (k > 0)
			buf_adds(b, draw(30) == 0 ? " ,\n" : ",");
		put_element(b, (enum frame_op)item[k % MAX_ITEMS]->op);
	}
	buf_adds(b, tails[draw(4) > 0 ? draw(2) : 2 + draw(5)]);
}

static void
damage(struct buf *b)
{
	static const char bytes[] = "{}[],:\"0123456789 \\astuindex";

	for (uint32_t n = 1 + draw(2); n > 0 && b->len > 0; n--) {
		size_t at = draw((uint32_t)b->len);

		switch (draw(4)) {
		case 0: b->data[at] = bytes[draw(sizeof(bytes) - 1)]; break;
		case 1: b->len = at; break;
		case 2:
			memmove(b->data + at, b->data + at + 1, b->len - at - 1);
			b->len--;
			break;
		default: b->data[at] = (char)(b->data[at] ^ 1 << draw(8)); break;
		}
	}
}

static void
test_plain(void)
{
	struct buf b = { 0 };
	bool same = true, good = true;
	int taken = 0;

	for (int i = 0; i < 20000; i++) {
		int sent = (int)draw(MAX_ITEMS + 1);

		for (int k = 0; k < MAX_ITEMS; k++)
			item[k]->op = (uint8_t)draw(OP_REJECT);
		make_answer(&b, draw(10) > 0 ? sent : (int)draw(MAX_ITEMS + 3));
		if (draw(2) == 0)
			damage(&b);
		same &= tells_the_same(b.data, b.len, sent);
		taken += n_told;
	}
	ok(same && taken > 10000, "plain items or not, damaged or not: all ways of reading agree");
	for (int k = 0; k < MAX_ITEMS; k++)
		item[k]->op = OP_INDEX;
	b.len = 0;
	buf_adds(&b, "{\"errors\":false,\"items\":[");
	for (int k = 0; k < MAX_ITEMS; k++)
		buf_adds(&b, k == 0 ? "{\"index\":{\"status\":201}}" : ",{\"index\":{\"status\":200}}");
	buf_adds(&b, "]}");
	for (size_t len = 0; len <= b.len; len++)
		for (int sent = MAX_ITEMS - 1; sent <= MAX_ITEMS; sent++)
			good &= tells_the_same(b.data, len, sent);
	ok(good, "cut anywhere, and with an item too many");
	good = true;
	for (size_t first = 1; first < b.len; first++) {
		struct answer *a;
		int calls = 0;

		n_told = 0;
		a = answer_new(&items, on_item, &calls);
		good &= answer_feed(a, b.data, first) == 0 &&
		    answer_feed(a, b.data + first, b.len - first) == 0 && answer_end(a) == 0 &&
		    n_told == MAX_ITEMS && told[0].error.status == 201 &&
		    told[4].error.status == 200 && told[4].index == 4;
		answer_free(a);
	}
	ok(good, "in two pieces, wherever the second begins");
	buf_free(&b);
}

int
main(void)
{
	struct buf problem = { 0 };

	for (int k = 0; k < MAX_ITEMS; k++)
		item[k] = xcalloc(1, sizeof(struct item));
	test_full(&problem);
	test_count(&problem);
	test_none(&problem);
	test_odd_errors(&problem);
	test_long(&problem);
	test_plain();
	for (int k = 0; k < MAX_ITEMS; k++)
		free(item[k]);
	buf_free(&problem);
	return done_testing();
}
