# shellcheck shell=sh
# For the tests of pgcdc-map alone: frames as JSON lines in, actions as lines out.  To be
# sourced behind lib.sh.

# frames: JSON lines on standard input, of which those that start with a blank go on
# with the line before, to frames; E is added.
frames() {
	{
		sed -e ':a' -e 'N' -e '$!ba' -e 's/\n[[:blank:]][[:blank:]]*//g'
		echo '["E","0/FF","done"]'
	} | pgcdc-cat --pack
}

# actions: frames on standard input, to lines of op, index, id, routing, body and more.
actions() {
	pgcdc-cat | jq -r 'select(.[0] == "X") | [.[1], .[3], .[4], .[6], .[7],
	    (.[8] // empty | tojson)] | map(. // "-") | join(" ")'
}

# map: JSON lines on standard input through $T/m.yml; prints the actions.  The status is
# in $T/status, the log in $T/err.
map() {
	frames >"$T/in"
	pgcdc-map -m "$T/m.yml" <"$T/in" >"$T/out" 2>"$T/err"
	echo $? >"$T/status"
	actions <"$T/out"
}

# mapping: standard input becomes the mapping file.
mapping() {
	cat >"$T/m.yml"
}

# counter NAME: of the last s frame of the output.
counter() {
	pgcdc-cat <"$T/out" | jq -c --arg name "$1" 'select(.[0] == "s")[2][$name]' | tail -n 1
}
