# SPDX-License-Identifier: Apache-2.0
"""Runs `limner generate --dump` on any folder and judges every stage against diffusers in float32.

    python tools/oracle/parity.py --model DIR [--limner build/release/limner] [--prompt TEXT]
        [--negative TEXT] [--width W --height H] [--steps N] [--guidance G] [--sampler NAME]
        [--seed N] [--bound 1e-4] [--free] [--dump FILE] [-- MORE LIMNER ARGUMENTS]

Each stage gets limner's own numbers of the stage before, so an error shows where it is made and
does not add up; `--free` lets diffusers also walk alone from the noise (bound times ten). Ids and
noise must be equal. Exit status 1 when a stage is over its bound. `--dump FILE` judges a dump that
was made before with the same arguments, without running limner.
"""

import argparse
import os
import subprocess
import sys
import tempfile

import oracle
import numpy as np
import torch
from safetensors.torch import load_file, save_file


class Table:
    def __init__(self):
        self.failed = False
        print(f"{'stage':16} {'relative L2':>12} {'bound':>8}")

    def judge(self, stage, got, want, bound, size=None):
        error = oracle.relative_l2(got, want, size)
        bad = not error <= bound
        self.failed |= bad
        print(f"{stage:16} {error:12.2e} {bound:8.0e}{'  OVER' if bad else ''}", flush=True)

    def judge_equal(self, stage, got, want):
        same = np.array_equal(np.asarray(got), np.asarray(want))
        self.failed |= not same
        print(f"{stage:16} {'equal' if same else 'DIFFERENT':>12}", flush=True)


def run_limner(args, noise_file, dump_file, folder):
    command = [args.limner, "generate", args.prompt, "-o", os.path.join(folder, "out.png"),
               "--model", args.model, "--width", str(args.width), "--height", str(args.height),
               "--steps", str(args.steps), "--guidance", str(args.guidance),
               "--negative", args.negative, "--seed", str(args.seed),
               "--noise", noise_file, "--dump", dump_file, "--marks", "off"]
    if args.sampler:
        command += ["--sampler", args.sampler]
    done = subprocess.run(command + args.more, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        raise SystemExit(f"limner failed ({done.returncode}): {' '.join(command)}\n{done.stdout}")


def scheduler_for(args, p):
    scheduler = oracle.make_scheduler(p.scheduler_config, args.sampler)
    scheduler.set_timesteps(args.steps)
    return scheduler


def fresh_noise(args, shape, count):
    """What limner adds at each step, for the samplers that add any."""
    return [oracle.to_nchw(oracle.normal(shape, args.seed, 1 + i)) for i in range(count)]


def judge_steps(args, p, dump, table):
    """Teacher forced: the model on limner's latents, the scheduler on limner's outputs."""
    scheduler = scheduler_for(args, p)
    x = dump["noise"] * float(scheduler.init_noise_sigma)
    shape = tuple(dump["noise"].shape)
    count = len(scheduler.timesteps)
    with oracle.FixedNoise(fresh_noise(args, shape, count)):
        for i, t in enumerate(scheduler.timesteps):
            if f"output.{i}" not in dump:
                raise SystemExit(f"the dump ends before step {i} of {count}")
            scaled = oracle.to_hwc(scheduler.scale_model_input(oracle.to_nchw(x), t))
            rows = p.rows(scaled, t, dump, args.guidance)
            output, size = oracle.guide(rows, args.guidance), oracle.guided_size(rows, args.guidance)
            table.judge(f"output.{i}", dump[f"output.{i}"], output, args.bound, size)
            limner = oracle.to_nchw(dump[f"output.{i}"])
            x = oracle.to_hwc(scheduler.step(limner, t, oracle.to_nchw(x)).prev_sample)
            table.judge(f"latents.{i}", dump[f"latents.{i}"], x, args.bound_sampler)
            x = dump[f"latents.{i}"]
    if f"output.{count}" in dump:
        raise SystemExit(f"the dump goes on after step {count - 1}, the last of diffusers")


def judge_free(args, p, dump, condition, table):
    scheduler = scheduler_for(args, p)
    x = dump["noise"] * float(scheduler.init_noise_sigma)
    shape = tuple(dump["noise"].shape)
    with oracle.FixedNoise(fresh_noise(args, shape, len(scheduler.timesteps))):
        for i, t in enumerate(scheduler.timesteps):
            scaled = oracle.to_hwc(scheduler.scale_model_input(oracle.to_nchw(x), t))
            output = oracle.guide(p.rows(scaled, t, condition, args.guidance), args.guidance)
            x = oracle.to_hwc(scheduler.step(oracle.to_nchw(output), t, oracle.to_nchw(x)).prev_sample)
            table.judge(f"free latents.{i}", dump[f"latents.{i}"], x, 10 * args.bound)
    table.judge("free rgb", dump["rgb"], p.decode(x), 10 * args.bound)


def judge(args, p, dump, noise):
    table = Table()
    negative = args.negative if args.guidance > 1 else ""
    for name, ids in p.ids(negative, args.prompt).items():
        table.judge_equal(name, dump[name], ids)
    # The dump holds the latents before step 0 divided by their scale: one rounding away from ours.
    table.judge("noise", dump["noise"], noise, 1e-7)
    condition = p.condition(dump, negative)
    for name, value in condition.items():
        table.judge(name, dump[name], value, args.bound)
    p.drop("text_encoder", "text_encoder_2")
    judge_steps(args, p, dump, table)
    if not args.free:
        p.drop("unet")
    last = max(int(k.split(".")[1]) for k in dump if k.startswith("latents."))
    table.judge("rgb", dump["rgb"], p.decode(dump[f"latents.{last}"]), args.bound)
    if args.free:
        judge_free(args, p, dump, condition, table)
    return table.failed


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True)
    parser.add_argument("--limner", default="build/release/limner")
    parser.add_argument("--prompt", default="a red fox in the snow, watercolor")
    parser.add_argument("--negative", default="")
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--height", type=int, default=512)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--guidance", type=float, default=7.5)
    parser.add_argument("--sampler", choices=oracle.SAMPLERS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--bound", type=float, default=1e-4, help="of every network; 1e-5 without Winograd")
    parser.add_argument("--bound-sampler", type=float, default=1e-5)
    parser.add_argument("--free", action="store_true")
    parser.add_argument("--dump")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("more", nargs="*", help="after --: handed to limner generate")
    return parser.parse_args()


def main():
    args = arguments()
    torch.set_num_threads(args.threads)
    p = oracle.Pipeline(args.model)
    noise = oracle.normal(p.latent_shape(args.height, args.width), args.seed, 0)
    if args.dump:
        sys.exit(1 if judge(args, p, load_file(args.dump), noise) else 0)
    with tempfile.TemporaryDirectory() as folder:
        noise_file, dump_file = os.path.join(folder, "noise.safetensors"), os.path.join(folder, "dump.safetensors")
        save_file({"noise": noise.contiguous()}, noise_file)
        run_limner(args, noise_file, dump_file, folder)
        sys.exit(1 if judge(args, p, load_file(dump_file), noise) else 0)


if __name__ == "__main__":
    main()
