#!/usr/bin/env bash
# The kill tests with 200 kills each.
set -euo pipefail
cd "$(dirname "$0")/../.."
TALLY_KILLS=200 swift test --filter CrashTests
