#!/bin/sh
#
# pgcdc run, with small scripts in place of the three stages: what it makes of its
# configuration, of exit statuses and signals, and that it leaves nothing behind.

# shellcheck disable=SC1003,SC2016 # what is not to be expanded, and scripts for others
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

# Without the programs beside it, which it would prefer.
pgcdc=$T/pgcdc
cp "$BUILD/bin/pgcdc" "$pgcdc"

# The stand-ins.  Each notes its pid and arguments, its environment and its signals in
# $PGCDC_TEST, and does what $PGCDC_TEST/NAME.do says.  The reader writes E at TERM; the
# others end at E with 0, at an early end of file with 111, and not at TERM.  All end
# with 111 when nobody reads them.
mkdir "$T/bin"
cat >"$T/bin/stage" <<'END'
#!/bin/sh
cd "$PGCDC_TEST" || exit 99
name=${0##*/} hit=
trap 'hit=1; echo TERM >>$name.signals' TERM
trap '' PIPE
case " $* " in
*' --check '*) name=check ;;
esac
env >$name.env
[ "$name" != pgcdc-map ] || cp "$2" mapping.used
[ ! -e run/ack.sock ] || [ "$name" = check ] || echo "$name" >>stale
for arg; do
	printf '<%s>' "$arg"
done >$name.args
echo $$ >>$name.started
[ ! -e $name.do ] || . ./$name.do
case $name in
check) ! grep -q bad "$2" || exit 100 ;;
pgcdc-read)
	while [ -z "$hit" ]; do
		sleep 0.05
		echo row 2>/dev/null || exit 111
	done
	echo E
	;;
*)
	while :; do
		if read -r line; then
			[ "$name" = esbulk-write ] || echo "$line" 2>/dev/null || exit 111
			[ "$line" != E ] || exit 0
		elif [ -n "$hit" ]; then
			hit=
		else
			exit 111
		fi
	done
	;;
esac
END
chmod +x "$T/bin/stage"
for name in pgcdc-read pgcdc-map esbulk-write; do
	ln -s stage "$T/bin/$name"
done

# fresh [LINE]…: a directory of its own for the next test, $d, with a configuration.
# A line says more, or something else: the later one wins.
n_fresh=0
fresh()
{
	n_fresh=$((n_fresh + 1))
	d=$T/$n_fresh
	mkdir "$d"
	echo one >"$d/mapping.yml"
	cat >"$d/conf" <<-END
	PGCDC_CONNINFO="dbname=d password=secret1"
	PGCDC_SLOT=slot_1
	PGCDC_PUBLICATION=pub
	PGCDC_MAPPING=$d/mapping.yml
	PGCDC_ES_URL=http://127.0.0.1:1
	PGCDC_RUNDIR=$d/run
	PGCDC_RESTART_MIN=0.05
	PGCDC_RESTART_MAX=0.2
	END
	[ $# -eq 0 ] || printf '%s\n' "$@" >>"$d/conf"
}

# start [-v]: run it; $supervisor is its pid.
programs=$T/bin:$PATH
start()
{
	PGCDC_TEST=$d PATH=$programs sh "$pgcdc" run -c "$d/conf" "$@" \
	    >>"$d/out" 2>>"$d/log" &
	supervisor=$!
}

# ends STATUS DESCRIPTION: the supervisor does, in time and with that status.
ends()
{
	wait_exit "$2" 30 "$supervisor" "$1"
}

# runs_to STATUS DESCRIPTION: run it to its end.
runs_to()
{
	start
	ends "$@"
}

logged()
{
	grep -q -e "$1" "$d/log"
}

# ran NAME N: was NAME started that often?
ran()
{
	[ -e "$d/$1.started" ] && [ "$(wc -l <"$d/$1.started")" -ge "$2" ]
}

# up N: are all three running, the N-th time?
up()
{
	ran pgcdc-read "$1" && ran pgcdc-map "$1" && ran esbulk-write "$1" &&
	    [ -s "$d/run/read.pid" ] && [ -s "$d/run/map.pid" ] && [ -s "$d/run/write.pid" ]
}

# left: the processes that this test's supervisors have started, and themselves.
left()
{
	for environ in /proc/[0-9]*/environ; do
		if grep -qaz "^PGCDC_TEST=$d\$" "$environ" 2>/dev/null; then
			process=${environ%/environ}
			printf '%s ' "${process#/proc/}"
		fi
	done
}

nothing_left()
{
	[ -z "$(left)" ]
}

# alive PID: zombies are not.
alive()
{
	grep -qs '^State:[[:space:]]*[^ZX[:space:]]' "/proc/$1/status"
}

# stop: end the test's supervisor in order.
stop()
{
	kill "$supervisor"
	ends 0 "$1: it stops in order"
	wait_for "$1: no process is left" 10 nothing_left
}

pid_of()
{
	cat "$d/run/$1.pid"
}

# parent PID
parent()
{
	sed 's/.*) . \([0-9]*\) .*/\1/' "/proc/$1/stat"
}

# The command line ------------------------------------------------------------------

is "$(sh "$pgcdc" -V | sed 's/ .*//')" pgcdc '-V names the program'
ok '-h shows the usage' sh -c 'sh "$1" -h | grep -q "^usage: pgcdc run -c FILE"' - "$pgcdc"
for args in '' 'run' 'run -c' 'run -x' 'fly' 'run -c x y'; do
	# shellcheck disable=SC2086 # words
	sh "$pgcdc" $args >"$T/out" 2>"$T/err"
	is $? 100 "usage: 'pgcdc $args' is a permanent error"
	ok "usage: 'pgcdc $args' is answered by the usage" grep -q '^usage:' "$T/err"
done

# The configuration -----------------------------------------------------------------

# The expected values are what systemd 252 makes of these lines.
fresh
cat >>"$d/conf" <<'END'
# a comment with 'a quote
; another
T_PLAIN=value with blanks  	
  T_LEAD   =   x
T_SINGLE='single "quoted" \n here'  
T_DOUBLE="a \"b\" \\ \n \` \$ end"
T_CONTINUED=one \
   two \
three
T_ADJACENT='a' "b"c"d"
T_ESCAPED=a\ b\\c\"d\ 
T_JOINED="1 2 \
joined"
T_EMPTY=
T_QUOTED_EMPTY=""
T_HASH=a # no comment
T_INNER=a"b c"d
T_TAIL='a'\
  b
T_EQUALS=a=b=c
T_COMMAND=$(touch pwned) `touch pwned` ${HOME} $HOME *
T_COMMAND2="$(touch pwned) ; touch pwned"
T_COMMAND3=';touch pwned;'
T_UTF8=größer
lower_case=yes
END
printf 'T_CRLF=dos\r\nT_LINES="1\n2"\nT_LINES1='"'1\n2'"'\nT_LAST=end\\' >>"$d/conf"
start
wait_for 'configuration: it starts' 10 up 1
for expected in 'T_PLAIN=value with blanks' 'T_LEAD=x' 'T_SINGLE=single "quoted" \n here' \
    'T_DOUBLE=a "b" \ \n ` $ end' 'T_CONTINUED=one    two three' 'T_ADJACENT=abc"d"' \
    'T_ESCAPED=a b\c"d ' 'T_JOINED=1 2 joined' 'T_EMPTY=' 'T_QUOTED_EMPTY=' \
    'T_HASH=a # no comment' 'T_INNER=a"b c"d' 'T_TAIL=a  b' 'T_EQUALS=a=b=c' \
    'T_COMMAND=$(touch pwned) `touch pwned` ${HOME} $HOME *' \
    'T_COMMAND2=$(touch pwned) ; touch pwned' 'T_COMMAND3=;touch pwned;' 'T_UTF8=größer' \
    'lower_case=yes' 'T_CRLF=dos' 'T_LAST=end'; do
	ok "configuration: ${expected%%=*}" grep -qxF -e "$expected" "$d/pgcdc-read.env"
done
is "$(grep -A 1 '^T_LINES=' "$d/esbulk-write.env" | tr '\n' '|')" 'T_LINES=1|2|' \
    'configuration: double quotes span lines'
is "$(grep -A 1 '^T_LINES1' "$d/esbulk-write.env" | tr '\n' '|')" 'T_LINES1=1|2|' \
    'configuration: single quotes span lines'
is "$(find "$d" . -maxdepth 1 -name pwned)" '' 'configuration: nothing in it is run'
ok 'the connection string is in the environment' \
    grep -qx 'PGCDC_CONNINFO=dbname=d password=secret1' "$d/pgcdc-read.env"
is "$(cat "$d/pgcdc-read.args")" \
    "$(printf %s "<-s><slot_1><-p><pub><-a><$d/run/ack.sock><--control><$d/run/ctl.sock>" \
    "<--state><$d/run/slot_1.state><--drain><30><--metrics><$d/run/read.http>")" \
    "the reader's command line"
is "$(cat "$d/pgcdc-map.args")" "<-m><$d/run/mapping>" "the mapper's command line"
is "$(cat "$d/esbulk-write.args")" "<-u><http://127.0.0.1:1><-a><$d/run/ack.sock><--metrics><$d/run/write.http>" \
    "the writer's command line"
is "$(for p in $(left); do tr '\0' ' ' <"/proc/$p/cmdline"; done | grep -c secret1)" 0 \
    'no command line shows the password'
is "$(stat -c %a "$d/run")" 700 'the run directory is private'
stop 'configuration'

fresh 'PGCDC_ES_URL=  http://a:1   http://b:2 ' "PGCDC_STATE=$T/own.state" \
    "PGCDC_DEAD_LETTER=$T/own dead" 'PGCDC_DRAIN=08.5' 'PGCDC_METRICS_READ=[::1]:9187' PGCDC_METRICS_WRITE=9188
# The file's own rules take one level of backslashes, and quotes around all.
cat >>"$d/conf" <<'END'
PGCDC_WRITE_OPTIONS=--one 'two  words' "a\\"b $(touch pwned)" * \\\\ x"y"'z' ''
PGCDC_READ_OPTIONS="--a 'b c'"
END
start -v
wait_for 'options: it starts' 10 up 1
is "$(cat "$d/esbulk-write.args")" "$(printf %s "<-u><http://a:1><-u><http://b:2><-a>" \
    "<$d/run/ack.sock><--metrics><$d/run/write.http><--metrics><9188><--dead-letter><$T/own dead><-v><--one><two  words><a\"b \$(touch pwned)><*><\\><xyz><>")" \
    'options: the writer gets them as words, nothing expanded'
is "$(cat "$d/pgcdc-read.args")" "$(printf %s "<-s><slot_1><-p><pub><-a><$d/run/ack.sock>" \
    "<--control><$d/run/ctl.sock><--state><$T/own.state><--drain><8><--metrics><$d/run/read.http><--metrics><[::1]:9187><-v><--a><b c>")" \
    'options: the reader gets them'
is "$(cat "$d/pgcdc-map.args")" "<-m><$d/run/mapping><-v>" 'options: -v is passed on'
is "$(find "$d" . -maxdepth 1 -name pwned)" '' 'options: nothing in them is run'
stop 'options'

# A request of the supervisor's other subcommand: what comes behind -- is tables.
fresh
PGCDC_TEST=$d PATH=$programs sh "$pgcdc" snapshot -c "$d/conf" -- -t -- 2>>"$d/log" | head -n 1 >"$d/out"
is "$(cat "$d/pgcdc-read.args")" "<--control><$d/run/ctl.sock><--request><snapshot -t -->" \
    'snapshot: the tables behind --'

# refused WHAT LOGGED LINE…: such a configuration is a permanent error.
refused()
{
	what=$1 expected=$2
	shift 2
	fresh "$@"
	runs_to 100 "refused: $what"
	ok "refused: $what: the message" logged "$expected"
	ok "refused: $what: nothing was started" not ran pgcdc-read 1
	ok "refused: $what: no value is shown" not logged hidden
}
refused 'an unknown variable' '/conf:9: unknown variable PGCDC_SLOTS' PGCDC_SLOTS=hidden
refused 'another word for a snapshot' '/conf:9: PGCDC_SNAPSHOT is none of' PGCDC_SNAPSHOT=always
refused 'a name that is none' '/conf:10: not a name' '' 'a-b=hidden'
refused 'a command' '/conf:9: not a name' 'export X=hidden'
refused 'no assignment' '/conf:12: not of the form' '# x' 'Y=a\' 'b' 'hidden'
refused 'quotes that are open' '/conf:9: the quotes of X' 'X="hidden'
refused "the supervisor's own names" '/conf:9: _gen cannot be set' _gen=hidden
refused 'IFS' '/conf:9: IFS cannot be set' IFS=hidden
refused 'a slot with a slash' '/conf:9: PGCDC_SLOT has a character' PGCDC_SLOT=a/hidden
refused 'an empty slot' '/conf:9: PGCDC_SLOT is empty' PGCDC_SLOT=
refused 'an unknown log form' '/conf:9: PGCDC_LOG is neither' PGCDC_LOG=hidden
refused 'a password in a URL' '/conf:10: PGCDC_ES_URL holds a password' X=1 \
    'PGCDC_ES_URL=http://a:1 http://u:hidden@b:2/'
refused 'a drain that is no number' '/conf:9: PGCDC_DRAIN is not a number' PGCDC_DRAIN=3s
refused 'a restart without delay' '/conf:9: PGCDC_RESTART_MIN must' PGCDC_RESTART_MIN=0
refused 'delays in the wrong order' '/conf:9: PGCDC_RESTART_MAX is less' PGCDC_RESTART_MAX=0.01
refused 'open quotes in options' '/conf:9: PGCDC_WRITE_OPTIONS has quotes' \
    "PGCDC_WRITE_OPTIONS=--x 'hidden"
refused 'a state file nowhere' 'directory of the state file' "PGCDC_STATE=/nonexistent/s"
refused 'a run directory nowhere' 'run directory' "PGCDC_RUNDIR=/dev/null/run"
refused 'a run directory with a long path' 'too long' \
    "PGCDC_RUNDIR=$T/$(printf "%0$((96 - ${#T}))d" 0)"
mkdir -m 777 "$T/open"
refused 'a run directory open to others' 'others may write' "PGCDC_RUNDIR=$T/open"
if [ "$(id -u)" -eq 0 ]; then
	mkdir "$T/other"
	chown 12345 "$T/other"
	refused "a run directory of somebody else" 'somebody else' "PGCDC_RUNDIR=$T/other"
fi
for name in CONNINFO SLOT PUBLICATION MAPPING ES_URL; do
	fresh
	sed -i "/^PGCDC_$name=/d" "$d/conf"
	runs_to 100 "refused: PGCDC_$name is missing"
	ok "refused: PGCDC_$name is missing: the message" logged "/conf: PGCDC_$name is not set"
done
fresh
rm "$d/conf"
runs_to 100 'refused: no such file'

fresh
sed -i '/^PGCDC_SLOT=/d' "$d/conf"
PGCDC_SLOT=other PGCDC_PUBLICATION=other
export PGCDC_SLOT PGCDC_PUBLICATION
start
unset PGCDC_SLOT PGCDC_PUBLICATION
wait_for 'environment: it starts' 10 up 1
ok 'environment: it fills in, the file wins' \
    grep -q '^<-s><other><-p><pub>' "$d/pgcdc-read.args"
stop 'environment'

fresh 'PGCDC_LOG=json' 'PGCDC_PUBLICATION=a "b\\\\c'
start
wait_for 'JSON log: it starts' 10 up 1
stop 'JSON log'
ok 'JSON log: each line is an object of time, level, program, msg' sh -c '
	test "$(jq -r ".time + .level + .program + .msg" "$1" |
	    grep -cE "^20[0-9-]{8}T[0-9:]{8}\.[0-9]{3}Z(info|warn|error)pgcdc[a-z]")" = \
	    "$(wc -l <"$1")"' - "$d/log"
is "$(jq -r 'select(.msg == "started") | .publication' "$d/log")" 'a "b\\c' \
    'JSON log: values are escaped'
ok 'the stages log as JSON, too' grep -qx PGCDC_LOG=json "$d/esbulk-write.env"

# The examples, but for their files.
# example NAME CONFIGURATION WRITER: it starts, and the writer gets these arguments.
example()
{
	fresh
	printf '%s\n' "$2" "PGCDC_MAPPING=$d/mapping.yml" "PGCDC_RUNDIR=$d/run" >"$d/conf"
	start
	wait_for "$1: it starts" 10 up 1
	is "$(cat "$d/esbulk-write.args")" "$3" "$1: the writer's command line"
	stop "$1"
}
# literal PATTERN: the page's literal block that has it.
literal()
{
	awk -v pattern="$1" '
	/^\.Bd -literal/ { inside = 1; text = ""; next }
	/^\.Ed/ { if (inside && text ~ pattern) { printf "%s", text; exit } inside = 0 }
	inside { text = text $0 "\n" }' "$TOP/man/pgcdc.1" | sed "s/\\\\e/\\\\/g; s/\\\\(aq/'/g"
}
example 'pgcdc(1)' "$(literal 'users of the shop')" "$(printf '<%s>' -u https://es1:9200 \
    -u https://es2:9200 -a "$T/$((n_fresh + 1))/run/ack.sock" --metrics "$T/$((n_fresh + 1))/run/write.http" --cacert /etc/pgcdc/ca.pem \
    --user cdc --password-file '/etc/pgcdc/cluster password')"
ok 'pgcdc(1): the password file' grep -qx PGPASSFILE=/etc/pgcdc/pgpass "$d/pgcdc-read.env"
example 'examples/pgcdc.conf' "$(cat "$TOP/examples/pgcdc.conf")" \
    "<-u><http://127.0.0.1:9200><-a><$T/$((n_fresh + 1))/run/ack.sock><--metrics><$T/$((n_fresh + 1))/run/write.http>"
example 'examples/tutorial' "$(cat "$TOP/examples/tutorial/pgcdc.conf")" "$(printf '<%s>' \
    -u http://127.0.0.1:9200 -a "$T/$((n_fresh + 1))/run/ack.sock" \
    --metrics "$T/$((n_fresh + 1))/run/write.http" --dead-letter es_cdc_slot.dead \
    --batch-docs 10000)"
ok 'examples/tutorial: the reader' \
    grep -q '<es_cdc_slot><-p><es_cdc_publication>.*<--slot-check-interval><3000>' \
    "$d/pgcdc-read.args"

# The mapping file ------------------------------------------------------------------

fresh
echo bad >"$d/mapping.yml"
runs_to 100 'mapping: one that fails the check stops it with 100'
ok 'mapping: the log says so' logged "the mapping file is refused.*mapping=$d/mapping.yml"
ok 'mapping: nothing was started' not ran pgcdc-read 1
is "$(cat "$d/check.args")" "<-m><$d/mapping.yml><--check>" "mapping: the check names the user's file"

fresh
echo 'exit 111' >"$d/check.do"
runs_to 111 'mapping: a check that fails for a while is no permanent error'

# An editor saves while the check runs: what runs is what was checked last.
fresh
echo 'rm check.do; echo two >mapping.yml; exit 0' >"$d/check.do"
start
wait_for 'mapping, changed while it is checked: it starts' 10 up 1
is "$(cat "$d/mapping.used")" two 'mapping, changed while it is checked: the new one is used'
ok 'mapping, changed while it is checked: checked again' ran check 2
stop 'mapping, changed while it is checked'

fresh
start
wait_for 'HUP: it starts' 10 up 1
echo two >"$d/mapping.yml"
is "$(cat "$d/mapping.used")" one 'HUP: the first mapping'
kill -HUP "$supervisor"
wait_for 'HUP: all three are started again' 10 up 2
is "$(cat "$d/mapping.used")" two 'HUP: the new mapping is in force'
is "$(cat "$d/pgcdc-read.signals")" TERM 'HUP: TERM to the reader'
ok 'HUP: TERM to nobody else' test ! -e "$d/pgcdc-map.signals" -a ! -e "$d/esbulk-write.signals"
echo bad >"$d/mapping.yml"
kill -HUP "$supervisor"
wait_for 'HUP: a bad mapping is refused' 10 logged 'the new mapping is refused'
kill -KILL "$(pid_of read)"
wait_for 'HUP: a restart later' 10 up 3
is "$(cat "$d/mapping.used")" two 'HUP: the old mapping is still in force'
is "$(wc -l <"$d/pgcdc-read.signals")" 1 'HUP: the bad one did not touch the pipeline'
stop 'HUP'

fresh 'PGCDC_RESTART_MIN=60' 'PGCDC_RESTART_MAX=60'
echo 'exit 111' >"$d/esbulk-write.do"
start
wait_for 'HUP while waiting: it waits' 10 logged 'started again'
rm "$d/esbulk-write.do"
kill -HUP "$supervisor"
wait_for 'HUP while waiting: starts at once' 10 up 2
stop 'HUP while waiting'

fresh 'PGCDC_DRAIN=0.3' 'PGCDC_KILL_DELAY=0.1'
echo 'trap "" TERM; sleep 1000' >"$d/esbulk-write.do"
start
wait_for 'HUP, stuck: it starts' 10 up 1
rm "$d/esbulk-write.do"
kill -HUP "$supervisor"
wait_for 'HUP, stuck: started again nevertheless' 20 up 2
stop 'HUP, stuck'

fresh "PGCDC_MAP_COMMAND=echo mine >$T/mapped; cat | cat" PGCDC_MAPPING=
start
wait_for 'own mapper: it runs' 10 test -s "$T/mapped"
wait_for 'own mapper: the others, too' 10 ran esbulk-write 1
kill -HUP "$supervisor"
wait_for 'own mapper: HUP starts all again' 10 ran esbulk-write 2
ok 'own mapper: nothing is checked' not ran check 1
wait_for 'own mapper: its pid' 10 test -s "$d/run/map.pid"
kill -KILL "$(pid_of map)"
wait_for 'own mapper: killed, all are started again' 10 ran esbulk-write 3
ok 'own mapper: killed, so it says' logged 'stage=map exit=137 signal=KILL'
wait_for 'own mapper: up again' 10 test -s "$d/run/read.pid" -a -s "$d/run/write.pid"
kill "$supervisor"
wait "$supervisor" 2>/dev/null
wait_for 'own mapper: no process is left' 10 nothing_left

# Exit statuses ---------------------------------------------------------------------

fresh
echo 'echo E; exit 0' >"$d/pgcdc-read.do"
echo 'echo stored' >"$d/esbulk-write.do"
runs_to 0 'all three exit with 0: so does the supervisor'
ok 'it was started once' not ran pgcdc-read 2
is "$(cat "$d/out")" stored "the writer's standard output is the supervisor's"
wait_for 'the end: no process is left' 10 nothing_left
is "$(ls "$d/run")" "$(printf 'lock\nmapping\nstatus.last')" 'the end: the run directory is tidy'

for name in read map write; do
	case $name in
	write) program=esbulk-write ;;
	*) program=pgcdc-$name ;;
	esac
	fresh
	echo 'exit 100' >"$d/$program.do"
	runs_to 100 "$program exits with 100: so does the supervisor"
	ok "$program exits with 100: it is named" logged "error.*permanent.*stage=$name exit=100"
	wait_for "$program exits with 100: no process is left" 10 nothing_left
	ok "$program exits with 100: no restart" not ran pgcdc-read 2

	fresh
	start
	wait_for "kill -9 $program: it starts" 10 up 1
	old=$(pid_of $name)
	kill -KILL "$old"
	wait_for "kill -9 $program: all three are started again" 10 up 2
	ok "kill -9 $program: the log says so" \
	    logged "warn.*stage=$name exit=137 signal=KILL exits=.*$name=137.*delay=0"
	ok "kill -9 $program: it is gone" not alive "$old"
	stop "kill -9 $program"
done

for code in 1 2 3 111; do
	fresh
	echo "rm pgcdc-map.do; exit $code" >"$d/pgcdc-map.do"
	start
	wait_for "exit $code: started again" 10 up 2
	[ $code = 111 ] || ok "exit $code: the stage is named" logged "stage=map exit=$code exits"
	ok "exit $code: the others ended with it" logged 'exits=.*read=111'
	stop "exit $code"
done

mkdir "$T/none"
ln -s ../bin/stage "$T/none/pgcdc-read"
ln -s ../bin/stage "$T/none/pgcdc-map"
fresh
programs=$T/none:/usr/bin:/bin
runs_to 100 'a program is missing: a permanent error'
ok 'a program is missing: it is named' logged 'not found or not executable.*stage=write exit=127'
is "$(grep -v '^20[^ ]* [a-z]* pgcdc msg=' "$d/log")" '' \
    'a program is missing: no other lines than those of a log'
rm "$T/none/pgcdc-map"
fresh
runs_to 100 'the mapper is missing: a permanent error'
programs=$T/bin:$PATH
fresh 'PGCDC_MAP_COMMAND=exit 126'
runs_to 100 'exit 126: a permanent error'

# Which one broke?  Not the first that ended, when that one ended as for another's sake.
fresh
echo 'rm pgcdc-read.do; exit 111' >"$d/pgcdc-read.do"
echo 'rm esbulk-write.do; while read -r line; do :; done; exit 3' >"$d/esbulk-write.do"
start
wait_for 'the stage that broke: started again' 10 up 2
ok 'the stage that broke is named, not the first that ended' \
    logged 'stage=write exit=3 exits="read=111'
stop 'the stage that broke'

# Nor one that was ended by force.
fresh 'PGCDC_DRAIN=0' 'PGCDC_KILL_DELAY=0.1'
echo 'rm esbulk-write.do; exit 111' >"$d/esbulk-write.do"
echo 'rm pgcdc-map.do; trap "" TERM; while :; do sleep 0.05; done' >"$d/pgcdc-map.do"
start
wait_for 'a stage ended by force: started again' 10 up 2
ok 'a stage ended by force is not named' logged 'stage=write exit=111 exits="write=111.*map=137'
stop 'a stage ended by force'

# The delays: two failures, a stored row, then a third.
fresh 'PGCDC_RESTART_MIN=0.1' 'PGCDC_RESTART_MAX=0.4'
cat >"$d/esbulk-write.do" <<'END'
case $(wc -l <esbulk-write.started) in
5) echo "acked 0/1" >run/slot_1.state ;;
7) exit 100 ;;
esac
exit 111
END
runs_to 100 'delays: it runs'
is "$(sed -n 's/.*delay=//p' "$d/log" | awk '
    { print ($1 >= max[NR] / 2 - 0.002 && $1 <= max[NR]) ? "good" : "bad " $1 }
    BEGIN { split("0.1 0.2 0.4 0.4 0.1 0.2", max) }' | tr '\n' ' ')" \
    'good good good good good good ' \
    'delays: they double, are capped, and start over when the state file changed'

# TERM ------------------------------------------------------------------------------

fresh
start
wait_for 'TERM: it starts' 10 up 1
touch "$d/run/keep"
stop 'TERM'
is "$(cat "$d/pgcdc-read.signals")" TERM 'TERM: one to the reader'
ok 'TERM: none to the others' test ! -e "$d/pgcdc-map.signals" -a ! -e "$d/esbulk-write.signals"
is "$(ls "$d/run")" "$(printf 'keep\nlock\nmapping\nstatus.last')" 'TERM: the run directory is tidy'

# A terminal's ^C goes to the whole process group; env lets the shell trap it.
fresh
PGCDC_TEST=$d PATH=$programs setsid env --default-signal=INT sh "$pgcdc" run -c "$d/conf" \
    2>>"$d/log" &
supervisor=$!
wait_for '^C: it starts' 10 up 1
kill -s INT -- "-$supervisor"
ends 0 '^C: it stops in order'
is "$(cat "$d/pgcdc-read.signals")" TERM '^C: the reader got one TERM'
wait_for '^C: no process is left' 10 nothing_left

fresh
echo 'trap "echo TERM >>esbulk-write.signals; exit 111" TERM; while :; do sleep 0.05; done' \
    >"$d/esbulk-write.do"
start
wait_for 'second TERM: it starts' 10 up 1
kill "$supervisor"
wait_for 'second TERM: the reader has the first' 10 test -s "$d/pgcdc-read.signals"
ok 'second TERM: the writer has not' test ! -e "$d/esbulk-write.signals"
kill "$supervisor"
ends 111 'second TERM: it stops with 111'
ok 'second TERM: the writer got one' test -s "$d/esbulk-write.signals"
wait_for 'second TERM: no process is left' 10 nothing_left

# A HUP drains already.
fresh
echo 'trap "echo TERM >>pgcdc-read.signals" TERM
while [ ! -e end ]; do sleep 0.05; done; echo E; exit 0' >"$d/pgcdc-read.do"
start
wait_for 'TERM after HUP: it starts' 10 up 1
kill -HUP "$supervisor"
wait_for 'TERM after HUP: the reader was told' 10 test -s "$d/pgcdc-read.signals"
kill "$supervisor"
wait_for 'TERM after HUP: noticed' 10 logged 'stopping'
touch "$d/end"
ends 0 'TERM after HUP: it stops in order'
is "$(cat "$d/pgcdc-read.signals")" TERM 'TERM after HUP: the reader got one'
ok 'TERM after HUP: not started again' not ran pgcdc-read 2

# Signals that come before the stages are there are not lost.
mkdir "$T/slow"
cat >"$T/slow/setsid" <<'END'
#!/bin/sh
echo $$ >>"$PGCDC_TEST/setsid.started"
while [ ! -e "$PGCDC_TEST/go" ]; do sleep 0.05; done
exec "$REAL_SETSID" "$@"
END
REAL_SETSID=$(command -v setsid)
export REAL_SETSID
chmod +x "$T/slow/setsid"
programs=$T/slow:$T/bin:$PATH
fresh
start
wait_for 'an early TERM: nothing runs yet' 10 ran setsid 3
kill "$supervisor"
wait_for 'an early TERM: noticed' 10 logged 'stopping: TERM'
touch "$d/go"
ends 111 'an early TERM: it stops'
ok 'an early TERM: the reader did not start' not ran pgcdc-read 1
fresh
start
wait_for 'two early TERMs: nothing runs yet' 10 ran setsid 3
kill "$supervisor"
wait_for 'two early TERMs: the first is noticed' 10 logged 'stopping: TERM'
kill "$supervisor"
wait_for 'two early TERMs: the second is noticed' 10 logged 'stopping at once'
wait_for 'two early TERMs: acted upon' 10 sh -c 'ls "$1"/run/run.*/1/forced' - "$d"
touch "$d/go"
ends 111 'two early TERMs: it stops'
ok 'two early TERMs: no stage started' not ran esbulk-write 1
programs=$T/bin:$PATH

for stuck in pgcdc-read esbulk-write; do
	fresh 'PGCDC_DRAIN=0.5' 'PGCDC_KILL_DELAY=0.1'
	echo 'trap "" TERM; while :; do sleep 0.05; done' >"$d/$stuck.do"
	start
	wait_for "a drain that $stuck holds up: it starts" 10 up 1
	kill "$supervisor"
	ends 111 "a drain that $stuck holds up is bounded: 111"
	ok "a drain that $stuck holds up: it was killed" logged "${stuck#*-}=137"
	wait_for "a drain that $stuck holds up: no process is left" 10 nothing_left
done

fresh 'PGCDC_RESTART_MIN=100' 'PGCDC_RESTART_MAX=100'
echo 'exit 111' >"$d/esbulk-write.do"
start
wait_for 'TERM while waiting: it waits' 10 logged 'started again'
is "$(ls "$d/run")" "$(cd "$d/run" && printf '%s\n' lock mapping pid run.* status.last)" \
    'while waiting: the pid files are gone'
stop 'TERM while waiting'

fresh
echo 'sleep 1000' >"$d/check.do"
start
wait_for 'TERM while checking: it checks' 10 ran check 1
kill "$supervisor"
ends 0 'TERM while checking: it stops'
# shellcheck disable=SC2046 # words
kill $(left) 2>/dev/null
wait_for 'TERM while checking: no process is left' 10 nothing_left

# What does not end by itself -------------------------------------------------------

for stuck in pgcdc-read pgcdc-map esbulk-write; do
	fresh 'PGCDC_DRAIN=0.3' 'PGCDC_KILL_DELAY=0.1'
	echo 'trap "" TERM; rm $name.do; while :; do sleep 0.05; done' >"$d/$stuck.do"
	start
	wait_for "$stuck is stuck: it starts" 10 up 1
	case $stuck in
	pgcdc-read) other='write' ;;
	*) other='read' ;;
	esac
	old="$(pid_of read) $(pid_of map) $(pid_of write)"
	kill -KILL "$(pid_of $other)"
	wait_for "$stuck is stuck: all are started again" 20 up 2
	for pid in $old; do
		ok "$stuck is stuck: it was killed" not alive "$pid"
	done
	ok "$stuck is stuck: the stage that broke is named" logged "stage=$other exit=137"
	stop "$stuck is stuck"
done

# The shells between may be killed as well.
fresh 'PGCDC_DRAIN=0.3' 'PGCDC_KILL_DELAY=0.1'
start
wait_for "a stage's shell is killed: it starts" 10 up 1
writer=$(pid_of write)
kill -KILL "$(parent "$writer")"
kill -KILL "$(pid_of map)"
wait_for "a stage's shell is killed: all are started again" 20 up 2
ok "a stage's shell is killed: the old stage is gone" not alive "$writer"
stop "a stage's shell is killed"

fresh 'PGCDC_DRAIN=0.3' 'PGCDC_KILL_DELAY=0.1' \
    'PGCDC_MAP_COMMAND=setsid sleep 1000 <&- & pgcdc-map -m mapping.yml'
start
wait_for 'a daemon of the mapper: it starts' 10 up 1
stop 'a daemon of the mapper'

# One supervisor at a time ----------------------------------------------------------

fresh
start
wait_for 'lock: it starts' 10 up 1
first=$supervisor
runs_to 111 'lock: a second one exits with 111'
supervisor=$first
ok 'lock: it says who holds the directory' logged "another pgcdc run.*pid=$first"
ok 'lock: it started nothing' not ran pgcdc-read 2
ok 'lock: the first goes on' alive "$(pid_of read)"
stop 'lock'

fresh
start
wait_for 'killed: it starts' 10 up 1
touch "$d/run/ack.sock"
kill -KILL "$supervisor"
wait "$supervisor" 2>/dev/null
wait_for 'killed: the pipeline ends without it' 10 nothing_left
is "$(cat "$d/pgcdc-read.signals")" TERM 'killed: it was drained'
ok 'killed: nobody else had a signal' test ! -e "$d/esbulk-write.signals"
start
wait_for 'killed: another one starts' 10 up 2
ok 'killed: the stale socket was removed' test ! -e "$d/stale"
stop 'killed'

fresh 'PGCDC_RESTART_MIN=100' 'PGCDC_RESTART_MAX=100'
echo 'exit 111' >"$d/esbulk-write.do"
start
wait_for 'killed while waiting: it waits' 10 logged 'started again'
kill -KILL "$supervisor"
wait "$supervisor" 2>/dev/null
wait_for 'killed while waiting: no process is left' 10 nothing_left

# Everything of it but the stages is killed: the next supervisor has to drain them.
kill_shells()
{
	stages=" $(pid_of read) $(pid_of map) $(pid_of write) "
	for pid in $supervisor $(left); do
		case $stages in
		*" $pid "*) ;;
		*) kill -KILL "$pid" 2>/dev/null ;;
		esac
	done
	wait "$supervisor" 2>/dev/null
}
fresh
# The second reader looks whether the first stages are really gone.
cat >"$d/pgcdc-read.do" <<'END'
for pid in $(cat old 2>/dev/null); do
	! grep -qs '^State:[[:space:]]*[^ZX[:space:]]' "/proc/$pid/status" || echo "$pid" >>together
done
while [ -z "$hit" ]; do read -r _ </proc/uptime; done
echo E
exit 0
END
start
wait_for 'orphans: they start' 10 up 1
old="$(pid_of read) $(pid_of map) $(pid_of write)"
kill_shells
for pid in $old; do
	ok 'orphans: the stages live on' alive "$pid"
done
echo "$old" >"$d/old"
start
wait_for 'orphans: a new supervisor goes on' 10 up 2
is "$(cat "$d/pgcdc-read.signals")" TERM 'orphans: they were drained'
ok 'orphans: they were gone before' test ! -e "$d/together"
ok 'orphans: the log says so' logged 'pipeline of an earlier supervisor'
stop 'orphans'

fresh 'PGCDC_DRAIN=0.3' 'PGCDC_KILL_DELAY=0.1'
echo 'trap "" TERM; while :; do read -r _ </proc/uptime; sleep 0.05; done' >"$d/esbulk-write.do"
start
wait_for 'stuck orphans: they start' 10 up 1
old=$(pid_of write)
kill_shells
rm "$d/esbulk-write.do"
start
wait_for 'stuck orphans: a new supervisor goes on' 20 up 2
ok 'stuck orphans: they were killed' not alive "$old"
stop 'stuck orphans'

# Stale files name a process that is none of ours: by a pid alone, and with a lock that
# somebody holds.
fresh 'PGCDC_DRAIN=0.2' 'PGCDC_KILL_DELAY=0.1'
sleep 1000 &
innocent=$!
for stale in run.a/1 run.b/1; do
	mkdir -p "$d/run/$stale"
	echo "$innocent 12345" >"$d/run/$stale/read.pid"
	: >"$d/run/$stale/lock"
done
echo "$innocent" >"$d/run/read.pid"
echo "$innocent" >"$d/run/pid"
flock "$d/run/run.b/1/lock" sleep 1000 &
holder=$!
held()
{
	! flock -n "$d/run/run.b/1/lock" true
}
wait_for 'stale files: a lock is held' 10 held
start
wait_for 'stale files: it starts' 10 up 1
ok 'stale files: an innocent process lives' alive "$innocent"
wait "$holder" 2>/dev/null
ok 'stale files: what held the lock is gone' not alive "$holder"
is "$(find "$d/run" -name 'run.[ab]')" '' 'stale files: they are gone'
kill "$innocent"
stop 'stale files'

done_testing
