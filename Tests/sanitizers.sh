#!/usr/bin/env bash
# sanitizers.sh [thread|address]…: the tests under the thread and the address sanitizer. What the tests expect of
# memory and kills holds without them only, so CrashTests and the hostile statements of the command line are left out.
set -euo pipefail
cd "$(dirname "$0")/.."
[ $# -gt 0 ] || set -- thread address
# The campaigns repeat the same work with other values: fewer of them show a sanitizer what they run.
export TALLY_CHANGES=60 TALLY_DAMAGES=20 TALLY_UNTAMPERED=20 TALLY_DECISIONS=100 TALLY_MUTATIONS=2000
# A few tests at a time: with all of them at once each is so slow that what waits for a lock gives up.
export SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH=4
export SWIFT_BACKTRACE=enable=no TSAN_OPTIONS="halt_on_error=1 atexit_sleep_ms=0" ASAN_OPTIONS="detect_leaks=0:suppressions=$PWD/Tests/asan-suppressions.txt"
for sanitizer in "$@"; do
    swift test --sanitize="$sanitizer" --scratch-path ".build-$sanitizer" --skip 'CrashTests|CLITests.HostileQueryTests|BadInputTests/longLine'
done
