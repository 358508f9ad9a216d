#!/bin/sh
# The pages' and the README's examples, run as they stand: only the names of the
# database, the slot, the user, the index and the node become this test's own.

. "$(dirname "$0")/lib.sh"
need_pg
need_es
pg_db shop
cd "$T" || bail "cannot go to the test's folder"
index=${ID}_users

# own: puts the test's names in the place of the examples'.
own() {
	sed -e "s/dbname=shop/dbname=$PGDATABASE/g" -e "s/shop_slot/${ID}_slot/g" \
	    -e "s/shop_cdc/${ID}_cdc/g" -e "s|http://127.0.0.1:9200|$PGCDC_TEST_ES_URL|g" \
	    -e "s/index: users/index: $index/" -e "s/\"users\"/\"$index\"/g"
}

# page FILE PATTERN: the literal block of a page that has the pattern.
page() {
	awk -v pattern="$2" -v used="$T/used.$1" '
	/^\.Bd -literal/ { inside = 1; text = ""; n++; next }
	/^\.Ed/ {
		if (inside && text ~ pattern) {
			printf "%s", text
			print n >>used
			exit
		}
		inside = 0
	}
	inside { text = text $0 "\n" }' "$TOP/man/$1" | sed 's/\\e/\\/g' | own
}

# readme PATTERN: the same of the README: the indented block that has the pattern.
readme() {
	awk -v pattern="$1" -v used="$T/used.README" '
	/^    / { n += text == ""; text = text substr($0, 5) "\n"; next }
	{
		if (text ~ pattern) {
			printf "%s", text
			print n >>used
			exit
		}
		text = ""
	}' "$TOP/README.md" | own
}

# blocks N: 1 to N, as used.* has them.
blocks() {
	seq "$1" | xargs
}

# run NAME COMMANDS: the commands of a block, as a shell runs them.
run() {
	[ -n "$2" ] || bail "no such example: $1"
	printf '%s\n' "$2" >"$1.sh"
	sh "$1.sh" >"$1.out" 2>"$1.err"
}

has_document() { # has_document ID PATTERN
	es GET "$index/_doc/$1" | grep -q "$2"
}

reader_pid() {
	reader=$(sql "SELECT pid FROM pg_stat_activity WHERE application_name = 'pgcdc-read'
	    AND backend_type = 'walsender' AND datname = '$PGDATABASE'")
	[ -n "$reader" ]
}

slot_active() {
	[ "$(sql "SELECT active FROM pg_replication_slots
	    WHERE slot_name = '${ID}_slot'")" = t ]
}

slot_free() {
	! slot_active
}

# The tour: PostgreSQL, mapping, by hand.
tables=$(page pgcdc.7 'CREATE PUBLICATION')
ok "the tour's SQL runs" sql "$tables"
like "$(page pgcdc.7 wal_level)" "wal_level = $(sql 'SHOW wal_level')" "the tour's setting is the server's"
page pgcdc.7 'table: public.users' >shop.yml
ok "the tour's mapping is right" pgcdc-map -m shop.yml --check
is "$(readme 'table: public.users')" "$(cat shop.yml)" "the README has the same mapping"
is "$(readme 'CREATE PUBLICATION')" "$(printf '%s\n' "$tables" | sed '/CREATE USER/d')" \
    "the README has the same SQL"

pipeline=$(page pgcdc.7 '-a ack.sock [|]\n    pgcdc-map')
is "$(readme '-a ack.sock')" "$pipeline" "the README's pipeline is the tour's"
is "$(page pgcdc-read.1 '-a ack.sock')" "$pipeline" "the reader's page has the same"
printf '%s\n' "$pipeline" >byhand.sh
bg byhand sh byhand.sh
pipeline_pid=$BG_PID
wait_for "the pipeline streams" 20 slot_active
sql "INSERT INTO users (name) VALUES ('Ada')"
wait_for "a row is a document" 20 has_document 1 '"name":"Ada"'
pkill -TERM -g "$pipeline_pid" -x pgcdc-read
wait_exit "SIGTERM to the reader ends the pipeline in order" 20 "$pipeline_pid" 0
wait_for "and frees the slot" 20 slot_free

# What is there already.
unpublished() { # unpublished ID NAME: a row that no stream brings
	sql "ALTER PUBLICATION shop_publication DROP TABLE users"
	sql "INSERT INTO users (id, name) VALUES ($1, '$2')"
	sql "ALTER PUBLICATION shop_publication ADD TABLE users"
}
unpublished 101 Before
ok "the tour's snapshot" run only "$(page pgcdc.7 'snapshot only')"
ok "a row that was not streamed is a document" has_document 101 '"name":"Before"'
like "$(cat shop.state)" '^table .* loaded$' "which the state file knows"

# Supervised.
page pgcdc.7 'PGCDC_CONNINFO' >shop.conf
# shellcheck disable=SC2046
bg supervised $(page pgcdc.7 '^pgcdc run')
supervisor=$BG_PID
wait_for "the supervised pipeline streams" 20 slot_active
sql "INSERT INTO users (name) VALUES ('Grace')"
wait_for "a row is a document again" 20 has_document 2 '"name":"Grace"'
unpublished 102 Later
ok "the tour's snapshot on demand" run demand "$(page pgcdc.7 '^pgcdc snapshot')"
wait_for "and so is another one" 20 has_document 102 '"name":"Later"'
ok "the tour's screen" run status "$(page pgcdc.7 '^pgcdc status')"
like "$(cat status.out)" '^pgcdc .*_slot: streaming' "it says that all is well"
kill -TERM "$supervisor"
wait_exit "the supervisor ends in order" 30 "$supervisor" 0
wait_for "and the slot is free" 20 slot_free

# Look, capture, replay.
sql "UPDATE users SET name = 'Ada L' WHERE id = 1; DELETE FROM users WHERE id = 2"
ok "looking works" run look "$(page pgcdc.7 'caught-up [|]\n    pgcdc-cat')"
is "$(grep -c '^\["[UD]"' look.out)" 2 "it shows the update and the delete"
ok "looking at actions works" run actions "$(page pgcdc.7 'select')"
is "$(jq -r '.[1]' actions.out | xargs)" "index delete" "it shows an index and a delete"
ok "capturing works" run capture "$(page pgcdc.7 '-o shop.frames')"
is "$(page pgcdc-read.1 '-o shop.frames')" "$(page pgcdc.7 '-o shop.frames')" \
    "the reader's page captures alike"
ok "counting works" run count "$(page pgcdc.7 'uniq -c')"
is "$(awk '$2 == "U" || $2 == "D"' count.out | xargs)" "1 D 1 U" \
    "it counts one update and one delete"
replay=$(page pgcdc.7 '<shop.frames')
is "$(page esbulk-write.1 '<shop.frames')" "$replay" "the writer's page replays alike"
ok "replaying works" run replay "$replay"
ok "the writer's page: a dry run" run dry "$(page esbulk-write.1 dry-run)"
is "$(grep -c "^{\"index\":{\"_index\":\"$index\"" dry.out)" "$(grep -c '"index"' actions.out)" \
    "it shows what would be sent"
es_docs "$index" >once
sql "SELECT id || E'\t' || row_to_json(u) FROM users u" | canonical_docs >table
same once table "the index is as the table"
ok "replaying again works" run replay "$replay"
es_docs "$index" >twice
same twice once "and changes nothing"

# A mapper of one's own.
sed "s/\$relid, \"users\"/\$relid, \"$index\"/" "$TOP/examples/mapper.jq" >mapper.jq
page pgcdc.7 'mapper.jq' >own.sh
bg own sh own.sh
own_pid=$BG_PID
wait_for "the pipeline with jq streams" 20 slot_active
sql "INSERT INTO users (name) VALUES ('Jq')"
wait_for "a row is a document by way of jq" 20 has_document 3 '"name":"Jq"'
pkill -TERM -g "$own_pid" -x pgcdc-read
wait_exit "that pipeline ends in order, too" 20 "$own_pid" 0
wait_for "and frees its slot" 20 slot_free

# The reader's first example makes what is missing.
sql "SELECT pg_drop_replication_slot('${ID}_slot');
    DROP PUBLICATION shop_publication" >/dev/null
ok "the reader's page: a first look" run first "$(page pgcdc-read.1 create-slot)"
like "$(cat first.out)" '^\["E".*caught-up' "it comes to the end"

# The rest of the README.
like "$(readme 'make demo')" '^make check' "the README's two commands"
for target in $(readme 'make demo' | sed 's/^make \([a-z]*\) .*/\1/'); do
	ok "make $target is one" grep -q "^$target:" "$TOP/Makefile"
done
ok "the README's picture is the tour's" [ "$(readme 'frames--')" = "$(page pgcdc.7 'frames--')" ]
grep -o '](\([^):]*\))' "$TOP/README.md" "$TOP"/examples/*/README.md |
    sed 's/README.md:](/ /; s/)$//' >links
while read -r folder link; do
	ok "a link: $link" [ -e "$folder$link" ]
done <links
is "$(sort -nu used.README | xargs)" "$(blocks "$(awk '
    /^    / { n += !inside; inside = 1; next } { inside = 0 } END { print n }' "$TOP/README.md")")" \
    'every block of the README was run'
is "$(sort -nu used.pgcdc.7 | xargs)" "$(blocks "$(grep -c '^[.]Bd -literal' "$TOP/man/pgcdc.7")")" \
    'and every one of the tour'

# The writer's own example.
ok "the writer's page: a document by hand" run byhand "$(page esbulk-write.1 printf)"
ok "it is in the index" has_document 7 '"name":"Ann"'

done_testing
