#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The reviewers' page and the lead's in a browser, against a desk that is played (desk.py).

    tests/browser/review.py [LIMNER [FOLDER]]     LIMNER is build/release/limner without it

Every screen is looked at in two sizes with axe-core, where it is at hand; screenshots stay in
FOLDER, if it is named. Without Chromium it ends with 77: skipped.
"""

import os
import sys
import tempfile
import time

import chromium
from desk import KEY, Desk, item
from limner import Server

SIZES = {"wide": (1280, 900), "narrow": (360, 740)}
ANSWER = "A person has looked at it: it is a plate for a leaflet, and our rules allow that."


def until(is_so):
    for _ in range(200):
        if is_so():
            return
        time.sleep(0.05)
    raise AssertionError("it never became so")


class Console:
    """A page that is logged in, and how it looks."""

    def __init__(self, browser, desk, keep, path="/review", size=(1280, 900), dark=False):
        self.page, self.desk, self.keep = browser.page(*size, dark), desk, keep
        self.size = f"{size[0]}{'d' if dark else ''}"
        self.page.open(desk.url + path)
        self.look("door")
        self.page.fill("#key", KEY)
        self.page.press("Enter")
        self.page.wait("document.body.dataset.inside === 'yes'")

    def look(self, name):
        """Nothing serious for axe, nothing wider than the window, no word on the console."""
        page = self.page
        assert not page.said, (name, page.said)
        assert not page.overflow(), (name, self.size, page.overflow())
        found = page.axe()
        assert not found, (name, found)
        assert page.run("document.title") != "taken" and not page.run(
            "document.querySelector('main [onerror], main script')"), "a stranger's text became markup"
        if self.keep:
            page.shot(os.path.join(self.keep, f"review_{name}_{self.size}.png"))

    def screen(self, name):
        self.page.wait(f"document.body.dataset.screen === '{name}'")

    def claim(self, *items):
        self.desk.items[:] = items or [item(1)]
        self.page.wait("['idle', 'after'].includes(document.body.dataset.screen)")
        self.page.press("n")
        self.screen("item")

    def show(self, key, words):
        self.page.press(key)
        self.page.wait(f"(document.querySelector('#frame img') || {{}}).alt === 'The picture, {words}'")
        self.page.wait("document.querySelector('#frame img').naturalWidth === 256")

    def rule(self, key="l", code="medical_or_educational", answer=ANSWER):
        page = self.page
        page.press(key)
        page.wait("!document.querySelector('#code').disabled")
        page.run(f"(c => {{ c.value = '{code}'; c.dispatchEvent(new Event('change')); }})"
                 "(document.querySelector('#code'))")
        if answer:
            page.fill("#answer", answer)
        page.click("input[name=confidence][value='4']")

    def jump(self, seconds):
        """As if so much time had passed."""
        self.page.run(f"((was) => {{ performance.now = () => was() + {seconds * 1000}; }})"
                      "(performance.now.bind(performance))")


def check_door(browser, desk):
    page = browser.page(1280, 900)
    page.open(desk.url + "/review")
    page.fill("#key", "lmr-wrong")
    page.press("Enter")
    page.wait("document.querySelector('#door-trouble').innerText.includes('not known')")
    assert page.run("document.activeElement.id") == "key"
    assert page.run("sessionStorage.length + localStorage.length") == 0, "a wrong key is not kept"
    page.close()


def check_picture(console):
    """Nothing before it is asked for; step by step; gone at once."""
    page, desk = console.page, console.desk
    console.claim()
    assert page.run("document.activeElement.id") == "item-title", "where reading begins"
    assert not desk.asked("view") and not page.run("document.images.length"), "nothing is shown unasked"
    assert not page.run("document.querySelector('#prompt').open"), "the prompt is folded"
    assert "97" not in page.text() and "96 %" not in page.text(), "no score before the decision"
    console.look("item")
    page.press("3")
    page.press("2")
    time.sleep(0.3)
    assert not desk.asked("view"), "not full, nor grey, before blurred"
    console.show("1", "blurred")
    console.look("item_blurred")
    page.press("+")
    assert page.run("document.querySelector('#frame img').className") == "medium"
    page.press("-")
    console.show("2", "in grey")
    page.press("Escape")
    assert not page.run("document.images.length"), "hidden at once"
    console.show("3", "in full colour")
    page.wait("document.querySelector('#counts').innerText.includes('11 of 60')")
    console.look("item_full")
    page.run("document.querySelector('#answer').focus()")
    page.press("Escape")
    assert not page.run("document.images.length"), "also from within a field"
    page.press("?") # typed into the field
    assert page.run("document.querySelector('#answer').value") == "?"
    assert [v["variant"] for v in desk.asked("view")] == ["blur", "grey", "full"], desk.asked("view")


def check_decision(console):
    """What is missing is named; it can be taken back; then it is sent, and the scores are there."""
    page, desk = console.page, console.desk
    page.run("document.querySelector('#answer').value = ''")
    page.run("document.activeElement.blur()")
    page.press("Enter", modifiers=2)
    page.wait("document.querySelector('#form-trouble').innerText.includes('outcome')")
    console.rule("k", "explicit_content", None)
    page.fill("#answer", "")
    page.run("document.querySelector('#template').click()")
    page.press("Enter", modifiers=2)
    page.wait("document.querySelector('#form-trouble').innerText.includes('brackets')")
    assert page.run("document.activeElement.id") == "answer"
    console.look("item_trouble")
    page.run("document.activeElement.blur()")
    console.rule()
    page.press("Enter", modifiers=2)
    page.wait("document.querySelector('#undo-words').innerText.includes('sent in')")
    assert page.run("document.activeElement.id") == "undo"
    console.look("item_undo")
    page.press("u")
    page.wait("document.querySelector('#undo-bar').hidden")
    assert not desk.asked("decide"), "taken back"
    assert page.run("document.querySelector('#answer').value") == ANSWER
    begun = time.monotonic()
    page.press("Enter", modifiers=2)
    console.screen("after")
    assert 9 < time.monotonic() - begun < 30, "ten seconds to undo"
    assert desk.asked("decide") == [{
        "lease_token": "lease-1", "outcome": "overturn", "code": "medical_or_educational",
        "clause": "T&C 4.2", "answer": ANSWER, "confidence": 4, "version": 3}], desk.asked("decide")
    assert "97 %" in page.text("#reveal") and "96 %" in page.text("#reveal")
    assert not page.run("document.querySelector('#owner-body').childNodes.length"), "nothing stays"
    console.look("after")


def check_leaving(console):
    page, desk = console.page, console.desk
    console.claim(item(2), item(3), item(4))
    page.press("s")
    page.wait("document.querySelector('#skip').open")
    console.look("skip")
    page.press("Escape")
    page.wait("!document.querySelector('#skip').open")
    assert not desk.asked("skip")
    page.press("s")
    page.click("#skip input[value=distressing]")
    page.click("#skip button.main")
    console.screen("idle")
    assert desk.asked("skip") == [{"lease_token": "lease-1", "reason": "distressing"}]
    page.press("n")
    console.screen("item")
    page.press("a")
    page.fill("#question-text", "What is it for?")
    console.look("question")
    page.click("#question button.main")
    console.screen("idle")
    assert desk.asked("ask")[0]["question"] == "What is it for?"
    console.look("idle")
    page.press("n")
    console.screen("item")
    page.click("#rest")
    console.screen("pause")
    until(lambda: len(desk.asked("release")) == 1 and desk.asked("break"))
    console.look("pause")
    page.click("#resume")
    console.screen("idle")
    page.press("n")
    page.wait("document.querySelector('#waiting').innerText.includes('Nothing waits')")
    page.press("?")
    page.wait("document.querySelector('#help').open")
    console.look("help")
    page.press("Escape")


def check_trouble(console):
    """Every no of the server in plain words, and nothing that was written is lost."""
    page, desk = console.page, console.desk

    def send(status, code, *more):
        desk.next["decide"] = (status, code, *more)
        page.run("document.activeElement.blur()")
        page.press("Enter", modifiers=2)
        page.click("#send-now")

    console.claim(item(5), item(5), item(6))
    console.rule()
    send(409, "stale")
    page.wait("document.querySelector('#form-trouble').innerText.includes('changed')")
    assert page.run("document.querySelector('#answer').value") == ANSWER
    send(500, "internal_error", "the server could not finish this request")
    page.wait("document.querySelector('#form-trouble').innerText.includes('could not finish')")
    send(409, "lease_over")
    console.screen("idle")
    page.wait("document.querySelector('#notice').innerText.includes('A person has looked')")
    console.look("lease_over")
    page.press("n")
    console.screen("item")
    assert page.run("document.querySelector('#answer').value") == ANSWER, "kept for the same item"
    page.run("document.activeElement.blur()")
    console.rule()
    send(403, "decided_before")
    console.screen("idle")
    assert "somebody else" in page.text("#notice")
    page.press("n")
    console.screen("item")
    console.show("1", "blurred")
    console.show("2", "in grey")
    desk.next["view"] = (429, "exposure_cap")
    page.press("3")
    page.wait("document.querySelector('#notice').innerText.includes('still look at it blurred')")
    assert page.run("document.images.length") == 1, "the item is still his, and so is what was shown"
    page.click("#put-back")
    desk.next["claim"] = (429, "exposure_cap")
    console.screen("idle")
    page.press("n")
    console.screen("pause")
    assert "enough for now" in page.text("#pause-title")
    page.wait("!document.querySelector('#resume').disabled")
    page.click("#resume")
    desk.items.append(item(7))
    desk.next["claim"] = (429, "break_due")
    page.press("n")
    console.screen("pause")
    assert page.run("document.querySelector('#resume').disabled"), "a break is a break"
    console.look("break")
    page.wait("!document.querySelector('#resume').disabled")
    page.click("#resume")
    console.screen("idle")


def check_lease(console):
    """A word each minute while somebody is there; a warning; and the end."""
    page, desk = console.page, console.desk
    desk.lease_s = 600
    console.claim(item(8))
    page.press("1")
    page.wait("document.images.length")
    console.jump(61)
    until(lambda: len(desk.asked("heartbeat")) == 1)
    page.wait("/Yours for (10|9:5)/.test(document.querySelector('#lease-left').innerText)")
    console.jump(540) # nobody has moved for longer than five minutes
    page.wait("document.querySelector('#lease').className === 'soon'")
    assert len(desk.asked("heartbeat")) == 1
    assert "goes back to the queue" in page.text("#voice") or page.run(
        "document.querySelector('#voice').textContent.includes('goes back')")
    console.look("lease_soon")
    page.click("#keep")
    page.wait("document.querySelector('#lease').className === ''")
    assert len(desk.asked("heartbeat")) == 2
    page.open(desk.url + "/review")
    page.wait("document.body.dataset.screen === 'item'")
    assert "plate for a leaflet" in page.text("#owner"), "still ours after a reload"
    console.jump(601)
    console.screen("idle")
    assert "time on this item was over" in page.text("#notice")
    console.claim(item(9, "audit"))
    assert "Blind audit" in page.text("#item-title") and "sexual" not in page.text("#facts")
    console.look("audit")
    page.click("#put-back")
    console.screen("idle")
    console.claim(item(10, picture=None, decision={**item(10)["decision"], "stage": "prompt"}))
    assert page.run("document.querySelector('#prompt').open && document.querySelector('#tools').hidden")
    console.look("words")
    page.click("#leave")
    page.wait("document.body.dataset.inside === 'no'")
    assert page.run("sessionStorage.length") == 0 and "leaflet" not in page.text()


def check_review(browser, desk, keep):
    for size in SIZES.values():
        desk.calls.clear()
        desk.mine["full_views_hour"] = 9
        console = Console(browser, desk, keep, size=size)
        check_picture(console)
        check_decision(console)
        check_leaving(console)
        check_trouble(console)
        check_lease(console)
        console.page.close()
    dark = Console(browser, desk, keep, dark=True)
    dark.claim()
    dark.show("1", "blurred")
    dark.rule()
    dark.look("item_ruled")


def check_lead(browser, desk, keep):
    """Every number, what needs somebody, and from a number to the items behind it."""
    for size in SIZES.values():
        for dark in (False, True) if size[0] > 1000 else (False,):
            console = Console(browser, desk, keep, "/review/lead", size, dark)
            console.look("lead")
    page = console.page
    text = page.text()
    for words in ("3 items are overdue", "Breaker open", "the queue grows", "same answer 37 times",
                  "faster than anybody", "agree less", "9 of 60; between 8.1 % and 26 %",
                  "1 of 80; between 0.2 % and 6.7 %", "18 of 40; between 31 % and 60 %",
                  "is 0.54 over 61 items", "too hard 4", "113 %", "26 h"):
        assert words in text, (words, text)
    assert page.run("document.querySelectorAll('#hours rect').length") == 48
    assert page.run("document.querySelectorAll('#items tbody tr').length") == 5
    page.click("#tiles .bad .number") # overdue
    page.wait("document.querySelectorAll('#items tbody tr').length === 1")
    assert page.run("document.activeElement.id") == "list-title"
    page.click("#people tbody tr:nth-child(2) .number")
    page.wait("document.querySelector('#who').innerText.includes('c21d')")
    until(lambda: any("reviewer=reviewer-c21d" in path for path in desk.asked("GET items")))
    page.click("#anybody")
    page.click("#breakers button")
    page.wait("document.querySelector('#close').open")
    page.fill("#close-version", "14")
    page.fill("#close-note", "Bands of the medical context were raised.")
    page.click("#close button.main")
    assert not desk.asked("close"), "the browser says that 14 is not newer"
    page.fill("#close-version", "15")
    desk.next["close"] = (409, "policy_not_newer", "version 15 is not loaded")
    page.click("#close button.main")
    page.wait("document.querySelector('#close-trouble').innerText.includes('not loaded')")
    console.look("lead_close")
    looked = len(desk.asked("GET stats"))
    page.click("#close button.main")
    page.wait("document.querySelector('#notice').innerText.includes('Closed')")
    until(lambda: len(desk.asked("GET stats")) > looked) # and looks again
    assert desk.asked("close")[-1] == {"slice": "sexual_explicit|clinic|-|*", "policy_version": 15,
                                       "note": "Bands of the medical context were raised."}
    desk.next["GET stats"] = (403, "insufficient_permissions")
    page.open(desk.url + "/review/lead")
    page.wait("document.querySelector('#door-trouble').innerText.includes('scope lead')")
    empty = {"object": "review.stats", "open": 0, "overdue": 0}
    full, desk.stats = desk.stats, empty
    console = Console(browser, desk, keep, "/review/lead")
    assert "Nothing at the moment" in console.page.text() and "nothing to go by" in console.page.text()
    console.look("lead_empty")
    desk.stats = full


def main():
    limner = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "build/release/limner")
    keep = os.path.abspath(sys.argv[2]) if len(sys.argv) > 2 else None
    if not chromium.PROGRAM:
        print("skipped: no Chromium")
        sys.exit(77)
    with tempfile.TemporaryDirectory() as folder, chromium.Chromium() as browser:
        server = Server(limner, folder)
        try:
            desk = Desk(server.api)
            check_door(browser, desk)
            check_review(browser, desk, keep)
            check_lead(browser, desk, keep)
        finally:
            server.close()
    print("the reviewers' pages do what they say" +
          ("" if chromium.axe_path() else "; axe-core is not here and was left out"))


if __name__ == "__main__":
    main()
