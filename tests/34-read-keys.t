#!/bin/sh
# Primary keys in R: what the server's flags and today's catalog do not tell for sure is no
# key, for a guess would give two rows one document, or one row two.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
need_pg
pg_db

# key TABLE...: the primary keys that the R frames of a table have, in the stream's order.
read_keys() {
	pgcdc-read -s "$ID" -p "$ID" --until-caught-up 2>"$T/err" | pgcdc-cat >"$T/frames"
}
key() {
	jq -c --arg table "$1" 'select(.[0] == "R" and .[3] == $table) | .[6]' "$T/frames" | xargs
}

sql "CREATE TABLE ordered (a int, b int, v text, PRIMARY KEY (b, a));
CREATE TABLE generated (a int, b int GENERATED ALWAYS AS (x * 10) STORED, x int,
    PRIMARY KEY (a, b));
CREATE TABLE part (a int, b int, v text, PRIMARY KEY (a, b));
CREATE TABLE changed (a int, b int, c int, PRIMARY KEY (a, b));
CREATE TABLE single (a int PRIMARY KEY, b int);
CREATE TABLE dropped (a int PRIMARY KEY, v text);
ALTER TABLE dropped REPLICA IDENTITY FULL;
CREATE TABLE whole (a int, b int, v text, PRIMARY KEY (b, a));
ALTER TABLE whole REPLICA IDENTITY FULL;
CREATE TABLE keyless (a int, b int);
CREATE PUBLICATION $ID FOR TABLE ordered, generated, part, changed, single, dropped, whole,
    keyless WITH (publish = 'insert');
SELECT pg_create_logical_replication_slot('$ID', 'pgoutput');" >"$T/out"
[ "$(sql 'SHOW server_version_num')" -lt 150000 ] ||
    sql "ALTER PUBLICATION $ID DROP TABLE part; ALTER PUBLICATION $ID ADD TABLE part (a, v)"
sql "INSERT INTO ordered VALUES (1, 2); INSERT INTO generated (a, x) VALUES (1, 1), (1, 2);
INSERT INTO part VALUES (1, 1); INSERT INTO changed VALUES (1, 1, 5), (1, 2, 6);
INSERT INTO single VALUES (1, 1); INSERT INTO dropped VALUES (1);
INSERT INTO whole VALUES (1, 2); INSERT INTO keyless VALUES (1, 2);
ALTER TABLE changed DROP CONSTRAINT changed_pkey; ALTER TABLE changed ADD PRIMARY KEY (a, c);
ALTER TABLE single DROP CONSTRAINT single_pkey;
ALTER TABLE single ADD PRIMARY KEY (b);
DROP TABLE dropped"
read_keys
is "$(key ordered)" '[1,0]' 'the columns of a key stand in its own order'
is "$(key whole)" '[1,0]' 'with REPLICA IDENTITY FULL, too'
is "$(key keyless)" null 'a table without a key has none'
is "$(key generated)" null 'a key with a generated column, which is not published, is none'
if [ "$(sql 'SHOW server_version_num')" -ge 150000 ]; then
	is "$(key part)" null 'nor is one outside a list of columns'
	like "$(cat "$T/err")" 'not published whole.*remedy=' 'and a warning says why'
fi
is "$(key changed)" null 'a key of two columns that is another one today is none'
like "$(cat "$T/err")" 'table=changed.*was changed after.*remedy=' 'and a warning says why'
is "$(key single)" '[0]' 'a key of one column is known all the same'
is "$(key dropped)" null 'the key of a dropped table with REPLICA IDENTITY FULL is not known'
like "$(cat "$T/err")" 'table=dropped.*was dropped after' 'and a warning says why'

# With other identities nothing in the stream tells that the key was another one.
sql "CREATE TABLE f (a int, b int, v text, PRIMARY KEY (a, b));
ALTER TABLE f REPLICA IDENTITY FULL;
CREATE TABLE i (a int, b int, k int NOT NULL UNIQUE, PRIMARY KEY (a, b));
ALTER TABLE i REPLICA IDENTITY USING INDEX i_k_key;
ALTER PUBLICATION $ID ADD TABLE f, i;
SELECT pg_replication_slot_advance('$ID', pg_current_wal_lsn())" >"$T/out"
sql "INSERT INTO f VALUES (1, 1); INSERT INTO i VALUES (1, 1, 1);"
sql "BEGIN; CREATE TABLE made (a int, b int, PRIMARY KEY (b, a)); ALTER PUBLICATION $ID ADD TABLE made;
ALTER TABLE made REPLICA IDENTITY FULL; INSERT INTO made VALUES (1, 2); COMMIT"
read_keys
is "$(key f) $(key i) $(key made)" '[0,1] [0,1] [1,0]' 'keys as they are'
for table in f i; do
	sql "ALTER TABLE $table DROP CONSTRAINT ${table}_pkey"
done
sql "ALTER TABLE f ADD PRIMARY KEY (a); ALTER TABLE i ADD PRIMARY KEY (a)"
read_keys
is "$(key f) $(key i)" '[0] [0]' 'they are taken as they are today'
is "$(grep -c 'made or touched after.*remedy=' "$T/err")" 2 'with a warning'
sql "SELECT pg_replication_slot_advance('$ID', pg_current_wal_lsn())" >"$T/out"
sql "INSERT INTO f VALUES (2, 2); INSERT INTO i VALUES (2, 2, 2)"
sql "BEGIN; SAVEPOINT a; CREATE TABLE later (a int, b int, PRIMARY KEY (b, a));
ALTER TABLE later REPLICA IDENTITY FULL; ALTER PUBLICATION $ID ADD TABLE later; RELEASE a;
INSERT INTO later VALUES (1, 2); COMMIT"
read_keys
is "$(key f) $(key i) $(key later)" '[0] [0] [1,0]' 'where nothing was changed'
is "$(grep -c 'made or touched after' "$T/err")" 0 'there is none'

# A server, or something before it, that closes the connection is no permanent error.
cat >"$T/closes.py" <<'END'
import socket, sys
s = socket.socket()
s.bind(("127.0.0.1", 0))
s.listen(8)
with open(sys.argv[1] + ".new", "w") as f:
    f.write(str(s.getsockname()[1]))
import os
os.rename(sys.argv[1] + ".new", sys.argv[1])
while True:
    s.accept()[0].close()
END
bg closes "$PYTHON" "$T/closes.py" "$T/port"
wait_for 'a server that closes every connection' 10 test -s "$T/port"
exits 111 'is a temporary error' \
    pgcdc-read -d "host=127.0.0.1 port=$(cat "$T/port") sslmode=disable" -s "$ID" -p "$ID"
exits 100 'a mistake in the connection string is a permanent one' \
    pgcdc-read -d "hots=127.0.0.1" -s "$ID" -p "$ID"

done_testing
