# shellcheck shell=sh disable=SC2034
# lib.sh -- what the tests share.  Sourced by every NN-name.t:
#
#	. "$(dirname "$0")/lib.sh"
#	need_pg
#	pg_db
#	sql 'CREATE TABLE t (id int)'
#	is "$(sql 'SELECT count(*) FROM t')" 0 'the table is empty'
#	done_testing
#
# A test prints TAP.  It runs under tests/run, which shares one PostgreSQL and one
# OpenSearch between all of them, and alone (prove tests/NN-name.t), when it starts
# those that it needs.  Other tests may run at the same time on the same servers, so
# whatever lives on a server is named after $ID: databases, slots, roles, indexes.
#
#	$T	a folder of the test's own, removed at its end
#	$ID	a name of the test's own: lower case, digits, underscores
#	$TOP	the top of the tree
#	$BUILD	what was built, $TOP/build or $PGCDC_TEST_BUILD; its bin is first in PATH
#	$PYTHON	a python3 that has msgpack
#
# At the end, however it comes, what was started by bg, standin_start, own_pg and
# own_es is stopped, and databases of pg_db, their slots, and indexes and roles whose
# names start with $ID are dropped.  With KEEP=1 a test that failed leaves $T.
#
# Names that start with an underscore are private to this file.
set -u

_tests=$(cd "$(dirname "$0")" && pwd)
TOP=$(dirname "$_tests")
BUILD=${PGCDC_TEST_BUILD:-$TOP/build}
PATH=$BUILD/bin:$PATH
LC_ALL=C
export TOP BUILD PATH LC_ALL
unset PGSERVICE PGPASSFILE PGPASSWORD PGOPTIONS PGHOSTADDR PGSSLMODE PGAPPNAME
# shellcheck disable=SC2046
unset -v PGCDC_CONNINFO $(env | sed -n 's/^\(PGCDC_[A-Z_]*\)=.*/\1/p' | grep -v '^PGCDC_TEST')
ID=t$(basename "$0" .t | tr 'A-Z-' 'a-z_' | tr -cd 'a-z0-9_')_$$
T=$(mktemp -d "${TMPDIR:-/tmp}/pgcdc-$ID.XXXXXX") || exit 1
# A server that root starts runs as another user, who must get through to its folder.
chmod 711 "$T"
for PYTHON in /usr/bin/python3 python3; do
	! "$PYTHON" -c 'import msgpack' 2>/dev/null || break
done
PGCDC_TEST_T=$T
export PYTHON PGCDC_TEST_T

_count=0 _failed=0 _finished=''
_dbs='' _own_pg='' _own_es='' _uses_es=''

# Results ---------------------------------------------------------------------------

# diag [LINE...]: comments; without arguments, standard input.
diag() {
	if [ $# -gt 0 ]; then
		printf '%s\n' "$@"
	else
		cat
	fi | sed 's/^/# /'
}

# _result STATUS DESCRIPTION: prints the line, returns STATUS.
_result() {
	_count=$((_count + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $_count - $2"
	else
		_failed=$((_failed + 1))
		echo "not ok $_count - $2"
	fi
	return "$1"
}

# ok DESCRIPTION COMMAND...: passes when the command succeeds.
ok() {
	_what=$1
	shift
	"$@" >"$T/.ok" 2>&1
	_result $? "$_what" || {
		diag "failed: $*"
		head -n 40 "$T/.ok" | diag
		return 1
	}
}

# not COMMAND...: for ok and wait_for: succeeds when the command fails.
not() {
	! "$@"
}

# is GOT EXPECTED DESCRIPTION
is() {
	[ "$1" = "$2" ]
	_result $? "$3" || {
		printf 'got:      %s\nexpected: %s\n' "$1" "$2" | diag
		return 1
	}
}

# like GOT PATTERN DESCRIPTION: an extended regular expression, on any line.
like() {
	printf '%s\n' "$1" | grep -Eq -e "$2"
	_result $? "$3" || {
		printf 'got:     %s\npattern: %s\n' "$1" "$2" | diag
		return 1
	}
}

# is_json GOT EXPECTED DESCRIPTION: equal but for blanks and the order of members.
# Numbers must be written alike: 1.0 is not 1.
is_json() {
	is "$(printf '%s\n' "$1" | _documents value 2>&1)" \
	    "$(printf '%s\n' "$2" | _documents value 2>&1)" "$3"
}

# same GOT_FILE EXPECTED_FILE DESCRIPTION: the same bytes.
same() {
	cmp -s "$1" "$2"
	_result $? "$3" || {
		diag "first differences, - got, + expected:"
		diff -U 0 "$1" "$2" | tail -n +3 | grep -v '^@' | head -n 20 | cut -c 1-300 | diag
		return 1
	}
}

# exits STATUS DESCRIPTION COMMAND...: the command's output is then in $T/out, $T/err.
exits() {
	_status=$1 _what=$2
	shift 2
	"$@" >"$T/out" 2>"$T/err" </dev/null
	_got=$?
	[ "$_got" -eq "$_status" ]
	_result $? "$_what" || {
		diag "exit status $_got, expected $_status: $*"
		tail -n 20 "$T/err" | diag
		return 1
	}
}

# skip DESCRIPTION REASON: one check.
skip() {
	_count=$((_count + 1))
	echo "ok $_count - $1 # SKIP $2"
}

# skip_all REASON: the whole test, and it ends here.
skip_all() {
	echo "1..0 # SKIP $*"
	_finished=yes
	exit 0
}

# plan N: only when the number is worth a check; otherwise done_testing counts.
plan() {
	echo "1..$1"
	_finished=plan
}

done_testing() {
	[ "$_finished" = plan ] || echo "1..$_count"
	_finished=yes
	[ "$_failed" -eq 0 ]
}

# bail REASON: this test cannot go on, and fails; the others go on.
bail() {
	_result 1 "cannot go on: $*"
	_dump_logs
	exit 1
}

# Waiting ---------------------------------------------------------------------------

_dump_logs() {
	for _log in "$T"/*.log "$T"/*/log; do
		[ -s "$_log" ] || continue
		diag "--- the end of ${_log#"$T"/}:"
		tail -n 15 "$_log" | cut -c 1-400 | diag
	done
}

# _until SECONDS COMMAND...: 0 as soon as the command succeeds, 1 when time is up.
_until() {
	_deadline=$(($(date +%s) + $1))
	shift
	until "$@" >"$T/.wait" 2>&1; do
		[ "$(date +%s)" -le "$_deadline" ] || return 1
		sleep 0.05
	done
}

# wait_for DESCRIPTION SECONDS COMMAND...: a check that passes as soon as the command
# succeeds; one that fails says what the command printed last, and the logs' ends.
wait_for() {
	_what=$1 _seconds=$2
	shift 2
	_until "$_seconds" "$@"
	_result $? "$_what" || {
		diag "not within $_seconds s: $*"
		head -n 20 "$T/.wait" | diag
		_dump_logs
		return 1
	}
}

# _runs PID: zombies don't.
_runs() {
	grep -qs '^State:[[:space:]]*[^ZX[:space:]]' "/proc/$1/status"
}

_ended() {
	! _runs "$1"
}

# wait_exit DESCRIPTION SECONDS PID STATUS: a check that our child ends in time, and
# with that status.
wait_exit() {
	_until "$2" _ended "$3" || {
		_result 1 "$1"
		diag "process $3 still runs after $2 s"
		_dump_logs
		return 1
	}
	wait "$3"
	_got=$?
	[ "$_got" -eq "$4" ]
	_result $? "$1" || {
		diag "exit status $_got, expected $4"
		_dump_logs
		return 1
	}
}

# Processes -------------------------------------------------------------------------

# bg NAME COMMAND...: runs it in the background, as a process group of its own whose
# leader is $BG_PID.  What it prints goes to $T/NAME.log.
bg() {
	_name=$1
	shift
	setsid "$@" >>"$T/$_name.log" 2>&1 </dev/null &
	BG_PID=$!
}

# _stop SIGNAL: sends it to what still runs of this test, but for this shell; 0 when
# nothing does.  They are known by the environment that they have from it, wherever
# they went; one that is left would keep prove waiting for the end of its output.
_stop() {
	_pids=$("$_tests/processes-with" "PGCDC_TEST_T=$T" "$$") || return 0
	# shellcheck disable=SC2086
	kill -s "$1" $_pids 2>/dev/null
	return 1
}

_stop_processes() {
	_stop TERM && return
	_stop CONT
	_until 2 _stop 0 || _until 5 _stop KILL
}

# below KB LIMIT DESCRIPTION: of memory; sanitizers take much of their own.
below() {
	if [ -n "${PGCDC_TEST_SANITIZED:-}" ]; then
		skip "$3" 'with sanitizers'
	else
		ok "$3: $1 kB" [ "$1" -lt "$2" ]
	fi
}

# vmhwm PID: the most memory that the process ever had, in kB.
vmhwm() {
	sed -n 's/^VmHWM:[[:space:]]*\([0-9]*\) kB/\1/p' "/proc/$1/status"
}

# PostgreSQL ------------------------------------------------------------------------

# need_pg: the connection of psql and libpq is to the run's shared server.
need_pg() {
	if [ -z "${PGCDC_TEST_RUN:-}" ]; then
		own_pg
	else
		_await pg
	fi
}

# own_pg [MAJOR]: to a server of the test's own, which may be stopped and configured
# at will: "$TOP/tests/pg-server" restart "$PG_DIR" immediate.  Without MAJOR it is of
# the same major version as the shared one.
own_pg() {
	PG_DIR=$T/pg
	_own_pg=yes
	[ $# -gt 0 ] || set -- ${PGCDC_TEST_PG_MAJOR:+"$PGCDC_TEST_PG_MAJOR"}
	_start pg-server "$PG_DIR" "$@"
}

# sql TEXT: each statement a transaction of its own; rows are plain lines, columns
# separated by |.
sql() {
	printf '%s\n' "$1" | psql -XAtq -v ON_ERROR_STOP=1 -f -
}

# pg_db [NAME]: a fresh database, which becomes the connection's; the name is made
# unique.
pg_db() {
	_db=${ID}_${1:-db}
	PGDATABASE=postgres sql "CREATE DATABASE $_db" || bail "cannot create a database"
	_dbs="$_dbs $_db"
	PGDATABASE=$_db
	export PGDATABASE
}

# slot_confirmed SLOT: its confirmed_flush_lsn.
slot_confirmed() {
	sql "SELECT confirmed_flush_lsn FROM pg_replication_slots WHERE slot_name = '$1'"
}

_drop_slots() {
	sql "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots
	    WHERE database = '$1' AND active;
	SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots
	    WHERE database = '$1' AND NOT active;" >/dev/null 2>&1
	[ -z "$(sql "SELECT 1 FROM pg_replication_slots WHERE database = '$1'" 2>/dev/null)" ]
}

_drop_databases() {
	PGDATABASE=postgres
	for _db in $_dbs; do
		_until 10 _drop_slots "$_db"
		sql "DROP DATABASE IF EXISTS $_db WITH (FORCE)" >/dev/null 2>&1
	done
	sql "SELECT format('DROP ROLE %I;', rolname) FROM pg_roles
	    WHERE starts_with(rolname, '$ID')" 2>/dev/null | psql -XAtq >/dev/null 2>&1
}

# The search node -------------------------------------------------------------------

# need_es: PGCDC_TEST_ES_URL is the run's shared OpenSearch.
need_es() {
	if [ -z "${PGCDC_TEST_RUN:-}" ]; then
		own_es
	else
		_await es
		_uses_es=yes
	fi
}

# own_es [FLAVOUR VERSION]: a node of the test's own, which may be stopped, frozen and
# started again: "$TOP/tests/search-node" stop "$ES_DIR".
own_es() {
	ES_DIR=$T/es
	_uses_es=yes _own_es=yes
	_start search-node "$ES_DIR" "$@"
}

# es METHOD PATH [BODY]: prints the answer; fails when its status is 400 or above.
# BODY may be @FILE.
es() {
	_method=$1 _path=$2
	shift 2
	[ $# -eq 0 ] || set -- -H 'Content-Type: application/json' --data-binary "$1"
	curl -sS --noproxy '*' --fail-with-body -X "$_method" \
	    ${PGCDC_TEST_ES_CACERT:+--cacert "$PGCDC_TEST_ES_CACERT"} \
	    ${PGCDC_TEST_ES_LOGIN:+-u "$(cat "$PGCDC_TEST_ES_LOGIN")"} \
	    "$@" "$PGCDC_TEST_ES_URL/${_path#/}"
}

_documents() {
	"$PYTHON" "$_tests/documents.py" "$@"
}

# es_docs INDEX [URL]: refreshes it, and prints all its documents, id TAB source, in
# the order of their ids.  The source is canonical JSON: no blanks, members sorted,
# numbers as they are written.
es_docs() {
	_documents fetch "${2:-$PGCDC_TEST_ES_URL}" "$1"
}

# canonical_docs: turns lines of id, TAB, JSON into what es_docs prints:
#	sql "SELECT id || E'\t' || row_to_json(t) FROM t" | canonical_docs
canonical_docs() {
	_documents canonical
}

# The stand-in ----------------------------------------------------------------------

# standin_start [OPTION...]: at $STANDIN_URL, process $STANDIN_PID.
standin_start() {
	rm -f "$T/standin.port"
	bg standin "$BUILD/tests/standin" --port-file "$T/standin.port" "$@"
	STANDIN_PID=$BG_PID
	_until 20 test -s "$T/standin.port" || bail "the stand-in did not start"
	STANDIN_URL=http://127.0.0.1:$(cat "$T/standin.port")
}

# standin METHOD PATH: the stand-in's control, without /_standin/.
standin() {
	curl -sS --noproxy '*' --fail-with-body -X "$1" "$STANDIN_URL/_standin/$2"
}

# Servers, and the end --------------------------------------------------------------

# _start SCRIPT DIR [ARGUMENT...]: what cannot be had here skips the test.
_start() {
	_script=$1 _dir=$2
	shift
	"$_tests/$_script" start "$@" >"$T/$_script.log" 2>&1 || {
		[ $? -ne 77 ] || skip_all "$(tail -n 1 "$T/$_script.log")"
		bail "$_script start failed"
	}
	# shellcheck disable=SC1091
	. "$_dir/env"
}

# _await NAME: tests/run starts the shared servers while the tests run already.
_await() {
	_until 600 test -s "$PGCDC_TEST_RUN/$1.status"
	case $(cat "$PGCDC_TEST_RUN/$1.status") in
	0) ;;
	77) skip_all "$(tail -n 1 "$PGCDC_TEST_RUN/$1.log")" ;;
	*)
		tail -n 20 "$PGCDC_TEST_RUN/$1.log" | diag
		bail "the shared server did not start"
		;;
	esac
	# shellcheck disable=SC1090
	. "$PGCDC_TEST_RUN/$1/env"
}

_cleanup() {
	_exit=$?
	trap '' HUP INT TERM PIPE
	[ -z "$_own_pg" ] || "$_tests/pg-server" stop "$PG_DIR" immediate
	[ -z "$_own_es" ] || "$_tests/search-node" stop "$ES_DIR"
	_stop_processes
	[ -z "$_dbs" ] || [ -n "$_own_pg" ] || _drop_databases
	[ -z "$_uses_es" ] || [ -n "$_own_es" ] || es DELETE "$ID*" >/dev/null 2>&1
	[ "$_finished" = yes ] || [ "$_exit" -ne 0 ] || _exit=1
	[ "$_failed" -eq 0 ] || [ "$_exit" -ne 0 ] || _exit=1
	if [ "$_exit" -ne 0 ] && [ -n "${KEEP:-}" ]; then
		diag "kept: $T"
	else
		rm -rf "$T"
	fi
	exit "$_exit"
}
trap _cleanup EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'diag "ended by SIGTERM: its time is up"; _dump_logs; exit 143' TERM
trap 'exit 141' PIPE
