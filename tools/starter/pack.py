# SPDX-License-Identifier: Apache-2.0
"""Makes the folder that travels to a borrowed GPU: the shards without what training will not read.

Held-out pictures stay behind but for the 48 that the autoencoder is measured on; icons are sampled;
whole sources can be left out. Refuses to write more than `--budget-mib`.
"""

import argparse
import gzip
import json
import os
import random
import shutil
from collections import Counter

import data


def chosen(prefix, without, limit):
    items = [m for m in data.training_items(prefix) if m["src"] not in without]
    if limit and limit < len(items):
        items = random.Random(0).sample(items, limit)
    return items


def write(prefix, items, out):
    """The items' files one after another, an index with their new offsets; the bytes of both."""
    offset = 0
    with open(prefix + ".bin", "rb") as whole, open(out + ".bin", "wb") as part, \
            gzip.open(out + ".jsonl.gz", "wt", encoding="utf-8") as index:
        for m in sorted(items, key=lambda m: m["off"]):
            whole.seek(m["off"])
            part.write(whole.read(m["len"]))
            index.write(json.dumps({**m, "off": offset}, ensure_ascii=False) + "\n")
            offset += m["len"]
    return offset + os.path.getsize(out + ".jsonl.gz")


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--data", required=True, help="prefix of the pictures' .bin and .jsonl.gz")
    p.add_argument("--icons", help="prefix of one-colour icons")
    p.add_argument("--icon-count", type=int, default=2000)
    p.add_argument("--teacher", help="folder of TAESD as AutoencoderTiny")
    p.add_argument("--without", nargs="*", default=[], help="sources to leave out")
    p.add_argument("--budget-mib", type=float, default=52)
    p.add_argument("--out", required=True, help="folder to write")
    a = p.parse_args()
    os.makedirs(a.out, exist_ok=True)
    items = chosen(a.data, a.without, 0)
    total = write(a.data, items + data.held_out_items(a.data, 48), f"{a.out}/pictures")
    for source, size in Counter(m["src"] for m in items).most_common():
        print(f"{source}: {size} pictures")
    if a.icons:
        icons = chosen(a.icons, [], a.icon_count)
        total += write(a.icons, icons, f"{a.out}/icons")
        print(f"icons: {len(icons)}")
    if a.teacher:
        shutil.copytree(a.teacher, f"{a.out}/teacher", dirs_exist_ok=True)
        total += sum(os.path.getsize(f"{a.out}/teacher/{f}") for f in os.listdir(a.teacher))
    print(f"{total / 2**20:.1f} MiB in {a.out}")
    if total > a.budget_mib * 2**20:
        raise SystemExit(f"more than {a.budget_mib} MiB: leave out a source or take fewer icons")


if __name__ == "__main__":
    main()
