#!/bin/sh
# Parents and children in one index, by examples/parent-child.yml: whatever happens to the
# tables, the join field of a real node says who is whose child; so it does after replays.
#
# LONG=1 runs 40 seeds, SEEDS='7 8' those.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
need_pg
need_es
pg_db

if [ -n "${SEEDS:-}" ]; then
	seeds=$SEEDS
elif [ -n "${LONG:-}" ]; then
	seeds=$(seq 1 40)
else
	seeds=$(seq 1 3)
fi

# What the file says of the tables and of the index.
example=$TOP/examples/parent-child.yml
said() {
	sed -n "/^# The $1/,/^# [^ ]/s/^#     //p" "$example"
}
sql "$(said tables)"
body=$(said index | sed -n "/^{/,\$p" | sed "s/'\$//")
is_json "$(sql "SELECT json_object_agg(relname, relreplident) FROM pg_class
    WHERE relname IN ('authors', 'books')")" '{"authors":"d","books":"f"}' 'the tables that the example tells of'
sql "CREATE PUBLICATION $ID FOR TABLE authors, books" >"$T/null"
for slot in live file; do
	sql "SELECT 1 FROM pg_create_logical_replication_slot('${ID}_$slot', 'pgoutput')" >"$T/null"
done

# new_index: the index is $ID-N.  In more than one shard, or routing would not matter, and
# deletes are remembered for longer than the test takes.
body=$(printf '%s' "$body" | jq '.settings = { number_of_shards: 3, number_of_replicas: 0,
    "index.gc_deletes": "1h" }')
new_index() {
	number=$((${number:-0} + 1))
	index=$ID-$number
	sed "s/index: library/index: $index/" "$example" >"$T/mapping.yml"
	es PUT "$index" "$body" >"$T/answer" || bail "no index: $(cat "$T/answer")"
}

capture() {
	pgcdc-read -s "${ID}_$1" -p "$ID" --until-caught-up -o "$2" 2>>"$T/read.log"
}

# write: frames on standard input; nothing may be rejected.
write() {
	pgcdc-map -m "$T/mapping.yml" 2>"$T/map.log" | esbulk-write -u "$PGCDC_TEST_ES_URL" "$@" >"$T/write.out" 2>&1 || {
		tail -n 5 "$T/write.out"
		return 1
	}
}

# agrees DESCRIPTION
agrees() {
	sql "SELECT id FROM authors; SELECT id || E'\t' || author_id FROM books" >"$T/rows"
	"$PYTHON" "$TOP/tests/library.py" check "$PGCDC_TEST_ES_URL" "$index" <"$T/rows" >"$T/wrong" 2>&1
	is "$(cat "$T/wrong")" '' "$1: $(sql 'SELECT count(*) FROM authors') authors, $(sql 'SELECT count(*)
	    FROM books') books"
	es_docs "$index" >"$T/docs"
	sql "SELECT 'a' || id || E'\t' || to_jsonb(t) || '' FROM (SELECT *, 'author' AS relation FROM authors) t
	UNION ALL SELECT 'b' || id || E'\t' || to_jsonb(t) FROM (SELECT *, jsonb_build_object('name', 'book',
	    'parent', 'a' || author_id) AS relation FROM books) t" | canonical_docs >"$T/expected"
	same "$T/docs" "$T/expected" "$1: the documents are the rows"
}

for seed in $seeds; do
	sql 'TRUNCATE authors, books' >"$T/null"
	capture live "$T/rest" && capture file "$T/rest"
	rm -f "$T"/*.frames
	new_index
	for part in 1 2 3; do
		"$PYTHON" "$TOP/tests/library.py" work $((seed * 10 + part)) 60 >"$T/work.sql"
		ok "seed $seed, part $part: the workload" psql -Xq -v ON_ERROR_STOP=1 -f "$T/work.sql"
		capture live "$T/$part.frames"
		ok "seed $seed, part $part: mapped and written" write <"$T/$part.frames"
		agrees "seed $seed, part $part"
	done
	# What came since the first part again, and all of it, to the end.
	for parts in '2 3' '1 2 3' '3'; do
		for part in $parts; do
			cat "$T/$part.frames"
		done >"$T/again"
		ok "seed $seed: parts $parts again" write <"$T/again"
		agrees "seed $seed: parts $parts again"
	done
	# In small requests, interrupted, and then on one that knows all.
	new_index
	capture file "$T/whole.frames"
	head -c "$(($(wc -c <"$T/whole.frames") * 2 / 3))" "$T/whole.frames" >"$T/cut"
	write --batch-docs 7 --lanes 8 <"$T/cut" >"$T/null"
	ok "seed $seed: one file, behind a part of it" write --batch-docs 5 --lanes 8 <"$T/whole.frames"
	agrees "seed $seed: one file, behind a part of it"
done
done_testing
