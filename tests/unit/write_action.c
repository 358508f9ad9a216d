/* Actions are checked as the cluster cannot, and become lines that it reads. */
#include <stdlib.h>

#include "action.h"
#include "tap.h"

#define STR(s) ((struct frame_str) { s, sizeof(s) - 1 })

static struct action_line line;

static const struct frame_action good = {
	.op = OP_INDEX,
	.index = { "users", 5 },
	.id = { "7", 1 },
	.body = { "{\"a\":1}", 7 },
};

static bool
passes(const struct frame_action *a)
{
	const char *why = action_check(a, &line);

	if (why != NULL)
		printf("# %s\n", why);
	return why == NULL;
}

/* Is it refused by a sentence that says this? */
static bool
refused(const struct frame_action *a, const char *word)
{
	const char *why = action_check(a, &line);

	if (why == NULL || strstr(why, word) == NULL)
		printf("# got %s, want something with %s\n", why ? why : "no objection", word);
	return why != NULL && strstr(why, word) != NULL;
}

static void
test_index_names(void)
{
	static const struct {
		const char *name;
		bool legal;
	} cases[] = { { "users", true }, { "u", true }, { "users-2026.11", true },
		{ "a_b+c-d", true }, { ".hidden", true }, { "...", true },
		{ "b\xc3\xbc" "cher", true }, { "1", true },
		{ "a@b&c;d=e~f(g)[h]{i}!$%'`^", true }, { "", false }, { ".", false },
		{ "..", false }, { "-users", false }, { "_users", false }, { "+users", false },
		{ "_all", false }, { "Users", false }, { "usErs", false }, { "a b", false },
		{ "a*", false }, { "*", false }, { "a,b", false }, { "a?b", false }, { "a/b", false },
		{ "a\\b", false }, { "a\"b", false }, { "<a>", false }, { "a|b", false },
		{ "a#b", false }, { "a:b", false }, { "a\tb", false }, { "a\nb", false },
		{ "a\x01", false } };
	struct frame_action a = good;
	char name[300];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		a.index = (struct frame_str) { cases[i].name, (uint32_t)strlen(cases[i].name) };
		if (cases[i].legal)
			ok(passes(&a), "index name %s", cases[i].name);
		else
			ok(refused(&a, "index name"), "no index name, case %zu", i);
	}
	a.index = STR("a\0b");
	ok(refused(&a, "index name"), "no index name: a NUL inside");
	a.index = STR("\0");
	ok(refused(&a, "index name"), "no index name: a NUL alone");
	a.index = (struct frame_str) { 0 };
	ok(refused(&a, "index name"), "no index name: nil");
	memset(name, 'n', sizeof(name));
	a.index = (struct frame_str) { name, 255 };
	ok(passes(&a), "an index name of 255 bytes");
	a.index.len = 256;
	ok(refused(&a, "index name"), "not of 256");
}

static void
test_ids(void)
{
	struct frame_action a = good;
	char id[513];

	memset(id, 'i', sizeof(id));
	a.id = (struct frame_str) { id, 512 };
	ok(passes(&a), "an id of 512 bytes");
	a.id.len = 513;
	ok(refused(&a, "longer than 512 bytes"), "not of 513");
	a.id = (struct frame_str) { "", 0 };
	ok(refused(&a, "empty"), "not an empty one");
	a.id = STR("a\xff" "b");
	ok(refused(&a, "UTF-8"), "not one that is no UTF-8");
	a.id = (struct frame_str) { 0 };
	ok(refused(&a, "no id"), "a versioned index needs one");
	a.versioned = VERSION_NONE;
	ok(passes(&a), "an unversioned one does not");
	a.op = OP_CREATE;
	a.versioned = VERSION_FROM_UNIT;
	ok(passes(&a), "nor does create");
	a.op = OP_UPDATE;
	ok(refused(&a, "no id"), "update does");
	a.op = OP_DELETE;
	a.body = (struct frame_str) { 0 };
	ok(refused(&a, "no id"), "and delete");
}

static void
test_bodies(void)
{
	struct frame_action a = good;

	a.body = (struct frame_str) { 0 };
	ok(refused(&a, "no body"), "index needs a body");
	a.body = (struct frame_str) { "", 0 };
	ok(refused(&a, "no body"), "that is not empty");
	a.body = STR("{\"a\":1}\n{\"delete\":{\"_index\":\"i\",\"_id\":\"1\"}}");
	ok(refused(&a, "more than one line"), "and one line");
	a.body = STR("{\"a\":1}\n");
	ok(refused(&a, "more than one line"), "without its newline");
	a.body = STR("{\"a\":\r1}");
	ok(refused(&a, "more than one line"), "nor a carriage return");
	a.op = OP_DELETE;
	a.body = good.body;
	ok(refused(&a, "delete does not take"), "delete takes none");
	a.body = (struct frame_str) { 0 };
	ok(passes(&a), "so it has none");
	a = good;
	a.routing = STR("\xc3");
	ok(refused(&a, "UTF-8"), "a routing that is no UTF-8");
}

static void
test_versions(void)
{
	struct frame_action a = good;

	a.versioned = VERSION_GIVEN;
	a.version = 5;
	ok(passes(&a), "index takes a version");
	a.op = OP_CREATE;
	ok(refused(&a, "version"), "create does not");
	a.op = OP_UPDATE;
	ok(refused(&a, "version"), "nor update");
	a.op = OP_DELETE;
	a.body = (struct frame_str) { 0 };
	ok(passes(&a), "delete does");
}

/* Set more to a map of one pair. */
static void
set_more(struct frame_action *a, const char *key, msgpack_object value)
{
	static msgpack_object_kv pair;
	static msgpack_object map;

	pair.key.type = MSGPACK_OBJECT_STR;
	pair.key.via.str.ptr = key;
	pair.key.via.str.size = (uint32_t)strlen(key);
	pair.val = value;
	map.type = MSGPACK_OBJECT_MAP;
	map.via.map.size = 1;
	map.via.map.ptr = &pair;
	a->more = &map;
}

static void
test_more(void)
{
	msgpack_object text = { .type = MSGPACK_OBJECT_STR };
	msgpack_object yes = { .type = MSGPACK_OBJECT_BOOLEAN };
	struct frame_action a = good;

	text.via.str.ptr = "p1";
	text.via.str.size = 2;
	yes.via.boolean = true;
	set_more(&a, "pipeline", text);
	ok(passes(&a) && line.pipeline.len == 2 && !line.require_alias, "a pipeline");
	set_more(&a, "require_alias", yes);
	ok(passes(&a) && line.pipeline.ptr == NULL && line.require_alias, "an alias required");
	a.more = NULL;
	ok(passes(&a) && !line.require_alias, "neither stays for the next action");
	set_more(&a, "pipeline", yes);
	ok(refused(&a, "pipeline"), "a pipeline that is no string");
	set_more(&a, "require_alias", text);
	ok(refused(&a, "require_alias"), "require_alias that is no boolean");
	set_more(&a, "script", yes);
	ok(refused(&a, "does not know"), "what this program does not know, it does not drop");
}

static bool
builds(const struct frame_action *a, bool versioned, uint64_t version, const char *want)
{
	if (action_check(a, &line) != NULL)
		return false;
	action_build(&line, a, versioned, version);
	if (line.text.len != strlen(want) || memcmp(line.text.data, want, line.text.len) != 0) {
		printf("# got  %.*s# want %s", (int)line.text.len, line.text.data, want);
		return false;
	}
	return true;
}

static void
test_lines(void)
{
	msgpack_object text = { .type = MSGPACK_OBJECT_STR };
	struct frame_action a = good;

	ok(builds(&a, true, 1039,
	       "{\"index\":{\"_index\":\"users\",\"_id\":\"7\",\"version\":1039,"
	       "\"version_type\":\"external_gte\"}}\n"),
	    "index with a version");
	ok(line.text.len > line.id_at && memcmp(line.text.data + line.index_at, "users", 5) == 0 &&
	        line.index_len == 5 && line.text.data[line.id_at] == '7' && line.id_len == 1,
	    "where index and id stand is known");
	ok(builds(&a, true, INT64_MAX,
	       "{\"index\":{\"_index\":\"users\",\"_id\":\"7\",\"version\":9223372036854775807,"
	       "\"version_type\":\"external_gte\"}}\n"),
	    "the highest version");
	ok(builds(&a, true, 0,
	       "{\"index\":{\"_index\":\"users\",\"_id\":\"7\",\"version\":0,"
	       "\"version_type\":\"external_gte\"}}\n"),
	    "the lowest");
	a.op = OP_CREATE;
	a.id = (struct frame_str) { 0 };
	ok(builds(&a, false, 0, "{\"create\":{\"_index\":\"users\"}}\n") && line.id_len == 0,
	    "create without an id");
	a = good;
	a.op = OP_UPDATE;
	a.id = STR("a\"b\\c\x01\n\xc3\xa9/");
	a.routing = STR("r\"1");
	text.via.str.ptr = "p\\q";
	text.via.str.size = 3;
	set_more(&a, "pipeline", text);
	ok(builds(&a, false, 0,
	       "{\"update\":{\"_index\":\"users\",\"_id\":\"a\\\"b\\\\c\\u0001\\u000a\xc3\xa9/\","
	       "\"routing\":\"r\\\"1\",\"pipeline\":\"p\\\\q\"}}\n"),
	    "strings are escaped");
	a = good;
	text.type = MSGPACK_OBJECT_BOOLEAN;
	text.via.boolean = true;
	set_more(&a, "require_alias", text);
	ok(builds(&a, false, 0,
	       "{\"index\":{\"_index\":\"users\",\"_id\":\"7\",\"require_alias\":true}}\n"),
	    "an alias required");
}

/* What stands in the line goes into messages as it was. */
static void
test_unescape(void)
{
	static const char *const ids[] = { "7", "a\"b\\c\x01\n\x1f\xc3\xa9/", "\\", "\\u0041",
		"ends with \\", "\t" };
	struct frame_action a = good;
	struct buf b = { 0 };
	bool same = true;

	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		a.id = (struct frame_str) { ids[i], (uint32_t)strlen(ids[i]) };
		same &= passes(&a);
		action_build(&line, &a, false, 0);
		action_unescape(&b, line.text.data + line.id_at, line.id_len);
		same &= b.len == a.id.len && memcmp(b.data, a.id.ptr, b.len) == 0;
	}
	ok(same, "an id is read back from its line as it was");
	buf_free(&b);
}

static void
test_hash(void)
{
	enum { N = 20000, LANES = 4 };
	uint64_t h = action_document(STR("users"), STR("12345678"));
	unsigned lane[LANES] = { 0 };
	bool even = true;

	ok(h == action_document(STR("users"), STR("12345678")), "one document, one hash");
	ok(h != action_document(STR("users1"), STR("2345678")) &&
	        h != action_document(STR("user"), STR("s12345678")) &&
	        h != action_document(STR("users"), STR("12345679")) &&
	        h != action_document(STR("users"), STR("123456780")) &&
	        h != action_document(STR("users"), STR("1234567")),
	    "others have others");
	for (int i = 0; i < N; i++) {
		char id[16];
		int n = snprintf(id, sizeof(id), "%d", i);
		struct frame_str s = { id, (uint32_t)n };

		lane[(action_document(STR("users"), s) >> 48) % LANES]++;
	}
	for (int i = 0; i < LANES; i++)
		even &= lane[i] > N / LANES * 9 / 10 && lane[i] < N / LANES * 11 / 10;
	ok(even, "consecutive ids spread over the lanes (%u %u %u %u)", lane[0], lane[1], lane[2],
	    lane[3]);
}

static int
by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Of ids of every length up to six, of which many have the same bytes in other places. */
static void
test_no_collisions(void)
{
	enum { DIGITS = 4, IDS = 4 + 16 + 64 + 256 + 1024 + 4096 };
	static uint64_t hash[IDS];
	size_t n = 0, equal = 0;

	for (uint32_t len = 1; len <= 6; len++)
		for (uint32_t v = 0; v < 1u << 2 * len; v++) {
			char id[8];

			for (uint32_t i = 0; i < len; i++)
				id[i] = "0123"[v >> 2 * i & (DIGITS - 1)];
			hash[n++] = action_document(STR("users"), (struct frame_str) { id, len });
		}
	qsort(hash, n, sizeof(hash[0]), by_value);
	for (size_t i = 1; i < n; i++)
		equal += hash[i] == hash[i - 1];
	ok(n == IDS && equal == 0, "no two short ids have one hash");
}

static uint32_t seed = 11;

static uint32_t
draw(uint32_t n)
{
	seed = seed * 1103515245u + 12345u;
	return (seed >> 8) % n;
}

/* Whatever is kept from one action to the next, each is judged and written as if alone. */
static void
test_kept(void)
{
	static const struct frame_str indexes[] = { STR("users"), STR("user"), STR("users-2"),
		STR("Users"), STR("u\xff"), { NULL, 0 }, STR("") };
	static const struct frame_str ids[] = { STR("1"), STR("a\"b\\\n\x1f"), STR("1234567890"),
		STR("\xc3\xbc"), STR("\xff"), { NULL, 0 } };
	static const struct frame_str routings[] = { { NULL, 0 }, STR("r"), STR("\t\"") };
	static const uint64_t versions[] = { 0, 7, 16000639, INT64_MAX };
	struct action_line kept = { 0 };
	bool same = true;
	int built = 0;

	for (int i = 0; i < 20000; i++) {
		struct action_line alone = { .type = draw(8) == 0 ? "_doc" : NULL };
		struct frame_action a = { .op = (enum frame_op)draw(OP_REJECT),
			.index = indexes[draw(2) == 0 ? 0 : draw(7)], .id = ids[draw(6)],
			.routing = routings[draw(3)], .versioned = (enum frame_versioned)draw(3) };
		uint64_t version = versions[draw(4)];
		bool versioned = draw(2) == 0;
		const char *why, *why_alone;

		if (a.op != OP_DELETE)
			a.body = STR("{}");
		kept.type = alone.type;
		why = action_check(&a, &kept);
		why_alone = action_check(&a, &alone);
		same &= why == why_alone;
		if (why == NULL) {
			built++;
			kept.require_alias = alone.require_alias = draw(4) == 0;
			kept.pipeline = alone.pipeline = routings[draw(3)];
			action_build(&kept, &a, versioned, version);
			action_build(&alone, &a, versioned, version);
			same &= kept.text.len == alone.text.len &&
			    memcmp(kept.text.data, alone.text.data, alone.text.len) == 0 &&
			    kept.index_at == alone.index_at &&
			    kept.index_len == alone.index_len && kept.id_at == alone.id_at &&
			    kept.id_len == alone.id_len;
			/* As a truncate leaves it. */
			if (draw(4) == 0)
				kept.index_at = kept.index_len = kept.id_at = kept.id_len = 0;
		}
		buf_free(&alone.text);
		buf_free(&alone.known.index);
		buf_free(&alone.known.head);
	}
	ok(same && built > 5000, "each action is judged and written as if it were alone");
	buf_free(&kept.text);
	buf_free(&kept.known.index);
	buf_free(&kept.known.head);
}

int
main(void)
{
	test_index_names();
	test_ids();
	test_bodies();
	test_versions();
	test_more();
	test_lines();
	test_unescape();
	test_hash();
	test_no_collisions();
	test_kept();
	buf_free(&line.text);
	buf_free(&line.known.index);
	buf_free(&line.known.head);
	return done_testing();
}
