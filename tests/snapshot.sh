# shellcheck shell=sh disable=SC2154,SC2034
# snapshot.sh -- for tests of snapshots: a reader in the background, whose frames go to a file,
# and what they make, compared with the tables.  Sourced after lib.sh, with a database of the
# test's own, whose publication and slot are $ID.

# reader NAME [OPTION...]: process $READER, frames $T/NAME.frames, state $T/NAME.state, requests
# to $T/NAME.control, log $T/NAME.log.
reader() {
	_reader=$1
	shift
	rm -f "$T/$_reader.control"
	bg "$_reader" pgcdc-read -s "$ID" -p "$ID" -v -o "$T/$_reader.frames" \
	    --state "$T/$_reader.state" --control "$T/$_reader.control" "$@"
	READER=$BG_PID
}

# slowly NAME [OPTION...]: a reader that loads a block at a time, some five a second.
slowly() {
	_name=$1
	shift
	reader "$_name" --snapshot initial --snapshot-workers 1 --snapshot-chunk-bytes 1 \
	    --snapshot-max-rate 75 "$@"
}

# killed: it is, and the slot is free.
slot_free() {
	[ "$(sql "SELECT active FROM pg_replication_slots WHERE slot_name = '$ID'")" = f ]
}
killed() {
	kill -9 "$READER"
	wait "$READER" 2>"$T/out"
	wait_for 'the slot is free' 20 slot_free
}

# wide: SQL for table t of $rows, 300, some 15 in a block, or less where $fillfactor says so.
wide() {
	echo "CREATE TABLE t (id int PRIMARY KEY, n int, name text, big text)
	    WITH (autovacuum_enabled = off, fillfactor = ${fillfactor:-100});
	ALTER TABLE t ALTER big SET STORAGE EXTERNAL;
	INSERT INTO t SELECT i, 0, repeat('x', 500) FROM generate_series(1, ${rows:-300}) i;"
}

# anew PUBLICATION STATEMENTS [STATEMENTS]: no tables $gone, nothing of any reader; then what the
# first statements make, CREATE PUBLICATION $ID with these words, the others, and the slot.
gone=t
anew() {
	[ -z "$(sql "SELECT 1 FROM pg_replication_slots WHERE slot_name = '$ID'")" ] ||
	    sql "SELECT pg_drop_replication_slot('$ID')" >"$T/out"
	rm -f "$T"/*.state "$T"/*.frames "$T"/*.log
	sql "SET client_min_messages = warning; DROP PUBLICATION IF EXISTS $ID;
	DROP TABLE IF EXISTS $gone; $2
	; CREATE PUBLICATION $ID $1; ${3:-}
	SELECT pg_create_logical_replication_slot('$ID', 'pgoutput')" >"$T/out"
}

# frames: of the last reader, as lines; streamed PATTERN N: so many are like that.
frames() {
	pgcdc-cat "$T/$_reader.frames" 2>/dev/null
}
streamed() {
	[ "$(frames | grep -c "$1")" -ge "$2" ]
}

# state_has N: so many blocks of a table that is being loaded, in the state file.
state_has() {
	[ "$(sed -n 's/^table [0-9]* [0-9]* \([0-9]*\) loading.*/\1/p' "$T/$_reader.state" |
	    sort -n | tail -n 1)" -ge "$1" ]
}

# request LINE: to the last reader; prints its answer.
request() {
	"$PYTHON" -c 'import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.sendall(sys.argv[2].encode() + b"\n")
s.shutdown(socket.SHUT_WR)
print(s.makefile(encoding="utf-8").read(), end="")' "$T/$_reader.control" "$1"
}

logged() {
	grep -Eq "$1" "$T/$_reader.log"
}

# loaded TABLE...: are they stored, by the reader's word?
loaded() {
	for _table; do
		request status | grep -Fq "table $_table loaded " || return
	done
}

# blocks TABLE: so many are stored.
blocks() {
	request status | sed -n "s/^table $1 [a-z]* \([0-9]*\) .*/\1/p"
}
blocks_at_least() {
	[ "$(blocks "$1")" -ge "$2" ]
}

# stop: all that is committed is written, and the reader ends.  Two checks.
written() {
	[ "$(sql "SELECT confirmed_flush_lsn >= '$_lsn' FROM pg_replication_slots
	    WHERE slot_name = '$ID'")" = t ]
}
stop() {
	_lsn=$(sql 'SELECT pg_current_wal_lsn()')
	wait_for 'all is written' 60 written
	kill "$READER"
	wait_exit 'the reader ends' 30 "$READER" 0
}

# equal DESCRIPTION TABLE...: the frames make what the tables hold.  Unquoted names; TABLE may be
# followed by =SELECT.
equal() {
	_what=$1
	shift
	for _table; do
		case $_table in
		*=*) _select=${_table#*=} ;;
		*) _select="SELECT * FROM $_table" ;;
		esac
		printf '%s\n' "$_select" | psql -XAtq -P null=NULL -v ON_ERROR_STOP=1 -f - |
		    _name=${_table%%=*} awk '{ print ENVIRON["_name"] ": " $0 }'
	done | LC_ALL=C sort -u >"$T/expected"
	for _table; do
		"$PYTHON" "$TOP/tests/loaded.py" "$T/$_reader.frames" "${_table%%=*}" || echo failed
	done 2>&1 | LC_ALL=C sort >"$T/got"
	same "$T/got" "$T/expected" "$_what"
}

# session NAME: a session whose statements come by say NAME TEXT.
session() {
	mkfifo "$T/$1.in"
	bg "$1" psql -XAtq -v ON_ERROR_STOP=0 -f "$T/$1.in"
	eval "exec $2<>\"$T/$1.in\""
}

# waits_in EVENT QUERY: a session that runs a query like that waits so.
waits_in() {
	[ -n "$(sql "SELECT 1 FROM pg_stat_activity WHERE wait_event = '$1' AND query LIKE '$2'
	    AND pid <> pg_backend_pid()")" ]
}

# absent_standby / no_standby: commits wait for a synchronous standby that is not there, or don't.
absent_standby() {
	sql "ALTER SYSTEM SET synchronous_standby_names = 'nobody'; SELECT pg_reload_conf()" \
	    >"$T/out"
	wait_for 'commits wait for a standby' 20 standby_is nobody
}
no_standby() {
	sql "SET synchronous_commit = local;
	ALTER SYSTEM SET synchronous_standby_names = ''; SELECT pg_reload_conf()" >"$T/out"
	wait_for 'commits wait no more' 20 standby_is ''
}
standby_is() {
	[ "$(sql 'SHOW synchronous_standby_names')" = "$1" ]
}
