#!/bin/sh
#
# pgcdc-read: what happens inside transactions: savepoints, others at the same time,
# definitions that change between rows.  Small ones, and those that are larger than
# logical_decoding_work_mem, which the server sends before they are committed.

# shellcheck disable=SC2016 # dollars are jq's
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

need_pg
pg_db
sql "ALTER DATABASE $PGDATABASE SET logical_decoding_work_mem = '64kB'"
# shellcheck source=tests/frames.sh
. "$(dirname "$0")/frames.sh"

run 'CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE s (id int PRIMARY KEY, v text);
CREATE TABLE toast (id int PRIMARY KEY, n int, v text);
ALTER TABLE toast ALTER v SET STORAGE EXTERNAL'

# rows TABLE FROM TO: some 400 of them are more than 64 kB.
rows() {
	echo "INSERT INTO $1 SELECT i, i || repeat('x', 300) FROM generate_series($2, $3) i;"
}
# letters: how many frames of each kind stand one after the other.
letters() {
	q -r '.[0]' | uniq -c | tr -s ' \n' ' ' | sed 's/^ //; s/ $//'
}

# Savepoints -------------------------------------------------------------------------

stream 'FOR ALL TABLES'
run "BEGIN; $(rows t 1 500) SAVEPOINT a; $(rows t 501 1000) ROLLBACK TO a;
$(rows t 2001 2005) COMMIT"
capture
is "$(letters)" '1 H 1 B 1 R 505 I 1 C 1 E' '500, savepoint, 500, rolled back to it, 5: 505'
agree 'the table' public.t
streams() {
	[ "$(sql "SELECT stream_txns FROM pg_stat_replication_slots WHERE slot_name = '$slot'")" -gt 0 ]
}
wait_for 'it was sent before it was committed' 20 streams

run "BEGIN; $(rows s 1 500) UPDATE t SET v = 'rolled back'; ROLLBACK;
BEGIN; $(rows s 1 500) SAVEPOINT a; $(rows s 501 1000) ROLLBACK; $(rows s 1 1)"
capture
is "$(letters)" '1 H 1 B 1 R 1 I 1 C 1 E' 'nothing of what was rolled back whole'
run "BEGIN; SAVEPOINT a; $(rows s 2 500) ROLLBACK TO a; COMMIT;
BEGIN; SAVEPOINT a; $(rows s 2 500) ROLLBACK TO a; SELECT pg_current_xact_id();
	CREATE TABLE nothing (id int); COMMIT"
capture
is "$(letters)" '1 H 1 E' 'nor a unit when nothing is left'

run "BEGIN;
$(rows s 100 499)
SAVEPOINT a;
	$(rows s 500 899)
	UPDATE s SET v = 'a' || repeat('y', 300) WHERE id < 300;
	SAVEPOINT b;
		DELETE FROM s WHERE id % 2 = 0;
		SAVEPOINT c;
			$(rows s 1000 1400)
		RELEASE c;
		SAVEPOINT c;
			UPDATE s SET id = id + 10000 WHERE id > 100;
		ROLLBACK TO c;
		$(rows s 1401 1500)
	ROLLBACK TO b;
	$(rows s 1500 1899)
	SAVEPOINT c;
		UPDATE s SET v = 'kept' || repeat('z', 300);
		SAVEPOINT d;
			TRUNCATE s;
			$(rows s 1 400)
		ROLLBACK TO d;
	RELEASE c;
SAVEPOINT e;
	DELETE FROM s WHERE id % 3 = 0;
	SAVEPOINT f;
		$(rows s 3000 3400)
ROLLBACK TO f;
UPDATE s SET v = 'last' WHERE id % 5 = 0;
COMMIT"
capture
agree 'nested savepoints, some rolled back, some released' public.s
run "BEGIN; $(rows t 3000 3400)
$(awk 'BEGIN { for (i = 0; i < 200; i++) {
	printf "SAVEPOINT a; INSERT INTO s SELECT i, repeat(%cs%c, 300) FROM generate_series(%d, %d) i;\n",
	    39, 39, 20000 + i * 10, 20000 + i * 10 + 9
	if (i % 3 == 0) print "ROLLBACK TO a;"; else if (i % 3 == 1) print "RELEASE a;"
} }')
UPDATE s SET v = 'a' WHERE id % 7 = 0; COMMIT"
capture
agree '200 subtransactions, a third of them rolled back' public.s public.t
run "DO \$\$ BEGIN
	INSERT INTO s SELECT i, 'do' FROM generate_series(30000, 32000) i;
	BEGIN
		UPDATE s SET v = 'caught' || repeat('v', 100) WHERE id >= 30000;
		INSERT INTO s VALUES (30000, 'twice');
	EXCEPTION WHEN unique_violation THEN
		INSERT INTO s VALUES (33000, 'handled');
	END; END \$\$"
capture
agree 'an exception that was caught' public.s

run "BEGIN; $(rows s 40000 40400) SAVEPOINT a; TRUNCATE s; $(rows s 1 400) RELEASE a;
SAVEPOINT b; TRUNCATE s; ROLLBACK TO b; $(rows s 401 401) COMMIT"
capture
agree 'TRUNCATE among the rows' public.s
is "$(letters)" '1 H 1 B 1 R 401 I 1 T 401 I 1 C 1 E' 'and one that was rolled back'

# Large values, unchanged ones, and one that is larger than all memory for decoding.
run "BEGIN; INSERT INTO toast SELECT i, i, (SELECT string_agg(md5((i * j)::text), '')
	FROM generate_series(1, 2000) j) FROM generate_series(1, 20) i;
UPDATE toast SET n = n + 1; SAVEPOINT a; UPDATE toast SET v = 'short'; ROLLBACK TO a;
DELETE FROM toast WHERE id = 5; UPDATE toast SET v = v || v WHERE id = 7; COMMIT;
UPDATE toast SET n = 0 WHERE id = 3"
capture
agree 'large values' public.toast

# Several at the same time -----------------------------------------------------------

# The sessions a and b; say SESSION SQL.
for session in a b; do
	mkfifo "$T/$session"
	bg "$session" psql -XAtq -v ON_ERROR_STOP=1 -f "$T/$session"
done
exec 3<>"$T/a" 4<>"$T/b"
say() {
	rm -f "$T/done"
	printf '%s\n\\! touch %s\n' "$2" "$T/done" >&"$([ "$1" = a ] && echo 3 || echo 4)"
	wait_for "$1: $(printf '%.60s' "$2" | tr '\n' ' ')" 20 test -e "$T/done"
}
run 'TRUNCATE s, t'
say a "BEGIN; $(rows t 1 200)"
say b "BEGIN; $(rows t 1001 1200)"
say a "$(rows t 201 400) SAVEPOINT x;"
say b "$(rows s 1 400)"
say a "$(rows s 5001 5400)"
run "$(rows t 5000 5000)"
say b 'SAVEPOINT x;'
say b "$(rows t 1201 1600)"
say a 'ROLLBACK TO x;'
say b "UPDATE s SET v = 'b' WHERE id % 2 = 0;"
say b 'COMMIT;'
say a "INSERT INTO t VALUES (401, 'and one'); UPDATE t SET v = 'a saw b' WHERE id = 1001; COMMIT;"
capture
is "$(q -r 'if .[0] == "I" then .[2][0] elif .[0] == "C" then "C" else empty end' |
    awk '$1 == "C" { print n + 0, first, last; n = 0; next } n++ == 0 { first = $1 }
    { last = $1 }')" \
    '0  
1 5000 5000
1000 1001 1600
401 1 401' 'one after the other, in the order of the commits'
agree 'the tables' public.s public.t

# A definition that changed while a transaction that was sent in part does not hold it.
say a "BEGIN; $(rows t 10000 10400) SAVEPOINT x; $(rows s 10000 10400) ROLLBACK TO x;"
run "ALTER TABLE s ADD n int; INSERT INTO s VALUES (20000, 'b', 5)"
say a "INSERT INTO s SELECT i, repeat('n', 300), i FROM generate_series(10000, 10400) i;
SAVEPOINT x;
INSERT INTO s VALUES (20001, 'x', 6); ROLLBACK TO x;"
say a 'COMMIT;'
run "ALTER TABLE s DROP n; $(rows s 20002 20002)"
capture
agree 'altered by another one in between' public.s public.t

# The definition that came first is replayed last.
say a "BEGIN; $(rows t 11000 11400) SAVEPOINT x; $(rows s 11000 11400) ROLLBACK TO x;"
run "ALTER TABLE s ADD m int; INSERT INTO s VALUES (20003, 'b', 5)"
say a 'COMMIT;'
run "INSERT INTO s VALUES (20004, 'c', 6); UPDATE s SET m = 7 WHERE id = 20002"
capture
agree 'altered by another one, and not seen again before it ends' public.s public.t
is "$(q -r 'select(.[0] == "R") | .[3] + ": " + ([.[5][][0]] | join(","))')" 's: id,v,m
t: id,v' 'no R of before comes'
run "CREATE TABLE r (id int PRIMARY KEY, v text, m int);
INSERT INTO r VALUES (1, 'a', 5), (2, 'b', 6)"
capture
say a "BEGIN; $(rows t 12000 12400) SAVEPOINT x; $(rows r 12000 12400) ROLLBACK TO x;"
run "ALTER TABLE r RENAME v TO w; ALTER TABLE r RENAME m TO v; UPDATE r SET w = 'w' WHERE id = 1"
say a 'COMMIT;'
run "UPDATE r SET w = 'new', v = 8 WHERE id = 2"
capture
is "$(q -r 'if .[0] == "R" then .[3] + ": " + ([.[5][][0]] | join(","))
    elif .[0] == "U" then .[2] | map(tostring) | join(",") else empty end')" 'r: id,w,v
1,w,5
t: id,v
2,new,8' 'names that changed are not mixed up'
exec 3>&- 4>&-

# Messages in a large transaction.
run "BEGIN; SELECT pg_logical_emit_message(true, 'first', 'x'); $(rows t 20000 20400)
SELECT pg_logical_emit_message(false, 'now', 'x');
SAVEPOINT a; SELECT pg_logical_emit_message(true, 'rolled back', repeat('x', 100000));
ROLLBACK TO a;
SELECT pg_logical_emit_message(true, 'ünd', repeat('x', 1000000)); $(rows t 20401 20800)
SELECT pg_logical_emit_message(true, '', ''); COMMIT"
capture --messages
is "$(letters)" '1 H 1 B 1 M 1 C 1 B 1 M 1 R 401 I 1 M 400 I 1 M 1 C 1 E' \
    'messages among the rows of a large transaction, and before it'
is "$(q -r 'select(.[0] == "M") | [.[1], .[4], (.[2]["$bin"] | length)] |
    map(tostring) | join(" ")')" \
    'now false 4
first true 4
ünd true 1333336
 true 0' 'what they say'

# Definitions ------------------------------------------------------------------------

# Each value tells its column: id, a = 2 id, b = 3 id, d = 4 id.
for n in 3 600; do
	size="with $n rows each time"
	run 'DROP TABLE IF EXISTS ddl; CREATE TABLE ddl (id int PRIMARY KEY, pad text, a int)'
	# put FROM COLUMNS VALUES
	put() {
		echo "INSERT INTO ddl ($2) SELECT $3 FROM generate_series($1, $(($1 + n - 1))) i;"
	}
	pad="repeat('x', 200)"
	run "$(put 0 id,pad,a "i, $pad, 2*i")
	BEGIN;
	$(put 1000 id,pad,a "i, $pad, 2*i")
	ALTER TABLE ddl ADD b int;
	$(put 2000 id,pad,a,b "i, $pad, 2*i, 3*i")
	ALTER TABLE ddl RENAME a TO c;
	$(put 3000 id,pad,c,b "i, $pad, 2*i, 3*i")
	SAVEPOINT s;
		ALTER TABLE ddl ADD d text;
		$(put 4000 id,pad,c,b,d "i, $pad, 2*i, 3*i, 4*i")
		ALTER TABLE ddl DROP b;
		$(put 5000 id,pad,c,d "i, $pad, 2*i, 4*i")
	ROLLBACK TO s;
	$(put 6000 id,pad,c,b "i, $pad, 2*i, 3*i")
	UPDATE ddl SET b = -b WHERE id % 7 = 0;
	SAVEPOINT s;
		ALTER TABLE ddl ADD e int;
		UPDATE ddl SET e = 5 WHERE id % 2 = 0;
	RELEASE s;
	ALTER TABLE ddl ALTER c TYPE text;
	$(put 7000 id,pad,c,b "i, $pad, 2*i, 3*i")
	ALTER TABLE ddl DROP pad;
	$(put 8000 id,c,b,e "i, 2*i, 3*i, 6*i")
	ALTER TABLE ddl REPLICA IDENTITY FULL;
	DELETE FROM ddl WHERE id % 1000 = 1;
	ALTER TABLE ddl RENAME TO ddl2; ALTER TABLE ddl2 RENAME TO ddl;
	$(put 9000 id,c,b,e "i, 2*i, 3*i, 6*i")
	COMMIT;
	$(put 10000 id,c,b,e "i, 2*i, 3*i, 6*i")"
	capture
	q -r 'select(.[0] == "R") | .[4] + ": " + (.[5] | map(.[0] + " " + .[1]) | join(", "))' \
	    >"$T/definitions"
	cat >"$T/expected" <<'E'
d: id int4, pad text, a int4
d: id int4, pad text, a int4, b int4
d: id int4, pad text, c int4, b int4
d: id int4, pad text, c int4, b int4, e int4
d: id int4, pad text, c text, b int4, e int4
d: id int4, c text, b int4, e int4
f: id int4, c text, b int4, e int4
E
	same "$T/definitions" "$T/expected" "$size: each definition, and none that was rolled back"
	agree "$size: rows are of their definitions" public.ddl
done

# Made and filled in one transaction: nobody else knows its types yet.
run "BEGIN;
CREATE TYPE mood AS ENUM ('so so', 'ok', 'fine');
CREATE DOMAIN count AS int CHECK (VALUE >= 0);
CREATE TABLE fresh (id count PRIMARY KEY, m mood, ms mood[], v text);
INSERT INTO fresh SELECT i, 'ok', ARRAY['ok', 'fine']::mood[], repeat('f', 50)
	FROM generate_series(1, 5000) i;
ALTER TYPE mood RENAME TO temper;
ALTER TABLE fresh ADD t temper;
UPDATE fresh SET t = 'fine' WHERE id % 100 = 0;
ALTER TABLE fresh ALTER m TYPE text;
INSERT INTO fresh VALUES (5001, 'text', '{ok}', 'v', 'ok');
COMMIT"
capture
agree 'a table made and filled in one transaction, with types of its own' public.fresh
is "$(q -r 'select(.[0] == "R") | [.[5][] | .[0]] | join(",")')" 'id,m,ms,v
id,m,ms,v,t
id,m,ms,v,t' 'each R'
like "$(q -r 'select(.[0] == "R") | .[5][1][1]' | head -n 1)" 'mood|temper' "the enum's name"
run "BEGIN; CREATE TABLE twice (id int PRIMARY KEY, v text); $(rows twice 1 400) DROP TABLE twice;
SAVEPOINT s; CREATE TABLE twice (id int); INSERT INTO twice VALUES (1); ROLLBACK TO s;
CREATE TABLE twice (v text, n int, id int PRIMARY KEY);
INSERT INTO twice SELECT repeat('t', 300), i, -i FROM generate_series(1, 400) i; COMMIT;
BEGIN; $(rows t 30000 30400) CREATE TABLE rolled (id int);
INSERT INTO rolled SELECT generate_series(1, 3000);
ROLLBACK; CREATE TABLE rolled (id text); INSERT INTO rolled VALUES ('r')"
capture
agree 'tables made, dropped and made again in one transaction' public.twice public.rolled
agree 'and all others, at the end' public.s public.t public.toast

# What the server sends wrongly of a large transaction whose savepoint was rolled back before it
# is decoded, when another session changed a definition meanwhile.
run 'CREATE TABLE altered (id int PRIMARY KEY); CREATE TABLE emptied (id int PRIMARY KEY);
INSERT INTO emptied VALUES (1)'
stream 'FOR ALL TABLES'
mkfifo "$T/in3"
bg session psql -XAtq -v ON_ERROR_STOP=1 -f "$T/in3"
exec 3<>"$T/in3"
echo "BEGIN; INSERT INTO toast VALUES (-1); SAVEPOINT a; $(rows t 5001 5020)
SELECT pg_advisory_lock(1);" >&3
locked() {
	[ -n "$(sql "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted
	    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())")" ]
}
wait_for 'a transaction with a savepoint' 20 locked
run 'ALTER TABLE altered ADD c int; TRUNCATE emptied'
echo "$(rows t 5021 9000) ROLLBACK TO a; INSERT INTO altered VALUES (1, 5);
INSERT INTO emptied VALUES (2); $(rows s 5001 6000) COMMIT;" >&3
exec 3>&-
wait_exit 'is committed, the savepoint rolled back' 60 "$BG_PID" 0
capture
is "$(q -r 'select(.[0] == "I") | .[2] | select(length < 3 and (.[1] | tostring | length) < 9) |
    map(tostring) | join(" ")')" '1 5
2' 'rows have the columns that their table got meanwhile'
like "$(cat "$T/read.log")" 'is read again|without streaming' 'it was read without streaming'

done_testing
