#!/bin/sh
# A cluster that answers nonsense: hostile-cluster.py tells how.
#
# LONG=1: 1000 seeds; SEED=n that one.

# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

if [ -n "${LONG:-}" ]; then
	seeds=$(seq 1 1000)
else
	seeds=$(seq 1 40)
fi
# shellcheck disable=SC2086
"$PYTHON" "$TOP/tests/hostile-cluster.py" ${SEED:-$seeds} >"$T/tap" 2>"$T/err"
is $? 0 'the writer bears a cluster that answers nonsense' || cat "$T/tap" "$T/err" | diag
diag <"$T/tap"
done_testing
