#!/usr/bin/env bash
# Builds and runs a package that depends on Tallystick beside GRDB and a CSQLite of its own, and the README's program
# in it.
set -euo pipefail
cd "$(dirname "$0")"
scratch=$PWD/../../.build-package-user
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

mkdir -p Sources/ReadmeExample
awk '/^## In a program/ { found = 1 } found && /^```$/ { exit } inside { print } found && /^```swift$/ { inside = 1 }' \
    ../../README.md > Sources/ReadmeExample/main.swift
grep -q 'import Tallystick' Sources/ReadmeExample/main.swift || { echo "the README has no program"; exit 1; }

swift build --scratch-path "$scratch"
"$scratch/debug/PackageUser"
# From an empty folder, and again: the second run finds what the first one stored.
for expected in $'0 order.placed\n1 2 true' $'0 order.placed\n0 2 true'; do
    output=$(cd "$folder" && "$scratch/debug/ReadmeExample")
    [ "$output" = "$expected" ] || { echo "the README's program printed: $output"; exit 1; }
done
echo "the README's program works"
