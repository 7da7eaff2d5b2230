#!/usr/bin/env bash
# The tampering and damage campaigns with 2,000 changes each; a seed may be given: Tests/tampering-run.sh 42
set -euo pipefail
cd "$(dirname "$0")/.."
seed="${1:-$(date +%s)}"
echo "seed $seed"
TALLY_SEED="$seed" TALLY_CHANGES=2000 TALLY_DAMAGES=2000 swift test --filter 'TamperingTests|FileDamageTests'
