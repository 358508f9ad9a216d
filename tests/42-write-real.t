#!/bin/sh
#
# esbulk-write against a real node: what 40-write.t and 41-write-faults.t check with the
# stand-in, as far as a node can be made to do it, and the node's own words.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=write.sh
. "$(dirname "$0")/write.sh"
need_es
# Where write.sh sends to, and how.
STANDIN_URL=$PGCDC_TEST_ES_URL
WRITE_OPTIONS=''
if [ -n "${PGCDC_TEST_ES_LOGIN:-}" ]; then
	tr ':' '\n' <"$PGCDC_TEST_ES_LOGIN" >"$T/login"
	tail -n 1 "$T/login" >"$T/password"
	WRITE_OPTIONS="--cacert $PGCDC_TEST_ES_CACERT --user $(head -n 1 "$T/login") \
	    --password-file $T/password"
fi

# What this node can; the servers that are published whole lack none of it.
case ${PGCDC_TEST_ES:-} in
'elasticsearch 6'*) typed='?include_type_name=false' ;;
*) typed='' ;;
esac
[ -z "$typed" ] || WRITE_OPTIONS="$WRITE_OPTIONS --type _doc"
# lacks WHAT METHOD PATH BODY: says so, and that it is not checked.
lacks() {
	! es "$2" "$3" "$4" >"$T/lacks" 2>&1 || return 1
	diag "THIS NODE HAS NO $1: what needs it is not checked ($(head -c 200 "$T/lacks"))"
	skip "$1" 'not in this node'
}
# source_of INDEX ID [ROUTING]: byte for byte.
source_of() {
	if [ -n "$typed" ]; then
		es GET "$1/_doc/$2/_source${3:+?routing=$3}"
	else
		es GET "$1/_source/$2${3:+?routing=$3}"
	fi
}
i=${ID}_a

# version INDEX ID: of a document, "-" when there is none.
version() {
	es GET "$1/_doc/$2" | jq -r '._version // "-"'
}

# An ingest processor that fails is answered by 500, which takes some tries: beside.
pipeline=''
if ! lacks 'ingest processors' PUT "_ingest/pipeline/$ID" \
    '{"processors":[{"set":{"field":"by","value":"pipeline"}},
	{"fail":{"if":"ctx.bad != null","message":"no good"}}]}'; then
	pipeline=yes
	printf '%s\n' "$(relation)" "$(b 0/1000)" \
	    "$(x index "${ID}_p" 1 '{"n":1}' null - "{\"pipeline\":\"$ID\"}")" \
	    "$(x index "${ID}_p" bad '{"bad":1}' null - "{\"pipeline\":\"$ID\"}")" \
	    "$(c 0/1030 1)" "$(e)" | pack >"$T/pipeline.frames"
	# shellcheck disable=SC2016,SC2086
	bg pipeline sh -c 'frames=$1; shift; esbulk-write "$@" <"$frames"; echo "status $?"' sh \
	    "$T/pipeline.frames" $WRITE_OPTIONS -u "$STANDIN_URL"
fi

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
    '65537 65536 131711 77' 'with their versions'
es_docs "$i" >"$T/before"
printf '%s\n' "$(b 0/1000)" "$(x index "$i" 1 '{"n":1}')" "$(x index "$i" 2 '{"t":"late"}')" \
    "$(x index "$i" 3 '{}')" "$(x index "$i" 4 '{}')" "$(c 0/1030 1)" "$(e)" >"$T/older"
sed -e 's|0/1000|0/FFF|' "$T/older" | frames
writes 0 'an older file' -v
es_docs "$i" >"$T/after"
same "$T/after" "$T/before" 'overwrites nothing and brings nothing back'
says 'conflicts=4' 'each is a conflict'
printf '%s\n' "$(b 0/1000)" "$(x index "${ID}_e" 1 '{}')" "$(c 0/1030 1)" "$(e)" | frames
writes 0 'the highest epoch' --version-epoch 6
like "$(es GET "${ID}_e/_doc/1")" "\"_version\":$((6 << 60 | 65536))[,}]" \
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
writes 0 'the same again, packed' --lanes 2 --gzip
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

# A data stream takes create alone, and makes the ids.
if ! lacks 'data streams' PUT "_index_template/$ID" \
    "{\"index_patterns\":[\"${ID}_ds*\"],\"data_stream\":{}}"; then
	printf '%s\n' "$(b 0/1000)" "$(x create "${ID}_ds" - '{"@timestamp":"2026-11-23","n":1}')" \
	    "$(x create "${ID}_ds" k '{"@timestamp":"2026-11-23","n":2}')" "$(c 0/1030 1)" "$(e)" | frames
	writes 0 'creates in a data stream'
	is "$(es_docs "${ID}_ds" | jq -R 'split("\t")[1] | fromjson | .n' | sort | tr '\n' ' ')" '1 2 ' \
	    'are stored'
	es DELETE "_data_stream/${ID}_ds" >/dev/null
	es DELETE "_index_template/$ID" >/dev/null
fi
# Updates bring the whole request; a conflict with another writer is retried.
printf '%s\n' "$(b 0/1000)" \
    "$(x update "${ID}_s" 2 '{"doc":{"a":{"b":1}},"doc_as_upsert":true}')" \
    "$(x update "${ID}_s" 2 '{"doc":{"a":{"c":2}}}')" \
    "$(x update "${ID}_s" 3 '{"doc":{"a":1},"upsert":{"new":true}}')" \
    "$(x index "${ID}_s" 4 '{"n":1}' false)" "$(x delete "${ID}_s" 4 - false)" \
    "$(x create "${ID}_s" 4 '{"n":2}')" "$(x index "${ID}_s" 5 '{"n":1}' false)" \
    "$(x index "${ID}_s" 5 '{"n":2}' false)" "$(c 0/1030 1)" "$(e)" | frames
writes 0 'updates by doc and upsert, and actions without versions, in order'
ok 'do what they say' docs "${ID}_s" '2 {"a":{"b":1,"c":2}}' '3 {"new":true}' \
    '4 {"n":2}' '5 {"n":2}'
if ! lacks scripts PUT "_scripts/$ID" '{"script":{"lang":"painless","source":"1"}}'; then
	es DELETE "_scripts/$ID" >/dev/null
	printf '%s\n' "$(b 0/1000)" \
	    "$(x update "${ID}_sc" 1 '{"scripted_upsert":true,"upsert":{"n":0},"script":{"source":"ctx._source.n += params.by","params":{"by":2}}}')" \
	    "$(x update "${ID}_sc" 1 '{"script":"ctx._source.n *= 5"}')" "$(c 0/1030 1)" "$(e)" | frames
	writes 0 'updates by script'
	ok 'do what they say' docs "${ID}_sc" '1 {"n":10}'
fi

# Index templates are there before the first document.
if [ -n "$typed" ]; then
	printf 'PUT /_template/%s-te\n{"index_patterns":["%s_te*"],"mappings":{"_doc":{%s}}}\n' "$ID" "$ID" \
	    '"properties":{"n":{"type":"keyword"}}' >"$T/template"
else
	printf 'PUT /_index_template/%s-te\n{"index_patterns":["%s_te*"],"template":{"mappings":{%s}}}\n' \
	    "$ID" "$ID" '"properties":{"n":{"type":"keyword"}}' >"$T/template"
fi
printf '%s\n' "$(b 0/1000)" "$(x index "${ID}_te" 1 '{"n":1}')" "$(c 0/1030 1)" "$(e)" | frames
writes 0 'an index template' --template "$T/template"
like "$(es GET "${ID}_te/_mapping")" '"n":\{"type":"keyword"\}' 'makes the mapping'
sed 's/keyword/nosuch/' "$T/template" >"$T/template.wrong"
writes 100 'one that the node does not take' --template "$T/template.wrong"
says 'refused an index template.*status=400 reason=.*nosuch' 'is said in its words'
es DELETE "$(sed -n 's/^PUT //p' "$T/template")" >/dev/null

# Merges and truncates ----------------------------------------------------------------

g=${ID}_g
# Those of the merged documents, each a line.
sources() {
	source_of "$g" new r && echo
	source_of "$g" odd && echo
	source_of "$g" r there && echo
}
es PUT "$g$typed" '{"settings":{"number_of_shards":3},"mappings":{"dynamic":false}}' >/dev/null
# Written by another, over several lines, and with comments.
printf '%s\n' '{"a":1, // one' '"b\u0069g":{ "x":[1.50,1e2, 12345678901234567890.10],' \
    ' "big" : "q\"} // no", /* "big":0, */ "t":"a\u000ab" } ,' '"z":-0.0}' >"$T/odd"
es PUT "$g/_doc/odd?version=3&version_type=external" "@$T/odd" >/dev/null
from="{\"merge\":[\"big\",\"z\"],\"merge_from\":[\"$g\",\"odd\",null]}"
printf '%s\n' "$(b 0/1000)" "$(x index "$g" odd '{"n":1}' null - '{"merge":["z","big"]}')" \
    "$(x index "$g" new '{"n":2}' null r "$from")" "$(x index "$g" odd '{"n":3}')" \
    "$(x index "$g" r '{"big":1.0}' null here)" "$(x index "$g" r '{"n":4}' null here '{"merge":["big"]}')" \
    "$(x index "$g" r '{"n":5}' null there "{\"merge\":[\"big\"],\"merge_from\":[\"$g\",\"r\",\"here\"]}")" \
    "$(c 0/1030 1)" "$(e)" | frames
writes 0 'merges' --merge-missing reject
sources >"$T/sources"
printf '%s\n' '{"n":2,"b\u0069g":{ "x":[1.50,1e2, 12345678901234567890.10], "big" : "q\"} // no", "t":"a\u000ab" },"z":-0.0}' \
    '{"n":3}' '{"n":5,"big":1.0}' >"$T/want"
same "$T/sources" "$T/want" 'take members over byte for byte, but for line ends and comments'
es POST "$g/_refresh" >/dev/null
is "$(es GET "$g/_count" | jq .count)" 3 'and the old documents are gone'
writes 0 'the same again'
sources >"$T/sources"
same "$T/sources" "$T/want" 'changes nothing'
printf '%s\n' "$(relation)" "$(b 0/2000)" "$(x index "${ID}_none" 1 '{"n":1}' null - '{"merge":["a"]}')" \
    "$(c 0/2030 1)" "$(e)" | frames
writes 0 'a merge where there is no index'
says 'index=[^ ]*_none id=1 lsn=0/2000 fields=1 reason="there is no such document"' 'is said'
es PUT "${ID}_rr$typed" '{"mappings":{"_routing":{"required":true}}}' >/dev/null
printf '%s\n' "$(relation)" "$(b 0/2000)" "$(x index "${ID}_rr" 1 '{"n":1}' null - '{"merge":["a"]}')" \
    "$(c 0/2030 1)" "$(e)" | frames
writes 100 'a merge that can never be read'
says 'table=shop.users.*_rr id=1 lsn=0/2000 .*type=(routing_missing_exception reason=".*required|null_pointer_exception)' \
    'is said in the words of the node, which before 8 and 2 are few'

# trunc PATTERN [QUERY]
trunc() {
	printf '["X","delete",16401,null,null,null,null,null,{"truncate":{"index":"%s","query":%s}}]\n' \
	    "$1" "$(_text "${2:--}")"
}
es PUT "${ID}_t1" '{"settings":{"number_of_shards":2}}' >/dev/null
printf '%s\n' "$(b 0/1000)" "$(awk -v i="${ID}_t" 'BEGIN { for (d = 1; d <= 2300; d++)
	printf "[\"X\",\"index\",1,\"%s%d\",\"%d\",null,%s,\"{\\\"k\\\":%d}\"]\n", i, d % 2, d,
	    d % 3 ? "null" : "\"r" d % 5 "\"", d % 10 }')" "$(c 0/1030 1)" \
    "$(b 0/2000)" "$(x index "${ID}_t0" before '{"k":1}')" "$(trunc "${ID}_t0")" \
    "$(x index "${ID}_t0" after '{"k":1}')" "$(c 0/2030 2)" "$(e)" | frames
writes 0 'a truncate of one index'
ok 'leaves what came after it' docs "${ID}_t0" 'after {"k":1}'
es POST "${ID}_t1/_refresh" >/dev/null
is "$(es GET "${ID}_t1/_count" | jq .count)" 1150 'and other indexes'
printf '%s\n' "$(b 0/3000)" "$(trunc "${ID}_t*" '{"term":{"k":1}}')" "$(trunc "${ID}_missing")" \
    "$(trunc "${ID}_missing*")" "$(c 0/3030 3)" "$(e)" | frames
writes 0 'a truncate with a pattern and a query, and of what is missing'
es POST "${ID}_t*/_refresh" >/dev/null
is "$(es GET "${ID}_t0,${ID}_t1/_count" | jq .count)" 920 'takes what matches'
printf '%s\n' "$(b 0/2800)" "$(trunc "${ID}_t1")" "$(c 0/2830 3)" "$(e)" | frames
es PUT "${ID}_t1/_doc/newer?version=$((0x28001))&version_type=external" '{}' >/dev/null
writes 0 'a truncate that comes late' -v
ok 'takes nothing newer' docs "${ID}_t1" 'newer {}'
es PUT "${ID}_t1/_alias/${ID}_alias" >/dev/null
printf '%s\n' "$(b 0/4000)" "$(trunc "${ID}_alias")" "$(c 0/4030 3)" "$(e)" | frames
writes 0 'a truncate of an alias'
is "$(es_docs "${ID}_t1" | wc -l)" 0 'takes the documents behind it'
printf '%s\n' "$(b 0/5000)" "$(trunc "${ID}_t1" '{"nosuch":{}}')" "$(c 0/5030 3)" "$(e)" | frames
writes 100 'a query that the node does not know'
says 'rejected an action, and its request.*lsn=0/5000 status=400 reason=.*nosuch' 'is said in its words'

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
es PUT "${ID}_m$typed" '{"mappings":{"dynamic":"strict","properties":{"n":{"type":"long"}}}}' >/dev/null
rejects 'op=index index=[^ ]*_m id=7 lsn=0/1000 status=400 type=(mapper|document)_parsing_exception reason="(\[[0-9:]*\] )?failed to parse field \[n\] of type \[long\].*For input string: ..many' \
    'a value that the mapping does not take' "$(x index "${ID}_m" 7 '{"n":"many"}')"
rejects 'id=8 .*type=strict_dynamic_mapping_exception.*\[x\]' \
    'a field that it does not take' "$(x index "${ID}_m" 8 '{"x":1}')"
rejects 'id=9 .*parse' 'a body that is no JSON' "$(x index "${ID}_m" 9 '{"n":')"
# What is the cluster's fault ends it too, when nobody mends it.
# waits PATTERN DESCRIPTION ACTION
waits() {
	printf '%s\n' "$(relation)" "$(b 0/1000)" "$3" "$(c 0/1030 1)" "$(e)" | frames
	writes 111 "$2" --give-up 0 && says "somebody mends it\" table=shop.users.*$1" 'is named'
}
es PUT "${ID}_c" '{"settings":{"number_of_shards":1}}' >/dev/null
es POST "${ID}_c/_close" >/dev/null
waits 'id=1 .*index_closed_exception.*closed' 'an index that is closed' \
    "$(x index "${ID}_c" 1 '{}')"
waits 'id=1 .*index_closed_exception.*closed' 'a merge from it' \
    "$(x index "${ID}_c" 1 '{}' null - '{"merge":["a"]}')"
[ -n "$typed" ] || waits 'id=1 .*index_not_found_exception' 'an alias that is required and none' \
    "$(x index "${ID}_m" 1 '{}' null - '{"require_alias":true}')"
waits 'id=1 .*pipeline with id \[nosuch\]' 'a pipeline that is missing' \
    "$(x index "${ID}_m" 1 '{}' null - '{"pipeline":"nosuch"}')"
waits 'id=1 .*index_not_found_exception' 'an unversioned delete in a missing index' \
    "$(x delete "${ID}_missing" 1 - false)"
es PUT "${ID}_w1" "{\"aliases\":{\"${ID}_w\":{}}}" >/dev/null
es PUT "${ID}_w2" "{\"aliases\":{\"${ID}_w\":{}}}" >/dev/null
waits 'id=1 .*no write index is defined' 'an alias of two indexes' "$(x index "${ID}_w" 1 '{}')"

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
if [ -n "$pipeline" ]; then
	wait_for 'an ingest processor that fails' 40 grep -q '^status ' "$T/pipeline.log"
	like "$(cat "$T/pipeline.log")" 'rejected an action.*id=bad .*status=500.*no good' 'is named'
	is "$(tail -n 1 "$T/pipeline.log")" 'status 100' 'and stops the program'
	ok 'what passed the pipeline is there' docs "${ID}_p" '1 {"by":"pipeline","n":1}'
	es DELETE "_ingest/pipeline/$ID" >/dev/null
fi

done_testing
