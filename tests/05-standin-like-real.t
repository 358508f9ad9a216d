#!/bin/sh
# The stand-in answers as a real node does: the same requests go to both, and the
# answers must be the same text.

# shellcheck disable=SC2016 # backquotes in patterns
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
need_es
standin_start

# ask URL METHOD PATH [BODY_FILE]: the answer's body, and its status behind it.
ask() {
	if [ $# -eq 3 ]; then
		set -- -X "$2" "$1$3"
	else
		set -- -X "$2" -H 'Content-Type: application/x-ndjson' --data-binary "@$4" "$1$3"
	fi
	curl -sS --noproxy '*' -w ' %{http_code}' "$@"
}

# What no two nodes have in common: times, uuids, made up ids, and places in the
# text as the real parser counts them.
alike() {
	sed -E -e 's/"took":[0-9]+/"took":0/' -e 's/"index_uuid":"[A-Za-z0-9_-]{22}"/"index_uuid":"?"/g' \
	    -e 's/"_id":"[A-Za-z0-9_-]{20}"/"_id":"?"/g' -e 's/\[Source: [^]]*\]/[Source]/g' \
	    -e 's/Unexpected end-of-input[^"]*/Unexpected end-of-input/g' \
	    -e 's/(out of range of long [^"\\]*)\\n[^"]*/\1/g' \
	    -e 's/Unexpected close marker [^"]*/Unexpected close marker/g'
}

# both DESCRIPTION METHOD PATH [BODY_FILE]
both() {
	_description=$1
	shift
	is "$(ask "$STANDIN_URL" "$@" | alike)" "$(ask "$PGCDC_TEST_ES_URL" "$@" | alike)" "$_description"
}

# bulk DESCRIPTION [PATH]: the body is standard input, with @ for the index.
bulk() {
	sed "s/@/$ID/g" >"$T/body"
	both "$1" POST "${2:-/_bulk}" "$T/body"
}

# raw DESCRIPTION BODY: the same with a body as printf makes it.
raw() {
	# shellcheck disable=SC2059
	printf "$2" | sed "s/@/$ID/g" >"$T/body"
	both "$1" POST /_bulk "$T/body"
}

# Writes without versions
bulk 'index, twice' <<'EOT'
{"index":{"_index":"@","_id":"1"}}
{"name":"a","n":1}
{"index":{"_index":"@","_id":"1"}}
{"name":"b","n":2}
EOT
bulk 'ids made by the node' <<'EOT'
{"index":{"_index":"@-auto"}}
{"n":1}
{"create":{"_index":"@-auto"}}
{"n":1}
EOT
bulk 'create, and again' <<'EOT'
{"create":{"_index":"@","_id":"2"}}
{"n":1}
{"create":{"_index":"@","_id":"2"}}
{"n":2}
{"index":{"_index":"@","_id":"2","op_type":"create"}}
{"n":3}
EOT
bulk 'delete: there, gone, never there; and create after it' <<'EOT'
{"delete":{"_index":"@","_id":"2"}}
{"delete":{"_index":"@","_id":"2"}}
{"delete":{"_index":"@","_id":"never"}}
{"delete":{"_index":"@","_id":"never"}}
{"create":{"_index":"@","_id":"never"}}
{"n":1}
EOT
bulk 'one document four times in a request' <<'EOT'
{"index":{"_index":"@","_id":"four"}}
{"n":1}
{"delete":{"_index":"@","_id":"four"}}
{"create":{"_index":"@","_id":"four"}}
{"n":2}
{"update":{"_index":"@","_id":"four"}}
{"doc":{"n":3}}
EOT

# External versions
for type in external external_gte; do
	for step in 'index 10' 'index 10' 'index 9' 'index 12' 'delete 11' 'delete 12' 'delete 13' \
	    'delete 13' 'delete 12' 'index 12' 'index 13' 'index 14' 'delete 15' 'index 14'; do
		{
			echo "{\"${step% *}\":{\"_index\":\"@\",\"_id\":\"$type\",\"version\":${step#* },\"version_type\":\"$type\"}}"
			[ "${step% *}" = delete ] || echo "{\"n\":${step#* }}"
		} >"$T/in"
		bulk "$type: $step" <"$T/in"
	done
done
bulk 'a delete of what was never there is remembered' <<'EOT'
{"delete":{"_index":"@","_id":"tomb","version":50,"version_type":"external"}}
{"index":{"_index":"@","_id":"tomb","version":49,"version_type":"external_gte"}}
{"n":49}
{"index":{"_index":"@","_id":"tomb","version":50,"version_type":"external"}}
{"n":50}
{"delete":{"_index":"@","_id":"tomb"}}
{"create":{"_index":"@","_id":"tomb"}}
{"n":51}
EOT
bulk 'external, then internal, then external' <<'EOT'
{"index":{"_index":"@","_id":"mixed","version":7,"version_type":"external"}}
{"n":7}
{"index":{"_index":"@","_id":"mixed"}}
{"n":8}
{"index":{"_index":"@","_id":"mixed","version":8,"version_type":"external"}}
{"n":8}
{"index":{"_index":"@","_id":"mixed","version":8,"version_type":"external_gte"}}
{"n":9}
EOT
bulk 'versions 0, of 2^56 and 2^63 - 1, as text, with a fraction, as a power' <<'EOT'
{"index":{"_index":"@","_id":"v0","version":0,"version_type":"external"}}
{"n":0}
{"index":{"_index":"@","_id":"v56","version":72057594037927936,"version_type":"external_gte"}}
{"n":0}
{"index":{"_index":"@","_id":"v56","version":72057594037927935,"version_type":"external_gte"}}
{"n":0}
{"index":{"_index":"@","_id":"v63","version":9223372036854775807,"version_type":"external_gte"}}
{"n":0}
{"index":{"_index":"@","_id":"v63"}}
{"n":0}
{"index":{"_index":"@","_id":"vtext","version":"17","version_type":"external"}}
{"n":0}
{"index":{"_index":"@","_id":"vtext","version":17.5,"version_type":"external"}}
{"n":0}
{"index":{"_index":"@","_id":"vpower","version":1e3,"version_type":"external"}}
{"n":0}
EOT
while IFS='|' read -r description fields; do
	printf '{"index":{"_index":"@","_id":"bad",%s}}\n{"n":1}\n' "$fields" >"$T/in"
	bulk "$description" <"$T/in"
done <<'EOT'
version 2^63|"version":9223372036854775808,"version_type":"external"
version -1|"version":-1,"version_type":"external_gte"
no version, but a type|"version_type":"external"
a null version|"version":null,"version_type":"external"
a version, but no type|"version":5
version true|"version":true,"version_type":"external"
version abc|"version":"abc","version_type":"external"
version type EXTERNAL|"version":5,"version_type":"EXTERNAL"
if_seq_no of another|"if_seq_no":3,"if_primary_term":1
if_seq_no alone|"if_seq_no":3
EOT
bulk 'create with an external version' <<'EOT'
{"create":{"_index":"@","_id":"bad","version":5,"version_type":"external"}}
{"n":1}
EOT
bulk 'create with a version' <<'EOT'
{"create":{"_index":"@","_id":"bad","version":5}}
{"n":1}
EOT
bulk 'update with a version' <<'EOT'
{"update":{"_index":"@","_id":"1","version":5,"version_type":"external"}}
{"doc":{"n":1}}
EOT
bulk 'several problems in one request' <<'EOT'
{"delete":{"_index":"@"}}
{"index":{"_index":"@","_id":"1","version":2}}
{"n":1}
{"update":{"_index":"@","_id":"1"}}
{}
{"index":{"_index":"@","version":2,"version_type":"external"}}
{"n":1}
EOT

# Updates
bulk 'update: change, no change, into objects, of what is missing' <<'EOT'
{"update":{"_index":"@","_id":"1"}}
{"doc":{"o":{"x":1}}}
{"update":{"_index":"@","_id":"1"}}
{"doc":{"o":{"y":2},"name":"c"}}
{"update":{"_index":"@","_id":"1"}}
{"doc":{"o":{"y":2}}}
{"update":{"_index":"@","_id":"1"}}
{"doc":{"o":{"y":2}},"detect_noop":false}
{"update":{"_index":"@","_id":"1","retry_on_conflict":3}}
{"doc":{"extra":null}}
{"update":{"_index":"@","_id":"missing"}}
{"doc":{"n":2}}
EOT
bulk 'update: doc_as_upsert and upsert, each twice, and after a delete' <<'EOT'
{"update":{"_index":"@","_id":"up1"}}
{"doc":{"n":1},"doc_as_upsert":true}
{"update":{"_index":"@","_id":"up1"}}
{"doc":{"n":2},"doc_as_upsert":true}
{"update":{"_index":"@","_id":"up2"}}
{"doc":{"n":1},"upsert":{"name":"new"}}
{"update":{"_index":"@","_id":"up2"}}
{"doc":{"n":1},"upsert":{"name":"new"}}
{"delete":{"_index":"@","_id":"up1","version":100,"version_type":"external"}}
{"update":{"_index":"@","_id":"up1"}}
{"doc":{"n":3},"doc_as_upsert":true}
EOT
while read -r line; do
	printf '{"update":{"_index":"@","_id":"1"}}\n%s\n' "$line" >"$T/in"
	bulk "update: the body is $line" <"$T/in"
done <<'EOT'
{"foo":1}
{"doc":1}
{"doc":
[1]
abc
{"doc":{"n":5}} x
EOT
bulk 'update: the body is empty' <<'EOT'
{"update":{"_index":"@","_id":"1"}}

EOT

# Routing, aliases, indexes
bulk 'routing' <<'EOT'
{"index":{"_index":"@","_id":"r1","routing":"a"}}
{"n":1}
{"index":{"_index":"@","_id":"r2","routing":5}}
{"n":1}
{"index":{"_index":"@","_id":"r3","routing":null}}
{"n":1}
EOT
bulk 'update keeps the routing' <<'EOT'
{"update":{"_index":"@","_id":"r1","routing":"a"}}
{"doc":{"n":2}}
EOT
bulk 'routing by the URL' '/_bulk?routing=b' <<'EOT'
{"index":{"_index":"@","_id":"r4"}}
{"n":1}
{"index":{"_index":"@","_id":"r5","routing":"c"}}
{"n":1}
EOT
bulk 'the index by the URL' "/$ID/_bulk" <<'EOT'
{"index":{"_id":"path"}}
{"n":1}
{"index":{"_index":"@-other","_id":"path"}}
{"n":1}
EOT
bulk 'require_alias' <<'EOT'
{"index":{"_index":"@","_id":"1","require_alias":true}}
{"n":1}
{"index":{"_index":"@-no","_id":"1","require_alias":"true"}}
{"n":1}
EOT
bulk 'delete in a missing index' <<'EOT'
{"delete":{"_index":"@-missing","_id":"1"}}
EOT
bulk 'delete in a missing index, with a version' <<'EOT'
{"delete":{"_index":"@-made","_id":"1","version":3,"version_type":"external"}}
EOT
bulk 'update in a missing index' <<'EOT'
{"update":{"_index":"@-made2","_id":"1"}}
{"doc":{"n":1}}
EOT
long=$(printf '%0256d' 0)
for name in 'Upper' 'a b' '_a' '-a' 'a#b' 'a:b' '..' 'a*' 'a,b' '' "$long"; do
	printf '{"index":{"_index":"%s","_id":"1"}}\n{"n":1}\n' "$name" >"$T/in"
	bulk "index name \"$(echo "$name" | cut -c 1-20 | sed 's/#/hash/')\"" <"$T/in"
done
bulk 'no index at all' <<'EOT'
{"index":{"_id":"1"}}
{"n":1}
EOT

# Ids
for length in 512 513; do
	printf '{"index":{"_index":"@","_id":"%0*d"}}\n{"n":1}\n' "$length" 0 >"$T/in"
	bulk "an id of $length bytes" <"$T/in"
done
bulk 'an id of 257 letters, 514 bytes' <<EOT
{"index":{"_index":"@","_id":"$(printf '%0257d' 0 | sed 's/0/é/g')"}}
{"n":1}
EOT
bulk 'ids: empty, a number, a bool, escapes' <<'EOT'
{"index":{"_index":"@","_id":""}}
{"n":1}
{"index":{"_index":"@","_id":77}}
{"n":1}
{"index":{"_index":"@","_id":true}}
{"n":1}
{"index":{"_index":"@","_id":"q\"b\\s\/\u00e9"}}
{"n":1}
EOT
bulk 'delete: an empty id' <<'EOT'
{"delete":{"_index":"@","_id":""}}
EOT

# Action lines that are none
while read -r line; do
	printf '%s\n{"n":1}\n' "$line" >"$T/in"
	bulk "action: $line" <"$T/in"
done <<'EOT'
{"upsert":{"_index":"@","_id":"x"}}
{"index":{"_index":"@","_id":"x"
hello
[]
"index"
17
{}
{"index":1}
{"index":{"_index":"@","_id":"x","_version":18}}
{"index":{"_index":"@","_id":"x","_type":"_doc"}}
{"index":{"_index":"@","_id":"x","_routing":"r"}}
{"index":{"_index":"@","_id":"x","routing":{"a":1}}}
{"index":{"_index":"@","_id":"x","routing":[1]}}
{"index":{"_index":"@","_id":"x","_id":"y"}}
{"index":{"_index":"@","_id":"x","require_alias":"maybe"}}
{"index":{"_index":"@","_id":"x"}
{"index":{"_index":"@","_id":"x"}} behind
 { "index" : { "_index" : "@" , "_id" : "x" } }
EOT
bulk 'the third line is no action' <<'EOT'
{"index":{"_index":"@","_id":"x"}}
{"n":1}
{"upsert":{"_index":"@","_id":"x"}}
{"n":1}
EOT
raw 'no newline at the end' '{"index":{"_index":"@","_id":"x"}}\n{"n":1}'
raw 'no newline at the end, after a good item' '{"index":{"_index":"@","_id":"nl"}}\n{"n":1}\n{"delete":{"_index":"@","_id":"nl"}}'
raw 'an action without its document' '{"index":{"_index":"@","_id":"x"}}\n'
raw 'an empty line for a document' '{"index":{"_index":"@","_id":"x"}}\n\n'
raw 'blank lines between' '\n\n{"index":{"_index":"@","_id":"blank"}}\n{"n":1}\n\n'
raw 'CR LF' '{"index":{"_index":"@","_id":"crlf"}}\r\n{"n":1}\r\n'
raw 'nothing' ''
raw 'a newline' '\n'
raw 'an id that is no UTF-8' '{"index":{"_index":"@","_id":"\377"}}\n{"n":1}\n'

# Documents that are none
while read -r line; do
	printf '{"index":{"_index":"@","_id":"doc"}}\n%s\n' "$line" >"$T/in"
	bulk "document: $line" <"$T/in"
done <<'EOT'
[1]
1
"x"
null
abc
{"n":1
{"n":1}x
{"n":1} {"n":2}
{"n":1}}
{"n":tru}
{"n":01}
{"n":1,}
{"n":NaN}
{n:1}
{'n':1}
{"":1}
{"n":1,"n":2}
{"o":{"x":1,"x":2}}
{"n":1,"\u006e":2}
{"fresh":"\q"}
{}
EOT
raw 'document: a control character' '{"index":{"_index":"@","_id":"doc"}}\n{"fresh":"a\001b"}\n'
raw 'document: no UTF-8' '{"index":{"_index":"@","_id":"doc"}}\n{"fresh":"\377"}\n'
raw 'document: blanks around' '{"index":{"_index":"@","_id":"blanks"}}\n  {"n":1}  \n'

# What of the answer is asked for
for filter in errors,items.*.status,items.*.error items.*.error errors,items.*.error.type \
    took,errors,items.index.status,items.*._id -items.*._shards 'took,**.status'; do
	bulk "filter_path=$filter" "/_bulk?filter_path=$filter" <<-'EOT'
	{"index":{"_index":"@","_id":"f"}}
	{"n":1}
	{"create":{"_index":"@","_id":"f"}}
	{"n":1}
	EOT
	bulk "filter_path=$filter, no errors" "/_bulk?filter_path=$filter" <<-'EOT'
	{"index":{"_index":"@","_id":"f"}}
	{"n":1}
	EOT
done
bulk 'filter_path does not touch errors of the request' '/_bulk?filter_path=errors' <<'EOT'
{"upsert":{}}
EOT
bulk 'refresh' '/_bulk?refresh=true' <<'EOT'
{"index":{"_index":"@","_id":"f"}}
{"n":1}
EOT
bulk 'an unknown argument' '/_bulk?nonsense=1' <<'EOT'
{"index":{"_index":"@","_id":"f"}}
{"n":1}
EOT

# Reading
for path in "/$ID/_doc/1" "/$ID/_doc/nope" "/$ID-no/_doc/1" "/$ID/_doc/r1?routing=a" \
    "/$ID/_source/1" "/$ID/_source/nope" "/$ID-no/_count" "/$ID-no/_search"; do
	both "GET $(echo "$path" | sed "s/$ID/i/")" GET "$path"
done
ask "$PGCDC_TEST_ES_URL" POST "/$ID/_refresh" >"$T/refresh"
both 'count' GET "/$ID/_count"
es_docs "$ID" >"$T/real"
es_docs "$ID" "$STANDIN_URL" >"$T/standin"
same "$T/standin" "$T/real" 'the same documents'
ok 'and there are some' test "$(wc -l <"$T/real")" -gt 25
# With versions, sequence numbers and routing, in one go
jq -R 'split("\t")[0]' "$T/real" | jq -sc "{docs: (map({_index: \"$ID\", _id: .}) + [{_index: \"$ID-no\", _id: \"1\"}])}" >"$T/mget"
mget() {
	curl -sS --noproxy '*' -H 'Content-Type: application/json' --data-binary "@$T/mget" "$1/_mget" |
	    sed 's/{"_index"/\n&/g'
}
mget "$PGCDC_TEST_ES_URL" >"$T/real"
mget "$STANDIN_URL" >"$T/standin"
same "$T/standin" "$T/real" 'and the same versions, sequence numbers and routing'

# What the writer reads for merges and truncates: errors of single documents, refreshes,
# searches page by page with what the index lacks.
cat >"$T/body" <<EOT
{"docs":[{"_index":"$ID","_id":"r1","routing":"a"},{"_index":"$ID","_id":"nope"},
{"_index":"$ID-no","_id":"1","routing":"a"},{"_index":"$ID","_id":"1"}]}
EOT
json() {
	curl -sS --noproxy '*' -w ' %{http_code}' -H 'Content-Type: application/json' -X "$2" \
	    --data-binary "$4" "$1$3"
}
is "$(json "$STANDIN_URL" POST /_mget "@$T/body")" \
    "$(json "$PGCDC_TEST_ES_URL" POST /_mget "@$T/body")" 'mget, with what is missing'
raw 'a source that is written oddly' '{"index":{"_index":"@-odd","_id":"1"}}\n{ "a" : 1.50,"\\u0062":[1e2 , 3.0], "n":12345678901234567890.10 }\n'
odd="{\"docs\":[{\"_index\":\"$ID-odd\",\"_id\":\"1\"}]}"
is "$(json "$STANDIN_URL" POST /_mget "$odd")" "$(json "$PGCDC_TEST_ES_URL" POST /_mget "$odd")" \
    'mget gives it back byte for byte'
missing='ignore_unavailable=true&allow_no_indices=true'
for index in "$ID" "$ID-no" "$ID-no*" "$ID*"; do
	for url in "$STANDIN_URL" "$PGCDC_TEST_ES_URL"; do
		curl -sS --noproxy '*' -X POST "$url/$index/_refresh?$missing" | jq -c ._shards.failed
	done >"$T/refreshed"
	is "$(sort -u "$T/refreshed")" 0 "refresh of $(echo "$index" | sed "s/$ID/i/")"
done
# pages URL INDEX BODY: what of each page counts, to the last.
pages() {
	_answer=$(json "$1" POST "/$2/_search?scroll=1m&size=7&sort=_doc&_source=false&$missing" "$3")
	for _page in 1 2 3 4 5 6 7 8 9 10 11 12; do
		printf '%s' "${_answer% *}" | jq -c '[(._scroll_id | type), .timed_out, ._shards.failed,
		    (.hits.hits | length)], (.hits.hits[] | [._index, ._id, ._routing])'
		_scroll=$(printf '%s' "${_answer% *}" | jq -c ._scroll_id)
		[ "$_scroll" != null ] || return
		[ "$(printf '%s' "${_answer% *}" | jq '.hits.hits | length')" -gt 0 ] || break
		_answer=$(json "$1" POST /_search/scroll "{\"scroll\":\"1m\",\"scroll_id\":$_scroll}")
	done
	json "$1" DELETE /_search/scroll "{\"scroll_id\":$_scroll}" | sed 's/ [0-9]*$//' |
	    jq -c .succeeded
}
for case in "$ID|" "$ID-no|" "$ID-o*|" "$ID|{\"query\":{\"term\":{\"n\":1}}}"; do
	# Shards give their documents as they like.
	pages "$STANDIN_URL" "${case%%|*}" "${case#*|}" | sort >"$T/standin"
	pages "$PGCDC_TEST_ES_URL" "${case%%|*}" "${case#*|}" | sort >"$T/real"
	same "$T/standin" "$T/real" "pages of $(echo "$case" | sed "s/$ID/i/")"
done
ok 'there were some' test "$(wc -l <"$T/real")" -gt 8

# Deletes are forgotten.  Here at once; there when gc_deletes is over.
tomb='{"index":{"_index":"@","_id":"external_gte","version":3,"version_type":"external_gte"}}
{"n":3}'
printf '%s\n' "$tomb" | sed "s/@/$ID/g" >"$T/tomb"
both 'an older version after a delete' POST /_bulk "$T/tomb"
es PUT "$ID/_settings" '{"index.gc_deletes":"0ms"}' >"$T/settings"
comes_back() {
	es POST "$ID/_refresh"
	ask "$PGCDC_TEST_ES_URL" POST /_bulk "$T/tomb" >"$T/came"
	grep '"errors":false' "$T/came"
}
wait_for 'the real node forgets the delete' 60 comes_back
curl -sS --noproxy '*' -X POST "$STANDIN_URL/_standin/forget" >"$T/forget"
is "$(ask "$STANDIN_URL" POST /_bulk "$T/tomb" | alike)" "$(alike <"$T/came")" \
    'the stand-in, told to forget, answers the same'

done_testing
