#!/bin/sh
#
# esbulk-write against a real node: what 40-write.t and 41-write-faults.t check with the
# stand-in, as far as a node can be made to do it, and the node's own words.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=write.sh
. "$(dirname "$0")/write.sh"
need_es
# Where write.sh sends to.
STANDIN_URL=$PGCDC_TEST_ES_URL
i=${ID}_a

# docs INDEX LINE...: what the index holds, each as ID SOURCE.
docs() {
	_index=$1
	shift
	es_docs "$_index" | tr '\t' ' ' >"$T/docs"
	cat "$T/docs"
	[ "$(cat "$T/docs")" = "$(printf '%s\n' "$@")" ]
}
# version INDEX ID: of a document, "-" when there is none.
version() {
	es GET "$1/_doc/$2" | jq -r '._version // "-"'
}

# An ingest processor that fails is answered by 500, which takes some tries: beside.
es PUT "_ingest/pipeline/$ID" \
    '{"processors":[{"set":{"field":"by","value":"pipeline"}},
	{"fail":{"if":"ctx.bad != null","message":"no good"}}]}' >/dev/null
printf '%s\n' "$(relation)" "$(b 0/1000)" \
    "$(x index "${ID}_p" 1 '{"n":1}' null - "{\"pipeline\":\"$ID\"}")" \
    "$(x index "${ID}_p" bad '{"bad":1}' null - "{\"pipeline\":\"$ID\"}")" \
    "$(c 0/1030 1)" "$(e)" | pack >"$T/pipeline.frames"
# shellcheck disable=SC2016
bg pipeline sh -c 'esbulk-write -u "$1" <"$2"; echo "status $?"' sh "$STANDIN_URL" \
    "$T/pipeline.frames"

# Documents and versions ------------------------------------------------------------

long=$(printf '%0512d' 0)
printf '%s\n' "$(hello)" "$(b 0/1000)" "$(x index "$i" 1 '{"n":1}')" \
    "$(x index "$i" 2 '{"t":"a \"b\" \\ é"}')" "$(x index "$i" 1 '{"n":2}')" \
    "$(x delete "$i" 3 -)" "$(x index "$i" 4 '{"n":4}')" "$(x delete "$i" 4 -)" \
    "$(c 0/1030 1)" "$(b 0/2000 null)" "$(x index "$i" 5 '{"n":5}' null 'r "1"')" \
    "$(x index "$i" 'ä/ "\ é' '{}')" "$(x index "$i" "$long" '{}')" \
    "$(x index "$i" given '{}' 77)" "$(x index "$i" free '{}' false)" "$(c 0/2030 2)" "$(e)" |
    frames
writes 0 'actions are written'
ok 'documents arrive' docs "$i" "$long {}" '1 {"n":2}' '2 {"t":"a \"b\" \\ é"}' '5 {"n":5}' \
    'free {}' 'given {}' 'ä/ "\ é {}'
is "$(version "$i" 1) $(version "$i" 2) $(version "$i" 5?routing=r+%221%22) $(version "$i" given)" \
    '4097 4096 8231 77' 'with their versions'
es_docs "$i" >"$T/before"
printf '%s\n' "$(b 0/1000)" "$(x index "$i" 1 '{"n":1}')" "$(x index "$i" 2 '{"t":"late"}')" \
    "$(x index "$i" 3 '{}')" "$(x index "$i" 4 '{}')" "$(c 0/1030 1)" "$(e)" >"$T/older"
sed -e 's|0/1000|0/FFF|' "$T/older" | frames
writes 0 'an older file' -v
es_docs "$i" >"$T/after"
same "$T/after" "$T/before" 'overwrites nothing and brings nothing back'
says 'conflicts=4' 'each is a conflict'
printf '%s\n' "$(b 0/1000)" "$(x index "${ID}_e" 1 '{}')" "$(c 0/1030 1)" "$(e)" | frames
writes 0 'the highest epoch' --version-epoch 126
like "$(es GET "${ID}_e/_doc/1")" "\"_version\":$((126 << 56 | 4096))[,}]" \
    'makes a version that the node takes'

load 60 50 300 "${ID}_l" >"$T/load"
e >>"$T/load"
frames <"$T/load"
listen load
writes 0 'three thousand actions on three hundred documents' -a "$T/load.sock" --batch-docs 100
cut -f 2,4 "$T/want" | sort >"$T/docs"
es_docs "${ID}_l" | sort >"$T/after"
same "$T/after" "$T/docs" 'the last one on each counts'
wait_for 'all is acked' 10 acked load 60
ok 'as the protocol wants it' not early load
writes 0 'the same again' --lanes 2
es_docs "${ID}_l" | sort >"$T/after"
same "$T/after" "$T/docs" 'changes nothing'

# Unversioned actions: at least once, and a replay is no error.
printf '%s\n' "$(b 0/1000)" "$(x create "${ID}_u" 1 '{"n":1}')" \
    "$(x update "${ID}_u" 1 '{"doc":{"m":1}}')" "$(x create "${ID}_u" - '{"auto":1}')" \
    "$(x update "${ID}_u" gone '{"doc":{"m":1}}')" "$(x delete "${ID}_u" gone - false)" \
    "$(c 0/1030 1)" "$(e)" | frames
writes 0 'create, update, and what was deleted since'
writes 0 'the same again'
es POST "${ID}_u/_refresh" >/dev/null
is "$(es GET "${ID}_u/_search" | jq -cS '[.hits.hits[]._source] | sort | unique')" \
    '[{"auto":1},{"m":1,"n":1}]' 'stores what there is'

# Index names that the check lets pass are those that the node takes.
for name in '.x' '@b&c;d=e~f(g)' "[h]{i}!\$%'\`^" '+c-d.e_f' 'bücher'; do
	printf '%s\n' "$(b 0/1000)" "$(x index "$ID$name" 1 '{}')" "$(c 0/1030 1)" "$(e)" | frames
	writes 0 "the index name ...$name"
	es GET "_cat/indices/$ID*?h=index" >"$T/indices"
	ok 'is one to the node' grep -qxF "$ID$name" "$T/indices"
done

# What stops it ---------------------------------------------------------------------

# rejects PATTERN DESCRIPTION ACTION
rejects() {
	printf '%s\n' "$(relation)" "$(b 0/1000)" "$3" "$(c 0/1030 1)" "$(e)" | frames
	writes 100 "$2" && says "rejected an action\" table=shop.users.*$1" 'is named'
}
es PUT "${ID}_m" '{"mappings":{"dynamic":"strict","properties":{"n":{"type":"long"}}}}' >/dev/null
rejects 'index=[^ ]*_m id=7 lsn=0/1000 status=400 type=mapper_parsing_exception reason="failed to parse field \[n\] of type \[long\].*For input string: ..many' \
    'a value that the mapping does not take' "$(x index "${ID}_m" 7 '{"n":"many"}')"
rejects 'id=8 .*type=strict_dynamic_mapping_exception.*\[x\]' \
    'a field that it does not take' "$(x index "${ID}_m" 8 '{"x":1}')"
rejects 'id=9 .*parse' 'a body that is no JSON' "$(x index "${ID}_m" 9 '{"n":')"
es PUT "${ID}_c" '{"settings":{"number_of_shards":1}}' >/dev/null
es POST "${ID}_c/_close" >/dev/null
rejects 'id=1 .*type=index_closed_exception.*closed' 'an index that is closed' \
    "$(x index "${ID}_c" 1 '{}')"
rejects 'id=1 .*type=index_not_found_exception' 'an alias that is required and none' \
    "$(x index "${ID}_m" 1 '{}' null - '{"require_alias":true}')"
rejects 'id=1 .*pipeline with id \[nosuch\]' 'a pipeline that is missing' \
    "$(x index "${ID}_m" 1 '{}' null - '{"pipeline":"nosuch"}')"
rejects 'id=1 .*type=index_not_found_exception' 'an unversioned delete in a missing index' \
    "$(x delete "${ID}_missing" 1 - false)"

# Blocks are waited for ---------------------------------------------------------------

for block in read_only_allow_delete write; do
	index=${ID}_$block
	es PUT "$index" "{\"settings\":{\"number_of_shards\":1,\"index.blocks.$block\":true}}" >/dev/null
	listen blocked
	start blocked -a "$T/blocked.sock"
	printf '%s\n' "$(hello)" "$(b 0/1000)" "$(x index "$index" 1 '{}')" "$(c 0/1030 1)" | feed
	wait_for "index.blocks.$block: it is tried again" 20 \
	    grep -q 'trying again.*cluster_block_exception' "$T/blocked.log"
	ok 'and not acked' not grep -q '^ack' "$T/blocked.acks"
	es PUT "$index/_settings" "{\"index.blocks.$block\":null}" >/dev/null
	wait_for 'until the block is lifted' 30 acked blocked 1
	e | feed
	done_feeding
	wait_exit 'the end' 10 "$W" 0
	ok 'and the document is there' docs "$index" '1 {}'
	rm "$T/blocked.log"
done

# The one beside.
wait_for 'an ingest processor that fails' 40 grep -q '^status ' "$T/pipeline.log"
like "$(cat "$T/pipeline.log")" 'rejected an action.*id=bad .*status=500.*no good' 'is named'
is "$(tail -n 1 "$T/pipeline.log")" 'status 100' 'and stops the program'
ok 'what passed the pipeline is there' docs "${ID}_p" '1 {"by":"pipeline","n":1}'
es DELETE "_ingest/pipeline/$ID" >/dev/null

done_testing
