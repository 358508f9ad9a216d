#!/bin/sh
# pgcdc replay: dead letters go to the cluster again, of a file that is at rest, and of one that
# the pipeline appends to; nothing newer is overwritten; what is rejected again is kept; its exit
# statuses.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
need_pg
pg_db
# shellcheck source=pipeline.sh
. "$TOP/tests/pipeline.sh"
standin_start

sql "CREATE TABLE t (id int PRIMARY KEY, v text); CREATE PUBLICATION $ID FOR TABLE t;
SELECT pg_create_logical_replication_slot('$SLOT', 'pgoutput')" >"$T/made"
cat >"$T/mapping.yml" <<EOT
tables:
  - table: public.t
    index: $ID
EOT

# replays STATUS DESCRIPTION [ARGUMENT...]
replays() {
	_status=$1 _what=$2
	shift 2
	exits "$_status" "$_what" pgcdc replay -c "$T/pgcdc.conf" "$@"
}
says() {
	like "$(cat "$T/err")" "$1" "${2:-it says so}"
}
# stored ID VALUE
stored() {
	standin GET "docs?index=$ID" >"$T/docs"
	[ "$(jq -r --arg id "$1" 'select(._id == $id) | ._source.v' "$T/docs")" = "$2" ]
}
# letters FILE N: has it so many?
letters() {
	[ "$(pgcdc-cat "$1" | grep -c '^\["X"')" -eq "$2" ]
}
rejects() {
	standin POST "fault?kind=item&status=400&id=$1" >"$T/fault"
}
accepts() {
	standin DELETE fault >"$T/fault"
}

pipeline_conf PGCDC_ES_URL="$STANDIN_URL"
replays 100 'no file is named'
says 'no file of dead letters'
pipeline_conf PGCDC_ES_URL="$STANDIN_URL" PGCDC_DEAD_LETTER="$T/dead" \
    'PGCDC_WRITE_OPTIONS=--lanes 2'
replays 0 'there are none'
says 'there are no dead letters'
replays 100 'a file that is not there' "$T/nothing"
replays 100 'two files' one two
: >"$T/empty"
replays 0 'an empty file' "$T/empty"

# While the pipeline runs -----------------------------------------------------------------

rejects 1
rejects 2
rejects 3
pipeline_start
sql "INSERT INTO t VALUES (1, 'one'), (2, 'two'), (3, 'three'), (4, 'four')"
wait_for 'three rows are dead letters' 30 letters "$T/dead" 3
accepts
sql "UPDATE t SET v = 'newer' WHERE id = 2"
wait_for 'one was changed since' 30 stored 2 newer
replays 111 'a file that is appended to' "$T/dead"
says 'a writer appends to this file'
rejects 3
replays 100 'the file of the running pipeline, one is rejected again'
says 'set aside.*file=.*/dead\.20[0-9]*T[0-9]*Z' 'it is set aside'
says 'some were rejected again.*file=.*\.again' 'what was rejected is named'
ok 'the first is stored' stored 1 one
ok 'the newer one stays' stored 2 newer
aside=$(ls "$T"/dead.*Z)
cp "$aside" "$T/captured"
ok 'all letters are in the file still' letters "$aside" 3
ok 'that one was rejected again' letters "$aside.again" 1
replays 100 'not once more, over what was rejected' "$aside"
says 'what was rejected of it before is there'
ok 'the pipeline has another file' [ -e "$T/dead" ]
sql "UPDATE t SET v = 'again' WHERE id = 3"
wait_for 'and puts the next letter there' 30 letters "$T/dead" 1
accepts
replays 0 'the one that was rejected again' "$aside.again"
ok 'is stored' stored 3 three
replays 0 'and the next one'
ok 'is stored, too' stored 3 again
ok 'nothing is rejected any more' [ ! -e "$aside.again.again" ]
pipeline_stop 'the pipeline ends in order'

# And while it does not -------------------------------------------------------------------

rm -f "$T"/dead*
rejects 5
pipeline_start
sql "INSERT INTO t VALUES (5, 'five')"
wait_for 'a dead letter' 30 letters "$T/dead" 1
pipeline_stop 'the pipeline ends in order'
accepts
replays 0 'the file at rest'
ok 'is stored' stored 5 five
ok 'the file stays' letters "$T/dead" 1
replays 0 'twice changes nothing'
is "$(standin GET "docs?index=$ID" | wc -l | tr -d ' ')" 5 'and makes no document'

# Captured actions.
sql "INSERT INTO t VALUES (6, 'six')"
pgcdc-read -d "dbname=$PGDATABASE" -s "$SLOT" -p "$ID" --until-caught-up 2>"$T/null" |
    pgcdc-map -m "$T/mapping.yml" 2>"$T/null" >"$T/actions"
replays 0 'captured actions' "$T/actions"
ok 'are stored' stored 6 six

# What cannot be sent.
echo 'no frames' >"$T/garbage"
replays 100 'something else' "$T/garbage"
says 'not all was sent: the file is as it was'
is "$(cat "$T/garbage")" 'no frames' 'stays as it is'
head -c 40 "$T/dead" >"$T/half"
replays 111 'half of a letter' "$T/half"
bg hold flock "$T/dead" sleep 100
held() {
	! flock -n "$T/dead" true
}
wait_for 'somebody holds the file' 10 held
replays 111 'who is not the pipeline'
says 'not the pipeline'
ok 'it keeps its name' [ -e "$T/dead" ]

# Where the cluster does not answer, one that is ended takes its writer with it.
pipeline_conf PGCDC_ES_URL=http://127.0.0.1:1 PGCDC_DEAD_LETTER="$T/dead"
sent() {
	pgrep -f "dead-letter $T/captured.again" >"$T/sender"
}
bg replay pgcdc replay -c "$T/pgcdc.conf" "$T/captured"
replay=$BG_PID
wait_for 'letters are being sent' 20 sent
kill "$replay"
wait_exit 'it ends by TERM' 20 "$replay" 111
ok 'and its writer' not sent
done_testing
