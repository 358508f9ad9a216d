# shellcheck shell=sh
# memory.sh -- a large transaction, and what the pipeline needs for it.  Sourced behind
# pipeline.sh.

# narrow_table: public.narrow, published, with the slot and the mapping file.
narrow_table() {
	sql "CREATE TABLE narrow (id int PRIMARY KEY, n int NOT NULL, name text NOT NULL);
	CREATE PUBLICATION $ID FOR TABLE narrow"
	sql "SELECT 1 FROM pg_create_logical_replication_slot('$SLOT', 'pgoutput')" >"$T/slot"
	cat >"$T/mapping.yml" <<-EOT
	tables:
	  - table: public.narrow
	    index: $ID
	EOT
}

# large_transaction: 1,000,000 rows go through the pipeline that pipeline_start began.  In
# their middle the node hangs until nothing moves any more.
large_transaction() {
	_rows=1000000
	_pids=$(stage_pids)
	standin POST 'fault?kind=hang&skip=8' >"$T/fault"
	sql "INSERT INTO narrow SELECT i, i % 1000, 'name of ' || i FROM generate_series(1, $_rows) i"
	_committed=$(wal_now)
	wait_for 'in its middle all is full' 60 stuck read
	ok 'part of it is stored' test "$(standin GET stats | jq .created)" -gt 0
	standin POST release >"$T/fault"
	wait_for 'the transaction is stored' 240 confirmed_at "$_committed"
	is "$(stage_pids)" "$_pids" 'by the programs that began'
	standin GET stats >"$T/stats"
	is "$(jq -c '[.created, .docs, .updated, .deleted, .conflicts, .errors]' "$T/stats")" \
	    "[$_rows,$_rows,0,0,0,0]" 'every row is a document, and was sent once'
}

# memory_bounded: the peaks of the three programs (VmHWM) make at most 48 MiB.
memory_bounded() {
	_sum=0
	for _stage in read map write; do
		_kb=$(vmhwm "$(stage_pid $_stage)")
		_sum=$((_sum + ${_kb:-1000000}))
		diag "$_stage: $_kb kB"
	done
	diag "sum: $_sum kB of $((48 * 1024))"
	ok 'the three programs need at most 48 MiB' test $_sum -le $((48 * 1024))
}
