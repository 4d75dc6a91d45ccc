# SPDX-License-Identifier: Apache-2.0
"""Harmless pictures, drawn here, for what a server would send."""

import struct
import zlib


def png(width, height, pixel):
    """A picture of pixel(x, y) -> (r, g, b)."""
    def chunk(kind, data):
        return (struct.pack(">I", len(data)) + kind + data +
                struct.pack(">I", zlib.crc32(kind + data)))

    rows = b"".join(b"\0" + bytes(v for x in range(width) for v in pixel(x, y)) for y in range(height))
    head = struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) +
            chunk(b"IEND", b""))


def drawing(x, y):
    """Hills under a sky, and a sun; 256 by 256."""
    sun = (x - 190) ** 2 + (y - 62) ** 2 < 26 ** 2
    hill = y > 170 - 40 * (1 - ((x - 80) / 150) ** 2)
    near = y > 205 - 24 * (1 - ((x - 210) / 140) ** 2)
    return ((74, 124, 89) if near else (126, 166, 120) if hill else (247, 210, 110) if sun
            else (200 - y // 4, 220 - y // 8, 240))


def grey(x, y):
    return (sum(drawing(x, y)) // 3,) * 3


def haze(x, y):
    """The same, as a preview is: nothing can be told."""
    return (196 - x // 6, 190 + y // 16, 200 - y // 4)
