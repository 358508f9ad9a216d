#!/bin/sh
# --metrics of esbulk-write: each figure is what was done to the cluster and to the stream, and
# whoever asks does not hold the writer up.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=write.sh
. "$(dirname "$0")/write.sh"

METRICS=pgcdc_write_ SOCKET=$T/w.http
# shellcheck source=metrics.sh
. "$TOP/tests/metrics.sh"
# gives LINE...: to the writer, in one piece.
gives() {
	printf '%s\n' "$@" | pack >"$T/piece"
	cat "$T/piece" >&3
}
seq=0
# stores ACTION...: a unit; and wait_for what it makes.
stores() {
	seq=$((seq + 1))
	gives "$(u "$seq" "$@")"
}
# stored WHAT: the unit that was given last; /status and /metrics both say so.
both_say() {
	status_is '[.units_open, .lsn.acked] | join(" ")' "0 0/${seq}030" &&
	    metric_is 0 units_open && metric_is $((0x${seq}030)) acked_lsn
}
stored() {
	wait_for "$1" 30 both_say
}
t() {
	printf '["X","delete",16401,null,null,null,null,null,{"truncate":{"index":"%s"}}]\n' "$1"
}
# labelled NAME [LABEL=VALUE...] =VALUE: a check.
labelled() {
	_labels=$*
	_want=${_labels##* =}
	# shellcheck disable=SC2086
	is "$(metric ${_labels% =*})" "$_want" "${_labels% =*} is $_want"
}

# Where to ask -----------------------------------------------------------------------

standin_start --distribution opensearch --number 3.1.0
: | frames
writes 100 'no place to listen' --metrics x
says 'cannot listen.* address=x' 'which is said'
writes 100 'more than four' --metrics 0 --metrics 0 --metrics 0 --metrics 0 --metrics 0
listen w
start w --metrics 0 --metrics "$T/w.http" --lanes 1 --timeout 5 --dead-letter "$T/dead" \
    -a "$T/w.sock" -v
listens() {
	PORT=$(sed -n 's/.*listening for requests for metrics.* port=\([0-9]*\).*/\1/p' "$T/w.log")
	[ -n "$PORT" ] && [ -S "$T/w.http" ]
}
wait_for 'it listens' 20 listens
is "$(stat -c %a "$T/w.http")" 600 'on a socket for its owner alone'
writes 111 'a socket that is taken' --metrics "$T/w.http"
writes 100 'a port that is taken' --metrics "$PORT"
is "$(curl -sS --noproxy '*' "http://127.0.0.1:$PORT/status" | jq -r .state)" starting \
    'and on a port, before anything was read'
is "$(status '[.connected, .problem, .lsn.stored, .lsn.acked] | map(tostring) | join(" ")')" \
    'null null null null' 'when nothing is known'
is "$(metric connected) $(metric state state=starting) $(http_status /status)" 'none 1 200' 'as metrics'
is "$(http_status /) $(http_status /metrics POST)" '404 405' 'other pages, other methods'
like "$(asks /metrics -D -)" '^Content-Type: text/plain; version=0.0.4' 'the type of /metrics'

# Actions ----------------------------------------------------------------------------

gives "$(hello)" "$(relation)"
stores "$(x index i a '{"n":1}')" "$(x index i b '{"n":1}')" "$(x index k c '{"n":1}')"
stored 'three are stored'
labelled actions_total operation=index index=i =2
labelled actions_total operation=index index=k =1
labelled actions_total operation=delete index=i =0
labelled received_lsn =4096
labelled stored_lsn =4144
labelled acked_lsn =4144
labelled connected =1
labelled state state=idle =1
labelled cluster_info distribution=opensearch version=3.1.0 =1
labelled nodes state=ready =1
is "$(metric batches_total)" "$(counted bulk_requests)" 'bulk requests'
labelled request_seconds_count request=bulk ="$(counted bulk_requests)"
labelled batch_bytes_total ="$(counted bytes)"
is "$(metric queue_actions) $(metric in_flight_requests) $(metric units_open)" '0 0 0' 'all is done'
is "$(metric queue_limit_bytes) $(metric lanes) $(metric batch_limit_bytes)" '12582912 1 5242880' \
    'limits'
is "$(status '[.state, .connected, .lsn.received, .lsn.stored, .stored, .queue.limit_bytes, .lanes] |
    map(tostring) | join(" ")')" 'idle true 0/1000 0/1030 3 12582912 1' '/status'

stores "$(x index i a '{"n":0}' 1)" "$(x delete i none -)" "$(x create i d '{}')" \
    "$(x update i b '{"doc":{"m":1}}')" "$(x update i none '{"doc":{"m":1}}')" \
    "$(x index i e '{"n":1}')" "$(x index i e '{"n":2}')" "$(x index i e '{"n":3}')"
stored 'other operations'
is "$(for o in index create update delete truncate; do metric actions_total operation=$o index=i; done | xargs)" \
    '6 1 2 1 0' 'by operation'
is "$(for r in conflict missing coalesced; do metric ignored_total reason=$r; done | xargs)" '1 2 2' \
    'what changed nothing'
stores "$(x index j 1 '{}')" "$(x index j 2 '{}')" "$(t 'j*')" \
    "$(x index i a '{"n":2}' null - '{"merge":["big"]}')"
stored 'a truncate and a merge'
labelled actions_total operation=truncate 'index=j*' =1
labelled actions_total operation=delete index=j =2
labelled merge_missing_total =1
ok 'reads are requests' metric_above 0 request_seconds_count request=read
ok 'and the steps of a truncate' metric_above 3 request_seconds_count request=truncate

# Rejects ----------------------------------------------------------------------------

fault 'kind=item&status=400&id=bad&type=t&reason=r'
stores "$(x index k bad '{}')" "$(x reject k 7 why)" "$(x reject - - why)" "$(x index 'A B' 1 '{}')"
stored 'rejects'
control DELETE fault >"$T/null"
wait_for 'both of k are counted' 10 metric_is 2 rejected_total index=k
labelled rejected_total index=k =2
labelled rejected_total =1
is "$(metric rejected_total 'index=A B')" 1 'of a name that is none'
labelled dead_letters_total =4
labelled dead_letter_bytes ="$(stat -c %s "$T/dead")"
is "$(status '[.rejected, .dead_letters, .dead_letter_bytes] | join(" ")')" \
    "4 4 $(stat -c %s "$T/dead")" 'in /status'

# Trouble ----------------------------------------------------------------------------

two() {
	stores "$(x index i a '{"n":3}')" "$(x index i b '{"n":3}')"
}
fault 'kind=item&status=429&type=es_rejected_execution_exception&reason=r&count=2'
stores "$(x index i a '{"n":3}')" "$(x index i b '{"n":3}')" "$(x index i c '{"n":3}')"
stored 'two actions of three that are pushed back'
labelled retries_total cause=429 =1
labelled retried_actions_total status=429 =2
# 413 at last: behind it requests are small for a while.
for code in 400 401 403 404 408 418 429 500 502 503 504 413; do
	fault "kind=status&status=$code&count=1"
	two
	stored "a $code that passes"
	case $code in
	418) labelled retries_total cause=other =1 ;;
	429) labelled retries_total cause=429 =2 ;;
	*) labelled retries_total "cause=$code" =1 ;;
	esac
done
is "$(asks /metrics | grep -c '^pgcdc_write_retried_actions_total{.*} 0$')" 12 \
    'an answer to all is none of an action'
ok '429, 503 and 504 make requests smaller' [ "$(metric batch_limit_bytes)" -lt 5242880 ]
fault 'kind=item&status=409&op=update&type=version_conflict_engine_exception&reason=r&count=1'
stores "$(x update i b '{"doc":{"m":2}}')"
stored 'a conflict of an update'
labelled retries_total cause=409 =1
labelled retried_actions_total status=409 =1
one() {
	stores "$(x index i a '{"n":3}')"
}
fault 'kind=cut&when=answer&count=1'
one
stored 'a connection that breaks'
labelled retries_total cause=lost =1
fault 'kind=garble&how=garbage&count=1'
one
stored 'an answer without sense'
labelled retries_total cause=unreadable =1
fault 'kind=garble&how=partial&count=1&path=*/_search'
stores "$(x index j 1 '{}')" "$(t 'j*')"
stored 'a shard that does not answer'
labelled retries_total cause=partial =1
fault kind=hang
two
wait_for 'a request that hangs' 20 metric_is 1 in_flight_requests
ok 'its memory is told' metric_above 1000 queue_bytes
wait_for 'it is given up' 20 metric_above 0 retries_total cause=timeout
control POST release >"$T/null"
stored 'then it goes'
retries=$(status .retries)
is "$(asks /metrics | sed -n 's/^pgcdc_write_retries_total.* //p' | awk '{ n += $1 } END { print n }')" \
    "$retries" 'the causes are the whole'
ok 'no more than requests' [ "$retries" -lt "$(metric batches_total)" ]

control POST 'down?ms=1500' >"$T/null"
two
wait_for 'nobody is there' 20 metric_above 1 retries_total cause=connect
stored 'until the node is back'
labelled connected =1

fault 'kind=status&body=the+words'
seq=$((seq + 1))
gives "[\"B\",\"0/${seq}000\",$(($(date +%s) - 100))000000,7]" "$(x index i a '{"n":4}')"
wait_for 'a cluster that is away' 20 status_is .state waiting
is "$(http_status /status)" 503 'is no health'
like "$(status .problem)" 'trying again: 503: the words' 'with the reason'
is "$(metric connected) $(metric state state=waiting) $(metric units_open) $(metric queue_actions)" \
    '0 1 1 1' 'as metrics'
wait_for 'its node rests' 20 metric_is 1 nodes state=resting
ok 'the row has the age of its commit' awk -v s="$(metric oldest_unstored_seconds)" \
    'BEGIN { exit !(s >= 100 && s < 200) }'
control DELETE fault >"$T/null"
gives "$(c "0/${seq}030" "$seq")"
stored 'it is back'
is "$(metric oldest_unstored_seconds) $(metric connected) $(status .problem) $(http_status /status)" \
    '0 1 null 200' 'all is well'
fault kind=hang
two
wait_for 'what has no time is as old as the wait' 20 status_is '.oldest_unstored_seconds > 0.3' true
ok 'not older' awk -v s="$(metric oldest_unstored_seconds)" 'BEGIN { exit !(s < 60) }'
control POST release >"$T/null"
stored 'it is stored'

# The mapper -------------------------------------------------------------------------

is "$(asks /metrics | grep -c _map_)" 0 'without a mapper'
gives '["s","pgcdc-map",{"inserts":1}]' '["s","pgcdc-map",{"inserts":10,"updates":11,"deletes":12,'\
'"snapshot_rows":13,"unmapped_rows":14,"ignored_rows":15,"filtered_rows":16,"unchanged_rows":17,'\
'"skipped_rows":18,"ignored_truncates":19,"index_actions":20,"create_actions":21,"update_actions":22,'\
'"delete_actions":23,"truncate_actions":24,"rejects":25}]' \
    '["s","own",{"inserts":1,"cats":2,"a \"b\"":3,"bad":-1,"worse":"x"}]' '["s"]' '["s",1,2]' \
    '["s","",{"a":1}]'
wait_for 'what the mapper counted' 20 metric_is 10 map_rows_total program=pgcdc-map operation=insert
# of NAME LABEL VALUE...
of() {
	_name=$1 _label=$2
	shift 2
	for _value; do
		metric "$_name" program=pgcdc-map "$_label=$_value"
	done | xargs
}
is "$(of map_rows_total operation insert update delete snapshot)" '10 11 12 13' 'rows'
is "$(of map_skipped_total reason unmapped ignored filtered unchanged skipped truncate)" \
    '14 15 16 17 18 19' 'rows without an action'
is "$(of map_actions_total operation index create update delete truncate)" '20 21 22 23 24' 'actions'
labelled map_errors_total program=pgcdc-map =25
labelled map_other_total program=own counter=cats =2
is "$(metric map_other_total program=own 'counter=a "b"')" 3 'a counter that is called anything'
is "$(asks /metrics | grep -c 'program="own"')" 3 'what is no number is none'

# Conventions ------------------------------------------------------------------------

asks /metrics >"$T/metrics"
is "$("$PYTHON" "$TOP/tests/metrics.py" check <"$T/metrics")" fine "Prometheus' conventions hold"
if command -v promtool >"$T/null"; then
	ok 'promtool agrees' sh -c 'promtool check metrics <"$1"' sh "$T/metrics"
fi
"$PYTHON" "$TOP/tests/metrics.py" names <"$T/metrics" | sed 's/^pgcdc_write_//' | sort >"$T/names"
sed -n '/^\.Ss Metrics/,/^\.Pa \/status/s/^\.It \([a-z_]*\) Ta .*/\1/p' "$TOP/man/esbulk-write.1" |
    sort >"$T/page"
same "$T/names" "$T/page" 'the page has these, and no others'

# Many indices -----------------------------------------------------------------------

seq=$((seq + 1))
{
	b "0/${seq}000"
	awk 'BEGIN { for (n = 1; n <= 1100; n++)
		printf "[\"X\",\"index\",16401,\"many-%d\",\"1\",null,null,\"{}\"]\n", n }'
	c "0/${seq}030" "$seq"
} | pack >"$T/piece"
cat "$T/piece" >&3
stored 'a thousand indices and more'
is "$(asks /metrics | grep -c '^pgcdc_write_rejected_total')" 1001 'a thousand have their own samples'
known=$(asks /metrics | grep -c '^pgcdc_write_actions_total{operation="index",index="many-.*} 1$')
labelled actions_total operation=index index=_other =$((1100 - known))

# Clients ----------------------------------------------------------------------------

ready() {
	grep -q there "$T/crowd.log"
}
mkfifo "$T/crowd.in"
bg crowd sh -c '"$1" "$2" crowd "$3" 300 <"$4"' sh "$PYTHON" "$TOP/tests/metrics.py" "$PORT" \
    "$T/crowd.in" 3>&-
exec 7>"$T/crowd.in"
wait_for 'clients that say nothing' 30 ready
for _ in 1 2 3 4 5 6; do
	bg deaf "$PYTHON" "$TOP/tests/metrics.py" deaf "$PORT" 3>&- 7>&-
	bg slow "$PYTHON" "$TOP/tests/metrics.py" slow "$PORT" 3>&- 7>&-
done
two
stored 'are nobody'\''s trouble'
labelled state state=idle =1
exec 7>&-
below "$(vmhwm "$W")" 24000 'little memory'

# The end ----------------------------------------------------------------------------

fault kind=hang
two
gives "$(e)"
wait_for 'the end' 20 status_is .state ending
control POST release >"$T/null"
done_feeding
wait_exit 'it ends' 20 "$W" 0
ok 'and the socket is gone' [ ! -e "$T/w.http" ]

# An Elasticsearch says only that it is one; what is proxied may say nothing.
standin_start --distribution elasticsearch --number 8.19.0
start w --metrics "$T/w.http"
wait_for 'another' 20 test -S "$T/w.http"
gives "$(u 1 "$(x index i a '{"n":1}')")"
wait_for 'a row' 20 status_is '[.stored, .dead_letters, .lsn.acked] | map(tostring) | join(" ")' '1 null null'
labelled cluster_info distribution=elasticsearch =1
is "$(metric dead_letter_bytes) $(metric acked_lsn)" 'none none' 'what is not there has no figure'
gives "$(e)"
done_feeding
wait_exit 'the end' 20 "$W" 0

done_testing
