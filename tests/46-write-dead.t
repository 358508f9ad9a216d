#!/bin/sh
#
# esbulk-write's dead letters: on the disk before the ack, whole whatever happens, readable,
# and good for a replay that overwrites nothing newer.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=write.sh
. "$(dirname "$0")/write.sh"

lines() {
	pgcdc-cat "$T/dead" | tee "$T/dead.lines"
}
# x_of ID: the action of a letter.
x_of() {
	lines >/dev/null
	jq -c --arg id "$1" 'select(.[0] == "X" and .[4] == $id)' "$T/dead.lines"
}
letters() {
	lines | grep -c '^\["E"'
}
has_letters() {
	letters
	[ "$(letters)" -eq "$1" ]
}

standin_start
printf '%s\n' "$(hello)" "$(relation)" "$(unit 1 a)" "$(b 0/2000 77)" \
    "$(x index i bad '{"n":"x"}' null 'r "1"' '{"pipeline":"p","require_alias":true}')" \
    "$(x create i badc '{}')" "$(x delete i badd -)" "$(x index i badf '{}' false)" \
    "$(x update i badu '{"doc":{}}')" "$(c 0/2030 2)" "$(unit 3 c)" "$(e)" | frames

# What a letter holds ------------------------------------------------------------------

fault 'kind=item&id=bad&status=400'
listen record
writes 0 'actions that are rejected' --dead-letter "$T/dead" -a "$T/record.sock"
wait_for 'all is acked' 10 acked record 3
ok 'never too early' not early record
ok 'they are dead letters' has_letters 5
is "$(head -n 7 "$T/dead.lines" | jq -c 'if .[0] == "a" then .[1] |= (.time > 0 | tostring) else . end')" \
    '["H",{"v":1,"run":"dead letter","from":"esbulk-write"}]
["R",16401,"shop","users","d",[["id","int4",23,-1,true]],[0]]
["B","0/2000",0,77]
["X","index",16401,"i","bad",131072,"r \"1\"","{\"n\":\"x\"}",{"pipeline":"p","require_alias":true}]
["a","true"]
["C","0/2000",1]
["E","0/2000","dead letter"]' 'each is a run of its own, with the action and its version' ||
    head -n 8 "$T/dead.lines" | diag
is "$(jq -c 'select(.[0] == "a") | .[1] | [.status, .type, .index, .id, (.reason | length > 9)]' "$T/dead.lines" | head -n 1)" \
    '[400,"mapper_parsing_exception","i","bad",true]' 'and what was answered'
is "$(x_of badc | jq -c '.[1,5,7]' | tr '\n' ' ')$(x_of badd | jq -c '.[1,5,7]' | tr '\n' ' ')$(x_of badf | jq -c '.[5]') $(x_of badu | jq -c '.[1,5,7]' | tr '\n' ' ')" \
    '"create" null "{}" "delete" 131072 null false "update" null "{\"doc\":{}}" ' \
    'whatever its operation is'
says 'warn .*rejected an action" table=shop.users op=index index=i id=bad lsn=0/2000 status=400 type=mapper_parsing_exception reason=.*dead_letters=1' \
    'which is said'
is "$(stat -c %a "$T/dead")" 600 'the file is for its owner'

# What was left out for an action that is then rejected is sent after all.
rm "$T/dead"
printf '%s\n' "$(hello)" "$(relation)" "$(u 1 "$(x index i a '{"n":1}')" \
    "$(x index i b '{"n":1}')")" "$(u 2 "$(x index i a '{"n":2}')" "$(x delete i a -)" \
    "$(x index i b '{"n":2}')")" "$(e)" | frames
for kind in item request; do
	fresh
	fault "kind=$kind&id=a&op=delete&status=400"
	listen instead
	writes 0 "a delete that is rejected ($kind)" --dead-letter "$T/dead" -a "$T/instead.sock"
	ok 'what came before it on the document is stored' has 'i a 131072 {"n":2}' \
	    'i b 131072 {"n":2}'
	wait_for 'all is acked' 10 acked instead 2
	fresh
	fault "kind=$kind&id=a&status=400"
	writes 0 "all that are one document's ($kind)" --dead-letter "$T/dead"
	ok 'the other is stored' has 'i b 131072 {"n":2}'
done
ok 'each has a letter' has_letters 8
is "$(jq -c 'select(.[0] == "X") | .[1,5]' "$T/dead.lines" | tail -n 6 | tr '\n' ' ')" \
    '"delete" 131073 "index" 131072 "index" 65536 ' 'the newest first'

# A file of frames that somebody captured is no file of letters, whole or not.
{
	hello
	relation
	unit 1 a
} | pack >"$T/capture"
cp "$T/capture" "$T/capture.was"
writes 100 'a captured file for dead letters' --dead-letter "$T/capture"
says 'holds something else' 'is refused'
ok 'and left alone' cmp "$T/capture" "$T/capture.was"

# More rejects in an answer than are remembered.
rm "$T/dead"
fresh
fault "kind=item&status=400&reason=$(printf '%0300d' 0)"
load 1 1000 100000 | {
	cat
	e
} | frames
writes 0 'a thousand rejects' --dead-letter "$T/dead" --dead-letter-limit 0 --lanes 1
ok 'are letters' has_letters 1000
ok 'without a delay' not grep -q 'trying again' "$T/err"

# One row that is rejected again and again is no flood.
rm "$T/dead"
fresh
fault 'kind=item&id=bad&status=400'
{
	hello
	relation
	for n in $(seq 150); do
		unit "$n" "bad=$n" "g$n"
	done
	e
} | frames
writes 0 'one document among others that is rejected 150 times' --dead-letter "$T/dead"
ok 'has all its letters' has_letters 150
ok 'and the others are stored' counts docs -eq 150

# Rejects of the mapper, and what the program would not send.
rm "$T/dead"
long=$(printf '%0513d' 0)
printf '%s\n' "$(relation)" "$(b 0/1000)" "$(x reject i 7 'NaN in price')" \
    "$(x index i "$long" '{}')" "$(x index I 8 '{}')" "$(x index i 9 '{}')" "$(c 0/1030 1)" "$(e)" |
    frames
writes 0 'rejects of the mapper, and ids that are too long' --dead-letter "$T/dead"
ok 'are dead letters, too' has_letters 3
is "$(x_of 7)" '["X","reject",16401,"i","7",null,null,"NaN in price"]' 'a reject stays one'
is "$(x_of "$long" | jq -c '.[5]') $(jq -c 'select(.[0] == "a") | .[1] | [.status, .type]' "$T/dead.lines" | tail -n 1)" \
    '65536 [null,"illegal_action"]' 'the others have the version that they would have had'
ok 'what is beside them is stored' counts docs -gt 0
pgcdc-cat "$T/dead" | pack >"$T/frames"
writes 100 'a reject in a replay stops it'
writes 0 'or comes to the dead letters again' --dead-letter "$T/dead2"

# Before the ack -------------------------------------------------------------------------

fresh
rm "$T/dead"
fault 'kind=item&id=bad&status=400' 'kind=item&id=slow'
listen kill
start kill -a "$T/kill.sock" --dead-letter "$T/dead"
printf '%s\n' "$(hello)" "$(relation)" "$(unit 1 a)" "$(unit 2 bad slow)" >"$T/lines"
feed <"$T/lines"
wait_for 'a letter is written' 10 has_letters 1
wait_for 'the unit before is acked' 10 acked kill 1
ok 'the one with the letter waits for its other action' not grep -q '^ack 2' "$T/kill.acks"
kill -s KILL "$W"
wait_for 'it is killed' 10 _ended "$W"
done_feeding
ok 'the letter is there' has_letters 1
# As a crash in the middle of the next would leave it.
cp "$T/dead" "$T/whole"
head -c 100 "$T/whole" >>"$T/dead"
control DELETE fault >/dev/null
fault 'kind=item&id=bad&status=400'
{
	cat "$T/lines"
	e
} | frames
writes 0 'the next one' --dead-letter "$T/dead"
says 'warn .*end inside a record, which is cut off: it comes again" file=.*bytes=100' \
    'cuts off a part of a letter'
ok 'and writes its own' has_letters 2
is "$(head -c "$(stat -c %s "$T/whole")" "$T/dead" | cksum)" "$(cksum <"$T/whole")" \
    'what was whole is not touched'
cp "$T/whole" "$T/dead"
head -c 5000 /dev/zero >>"$T/dead"
writes 0 'zeros that a power failure leaves' --dead-letter "$T/dead"
ok 'are cut off, too' has_letters 2
echo 'important' >"$T/other"
writes 100 'a file of something else' --dead-letter "$T/other"
says 'holds something else' 'is refused'
is "$(cat "$T/other")" important 'and stays'
pgcdc-cat "$T/whole" | sed 1d | pack >"$T/other"
writes 100 'frames of something else' --dead-letter "$T/other"
writes 100 'what is no file' --dead-letter /dev/full
says 'need a regular file' 'is refused'
writes 100 'a directory that is not there' --dead-letter "$T/none/dead"

# A full disk: 512 bytes are less than these letters.
rm "$T/dead"
fresh
fault 'kind=item&id=bad&status=400'
listen full
printf '%s\n' "$(hello)" "$(relation)" "$(unit 1 a)" "$(unit 2 bad1 bad2 bad3 bad4)" "$(unit 3 b)" \
    "$(e)" | frames
(
	ulimit -f 1
	timeout -s KILL 60 esbulk-write -u "$STANDIN_URL" -a "$T/full.sock" --dead-letter "$T/dead" \
	    <"$T/frames" >"$T/full.err" 2>&1
	echo $? >"$T/full.status"
) 2>/dev/null
# The log would fill it as well, so it may be short.
is "$(cat "$T/full.status")" 111 'a file that cannot grow: 111'
wait_for 'the reader sees that' 10 grep -q end "$T/full.acks"
ok 'nothing from there on is acked' not grep -q '^ack [23]' "$T/full.acks"
ok 'a part of a letter is cut off' pgcdc-cat "$T/dead"

# A disk that takes the bytes and loses them.
printf '%s\n' '#include <errno.h>' 'int fsync(int fd);' \
    'int fsync(int fd) { static int n; (void)fd; errno = EIO; return n++ > 0 ? -1 : 0; }' \
    >"$T/fsync.c"
cc -shared -fPIC -o "$T/fsync.so" "$T/fsync.c" || bail 'no compiler'
# The first sync is the directory's.
listen lost
LD_PRELOAD="$T/fsync.so" timeout -s KILL 60 esbulk-write -u "$STANDIN_URL" \
    -a "$T/lost.sock" --dead-letter "$T/dead" <"$T/frames" >"$T/lost.err" 2>&1
is $? 111 'a sync that fails: 111'
like "$(cat "$T/lost.err")" 'error .*cannot sync the dead letters" .*Input/output' 'is said'
ok 'nothing from there on is acked' not grep -q '^ack [23]' "$T/lost.acks"

# Rename ----------------------------------------------------------------------------------

fresh
fault 'kind=item&id=bad&status=400'
rm "$T/dead"
start hup --dead-letter "$T/dead"
printf '%s\n' "$(relation)" "$(unit 1 bad)" | feed
wait_for 'a letter is written' 10 has_letters 1
printf '%s\n' "$(e)" | pack >"$T/frames"
writes 111 'a second program on the same file' --dead-letter "$T/dead"
says 'another program holds the dead letters' 'is told'
mv "$T/dead" "$T/dead.1"
kill -s HUP "$W"
unit 2 bad2 | feed
wait_for 'after HUP a renamed file is left alone' 10 has_letters 1
is "$(x_of bad2 | jq -r '.[4]')" bad2 'and the next letter stands in a new one'
is "$(pgcdc-cat "$T/dead.1" | grep -c '^\["E"')" 1 'the old one has its own'
e | feed
done_feeding
wait_exit 'the end' 10 "$W" 0

# Merges and truncates ----------------------------------------------------------------------

fresh
rm -f "$T/dead"
printf '%s\n' "$(b 0/1000)" "$(x index i old '{"big":"B","n":0}')" "$(c 0/1030 1)" "$(e)" | frames
writes 0 'a document'
fault 'kind=item&id=new&status=400'
printf '%s\n' "$(relation)" "$(b 0/2000)" \
    "$(x index i new '{"n":1}' null - '{"merge":["big"],"merge_from":["i","old",null]}')" \
    "$(c 0/2030 2)" "$(e)" | frames
writes 0 'its successor is rejected' --dead-letter "$T/dead"
ok 'it stays, for else nothing would hold what is moved' has 'i old 65536 {"big":"B","n":0}'
is "$(x_of new | jq -c '.[5,7,8]' | tr '\n' ' ')" \
    '131072 "{\"n\":1,\"big\":\"B\"}" {"merge":["big"],"merge_from":["i","old",null,131072]} ' \
    'the letter says where to take over from'
control DELETE fault >/dev/null
cp "$T/dead" "$T/frames"
writes 0 'a replay' 
ok 'moves it' has 'i new 131072 {"n":1,"big":"B"}'
# Of one id under another routing the delete's version follows from the action's.
rm "$T/dead"
fresh
printf '%s\n' "$(b 0/1000)" "$(x index i one '{"big":"B","n":0}' null a)" "$(c 0/1030 1)" "$(e)" | frames
writes 0 'a document with a routing'
fault 'kind=item&id=one&status=400'
printf '%s\n' "$(relation)" "$(b 0/2000)" \
    "$(x index i one '{"n":1}' null b '{"merge":["big"],"merge_from":["i","one","a"]}')" \
    "$(c 0/2030 2)" "$(e)" | frames
writes 0 'it is rejected under another' --dead-letter "$T/dead"
ok 'it stays' has 'i one 65536 {"big":"B","n":0}'
is "$(x_of one | jq -c '.[5,6,7,8]' | tr '\n' ' ')" \
    '131072 "b" "{\"n\":1,\"big\":\"B\"}" {"merge":["big"],"merge_from":["i","one","a"]} ' \
    'and the letter says where it was'
control DELETE fault >/dev/null
cp "$T/dead" "$T/frames"
writes 0 'a replay'
ok 'moves it' has 'i one 131072 {"n":1,"big":"B"}'
rm "$T/dead"
printf '%s\n' "$(relation)" "$(b 0/3000)" "$(x index i none '{"n":1}' null - '{"merge":["big"]}')" \
    "$(c 0/3030 2)" "$(e)" | frames
writes 0 'a merge that finds nothing, to be rejected' --merge-missing reject --dead-letter "$T/dead"
is "$(x_of none | jq -c '.[5,7,8]' | tr '\n' ' ')" '196608 "{\"n\":1}" {"merge":["big"]} ' \
    'is a dead letter'
fresh
rm "$T/dead"
fault 'kind=status&path=*/_search&status=400&body=no+such+query'
printf '%s\n' "$(relation)" "$(unit 1 a b)" "$(b 0/2000)" \
    '["X","delete",16401,null,null,null,null,null,{"truncate":{"index":"i","query":"{\"match_all\":{}}"}}]' \
    "$(c 0/2030 2)" "$(unit 3 d)" "$(e)" | frames
writes 0 'a truncate that is refused' --dead-letter "$T/dead"
is "$(lines | grep '^\["X"')" \
    '["X","delete",16401,null,null,131072,null,null,{"truncate":{"index":"i","query":"{\"match_all\":{}}"}}]' \
    'is a dead letter'
ok 'and what follows goes on' counts docs -eq 3
control DELETE fault >/dev/null
cp "$T/dead" "$T/frames"
writes 0 'its replay'
is "$(held | cut -f 2)" d 'deletes what is older'

# Too large -----------------------------------------------------------------------------------

standin_start --max-bytes 2000
rm "$T/dead"
large=$(printf '%02000d' 0)
printf '%s\n' "$(unit 1 a)" "$(b 0/2000)" "$(x index i large "{\"t\":\"$large\"}")" \
    "$(c 0/2030 2)" "$(unit 3 c)" "$(e)" | frames
writes 0 'a document over the limit of the server' --dead-letter "$T/dead"
is "$(x_of large | jq -c '.[7] | length')" 2008 'is a dead letter, whole'
is "$(held | cut -f 2 | tr '\n' ' ')" 'a c ' 'and no loop'

# The example of the page -----------------------------------------------------------------------

standin_start
rm "$T/dead"
fault 'kind=item&status=400&count=3'
printf '%s\n' "$(relation)" "$(b 0/1000)" "$(x index shop 1 '{"price":"x1"}')" \
    "$(x index shop 2 '{"price":"x2"}')" "$(x index shop 3 '{"price":"x3"}')" "$(c 0/1030 1)" \
    "$(b 0/2000)" "$(x index shop 2 '{"price":22}')" "$(c 0/2030 2)" "$(e)" | frames
writes 0 'a column that was mapped wrongly' --dead-letter "$T/dead" --batch-docs 3
mkdir "$T/here"
mv "$T/dead" "$T/here/shop.dead.1"
# As esbulk-write(1) has it, with the stand-in's address.
awk '/^\.\\" replay$/ { take = 1 } take && /^\.Ed/ { exit } take && !/^\./ { print }' \
    "$TOP/man/esbulk-write.1" | sed -e 's/\\e/\\/g' -e "s|http://127.0.0.1:9200|$STANDIN_URL|" \
    >"$T/example"
ok 'the page has an example' grep -q 'pgcdc-cat --pack' "$T/example"
(cd "$T/here" && sh -e "$T/example") >"$T/example.out" 2>&1
is $? 0 'it runs' || diag <"$T/example.out"
ok 'what was mended is stored, what is newer stays' has 'shop 1 65536 {"price":1}' \
    'shop 2 131072 {"price":22}' 'shop 3 65536 {"price":3}'

done_testing
