#!/bin/sh
#
# The ways from esbulk-write to the cluster: URLs of all kinds, proxies, TLS, time limits,
# packed requests, sniffing, index templates.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=write.sh
. "$(dirname "$0")/write.sh"
# shellcheck source=front.sh
. "$(dirname "$0")/front.sh"
unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY all_proxy ALL_PROXY no_proxy NO_PROXY

printf '%s\n' "$(unit 1 a=1 b=2)" "$(e)" | pack >"$T/frames"
standin_start
one=${STANDIN_URL##*:}
# stored DESCRIPTION: a check that the frames arrived, and nothing is there for the next.
stored() {
	ok "$1" has 'i a 65536 {"n":1}' 'i b 65536 {"n":2}'
	fresh
}

# URLs ------------------------------------------------------------------------------

writes 0 'a name with several addresses, one of which answers' -u "http://localhost:$one"
stored 'arrives'
front six --ipv6
writes 0 'an IPv6 address' -u "http://[::1]:$FRONT"
stored 'arrives'
is "$(header six host)" "[::1]:$FRONT" 'which the Host header names'
writes 0 'a name, of which only the IPv6 address answers' -u "http://localhost:$FRONT"
stored 'arrives'
front prefix --prefix /es/one --no-root
for slash in '' / //; do
	writes 0 "a path in front: $slash" -u "http://127.0.0.1:$FRONT/es/one$slash"
	stored 'arrives'
done
is "$(recorded prefix 'select(.target | startswith("/es/one/_bulk?") | not)')" '' \
    'nothing else is asked, least of all GET /'
writes 100 'no path where one is needed' -u "http://127.0.0.1:$FRONT"
says 'refused a request.*status=404 reason="not here"' 'is said'
front plain
export http_proxy="http://127.0.0.1:1"
standin_start --unix "$T/sock" --port 0
writes 0 'a socket, which no proxy concerns' -u "unix:$T/sock"
unset http_proxy
stored 'arrives'
writes 0 'beside another node' -u "unix:$T/sock" -u "http://127.0.0.1:$one" --batch-docs 1 --lanes 1
ok 'each gets some' counts docs -eq 1
start gone -u "unix:$T/no-sock"
unit 1 a | feed
wait_for 'a socket that is not there is waited for' 10 \
    grep -q "does not answer: trying again.*node=unix:$T/no-sock" "$T/gone.log"
done_feeding
kill "$W"
STANDIN_URL=http://127.0.0.1:$one
fresh
for url in unix: unix:relative "unix:/$(printf '%0120d' 0)" http:///x http://h/a//b http://h/a/../b \
    http://h:99999 'http://h/?q' 'http://h h' https:// ftp://h h:9200; do
	exits 100 "no URL of a node: $url" esbulk-write -u "$url"
done

# Nodes that go and come ------------------------------------------------------------------

standin_start
two=$STANDIN_URL two_pid=$STANDIN_PID
STANDIN_URL=http://127.0.0.1:$one
# Of both; the second is asked first, where it can be.
start both -u "$two" -u "$STANDIN_URL" --lanes 1
unit 1 a | feed
STANDIN_URL=$two
wait_for 'a node takes what comes first' 10 counts docs -eq 1
kill "$two_pid"
wait_for 'it goes' 10 _ended "$two_pid"
STANDIN_URL=http://127.0.0.1:$one
for n in 2 3 4 5; do
	unit "$n" "n$n" | feed
	wait_for "unit $n goes to the other" 10 counts docs -eq $((n - 1))
done
like "$(cat "$T/both.log")" "does not answer: trying again.*node=$two .*delay_ms=0" 'the one rests'
standin_start --port "${two##*:}" 3>&-
# Its rest, a second at most by now, ends while others work.
more() {
	n=$((n + 1))
	unit "$n" "n$n" | feed
	counts docs -gt 0
}
STANDIN_URL=$two
wait_for 'and comes back' 20 more
done_feeding
wait_exit 'the end' 10 "$W" 111
STANDIN_URL=http://127.0.0.1:$one
fresh

# Proxies -----------------------------------------------------------------------------

front proxy
http_proxy=http://127.0.0.1:$FRONT writes 0 'a proxy for http' -u "http://nosuch.invalid:$one"
stored 'is used'
is "$(recorded proxy .target | cut -d '?' -f 1 | sort -u)" "http://nosuch.invalid:$one/_bulk" \
    'it gets the whole URL'
http_proxy=http://127.0.0.1:1 no_proxy=127.0.0.1 writes 0 'no proxy for some' \
    -u "http://127.0.0.1:$one"
stored 'arrives'

# TLS -------------------------------------------------------------------------------

authority ca
authority other
certificate good ca 'IP:127.0.0.1,DNS:localhost'
certificate elsewhere ca DNS:elsewhere.example
certificate expired ca IP:127.0.0.1 -days -1
certificate client ca DNS:client
front tls --tls "$T/good.chain" "$T/good.key"
tls=$FRONT
# tls STATUS DESCRIPTION PORT OPTION...
tls() {
	_status=$1 _what=$2 _port=$3
	shift 3
	writes "$_status" "$_what" -u "https://127.0.0.1:$_port" "$@"
}
tls 0 'TLS, by the certificate of the authority' "$tls" --cacert "$T/ca.crt"
stored 'arrives'
tls 100 'by an authority that is not known' "$tls"
says 'cannot connect.*reason="SSL certificate problem.*remedy=.*--cacert FILE, or --ca-fingerprint' \
    'what to do is said'
tls 100 'or another one' "$tls" --cacert "$T/other.crt"
says 'remedy="give the certificate' 'which is said'
writes 0 'beside a node that can be trusted' -u "https://127.0.0.1:$tls" -u "$STANDIN_URL"
stored 'arrives'
tls 0 'not checked at all' "$tls" --insecure
stored 'arrives'
is "$(grep -c 'warn .*certificates are not checked' "$T/err")" 1 'and it is warned, once'
http_proxy='' https_proxy=http://127.0.0.1:$(cat "$T/proxy.port") tls 0 'through a tunnel of a proxy' \
    "$tls" --cacert "$T/ca.crt"
stored 'arrives'
like "$(recorded proxy '"\(.method) \(.target)"')" "^CONNECT 127.0.0.1:$tls\$" 'there was one'

hex=$(fingerprint ca)
colons=$(printf '%s' "$hex" | sed 's/../&:/g; s/:$//')
for fingerprint in "$hex" "$colons" "$(printf '%s' "$hex" | tr A-F a-f)"; do
	tls 0 "by the fingerprint of the authority: $(printf %.8s "$fingerprint")..." "$tls" \
	    --ca-fingerprint "$fingerprint"
	stored 'arrives'
done
tls 0 'on many connections' "$tls" --ca-fingerprint "$hex" --lanes 8 --batch-docs 1
stored 'arrives'
tls 100 'by the fingerprint of another' "$tls" --ca-fingerprint "$(fingerprint other)"
says 'no certificate that the node shows has the fingerprint.*remedy="compare' 'which is said'
ok 'nothing was sent' counts bulk_requests -eq 0
# Somebody else's certificate, with the authority's own beside it: that is public.
certificate forged other IP:127.0.0.1
cat "$T/forged.crt" "$T/ca.crt" >"$T/forged.chain"
front forged --tls "$T/forged.chain" "$T/forged.key"
tls 100 'a chain that shows the authority, and was not signed by it' "$FRONT" --ca-fingerprint "$hex"
says 'cannot connect.*SSL certificate problem' 'is said'
is "$(recorded forged)" '' 'and nothing was sent'
front alone --tls "$T/good.crt" "$T/good.key"
tls 100 'a node that does not show its authority' "$FRONT" --ca-fingerprint "$hex"
says 'no certificate that the node shows' 'is said'

# What libcurl says of itself, bent.
cat >"$T/other.c" <<'EOT'
#define _GNU_SOURCE
#include <curl/curl.h>
#include <dlfcn.h>
curl_version_info_data *curl_version_info(CURLversion v)
{
	static curl_version_info_data d;
	curl_version_info_data *(*real)(CURLversion) = dlsym(RTLD_NEXT, "curl_version_info");
	d = *real(v);
	d.ssl_version = "GnuTLS/3.7.9";
	return &d;
}
EOT
if [ -n "${PGCDC_TEST_SANITIZED:-}" ] ||
	! cc -shared -fPIC -o "$T/other.so" "$T/other.c" -ldl 2>"$T/cc.log"; then
	skip 'another TLS library' 'cannot be made up'
else
	LD_PRELOAD=$T/other.so tls 100 'another TLS library, that cannot check it' "$tls" \
	    --ca-fingerprint "$hex"
	says 'cannot be checked.*--ca-fingerprint reason="libcurl here uses another' 'is said'
	LD_PRELOAD=$T/other.so tls 0 'but other certificates it can' "$tls" --cacert "$T/ca.crt"
	stored 'arrives'
fi

front elsewhere --tls "$T/elsewhere.chain" "$T/elsewhere.key"
for option in "--cacert $T/ca.crt" "--ca-fingerprint $hex"; do
	# shellcheck disable=SC2086
	tls 100 "a certificate for another host, by ${option%% *}" "$FRONT" $option
	says 'remedy="the certificate is for another host' 'is said'
done
is "$(recorded elsewhere)" '' 'and nothing was sent'
front expired --tls "$T/expired.chain" "$T/expired.key"
for option in "--cacert $T/ca.crt" "--ca-fingerprint $hex"; do
	# shellcheck disable=SC2086
	tls 100 "one that has expired, by ${option%% *}" "$FRONT" $option
	says 'remedy=".*has expired' 'is said'
done

openssl ec -in "$T/client.key" -aes128 -passout pass:s3cret -out "$T/client.locked" 2>/dev/null
echo s3cret >"$T/key-password"
# What is sent behind the handshake comes when the node has closed the connection already.
cat >"$T/late.c" <<'EOT'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <sys/socket.h>
#include <unistd.h>
ssize_t send(int fd, const void *p, size_t n, int flags)
{
	ssize_t (*real)(int, const void *, size_t, int) = dlsym(RTLD_NEXT, "send");
	usleep(20000);
	return real(fd, p, n, flags);
}
EOT
late=
[ -n "${PGCDC_TEST_SANITIZED:-}" ] || ! cc -shared -fPIC -o "$T/late.so" "$T/late.c" -ldl \
    2>"$T/cc.log" || late=$T/late.so
for version in '' --tls12; do
	# shellcheck disable=SC2086
	front "client$version" --tls "$T/good.chain" "$T/good.key" --client-ca "$T/ca.crt" $version
	tls 0 "a client certificate $version" "$FRONT" --cacert "$T/ca.crt" --cert "$T/client.crt" \
	    --key "$T/client.key"
	stored 'lets in'
	tls 100 'none where one is wanted' "$FRONT" --cacert "$T/ca.crt"
	says 'remedy="the node wants a client certificate' 'is said'
	if [ -z "$late" ]; then
		skip 'none, and what is sent comes late' 'cannot be made up'
		continue
	fi
	LD_PRELOAD=$late tls 100 'none, and what is sent comes late' "$FRONT" --cacert "$T/ca.crt"
	says 'remedy="the node wants a client certificate' 'is said'
done
tls 0 'a key with a password from a file' "$FRONT" --cacert "$T/ca.crt" --cert "$T/client.crt" \
    --key "$T/client.locked" --key-password-file "$T/key-password"
ESBULK_KEY_PASSWORD=s3cret tls 0 'or the environment' "$FRONT" --cacert "$T/ca.crt" \
    --cert "$T/client.crt" --key "$T/client.locked"
stored 'lets in'
ESBULK_KEY_PASSWORD=wr0ng tls 100 'a wrong one' "$FRONT" --cacert "$T/ca.crt" \
    --cert "$T/client.crt" --key "$T/client.locked"
says 'remedy="check the files of --cert and --key' 'is said'
ok 'and not shown' not grep -q wr0ng "$T/err"

tls 100 'TLS to a port of plain HTTP' "$one" --cacert "$T/ca.crt"
says 'cannot connect.*remedy="the node does not speak TLS there: the URL starts with http://' 'is said'
start plain-to-tls -u "http://127.0.0.1:$tls"
feed <<EOT
$(unit 1 a)
EOT
wait_for 'plain HTTP to a port of TLS: what it may be is said' 10 \
    grep -q 'if the node speaks TLS there, the URL starts with https://' "$T/plain-to-tls.log"
done_feeding
kill "$W" 2>/dev/null

for options in "-u http://h --ca-fingerprint $hex" "-u https://h --ca-fingerprint ${hex%?}" \
    "-u https://h --ca-fingerprint ${hex}00" "-u https://h --ca-fingerprint ${hex%?}g" \
    '-u https://h --key k' '-u http://h --cert c' "-u https://h --insecure --ca-fingerprint $hex" \
    '-u https://h --insecure --cacert x' "-u https://h --cacert x --ca-fingerprint $hex" \
    "-u https://h --cert c --key-password-file $T/none" "-u https://h -u http://h --ca-fingerprint $hex"; do
	# shellcheck disable=SC2086
	exits 100 "a mistake: $(printf '%s' "$options" | sed "s/$hex/HEX/")" esbulk-write $options
done

# Redirects -------------------------------------------------------------------------

front trap
front redirect --redirect "http://127.0.0.1:$FRONT/there"
echo pw >"$T/password"
writes 100 'a redirect' -u "http://127.0.0.1:$FRONT" --user ann --password-file "$T/password"
says 'answers with a redirect.*status=307 location="?http://127.0.0.1:[0-9]*/there/_bulk' \
    'is said, with the place where it leads'
is "$(recorded trap)" '' 'and not followed'

# Connections, packing ----------------------------------------------------------------

front kept
load 40 25 60 >"$T/load"
{
	cat "$T/load"
	e
} | pack >"$T/load.frames"
cp "$T/frames" "$T/two.frames"
cp "$T/load.frames" "$T/frames"
writes 0 'many requests' -u "http://127.0.0.1:$FRONT" --lanes 2 --batch-docs 20
ok 'there were many' test "$(recorded kept .conn | wc -l)" -gt 30
ok 'share connections' test "$(recorded kept .conn | sort -u | wc -l)" -le 2
is "$(header kept expect) $(header kept content-type) $(header kept content-encoding)" \
    'none application/x-ndjson none' 'wait for no leave to send'
fresh
front packed --gzip
fault 'kind=item&p=0.1'
writes 0 'packed requests, and answers' -u "http://127.0.0.1:$FRONT" --lanes 4 --batch-docs 100 --gzip
holds_load 'nothing is lost'
is "$(header packed content-encoding)" gzip 'they were packed'
plain=$(recorded kept '.headers[] | select(.[0] == "Content-Length") | .[1]' | awk '{ n += $1 } END { print n }')
packed=$(recorded packed '.headers[] | select(.[0] == "Content-Length") | .[1]' | awk '{ n += $1 } END { print n }')
ok "$packed bytes in place of $plain" test "$packed" -lt $((plain / 2))
fresh
fault 'kind=cut&when=body&p=0.3' 'kind=status&status=413&count=3'
writes 0 'packed, cut and halved' --lanes 4 --batch-docs 100 --gzip
holds_load 'nothing is lost'
fresh
printf '%s\n' "$(unit 1 a=1)" "$(b 0/2000)" "$(x index i a '{"m":2}' null - '{"merge":["n"]}')" \
    "$(c 0/2030 2)" "$(e)" | frames
front merged --gzip
writes 0 'a merge, whose answer comes packed' -u "http://127.0.0.1:$FRONT" --gzip --lanes 1
ok 'is read' has 'i a 131072 {"m":2,"n":1}'
fresh

# Time ----------------------------------------------------------------------------------

cp "$T/two.frames" "$T/frames"
fault 'kind=hang&count=1'
writes 0 'a node that says nothing' --idle-timeout 1 --timeout 60
says 'does not answer: trying again.*too slow' 'is given up'
stored 'and asked again'
fault 'kind=drip&ms=400&bytes=20&count=1'
writes 0 'one that says little is waited for' --idle-timeout 1
ok 'that was all' not grep -q 'trying again' "$T/err"
fresh
# Nothing answers there, and nothing says that: the queue of the connections is full.
cat >"$T/full.py" <<'EOT'
import socket, sys, time
s = socket.create_server(("127.0.0.1", 0), backlog=0)
others = [socket.socket() for _ in range(4)]
for o in others:
    o.setblocking(False)
    o.connect_ex(s.getsockname())
print(s.getsockname()[1], flush=True)
time.sleep(100)
EOT
bg full "$PYTHON" "$T/full.py"
_until 10 test -s "$T/full.log"
writes 0 'a node that cannot be connected to' -u "http://127.0.0.1:$(cat "$T/full.log")" \
    -u "$STANDIN_URL" --connect-timeout 1 --lanes 1
stored 'does not hold up the others'
says 'does not answer: trying again.*delay_ms=0' 'which is said'

# Sniffing ------------------------------------------------------------------------------

cp "$T/load.frames" "$T/frames"
front found
found=$FRONT
front later
later=$FRONT
printf '{"nodes":{"a":{"roles":["data","master"],"http":{"publish_address":"127.0.0.1:%s"}},
"b":{"roles":["master"],"http":{"publish_address":"127.0.0.1:1"}},"c":{"roles":["data"]},
"d":{"http":{"publish_address":"localhost/127.0.0.2:%s"}}}}' "$found" "$one" >"$T/nodes"
front seed --nodes "$T/nodes"
writes 0 'a cluster that is asked for its nodes' -u "http://127.0.0.1:$FRONT" --sniff --batch-docs 20 --lanes 1
holds_load 'nothing is lost'
ok 'one is used by its address' test "$(recorded found .conn | wc -l)" -gt 5
ok 'the one that was given, too' test "$(recorded seed .target | grep -c _bulk)" -gt 5
ok 'and one by its name' counts bulk_requests -gt \
    $(($(recorded found .conn | wc -l) + $(recorded seed .target | grep -c _bulk)))
is "$(recorded seed .target | head -n 1 | cut -d '?' -f 1)" /_nodes/http 'they are asked for first'
ok 'a master is left in peace' not grep -q 'node=http://127.0.0.1:1 ' "$T/err"
fresh
start asks -u "http://127.0.0.1:$FRONT" --sniff=1
unit 1 a | feed
wait_for 'what is fed is stored' 10 counts docs -eq 1
echo '{"nodes":{"e":{"http":{"publish_address":"127.0.0.1:'"$later"'"}}}}' >"$T/nodes.new"
mv "$T/nodes.new" "$T/nodes"
asked=$(recorded seed .target | grep -c _nodes)
more_asked() {
	test "$(recorded seed .target | grep -c _nodes)" -ge $((asked + 2))
}
wait_for 'they are asked for again' 10 more_asked
lines=$(recorded found .conn | wc -l)
for n in 2 3 4 5 6; do
	unit "$n" "b$n" | feed
	wait_for "unit $n" 10 counts docs -eq "$n"
done
ok 'a node that was added is used' test -s "$T/later.record"
is "$(recorded found .conn | wc -l)" "$lines" 'one that is gone no more'
e | feed
done_feeding
wait_exit 'the end' 10 "$W" 0
fresh
writes 0 'a cluster that does not tell' --sniff
says 'warn .*does not tell its nodes' 'is said'
holds_load 'and written to all the same'
fresh

# Index templates -----------------------------------------------------------------------

cp "$T/two.frames" "$T/frames"
front template
cat >"$T/templates" <<'EOT'
PUT /_index_template/pgcdc-users
{"index_patterns":["users"],"template":{"mappings":{"properties":{"n":{"type":"long"}}}}}

PUT /_index_template/pgcdc-orders
{"index_patterns":["orders-*"],
 "template":{}}
EOT
echo '{"index_patterns":["x*"]}' >"$T/one=1.json"
writes 0 'templates' -u "http://127.0.0.1:$FRONT" --template "$T/templates" --template "mine=$T/one=1.json"
is "$(recorded template '"\(.method) \(.target) \(.body)"' | head -n 4 | cut -c 1-60)" \
    "PUT /_index_template/pgcdc-users {\"index_patterns\":[\"users\"]
PUT /_index_template/pgcdc-orders {\"index_patterns\":[\"orders
 \"template\":{}}
PUT /_index_template/mine {\"index_patterns\":[\"x*\"]}" 'are put'
is "$(recorded template .method | uniq | tr '\n' ' ')" 'PUT POST ' 'before the first write'
stored 'which follows'
fault 'kind=status&status=503&count=2&path=/_index_template/*'
writes 0 'a cluster that is not ready for it' --template "$T/templates"
says 'did not take an index template: trying again.*status=503' 'is asked again'
stored 'then it goes on'
fault 'kind=status&status=400&body=unknown+setting&path=*/pgcdc-orders'
writes 100 'a template that it does not take' --template "$T/templates"
says 'refused an index template.*template=/_index_template/pgcdc-orders status=400 reason="unknown setting" remedy=' \
    'is said, in its words'
ok 'and nothing was written' counts bulk_requests -eq 0
fresh
fault 'kind=status&status=403&body=no&path=/_index_template/*'
writes 100 'one that it may not have from us' --template "$T/templates"
says 'refused an index template.*status=403.*remedy="check the login' 'is said'
fresh
e | frames
writes 0 'no action at all' -u "http://127.0.0.1:$FRONT" --template "mine=$T/one=1.json"
is "$(recorded template 'select(.target == "/_index_template/mine") | .method' | grep -c PUT)" 2 \
    'puts it all the same'
printf '{"a":1' >"$T/bad.json"
printf 'PUT /i/_doc/1\n{}\n' >"$T/bad"
for template in "$T/none" "x=$T/bad.json" "$T/bad.json" "$T/bad"; do
	exits 100 "no template: ${template#"$T/"}" esbulk-write -u http://h --template "$template"
	ok 'is said' grep -q 'template' "$T/err"
done

# Mapping types -------------------------------------------------------------------------

front typed
printf '%s\n' "$(unit 1 a=1 -b)" "$(e)" | frames
# The stand-in is too new for it, and says so.
writes 100 'a mapping type' -u "http://127.0.0.1:$FRONT" --type _doc --lanes 1
is "$(recorded typed .body | sed -n 's/,"version".*//p' | head -n 2)" \
    '{"index":{"_index":"i","_type":"_doc","_id":"a"
{"delete":{"_index":"i","_type":"_doc","_id":"b"' 'stands in the action lines'

done_testing
