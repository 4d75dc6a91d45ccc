#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A picture that is blocked, appealed and let go, as all who take part see it: a real limner, its
owner's page without a script, the reviewers' page, the lead's.

    tests/browser/whole.py [LIMNER [FOLDER]]     LIMNER is build/release/limner without it

Screenshots stay in FOLDER, if it is named. Without Chromium it ends with 77: skipped.
"""

import json
import os
import re
import subprocess
import sys
import tempfile

import chromium
from limner import ROOT, Server, ask

HOSTILE = "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>"
PROMPT = "an anatomy plate " + HOSTILE
POLICY = {
    "schema": "moderation-policy/1", "policy_id": "whole", "version": 1, "status": "live",
    "change_reason": "a test", "languages": ["en"],
    "classifiers": [{"id": i, "role": r, "preprocess": "bilinear_align_corners_224"}
                    for i, r in (("nsfwjs_mid", "main"), ("nsfwjs_small", "second_opinion"))],
    "ignore": ["Porn", "Hentai", "Sexy"],
    "categories": [{
        "id": "everything", "from": {"op": "sum", "classes": ["Drawing", "Neutral"]},
        "clause": "Rule 1: nothing", "dsa_category": "STATEMENT_CATEGORY_OTHER_VIOLATION_TC",
        "dsa_keyword": "KEYWORD_OTHER", "reason": {"en": "This check objects to everything."},
        "appealable": True, "bands": {"block": 0.000001}}],
    "on_error": "hold",
    "audit_sample": {"auto_block": 0, "auto_allow_near": 0, "auto_allow_far": 0},
    "appeals": {"window_days": 183, "max_text": 2000, "sla_first_review_h": 24, "sla_final_h": 72,
                "info_days": 14},
    "retention": {"held_image_days": 183, "after_final_days": 30, "audit_years": 5},
    "capacity": {"reviewers": 4, "items_per_reviewer_hour": 60, "max_utilisation": 0.8}}


class Stage:
    """A server that blocks (or holds) everything, and a key for each."""

    def __init__(self, limner, folder, browser, keep, band):
        self.browser, self.keep = browser, keep
        policy = json.loads(json.dumps(POLICY))
        policy["categories"][0]["bands"] = {band: 0.000001}
        path = os.path.join(folder, "policy.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(policy, file)
        self.keys = {name: self.key(limner, folder, scopes, tenant) for name, scopes, tenant in (
            ("owner", "generate", "acme"), ("reviewer", "review", "default"),
            ("lead", "lead", "default"))}
        self.server = Server(limner, folder, "--policy", path)
        self.url = f"http://127.0.0.1:{self.server.api}"

    @staticmethod
    def key(limner, folder, scopes, tenant):
        said = subprocess.run([limner, "key", "create", "--state", folder, "--scopes", scopes,
                               "--tenant", tenant], cwd=ROOT, check=True, capture_output=True, text=True)
        return said.stdout.split()[0]

    def make(self, seed, status):
        """What came of a picture, and the path of its owner's page."""
        answer, body = ask(self.server.api, "/v1/images/generations", {"prompt": PROMPT, "seed": seed},
                           {"Authorization": "Bearer " + self.keys["owner"]})
        assert answer.status == status, (answer.status, body)
        said = body.decode()
        decision = re.search(r'"decision_id":"(dec_\w+)"', said).group(1)
        token = re.search(r'token=([\w-]+)', said).group(1)
        return decision, f"/appeal/{decision}?token={token}"

    def owner(self, path):
        """His page, without a script of its own running."""
        page = self.browser.page(1280, 900)
        page.open(self.url + path)
        return page

    def console(self, key, path="/review"):
        page = self.browser.page(1280, 900)
        page.open(self.url + path)
        page.fill("#key", self.keys[key])
        page.press("Enter")
        page.wait("document.body.dataset.inside === 'yes'")
        return page

    def look(self, page, name):
        assert not page.said and not page.overflow(), (name, page.said, page.overflow())
        assert page.run("document.title") != "taken", name
        found = page.axe()
        assert not found, (name, found)
        if self.keep:
            page.shot(os.path.join(self.keep, f"whole_{name}.png"))


def claim(page):
    page.wait("['idle', 'after'].includes(document.body.dataset.screen)")
    page.press("n")
    page.wait("document.body.dataset.screen === 'item'")


def rule(page, key, code, answer):
    page.press(key)
    page.wait("!document.querySelector('#code').disabled")
    page.run(f"(c => {{ c.value = '{code}'; c.dispatchEvent(new Event('change')); }})"
             "(document.querySelector('#code'))")
    page.fill("#answer", answer)
    page.click("input[name=confidence][value='5']")
    page.press("Enter", modifiers=2)
    page.click("#send-now")
    page.wait("document.body.dataset.screen === 'after'")


def appeal(stage, page):
    """The owner's form; what was written is text, whatever it is."""
    page.wait("document.images[0].naturalWidth === 192") # the preview
    stage.look(page, "blocked")
    page.click("input[value=medical]")
    page.fill("textarea", "For a leaflet. " + HOSTILE)
    page.click("form button.main")
    page.wait("document.body.innerText.includes('A person will look')")
    stage.look(page, "pending")


def check_overturn(stage):
    decision, path = stage.make(7, 400)
    page = stage.owner(path)
    appeal(stage, page)
    reviewer = stage.console("reviewer")
    claim(reviewer)
    assert "For a leaflet. <img src=x" in reviewer.text("#owner")
    assert not reviewer.run("document.images.length") and "objects to everything" in reviewer.text("#told")
    assert "token=" not in reviewer.run("document.documentElement.textContent"), "the owner's key is his"
    for key, words in (("1", "blurred"), ("2", "in grey"), ("3", "in full colour")):
        reviewer.press(key)
        reviewer.wait(f"(document.querySelector('#frame img') || {{}}).alt === 'The picture, {words}'")
        reviewer.wait("document.querySelector('#frame img').naturalWidth > 0")
    stage.look(reviewer, "item")
    reviewer.press("a")
    reviewer.fill("#question-text", "What will stand beside it?")
    reviewer.click("#question button.main")
    reviewer.wait("document.body.dataset.screen === 'idle'")
    page.open(stage.url + path)
    assert "What will stand beside it?" in page.text()
    stage.look(page, "asked")
    page.fill("textarea", "What to look for.")
    page.click("form button.main")
    page.wait("document.body.innerText.includes('A person will look')")
    claim(reviewer)
    assert "What to look for." in reviewer.text("#owner")
    assert PROMPT in reviewer.run("document.querySelector('#prompt-body').textContent")
    rule(reviewer, "l", "medical_or_educational", "It is an anatomy plate, and our rules allow it.")
    assert "block" in reviewer.text("#reveal") and "%" in reviewer.text("#reveal")
    stage.look(reviewer, "after")
    page.open(stage.url + path)
    assert "You were right" in page.text() and "It is an anatomy plate" in page.text()
    page.wait("document.images[0].naturalWidth > 0")
    stage.look(page, "overturned")
    answer, body = ask(stage.server.api, page.run("document.querySelector('a[download]').getAttribute('href')"))
    assert answer.status == 200 and body.startswith(b"\x89PNG"), answer.status
    assert answer.getheader("cache-control") == "no-store"
    page.close()
    return reviewer, decision


def check_uphold(stage, reviewer):
    _, path = stage.make(8, 400)
    page = stage.owner(path)
    appeal(stage, page)
    claim(reviewer)
    rule(reviewer, "k", "other_rule", "It stays held back under rule 1, for this test.")
    page.open(stage.url + path)
    assert "the answer is no" in page.text() and "for this test" in page.text()
    assert not page.run("document.querySelector('a[download]')")
    stage.look(page, "upheld")
    wrong = path.replace("token=", "token=A")
    for other, words in ((wrong, "nothing at this link"), (wrong.split("?")[0] + "?token=", "nothing at this link")):
        page.open(stage.url + other)
        assert words in page.text(), (other, page.text())
    page.close()


def check_lead(stage, decision):
    page = stage.console("lead", "/review/lead")
    assert "1 of 2" in page.text("#rates"), page.text("#rates")
    page.wait("document.querySelectorAll('#items tbody tr').length >= 2")
    assert decision in page.text("#items")
    stage.look(page, "lead")
    page.close()


def check_held(stage):
    _, path = stage.make(9, 202)
    page = stage.owner(path)
    assert "waiting for a person" in page.text() and not page.run("document.forms.length")
    stage.look(page, "held")
    reviewer = stage.console("reviewer")
    claim(reviewer)
    assert "Held picture" in reviewer.text("#item-title")
    rule(reviewer, "c", "art_or_history", "It is art, and goes behind a click.")
    page.open(stage.url + path)
    assert "Here is your picture" in page.text() and page.run("!!document.querySelector('details')")
    page.ask("Page.bringToFront") # one that nobody sees loads nothing lazily
    page.click("summary")
    page.wait("document.querySelector('details img').naturalWidth > 0")
    stage.look(page, "partly")


def main():
    limner = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "build/release/limner")
    keep = os.path.abspath(sys.argv[2]) if len(sys.argv) > 2 else None
    if not chromium.PROGRAM:
        print("skipped: no Chromium")
        sys.exit(77)
    for band in ("block", "hold"):
        with tempfile.TemporaryDirectory() as folder, chromium.Chromium() as browser:
            stage = Stage(limner, folder, browser, keep, band)
            try:
                if band == "hold":
                    check_held(stage)
                else:
                    reviewer, decision = check_overturn(stage)
                    check_uphold(stage, reviewer)
                    check_lead(stage, decision)
            finally:
                stage.server.close()
    print("a picture that was blocked came to its owner")


if __name__ == "__main__":
    main()
