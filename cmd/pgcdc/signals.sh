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
		exec 4>&- 6>&- 7>&- 8>&- 9>&-
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
	1)
		(log info 'stopping')
		[ -z "$_own" ] || aside tell STOPPING=1 'STATUS=stopping'
		;;
	'running 1')
		(log info 'stopping: TERM to the reader' +seconds "$_drain")
		aside tell STOPPING=1 'STATUS=stopping: what was read is stored first'
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

