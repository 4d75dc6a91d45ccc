# SPDX-License-Identifier: Apache-2.0
"""report.md and report.svg from what report.py has measured."""
import os
import platform
import subprocess

import numpy as np
from scipy import stats

from attacks import ATTACKS

METHODS = ("limner", "dwtDct", "dwtDctSvd")
PEER_PRESENT = 52  # of 64 bits: by chance in 2.3e-7 of pictures, as an unknown mark gives fair bits
WORKING = 1e-9     # the p value that a verdict needs, MARK_P_MAX
PILOTS_TRIED = 528 * 65536 # what detect.c multiplies a pilot p with: SURFACES * LINES_SHIFTS^2


def rate(results, method, attack, what, kind=""):
    rows = [r["rows"][attack][what] for r in results
            if r["method"] == method and attack in r["rows"] and r["picture"].startswith(kind)]
    return (sum(rows), len(rows))


def percent(hits, of):
    return f"{100 * hits / of:.0f} %" if of else "-"


def commit():
    here = os.path.dirname(os.path.abspath(__file__))
    return subprocess.run(["git", "-C", os.path.join(here, "../.."), "log", "-1", "--format=%h", "--",
                           "watermark/mark"], capture_output=True, text=True).stdout.strip() or "unknown"


def machine():
    name = platform.processor() or platform.machine()
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                name = line.split(":", 1)[1].strip()
                break
    return f"{name}, {os.cpu_count()} cores, {platform.system()}"


def quality(results):
    out = ["| method | pictures | PSNR mean (least), dB | SSIM mean (least) |", "|---|---|---|---|"]
    for m in METHODS:
        p = [r["psnr"] for r in results if r["method"] == m]
        s = [r["ssim"] for r in results if r["method"] == m]
        if p:
            out.append(f"| {m} | {len(p)} | {np.mean(p):.2f} ({min(p):.2f}) | "
                       f"{np.mean(s):.4f} ({min(s):.4f}) |")
    return out


def survival(results):
    out = ["| what happened | limner: id exact | limner: present | dwtDct: exact | dwtDct: present | "
           "dwtDctSvd: exact | dwtDctSvd: present | limner exact, starter / drawn / texture |",
           "|---|---|---|---|---|---|---|---|"]
    for attack in ATTACKS:
        cells = [percent(*rate(results, m, attack, w)) for m in METHODS for w in ("exact", "present")]
        kinds = [percent(*rate(results, "limner", attack, "exact", k))
                 for k in ("starter", "drawn", "texture")]
        out.append(f"| {attack} | " + " | ".join(cells) + " | " + " / ".join(kinds) + " |")
    return out


def normal_largest(z):
    """How many independent normal numbers have a largest one like these: the likeliest count."""
    return -len(z) / np.log1p(-stats.norm.sf(z)).sum()


def tail(z, threshold):
    """Rates beyond the threshold, by the law of the largest of normal numbers and by Gumbel's, which
    falls more slowly; of the first the 95 % interval of a bootstrap."""
    r = np.random.default_rng(1)
    beyond = lambda sample: normal_largest(sample) * stats.norm.sf(threshold)
    again = [beyond(r.choice(z, len(z))) for _ in range(200)]
    slow = stats.gumbel_r.sf(threshold, *stats.gumbel_r.fit(z))
    return beyond(z), np.quantile(again, 0.025), np.quantile(again, 0.975), slow


def null_part(nothing):
    if not nothing:
        return ["Null trials have not been run."]
    p = np.array([n["p_present"] for n in nothing])
    z = np.array([n["z_pilot"] for n in nothing])
    n = len(p)
    found = sum(x["verdict"] != "absent" for x in nothing)
    half = n // 2
    count = normal_largest(z[:half])
    one = stats.kstest(1 - stats.norm.cdf(z[half:]) ** count, "uniform")
    fit = stats.gumbel_r.fit(z[:half])
    two = stats.kstest(stats.gumbel_r.sf(z[half:], *fit), "uniform")
    needed = stats.norm.isf(WORKING / 2 / PILOTS_TRIED)
    at, low, high, slow = tail(z, needed)
    return [
        f"{n} trials, each a picture without our mark (256 x 256 cut from the pictures above, a third of "
        f"them with dwtDct's) and a key of its own. Found: **{found}** (95 % upper bound of the rate: "
        f"{stats.beta.ppf(0.95, found + 1, n - found):.1e}).", "",
        "A p value counts everything that was tried as if it were independent, so it is a bound, and "
        "without a mark it lies above the uniform, mostly at 1: "
        f"{(p <= 0.5).sum()} of {n} were at most 0.5, {(p <= 0.1).sum()} at most 0.1, "
        f"{(p <= 0.01).sum()} at most 0.01, where a uniform one would have {n // 2}, {n // 10} and "
        f"{n // 100}.", "",
        f"What is behind it, the largest z of the pilots in each trial: mean {z.mean():.2f}, sd "
        f"{z.std():.2f}, largest {z.max():.2f}; needed for p = {WORKING:.0e}: {needed:.2f}. A law is "
        "fitted to the first half of the trials, and the p values that it gives to the second half are "
        "tested for uniformity (Kolmogorov-Smirnov). The largest of "
        f"{count:.0f} independent normal numbers: D = {one.statistic:.4f}, p = {one.pvalue:.3f}; Gumbel's: "
        f"D = {two.statistic:.4f}, p = {two.pvalue:.3f}. Fitted to all and carried on to the working "
        f"threshold, the first gives a false rate of {at:.1e} a picture (95 %: {low:.1e} to {high:.1e}); "
        f"Gumbel's, whose tail falls more slowly than a normal one, {slow:.1e}."]


def plot(results):
    """Bars of exact ids, one group for each attack."""
    left, top, line, width = 330, 40, 22, 420
    colours = ("#1f6feb", "#d29922", "#8b949e")
    height = top + line * len(ATTACKS) + 30
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 60}" height="{height}" '
           'font-family="sans-serif" font-size="12">',
           f'<rect width="100%" height="100%" fill="white"/>']
    for i, m in enumerate(METHODS):
        out.append(f'<rect x="{left + 140 * i}" y="12" width="12" height="12" fill="{colours[i]}"/>'
                   f'<text x="{left + 140 * i + 18}" y="22">{m}, id exact</text>')
    for n, attack in enumerate(ATTACKS):
        y = top + line * n
        out.append(f'<text x="{left - 8}" y="{y + 13}" text-anchor="end">{attack}</text>')
        for i, m in enumerate(METHODS):
            hits, of = rate(results, m, attack, "exact")
            long = width * hits / of if of else 0
            out.append(f'<rect x="{left}" y="{y + 6 * i}" width="{long:.1f}" height="5" '
                       f'fill="{colours[i]}"/>')
    for share in (0, 25, 50, 75, 100):
        x = left + width * share / 100
        out.append(f'<line x1="{x}" x2="{x}" y1="{top - 4}" y2="{height - 24}" stroke="#ccc" '
                   f'stroke-width="0.5"/><text x="{x}" y="{height - 8}" text-anchor="middle">{share} %</text>')
    return "\n".join(out + ["</svg>", ""])


def short_run(count, trials):
    if count >= 100 and trials >= 100000:
        return ""
    return (f"This is a short run, {count} pictures and {trials} trials: run.sh without arguments does "
            "102 and 100,000. ")


def write(folder, results, nothing):
    ours = [r for r in results if r["method"] == "limner"]
    if not ours:
        raise SystemExit("nothing has been measured yet: report.py measure comes first")
    wrong = sum(row["wrong"] for r in ours for row in r["rows"].values())
    decodes = sum(len(r["rows"]) for r in ours)
    kinds = [sum(r["picture"].startswith(k) for r in ours) for k in ("starter", "drawn", "texture")]
    short = {m: sum(r["method"] == m and r["psnr"] < o["psnr"] - 0.3
                    for r in results for o in ours if o["picture"] == r["picture"])
             for m in METHODS[1:]}
    took = [row["ms"] for r in ours for row in r["rows"].values()]
    text = [
        "# What the mark survives", "",
        "Written by `bench/watermark/run.sh`, which makes the pictures, marks them, does to them what "
        "happens to pictures with tools that are not ours (libjpeg-turbo, libwebp, ImageMagick), and "
        "looks for the mark.", "",
        f"{len(ours)} pictures of 512 x 512: {kinds[0]} of the starter model's sample sheet, enlarged; "
        f"{kinds[1]} flat drawings; {kinds[2]} drawn textures in six manners. A 64-bit id of its own in "
        f"each. {short_run(len(ours), len(nothing))}Machine: {machine()}. Mark as of commit {commit()}.", "",
        *quality(results), "",
        "dwtDct and dwtDctSvd are invisible-watermark 0.2.0's code, with 64 bits; their strength is "
        "searched for the PSNR that limner has in the same picture. Where none reaches it, as their "
        "transform itself takes more, they keep their default strength and so a lower PSNR, which "
        f"favours them: {short['dwtDct']} and {short['dwtDctSvd']} pictures. Their decoder is told the "
        "strength; limner's is told nothing but the key. `exact`: all 64 bits, for limner with a p value "
        f"of at most {WORKING:.0e}, which they don't have. `present`: theirs, {PEER_PRESENT} of the "
        "known 64 bits; limner's, its verdict, for which nothing is known. SSIM is of the luma, where "
        "theirs leave no trace: they mark chroma alone.", "",
        *survival(results), "",
        f"Wrong ids accepted by limner: **{wrong}** in {decodes} detections. Detection took "
        f"{np.median(took):.0f} ms of processor time in the median and {max(took):.0f} at most, "
        f"embedding {np.median([r['embed_ms'] for r in ours]):.0f}, on a machine that was busy with "
        "other work.", "", "![bars](report.svg)", "",
        "## Where there is no mark", "", *null_part(nothing), "",
        "## What this doesn't say", "",
        "Nothing here withstands a person who sets out to remove a mark, or a model that draws the "
        "picture anew. Pictures of other models and real photographs are not among these.", ""]
    with open(os.path.join(folder, "report.md"), "w", encoding="utf-8") as file:
        file.write("\n".join(text))
    with open(os.path.join(folder, "report.svg"), "w", encoding="utf-8") as file:
        file.write(plot(results))
