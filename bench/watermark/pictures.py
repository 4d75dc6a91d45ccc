# SPDX-License-Identifier: Apache-2.0
"""The pictures of the robustness report, all 512 x 512, made anew each time and never committed.

Three kinds: `starter`, what the starter model drew (its sample sheet, enlarged four times); `drawn`,
flat drawings (tests/data/medical, enlarged twice); `texture`, photo-like pictures from noise, in six
manners. The same names and seeds give the same pictures.
"""
import glob
import os

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

SIDE = 512
SHEET = {"file": "starter/samples.webp", "columns": 6, "rows": 4, "edge": 6, "right": 134, "down": 162,
         "side": 128}


def starter(root):
    sheet = Image.open(os.path.join(root, SHEET["file"])).convert("RGB")
    for n in range(SHEET["columns"] * SHEET["rows"]):
        x = SHEET["edge"] + SHEET["right"] * (n % SHEET["columns"])
        y = SHEET["edge"] + SHEET["down"] * (n // SHEET["columns"])
        tile = sheet.crop((x, y, x + SHEET["side"], y + SHEET["side"]))
        yield f"starter_{n:02d}", lambda tile=tile: tile.resize((SIDE, SIDE), Image.LANCZOS)


def drawn(root, count):
    for path in sorted(glob.glob(os.path.join(root, "tests/data/medical/*.png")))[:count]:
        name = os.path.splitext(os.path.basename(path))[0]
        yield f"drawn_{name}", lambda path=path: Image.open(path).convert("RGB").resize(
            (SIDE, SIDE), Image.LANCZOS)


def cloud(r, slope):
    """Noise whose amplitude falls with frequency: 1 is what photographs have."""
    f = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.fftfreq(SIDE)[None])
    f[0, 0] = 1
    n = np.fft.ifft2(np.fft.fft2(r.normal(size=(SIDE, SIDE))) / f**slope).real
    return (n - n.mean()) / n.std()


def coloured(r, fields):
    """Grey fields to colours of chance: all channels share most of each."""
    out = np.zeros((SIDE, SIDE, 3))
    for n in fields:
        out += n[..., None] * (1 + 0.5 * r.normal(size=3))
    return out


def haze(r):
    return 128 + 45 * coloured(r, [cloud(r, 1.3)]) + 10 * coloured(r, [cloud(r, 0.7)])


def leaves(r):
    """Discs that hide one another, as things do before a lens."""
    out = np.zeros((SIDE, SIDE, 3))
    y, x = np.mgrid[:SIDE, :SIDE]
    for _ in range(900):
        size = 6 + 110 * r.random() ** 4
        a, b, turn = r.random() * SIDE, r.random() * SIDE, r.random() * 3.14
        u = (x - a) * np.cos(turn) + (y - b) * np.sin(turn)
        v = (y - b) * np.cos(turn) - (x - a) * np.sin(turn)
        out[u * u + 2.5 * v * v < size * size] = r.random(3) * 220 + 18
    out = gaussian_filter(out, (0.8, 0.8, 0))
    return out + 6 * cloud(r, 0.6)[..., None]


def mountains(r):
    sky = np.linspace(200, 235, SIDE)[:, None, None] * np.array([0.8, 0.9, 1.05])
    out = np.repeat(sky, SIDE, 1)
    for layer in range(5):
        ridge = 170 + 65 * layer + np.cumsum(gaussian_filter(r.normal(size=SIDE), 3)) * 3
        below = np.arange(SIDE)[:, None] > ridge[None]
        shade = (175 - 30 * layer) * (0.6 + 0.4 * r.random(3)) + 14 * cloud(r, 1.0)[..., None]
        out = np.where(below[..., None], shade, out)
    return gaussian_filter(out, (0.7, 0.7, 0))


def cloth(r):
    """Threads: periodic, the natural enemy of a mark that is periodic itself."""
    y, x = np.mgrid[:SIDE, :SIDE] + 3 * np.stack([cloud(r, 1.6), cloud(r, 1.6)])
    period, turn = 5 + 14 * r.random(), r.random() * 3.14
    u, v = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    weave = np.sin(6.283 * u / period) + np.sin(6.283 * v / period / 1.3)
    return 120 + coloured(r, [18 * weave, 25 * cloud(r, 1.4), 6 * cloud(r, 0.3)])


def lights(r):
    """A night with lamps out of focus: dark and smooth."""
    out = np.zeros((SIDE, SIDE, 3)) + 22 + 8 * cloud(r, 1.3)[..., None]
    y, x = np.mgrid[:SIDE, :SIDE]
    for _ in range(60):
        d = np.hypot(x - r.random() * SIDE, y - r.random() * SIDE)
        out += (d < 8 + 30 * r.random())[..., None] * r.random(3) * 110
    return gaussian_filter(out, (1.5, 1.5, 0)) + 3 * cloud(r, 0.2)[..., None]


def portrait(r):
    """Soft large forms before a blurred ground, with fine grain."""
    out = 110 + 40 * coloured(r, [gaussian_filter(cloud(r, 1.5), 8)])
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE / 2
    for size, shade in ((190, 0.9), (150, 1.25), (40, 0.7)):
        a, b = r.normal(size=2) * 30
        inside = 1 / (1 + np.exp(((x - a) ** 2 + (y - b) ** 2 * 0.7) ** 0.5 / 3 - size / 3))
        out = out * (1 - inside[..., None]) + inside[..., None] * out.mean((0, 1)) * shade
    return out + 4 * cloud(r, 0.5)[..., None]


MANNERS = (haze, leaves, mountains, cloth, lights, portrait)


def texture(manner, seed):
    pixels = manner(np.random.default_rng(seed))
    return Image.fromarray(np.clip(np.rint(pixels), 0, 255).astype(np.uint8))


def textures(count):
    for n in range(count):
        manner = MANNERS[n % len(MANNERS)]
        yield f"texture_{manner.__name__}_{n:02d}", lambda m=manner, n=n: texture(m, 1000 + n)


def make(root, folder, count):
    """Up to 102 pictures as PPM files: a quarter starter, a third drawn, the rest textures; in an
    order in which every part has all kinds. Returns (name, path)."""
    os.makedirs(folder, exist_ok=True)
    kinds = [list(starter(root)), list(drawn(root, 34)), list(textures(44))]
    place = [((i + 0.5) / len(k), name, draw) for k in kinds for i, (name, draw) in enumerate(k)]
    chosen = []
    for _, name, draw in sorted(place, key=lambda p: p[0])[:count]:
        path = os.path.join(folder, name + ".ppm")
        if not os.path.exists(path):
            draw().save(path)
        chosen.append((name, path))
    return chosen
