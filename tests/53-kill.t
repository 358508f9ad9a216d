#!/bin/sh
# Kill each of the three stages with -9 while a load runs: the index ends equal to the
# tables.  1,000 transactions of about 100 rows in four sessions, into a real node.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
need_pg
need_es
pg_db
# shellcheck source=pipeline.sh
. "$TOP/tests/pipeline.sh"

load_tables
load_mapping
load_indexes
sql "SELECT 1 FROM pg_create_logical_replication_slot('$SLOT', 'pgoutput')" >"$T/slot"
sql 'UPDATE items SET counter = counter' # the rows that are there already
pipeline_conf
pipeline_start

# kill_stage STAGE: in mid-load: when it is dead the sessions still have something to do, and
# they pause for 20 ms between transactions, less than all takes that comes after a kill.
kills=0
kill_stage() {
	killed=$(stage_pid "$1") && kill -s KILL "$killed" || return
	kills=$((kills + 1))
	committed=$(load_committed)
	stored=$(load_stored)
	[ "$committed" -lt $((4 * limit)) ]
}

# started_again STAGE PID: by another process, which streams.  A kill may come before the
# reader streams, so the lines can't be counted: the last one is behind the last break.
started_again() {
	_new=$(stage_pid "$1") && [ "$_new" != "$2" ] && awk -v kills=$kills '
	    /the pipeline broke/ { broke++; streams = 0 }
	    /msg="streaming"/ { streams = 1 }
	    END { exit !(broke == kills && streams) }' "$T/pgcdc.log"
}

load_start 4 250
come=-50
for stage in read map write; do
	# The load can't end before the kill, and seldom has to wait for it.
	come=$((come + 250))
	limit=$((come / 4 + 75))
	load_until $limit
	wait_for "$stage: the load goes on" 60 load_came_to $come
	ok "$stage: killed in mid-load" kill_stage $stage
	diag "$stage: process $killed, $stored of $committed transactions stored"
	wait_for "$stage: all three were started again" 30 started_again $stage "$killed"
done
load_until 250
load_end 1000 100000
pipeline_stored 'all is stored' 120
is "$(grep -c 'the pipeline broke' "$T/pgcdc.log")" $kills 'no restart but for the kills'
is "$(load_stored)" 1000 'all transactions are'
load_same
pipeline_stop 'it ends in order'
done_testing
