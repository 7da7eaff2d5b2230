#!/usr/bin/env bash
# canary-run.sh [NAME…]: removes one safety rule of the library after the other, in a copy of the tree, and demands that the
# campaign which guards the rule fails. Canaries/canaries.json declares the rules; names limit the run to some of them.
set -euo pipefail
cd "$(dirname "$0")/../.."
exec python3 Tests/CrashTests/Canaries/run.py "$@"
