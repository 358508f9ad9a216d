#!/bin/sh
# What is confirmed to the server: never a commit that is not stored, whatever else
# happens; and all of its log, when the published tables are idle and others are not.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
need_pg
pg_db
# shellcheck source=pipeline.sh
. "$TOP/tests/pipeline.sh"

sql "CREATE TABLE published (id int PRIMARY KEY);
CREATE TABLE other (id int);
CREATE PUBLICATION $ID FOR TABLE published"
sql "SELECT 1 FROM pg_create_logical_replication_slot('$SLOT', 'pgoutput')" >"$T/slot"
cat >"$T/mapping.yml" <<EOT
tables:
  - table: public.published
    index: $ID
EOT
standin_start
# The reader reports four times in the timeout.
pipeline_conf PGCDC_ES_URL="$STANDIN_URL" \
    "PGCDC_CONNINFO=\"dbname=$PGDATABASE options='-c wal_sender_timeout=4s'\""
pipeline_start

documents() {
	standin_docs "$ID" | wc -l
}

has_documents() {
	[ "$(documents)" -eq "$1" ]
}

# The server has sent all up to an LSN, and the reader has said that it has read it.
# That came in the same message as what it confirmed.
reported() {
	[ "$(sql "SELECT write_lsn >= '$1' FROM pg_stat_replication JOIN pg_replication_slots
	    ON pid = active_pid WHERE slot_name = '$SLOT'")" = t ]
}

idle() {
	sql 'INSERT INTO other SELECT generate_series(1, 1000)'
	end=$(wal_now)
}

# Idle from the start, then behind a row.
idle
wait_for 'another table is written: confirmed' 30 confirmed_at "$end"
sql 'INSERT INTO published VALUES (1)'
pipeline_stored 'a row: confirmed' 30
is "$(documents)" 1 'and stored'
for again in 1 2 3; do
	idle
	wait_for "another table is written again ($again): confirmed" 30 confirmed_at "$end"
done

# withheld WHAT: a row is committed and not stored; other tables are written.
withheld() {
	sql "INSERT INTO published SELECT 1 + max(id) FROM published"
	commit=$(wal_now)
	for again in 1 2 3; do
		idle
		wait_for "$1: the reader has read beyond the commit ($again)" 30 reported "$end"
		ok "$1: it is not confirmed ($again)" not confirmed_at "$commit"
	done
}

kill -s STOP "$(stage_pid write)"
withheld 'a writer that is stopped'
kill -s CONT "$(stage_pid write)"
wait_for 'the writer goes on: confirmed' 30 confirmed_at "$end"
is "$(documents)" 2 'and stored'

standin POST 'fault?kind=hang' >"$T/fault"
withheld 'a node that hangs'
is "$(documents)" 2 'a node that hangs: the row is not stored'
standin POST release >"$T/fault"
wait_for 'the node goes on: confirmed' 30 confirmed_at "$end"
is "$(documents)" 3 'and stored'

# The unacknowledged commit is that of a transaction among others that are stored.
standin POST 'fault?kind=item&status=429&id=5' >"$T/fault"
sql 'INSERT INTO published VALUES (4)'
withheld 'a row that is not accepted yet'
sql 'INSERT INTO published VALUES (6), (7), (8)'
wait_for 'rows of a later transaction are stored' 30 has_documents 7
idle
wait_for 'the reader has read beyond them' 30 reported "$end"
ok 'the commit before them is not confirmed' not confirmed_at "$commit"
standin DELETE fault >"$T/fault"
wait_for 'the row is accepted: confirmed' 30 confirmed_at "$end"
is "$(documents)" 8 'and stored'

# The end of the stream comes to the writer after the reader is gone, and long after
# anything else came: it waits 10 s for it, from the reader's end on.
wait_for 'nothing for 11 s' 30 passed 11 "$(clock)"
reader=$(stage_pid read) map=$(stage_pid map)
kill -s STOP "$map"
kill "$PIPELINE"
wait_for 'the reader ends' 30 not kill -s 0 "$reader"
kill -s CONT "$map"
wait_exit 'the others, too, in order' 60 "$PIPELINE" 0
done_testing
