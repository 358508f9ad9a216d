# shellcheck shell=sh disable=SC2034,SC2154
# check.sh -- what the tests of pgcdc check share.  Sourced behind lib.sh.
#
# $conf is the configuration, $database where SQL is run, as the superuser.

# look: runs the check; its JSON is in $T/check.json, its exit status in $looked.
look() {
	pgcdc check -c "$conf" --json >"$T/check.json" 2>"$T/check.err" </dev/null
	looked=$?
}

# found NAME LEVEL PATTERN: is there such a finding?  $T/remedy is the first one's.
found() {
	jq -e --arg name "$1" --arg level "$2" --arg text "$3" -j 'first(.findings[]
	    | select(.name == $name and .level == $level and (.text | test($text)))).remedy' \
	    "$T/check.json" >"$T/remedy" 2>"$T/remedy.err"
}

# finds NAME LEVEL PATTERN DESCRIPTION
finds() {
	look
	found "$1" "$2" "$3"
	_result $? "$4" || {
		jq -r '.findings[] | select(.level != "ok") | "\(.level) \(.name): \(.text)"' \
		    "$T/check.json" | diag
		diag <"$T/check.err"
		return 1
	}
}

restart_pg() {
	"$TOP/tests/pg-server" restart "$PG_DIR" >/dev/null
}

# mend: does what the remedy says, line by line, as it is printed.
mend() {
	while IFS= read -r line || [ -n "$line" ]; do
		case $line in
		'SQL: '*) PGDATABASE=${database:-$PGDATABASE} sql "${line#SQL: }" ;;
		'run: '*) sh -c "${line#run: }" ;;
		'config: '*) printf '%s\n' "${line#config: }" >>"$conf" ;;
		'postgresql.conf: '*)
			printf '%s\n' "${line#postgresql.conf: }" >>"$PG_DIR/data/postgresql.conf" ;;
		'pg_hba.conf: '*)
			printf '%s\n' "${line#pg_hba.conf: }" |
			    cat - "$PG_DIR/data/pg_hba.conf" >"$T/hba" &&
			    cat "$T/hba" >"$PG_DIR/data/pg_hba.conf" ;;
		'then restart the server') restart_pg ;;
		*) continue ;;
		esac >"$T/mend.out" 2>&1 || {
			echo "failed: $line"
			cat "$T/mend.out"
			return 1
		}
		mended=yes
	done <"$T/remedy"
	[ -n "$mended" ] || { echo "nothing in it can be run"; cat "$T/remedy"; return 1; }
}

# is_mended NAME PATTERN: no finding of that name says that any more.
is_mended() {
	look
	jq -e --arg name "$1" --arg text "$2" '[.findings[]
	    | select(.name == $name and .level != "ok" and (.text | test($text)))] == []' \
	    "$T/check.json"
}

# mends NAME LEVEL PATTERN DESCRIPTION: it is found, the remedy is run, and it is gone.
mends() {
	finds "$1" "$2" "$3" "$4" || return
	mended=
	mend >"$T/mended" 2>&1
	_result $? "its remedy can be run: $(tr '\n' ' ' <"$T/remedy" | cut -c 1-150)" || {
		diag <"$T/mended"
		return 1
	}
	is_mended "$1" "$3" >/dev/null
	_result $? 'and the check is ok then' || {
		jq -r '.findings[] | select(.level != "ok") | "\(.level) \(.name): \(.text)"' \
		    "$T/check.json" | diag
		diag <"$T/check.err"
		return 1
	}
}
