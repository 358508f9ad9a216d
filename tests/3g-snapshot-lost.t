#!/bin/sh
# Snapshots where something is lost on the way: the reader, the slot, what the server had not
# written to disk, a row's key.  What stands in the index in the end is what the table holds.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# Long, and of the server alone: not in every run of all tests.
if [ -z "${LONG:-}${PGCDC_TEST_PG_MAJOR:-}" ]; then
	skip "snapshots where something is lost" 'LONG is not set: make check-long and check-matrix have it'
	done_testing
	exit
fi
own_pg
pg_db
# shellcheck source=snapshot.sh
. "$TOP/tests/snapshot.sh"

gone='t, other'
# fresh [STATEMENTS]: table t, nothing read yet; and a table other.
fresh() {
	anew 'FOR TABLE t, other' "$(wide) CREATE TABLE other (id int PRIMARY KEY);" "${1:-}"
}
# with_big: row 1001, whose large value is stored apart, in the last block; there is room in the
# first one.
with_big() {
	fresh "INSERT INTO t VALUES (1001, 0, repeat('y', 500), repeat('0123456789', 1000));
	    INSERT INTO t SELECT i, 0, repeat('x', 500) FROM generate_series(1002, 1040) i;
	    DELETE FROM t WHERE id < 5;
	    VACUUM t;"
}
moved_to_first() {
	is "$(sql "SELECT ctid::text LIKE '(0,%' FROM t WHERE id = 1001")" t \
	    'the row moved to a block that was read'
}

# with_acks NAME [OPTION...]: as slowly; what is acknowledged is the units up to the number in
# the file acked.
with_acks() {
	_reader=$1
	shift
	rm -f "$T/acked"
	# shellcheck disable=SC2016 # expanded there
	bg "$_reader" sh -c 'exec pgcdc-read "$@" >"$0"' "$T/$_reader.frames" -s "$ID" -p "$ID" -v \
	    -a "$T/$_reader.ack" --state "$T/$_reader.state" --control "$T/$_reader.control" \
	    --snapshot initial --snapshot-workers 1 --snapshot-chunk-bytes 1 "$@"
	READER=$BG_PID
	bg acks "$PYTHON" -c 'import os, re, socket, subprocess, sys, time
path, frames, limit = sys.argv[1:]
s = socket.socket(socket.AF_UNIX)
while s.connect_ex(path) != 0:
    time.sleep(0.05)
run, acked = None, 0
while True:
    text = subprocess.run(["pgcdc-cat", frames], capture_output=True, text=True).stdout
    if run is None and "\n" in text:
        run = re.search(r"\"run\":\"(\w+)\"", text)[1]
        s.sendall(b"pgcdc-ack 1 %s\n" % run.encode())
    most = int("0" + open(limit).read()) if os.path.exists(limit) else 0
    ends = [(lsn, int(seq)) for lsn, seq in re.findall(r"^\[\"C\",\"(\S+)\",(\d+)\]$", text, re.M)
            if int(seq) <= most]
    if run and ends and ends[-1][1] > acked:
        acked = ends[-1][1]
        s.sendall(b"ack %d %s\n" % (acked, ends[-1][0].encode()))
    time.sleep(0.05)' "$T/$_reader.ack" "$T/$_reader.frames" "$T/acked"
}

# A chunk all of whose rows changed meanwhile brings nothing: it is stored when those changes are.
rows=15
fresh "INSERT INTO t VALUES (16, 0, repeat('y', 500));"
is "$(sql 'SELECT ctid FROM t WHERE id = 16')" '(1,1)' 'a row is alone in its block'
with_acks touched --snapshot-max-rate 8
echo 1 >"$T/acked"
wait_for 'the first block is stored' 20 blocks_at_least public.t 1
worker=$(sql "SELECT pid FROM pg_stat_activity WHERE application_name = 'pgcdc-read snapshot'")
port=$(sql "SELECT client_port FROM pg_stat_activity WHERE pid = $worker")
kill -s STOP "$worker"
asked() {
	awk -v port=":$(printf %04X "$port")\$" '$3 ~ port && $5 !~ /:00000000$/ { found = 1 }
	    END { exit !found }' /proc/net/tcp
}
wait_for 'the second one is asked for' 20 asked
sql 'UPDATE t SET n = 1 WHERE id = 16'
wait_for 'its row changes' 20 streamed '^."U"' 1
kill -s CONT "$worker"
sql 'INSERT INTO other VALUES (1)'
wait_for 'the stream goes on' 20 streamed '^."I"' 1
ok 'the row is left out' not streamed '^."S",[0-9]*,.16,' 1
is "$(request status | head -n 1 | cut -d ' ' -f 1-5)" 'table public.other loaded 0 0' 'an empty table is loaded'
like "$(request status)" '^table public.t (loading|storing) 1 2 ' 'its block is not stored before the change is'
echo 1000000 >"$T/acked"
wait_for 'then it is' 20 loaded public.t
kill "$READER"
wait_exit 'the reader ends' 30 "$READER" 0
equal 'all rows are there' public.t
rows=''

# The slot is made anew, and the reader dies before it read anything: it still knows that what it
# had loaded in part is worth nothing.
fillfactor=50
fresh
fillfactor=''
slowly gap
wait_for 'the state file knows' 20 state_has 3
killed
sql "SELECT pg_drop_replication_slot('$ID'); UPDATE t SET n = 5 WHERE id = 1;
SELECT pg_create_logical_replication_slot('$ID', 'pgoutput')" >"$T/out"
session holds 3
echo 'BEGIN; UPDATE t SET n = 6 WHERE id = 2;' >&3
has_xid() {
	[ -n "$(sql "SELECT 1 FROM pg_stat_activity WHERE state LIKE 'idle in%' AND backend_xid IS NOT NULL")" ]
}
wait_for 'a transaction is open' 20 has_xid
waiting() {
	logged 'a transaction holds a table.*table=public.t'
}
slowly gap
wait_for 'it waits for a transaction' 20 waiting
ok 'it says that changes are missing' logged 'the slot is ahead of what was confirmed'
killed
rm "$T/gap.log"
echo 'COMMIT;' >&3
exec 3>&-
slowly gap
wait_for 'the table is read from its beginning' 20 logged 'to be read.* table=public.t from=0'
wait_for 'the table is loaded' 60 loaded public.t
stop
equal 'all rows are there' public.t

# The slot moves while the reader connects again, and the table has grown.
fresh
slowly moved
wait_for 'loading began' 20 blocks_at_least public.t 3
kill -s STOP "$READER"
sql "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = '$ID'" >"$T/out"
wait_for 'the slot is free' 20 slot_free
sql "UPDATE t SET n = 7 WHERE id < 20; INSERT INTO t SELECT i, 8, repeat('z', 500) FROM generate_series(2001, 2100) i"
sql "SELECT pg_replication_slot_advance('$ID', pg_current_wal_lsn())" >"$T/out"
kill -s CONT "$READER"
wait_for 'it streams again' 20 logged 'streaming again'
wait_for 'the table is loaded' 60 loaded public.t
stop
equal 'rows of before and behind are there' public.t

# What is committed asynchronously is lost in a crash: nobody may have seen it.  Not with servers that
# forget publications (barrier.c): there the first chunk waits until all of that is on disk.
version=$(sql 'SHOW server_version_num')
crash() {
	rows=10
	sql "ALTER SYSTEM SET wal_writer_delay = '10s'; SELECT pg_reload_conf()" >"$T/out"
	fresh
	sql CHECKPOINT
	sql "SET synchronous_commit = off; INSERT INTO t VALUES (99, 99, 'never on disk')"
	reader crash --snapshot initial
	chunk_came() {
		logged 'to be read.* table=public.t' && [ "$(sql "SELECT count(*) FROM pg_stat_activity
		    WHERE application_name = 'pgcdc-read snapshot' AND state = 'idle' AND query LIKE 'BEGIN%'
		    AND state_change < now() - interval '300 ms'")" -gt 0 ]
	}
	wait_for 'a chunk is read' 20 chunk_came
	"$TOP/tests/pg-server" restart "$PG_DIR" immediate >"$T/out" 2>&1
	sql "ALTER SYSTEM RESET wal_writer_delay; SELECT pg_reload_conf()" >"$T/out"
	wait_for 'it streams again' 60 logged 'streaming again'
	wait_for 'the table is loaded' 60 loaded public.t
	stop
	equal 'only rows that were committed for good are there' public.t
	like "$(cat "$T/crash.state")" '^seen [0-9A-F]+/[0-9A-F]+$' 'the state file knows where they came from'
	# A server that lost what was loaded from it.
	sed -i 's|^seen .*|seen FFFFFF/0|' "$T/crash.state"
	exits 100 'a server that lost what was loaded is refused' pgcdc-read -s "$ID" -p "$ID" \
	    -o "$T/crash.frames" --state "$T/crash.state"
	like "$(cat "$T/err")" "log ends before what was taken from it" 'which is said'
}
if [ "$version" -lt 150013 ] || { [ "$version" -ge 160000 ] && [ "$version" -lt 160009 ]; } ||
    { [ "$version" -ge 170000 ] && [ "$version" -lt 170005 ]; }; then
	skip 'only rows that were committed for good are there' "PostgreSQL $version reads nothing before all is on disk"
else
	crash
fi
rows=''

# The key changes before a large value is fetched by it: the table is read once more.
with_big
slowly renamed
wait_for 'the first block is loaded' 20 blocks_at_least public.t 2
kill -s STOP "$READER"
sql 'UPDATE t SET n = 4 WHERE id = 1001'
moved_to_first
sql 'ALTER TABLE t RENAME id TO key'
kill -s CONT "$READER"
wait_for 'the value cannot be fetched' 20 logged 'values that did not change cannot be fetched'
wait_for 'the table is loaded' 60 loaded public.t
stop
equal 'the large value is there' public.t

# A transaction that waits for a standby that is not there, and lacks a large value: other tables
# go on, and so does the reader.
absent() {
	sql "ALTER SYSTEM SET synchronous_standby_names = '$1'; SELECT pg_reload_conf()" >"$T/out"
	wait_for "commits wait for $1" 20 standby_is "$1"
}
with_big
slowly absent
wait_for 'the first block is loaded' 20 blocks_at_least public.t 2
absent nobody
bg commit psql -XAtqc 'UPDATE t SET n = 5 WHERE id = 1001'
wait_for 'a commit waits for a standby' 20 waits_in SyncRep 'UPDATE t SET n = 5%'
sql 'SET synchronous_commit = local; INSERT INTO other VALUES (5)'
wait_for "another table's rows come" 60 streamed '^."I"' 1
ok 'the wait is said' logged 'streamed, and not seen by others'
like "$(request status)" '^table public.t (waiting|loading)' 'requests are answered'
ok 'it waits for that table' not loaded public.t
no_standby
sql "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'" >"$T/out"
wait_for 'the table is loaded' 60 loaded public.t
stop
equal 'the large value is there' public.t
# With --toast fetch the whole stream waits, and who asks how things are is told so.
with_big
slowly waits --toast fetch
wait_for 'the first block is loaded' 20 blocks_at_least public.t 2
absent nobody
bg commit psql -XAtqc 'UPDATE t SET n = 5 WHERE id = 1001'
wait_for 'the stream waits' 30 logged 'streamed, and not seen by others'
bg asks pgcdc-read --control "$T/waits.control" --request 'snapshot other'
asks=$BG_PID
exits 0 'the status is told' timeout 20 pgcdc-read --control "$T/waits.control" --request status
like "$(cat "$T/out")" '^table public.t (waiting|loading)' 'with the table'
ok 'another request waits, too' kill -0 "$asks"
no_standby
sql "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'" >"$T/out"
wait_exit 'then it is met' 30 "$asks" 0
is "$(cat "$T/asks.log")" 'ok 1' 'as ever'
wait_for 'the table is loaded' 60 loaded public.t
stop
equal 'the large value is there' public.t
# The standby is the reader itself.
with_big
slowly itself
wait_for 'the first block is loaded' 20 blocks_at_least public.t 2
absent '*'
ok 'a commit that waits for the reader ends' timeout 60 psql -XAtqc 'UPDATE t SET n = 6 WHERE id = 1001'
no_standby
wait_for 'the table is loaded' 60 loaded public.t
stop
equal 'the large value is there' public.t

# A row has another key already when a large value is fetched: it is left out, and what gave it that
# key must be fetched, too, though all that the chunks saw is stored by then.
with_big
with_acks gone --snapshot-max-rate 150
echo 1000000 >"$T/acked"
wait_for 'the first block is loaded' 20 blocks_at_least public.t 2
walsender=$(sql "SELECT active_pid FROM pg_replication_slots WHERE slot_name = '$ID'")
kill -s STOP "$walsender"
sql 'UPDATE t SET id = 3001 WHERE id = 1001'
is "$(sql "SELECT ctid::text LIKE '(0,%' FROM t WHERE id = 3001")" t 'the row moved to a block that was read'
last=$(request status | sed -n 's/^table public.t [a-z]* [0-9]* \([0-9]*\) .*/\1/p')
wait_for 'all blocks are stored' 60 blocks_at_least public.t "$last"
sql 'INSERT INTO other VALUES (1)'
sql 'INSERT INTO other SELECT generate_series(2, 50000)'
lsn=$(sql 'SELECT pg_current_wal_lsn()')
sql 'UPDATE t SET id = 3002 WHERE id = 3001'
# The first update, and two inserts.
seq=$(frames | sed -n 's/^."C",.*,\([0-9]*\).$/\1/p' | tail -n 1)
echo "$((seq + 3))" >"$T/acked"
kill -s CONT "$walsender"
wait_for 'the second update is streamed' 20 streamed '^."U"' 1
stored() {
	_acked=$(sed -n 's/^acked //p' "$T/$_reader.state")
	[ "$(sql "SELECT '$_acked'::pg_lsn >= '$lsn'")" = t ]
}
wait_for 'all before it is stored' 20 stored
killed
frames | sed "/^.\"C\",.*,$((seq + 3)).\$/q" | pgcdc-cat --pack >"$T/stored.frames"
mv "$T/stored.frames" "$T/gone.frames"
is "$(frames | grep -c '^."U"')" 0 'the second update is not among what is stored'
reader gone --snapshot never
both_loaded() {
	[ "$(grep -c ' loaded$' "$T/$1.state")" = 2 ]
}
wait_for 'the table is loaded' 60 both_loaded gone
stop
equal 'the large value is there' public.t

# A key belongs to another row when a large value is fetched by it, and the table is loaded before
# the stream tells of that.
with_big
slowly reused
wait_for 'the first block is loaded' 20 blocks_at_least public.t 2
walsender=$(sql "SELECT active_pid FROM pg_replication_slots WHERE slot_name = '$ID'")
kill -s STOP "$walsender"
sql 'UPDATE t SET n = 4 WHERE id = 1001'
moved_to_first
last=$(request status | sed -n 's/^table public.t [a-z]* [0-9]* \([0-9]*\) .*/\1/p')
wait_for 'all blocks are stored' 60 blocks_at_least public.t "$last"
# More than the reader takes before it looks whether it is there.
sql "INSERT INTO other SELECT generate_series(1, 50000)"
sql "UPDATE t SET id = 3001 WHERE id = 1001"
sql "INSERT INTO t VALUES (1001, 7, 'another', repeat('another', 1000))"
kill -s CONT "$walsender"
wait_for 'the table is loaded' 60 loaded public.t
stop
equal 'each row has its own value' public.t
# The same, and the reader dies when the table is loaded, before the rest of it is stored.
with_big
with_acks other --snapshot-max-rate 150
echo 1000000 >"$T/acked"
wait_for 'the first block is loaded' 20 blocks_at_least public.t 2
walsender=$(sql "SELECT active_pid FROM pg_replication_slots WHERE slot_name = '$ID'")
kill -s STOP "$walsender"
sql 'UPDATE t SET n = 4 WHERE id = 1001'
moved_to_first
last=$(request status | sed -n 's/^table public.t [a-z]* [0-9]* \([0-9]*\) .*/\1/p')
wait_for 'all blocks are stored' 60 blocks_at_least public.t "$last"
sql 'INSERT INTO other VALUES (1)'
sql 'INSERT INTO other SELECT generate_series(2, 50000)'
lsn=$(sql 'SELECT pg_current_wal_lsn()')
sql "UPDATE t SET id = 3001 WHERE id = 1001"
sql "INSERT INTO t VALUES (1001, 7, 'another', repeat('another', 1000))"
# The first update, and two inserts.
seq=$(frames | sed -n 's/^."C",.*,\([0-9]*\).$/\1/p' | tail -n 1)
echo "$((seq + 3))" >"$T/acked"
kill -s CONT "$walsender"
wait_for 'the key change is streamed' 20 streamed '^."U",[0-9]*,.3001,' 1
wait_for 'all before it is stored' 20 stored
wait_for 'and the table is loaded' 20 both_loaded other
like "$(cat "$T/other.state")" '^fetch [0-9]+ [0-9A-F]+/' 'the state file knows until when values are fetched'
killed
frames | sed "/^.\"C\",.*,$((seq + 3)).\$/q" | pgcdc-cat --pack >"$T/stored.frames"
mv "$T/stored.frames" "$T/other.frames"
reader other --snapshot never
wait_for 'the key change is streamed again' 20 streamed '^."U",[0-9]*,.3001,' 1
stop
equal 'each row has its own value' public.t
done_testing
