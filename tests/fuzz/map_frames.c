/*
 * Any bytes as the stream that the mapper reads, under mappings that use all that there
 * is.  The input: a byte that chooses the mapping, then the frames.
 */
#include "actions.h"

/* What a rule for any table has where the tables are as the corpus has them. */
#define FIELDS                                                                             \
	"    fields:\n"                                                                     \
	"      exclude: [secret]\n"                                                         \
	"      rename: { created_on: createdAt }\n"                                         \
	"      old: { name: old_name, prefs: old_prefs }\n"                                 \
	"      types: { a1: number, a2: string, a3: bool, a4: date, a5: json, a6: geo_point,\n" \
	"        a7: geojson }\n"                                                            \
	"      split: { tags: ',' }\n"                                                       \
	"      join: { words: ' ' }\n"                                                       \
	"      set: { '@timestamp': '{commit_time}', label: '{name|upper} no. {id}', no: '{id}',\n" \
	"        nested: { all: ['{name|slug}', '{a1}', { x: '{created_on:%G-W%V-%u %j}' }],\n" \
	"          hash: '{prefs|hash}', left: '{name|trim|left:3}', n: 1.0, t: '{a5}' } }\n"

static const char *const texts[] = {
	/* Documents that follow the rows. */
	"defaults: { duplicate_keys: reject, empty_keys: underscore, long_id: hash,\n"
	"  null_id: skip, nan: string, infinity: string, bc: iso, invalid_utf8: replace }\n"
	"tables:\n"
	"  - table: '*.*'\n"
	"    also: true\n"
	"    index: 'x-{table|slug}-{created_on:%Y.%m|default:none}'\n"
	"    id: '{id}-{name|lower}'\n"
	"    routing: '{name|left:5|default:none}'\n"
	"    where: \"status <> 'draft' and (name ilike 'a%' or a1::numeric >= 10.00 or\n"
	"      old.status is distinct from status or a4::timestamptz > timestamptz '2026-01-01')\"\n"
	"    delete_when: 'deleted_at is not null'\n"
	"    on: { truncate: delete, delete: index }\n"
	"    truncate_query: { match_all: {} }\n"
	"    pipeline: 'p-{table}'\n"
	"    stable: [name]\n"
	FIELDS
	"      flatten: { prefs: pref_, attrs: attr_ }\n"
	"  - table: '*'\n"
	"    index: all\n"
	"    version: false\n"
	"    require_alias: true\n"
	"    toast: null\n"
	"    on: { truncate: delete }\n"
	"    truncate_query: { term: { kind: user } }\n",
	/* Partial updates. */
	"defaults: { numeric: string, bytea: hex, nan: null, infinity: null, bc: null,\n"
	"  duplicate_keys: last, empty_keys: drop }\n"
	"tables:\n"
	"  - table: '*'\n"
	"    also: true\n"
	"    index: whole\n"
	"    on: { update: partial }\n"
	"    upsert: true\n"
	"    pipeline: '{name|default:p}'\n"
	"  - table: '*'\n"
	"    index: p-{name}\n"
	"    id: '{id}'\n"
	"    on: { update: partial, delete: ignore }\n"
	"    where: \"id in (1, 2, 3) or old.name like '%_x' escape '!'\"\n"
	"    toast: omit\n"
	FIELDS,
	/* Scripts and events. */
	"defaults: { bc: reject, invalid_utf8: reject, empty_keys: reject }\n"
	"tables:\n"
	"  - table: '*'\n"
	"    also: true\n"
	"    index: counters\n"
	"    id: '{name}'\n"
	"    delete_when: \"coalesce(lower(name), upper(status)) = cast(id as text)\"\n"
	"    on: { insert: script, update: script, delete: script }\n"
	"    script: { lang: expression, source: ctx._source.n += params.n, params: { n: 1, all: '{prefs}',\n"
	"      op: '{op}', old: ['{lsn}'] }, upsert: { author: '{id}' }, scripted_upsert: true }\n"
	"  - table: '*'\n"
	"    also: true\n"
	"    index: events\n"
	"    id: null\n"
	"    on: { insert: create, update: create, delete: create }\n"
	"    toast: omit\n"
	FIELDS
	"      flatten: [prefs, attrs]\n"
	"  - table: '*'\n"
	"    index: more-{op}\n"
	"    id: '{lsn}-{id}-{op}-{commit_time}'\n"
	"    on: { insert: create, update: create, delete: create }\n"
	"    toast: reject\n"
	"    fields: { include: [id, name, prefs], old: { prefs: was } }\n",
	/* All as it comes. */
	"tables: [{ table: '*', index: all, on: { truncate: fail } }]\n",
};

#define TEXTS (sizeof(texts) / sizeof(texts[0]))

static struct mapping mappings[TEXTS];

static void
load_all(void)
{
	struct problems problems = { 0 };

	actions_locale();
	for (size_t i = 0; i < TEXTS; i++) {
		mapping_load(&mappings[i], "m.yml", texts[i], strlen(texts[i]), &problems);
		for (size_t k = 0; k < problems.n; k++)
			fprintf(stderr, "mapping %zu, line %u: %s\n", i,
			    problems.list[k].at.line, problems.list[k].what);
		check(problems.errors == 0);
		problems_free(&problems);
		problems = (struct problems) { 0 };
	}
}

/* An hstore or composite value can say a name twice, if another program sends it. */
static bool
has_map(const msgpack_object *o)
{
	if (o->type == MSGPACK_OBJECT_ARRAY)
		for (uint32_t i = 0; i < o->via.array.size; i++)
			if (has_map(&o->via.array.ptr[i]))
				return true;
	return o->type == MSGPACK_OBJECT_MAP;
}

/* What the frame lets expect of its actions; utf8 holds for all so far. */
static void
promise_for(struct frame_in *in, struct frame *f, const struct mapping *mapping,
    struct actions_promise *p)
{
	bool checked = mapping->policy.duplicate_keys != JSON_DUPLICATES_KEEP;

	p->json = p->unique = false;
	if (frame_decode(in, f) != 0)
		return;
	p->utf8 = p->utf8 && actions_text_is_utf8(f);
	p->json = checked || actions_json_is_valid(f);
	p->unique = checked;
	for (uint32_t i = 0; i < f->fields; i++)
		p->unique = p->unique && !has_map(&f->field[i]);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct actions_promise promise = { .utf8 = true };
	const struct mapping *mapping;
	struct buf out = { 0 };
	struct frame_in in;
	struct mapper m;
	struct frame f;

	if (size == 0)
		return 0;
	if (mappings[0].rules == 0)
		load_all();
	mapping = &mappings[data[0] % TEXTS];
	actions_feed(&in, data + 1, size - 1);
	mapper_init(&m, mapping, &out);
	while (frame_next(&in, &f) == FRAME_OK) {
		promise_for(&in, &f, mapping, &promise);
		if (actions_take(&m, &in, &f, &promise) != 0)
			break;
	}
	mapper_free(&m);
	frame_in_free(&in);
	buf_free(&out);
	return 0;
}
