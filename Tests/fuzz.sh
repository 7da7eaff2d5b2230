#!/usr/bin/env bash
# fuzz.sh [SECONDS]: libFuzzer against everything that reads bytes of strangers. The corpus stays in .build-fuzz/corpus.
set -euo pipefail
cd "$(dirname "$0")/.."
export TALLY_FUZZ=1
swift build --sanitize=fuzzer --scratch-path .build-fuzz --product TallystickFuzz
corpus=.build-fuzz/corpus
mkdir -p "$corpus"
split -l 1 -a 4 --numeric-suffixes fixtures/events/malformed.ndjson "$corpus/malformed-"
head -50 fixtures/events/websocket.ndjson | split -l 1 -a 4 --numeric-suffixes - "$corpus/event-"
cp fixtures/projections/*.sql fixtures/events/monitoring.json "$corpus/"
.build-fuzz/debug/TallystickFuzz -max_total_time="${1:-60}" -max_len=4096 -timeout=10 -rss_limit_mb=2048 "$corpus"
