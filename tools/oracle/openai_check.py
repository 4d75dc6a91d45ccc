# SPDX-License-Identifier: Apache-2.0
"""The unmodified openai package against `limner serve`: the same seed gives the same picture.

    python tools/oracle/openai_check.py [--limner build/release/limner] [--model DIR]
"""

import argparse
import base64
import io
import socket
import subprocess
import tempfile
import time
import urllib.request

import openai
from PIL import Image


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_ready(url, process):
    for _ in range(600):
        if process.poll() is not None:
            raise SystemExit(f"limner serve ended with {process.returncode}")
        try:
            with urllib.request.urlopen(url) as answer:
                if answer.status == 200:
                    return
        except OSError:
            pass
        time.sleep(0.1)
    raise SystemExit("limner serve was not ready within a minute")


def picture(client, model, size, **extra):
    answer = client.images.generate(
        model=model, prompt="a red apple", size=size, response_format="b64_json", extra_body=extra
    )
    png = base64.b64decode(answer.data[0].b64_json)
    image = Image.open(io.BytesIO(png))
    image.load()
    assert image.format == "PNG", image.format
    return png, image


def check(client):
    model = client.models.list().data[0].id
    size = "128x128"
    first, image = picture(client, model, size, seed=11)
    assert f"{image.width}x{image.height}" == size, image.size
    again, _ = picture(client, model, size, seed=11)
    other, _ = picture(client, model, size, seed=12)
    assert first == again, "the same seed gave another picture"
    assert first != other, "another seed gave the same picture"
    try:
        picture(client, model, "13x13")
        raise SystemExit("a size of 13x13 was accepted")
    except openai.BadRequestError as error:
        assert "size" in str(error), error
    try:
        picture(client, "no-such-model", size)
        raise SystemExit("an unknown model was accepted")
    except openai.NotFoundError as error:
        assert "model" in str(error), error


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limner", default="build/release/limner")
    parser.add_argument("--model")
    args = parser.parse_args()
    port, metrics = free_port(), free_port()
    with tempfile.TemporaryDirectory() as state:
        command = [args.limner, "serve", "--listen", f"127.0.0.1:{port}", "--metrics", f"127.0.0.1:{metrics}",
                   "--state", state]
        command += ["--model", args.model] if args.model else []
        process = subprocess.Popen(command)
        try:
            wait_ready(f"http://127.0.0.1:{port}/readyz", process)
            check(openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="none", max_retries=0))
        finally:
            process.terminate()
            process.wait(20)
    print(f"openai {openai.__version__}: the same seed gives the same picture, bad requests are refused")


if __name__ == "__main__":
    main()
