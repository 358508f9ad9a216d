#!/bin/sh
#
# esbulk-write takes members over from stored documents (merge, merge_from): byte for byte,
# in order, whatever fails, and once more after a crash.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=write.sh
. "$(dirname "$0")/write.sh"

# m ID BODY NAMES [VERSION [ROUTING]]: merge members into a document of index i.
m() {
	x index i "$1" "$2" "${4:-null}" "${5:--}" "{\"merge\":$3}"
}
# move FROM TO BODY NAMES [VERSION]: the same of another, which goes.
move() {
	x index i "$2" "$3" "${5:-null}" - "{\"merge\":$4,\"merge_from\":[\"i\",\"$1\",null]}"
}

standin_start

# Byte for byte ----------------------------------------------------------------------

odd='{"a": 1, "b\u0069g" : {"x":[1.50,1e2,-0, {"big":"no"}] , "t":"q\"}] \u00e9 é"},"z":12345678901234567890.10 }'
stream "$(u 1 "$(x index i 1 "$odd")" "$(x index i 2 '{"a":1,"big":"two"}')" \
    "$(x index i 3 '{"big":"x"}')" "$(x index i 4 '{"big":[]}')")" \
    "$(u 2 "$(m 1 '{"a":2}' '["big","z"]')" "$(m 2 '{}' '["big"]')" \
    "$(m 3 '{"big":null}' '["big"]')" "$(m 4 '{"a":[1, 2] } ' '["big"]')")"
writes 0 'merges'
ok 'members come as they are written' has \
    'i 1 131072 {"a":2,"b\u0069g":{"x":[1.50,1e2,-0, {"big":"no"}] , "t":"q\"}] \u00e9 é"},"z":12345678901234567890.10}' \
    'i 2 131072 {"big":"two"}' 'i 3 131072 {"big":null}' 'i 4 131072 {"a":[1, 2] ,"big":[]}'
ok 'nothing is said' not test -s "$T/err"
control GET docs >"$T/before"
writes 0 'the same again'
control GET docs >"$T/after"
same "$T/after" "$T/before" 'changes nothing'

fresh
stream "$(u 1 "$(x index i 1 '{"n":1,"big":"a"}')" "$(m 1 '{"n":2}' '["big"]')" \
    "$(m 1 '{"n":3}' '["big"]')" "$(x index i 2 '{"n":1,"big":"b"}')" \
    "$(x index i 1 '{"n":4,"big":"c"}')" "$(m 1 '{"n":5}' '["big"]')" \
    "$(m 2 '{"n":2}' '["big"]' false)" "$(x update i 2 '{"doc":{"m":1}}')" \
    "$(m 2 '{"n":3}' '["big","m"]' false)")"
writes 0 'many on one document in a unit'
ok 'each sees what the one before left' has 'i 1 65540 {"n":5,"big":"c"}' \
    'i 2 65539 {"n":3,"big":"b","m":1}'

# Nothing to take --------------------------------------------------------------------

fresh
stream "$(u 1 "$(x index i 1 '{"n":1}')")" "$(u 2 "$(m 1 '{"n":2}' '["big","n","m"]')")" \
    "$(u 3 "$(m gone '{"n":2}' '["big"]')" "$(m other '{"n":3}' '[]')")"
writes 0 'what is nowhere' -v --lanes 1
ok 'is left out' has 'i 1 131072 {"n":2}' 'i gone 196608 {"n":2}' 'i other 196608 {"n":3}'
says 'warn .*indexed without them.*table=shop.users index=i id=1 lsn=0/2000 fields=2 reason="the stored document lacks them" .*REPLICA IDENTITY FULL, or pgcdc-read --toast fetch' \
    'and said, with the remedies'
says 'id=gone lsn=0/3000 fields=1 reason="there is no such document" so_far=[12]' 'also of a document'
says 'merge_missing=2' 'and counted'
fresh
stream "$(u 1 "$(m 1 '{"n":2}' '["big"]')")"
writes 100 'or with --merge-missing reject it stops' --merge-missing reject
says 'error .*nowhere" table=shop.users op=index index=i id=1 lsn=0/1000.*remedy=' 'with the same words'
ok 'before anything is stored' has ''
writes 100 'another word is an error' --merge-missing maybe
fresh
stream "$(u 9 "$(x index i 1 '{"n":9}')" "$(x delete i 2 -)")"
writes 0 'where something newer is stored'
stream "$(u 1 "$(m 1 '{"n":2}' '["big"]')")"
writes 0 'nothing is missed' --merge-missing reject
ok 'for it stays' has 'i 1 589824 {"n":9}'

# Another document --------------------------------------------------------------------

fresh
stream "$(u 1 "$(x index i 1 '{"n":1,"big":"a"}')" "$(x index i 2 '{"n":2,"big":"b"}')" \
    "$(x index i 5 '{"n":5,"big":"e"}')")" \
    "$(u 2 "$(move 1 3 '{"n":1}' '["big"]')" "$(move 2 1 '{"n":2}' '["big"]')" \
    "$(move 3 2 '{"n":1}' '["big"]')" "$(move 5 6 '{"n":5}' '[]')")"
for lanes in 1 2 4 64; do
	fresh
	writes 0 "two ids change places, with $lanes lanes" --lanes "$lanes"
	ok 'each with what it had' has 'i 1 131073 {"n":2,"big":"b"}' 'i 2 131073 {"n":1,"big":"a"}' \
	    'i 6 131072 {"n":5}'
	ok 'nothing is said' not test -s "$T/err"
done
# A crash before the ack: the unit comes again.
fresh
stream "$(u 1 "$(x index i 1 '{"n":1,"big":"a"}')")" "$(u 2 "$(move 1 2 '{"n":2}' '["big"]')")"
writes 0 'an id changes'
ok 'and the document moves' has 'i 2 131072 {"n":2,"big":"a"}'
control POST forget >/dev/null
stream "$(u 2 "$(move 1 2 '{"n":2}' '["big"]')")"
writes 0 'again, when the old document is gone' --merge-missing reject
ok 'the new one keeps what it has' has 'i 2 131072 {"n":2,"big":"a"}'
stream "$(u 3 "$(x index i 1 '{"n":1,"big":"z"}')")"
writes 0 'a row comes with the old id'
stream "$(u 2 "$(move 1 2 '{"n":2}' '["big"]')")"
writes 0 'and the unit again' --merge-missing reject
ok 'it takes nothing of that, nor deletes it' has 'i 1 196608 {"n":1,"big":"z"}' \
    'i 2 131072 {"n":2,"big":"a"}'
# Many actions on a document before: what the unit made itself later is not taken for older.
fresh
{
	hello
	b 0/1000
	for n in $(seq 45); do
		x index i 1 "{\"n\":$n,\"big\":\"own\"}"
	done
	move 1 2 '{"n":0}' '["big"]'
	x index i 1 '{"n":1,"big":"new"}'
	c 0/1030 1
	e
} | frames
for time in once again; do
	writes 0 "a row moves after 45 actions, and another comes with the old id, $time" \
	    --merge-missing reject
	ok 'each has its own' has 'i 1 65582 {"n":1,"big":"new"}' 'i 2 65536 {"n":0,"big":"own"}'
done
# The row that comes has the last place, as the delete: nothing tells them apart but that the
# new document is there.
{
	hello
	b 0/1000
	for n in $(seq 639); do
		x index i 1 "{\"n\":$n,\"big\":\"own\"}"
	done
	move 1 2 '{"n":0}' '["big"]'
	x index i 1 '{"n":1,"big":"new"}'
	c 0/1030 1
	e
} | frames
fresh
for time in once again; do
	writes 0 "the same after 639 actions, $time" --merge-missing reject
	ok 'each has its own' has 'i 1 66175 {"n":1,"big":"new"}' 'i 2 65536 {"n":0,"big":"own"}'
done
fresh
stream "$(u 1 "$(x index i 1 '{"big":"a"}' false)" "$(move 1 2 '{"n":2}' '["big"]' false)" \
    "$(x index i 1 '{"big":"b"}' false)" "$(move 1 3 '{"n":3}' '["big"]' false)")"
writes 0 'without versions'
ok 'the same' has 'i 2 1 {"n":2,"big":"a"}' 'i 3 1 {"n":3,"big":"b"}'

# A routing alone changes: on one shard both are one document, on several two.
for shards in 1 5; do
	standin_start --shards "$shards"
	r='{"merge":["big"],"merge_from":["i","1","a"]}'
	stream "$(u 1 "$(x index i 1 '{"n":1,"big":"x"}' null a)")" \
	    "$(u 2 "$(x index i 1 '{"n":2}' null b "$r")")"
	writes 0 "another routing, with $shards shards"
	ok 'the new document stays, the old goes' has 'i 1 131072 {"n":2,"big":"x"}'
	writes 0 'again' --merge-missing reject
	ok 'the same' has 'i 1 131072 {"n":2,"big":"x"}'
	stream "$(u 3 "$(m 1 '{"n":3}' '["big"]' null b)")"
	writes 0 'a merge finds it by its routing' --merge-missing reject
	ok 'and takes over' has 'i 1 196608 {"n":3,"big":"x"}'
	# Many actions on it before, up to the last place and behind it.
	for many in 45 638 639 700; do
		fresh
		{
			hello
			b 0/1000
			awk -v many="$many" 'BEGIN { for (n = 1; n <= many; n++)
				printf "[\"X\",\"index\",16401,\"i\",\"1\",null,\"a\",\"{\\\"n\\\":%d,\\\"big\\\":\\\"x\\\"}\"]\n", n }'
			x index i 1 '{"n":0}' null b "$r"
			c 0/1030 1
			e
		} | frames
		for time in once again; do
			writes 0 "another routing after $many actions, $shards shards, $time" \
			    --merge-missing reject
			is "$(curl -s --noproxy '*' "$STANDIN_URL/i/_doc/1?routing=b" | jq -c ._source)" \
			    '{"n":0,"big":"x"}' 'the document is whole'
		done
		[ "$many" -gt 639 ] || is "$(counted docs)" 1 'and alone'
	done
done

# What is before on the old document is waited for, what comes later waits.
standin_start
listen order
fault 'kind=request&op=index&id=1&status=429'
start order -a "$T/order.sock" --lanes 16
printf '%s\n' "$(hello)" "$(u 1 "$(x index i 1 '{"big":"a"}')" "$(x index i 7 '{}')")" \
    "$(u 2 "$(move 1 2 '{"n":2}' '["big"]')")" "$(u 3 "$(x index i 1 '{"n":3}' null z)")" \
    "$(u 4 "$(x index i 8 '{}')" "$(x index i 9 '{}')")" | feed
wait_for 'an action on the old document fails' 10 counts faults -gt 2
wait_for 'others are not held up' 10 counts docs -eq 3
ok 'but the merge is' not sh -c 'curl -s --noproxy "*" -f "$1/i/_doc/2"' sh "$STANDIN_URL"
fault 'kind=item&op=index&id=2&count=6' 'kind=item&op=delete&id=1'
before=$(counted injected)
control DELETE 'fault?kind=request' >/dev/null
wait_for 'then its document is read, and not stored' 20 counts injected -gt "$before"
is "$(curl -s --noproxy '*' "$STANDIN_URL/i/_doc/1" | jq -c ._source)" '{"big":"a"}' \
    'the old one stays, and what comes later on it waits'
wait_for 'the unit before is acked' 10 acked order 1
wait_for 'it is stored, and the old one is to be deleted' 20 counts injected -gt $((before + 6))
ok 'the new one is there' sh -c \
    'curl -s --noproxy "*" "$1/i/_doc/2" | grep -F "{\"n\":2,\"big\":\"a\"}"' sh "$STANDIN_URL"
ok 'it is not acked' not grep -q '^ack [234]' "$T/order.acks"
control DELETE fault >/dev/null
wait_for 'all is acked' 20 acked order 4
e | feed
done_feeding
wait_exit 'the end' 10 "$W" 0
ok 'and all is right' has 'i 1 196608 {"n":3}' 'i 2 131072 {"n":2,"big":"a"}' 'i 7 65536 {}' \
    'i 8 262144 {}' 'i 9 262144 {}'

# What is wrong -----------------------------------------------------------------------

# refuses PATTERN DESCRIPTION ACTION
refuses() {
	stream "$(u 1 "$3")"
	writes 100 "$2"
	says "an action cannot be sent.*$1" 'is said'
}
refuses 'which only index takes' 'a merge by update' "$(x update i 1 '{}' null - '{"merge":["a"]}')"
refuses 'no id, which merge needs' 'a merge without an id' "$(x index i - '{}' false - '{"merge":["a"]}')"
refuses 'body that is no object' 'a merge into an array' "$(m 1 '[1]' '["a"]')"
refuses 'merge that is no array' 'a merge of one name' "$(m 1 '{}' '"a"')"
refuses 'else than names' 'a merge of numbers' "$(m 1 '{}' '[1]')"
for from in '"i"' '["i","1"]' '["i","1",2]' '["i",1,null]'; do
	refuses 'merge_from that is no array of|no legal index' "a merge_from of $from" \
	    "$(x index i 2 '{}' null - "{\"merge_from\":$from}")"
done
refuses 'no legal index, id or routing' 'a merge_from of a pattern' \
    "$(x index i 2 '{}' null - '{"merge_from":["i*","1",null]}')"
refuses 'of its own document' 'a merge_from of itself' "$(move 1 1 '{}' '["a"]')"
refuses 'needs a version' 'another routing without a version' \
    "$(x index i 1 '{}' false b '{"merge":["a"],"merge_from":["i","1","a"]}')"

# Faults ------------------------------------------------------------------------------

# merges UNITS ACTIONS DOCUMENTS: like load, of rows whose large value only an insert
# brings, of updates without it, of deletes, and of changed ids.
merges() {
	awk -v units="$1" -v actions="$2" -v docs="$3" -v want="$T/want" -v log_="$T/units" '
	function act(id) {
		printf "%d %s %d\n", u, id, lsn >log_
	}
	function show(id, body, more) {
		printf "[\"X\",\"index\",16401,\"i\",\"%d\",null,null,\"%s\"%s]\n", id, body, more
		act(id)
	}
	BEGIN {
		srand(5)
		printf "[\"H\",{\"v\":1,\"run\":\"run1\"}]\n"
		for (u = 1; u <= units; u++) {
			lsn = 16777216 + 65536 * u
			printf "[\"B\",\"0/%X\",0,7]\n", lsn
			for (a = 0; a < actions; a++) {
				id = int(rand() * docs)
				if (!(id in big)) {
					big[id] = ++n; num[id] = n; at[id] = lsn
					show(id, sprintf("{\\\"n\\\":%d,\\\"big\\\":%d}", n, n), "")
				} else if (rand() < 0.2) {
					delete big[id]
					printf "[\"X\",\"delete\",16401,\"i\",\"%d\",null,null,null]\n", id
					act(id)
				} else if (rand() < 0.6) {
					num[id] = ++n; at[id] = lsn
					show(id, sprintf("{\\\"n\\\":%d}", n), ",{\"merge\":[\"big\"]}")
				} else {
					for (to = int(rand() * docs); to in big; to = (to + 1) % (docs + 50))
						;
					num[to] = ++n; big[to] = big[id]; at[to] = lsn
					delete big[id]
					show(to, sprintf("{\\\"n\\\":%d}", n), sprintf( \
					    ",{\"merge\":[\"big\"],\"merge_from\":[\"i\",\"%d\",null]}", id))
				}
			}
			printf "[\"C\",\"0/%X\",%d]\n", lsn + 48, u
		}
		for (id in big)
			printf "i\t%s\t%d\t{\"n\":%d,\"big\":%d}\n", id, at[id], num[id], big[id] | \
			    ("sort >" want)
	}'
}
merges 60 20 120 >"$T/load"
e >>"$T/load"
standin_start --log "$T/log"

# survives DESCRIPTION LANES FAULT...
survives() {
	_about=$1 _lanes=$2
	shift 2
	fresh
	: >"$T/log"
	[ $# -eq 0 ] || fault "$@"
	listen survives --log "$T/log" --units "$T/units"
	pack <"$T/load" >"$T/frames"
	writes 0 "$_about" --lanes "$_lanes" --batch-docs 25 --timeout 1 -a "$T/survives.sock" \
	    --merge-missing reject
	[ $# -eq 0 ] || ok "$_about: happened" counts faults -ge 1
	holds_load "$_about: nothing is lost"
	ok "$_about: never two requests about one document" counts order_violations -eq 0
	wait_for "$_about: all is acked" 10 acked survives 60
	ok "$_about: nothing too early" not early survives
}
for lanes in 1 2 4 64; do
	survives "no faults, $lanes lanes" "$lanes"
done
mget='path=/_mget'
survives 'reads rejected by 429' 4 "kind=status&status=429&p=0.3&$mget"
survives 'reads failed by 503' 4 "kind=status&status=503&p=0.3&$mget"
survives 'reads failed by 500' 1 "kind=status&status=500&p=0.2&$mget"
for when in headers before after answer; do
	survives "reads cut at: $when" 4 "kind=cut&when=$when&p=0.2&$mget"
done
survives 'reads that are too large' 4 "kind=status&status=413&count=2&$mget"
survives 'reads answered by something else' 4 "kind=garble&how=truncated&p=0.4&count=3&$mget" \
    "kind=garble&how=garbage&p=0.4&count=3&$mget" "kind=garble&how=html&p=0.4&count=3&$mget"
survives 'reads without a word on what is found' 4 "kind=garble&how=no-found&p=0.4&count=5&$mget"
survives 'reads of other documents' 4 "kind=garble&how=other-id&p=0.4&count=5&$mget"
survives 'reads that hang' 4 "kind=hang&count=2&skip=2&$mget"
survives 'deletes rejected by 429' 4 'kind=item&op=delete&p=0.4'
survives 'actions rejected by 429' 4 'kind=item&p=0.2'
survives 'everything together' 4 'kind=item&p=0.05' 'kind=status&p=0.05' 'kind=cut&p=0.05' \
    'kind=delay&ms=20&p=0.1' 'kind=cut&when=after&p=0.05'
survives 'the same with many lanes' 64 'kind=item&p=0.05' 'kind=status&p=0.03' \
    'kind=cut&p=0.03' 'kind=delay&ms=20&p=0.1' 'kind=cut&when=after&p=0.03'

# Killed, and the rest again from what was not acked, with some of what was.
fresh
fault 'kind=delay&ms=3' 'kind=cut&when=after&p=0.05'
pack <"$T/load" >"$T/frames"
from=1
for kill in 3 9 15 22 30 38 45 52; do
	listen killed
	# shellcheck disable=SC2016
	bg killed sh -c 'exec esbulk-write -u "$1" -a "$2" --batch-docs 25 <"$3"' sh "$STANDIN_URL" \
	    "$T/killed.sock" "$T/frames"
	W=$BG_PID
	_until 20 sh -c 'tail -n 1 "$1" | grep -q "^ack" && [ "$(tail -n 1 "$1" | cut -d " " -f 2)" -ge "$2" ]' \
	    sh "$T/killed.acks" "$kill"
	kill -s KILL "$W" 2>/dev/null
	_until 10 _ended "$W"
	from=$(sed -n 's/^ack \([0-9]*\) .*/\1/p' "$T/killed.acks" | tail -n 1)
	# All units from the one behind the last ack.
	{
		hello
		awk -v from="${from:-0}" '/^\["B"/ { unit++ } unit > from || /^\["E"/' "$T/load"
	} | pack >"$T/frames"
	[ "${from:-0}" -lt 59 ] || break
done
control DELETE fault >/dev/null
# Of what was deleted since nothing can be taken, and need not.
writes 0 'after many kills, the rest'
holds_load 'nothing is lost or stale'

# Large -------------------------------------------------------------------------------

# Documents of a megabyte: read in parts, whatever the batch.
standin_start
awk 'BEGIN { s = "0123456789abcdef"; while (length(s) < 1048576) s = s s
	printf "[\"B\",\"0/1000\",0,7]\n"
	for (d = 0; d < 60; d++)
		printf "[\"X\",\"index\",1,\"i\",\"%d\",null,null,\"{\\\"n\\\":1,\\\"big\\\":\\\"%d%s\\\"}\"]\n", d, d, s
	printf "[\"C\",\"0/1030\",1]\n[\"E\",\"0/1030\",\"done\"]\n" }' | frames
writes 0 'sixty documents of a megabyte'
{
	hello
	b 0/2000
	awk 'BEGIN { for (d = 0; d < 60; d++)
		printf "[\"X\",\"index\",1,\"i\",\"%d\",null,null,\"{\\\"n\\\":2}\",{\"merge\":[\"big\"]%s}]\n",
		    d % 2 ? d : d + 1000, d % 2 ? "" : sprintf(",\"merge_from\":[\"i\",\"%d\",null]", d) }'
	c 0/2030 1
} >"$T/lines"
listen large
start large -a "$T/large.sock" --merge-missing reject
feed <"$T/lines"
wait_for 'are merged' 60 acked large 1
below "$(vmhwm "$W")" 40000 'in bounded memory'
e | feed
done_feeding
wait_exit 'the end' 10 "$W" 0
is "$(control GET docs | grep -c '"_version":131072,"_source":{"n":2,"big":"[0-9]*0123456789abcdef0123.*f"}}$')" 60 \
    'all of them whole'
# One of 30 MB.
standin_start
awk 'BEGIN { s = "0123456789abcdef"; while (length(s) < 33554432) s = s s
	printf "[\"B\",\"0/1000\",0,7]\n[\"X\",\"index\",1,\"i\",\"1\",null,null,\"{\\\"big\\\":\\\"%s\\\"}\"]\n", s
	printf "[\"X\",\"index\",1,\"i\",\"1\",null,null,\"{\\\"n\\\":2}\",{\"merge\":[\"big\"]}]\n"
	printf "[\"C\",\"0/1030\",1]\n[\"E\",\"0/1030\",\"done\"]\n" }' | frames
writes 0 'a document of 32 MB' --merge-missing reject
is "$(control GET docs | wc -c)" "$(printf '{"_index":"i","_id":"1","_version":65537,"_source":{"n":2,"big":"%033554432d"}}\n' 0 | wc -c)" \
    'is merged'

# Many ids at once, each of which takes the place of another.
standin_start
{
	hello
	b 0/1000
	awk 'BEGIN { for (d = 1; d <= 20000; d++)
		printf "[\"X\",\"index\",1,\"i\",\"%d\",null,null,\"{\\\"n\\\":1,\\\"big\\\":%d}\"]\n", d, d }'
	c 0/1030 1
	b 0/2000
	awk 'BEGIN { for (d = 20000; d >= 1; d--)
		printf "[\"X\",\"index\",1,\"i\",\"%d\",null,null,\"{\\\"n\\\":2}\",{\"merge\":[\"big\"],\"merge_from\":[\"i\",\"%d\",null]}]\n",
		    d + 1, d }'
	c 0/2030 2
	e
} | frames
writes 0 'twenty thousand ids move up by one' --merge-missing reject
is "$(control GET docs | jq -r 'select((._id | tonumber) == ._source.big + 1 and ._source.n == 2) | ._id' | wc -l) $(counted docs)" \
    '20000 20000' 'each with what it had'

done_testing
