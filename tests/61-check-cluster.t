#!/bin/sh
#
# pgcdc check, the cluster: what can be wrong with nodes, logins and indices is made so, the line
# is seen, its remedy is run as it is printed, and the check is ok then.  It writes nothing.

# shellcheck disable=SC2016 # what is not to be expanded
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=check.sh
. "$(dirname "$0")/check.sh"

need_pg
own_es
case $(es GET / | jq -r .version.number) in
6.*)
	skip 'the check of a cluster' 'before 7 there are no such index templates'
	done_testing
	exit
	;;
esac
pg_db
sql "CREATE TABLE users (id int PRIMARY KEY, name text);
CREATE TABLE visits (id int PRIMARY KEY, site text NOT NULL) PARTITION BY RANGE (id);
CREATE TABLE visits_1 PARTITION OF visits DEFAULT; ALTER TABLE visits_1 REPLICA IDENTITY FULL;
CREATE PUBLICATION $ID FOR TABLE users, visits_1;
SELECT pg_create_logical_replication_slot('$ID', 'pgoutput')" >/dev/null
cat >"$T/map.yml" <<END
tables:
  - table: public.users
    index: ${ID}_users
  - table: public.visits_*
    index: ${ID}_visits-{site}
END
conf=$T/shop.conf
# Where the node wants a login, also of pgcdc.
options=
if [ -n "${PGCDC_TEST_ES_LOGIN:-}" ]; then
	IFS=: read -r admin admin_password <"$PGCDC_TEST_ES_LOGIN"
	printf '%s\n' "$admin_password" >"$T/admin"
	options="--cacert $PGCDC_TEST_ES_CACERT --user $admin --password-file $T/admin"
fi
# conf_for URL [LINE...]
conf_for() {
	cat >"$conf" <<-END
	PGCDC_CONNINFO="host=$PGHOST port=$PGPORT dbname=$PGDATABASE user=$PGUSER"
	PGCDC_SLOT=$ID
	PGCDC_PUBLICATION=$ID
	PGCDC_MAPPING=$T/map.yml
	PGCDC_ES_URL=$1
	PGCDC_RUNDIR=$T/run
	PGCDC_STATE=$T/state
	PGCDC_WRITE_OPTIONS=$options
	END
	shift
	[ $# -eq 0 ] || printf '%s\n' "$@" >>"$conf"
}
users=${ID}_users visits=${ID}_visits

# Indices ----------------------------------------------------------------------------

conf_for "$PGCDC_TEST_ES_URL"
finds node ok 'OpenSearch [1-3]|Elasticsearch [789]|does not tell its version' 'a node and its version'
before=$(es GET "_cat/indices?h=index&s=index"; es GET '_cat/templates?h=name&s=name')
mends template warning "${visits}-\\* is not there, and no template" 'no templates'
ok 'the index is not made' not es GET "$users"
finds index ok "$users is made of template pgcdc-$users" 'a template for one index'
finds index ok "$visits-\\* is made of template" 'and for a pattern'
es PUT "$users" >/dev/null
finds index ok "$users is there" 'an index'
for block in read_only_allow_delete read_only write; do
	es PUT "$users/_settings" "{\"index.blocks.$block\":true}" >/dev/null
	mends index error "$users takes no writes: index.blocks.$block" "an index with a block: $block"
done
es PUT "$visits-a" >/dev/null
es POST "$visits-a/_close" >/dev/null
mends index error "$visits-a is closed" 'an index that is closed'
finds index ok "$visits-\\*: 1 is there" 'those of a pattern are counted'
es DELETE "$users" >/dev/null
es PUT "$users-1" >/dev/null
es PUT "$users-2" >/dev/null
es POST _aliases "{\"actions\":[{\"add\":{\"index\":\"$users-1\",\"alias\":\"$users\"}}]}" >/dev/null
finds index ok "$users is an alias" 'an alias of one index'
es POST _aliases "{\"actions\":[{\"add\":{\"index\":\"$users-2\",\"alias\":\"$users\"}}]}" >/dev/null
mends index error "alias $users is of several indices" 'an alias without an index for writes'
finds index ok "$users is an alias" 'it has one then'
es DELETE "$users-1" >/dev/null
es DELETE "$users-2" >/dev/null
es PUT _cluster/settings '{"persistent":{"action.auto_create_index":"false"}}' >/dev/null
mends index error "$users is not there, and action.auto_create_index" 'indices are not made by themselves'
es PUT _cluster/settings '{"persistent":{"action.auto_create_index":null}}' >/dev/null
es DELETE "$users" >/dev/null

# The cluster ------------------------------------------------------------------------

for kind in persistent transient; do
	es PUT _cluster/settings "{\"$kind\":{\"cluster.blocks.read_only_allow_delete\":true}}" >/dev/null
	mends 'cluster block' error 'the whole cluster takes no writes' "a block of the cluster: $kind"
done
es PUT _cluster/settings '{"transient":{"cluster.routing.allocation.enable":"none"}}' >/dev/null
es PUT "$users?wait_for_active_shards=0&timeout=1s" >/dev/null
finds health error 'red: primary shards are missing' 'a cluster that is red'
es PUT _cluster/settings '{"transient":{"cluster.routing.allocation.enable":null}}' >/dev/null
mended=
ok 'its remedy can be run' mend
wait_for 'and the check is ok then' 30 is_mended health red
es DELETE "$users" >/dev/null
es DELETE "$visits-a" >/dev/null
es DELETE '_index_template/pgcdc-*' >/dev/null
is "$(es GET "_cat/indices?h=index&s=index"; es GET '_cat/templates?h=name&s=name')" "$before" \
    'the check makes nothing itself'

# Rights, which Elasticsearch alone tells.
if [ -n "${PGCDC_TEST_ES_LOGIN:-}" ]; then
	finds rights ok 'may write to the indices' 'a login with all rights'
	sed -i 's/--user [a-z]*/--user nobody_here/' "$conf"
	finds node error 'the login is denied .401.' 'a login that is none'
fi
bg rights "$PYTHON" "$TOP/tests/rights.py" "$T/rights.port"
wait_for 'something that tells rights' 20 test -s "$T/rights.port"
echo secret >"$T/poor"
options="--user poor --password-file $T/poor"
conf_for "http://127.0.0.1:$(cat "$T/rights.port")"
ES_ADMIN=admin:secret
export ES_ADMIN
mends rights error 'may not read, write and make all of the indices' 'a login without rights'
finds rights ok 'may write to the indices' 'and with them'
options=

# Nodes ------------------------------------------------------------------------------

conf_for http://127.0.0.1:1
finds node error 'Failed to connect|[Cc]ould.* connect' 'no node'
is "$looked $(jq -r .result "$T/check.json")" '111 temporary' 'is 111'
standin_start
conf_for "$STANDIN_URL http://127.0.0.1:1"
finds node warning 'connect' 'one of two is missing'
is "$looked" 0 'is a warning'
if [ -n "${PGCDC_TEST_ES_LOGIN:-}" ]; then
	skip 'nodes of two clusters' 'they have one login'
elif ! es GET / 2>/dev/null | jq -e .cluster_uuid >/dev/null; then
	skip 'nodes of two clusters' 'the node as it is built for tests does not tell what it is'
else
	conf_for "$PGCDC_TEST_ES_URL $STANDIN_URL"
	finds node error 'is of another cluster' 'nodes of two clusters'
fi
# version OPTION...: a stand-in of that version.
version() {
	kill "$STANDIN_PID"
	standin_start "$@"
	conf_for "$STANDIN_URL"
}
version --distribution elasticsearch --number 6.8.23
mends type error 'Elasticsearch 6 wants a mapping type' 'Elasticsearch 6 without --type'
version --distribution elasticsearch --number 8.19.0
echo 'PGCDC_WRITE_OPTIONS=--type _doc' >>"$conf"
finds type error 'knows no mapping types' 'a type where there are none'
version --distribution elasticsearch --number 5.6.0
finds node error 'Elasticsearch 5.6.0 is too old' 'one that is too old'
version --distribution opensearch --number 1.2.4
finds node error 'OpenSearch 1.2.4 is too old' 'the same of OpenSearch'
version --distribution opensearch --number 4.0.0
finds node warning 'OpenSearch 4.0.0 is newer' 'one that is not known yet'
version --auth cdc:secret
finds node error 'the login is denied .401.' 'no login'
is "$looked" 100 'is 100'
echo secret >"$T/password"
echo "PGCDC_WRITE_OPTIONS=--user cdc --password-file $T/password" >>"$conf"
finds node ok 'OpenSearch' 'with it'
echo wrong >"$T/password"
finds node error 'the login is denied' 'a wrong one'
ok 'the password is not told' not grep -r wrong "$T/check.json" "$T/check.err"

# A password that a remedy needs is read where it is kept.
[ -z "${PGCDC_TEST_ES_LOGIN:-}" ] || {
	done_testing
	exit
}
conf_for "$PGCDC_TEST_ES_URL" "PGCDC_WRITE_OPTIONS=--user 'a b' --password-file '$T/pass word'"
echo x >"$T/pass word"
es PUT "$users" >/dev/null
es PUT "$users/_settings" '{"index.blocks.write":true}' >/dev/null
mends index error 'index.blocks.write' 'with a login'
like "$(cat "$T/remedy")" '-u .a b.:"[$]\(head -n 1 .*pass word' 'which is read from its file'

done_testing
