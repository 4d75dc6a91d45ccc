# SPDX-License-Identifier: Apache-2.0
"""PyTorch's times for the networks that limner is measured on, on the same card.

    python3 tests/gpu/peer.py [--family sd15|sdxl|small] --list
    python3 tests/gpu/peer.py [--family sd15|sdxl|small] --models FOLDER --out FILE.json

Random weights of the published shapes (the time does not depend on values), written once as a
pipeline folder that limner loads too. The peer is diffusers' own modules as people tune them: bf16,
channels last, scaled_dot_product_attention, torch.compile in its mode with CUDA graphs. Medians of
CUDA events. The family "small" takes tiny pipelines and the CPU, to try the script.
"""

import argparse
import json
import os
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
# case, stage of bench_stages, rows, pixels, timed runs, precisions of limner
CASES = {
    "sd15": [
        ("sd15 unet, 1 picture with guidance", "unet", 2, 512, 100, "bf16"),
        ("sd15 unet, 8 pictures with guidance", "unet", 16, 512, 30, "bf16,fp8"),
        ("sd15 unet, 32 pictures with guidance", "unet", 64, 512, 10, "bf16"),
        ("vae decode 512", "vae", 1, 512, 50, "bf16"),
        ("vae decode 1024", "vae", 1, 1024, 20, "bf16"),
    ],
    "sdxl": [
        ("sdxl unet, 1 picture with guidance", "unet", 2, 1024, 30, "bf16,fp8"),
        ("sdxl unet, 8 pictures with guidance", "unet", 16, 1024, 10, "bf16,fp8"),
    ],
    "small": [("tiny unet", "unet", 2, 64, 3, "f32"), ("tiny vae", "vae", 1, 64, 3, "f32")],
}


def name_of(case):
    return case[0].replace(",", "").replace(" ", "_")


def make_models(folder, family):
    if os.path.exists(os.path.join(folder, "model_index.json")):
        return
    if family == "small":
        subprocess.run(["cp", "-r", os.path.join(HERE, "../golden/tiny_sd1"), folder], check=True)
        return
    script = os.path.join(HERE, "../../tools/oracle/full.py")
    subprocess.run([sys.executable, script, folder, "--config", family, "--dtype", "bfloat16"], check=True)


def median_ms(torch, run, runs):
    for _ in range(3):
        run()
    times = []
    for _ in range(runs):
        if torch.cuda.is_available():
            begun, ended = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            begun.record()
            run()
            ended.record()
            ended.synchronize()
            times.append(begun.elapsed_time(ended))
        else:
            since = time.perf_counter()
            run()
            times.append((time.perf_counter() - since) * 1e3)
    return sorted(times)[len(times) // 2]


def ceilings(torch, device):
    """What this card does at best: a large product and a large copy."""
    n = 8192 if device == "cuda" else 256
    a, b = (torch.randn(n, n, device=device, dtype=torch.bfloat16) for _ in range(2))
    ms = median_ms(torch, lambda: a @ b, 10)
    x = torch.empty(2**30 if device == "cuda" else 2**20, device=device, dtype=torch.uint8)
    y = torch.empty_like(x)
    copy_ms = median_ms(torch, lambda: y.copy_(x), 10)
    return {"matmul_tflops": 2 * n**3 / ms * 1e-9, "copy_gb_s": 2 * x.numel() / copy_ms * 1e-6}


def subject(torch, stage, folder, rows, size, device):
    from diffusers import AutoencoderKL, UNet2DConditionModel

    kind = {"unet": UNet2DConditionModel, "vae": AutoencoderKL}[stage]
    variant = "fp16" if "tiny" in os.path.realpath(folder) or not os.path.exists(
        os.path.join(folder, stage, "diffusion_pytorch_model.safetensors")) else None
    net = kind.from_pretrained(folder, subfolder=stage, torch_dtype=torch.bfloat16, variant=variant)
    net = net.to(device, memory_format=torch.channels_last).eval()
    more = {}
    side = size // 8 if device == "cuda" else size // 2 ** (len(net.config.block_out_channels) - 1)
    if stage == "unet":
        x = torch.randn(rows, net.config.in_channels, side, side, device=device, dtype=torch.bfloat16)
        text = torch.randn(rows, 77, net.config.cross_attention_dim, device=device, dtype=torch.bfloat16)
        t = torch.full((rows,), 500, device=device)
        call, arguments = net, (x.contiguous(memory_format=torch.channels_last), t, text)
        if net.config.addition_embed_type == "text_time":
            sizes = torch.tensor([[size, size, 0, 0, size, size]] * rows, device=device, dtype=torch.bfloat16)
            width = net.config.projection_class_embeddings_input_dim - 6 * net.config.addition_time_embed_dim
            pooled = torch.randn(rows, width, device=device, dtype=torch.bfloat16)
            more = {"added_cond_kwargs": {"text_embeds": pooled, "time_ids": sizes}}
    else:
        x = torch.randn(rows, net.config.latent_channels, side, side, device=device, dtype=torch.bfloat16)
        call, arguments = net.decode, (x.contiguous(memory_format=torch.channels_last),)
    if device == "cuda":
        call = torch.compile(call, mode="max-autotune", fullgraph=False)
    return lambda: call(*arguments, **more, return_dict=False)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--family", choices=CASES, default="sd15")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--models")
    parser.add_argument("--out")
    options = parser.parse_args()
    cases = CASES[options.family]
    if options.list:
        for case in cases:
            print(name_of(case), *case[1:])
        return
    import torch

    device = "cuda" if torch.cuda.is_available() and options.family != "small" else "cpu"
    make_models(options.models, options.family)
    result = {
        "device": torch.cuda.get_device_name() if device == "cuda" else "cpu",
        "torch": torch.__version__,
        "ceilings": ceilings(torch, device),
        "ms": {},
    }
    with torch.inference_mode():
        for case in cases:
            run = subject(torch, case[1], options.models, case[2], case[3], device)
            result["ms"][name_of(case)] = median_ms(torch, run, case[4])
            with open(options.out, "w") as out:  # after each: a time limit loses the last one only
                json.dump(result, out, indent=1)


main()
