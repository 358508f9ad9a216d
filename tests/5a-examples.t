#!/bin/sh
# The mapping files among the examples, each in a pipeline into a real node.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
need_pg
need_es
# shellcheck source=pipeline.sh
. "$TOP/tests/pipeline.sh"

for file in tutorial/mapping tutorial/script counters data-stream soft-delete parent-child; do
	ok "$file.yml: --check" pgcdc-map -m "$TOP/examples/$file.yml" --check
done
for file in tutorial/mapping tutorial/script counters; do
	ok "$file.yml: at most ten" [ "$(grep -vc '^#' "$TOP/examples/$file.yml")" -le 10 ]
done

# example FILE SQL: a pipeline on a database of its own; the index's name gets $ID- before.
example() {
	name=$(basename "$1")
	pg_db "$(echo "$name" | tr - _)"
	sql "$2"
	sql "CREATE PUBLICATION $ID FOR ALL TABLES"
	SLOT=${ID}_$(echo "$name" | tr - _)
	sql "SELECT 1 FROM pg_create_logical_replication_slot('$SLOT', 'pgoutput')" >"$T/null"
	RUNDIR=$T/run-$name
	sed "s/index: /index: $ID-/" "$TOP/examples/$1.yml" >"$T/mapping.yml"
	pipeline_conf
	pipeline_start
}

# shows DESCRIPTION INDEX JSON...: ids and documents, once all is stored.
shows() {
	pipeline_stored "$1: stored" 30
	es_docs "$ID-$2" | tr '\t' ' ' >"$T/docs"
	_what=$1
	shift 2
	is "$(cat "$T/docs")" "$(printf '%s\n' "$@")" "$_what"
}

# The tutorial's, by a script -----------------------------------------------------------

users='CREATE TABLE users (id serial PRIMARY KEY, name text NOT NULL, created_on timestamptz)'
example tutorial/script "$users"
sql "INSERT INTO users (name) VALUES ('Ada'), ('Mary')"
shows 'script: inserts' users '1 {"created_on":null,"id":1,"name":"Ada"}' '2 {"created_on":null,"id":2,"name":"Mary"}'
sql "UPDATE users SET name = 'Grace', created_on = '2026-11-23 01:02:03+01' WHERE name = 'Ada'"
shows 'script: an update' users '1 {"created_on":"2026-11-23T00:02:03Z","id":1,"name":"Grace","old_name":"Ada"}' \
    '2 {"created_on":null,"id":2,"name":"Mary"}'
sql "UPDATE users SET name = 'Édith \"P\"' WHERE id = 1; DELETE FROM users WHERE id = 2"
shows 'script: another, and a delete' users \
    '1 {"created_on":"2026-11-23T00:02:03Z","id":1,"name":"Édith \"P\"","old_name":"Grace"}'
pipeline_stop 'script: it ends in order'

# Counters ------------------------------------------------------------------------------

example counters 'CREATE TABLE books (id serial PRIMARY KEY, title text, author_id int NOT NULL);
ALTER TABLE books REPLICA IDENTITY FULL'
sql "INSERT INTO books (title, author_id) SELECT 'b', i % 3 FROM generate_series(1, 3000) i"
shows 'counters: three thousand books in one transaction' authors '0 {"author":0,"books":1000}' \
    '1 {"author":1,"books":1000}' '2 {"author":2,"books":1000}'
sql "DELETE FROM books WHERE author_id = 1 AND id <= 30; UPDATE books SET title = 'c' WHERE author_id = 2;
INSERT INTO books (title, author_id) VALUES ('d', 2); INSERT INTO books (title, author_id) VALUES ('d', 4)"
shows 'counters: up and down' authors '0 {"author":0,"books":1000}' '1 {"author":1,"books":990}' \
    '2 {"author":2,"books":1001}' '4 {"author":4,"books":1}'
is "$(es_docs "$ID-authors" | sed 's/\t.*"books":/|/; s/}//')" \
    "$(sql 'SELECT author_id, count(*) FROM books GROUP BY 1 ORDER BY 1')" 'counters: as SQL counts'
pipeline_stop 'counters: it ends in order'

# Soft deletes --------------------------------------------------------------------------

example soft-delete 'CREATE TABLE articles (id serial PRIMARY KEY, title text, status text,
    deleted_at timestamptz)'
sql "INSERT INTO articles (title, status, deleted_at) VALUES ('a', 'public', NULL), ('b', 'draft', NULL),
    ('c', 'public', now()), ('d', NULL, NULL)"
shows 'soft-delete: inserts' articles '1 {"id":1,"status":"public","title":"a"}'
sql "UPDATE articles SET deleted_at = now() WHERE id = 1; UPDATE articles SET status = 'public' WHERE id = 2;
UPDATE articles SET deleted_at = NULL WHERE id = 3"
shows 'soft-delete: marked, published, taken back' articles '2 {"id":2,"status":"public","title":"b"}' \
    '3 {"id":3,"status":"public","title":"c"}'
sql "UPDATE articles SET status = 'draft' WHERE id = 2; DELETE FROM articles WHERE id = 3;
UPDATE articles SET deleted_at = NULL WHERE id = 1"
shows 'soft-delete: a draft again, gone, taken back' articles '1 {"id":1,"status":"public","title":"a"}'
pipeline_stop 'soft-delete: it ends in order'

# A data stream -------------------------------------------------------------------------

stream=$ID-orders-events
ok 'data-stream: the template that the example tells of' es PUT "_index_template/$stream" "$(
    sed -n "s/^# *-d '\(.*\)'\$/\1/p" "$TOP/examples/data-stream.yml" | sed "s/orders-events/$stream/")"
example data-stream 'CREATE TABLE orders (id serial PRIMARY KEY, amount numeric(10, 2), note text);
ALTER TABLE orders REPLICA IDENTITY FULL'
# events: in their order, which the time of the commit tells; a node sorts by milliseconds.
events() {
	es POST "$stream/_refresh" >"$T/null"
	es GET "$stream/_search?size=1000" |
	    jq -c '[.hits.hits[]._source] | sort_by(."@timestamp")[] | [.op, .id, .amount, .note]'
}
sql "INSERT INTO orders (amount) VALUES (1.5); UPDATE orders SET amount = 2, note = 'x';
UPDATE orders SET note = NULL; DELETE FROM orders; INSERT INTO orders (amount) VALUES (3)"
pipeline_stored 'data-stream: stored' 30
printf '%s\n' '["insert",1,1.50,null]' '["update",1,2.00,"x"]' '["update",1,2.00,null]' '["delete",1,2.00,null]' \
    '["insert",2,3.00,null]' | jq -c . >"$T/expected"
events >"$T/got"
same "$T/got" "$T/expected" 'data-stream: each change is an event'
is "$(es GET "_data_stream/$stream" | jq -r '.data_streams[0].name')" "$stream" 'data-stream: it is one'
like "$(es GET "$stream/_search" | jq -r '.hits.hits[0]._source."@timestamp"')" \
    '^20[-0-9]+T[0-9:]{8}\.[0-9]{6}Z$' 'data-stream: with the time of the commit'
pipeline_stop 'data-stream: it ends in order'

# Again, all of it: from a slot that has it still.
sql "SELECT 1 FROM pg_create_logical_replication_slot('${SLOT}_again', 'pgoutput')" >"$T/null"
sql "UPDATE orders SET note = 'again'"
ok 'data-stream: captured' pgcdc-read -s "${SLOT}_again" -p "$ID" --until-caught-up -o "$T/frames"
for time in first second; do
	ok "data-stream: written, the $time time" sh -c "pgcdc-map -m '$T/mapping.yml' <'$T/frames' |
	    esbulk-write -u '$PGCDC_TEST_ES_URL'"
done
echo '["update",2,3,"again"]' | jq -c . >>"$T/expected"
events >"$T/got"
same "$T/got" "$T/expected" 'data-stream: a replay adds nothing'
es DELETE "_data_stream/$stream" >"$T/null"
es DELETE "_index_template/$stream" >"$T/null"
done_testing
