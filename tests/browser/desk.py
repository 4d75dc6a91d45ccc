# SPDX-License-Identifier: Apache-2.0
"""A desk that is played: the reviewers' API as the pages know it, with what a real one does rarely.

It sends the pages of a running limner, with their policy, and answers /v1/review/ by itself. A test
says in `desk.next` how the next call of a kind is to fail, and finds in `desk.calls` what was asked.
"""

import http.server
import json
import re
import threading
import time

from limner import ask
from pictures import drawing, grey, haze, png

KEY = "lmr-00112233445566778899aabbccddeeff00112233"
HOSTILE = "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>"


def stamp(offset_s=0):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + offset_s))


def item(number, kind="appeal", **more):
    audit = kind == "audit"
    return {
        "id": f"itm_{number}", "object": "review.item", "kind": kind, "state": "claimed", "version": 3,
        "queue": "medical", "tenant": "clinic", "escalated": False, "created_at": stamp(-7200),
        "due_first_review": stamp(10800), "due": stamp(170000),
        "decision": {
            "id": f"dec_{number}", "stage": "image", "action": None if audit else "block",
            "category": None if audit else {"id": "sexual_explicit", "severity": "high"},
            "context": "medical", "created_at": stamp(-9000), "model": "starter",
            "policy": {"id": "default", "version": 14},
            "statement": None if audit else
            "An automatic check found what looks like explicit sexual content (T&C 4.2).\n"
            "The picture was not given out. You can ask for a second look until 2 June 2027."},
        "owner": {"reason": "medical", "submitted_at": stamp(-5000), "question": None, "reply": None,
                  "text": "A plate for a leaflet on breast self-examination. " + HOSTILE}
        if kind == "appeal" else None,
        "prompt": "line drawing for a leaflet, three steps of a breast self-examination " + HOSTILE,
        "negative_prompt": "colour", "picture": {"width": 256, "height": 256},
        "clauses": [
            {"id": "T&C 4.2", "text": "No explicit sexual acts.", "url": None, "examples": [
                {"text": "Anatomy plates, self-examination, surgery", "allowed": True},
                {"text": "A sexual act, drawn or photographed", "allowed": False}]},
            {"id": "T&C 4.3", "text": "Suggestive pictures go behind a click.", "examples": []}],
        "history": [{"at": stamp(-9000), "actor": "system", "kind": "blocked", "text": "Blocked by the check"},
                    {"at": stamp(-5000), "actor": "owner", "kind": "appealed", "text": "Asked for a second look"}],
        "near": [{"decision_id": "dec_0", "at": stamp(-90000), "outcome": "overturn"}],
        "outcome": None, "scores": None, **more}


SCORES = {"action": "block", "cause": "scores", "decision": "block",
          "categories": [{"id": "sexual_explicit", "p": 0.97}, {"id": "sexual_suggestive", "p": 0.02}],
          "models": [{"id": "nsfwjs_mid", "classes": [{"id": "Porn", "p": 0.96}, {"id": "Drawing", "p": 0.03}]},
                     {"id": "nsfwjs_small", "classes": [{"id": "Porn", "p": 0.71}]}]}


def rate(k, n, low, high):
    return {"k": k, "n": n, "rate": k / n if n else None, "low": low, "high": high}


def stats():
    hour = [{"at": stamp(-3600 * (24 - i)), "arrived": (i * 7) % 9 + 1, "completed": (i * 5) % 8 + 1}
            for i in range(24)]
    return {
        "object": "review.stats", "at": stamp(), "policy": {"id": "default", "version": 14},
        "backlog": [{"kind": "appeal", "queued": 14, "claimed": 2, "asked": 1},
                    {"kind": "hold", "queued": 31, "claimed": 1, "asked": 0},
                    {"kind": "audit", "queued": 6, "claimed": 0, "asked": 0},
                    {"kind": "second", "queued": 2, "claimed": 0, "asked": 0}],
        "open": 57, "overdue": 3, "oldest_age_s": 93000,
        "ages": [{"up_to_s": s, "count": n} for s, n in
                 ((900, 9), (3600, 17), (14400, 15), (43200, 8), (86400, 5), (None, 3))],
        "hours": hour, "arrivals_per_hour": 5.2, "completions_per_hour": 4.6, "reviewers_active": 2,
        "utilisation": 1.13, "expected_wait_s": 44600, "first_missed_deadline": stamp(20000),
        "reviewers_needed": 3, "overturned": rate(18, 40, 0.31, 0.6),
        "audit_block_wrong": rate(9, 60, 0.081, 0.261), "audit_allow_wrong": rate(1, 80, 0.002, 0.067),
        "confident_wrong": rate(4, 50, 0.032, 0.188), "agreement": {"kappa": 0.54, "doubles": 61},
        "reviewers": [
            {"reviewer": "reviewer-7f3a", "decided": 41, "golden": rate(9, 10, 0.6, 0.98),
             "let_go": rate(22, 41, 0.39, 0.68), "seconds": {"p10": 14, "p50": 41, "p90": 160},
             "seconds_buckets": [{"up_to_s": s, "count": n} for s, n in
                                 ((5, 0), (15, 5), (30, 9), (60, 14), (120, 8), (None, 5))],
             "identical_run": 4, "identical_alarm": False, "fast_alarm": False, "full_views_today": 12,
             "minutes_since_break": 33},
            {"reviewer": "reviewer-c21d " + HOSTILE, "decided": 64, "golden": rate(4, 11, 0.15, 0.65),
             "let_go": rate(63, 64, 0.92, 1), "seconds": {"p10": 1, "p50": 2, "p90": 6},
             "seconds_buckets": [{"up_to_s": s, "count": n} for s, n in
                                 ((5, 52), (15, 8), (30, 3), (60, 1), (120, 0), (None, 0))],
             "identical_run": 37, "identical_alarm": True, "fast_alarm": True, "full_views_today": 2,
             "minutes_since_break": 190}],
        "skips": [{"reason": "too_hard", "count": 4}, {"reason": "distressing", "count": 2}],
        "breakers": [{"slice": "sexual_explicit|clinic|-|*", "state": "open",
                      "overturned": rate(21, 26, 0.62, 0.91), "opened_at": stamp(-7000),
                      "policy": {"id": "default", "version": 14}}]}


def queue():
    rows = [("appeal", "queued", "clinic", 10800, None), ("appeal", "claimed", "clinic", -4000, "reviewer-7f3a"),
            ("hold", "queued", "shop", 3600, None), ("audit", "queued", "shop", 90000, None),
            ("appeal", "decided", "atelier", 1000, "reviewer-c21d")]
    return {"object": "list", "has_more": False, "data": [
        {"id": f"itm_{i}", "kind": kind, "state": state, "queue": "general", "tenant": tenant,
         "category": "sexual_explicit", "severity": 3, "created_at": stamp(-20000 - 900 * i),
         "due_first_review": stamp(due), "escalated": due < 0, "reviewer": who,
         "outcome": "overturn" if state == "decided" else None, "decision_id": f"dec_{i}"}
        for i, (kind, state, tenant, due, who) in enumerate(rows)]}


class Desk(http.server.ThreadingHTTPServer):
    """The server, and what it was asked. Lists and dicts here are changed by the test."""

    daemon_threads = True

    def __init__(self, limner_port):
        super().__init__(("127.0.0.1", 0), Handler)
        self.limner_port = limner_port
        self.calls, self.next, self.items = [], {}, []
        self.lease_s, self.tokens, self.pages = 600, {}, {}
        self.mine = {"reviewer": "reviewer-7f3a", "role": "reviewer", "decided_today": 11,
                     "full_views_hour": 9, "full_views_per_hour": 60, "full_views_today": 31, "minutes_since_break": 41,
                     "break_every_minutes": 60, "break_minutes": 10, "break_until": None, "waiting": 7}
        self.stats, self.queue = stats(), queue()
        self.claimed = None
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def asked(self, verb):
        return [body for what, body in self.calls if what == verb]

    def page(self, path):
        if path not in self.pages:
            answer, body = ask(self.limner_port, path)
            assert answer.status == 200, (path, answer.status)
            self.pages[path] = (answer.getheader("content-security-policy"), body)
        return self.pages[path]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def send(self, status, body, media="application/json", **headers):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": media, "Content-Length": str(len(data)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if status != 204:
            self.wfile.write(data)

    def fail(self, status, code, message="no", **headers):
        self.send(status, {"error": {"message": message, "type": "invalid_request_error", "param": None,
                                     "code": code}}, **headers)

    def refused(self, verb):
        """Said by the test, or by the key; then it is answered."""
        if self.headers.get("Authorization") != "Bearer " + KEY:
            self.fail(401, "invalid_api_key", "this API key is not known")
            return True
        status, code, *more = self.server.next.pop(verb, (0, ""))
        if status:
            self.fail(status, code, *more, **({"Retry_After": "4"} if status == 429 else {}))
        return bool(status)

    def lease(self):
        return {"lease_until": stamp(self.server.lease_s), "lease_s": self.server.lease_s}

    def do_GET(self):
        desk, path = self.server, self.path.split("?")[0]
        if path in ("/review", "/review/lead"):
            policy, body = desk.page(path)
            return self.send(200, body, "text/html; charset=utf-8", Content_Security_Policy=policy)
        verb = path.rsplit("/", 1)[-1]
        desk.calls.append(("GET " + verb, self.path))
        if self.refused("GET " + verb):
            return None
        if path == "/v1/review/mine":
            return self.send(200, desk.mine)
        if path == "/v1/review/stats":
            return self.send(200, desk.stats)
        if path == "/v1/review/items":
            return self.send(200, desk.queue)
        if verb == "image":
            variant = desk.tokens.pop(self.path, None) # once
            if not variant:
                return self.fail(404, "not_found", "this view was used already")
            pixel = {"blur": haze, "grey": grey, "full": drawing}[variant]
            return self.send(200, png(256, 256, pixel), "image/png", Cache_Control="no-store")
        if re.fullmatch(r"/v1/review/items/itm_\d+", path) and desk.claimed:
            return self.send(200, desk.claimed)
        return self.fail(404, "not_found", "there is nothing here")

    def do_POST(self):
        desk, verb = self.server, self.path.rsplit("/", 1)[-1]
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"] or 0)) or b"{}")
        desk.calls.append((verb, body))
        if self.refused(verb):
            return None
        if verb == "claim":
            if not desk.items:
                return self.send(204, b"")
            desk.claimed = desk.items.pop(0)
            return self.send(200, {"item": desk.claimed, "lease_token": "lease-1", **self.lease()})
        if verb == "close":
            return self.send(200, {"slice": body["slice"], "state": "closed"})
        if verb == "break":
            desk.mine["minutes_since_break"] = 0
            return self.send(200, desk.mine)
        assert body["lease_token"] == "lease-1", body
        if verb == "view":
            url = f"/v1/review/items/{desk.claimed['id']}/image?variant={body['variant']}&view={len(desk.calls)}"
            desk.tokens[url] = body["variant"]
            desk.mine["full_views_hour"] += body["variant"] != "blur"
            return self.send(200, {"url": url, "expires_s": 60})
        if verb == "decide":
            desk.mine["decided_today"] += 1
            return self.send(200, {"item": {**desk.claimed, "state": "decided", "scores": SCORES, **{
                k: body[k] for k in ("outcome", "code", "clause", "answer")}}})
        return self.send(200, {"item": desk.claimed, **self.lease()})
