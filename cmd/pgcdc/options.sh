# The command line ------------------------------------------------------------------

# The programs beside this one are those it was installed with.
find_programs()
{
	case $0 in
	*/*) PATH=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd):$PATH ;;
	esac
}

# common_option ARGUMENT...: the first is one that all subcommands have; it takes $_taken.
common_option()
{
	_taken=1
	case $1 in
	-c | --config)
		[ $# -gt 1 ] || misuse "$1 needs a file"
		_config=$2 _taken=2
		;;
	-c*) _config=${1#-c} ;;
	--config=*) _config=${1#*=} ;;
	-h | --help)
		usage
		exit 0
		;;
	esac
}

misuse()
{
	printf 'pgcdc: %s\n' "$1" >&2
	usage >&2
	exit 100
}

