#!/bin/sh
# A real Prometheus asks a running pipeline, as the examples say: each query of the dashboard has
# an answer, each alert can be evaluated, and those fire whose state was made.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=prometheus.sh
. "$TOP/tests/prometheus.sh"
own_pg
pg_db
# shellcheck source=pipeline.sh
. "$TOP/tests/pipeline.sh"

examples=$TOP/examples
ok 'the rules are good' promtool check rules "$examples/prometheus/alerts.yml"
ok 'and so is the example of a configuration' promtool check config "$examples/prometheus/prometheus.yml"
ok 'each alert fires when it is to, and none where all is well' promtool test rules "$TOP/tests/alerts.yml"
is "$(sed -n 's/^ *- alert: //p' "$examples/prometheus/alerts.yml" | while read -r alert; do
	grep -q "alertname=\"$alert\"" "$TOP/tests/alerts.yml" || echo "$alert"
done)" '' 'all of them'

# The pipeline -----------------------------------------------------------------------

prometheus_ports
standin_start --distribution opensearch --number 3.1.0
sql "CREATE TABLE t (id int PRIMARY KEY, n int); CREATE TABLE u (id text PRIMARY KEY); INSERT INTO t SELECT i, i FROM generate_series(1, 3000) i;
ALTER SYSTEM SET max_slot_wal_keep_size = '1GB'; SELECT pg_reload_conf()" >"$T/out"
sql "CREATE PUBLICATION $ID FOR ALL TABLES;
SELECT pg_create_logical_replication_slot('$SLOT', 'pgoutput')" >"$T/out"
cat >"$T/mapping.yml" <<'END'
tables:
  - table: public.t
    index: t
  - table: public.u
    index: u
END
pipeline_conf "PGCDC_ES_URL=$STANDIN_URL" PGCDC_SNAPSHOT=initial "PGCDC_DEAD_LETTER=$T/dead" \
    "PGCDC_METRICS_READ=$READ_PORT" "PGCDC_METRICS_WRITE=$WRITE_PORT"
pipeline_start
pipeline_stored 'the tables are loaded' 60
# tells read|write FILTER VALUE: what the stage says on its socket in the run directory.
tells() {
	_got=$(curl -sS --unix-socket "$RUNDIR/$1.http" http://localhost/status | jq -r "$2")
	echo "$_got"
	[ "$_got" = "$3" ]
}
ok 'the reader answers in the run directory' tells read .state streaming
wait_for 'and so does the writer' 20 tells write '"\(.state) \(.connected)"' 'idle true'

# Prometheus -------------------------------------------------------------------------

# Alerts don't wait.
prometheus_start 's/^\( *for\): .*/\1: 0s/'

# A change a moment, of all kinds, in the background.
bg load sh -c 'n=10000
while n=$((n + 1)); do
	echo "INSERT INTO t VALUES ($n, 1); UPDATE t SET n = n + 1 WHERE id <= 10; DELETE FROM t WHERE id = $n;"
	sleep 0.2
done | psql -XAtq'
load=$BG_PID

# The dashboard ----------------------------------------------------------------------

jq -r '.panels[] | .title as $t | .targets[] | "\($t)\t\(.legendFormat)\t\(.expr)"' \
    "$examples/grafana/pgcdc.json" | sed 's/\$__rate_interval/10s/g; s/\$pipeline/.*/g' >"$T/queries"
ok 'the dashboard has queries' [ "$(wc -l <"$T/queries")" -gt 30 ]
tab=$(printf '\t')
while IFS=$tab read -r title legend query <&6; do
	wait_for "dashboard: $title, $legend" 30 has_series "$query"
done 6<"$T/queries"
is "$(grep -o 'pgcdc_[a-z_]*' "$T/queries" "$T/alerts.yml" -h | sort -u | while read -r name; do
	has_series "{__name__=\"$name\"}" >"$T/null" || echo "$name"
done)" '' 'every metric that dashboard and alerts name is there'
sed -n "s/^ *- series: '\(.*\)'$/\1/p" "$TOP/tests/alerts.yml" | sed 's/instance="[^"]*",//' | sort -u >"$T/series"
ok 'the alerts were tried with many series' [ "$(wc -l <"$T/series")" -ge 18 ]
is "$(while read -r one; do
	has_series "$one" >"$T/null" || echo "$one"
done <"$T/series")" '' 'each of which is there, with its labels'

# The alerts -------------------------------------------------------------------------

wait_for 'every alert is evaluated' 30 evaluated
is "$(firing)" '' 'none fires where all is well'
standin POST 'fault?kind=item&status=400&id=bad&type=t&reason=r' >"$T/out"
kill "$load"
sql "INSERT INTO u VALUES ('bad')"
for alert in PgcdcDeadLetters PgcdcDeadLettersLeft PgcdcRejected; do
	wait_for "a row that is rejected: $alert" 60 fires $alert
done
standin POST 'fault?kind=status' >"$T/out"
sql "INSERT INTO t VALUES (-1)"
wait_for 'a cluster that is away: PgcdcClusterDown' 60 fires PgcdcClusterDown
wait_for 'and PgcdcRetries' 60 fires PgcdcRetries
standin DELETE fault >"$T/out"
wait_for 'it is back' 60 quiet PgcdcClusterDown
pipeline_stored 'all is stored' 60
ok 'the server stops' "$TOP/tests/pg-server" stop "$PG_DIR"
wait_for 'a server that is away: PgcdcNotStreaming' 60 fires PgcdcNotStreaming
ok 'the server starts' "$TOP/tests/pg-server" start "$PG_DIR"
wait_for 'it is back' 60 quiet PgcdcNotStreaming
sed -i "s/'127.0.0.1:$READ_PORT'/&, '127.0.0.1:$NO_PORT'/" "$T/prometheus.yml"
kill -s HUP "$PROMETHEUS"
wait_for 'a pair of which one is away: PgcdcNoStandby' 60 fires PgcdcNoStandby
pipeline_stop 'the end'
wait_for 'nobody is there: PgcdcDown' 60 fires PgcdcDown
is "$(api /api/v1/alerts | jq -r '.data.alerts[] | select((.annotations.summary // "" |
    test("shop") | not) or (.annotations | tostring | test("<error|<no value>|{{")))')" '' \
    'what each says is whole, and names the pipeline'
ok 'and no socket is left' [ "$(find "$RUNDIR" -name "*.http")" = "" ]

done_testing
