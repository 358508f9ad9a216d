#!/bin/sh
# pgcdc-read: values of every type, PostgreSQL's own and those that only the catalog knows,
# compared with what SQL says that the tables hold.

# shellcheck disable=SC2016 # dollars are jq's
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# Its own, for a setting of the whole server at the end.
own_pg
pg_db
# make SQL: what the checks need.
make() {
	sql "$1" >"$T/null" || bail 'this SQL failed'
}

make "CREATE PUBLICATION $ID FOR ALL TABLES;
SELECT pg_create_logical_replication_slot('$ID', 'pgoutput')"

# capture: what was committed since the last time comes to $T/frames, as lines of JSON.
n=0
capture() {
	n=$((n + 1))
	pgcdc-read -s "$ID" -p "$ID" --until-caught-up -o "$T/$n.frames" "$@" \
	    2>"$T/read.log" || bail "pgcdc-read failed"
	pgcdc-cat "$T/$n.frames" >"$T/frames" || bail "pgcdc-cat failed"
	ok "capture $n: pgcdc-cat --pack makes the same bytes of it" \
	    sh -c "pgcdc-cat --pack <'$T/frames' | cmp - '$T/$n.frames'"
}

# types TABLE: the names of its columns' types.
types() {
	jq -c --arg t "$1" 'select(.[0] == "R" and .[3] == $t) | .[5] | map(.[1])' "$T/frames"
}

# bases TABLE: what R tells of the types that are not PostgreSQL's own.
bases() {
	jq -c --arg t "$1" 'select(.[0] == "R" and .[3] == $t) | .[5] |
	    map(select(length > 5) | { key: .[0], value: .[5] }) | from_entries' "$T/frames"
}

# rows TABLE: its rows, as pgcdc-cat prints them.
rows() {
	relid=$(jq -r --arg t "$1" 'select(.[0] == "R" and .[3] == $t) | .[1]' "$T/frames" |
	    sort -u)
	sed -n "s/^\[\"I\",$relid,\(.*\)\]\$/\1/p" "$T/frames"
}

# objects TABLE: its rows as jq reads to_jsonb() of them.
objects() {
	jq -cn --arg t "$1" '
		def plain:
			if type == "array" then map(plain)
			elif type != "object" then .
			elif has("$float") then .["$float"] | tonumber
			elif has("$int") then .["$int"] | tonumber
			elif has("$json") then .["$json"] | fromjson
			elif has("$map") then .["$map"] | map({ key: .[0], value: .[1] | plain }) |
				from_entries
			else map_values(plain) end;
		foreach inputs as $f ({ names: {} };
			if $f[0] == "R" and $f[3] == $t then
				.names[$f[1] | tostring] = ($f[5] | map(.[0]))
			else . end;
			.names[$f[1] | tostring] as $names |
			select($f[0] == "I" and $names != null) |
			[[$names, ($f[2] | map(plain))] | transpose[] | { key: .[0], value: .[1] }] |
			from_entries)' "$T/frames" | jq -cS .
}

# agrees TABLE DESCRIPTION: the rows are what to_jsonb() says, in the order of their ids.
agrees() {
	objects "$1" >"$T/got"
	sql "SELECT to_jsonb(the_row) FROM $1 the_row ORDER BY id" | jq -cS . >"$T/expected"
	same "$T/got" "$T/expected" "$2 ($(wc -l <"$T/expected") rows)"
	ok "$2: there are rows" test -s "$T/got"
}

# holds TABLE DESCRIPTION <EXPECTED
holds() {
	cat >"$T/expected"
	rows "$1" >"$T/got"
	same "$T/got" "$T/expected" "$2"
}

# PostgreSQL's own types --------------------------------------------------------------

sql "SELECT 'CREATE TABLE every (id int PRIMARY KEY, ' || string_agg(format('c%s %s', t.oid,
	format_type(t.oid, NULL)), ', ' ORDER BY t.oid) || ')'
FROM pg_type t LEFT JOIN pg_type e ON e.oid = t.typelem AND t.typcategory = 'A'
WHERE t.oid < 10000 AND t.typtype IN ('b', 'r', 'm') AND coalesce(e.typtype, 'b') IN ('b', 'r', 'm')" >"$T/sql"
psql -XAtq -v ON_ERROR_STOP=1 -f "$T/sql" || bail 'no table of every type'
make 'INSERT INTO every (id) VALUES (1)'
capture
is "$(types every)" "$(sql "SELECT jsonb_agg(CASE WHEN t.typcategory = 'A' AND t.typlen = -1
	AND t.typoutput = 'array_out'::regproc
	THEN e.typname || '[]' ELSE t.typname END ORDER BY a.attnum) FROM pg_attribute a
	JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_type e ON e.oid = t.typelem
	WHERE attrelid = 'every'::regclass AND attnum > 0" | jq -c .)" \
    "the names of PostgreSQL's own types ($(types every | jq length))"
is "$(bases every)" '{}' 'which are all that is told of them'

make "CREATE TABLE own (id int, nums numeric[], tzs timestamptz[], bytes bytea[], jsons json[],
	jsonbs jsonb[], boxes box[], points point[], shifted int[], v int2vector, ov oidvector,
	vs int2vector[], chars char(3)[], ivs interval[], o oid[], xs xid[], f4 float4[]);
INSERT INTO own VALUES
	(1, '{1.10,NULL,NaN,-0.001}', '{\"2026-11-23 01:02:03+09\",infinity,NULL}',
	E'{\"\\\\\\\\x\",\"\\\\\\\\x00ff5c\",NULL}', E'{\"{\\\\\"a\\\\\" : [1.0]}\",null,\"null\"}',
	'{\"[1, 2]\"}', '{(1,1),(0,0);(3,4),(1,2);NULL}', '{\"(1,2)\"}', '[-1:1]={1,2,3}', '1 2 -3', '',
	'{\"1 2\",3}', '{a,\" b\"}', '{1 day}', '{4294967295,0}', '{7}',
	'{0.1,-0,NaN,Infinity,1}'),
	(2, '{}', '{{\"2026-01-01 00:00:00+00\"}}', '{}', '{}', '{}', '{}', '{}',
	'[5:6][0:1]={{1,2},{3,NULL}}', '', '1', '{}', '{}', '{}', '{}', '{}', '{}');
INSERT INTO own (id) VALUES (3)"
make "CREATE TABLE ranges (id int, i int4range, i8 int8range, n numrange, t tsrange, tz tstzrange,
	d daterange, m int4multirange, nm nummultirange, a int4range[], ma int4multirange[]);
INSERT INTO ranges VALUES
	(1, '[1,5]', '(,9223372036854775807)', '(1.50,2.00]', '[2026-01-01 00:00,infinity]',
	'[\"2026-01-01 00:00:00+09\",)', '[2026-01-01,2026-01-31]', '{[1,2],[5,),(,-3)}', '{}',
	'{\"[1,2)\",empty,NULL,\"(,)\"}', '{\"{[1,2),[4,5)}\",\"{}\"}'),
	(2, 'empty', '(,)', '[1,1]', '(-infinity,)', 'empty', '[,infinity)', '{}',
	'{[1.1,2.2],(3,4)}', '{}', '{}');
INSERT INTO ranges (id) VALUES (3)"
capture
holds own 'arrays of numeric, timestamptz, bytea, json, box...; bounds; vectors' <<'E'
[1,["1.10",null,"NaN","-0.001"],["2026-11-22T16:02:03Z","infinity",null],[{"$bin":""},{"$bin":"AP9c"},null],[{"$json":"{\"a\" : [1.0]}"},null,{"$json":"null"}],[{"$json":"[1, 2]"}],["(1,1),(0,0)","(3,4),(1,2)",null],["(1,2)"],[1,2,3],[1,2,-3],[],[[1,2],[3]],["a  "," b "],["P1D"],[4294967295,0],["7"],[0.1,{"$float":"-0"},{"$float":"NaN"},{"$float":"Infinity"},{"$float":"1"}]]
[2,[],[["2026-01-01T00:00:00Z"]],[],[],[],[],[],[[1,2],[3,null]],[],[1],[],[],[],[],[],[]]
[3,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null,null]
E
holds ranges 'ranges and multiranges' <<'E'
[1,{"lower":1,"upper":6,"bounds":"[)"},{"lower":null,"upper":{"$int":"9223372036854775807"},"bounds":"()"},{"lower":"1.50","upper":"2.00","bounds":"(]"},{"lower":"2026-01-01T00:00:00","upper":"infinity","bounds":"[]"},{"lower":"2025-12-31T15:00:00Z","upper":null,"bounds":"[)"},{"lower":"2026-01-01","upper":"2026-02-01","bounds":"[)"},[{"lower":null,"upper":-3,"bounds":"()"},{"lower":1,"upper":3,"bounds":"[)"},{"lower":5,"upper":null,"bounds":"[)"}],[],[{"lower":1,"upper":2,"bounds":"[)"},{"empty":true},null,{"lower":null,"upper":null,"bounds":"()"}],[[{"lower":1,"upper":2,"bounds":"[)"},{"lower":4,"upper":5,"bounds":"[)"}],[]]]
[2,{"empty":true},{"lower":null,"upper":null,"bounds":"()"},{"lower":"1","upper":"1","bounds":"[]"},{"lower":"-infinity","upper":null,"bounds":"()"},{"empty":true},{"lower":null,"upper":"infinity","bounds":"()"},[],[{"lower":"1.1","upper":"2.2","bounds":"[]"},{"lower":"3","upper":"4","bounds":"()"}],[],[]]
[3,null,null,null,null,null,null,null,null,null,null]
E

# Types from the catalog --------------------------------------------------------------

make "CREATE SCHEMA \"My s\";
CREATE TYPE mood AS ENUM ('so so', 'ok', 'a,b', 'q\"t', E'ba\\\\ck', '{}', 'NULL', '', '(x)');
CREATE DOMAIN small AS int CHECK (VALUE < 100);
CREATE DOMAIN smaller AS small;
CREATE DOMAIN ints AS int[];
CREATE DOMAIN dints AS ints;
CREATE TYPE \"My s\".\"In\"\"ner\" AS (a int, \"b c\" text, gone int, d mood[], e smaller, t timestamp);
ALTER TYPE \"My s\".\"In\"\"ner\" DROP ATTRIBUTE gone;
CREATE DOMAIN checked AS \"My s\".\"In\"\"ner\";
CREATE TYPE outer_t AS (i \"My s\".\"In\"\"ner\", l checked[], n dints, x text[], j jsonb);
CREATE TYPE one AS (x text);
CREATE TYPE span AS RANGE (subtype = text);
CREATE TABLE plain (id int PRIMARY KEY, v text);
CREATE TABLE agree (id int, m mood, ms mood[], s smaller, ss smaller[], di dints, dis dints[],
	i \"My s\".\"In\"\"ner\", c checked, o outer_t, os outer_t[], one one, ones one[], r plain, rs plain[],
	a int[], t text[], b bool[], f float8[], u uuid[], ts timestamp[], d date[], n jsonb)"
make "INSERT INTO agree (id, m, ms, s, ss, di, dis) VALUES (1, 'q\"t', enum_range(NULL::mood), 5,
	'{5,NULL,-1}', '{{1,2},{3,4}}', '{\"{1,2}\",NULL,\"{}\"}'),
	(2, '', '{}', NULL, '{}', '{}', '{}'), (3, NULL, NULL, NULL, NULL, NULL, NULL)"
make "INSERT INTO agree (id, i, c, o, os) VALUES
	(4, ROW(1, 'b', '{ok,\"\",\"NULL\"}', 3, '2026-11-23 01:02:03'), ROW(NULL, '', NULL, NULL, NULL),
	ROW(ROW(2, '\"', '{}', NULL, NULL)::\"My s\".\"In\"\"ner\",
		ARRAY[ROW(1, E'\\\\', NULL, 1, 'infinity')::\"My s\".\"In\"\"ner\"::checked, NULL,
		ROW(2, '(a,b)', ARRAY['(x)', 'q\"t']::mood[], 2, NULL)::\"My s\".\"In\"\"ner\"::checked],
		'{1,2}', '{{a,NULL},{\"\",\"NULL\"}}', '{\"a\": [\"\\\"\", null]}'),
	ARRAY[ROW(NULL, NULL, NULL, NULL, NULL)::outer_t, NULL, ROW(ROW(1, E'\\\\\"\\\\', NULL, 1, NULL),
		'{}', NULL, '{\"{}\"}', '\"x\"')::outer_t]),
	(5, ROW(NULL, NULL, NULL, NULL, NULL), NULL, ROW(NULL, NULL, NULL, NULL, NULL), '{}')"
make "INSERT INTO agree (id, one, ones, r, rs, a, t, b, f, u, ts, d, n) VALUES
	(6, ROW(NULL), ARRAY[ROW('')::one, ROW(NULL)::one, ROW('()')::one], ROW(1, 'x'),
	ARRAY[ROW(2, E'\\n\\t')::plain], '{{{1},{2}},{{3},{NULL}}}', '{NULL,\"NULL\",null,\"\",\"{\"}',
	'{t,NULL,f}', '{0.5,1e300,1}', '{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}',
	'{2026-11-23 01:02:03.5,infinity}', '{2026-11-23,infinity}', '{\"k\": [1, {\"l\": null}]}')"
# Strings of the characters that the text forms give a meaning to.
make "CREATE FUNCTION nasty(int) RETURNS text LANGUAGE sql AS \$\$
	SELECT coalesce(string_agg(substr('{}()[],;\"\"\\\\ ''=>NULLnull' || E'\\t\\n' || 'é€😀',
	1 + (hashint4(\$1 * 100 + i) & 2147483647) % 31, 1), '' ORDER BY i), '')
	FROM generate_series(1, (hashint4(\$1) & 2147483647) % 9) i \$\$;
INSERT INTO agree (id, t, i, os, ones) SELECT i, ARRAY[nasty(i), nasty(i + 1)],
	ROW(i, nasty(i + 2), '{}'::mood[], 1, now())::\"My s\".\"In\"\"ner\",
	ARRAY[ROW(ROW(1, nasty(i + 3), NULL, 1, NULL), ARRAY[ROW(2, nasty(i + 4), '{ok}', 2, NULL)::
		\"My s\".\"In\"\"ner\"::checked], '{1}', ARRAY[[nasty(i + 5)], [nasty(i + 6)]],
		to_jsonb(nasty(i + 7)))::outer_t],
	ARRAY[ROW(nasty(i + 8))::one] FROM generate_series(1001, 1500) i"
capture
agrees agree 'enums, domains, composite types and their arrays are as in to_jsonb()'
is "$(types agree)" '["int4","public.mood","public.mood[]","public.smaller","public.smaller[]","public.dints","public.dints[]","My s.In\"ner","public.checked","public.outer_t","public.outer_t[]","public.one","public.one[]","public.plain","public.plain[]","int4[]","text[]","bool[]","float8[]","uuid[]","timestamp[]","date[]","jsonb"]' \
    'types are named by schema and name, arrays by their element'
cat >"$T/expected" <<'E'
{"s":23,"ss":23,"di":1007,"dis":1007,"i":{"a":23,"b c":25,"d":null,"e":23,"t":1114},"c":{"a":23,"b c":25,"d":null,"e":23,"t":1114},"o":{"i":{"a":23,"b c":25,"d":null,"e":23,"t":1114},"l":{"a":23,"b c":25,"d":null,"e":23,"t":1114},"n":1007,"x":1009,"j":3802},"os":{"i":{"a":23,"b c":25,"d":null,"e":23,"t":1114},"l":{"a":23,"b c":25,"d":null,"e":23,"t":1114},"n":1007,"x":1009,"j":3802},"one":{"x":25},"ones":{"x":25},"r":{"id":23,"v":25},"rs":{"id":23,"v":25}}
E
bases agree >"$T/got"
same "$T/got" "$T/expected" 'and R tells what they are made of'
ok 'names stay in order' grep -q '"a":[^{]*"b c":[^{]*"d":[^{]*"e":[^{]*"t":' "$T/frames"

make "CREATE TABLE spans (id int, s span, m span_multirange, a span[]);
INSERT INTO spans VALUES (1, '[\"a,\"\"\\\\)\",\"b ]\")', '{[a,b),[c,\"d}\"]}', ARRAY['[\"\",x]'::span, 'empty'])"
capture
holds spans 'ranges of the own kind, with bounds in quotes' <<'E'
[1,{"lower":"a,\"\\)","upper":"b ]","bounds":"[)"},[{"lower":"a","upper":"b","bounds":"[)"},{"lower":"c","upper":"d}","bounds":"[]"}],[{"lower":"","upper":"x","bounds":"[]"},{"empty":true}]]
E

# What R tells is what a document needs.
make "CREATE DOMAIN price AS numeric(10,2); CREATE DOMAIN prices AS price[];
CREATE TYPE pspan AS RANGE (subtype = price); CREATE DOMAIN dspan AS pspan;
CREATE TYPE money_t AS (p price, ps prices, r pspan, m pspan_multirange, at timestamptz,
	n numrange, mood mood, text text);
CREATE TYPE mspan AS RANGE (subtype = money_t);
CREATE TYPE empty_t AS ();
CREATE TABLE priced (id int PRIMARY KEY, p price, ps prices, pps price[], r pspan, d dspan,
	m pspan_multirange, ms pspan_multirange[], t money_t, ts money_t[], mr mspan, e empty_t);
INSERT INTO priced (id, p, ps, pps, r, d, m, ms) VALUES (1, 1.50, '{1,NULL}', '{{1},{2}}',
	'[1,2)', '(,3]', '{[1,2]}', '{\"{[1,2]}\"}');
INSERT INTO priced (id, t, e) VALUES (2, ROW(1, '{2}', '[3,4]', '{[5,6]}', 'infinity', '[7,8.0]',
	'ok', '9'), ROW());
INSERT INTO priced (id, ts) SELECT 3, ARRAY[NULL, t] FROM priced WHERE id = 2;
INSERT INTO priced (id, mr) SELECT 4, mspan(t, NULL) FROM priced WHERE id = 2"
capture
money='{"p":1700,"ps":1700,"r":1700,"m":1700,"at":1184,"n":3906,"mood":null,"text":25}'
is "$(bases priced)" \
    '{"p":1700,"ps":1700,"pps":1700,"r":1700,"d":1700,"m":1700,"ms":1700,"t":'"$money"',"ts":'"$money"',"mr":'"$money"',"e":{}}' \
    'domains, ranges and arrays of each other'
printf 'defaults: { infinity: "null" }\ntables: [{ table: public.priced, index: i }]\n' >"$T/m.yml"
pgcdc-map -m "$T/m.yml" <"$T/$n.frames" 2>"$T/map.log" | pgcdc-cat |
    jq -r 'select(.[0] == "X")[7]' | sed 's/"[a-z]*":null,//g' >"$T/got"
money='{"p":1.00,"ps":[2.00],"r":{"lower":3.00,"upper":4.00,"bounds":"[]"},"m":[{"lower":5.00,"upper":6.00,"bounds":"[]"}],"n":{"lower":7,"upper":8.0,"bounds":"[]"},"mood":"ok","text":"9"}'
cat >"$T/expected" <<E
{"id":1,"p":1.50,"ps":[1.00,null],"pps":[[1.00],[2.00]],"r":{"lower":1.00,"upper":2.00,"bounds":"[)"},"d":{"upper":3.00,"bounds":"(]"},"m":[{"lower":1.00,"upper":2.00,"bounds":"[]"}],"ms":[[{"lower":1.00,"upper":2.00,"bounds":"[]"}]],"e":null}
{"id":2,"t":$money,"e":{}}
{"id":3,"ts":[null,$money],"e":null}
{"id":4,"mr":{"lower":$money,"bounds":"[)"},"e":null}
E
same "$T/got" "$T/expected" 'the numbers in them become numbers'

# Types in types: as deep as frames nest, and not wider than what is sensible.
make "CREATE TYPE deep1 AS (n numeric);
DO \$\$ BEGIN FOR i IN 2..35 LOOP
	EXECUTE format('CREATE TYPE deep%s AS (t deep%s)', i, i - 1);
END LOOP; END \$\$;
CREATE TYPE wide1 AS (n numeric);
DO \$\$ BEGIN FOR i IN 2..20 LOOP
	EXECUTE format('CREATE TYPE wide%s AS (t wide%s, u wide%s)', i, i - 1, i - 1);
END LOOP; END \$\$;
CREATE TABLE depths (id int PRIMARY KEY, a deep29, b deep30, c deep35, w wide20);
INSERT INTO depths VALUES (1)"
capture
is "$(bases depths | jq -c '.a, .b, .c | [recurse(.t? // empty)] | length, last')" '29
{"n":1700}
29
{"t":null}
29
{"t":null}' 'types nest 29 deep'
is "$(bases depths | jq '[.w | .. | objects | length] | add')" 4096 'and have 4096 fields in all'
printf 'tables: [{ table: public.depths, index: i }]\n' >"$T/m.yml"
is "$(pgcdc-map -m "$T/m.yml" <"$T/$n.frames" 2>"$T/map.log" | pgcdc-cat |
    jq -r 'select(.[0] == "X")[4]')" 1 'such a table can be mapped'

# extension NAME: makes it; false, loudly, where the server has none.
extension() {
	[ -n "$(sql "SELECT 1 FROM pg_available_extensions WHERE name = '$1'")" ] || {
		diag "THE SERVER HAS NO $1: what it checks is not checked"
		skip "$1" 'not available'
		return 1
	}
	sql "SET client_min_messages = warning; CREATE EXTENSION $1"
}
if extension hstore; then
	make "CREATE TABLE hs (id int, h hstore, hs hstore[], \"dollar\" hstore);
	CREATE TYPE holds AS (h hstore); CREATE TABLE hc (id int, c holds);
	INSERT INTO hs SELECT i, hstore(ARRAY['k', nasty(i), 'x' || nasty(i + 1), NULL]),
		ARRAY[hstore(nasty(i + 2), nasty(i + 3)), ''::hstore, NULL]
		FROM generate_series(1, 300) i;
	INSERT INTO hs VALUES (301, 'a=>1, b=>NULL, c=>\"NULL\", \"\"=>\"\"', '{}'), (302, '', NULL);
	INSERT INTO hs VALUES (303, NULL, NULL, '\"\$absent\"=>true');
	INSERT INTO hc VALUES (1, ROW('a=>\"\\\"\"'))"
	capture
	agrees hs 'hstore and its arrays are as in to_jsonb()'
	agrees hc 'hstore in a composite value'
	is "$(bases hs) $(bases hc)" '{} {"c":{"h":null}}' 'hstore is made of nothing'
	is "$(types hs)" '["int4","public.hstore","public.hstore[]","public.hstore"]' 'hstore by name'
	ok 'a key that begins with a dollar' grep -q '{"$map":\[\["$absent","true"\]\]}' "$T/frames"
fi
for name in citext ltree vector; do
	extension "$name" || continue
	value="'Ab.c'"
	[ "$name" != vector ] || value="'[1,2.5]'"
	make "CREATE TABLE of_$name (id int, v $name, a ${name}[]);
	INSERT INTO of_$name VALUES (1, $value, ARRAY[$value::$name, NULL])"
	capture
	value=$(echo "$value" | tr "'" '"')
	is "$(types "of_$name") $(rows "of_$name")" \
	    "[\"int4\",\"public.$name\",\"public.${name}[]\"] [1,$value,[$value,null]]" \
	    "$name is text, its array an array"
done

# A key whose type is from the catalog.
make "CREATE TABLE keyed (m mood, s smaller, v text, PRIMARY KEY (s, m));
CREATE TABLE keyed_odd (a int[], o one, r int4range, PRIMARY KEY (a, o, r));
INSERT INTO keyed VALUES ('a,b', 7, 'x');
INSERT INTO keyed_odd VALUES ('{1,NULL}', ROW('x|y'), '[1,2)')"
capture
printf 'tables: [{ table: "public.keyed*", index: keyed }]\n' >"$T/m.yml"
pgcdc-map -m "$T/m.yml" <"$T/$n.frames" 2>"$T/map.log" | pgcdc-cat >"$T/mapped"
cat >"$T/expected" <<'E'
"7|a,b"
"{\"m\":\"a,b\",\"s\":7,\"v\":\"x\"}"
"[1,null]|{\"x\":\"x\\|y\"}|{\"lower\":1,\"upper\":2,\"bounds\":\"[)\"}"
"{\"a\":[1,null],\"o\":{\"x\":\"x|y\"},\"r\":{\"lower\":1,\"upper\":2,\"bounds\":\"[)\"}}"
E
is "$(jq -c 'select(.[0] == "X") | .[4], .[7]' "$T/mapped")" \
    "$(cat "$T/expected")" 'ids and documents of such columns'

# Types that change, and types that are gone -----------------------------------------

make "CREATE TYPE late AS (a int); CREATE DOMAIN late_ints AS int[];
CREATE TABLE gone (id int, l late, ls late[], d late_ints);
INSERT INTO gone VALUES (1, ROW(1), ARRAY[ROW(2)::late], '{1,2}');
DROP TABLE gone; DROP TYPE late; DROP DOMAIN late_ints;
CREATE TYPE pair AS (a int, b text);
CREATE TABLE altered (id int, p pair, ps pair[]);
INSERT INTO altered VALUES (1, ROW(1, 'x'), ARRAY[ROW(1, 'x')::pair]);
ALTER TYPE pair DROP ATTRIBUTE b; ALTER TYPE pair RENAME ATTRIBUTE a TO aa;
INSERT INTO altered VALUES (2, ROW(2), ARRAY[ROW(2)::pair])"
capture
holds gone 'a type that is gone is text' <<'E'
[1,"(1)","{(2)}","{1,2}"]
E
is "$(bases gone)" '{}' 'of which R tells nothing more'
is "$(types gone)" '["int4","public.late","public._late","_int4"]' 'and has the name that the stream told'
holds altered 'a composite value of a definition that is no more is text' <<'E'
[1,"(1,x)",["(1,x)"]]
[2,{"aa":2},[{"aa":2}]]
E

# The reader runs while the type changes.
bg live pgcdc-read -s "$ID" -p "$ID" -o "$T/live.frames"
live=$BG_PID
inserts() {
	pgcdc-cat "$T/live.frames" >"$T/frames" 2>/dev/null
	[ "$(grep -c '^\["C"' "$T/frames")" -ge "$1" ]
}
make "INSERT INTO altered VALUES (3, ROW(3))"
wait_for 'a row comes' 20 inserts 1
make "ALTER TYPE pair ADD ATTRIBUTE c bool, ADD ATTRIBUTE d int[];
INSERT INTO altered VALUES (4, ROW(4, true, '{1}'));
INSERT INTO altered VALUES (5, ROW(5, false, '{2}'))"
wait_for 'so do two more' 20 inserts 3
make "ALTER TYPE mood RENAME TO humour; ALTER TYPE pair RENAME TO couple;
ALTER TABLE altered DROP ps; ALTER TABLE altered ADD ps couple[], ADD m humour;
INSERT INTO altered VALUES (6)"
wait_for 'and one of renamed types' 20 inserts 4
make "ALTER TYPE humour RENAME TO mood; ALTER TYPE couple RENAME TO pair"
# A table, its types, and its rows in one transaction.
make "BEGIN; CREATE TYPE fresh AS (x mood[]); CREATE TABLE born (id int PRIMARY KEY, f fresh);
INSERT INTO born VALUES (1, ROW('{ok}')); COMMIT"
wait_for 'and one of a table of its own transaction' 20 inserts 5
kill "$live"
wait_exit 'the reader ends' 20 "$live" 0
pgcdc-cat "$T/live.frames" >"$T/frames"
holds altered 'a type that is altered is looked up again' <<'E'
[3,{"aa":3},null]
[4,"(4,t,{1})",null]
[5,{"aa":5,"c":false,"d":[2]},null]
[6,null,null,null]
E
is "$(jq -c 'if .[0] == "R" and .[3] == "altered" then .[5][1][5] elif .[0] == "I" then .[2][0] else
    empty end' "$T/frames" | head -n 5)" '{"aa":23}
3
4
{"aa":23,"c":16,"d":1007}
5' 'R comes again with it, before the next row'
is "$(types altered | tail -n 1)" '["int4","public.couple","public.couple[]","public.humour"]' \
    'and has the name that it has now'
holds born 'a type is known that was made in the same transaction' <<'E'
[1,{"x":["ok"]}]
E

# Without the right to connect twice ---------------------------------------------------

make "CREATE ROLE ${ID}_once LOGIN REPLICATION CONNECTION LIMIT 0 PASSWORD 'once'"
make "INSERT INTO altered VALUES (6, ROW(6, true, '{1}')); INSERT INTO born VALUES (2, ROW('{ok}'));
CREATE TABLE once (id int PRIMARY KEY, m mood, ms mood[], a int[], r int4range, d dints);
INSERT INTO once VALUES (1, 'ok', '{ok}', '{1}', '[1,2)', '{1}')"
PGUSER=${ID}_once PGPASSWORD=once
export PGUSER PGPASSWORD
capture
PGUSER=postgres
unset PGPASSWORD
is "$(grep -c 'the catalog cannot be asked' "$T/read.log")" 1 \
    'a user who may connect once is warned once'
holds once 'and gets text, but for what is built in' <<'E'
[1,"ok","{ok}",[1],{"lower":1,"upper":2,"bounds":"[)"},"{1}"]
E
is "$(bases once)" '{}' 'nothing is known of what they are made of'
is "$(types once)" '["int4","public.mood","public._mood","int4[]","int4range","_int4"]' \
    'with the names that the stream tells'

# A commit that nobody sees yet --------------------------------------------------------

# With synchronous replication a commit is sent before it is visible.  waits N: so many are.
waits() {
	[ "$(sql "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")" -eq "$1" ]
}
# holds_back: the server does so by now: a transaction hangs.
holds_back() {
	psql -XAtqc "SELECT pg_logical_emit_message(true, 'x', 'x')" &
	until ! kill -0 $! || waits 1; do
		sleep 0.05
	done
	waits 1
}
# The key is looked up after the types.  (The server may hold the row back until then.)
asked() {
	sql "SELECT query FROM pg_stat_activity WHERE application_name LIKE 'pgcdc-read%'
	    AND state = 'idle'" | grep -q indisprimary
}
make 'CREATE TABLE hidden (id int PRIMARY KEY)'
capture
sql "ALTER SYSTEM SET synchronous_standby_names = 'nobody'; SELECT pg_reload_conf()" >"$T/null"
wait_for 'the server waits for a standby' 20 holds_back
bg hidden psql -XAtqc "CREATE TYPE unseen AS (x int[]); ALTER TABLE hidden ADD u unseen;
INSERT INTO hidden VALUES (1, ROW('{1}'))"
wait_for 'and a transaction with it' 20 waits 2
wait_for 'nobody asks yet' 20 not asked
bg unseen pgcdc-read -s "$ID" -p "$ID" -o "$T/live.frames"
unseen=$BG_PID
wait_for 'which the reader asks the catalog about' 20 asked
sql "ALTER SYSTEM RESET synchronous_standby_names; SELECT pg_reload_conf()" >"$T/null"
wait_for 'it goes on' 20 waits 0
wait_for 'the row comes' 20 inserts 6
make "INSERT INTO hidden VALUES (2, ROW('{2}'))"
wait_for 'and another row comes' 20 inserts 7
kill "$unseen"
wait_exit 'the reader ends' 20 "$unseen" 0
is "$(bases hidden)" '{}
{"u":{"x":1007}}' 'which R then tells'
holds hidden 'a type of a transaction that nobody sees is text, and is known once they do' <<'E'
[1,"({1})"]
[2,{"x":[2]}]
E

# Names in a database that knows no encoding.
PGDATABASE=postgres sql "CREATE DATABASE ${ID}_ascii ENCODING SQL_ASCII TEMPLATE template0"
_dbs="$_dbs ${ID}_ascii"
(
	PGDATABASE=${ID}_ascii
	{
		printf 'SET client_encoding = SQL_ASCII;\n'
		printf 'CREATE TABLE "gr\366\337e" (id int PRIMARY KEY, "\344\303\244" text);\n'
		echo "CREATE PUBLICATION p FOR ALL TABLES;
		SELECT 1 FROM pg_create_logical_replication_slot('${ID}_ascii', 'pgoutput');"
		printf 'INSERT INTO "gr\366\337e" VALUES (1);\n'
	} | psql -XAtq -v ON_ERROR_STOP=1 -f - >"$T/out"
	pgcdc-read -s "${ID}_ascii" -p p --until-caught-up 2>>"$T/read.log" | pgcdc-cat >"$T/ascii"
)
is "$(jq -c 'select(.[0] == "R") | .[3], .[5][1][0]' "$T/ascii")" '"gr\\xf6\\xdfe"
"\\xe4ä"' 'names that are not UTF-8 are made so'
done_testing
