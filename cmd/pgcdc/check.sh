# pgcdc check ----------------------------------------------------------------------

# Findings come from the programs as lines of level, name, text and remedy, with tabs
# between, in which \n, \t and \\ are escapes; common/finding.h.

_warnings=0
_errors=0    # that somebody must mend
_temporary=0 # errors that may pass
_objects=    # for --json
_no_state=0  # the state file's directory is yet to be made, with the run directory

# finding LEVEL NAME TEXT REMEDY: shown, or kept for --json.  The last two may have
# several lines.
finding()
{
	[ "$1" != warning ] || _warnings=$((_warnings + 1))
	if [ "$_json" -eq 1 ]; then
		quote "$2"
		_object="{\"level\":\"$1\",\"name\":$_quoted"
		quote "$3"
		_object="$_object,\"text\":$_quoted"
		quote "$4"
		_objects="$_objects${_objects:+,$_nl}$_object,\"remedy\":$_quoted}"
		return
	fi
	printf '%-8s %s: %s\n' "$1" "$2" "$3"
	[ -n "$4" ] || return 0
	while IFS= read -r _row; do
		printf '         %s\n' "$_row"
	done <<-END
	$4
	END
}

# trouble STATUS NAME TEXT REMEDY: an error; STATUS is 100, or 111 where it may pass.
trouble()
{
	if [ "$1" -eq 111 ]; then
		_temporary=$((_temporary + 1))
	else
		_errors=$((_errors + 1))
	fi
	shift
	finding error "$@"
}

# take_findings PROGRAM STATUS OUTPUT: what a program printed, with its log.
take_findings()
{
	_program=$1 _rc=$2 _said='' _faults=0
	while IFS=$_tab read -r _level _name _text _remedy; do
		case $_level in
		ok | warning | error) ;;
		*)
			# Tabs were taken for one, but a log line has none.
			[ -z "$_level" ] || _said=$_level
			continue
			;;
		esac
		[ "$_level" != error ] || _faults=1
		_name=$(printf '%b' "$_name") _text=$(printf '%b' "$_text")
		_remedy=$(printf '%b' "$_remedy")
		case $_level:$_name in
		warning:template) _remedy="run: pgcdc setup -c $_file_word" ;;
		# It comes with the run directory.
		warning:state) [ "$_no_state" -eq 0 ] || continue ;;
		esac
		finding "$_level" "$_name" "$_text" "$_remedy"
	done <<-END
	$3
	END
	case $_rc in
	0) return ;;
	126 | 127)
		trouble 100 "$_program" "it is not found, or not executable" 'install it, or mend PATH'
		return
		;;
	esac
	if [ "$_faults" -eq 0 ]; then
		_text=${_said##* msg=\"}
		trouble "$_rc" "$_program" "it ended with $_rc: $_text" ''
	elif [ "$_rc" -eq 111 ]; then
		_temporary=$((_temporary + 1))
	else
		_errors=$((_errors + 1))
	fi
}

# word STRING: _word is STRING as sh has it.
word()
{
	_word='' _left=$1
	case $1 in
	'' | *[!A-Za-z0-9._/:=,@%+-]*) ;;
	*)
		_word=$1
		return
		;;
	esac
	while :; do
		case $_left in
		*\'*) _word=$_word${_left%%\'*}"'\\''" _left=${_left#*\'} ;;
		*) break ;;
		esac
	done
	_word="'$_word$_left'"
}

# In a check, and in setup and drop, what ends `run` is an error like others.
die_as_finding()
{
	die()
	{
		_status=$1 _text=$2 _json=$_asked
		shift 2
		while [ $# -gt 1 ]; do
			_text="$_text ${1#+}=$2"
			shift 2
		done
		trouble "$_status" config "$_text" 'mend it there; CONFIGURATION in pgcdc(1)'
		end_findings
	}
}

# check_rundir: as open_rundir and lock_rundir, without making or taking it.
check_rundir()
{
	name_rundir
	_me=$(id -un 2>/dev/null) || _me=$(id -u)
	word "$_rundir"
	case $_rundir in
	/*) _abs=$_rundir ;;
	*) _abs=$(pwd -P)/$_rundir ;;
	esac
	[ ! -d "$_rundir" ] || _abs=$(CDPATH='' cd -P -- "$_rundir" 2>/dev/null && pwd -P) || _abs=$_rundir
	if [ "${#_abs}" -gt 96 ]; then
		trouble 100 'run directory' "the path of $_rundir is too long for a socket in it" \
		    "config: PGCDC_RUNDIR=/run/pgcdc-$PGCDC_SLOT"
		return
	elif [ ! -e "$_rundir" ]; then
		[ "$(dirname -- "$_state_file")" != "$_rundir" ] || _no_state=1
		_up=$(dirname -- "$_rundir")
		while [ ! -e "$_up" ]; do
			_up=$(dirname -- "$_up")
		done
		if [ -d "$_up" ] && [ -w "$_up" ]; then
			finding ok 'run directory' "$_rundir will be made" ''
		else
			trouble 100 'run directory' "$_rundir is missing, and $_up is not writable" \
			    "run: install -d -m 700 -o $_me $_word${_nl}or config: PGCDC_RUNDIR=another"
		fi
		return
	fi
	# shellcheck disable=SC2046,SC2012 # mode and owner stand before the name
	set -- $(ls -ldnL -- "$_rundir")
	case $1:$3 in
	[!d]*)
		trouble 100 'run directory' "$_rundir is no directory" \
		    "run: mv $_word $_word.old"
		return
		;;
	?????w* | ????????w*)
		trouble 100 'run directory' "others may write to $_rundir" "run: chmod go-w $_word" ;;
	*:"$(id -u)")
		if [ ! -w "$_rundir" ]; then
			trouble 100 'run directory' "$_rundir is not writable" "run: chmod u+rwx $_word"
		elif [ -e "$_rundir/lock" ] && ! flock -n -s "$_rundir/lock" true; then
			_pid=
			{ read -r _pid <"$_rundir/pid"; } 2>/dev/null
			finding ok 'run directory' "$_rundir: pgcdc runs, process ${_pid:-unknown}" ''
		else
			finding ok 'run directory' "$_rundir: no pgcdc runs" ''
		fi
		;;
	*) trouble 100 'run directory' "$_rundir belongs to somebody else" "run: chown $_me $_word" ;;
	esac
}

check_programs()
{
	for _tool in flock setsid; do
		command -v "$_tool" >/dev/null ||
		    trouble 100 programs "$_tool is missing" 'run: apt-get install -y util-linux'
	done
}

# tables_of_mapping: _tables is a list for SQL, or empty.
tables_of_mapping()
{
	_tables=
	[ -n "$PGCDC_MAP_COMMAND" ] ||
	    _tables=$(pgcdc-map -m "$PGCDC_MAPPING" --list tables 2>/dev/null </dev/null)
}

# indexes_of_mapping: _indexes has commas between.
indexes_of_mapping()
{
	_indexes=
	[ -z "$PGCDC_MAP_COMMAND" ] || return 0
	[ "$_away" -eq 0 ] &&
	    _indexes=$(pgcdc-map -m "$PGCDC_MAPPING" -p "$PGCDC_PUBLICATION" --list indexes 2>/dev/null \
	    </dev/null) || _indexes=$(pgcdc-map -m "$PGCDC_MAPPING" --list indexes 2>/dev/null </dev/null)
	_indexes=$(printf '%s' "$_indexes" | tr '\n' ,)
}

# reader OPTION…: pgcdc-read as the pipeline has it, with its findings.
reader()
{
	set -- pgcdc-read -s "$PGCDC_SLOT" -p "$PGCDC_PUBLICATION" --findings "$@"
	[ "$_no_state" -eq 1 ] || set -- "$@" --state "$_state_file"
	case $PGCDC_PUBLICATION in
	*,*) ;;
	*) [ -z "$_tables" ] || set -- "$@" --create-publication "$_tables" ;;
	esac
	[ -z "$PGCDC_SNAPSHOT" ] || set -- "$@" --snapshot "$PGCDC_SNAPSHOT"
	with_words "$PGCDC_READ_OPTIONS" "$@" </dev/null
}

# writer OPTION…: likewise.
writer()
{
	set -- esbulk-write --findings "$@"
	for _url in $PGCDC_ES_URL; do
		set -- "$@" -u "$_url"
	done
	[ -z "$PGCDC_DEAD_LETTER" ] || set -- "$@" --dead-letter "$PGCDC_DEAD_LETTER"
	with_words "$PGCDC_WRITE_OPTIONS" "$@" </dev/null
}

# end_findings: the exit status, and with --json all that was found.
end_findings()
{
	_status=0 _result=ok
	[ "$_warnings" -eq 0 ] || _result=warning
	[ "$_temporary" -eq 0 ] || _status=111 _result=temporary
	[ "$_errors" -eq 0 ] || _status=100 _result=error
	if [ "$_json" -eq 1 ]; then
		printf '{"findings":[%s],\n"result":"%s"}\n' "$_objects" "$_result" || _status=111
	fi
	exit "$_status"
}

# prepare_findings: the configuration, with its errors as findings.
prepare_findings()
{
	word "$_config"
	_file_word=$_word
	die_as_finding
	load_config "$_config"
	check_config
	# The programs' log is read, where they say nothing else.
	_json=$_asked PGCDC_LOG=text
	export PGCDC_LOG
	find_programs
}

check()
{
	_config='' _json=0 _asked=0
	while [ $# -gt 0 ]; do
		case $1 in
		-c* | --config | --config=* | -h | --help)
			common_option "$@"
			shift $((_taken - 1))
			;;
		--json) _asked=1 ;;
		*) misuse "unexpected argument $1" ;;
		esac
		shift
	done
	[ -n "$_config" ] || misuse 'check needs -c FILE'
	_json=$_asked
	prepare_findings
	finding ok config "$_file can be used" ''
	check_programs
	check_rundir
	tables_of_mapping
	_out=$(reader --check 2>&1)
	_rc=$? _away=0
	# One that cannot be reached, or says nothing, is not waited for again and again.
	[ "$_rc" -ne 111 ] || _away=1
	take_findings pgcdc-read "$_rc" "$_out"
	if [ -n "$PGCDC_MAP_COMMAND" ]; then
		finding ok mapping 'a mapper of your own is not looked at' ''
	else
		set -- -p "$PGCDC_PUBLICATION"
		[ "$_away" -eq 0 ] || set --
		_out=$(pgcdc-map -m "$PGCDC_MAPPING" "$@" --check --findings 2>&1 </dev/null)
		_rc=$?
		[ "$_rc" -ne 111 ] || _away=1
		take_findings pgcdc-map "$_rc" "$_out"
	fi
	indexes_of_mapping
	_out=$(writer "--check=$_indexes" 2>&1)
	take_findings esbulk-write $? "$_out"
	end_findings
}

