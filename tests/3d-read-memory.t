#!/bin/sh
# Memory and disk: large transactions, spooled before they commit, and large rows.  LONG=1:
# 5,000,000 rows in a transaction, and a value of 200 MiB.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
need_pg
pg_db
rows=120000 mib=32 memory=2000000
[ -z "${LONG:-}" ] || rows=5000000 mib=200 memory=8388608
mkdir "$T/spool"

sql "ALTER DATABASE $PGDATABASE SET logical_decoding_work_mem = '64kB';
CREATE TABLE t (id int PRIMARY KEY, n int, name text);
CREATE TABLE large (id int PRIMARY KEY, big text);
ALTER TABLE large ALTER big SET STORAGE EXTERNAL;
CREATE PUBLICATION $ID FOR TABLE t, large;
SELECT pg_create_logical_replication_slot('$ID', 'pgoutput')" >"$T/slot"

# read_to COMMAND: frames go to it; the reader is $READER.
mkfifo "$T/pipe"
reader() {
	: >"$T/reader.log"
	sh -c "$1" <"$T/pipe" >"$T/consumed" 2>&1 &
	consumer=$!
	bg reader sh -c 'exec pgcdc-read "$@" >"$0"' "$T/pipe" -s "$ID" -p "$ID" \
	    --spool-dir "$T/spool" --spool-mem $memory -v
	READER=$BG_PID
}
log_has() {
	grep -q "$1" "$T/reader.log"
}
spool_files() {
	find "/proc/$READER/fd" -lname '*pgcdc-spool*' | wc -l
}
spools() {
	[ "$(spool_files)" -eq "$1" ]
}
rss() {
	sed -n 's/^VmRSS:[[:space:]]*\([0-9]*\) kB/\1/p' "/proc/$READER/status"
}
rss_below() {
	[ "$(rss)" -lt "$1" ]
}
wrote() {
	[ "$(sed -n 's/^wchar: //p' "/proc/$READER/io")" -gt "$1" ]
}

# One large transaction, while it is in progress and when it is committed.
reader 'pgcdc-cat | tee $PGCDC_TEST_T/lines | cut -c 1-4 | uniq -c'
wait_for 'the reader streams' 20 log_has 'msg="streaming"'
mkfifo "$T/in"
bg session psql -XAtq -v ON_ERROR_STOP=1 -f "$T/in"
session=$BG_PID
exec 3<>"$T/in"
echo "BEGIN; INSERT INTO t SELECT i, i % 1000, 'name of ' || i FROM generate_series(1, $rows) i;" >&3
wait_for 'what is in progress goes to a file' 120 spools 1 || exit 1
is "$(find "$T/spool" -mindepth 1)" '' 'without a name'
sql "INSERT INTO t VALUES (0)"
echo 'COMMIT;' >&3
committed() {
	[ "$(sql 'SELECT count(*) FROM t')" -eq $((rows + 1)) ]
}
wait_for 'it is committed' 300 committed
wait_for 'and the file is gone' 300 spools 0
# Another one, that is rolled back.
echo "BEGIN; INSERT INTO t SELECT -i FROM generate_series(1, $rows) i;" >&3
wait_for 'another one goes to a file' 300 spools 1
echo 'ROLLBACK;' >&3
exec 3>&-
wait_exit 'it is rolled back' 300 "$session" 0
sql "INSERT INTO t VALUES (-1)"
wait_for 'that file is gone, too' 300 spools 0
last() {
	[ "$(tail -n 3 "$T/lines" | cut -c 3 | tr -d '\n')" = BIC ]
}
wait_for 'the last row is there' 60 last
diag "VmHWM: $(vmhwm "$READER") kB, $rows rows"
below "$(vmhwm "$READER")" 24576 'in 24 MiB'
kill "$READER"
wait_exit 'the end' 30 "$READER" 0
wait "$consumer"
is "$(tr -s ' \n' ' ' <"$T/consumed")" \
    " 1 [\"H\" 1 [\"B\" 1 [\"R\" 1 [\"I\" 1 [\"C\" 1 [\"B\" $rows [\"I\" 1 [\"C\" 1 [\"B\" 1 [\"I\" 1 [\"C\" 1 [\"E\" " \
    'the transaction is one unit, behind the one that was committed before it'

# A disk that is full: a file may not become larger than that.
exits 111 'a full disk' sh -c "{
	ulimit -f 64
	pgcdc-read -s $ID -p $ID --spool-dir '$T/spool' --spool-mem 100000 --until-caught-up
	echo \$? >'$T/status'
    } | cat >/dev/null
    exit \$(cat '$T/status')"
like "$(cat "$T/err")" 'cannot write to a file of the spool.*of="transactions in progress" dir=.*remedy=' 'which is said'
# Behind this slot there is nothing that would be spooled before.
sql "SELECT pg_create_logical_replication_slot('${ID}_fresh', 'pgoutput')" >"$T/null"
exits 111 'a full disk while tables are loaded' sh -c "{
	ulimit -f 64
	pgcdc-read -s ${ID}_fresh -p $ID --spool-dir '$T/spool' --snapshot only --snapshot-tables t \
	    --snapshot-chunk-bytes 1000000000
	echo \$? >'$T/status'
    } | cat >/dev/null
    exit \$(cat '$T/status')"
like "$(cat "$T/err")" 'cannot write to a file of the spool.*of="what is loaded"' 'which is said'
sql "SELECT pg_drop_replication_slot('${ID}_fresh')" >"$T/null"
exits 0 'the slot is where it was' sh -c "pgcdc-read -s $ID -p $ID --until-caught-up |
    pgcdc-cat | grep -c '^.\"I' | grep -qx $((rows + 2))"
for folder in "$T/none" /proc; do
	exits 100 "a folder where no file can be made: ${folder#"$T/"}" \
	    pgcdc-read -s "$ID" -p "$ID" --until-caught-up --spool-dir "$folder"
	like "$(cat "$T/err")" "in progress.*dir=.*remedy=.*--spool-dir" 'which is said'
done

# A large row.
sql "SELECT pg_replication_slot_advance('$ID', pg_current_wal_lsn())" >"$T/slot"
reader 'wc -c'
wait_for 'the reader streams' 20 log_has 'msg="streaming"'
before=$(rss)
sql "INSERT INTO large SELECT 1, repeat('0123456789abcdef', $mib * 65536)" &
wait_for 'a large row makes a large process' 120 not rss_below $((before + mib * 1024))
if [ -n "${PGCDC_TEST_SANITIZED:-}" ]; then
	skip 'which gives the memory back' 'sanitizers keep what is freed'
	wait_for 'it goes on' 120 wrote $((mib * 1048576))
else
	wait_for 'which gives the memory back' 120 rss_below $((before + 8192))
fi
sql "INSERT INTO large VALUES (2, 'small')"
diag "VmHWM: $(vmhwm "$READER") kB, a value of $mib MiB"
below "$(vmhwm "$READER")" $((before + mib * 1024 * 33 / 10)) 'it was about three times the row'
kill "$READER"
wait_exit 'the end' 30 "$READER" 0
wait "$consumer"
ok 'it arrived' [ "$(cat "$T/consumed")" -gt $((mib * 1048576)) ]
done_testing
