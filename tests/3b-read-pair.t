#!/bin/sh
#
# pgcdc-read: two readers of one slot, of which one waits; what a DBA sees of them; and where
# the server is that they are told to read from, also when it changes.

# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=metrics.sh
. "$(dirname "$0")/metrics.sh"

own_pg
pg_db
sql "CREATE TABLE t (id serial PRIMARY KEY, v text); CREATE PUBLICATION p FOR TABLE t;
SELECT pg_create_logical_replication_slot(n, 'pgoutput')
    FROM unnest(ARRAY['pair', 'seen', 'where']) n" >"$T/null"

# start NAME SLOT [OPTION...]: a reader into $T/NAME.frames; process $READER.
start() {
	name=$1 slot=$2
	shift 2
	bg "$name" pgcdc-read -s "$slot" -p p -o "$T/$name.frames" --slot-check-interval 20 "$@"
	READER=$BG_PID
}
# logged NAME PATTERN [N]: at least N times.
logged() {
	[ "$(grep -c "$2" "$T/$1.log")" -ge "${3:-1}" ]
}
frames() {
	pgcdc-cat "$T/$1.frames" 2>"$T/null"
}
# rows NAME: the ids that came, in order.
rows() {
	frames "$1" | jq -r 'select(.[0] == "I") | .[2][0]' | tr '\n' ' '
}
has() {
	rows "$1" | grep -Eq "(^| )$2 "
}
insert() {
	sql "INSERT INTO t (v) VALUES ('x') RETURNING id"
}
walsender() {
	sql "SELECT active_pid FROM pg_replication_slots WHERE slot_name = '$1' AND active_pid > 0"
}
has_walsender() {
	walsender "$1" | grep -q .
}
confirmed() {
	sql "SELECT confirmed_flush_lsn >= '$2' FROM pg_replication_slots
	    WHERE slot_name = '$1'" | grep -qx t
}
last_c() {
	frames "$1" | jq -r 'select(.[0] == "C") | .[1]' | tail -n 1
}
state_lsn() {
	sed -n 's/^acked //p' "$T/$1.state"
}
# stored NAME SLOT: all that it emitted is confirmed.
stored() {
	confirmed "$2" "$(last_c "$1")"
}
ends() {
	kill -TERM "$2"
	wait_exit "$1" 20 "$2" 0
}

# A pair -----------------------------------------------------------------------------

start first pair --state "$T/pair.state"
first=$READER
wait_for 'the first one has the slot' 20 has_walsender pair
start second pair --state "$T/pair.state"
second=$READER
wait_for 'the second one stands by' 20 logged second 'standing by'
id=$(insert)
wait_for 'a row' 20 has first "$id"
wait_for 'is confirmed' 20 stored first pair
kill -STOP "$first"
sql "SELECT pg_terminate_backend($(walsender pair))" >"$T/null"
wait_for 'the first one is stopped, its walsender ended: the second one takes over' 20 \
    logged second 'msg="streaming"'
id2=$(insert)
wait_for 'and has the next row' 20 has second "$id2"
ok 'not the one before' not has second "$id"
ok 'it knows the state file that both keep' not logged second 'slot is ahead'
wait_for 'it confirms' 20 stored second pair
kill -CONT "$first"
wait_for 'the first one, continued, stands by' 20 logged first 'standing by'
id3=$(insert)
wait_for 'the second one goes on' 20 has second "$id3"
wait_for 'undisturbed' 20 stored second pair
is "$(grep -c 'connecting again' "$T/second.log")" 0 'without another connection'
ok 'the first one has none of that' not has first "$id2"
kill -KILL "$second"
id4=$(insert)
wait_for 'after kill -9 the first one takes over again' 20 has first "$id4"
ok 'without what the second one had' not has first "$id3"
wait_for 'it confirms' 20 stored first pair
is "$(grep -c 'standing by' "$T/first.log")" 1 'it said once that it stood by'
is "$(frames first | jq -r 'select(.[0] == "C") | .[2]' | tr '\n' ' ')" '1 2 ' 'seq goes on'
ends 'it ends in order' "$first"

# An ack that comes late: the one that stands by does not put the file back that both keep.
bg late sh -c "exec pgcdc-read -s pair -p p -a '$T/late.sock' --state '$T/pair.state' \
    --slot-check-interval 20 >'$T/late.frames'"
late=$BG_PID
client() {
	: >"$T/$1.in"
	bg "client-$1" "$PYTHON" "$TOP/tests/ack-client.py" "$T/$1.sock" "$T/$1.in"
	wait_for 'H' 20 hello "$1"
	echo "pgcdc-ack 1 $(frames "$1" | jq -r 'select(.[0] == "H") | .[1].run')" >>"$T/$1.in"
}
hello() {
	frames "$1" | grep -q '^\["H"'
}
# ack NAME: all that it emitted.
ack() {
	frames "$1" | jq -r 'select(.[0] == "C") | "ack \(.[2]) \(.[1])"' | tail -n 1 >>"$T/$1.in"
}
client late
id5=$(insert)
wait_for 'a row that is not acked' 20 has late "$id5"
start third pair --state "$T/pair.state"
wait_for 'another reader stands by' 20 logged third 'standing by'
kill -STOP "$late"
sql "SELECT pg_terminate_backend($(walsender pair))" >"$T/null"
wait_for 'it takes over, with that row' 20 has third "$id5"
id6=$(insert)
wait_for 'and the next one' 20 has third "$id6"
further() {
	[ "$(state_lsn pair)" = "$(last_c third)" ] || stored third pair
}
wait_for 'which are confirmed' 20 further
kill -STOP "$READER"
# What it was in the middle of is done before it stops.
stopped() {
	grep -q '^State:.T' "/proc/$READER/status"
}
wait_for 'the one that reads is stopped' 20 stopped
before=$(state_lsn pair)
ack late
kill -CONT "$late"
wait_for 'the other one stands by' 20 logged late 'standing by'
kill -TERM "$late"
wait_exit 'it takes the late ack, and ends' 20 "$late" 0
is "$(state_lsn pair)" "$before" 'the state file stays where it was'
kill -CONT "$READER"
ends 'the other one ends' "$READER"

# shellcheck disable=SC2034 # of metric_is
METRICS=pgcdc_read_ SOCKET=$T/far.metrics
# The same, but it cannot know that the slot is another's: its connection is dead, and nobody said so.
: >"$T/net.commands"
bg proxy "$PYTHON" "$TOP/tests/proxy.py" "$T/net.port" "$T/net.commands" "$PGPORT"
wait_for 'a proxy' 20 test -s "$T/net.port"
bg far sh -c "exec env PGPORT=$(cat "$T/net.port") pgcdc-read -s pair -p p -a '$T/far.sock' \
    --state '$T/pair.state' --metrics '$T/far.metrics' >'$T/far.frames'"
far=$BG_PID
client far
id7=$(insert)
wait_for 'a row that is not acked' 20 has far "$id7"
start fourth pair --state "$T/pair.state"
wait_for 'another reader stands by' 20 logged fourth 'standing by'
echo freeze >>"$T/net.commands"
wait_for 'nothing gets through any more' 20 logged proxy freeze
sql "SELECT pg_terminate_backend($(walsender pair))" >"$T/null"
wait_for 'it takes over, with that row' 20 has fourth "$id7"
id8=$(insert)
wait_for 'and the next one' 20 has fourth "$id8"
fourth_further() {
	[ "$(state_lsn pair)" = "$(last_c fourth)" ] || stored fourth pair
}
wait_for 'which are confirmed' 20 fourth_further
kill -STOP "$READER"
wait_for 'the one that reads is stopped' 20 stopped
before=$(state_lsn pair)
ack far
wait_for 'it takes the late ack' 20 metric_is 0 units_open
kill -TERM "$far"
wait_exit 'it ends' 20 "$far" 0
is "$(state_lsn pair)" "$before" 'the state file stays where it was'
kill -CONT "$READER"
ends 'the other one ends' "$READER"

# What a DBA sees --------------------------------------------------------------------

# of seen EXPRESSION: of pg_stat_replication.
seen() {
	sql "SELECT $1 FROM pg_stat_replication JOIN pg_replication_slots ON active_pid = pid
	    WHERE slot_name = 'seen'"
}
seen_is() {
	[ "$(seen "$1")" = t ]
}
bg seen sh -c "exec pgcdc-read -s seen -p p -d options=-cwal_sender_timeout=2s -a '$T/seen.sock' \
    >'$T/seen.frames'"
reader=$BG_PID
wait_for 'a reader with an ack socket' 20 test -S "$T/seen.sock"
client seen
id=$(insert)
wait_for 'a unit' 20 has seen "$id"
one=$(last_c seen)
wait_for 'write_lsn: what was received' 20 seen_is "write_lsn >= '$one'"
ok 'flush_lsn and replay_lsn: not before the ack' seen_is "flush_lsn < '$one' AND replay_lsn < '$one'"
ack seen
wait_for 'after it they are there' 20 seen_is "flush_lsn >= '$one' AND replay_lsn = flush_lsn"
# A large transaction, and a steady load: neither is ever idle.
bg load psql -XAtqc "DO \$\$ BEGIN FOR i IN 1 .. 1000000 LOOP INSERT INTO t (v) VALUES ('y'); COMMIT;
    END LOOP; END \$\$"
moved() {
	lsn=$(seen write_lsn)
	_until 10 seen_is "write_lsn > '$lsn'" && _until 10 seen_is "write_lsn > '$(seen write_lsn)'"
}
pid=$(walsender seen)
wait_for 'write_lsn moves under load' 20 moved
ok 'and flush_lsn waits for acks' seen_is "flush_lsn < write_lsn - 1000"
long() {
	seen_is "now() - backend_start > '5 s' AND now() - reply_time < '2 s'"
}
wait_for 'replies come all the time' 20 long
is "$(walsender seen)" "$pid" 'on one connection'
sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'DO %'" >"$T/null"

# A server that waits for any standby waits for this one, too.
sql "ALTER SYSTEM SET synchronous_standby_names = '*'; SELECT pg_reload_conf()" >"$T/null"
wait_for 'synchronous_standby_names: a warning' 30 logged seen \
    ' warn .*synchronous standby.*remedy=.*application_name'
sql "ALTER SYSTEM RESET synchronous_standby_names; SELECT pg_reload_conf()" >"$T/null"
kill -KILL "$reader"

# Where the server is ----------------------------------------------------------------

# once CONNINFO: reads up to now.
once() {
	timeout 60 pgcdc-read -s where -p p -o "$T/once.frames" --until-caught-up -d "$1"
}
# reads DESCRIPTION CONNINFO: it connects that way, and has a row.
reads() {
	rm -f "$T/once.frames"
	id=$(insert)
	exits 0 "$1" once "$2"
	ok 'the row is there' has once "$id"
}
sql "TRUNCATE t; SELECT pg_replication_slot_advance('where', pg_current_wal_lsn())" >"$T/null"
port=$PGPORT
reads 'several hosts, the first one dead, one to write to' \
    "host=127.0.0.1,127.0.0.1 port=1,$port target_session_attrs=read-write"
exits 111 'one that is in recovery is not there' once "target_session_attrs=standby"
printf '[pgcdc]\nhost=127.0.0.1\nport=%s\nuser=postgres\ndbname=%s\n' "$port" "$PGDATABASE" \
    >"$T/services"
service() {
	env -u PGHOST -u PGPORT -u PGUSER -u PGDATABASE PGSERVICEFILE="$T/services" \
	    timeout 60 pgcdc-read -s where -p p -o "$T/once.frames" --until-caught-up "$@"
}
id=$(insert)
exits 0 'a service' service -d service=pgcdc
ok 'the row is there' has once "$id"
exits 0 'by the environment' env PGSERVICE=pgcdc "$(command -v env)" -u PGPORT \
    PGSERVICEFILE="$T/services" pgcdc-read -s where -p p -o "$T/once.frames" --until-caught-up
exits 100 'a service that there is not' service -d service=nix
like "$(cat "$T/err")" 'nix' 'names it'
exits 100 'sslmode=require, of a server without' once sslmode=require
like "$(cat "$T/err")" ' error .*does not support SSL' 'says so'
if command -v openssl >"$T/null" && openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=ca \
    -keyout "$T/ca.key" -out "$T/ca.crt" 2>"$T/null" &&
    openssl req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout "$T/server.key" \
	-out "$T/server.csr" 2>"$T/null" && openssl x509 -req -in "$T/server.csr" -days 2 \
	-CA "$T/ca.crt" -CAkey "$T/ca.key" -CAcreateserial -out "$T/server.crt" 2>"$T/null"; then
	cp "$T/server.crt" "$T/server.key" "$PG_DIR/data/"
	chmod 600 "$PG_DIR/data/server.key"
	chown "$(stat -c %u:%g "$PG_DIR/data")" "$PG_DIR/data/server.key" "$PG_DIR/data/server.crt"
	sql "ALTER SYSTEM SET ssl = on; SELECT pg_reload_conf()" >"$T/null" 2>&1
	encrypted() {
		PGSSLMODE=require sql 'SELECT 1'
	}
fi
if [ -f "$T/server.crt" ] && _until 5 encrypted; then
	reads 'sslmode=verify-full with its CA' \
	    "host=localhost hostaddr=127.0.0.1 sslmode=verify-full sslrootcert=$T/ca.crt"
	exits 100 'a host that is not in the certificate' \
	    once "host=127.0.0.1 sslmode=verify-full sslrootcert=$T/ca.crt"
	like "$(cat "$T/err")" ' error .*certificate' 'says so'
	exits 100 'another CA' \
	    once "host=localhost hostaddr=127.0.0.1 sslmode=verify-full sslrootcert=$T/server.crt"
	like "$(cat "$T/err")" ' error .*certificate' 'says so'
	sql "ALTER SYSTEM RESET ssl; SELECT pg_reload_conf()" >"$T/null" 2>&1
else
	skip 'certificates' 'NOT CHECKED: no openssl, or a server without SSL'
fi

# Two servers.  The reader begins with the second one, while the first one is down.
pg_server() {
	"$TOP/tests/pg-server" "$@"
}
b=$T/b
ok 'a second server' pg_server start "$b" ${PGCDC_TEST_PG_MAJOR:+"$PGCDC_TEST_PG_MAJOR"}
b_port=$(cat "$b/port")
on_b() {
	PGPORT=$b_port sql "$1"
}
db=$PGDATABASE
PGDATABASE=postgres on_b "CREATE DATABASE $db"
on_b "CREATE TABLE t (id serial PRIMARY KEY, v text); CREATE PUBLICATION p FOR TABLE t;
SELECT pg_create_logical_replication_slot('where', 'pgoutput')" >"$T/null"
pg_server stop "$PG_DIR" fast
start two where -d "host=127.0.0.1,127.0.0.1 port=$port,$b_port target_session_attrs=read-write"
two=$READER
wait_for 'the one of two servers that is there' 20 logged two 'msg="streaming"'
ok 'the first one is back' pg_server start "$PG_DIR"
catalog='FROM pg_stat_activity WHERE application_name = '"'pgcdc-read catalog'"
on_b "INSERT INTO t (v) VALUES ('b')"
wait_for 'a row' 20 has two 1
pid=$(on_b "SELECT pid $catalog")
on_b "SELECT pg_terminate_backend($pid)" >"$T/null"
catalog_again() {
	on_b "SELECT pid $catalog" | grep -v "^$pid\$" | grep -q .
}
wait_for 'the second connection is made again to the same one' 20 catalog_again
is "$(sql "SELECT count(*) $catalog")" 0 'not to the first one in the list'

stored_b() {
	PGPORT=$b_port stored "$1" where
}
wait_for 'the row is confirmed' 20 stored_b two

# Another timeline, without loss.
start line where --state "$T/line.state" -d "port=$b_port target_session_attrs=read-write"
line=$READER
wait_for 'a reader with a state file stands by' 20 logged line 'standing by'
on_b "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE active" >"$T/null"
wait_exit 'another server, though no state file tells: 100' 20 "$two" 100
ok 'and that is said' logged two 'another server than before'
wait_for 'the one that stood by has the slot' 20 logged line 'msg="streaming"'
on_b "INSERT INTO t (v) VALUES ('old')"
wait_for 'a row' 20 has line 2
promote() {
	pg_server stop "$b" fast
	: >"$b/data/standby.signal"
	chmod 666 "$b/data/standby.signal"
	pg_server start "$b"
	on_b 'SELECT pg_promote()' >"$T/null"
	on_b "INSERT INTO t (v) VALUES ('new')"
}
ok 'the server goes to another timeline' promote
wait_for 'the reader goes on' 30 has line 3
is "$(rows line)" '2 3 ' 'with every row once'
ok 'and says it' logged line ' info .*another timeline, and has all.*from=1 to=2'
ok 'no warning' not logged line 'another timeline before'
wait_for 'all of it is confirmed' 20 stored_b line
timeline() {
	grep -qx "timeline $1" "$T/line.state"
}
wait_for 'the state file has the timeline' 20 timeline 2
kill -TERM "$line"
wait_exit 'it ends' 20 "$line" 0
# With loss: something was taken from the old one that the new one never had.
at=$(on_b "SELECT pg_current_wal_insert_lsn()")
sed -i "s/^timeline.*/timeline 1/; s,^acked.*,acked $at," "$T/line.state"
exits 100 'taken from the old timeline behind where it ended: 100' timeout 60 pgcdc-read -s where \
    -p p -o "$T/line.frames" --state "$T/line.state" -d "port=$b_port"
like "$(cat "$T/err")" 'another timeline before.*from=1 to=2.*remedy=.*version epoch.*--accept-gap' \
    'and that is said'
on_b "INSERT INTO t (v) VALUES ('gap')"
exits 0 '--accept-gap goes on' timeout 60 pgcdc-read -s where -p p -o "$T/line.frames" \
    --state "$T/line.state" -d "port=$b_port" --accept-gap --until-caught-up
ok 'with the next row' has line 4
pg_server stop "$b" immediate

# A slot that a standby has, too -----------------------------------------------------

if [ "$(sql 'SHOW server_version_num')" -lt 170000 ]; then
	exits 100 '--failover before 17' \
	    timeout 60 pgcdc-read -s made -p p -o "$T/made" --create-slot --failover
	like "$(cat "$T/err")" ' error .*does not synchronize slots.*version=1.*remedy=.*17' 'says so'
	is "$(sql "SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'made'")" 0 \
	    'no slot was made'
	major=17
else
	major=$PGCDC_TEST_PG_MAJOR
fi
pg_server stop "$PG_DIR" immediate
a=$T/a s=$T/s
# The standby is a copy of the server at rest: there need not be a pg_basebackup.
pair_of_servers() {
	pg_server start "$a" "$major" || return
	PGPORT=$(cat "$a/port")
	PGDATABASE=postgres sql "CREATE DATABASE $db"
	sql "CREATE TABLE t (id serial PRIMARY KEY, v text); CREATE PUBLICATION p FOR TABLE t;
	SELECT pg_create_physical_replication_slot('standby')" >"$T/null"
	pg_server stop "$a" fast
	cp -a "$a" "$s"
	rm "$s/port"
	cat >>"$s/data/postgresql.conf" <<-E2
	primary_conninfo = 'host=$PGHOST port=$PGPORT user=$PGUSER dbname=$PGDATABASE'
	primary_slot_name = standby
	hot_standby_feedback = on
	E2
	cp -p "$s/bin" "$s/data/standby.signal"
	pg_server start "$a" && pg_server start "$s"
}
if pg_server binaries "$major" >"$T/null" 2>&1; then
	ok "a server of version $major and its standby" pair_of_servers
	PGPORT=$(cat "$a/port") s_port=$(cat "$s/port")
	start moved moved --create-slot --failover --state "$T/moved.state" -d \
	    "host=127.0.0.1,127.0.0.1 port=$PGPORT,$s_port target_session_attrs=read-write"
	wait_for 'a reader that makes the slot' 20 logged moved 'msg="streaming"'
	is "$(sql "SELECT failover FROM pg_replication_slots WHERE slot_name = 'moved'")" t \
	    '--failover makes one that is synchronized'
	id=$(insert)
	wait_for 'a row' 20 has moved "$id"
	wait_for 'is confirmed' 20 stored moved moved
	on_s() {
		PGPORT=$s_port sql "$1"
	}
	synchronized() {
		on_s 'SELECT pg_sync_replication_slots()'
		on_s "SELECT synced AND NOT temporary FROM pg_replication_slots
		    WHERE slot_name = 'moved'" | grep -qx t
	}
	wait_for 'the standby has it' 30 synchronized
	id2=$(insert)
	wait_for 'another row' 20 has moved "$id2"
	# A slot of the standby's own.
	on_s "SELECT pg_create_logical_replication_slot('there', 'pgoutput')" >"$T/there" &
	there=$!
	made() {
		sql 'SELECT pg_log_standby_snapshot()' >"$T/null"
		[ -s "$T/there" ]
	}
	wait_for 'a slot on the standby' 30 made
	wait "$there"
	PGPORT=$s_port exits 100 'tables are not loaded from a standby' \
	    timeout 60 pgcdc-read -s there -p p -o "$T/there.frames" --snapshot initial
	like "$(cat "$T/err")" ' error .*cannot be loaded from a standby.*remedy=.*primary.*never' 'says so'
	on_s "SELECT pg_drop_replication_slot('there')" >"$T/null"
	# A fast stop sends the standby what there is.
	pg_server stop "$a" fast
	on_s 'SELECT pg_promote()' >"$T/null"
	id3=$(on_s "INSERT INTO t (v) VALUES ('new') RETURNING id")
	wait_for 'the standby is promoted: the reader goes on there' 30 has moved "$id3"
	is "$(rows moved)" "$id $id2 $id3 " 'every row came once'
	ok 'it said where it is' logged moved ' info .*another timeline, and has all'
	ends 'it ends in order' "$READER"
	pg_server stop "$s" immediate
else
	skip 'slots on standbys' "NOT CHECKED: PostgreSQL $major is not to be had here"
fi
done_testing
