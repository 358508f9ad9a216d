#!/bin/sh
# A transaction of 1,000,000 rows goes through the whole pipeline in bounded memory: the
# peaks of the three programs (VmHWM) make at most 48 MiB.  In its middle the node hangs
# until nothing moves any more.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
need_pg
pg_db
# shellcheck source=pipeline.sh
. "$TOP/tests/pipeline.sh"

rows=1000000
sql "CREATE TABLE narrow (id int PRIMARY KEY, n int NOT NULL, name text NOT NULL);
CREATE PUBLICATION $ID FOR TABLE narrow"
sql "SELECT 1 FROM pg_create_logical_replication_slot('$SLOT', 'pgoutput')" >"$T/slot"
cat >"$T/mapping.yml" <<EOT
tables:
  - table: public.narrow
    index: $ID
EOT
standin_start --store versions
pipeline_conf PGCDC_ES_URL="$STANDIN_URL"
pipeline_start
pids=$(stage_pids)
standin POST 'fault?kind=hang&skip=8' >"$T/fault"
sql "INSERT INTO narrow SELECT i, i % 1000, 'name of ' || i FROM generate_series(1, $rows) i"
committed=$(wal_now)
wait_for 'in its middle all is full' 60 stuck read
ok 'part of it is stored' test "$(standin GET stats | jq .created)" -gt 0
standin POST release >"$T/fault"
wait_for 'the transaction is stored' 240 confirmed_at "$committed"

sum=0
for stage in read map write; do
	kb=$(vmhwm "$(stage_pid $stage)")
	sum=$((sum + ${kb:-1000000}))
	diag "$stage: $kb kB"
done
diag "sum: $sum kB of $((48 * 1024))"
ok 'the three programs need at most 48 MiB' test $sum -le $((48 * 1024))
is "$(stage_pids)" "$pids" 'they are those that began'
standin GET stats >"$T/stats"
is "$(jq -c '[.created, .docs, .updated, .deleted, .conflicts, .errors]' "$T/stats")" \
    "[$rows,$rows,0,0,0,0]" 'every row is a document, and was sent once'
pipeline_stop 'it ends in order'
done_testing
