#!/usr/bin/env bash
# Eight processes of all kinds on one store for ten minutes, or for as many seconds as the first word says.
set -euo pipefail
cd "$(dirname "$0")/../.."
export TALLY_BUSY_SECONDS="${1:-600}"
export TALLY_BUSY_SEED="${TALLY_BUSY_SEED:-$RANDOM$RANDOM}"
swift test --filter ConcurrencyTests
