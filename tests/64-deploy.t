#!/bin/sh
# What is there for production: the unit for systemd, the Containerfile, and the manifest
# for Kubernetes, whose own configuration runs here as a pair.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
need_pg
manifest=$TOP/examples/kubernetes/pgcdc.yaml
of_manifest() {
	"$PYTHON" "$TOP/tests/manifest.py" "$@"
}

# systemd ---------------------------------------------------------------------------

unit=$TOP/examples/systemd/pgcdc@.service
for line in Type=notify NotifyAccess=all KillMode=mixed Restart=on-failure RestartPreventExitStatus=100 \
    DynamicUser=yes ProtectSystem=strict NoNewPrivileges=yes RuntimeDirectory=pgcdc-%i \
    StateDirectory=pgcdc/%i; do
	ok "the unit: $line" grep -qxF "$line" "$unit"
done
# Not /bin/kill: a small system does without procps.
ok 'reload is HUP' grep -qxF "ExecReload=/bin/sh -c 'kill -HUP \$\$MAINPID'" "$unit"
secrets=$(sed -n 's/^LoadCredential=\([a-z]*\):.*/\1/p' "$unit")
is "$secrets" "$(printf 'pgservice\npassword')" 'secrets are credentials'
for secret in $secrets; do
	ok "which may be missing: $secret" grep -q "^SetCredential=$secret:" "$unit"
done
ok 'and the memory is bounded' grep -q '^MemoryMax=' "$unit"
# The time for a stop is enough for the supervisor's own: drain, and then by force.
ok 'TimeoutStopSec is behind PGCDC_DRAIN' [ "$(sed -n 's/^TimeoutStopSec=//p' "$unit")" -gt 40 ]
if command -v systemd-analyze >"$T/null" && systemd-analyze verify --help >"$T/null" 2>&1; then
	# The program need not be installed here.
	sed "s|^ExecStart=/usr/local/bin/|ExecStart=$BUILD/bin/|" "$unit" >"$T/pgcdc@.service"
	ln -s pgcdc@.service "$T/pgcdc@shop.service"
	systemd-analyze verify --man=no "$T/pgcdc@shop.service" >"$T/verify" 2>&1
	is "$(grep pgcdc@ "$T/verify")" '' 'systemd-analyze verify has nothing to say'
	ok 'systemd-analyze security: OK' systemd-analyze security --offline=yes --threshold=20 \
	    --no-pager "$T/pgcdc@shop.service"
else
	diag 'systemd-analyze IS NOT INSTALLED'
	skip 'systemd-analyze' 'NOT CHECKED: systemd-analyze is not installed'
fi

# The Containerfile -----------------------------------------------------------------

# packages STAGE: those that the stage installs.
packages() {
	awk -v stage="$1" '/^FROM/ { n++ } n == stage' "$TOP/Containerfile" | tr '\n\134' '  ' |
	    sed 's/.*--no-install-recommends//; s/&&.*//; s/COPY.*//' | xargs -n 1 | sort
}
# make itself is there where the tests run.
{
	sed -n '/^need_build/,/^}/s/^.need \([^ ]*\) .*/\1/p' "$TOP/tests/deps"
	echo make
} | sort >"$T/build"
packages 1 >"$T/container"
same "$T/container" "$T/build" 'the Containerfile builds with what tests/deps knows'
sed -n 's/^COPY \(.*\) .*/\1/p' "$TOP/Containerfile" | grep -v -e --from | xargs -n 1 >"$T/copied"
while read -r file; do
	ok "the Containerfile copies $file" [ -e "$TOP/$file" ]
done <"$T/copied"
if command -v dpkg >"$T/null" && command -v ldd >"$T/null"; then
	missing=''
	for program in pgcdc-read pgcdc-map esbulk-write pgcdc-cat; do
		objdump -p "$BUILD/bin/$program" 2>"$T/null" | sed -n 's/^ *NEEDED *//p'
	done | sort -u | grep -v -e '^libc\.' -e '^libm\.' -e san.so >"$T/needed"
	while read -r library; do
		package=$(dpkg -S "*/$library" 2>"$T/null" | sed -n '1s/:.*//p')
		packages 2 | grep -qx "${package:-none of any package}" || missing="$missing $library"
	done <"$T/needed"
	ok 'the programs need libraries' [ -s "$T/needed" ]
	is "$missing" '' 'and they are in the image'
fi
ok 'it ends as a user without rights' grep -Eqx 'USER [1-9][0-9]*:[1-9][0-9]*' "$TOP/Containerfile"

# Kubernetes ------------------------------------------------------------------------

if ! "$PYTHON" -c 'import yaml' 2>"$T/null"; then
	diag 'python3-yaml IS NOT INSTALLED: the manifest is not checked'
	skip 'the manifest' 'NOT CHECKED: python3-yaml is not installed'
	done_testing
	exit
fi
is "$(of_manifest check "$manifest" 2>&1)" '' 'the manifest is whole, and restricted'
like "$(cat "$manifest")" "image: pgcdc:$(pgcdc -V | sed 's/pgcdc //')\$" 'its image is this version'
user=$(sed -n 's/^USER \([0-9]*\):.*/\1/p' "$TOP/Containerfile")
like "$(cat "$manifest")" "runAsUser: $user\$" 'its user is the image'\''s'

pg_db
standin_start
role=${ID}_cdc
sql "CREATE TABLE users (id serial PRIMARY KEY, name text);
CREATE PUBLICATION shop_publication FOR TABLE users;
SELECT pg_create_logical_replication_slot('${ID}_slot', 'pgoutput');
CREATE USER $role WITH REPLICATION LOGIN PASSWORD 'secret'" >"$T/null"
SLOT=${ID}_slot

# instance NAME: its folders, its Secret as a volume has it, and its configuration.
instance() {
	mkdir -p "$T/$1/secret" "$T/$1/config" "$T/$1/state" "$T/$1/run"
	of_manifest data "$manifest" Secret pgservice | sed -e "s/=postgresql\$/=$PGHOST/" \
	    -e "s/=5432\$/=$PGPORT/; s/=shop\$/=$PGDATABASE/; s/=shop_cdc\$/=$role/" >"$T/$1/secret/pgservice"
	of_manifest data "$manifest" Secret password >"$T/$1/secret/password"
	chmod 440 "$T/$1/secret/"*
	of_manifest data "$manifest" ConfigMap mapping.yml >"$T/$1/config/mapping.yml"
	of_manifest data "$manifest" ConfigMap pgcdc.conf | sed -e "s|/etc/pgcdc-secret|$T/$1/secret|" \
	    -e "s|/etc/pgcdc/|$T/$1/config/|; s|/run/pgcdc/|$T/$1/run/|; s|/var/lib/pgcdc/|$T/$1/state/|" \
	    -e "s|http://opensearch:9200|$STANDIN_URL|; s|0.0.0.0:9187|127.0.0.1:0|" \
	    -e "s/shop_slot/$SLOT/" >"$T/$1/config/pgcdc.conf"
}

start() {
	# What tests set for libpq is not there.
	bg "$1" env -u PGHOST -u PGPORT -u PGUSER -u PGDATABASE pgcdc run -c "$T/$1/config/pgcdc.conf"
}

# state NAME STATE: does its probe say so, with 200?
state() {
	port=$(sed -n 's/.*listening for requests for metrics.*"port":"\{0,1\}\([0-9]*\).*/\1/p' "$T/$1.log" |
	    tail -n 1)
	[ "$(curl -sS --fail --noproxy '*' "http://127.0.0.1:$port/status" | jq -r .state)" = "$2" ]
}

has() {
	[ "$(curl -sS --fail --noproxy '*' "$STANDIN_URL/users/_doc/$1" | jq -r ._source.name)" = "$2" ]
}

insert() {
	sql "INSERT INTO users (name) VALUES ('$1')"
}

confirmed() {
	[ "$(sql "SELECT confirmed_flush_lsn >= '$1' FROM pg_replication_slots WHERE slot_name = '$SLOT'")" = t ]
}

logged() {
	jq -r '[.level, .program, .msg] | @tsv' "$T/$1.log" | grep -q "$2"
}

instance one
instance two
start one
one=$BG_PID
wait_for 'the ConfigMap and the Secret: a pipeline streams' 30 state one streaming
start two
two=$BG_PID
wait_for 'the second pod stands by, and is ready' 30 state two standby
insert Ada
wait_for 'a row is a document' 30 has 1 Ada
wait_for 'and confirmed' 30 confirmed "$(sql 'SELECT pg_current_wal_lsn()')"
sql "GRANT SELECT ON users TO $role"
exits 111 'the one that stands by loads no table' timeout 60 pgcdc snapshot \
    -c "$T/two/config/pgcdc.conf" public.users
like "$(cat "$T/err")" 'error later: another reader has the slot' 'and says why'
exits 0 'the active one does' timeout 60 pgcdc snapshot -c "$T/one/config/pgcdc.conf" public.users

# Its log may stop at any byte; the other one has the slot as soon as the server lets go.
kill -s KILL -- "-$one"
for stage in read map write; do
	kill -KILL "$(cat "$T/one/run/shop/$stage.pid")"
done
insert Grace
wait_for 'the active one is gone: the other one takes over' 30 state two streaming
wait_for 'and goes on where it was' 30 has 2 Grace
ok 'without a word of complaint' not logged two '^error'
start one
one=$BG_PID
wait_for 'the first one is back, and stands by' 30 state one standby
ok 'the dead letters are files of their own' [ -f "$T/one/state/shop.dead" -a -f "$T/two/state/shop.dead" ]
kill "$two"
wait_exit 'a TERM to the active one' 30 "$two" 0
insert Mary
wait_for 'the first one takes over again' 30 has 3 Mary
ok 'its own state file is behind, which it says, and goes on' logged one 'warn.*the slot is ahead'
kill "$one"
wait_exit 'and ends in order' 30 "$one" 0
done_testing
