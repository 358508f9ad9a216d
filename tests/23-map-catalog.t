#!/bin/sh
#
# pgcdc-map with a database: --check says what its tables are not good for, --explain what
# becomes of them, --template how they are to be indexed, as a real node takes it.

# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
need_pg
pg_db
cd "$T" || exit 1
version=$(sql 'SHOW server_version_num')
sql "CREATE ROLE ${ID}_poor"

# rules RULE...: the mapping m.yml of these rules; they are at 2:5, 3:5...
rules() {
	{
		echo tables:
		printf '  - { %s }\n' "$@"
	} >m.yml
}

# says STATUS EXPECTED DESCRIPTION [OPTION...]: what --check of m.yml says, for publication
# p; the file's name is left out.
says() {
	status=$1 expected=$2 what=$3
	shift 3
	pgcdc-map -m m.yml -d '' -p p --check "$@" >out 2>err
	is "$? $(sed 's/^m\.yml:* *//; / debug /d' err)" "$status $expected" "$what"
}

# tables SQL: and a publication p of them.
tables() {
	sql "SET client_min_messages = error; DROP PUBLICATION IF EXISTS p;
	DROP SCHEMA public CASCADE; CREATE SCHEMA public; $1"
}

# The command line -------------------------------------------------------------------

rules 'table: public.users, index: users' >m.yml
exits 100 '-d without anything to do' pgcdc-map -m m.yml -d ''
like "$(cat err)" '^pgcdc-map: -d is for --check' 'says what it is for'
exits 100 '-p without -d' pgcdc-map -m m.yml -p p --check
like "$(cat err)" '^pgcdc-map: -p needs -d' 'says what it needs'
exits 100 '--template without -d' pgcdc-map -m m.yml --template
like "$(cat err)" '^pgcdc-map: --template needs -d' 'says what it needs'
exits 100 'an empty publication' pgcdc-map -m m.yml -d '' -p p,,q --check
like "$(cat err)" 'empty publication name' 'says so'
exits 111 'nobody listens' pgcdc-map -m m.yml -d 'host=127.0.0.1 port=1' --check
like "$(cat err)" 'cannot connect to PostgreSQL.*port 1 failed' 'says where'
exits 100 'no such database' pgcdc-map -m m.yml -d "dbname=${ID}_none" --check
like "$(cat err)" 'cannot connect.*database.*does not exist' 'says so'
for host in nosuch.invalid invalid.example; do
	exits 111 "a host without an address, $host" pgcdc-map -m m.yml -d "host=$host" --check
done
exits 100 'a replication connection, which has no queries' pgcdc-map -m m.yml -d 'replication=database' --check
exits 100 'channel binding, which the server does not have' pgcdc-map -m m.yml -d 'channel_binding=require' --check
exits 100 'a conninfo that is none' pgcdc-map -m m.yml -d 'port=x y' --check
exits 100 'a publication that is not there' pgcdc-map -m m.yml -d '' -p none --check
is "$(cat err)" 'm.yml: publication "none" does not exist in this database' 'says so'

# Tables -----------------------------------------------------------------------------

tables 'CREATE TABLE users (id serial PRIMARY KEY, name text NOT NULL, created_on timestamptz);
CREATE TABLE books (id serial PRIMARY KEY, name text NOT NULL, created_on timestamptz);
CREATE PUBLICATION p FOR TABLE users'
rules 'table: public.users, index: users'
says 0 '' 'a good mapping has nothing said of it'
is "$(cat out)" '' 'and nothing printed'
exits 0 'no rights on the tables are needed' \
    pgcdc-map -m m.yml -d "options='-c role=${ID}_poor'" -p p --check
rules 'table: public.users, index: users' 'table: public.books, index: books'
says 0 '3:5: warning: table "public.books" is in no publication that is read; ALTER PUBLICATION p ADD TABLE public.books' \
    'a table that is not published'
sql 'CREATE PUBLICATION p2 FOR TABLE books'
exits 0 'without -p all publications count' pgcdc-map -m m.yml -d '' --check
is "$(cat err)" '' 'those of all tables'
sql 'DROP PUBLICATION p2; CREATE TABLE more (id int PRIMARY KEY); CREATE VIEW v AS SELECT 1 AS id;
CREATE MATERIALIZED VIEW mv AS SELECT 1 AS id; CREATE UNLOGGED TABLE ul (id int);
CREATE SEQUENCE s; CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w;
CREATE FOREIGN TABLE ft (id int) SERVER s;
CREATE TABLE part (id int, k int, PRIMARY KEY (id, k)) PARTITION BY LIST (k);
CREATE TABLE part_1 PARTITION OF part FOR VALUES IN (1);
ALTER PUBLICATION p ADD TABLE more, part'
rules 'table: public.users, index: a' 'table: public.v, index: a' 'table: public.mv, index: a' \
    'table: public.ul, index: a' 'table: public.s, index: a' 'table: public.ft, index: a' \
    'table: public.part, index: a' 'table: public.gone, index: a' 'table: "x.*", index: a'
says 100 'warning: table public.more is in publication p, and no rule takes it: its rows are dropped
warning: table public.part_1 is in publication p, and no rule takes it: its rows are dropped
3:5: "public.v" is a view, which has no changes of its own: the rules are to be for its tables
4:5: "public.mv" is a materialized view, which cannot be published: the rules are to be for its tables
5:5: "public.ul" is unlogged or temporary, and cannot be published
6:5: "public.s" is no table
7:5: "public.ft" is a foreign table, whose changes are logged where it is: publish it there
8:5: "public.part" is published under the names of its partitions, such as "public.part_1": ALTER PUBLICATION … SET (publish_via_partition_root = true), or a pattern
9:5: table "public.gone" does not exist
10:5: warning: no published table is like "x.*"' 'tables that are not there, or no tables'
sql 'ALTER PUBLICATION p SET (publish_via_partition_root = true)'
rules 'table: public.part_1, index: a' 'table: "public.[bmu]*", index: b' 'table: "public.u*s", index: c'
says 100 'warning: table public.part is in publication p, and no rule takes it: its rows are dropped
2:5: "public.part_1" is a partition that is published under its root'\''s name: the rule is to be for "public.part"
4:5: warning: the rule is never used: earlier ones take the published tables like "public.u*s"' \
    'a partition, and a rule that is left nothing'
sql 'DROP PUBLICATION p; CREATE PUBLICATION p FOR ALL TABLES'
rules 'table: public.p*, index: a' 'table: public.u*, index: b'
sql 'CREATE PUBLICATION empty'
exits 0 'a publication of nothing' pgcdc-map -m m.yml -d '' -p empty --check
like "$(cat err)" '^m.yml: warning: no table of this database is in a publication that was named' 'is warned about'
sql 'DROP PUBLICATION empty'
says 0 'warning: table public.books is in publication p, and no rule takes it: its rows are dropped
warning: table public.more is in publication p, and no rule takes it: its rows are dropped' \
    'all tables are those that can be published'

tables 'CREATE TABLE part (k int, a text, id int, PRIMARY KEY (id, k)) PARTITION BY LIST (k);
CREATE TABLE part_1 PARTITION OF part FOR VALUES IN (1); CREATE TABLE part_2 PARTITION OF part FOR VALUES IN (2);
CREATE TABLE part_3 (id int NOT NULL, k int NOT NULL, a text, PRIMARY KEY (id, k)); ALTER TABLE part_3 REPLICA IDENTITY NOTHING;
ALTER TABLE part ATTACH PARTITION part_3 FOR VALUES IN (3);
CREATE PUBLICATION p FOR TABLE part WITH (publish_via_partition_root = true)'
rules 'table: public.part, index: a'
says 100 '2:5: table public.part: partition public.part_3 has REPLICA IDENTITY NOTHING, and publication p has its updates or deletes: PostgreSQL refuses them; give it a primary key, or ALTER TABLE public.part_3 REPLICA IDENTITY FULL' \
    'a partition without an identity'
is "$(sql "INSERT INTO part VALUES (3, 'x', 1); UPDATE part SET a = 'y'" 2>&1 | grep -c 'does not have a replica identity')" 1 \
    'PostgreSQL does refuse its updates'
sql 'ALTER TABLE part_1 REPLICA IDENTITY NOTHING'
says 100 '2:5: table public.part: 2 partitions, such as public.part_1, have REPLICA IDENTITY NOTHING, and publication p has its updates or deletes: PostgreSQL refuses them; give it a primary key, or REPLICA IDENTITY FULL' \
    'two of them'
sql 'ALTER TABLE part_1 REPLICA IDENTITY DEFAULT; ALTER TABLE part_3 REPLICA IDENTITY DEFAULT; ALTER TABLE part REPLICA IDENTITY FULL;
ALTER TABLE part_2 REPLICA IDENTITY FULL'
says 0 "2:5: warning: table public.part: 2 partitions, such as public.part_1, have less in their replica identity than the table's own: old rows come without; ALTER TABLE public.part_1 REPLICA IDENTITY FULL" \
    'partitions whose old rows are not whole'
sql 'ALTER TABLE part_1 REPLICA IDENTITY FULL; ALTER TABLE part_3 REPLICA IDENTITY FULL'
says 0 '' 'those of one mind'

# Names and types --------------------------------------------------------------------

tables 'CREATE TABLE users (id serial PRIMARY KEY, name text NOT NULL, created_on timestamptz);
ALTER TABLE users REPLICA IDENTITY FULL; CREATE PUBLICATION p FOR TABLE users'
rules 'table: public.users, index: "b-{x}", id: "{idd}", routing: "{nam}", pipeline: "{p}"'
says 100 '2:35: table public.users: no column "x"
2:48: table public.users: no column "idd"
2:66: table public.users: no column "nam"
2:85: table public.users: no column "p"' 'columns of templates'
rules 'table: public.users, index: b, where: "nam = 1", fields: { set: { a: "{b}" } }' \
    "table: public.users, index: b"
sed -i '2s/index: b/also: true, &/; 3s/index: b/&, delete_when: "id > '"'x'"'"/' m.yml
says 100 '2:58: table public.users: public.users has no column "nam"
2:88: table public.users: no column "b"
3:57: table public.users: "x" is no valid int4' 'columns and types of conditions, by all rules'
rules 'table: public.users, index: b, script: { source: s, params: { a: "{b}" }, upsert: { c: "{d}" } }, on: { insert: script, update: ignore, delete: ignore }'
says 100 '2:72: table public.users: no column "b"
2:94: table public.users: no column "d"' 'columns of scripts'
rules 'table: public.users, index: b, stable: [s], fields: { exclude: [e], rename: { n: m }, old: { o: p }, types: { t: bool }, flatten: [name], join: { id: "," } }'
says 0 '2:47: warning: table public.users: stable names column "s", a column that the table does not have
2:71: warning: table public.users: exclude names column "e", a column that the table does not have
2:85: warning: table public.users: rename names column "n", a column that the table does not have
2:100: warning: table public.users: old names column "o", a column that the table does not have
2:117: warning: table public.users: types, split, join or flatten names column "t", a column that the table does not have
2:138: warning: table public.users: flatten of column "name", whose type text has no members
2:153: warning: table public.users: join of column "id", whose type int4 has no elements' \
    'columns of fields'
rules 'table: public.users, index: b, fields: { rename: { id: name }, old: { name: created_on } }'
says 100 '2:5: table public.users: two columns would become field "name"
2:77: table public.users: two columns would become field "created_on"' 'two columns for one field'
tables 'CREATE TABLE "Users" (id int PRIMARY KEY, _id int, _x int, _feature int, "a. " int, ".a" int, "a.b" int, a int, "j.k" int, j jsonb);
CREATE PUBLICATION p FOR TABLE "Users"'
rules 'table: public.Users, index: "x-{table}"'
says 100 '2:5: table public.Users: search servers refuse a field "_id", which is a name of their own; fields: { rename: { _id: another } }
2:5: warning: table public.Users: field "_x" begins as search servers'\'' own names do
2:5: table public.Users: search servers refuse a field "_feature", which is a name of their own; fields: { rename: { _feature: another } }
2:5: table public.Users: search servers refuse a field "a. ": with dots it is a path, whose parts are neither empty nor blank; give it another name by "rename"
2:5: table public.Users: field "a. " would be in field "a", which is no object; give it another name by "rename"
2:5: table public.Users: search servers refuse a field ".a": with dots it is a path, whose parts are neither empty nor blank; give it another name by "rename"
2:5: warning: table public.Users: field "a.b" is a path to search servers: "a" becomes an object
2:5: table public.Users: field "a.b" would be in field "a", which is no object; give it another name by "rename"
2:5: warning: table public.Users: field "j.k" is a path to search servers: "j" becomes an object
2:35: table public.Users: index "x-Users": index names are lower case' 'names that search servers refuse'
rules 'table: public.Users, index: "{table|lower}", fields: { rename: { _id: an_id }, exclude: [.a, a.b, j.k, _x, _feature, "a. "] }'
says 0 '' 'and the remedies'
tables 'CREATE TYPE h AS (street text, _id int); CREATE DOMAIN hd AS h;
CREATE TABLE t (id int PRIMARY KEY, h h, h2 hd, h_street text); CREATE PUBLICATION p FOR TABLE t'
rules 'table: public.t, index: t, fields: { flatten: { h: h_, h2: a_ } }' \
    'table: public.t, index: u, fields: { flatten: [h, h2] }'
sed -i '2s/index/also: true, &/' m.yml
says 100 '2:67: table public.t: flatten of column "h" has a member "h_street", and there is such a field: no document can have both; give the members another prefix
3:5: table public.t: search servers refuse a field "_id", which is a name of their own; fields: { rename: { _id: another } }
3:5: table public.t: search servers refuse a field "_id", which is a name of their own; fields: { rename: { _id: another } }
3:57: table public.t: flatten of column "h2" has a member "street", and there is such a field: no document can have both; give the members another prefix
3:57: table public.t: flatten of column "h2" has a member "_id", and there is such a field: no document can have both; give the members another prefix' 'members of flattened values'
rules 'table: public.t, index: t, fields: { exclude: [h2], set: { h.street: x, h.no: 1 } }'
says 100 '2:5: warning: table public.t: field "h.street" is a path to search servers: "h" becomes an object
2:5: table public.t: field "h.street" would be twice in a document: field "h" has a member of that name; give it another name
2:5: warning: table public.t: field "h.no" is a path to search servers: "h" becomes an object' 'a member that is set'
tables "CREATE TABLE t (id int PRIMARY KEY, j json, jb jsonb, a int NOT NULL, n text, u uuid NOT NULL, main text);
ALTER TABLE t ALTER main SET STORAGE MAIN; CREATE UNIQUE INDEX ON t (a, id); CREATE UNIQUE INDEX ON t (u, id);
ALTER TABLE t ADD UNIQUE (n); ALTER TABLE t REPLICA IDENTITY FULL; CREATE PUBLICATION p FOR TABLE t"
rules 'table: public.t, index: t, id: "{id}{a}"'
says 0 '2:38: warning: table public.t: nothing stands between {id} and {a} in the id, so that several rows can have one; {id}|{a}' 'an id of columns without a separator'
rules 'table: public.t, index: t, id: "{id}{u}"'
says 0 '' 'unless one is always as long'
rules 'table: public.t, index: t, id: "{n}", where: "a > 1 and (n is not null and id > 0)", fields: { exclude: [j, jb] }'
says 0 '' 'a null that the condition does not let through'
says 0 '2:38: note: table public.t: column "n" can make an id longer than 512 bytes, which then makes the row a reject, by "long_id"' 'and that may be long, which -v says' -v
rules 'table: public.t, index: t, id: "{n}", where: "a > 1 or n is not null"'
says 0 '2:38: warning: table public.t: column "n" may be null, and a row without id is rejected; NOT NULL, or {n|default:…}' 'and one that it does'
rules 'table: public.t, index: t, fields: { exclude: [main] }'
says 0 '2:5: note: table public.t: in "j", keys that an object has twice stay, which servers can refuse, by "duplicate_keys", empty ones stay, which servers can refuse, by "empty_keys", and line breaks between values are left out
2:5: note: table public.t: in "jb", empty keys of objects stay, which servers can refuse, by "empty_keys"' 'keys of json, which -v says' -v
rules "table: public.t, index: $(printf %0256d 0)-x"
says 100 '2:31: table public.t: the index has 258 bytes without its columns, and search servers take 255' 'an index that is too long'
sql 'ALTER TABLE t REPLICA IDENTITY DEFAULT'
rules 'table: public.t, index: t, toast: omit, fields: { include: [id, main] }'
says 0 '2:5: warning: table public.t: a large value of "main" that an update leaves alone is missing in the document, by "toast"; ALTER TABLE public.t REPLICA IDENTITY FULL' 'large values of STORAGE MAIN'
tables "CREATE TYPE pair AS (a int, b text); CREATE DOMAIN day AS date; CREATE DOMAIN words AS text;
CREATE TABLE t (id int PRIMARY KEY, b bool, i int, n numeric, d day, tz timestamptz, ti time, iv interval, u uuid,
    j json, r int4range, tr tstzrange, by bytea, c pair, pt point, box box, w words, da date[]);
CREATE PUBLICATION p FOR TABLE t"
# refused TYPE COLUMN...: types of these are errors, of all others they are not.
refused() {
	type=$1
	shift
	rules "table: public.t, index: t, fields: { types: { $(printf "%s: $type, " b i n d tz ti iv u j r tr by c pt box w da) } }"
	pgcdc-map -m m.yml -d '' -p p --check 2>err
	is "$? $(sed -n 's/.*table public.t: column "\([a-z]*\)".*has no value that is.*/\1/p' err | tr '\n' ' ')" "100 $* " \
	    "types: what can never be $type"
}
refused number d tz ti iv u r tr by c pt box da
refused bool d tz ti iv u r tr by c pt box da
refused date b ti iv u j r by c pt box
refused json d tz ti iv u pt box da
refused geo_point b i n d tz ti iv u j r tr c box da
refused geojson b i n d tz ti iv u j r tr c da
rules 'table: public.t, index: t, fields: { types: { u: number }, split: { i: ",", j: ",", w: ",", d: "-" } }'
says 100 '2:53: table public.t: column "u", whose type is uuid, has no value that is a number: rows with one are rejected
2:75: warning: table public.t: split of column "i", whose type int4 is no text
2:83: warning: table public.t: split of column "j", whose type json is no text' 'and how it is said'
rules 'table: public.t, index: "t-{i:%Y}", routing: "{ti:%H}", fields: { set: { a: "{iv:%Y}/{tz:%Y}{d:%Y}{w:%Y}", o: { p: ["{da:%m}"] } } }'
pgcdc-map -m m.yml -d '' -p p --check 2>err
is "$? $(sed -n 's/^m.yml://; /a format is for/p' err)" '100 2:31: table public.t: a format is for dates, and column "i", whose type is int4, has none: rows with a value are rejected
2:52: table public.t: a format is for dates, and column "ti", whose type is time, has none: rows with a value are rejected
2:80: table public.t: a format is for dates, and column "iv", whose type is interval, has none: rows with a value are rejected
2:114: table public.t: a format is for dates, and column "da", whose type is date[], has none: rows with a value are rejected' \
    'formats of what has no day'
tables "SELECT format('CREATE TABLE wide (id int PRIMARY KEY, %s)', string_agg('c' || i || ' text', ', '))
    FROM generate_series(1, 500) i \\gexec
CREATE PUBLICATION p FOR TABLE wide"
rules 'table: public.wide, index: w'
says 0 '2:5: warning: index "w" gets 1001 fields, and search servers allow an index 1000 by default: index.mapping.total_fields.limit, which --template sets' \
    'more fields than an index may have'

# Bytes that are no UTF-8 are \\xNN to pgcdc-read, too.
tables 'CREATE TABLE "a
b" (id int PRIMARY KEY, "c	d" int); CREATE PUBLICATION p FOR TABLE "a
b"'
rules 'table: public.a*, index: a, fields: { old: { "c\td": was } }'
says 0 '2:52: warning: table public.a\nb: the old value of "c\u0009d" is outside the replica identity: field "was" is null; ALTER TABLE public."a\nb" REPLICA IDENTITY FULL' \
    'control characters are escaped'
is "$(pgcdc-map -m m.yml -d '' --explain | sed -n '/table public/p; s/.*old //p')" '    table public.a\nb
c\u0009d int4: null, for it is outside the replica identity' 'by --explain, too'
sql "CREATE DATABASE ${ID}_ascii TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'"
# There, and in no server's log.
printf 'SET client_encoding = SQL_ASCII; CREATE TABLE "caf\351" (id int PRIMARY KEY, "\303\244\351" int);
    CREATE PUBLICATION p FOR TABLE "caf\351"' | psql -Xq "${ID}_ascii"
rules 'table: "public.caf*", index: a'
exits 0 'names in no encoding' pgcdc-map -m m.yml -d "dbname=${ID}_ascii" -p p --check --explain
is "$(cat err)$(sed 1,/fields/d out | tail -n 1)" "        ä\\xe9$(printf '%18s' '')ä\\xe9 int4" 'are those that pgcdc-read gives them'
sql "DROP DATABASE ${ID}_ascii"

# A lock that the last one of its queries waits for.
psql -Xq <<'SQL' >locked 2>&1 &
BEGIN; LOCK TABLE pg_catalog.pg_range; SELECT 'locked';
DO $$ BEGIN FOR i IN 1..600 LOOP
	PERFORM pg_catalog.pg_stat_clear_snapshot();
	EXIT WHEN EXISTS (SELECT FROM pg_catalog.pg_stat_activity WHERE application_name = 'pgcdc-map'
	    AND wait_event_type = 'Lock' AND datname = current_database());
	PERFORM pg_catalog.pg_sleep(0.1);
END LOOP; END $$;
SELECT 'begun before its query: ' || (xact_start < query_start)::text FROM pg_catalog.pg_stat_activity
    WHERE application_name = 'pgcdc-map' AND wait_event_type = 'Lock' AND datname = current_database();
COMMIT;
SQL
wait_for 'a lock' 60 grep -q locked locked
exits 0 'a catalog that is locked' pgcdc-map -m m.yml -d '' --check
wait
is "$(grep -o 'begun.*' locked)" 'begun before its query: true' 'is read in one transaction'

# Keys and replica identities --------------------------------------------------------

tables 'CREATE TABLE nokey (a int, b text); CREATE TABLE deferred (a int PRIMARY KEY DEFERRABLE);
CREATE TABLE nothing (a int PRIMARY KEY); ALTER TABLE nothing REPLICA IDENTITY NOTHING;
CREATE PUBLICATION p FOR TABLE nokey, deferred, nothing'
rules 'table: public.nokey, index: a' 'table: public.deferred, index: a' 'table: public.nothing, index: a'
says 100 '2:5: table public.nokey: it has no primary key, so its rule needs an "id", such as id: "{a}"
2:5: table public.nokey has no replica identity, for want of a primary key that is not deferrable, and publication p has its updates or deletes: PostgreSQL refuses them; give it a primary key, or ALTER TABLE public.nokey REPLICA IDENTITY FULL
3:5: warning: table public.deferred: index, id or routing needs column "a", which is outside the replica identity: updates and deletes without it are rejected; ALTER TABLE public.deferred REPLICA IDENTITY FULL
3:5: table public.deferred has no replica identity, for want of a primary key that is not deferrable, and publication p has its updates or deletes: PostgreSQL refuses them; give it a primary key, or ALTER TABLE public.deferred REPLICA IDENTITY FULL
3:5: warning: table public.deferred: the unique index of the id'\''s columns, "deferred_pkey", is deferrable: several rows may pass through one id, and the document of one be lost
4:5: table public.nothing has REPLICA IDENTITY NOTHING, and publication p has its updates or deletes: PostgreSQL refuses them; give it a primary key, or ALTER TABLE public.nothing REPLICA IDENTITY FULL' \
    'no key, no identity'
is "$(sql 'UPDATE nothing SET a = 2' 2>&1 | grep -c 'does not have a replica identity')" 1 \
    'PostgreSQL does refuse them'
sql "ALTER PUBLICATION p SET TABLE nokey; ALTER PUBLICATION p SET (publish = 'insert')"
rules 'table: public.nokey, index: a, id: null, on: { insert: create, update: ignore, delete: ignore }'
says 0 '' 'events need neither'
says 0 '2:5: note: table public.nokey: no field is called "@timestamp", which documents of a data stream must have' \
    'and data streams a time, which -v says' -v
tables 'CREATE TABLE u (a int NOT NULL, b int, c text NOT NULL, d int NOT NULL, e int NOT NULL, x int PRIMARY KEY);
ALTER TABLE u REPLICA IDENTITY FULL; CREATE UNIQUE INDEX ON u (a) WHERE a > 0; CREATE UNIQUE INDEX ON u (b);
CREATE UNIQUE INDEX ON u (c); CREATE UNIQUE INDEX ON u (lower(c)); ALTER TABLE u ADD CONSTRAINT u_d UNIQUE (d) DEFERRABLE;
CREATE PUBLICATION p FOR TABLE u'
unique='several rows may pass through one id, and the document of one be lost'
none='no unique index makes sure that the id is of one row: those with one id share a document'
for column in a 'b|default:0' d e 'c|lower' c 'c|hash' x b; do
	rules "table: public.u, index: a, id: \"{$column}\""
	case $column in
	a) said="2:38: warning: table public.u: the unique index of the id's columns, \"u_a_idx\", is partial: $unique" ;;
	b) said='2:38: warning: table public.u: column "b" may be null, and a row without id is rejected; NOT NULL, or {b|default:…}' ;;
	b\|*) said="2:38: warning: table public.u: the unique index of the id's columns, \"u_b_idx\", takes nulls for distinct: $unique" ;;
	d) said="2:38: warning: table public.u: the unique index of the id's columns, \"u_d\", is deferrable: $unique" ;;
	e | c\|lower) said="2:38: warning: table public.u: $none" ;;
	*) said= ;;
	esac
	says 0 "$said" "an id of $column"
done
tables "CREATE TABLE t (id int PRIMARY KEY, tenant text NOT NULL, state text, body text, n int);
CREATE PUBLICATION p FOR TABLE t"
full='ALTER TABLE public.t REPLICA IDENTITY FULL'
rules 'table: public.t, index: "t-{tenant}", routing: "{state}"'
says 0 "2:5: warning: table public.t: index, id or routing needs column \"tenant\", which is outside the replica identity: updates and deletes without it are rejected; $full
2:5: warning: table public.t: index, id or routing needs column \"state\", which is outside the replica identity: updates and deletes without it are rejected; $full
2:54: warning: table public.t: column \"state\" may be null, and a row without routing is rejected; NOT NULL, or {state|default:…}" \
    'an index and a routing outside the identity'
rules 'table: public.t, index: "t-{n|default:0}", stable: [n], on: { delete: ignore }'
says 0 '' 'stable columns are sure'
rules 'table: public.t, index: "t-{tenant}", stable: [tenant], on: { delete: ignore }'
says 0 "2:5: warning: table public.t: index, id or routing needs column \"tenant\": an update that leaves a large value of it alone is rejected; $full" \
    'but for large values'
rules "table: public.t, index: t, where: \"old.n = 1 or state = 'x' or n = 2\", on: { delete: index }"
says 0 "2:5: warning: table public.t: a row that begins to match has no document that large values of \"tenant\", \"state\", \"body\", which the update leaves alone, could be taken over from: they will be missing; $full
2:5: warning: table public.t: a deleted row's document can have the columns of the replica identity alone; $full
2:42: warning: table public.t: the condition needs old.n, which is outside the replica identity: updates are rejected where it decides; $full
2:55: warning: table public.t: where needs column \"state\": an update that leaves a large value of it alone is rejected; $full
2:55: warning: table public.t: where needs column \"state\", which deletes do not bring: they are rejected; $full
2:70: warning: table public.t: where needs column \"n\", which deletes do not bring: they are rejected; $full" \
    'conditions on what is not sent'
rules 'table: public.t, index: t, on: { update: partial }, fields: { old: { n: was } }'
says 0 "2:5: warning: table public.t: without an old row nobody knows what an update changed: a partial update sends all columns that came; $full
2:76: warning: table public.t: the old value of \"n\" is outside the replica identity: field \"was\" is null; $full" \
    'partial updates and old values without old rows'
rules 'table: public.t, index: t, where: "id > 5", fields: { include: [id, body] }'
says 0 "2:5: warning: table public.t: a row that begins to match has no document that large values of \"body\", which the update leaves alone, could be taken over from: they will be missing; $full" \
    'large values and a condition'
for toast in merge reject 'null' omit; do
	rules "table: public.t, index: t, toast: $toast, fields: { include: [id, body] }"
	case $toast in
	merge) said='' ;;
	reject) said='makes it a reject' ;;
	'null') said='is null in the document' ;;
	omit) said='is missing in the document' ;;
	esac
	says 0 "${said:+2:5: warning: table public.t: a large value of \"body\" that an update leaves alone $said, by \"toast\"; $full}" \
	    "large values: $toast"
done
rules 'table: public.t, index: t, fields: { include: [id, body] }'
says 0 '2:5: note: table public.t: a large value of "body" that an update leaves alone is taken over from the document by esbulk-write' \
    'large values that are merged, which -v says' -v
sql "$full"
rules "table: public.t, index: \"t-{tenant}\", where: \"old.n = 1 or state = 'x'\", toast: omit, on: { update: partial, delete: index }, fields: { old: { n: was } }"
says 0 '' 'with FULL all of that is well'

# Publications -----------------------------------------------------------------------

tables "CREATE TABLE t (id int PRIMARY KEY); CREATE PUBLICATION p FOR TABLE t WITH (publish = 'insert')"
rules 'table: public.t, index: "t", on: { truncate: fail }'
says 0 '2:5: warning: table public.t: publication p has no updates and deletes of it: documents stay as they were first; ALTER PUBLICATION … SET (publish = …), or say ignore in "on"
2:52: warning: table public.t: publication p does not have its TRUNCATE' 'inserts alone'
rules 'table: public.t, index: "t", on: { update: ignore, delete: ignore }'
says 0 '' 'which the rule can know'
sql "ALTER PUBLICATION p SET (publish = 'insert, update')"
rules 'table: public.t, index: "t"'
says 0 '2:5: warning: table public.t: publication p has no deletes of it: documents of deleted rows stay; ALTER PUBLICATION … SET (publish = …), or say ignore in "on"' \
    'no deletes'
sql "ALTER PUBLICATION p SET (publish = 'update, delete')"
says 0 '2:5: warning: table public.t: publication p has no inserts of it: new rows make no documents; ALTER PUBLICATION … SET (publish = …), or say ignore in "on"' \
    'no inserts'
if [ "$version" -ge 150000 ]; then
	tables 'CREATE TABLE t (id int, k int, a int, b int, PRIMARY KEY (id, k));
	ALTER TABLE t REPLICA IDENTITY FULL;
	CREATE PUBLICATION p FOR TABLE t (id, a)'
	rules 'table: public.t, index: "t", where: "b = 1"'
	says 100 '2:5: table public.t: it has no primary key, so its rule needs an "id", such as id: "{id}"
2:5: warning: table public.t: publication p leaves columns of the primary key out, so it has none here
2:5: table public.t: REPLICA IDENTITY FULL, and publication p has a list of columns: PostgreSQL refuses updates and deletes; publish all columns, or give it another replica identity
2:44: table public.t: public.t has no column "b"' 'a list of columns'
	sql 'CREATE PUBLICATION p2 FOR TABLE t'
	rules 'table: public.t, index: "t", id: "{id}-{a|default:0}"'
	exits 100 'two lists' pgcdc-map -m m.yml -d '' -p p,p2 --check
	like "$(cat err)" 'm.yml:2:5: table public.t has different columns in publications p, p2' 'are refused'
	tables "CREATE TABLE t (id int, k int, a int, PRIMARY KEY (id, k));
	CREATE TABLE w (id int PRIMARY KEY, a text, b int); CREATE PUBLICATION p FOR TABLE t (id, a), w WHERE (a = ':varattno 3')"
	rules 'table: public.t, index: "t", id: "{id}"' 'table: public.w, index: w'
	says 100 '2:5: warning: table public.t: publication p leaves columns of the primary key out, so it has none here
2:5: table public.t: publication p leaves out "k" of the replica identity: PostgreSQL refuses updates and deletes; publish them, too
2:40: warning: table public.t: no unique index makes sure that the id is of one row: those with one id share a document
3:5: table public.w: the row filter of publication p needs "a", outside the replica identity: PostgreSQL refuses updates and deletes; filter by "where" of a rule, or give it REPLICA IDENTITY FULL' \
	    'a list without the whole identity, and a filter by more'
	is "$(sql 'UPDATE t SET a = 1' 2>&1 | grep -c 'cannot update')$(sql 'DELETE FROM w' 2>&1 | grep -c 'cannot delete')" 11 \
	    'PostgreSQL does refuse that'
	sql "ALTER PUBLICATION p SET (publish = 'insert')"
	rules 'table: public.t, index: "t", id: "{id}-{k}", on: { update: ignore, delete: ignore }' 'table: public.w, index: w, on: { update: ignore, delete: ignore }'
	sql 'ALTER PUBLICATION p SET TABLE t, w WHERE (a > $$x$$)'
	says 0 '' 'where there are only inserts it is well'
	sql "ALTER PUBLICATION p SET (publish = 'insert, update'); ALTER TABLE w REPLICA IDENTITY FULL"
	rules 'table: public.t, index: "t", on: { delete: ignore }' 'table: public.w, index: w, on: { delete: ignore }'
	says 0 '' 'and a filter by what is in the identity'
fi

# Generated columns are published by 18 alone, and there where the publication says so.
tables 'CREATE TABLE t (id int PRIMARY KEY, a int, g int GENERATED ALWAYS AS (a * 2) STORED, b int);
ALTER TABLE t DROP COLUMN a CASCADE; CREATE PUBLICATION p FOR TABLE t'
rules 'table: public.t, index: "t"'
pgcdc-map -m m.yml -d '' -p p --explain >out
is "$(sed '1,/fields/d' out | tr -s ' ')" ' id id int4
 b b int4' 'columns that were dropped, or are not published, are none'
if [ "$version" -ge 180000 ]; then
	sql 'ALTER TABLE t ADD g int GENERATED ALWAYS AS (b * 2) STORED;
	ALTER PUBLICATION p SET (publish_generated_columns = stored)'
	pgcdc-map -m m.yml -d '' -p p --explain >out
	is "$(sed '1,/fields/d' out | tr -s ' ')" ' id id int4
 b b int4
 g g int4' 'generated columns that are published'
	sql 'ALTER TABLE t REPLICA IDENTITY FULL'
	says 0 '' 'a replica identity with them'
	sql 'ALTER PUBLICATION p SET (publish_generated_columns = none)'
	says 100 '2:5: table public.t: publication p leaves out "g" of the replica identity: PostgreSQL refuses updates and deletes; ALTER PUBLICATION … SET (publish_generated_columns = stored)' \
	    'and one where they are not published'
	is "$(sql 'INSERT INTO t VALUES (1, 1); UPDATE t SET b = 2' 2>&1 | grep -c 'cannot update')" 1 'PostgreSQL does refuse that'
fi

# --explain --------------------------------------------------------------------------

cat >m.yml <<'END'
tables:
  - table: public.users
    also: true
    index: "users-{tenant|lower}"
    where: "name <> 'x'"
    fields:
      exclude: [tags]
      rename: { created_on: createdAt }
      old: { name: old_name }
      set: { kind: user, all: { by: "{name}" }, "{": "{{" }
      types: { n: string }
      flatten: { home: home_ }
  - table: public.u*
    index: counts
    id: "{\"table\"}"
    on: { insert: script, update: partial, delete: ignore, truncate: fail }
    upsert: true
    script: { source: "ctx._source.n += params.n", params: { n: 1 } }
    fields: { include: ["table"] }
END
tables 'CREATE TYPE home AS (street text, no int);
CREATE TABLE users (id int, "table" text NOT NULL, tenant text NOT NULL, name text, created_on timestamptz,
    tags text[], n numeric(10,2), home home, PRIMARY KEY (tenant, id));
CREATE TABLE other (id int PRIMARY KEY);
CREATE PUBLICATION p FOR TABLE users, other'
cat >expected <<'END'
rule for public.users (m.yml:2:5)
    also          later rules are looked at as well
    index         users-{tenant|lower}
    id            the primary key
    where         name <> 'x'
    insert        index the row
    update        index the new row; the document moves with index, id and routing
    delete        delete the document
    truncate      nothing: the documents stay
    snapshot      index the row
    toast         merge: taken over from the stored document
    versions      from the commit's LSN
    table public.users
      publication   p: insert update delete truncate
      identity      default (id, tenant)
      id            {tenant}|{id}
      fields
        id                      id int4
        table                   table text
        tenant                  tenant text
        name                    name text
        createdAt               created_on timestamptz
        n                       n numeric, as string
        home_*                  home public.home, its members
        old_name                old name text: null, for it is outside the replica identity
        kind                    "user"
        all                     { by: {name} }
        {                       "{"
rule for public.u* (m.yml:13:5)
    index         counts
    id            {"table"}
    insert        run the script on the document
    update        update the changed fields; a document that is not there is made
    delete        nothing
    truncate      stop
    snapshot      nothing: scripts are for changes
    script        painless: ctx._source.n += params.n
    toast         merge: taken over from the stored document
    versions      none: at least once
    table public.users
      publication   p: insert update delete truncate
      identity      default (id, tenant)
      fields
        table                   table text
no rule, so that rows are dropped
    table public.other
END
exits 0 '--explain' pgcdc-map -m m.yml -d '' -p p --explain
same out expected 'tells what becomes of each table'
is "$(cat err)" '' 'and warnings are for --check'
cat >expected.file <<'END'
    fields        of all columns but tags
      createdAt               created_on
      old_name                old name
      column                  n, as string
      column                  home, its members
      kind                    "user"
      all                     { by: {name} }
      {                       "{"
END
pgcdc-map -m m.yml --explain >out
{
	sed -n '1,/versions/p' expected
	cat expected.file
	sed -n '/u\*/,/versions/p' expected
	echo '    fields        of columns table'
} >expected.all
same out expected.all 'without a database as far as the file tells'
exits 100 'a mapping with errors' sh -c 'sed "s/{tenant|/{tenan|/" m.yml >bad.yml; exec pgcdc-map -m bad.yml -d "" --explain'
is "$(cat out)" '' 'is not explained'
like "$(cat err)" '^bad.yml:4:12: table public.users: no column "tenan"' 'but said what is wrong with'
exits 0 '--check and --explain' pgcdc-map -m m.yml -d '' --check --explain
like "$(cat err) $(cat out)" 'warning:.*REPLICA.*' 'are both'

# --template -------------------------------------------------------------------------

# Patterns that take the same indexes, and names of templates.
tables 'CREATE TABLE t (id int PRIMARY KEY, tenant text NOT NULL); ALTER TABLE t REPLICA IDENTITY FULL; CREATE PUBLICATION p FOR TABLE t'
cat >three.yml <<END
tables:
  - { table: public.t, index: "$ID-{tenant}-x", also: true }
  - { table: public.t, index: "$ID-{tenant|upper}-{id}x", also: true }
  - { table: public.t, index: "$ID-_-x", also: true }
  - { table: public.t, index: "{tenant|lower}" }
END
pgcdc-map -m three.yml -d '' -p p --template >out 2>err
n=$((500 + 100 * (${#ID} + 3)))
is "$(sed -n '/^PUT/p' out; sed -n '/^{/p' out | jq .priority)" "PUT /_index_template/pgcdc-$ID-_-x
PUT /_index_template/pgcdc-$ID-_-_x
PUT /_index_template/pgcdc-$ID-_-x.2
$n
$((n + 1))
$((n + 100))" 'each has a name and a priority of its own'
like "$(cat err)" 'three.yml:5:31: warning: the index has nothing but columns' 'and what is for all indexes is none'
mv out three
exits 100 'not when asked for, either' pgcdc-map -m three.yml -d '' -p p '--template=*'

tables "CREATE TYPE mood AS ENUM ('sad', 'glad'); CREATE TYPE place AS (street text, no int, at timestamptz, tags text[]);
CREATE DOMAIN price AS numeric(12, 2); CREATE TYPE floatspan AS RANGE (subtype = float8);
CREATE TABLE t (id int8 PRIMARY KEY, tenant text NOT NULL, i2 int2, i4 int4, o oid, f4 float4, f8 float8, b bool,
    n numeric, n18 numeric(18), n19 numeric(19), n2 numeric(10, 2), p price, name varchar(20), c char(3), nm name,
    d date, ts timestamp, tz timestamptz, ti time, tiz timetz, iv interval, u uuid, m mood, ip inet, net cidr,
    mac macaddr, mon money, bits varbit, x xml, v tsvector, lsn pg_lsn, j json, jb jsonb, by bytea,
    r int4range, nr numrange, dr daterange, tr tstzrange, fs floatspan, mr nummultirange, pl place, pls place[],
    ia int[], ta text[], na price[], da date[], ja jsonb[], pt point, shape text, h text, csv text, words text[],
    num text, flag text, day text, doc text, fl place, fj jsonb);
CREATE PUBLICATION p FOR TABLE t"
cat >m.yml <<END
defaults: { nan: null, infinity: null }
tables:
  - table: public.t
    index: "$ID-{tenant}-x"
    fields:
      set: { copy: "{i4}", text: "{i4}/{i2}", kind: row, seven: 7, half: 0.5, yes: true }
      types: { num: number, flag: bool, day: date, doc: json, h: string, pt: geo_point, shape: geojson }
      split: { csv: "," }
      join: { words: " " }
      flatten: { fl: fl_ }
      exclude: [fj]
      old: { i4: was }
END
exits 0 '--template' pgcdc-map -m m.yml -d '' -p p --template
is "$(cat err) $(sed -n 1p out) $(wc -l <out)" " PUT /_index_template/pgcdc-$ID-_-x 2" 'a line that says where, and one of JSON'
sed 1d out >template
exits 0 '--template=INDEX' pgcdc-map -m m.yml -d '' -p p "--template=$ID-here-x"
same out template 'the JSON alone, of the index that is meant'
exits 100 'an index that no rule writes' pgcdc-map -m m.yml -d '' -p p --template=other
like "$(cat err)" 'no rule writes to that index.*index=other' 'is said'
is "$(jq -r '.template.mappings.properties | to_entries[] | "\(.key) \(.value.type // "object")" + (.value | if .enabled == false then "-" elif .fields then "+" else "" end)' template | tr '\n' ,)" \
    'id long,tenant text+,i2 short,i4 integer,o long,f4 double,f8 double,b boolean,n double,n18 long,n19 double,n2 double,p double,name text+,c text+,nm text+,d date,ts date,tz date,ti keyword,tiz keyword,iv keyword,u keyword,m keyword,ip keyword,net keyword,mac keyword,mon keyword,bits keyword,x keyword,v keyword,lsn keyword,j object-,jb object-,by binary,r object,nr object,dr object,tr object,fs object,mr object,pl object,pls object,ia integer,ta text+,na double,da date,ja object-,pt geo_point,shape geo_shape,h text+,csv text+,words text+,num double,flag boolean,day date,doc object-,fl_street text+,fl_no integer,fl_at date,fl_tags text+,was integer,copy integer,text text+,kind text+,seven long,half double,yes boolean,' \
    'types for all columns'

# Two rules for one index; other policies.
cat >two.yml <<'END'
defaults: { numeric: string, bytea: hex, bc: string, nan: string }
tables:
  - { table: public.t, index: both, also: true, fields: { include: [n, by, d, f8, i2, i4, m, pl] } }
  - { table: public.t, index: both, fields: { include: [id], rename: { id: i2 }, set: { i4: yes, m: "a {m}", pl: 1 } } }
END
pgcdc-map -m two.yml -d '' -p p --template=both >out 2>err
is "$(jq -r '.template.mappings.properties | to_entries[] | "\(.key) \(.value.type)"' out | tr '\n' ,)" \
    'i2 long,i4 text,f8 keyword,n keyword,d keyword,m text,by keyword,pl object,' \
    'what is a string, and the wider of two types'
is "$(cat err)" 'two.yml:4:5: warning: table public.t: field "i2" of index "both" is long here, and short by another rule or table
two.yml:4:5: warning: table public.t: field "i4" of index "both" is text here, and integer by another rule or table
two.yml:4:5: warning: table public.t: field "m" of index "both" is text here, and keyword by another rule or table
two.yml:4:5: warning: table public.t: field "pl" of index "both" is long here, and object by another rule or table' \
    'with a warning for each'

if [ -n "${PGCDC_TEST_NO_ES:-}" ]; then
	skip 'a node takes templates and documents' 'no search node'
	done_testing
	exit
fi
need_es
sql "SELECT 1 FROM pg_create_logical_replication_slot('$ID', 'pgoutput')" >null
sql "INSERT INTO t (id, tenant) VALUES (1, 'a');
INSERT INTO t VALUES (2, 'a', -32768, 2147483647, 4294967295, 3.4e38, 1e308, true,
    12345678901234567890.12345, 999999999999999999, 9999999999999999999, 99999999.99, 1.5, repeat('ä', 20), 'x', 'nm',
    '2026-02-28', '2026-01-02 03:04:05.123456', '2026-01-02 03:04:05+02', '24:00', '01:02:03.5+09', '1 year -2 days',
    '6f1ed002-ab5d-4b1e-8b5d-0123456789ab', 'glad', '10.1.2.3/8', '10.0.0.0/8', '08:00:2b:01:02:03', '-1234.5',
    '101', '<a>b</a>', 'a fat cat', '16/B374D848', '{\"a\": [1, \"x\", {\"b\": null}]}', '[1, \"x\"]', '\\\\x00ff',
    '[1,5)', '(1.5,]', '[2020-01-01,infinity)', '(,)', '[1.5,2]', '{[1,2],(5,)}', ROW('s', 1, now(), '{a,b}'),
    ARRAY[ROW('s', 1, NULL, NULL)::place, NULL], '{{1,NULL},{3,4}}', '{a,NULL}', '{1.5,2}', '{0044-03-15 BC}',
    ARRAY['1', '\"x\"', '{\"a\":1}']::jsonb[], '(13.4,52.5)', NULL, 'h', 'a, b', '{x,y}', ' 1.50 ', 'on',
    '2026-01-02 03:04:05+02', '{\"x\": [1]}', ROW('s', 1, now(), '{a}'));
INSERT INTO t (id, tenant, n, n18, f8, d, ts, tz, dr, tr, nr, j, jb, x, bits, name, h, mr, r, num) VALUES
    (9223372036854775807, 'a', 'NaN', -1, 'NaN', '4713-01-01 BC', '294276-12-31 23:59:59.999999', '0044-03-15 BC',
    'empty', '[-infinity,2020-01-01 BC)', '(,)', '1', '\"x\"', repeat('<a/>', 20000)::xml, repeat('1', 40000)::varbit,
    '', repeat('word ', 20000), '{}', 'empty', '1e400'),
    (-1, 'a', 1e900, 0, '-Infinity', '5874897-12-31', 'infinity', '-infinity', '[5874897-01-01,)',
    '(,infinity)', '[1e400,)', 'null', 'true', '<a/>', '', 'x', repeat('x', 100000), '{(,)}', '(,)', '-0');" ||
    bail 'no rows'
# A node without geo_shape will do.
jq -c 'del(.template.mappings.properties.shape)' template >other && mv other template
exits 0 'the node takes a template' es PUT "_index_template/$ID-1" @template || diag <out
pgcdc-read -s "$ID" -p p --until-caught-up 2>read.log | pgcdc-map -m m.yml 2>map.log |
    esbulk-write -u "$PGCDC_TEST_ES_URL" 2>write.log
sql "SELECT pg_drop_replication_slot('$ID')" >null
is "$(es_docs "$ID-a-x" | cut -f 1 | tr '\n' ' ')" '-1 1 2 9223372036854775807 ' 'and all rows as documents' ||
    cut -c 1-600 ./*.log | diag
is_json "$(es GET "$ID-a-x/_mapping" | jq -S '.[].mappings')" "$(jq -S .template.mappings template)" \
    'whose fields are those of the template, and no others'
# found QUERY: the ids of what it finds.
found() {
	es POST "$ID-a-x/_search" "{\"query\":$1,\"sort\":[\"id\"],\"_source\":false}" | jq -r '.hits.hits[]._id' | tr '\n' ' '
}
is "$(found '{"range":{"d":{"lt":"0001-01-01"}}}')" '9223372036854775807 ' 'years BC can be searched'
is "$(found '{"range":{"r.lower":{"lte":1}}}')$(found '{"term":{"pl.street.keyword":"s"}}')$(found '{"term":{"u":"6f1ed002-ab5d-4b1e-8b5d-0123456789ab"}}')$(found '{"match":{"h":"word"}}')" \
    '2 2 2 9223372036854775807 ' 'so can ranges, composite values, ids and words'
tables "SELECT format('CREATE TABLE wide (id int PRIMARY KEY, %s)', string_agg('c' || i || ' text', ', '))
    FROM generate_series(1, 600) i \\gexec
CREATE PUBLICATION p FOR TABLE wide"
rules "table: public.wide, index: $ID-wide"
pgcdc-map -m m.yml -d '' -p p "--template=$ID-wide" >template 2>err
es PUT "_index_template/$ID-2" @template >null && es PUT "$ID-wide" >null
is "$(es GET "$ID-wide/_settings" | jq -r '.[].settings.index.mapping.total_fields.limit')" 2000 \
    'an index of many fields may have them'
es DELETE "_index_template/$ID-1" >null
es DELETE "_index_template/$ID-2" >null
# Each line with a request has one with its body behind it.
while read -r put path && read -r body; do
	printf '%s\n' "$body" >body
	es "$put" "${path#/}" @body </dev/null || diag "$path"
done <three >answers
is "$(grep -o acknowledged answers | wc -l)" 3 'a node takes patterns that meet' || diag <answers
while read -r put path && read -r body; do
	es DELETE "${path#/}" </dev/null
done <three >null

done_testing
