# SPDX-License-Identifier: Apache-2.0
"""A small drawing board: smooth shapes on 256 x 256 pixels, by their distance to every pixel.

Coordinates run from 0 to 100 in both directions, y downwards. Colours are three numbers of 0 to 255.
"""
import struct
import zlib

import numpy as np

INK = (45, 40, 45)
SKIN = [(250, 222, 200), (236, 188, 155), (214, 158, 120), (170, 112, 78), (122, 78, 54), (78, 50, 38)]
RED, DARK_RED, PINK, PURPLE = (200, 60, 60), (140, 30, 35), (240, 170, 175), (120, 70, 140)
BONE, YELLOW, BLUE, GREEN = (240, 232, 210), (245, 215, 120), (70, 110, 190), (90, 160, 100)

PICTURES = []


def picture(function):
    """A function that draws a picture of its own name."""
    PICTURES.append(function)
    return function


SIZE = 256
UNIT = 100 / SIZE

FONT = {  # 5 x 7, a row for each number, the leftmost column is 16
    "A": (14, 17, 17, 31, 17, 17, 17), "B": (30, 17, 17, 30, 17, 17, 30),
    "C": (14, 17, 16, 16, 16, 17, 14), "D": (30, 17, 17, 17, 17, 17, 30),
    "E": (31, 16, 16, 30, 16, 16, 31), "F": (31, 16, 16, 30, 16, 16, 16),
    "G": (14, 17, 16, 23, 17, 17, 15), "H": (17, 17, 17, 31, 17, 17, 17),
    "I": (14, 4, 4, 4, 4, 4, 14), "J": (7, 2, 2, 2, 2, 18, 12),
    "K": (17, 18, 20, 24, 20, 18, 17), "L": (16, 16, 16, 16, 16, 16, 31),
    "M": (17, 27, 21, 21, 17, 17, 17), "N": (17, 25, 21, 19, 17, 17, 17),
    "O": (14, 17, 17, 17, 17, 17, 14), "P": (30, 17, 17, 30, 16, 16, 16),
    "Q": (14, 17, 17, 17, 21, 18, 13), "R": (30, 17, 17, 30, 20, 18, 17),
    "S": (15, 16, 16, 14, 1, 1, 30), "T": (31, 4, 4, 4, 4, 4, 4),
    "U": (17, 17, 17, 17, 17, 17, 14), "V": (17, 17, 17, 17, 17, 10, 4),
    "W": (17, 17, 17, 21, 21, 27, 17), "X": (17, 17, 10, 4, 10, 17, 17),
    "Y": (17, 17, 10, 4, 4, 4, 4), "Z": (31, 1, 2, 4, 8, 16, 31),
    "0": (14, 17, 19, 21, 25, 17, 14), "1": (4, 12, 4, 4, 4, 4, 14),
    "2": (14, 17, 1, 6, 8, 16, 31), "3": (30, 1, 1, 14, 1, 1, 30),
    "4": (2, 6, 10, 18, 31, 2, 2), "5": (31, 16, 30, 1, 1, 17, 14),
    "6": (14, 16, 30, 17, 17, 17, 14), "7": (31, 1, 2, 4, 8, 8, 8),
    "8": (14, 17, 17, 14, 17, 17, 14), "9": (14, 17, 17, 15, 1, 1, 14),
    "%": (25, 26, 2, 4, 8, 11, 19), "-": (0, 0, 0, 14, 0, 0, 0), " ": (0,) * 7,
}


def curve(points, closed=True, steps=10):
    """A smooth line through points (Catmull-Rom)."""
    p = [np.array(q, float) for q in points]
    n = len(p)
    out = []
    for i in range(n if closed else n - 1):
        a, b, c, d = ((p[(i + k) % n] if closed else p[min(max(i + k, 0), n - 1)])
                      for k in (-1, 0, 1, 2))
        for s in range(steps):
            t = s / steps
            out.append(0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t * t
                              + (3 * b - a - 3 * c + d) * t * t * t))
    if not closed:
        out.append(p[-1])
    return [tuple(q) for q in out]


def mirror(points, axis=50):
    return [(2 * axis - x, y) for x, y in points]


class Canvas:
    def __init__(self, paper=(255, 255, 255), seed=1):
        self.rgb = np.empty((SIZE, SIZE, 3))
        self.rgb[:] = paper
        steps = (np.arange(SIZE) + 0.5) * UNIT
        self.x, self.y = np.meshgrid(steps, steps)
        self.random = np.random.RandomState(seed)

    def paint(self, cover, colour):
        colour = np.asarray(colour, float)
        self.rgb += (colour - self.rgb) * cover[..., None]

    def area(self, distance, colour, alpha=1.0):
        """Everything whose distance is below 0."""
        self.paint(np.clip(0.5 - distance / UNIT, 0, 1) * alpha, colour)

    # Distances

    def to_ellipse(self, cx, cy, rx, ry, angle=0):
        c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
        u = ((self.x - cx) * c + (self.y - cy) * s) / rx
        v = ((self.y - cy) * c - (self.x - cx) * s) / ry
        return (np.sqrt(u * u + v * v) - 1) * min(rx, ry)

    def to_segments(self, points):
        best = np.full(self.x.shape, 1e9)
        for (ax, ay), (bx, by) in zip(points, points[1:]):
            dx, dy = bx - ax, by - ay
            length = dx * dx + dy * dy or 1e-12
            t = np.clip(((self.x - ax) * dx + (self.y - ay) * dy) / length, 0, 1)
            best = np.minimum(best, np.hypot(self.x - ax - t * dx, self.y - ay - t * dy))
        return best

    def to_polygon(self, points):
        closed = list(points) + [points[0]]
        inside = np.zeros(self.x.shape, bool)
        for (ax, ay), (bx, by) in zip(closed, closed[1:]):
            if ay != by:
                cross = (ay > self.y) != (by > self.y)
                inside ^= cross & (self.x < ax + (self.y - ay) * (bx - ax) / (by - ay))
        return np.where(inside, -1, 1) * self.to_segments(closed)

    # Shapes: filled, with an outline

    def shape(self, distance, fill=None, line=None, width=0.8, alpha=1.0):
        if fill is not None:
            self.area(distance, fill, alpha)
        if line is not None:
            self.area(np.abs(distance) - width / 2, line)

    def ellipse(self, cx, cy, rx, ry, fill=None, line=None, width=0.8, angle=0, alpha=1.0):
        self.shape(self.to_ellipse(cx, cy, rx, ry, angle), fill, line, width, alpha)

    def blob(self, points, fill=None, line=None, width=0.8, alpha=1.0):
        self.shape(self.to_polygon(curve(points)), fill, line, width, alpha)

    def polygon(self, points, fill=None, line=None, width=0.8, alpha=1.0):
        self.shape(self.to_polygon(points), fill, line, width, alpha)

    def box(self, x0, y0, x1, y1, fill=None, line=None, width=0.8):
        self.polygon([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], fill, line, width)

    def stroke(self, points, colour=(40, 40, 40), width=0.8, smooth=False, alpha=1.0):
        points = curve(points, closed=False) if smooth else points
        self.area(self.to_segments(points) - width / 2, colour, alpha)

    def arrow(self, x0, y0, x1, y1, colour=(40, 40, 40), width=0.8):
        angle = np.arctan2(y1 - y0, x1 - x0)
        self.stroke([(x0, y0), (x1, y1)], colour, width)
        for turn in (2.6, -2.6):
            self.stroke([(x1, y1), (x1 + 4 * np.cos(angle + turn), y1 + 4 * np.sin(angle + turn))],
                        colour, width)

    def text(self, x, y, words, colour=(30, 30, 30), pixels=1):
        left, top = int(x / UNIT), int(y / UNIT)
        for letter in words:
            for row, bits in enumerate(FONT[letter]):
                for column in range(5):
                    if bits >> (4 - column) & 1:
                        yy, xx = top + row * pixels, left + column * pixels
                        self.rgb[yy:yy + pixels, xx:xx + pixels] = colour
            left += 6 * pixels

    def label(self, x, y, words, at):
        """Words beside the picture, and a thin line to what they name."""
        width = 6 * len(words) * UNIT
        start = (x - 1, y + 1.2) if at[0] < x else (x + width, y + 1.2)
        self.stroke([start, at], (90, 90, 90), 0.5)
        self.text(x, y, words)

    # Textures

    def noise(self, scale, amount, mask=None):
        """Soft random spots of about `scale`, the same for the three colours."""
        cells = max(2, int(100 / scale))
        grid = self.random.randn(cells + 2, cells + 2)
        fx, fy = self.x / 100 * cells, self.y / 100 * cells
        ix, iy = fx.astype(int), fy.astype(int)
        tx, ty = fx - ix, fy - iy
        tx, ty = tx * tx * (3 - 2 * tx), ty * ty * (3 - 2 * ty)
        top = grid[iy, ix] * (1 - tx) + grid[iy, ix + 1] * tx
        bottom = grid[iy + 1, ix] * (1 - tx) + grid[iy + 1, ix + 1] * tx
        value = (top * (1 - ty) + bottom * ty) * amount
        if mask is not None:
            value = value * np.clip(0.5 - mask / UNIT, 0, 1)
        self.rgb += value[..., None]

    def glow(self, cx, cy, rx, ry, colour, strength):
        d = ((self.x - cx) / rx) ** 2 + ((self.y - cy) / ry) ** 2
        self.paint(np.exp(-d) * strength, colour)

    def scatter(self, count, inside=None, gap=0.0):
        """Places that lie inside a distance field and not too near to one another."""
        places = []
        for _ in range(count * 30):
            x, y = self.random.rand(2) * 100
            row, column = min(int(y / UNIT), SIZE - 1), min(int(x / UNIT), SIZE - 1)
            if inside is not None and inside[row, column] > -1:
                continue
            if any(np.hypot(x - a, y - b) < gap for a, b in places):
                continue
            places.append((x, y))
            if len(places) == count:
                break
        return places

    def save(self, path, colours=32):
        pixels = np.clip(np.floor(self.rgb + 0.5), 0, 255).astype(np.uint8)
        write_png(path, pixels, colours)


def write_png(path, pixels, colours):
    """Few shades of every channel keep the file small: mostly a palette does, and where it does not,
    rows are told by their neighbours."""
    step = 256 // colours
    pixels = np.minimum((pixels.astype(int) + step // 2) // step * step, 255).astype(np.uint8)
    palette, indices = np.unique(pixels.reshape(-1, 3), axis=0, return_inverse=True)
    if len(palette) <= 256:
        rows = [b"\0" + row.tobytes() for row in indices.reshape(SIZE, SIZE).astype(np.uint8)]
        write_chunks(path, 3, rows, palette.tobytes())
        return
    rows = []
    for y in range(SIZE):
        row = pixels[y].reshape(-1).astype(int)
        above = pixels[y - 1].reshape(-1).astype(int) if y else np.zeros_like(row)
        left = np.concatenate([np.zeros(3, int), row[:-3]])
        choices = [(0, row), (1, row - left), (2, row - above)]
        kind, data = min(choices, key=lambda c: np.abs(((c[1] + 128) & 255) - 128).sum())
        rows.append(bytes([kind]) + (data & 255).astype(np.uint8).tobytes())
    write_chunks(path, 2, rows)


def write_chunks(path, kind, rows, palette=None):
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n")
        for name, data in ((b"IHDR", struct.pack(">IIBBBBB", SIZE, SIZE, 8, kind, 0, 0, 0)),
                           (b"PLTE", palette), (b"IDAT", zlib.compress(b"".join(rows), 9)),
                           (b"IEND", b"")):
            if data is None:
                continue
            file.write(struct.pack(">I", len(data)) + name + data
                       + struct.pack(">I", zlib.crc32(name + data)))
