#!/usr/bin/env python3
"""Compares two files of CloudEvents (NDJSON), as `tally compare` does two origins that brought them.

    compare_files.py A B

Prints `same differ only_a only_b`. Events are told by source and id; of several records with one identity the last counts.
Two contents are the same when their members are, `time` as an instant; delivery attributes do not count. Only Python's
standard library.
"""
import datetime
import decimal
import json
import sys

DELIVERY = {"checksum", "checksumalgorithm", "checksumkeyid", "traceparent", "tracestate", "tallystream", "tallyrevision"}


def content(event):
    members = {name: value for name, value in event.items() if name not in DELIVERY and value is not None or name == "data"}
    if "time" in members:
        members["time"] = datetime.datetime.fromisoformat(members["time"].replace("Z", "+00:00")).timestamp()
    return repr(sorted_value(members))


def sorted_value(value):
    """A value in which members have one order, and a number one form."""
    if isinstance(value, dict):
        return [(name, sorted_value(value[name])) for name in sorted(value)]
    if isinstance(value, list):
        return [sorted_value(element) for element in value]
    if isinstance(value, decimal.Decimal):
        return ("number", str(value.normalize() + 0))
    return value


def read(path):
    events = {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            try:
                event = json.loads(line, parse_float=decimal.Decimal, parse_int=decimal.Decimal)
                events[event["source"], event["id"]] = content(event)
            except (ValueError, KeyError, TypeError):
                pass
    return events


a, b = read(sys.argv[1]), read(sys.argv[2])
both = a.keys() & b.keys()
same = sum(a[key] == b[key] for key in both)
print(same, len(both) - same, len(a.keys() - b.keys()), len(b.keys() - a.keys()))
