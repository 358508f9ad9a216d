#!/bin/sh
# Snapshots while tables change: each way in which an old row could win over a new one, or a row
# get lost, made to happen on purpose.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
own_pg
pg_db
# shellcheck source=snapshot.sh
. "$TOP/tests/snapshot.sh"

# fresh [STATEMENTS]: table t, nothing read yet.
fresh() {
	anew 'FOR TABLE t' "$(wide)" "${1:-}"
}
release() {
	no_standby
	sql "SET synchronous_commit = local; SELECT pg_cancel_backend(pid) FROM pg_stat_activity
	    WHERE wait_event = 'SyncRep'" >"$T/out"
}

# Synchronous replication: a commit is streamed before others see it.  The chunk that does not
# see it must wait.
fresh
slowly sync
wait_for 'loading began' 20 blocks_at_least public.t 1
absent_standby
bg commit psql -XAtqc "UPDATE t SET n = 1 WHERE id = ${rows:-300}"
wait_for 'a commit waits for a standby' 20 waits_in SyncRep 'UPDATE t SET n = 1%'
wait_for 'it is streamed' 20 streamed '^."U"' 1
wait_for 'a chunk does not see it, and waits' 20 logged 'a chunk waits until a transaction that was streamed'
release
wait_for 'the table is loaded' 60 loaded public.t
stop
equal 'a row that was streamed before it was seen is the new one' public.t

# The same across a restart: it was streamed and confirmed before, and will not be again.
fresh
reader restart
wait_for 'the reader streams' 20 logged 'msg="?streaming'
absent_standby
bg commit psql -XAtqc "UPDATE t SET n = 2 WHERE id = 1; "
wait_for 'a commit waits for a standby' 20 waits_in SyncRep 'UPDATE t SET n = 2%'
wait_for 'it is streamed' 20 streamed '^."U"' 1
stop
reader restart --snapshot initial
wait_for 'the barrier finds it' 20 logged 'a transaction holds a table.*table=public.t'
is "$(request status | head -n 1)" 'table public.t waiting 0 0 0' 'and waits'
is "$(frames | grep -c '^."S"')" 0 'nothing is read'
release
wait_for 'the table is loaded' 60 loaded public.t
stop
equal 'a row that was streamed by an earlier reader is the new one' public.t

# While the slot is made: a transaction whose commit is in the log before the slot's first, and
# that waits for a standby.  It must begin when the slot waits for the second time.
fresh
sql "SELECT pg_drop_replication_slot('$ID')" >"$T/out"
absent_standby
session first 3
session second 4
echo "SET synchronous_commit = local; BEGIN; SELECT pg_current_xact_id() AS first;" >&3
has_xid() {
	[ "$(sql "SELECT count(*) FROM pg_stat_activity WHERE backend_xid IS NOT NULL
	    AND state LIKE 'idle in%'")" = "$1" ]
}
wait_for 'a transaction is open' 20 has_xid 1
reader creation --create-slot --snapshot initial
slot_waits_for() {
	[ -n "$(sql "SELECT 1 FROM pg_stat_activity s JOIN pg_stat_activity b
	    ON b.pid = ANY (pg_blocking_pids(s.pid)) WHERE s.application_name = 'pgcdc-read'
	    AND b.query LIKE '%$1'")" ]
}
wait_for 'the slot waits for it' 20 slot_waits_for 'AS first;'
echo "SET synchronous_commit = local; BEGIN; SELECT pg_current_xact_id() AS second;" >&4
wait_for 'another one is open' 20 has_xid 2
echo "COMMIT;" >&3
wait_for 'the slot waits for that' 20 slot_waits_for 'AS second;'
bg commit psql -XAtqc "UPDATE t SET n = 3 WHERE id = 1"
wait_for 'a commit waits for a standby' 20 waits_in SyncRep 'UPDATE t SET n = 3%'
echo "COMMIT;" >&4
wait_for 'the slot is made' 20 logged 'made the slot'
wait_for 'the barrier finds the commit' 20 logged 'a transaction holds a table.*table=public.t'
release
exec 3>&- 4>&-
wait_for 'the table is loaded' 60 loaded public.t
stop
is "$(frames | grep -c '^."U"')" 0 'it was not streamed'
equal 'a row that was committed while the slot was made is the new one' public.t

# An open transaction on a table that joins the publication: what it did before is not streamed.
fresh "CREATE TABLE joins (id int PRIMARY KEY, n int);"
reader joins
wait_for 'the reader streams' 20 logged 'msg="?streaming'
session joining 3
echo "BEGIN; INSERT INTO joins VALUES (1, 1);" >&3
wait_for 'a transaction is open' 20 has_xid 1
sql "ALTER PUBLICATION $ID ADD TABLE joins"
is "$(request 'snapshot joins')" 'ok 1' 'the table is asked for'
wait_for 'the barrier finds the transaction' 20 logged 'a transaction holds a table.*table=public.joins'
like "$(request status)" '^table public.joins waiting' 'and waits'
sql "INSERT INTO joins VALUES (2, 2)"
echo "INSERT INTO joins VALUES (3, 3); COMMIT;" >&3
exec 3>&-
wait_for 'the table is loaded' 60 loaded public.joins
stop
equal 'all rows are there' public.joins
# The same, prepared.
sql "TRUNCATE joins; ALTER PUBLICATION $ID DROP TABLE joins;
BEGIN; INSERT INTO joins VALUES (4, 4); PREPARE TRANSACTION '$ID';"
sql "ALTER PUBLICATION $ID ADD TABLE joins"
reader joins
wait_for 'the reader streams' 20 request status
is "$(request 'snapshot joins')" 'ok 1' 'the table is asked for'
wait_for 'the barrier finds the prepared one' 20 logged 'a transaction holds.*table=public.joins.*pid=prepared'
sql "COMMIT PREPARED '$ID'"
wait_for 'the table is loaded' 60 loaded public.joins
stop
equal 'its row is there, too' public.joins
sql "DROP TABLE joins"

# A rewrite between what a chunk sees and what it reads: the lock comes first.
# Of the last block, for a later chunk would notice that the table has another file.
rows=20
fresh
slowly alter --snapshot-max-rate 6
wait_for 'loading began' 20 blocks_at_least public.t 1
session alter 3
echo "BEGIN; ALTER TABLE t ALTER n TYPE bigint;" >&3
chunk_waits() {
	[ -n "$(sql "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'relation'
	    AND application_name = 'pgcdc-read snapshot'")" ]
}
wait_for 'a chunk waits for a table that is being rewritten' 20 chunk_waits
echo "COMMIT;" >&3
exec 3>&-
wait_for 'it begins again' 20 logged 'rewritten or truncated: its snapshot begins again'
wait_for 'the table is loaded' 60 loaded public.t
stop
equal 'no row is lost' public.t
rows=''

# Another table has the name when it is read: a schema can be renamed while its tables are locked.
# Whoever asks how large the table is waits for an index meanwhile.
fresh "CREATE SCHEMA a; CREATE SCHEMA b;
    CREATE TABLE a.s (id int PRIMARY KEY, n int, name text) WITH (autovacuum_enabled = off);
    INSERT INTO a.s SELECT i, 0, repeat('x', 500) FROM generate_series(1, 20) i;
    CREATE TABLE b.s (LIKE a.s INCLUDING ALL);
    INSERT INTO b.s SELECT i, 9, repeat('z', 500) FROM generate_series(1, 20) i;
    ALTER PUBLICATION $ID SET TABLE a.s;"
slowly swapped --snapshot-max-rate 6
wait_for 'loading began' 20 blocks_at_least a.s 1
session swapped 3
echo "BEGIN; REINDEX INDEX $(sql "SELECT indexrelid::regclass FROM pg_index
    WHERE indrelid = (SELECT reltoastrelid FROM pg_class WHERE oid = 'a.s'::regclass)");" >&3
wait_for 'a chunk waits for an index' 20 chunk_waits
sql 'ALTER SCHEMA a RENAME TO c; ALTER SCHEMA b RENAME TO a'
echo "COMMIT;" >&3
exec 3>&-
loaded_there() {
	loaded a.s || loaded c.s
}
wait_for 'the table is loaded' 60 loaded_there
stop
is "$(frames | grep -c '^."S".*zzz')" 0 'no row of a table came that got its name'
equal 'its own rows did' c.s
sql 'SET client_min_messages = warning; DROP SCHEMA a, c CASCADE'

# Who changes a schema otherwise may hold up a load, but it does not begin again.
fresh
slowly granted
wait_for 'loading began' 20 blocks_at_least public.t 2
session granted 3
echo "BEGIN; GRANT USAGE ON SCHEMA public TO CURRENT_USER;" >&3
wait_for 'chunks wait for a change of the schema' 20 logged 'cannot be read while somebody has it locked'
echo "ROLLBACK;" >&3
exec 3>&-
granted=$(blocks public.t)
wait_for 'loading goes on' 20 blocks_at_least public.t $((granted + 2))
sql 'GRANT USAGE ON SCHEMA public TO CURRENT_USER'
wait_for 'the table is loaded' 60 loaded public.t
stop
is "$(grep -c 'to be read.*table=public.t' "$T/granted.log")" 1 'it did not begin again'
equal 'all rows are there' public.t

# An update moves a row with a large value that it leaves alone to a block that was read.
rows=600
fresh "INSERT INTO t VALUES (601, 0, repeat('y', 500), repeat('0123456789', 1000));
    INSERT INTO t SELECT i, 0, repeat('x', 500) FROM generate_series(602, 640) i;
    DELETE FROM t WHERE id < 5;
    VACUUM t;"
slowly toast
wait_for 'the first block is loaded' 20 blocks_at_least public.t 2
sql "UPDATE t SET n = 4 WHERE id = 601"
is "$(sql "SELECT ctid::text LIKE '(0,%' FROM t WHERE id = 601")" t 'the row moved there'
wait_for 'the table is loaded' 60 loaded public.t
ok 'the row was not read yet' [ "$(frames | grep -n '^."U"' | cut -d : -f 1)" -lt \
    "$(frames | grep -n '^."S"' | tail -n 1 | cut -d : -f 1)" ]
stop
equal 'its large value is there' public.t
rows=''

# The same, and the stream is far behind: all chunks are stored before it brings the update.
rows=600
behind() {
	fresh "INSERT INTO t VALUES (601, 0, repeat('y', 500), repeat('0123456789', 1000));
	    INSERT INTO t SELECT i, 0, repeat('x', 500) FROM generate_series(602, 640) i;
	    DELETE FROM t WHERE id < 5;
	    VACUUM t;"
	slowly "$1"
	wait_for 'the first block is loaded' 20 blocks_at_least public.t 2
	walsender=$(sql "SELECT active_pid FROM pg_replication_slots WHERE slot_name = '$ID'")
	kill -s STOP "$walsender"
	sql "UPDATE t SET n = 4 WHERE id = 601"
	is "$(sql "SELECT ctid::text LIKE '(0,%' FROM t WHERE id = 601")" t 'the row moved to a block that was read'
	last=$(request status | sed -n 's/^table public.t [a-z]* [0-9]* \([0-9]*\) .*/\1/p')
	wait_for 'all blocks are stored' 60 blocks_at_least public.t "$last"
	ok 'the table is not loaded yet' not loaded public.t
	is "$(frames | grep -c '^."U"')" 0 'the update is not streamed'
}
behind late
kill -s CONT "$walsender"
wait_for 'the table is loaded when the stream is there' 60 loaded public.t
stop
equal 'the large value that was not in any chunk is there' public.t
behind later
kill -9 "$READER"
wait "$READER" 2>"$T/out"
kill -s CONT "$walsender"
ok 'the state file does not say that it is loaded' not grep -q loaded "$T/later.state"
reader later --snapshot initial
wait_for 'the table is loaded after a restart' 60 loaded public.t
stop
equal 'and the large value is there' public.t
rows=''

# Rows that change between their reading and their turn in the stream.  The output is stopped: what
# was read waits.

# hold [OPTION...]: a reader that loads, until its output is full.
held() {
	[ "$(sql "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle'
	    AND application_name = 'pgcdc-read snapshot' AND query LIKE 'BEGIN%'
	    AND state_change < now() - interval '300 ms'")" -gt 0 ]
}
hold() {
	rm -f "$T/pipe"
	mkfifo "$T/pipe"
	exec 5<>"$T/pipe"
	_reader=held
	# shellcheck disable=SC2016 # expanded there
	bg held sh -c 'exec pgcdc-read "$@" >"$0"' "$T/pipe" -s "$ID" -p "$ID" -v \
	    --snapshot initial --control "$T/held.control" "$@"
	READER=$BG_PID
	wait_for 'it takes requests' 20 request status
	wait_for 'chunks wait for the output' 20 held
}
# let_go: when what was done since lies before the reader, which does not read: else the chunks
# would just come first.
lies() {
	[ -n "$(sql "SELECT 1 FROM pg_stat_replication r JOIN pg_stat_activity a USING (pid)
	    WHERE sent_lsn >= '$lsn' OR wait_event = 'WalSenderWriteData'")" ]
}
let_go() {
	lsn=$(sql 'SELECT pg_current_wal_lsn()')
	wait_for 'the changes wait for the reader' 20 lies
	cat <"$T/pipe" >"$T/held.frames" 5>&- &
	cat=$!
	exec 5>&-
	wait_for 'the table is loaded' 60 loaded public.t
}
# came_whole LETTER N: the stream, too.
came_whole() {
	wait_for 'the changes are there' 60 streamed "^.\"$1\"" "$2"
	kill "$READER"
	wait_exit 'the reader ends' 30 "$READER" 0
	wait "$cat"
}
came_between() {
	[ "$(frames | grep -n "^.\"$1\"" | head -n 1 | cut -d : -f 1)" -lt \
	    "$(frames | grep -n '^."S"' | tail -n 1 | cut -d : -f 1)" ]
}

# Not as many as would have all read again.
rows=10000
for key in '' 'ALTER TABLE t REPLICA IDENTITY FULL;' \
    'ALTER TABLE t DROP CONSTRAINT t_pkey, REPLICA IDENTITY FULL;'; do
	fresh "$key"
	hold
	sql "UPDATE t SET n = id, id = CASE WHEN id % 10 = 0 THEN -id ELSE id END;
	DELETE FROM t WHERE id % 7 = 0"
	let_go
	came_whole D 1428
	ok 'they came before chunks that had been read' came_between U
	equal "rows that changed meanwhile are the new ones: ${key:-a primary key}" public.t
done
# So many that their keys are not kept.
rows=60000
fresh
hold
sql 'UPDATE t SET n = id'
let_go
came_whole U 60000
ok 'chunks that had been read are read again' logged 'a chunk is read again'
equal 'more rows than are remembered' public.t
rows=10000
# In transactions that are streamed while they run; of the second one a part is rolled back.
for part in '' 'SAVEPOINT s; UPDATE t SET n = -1; ROLLBACK TO s;'; do
	fresh "ALTER DATABASE $PGDATABASE SET logical_decoding_work_mem = '64kB';"
	hold
	sql "BEGIN; UPDATE t SET n = id, id = -id WHERE id % 2 = 0; $part
	UPDATE t SET n = -2 WHERE id % 3 = 0; COMMIT"
	let_go
	came_whole U 8333
	equal "a large transaction: ${part:-whole}" public.t
done
sql "ALTER DATABASE $PGDATABASE RESET logical_decoding_work_mem"
# Truncated: that touches every row.
rows=10000
fresh
hold
sql "TRUNCATE t; INSERT INTO t VALUES (1, 11), (20001, 12)"
let_go
came_whole I 2
ok 'the truncate came before the last rows' came_between T
equal 'rows that were truncated meanwhile do not come back' public.t
# Partitions whose old rows do not tell what the root's key was.
fresh "DROP TABLE t; CREATE TABLE t (id int, n int, name text, other int NOT NULL, PRIMARY KEY (id))
    PARTITION BY RANGE (id);
    CREATE TABLE leaf PARTITION OF t FOR VALUES FROM (-100000) TO (100000);
    CREATE UNIQUE INDEX leaf_other ON leaf (other);
    ALTER TABLE leaf REPLICA IDENTITY USING INDEX leaf_other;
    INSERT INTO t SELECT i, 0, repeat('x', 500), i FROM generate_series(1, 10000) i;
    ALTER PUBLICATION $ID ADD TABLE t; ALTER PUBLICATION $ID SET (publish_via_partition_root);"
hold
sql "UPDATE t SET n = id"
lsn=$(sql 'SELECT pg_current_wal_lsn()')
wait_for 'the changes wait for the reader' 20 lies
cat <"$T/pipe" >"$T/held.frames" 5>&- &
cat=$!
exec 5>&-
wait_for 'the table is loaded' 60 loaded public.leaf
came_whole U 10000
ok 'chunks were read again' logged 'a chunk is read again'
equal 'rows of partitions with another identity' public.t
sql 'DROP TABLE t; CREATE TABLE t ()'
rows=''

# A message outside a transaction ends where the next commit may begin: nothing is as new as that.
fresh "CREATE TABLE noise (n int);"
slowly messages --messages
for i in 1 2 3; do
	wait_for 'loading goes on' 20 blocks_at_least public.t "$i"
	sql "SELECT pg_logical_emit_message(false, 'm', 'text'); INSERT INTO noise VALUES ($i)" >"$T/out"
done
wait_for 'the table is loaded' 60 loaded public.t
stop
is "$(frames | jq -rn 'reduce inputs as $f ({of: [], bad: 0};
    if $f[0] == "B" and $f[3] == 0 then .of += [$f[1]]
    elif $f[0] == "B" and $f[3] == null and (.of | index($f[1])) then .bad += 1
    else . end) | "\(.of | length) \(.bad)"')" '3 0' 'no unit of a snapshot has its LSN'
equal 'with messages: all rows' public.t
sql 'DROP TABLE noise'

# Truncated, rewritten, dropped.
fresh
slowly truncate
wait_for 'loading began' 20 blocks_at_least public.t 2
sql "TRUNCATE t; INSERT INTO t SELECT i, 5, repeat('z', 500) FROM generate_series(100, 400) i"
wait_for 'it begins again' 20 logged 'rewritten or truncated: its snapshot begins again'
wait_for 'the table is loaded' 60 loaded public.t
stop
equal 'truncated and filled: only new rows' public.t
fresh
slowly full
wait_for 'loading began' 20 blocks_at_least public.t 2
sql "DELETE FROM t WHERE id % 3 = 0"
sql "VACUUM FULL t"
wait_for 'it begins again' 20 logged 'rewritten or truncated: its snapshot begins again'
sql "UPDATE t SET n = 6 WHERE id % 5 = 0; INSERT INTO t VALUES (1000, 7)"
wait_for 'the table is loaded' 60 loaded public.t
stop
equal 'VACUUM FULL: all rows' public.t
fresh
slowly ddl
wait_for 'loading began' 20 blocks_at_least public.t 2
sql "ALTER TABLE t ADD more int; ALTER TABLE t RENAME TO was; ALTER TABLE was DROP name;
UPDATE was SET more = id"
wait_for 'the table is loaded' 60 loaded public.was
stop
equal 'renamed and altered: all rows' public.was
sql "ALTER TABLE was RENAME TO t"
fresh "CREATE TABLE stays (id int PRIMARY KEY); INSERT INTO stays VALUES (1);
    ALTER PUBLICATION $ID ADD TABLE stays;"
slowly drop
wait_for 'loading began' 20 blocks_at_least public.t 2
sql "DROP TABLE t"
wait_for 'a table that is dropped is left' 30 logged 'gone or not published any more.*table=public.t'
wait_for 'the others are loaded' 60 loaded public.stays
stop
equal 'they are' public.stays
sql "DROP TABLE stays; CREATE TABLE t ()"

# Killed, and begun again: where it was, but for what was not stored yet.
fresh
slowly killed
wait_for 'loading began' 20 blocks_at_least public.t 3
wait_for 'the state file knows' 20 state_has 3
killed
sql "UPDATE t SET n = 8; INSERT INTO t SELECT i, 9 FROM generate_series(1001, 3000) i"
was=$(sed -n 's/^table [0-9]* [0-9]* \([0-9]*\) loading.*/\1/p' "$T/killed.state")
rm "$T/killed.log"
reader killed
wait_for 'it goes on' 20 logged "to be read.* table=public.t from=$was"
wait_for 'the table is loaded' 60 loaded public.t
stop
equal 'after kill -9: all rows' public.t
# A slot that was moved by somebody else meanwhile: from the beginning.
fresh
slowly moved
wait_for 'the state file knows' 20 state_has 3
killed
sql "SELECT pg_replication_slot_advance('$ID', pg_switch_wal())" >"$T/out"
rm "$T/moved.log"
reader moved
wait_for 'a slot that was moved: it begins again' 20 logged "to be read.* table=public.t from=0"
wait_for 'the table is loaded' 60 loaded public.t
stop
equal 'it is whole' public.t

# Nothing is left on the server, and nothing stays open.
is "$(sql "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'pgcdc%'")" 0 \
    'no session is left'
done_testing
