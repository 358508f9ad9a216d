#!/bin/sh
#
# pgcdc-read: a prepared transaction comes whole, when it is committed, or not at all,
# whatever was started again in between.

# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

PG_SERVER_CONF='logical_decoding_work_mem = 64kB' own_pg
pg_db
# shellcheck source=tests/frames.sh
. "$(dirname "$0")/frames.sh"

run 'CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE gone (id int)'
stream 'FOR ALL TABLES'
is "$(sql 'SELECT two_phase FROM pg_replication_slots')" f 'two_phase is off'

# units: the rows of each unit of the last capture, by the first one's id.
units() {
	jq -rn 'foreach inputs as $f ({}; if $f[0] == "B" then {n: 0, x: $f[3]}
		elif $f[0] == "I" or $f[0] == "U" then .n += 1 | .id //= $f[2][0] else . end;
		if $f[0] == "C" then "\(.id): \(.n)" else empty end)' "$T/frames"
}
captures() {
	capture --state "$T/state" "$@"
}
# prepared NAME STATEMENTS: the transaction's number comes to $xid.
prepared() {
	xid=$(sql "BEGIN; $2; SELECT pg_current_xact_id(); PREPARE TRANSACTION '$1'")
}
# rows FROM TO: large enough to go beyond logical_decoding_work_mem when there are many.
rows() {
	echo "INSERT INTO t SELECT i, i || repeat('x', 300) FROM generate_series($1, $2) i"
}

run "INSERT INTO t VALUES (1, 'a'), (2, 'b')"
prepared small "UPDATE t SET v = 'prepared' WHERE id = 1; $(rows 3 4); DELETE FROM t WHERE id = 2"
small=$xid
prepared large "$(rows 1000 2999); SAVEPOINT s; $(rows 3000 3999); UPDATE t SET v = 'no' WHERE
    id BETWEEN 1000 AND 1400; ROLLBACK TO s; $(rows 4000 4009); UPDATE t SET v = 'u'
    WHERE id = 1001"
large=$xid
prepared 'lost "one" ä' "$(rows 5000 5999)"
prepared lost_small "$(rows 6000 6001)"
prepared made "CREATE TYPE mood AS ENUM ('so', 'ok');
    CREATE TABLE made (id int PRIMARY KEY, m mood[]);
    INSERT INTO made SELECT i, '{ok,so}' FROM generate_series(1, 5000) i;
    ALTER TABLE made ADD n int; INSERT INTO made VALUES (0, '{ok}', 7)"
prepared emptied "INSERT INTO gone VALUES (1); TRUNCATE gone; INSERT INTO gone VALUES (2);
    SELECT pg_logical_emit_message(true, 'said', 'x')"
run "$(rows 10 10)"
captures
is "$(units)" '1: 2
10: 1' 'nothing of what is only prepared'
"$TOP/tests/pg-server" restart "$PG_DIR" immediate
run "$(rows 11 11)"
captures
is "$(units)" '11: 1' 'nor after a crash of the server'

before=$(sql 'SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::int8')
run "COMMIT PREPARED 'large'"
captures
is "$(units)" '1000: 2011' 'COMMIT PREPARED: a large one, whole'
is "$(q 'select(.[0] == "B") | .[3]')" "$large" 'under its own number'
is "$(q --argjson t "$before" 'select(.[0] == "B") | .[2] > $t')" true \
    'and the time of COMMIT PREPARED'
agree 'the table, while others are still prepared' public.t

run "ROLLBACK PREPARED 'lost \"one\" ä'; ROLLBACK PREPARED 'lost_small'; $(rows 12 12)"
captures
is "$(units)" '12: 1' 'ROLLBACK PREPARED: nothing'

"$TOP/tests/pg-server" restart "$PG_DIR" fast
run "COMMIT PREPARED 'made'; COMMIT PREPARED 'emptied'; COMMIT PREPARED 'small'"
captures --messages
is "$(units)" '1: 5001
1: 2
1: 3' 'in the order of their commits'
is "$(q 'select(.[0] == "B") | .[3]' | tail -n 1)" "$small" 'the number that it had before'
agree 'and nothing else: the tables' public.t public.made public.gone
is "$(q -r 'select(.[0] == "M") | .[1]')" said 'a message in a prepared transaction'
is "$(sql 'SELECT count(*) FROM pg_prepared_xacts')" 0 'all is done'

# Prepared, committed, and the server gone before anybody read: one run sees all of it, and
# is sent the transactions before they are prepared.
prepared late "$(rows 7000 8000); SAVEPOINT s; $(rows 8001 9000); ROLLBACK TO s"
late=$xid
prepared late_lost "$(rows 10000 11000)"
"$TOP/tests/pg-server" restart "$PG_DIR" immediate
run "$(rows 13 13); COMMIT PREPARED 'late'; ROLLBACK PREPARED 'late_lost';
$(rows 14 14)"
"$TOP/tests/pg-server" restart "$PG_DIR" immediate
captures
is "$(units)" '13: 1
7000: 1001
14: 1' 'all of it with a server that crashed before and after'
is "$(q 'select(.[0] == "B") | .[3]' | sed -n 2p)" "$late" 'once'
agree 'the table' public.t
captures
is "$(units)" '' 'and nothing twice'

done_testing
