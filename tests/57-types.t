#!/bin/sh
# Every type that a column can have, through the stages into a real node and back: each
# document is, number by number and character by character, what SQL says that it should
# be.  types.sql has the tables, the values and the rules.
#
# LONG=1 does it with an Elasticsearch as well.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
need_pg
need_es
pg_db

psql -XAtq -v ON_ERROR_STOP=1 -f "$TOP/tests/types.sql" >"$T/sql.out" 2>&1 ||
    bail "types.sql: $(cut -c 1-300 "$T/sql.out" | tail -n 3)"

# What cannot be in a column, or is there of no use: no input, or no form of its own.
is "$(sql "SELECT coalesce(string_agg(typname, ' ' ORDER BY oid), '') FROM pg_type t WHERE oid < 10000
    AND typtype IN ('b', 'r', 'm') AND typoutput <> 'array_out'::regproc
    AND NOT EXISTS (SELECT FROM own.literals l WHERE to_regtype(l.type) = t.oid)
    AND typinput NOT IN (SELECT oid FROM pg_proc WHERE prosrc IN ('pg_node_tree_in', 'gtsvectorin',
	'pg_ndistinct_in', 'pg_dependencies_in', 'pg_mcv_list_in', 'brin_bloom_summary_in',
	'brin_minmax_multi_summary_in'))")" '' 'no type of PostgreSQL is left out'
for extension in hstore citext ltree cube seg isn intarray vector; do
	[ -n "$(sql "SELECT 1 FROM pg_extension WHERE extname = '$extension'")" ] ||
		diag "THE SERVER HAS NO $extension: its types are not checked"
done
diag "$(sql 'SELECT count(*) FROM own.literals') types, $(sql 'SELECT sum(cardinality(v))
    FROM own.literals') values"

tables='scalar scalar_full arrays domains nested'

# index TABLE POLICY: its name.
index() {
	echo "$ID-$flavour-$2-$1"
}

# The policies: "string" and "null" are those of types.sql, with whole documents;
# "partial" is null's with updates of what changed alone.
policies='string null partial'

# mapping POLICY: the file.
mapping() {
	case $1 in
	string) echo 'defaults: { nan: string, infinity: string, bc: string, long_id: hash }' ;;
	null | partial)
		echo 'defaults: { nan: null, infinity: null, bc: iso, numeric: string, bytea: hex, long_id: hash }'
		;;
	esac
	echo 'tables:'
	echo "- { table: types.key_*, index: $(index keys "$1"), id: '{table} {k}' }"
	echo "- { table: types.*, index: \"$(index '{table}' "$1")\",
	    on: { update: $(case $1 in partial) echo partial ;; *) echo index ;; esac) } }"
}

# templates POLICY: the index templates that pgcdc-map derives of the tables, put into the node.
templates() {
	mapping "$1" >"$T/mapping.yml"
	pgcdc-map -m "$T/mapping.yml" -d '' -p "$ID" --template >"$T/templates" 2>"$T/template.err" ||
		bail "no templates: $(cat "$T/template.err")"
	echo '["E","0/0","done"]' | pgcdc-cat --pack |
		esbulk-write -u "$PGCDC_TEST_ES_URL" --template "$T/templates" 2>"$T/index.answer" ||
		bail "no template: $(cat "$T/index.answer")"
}

# store: what happened since the last time, with all policies; nothing may be rejected.
store() {
	n=$((n + 1))
	ok "$n: captured" pgcdc-read -s "$SLOT" -p "$ID" --until-caught-up -o "$T/$flavour-$n.frames"
	for policy in $policies; do
		mapping "$policy" >"$T/mapping.yml"
		ok "$n, $policy: mapped" sh -c "pgcdc-map -m '$T/mapping.yml' <'$T/$flavour-$n.frames' >'$T/actions'"
		pgcdc-cat "$T/actions" | jq -r 'select(.[0] == "X" and .[1] == "reject") | .[7]' |
		    cut -c 1-200 >"$T/rejects"
		: >"$T/null"
		same "$T/rejects" "$T/null" "$n, $policy: nothing is rejected"
		ok "$n, $policy: written" sh -c "esbulk-write -u '$PGCDC_TEST_ES_URL' <'$T/actions'"
	done
}

# compare DESCRIPTION: all documents are the rows.
compare() {
	# The cluster makes doubles of all numbers of a document that it updates in part.
	for policy in $policies; do
		case $policy in
		partial) rule=null doubles=--doubles ;;
		*) rule=$policy doubles='' ;;
		esac
		for table in $tables; do
			# They are null's once more, and have no form that others have not.
			case $policy.$table in
			partial.domains | partial.nested) continue ;;
			esac
			[ "$policy" = partial ] || sql "SET rule.policy = '$rule';
			    SELECT types.docs('types.$table')" | canonical_docs >"$T/rows.$rule.$table"
			cp "$T/rows.$rule.$table" "$T/rows"
			es_docs "$(index "$table" "$policy")" >"$T/docs"
			"$PYTHON" "$TOP/tests/differences.py" ${doubles:+"$doubles"} "$T/docs" "$T/rows" >"$T/differences"
			is "$(cat "$T/differences")" '' \
			    "$1: $policy: $table: $(wc -l <"$T/rows") rows are the documents"
		done
	done
}

# compare_keys DESCRIPTION: the tables key_*; their documents have ids of all types.
compare_keys() {
	for policy in string null; do
		sql "SET rule.policy = '$policy'; SELECT types.docs(oid) FROM pg_class
		    WHERE relnamespace = 'types'::regnamespace AND relname LIKE 'key\\_%' AND relkind = 'r'" |
		    canonical_docs >"$T/rows"
		# By v, for an id may have line ends and tabs in it.
		es_docs "$(index keys "$policy")" | sed -n 's/^\(.*\t\)*\({"k":.*,"v":\([0-9]*\)}\)$/\3\t\2/p' |
		    sort >"$T/docs"
		sort -o "$T/rows" "$T/rows"
		"$PYTHON" "$TOP/tests/differences.py" "$T/docs" "$T/rows" >"$T/differences"
		is "$(cat "$T/differences") $(wc -l <"$T/docs")" " $(wc -l <"$T/rows")" \
		    "$1: $policy: keys of all types: $(wc -l <"$T/rows") rows are the documents"
	done
}

# each_key SQL: a statement for each of these tables, %s.
each_key() {
	sql "SELECT format(\$f\$$1;\$f\$, oid::regclass) FROM pg_class WHERE relnamespace = 'types'::regnamespace
	    AND relname LIKE 'key\\_%' AND relkind = 'r'" >"$T/keys.sql"
	ok "$(wc -l <"$T/keys.sql") tables: $1" psql -Xq -v ON_ERROR_STOP=1 -f "$T/keys.sql"
}

# columns TABLE: but for the key.
columns() {
	sql "SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute
	    WHERE attrelid = 'types.$1'::regclass AND attnum > 1 AND NOT attisdropped"
}

# all_types: inserts, updates, deletes.
all_types() {
	n=0
	SLOT=${ID}_$flavour
	sql "SELECT 1 FROM pg_create_logical_replication_slot('$SLOT', 'pgoutput')" >"$T/slot"
	for table in $tables; do
		sql "CREATE TABLE own.$table AS SELECT * FROM types.$table;
		TRUNCATE types.$table; INSERT INTO types.$table SELECT * FROM own.$table"
	done
	for policy in $policies; do
		templates "$policy"
	done
	each_key 'CREATE TEMP TABLE t AS SELECT * FROM %1$s; DELETE FROM %1$s; INSERT INTO %1$s SELECT * FROM t; DROP TABLE t'
	store
	compare_keys "$flavour: inserted"
	compare "$flavour: inserted"
	# One column alone: large values of the others are not sent, but for FULL.
	for table in scalar scalar_full arrays domains; do
		sql "UPDATE types.$table SET int4 = NULL"
	done
	sql "UPDATE types.nested SET arrays = NULL"
	store
	is "$(pgcdc-cat "$T/$flavour-$n.frames" | grep -c '^\["U".*{"$absent":true}' | sed 's/^[1-9].*/some/')" \
	    some 'large values are not sent'
	compare "$flavour: a column updated"
	# Each row has another one's values.
	for table in $tables; do
		list=$(columns "$table")
		sql "UPDATE types.$table t SET ($list) = (SELECT $list FROM own.$table o
		    WHERE o.id = 1 + t.id % (SELECT max(id) FROM own.$table))"
	done
	store
	compare "$flavour: all columns updated"
	# Other keys, and keys that are gone.
	for table in $tables; do
		sql "UPDATE types.$table SET id = id + 1000 WHERE id % 2 = 0;
		DELETE FROM types.$table WHERE id % 3 = 0"
	done
	each_key 'UPDATE %1$s SET v = v + 100000 WHERE v %% 2 = 0; DELETE FROM %1$s WHERE v %% 3 = 0'
	# Equal, but another text.
	sql "UPDATE types.key_$(sql "SELECT n FROM own.literals WHERE type = 'float8'") SET k = '-0' WHERE k = 0;
	UPDATE types.key_$(sql "SELECT n FROM own.literals WHERE type = 'numeric'") SET k = 1.100 WHERE k = 1.1"
	store
	compare "$flavour: keys changed, rows deleted"
	compare_keys "$flavour: updated and deleted"
	for table in $tables; do
		sql "DELETE FROM types.$table"
	done
	store
	compare "$flavour: all deleted"
	for table in $tables; do
		sql "TRUNCATE types.$table; INSERT INTO types.$table SELECT * FROM own.$table; DROP TABLE own.$table"
	done
}

sql "CREATE PUBLICATION $ID FOR ALL TABLES"
flavour=opensearch
all_types
if [ -n "${LONG:-}" ]; then
	shared=$PGCDC_TEST_ES_URL
	if "$TOP/tests/search-node" start "$T/elastic" elasticsearch 7.17.28 >"$T/elastic.log" 2>&1; then
		# shellcheck disable=SC1091
		. "$T/elastic/env"
		# What is published of it has no scripts, which replace objects in partial updates.
		flavour=elasticsearch policies='string null'
		all_types
		"$TOP/tests/search-node" stop "$T/elastic"
		PGCDC_TEST_ES_URL=$shared
	else
		diag "NO ELASTICSEARCH: $(tail -n 1 "$T/elastic.log")"
		skip 'Elasticsearch' 'it does not start'
	fi
fi
done_testing
