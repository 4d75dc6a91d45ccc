# SPDX-License-Identifier: Apache-2.0
"""The files of an export, in a folder or a tar, and the records in them."""

import json
import os
import tarfile

from merkle import TILE
from trouble import Unreadable

RECORD_MAX = 16384
TEXT_MAX = 65536
FILE_MAX = TILE * (RECORD_MAX + 2)


def read_text(path):
    try:
        with open(path, "rb") as f:
            return as_text(f.read(TEXT_MAX + 1), path)
    except OSError as e:
        raise Unreadable("%s: %s" % (path, e.strerror)) from e


def as_text(data, what):
    if len(data) > TEXT_MAX:
        raise Unreadable("%s is too long" % what)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as e:
        raise Unreadable("%s is no text" % what) from e


class Files:
    """The files of an export, by their names in it. Nothing is unpacked."""

    def __init__(self, path):
        self.path, self.tar, self.members = path, None, {}
        if os.path.isdir(path):
            return
        try:
            self.tar = tarfile.open(path, "r:*")
            for m in self.tar:
                name = os.path.normpath(m.name)
                if m.isfile() and m.size <= FILE_MAX:
                    self.members.setdefault(name, m)
        except (OSError, tarfile.TarError, EOFError) as e:
            raise Unreadable("%s is neither a folder nor a tar: %s" % (path, e)) from e

    def read(self, name):
        """None when there is no such file."""
        if self.tar:
            member = self.members.get(name)
            return self.tar.extractfile(member).read() if member else None
        try:
            with open(os.path.join(self.path, name), "rb") as f:
                return f.read(FILE_MAX + 1)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as e:
            raise Unreadable("%s: %s" % (os.path.join(self.path, name), e.strerror)) from e


def tile_path(kind, n, width):
    """tile/KIND/x001/x234/067, and .p/WIDTH behind it when the tile is not full."""
    name = "%03d" % (n % 1000)
    while n >= 1000:
        n //= 1000
        name = "x%03d/%s" % (n % 1000, name)
    return "tile/%s/%s%s" % (kind, name, "" if width == TILE else ".p/%d" % width)


def split_bundle(data):
    """The records of a bundle; what is behind the last whole one is left out."""
    records, at = [], 0
    while at + 2 <= len(data):
        size = int.from_bytes(data[at : at + 2], "big")
        if at + 2 + size > len(data):
            break
        records.append(data[at + 2 : at + 2 + size])
        at += 2 + size
    return records


def fields(record):
    """The record as a dictionary; empty when it is none."""
    try:
        found = json.loads(record)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def own_index(record):
    index = fields(record).get("index")
    return index if isinstance(index, int) and not isinstance(index, bool) else None
