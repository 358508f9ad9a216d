#!/bin/sh
# What a server really sent, and what fuzzing has found (tests/fuzz), through the fuzz targets:
# they end by a signal when a promise is broken.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
corpus=$TOP/tests/fuzz/corpus

for target in pgoutput frame ack map_json map_expr map_mapping map_frames write_answer \
    write_actions; do
	for file in "$corpus/$target"/*; do
		ok "$target: ${file##*/}" "$BUILD/tests/fuzz-$target" "$file"
	done
done
is "$("$BUILD/tests/fuzz-pgoutput" "$corpus"/pgoutput/*-1 "$corpus"/pgoutput/*-stream 2>&1)" '' \
    'the decoder takes all that a server sent'

# A pgoutput message that is none, and a file that is not there.
printf '\0\0\1?' >"$T/none"
like "$("$BUILD/tests/fuzz-pgoutput" "$T/none" 2>&1)" "^$T/none: " 'and says what it refused'
exits 2 'a file that is missing is an error' "$BUILD/tests/fuzz-frame" "$T/missing"

done_testing
