# pgcdc setup ----------------------------------------------------------------------

# errand_options NAME ARGUMENT…: what setup and drop have in common, and each alone.
errand_options()
{
	_errand=$1 _config='' _asked=0 _json=0 _print=0 _yes=0 _list='' _conninfo='' _other=0
	shift
	while [ $# -gt 0 ]; do
		case $_errand:$1 in
		*:-c* | *:--config | *:--config=* | *:-h | *:--help)
			common_option "$@"
			shift $((_taken - 1))
			;;
		*:-d | *:--dbname)
			[ $# -gt 1 ] || misuse "$1 needs a connection string"
			_conninfo=$2 _other=1
			shift
			;;
		*:--dbname=*) _conninfo=${1#*=} _other=1 ;;
		setup:--tables)
			[ $# -gt 1 ] || misuse "$1 needs a list"
			_list=$2
			shift
			;;
		setup:--tables=*) _list=${1#*=} ;;
		setup:--print) _print=1 ;;
		drop:--yes) _yes=1 ;;
		*) misuse "unexpected argument $1" ;;
		esac
		shift
	done
	[ -n "$_config" ] || misuse "$_errand needs -c FILE"
	prepare_findings
	[ "$_other" -eq 0 ] || PGCDC_CONNINFO=$_conninfo
	name_rundir
	_own_tmp=$(mktemp -d) || trouble 111 'temporary files' 'mktemp fails' 'make room in TMPDIR'
	[ -n "$_own_tmp" ] || end_findings
	trap 'rm -rf "$_own_tmp"' EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM
}

# templates: those of the mapping, into a file; 1: there are none, and why was said.
templates()
{
	[ -z "$PGCDC_MAP_COMMAND" ] || return 1
	_out=$(pgcdc-map -m "$PGCDC_MAPPING" -p "$PGCDC_PUBLICATION" --template 2>&1 \
	    >"$_own_tmp/templates" </dev/null)
	_rc=$?
	if [ "$_rc" -ne 0 ]; then
		take_findings pgcdc-map "$_rc" "$(pgcdc-map -m "$PGCDC_MAPPING" \
		    -p "$PGCDC_PUBLICATION" --check --findings 2>&1 </dev/null)"
		return 1
	fi
	[ -s "$_own_tmp/templates" ]
}

# shown PROGRAM COMMAND…: _out is what it prints; 1: it failed, which was said.
shown()
{
	_shown=$1
	shift
	_out=$("$@" 2>"$_own_tmp/log")
	_rc=$?
	[ "$_rc" -ne 0 ] || return 0
	take_findings "$_shown" "$_rc" "$_out$_nl$(cat "$_own_tmp/log")"
	return 1
}

# print_setup SQL: as a script for sh.
print_setup()
{
	cat <<-END
	# Publication and slot: as a superuser, or a role with the rights, with PGCDC_CONNINFO set.
	psql -X -q -v ON_ERROR_STOP=1 -d "\$PGCDC_CONNINFO" <<'SQL'
	$1
	SQL
	END
	[ -z "$PGCDC_MAP_COMMAND" ] || return 0
	echo '# Index templates.'
	case $1 in
	*'CREATE PUBLICATION '*)
		# What it publishes decides which fields there are.
		word "$PGCDC_MAPPING"
		_line="pgcdc-map -m $_word -p"
		word "$PGCDC_PUBLICATION"
		_line="$_line $_word --template | esbulk-write"
		for _url in $PGCDC_ES_URL; do
			word "$_url"
			_line="$_line -u $_word"
		done
		printf '%s --template /dev/stdin --setup %s %s\n' "$_line" "$PGCDC_SLOT" \
		    "$PGCDC_WRITE_OPTIONS"
		;;
	*)
		templates || return 0
		! shown esbulk-write writer --template "$_own_tmp/templates" --setup "$PGCDC_SLOT" \
		    --print || printf '%s\n' "$_out"
		;;
	esac
}

setup()
{
	errand_options setup "$@"
	_tables=$_list
	if [ -z "$_tables" ] && [ -z "$PGCDC_MAP_COMMAND" ]; then
		_out=$(pgcdc-map -m "$PGCDC_MAPPING" --check --findings 2>&1 </dev/null)
		_rc=$?
		if [ "$_rc" -ne 0 ]; then
			take_findings pgcdc-map "$_rc" "$_out"
			end_findings
		fi
		tables_of_mapping
	fi
	[ -d "$(dirname -- "$_state_file")" ] || _no_state=1
	if [ "$_print" -eq 1 ]; then
		! shown pgcdc-read reader --setup=print || print_setup "$_out"
		end_findings
	fi
	_out=$(reader --setup 2>&1)
	_rc=$?
	take_findings pgcdc-read "$_rc" "$_out"
	# Without the publication nobody knows the fields.
	if [ "$_rc" -eq 0 ] && templates; then
		_out=$(writer --template "$_own_tmp/templates" --setup "$PGCDC_SLOT" 2>&1)
		take_findings esbulk-write $? "$_out"
	fi
	end_findings
}

