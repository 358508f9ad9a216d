#!/bin/sh
# A mapper of one's own in the place of pgcdc-map: the examples in Python and in jq, each
# in a pipeline on a slot of its own, live beside pgcdc-map's: their documents are the
# same, with the same versions.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
need_pg
pg_db
# shellcheck source=pipeline.sh
. "$TOP/tests/pipeline.sh"

sql "CREATE TABLE users (id serial PRIMARY KEY, name text NOT NULL, created_on timestamptz);
ALTER TABLE users REPLICA IDENTITY FULL;
CREATE TABLE books (LIKE users INCLUDING ALL);
CREATE PUBLICATION $ID FOR TABLE users, books"
cp "$TOP/examples/tutorial/mapping.yml" "$T"

mappers='map python jq'
command_of() {
	case $1 in
	python) echo "PGCDC_MAP_COMMAND=$PYTHON $TOP/examples/mapper.py" ;;
	jq) echo "PGCDC_MAP_COMMAND=pgcdc-cat | jq -c --unbuffered -f $TOP/examples/mapper.jq |" \
	    "pgcdc-cat --pack" ;;
	*) echo '# its own' ;;
	esac
}

# become MAPPER: its pipeline is the one that is meant.
become() {
	SLOT=${ID}_$1 RUNDIR=$T/$1
	STANDIN_URL=$(cat "$T/$1.url" 2>/dev/null)
	PIPELINE=$(cat "$T/$1.supervisor" 2>/dev/null)
}

for mapper in $mappers; do
	become "$mapper"
	sql "SELECT 1 FROM pg_create_logical_replication_slot('$SLOT', 'pgoutput')" >"$T/slot"
	standin_start
	echo "$STANDIN_URL" >"$T/$mapper.url"
	pipeline_conf PGCDC_ES_URL="$STANDIN_URL" "$(command_of "$mapper")"
	diag "$mapper"
	pipeline_start
	echo "$PIPELINE" >"$T/$mapper.supervisor"
done
like "$(tr '\0' ' ' <"/proc/$(cat "$T/python/map.pid")/cmdline")" 'mapper\.py' 'it is that one'

# all_have DESCRIPTION EXTRA: what is committed now is stored by all; their documents are
# the rows, with the fields EXTRA, an expression, beside them.
all_have() {
	rows "(SELECT id, name, to_char(created_on AT TIME ZONE 'UTC',
	    'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"') AS created_on$2 FROM users)" id >"$T/rows"
	for mapper in $mappers; do
		become "$mapper"
		pipeline_stored "$1: $mapper stored it" 60
		standin_docs users >"$T/$mapper.docs"
		jq -c '[._id, ._version]' "$T/hits" | sort >"$T/$mapper.versions"
		same "$T/$mapper.docs" "$T/rows" "$1: $mapper: the documents are the rows"
		same "$T/$mapper.versions" "$T/map.versions" "$1: $mapper: the versions are pgcdc-map's"
	done
}

at="timestamptz '2026-02-28 23:59:59+05:30'"
sql "INSERT INTO users (name, created_on) SELECT E'\"\\\\n\u00fcml\u00e4ut\\\\t\U0001F600 ' || i, $at
    FROM generate_series(1, 1000) i;
INSERT INTO users (name) VALUES (''), ('no date');
INSERT INTO books (name) VALUES ('another table')"
all_have inserts ''
sql "UPDATE users SET name = 'new ' || id"
all_have updates ", CASE id WHEN 1001 THEN '' WHEN 1002 THEN 'no date' ELSE
    E'\"\\\\n\u00fcml\u00e4ut\\\\t\U0001F600 ' || id END AS old_name"
sql 'BEGIN; UPDATE users SET id = id + 5000 WHERE id % 2 = 0; DELETE FROM users WHERE id % 3 = 0; COMMIT;
UPDATE users SET name = name'
all_have 'keys, deletes' ', name AS old_name'
sql "ALTER TABLE users REPLICA IDENTITY DEFAULT; UPDATE users SET id = -id, name = 'again ' || id;
DELETE FROM users WHERE id % 5 = 0; UPDATE users SET created_on = NULL"
all_have 'REPLICA IDENTITY DEFAULT' ', NULL AS old_name'
ok 'there is something to compare' test "$(wc -l <"$T/rows")" -gt 500
sql 'DELETE FROM users'
all_have 'all deleted' ''

for mapper in $mappers; do
	become "$mapper"
	pipeline_stop "$mapper: it ends in order"
done
done_testing
