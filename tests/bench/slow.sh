# shellcheck shell=sh disable=SC2154
# slow.sh -- (j) a cluster that is slow, and one that also refuses: the three into a stand-in
# with faults.  Sourced.

# into_slow CASE: it keeps the versions, to tell a document that was sent again.
into_slow() {
	case $1 in
	fast) set -- ;;
	late) set -- --fault 'kind=delay&ms=50&when=before' ;;
	refusing)
		set -- --fault 'kind=delay&ms=50&when=before' --fault 'kind=status&status=429&p=0.05' \
		    --fault 'kind=item&status=429&p=0.001&type=rejected_execution_exception'
		;;
	esac
	copy_slot turn
	start_standin --store versions "$@"
	pipeline turn --endpos "$end"
	server_cpu >"$dir/sql.out"
	drop_slot turn
	count=$(standin_stat docs)
	[ "$count" -eq "$rows" ] || fail "slow cluster: $count documents are there, not $rows"
	note j "$name" "$turn" rows "$rows" injected "$(standin_stat injected)" \
	    requests "$(standin_stat bulk_requests)" standin.cpu "$(standin_stat cpu_seconds)"
	note_three j "$name" "$turn"
	stop_standin
}

slow() {
	say 'a slow cluster'
	load narrow-many
	few=$turns
	[ "$turns" -le 3 ] || few=3
	turn=0
	while [ $turn -lt "$few" ]; do
		turn=$((turn + 1))
		by_turns into_slow fast late refusing
	done
	drop_slot bench
}
