#!/bin/sh
# The stand-in misbehaves as it is told to, and sees who breaks the order: what other
# tests rely on when they check that nothing is lost then.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
standin_start --shards 3 --log "$T/standin.items" --stamp "$T/standin.stamps"

control() {
	curl -sS --noproxy '*' -X "$1" "$STANDIN_URL/_standin/$2"
}

# fault SPEC: for the next bulk request.
fault() {
	control POST "fault?$1&count=1" >"$T/fault"
}

# item ID [MORE]: an index action.
item() {
	printf '{"index":{"_index":"f","_id":"%s"%s}}\n{"n":1}\n' "$1" "${2:-}"
}

# send [CURL OPTION...]: standard input as a bulk request; prints the status and
# curl's exit status, for 52, 55, 56 and 18 tell how far the answer came.
send() {
	curl -sS --noproxy '*' -o "$T/answer" -w '%{http_code}' -D "$T/headers" "$@" \
	    -H 'Content-Type: application/x-ndjson' --data-binary @- "$STANDIN_URL/_bulk" 2>"$T/curl"
	echo " $?"
}

stored() {
	curl -sSf --noproxy '*' -o "$T/doc" "$STANDIN_URL/f/_doc/$1"
}

# stat NAME [VALUE]: a counter; with a value, is it that?
stat() {
	_value=$(control GET stats | jq ".$1")
	if [ $# -eq 1 ]; then
		echo "$_value"
	else
		echo "$1 is $_value"
		[ "$_value" = "$2" ]
	fi
}

for status in 400 401 403 404 413 429 500 502 503; do
	fault "kind=status&status=$status&retry_after=7"
	is "$(item "s$status" | send)" "$status 0" "status $status"
	like "$(cat "$T/headers")" '^Retry-After: 7' 'and Retry-After'
	ok 'nothing was executed' not stored "s$status"
done
is "$(item s1 | send)" '200 0' 'once only'
fault 'kind=status&status=500&when=after&body=oops'
is "$(item after | send) $(cat "$T/answer")" '500 0 oops' 'status 500, with a body'
ok 'after all was executed' stored after
fault 'kind=status&status=500&when=half'
is "$({ item half1; item half2; } | send)" '500 0' 'status 500'
ok 'after half was executed' stored half1
ok 'and half was not' not stored half2

for status in 400 403 404 429 500 503; do
	fault "kind=item&status=$status&id=bad"
	is "$({ item good; item "bad$status"; item good; } | send)" '200 0' "an item with $status"
	is "$(jq -c '[.errors, .items[1].index.status]' "$T/answer")" "[true,$status]" 'is in the answer'
	ok 'and was not executed' not stored "bad$status"
done
fault 'kind=item&status=429&op=delete&index=f*&type=t_exception&reason=r'
{
	item op
	echo '{"delete":{"_index":"f","_id":"op"}}'
} | send >"$T/code"
is "$(jq -c '.items | map(.[].error | .type, .reason)' "$T/answer")" '[null,null,"t_exception","r"]' \
    'an item by its operation and index, with an error as given'
control POST 'fault?kind=item&p=0.5' >"$T/fault"
i=0
while [ $i -lt 200 ]; do
	item "p$i"
	i=$((i + 1))
done | send >"$T/code"
ok 'a chance of a half is neither never nor always' \
    jq -e '[.items[].index | select(.status == 429)] | length > 50 and length < 150' "$T/answer"
control DELETE fault >"$T/fault"
is "$(item s1 | send) $(jq .errors "$T/answer")" '200 0 false' 'faults can be taken back'

for when in headers body before after; do
	for reset in true false; do
		fault "kind=cut&when=$when&reset=$reset"
		like "$(item "cut-$when" | send)" '^000 (52|55|56)$' "cut: $when, reset=$reset"
	done
done
fault 'kind=cut&when=answer'
is "$(item cut-answer | send)" '200 18' 'cut: in the answer'
ok 'cut in the body: not executed' not stored cut-body
ok 'cut before: not executed' not stored cut-before
ok 'cut after: executed' stored cut-after
ok 'cut in the answer: executed' stored cut-answer

for how in truncated garbage html empty; do
	fault "kind=garble&how=$how"
	is "$(item g | send)" '200 0' "garble: $how"
	ok 'is no JSON' not jq -es 'length == 1' "$T/answer"
done
# get METHOD PATH [BODY]: of what is no bulk request.
get() {
	curl -s --noproxy '*' -H 'Content-Type: application/json' -X "$1" ${3:+-d "$3"} \
	    "$STANDIN_URL$2"
}
control DELETE fault >"$T/fault"
{ item w1; item w2; } | send >"$T/code"
all=$(get POST '/_search?size=1000' | jq '.hits.hits | length')
fault 'kind=garble&how=partial&path=*/_search&count=1'
get POST '/_search?size=1000&scroll=1m' >"$T/answer"
is "$(jq -c '._shards' "$T/answer")" '{"total":2,"successful":1,"skipped":0,"failed":0}' \
    'a partial search says so as OpenSearch does'
ok 'and has fewer hits' jq -e --argjson all "$all" '.hits.hits | length > 0 and length < $all' \
    "$T/answer"
is "$(control GET stats | jq .scrolls)" 1 'its scroll is open'
get DELETE /_search/scroll '{"scroll_id":"1"}' >"$T/answer"
is "$(control GET stats | jq .scrolls)" 0 'until it is closed'
docs=$(get POST /_search | jq -c '{docs: [.hits.hits[0] | {_index, _id}]}')
fault 'kind=garble&how=no-found&path=*/_mget&count=1'
is "$(get POST /_mget "$docs" | jq -c '.docs[0] | [has("found"), has("_source")]')" \
    '[false,true]' 'an mget without found'
fault 'kind=garble&how=other-id&path=*/_mget&count=1'
ok 'and of another id' test \
    "$(get POST /_mget "$docs" | jq '.docs[0]._id')" != "$(echo "$docs" | jq '.docs[0]._id')"
fault 'kind=short'
{ item a; item b; item c; } | send >"$T/code"
is "$(jq -c '[.errors, (.items | length)]' "$T/answer")" '[false,2]' 'short'
fault 'kind=request&status=400&id=b&body=words'
{ item a; item c; } | send >"$T/code"
is "$(cat "$T/code")" '200 0' 'a request without the item that is meant'
{ item a; item b; item c; } | send >"$T/code"
like "$(cat "$T/code") $(cat "$T/answer")" '^400 0 words' 'and with it'
fault 'kind=drip&bytes=7&ms=1'
{ item a; item b; item c; } | send >"$T/code"
is "$(cat "$T/code") $(jq '.items | length' "$T/answer")" '200 0 3' 'drip'
# Waiting and hanging: others go on, and the order check sees who does not wait

# start NAME: standard input as a bulk request in the background, process $BG_PID.
start() {
	cat >"$T/$1.body"
	bg "$1" curl -sS --noproxy '*' -H 'Content-Type: application/json' \
	    --data-binary "@$T/$1.body" "$STANDIN_URL/_bulk"
}

# leave PID: ends the client.
leave() {
	kill "$1" 2>"$T/wait"
	wait "$1" 2>"$T/wait"
}

fault 'kind=delay&item_us=60000000'
item slow >"$T/in"
start slow <"$T/in"
slow=$BG_PID
wait_for 'a slow request' 20 stat in_flight 1
ok 'takes its time' stat hanging 0
ok 'before it is executed' not stored slow
is "$(stat order_violations)" 0 'no violations of order so far'
fault 'kind=hang'
item hang >"$T/in"
start hang <"$T/in"
wait_for 'one request hangs' 20 stat hanging 1
hung=$BG_PID
ok 'it was not executed' not stored hang
is "$(item other | send)" '200 0' 'others are answered'
is "$(stat order_violations)" 0 'another document is no violation of order'
is "$({
	item hang
	item other
	item slow
} | send)" '200 0' 'a request on the documents of the two that wait'
is "$(stat order_violations)" 2 'is a violation of order'
control POST release >"$T/release"
wait_exit 'released, it is answered' 20 "$hung" 0
like "$(cat "$T/hang.log")" '"_version":2,"result":"updated"' 'and was executed after the other'
leave "$slow"
wait_for 'the slow one is dropped when its client goes' 20 stat in_flight 0
item hang | send >"$T/code"
is "$(stat order_violations)" 2 'one after the other is none'
fault 'kind=delay&ms=1&item_us=1'
is "$(item hang | send)" '200 0' 'a short delay ends'
fault 'kind=hang&when=after'
item gone >"$T/in"
start gone <"$T/in"
wait_for 'one hangs after execution' 20 stat hanging 1
ok 'which was done' stored gone
item gone >"$T/in"
leave "$BG_PID"
send <"$T/in" >"$T/code"
is "$(stat order_violations)" 2 'a second try at once, for the client is gone, is no violation'
wait_for 'one that was left hangs no more' 20 stat hanging 0
fault 'kind=hang&when=headers'
item unread >"$T/in"
start unread <"$T/in"
wait_for 'one hangs before its body' 20 stat hanging 1
unread=$BG_PID
is "$(item unread | send)" '200 0' 'another request on its document comes and goes'
bytes=$(stat bytes)
control POST release >"$T/release"
wait_exit 'released, it is answered' 20 "$unread" 0
ok 'and its body was read then' test "$(stat bytes)" -gt "$bytes"
is "$(stat order_violations)" 3 'that other one was there in its time: a violation'
is "$(stat in_flight_max)" 3 'three were in flight at most'

gzip -c "$T/hang.body" | send -H 'Content-Encoding: gzip' >"$T/code"
is "$(cat "$T/code")" '200 0' 'a gzip body'
is "$(head -c 20 "$T/hang.body" | send -H 'Content-Encoding: gzip')" '000 52' 'and what is none'
{
	item where ',"routing":"a"'
	item where ',"routing":"b"'
	item where ',"routing":"c"'
	item where ',"routing":"d"'
} | send >"$T/code"
ok 'with shards, an id under several routings is several documents' \
    jq -e '[.items[].index | select(.result == "created")] | length > 1' "$T/answer"
is "$(sed -n 1p "$T/standin.items")" '1 index f s1 1 201' 'the log of items'
like "$(sed -n 1p "$T/standin.stamps")" '^s1 [0-9]{16}$' 'the log of times'
control POST 'fault?kind=status&status=500' >"$T/fault"
number=$(jq .number "$T/fault")
control POST 'fault?kind=status&status=502' >"$T/fault"
control DELETE "fault?number=$number" >"$T/fault"
is "$(item one | send)" '502 0' 'one fault is removed, the other is not'
is "$(control DELETE "fault?number=$number" | jq 'has("error")')" true 'it was there once'
control POST reset >"$T/reset"
is "$(stat docs) $(stat index) $(control GET docs)" '0 0 ' 'reset'
kill "$STANDIN_PID"
wait_exit 'it ends with 0' 20 "$STANDIN_PID" 0

standin_start --auth 'elastic:pass' --max-bytes 500 --store nothing --unix "$T/socket" --port 0
is "$(item a | send)" '401 0' 'no password'
is "$(item a | send -u elastic:wrong)" '401 0' 'a wrong one'
is "$(item a | send -u elastic:pass)" '200 0' 'the right one'
is "$(item a | send -u elastic:pass --unix-socket "$T/socket")" '200 0' 'on a socket'
i=0
while [ $i -lt 12 ]; do
	item "$i"
	i=$((i + 1))
done >"$T/large"
is "$(send -u elastic:pass -H 'Expect: 100-continue' <"$T/large")" '413 0' 'a body that is too large'

# What only counts answers as what also looks does.
item a | sed p >"$T/bulk1"
item a ',"version":4,"version_type":"external_gte"' >"$T/bulk2"
{
	item a
	printf '{"create":{"_index":"g","_id":"b"}}\n{}\n{"delete":{"_index":"f","_id":"a"}}\n'
	item c
} >"$T/bulk3"
{
	item a
	printf '{"update":{"_index":"f","_id":"b"}}\n{"doc":{"n":2}}\n'
} >"$T/bulk4"
{
	item a
	printf '{"index":{"_index":"F_","_id":"b"}}\n{}\n'
} >"$T/bulk5"
{
	item a
	printf '{"index":{"_index":"f","_id":"b"}}\n{}'
} >"$T/bulk6"
{
	item a
	printf '{"index":{"_index":"f"},"_id":"b"}}\n\n{}\n'
} >"$T/bulk7"
# answers: to all of them, and what was counted.
answers() {
	for path in 'errors%2Citems.%2A.status%2Citems.%2A.error' 'items.%2A.status' ''; do
		for n in 1 2 3 4 5 6 7; do
			curl -sS --noproxy '*' -w ' %{http_code}\n' -H 'Content-Type: application/x-ndjson' \
			    --data-binary "@$T/bulk$n" "$STANDIN_URL/_bulk?filter_path=$path"
		done
	done | sed -E 's/"took":[0-9]+/"took":0/; s/"_seq_no":[0-9]+/"_seq_no":0/g;
	    s/"index_uuid":"[^"]*"/"index_uuid":"?"/g'
	control GET stats | jq -c 'del(.cpu_seconds)'
}
standin_start --store nothing
answers >"$T/looked"
is "$(printf '{"index":{"_index":"f","_id":"a"}}\n{"n":}\n' | send) $(jq -c .errors "$T/answer")" \
    '200 0 true' 'a document is looked into'
standin_start --count
answers >"$T/counted"
is "$(cat "$T/counted")" "$(cat "$T/looked")" 'counting alone gives the same answers'
quick() {
	printf '{"index":{"_index":"f","_id":"a"}}\n{"n":}\n' | curl -sS --noproxy '*' \
	    -H 'Content-Type: application/x-ndjson' --data-binary @- \
	    "$STANDIN_URL/_bulk?filter_path=errors,items.*.status,items.*.error"
}
is "$(quick)" '{"errors":false,"items":[{"index":{"status":201}}]}' 'but looks into no document'
fault 'kind=item&status=429&count=1'
like "$(quick)" '"status":429' 'where there are no faults'

standin_start --unix "$T/socket2" --port 0
item a | send >"$T/code"
fault 'kind=hang'
item hang >"$T/in"
start hung <"$T/in"
wait_for 'a request hangs' 20 stat hanging 1
# exits_with STATUS COMMAND...: 7 is curl's when it cannot connect, 52 when it is not answered.
exits_with() {
	_status=$1
	shift
	"$@" >"$T/null" 2>&1
	[ $? -eq "$_status" ]
}
control POST 'down?ms=1500' >"$T/down"
wait_for 'it goes down' 20 exits_with 7 curl -sS --noproxy '*' "$STANDIN_URL"
ok 'on all sockets' exits_with 7 curl -sS --unix-socket "$T/socket2" "$STANDIN_URL"
wait_exit 'what hung is cut' 20 "$BG_PID" 52
wait_for 'it comes back' 20 exits_with 0 control GET stats
is "$(stat hanging) $(stat docs)" '0 1' 'and knows what it knew'
is "$(item a | send --unix-socket "$T/socket2")" '200 0' 'on all sockets'

standin_start --gc-deletes-ms 0 --no-auto-create --distribution elasticsearch --number 7.17.9
is "$(item a | send) $(jq -r '.items[0].index.error.type' "$T/answer")" \
    '200 0 index_not_found_exception' 'no index is made where none may be'
like "$(cat "$T/headers")" '^X-elastic-product: Elasticsearch' 'an Elasticsearch'
standin_start --number 3.4.0
item a | send >"$T/code"
like "$(cat "$T/headers")" '^X-OpenSearch-Version: OpenSearch/3.4.0 [(]opensearch[)]' 'an OpenSearch'
standin_start --gc-deletes-ms 0 --no-auto-create --distribution elasticsearch --number 7.17.9
is "$(curl -sS --noproxy '*' "$STANDIN_URL" | jq -c .version.number)" '"7.17.9"' 'of that version'
curl -sS --noproxy '*' -X PUT "$STANDIN_URL/f" >"$T/made"
{
	echo '{"delete":{"_index":"f","_id":"a","version":5,"version_type":"external"}}'
	item a ',"_type":"_doc","version":4,"version_type":"external"'
} | send >"$T/code"
is "$(jq -c '.items | map(.[].status)' "$T/answer")" '[404,201]' 'a delete is forgotten after gc_deletes'

done_testing
