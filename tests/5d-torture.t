#!/bin/sh
# Torture: sessions change tables of all types in all ways while whatever can go wrong does, stages
# and supervisor are killed and stopped, servers restarted, connections cut, frozen and slow, disks
# full; in the end each row is a document, and nothing was ever confirmed that was not stored.
# torture/torture.py tells what is looked at.
#
# LONG=1 runs 200 seeds, SEED=n or SEEDS='7 8', SEEDS=1-20 those; SECONDS_EACH=n gives each so much
# time.  Times differ from run to run, so that a seed that failed may have to be tried several
# times; KEEP=1 keeps what it leaves.  With TORTURE_NODE=real every tenth seed, and each of those
# that were given, has a real node, killed by -9, in place of the stand-in.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

if [ -n "${LONG:-}" ]; then
	seeds=$(seq 1 200) seconds=25 rows=5000
else
	seeds='1 2 3' seconds=9 rows=2000
fi
seeds=${SEED:-${SEEDS:-$seeds}} seconds=${SECONDS_EACH:-$seconds}
case $seeds in
[0-9]*-[0-9]*) seeds=$(seq "${seeds%-*}" "${seeds#*-}") ;;
esac

PG_SERVER_CONF='logical_decoding_work_mem = 64kB
wal_sender_timeout = 5s
autovacuum_naptime = 1s'
export PG_SERVER_CONF
own_pg
export PG_DIR
driver=$TOP/tests/torture/torture.py

# Documents are stored as they are, without dynamic mapping.
if [ "${TORTURE_NODE:-}" = real ]; then
	own_es
	es PUT _index_template/torture '{ "index_patterns": ["t*-*"], "template": { "settings": {
	    "number_of_shards": 1, "number_of_replicas": 0, "index.gc_deletes": "1h" },
	    "mappings": { "dynamic": false } } }' >"$T/answer" || bail "no template: $(cat "$T/answer")"
fi

# Made once; each seed has a copy.
pg_db tables
tables=$PGDATABASE
ok 'types' psql -XAtq -v ON_ERROR_STOP=1 -v dynamic=1 -f "$TOP/tests/types.sql"
ok "tables for $rows rows" "$PYTHON" "$driver" tables --rows "$rows"

# The spool is a file system of its own, in a name space of the driver's, which ends with it.
mkdir "$T/spool"
if unshare -m mount -t tmpfs -o size=1m tmpfs "$T/spool" 2>"$T/mount.err"; then
	own='unshare -m'
	inside="mount -t tmpfs -o size=32m tmpfs '$T/spool' && exec"
else
	diag "NO FILE SYSTEM OF ITS OWN FOR THE SPOOL: $(cat "$T/mount.err"); files are limited instead"
	own='' inside=exec
fi

# is_real SEED: on a real node?
is_real() {
	[ "${TORTURE_NODE:-}" = real ] && { [ -n "${SEED:-}${SEEDS:-}" ] || [ $(($1 % 10)) -eq 0 ]; }
}

# torture SEED: 0 if nothing went wrong.
torture() {
	set -- "$PYTHON" "$driver" run "$1" --name "t$1" --dir "$dir" --seconds "$seconds" \
	    ${own:+--spool "$T/spool"}
	if is_real "$seed"; then
		set -- "$@" --node "$PGCDC_TEST_ES_URL" --node-dir "$ES_DIR"
	else
		set -- "$@" --standin "$STANDIN_URL" --log "$dir/items"
	fi
	PGDATABASE=$db $own sh -c "$inside \"\$@\"" - "$@" >"$dir/out" 2>&1
}

for seed in $seeds; do
	db=${ID}_$seed dir=$T/$seed
	PGDATABASE=postgres sql "CREATE DATABASE $db TEMPLATE $tables" || bail 'no database'
	mkdir "$dir"
	is_real "$seed" ||
	    standin_start --shards 3 --gc-deletes-ms 86400000 --log "$dir/items"
	torture "$seed"
	status=$?
	grep -v '^count ' "$dir/out" | cut -c 1-1000 | diag
	sed -n 's/^count //p' "$dir/out" | tee -a "$T/counts" | paste -s -d , | diag
	is "$status" 0 "seed $seed" || {
		grep -h -e error -e warn "$dir/pgcdc.log" | tail -n 20 | cut -c 1-300 | diag
		diag "alone: SEED=$seed KEEP=1 SECONDS_EACH=$seconds prove tests/5d-torture.t"
		[ -z "${KEEP:-}" ] || break
	}
	if is_real "$seed"; then
		es DELETE "t$seed-*" >"$T/answer"
	else
		kill "$STANDIN_PID"
		_until 20 _ended "$STANDIN_PID"
	fi
	PGDATABASE=postgres sql "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots
	    WHERE database = '$db'" >"$T/null"
	PGDATABASE=$db sql "SELECT format('ROLLBACK PREPARED %L;', gid) FROM pg_prepared_xacts
	    WHERE database = '$db'" >"$T/prepared"
	PGDATABASE=$db psql -Xqf "$T/prepared"
	PGDATABASE=postgres sql "DROP DATABASE $db WITH (FORCE)"
	[ -n "${KEEP:-}" ] || rm -rf "${T:?}/$seed"
done

# All of it really happened.
if [ "$(echo "$seeds" | wc -w)" -ge 3 ] && [ "$_failed" -eq 0 ]; then
	for what in transactions rows acknowledged documents kills stops cuts restarts refusals lost; do
		n=$(awk -v what=$what '$1 == what { n += $2 } END { print n + 0 }' "$T/counts")
		ok "$what: $n" [ "$n" -gt 0 ]
	done
fi

# In one line.
touch "$T/counts"
awk -v seeds="$(echo "$seeds" | wc -w)" -v failed="$_failed" '
	$1 == "memory" { if ($2 > most) most = $2; next }
	{ n[$1] += $2 }
	END { printf "%d of %d seeds passed: %d transactions, %d rows, %d kills, %d stops, %d cuts, " \
	    "%d restarts, %d refusals, %d acks of %d changes checked, %d documents, %d kB at most\n",
	    seeds - failed, seeds, n["transactions"], n["rows"], n["kills"], n["stops"], n["cuts"],
	    n["restarts"], n["refusals"], n["acks"], n["acknowledged"], n["documents"], most }' \
    "$T/counts" | diag
done_testing
