# The run directory -----------------------------------------------------------------

# name_rundir: _rundir and _state_file, whether they are there or not.
name_rundir()
{
	_rundir=${RUNTIME_DIRECTORY-}
	_rundir=${PGCDC_RUNDIR:-${_rundir%%:*}}
	_rundir=${_rundir:-${XDG_RUNTIME_DIR:-/run}/pgcdc-$PGCDC_SLOT}
	name_state
}

name_state()
{
	_state_file=${STATE_DIRECTORY-}
	_state_file=${_state_file%%:*}
	_state_file=${PGCDC_STATE:-${_state_file:-$_rundir}/$PGCDC_SLOT.state}
}

# It holds the ack socket and the table's positions: nobody else may write to it.
open_rundir()
{
	name_rundir
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
	[ "${#_rundir}" -le 96 ] ||
	    die 100 "the run directory's path is too long for a socket in it" rundir "$_rundir"
	name_state
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
	{ echo $$ >"$_rundir/pid"; } 2>/dev/null ||
	    die 111 'cannot write to the run directory' rundir "$_rundir"
	_own=$(mktemp -d "$_rundir/run.XXXXXX" 2>/dev/null) ||
	    die 111 'cannot write to the run directory' rundir "$_rundir"
	exec 7>"$_own/alive"
	flock 7
	(watch) &
}

# Waits for the supervisor's end.  One that ended in order left nothing to do.
watch()
{
	trap '' HUP INT TERM
	exec 4>&- 6>&- 7>&- 9>&-
	flock "$_own/alive" true 2>/dev/null
	[ -z "$_ready_file" ] || [ ! -d "$_own" ] || rm -f -- "$_ready_file"
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

