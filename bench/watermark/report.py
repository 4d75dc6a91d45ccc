#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measure what the mark survives, beside others at equal PSNR, and how often it is found where none
is. run.sh calls it in an environment that has what it needs.

    report.py measure  [--pictures N]  appends to FOLDER/results.jsonl, goes on where it was stopped
    report.py null     [--trials N]    the same for FOLDER/null.jsonl
    report.py write    [--out FOLDER]  report.md and report.svg of what there is by now
"""
import argparse
import hashlib
import json
import os
import shutil
import subprocess
import time

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

import attacks
import pictures
import tables
from peers import BITS, METHODS, Peer, psnr

KEY = hashlib.sha256(b"limner robustness report").hexdigest()


def read(path):
    return np.asarray(Image.open(path).convert("RGB"))


def ssim(a, b):
    """Of the luma, with the usual window (sd 1.5) and constants."""
    x, y = (p @ np.array([0.299, 0.587, 0.114]) for p in (a.astype(float), b.astype(float)))
    blur = lambda v: gaussian_filter(v, 1.5, truncate=3.5)
    mx, my = blur(x), blur(y)
    sx, sy, sxy = blur(x * x) - mx * mx, blur(y * y) - my * my, blur(x * y) - mx * my
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    return float((((2 * mx * my + c1) * (2 * sxy + c2)) /
                  ((mx * mx + my * my + c1) * (sx + sy + c2))).mean())


def lines(path):
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def tool(args, *arguments):
    out = subprocess.run([args.mark_file, *map(str, arguments)], check=True, capture_output=True,
                         text=True).stdout
    return [json.loads(line) for line in out.splitlines()]


def measure_ours(args, name, path, work):
    ident = hashlib.sha256(name.encode()).hexdigest()[:16]
    marked = os.path.join(work, "marked.ppm")
    made = tool(args, "embed", KEY, ident, 0, path, marked)[0]
    paths = attacks.attack(args.convert, marked, work, len(name))
    found = tool(args, "detect", KEY, *paths.values())
    rows = {}
    for attack, f in zip(paths, found):
        rows[attack] = {"exact": f["verdict"] == "id" and f["id"] == ident,
                        "present": f["verdict"] != "absent",
                        "wrong": f["verdict"] == "id" and f["id"] != ident,
                        "z_pilot": f["z_pilot"], "z_id": f["z_id"], "ms": f["ms"]}
    a, b = read(path), read(marked)
    return {"picture": name, "method": "limner", "psnr": psnr(a, b), "ssim": ssim(a, b),
            "embed_ms": made["ms"], "weak": made["weak"], "rows": rows}


def measure_peer(args, peer, name, path, target, work):
    seed = int(hashlib.sha256(name.encode()).hexdigest()[:8], 16)
    bits = np.random.default_rng(seed).integers(0, 2, BITS)
    rgb = read(path)
    marked, scale, got = peer.embed(rgb, bits, target)
    file = os.path.join(work, "marked.ppm")
    Image.fromarray(np.ascontiguousarray(marked)).save(file)
    rows = {}
    for attack, path_now in attacks.attack(args.convert, file, work, len(name)).items():
        read_bits = peer.decode(read(path_now), scale)
        same = 0 if read_bits is None else int((read_bits == bits).sum())
        rows[attack] = {"exact": same == BITS, "present": same >= tables.PEER_PRESENT, "same": same}
    return {"picture": name, "method": peer.name, "psnr": got, "ssim": ssim(rgb, marked),
            "scale": scale, "rows": rows}


def measure(args):
    results = os.path.join(args.folder, "results.jsonl")
    chosen = pictures.make(args.root, os.path.join(args.folder, "pictures"), args.pictures)
    done = {(r["picture"], r["method"]): r for r in lines(results)}
    work = os.path.join(args.folder, "work")
    peers = [Peer(name) for name in METHODS]
    for number, (name, path) in enumerate(chosen):
        if args.until and time.time() > args.until:
            break
        for method in [None] + (peers if number < args.peers else []):
            if (name, method.name if method else "limner") in done:
                continue
            shutil.rmtree(work, ignore_errors=True)
            os.makedirs(work)
            if method is None:
                row = measure_ours(args, name, path, work)
            else:
                row = measure_peer(args, method, name, path, done[name, "limner"]["psnr"], work)
            done[name, row["method"]] = row
            with open(results, "a", encoding="utf-8") as file:
                file.write(json.dumps(row, default=float) + "\n")
        print(number + 1, name, flush=True)
    shutil.rmtree(work, ignore_errors=True)


def null(args):
    """Detections in pictures without our mark, each with a key of its own, on 256 x 256 cuttings:
    they cost a quarter, and their statistics have fewer terms to hide behind. A third of them hold
    somebody else's mark."""
    path = os.path.join(args.folder, "null.jsonl")
    folder = os.path.join(args.folder, "null")
    os.makedirs(folder, exist_ok=True)
    chosen, files = pictures.make(args.root, os.path.join(args.folder, "pictures"), args.pictures), []
    stranger = Peer("dwtDct")
    for i, (name, source) in enumerate(chosen):
        cut = read(source)[128:384, 128:384]
        if i % 3 == 0:
            cut = stranger.encode(cut, np.arange(BITS) % 2, 36)
        files.append(os.path.join(folder, name + ".ppm"))
        Image.fromarray(np.ascontiguousarray(cut)).save(files[-1])
    have = len(lines(path))
    while have < args.trials and not (args.until and time.time() > args.until):
        step = min(50, args.trials - have)
        turned = files[have % len(files):] + files[:have % len(files)]
        found = tool(args, "null", step, have, *turned)
        with open(path, "a", encoding="utf-8") as file:
            for f in found:
                file.write(json.dumps(f) + "\n")
        have += step
        print(have, "trials", flush=True)


def write(args):
    results = lines(os.path.join(args.folder, "results.jsonl"))
    nothing = lines(os.path.join(args.folder, "null.jsonl"))
    tables.write(args.out, results, nothing)


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    p = argparse.ArgumentParser()
    p.add_argument("what", choices=("measure", "null", "write"))
    p.add_argument("--root", default=os.path.dirname(os.path.dirname(here)))
    p.add_argument("--folder", help="pictures and results; ROOT/build/watermark without it")
    p.add_argument("--mark-file", help="ROOT/build/release/bench_mark_file without it")
    p.add_argument("--convert", default="/usr/bin/convert", help="ImageMagick's")
    p.add_argument("--pictures", type=int, default=102)
    p.add_argument("--peers", type=int, default=102, help="pictures that the others mark too")
    p.add_argument("--trials", type=int, default=100000)
    p.add_argument("--minutes", type=float, help="start nothing new after so long")
    p.add_argument("--out", default=here)
    args = p.parse_args()
    args.folder = args.folder or os.path.join(args.root, "build/watermark")
    args.mark_file = args.mark_file or os.path.join(args.root, "build/release/bench_mark_file")
    args.until = time.time() + 60 * args.minutes if args.minutes else None
    os.makedirs(args.folder, exist_ok=True)
    {"measure": measure, "null": null, "write": write}[args.what](args)


if __name__ == "__main__":
    main()
