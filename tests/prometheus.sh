# shellcheck shell=sh
# prometheus.sh -- a real Prometheus, with the configuration and the rules of the examples, that
# asks the pipeline once a second.  Sourced behind lib.sh:
#
#	prometheus_ports
#	pipeline_conf "PGCDC_METRICS_READ=$READ_PORT" "PGCDC_METRICS_WRITE=$WRITE_PORT" ...
#	prometheus_start 's/^\( *for\): .*/\1: 0s/'
#	wait_for 'the alert' 30 fires PgcdcDown

for program in prometheus promtool; do
	command -v $program >/dev/null || skip_all "no $program here: apt-get install prometheus"
done

# prometheus_ports: READ_PORT, WRITE_PORT, PROMETHEUS_PORT, and NO_PORT, where nobody is.
prometheus_ports() {
	_ports=$("$PYTHON" -c 'import socket
all = [socket.socket() for _ in range(4)]
for s in all:
	s.bind(("127.0.0.1", 0))
print(*(s.getsockname()[1] for s in all))')
	# shellcheck disable=SC2034 # the tests use them
	read -r READ_PORT WRITE_PORT PROMETHEUS_PORT NO_PORT <<-END
	$_ports
	END
}

# prometheus_start SED: checks: it is there and asks both; the rules are those of the example, as
# the script of sed changes them.  $PROMETHEUS is its process.
prometheus_start() {
	sed -e 's/^\( *scrape_interval\|evaluation_interval\): .*/\1: 1s/' \
	    -e 's/evaluation_interval: .*/evaluation_interval: 1s/' -e "s/9187/$READ_PORT/" \
	    -e "s/9188/$WRITE_PORT/" "$TOP/examples/prometheus/prometheus.yml" >"$T/prometheus.yml"
	sed "$1" "$TOP/examples/prometheus/alerts.yml" >"$T/alerts.yml"
	bg prometheus prometheus --config.file="$T/prometheus.yml" --storage.tsdb.path="$T/tsdb" \
	    --web.listen-address="127.0.0.1:$PROMETHEUS_PORT" --log.level=warn
	# shellcheck disable=SC2034 # the tests use it
	PROMETHEUS=$BG_PID
	wait_for 'Prometheus' 60 _prometheus_ready
	wait_for 'asks the reader' 30 has_series 'up{job="pgcdc-read",pipeline="shop"} == 1'
	wait_for 'and the writer' 30 has_series 'up{job="pgcdc-write",pipeline="shop"} == 1'
}

_prometheus_ready() {
	[ "$(api /-/ready -o "$T/out" -w '%{http_code}')" = 200 ]
}

# api PATH [OPTION...]
api() {
	_path=$1
	shift
	curl -sS -m 20 --noproxy '*' -G "$@" "http://127.0.0.1:$PROMETHEUS_PORT$_path"
}

# series QUERY: how many; or the error.
series() {
	api /api/v1/query --data-urlencode "query=$1" |
	    jq -r 'if .status == "success" then .data.result | length else .error end'
}

has_series() {
	_n=$(series "$1")
	echo "$_n"
	[ "$_n" -gt 0 ] 2>"$T/null"
}

# fires ALERT, quiet ALERT: for wait_for.
fires() {
	has_series "ALERTS{alertname=\"$1\",alertstate=\"firing\"}"
}

quiet() {
	! fires "$1"
}

# firing: those that do, in a line.
firing() {
	api /api/v1/alerts | jq -r '[.data.alerts[] | select(.state == "firing") | .labels.alertname] |
	    unique | join(" ")'
}

# evaluated: every rule of the example was, and without an error.
evaluated() {
	_left=$(api /api/v1/rules |
	    jq -r '.data.groups[].rules[] | select(.health != "ok") | "\(.name): \(.lastError)"')
	echo "$_left"
	[ -z "$_left" ] && [ "$(api /api/v1/rules | jq '.data.groups[].rules | length')" -eq \
	    "$(grep -c 'alert:' "$TOP/examples/prometheus/alerts.yml")" ]
}
