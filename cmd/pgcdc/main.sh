# A closed descriptor 1 or 2 would be taken by the next file that is opened.
(: >&2) 2>/dev/null || exec 2>/dev/null
(: >&1) 2>/dev/null || exec >/dev/null

case ${1-} in
run)
	shift
	run "$@"
	;;
check | setup | drop)
	_errand=$1
	shift
	"$_errand" "$@"
	;;
snapshot)
	shift
	snapshot "$@"
	;;
replay)
	shift
	replay "$@"
	;;
status)
	shift
	status "$@"
	;;
-h | --help) usage ;;
-V | --version)
	echo "pgcdc $_version"
	;;
'') misuse 'which subcommand?' ;;
*) misuse "unknown subcommand or option $1" ;;
esac
