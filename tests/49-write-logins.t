#!/bin/sh
#
# How esbulk-write logs in: passwords, API keys, tokens, AWS signatures; where they come from,
# how they change, and that nobody sees them.

# shellcheck disable=SC2016 # what is not to be expanded
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=write.sh
. "$(dirname "$0")/write.sh"
# shellcheck source=front.sh
. "$(dirname "$0")/front.sh"
unset http_proxy https_proxy HTTP_PROXY HTTPS_PROXY all_proxy ALL_PROXY
unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_PROFILE

printf '%s\n' "$(unit 1 a=1 b=2)" "$(e)" | pack >"$T/frames"
standin_start
front open
open=http://127.0.0.1:$FRONT
: >"$T/login"
front closed --login "$T/login"
closed=http://127.0.0.1:$FRONT
# sends HEADER DESCRIPTION OPTION...
sends() {
	_header=$1 _what=$2
	shift 2
	: >"$T/open.record"
	writes 0 "$_what" -u "$open" "$@"
	is "$(header open authorization)" "$_header" 'is sent'
	fresh
}

# What is sent ------------------------------------------------------------------------

encode() {
	printf '%s' "$1" | base64 -w 0
}
printf 'pass:w0rd é\nsecond line\n' >"$T/password"
sends "Basic $(encode 'ann:pass:w0rd é')" 'a password' --user ann --password-file "$T/password"
printf 'VuaCfGcBCdbkQm-e5aOx:ui2lp2axTNmsyakw9tvNnw\r\n' >"$T/key-pair"
encoded=$(encode VuaCfGcBCdbkQm-e5aOx:ui2lp2axTNmsyakw9tvNnw)
sends "ApiKey $encoded" 'an API key as ID:KEY' --api-key-file "$T/key-pair"
echo "$encoded" >"$T/key"
sends "ApiKey $encoded" 'or encoded' --api-key-file "$T/key"
ESBULK_API_KEY=$encoded sends "ApiKey $encoded" 'or from the environment'
token=eyJhbGciOi.JIUzI1NiJ9_x-y~z+/=
printf %s "$token" >"$T/token"
sends "Bearer $token" 'a token' --bearer-file "$T/token"
ESBULK_BEARER_TOKEN=$token sends "Bearer $token" 'or from the environment'
ESBULK_BEARER_TOKEN=other sends "ApiKey $encoded" 'an option has the say' --api-key-file "$T/key"
ESBULK_PASSWORD=x sends none 'a password without a name is none'
awk 'BEGIN { for (i = 0; i < 9000; i++) printf "a"; print "" }' >"$T/long"
sends "Bearer $(cat "$T/long")" 'a long token' --bearer-file "$T/long"

# What a cluster, or a proxy, says of it in its answers.
printf 'hunter2hunter2\n' >"$T/said"
for where in 'kind=item&status=400&reason=' 'kind=item&status=403&type=security_exception&reason=' \
    'kind=status&status=400&body=' "kind=status&status=400&body=$(printf '%02040d' 0)"; do
	fault "${where}hunter2hunter2"
	writes "$(case $where in *403*) echo 111 ;; *) echo 100 ;; esac)" 'an answer that repeats the password' \
	    -vv --give-up 0 --user ann --password-file "$T/said"
	ok 'is shown without it' not grep -q hunter2 "$T/err"
	like "$(cat "$T/err")" 'reason=.*\*\*\*' 'but with asterisks'
	fresh
done

# Mistakes ------------------------------------------------------------------------------

writes 100 'an option that is cut short' --user ann --password hunter2
says 'no such option" option=--password ' 'is none'
ok 'and its argument, which may be a secret, not shown' not grep -q hunter2 "$T/err"

printf 'two words\n' >"$T/blank"
printf '\n\n' >"$T/empty"
for options in '--user ann --api-key-file K' '--api-key-file K --bearer-file B' \
    '--bearer-file B --aws-sigv4 r:es' '--user ann --aws-sigv4 r:es' '--password-file K' \
    '--aws-credentials-file K' '--aws-sigv4 es' '--aws-sigv4 :es' '--aws-sigv4 r:' \
    '--aws-sigv4 r:es:x' '--aws-sigv4 r/x:es' "--api-key-file $T/none" "--api-key-file $T/empty" \
    "--bearer-file $T/blank" '--user ann:x' '--user ann' '--aws-sigv4 r:es' \
    "--aws-sigv4 r:es --aws-credentials-file $T/key"; do
	# shellcheck disable=SC2086
	exits 100 "a mistake: $options" esbulk-write -u http://h $options
	ok 'is said' grep -q error "$T/err"
done
ESBULK_API_KEY=a ESBULK_BEARER_TOKEN=b exits 100 'two logins in the environment' \
    esbulk-write -u http://h
ok 'are a mistake' grep -q 'only one of' "$T/err"

# Denied, and changed -------------------------------------------------------------------

echo "ApiKey $encoded" >"$T/login"
echo 'wr0ngwr0ng' >"$T/wrong"
writes 100 'a wrong API key' -u "$closed" --api-key-file "$T/wrong" -v -v
says 'denies access.*status=401.*remedy="check the API key' 'is said'
ok 'the answer, which repeats it, is shown' grep -q 'Accept: application/json' "$T/err"
ok 'but not the key' not grep -q wr0ng "$T/err"
echo 'other-wr0ng:key' >"$T/wrong"
writes 100 'the same of one that is encoded here' -u "$closed" --api-key-file "$T/wrong" -v
ok 'not even encoded' not grep -q "$(encode other-wr0ng:key)" "$T/err"
fresh
# The cluster's key changes, and then the file's.
cp "$T/key" "$T/changing"
listen changes
start changes -u "$closed" -a "$T/changes.sock" --api-key-file "$T/changing"
tr '\0' '\n' <"/proc/$W/cmdline" >"$T/cmdline"
ok 'the process list shows no key' not grep -q "$encoded" "$T/cmdline"
printf '%s\n' "$(hello)" "$(unit 1 a)" | feed
wait_for 'a key is good' 10 acked changes 1
echo 'ApiKey bmV3OmtleQ==' >"$T/login"
unit 2 b | feed
wait_for 'it is changed, and denied' 10 grep -q 'denies access: trying again' "$T/changes.log"
echo 'bmV3OmtleQ==' >"$T/changing"
wait_for 'until its file has the new one' 20 acked changes 2
ok 'which is said' grep -q 'login has changed: its file was read again' "$T/changes.log"
# First the file: nothing is denied for longer than a request.
echo 'bmV3ZXI6a2V5' >"$T/changing"
echo 'ApiKey bmV3ZXI6a2V5' >"$T/login"
unit 3 c | feed
wait_for 'changed once more' 10 acked changes 3
e | feed
done_feeding
wait_exit 'the end' 10 "$W" 0
ok 'all is there' counts docs -eq 3
fresh
# Changed between the start and the first request, for all lanes at once.
printf '%s\n' "$(b 0/1000)" "$(awk 'BEGIN { for (n = 1; n <= 40; n++)
	printf "[\"X\",\"index\",1,\"i\",\"%d\",null,null,\"{}\"]\n", n }')" "$(c 0/1030 1)" "$(e)" |
    pack >"$T/many.frames"
start early -u "$closed" --bearer-file "$T/changing" --lanes 8 --batch-docs 1
sleep 0.3
echo tok2 >"$T/changing"
echo 'Bearer tok2' >"$T/login"
cat "$T/many.frames" >&3
done_feeding
wait_exit 'a login that changed before it was used' 20 "$W" 0
ok 'is no end for any lane' counts docs -eq 40
fresh

# A proxy for TLS sees no login.
authority ca
certificate good ca IP:127.0.0.1
front tls --tls "$T/good.chain" "$T/good.key"
tls=$FRONT
front proxy
https_proxy=http://127.0.0.1:$FRONT writes 0 'a login through a tunnel' -u "https://127.0.0.1:$tls" \
    --cacert "$T/ca.crt" --api-key-file "$T/key"
is "$(header tls authorization)" "ApiKey $encoded" 'reaches the cluster'
is "$(recorded proxy '.headers[] | select(.[0] == "Authorization") | .[1]')" '' 'and not the proxy'
fresh

# AWS -----------------------------------------------------------------------------------

# An implementation of others judges.
judge=$("$TOP/tests/botocore" 2>"$T/botocore.err") || judge=''
# good DESCRIPTION RECORD KEY SECRET TOKEN REGION SERVICE: a check of all signatures of a record.
good() {
	if [ -n "$judge" ]; then
		ok "$1: botocore makes the same signatures" "$judge" "$TOP/tests/sigv4.py" "$@"
	else
		diag 'NO SIGNATURE IS CHECKED:' "$(cat "$T/botocore.err")"
		skip "$1: botocore makes the same signatures" 'no botocore'
	fi
}
aws_record() {
	: >"$T/open.record"
}
AWS_ACCESS_KEY_ID=AKIDEXAMPLE AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY
export AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
aws_record
writes 0 'keys from the environment' -u "$open" --aws-sigv4 eu-central-1:es
good es "$T/open.record" "$AWS_ACCESS_KEY_ID" "$AWS_SECRET_ACCESS_KEY" '' eu-central-1 es
ok 'the log shows no key' not grep -q wJalr "$T/err"
t() {
	printf '["X","delete",16401,null,null,null,null,null,{"truncate":{"index":"%s"}}]\n' "$1"
}
# All kinds of requests: packed bulk requests, merges, truncates of a pattern, templates, sniffing.
printf '%s\n' "$(unit 1 a=1 b=2)" "$(b 0/2000)" "$(x index i a '{"m":2}' null - '{"merge":["n"]}')" \
    "$(c 0/2030 2)" "$(b 0/3000)" "$(t 'i*')" "$(c 0/3030 3)" "$(unit 4 'ä ö"')" "$(e)" |
    pack >"$T/all.frames"
cp "$T/all.frames" "$T/frames"
echo '{"index_patterns":["x*"]}' >"$T/template.json"
fresh
aws_record
AWS_SESSION_TOKEN=IQoJb3JpZ2luX2VjEXAMPLETOKEN//////////wEaDmV1 writes 0 'a session of a while' -u "$open" \
    --aws-sigv4 us-east-1:aoss --gzip --sniff --template "na-me.1=$T/template.json"
says 'does not tell its nodes' 'also for sniffing'
good aoss "$T/open.record" "$AWS_ACCESS_KEY_ID" "$AWS_SECRET_ACCESS_KEY" \
    IQoJb3JpZ2luX2VjEXAMPLETOKEN//////////wEaDmV1 us-east-1 aoss
is "$(recorded open '"\(.method) \(.target)"' | cut -d '?' -f 1 | sort -u | tr '\n' ' ')" \
    'DELETE /_search/scroll GET /_nodes/http POST /_bulk POST /_mget POST /_search/scroll POST /i%2A/_refresh POST /i%2A/_search PUT /_index_template/na-me.1 ' \
    'there were all kinds of requests'
fresh
front behind --prefix '/a%20b/c(d)'
writes 0 'a path in front' -u "http://127.0.0.1:$FRONT/a%20b/c(d)" --aws-sigv4 us-east-1:es --lanes 8
good 'a path' "$T/behind.record" "$AWS_ACCESS_KEY_ID" "$AWS_SECRET_ACCESS_KEY" '' us-east-1 es
unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
cat >"$T/credentials" <<'EOT'
# comment
[default]
aws_access_key_id = DEFAULTKEY
aws_secret_access_key=default/secret
[profile two]
[two]
region = x
aws_access_key_id	= TWOKEY
aws_secret_access_key = two/secret=
aws_session_token = two/token==
EOT
aws_record
fresh
writes 0 'keys from a file' -u "$open" --aws-sigv4 us-east-1:es --aws-credentials-file "$T/credentials"
good 'a file' "$T/open.record" DEFAULTKEY default/secret '' us-east-1 es
aws_record
AWS_PROFILE=two writes 0 'of a profile' -u "$open" --aws-sigv4 us-east-1:es \
    --aws-credentials-file "$T/credentials"
good 'a profile' "$T/open.record" TWOKEY two/secret= two/token== us-east-1 es
AWS_PROFILE=three writes 100 'that is not there' -u "$open" --aws-sigv4 us-east-1:es \
    --aws-credentials-file "$T/credentials"
says 'lack aws_access_key_id.*profile=three' 'is said'
# Keys that have expired: the file has new ones.
fresh
printf '%s\n' "$(unit 1 a=1 b=2)" "$(e)" | pack >"$T/frames"
fault 'kind=status&status=403&count=1&body=The+security+token+included+in+the+request+is+expired'
aws_record
start expires -u "$open" --aws-sigv4 us-east-1:es --aws-credentials-file "$T/credentials"
sleep 0.3
sed -i 's/DEFAULTKEY/NEWKEY/' "$T/credentials"
cat "$T/frames" >&3
done_feeding
wait_exit 'keys that were changed' 10 "$W" 0
like "$(header open authorization)" 'Credential=NEWKEY/' 'are read again'

done_testing
