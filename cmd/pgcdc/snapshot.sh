# pgcdc snapshot -------------------------------------------------------------------

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

