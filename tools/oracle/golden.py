# SPDX-License-Identifier: Apache-2.0
"""Writes golden.safetensors into any pipeline folder, for `test_parity FOLDER`.

    python tools/oracle/golden.py FOLDER [--width 512 --height 512] [--steps 2] [--guidance 7.5]
                                  [--prompt TEXT] [--negative TEXT] [--seed 7] [--threads N]
"""

import argparse

import oracle
import tiny
import torch


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--prompt", default="a red fox in the snow, watercolor")
    parser.add_argument("--negative", default="blurry")
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--height", type=int, default=512)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--guidance", type=float, default=7.5)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    height, width, _ = oracle.Pipeline(args.folder).latent_shape(args.height, args.width)
    picture = dict(h=height, w=width, steps=args.steps, guidance=args.guidance, prompt=args.prompt,
                   negative=args.negative, seed=args.seed)
    tiny.write_golden(args.folder, {"picture": picture})


if __name__ == "__main__":
    main()
