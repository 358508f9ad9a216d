#!/bin/sh
#
# pgcdc-read: what must be there before it streams, what it says when that is not so, and
# how it waits for a slot that another one has.

# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

PG_SERVER_CONF='max_wal_senders = 4' own_pg
pg_db
db=$PGDATABASE
sql 'CREATE TABLE t (id int PRIMARY KEY);
CREATE SCHEMA "My schema"; CREATE TABLE "My schema"."T,x" (id int PRIMARY KEY);
CREATE PUBLICATION p FOR TABLE t'

# slot SQL-EXPRESSION...: prints it, of the slots.
slots() {
	sql "SELECT $1 FROM pg_replication_slots ORDER BY slot_name"
}

# fails STATUS DESCRIPTION PATTERN ARGUMENT...: the reader ends so, with one line of the
# log that says why and that matches.
fails() {
	status=$1 what=$2 pattern=$3
	shift 3
	exits "$status" "$what: exit status" timeout 60 pgcdc-read -o "$T/frames" "$@"
	grep ' error ' "$T/err" >"$T/errors"
	is "$(wc -l <"$T/errors")" 1 "$what: one error"
	like "$(cat "$T/errors")" "$pattern" "$what: says what, and the remedy"
}

# The command line -------------------------------------------------------------------

usage() {
	what=$1 pattern=$2
	shift 2
	exits 100 "$what: exit status" pgcdc-read "$@"
	like "$(cat "$T/err")" "$pattern" "$what: says it"
}
usage 'no slot' 'slot is missing.*-s SLOT' -p p
usage 'no publication' 'publication is missing.*-p PUBLICATION' -s s
usage 'an empty publication' 'empty publication name' -s s -p p,,q
usage '-a and -o' 'give one of.*-a, -o' -s s -p p -a "$T/sock" -o "$T/f"
usage 'two ends' 'give one of.*--endpos' -s s -p p --endpos 0/1 --until-caught-up
usage 'no LSN' 'not an LSN' -s s -p p --endpos 16
usage 'no number' 'range.*--slot-check-interval' -s s -p p --slot-check-interval 0
usage 'too many workers' 'range.*--snapshot-workers min=1 max=16' \
    -s s -p p --snapshot-workers 17
usage 'no number' 'range.*--drain' -s s -p p --drain x
usage 'publications to be made' 'one publication' -s s -p p,q --create-publication t
usage 'an argument' 'no option' -s s -p p t
usage 'an unknown option' 'nonesuch' -s s -p p --nonesuch
exits 0 '-h' pgcdc-read -h
like "$(cat "$T/out")" '^usage: pgcdc-read' '-h: the usage'
exits 0 '-V' pgcdc-read -V
like "$(cat "$T/out")" '^pgcdc-read [0-9]+\.' '-V: the version'

# Slot and publication ---------------------------------------------------------------

fails 100 'no such slot' \
    'slot does not exist.*slot=s .*pg_create_logical_replication_slot.*--create-slot' -s s -p p
fails 100 'no such publication' \
    "publication does not exist.*publication=q .*$db.*CREATE PUBLICATION" -s s -p p,q --create-slot
is "$(slots slot_name)" '' 'no slot was made for it'
fails 100 'tables that are missing' 'cannot make the publication.*\\"nix\\" does not exist' \
    -s s -p q --create-publication 't, nix' --create-slot
fails 100 'tables that are no list' 'cannot make the publication.*syntax error' \
    -s s -p q --create-publication 't t' --create-slot
is "$(slots slot_name)" '' 'no slot was made for those'

exits 0 'publication and slot are made' pgcdc-read -o "$T/frames" -s s -p q --until-caught-up \
    --create-publication 't, "My schema"."T,x"' --create-slot
is "$(sql "SELECT schemaname, tablename FROM pg_publication_tables WHERE pubname = 'q' ORDER BY 1")" \
    'My schema|T,x
public|t' 'the publication has these tables'
is "$(slots 'slot_name, plugin, database, temporary, two_phase')" "s|pgoutput|$db|f|f" 'the slot'
is "$(sed -n 's/.* msg="\(made [^"]*\)".*/\1/p' "$T/err")" 'made the publication
made the slot' 'in this order: a slot cannot decode for a publication that is younger'
confirmed=$(slot_confirmed s)
sql 'INSERT INTO t VALUES (1); INSERT INTO "My schema"."T,x" VALUES (2)'
exits 0 'both are there already' pgcdc-read -o "$T/frames" -s s -p q --until-caught-up \
    --create-publication 't' --create-slot
is "$(grep -c 'msg="made' "$T/err")" 0 'and are not made'
is "$(pgcdc-cat "$T/frames" | jq -c 'select(.[0] == "I") | .[2]')" '[1]
[2]' 'rows of both tables come'
ok 'the slot went on' [ "$(slot_confirmed s)" != "$confirmed" ]
exits 0 "'*'" pgcdc-read -o "$T/frames" -s s -p 'All of "it"' --create-publication '*' \
    --until-caught-up
is "$(sql "SELECT puballtables FROM pg_publication WHERE pubname = 'All of \"it\"'")" t \
    "'*' stands for all tables"

# A publication that did not exist when a change was written, or not any more.
sql "CREATE TABLE young (id int PRIMARY KEY);
SELECT pg_create_logical_replication_slot('young', 'pgoutput')" >"$T/null"
sql "INSERT INTO young VALUES (1); CREATE PUBLICATION young FOR TABLE young;
INSERT INTO young VALUES (2)"
fails 100 'a publication that is younger than a change' \
    'server=.*publication.*young.*remedy=.*did not exist when.*make the slot anew' -s young -p young
sql "SELECT pg_replication_slot_advance('young', pg_current_wal_lsn())" >"$T/null"
sql "INSERT INTO young VALUES (3); DROP PUBLICATION young; INSERT INTO young VALUES (4);
CREATE PUBLICATION young FOR TABLE young"
fails 100 'one that was dropped and made anew' \
    'server=.*publication.*young.*remedy=.*did not exist when.*make the slot anew' -s young -p young
sql "SELECT pg_drop_replication_slot('young'); DROP PUBLICATION young; DROP TABLE young" >"$T/null"

sql "SELECT pg_create_physical_replication_slot('physical')" >"$T/null"
fails 100 'a physical slot' 'not a logical one of plugin pgoutput.*is=physical.*pg_create_logical' \
    -s physical -p p
if [ "$(sql "SELECT pg_create_logical_replication_slot('other', 'test_decoding')" 2>/dev/null)" ]
then
	fails 100 'a slot of another plugin' 'plugin pgoutput.*is=test_decoding.*pg_create_logical' \
	    -s other -p p
else
	skip 'a slot of another plugin' 'no test_decoding on this server'
fi
PGDATABASE=postgres sql 'CREATE PUBLICATION p'
fails 100 'a slot of another database' "belongs to another database.*is=$db.*dbname=" \
    -s s -p p -d postgres
sql "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots" >"$T/null"

# Rights -----------------------------------------------------------------------------

sql "CREATE ROLE plain LOGIN PASSWORD 'secret';
CREATE ROLE repl LOGIN REPLICATION PASSWORD 'secret'"
PGPASSWORD=secret
export PGPASSWORD
fails 100 'no right to replicate' '(replication|REPLICATION).*remedy=.*ALTER ROLE' -s s -p p -d user=plain
fails 100 'a wrong password' 'password authentication failed.*remedy=.*PGPASSFILE' \
    -s s -p p -d 'user=repl password=wrong'
fails 100 'an unknown role' 'password authentication failed.*remedy=.*check the user' \
    -s s -p p -d user=nobody
fails 100 'an unknown database' '\\"nix\\" does not exist.*remedy=.*dbname=' -s s -p p -d dbname=nix
fails 100 'an option that libpq does not know' 'nonesuch' -s s -p p -d nonesuch=1
unset PGPASSWORD
fails 100 'no password' 'no password supplied.*remedy=.*PGPASSWORD' -s s -p p -d user=repl
printf '*:*:*:repl:secret\n' >"$T/pass"
chmod 600 "$T/pass"
fails 100 'not the right to make a publication' \
    'cannot make the publication.*permission denied.*remedy=.*owner' \
    -s s -p r --create-publication t -d "user=repl passfile=$T/pass"
sql 'ALTER TABLE t REPLICA IDENTITY FULL'
exits 0 'a role that may only replicate makes the slot' pgcdc-read -o "$T/least" --create-slot \
    -s s -p p -d "user=repl passfile=$T/pass" --until-caught-up
sql 'INSERT INTO t VALUES (3)'
PGCDC_CONNINFO="user=repl passfile=$T/pass" exits 0 'and reads; PGCDC_CONNINFO says how' \
    pgcdc-read -o "$T/least" -s s -p p --until-caught-up
is "$(pgcdc-cat "$T/least" | jq -c 'select(.[0] == "R" or .[0] == "I") | .[-1]')" '[0]
[3]' 'rows and primary keys come without any right on the table'
sed -i '1i host all plain 127.0.0.1/32 reject' "$PG_DIR/data/pg_hba.conf"
sql 'SELECT pg_reload_conf()' >"$T/null"
rejected() {
	! pgcdc-read -s s -p p -d user=plain 2>&1 >"$T/frames2" | grep -q password
}
wait_for 'pg_hba.conf is read again' 20 rejected
fails 100 'no line in pg_hba.conf' 'pg_hba.conf.*remedy=.*reload' -s s -p p -d user=plain

# A server that is not there ---------------------------------------------------------

for conninfo in port=1 "host=$T port=1" host=nix.invalid; do
	fails 111 "refused: $conninfo" 'cannot connect' -s s -p p -d "$conninfo"
done
PGPORT=1 fails 111 'refused, with a name alone' 'refused' -s s -p p -d "$db"

# A slot that another one has --------------------------------------------------------

active() {
	[ "$(slots active)" = "$1" ]
}
# start NAME [OPTION...]: a reader whose frames come to $T/NAME.frames.
start() {
	name=$1
	shift
	bg "$name" pgcdc-read -s s -p p -o "$T/$name.frames" --slot-check-interval 20 "$@"
}
# standing_by NAME
standing_by() {
	grep -q 'standing by' "$T/$1.log"
}
# has NAME ID: the row came.
has() {
	pgcdc-cat "$T/$1.frames" 2>/dev/null | jq -c 'select(.[0] == "I")' | grep -q "\[$2\]\]"
}
# looked N: a reader that stands by has looked at the slot so often.
looked() {
	sql "SELECT state_change FROM pg_stat_activity WHERE backend_type = 'walsender'
	    AND wait_event = 'ClientRead'" >>"$T/looks"
	[ "$(sort -u "$T/looks" | wc -l)" -ge "$1" ]
}

state="--state $T/state"
# shellcheck disable=SC2086
start first $state
first=$BG_PID
wait_for 'a reader has the slot' 20 active t
# shellcheck disable=SC2086
start second $state
second=$BG_PID
wait_for 'another one stands by' 20 standing_by second
wait_for 'it looks again and again' 20 looked 5
is "$(grep -c 'standing by' "$T/second.log")" 1 'but says so once'
like "$(cat "$T/second.log")" 'standing by" slot=s pid=[1-9][0-9]* check_interval_ms=20' \
    'and whom it waits for'
sql 'INSERT INTO t VALUES (4)'
wait_for 'the first one works on' 20 has first 4
kill -TERM "$first"
wait_exit 'the first one is told to go' 20 "$first" 0
wait_for 'the second one takes over' 20 active t
sql 'INSERT INTO t VALUES (5)'
wait_for 'and has the next row' 20 has second 5
ok 'not the one before' not has second 4
ok 'it knows the state file that both keep' not grep -q 'ahead of the state file' "$T/second.log"

start third
third=$BG_PID
wait_for 'a third one stands by' 20 standing_by third
kill -KILL "$second"
sql 'INSERT INTO t VALUES (6)'
wait_for 'after a kill -9 it takes over, too' 20 has third 6

start fourth
wait_for 'a fourth one stands by' 20 standing_by fourth
kill -TERM "$BG_PID"
wait_exit 'TERM ends it in order' 20 "$BG_PID" 0
is "$(wc -c <"$T/fourth.frames")" 0 'nothing is in its file'
bg fifth sh -c "exec pgcdc-read -s s -p p -a '$T/sock' >'$T/fifth.frames'"
wait_for 'a fifth one stands by' 20 standing_by fifth
like "$(cat "$T/fifth.log")" 'check_interval_ms=3000' 'every 3 s, by default'
kill -TERM "$BG_PID"
wait_exit 'it need not wake up to end' 2 "$BG_PID" 0
is "$(pgcdc-cat "$T/fifth.frames")" '["E","0/0","term"]' 'and it sent E'
ok 'there was no ack socket' not test -e "$T/sock"
mkfifo "$T/pipe"
exec 3<>"$T/pipe"
bg sixth sh -c "exec 3<&-; exec pgcdc-read -s s -p p >'$T/pipe'"
wait_for 'one stands by with a pipe' 20 standing_by sixth
exec 3>&-
wait_exit 'that nobody reads from: 111' 2 "$BG_PID" 111
like "$(cat "$T/sixth.log")" 'standard output is closed' 'and it says so'
fails 111 'a file that another reader writes to' 'another process writes' -s s -p p -o "$T/third.frames"
kill -TERM "$third"
wait_exit 'the third one ends' 20 "$third" 0

# TERM while the server waits for other transactions, before it can make a slot.
mkfifo "$T/in"
bg session psql -XAtq -f "$T/in"
session=$BG_PID
exec 3<>"$T/in"
echo 'BEGIN; INSERT INTO t VALUES (7);' >&3
open_insert() {
	sql "SELECT state FROM pg_stat_activity WHERE datname = '$db'" | grep -qx 'idle in transaction'
}
wait_for 'a transaction is open' 20 open_insert
bg create pgcdc-read -s made -p p --create-slot -o "$T/made.frames"
made() {
	sql "SELECT 1 FROM pg_replication_slots WHERE slot_name = 'made'" | grep -q 1
}
wait_for 'making a slot waits for it' 20 made
kill -TERM "$BG_PID"
wait_exit 'TERM ends that in order' 20 "$BG_PID" 0
echo 'COMMIT;' >&3
exec 3>&-
wait_exit 'the transaction ends' 20 "$session" 0

# A slot that lost its WAL -----------------------------------------------------------

idle() {
	! slots active | grep -q t
}
wait_for 'no slot is in use' 20 idle
sql "SELECT pg_drop_replication_slot('made')" >"$T/null" 2>&1
sql "ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'; SELECT pg_reload_conf();
INSERT INTO t VALUES (8); SELECT pg_switch_wal(); INSERT INTO t VALUES (9); SELECT pg_switch_wal();
INSERT INTO t VALUES (10); SELECT pg_switch_wal(); CHECKPOINT" >"$T/null"
is "$(slots wal_status)" lost 'the slot is lost'
fails 100 'a lost slot' 'lost the WAL.*remedy=.*drop it.*load the tables anew.*max_slot_wal_keep_size' \
    -s s -p p

# Starting up, and a wal_level that is too low ---------------------------------------

sql "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots;
ALTER SYSTEM SET wal_level = replica;
ALTER SYSTEM SET restore_command = 'until test -e $PG_DIR/go; do sleep 0.1; done; false'" >"$T/null"
: >"$PG_DIR/data/recovery.signal"
bg restart "$TOP/tests/pg-server" restart "$PG_DIR" immediate
restart=$BG_PID
starting() {
	timeout 20 pgcdc-read -s s -p p -o "$T/frames" 2>"$T/err"
	echo $? >"$T/status"
	grep -q 'starting up' "$T/err"
}
wait_for 'a server that is starting up says so' 30 starting
is "$(cat "$T/status")" 111 'that is temporary'
: >"$PG_DIR/go"
wait_exit 'it comes up' 60 "$restart" 0
fails 100 'wal_level' \
    'wal_level is not logical.*wal_level=replica.*remedy=.*wal_level = logical.*restart' -s s -p p

mkfifo "$T/in2"
for i in 1 2 3 4; do
	bg "walsender$i" psql -XAtq -d 'replication=database' -f "$T/in2"
done
exec 3<>"$T/in2"
walsenders() {
	sql "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'walsender'" | grep -qx "$1"
}
wait_for 'all walsenders are taken' 20 walsenders 4
fails 111 'too many of them' 'max_wal_senders.*remedy=.*raise max_wal_senders' -s s -p p
exec 3>&-

done_testing
