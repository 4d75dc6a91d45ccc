#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The page of somebody whose picture was held back, in every state, as a browser shows it.

    tests/browser/appeal.py [TEST_PAGE_APPEAL [FOLDER]]

TEST_PAGE_APPEAL is the test program that writes the pages, build/release/test_page_appeal without
it. Screenshots stay in FOLDER, if it is named. Without Chromium it ends with 77: skipped.
"""

import http.server
import os
import subprocess
import sys
import tempfile
import threading
import urllib.parse

import chromium
from pictures import drawing, haze, png

SIZES = {"wide": (1280, 900, False), "dark": (1280, 900, True), "narrow": (360, 740, False),
         "least": (320, 640, False)}


class Handler(http.server.BaseHTTPRequestHandler):
    pages, sent = "", []

    def log_message(self, *_):
        pass

    def answer(self, body, media, policy=None):
        self.send_response(200)
        self.send_header("Content-Type", media)
        if policy:
            self.send_header("Content-Security-Policy", policy)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        path = urllib.parse.urlparse(self.path).path
        if path.endswith("/image"):
            return self.answer(png(256, 256, drawing), "image/png")
        if path.endswith("/preview"):
            return self.answer(png(192, 192, haze), "image/png")
        if not os.path.exists(self.pages + path + ".html"):
            return self.answer(b"", "text/plain")
        with open(self.pages + path + ".html", "rb") as file:
            policy, page = file.read().split(b"\n", 1)
        return self.answer(page, "text/html; charset=utf-8", policy.decode())

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.sent.append((self.path, urllib.parse.parse_qs(body, keep_blank_values=True)))
        self.answer(b"<title>sent</title>", "text/html")


def check_state(page, url, name, keep):
    page.open(f"{url}/{name}")
    assert not page.said, (name, page.said)
    assert not page.overflow(), (name, page.overflow())
    assert page.run("[...document.images].every(i => i.complete && i.naturalWidth || i.closest('details'))")
    assert page.run("document.querySelectorAll('script, [onerror], [style]').length") == 0
    found = page.axe()
    assert not found, (name, found)
    if keep:
        size = page.run("innerWidth + (matchMedia('(prefers-color-scheme: dark)').matches ? 'd' : '')")
        page.shot(os.path.join(keep, f"appeal_{name}_{size}.png"))


def check_form(browser, url):
    """Sent by a person without a script; what is missing is said by the browser itself."""
    page = browser.page(800, 900)
    page.ask("Emulation.setScriptExecutionDisabled", value=True)
    page.ask("Page.navigate", url=url + "/blocked_words")
    page.ask("Emulation.setScriptExecutionDisabled", value=False)
    page.wait("document.forms.length === 1")
    assert page.run("document.forms[0].checkValidity()") is False, "a reason is needed"
    page.click("input[value=art]")
    page.fill("textarea", "äöü & <b>")
    page.click("button.main")
    page.wait("document.title === 'sent'")
    assert Handler.sent[-1] == ("/appeal/dec_0123", {
        "token": ["to-ken_1"], "do": ["appeal"], "reason": ["art"], "text": ["äöü & <b>"]}), Handler.sent
    page.open(url + "/asked")
    page.fill("textarea", "What to look for.")
    page.click("button.main")
    page.wait("document.title === 'sent'")
    assert Handler.sent[-1][1]["do"] == ["reply"]
    page.open(url + "/pending")
    page.click("form button")
    page.wait("document.title === 'sent'")
    assert Handler.sent[-1][1]["do"] == ["withdraw"]


def main():
    program = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "build/release/test_page_appeal")
    keep = os.path.abspath(sys.argv[2]) if len(sys.argv) > 2 else None
    if not chromium.PROGRAM:
        print("skipped: no Chromium")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as folder, chromium.Chromium() as browser:
        subprocess.run([program, folder], check=True)
        Handler.pages = folder
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        names = sorted(name[:-5] for name in os.listdir(folder))
        assert len(names) == 14, names
        for size in SIZES.values():
            page = browser.page(*size)
            for name in names:
                check_state(page, url, name, keep)
            page.close()
        check_form(browser, url)
        server.shutdown()
    print("the owner's page is sound in every state" +
          ("" if chromium.axe_path() else "; axe-core is not here and was left out"))


if __name__ == "__main__":
    main()
