#!/bin/sh
# lib.sh itself: that its checks can fail, that it waits as it says, and that it
# leaves nothing behind.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

keep=''
run=${PGCDC_TEST_RUN:-$T/run}

# inner SCRIPT: runs it as a test of its own; its output comes to $T/out, its exit
# status to $status, and its $T is $inner_t.
inner() {
	mkdir -p "$T/tests"
	{
		echo "T=; . '$TOP/tests/lib.sh'"
		echo "echo \"\$T\" >'$T/inner_t'"
		echo "_tests=$TOP/tests TOP=$TOP"
		printf '%s\n' "$1"
	} >"$T/tests/inner.t"
	KEEP=$keep PGCDC_TEST_RUN=$run sh "$T/tests/inner.t" >"$T/out" 2>&1
	status=$?
	inner_t=$(cat "$T/inner_t")
}

# fails SCRIPT DESCRIPTION: its one check does.
fails() {
	inner "$1
	done_testing"
	like "$(cat "$T/out")" '^not ok 1 - x' "$2: not ok"
	[ "$status" -ne 0 ] || ok "$2: exit status" false
}

# passes SCRIPT DESCRIPTION
passes() {
	inner "$1
	done_testing"
	like "$(cat "$T/out")" '^ok 1 - x' "$2: ok"
	is "$status" 0 "$2: exit status"
}

passes 'ok x true' 'ok, of a command that succeeds'
fails 'ok x false' 'ok, of a command that fails'
passes 'ok x not false' 'not, of a command that fails'
fails 'ok x not true' 'not, of a command that succeeds'
passes 'is a a x' 'is, equal'
fails 'is a b x' 'is, unequal'
like "$(cat "$T/out")" '^# expected: b' 'is: what was expected is said'
passes 'like "one two" "^one" x' 'like, matching'
fails 'like "one two" "^two" x' 'like, not matching'
passes 'is_json "{\"a\":1, \"b\":[1.0,null]}" "{\"b\":[1.0,null],\"a\":1}" x' 'is_json, equal'
fails 'is_json "{\"a\":1.0}" "{\"a\":1}" x' 'is_json, a number written otherwise'
fails 'is_json "{\"a\":9007199254740993}" "{\"a\":9007199254740992}" x' 'is_json, beyond 2^53'
fails 'is_json "{\"a\":1,\"a\":1}" "{\"a\":1}" x' 'is_json, a member that is there twice'
fails 'is_json "{" "{\"a\":1}" x' 'is_json, no JSON'
passes 'echo 1 >"$T/a"; echo 1 >"$T/b"; same "$T/a" "$T/b" x' 'same, equal'
fails 'echo 1 >"$T/a"; echo 2 >"$T/b"; same "$T/a" "$T/b" x' 'same, unequal'
fails 'echo 1 >"$T/a"; same "$T/a" "$T/b" x' 'same, a file that is missing'
passes 'exits 3 x sh -c "exit 3"' 'exits, that status'
fails 'exits 0 x sh -c "exit 3"' 'exits, another status'

# Waiting
passes 'bg later sh -c "sleep 0.2; touch $T/file"; wait_for x 20 test -e "$T/file"' \
    'wait_for, a condition that comes true'
fails 'echo "line of the log" >"$T/some.log"; wait_for x 1 sh -c "echo last words; false"' \
    'wait_for, a condition that does not'
like "$(cat "$T/out")" '^# not within 1 s' 'wait_for says that time is up'
like "$(cat "$T/out")" '^# last words' 'wait_for says what the command printed last'
like "$(cat "$T/out")" '^# line of the log' 'wait_for shows the logs'
passes 'bg child sh -c "exit 7"; wait_exit x 20 "$BG_PID" 7' 'wait_exit, that status'
fails 'bg child sh -c "exit 7"; wait_exit x 20 "$BG_PID" 0' 'wait_exit, another status'
fails 'bg child sleep 1000; wait_exit x 1 "$BG_PID" 0' 'wait_exit, a process that goes on'

passes "bg child sh -c 'sleep 0 & echo \$! >$T/zombie; exec sleep 1000'
	_until 20 grep -q '^State:.Z' /proc/\$(_until 20 test -s $T/zombie; cat $T/zombie)/status
	ok x _ended \$(cat $T/zombie)" 'a zombie has ended'

# The end
inner 'ok x true'
is "$status" 1 'a test that forgets done_testing fails'
ok 'and prints no plan' not grep -q '^1\.\.' "$T/out"
inner 'ok x true; exit 0'
is "$status" 1 'a test that exits before the end fails'
inner 'ok x true; bail "no server"'
is "$status" 1 'a test that bails fails'
inner 'skip_all "no reason"'
is "$(cat "$T/out")" '1..0 # SKIP no reason' 'a test can be skipped'
is "$status" 0 'and does not fail'
inner 'ok x false; done_testing'
is "$(ls -d "$inner_t" 2>&1)" "ls: cannot access '$inner_t': No such file or directory" \
    'its folder is gone'
keep=1
inner 'ok x false; done_testing'
ok 'with KEEP=1 it is kept' test -d "$inner_t"
rm -rf "$inner_t"
inner 'ok x true; done_testing'
ok 'unless all is well' not test -e "$inner_t"
keep=''

# runs NAME: has the process whose pid is in $T/NAME not ended?
runs() {
	grep -qs '^State:[[:space:]]*[^ZX[:space:]]' "/proc/$(cat "$T/$1")/status"
}
inner "bg stubborn sh -c 'trap \"\" TERM; sleep 1000 & echo \$! >$T/deep; wait; sleep 1000'
	echo \"\$BG_PID\" >$T/leader
	_until 20 test -s $T/deep
	done_testing"
ok 'what bg started is killed, also when it ignores TERM' not runs leader
ok 'and its children' not runs deep
inner "setsid sh -c 'echo \$\$ >$T/stray; sleep 1000' >/dev/null 2>&1 &
	_until 20 test -s $T/stray
	done_testing"
ok 'and what left its group' not runs stray

bg waiting sh "$T/tests/inner.t"
like "$(vmhwm $$)" '^[1-9][0-9]*$' 'vmhwm of this shell'

# The servers' helpers
need_pg
pg_db
sql 'CREATE TABLE t (id int PRIMARY KEY, n numeric, s text)'
sql "INSERT INTO t VALUES (2, 1.10, E'a\\\\b\"\\tc'), (1, 12345678901234567890, 'é')"
is "$(sql 'SELECT count(*), 1 FROM t')" '2|1' 'sql'
ok 'sql fails when a statement does' not sql 'SELECT 1/0; SELECT 1'
sql "SELECT 1 FROM pg_create_logical_replication_slot('${ID}_slot', 'pgoutput')" >"$T/null"
like "$(slot_confirmed "${ID}_slot")" '^[0-9A-F]+/[0-9A-F]+$' 'slot_confirmed'
sql "SELECT id || E'\\t' || row_to_json(t) FROM t" | canonical_docs >"$T/rows"
printf '%s\t%s\n' 1 '{"id":1,"n":12345678901234567890,"s":"é"}' \
    2 '{"id":2,"n":1.10,"s":"a\\b\"\tc"}' >"$T/expected"
same "$T/rows" "$T/expected" 'canonical_docs: rows of a table, exactly'

# An inner test is to use our server, also where this one is a test's own.
if [ -z "${PGCDC_TEST_RUN:-}" ]; then
	mkdir "$run"
	ln -s "$PG_DIR" "$run/pg"
	echo 0 >"$run/pg.status"
fi
cat >"$T/leaves" <<'EOF'
need_pg
pg_db other
echo "$ID" >"${0%/*}/id"
sql "CREATE ROLE ${ID}_role"
sql "SELECT pg_create_logical_replication_slot('${ID}_slot', 'pgoutput')"
pg_recvlogical -d "$PGDATABASE" -S "${ID}_slot" --start -f /dev/null \
    -o proto_version=1 -o publication_names=none >/dev/null 2>&1 &
active() {
	[ "$(sql "SELECT active FROM pg_replication_slots WHERE slot_name = '${ID}_slot'")" = t ]
}
wait_for x 20 active
done_testing
EOF
inner "$(cat "$T/leaves")"
like "$(cat "$T/out")" '^ok 1' 'another test leaves a database, a role and a slot in use'
inner_id=$(cat "$T/tests/id")
is "$(sql "SELECT datname FROM pg_database WHERE starts_with(datname, '$inner_id')
    UNION ALL SELECT slot_name FROM pg_replication_slots WHERE starts_with(slot_name, '$inner_id')
    UNION ALL SELECT rolname FROM pg_roles WHERE starts_with(rolname, '$inner_id')")" '' \
    'at its end they are gone'
is "$(sql 'SELECT count(*) FROM t')" 2 'and ours is there'

need_es
i=0
while [ $i -lt 12000 ]; do
	i=$((i + 1))
	printf '{"index":{"_id":"%d"}}\n{"z":1.50,"a":%d}\n' $i $i
done >"$T/bulk"
es POST "/${ID}_i/_bulk" "@$T/bulk" >"$T/answer"
is "$(jq .errors "$T/answer")" false 'es: a bulk request from a file'
es_docs "${ID}_i" >"$T/docs"
is "$(wc -l <"$T/docs")" 12000 'es_docs: every document, more than a page'
is "$(grep '^11999	' "$T/docs")" '11999	{"a":11999,"z":1.50}' 'es_docs: canonical sources'
ok 'es_docs: in the order of ids' sort -c -t '	' -k 1,1 "$T/docs"
exits 22 'es: an error of the node is one' es GET "/${ID}_none/_doc/1"
like "$(cat "$T/out")" index_not_found 'es: and its text is there'

done_testing
