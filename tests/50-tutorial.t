#!/bin/sh
# The tutorial's case, by the files in examples/tutorial as they stand: its SQL, its
# least-privilege user, its settings and its mapping, into a real node.  Only the ports
# and the place of its files are others.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
PG_SERVER_CONF='max_wal_senders = 5
max_replication_slots = 5'
export PG_SERVER_CONF
own_pg
need_es
# shellcheck source=pipeline.sh
. "$TOP/tests/pipeline.sh"
SLOT=es_cdc_slot

# The index has no name of this test's own.
es DELETE users >"$T/null" 2>&1

# By a superuser
sql 'CREATE DATABASE es_cdc_db'
PGDATABASE=es_cdc_db
ok 'setup.sql' psql -Xq -v ON_ERROR_STOP=1 -f "$TOP/examples/tutorial/setup.sql"
is "$(sql "SELECT rolsuper, rolreplication, has_table_privilege(oid, 'users', 'SELECT'),
    has_database_privilege(oid, 'es_cdc_db', 'CREATE') FROM pg_roles
    WHERE rolname = 'es_cdc_user'")" 'f|t|f|f' 'the user may replicate, and nothing else'
exits 2 'and needs its password' env PGPASSWORD=wrong psql -X -U es_cdc_user -c 'SELECT 1'
is "$(sql 'SELECT pubinsert, pubupdate, pubdelete, pubtruncate, puballtables FROM pg_publication')" \
    't|t|t|f|f' 'the publication: inserts, updates, deletes'
is "$(sql "SELECT string_agg(tablename, ' ') FROM pg_publication_tables")" users 'of users alone'

sed "s|^PGCDC_ES_URL=.*|PGCDC_ES_URL=$PGCDC_TEST_ES_URL|
    s|^PGCDC_MAPPING=.*|PGCDC_MAPPING=$TOP/examples/tutorial/mapping.yml|
    s|^PGCDC_METRICS_READ=.*|PGCDC_METRICS_READ=127.0.0.1:0|
    s|^PGCDC_RUNDIR=.*|PGCDC_RUNDIR=$RUNDIR|; s|=es_cdc_slot[.]|=$T/es_cdc_slot.|" \
    "$TOP/examples/tutorial/pgcdc.conf" >"$T/pgcdc.conf"
pipeline_start
is "$(sql "SELECT usename FROM pg_stat_activity JOIN pg_replication_slots ON pid = active_pid")" \
    es_cdc_user 'it is that user who streams'
like "$(tr '\0' ' ' <"/proc/$(stage_pid write)/cmdline")" ' --batch-docs 10000 ' \
    'a batch has at most 10000 documents'
like "$(tr '\0' ' ' <"/proc/$(stage_pid read)/cmdline")" ' --slot-check-interval 3000 ' \
    'a busy slot is looked at every 3000 ms'

# document ID: its source, and fails when there is none.
document() {
	es GET "users/_source/$1"
}

has_name() {
	[ "$(document "$1" | jq -r .name)" = "$2" ]
}

# users DESCRIPTION [EXTRA]: all documents are the rows; EXTRA is an expression of the
# fields that a document has beside them.
users() {
	rows "(SELECT id, name, to_char(created_on AT TIME ZONE 'UTC',
	    'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') AS created_on${2:-} FROM users)" id >"$T/users.rows"
	es_docs users >"$T/users.docs"
	same "$T/users.docs" "$T/users.rows" "$1"
}

at="timestamptz '2026-02-28 23:59:59.123456+05:30'"
sql "INSERT INTO users (name, created_on) VALUES ('Ada', $at)"
wait_for 'insert: the document comes' 30 has_name 1 Ada
users 'insert: the row under its id'

sql "UPDATE users SET name = 'Grace' WHERE name = 'Ada'"
wait_for 'update: the document changes' 30 has_name 1 Grace
users "update: the new row, and the old row's name" ", 'Ada' AS old_name"

sql "UPDATE users SET created_on = NULL; UPDATE users SET created_on = $at, name = 'Édith \"P\"'"
wait_for 'two updates: the document changes' 30 has_name 1 'Édith "P"'
users "two updates: the old row is the last one's" ", 'Grace' AS old_name"

sql "INSERT INTO books (name) VALUES ('another table'); DELETE FROM users"
wait_for 'delete: the document goes' 30 not document 1
users 'delete: none is left'
is "$(es GET '_cat/indices?h=index' | grep -c books)" 0 'another table is not captured'

sql 'ALTER TABLE users REPLICA IDENTITY DEFAULT'
sql "INSERT INTO users (name, created_on) VALUES ('Mary', $at)"
sql "UPDATE users SET name = 'Anne' WHERE name = 'Mary'"
wait_for 'REPLICA IDENTITY DEFAULT: the document changes' 30 has_name 2 Anne
users 'REPLICA IDENTITY DEFAULT: there is no old row, and old_name is null' ', NULL AS old_name'
sql 'DELETE FROM users'
wait_for 'REPLICA IDENTITY DEFAULT: the document goes' 30 not document 2

# A transaction of more than a batch, stopped and gone on.
sql "INSERT INTO users (name, created_on) SELECT 'user ' || i, $at FROM generate_series(1, 25000) i"
pipeline_stored 'a large transaction is stored' 60
users 'every row of it is a document'
confirmed=$(slot_confirmed "$SLOT")
pipeline_stop 'at TERM it ends with 0'
is "$(sql "SELECT active, confirmed_flush_lsn >= '$confirmed' FROM pg_replication_slots")" 'f|t' \
    'the slot is free, and where it was'
sql "DELETE FROM users WHERE id % 1000 > 0; INSERT INTO users (name, created_on) VALUES ('last', $at)"
pipeline_start
pipeline_stored 'started again: what happened meanwhile is stored' 60
users 'all documents are the rows'
pipeline_stop 'and it ends with 0 again'
es DELETE users >"$T/null" 2>&1
done_testing
