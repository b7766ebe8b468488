#!/bin/bash
# Runs a command on a shifted clock: whatever it starts lives at another moment, where seconds pass as ever.
#
#   tests/live/shifted.sh WHEN COMMAND [ARGUMENT...]
#
# For instance the demo on a Friday night, or the tests while a leap day ends:
#
#   ONCE=1 tests/live/shifted.sh 'friday 23:50' make demo
#   tests/live/shifted.sh '2028-02-29 23:55' make fast
#
# WHEN is what `date --date` reads. Needs a C compiler: libfaketime is built from its PyPI package, because a wait on
# the monotonic clock fails or hangs in the version that Debian 12 has.
set -euo pipefail

test $# -ge 2 || { sed -n 's/^# \{0,1\}//; 2,4p' "$0" >&2; exit 2; }
shift_by=$(($(date --date "$1" +%s) - $(date +%s)))
shift

tools=${XDG_CACHE_HOME:-$HOME/.cache}/changewindow-tests/libfaketime
test -e "$tools" || {
    python3 -m pip install --quiet --no-deps --root-user-action ignore --target "$tools.part" libfaketime==3.0.1
    mv "$tools.part" "$tools"
}
export FAKETIME_DONT_FAKE_MONOTONIC=1 FAKETIME
FAKETIME=$(printf '%+d' "$shift_by")
LD_PRELOAD=$(find "$tools" -name libfaketime.so.1) exec "$@"
