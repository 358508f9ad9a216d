#!/bin/sh
# pgcdc-cat: frames come back from JSON lines as they were, through jq too; what arrives is
# shown at once; damage is named.  The examples of its pages and the two example mappers.
# shellcheck disable=SC1091
. "$(dirname "$0")/lib.sh"

# Every kind of value, canonically encoded; its sizes are where encodings change.
"$PYTHON" - >"$T/kinds.frames" <<'E'
import sys, msgpack
put = lambda *frame: sys.stdout.buffer.write(msgpack.packb(frame))
ext = msgpack.ExtType
deep = 1
for i in range(400):
    deep = [deep] if i % 3 else {"k": deep}
put("H", {"v": 1, "run": "5d7c9f", "publications": ["a", "b"], "server": 150018})
put("B", 0x16B374D848, 1763863323456789, 742)
put("B", 2**64 - 1, -1, None)
put("R", 16385, "public", "users", "d", [["id", "int4", 23, -1, True]], [0])
put("M", "p", b"\0\1\xff", 0x1B374D848, True)
put("I", 1, [None, True, False, "", b"", [], {}, ext(0, b""), ext(1, b'{"a": 1.0}')])
put("I", 1, [s * 2**e + d for s in (1, -1) for e in range(64) for d in (-1, 0, 1)
    if -2**63 <= s * 2**e + d])
put("I", 1, [2**64 - 1, -2**63, 2**53 - 1, 2**53, 2**53 + 1, -2**53, -2**53 - 1])
put("I", 1, [1.0, -1.0, 0.0, -0.0, 0.1, 1.1, 1/3, 5e-324, 2.2250738585072014e-308, 1e-7, 1e22,
    1e23, 1.7976931348623157e308, -1e1000, 1e1000, float("nan"), 4503599627370495.5, 123456.789,
    9007199254740993.0, 0.30000000000000004, 2.5e-310])
put("I", 1, [chr(c) for c in range(0x20)] + ['"\\/\x7f\u20ac\U0001f600\ufffe\uffff\u2028', "\\u0041"])
put("I", 1, ["x" * n for n in (31, 32, 255, 256, 65535, 65536)])
put("I", 1, [b"x" * n for n in (1, 2, 3, 255, 256, 65535, 65536)])
put("I", 1, [[0] * n for n in (15, 16, 65535, 65536)])
put("I", 1, [{str(k): k for k in range(n)} for n in (15, 16, 65535, 65536)])
put("I", 1, [ext(1, b"1" * n) for n in (1, 2, 3, 4, 8, 16, 17, 255, 256, 65536)])
put("I", 1, [ext(7, b"\0" * n) for n in (0, 1, 4, 5)] + [ext(127, b"x"), ext(0, b"data"),
    ext(1, b"\xff")])
put("I", 1, [{"b": 1, "a": 2, "": 3, "10": 4, "9": 5}, {"$int": "1"}, {"$": 1}, {"a": {"$b": 1}},
    {1: 2, None: 3, True: 4, 1.5: b"", b"k": 5}, {"z": {3: [{"$json": 1}]}}])
put("I", 1, deep, 5)
put("X", "index", 16385, "users", "1", 2**62 + 1, None, '{"id":1}', {"pipeline": "p"})
put("T", [1, 2], True, False)
put(*"z" * 20)
put("C", 0xA, 1)
put("s", "x", {"rows": 2**63})
put("a", {"status": 400})
put("E", 0xFFFFFFFFFFFFFFFF, "end")
# Canonical for what a mapper must never make: a map with a key twice, a str that is not
# UTF-8, a str that looks like an LSN where one stands, a NaN with bits of its own.
sys.stdout.buffer.write(b"\x92\xa1I\x82\xa1k\x01\xa1k\x02" b"\x92\xa1I\xa2\xff\xfe"
    b"\x93\xa1C\xa30/1\x05" b"\x92\xa1I\xcb\x7f\xf8\x00\x00\x00\x00\x00\x01"
    b"\x92\xa1I\x81\xa1\xff\x01" b"\x92\xa1C\xff" b"\x91\xa1B"
    b"\x93\xa1I\xd6\xff1234\xc7\x00\x80")
E
# shellcheck disable=SC2181
[ $? -eq 0 ] || bail 'no frames to test with'

# through COMMAND...: frames to lines, through the command, and back.
through() {
	pgcdc-cat "$FRAMES" | "$@" | pgcdc-cat --pack >"$T/back"
}

FRAMES=$T/kinds.frames
through cat
same "$T/back" "$FRAMES" 'every kind of value comes back byte for byte'
through jq -c .
same "$T/back" "$FRAMES" 'also through jq'
is "$(pgcdc-cat "$FRAMES" | wc -l)" "$(pgcdc-cat "$FRAMES" | jq -c . | wc -l)" 'one frame is one line'

"$PYTHON" - >"$T/random.frames" <<'E'
import random, struct, sys, msgpack
r = random.Random(20261123)
def text():
    return "".join(chr(r.choice((r.randrange(128), r.randrange(0x800), r.randrange(0xd800),
        r.randrange(0x10000, 0x110000)))) for _ in range(r.choice((0, 3, 40))))
def real():
    while True:
        d, = struct.unpack(">d", r.randbytes(8))
        if d == d:
            return r.choice((d, float(int(r.gauss(0, 1e6))), round(r.gauss(0, 1e3), r.randrange(9))))
def value(depth):
    kind = r.randrange(12 if depth < 5 else 9)
    if kind < 2: return r.choice((1, -1)) * r.getrandbits(r.randrange(1, 64))
    if kind < 4: return real()
    if kind < 6: return text()
    if kind == 6: return r.choice((None, True, False))
    if kind == 7: return r.randbytes(r.choice((0, 1, 5, 300)))
    if kind == 8: return msgpack.ExtType(r.randrange(128), r.randbytes(r.choice((0, 1, 7, 16))))
    if kind == 9: return {text(): value(depth + 1) for _ in range(r.choice((0, 2, 17)))}
    return [value(depth + 1) for _ in range(r.choice((0, 3, 17)))]
for _ in range(1500):
    letter = r.choice("HRIUDSTXasz")
    sys.stdout.buffer.write(msgpack.packb([letter] + [value(0) for _ in range(r.randrange(5))]))
    sys.stdout.buffer.write(msgpack.packb(["M", "p", b"", r.getrandbits(64), value(0)]))
E
# shellcheck disable=SC2181
[ $? -eq 0 ] || bail 'no frames to test with'
FRAMES=$T/random.frames
through cat
same "$T/back" "$FRAMES" '3000 random frames come back'
through jq -c .
same "$T/back" "$FRAMES" 'also through jq'

# The lines themselves.
pack() {
	printf '%s\n' "$@" | pgcdc-cat --pack
}
line() {	# line HEX: the line of the frame with these bytes
	printf '%s' "$1" | tr -d ' ' | "$PYTHON" -c \
	    'import sys; sys.stdout.buffer.write(bytes.fromhex(sys.stdin.read()))' | pgcdc-cat 2>&1
}
hex() {
	od -An -v -tx1 | tr -d ' \n'
}
while read -r bytes json; do
	is "$(line "$bytes")" "$json" "the line $json"
	is "$(pack "$json" | hex)" "$bytes" 'and its bytes'
done <<'E'
91a15a ["Z"]
94a142cf00000016b374d84807c0 ["B","16/B374D848",7,null]
93a143ccff01 ["C","0/FF",1]
95a14da170c401000ac3 ["M","p",{"$bin":"AA=="},"0/A",true]
93a14500a0 ["E","0/0",""]
98a158a5696e64657801a169a131cf0020000000000001c0a27b7d ["X","index",1,"i","1",{"$int":"9007199254740993"},null,"{}"]
92a149cf0020000000000000 ["I",9007199254740992]
92a149d3ffdfffffffffffff ["I",{"$int":"-9007199254740993"}]
92a149cb3ff0000000000000 ["I",{"$float":"1"}]
92a149cb8000000000000000 ["I",{"$float":"-0"}]
92a149cb7ff8000000000000 ["I",{"$float":"NaN"}]
92a149cbfff0000000000000 ["I",{"$float":"-Infinity"}]
92a149cb3fb999999999999a ["I",0.1]
92a149cb0000000000000001 ["I",5e-324]
92a149c70000 ["I",{"$absent":true}]
92a149d5013130 ["I",{"$json":"10"}]
92a149d407ff ["I",{"$ext":[7,"/w=="]}]
92a14981a12401 ["I",{"$map":[["$",1]]}]
92a149820102c003 ["I",{"$map":[[1,2],[null,3]]}]
92a149a1ff ["I",{"$str":"/w=="}]
92a143a3302f31 ["C",{"$str":"MC8x"}]
92a149cb7ff8000000000001 ["I",{"$msgpack":"y3/4AAAAAAAB"}]
92a149a65c227fc3a90a ["I","\\\"\u007fé\n"]
E

while read -r bytes json; do
	is "$(line "$bytes")" "$json" "another encoding of $json"
done <<'E'
92a149ca3f800000 ["I",{"$float":"1"}]
92a149ca3dcccccd ["I",0.10000000149011612]
92a149d90161 ["I","a"]
92a149cf0000000000000005 ["I",5]
92a149d30000000000000005 ["I",5]
92a149d1ffff ["I",-1]
dc0002a14901 ["I",1]
dd00000002a14901 ["I",1]
92a149de000101c0 ["I",{"$map":[[1,null]]}]
92a149c80001ffff ["I",{"$ext":[-1,"/w=="]}]
E

while read -r bytes json; do
	is "$(pack "$json" | hex)" "$bytes" "packs $json"
done <<'E'
93a143ccff01 ["C",255,1]
93a143ccff01 [ "C"	,   "0/ff",1 ]
93a143ccff01 ["C",{"$int":"255"},1]
92a149cb3ff0000000000000 ["I",1.0]
92a149cb4059000000000000 ["I",1e2]
92a149cb4059000000000000 ["I",{"$float":"1E+2"}]
92a149cb4059000000000000 ["I",{"$float":100}]
92a14900 ["I",-0]
92a149cb8000000000000000 ["I",-0.0]
92a14905 ["I",{"$int":5}]
92a149a161 ["I",{"$str":"YQ=="}]
92a14980 ["I",{"$map":[]}]
92a14980 ["I",{}]
92a14981a16101 ["I",{"$map":[["a",1]]}]
92a14982a16101a16102 ["I",{"a":1,"a":2}]
92a14901 ["I",{"$msgpack":"AQ=="}]
92a149a4f09f9880 ["I","\ud83d\ude00"]
92a149a100 ["I","\u0000"]
92a149a65c7564383030 ["I","\\ud800"]
E
is "$(printf '\n  \n["Z"]\r\n\t\n["Y"]' | pgcdc-cat --pack | hex)" 91a15a91a159 \
    'blank lines are skipped, the last line needs no newline'
is "$(pgcdc-cat --pack </dev/null | hex)" '' 'no line is no frame'

# Nesting that only memory bounds.
"$PYTHON" -c 'print("[\"I\"," + "[" * 300000 + "]" * 300000 + "]")' >"$T/deep.json"
pgcdc-cat --pack "$T/deep.json" >"$T/deep.frames"
is "$(wc -c <"$T/deep.frames")" 300003 'packs what is nested deep'
pgcdc-cat "$T/deep.frames" | jq -c . | pgcdc-cat --pack >"$T/back"
same "$T/back" "$T/deep.frames" 'and prints it so that jq takes it'

# What is wrong, and where.
refuses() {	# refuses PATTERN LINE: printf's escapes work
	# shellcheck disable=SC2059
	printf "[\"Z\"]\n\n$2\n[\"Y\"]\n" >"$T/bad.json"
	pgcdc-cat --pack "$T/bad.json" >"$T/out" 2>"$T/err"
	is "$? $(hex <"$T/out")" '100 91a15a' "refuses $2"
	like "$(cat "$T/err")" "bad.json:3: .*$1" 'and says why'
}
while read -r pattern json; do
	refuses "$pattern" "$json"
done <<'E'
no.array {"a":1}
no.array "H"
no.array 12
one-letter [1]
one-letter ["HH"]
one-letter ["1"]
one-letter [["H"]]
empty []
more.than.one ["H"] ["H"]
. ["H"]]
. ["H",]
. ["H",NaN]
. ["H",01]
. nonsense
on.its.line ["H"
on.its.line ["H",{"a":
LSN ["C","1"]
LSN ["M","p","","x"]
\$int ["I",{"$int":"1.5"}]
\$int ["I",{"$int":1.5}]
\$int ["I",{"$int":""}]
\$int ["I",{"$int":"-"}]
\$int ["I",{"$int":null}]
64.bits ["I",{"$int":"18446744073709551616"}]
64.bits ["I",{"$int":"-9223372036854775809"}]
64.bits ["I",18446744073709551616]
\$float ["I",{"$float":"inf"}]
\$float ["I",{"$float":"0x1"}]
\$float ["I",{"$float":"1 "}]
\$float ["I",{"$float":"1e"}]
\$float ["I",{"$float":""}]
\$float ["I",{"$float":[]}]
beyond ["I",{"$float":"1e999"}]
beyond ["I",-1e999]
\$bin ["I",{"$bin":"A"}]
\$bin ["I",{"$bin":"AB=="}]
\$bin ["I",{"$bin":"AA=A"}]
\$bin ["I",{"$bin":"A==="}]
\$bin ["I",{"$bin":"===="}]
\$bin ["I",{"$bin":"AAA_"}]
\$bin ["I",{"$bin":5}]
\$str ["I",{"$str":"!"}]
\$json ["I",{"$json":{}}]
\$absent ["I",{"$absent":false}]
\$absent ["I",{"$absent":1}]
\$ext ["I",{"$ext":[1]}]
\$ext ["I",{"$ext":[200,""]}]
\$ext ["I",{"$ext":["1",""]}]
\$ext ["I",{"$ext":[1.0,""]}]
\$ext ["I",{"$ext":[1,"",2]}]
\$ext ["I",{"$ext":[1,"A"]}]
\$map ["I",{"$map":{}}]
\$map ["I",{"$map":[1]}]
\$map ["I",{"$map":[[1]]}]
\$map ["I",{"$map":[[1,2,3]]}]
\$msgpack ["I",{"$msgpack":""}]
\$msgpack ["I",{"$msgpack":"kQ=="}]
\$msgpack ["I",{"$msgpack":"AQE="}]
\$msgpack ["I",{"$msgpack":"wQ=="}]
no.tag ["I",{"$nope":1}]
second.key ["I",{"$int":"1","a":2}]
beside.others ["I",{"a":1,"$int":"1"}]
surrogate ["I","\\ud800"]
surrogate ["I","\\udc00x"]
surrogate ["I","\\ud83d\\u0041"]
surrogate ["I",{"\\ud83dx":1}]
UTF-8 ["I","\377"]
UTF-8 ["I","\355\240\200"]
UTF-8 ["I",{"\300\200":1}]
E

exits 100 'what is no frame is refused' sh -c 'echo text | pgcdc-cat'
like "$(cat "$T/err")" 'no array.* offset=0' 'with its offset'
exits 100 'also behind frames' sh -c 'printf "\221\241Z\221\241Y\222\241I\301" | pgcdc-cat'
like "$(cat "$T/err")" 'not MessagePack.* offset=6' 'with its offset'
is "$(cat "$T/out")" '["Z"]
["Y"]' 'and what came before is printed'

# Cut anywhere, by bytes: 111, the complete frames, and the offset of the one that is not.
"$PYTHON" - "$T" >"$T/cuts" 2>&1 <<'E'
import json, subprocess, sys
def run(args, data):
    r = subprocess.run(["pgcdc-cat"] + args, input=data, capture_output=True)
    return r.returncode, r.stdout, r.stderr.decode()
frames = [b"\x91\xa1Z", bytes.fromhex("94a142cf00000016b374d84807c0"), b"\x92\xa1I\xd9\x20" + b"x" * 32]
ends, all = [0], b"".join(frames)
for f in frames:
    ends.append(ends[-1] + len(f))
lines = run([], all)[1]
for n in range(len(all) + 1):
    whole = max(e for e in ends if e <= n)
    want = b"".join(lines.splitlines(True)[:ends.index(whole)])
    code, out, err = run([], all[:n])
    assert out == want, (n, out)
    assert code == (0 if whole == n else 111), (n, code)
    assert whole == n or "offset=%d\n" % whole in err, (n, err)
text = b'["Z"]\n["I","\\ud83d\\ude00\\u00e9",[1,{"$bin":"AAAA"}]]'
for n in range(len(text) + 1):
    code, out, err = run(["--pack"], text[:n])
    whole = n in (0, 5, 6, len(text))
    assert code == (0 if whole else 111), (n, code, err)
    assert out[:3] == (b"" if n < 5 else b"\x91\xa1Z"), (n, out)
    assert whole or ("stdin:%d: the input ends" % (1 if n < 5 else 2)) in err, (n, err)
print("good")
E
is "$(tail -n 1 "$T/cuts")" good 'an input cut at any byte is 111, and names the place'

# The output.
FRAMES=$T/random.frames
pgcdc-cat "$FRAMES" >"$T/random.json"
for input in "$FRAMES" "--pack $T/random.json"; do
	# shellcheck disable=SC2016
	exits 111 'a full disk is 111' sh -c 'exec pgcdc-cat $1 >/dev/full' - "$input"
	like "$(cat "$T/err")" 'No space left' 'and is said'
done
exits 111 'also with little to write' sh -c 'printf "\221\241Z" | pgcdc-cat >/dev/full'
exits 111 'also for -V' sh -c 'pgcdc-cat -V >/dev/full'
exits 111 'a closed output is 111' sh -c 'printf "\221\241Z" | pgcdc-cat >&-'
exits 111 'a closed input is 111' sh -c 'pgcdc-cat <&-'
{
	pgcdc-cat "$FRAMES" 2>"$T/err"
	echo $? >"$T/status"
} | true
is "$(cat "$T/status")" 111 'a reader that stopped is 111'
like "$(cat "$T/err")" 'reader is gone' 'and is said'

# Named pipes: what is written into the one is seen to come out of the other.
mkfifo "$T/in" "$T/out.fifo"
: >"$T/seen"
watch() {	# watch OPTION...: starts pgcdc-cat, $CAT_PID
	: >"$T/seen"
	cat "$T/out.fifo" >"$T/seen" &
	SEEN_PID=$!
	# shellcheck disable=SC2016
	bg cat sh -c 'exec 2>"$1"; in=$2 out=$3; shift 3; exec pgcdc-cat "$@" <"$in" >"$out"' \
	    - "$T/err" "$T/in" "$T/out.fifo" "$@"
	CAT_PID=$BG_PID
	exec 7>"$T/in"
}
send() {	# send BYTES: printf's escapes work
	# shellcheck disable=SC2059
	(
		trap '' PIPE
		printf "$1" >&7
	) 2>/dev/null
}
seen() {
	[ "$(hex <"$T/seen")" = "$1" ]
}
watch
send '\221\241Z\221'
wait_for 'a frame is shown when it has come, and no part of the next' 10 \
    seen "$(printf '["Z"]\n' | hex)"
send '\241Y'
wait_for 'and the next when it is whole' 10 seen "$(printf '["Z"]\n["Y"]\n' | hex)"
kill "$CAT_PID"
# The signal has come when the next frame has; it changes nothing.
send '\221\241X'
wait_for 'TERM does not end it while a pipe is read' 10 seen \
    "$(printf '["Z"]\n["Y"]\n["X"]\n' | hex)"
kill "$CAT_PID"
wait_exit 'a second TERM does, with 111' 10 "$CAT_PID" 111
exec 7>&-
wait "$SEEN_PID"

watch --pack
send '["Z"]\n["Y"'
wait_for 'a line is packed when it has come' 10 seen 91a15a
send ']\n'
wait_for 'and the next one' 10 seen 91a15a91a159
kill "$CAT_PID"
exec 7>&-
wait_exit 'after a TERM the end of input is the end, with 0' 10 "$CAT_PID" 0
wait "$SEEN_PID"

for option in '' --pack; do
	watch ${option:+$option}
	pack '["Z"]' | if [ -n "$option" ]; then pgcdc-cat; else cat; fi >&7
	wait_for 'it is connected' 10 test -s "$T/seen"
	kill "$SEEN_PID"
	wait "$SEEN_PID" 2>/dev/null
	wait_exit "a reader that goes is noticed while nothing is written: 111 $option" 10 \
	    "$CAT_PID" 111
	exec 7>&-
done

tail -c +1 -f "$FRAMES" >"$T/in" &
TAIL_PID=$!
watch
exec 7>&-
wait_for 'a file that grows is followed' 10 cmp -s "$T/seen" "$T/random.json"
printf '\221\241Z' >>"$FRAMES"
echo '["Z"]' >>"$T/random.json"
wait_for 'and what it grows by is seen' 10 cmp -s "$T/seen" "$T/random.json"
kill "$TAIL_PID"
wait_exit 'to its end' 10 "$CAT_PID" 0

# A file is not waited for: its output stands still, for nobody reads it.
for _ in 1 2 3 4 5 6 7 8 9 10; do cat "$FRAMES"; done >"$T/large.frames"
# shellcheck disable=SC2217
sleep 60 <"$T/out.fifo" &
SLEEP_PID=$!
# shellcheck disable=SC2016
bg file sh -c 'exec pgcdc-cat "$1" >"$2"' - "$T/large.frames" "$T/out.fifo"
full() {
	grep -q 'poll' "/proc/$BG_PID/wchan" || [ "$(cat "/proc/$BG_PID/wchan")" = 0 ] &&
	    grep -q '^State:.*sleeping' "/proc/$BG_PID/status"
}
wait_for 'a full pipe is waited for' 10 full
kill "$BG_PID"
wait_exit 'TERM ends it at once while a file is read: 111' 10 "$BG_PID" 111
like "$(cat "$T/file.log")" 'signal' 'and it says why'
kill "$SLEEP_PID"

# Who comes after it on the same pipe finds it blocking.
{
	pgcdc-cat "$FRAMES"
	"$PYTHON" -c 'import fcntl, os; print(fcntl.fcntl(1, fcntl.F_GETFL) & os.O_NONBLOCK)'
} | tail -n 1 >"$T/flags"
is "$(cat "$T/flags")" 0 'the output blocks again afterwards'

# Names and options.
printf '\221\241Z' >"$T/-z"
printf '\221\241Y' >"$T/y"
is "$(cd "$T" && printf '\221\241I' | pgcdc-cat y - -- -z | tr -d '\n')" '["Y"]["I"]["Z"]' \
    'files in their order, - is standard input, -- ends options'
exits 100 'a file that is not there is 100' pgcdc-cat "$T/y" "$T/nowhere"
like "$(cat "$T/out" "$T/err")" 'Y' 'what came before is printed'
like "$(cat "$T/err")" 'nowhere.*No such file' 'and it is named'
exits 100 'a directory is 100' pgcdc-cat "$T"
exits 100 'an unknown option is 100' pgcdc-cat --nonsense
like "$(cat "$T/err")" '^usage: pgcdc-cat' 'with the usage'
exits 0 '-h is 0' pgcdc-cat -h
like "$(cat "$T/out")" '^usage: pgcdc-cat .*--pack' 'and prints the usage'
exits 0 '-V is 0' pgcdc-cat -V
like "$(cat "$T/out")" '^pgcdc-cat [0-9]+\.[0-9]+' 'and prints the version'
exits 0 'a stream without E is no error' pgcdc-cat -v "$T/y"
like "$(cat "$T/err")" 'debug .*end with E' 'but is said with -v'
PGCDC_LOG=json pgcdc-cat "$T/nowhere" 2>"$T/err"
is "$(jq -r .file "$T/err")" "$T/nowhere" 'PGCDC_LOG=json logs JSON'

# Large values.
"$PYTHON" - "$T" >"$T/large" 2>&1 <<'E'
import os, resource, subprocess, sys
size = 60 << 20
os.chdir(sys.argv[1])
with open("big.frames", "wb") as f:
    f.write(b"\x92\xa1I\xdb" + size.to_bytes(4, "big") + b"x" * (size // 2) + b'"\xc3\xa9\n' * (size // 8))
    f.write(b"\x92\xa1I\xc6" + size.to_bytes(4, "big") + b"\xff" * size)
def run(args, stdin, stdout):
    pid = os.fork()
    if pid == 0:
        os.dup2(os.open(stdin, os.O_RDONLY), 0)
        os.dup2(os.open(stdout, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666), 1)
        os.execvp("pgcdc-cat", ["pgcdc-cat"] + args)
    _, status, usage = os.wait4(pid, 0)
    assert status == 0, status
    print(args, usage.ru_maxrss >> 10, "MiB")
    return usage.ru_maxrss << 10
# Sanitizers take much of their own.
more = 1 << 40 if "PGCDC_TEST_SANITIZED" in os.environ else 8 << 20
assert run([], "big.frames", "big.json") < 1.3 * size + more
assert run(["--pack"], "big.json", "big.back") < 4 * size + more
assert subprocess.call(["cmp", "big.frames", "big.back"]) == 0
print("good")
E
is "$(tail -n 1 "$T/large")" good 'frames of 60 MiB come back, in memory that follows them' ||
    diag <"$T/large"
rm -f "$T"/big.*

# What the pages show.
block() {	# block PAGE NAME: the example that a comment before it names
	awk -v name="$2" '
	/^\.\\" example / { found = $3 == name; next }
	/^\.Bd/ { inside = found; next }
	/^\.Ed/ { inside = found = 0 }
	inside { gsub(/\\e/, "\\"); print }' "$TOP/man/$1"
}
for name in rows actions others; do
	block pgcdc-frame.5 "$name" >"$T/$name.json"
	pgcdc-cat --pack "$T/$name.json" >"$T/$name.frames"
	pgcdc-cat "$T/$name.frames" >"$T/$name.back"
	ok "pgcdc-frame(5) has lines: $name" test -s "$T/$name.json"
	same "$T/$name.back" "$T/$name.json" 'and they come back as they are'
done
bytes=$(block pgcdc-frame.5 bytes | tr -d ' ')
is "$(head -c $((${#bytes} / 2)) "$T/rows.frames" | hex)" "$bytes" 'and its bytes'
grep -o '^\.It {.*} Ta' "$TOP/man/pgcdc-frame.5" | sed 's/^.It //; s/ Ta$//; s/\\(dq/"/g; s/\\e/\\/g' |
    sed 's/.*/["I",&]/' >"$T/tags.json"
is "$(wc -l <"$T/tags.json")" 9 'its tags'
pgcdc-cat --pack "$T/tags.json" | pgcdc-cat >"$T/tags.back"
# The page names plain examples of the tags that nothing plain needs.
is "$(grep -vF '[null]' "$T/tags.back")" "$(grep -v msgpack "$T/tags.json")" 'come back, too'
is "$(grep -c '\[null\]' "$T/tags.back")" 1 'and msgpack is what it holds'

cp "$T/rows.frames" "$T/shop.frames"
for name in count rows messages; do
	block pgcdc-cat.1 "$name" >"$T/block"
	grep '^\$ ' "$T/block" | cut -c 3- >"$T/script"
	is "$(cd "$T" && sh ./script 2>&1)" "$(grep -v '^\$ ' "$T/block")" "pgcdc-cat(1)'s $name"
done

# The example mappers do what the tutorial's mapping does.
cat >"$T/case.json" <<'E'
["H",{"v":1,"run":"5d7c9f","from":"test"}]
["B","0/16B3748",1763863323456789,742]
["R",16385,"public","users","f",[["id","int4",23,-1,true],["name","text",25,-1,true],["created_on","timestamptz",1184,-1,true]],[0]]
["R",16390,"public","books","f",[["id","int4",23,-1,true]],[0]]
["I",16385,[1,"Ann \"é\u0001\\","2026-11-23T01:02:03Z"]]
["I",16390,[1]]
["U",16385,[1,"Bea",null],[1,"Ann",null]]
["U",16385,[2,"Bea",null],[1,"Bea",null]]
["U",16385,[2,"Cy",null],null]
["U",16385,[3,"Cy",null],[2,{"$absent":true},{"$absent":true}]]
["U",16385,[3,{"$absent":true},null],null]
["D",16385,[3,{"$absent":true},{"$absent":true}]]
["S",16385,[9,"Zoe",null]]
["M","p",{"$bin":"AA=="},"0/16B3700",true]
["C","0/16B3808",1]
["T",[16385,16390],false,true]
["z",{"$int":"9007199254740993"},{"$float":"1"},{"$json":"1.0"},{"$ext":[5,""]}]
["E","0/16B3808","endpos"]
E
cat >"$T/case.want" <<'E'
["X","index",16385,"users","1",null,null,{"id":1,"name":"Ann \"é\u0001\\","created_on":"2026-11-23T01:02:03Z"}]
["X","index",16385,"users","1",null,null,{"id":1,"name":"Bea","created_on":null,"old_name":"Ann"}]
["X","delete",16385,"users","1",null,null,null]
["X","index",16385,"users","2",null,null,{"id":2,"name":"Bea","created_on":null,"old_name":"Bea"}]
["X","index",16385,"users","2",null,null,{"id":2,"name":"Cy","created_on":null,"old_name":null}]
["X","delete",16385,"users","2",null,null,null]
["X","index",16385,"users","3",null,null,{"id":3,"name":"Cy","created_on":null,"old_name":null}]
["X","reject",16385,"users","3",null,null,null]
["X","delete",16385,"users","3",null,null,null]
["X","index",16385,"users","9",null,null,{"id":9,"name":"Zoe","created_on":null}]
E
pgcdc-cat --pack "$T/case.json" >"$T/case.frames"
mapper_py() {
	"$PYTHON" "$TOP/examples/mapper.py"
}
mapper_jq() {
	pgcdc-cat | jq -c --unbuffered -f "$TOP/examples/mapper.jq" | pgcdc-cat --pack
}
mapper_itself() {
	# The other two know no better than to reject it.
	sed '$a\    toast: reject' "$TOP/examples/tutorial/mapping.yml" >"$T/m.yml"
	pgcdc-map -m "$T/m.yml" 2>"$T/err"
}
for mapper in mapper_py mapper_jq mapper_itself; do
	$mapper <"$T/case.frames" >"$T/mapped"
	is "$(pgcdc-cat "$T/mapped" | jq -c 'select(.[0] == "X") |
	    .[7] = if .[1] == "index" then .[7] | fromjson else null end')" \
	    "$(jq -c . "$T/case.want")" "$mapper makes the tutorial's actions"
	pgcdc-cat "$T/mapped" | grep -v '^\["[Xs]"' >"$T/passed"
	grep -v '^\["[IUDST]"' "$T/case.json" >"$T/others"
	same "$T/passed" "$T/others" 'and passes on everything else'
done

done_testing
