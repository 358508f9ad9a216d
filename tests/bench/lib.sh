# shellcheck shell=sh
# lib.sh -- what the benches share: $dir, a folder of the bench's own, and a server on which
# nothing else runs.  Sourced; then bench_server.  At the end all is gone; $running are
# processes that go with it.

bench=$(cd "$(dirname "$0")" && pwd)
tests=$(dirname "$bench")
PATH=$(dirname "$tests")/build/bin:$PATH
# shellcheck disable=SC2034 # of who sources this
standin=$(dirname "$tests")/build/tests/standin
unset PGSERVICE PGPASSFILE PGPASSWORD PGOPTIONS PGCDC_CONNINFO

dir=$(mktemp -d "${TMPDIR:-/tmp}/pgcdc-bench.XXXXXX")
chmod 711 "$dir"
running=''
cleanup() {
	status=$?
	trap '' HUP INT TERM
	# shellcheck disable=SC2086
	[ -z "$running" ] || kill $running 2>/dev/null || :
	wait
	"$tests/pg-server" stop "$dir/pg" immediate
	if [ $status -ne 0 ]; then
		cat "$dir"/*.log >&2 2>/dev/null
	fi
	rm -rf "$dir"
	exit $status
}
trap cleanup EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

sql() {
	printf '%s\n' "$1" | psql -XAtq -v ON_ERROR_STOP=1 -f -
}

# field FILE N
field() {
	cut -d ' ' -f "$2" "$dir/$1"
}

calc() {
	awk "BEGIN { printf \"$1\", $2 }"
}

bench_server() {
	PG_SERVER_CONF='shared_buffers = 256MB
max_wal_size = 8GB
checkpoint_timeout = 1h
autovacuum = off'
	export PG_SERVER_CONF
	"$tests/pg-server" start "$dir/pg" >"$dir/pg.log" 2>&1
	# shellcheck disable=SC1091
	. "$dir/pg/env"
}
