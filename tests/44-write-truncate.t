#!/bin/sh
#
# esbulk-write deletes all documents of an index pattern (truncate): those that were there
# before, and no newer ones, whatever fails.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=write.sh
. "$(dirname "$0")/write.sh"

# t INDEX [QUERY [VERSION]]: QUERY is JSON text, - for none.
t() {
	printf '["X","delete",16401,null,null,%s,null,null,{"truncate":{"index":"%s","query":%s}}]\n' \
	    "${3:-null}" "$1" "$(_text "${2:--}")"
}

# A cluster whose searches nobody can read, though it takes refreshes: given up after a
# minute, at the end of this file.
standin_start
fault 'kind=garble&how=html&path=*/_search'
stream "$(u 1 "$(x index a 1 '{"n":1}')" "$(t a)")"
# shellcheck disable=SC2016
bg unreadable sh -c 'esbulk-write -u "$1" <"$2"; echo "status $?"' sh "$STANDIN_URL" "$T/frames"
_until 20 counts faults -ge 1 || bail 'nothing is searched'
standin_start

# What goes and what stays ------------------------------------------------------------

stream "$(u 1 "$(x index a 1 '{"n":1}')" "$(x index a 2 '{"n":1}' null r)" \
    "$(x index b 1 '{"n":1}')")" \
    "$(u 2 "$(x index a 3 '{"n":2}')" "$(x index a 3 '{"n":3}')" "$(t a)" \
    "$(x index a 1 '{"n":4}')" "$(x index a 4 '{"n":4}')")" \
    "$(u 3 "$(x index a 5 '{"n":5}')")"
listen some
writes 0 'a truncate in the middle of a unit' -a "$T/some.sock"
ok 'takes what was before it, and not what came after' has \
    'a 1 131075 {"n":4}' 'a 4 131075 {"n":4}' 'a 5 196608 {"n":5}' 'b 1 65536 {"n":1}'
wait_for 'all is acked' 10 acked some 3
control GET docs >"$T/before"
writes 0 'the same again' -v
control GET docs >"$T/after"
same "$T/after" "$T/before" 'changes nothing'
says 'deleted for a truncate" matched=3' 'newer documents are found, and stay'
for lanes in 1 64; do
	fresh
	writes 0 "the same with $lanes lanes" --lanes "$lanes"
	control GET docs | sort >"$T/after"
	sort "$T/before" >"$T/want"
	same "$T/after" "$T/want" 'is the same'
done

fresh
stream "$(u 1 "$(x index orders-a 1 '{"tenant":"a"}')" "$(x index orders-b 1 '{"tenant":"b"}')" \
    "$(x index others 1 '{"tenant":"a"}')" "$(x index shared 1 '{"tenant":"a"}')" \
    "$(x index shared 2 '{"tenant":"b"}')")" \
    "$(u 2 "$(t 'orders-*')" "$(t shared '{"term":{"tenant":"a"}}')" "$(t missing)" \
    "$(t 'missing-*')")"
writes 0 'patterns, queries, what is missing'
ok 'take what they match' has 'others 1 65536 {"tenant":"a"}' 'shared 2 65536 {"tenant":"b"}'
ok 'and make no index' not sh -c 'curl -s --noproxy "*" -f "$1/missing"' sh "$STANDIN_URL"

fresh
stream "$(u 5 "$(x index a 1 '{"n":1}')")"
writes 0 'a newer document'
stream "$(b 0/1000 null)" "$(x index a 2 '{"n":2}')" "$(t a)" "$(c 0/1030 1)" \
    "$(u 2 "$(x index a 3 '{"n":3}')" "$(x index a 4 '{}' 132000)" "$(t a - 131999)")"
writes 0 'truncates of a snapshot, and with a version of their own'
ok 'heed versions' has 'a 1 327680 {"n":1}' 'a 4 132000 {}'
stream "$(u 6 "$(t a - false)")"
writes 0 'one without a version'
ok 'takes all' has ''

# Pages.
standin_start
{
	hello
	b 0/1000
	awk 'BEGIN { for (d = 1; d <= 5500; d++)
		printf "[\"X\",\"index\",1,\"a%d\",\"%d\",null,null,\"{}\"]\n", d % 7, d }'
	t 'a*'
	for n in 1 2 3; do
		x index a1 "$n" '{"n":2}'
	done
	c 0/1030 1
	e
} | frames
writes 0 'thousands of documents'
is "$(counted docs)" 3 'are deleted page by page'
ok 'in large requests' counts bulk_requests -lt 100

# A search that always fails.
fresh
stream "$(u 1 "$(x index a 1 '{}')")" "$(u 2 "$(t a)")" "$(u 3 "$(x index a 2 '{}')")"
fault 'kind=status&status=500&path=/a/_search'
rm -f "$T/dead"
writes 0 'a truncate whose search always fails' --dead-letter "$T/dead"
is "$(pgcdc-cat "$T/dead" | grep -c '^\["X","delete".*truncate')" 1 'is rejected'
ok 'and what is behind it stored' counts docs -eq 2
writes 100 'without dead letters'
says 'rejected an action, and its request.*index=a .*status=500' 'it is an error'

# What is wrong -----------------------------------------------------------------------

refuses() {
	stream "$(u 1 "$3")"
	writes 100 "$2"
	says "an action cannot be sent.*$1" 'is said'
}
for pattern in '*' '**' '*a' '_all' '' '.*' '.kib*' 'a,b' '-a' 'A' 'a b' 'a/b' 'remote:a' '<a>' 'a?'; do
	refuses 'truncate of no legal index' "a truncate of \"$pattern\"" "$(t "$pattern")"
done
refuses 'query that is no JSON' 'a query that is no JSON' "$(t a '{"a":1}}')"
refuses 'else than an index and a query' 'a query that is no string' \
    '["X","delete",1,null,null,null,null,null,{"truncate":{"index":"a","query":{}}}]'
refuses 'without id, routing and body' 'a truncate by index' \
    '["X","index",1,null,null,null,null,"{}",{"truncate":{"index":"a"}}]'
refuses 'without id, routing and body' 'a truncate with an id' \
    '["X","delete",1,null,"1",null,null,null,{"truncate":{"index":"a"}}]'
refuses 'another index' 'a truncate of another index' \
    '["X","delete",1,"b",null,null,null,null,{"truncate":{"index":"a"}}]'
refuses 'no legal index' 'a truncate of none' '["X","delete",1,null,null,null,null,null,{"truncate":{}}]'
stream "$(u 1 "$(printf '%s' "$(t a)" | sed 's/null,null,null,null,null/"a",null,null,null,null/')")"
fresh

# Faults ------------------------------------------------------------------------------

# More documents than a page, some made anew behind the truncate; and once more.
{
	hello
	awk 'BEGIN {
		for (u = 1; u <= 40; u++) {
			printf "[\"B\",\"0/%X\",0,7]\n", u * 65536
			if (u % 20 == 10) {
				printf "[\"X\",\"delete\",1,null,null,null,null,null,"
				printf "{\"truncate\":{\"index\":\"a*\"}}]\n"
			}
			for (d = 0; d < 300; d++)
				printf "[\"X\",\"index\",1,\"a%d\",\"%d\",null,null,\"{\\\"n\\\":%d}\"]\n",
				    d % 3, (u * 977 + d * 11) % 6000, u
			printf "[\"C\",\"0/%X\",%d]\n", u * 65536 + 48, u
		}
	}'
	e
} >"$T/load"
pack <"$T/load" >"$T/frames"
writes 0 'a load with two truncates'
held_units >"$T/want"
awk -F '"' '/truncate/ { delete d } /^\["X","index"/ { d[$6 " " $8] = $10 }
    END { for (k in d) n++; print n }' "$T/load" >"$T/number"
is "$(wc -l <"$T/want")" "$(cat "$T/number")" 'leaves what came behind the second'
# The first truncate has four requests for pages; faults are the second's, for it is what
# leaves all that counts.
# survives DESCRIPTION FAULT...
survives() {
	_about=$1
	shift
	fresh
	fault "$@"
	listen survives
	writes 0 "$_about" --timeout 1 -a "$T/survives.sock" --batch-docs 300
	ok "$_about: happened" counts faults -ge 1
	held_units >"$T/held"
	same "$T/held" "$T/want" "$_about: the same is left"
	wait_for "$_about: all is acked" 10 acked survives 40
}
survives 'a refresh that fails' 'kind=status&status=503&count=2&path=*/_refresh'
survives 'a search that fails' 'kind=status&status=429&count=2&path=*/_search'
survives 'a page that fails' 'kind=status&status=503&skip=4&count=2&path=/_search/scroll'
survives 'a page that is lost' 'kind=cut&when=after&skip=4&count=1&path=/_search/scroll'
survives 'a page that is cut' 'kind=cut&when=answer&count=1&path=*/_search'
survives 'a search that was dropped' 'kind=status&status=404&count=1&path=/_search/scroll'
# OpenSearch answers so while no copy of a shard is assigned.
survives 'a search of one shard of two' 'kind=garble&how=partial&skip=1&count=2&path=*/_search'
says 'did not find all documents.*not all shards answered' 'is said'
is "$(counted scrolls)" 0 'what was opened is closed'
survives 'a page of one shard of two' 'kind=garble&how=partial&skip=5&count=1&path=/_search/scroll'
is "$(counted scrolls)" 0 'what was opened is closed'
survives 'a page that fails, and a close' 'kind=status&status=503&skip=5&count=1&path=/_search/scroll' \
    'kind=status&status=404&skip=6&count=1&path=/_search/scroll'
survives 'a page that is none' 'kind=garble&how=garbage&count=1&path=*/_search' \
    'kind=garble&how=empty&count=1&path=*/_refresh'
survives 'deletes rejected' 'kind=item&op=delete&p=0.3'
survives 'everything' 'kind=status&p=0.1' 'kind=cut&p=0.05' 'kind=item&p=0.1' 'kind=cut&when=after&p=0.05'
fresh
fault 'kind=status&status=400&path=*/_search&body=no+such+query'
writes 100 'a search that is refused'
says 'rejected an action, and its request.*op=delete index=a\* id="" lsn=0/A0000 status=400 reason="no such query"' 'is said'

# Tries that always get as far come later and later, and each closes what it opened.
for how in partial garbage; do
	fresh
	fault "kind=garble&how=$how&path=*/_search"
	[ "$how" = partial ] || fault 'kind=garble&how=empty&path=*/_refresh&count=1'
	start "later-$how"
	printf '%s\n' "$(hello)" "$(u 1 "$(x index a 1 '{"n":1}')" "$(t a)")" | feed
	wait_for "searches of $how: the delay grows" 20 \
	    grep -q -E 'failures=([5-9]|[1-9][0-9])' "$T/later-$how.log"
	control DELETE fault >/dev/null
	e | feed
	done_feeding
	wait_exit 'then all is done' 20 "$W" 0
	ok 'the documents are gone' has ''
	[ "$how" = garbage ] || is "$(counted scrolls)" 0 'each closed what it opened'
done

# Nothing behind it is read before it is done.
fresh
fault 'kind=status&status=503&path=*/_refresh'
listen wait
start wait -a "$T/wait.sock"
printf '%s\n' "$(hello)" "$(u 1 "$(x index a 1 '{"n":1}')")" "$(u 2 "$(t a)" "$(x index a 2 '{"n":2}')")" \
    "$(u 3 "$(x index b 3 '{}')")" | feed
wait_for 'what is before it is acked' 10 acked wait 1
wait_for 'it is tried again' 10 counts other_requests -gt 3
ok 'nothing else happens' has 'a 1 65536 {"n":1}'
control DELETE fault >/dev/null
wait_for 'then all is done' 20 acked wait 3
ok 'in order' has 'a 2 131073 {"n":2}' 'b 3 196608 {}'
# Its requests have connections of their own.  Kept, they would be as many that may not work any
# more when the network had a break, and each be found out by a time limit.
for n in 4 5 6 7 8 9; do
	u $n "$(x index a $n '{}')" "$(t a)"
done | feed
wait_for 'more truncates' 20 acked wait 9
sockets=$(find "/proc/$W/fd" -lname 'socket:*' | wc -l)
# The acks', two of libcurl's own, and those of bulk requests.
ok "leave no connections behind: $sockets" [ "$sockets" -le 5 ]
e | feed
done_feeding
wait_exit 'the end' 10 "$W" 0

# Killed in between.
fresh
fault 'kind=delay&ms=5'
pack <"$T/load" >"$T/frames"
for n in 1 2 3 4 5 6 7 8; do
	fresh
	fault 'kind=delay&ms=3'
	# shellcheck disable=SC2016
	bg killed sh -c 'exec esbulk-write -u "$1" --batch-docs 100 <"$2"' sh "$STANDIN_URL" "$T/frames"
	W=$BG_PID
	_until 20 counts deleted -gt $((n * 400))
	kill -s KILL "$W" 2>/dev/null
	_until 10 _ended "$W"
	control DELETE fault >/dev/null
	writes 0 "killed in a truncate: again ($n)"
	held_units >"$T/held"
	same "$T/held" "$T/want" 'the same is left'
done

wait_for 'a cluster whose searches cannot be read' 90 grep -q '^status ' "$T/unreadable.log"
like "$(cat "$T/unreadable.log")" 'error .*no Elasticsearch or OpenSearch.*none to a search' 'is said'
like "$(tail -n 1 "$T/unreadable.log")" '^status 100$' 'and ends it'

done_testing
