# shellcheck shell=sh disable=SC2154
# snapshot.sh -- (g) a table's first load beside COPY to /dev/null: by the reader alone, and by the
# three into the stand-in.  Sourced.

new_slot() {
	sql "SELECT 1 FROM pg_create_logical_replication_slot('bench', 'pgoutput')" >"$dir/sql.out"
	rm -f "$dir/bench.state"
}

first_load() {
	[ "$1" = copy ] || new_slot
	server_begins
	case $1 in
	copy)
		"$measure" "$dir/copy" psql -XAtqc 'COPY item TO STDOUT' >/dev/null 2>"$dir/copy.log"
		;;
	read)
		"$measure" "$dir/read" pgcdc-read -d dbname=postgres -s bench -p bench \
		    --snapshot only 2>"$dir/read.log" >/dev/null
		;;
	three)
		start_standin --count
		pipeline bench --snapshot only
		;;
	esac
	note g "$1" "$turn" rows "$rows"
	note_server g "$1" "$turn"
	case $1 in
	copy) wrote copy "$copy_bytes" ;;
	read)
		grep 'a table is loaded' "$dir/read.log" | grep -Eq "rows\"?[=:]$rows([^0-9]|$)" ||
		    fail "the reader did not load $rows rows"
		;;
	three)
		stored "$rows" 'snapshot'
		note g three "$turn" standin.cpu "$(standin_stat cpu_seconds)"
		stop_standin
		note_three g three "$turn"
		;;
	esac
	if [ "$1" != three ]; then
		note g "$1" "$turn" wall "$(field "$1" 1)"
		note_program g "$1" "$turn" "$1"
	fi
	[ "$1" = copy ] || drop_slot bench
}

snapshots() {
	rows=$((all * 2))
	say "a table's first load, $rows narrow rows"
	fresh_table "$narrow_columns" "$(filled "$narrow" "$rows"); VACUUM ANALYZE item; CHECKPOINT"
	drop_slot bench
	copy_bytes=$(sql 'COPY item TO STDOUT' | tee "$dir/copy.out" | wc -c)
	[ "$(wc -l <"$dir/copy.out")" -eq "$rows" ] || fail "COPY does not write $rows rows"
	rm "$dir/copy.out"
	turn=0
	while [ $turn -lt "$turns" ]; do
		turn=$((turn + 1))
		by_turns first_load copy read three
	done
}
