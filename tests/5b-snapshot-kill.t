#!/bin/sh
# Tables are loaded by the whole pipeline while sessions change them in all ways, large values,
# keys, truncates, rewrites; and stages are killed at random moments and started again.  In the end
# the documents are the rows: snapshot-kill.py tells what else is looked at.
#
# LONG=1 runs 50 seeds with 1,000,000 rows, SEED=n that one; ROWS says how many rows.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
PG_SERVER_CONF='autovacuum_naptime = 1s'
export PG_SERVER_CONF
own_pg

if [ -n "${LONG:-}" ]; then
	seeds=$(seq 1 50) rows=${ROWS:-1000000}
else
	seeds='1 2' rows=${ROWS:-20000}
fi
seeds=${SEED:-$seeds}
driver=$TOP/tests/snapshot-kill.py

# Made once; each seed has a copy.
pg_db tables
tables=$PGDATABASE
ok "$rows rows" "$PYTHON" "$driver" tables --rows "$rows"

# Few rows are loaded so slowly that there is a time to kill; of many, every other seed loads as
# fast as it can.
for seed in $seeds; do
	if [ "$rows" -le 100000 ]; then
		set -- --rate $((rows / 5)) --kills 6 --pause 0.8
	elif [ $((seed % 2)) -eq 0 ]; then
		set -- --rate $((rows / 10)) --kills 20 --pause 4
	else
		set -- --kills 12 --pause 3
	fi
	db=${ID}_$seed
	PGDATABASE=postgres sql "CREATE DATABASE $db TEMPLATE $tables" || bail 'no database'
	mkdir "$T/$seed"
	standin_start --gc-deletes-ms 86400000 --log "$T/$seed/items"
	PGDATABASE=$db "$PYTHON" "$driver" run "$seed" --rows "$rows" --name "$db" --dir "$T/$seed" \
	    --standin "$STANDIN_URL" --log "$T/$seed/items" "$@" >"$T/$seed/out" 2>&1
	status=$?
	diag <"$T/$seed/out"
	is "$status" 0 "seed $seed: the documents are the rows" || {
		grep -Eh ' (error|warn) ' "$T/$seed"/*.[0-9]*.log | sort | tail -n 40 | cut -c 1-300 | diag
		[ -z "${KEEP:-}" ] || break
	}
	kill "$STANDIN_PID"
	_until 20 _ended "$STANDIN_PID"
	PGDATABASE=$db sql "SELECT pg_drop_replication_slot('$db')" >"$T/null"
	PGDATABASE=postgres sql "DROP DATABASE $db WITH (FORCE)"
	[ -n "${KEEP:-}" ] || rm -rf "${T:?}/$seed"
done
done_testing
