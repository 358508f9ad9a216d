#!/bin/sh
#
# esbulk-write in chaos: requests that fail in every way, restarts of the cluster, kill -9,
# stops, a reader that dies, all at random and mixed, while a workload with hot documents
# comes in floods and trickles.  In the end the stand-in holds what the model does, no ack
# ran ahead of what was stored, and the order per document held.
#
# Takes 20 seconds and the time to drain, LONG=1 five minutes, CHAOS_SECONDS=n so many.
# SEED=n spends them on one seed.  Times differ from run to run, so that a seed that failed
# may have to be tried several times; KEEP=1 keeps the logs.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

if [ -n "${CHAOS_SECONDS:-}" ]; then
	seconds=$CHAOS_SECONDS
elif [ -n "${LONG:-}" ]; then
	seconds=300
else
	seconds=20
fi
# A seed runs for 5 seconds, in five minutes for 12.
each=5
[ "$seconds" -lt 300 ] || each=12
if [ -n "${SEED:-}" ]; then
	seeds=$SEED each=$seconds
else
	seeds=$(seq 1 $(((seconds + each - 1) / each)))
fi

# chaos SEED: odd seeds have an index of one shard, where routing does not tell documents
# apart; every third leaves out what has no version, and starts a new writer at once.
chaos() {
	set -- "$1" --plain
	[ $(($1 % 3)) -ne 0 ] || set -- "$1"
	dir=$T/$1
	mkdir "$dir"
	standin_start --shards $((5 - $1 % 2 * 4)) --seed "$1" --gc-deletes-ms 3600000 \
	    --port 0 --unix "$dir/node" --log "$dir/items"
	# shellcheck disable=SC2086
	"$PYTHON" "$TOP/tests/chaos.py" --seed "$1" --seconds "$each" --standin "$STANDIN_URL" \
	    --unix "$dir/node" --log "$dir/items" --dir "$dir" --hits "$T/hits" \
	    ${2:+"$2"} esbulk-write >"$dir/report" 2>"$dir/log"
	ran=$?
	kill "$STANDIN_PID"
	cat "$dir/report" >>"$T/reports"
}

# none KIND DESCRIPTION: a check that nothing of the kind was found wrong.
none() {
	grep "^$1: " "$dir/report" >"$T/found"
	is "$(head -n 5 "$T/found" | cut -c 1-500)" '' "seed $seed: $2"
}

# total NAME: over all seeds.
total() {
	awk -v name="$1" '$1 == "count" && $2 == name { n += $3 } END { print n + 0 }' "$T/reports"
}

# The first seed that fails is enough.
for seed in $seeds; do
	[ "$_failed" -eq 0 ] || break
	chaos "$seed"
	none early 'no ack ran ahead'
	none protocol 'the acks are in order'
	none order 'the order per document held'
	none exit 'the writer ended as it must'
	none differs 'the end state equals the model'
	is "$ran" 0 "seed $seed: all of it was looked at"
	diag "$(sed -n 's/^count //p' "$dir/report" | tr '\n' ',')"
	if [ "$_failed" -gt 0 ]; then
		tail -n 5 "$dir/log" "$dir/writer.log" | cut -c 1-400 | diag
		diag "alone: SEED=$seed KEEP=1 CHAOS_SECONDS=$each prove tests/4a-write-chaos.t"
	else
		rm -r "$dir"
	fi
done

# All of it really happened, given the time.
if [ "$seconds" -ge 20 ] && [ -z "${SEED:-}" ] && [ "$_failed" -eq 0 ]; then
	while read -r hits name; do
		ok "$name: $hits times" [ "$hits" -gt 0 ]
	done <"$T/hits"
	for what in units acks runs again full empty index delete reroute merge move plain rejected \
	    truncate conflicts; do
		ok "$what: $(total "$what")" [ "$(total "$what")" -gt 0 ]
	done
fi
done_testing
