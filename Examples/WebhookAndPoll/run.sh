#!/usr/bin/env bash
# Builds the example, runs it twice on one store, and compares what it prints with expected-output.txt.
set -euo pipefail
cd "$(dirname "$0")"
scratch=$PWD/../../.build-examples
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

swift build --scratch-path "$scratch"
for run in first second; do
    echo "== $run run"
    "$scratch/debug/WebhookAndPoll" "$folder/shop.db"
done > "$folder/output.txt"
diff -u expected-output.txt "$folder/output.txt" || { echo "the example WebhookAndPoll printed something else"; exit 1; }
echo "the example WebhookAndPoll works"
