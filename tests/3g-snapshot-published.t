#!/bin/sh
# Snapshots of tables whose publication changes meanwhile, or has not all of their changes; and
# requests that cannot be met.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# Long, and of the server alone: not in every run of all tests.
if [ -z "${LONG:-}${PGCDC_TEST_PG_MAJOR:-}" ]; then
	skip "snapshots of publications that change" 'LONG is not set: make check-long and check-matrix have it'
	done_testing
	exit
fi
own_pg
pg_db
# shellcheck source=snapshot.sh
. "$TOP/tests/snapshot.sh"
version=$(sql 'SHOW server_version_num')

gone='t, was, kept, r, leaf1, leaf2'
# fresh PUBLICATION [STATEMENTS]: table t, nothing read yet.
fresh() {
	anew "$1" "$(wide) ${2:-}"
}
# unseen STATEMENTS: while no chunk is asked for.
unseen() {
	kill -s STOP "$READER"
	wait_for 'no chunk is being read' 20 no_chunk
	sql "$1"
	kill -s CONT "$READER"
}
no_chunk() {
	[ "$(sql "SELECT count(*) FROM pg_stat_activity WHERE state = 'active'
	    AND application_name = 'pgcdc-read snapshot'")" = 0 ]
}

# Taken out of the publication: nothing more of it is read, least of all what was never published.
list=''
[ "$version" -lt 150000 ] || list='(id, n) WHERE (id % 2 = 0)'
fresh "FOR TABLE t $list"
slowly out --snapshot-max-rate 1
wait_for 'loading began' 20 blocks_at_least public.t 1
sql "ALTER PUBLICATION $ID DROP TABLE t"
wait_for 'it is left' 20 logged 'gone or not published any more.*table=public.t'
ok 'it is not loaded' not loaded public.t
[ "$version" -lt 150000 ] || is "$(frames | grep -c '^."S".*xxx')" 0 'no column was read that is not published'
stop
ok 'the state file does not know it any more' not grep -q '^table' "$T/out.state"

# Out, and in again before anybody looked: what changed meanwhile is not streamed.
fresh 'FOR TABLE t'
slowly back
wait_for 'loading began' 20 blocks_at_least public.t 2
unseen "ALTER PUBLICATION $ID DROP TABLE t; UPDATE t SET n = 5 WHERE id = 1;
    ALTER PUBLICATION $ID ADD TABLE t"
wait_for 'it begins again' 20 logged 'what publications say of a table.* changed.*table=public.t'
wait_for 'the table is loaded' 60 loaded public.t
stop
equal 'a table that was out for a while is whole' public.t
# The same, while no reader runs.
fresh 'FOR TABLE t'
slowly between
wait_for 'the state file knows of blocks' 20 state_has 2
killed
sql "ALTER PUBLICATION $ID DROP TABLE t; UPDATE t SET n = 5 WHERE id = 1;
    ALTER PUBLICATION $ID ADD TABLE t"
reader between --snapshot initial
wait_for 'the table is loaded' 60 loaded public.t
stop
ok 'it began again' logged 'what publications say of a table.* changed.*table=public.t'
equal 'a table that was out between two readers is whole' public.t
# The publication was made anew, or left out updates for a while.
for change in "BEGIN; DROP PUBLICATION $ID; CREATE PUBLICATION $ID FOR TABLE t; COMMIT" \
    "ALTER PUBLICATION $ID SET (publish = 'insert'); UPDATE t SET n = 7 WHERE id = 1;
    ALTER PUBLICATION $ID SET (publish = 'insert, update, delete, truncate')"; do
	fresh 'FOR TABLE t'
	slowly anew
	wait_for 'loading began' 20 blocks_at_least public.t 2
	unseen "$change"
	wait_for 'it begins again' 20 logged 'what publications say of a table.* changed.*table=public.t'
	wait_for 'the table is loaded' 60 loaded public.t
	stop
	equal "whole after ${change%%;*}" public.t
done

# Called otherwise, or known by another key: all its rows are the documents that its changes are for.
again='what publications say of a table, its name or its key changed'
fresh 'FOR TABLE t'
slowly called
wait_for 'loading began' 20 blocks_at_least public.t 2
sql 'ALTER TABLE t RENAME TO was'
wait_for 'it begins again' 20 logged "$again.*table=public.was"
wait_for 'the table is loaded' 60 loaded public.was
stop
equal 'all rows have the new name' public.was
for key in '' 'ALTER TABLE t REPLICA IDENTITY FULL;'; do
	fresh 'FOR TABLE t' "$key ALTER TABLE t ALTER n SET NOT NULL;"
	slowly keyed
	wait_for 'loading began' 20 blocks_at_least public.t 2
	sql 'BEGIN; ALTER TABLE t DROP CONSTRAINT t_pkey, ADD PRIMARY KEY (n, id); COMMIT'
	wait_for 'it begins again' 20 logged "$again.*table=public.t"
	wait_for 'the table is loaded' 60 loaded public.t
	stop
	is "$(frames | jq -sr '(map(select(.[0] == "R")) | last | .[6]) as $key | reduce .[] as $f (
	    {}; if $f[0] == "R" then .key = $f[6] elif $f[0] == "S" and .key == $key
	    then .rows[$f[2][0] | tostring] = true else . end) | "\($key) \(.rows | length)"')" '[1,0] 300' \
	    "all rows have the new key${key:+, which the identity does not tell}"
done
# While no reader runs.
fresh 'FOR TABLE t'
slowly away
wait_for 'the state file knows of blocks' 20 state_has 2
killed
sql 'ALTER TABLE t RENAME TO was'
reader away --snapshot initial
wait_for 'the table is loaded' 60 loaded public.was
stop
ok 'it began again' logged "$again.*table=public.was"
equal 'all rows have the new name' public.was
# A root, of which one partition is loaded already.
fresh 'FOR TABLE r WITH (publish_via_partition_root)' 'DROP TABLE t;
    CREATE TABLE r (id int PRIMARY KEY, name text) PARTITION BY RANGE (id);
    CREATE TABLE leaf1 PARTITION OF r FOR VALUES FROM (0) TO (10);
    CREATE TABLE leaf2 PARTITION OF r FOR VALUES FROM (10) TO (1000);
    INSERT INTO r SELECT i, repeat('"'x'"', 500) FROM generate_series(1, 300) i;'
slowly root
wait_for 'a partition is loaded' 20 loaded public.leaf1
wait_for 'another one is not' 20 blocks_at_least public.leaf2 2
sql 'ALTER TABLE r RENAME TO was'
wait_for 'the one begins again' 20 logged "$again.*table=public.leaf1"
wait_for 'and the other' 20 logged "$again.*table=public.leaf2"
wait_for 'both are loaded' 60 loaded public.leaf1 public.leaf2
stop
equal "all rows have their root's new name" public.was

# A partition that is detached, or attached, while it is loaded: its rows are another table's.
leaves="CREATE TABLE r (id int PRIMARY KEY, name text) PARTITION BY RANGE (id);
    CREATE TABLE leaf1 PARTITION OF r FOR VALUES FROM (0) TO (1000);
    INSERT INTO r SELECT i, repeat('x', 500) FROM generate_series(1, 300) i;"
fresh 'FOR ALL TABLES WITH (publish_via_partition_root)' "DROP TABLE t; $leaves"
slowly detach
wait_for 'loading began' 20 blocks_at_least public.leaf1 2
unseen 'ALTER TABLE r DETACH PARTITION leaf1'
wait_for 'it begins again' 20 logged 'what publications say of a table.* changed.*table=public.leaf1'
wait_for 'the table is loaded' 60 loaded public.leaf1
stop
equal 'a partition that was detached is whole' public.leaf1
fresh 'FOR ALL TABLES WITH (publish_via_partition_root)' \
    "DROP TABLE t; $leaves ALTER TABLE r DETACH PARTITION leaf1;"
slowly attach
wait_for 'loading began' 20 blocks_at_least public.leaf1 2
unseen 'ALTER TABLE r ATTACH PARTITION leaf1 FOR VALUES FROM (0) TO (1000)'
wait_for 'it begins again' 20 logged 'what publications say of a table.* changed.*table=public.leaf1'
wait_for 'the table is loaded' 60 loaded public.leaf1
stop
equal 'the root of one that was attached has its rows' public.r

# Updates that are not published move rows to blocks that were read, and behind the last one.
fresh "FOR TABLE t WITH (publish = 'insert')"
bg moving psql -XAtqc "DO \$\$ BEGIN LOOP UPDATE t SET n = n + 1 WHERE id >= 200; COMMIT;
    PERFORM pg_sleep(0.01); END LOOP; END \$\$"
slowly inserts
wait_for 'the table is loaded' 60 loaded public.t
sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'DO %LOOP UPDATE%'
    AND pid <> pg_backend_pid()" >"$T/out"
stop
sql 'SELECT id FROM t' | sort >"$T/expected"
frames | jq -r 'select(.[0] == "S") | .[2][0]' | sort >"$T/got"
same "$T/got" "$T/expected" 'each row is loaded once where updates are not published'
ok 'it is said' logged 'a table is read in one transaction.*table=public.t'

# A table that was dropped when it was half loaded is no reason not to load the others again.
fresh 'FOR TABLE kept, t' "CREATE TABLE kept (id int PRIMARY KEY); INSERT INTO kept VALUES (1), (2);"
slowly again
wait_for 'one is stored' 20 loaded public.kept
half() {
	grep -q '^table .* loading' "$T/again.state"
}
wait_for 'the state file says so' 20 grep -q '^table .* loaded' "$T/again.state"
wait_for 'the other is loaded in part' 20 half
killed
sql 'DROP TABLE t'
rm -f "$T/again.frames"
reader again --snapshot initial --snapshot-again
wait_for 'the one that is there is loaded' 60 loaded public.kept
stop
is "$(frames | grep -c '^."S"')" 2 'again'
ok 'the one that is gone is forgotten' not half

# Loaded, out of the publication, and in again: what happened meanwhile is not streamed.
fresh 'FOR TABLE t, kept' "CREATE TABLE kept (id int PRIMARY KEY); INSERT INTO kept VALUES (1), (2);
    CREATE TABLE r (id int PRIMARY KEY);"
reader rejoins --snapshot initial
wait_for 'the tables are loaded' 60 loaded public.t public.kept
stop
sql "ALTER PUBLICATION $ID SET TABLE r; DROP TABLE kept"
reader rejoins --snapshot initial
wait_for 'another one is' 60 loaded public.r
stop
sql "UPDATE t SET n = 5 WHERE id = 1; INSERT INTO t VALUES (1000, 1); ALTER PUBLICATION $ID ADD TABLE t"
is "$(grep -c 'a loaded table is not published any more.*table=public.t' "$T/rejoins.log")" 1 'it is said'
is "$(grep -c '^table' "$T/rejoins.state")" 1 'the state file does not know them any more'
reader rejoins --snapshot initial
wait_for 'the table is loaded again' 60 loaded public.t
stop
equal 'it is whole' public.t

# An update of another origin may move a row from a partition that is yet to be read: it is said.
fresh "FOR TABLE r WITH (publish_via_partition_root, publish = 'insert')" "$leaves
    CREATE TABLE leaf2 PARTITION OF r FOR VALUES FROM (1000) TO (2000);"
reader moves --snapshot initial
wait_for 'the partitions are loaded' 60 loaded public.leaf1 public.leaf2
stop
is "$(grep -c 'can be missed while they are loaded.*partitions=2 first=public.leaf1' "$T/moves.log")" 1 \
    'that rows may move between partitions is said once'
fresh "FOR TABLE r WITH (publish_via_partition_root)" "$leaves
    CREATE TABLE leaf2 PARTITION OF r FOR VALUES FROM (1000) TO (2000);"
reader tells --snapshot initial
wait_for 'the partitions are loaded' 60 loaded public.leaf1 public.leaf2
stop
ok 'not where the stream tells of it' not logged 'can be missed while they are loaded'

# Named by --snapshot-tables, and gone, or called otherwise, when loading has begun: the others go on.
fresh 'FOR TABLE kept, t' "CREATE TABLE kept (id int PRIMARY KEY); INSERT INTO kept VALUES (1), (2);"
exits 100 'a table that is not there at the first start is an error' \
    pgcdc-read -s "$ID" -p "$ID" --snapshot initial --snapshot-tables 't kept nothing' -o "$T/no.frames"
slowly named --snapshot-tables 't kept'
wait_for 'loading began' 20 blocks_at_least public.t 2
sql 'DROP TABLE kept; ALTER TABLE t RENAME TO was'
wait_for 'it is left out' 20 logged 'table of --snapshot-tables is left out.*kept: there is none'
wait_for 'loading begins again' 20 logged "$again.*table=public.was"
wait_for 'the state file knows of blocks' 20 state_has 2
killed
rm "$T/named.log"
reader named --snapshot initial --snapshot-tables 't kept'
wait_for 'the other one is loaded by another start' 60 loaded public.was
ok 'which says so' logged 'table of --snapshot-tables is left out.*t: there is none'
stop
equal 'it is whole' public.was

# Requests that cannot be met have an answer, and the reader goes on.
fresh 'FOR TABLE t' "DROP SCHEMA IF EXISTS a, \"a.b\", hidden CASCADE; DROP ROLE IF EXISTS $ID;
    CREATE SCHEMA a; CREATE SCHEMA \"a.b\"; CREATE SCHEMA hidden;
    CREATE TABLE a.\"b.c\" (i int); CREATE TABLE \"a.b\".c (i int);
    CREATE ROLE $ID LOGIN REPLICATION PASSWORD 'pass'; GRANT SELECT ON t TO $ID;"
PGUSER=$ID PGPASSWORD=pass reader requests
wait_for 'it takes requests' 20 request status
like "$(request 'snapshot a.b.c')" '^error a.b.c: there are several of that name' 'a name of two tables'
is "$(request 'snapshot a."b.c"')" 'error a table is not in the publication: ALTER PUBLICATION ... ADD TABLE' \
    'with quotes it is one'
is "$(pgcdc-read --control "$T/requests.control" --request "$(printf 'snapshot t\377')" 2>&1)" \
    "error a table's name is not UTF-8" 'bytes that are no text'
is "$(request 'snapshot hidden.nope')" 'error hidden.nope: there is none of that name' \
    'a schema that the user must not look into'
for name in '"t' '""' 'public."t' 't.' '.t' 'a."""' 't"t"'; do
	like "$(request "snapshot $name")" '^error .*: there is none of that name' "no name: $name"
done
sql 'REVOKE SELECT ON pg_catalog.pg_publication_rel FROM public'
is "$(request 'snapshot t')" 'error the server refuses to tell: the log says why' 'a catalog that the user must not read'
sql 'GRANT SELECT ON pg_catalog.pg_publication_rel TO public'
is "$(request 'snapshot t T public.t "t", "public"."t"')" 'ok 1' 'one table by many names'
wait_for 'it is loaded' 60 loaded public.t

# Clients that ask and do not read, or that do nothing.
"$PYTHON" - "$T/requests.control" >"$T/got" <<'END'
import select, socket, sys

def client():
    s = socket.socket(socket.AF_UNIX)
    s.connect(sys.argv[1])
    return s

deaf = client()
deaf.setblocking(False)
sent = 0
while sent < 16 << 20 and select.select([], [deaf], [], 2)[1]:
    try:
        sent += deaf.send(b'status\n' * 1000)
    except BlockingIOError:
        pass
print('the reader stopped reading' if sent < 4 << 20 else 'it took %d bytes' % sent)
idle = [client() for _ in range(4)]
other = client()
other.settimeout(20)
other.sendall(b'status\n')
print(other.makefile().readline().split()[0])
deaf = client()
deaf.sendall(b'status\n' * 20000)
deaf.shutdown(socket.SHUT_WR)
print(deaf.makefile().read().count('ok\n'))
END
cat >"$T/expected" <<'END'
the reader stopped reading
table
20000
END
same "$T/got" "$T/expected" 'clients that do not read, or do nothing, are in nobody'"'"'s way'
stop

# A user that may not connect so often.
fresh 'FOR TABLE t' "GRANT SELECT ON t TO $ID; ALTER ROLE $ID CONNECTION LIMIT 1;"
PGUSER=$ID PGPASSWORD=pass reader limited --snapshot initial
wait_exit 'no connection for a snapshot is an error' 20 "$READER" 100
ok 'which is said' logged 'error .*connections of its own.*remedy="let the user connect'
done_testing
