#!/bin/sh
# A server that lies on the replication connection: hostile.py tells how.
#
# LONG=1: 400 seeds; SEED=n that one.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

need_pg
own_pg
pg_db
sql "CREATE TABLE t (id int PRIMARY KEY, name text, doc jsonb); CREATE PUBLICATION p FOR TABLE t;
SELECT pg_create_logical_replication_slot('base', 'pgoutput')" >"$T/null"
for unit in 1 2 3 4 5 6; do
	sql "INSERT INTO t SELECT i, 'name ' || i, '{\"a\": [1, null]}'
	    FROM generate_series($unit * 10, $unit * 10 + 4) i;
	UPDATE t SET name = name || '.' WHERE id % 3 = 0; DELETE FROM t WHERE id % 7 = 0"
done
if [ -n "${LONG:-}" ]; then
	seeds=$(seq 1 400)
else
	seeds=$(seq 1 25)
fi
# shellcheck disable=SC2086
"$PYTHON" "$TOP/tests/hostile.py" "$PGPORT" ${SEED:-$seeds} >"$T/tap" 2>"$T/err"
is $? 0 'the reader bears a server that lies' || cat "$T/tap" "$T/err" | diag
diag <"$T/tap"
sql "SELECT pg_drop_replication_slot('base')" >"$T/null"
done_testing
