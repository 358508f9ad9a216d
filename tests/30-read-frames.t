#!/bin/sh
#
# pgcdc-read: what frames the changes of real tables become.

# shellcheck disable=SC2016 # dollars are jq's and PostgreSQL's
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

need_pg
pg_db
pub=${ID}_p
slot=${ID}_s
# Settings that change how values print: the reader must not be led by them.
sql "ALTER DATABASE $PGDATABASE SET datestyle = 'German, DMY';
ALTER DATABASE $PGDATABASE SET timezone = 'Asia/Tokyo';
ALTER DATABASE $PGDATABASE SET intervalstyle = 'sql_standard';
ALTER DATABASE $PGDATABASE SET extra_float_digits = -10;
ALTER DATABASE $PGDATABASE SET bytea_output = 'escape';
ALTER DATABASE $PGDATABASE SET default_transaction_read_only = off"
sql "CREATE PUBLICATION $pub FOR ALL TABLES;
SELECT pg_create_logical_replication_slot('$slot', 'pgoutput')" >"$T/null"

# capture [OPTION...]: the frames of what was committed since the last time come to
# $T/frames, as lines of JSON.  A file is what confirms them.
n=0
capture() {
	n=$((n + 1))
	pgcdc-read -s "$slot" -p "$pub" --until-caught-up -o "$T/$n.frames" "$@" \
	    2>>"$T/read.log" || bail "pgcdc-read failed"
	pgcdc-cat "$T/$n.frames" >"$T/frames" || bail "pgcdc-cat failed"
	ok "capture $n: the encoding is canonical" \
	    sh -c "pgcdc-cat --pack <'$T/frames' | cmp - '$T/$n.frames'"
}

# q [OPTION...] FILTER
q() {
	jq -c "$@" "$T/frames"
}

# rows: the row frames' letter and rows, as pgcdc-cat prints them.
rows() {
	sed -n 's/^\["\([IUD]\)",[0-9]*,\(.*\)\]$/\1 \2/p' "$T/frames"
}

# told DESCRIPTION <EXPECTED: the whole stream; LSNs and times left out, tables by name.
told() {
	cat >"$T/expected"
	jq -cn 'foreach inputs as $f ({};
		if $f[0] == "R" then .[$f[1] | tostring] = $f[2] + "." + $f[3] else . end;
		. as $name | $f |
		if .[0] == "H" then ["H"]
		elif .[0] == "R" then ["R", $name[.[1] | tostring]]
		elif .[0] == "B" then ["B"]
		elif .[0] == "C" then ["C", .[2]]
		elif .[0] == "E" then ["E", .[2]]
		elif .[0] == "T" then .[1] |= map($name[tostring])
		elif .[0] == "M" then del(.[3])
		else .[1] |= $name[tostring] end)' "$T/frames" >"$T/told"
	same "$T/told" "$T/expected" "$1"
}

# Operations, units, LSNs ------------------------------------------------------------

sql 'CREATE TABLE t (id int PRIMARY KEY, v text);
CREATE TABLE u (a int PRIMARY KEY, t int REFERENCES t);
CREATE UNLOGGED TABLE unlogged (id int)'
before=$(sql "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::int8")
sql "INSERT INTO t VALUES (1, 'one'), (2, NULL);
UPDATE t SET v = 'eins' WHERE id = 1;
UPDATE t SET id = 3 WHERE id = 2;
DELETE FROM t WHERE id = 3;
BEGIN; INSERT INTO t VALUES (4, 'rolled back'); ROLLBACK;
BEGIN; INSERT INTO t VALUES (5, ''); SAVEPOINT s; INSERT INTO t VALUES (6, 'no');
	ROLLBACK TO s; INSERT INTO u VALUES (1, 5); COMMIT;
INSERT INTO unlogged VALUES (1);
BEGIN; CREATE TEMPORARY TABLE x (id int); INSERT INTO x VALUES (1); COMMIT;
CREATE TABLE empty (id int);
BEGIN; SELECT pg_current_xact_id(); COMMIT;
UPDATE t SET v = v WHERE false;
TRUNCATE u RESTART IDENTITY;
SET client_min_messages = warning;
TRUNCATE t CASCADE" >"$T/null"
after=$(sql "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::int8")
capture
told 'insert, update, delete, truncate; nothing of what has no published row' <<'E'
["H"]
["B"]
["R","public.t"]
["I","public.t",[1,"one"]]
["I","public.t",[2,null]]
["C",1]
["B"]
["U","public.t",[1,"eins"],null]
["C",2]
["B"]
["U","public.t",[3,null],[2,{"$absent":true}]]
["C",3]
["B"]
["D","public.t",[3,{"$absent":true}]]
["C",4]
["B"]
["I","public.t",[5,""]]
["R","public.u"]
["I","public.u",[1,5]]
["C",5]
["B"]
["T",["public.u"],false,true]
["C",6]
["B"]
["T",["public.t","public.u"],true,false]
["C",7]
["E","caught-up"]
E
is "$(q 'select(.[0] == "H") | .[1] | del(.run, .from)')" \
    "$(sql "SELECT '{\"v\":1,\"system\":\"' || system_identifier || '\",\"timeline\":' ||
	timeline_id || ',\"database\":\"$PGDATABASE\",\"slot\":\"$slot\",\"publications\":[\"$pub\"],' ||
	'\"server\":' || current_setting('server_version_num') || '}'
	FROM pg_control_system(), pg_control_checkpoint()")" 'H says where the stream is from'
like "$(q -r 'select(.[0] == "H") | .[1] | .run, .from' | tr '\n' ' ')" \
    '^[0-9a-f]{32} pgcdc-read [0-9]' 'H names the run and the program'
q -r --argjson a "$before" --argjson b "$after" \
    'select(.[0] == "B") | .[2] >= $a and .[2] <= $b' | sort -u >"$T/times"
is "$(cat "$T/times")" true "B has the commit's time, in microseconds since 1970"

# The position of each unit, by what the server's log says itself.
if [ "$(sql "SELECT count(*) FROM pg_available_extensions WHERE name = 'pg_walinspect'")" = 1 ]; then
	sql 'CREATE EXTENSION pg_walinspect'
	q -r 'select(.[0] == "B" or .[0] == "C") | if .[0] == "B" then [.[3], .[1]] else .[1] end |
	    if type == "array" then map(tostring) | join(" ") else . end' | paste -d ' ' - - >"$T/units"
	while read -r xid lsn end; do
		sql "SELECT string_agg(start_lsn || ' ' || end_lsn, ',')
		    FROM pg_get_wal_records_info('$lsn', '$end')
		    WHERE xid = '$xid' AND record_type LIKE 'COMMIT%'"
	done <"$T/units" >"$T/log"
	cut -d ' ' -f 2- "$T/units" >"$T/expected"
	same "$T/log" "$T/expected" "B.lsn and C.lsn are where the xid's commit record starts and ends"
	is "$(wc -l <"$T/units")" 7 'of every unit'
else
	skip 'B.lsn and C.lsn' 'the server has no pg_walinspect'
fi

sql "INSERT INTO t VALUES (1, 'again')"
capture
told 'a new run: R again, seq from 1' <<'E'
["H"]
["B"]
["R","public.t"]
["I","public.t",[1,"again"]]
["C",1]
["E","caught-up"]
E
is "$(sql "SELECT '$(q -r 'select(.[0] == "E") | .[1]')'::pg_lsn >=
    '$(q -r 'select(.[0] == "C") | .[1]')'")" t 'E is not before the last C'
capture
told 'nothing new: no unit' <<'E'
["H"]
["E","caught-up"]
E

# Two transactions at a time: in the order of their commits.
mkfifo "$T/in"
bg session psql -XAtq -f "$T/in"
exec 3<>"$T/in"
echo "BEGIN; INSERT INTO t VALUES (10, 'began first');" >&3
open_insert() {
	sql "SELECT state FROM pg_stat_activity WHERE datname = '$PGDATABASE'" |
	    grep -qx 'idle in transaction'
}
wait_for 'a transaction is open' 20 open_insert
sql "INSERT INTO t VALUES (11, 'in between')"
echo "INSERT INTO t VALUES (12, 'committed last'); COMMIT;" >&3
exec 3>&-
wait_exit 'and then committed' 20 "$BG_PID" 0
capture
told 'transactions come one after the other, by commit' <<'E'
["H"]
["B"]
["R","public.t"]
["I","public.t",[11,"in between"]]
["C",1]
["B"]
["I","public.t",[10,"began first"]]
["I","public.t",[12,"committed last"]]
["C",2]
["E","caught-up"]
E

# Messages ---------------------------------------------------------------------------

messages="BEGIN; SELECT pg_logical_emit_message(true, 'in', 'a' || chr(233));
	INSERT INTO t VALUES (20, 'x'); COMMIT;
SELECT pg_logical_emit_message(true, 'alone', E'\\\\x00ff'::bytea);
SELECT pg_logical_emit_message(false, 'now', '');
BEGIN; SELECT pg_logical_emit_message(false, 'stays', 'b');
	SELECT pg_logical_emit_message(true, 'goes', 'c'); ROLLBACK;
DELETE FROM t WHERE id = 20"
sql "$messages" >"$T/null"
capture
is "$(q -r '.[0]' | tr -d '\n')" HBRICBDCE 'without --messages none come'
sql "$messages" >"$T/lsns"
capture --messages
told 'messages, in their transaction or alone' <<'E'
["H"]
["B"]
["M","in",{"$bin":"YcOp"},true]
["R","public.t"]
["I","public.t",[20,"x"]]
["C",1]
["B"]
["M","alone",{"$bin":"AP8="},true]
["C",2]
["B"]
["M","now",{"$bin":""},false]
["C",3]
["B"]
["M","stays",{"$bin":"Yg=="},false]
["C",4]
["B"]
["D","public.t",[20,{"$absent":true}]]
["C",5]
["E","caught-up"]
E
is "$(q -r 'select(.[0] == "M") | .[3]')" "$(sed 4q "$T/lsns")" \
    'M has the LSN that pg_logical_emit_message returned'
is "$(q -r 'select(.[0] == "M" and .[4] == false) | .[3]')" \
    "$(q -r 'select(.[0] == "C") | .[1]' | sed -n '3,4p')" \
    'a message that is a unit of its own ends where it ends'

# Values -----------------------------------------------------------------------------

sql "CREATE TABLE ints (i2 int2, i4 int4, i8 int8, o oid, b bool)"
sql "INSERT INTO ints VALUES (-32768, -2147483648, -9223372036854775808, 0, true),
	(32767, 2147483647, 9223372036854775807, 4294967295, false),
	(-33, -128, -32769, 2147483648, NULL), (-32, -129, 4294967296, 65536, NULL),
	(127, 128, 9007199254740992, 255, NULL), (-1, 256, -9007199254740993, NULL, NULL),
	(NULL, NULL, NULL, NULL, NULL)"
capture
rows >"$T/got"
cat >"$T/expected" <<'E'
I [-32768,-2147483648,{"$int":"-9223372036854775808"},0,true]
I [32767,2147483647,{"$int":"9223372036854775807"},4294967295,false]
I [-33,-128,-32769,2147483648,null]
I [-32,-129,4294967296,65536,null]
I [127,128,9007199254740992,255,null]
I [-1,256,{"$int":"-9007199254740993"},null,null]
I [null,null,null,null,null]
E
same "$T/got" "$T/expected" 'int2, int4, int8, oid, bool'

sql "CREATE TABLE floats (f4 float4, f8 float8)"
sql "INSERT INTO floats VALUES (0.1, 0.1), (-0.0::float8, '-0'), ('NaN', 'NaN'),
	('Infinity', '-Infinity'), (1, 1e22), ('1e-45', '5e-324'),
	('3.4028235e38', '1.7976931348623157e308'), (16777217, 0.1::float8 + 0.2::float8),
	(1.5, 123456789.12345678)"
capture
rows >"$T/got"
cat >"$T/expected" <<'E'
I [0.1,0.1]
I [{"$float":"-0"},{"$float":"-0"}]
I [{"$float":"NaN"},{"$float":"NaN"}]
I [{"$float":"Infinity"},{"$float":"-Infinity"}]
I [{"$float":"1"},{"$float":"1e+22"}]
I [1e-45,5e-324]
I [{"$float":"3.4028235e+38"},{"$float":"1.7976931348623157e+308"}]
I [{"$float":"16777216"},0.30000000000000004]
I [1.5,123456789.12345678]
E
same "$T/got" "$T/expected" 'float4 as its text says, float8'

sql "CREATE TABLE numerics (n numeric, m numeric(10, 2))"
sql "INSERT INTO numerics VALUES (1.10, 1), (-0.00, -0.005), ('NaN', 'NaN'),
	('123456789012345678901234567890.123456789012345678901234567890', 12345678.9),
	(1e-20, 0), (1e30, NULL)"
capture
rows >"$T/got"
cat >"$T/expected" <<'E'
I ["1.10","1.00"]
I ["0.00","-0.01"]
I ["NaN","NaN"]
I ["123456789012345678901234567890.123456789012345678901234567890","12345678.90"]
I ["0.00000000000000000001","0.00"]
I ["1000000000000000000000000000000",null]
E
same "$T/got" "$T/expected" "numeric keeps its digits"

sql "CREATE TABLE times (ts timestamp, tz timestamptz, d date, t time, i interval)"
sql "INSERT INTO times VALUES
	('2026-11-23 01:02:03.4', '2026-11-23 01:02:03.000001+09', '2026-11-23', '01:02:03.5', '1 day 2 s'),
	('0044-03-15 00:00:00 BC', '0044-03-15 02:30:00+02:30 BC', '0044-03-15 BC', '24:00', '-1 mon'),
	('infinity', '-infinity', 'infinity', '00:00', '0'),
	('294276-12-31 23:59:59.999999', '294276-12-31 23:59:59.999999+00', '5874897-12-31', NULL, NULL),
	('4713-11-24 00:00:00 BC', '4713-11-24 00:00:00+00 BC', '4713-11-24 BC', NULL, NULL),
	('0001-01-01', '1900-06-15 12:00:00+05:53:28', '0001-01-01', NULL, NULL)"
capture
rows >"$T/got"
cat >"$T/expected" <<'E'
I ["2026-11-23T01:02:03.4","2026-11-22T16:02:03.000001Z","2026-11-23","01:02:03.5","P1DT2S"]
I ["0044-03-15T00:00:00 BC","0044-03-15T00:00:00Z BC","0044-03-15 BC","24:00:00","P-1M"]
I ["infinity","-infinity","infinity","00:00:00","PT0S"]
I ["294276-12-31T23:59:59.999999","294276-12-31T23:59:59.999999Z","5874897-12-31",null,null]
I ["4713-11-24T00:00:00 BC","4713-11-24T00:00:00Z BC","4713-11-24 BC",null,null]
I ["0001-01-01T00:00:00","1900-06-15T06:06:32Z","0001-01-01",null,null]
E
same "$T/got" "$T/expected" 'timestamp, timestamptz in UTC, date, time, interval'

sql "CREATE TYPE mood AS ENUM ('so so', 'ok');
CREATE TABLE others (j json, jb jsonb, b bytea, u uuid, m mood, v varchar(5), c char(5), n name)"
sql "INSERT INTO others VALUES
	(E' {\"a\" : 1.0,\\n\"a\":1e2} ', '{\"b\": 1.0, \"a\": [12345678901234567890, null]}', '',
	'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', 'so so', 'v', 'c', 'n'),
	('null', '\"\\u00e9\"', E'\\\\x5c78000102ff', NULL, NULL, '', '', '')"
capture
rows >"$T/got"
cat >"$T/expected" <<'E'
I [{"$json":" {\"a\" : 1.0,\n\"a\":1e2} "},{"$json":"{\"a\": [12345678901234567890, null], \"b\": 1.0}"},{"$bin":""},"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11","so so","v","c    ","n"]
I [{"$json":"null"},{"$json":"\"é\""},{"$bin":"XHgAAQL/"},null,null,"","     ",""]
E
same "$T/got" "$T/expected" 'json verbatim, jsonb, bytea, uuid, enum, varchar, char, name'

sql "CREATE TABLE bytes (b bytea)"
sql "INSERT INTO bytes SELECT string_agg(decode(lpad(to_hex(i), 2, '0'), 'hex'), '' ORDER BY i)
	FROM generate_series(0, 255) i"
capture
is "$(q -r 'select(.[0] == "I") | .[2][0]["$bin"]' | base64 -d | md5sum)" \
    "$("$PYTHON" -c 'import sys; sys.stdout.buffer.write(bytes(range(256)))' | md5sum)" \
    'bytea: every byte'

# Text: every character of the basic plane and some of the others; lengths around those
# where MessagePack's head changes.
sql "CREATE TABLE texts (id int, t text)"
sql "INSERT INTO texts SELECT n, repeat('x', n) FROM
	unnest(ARRAY[0, 1, 31, 32, 255, 256, 65535, 65536, 300000]) n;
INSERT INTO texts SELECT -1, string_agg(chr(i), '' ORDER BY i) FROM generate_series(1, 65535) i
	WHERE i NOT BETWEEN 55296 AND 57343;
INSERT INTO texts SELECT -2, string_agg(chr(i), '' ORDER BY i)
	FROM generate_series(65536, 1114111, 257) i;
INSERT INTO texts VALUES (-3, chr(1114111))"
capture
is "$(q 'select(.[0] == "I") | .[2] | select(.[0] >= 0) | .[0] == (.[1] | length)' | sort | uniq -c |
    tr -s ' ')" ' 9 true' 'text of nine lengths'
for id in -1 -2 -3; do
	is "$(q -j --argjson id $id 'select(.[0] == "I" and .[2][0] == $id) | .[2][1]' | md5sum)" \
	    "$(sql "SELECT md5(t) FROM texts WHERE id = $id")  -" "text: characters, part $id"
done

# A database without an encoding holds bytes that are no UTF-8.
bytes_db=${ID}_bytes
sql "CREATE DATABASE $bytes_db ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
PGDATABASE=$bytes_db sql "CREATE TABLE t (t text, j json);
	CREATE PUBLICATION $pub FOR ALL TABLES;
	SELECT pg_create_logical_replication_slot('${ID}_b', 'pgoutput');
	INSERT INTO t VALUES (convert_from('\\xe9', 'SQL_ASCII'), convert_from('\\x22c328 22', 'SQL_ASCII')::json),
	(convert_from('\\xc3a9', 'SQL_ASCII'), convert_from('\\x22c3a922', 'SQL_ASCII')::json),
	(convert_from('\\xeda080', 'SQL_ASCII'), NULL), (convert_from('\\xc080', 'SQL_ASCII'), NULL),
	(convert_from('\\xf4908080', 'SQL_ASCII'), NULL), (convert_from('\\x61e282', 'SQL_ASCII'), NULL)" \
    >"$T/null"
PGDATABASE=$bytes_db pgcdc-read -s "${ID}_b" -p "$pub" --until-caught-up -o "$T/bytes.frames" \
    2>>"$T/read.log"
pgcdc-cat "$T/bytes.frames" >"$T/frames"
sql "SELECT pg_drop_replication_slot('${ID}_b'); DROP DATABASE $bytes_db" >"$T/null"
rows >"$T/got"
cat >"$T/expected" <<'E'
I [{"$bin":"6Q=="},{"$bin":"IsMoIg=="}]
I ["é",{"$json":"\"é\""}]
I [{"$bin":"7aCA"},null]
I [{"$bin":"wIA="},null]
I [{"$bin":"9JCAgA=="},null]
I [{"$bin":"YeKC"},null]
E
same "$T/got" "$T/expected" 'text and json that are no UTF-8 are bytes'

# Replica identities -----------------------------------------------------------------

sql "CREATE TABLE d (id int PRIMARY KEY, k int NOT NULL UNIQUE, v text);
CREATE TABLE f (id int PRIMARY KEY, k int NOT NULL UNIQUE, v text);
ALTER TABLE f REPLICA IDENTITY FULL;
CREATE TABLE x (id int PRIMARY KEY, k int NOT NULL UNIQUE, v text);
ALTER TABLE x REPLICA IDENTITY USING INDEX x_k_key;
CREATE TABLE n (id int PRIMARY KEY, k int NOT NULL UNIQUE, v text);
ALTER TABLE n REPLICA IDENTITY NOTHING;
CREATE TABLE nokey (id int, k int, v text);
CREATE TABLE fnokey (id int, k int, v text);
ALTER TABLE fnokey REPLICA IDENTITY FULL"
for t in d f x fnokey; do
	sql "INSERT INTO $t VALUES (1, 10, 'a');
	UPDATE $t SET v = NULL;
	UPDATE $t SET id = 2;
	UPDATE $t SET k = 20;
	UPDATE $t SET id = 3, k = 30;
	DELETE FROM $t"
done
sql "INSERT INTO n VALUES (1, 10, 'a'); INSERT INTO nokey VALUES (1, 10, 'a')"
capture
# relation TABLE: what R says.
relation() {
	q --arg t "$1" 'select(.[0] == "R" and .[3] == $t) | .[4], (.[5] | map(.[0], .[4])), .[6]' |
	    tr '\n' ' '
}
# changes TABLE
changes() {
	jq -cn --arg t "$1" 'foreach inputs as $f (null;
		if $f[0] == "R" and $f[3] == $t then $f[1] else . end;
		if $f[0] != "R" and $f[1] == . and . != null then $f | del(.[1]) else empty end)' "$T/frames" |
	    sed 's/{"$absent":true}/-/g'
}
is "$(relation d)" '"d" ["id",true,"k",false,"v",false] [0] ' 'DEFAULT: R'
is "$(changes d)" '["I",[1,10,"a"]]
["U",[1,10,null],null]
["U",[2,10,null],[1,-,-]]
["U",[2,20,null],null]
["U",[3,30,null],[2,-,-]]
["D",[3,-,-]]' 'DEFAULT: the old key where it changed'
is "$(relation f)" '"f" ["id",true,"k",true,"v",true] [0] ' \
    "FULL: the primary key is the catalog's, not what is flagged"
is "$(changes f)" '["I",[1,10,"a"]]
["U",[1,10,null],[1,10,"a"]]
["U",[2,10,null],[1,10,null]]
["U",[2,20,null],[2,10,null]]
["U",[3,30,null],[2,20,null]]
["D",[3,30,null]]' 'FULL: the whole old row'
is "$(relation x)" '"i" ["id",false,"k",true,"v",false] [0] ' 'INDEX: R has both keys'
is "$(changes x)" '["I",[1,10,"a"]]
["U",[1,10,null],null]
["U",[2,10,null],null]
["U",[2,20,null],[-,10,-]]
["U",[3,30,null],[-,20,-]]
["D",[-,30,-]]' "INDEX: the old row has the index's columns"
is "$(relation n)" '"n" ["id",false,"k",false,"v",false] [0] ' 'NOTHING: R'
is "$(changes n)" '["I",[1,10,"a"]]' 'NOTHING: rows'
is "$(relation nokey)" '"d" ["id",false,"k",false,"v",false] null ' 'no key: R'
is "$(relation fnokey)" '"f" ["id",true,"k",true,"v",true] null ' 'FULL without a key: R'
is "$(changes fnokey | tail -n 2)" '["U",[3,30,null],[2,20,null]]
["D",[3,30,null]]' 'FULL without a key: rows'

# TOAST ------------------------------------------------------------------------------

big="(SELECT string_agg(md5(i::text), '') FROM generate_series(1, 80) i)"
for t in td tf; do
	sql "CREATE TABLE $t (id int PRIMARY KEY, n int, big text);
	ALTER TABLE $t ALTER big SET STORAGE EXTERNAL"
done
sql "ALTER TABLE tf REPLICA IDENTITY FULL;
CREATE TABLE tk (n int, big text PRIMARY KEY); ALTER TABLE tk ALTER big SET STORAGE EXTERNAL"
for t in td tf tk; do
	sql "INSERT INTO $t (n, big$([ $t = tk ] || echo ', id')) SELECT 1, $big$([ $t = tk ] || echo ', 1');
	UPDATE $t SET n = 2;
	UPDATE $t SET big = 'small'"
done
sql "UPDATE td SET id = 2; DELETE FROM td; DELETE FROM tf; DELETE FROM tk"
value=$(sql "SELECT $big")
capture
sed "s/$value/BIG/g" "$T/frames" >"$T/short"
mv "$T/short" "$T/frames"
is "$(changes td)" '["I",[1,1,"BIG"]]
["U",[1,2,-],null]
["U",[1,2,"small"],null]
["U",[2,2,"small"],[1,-,-]]
["D",[2,-,-]]' 'unchanged TOAST is absent'
is "$(changes tf)" '["I",[1,1,"BIG"]]
["U",[1,2,"BIG"],[1,1,"BIG"]]
["U",[1,2,"small"],[1,2,"BIG"]]
["D",[1,2,"small"]]' 'with FULL it is completed from the old row'
is "$(changes tk)" '["I",[1,"BIG"]]
["U",[2,"BIG"],[-,"BIG"]]
["U",[2,"small"],[-,"BIG"]]
["D",[-,"small"]]' 'a key that is TOAST itself is never absent'

# Definitions ------------------------------------------------------------------------

sql "CREATE SCHEMA \"My schema\";
CREATE TABLE \"My schema\".\"T.\"\"x\" (\"a b\" int, \"Ü\" int, PRIMARY KEY (\"Ü\"));
CREATE TABLE composite (a int, b int, c int, d int, PRIMARY KEY (d, a, c));
CREATE TABLE fcomposite (a int, b int, c int, d int, PRIMARY KEY (d, a, c));
ALTER TABLE fcomposite REPLICA IDENTITY FULL;
CREATE TABLE included (a int, b int, c int, PRIMARY KEY (c, b) INCLUDE (a));
ALTER TABLE included REPLICA IDENTITY FULL;
CREATE TABLE nocolumns ();
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE TABLE types (a varchar(10), b numeric(10, 2), c mood, d positive, e int[], f \"char\");
CREATE TABLE dropped (a int, b int, c int PRIMARY KEY, d int);
ALTER TABLE dropped DROP b"
sql "INSERT INTO \"My schema\".\"T.\"\"x\" VALUES (1, 2);
INSERT INTO composite VALUES (1, 2, 3, 4);
INSERT INTO fcomposite VALUES (1, 2, 3, 4);
INSERT INTO included VALUES (1, 2, 3);
INSERT INTO nocolumns DEFAULT VALUES;
INSERT INTO types VALUES ('a', 1, 'ok', 1, '{1}', 'c');
INSERT INTO dropped VALUES (1, 2, 3)"
capture
is "$(q 'select(.[0] == "R" and .[2] == "My schema") | [.[3], .[5][][0], .[6]]')" \
    '["T.\"x","a b","Ü",[1]]' 'names with all kinds of characters'
is "$(relation composite)" '"d" ["a",true,"b",false,"c",true,"d",true] [3,0,2] ' \
    "a composite key is in the key's order"
is "$(relation fcomposite)" '"f" ["a",true,"b",true,"c",true,"d",true] [3,0,2] ' \
    'with FULL too'
is "$(relation included)" '"f" ["a",true,"b",true,"c",true] [2,1] ' \
    'a column that the key only includes is none of its'
is "$(relation nocolumns)$(changes nocolumns)" '"d" [] null ["I",[]]' 'a table without columns'
is "$(q 'select(.[0] == "R" and .[3] == "types") | .[5] | map(.[1:4])')" \
    "$(sql "SELECT '[[\"varchar\",1043,14],[\"numeric\",1700,655366],[\"public.mood\",' ||
	'mood'::regtype::oid || ',-1],[\"public.positive\",' || 'positive'::regtype::oid ||
	',-1],[\"int4[]\",1007,-1],[\"char\",18,-1]]'")" 'the types of columns: name, OID, modifier'
is "$(relation dropped)$(changes dropped)" '"d" ["a",false,"c",true,"d",false] [1] ["I",[1,2,3]]' \
    'a dropped column is not there'
is "$(q -r --arg t composite 'select(.[0] == "R" and .[3] == $t) | .[1]')" \
    "$(sql "SELECT 'composite'::regclass::oid")" "relid is the table's OID"

# R when the definition changed, in the stream's order, and only then.
sql "INSERT INTO t VALUES (30, 'a');
ALTER TABLE t ADD c int DEFAULT 7;
INSERT INTO t VALUES (31, 'b');
BEGIN;
	INSERT INTO t VALUES (32, 'c');
	ALTER TABLE t DROP v;
	INSERT INTO t VALUES (33, 8);
	ALTER TABLE t RENAME c TO cc;
	ALTER TABLE t ALTER cc TYPE text;
	INSERT INTO t VALUES (34, '9');
COMMIT;
ALTER TABLE t SET (fillfactor = 50);
ANALYZE t;
INSERT INTO t VALUES (35, '10');
ALTER TABLE t REPLICA IDENTITY FULL;
INSERT INTO t VALUES (36, '11');
ALTER TABLE t RENAME TO tt;
INSERT INTO tt VALUES (37, '12')"
capture
q 'select(.[0] == "R" or .[0] == "I") | if .[0] == "R" then [.[3], .[4], (.[5][] | .[:2])] else .[2] end' \
    >"$T/got"
cat >"$T/expected" <<'E'
["t","d",["id","int4"],["v","text"]]
[30,"a"]
["t","d",["id","int4"],["v","text"],["c","int4"]]
[31,"b",7]
[32,"c",7]
["t","d",["id","int4"],["c","int4"]]
[33,8]
["t","d",["id","int4"],["cc","text"]]
[34,"9"]
[35,"10"]
["t","f",["id","int4"],["cc","text"]]
[36,"11"]
["tt","f",["id","int4"],["cc","text"]]
[37,"12"]
E
same "$T/got" "$T/expected" 'R comes before the first row of a changed definition, and only then'

# Partitions: as themselves, or as the root.
sql "CREATE TABLE parted (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
CREATE TABLE part1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
CREATE TABLE part2 (v text, id int NOT NULL);
ALTER TABLE parted ATTACH PARTITION part2 FOR VALUES FROM (10) TO (20);
INSERT INTO parted VALUES (1, 'a'), (11, 'b')"
capture
told 'rows of partitions' <<'E'
["H"]
["B"]
["R","public.part1"]
["I","public.part1",[1,"a"]]
["R","public.part2"]
["I","public.part2",["b",11]]
["C",1]
["E","caught-up"]
E
sql "ALTER PUBLICATION $pub SET (publish_via_partition_root = true);
INSERT INTO parted VALUES (2, 'c'), (12, 'd');
UPDATE parted SET id = 13 WHERE id = 2"
capture
told "rows of partitions as the root's" <<'E'
["H"]
["B"]
["R","public.parted"]
["I","public.parted",[2,"c"]]
["I","public.parted",[12,"d"]]
["C",1]
["B"]
["D","public.parted",[2,{"$absent":true}]]
["I","public.parted",[13,"c"]]
["C",2]
["E","caught-up"]
E

# Several publications; a row filter that turns an update into an insert.
sql "DROP PUBLICATION $pub"
if [ "$(sql "SELECT current_setting('server_version_num')::int >= 150000")" = t ]; then
	sql "CREATE PUBLICATION $pub FOR TABLE td WHERE (id > 5), d (id, v);
	CREATE PUBLICATION \"${ID} Q\"\"q\" FOR TABLE f"
	pub="$pub,${ID} Q\"q"
	sql "SELECT pg_drop_replication_slot('$slot');
	SELECT pg_create_logical_replication_slot('$slot', 'pgoutput')" >"$T/null"
	sql "INSERT INTO td SELECT 1, 1, $big;
	UPDATE td SET id = 6; UPDATE td SET id = 1;
	INSERT INTO d VALUES (1, 2, 'v'); INSERT INTO f VALUES (1, 2, 'v')"
	capture
	told 'a filter, a list of columns, two publications' <<'E'
["H"]
["B"]
["R","public.td"]
["I","public.td",[6,1,{"$absent":true}]]
["C",1]
["B"]
["D","public.td",[6,{"$absent":true},{"$absent":true}]]
["C",2]
["B"]
["R","public.d"]
["I","public.d",[1,"v"]]
["C",3]
["B"]
["R","public.f"]
["I","public.f",[1,2,"v"]]
["C",4]
["E","caught-up"]
E
else
	skip 'a filter, a list of columns, two publications' 'PostgreSQL 14'
fi

done_testing
