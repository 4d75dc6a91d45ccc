# SPDX-License-Identifier: Apache-2.0
"""Headless Chromium over its debugging pipe: no driver, no packages.

    with Chromium() as browser:
        page = browser.page(1280, 900)
        page.open("http://127.0.0.1:8080/review")
        page.click("button")
        page.wait("document.title === 'done'")

Whatever a page's console says, other than what it was told of answers with 4xx, is in `page.said`.
`page.axe()` runs axe-core, when its axe.min.js is found: named by LIMNER_AXE, or below .venv/axe.
"""

import base64
import glob
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
WAIT_S = 20
KEYS = {"Enter": 13, "Escape": 27, "Tab": 9, " ": 32}


def axe_path():
    """Where axe-core's script lies; None when it is not here."""
    found = glob.glob(os.path.join(ROOT, ".venv/axe/**/axe.min.js"), recursive=True)
    return os.environ.get("LIMNER_AXE") or (found[0] if found else None)


class Chromium:
    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        to_read, self.to = os.pipe()
        self.back, back_write = os.pipe()
        command = [PROGRAM, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
                   "--disable-dev-shm-usage", "--no-first-run", "--disable-extensions",
                   "--disable-background-networking", "--disable-component-update",
                   "--remote-debugging-pipe", "--user-data-dir=" + self.folder.name, "about:blank"]
        self.process = subprocess.Popen(
            ["bash", "-c", f'exec "$0" "$@" 3<&{to_read} 4>&{back_write}', *command],
            pass_fds=(to_read, back_write), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_read)
        os.close(back_write)
        self.number, self.buffer, self.pages = 0, b"", {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.ask("Browser.close")
        except (AssertionError, OSError):
            self.process.terminate()
        self.process.wait(30)
        os.close(self.to)
        os.close(self.back)
        self.folder.cleanup()

    def ask(self, method, session=None, **params):
        """What the command came to. Events that come meanwhile are taken."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        until = time.monotonic() + 60
        while True:
            answer = self.take(until)
            if answer.get("id") == self.number:
                assert "error" not in answer, (method, answer["error"])
                return answer["result"]
            self.hear(answer)

    def take(self, until):
        while b"\0" not in self.buffer:
            assert select.select([self.back], [], [], max(0, until - time.monotonic()))[0], "no word"
            piece = os.read(self.back, 1 << 16)
            assert piece, "Chromium has ended"
            self.buffer += piece
        text, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(text)

    def hear(self, event):
        page = self.pages.get(event.get("sessionId"))
        if page and "method" in event:
            page.hear(event["method"], event["params"])

    def page(self, width, height, dark=False):
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = self.pages[session] = Page(self, session, target)
        for domain in ("Page", "Runtime", "Log"):
            page.ask(domain + ".enable")
        page.size(width, height)
        page.ask("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
            {"name": "prefers-reduced-motion", "value": "reduce"}])
        return page


class Page:
    def __init__(self, browser, session, target):
        self.browser, self.session, self.target = browser, session, target
        self.said = []

    def ask(self, method, **params):
        return self.browser.ask(method, self.session, **params)

    def hear(self, method, params):
        if method == "Runtime.consoleAPICalled":
            self.said.append(" ".join(str(a.get("value")) for a in params["args"]))
        elif method == "Runtime.exceptionThrown":
            self.said.append(json.dumps(params["exceptionDetails"])[:600])
        elif method == "Log.entryAdded" and params["entry"]["source"] != "network":
            self.said.append(params["entry"]["text"])

    def close(self):
        self.browser.ask("Target.closeTarget", targetId=self.target)
        del self.browser.pages[self.session]

    def size(self, width, height):
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height,
                 deviceScaleFactor=1, mobile=False)

    def open(self, url):
        self.run("window.old = true")
        self.ask("Page.navigate", url=url)
        self.wait("!window.old && document.readyState === 'complete'")

    def run(self, code):
        """The value of an expression, or of the promise that it is."""
        done = self.ask("Runtime.evaluate", expression=code, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in done, (code[:200], done["exceptionDetails"])
        return done["result"].get("value")

    def wait(self, code, seconds=WAIT_S):
        """Until the expression is true. The value that it then has."""
        until = time.monotonic() + seconds
        while True:
            done = self.ask("Runtime.evaluate", expression=code, returnByValue=True)
            if "exceptionDetails" not in done and done["result"].get("value"): # a page that is going has no body
                return done["result"]["value"]
            assert time.monotonic() < until, ("never came", code, self.text()[-1500:], self.said)
            time.sleep(0.05)

    def text(self, selector="body"):
        return self.run(f"(document.querySelector({json.dumps(selector)}) || {{}}).innerText || ''")

    def is_shown(self, selector):
        return self.run(f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
                        "return !!e && e.getClientRects().length > 0; })()")

    def click(self, selector):
        """As a person does it: something that is not shown, or is covered, is not clicked."""
        where = self.run(f"(() => {{ const e = document.querySelector({json.dumps(selector)});"
                         "if (!e) return null; e.scrollIntoView({block: 'center'});"
                         "const b = e.getBoundingClientRect();"
                         "const x = b.x + b.width / 2, y = b.y + b.height / 2;"
                         "const top = document.elementFromPoint(x, y);"
                         "return top && (e.contains(top) || top.contains(e)) ? [x, y] : null; })()")
        assert where, ("cannot be clicked", selector)
        for kind in ("mousePressed", "mouseReleased"):
            self.ask("Input.dispatchMouseEvent", type=kind, x=where[0], y=where[1], button="left",
                     clickCount=1)

    def fill(self, selector, text):
        self.click(selector)
        self.run(f"document.querySelector({json.dumps(selector)}).select()")
        self.ask("Input.insertText", text=text)

    def press(self, key, modifiers=0):
        text = {"Enter": "\r"}.get(key, key if len(key) == 1 else "")
        code = KEYS.get(key, ord(key.upper()) if len(key) == 1 else 0)
        self.ask("Input.dispatchKeyEvent", type="keyDown" if text else "rawKeyDown", key=key,
                 text=text, windowsVirtualKeyCode=code, modifiers=modifiers)
        self.ask("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code,
                 modifiers=modifiers)

    def shot(self, path, whole=True):
        size = self.ask("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1}
        data = self.ask("Page.captureScreenshot", captureBeyondViewport=whole,
                        **({"clip": clip} if whole else {}))["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))

    def overflow(self):
        """How many pixels the page is wider than its window, and what sticks out; None: it fits."""
        return self.run("(w => w > 0 ? [w, ...[...document.querySelectorAll('body *')].filter(e =>"
                        "e.getBoundingClientRect().right > innerWidth + 1).map(e => e.tagName + '#' +"
                        "e.id + '.' + e.className).slice(0, 8)] : null)"
                        "(document.documentElement.scrollWidth - innerWidth)")

    def axe(self):
        """What axe-core finds that is serious or critical; None without axe-core."""
        path = axe_path()
        if not path:
            return None
        with open(path, encoding="utf-8") as file:
            self.ask("Runtime.evaluate", expression=file.read() + ";void 0")
        found = self.run("axe.run(document).then(r => r.violations.map(v => [v.impact, v.id, v.help,"
                         " v.nodes.slice(0, 4).map(n => n.html.slice(0, 160) + ' | ' +"
                         " n.failureSummary.slice(0, 300))]))")
        return [v for v in found if v[0] in ("serious", "critical")]
