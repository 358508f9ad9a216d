#!/bin/sh
# Snapshots: the limits of their speed, many partitions, tables that grow, and what a terminal sees.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
own_pg
pg_db
# shellcheck source=snapshot.sh
. "$TOP/tests/snapshot.sh"

gone='t, other, root'
# fresh TABLES STATEMENTS: nothing of them is read yet.
fresh() {
	anew "FOR TABLE $1 WITH (publish_via_partition_root)" "$2"
}

# --snapshot-max-rate: in so many rows a second, and no more of them at a time, of all workers.
fresh t 'CREATE TABLE t (id int PRIMARY KEY, n int); INSERT INTO t SELECT i, i FROM generate_series(1, 6000) i;'
reader rate --snapshot only --snapshot-max-rate 2000
wait_exit 'it ends' 60 "$READER" 0
equal 'all rows are there' public.t
most=$(frames | awk -F '"' '$2 == "B" { n = 0 } $2 == "S" && ++n > most { most = n } END { print most }')
ok 'each unit has the rows of a second at most' [ "$most" -le 2000 ] || diag "$most rows"
ok 'and more than a block' [ "$most" -gt 226 ] || diag "$most rows"
# The last ones may be read that much earlier.
seconds=$(sed -n 's/.*a table is loaded.* seconds=\([0-9]*\).*/\1/p' "$T/rate.log")
ok 'it takes as long as that' [ "${seconds:-0}" -ge 2 ]

# Blocks without rows say nothing of those behind them.
fresh t 'CREATE TABLE t (id int PRIMARY KEY, n int) WITH (autovacuum_enabled = off);
    INSERT INTO t SELECT i, i FROM generate_series(1, 24000) i; DELETE FROM t WHERE id <= 20000'
reader sparse --snapshot only --snapshot-max-rate 1000
wait_exit 'a table that begins with empty blocks' 60 "$READER" 0
equal 'all rows are there' public.t
most=$(frames | awk -F '"' '$2 == "B" { n = 0 } $2 == "S" && ++n > most { most = n } END { print most }')
ok 'each unit has the rows of a second at most' [ "$most" -le 1000 ] || diag "$most rows"

# --snapshot-max-lag: loading rests while the slot is behind.
fresh 't, other' "$(wide) CREATE TABLE other (id int PRIMARY KEY, name text);"
reader lag --snapshot initial --snapshot-workers 1 --snapshot-chunk-bytes 1 \
    --snapshot-max-rate 75 --snapshot-max-lag 1000000
wait_for 'loading began' 20 blocks_at_least public.t 2
walsender=$(sql "SELECT active_pid FROM pg_replication_slots WHERE slot_name = '$ID'")
kill -s STOP "$walsender"
sql "INSERT INTO other SELECT i, repeat('y', 500) FROM generate_series(1, 4000) i"
wait_for 'the slot is behind' 20 logged 'the slot is behind: loading rests.*limit=1000000'
asked_at() {
	sql "SELECT max(query_start) FROM pg_stat_activity WHERE application_name = 'pgcdc-read snapshot'"
}
was=$(asked_at)
sleep 1
is "$(asked_at)" "$was" 'loading rests'
ok 'the table is not loaded' not loaded public.t
kill -s CONT "$walsender"
wait_for 'the slot comes along' 20 logged 'the slot came along: loading goes on'
wait_for 'the table is loaded' 60 loaded public.t
stop
equal 'all rows are there' public.t public.other

# A user that may connect just as often as it must, while sessions of connections that were cut are
# there yet.
sql "CREATE ROLE ${ID}_r LOGIN REPLICATION PASSWORD 'r' CONNECTION LIMIT 2" >"$T/out"
limited() {
	PGUSER=${ID}_r PGPASSWORD=r "$@"
}
mkfifo "$T/stale"
exec 3<>"$T/stale"
# stale NAME APPLICATION: process $BG_PID.
stale() {
	PGAPPNAME=$2 limited bg "$1" psql -XAtq -f "$T/stale"
	wait_for 'a session of before' 20 connected "$2" 1
}
connected() {
	[ "$(sql "SELECT count(*) FROM pg_stat_activity WHERE application_name = '$1'")" = "$2" ]
}
fresh t "$(wide) GRANT SELECT ON t TO ${ID}_r;"
stale stale 'pgcdc-read snapshot'
stale=$BG_PID
limited reader limited --snapshot initial --snapshot-workers 1
wait_for 'no place for a worker' 20 logged 'warn .*wait for sessions of before.*remedy="let the user connect'
kill "$stale"
wait_for 'then the table is loaded' 60 loaded public.t
stop
equal 'all rows are there' public.t
fresh t "$(wide) GRANT SELECT ON t TO ${ID}_r;"
limited reader cut --snapshot initial --snapshot-workers 1 --snapshot-chunk-bytes 1 --snapshot-max-rate 75
wait_for 'loading began' 20 blocks_at_least public.t 2
kill -s STOP "$READER"
sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '${ID}_r'" >"$T/out"
wait_for 'its sessions end' 20 connected 'pgcdc-read snapshot' 0
stale stale1 'pgcdc-read snapshot'
stale=$BG_PID
stale stale2 'pgcdc-read catalog'
kill -s CONT "$READER"
wait_for 'no place for the catalog' 20 logged 'cannot connect to PostgreSQL a second time.*too many'
kill "$stale" "$BG_PID"
exec 3<&-
wait_for 'then the table is loaded' 60 loaded public.t
stop
equal 'all rows are there' public.t
sql "DROP OWNED BY ${ID}_r; DROP ROLE ${ID}_r"

# The server ends a session that reads: another one does.
fresh t "$(wide)"
reader ended --snapshot initial --snapshot-workers 1 --snapshot-chunk-bytes 1 --snapshot-max-rate 75
wait_for 'loading began' 20 blocks_at_least public.t 2
session locks 3
echo 'BEGIN; LOCK t;' >&3
wait_for 'a chunk waits for a lock' 20 waits_in relation 'BEGIN ISOLATION%'
sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE application_name = 'pgcdc-read snapshot'" >"$T/out"
wait_for 'its session is ended' 20 logged 'warn .*is read again" table=public.t server=".*terminating'
echo 'ROLLBACK;' >&3
exec 3>&-
wait_for 'the table is loaded' 60 loaded public.t
ok 'that is no error' not logged ' error '
stop
equal 'all rows are there' public.t

# A table that grows, also behind where it ended when it was measured.
fresh t "$(wide)"
reader grows --snapshot initial --snapshot-workers 1 --snapshot-chunk-bytes 1 --snapshot-max-rate 150
wait_for 'loading began' 20 blocks_at_least public.t 2
for i in 1 2 3 4 5; do
	sql "INSERT INTO t SELECT i, $i, repeat('z', 500) FROM generate_series($i * 1000, $i * 1000 + 99) i;
	UPDATE t SET n = n + 1 WHERE id % 7 = $i; DELETE FROM t WHERE id % 11 = $i"
done
wait_for 'the table is loaded' 60 loaded public.t
ok 'it is measured once' [ "$(grep -c 'to be read.*table=public.t' "$T/grows.log")" = 1 ]
stop
equal 'all rows are there' public.t

# A terminal has a line that is written over.
before_terminal() {
	"$PYTHON" -c 'import os, pty, sys
with open(sys.argv[1], "wb") as out:
    def read(fd):
        data = os.read(fd, 4096)
        out.write(data)
        return data
    sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[2:], read)))' "$T/terminal" \
	    "$@" >"$T/out" </dev/null
}
fresh t "$(wide)"
_reader=terminal
ok 'a load before a terminal' before_terminal pgcdc-read -s "$ID" -p "$ID" \
    -o "$T/terminal.frames" --state "$T/terminal.state" --snapshot only --snapshot-workers 1 \
    --snapshot-chunk-bytes 1 --snapshot-max-rate 150
equal 'all rows are there' public.t
tr '\r' '\n' <"$T/terminal" >"$T/lines"
ok 'the line is written several times' \
    [ "$(grep -Ec '^public.t: [0-9]+ of 20 blocks, [0-9]+%, [0-9]+ rows/s, [0-9]+ s left.\[K$' "$T/lines")" -ge 2 ]
ok 'and ended before another' grep -q '^[0-9].* msg="a table is loaded" table=public.t' "$T/lines" || diag <"$T/lines"
not_over() {
	! grep -q '\[K[0-9]\{4\}-' "$T/lines"
}
ok 'which does not stand behind it' not_over

# What an earlier run read tells nothing of the time that is left.
fresh t "$(wide)"
begun() {
	grep -q ' [1-9][0-9]* loading' "$T/begun.state"
}
reader begun --snapshot initial --snapshot-workers 1 --snapshot-chunk-bytes 1 --snapshot-max-rate 15
wait_for 'loading began' 20 begun
kill "$READER"
wait_exit 'and is interrupted' 30 "$READER" 0
sed -i 's/ [0-9]* loading/ 16 loading/' "$T/begun.state"
ok 'it goes on' before_terminal pgcdc-read -s "$ID" -p "$ID" -o "$T/begun.frames" \
    --state "$T/begun.state" --snapshot only --snapshot-workers 1 --snapshot-chunk-bytes 1 \
    --snapshot-max-rate 15
tr '\r' '\n' <"$T/terminal" >"$T/lines"
ok 'and not in no time' grep -q '^public.t: 17 of 20 blocks, .* [1-9][0-9]* s left' "$T/lines" || diag <"$T/lines"

# A terminal of 60 columns, a name with what would move its cursor, and lines of the log meanwhile.
odd="\"$(printf 'a\033[31m\302\233, a name that is too long')\""
fresh "$odd" "$(wide) ALTER TABLE t RENAME TO $odd;"
# shellcheck disable=SC2016 # expanded there
ok 'a load before a narrow terminal' before_terminal sh -c 'stty cols 60 && exec "$@"' - \
    pgcdc-read -s "$ID" -p "$ID" -v -o "$T/narrow.frames" --state "$T/narrow.state" --snapshot only \
    --snapshot-workers 1 --snapshot-chunk-bytes 1 --snapshot-max-rate 150
tr '\r' '\n' <"$T/terminal" >"$T/lines"
ok 'a name is cut, without control characters' \
    grep -Eq '^public\."a\?[^:]*: [0-9]+ of 20 blocks, .* s left.\[K$' "$T/lines" || diag <"$T/lines"
most=$(awk '/ blocks, / { if (length > most) most = length } END { print most }' "$T/lines")
ok 'so that a line is no longer than the terminal' [ "$most" -le $((59 + 3)) ] || diag "$most"
ok 'no line of the log stands behind it' not_over || diag <"$T/lines"

# Told to end while the catalog does not answer: what is asked next is not an error.
fresh t "$(wide)"
bg locks psql -XAtqc 'BEGIN; LOCK TABLE pg_catalog.pg_inherits; SELECT pg_sleep(100)'
locks=$BG_PID
# waits NAME: a query of that application does for a lock, or pg_sleep for time.
waits() {
	sql "SELECT wait_event_type FROM pg_stat_activity WHERE datname = '$PGDATABASE'
	    AND application_name = '$1'" | grep -E 'Lock|Timeout'
}
wait_for 'a catalog is locked' 20 waits psql
reader ends --snapshot initial
wait_for 'the reader waits for it' 20 waits 'pgcdc-read catalog'
kill "$READER"
wait_exit 'it ends at TERM' 20 "$READER" 0
ok 'without an error' not grep ' error ' "$T/ends.log"
kill "$locks"
wait "$locks" 2>"$T/out"

# Many partitions.
fresh root "CREATE TABLE root (id int PRIMARY KEY, n int) PARTITION BY RANGE (id);
    SELECT format('CREATE TABLE leaf%s PARTITION OF root FOR VALUES FROM (%s) TO (%s)', i, i * 10, i * 10 + 10)
    FROM generate_series(0, 999) i \\gexec
    INSERT INTO root SELECT i, i FROM generate_series(0, 9999, 3) i;"
start=$(date +%s)
reader many --snapshot initial --until-caught-up
wait_exit '1,000 partitions are loaded' 120 "$READER" 0
diag "$(($(date +%s) - start)) s"
equal 'all rows are there' public.root
is "$(grep -c ' loaded$' "$T/many.state")" 1000 'the state file has each partition'
done_testing
