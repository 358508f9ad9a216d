# shellcheck shell=sh
# lib.sh -- what the benches share: $dir, a folder of the bench's own, and servers on which
# nothing else runs.  Sourced; then bench_server, start_standin.  At the end all is gone, a
# node in $dir/node too; $running are processes that go with it.

bench=$(cd "$(dirname "$0")" && pwd)
tests=$(dirname "$bench")
PATH=$(dirname "$tests")/build/bin:$PATH
# shellcheck disable=SC2034 # of who sources this
standin=$(dirname "$tests")/build/tests/standin
built=$(dirname "$tests")/build/tests
measure=$built/measure
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
	"$tests/search-node" stop "$dir/node"
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

# median FILE N: of the field in all lines.
median() {
	field "$1" "$2" | sort -n | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

# largest FILE N
largest() {
	field "$1" "$2" | sort -n | tail -n 1
}

# smallest FILE N
smallest() {
	field "$1" "$2" | sort -n | head -n 1
}

# start_standin [OPTION...]: at $url, process $standin_pid.
start_standin() {
	rm -f "$dir/port"
	"$standin" --port-file "$dir/port" "$@" >"$dir/standin.log" 2>&1 &
	standin_pid=$!
	running="$running $standin_pid"
	until [ -s "$dir/port" ]; do
		kill -0 "$standin_pid"
		sleep 0.05
	done
	# shellcheck disable=SC2034
	url=http://127.0.0.1:$(cat "$dir/port")
}

stop_standin() {
	kill "$standin_pid"
	wait "$standin_pid" || :
	running=''
}

standin_stat() {
	curl -sS --noproxy '*' "$url/_standin/stats" | jq ".$1"
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
	# The clients themselves: Debian's are a script of Perl first, which would be measured.
	PATH=$(cat "$dir/pg/bin"):$PATH
}

# pipeline SLOT [READER'S OPTION...]: from publication bench, with $dir/mapping.yml, to $url, to
# its end; what each took is in $dir/read, map and write.  The ack socket is there as in real
# life.
pipeline() {
	slot=$1
	shift
	rm -f "$dir"/*.status "$dir/$slot.state"
	{
		{
			"$measure" "$dir/read" pgcdc-read -d dbname=postgres -s "$slot" \
			    -p bench -a "$dir/ack" --state "$dir/$slot.state" "$@" 3>&- &&
			    echo >"$dir/read.status"
		} | {
			"$measure" "$dir/map" pgcdc-map -m "$dir/mapping.yml" && echo >"$dir/map.status"
		} | {
			"$measure" "$dir/write" esbulk-write -u "$url" -a "$dir/ack" &&
			    echo >"$dir/write.status"
		}
	} 2>"$dir/pipeline.log"
	[ -e "$dir/read.status" ] && [ -e "$dir/map.status" ] && [ -e "$dir/write.status" ]
}
