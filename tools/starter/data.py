# SPDX-License-Identifier: Apache-2.0
"""Shards of pictures: `NAME.bin` (WebP or PNG files, one after another) and `NAME.jsonl.gz`.

Each line of the index: {i, src, name, caption, tags, style, lic, off, len}. A picture whose name
has crc32 % 20 == 0 is held out: `training_items` never returns it.
"""

import gzip
import io
import json
import random
import zlib

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

import captions


def held_out(name):
    return zlib.crc32(name.encode()) % 20 == 0


def read_index(prefix):
    with gzip.open(prefix + ".jsonl.gz", "rt", encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def read_names(paths):
    """Names from files, apart by spaces, what follows # left out; a set, or None for no file."""
    if not paths:
        return None
    found = set()
    for path in paths:
        with open(path, encoding="utf-8") as f:
            found.update(w for line in f for w in line.split("#")[0].split())
    return found


def training_items(prefix, sources=None, names=None, limit=0):
    """What may be trained on: not held out, of these sources, with these names.

    A `limit` keeps that many, drawn with a fixed seed, so small runs see all styles.
    """
    items = [m for m in read_index(prefix) if not held_out(m["name"])]
    items = [m for m in items if not sources or m["src"] in sources]
    items = [m for m in items if names is None or m["name"] in names]
    if limit and limit < len(items):
        keep = sorted(random.Random(0).sample(range(len(items)), limit))
        items = [items[i] for i in keep]
    if not items:
        raise SystemExit(f"{prefix}: no picture is left to train on")
    return items


def held_out_items(prefix, limit):
    items = [m for m in read_index(prefix) if held_out(m["name"])]
    return random.Random(0).sample(items, min(limit, len(items)))


def decode(prefix, items, px, mode="RGB"):
    """uint8 [n, px, px, 3] for mode RGB, [n, px, px] for mode L (coverage: 255 is ink)."""
    out = []
    with open(prefix + ".bin", "rb") as f:
        for m in items:
            f.seek(m["off"])
            im = Image.open(io.BytesIO(f.read(m["len"]))).convert(mode)
            if im.size != (px, px):
                im = im.resize((px, px), Image.LANCZOS)
            out.append(np.asarray(im))
    return torch.from_numpy(np.stack(out))


def crops(pictures, index, size, generator):
    """Float [b, 3, size, size] in [-1, 1]: a random crop of each picture of `index`."""
    b, room, device = len(index), pictures.shape[1] - size, pictures.device
    corner = torch.randint(room + 1, (2, b, 1), generator=generator, device=device)
    y, x = corner + torch.arange(size, device=device)
    found = pictures[index[:, None, None], y[:, :, None], x[:, None, :]]
    return to_float(found)


def to_float(pictures):
    x = pictures.permute(0, 3, 1, 2).float() / 127.5 - 1
    return x.contiguous(memory_format=torch.channels_last)


def moved(x, mirror, generator):
    """x [b, c, h, w] scaled by 0.86 to 1.06, shifted by up to 5 %, mirrored where `mirror`; what
    comes in from outside is 0."""
    b, device = len(x), x.device
    r = torch.rand(3, b, generator=generator, device=device)
    scale = 1 / (0.86 + 0.2 * r[0])
    flip = torch.where(mirror, -1.0, 1.0)
    theta = torch.zeros(b, 2, 3, device=device)
    theta[:, 0, 0], theta[:, 1, 1] = scale * flip, scale
    theta[:, :, 2] = (r[1:].T - 0.5) * 0.2
    grid = F.affine_grid(theta, list(x.shape), align_corners=False)
    return F.grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


def painted(masks, inks, grounds):
    """Pictures in [-1, 1] from coverage [b, 1, h, w] in 0 to 1 and colours [b, 3] of 0 to 255."""
    ink, ground = inks[:, :, None, None], grounds[:, :, None, None]
    return (ground + (ink - ground) * masks) / 127.5 - 1


def paints_of(items):
    """The inks and grounds of painted items, two float tensors [n, 3]."""
    pick = [[captions.PAINTS[m[k]] for m in items] for k in ("ink", "ground")]
    return torch.tensor(pick[0]).float(), torch.tensor(pick[1]).float()
