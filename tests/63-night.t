#!/bin/sh
# A night in five minutes: the server is restarted, the node is killed and comes back, is out for
# a minute, the spool's disk is full, a row is one that the cluster will never take, and at last the
# slot is lost.  Each time the log and pgcdc status name the cause, an alert of the examples fires
# until it is mended, and the pipeline goes on with nothing lost, or stops for the slot.
#
# With LONG=1 only.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
[ -n "${LONG:-}" ] || skip_all 'a night takes minutes: LONG=1'
# shellcheck source=prometheus.sh
. "$TOP/tests/prometheus.sh"
own_pg
own_es
pg_db
# shellcheck source=pipeline.sh
. "$TOP/tests/pipeline.sh"

# shows STATUS PATTERN: for wait_for: what pgcdc status says.
shows() {
	pgcdc status -c "$T/pgcdc.conf" >"$T/out" 2>"$T/err"
	_got=$?
	cat "$T/out" "$T/err"
	[ "$_got" -eq "$1" ] && grep -q -e "$2" "$T/out"
}
# why_is PATTERN: for wait_for: the reason in full, which the screen may have on several lines.
why_is() {
	pgcdc status -c "$T/pgcdc.conf" --json | tee "$T/out" | jq -e --arg why "$1" \
	    '.healthy == false and (.why // "" | test($why))'
}
# told PATTERN: did the log say so since the last step?
told() {
	tail -n "+$((step_at + 1))" "$T/pgcdc.log" | grep -q -e "$1"
}
step_at=0 limit=0
# step: another 20 transactions in each session, while it happens.
step() {
	step_at=$(wc -l <"$T/pgcdc.log")
	limit=$((limit + 20))
	load_until $limit
}
# recovers WHAT [ALERT]: it is as before, and all is stored; no alert is left, but for that.
recovers() {
	wait_for "$1: status is well again" 90 shows 0 "^pgcdc $SLOT: streaming"
	pipeline_stored "$1: all is stored" 120
	wait_for "$1: no alert is left" 60 only_fires "${2:-}"
}
only_fires() {
	_got=$(api /api/v1/alerts | jq -r '[.data.alerts[].labels.alertname] | unique | join(" ")')
	echo "$_got"
	[ "$_got" = "$1" ]
}
# alerts WHAT ALERT...: checks: they fire.
alerts() {
	_what=$1
	shift
	for _alert; do
		wait_for "$_what: $_alert fires" 90 fires "$_alert"
	done
}
spool=''
unmount() {
	[ -z "$spool" ] || umount "$spool" 2>/dev/null
}

load_tables
load_mapping
load_indexes
sql "CREATE TABLE numbers (id int PRIMARY KEY, n text); ALTER PUBLICATION $ID ADD TABLE numbers;
SELECT 1 FROM pg_create_logical_replication_slot('$SLOT', 'pgoutput')" >"$T/slot"
sql 'UPDATE items SET counter = counter'
cat >>"$T/mapping.yml" <<EOT
  - table: public.numbers
    index: $ID-numbers
EOT
es PUT "$ID-numbers" '{"mappings":{"properties":{"n":{"type":"integer"}}}}' >"$T/index.answer"
sql "ALTER SYSTEM SET logical_decoding_work_mem = '64kB'; SELECT pg_reload_conf()" >"$T/null"
mkdir "$T/spool"
# What a spool has not got room for is 16 MB; this one is a disk of 2.
if [ "$(id -u)" -eq 0 ] && mount -t tmpfs -o size=2m,mode=700 pgcdc-spool "$T/spool" 2>"$T/null"; then
	spool=$T/spool
	trap 'unmount; _cleanup' EXIT
fi
prometheus_ports
pipeline_conf PGCDC_DEAD_LETTER="$T/dead" "PGCDC_METRICS_READ=$READ_PORT" \
    "PGCDC_METRICS_WRITE=$WRITE_PORT" \
    "PGCDC_READ_OPTIONS=--spool-dir $T/spool --spool-mem 65536"
pipeline_start
wait_for 'it streams' 60 shows 0 "^pgcdc $SLOT: streaming"
# What takes minutes takes seconds here; and a row is old, log much, where a night's would be.
prometheus_start 's/^\( *for\): .*/\1: 2s/; s/\[[0-9]*m\(:*\)\]/[15s\1]/; s/ > 300$/ > 20/
	s/ > 1e9$/ > 5e6/; s/ > 10e9$/ > 60e6/'
wait_for 'every alert is evaluated' 30 evaluated
load_start 4 120
step
recovers 'evening'
wait_for 'evening: it was looked at for a while' 60 has_series 'count_over_time(up[1h]) >= 20'
is "$(series 'count_over_time(ALERTS[1h])')" 0 'evening: no alert was near'

# The server is restarted.
step
"$TOP/tests/pg-server" stop "$PG_DIR" immediate
wait_for 'server: status names it' 60 shows 111 ': connecting to the server'
ok 'server: and why' grep -q '^why .*cannot connect' "$T/out"
ok 'server: the log has it' told 'error pgcdc-read msg="cannot connect to PostgreSQL"'
alerts 'server' PgcdcNotStreaming
"$TOP/tests/pg-server" start "$PG_DIR" >"$T/again.log" 2>&1
wait_for 'server: it is back' 60 sql 'SELECT 1'
# The sessions went with it.
for pid in $LOADS; do
	wait "$pid" 2>"$T/null"
done
load_start 4 120 4
load_until $limit
recovers 'server'

# The node is killed, and is back at once.
step
kill -s KILL -- "-$(cat "$ES_DIR/pid")"
wait_for 'node: status names it' 60 shows 111 'but the cluster takes nothing'
ok 'node: and why' grep -q '^why .*does not answer' "$T/out"
ok 'node: the log has it' told 'warn esbulk-write msg="the cluster does not answer: trying again"'
alerts 'node' PgcdcClusterDown PgcdcRetries
"$TOP/tests/search-node" stop "$ES_DIR" >"$T/stop.log" 2>&1
"$TOP/tests/search-node" start "$ES_DIR" >"$T/es.log" 2>&1 || bail 'the node did not start again'
recovers 'node'

# It hangs for a minute.
step
wait_for 'a minute: the load goes on' 60 load_came_to $((limit * 2))
"$TOP/tests/search-node" pause "$ES_DIR"
since=$(clock)
sql "INSERT INTO numbers VALUES (1, '1')"
wait_for 'a minute: it is out' 90 passed 60 "$since"
wait_for 'a minute: status tells how old the oldest row is' 10 shows "$?" 'the oldest row: [1-9][0-9]* s'
ok 'a minute: no process ended' not told 'the pipeline broke'
alerts 'a minute' PgcdcOldRow
"$TOP/tests/search-node" continue "$ES_DIR"
recovers 'a minute'

# A transaction that the spool has no room for.
if [ -n "$spool" ]; then
	step
	sql "INSERT INTO items (id, session, counter, name)
	    SELECT 900000000 + i, -2, 0, repeat(md5(i::text), 20) FROM generate_series(1, 20000) i"
	wait_for 'spool: status names it' 90 why_is 'No space left on device'
	ok 'spool: the log has it' \
	    told 'warn pgcdc msg="the pipeline broke.*stage=read exit=111.*reason=.*No space left'
	alerts 'spool' PgcdcDown
	mount -o remount,size=200m "$spool"
	recovers 'spool'
else
	skip 'spool' 'NOT CHECKED: a file system cannot be mounted'
fi

# A row that no cluster will ever take.
step
sql "INSERT INTO numbers VALUES (2, 'no number')"
wait_for 'poison: status counts it' 60 shows 0 '^rejects    1 dead letters'
ok 'poison: the log names it' told 'warn esbulk-write msg=".*rejected an action.*id=2 '
alerts 'poison' PgcdcDeadLetters PgcdcRejected PgcdcDeadLettersLeft
recovers 'poison' PgcdcDeadLettersLeft
is "$(pgcdc-cat "$T/dead" | jq -r 'select(.[0] == "X") | .[4]')" 2 'poison: it is a dead letter'

# Morning: all there is, is there.
load_until 120
for pid in $LOADS; do
	wait "$pid" || diag 'a session failed'
done
pipeline_stored 'morning: all is stored' 120
load_same
shows 0 streaming >"$T/null"
ok 'morning: the screen fits' awk 'length > 80 { exit 1 } END { exit NR > 24 }' "$T/out"

# The slot is lost: nobody can go on from there.
step_at=$(wc -l <"$T/pgcdc.log")
sql "ALTER SYSTEM SET max_slot_wal_keep_size = '128MB'; SELECT pg_reload_conf()" >"$T/null"
"$TOP/tests/search-node" pause "$ES_DIR"
# Three quarters of what may be kept, and a bit.
in_danger() {
	[ "$(sql "SELECT safe_wal_size < 30e6 FROM pg_replication_slots WHERE slot_name = '$SLOT'")" = t ] ||
	    sql "CREATE TABLE IF NOT EXISTS noise (t text); INSERT INTO noise VALUES ('x'); SELECT pg_switch_wal()" >"$T/null"
	fires PgcdcSlotInDanger
}
sql "INSERT INTO numbers VALUES (3, '3')"
wait_for 'slot: PgcdcSlotInDanger fires' 120 in_danger
alerts 'slot' PgcdcHeldLog PgcdcLag
is "$(sql "SELECT wal_status <> 'lost' FROM pg_replication_slots WHERE slot_name = '$SLOT'")" t \
    'slot: while it can still be saved'
lost() {
	sql "INSERT INTO numbers SELECT i, i FROM generate_series(100 + $1, 105 + $1) i ON CONFLICT DO NOTHING;
	CREATE TABLE IF NOT EXISTS noise (t text); INSERT INTO noise SELECT repeat('x', 1000) FROM generate_series(1, 20000);
	SELECT pg_switch_wal(); CHECKPOINT" >"$T/null"
	[ "$(sql "SELECT wal_status FROM pg_replication_slots WHERE slot_name = '$SLOT'")" = lost ]
}
wait_for 'slot: the server gives it up' 120 lost 1
wait_exit 'slot: the pipeline stops with 100' 120 "$PIPELINE" 100
like "$(tail -n 1 "$T/pgcdc.log")" ' error pgcdc msg="stopped: a permanent error" stage=read .*reason=".*slot' \
    'slot: the last line has the reason'
wait_for 'slot: status names it' 10 shows 111 '^why .*slot'
ok 'slot: and that it does not run' grep -q 'not running' "$T/out"
alerts 'slot' PgcdcDown
"$TOP/tests/search-node" continue "$ES_DIR"
done_testing
