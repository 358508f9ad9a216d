# shellcheck shell=sh disable=SC2154
# figures.sh -- what is measured, and that it is what it is said to be.  Sourced after lib.sh.
#
# $out/raw.tsv has a line for each figure: part, load, turn, figure, value.

fail() {
	echo "bench: $*" >&2
	exit 1
}

# wants PART: is it to be run?
wants() {
	case " $parts " in
	*" $1 "*) ;;
	*) return 1 ;;
	esac
}

say() {
	echo "$(date +%T) $*" >&2
}

# note PART LOAD TURN [FIGURE VALUE]...
note() {
	noted="$1	$2	$3"
	shift 3
	while [ $# -gt 0 ]; do
		# What could not be had ends no argument's making.
		[ -n "${2:-}" ] || fail "no figure $1 of $noted"
		printf '%s\t%s\t%s\n' "$noted" "$1" "$2" >>"$out/raw.tsv"
		shift 2
	done
}

# note_program PART LOAD TURN PROGRAM: its CPU and memory, as $dir/PROGRAM has them.
note_program() {
	note "$1" "$2" "$3" "$4.cpu" "$(field "$4" 2)" "$4.kb" "$(field "$4" 3)"
}

# note_three PART LOAD TURN: of a pipeline.  It takes from its start, which is the same for all
# three, until the last one's end.
note_three() {
	for stage in read map write; do
		note_program "$1" "$2" "$3" $stage
	done
	note "$1" "$2" "$3" wall \
	    "$(printf '%s\n' "$(field read 1)" "$(field map 1)" "$(field write 1)" | sort -n | tail -n 1)"
}

# server_cpu: CPU seconds of the server's processes that are over, once those are that serve
# somebody.
server_cpu() {
	postmaster=$(head -n 1 "$dir/pg/data/postmaster.pid")
	while pgrep -P "$postmaster" -f '127[.]0[.]0[.]1[(]' >/dev/null; do
		sleep 0.02
	done
	awk '{ print ($16 + $17) / '"$(getconf CLK_TCK)"' }' "/proc/$postmaster/stat"
}

# server_begins, note_server PART LOAD TURN: its CPU in between, which is what its walsender
# takes, and a little for connections.
server_begins() {
	server_began=$(server_cpu)
}
note_server() {
	note "$1" "$2" "$3" server.cpu "$(calc %.2f "$(server_cpu) - $server_began")"
}

# wrote PROGRAM BYTES: it wrote so much, beside its messages in $dir/PROGRAM.log?
wrote() {
	got=$(($(field "$1" 4) - $(wc -c <"$dir/$1.log")))
	[ "$got" -eq "$2" ] || fail "$1 wrote $got bytes, not the $2 of $rows rows"
}

# stored N WHAT: index actions that the stand-in took.
stored() {
	count=$(standin_stat index)
	[ "$count" -eq "$1" ] || fail "$2: $count documents arrived, not $1"
}

# copy_slot NAME, drop_slot NAME: a copy of slot bench, from which the same is read again.
copy_slot() {
	sql "SELECT 1 FROM pg_copy_logical_replication_slot('bench', '$1')" >"$dir/sql.out"
}
drop_slot() {
	sql "SELECT pg_drop_replication_slot('$1')" >"$dir/sql.out"
}

# by_turns COMMAND NAME...: COMMAND NAME for each, in every other turn the other way round.
by_turns() {
	command=$1
	shift
	if [ $((turn % 2)) -eq 0 ]; then
		reversed=''
		for name; do
			reversed="$name $reversed"
		done
		# shellcheck disable=SC2086
		set -- $reversed
	fi
	for name; do
		"$command" "$name"
	done
}
