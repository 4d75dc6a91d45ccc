# SPDX-License-Identifier: Apache-2.0
"""What happens to pictures, done by tools that are not ours: ImageMagick, libjpeg-turbo's cjpeg and
djpeg, cwebp and dwebp; numpy for the noise. PPM files in, PPM files out."""
import os
import subprocess

import numpy as np
from PIL import Image

SIDE = 512


def crop(percent):
    """A centred crop to a share of the area, moved by a few odd pixels."""
    side = round(SIDE * (percent / 100) ** 0.5)
    left = (SIDE - side) // 2
    return ["-crop", f"{side}x{side}+{max(0, left - 5)}+{min(SIDE - side, left + 3)}", "+repage"]


# name: (arguments of convert, then coder and quality). Rows of the report, in its order.
ATTACKS = {
    "none": ([], None),
    "JPEG 80": ([], ("jpeg", 80)),
    "JPEG 50": ([], ("jpeg", 50)),
    "JPEG 30": ([], ("jpeg", 30)),
    "WebP 80": ([], ("webp", 80)),
    "WebP 50": ([], ("webp", 50)),
    "resize 0.5": (["-resize", "50%"], None),
    "resize 0.75": (["-resize", "75%"], None),
    "resize 2": (["-resize", "200%"], None),
    "crop to 75 % of the area": (crop(75), None),
    "crop to 50 %": (crop(50), None),
    "crop to 25 %": (crop(25), None),
    "rotate 1": (["-background", "white", "-rotate", "1", "+repage"], None),
    "rotate 3": (["-background", "white", "-rotate", "3", "+repage"], None),
    "rotate 5": (["-background", "white", "-rotate", "5", "+repage"], None),
    "rotate 10": (["-background", "white", "-rotate", "10", "+repage"], None),
    "mirror": (["-flop"], None),
    "brightness 0.6": (["-evaluate", "multiply", "0.6"], None),
    "brightness 1.4": (["-evaluate", "multiply", "1.4"], None),
    "contrast 0.6": (["-function", "polynomial", "0.6,0.2"], None),
    "contrast 1.4": (["-function", "polynomial", "1.4,-0.2"], None),
    "grey": (["-colorspace", "Gray"], None),
    "noise, sd 10": (None, None),
    "blur 1": (["-blur", "0x1"], None),
    "blur 2": (["-blur", "0x2"], None),
    "median 3": (["-statistic", "Median", "3x3"], None),
    "screenshot: resize 0.8, border 40, JPEG 85": (
        ["-resize", "80%", "-bordercolor", "#e6e6e6", "-border", "40"], ("jpeg", 85)),
    "crop 50 %, resize 0.75, JPEG 70": (crop(50) + ["-resize", "75%"], ("jpeg", 70)),
    "rotate 2, crop 80 %, JPEG 60": (
        ["-background", "white", "-rotate", "2", "-gravity", "center", "-crop", "458x458+0+0",
         "+repage"], ("jpeg", 60)),
}


def run(*command, **more):
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL, **more)


def through(coder, quality, path):
    coded = path + ".coded"
    if coder == "jpeg":
        run("cjpeg", "-quality", str(quality), "-outfile", coded, path)
        run("djpeg", "-pnm", "-outfile", path, coded)
    else:
        run("cwebp", "-quiet", "-q", str(quality), path, "-o", coded)
        run("dwebp", "-quiet", "-ppm", coded, "-o", path)
    os.remove(coded)


def attack(convert, source, folder, seed):
    """Every attack on one picture. Returns {name: path}."""
    os.makedirs(folder, exist_ok=True)
    paths = {name: os.path.join(folder, f"{i:02d}.ppm") for i, name in enumerate(ATTACKS)}
    command = [convert, source, "-depth", "8"]
    for name, (arguments, _) in ATTACKS.items():
        if arguments is not None:
            command += ["(", "+clone", *arguments, "-write", "ppm:" + paths[name], "+delete", ")"]
    run(*command, "null:")
    pixels = np.asarray(Image.open(source), float)
    noise = np.random.default_rng(seed).normal(scale=10, size=pixels.shape)
    Image.fromarray(np.clip(np.rint(pixels + noise), 0, 255).astype(np.uint8)).save(
        paths["noise, sd 10"])
    for name, (_, coded) in ATTACKS.items():
        if coded:
            through(*coded, paths[name])
    return paths
