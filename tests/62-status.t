#!/bin/sh
# pgcdc status: one screen that tells how the pipeline is, and why, in each of its states; its
# exit status; as JSON; and again and again.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
own_pg
pg_db
# shellcheck source=pipeline.sh
. "$TOP/tests/pipeline.sh"
standin_start

# status_is STATUS PATTERN DESCRIPTION [OPTION...]: such an exit status, and such a line.
status_is() {
	_expected=$1 _pattern=$2 _what=$3
	shift 3
	exits "$_expected" "$_what" pgcdc status -c "$T/pgcdc.conf" "$@"
	like "$(cat "$T/out")" "$_pattern" "$_what: it says so"
}
fits() {
	awk 'length > 80 { exit 1 } END { exit NR > 24 || NR == 0 }' "$T/out"
}
# shows STATUS PATTERN: for wait_for.
shows() {
	pgcdc status -c "$T/pgcdc.conf" >"$T/out" 2>"$T/err"
	_got=$?
	cat "$T/out"
	[ "$_got" -eq "$1" ] && grep -q -e "$2" "$T/out"
}
json() {
	pgcdc status -c "$T/pgcdc.conf" --json | jq -c "$1"
}

# Figures that are made up --------------------------------------------------------------

# One that is elsewhere, or that is not for everybody to look into.
pipeline_conf PGCDC_ES_URL="$STANDIN_URL"
status_is 111 'there is no run directory ' 'no run directory'
is "$(json .why)" "\"there is no run directory $RUNDIR; PGCDC_RUNDIR names another\"" 'as JSON'
if [ "$(id -u)" -eq 0 ]; then
	mkdir -m 700 "$RUNDIR"
	cp "$T/pgcdc.conf" "$T/all.conf"
	chmod 644 "$T/all.conf"
	exits 100 "somebody else's run directory" setpriv --reuid=nobody --clear-groups \
	    "$(command -v pgcdc)" status -c "$T/all.conf"
	like "$(cat "$T/err")" 'cannot be looked into' 'is not shown as one where nothing runs'
	rmdir "$RUNDIR"
else
	skip "somebody else's run directory" 'only root can become somebody else'
fi

# A run directory as a pipeline has it: a lock that is held, pids, and pages.
mkdir -m 700 "$RUNDIR"
pipeline_conf PGCDC_ES_URL="$STANDIN_URL" PGCDC_DEAD_LETTER="$T/dead"
status_is 111 "^pgcdc $SLOT: not running " 'nothing has ever run'
bg lock flock "$RUNDIR/lock" sleep 1000
lock=$BG_PID
bg stage sleep 1000
dummy=$BG_PID
for stage in read map write; do
	echo "$dummy" >"$RUNDIR/$stage.pid"
done
cat >"$RUNDIR/status.last" <<EOT
pid=4711
started=2026-01-02T03:04:05Z
restarts=3
last_exit=write 137
last_time=2026-01-02T04:05:06Z
reason=the old reason
ended=
exit=
EOT
cat >"$T/read.metrics" <<'EOT'
# HELP pgcdc_read_state 1 for the state that the reader is in.
# TYPE pgcdc_read_state gauge
pgcdc_read_state{state="connecting"} 0
pgcdc_read_state{state="streaming"} 0
pgcdc_read_state{state="loading"} 1
pgcdc_read_connected 1
pgcdc_read_reconnects_total 2
pgcdc_read_connect_failures_total 5
pgcdc_read_confirmed_lsn 4886718345
pgcdc_read_lag_bytes 123456789
pgcdc_read_lag_seconds 42.5
pgcdc_read_slot_retained_bytes 234567890
pgcdc_read_slot_safe_bytes 987654321
pgcdc_read_rows_total{operation="insert",schema="public",table="a \"b\" \\ {x}, \nc"} 5000000000
pgcdc_read_rows_total{operation="update",schema="public",table="t"} 20
pgcdc_read_rows_total{operation="delete",schema="public",table="t"} 0
pgcdc_read_snapshot_tables{state="waiting"} 38
pgcdc_read_snapshot_tables{state="loading"} 1
pgcdc_read_snapshot_tables{state="loaded"} 1
pgcdc_read_snapshot_paused 1
EOT
for figure in blocks:100 blocks_done:0; do
	echo "pgcdc_read_snapshot_${figure%:*}{schema=\"public\",table=\"loaded\",oid=\"1\"} 100"
	echo "pgcdc_read_snapshot_${figure%:*}{schema=\"public\",table=\"with \\\"quotes\\\"\",oid=\"2\"} $((${figure#*:} / 2 + 50))"
	seq 3 40 | sed "s/.*/pgcdc_read_snapshot_${figure%:*}{schema=\"public\",table=\"a_long_name_of_a_table_that_takes_a_lot_of_room_in_a_line_of_eighty_columns_&\",oid=\"&\"} ${figure#*:}/"
done >>"$T/read.metrics"
cat >"$T/write.metrics" <<'EOT'
pgcdc_write_state{state="waiting"} 1
pgcdc_write_connected 1
pgcdc_write_cluster_info{distribution="opensearch",version="2.11.0"} 1
pgcdc_write_actions_total{operation="index",index="i"} 4000000900
pgcdc_write_actions_total{operation="delete",index="j"} 99
pgcdc_write_ignored_total{reason="conflict"} 7
pgcdc_write_ignored_total{reason="missing"} 0
pgcdc_write_rejected_total{index="i"} 4
pgcdc_write_dead_letters_total 3
pgcdc_write_dead_letter_bytes 12345
pgcdc_write_retries_total{cause="429"} 12
pgcdc_write_retries_total{cause="timeout"} 0
pgcdc_write_retries_total{cause="connect"} 1
pgcdc_write_queue_bytes 5000
pgcdc_write_queue_actions 33
pgcdc_write_in_flight_requests 4
pgcdc_write_nodes{state="ready"} 1
pgcdc_write_nodes{state="resting"} 2
pgcdc_write_oldest_unstored_seconds 99.5
EOT
echo '{"state":"waiting","connected":true,"problem":"the cluster says \"slow\"","x":1}' >"$T/write.status"
for stage in read write; do
	bg "http-$stage" "$PYTHON" "$TOP/tests/http-file.py" "$RUNDIR/$stage.http" \
	    "/metrics=$T/$stage.metrics" "/status=$T/$stage.status"
	wait_for "$stage.http" 10 [ -S "$RUNDIR/$stage.http" ]
done
status_is 0 "^pgcdc $SLOT: loading  *20..-..-..T..:..:..Z\$" 'a pipeline that loads'
cp "$T/out" "$T/screen"
for line in 'since 2026-01-02T03:04:05Z, process 4711, started again 3 times; last: write 137' \
    'why        the cluster says "slow"' \
    'slot       lag 117.7 MB, 42 s; log held 223.7 MB, 941.9 MB more are safe' \
    '           confirmed 1/23456789; connected again 2 times, 5 attempts failed' \
    'read       0.0/s, 5000000020 rows: insert 5000000000, update 20' \
    'stored     0.0/s, 4000000999 actions; needed no more: conflict 7' \
    'waiting    33 actions, 5000 B; 4 requests under way; the oldest row: 99 s' \
    'cluster    opensearch 2.11.0, takes requests; nodes: 3, 2 resting' \
    'retries    429 12, connect 1' \
    'rejects    3 dead letters, 12.1 kB; 4 rejected' \
    'snapshot   waiting 38, loading 1, loaded 1; 3 % of 4000 blocks; rests' \
    '              50 %          0 rows  public.with "quotes"'; do
	ok "the screen: $line" grep -q -F -e "$line" "$T/screen"
done
ok 'the screen: pids, times and memory' grep -q "^write  *$dummy .* s .* %  *[0-9.]* [kM]B\$" "$T/screen" ||
    sed 's/^/# /' "$T/screen"
cp "$T/screen" "$T/out"
ok 'it fits, whatever there is' fits
is "$(wc -l <"$T/out" | tr -d ' ')" 24 'and is full'
is "$(json '[.healthy, .state, .why, .restarts, .last_exit, .source.confirmed, .source.rows,
    .source.rows_per_second, .target.retries, .target.actions, .target.cluster, (.snapshot | length),
    .snapshot[1].table, .reason, .stages.map.pid]')" \
    "[true,\"loading\",\"the cluster says \\\"slow\\\"\",3,\"write 137\",\"1/23456789\",5000000020,0,{\"429\":12,\"connect\":1},4000000999,\"opensearch 2.11.0\",40,\"public.with \\\"quotes\\\"\",\"the old reason\",$(cat "$RUNDIR/map.pid")]" \
    'the same in JSON'
sed -i 's/connected 1/connected 0/' "$T/write.metrics"
status_is 111 'loading, but the cluster takes nothing' 'a cluster that does not answer'
sed -i 's/"loading"} 1$/"loading"} 0/; s/"connecting"} 0/"connecting"} 1/' "$T/read.metrics"
status_is 111 ': connecting to the server ' 'a server that is away'
sed -i '/read_state/d' "$T/read.metrics"
echo 'pgcdc_read_state{state="standby"} 1' >>"$T/read.metrics"
status_is 0 ': standby ' 'one that stands by needs no cluster'
rm "$RUNDIR/write.pid"
status_is 111 ': waiting for a restart ' 'a stage that is gone'
like "$(cat "$T/out")" '^why        the cluster' 'with a reason'
kill -- "-$lock"
wait "$lock" 2>/dev/null
rm "$RUNDIR"/*.http
status_is 111 '^ended by force, started again 3 times' 'nobody holds the lock'
exits 100 'usage' pgcdc status
exits 100 'usage: a time that is none' pgcdc status -c "$T/pgcdc.conf" --watch=0
exits 100 'a configuration that is not there' pgcdc status -c /nonexistent
rm -r "$RUNDIR"

# A pipeline -----------------------------------------------------------------------------

sql "CREATE TABLE t (id serial PRIMARY KEY, v text); CREATE PUBLICATION $ID FOR TABLE t;
CREATE TABLE big (id serial PRIMARY KEY, v text);
INSERT INTO big (v) SELECT repeat('x', 100) FROM generate_series(1, 20000);
SELECT pg_create_logical_replication_slot('$SLOT', 'pgoutput')" >"$T/made"
cat >"$T/mapping.yml" <<EOT
tables:
  - table: public.t
    index: $ID
  - table: public.big
    index: $ID-big
EOT
pipeline_conf PGCDC_ES_URL="$STANDIN_URL" PGCDC_DEAD_LETTER="$T/dead"
pipeline_start
wait_for 'it streams, and is healthy' 30 shows 0 ": streaming "
ok 'the screen fits' fits
sql "INSERT INTO t (v) SELECT i FROM generate_series(1, 1000) i"
wait_for 'rows are read and stored' 30 shows 0 '^stored .* 1000 actions'
ok 'rows by operation' grep -q 'read .* 1000 rows: insert 1000' "$T/out"
bg load psql -XAtqc "DO \$\$ BEGIN FOR i IN 1 .. 1000000 LOOP INSERT INTO t (v) VALUES ('y'); COMMIT;
    END LOOP; END \$\$"
rates() {
	json '[.source.rows_per_second, .target.actions_per_second]' | tee "$T/rates"
	jq -e '.[0] > 1 and .[1] > 1' "$T/rates"
}
wait_for 'rates under load' 30 rates
sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'DO %'" >"$T/null"
sql "ALTER PUBLICATION $ID ADD TABLE big"
ok 'a table is loaded' pgcdc snapshot -c "$T/pgcdc.conf" big
wait_for 'its progress is shown' 60 shows 0 '100 %  *20000 rows  public.big'
standin POST 'fault?kind=item&status=400&count=3' >"$T/fault"
sql "INSERT INTO t (v) VALUES ('bad'), ('bad'), ('bad')"
wait_for 'dead letters are counted' 30 shows 0 '^rejects .*3 dead letters'

# The cluster is away, a stage breaks, the server is away.
standin POST 'fault?kind=request&status=503' >"$T/fault"
sql "INSERT INTO t (v) VALUES ('later')"
wait_for 'retries, by their cause' 30 shows 111 '^retries .*503 '
kill "$STANDIN_PID"
wait_for 'the cluster is away' 30 shows 111 'but the cluster takes nothing'
port=${STANDIN_URL##*:}
bg standin "$BUILD/tests/standin" --port "$port"
STANDIN_PID=$BG_PID
wait_for 'it is back' 60 shows 0 ': streaming '
"$TOP/tests/pg-server" stop "$PG_DIR" immediate
wait_for 'the server is away' 30 shows 111 ': connecting to the server'
ok 'and why it cannot be reached' grep -q '^why .*cannot connect to PostgreSQL' "$T/out"

# --watch, all the while.
bg watch pgcdc status -c "$T/pgcdc.conf" --watch=0.3
watch=$BG_PID
seen() {
	[ "$(grep -c "^pgcdc $SLOT: $1" "$T/watch.log")" -ge "${2:-1}" ]
}
wait_for '--watch: again and again' 20 seen connecting 3
"$TOP/tests/pg-server" start "$PG_DIR" >"$T/again.log" 2>&1
wait_for '--watch: the server is back' 30 seen streaming
sed -i 's/^PGCDC_RESTART_MIN=.*/PGCDC_RESTART_MIN=2/; s/^PGCDC_RESTART_MAX=.*/PGCDC_RESTART_MAX=4/' "$T/pgcdc.conf"
pipeline_stop 'it ends in order'
ok 'and no stage is said to have broken' not grep -q '^last_exit=unknown' "$RUNDIR/status.last"
wait_for '--watch: it ended' 20 seen 'not running'
ok '--watch: and how' grep -q '^ended 20.* with 0' "$T/watch.log"
status_is 111 '^why        stopped' 'it was stopped'
pipeline_start
wait_for 'again' 30 shows 0 ': streaming '
kill -KILL "$(stage_pid map)"
wait_for '--watch: a stage that broke' 20 seen 'waiting for a restart'
wait_for '--watch: which one' 20 grep -q 'started again 1 times; last: map 137' "$T/watch.log"
: >"$T/watch.log"
wait_for '--watch: it runs again' 30 seen streaming
ok '--watch: no terminal codes where there is none' not grep -q "$(printf '\033')" "$T/watch.log"
kill "$watch"
wait_exit '--watch: TERM ends it' 10 "$watch" 0
exits 0 '--watch on a terminal: ^C ends it' "$PYTHON" "$TOP/tests/on-terminal.py" 2 \
    pgcdc status -c "$T/pgcdc.conf" --watch=0.5
is "$(tr -cd '\033' <"$T/out" | wc -c | awk '{ print ($1 > 40) }')$(grep -c "$(printf '\033\\[H')" "$T/out" |
    awk '{ print ($1 >= 2) }')" 11 '--watch on a terminal: in place'
exits 0 '--watch: nobody reads any more' sh -c 'pgcdc status -c "$1" --watch=0.1 | head -n 1' - "$T/pgcdc.conf"
is "$(pgcdc status -c "$T/pgcdc.conf" --watch=0.2 --json | head -n 3 | jq -c .healthy | xargs)" 'true true true' \
    '--watch --json: an object a line'

# It cannot go on.
sql "DROP PUBLICATION $ID" >"$T/null"
wait_exit 'without its publication it stops' 60 "$PIPELINE" 100
status_is 111 ': not running ' 'it does not run'
like "$(cat "$T/out")" '^why .*publication' 'and it says why'
is "$(json '[.healthy, .running, .last_exit]')" '[false,false,"read 100"]' 'in JSON, too'
done_testing
