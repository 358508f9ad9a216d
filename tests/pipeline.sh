# shellcheck shell=sh
# pipeline.sh -- what the tests of the whole pipeline share.  Sourced behind lib.sh, and
# after need_pg or own_pg and pg_db:
#
#	pipeline_conf PGCDC_ES_URL="$STANDIN_URL" PGCDC_WRITE_OPTIONS='--lanes 1'
#	pipeline_start
#	sql 'INSERT INTO t VALUES (1)'
#	pipeline_stored 'the row is stored' 30
#	pipeline_stop 'the end'
#
# One pipeline at a time: its slot is $SLOT, its publication $ID, its mapping file
# $T/mapping.yml, its run directory $RUNDIR, its log $T/pgcdc.log, its supervisor
# $PIPELINE.

SLOT=$ID
RUNDIR=$T/run

# pipeline_conf [KEY=VALUE...]: writes $T/pgcdc.conf.  The reader and the server are
# found by libpq's environment, as psql does.
pipeline_conf() {
	cat >"$T/pgcdc.conf" <<-EOT
	PGCDC_CONNINFO="dbname=$PGDATABASE"
	PGCDC_SLOT=$SLOT
	PGCDC_PUBLICATION=$ID
	PGCDC_MAPPING=$T/mapping.yml
	PGCDC_ES_URL=${PGCDC_TEST_ES_URL:-}
	PGCDC_RUNDIR=$RUNDIR
	PGCDC_RESTART_MIN=0.2
	PGCDC_RESTART_MAX=2
	EOT
	[ $# -eq 0 ] || printf '%s\n' "$@" >>"$T/pgcdc.conf"
}

slot_active() {
	[ "$(sql "SELECT active FROM pg_replication_slots WHERE slot_name = '$SLOT'")" = t ]
}

# pipeline_start [CONFIGURATION]: a check: it holds the slot.
pipeline_start() {
	bg pgcdc pgcdc run -c "${1:-$T/pgcdc.conf}" -v
	PIPELINE=$BG_PID
	wait_for 'the pipeline holds the slot' 30 slot_active
}

# pipeline_stop DESCRIPTION: a check: at TERM it ends in order.
pipeline_stop() {
	kill "$PIPELINE"
	wait_exit "$1" 60 "$PIPELINE" 0
}

# stage_pid read|map|write
stage_pid() {
	cat "$RUNDIR/$1.pid"
}

stage_pids() {
	echo "$(stage_pid read) $(stage_pid map) $(stage_pid write)"
}

wal_now() {
	sql 'SELECT pg_current_wal_lsn()'
}

# confirmed_at LSN: has the slot come there?
confirmed_at() {
	[ "$(sql "SELECT confirmed_flush_lsn >= '$1' FROM pg_replication_slots
	    WHERE slot_name = '$SLOT'")" = t ]
}

# pipeline_stored DESCRIPTION SECONDS: a check: all that is committed now is confirmed in
# time, and so it is stored.
pipeline_stored() {
	wait_for "$1" "$2" confirmed_at "$(wal_now)"
}

# clogged: the node hangs, and what the three hold and the pipes between them are full:
# the reader does not read any more, and its walsender waits for it, again and again.
clogged() {
	_waits=0
	while [ $_waits -lt 5 ]; do
		[ "$(sql "SELECT wait_event FROM pg_stat_activity JOIN pg_replication_slots
		    ON pid = active_pid WHERE slot_name = '$SLOT'")" = WalSenderWriteData ] || return
		_waits=$((_waits + 1))
		sleep 0.2
	done
	[ "$(standin GET stats | jq .hanging)" -gt 0 ]
}

# stuck STAGE: the node hangs, and the stage writes nothing any more.
stuck() {
	_written=$(sed -n 's/^wchar: //p' "/proc/$(stage_pid "$1")/io") _looks=0
	while [ $_looks -lt 5 ]; do
		_looks=$((_looks + 1))
		sleep 0.2
		[ "$(sed -n 's/^wchar: //p' "/proc/$(stage_pid "$1")/io")" = "$_written" ] || return
	done
	[ "$(standin GET stats | jq .hanging)" -gt 0 ]
}

# passed SECONDS SINCE: on the server's clock; SINCE is its text.
passed() {
	[ "$(sql "SELECT clock_timestamp() >= timestamptz '$2' + interval '$1 s'")" = t ]
}

clock() {
	sql 'SELECT clock_timestamp()'
}

# The load --------------------------------------------------------------------------

# Sessions that insert, update, delete and give other keys, in two tables, each session
# on rows of its own and, once in a transaction, on a row that all share: the sum of the
# shared rows' counters is the number of committed transactions.  Keys come again in the
# transaction that deleted them, and later; a row is changed more than once in a
# transaction.  No session passes the transaction that load_limit says.
#
# About 105 rows a transaction: 54 inserts, 30 updates, 14 deletes, 8 other keys.
load_tables() {
	sql "CREATE TABLE items (
		id bigint PRIMARY KEY,
		session int NOT NULL,
		counter int NOT NULL,
		amount numeric(14, 2),
		ratio float8,
		name text,
		flag boolean,
		uid uuid,
		made timestamp,
		note jsonb
	);
	CREATE INDEX ON items (session, id);
	CREATE TABLE pairs (
		a int,
		b text,
		value text,
		PRIMARY KEY (a, b)
	);
	ALTER TABLE pairs REPLICA IDENTITY FULL;
	CREATE TABLE load_limit (transactions int NOT NULL);
	INSERT INTO load_limit VALUES (0);
	CREATE TABLE load_rows (session int, transaction int, changed int,
		lsn pg_lsn DEFAULT pg_current_wal_insert_lsn());
	INSERT INTO items (id, session, counter) SELECT i, -1, 0 FROM generate_series(1, 10) i;
	CREATE PUBLICATION $ID FOR TABLE items, pairs;
	CREATE PROCEDURE load_session(mine int, transactions int) LANGUAGE plpgsql AS \$\$
	DECLARE
		top bigint := mine * 1000000;
		start bigint;
		n int;
		total int;
		gone bigint[];
	BEGIN
		PERFORM setseed(mine / 100.0);
		FOR i IN 1 .. transactions LOOP
			WHILE i > (SELECT l.transactions FROM load_limit l) LOOP
				COMMIT;
				PERFORM pg_sleep(0.01);
			END LOOP;
			INSERT INTO items SELECT top + k, mine, 0, round((random() * 1e9)::numeric, 2),
			    k + 0.25, E'\"r\u00f6w\"\\\\\\t\n' || md5(random()::text), k % 3 = 0,
			    md5(k::text)::uuid, CASE WHEN k % 4 > 0 THEN clock_timestamp() END,
			    jsonb_build_object('k', k, 'half', 0.50, 'deep', jsonb_build_array(NULL, '\"'))
			    FROM generate_series(1, 44) k;
			GET DIAGNOSTICS total = ROW_COUNT;
			top := top + 44;
			-- Updates, some of them of rows that are new in this transaction, and twice.
			start := mine * 1000000 + 1 + (random() * (top - mine * 1000000 - 20))::bigint;
			UPDATE items SET counter = counter + 1, name = 'one' || top, uid = NULL
			    WHERE session = mine AND id BETWEEN start AND start + 19;
			GET DIAGNOSTICS n = ROW_COUNT;
			total := total + n;
			UPDATE items SET counter = counter + 1, note = NULL, amount = -amount
			    WHERE session = mine AND id > top - 10;
			GET DIAGNOSTICS n = ROW_COUNT;
			total := total + n;
			-- Deletes; half of the keys come again at once.
			start := mine * 1000000 + 1 + (random() * (top - mine * 1000000 - 20))::bigint;
			WITH d AS (DELETE FROM items WHERE session = mine AND id BETWEEN start AND start + 12
			    RETURNING id) SELECT array_agg(id) FROM d INTO gone;
			n := coalesce(cardinality(gone), 0);
			INSERT INTO items (id, session, counter) SELECT g, mine, i FROM unnest(gone[1:6]) g;
			total := total + n + least(n, 6);
			-- Other keys: fresh ones, and keys that were deleted before.
			UPDATE items SET id = -id, name = 'moved'
			    WHERE session = mine AND id BETWEEN start - 6 AND start - 1 AND id > mine * 1000000
			    AND NOT EXISTS (SELECT FROM items o WHERE o.id = -items.id);
			GET DIAGNOSTICS n = ROW_COUNT;
			total := total + n;
			INSERT INTO pairs SELECT mine, 'k|' || i || '\\' || k, md5(k::text)
			    FROM generate_series(1, 6) k;
			UPDATE pairs SET b = b || '|', value = NULL WHERE a = mine AND b LIKE 'k|' || i || '%2';
			UPDATE pairs SET a = a + 100 WHERE a = mine AND b LIKE 'k|' || i || '%3';
			UPDATE pairs SET value = repeat(value, 3) WHERE a = mine AND b LIKE 'k|' || i || '%4';
			DELETE FROM pairs WHERE a = mine AND b LIKE 'k|' || (i - 1) || '%6';
			UPDATE items SET counter = counter + 1 WHERE id = 1 + (i * 7 + mine) % 10;
			INSERT INTO load_rows VALUES (mine, i, total + 11);
			COMMIT;
			PERFORM pg_sleep(0.02);
		END LOOP;
	END \$\$"
}

# load_mapping: the indexes are $ID-items and $ID-pairs.
load_mapping() {
	cat >"$T/mapping.yml" <<-EOT
	tables:
	  - table: public.items
	    index: $ID-items
	  - table: public.pairs
	    index: $ID-pairs
	EOT
}

# load_indexes: on a real node.  Without dynamic mapping it stores documents as they are.
load_indexes() {
	for _index in "$ID-items" "$ID-pairs"; do
		es PUT "$_index" '{"settings":{"number_of_replicas":0},"mappings":{"dynamic":false}}' \
		    >"$T/index.answer" || bail "cannot make the index: $(cat "$T/index.answer")"
	done
}

# load_start SESSIONS TRANSACTIONS [NUMBER]: so many transactions in each session; numbers
# behind NUMBER (0), for each session's rows are its own.
load_start() {
	LOADS=''
	load_until 0
	_session=${3:-0}
	while [ "$_session" -lt $((${3:-0} + $1)) ]; do
		_session=$((_session + 1))
		bg "load" psql -XAtq -v ON_ERROR_STOP=1 -c "CALL load_session($_session, $2)"
		LOADS="$LOADS $BG_PID"
	done
}

# load_until TRANSACTIONS: lets each session come there.
load_until() {
	sql "UPDATE load_limit SET transactions = $1"
}

# load_committed: how many transactions, over all sessions.
load_committed() {
	sql 'SELECT sum(counter) FROM items WHERE id <= 10 AND id > 0'
}

load_came_to() {
	[ "$(load_committed)" -ge "$1" ]
}

# load_stored [URL]: how many of them the shared rows' documents tell of.  A get of a
# document sees what is stored, without a refresh.
load_stored() {
	curl -sS --noproxy '*' -H 'Content-Type: application/json' \
	    --data-binary '{"ids":["1","2","3","4","5","6","7","8","9","10"]}' \
	    "${1:-$PGCDC_TEST_ES_URL}/$ID-items/_mget" |
	    jq '[.docs[]._source.counter // 0] | add'
}

# load_end TRANSACTIONS ROWS: checks: the sessions ended well, and did so much at least.
load_end() {
	_bad=0
	for _pid in $LOADS; do
		wait "$_pid" || _bad=1
	done
	is "$_bad" 0 'the load was committed'
	sql "SELECT count(*) || ' transactions, ' || sum(changed) || ' rows' FROM load_rows" | diag
	is "$(sql "SELECT count(*), sum(changed) >= $2 FROM load_rows")" "$1|t" 'it was large'
}

# standin_docs INDEX: as es_docs, of the stand-in.
standin_docs() {
	standin GET "docs?index=$1" >"$T/hits"
	jq -r ._id "$T/hits" >"$T/ids"
	sed 's/^{"_index":[^{]*,"_source"://; s/}$//' "$T/hits" | paste "$T/ids" - | canonical_docs
}

# rows TABLE ID: the documents that the table should be, the id an expression.
rows() {
	sql "SELECT $2 || E'\t' || row_to_json(t) FROM $1 t" | canonical_docs
}

# load_same [DOCS_COMMAND]: checks: the documents are the tables' rows, field by field.
load_same() {
	for _table in items pairs; do
		case $_table in
		items) _id='id::text' ;;
		pairs) _id="a || '|' || replace(replace(b, '\\', '\\\\'), '|', '\\|')" ;;
		esac
		rows "$_table" "$_id" >"$T/$_table.rows"
		"${1:-es_docs}" "$ID-$_table" >"$T/$_table.docs"
		same "$T/$_table.docs" "$T/$_table.rows" \
		    "$_table: each row is a document, each document a row: $(wc -l <"$T/$_table.rows")"
	done
}
