#!/usr/bin/env bash
# Every call of every workload fails once with each error; of allocations, one from each stack. A release build of tally,
# because it is run some hundred thousand times. Words after the script limit the workloads: failing-calls-run.sh init backup
set -euo pipefail
cd "$(dirname "$0")/../.."
swift build -c release --product tally
export TALLY_FAILING_PROGRAM="${TALLY_FAILING_PROGRAM:-$PWD/.build/release/tally}"
export TALLY_FAILING_CALLS="${TALLY_FAILING_CALLS:-all}"
export TALLY_FAILING_WORKLOADS="$(IFS=,; echo "$*")"
swift test -c release -Xswiftc -enable-testing --scratch-path .build-campaign --filter FailingCallTests
