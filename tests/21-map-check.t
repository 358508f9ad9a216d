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
    on: { insert: create, update: [], truncate: delete }
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
m.yml:2:3: unknown key "where" in defaults; known: numeric, bytea, nan, infinity
m.yml:4:12: table "users" names no schema; write "public.users" or "*.users"
m.yml:5:12: index is text, this is a mapping (a template that starts with { must be quoted)
m.yml:6:9: id "x" names no column: all rows would be one document; a column is written {name}
m.yml:7:14: routing "{a": { without } (a brace itself is written {{)
m.yml:8:19: insert cannot be "create"; known: index, ignore
m.yml:8:35: update is text, this is a list
m.yml:8:49: truncate cannot be "delete"; known: ignore
m.yml:10:20: include names "a" twice
m.yml:11:17: include and exclude in one rule: include alone says what is taken
m.yml:12:17: column "z" is renamed, but it is not included
m.yml:12:26: field "y" already comes from column "z"
m.yml:13:23: a field'"'"'s name is empty
m.yml:14:14: field "k" is both in old and in set
m.yml:14:17: the value of a field "}": } without { (a brace itself is written }})
m.yml:14:22: duplicate key "k", first at line 14
m.yml:14:31: the value of a field is text, this is a list
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
	printf 'tables:\n  - { table: "%s", index: c }\n  - { table: "%s", index: c }\n' \
	    "$1" "$2" >m.yml
	pgcdc-map -m m.yml --check 2>&1
	echo "$?"
}

is "$(order 'a.*' a.b)" \
    'm.yml:3:5: warning: the rule for "a.b" is never used: the one for "a.*" at line 2 comes first
0' 'a rule that an earlier one leaves nothing is warned about'
is "$(order a.b a.b | wc -l)" 2 'the same table twice'
is "$(order '*' 'a.b_*' | wc -l)" 2 'a pattern inside another'
for pair in 'a.b a.*' 'a.* b.c' 'a.b* a.*' 'a.? a.*' 'a.[b]* a.[bc]*' 'a.*c a.*d'; do
	# shellcheck disable=SC2086
	is "$(set -f && order $pair)" 0 "no warning: $pair"
done

done_testing
