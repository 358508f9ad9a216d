#!/bin/sh
# --metrics of pgcdc-read: each figure is what the server, the frames and the tables say; and
# clients that mean no good do not stop the stream.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
own_pg
pg_db
# shellcheck source=snapshot.sh
. "$TOP/tests/snapshot.sh"

METRICS=pgcdc_read_
# shellcheck source=metrics.sh
. "$TOP/tests/metrics.sh"
# port NAME: sets $PORT to that of a reader that was started with --metrics 0.
listens() {
	PORT=$(sed -n 's/.*listening for requests for metrics.* port=\([0-9]*\).*/\1/p' "$T/$1.log")
	[ -n "$PORT" ]
}
port() {
	wait_for "$1 listens" 20 listens "$1"
}
# lsn TEXT: as a number.
lsn() {
	sql "SELECT '$1'::pg_lsn - '0/0'"
}
now() {
	date +%s.%N
}
# between LEAST GOT MOST
between() {
	echo "$*"
	awk -v a="$1" -v x="$2" -v b="$3" 'BEGIN { exit !(x != "none" && a <= x && x <= b) }'
}

sql "CREATE TABLE a (id int PRIMARY KEY, n int); INSERT INTO a SELECT i, i FROM generate_series(1, 5000) i;
CREATE TABLE \"b\"\"\\
.c\" (id int PRIMARY KEY); INSERT INTO \"b\"\"\\
.c\" SELECT generate_series(1, 10);
CREATE TABLE \"none\" (id int PRIMARY KEY);
CREATE PUBLICATION $ID FOR ALL TABLES; SELECT pg_create_logical_replication_slot('$ID', 'pgoutput')" >"$T/out"
odd='b"\
.c'

# Where to listen.
try() {
	pgcdc-read -s none -p none --metrics "$1"
}
for where in x 70000 :80 '' '[::1]' '::1:80' '[]:80' '127.0.0.1:' 127.0.0.1:8a '[127.0.0.1:80' \
    192.0.2.1:80; do
	exits 100 "no place to listen: '$where'" try "$where"
	like "$(cat "$T/err")" 'cannot listen.* address=' 'which is said'
done
"$PYTHON" -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$T/read.http"
reader all --metrics 0 --metrics "$T/read.http" --snapshot initial
port all
exits 100 'a port that is taken' try "$PORT"
like "$(cat "$T/err")" 'cannot listen.*Address already in use' 'which is said'
set -- localhost:0 127.0.0.2:0
! grep -q '^0*1 ' /proc/net/if_inet6 || set -- "$@" '[::1]:0'
for where; do
	exits 100 "elsewhere: $where" try "$where"
	like "$(cat "$T/err")" 'listening for .* port=[1-9]' 'is a place'
done

# A Unix socket beside it.
is "$(curl -sS --unix-socket "$T/read.http" http://localhost/status | jq -r .slot)" "$ID" \
    'a socket answers, where one was left behind'
is "$(stat -c %a "$T/read.http")" 600 'its owner alone'
exits 111 'a socket that is taken' try "$T/read.http"
like "$(cat "$T/err")" 'another program listens.* for=metrics' 'which is said'
touch "$T/file"
exits 100 'a file that is no socket' try "$T/file"
ok 'it stays' [ -f "$T/file" ]
exits 100 'a directory that is none' try "$T/none/http"
exits 100 'more than four' pgcdc-read -s none -p none --metrics 0 --metrics 0 --metrics 0 \
    --metrics 0 --metrics 0

# Pages.
like "$(asks /metrics -D -)" '^Content-Type: text/plain; version=0.0.4' 'the type of /metrics'
like "$(asks /status -D -)" '^Content-Type: application/json' 'and of /status'
is "$(http_status '/metrics?x=y')" 200 'a query is no matter'
is "$(http_status /) $(http_status /metrics/x) $(http_status /STATUS)" '404 404 404' 'no other pages'
is "$(http_status /status POST) $(http_status /metrics DELETE) $(http_status /status X)" \
    '405 405 405' 'only GET and HEAD'
is "$(asks /metrics -I | head -n 1 | tr -d '\r')" 'HTTP/1.1 200 OK' 'HEAD'

# A first load, and what is streamed.
wait_for 'tables are loaded' 30 metric_is 3 snapshot_tables state=loaded
bytes=$(sql 'COPY a TO STDOUT' | wc -c)
for sample in "rows_total 5000 operation=snapshot table=a" "rows_total 0 operation=insert table=a" \
    "snapshot_rows_total 5000 table=a oid=$(sql "SELECT 'a'::regclass::oid")" \
    "snapshot_bytes_total $bytes table=a oid=$(sql "SELECT 'a'::regclass::oid")" \
    "snapshot_blocks $(sql "SELECT pg_relation_size('a') / 8192") table=a oid=$(sql "SELECT 'a'::regclass::oid")" \
    "snapshot_blocks_done $(sql "SELECT pg_relation_size('a') / 8192") table=a oid=$(sql "SELECT 'a'::regclass::oid")" \
    "snapshot_blocks 0 table=none oid=$(sql "SELECT '\"none\"'::regclass::oid")"; do
	# shellcheck disable=SC2086
	set -- $sample
	name=$1 value=$2
	shift 2
	is "$(metric "$name" schema=public "$@")" "$value" "$name $*"
done
is "$(metric rows_total operation=snapshot schema=public "table=$odd")" 10 'a name that holds anything'
is "$(metric snapshot_tables state=loading)" 0 'none is loading any more'
is "$(metric snapshot_chunks_repeated_total) $(metric snapshot_paused)" '0 0' 'nothing is read again'
wait_for 'then it streams' 20 status_is .state streaming
is "$(http_status /status)" 200 'which is health'
is "$(asks /status | jq -c .snapshot)" "$(printf '{"tables":3,"loaded":3,"failed":0,%s,"paused":false}' \
    "$(sql "SELECT format('\"blocks_done\":%1\$s,\"blocks_total\":%1\$s', sum(pg_relation_size(oid) / 8192))
    FROM pg_class WHERE relname IN ('a', 'none') OR relname LIKE 'b%.c'")")" 'the whole of it in /status'
units=$(pgcdc-cat "$T/all.frames" | grep -c '^."C"')
is "$(metric units_total kind=snapshot)" "$units" 'their units'
sql "INSERT INTO a SELECT i, i FROM generate_series(10001, 10200) i; UPDATE a SET n = 0 WHERE id <= 30;
DELETE FROM a WHERE id <= 7; TRUNCATE a; INSERT INTO \"none\" VALUES (1);
BEGIN; INSERT INTO a VALUES (1, 1); ROLLBACK; DROP TABLE \"none\"; CREATE TABLE \"none\" (id int PRIMARY KEY);
INSERT INTO \"none\" VALUES (1), (2)"
wait_for 'rows are counted by table, also one that was made anew' 20 \
    metric_is 3 rows_total operation=insert schema=public table=none
is "$(for o in insert update delete truncate snapshot; do
	metric rows_total operation=$o schema=public table=a
done | xargs)" '200 30 7 1 5000' 'and by operation'
is "$(metric units_total kind=transaction)" 6 'transactions with rows'
is "$(asks /metrics | "$PYTHON" "$TOP/tests/metrics.py" check)" fine "Prometheus' conventions hold"
if command -v promtool >"$T/null"; then
	asks /metrics >"$T/metrics"
	ok 'promtool agrees' sh -c 'promtool check metrics <"$1"' sh "$T/metrics"
fi
is "$(asks /metrics | "$PYTHON" "$TOP/tests/metrics.py" names | sed 's/^pgcdc_read_//' | while read -r name; do
	grep -q "^\.It $name Ta " "$TOP/man/pgcdc-read.1" || echo "$name"
done)" '' 'the page has all of them'

# Positions.
last=$(pgcdc-cat "$T/all.frames" | jq -r 'select(.[0] == "C") | .[1]' | tail -n 1)
is "$(metric emitted_lsn)" "$(lsn "$last")" 'emitted: the last C'
end=$(sql 'SELECT pg_current_wal_lsn()')
slot_is() {
	[ "$(metric "$1")" = "$(sql "SELECT $2 FROM pg_replication_slots WHERE slot_name = '$ID'")" ]
}
at_end() {
	[ "$(metric stored_lsn)" -ge "$(lsn "$end")" ]
}
wait_for 'stored: the log'\''s end, when all is' 30 at_end
wait_for 'confirmed: what the slot says' 30 slot_is confirmed_lsn "confirmed_flush_lsn - '0/0'"
wait_for 'retained: what the slot holds' 30 slot_is slot_retained_bytes 'pg_current_wal_lsn() - restart_lsn'
is "$(metric slot_safe_bytes)" none 'without a limit'
# The server's log grows on its own, now and then.
server_is() {
	[ "$(metric server_lsn)" = "$(lsn "$(sql 'SELECT pg_current_wal_lsn()')")" ]
}
wait_for "the server's end" 60 server_is
is "$(metric lag_bytes) $(metric lag_seconds) $(metric units_open)" '0 0 0' 'no lag'
stored_is() {
	[ "$(status .lsn.stored)" = "$(sql "SELECT '0/0'::pg_lsn + $(metric stored_lsn)")" ]
}
wait_for 'as text in /status' 30 stored_is
is "$(status '[.connected, .lag_bytes, .lag_seconds, .units_open] | map(tostring) | join(" ")')" \
    'true 0 0 0' 'and the lag'
sql "ALTER SYSTEM SET max_slot_wal_keep_size = '1GB'; SELECT pg_reload_conf()" >"$T/out"
wait_for 'what is left, with a limit' 30 slot_is slot_safe_bytes safe_wal_size

# Clients.
ids() {
	sql "INSERT INTO a SELECT coalesce(max(id), 0) + 1 FROM a RETURNING id" >"$T/id"
}
streams() {
	ids
	wait_for "the stream goes on: $1" 20 metric_is "$(sql 'SELECT count(*) + 200 FROM a')" rows_total \
	    operation=insert schema=public table=a
}
evil() {
	"$PYTHON" "$TOP/tests/metrics.py" "$@"
}
ready() {
	grep -q there "$T/crowd.log"
}
mkfifo "$T/crowd.in"
bg crowd sh -c '"$1" "$2" crowd "$3" 1000 <"$4"' sh "$PYTHON" "$TOP/tests/metrics.py" "$PORT" "$T/crowd.in"
exec 7>"$T/crowd.in"
wait_for 'a thousand clients that say nothing' 30 ready
streams 'a thousand clients'
files=$(find "/proc/$READER/fd" | wc -l)
ok "of whom few are kept: $files files" [ "$files" -lt 80 ]
bg slow "$PYTHON" "$TOP/tests/metrics.py" slow "$PORT"
slow=$BG_PID
for _ in 1 2 3 4 5 6; do
	bg deaf "$PYTHON" "$TOP/tests/metrics.py" deaf "$PORT"
	bg slow "$PYTHON" "$TOP/tests/metrics.py" slow "$PORT"
done
like "$(evil garbage "$PORT")" 'cut off|HTTP/1.. 4' 'garbage'
like "$(evil endless "$PORT")" 'cut off|HTTP/1.. 4' 'a head without end'
streams 'slow and deaf clients'
wait_exit 'a slow one is cut off' 30 "$slow" 0
exec 7>&-
streams 'they left'
files_back() {
	[ "$(find "/proc/$READER/fd" | wc -l)" -lt 30 ]
}
wait_for 'and are forgotten' 30 files_back
below "$(vmhwm "$READER")" 20000 'little memory'

# Another reader stands by, takes over, and loses the server.
first=$PORT
bg second pgcdc-read -s "$ID" -p "$ID" -o "$T/second.frames" --state "$T/all.state" \
    --metrics 127.0.0.1:0 --slot-check-interval 20
second=$BG_PID
port second
wait_for 'another reader stands by' 20 status_is .state standby
is "$(http_status /status)" 200 'which is health, too'
is "$(status '[.connected, .lsn.stored, .lag_bytes, .retained_bytes] | map(tostring) | join(" ")')" \
    'false null null null' 'of what is behind it knows nothing'
is "$(metric standby) $(metric connected) $(metric state state=standby)" '1 0 1' 'as metrics'
is "$(metric lag_seconds)" none 'without a lag'
PORT=$first
is "$(metric standby) $(metric connected) $(metric state state=streaming)" '0 1 1' 'the first streams'
kill "$READER"
wait_exit 'the first ends' 30 "$READER" 0
ok 'and its socket is gone' [ ! -e "$T/read.http" ]
port second
wait_for 'the other takes over' 20 status_is .state streaming
before=$(now)
ok 'the server stops' "$TOP/tests/pg-server" stop "$PG_DIR"
wait_for 'no connection' 20 status_is .state connecting
is "$(http_status /status)" 503 'is no health'
wait_for 'it tries again' 30 metric_above 0 connect_failures_total
ok 'the lag grows' between 0.05 "$(metric lag_seconds)" "$(echo "$(now) $before" | awk '{ print $1 - $2 }')"
is "$(metric slot_retained_bytes) $(metric connected) $(metric reconnects_total)" 'none 0 0' 'nobody to ask'
ok 'the server starts' "$TOP/tests/pg-server" start "$PG_DIR"
wait_for 'it connects again' 30 status_is .state streaming
is "$(metric reconnects_total) $(metric connected)" '1 1' 'which is counted'
wait_for 'no lag' 20 metric_is 0 lag_seconds
kill "$second"
wait_exit 'it ends' 30 "$second" 0

# What is not stored; and a table in loading that no ack comes for.
rm -f "$T/all.state"
sql "DROP TABLE \"b\"\"\\
.c\", \"none\"; TRUNCATE a; INSERT INTO a SELECT i, i FROM generate_series(1, 5000) i"
lock_at=$T/lock
session lock 8
echo 'BEGIN; INSERT INTO a VALUES (0, 0); SELECT 1;' >&8
locked() {
	grep -q 1 "$lock_at.log"
}
wait_for 'somebody writes to the table' 20 locked
: >"$T/acks"
bg acks "$PYTHON" "$TOP/tests/ack-client.py" "$T/ack" "$T/acks"
bg acked sh -c 'exec pgcdc-read -s "$1" -p "$1" -a "$2/ack" --snapshot initial --drain 1 \
    --state "$2/acked.state" --metrics 0 --spool-mem 0 >"$2/acked.frames"' sh "$ID" "$T"
READER=$BG_PID
port acked
acked() {
	pgcdc-cat "$T/acked.frames" 2>"$T/null"
}
acked_run() {
	acked | jq -r 'select(.[0] == "H") | "pgcdc-ack 1 " + .[1].run' | grep .
}
wait_for 'it began' 20 acked_run
acked_run >>"$T/acks"
wait_for 'the table waits' 20 metric_is 1 snapshot_tables state=waiting
is "$(status '[.state, .snapshot.tables, .snapshot.loaded, .snapshot.blocks_total] | map(tostring) | join(" ")')" \
    'loading 1 0 0' 'it is loading, as /status says'
is "$(http_status /status)" 200 'which is health'
echo 'COMMIT;' >&8
oid=$(sql "SELECT 'a'::regclass::oid")
wait_for 'its rows are written' 20 metric_is 5001 snapshot_rows_total schema=public table=a "oid=$oid"
wait_for 'and wait to be stored' 20 metric_is 1 snapshot_tables state=storing
is "$(metric snapshot_blocks schema=public table=a "oid=$oid")" "$(sql "SELECT pg_relation_size('a') / 8192")" \
    'all blocks'
is "$(metric snapshot_blocks_done schema=public table=a "oid=$oid")" 0 'none is stored'
t0=$(now)
sql 'INSERT INTO a VALUES (-1, -1)'
t1=$(now)
wait_for 'a transaction' 20 metric_is 5002 rows_total operation=insert schema=public table=a
# ack N: that many units are stored.
ack() {
	acked | jq -r --argjson n "$1" \
	    'select(.[0] == "C" and .[2] == $n) | "ack \($n) \(.[1])"' >>"$T/acks"
}
open=$(metric units_open)
is "$open" "$(acked | grep -c '^."C"')" 'all units are open'
ack $((open - 1))
wait_for 'the last one alone' 20 metric_is 1 units_open
s0=$(now)
lag=$(metric lag_seconds)
ok 'its age is the lag' between "$(echo "$s0 $t1" | awk '{ print $1 - $2 - 0.2 }')" "$lag" \
    "$(echo "$(now) $t0" | awk '{ print $1 - $2 }')"
wait_for 'blocks that are stored' 20 metric_is "$(sql "SELECT pg_relation_size('a') / 8192")" \
    snapshot_blocks_done schema=public table=a "oid=$oid"
ok 'the lag in bytes' between 1 "$(metric lag_bytes)" 100000000
ack "$open"
wait_for 'all is stored' 20 metric_is 0 units_open
wait_for 'no lag' 20 metric_is 0 lag_seconds
all_confirmed() {
	[ "$(metric stored_lsn)" = "$(metric confirmed_lsn)" ]
}
wait_for 'and confirmed' 20 all_confirmed

# Large transactions.
sql "ALTER SYSTEM SET logical_decoding_work_mem = '64kB'; SELECT pg_reload_conf()" >"$T/out"
kill -TERM "$READER"
wait_exit 'it ends' 30 "$READER" 0
rm -f "$T/fifo"
mkfifo "$T/fifo"
exec 9<>"$T/fifo"
bg large sh -c 'exec pgcdc-read -s "$1" -p "$1" --spool-mem 0 --metrics 0 --drain 1 \
    9<&- >"$2"' sh "$ID" "$T/fifo"
READER=$BG_PID
port large
wait_for 'a reader whose output nobody reads' 20 status_is .state streaming
echo 'BEGIN; INSERT INTO a SELECT i, i FROM generate_series(100001, 200000) i;' >&8
wait_for 'a transaction in progress' 30 metric_above 1000000 spool_bytes of=transactions place=disk
is "$(metric spooled_transactions) $(metric streamed_transactions_total) $(metric stored_lsn)" '1 0 none' \
    'is kept'
echo 'COMMIT;' >&8
wait_for 'it is written as far as it goes' 30 metric_above 200000 output_buffer_bytes
is "$(metric streamed_transactions_total)" 1 'and counted'
s0=$(metric lag_seconds)
ok 'its age is the lag' between 0.000001 "$s0" 60
exec 9<&-
wait_exit 'its output is gone' 20 "$READER" 111

# A table of which much was read that cannot be written, when the server goes.
sql "INSERT INTO a SELECT i, i FROM generate_series(300001, 700000) i"
slot_free() {
	sql "SELECT pg_replication_slot_advance('$ID', pg_current_wal_lsn())"
}
wait_for 'the slot is free' 20 slot_free
exec 9<>"$T/fifo"
bg blocked sh -c 'exec pgcdc-read -s "$1" -p "$1" --snapshot initial --snapshot-chunk-bytes 65536 \
    --metrics 0 9<&- >"$2"' sh "$ID" "$T/fifo"
READER=$BG_PID
port blocked
wait_for 'a table is being loaded' 30 metric_above 0 spool_bytes of=snapshot place=memory
wait_for 'whose rows wait' 20 metric_above 200000 output_buffer_bytes
is "$(metric snapshot_chunks_repeated_total)" 0 'none was read again'
ok 'the server stops' "$TOP/tests/pg-server" stop "$PG_DIR" immediate
wait_for 'what was not written is to be read again' 20 metric_above 0 snapshot_chunks_repeated_total
is "$(metric spool_bytes of=snapshot place=memory)" 0 'and not kept'
done_testing
