#!/bin/sh
#
# pgcdc-map: what rules make of changes, beyond the examples of pgcdc-map(5): conditions,
# values that were not sent, partial updates, scripts, truncates.

# JSON's tags have dollars:
# shellcheck disable=SC2016

# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/map.sh
. "$TOP/tests/map.sh"

columns='[["id","int4",23,-1,true],["name","text",25,-1,KEY],["n","int4",23,-1,KEY]],[0]]'
users='["R",1,"public","users","d",'$(echo "$columns" | sed s/KEY/false/g)
full='["R",1,"public","users","f",'$(echo "$columns" | sed s/KEY/true/g)
absent='{"$absent":true}'
old="[1,$absent,$absent]"

# Conditions -----------------------------------------------------------------------

mapping <<'END'
tables: [{ table: public.users, index: users, where: "n > 10", fields: { include: [n] } }]
END
is "$(printf '%s\n' "$full" '["I",1,[1,"a",10]]' '["S",1,[1,"a",null]]' '["U",1,[1,"a",11],[1,"a",10]]' \
    '["U",1,[1,"a",12],[1,"a",11]]' '["U",1,[1,"a",1],[1,"a",12]]' '["U",1,[1,"a",2],[1,"a",1]]' \
    '["D",1,[1,"a",2]]' '["D",1,[1,"a",22]]' | map)" \
    'index users 1 - {"n":11}
index users 1 - {"n":12}
delete users 1 - -
delete users 1 - -' 'where, with old rows: a document comes, stays and goes'
is "$(counter filtered_rows)" 4 'rows that never had one are counted'
is "$(printf '%s\n' "$full" '["U",1,[2,"a",1],[1,"a",20]]' '["U",1,[2,"a",30],[1,"a",1]]' \
    '["U",1,[2,"a",30],[1,"a",20]]' '["U",1,[2,"a",3],[1,"a",2]]' | map)" \
    'delete users 1 - -
index users 2 - {"n":30}
delete users 1 - -
index users 2 - {"n":30}' 'and when the key changes'
is "$(printf '%s\n' "$users" "[\"U\",1,[1,\"a\",1],null]" "[\"U\",1,[2,\"a\",1],$old]" \
    "[\"U\",1,[2,\"a\",11],$old]" "[\"D\",1,$old]" | map)" \
    'delete users 1 - -
delete users 1 - -
delete users 1 - -
index users 2 - {"n":11}
delete users 1 - -' 'without them a delete too many does no harm'
is "$(printf '%s\n' "$users" "[\"U\",1,[1,\"a\",$absent],null]" | map)" \
    'reject users 1 - table public.users: where: column "n" is large and unchanged, so the server did not send it; ALTER TABLE public.users REPLICA IDENTITY FULL makes it do so' \
    'a value that decides and was not sent is a reject'
mapping <<'END'
tables:
  - { table: public.users, index: users, where: "name = 'x' and n > 10", fields: { include: [] } }
END
is "$(printf '%s\n' "$users" "[\"U\",1,[1,\"a\",$absent],null]" "[\"U\",1,[1,$absent,2],null]" | map)" \
    'delete users 1 - -
delete users 1 - -' 'but not one that does not decide'
mapping <<'END'
tables:
  - { table: public.users, index: users, where: "name::int > 1", fields: { include: [] } }
END
like "$(printf '%s\n' "$full" '["I",1,[1,"x1",1]]' | map)" \
    '^reject users 1 - table public.users: where: .*x1' 'a cast that fails is a reject'
mapping <<'END'
tables:
  - { table: public.users, index: users, where: "n is distinct from old.n", fields: { include: [] } }
END
is "$(printf '%s\n' "$users" '["I",1,[1,"x",1]]' | map)" 'index users 1 - {}' \
    'an old value of an insert is null'
like "$(printf '%s\n' "$users" '["U",1,[1,"x",1],null]' | map)" \
    '^reject users 1 - .*where: column "n" is not in the old row' 'of an update it may be missing'
like "$(cat "$T/err")" 'needs old.n, which is outside the replica identity.*m.yml:2:69' \
    'which was to be seen beforehand'
mapping <<'END'
tables:
  - { table: public.users, index: users, where: 'name = 5' }
END
printf '%s\n' "$users" '["I",1,[1,"x",1]]' | map >/dev/null
like "$(cat "$T/status") $(cat "$T/err")" '^100 .*m.yml:2:55: table public.users: .*name::int4' \
    'a comparison of text with a number is an error, with its place'
mapping <<'END'
tables:
  - { table: public.users, index: users, delete_when: nmae is null }
END
printf '%s\n' "$users" '["I",1,[1,"x",1]]' | map >/dev/null
like "$(cat "$T/status") $(cat "$T/err")" '^100 .*m.yml:2:55: table public.users: .*nmae' \
    'so is an unknown column'

# Values that were not sent --------------------------------------------------------

for policy in merge omit null reject; do
	printf 'tables: [{ table: public.users, index: users, toast: %s, fields: {
	    rename: { name: title }, set: { m: "{n}", both: "{name} {n}" } } }]\n' $policy >"$T/$policy.yml"
done
absent_name="[\"U\",1,[1,$absent,$absent],null]"
cp "$T/merge.yml" "$T/m.yml"
is "$(printf '%s\n' "$users" "$absent_name" | map)" \
    'index users 1 - {"id":1} {"merge":["title","n","m","both"]}' \
    'merge names the fields, by their own names'
like "$(printf '%s\n' "$users" "[\"U\",1,[1,$absent,5],null]" | map)" \
    '^reject users 1 - table public.users: both: column "name" is large' \
    'a text of which a part was sent cannot be merged'
cp "$T/omit.yml" "$T/m.yml"
is "$(printf '%s\n' "$users" "$absent_name" | map)" 'index users 1 - {"id":1}' 'omit leaves them out'
cp "$T/null.yml" "$T/m.yml"
is "$(printf '%s\n' "$users" "$absent_name" | map)" \
    'index users 1 - {"id":1,"title":null,"n":null,"m":null,"both":null}' 'null says null'
cp "$T/reject.yml" "$T/m.yml"
like "$(printf '%s\n' "$users" "$absent_name" | map)" '^reject users 1 - .*title: column "name"' \
    'and reject rejects'
mapping <<'END'
tables: [{ table: public.users, index: users, fields: { flatten: [name] } }]
END
like "$(printf '%s\n' "$users" "$absent_name" | map)" '^reject users 1 - .*name: column "name"' \
    'what becomes several fields cannot be merged'

mapping <<'END'
tables: [{ table: public.users, index: "u-{n}", routing: "{n}", stable: [n],
    fields: { include: [] } }]
END
is "$(printf '%s\n' "$users" '["U",1,[1,"a",5],null]' "[\"U\",1,[2,\"a\",5],$old]" | map)" \
    'index u-5 1 5 {}
delete u-5 1 5 -
index u-5 2 5 {}' 'a stable column is taken for unchanged, also to find the old document'
like "$(cat "$T/err")" 'needs column .*n.*outside the replica identity: deletes without it are rejected' \
    'and deletes are warned about'

# Kinds of changes -----------------------------------------------------------------

mapping <<'END'
tables: [{ table: public.users, index: users, on: { update: partial }, fields: {
    exclude: [id], old: { name: was }, set: { k: 1, up: "{name|upper}" } } }]
END
is "$(printf '%s\n' "$full" '["I",1,[1,"a",1]]' '["U",1,[1,"a",2],[1,"a",1]]' \
    '["U",1,[1,"b",2],[1,"a",2]]' '["U",1,[1,"b",2],[1,"b",2]]' '["U",1,[3,"b",2],[1,"b",2]]' | map)" \
    'index users 1 - {"name":"a","n":1,"k":1,"up":"A"}
update users 1 - {"doc":{"n":2,"was":"a"}}
update users 1 - {"doc":{"name":"b","was":"a","up":"B"}}
delete users 1 - -
index users 3 - {"name":"b","n":2,"was":"b","k":1,"up":"B"}' 'partial: what changed'
is "$(counter unchanged_rows) $(pgcdc-cat <"$T/out" | jq -c 'select(.[0] == "X")[5]' | sort | uniq -c | tr -s ' ')" \
    '1  3 false
 2 null' 'nothing for what did not, and no versions'
is "$(printf '%s\n' "$users" "[\"U\",1,[1,$absent,2],null]" | map)" \
    'update users 1 - {"doc":{"n":2,"was":null}}' 'without an old row: what was sent'
mapping <<'END'
tables: [{ table: public.users, index: users, on: { update: partial }, upsert: true }]
END
is "$(printf '%s\n' "$users" "[\"U\",1,[1,$absent,2],null]" | map)" \
    'index users 1 - {"id":1,"n":2} {"merge":["name"]}' 'no upsert of half a document'
mapping <<'END'
defaults: { nan: string }
tables: [{ table: public.f, index: f, on: { update: partial } }]
END
is "$(map <<'END'
["R",1,"public","f","f",[["id","int4",23,-1,true],["x","float8",701,-1,true]],[0]]
["U",1,[1,{"$float":"NaN"}],[1,{"$float":"NaN"}]]
["U",1,[1,-0.0],[1,0.0]]
["U",1,[1,0.5],[1,{"$float":"NaN"}]]
END
)" 'update f 1 - {"doc":{"x":-0.0}}
update f 1 - {"doc":{"x":0.5}}' 'NaN is no change of NaN, and a sign is one'

mapping <<'END'
tables:
  - table: public.users
    index: users
    on: { insert: script, update: script, delete: script }
    where: n > 0
    script:
      source: |
        ctx._source.n += params.n;
        ctx._source.op = "x"
      lang: expression
      params: { n: "{n}", deep: [ { name: "{name}" }, 1.50 ] }
      scripted_upsert: true
END
is "$(printf '%s\n' "$full" '["I",1,[1,"a",1]]' '["U",1,[1,"a",2],[1,"a",1]]' '["D",1,[1,"a",2]]' \
    '["D",1,[1,"a",0]]' '["S",1,[9,"a",1]]' '["S",1,[9,"a",1]]' | map)" \
    'update users 1 - {"script":{"source":"ctx._source.n += params.n;\nctx._source.op = \"x\"\n","lang":"expression","params":{"n":1,"deep":[{"name":"a"},1.50]}},"scripted_upsert":true,"upsert":{}}
update users 1 - {"script":{"source":"ctx._source.n += params.n;\nctx._source.op = \"x\"\n","lang":"expression","params":{"n":2,"deep":[{"name":"a"},1.50]}},"scripted_upsert":true,"upsert":{}}
update users 1 - {"script":{"source":"ctx._source.n += params.n;\nctx._source.op = \"x\"\n","lang":"expression","params":{"n":2,"deep":[{"name":"a"},1.50]}},"scripted_upsert":true,"upsert":{}}' \
    'scripts run for each change that counts'
is "$(grep -c 'scripts do not run for the rows of a snapshot' "$T/err") $(counter ignored_rows)" '1 2' \
    'but not for rows of a snapshot, which is said once'
like "$(printf '%s\n' "$users" "[\"D\",1,$old]" | map)" '^reject users 1 - .*where: column "n"' \
    'a delete of which nobody knows whether it counts is rejected'

mapping <<'END'
tables:
  - { table: public.users, index: users, on: { delete: index } }
END
is "$(printf '%s\n' "$users" "[\"D\",1,$old]" | map)" \
    'index users 1 - {"id":1} {"merge":["name","n"]}' \
    'a document that outlives its row keeps what the old row does not tell'
mapping <<'END'
tables:
  - { table: public.users, index: e, id: null, on: { insert: create, update: ignore, delete: ignore } }
END
is "$(printf '%s\n' "$users" '["I",1,[1,"a",1]]' | map)" 'create e - - {"id":1,"name":"a","n":1}' \
    'a document without an id'

for word in index create; do
	printf 'tables: [{ table: public.users, index: u, on: { truncate: fail, insert: %s } }]\n' \
	    $word | mapping
	printf '%s\n' "$users" '["M","p",{"$bin":""},"0/1",true]' '["T",[1],false,false]' | map >/dev/null
	like "$(cat "$T/status") $(cat "$T/err")" \
	    '^100 .*truncated.*truncate: fail.*table=public.users.*remedy=' \
	    "truncate: fail stops the program ($word)"
done

# Identifiers ----------------------------------------------------------------------

mapping <<'END'
defaults: { long_id: hash, null_id: skip }
tables: [{ table: public.users, index: users, id: "{name}", fields: { include: [] } }]
END
long=$(printf '%0513d' 0)
is "$(printf '%s\n' "$full" "[\"I\",1,[1,\"$long\",1]]" '["I",1,[1,null,1]]' '["I",1,[1,"",1]]' \
    '["D",1,[1,null,1]]' '["U",1,[1,null,1],[1,"a",1]]' '["U",1,[1,"b",1],[1,null,1]]' | map)" \
    "index users $(printf %s "$long" | sha256sum | cut -d ' ' -f 1) - {}
delete users a - -
index users b - {}" 'long ids are hashed, rows without one skipped, where that is the policy'
is "$(counter skipped_rows)" 4 'and counted'

mapping <<'END'
tables:
  - table: public.users
    index: "{name|lower|left:3}-{name|slug}-{n:%Y}"
    id: "{name|trim|upper}{name|default:none}"
    fields: { include: [] }
END
is "$(printf '%s\n' "$full" '["I",1,[1," ÄBC déf! ","2026-11-23"]]' | map)" \
    'index  äb-äbc-déf-2026 ÄBC DÉF! ÄBC déf!  - {}' 'filters know letters beyond ASCII'
like "$(printf '%s\n' "$full" '["I",1,[1,"a",1]]' | map)" \
    '^reject - A.* - table public.users: index: column "n" is no date or time' \
    'a format of what is no date is a reject'

# Other forms ----------------------------------------------------------------------

# form TYPE VALUE: how the document has it, or the reject's end.
form() {
	printf 'tables: [{ table: public.f, index: f, id: "1{table}{n}", fields: { include: [v], %s } }]\n' \
	    "$1" | mapping
	printf '%s\n' '["R",1,"public","f","n",[["n","int4",23,-1,false],["v","x",0,-1,false]],null]' \
	    "[\"I\",1,[1,$2]]" | map | sed -e 's/^index [^{]*{"v"://' -e 's/}$//' -e 's/.*column "v" //'
}
while IFS='|' read -r how value want; do
	is "$(form "$how" "$value")" "$want" "fields: { $how }: $want"
done <<'END'
types: { v: number }|" +007.50 "|7.50
types: { v: number }|"-.5"|-0.5
types: { v: number }|"5."|5
types: { v: number }|"1e5"|1e5
types: { v: number }|"-$1,234.50"|-1234.50
types: { v: number }|true|1
types: { v: number }|null|null
types: { v: number }|["1",null,"2"]|[1,null,2]
types: { v: number }|"1x"|is no number: "1x"
types: { v: number }|""|is no number: ""
types: { v: string }|12|"12"
types: { v: string }|{"$json":"{\"a\":1}"}|"{\"a\":1}"
types: { v: bool }|"YES"|true
types: { v: bool }|0|false
types: { v: bool }|2|is neither true nor false: "2"
types: { v: date }|1795395723|"2026-11-23T01:02:03Z"
types: { v: date }|-0.5|"1969-12-31T23:59:59.500000Z"
types: { v: date }|"2026-11-23 01:02:03.5+02"|"2026-11-22T23:02:03.500000Z"
types: { v: date }|"2026-11-23"|"2026-11-23"
types: { v: date }|"2026-02-30"|is no date or time: "2026-02-30"
types: { v: json }|"{\"a\":\n1}"|{"a": 1}
types: { v: json }|"{a}"|is no JSON text: no name where a member should be at byte 1
types: { v: geo_point }|"(1,2)"|{"lat":2,"lon":1}
split: { v: ";" }|" a;;b ; "|["a","b"]
split: { v: ";" }|""|[]
join: { v: ", " }|[["a",null],["b",1]]|"a, b, 1"
join: { v: ", " }|[]|""
flatten: { v: p_ }|[1]|[1]
END
like "$(form 'flatten: { v: p_ }, set: { p_a: 1 }' '{"$json":"{\"a\":2}"}')" \
    "another field's name: \"p_a\"" 'a member that is another field is a reject'
# Several rules of one row ----------------------------------------------------------

mapping <<'END'
tables:
  - { table: public.users, also: true, index: users, where: "name = 'a'", fields: { include: [], set: { kind: first } } }
  - { table: public.users, index: users, where: "name <> 'a'", fields: { include: [], set: { kind: second } } }
END
is "$(printf '%s\n' "$full" '["I",1,[1,"b",1]]' '["U",1,[1,"a",1],[1,"b",1]]' '["U",1,[2,"b",1],[1,"a",1]]' | map)" \
    'index users 1 - {"kind":"second"}
delete users 1 - -
index users 1 - {"kind":"first"}
delete users 1 - -
index users 2 - {"kind":"second"}' 'no rule deletes what another one writes'
is "$(printf '%s\n' "$users" '["U",1,[1,"a",1],null]' | map)" \
    'delete users 1 - -
index users 1 - {"kind":"first"}' 'nor without old rows'

# clock CONDITION: is it true of the time 10:00:00.5 and the timetz 10:00:00+02?
clock() {
	printf "tables: [{ table: public.c, index: c, where: \"%s\", fields: { include: [] } }]\n" "$1" | mapping
	printf '%s\n' '["R",1,"public","c","d",[["id","int4",23,-1,true],["t","time",1083,-1,false],
	    ["z","timetz",1266,-1,false]],[0]]' '["I",1,[1,"10:00:00.5","10:00:00+02"]]' | map | cut -d ' ' -f 1
}
is "$(clock "t > '9:00'")$(clock "t = '10:00:00.500'")$(clock "t in ('10:00:00.5'::time)")$(clock 'z is not null')" \
    indexindexindexindex 'times are compared as times'
is "$(clock "t > '10:00:00.50001' or t = '24:00'")" '' 'and may be others'
for no in "t > '25:00'" "t = '10:00+02'" "z = '10:00:00+02'"; do
	clock "$no" >"$T/null"
	is "$(cat "$T/status")" 100 "no condition: $no"
done

# What nobody knows ----------------------------------------------------------------

mapping <<'END'
tables: [{ table: public.users, index: users, where: "n is distinct from old.n", fields: { include: [] } }]
END
is "$(printf '%s\n' "$full" '["I",1,[1,"a",5]]' '["U",1,[1,"a",5],[1,"a",5]]' '["D",1,[1,"a",5]]' | map)" \
    'index users 1 - {}
delete users 1 - -
delete users 1 - -' 'a condition that looks back does not tell what there was'
for update in ignore create; do
	printf 'tables: [{ table: public.users, index: users, where: "n is not null",
	    on: { update: %s }, fields: { include: [] } }]\n' $update | mapping
	is "$(printf '%s\n' "$full" '["I",1,[1,"a",5]]' '["U",1,[1,"a",null],[1,"a",5]]' '["D",1,[1,"a",null]]' | map)" \
	    'index users 1 - {}
delete users 1 - -' "nor one where updates leave the document alone ($update)"
done
mapping <<'END'
tables: [{ table: public.users, index: users, where: "n > 1", on: { update: partial } }]
END
is "$(printf '%s\n' "$users" '["I",1,[1,"a",0]]' '["U",1,[1,"a",5],null]' "[\"U\",1,[1,$absent,6],null]" | map)" \
    'index users 1 - {"id":1,"name":"a","n":5}
index users 1 - {"id":1,"n":6} {"merge":["name"]}' 'partial: the whole document where there may be none'
is "$(printf '%s\n' "$full" '["U",1,[1,"a",6],[1,"a",5]]' '["U",1,[1,"a",7],[1,"a",0]]' | map)" \
    'update users 1 - {"doc":{"n":6}}
index users 1 - {"id":1,"name":"a","n":7}' 'and what changed where there is one'
mapping <<'END'
tables: [{ table: public.users, index: "u-{name:%Y}", fields: { include: [] } }]
END
is "$(printf '%s\n' "$full" '["I",1,[1,"x",1]]' '["U",1,[1,"2026-01-01",1],[1,"x",1]]' '["D",1,[1,"x",1]]' | map | cut -c 1-27)" \
    'reject - 1 - table public.u
index u-2026 1 - {}' 'a row that was rejected has no document to delete'
mapping <<'END'
tables: [{ table: public.users, index: u, routing: "{n}", stable: [n], where: "n is not null", fields: { include: [] } }]
END
is "$(printf '%s\n' "$users" '["I",1,[1,"a",null]]' '["U",1,[1,"a",null],null]' | map)" '' \
    'nor has one that the rule leaves out'
mapping <<'END'
tables: [{ table: public.users, index: u, fields: { include: [], types: { name: number }, old: { name: was } } }]
END
is "$(printf '%s\n' "$full" '["U",1,[1,"5",1],[1,"abc",1]]' | map)" 'index u 1 - {"was":null}' \
    'an old value that could not be written is null'
for reaction in index create 'script }, script: { source: x'; do
	printf 'tables: [{ table: public.users, index: u, where: "n > 3", on: { delete: %s } }]\n' \
	    "$reaction" | mapping
	like "$(printf '%s\n' "$users" "[\"D\",1,$old]" | map)" \
	    '^reject u 1 - .*where: column "n" is not in the old row' "of a delete it is said that it is the old row's: ${reaction%% *}"
done

# Partial updates of what is odd ---------------------------------------------------

mapping <<'END'
tables: [{ table: public.users, index: u, on: { update: partial }, fields: { include: [name] } }]
END
is "$(printf '%s\n' "$full" '["U",1,[1,{"$json":" \n{\"y\":1}"},1],[1,{"$json":"{\"x\":1}"},1]]' | map)" \
    'update u 1 - {"script":{"source":"ctx._source.putAll(params.doc)","lang":"painless","params":{"doc":{"name":  {"y":1}}}}}' \
    'an object with blanks before it is one'
mapping <<'END'
tables: [{ table: public.users, index: u, on: { update: partial }, fields: { include: [n], set: { z: "{name}-{n}" } } }]
END
like "$(printf '%s\n' "$users" "[\"U\",1,[1,$absent,6],null]" | map)" '^reject u 1 - .*z: column "name"' \
    'a text of which a part was sent cannot be left alone'
is "$(printf '%s\n' "$users" "[\"U\",1,[1,$absent,$absent],null]" | map)" '' 'one of which nothing was, can'
mapping <<'END'
tables: [{ table: public.users, index: u, routing: "{n}", version: false }]
END
like "$(printf '%s\n' "$full" "[\"U\",1,[1,$absent,6],[1,$absent,5]]" | map | tail -n 1)" \
    '^reject u 1 6 .*name: .*routing alone changed and the rule has no versions' \
    'what cannot be taken over without versions'

# Flattened columns that meet
like "$(form 'flatten: { v: p_ }, set: { p_a: 1 }' '{"$json":"{\"a\":2}"}')" 'another field' 'a member and a field'
mapping <<'END'
tables: [{ table: public.users, index: u, fields: { flatten: [name, n] } }]
END
like "$(printf '%s\n' "$full" '["I",1,[1,{"$json":"{\"a\":1,\"b\":1}"},{"$json":"{\"c\":1,\"a\":2}"}]]' | map)" \
    '^reject u 1 - .*flatten: two columns have a member of one name: "a"' 'members of two columns'
is "$(printf '%s\n' "$full" '["I",1,[1,{"$json":"{\"a\":1}"},{"$json":"{\"b\":2}"}]]' | map)" \
    'index u 1 - {"id":1,"a":1,"b":2}' 'that do not meet'

# Policies where they were forgotten
mapping <<'END'
defaults: { infinity: null, empty_keys: underscore }
tables: [{ table: public.users, index: u, fields: { include: [n], set: { y: "{name:%Y}" } } }]
END
is "$(printf '%s\n' "$full" '["I",1,[1,"-infinity",{"":"x"}]]' | map)" 'index u 1 - {"n":{"_":"x"},"y":null}' \
    'an infinite date has no year, and keys of hstore can be empty'
mapping <<'END'
defaults: { duplicate_keys: reject }
tables: [{ table: public.users, index: u }]
END
like "$(printf '%s\n' "$full" '["I",1,[1,{"$json":"{\"\":1,\"\":2}"},1]]' | map)" '"duplicate_keys" in defaults has other policies$' \
    'the policy that bites is named'

# Names of changes
mapping <<'END'
tables: [{ table: public.users, index: e, id: "{lsn}-{seq}", fields: { include: [] },
    on: { insert: create, update: create, delete: create } }]
END
printf '%s\n' '["B","0/10",1,5]' "$full" '["I",1,[9,"a",1]]' '["I",1,[9,"a",1]]' '["C","0/20",1]' \
    '["B","0/10",1,null]' '["S",1,[1,"a",1]]' '["S",1,[2,"a",1]]' '["C","0/20",2]' \
    '["B","0/10",1,null]' '["S",1,[3,"a",1]]' '["S",1,[1,"a",1]]' '["C","0/20",3]' | map >"$T/names"
is "$(cut -d ' ' -f 3 "$T/names" | head -n 2 | tr '\n' ' ')$(sed 1,2d "$T/names" | grep -cE ' 0/10-s[0-9a-f]{32} ') $(sort -u "$T/names" | wc -l)" \
    '0/10-1 0/10-2 4 5' 'changes are numbered, and rows of a snapshot known by what is in them'
done_testing
