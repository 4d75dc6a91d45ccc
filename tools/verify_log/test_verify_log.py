#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests of the verifier, with a small writer of logs of its own: python3 tools/verify_log/test_verify_log.py

Ends with 77 (skipped) without the package `cryptography`.
"""

import base64
import contextlib
import hashlib
import io
import json
import os
import shutil
import sys
import tarfile
import tempfile
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

try:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
except ImportError:
    print("skipped: there is no package `cryptography`")
    sys.exit(77)

import verify_log  # noqa: E402
from export import Export  # noqa: E402
from files import tile_path  # noqa: E402
from trouble import Fault  # noqa: E402

ORIGIN = "example.org/log"
SIZES = (1, 2, 256, 257, 511, 700)


# ---- a writer: recursive where the verifier is not, so that both can hardly be wrong alike ----


def mth(hashes):
    if len(hashes) <= 1:
        return hashes[0] if hashes else hashlib.sha256().digest()
    k = 1
    while k * 2 < len(hashes):
        k *= 2
    return hashlib.sha256(b"\x01" + mth(hashes[:k]) + mth(hashes[k:])).digest()


def path_of(m, hashes):
    if len(hashes) <= 1:
        return []
    k = 1
    while k * 2 < len(hashes):
        k *= 2
    if m < k:
        return path_of(m, hashes[:k]) + [mth(hashes[k:])]
    return path_of(m - k, hashes[k:]) + [mth(hashes[:k])]


def subproof(m, hashes, whole):
    if m == len(hashes):
        return [] if whole else [mth(hashes)]
    k = 1
    while k * 2 < len(hashes):
        k *= 2
    if m <= k:
        return subproof(m, hashes[:k], whole) + [mth(hashes[k:])]
    return subproof(m - k, hashes[k:], False) + [mth(hashes[:k])]


class Log:
    def __init__(self, size, seed=b"\x07" * 32, fork_at=None):
        self.key = Ed25519PrivateKey.from_private_bytes(seed)
        self.public = self.key.public_key().public_bytes_raw()
        self.id = hashlib.sha256(ORIGIN.encode() + b"\n\x01" + self.public).digest()[:4]
        self.records = [self.record(i, "b" if fork_at is not None and i >= fork_at else "a") for i in range(size)]

    @staticmethod
    def record(i, branch="a", kind="embed", **more):
        return json.dumps(dict({"v": 1, "index": i, "time_ns": 1000 + i, "seq": i, "kind": kind,
                                "request": "req_%s%d" % (branch, i)}, **more), separators=(",", ":")).encode()

    def hashes(self):
        return [hashlib.sha256(b"\x00" + r).digest() for r in self.records]

    def vkey(self):
        return "%s+%s+%s" % (ORIGIN, self.id.hex(), base64.b64encode(b"\x01" + self.public).decode())

    def note(self, size=None, root=None):
        hashes = self.hashes()[:size]
        root = root or mth(hashes)
        body = "%s\n%d\n%s\n" % (ORIGIN, len(hashes), base64.b64encode(root).decode())
        signature = base64.b64encode(self.id + self.key.sign(body.encode())).decode()
        return body + "\n\u2014 %s %s\n" % (ORIGIN, signature)

    def proof(self, i, size=None):
        lines = [base64.b64encode(h).decode() + "\n" for h in path_of(i, self.hashes()[:size])]
        return "c2sp.org/tlog-proof@v1\nindex %d\n%s\n%s" % (i, "".join(lines), self.note(size))

    def consistency(self, old, size=None):
        lines = [base64.b64encode(h).decode() + "\n" for h in subproof(old, self.hashes()[:size], True)]
        return "old %d\n%s\n%s" % (old, "".join(lines), self.note(size))

    def write(self, folder, note=None):
        put(folder, "checkpoint", (note or self.note()).encode())
        put(folder, "key", (self.vkey() + "\n").encode())
        self.write_tiles(folder)
        self.write_records(folder)

    def write_tiles(self, folder):
        level, hashes = 0, self.hashes()
        while hashes:
            for n in range(0, len(hashes), 256):
                part = hashes[n : n + 256]
                put(folder, tile_path(str(level), n // 256, len(part)), b"".join(part))
            hashes = [mth(hashes[n : n + 256]) for n in range(0, len(hashes) - 255, 256)]
            level += 1

    def write_records(self, folder, records=None):
        records = self.records if records is None else records
        for n in range(0, len(records), 256):
            part = records[n : n + 256]
            put(folder, tile_path("entries", n // 256, len(part)), bundle(part))


def bundle(records):
    return b"".join(len(r).to_bytes(2, "big") + r for r in records)


def put(folder, name, data):
    path = os.path.join(folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data)


def run(*args):
    """The command's exit code, and what it printed as JSON (None: nothing)."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = verify_log.main(["--json", *args])
    text = out.getvalue()
    return code, json.loads(text) if text else None, err.getvalue()


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="verify_log.")
        self.addCleanup(shutil.rmtree, self.folder)

    def place(self, name):
        return os.path.join(self.folder, name)

    def put_text(self, name, text):
        put(self.folder, name, text if isinstance(text, bytes) else text.encode())
        return self.place(name)

    def exported(self, log, name="export"):
        log.write(self.place(name))
        return self.place(name)

    def finds(self, kind, index, *args):
        code, found, err = run(*args)
        self.assertEqual((code, found and found["fault"], found and found["index"]), (1, kind, index),
                         "%s: %s %s" % (args, found, err))
        return found

    def is_good(self, *args):
        code, found, err = run(*args)
        self.assertEqual(code, 0, "%s: %s %s" % (args, found, err))
        return found


class Good(Case):
    def test_every_size_is_good_as_folder_and_tar(self):
        for size in SIZES:
            with self.subTest(size=size):
                path = self.exported(Log(size), "e%d" % size)
                self.assertEqual(self.is_good("export", path)["size"], size)
                with tarfile.open(path + ".tar", "w") as t:
                    t.add(path, arcname=".")
                self.assertEqual(self.is_good("export", path + ".tar")["kinds"], {"embed": size})

    def test_an_empty_log_is_good(self):
        self.assertEqual(self.is_good("export", self.exported(Log(0)))["size"], 0)

    def test_a_log_of_two_levels_is_good_and_its_upper_tile_is_checked(self):
        log = Log(65536 + 300)
        path = self.exported(log)
        self.is_good("export", path, "--key", log.vkey())
        name = tile_path("1", 0, 256)
        data = bytearray(open(os.path.join(path, name), "rb").read())
        data[5 * 32] ^= 1
        put(path, name, bytes(data))
        self.finds("flip", 5 * 256, "export", path)

    def test_roots_of_every_smaller_size(self):
        log = Log(600)
        export = Export(self.exported(log))
        for size in (1, 2, 255, 256, 257, 511, 512, 513, 600):
            self.assertEqual(export.root_at(size), mth(log.hashes()[:size]), size)

    def test_expired_records_are_good_when_a_record_says_so(self):
        log = Log(600)
        log.records[590] = Log.record(590, kind="retention", note="0-255")
        path = self.exported(log)
        os.remove(os.path.join(path, tile_path("entries", 0, 256)))
        self.assertEqual(self.is_good("export", path)["expired"], 256)
        os.remove(os.path.join(path, tile_path("entries", 1, 256)))
        self.finds("drop", 256, "export", path)


class Records(Case):
    """The records are altered; the tree and its head stay as they were."""

    def altered(self, size, change):
        log = Log(size)
        path = self.exported(log, "e")
        shutil.rmtree(os.path.join(path, "tile/entries"))
        records = list(log.records)
        change(records)
        log.write_records(path, records)
        return path

    def each(self, kind, change, wanted, least=1):
        for size in SIZES:
            for i in sorted({0, 1, 100, 254, 255, 256, 300, size - 1}):
                if size < least or i + least > size:
                    continue
                with self.subTest(size=size, i=i):
                    path = self.altered(size, lambda r: change(r, i))
                    self.finds(kind(i, size) if callable(kind) else kind, wanted(i), "export", path)
                    shutil.rmtree(path)

    def test_flip(self):
        def change(r, i):
            r[i] = r[i][:-3] + bytes([r[i][-3] ^ 1]) + r[i][-2:]
        self.each("flip", change, lambda i: i)

    def test_flip_in_the_index(self):
        def change(r, i):
            r[i] = r[i].replace(b'"index":%d,' % i, b'"index":%d,' % (i + 1))
        self.each("flip", change, lambda i: i)

    def test_drop(self):
        self.each(lambda i, size: "truncate" if i == size - 1 else "drop", lambda r, i: r.pop(i), lambda i: i)

    def test_duplicate(self):
        self.each("duplicate", lambda r, i: r.insert(i + 1, r[i]), lambda i: i + 1)

    def test_duplicate_over_another(self):
        def change(r, i):
            r[i + 1] = r[i]
        self.each("duplicate", change, lambda i: i + 1, 2)

    def test_swap_of_neighbours(self):
        def change(r, i):
            r[i], r[i + 1] = r[i + 1], r[i]
        self.each("swap", change, lambda i: i, 2)

    def test_swap_of_far_ones(self):
        path = self.altered(700, lambda r: r.__setitem__(slice(None), r[:3] + [r[650]] + r[4:650] + [r[3]] + r[651:]))
        self.finds("swap", 3, "export", path)

    def test_truncate(self):
        for size, left in ((700, 699), (700, 600), (700, 512), (700, 256), (700, 5), (3, 1), (257, 256)):
            with self.subTest(size=size, left=left):
                path = self.altered(size, lambda r: r.__delitem__(slice(left, None)))
                found = self.finds("truncate", left, "export", path)
                self.assertEqual(found["last"], size - 1)
                shutil.rmtree(path)


class Rebuilt(Case):
    """Records and tiles are altered together; only the signed head stays."""

    def altered(self, size, change):
        log = Log(size)
        note = log.note()
        change(log.records)
        path = self.place("e")
        log.write(path, note)
        return path

    def test_swap_drop_duplicate_are_told_by_the_records_themselves(self):
        def swap(r):
            r[40], r[41] = r[41], r[40]
        self.finds("swap", 40, "export", self.altered(700, swap))
        shutil.rmtree(self.place("e"))
        self.finds("truncate", 699, "export", self.altered(700, lambda r: r.pop(40)))
        shutil.rmtree(self.place("e"))

        def repeat(r):
            r[40] = r[39]
        self.finds("duplicate", 40, "export", self.altered(700, repeat))

    def test_truncate(self):
        self.finds("truncate", 300, "export", self.altered(700, lambda r: r.__delitem__(slice(300, None))))

    def test_flip_is_found_alone_and_located_against_a_copy(self):
        def flip(r):
            r[300] = r[300].replace(b"req_a", b"req_x")
        path = self.altered(700, flip)
        self.finds("flip", None, "export", path)


class Tiles(Case):
    """Only a file of the tree is altered."""

    def flipped(self, size, name, at):
        path = self.exported(Log(size), "e")
        data = bytearray(open(os.path.join(path, name), "rb").read())
        data[at] ^= 4
        put(path, name, bytes(data))
        return path

    def test_a_hash_of_a_full_tile(self):
        self.finds("flip", 17, "export", self.flipped(700, tile_path("0", 0, 256), 17 * 32))

    def test_a_hash_at_the_edge(self):
        self.finds("flip", 519, "export", self.flipped(700, tile_path("0", 2, 188), 7 * 32))

    def test_a_hash_of_level_one(self):
        self.finds("flip", 256, "export", self.flipped(700, tile_path("1", 0, 2), 40))

    def test_one_record_and_its_hash_in_a_full_tile(self):
        log = Log(700)
        path = self.exported(log)
        log.records[100] = log.records[100].replace(b"req_a", b"req_x")
        log.write_records(path)
        put(path, tile_path("0", 0, 256), b"".join(log.hashes()[:256]))
        found = self.finds("flip", 0, "export", path)
        self.assertEqual(found["last"], 255)

    def test_a_tile_that_is_gone(self):
        path = self.exported(Log(700))
        os.remove(os.path.join(path, tile_path("0", 1, 256)))
        self.finds("flip", 256, "export", path)


class Heads(Case):
    def test_a_saved_head_tells_of_a_roll_back(self):
        log = Log(700)
        head = self.put_text("head", log.note())
        old = self.exported(Log(600))
        self.is_good("export", old)
        self.finds("rollback", 600, "export", old, "--head", head)

    def test_saved_heads_tell_of_a_fork_and_between_which_of_them(self):
        log, fork = Log(700), Log(800, fork_at=450)
        heads = []
        for size in (100, 400, 500, 700):
            heads += ["--head", self.put_text("h%d" % size, log.note(size))]
        path = self.exported(fork)
        self.is_good("export", path, *heads[:4])
        found = self.finds("fork", 400, "export", path, *heads)
        self.assertEqual(found["last"], 499)

    def test_a_copy_tells_the_first_record_of_a_fork(self):
        old = self.exported(Log(700), "old")
        new = self.exported(Log(800, fork_at=450), "new")
        self.finds("fork", 450, "export", new, "--against", old)
        self.finds("fork", 450, "export", old, "--against", new)

    def test_a_copy_tells_of_a_roll_back(self):
        old, new = self.exported(Log(700), "old"), self.exported(Log(512), "new")
        self.finds("rollback", 512, "export", new, "--against", old)
        self.is_good("export", old, "--against", new)

    def test_consistency_of_every_pair(self):
        log = Log(40)
        for old in range(1, 41):
            older = self.put_text("older", log.note(old))
            for new in range(old, 41):
                newer = self.put_text("newer", log.consistency(old, new))
                self.is_good("heads", older, newer, "--key", log.vkey())

    def test_two_heads_of_a_fork(self):
        log, fork = Log(300), Log(500, fork_at=20)
        older = self.put_text("older", log.note())
        self.finds("fork", 0, "heads", older, self.put_text("n", fork.consistency(300)), "--key", log.vkey())
        self.finds("fork", 0, "heads", older, self.put_text("n", fork.note(300)), "--key", log.vkey())

    def test_two_heads_of_a_roll_back(self):
        log = Log(300)
        self.finds("rollback", 200, "heads", self.put_text("o", log.note()), self.put_text("n", log.note(200)),
                   "--key", log.vkey())

    def test_two_heads_need_a_proof(self):
        log = Log(300)
        code, _, err = run("heads", self.put_text("o", log.note(200)), self.put_text("n", log.note()),
                           "--key", log.vkey())
        self.assertEqual(code, 2)
        self.assertIn("from 200 to 300", err)

    def test_a_head_that_was_altered_or_is_anothers(self):
        log = Log(300)
        path = self.exported(log)
        put(path, "checkpoint", log.note().replace("\n300\n", "\n301\n").encode())
        self.finds("signature", None, "export", path)
        put(path, "checkpoint", Log(300, b"\x08" * 32).note().encode())
        self.finds("signature", None, "export", path)
        put(path, "key", Log(1, b"\x08" * 32).vkey().encode())
        self.is_good("export", path)
        self.finds("signature", None, "export", path, "--key", log.vkey())


class Proofs(Case):
    def test_every_proof_is_good(self):
        for size in (1, 2, 7, 8, 33):
            log = Log(size)
            for i in range(size):
                proof, record = self.put_text("p", log.proof(i)), self.put_text("r", log.records[i] + b"\n")
                self.assertEqual(self.is_good("proof", proof, record, "--key", log.vkey())["index"], i)

    def test_another_record_or_an_altered_proof_is_not(self):
        log = Log(33)
        proof = log.proof(5)
        self.finds("swap", 5, "proof", self.put_text("p", proof), self.put_text("r", log.records[6]),
                   "--key", log.vkey())
        self.finds("flip", 5, "proof", self.put_text("p", proof),
                   self.put_text("r", log.records[5].replace(b"req", b"reb")), "--key", log.vkey())
        lines = proof.split("\n")
        lines[2], lines[3] = lines[3], lines[2]
        self.finds("flip", 5, "proof", self.put_text("p", "\n".join(lines)), self.put_text("r", log.records[5]),
                   "--key", log.vkey())

    def test_what_is_no_proof_is_said(self):
        log = Log(3)
        for text in ("", "c2sp.org/tlog-proof@v1\n", "x\n\n" + log.note(), log.proof(1).replace("index 1", "index 01"),
                     "c2sp.org/tlog-proof@v1\nindex 1\nAAAA\n\n" + log.note()):
            code, _, err = run("proof", self.put_text("p", text), self.put_text("r", log.records[1]),
                               "--key", log.vkey())
            self.assertEqual(code, 2, text)
            self.assertTrue(err.startswith("verify_log: "), err)


class Hostile(Case):
    def test_nothing_of_any_file_brings_it_down(self):
        log = Log(300)
        path = self.exported(log)
        for name in ("checkpoint", "key", tile_path("0", 0, 256), tile_path("entries", 1, 44), tile_path("1", 0, 1)):
            whole = open(os.path.join(path, name), "rb").read()
            for junk in (b"", b"\xff" * 100, whole[:-1], whole + b"x", b"\n\n", whole[:3], b"9" * 70000):
                with self.subTest(name=name, junk=junk[:8]):
                    put(path, name, junk)
                    if name == "key" and junk == whole[:-1] or name.startswith(("tile/0", "tile/1")) and junk == whole + b"x":
                        continue  # a line needs no end, and what is behind a tile is not looked at
                    self.assertIn(run("export", path)[0], (1, 2))
            put(path, name, whole)
        self.is_good("export", path)

    def test_what_is_neither_folder_nor_tar_is_said(self):
        code, _, err = run("export", self.put_text("x", "no tar"))
        self.assertEqual(code, 2)
        self.assertIn("neither a folder nor a tar", err)

    def test_a_record_that_was_signed_and_is_none_is_named(self):
        log = Log(300)
        log.records[270] = b"[" * 9000
        self.finds("form", 270, "export", self.exported(log))
        self.assertRaises(Fault, Export(self.place("export")).check)


if __name__ == "__main__":
    unittest.main()
