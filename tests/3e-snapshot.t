#!/bin/sh
# Snapshots: tables of all kinds are loaded whole, while they change, are resumed and loaded again.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
own_pg
pg_db
# shellcheck source=snapshot.sh
. "$TOP/tests/snapshot.sh"
version=$(sql 'SHOW server_version_num')

sql "CREATE TABLE plain (id int PRIMARY KEY, n int, name text, a int[]);
INSERT INTO plain SELECT i, i % 7, CASE WHEN i % 5 > 0 THEN E'tab\tback\\\\slash ' || i END,
    CASE WHEN i % 3 > 0 THEN ARRAY[i, NULL] END FROM generate_series(1, 5000) i;
CREATE TABLE \"Mixed Case\" (\"The Id\" int, \"B\" text, PRIMARY KEY (\"B\", \"The Id\"));
INSERT INTO \"Mixed Case\" SELECT i, 'b' || i % 3 FROM generate_series(1, 100) i;
CREATE TABLE no_key (a int, b text); ALTER TABLE no_key REPLICA IDENTITY FULL;
INSERT INTO no_key SELECT i % 50, NULLIF(i % 4, 0)::text FROM generate_series(1, 3000) i;
CREATE TABLE empty (id int PRIMARY KEY);
CREATE TABLE one (id int PRIMARY KEY, n int); INSERT INTO one VALUES (1, 1);
CREATE TABLE columns (); ALTER TABLE columns REPLICA IDENTITY FULL;
INSERT INTO columns DEFAULT VALUES;
CREATE TABLE made (id int PRIMARY KEY, twice int GENERATED ALWAYS AS (id * 2) STORED, gone int);
ALTER TABLE made DROP gone; INSERT INTO made VALUES (21);
CREATE TABLE parent (id int PRIMARY KEY); CREATE TABLE child (PRIMARY KEY (id)) INHERITS (parent);
INSERT INTO parent VALUES (1); INSERT INTO child VALUES (2);
CREATE TABLE root (id int PRIMARY KEY, n int) PARTITION BY RANGE (id);
SELECT format('CREATE TABLE leaf%s PARTITION OF root FOR VALUES FROM (%s) TO (%s)', i, i, i + 1)
    FROM generate_series(0, 99) i \\gexec
INSERT INTO root SELECT i, i FROM generate_series(0, 99, 2) i;
CREATE UNLOGGED TABLE unlogged (id int PRIMARY KEY); CREATE VIEW view AS SELECT 1;
CREATE TABLE unpublished (id int PRIMARY KEY);
CREATE PUBLICATION $ID FOR TABLE plain, \"Mixed Case\", no_key, empty, one, columns, made, parent, root
    WITH (publish_via_partition_root);
SELECT pg_create_logical_replication_slot('$ID', 'pgoutput')" >"$T/out"
kinds="public.plain public.no_key public.empty public.one public.parent=SELECT|*|FROM|ONLY|parent public.child public.root
    public.made=SELECT|id|FROM|made"

# equal_kinds DESCRIPTION
equal_kinds() {
	set -- "$1"
	for _kind in $kinds; do
		set -- "$@" "$(echo "$_kind" | tr '|' ' ')"
	done
	equal "$@" 'public.Mixed Case=SELECT * FROM "Mixed Case"'
}

# The first load, and nothing more after it.
reader all --snapshot initial --until-caught-up
wait_exit 'tables are loaded, then it ends' 60 "$READER" 0
equal_kinds 'the frames have all rows'
is "$(grep -c ' loaded$' "$T/all.state")" 109 'the state file has each of them, and each partition'
pgcdc-cat "$T/all.frames" >"$T/lines"
is "$(grep -c '^."S"' "$T/lines")" "$((5000 + 100 + 3000 + 1 + 1 + 1 + 2 + 50))" 'each row once'
is "$(jq -c 'select(.[0] == "R" and (.[3] | startswith("leaf"))) | .[3]' "$T/lines")" '' \
    'partitions under their root'
is "$(jq -c 'select(.[0] == "R" and .[3] == "made") | [.[5][][0]]' "$T/lines")" '["id"]' \
    'generated columns as they are streamed'
is "$(jq -r 'select(.[0] == "B") | .[3]' "$T/lines" | sort -u)" null 'in units without xid'
cp "$T/all.frames" "$T/before.frames"
reader all --snapshot initial --until-caught-up
wait_exit 'again' 60 "$READER" 0
is "$(pgcdc-cat "$T/all.frames" | grep -c '^."S"')" "$(grep -c '^."S"' "$T/lines")" \
    'what is loaded is not loaded again'
sql "CREATE TABLE later (id int PRIMARY KEY); INSERT INTO later VALUES (1);
ALTER PUBLICATION $ID ADD TABLE later"
reader all --snapshot only
wait_exit 'only: it ends when tables are loaded' 60 "$READER" 0
is "$(pgcdc-cat "$T/all.frames" | tail -n 2 | jq -c 'del(.[1])' | xargs)" '[C,1] [E,snapshot]' \
    'E says why' || pgcdc-cat "$T/all.frames" | tail -n 5 | diag
equal 'a table that joined is loaded' public.later
rm -f "$T/again.frames"
cp "$T/all.state" "$T/again.state"
reader again --snapshot only --snapshot-again --snapshot-tables 'one, "public"."Mixed Case" root'
wait_exit '--snapshot-again' 60 "$READER" 0
equal 'has the tables that are named' public.one 'public.Mixed Case=SELECT * FROM "Mixed Case"' \
    public.root
is "$(pgcdc-cat "$T/again.frames" | grep -c '^."S"')" 151 'and no other'
is "$(grep -c loaded "$T/again.state")" 110 'all are loaded in the end'

# Names are what they are, whatever the user's settings do to how they print.
sql "ALTER ROLE CURRENT_USER SET quote_all_identifiers = on"
reader quoted --snapshot initial --snapshot-tables 'one, root'
wait_for 'names without quotes that they do not need' 20 loaded public.one public.leaf99
sql "ALTER ROLE CURRENT_USER RESET quote_all_identifiers"
stop
equal 'all rows are there' public.one public.root

# What cannot be loaded.
for name in nothing view unlogged unpublished 'no such."thing'; do
	exits 100 "refused: $name" pgcdc-read -s "$ID" -p "$ID" --snapshot only \
	    --snapshot-tables "\"$name\""
	like "$(cat "$T/err")" 'cannot be loaded.*(it is a view|it is unlogged|none of that name)|not published' \
	    'and why'
done
sql "CREATE ROLE ${ID}_r LOGIN REPLICATION PASSWORD 'r'"
rights() {
	env PGUSER="${ID}_r" PGPASSWORD=r pgcdc-read -s "$ID" -p "$ID" --snapshot only \
	    --snapshot-tables plain
}
exits 100 'without the right to read' rights
like "$(cat "$T/err")" 'permission denied for table plain.*remedy="GRANT SELECT' 'which says what to do'
sql "GRANT SELECT ON plain TO ${ID}_r; ALTER TABLE plain ENABLE ROW LEVEL SECURITY"
exits 100 'where row-level security would hide rows' rights
like "$(cat "$T/err")" 'row-level security.*BYPASSRLS' 'which says what to do'
sql "ALTER ROLE ${ID}_r BYPASSRLS"
exits 0 'unless it is bypassed' rights
sql "ALTER TABLE plain DISABLE ROW LEVEL SECURITY"
exits 100 'options that do not go together' pgcdc-read -s x -p x --snapshot initial --endpos 1/1

for name in '' ',, '; do
	exits 100 "no table at all: '$name'" pgcdc-read -s x -p x --snapshot only --snapshot-tables "$name"
	like "$(cat "$T/err")" 'no table is named.*option=--snapshot-tables' 'which is said'
done

# Requests while it runs.
reader ask
wait_for 'it takes requests' 20 request status
is "$(request nonsense | cut -d ' ' -f 1)" error 'nonsense is refused'
is "$(request snapshot)" 'error snapshot needs the names of tables' 'so is nothing'
is "$(request 'snapshot one view')" 'error view: it is a view' 'so is a view, and all with it'
like "$(request 'snapshot unpublished')" '^error .*not in the publication' 'so is what is not published'
is "$(request status)" ok 'nothing is loaded'
is "$(request 'snapshot public.plain, "Mixed Case" root')" 'ok 102' 'three tables are'
wait_for 'and are stored' 60 loaded public.plain public.leaf99
sql "UPDATE plain SET n = -1 WHERE id % 2 = 0; DELETE FROM plain WHERE id % 3 = 0"
is "$(request 'snapshot plain')" 'ok 1' 'one once more'
wait_for 'it is stored' 60 loaded public.plain
long() {
	"$PYTHON" -c 'import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.sendall(b"snapshot " + b"x" * 1100000 + b"\nstatus\n")
s.shutdown(socket.SHUT_WR)
print(s.makefile().readline(), end="")' "$T/ask.control"
}
is "$(long)" 'error a request has more than 1048576 bytes' 'a request that is too long is refused'
"$TOP/tests/pg-server" stop "$PG_DIR" fast >"$T/out" 2>&1
wait_for 'the connection is lost' 30 logged 'connecting again'
exits 111 'without a connection it is to be asked later' pgcdc-read --control "$T/ask.control" \
    --request 'snapshot plain'
like "$(cat "$T/err")" '^error later: there is no connection' 'which is said'
"$TOP/tests/pg-server" start "$PG_DIR" ${PGCDC_TEST_PG_MAJOR:+"$PGCDC_TEST_PG_MAJOR"} >"$T/out" 2>&1
wait_for 'the reader goes on' 60 logged 'streaming again'
stop
equal 'all rows are there' public.plain public.root 'public.Mixed Case=SELECT * FROM "Mixed Case"'

# forget: what happened so far is not streamed, for the publications that come were not there.
forget() {
	sql "SELECT pg_replication_slot_advance('$ID', pg_current_wal_lsn())" >"$T/out"
}

# Column lists and row filters.
if [ "$version" -ge 150000 ]; then
	sql "CREATE TABLE part (id int PRIMARY KEY, secret text, n int);
	INSERT INTO part SELECT i, 's', i % 10 FROM generate_series(1, 1000) i;
	CREATE PUBLICATION ${ID}_2 FOR TABLE part (n, id) WHERE (n > 6);
	CREATE PUBLICATION ${ID}_3 FOR TABLE part (id, n) WHERE (n < 2 AND id > 0)"
	forget
	for pubs in "${ID}_2=n > 6" "${ID}_2,${ID}_3=n > 6 OR n < 2"; do
		rm -f "$T/part.state" "$T/part.frames"
		reader part -p "${pubs%%=*}" --snapshot only
		wait_exit 'a part of a table' 60 "$READER" 0
		equal "the rows where ${pubs#*=}, and their columns" \
		    "public.part=SELECT id, n FROM part WHERE ${pubs#*=}"
	done
	sql "CREATE PUBLICATION ${ID}_4 FOR TABLE part"
	forget
	exits 100 'different column lists' pgcdc-read -s "$ID" -p "${ID}_2,${ID}_4" --snapshot only
	like "$(cat "$T/err")" 'different columns.*table=public.part' 'which is said'
	sql "CREATE PUBLICATION ${ID}_5 FOR TABLE root WHERE (n > 20) WITH (publish_via_partition_root)"
	forget
	reader roots -p "${ID}_5" --snapshot only
	wait_exit "a root's filter" 60 "$READER" 0
	equal 'holds for its partitions' 'public.root=SELECT * FROM root WHERE n > 20'
	sql "CREATE SCHEMA s; CREATE TABLE s.t (id int PRIMARY KEY); INSERT INTO s.t VALUES (7);
	CREATE PUBLICATION ${ID}_6 FOR TABLES IN SCHEMA s"
	forget
	reader schema -p "${ID}_6" --snapshot only
	wait_exit "a schema's tables" 60 "$READER" 0
	equal 'are loaded' s.t
fi
sql "CREATE PUBLICATION ${ID}_7 FOR TABLE root"
forget
reader leaves -p "${ID}_7" --snapshot only
wait_exit 'partitions by themselves' 60 "$READER" 0
equal 'have their own names' public.leaf4 public.leaf5

# A large row.
sql "CREATE TABLE large (id int PRIMARY KEY, big text); ALTER TABLE large ALTER big SET STORAGE EXTERNAL;
INSERT INTO large VALUES (1, repeat(E'0123456789\tbcdef', 50 * 65536)), (2, 'small');
CREATE PUBLICATION ${ID}_8 FOR TABLE large"
forget
reader large -p "${ID}_8" --snapshot initial
wait_for 'a row of 50 MiB is loaded' 120 loaded public.large
hwm=$(vmhwm "$READER")
stop
diag "VmHWM: $hwm kB"
below "$hwm" $((16384 + 50 * 1024 * 33 / 10)) 'with about three times its size'
equal 'it is whole' public.large
done_testing
