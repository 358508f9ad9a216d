# shellcheck shell=sh
# metrics.sh -- what the tests of --metrics share.  Sourced behind lib.sh; METRICS is what the names
# of the program's metrics begin with, and it is asked on $SOCKET, or where that is empty on $PORT.

# asks PAGE [OPTION...]
asks() {
	_page=$1
	shift
	if [ -n "${SOCKET:-}" ]; then
		curl -sS -m 20 --unix-socket "$SOCKET" "$@" "http://localhost$_page"
	else
		curl -sS -m 20 --noproxy '*' "$@" "http://127.0.0.1:$PORT$_page"
	fi
}

# metric NAME [LABEL=VALUE...]
metric() {
	_metric=$METRICS$1
	shift
	asks /metrics | "$PYTHON" "$TOP/tests/metrics.py" get "$_metric" "$@"
}

# metric_is VALUE NAME [LABEL=VALUE...], metric_above the same: for wait_for.
metric_is() {
	_value=$1
	shift
	_got=$(metric "$@")
	echo "$_got"
	[ "$_got" = "$_value" ]
}

metric_above() {
	_value=$1
	shift
	_got=$(metric "$@")
	echo "$_got"
	[ "$_got" -gt "$_value" ]
}

# status FILTER: of jq; status_is FILTER VALUE: for wait_for.
status() {
	asks /status | jq -r "$1"
}

status_is() {
	_got=$(status "$1")
	echo "$_got"
	[ "$_got" = "$2" ]
}

# http_status PAGE [METHOD]: the page is then in $T/page.
http_status() {
	asks "$1" -o "$T/page" -w '%{http_code}' -X "${2:-GET}"
}
