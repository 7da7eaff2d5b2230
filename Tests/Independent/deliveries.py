#!/usr/bin/env python3
"""Holds what a store says of its deliveries against the files that were ingested.

    deliveries.py STORE FOLDER

Every event and copy that names a run must be the record of that number in the input of that name in FOLDER, and every
input must have the size and SHA-256 that its run recorded. The digest of a finished run's ranges is computed again.
Only Python's standard library; maps are not read, so inputs are CloudEvents. Prints a line for each difference; exits 0
when all agree, 2 otherwise.
"""
import hashlib
import json
import os
import sqlite3
import sys


def records(path):
    """The records of an input: the elements of an array, or the lines that are not blank."""
    with open(path, "rb") as file:
        data = file.read()
    if data.lstrip()[:1] == b"[":
        return json.loads(data)
    found = []
    for line in data.split(b"\n"):
        if line.strip():
            try:
                found.append(json.loads(line))
            except ValueError:
                found.append(None)
    return found


def main():
    store, folder = sys.argv[1:3]
    database = sqlite3.connect(f"file:{store}?mode=ro", uri=True)
    problems, inputs, checked = [], {}, 0

    for run, name, size, digest, count in database.execute(
            "SELECT run, input, bytes, sha256, records FROM ingest_inputs WHERE sha256 IS NOT NULL"):
        path = os.path.join(folder, name)
        if not os.path.exists(path):
            continue
        with open(path, "rb") as file:
            data = file.read()
        inputs[name] = records(path)
        if (len(data), hashlib.sha256(data).hexdigest(), len(inputs[name])) != (size, digest, count):
            problems.append(f"run {run}: {name} is not what was ingested")

    columns = "position, copy_id, source, event_id, origin, run, input, record"
    for position, copy, source, event, origin, run, name, record in database.execute(
            f"SELECT {columns} FROM deliveries WHERE run IS NOT NULL"):
        if name not in inputs:
            continue
        checked += 1
        found = inputs[name][record - 1] if record <= len(inputs[name]) else None
        if not found or (found.get("source"), found.get("id")) != (source, event):
            problems.append(f"position {position}, copy {copy}: record {record} of {name} is another event")
        brought = database.execute(
            "SELECT detail ->> 'origin' FROM audit_trail WHERE audit_sequence = ? AND kind = 'ingest'",
            (run,)).fetchone()
        if not brought or brought[0] != origin:
            problems.append(f"position {position}, copy {copy}: run {run} is not of origin {origin}")

    for sequence, detail in database.execute(
            "SELECT audit_sequence, detail FROM audit_trail WHERE kind = 'ingest'"):
        detail = json.loads(detail)
        if detail["act"] != "finished":
            continue
        run, hasher, count = detail.get("run", sequence), hashlib.sha256(), 0
        for kind, first, number, record, listed, name in database.execute(
                "SELECT kind, first, count, record, records, input FROM delivery_ranges"
                " WHERE run = ? ORDER BY kind, first", (run,)):
            fields = [kind, str(first), str(number), str(record), listed or "", name]
            hasher.update(("\t".join(fields) + "\n").encode())
            count += 1
        if (count, hasher.hexdigest()) != (detail["ranges"], detail["ranges_sha256"]):
            problems.append(f"run {run}: its ranges have another digest")

    for problem in problems:
        print(problem)
    print(f"checked {checked} deliveries")
    return 2 if problems or not checked else 0


sys.exit(main())
