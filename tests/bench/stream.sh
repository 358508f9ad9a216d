# shellcheck shell=sh disable=SC2154
# stream.sh -- a slot's rows, from its beginning to an end: (a) pg_recvlogical to /dev/null,
# (b) the reader to /dev/null, (c) the mapper from a file to /dev/null, (d) the writer from a file
# into the stand-in, (e) the three into the stand-in.  Sourced.

# plain [COMMAND...]: pg_recvlogical from slot turn, with $plain_options, the reader's own.
plain() {
	# shellcheck disable=SC2086
	"$@" pg_recvlogical -d postgres -S turn --start --endpos "$end" $plain_options -f "$plain_file"
}

# Into /dev/null: what it confirms is asked for by nobody.
reader() {
	"$@" pgcdc-read -d dbname=postgres -s turn -p bench --endpos "$end" -o "$reader_file"
}

# options_of_reader: as the server's log has them, in pg_recvlogical's form.
options_of_reader() {
	grep 'START_REPLICATION SLOT "\?turn"\?' "$dir/pg/log" | grep -v STATEMENT | tail -n 1 |
	    sed "s/.*(\(.*\)).*/\1/; s/[\"']//g; s/, /\n/g" | sed 's/^/-o /; s/ \([^ ]*\)$/=\1/'
}

# capture_frames: one run of the reader into $dir/frames.  $frames is how much it wrote, its
# spool of a transaction in progress too, which is the same in each run.
capture_frames() {
	copy_slot turn
	rm -f "$dir/frames"
	reader_file=$dir/frames
	reader "$measure" "$dir/reader" 2>"$dir/reader.log"
	server_cpu >"$dir/sql.out"
	drop_slot turn
	frames=$(($(field reader 4) - $(wc -c <"$dir/reader.log")))
	plain_options=$(options_of_reader)
	got=$("$python" "$bench/count-frames" <"$dir/frames")
	[ "$got" -eq "$rows" ] || fail "the reader wrote $got rows, not $rows"
}

# capture_plain: one run of pg_recvlogical, which writes $plain_bytes, and that is these rows.
capture_plain() {
	copy_slot turn
	plain_file=-
	plain 2>"$dir/plain.log" | tee "$dir/plain.out" | "$built/changes" >"$dir/changes"
	got=$(cat "$dir/changes")
	[ "$got" = "$rows" ] || fail "pg_recvlogical wrote $got rows, not $rows"
	plain_bytes=$(wc -c <"$dir/plain.out")
	rm "$dir/plain.out"
	server_cpu >"$dir/sql.out"
	drop_slot turn
}

# one_a PART, one_b...: a run each, of $load in $turn.
one_a() {
	copy_slot turn
	server_begins
	plain_file=/dev/null
	plain "$measure" "$dir/plain" 2>"$dir/plain.log"
	note_server "$1" "$load" "$turn"
	drop_slot turn
	wrote plain "$plain_bytes"
	note "$1" "$load" "$turn" rows "$rows" wall "$(field plain 1)"
	note_program "$1" "$load" "$turn" plain
}

one_b() {
	copy_slot turn
	server_begins
	reader_file=/dev/null
	reader "$measure" "$dir/read" 2>"$dir/read.log"
	note_server b "$load" "$turn"
	drop_slot turn
	wrote read "$frames"
	note b "$load" "$turn" rows "$rows" wall "$(field read 1)"
	note_program b "$load" "$turn" read
}

# mapped PART MAPPING BYTES
mapped() {
	"$measure" "$dir/map" pgcdc-map -m "$dir/$2.yml" <"$dir/frames" >/dev/null 2>"$dir/map.log"
	wrote map "$3"
	note "$1" "$load" "$turn" rows "$rows" wall "$(field map 1)"
	note_program "$1" "$load" "$turn" map
}

one_c() {
	mapped c mapping "$actions"
	[ -z "$other" ] || mapped "c.$other" "$other" "$other_actions"
}

# map_once: actions of the frames, and how many bytes that is, also by $other, a mapping that is more
# work, if this load has one.
map_once() {
	pgcdc-map -m "$dir/mapping.yml" <"$dir/frames" >"$dir/actions" 2>"$dir/map.log"
	actions=$(wc -c <"$dir/actions")
	case $load in
	narrow-many)
		# True for nine in ten.
		other=where
		rest="where: \"n < 900 and name like 'name%'\""
		;;
	full)
		other=partial
		rest='on: { update: partial }'
		;;
	*)
		other=''
		return 0
		;;
	esac
	printf 'tables:\n  - table: public.item\n    index: item\n    %s\n' "$rest" >"$dir/$other.yml"
	pgcdc-map -m "$dir/$other.yml" <"$dir/frames" >"$dir/other" 2>"$dir/map.log"
	other_actions=$(wc -c <"$dir/other")
	rm "$dir/other"
}

# into_standin: how the stand-in keeps what must be looked at afterwards; else it counts alone.
into_standin() {
	case $load in
	hot) start_standin --store all ;;
	*) start_standin --count ;;
	esac
}

# arrived PART: all of it?  Of hot rows what is left must be what the table has.
arrived() {
	case $load in
	hot)
		curl -sS --noproxy '*' "$url/_standin/docs" |
		    jq -r '._source | "\(.id) \(.n) \(.name)"' | sort >"$dir/documents"
		sql "COPY item TO STDOUT DELIMITER ' '" | sed 's/\\//g' | sort >"$dir/table"
		cmp -s "$dir/documents" "$dir/table" || fail "$1: documents and table differ"
		;;
	*) stored "$rows" "$1, $load" ;;
	esac
	note "$1" "$load" "$turn" items "$(standin_stat items)" \
	    standin.cpu "$(standin_stat cpu_seconds)"
}

one_d() {
	into_standin
	"$measure" "$dir/write" esbulk-write -u "$url" <"$dir/actions" 2>"$dir/write.log"
	arrived d
	stop_standin
	note d "$load" "$turn" rows "$rows" wall "$(field write 1)"
	note_program d "$load" "$turn" write
}

one_e() {
	copy_slot turn
	into_standin
	server_begins
	pipeline turn --endpos "$end"
	note_server "$1" "$load" "$turn"
	drop_slot turn
	arrived "$1"
	stop_standin
	note "$1" "$load" "$turn" rows "$rows"
	note_three "$1" "$load" "$turn"
}

one() {
	! wants "$1" || "one_$1" "$1"
}

# streams: those of (a) to (e) that are wanted, with each load, by turns.
streams() {
	for load in ${BENCH_LOADS:-narrow-one narrow-many mixed json full hot}; do
		say "$(title_of "$load")"
		load "$load"
		note title "$load" 0 title "$(title_of "$load")"
		capture_frames
		capture_plain
		map_once
		turn=0
		while [ $turn -lt "$turns" ]; do
			turn=$((turn + 1))
			by_turns one a b c d e
		done
		drop_slot bench
	done
	rm -f "$dir/frames" "$dir/actions"
}
