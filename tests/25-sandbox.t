#!/bin/sh
# The programs are in their sandbox while they work; what that allows is in unit/sandbox.c.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

if [ -n "${PGCDC_TEST_SANITIZED:-}" ] || ! grep -q '^Seccomp:' /proc/self/status; then
	skip 'sandboxes' 'NOT CHECKED: this build or this kernel has none'
	done_testing
	exit
fi
printf 'tables:\n  - table: public.t\n    index: t\n' >"$T/m.yml"

# inside PID: it has a filter, and cannot get more rights.
inside() {
	grep -q '^Seccomp:[[:space:]]*2' "/proc/$1/status" &&
		grep -q '^NoNewPrivs:[[:space:]]*1' "/proc/$1/status"
}
# open_pipe NAME: descriptor 3 keeps it open, so that who reads it waits.
open_pipe() {
	mkfifo "$T/$1"
	exec 3<>"$T/$1"
}

open_pipe frames
pgcdc-map -m "$T/m.yml" <"$T/frames" >"$T/actions" 2>"$T/map.log" 3>&- &
map=$!
wait_for 'the mapper' 20 inside "$map"
kill "$map"
open_pipe actions.in
esbulk-write -u http://127.0.0.1:9 <"$T/actions.in" >"$T/null" 2>"$T/write.log" 3>&- &
write=$!
wait_for 'the writer' 20 inside "$write"
kill "$write"
# A server that says nothing.
"$PYTHON" -c 'import socket, sys, time
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen()
time.sleep(60)' "$T/.s.PGSQL.5432" &
silent=$!
wait_for 'a server' 20 [ -S "$T/.s.PGSQL.5432" ]
pgcdc-read -d "host=$T port=5432 dbname=x" -s s -p p >"$T/frames.out" 2>"$T/read.log" &
read=$!
wait_for 'the reader, before it connects' 20 inside "$read"
kill "$read" "$silent"
is "$(grep -h sandbox "$T"/*.log)" '' 'nobody said that there is none'
done_testing
