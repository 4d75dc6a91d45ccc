#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Manifests before somebody else's reader: c2pa-python, the official library.

    c2pa_check.py TEST_MANIFEST

Every format has to be valid but for the certificate, which a development authority made; a changed
byte of the picture or of the manifest has to be found. Without the package (also not in
.venv/oracle, or in the Python that LIMNER_ORACLE_PYTHON names) it exits with 77, a skip.
"""
import json
import os
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TYPES = {"png": "image/png", "webp": "image/webp", "jpg": "image/jpeg"}
UNTRUSTED = "signingCredential.untrusted"


def find_c2pa():
    """The package, or this script again in a Python that has it."""
    try:
        import c2pa
        return c2pa
    except ImportError:
        pass
    if not os.environ.get("LIMNER_C2PA_TRIED"):
        os.environ["LIMNER_C2PA_TRIED"] = "1"
        for path in (os.environ.get("LIMNER_ORACLE_PYTHON"),
                     os.path.join(ROOT, ".venv/oracle/bin/python")):
            if path and os.path.exists(path):
                os.execv(path, [path, *sys.argv])
    print("c2pa-python is not installed")
    sys.exit(77)


def read(c2pa, path, media_type):
    """What the library says of a file: its state, and what is wrong."""
    try:
        with open(path, "rb") as file, c2pa.Reader(media_type, file) as reader:
            said = json.loads(reader.json())
    except c2pa.C2paError as error:
        return "unreadable", [str(error)], {}
    wrong = [status["code"] for status in said.get("validation_status", [])]
    return said["validation_state"], wrong, said


def flip(data, at, path):
    with open(path, "wb") as out:
        out.write(data[:at] + bytes([data[at] ^ 0x20]) + data[at + 1:])


def check(c2pa, folder, end):
    path = os.path.join(folder, "signed." + end)
    state, wrong, said = read(c2pa, path, TYPES[end])
    assert state == "Valid" and set(wrong) <= {UNTRUSTED}, (end, state, wrong)
    manifest = said["manifests"][said["active_manifest"]]
    labels = {assertion["label"]: assertion["data"] for assertion in manifest["assertions"]}
    created = labels["c2pa.actions.v2"]["actions"][0]
    assert created["action"] == "c2pa.created"
    assert created["digitalSourceType"].endswith("/trainedAlgorithmicMedia")
    assert labels["limner.picture"]["id"] == "1234567890abcdef"
    assert manifest["signature_info"]["issuer"] == "Example GmbH"

    with open(path, "rb") as file:
        data = file.read()
    changed = os.path.join(folder, "changed." + end)
    places = {"claim": data.find(b"claim_generator_info"),
              "assertion": data.find(b"trainedAlgorithmicMedia", data.find(b"c2pa.actions.v2")),
              "signature": data.find(b"c2pa.signature\0") + 40,
              "picture": {"png": data.find(b"IDAT") + 20, "webp": data.find(b"VP8 ") + 60,
                          "jpg": data.find(b"\xff\xda") + 60}[end]}
    for what, at in places.items():
        assert at > 20, (end, what)
        flip(data, min(at, len(data) - 1), changed)
        state, wrong, _ = read(c2pa, changed, TYPES[end])
        assert state in ("Invalid", "unreadable") and set(wrong) - {UNTRUSTED}, (end, what, state)
        print(f"{end}: a changed {what} is {state}: {', '.join(sorted(set(wrong)))[:100]}")


def main():
    c2pa = find_c2pa()
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.argv[1], folder], cwd=ROOT, check=True)
        for end in TYPES:
            check(c2pa, folder, end)
    print("all manifests are valid, and every change was found")


if __name__ == "__main__":
    main()
