# Readiness, and what is told of the pipeline ---------------------------------------

# tell LINE...: to the service manager that started us, where one did that wants it.
tell()
{
	[ -z "${NOTIFY_SOCKET-}" ] || ! command -v pgcdc-log >/dev/null ||
	    pgcdc-log --notify "$@" >&2 </dev/null
}

# check_ready: is there somewhere to put it?  The file of an earlier one is no word of ours.
check_ready()
{
	if [ -n "${NOTIFY_SOCKET-}$PGCDC_MAP_COMMAND" ]; then
		command -v pgcdc-log >/dev/null || die 100 'pgcdc-log is not found or not executable'
	fi
	[ -n "$_ready_file" ] || return 0
	rm -f -- "$_ready_file" 2>/dev/null
	if [ -e "$_ready_file" ] || ! (: >"$_ready_file.new") 2>/dev/null; then
		set -- file "$_ready_file"
		_ready_file=
		die 100 'cannot make the ready file' "$@"
	fi
	rm -f -- "$_ready_file.new"
}

# is_ready WORD
is_ready()
{
	if [ -n "$_ready_file" ]; then
		{ echo "$1" >"$_ready_file.new" && mv -f -- "$_ready_file.new" "$_ready_file"; } 2>/dev/null
	fi
	{ : >"$_own/ready"; } 2>/dev/null
	if [ -n "$_ready_fd" ] && [ ! -e "$_own/said" ]; then
		{ : >"$_own/said" && echo >&6; } 2>/dev/null
	fi
	tell READY=1 "STATUS=$1: slot $PGCDC_SLOT"
}

# not_ready WHY
not_ready()
{
	[ -z "$_ready_file" ] || rm -f -- "$_ready_file"
	rm -f "$_own/ready"
	tell "STATUS=$1"
}

# take_state WORD: the reader has come to another state.
take_state()
{
	case $1 in
	streaming | loading | standby) is_ready "$1" ;;
	*) not_ready "$1: slot $PGCDC_SLOT" ;;
	esac
}

# note_last [STATUS]: status.last, for those who ask later; STATUS when this is the end.
note_last()
{
	_ended=
	[ $# -eq 0 ] || _ended=$(date -u +%Y-%m-%dT%H:%M:%SZ)
	{
		printf '%s\n' "pid=$$" "started=$_since" "restarts=$_restarts" \
		    "last_exit=$_last_exit" "last_time=$_last_time" "reason=$_why" \
		    "ended=$_ended" "exit=${1-}" >"$_rundir/status.new" &&
		    mv -f "$_rundir/status.new" "$_rundir/status.last"
	} 2>/dev/null
}

# read_reason FILE: _reason, what a program said last before it failed, if it did.
read_reason()
{
	_reason=
	{ IFS= read -r _reason <"$1"; } 2>/dev/null
	return 0
}
