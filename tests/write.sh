# shellcheck shell=sh disable=SC2034
# write.sh -- what the tests of esbulk-write share.  Sourced behind lib.sh.

# Frames as JSON lines --------------------------------------------------------------

hello() {
	printf '["H",{"v":1,"run":"%s"}]\n' "${1:-run1}"
}

# b LSN [XID]: null for a snapshot's unit.
b() {
	printf '["B","%s",0,%s]\n' "$1" "${2:-7}"
}

# c LSN SEQ
c() {
	printf '["C","%s",%d]\n' "$1" "$2"
}

e() {
	printf '["E","%s","done"]\n' "${1:-0/FFFFFFF}"
}

# _text STRING: in JSON, nil for -.
_text() {
	if [ "$1" = - ]; then
		printf null
	else
		printf '"%s"' "$(printf '%s' "$1" | sed 's/["\\]/\\&/g')"
	fi
}

# x OP INDEX ID BODY [VERSION [ROUTING [MORE]]]: of table 16401.
x() {
	printf '["X","%s",16401,%s,%s,%s,%s,%s,%s]\n' "$1" "$(_text "$2")" "$(_text "$3")" \
	    "${5:-null}" "$(_text "${6:--}")" "$(_text "$4")" "${7:-null}"
}

relation() {
	echo '["R",16401,"shop","users","d",[["id","int4",23,-1,true]],[0]]'
}

# unit SEQ ACTION...: commit at 0/SEQ*1000.  An action is ID or ID=N (index {"n":N}), or
# -ID (delete), in index "i".
unit() {
	b "0/${1}000"
	_seq=$1
	shift
	for _a; do
		case $_a in
		-*) x delete i "${_a#-}" - ;;
		*=*) x index i "${_a%%=*}" "{\"n\":${_a#*=}}" ;;
		*) x index i "$_a" "{\"n\":$_seq}" ;;
		esac
	done
	c "0/${_seq}030" "$_seq"
}

# u SEQ ACTION...: the same of actions as x prints them.
u() {
	b "0/${1}000"
	_seq=$1
	shift
	printf '%s\n' "$@"
	c "0/${_seq}030" "$_seq"
}

# turns: a unit in which index and delete take turns on fifteen documents, without versions.
turns() {
	b 0/1000
	awk 'BEGIN { for (turn = 1; turn <= 12; turn++) for (d = 1; d <= 15; d++) {
		printf "[\"X\",\"index\",1,\"i\",\"d%d\",false,null,\"{\\\"n\\\":%d}\"]\n", d, turn
		printf "[\"X\",\"delete\",1,\"i\",\"d%d\",false,null,null]\n", d } }'
	c 0/1030 1
	e
}

# load UNITS ACTIONS DOCUMENTS [INDEX]: units of so many actions on documents picked at
# random, a fifth of them deletes, in an index ("i"), with H before and no E behind.
# $T/want gets what the index then holds, for holds_load; $T/units each action: seq, id
# and its unit's LSN, a multiple of 65536.  Places in a unit are left out: documents may
# share a counter.
load() {
	awk -v units="$1" -v actions="$2" -v docs="$3" -v index_="${4:-i}" -v want="$T/want" \
	    -v log_="$T/units" '
	BEGIN {
		srand(11)
		printf "[\"H\",{\"v\":1,\"run\":\"run1\"}]\n"
		for (u = 1; u <= units; u++) {
			lsn = 16777216 + 65536 * u
			printf "[\"B\",\"0/%X\",0,7]\n", lsn
			for (a = 0; a < actions; a++) {
				id = int(rand() * docs)
				printf "%d %d %d\n", u, id, lsn >log_
				if (rand() < 0.2) {
					delete state[id]
					printf "[\"X\",\"delete\",16401,\"%s\",\"%d\",", index_, id
					printf "null,null,null]\n"
				} else {
					state[id] = lsn "\t{\"n\":" ++n "}"
					printf "[\"X\",\"index\",16401,\"%s\",\"%d\",", index_, id
					printf "null,null,\"{\\\"n\\\":%d}\"]\n", n
				}
			}
			printf "[\"C\",\"0/%X\",%d]\n", lsn + 48, u
		}
		for (id in state)
			printf "%s\t%s\t%s\n", index_, id, state[id] | ("sort >" want)
	}'
}

# Writing ---------------------------------------------------------------------------

pack() {
	pgcdc-cat --pack
}

# frames: JSON lines on standard input, to what the next writes sends.
frames() {
	pack >"$T/frames"
}

# stream UNIT...: to the frames, with H and E.
stream() {
	printf '%s\n' "$(hello)" "$(relation)" "$@" "$(e)" | frames
}

# writes STATUS DESCRIPTION [OPTION...]: a check of what esbulk-write makes of the frames.
# They go to the stand-in, or to where -u says; the log is $T/err.  $WRITE_OPTIONS, words,
# come before the options.
writes() {
	_status=$1 _what=$2
	shift 2
	case " $* " in
	*' -u '*) ;;
	*) set -- -u "$STANDIN_URL" "$@" ;;
	esac
	_most=60
	[ -z "${PGCDC_TEST_SANITIZED:-}" ] || _most=400
	# shellcheck disable=SC2086
	timeout -s KILL $_most esbulk-write ${WRITE_OPTIONS:-} "$@" <"$T/frames" >"$T/out" 2>"$T/err"
	is "$?" "$_status" "$_what" || {
		tail -n 5 "$T/err" | cut -c 1-600 | diag
		return 1
	}
}

# says PATTERN DESCRIPTION: the log of the last writes.
says() {
	like "$(cat "$T/err")" "$1" "$2"
}

# start NAME [OPTION...]: esbulk-write in the background, process $W, log $T/NAME.log,
# fed by feed NAME, until done_feeding NAME; one at a time.
start() {
	_name=$1
	shift
	case " $* " in
	*' -u '*) ;;
	*) set -- -u "$STANDIN_URL" "$@" ;;
	esac
	rm -f "$T/$_name.fifo"
	mkfifo "$T/$_name.fifo"
	# shellcheck disable=SC2016,SC2086
	bg "$_name" sh -c 'fifo=$1; shift; exec esbulk-write "$@" <"$fifo"' sh \
	    "$T/$_name.fifo" ${WRITE_OPTIONS:-} "$@"
	W=$BG_PID
	exec 3>"$T/$_name.fifo"
}

# JSON lines on standard input.
feed() {
	pack >&3
}

done_feeding() {
	exec 3>&-
}

# The stand-in ----------------------------------------------------------------------

control() {
	curl -gsS --noproxy '*' --fail-with-body ${STANDIN_USER:+-u "$STANDIN_USER"} -X "$1" \
	    "$STANDIN_URL/_standin/$2"
}

# fault SPEC...
fault() {
	for _spec; do
		control POST "fault?$_spec" >/dev/null || bail "no such fault: $_spec"
	done
}

fresh() {
	control POST reset >/dev/null
}

# counted NAME: a number of the stand-in's statistics.
counted() {
	control GET stats | sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p"
}

# counts NAME OPERATOR NUMBER: for wait_for and ok.
counts() {
	set -- "$1" "$2" "$3" "$(counted "$1")"
	echo "$1: $4"
	test "$4" "$2" "$3"
}

# held: what the stand-in holds: index, id, version, source.
held() {
	control GET docs | sed -E \
	    -e 's/^\{"_index":"([^"]*)","_id":"(([^"\]|\\.)*)",/\1	\2	/' \
	    -e 's/"routing":"([^"\]|\\.)*",//' -e 's/"_version":([0-9]*)/\1/' \
	    -e 's/(,"_source":(.*))?\}$/	\2/' | sort
}

# held_units: the same with the LSN of the document's unit, as load has them, for the version.
held_units() {
	held | awk -F '\t' '{ lsn = int($3 / 16)
		printf "%s\t%s\t%d\t%s\n", $1, $2, lsn - lsn % 65536, $4 }' | sort
}

# holds_load DESCRIPTION: a check that it holds what load left.
holds_load() {
	held_units >"$T/held"
	same "$T/held" "$T/want" "$1"
}

# has LINE...: held, each as INDEX ID VERSION SOURCE.
has() {
	[ "$(held | tr '\t' ' ')" = "$(printf '%s\n' "$@" | sort)" ] || {
		held
		return 1
	}
}

# docs INDEX LINE...: what an index of a real node holds, each as ID SOURCE.
docs() {
	_index=$1
	shift
	es_docs "$_index" | tr '\t' ' ' >"$T/docs"
	cat "$T/docs"
	[ "$(cat "$T/docs")" = "$(printf '%s\n' "$@")" ]
}

# The reader ------------------------------------------------------------------------

# listen NAME [OPTION...]: an ack socket $T/NAME.sock; what comes is in $T/NAME.acks.
listen() {
	_name=$1
	shift
	rm -f "$T/$_name.sock" "$T/$_name.acks"
	bg "$_name" "$PYTHON" "$TOP/tests/ack-listen.py" "$@" "$T/$_name.sock" "$T/$_name.acks"
	_until 20 test -S "$T/$_name.sock" || bail 'nobody listens for acks'
}

# acked NAME SEQ: was everything up to there acked?
acked() {
	cat "$T/$1.acks"
	grep -q "^ack $2 " "$T/$1.acks"
}

# early NAME: what the listener found wrong.
early() {
	grep '^wrong' "$T/$1.acks"
}
