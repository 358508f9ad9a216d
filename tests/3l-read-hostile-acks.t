#!/bin/sh
# Peers of the ack socket that mean no good: what pgcdc-read believes, how much memory it takes, and
# that the right writer gets through behind them.  32-read-confirm.t has those that lie.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

need_pg
pg_db
sql "CREATE TABLE t (id int); CREATE PUBLICATION p FOR TABLE t;
SELECT pg_create_logical_replication_slot('$ID', 'pgoutput')" >"$T/null"
# shellcheck disable=SC2016
bg read sh -c 'out=$1; shift; exec pgcdc-read "$@" >"$out"' sh "$T/frames" -s "$ID" -p p -a "$T/sock"
READER=$BG_PID
hello() {
	pgcdc-cat "$T/frames" 2>/dev/null | grep -q '^\["H"' && [ -S "$T/sock" ]
}
wait_for 'a reader' 20 hello
sql 'INSERT INTO t VALUES (1)'
emitted() {
	pgcdc-cat "$T/frames" 2>/dev/null | grep -q '^\["C","[^"]*",1\]'
}
wait_for 'a unit' 20 emitted
run=$(pgcdc-cat "$T/frames" 2>/dev/null | jq -r 'select(.[0] == "H") | .[1].run')
lsn=$(pgcdc-cat "$T/frames" 2>/dev/null | jq -r 'select(.[0] == "C") | .[1]')

# peers KIND: prints what became of them.
peers() {
	"$PYTHON" - "$1" "$T/sock" <<'END'
import os, socket, sys, time

def connect():
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(30)
    s.connect(sys.argv[2])
    return s

def send_all(s, piece, most):
    """How much went before the reader closed."""
    sent = 0
    try:
        while sent < most:
            sent += s.send(piece)
    except OSError:
        pass
    return sent

def closed(s):
    try:
        return s.recv(1) == b""
    except ConnectionError:
        return True

kind = sys.argv[1]
if kind == "line":
    print(send_all(connect(), b"x" * 65536, 1 << 30) < 1 << 24)
elif kind == "binary":
    print(all(closed(s) for _ in range(50) for s in [connect()] if send_all(s, os.urandom(4000), 4000) + 1))
elif kind == "many":
    some = []
    try:
        for _ in range(300):
            some.append(connect())
    except OSError:
        pass
    for s in some[1:]:
        s.settimeout(30)
    refused = sum(closed(s) for s in some[1:])
    print(refused == len(some) - 1 and len(some) > 1)
elif kind == "drip":
    s = connect()
    try:
        for _ in range(300):
            s.send(b"p")
            time.sleep(0.2)
    except OSError:
        print(True)
END
}
is "$(peers line)" True 'a line of 1 GB is not read to its end'
is "$(peers binary)" True 'bytes that are no text'
is "$(peers many)" True 'hundreds of connections at once: all but one are refused'
is "$(peers drip)" True 'a greeting that drips is not waited for'
ok 'nothing of that was believed' not grep -q 'connected' "$T/read.log"
below "$(vmhwm "$READER")" 24576 'the memory is bounded'
: >"$T/in"
printf 'pgcdc-ack 1 %s\nack 1 %s\n' "$run" "$lsn" >"$T/in"
bg client "$PYTHON" "$TOP/tests/ack-client.py" "$T/sock" "$T/in"
confirmed() {
	[ "$(sql "SELECT confirmed_flush_lsn >= '$lsn' FROM pg_replication_slots WHERE slot_name = '$ID'")" = t ]
}
wait_for 'the right writer gets through behind them' 30 confirmed
kill -TERM "$READER"
wait_exit 'and the reader ends well' 30 "$READER" 0
done_testing
