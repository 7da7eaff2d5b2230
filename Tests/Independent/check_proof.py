#!/usr/bin/env python3
"""Checks sealed notes and proofs of Tallystick from exported files alone, without the store and without Tallystick.

    check_proof.py note NOTE PUBLIC_KEY
    check_proof.py event PROOF PUBLIC_KEY [NOTE]
    check_proof.py consistency PROOF PUBLIC_KEY EARLIER_NOTE

Needs Python's standard library, and `cryptography` for Ed25519: an independent reading of C2SP signed-note,
tlog-checkpoint and tlog-proof, and of the File format article. Exits 0 when everything holds, 2 otherwise.
"""
import base64
import hashlib
import json
import re
import sys

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


class Refused(Exception):
    pass


def need(condition, message):
    if not condition:
        raise Refused(message)


def sha256(data):
    return hashlib.sha256(data).digest()


def unbase64(text, length=None):
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise Refused(f"no base64: {error}") from error
    need(base64.b64encode(data).decode() == text, "base64 is not canonical")
    need(length is None or len(data) == length, f"not {length} bytes")
    return data


def number(text):
    need(re.fullmatch(r"0|[1-9][0-9]*", text), f"no number: {text}")
    return int(text)


# Signed notes -------------------------------------------------------------------------------------------

def public_key(text):
    """`name+hash+base64(0x01 ‖ key)`."""
    name, key_id, encoded = text.strip().split("+", 2)
    key = unbase64(encoded, 33)
    need(key[0] == 1, "the key is not for Ed25519")
    need(sha256(name.encode() + b"\n" + key)[:4].hex() == key_id, "the key's hash is not its own")
    return name, bytes.fromhex(key_id), Ed25519PublicKey.from_public_bytes(key[1:])


def open_note(data, verifier):
    """The text of a note that the key signed."""
    need(all(byte >= 0x20 or byte == 0x0A for byte in data), "control characters in the note")
    text, separator, signatures = data.decode("utf-8").rpartition("\n\n")
    need(separator and signatures.endswith("\n"), "no note")
    text += "\n"
    name, key_id, key = verifier
    signed = False
    for line in signatures[:-1].split("\n"):
        match = re.fullmatch("\u2014 ([^ +]+) ([^ ]+)", line)
        need(match, "no signature line")
        signature = unbase64(match[2])
        if match[1] != name or signature[:4] != key_id:
            continue
        try:
            key.verify(signature[4:], text.encode())
        except InvalidSignature as error:
            raise Refused("the signature is not the key's over this text") from error
        signed = True
    need(signed, "no signature is by the key")
    return text


def tree_head(text):
    """Origin, and size and root of each log."""
    lines = text[:-1].split("\n")
    need(len(lines) >= 5 and all(lines), "no tree head")
    head = {"origin": lines[0], "events": (number(lines[1]), unbase64(lines[2], 32))}
    for line, name in zip(lines[3:5], ("copies", "audit")):
        word, size, root = line.split(" ")
        need(word == name, f"no line for {name}")
        head[name] = (number(size), unbase64(root, 32))
    return head


# Merkle proofs (RFC 6962, as RFC 9162 writes their checks down) ----------------------------------------------

def node(left, right):
    return sha256(b"\x01" + left + right)


def included(leaf, index, size, path, root):
    """RFC 9162, section 2.1.3.2."""
    if index >= size:
        return False
    fn, sn, current = index, size - 1, sha256(b"\x00" + leaf)
    for sibling in path:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            current = node(sibling, current)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            current = node(current, sibling)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and current == root


def consistent(first, first_root, second, second_root, path):
    """RFC 9162, section 2.1.4.2. Whatever grew, grew out of an empty log."""
    if first == 0:
        return not path
    if first == second:
        return not path and first_root == second_root
    if first > second:
        return False
    if first & (first - 1) == 0:
        path = [first_root] + path
    if not path:
        return False
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for sibling in path[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = node(sibling, fr), node(sibling, sr)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node(sr, sibling)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and fr == first_root and sr == second_root


# Proofs ---------------------------------------------------------------------------------------------------

def split(data):
    head, separator, note = data.partition(b"\n\n")
    need(separator, "no proof")
    return head.decode().split("\n"), note


def check_event(data, verifier, note=None):
    lines, embedded = split(data)
    need(lines[0] == "c2sp.org/tlog-proof@v1", "no tlog-proof")
    need(lines[1].startswith("extra ") and lines[2].startswith("index "), "no extra or no index")
    index = number(lines[2][6:])
    path = [unbase64(line, 32) for line in lines[3:]]
    text = open_note(embedded, verifier)
    need(note is None or open_note(note, verifier) == text, "the proof is for another head")
    head = tree_head(text)
    leaf, separator, content = unbase64(lines[1][6:]).partition(b"\n")
    size, root = head["events"]
    need(included(leaf, index, size, path, root), "the leaf does not lead to the root")
    fields = json.loads(leaf)
    need(fields["leaf"] == "event/1" and fields["position"] == index + 1, "the leaf of something else")
    need(not separator or sha256(content).hex() == fields["content"], "the content is another")
    return f"{head['origin']} position {index + 1} {content.decode() or fields['content']}"


def check_consistency(data, verifier, earlier):
    lines, later = split(data)
    need(lines.pop(0) == "tallystick/consistency-proof@v1", "no consistency proof")
    before, after = (tree_head(open_note(note, verifier)) for note in (earlier, later))
    need(before["origin"] == after["origin"], "notes of two stores")
    for name in ("events", "copies", "audit"):
        word, size = lines.pop(0).split(" ")
        path = []
        while lines and " " not in lines[0]:
            path.append(unbase64(lines.pop(0), 32))
        need(word == name and number(size) == before[name][0], f"no part for {name}")
        need(consistent(*before[name], *after[name], path), f"log {name} is another")
    need(not lines, "lines left over")
    return f"{after['origin']} grew from {before['events'][0]} to {after['events'][0]} events"


def read(path):
    with open(path, "rb") as file:
        return file.read()


def main(arguments):
    kind, path, key, *note = arguments
    verifier = public_key(key)
    if kind == "note":
        return " ".join(str(part) for part in tree_head(open_note(read(path), verifier))["events"][:1])
    notes = [read(name) for name in note]
    return {"event": check_event, "consistency": check_consistency}[kind](read(path), verifier, *notes)


if __name__ == "__main__":
    try:
        print(main(sys.argv[1:]))
    except (Refused, ValueError, KeyError, IndexError, TypeError) as problem:
        print(f"refused: {problem}")
        sys.exit(2)
