#!/bin/sh
# Two pgcdc run on one slot, under load: the active one is killed with -9, all of it at once, and
# the other one takes it at its first check after the server has seen the slot free, and writes;
# then the killed one is started again and stands by.  In the end the documents are the rows:
# nothing is lost, nothing older is over anything newer.
#
# LONG=1: 20 rounds.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
own_pg
pg_db
# shellcheck source=pipeline.sh
. "$TOP/tests/pipeline.sh"
standin_start
interval=2000
rounds=2
[ -z "${LONG:-}" ] || rounds=20

load_tables
load_mapping
sql "SELECT 1 FROM pg_create_logical_replication_slot('$SLOT', 'pgoutput')" >"$T/slot"
sql 'UPDATE items SET counter = counter'

# start N: the instance N, its run directory, log and state file its own.
start() {
	RUNDIR=$T/run$1
	pipeline_conf PGCDC_ES_URL="$STANDIN_URL" \
	    "PGCDC_READ_OPTIONS=--slot-check-interval $interval" PGCDC_READY_FILE="$T/ready$1"
	cp "$T/pgcdc.conf" "$T/pgcdc$1.conf"
	rm -f "$T/instance$1.log"
	bg "instance$1" pgcdc run -v -c "$T/pgcdc$1.conf"
	eval "instance$1=\$BG_PID"
}
# is_ready N WORD
is_ready() {
	[ "$(cat "$T/ready$1")" = "$2" ]
}
# Both readers have the same name there; which is active, its backend tells.
walsender() {
	sql "SELECT active_pid FROM pg_replication_slots WHERE slot_name = '$SLOT'"
}
# another PID: the slot is held, and not by that one.
another() {
	_now=$(walsender)
	[ -n "$_now" ] && [ "$_now" != "$1" ]
}
# sql_has PID: has the server that process?
sql_has() {
	[ -n "$(sql "SELECT 1 FROM pg_stat_activity WHERE pid = $1")" ]
}
# milliseconds: on a clock that only goes forward.
milliseconds() {
	awk '{ printf "%d\n", $1 * 1000 }' /proc/uptime
}
# kill_all N: the whole group of the supervisor, and of each stage, all with one call.
kill_all() {
	_supervisor=''
	eval "_supervisor=\$instance$1"
	_groups=-$_supervisor
	for _stage in read map write; do
		_groups="$_groups -$(cat "$T/run$1/$_stage.pid")"
	done
	# shellcheck disable=SC2086
	kill -s KILL -- $_groups
	wait "$_supervisor" 2>/dev/null
}
all_gone() {
	! "$TOP/tests/processes-with" "PGCDC_RUNDIR=$T/run$1" "$$" >"$T/left"
}
# held_after N TIME: how many checks of the instance N found the slot held after that.
held_after() {
	awk -v after="$2" '/the slot is (still )?active elsewhere/ && $1 > after' "$T/instance$1.log" |
	    wc -l | tr -d ' '
}
versions() {
	standin GET "docs?index=$ID-items" | jq -r '[._id, ._version] | @tsv' | sort
}
# stored_more N: more transactions are stored than N.
stored_more() {
	[ "$(load_stored "$STANDIN_URL")" -gt "$1" ]
}

start 1
wait_for 'the first is active' 30 is_ready 1 streaming
start 2
wait_for 'the second stands by' 30 is_ready 2 standby
load_start 4 $((rounds * 100))
load_until 20
wait_for 'the load goes on' 60 stored_more 20

active=1 passive=2 round=0 slowest=0
while [ $round -lt $rounds ]; do
	round=$((round + 1))
	versions >"$T/before"
	load_until $((round * 100 - 10))
	wait_for "$round: in mid-load" 60 load_came_to $((round * 400 - 360))
	sender=$(walsender)
	kill_all "$active"
	# The server sees it when it reads or writes next; from then on the slot is free.
	wait_for "$round: the server sees that it is gone" 20 not sql_has "$sender"
	freed=$(milliseconds) freed_at=$(date -u +%Y-%m-%dT%H:%M:%S.%3NZ)
	# Whatever was under way before, what is committed from here on the other one stores.
	load_until $((round * 100))
	wait_for "$round: the other one writes" 30 stored_more $((round * 400 - 40))
	took=$(($(milliseconds) - freed))
	[ "$took" -lt "$slowest" ] || slowest=$took
	# Within one interval: the first of its checks that can find the slot free takes it.
	ok "$round: it stood by" [ "$(held_after "$passive" 0)" -gt 0 ]
	is "$(held_after "$passive" "$freed_at")" 0 "$round: and took the slot at its next check"
	ok "$round: by its own connection" another "$sender"
	wait_for "$round: it says so" 10 is_ready "$passive" streaming
	wait_for "$round: nothing is left of the killed one" 10 all_gone "$active"
	versions >"$T/after"
	is "$(join "$T/before" "$T/after" | awk '$3 < $2' | wc -l | tr -d ' ')" 0 \
	    "$round: no document went back to an older version"
	start "$active"
	wait_for "$round: the killed one stands by" 30 is_ready "$active" standby
	set -- "$active" "$passive"
	active=$2 passive=$1
done
diag "from the free slot to stored rows: at most $slowest ms, with a check every $interval ms"
load_end $((rounds * 400)) $((rounds * 40000))
pipeline_stored 'all is stored' 120
is "$(load_stored "$STANDIN_URL")" $((rounds * 400)) 'all transactions are'
load_same standin_docs
is "$(standin GET stats | jq .order_violations)" 0 'no two requests for a document at a time'
eval "kill \$instance$passive"
eval "wait_exit 'the passive one ends in order' 30 \$instance$passive 0"
eval "kill \$instance$active"
eval "wait_exit 'and the active one' 60 \$instance$active 0"
done_testing
