/* Answers of _mget into the actions that wait for them. */
#include <stdlib.h>

#include "merge.h"
#include "tap.h"

static struct queue queue;
static struct chunk *chunk;
static int missing_calls;
static size_t missing_last;
static bool missing_document;

static int
on_missing(void *arg, struct item *i, bool document, size_t n)
{
	(void)i;
	missing_calls++;
	missing_last = n;
	missing_document = document;
	return *(int *)arg;
}

/* Every action's line; the id is 1. */
#define LINE     "{\"_id\":\"1\"}\n"
#define LINE_LEN (sizeof(LINE) - 1)

/* An action that merges; names are separated by blanks. */
static struct item *
action(const char *body, const char *names, bool versioned, uint64_t version,
    struct item *old, uint64_t old_version)
{
	struct merge m = { .version = version, .old = old, .old_version = old_version };
	struct buf more = { 0 };
	struct item *i;
	size_t len = LINE_LEN + strlen(body) + 1;

	buf_adds(&more, old != NULL ? "{\"_id\":\"o\"},{}" : "{}");
	m.wanted = (uint32_t)more.len;
	while (*names != '\0') {
		uint32_t n = (uint32_t)strcspn(names, " ");

		buf_add(&more, &n, sizeof(n));
		buf_add(&more, names, n);
		names += n + (names[n] == ' ');
		m.names++;
	}
	i = queue_add(&queue, &chunk, merge_room(len, sizeof(m) + more.len));
	memcpy(i->text, LINE, LINE_LEN);
	memcpy(i->text + LINE_LEN, body, strlen(body));
	i->id_at = 8;
	i->id_len = 1;
	i->text[len - 1] = '\n';
	i->len = (uint32_t)len;
	i->unit = 77;
	i->versioned = versioned;
	i->state = ITEM_MERGE;
	*merge_of(i) = m;
	memcpy(merge_of(i)->data, more.data, more.len);
	buf_free(&more);
	return i;
}

/* Merge one action by an answer; its text is then what is wanted, or NULL: not good. */
static void
becomes(struct item *i, const char *answer, const char *want, const char *name)
{
	struct json_text t = { answer, strlen(answer) };
	struct merge_problem p;
	struct items l;
	int code = -1;

	items_init(&l);
	items_append(&l, i);
	missing_calls = 0;
	if (merge_check(&l, t, &p) != MERGE_GOOD) {
		ok(want == NULL, "%s", name);
		return;
	}
	(void)merge_apply(&l, t, &queue, &chunk, on_missing, &code);
	i = l.first;
	if (!ok(want != NULL && l.count == 1 && l.bytes == i->len &&
	            i->len == LINE_LEN + strlen(want) + 1 &&
	            memcmp(i->text + LINE_LEN, want, strlen(want)) == 0 &&
	            i->text[i->len - 1] == '\n' && i->state == ITEM_MERGED && i->unit == 77,
	        "%s", name))
		printf("# got: %.*s\n", (int)i->len, i->text);
	queue_done(&queue, items_take(&l));
}

#define FOUND(v, source) \
	"{\"_index\":\"i\",\"_id\":\"1\",\"_version\":" v ",\"found\":true,\"_source\":" source "}"
#define NONE "{\"_index\":\"i\",\"_id\":\"1\",\"found\":false}"
#define DOCS(d) "{\"docs\":[" d "]}"

static void
test_one(void)
{
	becomes(action("{\"n\":1}", "a b", true, 9, NULL, 0),
	    DOCS(FOUND("9", "{\"b\" : 1.0, \"c\":3,\"a\":{\"x\":\n[]}}")),
	    "{\"n\":1,\"a\":{\"x\": []},\"b\":1.0}", "members are put behind");
	ok(missing_calls == 0, "nothing is missed");
	becomes(action("{ }", "a", true, 9, NULL, 0), DOCS(FOUND("9", "{\"\\u0061\":1}")),
	    "{ \"\\u0061\":1}", "into an empty object, under the name as it is written");
	becomes(action("{\"\\u0061\":2}", "a", true, 9, NULL, 0), DOCS(FOUND("9", "{\"a\":1}")),
	    "{\"\\u0061\":2}", "what is there already stays");
	ok(missing_calls == 0, "and is not missed");
	becomes(action("{\"n\":1}", "a b", true, 9, NULL, 0), DOCS(FOUND("3", "{\"a\":1}")),
	    "{\"n\":1,\"a\":1}", "what is not there is left out");
	ok(missing_calls == 1 && missing_last == 1 && missing_document, "and missed");
	becomes(action("{\"n\":1}", "a b", true, 9, NULL, 0), DOCS(NONE), "{\"n\":1}", "no document");
	ok(missing_calls == 1 && missing_last == 2 && !missing_document, "is missed");
	becomes(action("{\"n\":1}", "a", true, 9, NULL, 0), DOCS(FOUND("10", "{\"a\":1}")),
	    "{\"n\":1}", "of a newer document nothing is needed");
	ok(missing_calls == 0, "nor missed");
	/* 2^64 + 3, and where only the last digit is too much */
	becomes(action("{\"n\":1}", "a", true, 9, NULL, 0),
	    DOCS(FOUND("18446744073709551619", "{\"a\":1}")), "{\"n\":1}",
	    "one of a version without end is newer");
	becomes(action("{\"n\":1}", "a", true, 9, NULL, 0),
	    DOCS(FOUND("184467440737095516160", "{\"a\":1}")), "{\"n\":1}", "however long");
	becomes(action("{\"n\":1}", "a", true, 9, NULL, 0),
	    DOCS("{\"_id\":\"\\u0031\",\"_version\":9,\"found\":true,\"_source\":{\"a\":1}}"),
	    "{\"n\":1,\"a\":1}", "the id may be escaped in another way");
	becomes(action("{\"n\":1}", "a", false, 0, NULL, 0), DOCS(FOUND("10", "{\"a\":1}")),
	    "{\"n\":1,\"a\":1}", "without a version it is");
	becomes(action("{\"n\":1", "a", true, 9, NULL, 0), DOCS(FOUND("1", "{\"a\":1}")), "{\"n\":1",
	    "a body that is no JSON is left to the cluster");
	becomes(action("{\"n\":1}", "a", true, 9, NULL, 0),
	    DOCS("{\"_index\":\"i\",\"error\":{\"type\":\"index_not_found_exception\"}}"), "{\"n\":1}",
	    "no index is no document");
}

static void
test_from(void)
{
	struct item *old = action("{}", "", true, 8, NULL, 0);

	becomes(action("{\"n\":1}", "a", true, 9, old, 8),
	    DOCS(FOUND("8", "{\"a\":1}") "," FOUND("7", "{\"a\":2}")), "{\"n\":1,\"a\":1}",
	    "the old document has it");
	becomes(action("{\"n\":1}", "a", true, 9, old, 8), DOCS(NONE "," FOUND("9", "{\"a\":2}")),
	    "{\"n\":1,\"a\":2}", "when it is gone, what was stored before of this action");
	becomes(action("{\"n\":1}", "a", true, 9, old, 8), DOCS(NONE "," FOUND("7", "{\"a\":2}")),
	    "{\"n\":1}", "but not what was there before");
	ok(missing_calls == 1, "it is missed");
	becomes(action("{\"n\":1}", "a", true, 9, old, 8),
	    DOCS(FOUND("9", "{\"a\":1}") "," FOUND("9", "{\"a\":2}")), "{\"n\":1,\"a\":2}",
	    "one that came later with the old id is not it");
	becomes(action("{\"n\":1}", "a", true, 9, old, 8),
	    DOCS(FOUND("8", "{\"a\":1}") "," FOUND("10", "{}")), "{\"n\":1}",
	    "a newer document under the new id makes it idle");
	ok(missing_calls == 0, "and nothing is missed");
	becomes(action("{\"n\":1}", "a", false, 0, old, 0),
	    DOCS(FOUND("1", "{\"a\":1}") "," FOUND("1", "{\"a\":2}")), "{\"n\":1,\"a\":1}",
	    "without versions the old document counts first");
	becomes(action("{\"n\":1}", "a", false, 0, old, 0), DOCS(NONE "," FOUND("1", "{\"a\":2}")),
	    "{\"n\":1,\"a\":2}", "then the new one");
}

static void
test_answers(void)
{
	static const char *const bad[] = { "", "{", "{}", "{\"docs\":{}}", "{\"docs\":[]}",
		"{\"docs\":[1]}", "<html>", DOCS(NONE "," NONE), "{\"docs\":[" NONE "}",
		"{\"errors\":true}", DOCS("{\"_id\":\"1\"}"), DOCS("{\"_id\":\"1\",\"found\":null}"),
		DOCS("{\"_id\":\"1\",\"_version\":8,\"_source\":{\"a\":1}}"),
		DOCS("{\"_id\":\"1\",\"found\":true,\"_source\":{}}"),
		DOCS("{\"_id\":\"1\",\"found\":true,\"_version\":\"8\",\"_source\":{}}"),
		DOCS("{\"_id\":\"11\",\"found\":false}"), DOCS("{\"_id\":\"\",\"found\":false}"),
		DOCS("{\"_id\":1,\"found\":false}"), DOCS("{\"found\":false}") };
	static const struct {
		const char *type;
		enum merge_result result;
	} errors[] = { { "no_shard_available_action_exception", MERGE_RETRY },
		{ "es_rejected_execution_exception", MERGE_RETRY },
		{ "illegal_argument_exception", MERGE_REJECT },
		{ "routing_missing_exception", MERGE_REJECT },
		{ "index_closed_exception", MERGE_LOUD },
		{ "index_not_found_exception", MERGE_GOOD } };
	struct item *i = action("{}", "a", true, 9, NULL, 0);
	struct merge_problem p;
	struct items l;
	struct buf b = { 0 };

	items_init(&l);
	items_append(&l, i);
	for (size_t n = 0; n < sizeof(bad) / sizeof(bad[0]); n++)
		ok(merge_check(&l, (struct json_text) { bad[n], strlen(bad[n]) }, &p) ==
		        MERGE_UNREADABLE,
		    "no answer: %s", bad[n]);
	for (size_t n = 0; n < sizeof(errors) / sizeof(errors[0]); n++) {
		b.len = 0;
		buf_printf(&b,
		    "{\"docs\":[{\"_id\":\"1\",\"error\":{\"type\":\"%s\",\"reason\":\"a \\\"b\\\"\"}}]}",
		    errors[n].type);
		ok(merge_check(&l, (struct json_text) { b.data, b.len }, &p) == errors[n].result,
		    "an error: %s", errors[n].type);
		if (errors[n].result != MERGE_GOOD)
			ok(p.item == i && strcmp(p.error.type, errors[n].type) == 0 &&
			        strcmp(p.error.reason, "a \"b\"") == 0,
			    "is told");
	}
	b.len = 0;
	items_append(&l, action("{}", "a", true, 9, i, 0));
	merge_ask(&b, &l);
	is(buf_cstr(&b), "{\"docs\":[{},{\"_id\":\"o\"},{}]}", "what is asked");
	buf_free(&b);
}

int
main(void)
{
	queue.limit = 1 << 20;
	test_one();
	test_from();
	test_answers();
	return done_testing();
}
