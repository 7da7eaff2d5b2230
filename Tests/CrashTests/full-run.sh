#!/usr/bin/env bash
# The kill tests with 200 kills each of ingest and replay, and 40 of the other interruptions.
set -euo pipefail
cd "$(dirname "$0")/../.."
TALLY_KILLS=200 swift test --filter KillTests
