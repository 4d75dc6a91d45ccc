#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks limner's log without limner: an export, one proof, or two heads; names what is wrong, and where.

    verify_log.py export PATH [--key KEY] [--head FILE ...] [--against PATH]
    verify_log.py proof PROOF RECORD [--key KEY]
    verify_log.py heads OLDER NEWER [--key KEY]

PATH is a folder or a tar. KEY is a line ORIGIN+KEYID+BASE64, or a file that holds one; without it the
export's own `key` is believed, which shows that nothing was altered by others, and nothing about who
signed. RECORD is one line of the log. NEWER is a checkpoint, or a consistency proof with its
checkpoint. Ends with 0: it is right; 1: it is not; 2: it could not be looked at.

Written from RFC 9162 and C2SP's tlog-tiles, tlog-checkpoint, signed-note and tlog-proof; it shares
nothing with the server. Needs Python 3.9 and the package `cryptography`.
"""

import argparse
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from compare import check_exports, check_heads_against, check_proof, check_two_heads  # noqa: E402
from export import Export  # noqa: E402
from files import RECORD_MAX, read_text  # noqa: E402
from notes import Checkpoint, Key  # noqa: E402
from trouble import Fault, Unreadable  # noqa: E402


def run_export(args):
    key = Key.given(args.key) if args.key else None
    export = Export(args.path, key)
    found = export.check()
    check_heads_against(export, [Checkpoint(read_text(h), export.key, h) for h in args.head])
    if args.against:
        other = Export(args.against, export.key)
        try:
            other.check()
        except Fault as fault:
            raise Unreadable("%s, which it should be compared with, is not right itself: %s"
                             % (args.against, fault.says)) from fault
        check_exports(other, export)
    if export.own_key:
        found["note"] = "the key came with the export: compare it with one that you have from elsewhere"
    found["key"] = export.key.line
    return found


def read_record(path):
    try:
        with open(path, "rb") as f:
            record = f.read(RECORD_MAX + 2)
    except OSError as e:
        raise Unreadable("%s: %s" % (path, e.strerror)) from e
    return record[:-1] if record.endswith(b"\n") else record


def run_proof(args):
    return check_proof(read_text(args.proof), read_record(args.record), Key.given(args.key))


def run_heads(args):
    return check_two_heads(read_text(args.older), read_text(args.newer), Key.given(args.key))


def parser():
    p = argparse.ArgumentParser(prog="verify_log.py", description=__doc__.split("\n")[0])
    p.add_argument("--json", action="store_true", help="for programs")
    words = p.add_subparsers(dest="word", required=True)
    e = words.add_parser("export", help="a whole copy of the log")
    e.add_argument("path")
    e.add_argument("--key")
    e.add_argument("--head", action="append", default=[], help="a checkpoint that was saved before")
    e.add_argument("--against", help="an older copy")
    e.set_defaults(run=run_export)
    o = words.add_parser("proof", help="that one record is in the log")
    o.add_argument("proof")
    o.add_argument("record")
    o.add_argument("--key", required=True)
    o.set_defaults(run=run_proof)
    h = words.add_parser("heads", help="that one head follows another")
    h.add_argument("older")
    h.add_argument("newer")
    h.add_argument("--key", required=True)
    h.set_defaults(run=run_heads)
    return p


def main(argv=None):
    args = parser().parse_args(argv)
    try:
        found = args.run(args)
    except Unreadable as e:
        sys.stderr.write("verify_log: %s\n" % e)
        return 2
    except Fault as f:
        if args.json:
            print(json.dumps({"ok": False, "fault": f.kind, "index": f.index, "last": f.last, "says": f.says}))
        else:
            where = "no single record" if f.index is None else "record %d" % f.index
            print("BAD  %s, %s: %s" % (f.kind, where, f.says))
        return 1
    if args.json:
        print(json.dumps(dict(found, ok=True)))
    else:
        print("GOOD " + ", ".join("%s %s" % (k, v) for k, v in found.items() if k != "record"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
