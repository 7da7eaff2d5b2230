#!/usr/bin/env bash
# datasette.sh [TALLY]: runs every question of Examples/Datasette/metadata.json in Datasette, on a store with all that
# they ask for. Datasette is installed from PyPI into a folder of its own. Exits 1 where a question fails.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
tally=${1:-$root/.build/debug/tally}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet 'datasette==0.65.5'
cd "$folder"
"$tally" init events.db > init.json
"$tally" ingest events.db "$root/fixtures/events/websocket.ndjson" --origin websocket --actor ann > a.json
"$tally" ingest events.db "$root/fixtures/events/realtime.ndjson" --origin realtime --complete-through end > b.json
"$tally" reconcile events.db > reconcile.json || test $? = 1
"$tally" conflicts resolve events.db 1 --take realtime --actor ann --reason 'a test' > resolve.json

python3 - "$root/Examples/Datasette/metadata.json" <<'PYTHON'
import json
import subprocess
import sys

queries = json.load(open(sys.argv[1]))["databases"]["events"]["queries"]
parameters = "source=%2Fpayments&event_id=evt-1&origin=realtime&actor=ann&input=x&time=2999-01-01T00:00:00Z"
failed, answered = 0, 0
for name in queries:
    done = subprocess.run(
        ["venv/bin/datasette", "--get", f"/events/{name}.json?_shape=array&{parameters}", "events.db",
         "--metadata", sys.argv[1], "--setting", "sql_time_limit_ms", "10000"],
        capture_output=True, text=True)
    try:
        rows = json.loads(done.stdout)
    except ValueError:
        rows = None
    if not isinstance(rows, list):
        failed += 1
        print(f"{name}: {done.stdout[:300]}{done.stderr[-300:]}")
    else:
        answered += bool(rows)
print(f"{len(queries)} questions, {answered} with rows, {failed} failed")
sys.exit(failed > 0 or answered < 8)
PYTHON
