#!/bin/sh
#
# pgcdc-read: TRUNCATE, replica identities, names, very many columns, origins.  The frames
# give what SQL says that the tables hold.

# shellcheck disable=SC2016 # dollars are jq's and PostgreSQL's
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

need_pg
pg_db
sql "ALTER DATABASE $PGDATABASE SET logical_decoding_work_mem = '64kB'"
# shellcheck source=tests/frames.sh
. "$(dirname "$0")/frames.sh"

# TRUNCATE ---------------------------------------------------------------------------

run "CREATE TABLE root (id int, k int, PRIMARY KEY (k, id)) PARTITION BY RANGE (k);
CREATE TABLE p1 PARTITION OF root FOR VALUES FROM (0) TO (10);
CREATE TABLE p2 PARTITION OF root FOR VALUES FROM (10) TO (30) PARTITION BY LIST (id);
CREATE TABLE p2odd PARTITION OF p2 FOR VALUES IN (1, 3, 5);
CREATE TABLE p2rest PARTITION OF p2 DEFAULT;
CREATE TABLE up (id int PRIMARY KEY); CREATE TABLE down (id serial, up int REFERENCES up);
CREATE TABLE downer (id int PRIMARY KEY, up int REFERENCES up); CREATE TABLE alone (id int);
CREATE TABLE parent (id int); CREATE TABLE child (w int) INHERITS (parent);
CREATE TABLE hidden (up int REFERENCES up)"
stream 'FOR TABLE up, down, downer, alone, parent, child, root'
fill="INSERT INTO up VALUES (1), (2); INSERT INTO down (up) VALUES (1), (2);
	INSERT INTO downer VALUES (1, 1); INSERT INTO alone VALUES (1); INSERT INTO parent VALUES (1);
	INSERT INTO child VALUES (1, 2); INSERT INTO root VALUES (1, 1), (3, 20), (4, 20)"
# shellcheck disable=SC2046
truncates() {
	run "SET client_min_messages = warning; $fill; $1"
	capture
	jq -cn 'foreach inputs as $f ({};
		if $f[0] == "R" then .[$f[1] | tostring] = $f[3] else . end;
		. as $n | $f | select(.[0] == "T") |
		.[1] |= (map($n[tostring]) | sort | join(" ")))' "$T/frames"
}
is "$(truncates 'TRUNCATE up CASCADE; INSERT INTO up VALUES (5)')" \
    '["T","down downer up",true,false]' 'CASCADE: the tables that refer to it, if published'
agree 'and what stays' public.up public.alone public.child
agree_with 'in a parent alone, too' public.parent 'SELECT * FROM ONLY parent'
is "$(rebuilt public.down public.downer)" '' 'and what goes'
run 'TRUNCATE up, root CASCADE'
capture
is "$(truncates 'TRUNCATE alone, up, root RESTART IDENTITY CASCADE')" \
    '["T","alone down downer p1 p2odd p2rest up",true,true]' 'a list, with both options'
is "$(rebuilt public.up public.down public.downer public.alone public.p1 \
    public.p2odd public.p2rest)" '' 'all of it is empty'
is "$(truncates 'TRUNCATE ONLY parent CONTINUE IDENTITY')" '["T","parent",false,false]' \
    'ONLY: without its children'
agree 'which stay' public.child
run 'TRUNCATE up, root CASCADE'
capture
is "$(truncates 'TRUNCATE parent')" '["T","child parent",false,false]' 'and with them'
run "BEGIN; INSERT INTO alone VALUES (1); TRUNCATE alone; INSERT INTO alone VALUES (2);
SAVEPOINT s; TRUNCATE alone; INSERT INTO alone VALUES (3); ROLLBACK TO s;
INSERT INTO alone VALUES (4); COMMIT"
capture
agree 'between rows of a transaction, and rolled back' public.alone
is "$(q -r '.[0]' | tr -d '\n')" HBRITIICE 'in order'
stream "FOR ALL TABLES WITH (publish = 'insert, update, delete')"
run 'INSERT INTO alone VALUES (1); TRUNCATE alone'
capture
is "$(q -r '.[0]' | tr -d '\n')" HBRICE 'not published, it does not come'

# Replica identities -----------------------------------------------------------------

run "CREATE TABLE by_index (v text, a int NOT NULL, b text NOT NULL, id int PRIMARY KEY,
	dup int);
CREATE UNIQUE INDEX by_index_ba ON by_index (b, a);
ALTER TABLE by_index REPLICA IDENTITY USING INDEX by_index_ba;
CREATE TABLE by_row (a int, v text);
ALTER TABLE by_row REPLICA IDENTITY FULL;
CREATE TABLE by_nothing (id int PRIMARY KEY, v text);
ALTER TABLE by_nothing REPLICA IDENTITY NOTHING;
CREATE TABLE by_turns (id int PRIMARY KEY, u int NOT NULL UNIQUE, v text)"
stream 'FOR TABLE by_index, by_row, by_turns' \
    "FOR TABLE by_nothing WITH (publish = 'insert, truncate')"
run "INSERT INTO by_index SELECT 'v', i % 10, 'b' || i, i, i % 3 FROM generate_series(1, 100) i;
UPDATE by_index SET a = a + 5 WHERE id % 4 = 0;
UPDATE by_index SET b = 'c' || id, v = NULL WHERE id % 5 = 0;
UPDATE by_index SET id = id + 1000, dup = 9 WHERE id % 6 = 0;
DELETE FROM by_index WHERE id % 7 = 0;
INSERT INTO by_row SELECT i % 4, CASE WHEN i % 3 > 0 THEN 'v' END FROM generate_series(1, 60) i;
INSERT INTO by_row VALUES (NULL, NULL), (NULL, NULL), (NULL, 'v');
UPDATE by_row SET v = 'w' WHERE ctid IN (SELECT ctid FROM by_row WHERE a = 1 LIMIT 4);
UPDATE by_row SET a = a + 1 WHERE v IS NULL;
DELETE FROM by_row WHERE ctid IN (SELECT ctid FROM by_row WHERE a = 2 LIMIT 3);
DELETE FROM by_row WHERE ctid IN (SELECT ctid FROM by_row WHERE a IS NULL AND v IS NULL LIMIT 1);
INSERT INTO by_nothing SELECT i, i FROM generate_series(1, 10) i;
UPDATE by_nothing SET v = 'x'; DELETE FROM by_nothing WHERE id = 4"
capture
agree 'an index of two columns; whole rows, with duplicates and nulls' public.by_index \
    public.by_row
agree_with 'nothing: inserts only' public.by_nothing 'SELECT i, i FROM generate_series(1, 10) i'
run "INSERT INTO by_turns SELECT i, i, 'v' FROM generate_series(1, 20) i;
UPDATE by_turns SET id = id + 100 WHERE id % 3 = 0;
ALTER TABLE by_turns REPLICA IDENTITY FULL;
UPDATE by_turns SET id = id + 200 WHERE u % 2 = 0;
BEGIN;
UPDATE by_turns SET v = 'full' WHERE u = 3;
ALTER TABLE by_turns REPLICA IDENTITY USING INDEX by_turns_u_key;
UPDATE by_turns SET u = u + 1000, v = 'index' WHERE u < 8;
DELETE FROM by_turns WHERE u = 9;
COMMIT;
ALTER TABLE by_turns REPLICA IDENTITY DEFAULT;
UPDATE by_turns SET id = -id, v = 'default' WHERE u > 10;
BEGIN; ALTER TABLE by_turns DROP CONSTRAINT by_turns_pkey; ALTER TABLE by_turns ADD PRIMARY KEY (u);
COMMIT;
UPDATE by_turns SET u = 5000 WHERE id = -1"
capture
agree 'one after the other' public.by_turns
is "$(q -r 'select(.[0] == "R") | .[4] + ":" + ([.[5][] | select(.[4]) | .[0]] | join(","))')" \
    'd:id
f:id,u,v
i:u
d:id
d:u' 'each with its R'

# Names ------------------------------------------------------------------------------

# As long as a name can be, and of all characters; the server cuts none of these.
long=$(printf 'ñ%.0s' $(seq 31))x
odd='Ta"b.l\e,; 😀 %s $1'
name="\"ſchema 'Q'\".\"Ta\"\"b.l\\e,; 😀 %s \$1\""
run "CREATE SCHEMA \"ſchema 'Q'\";
CREATE TYPE \"ſchema 'Q'\".\"Farbe ä\" AS ENUM ('ro\"t', 'blau, grün');
CREATE TABLE $name (\"SELECT\" int, \"$long\" int PRIMARY KEY, \" \" text,
	\"ÄÖ\"\"ü\" \"ſchema 'Q'\".\"Farbe ä\", \"a.b\" int, \"A\" int, a int);
CREATE TABLE \"$long\" (id int PRIMARY KEY)"
stream "FOR TABLE $name" "FOR TABLE \"$long\""
run "ALTER PUBLICATION p1 RENAME TO \"Pub ä \"\"Q\"\" 'q' \\ .\";
ALTER PUBLICATION p2 RENAME TO \"$long\""
run "SELECT pg_drop_replication_slot('$slot');
SELECT pg_create_logical_replication_slot(rpad('${ID}_', 63, 'x'), 'pgoutput')"
slot=$(sql "SELECT rpad('${ID}_', 63, 'x')")
pub="Pub ä \"Q\" 'q' \\ .,$long"
run "INSERT INTO $name SELECT i, i, 'ä', 'blau, grün', i, -i, i FROM generate_series(1, 10) i;
UPDATE $name SET \"SELECT\" = 0, \"ÄÖ\"\"ü\" = 'ro\"t' WHERE \"$long\" < 5;
UPDATE $name SET \"$long\" = 50 WHERE \"A\" = -6;
DELETE FROM $name WHERE a = 7;
INSERT INTO \"$long\" VALUES (1)"
capture
agree_with 'names of all characters' "ſchema 'Q'.$odd" "SELECT * FROM $name"
agree_with 'of 63 bytes' "public.$long" "SELECT * FROM \"$long\""
is "$(q -r 'select(.[0] == "R") | .[5][] | .[0]')" "$(sql "SELECT attname FROM pg_attribute
	WHERE attnum > 0 AND attrelid IN (\$q\$$name\$q\$::regclass, '\"$long\"'::regclass)
	ORDER BY attrelid, attnum")" 'the columns, as the catalog has them'
like "$(q -r 'select(.[0] == "R") | .[5][] | .[1]')" "^ſchema 'Q'\\.Farbe ä$" "a type's"
is "$(q -r 'select(.[0] == "H") | .[1].publications[], .[1].slot')" "Pub ä \"Q\" 'q' \\ .
$long
$slot" "publications' and a slot's, of 63 bytes"
run "ALTER PUBLICATION \"Pub ä \"\"Q\"\" 'q' \\ .\" RENAME TO p1;
ALTER PUBLICATION \"$long\" RENAME TO p2"

# 1,600 columns, which is as many as there can be.
run "DO \$\$ BEGIN EXECUTE format('CREATE TABLE wide (%s, PRIMARY KEY (%I, %I))', (
	SELECT string_agg(format('%I int', rpad('c' || i || '_', 63, 'x')), ', ' ORDER BY i)
	FROM generate_series(1, 1600) i), rpad('c1600_', 63, 'x'), rpad('c2_', 63, 'x')); END \$\$;
CREATE TABLE wide_full (LIKE wide); ALTER TABLE wide_full REPLICA IDENTITY FULL"
stream 'FOR TABLE wide, wide_full'
for t in wide wide_full; do
	run "DO \$\$ BEGIN FOR n IN 1 .. 4 LOOP
	EXECUTE 'INSERT INTO $t SELECT ' || (SELECT string_agg((i * n)::text, ',' ORDER BY i)
		FROM generate_series(1, 1600) i); END LOOP;
	EXECUTE 'UPDATE $t SET ' || (SELECT string_agg(format('%I = NULL', attname), ',')
		FROM pg_attribute WHERE attrelid = '$t'::regclass AND attnum BETWEEN 3 AND 1599) ||
		format(' WHERE %I = 2', rpad('c1_', 63, 'x'));
	EXECUTE format('UPDATE $t SET %I = 7, %I = 9 WHERE %I = 3', rpad('c1600_', 63, 'x'),
		rpad('c1599_', 63, 'x'), rpad('c1_', 63, 'x'));
	EXECUTE format('DELETE FROM $t WHERE %I = 4', rpad('c1_', 63, 'x')); END \$\$"
done
capture
is "$(q 'select(.[0] == "R") | [(.[5] | length), .[6]]')" '[1600,[1599,1]]
[1600,null]' '1,600 columns: R'
agree 'and the rows' public.wide public.wide_full

# Origins ----------------------------------------------------------------------------

run "CREATE TABLE o (id int PRIMARY KEY, v text)"
stream 'FOR TABLE o'
run "INSERT INTO o VALUES (1, 'here');
SELECT pg_replication_origin_create('$ID other');
SELECT pg_replication_origin_session_setup('$ID other');
INSERT INTO o VALUES (2, 'there');
BEGIN; SELECT pg_replication_origin_xact_setup('0/1234', '2020-01-01');
INSERT INTO o VALUES (3, 'there, too'); SELECT pg_logical_emit_message(true, 'there', 'x'); COMMIT;
BEGIN; INSERT INTO o SELECT i, repeat('x', 500) FROM generate_series(1000, 1299) i; COMMIT;
SELECT pg_replication_origin_session_reset();
UPDATE o SET v = 'changed here' WHERE id = 3;
SELECT pg_logical_emit_message(true, 'here', 'x')"
position=$(slot_confirmed "$slot")
# again [OPTION...]: the same changes once more, confirmed by nobody.
again() {
	pgcdc-read -s "$slot" -p "$pub" --until-caught-up --messages "$@" 2>>"$T/read.log" |
	    cat >"$T/new.frames"
	: >"$T/stream.frames"
	take_frames
}
again
agree "without --origin, another server's changes come, too" public.o
again --origin any
agree 'with --origin any, too' public.o
is "$(q -r 'select(.[0] == "M") | .[1]')" 'there
here' 'and its messages'
if on 16; then
	again --origin none
	is "$(q -r 'select(.[0] == "M") | .[1]')" here '--origin none: the messages of this server'
	told '--origin none: only the changes that were made here' <<'E'
B
R o d: id int4, v text
I o: 1 "here"
C
B
U o: 3 "changed here"
C
B
M here true
C
E
else
	exits 100 '--origin none needs PostgreSQL 16' timeout 60 \
	    pgcdc-read -s "$slot" -p "$pub" --until-caught-up --origin none
	like "$(cat "$T/err")" 'error.*origin.*16' 'and says so'
fi
is "$(slot_confirmed "$slot")" "$position" 'nothing was confirmed'
exits 100 'another --origin is a mistake' pgcdc-read -s "$slot" -p "$pub" --origin x
run "SELECT pg_replication_origin_drop('$ID other')"

done_testing
