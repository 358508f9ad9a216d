#!/bin/sh
#
# What each answer of a cluster means to esbulk-write, shown with a stand-in that gives
# them: what is stored, tried again, tried for a while, or rejected; and of a request that
# is refused whole, which action is to blame.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=write.sh
. "$(dirname "$0")/write.sh"

rejected_docs() {
	jq -r 'select(.[0] == "X") | .[4]' "$T/dead.lines" | sort | tr '\n' ' '
}
# letters OPTION...: esbulk-write with dead letters, $T/dead, as lines in $T/dead.lines.
letters() {
	_want=$1 _about=$2
	shift 2
	rm -f "$T/dead"
	writes "$_want" "$_about" --dead-letter "$T/dead" "$@"
	pgcdc-cat "$T/dead" >"$T/dead.lines"
}

# Items ------------------------------------------------------------------------------

standin_start --log "$T/log"
printf '%s\n' "$(relation)" "$(unit 1 a b=2)" "$(unit 2 bad)" "$(unit 3 c)" "$(e)" |
    pack >"$T/bad.frames"

# rejects STATUS TYPE REASON
rejects() {
	fresh
	cp "$T/bad.frames" "$T/frames"
	fault "kind=item&id=bad&status=$1&type=$2&reason=$3"
	letters 0 "$1 $2 $3: the document's fault"
	is "$(rejected_docs)" 'bad ' 'it is a dead letter'
	is "$(held | cut -f 2 | tr '\n' ' ')" 'a b c ' 'and all others are stored'
}
rejects 400 mapper_parsing_exception failed+to+parse
rejects 400 document_parsing_exception '[1:6]+failed+to+parse'
rejects 400 strict_dynamic_mapping_exception not+allowed
rejects 400 illegal_argument_exception "Limit+of+total+fields+[1000]+has+been+exceeded"
rejects 400 routing_missing_exception routing+is+required
rejects 400 unheard_of_exception new
rejects 413 some_exception large

# passes STATUS TYPE REASON: for a moment.
passes() {
	fresh
	cp "$T/bad.frames" "$T/frames"
	fault "kind=item&id=bad&status=$1&type=$2&reason=$3&count=2"
	letters 0 "$1 $2 $3: passes"
	is "$(held | cut -f 2 | tr '\n' ' ')" 'a b bad c ' 'all is stored'
	ok 'nothing is a dead letter' not test -s "$T/dead"
}
passes 429 es_rejected_execution_exception full
passes 429 circuit_breaking_exception parent
passes 403 cluster_block_exception 'index+[i]+blocked+by:+[FORBIDDEN/8/index+write+(api)]'
passes 403 index_create_block_exception no
passes 503 unavailable_shards_exception primary
passes 502 x x
passes 504 x x
passes 500 null_pointer_exception x
passes 500 node_not_connected_exception x
passes 400 resource_already_exists_exception x

# mended STATUS TYPE REASON: not before somebody mends it, and within the time given.
mended() {
	fresh
	cp "$T/bad.frames" "$T/frames"
	fault "kind=item&id=bad&status=$1&type=$2&reason=$3"
	letters 111 "$1 $2 $3: the cluster's fault" --give-up 0
	says 'error .*before somebody mends it" table=shop.users op=index index=i id=bad lsn=0/2000' \
	    'is said'
	ok 'it is never a dead letter' not test -s "$T/dead"
	fault "kind=item&id=bad&status=$1&type=$2&reason=$3&count=2"
}
mended 404 index_not_found_exception no+such+index
mended 400 index_closed_exception closed
mended 403 security_exception no+right
mended 401 security_exception no
mended 400 illegal_argument_exception no+write+index+is+defined+for+alias
mended 400 illegal_argument_exception pipeline+with+id+[p]+does+not+exist
mended 400 validation_exception this+action+would+add+[2]+shards%2c+but+this+cluster+currently+has+[1]/[1]+maximum+normal+shards+open
mended 400 illegal_argument_exception failed+to+execute+script%3b+[script]+Too+many+dynamic+script+compilations+within
mended 418 unheard_of_exception new
fresh
fault 'kind=item&id=bad&status=400&type=index_closed_exception&reason=closed&count=3'
letters 0 'an index that is opened again in time'
says 'trying again.*index_closed_exception: closed' 'was waited for'
is "$(held | cut -f 2 | tr '\n' ' ')" 'a b bad c ' 'and all is stored'

# A replay meets what it did before.
fresh
printf '%s\n' "$(b 0/1000)" "$(x update i gone '{"doc":{}}')" "$(x delete i gone - false)" \
    "$(x create i c '{}')" "$(x create i c '{}')" "$(c 0/1030 1)" "$(e)" | frames
letters 0 'updates of what is gone, deletes of it, creates of what is there'
ok 'count as stored' not test -s "$T/dead"

# Order ------------------------------------------------------------------------------

fresh
: >"$T/log"
fault 'kind=item&id=d1&status=400&type=index_closed_exception&count=3' 'kind=item&p=0.2&count=30' \
    'kind=item&id=d2&status=500&type=x&count=3' 'kind=status&status=500&p=0.2&count=9'
turns | frames
letters 0 'actions without versions, refused in all ways that pass' --lanes 2
ok 'happened' counts injected -gt 5
ok 'never two requests about one document' counts order_violations -eq 0
is "$(grep -c . "$T/log") $(grep -c ' index .* 201$' "$T/log") $(grep -c ' delete .* 200$' "$T/log")" \
    '360 180 180' 'and all keep their order'

# Whole requests -----------------------------------------------------------------------

# What the request is refused for is one action, wherever it stands.
many() {
	relation
	b 0/1000
	awk -v bad="$1" 'BEGIN { n = split(bad, b, " "); for (i = 1; i <= n; i++) is[b[i]] = 1
	    for (n = 1; n <= 300; n++)
		printf "[\"X\",\"index\",16401,\"i\",\"%s%d\",null,null,\"{\\\"n\\\":%d}\"]\n",
		    n in is ? "bad" : "d", n, n }'
	c 0/1030 1
	e
}
for status in 400 500; do
	fresh
	many '1 150 300' | frames
	fault "kind=request&status=$status&id=bad&body=the+words"
	letters 0 "requests that $status refuses for an action" --lanes 1 -v
	is "$(rejected_docs)" 'bad1 bad150 bad300 ' 'are halved until it stands alone'
	ok 'what is beside it is stored' counts docs -eq 297
	says 'halving, to find what is wrong.*status='$status' reason="the words"' 'which is said'
done
is "$(jq -c 'select(.[0] == "a") | .[1] | [.status, .type, .reason, .index, .id]' "$T/dead.lines" | head -n 1)" \
    '[500,"","the words","i","bad1"]' 'the letter has the answer'
fresh
many 7 | frames
fault 'kind=request&status=400&id=bad&body=the+words'
writes 100 'without dead letters' --lanes 1
says 'error .*rejected an action, and its request.*id=bad7 lsn=0/1000 status=400 reason="the words"' \
    'the action is named'
# As Elasticsearch 6 says of an alias without a write index.
fresh
many '7 100' | frames
fault "kind=request&status=400&id=bad7&count=12&body=%7b%22error%22:%7b%22type%22:%22illegal_argument_exception%22,%22reason%22:%22no+write+index+is+defined+for+alias%22%7d%7d"
letters 0 'a request that is refused for what somebody must mend' --lanes 1
says 'error .*before somebody mends it.*id=bad7.*no write index' 'waits'
is "$(rejected_docs)" '' 'and nothing is rejected'
ok 'but all is stored' counts docs -eq 300
fresh
many '' | frames
fault 'kind=status&status=400&body=no'
letters 100 'a proxy that refuses everything' --lanes 1
says 'whatever is sent is refused for the same reason.*reason=no requests=8' 'is told from documents'
is "$(rejected_docs | wc -w)" 7 'after a few'
fresh
printf '%s\n' "$(relation)" "$(unit 1 a)" "$(unit 2 b)" "$(unit 3 c)" "$(e)" | frames
fault 'kind=status&status=404&skip=1&body=no+such+path'
letters 111 'a path that is gone after a success' --lanes 1 --batch-docs 1 --give-up 0
says 'before somebody mends it.*status=404 reason="no such path"' 'is waited for, for a while'
fresh
fault 'kind=status&status=403&count=2&body=%7b%22type%22:%22cluster_block_exception%22%7d'
letters 0 'a cluster that is read-only at the start' --lanes 1
ok 'denies nobody access' counts docs -eq 3
fresh
fault 'kind=status&status=401&skip=1'
letters 111 'a password that is changed' --lanes 1 --batch-docs 1 --give-up 0
says 'denies access' 'is said'

# Part of a failed request may have run: that changes nothing.
for when in half after; do
	fresh
	: >"$T/log"
	load 20 20 60 >"$T/load"
	e >>"$T/load"
	frames <"$T/load"
	fault "kind=status&status=400&when=$when&p=0.3&count=4" \
	    "kind=status&status=500&when=$when&p=0.3"
	letters 0 "requests that fail, though $when of them was executed" --batch-docs 20
	holds_load 'the end is the same'
done

# Limits -------------------------------------------------------------------------------

fresh
many "$(seq -s ' ' 1 300)" | frames
fault 'kind=item&status=400&id=bad'
letters 100 'a mapping that rejects everything'
is "$(rejected_docs | wc -w)" 100 'ends at a hundred'
says 'too many actions are rejected.*in_a_row=100 in_total=100' 'which is said'
letters 100 'at a limit of its own' --dead-letter-limit 3
is "$(rejected_docs | wc -w)" 3 'ends there'
letters 0 'without a limit' --dead-letter-limit 0
is "$(rejected_docs | wc -w)" 300 'goes on'
says 'there are dead letters" file=.*dead_letters=300' 'and says so at the end'
fresh
many "$(seq -s ' ' 1 20 300)" | frames
fault 'kind=item&status=400&id=bad'
letters 0 'rejects far from each other' --dead-letter-limit 2 --batch-docs 20 --lanes 1
is "$(rejected_docs | wc -w)" 15 'are not in a row'
fresh
fault 'kind=item&status=400&id=bad'
letters 100 'but count in total' --dead-letter-limit 2:5 --batch-docs 20 --lanes 1
is "$(rejected_docs | wc -w)" 5 'to a limit'

done_testing
