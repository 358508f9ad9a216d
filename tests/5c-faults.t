#!/bin/sh
# Each call of the C library that the programs make fails once: they go on, or end with 100 or 111,
# and never say that something is stored that is not.  faults.py tells what is looked at.
#
# LONG=1 takes every single call; else some of each kind, other ones with another SEED.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

if [ -n "${PGCDC_TEST_SANITIZED:-}" ]; then
	skip 'faults' 'NOT CHECKED: a sanitizer has a malloc of its own'
	done_testing
	exit
fi
need_pg
pg_db
if [ -n "${LONG:-}" ]; then
	set -- --head 1000000
else
	set -- --head 2 --every 7 --first "${SEED:-1}" --most "${MOST:-4}"
fi

# faults PROGRAM OPTION... -- ARGUMENT...: what it said is in $T/PROGRAM.tap.
faults() {
	program=$1
	shift
	mkdir -p "$T/$program.dir"
	_options=''
	while [ "$1" != -- ]; do
		_options="$_options $1"
		shift
	done
	shift
	# shellcheck disable=SC2086
	"$PYTHON" "$TOP/tests/faults.py" --dir "$T/$program.dir" $_options "$program" \
	    "$BUILD/tests/preload.so" "$@" >"$T/$program.tap" 2>"$T/$program.err"
	is $? 0 "$program: faults are borne" || cat "$T/$program.tap" "$T/$program.err" | diag
	diag <"$T/$program.tap"
}

printf 'tables:\n  - table: public.t\n    index: t\n    routing: "{name}"\n    where: id > 0\n' \
    >"$T/m.yml"
{
	printf '%s\n' '["H",{"v":1,"run":"run1","from":"x","database":"d"}]' '["B","0/1000",0,7]' \
	    '["R",16385,"public","t","d",[["id","int4",23,-1,true],["name","text",25,-1,false],["doc","jsonb",3802,-1,false]],[0]]'
	awk 'BEGIN { for (u = 1; u <= 20; u++) {
		if (u > 1) printf "[\"B\",\"0/%X000\",0,7]\n", u
		for (k = 1; k <= 5; k++) { n++
			printf "[\"I\",16385,[%d,\"name %0*d\",{\"$json\":\"{\\\"a\\\": [1, 2.50, null]}\"}]]\n", n, 3 * n, n }
		if (u % 3 == 0) printf "[\"U\",16385,[%d,\"changed\",{\"$absent\":true}],null]\n", n
		if (u % 4 == 0) printf "[\"D\",16385,[%d,null,null]]\n", n - 1
		printf "[\"C\",\"0/%X030\",%d]\n", u, u } }'
	echo '["E","0/FFFFFF","done"]'
} | pgcdc-cat --pack >"$T/frames"
faults map "$@" -- "$T/frames" "$T/m.yml"

# Units have ids that begin with their seq.
{
	echo '["H",{"v":1,"run":"run1","from":"x","database":"d"}]'
	awk 'BEGIN { for (u = 1; u <= 30; u++) {
		printf "[\"B\",\"0/%X000\",0,7]\n", u
		for (k = 0; k <= u % 4; k++)
			printf "[\"X\",\"index\",null,\"i\",\"%d-%d\",null,null,\"{\\\"n\\\":%d}\"]\n", u, k, u
		printf "[\"C\",\"0/%X030\",%d]\n", u, u } }'
	echo '["E","0/FFFFFF","done"]'
} | pgcdc-cat --pack >"$T/actions"
standin_start
faults write "$@" -- "$T/actions" "$STANDIN_URL"

sql "CREATE TABLE t (id int PRIMARY KEY, name text, doc jsonb); CREATE PUBLICATION p FOR TABLE t;
SELECT pg_create_logical_replication_slot('base', 'pgoutput');" >"$T/null"
for unit in 1 2 3 4 5 6; do
	sql "INSERT INTO t SELECT i, 'name ' || i, '{\"a\": [1, null]}'
	    FROM generate_series($unit * 10, $unit * 10 + 4) i"
done
# One that is streamed in progress, and spooled.
sql "INSERT INTO t SELECT i, repeat(md5(i::text), 20) FROM generate_series(1000, 1500) i"
# libgssapi crashes where it gets no memory, which is not what is looked at here.
PGGSSENCMODE=disable
export PGGSSENCMODE
faults read "$@" -- --until-caught-up --spool-mem 65536
mv "$T/read.tap" "$T/read-stream.tap"
faults read "$@" -- --until-caught-up --snapshot initial
done_testing
