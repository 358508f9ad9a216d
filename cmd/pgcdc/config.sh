# The configuration -----------------------------------------------------------------

# The file says KEY=VALUE: remembered, exported, nothing in it expanded or run.
set_variable()
{
	case $_key in
	PGCDC_CONNINFO | PGCDC_SLOT | PGCDC_PUBLICATION | PGCDC_MAPPING | PGCDC_ES_URL | \
	    PGCDC_RUNDIR | PGCDC_STATE | PGCDC_SNAPSHOT | PGCDC_DEAD_LETTER | PGCDC_LOG | PGCDC_READ_OPTIONS | \
	    PGCDC_METRICS_READ | PGCDC_METRICS_WRITE | PGCDC_MAP_COMMAND | PGCDC_WRITE_OPTIONS | PGCDC_DRAIN | PGCDC_KILL_DELAY | \
	    PGCDC_RESTART_MIN | PGCDC_RESTART_MAX) ;;
	PGCDC_RESTART_LIMIT | PGCDC_READY_FILE) ;;
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
	PGCDC_METRICS_WRITE=${PGCDC_METRICS_WRITE-}
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
	_restart_limit=${PGCDC_RESTART_LIMIT:-0}
	# Not octal, nor a number that JSON does not know.
	while [ "${_restart_limit#0?}" != "$_restart_limit" ]; do
		_restart_limit=${_restart_limit#0}
	done
	case $_restart_limit in
	*[!0-9]* | ??????????*) invalid PGCDC_RESTART_LIMIT 'is not a number of restarts' ;;
	esac
	[ "$_delay_max" -ge "$_delay_min" ] ||
	    invalid PGCDC_RESTART_MAX 'is less than PGCDC_RESTART_MIN'
}

