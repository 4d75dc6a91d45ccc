#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The officers' page in a browser, against a real limner with a log of 300 records.

    tests/browser/officer.py LIMNER WRITE_LOG [FOLDER]

Screenshots stay in FOLDER, if it is named. Without Chromium it ends with 77: skipped.
"""

import os
import subprocess
import sys
import tempfile

import chromium
from limner import Server

PICTURE = "%016x" % (1000 + 41)


def check(page, keep, name):
    assert not page.said, (name, page.said)
    assert not page.overflow(), (name, page.overflow())
    found = page.axe()
    assert not found, (name, found)
    if keep:
        page.shot(f"{keep}_{name}.png")


def search(page, **fields):
    page.run("document.querySelector('#find').reset()")
    page.fill("#find [name=reason]", "complaint 7")
    for name, value in fields.items():
        page.fill(f"#find [name={name}]", value)
    page.click("#find button.main")


def visit(page, url, key, other, keep):
    page.open(url + "/officer")
    page.fill("#key", other)
    page.press("Enter")
    page.wait("document.querySelector('#door-trouble').innerText.includes('scope')")
    check(page, keep, "door")
    page.fill("#key", key)
    page.press("Enter")
    page.wait("document.body.dataset.inside === 'yes'")
    page.wait("document.querySelector('#tiles').innerText.includes('300')")
    assert "since the start; 0 are weak, 0 not sent" in page.text("#tiles"), page.text("#tiles")
    search(page, id=PICTURE)
    page.wait("document.querySelectorAll('#found tbody tr').length === 1")
    assert PICTURE in page.text("#found")
    page.click("#found tbody button")
    page.wait("document.querySelector('#proof').className.includes('good')")
    assert "under the head of" in page.text("#proof"), page.text("#proof")
    assert "Nothing more" in page.text("#lineage")
    check(page, keep, "record")
    search(page, model="tiny")
    page.wait("document.querySelectorAll('#found tbody tr').length === 50")
    page.click("#older")
    page.wait("document.querySelectorAll('#found tbody tr').length === 100")
    search(page, id="0000000000000000")
    page.wait("document.querySelectorAll('#found tbody tr').length === 0")
    assert page.text("#none") == "Nothing was found."
    page.run("document.querySelector('#find [name=id]').value = ''")
    page.run("document.querySelector('#find [name=kind]').value = 'read'")
    page.click("#find button.main")
    page.wait("document.querySelectorAll('#found tbody tr').length > 3")
    assert "because: complaint 7" in page.text("#found"), page.text("#found")
    check(page, keep, "reads")
    wrong = page.run("(async () => { const a = await fetchText('/v1/log/search?reason=x&id=" + PICTURE + "');"
                     "const r = lines(a.text)[0]; const p = await fetchText('/v1/log/proof?index=41');"
                     "return [await prove(r.line, 41, p.text) !== null, await prove(r.line + ' ', 41, p.text),"
                     "await prove(r.line, 42, p.text)]; })()")
    assert wrong == [True, None, None], wrong


def make_key(limner, folder, scopes):
    done = subprocess.run([limner, "key", "create", "--state", folder, "--scopes", scopes],
                          capture_output=True, text=True, check=True)
    return done.stdout.strip()


def main():
    limner, write_log = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    keep = os.path.abspath(sys.argv[3]) if len(sys.argv) > 3 else None
    if not chromium.PROGRAM:
        print("skipped: no Chromium")
        sys.exit(77)
    os.environ["LIMNER_MARKS"] = "on"
    with tempfile.TemporaryDirectory() as folder, chromium.Chromium() as browser:
        subprocess.run([write_log, folder, "0", "300"], check=True)
        key, other = make_key(limner, folder, "compliance"), make_key(limner, folder, "generate")
        server = Server(limner, folder)
        try:
            for width, height in ((1280, 900), (360, 740)):
                page = browser.page(width, height)
                visit(page, f"http://127.0.0.1:{server.api}", key, other, keep and f"{keep}/officer_{width}")
                page.close()
        finally:
            server.close()
    print("the officers' page does what it says")


if __name__ == "__main__":
    main()
