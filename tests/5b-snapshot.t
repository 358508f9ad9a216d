#!/bin/sh
# The whole pipeline loads tables while sessions change them in all ways, and its stages are
# killed: in the end the index equals the tables.
#
# LONG=1 runs 50 seeds, SEEDS='7 8' those.  ROWS says how many are there at first.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
need_pg
standin_start
if [ -n "${SEEDS:-}" ]; then
	seeds=$SEEDS
elif [ -n "${LONG:-}" ]; then
	seeds=$(seq 1 50)
else
	seeds='1 2'
fi
ROWS=${ROWS:-30000}

# tables: keyed with large values that most updates leave alone, FULL with a key, FULL without.
tables() {
	sql "CREATE TABLE items (id bigint PRIMARY KEY, n int, big text, name text);
	ALTER TABLE items ALTER big SET STORAGE EXTERNAL;
	CREATE TABLE pairs (a int, b text, n int, PRIMARY KEY (b, a));
	CREATE TABLE loose (a int, b text, n int);
	ALTER TABLE pairs REPLICA IDENTITY FULL; ALTER TABLE loose REPLICA IDENTITY FULL;
	CREATE TABLE parts (id int, n int, PRIMARY KEY (id)) PARTITION BY HASH (id);
	CREATE TABLE parts0 PARTITION OF parts FOR VALUES WITH (MODULUS 2, REMAINDER 0);
	CREATE TABLE parts1 PARTITION OF parts FOR VALUES WITH (MODULUS 2, REMAINDER 1);
	CREATE TABLE heads (id int PRIMARY KEY, n int);
	INSERT INTO items SELECT i, 0, CASE WHEN i % 20 = 0 THEN repeat(md5(i::text), 80) END,
	    'name ' || i FROM generate_series(1, $ROWS) i;
	INSERT INTO pairs SELECT i % 100, 'b' || i / 100, 0 FROM generate_series(1, $ROWS / 2) i;
	INSERT INTO loose SELECT i, 'l', 0 FROM generate_series(1, $ROWS / 4) i;
	INSERT INTO parts SELECT i, 0 FROM generate_series(1, $ROWS / 4) i;
	INSERT INTO heads SELECT i, 0 FROM generate_series(1, 2000) i;
	CREATE PUBLICATION $ID FOR TABLE items, pairs, loose, parts, heads
	    WITH (publish_via_partition_root);
	CREATE PROCEDURE churn(seed int, transactions int) LANGUAGE plpgsql AS \$\$
	DECLARE
		k int;
		what int;
	BEGIN
		PERFORM setseed(seed / 1000.0);
		FOR i IN 1 .. transactions LOOP
			FOR j IN 1 .. 1 + (random() * 20)::int LOOP
				k := 1 + (random() * $ROWS)::int;
				what := (random() * 11)::int;
				CASE what
				WHEN 0, 1, 2 THEN UPDATE items SET n = n + 1 WHERE id BETWEEN k AND k + 9;
				WHEN 3 THEN UPDATE items SET big = repeat(md5(random()::text), 90) WHERE id = k;
				WHEN 4 THEN UPDATE items SET id = -id, n = n + 1 WHERE id = k
				    AND NOT EXISTS (SELECT FROM items WHERE id = -k);
				WHEN 5 THEN DELETE FROM items WHERE id BETWEEN k AND k + 2;
				WHEN 6 THEN INSERT INTO items VALUES (k, i, repeat('n', 4000), 'again')
				    ON CONFLICT (id) DO UPDATE SET n = items.n + 100;
				WHEN 7 THEN UPDATE pairs SET n = n + 1 WHERE b = 'b' || k / 200;
				WHEN 8 THEN UPDATE pairs SET a = a + 1000 WHERE b = 'b' || k / 200 AND a < 5
				    AND NOT EXISTS (SELECT FROM pairs p WHERE p.b = pairs.b AND p.a = pairs.a + 1000);
				WHEN 9 THEN UPDATE loose SET n = n + 1 WHERE a BETWEEN k / 4 AND k / 4 + 5;
				WHEN 10 THEN DELETE FROM loose WHERE a = k / 4;
				ELSE UPDATE parts SET n = n + 1, id = id + CASE WHEN k % 3 = 0 THEN 1000000 ELSE 0 END
				    WHERE id = k / 4;
				END CASE;
			END LOOP;
			IF i % 40 = 0 THEN
				ROLLBACK;
			ELSE
				COMMIT;
			END IF;
			PERFORM pg_sleep(0.005);
		END LOOP;
	END \$\$"
}
cat >"$T/mapping.yml" <<EOT
tables:
  - { table: public.items, index: $ID-items }
  - { table: public.pairs, index: $ID-pairs }
  - { table: public.loose, index: $ID-loose, id: "{a}" }
  - { table: public.parts, index: $ID-parts }
  - { table: public.heads, index: $ID-heads, on: { truncate: delete } }
EOT

churns() {
	CHURNS=''
	for _n in 1 2 3; do
		bg churn psql -XAtq -v ON_ERROR_STOP=0 -c "SET default_transaction_isolation = 'read committed'" \
		    -c "CALL churn($((seed * 10 + _n)), 120)"
		CHURNS="$CHURNS $BG_PID"
	done
}
churned() {
	for _pid in $CHURNS; do
		! _runs "$_pid" || return
	done
}
# What is not in a transaction, or for all rows.
disturb() {
	sql 'VACUUM items'
	sql 'VACUUM FULL pairs'
	sql 'TRUNCATE heads; INSERT INTO heads SELECT i, 1 FROM generate_series(500, 900) i'
	sql 'VACUUM (TRUNCATE) loose'
}
same_docs() {
	rows "$1" "$2" >"$T/$1.rows"
	standin_docs "$ID-$1" >"$T/$1.docs"
	same "$T/$1.docs" "$T/$1.rows" "seed $seed: $1: each row is a document: $(wc -l <"$T/$1.rows")"
}
all_same() {
	same_docs items 'id::text'
	same_docs pairs "b || '|' || a"
	same_docs loose 'a::text'
	same_docs parts 'id::text'
	same_docs heads 'id::text'
}
all_loaded() {
	[ "$(pgcdc snapshot -c "$T/pgcdc.conf" | grep -c '^table .* loaded ')" -ge 1 ] &&
	    ! pgcdc snapshot -c "$T/pgcdc.conf" | grep '^table' | grep -qv ' loaded '
}
state_loaded() {
	[ "$(grep -c '^table .* loaded$' "$RUNDIR/$SLOT.state")" -eq 6 ]
}
killed_again() {
	_new=$(stage_pid "$1") && [ "$_new" != "$2" ]
}

for seed in $seeds; do
	[ "$seed" = "${seeds%% *}" ] || {
		_drop_databases
		_dbs=''
		standin POST 'reset?only=docs' >"$T/out"
		rm -rf "$T/run"
	}
	pg_db "$seed"
	# shellcheck source=pipeline.sh
	. "$TOP/tests/pipeline.sh"
	tables
	sql "SELECT 1 FROM pg_create_logical_replication_slot('$SLOT', 'pgoutput')" >"$T/slot"
	pipeline_conf PGCDC_ES_URL="$STANDIN_URL" PGCDC_SNAPSHOT=initial \
	    PGCDC_READ_OPTIONS="--snapshot-chunk-bytes 60000 --snapshot-max-rate 1500000"
	churns
	pipeline_start
	for stage in read write map; do
		was=$(stage_pid $stage)
		sleep "0.$((seed * 3 % 8 + 1))"
		kill -s KILL "$was"
		wait_for "seed $seed: $stage is killed, and started again" 30 killed_again $stage "$was"
		[ "$stage" != write ] || disturb
	done
	wait_for "seed $seed: all is loaded" 120 state_loaded
	wait_for "seed $seed: the sessions come to their end" 120 churned
	pipeline_stored "seed $seed: all is stored" 120
	# Before anything is loaded again, which would mend what went wrong.
	all_same
	churns
	is "$(pgcdc snapshot -c "$T/pgcdc.conf" items public.parts)" 'ok 3' 'two tables once more'
	wait_for "seed $seed: they are" 120 all_loaded
	wait_for "seed $seed: the sessions come to their end again" 120 churned
	pipeline_stored "seed $seed: all is stored again" 120
	all_same
	pipeline_stop 'it ends in order'
done
exits 100 'a table that is none' pgcdc snapshot -c "$T/pgcdc.conf" -x
exits 111 'without a pipeline' pgcdc snapshot -c "$T/pgcdc.conf" items
done_testing
