#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Manifests before somebody else's reader and writer: c2pa-python, the official library.

    c2pa_check.py TEST_MANIFEST

Every file of ours has to be valid for it but for the certificate, which a development authority
made, and a changed byte of the picture or of the manifest has to be found. What it signs our own
reader has to find signed and bound, and no longer so with a byte changed. Without the package (also
not in .venv/oracle, or in the Python that LIMNER_ORACLE_PYTHON names) it exits with 77, a skip.
"""
import json
import os
import random
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TYPES = {"png": "image/png", "webp": "image/webp", "jpg": "image/jpeg"}
NAMES = ("es256", "longer", "longest", "ed25519")  # what TEST_MANIFEST writes
UNTRUSTED = "signingCredential.untrusted"
CREATED = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
FLIPS = 60  # of a file, beside the chosen places


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


def is_found(state, wrong):
    return state in ("Invalid", "unreadable") and bool(set(wrong) - {UNTRUSTED})


def check_said(said):
    manifest = said["manifests"][said["active_manifest"]]
    labels = {assertion["label"]: assertion["data"] for assertion in manifest["assertions"]}
    actions = labels["c2pa.actions.v2"]["actions"]
    assert actions[0]["action"] == "c2pa.created"
    assert actions[0]["digitalSourceType"] == CREATED
    assert actions[0]["softwareAgent"]["name"] == "limner"
    assert actions[1]["action"] == "c2pa.watermarked.unbound"
    assert labels["limner.picture"]["id"] == "1234567890abcdef"
    assert manifest["signature_info"]["issuer"] == "Example GmbH"


def content(said):
    """What a reader is told, without what the library makes of it."""
    manifest = said["manifests"][said["active_manifest"]]
    return [manifest[key] for key in ("assertions", "claim_generator_info", "signature_info")]


def block_of(data, end):
    """Where the manifest lies."""
    at = data.find({"png": b"caBX", "webp": b"C2PA", "jpg": b"\xff\xeb"}[end])
    if end == "png":
        return range(at - 4, at + 8 + int.from_bytes(data[at - 4:at], "big"))
    if end == "webp":
        return range(at, at + 8 + int.from_bytes(data[at + 4:at + 8], "little"))
    behind = at
    while data[behind:behind + 2] == b"\xff\xeb":
        behind += 2 + int.from_bytes(data[behind + 2:behind + 4], "big")
    return range(at, behind)


def frame_of(data, end):
    """Bytes that our reader does not look at: the check sum of the PNG's chunk, and which of the
    JPEG's boxes it is."""
    block = block_of(data, end)
    return {"png": block[-4:], "jpg": block[6:8], "webp": range(0)}[end]


def check(c2pa, folder, name, end):
    path, changed = (os.path.join(folder, stem + "." + end) for stem in (name, "changed"))
    state, wrong, said = read(c2pa, path, TYPES[end])
    assert state == "Valid" and set(wrong) <= {UNTRUSTED}, (name, end, state, wrong)
    check_said(said)

    with open(path, "rb") as file:
        data = file.read()
    places = {"claim": data.find(b"claim_generator_info"),
              "assertion": data.find(b"trainedAlgorithmicMedia", data.find(b"c2pa.actions.v2")),
              "signature": data.find(b"c2pa.signature\0") + 40,
              "picture": {"png": data.find(b"IDAT") + 20, "webp": data.find(b"VP8 ") + 60,
                          "jpg": data.find(b"\xff\xda") + 60}[end]}
    for what, at in places.items():
        assert at > 20, (end, what)
        flip(data, min(at, len(data) - 1), changed)
        state, wrong, _ = read(c2pa, changed, TYPES[end])
        assert is_found(state, wrong), (name, end, what, state)
    block = block_of(data, end)
    for at in random.Random(len(data)).sample(range(len(data)), FLIPS):
        flip(data, at, changed)
        state, wrong, changed_said = read(c2pa, changed, TYPES[end])
        if not is_found(state, wrong):  # it is lenient with lengths and labels of boxes
            assert at in block and content(changed_said) == content(said), (name, end, at)
    print(f"{name}.{end}: valid, and {FLIPS + len(places)} changes were found")


def sign(c2pa, folder, end):
    """A picture as the library signs it, with our keys."""
    with open(os.path.join(folder, "c2pa.pem"), "rb") as file:
        key = file.read()
    with open(os.path.join(folder, "c2pa-chain.pem"), "rb") as file:
        chain = file.read()
    said = {"claim_generator_info": [{"name": "somebody", "version": "1"}],
            "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [
                {"action": "c2pa.created", "digitalSourceType": CREATED}]}}]}
    info = c2pa.C2paSignerInfo(alg=b"es256", sign_cert=chain, private_key=key, ta_url=None)
    path = os.path.join(folder, "theirs." + end)
    with c2pa.Signer.from_info(info) as signer, c2pa.Builder(json.dumps(said)) as builder, \
            open(os.path.join(folder, "plain." + end), "rb") as plain, open(path, "w+b") as out:
        builder.sign(signer, TYPES[end], plain, out)
    return path


def check_ours(program, folder, path, end):
    """Our own reader of what the library signed."""
    def ask(path):
        return subprocess.run([program, folder, path], cwd=ROOT, capture_output=True, text=True,
                              check=False).stdout.split()
    said = ask(path)
    assert said == ["signed", "bound", "ours", "generated"], (end, said)
    with open(path, "rb") as file:
        data = file.read()
    changed = os.path.join(folder, "changed." + end)
    frame, block = frame_of(data, end), block_of(data, end)
    # What fills up the signature's box is in no hash: an unprotected header of COSE.
    pad = range(data.rfind(b"cpad", block.start, block.stop), block.stop - 64)
    for at in random.Random(len(data)).sample(range(len(data)), FLIPS):
        flip(data, at, changed)
        said = ask(changed)
        assert not {"signed", "bound"} <= set(said) or at in frame or at in pad, (end, at, said)
    print(f"theirs.{end}: signed and bound for our reader, and {FLIPS} changes were found")


def main():
    c2pa = find_c2pa()
    program = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([program, folder], cwd=ROOT, check=True)
        for end in TYPES:
            for name in NAMES:
                check(c2pa, folder, name, end)
            check_ours(program, folder, sign(c2pa, folder, end), end)
    print("all manifests are valid, and every change was found")


if __name__ == "__main__":
    main()
