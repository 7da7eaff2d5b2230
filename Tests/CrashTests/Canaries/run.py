"""Runs the campaigns against builds in which one safety rule is missing: see canary-run.sh."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path.cwd()
DECLARATIONS = ROOT / "Tests/CrashTests/Canaries/canaries.json"
# Ignored by git, and kept, so that the next run builds only what has changed since.
FOLDER = ROOT / ".build-canaries"
SOURCE, SCRATCH, LOGS = FOLDER / "source", FOLDER / "build", FOLDER / "logs"
# What tests of the project listen to: a campaign runs with what its canary declares, and nothing else.
PREFIX = "TALLY_"


def tracked_files():
    """The files of the working tree as they are, committed or not."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        check=True, capture_output=True,
    ).stdout.split(b"\0")
    names = {os.fsdecode(name) for name in listed if name}
    # Not tracked, but without it other versions of dependencies might be built.
    return sorted(name for name in names | {"Package.resolved"} if (ROOT / name).is_file())


def write_if_changed(path, content, mode):
    """Leaves the time of an unchanged file alone, so that it is not compiled again."""
    if not path.is_file() or path.read_bytes() != content:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    path.chmod(mode)


def copy_tree(edits):
    """Makes the copy equal to the working tree, but for the edits."""
    names = tracked_files()
    for path in [path for path in SOURCE.rglob("*") if path.is_file()]:
        if str(path.relative_to(SOURCE)) not in names:
            path.unlink()
    edited = {}
    for edit in edits:
        name = edit["file"]
        text = edited[name] if name in edited else (ROOT / name).read_text()
        if text.count(edit["old"]) != 1:
            raise SystemExit(f"{name} holds {text.count(edit['old'])} times: {edit['old']}")
        edited[name] = text.replace(edit["old"], edit["new"])
    for name in names:
        original = ROOT / name
        content = edited[name].encode() if name in edited else original.read_bytes()
        write_if_changed(SOURCE / name, content, original.stat().st_mode & 0o777)


def run(words, log, variables=None):
    """Runs a command whose output goes to a file: its exit code."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(PREFIX)}
    environment.update(variables or {})
    with open(log, "wb") as output:
        return subprocess.run(
            words, cwd=SOURCE, env=environment, stdout=output, stderr=subprocess.STDOUT
        ).returncode


def build(log):
    return run(["swift", "build", "--build-tests", "--scratch-path", str(SCRATCH)], log)


def run_campaign(canary, log):
    words = ["swift", "test", "--skip-build", "--scratch-path", str(SCRATCH)]
    return run(words + ["--filter", canary["filter"]], log, canary["environment"])


def key(canary):
    return (canary["filter"], tuple(sorted(canary["environment"].items())))


def control(canaries):
    """Runs the campaigns with every rule in place: what fails then says nothing about a canary."""
    copy_tree([])
    log = LOGS / "control-build.log"
    if build(log) != 0:
        raise SystemExit(f"the unchanged tree does not build: see {log}")
    passed = {}
    for canary in canaries:
        if key(canary) in passed:
            continue
        log = LOGS / f"control-{len(passed) + 1}.log"
        passed[key(canary)] = run_campaign(canary, log) == 0
        told = "passes" if passed[key(canary)] else f"FAILS: see {log}"
        print(f"every rule in place: {canary['campaign']} {told}", flush=True)
    return passed


def try_canary(canary):
    """What the campaign makes of a build without the rule: whether it is caught, and how that shows."""
    copy_tree(canary["edits"])
    log = LOGS / f"{canary['name']}-build.log"
    if build(log) != 0:
        return False, f"does not build: see {log}"
    log = LOGS / f"{canary['name']}.log"
    code = run_campaign(canary, log)
    printed = log.read_text(errors="replace")
    if code == 0:
        return False, "the campaign passes"
    found = re.search(canary["finds"], printed)
    if not found:
        return False, f"the campaign fails for another reason: see {log}"
    return True, found.group(0)[:100]


def main():
    canaries = json.loads(DECLARATIONS.read_text())
    names = sys.argv[1:]
    unknown = set(names) - {canary["name"] for canary in canaries}
    if unknown:
        raise SystemExit(f"there is no canary {', '.join(sorted(unknown))}")
    chosen = [canary for canary in canaries if not names or canary["name"] in names]
    shutil.rmtree(LOGS, ignore_errors=True)
    LOGS.mkdir(parents=True)
    passed = control(chosen)
    rows = []
    for canary in chosen:
        started = time.monotonic()
        caught, told = try_canary(canary)
        if not passed[key(canary)]:
            caught, told = False, "the campaign fails with every rule in place, too"
        rows.append((canary["name"], canary["campaign"], "caught" if caught else "MISSED", told))
        print(f"{canary['name']}: {rows[-1][2]}, {int(time.monotonic() - started)} s", flush=True)
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    print()
    for row in rows:
        print("  ".join([row[column].ljust(widths[column]) for column in range(3)] + [row[3]]))
    missed = [row[0] for row in rows if row[2] != "caught"]
    print(f"{len(rows) - len(missed)} of {len(rows)} canaries were caught")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
