#!/bin/sh
# The cluster is away while a load runs: a real node that is stopped and started again,
# and a node that takes requests and does not answer for longer than the server's
# wal_sender_timeout.  Nothing is lost, no process ends, and the replication connection
# stays the same one.
#
# LONG=1: the full load and longer outages.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
need_pg
own_es
pg_db
# shellcheck source=pipeline.sh
. "$TOP/tests/pipeline.sh"

if [ -n "${LONG:-}" ]; then
	transactions=1000 rows=100000 stopped=20 hanging=30
else
	transactions=300 rows=30000 stopped=8 hanging=12
fi

# The process that serves the reader.
walsender() {
	sql "SELECT active_pid FROM pg_replication_slots WHERE slot_name = '$SLOT'"
}

# note: what must be the same after the outage.
note() {
	pids=$(stage_pids)
	sender=$(walsender)
}

undisturbed() {
	is "$(stage_pids)" "$pids" "$1: the same three processes"
	is "$(walsender)" "$sender" "$1: the same replication connection"
	is "$(grep -c 'msg="streaming"' "$T/pgcdc.log")" 1 "$1: it was made once"
}

behind() {
	[ "$(load_stored "$url")" -lt "$(load_committed)" ]
}

load_tables
load_mapping

# A node that is stopped
url=$PGCDC_TEST_ES_URL
load_indexes
sql "SELECT 1 FROM pg_create_logical_replication_slot('$SLOT', 'pgoutput')" >"$T/slot"
sql 'UPDATE items SET counter = counter'
pipeline_conf
pipeline_start
note
load_start 4 $((transactions / 4))
load_until $((transactions / 8))
wait_for 'stopped: the load goes on' 60 load_came_to $((transactions / 8))
ok 'stopped: not all is stored' behind
"$TOP/tests/search-node" stop "$ES_DIR"
since=$(clock)
load_until "$transactions"
load_end $transactions $rows
tries_again() {
	grep -q 'the cluster does not answer: trying again' "$T/pgcdc.log"
}
wait_for 'stopped: the log says so' 60 tries_again
wait_for "stopped: for $stopped s" 60 passed $stopped "$since"
undisturbed stopped
"$TOP/tests/search-node" start "$ES_DIR" >"$T/again.log" 2>&1 || bail 'the node did not start again'
diag "stopped: the node was away from $since to $(clock)"
pipeline_stored 'stopped: all is stored' 120
undisturbed 'back again'
load_same
pipeline_stop 'stopped: it ends in order'
"$TOP/tests/search-node" stop "$ES_DIR"

# A node that hangs.  Some rows are large, so that what the three hold and the pipes
# between them are soon full, and the reader cannot go on reading.
sql "TRUNCATE items, pairs, load_rows;
CREATE TABLE large (id int PRIMARY KEY, body text NOT NULL);
ALTER PUBLICATION $ID ADD TABLE large;
INSERT INTO items (id, session, counter) SELECT i, -1, 0 FROM generate_series(1, 10) i"
cat >>"$T/mapping.yml" <<EOT
  - table: public.large
    index: $ID-large
EOT
SLOT=${SLOT}_hang RUNDIR=$T/hang
rm "$T/pgcdc.log"
sql "SELECT 1 FROM pg_create_logical_replication_slot('$SLOT', 'pgoutput')" >"$T/slot"
sql 'UPDATE items SET counter = counter'
standin_start
url=$STANDIN_URL
pipeline_conf PGCDC_ES_URL="$url" \
    "PGCDC_CONNINFO=\"dbname=$PGDATABASE options='-c wal_sender_timeout=5s'\""
pipeline_start
pipeline_stored 'hanging: it stores' 30
note

standin POST 'fault?kind=hang' >"$T/fault"
load_start 4 $((transactions / 4))
load_until $((transactions / 4))
load_end $transactions $rows
sql "INSERT INTO large SELECT i, repeat('0123456789', 100000) FROM generate_series(1, 50) i"
wait_for 'hanging: all is full, the reader does not read' 60 clogged
sent() {
	sql "SELECT sent_lsn FROM pg_stat_replication WHERE pid = $sender"
}
sent=$(sent)
since=$(clock)
wait_for "hanging: for $hanging s more, with a wal_sender_timeout of 5 s" 60 passed $hanging "$since"
undisturbed hanging
is "$(sent)" "$sent" 'hanging: nothing was read meanwhile'
# A session's second transaction is behind a commit that is not stored.
is "$(sql "SELECT confirmed_flush_lsn < (SELECT min(lsn) FROM load_rows WHERE transaction = 2)
    FROM pg_replication_slots WHERE slot_name = '$SLOT'")" t 'hanging: nothing is confirmed'
standin POST release >"$T/fault"
pipeline_stored 'released: all is stored' 120
undisturbed released
load_same standin_docs
rows large id >"$T/large.rows"
standin_docs "$ID-large" >"$T/large.docs"
same "$T/large.docs" "$T/large.rows" 'large: every row'
pipeline_stop 'released: it ends in order'
done_testing
