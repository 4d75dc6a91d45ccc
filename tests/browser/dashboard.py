#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The dashboard as a browser shows it: headless Chromium, a running server, real pictures.

    tests/browser/dashboard.py [LIMNER [FOLDER]]     LIMNER is build/release/limner without it

Screenshots in light and dark stay in FOLDER, if it is named. Without Chromium it ends with 77:
skipped.
"""

import http.server
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

import chromium
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
    data = json.loads(ask(server.metrics, "/dashboard/data")[1])
    assert len(charts) == 18 + ("moderation" in data), charts
    if "moderation" in data:
        assert data["moderation"]["policy"]["version"] >= 1 and data["moderation"]["judged"] > 0
        assert sum(p[band] for p in data["points"] for band in ("allowed", "blurred", "held", "blocked")) > 0
    assert all(re.search(r"\d", words) for words in charts), charts
    assert len(re.findall(r'<path class="line ', dom)) > 25, "lines"
    stages = rows(dom, "stage-table")
    assert [row[0] for row in stages] == ["Whole picture", "Admit", "Queue", "Text", "Wait", "Denoise",
                                          "Decode", "Judge", "Mark", "Encode", "Log", "Send"]
    assert all(re.fullmatch(r"[\d.]+ (µs|ms|s)", cell) for row in stages for cell in row[1:]), stages
    steps = rows(dom, "step-table")
    assert steps and steps[0][0] == "tiny_lcm" and int(steps[0][1]) >= 1, steps
    assert 'id="door" class="card" hidden' in dom, "nobody needs a key here"


def share(hits, looked_at, low, high):
    return {"looked_at": looked_at, "hits": hits, "share": hits / looked_at, "low": low, "high": high}


MODERATION = {
    "policy": {"id": "default", "version": 14}, "judged": 900, "shadow_differs": 3, "failed": 2,
    "psi": [{"category": "sexual_explicit", "value": 0.12}, {"category": "violence", "value": None}],
    "psi_alert": 0.1, "psi_page": 0.25, "canary": {"ok": True, "age_s": 40}}
REVIEWS = {
    "backlog": {"hold": 31, "appeal": 20, "audit": 6}, "overdue": 3, "oldest_s": 93000, "open_breakers": 1,
    "wrong_blocks_appealed": share(18, 40, 0.31, 0.6), "wrong_blocks": share(9, 60, 0.081, 0.261),
    "wrong_allows": share(1, 80, 0.002, 0.067)}


class Judged(http.server.BaseHTTPRequestHandler):
    """What a server tells, with a moderation that is played."""

    port = 0

    def log_message(self, *_):
        pass

    def do_GET(self):
        answer, body = ask(self.port, self.path)
        if self.path.startswith("/dashboard/data"):
            data = {**json.loads(body), "moderation": MODERATION, "reviews": REVIEWS}
            for i, point in enumerate(data["points"]):
                point.update(allowed=40 + i % 5, blurred=3, held=i % 3, blocked=1)
            body = json.dumps(data).encode()
        self.send_response(answer.status)
        for name in ("Content-Type", "Content-Security-Policy"):
            if answer.getheader(name):
                self.send_header(name, answer.getheader(name))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def check_moderation(server, keep):
    """Misses and false alarms alike, each with its interval; and nothing serious for axe-core."""
    Judged.port = server.metrics
    judged = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Judged)
    threading.Thread(target=judged.serve_forever, daemon=True).start()
    with chromium.Chromium() as browser:
        for size in ((1280, 900, False), (360, 740, False), (1280, 900, True)):
            page = browser.page(*size)
            page.open(f"http://127.0.0.1:{judged.server_address[1]}/dashboard")
            page.wait("document.body.dataset.points >= 1")
            text = page.text("#moderation")
            for words in ("15 %", "8.1 % to 26 %, 9 of 60", "1.3 %", "0.2 % to 6.7 %, 1 of 80", "45 %",
                          "57", "3 overdue", "held instead of blocked", "0.12", "as ever", "40.0 s ago",
                          "0.3 %", "and so not sent"):
                assert words in text, (words, text)
            said = page.run("document.querySelector('#moderation svg').getAttribute('aria-label')")
            assert re.search(r"allowed [1-9].*blurred.*held.*blocked", said), said
            assert not page.said and not page.overflow() and not page.axe(), (page.said, page.axe())
            if keep:
                page.shot(os.path.join(keep, f"dashboard_moderation_{size[0]}{'d' if size[2] else ''}.png"))
            page.close()
    judged.shutdown()


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
            check_moderation(server, keep)
        finally:
            server.close()
    with tempfile.TemporaryDirectory() as folder:
        check_key(limner, folder)
    print("the dashboard draws what the server tells")


if __name__ == "__main__":
    main()
