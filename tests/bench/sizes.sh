# shellcheck shell=sh disable=SC2034,SC2154
# sizes.sh -- (i) memory of one transaction, whatever its size, and throughput and memory
# against the size of transactions, which is what the plots show.  Sourced.

# of_size PART...: those of (a) and (e), as part i's.
of_size() {
	case $1 in
	a) one_a i.a ;;
	e) one_e i.e ;;
	esac
}

# sized LOAD ROWS UNIT TURNS
sized() {
	load=$1 rows=$2
	say "$2 narrow rows, in transactions of $3"
	fresh_table "$narrow_columns"
	change "$2" "$3" "INSERT INTO item $narrow"
	[ -n "${plain_options:-}" ] || capture_frames
	capture_plain
	note i "$load" 0 unit "$3"
	turn=0
	while [ $turn -lt "$4" ]; do
		turn=$((turn + 1))
		by_turns of_size a e
	done
	drop_slot bench
}

# Small transactions take the server long to make.
sizes() {
	few=$turns
	[ "$turns" -le 3 ] || few=3
	sized one-1 1 1 1
	sized one-1000 1000 1000 1
	size=1
	while [ $size -le $((all * 20)) ]; do
		if [ $size -le 10 ]; then
			sized size-$size $((all / 3 / size * size)) $size "$few"
		elif [ $size -le "$all" ]; then
			sized size-$size $((all / size * size)) $size "$few"
		elif [ $size -le $((all * 2)) ]; then
			sized size-$size $size $size "$few"
		else
			sized size-$size $size $size 1
		fi
		size=$((size * 10))
	done
}
