#!/bin/sh
#
# esbulk-write's dead letters and its patience with a real node, as far as it can be made to
# refuse: with small limits, which need a node of the test's own.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=write.sh
. "$(dirname "$0")/write.sh"
export SEARCH_NODE_SETTINGS='http.max_content_length: 64kb
cluster.max_shards_per_node: 12'
own_es
STANDIN_URL=$PGCDC_TEST_ES_URL

lines() {
	pgcdc-cat "$T/dead" | tee "$T/dead.lines"
}
dead() {
	lines >/dev/null
	jq -r 'select(.[0] == "X") | .[4]' "$T/dead.lines" | sort | tr '\n' ' '
}
one='"settings":{"number_of_shards":1,"number_of_replicas":0}'

# The document's fault -----------------------------------------------------------------

es PUT m "{$one,\"mappings\":{\"dynamic\":\"strict\",\"properties\":{\"n\":{\"type\":\"long\"},\"k\":{\"type\":\"keyword\"}}}}" >/dev/null
es PUT f "{\"settings\":{\"number_of_shards\":1,\"number_of_replicas\":0,\"index.mapping.total_fields.limit\":2}}" >/dev/null
es PUT r "{$one,\"mappings\":{\"_routing\":{\"required\":true}}}" >/dev/null
large=$(printf '%070000d' 0)
term=$(printf '%040000d' 0)
printf '%s\n' "$(relation)" "$(b 0/1000)" "$(x index m good '{"n":1}')" \
    "$(x index m type '{"n":"many"}')" "$(x index m strict '{"x":1}')" \
    "$(x index m json '{"n":')" "$(x index m term "{\"k\":\"$term\"}")" \
    "$(x index m large "{\"k\":\"$large\"}")" \
    "$(x index m "$(printf '%0513d' 0)" '{}')" "$(x index f fields '{"a":1,"b":2,"c":3}')" \
    "$(x index r routing '{}')" "$(x index r routed '{}' null r)" "$(x index m last '{"n":2}')" \
    "$(x update m script '{"script":"nonsense","upsert":{}}' )" \
    "$(c 0/1030 1)" "$(e)" | frames
writes 0 'documents that a node rejects' --dead-letter "$T/dead"
is "$(dead)" "$(printf '%0513d' 0) fields json large routing strict term type " \
    'are dead letters'
ok 'all others are stored' docs m 'good {"n":1}' 'last {"n":2}' 'script {}'
jq -r 'select(.[0] == "a") | .[1] | "\(.id) \(.status) \(.type)"' "$T/dead.lines" >"$T/types"
for want in 'type 400 mapper_parsing_exception' 'strict 400 strict_dynamic_mapping_exception' \
    'term 400 illegal_argument_exception' 'fields 400 illegal_argument_exception' \
    'routing 400 routing_missing_exception' 'large 413 '; do
	ok "with the node's words: $want" grep -qxF "$want" "$T/types"
done

# Mended, they are replayed; what is newer stays.
es PUT m/_mapping '{"dynamic":true}' >/dev/null
es PUT m/_doc/strict?version=900000\&version_type=external '{"n":9}' >/dev/null
mv "$T/dead" "$T/dead.1"
pgcdc-cat "$T/dead.1" |
    jq -c 'if .[0] != "X" then . elif .[4] == "type" then .[7] = "{\"n\":7}" else . end' |
    jq -c 'if .[0] == "X" and .[4] == "routing" then .[6] = "r" else . end' | pack >"$T/frames"
writes 0 'a replay' --dead-letter "$T/dead"
is "$(dead)" "$(printf '%0513d' 0) fields json large term " 'has its own dead letters'
ok 'what was mended is stored, what is newer stays' docs m 'good {"n":1}' 'last {"n":2}' \
    'script {}' 'strict {"n":9}' 'type {"n":7}'

# A table of them.
awk 'BEGIN { print "[\"B\",\"0/1000\",0,7]"
	for (n = 1; n <= 500; n++)
		printf "[\"X\",\"index\",1,\"m\",\"t%d\",null,null,\"{\\\"n\\\":\\\"x\\\"}\"]\n", n
	print "[\"C\",\"0/1030\",1]\n[\"E\",\"0/1030\",\"done\"]" }' | pack >"$T/frames"
rm "$T/dead"
writes 100 'a table whose mapping is wrong' --dead-letter "$T/dead"
is "$(dead | wc -w)" 100 'ends at the limit'

# Requests over the limit.
awk 'BEGIN { print "[\"B\",\"0/1000\",0,7]"
	for (n = 1; n <= 3000; n++)
		printf "[\"X\",\"index\",1,\"h\",\"%d\",null,null,\"{\\\"n\\\":%d}\"]\n", n, n
	print "[\"C\",\"0/1030\",1]\n[\"E\",\"0/1030\",\"done\"]" }' | pack >"$T/frames"
writes 0 'requests over the limit' --lanes 2
says 'halving.*status=413' 'are halved'
es POST h/_refresh >/dev/null
is "$(es GET h/_count | jq .count)" 3000 'and all is stored'

# The cluster's fault ---------------------------------------------------------------------

# until_mended DESCRIPTION INDEX PATTERN BREAK MEND
until_mended() {
	eval "$4" >/dev/null
	rm -f "$T/dead" "$T/mended.log"
	listen mended
	start mended -a "$T/mended.sock" --dead-letter "$T/dead"
	printf '%s\n' "$(hello)" "$(unit 1 a)" "$(b 0/2000)" "$(x index "$2" 1 '{}')" \
	    "$(c 0/2030 2)" | feed
	wait_for "$1: tried again" 30 grep -q "trying again.*$3" "$T/mended.log"
	ok 'and not acked' not grep -q '^ack 2' "$T/mended.acks"
	eval "$5" >/dev/null
	wait_for 'until it is mended' 40 acked mended 2
	ok 'it is no dead letter' not test -s "$T/dead"
	e | feed
	done_feeding
	wait_exit 'the end' 10 "$W" 0
}
es PUT c "{$one}" >/dev/null
until_mended 'a closed index' c index_closed_exception 'es POST c/_close' 'es POST c/_open'
until_mended 'a read-only index' m cluster_block_exception \
    'es PUT m/_settings "{\"index.blocks.read_only_allow_delete\":true}"' \
    'es PUT m/_settings "{\"index.blocks.read_only_allow_delete\":null}"'
until_mended 'a limit of shards' new 'maximum .*shards open' \
    'es PUT _cluster/settings "{\"persistent\":{\"cluster.max_shards_per_node\":1}}"' \
    'es PUT _cluster/settings "{\"persistent\":{\"cluster.max_shards_per_node\":1000}}"'
until_mended 'a cluster that is read-only' m cluster_block_exception \
    'es PUT _cluster/settings "{\"persistent\":{\"cluster.blocks.read_only\":true}}"' \
    'es PUT _cluster/settings "{\"persistent\":{\"cluster.blocks.read_only\":null}}"'

done_testing
