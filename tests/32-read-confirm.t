#!/bin/sh
#
# pgcdc-read: what it confirms to the server and when, with a client that plays the writer;
# its state file, its ends, and a consumer that does not read.

# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

# A server of its own: where it must be idle, nobody else may write.
own_pg
pg_db
sql 'CREATE TABLE t (id int, v text); CREATE TABLE unpublished (id int);
CREATE TABLE wide (id int, v text); ALTER TABLE wide REPLICA IDENTITY FULL;
CREATE PUBLICATION p FOR TABLE t; CREATE PUBLICATION w FOR TABLE wide; CREATE PUBLICATION nothing'
for slot in s quiet blocked; do
	sql "SELECT pg_create_logical_replication_slot('$slot', 'pgoutput')"
done >"$T/null"

# Status updates come every two seconds then, not every ten.  The second connection is idle
# for longer than it may by default, but must stay.
timeout="options='-cwal_sender_timeout=8s -cidle_session_timeout=200'"

# What runs in the background must not hold the pipes 3 and 4 that the test holds.
alone() {
	bg "$@" 3<&- 4<&-
}

# start NAME [OPTION...]: a reader with an ack socket $T/NAME.sock, its frames in
# $T/NAME.frames; it is process $READER, its run is $run.
start() {
	name=$1
	shift
	rm -f "$T/$name.frames"
	alone "$name" sh -c 'out=$1; shift; exec pgcdc-read "$@" >"$out"' sh "$T/$name.frames" \
	    -d "$timeout" -s s -p p -a "$T/$name.sock" "$@"
	READER=$BG_PID
	_until 20 hello "$name" || bail "the reader does not start"
	run=$(frames "$name" | jq -r 'select(.[0] == "H") | .[1].run')
}
hello() {
	frames "$1" | grep -q '^\["H"' && [ -S "$T/$1.sock" ]
}
# frames NAME: what it has written so far.
frames() {
	pgcdc-cat "$T/$1.frames" 2>/dev/null
}
# emitted NAME SEQ: that unit is out.
emitted() {
	frames "$1" | grep -q "^\\[\"C\",\"[^\"]*\",$2\\]"
}
# end_of NAME SEQ: its C's LSN.
end_of() {
	frames "$1" | jq -r --argjson seq "$2" 'select(.[0] == "C" and .[2] == $seq) | .[1]'
}

# client NAME [SOCKET]: connects to the reader of that name; $CLIENT is its process.
client() {
	rm -f "$T/$1.in" "$T/client-$1.log"
	: >"$T/$1.in"
	alone "client-$1" "$PYTHON" "$TOP/tests/ack-client.py" "$T/${2:-$1}.sock" "$T/$1.in"
	CLIENT=$BG_PID
	_until 20 grep -q connected "$T/client-$1.log" || bail "the client cannot connect"
}
say() {
	printf '%s\n' "$2" >>"$T/$1.in"
}
closed() {
	grep -q closed "$T/client-$1.log"
}
# logged NAME PATTERN
logged() {
	grep -q "$2" "$T/$1.log"
}
# at_least LSN: the slot's confirmed position.
at_least() {
	sql "SELECT confirmed_flush_lsn >= '$1' FROM pg_replication_slots WHERE slot_name = 's'" |
	    grep -qx t
}
# received LSN: the reader has told the server that it got everything before.
received() {
	sql "SELECT write_lsn >= '$1' FROM pg_stat_replication
	    JOIN pg_replication_slots ON active_pid = pid WHERE slot_name = 's'" | grep -qx t
}
# past LSN LSN: the first is behind the second.
past() {
	[ "$(sql "SELECT '$1'::pg_lsn > '$2'")" = t ]
}
state_lsn() {
	sed -n 's/^acked //p' "$T/state"
}

# Two readers that go on beside all the rest: one whose stdout nobody reads, with far more
# to come than fits the buffers, and one with a writer that connects and says nothing.
sql "INSERT INTO wide SELECT i, repeat('x', 500) FROM generate_series(1, 40000) i"
mkfifo "$T/pipe"
exec 3<>"$T/pipe"
alone blocked sh -c "exec pgcdc-read -d options=-cwal_sender_timeout=4s -s blocked -p w >'$T/pipe'"
blocked=$BG_PID
blocked_pid() {
	sql "SELECT active_pid FROM pg_replication_slots WHERE slot_name = 'blocked'"
}
blocked_has_walsender() {
	blocked_pid | grep -q .
}
wait_for 'a reader with a stdout that nobody reads' 20 blocked_has_walsender
walsender=$(blocked_pid)
start quiet -s quiet -p nothing
quiet=$READER
quiet_run=$run
client quiet

# Only what was acked ----------------------------------------------------------------

start s --state "$T/state"
is "$(stat -c %a "$T/s.sock")" 600 'the socket is for its owner alone'
client s
say s "pgcdc-ack 1 $run"
before=$(sql 'SELECT pg_current_wal_insert_lsn()')
sql 'INSERT INTO t VALUES (1); INSERT INTO t VALUES (2); INSERT INTO t VALUES (3)'
wait_for 'three units' 20 emitted s 3
one=$(end_of s 1) three=$(end_of s 3)
wait_for 'the server knows that they were received' 20 received "$three"
ok 'nothing is confirmed before it is acked' not past "$(slot_confirmed s)" "$before"
ok 'nor in the state file' not past "$(state_lsn)" "$before"
inode=$(stat -c %i "$T/state")
say s "ack 1 $one"
wait_for 'the first one is, after its ack' 20 at_least "$one"
is "$(slot_confirmed s)" "$one" 'to its end, and not further'
is "$(state_lsn)" "$one" 'so says the state file'
ok 'which was replaced' [ "$(stat -c %i "$T/state")" != "$inode" ]
is "$(cat "$T/state")" "$(sql "SELECT E'pgcdc-state 1\\nsystem ' || system_identifier ||
    E'\\nslot s\\ntimeline ' || timeline_id || E'\\nacked $one\\nend'
    FROM pg_control_system(), pg_control_checkpoint()")" 'its form'
ok 'nothing is left beside it' not test -e "$T/state.new"
sql 'INSERT INTO unpublished VALUES (1)'
wait_for 'another table goes on' 20 received "$(sql 'SELECT pg_current_wal_flush_lsn()')"
is "$(slot_confirmed s)" "$one" 'that moves nothing while units are not acked'
say s "ack 3 $three"
wait_for 'one ack for two units' 20 at_least "$three"
sql 'INSERT INTO unpublished VALUES (2)'
wait_for 'with nothing outstanding the slot follows the idle server' 20 \
    at_least "$(sql 'SELECT pg_current_wal_flush_lsn()')"
confirmed=$(slot_confirmed s)
ok 'the state file is not behind the slot' not past "$confirmed" "$(state_lsn)"
sql "INSERT INTO t VALUES (4)"
wait_for 'a fourth unit' 20 emitted s 4
client second s
say second "pgcdc-ack 1 $run"
wait_for 'a second writer is refused' 20 closed second
ok 'and that is said' logged s 'refused a second writer'
kill -KILL "$READER"
wait_exit 'kill -9' 20 "$READER" 137
ok 'leaves the socket' test -S "$T/s.sock"
start s --state "$T/state"
wait_for 'the next reader begins with what was not acked' 20 emitted s 1
is "$(frames s | jq -c 'select(.[0] == "I") | .[2]')" '[4,null]' 'and with nothing else'

# Those that are no writers of this run.
client s
say s 'pgcdc-ack 1 0123456789abcdef0123456789abcdef'
wait_for 'a writer of another run is refused' 20 closed s
ok 'and that is said' logged s 'refused a writer of another run'
client s
say s "pgcdc-ack 2 $run"
wait_for 'another protocol is refused' 20 closed s
client s
say s "ack 1 $(end_of s 1)"
wait_for 'an ack without a greeting is refused' 20 closed s
is "$(grep -c 'does not speak pgcdc-ack 1' "$T/s.log")" 2 'and those are said'
client s
printf '%0200d' 0 >>"$T/s.in"
wait_for 'a line without end is refused' 20 closed s
if [ "$(id -u)" = 0 ]; then
	chmod 666 "$T/s.sock"
	: >"$T/other.in"
	chmod 644 "$T/other.in"
	alone client-other setpriv --reuid=65534 --clear-groups "$PYTHON" "$TOP/tests/ack-client.py" \
	    "$T/s.sock" "$T/other.in"
	wait_for 'another user is refused' 20 closed other
	ok 'and that is said' logged s 'refused a peer of another user.*uid=65534'
else
	skip 'another user is refused' 'not root'
	skip 'and that is said' 'not root'
fi
ok 'nothing of that was believed' not at_least "$(end_of s 1)"
client s
say s "pgcdc-ack 1 $run"
printf 'ack 1 ' >>"$T/s.in"
say s "$(end_of s 1)"
wait_for 'the right one is taken after all those' 20 at_least "$(end_of s 1)"

# The end, by TERM -------------------------------------------------------------------

kill -TERM "$READER"
wait_exit 'TERM, all acked' 20 "$READER" 0
is "$(frames s | tail -n 1 | jq -c 'del(.[1])')" '["E","term"]' 'E is the last frame'
ok 'the socket is gone' not test -e "$T/s.sock"

start s --state "$T/state"
client s
say s "pgcdc-ack 1 $run"
sql 'INSERT INTO t VALUES (5); INSERT INTO t VALUES (6)'
wait_for 'two units' 20 emitted s 2
kill -INT "$READER"
ended() {
	frames "$1" | tail -n 1 | grep -q '^\["E"'
}
wait_for 'E comes before the acks' 20 ended s
say s "ack 2 $(end_of s 2)"
wait_exit 'INT, the last ack is waited for' 20 "$READER" 0
ok 'and confirmed' at_least "$(end_of s 2)"

start s --state "$T/state" --drain 0
client s
say s "pgcdc-ack 1 $run"
sql 'INSERT INTO t VALUES (7); INSERT INTO t VALUES (8)'
wait_for 'two units' 20 emitted s 2
one=$(end_of s 1)
say s "ack 1 $one"
wait_for 'one is acked' 20 at_least "$one"
kill -TERM "$READER"
wait_exit 'the last ack is waited for, but not forever' 20 "$READER" 111
ok 'which is said' logged s 'not stored in time" emitted=2 stored=1'
is "$(slot_confirmed s)" "$one" 'what was acked is confirmed'

start s --state "$T/state" --drain 1000
wait_for 'the unit again' 20 emitted s 1
kill -TERM "$READER"
wait_for 'a reader that waits for its last ack' 20 ended s
kill -TERM "$READER"
wait_exit 'ends at a second TERM' 5 "$READER" 111

rm "$T/s.log"
start s -v --state "$T/state" --drain 1000
wait_for 'the unit again' 20 emitted s 1
client s
say s "pgcdc-ack 1 $run"
wait_for 'a writer' 20 logged s 'the writer is connected'
kill -TERM "$READER"
wait_for 'a reader that waits for its last ack' 20 ended s
kill -KILL "$CLIENT"
wait_exit 'ends when the writer goes without it' 20 "$READER" 111
start s --state "$T/state" --drain 1000
wait_for 'the unit again' 20 emitted s 1
: >"$T/s.in"
say s "pgcdc-ack 1 $run"
say s "ack 1 $(end_of s 1)"
kill -TERM "$READER"
wait_for 'one without a writer yet' 20 ended s
alone client-s "$PYTHON" "$TOP/tests/ack-client.py" "$T/s.sock" "$T/s.in"
wait_exit 'takes the ack of one that comes late' 20 "$READER" 0
ok 'and confirms' at_least "$(end_of s 1)"

# A broken protocol ------------------------------------------------------------------

# breaks DESCRIPTION PATTERN ACK...: the reader ends with 111 and says why; nothing is
# confirmed.  Units 1 to 3 are out; % stands for the end of one.
sql 'INSERT INTO t VALUES (9); INSERT INTO t VALUES (10); INSERT INTO t VALUES (11)'
breaks() {
	what=$1 pattern=$2
	shift 2
	start s --state "$T/state"
	wait_for "$what: units" 20 emitted s 3
	client s
	say s "pgcdc-ack 1 $run"
	for ack; do
		case $ack in
		*%*) ack=${ack%\%*}$(end_of s "${ack#*%}") ;;
		esac
		say s "$ack"
	done
	wait_exit "$what: the reader ends" 20 "$READER" 111
	ok "$what: it says why" logged s "$pattern"
	rm "$T/s.log"
}
confirmed=$(slot_confirmed s)
breaks 'an ack of a unit that is not out yet' 'acknowledged what was not sent" seq=4' 'ack 4 %3'
breaks "an ack with another unit's end" 'acknowledged what was not sent" seq=1' 'ack 1 %2'
breaks 'a line that is no ack' 'broke the ack protocol' 'nack 1 %1'
breaks 'an ack without an LSN' 'broke the ack protocol' 'ack 1'
breaks 'an ack of a negative number' 'broke the ack protocol' 'ack -1 %1'
breaks 'an ack with more behind it' 'broke the ack protocol' "ack 1 0/1 2"
breaks 'a line that is too long' 'a line that is too long' "$(printf 'ack %0200d 0/1' 1)"
is "$(slot_confirmed s)" "$confirmed" 'none of these confirmed anything'
breaks 'an ack that goes back' 'acknowledged what was not sent" seq=1' 'ack 2 %2' 'ack 1 %1'
sql 'INSERT INTO t VALUES (12)'
start s --state "$T/state"
last() {
	frames s | grep '^\["C"' | tail -n 1 | jq -r "$1"
}
row_12() {
	frames s | tail -n 2 | grep -q '\[12,null\]'
}
wait_for 'units' 20 row_12
client s
say s "pgcdc-ack 1 $run"
say s "ack $(last '"\(.[2]) \(.[1])"')"
wait_for 'all acked' 20 at_least "$(last '.[1]')"
kill -KILL "$CLIENT"
wait_exit 'a writer that goes takes the reader along' 20 "$READER" 111
ok 'which says so' logged s 'the writer is gone'

# Paths that cannot be the socket's.
run_once() {
	timeout 60 pgcdc-read -s s -p p "$@"
}
echo keep >"$T/file"
exits 100 'a socket where a file is' run_once -a "$T/file"
is "$(cat "$T/file")" keep 'leaves the file alone'
exits 111 'a socket where another reader listens' run_once -a "$T/quiet.sock"
like "$(cat "$T/err")" 'another program listens' 'says so'
exits 100 'a socket in no folder' run_once -a "$T/no/sock"
exits 100 'a path that is too long' run_once -a "$T/$(printf '%0100d' 0)"

# The state file ---------------------------------------------------------------------

sql 'INSERT INTO t VALUES (20); INSERT INTO t VALUES (21); INSERT INTO t VALUES (22)'
cp "$T/state" "$T/good"
# state SED: runs once with the state file changed by it, for what the slot holds; nothing is
# confirmed, for the pipe's reader cannot say.
state() {
	edit=$1
	shift
	sed "$edit" "$T/good" >"$T/state"
	cp "$T/state" "$T/before"
	{
		run_once --state "$T/state" --until-caught-up "$@" 2>"$T/err"
		echo $? >"$T/status"
	} | pgcdc-cat >"$T/out" 2>"$T/null"
}
units() {
	jq -c 'select(.[0] == "I") | .[2][0]' "$T/out" | tr '\n' ' '
}
state ''
is "$(cat "$T/status"): $(units)" '0: 20 21 22 ' 'with its own state file it goes on'
for damage in 1d '$d' 's/^acked.*/acked 0-1/' '/^acked/d' '/^system/d' 's/^timeline.*/timeline one/' \
    's/^system.*/system/'; do
	state "$damage"
	is "$(cat "$T/status")" 100 "a state file damaged by $damage is refused"
	like "$(cat "$T/err")" 'state file is damaged.*line=[0-9].*remedy=' 'and that is said'
	same "$T/state" "$T/before" 'and it stays as it is'
done
: >"$T/state"
exits 100 'an empty one, too' run_once --state "$T/state" -o "$T/f"
exits 100 'one that cannot be read' run_once --state "$T" -o "$T/f"
exits 100 'one that cannot be written' run_once --state "$T/no/state" -o "$T/f"
is "$(wc -c <"$T/f")" 0 'nothing was sent then'
cp "$T/good" "$T/state"
mkdir "$T/state.new"
exits 111 'one that cannot be replaced' run_once --state "$T/state" -o "$T/f"
same "$T/state" "$T/good" 'stays whole'
rmdir "$T/state.new"
state '/^end/i later feature'
is "$(cat "$T/status")" 0 'a line of a later version is skipped'
state 's/^system.*/system 1234567890/'
is "$(cat "$T/status")" 100 'a state file of another server is refused'
like "$(cat "$T/err")" 'another server.*its_system=1234567890.*remedy=.*version epoch.*--accept-gap' \
    'which is said'
same "$T/state" "$T/before" 'stays as it is'
state 's/^system.*/system 1234567890/' --accept-gap
is "$(cat "$T/status"): $(units)" '0: 20 21 22 ' '--accept-gap goes on'
ok 'and makes it its own' grep -q "$(grep system "$T/good")" "$T/state"
state 's/^slot.*/slot another/'
is "$(cat "$T/status")" 100 'a state file of another slot'
like "$(cat "$T/err")" 'its_slot=another.*--accept-gap' 'which is said'
state 's/^acked.*/acked FFFFFF\/0/'
is "$(cat "$T/status")" 100 "one that is ahead of the server's log"
like "$(cat "$T/err")" 'log ends before what was taken.*log_end=.*--accept-gap' 'which is said'
state 's/^acked.*/acked FFFFFF\/0/' --accept-gap
is "$(cat "$T/status"): $(units)" '0: 20 21 22 ' '--accept-gap goes on where the slot is'
state 's/^acked.*/acked 0\/1/'
is "$(cat "$T/status"): $(units)" '0: 20 21 22 ' 'a slot that is ahead: it goes on'
like "$(cat "$T/err")" ' warn .*slot is ahead of what was confirmed.*confirmed=.*acked=0/1' \
    'and warns'
state 's/^acked.*/acked 0\/1/' --sole-owner
is "$(cat "$T/status")" 100 'but ends with --sole-owner'
like "$(cat "$T/err")" ' error .*slot is ahead' 'saying so'
state 's/^acked.*/acked 0\/1/' --sole-owner --accept-gap
is "$(cat "$T/status")" 0 'unless told --accept-gap'
state 's/^slot.*/slot gone/' -s gone --create-slot
is "$(cat "$T/status")" 100 'a slot that is gone is not made anew'
like "$(cat "$T/err")" 'slot is gone.*remedy=.*--accept-gap' 'which is said'
is "$(sql "SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'gone'")" 0 'nor made'
state 's/^slot.*/slot gone/' -s gone --create-slot --accept-gap
is "$(cat "$T/status"): $(units)" '0: ' 'but with --accept-gap'
is "$(sql "SELECT count(*) FROM pg_replication_slots WHERE slot_name = 'gone'")" 1 'it is made'
sql "SELECT pg_drop_replication_slot('gone')" >"$T/null"
state ''
state "s,^acked.*,acked $(jq -r 'select(.[0] == "C" and .[2] == 2) | .[1]' "$T/out"),"
is "$(cat "$T/status"): $(units)" '0: 22 ' 'a slot that is behind: what is stored is skipped'
ok 'and confirmed' at_least "$(state_lsn)"

# Ends that are asked for ------------------------------------------------------------

# until_end OPTION...: prints the rows, the exit status and the reason.
until_end() {
	{
		run_once "$@" 2>"$T/err"
		echo $? >"$T/status"
	} | pgcdc-cat >"$T/out"
	echo "$(units)$(cat "$T/status") $(jq -r 'select(.[0] == "E") | .[2]' "$T/out")"
}
# Units 1 to 3 are rows 22 to 24 now, and a pipe confirms none.
sql 'INSERT INTO t VALUES (23); INSERT INTO t VALUES (24)'
until_end --until-caught-up >"$T/null"
begin=$(jq -r 'select(.[0] == "B") | .[1]' "$T/out" | sed -n 2p)
end=$(jq -r 'select(.[0] == "C") | .[1]' "$T/out" | sed -n 2p)
begin_1=$(sql "SELECT '$begin'::pg_lsn + 1")
is "$(until_end --endpos 0/1)" '0 endpos' '--endpos in the past'
is "$(until_end --endpos "$begin")" '22 0 endpos' '--endpos: the commit there is not part of it'
is "$(until_end --endpos "$begin_1")" '22 23 0 endpos' 'the one before is'
is "$(until_end --endpos "$end")" '22 23 0 endpos' '--endpos at a C'
like "$(cat "$T/err")" 'nothing is confirmed.*remedy=' 'that a pipe confirms nothing is said'
is "$(grep -c 'nothing is confirmed' "$T/err")" 1 'once'
lsn=$(sql "SELECT pg_current_wal_insert_lsn() + 100000")
alone future sh -c "pgcdc-read -s s -p p --endpos $lsn | pgcdc-cat >'$T/future.frames'"
future_has() {
	grep -q "\[$1,null\]" "$T/future.frames"
}
wait_for '--endpos in the future: it follows' 20 future_has 24
sql "INSERT INTO unpublished SELECT i FROM generate_series(1, 10000) i; INSERT INTO t VALUES (25)"
wait_exit 'until it is reached' 20 "$BG_PID" 0
is "$(tail -n 1 "$T/future.frames" | jq -r '.[0], .[2]' | tr '\n' ' ')" 'E endpos ' 'E says why'
ok 'without what comes later' not future_has 25

is "$(until_end --until-caught-up)" '22 23 24 25 0 caught-up' '--until-caught-up'
sql 'SELECT pg_switch_wal()' >"$T/null"
is "$(until_end --until-caught-up)" '22 23 24 25 0 caught-up' 'right after a switch of the log'
# Where the log ends at a page's start, its next record will be behind the page's header.
sql "DO \$do\$
DECLARE
	at int8;
	overhead int8;
BEGIN
	FOR i IN 1 .. 100 LOOP
		at := pg_current_wal_insert_lsn() - '0/0';
		PERFORM pg_logical_emit_message(false, '', repeat('x', 1000));
		overhead := pg_current_wal_insert_lsn() - '0/0' - at - 1000;
		at := 8192 - (pg_current_wal_insert_lsn() - '0/0') % 8192 - overhead;
		CONTINUE WHEN at < 300 OR overhead > 100;
		PERFORM pg_logical_emit_message(false, '', repeat('x', at::int));
		EXIT WHEN (pg_current_wal_insert_lsn() - '0/0') % 8192 <= 40;
	END LOOP;
END \$do\$"
ok "the log ends at a page's start" [ \
    "$(sql "SELECT (pg_current_wal_insert_lsn() - '0/0') % 8192 <= 40")" = t ]
is "$(until_end --until-caught-up)" '22 23 24 25 0 caught-up' 'and then'
sql 'DO $$ BEGIN FOR i IN 30 .. 3029 LOOP INSERT INTO t VALUES (i); COMMIT; END LOOP; END $$'
until_end --until-caught-up >"$T/null"
is "$(units | wc -w): $(jq -r 'select(.[0] == "E") | .[2]' "$T/out")" '3004: caught-up' \
    'with a backlog: all of it'

# A consumer that goes away ----------------------------------------------------------

mkfifo "$T/pipe2"
exec 4<>"$T/pipe2"
alone idle sh -c "exec pgcdc-read -s s -p w >'$T/pipe2'"
streaming() {
	logged "$1" 'msg="streaming"'
}
wait_for 'an idle reader' 20 streaming idle
exec 4>&-
wait_exit 'ends when nobody reads any more' 20 "$BG_PID" 111
ok 'and says so' logged idle 'standard output is closed'
exits 111 'a reader with something to say, too' sh -c \
    "{ pgcdc-read -s s -p p; echo \$? >'$T/status'; } | true; exit \$(cat '$T/status')"

# In the middle of a unit ------------------------------------------------------------

exec 4<>"$T/pipe2"
alone middle sh -c "exec pgcdc-read -s blocked -p w -v -a '$T/middle.sock' --drain 100 \
    --slot-check-interval 20 >'$T/pipe2'"
middle=$BG_PID

# Blocked for long -------------------------------------------------------------------

blocked_long() {
	sql "SELECT reply_time - backend_start > '10 s' FROM pg_stat_replication
	    WHERE pid = $walsender" | grep -qx t
}
wait_for 'the blocked reader answers for longer than wal_sender_timeout' 30 blocked_long
is "$(blocked_pid)" "$walsender" 'on the same connection'
hwm=$(vmhwm "$blocked")
below "$hwm" 16384 'its memory is bounded'
alone consumer sh -c "exec pgcdc-cat <'$T/pipe' >'$T/blocked.json'"
consumer=$BG_PID
wait_for 'it is read from' 20 test -s "$T/blocked.json"
exec 3>&-
blocked_done() {
	grep -q '^\["C".*,1\]' "$T/blocked.json"
}
wait_for 'it goes on when somebody reads' 30 blocked_done
is "$(grep -c '^\["I"' "$T/blocked.json")" 40000 'with every row'
is "$(blocked_pid)" "$walsender" 'on the same connection'
kill -TERM "$blocked"
wait_exit 'and ends' 20 "$blocked" 0
wait_exit 'as does its consumer' 20 "$consumer" 0

wait_for 'another one, in the middle of a unit' 20 test -S "$T/middle.sock"
full() {
	"$PYTHON" -c 'import array, fcntl, sys, termios
n = array.array("i", [0])
fcntl.ioctl(4, termios.FIONREAD, n)
print(n[0])
sys.exit(n[0] < 500000)'
}
wait_for 'whose pipe is full' 20 full
kill -TERM "$middle"
wait_for 'TERM ends the unit a second later' 20 logged middle 'reason=term'
alone consumer sh -c "exec pgcdc-cat <'$T/pipe2' >'$T/middle.json'"
consumer=$BG_PID
wait_for 'it is read from' 20 test -s "$T/middle.json"
exec 4>&-
wait_exit 'the reader is done' 20 "$middle" 0
wait_exit 'the consumer has a whole stream' 20 "$consumer" 0
is "$(jq -r '.[0]' "$T/middle.json" | uniq | tr -d '\n')" HBRIE 'with E inside the unit'

# Memory -----------------------------------------------------------------------------

sql "SELECT pg_drop_replication_slot('blocked');
SELECT pg_create_logical_replication_slot('blocked', 'pgoutput');
INSERT INTO wide SELECT i, 'some text ' || i FROM generate_series(1, 300000) i" >"$T/null"
start big -s blocked -p w
committed() {
	tail -c 40 "$T/$1.frames" | grep -q "$(printf '\223\241C')"
}
wait_for '300,000 rows' 60 committed big
hwm=$(vmhwm "$READER")
below "$hwm" 16384 'a transaction of them needs little memory'
rows=$(frames big | grep -c '^\["I"')
is "$rows" 300000 'they are all there'
sql "INSERT INTO wide SELECT 1, repeat('0123456789', 3000000)"
wait_for 'a row of 30 MB' 60 emitted big 2
hwm=$(vmhwm "$READER")
below "$hwm" 120000 'needs about three times as much'
is "$(frames big | jq -r 'select(.[0] == "I" and .[2][0] == 1) | .[2][1] | length' | tail -n 1)" \
    30000000 'and is whole'
kill -KILL "$READER"
wait_exit 'the reader is done with' 20 "$READER" 137

# The silent writer was dropped meanwhile, and another one may come.
wait_for 'a writer that says nothing is dropped' 30 closed quiet
ok 'and that is said' logged quiet 'a peer that said nothing'
client quiet
say quiet "pgcdc-ack 1 $quiet_run"
ok 'another one is let in' not closed quiet
kill -TERM "$quiet"
wait_exit 'and the reader ends in order' 20 "$quiet" 0

# A server that shuts down -----------------------------------------------------------

# It waits until all that it sent is confirmed: the readers must not wait for what may never
# be stored.  One waits for acks, one for its consumer; it has the second connection.
sql 'INSERT INTO t VALUES (40)'
start s
mkfifo "$T/pipe3"
exec 3<>"$T/pipe3"
alone stuck sh -c "exec pgcdc-read -s blocked -p w -a '$T/stuck.sock' >'$T/pipe3'"
stuck=$BG_PID
wait_for 'a reader with units that are not acked' 20 emitted s 1
catalog() {
	sql "SELECT state FROM pg_stat_activity WHERE application_name = 'pgcdc-read catalog'" |
	    grep -qx idle
}
wait_for 'one with a second connection' 20 catalog
alone stop "$TOP/tests/pg-server" stop "$PG_DIR" fast
stop=$BG_PID
wait_exit 'so the server can stop' 20 "$stop" 0
is "$(grep -c 'received immediate shutdown' "$PG_DIR/log")" 0 'in order'
ok 'which it did' sh -c "tail -n 1 '$PG_DIR/log' | grep -q 'system is shut down'"
wait_for 'the first one goes on trying' 20 logged s 'msg="connecting again"'
wait_for 'the second one, too' 20 logged stuck 'msg="connecting again"'
kill -TERM "$READER" "$stuck"
wait_for 'without a server the first one ends in order' 20 sh -c \
    "pgcdc-cat '$T/s.frames' 2>/dev/null | grep -q '^\[\"E\".*term'"
client s
say s "pgcdc-ack 1 $run"
say s "$(frames s | jq -r 'select(.[0] == "C") | "ack \(.[2]) \(.[1])"' | tail -n 1)"
wait_exit 'when all is stored' 20 "$READER" 0

done_testing
