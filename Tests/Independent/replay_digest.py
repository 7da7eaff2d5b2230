#!/usr/bin/env python3
"""Recomputes the digest of what a complete replay consumes, from the SQLite file alone, and prints it.

replay_digest.py STORE apply|rebuild: for projections of either `on-correction`. Only Python's standard library: an independent
reading of the File format article. It trusts the rows, which recompute.py checks.
"""
import sqlite3
import struct
import sys

from recompute import content, sha256


def number(value):
    return struct.pack(">q", value)


def text(value):
    return struct.pack(">I", len(value.encode())) + value.encode()


def chained_digest(data):
    chain = bytes(32)
    while len(data) >= 1024:
        chain, data = sha256(chain + data[:1024]), data[1024:]
    return sha256(chain + data).hex()


def event(row, digest):
    return b"E" + number(row["position"]) + number(row["revision"]) + digest + text(row["stream"])


def correction(row):
    digest = bytes.fromhex(row["content_sha256"]) if row["content_sha256"] else bytes(32)
    head = number(row["position"]) + number(row["resolution_id"])
    return b"C" + head + digest + text(row["decision"])


def main(path, mode):
    database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    database.row_factory = sqlite3.Row
    database.execute("BEGIN")
    events = database.execute("""
        SELECT e.position, s.name AS source, e.event_id AS id, st.name AS stream, e.revision, t.name AS type,
            e.subject, e.time, e.data_content_type AS datacontenttype, e.attributes, e.data
        FROM events e JOIN sources s USING (source_id) JOIN streams st USING (stream_id) JOIN types t USING (type_id)
        ORDER BY e.position""").fetchall()
    decisions = database.execute("""
        SELECT resolution_id, position, after_position, decision, content, content_sha256
        FROM resolutions WHERE position IS NOT NULL ORDER BY resolution_id""").fetchall()
    if mode == "apply":
        # A correction comes right after the event at its `after_position`.
        records = [((r["position"], 0), event(r, sha256(content(r)))) for r in events]
        records += [((r["after_position"], r["resolution_id"]), correction(r)) for r in decisions]
        records = [record for _, record in sorted(records)]
    else:
        counts = {r["position"]: r for r in decisions if r["decision"] != "accept_missing"}
        records = []
        for row in events:
            decision = counts.get(row["position"])
            if decision is not None and decision["decision"] == "exclude":
                records.append(b"X" + number(row["position"]) + number(decision["resolution_id"]))
            elif decision is not None and decision["content"] is not None:
                records.append(event(row, sha256(decision["content"].encode())))
            else:
                records.append(event(row, sha256(content(row))))
    print(chained_digest(b"".join(records)))


if __name__ == "__main__":
    main(*sys.argv[1:])
