#!/bin/sh
# A server that forgets what it is reading: what an earlier connection left behind moves the slot's
# restart_lsn to where this one has not read up to yet, and a checkpoint removes what is between.
# The next connection begins behind it, and nothing is missing.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

own_pg
pg_db
sql "CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE noise (v text);
CREATE PUBLICATION p FOR TABLE t" >"$T/null"

slot() {
	sql "SELECT $1 FROM pg_replication_slots WHERE slot_name = '$s'"
}
logged() {
	grep -q "$2" "$T/$1.log"
}
# The walsender's pid comes to $walsender.
moved() {
	walsender=$(slot "CASE WHEN restart_lsn > '$restart' THEN active_pid END")
	[ -n "$walsender" ]
}
emitted() {
	[ "$(pgcdc-cat "$T/first$s.frames" 2>"$T/null" | grep -c '^\["I"')" -ge 3 ]
}
free() {
	[ "$(slot active)" = f ]
}
has_five() {
	pgcdc-cat "$T/second$s.frames" 2>"$T/null" | grep -q '^\["I",[0-9]*,\[5,'
}

# once SLOT: what the server does with a slot of that name.
once() {
	s=$1
	sql "TRUNCATE t; SELECT pg_create_logical_replication_slot('$s', 'pgoutput')" >"$T/null"
	# The first one reads all, and confirms nothing.
	bg "first$s" sh -c "exec pgcdc-read -s $s -p p -a '$T/ack' --state '$T/$s.state' >'$T/first$s.frames'"
	first=$BG_PID
	wait_for 'a reader' 20 logged "first$s" 'msg="streaming"'
	sql "INSERT INTO t VALUES (1)"
	for turn in 2 3; do
		# Log of several segments, which takes a while to read.
		sql "INSERT INTO noise SELECT repeat(md5(i::text), 30) FROM generate_series(1, 150000) i"
		sql "CHECKPOINT; INSERT INTO t VALUES ($turn); CHECKPOINT"
	done
	wait_for 'has all' 60 emitted
	restart=$(slot restart_lsn)
	sql "CHECKPOINT; INSERT INTO t VALUES (4)"
	end=$(sql 'SELECT pg_current_wal_lsn()')
	kill -KILL "$first"
	wait_exit 'kill -9' 20 "$first" 137
	wait_for 'the slot is free' 20 free
	# What it had was stored, let us say, and that was in its state file.
	sed "s|^acked .*|acked $end|" "$T/$s.state" >"$T/state.new"
	mv "$T/state.new" "$T/$s.state"

	bg "second$s" pgcdc-read -s "$s" -p p --proto 1 -o "$T/second$s.frames" --state "$T/$s.state"
	wait_for 'the slot moves while the server reads' 30 moved
	kill -STOP "$walsender"
	sql 'CHECKPOINT; CHECKPOINT'
	kill -CONT "$walsender"
	sql "INSERT INTO t VALUES (5)"
	wait_for 'it goes on' 60 has_five
	kill -KILL "$BG_PID"
	wait_exit 'kill -9' 20 "$BG_PID" 137
	wait_for 'the slot is free again' 20 free
	sql "SELECT pg_drop_replication_slot('$s')" >"$T/null"
}

# A server may have read on before it was stopped.
for name in a b c d; do
	once "$name"
	! logged "second$name" 'already been removed' || break
done
ok 'though the server lacked what it was reading' logged "second$name" \
    ' warn .*trying again.*server=.*already been removed'
ok 'and it said nothing worse' not logged "second$name" ' error '
done_testing
