#!/usr/bin/env python3
"""Recomputes the content digest of a store from the SQLite file alone, and prints it.

Only Python's standard library: an independent reading of the File format article. It trusts the rows, which recompute.py
checks, and knows no leap seconds and no years that Python does not know.
"""
import datetime
import json
import re
import sqlite3
import struct
import sys

from recompute import canonical, content, quote, raw_members, sha256


class Number(str):
    """A number as it is written."""


def write(value):
    if isinstance(value, dict):
        return canonical({name: write(member) for name, member in value.items()})
    if isinstance(value, list):
        return "[" + ",".join(map(write, value)) + "]"
    if isinstance(value, Number):
        return str(value)
    return quote(value) if isinstance(value, str) else json.dumps(value)


def without(value, pointers):
    """A value less the places that pointers name, each a list of tokens."""
    def below(token):
        return [pointer[1:] for pointer in pointers if pointer[0] == token]

    if isinstance(value, dict):
        return {n: without(v, below(n)) for n, v in value.items() if [] not in below(n)}
    if isinstance(value, list):
        places = [below(str(index)) for index in range(len(value))]
        kept = [None if [] in p else without(v, p) for v, p in zip(value, places)]
        while kept and [] in places[len(kept) - 1]:
            kept.pop()
        return kept
    return value


def instant(time):
    """A date-time of RFC 3339 in UTC, as short as it can be."""
    parts = re.fullmatch(r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)", time)
    zone = parts[4].upper().replace("Z", "+00:00")
    utc = datetime.datetime.fromisoformat(f"{parts[1]}T{parts[2]}{zone}").astimezone(datetime.timezone.utc)
    fraction = (parts[3] or "").rstrip("0")
    return utc.strftime("%Y-%m-%dT%H:%M:%S") + ("." + fraction if fraction else "") + "Z"


def form(text, attributes, pointers):
    members = {name: raw for name, raw in raw_members(text).items() if name not in attributes}
    if [] in pointers:
        members = {name: raw for name, raw in members.items() if name not in ("data", "data_base64")}
    elif "data" in members:
        data = json.loads(members["data"], parse_int=Number, parse_float=Number)
        members["data"] = write(without(data, pointers))
    if "time" in members:
        members["time"] = quote(instant(json.loads(members["time"])))
    return canonical(members)


def tokens(pointer):
    return [token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:]]


def main(path):
    sys.setrecursionlimit(10_000)
    database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    database.execute("BEGIN")
    database.row_factory = sqlite3.Row
    settings = database.execute("""
        SELECT c.content FROM configurations c JOIN audit_trail a USING (audit_sequence)
        WHERE a.actor <> 'environment' ORDER BY c.version DESC LIMIT 1""").fetchone()[0]
    compare = json.loads(settings)["compare"]
    rules = compare["ignore_attributes"], [tokens(pointer) for pointer in compare["ignore_data"]]
    rows = database.execute("""
        SELECT source, event_id AS id, type, subject, time, data_content_type AS datacontenttype, attributes, data
        FROM effective_events ORDER BY CAST(source AS BLOB), CAST(event_id AS BLOB)""")
    digest = [b"tallystick content 1\n"]
    for row in rows:
        for text in (row["source"].encode(), row["id"].encode()):
            digest.append(struct.pack(">I", len(text)) + text)
        text = form(content(row).decode(), *rules)
        digest.append(sha256(text.encode()))
    print(sha256(b"".join(digest)).hex())


if __name__ == "__main__":
    main(sys.argv[1])
