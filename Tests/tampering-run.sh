#!/usr/bin/env bash
# The campaigns in full: 2,000 changes, 2,000 damages, 2,000 stores that nobody touched. A seed may be given, and what to
# pass to swift test: Tests/tampering-run.sh 42 -c release -Xswiftc -enable-testing
set -euo pipefail
cd "$(dirname "$0")/.."
seed="${1:-$(date +%s)}"
shift || true
echo "seed $seed"
TALLY_SEED="$seed" TALLY_CHANGES=2000 TALLY_DAMAGES=2000 TALLY_UNTAMPERED=2000 \
    nice swift test "$@" --filter 'TamperingTests|FileDamageTests|UntamperedTests'
