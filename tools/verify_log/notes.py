# SPDX-License-Identifier: Apache-2.0
"""Keys, signed heads and proofs as text: C2SP's signed-note, tlog-checkpoint and tlog-proof."""

import base64
import binascii
import hashlib
import os
import sys

from files import read_text
from merkle import HASH, SIZE_MAX
from trouble import Fault, Unreadable

try:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
except ImportError:
    sys.stderr.write("verify_log: install the package `cryptography` (pip install cryptography)\n")
    sys.exit(2)

DASH = "\u2014 "
PROOF_HEAD = "c2sp.org/tlog-proof@v1"
PROOF_MAX = 64


def unbase64(text, size, what):
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as e:
        raise Unreadable("%s is no base64" % what) from e
    if len(data) != size or base64.b64encode(data).decode() != text:
        raise Unreadable("%s is not the base64 of %d bytes" % (what, size))
    return data


def number(text, what, most=SIZE_MAX):
    if not text.isascii() or not text.isdigit() or len(text) > 18 or str(int(text)) != text or int(text) > most:
        raise Unreadable("%s is no number" % what)
    return int(text)


class Key:
    def __init__(self, line):
        parts = line.strip().split("+", 2)
        if len(parts) != 3:
            raise Unreadable("a key is a line ORIGIN+KEYID+BASE64")
        self.origin, hex_id, public = parts
        both = unbase64(public, 1 + HASH, "the key")
        if both[0] != 1:
            raise Unreadable("the key is not Ed25519")
        self.id = hashlib.sha256(self.origin.encode() + b"\n" + both).digest()[:4]
        if hex_id != self.id.hex():
            raise Unreadable("the key's id does not belong to it: it was altered")
        self.line, self.public = line.strip(), Ed25519PublicKey.from_public_bytes(both[1:])

    @staticmethod
    def given(text):
        """From the command line: the key itself, or a file with it."""
        if os.path.exists(text):
            text = read_text(text)
        return Key(text)


class Checkpoint:
    """A signed head. Its signature is checked when it is read."""

    def __init__(self, text, key, what="the checkpoint"):
        end = text.find("\n\n")
        if end < 0 or not text.endswith("\n"):
            raise Unreadable("%s is none: there is no empty line before its signatures" % what)
        body, lines = text[: end + 1], text[end + 2 :].splitlines()
        head = body.split("\n")
        if len(head) < 4:
            raise Unreadable("%s is none: three lines are needed" % what)
        self.text, self.origin = text, head[0]
        self.size = number(head[1], "the size of " + what)
        self.root = unbase64(head[2], HASH, "the root of " + what)
        for line in lines:
            if self._signed(body, line, key):
                break
        else:
            raise Fault("signature", None, "%s is not signed by %s: it was altered, or is of another log"
                        % (what, key.origin))
        if self.origin != key.origin:
            raise Fault("signature", None, "%s is of %s, not of %s" % (what, self.origin, key.origin))

    @staticmethod
    def _signed(body, line, key):
        if not line.startswith(DASH + key.origin + " "):
            return False
        try:
            blob = unbase64(line[len(DASH + key.origin) + 1 :], 4 + 64, "a signature")
            if blob[:4] != key.id:
                return False
            key.public.verify(blob[4:], body.encode())
        except (Unreadable, InvalidSignature):
            return False
        return True


def hashes_of(lines, what):
    if len(lines) > PROOF_MAX:
        raise Unreadable("%s has too many hashes" % what)
    return [unbase64(line, HASH, "hash %d of %s" % (i + 1, what)) for i, line in enumerate(lines)]


def parse_proof(text):
    """index, hashes and the checkpoint's text of a tlog-proof."""
    end = text.find("\n\n")
    lines = text[: max(end, 0)].split("\n")
    if end < 0 or lines.pop(0) != PROOF_HEAD:
        raise Unreadable("this is no proof: it begins with %s and has a checkpoint" % PROOF_HEAD)
    if lines and lines[0].startswith("extra "):
        lines.pop(0)
    if not lines or not lines[0].startswith("index "):
        raise Unreadable("the proof has no index")
    return number(lines[0][6:], "the proof's index"), hashes_of(lines[1:], "the proof"), text[end + 2 :]


def parse_consistency(text):
    """older size, hashes and the newer checkpoint's text; as a witness is told (C2SP tlog-witness)."""
    end = text.find("\n\n")
    lines = text[: max(end, 0)].split("\n")
    if end < 0 or not lines[0].startswith("old "):
        raise Unreadable("this is no consistency proof: it begins with `old SIZE`")
    return number(lines[0][4:], "the older size"), hashes_of(lines[1:], "the proof"), text[end + 2 :]
