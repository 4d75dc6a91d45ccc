# SPDX-License-Identifier: Apache-2.0
"""A whole copy of a log: everything in it is led to the signed root, and what does not lead there is named."""

from files import Files, as_text, fields, own_index, split_bundle, tile_path
from merkle import HASH, LEVELS, TILE, leaf_hash, root_of, tile_root
from notes import Checkpoint, Key
from trouble import Fault, Unreadable


class Export:
    """A copy of a log. Every hash it hands out was led to the signed root first, from the top down:
    so the first hash, or record, that does not fit is the one that was altered."""

    def __init__(self, path, key=None):
        self.files = Files(path)
        own = self.files.read("key")
        if key is None and own is None:
            raise Unreadable("%s: there is no `key` in it; say --key" % path)
        self.key = key or Key(as_text(own, "key"))
        self.own_key = key is None
        note = self.files.read("checkpoint")
        if note is None:
            raise Unreadable("%s: there is no `checkpoint` in it" % path)
        self.head = Checkpoint(as_text(note, "checkpoint"), self.key)
        self.size = self.head.size
        self.cache = {}
        self.expired = []

    # -- tiles --

    def width(self, level, n):
        """Hashes of a tile that a log of this size has."""
        return max(0, min(TILE, (self.size >> (8 * level)) - n * TILE))

    def edge(self, level):
        return (self.size >> (8 * level)) // TILE

    def raw_tile(self, level, n):
        width = self.width(level, n)
        data = self.widest(level, n, width) or b""
        return [data[i : i + HASH] for i in range(0, len(data) - HASH + 1, HASH)][:width]

    def edge_root(self, tile):
        """The root that the last, partial tile of each level gives."""
        parts = []
        for level in range(LEVELS, -1, -1):
            n = self.edge(level)
            width = self.width(level, n)
            hashes = tile(level, n) if width else []
            if len(hashes) != width:
                return None
            parts += [(h, 8 * level) for h in hashes]
        return root_of(parts)

    def tile(self, level, n):
        """A tile's hashes, each of them proven by the tile above it."""
        found = self.cache.get((level, n))
        if found is None:
            found = self.raw_tile(level, n)
            width = self.width(level, n)
            if width == TILE:
                want = self.tile(level + 1, n // TILE)[n % TILE]
                if len(found) != TILE or tile_root(found) != want:
                    self.blame_tile(level, n, found, want)
            if len(self.cache) > 4096:
                self.cache.clear()
            self.cache[(level, n)] = found
        return found

    def blame_tile(self, level, n, found, want):
        """A full tile is not the one above says. Is what is below it right?"""
        below = self.below(level, n)
        first = n << (8 * (level + 1))
        last = min(self.size, (n + 1) << (8 * (level + 1))) - 1
        if len(below) == TILE and tile_root(below) == want:
            k = next((i for i in range(TILE) if i >= len(found) or found[i] != below[i]), 0)
            raise Fault("flip", first + (k << (8 * level)),
                        "a hash of the tree was altered in %s; the records below it are right"
                        % tile_path(level, n, TILE), min(last, first + ((k + 1) << (8 * level)) - 1))
        self.blame_order(first, last)
        for i in range(min(len(below), len(found))):
            if below[i] != found[i] and level == 0:
                raise Fault("flip", first + i, "record %d was altered, and hashes of its tile too" % (first + i))
        raise Fault("flip", first, "records %d to %d are not those that were signed, and their hashes were "
                    "altered too: one copy alone does not tell which of them (--against tells)" % (first, last),
                    last)

    def below(self, level, n):
        """A tile's hashes as what is below it gives them."""
        if level == 0:
            return [leaf_hash(r) for r in self.records(n)]
        out = []
        for i in range(n * TILE, n * TILE + self.width(level, n)):
            hashes = self.raw_tile(level - 1, i)
            out.append(tile_root(hashes) if len(hashes) == TILE else b"")
        return out

    # -- records --

    def widest(self, kind, n, width):
        """A file of a tile, or what it has become under the name of another width."""
        for w in (width, *range(TILE, 0, -1)):
            data = self.files.read(tile_path(kind, n, w))
            if data is not None:
                return data
        return None

    def records(self, n):
        data = self.widest("entries", n, self.width(0, n))
        return split_bundle(data) if data is not None else []

    def bundle_is_there(self, n):
        return self.widest("entries", n, self.width(0, n)) is not None

    def record(self, index):
        found = self.records(index // TILE) if 0 <= index < self.size else []
        return found[index % TILE] if index % TILE < len(found) else None

    def blame_order(self, first, last):
        """Without hashes that can be believed: what the records' own indexes tell."""
        for n in range(first // TILE, last // TILE + 1):
            for k, record in enumerate(self.records(n)):
                i, own = n * TILE + k, own_index(record)
                if own is None or own == i:
                    continue
                if own > i:
                    there = self.record(own)
                    if there is not None and own_index(there) == i:
                        raise Fault("swap", i, "records %d and %d stand in each other's place" % (i, own))
                    raise Fault("drop", i, "record %d is missing; %d stands in its place" % (i, own), own - 1)
                raise Fault("duplicate", i, "record %d stands once more in the place of %d" % (own, i))

    def blame_root(self):
        """Neither tile at the edge leads to the signed root: which one is it?"""
        for level in range(0, LEVELS + 1):
            n = self.edge(level)
            if self.width(level, n) and len(self.raw_tile(level, n)) < self.width(level, n):
                self.blame_missing(level, n)
        for level in range(0, LEVELS + 1):  # one tile at a time, as what is below gives it
            n = self.edge(level)
            if not self.width(level, n):
                continue
            mended = self.below(level, n)
            raw = self.raw_tile(level, n)
            if self.edge_root(lambda l, m, at=level, b=mended: b if l == at else self.raw_tile(l, m)) \
                    == self.head.root:
                k = next(i for i in range(len(raw)) if raw[i] != mended[i])
                raise Fault("flip", (n * TILE + k) << (8 * level),
                            "a hash of the tree was altered in %s; the records below it are right"
                            % tile_path(level, n, self.width(level, n)))
        self.blame_order(0, self.size - 1)
        for n in range(self.edge(0) + 1):
            raw, below = self.raw_tile(0, n), self.below(0, n)
            for i in range(min(len(raw), len(below))):
                if raw[i] != below[i]:
                    raise Fault("flip", n * TILE + i, "record %d is not what its hash says" % (n * TILE + i))
        raise Fault("flip", None, "records and hashes fit each other, but not the signed head: this is another "
                    "log under its name; --against a copy tells where it begins")

    def blame_missing(self, level, n):
        """The edge is not there. Count what is."""
        have = 0
        for m in range(self.edge(0) + 1):
            here = len(self.records(m))
            have = m * TILE + here
            if here < self.width(0, m):
                break
        if have < self.size:
            raise Fault("truncate", have, "the head is signed for %d records, and the export ends after %d"
                        % (self.size, have), self.size - 1)
        raise Fault("drop", (n * TILE) << (8 * level), "%s is missing or too short; the records are there"
                    % tile_path(level, n, self.width(level, n)))

    def blame_record(self, n, records, k):
        """Record k of bundle n is not the proven one; say what became of it."""
        i = n * TILE + k
        if k >= len(records):
            rest = range(n + 1, self.edge(0) + 1)
            if not any(self.width(0, m) and self.bundle_is_there(m) for m in rest):
                while k == 0 and n and not self.bundle_is_there(n - 1):
                    n, i = n - 1, i - TILE
                raise Fault("truncate", i, "the head is signed for %d records, and the export ends after %d"
                            % (self.size, i), self.size - 1)
            raise Fault("drop", i, "record %d is missing" % i)
        found = leaf_hash(records[k])
        j = self.place_of(found, n, own_index(records[k]))
        if j is None:
            raise Fault("flip", i, "record %d was altered" % i)
        if j < i:
            raise Fault("duplicate", i, "record %d stands once more in the place of %d" % (j, i))
        there = self.record(j)
        if there is not None and leaf_hash(there) == self.tile(0, n)[k]:
            raise Fault("swap", i, "records %d and %d stand in each other's place" % (i, j))
        raise Fault("drop", i, "record %d is missing; %d stands in its place" % (i, j), j - 1)

    @staticmethod
    def blame_more(i):
        raise Fault("duplicate", i, "something stands behind record %d that the log does not have there" % (i - 1))

    def place_of(self, digest, n, own):
        """Where a record with this hash belongs."""
        for m in (n, n - 1, n + 1, own // TILE if own is not None else -1):
            if 0 <= m and self.width(0, m):
                try:
                    hashes = self.tile(0, m)
                except Fault:
                    continue
                if digest in hashes:
                    return m * TILE + hashes.index(digest)
        return None

    def check(self):
        """Everything; the first fault is raised. Gives back what was found."""
        kinds, missing = {}, []
        if self.edge_root(self.raw_tile) != self.head.root:
            self.blame_root()
        for n in range(self.edge(0) + 1):
            width = self.width(0, n)
            if not width:
                break
            hashes = self.tile(0, n)
            if width == TILE and not self.bundle_is_there(n):
                missing.append(n)
                continue
            records = self.records(n)
            for k in range(width):
                if k >= len(records) or leaf_hash(records[k]) != hashes[k]:
                    self.blame_record(n, records, k)
                self.look(n * TILE + k, records[k], kinds)
            if sum(len(r) + 2 for r in records[:width]) != len(self.widest("entries", n, width)):
                self.blame_more(n * TILE + width)
        if self.widest("entries", (self.size + TILE - 1) // TILE, TILE) is not None:
            self.blame_more(self.size)
        for level in range(1, LEVELS + 1):
            for n in range(self.edge(level) + 1 if self.width(level, 0) else 0):
                if self.width(level, n):
                    self.tile(level, n)
        self.check_expired(missing)
        return {"size": self.size, "origin": self.head.origin, "kinds": kinds, "expired": len(missing) * TILE}

    def look(self, i, record, kinds):
        """A proven record: what it says, and whether it says it of itself."""
        found = fields(record)
        kind = found.get("kind")
        if own_index(record) != i or not isinstance(kind, str):
            raise Fault("form", i, "record %d was signed, but it is none, or says it is another: the server "
                        "itself wrote it so" % i)
        kinds[kind] = kinds.get(kind, 0) + 1
        if kind == "retention":
            first, _, last = str(found.get("note", "")).partition(" ")[0].partition("-")
            if first.isdigit() and last.isdigit():
                self.expired.append((int(first), int(last)))

    def check_expired(self, missing):
        """Records may be gone where a later record says that they expired; their hashes are here."""
        for n in missing:
            first, last = n * TILE, n * TILE + TILE - 1
            at = first
            for a, b in sorted(self.expired):
                if a <= at <= b:
                    at = b + 1
            if at <= last:
                tail = all(m in missing for m in range(n, (self.size + TILE - 1) // TILE))
                raise Fault("truncate" if tail else "drop", at,
                            "records %d to %d are missing, and no record of retention says why" % (at, last), last)

    def root_at(self, size):
        """The root that this log had when it was smaller."""
        parts, done = [], 0
        for level in range(LEVELS, -1, -1):
            while size - done >= 1 << (8 * level):
                i = done >> (8 * level)
                parts.append((self.tile(level, i // TILE)[i % TILE], 8 * level))
                done += 1 << (8 * level)
        return root_of(parts)
