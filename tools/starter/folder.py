# SPDX-License-Identifier: Apache-2.0
"""The model folder in diffusers layout: configurations; safetensors, whole or in parts."""

import json
import os
import struct

import numpy as np
import torch

from autoencoder import make as make_autoencoder
from text import ClipText
from unet import UNet

PARTS = {
    "unet": ("diffusion_pytorch_model", UNet),
    "text_encoder": ("model", ClipText),
    "vae": ("diffusion_pytorch_model", make_autoencoder),
}
KINDS = {"F32": np.float32, "F16": np.float16, "I64": np.int64}


def read_json(path):
    with open(path, encoding="utf-8") as f:
        return json.load(f)


def write_json(path, value):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        json.dump(value, f, indent=2)
        f.write("\n")


def config(model, part):
    return read_json(os.path.join(model, part, "config.json"))


def read_safetensors(path):
    with open(path, "rb") as f:
        raw = f.read()
    size = struct.unpack("<Q", raw[:8])[0]
    out = {}
    for name, v in json.loads(raw[8 : 8 + size]).items():
        if name == "__metadata__":
            continue
        begin, end = v["data_offsets"]
        data = raw[8 + size + begin : 8 + size + end]
        if v["dtype"] == "BF16":
            a = (np.frombuffer(data, np.uint16).astype(np.uint32) << 16).view(np.float32)
        else:
            a = np.frombuffer(data, KINDS[v["dtype"]]).astype(np.float32)
        out[name] = torch.from_numpy(a.copy()).view(v["shape"])
    return out


def write_safetensors(path, arrays):
    """float16 arrays by name; written beside and renamed, so a reader never sees half a file."""
    head, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, a in arrays.items():
        span = [offset, offset + a.nbytes]
        head[name] = {"dtype": "F16", "shape": list(a.shape), "data_offsets": span}
        offset = span[1]
    text = json.dumps(head, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path + ".new", "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text)
        for a in arrays.values():
            f.write(a.tobytes())
    os.replace(path + ".new", path)


def weight_files(model, part):
    stem = os.path.join(model, part, PARTS[part][0])
    if os.path.exists(stem + ".safetensors.index.json"):
        names = set(read_json(stem + ".safetensors.index.json")["weight_map"].values())
        return [os.path.join(model, part, n) for n in sorted(names)]
    return [stem + ".safetensors"]


def has_weights(model, part):
    return all(os.path.exists(f) for f in weight_files(model, part))


def load(model, part):
    """The part's module with the folder's weights, every name and shape as expected."""
    net = PARTS[part][1](config(model, part))
    state = {}
    for path in weight_files(model, part):
        state.update(read_safetensors(path))
    net.load_state_dict(state, strict=True)
    return net.eval()


def save(model, part, net, part_bytes):
    """Writes float16 weights, in several files with an index when one would pass `part_bytes`."""
    for old in os.listdir(os.path.join(model, part)):
        if ".safetensors" in old:
            os.remove(os.path.join(model, part, old))
    groups, size = [{}], 0
    for name, t in sorted(net.state_dict().items()):
        a = t.detach().float().cpu().contiguous().numpy().astype(np.float16)
        if not np.isfinite(a).all():
            raise SystemExit(f"{part}: {name} does not fit float16")
        if size and size + a.nbytes > part_bytes:
            groups.append({})
            size = 0
        groups[-1][name] = a
        size += a.nbytes
    stem, n = PARTS[part][0], len(groups)
    if n == 1:
        write_safetensors(os.path.join(model, part, stem + ".safetensors"), groups[0])
        return
    where = {}
    for i, arrays in enumerate(groups):
        file = f"{stem}-{i + 1:05d}-of-{n:05d}.safetensors"
        write_safetensors(os.path.join(model, part, file), arrays)
        where.update({name: file for name in arrays})
    total = sum(a.nbytes for arrays in groups for a in arrays.values())
    index = {"metadata": {"total_size": total}, "weight_map": where}
    write_json(os.path.join(model, part, stem + ".safetensors.index.json"), index)


def weight_bytes(model):
    return sum(os.path.getsize(f) for part in PARTS for f in weight_files(model, part)
               if os.path.exists(f))


def fresh(model, part):
    return PARTS[part][1](config(model, part))
