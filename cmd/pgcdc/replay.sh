# pgcdc replay ---------------------------------------------------------------------

# is_held FILE: does a writer append to it?
is_held()
{
	! flock -n -- "$1" true
}

# set_aside: the running pipeline's file gets another name, and the pipeline another file.
# The writer may be about to append to the old one until it has let go of it.
set_aside()
{
	_base=$_letters.$(date -u +%Y%m%dT%H%M%SZ) _n=1
	_aside=$_base
	while [ -e "$_aside" ]; do
		_n=$((_n + 1)) _aside=$_base.$_n
	done
	_pid=
	{ read -r _pid <"$_rundir/write.pid"; } 2>/dev/null
	[ -n "$_pid" ] || die 111 'another program holds the dead letters, and it is not the pipeline' \
	    file "$_letters" rundir "$_rundir"
	mv -- "$_letters" "$_aside" 2>/dev/null ||
	    die 111 'cannot rename the dead letters' file "$_letters"
	log info 'the dead letters are set aside' file "$_aside"
	_letters=$_aside _tries=0
	while is_held "$_letters"; do
		[ "$_tries" -lt 100 ] ||
		    die 111 'the pipeline does not let go of the dead letters; replay this file later' \
		    file "$_letters"
		# Again, for a writer that has no letter to write may sleep.
		[ $((_tries % 10)) -ne 0 ] || kill -s HUP "$_pid" 2>/dev/null
		_tries=$((_tries + 1))
		sleep 0.1
	done
}

# send_letters COMMAND...
send_letters()
{
	exec "$@" --dead-letter "$_again" <"$_letters"
}

# deliver COMMAND...: who ends this script means the command; _rc is its status.
deliver()
{
	with_words "$PGCDC_WRITE_OPTIONS" send_letters "$@" &
	_sender=$! _ended=0
	trap '_ended=1; kill "$_sender" 2>/dev/null' HUP INT TERM
	wait "$_sender"
	_rc=$?
	# A signal ends the wait, too.
	while kill -0 "$_sender" 2>/dev/null; do
		# The first one it ignores, for in a pipeline its input ends.
		[ "$_ended" -eq 0 ] || sleep 0.1
		[ "$_ended" -eq 0 ] || kill "$_sender" 2>/dev/null
		wait "$_sender"
		_rc=$?
	done
	trap - HUP INT TERM
	[ "$_ended" -eq 0 ] || [ "$_rc" -ne 0 ] || _rc=143
}

replay()
{
	_config='' _letters='' _options=.
	while [ $# -gt 0 ]; do
		case $_options$1 in
		.-c* | .--config | .--config=* | .-h | .--help)
			common_option "$@"
			shift $((_taken - 1))
			;;
		.-v | .--verbose) _verbose=1 ;;
		.--) _options='' ;;
		.-*) misuse "unknown option $1" ;;
		*)
			[ -z "$_letters" ] || misuse "unexpected argument $1"
			_letters=${1:-.}
			;;
		esac
		shift
	done
	[ -n "$_config" ] || misuse 'replay needs -c FILE'
	load_config "$_config"
	check_config
	find_programs
	name_rundir
	for _tool in flock esbulk-write; do
		command -v "$_tool" >/dev/null || die 100 "$_tool is not found or not executable"
	done
	_given=$_letters
	_letters=${_letters:-$PGCDC_DEAD_LETTER}
	[ -n "$_letters" ] || die 100 'no file of dead letters is given, here or by PGCDC_DEAD_LETTER'
	if [ -z "$_given" ] && [ ! -e "$_letters" ]; then
		log info 'there are no dead letters' file "$_letters"
		exit 0
	fi
	if [ ! -f "$_letters" ] || [ ! -r "$_letters" ]; then
		die 100 'the dead letters cannot be read' file "$_letters"
	fi
	if [ ! -s "$_letters" ]; then
		log info 'there are no dead letters' file "$_letters"
		exit 0
	fi
	if is_held "$_letters"; then
		[ -z "$_given" ] ||
		    die 111 'a writer appends to this file: rename it and send the writer a HUP' \
		    file "$_letters"
		set_aside
	fi
	_again=$_letters.again
	[ ! -s "$_again" ] || die 100 'what was rejected of it before is there: replay that, or move it away' \
	    file "$_again"
	# Nobody shall append to it meanwhile.
	exec 9<"$_letters"
	flock -n 9 || die 111 'a writer has just taken this file' file "$_letters"
	set -- esbulk-write
	for _url in $PGCDC_ES_URL; do
		set -- "$@" -u "$_url"
	done
	[ "$_verbose" -eq 0 ] || set -- "$@" -v
	deliver "$@"
	case $_rc in
	0)
		[ ! -s "$_again" ] || die 100 'some were rejected again' file "$_again"
		rm -f -- "$_again"
		log info 'all is stored, or there is something newer' file "$_letters"
		exit 0
		;;
	100 | 126 | 127) _code=100 ;;
	*) _code=111 ;;
	esac
	# All of them are still in the file itself.
	rm -f -- "$_again"
	die "$_code" 'not all was sent: the file is as it was' file "$_letters" +exit "$_rc"
}

