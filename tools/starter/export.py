# SPDX-License-Identifier: Apache-2.0
"""Stage 5: running averages of the checkpoints into the model folder, as float16 safetensors.

Refuses what does not fit float16 and weights of more than `--total-mb`; reads back what it wrote.
"""

import argparse

import torch

import folder
from train_unet import denoiser

MB = 1_000_000


def put(model, part, net, part_bytes):
    folder.save(model, part, net, part_bytes)
    back, want = folder.load(model, part).state_dict(), net.state_dict()
    worst = max((back[k] - want[k].float()).abs().max().item() for k in want)
    count = sum(v.numel() for v in want.values())
    files = len(folder.weight_files(model, part))
    print(f"{part}: {len(want)} tensors, {count} values, {files} file(s), rounding {worst:.1e}")


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--model", required=True)
    p.add_argument("--vae", help="checkpoint of train_vae.py")
    p.add_argument("--unet", help="checkpoint of train_unet.py")
    p.add_argument("--part-mb", type=float, default=15, help="largest file of weights")
    p.add_argument("--total-mb", type=float, default=32, help="largest sum of all weights")
    a = p.parse_args()
    part_bytes = int(a.part_mb * MB)
    if a.vae:
        saved = torch.load(a.vae, map_location="cpu", weights_only=True)
        net = folder.fresh(a.model, "vae")
        net.load_state_dict(saved["ema"])
        if "std" not in saved:
            raise SystemExit(f"{a.vae}: no statistics; the run was stopped before its end")
        net.fold(saved["mean"], saved["std"])
        put(a.model, "vae", net, part_bytes)
    if a.unet:
        saved = torch.load(a.unet, map_location="cpu", weights_only=True)
        net = denoiser(a.model, False)
        net.load_state_dict(saved["ema"])
        print(f"step {saved['step']}, {saved['seen']} samples, progress {saved['progress']:.3f}")
        put(a.model, "unet", net.unet, part_bytes)
        put(a.model, "text_encoder", net.text, part_bytes)
    total = folder.weight_bytes(a.model)
    print(f"weights in all: {total / MB:.2f} MB")
    if total > a.total_mb * MB:
        raise SystemExit(f"more than {a.total_mb} MB: choose a smaller UNet in configure.py")


if __name__ == "__main__":
    main()
