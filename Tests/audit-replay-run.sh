#!/usr/bin/env bash
# Derives 100,000 decisions of all policies under five configurations again, in a release build; another number may be
# given: Tests/audit-replay-run.sh 20000
set -euo pipefail
cd "$(dirname "$0")/.."
TALLY_DECISIONS="${1:-100000}" swift test -c release -Xswiftc -enable-testing --scratch-path .build-campaign \
    --filter AuditReplayCampaignTests
