#!/bin/sh
# As 55-memory.t, with TLS to the server and to the node, and packed requests.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
own_pg
pg_db
# shellcheck source=pipeline.sh
. "$TOP/tests/pipeline.sh"
# shellcheck source=memory.sh
. "$TOP/tests/memory.sh"
# shellcheck source=front.sh
. "$TOP/tests/front.sh"

encrypted() {
	[ "$(psql -XAtc "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()" 2>"$T/null")" = t ]
}

authority ca || bail 'openssl made no certificate'
certificate server ca 'DNS:localhost,IP:127.0.0.1'
data=$(sql 'SHOW data_directory')
for file in server.crt server.key; do
	cp "$T/$file" "$data/$file"
	chown --reference="$data" "$data/$file"
	chmod 600 "$data/$file"
done
# One statement each: ALTER SYSTEM is none for a transaction.
sql "ALTER SYSTEM SET ssl = on" >"$T/null" 2>&1 || {
	skip 'memory with TLS' 'NOT CHECKED: a server without SSL'
	done_testing
	exit 0
}
sql 'SELECT pg_reload_conf()' >"$T/null"
export PGSSLMODE=verify-full PGSSLROOTCERT="$T/ca.crt"
wait_for 'the server speaks TLS' 20 encrypted

narrow_table
standin_start --store versions
front tls --tls "$T/server.chain" "$T/server.key"
pipeline_conf PGCDC_ES_URL="https://localhost:$FRONT" \
    "PGCDC_WRITE_OPTIONS='--gzip --cacert $T/ca.crt'"
pipeline_start
is "$(sql "SELECT bool_and(ssl) FROM pg_stat_replication JOIN pg_stat_ssl USING (pid)")" t \
    'the reader speaks TLS'
large_transaction
memory_bounded
pipeline_stop 'it ends in order'
done_testing
