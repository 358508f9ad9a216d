#!/bin/sh
# pgcdc-map: what is made of old rows that are not whole, and of values that are equal
# but not the same.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

absent='{"$absent":true}'

# maps DESCRIPTION RULE COLUMNS FRAME ACTION...: a rule for public.t without its table, the
# columns' name:type:in_identity, and the actions: op, index, id, body or reason.
maps() {
	_what=$1
	printf 'defaults: { nan: null, infinity: null }\ntables: [{ table: public.t, %s }]\n' "$2" >"$T/m.yml"
	_columns=$(printf '%s' "$3" | jq -Rc 'split(" ") | map(split(":") |
	    [.[0], .[1], (.[2] | tonumber), -1, .[3] == "key"])')
	printf '%s\n' '["H",{"v":1,"run":"r"}]' '["B","0/10",0,7]' \
	    "[\"R\",1,\"public\",\"t\",\"d\",$_columns,[0]]" "$4" '["C","0/20",1]' '["E","0/20","x"]' |
	    pgcdc-cat --pack >"$T/frames"
	shift 4
	pgcdc-map -m "$T/m.yml" <"$T/frames" 2>"$T/map.log" | pgcdc-cat |
	    jq -r 'select(.[0] == "X") | [.[1], .[3] // "-", .[4] // "-", .[7] // "-"] | join(" ")' >"$T/got"
	is "$(sed 's/; ALTER TABLE.*//' "$T/got")" "$(printf '%s\n' "$@")" "$_what"
}

# Stable columns
text='k:int4:23:key a:text:25 b:text:25'
gone="[1,$absent,$absent]"
maps 'stable: another key, the id is a stable column' 'index: t, id: "{a}", stable: [a]' "$text" \
    "[\"U\",1,[2,\"x\",\"y\"],$gone]" 'index t x {"k":2,"a":"x","b":"y"}'
maps 'stable: another key, the index is a stable column' 'index: "t-{a}", stable: [a]' "$text" \
    "[\"U\",1,[2,\"x\",\"y\"],$gone]" 'delete t-x 1 -' 'index t-x 2 {"k":2,"a":"x","b":"y"}'
maps 'stable: and a value that was not sent' 'index: "t-{a}", stable: [a]' "$text" \
    "[\"U\",1,[2,\"x\",$absent],$gone]" 'index t-x 2 {"k":2,"a":"x"}'
maps 'not stable: nobody knows where it was' 'index: "t-{a}"' "$text" "[\"U\",1,[2,\"x\",\"y\"],$gone]" \
    'reject t-x 2 table public.t: index: column "a" is not in the old row that the server sent'
maps 'stable: of a delete, too, the row has no value' 'index: "t-{a}", stable: [a]' "$text" "[\"D\",1,$gone]" \
    'reject - 1 table public.t: index: column "a" is not in the old row that the server sent'

# Events
events='index: t, id: null, on: { insert: create, update: create, delete: create }'
maps "a delete's event without the row" "$events" "$text" "[\"D\",1,$gone]" \
    'reject t - table public.t: a: column "a" is not in the old row that the server sent'
maps "an update's event without a large value" "$events" "$text" "[\"U\",1,[1,\"x\",$absent],null]" \
    'reject t - table public.t: b: column "b" is large and unchanged, so the server did not send it'
maps 'toast: omit' "$events, toast: omit" "$text" "[\"D\",1,$gone]" 'create t - {"k":1}'
maps 'toast: null' "$events, toast: null" "$text" "[\"D\",1,$gone]" 'create t - {"k":1,"a":null,"b":null}'
maps 'only what there is' "$events, fields: { include: [k], set: { op: '{op}' } }" "$text" "[\"D\",1,$gone]" \
    'create t - {"k":1,"op":"delete"}'
maps 'an index beside creates takes over' 'index: t, on: { insert: create }' "$text" \
    "[\"U\",1,[1,\"x\",$absent],null]" 'index t 1 {"k":1,"a":"x"}'

# Equal, and not the same
zero='{"$float":"0"}' minus='{"$float":"-0"}'
float='k:float8:701:key a:float8[]:1022'
maps 'a key from 0 to -0' 'index: t' "$float" "[\"U\",1,[$minus,null],[$zero,$absent]]" \
    'delete t 0 -' 'index t -0 {"k":-0.0,"a":null}'
maps 'partial: 0 to -0 is a change' 'index: t, on: { update: partial }' "$float" \
    "[\"U\",1,[$zero,[$minus]],[$zero,[$zero]]]" 'update t 0 {"doc":{"a":[-0.0]}}'
maps 'partial: nothing changed' 'index: t, on: { update: partial }' "$float" \
    "[\"U\",1,[$minus,[$minus]],[$minus,[$minus]]]"

# Ids tell apart what documents don't, by these policies.
nan='{"$float":"NaN"}' infinite='{"$float":"Infinity"}'
maps 'an id with NaN in an array' 'index: t, id: "{a}"' "$float" "[\"I\",1,[$zero,[$nan]]]" \
    'index t ["NaN"] {"k":0.0,"a":[null]}'
maps 'an id with an infinity in an array' 'index: t, id: "{a}"' "$float" "[\"I\",1,[$zero,[$infinite]]]" \
    'index t ["Infinity"] {"k":0.0,"a":[null]}'
maps 'an id of an infinite range' 'index: t, id: "{r}"' 'k:int4:23:key r:daterange:3912' \
    '["I",1,[1,{"lower":"-infinity","upper":null,"bounds":"[)"}]]' \
    'index t {"lower":"-infinity","upper":null,"bounds":"[)"} {"k":1,"r":{"lower":null,"upper":null,"bounds":"[)"}}'
done_testing
