#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The dashboard as a browser shows it: headless Chromium, a running server, real pictures.

    tests/browser/dashboard.py [LIMNER [FOLDER]]     LIMNER is build/release/limner without it

Screenshots in light and dark stay in FOLDER, if it is named. Without Chromium it ends with 77:
skipped.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

from limner import Server, ask

SCHEMES = {"light": [], "dark": ["--force-dark-mode", "--blink-settings=preferredColorScheme=0"]}
PICTURE = {"model": "tiny_lcm", "prompt": "a red fox", "n": 2}
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def browse(port, folder, *flags):
    """What the page came to: its DOM. Anything that Chromium's console says is a failure."""
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
               "--disable-dev-shm-usage", "--window-size=1320,1500", "--virtual-time-budget=4000",
               "--enable-logging=stderr", "--user-data-dir=" + os.path.join(folder, "browser"),
               *flags, f"http://127.0.0.1:{port}/dashboard"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    said = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return done.stdout, said


def rows(dom, table):
    """The texts of a table's body, row by row."""
    body = re.search(rf'<table id="{table}">.*?<tbody>(.*?)</tbody>', dom, re.S).group(1)
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.S) for row in body.split("</tr>")]
    return [[re.sub(r"<.*?>", "", cell).strip() for cell in row] for row in cells if row]


def wait_for_points(server, count):
    for _ in range(60):
        _, body = ask(server.metrics, "/dashboard/data")
        if len(json.loads(body)["points"]) >= count:
            return
        ask(server.api, "/v1/images/generations", PICTURE)
        time.sleep(0.5)
    raise AssertionError("no points")


def check_drawing(server, folder):
    wait_for_points(server, 3)
    dom, said = browse(server.metrics, folder, "--dump-dom")
    assert not said, said
    assert int(re.search(r'<body[^>]*data-points="(\d+)"', dom).group(1)) >= 3
    assert re.search(r'id="state"[^>]*class="good"[^>]*>ready<', dom), "the state"
    charts = re.findall(r'<svg role="img"[^>]*aria-label="([^"]*)"', dom)
    assert len(charts) == 16, charts
    assert all(re.search(r"\d", words) for words in charts), charts
    assert len(re.findall(r'<path class="line ', dom)) > 25, "lines"
    stages = rows(dom, "stage-table")
    assert [row[0] for row in stages] == ["Whole picture", "Admit", "Queue", "Text", "Wait", "Denoise",
                                          "Decode", "Judge", "Encode", "Send"]
    assert all(re.fullmatch(r"[\d.]+ (µs|ms|s)", cell) for row in stages for cell in row[1:]), stages
    steps = rows(dom, "step-table")
    assert steps and steps[0][0] == "tiny_lcm" and int(steps[0][1]) >= 1, steps
    assert 'id="door" class="card" hidden' in dom, "nobody needs a key here"


def check_schemes(server, folder, keep):
    sizes = {}
    for scheme, flags in SCHEMES.items():
        path = os.path.join(keep or folder, f"dashboard_{scheme}.png")
        browse(server.metrics, folder, "--screenshot=" + path, *flags)
        with open(path, "rb") as picture:
            sizes[scheme] = picture.read()
        assert len(sizes[scheme]) > 40000, "an empty page"
    assert sizes["light"] != sizes["dark"]


def check_policy(server):
    """One file, which may ask for nothing from elsewhere, and does not name an elsewhere."""
    answer, body = ask(server.metrics, "/dashboard")
    policy = answer.getheader("content-security-policy")
    assert policy.startswith("default-src 'none'; script-src 'sha256-"), policy
    assert "unsafe" not in policy and "http" not in policy and "*" not in policy, policy
    page = body.decode().replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?:|//[a-z]+\.|src=|@import|url\(", page), "something from outside"
    assert ask(server.api, "/dashboard")[0].status == 404


def check_key(limner, folder):
    """With a key on the metrics the page asks for one, and draws nothing."""
    server = Server(limner, folder, "--metrics-auth", "key")
    try:
        dom, _ = browse(server.metrics, folder, "--dump-dom")
        assert re.search(r'id="state"[^>]*class="warn"[^>]*>needs a key<', dom)
        assert 'id="door" class="card">' in dom
        assert ask(server.metrics, "/dashboard/data")[0].status == 401
    finally:
        server.close()


def main():
    limner = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "build/release/limner")
    keep = os.path.abspath(sys.argv[2]) if len(sys.argv) > 2 else None
    if not CHROMIUM:
        print("skipped: no Chromium")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as folder:
        server = Server(limner, folder)
        try:
            check_policy(server)
            check_drawing(server, folder)
            check_schemes(server, folder, keep)
        finally:
            server.close()
    with tempfile.TemporaryDirectory() as folder:
        check_key(limner, folder)
    print("the dashboard draws what the server tells")


if __name__ == "__main__":
    main()
