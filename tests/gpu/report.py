# SPDX-License-Identifier: Apache-2.0
"""One table of limner's times beside PyTorch's, and the same as JSON.

    python3 tests/gpu/report.py PEER.json LIMNER.tsv RESULTS

LIMNER.tsv: case, median ms, least ms. The table goes to standard output and to table.txt beside
PEER.json, the numbers to RESULTS/DEVICE.json.
"""

import json
import os
import sys

# FLOPs of a pass of so many rows: the UNet's per row, a decode's at 512 and 1024 pixels.
FLOPS = {"sd15_unet_1": 2 * 0.803e12, "sd15_unet_8": 16 * 0.803e12, "sd15_unet_32": 64 * 0.803e12,
         "vae_decode_512": 2.515e12, "vae_decode_1024": 10.47e12}


def flops_of(case):
    return next((f for name, f in FLOPS.items() if case == name or case.startswith(name + "_")), None)


def main():
    peer_path, limner_path, results = sys.argv[1:4]
    with open(peer_path) as file:
        peer = json.load(file)
    with open(limner_path) as file:
        limner = {name: float(ms) for name, ms, _ in (line.rstrip("\n").split("\t") for line in file)}
    roof = peer["ceilings"]["matmul_tflops"]
    lines = [f"# {peer['device']}, PyTorch {peer['torch']}, matmul {roof:.0f} TFLOP/s, "
             f"copy {peer['ceilings']['copy_gb_s']:.0f} GB/s",
             f"{'case':36} {'PyTorch ms':>11} {'limner ms':>10} {'ratio':>6} {'TFLOP/s':>8} {'of roof':>8}"]
    rows = []
    for case, peer_ms in peer["ms"].items():
        ms = limner.get(case)
        row = {"case": case, "peer_ms": peer_ms, "limner_ms": ms}
        rate = flops_of(case) / ms * 1e-9 if ms and flops_of(case) else None
        row["tflops"] = rate
        rows.append(row)
        lines.append(f"{case:36} {peer_ms:11.3f} " + (
            f"{ms:10.3f} {peer_ms / ms:6.2f}" if ms else f"{'not measured':>17}") + (
            f" {rate:8.1f} {rate / roof:8.0%}" if rate else ""))
    table = "\n".join(lines) + "\n"
    print(table, end="")
    with open(os.path.join(os.path.dirname(peer_path), "table.txt"), "w") as out:
        out.write(table)
    os.makedirs(results, exist_ok=True)
    name = peer["device"].replace(" ", "_").replace("/", "_")
    with open(os.path.join(results, name + ".json"), "w") as out:
        json.dump({**peer, "rows": rows}, out, indent=1)
        out.write("\n")


main()
