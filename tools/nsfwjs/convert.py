#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The classifiers of the npm package nsfwjs, from TensorFlow.js's files to safetensors.

    tools/nsfwjs/convert.py FOLDER moderation/weights

FOLDER holds mobilenet_v2_mid/ and mobilenet_v2/, each with model.json and weights.bin: what the
package (4.4.0) has as scripts, decoded. Out come main.safetensors, second.safetensors and
hashes.txt. Needs nothing but Python.

Numbers stay as they are: 8 bits each, with a scale and a minimum for every tensor in the metadata
("NAME.scale", "NAME.min"), so a number is q * scale + min. Only their order changes, from
height-width-in-out to the out-in-height-width of everybody else, and the two models get the same
names:

    stem, blocks.N.expand, blocks.N.depthwise, blocks.N.project, head, dense.N

each with .weight and either .bias or .norm.{gamma,beta,mean,variance}.
"""
import hashlib
import json
import os
import re
import struct
import sys

MODELS = [  # name, folder, SHA-256 of weights.bin, pixels become x * scale + shift
    ("main", "mobilenet_v2_mid", "fee38f0bcbad1a223b8301c014bbf78984365aef5ab08fc3289ed4229ab67f0e", 2, -1),
    ("second", "mobilenet_v2", "8e7dddbb16acacc1bf1601b1b8a761e730ff934b7f2d7771312b2f000e5f5f13", 1, 0),
]
CLASSES = "Drawing,Hentai,Neutral,Porn,Sexy"
NORM = {"gamma": "gamma", "beta": "beta", "moving_mean": "mean", "moving_variance": "variance"}


def name_of_main(name):
    """Our name for a tensor of the graph model; None for the constants of its preprocessing."""
    if "hub_input" in name:
        return None
    dense = {"_262": "dense.0.weight", "_263": "dense.0.bias"}.get(name[-4:])
    if dense:
        return dense
    path = name.split("MobilenetV2/")[1].split("/")
    kind = "weight" if path[-1].endswith("_weights") else "bias"
    return f"{place(path[0], path[1] if len(path) > 2 else path[1].split('/')[0])}.{kind}"


def place(first, second):
    if first == "Conv":
        return "stem"
    if first == "Conv_1":
        return "head"
    number = re.fullmatch(r"expanded_conv(?:_(\d+))?", first)
    return f"blocks.{number[1] or 0}.{second}"


def name_of_second(name):
    """Our name for a tensor of the layers model."""
    layer, kind = name.split("/")
    layer = re.sub(r"_BN$|_bn$|^bn_", "", layer)
    dense = re.fullmatch(r"dense_(\d)", layer)
    block = re.fullmatch(r"(?:block_(\d+)|expanded_conv)_(expand|depthwise|project)", layer)
    if dense:
        where = f"dense.{int(dense[1]) - 1}"
    elif block:
        where = f"blocks.{block[1] or 0}.{block[2]}"
    else:
        where = {"Conv1": "stem", "Conv_1": "head"}[layer]
    if kind in NORM:
        return f"{where}.norm.{NORM[kind]}"
    return f"{where}.{'bias' if kind == 'bias' else 'weight'}"


def reorder(name, shape, data):
    """Out-in-height-width, and [out, in] of a matrix."""
    if len(shape) == 1:
        return shape, data
    outputs = shape[-1]
    if len(shape) == 2:
        return [outputs, shape[0]], b"".join(data[o::outputs] for o in range(outputs))
    height, width, inputs, outputs = shape
    if ".depthwise." in name:  # height, width, channels, 1
        assert outputs == 1
        return [inputs, 1, height, width], b"".join(data[c::inputs] for c in range(inputs))
    rows = [data[(p * inputs + i) * outputs + o] for o in range(outputs) for i in range(inputs)
            for p in range(height * width)]
    return [outputs, inputs, height, width], bytes(rows)


def read(folder, wanted):
    with open(os.path.join(folder, "weights.bin"), "rb") as file:
        data = file.read()
    if hashlib.sha256(data).hexdigest() != wanted:
        sys.exit(f"{folder}/weights.bin is not the file of nsfwjs 4.4.0")
    with open(os.path.join(folder, "model.json")) as file:
        groups = json.load(file)["weightsManifest"]
    at = 0
    for spec in [w for group in groups for w in group["weights"]]:
        count = 1
        for size in spec["shape"]:
            count *= size
        assert spec["dtype"] == "float32" and spec["quantization"]["dtype"] == "uint8"
        yield spec, data[at:at + count]
        at += count
    assert at == len(data)


def order(name):
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def convert(source, name, folder, sha, scale, shift):
    tensors = {}
    metadata = {"format": "limner classifier 1", "source": f"nsfwjs 4.4.0, {folder}",
                "license": "MIT, Copyright (c) 2019 Infinite Red, Inc.", "source_sha256": sha,
                "classes": CLASSES, "size": "224", "pixel_scale": str(scale),
                "pixel_shift": str(shift), "norm_epsilon": "0.001"}
    naming = name_of_main if name == "main" else name_of_second
    for spec, data in read(os.path.join(source, folder), sha):
        ours = naming(spec["name"])
        if not ours:
            continue
        assert ours not in tensors, ours
        tensors[ours] = reorder(ours, spec["shape"], data)
        metadata[f"{ours}.scale"] = repr(float(spec["quantization"]["scale"]))
        metadata[f"{ours}.min"] = repr(float(spec["quantization"]["min"]))
    header, at = {"__metadata__": metadata}, 0
    names = sorted(tensors, key=order)
    for ours in names:
        shape, data = tensors[ours]
        header[ours] = {"dtype": "U8", "shape": shape, "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + b"".join(tensors[ours][1] for ours in names)


def main():
    source, target = sys.argv[1:3]
    with open(os.path.join(target, "hashes.txt"), "w") as hashes:
        for name, folder, sha, scale, shift in MODELS:
            data = convert(source, name, folder, sha, scale, shift)
            with open(os.path.join(target, f"{name}.safetensors"), "wb") as file:
                file.write(data)
            hashes.write(f"{hashlib.sha256(data).hexdigest()}  {name}.safetensors\n")


if __name__ == "__main__":
    main()
