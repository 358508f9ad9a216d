#!/bin/sh
# Random workloads: whatever sessions do to tables, the frames of it make the same tables,
# whether transactions are streamed while they run or sent when they commit.
#
# LONG=1 runs 200 seeds, SEEDS='7 8' those.  KEEP=1 keeps the frames and the statements of
# seeds that fail.

# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"
need_pg

# What the three slots are read with.  Protocol 2 came with 14, 3 with 15, 4 with 16.
version=$(sql 'SHOW server_version_num')
if [ "$version" -ge 160000 ]; then
	newest='--proto 4'
elif [ "$version" -ge 150000 ]; then
	newest='--proto 3'
else
	newest='' # what the reader chooses
fi

if [ -n "${SEEDS:-}" ]; then
	seeds=$SEEDS
elif [ -n "${LONG:-}" ]; then
	seeds=$(seq 1 200)
else
	seeds=$(seq 1 5)
fi

# reader SLOT OPTIONS: the command that reads a slot to its end.
reader() {
	echo "pgcdc-read -s ${ID}_$1 -p $ID --messages --until-caught-up" \
	    "-o $dir/$1.frames $2 2>>$dir/read.log"
}

# frames_make_tables SEED: the third slot is read twice, the first time while transactions
# are open.
frames_make_tables() {
	sql "ALTER DATABASE $PGDATABASE SET logical_decoding_work_mem = '64kB';
	CREATE PUBLICATION $ID FOR ALL TABLES WITH (publish_via_partition_root);" || return
	sql "SELECT pg_create_logical_replication_slot('${ID}_' || i, 'pgoutput')
	    FROM generate_series(1, 3) AS i" || return
	"$PYTHON" "$TOP/tests/workload.py" "$1" -l "$dir/statements" \
	    --midway "$(reader 3 "$newest")" || return
	eval "$(reader 1 '--proto 1')" || return
	eval "$(reader 2 '--proto 2')" || return
	eval "$(reader 3 "$newest")" || return
	"$PYTHON" "$TOP/tests/apply.py" "$dir/1.frames" "$dir/2.frames" "$dir/3.frames" \
	    >"$dir/compared" || return
}

drop_slots() {
	sql "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots
	    WHERE starts_with(slot_name, '${ID}_') AND NOT active"
}

# The server counts what it streams, and tells a little later.
streamed() {
	[ "$(sql "SELECT string_agg((stream_txns > 0)::text, ' ' ORDER BY slot_name)
	    FROM pg_stat_replication_slots WHERE starts_with(slot_name, '${ID}_')")" = \
	    'false true true' ]
}

last=''
for seed in $seeds; do
	if [ -n "$last" ]; then
		drop_slots >"$T/out"
		PGDATABASE=postgres sql "DROP DATABASE $last WITH (FORCE)"
	fi
	pg_db "$seed"
	last=$PGDATABASE
	dir=$T/$seed
	mkdir "$dir"
	if ok "seed $seed: three times the same units, and the tables that there are" \
	    frames_make_tables "$seed"; then
		diag <"$dir/compared"
		rm -r "$dir"
	else
		tail -n 5 "$dir/read.log" | diag
		diag "alone: SEEDS=$seed KEEP=1 tests/run tests/37-read-random.t"
	fi
done
wait_for 'large transactions are streamed, but with protocol 1' 20 streamed
done_testing
