#!/bin/sh
# Conditions of mapping files are what PostgreSQL says that they are: random ones, on rows
# that pgcdc-read brought, with each type's odd values in them.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
need_pg
pg_db

export PGTZ=UTC
sql "CREATE COLLATION $ID (provider = libc, lc_collate = 'C', lc_ctype = 'C.UTF-8');
CREATE TABLE t (id int PRIMARY KEY, small int2, big int8, price numeric, ratio float8,
    name text COLLATE $ID, digits text COLLATE $ID, code char(5) COLLATE $ID, flag bool,
    day date, at timestamp, at_tz timestamptz, uuid uuid, doc jsonb, list int[]);
CREATE PUBLICATION $ID FOR TABLE t"
sql "SELECT pg_create_logical_replication_slot('$ID', 'pgoutput')" >"$T/null"
sql "INSERT INTO t VALUES
(7, -3, 9223372036854775807, 12.50, 0.1, 'abc', '7', 'ab', true, '2026-11-23',
    '2026-11-23 01:02:03.4', '2026-11-23 01:02:03.4Z', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'),
(1, 7, -9223372036854775808, 'NaN', 'NaN', 'ÄÖÜ', ' 1e3 ', 'ab   ', false, '0044-03-15 BC',
    '0044-03-15 BC', '0001-01-01Z BC', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12'),
(0, 0, 0, 0.00, '-0', '', 'true', '', NULL, 'infinity', 'infinity', '-infinity', NULL),
(-3, 32767, 7, -0.0005, '-Infinity', 'a%c', '2024-02-29', 'abc', true, '2024-02-29',
    '2024-02-29', '2024-02-29Z', '00000000-0000-0000-0000-000000000000'),
(2147483647, NULL, 2147483648, 123456789012345678901234567890.123, 1e300, 'ABC',
    '2026-11-23 01:02:03.4+02', 'ABC', false, '10000-01-01', '10000-01-01 23:59:59.999999',
    '10000-01-01 00:00:00Z', NULL),
(5, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
(6, 1, 1000, 1000, 0.00001, 'aBbbcab', '12.5', '7', true, '1970-01-01',
    '1969-12-31 23:59:59.999999', '1970-01-01 00:00:00Z', 'ffffffff-ffff-ffff-ffff-ffffffffffff')"
pgcdc-read -s "$ID" -p "$ID" --until-caught-up -o "$T/frames" 2>"$T/read.log" ||
	bail 'pgcdc-read failed'

# letters EXPRESSION: t, f, n(ull) or ! for each row; ? when it is no expression at all.
sql "CREATE TABLE x (n int GENERATED ALWAYS AS IDENTITY, e text);
CREATE FUNCTION letters(e text) RETURNS text LANGUAGE plpgsql AS \$\$
DECLARE
	result text := '';
	k int;
	one bool;
BEGIN
	BEGIN
		EXECUTE format('SELECT FROM t WHERE false AND (%s)', e);
	EXCEPTION WHEN OTHERS THEN
		RETURN '?';
	END;
	FOR k IN SELECT id FROM t ORDER BY ctid LOOP
		BEGIN
			EXECUTE format('SELECT (%s) FROM t WHERE id = %s', e, k) INTO one;
			result := result || CASE WHEN one THEN 't' WHEN NOT one THEN 'f' ELSE 'n' END;
		EXCEPTION WHEN OTHERS THEN
			result := result || '!';
		END;
	END LOOP;
	RETURN result;
END \$\$"

# compare: $T/both has what each says of the expressions in $T/list: SQL's, ours.
compare() {
	sql 'TRUNCATE x RESTART IDENTITY'
	sed "s/'/''/g; s/.*/INSERT INTO x (e) VALUES ('&');/" "$T/list" | psql -Xq -1 -f - ||
		bail 'cannot store the expressions'
	sql 'SELECT letters(e) FROM x ORDER BY n' >"$T/sql"
	"$BUILD/tests/expr" "$T/frames" <"$T/list" >"$T/ours" || bail 'expr failed'
	paste "$T/sql" "$T/ours" "$T/list" >"$T/both"
	is "$(wc -l <"$T/sql")" "$(wc -l <"$T/list")" 'PostgreSQL answered each'
	is "$(wc -l <"$T/ours")" "$(wc -l <"$T/list")" 'and so did we'
}

# Where SQL says ! the order of evaluation can hide it from us.  Casts of constants that
# fail are said when we bind, whether or not a row needs them.
"$TOP/tests/expressions.py" "${EXPRESSIONS:-1500}" "${SEED:-1}" >"$T/list"
compare
awk -F '\t' '
$1 == "?" || $1 == $2 { same[substr($1, 1, 1) == "?"]++; next }
$2 ~ /cannot cast/ && ($1 ~ /!/ || $3 ~ / (and|or|null) |null$/) { next }
$3 ~ / (and|or|in|between) / && length($1) == length($2) {
	good = 1
	for (i = 1; i <= length($1); i++)
		if (substr($1, i, 1) != substr($2, i, 1) && substr($1, i, 1) != "!")
			good = 0
	if (good)
		next
}
{ print $3 ": " $1 ", ours " $2 }
END { print same[0] + 0, same[1] + 0 >"/dev/stderr" }' "$T/both" >"$T/differ" 2>"$T/counts"
sed 's/^/# /' "$T/differ"
ok 'random conditions are what they are in SQL' test ! -s "$T/differ"
read -r same refused <"$T/counts"
ok "most of them are good SQL: $same, and $refused are not" [ "$same" -gt "$((refused * 5))" ]

# What SQL refuses we refuse, too.
cat >"$T/list" <<'END'
name = 5
flag = 1
day = 1
id = 'abc'
id = '5000000000'
price = 'x'
ratio = '1e999'
day = '2026-02-30'
uuid = 'a0eebc99'
flag or 'x'
id and flag
not name
name is true
id like '7%'
lower(id) = '7'
id between 1 and flag
id in (1, flag)
coalesce(id, flag) = 1
id::date = day
day::int = 1
flag::int8 = 1
big::bool
list = 1
1 = 1 = true
1 < id < 8
id is distinct from 1 is null
id in ()
nosuch = 1
"ID" = 7
id = 1x
id ==  1
id = 1)
(id = 1
name = 'x
'x'
id
END
compare
is "$(cut -c 1 "$T/both" | sort -u)" '?' 'PostgreSQL takes none of these'
awk -F '\t' 'substr($2, 1, 1) != "?"' "$T/both" >"$T/taken"
is "$(cat "$T/taken")" '' 'and we take none'
done_testing
