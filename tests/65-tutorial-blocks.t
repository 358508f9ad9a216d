#!/bin/sh
# The tutorial, examples/tutorial/README.md: each of its blocks, in order, on a server that
# was set up for nothing of it, and a real node.  Only the ports and the index's name become
# this test's own.
#
#	```sh			run by a shell, in a copy of the folder
#	```sh terminal NAME	the same, in the background
#	```sh SUBCOMMAND	run by a shell, if pgcdc has that subcommand
#	```sql			run by the superuser
#	```text			what the block before it must say, in the end
#	```KIND FILE		a configuration's lines: the server's, or those of a file

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
PG_SERVER_CONF='wal_level = replica'
export PG_SERVER_CONF
own_pg
need_es
page=$TOP/examples/tutorial/README.md
index=${ID}_users
cp -R "$TOP/examples/tutorial" "$T/tutorial"
cd "$T/tutorial" || bail "cannot go to the tutorial's folder"

# As initdb and a distribution leave it, the user may not come in.
sed -i '2d' "$PG_DIR/data/pg_hba.conf"
sql 'CREATE DATABASE es_cdc_db; SELECT pg_reload_conf()' >"$T/null"
PGDATABASE=es_cdc_db

port() {
	"$PYTHON" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}
a=$(port) b=$(port)

# own: the ports and the index of this test.
own() {
	sed -e "s|http://127.0.0.1:9200/users|$PGCDC_TEST_ES_URL/$index|g" \
	    -e "s|http://127.0.0.1:9200|$PGCDC_TEST_ES_URL|g" \
	    -e "s/:8081/:$a/g; s/:8082/:$b/g" -e "s/index: users/index: $index/" \
	    -e "s/host=127.0.0.1 dbname/host=127.0.0.1 port=$PGPORT dbname/g"
}
for file in pgcdc.conf mapping.yml; do
	own <"$TOP/examples/tutorial/$file" >"$file"
done

# Block N is N.text, its first line N.kind, the heading above it N.title.
awk -v to="$T/block." '
/^## / { title = substr($0, 4) }
/^```./ { n++; inside = 1; print substr($0, 4) >(to n ".kind"); print title >(to n ".title"); next }
/^```$/ { inside = 0; close(to n ".text"); next }
inside { print >(to n ".text") }' "$page"
blocks=$(find "$T" -maxdepth 1 -name 'block.*.kind' | wc -l)
ok "there are blocks: $blocks" [ "$blocks" -ge 40 ]

# plain FILE: without comments and empty lines.
plain() {
	grep -v -e '^#' -e '^--' -e '^$' "$1"
}

# run_block N: a shell's, or psql's; what it says is in $T/out.
run_block() {
	case $(cat "$T/block.$1.kind") in
	sh*) own <"$T/block.$1.text" >"$T/block.sh" && sh -eu "$T/block.sh" ;;
	sql*) sql "$(cat "$T/block.$1.text")" ;;
	esac >"$T/out" 2>"$T/err"
}

# says N TEXT: it does, run once more.
says() {
	if run_block "$1" && cmp -s "$T/out" "$2"; then
		return
	fi
	cat "$T/out" "$T/err"
	return 1
}

slot_free() {
	[ "$(sql 'SELECT active FROM pg_replication_slots')" = f ]
}

: >"$T/setup.sql"
n=0
while [ "$n" -lt "$blocks" ]; do
	n=$((n + 1))
	kind=$(cat "$T/block.$n.kind")
	what="block $n, $(cat "$T/block.$n.title")"
	next=$(cat "$T/block.$((n + 1)).kind" 2>"$T/null")
	case $kind in
	*postgresql.conf)
		cat "$T/block.$n.text" >>"$PG_DIR/data/postgresql.conf"
		;;
	*pg_hba.conf)
		exits 2 "$what: without it the user may not connect" env PGPASSWORD=es_cdc_pass \
		    psql -X -U es_cdc_user -c 'SELECT 1'
		cat "$T/block.$n.text" >>"$PG_DIR/data/pg_hba.conf"
		ok "$what: the server starts with that" "$TOP/tests/pg-server" restart "$PG_DIR"
		;;
	yaml* | ini*)
		plain "$TOP/examples/tutorial/${kind#* }" >"$T/plain"
		same "$T/block.$n.text" "$T/plain" "$what: the file ${kind#* } says that"
		;;
	'sh terminal'*)
		own <"$T/block.$n.text" >"$T/terminal.sh"
		bg "${kind##* }" sh "$T/terminal.sh"
		case $kind in
		*b) instance=$BG_PID ;;
		esac
		;;
	'sh '*)
		if pgcdc -h | grep -q "pgcdc ${kind#* } "; then
			ok "$what: $(head -n 1 "$T/block.$n.text")" run_block "$n" || diag <"$T/out"
		else
			diag "pgcdc HAS NO SUBCOMMAND ${kind#* }"
			skip "$what" "NOT RUN: pgcdc has no subcommand ${kind#* }"
		fi
		;;
	text)
		wait_for "$what: it says so" 60 says $((n - 1)) "$T/block.$n.text"
		;;
	'sql after')
		wait_exit "$what: the instance ends in order" 60 "$instance" 0
		wait_for "$what: the slot is free" 20 slot_free
		ok "$what" run_block "$n"
		;;
	sh | sql | 'sql before')
		# One with an answer is run when the answer is looked at.
		[ "$next" != text ] || continue
		ok "$what: $(head -n 1 "$T/block.$n.text")" run_block "$n" || diag <"$T/err"
		[ "$kind" != sql ] || ! grep -q -e CREATE -e ALTER "$T/block.$n.text" ||
			cat "$T/block.$n.text" >>"$T/setup.sql"
		;;
	*) bail "a block of no known kind: $kind" ;;
	esac
done
plain "$TOP/examples/tutorial/setup.sql" >"$T/plain"
same "$T/setup.sql" "$T/plain" 'setup.sql is the statements of section 2'
is "$(sql 'SELECT count(*) FROM pg_replication_slots')" 0 'nothing is left: no slot'
is "$(sql "SELECT count(*) FROM pg_roles WHERE rolname = 'es_cdc_user'")" 0 'no user'
is "$(es GET "_cat/indices/${ID}*?h=index")" '' 'no index'
is "$(find . -type f | sort | xargs)" './README.md ./mapping.yml ./pgcdc.conf ./script.yml ./setup.sql' \
    'no file but those that came'
is "$(grep -c ' error ' "$T/b.log")" 0 'and the second instance had nothing to complain of'
done_testing
