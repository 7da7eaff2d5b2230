#!/usr/bin/env python3
"""Recomputes every checksum, leaf, tile and root of a store from the SQLite file alone.

Only Python's standard library: an independent reading of the File format article. Prints a line for each
difference; exits 0 when all agree, 2 otherwise.
"""
import base64
import hashlib
import json
import sqlite3
import sys
import zlib

DETAIL_TABLES = {
    "checksums": "checksum_id", "configurations": "version", "conflict_candidates": "candidate_id",
    "conflicts": "conflict_id", "keys": "key_row", "mismatches": "mismatch_id",
    "quarantine": "quarantine_id", "resolutions": "resolution_id",
}


def sha256(data):
    return hashlib.sha256(data).digest()


def quote(text):
    """A canonical JSON string."""
    out = ['"']
    short = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}
    for char in text:
        out.append(short.get(char) or (f"\\u{ord(char):04x}" if ord(char) < 0x20 else char))
    return "".join(out) + '"'


def utf16(name):
    return name.encode("utf-16-be", "surrogatepass")


def canonical(members):
    """An object whose values are canonical already."""
    return "{" + ",".join(quote(n) + ":" + members[n] for n in sorted(members, key=utf16)) + "}"


def raw_members(text):
    """The members of a canonical object, with the text of each value as it stands."""
    members, index = {}, 1
    decoder = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=str)
    while text[index] != "}":
        if text[index] == ",":
            index += 1
        name, end = decoder.raw_decode(text, index)
        value, after = decoder.raw_decode(text, end + 1)
        members[name] = text[end + 1:after]
        index = after
    return members


class Log:
    """Holds the stored hashes of one log against recomputed leaves."""

    def __init__(self, database, name, problems):
        self.database, self.name, self.problems = database, name, problems
        self.hashes = []

    def add(self, leaf, record):
        self.hashes.append(sha256(b"\x00" + leaf.encode("utf-8", "surrogatepass")))
        self.records = getattr(self, "records", [])
        self.records.append(record)

    def root(self, hashes):
        if not hashes:
            return sha256(b"")
        level = list(hashes)
        while len(level) > 1:
            paired = [sha256(b"\x01" + level[i] + level[i + 1]) for i in range(0, len(level) - 1, 2)]
            if len(level) % 2:
                paired.append(level[-1])
            level = paired
        return level[0]

    def check(self):
        level, hashes = 0, self.hashes
        stored = dict(self.database.execute(
            "SELECT level || '/' || tile, hashes FROM merkle_tiles WHERE log = ?", (self.name,)))
        while True:
            for tile in range(0, len(hashes), 256):
                part = hashes[tile:tile + 256]
                key = f"{level}/{tile // 256}"
                if level == 0 and len(part) < 256:
                    rows = self.database.execute(
                        "SELECT leaf_index, hash FROM merkle_tail WHERE log = ? ORDER BY leaf_index",
                        (self.name,)).fetchall()
                    if rows != [(tile + i, h) for i, h in enumerate(part)]:
                        self.problems.append(f"{self.name}: the tail differs from the rows")
                    continue
                found = stored.pop(key, None)
                if found != b"".join(part):
                    self.problems.append(f"{self.name}: tile {key} differs")
                    if level == 0 and found is not None:
                        for i, h in enumerate(part):
                            if found[32 * i:32 * i + 32] != h:
                                self.problems.append(f"  leaf of {self.records[tile + i]}")
            complete = len(hashes) // 256
            hashes = [self.root(hashes[256 * i:256 * i + 256]) for i in range(complete)]
            level += 1
            if not hashes:
                break
        for key in stored:
            self.problems.append(f"{self.name}: tile {key} is left over")
        return self.root(self.hashes).hex()


def content(row):
    members = {"specversion": '"1.0"'}
    for name in ("id", "source", "type", "subject", "time", "datacontenttype"):
        if row[name] is not None:
            members[name] = quote(row[name])
    if row["attributes"] is not None:
        members.update(raw_members(row["attributes"]))
    if isinstance(row["data"], bytes):
        members["data_base64"] = '"' + base64.b64encode(row["data"]).decode() + '"'
    elif row["data"] is not None:
        members["data"] = row["data"]
    return canonical(members).encode("utf-8", "surrogatepass")


def check_events(database, problems):
    log = Log(database, "events", problems)
    digests = {}
    query = """
        SELECT e.position, s.name AS source, e.event_id AS id, st.name AS stream, e.revision, t.name AS type,
            c.name AS category, o.name AS origin, e.recorded_at, e.checksum_algorithm, e.checksum, e.subject,
            e.time, e.data_content_type AS datacontenttype, e.attributes, e.delivery_attributes, e.data
        FROM events e LEFT JOIN sources s USING (source_id) LEFT JOIN streams st USING (stream_id)
        LEFT JOIN types t USING (type_id) LEFT JOIN categories c USING (category_id)
        LEFT JOIN origins o USING (origin_id) ORDER BY e.position"""
    cursor = database.execute(query)
    names = [d[0] for d in cursor.description]
    for expected, values in enumerate(cursor, 1):
        row = dict(zip(names, values))
        if row["position"] != expected:
            problems.append(f"events: position {expected} is missing")
            break
        data = content(row)
        digests[expected] = sha256(data)
        sums = {"crc32": zlib.crc32(data).to_bytes(4, "big"), "sha256": sha256(data)}
        if row["checksum_algorithm"] != "hmac-sha256" and sums.get(row["checksum_algorithm"]) != row["checksum"]:
            problems.append(f"events {expected}: checksum differs")
        leaf = {
            "category": quote(row["category"] or ""), "content": quote(sha256(data).hex()),
            "leaf": '"event/1"', "origin": quote(row["origin"] or ""), "position": str(expected),
            "recorded_at": str(row["recorded_at"]), "revision": str(row["revision"]),
            "stream": quote(row["stream"] or ""),
        }
        if row["delivery_attributes"] is not None:
            leaf["delivery"] = row["delivery_attributes"]
        log.add(canonical(leaf), f"events {expected}")
    return log, digests


def check_copies(database, problems, digests):
    log = Log(database, "copies", problems)
    rows = database.execute("""
        SELECT copy_id, position, o.name, recorded_at, agreement, content_sha256, differs_in, content,
            delivery_attributes
        FROM copies LEFT JOIN origins o USING (origin_id) ORDER BY copy_id""")
    for copy_id, position, origin, recorded_at, agreement, digest, differs_in, text, delivery in rows:
        actual = digests.get(position) if text is None else sha256(text.encode("utf-8", "surrogatepass"))
        if actual != digest:
            problems.append(f"copies {copy_id}: content differs")
        leaf = {
            "agreement": quote(agreement), "content": quote(digest.hex()), "copy_id": str(copy_id),
            "leaf": '"copy/1"', "origin": quote(origin or ""), "position": str(position),
            "recorded_at": str(recorded_at),
        }
        if differs_in is not None:
            leaf["differs_in"] = differs_in
        if delivery is not None:
            leaf["delivery"] = delivery
        log.add(canonical(leaf), f"copies {copy_id}")
    return log


def columns(names, values):
    members = {}
    for name, value in zip(names, values):
        if isinstance(value, bytes):
            members[name] = quote("sha256:" + sha256(value).hex())
        elif isinstance(value, int):
            members[name] = str(value)
        elif value is not None:
            members[name] = quote(value)
    return members


def check_audit(database, problems):
    log = Log(database, "audit", problems)
    details = {}
    for table, key in DETAIL_TABLES.items():
        cursor = database.execute(f"SELECT * FROM {table} ORDER BY {key}")
        names = [d[0] for d in cursor.description]
        for values in cursor:
            sequence = values[names.index("audit_sequence")]
            rows = details.setdefault(sequence, {}).setdefault(table, [])
            rows.append(canonical(columns(names, values)))
    cursor = database.execute("SELECT * FROM audit_trail ORDER BY audit_sequence")
    names = [d[0] for d in cursor.description]
    for expected, values in enumerate(cursor, 1):
        leaf = columns(names, values)
        if leaf["audit_sequence"] != str(expected):
            problems.append(f"audit_trail {expected} is missing")
            break
        leaf["leaf"] = '"audit/1"'
        rows = details.pop(expected, None)
        if rows:
            leaf["rows"] = canonical({t: "[" + ",".join(r) + "]" for t, r in rows.items()})
        log.add(canonical(leaf), f"audit_trail {expected}")
    for sequence in details:
        problems.append(f"detail rows name audit row {sequence}, which does not exist")
    return log


def main(path):
    database = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    database.execute("BEGIN")
    problems = []
    events, digests = check_events(database, problems)
    logs = [events, check_copies(database, problems, digests), check_audit(database, problems)]
    for log in logs:
        print(f"{log.name} {len(log.hashes)} {log.check()}")
    for problem in problems:
        print(problem)
    return 2 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
