#!/bin/sh
#
# pgcdc-read into a file: it is its own writer, and what a crash left of the file is mended.

# shellcheck source=tests/lib.sh
. "$(dirname "$0")/lib.sh"

need_pg
pg_db
p=${ID}_p
slot=${ID}_s
sql "CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE u (id int PRIMARY KEY);
CREATE PUBLICATION $p FOR TABLE t, u;
SELECT pg_create_logical_replication_slot('$slot', 'pgoutput');
SELECT pg_copy_logical_replication_slot('$slot', '${ID}_base')" >"$T/null"

read_into() {
	file=$1
	shift
	timeout 60 pgcdc-read -s "$slot" -p "$p" -o "$file" "$@"
}
# letters FILE: of all its frames.
letters() {
	pgcdc-cat "$1" | jq -r '.[0]' | tr -d '\n'
}
rows() {
	pgcdc-cat "$1" | jq -c 'select(.[0] == "I") | .[2]' | tr '\n' ' '
}
at_least() {
	sql "SELECT confirmed_flush_lsn >= '$1' FROM pg_replication_slots
	    WHERE slot_name = '$slot'" | grep -qx t
}
# has FILE ROW: the file has a whole unit that ends with the row; its C's LSN is $lsn.
has() {
	pgcdc-cat "$1" 2>"$T/null" | tail -n 2 >"$T/tail"
	lsn=$(jq -r 'select(.[0] == "C") | .[1]' "$T/tail")
	[ -n "$lsn" ] && grep -qF "$2" "$T/tail"
}

# Confirming -------------------------------------------------------------------------

sql "INSERT INTO t VALUES (1, 'one'); INSERT INTO t VALUES (2, NULL)"
exits 0 'a file' read_into "$T/a" --until-caught-up
is "$(letters "$T/a")" HBRICBICE 'has the stream'
has "$T/a" '["E"'
lsn=$(pgcdc-cat "$T/a" | jq -r 'select(.[0] == "E") | .[1]')
ok 'at its end all is confirmed' at_least "$lsn"
bg live pgcdc-read -s "$slot" -p "$p" -o "$T/a"
live=$BG_PID
sql "INSERT INTO t VALUES (3, 'three')"
wait_for 'a run is appended' 20 has "$T/a" '[3,"three"]'
wait_for 'and confirmed while it goes on' 20 at_least "$lsn"
sql 'INSERT INTO u VALUES (1)'
wait_for 'one more unit' 20 has "$T/a" '[1]'
wait_for 'confirmed, too' 20 at_least "$lsn"
kill -KILL "$live"
wait_exit 'kill -9' 20 "$live" 137
is "$(pgcdc-cat "$T/a" 2>"$T/null" | jq -r '.[0]' | tr -d '\n')" HBRICBICEHBRICBRIC \
    'a file without an end'
cp "$T/a" "$T/crashed"
sql 'INSERT INTO u VALUES (2)'
exits 0 'it is gone on with' read_into "$T/a" --until-caught-up
is "$(letters "$T/a")" HBRICBICEHBRICBRICEHBRICE 'that run got its E, another one follows'
is "$(pgcdc-cat "$T/a" | jq -c 'select(.[0] == "E") | .[2]' | tr '\n' ' ')" \
    '"caught-up" "resumed" "caught-up" ' 'as one that was gone on with'
is "$(pgcdc-cat "$T/a" | jq -c 'select(.[0] == "C") | .[2]' | tr -d '\n')" 12121 \
    'seq counts in each run'

# A file on standard output is the same.
stdout() {
	timeout 60 pgcdc-read -s "$slot" -p "$p" --until-caught-up
}
sql 'INSERT INTO u VALUES (3)'
stdout >"$T/b" 2>"$T/err"
is "$? $(letters "$T/b")" '0 HBRICE' 'standard output redirected to a file'
has "$T/b" '["E"'
lsn=$(pgcdc-cat "$T/b" | jq -r 'select(.[0] == "C") | .[1]')
ok 'is confirmed' at_least "$lsn"
is "$(grep -c 'nothing is confirmed' "$T/err")" 0 'and no warning says otherwise'
sql 'INSERT INTO u VALUES (4)'
stdout >>"$T/b" 2>"$T/err"
is "$? $(letters "$T/b")" '0 HBRICEHBRICE' 'appended to'
head -c 30 "$T/b" >"$T/c"
sql 'INSERT INTO u VALUES (5)'
stdout >>"$T/c" 2>"$T/err"
is "$? $(letters "$T/c")" '0 HBRICE' 'a cut one is mended there, too'

# A pipe confirms nothing.
sql 'INSERT INTO u VALUES (6)'
lsn=$(slot_confirmed "$slot")
stdout 2>"$T/err" | cat >"$T/d"
is "$(slot_confirmed "$slot") $(letters "$T/d")" "$lsn HBRICE" 'a pipe confirms nothing'
like "$(cat "$T/err")" 'nothing is confirmed.*remedy=.*-a SOCKET.*-o FILE' 'which is said'
mkfifo "$T/fifo"
exits 100 '-o with a pipe' read_into "$T/fifo" --until-caught-up
like "$(cat "$T/err")" 'output file is a pipe.*remedy=' 'is refused, with the remedy'
# More units than may ever wait for an ack: nobody acks here.
sql "SELECT count(pg_logical_emit_message(false, '', '')) FROM generate_series(1, 270000)" >"$T/null"
timeout 100 pgcdc-read -s "$slot" -p "$p" --messages --until-caught-up 2>"$T/err" |
    pgcdc-cat >"$T/d"
is "$(tail -n 1 "$T/d" | jq -r '.[2]') $(tail -n 2 "$T/d" | jq -s '.[0][2] >= 270000')" \
    'caught-up true' 'a pipe takes any number of units'
exits 0 'they are done with' read_into "$T/b" --until-caught-up

# fsync before confirming, and a full disk -------------------------------------------

# A library that makes these calls fail, where the environment says so.
cat >"$T/fail.c" <<'E'
#include <sys/stat.h>
#include <sys/syscall.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

int
fdatasync(int fd)
{
	if (access(getenv("FAIL_SYNC"), F_OK) != 0)
		return (int)syscall(SYS_fdatasync, fd);
	errno = EIO;
	return -1;
}

ssize_t
write(int fd, const void *p, size_t n)
{
	size_t size = (size_t)atoi(getenv("FULL_AT"));
	struct stat st;

	if (fd > 2 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		if ((size_t)st.st_size >= size) {
			errno = ENOSPC;
			return -1;
		}
		if (n > size - (size_t)st.st_size)
			n = size - (size_t)st.st_size;
	}
	return syscall(SYS_write, fd, p, n);
}
E
ok 'a library to make calls fail' "${CC:-cc}" -shared -fPIC -o "$T/fail.so" "$T/fail.c"
failing() {
	FULL_AT=$1
	FAIL_SYNC=$T/no-sync
	export FULL_AT FAIL_SYNC
	shift
	LD_PRELOAD=$T/fail.so read_into "$@"
}
sql "INSERT INTO t VALUES (10, 'ten')"
lsn=$(slot_confirmed "$slot")
: >"$T/no-sync"
exits 111 'fsync fails' failing 1000000000 "$T/e" --until-caught-up
like "$(cat "$T/err")" 'cannot fsync.*Input/output error' 'which is said'
is "$(slot_confirmed "$slot")" "$lsn" 'so nothing is confirmed'
is "$(rows "$T/e" 2>"$T/null")" '[10,"ten"] ' 'though it was written'
rm "$T/no-sync"
exits 0 'it works again' failing 1000000000 "$T/e" --until-caught-up
is "$(rows "$T/e")" '[10,"ten"] [10,"ten"] ' 'and the unit is there again'
ok 'now it is confirmed' [ "$(slot_confirmed "$slot")" != "$lsn" ]

sql "INSERT INTO t SELECT i, repeat('x', 100) FROM generate_series(11, 20) i;
INSERT INTO t SELECT i, repeat('x', 100) FROM generate_series(21, 1000) i"
exits 111 'a full disk' failing 50000 "$T/full" --until-caught-up
like "$(cat "$T/err")" 'cannot write.*No space left' 'which is said'
is "$(wc -c <"$T/full")" 50000 'the file is cut inside a unit'
exits 111 'it stays full' failing 50000 "$T/full" --until-caught-up
exits 0 'there is room again' read_into "$T/full" --until-caught-up
like "$(letters "$T/full")" '^(HB(R?I)+C(B(R?I)+C)*E)+$' 'the file is whole'
is "$(pgcdc-cat "$T/full" | jq -c 'select(.[0] == "I") | .[2][0]' | sort -un | wc -l)" 990 \
    'and has every row'
exits 111 '/dev/full' read_into /dev/full --until-caught-up
like "$(cat "$T/err")" 'No space left' 'says so'

# Cut at every kind of place ---------------------------------------------------------

# "crashed" holds a run with its E and one without.  Its slot was confirmed up to the last
# whole unit at the most: from there on all must come again.
pgcdc-cat "$T/crashed" 2>"$T/null" | jq -r 'select(.[0] == "C") | .[1]' | sort -u >"$T/units"
"$PYTHON" - "$T/crashed" >"$T/cuts" <<'E'
import sys, msgpack
data = open(sys.argv[1], "rb").read()
unpacker = msgpack.Unpacker(strict_map_key=False)
unpacker.feed(data)
start, lsn, before = 0, "", "start"
for frame in unpacker:
    end = unpacker.tell()
    print(start, f"after_{before}", lsn or "0/0")
    print((start + end) // 2, f"inside_{frame[0]}", lsn or "0/0")
    if frame[0] == "C":
        lsn = "%X/%X" % (frame[1] >> 32, frame[1] & 0xffffffff)
    start, before = end, frame[0]
print(start, f"after_{before}", lsn)
E
endpos=$(tail -n 1 "$T/units")
# The walsender may be there a while longer than the reader.
drop_cut() {
	sql "SELECT pg_drop_replication_slot('${ID}_cut')"
}
whole=0 complete=0 kept=0 cuts=0
while read -r at where lsn; do
	cuts=$((cuts + 1))
	head -c "$at" "$T/crashed" >"$T/cut"
	# What ends with the last C or E is to stay.
	sql "SELECT pg_copy_logical_replication_slot('${ID}_base', '${ID}_cut');
	SELECT pg_replication_slot_advance('${ID}_cut', '$lsn') WHERE '$lsn' <> '0/0'" >"$T/null"
	pgcdc-read -s "${ID}_cut" -p "$p" -o "$T/cut" --endpos "$endpos" 2>"$T/err" ||
	    diag "cut at $at, $where:" <"$T/err"
	_until 20 drop_cut || bail "the slot is not free"
	pgcdc-cat "$T/cut" >"$T/json" 2>"$T/err" || diag "cut at $at, $where: not readable"
	if jq -r '.[0]' "$T/json" | tr -d '\n' | grep -Eqx '(H(BR?(IR?)+C)*E)+'; then
		whole=$((whole + 1))
	else
		diag "cut at $at, $where: $(jq -r '.[0]' "$T/json" | tr -d '\n')"
	fi
	jq -r 'select(.[0] == "C") | .[1]' "$T/json" >"$T/got"
	if [ "$(sort -u "$T/got")" = "$(cat "$T/units")" ]; then
		complete=$((complete + 1))
	else
		diag "cut at $at, $where: units missing"
	fi
	# No unit twice: nothing that was whole was cut off and nothing repeated.
	[ "$(sort "$T/got")" != "$(cat "$T/units")" ] || kept=$((kept + 1))
done <"$T/cuts"
ok "cut at $cuts places" [ "$cuts" -ge 30 ]
is "$whole" "$cuts" 'it always becomes a whole stream'
is "$complete" "$cuts" 'with every unit'
is "$kept" "$cuts" 'and what was whole stays'

# What is not such a file ------------------------------------------------------------

# refused DESCRIPTION PATTERN: $T/file is, and stays as it is.
refused() {
	cp "$T/file" "$T/copy"
	exits 100 "$1" read_into "$T/file" --until-caught-up
	like "$(cat "$T/err")" "$2" 'says so'
	same "$T/file" "$T/copy" 'and leaves it alone'
}
echo 'some text' >"$T/file"
refused 'a file of something else' 'something else than frames.*offset=0'
{ cat "$T/a"; echo 'some text'; } >"$T/file"
refused 'something else behind frames' "something else than frames.*offset=$(wc -c <"$T/a")"
printf '\221\001' >"$T/file"
refused 'an array that is no frame' 'something else than frames'
exits 100 'a folder' read_into "$T"
exits 100 'a file in no folder' read_into "$T/no/file"
: >"$T/empty"
exits 0 'an empty file is a new one' read_into "$T/empty" --until-caught-up
is "$(letters "$T/empty")" HE 'with a run'
exits 0 'another run without a unit' read_into "$T/empty" --until-caught-up
is "$(letters "$T/empty")" HEHE 'is appended'
pgcdc-cat "$T/a" | head -n 1 | pgcdc-cat --pack >"$T/hello" 2>"$T/null"
exits 0 'a file with nothing but H' read_into "$T/hello" --until-caught-up
is "$(letters "$T/hello")" HE 'begins anew'

done_testing
