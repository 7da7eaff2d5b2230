#!/usr/bin/env bash
# Builds the DocC catalogue from the symbols of the library's debug build (`swift build` comes first), and fails at any
# warning. docc.sh [FOLDER] keeps the built documentation in FOLDER.
set -euo pipefail
cd "$(dirname "$0")/.."
products=$(swift build --show-bin-path)
test -e "$products/Modules/Tallystick.swiftmodule" || { echo "run 'swift build' first"; exit 1; }
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
output=${1:-$folder/Tallystick.doccarchive}

# The module maps of C targets, which the library's modules import.
maps=()
for map in Sources/*/module.modulemap "$products"/*.build/module.modulemap; do
    [ ! -e "$map" ] || maps+=(-Xcc "-fmodule-map-file=$map")
done
target=$(swiftc -print-target-info | python3 -c 'import json, sys; print(json.load(sys.stdin)["target"]["triple"])')

# What Tallystick exports of TallystickStorage is a part of it for users, and so it is for the catalogue.
mkdir "$folder/symbols"
swift symbolgraph-extract -module-name Tallystick -target "$target" -I "$products/Modules" "${maps[@]}" \
    -module-cache-path "$folder/cache" -minimum-access-level public -skip-inherited-docs \
    -experimental-allowed-reexported-modules=TallystickStorage -output-dir "$folder/symbols"

docc convert Sources/Tallystick/Documentation.docc --additional-symbol-graph-dir "$folder/symbols" \
    --fallback-display-name Tallystick --fallback-bundle-identifier tallystick --fallback-default-module-kind Library \
    --warnings-as-errors --output-path "$output"
echo "the documentation builds without warnings"
