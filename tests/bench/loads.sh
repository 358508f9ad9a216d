# shellcheck shell=sh disable=SC2034,SC2154
# loads.sh -- the rows that are changed, and how.  Sourced.

# How many there are of each load, of BENCH_ROWS; what is more work has fewer.
rows_of() {
	case $1 in
	narrow-*) echo "$all" ;;
	node) echo $((all / 2)) ;;
	mixed) echo $((all / 4 / 100 * 100)) ;;
	json) echo $((all / 10 / 100 * 100)) ;;
	full | hot) echo $((all / 2 / 100 * 100)) ;;
	esac
}

# What stands in the table's heading.
title_of() {
	case $1 in
	narrow-one) echo "narrow rows (3 columns), in one transaction" ;;
	narrow-many) echo "narrow rows, in transactions of 100" ;;
	mixed) echo "rows of 20 mixed columns, in transactions of 100" ;;
	json) echo "rows of 2 kB with jsonb, in transactions of 100" ;;
	full) echo "updates with REPLICA IDENTITY FULL, in transactions of 100" ;;
	hot) echo "updates of 1000 hot rows, in transactions of 100" ;;
	esac
}

narrow_columns='id int PRIMARY KEY, n int NOT NULL, name text NOT NULL'
narrow="SELECT i, i % 1000, 'name of ' || i FROM generate_series(\$1, \$2) i"
mixed_columns='id bigint PRIMARY KEY, tenant text, active bool, n int, small smallint,
price numeric(10,2), total numeric, ratio float8, born date, at timestamp, changed timestamptz,
key uuid, name text, mail varchar(100), note text, tags text[], numbers int[], bytes bytea,
extra jsonb, empty text'
mixed="SELECT i, 'tenant ' || i % 50, i % 2 = 0, i % 100000, i % 100, (i % 1000) + 0.5,
i + (i % 100) * 0.01, i / 7.0, date '2001-11-23' + i % 9000, timestamp '2026-11-23 01:02:03.456',
timestamptz '2026-11-23 01:02:03.456789Z', ('6f1c3c52-0000-4000-8000-' || lpad(i::text, 12, '0'))::uuid,
'Name of the \"' || i || 'th\"', 'user' || i || '@example.org',
E'Some more text, of which\\nthere is a line or two, as people write.',
ARRAY['red', 'green', NULL], ARRAY[i % 7, 2, 3], '\\x00ff00ff00ff00ff00ff00ff00ff00ff'::bytea,
jsonb_build_object('a', i, 'b', jsonb_build_array(true, null)), NULL
FROM generate_series(\$1, \$2) i"
# Two kilobytes that don't shrink to a few when the server packs them.
json_columns='id int PRIMARY KEY, doc jsonb NOT NULL'
json="SELECT i, (SELECT jsonb_object_agg('member ' || k,
    jsonb_build_object('text', md5(i || ' ' || k), 'n', k + 0.5)) FROM generate_series(1, 25) k)
FROM generate_series(\$1, \$2) i"
full="UPDATE item SET n = n + 1 WHERE id BETWEEN \$1 AND \$2"
# A hundred different ones of a thousand, others in each transaction.
hot="UPDATE item SET n = n + 1 WHERE id = ANY (ARRAY(SELECT (\$1 / 100 * 37 + k * 11) % 1000 + 1
FROM generate_series(0, \$2 - \$1) k))"

# fresh_table COLUMNS [SQL]: published, with what SQL puts there before the slot begins.
fresh_table() {
	sql "DROP PUBLICATION IF EXISTS bench; DROP TABLE IF EXISTS item;
	CREATE TABLE item ($1) WITH (fillfactor = ${fill:-100}); CREATE PUBLICATION bench FOR TABLE item;
	${2:-}" 2>"$dir/sql.log"
	sql "SELECT 1 FROM pg_create_logical_replication_slot('bench', 'pgoutput')" >"$dir/sql.out"
}

# change ROWS UNIT SQL: UNIT of them in each transaction, of SQL about the rows from $1 to $2.
change() {
	sql "CREATE OR REPLACE PROCEDURE change(total int, unit int, what text) LANGUAGE plpgsql AS \$p\$
	BEGIN
		FOR t IN 0 .. (total - 1) / unit LOOP
			EXECUTE what USING t * unit + 1, least(t * unit + unit, total);
			COMMIT;
		END LOOP;
	END \$p\$;
	CALL change($1, $2, \$q\$$3\$q\$)"
	end=$(sql 'SELECT pg_current_wal_lsn()')
	sql 'CHECKPOINT'
}

# filled SELECT N: the statement that inserts the rows from 1 to N.
filled() {
	echo "INSERT INTO item $1;" | sed "s/\\\$1, \\\$2/1, $2/"
}

# load NAME: makes $rows changes between slot bench and $end.
load() {
	rows=$(rows_of "$1")
	case $1 in
	narrow-one) columns=$narrow_columns unit=$rows what="INSERT INTO item $narrow" ;;
	narrow-many | node) columns=$narrow_columns unit=100 what="INSERT INTO item $narrow" ;;
	mixed) columns=$mixed_columns unit=100 what="INSERT INTO item $mixed" ;;
	json) columns=$json_columns unit=100 what="INSERT INTO item $json" ;;
	full | hot) columns=$narrow_columns unit=100 ;;
	esac
	case $1 in
	full)
		fresh_table "$columns" "ALTER TABLE item REPLICA IDENTITY FULL; $(filled "$narrow" "$rows")"
		what=$full
		;;
	hot)
		fill=20
		fresh_table "$columns" "$(filled "$narrow" 1000)"
		fill=100
		what=$hot
		;;
	*) fresh_table "$columns" ;;
	esac
	change "$rows" "$unit" "$what"
}
