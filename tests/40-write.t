#!/bin/sh
#
# esbulk-write against the stand-in that does what it should: documents and their
# versions, streams, what is refused, acks, batches, memory, the login.  Faults are in
# 41-write-faults.t.

# shellcheck disable=SC2016 # what is not to be expanded
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=write.sh
. "$(dirname "$0")/write.sh"

# Three that take their time while the rest runs -------------------------------------

standin_start
{
	hello
	unit 1 a
} | pack >"$T/one.frames"

# Nobody listens.
bg absent sh -c 'exec esbulk-write -u "$1" -a "$2/nobody.sock" <"$2/one.frames"' sh \
    "$STANDIN_URL" "$T"
absent=$BG_PID

# The reader goes, its pipe stays.
listen deserted --close-at 1
bg deserted sh -c '{ cat "$2/one.frames"; sleep 100; } | {
	esbulk-write -u "$1" -a "$2/deserted.sock"
	echo "status $?"
}' sh "$STANDIN_URL" "$T"

# The reader does not read its acks, until there is no more room for them.
listen mute --mute "$T/unmute"
bg mute sh -c '{
	echo "[\"H\",{\"v\":1,\"run\":\"run1\"}]"
	n=0
	while [ $((n += 1)) -le 450 ]; do
		printf "[\"B\",\"0/%X\",0,7]\n[\"C\",\"0/%X\",%d]\n" "${n}000" "${n}030" "$n"
		sleep 0.012
	done
	touch "$2/mute.fed"
	sleep 100
} | pgcdc-cat --pack | sh -c "echo \$\$ >\"\$2/mute.pid\"
	exec esbulk-write -u \"\$1\" -a \"\$2/mute.sock\"" sh "$1" "$2"
' sh "$STANDIN_URL" "$T"

standin_start --log "$T/log"

# Documents and versions ------------------------------------------------------------

{
	hello
	relation
	b 0/1000
	x index i 1 '{"n":1}'
	x index i 2 '{"n":1,"t":"a \"b\" \\ é"}'
	x index i 1 '{"n":2}'
	x delete i 3 -
	x index i 5 '{"n":1}' null a
	x delete i 5 - null a
	x index i 5 '{"n":2}' null b
	c 0/1030 1
	b 0/2000
	x index i 1 '{"n":3}'
	x index i-j 1 '{}'
	x create i 4 '{"n":4}'
	x update i 4 '{"doc":{"m":1}}'
	x index i 'ä/ "\ é' '{}' null 'r 1'
	c 0/2030 2
	e
} | frames
writes 0 'actions are written'
ok 'documents arrive, the LSN of the commit and the place in the unit is their version' has \
    'i 1 131072 {"n":3}' 'i 2 65536 {"n":1,"t":"a \"b\" \\ é"}' 'i 4 2 {"n":4,"m":1}' \
    'i 5 65538 {"n":2}' 'i-j 1 131072 {}' 'i ä/ \"\\ é 131072 {}'
is "$(grep -c ' i 1 ' "$T/log")" 1 'of three actions on a document the last is sent'
is "$(grep ' i 5 ' "$T/log" | cut -d " " -f 2-)" "$(printf '%s\n' 'delete i 5 65537 404' \
    'index i 5 65538 201')" 'but with another routing the delete of the old document as well'
ok 'a delete has one as well' grep -q ' delete i 3 65536 404$' "$T/log"
like "$(control GET docs)" '"routing":"r 1"' 'the routing goes with the action'

fresh
{
	b 0/1000
	for n in 1 2 3 4 5 6 7 8 9; do
		for m in 0 1 2 3 4; do
			x index i many "{\"n\":$n$m}"
		done
	done
	x index i other '{}'
	c 0/1030 1
	b 0/2000 null
	x index i snap '{}'
	x index i snap2 '{}'
	c 0/2030 2
	b 0/3000
	x index i given '{}' 77
	x index i free '{"n":1}' false
	x index i free '{"n":2}' false
	x delete i gone - 78
	c 0/3030 3
	e
} | frames
writes 0 'versions of all kinds'
ok 'the place counts on, is 639 in a snapshot, and given and no versions are kept' has \
    'i many 65580 {"n":94}' 'i other 65536 {}' 'i snap 131711 {}' 'i snap2 131711 {}' \
    'i given 77 {}' 'i free 2 {"n":2}'
ok 'so is that of a delete' grep -q ' delete i gone 78 404$' "$T/log"

fresh
printf '%s\n' "$(b 0/1000)" "$(x index i 1 '{}')" "$(c 0/1030 1)" "$(e)" | frames
writes 0 'a version epoch' --version-epoch 3
ok 'moves versions by 2^60' has "i 1 $((3 << 60 | 65536)) {}"

fresh
{
	b 0/1000
	x index i a '{"n":1}'
	x index i a '{"n":2}'
	b 0/1000
	x index i a '{"n":1}'
	x index i a '{"n":2}'
	x index i b '{"n":3}'
	c 0/1030 1
	e
} | frames
writes 0 'a unit that begins again' --lanes 1 --batch-docs 1
ok 'has the versions that it had before' has 'i a 65537 {"n":2}' 'i b 65536 {"n":3}'

fresh
load 40 25 60 >"$T/load"
{
	cat "$T/load"
	e
} | frames
writes 0 'a thousand actions on sixty documents'
holds_load 'the last action on each document counts'
writes 0 'the same again' --lanes 3
holds_load 'changes nothing'
ok 'no two requests were about one document' counts order_violations -eq 0

fresh
printf '%s\n' "$(unit 2 a=2 -b c=2)" "$(e)" | frames
writes 0 'the newer of two files'
printf '%s\n' "$(unit 1 a=1 b=1 -c d=1)" "$(e)" | frames
writes 0 'and then the older one'
ok 'which overwrites nothing, and brings nothing back' has \
    'i a 131072 {"n":2}' 'i c 131072 {"n":2}' 'i d 65536 {"n":1}'

fresh
printf '%s\n' "$(unit 1 a=1 -a a=2 b=1 -b -c c=1)" "$(e)" | frames
writes 0 'index and delete in a unit'
ok 'keep their order' has 'i a 65538 {"n":2}' 'i c 65537 {"n":1}'

# Streams ---------------------------------------------------------------------------

fresh
printf '%s\n' "$(hello)" "$(unit 1 a)" "$(unit 2 b)" "$(b 0/3000)" "$(x index i c '{}')" | frames
writes 111 'a stream that ends without E is a producer that died'
says 'ended without E' 'which is said'
ok 'its complete units are stored' sh -c 'curl -s --noproxy "*" "$1" | grep -c "\"_id\":\"[ab]\"" |
    grep -qx 2' sh "$STANDIN_URL/_standin/docs"
: >"$T/frames"
writes 111 'an empty stream is one, too'
for bytes in 1 7 20; do
	printf '%s\n' "$(unit 1 a)" "$(unit 2 b)" | pack | head -c "-$bytes" >"$T/frames"
	writes 111 "so is one that is cut $bytes bytes before its end"
done
hello | pack >"$T/hello"
{
	printf '%s\n' "$(unit 1 a)" "$(e)" | pack
	head -c 5 "$T/hello"
} >"$T/frames"
writes 111 'and one that is cut behind E'
says 'ends inside a frame' 'which is said'

fresh
{
	hello one
	unit 1 a=1 b=1
	e
	echo '["s","pgcdc-map",{"rows":1}]'
	hello two
	unit 1 a=2
	b 0/3000
	x index i cut '{}'
	hello three
	unit 4 a=4 c=4
	echo '["z","anything",[1,2,{"x":null}]]'
	b 0/5000
	echo '["M","prefix",{"$bin":"eA=="},"0/5000",true]'
	c 0/5030 2
	e
	e
} | frames
writes 0 'several runs in a stream, one of them cut off; messages and lower-case frames'
ok 'all complete units are stored' sh -c 'curl -s --noproxy "*" "$1" | grep -v "\"cut\"" |
    sort | tr -d "\n" | grep -qF "$2"' sh "$STANDIN_URL/_standin/docs" \
    "{\"_index\":\"i\",\"_id\":\"a\",\"_version\":262144,\"_source\":{\"n\":4}}{\"_index\":\"i\",\"_id\":\"b\",\"_version\":65536,\"_source\":{\"n\":1}}{\"_index\":\"i\",\"_id\":\"c\",\"_version\":262144"

fresh
fault 'kind=delay&ms=200'
printf '%s\n' "$(unit 1 a)" "$(e)" '["Q"]' | frames
writes 100 'what stands behind E'
ok 'is read when all before it is stored' counts docs -eq 1

# What is refused -------------------------------------------------------------------

# breaks PATTERN DESCRIPTION LINE...: a stream.
breaks() {
	_pattern=$1 _about=$2
	shift 2
	printf '%s\n' "$@" | frames
	writes 100 "$_about: refused" && says "$_pattern" "$_about: said"
}
# refuses PATTERN DESCRIPTION LINE: inside a unit.
refuses() {
	breaks "$1" "$2" "$(relation)" "$(b 0/1000)" "$3" "$(c 0/1030 1)" "$(e)"
}

refuses 'rejected a row" table=shop.users index=i id=7 lsn=0/1000 reason="NaN in price"' \
    'a row that the mapper rejects' "$(x reject i 7 'NaN in price')"
breaks 'rejected a row" index=i id=7' 'one of a table that this run has not described' \
    "$(hello)" "$(relation)" "$(e)" "$(hello)" "$(b 0/1000)" "$(x reject i 7 'NaN')"
refuses 'table=shop.users op=index index=i id=7 lsn=0/1000 type=illegal_action reason=".*more than one line' \
    'a body of two lines' \
    '["X","index",16401,"i","7",null,null,"{\"a\":1}\n{\"delete\":{\"_id\":\"1\"}}"]'
refuses 'longer than 512 bytes' 'an id of 513 bytes' "$(x index i "$(printf '%0513d' 0)" '{}')"
refuses 'id that is empty' 'an empty id' "$(x index i '' '{}')"
refuses 'no id, which a version needs' 'a version without an id' "$(x index i - '{}')"
refuses 'no id' 'a delete without an id' "$(x delete i - -)"
refuses 'no id' 'an update without an id' "$(x update i - '{}')"
refuses 'no body' 'an index without a body' "$(x index i 1 -)"
refuses 'body, which delete' 'a delete with a body' "$(x delete i 1 '{}')"
refuses 'version, which only' 'a create with a version' "$(x create i 1 '{}' 5)"
for name in I _i -i 'a b' 'a*' 'a,b' . '' 'i/_doc' "$(printf '%0256d' 0)"; do
	refuses 'no legal index name' "the index \"$name\"" "$(x index "$name" 1 '{}')"
done
refuses 'no legal index name' 'no index' "$(x index - 1 '{}')"
refuses 'more that this program does not know' 'an unknown word in more' \
    "$(x index i 1 '{}' null - '{"merg":["a"]}')"
refuses 'not UTF-8' 'an id that is not UTF-8' \
    '["X","index",16401,"i",{"$str":"/w=="},null,null,"{}"]'

breaks 'X outside a unit' 'an action outside a unit' "$(x index i 1 '{}')" "$(e)"
breaks 'X outside a unit' 'an action behind a unit' "$(unit 1 a)" "$(x index i 1 '{}')"
breaks 'X outside a unit' 'an action in a unit that H dropped' "$(b 0/1000)" "$(hello)" \
    "$(x index i 1 '{}')"
breaks 'C without B' 'a C without its B' "$(c 0/1030 1)"
breaks 'C without B' 'a second C' "$(unit 1 a)" "$(c 0/1030 1)"
breaks 'unknown critical frame.*frame=Q' 'an unknown critical frame' '["Q",1]'
for row in '["I",1,[1]]' '["U",1,[1],null]' '["D",1,[1]]' '["S",1,[1]]' '["T",[1],false,false]'; do
	breaks 'a mapper turns into actions' "$row" "$(b 0/1000)" "$row"
done
breaks 'behind E' 'a unit behind E' "$(unit 1 a)" "$(e)" "$(unit 2 b)" "$(e)"
breaks 'no version \(v\)' 'H without its version' '["H",{"run":"r"}]'
breaks 'version that this program does not know' 'H of a later version' '["H",{"v":2}]'
breaks 'H must hold a map' 'H without a map' '["H",1]'
breaks 'B must hold' 'B without its time' '["B","0/1000"]'
breaks 'lsn that is no number' 'B without an LSN' '["B",null,0,1]'
breaks 'LSN is too high' 'an LSN that makes no version' '["B","FFFFFFFF/FFFFFFFF",0,null]' \
    "$(x index i 1 '{}')"
breaks 'C must hold' 'C without a seq' "$(b 0/1000)" '["C","0/1030"]'
breaks 'E must hold' 'E without a reason' '["E","0/1030"]'
breaks 'R must hold' 'R without columns' '["R",1,"s","t"]'
while read -r frame pattern; do
	breaks "$pattern" "$frame" "$(b 0/1000)" "$frame"
done <<'END'
["X","index",1,"i","1"] X must hold
["X","put",1,"i","1",null,null,"{}"] op that is not
["X",1,1,"i","1",null,null,"{}"] op that is no string
["X","index","t","i","1",null,null,"{}"] relid that is neither
["X","index",1,5,"1",null,null,"{}"] index that is no string
["X","index",1,"i",5,null,null,"{}"] id that is neither
["X","index",1,"i","1",true,null,"{}"] version that is neither
["X","index",1,"i","1",-1,null,"{}"] version that is neither
["X","index",1,"i","1",{"$int":"9223372036854775808"},null,"{}"] version that is neither
["X","index",1,"i","1",null,5,"{}"] routing that is neither
["X","index",1,"i","1",null,null,{"a":1}] body that is neither
["X","index",1,"i","1",null,null,{"$bin":"e30="}] body that is neither
["X","index",1,"i","1",null,null,"{}",[]] more that is no map
END
printf 'hello, world\n' >"$T/frames"
writes 100 'text: refused'
says 'no array' 'text: said'
{
	unit 1 a | pack
	printf '\301'
} >"$T/frames"
writes 100 'a damaged byte: refused'
says "no array.*offset=$(($(wc -c <"$T/frames") - 1))|not MessagePack" 'a damaged byte: said'
printf '\223\241B\301\000' >"$T/frames"
writes 100 'a damaged frame: refused'
says 'not MessagePack' 'a damaged frame: said'

# Signals ---------------------------------------------------------------------------

fresh
start term
unit 1 a | feed
wait_for 'an idle lane sends at once' 10 counts docs -eq 1
kill -TERM "$W"
unit 2 b | feed
wait_for 'after TERM it goes on' 10 counts docs -eq 2
e | feed
done_feeding
wait_exit 'until its input ends' 10 "$W" 0
start term
unit 3 c | feed
wait_for 'another one' 10 counts docs -eq 3
kill -TERM "$W"
unit 4 d | feed
wait_for 'goes on, too' 10 counts docs -eq 4
kill -INT "$W"
wait_exit 'a second signal ends it at once' 10 "$W" 111
done_feeding

# Acks ------------------------------------------------------------------------------

fresh
listen acks
start acked -a "$T/acks.sock"
{
	hello run.7-x
	unit 1 a
} | feed
wait_for 'a stored unit is acked' 10 acked acks 1
is "$(cat "$T/acks.acks")" "$(printf 'pgcdc-ack 1 run.7-x\nack 1 0/1030')" \
    'with the greeting before, its seq and the LSN of its C'
printf '%s\n' "$(b 0/2000)" "$(c 0/2030 2)" | feed
wait_for 'an empty unit is acked' 10 acked acks 2
fault 'kind=hang&when=after'
unit 3 c | feed
wait_for 'a request hangs, executed' 10 counts hanging -eq 1
unit 4 | feed
sleep 0.2
ok 'what the cluster has not answered is not acked' not grep -q 'ack [34]' "$T/acks.acks"
control POST release >/dev/null
wait_for 'once it has answered, it is' 10 acked acks 4
printf '%s\n' "$(unit 5 d)" "$(b 0/6000)" "$(x index i e '{}')" "$(e)" | feed
wait_for 'at E all is acked' 10 acked acks 5
done_feeding
wait_exit 'and the end is 0' 10 "$W" 0
wait_for 'the socket is closed' 10 grep -q end "$T/acks.acks"
ok 'but never a unit that E cut off' not grep -q 'ack 6' "$T/acks.acks"
ok 'acks kept the protocol' not early acks

fresh
listen frontier
start frontier -a "$T/frontier.sock" --batch-docs 1 --lanes 4
fault 'kind=hang&count=1'
printf '%s\n' "$(hello)" "$(unit 1 first)" | feed
wait_for 'the first unit hangs' 10 counts hanging -eq 1
seq=2
while [ "$seq" -le 100 ]; do
	unit "$seq" "doc$seq"
	seq=$((seq + 1))
done | feed
wait_for 'others are stored behind it' 10 counts docs -ge 50
sleep 0.2
ok 'but not acked' not grep -q '^ack' "$T/frontier.acks"
control POST release >/dev/null
wait_for 'then they are acked' 10 acked frontier 100
printf '%s\n' "$(b 0/101000)" "$(x index i again '{"n":1}')" "$(b 0/101000)" \
    "$(x index i again '{"n":1}')" "$(c 0/101030 101)" | feed
wait_for 'so is a unit that began again' 10 acked frontier 101
e | feed
done_feeding
wait_exit 'the end' 10 "$W" 0
ok 'the acks moved forward only' not early frontier

fresh
: >"$T/log"
load 300 10 100 >"$T/load"
listen load --log "$T/log" --units "$T/units"
{
	cat "$T/load"
	e
} | frames
writes 0 'three hundred units' -a "$T/load.sock" --batch-docs 40
wait_for 'are acked' 10 acked load 300
ok 'each after the stand-in had executed all of it' not early load

fresh
listen flood
start flood -a "$T/flood.sock" --batch-docs 1 --lanes 1
hello | feed
started=$(date +%s%N)
awk 'BEGIN { for (n = 1; n <= 3000; n++) {
	printf "[\"B\",\"0/%X\",0,7]\n", n * 4096
	printf "[\"X\",\"index\",1,\"i\",\"%d\",null,null,\"{}\"]\n", n
	printf "[\"C\",\"0/%X\",%d]\n", n * 4096 + 48, n } }' | feed
wait_for 'three thousand requests are acked' 30 acked flood 3000
took=$((($(date +%s%N) - started) / 1000000))
acks=$(grep -c '^ack' "$T/flood.acks")
ok "by an ack every 10 ms at most ($acks in $took ms)" test "$acks" -le $((took / 10 + 2))
done_feeding
wait_exit 'without E the end is 111' 10 "$W" 111

fresh
listen closes --close-at 1
start closes -a "$T/closes.sock"
printf '%s\n' "$(hello)" "$(unit 1 a)" | feed
wait_for 'the reader goes when all is acked' 10 grep -q end "$T/closes.acks"
sleep 0.2
e | feed
done_feeding
wait_exit 'its E comes after: that is the end' 10 "$W" 0

listen closes --close-at 1
start closes -a "$T/closes.sock"
printf '%s\n' "$(hello)" "$(unit 1 a)" | feed
wait_for 'the reader goes' 10 grep -q end "$T/closes.acks"
done_feeding
wait_exit 'and no E comes: 111' 10 "$W" 111
ok 'which is said' grep -q 'ended without E' "$T/closes.log"

listen closes --close-at 1
fault 'kind=hang&skip=1'
start closes -a "$T/closes.sock"
printf '%s\n' "$(hello)" "$(unit 1 a)" | feed
wait_for 'the reader goes' 10 grep -q end "$T/closes.acks"
printf '%s\n' "$(unit 2 b)" "$(e)" | feed
done_feeding
wait_exit 'before all is stored, though E was read: 111' 10 "$W" 111

fresh
start late -a "$T/late.sock"
printf '%s\n' "$(hello)" "$(unit 1 a)" | feed
wait_for 'actions are stored while nobody listens yet' 10 counts docs -ge 1
# Without our end of the pipe.
listen late 3>&-
wait_for 'a reader that listens late is found' 10 acked late 1
e | feed
done_feeding
wait_exit 'the end' 10 "$W" 0

listen run
printf '%s\n' '["H",{"v":1}]' "$(unit 1 a)" "$(e)" | frames
writes 100 'a run without a name cannot be acked' -a "$T/run.sock"
says 'names no run' 'which is said'
printf '%s\n' "$(unit 1 a)" "$(e)" | frames
writes 100 'nor can a stream without H' -a "$T/run.sock"
says 'before H' 'which is said'
printf '%s\n' "$(hello)" "$(unit 1 a)" "$(e)" "$(hello run2)" "$(unit 1 a)" "$(e)" | frames
writes 100 'nor a second run' -a "$T/run.sock"
says 'second run' 'which is said'

# Batches ---------------------------------------------------------------------------

# many N: units of one action each, on documents of their own, and E.
many() {
	awk -v n="$1" 'BEGIN { for (i = 1; i <= n; i++) {
		printf "[\"B\",\"0/%X\",0,7]\n", i * 64
		printf "[\"X\",\"index\",1,\"i\",\"%d\",null,null,\"{\\\"n\\\":%d}\"]\n", i, i
		printf "[\"C\",\"0/%X\",%d]\n", i * 64 + 48, i } }'
	e
}

standin_start --max-bytes 3000
many 2000 | frames
writes 0 'requests of seven actions' --batch-docs 7
ok 'hold that many at most' counts items_max -eq 7
fresh
writes 0 'requests of 3000 bytes' --batch-bytes 3000
ok 'hold that many at most' not grep -q 413 "$T/err"
ok 'and not much less' counts items_max -gt 15
ok 'and everything arrives' counts docs -eq 2000

standin_start --fault 'kind=delay&ms=30'
writes 0 'under load batches grow' --lanes 1
ok 'so that few requests do' counts bulk_requests -lt 15
ok 'for everything' counts docs -eq 2000
fresh
fault 'kind=delay&ms=30'
writes 0 'with more lanes' --lanes 4
ok 'requests overlap' counts in_flight_max -eq 4
fresh
writes 0 'with one' --lanes 1
ok 'they do not' counts in_flight_max -eq 1

fresh
start linger --lanes 1 --linger 60000
for doc in a b c; do
	unit 1 "$doc" | feed
	sleep 0.05
done
ok 'a lane that lingers waits' counts bulk_requests -eq 0
e | feed
wait_for 'but not behind E' 10 counts docs -eq 3
ok 'and sends what has come together' counts bulk_requests -eq 1
done_feeding
wait_exit 'the end' 10 "$W" 0
start linger --lanes 1 --linger 100
unit 1 d | feed
wait_for 'nor for longer than told' 10 counts docs -eq 4
done_feeding
wait_exit 'the end' 10 "$W" 111

# A create without an id makes a document of its own each time.
fresh
fault 'kind=delay&ms=30'
{
	b 0/1000
	awk 'BEGIN { for (i = 0; i < 400; i++)
		print "[\"X\",\"create\",1,\"i\",null,null,null,\"{}\"]" }'
	c 0/1030 1
	e
} | frames
writes 0 'actions without an id'
ok 'all arrive' counts docs -eq 400
ok 'they share requests' counts bulk_requests -lt 40
ok 'over all lanes' counts in_flight_max -gt 1

fresh
{
	unit 1 a
	b 0/2000
	printf '["X","index",1,"i","large",null,null,"{\\"t\\":\\"'
	head -c 40000000 /dev/zero | tr '\0' 'x'
	printf '\\"}"]\n'
	x index i next '{}'
	c 0/2030 2
	unit 3 b
	e
} | frames
writes 0 'a document of 40 MB'
is "$(curl -s --noproxy '*' "$STANDIN_URL/i/_source/large" | wc -c)" 40000008 'arrives'
ok 'with the others' counts docs -eq 4

# Memory, and many actions ----------------------------------------------------------

standin_start --store versions --fault 'kind=hang&when=headers'
for size in 60 30000; do
	awk -v size="$size" 'BEGIN {
		for (text = "x"; length(text) < size;)
			text = text text
		for (i = 1; i <= 4000000 / (size + 60); i++) {
			printf "[\"B\",\"0/%X\",0,7]\n", i * 64
			printf "[\"X\",\"index\",1,\"i\",\"%d\",null,null,\"{\\\"n\\\":\\\"%s\\\"}\"]\n", i, text
			printf "[\"C\",\"0/%X\",%d]\n", i * 64 + 48, i
		}
	}' | pack >"$T/much"
	mkfifo "$T/pipe$size"
	# More than it may take, and not so much that a machine suffers when it does.
	bg producer sh -c 'cat "$1" "$1" "$1" "$1" "$1" "$1" "$1" "$1" "$1" "$1" >"$2"; sleep 60' \
	    sh "$T/much" "$T/pipe$size"
	bg full sh -c 'exec esbulk-write -u "$1" <"$2"' sh "$STANDIN_URL" "$T/pipe$size"
	W=$BG_PID was=0
	# It has read what it can when it has read some and does not read more.
	stopped() {
		read=$(sed -n 's/^rchar: //p' "/proc/$W/io")
		last=$was was=$read
		echo "$read"
		sleep 0.2
		[ "$read" -gt 3000000 ] && [ "$read" -eq "$last" ]
	}
	wait_for "a cluster that hangs stops the reading, documents of $size bytes" 30 stopped
	hwm=$(vmhwm "$W")
	below "$hwm" 36864 'in bounded memory'
	kill -KILL "$W"
	rm "$T/much"
done

# One document that is not taken holds up all acks, but the others are stored.
standin_start --store versions --fault 'kind=item&id=0&status=403'
awk 'BEGIN { for (i = 0; i < 1000000; i++) {
	printf "[\"B\",\"0/%X\",0,7]\n", (i + 1) * 64
	printf "[\"X\",\"index\",1,\"i\",\"%d\",null,null,\"{}\"]\n", (i > 0 ? i % 100 + 1 : 0)
	printf "[\"C\",\"0/%X\",%d]\n", (i + 1) * 64 + 48, i + 1 } }' | pack >"$T/much"
bg held sh -c '{ cat "$2"; sleep 100; } | exec esbulk-write -u "$1"' sh "$STANDIN_URL" "$T/much"
_until 10 pgrep -P "$BG_PID" -x esbulk-write >/dev/null
W=$(pgrep -P "$BG_PID" -x esbulk-write) was=0
wait_for 'acks that are held up stop the reading' 30 stopped
hwm=$(vmhwm "$W")
below "$hwm" 40960 'in bounded memory'
kill -KILL "$W"
rm "$T/much"

standin_start --store versions --log "$T/log2"
load 2000 100 50000 >"$T/load"
{
	cat "$T/load"
	e
} | pack >"$T/frames"
listen many --log "$T/log2" --units "$T/units"
writes 0 '200,000 actions through four lanes' -a "$T/many.sock"
wait_for 'are acked' 20 acked many 2000
ok 'in time' not early many
ok 'no two requests were about one document' counts order_violations -eq 0
sed -i 's/\t[^\t]*$/\t/' "$T/want"
holds_load 'and stored'

# A cluster that has too much to do gets less at a time.
for fixed in '' --fixed; do
	fresh
	fault 'kind=status&status=429&count=3'
	# shellcheck disable=SC2086
	writes 0 "200,000 actions that are refused at first $fixed" --batch-docs 20 -vv $fixed
	sed -n 's/.*msg="another pace" lanes=//p' "$T/err" | cut -d ' ' -f 1 >"$T/paces"
	[ -n "$fixed" ] || ok 'go fewer at a time, and more again' \
	    awk 'NR == 1 && $1 < 4 { fewer = 1 } $1 > last { more = 1 } { last = $1 }
	    END { exit !(NR > 1 && fewer && more) }' "$T/paces"
	[ -z "$fixed" ] || is "$(cat "$T/paces")" '' 'go as ever'
	sed -i 's/\t[^\t]*$/\t/' "$T/want"
	holds_load 'and are stored'
done

# A few actions that it refuses are sent again, and the rest comes as fast as ever.
for docs in 2000 100; do
	fresh
	fault 'kind=item&status=429&count=20'
	writes 0 "200,000 actions, 20 of which are refused at first, $docs in a request" \
	    --batch-docs $docs -vv
	first=$(sed -n 's/.*msg="another pace" lanes=//p' "$T/err" | head -n 1 | cut -d ' ' -f 1)
	if [ $docs -eq 100 ]; then
		is "$first" 2 'a fifth of a request is too much'
	else
		ok 'a hundredth is not' [ "$first" != 2 ]
	fi
	holds_load 'and are stored'
done

# Actions without versions that have nothing to do with each other share requests.
fresh
awk 'BEGIN { print "[\"B\",\"0/1000\",0,7]"
	for (n = 1; n <= 20000; n++)
		printf "[\"X\",\"index\",1,\"i\",\"%d\",false,null,\"{}\"]\n", n
	print "[\"C\",\"0/1030\",1]\n[\"E\",\"0/1030\",\"done\"]" }' | frames
writes 0 '20,000 actions without versions'
ok 'go many at a time' counts items_max -gt 1000

# Rows that are changed again and again.
fresh
: >"$T/log2"
load 20000 10 1000 >"$T/load"
{
	cat "$T/load"
	e
} | pack >"$T/frames"
listen hot --log "$T/log2" --units "$T/units"
writes 0 '200,000 actions on 1,000 documents' -a "$T/hot.sock"
wait_for 'are acked' 20 acked hot 20000
ok 'in time' not early hot
ok 'no two requests were about one document' counts order_violations -eq 0
if [ -n "${PGCDC_TEST_SANITIZED:-}" ]; then
	skip 'a tenth of them is sent, or less' 'a slow writer finds less to leave out'
else
	ok 'a tenth of them is sent, or less' counts items -le 20000
fi
sed -i 's/\t[^\t]*$/\t/' "$T/want"
holds_load 'and stored'

# Changes of just now that meet newer documents.
# changes TIME LSN: 120 of them, as many documents.
changes() {
	printf '%s\n' "$(hello)" "$(relation)"
	for n in $(seq 120); do
		printf '["B","%s%03X",%s,7]\n' "$2" "$n" "$1"
		x index i "$n" '{}'
		c "$2$(printf '%03X' "$n")" "$n"
	done
	e
}
fresh
later=$(($(date +%s) + 3600))000000
changes "$later" 1/1 | frames
writes 0 'changes of documents that are not there'
ok 'nothing is warned about' not grep -q warn "$T/err"
writes 0 'and again'
ok 'the same' not grep -q warn "$T/err"
changes 1000000 0/1 | frames
writes 0 'old changes that meet newer documents'
ok 'nothing is warned about' not grep -q warn "$T/err"
changes "$later" 0/1 | frames
writes 0 'changes of just now that do'
says 'warn .*most changes meet documents of higher versions.*remedy=".*--version-epoch' \
    'are warned about'
is "$(grep -c warn "$T/err")" 1 'once'
writes 0 'with a higher epoch' --version-epoch 1
ok 'nothing is warned about' not grep -q warn "$T/err"

# Sending nothing.
r='{"merge_from":["i","1",null],"merge":["a"]}'
stream "$(u 1 "$(x index i 1 '{"n":1}')" "$(x delete i 1 -)" "$(x update i 2 '{"doc":{}}')" \
    "$(x index i 3 '{"n":3}' null r "$r")")" \
    "$(u 2 "$(x create i - '{}')" '["X","delete",16401,null,null,null,null,null,{"truncate":{"index":"i*","query":null}}]')"
fresh
writes 0 'a dry run' --dry-run -u http://nobody.invalid
is "$(cat "$T/out")" '{"index":{"_index":"i","_id":"1","version":65536,"version_type":"external_gte"}}
{"n":1}
{"delete":{"_index":"i","_id":"1","version":65537,"version_type":"external_gte"}}
{"update":{"_index":"i","_id":"2"}}
{"doc":{}}
{"index":{"_index":"i","_id":"3","routing":"r","version":65536,"version_type":"external_gte"}}
{"n":3}
{"create":{"_index":"i"}}
{}' 'shows what would be sent'
says 'a truncate would delete documents.*index=i\*' 'and truncates in the log'
is "$(counted items)" 0 'and sends nothing'
is "$(esbulk-write --dry-run <"$T/frames" 2>/dev/null | curl -sS --noproxy '*' -H 'Content-Type: application/x-ndjson' \
    --data-binary @- "$STANDIN_URL/_bulk" | jq -c '[.items[][].status]')" '[201,200,404,201,201]' \
    'which a cluster takes'
writes 100 'a dry run that acks' --dry-run -a "$T/dry.sock"
says 'neither acknowledges nor keeps' 'is a mistake'
stream "$(u 1 "$(x index 'I*' 1 '{}')")"
writes 100 'a dry run of an action that cannot be sent' --dry-run
says 'an action cannot be sent' 'says so'

# The login -------------------------------------------------------------------------

STANDIN_USER='ann:pass:w0rd é'
standin_start --auth "$STANDIN_USER"
printf '%s\n' "$(unit 1 a)" "$(e)" | pack >"$T/frames"
printf 'pass:w0rd é\nsecond line\n' >"$T/password"
writes 0 'a password from a file' --user ann --password-file "$T/password"
printf 'pass:w0rd é\r\n' >"$T/password"
writes 0 'whatever its line ends with' --user ann --password-file "$T/password"
ESBULK_PASSWORD='pass:w0rd é' writes 0 'or from the environment' --user ann
ok 'logs in' counts docs -eq 1
printf 'wr0ng\n' >"$T/password"
writes 100 'a wrong one is denied' --user ann --password-file "$T/password" -v
says 'denies access.*status=401.*remedy=".*--user' 'with a remedy'
ok 'and not shown' not grep -q 'wr0ng' "$T/err"
writes 100 'so is none'
says 'denies access' 'which is said'
writes 100 'a name without a password is a mistake' --user ann
says 'needs a password' 'which is said'
writes 100 'a missing file, too' --user ann --password-file "$T/none"
says 'cannot read a secret.*what=password file=.*none' 'which is said'
writes 100 'and certificates that are missing' -u "https${STANDIN_URL#http}" --cacert "$T/none"
says 'cannot connect.*remedy=.*--cacert' 'which is said'
writes 100 'a password in the URL, too' -u 'http://ann:s3cret@127.0.0.1:1'
ok 'and is not shown' not grep -q 's3cret' "$T/err"

# The command line ------------------------------------------------------------------

for options in '' '-u ftp://x' '-u http://' '-u http://h --lanes 0' '-u http://h --lanes 65' \
    '-u http://h --batch-docs 0' '-u http://h --batch-bytes 1k' '-u http://h --linger -1' \
    '-u http://h --timeout 0' '-u http://h --version-epoch 7' '-u http://h --what' \
    '-u http://h file'; do
	# shellcheck disable=SC2086
	exits 100 "a mistake: ${options:-nothing}" esbulk-write $options
	ok 'is said' grep -q . "$T/err"
done
exits 0 'the usage is printed' esbulk-write -h
ok 'and names the options' grep -q -e --version-epoch "$T/out"
exits 0 'the version is' esbulk-write --version
like "$(cat "$T/out")" '^esbulk-write [0-9.]+$' 'printed'

# The three -------------------------------------------------------------------------

wait_exit 'a reader that is not there for ten seconds: 111' 20 "$absent" 111
ok 'which is said' grep -q 'cannot connect to the reader.*nobody.sock' "$T/absent.log"
wait_for 'one that went, and no E for ten seconds: 111' 20 grep -q 'status 111' "$T/deserted.log"
ok 'which is said' grep -q 'reader is gone' "$T/deserted.log"
wait_for 'acks that nobody reads fill the socket' 20 test -e "$T/mute.fed"
cpu() {
	cut -d ' ' -f 14,15 "/proc/$(cat "$T/mute.pid")/stat" | tr ' ' +
}
before=$(($(cpu)))
sleep 1
after=$(($(cpu)))
ok "which costs no time ($((after - before)) ticks in a second)" test $((after - before)) -lt 5
touch "$T/unmute"
wait_for 'and the last one comes when there is room' 20 acked mute 450
ok 'as the protocol wants it' not early mute

done_testing
