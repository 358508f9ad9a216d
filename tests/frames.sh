# shellcheck shell=sh disable=SC2016,SC2154,SC2034
# frames.sh -- for tests of pgcdc-read that compare frames with what SQL says.  Sourced
# after lib.sh, with a database of the test's own:
#
#	stream 'FOR TABLE t'
#	sql 'INSERT INTO t VALUES (1)'
#	capture
#	agree 'one row' public.t
#
# dollars are jq's.

_streams=0 _published=''

# on MAJOR: is the server of that version, or a later one?
on() {
	[ "$_version" -ge "$(($1 * 10000))" ]
}
_version=$(sql 'SHOW server_version_num')

# run TEXT: what the test needs done; its rows are not looked at.
run() {
	sql "SET client_min_messages = warning; $1" >"$T/null" || bail 'SQL failed'
}

# stream CLAUSE...: a publication $pub for each clause, and a slot $slot that begins here.
# What was captured before counts no more.  The ones before are dropped.
stream() {
	_streams=$((_streams + 1))
	[ "$_streams" -eq 1 ] || run "SELECT pg_drop_replication_slot('$slot')"
	[ -z "$_published" ] || run "DROP PUBLICATION $_published"
	slot=${ID}_$_streams pub='' _n=0
	for _clause; do
		_n=$((_n + 1))
		pub=$pub${pub:+,}p$_n
		run "CREATE PUBLICATION p$_n $_clause"
	done
	_published=$pub
	run "SELECT pg_create_logical_replication_slot('$slot', 'pgoutput')"
	: >"$T/stream.frames"
}

# capture [OPTION...]: what was committed since the last time comes to $T/frames, as lines
# of JSON, and the stream's frames until now are in $T/stream.frames.
capture() {
	rm -f "$T/new.frames"
	pgcdc-read -s "$slot" -p "$pub" --until-caught-up -o "$T/new.frames" "$@" \
	    2>>"$T/read.log" || bail "pgcdc-read failed"
	take_frames
}

# take_frames: the same, with frames that are in $T/new.frames.
take_frames() {
	pgcdc-cat "$T/new.frames" >"$T/frames" || bail "pgcdc-cat failed"
	cat "$T/new.frames" >>"$T/stream.frames"
}

# rebuilt TABLE...: the rows that the stream's frames give.  schema.table, unquoted.
rebuilt() {
	"$PYTHON" "$TOP/tests/rebuild.py" "$T/stream.frames" "$@" || echo failed
}

# held NAME SELECT: the rows that it has, as rebuilt prints them.
held() {
	printf '%s\n' "$2" | psql -XAtq -P null=NULL -v ON_ERROR_STOP=1 -f - |
	    _name=$1 awk '{ print ENVIRON["_name"] ": " $0 }' | sort
}

# agree DESCRIPTION TABLE...: the frames give what the tables hold, and that is something.
agree() {
	_what=$1
	shift
	for _table; do
		held "$_table" "SELECT * FROM $_table"
	done | sort >"$T/expected"
	rebuilt "$@" >"$T/got" 2>&1
	[ -s "$T/expected" ] || echo 'a table that holds rows' >>"$T/expected"
	same "$T/got" "$T/expected" "$_what"
}

# agree_with DESCRIPTION TABLE SELECT: with a part of the table.
agree_with() {
	held "$2" "$3" >"$T/expected"
	rebuilt "$2" >"$T/got" 2>&1
	[ -s "$T/expected" ] || echo 'a table that holds rows' >>"$T/expected"
	same "$T/got" "$T/expected" "$1"
}

# q [OPTION...] FILTER
q() {
	jq -c "$@" "$T/frames"
}

# told DESCRIPTION <EXPECTED: the last capture, a word or a line for each frame: of rows the
# table and the values, of R the columns; positions, times and the ends of runs left out.
told() {
	cat >"$T/expected"
	jq -rn 'def values: map(if . == {"$absent": true} then "-" else tojson end) | join(" ");
		foreach inputs as $f ({};
		if $f[0] == "R" then .[$f[1] | tostring] = $f[3] else . end;
		. as $name | $f | if .[0] == "R" then
			"R " + .[3] + " " + .[4] + ": " + (.[5] | map(.[0] + " " + .[1]) | join(", "))
		elif .[0] == "B" or .[0] == "C" then .[0]
		elif .[0] == "I" or .[0] == "D" then
			.[0] + " " + $name[.[1] | tostring] + ": " + (.[2] | values)
		elif .[0] == "U" then
			.[0] + " " + $name[.[1] | tostring] + ": " + (.[2] | values) +
			if .[3] then ", was " + (.[3] | values) else "" end
		elif .[0] == "T" then
			"T " + (.[1] | map($name[tostring]) | join(" ")) + 
			(if .[2] then " cascade" else "" end) + (if .[3] then " restart" else "" end)
		elif .[0] == "M" then "M " + .[1] + " " + (.[4] | tostring)
		else empty end)' "$T/frames" >"$T/told"
	same "$T/told" "$T/expected" "$1"
}
