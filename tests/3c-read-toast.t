#!/bin/sh
# Large values that an update leaves alone: marked as absent, taken from the old row, or
# fetched from the table.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
own_pg
pg_db

sql "CREATE TABLE t (id int, part text, n int, big text, other text, PRIMARY KEY (id, part));
ALTER TABLE t ALTER big SET STORAGE EXTERNAL, ALTER other SET STORAGE EXTERNAL;
CREATE TABLE whole (id int PRIMARY KEY, n int, big text);
ALTER TABLE whole ALTER big SET STORAGE EXTERNAL, REPLICA IDENTITY FULL;
CREATE TABLE other (id int PRIMARY KEY);
CREATE PUBLICATION $ID FOR TABLE t, whole, other;
SELECT 1 FROM pg_create_logical_replication_slot('$ID', 'pgoutput')" >"$T/out"

# rows FILTER [OPTION...]: of the row frames, from the beginning; nothing is confirmed.
rows() {
	_filter=$1
	shift
	pgcdc-read -s "$ID" -p "$ID" --until-caught-up "$@" 2>"$T/err" | pgcdc-cat >"$T/frames"
	jq -c 'select(.[0] | IN("I", "U", "D")) | .[0:1] + .[2:] |
	    (.. | strings | select(length > 20)) |= "\(.[0:1])\(length)"' "$T/frames" |
	    jq -c "$_filter"
}
forget() {
	sql "SELECT pg_replication_slot_advance('$ID', pg_current_wal_lsn())" >"$T/out"
}

sql "INSERT INTO t VALUES (1, 'a''\\', 0, repeat('x', 5000), repeat('o', 9000)),
    (2, 'b', 0, repeat('y', 6000), NULL);
INSERT INTO whole VALUES (1, 0, repeat('w', 7000))"
forget
sql "UPDATE t SET n = 1; UPDATE whole SET n = 1"
is "$(rows . | head -n 3)" '["U",[1,"a'\''\\",1,{"$absent":true},{"$absent":true}],null]
["U",[2,"b",1,{"$absent":true},null],null]
["U",[1,1,"w7000"],[1,0,"w7000"]]' 'marked, but for what the whole old row tells'
is "$(rows . --toast fetch)" '["U",[1,"a'\''\\",1,"x5000","o9000"],null]
["U",[2,"b",1,"y6000",null],null]
["U",[1,1,"w7000"],[1,0,"w7000"]]' 'fetched by key'

# Newer values, rows that are gone, keys that changed.
forget
sql "UPDATE t SET n = 2;
UPDATE t SET big = repeat('z', 4000), other = NULL WHERE id = 2;
UPDATE t SET n = 3 WHERE id = 2;
BEGIN; INSERT INTO other VALUES (1); UPDATE t SET n = 4, id = 3 WHERE id = 1;
INSERT INTO other VALUES (2); COMMIT;
UPDATE t SET n = 5 WHERE id = 3;
DELETE FROM t WHERE id = 3"
is "$(rows . --toast fetch)" '["U",[2,"b",2,"z4000",null],null]
["U",[2,"b",2,"z4000",null],null]
["U",[2,"b",3,"z4000",null],null]
["I",[1]]
["D",[1,"a'\''\\",{"$absent":true},{"$absent":true},{"$absent":true}]]
["I",[2]]
["D",[3,"a'\''\\",{"$absent":true},{"$absent":true},{"$absent":true}]]' \
    'a row that is gone is left out, but for the delete of its old key'

# Many, in one transaction, streamed and not; between them rows that lack nothing.
forget
sql "INSERT INTO t SELECT i, 'many', 0, repeat(chr(97 + i % 26), 3000 + i), NULL
    FROM generate_series(1001, 2000) i"
forget
sql "BEGIN; UPDATE t SET n = id WHERE part = 'many'; INSERT INTO other VALUES (3);
UPDATE t SET n = -id WHERE part = 'many'; COMMIT"
sql "SELECT format('[\"U\",[%s,\"many\",%s,\"%s%s\",null],null]', id, s * id,
    left(big, 1), length(big)) FROM t, (VALUES (1), (-1)) s (s) WHERE part = 'many'
    ORDER BY s DESC, id" >"$T/expected"
for proto in 1 2; do
	rows 'select(.[0] == "U")' --toast fetch --proto $proto --spool-mem 1000 >"$T/got"
	same "$T/got" "$T/expected" "protocol $proto: 2,000 rows, 3.5 MB each time"
done
is "$(jq -r '.[0]' "$T/frames" | uniq -c | tr -s ' \n' ' ')" \
    ' 1 H 1 B 1 R 1000 U 1 R 1 I 1000 U 1 C 1 E ' 'in their order'

# An update that a row filter makes an insert.
if [ "$(sql 'SHOW server_version_num')" -ge 150000 ]; then
	sql "ALTER PUBLICATION $ID SET TABLE t WHERE (id > 10), whole WHERE (id > 10), other"
	forget
	sql "UPDATE t SET id = 20 WHERE id = 2"
	is "$(rows .)" '["I",[20,"b",3,{"$absent":true},null]]' \
	    'an update that a row filter makes an insert lacks them, too'
	is "$(rows . --toast fetch)" '["I",[20,"b",3,"z4000",null]]' 'and is completed'
	sql "ALTER PUBLICATION $ID SET TABLE t, whole, other"
else
	skip 'row filters' 'PostgreSQL 15'
	skip 'row filters' 'PostgreSQL 15'
	sql "UPDATE t SET id = 20 WHERE id = 2"
fi

# A key that changes.
forget
sql "UPDATE t SET id = 21 WHERE id = 20"
is "$(rows . --toast fetch)" \
    '["U",[21,"b",3,"z4000",null],[20,"b",{"$absent":true},{"$absent":true},{"$absent":true}]]' \
    'an update of the key alone is completed, too'
is "$(rows .)" \
    '["U",[21,"b",3,{"$absent":true},null],[20,"b",{"$absent":true},{"$absent":true},{"$absent":true}]]' \
    'or marked'
sql "UPDATE t SET id = 20 WHERE id = 21"

# Keys whose operators and types are not in pg_catalog, partitions, children.
sql "CREATE SCHEMA \"Odd one\"; CREATE TYPE \"Odd one\".\"The mood\" AS ENUM ('so so', 'a''\\');
CREATE TYPE pair AS (a int, b text);
CREATE TABLE moody (m \"Odd one\".\"The mood\", p pair, n int, big text, PRIMARY KEY (p, m));
CREATE TABLE padded (c char(4), b bit(3), v varchar(5), a char(3)[], n int, big text,
    PRIMARY KEY (c, b, v, a));
ALTER TABLE padded ALTER big SET STORAGE EXTERNAL; ALTER PUBLICATION $ID ADD TABLE padded;
INSERT INTO padded VALUES ('abc', '101', 'vw', '{abc,d}', 0, repeat('c', 3400));
CREATE TABLE root (id int PRIMARY KEY, n int, big text) PARTITION BY RANGE (id);
CREATE TABLE leaf PARTITION OF root FOR VALUES FROM (0) TO (10);
CREATE TABLE parent (id int PRIMARY KEY, n int, big text);
CREATE TABLE child (PRIMARY KEY (id)) INHERITS (parent);
ALTER TABLE moody ALTER big SET STORAGE EXTERNAL;
ALTER TABLE leaf ALTER big SET STORAGE EXTERNAL;
ALTER TABLE parent ALTER big SET STORAGE EXTERNAL;
ALTER PUBLICATION $ID ADD TABLE moody, root, parent;
ALTER PUBLICATION $ID SET (publish_via_partition_root = true);
INSERT INTO moody VALUES ('a''\\', (1, 'x,y'), 0, repeat('m', 3000)),
    ('so so', (2, NULL), 0, repeat('M', 3100));
INSERT INTO root VALUES (1, 0, repeat('r', 3200));
INSERT INTO parent VALUES (1, 0, repeat('p', 3300)); INSERT INTO child VALUES (1, 0, 'child')"
forget
sql "UPDATE padded SET n = 1"
is "$(rows . --toast fetch)" '["U",["abc ","101","vw",["abc","d  "],1,"c3400"],null]' \
    'types with a length'
forget
sql "UPDATE moody SET n = 1; UPDATE root SET n = 1; UPDATE ONLY parent SET n = 1;
DELETE FROM ONLY parent"
is "$(rows . --toast fetch | head -n 3)" '["U",["a'\''\\",{"a":1,"b":"x,y"},1,"m3000"],null]
["U",["so so",{"a":2,"b":null},1,"M3100"],null]
["U",[1,1,"r3200"],null]' 'types of a schema of their own, and partitions'
is "$(rows 'select(.[0] == "U")' --toast fetch | tail -n +4)" '' "nor are a child's rows its parent's"
sql "ALTER TABLE root REPLICA IDENTITY FULL"
forget
sql "UPDATE root SET id = 2"
is "$(rows .)" '["U",[2,1,{"$absent":true}],[1,{"$absent":true},{"$absent":true}]]' \
    'what a partition with another identity does not send is absent, not null'
like "$(cat "$T/err")" 'table=root remedy="ALTER TABLE each partition' 'which a warning says'
sql "ALTER PUBLICATION $ID DROP TABLE moody, root, parent; DROP TABLE moody, root, child, parent"
for retype in 'int USING 1' 'date USING now()' 'pair USING NULL'; do
	sql "CREATE TABLE was (k text PRIMARY KEY, n int, big text);
	ALTER TABLE was ALTER big SET STORAGE EXTERNAL; ALTER PUBLICATION $ID ADD TABLE was;
	INSERT INTO was VALUES ('abc', 0, repeat('w', 3000))"
	forget
	sql "UPDATE was SET n = 1; DELETE FROM was; ALTER TABLE was ALTER k TYPE $retype"
	is "$(rows . --toast fetch | head -n 1)" '["U",["abc",1,{"$absent":true}],null]' \
	    "a key that is ${retype%% *} by now: it stays absent"
	like "$(cat "$T/err")" 'cannot be fetched.*table=was' 'with a warning'
	sql "DROP TABLE was"
done

# A table that is another one by now.
forget
sql "UPDATE t SET n = 6 WHERE id = 20; ALTER TABLE t RENAME TO renamed"
is "$(rows . --toast fetch)" '["U",[20,"b",6,"z4000",null],null]' 'a renamed table is found'
sql "ALTER TABLE renamed RENAME big TO large"
is "$(rows . --toast fetch)" '["U",[20,"b",6,{"$absent":true},null],null]' \
    'a renamed column is not: the value stays absent'
like "$(cat "$T/err")" 'table=t reason=".*big.* does not exist" remedy=' 'with a warning'
sql "DROP TABLE renamed"
is "$(rows . --toast fetch)" '["U",[20,"b",6,{"$absent":true},null],null]' \
    'nor is a dropped table'
like "$(cat "$T/err")" 'table=t reason="the table was dropped since" remedy=' 'with a warning'

# Rights.
sql "CREATE TABLE t (id int PRIMARY KEY, n int, big text);
ALTER TABLE t ALTER big SET STORAGE EXTERNAL;
ALTER PUBLICATION $ID ADD TABLE t;
INSERT INTO t VALUES (1, 0, repeat('r', 5000))"
forget
sql "UPDATE t SET n = 1;
CREATE ROLE ${ID}_r LOGIN REPLICATION PASSWORD 'r' CONNECTION LIMIT 0;
CREATE ROLE ${ID}_s LOGIN REPLICATION PASSWORD 's'"
fails() {
	_user=$1
	exits 100 "$2" env PGUSER="${ID}_$_user" PGPASSWORD="$_user" pgcdc-read -s "$ID" -p "$ID" \
	    --until-caught-up --toast fetch
	like "$(cat "$T/err")" "$3" 'which says what to do'
}
fails s 'without the right to read the table' 'permission denied.*remedy="GRANT SELECT'
sql "GRANT SELECT ON t TO ${ID}_s; ALTER TABLE t ENABLE ROW LEVEL SECURITY"
fails s 'where row-level security would hide rows' 'row-level security.*remedy=.*BYPASSRLS'
sql "ALTER TABLE t DISABLE ROW LEVEL SECURITY"
exits 0 'with that right' env PGUSER="${ID}_s" PGPASSWORD=s pgcdc-read -s "$ID" -p "$ID" \
    --until-caught-up --toast fetch
sql "UPDATE t SET n = 2; GRANT SELECT ON t TO ${ID}_r"
fails r 'with one connection only' 'needs a second connection.*remedy='

# With synchronous replication a commit is in the stream before others see it.
forget
sql "ALTER SYSTEM SET synchronous_standby_names = 'nobody'; SELECT pg_reload_conf()" >"$T/out"
bg commit psql -XAtqc 'UPDATE t SET n = 7 WHERE id = 1'
commits() {
	[ "$(sql "SELECT wait_event FROM pg_stat_activity WHERE query LIKE 'UPDATE t%'")" = SyncRep ]
}
wait_for 'a commit waits for a standby' 20 commits
bg reader pgcdc-read -s "$ID" -p "$ID" --toast fetch -o "$T/sync.frames"
asks() {
	[ -n "$(sql "SELECT 1 FROM pg_stat_activity WHERE application_name = 'pgcdc-read catalog'
	    AND query LIKE '%pg_current_snapshot%'")" ]
}
updates() {
	pgcdc-cat "$T/sync.frames" 2>/dev/null | grep -c '^."U'
}
wait_for 'the reader looks whether it is visible' 20 asks
is "$(updates)" 0 'before that it fetches nothing'
sql "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'" >"$T/out"
updated() {
	[ "$(updates)" = 1 ]
}
wait_for 'then it does' 20 updated
is "$(pgcdc-cat "$T/sync.frames" 2>/dev/null | jq -c 'select(.[0] == "U") |
    .[2] | .[0], .[1], (.[2] | length)' | xargs)" '1 7 5000' 'and has the whole row'
kill "$BG_PID"
wait_exit 'the end' 20 "$BG_PID" 0
done_testing
