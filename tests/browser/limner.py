# SPDX-License-Identifier: Apache-2.0
"""A running `limner serve` with a tiny model, for the tests of its pages."""

import http.client
import json
import os
import re
import subprocess
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Server:
    def __init__(self, limner, folder, *args):
        self.log = os.path.join(folder, "log")
        command = [limner, "serve", "--model", "tests/golden/tiny_lcm", "--listen", "127.0.0.1:0",
                   "--metrics", "127.0.0.1:0", "--threads", "1", "--state", folder, *args]
        environment = {"LIMNER_MARKS": "off",
                       "LSAN_OPTIONS": "suppressions=tests/lsan.supp:print_suppressions=0",
                       **os.environ}
        with open(self.log, "w", encoding="utf-8") as output:
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output,
                                            env=environment)
        for _ in range(600):
            with open(self.log, encoding="utf-8") as said:
                text = said.read()
            ports = re.search(r"api=(\d+) metrics=(\d+)", text)
            if ports and '"event":"ready"' in text:
                self.api, self.metrics = int(ports.group(1)), int(ports.group(2))
                return
            assert self.process.poll() is None, text
            time.sleep(0.1)
        raise SystemExit("the server did not get ready: " + text)

    def close(self):
        self.process.terminate()
        assert self.process.wait(60) == 0


def ask(port, path, body=None, headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST" if body is not None else "GET", path,
                       json.dumps(body) if body is not None else None,
                       {"Content-Type": "application/json", **(headers or {})})
    answer = connection.getresponse()
    return answer, answer.read()
