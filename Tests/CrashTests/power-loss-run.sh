#!/usr/bin/env bash
# power-loss-run.sh [STATES] [SEED]: cuts the power in a million states of all workloads, in a release build. Another
# number of states and a seed may be given; the seed is printed with each failure.
set -euo pipefail
cd "$(dirname "$0")/../.."
export TALLY_POWER_LOSS_STATES="${1:-1000000}"
export TALLY_POWER_LOSS_SEED="${2:-$RANDOM$RANDOM}"
swift test -c release -Xswiftc -enable-testing --scratch-path .build-campaign --filter PowerLossTests
