# pgcdc run ------------------------------------------------------------------------

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

