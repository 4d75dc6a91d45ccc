# SPDX-License-Identifier: Apache-2.0
"""One table of limner's times beside PyTorch's, and the same as JSON.

    python3 tests/gpu/report.py PEER.json LIMNER.tsv RESULTS NAME

LIMNER.tsv: case, limner's precision, median ms, least ms. The table goes to standard output and to
NAME.txt beside PEER.json, the numbers to RESULTS/DEVICE_NAME.json.
"""

import json
import os
import sys

# FLOPs of a pass of so many rows: the UNet's per row, a decode's at 512 and 1024 pixels.
FLOPS = {"sd15_unet_1": 2 * 0.803e12, "sd15_unet_8": 16 * 0.803e12, "sd15_unet_32": 64 * 0.803e12,
         "sdxl_unet_1": 2 * 6.761e12, "sdxl_unet_8": 16 * 6.761e12,
         "vae_decode_512": 2.515e12, "vae_decode_1024": 10.47e12}


def flops_of(case):
    return next((f for name, f in FLOPS.items() if case == name or case.startswith(name + "_")), None)


def read_limner(path):
    """{case: {precision: median ms}}"""
    found = {}
    with open(path) as file:
        for line in file:
            case, precision, ms, _ = line.rstrip("\n").split("\t")
            found.setdefault(case, {})[precision] = float(ms)
    return found


def row_of(case, precision, peer_ms, ms):
    rate = flops_of(case) / ms * 1e-9 if ms and flops_of(case) else None
    return {"case": case, "precision": precision, "peer_ms": peer_ms, "limner_ms": ms, "tflops": rate}


def line_of(row, roof):
    ms, rate = row["limner_ms"], row["tflops"]
    text = f"{row['case']:36} {row['precision']:9} {row['peer_ms']:11.3f} "
    text += f"{ms:10.3f} {row['peer_ms'] / ms:6.2f}" if ms else f"{'not measured':>17}"
    return text + (f" {rate:8.1f} {rate / roof:8.0%}" if rate else "")


def main():
    peer_path, limner_path, results, name = sys.argv[1:5]
    with open(peer_path) as file:
        peer = json.load(file)
    limner = read_limner(limner_path)
    roof = peer["ceilings"]["matmul_tflops"]
    rows = [row_of(case, precision, peer_ms, ms)
            for case, peer_ms in peer["ms"].items()
            for precision, ms in limner.get(case, {"-": None}).items()]
    lines = [f"# {peer['device']}, PyTorch {peer['torch']}, bf16; matmul {roof:.0f} TFLOP/s, "
             f"copy {peer['ceilings']['copy_gb_s']:.0f} GB/s",
             f"{'case':36} {'limner in':9} {'PyTorch ms':>11} {'limner ms':>10} {'ratio':>6} {'TFLOP/s':>8} "
             f"{'of roof':>8}"]
    table = "\n".join(lines + [line_of(row, roof) for row in rows]) + "\n"
    print(table, end="")
    with open(os.path.join(os.path.dirname(peer_path), name + ".txt"), "w") as out:
        out.write(table)
    os.makedirs(results, exist_ok=True)
    device = peer["device"].replace(" ", "_").replace("/", "_")
    with open(os.path.join(results, f"{device}_{name}.json"), "w") as out:
        json.dump({**peer, "rows": rows}, out, indent=1)
        out.write("\n")


main()
