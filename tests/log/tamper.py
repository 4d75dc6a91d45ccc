#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A log that limner wrote and exported, altered in every way: the verifier has to find and locate each.

    tests/log/tamper.py LIMNER WRITE_LOG

Ends with 77 (skipped) without the Python package `cryptography`. Works on a log of 700 records and on an
export of it as a folder and as a tar; what limner says itself (`limner log verify`) is compared, too.
"""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
VERIFIER = os.path.join(ROOT, "tools/verify_log/verify_log.py")
SIZE = 700

try:
    import cryptography  # noqa: F401
except ImportError:
    print("skipped: there is no package `cryptography`")
    sys.exit(77)

LIMNER, WRITE_LOG = sys.argv[1], sys.argv[2]
checks = 0


def call(*args):
    done = subprocess.run(args, capture_output=True, text=True)
    if done.returncode:
        sys.exit("%s ended with %d: %s" % (" ".join(args), done.returncode, done.stderr))
    return done.stdout


def limner_log(state, *args):
    return call(LIMNER, "log", *args, "--state", state)


def verifier(*args):
    done = subprocess.run([sys.executable, VERIFIER, "--json", *args], capture_output=True, text=True)
    found = json.loads(done.stdout) if done.stdout else {"says": done.stderr}
    return done.returncode, found


def good(*args):
    global checks
    checks += 1
    code, found = verifier(*args)
    if code:
        sys.exit("FAIL: %s is good, but the verifier says %d %s" % (args, code, found))
    return found


def finds(kind, index, *args, last=None):
    global checks
    checks += 1
    code, found = verifier(*args)
    if (code, found.get("fault"), found.get("index")) != (1, kind, index) or (last and found["last"] != last):
        sys.exit("FAIL: %s at %s was not found in %s, but %d %s" % (kind, index, args, code, found))


def bundle_path(export, n, width):
    return os.path.join(export, "tile/entries/%03d%s" % (n, "" if width == 256 else ".p/%d" % width))


def read_records(export):
    out = []
    for n in range(0, (SIZE + 255) // 256):
        data = open(bundle_path(export, n, min(256, SIZE - 256 * n)), "rb").read()
        while data:
            size = int.from_bytes(data[:2], "big")
            out.append(data[2 : 2 + size])
            data = data[2 + size :]
    return out


def write_records(export, records):
    shutil.rmtree(os.path.join(export, "tile/entries"))
    for n in range(0, len(records), 256):
        part = records[n : n + 256]
        path = bundle_path(export, n // 256, len(part))
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(b"".join(len(r).to_bytes(2, "big") + r for r in part))


def flip(r, i):
    at = len(r[i]) * 2 // 3
    r[i] = r[i][:at] + bytes([r[i][at] ^ 1]) + r[i][at + 1 :]


def drop(r, i):
    del r[i]


def duplicate(r, i):
    r.insert(i, r[i - 1])


def swap(r, i):
    r[i], r[i + 1] = r[i + 1], r[i]


def truncate(r, i):
    del r[i:]


def alter_records(work, export):
    records = read_records(export)
    copy = os.path.join(work, "altered")
    for change in (flip, drop, duplicate, swap, truncate):
        for i in (1, 100, 255, 256, 511, 512, SIZE - 2):
            shutil.copytree(export, copy)
            altered = list(records)
            change(altered, i)
            write_records(copy, altered)
            finds(change.__name__, i, "export", copy)
            shutil.rmtree(copy)


def alter_any_byte(work, export):
    """One byte of each file: found, whatever it is of."""
    copy = os.path.join(work, "flipped")
    for folder, _, files in os.walk(export):
        for name in files:
            path = os.path.relpath(os.path.join(folder, name), export)
            for at in (0, 40, -2):
                shutil.copytree(export, copy)
                data = bytearray(open(os.path.join(copy, path), "rb").read())
                data[at] ^= 1
                open(os.path.join(copy, path), "wb").write(data)
                code, found = verifier("export", copy)
                if code not in (1, 2):
                    sys.exit("FAIL: byte %d of %s was flipped, and the verifier says %s" % (at, path, found))
                shutil.rmtree(copy)


def alter_history(work, state, export, first):
    """A roll back, and a fork: the operator himself has the key, and signs whatever he likes."""
    head = os.path.join(work, "head")
    with open(head, "w") as f:
        f.write(limner_log(state, "checkpoint"))
    old = os.path.join(work, "old.tar")
    limner_log(first, "export", old)
    begun = good("export", old)["size"]
    finds("rollback", begun, "export", old, "--head", head)
    finds("rollback", SIZE, "export", export, "--against", export + ".tar")
    call(WRITE_LOG, first, "5000", "400")
    fork = os.path.join(work, "fork")
    limner_log(first, "export", fork)
    good("export", fork)
    finds("fork", begun - 1, "export", fork, "--against", export)
    finds("fork", 0, "export", fork, "--head", head, last=SIZE)
    early = os.path.join(work, "early")
    key = limner_log(state, "key").strip()
    with open(early, "w") as f:
        f.write(limner_log(first, "checkpoint"))
    finds("rollback", SIZE + 1, "heads", early, head, "--key", key)
    newer = os.path.join(work, "newer")
    with open(newer, "w") as f:
        f.write(limner_log(first, "consistency", str(SIZE + 1)))
    finds("fork", 0, "heads", head, newer, "--key", key)
    done = subprocess.run([LIMNER, "log", "verify", "--state", first, "--head", head], capture_output=True, text=True)
    if done.returncode != 1 or "forked" not in done.stderr:
        sys.exit("FAIL: limner log verify does not see the fork: %s" % done.stderr)


def prove(work, state):
    key = limner_log(state, "key").strip()
    proof, record, other = (os.path.join(work, n) for n in ("proof", "record", "other"))
    for i in (0, 255, 256, SIZE - 1):
        for path, word in ((proof, "proof"), (record, "record")):
            with open(path, "w") as f:
                f.write(limner_log(state, word, str(i)))
        good("proof", proof, record, "--key", key)
        with open(other, "w") as f:
            f.write(open(record).read().replace('"time_ns":1', '"time_ns":2'))
        finds("flip", i, "proof", proof, other, "--key", key)


def pack(work, state):
    """Evidence checks itself, with the verifier that came with it."""
    tar, folder = os.path.join(work, "pack.tar"), os.path.join(work, "pack")
    limner_log(state, "evidence", "%016x" % (1000 + 77), "-o", tar, "--reason", "a court")
    call("tar", "-C", work, "--one-top-level=pack", "-xf", tar)
    done = subprocess.run(["sha256sum", "-c", "--quiet", "SHA256SUMS"], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        sys.exit("FAIL: sums of the evidence: %s%s" % (done.stdout, done.stderr))
    args = [sys.executable, "verifier/verify_log.py", "--json", "proof", "proof", "record", "--key", "key"]
    done = subprocess.run(args, cwd=folder, capture_output=True, text=True)
    found = json.loads(done.stdout or "{}")
    if done.returncode or found["index"] != 77 or found["record"]["id"] != "%016x" % (1000 + 77):
        sys.exit("FAIL: the evidence says %s%s" % (done.stdout, done.stderr))


def alter_store(state):
    """The store's own rows: found by limner itself, and in an export of it."""
    db = sqlite3.connect(os.path.join(state, "limner.db"))
    db.execute("UPDATE leaves SET record = CAST(replace(CAST(record AS TEXT), '\"width\":512', '\"width\":513') AS BLOB) "
               "WHERE leaf = 300")
    db.commit()
    db.close()
    done = subprocess.run([LIMNER, "log", "verify", "--json", "--state", state], capture_output=True, text=True)
    found = json.loads(done.stdout)
    if done.returncode != 1 or found["index"] != 300:
        sys.exit("FAIL: limner log verify says %s" % done.stdout)
    export = state + ".export"
    limner_log(state, "export", export)
    finds("flip", 300, "export", export)
    shutil.rmtree(export)


def main():
    work = tempfile.mkdtemp(prefix="tamper.")
    try:
        first, state = os.path.join(work, "first"), os.path.join(work, "state")
        os.mkdir(first)
        call(WRITE_LOG, first, "0", "450")
        shutil.copytree(first, state)
        call(WRITE_LOG, state, "450", str(SIZE - 450 - 1))
        if "as it was" not in limner_log(state, "verify"):
            sys.exit("FAIL: limner log verify")
        export, tar = os.path.join(work, "export"), os.path.join(work, "export.tar")
        limner_log(state, "export", export, "--reason", "a test")
        if good("export", export)["size"] != SIZE:
            sys.exit("FAIL: the export has not its own record")
        limner_log(state, "export", tar)
        good("export", tar, "--against", export, "--key", limner_log(state, "key").strip())
        alter_records(work, export)
        alter_any_byte(work, export)
        alter_history(work, state, export, first)
        prove(work, state)
        pack(work, state)
        alter_store(state)
    finally:
        shutil.rmtree(work)
    print("%d answers of the verifier were right" % checks)


if __name__ == "__main__":
    main()
