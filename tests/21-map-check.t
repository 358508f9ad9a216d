#!/bin/sh
#
# pgcdc-map --check and the command line: what is wrong is said with its place, all of it
# in one go.

# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
cd "$T" || exit 1

# The command line -----------------------------------------------------------------

exits 100 'no mapping file is a usage error' pgcdc-map
like "$(cat err)" '^pgcdc-map: -m FILE' 'that says what is missing'
exits 100 'an unknown option is one' pgcdc-map --nonsense
exits 100 'so is an argument' pgcdc-map -m m.yml extra
exits 0 '-h' pgcdc-map -h
like "$(cat out)" '^usage: pgcdc-map -m FILE' 'shows the usage'
exits 0 '--version' pgcdc-map --version
like "$(cat out)" '^pgcdc-map [0-9]+\.[0-9]+' 'shows the version'
exits 100 'a file that is not there is permanent' pgcdc-map -m none.yml --check
like "$(cat err)" 'none.yml.*No such file' 'and named'
exits 100 'a folder is no mapping file' pgcdc-map --mapping . --check
like "$(cat err)" 'Is a directory' 'and that is said'
printf 'tables: [{table: a.b, index: c}]\n' >m.yml
exits 0 'a good file' pgcdc-map -m m.yml --check
is "$(cat out err)" '' 'has nothing said of it'
exits 111 'and is used' pgcdc-map -m m.yml
exits 100 'standard input must be open' sh -c 'exec pgcdc-map -m m.yml <&-'
exits 100 'so must standard output' sh -c 'exec pgcdc-map -m m.yml >&-'

sed -n '/^\.\\" example check/,/^\.Ed/p' "$TOP/man/pgcdc-map.1" | sed '1,2d;$d' >shown
printf 'tables:\n  - tabel: public.users\n    index: users\n' >mapping.yml
is "$(eval "$(sed -n '1s/^\$ //p' shown)" 2>&1)" "$(sed 1d shown)" \
    'pgcdc-map(1): the example of --check'

printf 'tables:\n  - table: public.users\n    index: users\n    fields: { old: { name: was } }\n' >m.yml
exits 0 'a rule with old values is good' pgcdc-map -m m.yml --check
is "$(cat "$T/err")" 'm.yml:4:22: warning: "old" needs REPLICA IDENTITY FULL on "public.users": with another one, old values outside the identity are null' \
    'and what they need is said beforehand'

# libpq is for the catalog alone.
mkdir lib
: >lib/libpq.so.5
printf 'tables: [{table: a.b, index: c}]\n' >m.yml
for options in --check --explain --template '--list tables'; do
	# shellcheck disable=SC2086
	exits 100 "$options without libpq" \
	    env LD_LIBRARY_PATH="$T/lib" pgcdc-map -m m.yml $options -d dbname=none
	like "$(cat err)" ' error .*cannot load libpq.* library=libpq\.so\.5 error=' 'says so'
done
printf '%s\n' '["H",{"v":1}]' '["E","0/1","done"]' | pgcdc-cat --pack >frames
# shellcheck disable=SC2016
exits 0 'mapping needs none' env LD_LIBRARY_PATH="$T/lib" sh -c 'pgcdc-map -m m.yml <frames'

# What is wrong --------------------------------------------------------------------

# says TEXT DESCRIPTION: --check of m.yml says it, and that is all.
says() {
	pgcdc-map -m m.yml --check >out 2>err
	is "$? $(cat out err)" "100 $1" "$2"
}

printf '' >m.yml
says 'm.yml:1:1: the file is empty; it needs at least "tables:"' 'an empty file'
echo '{}' >m.yml
says 'm.yml:1:1: the mapping file needs "tables"' 'a file without rules'
echo 'tables: []' >m.yml
says 'm.yml:1:9: tables is empty: no table has a rule' 'no rule'
echo 'tables:' >m.yml
says 'm.yml:1:8: tables is a list, this is nothing' 'nothing'
echo '- a' >m.yml
says 'm.yml:1:1: the mapping file is a mapping, this is a list' 'another kind'
printf 'tables: [{table: a.b, index: c}]\n---\n{}\n' >m.yml
says 'm.yml:3:1: a second document; there may be one' 'two documents'
printf 'tables:\n\t- table: a.b\n' >m.yml
says 'm.yml:2:1: found character that cannot start any token (a tab, or one of @ ` % that must be quoted)' \
    'a tab'
printf 'tables: [{table: a.b, index: c}\n' >m.yml
says "m.yml:2:1: did not find expected ',' or ']' while parsing a flow sequence at line 1" \
    'broken YAML'
printf 'tables: [{table: **, index: c}]\n' >m.yml
says 'm.yml:1:19: did not find expected alphabetic or numeric character while scanning an alias (a pattern that starts with * must be quoted)' \
    'a star without quotes'
printf 'tables: [{table: a.b, index: \377}]\n' >m.yml
says 'm.yml:1:30: invalid leading UTF-8 octet' 'no UTF-8'
printf 'tables: [{table: a.b, index: !x c}]\n' >m.yml
says 'm.yml:1:30: tag !x: tags have no meaning here' 'a tag'
printf 'tables: [{table: "a.\\0b", index: c}]\n' >m.yml
says 'm.yml:1:18: table has a NUL byte in it' 'a NUL'
printf 'tables: &t [*t]\n' >m.yml
says 'm.yml:1:9: a rule is a mapping, this is a list' 'a loop'

cat >m.yml <<'END'
defaults: { numeric: numbr,
  where: a }
tables:
  - table: users
    index: {tenant}
    id: x
    routing: "{a"
    on: { insert: partial, update: [], truncate: cascade }
    fields:
      include: [a, a, b]
      exclude: [c]
      rename: { z: y, a: y }
      old: { a: k, b: "" }
      set: { k: "}", k: 1, x: [] }
  - public.users
  - { table: a.b, index: "A-{table}" }
  - { table: a.c,
    indx: c }
  - { table: a.d, index: _x }
  - { table: a.e, index: a b }
table: a.b
END
says 'm.yml:1:22: numeric cannot be "numbr"; did you mean "number"?
m.yml:2:3: unknown key "where" in defaults; known: numeric, bytea, nan, infinity, bc, invalid_utf8, duplicate_keys, empty_keys, long_id, null_id
m.yml:4:12: table "users" names no schema; write "public.users" or "*.users"
m.yml:5:12: index is text, this is a mapping (a template that starts with { must be quoted)
m.yml:6:9: id "x" names no column: all rows would be one document; a column is written {name}
m.yml:7:14: routing "{a": { without } (a brace itself is written {{)
m.yml:8:19: insert cannot be "partial"; known: index, create, script, ignore
m.yml:8:36: update is text, this is a list
m.yml:8:50: truncate cannot be "cascade"; known: ignore, delete, fail
m.yml:10:20: include names "a" twice
m.yml:11:17: include and exclude in one rule: include alone says what is taken
m.yml:12:17: column "z" is renamed, but it is not included
m.yml:12:26: field "y" already comes from column "z"
m.yml:13:23: a field'"'"'s name is empty
m.yml:14:14: field "k" is both in old and in set
m.yml:14:17: the value of a field "}": } without { (a brace itself is written }})
m.yml:14:22: duplicate key "k", first at line 14
m.yml:15:5: a rule is a mapping, this is text
m.yml:16:26: index "A-{table}": index names are lower case
m.yml:18:5: unknown key "indx" in a rule; did you mean "index"?
m.yml:19:26: index "_x": an index name starts with neither -, _ nor +
m.yml:20:26: index "a b": an index name has no blank and none of \ / * ? " < > | , # :
m.yml:21:1: unknown key "table" in the mapping file; did you mean "tables"?' \
    'all errors of one file'

cat >m.yml <<'END'
tables:
  - { table: a.b }
  - { index: a }
END
says 'm.yml:2:5: a rule needs "index"
m.yml:3:5: a rule needs "table"' 'what is missing'
exits 100 'without --check' pgcdc-map -m m.yml
is "$(grep -c ' error pgcdc-map msg="m.yml:[23]:5: a rule needs' err)" 2 \
    'the same errors are in the log'
PGCDC_LOG=json pgcdc-map -m m.yml --check 2>err
is "$(jq -r .msg err)" 'm.yml:2:5: a rule needs "index"
m.yml:3:5: a rule needs "table"' 'and with PGCDC_LOG=json they are JSON'

for template in '{}' 'a}' '{a' '{a{b}' '{"a}' '{""}' '{"a"b}'; do
	printf "tables: [{table: a.b, index: c, id: '%s'}]\n" "$template" >m.yml
	exits 100 "no template: $template" pgcdc-map -m m.yml --check
done
for template in '{a}' '{{{a}}}' 'x{a}{b}' '{"a""}"}'; do
	printf "tables: [{table: a.b, index: c, id: '%s'}]\n" "$template" >m.yml
	exits 0 "a template: $template" pgcdc-map -m m.yml --check
done

# Each key's own mistakes: the rule or defaults on one line, and what is said of it.
while IFS='@' read -r line want; do
	case $line in
	defaults*) printf '%s\ntables: [{ table: a.b, index: c }]\n' "$line" ;;
	*) printf 'tables:\n  - { table: a.b, %s }\n' "$line" ;;
	esac >m.yml
	says "m.yml:$want" "$line"
done <<'END'
defaults: { bytea: b }@1:20: bytea cannot be "b"; known: base64, hex
defaults: { nan: x }@1:18: nan cannot be "x"; known: reject, null, string
defaults: { infinity: nul }@1:23: infinity cannot be "nul"; did you mean "null"?
defaults: { bc: ~, nan: }@1:25: nan is empty
defaults: { bc: isoo }@1:17: bc cannot be "isoo"; did you mean "iso"?
defaults: { invalid_utf8: x }@1:27: invalid_utf8 cannot be "x"; known: bytes, replace, reject
defaults: { duplicate_keys: first }@1:29: duplicate_keys cannot be "first"; known: keep, last, reject
defaults: { empty_keys: x }@1:25: empty_keys cannot be "x"; known: keep, drop, underscore, reject
defaults: { long_id: cut }@1:22: long_id cannot be "cut"; known: reject, hash
defaults: { null_id: null }@1:22: null_id cannot be "null"; known: reject, skip
index: c, also: yes@2:35: also is true or false
index: c, require_alias: [a]@2:44: require_alias is true or false
index: c, version: 5@2:38: version is true or false
index: c, upsert: "true"@2:37: upsert is true or false
index: c, stable: a@2:37: stable is a list, this is text
index: c, stable: [a, a]@2:41: stable names "a" twice
index: c, toast: keep@2:36: toast cannot be "keep"; known: merge, reject, null, omit
index: c, pipeline: "{a"@2:39: pipeline "{a": { without } (a brace itself is written {{)
index: c, pipeline: []@2:39: pipeline is text, this is a list
index: c, where: []@2:36: where is text, this is a list
index: c, where: ""@2:36: where is empty
index: c, where: "a = "@2:41: where: expected a value, not the end
index: c, where: a == 1@2:38: where: unknown operator "=="; did you mean "="?
index: c, delete_when: "a is nul"@2:48: delete_when: expected null, true, false, unknown or distinct from, not "nul"
index: c, on: { insert: delete }@2:43: insert cannot be "delete"; known: index, create, script, ignore
index: c, on: { update: delete }@2:43: update cannot be "delete"; known: index, create, partial, script, ignore
index: c, on: { delete: partial }@2:43: delete cannot be "partial"; known: delete, index, create, script, ignore
index: c, on: { upsert: index }@2:35: unknown key "upsert" in on; did you mean "insert"?
index: c, id: null@2:33: without an id no update or delete finds the document: on: { insert: create, update: ignore, delete: ignore }
index: c, id: "{op}{a}"@2:33: id has {op}, {lsn}, {seq} or {commit_time} in it, so that the next change of the row would not find the document; that needs create for all changes
index: "c{lsn}"@2:26: index has {op}, {lsn}, {seq} or {commit_time} in it, so that the next change of the row would not find the document; that needs create for all changes
index: c, routing: "{commit_time}"@2:38: routing has {op}, {lsn}, {seq} or {commit_time} in it, so that the next change of the row would not find the document; that needs create for all changes
index: c, on: { insert: script }@2:5: on says script, so the rule needs "script"
index: c, script: { source: x }@2:37: the script is never run: "on" says for what, as in on: { insert: script, update: ignore, delete: ignore }
index: c, script: { lang: x }@2:37: a script needs "source"
index: c, script: { source: [] }@2:47: source is text, this is a list
index: c, script: { lang: {} , source: x }@2:45: lang is text, this is a mapping (a template that starts with { must be quoted)
index: c, script: { params: [], source: x }@2:47: params is a mapping, this is a list
index: c, script: { upsert: 5, source: x }@2:47: upsert is a mapping, this is text
index: c, script: { scripted_upsert: 5, source: x }@2:56: scripted_upsert is true or false
index: c, upsert: true@2:5: upsert is for on: { update: partial }; a script has an upsert of its own
index: c, truncate_query: x@2:45: truncate_query is a mapping, the query's, this is text
index: c, truncate_query: { a: 1, a: 2 }@2:53: duplicate key "a", first at line 2
index: c, truncate_query: { term: {} }@2:5: truncate_query is for on: { truncate: delete }
index: "{c}-x", on: { truncate: delete }@2:51: truncate: delete needs an index that begins with text: "c" could be any
index: c, fields: { types: { a: int } }@2:51: a type cannot be "int"; known: number, string, bool, date, json, geo_point, geojson
index: c, fields: { types: [a] }@2:46: types is a mapping, this is a list
index: c, fields: { types: { a: json }, split: { a: "," } }@2:68: column "a" is in split, and already has another form at line 2
index: c, fields: { join: { a: "" } }@2:50: a separator is empty
index: c, fields: { flatten: { a: "" } }@2:53: a prefix is empty
index: c, fields: { flatten: a }@2:48: flatten is a list, this is text
index: c, fields: { flatten: [a, a] }@2:52: column "a" is in flatten, and already has another form at line 2
index: c, on: { update: partial }, fields: { flatten: [a] }@2:74: flatten in a rule with update: partial: members that the row loses would stay in the document
index: c, fields: { set: { a: [ { b: "{" } ] } }@2:56: the value of a field "{": { without } (a brace itself is written {{)
index: c, id: "{a|lwer}"@2:33: id "{a|lwer}": unknown filter "lwer"; known: lower, upper, trim, string, default:TEXT, left:N, hash, slug, and {column:FORMAT} for dates
index: c, id: "{a|lower:5}"@2:33: id "{a|lower:5}": the filter lower takes nothing behind a colon
index: c, id: "{a|default}"@2:33: id "{a|default}": the filter default needs something behind a colon
index: c, id: "{a|left:x}"@2:33: id "{a|left:x}": left needs a number of characters, as in {name|left:20}
index: c, id: "{a|left:0}"@2:33: id "{a|left:0}": left needs a number of characters, as in {name|left:20}
index: c, id: "{a:}"@2:33: id "{a:}": a colon without a format; one is written {created_on:%Y.%m}
END

printf 'tables:\n  - { table: a.b, index: c, on: { truncate: delete } }\n  - { table: a.d, index: c }\n' >m.yml
says 'm.yml:2:45: truncate: delete would delete the documents of the rule at line 3, too: give this rule a "truncate_query"' \
    'truncates of a shared index'
printf 'tables:\n  - { table: "a.*", index: c, on: { truncate: delete } }\n' >m.yml
says 'm.yml:2:47: truncate: delete could delete the documents of other tables like "a.*", too: make the index of {table} and text alone (with {schema}, where that is a pattern), or give the rule a "truncate_query"' \
    'truncates of an index that many tables share'
{
	echo 'tables:'
	echo '  - table: a.b'
	echo '    index: c'
	echo '    fields:'
	echo '      set:'
	printf '        a: &l0 [1]\n'
	for n in $(seq 1 15); do
		printf '        k%d: &l%d [*l%d, *l%d, *l%d]\n' "$n" "$n" $((n - 1)) $((n - 1)) $((n - 1))
	done
} >m.yml
exits 100 'aliases of aliases of aliases' pgcdc-map -m m.yml --check
like "$(cat err)" 'more than 100000 values' 'do not grow without bound'
printf 'tables:\n  - { table: a.b, index: c, fields: { set: { a: %s1%s } } }\n' \
    "$(printf '%030d' 0 | tr 0 '[')" "$(printf '%030d' 0 | tr 0 ']')" >m.yml
says 'm.yml:2:69: the value of a field is nested more than 20 deep' 'values in values in values'
printf 'tables:\n  - table: a.b\n    index: c\n    where: >\n      a\n      = = b\n' >m.yml
like "$(pgcdc-map -m m.yml --check 2>&1)" '^m.yml:4:12: where: ' 'of a folded text the start is told'

{
	echo 'tables:'
	for n in $(seq 150); do
		echo "  - { table: a.b$n, index: c, key$n: d }"
	done
} >m.yml
exits 100 'a file full of errors' pgcdc-map -m m.yml --check
is "$(grep -c 'unknown key' err) $(grep -c 'more errors.*errors=150' err)" '100 1' \
    'has a hundred shown and all counted'
head -c 1100000 /dev/zero | tr '\0' '#' >m.yml
exits 100 'an endless file is not read' pgcdc-map -m m.yml --check
like "$(cat err)" 'longer than 1 MiB' 'and that is said'

# Warnings -------------------------------------------------------------------------

# order EARLIER LATER: the warnings about a rule for the one after a rule for the other.
order() {
	printf 'tables:\n  - { table: "%s", index: "{table}" }\n  - { table: "%s", index: "{table}" }\n' \
	    "$1" "$2" >m.yml
	pgcdc-map -m m.yml --check 2>&1
	echo "$?"
}

is "$(order 'a.*' a.b)" \
    'm.yml:3:5: warning: the rule for "a.b" is never used: the one for "a.*" at line 2 comes first (also: true would let it go on)
0' 'a rule that an earlier one leaves nothing is warned about'
is "$(order a.b a.b | wc -l)" 2 'the same table twice'
is "$(order '*' 'a.b_*' | wc -l)" 2 'a pattern inside another'
for pair in 'a.b a.*' 'a.* b.c' 'a.b* a.*' 'a.? a.*' 'a.[b]* a.[bc]*' 'a.*c a.*d'; do
	# shellcheck disable=SC2086
	is "$(set -f && order $pair)" 0 "no warning: $pair"
done

# shared TABLE REST TABLE REST: what is said of two rules.
shared() {
	printf 'tables:\n  - { table: %s, index: %s }\n  - { table: %s, index: %s }\n' "$@" >m.yml
	pgcdc-map -m m.yml --check 2>&1
	echo "$?"
}
is "$(shared a.b all c.d all)" 'm.yml:3:26: warning: index "all" is that of "a.b" at line 2, too: rows of both with one primary key are one document; such as id: "{table}-{…}"
0' 'two tables whose keys would meet in one index'
is "$(shared a.b x 'c.*' all)" 'm.yml:3:26: warning: index "all" is that of all tables like "c.*": rows of several with one primary key are one document; such as index: "{table}"
0' 'all tables of a pattern'
is "$(shared a.b all c.d 'all, id: "{table}-{id}"')" 0 'but not with ids of their own'
is "$(shared a.b all c.d 'all, on: { insert: ignore, update: partial }')" 0 'nor where a document is to be of two rows'

# Limits ----------------------------------------------------------------------------

{
	printf 'tables:\n  - table: a.b\n    index: c\n    fields:\n      exclude: ['
	i=0
	while [ "$((i += 1))" -le 10001 ]; do
		printf 'c%d,' "$i"
	done
	echo ']'
} >m.yml
exits 100 'too many columns' pgcdc-map -m m.yml --check
like "$(cat err)" 'm.yml:5:[0-9]+: exclude has more than 10000 columns' 'are an error'
{
	printf 'tables:\n  - table: a.b\n    index: c\n    fields:\n      rename: {'
	i=0
	while [ "$((i += 1))" -le 10001 ]; do
		printf 'c%d: d,' "$i"
	done
	echo '}'
} >m.yml
exits 100 'too many keys' pgcdc-map -m m.yml --check
like "$(cat err)" 'm.yml:5:[0-9]+: rename has more than 10000 keys' 'are one, too'

done_testing
