-- Tables of every type that a column can have, with values of all kinds, and the rules by
-- which pgcdc makes JSON of them, in PostgreSQL's own words.  57-types.t uses it.
--
-- The schema "types" gets the tables:
--
--	scalar		a column for each type of the list below, called like it
--	scalar_full	the same with REPLICA IDENTITY FULL
--	arrays		a column of arrays for each type
--	domains		domains over domains, their arrays, domains over arrays
--	key_N		for each type that can be one: k of it, the primary key, v
--	nested		whole rows of "scalar" and of "arrays" as values, and arrays of such
--
-- types.docs(table) is what their documents should be, as lines of id, tab, JSON, by the
-- settings rule.policy, "string" or "null".

SET client_min_messages = warning;
\set VERBOSITY terse
CREATE SCHEMA types;
CREATE SCHEMA own;
CREATE TYPE own.mood AS ENUM ('so so', 'ok', 'a,b', 'q"t', E'ba\\ck', '{}', 'NULL', '', '(x)');
CREATE DOMAIN own.price AS numeric(12, 3) CHECK (VALUE >= 0 OR VALUE = 'NaN');
CREATE DOMAIN own.cheap AS own.price;
CREATE DOMAIN own.stamp AS timestamptz;
CREATE TYPE own."In""ner" AS (a int, "b c" text, n numeric, t timestamp, d date[], y bytea, j json,
	m own.mood, c own.cheap, gone int, r numrange, f float4, "lower" text);
ALTER TYPE own."In""ner" DROP ATTRIBUTE gone;
CREATE TYPE own."outer" AS (i own."In""ner", l own."In""ner"[], s own.stamp, x text[], jb jsonb);
CREATE TYPE own.one AS (x text);
CREATE TYPE own.span AS RANGE (subtype = text);
CREATE TYPE own.spread AS RANGE (subtype = float8);
CREATE TYPE own.prices AS RANGE (subtype = numeric);

-- The types and their values -----------------------------------------------------------

CREATE TABLE own.literals (n int GENERATED ALWAYS AS IDENTITY, type text PRIMARY KEY, v text[]);
CREATE FUNCTION own.nasty() RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT string_agg(chr(i), '' ORDER BY i) || E'\u0080\u0085\u00a0\u00e9e\u0301\u200b\u2028\u2029'
	    || E'\u20ac\ufeff\ufffd\uffff\U0001f600\U0001f468\u200d\U0001f469\U000e0001\U0010fffd'
	    FROM generate_series(1, 127) i $$;
-- What no compression makes small, so that it is stored out of line.
CREATE FUNCTION own.long(n int) RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT string_agg(md5(i::text), '' ORDER BY i) FROM generate_series(1, n) i $$;
CREATE FUNCTION own.digits(n int) RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT '1' || string_agg((hashint4(i) & 7)::text, '' ORDER BY i) FROM generate_series(2, n) i $$;

INSERT INTO own.literals (type, v) VALUES
('bool', '{t,f}'),
('int2', '{0,-32768,32767,-1}'),
('int4', '{0,-2147483648,2147483647,-33}'),
('int8', '{0,-9223372036854775808,9223372036854775807,9007199254740993,-1}'),
('oid', '{0,4294967295,2147483648}'),
('float4', '{0,-0,0.1,1,16777217,3.4028235e38,1e-45,1.17549435e-38,NaN,Infinity,-Infinity,-1e10}'),
('float8', '{0,-0,0.1,1,-1,1e22,1e15,1e16,123456789012345680,0.30000000000000004,5e-324,
	2.2250738585072014e-308,1.7976931348623157e308,0.0001,0.00001,NaN,Infinity,-Infinity}'),
-- A JSON number of more than 1000 characters is more than newer servers take.
('numeric', ARRAY['0', '1.10', '-0.00', '1e-20', 'NaN', '123456789012345678901234567890.1234567890',
	'1e30', own.digits(1000), '-0.' || own.digits(997), own.digits(400) || '.' || own.digits(599),
	'1e400', '-1e-400']
	|| CASE WHEN current_setting('server_version_num')::int >= 140000
	   THEN '{Infinity,-Infinity}'::text[] ELSE '{}' END),
('numeric(10,2)', '{1,-0.005,12345678.9,NaN}'),
('money', '{0,-12.34,92233720368547758.07,-92233720368547758.08,1234567}'),
('text', ARRAY['', ' ', 'a', own.nasty(), own.long(4000), 'NULL', 'null', '{}', '\N', '\x00', '\u0000',
	E'two\nlines\r\n', '"', '\', '\\"', '</script>', '{"a":1}', 'undefined', repeat('x', 40000)]),
('varchar', ARRAY['', own.nasty(), 'v']),
('varchar(5)', ARRAY['', 'abcde', E'\u00c4\U0001f600']),
('bpchar', ARRAY['', 'a  ', own.nasty()]),
('char(5)', ARRAY['', 'a', 'abcde', E'\u00c4']),
('"char"', ARRAY['', 'c', E'\x01', '"', '\']),
('name', ARRAY['', 'n', E'\u00c4 "b"']),
('bytea', ARRAY['', '\x00', '\xff', '\xfffe', '\x00ff5c27220a0d', '\xdeadbeef' || own.long(3000), '\x'
	|| encode(convert_to('text', 'UTF8'), 'hex')]),
('date', '{2026-11-23,1970-01-01,0001-01-01,0001-12-31 BC,0044-03-15 BC,4714-11-24 BC,9999-12-31,10000-01-01,
	5874897-12-31,2000-02-29,infinity,-infinity}'),
('timestamp', '{2026-11-23 01:02:03.4,1970-01-01 00:00:00.000001,1999-12-31 23:59:60,0001-12-31 23:59:59.9 BC,
	0044-03-15 00:00:00 BC,4714-11-24 00:00:00 BC,294276-12-31 23:59:59.999999,9999-12-31 23:59:59.999999,
	10000-01-01 00:00:00,infinity,-infinity}'),
('timestamp(3)', '{2026-11-23 01:02:03.4567,infinity}'),
('timestamptz', '{2026-11-23 01:02:03.4+09,1900-06-15 12:00:00+05:53:28,0044-03-15 00:00:00+00 BC,
	0001-01-01 00:00:00+01,294276-12-31 23:59:59.999999+00,10000-01-01 00:00:00+00:30,infinity,-infinity}'),
('time', '{00:00,24:00,23:59:59.999999,01:02:03.50}'),
('timetz', '{00:00+00,24:00-07:30,23:59:59.999999+05:53:28,01:02:03.5+14}'),
('interval', '{0,1 day 2 s,-1 mon,1 year -2 days 03:04:05.000006,-0.1 s,178000000 years,-178000000 years,
	2147483647 days,1 mon -1 s}'),
('uuid', '{00000000-0000-0000-0000-000000000000,a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}'),
('json', ARRAY['{}', '[]', 'null', '1', '-0.10', '1e400', '-1E-400', '""', 'true', '{"b" : [1, 2.50, null, {"c": "d"}]}',
	E' {\n\t"a" :\r\n 1 }\n', '"\u00e9\ud83d\ude00\u2028\/\b\f\n\r\t\"\\"', '"\u0000"', '12345678901234567890123',
	'[[[[[[[[]]]]]]]]', '{"": {"": ""}, "a.b": 1, "..": 2, " ": 3}', own.digits(1000), to_json(own.nasty())::text,
	'["' || own.long(3000) || '"]', '{"_id": 1, "_source": {}, "index": {"_id": 2}}']),
('jsonb', ARRAY['{}', '[]', 'null', '1', '-0.10', '1e400', '""', '{"b" : [1, 2.50, null, {"c": "d"}]}',
	'"\u00e9\ud83d\ude00\u2028\/\b\f\n\r\t\"\\"', '12345678901234567890123', '{"": {"": ""}, "a.b": 1}',
	to_json(own.nasty())::text, '["' || own.long(3000) || '"]', '{"a": 1, "b": 2, "a": {"c": [1.0, 1.00]}}']),
('jsonpath', '{$,"$.a[*] ? (@ > 1)"}'),
('xml', ARRAY['<a b="c">&lt;</a>', '', E'<a>\n</a>', 'text', '<!-- "\ -->']),
('inet', '{10.0.0.1,10.0.0.0/8,::1,fe80::1/64,0.0.0.0/0}'),
('cidr', '{10.0.0.0/8,::/0,1.2.3.4/32}'),
('macaddr', '{08:00:2b:01:02:03}'),
('macaddr8', '{08:00:2b:01:02:03:04:05}'),
('bit(5)', '{00000,10101}'),
('bit', '{0,1}'),
('varbit', ARRAY['', '1', '0101010101', repeat('10', 3000)]),
('point', ARRAY['(1,2)', '(0.1,-0)', '(NaN,Infinity)', '(1e300,5e-324)']),
('line', ARRAY['{1,2,3}', '{-1,0,0}']),
('lseg', ARRAY['[(0,0),(1,1)]']),
('box', ARRAY['(1,1),(0,0)', '(Infinity,NaN),(0,-1)']),
('path', ARRAY['((0,0),(1,1))', '[(0,0)]', '[(0,0),(0.1,2)]']),
('polygon', ARRAY['((0,0),(1,1),(1,0))', '((0,0))']),
('circle', ARRAY['<(0,0),1>', '<(0,0),NaN>']),
('tsvector', ARRAY['', 'a:1 ''b c'':2A,3', '''q''''t'':1 ''b\\s''']),
('tsquery', ARRAY['', 'a & !''b c'':*', 'a <2> b | c:AB']),
('pg_lsn', '{0/0,FFFFFFFF/FFFFFFFF,16/B374D848}'),
('pg_snapshot', ARRAY['10:20:10,14', '1:1:']),
('txid_snapshot', ARRAY['10:20:10,14']),
('xid', '{0,4294967295}'),
('xid8', '{0,18446744073709551615}'),
('cid', '{0,4294967295}'),
('tid', ARRAY['(0,1)', '(4294967295,65535)']),
('regtype', '{integer,"text[]","own.mood",0}'),
('regclass', '{pg_class,own.literals}'),
('regproc', '{now,0}'),
('regprocedure', ARRAY['lower(text)', '0']),
('regoper', '{0}'),
('regoperator', ARRAY['+(integer,integer)', '0']),
('regconfig', '{english,0}'),
('regdictionary', '{simple,0}'),
('regnamespace', '{own,0}'),
('regrole', '{postgres,0}'),
('regcollation', ARRAY['"C"', '0']),
('refcursor', ARRAY['', 'c "1"']),
('aclitem', ARRAY['postgres=arwdDxt/postgres', '=r/postgres']),
('int2vector', ARRAY['', '1', '1 2 -3']),
('oidvector', ARRAY['', '0', '1 4294967295']),
('int4range', ARRAY['empty', '[1,5]', '(,)', '[7,7]', '(,-2147483648)', '[1,)']),
('int8range', ARRAY['[1,)', '(,9223372036854775806]', 'empty']),
('numrange', ARRAY['[1.10,2.00)', 'empty', '(,)', '[NaN,NaN]', '(0.' || own.digits(100) || ',1e30]']
	|| CASE WHEN current_setting('server_version_num')::int >= 140000
	   THEN ARRAY['[-Infinity,Infinity]'] ELSE '{}' END),
('tsrange', ARRAY['["2026-11-23 00:00","2026-11-24 00:00:00.5")', '(,infinity)', '[-infinity,infinity]',
	'["0044-03-15 00:00 BC","10000-01-01 00:00"]', 'empty', '(,)']),
('tstzrange', ARRAY['["2026-11-23 00:00+09",)', '[-infinity,"2026-01-01 00:00+00"]', 'empty']),
('daterange', ARRAY['[2026-11-23,2026-11-24]', '[-infinity,infinity)', '[0044-03-15 BC,10000-01-01)', '(,)', 'empty']),
('int4multirange', ARRAY['{}', '{[1,5),[7,9)}', '{(,)}']),
('int8multirange', ARRAY['{}', '{(,0),[7,9223372036854775807)}']),
('nummultirange', ARRAY['{}', '{[1.10,2.00),[3.0,)}']),
('tsmultirange', ARRAY['{}', '{["2026-11-23 00:00","2026-11-24 00:00"),[infinity,infinity]}']),
('tstzmultirange', ARRAY['{}', '{["2026-11-23 00:00+09",)}']),
('datemultirange', ARRAY['{}', '{[2026-11-23,2026-11-24],[infinity,)}', '{(,)}']),
('own.mood', ARRAY['so so', 'ok', 'a,b', 'q"t', 'ba\ck', '{}', 'NULL', '', '(x)']),
('own.price', '{1,0.0005,NaN}'),
('own.cheap', '{1,2.5,NaN}'),
('own.stamp', '{2026-11-23 01:02:03.4+09,infinity}'),
('own."In""ner"', ARRAY['(1,"b ""c"" \\ ",1.10,"2026-11-23 01:02:03","{2026-01-01,infinity,NULL}","\\x00ff",'
	|| '"{""a"" : [1.0, 1e400]}","a,b",2.5,"[1.0,NaN]",0.1,low)', '(,,,,,,,,,,,)',
	'(,"",NaN,infinity,"{}","\\x","null","",NaN,empty,NaN,"")', '(0,x,' || own.digits(1000)
	|| ',"0044-03-15 00:00:00 BC","{{2026-01-01},{2026-01-02}}",,,"(x)",0,"(,-1e-30]",Infinity,"NaN")']),
('own."outer"', ARRAY['(,,,,)', '("(1,x,NaN,,,,,,,,,)","{""(2,,5.00,-infinity,,,,,,,,)"",NULL}","2026-01-01 00:00+01",'
	|| '"{{a,NULL},{"""",""NULL""}}","{""a"": [""\\"""", null, 1.0]}")']),
('own.one', ARRAY['()', '("")', '("(""a,b"")")', '(NULL)']),
('own.span', ARRAY['["a,""\)","b ]")', 'empty', '(,)', '["",x]']),
('own.spread', ARRAY['[0.1,1)', '[-Infinity,Infinity]', '[0,-0]', '(1e300,NaN]']),
('own.prices', ARRAY['[1.10,2.00]', '(,NaN)']),
('own.span_multirange', ARRAY['{}', '{[a,b),[c,"d}"]}']),
('own.spread_multirange', ARRAY['{}', '{[0,1),[2.5,Infinity]}']);

-- extension NAME, TYPE, VALUES: where the server has it.
CREATE PROCEDURE own.extension(name text, type text, v text[]) LANGUAGE plpgsql AS $$
BEGIN
	IF EXISTS (SELECT FROM pg_available_extensions e WHERE e.name = extension.name) THEN
		EXECUTE format('CREATE EXTENSION IF NOT EXISTS %I WITH SCHEMA own', name);
		INSERT INTO own.literals (type, v) VALUES (extension.type, extension.v);
	END IF;
END $$;
CALL own.extension('hstore', 'own.hstore', ARRAY['', 'a=>1, b=>NULL, c=>"NULL", ""=>""',
	'"$absent"=>true, "\"q\""=>"b\\s", "x=>y"=>"{}"', format('k=>"%s"', own.long(300))]);
CALL own.extension('citext', 'own.citext', ARRAY['', 'Ab.C', own.nasty()]);
CALL own.extension('ltree', 'own.ltree', ARRAY['', 'a', 'Top.A_1']);
CALL own.extension('ltree', 'own.lquery', ARRAY['*.a|b{1,2}.*']);
CALL own.extension('cube', 'own.cube', ARRAY['(1, 2),(3, 4)', '(0.1)']);
CALL own.extension('seg', 'own.seg', ARRAY['1.0 .. 2.50', '~5']);
CALL own.extension('isn', 'own.isbn', ARRAY['0-306-40615-2']);
CALL own.extension('intarray', 'own.query_int', ARRAY['1&(2|!3)']);
CALL own.extension('vector', 'own.vector', ARRAY['[1,2.5]']);

-- Of another major version
DELETE FROM own.literals WHERE to_regtype(type) IS NULL;

-- With -v dynamic=1, names that search servers take where no template says what a field is.
\if :{?dynamic}
UPDATE own.literals SET v = ARRAY(SELECT replace(replace(x, '"":', '"e":'), '""=>', '"e"=>')
    FROM unnest(v) WITH ORDINALITY q (x, i) ORDER BY i) WHERE type IN ('json', 'jsonb', 'own.hstore');
\endif

-- The tables ----------------------------------------------------------------------------

-- A list made of a format: %1$I is a column's name, %2$s its type, %3$s the type's number,
-- %4$L an array of the type's values.
CREATE FUNCTION own.each(expression text) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(format(expression, replace(type, '.', ' '), type, n, v), ', ' ORDER BY n)
	    FROM own.literals $$;

DO $$
DECLARE
	l record;
	top int := (SELECT max(cardinality(v)) FROM own.literals);
	more text;
BEGIN
	FOR l IN SELECT * FROM own.literals ORDER BY n LOOP
		EXECUTE format('CREATE DOMAIN own.d%s AS %2$s; CREATE DOMAIN own.dd%1$s AS own.d%1$s;
		    CREATE DOMAIN own.da%1$s AS %2$s[]', l.n, l.type);
	END LOOP;
	EXECUTE format('CREATE TABLE types.scalar (id int PRIMARY KEY, %s)', own.each('%1$I %2$s'));
	EXECUTE format('CREATE TABLE types.arrays (id int PRIMARY KEY, %s)', own.each('%1$I %2$s[]'));
	EXECUTE format('CREATE TABLE types.domains (id int PRIMARY KEY, %s)',
	    own.each('%1$I own.dd%3$s, "%3$s s" own.d%3$s[], "%3$s a" own.da%3$s, "%3$s as" own.da%3$s[]'));
	CREATE TABLE types.scalar_full (LIKE types.scalar INCLUDING ALL);
	ALTER TABLE types.scalar_full REPLICA IDENTITY FULL;
	CREATE TABLE types.nested (id int PRIMARY KEY, one types.scalar, more types.scalar[], arrays types.arrays);

	-- Row i has value i of each type, then nulls; the last row has nothing else.
	EXECUTE format('INSERT INTO types.scalar SELECT i, %s FROM generate_series(1, %s) i',
	    own.each('(%4$L::text[])[i]::%2$s'), top + 1);
	-- All of them and a null; two and three dimensions; a lower bound of its own; none.
	EXECUTE format('INSERT INTO types.arrays SELECT 1, %s', own.each('(%4$L::text[] || NULL)::%2$s[]'));
	EXECUTE format('INSERT INTO types.arrays SELECT 2, %s', own.each(
	    'array_fill((%4$L::text[])[1]::%2$s, ''{2,2}'')'));
	EXECUTE format('INSERT INTO types.arrays SELECT 3, %s', own.each(
	    'array_fill((%4$L::text[])[1]::%2$s, ''{1,2,1}'', ''{3,-1,0}'')'));
	EXECUTE format('INSERT INTO types.arrays SELECT 4, %s', own.each(
	    'ARRAY[ARRAY[NULL, (%4$L::text[])[2]::%2$s], ARRAY[(%4$L::text[])[1]::%2$s, NULL]]'));
	EXECUTE format('INSERT INTO types.arrays SELECT 5, %s', own.each('''{}'''));
	EXECUTE format('INSERT INTO types.arrays SELECT 6, %s', own.each('ARRAY[NULL]::%2$s[]'));
	INSERT INTO types.arrays (id) VALUES (7);
	FOR i IN 1 .. 6 LOOP
		more := CASE i WHEN 1 THEN '%4$L::text[]' WHEN 5 THEN '''{}''' WHEN 6 THEN 'NULL' ELSE
		    'ARRAY[NULL, (%4$L::text[])[' || i || ']]' END || '::%2$s[]';
		EXECUTE format('INSERT INTO types.domains SELECT %s, %s', i, own.each(
		    '(%4$L::text[])[' || i || ']::%2$s, ' || more || ', ' || more || ', ARRAY[' || more ||
		    '::own.da%3$s]'));
	END LOOP;
	INSERT INTO types.scalar_full SELECT * FROM types.scalar;
	INSERT INTO types.nested SELECT s.id, s, ARRAY[s, NULL], a
	    FROM types.scalar s LEFT JOIN types.arrays a USING (id);
END $$;

-- A value of v is there once in all of these tables.
DO $$
DECLARE
	l record;
BEGIN
	FOR l IN SELECT * FROM own.literals WHERE type NOT LIKE 'own."%' ORDER BY n LOOP
		BEGIN
			EXECUTE format('CREATE TABLE types.key_%s (k %s PRIMARY KEY, v int)', l.n, l.type);
			FOR i IN 1 .. cardinality(l.v) LOOP
				-- Longer ones do not fit into an index.
				CONTINUE WHEN length(l.v[i]) > 2500;
				EXECUTE format('INSERT INTO types.key_%s VALUES (%L::text::%s, %s) ON CONFLICT DO NOTHING', l.n,
				    l.v[i], l.type, l.n * 100 + i);
			END LOOP;
		EXCEPTION WHEN undefined_object OR undefined_function THEN
			NULL; -- without an order, or with a member without one
		END;
	END LOOP;
END $$;

-- What the documents should be ----------------------------------------------------------

-- NaN, an infinity, and the years that ISO 8601 has in another form.
CREATE FUNCTION own.odd(v text) RETURNS text LANGUAGE sql AS $$
	SELECT CASE current_setting('rule.policy') WHEN 'string' THEN to_json(v)::text ELSE 'null' END $$;

-- Dates and timestamps, given as SQL prints them: a T before the time, a Z for UTC.
CREATE FUNCTION own.moment(v text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	y text := substring(v FROM '^\d+');
BEGIN
	IF v ~ 'infinity' THEN
		RETURN own.odd(v);
	END IF;
	v := replace(regexp_replace(v, '^(\d+-\d\d-\d\d) (?=\d)', '\1T'), '+00', 'Z');
	IF current_setting('rule.policy') = 'string' THEN
		RETURN to_json(v);
	ELSIF v ~ ' BC$' THEN
		v := to_char(1 - y::int, 'FM0000') || substr(v, length(y) + 1, length(v) - length(y) - 3);
	ELSIF length(y) > 4 THEN
		v := '+' || v;
	END IF;
	RETURN to_json(v);
END $$;

-- The fewest digits, of a float4 those of its text; without an exponent from 1e-6 to 1e15;
-- integral ones have a point.
CREATE FUNCTION own.float(v text) RETURNS text LANGUAGE sql AS $$
	SELECT CASE WHEN t ~ '[.e]' THEN t ELSE t || '.0' END FROM (SELECT CASE WHEN abs(f) >= 1e-6 AND abs(f) < 1e-4
	    THEN v::numeric::text ELSE f::text END AS t FROM (SELECT v::float8 AS f) q) q $$;

-- A value's text, as its output function makes it; a cast to text strips blanks of char(n).
CREATE FUNCTION own.out(v anyelement) RETURNS text LANGUAGE sql STRICT AS $$ SELECT format('%s', v) $$;

-- Scalars of PostgreSQL's own types; v is their text.
CREATE FUNCTION own.scalar(v text, name text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	text_policy bool := current_setting('rule.policy') = 'string';
BEGIN
	RETURN CASE
	WHEN name = 'bool' THEN CASE v WHEN 't' THEN 'true' WHEN 'f' THEN 'false' ELSE v END
	WHEN name IN ('int2', 'int4', 'int8', 'oid') THEN v
	WHEN name IN ('int2vector', 'oidvector') THEN '[' || replace(v, ' ', ',') || ']'
	WHEN name IN ('float4', 'float8', 'numeric') AND v ~ '[NI]' THEN own.odd(v)
	WHEN name IN ('float4', 'float8') THEN own.float(v)
	WHEN name = 'numeric' THEN CASE WHEN text_policy THEN v ELSE to_json(v)::text END
	WHEN name IN ('date', 'timestamp', 'timestamptz') THEN own.moment(v)
	WHEN name = 'bytea' THEN to_json(CASE WHEN text_policy
	    THEN replace(encode(v::bytea, 'base64'), E'\n', '') ELSE encode(v::bytea, 'hex') END)::text
	-- Verbatim, on one line.
	WHEN name IN ('json', 'jsonb') THEN translate(v, E'\r\n', '  ')
	ELSE to_json(v)::text END;
END $$;

-- own.json(text, type): whatever it is; text is a value's text.
CREATE FUNCTION own.json(v text, t oid) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	y record;
	f record;
	part text;
	result text := '';
	expression text;
	dims int;
BEGIN
	IF v IS NULL THEN
		RETURN 'null';
	END IF;
	SELECT p.*, nspname, format('%I.%I', nspname, typname) AS name INTO y FROM pg_type p
	    JOIN pg_namespace s ON s.oid = typnamespace WHERE p.oid = t;
	IF y.typtype = 'd' THEN
		RETURN own.json(v, y.typbasetype);
	ELSIF y.typoutput = 'array_out'::regproc THEN
		IF v = '{}' THEN
			RETURN '[]';
		END IF;
		EXECUTE format('SELECT array_ndims(%L::%s)', v, y.name) INTO dims;
		expression := format('own.json(own.out((x)%s), %s)', (SELECT string_agg('[i' || d || ']', '' ORDER BY d)
		    FROM generate_series(1, dims) d), y.typelem);
		FOR d IN REVERSE dims .. 1 LOOP
			expression := format('(SELECT ''['' || string_agg(%s, '','' ORDER BY i%s) || '']''
			    FROM generate_subscripts(x, %2$s) i%2$s)', expression, d);
		END LOOP;
		EXECUTE format('SELECT %s FROM (SELECT %L::%s AS x OFFSET 0) q', expression, v, y.name) INTO result;
		RETURN result;
	ELSIF y.typtype = 'r' THEN
		EXECUTE format('SELECT isempty(x) AS empty, own.out(lower(x)) AS low, own.out(upper(x)) AS up,
		    CASE WHEN lower_inc(x) THEN ''['' ELSE ''('' END || CASE WHEN upper_inc(x) THEN '']'' ELSE '')'' END
		    AS bounds, rngsubtype AS of FROM (SELECT %L::%s AS x) q, pg_range WHERE rngtypid = %s', v, y.name, t)
		    INTO f;
		RETURN CASE WHEN f.empty THEN '{"empty":true}' ELSE format('{"lower":%s,"upper":%s,"bounds":"%s"}',
		    own.json(f.low, f.of), own.json(f.up, f.of), f.bounds) END;
	ELSIF y.typtype = 'm' THEN
		EXECUTE format('SELECT ''['' || coalesce(string_agg(own.json(own.out(r), rngtypid), '',''), '''') || '']''
		    FROM pg_range LEFT JOIN unnest(%L::%s) r ON true WHERE rngmultitypid = %s AND r IS NOT NULL',
		    v, y.name, t) INTO result;
		RETURN result;
	ELSIF y.typtype = 'c' THEN
		FOR f IN SELECT * FROM pg_attribute WHERE attrelid = y.typrelid AND attnum > 0 AND NOT attisdropped
		    ORDER BY attnum LOOP
			EXECUTE format('SELECT own.out((%L::%s).%I)', v, y.name, f.attname) INTO part;
			result := result || CASE WHEN result = '' THEN '' ELSE ',' END || to_json(f.attname::text) || ':'
			    || own.json(part, f.atttypid);
		END LOOP;
		RETURN '{' || result || '}';
	ELSIF y.name = 'own.hstore' THEN
		EXECUTE format('SELECT own.hstore_to_json(%L::own.hstore)', v) INTO result;
		RETURN result;
	ELSIF y.nspname = 'pg_catalog' THEN
		RETURN own.scalar(v, y.typname);
	END IF;
	RETURN to_json(v);
END $$;

CREATE FUNCTION types.docs(t regclass) RETURNS SETOF text LANGUAGE plpgsql
SET search_path = ''
SET intervalstyle = iso_8601
SET datestyle = 'ISO'
SET timezone = 'UTC'
SET extra_float_digits = 1
SET xmloption = content
SET jit = off
SET client_min_messages = error AS $$
BEGIN
	RETURN QUERY EXECUTE (SELECT format('SELECT %s || E''\t{'' || %s || ''}'' FROM %s',
	    CASE WHEN t::text LIKE '%.key\_%' THEN 'v' ELSE 'id' END,
	    string_agg(format('%L || own.json(own.out(%I), %s)', to_json(attname::text) || ':', attname, atttypid),
	    ' || '','' || ' ORDER BY attnum), t)
	    FROM pg_attribute WHERE attrelid = t AND attnum > 0 AND NOT attisdropped);
END $$;
