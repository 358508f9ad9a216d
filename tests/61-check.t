#!/bin/sh
#
# pgcdc check: for each thing that can be wrong with the configuration, the server, the
# publication, the slot and the files: it is made so, the line is seen, its remedy is run as it is
# printed, and the check is ok then.

# shellcheck disable=SC2016 # what is not to be expanded
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=check.sh
. "$(dirname "$0")/check.sh"

own_pg
standin_start
database=shop
PGDATABASE=postgres sql "ALTER SYSTEM SET max_slot_wal_keep_size = '10GB'; SELECT pg_reload_conf()" >/dev/null
PGDATABASE=postgres sql "CREATE DATABASE shop; CREATE ROLE cdc LOGIN REPLICATION PASSWORD 'secret'"
PGDATABASE=$database
export PGDATABASE
sql 'CREATE SCHEMA sales; CREATE TABLE users (id int PRIMARY KEY, name text);
CREATE TABLE sales.orders (id int PRIMARY KEY, total numeric);
GRANT USAGE ON SCHEMA sales TO cdc; GRANT SELECT ON users, sales.orders TO cdc'
cat >"$T/map.yml" <<'END'
tables:
  - table: public.users
    index: users
  - table: sales.orders
    index: orders
END
conf=$T/shop.conf
good_conf() {
	cat >"$conf" <<-END
	PGCDC_CONNINFO="host=$PGHOST port=$PGPORT dbname=shop user=cdc password=secret"
	PGCDC_SLOT=shop
	PGCDC_PUBLICATION=shop
	PGCDC_MAPPING=$T/map.yml
	PGCDC_ES_URL=$STANDIN_URL
	PGCDC_RUNDIR=$T/run
	PGCDC_STATE=$T/shop.state
	PGCDC_SNAPSHOT=initial
	END
}
set_conf() {
	good_conf
	printf '%s\n' "$@" >>"$conf"
}
good_conf
alter() {
	sql "ALTER SYSTEM SET $1"
	restart_pg
}

# Before there is a slot --------------------------------------------------------------

alter 'wal_level = replica'
mends wal_level error 'it is replica' 'wal_level'
alter 'max_wal_senders = 0'
mends max_wal_senders error '0 of 0 walsenders' 'max_wal_senders'
alter 'max_wal_senders = 1'
mends max_wal_senders warning '0 of 1 walsenders' 'only one walsender'
alter 'max_replication_slots = 1'
sql "SELECT pg_create_physical_replication_slot('another')" >/dev/null
mends max_replication_slots error '1 of 1 slots' 'max_replication_slots'
sql "SELECT pg_drop_replication_slot('another')" >/dev/null
mends publication error 'no publication shop in database shop' 'no publication'
is "$(sql "SELECT string_agg(schemaname || '.' || tablename, ' '
    ORDER BY schemaname DESC) FROM pg_publication_tables WHERE pubname = 'shop'")" 'sales.orders public.users' \
    'it has the tables of the mapping'
mends slot error 'there is no slot shop' 'no slot'
look
is "$looked $(jq -r .result "$T/check.json")" '0 ok' 'all is ok'
is "$(jq -r '.findings[] | select(.level != "ok") | .text' "$T/check.json")" '' 'without a warning'
exits 0 'for people' pgcdc check -c "$conf"
like "$(cat "$T/out")" '^ok       slot: slot shop is free, .* behind; the server keeps .* of its log' \
    'lines are aligned'
ok 'the slot is not touched' [ "$(sql "SELECT active OR confirmed_flush_lsn < restart_lsn
    FROM pg_replication_slots WHERE slot_name = 'shop'")" = f ]

# The configuration ------------------------------------------------------------------

set_conf PGCDC_SLOTT=shop
finds config error 'shop.conf:9: unknown variable PGCDC_SLOTT' 'an error in the file'
is "$looked" 100 'is 100'
set_conf PGCDC_DRAIN=soon
finds config error 'shop.conf:9: PGCDC_DRAIN' 'a wrong value'
good_conf
mkdir -m 777 "$T/run"
chmod 777 "$T/run"
mends 'run directory' error 'others may write' 'a run directory that others may write to'
rm -rf "$T/run"
: >"$T/run"
mends 'run directory' error 'is no directory' 'a file in place of the run directory'
rm -rf "$T/run" "$T/run.old"
long=$T/$(printf '%0100d' 0)
set_conf "PGCDC_RUNDIR=$long"
finds 'run directory' error 'too long for a socket' 'a path that is too long, and yet to be made'
mkdir "$long"
mends 'run directory' error 'too long for a socket' 'a path that is too long'
good_conf
if [ "$(id -u)" -eq 0 ]; then
	mkdir "$T/run"
	chown nobody "$T/run"
	mends 'run directory' error 'belongs to somebody else' "somebody else's"
	rm -rf "$T/run"
else
	skip "somebody else's" 'only root can make one'
fi
mkdir -m 700 "$T/run"
ln -s run "$T/linked"
set_conf "PGCDC_RUNDIR=$T/linked"
finds 'run directory' ok 'no pgcdc runs' 'a symbolic link to one'
good_conf
# As another check, or status, does for a moment.
flock -s -F "$T/run/lock" sleep 60 &
holder=$!
shared() {
	! flock -n "$T/run/lock" true
}
wait_for 'somebody looks at the lock' 10 shared
finds 'run directory' ok 'no pgcdc runs' 'who looks is no pipeline'
kill "$holder"
wait "$holder" 2>"$T/null"
flock -F "$T/run/lock" sleep 60 &
holder=$!
echo "$holder" >"$T/run/pid"
told() {
	look
	found 'run directory' ok "pgcdc runs, process $holder"
}
wait_for 'a pipeline that runs is told' 10 told
kill "$holder"
wait "$holder" 2>/dev/null
rm -rf "$T/run"

# The connection ---------------------------------------------------------------------

set_conf "PGCDC_CONNINFO=host=$PGHOST port=1 dbname=shop user=cdc password=secret"
finds server error 'cannot connect' 'no server'
is "$looked $(jq -r .result "$T/check.json")" '111 temporary' 'is 111'
good_conf
echo 'host shop cdc 127.0.0.1/32 reject' | cat - "$PG_DIR/data/pg_hba.conf" >"$T/hba"
cp "$PG_DIR/data/pg_hba.conf" "$T/hba.good"
cat "$T/hba" >"$PG_DIR/data/pg_hba.conf"
sql 'SELECT pg_reload_conf()' >/dev/null
wait_for 'pg_hba.conf holds' 10 not env PGUSER=cdc PGPASSWORD=secret psql -XAtqc 'SELECT 1'
mends server error 'pg_hba.conf rejects' 'a line of pg_hba.conf that rejects'
echo 'host all,replication postgres 127.0.0.1/32 trust' >"$PG_DIR/data/pg_hba.conf"
sql 'SELECT pg_reload_conf()' >/dev/null
wait_for 'pg_hba.conf holds' 10 not env PGUSER=cdc PGPASSWORD=secret psql -XAtqc 'SELECT 1'
mends server error 'no pg_hba.conf entry' 'no line in pg_hba.conf'
cat "$T/hba.good" >"$PG_DIR/data/pg_hba.conf"
sql 'SELECT pg_reload_conf(); ALTER ROLE cdc NOLOGIN' >/dev/null
mends server error 'not permitted to log in' 'a role that may not log in'
sql 'REVOKE CONNECT ON DATABASE shop FROM PUBLIC'
mends server error 'permission denied for database' 'no right to connect'
sql 'ALTER ROLE cdc CONNECTION LIMIT 0'
mends server error 'too many connections for role' "a role's limit"
sql 'ALTER ROLE cdc CONNECTION LIMIT 2'
mends 'connection limit' error 'ROLE cdc may have 2 connections' "a role's limit that is too low"
sql 'ALTER ROLE cdc CONNECTION LIMIT -1; ALTER DATABASE shop CONNECTION LIMIT 0'
PGDATABASE=postgres
database=postgres
mends server error 'too many connections for database' "a database's limit"
database=shop
PGDATABASE=shop
sql 'ALTER ROLE cdc NOREPLICATION'
mends replication error 'cannot connect for replication' 'no right to replicate'
set_conf "PGCDC_CONNINFO=host=$PGHOST port=$PGPORT dbname=shop user=nobody_here password=x"
# The server does not tell who is not there, where a password is asked for.
finds server error 'password authentication failed' 'a wrong password'
is "$looked" 100 'is 100'
echo 'host shop nobody_here 127.0.0.1/32 trust' | cat - "$T/hba.good" >"$PG_DIR/data/pg_hba.conf"
sql 'SELECT pg_reload_conf()' >/dev/null
wait_for 'pg_hba.conf holds' 10 sh -c \
    'PGUSER=nobody_here psql -XAtqc "SELECT 1" 2>&1 | grep "does not exist"'
mends server error 'does not exist' 'a role that does not exist'
sql 'DROP ROLE nobody_here'
cat "$T/hba.good" >"$PG_DIR/data/pg_hba.conf"
sql 'SELECT pg_reload_conf()' >/dev/null
set_conf 'PGCDC_READ_OPTIONS=--snapshot-workers 16'
alter 'max_connections = 15'
mends max_connections warning 'needs 17' 'too few connections'
good_conf

# A server that is silent: nothing may wait for it for ever.
if [ -n "${LONG:-}" ]; then
	: >"$T/commands"
	bg proxy "$PYTHON" "$TOP/tests/proxy.py" "$T/proxy.port" "$T/commands" "$PGPORT"
	echo stall >>"$T/commands"
	wait_for 'a proxy that takes connections and says nothing' 10 grep -q stall "$T/proxy.log"
	set_conf "PGCDC_CONNINFO=host=$PGHOST port=$(cat "$T/proxy.port") dbname=shop user=cdc password=secret"
	exits 111 'a server that takes the connection and is silent' timeout 120 pgcdc check -c "$conf"
	like "$(cat "$T/out")" 'error    server: .*timeout expired' 'is named'
	like "$(cat "$T/out")" 'takes the connection and says nothing' 'with what to see to'
	good_conf
fi

# A node that answers, in a cluster that has no manager, or hangs; each is asked once.
standin POST 'fault?kind=status&status=503&path=*_cluster/health*' >"$T/fault"
finds health error 'status 503' 'a cluster that is not able to answer'
standin DELETE fault >"$T/fault"
finds health ok green 'and is again'
if [ -n "${LONG:-}" ]; then
	for path in / '*_cluster*'; do
		standin POST "fault?kind=hang&path=$path" >"$T/fault"
		exits 111 "a node that hangs at $path" timeout 50 pgcdc check -c "$conf"
		like "$(cat "$T/out")" 'error    node: .* timed out' 'is named'
		ok 'and nothing is said of what was not answered' not grep 'not for this login' "$T/out"
		standin DELETE fault >"$T/fault"
	done
fi

# Publications and rights -------------------------------------------------------------

sql 'ALTER PUBLICATION shop DROP TABLE users, sales.orders'
mends publication warning 'shop has no tables' 'a publication without tables'
sql 'ALTER PUBLICATION shop DROP TABLE users'
mends mapping warning 'public.users" is in no publication' 'a table that is not published'
sql 'CREATE PUBLICATION everything FOR ALL TABLES; CREATE UNLOGGED TABLE fast (id int PRIMARY KEY)'
set_conf PGCDC_PUBLICATION=everything
mends 'unlogged tables' warning 'public.fast are nowhere' 'an unlogged table'
sql 'DROP TABLE fast; DROP PUBLICATION everything'
good_conf
sql 'REVOKE SELECT ON users, sales.orders FROM cdc'
mends rights error 'lacks SELECT ON public.users, sales.orders|sales.orders, public.users' 'no right to read'
sql 'REVOKE USAGE ON SCHEMA sales FROM cdc'
mends rights error 'lacks USAGE ON SCHEMA sales' 'no right on a schema'
sql 'ALTER TABLE users ENABLE ROW LEVEL SECURITY'
mends rights error 'policies for rows hold for role cdc on public.users' 'row-level security'
sql 'ALTER TABLE users DISABLE ROW LEVEL SECURITY; REVOKE SELECT ON users FROM cdc'
set_conf PGCDC_SNAPSHOT=never
finds rights ok 'none on the tables are needed' 'without a snapshot no rights are needed'
set_conf PGCDC_SNAPSHOT=never 'PGCDC_READ_OPTIONS=--toast fetch'
mends rights error 'to fetch large values' 'but for --toast fetch'
good_conf
sql 'REVOKE SELECT ON users FROM cdc; GRANT SELECT (id, name) ON users TO cdc'
finds rights ok 'has them on 2 tables' 'rights on all columns are as good'

# The mapping ------------------------------------------------------------------------

sql 'ALTER TABLE users REPLICA IDENTITY NOTHING'
mends mapping error 'REPLICA IDENTITY NOTHING' 'no replica identity'
sql 'ALTER TABLE users REPLICA IDENTITY DEFAULT'
echo '    indx: x' >>"$T/map.yml"
finds mapping error 'map.yml:6:5: unknown key "indx"' 'an error in the mapping'
is "$looked" 100 'is 100'
sed -i '$d' "$T/map.yml"

# The slot ---------------------------------------------------------------------------

drop_slot() {
	sql "SELECT pg_drop_replication_slot('shop')" >/dev/null
}
make_slot() {
	sql "SELECT pg_create_logical_replication_slot('shop', 'pgoutput')" >/dev/null
}
drop_slot
sql "SELECT pg_create_physical_replication_slot('shop')" >/dev/null
mends slot error 'slot shop is physical' 'a physical slot'
drop_slot
sql "SELECT pg_create_logical_replication_slot('shop', 'test_decoding')" >/dev/null
mends slot error 'of plugin test_decoding' 'a slot of another plugin'
drop_slot
PGDATABASE=postgres make_slot
finds slot error 'slot shop is of database postgres' 'a slot of another database'
PGDATABASE=postgres drop_slot
set_conf PGCDC_READ_OPTIONS=--create-slot
finds slot ok 'create-slot makes it' 'with --create-slot none is needed'
good_conf
make_slot
bg other pg_recvlogical -d shop -S shop --start --no-loop -o proto_version=1 \
    -o publication_names=shop -f /dev/null
wait_for 'another program streams' 20 sh -c \
    'psql -XAtqc "SELECT active FROM pg_replication_slots" | grep t'
mends slot warning 'streams from it to pg_recvlogical' 'a slot that is active elsewhere'
bg reader pgcdc-read -d "host=$PGHOST port=$PGPORT dbname=shop user=cdc password=secret" \
    -s shop -p shop -a "$T/ack"
reader=$BG_PID
wait_for 'a reader streams' 20 sh -c \
    'psql -XAtqc "SELECT active FROM pg_replication_slots" | grep t'
finds slot ok 'active: a pipeline reads it' 'a pipeline of our own'
alter_all() {
	sql "ALTER SYSTEM SET $1; SELECT pg_reload_conf()" >/dev/null
}
kill -KILL "$reader"
wait_for 'the slot is free' 20 sh -c \
    'psql -XAtqc "SELECT active FROM pg_replication_slots" | grep f'
alter_all "max_slot_wal_keep_size = -1"
wait_for 'it is taken' 10 sh -c 'psql -XAtqc "SHOW max_slot_wal_keep_size" | grep -e -1'
mends max_slot_wal_keep_size warning 'nothing limits' 'no limit'

# switches N: so many files of the log.
switches() {
	for _ in $(seq "$1"); do
		sql 'SELECT pg_logical_emit_message(false, $$x$$, $$x$$), pg_switch_wal()' >/dev/null
	done
}
alter_all "max_slot_wal_keep_size = '160MB'"
switches 9
mends max_slot_wal_keep_size warning 'and after .* more the slot is invalidated' 'little is left of it'
alter_all "max_slot_wal_keep_size = '32MB'"
beyond() {
	look
	found slot warning 'beyond max_slot_wal_keep_size'
}
wait_for 'a slot beyond the limit' 20 beyond
mends slot warning 'beyond max_slot_wal_keep_size' 'a slot that is about to be lost'
alter_all "max_slot_wal_keep_size = '32MB'"
wait_for 'it is taken' 10 sh -c 'psql -XAtqc "SHOW max_slot_wal_keep_size" | grep 32MB'
switches 4
sql 'CHECKPOINT'
wait_for 'the slot is lost' 20 sh -c \
    'psql -XAtqc "SELECT wal_status FROM pg_replication_slots" | grep lost'
printf 'pgcdc-state 1\nsystem %s\nslot shop\ntimeline 1\nacked 0/1500000\nend\n' \
    "$(sql 'SELECT system_identifier FROM pg_control_system()')" >"$T/shop.state"
mends slot error 'was invalidated' 'a slot that is lost'
ok 'the state file went with it' [ ! -e "$T/shop.state" ]
alter_all 'max_slot_wal_keep_size = -1'
alter_all "max_wal_size = '32MB'"
alter_all "min_wal_size = '32MB'"
switches 5
sql 'CHECKPOINT'
set_conf PGCDC_SNAPSHOT=never
wait_for 'a log that is long' 20 sh -c \
    'psql -XAtqc "SELECT wal_status FROM pg_replication_slots" | grep extended'
finds slot warning 'nobody reads slot shop' 'a slot that nobody reads'
bg pipeline pgcdc run -c "$conf"
reserved() {
	sql 'INSERT INTO users VALUES (1) ON CONFLICT (id) DO UPDATE SET id = 1; CHECKPOINT'
	[ "$(sql "SELECT wal_status FROM pg_replication_slots")" = reserved ]
}
wait_for 'its remedy is to start the pipeline' 60 reserved
kill "$BG_PID"
wait_exit 'which is stopped' 30 "$BG_PID" 0
finds slot ok 'slot shop is free' 'and the check is ok then'
good_conf

# The state file ---------------------------------------------------------------------

rm -rf "$T/shop.state"
acked=$(sql "SELECT confirmed_flush_lsn FROM pg_replication_slots")
system=$(sql 'SELECT system_identifier FROM pg_control_system()')
state() {
	rm -f "$T/shop.state" "$T/shop.state.old"
	printf 'pgcdc-state 1\nsystem %s\nslot %s\ntimeline 1\nacked %s\nend\n' "$@" >"$T/shop.state"
}
state "$system" shop "$acked"
finds state ok "everything before $acked is stored" 'a state file that fits'
state 12345 shop "$acked"
mends state error 'of another server' "another server's"
state "$system" other "$acked"
mends state error 'of another slot, other' "another slot's"
state "$system" shop FFFF/0
mends state error "log ends before what was taken" 'one that is ahead of the server'
state "$system" shop 0/1000028
finds state warning 'the slot is ahead of it' 'a slot that is ahead of it'
echo damaged >"$T/shop.state"
rm -f "$T/shop.state.old"
mends state error 'cannot be read, or is damaged' 'a damaged one'
state "$system" shop "$acked"
drop_slot
finds state error 'the slot is gone that it tells of' 'a slot that is gone'
mend >/dev/null
mends slot error 'there is no slot' 'a slot that is gone: made anew'
set_conf "PGCDC_STATE=$T/none/shop.state"
mends state error 'cannot make files in' 'no directory for the state file'

# Disk -------------------------------------------------------------------------------

set_conf "PGCDC_READ_OPTIONS=--spool-dir '$T/a spool'"
mends spool error 'cannot make files in .*/a spool' 'no directory for the spool'
set_conf "PGCDC_DEAD_LETTER=$T/dead/letters"
mends 'dead letters' error 'cannot make files in .*/dead' 'no directory for dead letters'
mkdir "$T/dead/letters"
finds 'dead letters' error 'is no regular file' 'dead letters that are a directory'
if [ "$(id -u)" -eq 0 ] && mkdir "$T/small" && mount -t tmpfs -o size=8m none "$T/small" 2>/dev/null; then
	set_conf "PGCDC_READ_OPTIONS=--spool-dir $T/small"
	finds spool error 'only 8.0 MiB are free' 'a disk without room'
	mount -o remount,size=100m "$T/small"
	finds spool warning 'only 100.0 MiB are free' 'or with little'
	mount -o remount,ro "$T/small"
	mends spool error 'cannot make files' 'a disk that is read only'
	umount "$T/small"
else
	skip 'a disk without room' 'nothing can be mounted here'
fi
good_conf
look
is "$looked $(jq -r .result "$T/check.json")" '0 warning' 'warnings alone are 0'

# A standby --------------------------------------------------------------------------

drop_slot
rm -f "$T/shop.state"
"$TOP/tests/pg-server" stop "$PG_DIR" fast >/dev/null
cp -a "$PG_DIR" "$T/standby"
rm "$T/standby/port"
cat >>"$T/standby/data/postgresql.conf" <<END
primary_conninfo = 'host=$PGHOST port=$PGPORT user=$PGUSER'
END
cp -p "$T/standby/data/PG_VERSION" "$T/standby/data/standby.signal"
"$TOP/tests/pg-server" start "$PG_DIR" >/dev/null || bail 'the primary does not start'
"$TOP/tests/pg-server" start "$T/standby" ${PGCDC_TEST_PG_MAJOR:+"$PGCDC_TEST_PG_MAJOR"} \
    >"$T/standby.log" 2>&1 || bail 'the standby does not start'
PGPORT=$(cat "$T/standby/port")
wait_for 'a standby' 20 sh -c 'psql -XAtqc "SELECT pg_is_in_recovery()" | grep t'
good_conf
if [ "$(sql 'SHOW server_version_num')" -lt 160000 ]; then
	finds server error 'it is a standby, and PostgreSQL 1[45]' 'a standby cannot decode before 16'
else
	mends hot_standby_feedback warning 'the primary may remove rows' 'a standby without feedback'
	finds server ok ', a standby,' 'else it will do'
fi
"$TOP/tests/pg-server" stop "$T/standby" immediate >/dev/null
PGPORT=$(cat "$PG_DIR/port")
good_conf

# Usage ------------------------------------------------------------------------------

exits 100 'it needs a configuration' pgcdc check
exits 100 'and takes nothing else' pgcdc check -c "$conf" more
exits 100 'one errand at a time' pgcdc-read -s a -p b --check --setup
exits 100 'which is told how' pgcdc-read -s a -p b --setup=show
exits 100 'of the writer, too' esbulk-write -u "$STANDIN_URL" --check --drop me

done_testing
