#!/bin/sh
#
# pgcdc setup and drop: what they make and take away, that either can be repeated, what they
# print for somebody with more rights, and what they refuse.

# shellcheck disable=SC2016 # what is not to be expanded
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

need_pg
need_es
pg_db
role=${ID}_cdc
sql "CREATE SCHEMA \"Sales\"; CREATE TABLE users (id int PRIMARY KEY, name text, born date);
CREATE TABLE \"Sales\".\"Orders\" (id int PRIMARY KEY, total numeric(10,2));
CREATE TABLE others (id int PRIMARY KEY);
CREATE ROLE $role LOGIN PASSWORD 'secret'"
cat >"$T/map.yml" <<END
tables:
  - table: public.users
    index: ${ID}_users
  - table: Sales.Orders
    index: ${ID}_orders
END
conf=$T/shop.conf
cat >"$conf" <<END
PGCDC_CONNINFO="host=$PGHOST port=$PGPORT dbname=$PGDATABASE user=$role password=secret"
PGCDC_SLOT=$ID
PGCDC_PUBLICATION=$ID
PGCDC_MAPPING=$T/map.yml
PGCDC_ES_URL=$PGCDC_TEST_ES_URL
PGCDC_RUNDIR=$T/run
PGCDC_STATE=$T/shop.state
END
admin="host=$PGHOST port=$PGPORT dbname=$PGDATABASE user=$PGUSER"

# dump: all that setup makes, as it is.
dump() {
	sql "SELECT pubname, obj_description(oid, 'pg_publication') FROM pg_publication ORDER BY 1;
	SELECT pubname, schemaname, tablename FROM pg_publication_tables ORDER BY 1, 2, 3;
	SELECT slot_name, plugin, slot_type, database FROM pg_replication_slots
	    WHERE database = current_database() ORDER BY 1"
	es GET '_index_template' |
	    jq -cS ".index_templates[] | select(.name | startswith(\"pgcdc-${ID}_\"))"
}
dump >"$T/nothing"
is "$(cat "$T/nothing")" '' 'there is nothing'

# As a role without rights ------------------------------------------------------------

exits 100 'a role without rights cannot set it up' pgcdc setup -c "$conf"
like "$(cat "$T/out")" "^error    publication: role $role, .*permission denied" 'which is said'
like "$(cat "$T/out")" '^error    slot: .* is not made before the publication' 'and that the slot waits'
dump >"$T/now"
same "$T/now" "$T/nothing" 'nothing was made'
sed -n 's/^ *SQL: //p' "$T/out" >"$T/dba.sql"
ok 'the SQL for the DBA can be run as it is' psql -Xq -v ON_ERROR_STOP=1 -f "$T/dba.sql"
exits 0 'the role can do the rest' pgcdc setup -c "$conf"
is "$(cat "$T/out")" "ok       publication: $ID is there
ok       slot: $ID is there
ok       template: pgcdc-${ID}_orders was put
ok       template: pgcdc-${ID}_users was put" 'and it is said what was there, and what was made'
dump >"$T/made"
like "$(cat "$T/made")" "^$ID.Sales.Orders" 'the tables are those of the mapping'
is "$(grep -c others "$T/made")" 0 'and no others'
is "$(grep -c '"born":{[^}]*"type":"date"}' "$T/made")" 1 'a template has the types of the columns'

# Twice ------------------------------------------------------------------------------

confirmed=$(slot_confirmed "$ID")
exits 0 'it can be repeated' pgcdc setup -c "$conf"
is "$(sed 's/.* //' "$T/out" | sort -u)" there 'all is there'
dump >"$T/now"
same "$T/now" "$T/made" 'nothing changed'
is "$(slot_confirmed "$ID")" "$confirmed" 'the slot is the same'
sql 'ALTER TABLE users ADD age int'
exits 0 'with another table' pgcdc setup -c "$conf"
like "$(cat "$T/out")" "pgcdc-${ID}_users was put again" 'its template is put again'
like "$(cat "$T/out")" "pgcdc-${ID}_orders is there" 'the other one is not'
sql 'ALTER TABLE users DROP age'
pgcdc setup -c "$conf" >/dev/null

# Drop -------------------------------------------------------------------------------

exits 100 'without a terminal nothing is dropped' pgcdc drop -c "$conf"
like "$(cat "$T/out")" 'no terminal' 'which is said'
# on_terminal ANSWER COMMAND...
on_terminal() {
	_answer=$1
	shift
	printf '%s\n' "$_answer" | script -qec "$*" /dev/null
}
exits 100 'who says no' on_terminal no "pgcdc drop -c $conf -d '$admin'"
like "$(cat "$T/out")" 'DROP PUBLICATION' 'is shown what it would be'
like "$(cat "$T/out")" 'curl .* -X DELETE .*/_index_template/pgcdc-' 'all of it'
like "$(cat "$T/out")" 'nothing was dropped' 'and that nothing was'
dump >"$T/now"
same "$T/now" "$T/made" 'nothing was'
exits 100 'a role without rights cannot drop it' pgcdc drop -c "$conf" --yes
like "$(cat "$T/out")" "SQL: SELECT pg_drop_replication_slot" 'and is told the SQL'
mkdir -m 700 "$T/run"
flock -F "$T/run/lock" sleep 60 &
holder=$!
wait_for 'a run directory that is locked' 10 not flock -n "$T/run/lock" true
exits 111 'refuses' pgcdc drop -c "$conf" -d "$admin" --yes
kill "$holder"
wait "$holder" 2>/dev/null
bg reader pgcdc-read -d "$admin" -s "$ID" -p "$ID" -a "$T/ack"
reader=$BG_PID
active() {
	[ "$(sql "SELECT active FROM pg_replication_slots WHERE slot_name = '$ID'")" = "$1" ]
}
wait_for 'a slot that is active' 20 active t
exits 111 'refuses' pgcdc drop -c "$conf" -d "$admin" --yes
like "$(cat "$T/out")" 'is active: process [0-9]+' 'and says so'
dump >"$T/now"
same "$T/now" "$T/made" 'nothing was dropped'
kill "$reader"
wait_for 'it ends' 20 active f
: >"$T/shop.state"
es PUT "${ID}_users/_doc/1" '{"name":"Ann"}' >/dev/null
exits 0 'who says yes' on_terminal yes "pgcdc drop -c $conf -d '$admin'"
dump >"$T/now"
same "$T/now" "$T/nothing" 'has it all dropped'
ok 'the state file, too' [ ! -e "$T/shop.state" ]
ok 'documents stay' es GET "${ID}_users/_doc/1"
exits 0 'it can be repeated' pgcdc drop -c "$conf" -d "$admin" --yes
is "$(cat "$T/out")" "ok       slot: $ID is not there
ok       publication: $ID is not there
ok       template: none is there that setup put
ok       state: $T/shop.state is not there" 'there is nothing any more'
es DELETE "${ID}_users" >/dev/null

# By hand ----------------------------------------------------------------------------

PGCDC_CONNINFO=$admin
export PGCDC_CONNINFO
exits 0 '--print' pgcdc setup -c "$conf" --print
cp "$T/out" "$T/script"
dump >"$T/now"
same "$T/now" "$T/nothing" 'changes nothing'
ok 'what it prints can be run' sh -e "$T/script"
dump >"$T/now"
same "$T/now" "$T/made" 'and makes the same'
exits 0 '--print when all is there' pgcdc setup -c "$conf" --print
ok 'prints nothing to do' not grep -E 'CREATE|pg_create|curl' "$T/out"
es DELETE "_index_template/pgcdc-${ID}_users" >/dev/null
exits 0 '--print for what is missing' pgcdc setup -c "$conf" --print
is "$(grep -c '^curl' "$T/out")" 1 'is the request alone'
like "$(cat "$T/out")" "^curl .* -X PUT .*/_index_template/pgcdc-${ID}_users .*\"index_patterns\"" \
    'with its body'
cp "$T/out" "$T/script"
ok 'it can be run' sh -e "$T/script"
dump >"$T/now"
same "$T/now" "$T/made" 'and makes the same'
unset PGCDC_CONNINFO

# What others made -------------------------------------------------------------------

exits 0 'drop' pgcdc drop -c "$conf" -d "$admin" --yes
sql "CREATE PUBLICATION $ID FOR TABLE users"
es PUT "_index_template/pgcdc-${ID}_users" "{\"index_patterns\":[\"${ID}_users\"]}" >/dev/null
dump >"$T/theirs"
exits 0 'setup beside what others made' pgcdc setup -c "$conf" -d "$admin"
like "$(cat "$T/out")" "pgcdc-${ID}_users is there, and was not put by this setup" 'leaves it'
exits 0 'and drop' pgcdc drop -c "$conf" -d "$admin" --yes
like "$(cat "$T/out")" "publication: $ID is left, for setup did not make it" 'leaves it as well'
dump >"$T/now"
same "$T/now" "$T/theirs" 'all of it'
es DELETE "_index_template/pgcdc-${ID}_users" >/dev/null
sql "DROP PUBLICATION $ID"

# Refusals ---------------------------------------------------------------------------

printf 'pgcdc-state 1\nsystem %s\nslot %s\ntimeline 1\nacked 0/1500000\nend\n' \
    "$(sql 'SELECT system_identifier FROM pg_control_system()')" "$ID" >"$T/shop.state"
exits 100 'a slot that is gone is not made anew' pgcdc setup -c "$conf" -d "$admin"
like "$(cat "$T/out")" 'the slot is gone that it tells of' 'for changes are missing'
rm "$T/shop.state"
sql "SELECT pg_create_physical_replication_slot('$ID')" >/dev/null
exits 100 'nor one of another kind' pgcdc setup -c "$conf" -d "$admin"
like "$(cat "$T/out")" 'is physical' 'which is said'
sql "SELECT pg_drop_replication_slot('$ID')" >/dev/null
cp "$conf" "$conf.good"
echo 'PGCDC_ES_URL=http://127.0.0.1:1' >>"$conf"
exits 111 'a cluster that is not there' pgcdc setup -c "$conf" -d "$admin"
like "$(cat "$T/out")" 'ok       slot: ' 'publication and slot are there'
cp "$conf.good" "$conf"
echo oops >>"$T/map.yml"
exits 100 'a mapping that is wrong' pgcdc setup -c "$conf" -d "$admin"
like "$(cat "$T/out")" 'error    mapping: .*map.yml:' 'is said'
sed -i '$d' "$T/map.yml"
pgcdc drop -c "$conf" -d "$admin" --yes >/dev/null
exits 0 '--tables' pgcdc setup -c "$conf" -d "$admin" --tables 'users, others'
is "$(sql "SELECT tablename FROM pg_publication_tables WHERE pubname = '$ID' ORDER BY 1")" 'others
users' 'publishes those'
pgcdc drop -c "$conf" -d "$admin" --yes >/dev/null
exits 100 'usage' pgcdc setup
exits 100 'of drop' pgcdc drop -c "$conf" --print

# What belongs to others stays: a publication that another slot may have, and all where the slot
# is of another database.
pgcdc setup -c "$conf" -d "$admin" >/dev/null
sql "SELECT pg_create_logical_replication_slot('${ID}_other', 'pgoutput')" >/dev/null
dump >"$T/made2"
: >"$T/shop.state"
exits 100 'drop, in another database' pgcdc drop -c "$conf" -d "$admin dbname=postgres" --yes
like "$(cat "$T/out")" 'is not dropped, and nothing else: it is of database' 'is refused'
dump >"$T/now"
same "$T/now" "$T/made2" 'nothing was dropped'
ok 'nor the state file' rm "$T/shop.state"
exits 0 'drop beside another slot' pgcdc drop -c "$conf" -d "$admin" --yes
like "$(cat "$T/out")" "publication: $ID is left, for slot ${ID}_other may need it" 'leaves the publication'
ok 'with the SQL for it' grep -q "SQL: DROP PUBLICATION \"*$ID\"*;" "$T/out"
is "$(sql "SELECT count(*) FROM pg_publication WHERE pubname = '$ID'")" 1 'it is there'
sql "SELECT pg_drop_replication_slot('${ID}_other')" >/dev/null
exits 0 'drop, without one' pgcdc drop -c "$conf" -d "$admin" --yes
is "$(sql "SELECT count(*) FROM pg_publication WHERE pubname = '$ID'")" 0 'drops it as well'

# It is good for something -------------------------------------------------------------

exits 0 'setup' pgcdc setup -c "$conf" -d "$admin"
sql "ALTER ROLE $role REPLICATION"
exits 0 'the check is content' pgcdc check -c "$conf"
bg pipeline pgcdc run -c "$conf"
sql "INSERT INTO users VALUES (7, 'Ann', '2000-01-02')"
wait_for 'the pipeline runs' 60 es GET "${ID}_users/_doc/7"
is "$(es GET "${ID}_users/_mapping" | jq -r '.[].mappings.properties.born.type')" date \
    'with the types of the template'
exits 0 'the check is content while it runs' pgcdc check -c "$conf"
like "$(cat "$T/out")" 'active: a pipeline reads it' 'and knows that'
exits 111 'drop is not' pgcdc drop -c "$conf" -d "$admin" --yes
kill "$BG_PID"
wait_exit 'it ends' 30 "$BG_PID" 0
exits 0 'now it is' pgcdc drop -c "$conf" -d "$admin" --yes

done_testing
