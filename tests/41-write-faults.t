#!/bin/sh
#
# esbulk-write against a stand-in that misbehaves: nothing is lost, nothing is acked
# before it is stored, the order per document holds, and what no retry mends stops it.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=write.sh
. "$(dirname "$0")/write.sh"

# Those that take seconds, for the delay between tries grows, run beside the others.
printf '%s\n' "$(relation)" "$(unit 1 a b=2)" "$(unit 2 bad)" "$(unit 3 c)" "$(e)" |
    pack >"$T/bad.frames"
printf '%s\n' "$(unit 1 a)" "$(e)" | pack >"$T/one.frames"
# beside NAME FRAMES FAULT...
beside() {
	_beside=$1 _frames=$2
	shift 2
	standin_start
	fault "$@"
	eval "url_$_beside=\$STANDIN_URL"
	# shellcheck disable=SC2016
	bg "$_beside" sh -c 'esbulk-write -u "$1" <"$2"; echo "status $?"' sh \
	    "$STANDIN_URL" "$_frames"
}
# ended NAME STATUS DESCRIPTION
ended() {
	eval "STANDIN_URL=\$url_$1"
	wait_for "$3" 40 grep -q '^status ' "$T/$1.log"
	is "$(grep '^status ' "$T/$1.log")" "status $2" "$3: $2"
	cp "$T/$1.log" "$T/err"
}
beside fails "$T/bad.frames" 'kind=item&status=500&id=bad&type=t&reason=a+processor'
beside passes "$T/one.frames" 'kind=status&status=503&count=1' 'kind=item&status=429&count=7' \
    'kind=item&status=500&count=1'
for how in garbage html truncated; do
	beside "$how" "$T/one.frames" "kind=garble&how=$how"
done

load 50 20 150 >"$T/load"
e >>"$T/load"
standin_start --log "$T/log"

# Faults that pass ------------------------------------------------------------------

# survives DESCRIPTION LANES FAULT...
survives() {
	_about=$1 _lanes=$2
	shift 2
	fresh
	: >"$T/log"
	fault "$@"
	listen survives --log "$T/log" --units "$T/units"
	pack <"$T/load" >"$T/frames"
	writes 0 "$_about" --lanes "$_lanes" --batch-docs 25 --timeout 1 -a "$T/survives.sock"
	ok "$_about: happened" counts faults -gt 1
	holds_load "$_about: nothing is lost"
	ok "$_about: never two requests about one document" counts order_violations -eq 0
	wait_for "$_about: all is acked" 10 acked survives 50
	ok "$_about: nothing too early" not early survives
}

survives 'items rejected by 429' 4 'kind=item&p=0.2'
survives 'the same in one lane' 1 'kind=item&p=0.2'
survives 'and in many' 64 'kind=item&p=0.2'
survives 'items failed by 503' 4 'kind=item&status=503&p=0.1'
survives 'items failed by 403 of a block' 4 'kind=item&status=403&p=0.1'
survives 'items failed by 500 for a while' 4 'kind=item&status=500&count=40&p=0.5'
survives 'requests rejected by 429' 4 'kind=status&status=429&p=0.3'
survives 'requests failed by 500' 4 'kind=status&status=500&p=0.2'
survives 'requests failed by 503' 1 'kind=status&status=503&p=0.2'
survives 'requests failed by 504, half executed' 4 'kind=status&status=504&p=0.2&when=half'
survives 'requests failed by 502, executed' 4 \
    'kind=status&status=502&p=0.2&when=after&body=%3Chtml%3Eproxy%3C%2Fhtml%3E'
# Some actions are not stored, so that whoever takes a broken answer for a good one loses them.
for when in headers body before after answer; do
	survives "connections cut at: $when" 4 "kind=cut&when=$when&p=0.2" \
	    'kind=item&p=0.1'
done
survives 'connections reset' 4 'kind=cut&when=after&reset=true&p=0.2'
survives 'answers of all kinds that are none' 4 'kind=garble&how=truncated&p=0.4&count=2' \
    'kind=garble&how=garbage&p=0.4&count=2' 'kind=garble&how=html&p=0.4&count=1' \
    'kind=garble&how=empty&p=0.4&count=2' 'kind=item&p=0.2'
survives 'answers that lack an item' 4 'kind=short&count=7&p=0.5' 'kind=item&p=0.2'
survives 'answers that drip' 4 'kind=drip&bytes=100&ms=1'
survives 'requests that hang before they are executed' 4 'kind=hang&count=2&skip=2'
survives 'and after, and what is late' 4 'kind=hang&when=after&count=2&skip=2' \
    'kind=delay&ms=1300&count=2&skip=6'
survives 'everything together' 4 'kind=item&p=0.05' 'kind=status&p=0.05' \
    'kind=cut&p=0.05' 'kind=delay&ms=20&p=0.2' 'kind=short&p=0.05' 'kind=cut&when=body&p=0.05'

# What is told to come again must not come behind a later delete that the cluster has
# forgotten by then, nor behind what has the same version.
other='{"pipeline":"p"}'
standin_url=$STANDIN_URL
standin_start --gc-deletes-ms 1
stream "$(u 1 "$(x index i a '{"n":1}' null - "$other")" "$(x index i b '{"n":1}' 7)")" \
    "$(u 2 "$(x delete i a -)" "$(x index i b '{"n":2}' 7 - "$other")" "$(x index i b '{"n":3}' 7)")"
fault 'kind=item&op=index&id=a&count=6' 'kind=item&id=b&count=1'
writes 0 'a delete behind an index that fails for a while'
ok 'is the last' has 'i b 7 {"n":3}'
STANDIN_URL=$standin_url

# Without versions only the order of the requests keeps the order of the actions: index
# and delete must take turns, or an index finds a document, or a delete finds none.
fresh
: >"$T/log"
fault 'kind=item&p=0.2' 'kind=status&p=0.1' 'kind=cut&when=body&p=0.05'
turns | frames
writes 0 'actions without versions, rejected alone and with their request'
ok 'happened' counts injected -gt 1
is "$(grep -c . "$T/log") $(grep -c ' index .* 201$' "$T/log") $(grep -c ' delete .* 200$' "$T/log")" \
    '360 180 180' 'keep their order'

# An ack waits for the slowest.
fresh
fault 'kind=item&id=slow'
listen slow
start slow -a "$T/slow.sock"
printf '%s\n' "$(hello)" "$(unit 1 slow)" "$(unit 2 a b c d e f g h)" "$(unit 3 i)" | feed
wait_for 'all but one action are stored' 10 counts docs -eq 9
wait_for 'which is tried again and again' 10 counts injected -gt 3
ok 'nothing is acked' not grep -q '^ack' "$T/slow.acks"
control DELETE fault >/dev/null
wait_for 'then all is' 20 acked slow 3
e | feed
done_feeding
wait_exit 'the end' 10 "$W" 0

# Nobody is served better by a flood.
fresh
fault 'kind=status'
start patient
unit 1 a | feed
wait_for 'a cluster in trouble is asked again' 10 counts bulk_requests -ge 2
sleep 1
ok 'less and less often' counts bulk_requests -lt 20
control DELETE fault >/dev/null
e | feed
done_feeding
wait_exit 'until it has recovered' 20 "$W" 0

# The log ----------------------------------------------------------------------------

fresh
cp "$T/bad.frames" "$T/frames"
fault 'kind=status&status=503&count=2&body=the+words'
writes 0 'a retry' --lanes 1 --batch-docs 1 -v
for n in 1 2; do
	says "warn .*trying again.*node=http://127.*status=503 reason=\"the words\" actions=1 failures=$n delay_ms=[0-9]" \
	    'is logged, with what the cluster said'
done
fresh
cp "$T/one.frames" "$T/frames"
fault 'kind=item&status=429&count=1'
writes 0 'also one of an item'
says 'warn .*did not take some actions.*status=429.*rejected_execution_exception.*actions=1' \
    'with what the cluster said'

# Too large --------------------------------------------------------------------------

standin_start --max-bytes 2000
awk 'BEGIN { for (n = 1; n <= 500; n++) {
	printf "[\"B\",\"0/%X\",0,7]\n", n * 64
	printf "[\"X\",\"index\",1,\"i\",\"%d\",null,null,\"{}\"]\n", n
	printf "[\"C\",\"0/%X\",%d]\n", n * 64 + 48, n } }' >"$T/lines"
{
	cat "$T/lines"
	e
} | frames
writes 0 'requests that are too large'
says 'halving.*status=413' 'are halved'
ok 'and all arrives' counts docs -eq 500
fresh
fault 'kind=status&status=413&count=4'
{
	cat "$T/lines" "$T/lines" "$T/lines"
	e
} | frames
writes 0 'limits of a while' --lanes 1 --batch-bytes 2000
ok 'let batches grow again' counts items_max -gt 15
large=$(printf '%02000d' 0)
printf '%s\n' "$(relation)" "$(unit 1 a)" "$(b 0/2000)" \
    "$(x index i large "{\"t\":\"$large\"}")" "$(c 0/2030 2)" "$(e)" | frames
writes 100 'a document that is too large alone'
says 'error .*takes no request as large.*table=shop.users op=index index=i id=large lsn=0/2000 status=413 .*bytes=2[0-9]* remedy="raise' \
    'is named, with a remedy'

fresh
# Behind the status the connection breaks.
cp "$T/one.frames" "$T/frames"
fault 'kind=status&status=413&body=the+words' 'kind=cut&when=answer'
writes 100 'a 413 whose words are cut off is one'
says 'takes no request as large.*id=a' 'for a document alone, too'

# Much larger than what a connection holds: the answer comes while the request is sent.
standin_start --max-bytes 300000
awk -v text="$large" 'BEGIN { for (n = 1; n <= 6000; n++) {
	printf "[\"B\",\"0/%X\",0,7]\n", n * 64
	printf "[\"X\",\"index\",1,\"i\",\"%d\",null,null,\"{\\\"t\\\":\\\"%s\\\"}\"]\n", n, text
	printf "[\"C\",\"0/%X\",%d]\n", n * 64 + 48, n } }' >"$T/lines"
{
	cat "$T/lines"
	e
} | frames
writes 0 'requests of megabytes that are too large' --lanes 2
ok 'are halved, too' grep -q 413 "$T/err"
ok 'and all arrives' counts docs -eq 6000

# What no retry mends ----------------------------------------------------------------

standin_start
cp "$T/bad.frames" "$T/frames"
fault 'kind=item&status=400&id=bad'
writes 100 'an item that fails by 400'
says 'error .*rejected an action.*table=shop.users op=index index=i id=bad lsn=0/2000 status=400 type=mapper_parsing_exception reason="failed to parse field' \
    'is named, with its place in the log and the reason'
# A reject of one lane does not lose the acks of what is stored.
fresh
fault 'kind=item&status=400&id=bad'
listen bad
start bad -a "$T/bad.sock"
printf '%s\n' "$(hello)" "$(unit 1 a b d)" | feed
wait_for 'a unit is acked' 10 acked bad 1
printf '%s\n' "$(unit 2 bad)" "$(unit 3 c)" | feed
wait_exit 'a rejected action ends the program though its input goes on' 10 "$W" 100
done_feeding
wait_for 'the reader sees that' 10 grep -q end "$T/bad.acks"
ok 'nothing from there on is acked' not grep -q 'ack [23]' "$T/bad.acks"

for status in 401 403; do
	fresh
	fault "kind=status&status=$status&body=no+entry"
	writes 100 "$status at the start"
	says "denies access.*status=$status reason=\"no entry\" remedy=\"check --user" \
	    'is said, with a remedy'
done
fresh
fault 'kind=status&status=403&skip=1&count=3'
writes 0 '403 after a success is tried again' --batch-docs 1 --lanes 1
says 'denies access: trying again' 'which is said'
ok 'and all is stored' counts docs -eq 4
for status in 404 405 406 301; do
	fresh
	fault "kind=status&status=$status&body=the+words"
	writes 100 "a whole request refused by $status"
	says "(refused a request|answers with a redirect).*status=$status reason=\"the words\".*lsn=0/[123]000" 'is said'
done
# Away -------------------------------------------------------------------------------

port=${STANDIN_URL##*:}
away() {
	kill -s "$1" "$STANDIN_PID"
	wait_for 'the cluster goes away' 10 _ended "$STANDIN_PID"
}
away TERM
: >"$T/log"
listen away --log "$T/log" --units "$T/units"
start away -a "$T/away.sock" --batch-docs 25
sed '$d' "$T/load" | feed
wait_for 'a cluster that is not there is waited for' 10 \
    grep -q 'does not answer: trying again.*node=http' "$T/away.log"
# Without our end of the pipe.
standin_start --port "$port" --log "$T/log" --fault 'kind=delay&ms=20' 3>&-
wait_for 'it comes' 20 counts bulk_requests -gt 5
away KILL
standin_start --port "$port" --log "$T/log" 3>&-
wait_for 'it was gone in between: all is acked' 20 acked away 50
ok 'nothing that it had not stored' not early away
e | feed
done_feeding
wait_exit 'the end' 10 "$W" 0

# Several nodes ----------------------------------------------------------------------

# A port on which nobody listens.
one=$STANDIN_URL
standin_start
dead=$STANDIN_URL
away TERM
STANDIN_URL=$one
pack <"$T/load" >"$T/frames"
writes 0 'of two nodes, the first is dead' -u "$dead" -u "$one" --batch-docs 50
holds_load 'nothing is lost'
says "does not answer: trying again.*node=$dead .*delay_ms=0" 'so another is tried at once'
fresh
writes 0 'the second is dead' -u "$one" -u "$dead" --batch-docs 50
holds_load 'nothing is lost'
standin_start --fault 'kind=status&status=503'
two=$STANDIN_URL
STANDIN_URL=$one
fresh
writes 0 'the second has trouble' -u "$one" -u "$two/" --batch-docs 50
holds_load 'nothing is lost'
says "did not take a request: trying again.*node=$two " 'which is said'
standin_start
two=$STANDIN_URL
many=$(awk 'BEGIN { for (n = 1; n <= 40; n++)
	printf "[\"X\",\"index\",1,\"i\",\"%d\",null,null,\"{}\"]\n", n }')
printf '%s\n' "$(b 0/1000)" "$many" "$(c 0/1030 1)" "$(e)" | frames
STANDIN_URL=$one
fresh
writes 0 'both are well' -u "$one" -u "$two" --batch-docs 4
first=$(counted docs)
STANDIN_URL=$two
is "$first and $(counted docs)" "$first and $((40 - first))" 'each takes some'
ok 'a fair part' test "$first" -ge 8 -a "$first" -le 32

# Those beside -----------------------------------------------------------------------

ended fails 100 'an item that fails by 500 for good'
says 'id=bad .*status=500 type=t reason="a processor"' 'is named'
ok 'after some tries' counts injected -gt 3
ended passes 0 'one that fails by 500 once, after many other failures'
ok 'is stored' counts docs -eq 1
for how in garbage html truncated; do
	ended "$how" 100 "answers that are $how for good"
	says 'no Elasticsearch or OpenSearch' 'are said'
	ok 'after some tries' counts bulk_requests -gt 4
done

done_testing
