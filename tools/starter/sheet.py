# SPDX-License-Identifier: Apache-2.0
"""Stage 6: one picture for every line of a file of prompts, as a labelled sheet.

With `--limner` the program draws them, as a user would; without it diffusion.py's sampler. Every
prompt gets the same seed. `--judged` names a TSV (prompt, shown, remark): labels of pictures
that do not show what was asked become red.
"""

import argparse
import os
import subprocess
import tempfile

import torch
from PIL import Image, ImageDraw, ImageFont

import diffusion
import folder
from bpe import Tokenizer
from loop import Place, device_arguments


def read_prompts(path):
    with open(path, encoding="utf-8") as f:
        lines = [line.split("#")[0].strip() for line in f]
    return [line for line in lines if line]


def read_misses(path):
    if not path:
        return set()
    with open(path, encoding="utf-8") as f:
        rows = [line.rstrip("\n").split("\t") for line in f if not line.startswith("#")]
    return {row[0] for row in rows if row[1] == "no"}


def by_limner(a, prompts):
    def draw(prompt, path):
        subprocess.run([a.limner, "generate", prompt, "--model", a.model, "--seed", str(a.seed),
                        "--marks", "off", "-o", path], check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        return Image.open(path).convert("RGB").copy()

    with tempfile.TemporaryDirectory() as where:
        return [draw(p, os.path.join(where, "picture.png")) for p in prompts]


@torch.no_grad()
def by_torch(a, prompts):
    place, tok = Place(a), Tokenizer(f"{a.model}/tokenizer")
    text, unet, vae = (place.put(folder.load(a.model, part))
                       for part in ("text_encoder", "unet", "vae"))
    settings = folder.read_json(f"{a.model}/limner.json")
    cfg, d = folder.config(a.model, "unet"), place.device
    ab = diffusion.alphas(folder.read_json(f"{a.model}/scheduler/scheduler_config.json")).to(d)
    side, n = cfg["sample_size"], len(prompts)
    one = torch.randn((1, cfg["in_channels"], side, side), generator=place.generator, device=d)
    with place.autocast():
        context = text(torch.tensor([tok(p) for p in prompts] + [tok("")] * n, device=d))

        def predict(x, t):
            return unet(x, torch.full((len(x),), t, device=d), context)

        x = diffusion.ddim(predict, one.repeat(n, 1, 1, 1), ab, settings["steps"],
                           settings["guidance"])
        y = torch.cat([vae.decode(x[i : i + 8]).float() for i in range(0, n, 8)])
    bytes_ = ((y.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    return [Image.fromarray(p) for p in bytes_]


def label_lines(draw, text, font, width):
    """The text in lines of `width` pixels, broken at spaces."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if draw.textlength(longer, font=font) > width and lines[-1]:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def sheet(pictures, labels, misses, columns, side):
    gap, font = 6, ImageFont.load_default(10)
    ruler = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    wrapped = [label_lines(ruler, label, font, side) for label in labels]
    text = 4 + 12 * max(map(len, wrapped))
    rows = -(-len(pictures) // columns)
    size = (columns * (side + gap) + gap, rows * (side + text + gap) + gap)
    out = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(out)
    for i, (picture, label) in enumerate(zip(pictures, labels)):
        x, y = gap + i % columns * (side + gap), gap + i // columns * (side + text + gap)
        out.paste(picture.resize((side, side), Image.LANCZOS), (x, y))
        colour = (200, 0, 0) if label in misses else (40, 40, 40)
        for k, line in enumerate(wrapped[i]):
            draw.text((x, y + side + 2 + 12 * k), line, fill=colour, font=font)
    return out


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--model", required=True)
    p.add_argument("--prompts", required=True, help="one a line; # begins a comment")
    p.add_argument("--out", required=True)
    p.add_argument("--limner", help="the program")
    p.add_argument("--judged", help="TSV of verdicts")
    p.add_argument("--columns", type=int, default=6)
    p.add_argument("--side", type=int, default=128, help="pixels of one picture on the sheet")
    p.add_argument("--colours", type=int, default=0, help="a palette of so many, for a small file")
    device_arguments(p)
    a = p.parse_args()
    prompts = read_prompts(a.prompts)
    pictures = by_limner(a, prompts) if a.limner else by_torch(a, prompts)
    made = sheet(pictures, prompts, read_misses(a.judged), a.columns, a.side)
    if a.colours:
        made = made.quantize(a.colours, dither=Image.Dither.NONE)
    made.save(a.out, optimize=True)
    print(f"{a.out}: {len(prompts)} pictures, {os.path.getsize(a.out)} bytes")


if __name__ == "__main__":
    main()
