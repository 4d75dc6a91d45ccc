# SPDX-License-Identifier: Apache-2.0
"""Two things of one log that have to fit: heads and an export, two exports, a record and its proof, two heads."""

from files import fields, own_index
from merkle import TILE, check_consistency, check_inclusion, leaf_hash
from notes import Checkpoint, parse_consistency, parse_proof
from trouble import Fault, Unreadable


def check_heads_against(export, heads):
    """Heads that were saved before: each has to be a beginning of this log."""
    agreed = 0
    for head in sorted(heads, key=lambda h: h.size):
        if head.size > export.size:
            raise Fault("rollback", export.size, "a head of %d records was signed before, and this log has %d: "
                        "the records from %d on are gone" % (head.size, export.size, export.size), head.size - 1)
        if export.root_at(head.size) != head.root:
            raise Fault("fork", agreed, "the same key signed two logs: one of records %d to %d differs"
                        % (agreed, head.size - 1), head.size - 1)
        agreed = head.size


def check_exports(old, new):
    """Both were checked by themselves. Finds the first record that differs."""
    size = min(old.size, new.size)
    for n in range((size + TILE - 1) // TILE):
        a, b = old.tile(0, n), new.tile(0, n)
        for k in range(min(TILE, size - n * TILE)):
            if a[k] != b[k]:
                raise Fault("fork", n * TILE + k, "the same key signed two logs: they differ from record %d on"
                            % (n * TILE + k))
    if new.size < old.size:
        raise Fault("rollback", new.size, "the other copy has %d records, and this log %d: the records from %d on "
                    "are gone" % (old.size, new.size, new.size), old.size - 1)


def check_proof(text, record, key):
    index, hashes, note = parse_proof(text)
    head = Checkpoint(note, key, "the proof's checkpoint")
    if index >= head.size:
        raise Fault("form", index, "the proof is for record %d, and its head has %d" % (index, head.size))
    if not check_inclusion(leaf_hash(record), index, head.size, hashes, head.root):
        own = own_index(record)
        if own is not None and own != index:
            raise Fault("swap", index, "this is record %d, and the proof is for record %d" % (own, index))
        raise Fault("flip", index, "record %d is not the one that was signed, or its proof was altered" % index)
    return {"index": index, "size": head.size, "origin": head.origin, "record": fields(record)}


def check_two_heads(older, newer, key):
    old = Checkpoint(older, key, "the older checkpoint")
    if newer.startswith("old "):
        size, hashes, note = parse_consistency(newer)
        new = Checkpoint(note, key, "the newer checkpoint")
    else:
        new, size, hashes = Checkpoint(newer, key, "the newer checkpoint"), None, None
    if new.size < old.size:
        raise Fault("rollback", new.size, "the newer head has %d records, the older one %d: the records from %d on "
                    "are gone" % (new.size, old.size, new.size), old.size - 1)
    found = {"older": old.size, "newer": new.size, "origin": new.origin}
    fork = Fault("fork", 0, "the same key signed two logs: one of records 0 to %d differs, or the proof was altered"
                 % (old.size - 1), old.size - 1)
    if new.size == old.size:
        if new.root != old.root:
            raise fork
        return found
    if old.size == 0:
        return found
    if size is None:
        raise Unreadable("a consistency proof from %d to %d is needed as NEWER" % (old.size, new.size))
    if size != old.size:
        raise Unreadable("the consistency proof is from %d, and the older checkpoint has %d" % (size, old.size))
    if not check_consistency(old.size, new.size, hashes, old.root, new.root):
        raise fork
    return found
