# A closed descriptor 1 or 2 would be taken by the next file that is opened.
(: >&2) 2>/dev/null || exec 2>/dev/null
if (: >&1) 2>/dev/null; then
	exec 4>&1
else
	exec >/dev/null 4>&1
fi

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
-h | --help) usage ;;
-V | --version)
	echo "pgcdc $_version"
	;;
'') misuse 'which subcommand?' ;;
*) misuse "unknown subcommand or option $1" ;;
esac
