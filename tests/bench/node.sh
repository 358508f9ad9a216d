# shellcheck shell=sh disable=SC2154
# node.sh -- (f) the three into a real node, which has all cores, with whoever feeds it; beside
# the writer alone, from a file, and ready-made bulk files of the same lines sent by curl, as
# many at a time as the writer has lanes; and beside such curl while pg_recvlogical reads the
# same rows, for the server's work takes the node's cores too.  Sourced.

lanes=4

node() {
	curl -sS --fail-with-body --noproxy '*' -H 'Content-Type: application/json' -X "$@"
}

# What esbulk-write wants to know, curl is told as well.
bulk='_bulk?filter_path=errors%2Citems.%2A.status%2Citems.%2A.error'

fresh_index() {
	node DELETE "$url/item?ignore_unavailable=true" >"$dir/node.out"
	node PUT "$url/item" -d '{"settings": {"number_of_shards": 1,
	    "number_of_replicas": 0, "refresh_interval": "-1"},
	    "mappings": {"properties": {"id": {"type": "integer"}, "n": {"type": "integer"},
	    "name": {"type": "text"}}}}' >"$dir/node.out"
}

# are_stored WHAT: all of them?
are_stored() {
	# A node whose heap is full refuses even that.
	until node POST "$url/item/_refresh" >"$dir/node.out" 2>&1 &&
	    count=$(node GET "$url/item/_count" 2>"$dir/node.log"); do
		sleep 0.5
	done
	count=$(echo "$count" | jq .count)
	[ "$count" -eq "$rows" ] || fail "$1: the node has $count documents, not $rows"
}

# node_begins, note_node LOAD: its CPU in between.
node_cpu() {
	awk '{ print ($14 + $15) / '"$(getconf CLK_TCK)"' }' "/proc/$(cat "$dir/node/pid")/stat"
}
node_begins() {
	node_began=$(node_cpu)
}
note_node() {
	note f "$1" "$turn" standin.cpu "$(calc %.2f "$(node_cpu) - $node_began")"
}

# by_curl LOAD BYTES [COMMAND...]: with files of that size, as LOAD, and the command beside it; not
# 0 if the node refused one of them.
by_curl() {
	as=$1 bytes=$2
	shift 2
	rm -rf "$dir/answers"
	mkdir "$dir/answers"
	for file in "$dir/bulks/$bytes"/*; do
		printf 'url = "%s"\nupload-file = "%s"\noutput = "%s"\n' \
		    "$url/$bulk" "$file" "$dir/answers/${file##*/}"
	done >"$dir/curl.config"
	fresh_index
	node_begins
	beside=''
	if [ $# -gt 0 ]; then
		"$@" &
		beside=$!
		running="$running $beside"
	fi
	"$measure" "$dir/curl" curl -sS --noproxy '*' --parallel --parallel-immediate \
	    --parallel-max $lanes -X POST -H 'Content-Type: application/x-ndjson' -H 'Expect:' \
	    -K "$dir/curl.config" 2>"$dir/curl.log" </dev/null || fail 'curl failed'
	if [ -n "$beside" ]; then
		wait "$beside" || fail "what runs beside curl failed: $*"
		running=${running% "$beside"}
	fi
	[ -z "$as" ] || note_node "$as"
	for file in "$dir/bulks/$bytes"/*; do
		if ! grep -q '^{"errors":false' "$dir/answers/${file##*/}"; then
			grep -q '"status":429' "$dir/answers/${file##*/}" ||
			    fail "curl: $(head -c 400 "$dir/answers/${file##*/}")"
			return 1
		fi
	done
	are_stored curl
}

by_write() {
	fresh_index
	node_begins
	"$measure" "$dir/write" esbulk-write -u "$url" --lanes $lanes <"$dir/actions" 2>"$dir/write.log"
	note_node write
	are_stored esbulk-write
}

# Not noted in turn 0, when the node is warmed up.
by_three() {
	copy_slot turn
	fresh_index
	server_begins
	node_begins
	pipeline turn --endpos "$end"
	if [ "$turn" -gt 0 ]; then
		note_node three
		note_server f three "$turn"
	else
		server_cpu >"$dir/sql.out"
	fi
	drop_slot turn
	are_stored 'the three'
}

# curl_is_taken LOAD [COMMAND...]: until the node takes all, for curl sends nothing again.
curl_is_taken() {
	into=$1
	shift
	until by_curl "$into" "$size" "$@"; do
		note f "$into" "$turn" refused 1
		tries=$((tries - 1))
		[ $tries -gt 0 ] || fail 'the node refuses what curl sends'
		say 'the node refused what curl sent: once more'
	done
}

# pg_recvlogical, with a slot of its own, for it moves that on.
plain_beside() {
	copy_slot turn
	plain "$measure" "$dir/plain" 2>"$dir/plain.log"
	server_cpu >"$dir/sql.out"
	drop_slot turn
}

into_node() {
	case $1 in
	curl)
		curl_is_taken curl
		note f curl "$turn" wall "$(field curl 1)"
		note_program f curl "$turn" curl
		;;
	both)
		# shellcheck disable=SC2034 # of plain
		plain_file=/dev/null
		server_begins
		curl_is_taken both plain_beside
		note_server f both "$turn"
		# Until both are done.
		note f both "$turn" wall \
		    "$(printf '%s\n' "$(field curl 1)" "$(field plain 1)" | sort -n | tail -n 1)"
		note_program f both "$turn" curl
		note_program f both "$turn" plain
		;;
	write)
		by_write
		note f write "$turn" wall "$(field write 1)"
		note_program f write "$turn" write
		;;
	three)
		by_three
		note_three f three "$turn"
		;;
	esac
	note f "$1" "$turn" rows "$rows"
}

start_node() {
	SEARCH_NODE_HEAP=${SEARCH_NODE_HEAP:-1g} SEARCH_NODE_JAVA_OPTS=-XX:TieredStopAtLevel=4 \
	    "$tests/search-node" start "$dir/node" 2>"$dir/start.log"
}

# The size of files with which curl is fastest, by the last of three runs of each: until its
# code is compiled the node is three times as slow.  Each lane is to have two of them at least.
warm_up() {
	turn=0
	for warm in 1 2 3; do
		by_three
		for size in 1000000 2500000 5000000; do
			files=$(find "$dir/bulks/$size" -type f | wc -l)
			[ $size -eq 1000000 ] || [ "$files" -ge $((lanes * 2)) ] || continue
			if by_curl '' $size; then
				echo "$(field curl 1) $size" >>"$dir/warm.$warm"
			fi
		done
	done
	size=$(sort -n "$dir/warm.3" | head -n 1 | cut -d ' ' -f 2)
	[ -n "$size" ] || fail 'the node refuses what curl sends'
}

nodes() {
	say 'a real node'
	status=0
	start_node || status=$?
	if [ $status -eq 77 ]; then
		say "$(cat "$dir/start.log"): no figures of a real node"
		note f none 0 reason "$(cat "$dir/start.log")"
		return 0
	fi
	[ $status -eq 0 ] || fail 'the node did not start'
	load node
	capture_frames
	pgcdc-map -m "$dir/mapping.yml" <"$dir/frames" >"$dir/actions" 2>"$dir/map.log"
	"$python" "$bench/bulks" "$dir/bulks" 1000000 2500000 5000000 <"$dir/actions"
	# shellcheck disable=SC1091
	. "$dir/node/env"
	url=$PGCDC_TEST_ES_URL
	warm_up
	note f node 0 name "$(node GET "$url/" | jq -r '"\(.version.distribution) \(.version.number)"')" \
	    bytes "$size" lanes $lanes
	turn=0 tries=5
	while [ $turn -lt "$turns" ]; do
		turn=$((turn + 1))
		by_turns into_node curl both write three
	done
	"$tests/search-node" stop "$dir/node"
	drop_slot bench
	rm -rf "$dir/bulks" "$dir/answers"
}
