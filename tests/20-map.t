#!/bin/sh
#
# pgcdc-map: what it makes of rows, and how it behaves in a pipe.  Every example of
# pgcdc-map(5) is run.

# JSON's tags have dollars:
# shellcheck disable=SC2016

# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/map.sh
. "$TOP/tests/map.sh"

# example PAGE NAME PART: prints the display behind the comment that names it.
example() {
	awk -v mark="example $2 $3" '
	    $0 == ".\\\" " mark { found = 1; next }
	    found && /^\.Bd/ { on = 1; next }
	    on && /^\.Ed/ { exit }
	    on { gsub(/\\e/, "\\"); print }' "$TOP/man/$1" |
	    sed -e 's/^\\&//'
}

# The manual page ------------------------------------------------------------------

names=$(sed -n 's/^\.\\" example \([a-z]*\) mapping$/\1/p' "$TOP/man/pgcdc-map.5")
is "$(grep -c '^\.Bd' "$TOP/man/pgcdc-map.5")" "$(($(echo "$names" | wc -l) * 3))" \
    'every display of pgcdc-map(5) is part of an example that runs'
for name in $names; do
	example pgcdc-map.5 "$name" mapping | mapping
	got=$(example pgcdc-map.5 "$name" in | map)
	# A line that goes on is joined as it was broken: JSON without a blank.
	want=$(example pgcdc-map.5 "$name" out |
	    sed -e ':a' -e 'N' -e '$!ba' -e 's/\n  *\([A-Za-z]\)/ \1/g' -e 's/\n  *//g')
	is "${got:-nothing}" "$want" "pgcdc-map(5): the example \"$name\""
done
ok 'pgcdc-map(1) and pgcdc-map(5) are clean mdoc' \
    mandoc -Tlint -W warning "$TOP/man/pgcdc-map.1" "$TOP/man/pgcdc-map.5"

example pgcdc-map.5 small mapping >"$T/mapping.yml"
printf '%s\n' '["R",16401,"public","users","d",[["id","int4",23,-1,true],' \
    '  ["name","text",25,-1,false]],[0]]' '["I",16401,[7,"Ann"]]' | frames >"$T/capture.frames"
example pgcdc-map.1 capture shell >"$T/shown"
is "$(cd "$T" && eval "$(sed -n '1s/^\$ //p' shown)")" "$(sed 1d "$T/shown")" \
    'pgcdc-map(1): the example of a captured file'

# Identity -------------------------------------------------------------------------

users='["R",1,"public","users","d",[["id","int4",23,-1,true],["name","text",25,-1,false]],[0]]'
full='["R",1,"public","users","f",[["id","int4",23,-1,true],["name","text",25,-1,true]],[0]]'
mapping <<'END'
tables: [{ table: public.users, index: users }]
END
is "$(printf '%s\n' "$users" '["S",1,[1,"a"]]' '["U",1,[2,"a"],[1,{"$absent":true}]]' | map)" \
    'index users 1 - {"id":1,"name":"a"}
delete users 1 - -
index users 2 - {"id":2,"name":"a"}' 'a changed key deletes the old document first'
is "$(printf '%s\n' "$full" '["U",1,[1,"b"],[1,"a"]]' | map)" \
    'index users 1 - {"id":1,"name":"b"}' 'an old row with the same key is one action'
is "$(printf '%s\n' "$full" '["U",1,[1,{"$absent":true}],[1,"a"]]' | map)" \
    'index users 1 - {"id":1,"name":"a"}' 'an unchanged value is taken from the old row'
is "$(printf '%s\n' "$users" '["I",1,[1,{"$absent":true}]]' | map)" \
    'index users 1 - {"id":1} {"merge":["name"]}' \
    'a value that was not sent is to be taken over from the document'
is "$(printf '%s\n' "$users" '["U",1,[2,{"$absent":true}],[1,{"$absent":true}]]' | map)" \
    'index users 2 - {"id":2} {"merge":["name"],"merge_from":["users","1",null]}' \
    'and where the key changed, from the old one'
mapping <<'END'
tables: [{ table: public.users, index: users, toast: reject }]
END
like "$(printf '%s\n' "$users" '["I",1,[1,{"$absent":true}]]' | map)" \
    '^reject users 1 - .*column "name".*REPLICA IDENTITY FULL' \
    'or the row is rejected, and the remedy named'

mapping <<'END'
tables:
  - table: public.users
    index: "u-{name}"
    routing: "r{name}"
    fields: { exclude: [name] }
END
is "$(printf '%s\n' "$full" '["U",1,[1,"b"],[1,"a"]]' | map)" \
    'delete u-a 1 ra -
index u-b 1 rb {"id":1}' 'a changed index and routing move the document'
like "$(printf '%s\n' "$users" '["D",1,[1,{"$absent":true}]]' | map)" \
    '^reject - 1 - table public.users: index: column "name" is not in the old row.*FULL' \
    'a delete that cannot say its index is rejected, with the id'
like "$(cat "$T/err")" 'column .*name.*outside the replica identity.*table=public.users .*remedy=' \
    'and that was to be seen beforehand'
like "$(printf '%s\n' "$users" '["U",1,[2,"b"],[1,{"$absent":true}]]' | map)" \
    '^reject u-b 2 rb .*not in the old row' \
    'an update whose old document cannot be told is rejected'
like "$(printf '%s\n' "$users" '["U",1,[1,"b"],null]' | map)" \
    '^reject u-b 1 rb .*column "name".*outside the replica identity.*FULL' \
    'so is one that does not tell whether the document moved'
is "$(printf '%s\n' "$users" '["I",1,[1,null]]' | map)" \
    'reject - 1 - table public.users: index: column "name" is null' 'a null index is rejected'

mapping <<'END'
tables: [{ table: public.users, index: users, id: "{name}" }]
END
long=$(printf '%0512d' 0)
is "$(printf '%s\n' "$full" '["I",1,[1,null]]' '["I",1,[1,""]]' '["I",1,[1,"'"$long"'"]]' \
    '["I",1,[1,"'"$long"'1"]]' | map | sed "s/$long/LONG/g")" \
    'reject users - - table public.users: id: column "name" is null
reject users - - table public.users: id is empty
index users LONG - {"id":1,"name":"LONG"}
reject users - - table public.users: id is longer than 512 bytes; "long_id: hash" in defaults lets it pass' \
    'ids that are null, empty or longer than 512 bytes are rejected'
is "$(printf '%s\n' "$full" '["U",1,[1,"a"],[1,null]]' | map)" \
    'index users a - {"id":1,"name":"a"}' \
    'an update of a row that had no document has none to delete'

composite='["R",1,"public","users","d",[["a","text",25,-1,true],["b","text",25,-1,true],
    ["c","text",25,-1,true]],[2,0,1]]'
mapping <<'END'
tables: [{ table: public.users, index: users, fields: { include: [] } }]
END
is "$(printf '%s\n' "$composite" '["D",1,["","a|b","c\\"]]' '["I",1,["|","\\|","c"]]' | map)" \
    'delete users c\\||a\|b - -
index users c|\||\\\| - {}' 'the parts of a composite key are escaped'
single='["R",1,"public","users","d",[["a","text",25,-1,true]],[0]]'
is "$(printf '%s\n' "$single" '["I",1,["a|b\\"]]' | map)" 'index users a|b\ - {}' \
    'a key of one column is not'
key='["R",1,"public","users","d",[["a","x",0,-1,true],["b","x",0,-1,true]],[0,1]]'
is "$(printf '%s\n' "$key" '["I",1,[true,-9223372036854775808]]' '["I",1,[{"$float":"1"},1.5]]' \
    '["I",1,[{"$bin":"AP8="},{"$json":"[1]"}]]' '["I",1,[[1,"a"],{"k":"v"}]]' \
    '["I",1,[{"$float":"Infinity"},{"$float":"NaN"}]]' | map | cut -d ' ' -f 3)" \
    'true|-9223372036854775808
1|1.5
AP8=|[1]
[1,"a"]|{"k":"v"}
Infinity|NaN' 'keys of other types are their text'

nokey='["R",1,"public","users","n",[["id","int4",23,-1,false],["name","text",25,-1,false]],null]'
printf '%s\n' "$nokey" '["M","p",{"$bin":""},"0/1",true]' '["I",1,[1,"a"]]' | map >/dev/null
is "$(cat "$T/status")" 100 'a table without a key whose rule has no id is a permanent error'
like "$(cat "$T/err")" 'm.yml:1:10: table public.users: it has no primary key.*id:' \
    'that names the table, the rule and the remedy'
is "$(pgcdc-cat <"$T/out" | tail -n 1)" '["M","p",{"$bin":""},"0/1",true]' \
    'and what came before is written'
mapping <<'END'
tables: [{ table: public.users, index: users, id: "{nmae}" }]
END
printf '%s\n' "$users" '["I",1,[1,"a"]]' | map >/dev/null
like "$(cat "$T/status") $(cat "$T/err")" '^100 .*m.yml:1:51: table public.users: no column .*nmae' \
    'an unknown column in a template is a permanent error with its place'

# Rules ----------------------------------------------------------------------------

mapping <<'END'
tables:
  - { table: public.users, index: first }
  - { table: "public.u*", index: "{schema}-{table}" }
  - { table: "*.t?", index: "{{{table}}}-{\"table\"}" , routing: "{\"a\"\"}\"}" }
END
is "$(printf '%s\n' "$users" '["R",2,"public","us","d",[["id","int4",23,-1,true]],[0]]' \
    '["R",3,"x","tü","d",[["table","int4",23,-1,true],["a\"}","int4",23,-1,true]],[0]]' \
    '["R",4,"x","ttt","d",[["id","int4",23,-1,true]],[0]]' '["D",3,[4,5]]' '["I",1,[1,"a"]]' \
    '["I",2,[2]]' '["I",4,[1]]' '["I",4,[2]]' '["E","0/1","done"]' '["H",{"v":1}]' \
    '["R",4,"x","ttt","d",[["id","int4",23,-1,true]],[0]]' '["D",4,[2]]' | map)" \
    'delete {tü}-4 4 5 -
index first 1 - {"id":1,"name":"a"}
index public-us 2 - {"id":2}' 'the first rule that matches takes the table'
is "$(grep -c 'no rule takes this table' "$T/err") $(cat "$T/status")" '1 0' \
    'rows of other tables are dropped, and that is said once'
like "$(cat "$T/err")" 'no rule takes this table.*table=x.ttt' 'with the table'
is "$(pgcdc-cat <"$T/out" | jq -c 'select(.[0] == "s")[2].unmapped_rows' | tail -n 1)" 3 \
    'and counted'

mapping <<'END'
tables:
  - table: public.users
    index: users
    on: { insert: ignore, update: ignore, delete: ignore }
END
is "$(printf '%s\n' "$full" '["I",1,[1,"a"]]' '["S",1,[1,"a"]]' '["U",1,[2,"a"],[1,"a"]]' \
    '["D",1,[1,"a"]]' | map)" '' 'what the rule ignores makes no action'
is "$(pgcdc-cat <"$T/out" | jq -c 'select(.[0] == "s")[2].ignored_rows')" 4 'but is counted'

mapping <<'END'
tables: [{ table: "public.*", index: "{table}" }]
END
printf '%s\n' '["R",1,"public","Users","d",[["id","int4",23,-1,true]],[0]]' '["I",1,[1]]' |
    map >/dev/null
like "$(cat "$T/status") $(cat "$T/err")" \
    '^100 .*m.yml:1:38: table public.Users: index .*Users.*lower case' \
    'a table whose name makes no index name is a permanent error'
printf '%s\n' '["R",1,"public","t","d",[["table","int4",23,-1,true]],[0]]' | map >/dev/null
like "$(cat "$T/err")" 'meaning of its own, and there is a column of that name' \
    'a column that {table} hides is warned about'

# Many tables, each described twice, the second time with another column.
seq 200 | awk '{
    printf "[\"R\",%d,\"public\",\"t%d\",\"d\",[[\"id\",\"x\",0,-1,true]],[0]]\n", $1 * 64, $1
    printf "[\"R\",%d,\"public\",\"t%d\",\"d\",[[\"n\",\"x\",0,-1,true]],[0]]\n", $1 * 64, $1 }
    END { for (i = 200; i > 0; i--) printf "[\"I\",%d,[%d]]\n", i * 64, i }' >"$T/tables"
is "$(map <"$T/tables" | cksum)" \
    "$(seq 200 -1 1 | awk '{ printf "index t%d %d - {\"n\":%d}\n", $1, $1, $1 }' | cksum)" \
    'many tables, described anew'

# Fields ---------------------------------------------------------------------------

mapping <<'END'
tables:
  - table: public.users
    index: users
    fields:
      rename: { id: "a \"quoted\" name" }
      exclude: [gone]
      old: { name: was, lost: lost }
      set:
        name: "<{name}>"
        "n\nn": ~
        t: True
        f: false
        i: -12.50
        s: "5"
        y: yes
        plain: some text
        e: ""
        id: "{id}"
        where: "{schema}.{table}"
END
is "$(printf '%s\n' "$full" '["U",1,[1,"\"q\""],[1,"b"]]' '["U",1,[1,null],null]' \
    '["I",1,[1,"c"]]' | map)" \
    'index users 1 - {"a \"quoted\" name":1,"was":"b","lost":null,"name":"<\"q\">","n\nn":null,"t":true,"f":false,"i":-12.50,"s":"5","y":"yes","plain":"some text","e":"","id":1,"where":"public.users"}
index users 1 - {"a \"quoted\" name":1,"was":null,"lost":null,"name":"<>","n\nn":null,"t":true,"f":false,"i":-12.50,"s":"5","y":"yes","plain":"some text","e":"","id":1,"where":"public.users"}
index users 1 - {"a \"quoted\" name":1,"name":"<c>","n\nn":null,"t":true,"f":false,"i":-12.50,"s":"5","y":"yes","plain":"some text","e":"","id":1,"where":"public.users"}' \
    'fields: rename, old, set'
is "$(grep -c 'column that the table does not have' "$T/err")" 2 \
    'unknown columns in fields are warned about'
mapping <<'END'
tables:
  - { table: public.users, index: users, fields: { rename: { name: id } } }
END
printf '%s\n' "$full" '["I",1,[1,"a"]]' | map >/dev/null
like "$(cat "$T/status") $(cat "$T/err")" '^100 .*m.yml:2:62:.*two columns.*id' \
    'two columns for one field are a permanent error'

# Documents of all sizes about those where MessagePack's heads change.
mapping <<'END'
tables: [{ table: public.users, index: users, id: "{id}", fields: { include: [name] } }]
END
awk 'BEGIN {
	n = split("1 19 20 21 243 244 65523 65524 65525 244 20 1 70000 3", size)
	for (i = 1; i <= n; i++)
		printf "[\"I\",1,[%d,\"%0*d\"]]\n", i, size[i], 0
    }' >"$T/rows"
{
	echo "$users"
	cat "$T/rows"
} | map | cksum >"$T/got"
sed 's/.*,\[\(.*\),\("0*"\)\]\]/index users \1 - {"name":\2}/' "$T/rows" | cksum >"$T/want"
same "$T/got" "$T/want" 'documents of all sizes'

# Values ---------------------------------------------------------------------------

# values DEFAULTS: standard input of lines, type OID TAB value, and perhaps TAB base, to the
# fields' JSON.
values() {
	printf 'defaults: %s\ntables: [{ table: p.v, index: v, id: "1{schema}{r}" }]\n' "$1" | mapping
	awk -F '\t' '
	    { n++; columns = columns "[\"c" n "\",\"x\"," $1 ",-1,false" ($3 == "" ? "" : "," $3) "],"; row = row $2 "," }
	    END {
		printf "[\"R\",1,\"p\",\"v\",\"n\",[%s[\"r\",\"x\",0,-1,false]],null]\n", columns
		printf "[\"I\",1,[%s0]]\n", row
	    }' | map | sed -e 's/.*{"c1":\(.*\),"r":0}$/\1/' -e 's/,"c[0-9]*":/\n/g'
}

{
	printf '16\ttrue\n20\t{"$int":"-9223372036854775808"}\n'
	printf '26\t{"$int":"18446744073709551615"}\n701\t{"$float":"1"}\n701\t{"$float":"-0"}\n'
	printf '701\t1e300\n701\t0.30000000000000004\n701\t5e-324\n'
	printf '1700\t"123456789012345678901234567890.120"\n1700\t"-0.5"\n1231\t["1.10",null,["2"]]\n'
	printf '1700\t"+1"\n25\t"1.10"\n114\t{"$json":" [1,\\r\\n2 ]"}\n17\t{"$bin":""}\n'
	printf '17\t{"$bin":"AQ=="}\n17\t{"$bin":"AQID"}\n17\t{"$bin":"AQI="}\n'
	printf '25\t"\\u0000\\u0001\\b\\f\\n\\r\\t\\"\\\\/\\u007f\\u2028é😀"\n'
	printf '3904\t{"lower":1,"upper":null,"bounds":"[)"}\n4451\t[{"empty":true}]\n'
	printf '0\t{"a":{"b c":[{"d":[[1],[null]]}]},"n":"1.50"}\n'
	printf '0\t{"a":null,"b":"x"}\n0\t[]\n0\t[[true],[1.5]]\n25\tnull\n'
} >"$T/values"
values '{}' <"$T/values" >"$T/got"
cat >"$T/want" <<'END'
true
-9223372036854775808
18446744073709551615
1.0
-0.0
1e+300
0.30000000000000004
5e-324
123456789012345678901234567890.120
-0.5
[1.10,null,[2]]
"+1"
"1.10"
 [1,  2 ]
""
"AQ=="
"AQID"
"AQI="
END
# shellcheck disable=SC2028
printf '"\\u0000\\u0001\\b\\f\\n\\r\\t\\"\\\\/%b%b%s"\n' '\0177' '\0342\0200\0250' 'é😀' >>"$T/want"
cat >>"$T/want" <<'END'
{"lower":1,"upper":null,"bounds":"[)"}
[{"empty":true}]
{"a":{"b c":[{"d":[[1],[null]]}]},"n":"1.50"}
{"a":null,"b":"x"}
[]
[[true],[1.5]]
null
END
same "$T/got" "$T/want" 'values are rendered exactly'

{
	printf '1700\t"1.0"\n17\t{"$bin":"AP8Q"}\n701\t{"$float":"NaN"}\n1700\t"NaN"\n'
	printf '701\t{"$float":"-Infinity"}\n1700\t"Infinity"\n1082\t"-infinity"\n25\t"infinity"\n'
	printf '1185\t["infinity","2026-01-01"]\n'
} >"$T/values"
values '{ numeric: string, bytea: hex, nan: string, infinity: "null" }' <"$T/values" >"$T/got"
cat >"$T/want" <<'END'
"1.0"
"00ff10"
"NaN"
"NaN"
null
null
null
"infinity"
[null,"2026-01-01"]
END
same "$T/got" "$T/want" 'defaults say how'
values '{ nan: null, infinity: string }' <"$T/values" | sed 1,2d >"$T/got"
cat >"$T/want" <<'END'
null
null
"-Infinity"
"Infinity"
"-infinity"
"infinity"
["infinity","2026-01-01"]
END
same "$T/got" "$T/want" 'the other way round'

# Members of ranges, and what R tells of types that are not PostgreSQL's own.
{
	printf '3906\t{"lower":"1.50","upper":null,"bounds":"[)"}\n'
	printf '4534\t[{"lower":"2026-01-01T00:00:00Z","upper":"infinity","bounds":"[]"}]\n'
	printf '99999\t"1.0"\t1700\n99999\t["1.0",["NaN"]]\t1231\n99999\t"-infinity"\t1114\n'
	printf '99999\t{"lower":"1.0","upper":"2.00","bounds":"()"}\t1700\n'
	printf '99999\t[{"n":"1.0","d":["infinity",null],"in":{"n":"2.0","o":"3"}}]\t%s\n' \
	    '{"n":1700,"d":1182,"in":{"n":1700,"o":null}}'
	printf '99999\t{"n":"1.0"}\tnull\n1700\t"1.0"\tnull\n'
} >"$T/values"
values '{ nan: null, infinity: "null" }' <"$T/values" >"$T/got"
cat >"$T/want" <<'END'
{"lower":1.50,"upper":null,"bounds":"[)"}
[{"lower":"2026-01-01T00:00:00Z","upper":null,"bounds":"[]"}]
1.0
[1.0,[null]]
null
{"lower":1.0,"upper":2.00,"bounds":"()"}
[{"n":1.0,"d":[null,null],"in":{"n":2.0,"o":"3"}}]
{"n":"1.0"}
1.0
END
same "$T/got" "$T/want" 'members are as their own type'
values '{ numeric: string, nan: string, infinity: string }' <"$T/values" >"$T/got"
cut -f 2 "$T/values" >"$T/want"
same "$T/got" "$T/want" 'and by the same defaults'
mapping <<'END'
tables: [{ table: public.users, index: users }]
END
is "$(printf '%s\n' '["R",1,"public","users","d",[["d","public.d",16400,-1,true,1700],' \
    ' ["r","numrange",3906,-1,true],["c","public.c",16401,-1,true,{"n":1700}]],[0,1,2]]' \
    '["I",1,["1.0",{"lower":"1","upper":"2.0","bounds":"[]"},{"n":"3.0"}]]' | map |
    cut -d ' ' -f 3)" '1.0|{"lower":1,"upper":2.0,"bounds":"[]"}|{"n":3.0}' 'in ids, too'
is "$(printf '%s\n' '["R",1,"public","users","d",[["c","public.c",9,-1,true,{"a":1700}]],[0]]' \
    '["I",1,[{"a":"1"}]]' \
    '["R",1,"public","users","d",[["c","public.c",9,-1,true,{"a":25,"b":1700}]],[0]]' \
    '["I",1,[{"a":"1","b":"2"}]]' | map | cut -d ' ' -f 5)" '{"c":{"a":1}}
{"c":{"a":"1","b":2}}' 'a type that was altered comes with a new R'

for odd in '3910	{"lower":"infinity"}' '99999	{"n":"NaN"}	{"n":1700}' \
    '701	{"$float":"NaN"}' '1700	"NaN"' '701	{"$float":"Infinity"}' \
    '1700	"-Infinity"' '1114	"infinity"' '0	[{"$float":"NaN"}]' '0	{"$ext":[5,"AA=="]}'; do
	like "$(echo "$odd" | values '{}')" '^reject v 1p0 - table p.v: c1: column "c1" (is|has)' \
	    "rejected by default: $odd"
done

# The stream -----------------------------------------------------------------------

mapping <<'END'
tables: [{ table: public.users, index: users }]
END
cat >"$T/stream" <<END
["H",{"v":1,"run":"r","more":[1,null]}]
["B","0/1",1000000,7]
$users
["z",{"new":["thing"]}]
["M","p",{"\$bin":"AA=="},"0/1",true]
["X","delete",1,"users","5",null,null,null]
["C","0/2",1]
["B","0/3",1999999,7]
["T",[1],false,false]
["C","0/4",2]
["B","0/5",2000000,7]
["T",[1,2],false,false]
["I",1,[1,"a"]]
["C","0/6",3]
["B","0/7",2999999,7]
["C","0/8",4]
["E","0/9","done"]
["H",{"v":1}]
END
pgcdc-cat --pack <"$T/stream" >"$T/in" || bail 'cannot make frames'
{
	cat "$T/in"
	frames </dev/null
} >"$T/in2"
pgcdc-map -m "$T/m.yml" <"$T/in2" >"$T/out" 2>"$T/err"
is "$?" 0 'several runs in one stream'
pgcdc-cat <"$T/out" | grep -v '^."[sX]"' >"$T/got"
{
	grep -v '^."[XTI]"' "$T/stream" | pgcdc-cat --pack | pgcdc-cat
	echo '["E","0/FF","done"]'
} >"$T/want"
same "$T/got" "$T/want" 'all but rows and T is passed on'
is "$(actions <"$T/out")" 'delete users 5 - -
index users 1 - {"id":1,"name":"a"}' 'and so are actions'
is "$(grep -c 'TRUNCATE is ignored' "$T/err")" 1 'an ignored TRUNCATE is said once'
is "$(pgcdc-cat <"$T/out" | cut -c 3 | tr -d '\n')" HBRzMXCBCBXCsBCsEHsE \
    's comes when a second has passed in the stream, and before E'
is "$(pgcdc-cat <"$T/out" | jq -c 'select(.[0] == "s") | [.[1], .[2].inserts,
    .[2].ignored_truncates, .[2].index_actions]' | head -n 1)" '["pgcdc-map",1,2,1]' \
    'and tells what was counted'

# stops STATUS PATTERN DESCRIPTION: the input in $T/in ends the program so.
stops() {
	pgcdc-map -m "$T/m.yml" <"$T/in" >"$T/out" 2>"$T/err"
	like "$? $(cat "$T/err")" "^$1 .*$2" "$3"
}

pack() {
	printf '%s\n' "$@" | pgcdc-cat --pack >"$T/in"
}

pack "$users" '["I",1,[1,"a"]]'
size=$(wc -c <"$T/in")
stops 111 "without E.*offset=$size" 'the end of the input without E is temporary'
is "$(actions <"$T/out")" 'index users 1 - {"id":1,"name":"a"}' 'what was whole is passed on'
r=$(printf '%s\n' "$users" | pgcdc-cat --pack | wc -c)
cp "$T/in" "$T/whole"
head -c "$((size - 1))" <"$T/whole" >"$T/in"
stops 111 "inside a frame.*offset=$r" 'so is the end inside a frame, with its offset'
is "$(pgcdc-cat <"$T/out")" "$users" 'what was whole is passed on then, too'
: >"$T/in"
stops 111 'without E' 'and an empty input'
pack '["I",1,[1,"a"]]'
stops 100 'before the relation.*offset=0' 'a row before its R is permanent'
pack "$users" '["Q",1]'
stops 100 "does not know.*frame=Q offset=$r" 'an unknown capital is permanent'
pack "$users" '["I",1,[1]]'
stops 100 "more or fewer values.*offset=$r" 'a row of another length is permanent'
pack "$users" '["E","0/1","done"]' '["B","0/1",1,1]'
stops 100 'frame after E' 'a frame after E is permanent'
pack '["H",{"v":2}]'
stops 100 'version.*offset=0' 'so is another version of frames'
pack "$users" '["E","0/1","done"]' '["H",{"v":1}]' '["I",1,[1,"a"]]'
stops 100 'before the relation' 'H forgets the relations'
echo 'not frames' >"$T/in"
stops 100 'not a frame.*offset=0' 'text is no frame'
pack "$users" '["E","0/1","done"]'
pgcdc-map -m "$T/m.yml" <"$T/in" >/dev/full 2>"$T/err"
like "$? $(cat "$T/err")" '^111 .*No space left' 'a full disk is temporary'

# Pipes ----------------------------------------------------------------------------

mkfifo "$T/to" "$T/from"

# start: pgcdc-map between the two pipes, which are descriptors 3 and 4 here.
start() {
	bg map sh -c 'exec pgcdc-map -m "$1/m.yml" <"$1/to" >"$1/from"' - "$T"
	exec 3>"$T/to" 4<"$T/from"
}

# arrived BYTES: so much more came out by now.
arrived() {
	[ "$(wc -c <"$T/arrived")" -ge "$1" ]
}

start
cat <&4 >"$T/arrived" 4<&- 3>&- &
reader=$!
exec 4<&-
pack "$users" '["I",1,[1,"a"]]'
cat "$T/in" >&3
wait_for 'a row comes out while the input stays open' 10 arrived "$((r + 20))"
told() {
	pgcdc-cat <"$T/arrived" 2>"$T/null" | jq -e 'select(.[0] == "s") | .[2].inserts == 1' >"$T/out"
}
wait_for 'and what was counted, when nothing comes' 20 told
kill -s TERM "$BG_PID"
pack '["I",1,[2,"b"]]' '["E","0/1","done"]'
cat "$T/in" >&3
exec 3>&-
wait_exit 'after a first TERM it goes on to E' 10 "$BG_PID" 0
wait "$reader"
is "$(actions <"$T/arrived" | wc -l)" 2 'and maps what came later'

start
exec 4<&-
wait_exit 'a reader that is gone is noticed while nothing is written' 10 "$BG_PID" 111
like "$(cat "$T/map.log")" 'standard output.*Broken pipe' 'and said'
exec 3>&-

# A reader that takes nothing: the input stops, memory stays small.
start
caught() {
	grep -q "^SigCgt:.*[4-7c-f]...$" "/proc/$BG_PID/status"
}
wait_for 'signals are caught' 10 caught
(
	exec 4<&-
	pack "$users"
	cat "$T/in" >&3
	pack '["I",1,[1,"'"$(printf '%01000d' 1)"'"]]'
	while cat "$T/in"; do :; done >&3 2>/dev/null
) &
feeder=$!
exec 3>&-

# stalled: two looks at the bytes read, the process asleep in between.
stalled() {
	before=$(sed -n 's/^rchar: //p' "/proc/$BG_PID/io")
	sleep 0.3
	[ "$before" -gt 1000000 ] && [ "$before" = "$(sed -n 's/^rchar: //p' "/proc/$BG_PID/io")" ]
}
wait_for 'reading stops while nobody takes the output' 20 stalled
below "$(vmhwm "$BG_PID")" 12000 'in a few MiB of memory'
kill -s TERM "$BG_PID"
kill -s TERM "$BG_PID"
# Two signals that arrive together are one.
again() {
	kill -s INT "$BG_PID"
	! _runs "$BG_PID"
}
wait_for 'a second TERM or INT ends it at once' 10 again
wait_exit 'with 111' 10 "$BG_PID" 111
exec 4<&-
wait "$feeder"

done_testing
