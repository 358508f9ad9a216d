#!/bin/sh
#
# pgcdc: runs pgcdc-read | pgcdc-map | esbulk-write and keeps them running; pgcdc(1).
#
# How it hangs together:
#
# - The three stages are an anonymous pipeline in the background.  Each stage is the
#   child of a small shell that waits for it and writes "STAGE STATUS" to a third
#   descriptor; collect() reads those lines, and the supervisor waits for collect().
#   dash has no `wait -n`, and runs a trap only between commands or in `wait`: so the
#   supervisor itself waits for background processes only, and a trap does its work at
#   once (or in a process of its own) instead of leaving a flag that could be seen late.
# - Each start of the pipeline has a directory of its own, with the stages' pids and a
#   lock that they inherit and nobody else holds.  "All of them are gone" is "the lock
#   is free": the kernel's word, awaited with a bound and without polling, and
#   nothing late can meet the next pipeline.  The supervisor's own lock is not
#   inherited.  watch() waits for that lock's end: a supervisor killed with -9 leaves
#   no pipeline behind.
# - The configuration's other variables are exported as they are, so all names of
#   this script begin with an underscore, and the file may not set such names.
#
# - A descriptor is closed by `exec` in a subshell, not by a redirection of a function:
#   dash would keep a copy of it until the function ends.
#
# Descriptors: 3 statuses, 4 standard output, 5 standard error, 6 a reload's lock,
# 7 "the supervisor lives", 8 the pipeline's lock, 9 the run directory's lock.

set -uf
umask 077

_version='@VERSION@'
_nl='
'
_tab=$(printf '\t')
_cr=$(printf '\r')
_blank=" $_tab"

_verbose=0
_json=0
_stop=0 # TERMs and INTs so far
_nap=   # a background process that a TERM ends at once
_gen=   # the running pipeline's directory
_own=   # this supervisor's directory, which holds it
_rundir=
_file=
_lineno=0
_where= # " KEY:LINE" for every variable of the file

usage()
{
	cat <<-'END'
	usage: pgcdc run -c FILE [-v]
	       pgcdc snapshot -c FILE [TABLE...]
	       pgcdc -h | -V

	run            run the pipeline that FILE configures, until it ends or is stopped
	snapshot       have the pipeline that runs load tables (again); without any, tell how
	               far it is with those that it loads
	-c, --config   the configuration: lines of KEY=VALUE
	-v, --verbose  log more
	-h, --help     this text
	-V, --version  the version
	END
}

# The log ---------------------------------------------------------------------------

# quote STRING: _quoted is STRING in double quotes, with JSON's escapes.
quote()
{
	_quoted='' _left=$1
	while :; do
		case $_left in
		*[\"\\[:cntrl:]]*) ;;
		*) break ;;
		esac
		_part=${_left%%[\"\\[:cntrl:]]*}
		_left=${_left#"$_part"}
		_char=${_left%"${_left#?}"}
		_left=${_left#?}
		case $_char in
		\" | \\) _char=\\$_char ;;
		"$_nl") _char='\n' ;;
		*) _char=$(printf '\\u%04x' "'$_char") ;;
		esac
		_quoted=$_quoted$_part$_char
	done
	_quoted=\"$_quoted$_left\"
}

# log LEVEL MESSAGE [KEY VALUE]…: one event, one line, in the form of the programs
# (common/log.h).  +KEY is a number.
log()
{
	[ "$1" != debug ] || [ "$_verbose" -gt 0 ] || return 0
	_now=$(date -u +%Y-%m-%dT%H:%M:%S.%3NZ)
	case $_now in
	*[!0-9TZ:.-]*) _now=$(date -u +%Y-%m-%dT%H:%M:%SZ) ;;
	esac
	quote "$2"
	if [ "$_json" -eq 1 ]; then
		_line="{\"time\":\"$_now\",\"level\":\"$1\",\"program\":\"pgcdc\",\"msg\":$_quoted"
	else
		_line="$_now $1 pgcdc msg=$_quoted"
	fi
	shift 2
	while [ $# -gt 1 ]; do
		quote "$2"
		case $_json$1 in
		1+*) _line="$_line,\"${1#+}\":$2" ;;
		1*) _line="$_line,\"$1\":$_quoted" ;;
		*)
			case $2 in
			'' | *[\"=\\[:cntrl:][:space:]]*) ;;
			*) _quoted=$2 ;;
			esac
			_line="$_line ${1#+}=$_quoted"
			;;
		esac
		shift 2
	done
	[ "$_json" -eq 0 ] || _line="$_line}"
	printf '%s\n' "$_line" >&2
}

# finish STATUS: the end.  Descriptors 7 and 9 close with it, which ends watch().
finish()
{
	[ -z "$_own" ] || rm -rf "$_own" "$_rundir/ack.sock" "$_rundir/ctl.sock" "$_rundir/pid" \
	    "$_rundir/mapping.new" "$_rundir/read.pid" "$_rundir/map.pid" "$_rundir/write.pid"
	exit "$1"
}

# die STATUS MESSAGE [KEY VALUE]…
die()
{
	_status=$1
	shift
	log error "$@"
	finish "$_status"
}

# bad MESSAGE: an error at the line of the configuration that is being read.
bad()
{
	die 100 "$_file:$_lineno: $1"
}

# The configuration -----------------------------------------------------------------

# The file says KEY=VALUE: remembered, exported, nothing in it expanded or run.
set_variable()
{
	case $_key in
	PGCDC_CONNINFO | PGCDC_SLOT | PGCDC_PUBLICATION | PGCDC_MAPPING | PGCDC_ES_URL | \
	    PGCDC_RUNDIR | PGCDC_STATE | PGCDC_SNAPSHOT | PGCDC_DEAD_LETTER | PGCDC_LOG | PGCDC_READ_OPTIONS | \
	    PGCDC_METRICS_READ | PGCDC_MAP_COMMAND | PGCDC_WRITE_OPTIONS | PGCDC_DRAIN | PGCDC_KILL_DELAY | \
	    PGCDC_RESTART_MIN | PGCDC_RESTART_MAX) ;;
	PGCDC_*) bad "unknown variable $_key" ;;
	_* | IFS | OPTIND | OPTARG | PPID | PWD | OLDPWD)
		bad "$_key cannot be set: the supervisor's shell uses it" ;;
	esac
	(export "$_key=") 2>/dev/null || bad "$_key cannot be set: the shell forbids it"
	export "$_key=$_value"
	_where="$_where $_key:$_lineno"
}

# One line, from _rest; _state, _key and _value live on over continued lines.  The
# rules are those of systemd's EnvironmentFile=: quotes may stand at the value's start
# or after another quoted part, elsewhere they are characters like any other.
parse_line()
{
	while :; do
		case $_state in
		key)
			_rest=${_rest#"${_rest%%[!"$_blank"]*}"}
			case $_rest in
			'' | '#'* | ';'*) return ;;
			*=*) ;;
			*) bad 'not of the form KEY=VALUE' ;;
			esac
			_key=${_rest%%=*} _rest=${_rest#*=}
			_key=${_key%"${_key##*[!"$_blank"]}"}
			case $_key in
			'' | [!A-Za-z_]* | *[!A-Za-z0-9_]*) bad 'not a name of a variable' ;;
			esac
			_value='' _state=part
			;;
		part)
			_rest=${_rest#"${_rest%%[!"$_blank"]*}"}
			case $_rest in
			'')
				set_variable
				_state=key
				return
				;;
			\'*) _state=single _rest=${_rest#?} ;;
			\"*) _state=double _rest=${_rest#?} ;;
			*) _state=bare ;;
			esac
			;;
		bare)
			case $_rest in
			*\\*)
				_value=$_value${_rest%%\\*} _rest=${_rest#*\\}
				[ -n "$_rest" ] || return 0
				_value=$_value${_rest%"${_rest#?}"} _rest=${_rest#?}
				;;
			*)
				_value=$_value${_rest%"${_rest##*[!"$_blank"]}"}
				set_variable
				_state=key
				return
				;;
			esac
			;;
		single)
			case $_rest in
			*\'*) _value=$_value${_rest%%\'*} _rest=${_rest#*\'} _state=part ;;
			*)
				_value=$_value$_rest$_nl
				return
				;;
			esac
			;;
		double)
			_value=$_value${_rest%%[\"\\]*}
			_rest=${_rest#"${_rest%%[\"\\]*}"}
			case $_rest in
			'')
				_value=$_value$_nl
				return
				;;
			\"*) _state=part _rest=${_rest#?} ;;
			\\) return ;;
			\\[\"\\\`\$]*)
				_rest=${_rest#?}
				_value=$_value${_rest%"${_rest#?}"} _rest=${_rest#?}
				;;
			*) _value=$_value\\ _rest=${_rest#?} ;;
			esac
			;;
		esac
	done
}

load_config()
{
	_file=$1 _state=key
	[ -f "$_file" ] || die 100 "$_file: not a file"
	[ -r "$_file" ] || die 100 "$_file: cannot be read"
	while IFS= read -r _rest || [ -n "$_rest" ]; do
		_lineno=$((_lineno + 1))
		_rest=${_rest%"$_cr"}
		parse_line
	done <"$_file"
	case $_state in
	bare) set_variable ;;
	single | double) bad "the quotes of $_key are not closed" ;;
	esac
}

# invalid KEY WHAT: a value that cannot be used; the value itself is not shown.
invalid()
{
	case "$_where " in
	*" $1:"*)
		_at=${_where##*" $1:"}
		die 100 "$_file:${_at%% *}: $1 $2"
		;;
	*) die 100 "$1, from the environment, $2" config "$_file" ;;
	esac
}

# need KEY VALUE
need()
{
	[ -z "$2" ] || return 0
	case "$_where " in
	*" $1:"*) invalid "$1" 'is empty' ;;
	*) die 100 "$_file: $1 is not set, here or in the environment" ;;
	esac
}

# milliseconds KEY VALUE: _ms from seconds with up to three decimals.
milliseconds()
{
	case $2 in
	'' | *[!0-9.]* | *.*.* | .* | *. | *.????* | ????????*)
		invalid "$1" 'is not a number of seconds such as 30 or 0.5' ;;
	*.*) _ms=${2#*.}000 ;;
	*) _ms=000 ;;
	esac
	# A leading 0 would mean octal.
	_int=${2%%.*}
	_int=${_int#"${_int%%[!0]*}"}
	_ms=$((${_int:-0} * 1000 + 1${_ms%"${_ms#???}"} - 1000))
}

# seconds MILLISECONDS: _seconds, as sleep and flock take them.
seconds()
{
	_seconds=$(printf '%d.%03d' $(($1 / 1000)) $(($1 % 1000)))
}

# with_words STRING COMMAND…: run COMMAND with the words of STRING after its own.
# Quotes and backslashes as in the shell; nothing is expanded.  2: quotes not closed.
with_words()
{
	_left=$1 _word='' _open=0
	shift
	while [ -n "$_left" ]; do
		case $_left in
		["$_blank$_nl"]*)
			[ "$_open" -eq 0 ] || set -- "$@" "$_word"
			_word='' _open=0 _left=${_left#?}
			continue
			;;
		\'*)
			_left=${_left#?}
			case $_left in
			*\'*) _word=$_word${_left%%\'*} _left=${_left#*\'} ;;
			*) return 2 ;;
			esac
			;;
		\"*)
			_left=${_left#?}
			while :; do
				_word=$_word${_left%%[\"\\]*}
				_left=${_left#"${_left%%[\"\\]*}"}
				case $_left in
				'') return 2 ;;
				\"*) break ;;
				\\[\"\\\`\$]*) _left=${_left#?} ;;
				esac
				_word=$_word${_left%"${_left#?}"} _left=${_left#?}
			done
			_left=${_left#?}
			;;
		\\*)
			_left=${_left#?}
			[ -n "$_left" ] || return 2
			_word=$_word${_left%"${_left#?}"} _left=${_left#?}
			;;
		*)
			_word=$_word${_left%%["$_blank$_nl"\'\"\\]*}
			_left=${_left#"${_left%%["$_blank$_nl"\'\"\\]*}"}
			;;
		esac
		_open=1
	done
	[ "$_open" -eq 0 ] || set -- "$@" "$_word"
	"$@"
}

check_config()
{
	PGCDC_SLOT=${PGCDC_SLOT-} PGCDC_PUBLICATION=${PGCDC_PUBLICATION-}
	PGCDC_MAPPING=${PGCDC_MAPPING-} PGCDC_MAP_COMMAND=${PGCDC_MAP_COMMAND-}
	PGCDC_READ_OPTIONS=${PGCDC_READ_OPTIONS-} PGCDC_WRITE_OPTIONS=${PGCDC_WRITE_OPTIONS-}
	PGCDC_ES_URL=${PGCDC_ES_URL-} PGCDC_DEAD_LETTER=${PGCDC_DEAD_LETTER-}
	PGCDC_SNAPSHOT=${PGCDC_SNAPSHOT-} PGCDC_METRICS_READ=${PGCDC_METRICS_READ-}
	case $PGCDC_SNAPSHOT in
	'' | initial | never | only) ;;
	*) invalid PGCDC_SNAPSHOT 'is none of initial, never and only' ;;
	esac
	case ${PGCDC_LOG:-text} in
	text) ;;
	json) _json=1 ;;
	*) invalid PGCDC_LOG 'is neither text nor json' ;;
	esac
	# An empty one is fine when it is meant: libpq then takes all from its environment.
	[ -n "${PGCDC_CONNINFO+set}" ] || need PGCDC_CONNINFO ''
	# The reader takes it from the environment: a command line is for all to see.
	export PGCDC_CONNINFO
	need PGCDC_SLOT "$PGCDC_SLOT"
	case $PGCDC_SLOT in
	*[!a-z0-9_]*) invalid PGCDC_SLOT 'has a character that slot names do not have' ;;
	esac
	need PGCDC_PUBLICATION "$PGCDC_PUBLICATION"
	[ -n "$PGCDC_MAP_COMMAND" ] || need PGCDC_MAPPING "$PGCDC_MAPPING"
	need PGCDC_ES_URL "${PGCDC_ES_URL#"${PGCDC_ES_URL%%[!"$_blank$_nl"]*}"}"
	for _url in $PGCDC_ES_URL; do
		_url=${_url#*://}
		case ${_url%%/*} in
		*:*@*) invalid PGCDC_ES_URL 'holds a password, and would show it in the process list' ;;
		esac
	done
	with_words "$PGCDC_READ_OPTIONS" : ||
	    invalid PGCDC_READ_OPTIONS 'has quotes that are not closed'
	with_words "$PGCDC_WRITE_OPTIONS" : ||
	    invalid PGCDC_WRITE_OPTIONS 'has quotes that are not closed'
	milliseconds PGCDC_DRAIN "${PGCDC_DRAIN:-30}"
	seconds "$_ms"
	_drain=$_seconds
	# The reader waits for _drain itself; what has given up in order needs no force.
	seconds $((_ms + 500))
	_bound=$_seconds
	milliseconds PGCDC_KILL_DELAY "${PGCDC_KILL_DELAY:-5}"
	seconds "$_ms"
	_kill_delay=$_seconds
	milliseconds PGCDC_RESTART_MIN "${PGCDC_RESTART_MIN:-1}"
	_delay_min=$_ms
	[ "$_delay_min" -gt 0 ] || invalid PGCDC_RESTART_MIN 'must not be 0'
	milliseconds PGCDC_RESTART_MAX "${PGCDC_RESTART_MAX:-60}"
	_delay_max=$_ms
	[ "$_delay_max" -ge "$_delay_min" ] ||
	    invalid PGCDC_RESTART_MAX 'is less than PGCDC_RESTART_MIN'
}

# The run directory -----------------------------------------------------------------

# It holds the ack socket and the table's positions: nobody else may write to it.
open_rundir()
{
	_rundir=${RUNTIME_DIRECTORY-}
	_rundir=${PGCDC_RUNDIR:-${_rundir%%:*}}
	_rundir=${_rundir:-${XDG_RUNTIME_DIR:-/run}/pgcdc-$PGCDC_SLOT}
	mkdir -p -- "$_rundir" 2>/dev/null
	_abs=$(CDPATH='' cd -P -- "$_rundir" 2>/dev/null && pwd -P) ||
	    die 100 'cannot make or enter the run directory; PGCDC_RUNDIR names another' \
	    rundir "$_rundir"
	_rundir=$_abs
	[ -w "$_rundir" ] || die 100 'cannot write to the run directory' rundir "$_rundir"
	# shellcheck disable=SC2046,SC2012 # mode and owner stand before the name
	set -- $(ls -ldn -- "$_rundir")
	case $1:$3 in
	?????w* | ????????w*) die 100 'others may write to the run directory' rundir "$_rundir" ;;
	*:"$(id -u)") ;;
	*) die 100 'the run directory belongs to somebody else' rundir "$_rundir" ;;
	esac
	[ "${#_rundir}" -le 98 ] ||
	    die 100 "the run directory's path is too long for a socket in it" rundir "$_rundir"
	_state_file=${STATE_DIRECTORY-}
	_state_file=${_state_file%%:*}
	_state_file=${PGCDC_STATE:-${_state_file:-$_rundir}/$PGCDC_SLOT.state}
	[ -d "$(dirname -- "$_state_file")" ] ||
	    die 100 'the directory of the state file is missing' state "$_state_file"
}

lock_rundir()
{
	(: >>"$_rundir/lock") 2>/dev/null ||
	    die 100 'cannot write to the run directory' rundir "$_rundir"
	exec 9>>"$_rundir/lock"
	# The second is for the last short child of a supervisor that was just killed.
	if ! flock -w 1 9; then
		_pid=
		{ read -r _pid <"$_rundir/pid"; } 2>/dev/null
		die 111 'another pgcdc run holds the run directory' \
		    rundir "$_rundir" pid "${_pid:-unknown}"
	fi
	echo $$ >"$_rundir/pid"
	_own=$(mktemp -d "$_rundir/run.XXXXXX") || die 111 'cannot write to the run directory'
	exec 7>"$_own/alive"
	flock 7
	(watch) &
}

# Waits for the supervisor's end.  One that ended in order left nothing to do.
watch()
{
	trap '' HUP INT TERM
	exec 4>&- 7>&- 9>&-
	flock "$_own/alive" true 2>/dev/null
	end_all_of "$_own" 'the supervisor is gone: its pipeline is ended'
}

# end_all_of DIRECTORY MESSAGE: end the pipelines of a supervisor that is gone.
end_all_of()
{
	set +f
	for _g in "$1"/[0-9]*; do
		if [ -d "$_g" ] && ! gone "$_g" 0; then
			log warn "$2" pipeline "$_g"
			begin_drain "$_g"
			end_pipeline "$_g" "$_bound" || return 1
		fi
	done
	set -f
	rm -rf "$1"
}

# Two pipelines on one slot and one socket would be in each other's way.
end_leftovers()
{
	set +f
	for _d in "$_rundir"/run.*; do
		[ "$_d" = "$_own" ] || [ ! -d "$_d" ] ||
		    end_all_of "$_d" 'a pipeline of an earlier supervisor still runs: it is ended first' ||
		    return 1
	done
	set -f
}

# Signals to the stages -------------------------------------------------------------

# started PID: _started is when it started (field 22 of /proc/PID/stat), which with
# the pid makes a process's name unique.
started()
{
	_started=
	{ read -r _stat <"/proc/$1/stat"; } 2>/dev/null || return 1
	# shellcheck disable=SC2086 # fields
	set -- ${_stat##*) }
	[ $# -lt 20 ] || _started=${20}
}

# signal_stage DIRECTORY STAGE SIGNAL [-]: with -, its whole process group.
signal_stage()
{
	_pid=
	{ read -r _pid _since <"$1/$2.pid"; } 2>/dev/null
	[ -n "$_pid" ] && started "$_pid" && [ "$_started" = "$_since" ] || return 0
	kill -s "$3" -- "${4-}$_pid" 2>/dev/null
}

# begin_drain DIRECTORY: TERM to the reader, once: a second one would end it at once.
# A reader that has not written its pid yet will see the file.
begin_drain()
{
	(set -C && : >"$1/drain") 2>/dev/null || return 0
	signal_stage "$1" read TERM
}

# gone DIRECTORY SECONDS: are all its processes gone by then?
gone()
{
	case $2 in
	0) flock -n "$1/lock" true 2>/dev/null ;;
	*) LC_ALL=C flock -w "$2" "$1/lock" true 2>/dev/null ;;
	esac || [ ! -e "$1/lock" ]
}

# holders DIRECTORY: the pids of all that inherited the pipeline's lock.
holders()
{
	set +f
	# shellcheck disable=SC2012 # the names are numbers, the target is the line's end
	ls -l /proc/[0-9]*/fd 2>/dev/null | while read -r _entry; do
		case $_entry in
		/proc/*:) _pid=${_entry#/proc/} _pid=${_pid%%/*} ;;
		*" -> $1/lock") printf '%s ' "$_pid" ;;
		esac
	done
	set -f
}

# force DIRECTORY: end what runs there.  The mapper and the writer ignore a first TERM.
force()
{
	{ echo >"$1/forced"; } 2>/dev/null
	for _signal in TERM.0.5 "TERM.$_kill_delay" KILL.2; do
		for _stage in read map write; do
			signal_stage "$1" "$_stage" "${_signal%%.*}" -
		done
		gone "$1" "${_signal#*.}" && return
	done
	# Whatever left its group or lost its shell: it has our lock, so it is ours.
	for _pid in $(holders "$1"); do
		kill -s KILL "$_pid" 2>/dev/null
	done
	gone "$1" 10 && return
	log error 'processes of the pipeline cannot be ended' pids "$(holders "$1")"
	return 1
}

# end_pipeline DIRECTORY SECONDS: wait for its end so long, then see to it.
end_pipeline()
{
	gone "$1" "$2" && return
	log warn 'the pipeline does not end: TERM, then KILL' +seconds "$2"
	force "$1"
}

# aside COMMAND…: run it in the background, for a trap must be short.  It is not our
# child: the code that the trap interrupts may be about to look at $!.
aside()
{
	(
		trap '' HUP INT TERM
		exec 4>&- 7>&- 8>&- 9>&-
		("$@") &
	)
}

drain()
{
	begin_drain "$1"
	end_pipeline "$1" "$_bound"
}

on_term()
{
	_stop=$((_stop + 1))
	# KILL: a child just forked still has our handler for TERM, and would lose it.
	[ -z "$_nap" ] || kill -s KILL "$_nap" 2>/dev/null
	# log in a subshell: this may be in the middle of another log.
	case ${_gen:+running }$_stop in
	1) (log info 'stopping') ;;
	'running 1')
		(log info 'stopping: TERM to the reader' +seconds "$_drain")
		aside drain "$_gen"
		;;
	'running 2')
		(log warn 'stopping at once: TERM to all')
		aside force "$_gen"
		;;
	esac
}

on_hup()
{
	[ "$_stop" -ne 0 ] || aside reload
}

# The mapping file ------------------------------------------------------------------

# The pipeline runs on a copy, for a restart must not read a file that is being
# edited.  It is replaced only by what passed the check; the check is on the user's
# own path, so that its messages name it, and on the same bytes.
install_mapping()
{
	[ -z "$PGCDC_MAP_COMMAND" ] || return 0
	command -v pgcdc-map >/dev/null || {
		log error 'pgcdc-map is not found or not executable'
		return 100
	}
	for _try in 1 2 3 4 5; do
		rm -f "$_rundir/mapping.new"
		cp -- "$PGCDC_MAPPING" "$_rundir/mapping.new" 2>/dev/null
		set -- pgcdc-map -m "$PGCDC_MAPPING" --check
		[ "$_verbose" -eq 0 ] || set -- "$@" -v
		"$@" </dev/null >&2 4>&-
		_rc=$?
		if [ "$_rc" -eq 111 ] || [ "$_rc" -gt 128 ]; then
			return 111
		elif [ "$_rc" -ne 0 ]; then
			return 100
		fi
		if cmp -s -- "$PGCDC_MAPPING" "$_rundir/mapping.new"; then
			mv -f "$_rundir/mapping.new" "$_rundir/mapping" && return
			break
		fi
	done
	log error 'cannot copy the mapping file' mapping "$PGCDC_MAPPING" rundir "$_rundir"
	return 111
}

# HUP.  When the pipeline ends meanwhile, the next one takes the new file anyhow; so
# the order is: the file, then which pipeline is the current one.
reload()
{
	exec 6>>"$_own/reload.lock"
	flock 6
	install_mapping || {
		log error 'the new mapping is refused; the old one stays in force' \
		    mapping "$PGCDC_MAPPING"
		return
	}
	# None: the first one is yet to start, or the last one was stopped.
	{ read -r _g <"$_own/current"; } 2>/dev/null || return 0
	log info 'reloading: the pipeline is drained and started again'
	{ echo >"$_g/reload"; } 2>/dev/null
	[ -z "$_nap" ] || kill -s KILL "$_nap" 2>/dev/null
	exec 6>&-
	drain "$_g"
}

# The pipeline ----------------------------------------------------------------------

# Run by the stage's own shell, after setsid: a session of its own keeps a terminal's
# signals away from it, and makes a process group that can be ended as a whole.
# shellcheck disable=SC2016 # expanded there
_become='
	gen=$1 dir=$2 stage=$3
	shift 3
	read -r stat <"/proc/$$/stat"
	started() { start=${20}; }
	started ${stat##*) }
	echo $$ >"$dir/$stage.pid"
	echo "$$ $start" >"$gen/$stage.pid"
	[ ! -e "$gen/forced" ] || exit 111
	[ "$stage" != read ] || [ ! -e "$gen/drain" ] || exit 0
	exec "$@"'

# stage STAGE COMMAND…: run one and report its exit status.
stage()
{
	trap : HUP INT TERM
	_stage=$1
	shift
	_rc=127
	if command -v "$1" >/dev/null; then
		(
			exec 2>&5 5>&-
			exec setsid sh -c "$_become" pgcdc-stage "$_gen" "$_rundir" "$_stage" "$@"
		)
		_rc=$?
	fi
	# What a mapper of one's own may have left of its group would keep the pipes open.
	_pid=
	read -r _pid _since <"$_gen/$_stage.pid"
	[ -z "$_pid" ] || kill -s KILL -- "-$_pid"
	rm -f "$_gen/$_stage.pid" "$_rundir/$_stage.pid"
	echo "$_stage $_rc" >&3
}

stage_read()
{
	exec </dev/null 4>&-
	set -- stage read pgcdc-read -s "$PGCDC_SLOT" -p "$PGCDC_PUBLICATION" \
	    -a "$_rundir/ack.sock" --control "$_rundir/ctl.sock" --state "$_state_file" \
	    --drain "${_drain%.*}"
	[ -z "$PGCDC_SNAPSHOT" ] || set -- "$@" --snapshot "$PGCDC_SNAPSHOT"
	[ -z "$PGCDC_METRICS_READ" ] || set -- "$@" --metrics "$PGCDC_METRICS_READ"
	[ "$_verbose" -eq 0 ] || set -- "$@" -v
	with_words "$PGCDC_READ_OPTIONS" "$@"
}

stage_map()
{
	exec 4>&-
	if [ -n "$PGCDC_MAP_COMMAND" ]; then
		set -- stage map sh -c "$PGCDC_MAP_COMMAND"
	else
		set -- stage map pgcdc-map -m "$_rundir/mapping"
		[ "$_verbose" -eq 0 ] || set -- "$@" -v
	fi
	"$@"
}

stage_write()
{
	exec >&4 4>&-
	set -- stage write esbulk-write
	for _url in $PGCDC_ES_URL; do
		set -- "$@" -u "$_url"
	done
	set -- "$@" -a "$_rundir/ack.sock"
	[ -z "$PGCDC_DEAD_LETTER" ] || set -- "$@" --dead-letter "$PGCDC_DEAD_LETTER"
	[ "$_verbose" -eq 0 ] || set -- "$@" -v
	with_words "$PGCDC_WRITE_OPTIONS" "$@"
}

# Reads the statuses.  The first stage that ends takes the others with it, by end of
# file and a closed socket; the time for that is bounded.
collect()
{
	trap '' HUP INT TERM
	exec 4>&- 7>&- 8>&- 9>&-
	_n=0
	while [ "$_n" -lt 3 ] && read -r _stage _rc; do
		[ -e "$_gen/forced" ] && _rc="$_rc forced"
		echo "$_stage $_rc" >>"$_gen/status"
		_n=$((_n + 1))
		[ "$_n" -ne 1 ] || aside end_pipeline "$_gen" "$_bound"
	done
}

# await PID: its end; traps run meanwhile.
await()
{
	while :; do
		wait "$1" 2>/dev/null
		_rc=$?
		[ "$_rc" -gt 128 ] || return 0
		kill -0 "$1" 2>/dev/null || break
	done
	# Ended by a signal, or just when the trap came: then its status is still to be had.
	wait "$1" 2>/dev/null
	set -- $?
	[ "$1" -eq 127 ] || _rc=$1
}

# bounded COMMAND…: run it so that a TERM ends it at once; its status is in _rc.
bounded()
{
	(
		exec 7>&- 9>&-
		"$@"
	) &
	_nap=$!
	[ "$_stop" -eq 0 ] || kill -s KILL "$_nap" 2>/dev/null
	await "$_nap"
	_nap=
}

# Run the pipeline once, to its end; what came of it is in its directory.  1: a TERM
# came first.
run_pipeline()
{
	_count=$((_count + 1))
	mkdir "$_own/$_count" || die 111 'cannot write to the run directory'
	rm -f "$_rundir/ack.sock" "$_rundir/ctl.sock"
	: >"$_own/$_count/status"
	exec 8>"$_own/$_count/lock"
	flock 8
	echo "$_own/$_count" >"$_own/current"
	_gen=$_own/$_count
	if [ "$_stop" -gt 0 ]; then
		exec 8>&-
		return 1
	fi
	log debug 'the pipeline starts' pipeline "$_gen"
	{
		trap : HUP INT TERM
		# The shells say "Killed" on their own; collect() knows already.
		exec 3>&1 5>&2 2>/dev/null 7>&- 9>&-
		stage_read | stage_map | stage_write
	} | collect &
	_collector=$!
	exec 8>&-
	await "$_collector"
	# Nothing may be left, whatever happened to the shells between.
	(
		exec 7>&- 9>&-
		end_pipeline "$_gen" 2
	) &
	await $!
	[ "$_rc" -eq 0 ] || finish 111
}

# What to do now: _verdict is ended, stopped, failed, again or restart.
judge()
{
	_first='' _cause='' _permanent='' _exits='' _zeros=0
	while read -r _stage _rc _forced; do
		_exits="$_exits${_exits:+ }$_stage=$_rc"
		case $_rc in
		0)
			_zeros=$((_zeros + 1))
			continue
			;;
		100 | 126 | 127) _permanent=${_permanent:-$_stage $_rc} ;;
		111) ;;
		# The others of the three end with 111 for the sake of the one that broke.
		*) [ -n "$_forced" ] || _cause=${_cause:-$_stage $_rc} ;;
		esac
		_first=${_first:-$_stage $_rc}
	done <"$_gen/status"
	_cause=${_cause:-${_first:-unknown 111}}
	if [ -n "$_permanent" ]; then
		_verdict=failed _cause=$_permanent
	elif [ "$_stop" -gt 0 ]; then
		_verdict=stopped
	elif [ -e "$_gen/reload" ]; then
		_verdict=again
	elif [ "$_zeros" -eq 3 ]; then
		_verdict=ended
	else
		_verdict=restart
	fi
	_stage=${_cause% *} _rc=${_cause#* }
}

# What changes when the ack frontier moves.
frontier()
{
	[ ! -e "$_state_file" ] || cksum <"$_state_file"
}

# The delay doubles while the frontier stands still.
back_off()
{
	_mark_now=$(frontier)
	if [ "$_delay" -eq 0 ] || [ "$_mark_now" != "$_mark" ]; then
		_delay=$_delay_min
	else
		_delay=$((_delay * 2))
		[ "$_delay" -le "$_delay_max" ] || _delay=$_delay_max
	fi
	_mark=$_mark_now
	_random=$(od -An -N2 -tu2 /dev/urandom)
	seconds $((_delay / 2 + _delay * _random / 131070))
	set --
	_signal=$(kill -l "$_rc" 2>/dev/null)
	[ "$_rc" -le 128 ] || [ -z "$_signal" ] || set -- signal "$_signal"
	log warn 'the pipeline broke: all three are started again' \
	    stage "$_stage" +exit "$_rc" "$@" exits "$_exits" +delay "$_seconds"
	# A sleep that ends with this shell, however that does.
	# The point of its seconds is a comma in some languages.
	bounded env LC_ALL=C flock -w "$_seconds" "$_own/alive" true
}

supervise()
{
	_count=0 _delay=0
	_mark=$(frontier)
	while [ "$_stop" -eq 0 ]; do
		run_pipeline || break
		judge
		rm -rf "$_gen"
		_gen=
		case $_verdict in
		ended)
			log info 'the stream ended, all is stored'
			finish 0
			;;
		failed)
			case $_rc in
			100) set -- 'stopped: a permanent error' ;;
			*) set -- 'stopped: the program is not found or not executable' ;;
			esac
			die 100 "$1" stage "$_stage" +exit "$_rc" exits "$_exits"
			;;
		stopped)
			[ "$_stop" -gt 1 ] || [ "$_zeros" -ne 3 ] || break
			log warn 'stopped, not all stages ended in order' exits "$_exits"
			finish 111
			;;
		restart) back_off ;;
		esac
	done
	log info 'stopped'
	finish 0
}

# The command line ------------------------------------------------------------------

# The programs beside this one are those it was installed with.
find_programs()
{
	case $0 in
	*/*) PATH=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd):$PATH ;;
	esac
}

# common_option ARGUMENT...: the first is one that all subcommands have; it takes $_taken.
common_option()
{
	_taken=1
	case $1 in
	-c | --config)
		[ $# -gt 1 ] || misuse "$1 needs a file"
		_config=$2 _taken=2
		;;
	-c*) _config=${1#-c} ;;
	--config=*) _config=${1#*=} ;;
	-h | --help)
		usage
		exit 0
		;;
	esac
}

snapshot()
{
	_config='' _line='' _ended=''
	while [ $# -gt 0 ]; do
		case $_ended$1 in
		-c* | --config | --config=* | -h | --help)
			common_option "$@"
			shift $((_taken - 1))
			;;
		--) _ended=. ;;
		-*) misuse "unknown option $1" ;;
		*) _line="$_line $1" ;;
		esac
		shift
	done
	[ -n "$_config" ] || misuse 'snapshot needs -c FILE'
	load_config "$_config"
	check_config
	find_programs
	open_rundir
	case $_line in
	'') _line=status ;;
	*"$_nl"*) die 100 'a line end in a table'"'"'s name cannot be passed on' ;;
	*) _line=snapshot$_line ;;
	esac
	exec pgcdc-read --control "$_rundir/ctl.sock" --request "$_line"
}

run()
{
	_config=
	while [ $# -gt 0 ]; do
		case $1 in
		-c* | --config | --config=* | -h | --help)
			common_option "$@"
			shift $((_taken - 1))
			;;
		-v | --verbose) _verbose=1 ;;
		--)
			[ $# -eq 1 ] || misuse "unexpected argument $2"
			;;
		*) misuse "unexpected argument $1" ;;
		esac
		shift
	done
	[ -n "$_config" ] || misuse 'run needs -c FILE'
	trap on_term TERM INT
	trap '' HUP
	load_config "$_config"
	check_config
	find_programs
	for _tool in flock setsid; do
		command -v "$_tool" >/dev/null || die 100 "$_tool(1) of util-linux is needed"
	done
	open_rundir
	lock_rundir
	bounded end_leftovers
	[ "$_stop" -gt 0 ] || [ "$_rc" -eq 0 ] || finish 111
	[ "$_stop" -gt 0 ] || bounded install_mapping
	[ "$_stop" -gt 0 ] || [ "$_rc" -eq 0 ] ||
	    die "$_rc" 'the mapping file is refused' mapping "$PGCDC_MAPPING"
	trap on_hup HUP
	log info 'started' slot "$PGCDC_SLOT" publication "$PGCDC_PUBLICATION" \
	    rundir "$_rundir" state "$_state_file"
	supervise
}

misuse()
{
	printf 'pgcdc: %s\n' "$1" >&2
	usage >&2
	exit 100
}

# A closed descriptor 1 or 2 would be taken by the next file that is opened.
(: >&2) 2>/dev/null || exec 2>/dev/null
if (: >&1) 2>/dev/null; then
	exec 4>&1
else
	exec >/dev/null 4>&1
fi

case ${1-} in
run)
	shift
	run "$@"
	;;
snapshot)
	shift
	snapshot "$@"
	;;
-h | --help) usage ;;
-V | --version)
	case $_version in
	@*) _version='(not installed)' ;;
	esac
	echo "pgcdc $_version"
	;;
'') misuse 'which subcommand?' ;;
*) misuse "unknown subcommand or option $1" ;;
esac
