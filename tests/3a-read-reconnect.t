#!/bin/sh
#
# pgcdc-read connects again: whatever becomes of the server, the network or the slot, what is
# downstream goes on, and every row comes once.

# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

own_pg
pg_db
sql "CREATE TABLE t (id serial PRIMARY KEY, v text); CREATE TABLE big (id int PRIMARY KEY, v text);
CREATE PUBLICATION p FOR TABLE t; CREATE PUBLICATION b FOR TABLE big;
SELECT pg_create_logical_replication_slot(n, 'pgoutput')
    FROM unnest(ARRAY['file', 'ack', 'blocked', 'streamed', 'net', 'limit']) n" >"$T/null"

# What runs in the background must not hold the pipes that the test holds.
alone() {
	bg "$@" 3<&- 4<&-
}
# read_into NAME OPTION...: a reader of that slot, into $T/NAME.frames; process $READER.
read_into() {
	name=$1
	shift
	alone "$name" pgcdc-read -s "$name" -o "$T/$name.frames" --state "$T/$name.state" "$@"
	READER=$BG_PID
	_until 20 logged "$name" 'msg="streaming"' || bail "the reader $name does not start"
}
# logged NAME PATTERN [N]: at least N times.
logged() {
	[ "$(grep -c "$2" "$T/$1.log")" -ge "${3:-1}" ]
}
# again NAME: so often it has connected again.
again() {
	grep -c 'msg="streaming again"' "$T/$1.log"
}
frames() {
	pgcdc-cat "$T/$1.frames" 2>"$T/null"
}
# check.py: what is wrong with a run's frames; then the rows of its whole units.
cat >"$T/check.py" <<'E2'
import json, sys
wrong, seq, begins, unit, rows, last = [], 0, [], None, [], 0
for n, line in enumerate(sys.stdin):
    f = json.loads(line)
    if f[0] == "H" and n > 0:
        wrong.append("another H")
    elif f[0] == "B":
        unit = (f[1], [])
    elif f[0] == "I":
        unit[1].append(f[2][0])
    elif f[0] == "C":
        if f[2] != seq + 1:
            wrong.append(f"seq {f[2]} after {seq}")
        seq = f[2]
        at = tuple(int(x, 16) for x in f[1].split("/"))
        if last and at <= last:
            wrong.append(f"C {f[1]} goes back")
        last = at
        begins.append(unit[0])
        rows += unit[1]
        unit = None
if len(set(begins)) != len(begins):
    wrong.append("a unit twice")
print("\n".join(wrong + [f"{i}" for i in sorted(rows)]))
E2
# whole NAME TABLE: its frames are in order, and have each of the table's rows once.
whole() {
	frames "$1" | "$PYTHON" "$T/check.py" >"$T/$1.got"
	sql "SELECT id FROM $2 ORDER BY id" >"$T/$1.rows"
	cmp -s "$T/$1.got" "$T/$1.rows" || {
		head -n 3 "$T/$1.got"
		diff "$T/$1.rows" "$T/$1.got" | tail -n 5
		return 1
	}
}
walsender() {
	sql "SELECT active_pid FROM pg_replication_slots WHERE slot_name = '$1' AND active_pid > 0"
}
has_walsender() {
	walsender "$1" | grep -q .
}
terminate() {
	sql "SELECT pg_terminate_backend($(walsender "$1"))"
}
# received SLOT LSN: the reader told the server that it got everything before.
received() {
	sql "SELECT write_lsn >= '$2' FROM pg_stat_replication
	    JOIN pg_replication_slots ON active_pid = pid WHERE slot_name = '$1'" | grep -qx t
}
at_least() {
	sql "SELECT confirmed_flush_lsn >= '$2' FROM pg_replication_slots
	    WHERE slot_name = '$1'" | grep -qx t
}
state_lsn() {
	sed -n 's/^acked //p' "$T/$1.state"
}
# The reader's last C, as an ack.
last_ack() {
	frames "$1" | jq -r 'select(.[0] == "C") | "ack \(.[2]) \(.[1])"' | tail -n 1
}
pg_server() {
	"$TOP/tests/pg-server" "$1" "$PG_DIR" "$2"
}

# The walsender ends, the server restarts --------------------------------------------

read_into file -p p
file=$READER
alone ack sh -c "exec pgcdc-read -s ack -p p -a '$T/ack.sock' --state '$T/ack.state' >'$T/ack.frames'"
ack=$BG_PID
wait_for 'a reader with an ack socket' 20 test -S "$T/ack.sock"
: >"$T/ack.in"
alone client "$PYTHON" "$TOP/tests/ack-client.py" "$T/ack.sock" "$T/ack.in"
hello() {
	frames "$1" | grep -q '^\["H"'
}
wait_for 'H' 20 hello ack
echo "pgcdc-ack 1 $(frames ack | jq -r 'select(.[0] == "H") | .[1].run')" >>"$T/ack.in"

# Sessions that commit row after row, whatever the server does.
cat >"$T/load" <<'E2'
until [ -e "$1/stop" ]; do
	psql -XAtqc "DO \$\$ BEGIN FOR i IN 1 .. 20 LOOP INSERT INTO t (v) VALUES (i); COMMIT;
	    END LOOP; END \$\$" 2>/dev/null || sleep 0.05
done
E2
alone load sh "$T/load" "$T"
load=$BG_PID
more() {
	[ "$(frames "$1" | grep -c '^\["C"')" -ge "$2" ]
}
# goes_on DESCRIPTION NAME AGAIN: it connected again, more often than that, and units come.
goes_on() {
	units=$(frames "$2" | grep -c '^\["C"')
	wait_for "$1: it connects again" 30 logged "$2" 'msg="streaming again"' $(($3 + 1))
	wait_for "$1: units come" 30 more "$2" $((units + 20))
}
wait_for 'units come' 20 more file 20
for i in 1 2 3; do
	f=$(again file) a=$(again ack)
	terminate file >"$T/null"
	terminate ack >"$T/null"
	goes_on "walsender ended under load, $i" file "$f"
	goes_on "and with acks, $i" ack "$a"
	last_ack ack >>"$T/ack.in"
done
for mode in fast immediate; do
	f=$(again file) a=$(again ack)
	ok "restart $mode" pg_server restart "$mode"
	goes_on "restart $mode under load" file "$f"
	goes_on "and with acks, $mode" ack "$a"
done
is "$(tail -n 1 "$PG_DIR/log" | grep -c 'starting up')" 0 'the server is up'
: >"$T/stop"
wait_exit 'the load ends' 20 "$load" 0
wait_for 'every row came once, into the file' 20 whole file t
wait_for 'and to the writer' 20 whole ack t

# Acks of what came before.
sql "INSERT INTO t (v) VALUES ('before')"
wait_for 'one more' 20 whole ack t
ok 'the server stops' pg_server stop fast
before=$(last_ack ack)
echo "$before" >>"$T/ack.in"
state_is() {
	[ "$(state_lsn "$1")" = "$2" ]
}
wait_for 'an ack without a server moves the state file' 20 state_is ack "${before##* }"
ok 'it starts' pg_server start 15
wait_for 'and is confirmed then' 20 at_least ack "${before##* }"
f=$(again file)
wait_for 'idle: a walsender' 20 has_walsender file
terminate file >"$T/null"
wait_for 'ended while idle: it connects again' 20 logged file 'msg="streaming again"' $((f + 1))
sql "INSERT INTO t (v) VALUES ('last')"
wait_for 'every row came once' 20 whole file t
file_stored() {
	at_least file "$(frames file | jq -r 'select(.[0] == "C") | .[1]' | tail -n 1)"
}
wait_for 'all of the file is confirmed' 20 file_stored
ok 'the process is the same' kill -0 "$file"
ok 'this one, too' kill -0 "$ack"
kill -TERM "$file"
wait_exit 'TERM ends it in order' 20 "$file" 0
last_ack ack >>"$T/ack.in"
kill -TERM "$ack"
wait_exit 'and the other one' 20 "$ack" 0

# A unit that is begun again ---------------------------------------------------------

sql "INSERT INTO big SELECT i, repeat('x', 500) FROM generate_series(1, 60000) i"
mkfifo "$T/pipe"
exec 3<>"$T/pipe"
alone blocked sh -c "exec pgcdc-read -s blocked -p b --proto 1 >'$T/pipe'"
blocked=$BG_PID
full() {
	"$PYTHON" -c 'import array, fcntl, sys, termios
n = array.array("i", [0])
fcntl.ioctl(3, termios.FIONREAD, n)
sys.exit(n[0] < 60000)'
}
wait_for 'blocked in the middle of a unit' 20 full
terminate blocked >"$T/null"
alone consumer sh -c "exec cat <'$T/pipe' >'$T/blocked.frames'"
consumer=$BG_PID
one_unit() {
	frames "$1" | grep -q '^\["C"'
}
wait_for 'the unit is whole' 30 one_unit blocked
exec 3>&-
is "$(frames blocked | jq -r '.[0]' | uniq | tr -d '\n')" HBRIBIC 'begun again, on the same run'
ok 'with every row' whole blocked big
kill -TERM "$blocked"
wait_exit 'the reader ends' 20 "$blocked" 0
wait_exit 'as does its consumer' 20 "$consumer" 0

# A transaction that is streamed while it is open: it is cut there, and comes whole later.
sql "ALTER SYSTEM SET logical_decoding_work_mem = '64kB'; SELECT pg_reload_conf();
TRUNCATE big; SELECT pg_replication_slot_advance('streamed', pg_current_wal_lsn())" >"$T/null"
read_into streamed -p b
mkfifo "$T/in"
alone session psql -XAtq -f "$T/in"
session=$BG_PID
exec 3<>"$T/in"
echo "BEGIN; INSERT INTO big SELECT i, 'x' FROM generate_series(1, 5000) i;" >&3
inserted() {
	sql "SELECT state FROM pg_stat_activity" | grep -qx 'idle in transaction'
}
wait_for 'an open transaction' 20 inserted
lsn=$(sql 'SELECT pg_current_wal_insert_lsn()')
sql "SELECT pg_logical_emit_message(false, '', ''); SELECT txid_current()" >"$T/null"
wait_for 'the server sent what it holds' 20 received streamed "$lsn"
counted() {
	sql "SELECT stream_count > 0 FROM pg_stat_replication_slots WHERE slot_name = 'streamed'" |
	    grep -qx t
}
wait_for 'as a stream' 20 counted
terminate streamed >"$T/null"
wait_for 'it connects again' 20 logged streamed 'msg="streaming again"'
echo "INSERT INTO big SELECT i, 'x' FROM generate_series(5001, 6000) i; COMMIT;" >&3
exec 3>&-
wait_exit 'the transaction commits' 20 "$session" 0
wait_for 'and comes whole, once' 20 whole streamed big
kill -TERM "$READER"
wait_exit 'the reader ends' 20 "$READER" 0

# The network ------------------------------------------------------------------------

: >"$T/net.commands"
alone proxy "$PYTHON" "$TOP/tests/proxy.py" "$T/net.port" "$T/net.commands" "$PGPORT"
wait_for 'a proxy' 20 test -s "$T/net.port"
net() {
	echo "$1" >>"$T/net.commands"
	_until 20 lines "$(wc -l <"$T/net.commands")" || bail "the proxy does not $1"
}
lines() {
	[ "$(grep -vc 'stalled' "$T/proxy.log")" -ge "$1" ]
}
sql "SELECT pg_replication_slot_advance('net', pg_current_wal_lsn()); TRUNCATE t" >"$T/null"
read_into net -p p --slot-check-interval 20 \
    -d "port=$(cat "$T/net.port") connect_timeout=2 options=-cwal_sender_timeout=1s"
net=$READER
sql "INSERT INTO t (v) VALUES ('a')"
wait_for 'a row through the proxy' 20 whole net t
net cut
sql "INSERT INTO t (v) VALUES ('b')"
wait_for 'reset: it connects again' 20 whole net t
net freeze
sql "INSERT INTO t (v) VALUES ('c')"
wait_for 'frozen: the silent connection is given up' 20 logged net 'server is silent'
wait_for 'and the row comes through another one' 20 whole net t
kill -STOP "$net"
no_walsender() {
	! has_walsender "$1"
}
wait_for "stopped: the server's patience ends" 20 no_walsender net
sql "INSERT INTO t (v) VALUES ('d')"
kill -CONT "$net"
wait_for 'continued: it connects again' 20 whole net t
net stall
silent=$(grep -c 'server is silent' "$T/net.log")
sql "INSERT INTO t (v) VALUES ('e')"
wait_for 'a network that takes connections, but forwards nothing' 20 logged net \
    'server is silent' $((silent + 1))
wait_for 'does not keep it' 20 logged proxy 'stalled one'
net go
wait_for 'works again' 60 whole net t
ok 'the process is the same' kill -0 "$net"
kill -TERM "$net"
wait_exit 'it ends in order' 20 "$net" 0

# A fast shutdown, without a second connection ---------------------------------------

# CONNECTION LIMIT does not count walsenders.
sql "CREATE ROLE ${ID}_r LOGIN REPLICATION PASSWORD 'secret' CONNECTION LIMIT 0;
SELECT pg_drop_replication_slot('streamed'); TRUNCATE big; TRUNCATE t;
SELECT pg_replication_slot_advance(slot_name, pg_current_wal_lsn()) FROM pg_replication_slots
    WHERE slot_name IN ('limit', 'blocked', 'file');
INSERT INTO big SELECT i, repeat('x', 500) FROM generate_series(1, 20000) i;
INSERT INTO t (v) VALUES ('a')" >"$T/null"
: >"$T/limit.log"
: >"$T/blocked.log"
one="user=${ID}_r password=secret"
read_into limit -d "$one" -p p
limit=$READER
wait_for 'a reader that may not connect twice' 20 whole limit t
ok 'says so, once' logged limit 'let the user connect a second time'
exec 3<>"$T/pipe"
alone blocked sh -c "exec pgcdc-read -s blocked -p b -d '$one' >'$T/pipe'"
blocked=$BG_PID
wait_for 'another one, blocked' 20 full
alone stop "$TOP/tests/pg-server" stop "$PG_DIR" fast
stop=$BG_PID
wait_exit 'the server stops' 30 "$stop" 0
is "$(tail -n 60 "$PG_DIR/log" | grep -c 'received immediate shutdown')" 0 'in order'
ok 'and starts' pg_server start 15
sql "INSERT INTO t (v) VALUES ('b')"
wait_for 'the first one goes on' 20 whole limit t
rm "$T/blocked.frames"
alone consumer sh -c "exec cat <'$T/pipe' >'$T/blocked.frames'"
consumer=$BG_PID
wait_for 'the second one, too' 30 one_unit blocked
exec 3>&-
ok 'with every row' whole blocked big
is "$(grep -c 'let the user connect a second time' "$T/limit.log")" 1 'that is not said again'
kill -TERM "$blocked" "$limit"
wait_exit 'it ends' 20 "$blocked" 0
wait_exit 'the first one, too' 20 "$limit" 0

# What a new connection may find -----------------------------------------------------

# gone NAME: stopped, its walsender gone, so that something can be done to its slot.
gone() {
	kill -STOP "$2"
	terminate "$1" >"$T/null"
	wait_for "$1: the walsender is gone" 20 no_walsender "$1"
}
# stops_for NAME PATTERN: the stopped reader goes on, and ends for good.
stops_for() {
	kill -CONT "$READER"
	wait_exit "$1: 100" 20 "$READER" 100
	ok 'and that is said' logged "$1" "$2"
}
for state in '' with; do
	what="a slot that is dropped, ${state:-without} a state file"
	[ -n "$state" ] || rm -f "$T/file.state"
	: >"$T/file.log"
	rm -f "$T/file.frames"
	alone file pgcdc-read -s file -o "$T/file.frames" -p p --create-slot \
	    ${state:+--state "$T/file.state"}
	READER=$BG_PID
	wait_for "$what" 20 has_walsender file
	wait_for 'the reader streams' 20 logged file 'msg="streaming"'
	gone file "$READER"
	sql "SELECT pg_drop_replication_slot('file')" >"$T/null"
	stops_for file 'slot .*gone.*remedy=.*load the tables anew'
	is "$(sql "SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'file'")" 0 \
	    '--create-slot does not make it anew'
	sql "SELECT pg_create_logical_replication_slot('file', 'pgoutput')" >"$T/null"
	rm -f "$T/file.state"
done

# A server with no place for a second connection: it streams each time, and is let be more and more.
sql "ALTER SYSTEM SET max_connections = 5"
ok 'a server of few connections' pg_server restart fast
: >"$T/ack.log"
rm -f "$T/ack.state" "$T/ack.frames"
sql "SELECT pg_replication_slot_advance('ack', pg_current_wal_lsn())" >"$T/null"
sql "INSERT INTO t (v) VALUES ('waits')"
mkfifo "$T/idle"
exec 6<>"$T/idle"
# holds N: does session N hold a place?  One that is refused, as where a session before it is not
# gone yet, tries again.
holds() {
	logged "idle$1" '^held$' && return
	if logged "idle$1" FATAL; then
		sessions=${sessions% *}
		hold "$1"
	fi
	return 1
}
hold() {
	: >"$T/idle$1.log"
	alone "idle$1" psql -XAtq -c "SELECT 'held'" -f "$T/idle" 6<&-
	sessions="$sessions $BG_PID"
}
sessions=''
for i in 1 2 3 4 5; do
	hold "$i"
	_until 20 holds "$i" || bail "no session $i"
done
no_place() {
	! psql -XAtqc 'SELECT 1' >"$T/null" 2>&1
}
wait_for 'all are taken' 20 no_place
read_into ack -p p
wait_for 'the reader waits longer and longer' 30 logged ack 'connecting again.* delay=[1-9]'
# shellcheck disable=SC2086
kill $sessions
exec 6<&-
wait_for 'then it finds a place' 30 more ack 1
kill -TERM "$READER"
wait_exit 'it ends in order' 20 "$READER" 0
sql "ALTER SYSTEM RESET max_connections"

# A publication that is dropped while nothing is written: the catalog tells.
sql "CREATE PUBLICATION gone FOR TABLE t" >"$T/null"
: >"$T/ack.log"
rm -f "$T/ack.state" "$T/ack.frames"
sql "SELECT pg_replication_slot_advance('ack', pg_current_wal_lsn())" >"$T/null"
read_into ack -p p,gone
sql 'DROP PUBLICATION gone'
wait_exit 'a publication that is dropped' 30 "$READER" 100
ok 'and that is said' logged ack 'publication.*gone'
done_testing
