# pgcdc run ------------------------------------------------------------------------

# Descriptor 6 is the one to tell on, wherever it came from; then 4 can be standard output.
open_descriptors()
{
	case $_ready_fd in
	'') ;;
	*[!0-9]*) misuse "--ready-fd $_ready_fd is no number" ;;
	?)
		(eval ": >&$_ready_fd") 2>/dev/null || misuse "descriptor $_ready_fd is not open"
		eval "exec 6>&$_ready_fd"
		case $_ready_fd in
		[0126]) ;;
		*) eval "exec $_ready_fd>&-" ;;
		esac
		;;
	*)
		# The shell knows descriptors of one digit only.
		(: >>"/proc/self/fd/$_ready_fd") 2>/dev/null ||
		    misuse "descriptor $_ready_fd is not open"
		exec 6>>"/proc/self/fd/$_ready_fd"
		;;
	esac
	exec 4>&1
}

run()
{
	_config='' _file_given=''
	while [ $# -gt 0 ]; do
		case $1 in
		-c* | --config | --config=* | -h | --help)
			common_option "$@"
			shift $((_taken - 1))
			;;
		-v | --verbose) _verbose=1 ;;
		--ready-file=*) _file_given=${1#*=} ;;
		--ready-fd=*) _ready_fd=${1#*=} ;;
		--ready-file | --ready-fd)
			[ $# -gt 1 ] || misuse "$1 needs a value"
			case $1 in
			--ready-file) _file_given=$2 ;;
			*) _ready_fd=$2 ;;
			esac
			shift
			;;
		--)
			[ $# -eq 1 ] || misuse "unexpected argument $2"
			;;
		*) misuse "unexpected argument $1" ;;
		esac
		shift
	done
	[ -n "$_config" ] || misuse 'run needs -c FILE'
	open_descriptors
	_since=$(date -u +%Y-%m-%dT%H:%M:%SZ)
	trap on_term TERM INT
	# Nor does a descriptor that nobody reads any more end those that see to the stages.
	trap '' HUP PIPE
	load_config "$_config"
	check_config
	_ready_file=${_file_given:-${PGCDC_READY_FILE-}}
	find_programs
	for _tool in flock setsid; do
		command -v "$_tool" >/dev/null || die 100 "$_tool(1) of util-linux is needed"
	done
	open_rundir
	lock_rundir
	note_last
	check_ready
	bounded end_leftovers
	[ "$_stop" -gt 0 ] || [ "$_rc" -eq 0 ] ||
	    finish 111 'processes of an earlier pipeline cannot be ended'
	[ "$_stop" -gt 0 ] || bounded install_mapping
	read_reason "$_own/check.reason"
	[ "$_stop" -gt 0 ] || [ "$_rc" -eq 0 ] ||
	    die "$_rc" 'the mapping file is refused' mapping "$PGCDC_MAPPING"
	trap on_hup HUP
	log info 'started' slot "$PGCDC_SLOT" publication "$PGCDC_PUBLICATION" \
	    rundir "$_rundir" state "$_state_file"
	supervise
}

