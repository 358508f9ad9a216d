#!/bin/sh
# pgcdc run says when it is ready: by a file, a descriptor and the service manager's socket;
# and why it is not: the reason of what failed is in its last line, in status.last, and with
# the service manager.  All lines of the log are events, whoever wrote them.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
own_pg
pg_db
# shellcheck source=pipeline.sh
. "$TOP/tests/pipeline.sh"
standin_start

sql "CREATE TABLE t (id serial PRIMARY KEY, v text); CREATE PUBLICATION $ID FOR TABLE t;
SELECT pg_create_logical_replication_slot('$SLOT', 'pgoutput')" >"$T/made"
cat >"$T/mapping.yml" <<EOT
tables:
  - table: public.t
    index: $ID
EOT

# listen SOCKET: what is told there is in $T/told.
listen() {
	: >"$T/told"
	bg listen "$PYTHON" "$TOP/tests/notify-listen.py" "$1" "$T/told"
	listener=$BG_PID
	wait_for "$1 is listened on" 10 listening "${1#@}"
}
listening() {
	grep -q -F -e "$1" /proc/net/unix
}
told() {
	grep -q -x -e "there $1" "$T/told"
}
told_last() {
	[ "$(sed -n 's/^there //; /^STATUS=/p' "$T/told" | tail -n 1)" = "STATUS=$1" ]
}
# told_times LINE N: so often, at least.
told_times() {
	[ "$(grep -c -x -e "there $1" "$T/told")" -ge "$2" ]
}
ready_is() {
	[ "$(cat "$T/ready")" = "$1" ]
}
logged() {
	grep -q -e "$1" "$T/pgcdc.log"
}
last_of() {
	sed -n "s/^$1=//p" "$RUNDIR/status.last"
}

# The file, the descriptor, the socket -----------------------------------------------

listen "$T/notify"
pipeline_conf PGCDC_ES_URL="$STANDIN_URL" PGCDC_READY_FILE="$T/not this" PGCDC_RESTART_MIN=1.5
echo stale >"$T/ready"
: >"$T/fd"
NOTIFY_SOCKET=$T/notify bg pgcdc sh -c 'exec "$@" 3>>"$0"' "$T/fd" pgcdc run -c "$T/pgcdc.conf" \
    --ready-file "$T/ready" --ready-fd 3
PIPELINE=$BG_PID
wait_for 'the ready file says that it streams' 20 ready_is streaming
is "$(wc -c <"$T/fd" | tr -d ' ')" 1 'the descriptor got a newline'
wait_for 'READY=1' 10 told READY=1
ok 'with what it does' told "STATUS=streaming: slot $SLOT"
ok 'the sender could be looked up' not grep -q '^gone' "$T/told"
ok 'the option wins over the configuration' [ ! -e "$T/not this" ]
is "$(last_of pid)" "$PIPELINE" 'status.last: the process'
like "$(last_of started)" '^20.*Z$' 'status.last: when it began'
is "$(last_of restarts)$(last_of ended)" 0 'status.last: neither restarted nor ended'

# Another one on the slot stands by, and is ready for that.
sed "s|^PGCDC_RUNDIR=.*|PGCDC_RUNDIR=$T/second|; s|^PGCDC_READY_FILE=.*|PGCDC_READY_FILE=$T/ready2|" \
    "$T/pgcdc.conf" >"$T/second.conf"
bg second pgcdc run -c "$T/second.conf" --ready-fd=12
wait_exit 'a descriptor that is not open is refused' 10 "$BG_PID" 100
bg second sh -c 'exec 7>>"$0"; exec "$@"' "$T/fd2" pgcdc run -c "$T/second.conf" --ready-fd=7
second=$BG_PID
standing_by() {
	[ "$(cat "$T/ready2")" = standby ]
}
wait_for 'one that stands by is ready' 20 standing_by
is "$(wc -c <"$T/fd2" | tr -d ' ')" 1 'and says it on its descriptor'
kill -KILL "$second"
wait_for 'killed with -9, it is not ready any more' 20 [ ! -e "$T/ready2" ]

# Not ready: a stage that is killed, a server that is away.
: >"$T/told"
kill -KILL "$(stage_pid write)"
wait_for 'a stage is killed: not ready' 20 [ ! -e "$T/ready" ]
wait_for 'which is told at once' 10 told 'STATUS=ending: [a-z]* has ended'
wait_for 'the service manager is told which one' 10 grep -q '^there STATUS=write ended with 137, starting again in' "$T/told"
wait_for 'ready again' 20 ready_is streaming
wait_for 'which is told, too' 10 told READY=1
is "$(last_of restarts),$(last_of last_exit)" '1,write 137' 'status.last: the restart and its cause'
is "$(wc -c <"$T/fd" | tr -d ' ')" 1 'the descriptor is told once'
"$TOP/tests/pg-server" stop "$PG_DIR" immediate
wait_for 'the server is away: not ready' 20 [ ! -e "$T/ready" ]
wait_for 'and it is told why' 10 told_last "connecting: slot $SLOT"
"$TOP/tests/pg-server" start "$PG_DIR" >"$T/again.log" 2>&1
wait_for 'the server is back: ready' 30 ready_is streaming
wait_for 'and it is told so' 10 told_last "streaming: slot $SLOT"

# HUP: with a mapping that is right, and one that is not.
: >"$T/told"
kill -HUP "$PIPELINE"
wait_for 'HUP: READY=1 comes again' 30 told READY=1
is "$(sed -n 's/^there //; s/=[0-9]\{5,\}$/=N/; /^STATUS/d; p' "$T/told" | xargs)" \
    'RELOADING=1 MONOTONIC_USEC=N READY=1' 'HUP: behind RELOADING=1'
wait_for 'HUP: the file is there' 10 ready_is streaming
: >"$T/told"
cp "$T/mapping.yml" "$T/good.yml"
echo nonsense: >>"$T/mapping.yml"
kill -HUP "$PIPELINE"
wait_for 'HUP, refused: READY=1 comes again' 30 told READY=1
like "$(cat "$T/told")" 'STATUS=the new mapping is refused.*nonsense' 'HUP, refused: the reason is told'
like "$(grep 'new mapping is refused' "$T/pgcdc.log")" 'reason=.*nonsense' 'HUP, refused: and logged'
ok 'HUP, refused: it is ready all the time' ready_is streaming
cp "$T/good.yml" "$T/mapping.yml"

: >"$T/told"
pipeline_stop 'TERM: it ends in order'
ok 'TERM: STOPPING=1' told STOPPING=1
ok 'TERM: the file is gone' [ ! -e "$T/ready" ]
is "$(last_of exit),$(last_of reason)" 0,stopped 'status.last: it ended in order'
like "$(last_of ended)" '^20.*Z$' 'status.last: and when'
kill "$listener"

# An abstract socket.
listen "@$ID"
NOTIFY_SOCKET=@$ID bg pgcdc pgcdc run -c "$T/pgcdc.conf"
PIPELINE=$BG_PID
wait_for 'an abstract socket: READY=1' 20 told READY=1
ok "the configuration's ready file" [ -e "$T/not this" ]
pipeline_stop 'it ends in order'
ok 'nobody else has the socket' not grep -q NOTIFY_SOCKET "$T/pgcdc.log"

# A socket where nobody listens is not waited for.
: >"$T/pgcdc.log"
NOTIFY_SOCKET=$T/nobody bg pgcdc pgcdc run -c "$T/pgcdc.conf"
PIPELINE=$BG_PID
wait_for 'nobody listens: it streams nevertheless' 20 [ -e "$T/not this" ]
ok 'nobody listens: a warning' logged 'warn .*cannot tell the service manager'
pipeline_stop 'it ends in order'

# A descriptor that nobody reads any more, and a standard error: they do not end those that
# see to the stages.
mkfifo "$T/fifo"
PGCDC_LOG=text bg gone sh -c 'exec 3<>"$0" 4>"$0" 3<&-; exec "$@" 2>&4' "$T/fifo" \
    pgcdc run -c "$T/pgcdc.conf" --ready-fd 4 --ready-file "$T/ready"
PIPELINE=$BG_PID
wait_for 'nobody reads the descriptor: it is ready' 20 ready_is streaming
kill -KILL "$(stage_pid write)"
wait_for 'a stage is killed: not ready' 20 [ ! -e "$T/ready" ]
wait_for 'and ready again' 20 ready_is streaming
left=$(stage_pids)
kill -KILL "$PIPELINE"
all_gone() {
	for _pid in $left; do
		! _runs "$_pid" || return
	done
}
wait_for 'the supervisor is killed: it leaves no pipeline behind' 60 all_gone
wait_exit 'as it was told' 10 "$PIPELINE" 137

# A socket that is full is not waited for either: who should read it hangs.
listen "$T/full"
kill -STOP "$listener"
"$PYTHON" -c 'import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.connect(sys.argv[1])
s.setblocking(False)
try:
    while True:
        s.send(b"X=1")
except BlockingIOError:
    pass' "$T/full"
NOTIFY_SOCKET=$T/full exits 111 'a socket that is full is given up' timeout 60 pgcdc-log --notify READY=1
like "$(cat "$T/err")" 'warn .*cannot tell the service manager' 'with a warning'
kill -KILL "$listener"

exits 100 'a ready file nowhere' pgcdc run -c "$T/pgcdc.conf" --ready-file /nonexistent/ready
like "$(tail -n 1 "$T/err")" 'cannot make the ready file.*file=/nonexistent/ready' 'says so'
exits 100 'a descriptor that is no number' pgcdc run -c "$T/pgcdc.conf" --ready-fd x

# The reason -------------------------------------------------------------------------

# fails STATUS DESCRIPTION [KEY=VALUE...]: it is run to its end with that status; the log's
# last line is in $last.
fails() {
	_expected=$1 _what=$2
	shift 2
	pipeline_conf PGCDC_ES_URL="$STANDIN_URL" "$@"
	: >"$T/pgcdc.log"
	bg pgcdc pgcdc run -c "$T/pgcdc.conf"
	wait_exit "$_what" 30 "$BG_PID" "$_expected"
	last=$(tail -n 1 "$T/pgcdc.log")
}
fails 100 'no such publication: it stops' PGCDC_PUBLICATION=nix
like "$last" ' error pgcdc msg="stopped: a permanent error" stage=read exit=100 .*reason=".*publication.*nix' \
    'the last line has the reason'
like "$(last_of reason)" 'publication.*nix' 'status.last: the same'
is "$(last_of exit),$(last_of last_exit)" '100,read 100' 'status.last: how it ended'
fails 100 'no such slot: it stops' PGCDC_SLOT=nix PGCDC_LOG=json
like "$(printf '%s\n' "$last" | jq -r .reason)" 'slot.*nix' 'the last line has the reason in JSON'
ok 'all lines are JSON' jq -e '[.time, .level, .program, .msg] | all' "$T/pgcdc.log"
for options in READ=read WRITE=write; do
	fails 100 "an option that ${options#*=} does not have" "PGCDC_${options%=*}_OPTIONS=--bogus"
	like "$last" "stage=${options#*=} exit=100 .*reason=\"no such option.*--bogus" 'the last line names it'
	is "$(grep -vc '^20[0-9TZ:.-]* [a-z]* [a-z-]* msg="' "$T/pgcdc.log")" 0 'all lines are events'
done
echo nonsense: >"$T/bad.yml"
fails 100 'a mapping that is wrong' PGCDC_MAPPING="$T/bad.yml"
like "$last" 'mapping file is refused.*reason=".*nonsense' 'the last line has the reason'

# Restarts say it, too, and are as many as was said when nothing is stored.
sql "INSERT INTO t (v) VALUES ('x')"
fails 111 'a restart each time, then no more' PGCDC_MAP_COMMAND='echo "it did not work" >&2; exit 7' \
    PGCDC_RESTART_LIMIT=2 PGCDC_RESTART_MIN=0.05 PGCDC_RESTART_MAX=0.1
is "$(grep -c 'started again' "$T/pgcdc.log")" 2 'it was started so often'
like "$(grep -m 1 'started again' "$T/pgcdc.log")" 'stage=map exit=7.*delay=.*reason="it did not work"' \
    'a restart has the reason, here what a mapper said last'
like "$last" 'error pgcdc msg="given up.*restarts=2 stage=map.*reason="it did not work"' 'and so has the end'

# One log ----------------------------------------------------------------------------

# What a mapper says is not lost, however it ends, and what it says as an event stays as it is.
cat >"$T/mapper.sh" <<'EOT'
i=0
while [ $i -lt 5000 ]; do
	i=$((i + 1))
	echo "free text \"$i\"" >&2
done
pgcdc-cat --pack /nonexistent 2>&1 >/dev/null | cat >&2
printf 'without an end' >&2
kill -KILL $$
EOT
for format in text json; do
	fails 111 "$format: a mapper that is killed" PGCDC_MAP_COMMAND="sh $T/mapper.sh" PGCDC_LOG=$format \
	    PGCDC_RESTART_LIMIT=1 PGCDC_RESTART_MIN=0.05 PGCDC_RESTART_MAX=0.1
	case $format in
	text)
		is "$(grep -vc '^20[0-9TZ:.-]* [a-z]* [a-z-]* msg="' "$T/pgcdc.log")" 0 \
		    'text: all lines are events'
		is "$(sed -n 's/.* info map msg="free text \\"\([0-9]*\)\\""$/\1/p' "$T/pgcdc.log" |
		    sort -n | uniq -c | awk '$1 == 2' | wc -l)" 5000 "text: all lines of the mapper's, twice"
		is "$(grep -c 'info map msg="without an end.*"' "$T/pgcdc.log")" 2 'text: the last one as well'
		is "$(grep -c '^[^ ]* error pgcdc-cat msg=' "$T/pgcdc.log")" 2 'text: an event stays one'
		;;
	json)
		ok 'json: all lines are events' jq -e '[.time, .level, .program, .msg] | all' "$T/pgcdc.log"
		is "$(jq -r 'select(.program == "map") | .msg' "$T/pgcdc.log" |
		    grep -c '^free text "[0-9]*"$')" 10000 "json: all lines of the mapper's"
		is "$(jq -r 'select(.program == "pgcdc-cat") | .level' "$T/pgcdc.log" | xargs)" 'error error' \
		    'json: an event stays one'
		;;
	esac
done
# It reads on where standard error is gone, and cuts what is too long.
exits 0 'lines into nowhere' sh -c 'yes | head -n 100000 | pgcdc-log --wrap map 2>&-'
"$PYTHON" -c 'print("\u00e9" * 30000 + "z")' | pgcdc-log --wrap map 2>"$T/long"
is "$(sed 's/.* msg="//; s/"$//' "$T/long" | tr -d '\n' | wc -m)" \
    "$("$PYTHON" -c 'print("\u00e9" * 30000 + "z", end="")' | wc -m)" 'a long line comes in pieces, whole'
ok 'of at most 4096 bytes' awk 'length > 4096 { exit 1 } END { exit NR < 10 }' "$T/long"
# What only looks like an event is text like any other: a log of JSON stays one.
cat >"$T/alike" <<'EOT'
{"time":"2026-01-02T03:04:05.678Z","level":"info","program":"map","msg":broken}
{"time":"2026-01-02T03:04:05.678Z","level":"info","program":"map","msg":"a \x escape"}
{"time":"2026-01-02T03:04:05.678Z","level":"info","program":"map","msg":"x"}}
{"time":"2026-01-02T03:04:05.678Z","level":"info","program":"map","n":01}
{"time":"2026-01-02T03:04:05.678Z","msg":"no level"}
{"time":"2026-01-02T03:04:05.678Z","level":"info","program":"map","n":1.}
{"time":"2026-01-02T03:04:05.678Z","level":"info","program":"map","n":1e+}
{"time":"2026-01-02T03:04:05.678Z","level":"info","program":"map","n":-}
{"time":"2026-01-02T03:04:05.678Z","level":"info","program":"map","n":nul}
{"time":"2026-01-02T03:04:05.678Z","level":"info","program":"map","msg":"\u00g9"}
{"time":"2026-01-02T03:04:05.678Z","level":"info","program":"map","msg":"no end
{"time":"2026-01-02T03:04:05.678Z","level":"info","program":"map","msg"}
{"time":"2026-01-02T03:04:05.678Z","level":"info","program":"map","msg":"a	tab"}
{"time":"2026-not a time"}
EOT
printf '{"time":"2026-01-02T03:04:05.678Z","level":"info","program":"map","msg":"\377"}\n' >>"$T/alike"
event='{"time":"2026-01-02T03:04:05.678Z","level":"warn","program":"map","msg":"\u00e9 \"","n":-1.5e3,"b":true}'
printf '%s\n' "$event" >>"$T/alike"
PGCDC_LOG=json pgcdc-log --wrap own <"$T/alike" 2>"$T/wrapped"
is "$(jq -r .program "$T/wrapped" | sort | uniq -c | xargs)" '1 map 15 own' \
    'json: what only looks like an event becomes one'
is "$(tail -n 1 "$T/wrapped")" "$event" 'and an event stays as it is'
exits 100 'pgcdc-log: usage' pgcdc-log --wrap x --notify
exits 100 'an unknown option' pgcdc-log --nonsense
exits 0 'pgcdc-log: -h' pgcdc-log -h
like "$(cat "$T/out")" '^usage: pgcdc-log --wrap NAME' 'shows the usage'
exits 0 '-V' pgcdc-log -V
like "$(cat "$T/out")" '^pgcdc-log [0-9]+[.][0-9]+' 'shows the version'
exits 111 '-h into a full disk' sh -c 'pgcdc-log -h >/dev/full'
exits 0 'pgcdc-log: no socket, nothing to do' pgcdc-log --notify READY=1
for socket in relative / "$T/none" "/$("$PYTHON" -c 'print("x" * 200)')"; do
	NOTIFY_SOCKET=$socket exits 111 'no socket of a manager' pgcdc-log --notify READY=1
	like "$(cat "$T/err")" ' warn .*cannot tell the service manager.* socket=' 'names it'
done
# shellcheck disable=SC2016
exits 111 'an input that cannot be read' sh -c 'pgcdc-log --wrap map <"$1"' sh "$T"
like "$(cat "$T/err")" ' warn map msg="cannot read what the mapper says"' 'says so'
done_testing
