#!/bin/sh
# The stages alone: a captured file, mapped and written by hand, gives the same index as
# the live pipeline.  A replay changes nothing; the one of an old file neither, but for
# documents whose delete the cluster has forgotten.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
need_pg
need_es
pg_db
# shellcheck source=pipeline.sh
. "$TOP/tests/pipeline.sh"

load_tables
load_mapping
sed "s/$ID-/$ID-hand-/" "$T/mapping.yml" >"$T/hand.yml"
# Deletes are remembered for longer than this test takes, however slow the machine is.
for index in $ID-items $ID-pairs $ID-hand-items $ID-hand-pairs; do
	es PUT "$index" '{"settings":{"number_of_replicas":0,"index.gc_deletes":"1h"},
	    "mappings":{"dynamic":false}}' >"$T/index.answer" || bail "no index: $(cat "$T/index.answer")"
done
capture=${ID}_capture
for slot in "$SLOT" "$capture"; do
	sql "SELECT 1 FROM pg_create_logical_replication_slot('$slot', 'pgoutput')" >"$T/slot"
done
pipeline_conf
pipeline_start

# capture FILE: appends what happened since the last time.
capture() {
	pgcdc-read -d "dbname=$PGDATABASE" -s "$capture" -p "$ID" -o "$1" --until-caught-up
}

# write FILE: maps and writes it, by hand; how many conflicts the log counted, and how many
# actions were left out for later ones.
write() {
	pgcdc-map -m "$T/hand.yml" <"$1" |
	    esbulk-write -u "$PGCDC_TEST_ES_URL" -v 2>"$T/write.err" || {
		cat "$T/write.err"
		return 1
	}
	conflicts=$(sed -n 's/.* conflicts=\([0-9]*\).*/\1/p' "$T/write.err")
	coalesced=$(sed -n 's/.* coalesced=\([0-9]*\).*/\1/p' "$T/write.err")
}

# versions INDEX: all documents with their versions; jq sees only what is no number.
versions() {
	es POST "$1/_refresh" >"$T/null"
	es POST "$1/_search?version=true&size=10000" '{"_source":false,"sort":["_doc"]}' |
	    jq -c '.hits.hits[] | [._id, ._version]' | sort
}

# held FILE: the indexes that are written by hand, documents and versions.
held() {
	for table in items pairs; do
		es_docs "$ID-hand-$table"
		versions "$ID-hand-$table"
	done >"$1"
}

# both: checks: by hand and live, the documents are the rows.
both() {
	pipeline_stored 'the live pipeline has it, too' 60
	load_same
	for table in items pairs; do
		es_docs "$ID-hand-$table" >"$T/$table.hand"
		same "$T/$table.hand" "$T/$table.docs" "by hand: the same documents: $table"
	done
	held "$T/hand"
}

run_load() {
	load_start 2 10 "$1"
	load_until 10
	load_end 20 2000
	sql 'TRUNCATE load_rows'
}

# The same
sql 'UPDATE items SET counter = counter'
run_load 0
ok 'captured' capture "$T/old.frames"
ok 'mapped and written' write "$T/old.frames"
is "$conflicts" 0 'without a conflict'
both

# Again
ok 'a second time' write "$T/old.frames"
# In the cluster, or in its own request before it got there.
ok 'it met what was there' test "$((conflicts + coalesced))" -gt 0
held "$T/again"
same "$T/again" "$T/hand" 'and nothing changed'

# An old file over newer documents.  The newer file begins where the old one ended.
gone=$(sql 'SELECT max(id) FROM items WHERE id % 7 = 0')
sql 'DELETE FROM items WHERE id % 7 = 0; UPDATE items SET name = NULL WHERE id % 7 = 1'
run_load 2
ok 'captured: what came since' capture "$T/new.frames"
ok 'mapped and written: what came since' write "$T/new.frames"
is "$conflicts" 0 'without a conflict: nothing is in both files'
both
ok 'the newer index is another one' not cmp -s "$T/hand" "$T/again"
ok 'the old file over it' write "$T/old.frames"
ok 'it met what was there' test "$((conflicts + coalesced))" -gt 0
held "$T/again"
same "$T/again" "$T/hand" 'and nothing changed, nothing came back'

# Both in one file
cat "$T/old.frames" "$T/new.frames" >"$T/both.frames"
ok 'a file of several runs' write "$T/both.frames"
held "$T/again"
same "$T/again" "$T/hand" 'nothing changed'

# index.gc_deletes is short: the old file alone brings back what was deleted so long ago.
es PUT "$ID-hand-items/_settings" '{"index.gc_deletes":"1ms"}' >"$T/null"
es POST "$ID-hand-items/_refresh" >"$T/null"
comes_back() {
	write "$T/old.frames" || return
	es GET "$ID-hand-items/_source/$gone" && return
	es POST "$ID-hand-items/_refresh"
	false
}
wait_for 'the cluster forgot the delete: its document comes back' 60 comes_back
ok 'the page says so' grep -q gc_deletes "$TOP/man/esbulk-write.1"
ok 'the replay to the end' write "$T/both.frames"
held "$T/again"
same "$T/again" "$T/hand" 'deletes it again'

pipeline_stop 'it ends in order'
done_testing
