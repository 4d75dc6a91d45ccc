# SPDX-License-Identifier: Apache-2.0
"""The tree over the log's records, as RFC 9162 hashes it. Tiles hold 256 hashes of a level."""

import hashlib

TILE = 256
HASH = 32
LEVELS = 5
SIZE_MAX = (1 << 40) - 1


def leaf_hash(record):
    return hashlib.sha256(b"\x00" + record).digest()


def node_hash(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_of(parts):
    """The root over perfect subtrees from left to right, as (hash, height); heights never rise."""
    stack = []
    for digest, height in parts:
        while stack and stack[-1][1] == height:
            digest, height = node_hash(stack.pop()[0], digest), height + 1
        stack.append((digest, height))
    if not stack:
        return hashlib.sha256(b"").digest()
    root = stack.pop()[0]
    while stack:
        root = node_hash(stack.pop()[0], root)
    return root


def tile_root(hashes):
    return root_of((h, 0) for h in hashes)


def check_inclusion(digest, index, size, proof, root):
    if not 0 <= index < size:
        return False
    fn, sn, r = index, size - 1, digest
    for p in proof:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            r = node_hash(p, r)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = node_hash(r, p)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and r == root


def check_consistency(older, newer, proof, older_root, newer_root):
    if older == newer:
        return not proof and older_root == newer_root
    if not 0 < older < newer or not proof:
        return False
    path = list(proof)
    if older & (older - 1) == 0:
        path.insert(0, older_root)
    fn, sn = older - 1, newer - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for c in path[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            fr, sr = node_hash(c, fr), node_hash(c, sr)
            while not fn & 1 and fn:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node_hash(sr, c)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and fr == older_root and sr == newer_root
