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
	{
		echo $$ >"$dir/$stage.pid"
		echo "$$ $start" >"$gen/$stage.pid"
	} 2>/dev/null
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
			# shellcheck disable=SC2030
			export PGCDC_REASON="$_gen/$_stage.reason"
			unset NOTIFY_SOCKET WATCHDOG_USEC WATCHDOG_PID
			exec 2>&5 5>&-
			# It goes on without its pid, but then nobody can have it end in order.
			{ echo >"$_gen/$_stage.pid"; } 2>/dev/null ||
			    log error 'cannot write to the run directory' rundir "$_rundir" stage "$_stage"
			trap - PIPE
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
	export PGCDC_STATE_FD=3
	set -- stage read pgcdc-read -s "$PGCDC_SLOT" -p "$PGCDC_PUBLICATION" \
	    -a "$_rundir/ack.sock" --control "$_rundir/ctl.sock" --state "$_state_file" \
	    --drain "${_drain%.*}"
	[ -z "$PGCDC_SNAPSHOT" ] || set -- "$@" --snapshot "$PGCDC_SNAPSHOT"
	set -- "$@" --metrics "$_rundir/read.http"
	[ -z "$PGCDC_METRICS_READ" ] || set -- "$@" --metrics "$PGCDC_METRICS_READ"
	[ "$_verbose" -eq 0 ] || set -- "$@" -v
	with_words "$PGCDC_READ_OPTIONS" "$@"
}

stage_map()
{
	exec 4>&-
	if [ -n "$PGCDC_MAP_COMMAND" ]; then
		set -- stage_own_map
	else
		set -- stage map pgcdc-map -m "$_rundir/mapping"
		[ "$_verbose" -eq 0 ] || set -- "$@" -v
	fi
	"$@"
}

# A mapper of one's own says what it says: a process makes events of it, up to the end of
# its standard error, which comes with that of its group.  It holds the pipeline's lock, so
# that is waited for, for a moment; and no pipe, so that nothing else waits.
stage_own_map()
{
	exec 4<&0 6>&1
	{
		exec <&4 4<&- 5>&1 >&6 6>&-
		stage map sh -c "$PGCDC_MAP_COMMAND"
	} | {
		exec 4<&- 6>&- >/dev/null 2>&5 3>&- 5>&-
		# shellcheck disable=SC2031
		export PGCDC_REASON="$_gen/map.reason"
		exec pgcdc-log --wrap map
	} &
	exec 4<&- 6>&- </dev/null >/dev/null 3>&-
	wait
}

stage_write()
{
	exec >&4 4>&-
	set -- stage write esbulk-write
	for _url in $PGCDC_ES_URL; do
		set -- "$@" -u "$_url"
	done
	set -- "$@" -a "$_rundir/ack.sock" --metrics "$_rundir/write.http"
	[ -z "$PGCDC_METRICS_WRITE" ] || set -- "$@" --metrics "$PGCDC_METRICS_WRITE"
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
		# The reader's word; once a stage has ended all that follows is the end.
		if [ "$_stage" = state ]; then
			[ "$_n" -gt 0 ] || take_state "$_rc"
			continue
		fi
		[ -e "$_gen/forced" ] && _rc="$_rc forced"
		{ echo "$_stage $_rc" >>"$_gen/status"; } 2>/dev/null
		_n=$((_n + 1))
		if [ "$_n" -eq 1 ]; then
			aside end_pipeline "$_gen" "$_bound"
			not_ready "ending: $_stage has ended"
		fi
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
	_reason=
	mkdir "$_own/$_count" 2>/dev/null ||
	    die 111 'cannot write to the run directory' rundir "$_rundir"
	rm -f "$_rundir/ack.sock" "$_rundir/ctl.sock"
	: >"$_own/$_count/status"
	exec 8>"$_own/$_count/lock"
	flock 8
	{ echo "$_own/$_count" >"$_own/current"; } 2>/dev/null
	_gen=$_own/$_count
	if [ "$_stop" -gt 0 ]; then
		exec 8>&-
		return 1
	fi
	log debug 'the pipeline starts' pipeline "$_gen"
	{
		trap : HUP INT TERM
		# The shells say "Killed" on their own; collect() knows already.
		exec 3>&1 5>&2 2>/dev/null 6>&- 7>&- 9>&-
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
	[ "$_rc" -eq 0 ] || finish 111 'processes of the pipeline cannot be ended'
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
	_stage=${_cause% *} _rc=${_cause#* } _reason=
	# One that a signal ended had no time for a last word.
	[ "$_rc" -gt 128 ] || [ "$_rc" -eq 0 ] || read_reason "$_gen/$_stage.reason"
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
		_delay=$_delay_min _vain=0
	else
		_delay=$((_delay * 2))
		[ "$_delay" -le "$_delay_max" ] || _delay=$_delay_max
	fi
	_mark=$_mark_now _vain=$((_vain + 1))
	_random=$(od -An -N2 -tu2 /dev/urandom)
	seconds $((_delay / 2 + _delay * _random / 131070))
	set --
	_signal=$(kill -l "$_rc" 2>/dev/null)
	[ "$_rc" -le 128 ] || [ -z "$_signal" ] || set -- signal "$_signal"
	set -- stage "$_stage" +exit "$_rc" "$@" exits "$_exits"
	if [ "$_restart_limit" -gt 0 ] && [ "$_vain" -gt "$_restart_limit" ]; then
		die 111 'given up: nothing was stored over that many restarts' \
		    +restarts "$_restart_limit" "$@"
	fi
	set -- "$@" +delay "$_seconds"
	[ -z "$_reason" ] || set -- "$@" reason "$_reason"
	log warn 'the pipeline broke: all three are started again' "$@"
	_restarts=$((_restarts + 1)) _why=$_reason
	note_last
	aside tell "STATUS=$_stage ended with $_rc, starting again in $_seconds s: $_reason"
	# A sleep that ends with this shell, however that does.
	# The point of its seconds is a comma in some languages.
	bounded env LC_ALL=C flock -w "$_seconds" "$_own/alive" true
}

supervise()
{
	_count=0 _delay=0 _vain=0
	_mark=$(frontier)
	while [ "$_stop" -eq 0 ]; do
		run_pipeline || break
		judge
		[ "$_verdict" = again ] || [ "$_zeros" -eq 3 ] || {
			_last_exit="$_stage $_rc"
			_last_time=$(date -u +%Y-%m-%dT%H:%M:%SZ)
		}
		rm -rf "$_gen"
		_gen=
		case $_verdict in
		ended)
			log info 'the stream ended, all is stored'
			finish 0 'the stream ended, all is stored'
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
			set -- exits "$_exits"
			[ -z "$_reason" ] || set -- "$@" reason "$_reason"
			log warn 'stopped, not all stages ended in order' "$@"
			finish 111 "stopped, not all stages ended in order: ${_reason:-$_exits}"
			;;
		restart) back_off ;;
		esac
	done
	log info 'stopped'
	finish 0 stopped
}

