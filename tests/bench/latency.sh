# shellcheck shell=sh disable=SC2154
# latency.sh -- (h) from when a commit returned to who made it, until the stand-in has stored
# its rows; one clock tells both.  Sourced.

# paced RATE UNIT: rows a second, in transactions of UNIT.
paced() {
	load=rate-$1
	fresh_table "$narrow_columns"
	rm -f "$dir/stamp"
	start_standin --no-store --stamp "$dir/stamp"
	pipeline bench &
	whole=$!
	until grep -q streaming "$dir/pipeline.log" 2>/dev/null; do
		kill -0 $whole
		sleep 0.05
	done
	"$built/pace" "$1" "$2" "$seconds" >"$dir/commits"
	until [ "$(standin_stat index)" -ge $(($1 * seconds)) ]; do
		kill -0 $whole
		sleep 0.05
	done
	kill "$(cat "$dir/read.pid")"
	wait $whole
	stored $(($1 * seconds)) "latency, $1 rows a second"
	stop_standin
	took=$("$python" "$bench/latencies" "$dir/commits" "$dir/stamp")
	# shellcheck disable=SC2086
	note h "$load" "$turn" unit "$2" rows $(($1 * seconds)) $took
	for stage in read map write; do
		note_program h "$load" "$turn" $stage
	done
	server_cpu >"$dir/sql.out"
	drop_slot bench
}

latency() {
	for rate in 100 1000 10000; do
		say "latency, $rate rows a second"
		turn=0
		while [ $turn -lt "$turns" ]; do
			turn=$((turn + 1))
			# One connection commits no ten thousand times a second.
			paced $rate $((rate > 1000 ? 10 : 1))
		done
	done
}
