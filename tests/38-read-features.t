#!/bin/sh
#
# pgcdc-read: what publications can say, and partitions.  The frames give what SQL says that
# the tables hold.

# shellcheck disable=SC2016 # dollars are jq's and PostgreSQL's
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

need_pg
pg_db
sql "ALTER DATABASE $PGDATABASE SET logical_decoding_work_mem = '64kB'"
# shellcheck source=tests/frames.sh
. "$(dirname "$0")/frames.sh"

# All tables -------------------------------------------------------------------------

stream 'FOR ALL TABLES'
run "CREATE TABLE later (id int PRIMARY KEY, v text);
INSERT INTO later VALUES (1, 'a'), (2, 'b');
BEGIN;
CREATE SCHEMA new;
CREATE TABLE new.later (v text, id int PRIMARY KEY);
INSERT INTO new.later SELECT 'v' || i, i FROM generate_series(1, 50) i;
UPDATE new.later SET v = 'even' WHERE id % 2 = 0;
DELETE FROM new.later WHERE id % 5 = 0;
COMMIT;
CREATE TABLE made AS SELECT i AS id, 'made ' || i AS v FROM generate_series(1, 10) i;
CREATE MATERIALIZED VIEW seen AS SELECT * FROM made;
REFRESH MATERIALIZED VIEW seen"
capture
agree 'FOR ALL TABLES: tables and schemas made later' public.later new.later public.made
is "$(rebuilt public.seen)" '' 'a materialized view is none'
run "DROP TABLE later;
CREATE TABLE later (w text, id int PRIMARY KEY, n int);
INSERT INTO later VALUES ('again', 1, 10), ('again', 2, NULL);
DELETE FROM later WHERE id = 1;
BEGIN; DROP TABLE later; CREATE TABLE later (id int); INSERT INTO later VALUES (7); ROLLBACK;
UPDATE later SET n = 5"
capture
agree 'a table dropped and made again' public.later
told 'its R comes with another definition, once' <<'E'
B
R later d: w text, id int4, n int4
I later: "again" 1 10
I later: "again" 2 null
C
B
D later: - 1 -
C
B
U later: "again" 2 5
C
E
run "BEGIN; INSERT INTO later VALUES ('before', 3, 3); DROP TABLE later;
CREATE TABLE later (id int, k int PRIMARY KEY); INSERT INTO later VALUES (1, 2); COMMIT;
ALTER INDEX later_pkey RENAME TO moved_pkey;
ALTER TABLE later RENAME TO moved; ALTER TABLE moved SET SCHEMA new;
INSERT INTO new.moved VALUES (3, 4)"
capture
agree 'dropped and made again in one transaction, then moved' new.moved
is "$(rebuilt public.later)" "public.later: again|2|5
public.later: before|3|3" 'rows that it had before it was dropped came, too'

# Tables in a schema -----------------------------------------------------------------

if on 15; then
	run 'CREATE SCHEMA "In"; CREATE SCHEMA beside;
	CREATE TABLE "In".first (id int PRIMARY KEY); CREATE TABLE beside.one (id int PRIMARY KEY)'
	stream 'FOR TABLES IN SCHEMA "In"'
	run 'INSERT INTO "In".first VALUES (1); INSERT INTO beside.one VALUES (1);
	CREATE TABLE "In".second (id int PRIMARY KEY, v text);
	INSERT INTO "In".second SELECT i, i FROM generate_series(1, 20) i;
	ALTER TABLE beside.one SET SCHEMA "In";
	INSERT INTO "In".one VALUES (2);
	ALTER TABLE "In".first SET SCHEMA beside;
	INSERT INTO beside.first VALUES (3)'
	capture
	agree_with 'FOR TABLES IN SCHEMA: a table' In.first 'SELECT 1'
	agree_with 'a table made later' In.second 'SELECT * FROM "In".second'
	agree_with 'a table moved into it, from then on' In.one 'SELECT 2'
	is "$(rebuilt beside.first beside.one)" '' 'what is beside it is not there'
else
	diag 'NO FOR TABLES IN SCHEMA BEFORE 15'
	skip 'FOR TABLES IN SCHEMA' 'PostgreSQL 14'
fi

# Several publications ---------------------------------------------------------------

run 'CREATE TABLE a (id int PRIMARY KEY, v text); CREATE TABLE b (id int PRIMARY KEY, v text);
CREATE TABLE c (id int PRIMARY KEY, v text)'
changes() {
	for t; do
		run "INSERT INTO $t SELECT i, i FROM generate_series(1, 9) i;
		UPDATE $t SET v = 'new' WHERE id > 4; DELETE FROM $t WHERE id = 9"
	done
}
stream 'FOR TABLE a' 'FOR TABLE a, b'
changes a b c
capture
agree 'two publications, a table that is in both' public.a public.b
is "$(rebuilt public.c)" '' 'and one that is in none'
run 'TRUNCATE a, b, c'
stream "FOR TABLE a WITH (publish = 'insert, delete')" \
    "FOR TABLE a, b WITH (publish = 'insert, update')"
changes a b
capture
agree 'what one does not publish the other does' public.a
agree_with 'what none publishes is not there' public.b \
    "SELECT * FROM b UNION ALL SELECT 9, 'new'"
run 'TRUNCATE a, b'
capture
is "$(q -r '.[0]' | tr -d '\n')" HE 'TRUNCATE neither'

# Altered while the reader runs.
stream ''
pgcdc-read -s "$slot" -p "$pub" -o "$T/new.frames" 2>>"$T/read.log" &
reader=$!
# came TABLE ID: the file has that row.
came() {
	pgcdc-cat "$T/new.frames" 2>"$T/null" | jq -cn --arg t "$1" 'foreach inputs as $f ({};
		if $f[0] == "R" then .[$f[1] | tostring] = $f[3] else . end;
		. as $n | $f | select(.[0] == "I" and $n[.[1] | tostring] == $t) | .[2][0])' |
	    grep -qx "$2"
}
publishing() {
	run "INSERT INTO a VALUES (1)
	    ON CONFLICT (id) DO UPDATE SET v = 'no'; ALTER PUBLICATION $pub ADD TABLE b;
	INSERT INTO a VALUES (2, 'no'); INSERT INTO b VALUES (1, 'yes')"
	wait_for 'a table added to an empty publication, while the reader runs' 20 came b 1
	run "ALTER PUBLICATION $pub ADD TABLE a; INSERT INTO a VALUES (3, 'yes')"
	wait_for 'and another one' 20 came a 3
	run "ALTER PUBLICATION $pub DROP TABLE b;
	INSERT INTO b VALUES (2, 'no'); INSERT INTO a VALUES (4, 'yes')"
	wait_for 'a table taken out' 20 came a 4
	run "ALTER PUBLICATION $pub SET (publish = 'delete');
	INSERT INTO a VALUES (5, 'no'); DELETE FROM a WHERE id = 3;
	ALTER PUBLICATION $pub SET TABLE a, c; ALTER PUBLICATION $pub SET (publish = 'insert');
	DELETE FROM a WHERE id = 4;
	INSERT INTO c VALUES (1, 'yes')"
	wait_for 'tables replaced, other operations' 20 came c 1
}
publishing
kill "$reader"
wait_exit 'the reader ends' 20 "$reader" 0
take_frames
agree 'what was published then' public.c
agree_with 'from the moment it was added on' public.a \
    "VALUES (4, 'yes')"
agree_with 'until it was taken out' public.b "VALUES (1, 'yes')"

# Lists of columns -------------------------------------------------------------------

if on 15; then
	run "CREATE TYPE hue AS ENUM ('red', 'blue');
	CREATE TABLE list (a int, secret text, b text, id int PRIMARY KEY, c hue,
		g int GENERATED ALWAYS AS (a * 2) STORED)"
	stream 'FOR TABLE list (c, id, a)'
	run "INSERT INTO list SELECT i, 's', 'b', i, 'red' FROM generate_series(1, 30) i;
	UPDATE list SET secret = 'other' WHERE id = 1;
	UPDATE list SET a = NULL, c = 'blue' WHERE id % 3 = 0;
	UPDATE list SET id = id + 100 WHERE id > 25;
	DELETE FROM list WHERE id = 7;
	ALTER TABLE list DROP secret; ALTER TABLE list ADD d int;
	UPDATE list SET d = 1 WHERE id = 2"
	capture
	agree_with 'a list of columns, in the order of the table' public.list \
	    'SELECT a, id, c FROM list'
	is "$(q 'select(.[0] == "R") | [.[5][] | [.[0], .[4]]], .[6]')" \
	    '[["a",false],["id",true],["c",false]]
[1]' 'R has only these'
	run "ALTER PUBLICATION $pub SET TABLE list (id, b); UPDATE list SET b = 'b' || id;
	ALTER PUBLICATION $pub SET TABLE list; UPDATE list SET d = id"
	capture
	agree_with 'another list, and none, later' public.list 'SELECT a, b, id, c, d FROM list'
	is "$(q -r 'select(.[0] == "R") | [.[5][][0]] | join(",")')" 'b,id
a,b,id,c,d' 'each with its R'
	if on 18; then
		stream 'FOR TABLE list WITH (publish_generated_columns = stored)'
		run 'UPDATE list SET a = 21'
		capture
		is "$(q 'select(.[0] == "U") | .[2] | .[0] == 21 and .[4] == 42' | sort -u)" true \
		    'generated columns, published'
	else
		skip 'generated columns, published' 'before PostgreSQL 18'
	fi
	stream 'FOR TABLE list (id, a)' 'FOR TABLE list (id, b)'
	run 'UPDATE list SET a = 5'
	exits 100 'two lists for one table are an error that stays' timeout 60 \
	    pgcdc-read -s "$slot" -p "$pub" --until-caught-up -o "$T/none.frames"
	like "$(cat "$T/err")" 'error.*cannot use different column lists' 'in the words of the server'
else
	diag 'NO LISTS OF COLUMNS BEFORE 15'
	skip 'lists of columns' 'PostgreSQL 14'
fi

# Row filters ------------------------------------------------------------------------

if on 15; then
	run "CREATE TABLE filtered (id int, n int, v text, big text, PRIMARY KEY (n, id));
	CREATE TABLE filtered_full (LIKE filtered INCLUDING ALL);
	ALTER TABLE filtered_full REPLICA IDENTITY FULL;
	ALTER TABLE filtered_full ALTER big SET STORAGE EXTERNAL"
	stream 'FOR TABLE filtered WHERE (n > 10), filtered_full WHERE (n > 10 AND v IS NOT NULL)'
	run "INSERT INTO filtered SELECT i, i % 23, 'v' || i FROM generate_series(1, 200) i;
	UPDATE filtered SET n = (n * 7) % 23;
	UPDATE filtered SET n = 23 - n, v = 'w' WHERE id % 3 = 0;
	UPDATE filtered SET v = 'out and in' WHERE id % 7 = 0;
	DELETE FROM filtered WHERE id % 10 = 0;
	BEGIN; UPDATE filtered SET n = 50 WHERE id < 20; UPDATE filtered SET n = 1 WHERE id < 10;
	DELETE FROM filtered WHERE id = 15; COMMIT;
	INSERT INTO filtered_full SELECT i, i % 23, nullif('v' || i % 3, 'v0'),
		CASE WHEN i % 10 = 0 THEN repeat('x', 3000) END FROM generate_series(1, 200) i;
	UPDATE filtered_full SET n = (n * 7) % 23;
	UPDATE filtered_full SET v = CASE WHEN v IS NULL THEN 'w' END WHERE id % 3 <> 1;
	DELETE FROM filtered_full WHERE id % 11 = 0"
	capture
	agree_with 'a filter: rows move in and out' public.filtered \
	    'SELECT * FROM filtered WHERE n > 10'
	agree_with 'with FULL, with large values that such updates left alone' \
	    public.filtered_full 'SELECT * FROM filtered_full WHERE n > 10 AND v IS NOT NULL'
	for letter in I U D; do
		ok "there was $letter" \
		    [ "$(q --arg l $letter 'select(.[0] == $l)' | wc -l)" -gt 20 ]
	done
	run "TRUNCATE filtered"
	stream 'FOR TABLE filtered WHERE (id < 10)' 'FOR TABLE filtered WHERE (n > 90)' \
	    "FOR TABLE filtered WHERE (n = 50) WITH (publish = 'insert')"
	run "INSERT INTO filtered SELECT i, i FROM generate_series(1, 100) i;
	UPDATE filtered SET v = 'u' WHERE id IN (5, 20, 50, 95);
	DELETE FROM filtered WHERE id = 9"
	capture
	agree_with 'one of several filters is enough' public.filtered \
	    "SELECT id, n, CASE WHEN id <> 50 THEN v END, big FROM filtered
	    WHERE id < 10 OR n > 90 OR id = 50"
	stream 'FOR TABLE filtered WHERE (id < 10)' 'FOR TABLE filtered'
	run "UPDATE filtered SET v = 'u2'"
	capture
	is "$(q 'select(.[0] == "U")' | wc -l)" "$(sql 'SELECT count(*) FROM filtered')" \
	    'a publication without a filter lifts the others'
else
	diag 'NO ROW FILTERS BEFORE 15'
	skip 'row filters' 'PostgreSQL 14'
fi

# Partitions -------------------------------------------------------------------------

# The partitions have their columns in other orders, dropped ones between, and levels.
run "CREATE SCHEMA parts;
CREATE TABLE root (id int, k int, v text, n int, PRIMARY KEY (k, id)) PARTITION BY RANGE (k);
CREATE TABLE p1 PARTITION OF root FOR VALUES FROM (0) TO (10);
CREATE TABLE parts.p2 (gone int, n int, v text, k int NOT NULL, id int NOT NULL);
ALTER TABLE parts.p2 DROP gone;
ALTER TABLE root ATTACH PARTITION parts.p2 FOR VALUES FROM (10) TO (20);
CREATE TABLE p3 (v text, id int NOT NULL, n int, k int NOT NULL) PARTITION BY LIST (id);
CREATE TABLE p3odd (id int NOT NULL, n int, k int NOT NULL, v text);
ALTER TABLE p3 ATTACH PARTITION p3odd FOR VALUES IN (1, 3, 5, 7, 15, 17);
CREATE TABLE p3rest PARTITION OF p3 DEFAULT;
ALTER TABLE root ATTACH PARTITION p3 FOR VALUES FROM (20) TO (30)"
leaves='public.p1 parts.p2 public.p3odd public.p3rest'
fill_root() {
	run "TRUNCATE root;
	INSERT INTO root SELECT i % 13, i % 30, repeat('v', 300) || i, i FROM generate_series(1, 300) i;
	UPDATE root SET v = 'same place' WHERE id = 2;
	UPDATE root SET k = (k + 11) % 30, id = id + 13, v = 'moved' WHERE n < 60;
	UPDATE root SET id = id + 100, n = NULL WHERE k = 25 AND id % 2 = 1;
	DELETE FROM root WHERE id = 6;
	DELETE FROM parts.p2 WHERE id = 4;
	INSERT INTO p3rest VALUES ('leaf', 100, 1, 20)"
}
stream 'FOR TABLE root'
fill_root
capture
# shellcheck disable=SC2086
agree 'partitions as themselves: rows move between them' $leaves
is "$(rebuilt public.root public.p3)" '' 'and nothing comes as the tables above them'
run 'TRUNCATE parts.p2, p3'
capture
is "$(q 'select(.[0] == "T") | .[1] | length')" 3 "TRUNCATE is of the partitions"
agree 'the others stay' public.p1
is "$(rebuilt parts.p2 public.p3odd public.p3rest)" '' 'and these are empty'
# Before 15 the server looks only once, in a session, whether a table is published.
afresh() {
	on 15 || capture
}
run "CREATE TABLE p4 (n int, id int NOT NULL, k int NOT NULL, v text);
INSERT INTO p4 VALUES (0, 1, 40, 'unpublished')"
afresh
run "ALTER TABLE root ATTACH PARTITION p4 FOR VALUES FROM (40) TO (50);
INSERT INTO root VALUES (2, 41, 'attached', 1)"
afresh
run "ALTER TABLE root DETACH PARTITION p4; INSERT INTO p4 VALUES (9, 9, 49, 'detached')"
capture
agree_with 'a partition, while it is one' public.p4 'SELECT * FROM p4 WHERE id = 2'
run 'DROP TABLE p4'

stream 'FOR TABLE root WITH (publish_via_partition_root)'
fill_root
capture
agree 'partitions as their root' public.root
# shellcheck disable=SC2086
is "$(rebuilt $leaves public.p3)" '' 'and nothing comes as the partitions'
is "$(q -r 'select(.[0] == "R") | [.[3], .[5][][0]] | join(" ")')" 'root id k v n' \
    'one R, of the root'
run "ALTER TABLE root ADD extra int; ALTER TABLE root DROP v; UPDATE root SET extra = id;
CREATE TABLE p5 (k int NOT NULL, extra int, n int, id int NOT NULL);
ALTER TABLE root ATTACH PARTITION p5 FOR VALUES FROM (50) TO (60);
UPDATE root SET k = 55 WHERE k = 1 AND id = 1"
capture
agree 'columns added and dropped, a partition attached' public.root
run 'TRUNCATE root'
capture
told 'TRUNCATE is of the root' <<'E'
B
R root d: id int4, k int4, n int4, extra int4
T root
C
E
run 'INSERT INTO root (id, k) VALUES (1, 1); TRUNCATE p1; INSERT INTO root (id, k) VALUES (1, 2)'
capture
is "$(q 'select(.[0] == "T")')" '' 'TRUNCATE of a partition alone is not told, then'
stream 'FOR TABLE p3' 'FOR TABLE root WITH (publish_via_partition_root)'
run 'TRUNCATE root; INSERT INTO root (id, k, n) SELECT i, i, i FROM generate_series(1, 29) i'
capture
agree 'a partition alone, and its root by another publication: the root' public.root
if on 15; then
	stream 'FOR TABLE root (k, id) WHERE (id % 2 = 0) WITH (publish_via_partition_root)'
	run 'TRUNCATE root; INSERT INTO root (id, k, n) SELECT i, i % 30, i FROM generate_series(1, 90) i;
	UPDATE root SET id = id + 1 WHERE id % 3 = 0; UPDATE root SET k = (k + 15) % 30 WHERE id < 50'
	capture
	agree_with "a root's filter and list, for all partitions" public.root \
	    'SELECT id, k FROM root WHERE id % 2 = 0'
fi

done_testing
