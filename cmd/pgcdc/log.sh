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

# finish STATUS REASON: the end.  Descriptors 7 and 9 close with it, which ends watch().
finish()
{
	if [ -n "$_own" ]; then
		_why=$2
		note_last "$1"
		[ -z "$_ready_file" ] || rm -f -- "$_ready_file"
		# What is on the log is the last line.
		tell STOPPING=1 "STATUS=stopped with $1: $2" 2>/dev/null
	fi
	[ -z "$_own" ] || rm -rf "$_own" "$_rundir/ack.sock" "$_rundir/ctl.sock" "$_rundir/pid" \
	    "$_rundir/read.http" "$_rundir/write.http" "$_rundir/mapping.new" "$_rundir/read.pid" "$_rundir/map.pid" "$_rundir/write.pid"
	exit "$1"
}

# die STATUS MESSAGE [KEY VALUE]…: with _reason, what a program said, as the last of them.
die()
{
	_status=$1
	shift
	[ -z "$_reason" ] || set -- "$@" reason "$_reason"
	log error "$@"
	finish "$_status" "${_reason:-$1}"
}

# bad MESSAGE: an error at the line of the configuration that is being read.
bad()
{
	die 100 "$_file:$_lineno: $1"
}

